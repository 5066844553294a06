/* Attention and the linear layer, which are made of the other kernels, against double. */
#include "kernels/attention.h"
#include "check.h"
#include "kernels/linear.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK 33.0f

typedef struct attention_case {
    pts_attention a;
    size_t qkv_floats, out_floats;
} attention_case;

static attention_case random_attention(const pts_level *level, size_t images, size_t tokens,
                                       size_t heads, size_t width)
{
    attention_case k = {
        .a = {.level = level, .images = images, .tokens = tokens, .heads = heads, .width = width}};
    pts_attention *a = &k.a;
    a->queries = random_below(2) ? tokens : 1 + random_below(tokens);
    a->qkv_stride = 3 * heads * width + random_below(20);
    a->out_stride = heads * width + random_below(20);
    k.qkv_floats = strided_floats(images * tokens, 3 * heads * width, a->qkv_stride);
    k.out_floats = strided_floats(images * tokens, heads * width, a->out_stride);
    float *qkv = random_operand(k.qkv_floats);
    for (size_t i = 0; i < k.qkv_floats; i++)
        qkv[i] *= 3; /* scores of some size: the softmax is not flat */
    a->qkv = qkv;
    a->out = operand(k.out_floats);
    return k;
}

/* p [tokens] = the softmax of one query's scores; returns the largest error of a score. */
static double naive_scores(const pts_attention *a, const float *query, const float *key, double *p)
{
    double top = -INFINITY, sum = 0, error = 0, scale = 1 / sqrt((double)a->width);
    for (size_t t = 0; t < a->tokens; t++) {
        double score = 0, magnitude = 0;
        for (size_t i = 0; i < a->width; i++) {
            double term = (double)query[i] * (double)key[t * a->qkv_stride + i];
            score += term;
            magnitude += fabs(term);
        }
        p[t] = score * scale;
        top = p[t] > top ? p[t] : top;
        error = fmax(error, sum_error(a->width + 4, magnitude) * scale);
    }
    for (size_t t = 0; t < a->tokens; t++)
        sum += p[t] = exp(p[t] - top);
    for (size_t t = 0; t < a->tokens; t++)
        p[t] /= sum;
    return error;
}

static bool check_query(const attention_case *k, size_t image, size_t token, size_t head)
{
    const pts_attention *a = &k->a;
    const float *qkv = a->qkv + image * a->tokens * a->qkv_stride, *key, *value;
    double p[1024];
    key = qkv + (a->heads + head) * a->width;
    value = qkv + (2 * a->heads + head) * a->width;
    double score_error = naive_scores(a, qkv + token * a->qkv_stride + head * a->width, key, p);
    for (size_t i = 0; i < a->width; i++) {
        double sum = 0, magnitude = 0;
        for (size_t t = 0; t < a->tokens; t++) {
            double term = p[t] * (double)value[t * a->qkv_stride + i];
            sum += term;
            magnitude += fabs(term);
        }
        /* A score's error is relative in its exponential, and again in their sum. */
        double tolerance = sum_error(a->tokens + 30, magnitude) + 2 * score_error * magnitude;
        float got = a->out[(image * a->tokens + token) * a->out_stride + head * a->width + i];
        if (!check(check_near(got, sum, tolerance),
                   "%zu images, %zu tokens, %zu queries, %zu heads of %zu: image %zu, token %zu, "
                   "head %zu, value %zu: expected %.9g ± %.2g, got %.9g",
                   a->images, a->tokens, a->queries, a->heads, a->width, image, token, head, i, sum,
                   tolerance, (double)got))
            return false;
    }
    return true;
}

static void check_values(const attention_case *k)
{
    const pts_attention *a = &k->a;
    for (size_t row = 0; row < a->images * a->tokens; row++) {
        for (size_t head = 0; head < a->heads && row % a->tokens < a->queries; head++)
            if (!check_query(k, row / a->tokens, row % a->tokens, head))
                return;
        const float *out = a->out + row * a->out_stride;
        for (size_t i = 0; i < a->heads * a->width && row % a->tokens >= a->queries; i++)
            check(out[i] == MARK, "row %zu, past the %zu queries, was written", row, a->queries);
    }
    check(gaps_hold(a->out, a->images * a->tokens, a->heads * a->width, a->out_stride, MARK),
          "written between the rows");
}

