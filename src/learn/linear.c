#include "learn/linear.h"

#include "base/error.h"
#include "base/memory.h"
#include "nn/layers.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS (4 * (LINEAR_COMPONENTS + 1))

const linear_choice pts_linear_choices[LINEAR_CHOICES] = {
    {0, 0},     {1, 0.001}, {1, 0.004}, {1, 0.016}, {1, 0.064}, {2, 0.001},
    {2, 0.004}, {2, 0.016}, {2, 0.064}, {4, 0.001}, {4, 0.004}, {4, 0.016},
    {4, 0.064}, {8, 0.001}, {8, 0.004}, {8, 0.016}, {8, 0.064},
};

/* ---- data ---- */

static void add_row(float *sum, const float *row, size_t dim, float share)
{
    for (size_t d = 0; d < dim; d++)
        sum[d] += share * row[d];
}

static void mean_of_all(const pts_task *task, size_t dim, float *mean)
{
    for (size_t i = 0; i < task->images; i++)
        add_row(mean, task->embeddings + i * dim, dim, 1 / (float)task->images);
}

void pts_linear_label_numbers(const pts_label_sums *labels, size_t images,
                              double out[LINEAR_LABELS])
{
    pts_label_sums sum = {0};
    for (size_t i = 0; i < images; i++) {
        sum.objects += labels[i].objects;
        sum.log_size += labels[i].log_size;
        sum.log_size_squared += labels[i].log_size_squared;
        sum.filled += labels[i].filled;
        sum.crowded += labels[i].crowded;
    }
    double objects = fmax(sum.objects, 1), mean = sum.log_size / objects;
    out[0] = log(objects / (double)images);
    out[1] = mean;
    out[2] = sqrt(fmax(sum.log_size_squared / objects - mean * mean, 0));
    out[3] = sum.filled / objects;
    out[4] = sum.crowded / objects;
}

/* Mean of four different photographs, or of all where there are fewer; and of their labels. */
static void mean_of_four(const pts_task *task, size_t dim, pts_rng *rng, float *mean,
                         double *labels)
{
    pts_label_sums sums[4];
    size_t chosen[4], count = 0, wanted = task->images < 4 ? task->images : 4;
    while (count < wanted) {
        const size_t image = pts_rng_below(rng, task->images);
        bool seen = false;
        for (size_t i = 0; i < count; i++)
            seen |= chosen[i] == image;
        if (seen)
            continue;
        if (labels)
            sums[count] = task->labels[image];
        chosen[count++] = image;
        add_row(mean, task->embeddings + image * dim, dim, 1 / (float)wanted);
    }
    if (labels)
        pts_linear_label_numbers(sums, wanted, labels);
}

/* Even in ln n: no part of a curve counts more because more sizes were measured there. Rounding may
 * put the last node beyond the last point. */
static void fill_targets(const task_row *row, double *log_n, double *target)
{
    double first = row->log_n[0], last = row->log_n[row->task.points - 1];
    for (size_t g = 0; g < LINEAR_GRID; g++) {
        log_n[g] = first + (last - first) * (double)g / (LINEAR_GRID - 1);
        target[g] = pts_theta_measured(&row->points, row->theta, fmin(log_n[g], last));
    }
}

/* With labels for some tasks only, methods with and without them could not be compared. */
static bool all_labelled(const pts_tasks *tasks)
{
    for (size_t t = 0; t < tasks->count; t++)
        if (!tasks->rows[t].task.labels)
            return false;
    return true;
}

/* What is there after a failure is pts_linear_data_free's. */
static pts_status allocate(linear_data *data, bool labelled, pts_error *err)
{
    const size_t count = data->tasks->count, dim = data->tasks->dim;
    PTS_TRY(pts_new(&data->means, count * dim, sizeof *data->means, err));
    PTS_TRY(pts_new(&data->views, count * LINEAR_VIEWS * dim, sizeof *data->views, err));
    PTS_TRY(pts_new(&data->log_n, count, LINEAR_GRID * sizeof *data->log_n, err));
    PTS_TRY(pts_new(&data->target, count, LINEAR_GRID * sizeof *data->target, err));
    if (!labelled)
        return PTS_OK;
    PTS_TRY(pts_new(&data->label_means, count, LINEAR_LABELS * sizeof *data->label_means, err));
    return pts_new(&data->label_views, count * LINEAR_VIEWS,
                   LINEAR_LABELS * sizeof *data->label_views, err);
}

