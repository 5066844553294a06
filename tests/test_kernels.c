/* Convolutions, products and pools of every CPU level against naive loops in double: every window
 * of the architectures, maps of odd sizes and smaller than a tile, slices of wider maps. The
 * results of a level with a product of its own must be the same bits on any number of threads. */
#include "check_main.h"

#include "base/cpu.h"
#include "curve/sigmoid.h"
#include "operands.h"
#include "pts/gemm.h"
#include "pts/hash.h"
#include "weights/sha256.h"

#include <math.h>
#include <string.h>

enum { THREADS = 3 };
#define MARK 123.0f /* in the gaps between slices */

static pts_team *teams[THREADS]; /* of 1, 2, 3 threads */

static void create_teams(void)
{
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pts_team_create(&teams[i], i + 1, NULL), PTS_OK);
}

static void destroy_teams(void)
{
    for (int i = 0; i < THREADS; i++)
        pts_team_destroy(teams[i]);
}

static pts_feature_map marked_map(size_t height, size_t width, size_t channels, size_t stride)
{
    size_t floats = strided_floats(height * width, channels, stride);
    pts_feature_map map = {operand(floats), height, width, channels, stride};
    for (size_t i = 0; i < floats; i++)
        map.data[i] = MARK;
    return map;
}

static pts_feature_map random_map(size_t height, size_t width, size_t channels, size_t stride)
{
    pts_feature_map map = marked_map(height, width, channels, stride);
    for (size_t i = 0; i < strided_floats(height * width, channels, stride); i++)
        map.data[i] = i % stride < channels ? random_float() : NAN;
    return map;
}

/* ---- convolutions ---- */

typedef struct conv_case {
    pts_window window;
    pts_feature_map x;
    size_t height, width, out; /* of the output */
    const float *weight, *bias;
    double *y, *magnitude; /* expected, before ReLU */
} conv_case;

static conv_case random_case(const pts_window *w, size_t height, size_t width, size_t in,
                             size_t out)
{
    conv_case k = {.window = *w, .out = out};
    k.x = random_map(height, width, in, in + 3);
    k.height = pts_window_side(height, w->height, w->stride, w->pad_y);
    k.width = pts_window_side(width, w->width, w->stride, w->pad_x);
    k.weight = random_operand(w->height * w->width * in * out);
    k.bias = random_operand(out);
    k.y = calloc(k.height * k.width * out + 1, sizeof *k.y);
    k.magnitude = calloc(k.height * k.width * out + 1, sizeof *k.magnitude);
    naive_conv(w, &k.x, k.weight, k.bias, out, k.y, k.magnitude);
    return k;
}

static void free_case(conv_case *k)
{
    free(k->y);
    free(k->magnitude);
    ck_assert(operands_release());
}

/* A sum in float, or Winograd's: there the error is proportional to the root mean square of whole
 * windows, here √K/3 for K uniform products, and its parts are twice the largest that these tests
 * met: 6.3e-6, 3.9e-5, 6.5e-5. What the transforms may lose is bounded in checkkernels. */
static double tolerance(const pts_conv *conv, double magnitude)
{
    size_t terms = conv->window.height * conv->window.width * conv->in;
    double rms = sqrt((double)terms) / 3;
    switch (conv->axis.taps) {
    case 0:
        return sum_error(terms + 1, magnitude);
    case 3:
        return 1.3e-5 * rms;
    case 5:
        return 8e-5 * rms;
    default:
        return 1.3e-4 * rms;
    }
}

static void check_values(const conv_case *k, const pts_conv *conv, const pts_feature_map *y)
{
    for (size_t i = 0; i < k->height * k->width * k->out; i++) {
        double got = (double)y->data[i / k->out * y->stride + i % k->out];
        double expected = k->y[i] > 0 ? k->y[i] : 0;
        if (fabs(got - expected) <= tolerance(conv, k->magnitude[i]))
            continue; /* an assertion that holds is a write to Check's pipe */
        ck_abort_msg("%s, %s: %zux%zu window, stride %zu, padding %zu,%zu, map %zux%zux%zu -> "
                     "%zu: pixel %zu, channel %zu: expected %.9g, got %.9g",
                     conv->level->name, pts_conv_method(conv), k->window.height, k->window.width,
                     k->window.stride, k->window.pad_y, k->window.pad_x, k->x.height, k->x.width,
                     k->x.channels, k->out, i / k->out, i % k->out, expected, got);
    }
    ck_assert(gaps_hold(y->data, k->height * k->width, k->out, y->stride, MARK));
}

