/* ptsbench: times the engine's parts on this machine, through the public headers only.
 *
 * Each line is one operation: a warm-up, then runs until at least MIN_SECONDS and MIN_RUNS
 * (bench.c) are spent. Reported are the best run, the median, and the spread: how far the 90th
 * percentile lies above the best, as a share of the median. Inside the timed window is the
 * operation alone: no opening of files, no allocation by the benchmark, no decoding unless the line
 * says so. The inputs come from a fixed generator.
 *
 * GFLOP/s count the operations of the textbook's algorithm (a multiply-add is two), and percent of
 * peak is their share of what the team's threads can do, all at once, in fused multiply-adds on
 * registers (pts_cpu_peak). A convolution done with fewer multiplications may exceed 100 %. */
#include "bench.h"
#include "cli/defaults.h"

#include "pts/cpu.h"

#include <stdio.h>
#include <string.h>

enum { MAX_THREADS = 256 };
#define PEAK_SECONDS 0.2

/* ---- the peak ---- */

static void spin(void *user, size_t task, int thread)
{
    (void)thread;
    ((double *)user)[task] = pts_cpu_peak(PEAK_SECONDS);
}

/* All threads at once: two that share a core, or a clock that falls under load, do not add up to
 * twice the one. */
static void measure_peak(bench *b)
{
    double peaks[MAX_THREADS];
    size_t threads = (size_t)pts_team_threads(b->team);
    pts_team_run(b->team, threads, spin, peaks);
    for (size_t i = 0; i < threads; i++)
        b->peak += peaks[i];
    if (!b->json)
        printf("cpu level %s, %zu threads, measured FMA peak %.1f GFLOP/s\n", pts_cpu_level(),
               threads, b->peak * 1e-9);
}

#ifdef PTS_HAVE_JSON
static void print_json(bench *b, int threads)
{
    json_t *all = json_pack("{ss si sf so}", "cpu_level", pts_cpu_level(), "threads", threads,
                            "peak_gflops", b->peak * 1e-9, "lines", json_incref(b->lines));
    if (b->layers)
        json_object_set(all, "layers", b->steps);
    cli_print_json(all);
}
#endif

/* ---- the program ---- */

static const struct {
    const char *name;
    pts_status (*run)(bench *);
} parts[] = {{"encoders", bench_encoders}, {"gemm", bench_gemm},
             {"images", bench_images},     {"lm", bench_lm},
             {"mlp", bench_mlp},           {"map", bench_map}};

enum { PARTS = sizeof parts / sizeof *parts };
#define PART_NAMES "encoders, gemm, images, lm, mlp, map or all"

static bool is_part(const char *name)
{
    bool known = strcmp(name, "all") == 0;
    for (size_t i = 0; i < PARTS; i++)
        known |= strcmp(name, parts[i].name) == 0;
    return known;
}

static pts_status run_parts(bench *b, const char *wanted)
{
    measure_peak(b);
    for (size_t i = 0; i < PARTS; i++) {
        if (strcmp(wanted, "all") == 0 || strcmp(wanted, parts[i].name) == 0)
            PTS_TRY(parts[i].run(b));
    }
#ifdef PTS_HAVE_JSON
    if (b->json)
        print_json(b, pts_team_threads(b->team));
#endif
    return PTS_OK;
}

static pts_status run_wanted(bench *b, const char *wanted)
{
    if (b->growth)
        return bench_growth(b);
    pts_status status = pts_team_create(&b->team, (int)b->threads, &b->err);
    if (status == PTS_OK)
        status = b->follow ? bench_follow(b) : run_parts(b, wanted);
    pts_team_destroy(b->team);
    return status;
}

/* Options that fit together; -1, or the exit code. */
static int check_options(const cli_syntax *syntax, const bench *b, const char *wanted)
{
    bool driven = b->follow || b->growth;
    if ((driven || b->layers) && strcmp(wanted, "encoders") != 0)
        return cli_wrong(syntax, "--layers, --follow and --growth are for encoders, not for '%s'",
                         wanted);
    if (b->follow + b->growth + b->layers > 1 || (driven && b->json))
        return cli_wrong(syntax, "expected one of --layers, --follow and --growth, and --json only "
                                 "with --layers or alone");
    if (b->output_path && !b->follow)
        return cli_wrong(syntax, "--output: only --follow has embeddings to write");
    return -1;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    bench *b = user;
    const char *wanted = operands->count ? operands->items[0] : "all";
    if (operands->count > 1 || !is_part(wanted))
        return cli_wrong(syntax, "expected " PART_NAMES ", got '%s'",
                         operands->items[operands->count - 1]);
    int code = check_options(syntax, b, wanted);
    if (code >= 0)
        return code;
#ifdef PTS_HAVE_JSON
    b->lines = json_array();
    b->steps = json_array();
#else
    if (b->json)
        return cli_fail(syntax, "--json: built without jansson");
#endif
    char path[4096];
    b->encoder_path = cli_default_encoder(b->encoder_path, path, sizeof path);
    pts_status status = run_wanted(b, wanted);
#ifdef PTS_HAVE_JSON
    json_decref(b->lines);
    json_decref(b->steps);
#endif
    return status == PTS_OK ? CLI_DONE : cli_fail(syntax, "%s", b->err.message);
}

int main(int argc, char **argv)
{
    bench b = {0};
    const cli_option options[] = {
        {"--weights", 'w', CLI_TEXT, &b.encoder_path, "ENC.ptsw", "encoder (the installed one)"},
        CLI_THREADS_OPTION(&b.threads),
        {"--json", 0, CLI_FLAG, &b.json, NULL, "the lines as JSON"},
        {"--layers", 0, CLI_FLAG, &b.layers, NULL, "encoders: one image layer by layer, too"},
        {"--follow", 0, CLI_FLAG, &b.follow, NULL,
         "encoders: a number of images a line of stdin, the seconds a line of stdout"},
        {"--output", 'o', CLI_TEXT, &b.output_path, "FILE",
         "--follow: the last line's embeddings, raw float32"},
        {"--growth", 0, CLI_FLAG, &b.growth, NULL,
         "encoders: time and memory by batch, threads and images, CSV (minutes)"},
    };
    return CLI_RUN(options, argc, argv, run, &b, "ptsbench",
                   "[encoders|gemm|images|lm|mlp|map|all] [OPTION …]",
                   "ptsbench encoders --layers --threads 2");
}
