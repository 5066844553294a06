#include "study/study.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "pts/hash.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMBINATIONS_MAX 1000000
#define MADE_OF 512

typedef struct study_state {
    const pts_tasks *tasks;
    const pts_study_options *options;
    pts_mlp *mlp;
    study_samples samples;
    float (*targets)[4]; /* [tasks]: (A, B, C, D) + 10 */
    float mean[4];       /* of the targets */
    size_t *order;       /* [training samples]: an epoch's */
    float *x, *target;   /* [batch][4·dim], [batch][4] */
    study_progress progress;
    char made_of[MADE_OF];
    pts_progress tell;
    void *user;
} study_state;

static const size_t hidden[STUDY_LAYERS] = {2048, 1024, 512, 256, 4};

pts_status pts_study_network(pts_mlp **out, size_t dim, uint64_t seed, pts_team *team,
                             pts_error *err)
{
    const size_t sizes[STUDY_LAYERS + 1] = {4 * dim,   hidden[0], hidden[1],
                                            hidden[2], hidden[3], hidden[4]};
    return pts_mlp_create(out, sizes, STUDY_LAYERS, seed, team, err);
}

/* The same with dropout behind each ReLU. */
static pts_status network_to_train(pts_mlp **out, size_t dim, const pts_study_options *o,
                                   pts_team *team, pts_error *err)
{
    pts_mlp_layer layers[3 * STUDY_LAYERS];
    size_t count = 0;
    if (o->dropout == 0)
        return pts_study_network(out, dim, o->seed, team, err);
    for (size_t l = 0; l < STUDY_LAYERS; l++) {
        layers[count++] = (pts_mlp_layer){PTS_MLP_LINEAR, hidden[l], 0};
        if (l + 1 == STUDY_LAYERS)
            break;
        layers[count++] = (pts_mlp_layer){PTS_MLP_RELU, 0, 0};
        layers[count++] = (pts_mlp_layer){PTS_MLP_DROPOUT, 0, o->dropout};
    }
    return pts_mlp_build(out, 4 * dim, layers, count, o->seed, team, err);
}

void pts_study_theta(const float output[4], double theta[4])
{
    theta[0] = (double)output[0] - STUDY_SHIFT;
    theta[1] = log(fmax((double)output[1] - STUDY_SHIFT, 0.01));
    theta[2] = log(fmax((double)output[2] - STUDY_SHIFT, 0.01));
    theta[3] = (double)output[3] - STUDY_SHIFT;
}

/* ---- options ---- */

/* Written so that a NaN, for which every comparison is false, is refused. */
static pts_status check_numbers(const pts_study_options *o, pts_error *err)
{
    const struct {
        const char *name;
        double value, most;
    } ranges[] = {{"weight decay", o->weight_decay, 10},
                  {"clip", o->clip, 1e30},
                  {"huber", o->huber, 1e30},
                  {"momentum", o->momentum, 1}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (!(ranges[i].value >= 0 && ranges[i].value <= ranges[i].most))
            return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected 0 … %g, got %g", ranges[i].name,
                            ranges[i].most, ranges[i].value);
    if (!(o->dropout >= 0 && o->dropout < 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "dropout: expected 0 … below 1, got %g", o->dropout);
    return PTS_OK;
}

/* Bounded, as memory is taken by them. */
static pts_status check_options(const pts_study_options *o, pts_error *err)
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
    if (o->resume && !o->checkpoint)
        return pts_fail(err, PTS_ERR_ARGUMENT, "resume: expected a checkpoint's name, got none");
    return check_numbers(o, err);
}

/* The last batch may be smaller, so that every sample is seen. */
static size_t steps_of_epoch(const study_state *s)
{
    return (s->samples.count[STUDY_TRAIN] + s->options->batch - 1) / s->options->batch;
}

/* Over all steps of all epochs, so that early stopping does not bend it. */
static pts_mlp_schedule schedule_of(const study_state *s)
{
    size_t steps = steps_of_epoch(s), epochs = s->options->epochs;
    size_t third = (epochs + 2) / 3;
    return (pts_mlp_schedule){.kind = s->options->schedule,
                              .rate = s->options->rate,
                              .factor = 0.1,
                              .period =
                                  steps * (s->options->schedule == PTS_MLP_STEPS ? third : epochs)};
}