static pts_feature_map run_conv(const conv_case *k, const pts_conv *conv, int threads)
{
    pts_feature_map y = marked_map(k->height, k->width, k->out, k->out + 5);
    size_t floats;
    ck_assert(pts_conv_workspace(conv, (size_t)threads, k->height, k->width, &floats));
    float *work = random_operand(floats * (size_t)threads);
    pts_conv_relu(conv, teams[threads - 1], &k->x, &y, work);
    return y;
}

static float *pack(pts_conv *conv, const float *weight)
{
    size_t floats;
    ck_assert(pts_conv_packed_floats(conv, &floats));
    float *packed = operand((floats + 15) / 16 * 16);
    pts_conv_pack(conv, weight, packed);
    return packed;
}

static void check_level(const conv_case *k, const pts_level *level)
{
    pts_conv conv;
    pts_conv_init(&conv, level, &k->window, k->x.channels, k->out);
    pack(&conv, k->weight);
    conv.bias = k->bias;
    pts_feature_map first = run_conv(k, &conv, 1);
    check_values(k, &conv, &first);
    for (int threads = 2; threads <= THREADS; threads++) {
        pts_feature_map y = run_conv(k, &conv, threads);
        check_values(k, &conv, &y);
        size_t floats = strided_floats(k->height * k->width, k->out, y.stride);
        ck_assert_msg(memcmp(y.data, first.data, floats * sizeof(float)) == 0,
                      "%s, %s: %zux%zu window, stride %zu, map %zux%zux%zu -> %zu: %d threads give "
                      "other bits than one",
                      level->name, pts_conv_method(&conv), k->window.height, k->window.width,
                      k->window.stride, k->x.height, k->x.width, k->x.channels, k->out, threads);
    }
}

static void check_conv(const pts_window *w, size_t height, size_t width, size_t in, size_t out)
{
    const pts_level *level;
    if (!pts_window_side(height, w->height, w->stride, w->pad_y) ||
        !pts_window_side(width, w->width, w->stride, w->pad_x))
        return;
    conv_case k = random_case(w, height, width, in, out);
    for (size_t i = 0; (level = pts_level_at(i)); i++)
        check_level(&k, level);
    free_case(&k);
}

static const pts_window windows[] = {
    {1, 1, 1, 0, 0}, {3, 3, 1, 1, 1}, {3, 3, 1, 0, 0}, {3, 3, 2, 0, 0}, {5, 5, 1, 2, 2},
    {1, 7, 1, 0, 3}, {7, 1, 1, 3, 0}, {1, 3, 1, 0, 1}, {3, 1, 1, 1, 0},
};

enum { WINDOWS = sizeof windows / sizeof *windows };

/* Every side from 1 to 20, each with three others. */
START_TEST(convolution_equals_the_naive_loop_on_every_side)
{
    create_teams();
    random_seed(1);
    const pts_window *w = &windows[_i];
    for (size_t side = 1; side <= 20; side++) {
        check_conv(w, side, 1 + random_below(20), 16, 16);
        check_conv(w, 1 + random_below(20), side, 16, 16);
        check_conv(w, side, side, 16, 16);
    }
    destroy_teams();
}
END_TEST

/* Multiples of one level's vector only, of none, panels that are not full, and above the number of
 * channels where an algorithm of fewer multiplications stops paying. */
START_TEST(convolution_equals_the_naive_loop_on_any_channels)
{
    static const size_t channels[][2] = {{1, 1},   {3, 32},  {5, 7},   {8, 24},  {16, 40}, {20, 16},
                                         {48, 64}, {33, 31}, {80, 48}, {272, 8}, {288, 16}};
    create_teams();
    random_seed(2);
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        check_conv(&windows[_i], 7 + random_below(6), 7 + random_below(6), channels[i][0],
                   channels[i][1]);
    destroy_teams();
}
END_TEST

