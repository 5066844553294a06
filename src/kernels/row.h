/* What a transformer does to one token, a row of floats. */
#ifndef PTS_SRC_KERNELS_ROW_H
#define PTS_SRC_KERNELS_ROW_H

#include <stddef.h>

/* Floats from one row to the next: an odd number of cache lines, so that rows read together do not
 * fall into the same sets of the cache (at a stride of 4096 bytes all of them would). */
static inline size_t pts_row_stride(size_t floats)
{
    return ((floats + 15) / 16 | 1) * 16;
}

/* y = (x − mean) / √(variance + epsilon) · weight + bias, all [count]; y may be x. */
typedef void (*pts_layer_norm_fn)(const float *x, size_t count, const float *weight,
                                  const float *bias, float epsilon, float *y);

/* Each row x [count] becomes softmax(scale·x), scale > 0. The rows, `stride` floats apart, have
 * room for count rounded up to the level's lanes; what is past count is overwritten. */
typedef void (*pts_softmax_fn)(float *x, size_t rows, size_t stride, size_t count, float scale);

/* x = f(x). */
typedef void (*pts_activation_fn)(float *x, size_t count);

#endif