pts_status pts_linear_data_create(linear_data *data, const pts_tasks *tasks, uint64_t seed,
                                  pts_error *err)
{
    const bool labelled = all_labelled(tasks);
    size_t dim = tasks->dim, count = tasks->count;
    *data = (linear_data){.tasks = tasks};
    pts_status status = allocate(data, labelled, err);
    if (status != PTS_OK) {
        pts_linear_data_free(data);
        return status;
    }
    pts_rng rng = {seed};
    for (size_t t = 0; t < count; t++) {
        const task_row *row = &tasks->rows[t];
        mean_of_all(&row->task, dim, data->means + t * dim);
        for (size_t v = 0; v < LINEAR_VIEWS; v++)
            mean_of_four(&row->task, dim, &rng, data->views + (t * LINEAR_VIEWS + v) * dim,
                         labelled ? data->label_views + (t * LINEAR_VIEWS + v) * LINEAR_LABELS
                                  : NULL);
        if (labelled)
            pts_linear_label_numbers(row->task.labels, row->task.images,
                                     data->label_means + t * LINEAR_LABELS);
        fill_targets(row, data->log_n + t * LINEAR_GRID, data->target + t * LINEAR_GRID);
    }
    return PTS_OK;
}

void pts_linear_data_free(linear_data *data)
{
    free(data->means);
    free(data->views);
    free(data->log_n);
    free(data->target);
    free(data->label_means);
    free(data->label_views);
    *data = (linear_data){0};
}

/* ---- principal components ---- */

/* By the training tasks alone: the data set held out must leave no trace. */
static void standardise(linear_fold *fold, const linear_data *data, float *x /* [count][dim] */)
{
    size_t dim = data->tasks->dim;
    double total = 0;
    for (size_t i = 0; i < fold->count; i++)
        add_row(fold->centre, data->means + fold->training[i] * dim, dim, 1 / (float)fold->count);
    for (size_t i = 0; i < fold->count; i++)
        for (size_t d = 0; d < dim; d++) {
            float z = x[i * dim + d] = data->means[fold->training[i] * dim + d] - fold->centre[d];
            fold->inverse[d] += z * z / (float)fold->count;
            total += z * z / (float)fold->count;
        }
    /* A number that hardly varies over the tasks would be blown up: a floor under the deviation. */
    float floor = (float)(0.3 * sqrt(total / (double)dim) + 1e-12);
    for (size_t d = 0; d < dim; d++)
        fold->inverse[d] = 1 / (sqrtf(fold->inverse[d]) + floor);
    for (size_t i = 0; i < fold->count; i++)
        for (size_t d = 0; d < dim; d++)
            x[i * dim + d] *= fold->inverse[d];
}

/* Eigenvectors of x·xᵀ give the principal directions of x, few tasks by many dimensions. The
 * scores are scaled together, so that the first has variance 1 and the ridge weighs the others by
 * their size. */
static void project(linear_fold *fold, const float *x, size_t dim, float *gram, double *vectors,
                    double *values)
{
    int n = (int)fold->count;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, (int)dim, 1, x, (int)dim, x,
                (int)dim, 0, gram, n);
    for (int i = 0; i < n * n; i++)
        vectors[i] = gram[i];
    if (LAPACKE_dsyevd(LAPACK_ROW_MAJOR, 'V', 'L', n, vectors, n, values) != 0)
        return; /* did not converge: no components, so one curve for all */
    double first = values[n - 1];
    for (int j = 0; j < LINEAR_COMPONENTS && j < n - 1; j++) {
        double value = values[n - 1 - j];
        if (!(value > 1e-6 * first))
            return;
        double scale = sqrt((double)n / first) / sqrt(value);
        for (int i = 0; i < n; i++) {
            float share = (float)(scale * vectors[i * n + n - 1 - j]);
            for (size_t d = 0; d < dim; d++)
                fold->projection[d * LINEAR_COMPONENTS + (size_t)j] +=
                    share * x[(size_t)i * dim + d];
        }
    }
}

/* scores = (views − centre)·projection */
static void score_views(linear_fold *fold, const linear_data *data)
{
    size_t dim = data->tasks->dim, rows = data->tasks->count * LINEAR_VIEWS;
    float offset[LINEAR_COMPONENTS] = {0};
    for (size_t d = 0; d < dim; d++)
        for (size_t j = 0; j < LINEAR_COMPONENTS; j++) {
            fold->projection[d * LINEAR_COMPONENTS + j] *= fold->inverse[d];
            offset[j] += fold->centre[d] * fold->projection[d * LINEAR_COMPONENTS + j];
        }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, LINEAR_COMPONENTS, (int)dim,
                1, data->views, (int)dim, fold->projection, LINEAR_COMPONENTS, 0, fold->scores,
                LINEAR_COMPONENTS);
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < LINEAR_COMPONENTS; j++)
            fold->scores[r * LINEAR_COMPONENTS + j] -= offset[j];
}

