/* Winograd's transforms against matrices that are built here another way: from Lagrange's
 * polynomials over the whole list of points (Toom-Cook), where transform.c works by pairs. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    POINTS = PTS_POINTS_MAX,
    SQUARE = PTS_SIDE_2D_MAX * PTS_SIDE_2D_MAX,
    CHANNELS = 48,
    STRIDE = CHANNELS + 7
};
#define MARK 55.0f

/* F(m, r) by its textbook: y = Aᵀ[(G g) ⊙ (Bᵀ d)]. */
typedef struct scheme {
    const char *name;
    pts_axis axis;
    bool two_d;
    size_t n, m, r;
    double bt[POINTS][POINTS], g[POINTS][POINTS], at[POINTS][POINTS];
} scheme;

/* Coefficients of Π (x − point[j]) over j ≠ except, ascending. */
static void lagrange(const double *point, size_t count, size_t except, double *coefficient)
{
    size_t degree = 0;
    coefficient[0] = 1;
    for (size_t j = 0; j < count; j++) {
        if (j == except)
            continue;
        coefficient[++degree] = 0;
        for (size_t i = degree + 1; i-- > 0;)
            coefficient[i] = (i ? coefficient[i - 1] : 0) - point[j] * coefficient[i];
    }
}

static void build_matrices(scheme *s)
{
    double point[POINTS] = {0}; /* the finite ones: 0, p₁, −p₁, … */
    const size_t last = s->n - 1;
    for (size_t k = 0; k < s->axis.pairs; k++) {
        point[2 * k + 1] = (double)s->axis.point[k];
        point[2 * k + 2] = -(double)s->axis.point[k];
    }
    memset(s->bt, 0, sizeof s->bt);
    for (size_t i = 0; i < last; i++) {
        double distances = 1;
        lagrange(point, last, i, s->bt[i]);
        for (size_t j = 0; j < last; j++)
            distances *= j == i ? 1 : point[i] - point[j];
        for (size_t k = 0; k < s->r; k++)
            s->g[i][k] = pow(point[i], (double)k) / distances;
        for (size_t k = 0; k < s->m; k++)
            s->at[k][i] = pow(point[i], (double)k);
    }
    lagrange(point, last, last, s->bt[last]);
    for (size_t k = 0; k < s->r; k++)
        s->g[last][k] = k == s->r - 1;
    for (size_t k = 0; k < s->m; k++)
        s->at[k][last] = k == s->m - 1;
}

/* The schemes that the convolutions use. */
static size_t find_schemes(const pts_level *level, scheme *schemes)
{
    static const pts_window windows[] = {
        {3, 3, 1, 1, 1}, {5, 5, 1, 2, 2}, {1, 7, 1, 0, 3}, {7, 1, 1, 3, 0}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        pts_conv conv;
        scheme *s = &schemes[count];
        pts_conv_init(&conv, level, &windows[i], CHANNELS, CHANNELS);
        if (!conv.axis.outputs)
            continue;
        *s = (scheme){.name = pts_conv_method(&conv), .axis = conv.axis};
        s->two_d = windows[i].height > 1 && windows[i].width > 1;
        s->m = conv.axis.outputs;
        s->r = conv.axis.taps;
        s->n = s->m + s->r - 1;
        build_matrices(s);
        count++;
    }
    return count;
}

typedef double matrix_row[POINTS];

/* out = M·in, or M·in·Mᵀ; M [rows][columns], `in` a vector or a square. Magnitudes: of |M|·|in|. */
static void apply(const matrix_row *matrix, size_t rows, size_t columns, bool two_d, bool magnitude,
                  const double *in, double *out)
{
    double half[POINTS][POINTS] = {{0}};
    const size_t lines = two_d ? columns : 1, out_lines = two_d ? rows : 1;
    for (size_t y = 0; y < lines; y++)
        for (size_t i = 0; i < rows; i++)
            for (size_t k = 0; k < columns; k++) {
                double term = matrix[i][k] * in[y * columns + k];
                half[y][i] += magnitude ? fabs(term) : term;
            }
    for (size_t y = 0; y < out_lines; y++)
        for (size_t i = 0; i < rows; i++) {
            double sum = two_d ? 0 : half[0][i];
            for (size_t k = 0; two_d && k < columns; k++) {
                double term = matrix[y][k] * half[k][i];
                sum += magnitude ? fabs(term) : term;
            }
            out[y * rows + i] = sum;
        }
}

static size_t points_of(const scheme *s)
{
    return s->two_d ? s->n * s->n : s->n;
}

static size_t outputs_of(const scheme *s)
{
    return s->two_d ? s->m * s->m : s->m;
}

/* Integers must come out exactly: the points are dyadic, so nothing is rounded. */
static double transform_error(filling how, const scheme *s, double magnitude)
{
    return how == FILL_INTEGERS ? 0 : sum_error(points_of(s) + s->n, magnitude);
}

static float *marked(size_t floats)
{
    float *x = operand(floats);
    for (size_t i = 0; i < floats; i++)
        x[i] = MARK;
    return x;
}

