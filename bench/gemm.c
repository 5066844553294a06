/* The encoders' matrix products on the whole team: ours, B packed beforehand, beside OpenBLAS's.
 *
 * OpenBLAS is held to one thread a call and C is shared out among the same threads, by its longer
 * side: the team does for it what its own pool would do. Both are timed in turns, so that whatever
 * disturbs the machine disturbs both; the ratio is of the medians. */
#include "bench.h"
#include "shapes.h"

#include "pts/gemm.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

enum { TURNS = 15 };
#define TURN_SECONDS 0.002

typedef struct gemm_job {
    const bench_shape *shape;
    pts_team *team;
    pts_matrix *packed;
    float *a, *b, *c;
    double ours[TURNS], openblas[TURNS]; /* seconds a product */
    pts_status status;
    pts_error *err;
} gemm_job;

static void multiply_ours(gemm_job *j)
{
    const bench_shape *s = j->shape;
    pts_status status =
        pts_gemm(j->team, j->packed, j->a, s->depth, s->rows, NULL, j->c, s->columns, j->err);
    if (status != PTS_OK)
        j->status = status;
}

/* Task i of the team's size: its part of the rows, or of the columns. */
static void multiply_part(void *user, size_t task, int thread)
{
    gemm_job *j = user;
    const bench_shape *s = j->shape;
    const size_t parts = (size_t)pts_team_threads(j->team);
    const size_t side = s->rows > s->columns ? s->rows : s->columns;
    const size_t first = side * task / parts, count = side * (task + 1) / parts - first;
    const size_t row = s->rows > s->columns ? first : 0, column = first - row;
    const size_t rows = s->rows > s->columns ? count : s->rows;
    const size_t columns = s->rows > s->columns ? s->columns : count;
    (void)thread;
    if (rows && columns)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)columns,
                    (int)s->depth, 1, j->a + row * s->depth, (int)s->depth, j->b + column,
                    (int)s->columns, 0, j->c + row * s->columns + column, (int)s->columns);
}

static void multiply_openblas(gemm_job *j)
{
    pts_team_run(j->team, (size_t)pts_team_threads(j->team), multiply_part, j);
}

/* Seconds of one product, from as many in a row as take TURN_SECONDS. */
static double turn(gemm_job *j, void (*multiply)(gemm_job *))
{
    double start = pts_clock(), spent = 0;
    size_t calls = 0;
    while (spent < TURN_SECONDS) {
        multiply(j);
        calls++;
        spent = pts_clock() - start;
    }
    return spent / (double)calls;
}

static void take_turns(gemm_job *j)
{
    turn(j, multiply_ours);
    turn(j, multiply_openblas);
    for (int i = 0; i < TURNS; i++) {
        j->ours[i] = turn(j, multiply_ours);
        j->openblas[i] = turn(j, multiply_openblas);
    }
}

static void report(bench *b, gemm_job *j)
{
    const bench_shape *s = j->shape;
    const double flops = 2.0 * (double)s->rows * (double)s->columns * (double)s->depth;
    double ours = bench_median(j->ours, TURNS), openblas = bench_median(j->openblas, TURNS);
#ifdef PTS_HAVE_JSON
    if (b->json) {
        json_array_append_new(b->lines,
                              json_pack("{ss sI sI sI sf sf sf sf sf}", "name", s->name, "rows",
                                        (json_int_t)s->rows, "columns", (json_int_t)s->columns,
                                        "depth", (json_int_t)s->depth, "median_ms", ours * 1e3,
                                        "gflops", flops / ours * 1e-9, "percent_of_peak",
                                        bench_percent(b, flops / ours), "openblas_gflops",
                                        flops / openblas * 1e-9, "ratio", openblas / ours));
        return;
    }
#endif
    printf("%6zu %5zu %5zu %9.1f %7.1f %9.1f %6.2f  %s\n", s->rows, s->columns, s->depth,
           flops / ours * 1e-9, bench_percent(b, flops / ours), flops / openblas * 1e-9,
           openblas / ours, s->name);
    fflush(stdout);
}

static void fill(float *x, size_t count, uint64_t *state)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(2 * bench_uniform(state) - 1);
}

static pts_status make_matrices(gemm_job *j)
{
    const bench_shape *s = j->shape;
    uint64_t state = 6;
    PTS_TRY(pts_new(&j->a, s->rows * s->depth, sizeof *j->a, j->err));
    PTS_TRY(pts_new(&j->b, s->depth * s->columns, sizeof *j->b, j->err));
    PTS_TRY(pts_new(&j->c, s->rows * s->columns, sizeof *j->c, j->err));
    fill(j->a, s->rows * s->depth, &state);
    fill(j->b, s->depth * s->columns, &state);
    return pts_matrix_pack(&j->packed, j->b, s->depth, s->columns, j->err);
}

static pts_status bench_shape_of(bench *b, const bench_shape *s)
{
    gemm_job j = {.shape = s, .team = b->team, .err = &b->err};
    j.status = make_matrices(&j);
    if (j.status == PTS_OK)
        take_turns(&j);
    if (j.status == PTS_OK)
        report(b, &j);
    pts_matrix_free(j.packed);
    free(j.a);
    free(j.b);
    free(j.c);
    return j.status;
}

pts_status bench_gemm(bench *b)
{
    if (!b->json)
        printf("%6s %5s %5s %9s %7s %9s %6s  of layer\n", "rows", "cols", "depth", "GFLOP/s",
               "% peak", "OpenBLAS", "ratio");
    for (size_t i = 0; i < BENCH_SHAPES; i++)
        PTS_TRY(bench_shape_of(b, &bench_shapes[i]));
    return PTS_OK;
}