/* What a checkpoint must agree on: all that decides the next step. Processes, threads and, with a
 * constant rate, the number of epochs may change. */
static void describe_training(study_state *s)
{
    const pts_study_options *o = s->options;
    const pts_tasks *t = s->tasks;
    pts_sha256 hash;
    char hex[PTS_SHA256_HEX];
    pts_sha256_init(&hash);
    for (size_t i = 0; i < t->count; i++) {
        const pts_task *task = &t->rows[i].task;
        pts_sha256_update(&hash, s->targets[i], sizeof s->targets[i]);
        pts_sha256_update(&hash, task->embeddings,
                          task->images * t->dim * sizeof *task->embeddings);
    }
    pts_sha256_hex(&hash, hex);
    snprintf(s->made_of, sizeof s->made_of,
             "seed %llu, batch %zu, combinations %zu, rate %g, schedule %d of %zu, rule %d, "
             "momentum %g, weight decay %g, clip %g, huber %g, dropout %g, dim %zu, data %.16s",
             (unsigned long long)o->seed, o->batch, o->combinations, o->rate, (int)o->schedule,
             o->schedule == PTS_MLP_CONSTANT ? 0 : o->epochs, (int)o->rule, o->momentum,
             o->weight_decay, o->clip, o->huber, o->dropout, t->dim, hex);
}

/* ---- data ---- */

static void state_free(study_state *s)
{
    pts_study_samples_free(&s->samples);
    free(s->targets);
    free(s->order);
    free(s->x);
    free(s->target);
    free(s->progress.best);
    free(s->progress.history);
}

/* The mean is what the report's constant answers, and so what the network is to beat. */
static void note_targets(study_state *s)
{
    for (size_t t = 0; t < s->tasks->count; t++) {
        const double *theta = s->tasks->rows[t].theta;
        const double curve[4] = {theta[0], exp(theta[1]), exp(theta[2]), theta[3]};
        for (size_t i = 0; i < 4; i++) {
            s->targets[t][i] = (float)(curve[i] + STUDY_SHIFT);
            s->mean[i] += s->targets[t][i] / (float)s->tasks->count;
        }
    }
}

static pts_status state_fill(study_state *s, pts_error *err)
{
    size_t batch = s->options->batch, parameters = pts_mlp_parameter_count(s->mlp);
    PTS_TRY(pts_study_samples_draw(&s->samples, s->tasks, s->options->combinations,
                                   s->options->seed, err));
    PTS_TRY(pts_new(&s->targets, s->tasks->count, sizeof *s->targets, err));
    PTS_TRY(pts_new(&s->order, s->samples.count[STUDY_TRAIN], sizeof *s->order, err));
    PTS_TRY(pts_new(&s->x, batch * 4 * s->tasks->dim, sizeof *s->x, err));
    PTS_TRY(pts_new(&s->target, batch * 4, sizeof *s->target, err));
    PTS_TRY(pts_new(&s->progress.best, parameters, sizeof *s->progress.best, err));
    PTS_TRY(pts_new(&s->progress.history, s->options->epochs, sizeof *s->progress.history, err));
    note_targets(s);
    describe_training(s);
    return PTS_OK;
}

/* Four photographs side by side. */
static void fill_row(const study_state *s, const study_sample *sample, size_t row)
{
    size_t dim = s->tasks->dim;
    const float *embeddings = s->tasks->rows[sample->task].task.embeddings;
    float *x = s->x + row * 4 * dim;
    for (size_t k = 0; k < 4; k++)
        memcpy(x + k * dim, embeddings + sample->image[k] * dim, dim * sizeof *x);
    memcpy(s->target + row * 4, s->targets[sample->task], sizeof *s->targets);
}

/* ---- measuring ---- */

typedef struct study_sums {
    double loss, smape[4], constant[4], mae, samples;
} study_sums;

