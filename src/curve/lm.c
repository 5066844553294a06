/* Levenberg–Marquardt as Moré (1978) describes it: see pts/lm.h. Here is the loop; lm_model.c has
 * the problem, lm_step.c the damped step. All matrices are column-major, as LAPACK wants them. */
#include "pts/lm.h"
#include "base/error.h"
#include "base/memory.h"
#include "curve/qr.h"
#include "curve/solver.h"

#include <cblas.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Relative changes of the cost below this are taken for rounding. */
#define RESOLUTION (64 * DBL_EPSILON)

pts_lm_settings pts_lm_defaults(void)
{
    return (pts_lm_settings){.ftol = 1e-22,
                             .xtol = 1e-14,
                             .gtol = 1e-14,
                             .max_evaluations = 50000,
                             .radius = 1,
                             .differences = PTS_LM_CENTRAL,
                             .loss = PTS_LM_SQUARES,
                             .loss_scale = 1};
}

const char *pts_lm_stop_text(pts_lm_stop stop)
{
    static const char *const text[] = {
        "converged: sum of squares",
        "converged: parameters",
        "converged: gradient",
        "converged at a bound",
        "rank deficient",
        "limit of evaluations reached",
        "not finite",
    };
    return (size_t)stop < sizeof text / sizeof *text ? text[stop] : "unknown";
}

/* Run twice: the first time it counts, the second it hands out (base/memory.h). */
static void carve(pts_lm *lm)
{
    size_t m = lm->m, n = lm->n, nn = 0, mn = 0, real = sizeof(double);
    if (!pts_mul(n, n, &nn) || !pts_mul(m, n, &mn))
        lm->arena.overflow = true;
    pts_arena *a = &lm->arena;
    double **vectors_n[] = {&lm->x,     &lm->x_trial, &lm->tau,     &lm->rhs, &lm->row,  &lm->scale,
                            &lm->norms, &lm->step,    &lm->scratch, &lm->bow, &lm->model};
    double **vectors_m[] = {&lm->r,    &lm->r_trial, &lm->ahead, &lm->aside,
                            &lm->root, &lm->bent,    &lm->bend,  &lm->qtr};
    for (size_t i = 0; i < sizeof vectors_n / sizeof *vectors_n; i++)
        *vectors_n[i] = pts_arena_take(a, n, real);
    for (size_t i = 0; i < sizeof vectors_m / sizeof *vectors_m; i++)
        *vectors_m[i] = pts_arena_take(a, m, real);
    lm->rows = pts_arena_take(a, mn, real);
    lm->q = pts_arena_take(a, mn, real);
    lm->s = pts_arena_take(a, nn, real);
    lm->held = pts_arena_take(a, n, sizeof *lm->held);
    lm->pivot = pts_arena_take(a, n, sizeof *lm->pivot);
    lm->work = pts_arena_take(a, (size_t)lm->qr_lwork, real);
}

pts_status pts_lm_create(pts_lm **out, size_t m, size_t n, pts_error *err)
{
    *out = NULL;
    if (n < 1 || m < n)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "least squares: expected at least as many residuals as parameters, got %zu "
                        "and %zu",
                        m, n);
    if (m > INT_MAX / 4 || n > 10000)
        return pts_fail(err, PTS_ERR_LIMIT,
                        "least squares: %zu residuals of %zu parameters are "
                        "too many",
                        m, n);
    pts_lm *lm;
    PTS_TRY(pts_new(&lm, 1, sizeof *lm, err));
    lm->m = m;
    lm->n = n;
    lm->qr_lwork = pts_qr_lwork(m, n);
    carve(lm);
    pts_status status = pts_arena_commit(&lm->arena, err);
    if (status != PTS_OK) {
        pts_lm_destroy(lm);
        return status;
    }
    carve(lm);
    *out = lm;
    return PTS_OK;
}

void pts_lm_destroy(pts_lm *lm)
{
    if (!lm)
        return;
    pts_arena_free(&lm->arena);
    free(lm);
}

typedef struct reduction {
    double real, predicted, ratio, slope;
} reduction;

/* Real reduction and that of the linear model, whose step is lm->model; `cut`: not the damped step
 * itself any more, but what the box left of it. */
