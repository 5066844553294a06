/* Winograd's transforms over vectors of channels: see transform.h. */
#include "kernels/level_functions.h"

/* d [n] at distance `from` → t [n] at distance `to`, order 0, +p₁, −p₁, …, infinity. */
INLINE void input_axis(size_t pairs, const pts_axis *axis, const vec *d, size_t from, vec *t,
                       size_t to)
{
    vec zero = d[2 * pairs * from], infinity = d[(2 * pairs + 1) * from];
    UNROLL
    for (size_t j = 0; j < pairs; j++) {
        zero = vec_fma(vec_set(axis->zero[j]), d[2 * j * from], zero);
        infinity = vec_fma(vec_set(axis->zero[j]), d[(2 * j + 1) * from], infinity);
    }
    t[0] = zero;
    t[(2 * pairs + 1) * to] = infinity;
    UNROLL
    for (size_t k = 0; k < pairs; k++) {
        vec even = d[2 * pairs * from], odd = d[(2 * pairs - 1) * from];
        UNROLL
        for (size_t j = 0; j + 1 < pairs; j++) {
            vec e = vec_set(axis->even[k][j]);
            even = vec_fma(e, d[(2 * j + 2) * from], even);
            odd = vec_fma(e, d[(2 * j + 1) * from], odd);
        }
        vec p = vec_set(axis->point[k]);
        t[(2 * k + 1) * to] = vec_fma(p, odd, even);
        t[(2 * k + 2) * to] = even - p * odd;
    }
}

/* t [n] at distance `from` → y [outputs] at distance `to`. */
INLINE void output_axis(size_t pairs, size_t outputs, const pts_axis *axis, const vec *t,
                        size_t from, vec *y, size_t to)
{
    vec sum[PTS_PAIRS_MAX], difference[PTS_PAIRS_MAX];
    UNROLL
    for (size_t k = 0; k < pairs; k++) {
        vec plus = t[(2 * k + 1) * from], minus = t[(2 * k + 2) * from];
        sum[k] = plus + minus;
        difference[k] = plus - minus;
    }
    UNROLL
    for (size_t i = 0; i < outputs; i++) {
        const vec *term = i % 2 ? difference : sum;
        vec v = vec_set(0);
        if (i == 0)
            v = t[0];
        if (i == outputs - 1)
            v = t[(2 * pairs + 1) * from];
        UNROLL
        for (size_t k = 0; k < pairs; k++)
            v = vec_fma(vec_set(axis->power[i][k]), term[k], v);
        y[i * to] = v;
    }
}

INLINE void input_1d(size_t pairs, const pts_axis *axis, const float *const *pixels,
                     size_t channels, float *out, size_t point_stride)
{
    enum { MAX = PTS_POINTS_MAX };
    const size_t n = 2 * pairs + 2;
    for (size_t c = 0; c < channels; c += PTS_LANES) {
        vec d[MAX], t[MAX];
        UNROLL
        for (size_t i = 0; i < n; i++)
            d[i] = vec_load(pixels[i] + c);
        input_axis(pairs, axis, d, 1, t, 1);
        UNROLL
        for (size_t i = 0; i < n; i++)
            vec_store(out + i * point_stride + c, t[i]);
    }
}

/* Rows first, then columns. */
INLINE void input_2d(size_t pairs, const pts_axis *axis, const float *const *pixels,
                     size_t channels, float *out, size_t point_stride)
{
    enum { MAX = PTS_SIDE_2D_MAX };
    const size_t n = 2 * pairs + 2;
    for (size_t c = 0; c < channels; c += PTS_LANES) {
        vec half[MAX * MAX];
        for (size_t y = 0; y < n; y++) {
            vec d[MAX];
            UNROLL
            for (size_t x = 0; x < n; x++)
                d[x] = vec_load(pixels[y * n + x] + c);
            input_axis(pairs, axis, d, 1, half + y * n, 1);
        }
        for (size_t x = 0; x < n; x++) {
            vec t[MAX];
            input_axis(pairs, axis, half + x, n, t, 1);
            UNROLL
            for (size_t y = 0; y < n; y++)
                vec_store(out + (y * n + x) * point_stride + c, t[y]);
        }
    }
}

