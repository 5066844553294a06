/* The parts around the encoder: resizing, curve fitting, the perceptron, mask AP. */
#include "bench.h"

#include "pts/curve.h"
#include "pts/image.h"
#include "pts/mlp.h"
#include "pts/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- images ---- */

static pts_status resize_work(void *user, pts_error *err)
{
    pts_image out;
    pts_status status = pts_image_resize(user, 299, 299, PTS_FILTER_BILINEAR, &out, err);
    pts_image_free(&out);
    return status;
}

pts_status bench_images(bench *b)
{
    pts_image image = {1155, 866, NULL};
    uint64_t state = 2;
    PTS_TRY(pts_new(&image.rgb, image.width * image.height, 3, &b->err));
    for (size_t i = 0; i < image.width * image.height * 3; i++)
        image.rgb[i] = (uint8_t)(256 * bench_uniform(&state));
    pts_status status =
        bench_measure(b, "image 1155x866 to 299x299, bilinear, 1 thread", 0, resize_work, &image);
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

enum { RESAMPLES = 10000 };

typedef struct bootstrap_job {
    const fit_job *from;
    pts_team *team;
} bootstrap_job;

/* The curve's points drawn with replacement, each resample from random numbers of its own. */
static void fit_resample(void *user, size_t task, int thread)
{
    const bootstrap_job *j = user;
    fit_job drawn;
    pts_fit fit;
    uint64_t state = 1000 + task;
    (void)thread;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        size_t k = (size_t)(CURVE_POINTS * bench_uniform(&state));
        drawn.n[i] = j->from->n[k];
        drawn.map[i] = j->from->map[k];
    }
    pts_curve_fit(drawn.n, drawn.map, CURVE_POINTS, &fit, NULL);
}

static pts_status bootstrap_work(void *user, pts_error *err)
{
    bootstrap_job *j = user;
    (void)err;
    pts_team_run(j->team, RESAMPLES, fit_resample, j);
    return PTS_OK;
}

pts_status bench_lm(bench *b)
{
    fit_job job;
    const pts_curve curve = {0.02, 1.7, 80, 0.6};
    uint64_t state = 3;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        job.n[i] = floor(2 * pow(300, (double)i / (CURVE_POINTS - 1))) + (double)i;
        job.map[i] = pts_curve_at(&curve, job.n[i]) + 0.04 * (bench_uniform(&state) - 0.5);
    }
    pts_status status =
        bench_measure(b, "lm: 4PL of 45 points, cold start, 1 thread", 0, fit_work, &job);
    if (status != PTS_OK)
        return status;
    bootstrap_job bootstrap = {&job, b->team};
    return bench_measure(b, "lm: bootstrap, 10000 fits of 45 points", 0, bootstrap_work,
                         &bootstrap);
}

/* ---- multilayer perceptron ---- */

enum { MLP_ROWS = 64, MLP_IMAGES = 4096, MLP_OUT = 4 };

/* The study's heads: four photographs' embeddings side by side. */
static const struct {
    const char *name;
    size_t dim;
} mlp_heads[] = {{"mlp: Adam step, CLIP head (2048 inputs), batch 64", 512},
                 {"mlp: Adam step, InceptionV3 head (8192), batch 64", 2048}};

typedef struct mlp_job {
    pts_mlp *mlp;
    size_t dim;
    float *embeddings; /* [MLP_IMAGES][dim] */
    float *x, *target; /* [MLP_ROWS][4·dim], [MLP_ROWS][MLP_OUT] */
    uint64_t state;
} mlp_job;

/* A step begins with drawing its photographs, as training does. */
static pts_status mlp_work(void *user, pts_error *err)
{
    const pts_mlp_training training = PTS_MLP_TRAINING_DEFAULTS;
    mlp_job *j = user;
    double loss;
    for (size_t i = 0; i < 4 * MLP_ROWS; i++) {
        size_t image = (size_t)(MLP_IMAGES * bench_uniform(&j->state));
        memcpy(j->x + i * j->dim, j->embeddings + image * j->dim, j->dim * sizeof *j->x);
    }
    return pts_mlp_step(j->mlp, j->x, j->target, MLP_ROWS, &training, &loss, err);
}

static pts_status fill_mlp_job(bench *b, mlp_job *j)
{
    const size_t sizes[] = {4 * j->dim, 2048, 1024, 512, 256, MLP_OUT};
    PTS_TRY(pts_new(&j->embeddings, MLP_IMAGES * j->dim, sizeof *j->embeddings, &b->err));
    PTS_TRY(pts_new(&j->x, MLP_ROWS * 4 * j->dim, sizeof *j->x, &b->err));
    PTS_TRY(pts_new(&j->target, MLP_ROWS * MLP_OUT, sizeof *j->target, &b->err));
    for (size_t i = 0; i < MLP_IMAGES * j->dim; i++)
        j->embeddings[i] = (float)bench_uniform(&j->state);
    for (size_t i = 0; i < MLP_ROWS * MLP_OUT; i++)
        j->target[i] = 10 + (float)bench_uniform(&j->state);
    return pts_mlp_create(&j->mlp, sizes, 5, 1, b->team, &b->err);
}

pts_status bench_mlp(bench *b)
{
    pts_status status = PTS_OK;
    for (size_t i = 0; i < sizeof mlp_heads / sizeof *mlp_heads && status == PTS_OK; i++) {
        mlp_job job = {.dim = mlp_heads[i].dim, .state = 4};
        status = fill_mlp_job(b, &job);
        if (status == PTS_OK) {
            double flops = 6.0 * MLP_ROWS * (double)pts_mlp_parameter_count(job.mlp) -
                           2.0 * MLP_ROWS * 4 * (double)job.dim * 2048; /* no input gradient */
            status = bench_measure(b, mlp_heads[i].name, flops, mlp_work, &job);
        }
        pts_mlp_destroy(job.mlp);
        free(job.embeddings);
        free(job.x);
        free(job.target);
    }
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
            double x = 200 * bench_uniform(&state), y = 200 * bench_uniform(&state);
            double side = 8 + 40 * bench_uniform(&state), shift = 6 * bench_uniform(&state);
            PTS_TRY(square(&j->truths[i][k], x, y, side, err));
            PTS_TRY(square(&j->found[i][k], x + shift, y, side, err));
            j->scores[i][k] = bench_uniform(&state);
        }
        j->images[i] =
            (pts_image_masks){j->truths[i], AP_MASKS, j->found[i], j->scores[i], AP_MASKS};
    }
    return PTS_OK;
}

static pts_status map_work(void *user, pts_error *err)
{
    map_job *j = user;
    pts_ap map;
    return pts_ap_of_masks(j->images, AP_IMAGES, PTS_AP_COCO, &map, err);
}

pts_status bench_map(bench *b)
{
    map_job *job;
    PTS_TRY(pts_new(&job, 1, sizeof *job, &b->err));
    pts_status status = fill_map_job(job, &b->err);
    if (status == PTS_OK)
        status = bench_measure(b, "map: COCO mask AP, 40 images x 30, 1 thread", 0, map_work, job);
    for (size_t i = 0; i < AP_IMAGES * AP_MASKS; i++) {
        pts_rle_destroy(job->truths[i / AP_MASKS][i % AP_MASKS]);
        pts_rle_destroy(job->found[i / AP_MASKS][i % AP_MASKS]);
    }
    free(job);
    return status;
}