static reduction compare(pts_lm *lm, double trial_norm, double length, bool cut)
{
    double linear = pts_qr_norm(lm->model, lm->n) / lm->norm;
    double damping = sqrt(lm->par) * length / lm->norm, relative = trial_norm / lm->norm;
    reduction out;
    /* a trial ten times as bad, or not finite, says nothing about curvature */
    out.real = relative < 10 ? 1 - relative * relative : -1;
    out.slope = -(linear * linear + damping * damping);
    out.predicted = linear * linear + 2 * damping * damping;
    if (cut) {
        for (size_t i = 0; i < lm->n; i++)
            lm->rhs[i] = lm->qtr[i] / lm->norm;
        out.slope = -pts_qr_dot(lm->rhs, lm->model, lm->n) / lm->norm;
        out.predicted = -2 * out.slope - linear * linear;
    }
    out.ratio = out.predicted > 0 ? out.real / out.predicted : 0;
    return out;
}

/* Moré's rules: shrink by the parabola through both ends' costs, grow only where the model was
 * right or bold. */
static void resize_region(pts_lm *lm, const reduction *d, double trial_norm, double length)
{
    if (d->ratio <= 0.25) {
        double shrink = d->real >= 0 ? 0.5 : 0.5 * d->slope / (d->slope + 0.5 * d->real);
        if (!(trial_norm < 10 * lm->norm) || !(shrink >= 0.1))
            shrink = 0.1;
        lm->radius = fmin(shrink, 0.5) * fmin(lm->radius, 10 * length);
        lm->par /= shrink;
    } else if (lm->par == 0 || d->ratio >= 0.75) {
        lm->radius = 2 * length;
        lm->par *= 0.5;
    }
}

/* Where the cost is too coarse to tell a good step from a bad one (its relative change is
 * rounding, while x still has only half of its digits), the model's word is taken: the ratio
 * becomes 1 as long as the predicted reduction keeps falling. False when it does not. */
static bool trust_model(pts_lm *lm, reduction *d)
{
    if (fabs(d->real) > RESOLUTION || fabs(d->predicted) > RESOLUTION || d->predicted < 0)
        return true;
    if (d->predicted >= lm->quiet)
        return false;
    lm->quiet = d->predicted;
    d->ratio = 1;
    return true;
}

/* −1, or why to stop. */
static int finished(const pts_lm *lm, const reduction *d, double x_norm)
{
    if (lm->norm == 0)
        return PTS_LM_CONVERGED_F;
    if (fabs(d->real) <= fmax(lm->settings.ftol, RESOLUTION) && d->predicted >= 0 &&
        d->predicted <= lm->settings.ftol)
        return PTS_LM_CONVERGED_F;
    if (lm->radius <= fmax(lm->settings.xtol, DBL_EPSILON) * x_norm)
        return PTS_LM_CONVERGED_X;
    if (lm->result->evaluations >= lm->settings.max_evaluations)
        return PTS_LM_LIMIT;
    return -1;
}

static void accept(pts_lm *lm, double trial_norm)
{
    memcpy(lm->x, lm->x_trial, lm->n * sizeof *lm->x);
    memcpy(lm->r, lm->r_trial, lm->m * sizeof *lm->r);
    lm->norm = trial_norm;
}

/* The second-order correction of the step v: a = −(J'J + par D²)⁻¹ J' r_vv, with r_vv by one
 * difference along v. Added as v + a/2 where it is small beside v, as Transtrum & Sethna advise:
 * else the Taylor series says nothing. */
static pts_status bow(pts_lm *lm, double length, pts_error *err)
{
    const double h = 0.1, most = 0.75;
    for (size_t j = 0; j < lm->n; j++)
        lm->x_trial[j] = lm->x[j] + h * lm->step[j];
    pts_lm_clip(lm, lm->x_trial);
    PTS_TRY(pts_lm_evaluate(lm, lm->x_trial, lm->ahead, err));
    if (length == 0 || !pts_lm_finite(lm->ahead, lm->m))
        return PTS_OK;
    for (size_t i = 0; i < lm->m; i++)
        lm->ahead[i] = (lm->ahead[i] - lm->r[i]) / h;
    pts_qr_apply(lm->q, lm->m, lm->n, lm->tau, lm->ahead, lm->work, lm->qr_lwork);
    for (size_t i = 0; i < lm->n; i++)
        lm->ahead[i] = -2 / h * (lm->ahead[i] - lm->model[i]);
    pts_lm_solve_step(lm, lm->ahead, lm->bow);
    if (!pts_lm_finite(lm->bow, lm->n) || 2 * pts_lm_scaled_norm(lm, lm->bow) > most * length)
        return PTS_OK;
    for (size_t j = 0; j < lm->n; j++)
        lm->step[j] += lm->bow[j] / 2;
    return PTS_OK;
}

