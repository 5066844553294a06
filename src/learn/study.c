#include "learn/study.h"

#include "base/error.h"
#include "base/memory.h"
#include "learn/layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TRAIN, VALIDATION, TEST, PARTS };

#define COMBINATIONS_MAX 1000000

/* One task's photographs, shuffled and cut into train, validation, test. */
typedef struct study_part {
    size_t *order; /* [images] */
    size_t first[PARTS], count[PARTS];
    float target[4]; /* (A, B, C, D) + 10 */
} study_part;

typedef struct study_state {
    const pts_tasks *tasks;
    const pts_head_options *options;
    study_part *parts; /* [tasks] */
    size_t *samples;   /* [samples of an epoch]: task numbers, shuffled */
    size_t epoch;      /* samples of an epoch */
    float *x, *target; /* [batch][4·dim], [batch][4] */
    float *best;       /* parameters of the best epoch */
    float mean[4];     /* of the targets */
    pts_rng rng;
} study_state;

pts_status study_network(pts_mlp **out, size_t dim, uint64_t seed, pts_team *team, pts_error *err)
{
    const size_t sizes[STUDY_LAYERS + 1] = {4 * dim, 2048, 1024, 512, 256, 4};
    return pts_mlp_create(out, sizes, STUDY_LAYERS, seed, team, err);
}

void study_theta(const float output[4], double theta[4])
{
    theta[0] = (double)output[0] - STUDY_SHIFT;
    theta[1] = log(fmax((double)output[1] - STUDY_SHIFT, 0.01));
    theta[2] = log(fmax((double)output[2] - STUDY_SHIFT, 0.01));
    theta[3] = (double)output[3] - STUDY_SHIFT;
}

/* ---- data ---- */

static void shuffle(pts_rng *rng, size_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = pts_rng_below(rng, i), t = items[i - 1];
        items[i - 1] = items[j];
        items[j] = t;
    }
}

static pts_status split_task(study_state *s, size_t t, pts_error *err)
{
    const task_row *row = &s->tasks->rows[t];
    study_part *part = &s->parts[t];
    size_t images = row->task.images, small = (size_t)(0.15 * (double)images + 0.5);
    if (small < 4)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: class %s: expected at least 24 photographs (four in each part of "
                        "0.7, 0.15, 0.15), got %zu",
                        row->task.dataset, row->task.class_name, images);
    part->order = calloc(images, sizeof *part->order);
    if (!part->order)
        return pts_fail_memory(err, images * sizeof *part->order);
    for (size_t i = 0; i < images; i++)
        part->order[i] = i;
    shuffle(&s->rng, part->order, images);
    const size_t counts[PARTS] = {images - 2 * small, small, small};
    for (size_t p = 0, at = 0; p < PARTS; at += counts[p++]) {
        part->first[p] = at;
        part->count[p] = counts[p];
    }
    const double curve[4] = {row->theta[0], exp(row->theta[1]), exp(row->theta[2]), row->theta[3]};
    for (size_t i = 0; i < 4; i++) {
        part->target[i] = (float)(curve[i] + STUDY_SHIFT);
        s->mean[i] += part->target[i] / (float)s->tasks->count;
    }
    return PTS_OK;
}

