/* Convolution + bias + ReLU, planned once, run often.
 *
 * pts_conv_init chooses the algorithm from the window and the channels alone, never from the map's
 * size, so that weights are packed once for every size of input:
 *   - Winograd's minimal filtering where it saves multiplications: F(4×4, 3×3), F(4×4, 5×5) and
 *     F(6, 7) along one axis, all of stride 1 (winograd.h);
 *   - else a product over rows of im2col (Chellapilla et al. 2006); 1×1 needs no lowering. */
#ifndef PTS_SRC_KERNELS_CONV_H
#define PTS_SRC_KERNELS_CONV_H

#include "kernels/level.h"

#include <stdbool.h>

typedef struct pts_conv {
    const pts_level *level;
    pts_window window;
    size_t in, out; /* channels */
    pts_axis axis;  /* Winograd's; outputs == 0: none, a product */
    const float *packed;
    const float *bias; /* [out]; NULL: neither bias nor ReLU, what follows adds them */
} pts_conv;

void pts_conv_init(pts_conv *conv, const pts_level *level, const pts_window *window, size_t in,
                   size_t out);
/* "product", "winograd 4x4, 3x3" …; a string that lives as long as the process. */
const char *pts_conv_method(const pts_conv *conv);

/* Floats of the packed weights; false where that does not fit a size_t. */
bool pts_conv_packed_floats(const pts_conv *conv, size_t *floats);
/* weight [kh][kw][in][out] → packed (64-byte aligned), which the convolution then points to. */
void pts_conv_pack(pts_conv *conv, const float *weight, float *packed);

/* Floats of workspace for each of `threads` threads, for an output of height × width. */
bool pts_conv_workspace(const pts_conv *conv, size_t threads, size_t height, size_t width,
                        size_t *floats);
/* y = max(0, conv(x, weight) + bias), or without a bias, 1×1 only, conv(x, weight); y has the
 * output's size already.
 * workspace [threads][pts_conv_workspace()]. No bit depends on the number of threads. */
void pts_conv_relu(const pts_conv *conv, pts_team *team, const pts_feature_map *x,
                   const pts_feature_map *y, float *workspace);

#endif