/* x + step, cut back into the box: then *length is that of what is left, and true returned. */
static bool move(pts_lm *lm, double *length)
{
    bool cut = false;
    for (size_t j = 0; j < lm->n; j++)
        lm->x_trial[j] = lm->x[j] + lm->step[j];
    if (!lm->bounded)
        return false;
    memcpy(lm->scratch, lm->x_trial, lm->n * sizeof *lm->scratch);
    pts_lm_clip(lm, lm->x_trial);
    for (size_t j = 0; j < lm->n; j++) {
        if (lm->x_trial[j] == lm->scratch[j])
            continue;
        lm->step[j] = lm->x_trial[j] - lm->x[j];
        cut = true;
    }
    if (cut)
        *length = pts_lm_scaled_norm(lm, lm->step);
    return cut;
}

/* One trial step; *d says what came of it. */
static pts_status attempt(pts_lm *lm, reduction *d, int *stop, pts_error *err)
{
    double length = pts_lm_choose_step(lm), whole = length;
    if (lm->result->iterations == 1)
        lm->radius = fmin(lm->radius, length);
    pts_lm_model_step(lm, lm->step, lm->model);
    if (lm->settings.accelerate)
        PTS_TRY(bow(lm, length, err));
    const bool cut = move(lm, &length);
    if (cut)
        pts_lm_model_step(lm, lm->step, lm->model);
    PTS_TRY(pts_lm_evaluate(lm, lm->x_trial, lm->r_trial, err));
    double trial_norm =
        pts_lm_finite(lm->r_trial, lm->m) ? pts_lm_norm_of(lm, lm->r_trial) : INFINITY;
    *d = compare(lm, trial_norm, length, cut);
    if (!trust_model(lm, d)) {
        *stop = PTS_LM_CONVERGED_F;
        return PTS_OK;
    }
    /* a step that the box has cut to nothing must still shrink the region it came from */
    resize_region(lm, d, trial_norm, cut && d->ratio <= 0.25 ? whole : length);
    if (d->ratio >= 1e-4)
        accept(lm, trial_norm);
    *stop = finished(lm, d, pts_lm_scaled_norm(lm, lm->x));
    return PTS_OK;
}

/* Where x starts at 0 its length says nothing of the scale: the residuals' does. */
static void start_region(pts_lm *lm)
{
    double length = pts_lm_scaled_norm(lm, lm->x), residual = pts_qr_norm(lm->bent, lm->m);
    lm->radius = lm->settings.radius * fmax(length, 1e-3 * residual);
    lm->par = 0;
    lm->quiet = INFINITY;
}

/* One Jacobian, and trial steps from it until one is accepted. */
static pts_status iterate(pts_lm *lm, int *stop, pts_error *err)
{
    PTS_TRY(pts_lm_linearise(lm, err));
    if (!pts_lm_finite(lm->norms, lm->n)) {
        *stop = PTS_LM_NOT_FINITE;
        return PTS_OK;
    }
    pts_lm_factor(lm);
    const bool first = lm->result->iterations++ == 0;
    for (size_t j = 0; j < lm->n; j++) {
        lm->scale[j] = fmax(lm->scale[j], lm->norms[j]);
        if (first && lm->scale[j] == 0)
            lm->scale[j] = 1;
    }
    if (first)
        start_region(lm);
    if (pts_lm_gradient_cosine(lm) <= fmax(lm->settings.gtol, DBL_EPSILON)) {
        *stop = PTS_LM_CONVERGED_G;
        return PTS_OK;
    }
    for (reduction d = {0}; d.ratio < 1e-4 && *stop < 0;)
        PTS_TRY(attempt(lm, &d, stop, err));
    return PTS_OK;
}