/* Enough pixels for many tasks a thread. */
START_TEST(convolution_equals_the_naive_loop_on_wide_maps)
{
    create_teams();
    random_seed(3);
    check_conv(&windows[_i], 71, 35, 16, 16);
    check_conv(&windows[_i], 35, 53, 32, 16);
    destroy_teams();
}
END_TEST

/* The same by a randomised checksum (as BLIS tests its GEMM) on layers of InceptionV3: with
 * positive weights ReLU is the identity, and conv(x, w)·t must equal conv(x, w·t). */
static void check_checksum(const pts_level *level, const pts_window *w, size_t side, size_t in,
                           size_t out)
{
    size_t taps = w->height * w->width * in;
    pts_feature_map x = random_map(side, side, in, in);
    float *weight = random_operand(taps * out), *bias = operand(out), *t = random_operand(out);
    float *sum = operand(taps), none = 0;
    for (size_t i = 0; i < side * side * in; i++)
        x.data[i] = fabsf(x.data[i]);
    memset(bias, 0, out * sizeof *bias);
    for (size_t i = 0; i < taps; i++) {
        double s = 0;
        for (size_t o = 0; o < out; o++) {
            weight[i * out + o] = fabsf(weight[i * out + o]);
            s += (double)weight[i * out + o] * (double)t[o];
        }
        sum[i] = (float)s;
    }
    pts_conv conv;
    pts_conv_init(&conv, level, w, in, out);
    pack(&conv, weight);
    conv.bias = bias;
    conv_case k = {.window = *w, .x = x, .height = side, .width = side, .out = out};
    pts_feature_map y = run_conv(&k, &conv, 2);
    k.y = calloc(side * side, sizeof *k.y);
    k.magnitude = calloc(side * side, sizeof *k.magnitude);
    naive_conv(w, &x, sum, &none, 1, k.y, k.magnitude);
    for (size_t p = 0; p < side * side; p++) {
        double direct = 0, scale = 0;
        for (size_t o = 0; o < out; o++) {
            direct += (double)y.data[p * y.stride + o] * (double)t[o];
            scale += fabs((double)y.data[p * y.stride + o] * (double)t[o]);
        }
        ck_assert_msg(fabs(direct - k.y[p]) <= 1e-5 * scale,
                      "%s, %s, %zu channels, pixel %zu: expected %.9g, got %.9g of %.9g",
                      level->name, pts_conv_method(&conv), in, p, k.y[p], direct, scale);
    }
    free_case(&k);
}

START_TEST(convolution_passes_the_checksum)
{
    const pts_level *level;
    create_teams();
    random_seed(4);
    for (size_t i = 0; (level = pts_level_at(i)); i++) {
        check_checksum(level, &windows[0], 35, 288, 64);
        check_checksum(level, &windows[1], 35, 96, 96);
        check_checksum(level, &windows[4], 35, 48, 64);
        check_checksum(level, &windows[5], 17, 160, 192);
        check_checksum(level, &windows[6], 17, 160, 192);
        check_checksum(level, &windows[8], 8, 384, 384);
    }
    destroy_teams();
}
END_TEST

/* The planner's arithmetic: what does not fit is refused, not wrapped. */
START_TEST(sizes_that_do_not_fit_are_refused)
{
    const pts_level *level;
    size_t floats;
    for (size_t i = 0; (level = pts_level_at(i)); i++) {
        ck_assert(!pts_product_packed_floats(level, 3, SIZE_MAX / 2, &floats));
        ck_assert(!pts_product_packed_floats(level, 1, SIZE_MAX, &floats));
        ck_assert(!pts_product_packed_floats(level, SIZE_MAX / 4, 5, &floats));
    }
}
END_TEST

/* ---- the public product ---- */

