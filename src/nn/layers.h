/* Layers by hand, in forward/backward pairs. Maps are [height][width][channels]; backward
 * functions ACCUMULATE into parameter gradients (dw, db) and WRITE input gradients (dx).
 * Single-threaded: the caller runs items of a batch on a team, each with a workspace of its own,
 * while BLAS is held to one thread (pts_team_create sees to it). Sizes are products that the
 * caller has checked; each dimension fits an int. Nothing here allocates or fails.
 *
 * The pairs follow llm.c (Karpathy 2024); convolution as im2col and GEMM is Chellapilla et al.
 * 2006, "High Performance Convolutional Neural Networks for Document Processing". */
#ifndef PTS_SRC_NN_LAYERS_H
#define PTS_SRC_NN_LAYERS_H

#include "base/random.h"
#include "kernels/adam.h"

#include <stddef.h>

/* Convolution, stride 1, zero padding that keeps the size; kernel 1 or 3, dilation ≥ 1. */
typedef struct pts_conv2d {
    size_t height, width, in_channels, out_channels, kernel, dilation;
} pts_conv2d;

/* Floats of workspace that forward and backward of this shape need; 0 for kernel 1. */
size_t pts_conv2d_workspace(const pts_conv2d *shape);
/* y[h][w][out] = sum x[h+i][w+j][in] · weight[i][j][in][out] + bias[out] */
void pts_conv2d_forward(const pts_conv2d *shape, const float *x, const float *weight,
                        const float *bias, float *y, float *workspace);
/* x is forward's input. dx may be NULL (first layer). */
void pts_conv2d_backward(const pts_conv2d *shape, const float *x, const float *weight,
                         const float *dy, float *dx, float *dweight, float *dbias,
                         float *workspace);

/* In place; backward masks dy by the activation's output y. */
void pts_relu_forward(float *y, size_t count);
void pts_relu_backward(const float *y, float *dy, size_t count);

/* y = x·Φ(x), for finite x; backward multiplies dy by the derivative at x, from both x and y. */
void pts_gelu_forward(const float *x, size_t count, float *y);
void pts_gelu_backward(const float *x, const float *y, float *dy, size_t count);

/* Backward multiplies dy by the derivative, from the output y. */
void pts_tanh_forward(const float *x, size_t count, float *y);
void pts_tanh_backward(const float *y, float *dy, size_t count);

/* In place, on elements [first, first + count) of an array of which `share` is set to 0 and the
 * rest divided by 1 − share. Element i is dropped where draw i of the generator whose state is
 * `key` lies below the share, so parts may be done in any order, and backward is the same call. */
void pts_dropout(unsigned long long key, size_t first, size_t count, float share, float *x);

/* y[r] = (x[r] − mean) / √(variance + epsilon) · gain + shift, of each row [width] its own mean and
 * variance. Backward writes dx; gradient accumulates those of gain and shift. */
typedef struct pts_layer_norm {
    size_t rows, width;
    float epsilon;
} pts_layer_norm;
/* moments [rows][2]: mean and 1 / √(variance + epsilon), for the other two. */
void pts_layer_norm_forward(const pts_layer_norm *shape, const float *x, const float *gain,
                            const float *shift, float *y, float *moments);
void pts_layer_norm_backward(const pts_layer_norm *shape, const float *x, const float *gain,
                             const float *moments, const float *dy, float *dx);
/* Of columns [first, first + count) only: dgain, dshift [count]. */
void pts_layer_norm_gradient(const pts_layer_norm *shape, const float *x, const float *moments,
                             const float *dy, size_t first, size_t count, float *dgain,
                             float *dshift);

/* Bilinear ×2 with half-pixel centres (torch's align_corners=False): x[h][w][c] → y[2h][2w][c];
 * backward writes dx. */
void pts_upsample2_forward(const float *x, size_t height, size_t width, size_t channels, float *y);
void pts_upsample2_backward(const float *dy, size_t height, size_t width, size_t channels,
                            float *dx);

/* Fully connected on rows: y[n][out] = x[n][in] · weight[in][out] + bias[out]; dx may be NULL. */
void pts_linear_forward(const float *x, const float *weight, const float *bias, size_t rows,
                        size_t in, size_t out, float *y);
void pts_linear_backward(const float *x, const float *weight, const float *dy, size_t rows,
                         size_t in, size_t out, float *dx, float *dweight, float *dbias);

/* Adam (Kingma & Ba 2015) with decoupled weight decay (AdamW, Loshchilov & Hutter 2019; 0: Adam),
 * as torch.optim has it. m and v [count] start at zero; step counts from 1. */
typedef struct pts_adam {
    float rate, beta1, beta2, epsilon, weight_decay;
} pts_adam;
pts_adam_constants pts_adam_at(const pts_adam *adam, size_t step);
/* At level "c" whatever the processor: what the segmenter learns, and so the curves that are
 * measured with it, keeps its bits. */
void pts_adam_step(const pts_adam *adam, size_t step, size_t count, float *weight,
                   const float *gradient, float *m, float *v);

/* He initialisation (fan_in) for layers before a ReLU. */
void pts_he_init(pts_rng *rng, float *weight, size_t count, size_t fan_in);

#endif