static size_t random_channels(const pts_level *level)
{
    return level->lanes * (1 + random_below(CHANNELS / level->lanes));
}

static void check_input(const pts_level *level, const scheme *s, filling how)
{
    const size_t points = points_of(s), channels = random_channels(level);
    float *d = operand(strided_floats(points, channels, STRIDE));
    float *out = marked(strided_floats(points, channels, STRIDE));
    const float *pixels[SQUARE];
    fill(d, strided_floats(points, channels, STRIDE), how);
    for (size_t i = 0; i < points; i++) /* in any order */
        pixels[i] = d + (i * 5 + 3) % points * STRIDE;
    if (points % 5 == 0)
        for (size_t i = 0; i < points; i++)
            pixels[i] = d + (points - 1 - i) * STRIDE;
    level->transform_input(&s->axis, s->two_d, pixels, channels, out, STRIDE);
    for (size_t c = 0; c < channels; c++) {
        double in[SQUARE], expected[SQUARE], magnitude[SQUARE];
        for (size_t i = 0; i < points; i++)
            in[i] = (double)pixels[i][c];
        apply(s->bt, s->n, s->n, s->two_d, false, in, expected);
        apply(s->bt, s->n, s->n, s->two_d, true, in, magnitude);
        for (size_t i = 0; i < points; i++)
            check(
                check_near(out[i * STRIDE + c], expected[i], transform_error(how, s, magnitude[i])),
                "%s, input, %s, channel %zu of %zu, point %zu: expected %.9g, got %.9g", s->name,
                filling_name(how), c, channels, i, expected[i], (double)out[i * STRIDE + c]);
    }
    check(gaps_hold(out, points, channels, STRIDE, MARK), "%s, input: written between points",
          s->name);
    check(operands_release(), "written before an operand");
}

/* Every third output pixel is NULL: outside the map. */
static void check_output(const pts_level *level, const scheme *s, filling how)
{
    const size_t points = points_of(s), outputs = outputs_of(s), channels = random_channels(level);
    float *t = operand(strided_floats(points, channels, STRIDE)), *bias = operand(channels);
    float *y = marked(strided_floats(outputs, channels, STRIDE)), *pixels[SQUARE];
    const size_t absent = random_below(4);
    fill(t, strided_floats(points, channels, STRIDE), how);
    fill(bias, channels, how);
    for (size_t i = 0; i < outputs; i++)
        pixels[i] = i % 3 == absent ? NULL : y + i * STRIDE;
    level->transform_output(&s->axis, s->two_d, t, STRIDE, channels, bias, pixels);
    for (size_t c = 0; c < channels; c++) {
        double in[SQUARE], expected[SQUARE], magnitude[SQUARE];
        for (size_t i = 0; i < points; i++)
            in[i] = (double)t[i * STRIDE + c];
        apply(s->at, s->m, s->n, s->two_d, false, in, expected);
        apply(s->at, s->m, s->n, s->two_d, true, in, magnitude);
        for (size_t i = 0; i < outputs; i++) {
            double sum = expected[i] + (double)bias[c], size = magnitude[i] + fabs((double)bias[c]);
            double error = pixels[i] ? transform_error(how, s, size) : 0;
            sum = !pixels[i] ? (double)MARK : sum > 0 ? sum : 0;
            check(check_near(y[i * STRIDE + c], sum, error),
                  "%s, output, %s, channel %zu of %zu, pixel %zu: expected %.9g, got %.9g", s->name,
                  filling_name(how), c, channels, i, sum, (double)y[i * STRIDE + c]);
        }
    }
    check(gaps_hold(y, outputs, channels, STRIDE, MARK), "%s, output: written between pixels",
          s->name);
    check(operands_release(), "written before an operand");
}

static void check_filter(const pts_level *level, const scheme *s)
{
    double taps[SQUARE * PTS_FILTERS], points[SQUARE * PTS_FILTERS];
    const size_t count = s->two_d ? s->r * s->r : s->r;
    for (size_t i = 0; i < count * PTS_FILTERS; i++)
        taps[i] = (double)random_float();
    level->transform_filter(&s->axis, s->two_d, taps, points);
    for (size_t c = 0; c < PTS_FILTERS; c++) {
        double in[SQUARE], expected[SQUARE], magnitude[SQUARE];
        for (size_t i = 0; i < count; i++)
            in[i] = taps[i * PTS_FILTERS + c];
        apply(s->g, s->n, s->r, s->two_d, false, in, expected);
        apply(s->g, s->n, s->r, s->two_d, true, in, magnitude);
        for (size_t i = 0; i < points_of(s); i++)
            check(fabs(points[i * PTS_FILTERS + c] - expected[i]) <= 1e-14 * magnitude[i],
                  "%s, filter %zu, point %zu: expected %.17g, got %.17g", s->name, c, i,
                  expected[i], points[i * PTS_FILTERS + c]);
    }
}

/* ---- the three together are a correlation ---- */

