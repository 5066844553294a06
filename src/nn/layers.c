#include "nn/layers.h"

#include "kernels/level.h"

#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* c[m][n] = op(a)·op(b) + beta·c, dense row-major. */
static void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k,
                 const float *a, const float *b, float beta, float *c)
{
    int lda = (int)(ta == CblasNoTrans ? k : m), ldb = (int)(tb == CblasNoTrans ? n : k);
    cblas_sgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, 1, a, lda, b, ldb, beta, c, (int)n);
}

/* The bias lies where the product adds on: one pass over y less. */
static void fill_rows(const float *bias /* [out] */, size_t rows, size_t out, float *y)
{
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * out, bias, out * sizeof *y);
}

static void add_column_sums(const float *dy /* [rows][out] */, size_t rows, size_t out, float *sums)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < out; c++)
            sums[c] += dy[r * out + c];
}

/* ---- convolution ---- */

/* Pixels a chunk of im2col holds: with 9·channels floats each the chunk stays in the second-level
 * cache, so that the GEMM reads what the copy has just written. */
static size_t chunk_pixels(size_t channels)
{
    size_t fit = 512 * 1024 / (9 * channels * sizeof(float));
    return fit > 256 ? 256 : fit < 32 ? 32 : fit;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t pts_conv2d_workspace(const pts_conv2d *s)
{
    if (s->kernel == 1)
        return 0;
    size_t columns = larger(chunk_pixels(s->in_channels) * s->in_channels,
                            chunk_pixels(s->out_channels) * s->out_channels);
    return 9 * columns + 9 * s->in_channels * s->out_channels;
}

/* One kernel row of one pixel: three neighbours, `dilation` apart, zero outside the map. */
static void copy_neighbours(const float *row /* [width][c] */, size_t width, size_t c, size_t x,
                            size_t dilation, float *out /* [3][c] */)
{
    size_t bytes = c * sizeof *out;
    if (dilation == 1 && x > 0 && x + 1 < width) {
        memcpy(out, row + (x - 1) * c, 3 * bytes);
        return;
    }
    if (x >= dilation)
        memcpy(out, row + (x - dilation) * c, bytes);
    else
        memset(out, 0, bytes);
    memcpy(out + c, row + x * c, bytes);
    if (dilation < width - x)
        memcpy(out + 2 * c, row + (x + dilation) * c, bytes);
    else
        memset(out + 2 * c, 0, bytes);
}

/* Pixels [first, first + count) of map x [h][w][c] → columns [count][3][3][c]. */
static void im2col(const pts_conv2d *s, size_t c, const float *x, size_t first, size_t count,
                   float *columns)
{
    for (size_t p = first; p < first + count; p++) {
        size_t py = p / s->width, px = p % s->width;
        for (size_t i = 0; i < 3; i++, columns += 3 * c) {
            size_t row = py + i * s->dilation; /* one dilation too far down, so never negative */
            if (row < s->dilation || row - s->dilation >= s->height) {
                memset(columns, 0, 3 * c * sizeof *columns);
                continue;
            }
            const float *line = x + (row - s->dilation) * s->width * c;
            copy_neighbours(line, s->width, c, px, s->dilation, columns);
        }
    }
}

/* y[h][w][out] += 3×3 convolution of x[h][w][in] with weight[3][3][in][out]. */
static void convolve(const pts_conv2d *s, size_t in, size_t out, const float *x,
                     const float *weight, float beta, float *y, float *columns)
{
    size_t pixels = s->height * s->width, chunk = chunk_pixels(in);
    for (size_t p = 0; p < pixels; p += chunk) {
        size_t count = pixels - p < chunk ? pixels - p : chunk;
        im2col(s, in, x, p, count, columns);
        gemm(CblasNoTrans, CblasNoTrans, count, out, 9 * in, columns, weight, beta, y + p * out);
    }
}

void pts_conv2d_forward(const pts_conv2d *s, const float *x, const float *weight, const float *bias,
                        float *y, float *workspace)
{
    size_t in = s->in_channels, out = s->out_channels, pixels = s->height * s->width;
    fill_rows(bias, pixels, out, y);
    if (s->kernel == 1)
        gemm(CblasNoTrans, CblasNoTrans, pixels, out, in, x, weight, 1, y);
    else
        convolve(s, in, out, x, weight, 1, y, workspace);
}

/* weight[3][3][in][out] → flipped[3][3][out][in]: position (i, j) becomes (2−i, 2−j). */
static void flip_weight(const float *weight, size_t in, size_t out, float *flipped)
{
    for (size_t t = 0; t < 9; t++) {
        const float *from = weight + (8 - t) * in * out;
        float *to = flipped + t * in * out;
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++)
                to[o * in + i] = from[i * out + o];
    }
}

