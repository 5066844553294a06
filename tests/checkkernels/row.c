/* Layer norm, softmax and activations of one row, against double. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MARK 3.39e38f /* between rows */

static const double unit = FLT_EPSILON / 2; /* half an ulp of 1 */

/* ---- softmax ---- */

typedef enum scores {
    SCORES_NORMAL,
    SCORES_WIDE, /* all the range in which e^x is not 0 */
    SCORES_HUGE,
    SCORES_EQUAL,
    SCORES_MASKED, /* some are -inf, as where attention may not look */
    SCORES_DENORMAL,
    SCORES
} scores;

static const char *const scores_names[SCORES] = {"normal", "wide",   "huge",
                                                 "equal",  "masked", "denormal"};

static void fill_scores(float *x, size_t count, scores how)
{
    const float sizes[SCORES] = {5, 80, 3e38f, 0, 5, 1e-39f}, same = 20 * random_float();
    for (size_t i = 0; i < count; i++) {
        x[i] = how == SCORES_EQUAL ? same : sizes[how] * random_float();
        if (how == SCORES_MASKED && i != count / 2 && random_below(3) == 0)
            x[i] = -INFINITY;
    }
}

/* Of an exponential: 2 ulp, and its argument's two roundings times the argument; the sum and two
 * more roundings on top. What should be below 1e-37 may stay there. */
static double softmax_error(double argument, size_t count, double expected)
{
    double relative = 4 + 2 * fabs(argument) + 2 * 87 * unit + (double)count + 4;
    return expected * relative * unit + 4e-38;
}

/* One row's shares `y` of the scores x. */
static void check_shares(const float *x, const float *y, size_t count, scores how, float scale)
{
    double top = -INFINITY, sum = 0, total = 0;
    for (size_t i = 0; i < count; i++)
        top = (double)x[i] > top ? (double)x[i] : top;
    for (size_t i = 0; i < count; i++)
        sum += exp(((double)x[i] - top) * (double)scale);
    for (size_t i = 0; i < count; i++) {
        double argument = ((double)x[i] - top) * (double)scale, expected = exp(argument) / sum;
        double most = argument > -88 ? argument : -88;
        check(
            check_near(y[i], expected, softmax_error(most, count, expected)),
            "softmax, %s, %zu scores, scale %g: x = %.9g (greatest %.9g): expected %.9g, got %.9g",
            scores_names[how], count, (double)scale, (double)x[i], top, expected, (double)y[i]);
        total += (double)y[i];
    }
    check(fabs(total - 1) <= (double)(count + 8) * unit, "softmax, %s, %zu scores: the sum is %.9g",
          scores_names[how], count, total);
}

/* Up to five rows; past a row's room, and before the next row, nothing may change. */
static void check_softmax(const pts_level *level, size_t count, scores how, float scale)
{
    const size_t room = (count + level->lanes - 1) / level->lanes * level->lanes;
    const size_t rows = 1 + random_below(5), stride = room + random_below(3);
    const size_t floats = strided_floats(rows, room, stride);
    float *x = operand(floats), *y = operand(floats);
    for (size_t i = 0; i < floats; i++)
        x[i] = MARK; /* greater than all: it must not count */
    for (size_t r = 0; r < rows; r++) {
        fill_scores(x + r * stride, count, how);
        for (size_t i = count; i < room && r % 2; i++)
            x[r * stride + i] = NAN;
    }
    memcpy(y, x, floats * sizeof *x);
    level->softmax(y, rows, stride, count, scale);
    for (size_t r = 0; r < rows; r++)
        check_shares(x + r * stride, y + r * stride, count, how, scale);
    check(gaps_hold(y, rows, room, stride, MARK), "softmax: written between the rows");
    check(operands_release(), "written before an operand");
}