/* Of the curve with θ; theta NULL: of the mean of all measured curves. */
static double curve_error(const pts_tasks *tasks, const task_row *row, const double theta[4])
{
    enum { GRID = 12 };
    double sum = 0, first = row->log_n[0], last = row->log_n[row->task.points - 1];
    for (size_t g = 0; g < GRID; g++) {
        double log_n = fmin(first + (last - first) * (double)g / (GRID - 1), last), value = 0;
        for (size_t t = 0; !theta && t < tasks->count; t++)
            value += pts_theta_measured(&tasks->rows[t].points, tasks->rows[t].theta, log_n) /
                     (double)tasks->count;
        if (theta)
            value = fmin(fmax(pts_theta_value(theta, log_n, NULL), 0), 1);
        sum += fabs(value - pts_theta_measured(&row->points, row->theta, log_n));
    }
    return sum / GRID;
}

/* Two zeros agree: 0, where the formula has 0/0. */
static double smape_term(double a, double b)
{
    return fabs(a) + fabs(b) > 0 ? 200 * fabs(a - b) / (fabs(a) + fabs(b)) : 0;
}

/* SMAPE of numbers is what the study reports; the curve's error says what they are worth. */
static void add_sample(const study_state *s, size_t task, const float y[4], study_sums *sums)
{
    const float *target = s->targets[task];
    double theta[4];
    pts_study_theta(y, theta);
    for (size_t i = 0; i < 4; i++) {
        double difference = (double)y[i] - target[i];
        sums->loss += difference * difference / 4;
        sums->smape[i] += smape_term(y[i], target[i]);
        sums->constant[i] += smape_term(s->mean[i], target[i]);
    }
    sums->mae += curve_error(s->tasks, &s->tasks->rows[task], theta);
    sums->samples++;
}

/* Outputs y [samples][4] of batches [first, end), as they are whoever asks. */
static pts_status forward_batches(const study_state *s, size_t part, size_t first, size_t end,
                                  float *y, pts_error *err)
{
    const size_t batch = s->options->batch, count = s->samples.count[part];
    for (size_t b = first; b < end; b++) {
        const size_t at = b * batch, rows = count - at < batch ? count - at : batch;
        for (size_t r = 0; r < rows; r++)
            fill_row(s, &s->samples.items[part][at + r], r);
        PTS_TRY(pts_mlp_forward(s->mlp, s->x, rows, y + at * 4, err));
    }
    return PTS_OK;
}

/* Each process does some of the batches, and has the outputs of all. */
static pts_status forward_part(const study_state *s, size_t part, float *y, pts_error *err)
{
    const pts_peers *peers = s->options->peers;
    const size_t count = s->samples.count[part], batch = s->options->batch;
    const size_t batches = (count + batch - 1) / batch, ranks = peers ? (size_t)peers->count : 1;
    const size_t rank = peers ? (size_t)peers->rank : 0;
    PTS_TRY(forward_batches(s, part, batches * rank / ranks, batches * (rank + 1) / ranks, y, err));
    if (!peers)
        return PTS_OK;
    size_t *begin;
    PTS_TRY(pts_new(&begin, ranks + 1, sizeof *begin, err));
    for (size_t r = 0; r <= ranks; r++) {
        const size_t at = batches * r / ranks * batch;
        begin[r] = (at < count ? at : count) * 4 * sizeof *y;
    }
    pts_status status = peers->gather(peers->user, y, begin, err);
    free(begin);
    return status;
}

static pts_status measure(const study_state *s, size_t part, study_sums *sums, pts_error *err)
{
    const size_t count = s->samples.count[part];
    *sums = (study_sums){0};
    float *y;
    PTS_TRY(pts_new(&y, count, 4 * sizeof *y, err));
    pts_status status = forward_part(s, part, y, err);
    for (size_t i = 0; status == PTS_OK && i < count; i++)
        add_sample(s, s->samples.items[part][i].task, y + i * 4, sums);
    free(y);
    return status;
}

/* ---- training ---- */

static pts_mlp_training rule_of(const pts_study_options *o)
{
    pts_mlp_training training = PTS_MLP_TRAINING_DEFAULTS;
    training.rule = o->rule;
    training.momentum = o->momentum;
    training.weight_decay = o->weight_decay;
    training.clip = o->clip;
    training.huber = o->huber;
    return training;
}

static pts_status step(study_state *s, const size_t *order, size_t rows,
                       const pts_mlp_training *training, double *loss, pts_error *err)
{
    for (size_t r = 0; r < rows; r++)
        fill_row(s, &s->samples.items[STUDY_TRAIN][order[r]], r);
    return pts_mlp_step(s->mlp, s->x, s->target, rows, training, loss, err);
}

