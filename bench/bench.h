/* What the parts of ptsbench share: the timer, the report and the generator of inputs.
 *
 * A part is one function: it makes its inputs, calls bench_measure for each operation and returns
 * the first failure, whose message lies in bench.err. The table in ptsbench.c names the parts. */
#ifndef PTS_BENCH_BENCH_H
#define PTS_BENCH_BENCH_H

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/cli.h"

typedef struct bench {
    const char *encoder_path, *output_path;
    long threads;
    bool json, layers, follow, growth;
    pts_team *team;
    double peak; /* float32 operations a second that the whole team can do */
    pts_error err;
#ifdef PTS_HAVE_JSON
    json_t *lines, *steps; /* operations; an encoder's layers */
#endif
} bench;

typedef pts_status (*bench_work)(void *user, pts_error *err);

/* Calls work(user) until enough time and runs are spent, then reports: `flops` operations a call,
 * 0 where they are not what the operation is about. */
pts_status bench_measure(bench *b, const char *name, double flops, bench_work work, void *user);

double bench_uniform(uint64_t *state);                /* [0, 1), from a generator at *state */
double bench_median(double *values, size_t count);    /* sorts them; count ≥ 1 */
double bench_percent(const bench *b, double flops_s); /* of the team's peak */

pts_status bench_encoders(bench *b);
pts_status bench_gemm(bench *b);
pts_status bench_images(bench *b);
pts_status bench_lm(bench *b);
pts_status bench_mlp(bench *b);
pts_status bench_map(bench *b);

/* The encoder driven from outside, and its cost by batch, threads and images. */
pts_status bench_follow(bench *b);
pts_status bench_growth(bench *b); /* without a team: it starts processes */

#endif