static double ulp_of(double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* The exponential alone: of the scores 0 and x, the second's share by the first's is e^x, each
 * rounded once more by the division. */
static void check_exponential(const pts_level *level)
{
    enum { COUNT = 512 };
    float *x = operand(COUNT), *y = operand(COUNT);
    for (int round = 0; round < 400; round++) {
        x[0] = 0;
        for (size_t i = 1; i < COUNT; i++) {
            float u = random_float();
            /* All of the range, and near 0 where the result is near 1. */
            x[i] = i % 4 ? -87.3f * fabsf(u) : -ldexpf(fabsf(u), -(int)random_below(30));
        }
        memcpy(y, x, COUNT * sizeof *x);
        level->softmax(y, 1, COUNT, COUNT, 1);
        for (size_t i = 1; i < COUNT; i++) {
            double got = (double)y[i] / (double)y[0], expected = exp((double)x[i]);
            if (y[i] < FLT_MIN)
                continue; /* the share is a denormal: its last bits are gone */
            double tolerance = 2 * ulp_of(expected) + 2 * unit * expected;
            if (!check(fabs(got - expected) <= tolerance,
                       "exponential of %.9g: expected %.9g, got %.9g, %.2f ulp off", (double)x[i],
                       expected, got, fabs(got - expected) / ulp_of(expected)))
                break;
        }
    }
    check(operands_release(), "written before an operand");
}

/* ---- activations ---- */

static double quick_gelu(double x)
{
    return x / (1 + exp(-1.702 * x));
}

static double gelu(double x)
{
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}

/* The exponential's argument is rounded: that error is as large as the argument. Below 1e-36, where
 * the exponential is held, only the size is. */
static double activation_error(double argument, double expected)
{
    return (8 + 2 * fabs(argument)) * 2 * unit * fabs(expected) + 1e-36;
}

static void fill_activations(float *x, size_t count, size_t how)
{
    static const float special[] = {0,     -0.0f,  1e-45f, -1e-45f, 1e-38f,  -1e-38f,
                                    88.4f, -88.4f, 51.9f,  -51.9f,  13.2f,   -13.2f,
                                    1e4f,  -1e4f,  1e18f,  -1e18f,  FLT_MAX, -FLT_MAX};
    for (size_t i = 0; i < count; i++) {
        if (how == 0)
            x[i] = 8 * random_float();
        else if (how == 1)
            x[i] = ldexpf(random_float(), (int)random_below(150) - 130);
        else
            x[i] = special[(i + count) % (sizeof special / sizeof *special)];
    }
}

static void check_activation(const pts_level *level, size_t count, size_t how, bool quick)
{
    float *x = operand(count), *y = operand(count);
    fill_activations(x, count, how);
    memcpy(y, x, count * sizeof *x);
    (quick ? level->quick_gelu : level->gelu)(y, count);
    for (size_t i = 0; i < count; i++) {
        double in = (double)x[i], expected = quick ? quick_gelu(in) : gelu(in);
        double argument = quick ? 1.702 * in : in * in / 2;
        if (fabs(argument) > 90) /* beyond: 0 or x itself */
            argument = 90;
        check(check_near(y[i], expected, activation_error(argument, expected)),
              "%s, %zu values: of %.9g: expected %.9g, got %.9g", quick ? "quick GELU" : "GELU",
              count, in, expected, (double)y[i]);
    }
    check(operands_release(), "written before an operand");
}

/* ---- layer norm ---- */

typedef enum tokens { TOKENS_UNIFORM, TOKENS_FAR, TOKENS_CONSTANT, TOKENS_DENORMAL, TOKENS } tokens;

static const char *const tokens_names[TOKENS] = {"uniform", "far from 0", "constant", "denormal"};

static void fill_tokens(float *x, size_t count, tokens how)
{
    const float sizes[TOKENS] = {3, 1, 0, 1e-39f}, centers[TOKENS] = {0, 1e4f, 17.25f, 0};
    for (size_t i = 0; i < count; i++)
        x[i] = centers[how] + sizes[how] * random_float();
}

typedef struct moments {
    double mean, variance, size; /* size: mean of |x| */
} moments;

static moments moments_of(const float *x, size_t count)
{
    moments m = {0};
    for (size_t i = 0; i < count; i++) {
        m.mean += (double)x[i] / (double)count;
        m.size += fabs((double)x[i]) / (double)count;
    }
    for (size_t i = 0; i < count; i++)
        m.variance += ((double)x[i] - m.mean) * ((double)x[i] - m.mean) / (double)count;
    return m;
}

static void check_layer_norm(const pts_level *level, size_t count, tokens how, bool in_place)
{
    const double epsilon = (double)1e-5f;
    float *x = operand(count), *weight = random_operand(count), *bias = random_operand(count);
    float *y = in_place ? x : operand(count);
    double given[4096];
    fill_tokens(x, count, how);
    moments m = moments_of(x, count);
    for (size_t i = 0; i < count; i++)
        given[i] = (double)x[i];
    level->layer_norm(x, count, weight, bias, (float)epsilon, y);
    /* The mean's rounding error shifts all; the variance's is relative, and of second order in the
     * mean's. */
    const double deviation = sqrt(m.variance + epsilon), shift = sum_error(count, m.size);
    const double relative =
        (6 * sqrt((double)count) + 8) * unit + shift * shift / (m.variance + epsilon);
    for (size_t i = 0; i < count; i++) {
        double z = (given[i] - m.mean) / deviation, w = (double)weight[i];
        double expected = z * w + (double)bias[i];
        double tolerance =
            fabs(w) * (shift / deviation + fabs(z) * relative) + 2 * unit * fabs(expected);
        check(check_near(y[i], expected, tolerance),
              "layer norm, %s, %zu values, in place %d, value %zu: expected %.9g ± %.2g, got %.9g",
              tokens_names[how], count, in_place, i, expected, tolerance, (double)y[i]);
    }
    check(operands_release(), "written before an operand");
}

void check_rows(const pts_level *level)
{
    check_exponential(level);
    for (size_t i = 1; i <= 84; i++) {
        const size_t longer[] = {197, 257, 577, 768, 1024, 3072};
        size_t count = i <= 78 ? i : longer[i - 79];
        for (size_t how = 0; how < SCORES; how++) {
            check_softmax(level, count, (scores)how, 1);
            check_softmax(level, count, (scores)how, 0.125f);
        }
        for (size_t how = 0; how < 3; how++) {
            check_activation(level, count, how, false);
            check_activation(level, count, how, true);
        }
        for (size_t how = 0; how < TOKENS; how++)
            check_layer_norm(level, count, (tokens)how, how % 2);
    }
}

/* ---- the bench ---- */

typedef struct row_work {
    const pts_level *level;
    float *x, *weight, *bias, *y;
    const float *source;
    size_t count;
} row_work;

static void work_layer_norm(void *user)
{
    row_work *w = user;
    w->level->layer_norm(w->x, w->count, w->weight, w->bias, 1e-5f, w->y);
}

/* Copied each time: the values of a row that is mapped over and over would become denormals. */
static void work_softmax(void *user)
{
    row_work *w = user;
    memcpy(w->y, w->source, w->count * sizeof *w->y);
    w->level->softmax(w->y, 1, w->count, w->count, 0.125f);
}

static void work_gelu(void *user)
{
    row_work *w = user;
    memcpy(w->y, w->source, w->count * sizeof *w->y);
    w->level->gelu(w->y, w->count);
}

static void work_quick_gelu(void *user)
{
    row_work *w = user;
    memcpy(w->y, w->source, w->count * sizeof *w->y);
    w->level->quick_gelu(w->y, w->count);
}

void bench_rows(const pts_level *level)
{
    static const struct {
        const char *name;
        void (*work)(void *);
        size_t count;
    } rows[] = {{"layer norm of 768", work_layer_norm, 768},
                {"softmax of 50", work_softmax, 50},
                {"softmax of 577", work_softmax, 577},
                {"quick GELU of 3072", work_quick_gelu, 3072},
                {"GELU of 3072", work_gelu, 3072}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const size_t count = rows[i].count;
        row_work w = {level,
                      random_operand(count),
                      random_operand(count),
                      random_operand(count),
                      operand((count + 15) / 16 * 16),
                      random_operand(count),
                      count};
        double rate = bench_rate((double)count, rows[i].work, &w);
        bench_line(level, rows[i].name, rate, "G values/s", false);
        operands_release();
    }
}
