/* The product: every number of rows up to three register tiles and one, every number of columns up
 * to 70, depths about the blocks' boundaries. */
#include "check.h"

#include "../../bench/shapes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK 77.0f /* between the rows of C */

typedef struct product_case {
    pts_product p;
    filling filling;
    float *b; /* [depth][b_stride] */
    size_t b_stride;
    float *before; /* [rows][c_stride]: C as it was */
} product_case;

static size_t random_depth(const pts_level *level)
{
    const size_t block = level->block ? level->block : 256;
    const size_t edges[] = {1, 2, block - 1, block, block + 1, 2 * block, 2 * block + 1};
    if (random_below(8) == 0)
        return edges[random_below(sizeof edges / sizeof *edges)];
    return 1 + random_below(1 + random_below(600)); /* small ones more often */
}

static float *pack(const pts_level *level, const float *b, size_t b_stride, size_t depth,
                   size_t columns)
{
    size_t floats;
    if (!pts_product_packed_floats(level, depth, columns, &floats))
        abort();
    float *packed = operand((floats + 15) / 16 * 16); /* aligned to 64 bytes */
    pts_product_pack(level, b, b_stride, depth, columns, packed);
    return packed;
}

static float *marked_matrix(size_t rows, size_t columns, size_t stride)
{
    size_t floats = strided_floats(rows, columns, stride);
    float *x = operand(floats);
    for (size_t i = 0; i < floats; i++)
        x[i] = MARK;
    return x;
}

static float *copy_of(const float *x, size_t floats)
{
    float *copy = operand(floats);
    memcpy(copy, x, floats * sizeof *x);
    return copy;
}

/* Panels first … end: all of them most of the time. */
static void random_range(const pts_level *level, pts_product *p)
{
    size_t panel = level->panel ? level->panel : 16, panels = (p->columns + panel - 1) / panel;
    p->end = p->columns;
    if (random_below(3))
        return;
    size_t first = random_below(panels), end = first + 1 + random_below(panels - first);
    p->first = first * panel;
    p->end = end * panel < p->columns ? end * panel : p->columns;
}

static product_case random_case(const pts_level *level, size_t rows, size_t columns, size_t depth)
{
    product_case k = {.p = {.rows = rows, .columns = columns, .depth = depth}};
    pts_product *p = &k.p;
    k.filling = (filling)random_below(FILLINGS);
    p->a_stride = depth + random_below(2) * random_below(40);
    p->c_stride = columns + random_below(2) * random_below(40);
    k.b_stride = columns + random_below(2) * random_below(5);
    random_range(level, p);
    float *a = operand(strided_floats(rows, depth, p->a_stride));
    for (size_t i = 0; i < strided_floats(rows, depth, p->a_stride); i++)
        a[i] = NAN; /* what lies between the rows must not count */
    for (size_t r = 0; r < rows; r++)
        fill(a + r * p->a_stride, depth, k.filling);
    k.b = operand(strided_floats(depth, columns, k.b_stride));
    fill(k.b, strided_floats(depth, columns, k.b_stride),
         k.filling == FILL_INTEGERS ? FILL_INTEGERS : FILL_UNIFORM);
    p->a = a;
    p->b = pack(level, k.b, k.b_stride, depth, columns);
    p->accumulate = random_below(3) == 0;
    p->relu = random_below(2);
    if (random_below(2)) {
        float *bias = operand(columns);
        fill(bias, columns, k.filling);
        p->bias = bias;
    }
    p->c = marked_matrix(rows, columns, p->c_stride);
    for (size_t r = 0; r < rows && p->accumulate; r++)
        fill(p->c + r * p->c_stride, columns, k.filling);
    k.before = copy_of(p->c, strided_floats(rows, columns, p->c_stride));
    return k;
}

/* Row r of the sum in double, and of its terms' absolute values. */
static void naive_row(const product_case *k, size_t r, double *sum, double *magnitude)
{
    const pts_product *p = &k->p;
    for (size_t j = 0; j < p->columns; j++) {
        sum[j] = p->accumulate ? (double)k->before[r * p->c_stride + j] : 0;
        sum[j] += p->bias ? (double)p->bias[j] : 0;
        magnitude[j] = p->accumulate ? fabs((double)k->before[r * p->c_stride + j]) : 0;
        magnitude[j] += p->bias ? fabs((double)p->bias[j]) : 0;
    }
    for (size_t i = 0; i < p->depth; i++) {
        double left = (double)p->a[r * p->a_stride + i];
        for (size_t j = 0; j < p->columns; j++) {
            sum[j] += left * (double)k->b[i * k->b_stride + j];
            magnitude[j] += fabs(left * (double)k->b[i * k->b_stride + j]);
        }
    }
}