static double correlation(const scheme *s, const double *d, const double *g, size_t output)
{
    const size_t rows = s->two_d ? s->r : 1;
    const size_t oy = s->two_d ? output / s->m : 0, ox = s->two_d ? output % s->m : output;
    double sum = 0;
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < s->r; x++)
            sum += g[y * s->r + x] * d[(oy + y) * s->n + ox + x];
    return sum;
}

/* One tile and filter, in the first channel; with a large bias so that ReLU takes nothing. */
static void check_correlation(const pts_level *level, const scheme *s)
{
    const size_t points = points_of(s), lanes = level->lanes;
    float *d = random_operand(points * lanes), *t = operand(points * lanes);
    float *bias = operand(lanes), *y = operand(outputs_of(s) * lanes), *outputs[SQUARE];
    const float *inputs[SQUARE];
    double in[SQUARE], g[SQUARE], u[SQUARE], size_u[SQUARE], size_v[SQUARE], size[SQUARE];
    for (size_t i = 0; i < points; i++) {
        inputs[i] = d + i * lanes;
        in[i] = (double)d[i * lanes];
    }
    for (size_t i = 0; i < (s->two_d ? s->r * s->r : s->r); i++)
        g[i] = (double)random_float();
    for (size_t i = 0; i < outputs_of(s); i++)
        outputs[i] = y + i * lanes;
    for (size_t i = 0; i < lanes; i++)
        bias[i] = 100;
    apply(s->g, s->n, s->r, s->two_d, false, g, u);
    apply(s->g, s->n, s->r, s->two_d, true, g, size_u);
    apply(s->bt, s->n, s->n, s->two_d, true, in, size_v);
    level->transform_input(&s->axis, s->two_d, inputs, lanes, t, lanes);
    for (size_t i = 0; i < points; i++) {
        for (size_t c = 0; c < lanes; c++)
            t[i * lanes + c] *= (float)u[i];
        size_v[i] *= size_u[i];
    }
    apply(s->at, s->m, s->n, s->two_d, true, size_v, size);
    level->transform_output(&s->axis, s->two_d, t, lanes, lanes, bias, outputs);
    for (size_t i = 0; i < outputs_of(s); i++) {
        double expected = correlation(s, in, g, i) + 100;
        check(check_near(y[i * lanes], expected, sum_error(3 * points, size[i] + 100)),
              "%s: output %zu is no correlation: expected %.9g, got %.9g", s->name, i, expected,
              (double)y[i * lanes]);
    }
    check(operands_release(), "written before an operand");
}

void check_transforms(const pts_level *level)
{
    scheme schemes[4];
    size_t count = find_schemes(level, schemes);
    check(count > 0, "no convolution has a transform");
    for (size_t i = 0; i < count; i++) {
        for (size_t how = 0; how < FILLINGS; how++) {
            if (how == FILL_HUGE)
                continue; /* a 2-D transform of 1e34 overflows */
            for (int round = 0; round < 8; round++) {
                check_input(level, &schemes[i], (filling)how);
                check_output(level, &schemes[i], (filling)how);
            }
        }
        for (int round = 0; round < 20; round++) {
            check_filter(level, &schemes[i]);
            check_correlation(level, &schemes[i]);
        }
    }
}

/* ---- the bench ---- */

typedef struct transform_work {
    const pts_level *level;
    const scheme *s;
    const float *inputs[SQUARE];
    float *outputs[SQUARE], *points, *bias;
} transform_work;

static void work_input(void *user)
{
    transform_work *w = user;
    w->level->transform_input(&w->s->axis, w->s->two_d, w->inputs, CHANNELS, w->points, CHANNELS);
}

static void work_output(void *user)
{
    transform_work *w = user;
    w->level->transform_output(&w->s->axis, w->s->two_d, w->points, CHANNELS, CHANNELS, w->bias,
                               w->outputs);
}

void bench_transforms(const pts_level *level)
{
    scheme schemes[4];
    size_t count = find_schemes(level, schemes);
    for (size_t i = 0; i < count; i++) {
        const size_t points = points_of(&schemes[i]), floats = points * CHANNELS;
        transform_work w = {.level = level,
                            .s = &schemes[i],
                            .points = random_operand(floats),
                            .bias = random_operand(CHANNELS)};
        float *pixels = random_operand(floats);
        char name[96];
        for (size_t k = 0; k < points; k++) {
            w.inputs[k] = pixels + k * CHANNELS;
            w.outputs[k] = pixels + k * CHANNELS;
        }
        double in = 8.0 * (double)floats, out = in / 2 + 4.0 * (double)(outputs_of(w.s) * CHANNELS);
        snprintf(name, sizeof name, "transform of the input, %s, %d channels", w.s->name, CHANNELS);
        bench_line(level, name, bench_rate(in, work_input, &w), "GB/s", false);
        snprintf(name, sizeof name, "transform of the output, %s, %d channels", w.s->name,
                 CHANNELS);
        bench_line(level, name, bench_rate(out, work_output, &w), "GB/s", false);
        operands_release();
    }
}
