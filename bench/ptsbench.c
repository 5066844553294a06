/* ptsbench: times the engine's parts on this machine, through the public headers only.
 *
 * Each line is one operation: a warm-up, then runs until at least MIN_SECONDS and MIN_RUNS are
 * spent; minimum and median of the runs are reported. Inside the timed window is the operation
 * alone: no opening of files, no allocation by the benchmark, no decoding unless the line says
 * so. The inputs come from a fixed generator. */
#include "cli/cli.h"
#include "cli/defaults.h"

#include "pts/curve.h"
#include "pts/encoder.h"
#include "pts/image.h"
#include "pts/learn.h"
#include "pts/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MIN_RUNS = 5, MAX_RUNS = 200 };
#define MIN_SECONDS 1.0

typedef struct bench {
    const char *encoder_path;
    long threads;
    bool json;
    pts_team *team;
    pts_error err;
#ifdef PTS_HAVE_JSON
    json_t *lines;
#endif
} bench;

static double seconds_now(void)
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

/* Calls work(user) until the clock is satisfied. */
static pts_status measure(bench *b, const char *name, double flops,
                          pts_status (*work)(void *, pts_error *), void *user)
{
    double times[MAX_RUNS], spent = 0;
    size_t runs = 0;
    pts_status status = work(user, &b->err);
    while (status == PTS_OK && runs < MAX_RUNS && (runs < MIN_RUNS || spent < MIN_SECONDS)) {
        double start = seconds_now();
        status = work(user, &b->err);
        spent += times[runs++] = seconds_now() - start;
    }
    if (status == PTS_OK)
        report(b, name, times, runs, flops);
    return status;
}

static double next_uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

/* ---- encoders ---- */

typedef struct embedding_job {
    pts_encoder *encoder;
    const float *images;
    float *out;
    size_t count;
} embedding_job;

static pts_status embed_work(void *user, pts_error *err)
{
    embedding_job *j = user;
    return pts_encoder_embed(j->encoder, j->images, j->count, j->out, err);
}

/* Multiplications and additions of InceptionV3's convolutions at 299×299. */
#define INCEPTION_V3_FLOPS (2 * 5.713e9)

static pts_status bench_encoders(bench *b)
{
    enum { BATCH = 4 };
    embedding_job job;
    pts_status status = pts_encoder_open(&job.encoder, b->encoder_path, b->team, &b->err);
    if (status != PTS_OK)
        return status;
    size_t side = pts_encoder_input_size(job.encoder), floats = side * side * 3;
    float *images = malloc(BATCH * floats * sizeof *images);
    job.out = malloc(BATCH * pts_encoder_dim(job.encoder) * sizeof *job.out);
    uint64_t state = 1;
    for (size_t i = 0; images && i < BATCH * floats; i++)
        images[i] = (float)next_uniform(&state);
    job.images = images;
    if (!images || !job.out)
        status = PTS_ERR_MEMORY;
    for (job.count = 1; status == PTS_OK && job.count <= BATCH; job.count += BATCH - 1) {
        char name[64];
        snprintf(name, sizeof name, "encoder %s, batch %zu, %d threads",
                 pts_encoder_arch(job.encoder), job.count, pts_team_threads(b->team));
        status = measure(b, name, INCEPTION_V3_FLOPS * (double)job.count, embed_work, &job);
    }
    free(images);
    free(job.out);
    pts_encoder_close(job.encoder);
    return status;
}

/* ---- images ---- */

static pts_status resize_work(void *user, pts_error *err)
{
    pts_image out;
    pts_status status = pts_image_resize(user, 299, 299, PTS_FILTER_BILINEAR, &out, err);
    pts_image_free(&out);
    return status;
}

static pts_status bench_images(bench *b)
{
    pts_image image = {1155, 866, malloc(1155 * 866 * 3)};
    uint64_t state = 2;
    if (!image.rgb)
        return PTS_ERR_MEMORY;
    for (size_t i = 0; i < image.width * image.height * 3; i++)
        image.rgb[i] = (uint8_t)(256 * next_uniform(&state));
    pts_status status =
        measure(b, "image 1155x866 to 299x299, bilinear, 1 thread", 0, resize_work, &image);
    pts_image_free(&image);
    return status;
}

/* ---- curve fitting ---- */

enum { CURVE_POINTS = 45 };

typedef struct fit_job {
    double n[CURVE_POINTS], map[CURVE_POINTS];
} fit_job;

static pts_status fit_work(void *user, pts_error *err)
{
    fit_job *j = user;
    pts_fit fit;
    return pts_curve_fit(j->n, j->map, CURVE_POINTS, &fit, err);
}

