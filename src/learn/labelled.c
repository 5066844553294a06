#include "learn/labelled.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS = PREDICTOR_LABELS, GRID = PREDICTOR_GRID };

pts_status pts_labelled_create(labelled_model *model, size_t count, pts_error *err)
{
    *model = (labelled_model){.count = count};
    model->votes = pts_calloc64(count, (1 + LABELS + GRID) * sizeof *model->votes);
    if (!model->votes)
        return pts_fail_memory(err, count * (1 + LABELS + GRID) * sizeof *model->votes);
    model->labels = model->votes + count;
    model->curves = model->labels + count * LABELS;
    return PTS_OK;
}

void pts_labelled_free(labelled_model *model)
{
    free(model->votes);
    *model = (labelled_model){.count = 0};
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

static pts_status take_votes(labelled_model *model, const sweep *s, pts_error *err)
{
    size_t *all = pts_calloc64(s->tasks, sizeof *all);
    double *votes = pts_calloc64(s->tasks, sizeof *votes);
    int have = all && votes;
    for (size_t t = 0; have && t < s->tasks; t++)
        all[t] = t;
    if (have) {
        pts_predictor_votes(s->data.tasks, all, s->tasks, votes);
        narrow(model->votes, votes, s->tasks);
    }
    free(all);
    free(votes);
    return have ? PTS_OK : pts_fail_memory(err, s->tasks * sizeof *votes);
}

pts_status pts_labelled_fit(labelled_model *model, const sweep *s, const linear_model *one,
                            pts_error *err)
{
    double covariance[16], noise;
    if (!s->data.label_means)
        return PTS_OK;
    size_t choice = pts_sweep_choose_predictor(s, SIZE_MAX, PREDICTOR_LABELLED);
    PTS_TRY(pts_labelled_create(model, s->tasks, err));
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

pts_status pts_labelled_check(const labelled_model *model, pts_error *err)
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

pts_status pts_labelled_predict(const labelled_model *model, const pts_label_sums *labels,
                                size_t count, pts_curve_prior *out, pts_error *err)
{
    double asked[LABELS], *block;
    size_t doubles = model->count * (2 + LABELS + GRID);
    pts_linear_label_numbers(labels, count, asked);
    block = pts_calloc64(doubles, sizeof *block);
    if (!block)
        return pts_fail_memory(err, doubles * sizeof *block);
    pts_status status = answer(model, asked, block, out->mean, err);
    free(block);
    widen(out->covariance, model->covariance, 16);
    out->noise = model->noise;
    out->noise_dof = 0;
    return status;
}
