#include "learn/predictor.h"

#include "base/error.h"
#include "base/memory.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double temperatures[][3] = {{1}, {0.5}, {0.3}, {0.2}, {0.1}, {0.05}};
static const double none[][3] = {{0}};
static const double processes[][3] = {{0.3, 10}, {0.3, 3}, {0.3, 1}, {0.3, 0.3},
                                      {1, 10},   {1, 3},   {1, 1},   {1, 0.3}};
static const double pairs[][3] = {{0.3, 0.3, 3}, {0.3, 0.3, 1}, {0.2, 0.3, 3},
                                  {0.2, 0.3, 1}, {0.1, 0.3, 3}, {0.1, 0.3, 1}};
static const double by_labels[][3] = {{1, 1}, {1, 0.3}, {0.7, 1}, {0.7, 0.3}, {0.5, 1}, {0.5, 0.3}};

#define COUNTED(array) sizeof(array) / sizeof *(array), array
const predictor pts_predictor_table[PREDICTORS] = {
    {"neighbours", false, pts_predictor_neighbours, COUNTED(temperatures)},
    {"nearest_class", 0, pts_predictor_nearest, COUNTED(none)},
    {"gauss_process", 0, pts_predictor_process, COUNTED(processes)},
    {"ensemble", false, pts_predictor_ensemble, COUNTED(pairs)},
    {"labelled", true, pts_predictor_labelled, COUNTED(by_labels)},
};

size_t pts_predictor_first(predictor_id id)
{
    size_t first = 0;
    for (int p = 0; p < (int)id; p++)
        first += pts_predictor_table[p].choices;
    return first;
}

/* ---- θ of a mean curve ---- */

/* Values [PREDICTOR_GRID] at log_n. */
typedef struct grid_curve {
    const double *log_n, *values;
} grid_curve;

/* Of the values, and a trace of the weak prior. */
static double squares(const void *user, const double theta[4], double gradient[4],
                      double hessian[16])
{
    const grid_curve *curve = user;
    theta_prior weak;
    pts_theta_weak_prior(&weak);
    double sum = 0, d[4];
    memset(hessian, 0, 16 * sizeof *hessian);
    for (size_t i = 0; i < 4; i++) {
        double weight = 1e-3 * weak.precision[i * 5], from = theta[i] - weak.mean[i];
        sum += weight * from * from;
        gradient[i] = weight * from;
        hessian[i * 5] = weight;
    }
    for (size_t g = 0; g < PREDICTOR_GRID; g++) {
        double residual = pts_theta_value(theta, curve->log_n[g], d) - curve->values[g];
        sum += residual * residual;
        for (size_t i = 0; i < 4; i++) {
            gradient[i] += residual * d[i];
            for (size_t j = 0; j < 4; j++)
                hessian[i * 4 + j] += d[i] * d[j];
        }
    }
    return sum;
}

void pts_predictor_theta(const double *log_n, const double *curves, const double *weights,
                         size_t count, const double one[4], double theta[4])
{
    double values[PREDICTOR_GRID] = {0};
    for (size_t i = 0; i < count; i++)
        for (size_t g = 0; g < PREDICTOR_GRID; g++)
            values[g] += weights[i] * curves[i * PREDICTOR_GRID + g];
    for (size_t g = 0; g < PREDICTOR_GRID; g++)
        values[g] = fmin(fmax(values[g], 0), 1);
    memcpy(theta, one, 4 * sizeof *theta);
    /* Near to the start: 12 steps are enough. */
    const grid_curve curve = {log_n, values};
    pts_theta_descend(squares, &curve, 12, 1e-7, theta);
}

/* ---- data ---- */

/* One grid for all, so that a mean of curves is one of numbers; beyond its points a curve is its
 * own fit. */
static void fill_curves(predictor_data *data)
{
    const pts_tasks *tasks = data->linear->tasks;
    double largest = 4;
    for (size_t t = 0; t < tasks->count; t++)
        largest = fmax(largest, tasks->rows[t].task.n[tasks->rows[t].task.points - 1]);
    for (size_t g = 0; g < PREDICTOR_GRID; g++) {
        data->log_n[g] = log(2) + log(largest / 2) * (double)g / (PREDICTOR_GRID - 1);
        for (size_t t = 0; t < tasks->count; t++)
            data->curves[t * PREDICTOR_GRID + g] =
                pts_theta_measured(&tasks->rows[t].points, tasks->rows[t].theta, data->log_n[g]);
    }
}

/* Of rows [rows][dim], from row `first` on, with the means. */
static pts_status multiply(predictor_data *data, const float *rows, size_t first, size_t count,
                           pts_error *err)
{
    size_t dim = data->linear->tasks->dim, tasks = data->linear->tasks->count;
    float *product;
    PTS_TRY(pts_new(&product, count, tasks * sizeof *product, err));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)tasks, (int)dim, 1, rows,
                (int)dim, data->linear->means, (int)dim, 0, product, (int)tasks);
    for (size_t i = 0; i < count * tasks; i++)
        data->cross[first * tasks + i] = product[i];
    for (size_t r = 0; r < count; r++)
        data->norms[first + r] = cblas_dsdot((int)dim, rows + r * dim, 1, rows + r * dim, 1);
    free(product);
    return PTS_OK;
}

