/* ptsbench: times the engine's parts on this machine, through the public headers only.
 *
 * Each line is one operation: a warm-up, then runs until at least MIN_SECONDS and MIN_RUNS are
 * spent; minimum and median of the runs are reported. Inside the timed window is the operation
 * alone: no opening of files, no allocation by the benchmark, no decoding unless the line says
 * so. The inputs come from a fixed generator. */
#include "bench.h"
#include "cli/defaults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MIN_RUNS = 5, MAX_RUNS = 200 };
#define MIN_SECONDS 1.0

double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void report(bench *b, const char *name, double *times, size_t runs, double flops)
{
    qsort(times, runs, sizeof *times, by_value);
    double median = times[runs / 2];
#ifdef PTS_HAVE_JSON
    if (b->json) {
        json_t *line = json_pack("{ss sf sf sI}", "name", name, "min_ms", times[0] * 1e3,
                                 "median_ms", median * 1e3, "runs", (json_int_t)runs);
        if (flops > 0)
            json_object_set_new(line, "gflops", json_real(flops / median * 1e-9));
        json_array_append_new(b->lines, line);
        return;
    }
#else
    (void)b;
#endif
    printf("%-44s min %9.3f ms  median %9.3f ms  (%zu runs)", name, times[0] * 1e3, median * 1e3,
           runs);
    if (flops > 0)
        printf("  %.1f GFLOP/s", flops / median * 1e-9);
    putchar('\n');
}

pts_status bench_measure(bench *b, const char *name, double flops, bench_work work, void *user)
{
    double times[MAX_RUNS], spent = 0;
    size_t runs = 0;
    pts_status status = work(user, &b->err);
    while (status == PTS_OK && runs < MAX_RUNS && (runs < MIN_RUNS || spent < MIN_SECONDS)) {
        double start = bench_seconds();
        status = work(user, &b->err);
        spent += times[runs++] = bench_seconds() - start;
    }
    if (status == PTS_OK)
        report(b, name, times, runs, flops);
    return status;
}

double bench_uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static const struct {
    const char *name;
    pts_status (*run)(bench *);
} parts[] = {{"encoders", bench_encoders},
             {"images", bench_images},
             {"lm", bench_lm},
             {"mlp", bench_mlp},
             {"map", bench_map}};

enum { PARTS = sizeof parts / sizeof *parts };

static pts_status run_parts(bench *b, const char *wanted)
{
    pts_status status = pts_team_create(&b->team, (int)b->threads, &b->err);
    for (size_t i = 0; i < PARTS && status == PTS_OK; i++) {
        if (strcmp(wanted, "all") == 0 || strcmp(wanted, parts[i].name) == 0)
            status = parts[i].run(b);
    }
    pts_team_destroy(b->team);
    return status;
}

static int run(const cli_syntax *syntax, bench *b, const cli_list *operands)
{
    const char *wanted = operands->count ? operands->items[0] : "all";
    bool known = strcmp(wanted, "all") == 0;
    for (size_t i = 0; i < PARTS; i++)
        known |= strcmp(wanted, parts[i].name) == 0;
    if (!known || operands->count > 1)
        return cli_wrong(syntax, "expected encoders, images, lm, mlp, map or all, got '%s'",
                         operands->items[operands->count - 1]);
    if (b->threads < 0 || b->threads > 256)
        return cli_wrong(syntax, "--threads: expected 0 … 256, got %ld", b->threads);
#ifdef PTS_HAVE_JSON
    b->lines = json_array();
#else
    if (b->json)
        return cli_fail(syntax, "--json: built without jansson");
#endif
    snprintf(b->err.message, sizeof b->err.message, "out of memory");
    pts_status status = run_parts(b, wanted);
#ifdef PTS_HAVE_JSON
    if (status == PTS_OK && b->json)
        cli_print_json(b->lines);
    else
        json_decref(b->lines);
#endif
    return status == PTS_OK ? CLI_DONE : cli_fail(syntax, "%s", b->err.message);
}

int main(int argc, char **argv)
{
    bench b = {0};
    const cli_option options[] = {
        {"--weights", 'w', CLI_TEXT, &b.encoder_path, "ENC.ptsw", "encoder (the installed one)"},
        {"--threads", 0, CLI_INTEGER, &b.threads, "N", "threads (all cores)"},
        {"--json", 0, CLI_FLAG, &b.json, NULL, "the lines as JSON"},
    };
    const cli_syntax syntax = {"ptsbench", "[encoders|images|lm|mlp|map|all]",
                               "ptsbench encoders --threads 2", options,
                               sizeof options / sizeof *options};
    cli_list operands = {calloc((size_t)argc + 1, sizeof(char *)), 0};
    if (!operands.items)
        return cli_fail(&syntax, "out of memory");
    char path[4096];
    int code = cli_parse(&syntax, argc, argv, &operands);
    if (!b.encoder_path)
        b.encoder_path = cli_default_file("inception_v3.ptsw", path, sizeof path);
    if (code < 0)
        code = run(&syntax, &b, &operands);
    free(operands.items);
    return code;
}
