/* pts/weights.h: flat weights, one .ptsw file: named tensors and the strings that say what they
 * are. The bytes are described at the head of src/weights/ptsw.h.
 *
 *   pts_weights *weights;
 *   const pts_tensor *kernel;
 *   if (pts_weights_open(&weights, "inception_v3.ptsw", &err) != PTS_OK) …
 *   if (pts_weights_require(weights, "Conv2d_1a_3x3.weight", 4, (size_t[]){3, 3, 3, 32},
 *                           &kernel, &err) != PTS_OK) …
 *   use((const float *)kernel->data);            // [kh][kw][cin][cout]
 *   pts_weights_close(weights);                  // kernel->data is gone now
 *
 * The file is mapped read-only and nothing is copied: opening costs one checksum pass over the
 * mapped bytes, memory is the page cache's. A pts_weights is immutable after open and may be used
 * by any number of threads at once. Cutting or overwriting the file in place while it is mapped is
 * outside the contract (the process would get SIGBUS or changed numbers): replace it by rename, as
 * pts_weights_write does. */
#ifndef PTS_WEIGHTS_H
#define PTS_WEIGHTS_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pts_dtype { PTS_F32 = 0, PTS_F16 = 1 } pts_dtype;

#define PTS_TENSOR_RANK_MAX 4
#define PTS_TENSOR_NAME_MAX 71 /* bytes, without the NUL */
#define PTS_TENSOR_COUNT_MAX 16384
#define PTS_META_COUNT_MAX 256
#define PTS_META_KEY_MAX 255     /* bytes, without the NUL */
#define PTS_META_VALUE_MAX 65535 /* bytes, without the NUL */

/* A dense row-major tensor. From a reader `data` is 64-byte aligned and read-only, and the
 * entries of `shape` past `rank` are 1. */
typedef struct pts_tensor {
    const char *name; /* UTF-8 without control characters */
    pts_dtype dtype;
    int rank; /* 1 … 4 */
    size_t shape[PTS_TENSOR_RANK_MAX];
    const void *data;
    size_t bytes; /* product of the shape times 4 (f32) or 2 (f16) */
} pts_tensor;

typedef struct pts_meta {
    const char *key, *value; /* UTF-8 */
} pts_meta;

typedef struct pts_weights pts_weights;

/* Checks everything (magic, version, sizes, checksum over every byte, strings, each tensor's
 * shape, range, alignment, overlap) before it succeeds. PTS_ERR_IO: no such file; PTS_ERR_FORMAT:
 * not a .ptsw file, cut or altered; PTS_ERR_UNSUPPORTED: a later version; PTS_ERR_LIMIT: more
 * entries than the limits above. */
pts_status pts_weights_open(pts_weights **out, const char *path, pts_error *err);
void pts_weights_close(pts_weights *weights);

const char *pts_weights_path(const pts_weights *weights);
size_t pts_weights_file_size(const pts_weights *weights);  /* bytes */
uint64_t pts_weights_checksum(const pts_weights *weights); /* as stored, and verified */

size_t pts_weights_count(const pts_weights *weights);
/* In file order; NULL when index ≥ count. */
const pts_tensor *pts_weights_tensor(const pts_weights *weights, size_t index);
/* NULL when there is no such tensor. */
const pts_tensor *pts_weights_find(const pts_weights *weights, const char *name);
/* The f32 tensor of that name and exactly that shape; else PTS_ERR_SHAPE, with file, name,
 * expected and got. */
pts_status pts_weights_require(const pts_weights *weights, const char *name, int rank,
                               const size_t *shape, const pts_tensor **out, pts_error *err);

/* Turns every f16 tensor into an f32 one, in memory of its own beside the map: for who computes in
 * f32 and would take a file of either kind. Once, before the weights are shared between threads. */
pts_status pts_weights_widen(pts_weights *weights, pts_error *err);

/* Tells the system that this tensor's pages are not needed for now: whole pages of it leave the
 * process's memory and are read again when they are touched. For who has packed a copy. */
void pts_weights_forget(const pts_weights *weights, const pts_tensor *tensor);

size_t pts_weights_meta_count(const pts_weights *weights);
const pts_meta *pts_weights_meta_at(const pts_weights *weights, size_t index);
/* NULL when there is no such key. */
const char *pts_weights_meta(const pts_weights *weights, const char *key);

/* Writes a file that pts_weights_open accepts, whole or not at all (temporary name + rename).
 * The arguments are held to the reader's rules: PTS_ERR_ARGUMENT or PTS_ERR_LIMIT names the first
 * that breaks one. Equal arguments give equal bytes. */
pts_status pts_weights_write(const char *path, const pts_meta *meta, size_t meta_count,
                             const pts_tensor *tensors, size_t tensor_count, pts_error *err);

/* The same for data that are made one tensor after another, so that no two need to be in memory at
 * once: `source` is called once a tensor, in order, and leaves in *data its `bytes` bytes, valid
 * until its next call; the tensors' own `data` is not looked at. Its failure ends the writing. */
typedef pts_status (*pts_tensor_source)(void *user, size_t index, const void **data,
                                        pts_error *err);
pts_status pts_weights_write_from(const char *path, const pts_meta *meta, size_t meta_count,
                                  const pts_tensor *tensors, size_t tensor_count,
                                  pts_tensor_source source, void *user, pts_error *err);

/* IEEE 754 binary16, rounded to nearest, ties to even; beyond 65504 (after rounding) infinite. */
uint16_t pts_f16_from_f32(float value);
float pts_f32_from_f16(uint16_t bits);

#ifdef __cplusplus
}
#endif

#endif