/* c, of one element, against the loop in double. */
static void check_element(const float *a, const float *b, size_t depth, size_t columns, float bias,
                          float c)
{
    double sum = (double)bias, magnitude = fabs(sum);
    for (size_t k = 0; k < depth; k++) {
        sum += (double)a[k] * (double)b[k * columns];
        magnitude += fabs((double)a[k] * (double)b[k * columns]);
    }
    if (!(fabs(sum - (double)c) <= sum_error(depth + 1, magnitude)))
        ck_abort_msg("depth %zu, %zu columns: expected %.9g, got %.9g", depth, columns, sum,
                     (double)c);
}

static void check_gemm(size_t rows, size_t columns, size_t depth, pts_team *team)
{
    const size_t a_stride = depth + 2, c_stride = columns + 3;
    float *a = random_operand(strided_floats(rows, depth, a_stride));
    float *b = random_operand(depth * columns), *copy = operand(depth * columns);
    float *bias = team == teams[1] ? NULL : random_operand(columns);
    pts_feature_map c = marked_map(1, rows, columns, c_stride);
    pts_matrix *matrix;
    memcpy(copy, b, depth * columns * sizeof *b);
    ck_assert_int_eq(pts_matrix_pack(&matrix, copy, depth, columns, NULL), PTS_OK);
    memset(copy, 0xff, depth * columns * sizeof *copy); /* it is not needed any more */
    ck_assert_uint_eq(pts_matrix_depth(matrix), depth);
    ck_assert_uint_eq(pts_matrix_columns(matrix), columns);
    ck_assert_int_eq(pts_gemm(team, matrix, a, a_stride, rows, bias, c.data, c_stride, NULL),
                     PTS_OK);
    pts_matrix_free(matrix);
    for (size_t i = 0; i < rows * columns; i++) {
        size_t r = i / columns, j = i % columns;
        check_element(a + r * a_stride, b + j, depth, columns, bias ? bias[j] : 0,
                      c.data[r * c_stride + j]);
    }
    ck_assert(gaps_hold(c.data, rows, columns, c_stride, MARK));
    ck_assert(operands_release());
}

START_TEST(gemm_equals_the_naive_loop)
{
    const pts_level *level;
    create_teams();
    random_seed(6);
    for (size_t i = 0; (level = pts_level_at(i)); i++) {
        ck_assert_int_eq(pts_cpu_limit(level->name, NULL), PTS_OK);
        for (size_t k = 0; k < 60; k++)
            check_gemm(1 + random_below(k % 4 ? 30 : 200), 1 + random_below(90),
                       1 + random_below(k % 3 ? 90 : 600), k % 4 ? teams[k % 4 - 1] : NULL);
    }
    destroy_teams();
}
END_TEST

/* A matrix keeps the level that it was packed for. */
START_TEST(gemm_outlives_a_change_of_level)
{
    float a[3] = {1, 2, 3}, b[3 * 17], c[17];
    pts_matrix *matrix;
    for (size_t i = 0; i < 3 * 17; i++)
        b[i] = (float)i;
    ck_assert_int_eq(pts_cpu_limit(NULL, NULL), PTS_OK);
    ck_assert_int_eq(pts_matrix_pack(&matrix, b, 3, 17, NULL), PTS_OK);
    ck_assert_int_eq(pts_cpu_limit("c", NULL), PTS_OK);
    ck_assert_int_eq(pts_gemm(NULL, matrix, a, 3, 1, NULL, c, 17, NULL), PTS_OK);
    for (size_t j = 0; j < 17; j++)
        ck_assert_float_eq(c[j], b[j] + 2 * b[17 + j] + 3 * b[34 + j]);
    pts_matrix_free(matrix);
}
END_TEST