INLINE void put(float *pixel, size_t c, vec v, vec bias)
{
    if (pixel)
        vec_store(pixel + c, vec_max(v + bias, vec_set(0)));
}

INLINE void output_1d(size_t pairs, size_t outputs, const pts_axis *axis, const float *in,
                      size_t point_stride, size_t channels, const float *bias, float *const *pixels)
{
    const size_t n = 2 * pairs + 2;
    for (size_t c = 0; c < channels; c += PTS_LANES) {
        vec t[PTS_POINTS_MAX], y[PTS_OUTPUTS_MAX], b = vec_load(bias + c);
        UNROLL
        for (size_t i = 0; i < n; i++)
            t[i] = vec_load(in + i * point_stride + c);
        output_axis(pairs, outputs, axis, t, 1, y, 1);
        UNROLL
        for (size_t i = 0; i < outputs; i++)
            put(pixels[i], c, y[i], b);
    }
}

INLINE void output_2d(size_t pairs, size_t outputs, const pts_axis *axis, const float *in,
                      size_t point_stride, size_t channels, const float *bias, float *const *pixels)
{
    enum { MAX = PTS_SIDE_2D_MAX };
    const size_t n = 2 * pairs + 2;
    for (size_t c = 0; c < channels; c += PTS_LANES) {
        vec half[PTS_OUTPUTS_MAX * MAX], b = vec_load(bias + c);
        for (size_t x = 0; x < n; x++) {
            vec t[MAX];
            UNROLL
            for (size_t y = 0; y < n; y++)
                t[y] = vec_load(in + (y * n + x) * point_stride + c);
            output_axis(pairs, outputs, axis, t, 1, half + x, n);
        }
        for (size_t i = 0; i < outputs; i++) {
            vec y[PTS_OUTPUTS_MAX];
            output_axis(pairs, outputs, axis, half + i * n, 1, y, 1);
            UNROLL
            for (size_t j = 0; j < outputs; j++)
                put(pixels[i * outputs + j], c, y[j], b);
        }
    }
}

/* taps at distance `from` → points at distance `to`, PTS_FILTERS of each. */
INLINE void filter_axis(const pts_axis *axis, const double *g, size_t from, double *u, size_t to)
{
    for (size_t p = 0; p < 2 * axis->pairs + 2; p++) {
        double sum[PTS_FILTERS] = {0};
        for (size_t i = 0; i < axis->taps; i++)
            for (size_t c = 0; c < PTS_FILTERS; c++)
                sum[c] += axis->filter[p][i] * g[i * from * PTS_FILTERS + c];
        memcpy(u + p * to * PTS_FILTERS, sum, sizeof sum);
    }
}

void LEVEL(transform_filter)(const pts_axis *axis, bool two_d, const double *taps, double *points)
{
    const size_t n = 2 * axis->pairs + 2;
    double half[PTS_SIDE_2D_MAX * PTS_SIDE_2D_MAX * PTS_FILTERS]; /* [taps][n] */
    if (!two_d) {
        filter_axis(axis, taps, 1, points, 1);
        return;
    }
    for (size_t y = 0; y < axis->taps; y++)
        filter_axis(axis, taps + y * axis->taps * PTS_FILTERS, 1, half + y * n * PTS_FILTERS, 1);
    for (size_t x = 0; x < n; x++)
        filter_axis(axis, half + x * PTS_FILTERS, n, points + x * PTS_FILTERS, n);
}

void LEVEL(transform_input)(const pts_axis *axis, bool two_d, const float *const *pixels,
                            size_t channels, float *out, size_t point_stride)
{
    if (two_d && axis->pairs == 2)
        input_2d(2, axis, pixels, channels, out, point_stride);
    else if (two_d)
        input_2d(3, axis, pixels, channels, out, point_stride);
    else
        input_1d(5, axis, pixels, channels, out, point_stride);
}

void LEVEL(transform_output)(const pts_axis *axis, bool two_d, const float *in, size_t point_stride,
                             size_t channels, const float *bias, float *const *pixels)
{
    if (two_d && axis->pairs == 2)
        output_2d(2, 4, axis, in, point_stride, channels, bias, pixels);
    else if (two_d)
        output_2d(3, 4, axis, in, point_stride, channels, bias, pixels);
    else
        output_1d(5, 6, axis, in, point_stride, channels, bias, pixels);
}
