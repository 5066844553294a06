/* Variable projection (Golub & Pereyra 1973) on a grid, then Levenberg–Marquardt in all four.
 *
 * Why a grid: the sum of squares of a sigmoid has a local minimum near every jump of the data, and
 * a search from one guessed start ends in whichever is next. With u and v solved in closed form
 * only two parameters remain, and two can be scanned. */
#include "curve/separable.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A start on the way to infinity (a plateau never reached) would use up every evaluation, so all
 * starts first get a few and only the best runs to the end. */
enum { MOST_STARTS = 8, FIRST_EVALUATIONS = 60 };

typedef struct start {
    double sse, p, q;
} start;

typedef struct points {
    const separable *family;
    const double *n, *y;
    size_t count;
    double *log_n;     /* [count] */
    double mean_y, yy; /* yy: Σ (y − mean)² */
} points;

static double basis_at(const points *data, size_t i, double p, double q, double d[2])
{
    return data->family->basis(data->n[i], data->log_n[i], p, q, d);
}

/* Best u and v for given p and q by simple regression on s. Returns the sum of squares. */
static double project(const points *data, double p, double q, double *u, double *v)
{
    double count = (double)data->count, shift = basis_at(data, 0, p, q, NULL);
    double s1 = 0, s2 = 0, sy = 0;
    for (size_t i = 0; i < data->count; i++) {
        double s = basis_at(data, i, p, q, NULL) - shift;
        s1 += s;
        s2 += s * s;
        sy += s * (data->y[i] - data->mean_y);
    }
    double spread = s2 - s1 * s1 / count;
    /* below this s is a constant and its spread rounding: the regression would be a huge v */
    *v = spread > 1e-24 * (s2 + count * shift * shift) ? sy / spread : 0;
    *u = data->mean_y - *v * (shift + s1 / count);
    return data->yy - *v * sy;
}

/* Keeps the lowest MOST_STARTS, in rising order. */
static void keep(start *starts, size_t *count, start candidate)
{
    size_t at = *count;
    while (at > 0 && starts[at - 1].sse > candidate.sse)
        at--;
    if (at == MOST_STARTS)
        return;
    if (*count < MOST_STARTS)
        (*count)++;
    memmove(starts + at + 1, starts + at, (*count - at - 1) * sizeof *starts);
    starts[at] = candidate;
}

/* No neighbour is lower; of equals the first counts. */
static bool is_minimum(const double *sse, size_t rows, size_t columns, size_t i, size_t j)
{
    double here = sse[i * columns + j];
    for (size_t a = i > 0 ? i - 1 : 0; a <= i + 1 && a < rows; a++) {
        for (size_t b = j > 0 ? j - 1 : 0; b <= j + 1 && b < columns; b++) {
            double other = sse[a * columns + b];
            bool before = a < i || (a == i && b < j);
            if (other < here || (other == here && before))
                return false;
        }
    }
    return true;
}

static pts_status find_starts(const points *data, start *starts, size_t *count, pts_error *err)
{
    const separable *f = data->family;
    double *sse = pts_calloc64(f->p_count * f->q_count, sizeof *sse), u, v;
    if (!sse)
        return pts_fail_memory(err, f->p_count * f->q_count * sizeof *sse);
    for (size_t i = 0; i < f->p_count; i++) {
        for (size_t j = 0; j < f->q_count; j++)
            sse[i * f->q_count + j] = project(data, f->p[i], f->q[j], &u, &v);
    }
    *count = 0;
    for (size_t i = 0; i < f->p_count; i++) {
        for (size_t j = 0; j < f->q_count; j++) {
            if (is_minimum(sse, f->p_count, f->q_count, i, j))
                keep(starts, count, (start){sse[i * f->q_count + j], f->p[i], f->q[j]});
        }
    }
    free(sse);
    return PTS_OK;
}

static int residuals(void *user, const double *x, double *r)
{
    const points *data = user;
    for (size_t i = 0; i < data->count; i++)
        r[i] = x[0] + x[1] * basis_at(data, i, x[2], x[3], NULL) - data->y[i];
    return 0;
}