/* Kernels, the curve's sums and the hash have tables of their own; one limit holds for all. */
START_TEST(one_limit_holds_for_every_table)
{
    static const char digest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const pts_level *level;
    for (size_t i = 0; (level = pts_level_at(i)); i++) {
        char hex[PTS_SHA256_HEX];
        pts_sha256 hash;
        ck_assert_int_eq(pts_cpu_limit(level->name, NULL), PTS_OK);
        ck_assert_str_eq(pts_cpu_level(), level->name);
        ck_assert_ptr_eq(pts_level_current(), level);
        ck_assert_ptr_eq(pts_sigmoid(), pts_sigmoid_at(i));
        if (strcmp(level->name, "c") == 0)
            ck_assert(pts_sha256_current() == pts_sha256_plain);
        pts_sha256_init(&hash);
        pts_sha256_update(&hash, "abc", 3);
        pts_sha256_hex(&hash, hex);
        ck_assert_str_eq(hex, digest); /* FIPS 180-4's first example */
    }
    ck_assert_ptr_null(pts_sigmoid_at(pts_cpu_count()));
    ck_assert_int_eq(pts_cpu_limit("c", NULL), PTS_OK);
    ck_assert_str_eq(pts_level_current()->name, "c");
    ck_assert_ptr_eq(pts_sigmoid(), pts_sigmoid_at(0));
    ck_assert(pts_sha256_current() == pts_sha256_plain);
    ck_assert_int_eq(pts_cpu_limit(NULL, NULL), PTS_OK);
    ck_assert_ptr_eq(pts_level_current(), pts_level_at(pts_cpu_count() - 1));
}
END_TEST

static void refuse_pack(size_t depth, size_t columns, pts_status status, const char *message)
{
    float b = 0;
    pts_matrix *matrix = (pts_matrix *)&b;
    pts_error err;
    ck_assert_int_eq(pts_matrix_pack(&matrix, &b, depth, columns, &err), status);
    ck_assert_ptr_null(matrix);
    ck_assert_str_eq(err.message, message);
}

static void refuse_gemm(const pts_matrix *matrix, size_t a_stride, size_t rows, size_t c_stride,
                        pts_status status, const char *message)
{
    float a[2] = {0}, c[3] = {MARK, MARK, MARK};
    pts_error err;
    ck_assert_int_eq(pts_gemm(NULL, matrix, a, a_stride, rows, NULL, c, c_stride, &err), status);
    ck_assert_str_eq(err.message, message);
    ck_assert_float_eq(c[0], MARK);
}

START_TEST(gemm_refuses_what_it_cannot)
{
    const float b[6] = {0};
    const size_t large = (size_t)1 << 31;
    pts_matrix *matrix;
    refuse_pack(0, 3, PTS_ERR_ARGUMENT, "matrix: depth: expected at least 1, got 0");
    refuse_pack(2, 0, PTS_ERR_ARGUMENT, "matrix: columns: expected at least 1, got 0");
    refuse_pack(large, 3, PTS_ERR_LIMIT,
                "matrix: depth: expected at most 2147483647, got 2147483648");
    refuse_pack(2, SIZE_MAX, PTS_ERR_LIMIT,
                "matrix: columns: expected at most 2147483647, got 18446744073709551615");
    ck_assert_int_eq(pts_matrix_pack(&matrix, b, 2, 3, NULL), PTS_OK);
    refuse_gemm(matrix, 1, 1, 3, PTS_ERR_ARGUMENT,
                "product: stride of a: expected at least 2, got 1");
    refuse_gemm(matrix, 2, 1, 2, PTS_ERR_ARGUMENT,
                "product: stride of c: expected at least 3, got 2");
    refuse_gemm(matrix, 2, large, 3, PTS_ERR_LIMIT,
                "product: rows: expected at most 2147483647, got 2147483648");
    ck_assert_int_eq(pts_gemm(NULL, matrix, NULL, 2, 0, NULL, NULL, 3, NULL), PTS_OK);
    pts_matrix_free(matrix);
    pts_matrix_free(NULL);
}
END_TEST

/* ---- pools ---- */