static pts_status check_options(const pts_head_options *o, pts_error *err)
{
    if (o->epochs < 1 || o->epochs > 100000)
        return pts_fail(err, PTS_ERR_ARGUMENT, "epochs: expected 1 … 100000, got %zu", o->epochs);
    if (o->batch < 1 || o->batch > 4096)
        return pts_fail(err, PTS_ERR_ARGUMENT, "batch: expected 1 … 4096, got %zu", o->batch);
    if (o->combinations < 1 || o->combinations > COMBINATIONS_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "combinations: expected 1 … %d, got %zu",
                        COMBINATIONS_MAX, o->combinations);
    if (!(o->rate > 0 && o->rate <= 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "rate: expected above 0, at most 1, got %g",
                        o->rate);
    return PTS_OK;
}

static void state_free(study_state *s)
{
    for (size_t t = 0; s->parts && t < s->tasks->count; t++)
        free(s->parts[t].order);
    free(s->parts);
    free(s->samples);
    free(s->x);
    free(s->target);
    free(s->best);
}

static pts_status state_fill(study_state *s, pts_error *err)
{
    size_t batch = s->options->batch;
    s->parts = calloc(s->tasks->count, sizeof *s->parts);
    s->samples = calloc(s->epoch, sizeof *s->samples);
    s->x = pts_calloc64(batch * 4 * s->tasks->dim, sizeof *s->x);
    s->target = pts_calloc64(batch * 4, sizeof *s->target);
    if (!s->parts || !s->samples || !s->x || !s->target)
        return pts_fail_memory(err, batch * 4 * s->tasks->dim * sizeof *s->x);
    for (size_t t = 0; t < s->tasks->count; t++)
        PTS_TRY(split_task(s, t, err));
    for (size_t i = 0; i < s->epoch; i++)
        s->samples[i] = i % s->tasks->count;
    return PTS_OK;
}

/* Four different photographs of a part, in random order, side by side. */
static void draw(const study_state *s, pts_rng *rng, size_t task, size_t which, float *x)
{
    const study_part *part = &s->parts[task];
    const pts_task *t = &s->tasks->rows[task].task;
    size_t chosen[4], dim = s->tasks->dim;
    for (size_t k = 0; k < 4;) {
        size_t image = part->order[part->first[which] + pts_rng_below(rng, part->count[which])];
        size_t seen = 0;
        for (size_t i = 0; i < k; i++)
            seen |= chosen[i] == image;
        if (seen)
            continue;
        memcpy(x + k * dim, t->embeddings + image * dim, dim * sizeof *x);
        chosen[k++] = image;
    }
}

static void fill_batch(const study_state *s, pts_rng *rng, const size_t *tasks, size_t rows,
                       size_t which)
{
    for (size_t r = 0; r < rows; r++) {
        draw(s, rng, tasks[r], which, s->x + r * 4 * s->tasks->dim);
        memcpy(s->target + r * 4, s->parts[tasks[r]].target, 4 * sizeof *s->target);
    }
}

/* ---- measuring ---- */

typedef struct study_sums {
    double loss, smape[4], constant[4], mae, mae_mean;
    size_t samples;
} study_sums;

/* Of the curve with θ; theta NULL: of the mean of all measured curves. */
static double curve_error(const pts_tasks *tasks, const task_row *row, const double theta[4])
{
    enum { GRID = 12 };
    double sum = 0, first = row->log_n[0], last = row->log_n[row->task.points - 1];
    for (size_t g = 0; g < GRID; g++) {
        double log_n = fmin(first + (last - first) * (double)g / (GRID - 1), last), value = 0;
        for (size_t t = 0; !theta && t < tasks->count; t++)
            value += theta_measured(&tasks->rows[t].points, tasks->rows[t].theta, log_n) /
                     (double)tasks->count;
        if (theta)
            value = fmin(fmax(theta_value(theta, log_n, NULL), 0), 1);
        sum += fabs(value - theta_measured(&row->points, row->theta, log_n));
    }
    return sum / GRID;
}

static double smape_term(double a, double b)
{
    return fabs(a) + fabs(b) > 0 ? 200 * fabs(a - b) / (fabs(a) + fabs(b)) : 0;
}

static void add_sample(const study_state *s, size_t task, const float y[4], study_sums *sums)
{
    const float *target = s->parts[task].target;
    double theta[4];
    study_theta(y, theta);
    for (size_t i = 0; i < 4; i++) {
        double difference = (double)y[i] - target[i];
        sums->loss += difference * difference / 4;
        sums->smape[i] += smape_term(y[i], target[i]);
        sums->constant[i] += smape_term(s->mean[i], target[i]);
    }
    sums->mae += curve_error(s->tasks, &s->tasks->rows[task], theta);
    sums->samples++;
}

/* A quarter of the training combinations of each task, always the same ones. */
static pts_status measure(const study_state *s, pts_mlp *mlp, size_t which, study_sums *sums,
                          pts_error *err)
{
    *sums = (study_sums){0};
    pts_rng rng = {s->options->seed + which};
    size_t tasks = s->tasks->count, total = (s->options->combinations + 3) / 4 * tasks;
    float *y = pts_calloc64(s->options->batch * 4, sizeof *y);
    size_t *numbers = calloc(s->options->batch, sizeof *numbers);
    pts_status status = y && numbers ? PTS_OK : pts_fail_memory(err, s->options->batch * 16);
    for (size_t at = 0; status == PTS_OK && at < total; at += s->options->batch) {
        size_t rows = total - at < s->options->batch ? total - at : s->options->batch;
        for (size_t r = 0; r < rows; r++)
            numbers[r] = (at + r) % tasks;
        fill_batch(s, &rng, numbers, rows, which);
        status = pts_mlp_forward(mlp, s->x, rows, y, err);
        for (size_t r = 0; status == PTS_OK && r < rows; r++)
            add_sample(s, numbers[r], y + r * 4, sums);
    }
    free(y);
    free(numbers);
    return status;
}

/* ---- training ---- */

static pts_status train_epoch(study_state *s, pts_mlp *mlp, pts_error *err)
{
    pts_mlp_training training = PTS_MLP_TRAINING_DEFAULTS;
    training.rate = s->options->rate;
    shuffle(&s->rng, s->samples, s->epoch);
    for (size_t at = 0; at < s->epoch; at += s->options->batch) {
        size_t rows = s->epoch - at < s->options->batch ? s->epoch - at : s->options->batch;
        double loss;
        fill_batch(s, &s->rng, s->samples + at, rows, TRAIN);
        PTS_TRY(pts_mlp_step(mlp, s->x, s->target, rows, &training, &loss, err));
    }
    return PTS_OK;
}

static pts_status train(study_state *s, pts_mlp *mlp, pts_study_report *report,
                        pts_progress progress, void *user, pts_error *err)
{
    size_t bytes = pts_mlp_parameter_count(mlp) * sizeof *s->best;
    s->best = pts_calloc64(pts_mlp_parameter_count(mlp), sizeof *s->best);
    if (!s->best)
        return pts_fail_memory(err, bytes);
    double least = INFINITY;
    for (size_t epoch = 1; epoch <= s->options->epochs; epoch++) {
        if (progress && progress(user, "epoch", epoch - 1, s->options->epochs) != 0)
            return pts_fail(err, PTS_ERR_CANCELLED, "stopped before epoch %zu", epoch);
        study_sums sums;
        PTS_TRY(train_epoch(s, mlp, err));
        PTS_TRY(measure(s, mlp, VALIDATION, &sums, err));
        if (!(sums.loss < least))
            continue;
        least = sums.loss;
        report->best_epoch = epoch;
        memcpy(s->best, pts_mlp_parameters(mlp), bytes);
    }
    if (progress)
        progress(user, "epoch", s->options->epochs, s->options->epochs);
    memcpy(pts_mlp_parameters(mlp), s->best, bytes);
    return PTS_OK;
}

static void note(const study_state *s, const study_sums *sums, pts_study_report *report)
{
    double samples = (double)sums->samples, tasks = (double)s->tasks->count;
    report->tasks = s->tasks->count;
    report->epochs = s->options->epochs;
    report->samples_train = s->epoch;
    report->samples_test = sums->samples;
    report->mae = sums->mae / samples;
    report->mae_mean_curve = 0;
    for (size_t t = 0; t < s->tasks->count; t++)
        report->mae_mean_curve += curve_error(s->tasks, &s->tasks->rows[t], NULL) / tasks;
    for (size_t i = 0; i < 4; i++) {
        report->smape[i] = sums->smape[i] / samples;
        report->smape_constant[i] = sums->constant[i] / samples;
    }
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static pts_status run(study_state *s, pts_mlp *mlp, pts_study_report *report, pts_progress progress,
                      void *user, pts_error *err)
{
    double start = seconds_now();
    study_sums sums;
    PTS_TRY(state_fill(s, err));
    PTS_TRY(train(s, mlp, report, progress, user, err));
    PTS_TRY(measure(s, mlp, TEST, &sums, err));
    note(s, &sums, report);
    report->seconds = seconds_now() - start;
    return PTS_OK;
}

pts_status study_run(pts_mlp **out, pts_study_report *report, const pts_tasks *tasks,
                     const pts_head_options *options, pts_team *team, pts_progress progress,
                     void *user, pts_error *err)
{
    if (out)
        *out = NULL;
    *report = (pts_study_report){0};
    PTS_TRY(check_options(options, err));
    if (tasks->count < 1)
        return pts_fail(err, PTS_ERR_SHAPE, "curves: expected at least one, got none");
    study_state s = {.tasks = tasks, .options = options, .rng = {options->seed}};
    s.epoch = options->combinations * tasks->count;
    pts_mlp *mlp;
    PTS_TRY(study_network(&mlp, tasks->dim, options->seed, team, err));
    pts_status status = run(&s, mlp, report, progress, user, err);
    state_free(&s);
    pts_mlp_release_team(mlp);
    if (status != PTS_OK || !out)
        pts_mlp_destroy(mlp);
    else
        *out = mlp;
    return status;
}

pts_status pts_evaluate_study(pts_study_report *out, const pts_tasks *tasks,
                              const pts_head_options *options, pts_team *team,
                              pts_progress progress, void *user, pts_error *err)
{
    return study_run(NULL, out, tasks, options, team, progress, user, err);
}
