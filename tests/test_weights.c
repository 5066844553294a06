/* The weights room: .ptsw against files of an independent writer, every kind of damage, binary16
 * against numpy, SHA-256 against NIST's examples. */
#include "temporary_folder.h"

#include "pts/file.h"
#include "pts/hash.h"
#include "pts/weights.h"
#include "weights/ptsw.h"

#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Written over, then cut: truncating to zero first makes ext4 flush at each close (auto_da_alloc),
 * and 20,000 files take a quarter of a minute instead of a second. */
static void put_file(const void *bytes, size_t size)
{
    int fd = open(scratch("a.ptsw"), O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, bytes, size, 0), (ssize_t)size);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    ck_assert_int_eq(close(fd), 0);
}

static unsigned char *golden(const char *name, size_t *size)
{
    char *data;
    ck_assert_int_eq(pts_read_file(test_data(name), 1 << 20, &data, size, NULL), PTS_OK);
    return (unsigned char *)data;
}

/* Sets the checksum right, so that a change reaches the checks behind it. */
static void resum(unsigned char *bytes, size_t size)
{
    ptsw_sum sum;
    memset(bytes + 56, 0, 8);
    pts_ptsw_sum_init(&sum);
    pts_ptsw_sum_update(&sum, bytes, size / PTSW_STRIPE);
    uint64_t value = pts_ptsw_sum_final(&sum);
    memcpy(bytes + 56, &value, 8);
}

/* Opening the scratch file must fail so; `message` follows "PATH: ". */
static void expect_refusal(pts_status status, const char *message)
{
    pts_error err = {"untouched"};
    pts_weights *weights = (pts_weights *)&err;
    char expected[600];
    snprintf(expected, sizeof expected, "%s: %s", scratch("a.ptsw"), message);
    pts_status got = pts_weights_open(&weights, scratch("a.ptsw"), &err);
    ck_assert_str_eq(err.message, expected);
    ck_assert_int_eq(got, status);
    ck_assert_ptr_null(weights);
}

START_TEST(writer_equals_an_independent_one)
{
    const float w[2] = {1, -2}, a[6] = {0, 1, 2, 3, 4, 5};
    const uint16_t b[5] = {0x3800, 0x3c00, 0x4000, 0x4200, 0x7bff};
    const pts_meta meta[] = {{"arch", "demo"}, {"note", "x"}};
    const pts_tensor demo = {"w", PTS_F32, 1, {2}, w, sizeof w};
    const pts_tensor small[] = {{"a", PTS_F32, 2, {2, 3}, a, sizeof a},
                                {"b", PTS_F16, 1, {5}, b, sizeof b}};
    for (int i = 0; i < 2; i++) {
        size_t want_size, got_size;
        unsigned char *want = golden(i ? "weights/small.ptsw" : "weights/demo.ptsw", &want_size);
        ck_assert_int_eq(pts_weights_write(scratch("a.ptsw"), meta, i ? 2 : 1, i ? small : &demo,
                                           i ? 2 : 1, NULL),
                         PTS_OK);
        char *got;
        ck_assert_int_eq(pts_read_file(scratch("a.ptsw"), 4096, &got, &got_size, NULL), PTS_OK);
        ck_assert_uint_eq(got_size, want_size);
        ck_assert_mem_eq(got, want, want_size);
        free(got);
        free(want);
    }
    unlink(scratch("a.ptsw"));
}
END_TEST

