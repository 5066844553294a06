/* What the sources of a level give to its table (level.h), under the level's own names. */
#ifndef PTS_SRC_KERNELS_LEVEL_FUNCTIONS_H
#define PTS_SRC_KERNELS_LEVEL_FUNCTIONS_H

#include "kernels/level.h"
#include "kernels/simd.h"

void LEVEL(product)(const pts_product *p);
void LEVEL(transform_filter)(const pts_axis *axis, bool two_d, const double *taps, double *points);
void LEVEL(transform_input)(const pts_axis *axis, bool two_d, const float *const *pixels,
                            size_t channels, float *out, size_t point_stride);
void LEVEL(transform_output)(const pts_axis *axis, bool two_d, const float *in, size_t point_stride,
                             size_t channels, const float *bias, float *const *pixels);
void LEVEL(max_pixel)(const pts_pool_window *window, size_t channels, float *out);
void LEVEL(average_pixel)(const pts_pool_window *window, size_t channels, float *out);
void LEVEL(global_average)(const pts_feature_map *x, float *out);
void LEVEL(layer_norm)(const float *x, size_t count, const float *weight, const float *bias,
                       float epsilon, float *y);
void LEVEL(softmax)(float *x, size_t rows, size_t stride, size_t count, float scale);
void LEVEL(gelu)(float *x, size_t count);
void LEVEL(quick_gelu)(float *x, size_t count);
void LEVEL(adam)(const pts_adam_constants *c, size_t count, float *weight, const float *gradient,
                 float *m, float *v);

#endif