static void check_attention_case(const pts_level *level, size_t images, size_t tokens, size_t heads,
                                 size_t width)
{
    attention_case k = random_attention(level, images, tokens, heads, width);
    float *first = operand(k.out_floats);
    size_t floats;
    if (!check(pts_attention_workspace(&k.a, &floats), "no workspace for %zu tokens", tokens))
        return;
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < k.out_floats; i++)
            k.a.out[i] = MARK;
        k.a.work = operand((floats * (t + 1) + 15) / 16 * 16);
        memset(k.a.work, 0xff, floats * (t + 1) * sizeof(float)); /* NaN: nothing may be read */
        pts_attention_run(&k.a, check_teams[t]);
        check_values(&k);
        if (t == 0)
            memcpy(first, k.a.out, k.out_floats * sizeof(float));
        check(memcmp(first, k.a.out, k.out_floats * sizeof(float)) == 0,
              "%zu tokens, %zu heads of %zu: %zu threads give other bits", tokens, heads, width,
              t + 1);
    }
    check(operands_release(), "written before an operand");
}

/* ---- the linear layer ---- */

/* Each thread's parts, and the activation on them, must be the product's. */
static void check_linear_case(const pts_level *level, size_t rows, size_t columns, size_t depth,
                              pts_activation_fn activation)
{
    size_t floats, count = rows * columns;
    float *a = random_operand(rows * depth), *b = random_operand(depth * columns);
    float *bias = random_operand(columns), *whole = operand(count), *c = operand(count);
    if (!pts_product_packed_floats(level, depth, columns, &floats))
        abort();
    float *packed = operand((floats + 15) / 16 * 16);
    pts_product_pack(level, b, columns, depth, columns, packed);
    pts_product p = {.rows = rows,
                     .columns = columns,
                     .depth = depth,
                     .end = columns,
                     .a = a,
                     .a_stride = depth,
                     .b = packed,
                     .bias = bias,
                     .c = whole,
                     .c_stride = columns};
    level->product(&p);
    if (activation)
        activation(whole, count);
    p.c = c;
    for (size_t t = 0; t < 3; t++) {
        double worst = 0;
        memset(c, 0xff, count * sizeof *c);
        pts_linear_run(level, check_teams[t], &p, activation);
        for (size_t i = 0; i < count; i++)
            worst = fmax(worst, isnan(c[i]) ? INFINITY : fabs((double)(c[i] - whole[i])));
        /* The same bits; at the level without panels OpenBLAS rounds otherwise for other sizes, and
         * GELU's slope is below 1.2. */
        double allowed = level->panel ? 0 : 2.4 * sum_error(depth + 2, (double)depth);
        check(worst <= allowed, "linear, %zu x %zu x %zu, %zu threads: %g off the product", rows,
              columns, depth, t + 1, worst);
    }
    check(operands_release(), "written before an operand");
}

void check_attention(const pts_level *level)
{
    for (size_t tokens = 1; tokens <= 66; tokens += 1 + random_below(6))
        check_attention_case(level, 1 + random_below(2), tokens, 1 + random_below(3),
                             8 * (1 + random_below(12)));
    check_attention_case(level, 2, 50, 4, 64);
    check_attention_case(level, 1, 197, 3, 64);
    check_attention_case(level, 1, 577, 1, 80);
    for (size_t i = 0; i < 40; i++)
        check_linear_case(level, 1 + random_below(i % 8 ? 60 : 600), 1 + random_below(300),
                          1 + random_below(i % 8 ? 600 : 60),
                          i % 3 == 0   ? NULL
                          : i % 3 == 1 ? level->gelu
                                       : level->quick_gelu);
}

/* ---- the bench ---- */

static void work_attention(void *user)
{
    pts_attention_run(user, NULL);
}

void bench_attention(const pts_level *level)
{
    const size_t tokens[] = {50, 197, 577};
    for (size_t i = 0; i < 3; i++) {
        enum { HEADS = 12, WIDTH = 64 };
        const size_t n = tokens[i];
        size_t floats;
        char name[64];
        pts_attention a = {.level = level,
                           .images = 1,
                           .tokens = n,
                           .queries = n,
                           .heads = HEADS,
                           .width = WIDTH,
                           .qkv = random_operand(n * 3 * HEADS * WIDTH),
                           .qkv_stride = 3 * HEADS * WIDTH,
                           .out = operand(n * HEADS * WIDTH),
                           .out_stride = HEADS * WIDTH};
        if (!pts_attention_workspace(&a, &floats))
            abort();
        a.work = operand((floats + 15) / 16 * 16);
        snprintf(name, sizeof name, "attention, %zu tokens, %d heads of %d", n, HEADS, WIDTH);
        double operations = 4.0 * (double)(n * n) * HEADS * WIDTH;
        bench_line(level, name, bench_rate(operations, work_attention, &a), "GFLOP/s", true);
        operands_release();
    }
}
