#include "learn/labelled.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS = PREDICTOR_LABELS, GRID = PREDICTOR_GRID };

/* In float as in the file, so that a head answers alike before and after it was saved. */
typedef struct labelled_model {
    size_t count;  /* known curves */
    float *votes;  /* [count], sum 1; the block that holds the next two as well */
    float *labels; /* [count][PREDICTOR_LABELS] */
    float *curves; /* [count][PREDICTOR_GRID] */
    float log_n[PREDICTOR_GRID], start[4], parameters[2], covariance[16], noise;
} labelled_model;

/* Also of a model that create left half made. */
static void close_model(void *own)
{
    labelled_model *model = own;
    if (model)
        free(model->votes);
    free(model);
}

/* One block for all that grows with the curves; what is there after a failure is close_model's. */
static pts_status create(labelled_model **out, size_t count, pts_error *err)
{
    PTS_TRY(pts_new(out, 1, sizeof **out, err));
    labelled_model *m = *out;
    m->count = count;
    PTS_TRY(pts_new(&m->votes, count, (1 + LABELS + GRID) * sizeof *m->votes, err));
    m->labels = m->votes + count;
    m->curves = m->labels + count * LABELS;
    return PTS_OK;
}

static void narrow(float *to, const double *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (float)from[i];
}

static void widen(double *to, const float *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i];
}

/* Each data set has one vote, as in the evaluation. */
static pts_status take_votes(labelled_model *model, const sweep *s, pts_error *err)
{
    size_t *all;
    double *votes;
    PTS_TRY(pts_new(&votes, s->tasks, sizeof *votes + sizeof *all, err));
    all = (size_t *)(votes + s->tasks);
    for (size_t t = 0; t < s->tasks; t++)
        all[t] = t;
    pts_predictor_votes(s->data.tasks, all, s->tasks, votes);
    narrow(model->votes, votes, s->tasks);
    free(votes);
    return PTS_OK;
}

pts_status pts_labelled_fit(head_use *out, size_t *count, const sweep *s, const linear_model *one,
                            pts_error *err)
{
    double covariance[16], noise;
    labelled_model *model;
    if (!s->data.label_means)
        return PTS_OK;
    size_t choice = pts_sweep_choose_predictor(s, SIZE_MAX, PREDICTOR_LABELLED);
    pts_status status = create(&model, s->tasks, err);
    *out = (head_use){&pts_head_labels_part, model}; /* the head's from here on */
    *count = s->tasks;
    PTS_TRY(status);
    PTS_TRY(take_votes(model, s, err));
    PTS_TRY(pts_sweep_spread(s, SIZE_MAX, choice, covariance, &noise, err));
    size_t number = choice - SWEEP_PREDICTORS - pts_predictor_first(PREDICTOR_LABELLED);
    narrow(model->parameters, pts_predictor_table[PREDICTOR_LABELLED].parameters[number], 2);
    narrow(model->labels, s->data.label_means, s->tasks * LABELS);
    narrow(model->curves, s->predictors.curves, s->tasks * GRID);
    narrow(model->log_n, s->predictors.log_n, GRID);
    narrow(model->start, one->theta, 4);
    narrow(model->covariance, covariance, 16);
    model->noise = (float)noise;
    return PTS_OK;
}

/* ---- the file ---- */

/* In the order in which heads have always been written. */
static void list_model(void *own, head_tensors *list)
{
    const labelled_model *m = own;
    pts_head_list(list, "labelled.votes", m->votes, m->count, 0);
    pts_head_list(list, "labelled.labels", m->labels, m->count, LABELS);
    pts_head_list(list, "labelled.curves", m->curves, m->count, GRID);
    pts_head_list(list, "labelled.log_n", m->log_n, GRID, 0);
    pts_head_list(list, "labelled.start", m->start, 4, 0);
    pts_head_list(list, "labelled.parameters", m->parameters, 2, 0);
    pts_head_list(list, "labelled.covariance", m->covariance, 4, 4);
    pts_head_list(list, "labelled.noise", &m->noise, 1, 0);
}

/* pts_head_take refuses what is not finite; what finite numbers cannot mean is for check. */
static pts_status take(labelled_model *m, const pts_weights *w, pts_error *err)
{
    PTS_TRY(pts_head_take(w, "labelled.votes", m->count, 0, m->votes, err));
    PTS_TRY(pts_head_take(w, "labelled.labels", m->count, LABELS, m->labels, err));
    PTS_TRY(pts_head_take(w, "labelled.curves", m->count, GRID, m->curves, err));
    PTS_TRY(pts_head_take(w, "labelled.log_n", GRID, 0, m->log_n, err));
    PTS_TRY(pts_head_take(w, "labelled.start", 4, 0, m->start, err));
    PTS_TRY(pts_head_take(w, "labelled.parameters", 2, 0, m->parameters, err));
    PTS_TRY(pts_head_take(w, "labelled.covariance", 4, 4, m->covariance, err));
    return pts_head_take(w, "labelled.noise", 1, 0, &m->noise, err);
}

