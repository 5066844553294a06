/* Kernels against naive loops in double, over every window of the architectures, slices of wider
 * maps and odd sizes; the largest shapes by a randomised checksum (as BLIS tests its GEMM):
 * conv(x, w)·t must equal conv(x, w·t), which needs no second convolution of that size. */
#include "check_main.h"

#include "base/memory.h"
#include "kernels/kernels.h"

#include <math.h>

static uint64_t seed = 1;

static float next_float(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(seed >> 40) / (1 << 24) * 2 - 1);
}

static float *random_floats(size_t count)
{
    float *x = pts_calloc64(count, sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = next_float();
    return x;
}

static double naive_conv(const pts_window *w, const pts_feature_map *x, const float *weight,
                         const float *bias, size_t out_channels, size_t oy, size_t ox, size_t o)
{
    double sum = bias[o];
    for (size_t ky = 0; ky < w->height; ky++) {
        for (size_t kx = 0; kx < w->width; kx++) {
            long iy = (long)(oy * w->stride + ky) - (long)w->pad_y;
            long ix = (long)(ox * w->stride + kx) - (long)w->pad_x;
            if (iy < 0 || ix < 0 || iy >= (long)x->height || ix >= (long)x->width)
                continue;
            const float *in = x->data + ((size_t)iy * x->width + (size_t)ix) * x->stride;
            const float *k = weight + ((ky * w->width + kx) * x->channels) * out_channels + o;
            for (size_t c = 0; c < x->channels; c++)
                sum += (double)in[c] * (double)k[c * out_channels];
        }
    }
    return sum > 0 ? sum : 0;
}

static void check_conv(pts_team *team, pts_window w, size_t height, size_t width, size_t in,
                       size_t out)
{
    size_t stride_in = in + 3, stride_out = out + 5;
    pts_feature_map x = {random_floats(height * width * stride_in), height, width, in, stride_in};
    pts_feature_map y = {NULL, pts_window_side(height, w.height, w.stride, w.pad_y),
                         pts_window_side(width, w.width, w.stride, w.pad_x), out, stride_out};
    float *weight = random_floats(w.height * w.width * in * out), *bias = random_floats(out);
    y.data = random_floats(y.height * y.width * stride_out);
    float guard = y.data[out];
    size_t floats = pts_conv_workspace(&w, in, y.height * y.width);
    float *work = random_floats(floats * (size_t)pts_team_threads(team) + 1);
    pts_conv_relu(team, &w, &x, weight, bias, &y, work);
    double tolerance = 1e-6 * sqrt((double)(w.height * w.width * in)) * 4;
    for (size_t p = 0; p < y.height * y.width; p++) {
        for (size_t o = 0; o < out; o++) {
            double expected = naive_conv(&w, &x, weight, bias, out, p / y.width, p % y.width, o);
            ck_assert_msg(fabs(expected - (double)y.data[p * stride_out + o]) <= tolerance,
                          "%zux%zu window, stride %zu, %zux%zux%zu -> %zu: pixel %zu, channel %zu: "
                          "expected %.9g, got %.9g",
                          w.height, w.width, w.stride, height, width, in, out, p, o, expected,
                          (double)y.data[p * stride_out + o]);
        }
    }
    ck_assert_float_eq(y.data[out], guard); /* the neighbour slice is untouched */
    free(x.data);
    free(y.data);
    free(weight);
    free(bias);
    free(work);
}

static const pts_window windows[] = {
    {1, 1, 1, 0, 0}, {3, 3, 1, 1, 1}, {3, 3, 1, 0, 0}, {3, 3, 2, 0, 0}, {5, 5, 1, 2, 2},
    {1, 7, 1, 0, 3}, {7, 1, 1, 3, 0}, {1, 3, 1, 0, 1}, {3, 1, 1, 1, 0},
};

START_TEST(convolution_equals_the_naive_loop)
{
    static const size_t sides[][2] = {{7, 7}, {8, 13}, {17, 17}, {3, 31}, {35, 9}};
    for (int threads = 1; threads <= 3; threads++) {
        pts_team *team;
        ck_assert_int_eq(pts_team_create(&team, threads, NULL), PTS_OK);
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
            for (size_t s = 0; s < sizeof sides / sizeof *sides; s++)
                check_conv(team, windows[w], sides[s][0], sides[s][1], 1 + s * 3, 1 + w * 2);
        }
        pts_team_destroy(team);
    }
}
END_TEST