START_TEST(round_trip)
{
    static float numbers[3 * 5 * 7 * 2];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        numbers[i] = sinf((float)i);
    const char *longest = "abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopq";
    ck_assert_uint_eq(strlen(longest), PTS_TENSOR_NAME_MAX);
    const pts_tensor tensors[] = {{"z.weight", PTS_F32, 4, {3, 5, 7, 2}, numbers, 840},
                                  {longest, PTS_F32, 3, {3, 5, 7}, numbers + 1, 420},
                                  {"größe", PTS_F16, 2, {33, 1}, numbers, 66},
                                  {"a", PTS_F32, 1, {16}, numbers + 2, 64}};
    const pts_meta meta[] = {{"licence", "first line\n\tsecond"}, {"empty", ""}};
    pts_weights *w;
    ck_assert_int_eq(pts_weights_write(scratch("a.ptsw"), meta, 2, tensors, 4, NULL), PTS_OK);
    ck_assert_int_eq(pts_weights_open(&w, scratch("a.ptsw"), NULL), PTS_OK);
    ck_assert_uint_eq(pts_weights_count(w), 4);
    for (size_t i = 0; i < 4; i++) {
        const pts_tensor *t = pts_weights_tensor(w, i);
        ck_assert_ptr_eq(pts_weights_find(w, tensors[i].name), t);
        ck_assert_str_eq(t->name, tensors[i].name);
        ck_assert_int_eq(t->dtype, tensors[i].dtype);
        ck_assert_int_eq(t->rank, tensors[i].rank);
        for (int k = 0; k < 4; k++)
            ck_assert_uint_eq(t->shape[k], k < t->rank ? tensors[i].shape[k] : 1);
        ck_assert_uint_eq((uintptr_t)t->data % 64, 0);
        ck_assert_uint_eq(t->bytes, tensors[i].bytes);
        ck_assert_mem_eq(t->data, tensors[i].data, t->bytes);
    }
    ck_assert_ptr_null(pts_weights_tensor(w, 4));
    ck_assert_ptr_null(pts_weights_find(w, "b"));
    ck_assert_uint_eq(pts_weights_meta_count(w), 2);
    ck_assert_str_eq(pts_weights_meta(w, "licence"), "first line\n\tsecond");
    ck_assert_str_eq(pts_weights_meta_at(w, 1)->key, "empty");
    ck_assert_str_eq(pts_weights_meta(w, "empty"), "");
    ck_assert_ptr_null(pts_weights_meta(w, "Licence"));
    ck_assert_ptr_null(pts_weights_meta_at(w, 2));
    ck_assert_str_eq(pts_weights_path(w), scratch("a.ptsw"));
    pts_weights_close(w);
    pts_weights_close(NULL);
    unlink(scratch("a.ptsw"));
}
END_TEST

START_TEST(an_empty_file_of_weights_is_one)
{
    pts_weights *w;
    ck_assert_int_eq(pts_weights_write(scratch("a.ptsw"), NULL, 0, NULL, 0, NULL), PTS_OK);
    ck_assert_int_eq(pts_weights_open(&w, scratch("a.ptsw"), NULL), PTS_OK);
    ck_assert_uint_eq(pts_weights_count(w) + pts_weights_meta_count(w), 0);
    ck_assert_uint_eq(pts_weights_file_size(w), 64);
    ck_assert_ptr_null(pts_weights_find(w, "a"));
    pts_weights_close(w);
    unlink(scratch("a.ptsw"));
}
END_TEST

START_TEST(require_names_expected_and_got)
{
    pts_weights *w;
    pts_error err;
    const pts_tensor *t;
    char expected[256];
    ck_assert_int_eq(pts_weights_open(&w, test_data("weights/small.ptsw"), NULL), PTS_OK);
    ck_assert_int_eq(pts_weights_require(w, "a", 2, (size_t[]){2, 3}, &t, &err), PTS_OK);
    ck_assert_ptr_eq(t, pts_weights_find(w, "a"));
    static const struct {
        const char *name;
        int rank;
        size_t shape[4];
        const char *message;
    } cases[] = {
        {"a", 2, {3, 2}, "tensor 'a': expected f32 (3, 2), got f32 (2, 3)"},
        {"a", 1, {2}, "tensor 'a': expected f32 (2), got f32 (2, 3)"},
        {"a", 3, {2, 3, 1}, "tensor 'a': expected f32 (2, 3, 1), got f32 (2, 3)"},
        {"b", 1, {5}, "tensor 'b': expected f32 (5), got f16 (5)"},
        {"c", 1, {5}, "tensor 'c': expected f32 (5), got none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(
            pts_weights_require(w, cases[i].name, cases[i].rank, cases[i].shape, &t, &err),
            PTS_ERR_SHAPE);
        ck_assert_ptr_null(t);
        snprintf(expected, sizeof expected, "%s: %s", pts_weights_path(w), cases[i].message);
        ck_assert_str_eq(err.message, expected);
    }
    ck_assert_int_eq(pts_weights_require(w, "a", 5, (size_t[5]){0}, &t, NULL), PTS_ERR_ARGUMENT);
    pts_weights_close(w);
}
END_TEST

