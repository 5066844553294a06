/* The .ptsw format, version 1: flat weights in one file.
 *
 * WHY A FORMAT OF OUR OWN. An encoder is a list of named arrays and a handful of strings. It
 * should start in milliseconds, be shared between processes through the page cache, and come from
 * a stranger without danger. So: one file, memory-mapped, arrays used where they lie; a reader
 * that fits on a page and trusts nothing; no code, no expressions, no nesting. Safetensors keeps
 * its table in JSON (a parser on the hostile path, no checksum); GGUF has types and alignments to
 * choose from; checkpoints of the frameworks are programs. Here there is one layout and no choice:
 * equal content gives equal bytes.
 *
 * BYTE MAP. Little-endian throughout. Every part starts at a multiple of 64 and what is left of its
 * last 64 bytes is zero, so the file is a whole number of 64-byte stripes.
 *
 *   header                 64 bytes
 *        0  8  magic            50 54 53 57 0d 0a 1a 0a      "PTSW\r\n\x1a\n"
 *        8  4  version          1
 *       12  4  header bytes     64
 *       16  8  file bytes
 *       24  4  metadata count   M, at most 256
 *       28  4  tensor count     N, at most 16384
 *       32  8  metadata bytes   before padding
 *       40  8  table offset     64 + metadata bytes, rounded up to 64
 *       48  8  data offset      table offset + 128·N
 *       56  8  checksum         of the whole file, with these eight bytes taken as zero
 *   metadata               at 64: M times
 *        0  4  key bytes        1 … 255, without the NUL
 *        4  4  value bytes      0 … 65535, without the NUL
 *        8  …  key NUL value NUL
 *   table                  N times 128 bytes
 *        0 72  name             UTF-8, filled up with NUL, at least one
 *       72  4  dtype            0 f32, 1 f16 (IEEE 754 binary32, binary16)
 *       76  4  rank             1 … 4
 *       80 32  shape            four u64, each ≥ 1; those past the rank are 1
 *      112  8  offset           of the data, from the start of the file
 *      120  8  bytes            product of the shape times 4 or 2
 *   data                   in table order, each tensor at the next multiple of 64
 *
 * The magic is PNG's idea: a transfer that rewrites line ends breaks \r\n, \x1a stops a DOS `type`.
 * Strings carry lengths and a NUL, so that a reader can check them and then hand them out as they
 * lie. The positions follow from the counts and sizes; they are stored all the same, since a number
 * said twice is a number that can be checked.
 *
 * WORKED EXAMPLE. One string, arch=demo, and one tensor "w", f32, shape (2), values 1 and -2:
 * 320 bytes (tests/data/weights/demo.ptsw, made by an independent script).
 *
 *   000  50 54 53 57 0d 0a 1a 0a  01 00 00 00 40 00 00 00   magic, version 1, header 64
 *   010  40 01 00 00 00 00 00 00  01 00 00 00 01 00 00 00   file 0x140 = 320, M 1, N 1
 *   020  12 00 00 00 00 00 00 00  80 00 00 00 00 00 00 00   metadata 18 bytes, table at 0x80
 *   030  00 01 00 00 00 00 00 00  a4 f0 52 cd 97 c4 64 4d   data at 0x100, checksum
 *   040  04 00 00 00 04 00 00 00  61 72 63 68 00 64 65 6d   4, 4, "arch\0dem
 *   050  6f 00 00 00 00 00 00 00  …                         o\0", zero up to 0x80
 *   080  77 00 00 00 00 00 00 00  …                         "w", zero up to 0xc8
 *   0c0  …                        00 00 00 00 01 00 00 00   f32, rank 1
 *   0d0  02 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00   shape 2, 1,
 *   0e0  01 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00   1, 1
 *   0f0  00 01 00 00 00 00 00 00  08 00 00 00 00 00 00 00   offset 0x100, 8 bytes
 *   100  00 00 80 3f 00 00 00 c0  …                         1.0, -2.0, zero up to 0x140
 *
 * CHECKSUM. Not against forgers (that is the SHA-256 of the source in the metadata) but against
 * disks, cables and half-finished downloads, over every byte and at every start: so it must run at
 * the speed of memory. Eight 64-bit lanes, lane i eats word i of each stripe:
 *
 *       lane = rotate(lane xor word, 29) · P1            P1, P2 odd
 *
 * and the lanes are then folded into one number, h = rotate(h xor lane, 31) · P2, and stirred (the
 * form of XXH64's rounds and final: Collet, github.com/Cyan4973/xxHash, doc/xxhash_spec.md). Each
 * step is a bijection of the word when the rest is fixed, and of the lane when the word is. So any
 * change confined to one 8-byte word ALWAYS changes the checksum: every flipped bit, every wrong
 * byte, not just most of them. Wider damage escapes with probability 2^-64. Eight independent lanes
 * hide the latency of the multiplication: 10 GB/s on one core, where SHA-256 has 0.2.
 *
 * LIMITS. Names to 71 bytes, rank to 4, no sparse and no quantised types, no alignment but 64.
 * A big-endian machine would have to swap and thus to copy: not supported (see reader.c). */
#ifndef PTS_SRC_WEIGHTS_PTSW_H
#define PTS_SRC_WEIGHTS_PTSW_H

#include "pts/weights.h"

#include <stdbool.h>

enum {
    PTSW_STRIPE = 64,
    PTSW_VERSION = 1,
    PTSW_NAME_FIELD = PTS_TENSOR_NAME_MAX + 1,
};

#define PTSW_MAGIC "PTSW\r\n\x1a\n" /* 8 bytes and the compiler's NUL */

/* The two fixed records as they lie in the file; no padding anywhere. */
typedef struct ptsw_header {
    unsigned char magic[8];
    uint32_t version, header_bytes;
    uint64_t file_bytes;
    uint32_t meta_count, tensor_count;
    uint64_t meta_bytes, table_offset, data_offset, checksum;
} ptsw_header;

typedef struct ptsw_entry {
    char name[PTSW_NAME_FIELD];
    uint32_t dtype, rank;
    uint64_t shape[PTS_TENSOR_RANK_MAX];
    uint64_t offset, bytes;
} ptsw_entry;

_Static_assert(sizeof(ptsw_header) == PTSW_STRIPE, "the header is one stripe");
_Static_assert(sizeof(ptsw_entry) == 2 * PTSW_STRIPE, "a table entry is two stripes");

/* The checksum, in pieces of whole stripes. */
typedef struct ptsw_sum {
    uint64_t lane[8];
} ptsw_sum;

void pts_ptsw_sum_init(ptsw_sum *sum);
void pts_ptsw_sum_update(ptsw_sum *sum, const void *stripes, size_t count);
uint64_t pts_ptsw_sum_final(const ptsw_sum *sum);

/* Bytes of `size` bytes of text are valid UTF-8 without control characters (below 0x20, 0x7f).
 * Metadata values may also hold newlines and tabs. */
bool pts_ptsw_text_ok(const char *text, size_t size, bool multiline);

/* dtype is known, rank 1 … 4, dims ≥ 1, 1 past the rank, and *bytes their product: what a tensor
 * must be on either side of the file. The message ends the caller's "%s: tensor 'x': ". NULL: ok */
const char *pts_ptsw_shape_problem(uint64_t dtype, uint64_t rank, const uint64_t *shape,
                                   uint64_t *bytes);

static inline uint64_t ptsw_pad(uint64_t bytes) /* at most 2^63 */
{
    return (bytes + PTSW_STRIPE - 1) & ~(uint64_t)(PTSW_STRIPE - 1);
}

#endif