/* Relative error of a column: two equal ones still differ by the noise of their differences. */
static double jacobian_accuracy(const pts_lm *lm)
{
    if (lm->problem->jacobian)
        return (double)lm->m * DBL_EPSILON;
    return lm->settings.differences == PTS_LM_CENTRAL ? 1e-9 : 1e-7;
}

/* The largest column sum of an upper triangle. */
static double one_norm(const double *triangle, size_t stride, size_t count)
{
    double most = 0;
    for (size_t j = 0; j < count; j++) {
        double sum = 0;
        for (size_t i = 0; i <= j; i++)
            sum += fabs(triangle[j * stride + i]);
        most = sum > most ? sum : most;
    }
    return most;
}

/* Rank and condition at the answer, with columns scaled to 1: parameters in metres or millimetres
 * then have the same rank. Leaves R, its inverse and the pivots for the covariance. */
static pts_status judge(pts_lm *lm, pts_error *err)
{
    size_t m = lm->m, n = lm->n;
    PTS_TRY(pts_lm_linearise(lm, err));
    lm->result->rank = lm->rank = 0;
    if (!pts_lm_finite(lm->norms, n))
        return PTS_OK;
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; lm->norms[j] > 0 && i < m; i++)
            lm->q[j * m + i] /= lm->norms[j];
    }
    pts_lm_factor(lm);
    double floor = jacobian_accuracy(lm) * fabs(lm->q[0]);
    while (lm->rank < n && fabs(lm->q[lm->rank * m + lm->rank]) > floor)
        lm->rank++;
    lm->result->rank = lm->rank;
    lm->result->at_bound = lm->held_count;
    for (size_t j = 0; j < lm->rank; j++)
        memcpy(lm->s + j * n, lm->q + j * m, (j + 1) * sizeof *lm->s);
    pts_qr_invert(lm->s, n, lm->rank);
    if (lm->rank + lm->held_count == n && lm->rank > 0)
        lm->result->rcond = 1 / (one_norm(lm->q, m, lm->rank) * one_norm(lm->s, n, lm->rank));
    return PTS_OK;
}

/* Written so that a NaN is refused. */
static pts_status check_settings(const pts_lm_settings *s, pts_error *err)
{
    if (!(s->ftol >= 0) || !(s->xtol >= 0) || !(s->gtol >= 0) || !(s->radius > 0))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "least squares: expected tolerances of at least 0 and a radius above 0, "
                        "got %g, %g, %g and %g",
                        s->ftol, s->xtol, s->gtol, s->radius);
    if ((unsigned)s->loss > PTS_LM_CAUCHY || (s->loss != PTS_LM_SQUARES && !(s->loss_scale > 0)))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "least squares: expected a loss with a scale above 0, got loss %d and "
                        "scale %g",
                        (int)s->loss, s->loss_scale);
    if (s->accelerate && s->loss != PTS_LM_SQUARES)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "least squares: acceleration is for plain squares, not for a robust loss");
    return PTS_OK;
}

