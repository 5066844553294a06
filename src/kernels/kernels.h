/* Kernels of the forward pass, float32, NHWC.
 *
 * A map is one image's [height][width][channels]; `stride` is the distance between two pixels in
 * floats, so a map may be a slice of the channels of a wider one: branches of an Inception block
 * write straight into their part of the concatenation. */
#ifndef PTS_SRC_KERNELS_KERNELS_H
#define PTS_SRC_KERNELS_KERNELS_H

#include "pts/base.h"

typedef struct pts_feature_map {
    float *data; /* [height][width][stride], the first `channels` of each pixel are ours */
    size_t height, width, channels, stride;
} pts_feature_map;

/* A window sliding over a map; padding is in zeros, the same on both sides. */
typedef struct pts_window {
    size_t height, width, stride, pad_y, pad_x;
} pts_window;

/* Output side for an input side; 0 where the window does not fit. */
size_t pts_window_side(size_t input, size_t window, size_t stride, size_t pad);

/* Floats of workspace for each thread of the team in pts_conv_relu. */
size_t pts_conv_workspace(const pts_window *window, size_t in_channels, size_t out_pixels);

/* y = max(0, conv(x, weight) + bias): weight [kh][kw][in][out], bias [out]; y has the output's
 * size already. Lowered to GEMM by rows of im2col (Chellapilla et al. 2006); 1×1 needs no
 * lowering. workspace [threads][pts_conv_workspace()]. */
void pts_conv_relu(pts_team *team, const pts_window *window, const pts_feature_map *x,
                   const float *weight, const float *bias, const pts_feature_map *y,
                   float *workspace);

void pts_max_pool(pts_team *team, const pts_window *window, const pts_feature_map *x,
                  const pts_feature_map *y);

/* count_padding: the divisor is always the window's area (torchvision); else only the pixels
 * inside the map count (TensorFlow, Keras). They differ at the borders only. */
void pts_average_pool(pts_team *team, const pts_window *window, int count_padding,
                      const pts_feature_map *x, const pts_feature_map *y);

/* out[channels] = mean over all pixels, summed in double. */
void pts_global_average(const pts_feature_map *x, float *out);

#endif
