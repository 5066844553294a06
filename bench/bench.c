#include "bench.h"
#include "base/order.h"

#include <stdio.h>
#include <stdlib.h>

enum { MIN_RUNS = 10, MAX_RUNS = 200 };
#define MIN_SECONDS 1.0

double bench_uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, pts_compare_doubles);
    return 0.5 * (values[count / 2] + values[(count - 1) / 2]);
}

double bench_percent(const bench *b, double flops_s)
{
    return 100 * flops_s / b->peak;
}

#ifdef PTS_HAVE_JSON
static void add_line(bench *b, const char *name, const double *times, size_t runs, double median,
                     double p90, double rate)
{
    json_t *line = json_pack("{ss sf sf sf sf sI}", "name", name, "best_ms", times[0] * 1e3,
                             "median_ms", median * 1e3, "p90_ms", p90 * 1e3, "spread",
                             (p90 - times[0]) / median, "runs", (json_int_t)runs);
    if (rate > 0) {
        json_object_set_new(line, "gflop", pts_json_real(rate * median * 1e-9));
        json_object_set_new(line, "gflops", pts_json_real(rate * 1e-9));
        json_object_set_new(line, "percent_of_peak", pts_json_real(bench_percent(b, rate)));
    }
    json_array_append_new(b->lines, line);
}
#endif

static void report(bench *b, const char *name, double *times, size_t runs, double flops)
{
    double median = bench_median(times, runs), p90 = times[(9 * runs + 9) / 10 - 1];
    double rate = flops / median;
#ifdef PTS_HAVE_JSON
    if (b->json) {
        add_line(b, name, times, runs, median, p90, rate);
        return;
    }
#endif
    printf("%-46s best %9.3f  median %9.3f ms  spread %5.1f %%  (%zu runs)", name, times[0] * 1e3,
           median * 1e3, 100 * (p90 - times[0]) / median, runs);
    if (rate > 0)
        printf("  %.1f GFLOP/s, %.1f %% of peak", rate * 1e-9, bench_percent(b, rate));
    putchar('\n');
    fflush(stdout);
}

pts_status bench_measure(bench *b, const char *name, double flops, bench_work work, void *user)
{
    double times[MAX_RUNS], spent = 0;
    size_t runs = 0;
    pts_status status = work(user, &b->err);
    while (status == PTS_OK && runs < MAX_RUNS && (runs < MIN_RUNS || spent < MIN_SECONDS)) {
        double start = pts_clock();
        status = work(user, &b->err);
        spent += times[runs++] = pts_clock() - start;
    }
    if (status == PTS_OK)
        report(b, name, times, runs, flops);
    return status;
}