/* With positive inputs ReLU is the identity, so the output is linear in the weights. */
START_TEST(convolution_passes_the_checksum)
{
    pts_team *team;
    ck_assert_int_eq(pts_team_create(&team, 2, NULL), PTS_OK);
    const size_t side = 35, in = 96, out = 96;
    pts_window w = {3, 3, 1, 1, 1};
    float *x = random_floats(side * side * in), *weight = random_floats(9 * in * out);
    float *t = random_floats(out), *bias = pts_calloc64(out, sizeof *bias);
    float *y = random_floats(side * side * out), *sum = pts_calloc64(9 * in, sizeof *sum);
    float *z = random_floats(side * side);
    for (size_t i = 0; i < side * side * in; i++)
        x[i] = fabsf(x[i]);
    for (size_t i = 0; i < 9 * in; i++) {
        for (size_t o = 0; o < out; o++) {
            weight[i * out + o] = fabsf(weight[i * out + o]);
            sum[i] += weight[i * out + o] * fabsf(t[o]);
        }
    }
    pts_feature_map mx = {x, side, side, in, in}, my = {y, side, side, out, out};
    pts_feature_map mz = {z, side, side, 1, 1};
    float *work = random_floats(2 * pts_conv_workspace(&w, in, side * side));
    pts_conv_relu(team, &w, &mx, weight, bias, &my, work);
    pts_conv_relu(team, &w, &mx, sum, bias, &mz, work);
    for (size_t p = 0; p < side * side; p++) {
        double direct = 0;
        for (size_t o = 0; o < out; o++)
            direct += (double)y[p * out + o] * fabs((double)t[o]);
        ck_assert_double_le(fabs(direct - (double)z[p]) / direct, 1e-5);
    }
    pts_team_destroy(team);
    free(x);
    free(weight);
    free(t);
    free(bias);
    free(y);
    free(sum);
    free(z);
    free(work);
}
END_TEST

/* Closed form: the average pool of a constant is the constant where padding does not count, and
 * 4/9 and 6/9 of it at corners and edges where it does. */
START_TEST(average_pool_conventions)
{
    float x[5 * 6 * 2], y[5 * 6 * 2];
    for (size_t i = 0; i < 60; i++)
        x[i] = 3;
    pts_window w = {3, 3, 1, 1, 1};
    pts_feature_map mx = {x, 5, 6, 2, 2}, my = {y, 5, 6, 2, 2};
    pts_average_pool(NULL, &w, 0, &mx, &my);
    for (size_t i = 0; i < 60; i++)
        ck_assert_float_eq_tol(y[i], 3, 1e-6f);
    pts_average_pool(NULL, &w, 1, &mx, &my);
    ck_assert_float_eq_tol(y[0], 3.0f * 4 / 9, 1e-6f);
    ck_assert_float_eq_tol(y[2 * 2], 3.0f * 6 / 9, 1e-6f);
    ck_assert_float_eq_tol(y[(1 * 6 + 1) * 2], 3, 1e-6f);
}
END_TEST

START_TEST(max_pool_takes_the_largest)
{
    float *x = random_floats(9 * 11 * 3), y[4 * 5 * 3];
    pts_window w = {3, 3, 2, 0, 0};
    pts_feature_map mx = {x, 9, 11, 3, 3}, my = {y, 4, 5, 3, 3};
    pts_max_pool(NULL, &w, &mx, &my);
    for (size_t p = 0; p < 20; p++) {
        for (size_t c = 0; c < 3; c++) {
            float most = -2;
            for (size_t k = 0; k < 9; k++) {
                size_t iy = p / 5 * 2 + k / 3, ix = p % 5 * 2 + k % 3;
                most = fmaxf(most, x[(iy * 11 + ix) * 3 + c]);
            }
            ck_assert_float_eq(y[p * 3 + c], most);
        }
    }
    free(x);
}
END_TEST

CHECK_SUITE("kernels", convolution_equals_the_naive_loop, convolution_passes_the_checksum,
            average_pool_conventions, max_pool_takes_the_largest)