static pts_status bench_lm(bench *b)
{
    fit_job job;
    const pts_curve curve = {0.02, 1.7, 80, 0.6};
    uint64_t state = 3;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        job.n[i] = floor(2 * pow(300, (double)i / (CURVE_POINTS - 1))) + (double)i;
        job.map[i] = pts_curve_at(&curve, job.n[i]) + 0.04 * (next_uniform(&state) - 0.5);
    }
    return measure(b, "lm: 4PL of 45 points, cold start, 1 thread", 0, fit_work, &job);
}

/* ---- multilayer perceptron ---- */

typedef struct mlp_job {
    pts_mlp *mlp;
    float *x, *target;
} mlp_job;

enum { MLP_ROWS = 64, MLP_IN = 8192, MLP_OUT = 4 };

static pts_status mlp_work(void *user, pts_error *err)
{
    const pts_mlp_adam adam = PTS_MLP_ADAM_DEFAULTS;
    mlp_job *j = user;
    double loss;
    return pts_mlp_step(j->mlp, j->x, j->target, MLP_ROWS, &adam, &loss, err);
}

static pts_status bench_mlp(bench *b)
{
    const size_t sizes[] = {MLP_IN, 2048, 1024, 512, 256, MLP_OUT};
    mlp_job job = {.x = malloc(MLP_ROWS * MLP_IN * sizeof(float)),
                   .target = calloc(MLP_ROWS * MLP_OUT, sizeof(float))};
    uint64_t state = 4;
    for (size_t i = 0; job.x && i < MLP_ROWS * MLP_IN; i++)
        job.x[i] = (float)next_uniform(&state);
    pts_status status = pts_mlp_create(&job.mlp, sizes, 5, 1, b->team, &b->err);
    if (!job.x || !job.target)
        status = PTS_ERR_MEMORY;
    if (status == PTS_OK) {
        double flops = 6.0 * MLP_ROWS * (double)pts_mlp_parameter_count(job.mlp);
        status = measure(b, "mlp: Adam step of the study's head, batch 64", flops, mlp_work, &job);
    }
    pts_mlp_destroy(job.mlp);
    free(job.x);
    free(job.target);
    return status;
}

/* ---- mask AP ---- */

enum { AP_IMAGES = 40, AP_MASKS = 30, AP_SIDE = 224 };

typedef struct map_job {
    pts_image_masks images[AP_IMAGES];
    pts_rle *truths[AP_IMAGES][AP_MASKS], *found[AP_IMAGES][AP_MASKS];
    double scores[AP_IMAGES][AP_MASKS];
} map_job;

static pts_status square(pts_rle **out, double x, double y, double side, pts_error *err)
{
    const double xy[] = {x, y, x + side, y, x + side, y + side, x, y + side};
    return pts_rle_from_polygon(out, xy, 4, AP_SIDE, AP_SIDE, err);
}

static pts_status fill_map_job(map_job *j, pts_error *err)
{
    uint64_t state = 5;
    for (size_t i = 0; i < AP_IMAGES; i++) {
        for (size_t k = 0; k < AP_MASKS; k++) {
            double x = 200 * next_uniform(&state), y = 200 * next_uniform(&state);
            double side = 8 + 40 * next_uniform(&state), shift = 6 * next_uniform(&state);
            pts_status status = square(&j->truths[i][k], x, y, side, err);
            if (status == PTS_OK)
                status = square(&j->found[i][k], x + shift, y, side, err);
            if (status != PTS_OK)
                return status;
            j->scores[i][k] = next_uniform(&state);
        }
        j->images[i] =
            (pts_image_masks){j->truths[i], AP_MASKS, j->found[i], j->scores[i], AP_MASKS};
    }
    return PTS_OK;
}

static pts_status map_work(void *user, pts_error *err)
{
    map_job *j = user;
    pts_map map;
    return pts_map_of_masks(j->images, AP_IMAGES, PTS_AP_COCO, &map, err);
}

static pts_status bench_map(bench *b)
{
    map_job *job = calloc(1, sizeof *job);
    if (!job)
        return PTS_ERR_MEMORY;
    pts_status status = fill_map_job(job, &b->err);
    if (status == PTS_OK)
        status = measure(b, "map: COCO mask AP, 40 images x 30, 1 thread", 0, map_work, job);
    for (size_t i = 0; i < AP_IMAGES * AP_MASKS; i++) {
        pts_rle_destroy(job->truths[i / AP_MASKS][i % AP_MASKS]);
        pts_rle_destroy(job->found[i / AP_MASKS][i % AP_MASKS]);
    }
    free(job);
    return status;
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