static int jacobian(void *user, const double *x, double *rows)
{
    const points *data = user;
    for (size_t i = 0; i < data->count; i++, rows += 4) {
        double d[2];
        rows[0] = 1;
        rows[1] = basis_at(data, i, x[2], x[3], d);
        rows[2] = x[1] * d[0];
        rows[3] = x[1] * d[1];
    }
    return 0;
}

/* Runs x on for at most `evaluations`; *best is replaced where the result is lower. */
static pts_status polish(pts_lm *lm, points *data, const double *x, size_t evaluations,
                         separable_fit *best, pts_error *err)
{
    separable_fit trial;
    pts_lm_problem problem = {.residuals = residuals, .jacobian = jacobian, .user = data};
    pts_lm_settings settings = pts_lm_defaults();
    settings.max_evaluations = evaluations;
    memcpy(trial.x, x, sizeof trial.x);
    PTS_TRY(pts_lm_solve(lm, &problem, &settings, trial.x, &trial.lm, err));
    if (trial.lm.sse <= best->lm.sse) {
        pts_lm_covariance(lm, trial.covariance);
        *best = trial;
    }
    return PTS_OK;
}

static pts_status polish_all(pts_lm *lm, points *data, const start *starts, size_t count,
                             separable_fit *best, pts_error *err)
{
    for (size_t i = 0; i < count; i++) {
        double x[4] = {0, 0, starts[i].p, starts[i].q};
        project(data, x[2], x[3], &x[0], &x[1]);
        PTS_TRY(polish(lm, data, x, FIRST_EVALUATIONS, best, err));
    }
    if (!isfinite(best->lm.sse))
        return pts_fail(err, PTS_ERR_NUMERIC, "curve: no finite fit of %zu points", data->count);
    if (best->lm.stop != PTS_LM_LIMIT)
        return PTS_OK;
    double x[4];
    memcpy(x, best->x, sizeof x);
    return polish(lm, data, x, pts_lm_defaults().max_evaluations, best, err);
}

static void summarise(points *data)
{
    for (size_t i = 0; i < data->count; i++) {
        data->log_n[i] = log(data->n[i]);
        data->mean_y += data->y[i] / (double)data->count;
    }
    for (size_t i = 0; i < data->count; i++)
        data->yy += (data->y[i] - data->mean_y) * (data->y[i] - data->mean_y);
}

static pts_status fit(pts_lm *lm, points *data, separable_fit *out, pts_error *err)
{
    start starts[MOST_STARTS];
    size_t found = 0;
    summarise(data);
    PTS_TRY(find_starts(data, starts, &found, err));
    return polish_all(lm, data, starts, found, out, err);
}

pts_status pts_separable_fit(const separable *family, const double *n, const double *y,
                             size_t count, separable_fit *out, pts_error *err)
{
    points data = {.family = family, .n = n, .y = y, .count = count};
    *out = (separable_fit){.lm = {.sse = INFINITY}};
    pts_lm *lm;
    PTS_TRY(pts_lm_create(&lm, count, 4, err));
    data.log_n = pts_calloc64(count, sizeof *data.log_n);
    pts_status status =
        data.log_n ? fit(lm, &data, out, err) : pts_fail_memory(err, count * sizeof *data.log_n);
    free(data.log_n);
    pts_lm_destroy(lm);
    return status;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

size_t pts_distinct_sizes(const double *n, size_t count, double *out)
{
    memcpy(out, n, count * sizeof *n);
    qsort(out, count, sizeof *out, compare);
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        if (distinct == 0 || out[i] > out[distinct - 1])
            out[distinct++] = out[i];
    }
    return distinct;
}

pts_status pts_check_points(const double *n, const double *map, size_t count, pts_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(n[i]) || n[i] <= 0)
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "curve: point %zu: expected a size above 0, got %g", i + 1, n[i]);
        if (!isfinite(map[i]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "curve: point %zu: expected a finite mAP, got %g", i + 1, map[i]);
    }
    return PTS_OK;
}