/* What training cannot have written is refused, in words without the file's name. */
static pts_status check(const labelled_model *model, pts_error *err)
{
    double covariance[16], lower[16], votes = 0;
    for (size_t g = 1; g < GRID; g++)
        if (!(model->log_n[g] > model->log_n[g - 1]))
            return pts_fail(err, PTS_ERR_NUMERIC, "labelled.log_n: expected rising sizes");
    for (size_t i = 0; i < model->count; i++) {
        if (!(model->votes[i] > 0))
            return pts_fail(err, PTS_ERR_NUMERIC, "labelled.votes[%zu]: expected above 0, got %g",
                            i, (double)model->votes[i]);
        votes += model->votes[i];
    }
    if (fabs(votes - 1) > 1e-4)
        return pts_fail(err, PTS_ERR_NUMERIC, "labelled.votes: expected a sum of 1, got %g", votes);
    if (!(model->parameters[0] > 0 && model->parameters[1] > 0))
        return pts_fail(err, PTS_ERR_NUMERIC, "labelled.parameters: expected above 0, got %g, %g",
                        (double)model->parameters[0], (double)model->parameters[1]);
    widen(covariance, model->covariance, 16);
    if (!pts_theta_cholesky(covariance, lower))
        return pts_fail(err, PTS_ERR_NUMERIC, "labelled.covariance is not positive definite");
    if (!(model->noise > 0))
        return pts_fail(err, PTS_ERR_NUMERIC, "labelled.noise: expected above 0, got %g",
                        (double)model->noise);
    return PTS_OK;
}

/* *own is set before anything can fail, so that closing the head frees it. */
static pts_status read_model(void **own, size_t count, const pts_weights *w, pts_error *err)
{
    labelled_model *model;
    pts_error why;
    pts_status status = create(&model, count, err);
    *own = model;
    PTS_TRY(status);
    PTS_TRY(take(model, w, err));
    status = check(model, &why);
    return status == PTS_OK ? PTS_OK
                            : pts_fail(err, status, "%s: %s", pts_weights_path(w), why.message);
}

/* ---- the answer ---- */

/* block: votes, labels and curves as in the model, then weights [count]. */
static pts_status answer(const labelled_model *model, const double asked[LABELS], double *block,
                         double theta[4], pts_error *err)
{
    size_t count = model->count;
    const double *labels = block + count, *curves = labels + count * LABELS;
    double *weights = block + count * (1 + LABELS + GRID), log_n[GRID], start[4], parameters[2];
    const predictor_fold fold = {
        .count = count, .rows = 1, .votes = block, .labels = labels, .asked = asked};
    widen(block, model->votes, count * (1 + LABELS + GRID));
    widen(log_n, model->log_n, GRID);
    widen(start, model->start, 4);
    widen(parameters, model->parameters, 2);
    PTS_TRY(pts_predictor_labelled(&fold, parameters, weights, err));
    pts_predictor_theta(log_n, curves, weights, count, start, theta);
    return PTS_OK;
}

/* Sums from outside: without an object, or with a NaN, there is no answer. */
static pts_status check_sums(const pts_label_sums *labels, size_t count, pts_error *err)
{
    double objects = 0;
    for (size_t i = 0; i < count; i++) {
        const pts_label_sums *l = &labels[i];
        if (!isfinite(l->objects + l->log_size + l->log_size_squared + l->filled + l->crowded))
            return pts_fail(err, PTS_ERR_NUMERIC, "head: labels of photograph %zu are not finite",
                            i + 1);
        objects += l->objects;
    }
    if (!(objects >= 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "head: expected labelled objects, got none");
    return PTS_OK;
}

/* The block is for double: the evaluation's own rule is asked, not a copy of it in float. */
static pts_status predict(void *own, const pts_label_sums *labels, size_t count,
                          pts_curve_prior *out, pts_error *err)
{
    const labelled_model *model = own;
    double asked[LABELS], *block;
    PTS_TRY(check_sums(labels, count, err));
    pts_linear_label_numbers(labels, count, asked);
    PTS_TRY(pts_new(&block, model->count, (2 + LABELS + GRID) * sizeof *block, err));
    pts_status status = answer(model, asked, block, out->mean, err);
    free(block);
    widen(out->covariance, model->covariance, 16);
    out->noise = model->noise;
    out->noise_dof = 0;
    return status;
}

const head_part pts_head_labels_part = {
    .read = read_model, .list = list_model, .free = close_model, .labelled = predict};