/* ---- Damage ---- */

START_TEST(every_flipped_bit_is_refused)
{
    size_t size;
    unsigned char *bytes = golden("weights/small.ptsw", &size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        pts_weights *w;
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        put_file(bytes, size);
        ck_assert_msg(pts_weights_open(&w, scratch("a.ptsw"), NULL) != PTS_OK, "bit %zu", bit);
        ck_assert_ptr_null(w);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(bytes);
    unlink(scratch("a.ptsw"));
}
END_TEST

START_TEST(every_wrong_byte_of_the_data_is_refused)
{
    size_t size;
    unsigned char *bytes = golden("weights/demo.ptsw", &size);
    for (size_t at = 256; at < 264; at++) {
        unsigned char right = bytes[at];
        for (int value = 0; value < 256; value++) {
            pts_weights *w;
            bytes[at] = (unsigned char)value;
            put_file(bytes, size);
            pts_status status = pts_weights_open(&w, scratch("a.ptsw"), NULL);
            ck_assert_int_eq(status, value == right ? PTS_OK : PTS_ERR_FORMAT);
            pts_weights_close(w);
        }
        bytes[at] = right;
    }
    free(bytes);
    unlink(scratch("a.ptsw"));
}
END_TEST

START_TEST(every_cut_and_every_tail_is_refused)
{
    size_t size;
    unsigned char *bytes = golden("weights/small.ptsw", &size), longer[512 + 128] = {0};
    memcpy(longer, bytes, size);
    for (size_t n = 0; n <= sizeof longer; n++) {
        pts_weights *w;
        put_file(longer, n);
        pts_status status = pts_weights_open(&w, scratch("a.ptsw"), NULL);
        ck_assert_int_eq(status, n == size ? PTS_OK : PTS_ERR_FORMAT);
        pts_weights_close(w);
    }
    put_file(longer, 10);
    expect_refusal(PTS_ERR_FORMAT, "expected at least 64 bytes, got 10");
    put_file(longer, 500);
    expect_refusal(PTS_ERR_FORMAT, "header: expected a file of 512 bytes, got 500 (cut?)");
    /* the second number is the independent script's checksum() of these bytes */
    bytes[400] ^= 1;
    put_file(bytes, size);
    expect_refusal(PTS_ERR_FORMAT,
                   "damaged: expected checksum ec7892a91ad39c31, got 0ed79f213b51250c");
    free(bytes);
    unlink(scratch("a.ptsw"));
}
END_TEST

START_TEST(what_is_no_file_of_weights_is_refused)
{
    pts_weights *w;
    pts_error err;
    static const char text[] = "these are not weights, but a text that is longer than 64 bytes ……";
    put_file(text, sizeof text);
    expect_refusal(PTS_ERR_FORMAT, "not a .ptsw file: expected 50 54 53 57 0d 0a 1a 0a at its "
                                   "start, got 74 68 65 73 65 20 61 72");
    unlink(scratch("a.ptsw"));
    ck_assert_int_eq(pts_weights_open(&w, "/nowhere/x.ptsw", &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "/nowhere/x.ptsw: No such file or directory");
    ck_assert_int_eq(pts_weights_open(&w, "/tmp", &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "/tmp: expected a regular file");
    ck_assert_int_eq(pts_weights_open(&w, NULL, &err), PTS_ERR_ARGUMENT);
}
END_TEST

/* small.ptsw with some bytes replaced and the checksum set right again. Its map: metadata 0 at 64
 * ("arch" 72, "demo" 77), metadata 1 at 82 ("note" 90, "x" 95), end 97; table 128 (a) and 256 (b);
 * data 384 (24 bytes) and 448 (10 bytes). */
typedef struct patch {
    size_t at, size;
    const char *bytes;
    pts_status status;
    const char *message;
} patch;

#define U32(x) 4, x
#define U64(x) 8, x

static const patch patches[] = {
    /* header */
    {8, U32("\2\0\0\0"), PTS_ERR_UNSUPPORTED, "header: expected version 1, got 2"},
    {12, U32("\x80\0\0\0"), PTS_ERR_FORMAT, "header: expected 64 header bytes, got 128"},
    {16, U64("\xff\1\0\0\0\0\0\0"), PTS_ERR_FORMAT,
     "header: expected a file of 511 bytes, got 512 (cut?)"},
    {24, U32("\1\1\0\0"), PTS_ERR_LIMIT, "header: expected at most 256 metadata strings, got 257"},
    {28, U32("\1\x40\0\0"), PTS_ERR_LIMIT, "header: expected at most 16384 tensors, got 16385"},
    {32, U64("\0\0\0\0\0\0\0\x80"), PTS_ERR_FORMAT,
     "header: metadata: expected at most 448 bytes, got 9223372036854775808"},
    {32, U64("\xff\xff\xff\xff\xff\xff\xff\xff"), PTS_ERR_FORMAT,
     "header: metadata: expected at most 448 bytes, got 18446744073709551615"},
    {40, U64("\xc0\0\0\0\0\0\0\0"), PTS_ERR_FORMAT, "header: expected the table at 128, got 192"},
    {48, U64("\xc0\1\0\0\0\0\0\0"), PTS_ERR_FORMAT,
     "header: expected the data at 384 of 512 bytes, got 448"},
    {28, U32("\4\0\0\0"), PTS_ERR_FORMAT, "header: expected the data at 640 of 512 bytes, got 384"},
    {28, U32("\3\0\0\0"), PTS_ERR_FORMAT, "header: expected the data at 512 of 512 bytes, got 384"},
    /* metadata */
    {24, U32("\3\0\0\0"), PTS_ERR_FORMAT, "metadata 2: expected 8 bytes of sizes, got 0"},
    {24, U32("\1\0\0\0"), PTS_ERR_FORMAT, "metadata: expected to end at byte 97, ended at 82"},
    {64, U32("\0\0\0\0"), PTS_ERR_FORMAT,
     "metadata 0: expected a key of 1 … 255 and a value of at most 65535 bytes, got 0 and 4"},
    {64, U32("\xff\xff\xff\xff"), PTS_ERR_FORMAT,
     "metadata 0: expected a key of 1 … 255 and a value of at most 65535 bytes, got 4294967295 and "
     "4"},
    {68, U32("\0\0\1\0"), PTS_ERR_FORMAT,
     "metadata 0: expected a key of 1 … 255 and a value of at most 65535 bytes, got 4 and 65536"},
    {64, U32("\xc8\0\0\0"), PTS_ERR_FORMAT, "metadata 0: expected 206 bytes of text, got 25"},
    {72, 1, "\0", PTS_ERR_FORMAT, "metadata 0: key: expected NUL-terminated UTF-8 text"},
    {72, 1, "\n", PTS_ERR_FORMAT, "metadata 0: key: expected NUL-terminated UTF-8 text"},
    {76, 1, "x", PTS_ERR_FORMAT, "metadata 0: key: expected NUL-terminated UTF-8 text"},
    {77, 2, "\xc0\x80", PTS_ERR_FORMAT, "metadata 0: value: expected NUL-terminated UTF-8 text"},
    {77, 3, "\xed\xa0\x80", PTS_ERR_FORMAT,
     "metadata 0: value: expected NUL-terminated UTF-8 text"},
    {80, 1, "\xe2", PTS_ERR_FORMAT, "metadata 0: value: expected NUL-terminated UTF-8 text"},
    {96, 1, "x", PTS_ERR_FORMAT, "metadata 1: value: expected NUL-terminated UTF-8 text"},
    {90, 4, "arch", PTS_ERR_FORMAT, "metadata 1: key 'arch' is there already"},
    {100, 1, "\1", PTS_ERR_FORMAT, "byte 100: expected padding 0, got 1"},
    /* names */
    {128, 1, "\0", PTS_ERR_FORMAT, "tensor 0: name: expected 1 … 71 bytes of UTF-8, then NUL"},
    {128, 1, "\x7f", PTS_ERR_FORMAT, "tensor 0: name: expected 1 … 71 bytes of UTF-8, then NUL"},
    {128, 1, "\xff", PTS_ERR_FORMAT, "tensor 0: name: expected 1 … 71 bytes of UTF-8, then NUL"},
    {130, 1, "x", PTS_ERR_FORMAT, "tensor 0: name: expected 1 … 71 bytes of UTF-8, then NUL"},
    {128, 72, "seventy-two bytes without an end ......................................]",
     PTS_ERR_FORMAT, "tensor 0: name: expected 1 … 71 bytes of UTF-8, then NUL"},
    {256, 1, "a", PTS_ERR_FORMAT, "tensor 'a' is there twice"},
    /* dtype, rank, shape */
    {200, U32("\2\0\0\0"), PTS_ERR_FORMAT, "tensor 'a': dtype: expected 0 (f32) or 1 (f16)"},
    {204, U32("\0\0\0\0"), PTS_ERR_FORMAT, "tensor 'a': rank: expected 1 … 4"},
    {204, U32("\5\0\0\0"), PTS_ERR_FORMAT, "tensor 'a': rank: expected 1 … 4"},
    {204, U32("\1\0\0\0"), PTS_ERR_FORMAT, "tensor 'a': shape: expected 1 past the rank"},
    {216, U64("\0\0\0\0\0\0\0\0"), PTS_ERR_FORMAT, "tensor 'a': shape: expected dimensions ≥ 1"},
    {232, U64("\0\0\0\0\0\0\0\0"), PTS_ERR_FORMAT, "tensor 'a': shape: expected 1 past the rank"},
    {208, U64("\0\0\0\0\0\0\0\x80"), PTS_ERR_FORMAT,
     "tensor 'a': shape: more elements than fit 64 bits"},
    /* 2^62 · 4 bytes would wrap to 0 */
    {208, U64("\0\0\0\0\0\0\0\x40"), PTS_ERR_FORMAT,
     "tensor 'a': shape: more elements than fit 64 bits"},
    {208, U64("\3\0\0\0\0\0\0\0"), PTS_ERR_FORMAT,
     "tensor 'a': size (shape times dtype): expected 36, got 24"},
    {200, U32("\1\0\0\0"), PTS_ERR_FORMAT,
     "tensor 'a': size (shape times dtype): expected 12, got 24"},
    /* offset and size */
    {248, U64("\x19\0\0\0\0\0\0\0"), PTS_ERR_FORMAT,
     "tensor 'a': size (shape times dtype): expected 24, got 25"},
    {240, U64("\x84\1\0\0\0\0\0\0"), PTS_ERR_FORMAT,
     "tensor 'a': offset (a multiple of 64): expected 384, got 388"},
    {240, U64("\0\0\0\0\0\0\0\0"), PTS_ERR_FORMAT,
     "tensor 'a': offset (overlaps what lies before): expected 384, got 0"},
    {368, U64("\x80\1\0\0\0\0\0\0"), PTS_ERR_FORMAT,
     "tensor 'b': offset (overlaps what lies before): expected 448, got 384"},
    {368, U64("\0\2\0\0\0\0\0\0"), PTS_ERR_FORMAT,
     "tensor 'b': offset (a gap before it): expected 448, got 512"},
    {368, U64("\xc0\xff\xff\xff\xff\xff\xff\xff"), PTS_ERR_FORMAT,
     "tensor 'b': offset (a gap before it): expected 448, got 18446744073709551552"},
    {408, 1, "\1", PTS_ERR_FORMAT, "byte 408: expected padding 0, got 1"},
    {511, 1, "\x80", PTS_ERR_FORMAT, "byte 511: expected padding 0, got 128"},
};

START_TEST(rejected_inputs)
{
    size_t size;
    unsigned char *bytes = golden("weights/small.ptsw", &size), copy[512];
    ck_assert_uint_eq(size, sizeof copy);
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        memcpy(copy, bytes, size);
        memcpy(copy + patches[i].at, patches[i].bytes, patches[i].size);
        resum(copy, size);
        put_file(copy, size);
        expect_refusal(patches[i].status, patches[i].message);
    }
    free(bytes);
    unlink(scratch("a.ptsw"));
}
END_TEST

/* Shapes that claim more than the file has need two fields changed. */
START_TEST(rejected_ranges)
{
    size_t size;
    unsigned char *bytes = golden("weights/small.ptsw", &size), longer[576] = {0};
    memcpy(longer, bytes, size);
    const uint64_t sides = 200, claimed = 400, file_bytes = 576;
    memcpy(longer + 256 + 80, &sides, 8);
    memcpy(longer + 256 + 120, &claimed, 8);
    resum(longer, size);
    put_file(longer, size);
    expect_refusal(PTS_ERR_FORMAT, "tensor 'b': expected 400 bytes from byte 448, the file has 64");
    memcpy(longer, bytes, size);
    memcpy(longer + 16, &file_bytes, 8);
    resum(longer, sizeof longer);
    put_file(longer, sizeof longer);
    expect_refusal(PTS_ERR_FORMAT, "expected the file to end at byte 512, it has 576");
    free(bytes);
    unlink(scratch("a.ptsw"));
}
END_TEST

static uint64_t next_random(uint64_t *state) /* xorshift64 */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* 20,000 files with 1 … 4 mutations each, the checksum right: whatever opens must hold together. */
START_TEST(mutations_are_refused_or_sound)
{
    size_t size, opened = 0;
    unsigned char *bytes = golden("weights/small.ptsw", &size), copy[512];
    static const unsigned char edges[] = {0, 1, 2, 4, 0x7f, 0x80, 0xc0, 0xff};
    uint64_t state = 20240229;
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, bytes, size);
        for (uint64_t n = next_random(&state) % 4 + 1; n; n--) {
            uint64_t r = next_random(&state);
            copy[r % 384] = r >> 32 & 1 ? (unsigned char)(r >> 40) : edges[r >> 40 & 7];
        }
        resum(copy, size);
        put_file(copy, size);
        pts_weights *w;
        if (pts_weights_open(&w, scratch("a.ptsw"), NULL) != PTS_OK)
            continue;
        opened++;
        for (size_t i = 0; i < pts_weights_count(w); i++) {
            const pts_tensor *t = pts_weights_tensor(w, i);
            size_t product = t->dtype == PTS_F32 ? 4 : 2;
            for (int k = 0; k < 4; k++)
                product *= t->shape[k];
            ck_assert_uint_eq(product, t->bytes);
            ck_assert_uint_le(t->bytes, size);
            ck_assert_mem_eq(t->data, copy + (i ? 448 : 384), t->bytes);
            ck_assert_ptr_eq(pts_weights_find(w, t->name), t);
        }
        pts_weights_close(w);
    }
    ck_assert_uint_gt(opened, 100); /* renamed tensors, other strings: still valid */
    ck_assert_uint_lt(opened, 19000);
    free(bytes);
    unlink(scratch("a.ptsw"));
}
END_TEST