/* What is left of training that stopped at this epoch and step. */
static pts_status fail_at(const study_state *s, pts_status status, size_t step, pts_error *err)
{
    char why[256] = "", kept[192] = "";
    const char *path = s->options->checkpoint;
    if (err)
        snprintf(why, sizeof why, "%.255s", err->message);
    if (path && s->progress.epoch > 0)
        snprintf(kept, sizeof kept, "; %.140s holds epoch %zu", path, s->progress.epoch);
    return pts_fail(err, status, "epoch %zu, step %zu: %s%s", s->progress.epoch + 1, step, why,
                    kept);
}

/* Before the step: stopped here, the checkpoint of the last epoch is whole. */
static pts_status tell_step(const study_state *s, size_t step, pts_error *err)
{
    size_t steps = steps_of_epoch(s);
    if (!s->tell || s->tell(s->user, "epoch", s->progress.epoch * steps + step,
                            s->options->epochs * steps) == 0)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_CANCELLED, "stopped");
}

/* The order is drawn from seed and epoch alone, so that a resumed run shuffles alike. */
static pts_status train_epoch(study_state *s, pts_study_epoch *row, pts_error *err)
{
    pts_mlp_training training = rule_of(s->options);
    const pts_mlp_schedule schedule = schedule_of(s);
    size_t count = s->samples.count[STUDY_TRAIN], batch = s->options->batch, number = 1;
    pts_rng rng = pts_rng_stream(s->options->seed, row->epoch);
    for (size_t i = 0; i < count; i++)
        s->order[i] = i;
    pts_study_shuffle(&rng, s->order, count);
    for (size_t at = 0; at < count; at += batch, number++) {
        size_t rows = count - at < batch ? count - at : batch;
        double loss = 0;
        pts_status status = tell_step(s, number - 1, err);
        row->rate = training.rate = pts_mlp_rate(&schedule, pts_mlp_steps(s->mlp));
        if (status == PTS_OK)
            status = step(s, s->order + at, rows, &training, &loss, err);
        if (status != PTS_OK)
            return fail_at(s, status, number, err);
        row->loss += loss * (double)rows / (double)count;
    }
    return PTS_OK;
}

/* The best epoch is by photographs that no step has seen. */
static pts_status validate(study_state *s, pts_study_epoch *row, pts_error *err)
{
    study_sums sums;
    PTS_TRY(measure(s, STUDY_VALIDATION, &sums, err));
    row->validation = sums.loss / sums.samples;
    if (!isfinite(row->validation)) {
        pts_fail(err, PTS_ERR_NUMERIC, "the validation loss is not finite");
        return fail_at(s, PTS_ERR_NUMERIC, steps_of_epoch(s), err);
    }
    row->best = row->validation < s->progress.least;
    return PTS_OK;
}

/* The first failure to write ends training while the epoch before can still be taken up. */
static pts_status keep(study_state *s, const pts_study_epoch *row, pts_error *err)
{
    study_progress *p = &s->progress;
    const pts_study_options *o = s->options;
    p->history[p->epoch++] = *row;
    if (row->best) {
        p->least = row->validation;
        p->best_epoch = row->epoch;
        memcpy(p->best, pts_mlp_parameters(s->mlp),
               pts_mlp_parameter_count(s->mlp) * sizeof *p->best);
    }
    if (!o->checkpoint)
        return PTS_OK;
    pts_error why;
    const bool writes = !o->peers || o->peers->rank == 0;
    pts_status status =
        pts_study_checkpoint_write(writes ? o->checkpoint : NULL, s->made_of, s->mlp, p, &why);
    if (status == PTS_OK)
        return PTS_OK;
    if (p->epoch == 1)
        return pts_fail(err, status, "epoch 1: no checkpoint: %s", why.message);
    return pts_fail(err, status, "epoch %zu: no checkpoint: %s; the one of epoch %zu stays",
                    p->epoch, why.message, p->epoch - 1);
}