/* What is there after a failure is pts_predictor_data_free's. */
static pts_status fill_data(predictor_data *data, pts_error *err)
{
    const linear_data *linear = data->linear;
    const size_t tasks = linear->tasks->count, rows = data->rows;
    PTS_TRY(pts_new(&data->cross, (rows + tasks) * tasks, sizeof *data->cross, err));
    PTS_TRY(pts_new(&data->norms, rows + tasks, sizeof *data->norms, err));
    PTS_TRY(pts_new(&data->curves, tasks, PREDICTOR_GRID * sizeof *data->curves, err));
    PTS_TRY(multiply(data, linear->views, 0, rows, err));
    PTS_TRY(multiply(data, linear->means, rows, tasks, err));
    fill_curves(data);
    return PTS_OK;
}

pts_status pts_predictor_data_create(predictor_data *data, const linear_data *linear,
                                     pts_error *err)
{
    *data = (predictor_data){.linear = linear, .rows = linear->tasks->count * LINEAR_VIEWS};
    pts_status status = fill_data(data, err);
    if (status != PTS_OK)
        pts_predictor_data_free(data);
    return status;
}

void pts_predictor_data_free(predictor_data *data)
{
    free(data->cross);
    free(data->norms);
    free(data->curves);
    *data = (predictor_data){0};
}

/* ---- a fold ---- */

void pts_predictor_votes(const pts_tasks *tasks, const size_t *training, size_t count,
                         double *votes)
{
    double total = 0;
    for (size_t i = 0; i < count; i++) {
        double members = 0;
        for (size_t k = 0; k < count; k++)
            members += tasks->rows[training[i]].group == tasks->rows[training[k]].group;
        total += votes[i] = 1 / members;
    }
    for (size_t i = 0; i < count; i++)
        votes[i] /= total;
}

/* Cosines with the known tasks after their mean c has been taken off, from products alone:
 * (x − c)·(m − c) = x·m − x·c − c·m + c·c. */
static void cosines(const predictor_data *data, const size_t *training, size_t count,
                    const size_t *rows, size_t first, size_t asked, double *out)
{
    size_t tasks = data->linear->tasks->count;
    double inner = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            inner += data->cross[(data->rows + training[i]) * tasks + training[k]];
    inner /= (double)(count * count);
    for (size_t r = 0; r < asked; r++) {
        size_t row = first + (rows ? rows[r] : r);
        double own = 0;
        for (size_t i = 0; i < count; i++)
            own += data->cross[row * tasks + training[i]] / (double)count;
        double length = data->norms[row] - 2 * own + inner;
        for (size_t i = 0; i < count; i++) {
            const double *mean = data->cross + (data->rows + training[i]) * tasks;
            double theirs = 0;
            for (size_t k = 0; k < count; k++)
                theirs += mean[training[k]] / (double)count;
            double norm = data->norms[data->rows + training[i]] - 2 * theirs + inner;
            double dot = data->cross[row * tasks + training[i]] - own - theirs + inner;
            out[r * count + i] = dot / sqrt(fmax(length * norm, 1e-20));
        }
    }
}

pts_status pts_predictor_set_create(predictor_set *set, const predictor_data *data,
                                    const size_t *training, size_t count, pts_error *err)
{
    const linear_data *linear = data->linear;
    size_t rows = data->rows;
    size_t floats = count * (1 + count + PREDICTOR_GRID + PREDICTOR_LABELS + 2 * rows);
    double *at;
    *set = (predictor_set){0};
    PTS_TRY(pts_new(&at, floats, sizeof *at, err));
    set->block = at;
    double *votes = at, *among = votes + count, *labels = among + count * count;
    set->curves = labels + count * PREDICTOR_LABELS;
    double *similar = set->curves + count * PREDICTOR_GRID;
    set->weights = similar + rows * count;
    pts_predictor_votes(linear->tasks, training, count, votes);
    cosines(data, training, count, training, rows, count, among);
    cosines(data, training, count, NULL, 0, rows, similar);
    for (size_t i = 0; i < count; i++) {
        memcpy(set->curves + i * PREDICTOR_GRID, data->curves + training[i] * PREDICTOR_GRID,
               PREDICTOR_GRID * sizeof *at);
        if (linear->label_means)
            memcpy(labels + i * PREDICTOR_LABELS,
                   linear->label_means + training[i] * PREDICTOR_LABELS,
                   PREDICTOR_LABELS * sizeof *at);
    }
    set->fold = (predictor_fold){count,
                                 rows,
                                 votes,
                                 similar,
                                 among,
                                 linear->label_means ? labels : NULL,
                                 linear->label_views};
    return PTS_OK;
}

void pts_predictor_set_free(predictor_set *set)
{
    free(set->block);
    *set = (predictor_set){0};
}