/* im2col once more: nine times the map is too much to keep from the forward pass. */
static void weight_gradient(const pts_conv2d *s, const float *x, const float *dy, float *dweight,
                            float *columns)
{
    size_t in = s->in_channels, out = s->out_channels;
    size_t pixels = s->height * s->width, chunk = chunk_pixels(in);
    for (size_t p = 0; p < pixels; p += chunk) {
        size_t count = pixels - p < chunk ? pixels - p : chunk;
        im2col(s, in, x, p, count, columns);
        gemm(CblasTrans, CblasNoTrans, 9 * in, out, count, columns, dy + p * out, 1, dweight);
    }
}

void pts_conv2d_backward(const pts_conv2d *s, const float *x, const float *weight, const float *dy,
                         float *dx, float *dweight, float *dbias, float *workspace)
{
    size_t in = s->in_channels, out = s->out_channels, pixels = s->height * s->width;
    if (s->kernel == 1) {
        pts_linear_backward(x, weight, dy, pixels, in, out, dx, dweight, dbias);
        return;
    }
    add_column_sums(dy, pixels, out, dbias);
    weight_gradient(s, x, dy, dweight, workspace);
    if (!dx)
        return;
    /* The gradient of a convolution is the convolution of dy with the flipped kernel: copies by
     * im2col, where col2im would have to add nine times into every pixel. */
    float *flipped = workspace, *columns = workspace + 9 * in * out;
    flip_weight(weight, in, out, flipped);
    convolve(s, out, in, dy, flipped, 0, dx, columns);
}

/* ---- activations ---- */

void pts_relu_forward(float *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = y[i] < 0 ? 0 : y[i]; /* a NaN stays one, and is seen in the loss */
}

void pts_relu_backward(const float *y, float *dy, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dy[i] = y[i] > 0 ? dy[i] : 0;
}

void pts_gelu_forward(const float *x, size_t count, float *y)
{
    memcpy(y, x, count * sizeof *y);
    pts_level_current()->gelu(y, count);
}

/* (x·Φ(x))' = Φ(x) + x·φ(x), and Φ(x) = y / x: the error function need not be taken again. */
void pts_gelu_backward(const float *x, const float *y, float *dy, size_t count)
{
    const float density = 0.3989422804f; /* 1 / √(2π) */
    for (size_t i = 0; i < count; i++) {
        float below = fabsf(x[i]) < 1e-30f ? 0.5f : y[i] / x[i];
        dy[i] *= below + x[i] * density * expf(-0.5f * x[i] * x[i]);
    }
}

void pts_tanh_forward(const float *x, size_t count, float *y)
{
    for (size_t i = 0; i < count; i++)
        y[i] = tanhf(x[i]);
}

void pts_tanh_backward(const float *y, float *dy, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dy[i] *= (1 - y[i]) * (1 + y[i]);
}

/* ---- layer norm ---- */

void pts_layer_norm_forward(const pts_layer_norm *s, const float *x, const float *gain,
                            const float *shift, float *y, float *moments)
{
    for (size_t r = 0; r < s->rows; r++, x += s->width, y += s->width, moments += 2) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < s->width; i++)
            sum += (double)x[i];
        const double mean = sum / (double)s->width;
        for (size_t i = 0; i < s->width; i++)
            square += ((double)x[i] - mean) * ((double)x[i] - mean);
        moments[0] = (float)mean;
        moments[1] = (float)(1 / sqrt(square / (double)s->width + (double)s->epsilon));
        for (size_t i = 0; i < s->width; i++)
            y[i] = (x[i] - moments[0]) * moments[1] * gain[i] + shift[i];
    }
}

/* With z the normalised row and g = gain·dy: dx = (g − mean(g) − z·mean(g·z)) / deviation. */
void pts_layer_norm_backward(const pts_layer_norm *s, const float *x, const float *gain,
                             const float *moments, const float *dy, float *dx)
{
    for (size_t r = 0; r < s->rows; r++, moments += 2) {
        double sum = 0, product = 0;
        for (size_t i = 0; i < s->width; i++) {
            double g = (double)gain[i] * (double)dy[i];
            sum += g;
            product += g * (double)((x[i] - moments[0]) * moments[1]);
        }
        const float mean = (float)(sum / (double)s->width);
        const float along = (float)(product / (double)s->width);
        for (size_t i = 0; i < s->width; i++) {
            float z = (x[i] - moments[0]) * moments[1];
            dx[i] = (gain[i] * dy[i] - mean - z * along) * moments[1];
        }
        x += s->width, dy += s->width, dx += s->width;
    }
}