/* A crossed box or a weight of NaN would show only as a solver that stands still. */
static pts_status check_problem(const pts_lm *lm, const pts_lm_problem *p, pts_error *err)
{
    for (size_t j = 0; p->lower && p->upper && j < lm->n; j++) {
        if (!(p->lower[j] <= p->upper[j]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "least squares: parameter %zu: expected a lower bound of at most the "
                            "upper one, got %g and %g",
                            j, p->lower[j], p->upper[j]);
    }
    for (size_t i = 0; p->weights && i < lm->m; i++) {
        if (!(p->weights[i] >= 0) || !isfinite(p->weights[i]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "least squares: residual %zu: expected a weight of at least 0, got %g",
                            i, p->weights[i]);
    }
    return PTS_OK;
}

/* A solver serves many problems of one size: what the last one left is cleared. */
static void begin(pts_lm *lm, const pts_lm_problem *problem, const double *x)
{
    lm->problem = problem;
    lm->bounded = problem->lower || problem->upper;
    lm->held_count = 0;
    memset(lm->held, 0, lm->n * sizeof *lm->held);
    memset(lm->scale, 0, lm->n * sizeof *lm->scale);
    memcpy(lm->x, x, lm->n * sizeof *x);
    if (lm->bounded)
        pts_lm_clip(lm, lm->x);
    for (size_t i = 0; problem->weights && i < lm->m; i++)
        lm->root[i] = sqrt(problem->weights[i]);
}

/* Convergence is renamed by what the Jacobian at the answer says of it. */
static pts_status conclude(pts_lm *lm, int stop, pts_error *err)
{
    pts_lm_result *result = lm->result;
    double norm = pts_qr_norm(lm->r, lm->m);
    result->sse = norm * norm;
    result->cost = lm->norm * lm->norm / 2;
    result->stop = (pts_lm_stop)stop;
    PTS_TRY(judge(lm, err));
    if (!pts_lm_converged(result))
        return PTS_OK;
    if (result->rank + result->at_bound < lm->n)
        result->stop = PTS_LM_RANK_DEFICIENT;
    else if (result->at_bound)
        result->stop = PTS_LM_AT_BOUND;
    return PTS_OK;
}

pts_status pts_lm_solve(pts_lm *lm, const pts_lm_problem *problem, const pts_lm_settings *settings,
                        double *x, pts_lm_result *result, pts_error *err)
{
    lm->settings = settings ? *settings : pts_lm_defaults();
    *result = (pts_lm_result){.stop = PTS_LM_NOT_FINITE, .sse = INFINITY, .cost = INFINITY};
    lm->result = result;
    lm->rank = 0;
    PTS_TRY(check_settings(&lm->settings, err));
    PTS_TRY(check_problem(lm, problem, err));
    begin(lm, problem, x);
    PTS_TRY(pts_lm_evaluate(lm, lm->x, lm->r, err));
    if (!pts_lm_finite(lm->x, lm->n) || !pts_lm_finite(lm->r, lm->m))
        return PTS_OK;
    lm->norm = pts_lm_norm_of(lm, lm->r);
    int stop = lm->norm == 0 ? PTS_LM_CONVERGED_F : -1;
    pts_status status = PTS_OK;
    while (stop < 0 && status == PTS_OK)
        status = iterate(lm, &stop, err);
    memcpy(x, lm->x, lm->n * sizeof *x);
    PTS_TRY(status);
    return conclude(lm, stop, err);
}

int pts_lm_bound_of(const pts_lm *lm, size_t j)
{
    return j < lm->n ? lm->held[j] : 0;
}

/* Marks in lm->scratch the pivoted columns that a null vector of the scaled Jacobian touches: the
 * null space of [R₁₁ R₁₂] is spanned by the columns of [−R₁₁⁻¹ R₁₂; I]. */
static void mark_undetermined(pts_lm *lm)
{
    size_t n = lm->n, rank = lm->rank;
    for (size_t j = 0; j < n; j++)
        lm->scratch[j] = j >= rank && !lm->held[lm->pivot[j] - 1];
    for (size_t k = rank; rank > 0 && k < n; k++) {
        memcpy(lm->rhs, lm->q + k * lm->m, rank * sizeof *lm->rhs);
        cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, (int)rank, lm->q,
                    (int)lm->m, lm->rhs, 1);
        for (size_t j = 0; j < rank; j++) {
            if (fabs(lm->rhs[j]) > 1e-8)
                lm->scratch[j] = 1;
        }
    }
}

void pts_lm_covariance(pts_lm *lm, double *covariance)
{
    size_t n = lm->n, rank = lm->rank;
    mark_undetermined(lm);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            size_t a = (size_t)lm->pivot[i] - 1, b = (size_t)lm->pivot[j] - 1;
            double sum = i == j && !lm->held[a] ? INFINITY : 0;
            if (i < rank && j < rank && lm->scratch[i] == 0 && lm->scratch[j] == 0) {
                sum = 0; /* row i of R⁻¹ times row j, both zero left of the diagonal */
                for (size_t k = i > j ? i : j; k < rank; k++)
                    sum += lm->s[k * n + i] * lm->s[k * n + j];
                sum /= lm->norms[a] * lm->norms[b];
            }
            covariance[a * n + b] = sum;
        }
    }
}