static pts_status components(linear_fold *fold, const linear_data *data, pts_error *err)
{
    size_t n = fold->count, dim = data->tasks->dim;
    float *x, *gram = NULL;
    double *vectors = NULL;
    pts_status status = pts_new(&x, n * dim, sizeof *x, err);
    if (status == PTS_OK)
        status = pts_new(&gram, n * n, sizeof *gram, err);
    if (status == PTS_OK)
        status = pts_new(&vectors, n * n + n, sizeof *vectors, err);
    if (status == PTS_OK) {
        standardise(fold, data, x);
        project(fold, x, dim, gram, vectors, vectors + n * n);
        score_views(fold, data);
    }
    free(x);
    free(gram);
    free(vectors);
    return status;
}

static pts_status fill_fold(linear_fold *fold, const linear_data *data, size_t out1, size_t out2,
                            pts_error *err)
{
    const pts_tasks *tasks = data->tasks;
    PTS_TRY(pts_new(&fold->training, tasks->count, sizeof *fold->training, err));
    PTS_TRY(pts_new(&fold->centre, tasks->dim, sizeof *fold->centre, err));
    PTS_TRY(pts_new(&fold->inverse, tasks->dim, sizeof *fold->inverse, err));
    PTS_TRY(
        pts_new(&fold->projection, tasks->dim, LINEAR_COMPONENTS * sizeof *fold->projection, err));
    PTS_TRY(pts_new(&fold->scores, tasks->count * LINEAR_VIEWS,
                    LINEAR_COMPONENTS * sizeof *fold->scores, err));
    for (size_t t = 0; t < tasks->count; t++)
        if (tasks->rows[t].group != out1 && tasks->rows[t].group != out2)
            fold->training[fold->count++] = t;
    return components(fold, data, err);
}

pts_status pts_linear_fold_create(linear_fold *fold, const linear_data *data, size_t out1,
                                  size_t out2, pts_error *err)
{
    *fold = (linear_fold){0};
    pts_status status = fill_fold(fold, data, out1, out2, err);
    if (status != PTS_OK)
        pts_linear_fold_free(fold);
    return status;
}

void pts_linear_fold_free(linear_fold *fold)
{
    free(fold->training);
    free(fold->centre);
    free(fold->inverse);
    free(fold->projection);
    free(fold->scores);
    *fold = (linear_fold){0};
}

/* ---- the fit: Gauss–Newton with Levenberg's damping ---- */

/* x: θ at score 0 [4], then the weights [components][4]. */
typedef struct fit_state {
    const linear_data *data;
    const linear_fold *fold;
    size_t components, size;
    double penalty;
    double x[PARAMETERS], gradient[PARAMETERS], hessian[PARAMETERS * PARAMETERS];
} fit_state;

static void theta_at(const double *x, size_t components, const float *scores, double theta[4])
{
    memcpy(theta, x, 4 * sizeof *theta);
    for (size_t j = 0; j < components; j++)
        for (size_t i = 0; i < 4; i++)
            theta[i] += scores[j] * x[4 * (j + 1) + i];
}

/* One sample: mean squared error over the grid, and its derivatives by θ. */
static double sample(const linear_data *data, size_t task, const double theta[4],
                     double gradient[4], double hessian[16])
{
    const double *log_n = data->log_n + task * LINEAR_GRID;
    const double *target = data->target + task * LINEAR_GRID;
    double loss = 0, d[4];
    memset(gradient, 0, 4 * sizeof *gradient);
    memset(hessian, 0, 16 * sizeof *hessian);
    for (size_t g = 0; g < LINEAR_GRID; g++) {
        double residual = pts_theta_value(theta, log_n[g], d) - target[g];
        loss += residual * residual / LINEAR_GRID;
        for (size_t i = 0; i < 4; i++) {
            gradient[i] += 2 * residual * d[i] / LINEAR_GRID;
            for (size_t j = 0; j < 4; j++)
                hessian[i * 4 + j] += 2 * d[i] * d[j] / LINEAR_GRID;
        }
    }
    return loss;
}

/* Adds share · (1, z)(1, z)ᵀ ⊗ hessian and share · (1, z) ⊗ gradient. */
static void add_sample(fit_state *s, const float *z, const double gradient[4],
                       const double hessian[16], double share)
{
    for (size_t j = 0; j <= s->components; j++) {
        double zj = share * (j ? (double)z[j - 1] : 1);
        for (size_t i = 0; i < 4; i++)
            s->gradient[4 * j + i] += zj * gradient[i];
        for (size_t k = 0; k <= j; k++) {
            double zz = zj * (k ? (double)z[k - 1] : 1);
            for (size_t i = 0; i < 4; i++)
                for (size_t l = 0; l < 4; l++)
                    s->hessian[(4 * j + i) * s->size + 4 * k + l] += zz * hessian[i * 4 + l];
        }
    }
}

