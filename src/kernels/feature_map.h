/* What the forward pass works on, float32, NHWC.
 *
 * A map is one image's [height][width][channels]; `stride` is the distance between two pixels in
 * floats, so a map may be a slice of the channels of a wider one: branches of an Inception block
 * write straight into their part of the concatenation. */
#ifndef PTS_SRC_KERNELS_FEATURE_MAP_H
#define PTS_SRC_KERNELS_FEATURE_MAP_H

#include <stddef.h>

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

#endif