static bool check_element(const product_case *k, size_t r, size_t j, double sum, double magnitude)
{
    const pts_product *p = &k->p;
    bool ours = j >= p->first && j < p->end, exact = k->filling == FILL_INTEGERS;
    double expected = p->relu && sum < 0 ? 0 : sum;
    double tolerance = exact ? 0 : sum_error(p->depth + 2, magnitude);
    if (!ours) {
        expected = (double)k->before[r * p->c_stride + j];
        tolerance = 0;
    }
    float got = p->c[r * p->c_stride + j];
    return check(check_near(got, expected, tolerance),
                 "%s, %zu rows, %zu columns, depth %zu, columns [%zu, %zu), strides %zu, %zu, "
                 "bias %d, accumulate %d, relu %d: row %zu, column %zu: expected %.9g ± %.2g, "
                 "got %.9g",
                 filling_name(k->filling), p->rows, p->columns, p->depth, p->first, p->end,
                 p->a_stride, p->c_stride, p->bias != NULL, p->accumulate, p->relu, r, j, expected,
                 tolerance, (double)got);
}

static void check_case(const product_case *k)
{
    const pts_product *p = &k->p;
    double sum[128], magnitude[128];
    for (size_t r = 0; r < p->rows; r++) {
        naive_row(k, r, sum, magnitude);
        for (size_t j = 0; j < p->columns; j++)
            if (!check_element(k, r, j, sum[j], magnitude[j]))
                return;
    }
    check(gaps_hold(p->c, p->rows, p->columns, p->c_stride, MARK),
          "%zu rows, %zu columns: C was written between its rows", p->rows, p->columns);
}

/* packed_at must find each element where pack has put it. */
static void check_packing(const pts_level *level, const product_case *k)
{
    const pts_product *p = &k->p;
    bool same = true;
    for (size_t i = 0; i < p->depth; i++)
        for (size_t j = 0; j < p->columns; j++)
            same &= p->b[pts_product_packed_at(level, p->depth, p->columns, i, j)] ==
                    k->b[i * k->b_stride + j];
    check(same, "depth %zu, %zu columns: packed_at finds other elements than were packed", p->depth,
          p->columns);
}

void check_product(const pts_level *level)
{
    for (size_t rows = 1; rows <= 3 * level->tile_rows + 1; rows++) {
        for (size_t columns = 1; columns <= 70; columns++) {
            product_case k = random_case(level, rows, columns, random_depth(level));
            if (rows == 1)
                check_packing(level, &k);
            level->product(&k.p);
            check_case(&k);
            check(operands_release(), "%zu rows, %zu columns: written before an operand", rows,
                  columns);
        }
    }
}

/* ---- what is not finite stays where it belongs ---- */

static bool same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static float finite_dot(const product_case *k, size_t r, size_t j)
{
    double sum = 0;
    for (size_t i = 0; i < k->p.depth; i++)
        sum += (double)k->p.a[r * k->p.a_stride + i] * (double)k->b[i * k->b_stride + j];
    return (float)sum;
}

/* One element of A becomes `value`: only its row may change; one of B: only its column. */
static void check_spread(const pts_level *level, size_t rows, size_t columns, size_t depth,
                         float value, bool in_a, bool relu)
{
    product_case k = {.p = {.rows = rows, .columns = columns, .depth = depth}};
    size_t row = random_below(rows), column = random_below(columns), at = random_below(depth);
    float *a = random_operand(rows * depth), *clean = operand(rows * columns);
    k.b = random_operand(depth * columns);
    k.b_stride = k.p.end = k.p.c_stride = columns;
    k.p.a = a;
    k.p.a_stride = depth;
    k.p.relu = relu;
    k.p.b = pack(level, k.b, columns, depth, columns);
    k.p.c = clean;
    level->product(&k.p);
    if (in_a)
        a[row * depth + at] = value;
    else
        k.b[at * columns + column] = value;
    k.p.b = pack(level, k.b, columns, depth, columns);
    k.p.c = operand(rows * columns);
    level->product(&k.p);
    for (size_t i = 0; i < rows * columns; i++) {
        float got = k.p.c[i], sum = finite_dot(&k, i / columns, i % columns);
        bool touched = in_a ? i / columns == row : i % columns == column;
        bool good = same_bits(got, clean[i]);
        if (touched && relu)
            good = sum > 0 ? got == sum : same_bits(got, 0); /* of NaN, too */
        else if (touched)
            good = isnan(sum) ? isnan(got) : got == sum;
        check(good,
              "%zu rows, %zu columns, depth %zu, relu %d: %g in %c at row %zu, column %zu, depth "
              "%zu: element %zu was %g, became %g, expected %g",
              rows, columns, depth, relu, (double)value, in_a ? 'A' : 'B', row, column, at, i,
              (double)clean[i], (double)got, (double)sum);
    }
    check(operands_release(), "written before an operand");
}

void check_product_isolation(const pts_level *level)
{
    const float values[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 240; i++)
        check_spread(level, 1 + random_below(3 * level->tile_rows), 1 + random_below(70),
                     random_depth(level), values[i % 3], i / 3 % 2, i / 6 % 2);
}

/* ---- teams ---- */

