/* Pooling over maps. */
#ifndef PTS_SRC_KERNELS_POOL_H
#define PTS_SRC_KERNELS_POOL_H

#include "kernels/feature_map.h"
#include "pts/base.h"

#include <stdbool.h>

/* The part of a window that lies inside the map. */
typedef struct pts_pool_window {
    const float *first; /* [rows][columns] pixels, at these distances in floats */
    size_t rows, columns, row_stride, pixel_stride;
    float scale;       /* what an average is multiplied with */
    const float *bias; /* [channels]: then max(0, average + bias); NULL: the average alone */
} pts_pool_window;
typedef void (*pts_pool_pixel_fn)(const pts_pool_window *window, size_t channels,
                                  float *out /* [channels] */);
typedef void (*pts_global_average_fn)(const pts_feature_map *x, float *out /* [channels] */);

struct pts_level;
void pts_max_pool(const struct pts_level *level, pts_team *team, const pts_window *window,
                  const pts_feature_map *x, const pts_feature_map *y);

/* With a bias [channels], y = max(0, average + bias): what is left of a 1×1 convolution behind a
 * pool when the product, which is linear too, went before it. NULL: the average alone.
 * count_padding: the divisor is always the window's area (torchvision); else only the pixels
 * inside the map count (TensorFlow, Keras). They differ at the borders only. */
void pts_average_pool(const struct pts_level *level, pts_team *team, const pts_window *window,
                      bool count_padding, const pts_feature_map *x, const float *bias,
                      const pts_feature_map *y);

#endif
