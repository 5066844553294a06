/* What reader and writer share: the checksum, and the rules for strings and shapes. */
#include "weights/ptsw.h"
#include "base/memory.h"

#include <stdbool.h>
#include <string.h>

#define P1 UINT64_C(0x9e3779b185ebca87)
#define P2 UINT64_C(0xc2b2ae3d27d4eb4f)

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

void pts_ptsw_sum_init(ptsw_sum *sum)
{
    for (int i = 0; i < 8; i++)
        sum->lane[i] = P2 * (uint64_t)(i + 1);
}

/* Asking for memory 4 KiB ahead takes a third off: the processor's own prefetchers stop at the end
 * of each page, where the multiplications then wait. Asking past the end of a map does no harm. */
enum { SUM_AHEAD = 4096 };

void pts_ptsw_sum_update(ptsw_sum *sum, const void *stripes, size_t count)
{
    const unsigned char *at = stripes;
    uint64_t lane[8];
    memcpy(lane, sum->lane, sizeof lane);
    for (size_t s = 0; s < count; s++, at += PTSW_STRIPE) {
        uint64_t word[8];
        __builtin_prefetch((const void *)((uintptr_t)at + SUM_AHEAD));
        memcpy(word, at, sizeof word);
        for (int i = 0; i < 8; i++)
            lane[i] = rotate(lane[i] ^ word[i], 29) * P1;
    }
    memcpy(sum->lane, lane, sizeof lane);
}

uint64_t pts_ptsw_sum_final(const ptsw_sum *sum)
{
    uint64_t h = P1;
    for (int i = 0; i < 8; i++)
        h = rotate(h ^ sum->lane[i], 31) * P2;
    h = (h ^ h >> 33) * P1;
    h = (h ^ h >> 29) * P2;
    return h ^ h >> 32;
}

/* Length of the UTF-8 sequence at `at`, 0 when it is none: overlong forms, surrogates and code
 * points past U+10FFFF have no valid second byte (Unicode 15, table 3-7). */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    unsigned char a = at[0], low = 0x80, high = 0xbf;
    size_t length = a < 0x80 ? 1 : a < 0xc2 ? 0 : a < 0xe0 ? 2 : a < 0xf0 ? 3 : a < 0xf5 ? 4 : 0;
    if (length > left)
        return 0;
    if (a == 0xe0)
        low = 0xa0;
    else if (a == 0xed)
        high = 0x9f;
    else if (a == 0xf0)
        low = 0x90;
    else if (a == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf) {
        if (at[i] < low || at[i] > high)
            return 0;
    }
    return length;
}

bool pts_ptsw_text_ok(const char *text, size_t size, bool multiline)
{
    const unsigned char *at = (const unsigned char *)text;
    for (size_t i = 0; i < size;) {
        size_t length = utf8_length(at + i, size - i);
        int layout = multiline && (at[i] == '\n' || at[i] == '\t');
        if (!length || ((at[i] < 0x20 || at[i] == 0x7f) && !layout))
            return 0;
        i += length;
    }
    return 1;
}

const char *pts_ptsw_shape_problem(uint64_t dtype, uint64_t rank, const uint64_t *shape,
                                   uint64_t *bytes)
{
    if (dtype != PTS_F32 && dtype != PTS_F16)
        return "dtype: expected 0 (f32) or 1 (f16)";
    if (rank < 1 || rank > PTS_TENSOR_RANK_MAX)
        return "rank: expected 1 … 4";
    uint64_t product = dtype == PTS_F32 ? 4 : 2;
    for (uint64_t i = 0; i < PTS_TENSOR_RANK_MAX; i++) {
        if (i >= rank && shape[i] != 1)
            return "shape: expected 1 past the rank";
        if (shape[i] < 1)
            return "shape: expected dimensions ≥ 1";
        if (__builtin_mul_overflow(product, shape[i], &product))
            return "shape: more elements than fit 64 bits";
    }
    *bytes = product;
    return NULL;
}