/* The whole team, or panels and rows in parts: the same bits, where the product is ours. */
static void check_team_case(const pts_level *level, size_t rows, size_t columns, size_t depth)
{
    product_case k = random_case(level, rows, columns, depth);
    pts_product whole = k.p;
    size_t floats = strided_floats(rows, columns, whole.c_stride);
    whole.c = copy_of(k.before, floats);
    level->product(&whole);
    for (size_t t = 0; t < 3; t++) {
        memcpy(k.p.c, k.before, floats * sizeof(float));
        pts_product_run(level, check_teams[t], &k.p);
        check_case(&k);
        check(!level->panel || memcmp(k.p.c, whole.c, floats * sizeof(float)) == 0,
              "%s, %zu rows, %zu columns, depth %zu: a team of %zu gives other bits",
              filling_name(k.filling), rows, columns, depth, t + 1);
    }
    check(operands_release(), "written before an operand");
}

void check_product_team(const pts_level *level)
{
    for (size_t i = 0; i < 120; i++)
        check_team_case(level, 1 + random_below(i % 4 ? 40 : 300), 1 + random_below(128),
                        random_depth(level));
}

/* ---- the networks' shapes, by checksum ---- */

/* As BLIS tests its GEMM: C·t must equal A·(B·t), which needs no second product. The residual is
 * relative to the norm of what rounding is proportional to, |A|·|B|·|t| over √depth. */
static const struct {
    double warn, pass;
} checksum_thresholds = {3e-7, 1e-6};

static double checksum(const bench_shape *s, const float *a, const float *b, const float *c,
                       const float *t)
{
    double *bt = calloc(2 * s->depth, sizeof *bt), *size = bt + s->depth, wrong = 0, scale = 0;
    for (size_t k = 0; k < s->depth; k++)
        for (size_t j = 0; j < s->columns; j++) {
            bt[k] += (double)b[k * s->columns + j] * (double)t[j];
            size[k] += fabs((double)b[k * s->columns + j] * (double)t[j]);
        }
    for (size_t r = 0; r < s->rows; r++) {
        double left = 0, right = 0, terms = 0;
        for (size_t j = 0; j < s->columns; j++)
            left += (double)c[r * s->columns + j] * (double)t[j];
        for (size_t k = 0; k < s->depth; k++) {
            right += (double)a[r * s->depth + k] * bt[k];
            terms += fabs((double)a[r * s->depth + k]) * size[k];
        }
        wrong += (left - right) * (left - right);
        scale += terms * terms / (double)s->depth;
    }
    free(bt);
    return sqrt(wrong / scale);
}

void check_checksum(const pts_level *level)
{
    for (size_t i = 0; i < BENCH_SHAPES; i++) {
        const bench_shape *s = &bench_shapes[i];
        float *a = random_operand(s->rows * s->depth), *b = random_operand(s->depth * s->columns);
        float *c = operand(s->rows * s->columns), *t = random_operand(s->columns);
        const pts_product p = {.rows = s->rows,
                               .columns = s->columns,
                               .depth = s->depth,
                               .end = s->columns,
                               .a = a,
                               .a_stride = s->depth,
                               .b = pack(level, b, s->columns, s->depth, s->columns),
                               .c = c,
                               .c_stride = s->columns};
        pts_product_run(level, check_teams[1], &p);
        double residual = checksum(s, a, b, c, t);
        check(residual <= checksum_thresholds.pass, "%s: %zu × %zu × %zu: residual %.3g", s->name,
              s->rows, s->columns, s->depth, residual);
        if (residual > checksum_thresholds.warn)
            printf("%-7s marginal: %s: %zu × %zu × %zu: residual %.3g\n", level->name, s->name,
                   s->rows, s->columns, s->depth, residual);
        check(operands_release(), "written before an operand");
    }
}

/* ---- the bench ---- */

typedef struct product_work {
    const pts_level *level;
    pts_product p;
} product_work;

static void work_product(void *user)
{
    product_work *w = user;
    w->level->product(&w->p);
}

void bench_product(const pts_level *level)
{
    for (size_t i = 0; i < BENCH_SHAPES; i++) {
        const bench_shape *s = &bench_shapes[i];
        char name[96];
        float *a = random_operand(s->rows * s->depth), *b = random_operand(s->depth * s->columns);
        product_work w = {level,
                          {.rows = s->rows,
                           .columns = s->columns,
                           .depth = s->depth,
                           .end = s->columns,
                           .a = a,
                           .a_stride = s->depth,
                           .b = pack(level, b, s->columns, s->depth, s->columns),
                           .c = operand(s->rows * s->columns),
                           .c_stride = s->columns}};
        snprintf(name, sizeof name, "product %zu x %zu x %zu: %s", s->rows, s->columns, s->depth,
                 s->name);
        double operations = 2.0 * (double)s->rows * (double)s->columns * (double)s->depth;
        bench_line(level, name, bench_rate(operations, work_product, &w), "GFLOP/s", true);
        operands_release();
    }
}