void pts_layer_norm_gradient(const pts_layer_norm *s, const float *x, const float *moments,
                             const float *dy, size_t first, size_t count, float *dgain,
                             float *dshift)
{
    x += first, dy += first;
    for (size_t r = 0; r < s->rows; r++, x += s->width, dy += s->width, moments += 2)
        for (size_t i = 0; i < count; i++) {
            dgain[i] += dy[i] * (x[i] - moments[0]) * moments[1];
            dshift[i] += dy[i];
        }
}

/* ---- resizing ---- */

/* Output position `o` of the doubled axis lies 3/4 on `near` and 1/4 on `far`. */
static void upsample_taps(size_t o, size_t size, size_t *near, size_t *far)
{
    *near = o / 2;
    if (o % 2)
        *far = *near + 1 < size ? *near + 1 : *near;
    else
        *far = *near > 0 ? *near - 1 : *near;
}

void pts_upsample2_forward(const float *x, size_t height, size_t width, size_t channels, float *y)
{
    for (size_t oy = 0; oy < 2 * height; oy++) {
        size_t ny, fy, nx, fx;
        upsample_taps(oy, height, &ny, &fy);
        for (size_t ox = 0; ox < 2 * width; ox++, y += channels) {
            upsample_taps(ox, width, &nx, &fx);
            const float *nn = x + (ny * width + nx) * channels;
            const float *nf = x + (ny * width + fx) * channels;
            const float *fn = x + (fy * width + nx) * channels;
            const float *ff = x + (fy * width + fx) * channels;
            for (size_t c = 0; c < channels; c++)
                y[c] = 0.5625f * nn[c] + 0.1875f * (nf[c] + fn[c]) + 0.0625f * ff[c];
        }
    }
}

void pts_upsample2_backward(const float *dy, size_t height, size_t width, size_t channels,
                            float *dx)
{
    memset(dx, 0, height * width * channels * sizeof *dx);
    for (size_t oy = 0; oy < 2 * height; oy++) {
        size_t ny, fy, nx, fx;
        upsample_taps(oy, height, &ny, &fy);
        for (size_t ox = 0; ox < 2 * width; ox++, dy += channels) {
            upsample_taps(ox, width, &nx, &fx);
            const size_t at[4] = {ny * width + nx, ny * width + fx, fy * width + nx,
                                  fy * width + fx};
            const float share[4] = {0.5625f, 0.1875f, 0.1875f, 0.0625f};
            for (size_t t = 0; t < 4; t++) { /* taps coincide at the borders: one at a time */
                float *to = dx + at[t] * channels;
                for (size_t c = 0; c < channels; c++)
                    to[c] += share[t] * dy[c];
            }
        }
    }
}

/* ---- fully connected ---- */

void pts_linear_forward(const float *x, const float *weight, const float *bias, size_t rows,
                        size_t in, size_t out, float *y)
{
    fill_rows(bias, rows, out, y);
    gemm(CblasNoTrans, CblasNoTrans, rows, out, in, x, weight, 1, y);
}

void pts_linear_backward(const float *x, const float *weight, const float *dy, size_t rows,
                         size_t in, size_t out, float *dx, float *dweight, float *dbias)
{
    add_column_sums(dy, rows, out, dbias);
    gemm(CblasTrans, CblasNoTrans, in, out, rows, x, dy, 1, dweight);
    if (dx)
        gemm(CblasNoTrans, CblasTrans, rows, in, out, dy, weight, 0, dx);
}

/* ---- optimiser and random numbers ---- */

pts_adam_constants pts_adam_at(const pts_adam *adam, size_t step)
{
    double correct1 = 1 - pow(adam->beta1, (double)step);
    double correct2 = 1 - pow(adam->beta2, (double)step);
    return (pts_adam_constants){.beta1 = adam->beta1,
                                .beta2 = adam->beta2,
                                .epsilon = adam->epsilon,
                                .rate = (float)(adam->rate / correct1),
                                .root = (float)(1 / sqrt(correct2)),
                                .keep = 1 - adam->rate * adam->weight_decay};
}

void pts_adam_step(const pts_adam *adam, size_t step, size_t count, float *weight,
                   const float *gradient, float *m, float *v)
{
    const pts_adam_constants constants = pts_adam_at(adam, step);
    pts_level_at(0)->adam(&constants, count, weight, gradient, m, v);
}

void pts_dropout(unsigned long long key, size_t first, size_t count, float share, float *x)
{
    const float scale = 1 / (1 - share);
    pts_rng rng = pts_rng_skip(key, first);
    for (size_t i = 0; i < count; i++)
        x[i] = pts_rng_uniform(&rng) < (double)share ? 0 : x[i] * scale;
}

void pts_he_init(pts_rng *rng, float *weight, size_t count, size_t fan_in)
{
    double scale = sqrt(2.0 / (double)fan_in);
    for (size_t i = 0; i < count; i++)
        weight[i] = (float)(scale * pts_rng_normal(rng));
}