static void check_pool(const pts_level *level, const pts_window *w, size_t height, size_t width,
                       size_t channels, int kind /* 0 max, 1 average, 2 counting the padding */)
{
    pts_feature_map x = random_map(height, width, channels, channels + 2);
    pts_feature_map y =
        marked_map(pts_window_side(height, w->height, w->stride, w->pad_y),
                   pts_window_side(width, w->width, w->stride, w->pad_x), channels, channels + 1);
    if (kind == 0)
        pts_max_pool(level, teams[2], w, &x, &y);
    else
        pts_average_pool(level, teams[2], w, kind == 2, &x, NULL, &y);
    for (size_t i = 0; i < y.height * y.width * channels; i++) {
        size_t p = i / channels, c = i % channels, count = 0;
        double most = -INFINITY, sum = 0;
        for (size_t k = 0; k < w->height * w->width; k++) {
            size_t iy = p / y.width * w->stride + k / w->width - w->pad_y;
            size_t ix = p % y.width * w->stride + k % w->width - w->pad_x;
            if (iy >= height || ix >= width)
                continue;
            double v = (double)x.data[(iy * width + ix) * x.stride + c];
            most = v > most ? v : most;
            sum += v;
            count++;
        }
        double expected = kind ? sum / (double)(kind == 2 ? w->height * w->width : count) : most;
        double error = fabs((double)y.data[p * y.stride + c] - expected);
        if (!(error <= (kind ? 3e-7 : 0)))
            ck_abort_msg("%s, kind %d, %zux%zux%zu: pixel %zu, channel %zu is wrong by %g",
                         level->name, kind, height, width, channels, p, c, error);
    }
    ck_assert(gaps_hold(y.data, y.height * y.width, channels, y.stride, MARK));
    ck_assert(operands_release());
}

START_TEST(pools_equal_the_naive_loops)
{
    static const pts_window pools[] = {
        {3, 3, 2, 0, 0}, {3, 3, 1, 1, 1}, {2, 2, 2, 0, 0}, {3, 2, 1, 1, 0}};
    const pts_level *level;
    create_teams();
    random_seed(5);
    for (size_t i = 0; (level = pts_level_at(i)); i++)
        for (size_t channels = 1; channels <= 70; channels += channels < 34 ? 1 : 7)
            for (size_t k = 0; k < 12; k++)
                check_pool(level, &pools[k / 3], 3 + random_below(9), 3 + random_below(9), channels,
                           (int)(k % 3));
    destroy_teams();
}
END_TEST

/* Closed form: the average of a constant is the constant where padding does not count, and 4/9 and
 * 6/9 of it at corners and edges where it does. */
START_TEST(average_pool_conventions)
{
    float x[5 * 6 * 2], y[5 * 6 * 2];
    for (size_t i = 0; i < 60; i++)
        x[i] = 3;
    pts_window w = {3, 3, 1, 1, 1};
    pts_feature_map mx = {x, 5, 6, 2, 2}, my = {y, 5, 6, 2, 2};
    pts_average_pool(pts_level_current(), NULL, &w, 0, &mx, NULL, &my);
    for (size_t i = 0; i < 60; i++)
        ck_assert_float_eq_tol(y[i], 3, 1e-6f);
    pts_average_pool(pts_level_current(), NULL, &w, 1, &mx, NULL, &my);
    ck_assert_float_eq_tol(y[0], 3.0f * 4 / 9, 1e-6f);
    ck_assert_float_eq_tol(y[2 * 2], 3.0f * 6 / 9, 1e-6f);
    ck_assert_float_eq_tol(y[(1 * 6 + 1) * 2], 3, 1e-6f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    TCase *each = add_tcase(suite, "each window", ""), *rest = add_tcase(suite, "rest", "");
    TCase *slow = add_tcase(suite, "slow", "slow");
    tcase_add_loop_test(slow, convolution_equals_the_naive_loop_on_every_side, 0, WINDOWS);
    tcase_add_loop_test(each, convolution_equals_the_naive_loop_on_any_channels, 0, WINDOWS);
    tcase_add_loop_test(each, convolution_equals_the_naive_loop_on_wide_maps, 0, WINDOWS);
    tcase_add_test(rest, convolution_passes_the_checksum);
    tcase_add_test(rest, sizes_that_do_not_fit_are_refused);
    tcase_add_test(rest, gemm_equals_the_naive_loop);
    tcase_add_test(rest, gemm_outlives_a_change_of_level);
    tcase_add_test(rest, one_limit_holds_for_every_table);
    tcase_add_test(rest, gemm_refuses_what_it_cannot);
    tcase_add_test(rest, pools_equal_the_naive_loops);
    tcase_add_test(rest, average_pool_conventions);
    return run_suite(suite);
}