/* The ridge; and a trace of the weak prior, without which flat curves alone leave B and C open. */
static double add_penalty(fit_state *s)
{
    theta_prior weak;
    pts_theta_weak_prior(&weak);
    double loss = 0;
    for (size_t p = 0; p < s->size; p++) {
        double weight =
            (p < 4 ? 1e-5 : s->penalty) / (pts_linear_unit[p % 4] * pts_linear_unit[p % 4]);
        double from = s->x[p] - (p < 4 ? weak.mean[p] : 0);
        loss += weight * from * from;
        s->gradient[p] += 2 * weight * from;
        s->hessian[p * s->size + p] += 2 * weight;
    }
    return loss;
}

/* Each class has one vote whatever its number of photographs: all have as many views. */
static double evaluate(fit_state *s)
{
    size_t rows = s->fold->count * LINEAR_VIEWS;
    double loss = 0, theta[4], gradient[4], hessian[16];
    memset(s->gradient, 0, sizeof s->gradient);
    memset(s->hessian, 0, sizeof s->hessian);
    for (size_t i = 0; i < s->fold->count; i++) {
        size_t task = s->fold->training[i];
        for (size_t v = 0; v < LINEAR_VIEWS; v++) {
            const float *z = s->fold->scores + (task * LINEAR_VIEWS + v) * LINEAR_COMPONENTS;
            theta_at(s->x, s->components, z, theta);
            loss += sample(s->data, task, theta, gradient, hessian) / (double)rows;
            add_sample(s, z, gradient, hessian, 1 / (double)rows);
        }
    }
    return loss + add_penalty(s);
}

/* trial = s moved by the damped step; false where the matrix is not positive definite. */
static bool move(const fit_state *s, double damping, fit_state *trial)
{
    double step[PARAMETERS];
    *trial = *s;
    memcpy(step, s->gradient, sizeof step);
    for (size_t p = 0; p < s->size; p++)
        trial->hessian[p * s->size + p] *= 1 + damping;
    int size = (int)s->size;
    if (LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', size, 1, trial->hessian, size, step, 1) != 0)
        return false;
    for (size_t p = 0; p < s->size; p++)
        trial->x[p] -= step[p];
    return true;
}

/* Damped, as the bare step overshoots where curves are flat in B and C; a NaN is never lower. */
static void minimise(fit_state *s)
{
    double loss = evaluate(s), damping = 1e-2;
    fit_state trial;
    for (int step = 0; step < 60 && damping < 1e10; step++) {
        if (!move(s, damping, &trial)) {
            damping *= 10;
            continue;
        }
        double there = evaluate(&trial);
        if (!(there < loss)) {
            damping *= 10;
            continue;
        }
        double gain = loss - there;
        *s = trial;
        loss = there;
        damping /= 10;
        if (gain < 1e-6 * loss)
            return;
    }
}

/* Predictions are cut to it: a linear map of odd photographs leaves all that was ever measured. */
static void note_range(const fit_state *s, linear_model *model)
{
    for (size_t i = 0; i < 4; i++)
        model->low[i] = INFINITY, model->high[i] = -INFINITY;
    for (size_t k = 0; k < s->fold->count * LINEAR_VIEWS; k++) {
        size_t row = s->fold->training[k / LINEAR_VIEWS] * LINEAR_VIEWS + k % LINEAR_VIEWS;
        double theta[4];
        theta_at(s->x, s->components, s->fold->scores + row * LINEAR_COMPONENTS, theta);
        for (size_t i = 0; i < 4; i++) {
            model->low[i] = fmin(model->low[i], theta[i]);
            model->high[i] = fmax(model->high[i], theta[i]);
        }
    }
}

void pts_linear_fit(const linear_data *data, const linear_fold *fold, linear_choice choice,
                    const linear_model *start, linear_model *model)
{
    theta_prior weak;
    pts_theta_weak_prior(&weak);
    fit_state s = {.data = data,
                   .fold = fold,
                   .components = choice.components,
                   .size = 4 * (choice.components + 1),
                   .penalty = choice.penalty};
    memcpy(s.x, start ? start->theta : weak.mean, 4 * sizeof *s.x);
    minimise(&s);
    *model = (linear_model){.components = choice.components};
    memcpy(model->theta, s.x, sizeof model->theta);
    memcpy(model->weight, s.x + 4, choice.components * sizeof *model->weight);
    note_range(&s, model);
}

void pts_linear_predict(const linear_model *model, const float *scores, double theta[4])
{
    double x[PARAMETERS];
    memcpy(x, model->theta, sizeof model->theta);
    memcpy(x + 4, model->weight, sizeof model->weight);
    theta_at(x, model->components, scores, theta);
    for (size_t i = 0; i < 4; i++)
        theta[i] = fmin(fmax(theta[i], model->low[i]), model->high[i]);
}
