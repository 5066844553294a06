/* One pixel of a pool and the global average, in slices of wider maps. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

static const double unit = FLT_EPSILON / 2;

/* NaN in one channel and infinities in others: none may reach another channel. */
static void poison(float *x, size_t pixels, size_t channels, size_t stride)
{
    x[random_below(pixels) * stride + random_below(channels)] = NAN;
    x[random_below(pixels) * stride + random_below(channels)] = INFINITY;
    x[random_below(pixels) * stride + random_below(channels)] = -INFINITY;
}

static float *random_pixels(size_t pixels, size_t channels, size_t stride, filling how)
{
    float *x = operand(strided_floats(pixels, channels, stride));
    fill(x, strided_floats(pixels, channels, stride), how);
    return x;
}

static void check_pixel(const pts_level *level, size_t channels, filling how, bool poisoned)
{
    const size_t rows = 1 + random_below(3), columns = 1 + random_below(3);
    const size_t width = columns + random_below(3), stride = channels + random_below(3);
    const size_t pixels = (rows - 1) * width + columns;
    float *x = random_pixels(pixels, channels, stride, how);
    float *most = operand(channels), *mean = operand(channels);
    if (poisoned)
        poison(x, pixels, channels, stride);
    const pts_pool_window w = {
        x, rows, columns, width * stride, stride, 1 / (float)(rows * columns)};
    level->max_pixel(&w, channels, most);
    level->average_pixel(&w, channels, mean);
    for (size_t c = 0; c < channels; c++) {
        double greatest = -INFINITY, sum = 0, magnitude = 0;
        for (size_t i = 0; i < rows * columns; i++) {
            double v = (double)x[(i / columns * width + i % columns) * stride + c];
            greatest = v > greatest ? v : greatest;
            sum += v;
            magnitude += fabs(v);
        }
        double share = (double)w.scale;
        if (!isnan(sum) || isinf(magnitude)) /* the maximum of NaN is not defined */
            check(isnan(magnitude) || (double)most[c] == greatest,
                  "max, %s, %zux%zu pixels, channel %zu of %zu: expected %.9g, got %.9g",
                  filling_name(how), rows, columns, c, channels, greatest, (double)most[c]);
        check(check_near(mean[c], sum * share, sum_error(10, magnitude * share)),
              "average, %s, %zux%zu pixels, channel %zu of %zu: expected %.9g, got %.9g",
              filling_name(how), rows, columns, c, channels, sum * share, (double)mean[c]);
    }
    check(operands_release(), "written before an operand");
}

/* Summed in double, so the only rounding that shows is the last one. */
static void check_global(const pts_level *level, size_t channels, filling how, bool poisoned)
{
    const size_t height = 1 + random_below(9), width = 1 + random_below(9);
    const size_t stride = channels + random_below(3), pixels = height * width;
    float *x = random_pixels(pixels, channels, stride, how), *mean = operand(channels);
    if (poisoned)
        poison(x, pixels, channels, stride);
    const pts_feature_map map = {x, height, width, channels, stride};
    level->global_average(&map, mean);
    for (size_t c = 0; c < channels; c++) {
        long double sum = 0, magnitude = 0;
        for (size_t p = 0; p < pixels; p++) {
            sum += (long double)x[p * stride + c];
            magnitude += fabsl((long double)x[p * stride + c]);
        }
        double expected = (double)(sum / (long double)pixels);
        double tolerance = unit * fabs(expected) + 1e-14 * (double)magnitude + FLT_TRUE_MIN;
        check(check_near(mean[c], expected, tolerance),
              "global average, %s, %zux%zu, channel %zu of %zu: expected %.9g, got %.9g",
              filling_name(how), height, width, c, channels, expected, (double)mean[c]);
    }
    check(operands_release(), "written before an operand");
}

void check_pools(const pts_level *level)
{
    for (size_t channels = 1; channels <= 140; channels++) {
        for (size_t how = 0; how < FILLINGS; how++) {
            check_pixel(level, channels, (filling)how, false);
            check_global(level, channels, (filling)how, false);
        }
        check_pixel(level, channels, FILL_UNIFORM, true);
        check_global(level, channels, FILL_UNIFORM, true);
    }
}

/* ---- the bench ---- */

typedef struct pool_work {
    const pts_level *level;
    pts_pool_window window;
    pts_feature_map map;
    float *out;
} pool_work;

static void work_max(void *user)
{
    pool_work *w = user;
    w->level->max_pixel(&w->window, w->map.channels, w->out);
}

static void work_average(void *user)
{
    pool_work *w = user;
    w->level->average_pixel(&w->window, w->map.channels, w->out);
}

static void work_global(void *user)
{
    pool_work *w = user;
    w->level->global_average(&w->map, w->out);
}

void bench_pools(const pts_level *level)
{
    enum { CHANNELS = 288, GLOBAL = 2048 };
    float *x = random_operand(64 * GLOBAL), *out = operand(GLOBAL);
    pool_work w = {
        level, {x, 3, 3, 35 * CHANNELS, CHANNELS, 1.0f / 9}, {x, 1, 1, CHANNELS, CHANNELS}, out};
    const double bytes = 4.0 * CHANNELS * 10;
    bench_line(level, "max of 3x3 pixels, 288 channels", bench_rate(bytes, work_max, &w), "GB/s",
               false);
    bench_line(level, "average of 3x3 pixels, 288 channels", bench_rate(bytes, work_average, &w),
               "GB/s", false);
    w.map = (pts_feature_map){x, 8, 8, GLOBAL, GLOBAL};
    bench_line(level, "global average of 8x8x2048", bench_rate(4.0 * 65 * GLOBAL, work_global, &w),
               "GB/s", false);
    operands_release();
}
