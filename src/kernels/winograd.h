/* Convolution by Winograd's minimal filtering: transform tiles of the input, one product for each
 * point of the transform, transform back. The group of tiles that a task holds stays in the
 * second-level cache from its first load to its last store. */
#ifndef PTS_SRC_KERNELS_WINOGRAD_H
#define PTS_SRC_KERNELS_WINOGRAD_H

#include "kernels/conv.h"

#include <stdbool.h>

/* Fills conv->axis where there is such an algorithm for the window and channels, and it pays. */
void pts_winograd_choose(pts_conv *conv);

/* As their namesakes in conv.h, for a convolution with an axis. */
bool pts_winograd_packed_floats(const pts_conv *conv, size_t *floats);
void pts_winograd_pack(pts_conv *conv, const float *weight, float *packed);
bool pts_winograd_workspace(const pts_conv *conv, size_t threads, size_t height, size_t width,
                            size_t *floats);
void pts_winograd_relu(const pts_conv *conv, pts_team *team, const pts_feature_map *x,
                       const pts_feature_map *y, float *workspace);

#endif