/* Epochs of the checkpoint are told again, so that a log of a resumed run is whole. */
static pts_status take_up(study_state *s, pts_error *err)
{
    const pts_study_options *o = s->options;
    s->progress.least = INFINITY;
    if (!o->resume)
        return PTS_OK;
    PTS_TRY(
        pts_study_checkpoint_read(o->checkpoint, s->made_of, s->mlp, &s->progress, o->epochs, err));
    for (size_t e = 0; o->epoch && e < s->progress.epoch; e++)
        o->epoch(s->user, &s->progress.history[e]);
    return PTS_OK;
}

static bool patience_is_over(const study_state *s)
{
    const study_progress *p = &s->progress;
    return s->options->patience > 0 && p->epoch - p->best_epoch >= s->options->patience;
}

/* The network ends with the parameters of the best epoch, not of the last. */
static pts_status train(study_state *s, pts_error *err)
{
    const pts_study_options *o = s->options;
    PTS_TRY(take_up(s, err));
    while (s->progress.epoch < o->epochs && !patience_is_over(s)) {
        double start = pts_clock();
        pts_study_epoch row = {.epoch = s->progress.epoch + 1};
        PTS_TRY(train_epoch(s, &row, err));
        PTS_TRY(validate(s, &row, err));
        row.seconds = pts_clock() - start;
        PTS_TRY(keep(s, &row, err));
        if (o->epoch)
            o->epoch(s->user, &row);
    }
    size_t all = o->epochs * steps_of_epoch(s);
    if (s->tell)
        s->tell(s->user, "epoch", all, all);
    memcpy(pts_mlp_parameters(s->mlp), s->progress.best,
           pts_mlp_parameter_count(s->mlp) * sizeof *s->progress.best);
    return PTS_OK;
}

/* The mean curve's error stands beside: a head no better has learnt nothing from photographs. */
static void note(const study_state *s, const study_sums *sums, pts_study_report *report)
{
    double tasks = (double)s->tasks->count;
    report->tasks = s->tasks->count;
    report->epochs = s->progress.epoch;
    report->best_epoch = s->progress.best_epoch;
    report->samples_train = s->samples.count[STUDY_TRAIN];
    report->samples_test = s->samples.count[STUDY_TEST];
    report->mae = sums->mae / sums->samples;
    report->mae_mean_curve = 0;
    for (size_t t = 0; t < s->tasks->count; t++)
        report->mae_mean_curve += curve_error(s->tasks, &s->tasks->rows[t], NULL) / tasks;
    for (size_t i = 0; i < 4; i++) {
        report->smape[i] = sums->smape[i] / sums->samples;
        report->smape_constant[i] = sums->constant[i] / sums->samples;
    }
}

static pts_status run(study_state *s, pts_study_report *report, pts_error *err)
{
    double start = pts_clock();
    study_sums sums;
    PTS_TRY(state_fill(s, err));
    PTS_TRY(train(s, err));
    PTS_TRY(measure(s, STUDY_TEST, &sums, err));
    note(s, &sums, report);
    report->seconds = pts_clock() - start;
    return PTS_OK;
}

pts_status pts_study_run(pts_mlp **out, pts_study_report *report, const pts_tasks *tasks,
                         const pts_study_options *options, pts_team *team, pts_progress progress,
                         void *user, pts_error *err)
{
    if (out)
        *out = NULL;
    *report = (pts_study_report){0};
    PTS_TRY(check_options(options, err));
    if (tasks->count < 1)
        return pts_fail(err, PTS_ERR_SHAPE, "curves: expected at least one, got none");
    study_state s = {.tasks = tasks, .options = options, .tell = progress, .user = user};
    PTS_TRY(network_to_train(&s.mlp, tasks->dim, options, team, err));
    pts_status status = options->peers ? pts_mlp_share(s.mlp, options->peers, err) : PTS_OK;
    if (status == PTS_OK)
        status = run(&s, report, err);
    state_free(&s);
    pts_mlp_release_team(s.mlp);
    if (status != PTS_OK || !out)
        pts_mlp_destroy(s.mlp);
    else
        *out = s.mlp;
    return status;
}

pts_status pts_evaluate_study(pts_study_report *out, const pts_tasks *tasks,
                              const pts_study_options *options, pts_team *team,
                              pts_progress progress, void *user, pts_error *err)
{
    return pts_study_run(NULL, out, tasks, options, team, progress, user, err);
}