START_TEST(writer_refuses)
{
    static const float x[4];
    static const struct {
        pts_tensor tensor;
        pts_meta meta;
        pts_status status;
        const char *message;
    } cases[] = {
        {{NULL, PTS_F32, 1, {4}, x, 16},
         {"k", "v"},
         PTS_ERR_ARGUMENT,
         "tensor 0: name: expected 1 … 71 bytes of UTF-8 text"},
        {{"\xff", PTS_F32, 1, {4}, x, 16},
         {"k", "v"},
         PTS_ERR_ARGUMENT,
         "tensor 0: name: expected 1 … 71 bytes of UTF-8 text"},
        {{"w", PTS_F32, 0, {4}, x, 16},
         {"k", "v"},
         PTS_ERR_ARGUMENT,
         "tensor 'w': rank: expected 1 … 4"},
        {{"w", PTS_F32, -1, {4}, x, 16},
         {"k", "v"},
         PTS_ERR_ARGUMENT,
         "tensor 'w': rank: expected 1 … 4"},
        {{"w", PTS_F32, 2, {4, 0}, x, 16},
         {"k", "v"},
         PTS_ERR_ARGUMENT,
         "tensor 'w': shape: expected dimensions ≥ 1"},
        {{"w", PTS_F16, 1, {4}, x, 16},
         {"k", "v"},
         PTS_ERR_ARGUMENT,
         "tensor 'w': expected 8 bytes of data, got 16"},
        {{"w", PTS_F32, 1, {4}, NULL, 16},
         {"k", "v"},
         PTS_ERR_ARGUMENT,
         "tensor 'w': expected 16 bytes of data, got 0"},
        {{"w", PTS_F32, 1, {4}, x, 16},
         {"", "v"},
         PTS_ERR_LIMIT,
         "metadata 0: expected a key of 1 … 255 and a value of at most 65535 bytes, got 0 and 1"},
        {{"w", PTS_F32, 1, {4}, x, 16},
         {"k", "\x80"},
         PTS_ERR_ARGUMENT,
         "metadata 0: expected UTF-8 text"},
    };
    unlink(scratch("a.ptsw"));
    pts_error err;
    char expected[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(
            pts_weights_write(scratch("a.ptsw"), &cases[i].meta, 1, &cases[i].tensor, 1, &err),
            cases[i].status);
        snprintf(expected, sizeof expected, "%s: %s", scratch("a.ptsw"), cases[i].message);
        ck_assert_str_eq(err.message, expected);
        ck_assert_int_ne(access(scratch("a.ptsw"), F_OK), 0); /* nothing was left */
    }
    const pts_tensor twice[] = {cases[8].tensor, cases[8].tensor};
    const pts_meta keys[] = {cases[0].meta, cases[0].meta};
    ck_assert_int_eq(pts_weights_write(scratch("a.ptsw"), keys, 1, twice, 2, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, ": tensor 'w' is there twice"));
    ck_assert_int_eq(pts_weights_write(scratch("a.ptsw"), keys, 2, twice, 1, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, ": metadata 1: key 'k' is there already"));
    ck_assert_int_eq(pts_weights_write("/nowhere/x", keys, 1, twice, 1, &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "/nowhere/x: cannot write: No such file or directory");
}
END_TEST

/* ---- binary16 ---- */

START_TEST(half_rounds_as_numpy_does)
{
    size_t size;
    unsigned char *bytes = golden("weights/f16.bin", &size);
    ck_assert_uint_gt(size / 8, 4000);
    for (size_t i = 0; i < size / 8; i++) {
        uint32_t pair[2];
        float value;
        memcpy(pair, bytes + 8 * i, 8);
        memcpy(&value, &pair[0], 4);
        ck_assert_msg(pts_f16_from_f32(value) == pair[1], "%a: expected %04x, got %04x",
                      (double)value, pair[1], pts_f16_from_f32(value));
    }
    free(bytes);
}
END_TEST

/* All 65536: the value is ±mantissa · 2^exponent, and rounding it back changes nothing. */
START_TEST(half_widens_exactly)
{
    for (uint32_t bits = 0; bits < 65536; bits++) {
        int exponent = bits >> 10 & 31, mantissa = bits & 1023;
        float value = pts_f32_from_f16((uint16_t)bits);
        if (exponent == 31 && mantissa) {
            ck_assert(isnan(value) && isnan(pts_f32_from_f16(pts_f16_from_f32(value))));
            continue;
        }
        double expected = exponent == 31 ? (double)INFINITY
                          : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                         : ldexp(mantissa, -24);
        ck_assert(fabs((double)value) == expected);
        ck_assert_int_eq(!!signbit(value), bits >> 15);
        ck_assert_uint_eq(pts_f16_from_f32(value), bits);
    }
}
END_TEST

/* ---- SHA-256 ---- */

/* NIST, "SHA-256" and "SHA-2 additional" examples with intermediate values (FIPS 180-4). */
START_TEST(sha256_of_nist_examples)
{
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[PTS_SHA256_HEX];
    pts_sha256 hash;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece < 130; piece += 31) { /* split in every odd way */
            pts_sha256_init(&hash);
            size_t length = strlen(cases[i].text), at = 0;
            for (; length - at > piece; at += piece) {
                pts_sha256_update(&hash, cases[i].text + at, piece);
                pts_sha256_update(&hash, NULL, 0); /* nothing, as a mask without a polygon has it */
            }
            pts_sha256_update(&hash, cases[i].text + at, length - at);
            pts_sha256_hex(&hash, hex);
            ck_assert_str_eq(hex, cases[i].digest);
        }
    }
    static char many[1000];
    memset(many, 'a', sizeof many);
    pts_sha256_init(&hash);
    for (int i = 0; i < 1000; i++)
        pts_sha256_update(&hash, many, sizeof many);
    pts_sha256_hex(&hash, hex);
    ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

CHECK_SUITE("weights", writer_equals_an_independent_one, round_trip,
            an_empty_file_of_weights_is_one, require_names_expected_and_got,
            every_flipped_bit_is_refused, every_wrong_byte_of_the_data_is_refused,
            every_cut_and_every_tail_is_refused, what_is_no_file_of_weights_is_refused,
            rejected_inputs, rejected_ranges, writer_refuses, half_rounds_as_numpy_does,
            half_widens_exactly, sha256_of_nist_examples, SLOW, mutations_are_refused_or_sound)
