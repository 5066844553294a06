#include "learn/perceptron.h"

#include "base/error.h"
#include "base/memory.h"
#include "nn/layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 240 /* a multiple of LINEAR_VIEWS: each view is seen alike */

/* The decay is per unit of rate: over all steps a weight that nothing holds falls to exp(−2.4). */
static const pts_mlp_training training_rule = {.rule = PTS_MLP_ADAMW,
                                               .rate = 0.01,
                                               .beta1 = 0.9,
                                               .beta2 = 0.999,
                                               .epsilon = 1e-8,
                                               .weight_decay = 1};

const size_t pts_perceptron_components[PERCEPTRON_NETWORKS] = {2, 4, 8};

const perceptron_choice pts_perceptron_choices[PERCEPTRON_CHOICES] = {
    {0, 0.25}, {1, 0.25}, {2, 0.25}, {0, 0.5}, {1, 0.5}, {2, 0.5}, {0, 1}, {1, 1},
};

double pts_perceptron_loss(const perceptron_batch *batch, const double one[4], const float *y,
                           float *dy)
{
    double loss = 0;
    for (size_t r = 0; r < batch->count; r++) {
        const double *log_n = batch->data->log_n + batch->task[r] * LINEAR_GRID;
        const double *target = batch->data->target + batch->task[r] * LINEAR_GRID;
        double theta[4], d[4], gradient[4] = {0}, share = batch->share[r] / LINEAR_GRID;
        for (size_t i = 0; i < 4; i++)
            theta[i] = one[i] + pts_linear_unit[i] * (double)y[r * 4 + i];
        for (size_t g = 0; g < LINEAR_GRID; g++) {
            double residual = pts_theta_value(theta, log_n[g], d) - target[g];
            loss += share * residual * residual;
            for (size_t i = 0; i < 4; i++)
                gradient[i] += 2 * share * residual * d[i];
        }
        for (size_t i = 0; i < 4; i++)
            dy[r * 4 + i] = (float)(gradient[i] * pts_linear_unit[i]);
    }
    return loss;
}

/* ---- training ---- */

typedef struct training {
    perceptron_batch batch;
    const double *one;
    float *x;      /* [LINEAR_VIEWS][count][components] */
    float *y, *dy; /* [count][4] */
} training;

/* Each data set's classes share one vote. */
static void share_votes(const linear_data *data, const linear_fold *fold, double *share)
{
    double total = 0;
    for (size_t i = 0; i < fold->count; i++) {
        double members = 0;
        for (size_t k = 0; k < fold->count; k++)
            members += data->tasks->rows[fold->training[i]].group ==
                       data->tasks->rows[fold->training[k]].group;
        share[i] = 1 / members;
        total += share[i];
    }
    for (size_t i = 0; i < fold->count; i++)
        share[i] /= total;
}

/* By view, so that a step's rows lie side by side. */
static void gather(const linear_fold *fold, size_t components, float *x)
{
    for (size_t v = 0; v < LINEAR_VIEWS; v++)
        for (size_t i = 0; i < fold->count; i++, x += components)
            memcpy(x, fold->scores + (fold->training[i] * LINEAR_VIEWS + v) * LINEAR_COMPONENTS,
                   components * sizeof *x);
}

pts_status pts_perceptron_network(pts_mlp **out, size_t components, uint64_t seed, pts_error *err)
{
    const size_t sizes[] = {components, PERCEPTRON_HIDDEN, 4};
    return pts_mlp_create(out, sizes, 2, seed, NULL, err);
}

/* A step sees every class through one of its draws of photographs, all draws in turn: with all of
 * them in each step, six times the work taught the same. */
static pts_status train(const training *t, size_t components, pts_mlp *mlp, pts_error *err)
{
    for (size_t step = 0; step < STEPS; step++) {
        size_t rows = t->batch.count;
        const float *x = t->x + step % LINEAR_VIEWS * rows * components;
        PTS_TRY(pts_mlp_forward_training(mlp, x, rows, t->y, err));
        pts_perceptron_loss(&t->batch, t->one, t->y, t->dy);
        PTS_TRY(pts_mlp_backward(mlp, x, t->dy, rows, &training_rule, NULL, err));
    }
    return PTS_OK;
}

/* What the step may be later: photographs unlike any in training would else leave it far behind. */
static void note_range(perceptron_model *model, const training *t)
{
    for (size_t i = 0; i < 4; i++)
        model->low[i] = INFINITY, model->high[i] = -INFINITY;
    for (size_t r = 0; r < t->batch.count * LINEAR_VIEWS; r++) {
        double step[4];
        pts_perceptron_step(model, t->x + r * model->components, step);
        for (size_t i = 0; i < 4; i++) {
            model->low[i] = fmin(model->low[i], step[i]);
            model->high[i] = fmax(model->high[i], step[i]);
        }
    }
}

/* The last layer starts at zero, so that the network sets out from one curve for all. */
static pts_status train_member(float *parameters, const training *t, size_t components,
                               uint64_t seed, pts_error *err)
{
    pts_mlp *mlp;
    PTS_TRY(pts_perceptron_network(&mlp, components, seed, err));
    memset(pts_mlp_weight(mlp, 1), 0, PERCEPTRON_HIDDEN * 4 * sizeof(float));
    pts_status status = train(t, components, mlp, err);
    if (status == PTS_OK)
        memcpy(parameters, pts_mlp_parameters(mlp),
               pts_mlp_parameter_count(mlp) * sizeof *parameters);
    pts_mlp_destroy(mlp);
    return status;
}

/* Each from a stream of its own: their spread is what averaging takes away. */
static pts_status train_members(perceptron_model *model, const training *t, uint64_t seed,
                                pts_error *err)
{
    for (size_t m = 0; m < PERCEPTRON_MEMBERS; m++)
        PTS_TRY(train_member(model->members + m * PERCEPTRON_PARAMETERS(model->components), t,
                             model->components, pts_rng_stream(seed, m).state, err));
    note_range(model, t);
    return PTS_OK;
}

pts_status pts_perceptron_fit(const linear_data *data, const linear_fold *fold, size_t components,
                              const linear_model *one, uint64_t seed, perceptron_model *model,
                              pts_error *err)
{
    size_t count = fold->count, floats = count * (LINEAR_VIEWS * components + 8);
    *model = (perceptron_model){.components = components};
    memcpy(model->theta, one->theta, sizeof model->theta);
    float *x = pts_calloc64(floats, sizeof *x);
    double *share = pts_calloc64(count, sizeof *share);
    pts_status status;
    if (!x || !share)
        status = pts_fail_memory(err, floats * sizeof *x);
    else {
        float *y = x + count * LINEAR_VIEWS * components;
        training t = {{data, fold->training, share, count}, one->theta, x, y, y + count * 4};
        share_votes(data, fold, share);
        gather(fold, components, x);
        status = train_members(model, &t, seed, err);
    }
    free(x);
    free(share);
    return status;
}
