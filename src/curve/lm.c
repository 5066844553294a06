/* Levenberg–Marquardt as Moré (1978) describes it: see pts/lm.h.
 *
 * At x, with J P = Q R (columns pivoted) and the scaling D, the step p solves
 *     min |J p + r|² + par·|D p|²
 * where par ≥ 0 is such that |D p| is within a tenth of the trust region's radius, or 0 when the
 * Gauss–Newton step lies inside. R is factored once a Jacobian; each par costs one update of the
 * n × n triangle by plane rotations. All matrices here are column-major, as LAPACK wants them. */
#include "pts/lm.h"
#include "base/error.h"
#include "base/memory.h"

#include <cblas.h>
#include <lapacke.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Relative changes of the sum of squares below this are taken for rounding. */
#define RESOLUTION (64 * DBL_EPSILON)

struct pts_lm {
    size_t m, n;
    pts_arena arena;
    double *x;           /* [n] the best point */
    double *x_trial;     /* [n] */
    double *r, *r_trial; /* [m] residuals there */
    double *r_ahead;     /* [m] a second sample for differences */
    double *rows;        /* [m][n] the Jacobian as the callback leaves it */
    double *q;           /* [n][m] its columns, then Householder vectors under R */
    double *tau;         /* [n] */
    lapack_int *pivot;   /* [n] from 1 */
    double *work;        /* [lwork] LAPACK's, and [n] integers of its own */
    lapack_int *integers;
    lapack_int lwork;
    double *qtr;            /* [m] −Qᵀr */
    double *s, *rhs, *row;  /* [n][n], [n], [n]: the damped triangle and its right side */
    double *scale, *norms;  /* [n] D and the column norms of J */
    double *step, *scratch; /* [n] */
    /* the run */
    const pts_lm_problem *problem;
    pts_lm_settings settings;
    pts_lm_result *result;
    double norm;   /* |r| */
    double radius; /* of the trust region */
    double par;
    double quiet; /* the last predicted reduction below the resolution of |r| */
    size_t rank;  /* of the last factorisation for the covariance */
};

pts_lm_settings pts_lm_defaults(void)
{
    return (pts_lm_settings){.ftol = 1e-22,
                             .xtol = 1e-14,
                             .gtol = 1e-14,
                             .max_evaluations = 5000,
                             .radius = 1,
                             .differences = PTS_LM_CENTRAL};
}

const char *pts_lm_stop_text(pts_lm_stop stop)
{
    static const char *const text[] = {
        "converged: sum of squares",    "converged: parameters",
        "converged: gradient",          "rank deficient",
        "limit of evaluations reached", "not finite",
    };
    return (size_t)stop < sizeof text / sizeof *text ? text[stop] : "unknown";
}

static void carve(pts_lm *lm)
{
    size_t m = lm->m, n = lm->n, nn = 0, mn = 0, real = sizeof(double);
    if (!pts_mul(n, n, &nn) || !pts_mul(m, n, &mn))
        lm->arena.overflow = 1;
    pts_arena *a = &lm->arena;
    double **vectors_n[] = {&lm->x,     &lm->x_trial, &lm->tau,  &lm->rhs,    &lm->row,
                            &lm->scale, &lm->norms,   &lm->step, &lm->scratch};
    double **vectors_m[] = {&lm->r, &lm->r_trial, &lm->r_ahead, &lm->qtr};
    for (size_t i = 0; i < sizeof vectors_n / sizeof *vectors_n; i++)
        *vectors_n[i] = pts_arena_take(a, n, real);
    for (size_t i = 0; i < sizeof vectors_m / sizeof *vectors_m; i++)
        *vectors_m[i] = pts_arena_take(a, m, real);
    lm->rows = pts_arena_take(a, mn, real);
    lm->q = pts_arena_take(a, mn, real);
    lm->s = pts_arena_take(a, nn, real);
    lm->pivot = pts_arena_take(a, n, sizeof *lm->pivot);
    lm->integers = pts_arena_take(a, n, sizeof *lm->integers);
    lm->work = pts_arena_take(a, (size_t)lm->lwork, real);
}

/* The workspace that dgeqp3 and dormqr like best. */
static lapack_int best_lwork(lapack_int m, lapack_int n)
{
    double want[2] = {0, 0}, none = 0;
    lapack_int pivot = 0;
    LAPACKE_dgeqp3_work(LAPACK_COL_MAJOR, m, n, &none, m, &pivot, &none, &want[0], -1);
    LAPACKE_dormqr_work(LAPACK_COL_MAJOR, 'L', 'T', m, 1, n, &none, m, &none, &none, m, &want[1],
                        -1);
    double most = want[0] > want[1] ? want[0] : want[1];
    double least = 3.0 * n + 1; /* also dtrcon's */
    return (lapack_int)(most > least ? most : least);
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
    pts_lm *lm = calloc(1, sizeof *lm);
    if (!lm)
        return pts_fail_memory(err, sizeof *lm);
    lm->m = m;
    lm->n = n;
    lm->lwork = best_lwork((lapack_int)m, (lapack_int)n);
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

static int all_finite(const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(v[i]))
            return 0;
    }
    return 1;
}

static double norm2(const double *v, size_t count)
{
    return cblas_dnrm2((int)count, v, 1);
}

static double scaled_norm(const double *scale, const double *v, double *scratch, size_t n)
{
    for (size_t i = 0; i < n; i++)
        scratch[i] = scale[i] * v[i];
    return norm2(scratch, n);
}

static pts_status evaluate(pts_lm *lm, const double *x, double *r, pts_error *err)
{
    lm->result->evaluations++;
    if (lm->problem->residuals(lm->problem->user, x, r) < 0)
        return pts_fail(err, PTS_ERR_CANCELLED, "least squares: stopped by the residuals");
    return PTS_OK;
}

/* Column j of the Jacobian by differences around lm->x, whose residuals are lm->r. */
static pts_status difference_column(pts_lm *lm, size_t j, pts_error *err)
{
    int central = lm->settings.differences == PTS_LM_CENTRAL;
    double part = central ? cbrt(DBL_EPSILON) : sqrt(DBL_EPSILON);
    double at = lm->x[j], h = at != 0 ? part * fabs(at) : part;
    double *ahead = lm->r_ahead, *behind = central ? lm->r_trial : lm->r;
    memcpy(lm->x_trial, lm->x, lm->n * sizeof *lm->x);
    lm->x_trial[j] = at + h;
    double width = lm->x_trial[j] - at; /* what the sum was rounded to */
    PTS_TRY(evaluate(lm, lm->x_trial, ahead, err));
    if (central) {
        lm->x_trial[j] = at - h;
        width = (at + h) - lm->x_trial[j];
        PTS_TRY(evaluate(lm, lm->x_trial, behind, err));
    }
    for (size_t i = 0; i < lm->m; i++)
        lm->q[j * lm->m + i] = (ahead[i] - behind[i]) / width;
    return PTS_OK;
}

/* The Jacobian at lm->x into the columns of lm->q, and their norms. */
static pts_status linearise(pts_lm *lm, pts_error *err)
{
    size_t m = lm->m, n = lm->n;
    if (lm->problem->jacobian) {
        if (lm->problem->jacobian(lm->problem->user, lm->x, lm->rows) < 0)
            return pts_fail(err, PTS_ERR_CANCELLED, "least squares: stopped by the Jacobian");
        for (size_t i = 0; i < m; i++) {
            for (size_t j = 0; j < n; j++)
                lm->q[j * m + i] = lm->rows[i * n + j];
        }
    } else {
        for (size_t j = 0; j < n; j++)
            PTS_TRY(difference_column(lm, j, err));
    }
    for (size_t j = 0; j < n; j++)
        lm->norms[j] = norm2(lm->q + j * m, m);
    return PTS_OK;
}

/* J P = Q R, R in the upper triangle of lm->q, and −Qᵀr. */
static void factor(pts_lm *lm)
{
    lapack_int m = (lapack_int)lm->m, n = (lapack_int)lm->n;
    memset(lm->pivot, 0, lm->n * sizeof *lm->pivot);
    LAPACKE_dgeqp3_work(LAPACK_COL_MAJOR, m, n, lm->q, m, lm->pivot, lm->tau, lm->work, lm->lwork);
    for (size_t i = 0; i < lm->m; i++)
        lm->qtr[i] = -lm->r[i];
    LAPACKE_dormqr_work(LAPACK_COL_MAJOR, 'L', 'T', m, 1, n, lm->q, m, lm->tau, lm->qtr, m,
                        lm->work, lm->lwork);
}

/* max_j |J_jᵀ r| / (|J_j| |r|): 0 where r is orthogonal to every direction the model can take. */
static double gradient_cosine(const pts_lm *lm)
{
    double most = 0;
    for (size_t j = 0; j < lm->n; j++) {
        size_t column = (size_t)lm->pivot[j] - 1;
        if (lm->norms[column] == 0)
            continue;
        double dot = cblas_ddot((int)j + 1, lm->q + j * lm->m, 1, lm->qtr, 1);
        double cosine = fabs(dot / lm->norm) / lm->norms[column];
        if (cosine > most)
            most = cosine;
    }
    return most;
}

/* The step of par = 0, its undetermined components 0. Returns the rank of R. */
static size_t gauss_newton(pts_lm *lm)
{
    size_t m = lm->m, n = lm->n, rank = 0;
    while (rank < n && lm->q[rank * m + rank] != 0)
        rank++;
    memset(lm->rhs, 0, n * sizeof *lm->rhs);
    memcpy(lm->rhs, lm->qtr, rank * sizeof *lm->rhs);
    if (rank > 0)
        cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, (int)rank, lm->q, (int)m,
                    lm->rhs, 1);
    for (size_t j = 0; j < n; j++)
        lm->step[lm->pivot[j] - 1] = lm->rhs[j];
    return rank;
}

/* Rotates the row √par·D_j into the triangle s and its right side. */
static void rotate_in(pts_lm *lm, size_t j, double root)
{
    size_t n = lm->n;
    double *row = lm->row, below = 0;
    memset(row, 0, n * sizeof *row);
    row[j] = root * lm->scale[lm->pivot[j] - 1];
    for (size_t k = j; k < n; k++) {
        double *diagonal = &lm->s[k * n + k];
        double length = hypot(*diagonal, row[k]);
        if (length == 0)
            continue;
        double c = *diagonal / length, s = row[k] / length;
        for (size_t i = k; i < n; i++) {
            double upper = lm->s[i * n + k], lower = row[i];
            lm->s[i * n + k] = c * upper + s * lower;
            row[i] = c * lower - s * upper;
        }
        double upper = lm->rhs[k];
        lm->rhs[k] = c * upper + s * below;
        below = c * below - s * upper;
    }
}

/* The step for par > 0; leaves the damped triangle in lm->s. */
static void damped_step(pts_lm *lm, double par)
{
    size_t m = lm->m, n = lm->n;
    for (size_t j = 0; j < n; j++) {
        memset(lm->s + j * n, 0, n * sizeof *lm->s);
        memcpy(lm->s + j * n, lm->q + j * m, (j + 1) * sizeof *lm->s);
    }
    memcpy(lm->rhs, lm->qtr, n * sizeof *lm->rhs);
    for (size_t j = 0; j < n; j++)
        rotate_in(lm, j, sqrt(par));
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, (int)n, lm->s, (int)n,
                lm->rhs, 1);
    for (size_t j = 0; j < n; j++)
        lm->step[lm->pivot[j] - 1] = lm->rhs[j];
}

/* |T⁻ᵀ Pᵀ D² p / |Dp||²: minus the relative derivative of |D p(par)|, T the triangle of par. */
static double slope(pts_lm *lm, const double *triangle, size_t stride, double length)
{
    for (size_t j = 0; j < lm->n; j++) {
        size_t column = (size_t)lm->pivot[j] - 1;
        double d = lm->scale[column];
        lm->rhs[j] = d * (d * lm->step[column] / length);
    }
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, (int)lm->n, triangle,
                (int)stride, lm->rhs, 1);
    double norm = norm2(lm->rhs, lm->n);
    return norm * norm;
}

/* |D⁻¹ Jᵀ r|, the scaled gradient: it bounds par from above. */
static double scaled_gradient(pts_lm *lm)
{
    for (size_t j = 0; j < lm->n; j++)
        lm->rhs[j] =
            cblas_ddot((int)j + 1, lm->q + j * lm->m, 1, lm->qtr, 1) / lm->scale[lm->pivot[j] - 1];
    return norm2(lm->rhs, lm->n);
}

/* Finds par and the step with |D p| = radius ± 10 %, or par = 0. Returns |D p|. Moré's safeguarded
 * Newton iteration on 1/|D p(par)| − 1/radius: three rounds are usual, ten the limit. */
static double choose_step(pts_lm *lm)
{
    double radius = lm->radius;
    size_t rank = gauss_newton(lm);
    double length = scaled_norm(lm->scale, lm->step, lm->scratch, lm->n);
    double excess = length - radius;
    if (excess <= 0.1 * radius) {
        lm->par = 0;
        return length;
    }
    double low = 0;
    if (rank == lm->n)
        low = excess / (radius * slope(lm, lm->q, lm->m, length));
    double gradient = scaled_gradient(lm), high = gradient / radius;
    if (high == 0)
        high = DBL_MIN / fmin(radius, 0.1);
    double par = fmin(fmax(lm->par, low), high);
    if (par == 0)
        par = gradient / length;
    for (int round = 0;; round++) {
        if (par == 0)
            par = fmax(DBL_MIN, 0.001 * high);
        damped_step(lm, par);
        length = scaled_norm(lm->scale, lm->step, lm->scratch, lm->n);
        double before = excess;
        excess = length - radius;
        if (fabs(excess) <= 0.1 * radius || (low == 0 && excess <= before && before < 0) ||
            round == 9)
            break;
        double correction = excess / (radius * slope(lm, lm->s, lm->n, length));
        if (excess > 0)
            low = fmax(low, par);
        else
            high = fmin(high, par);
        par = fmax(low, par + correction);
    }
    lm->par = par;
    return length;
}

/* |J p|, from R. */
static double model_length(pts_lm *lm)
{
    memset(lm->rhs, 0, lm->n * sizeof *lm->rhs);
    for (size_t j = 0; j < lm->n; j++)
        cblas_daxpy((int)j + 1, lm->step[lm->pivot[j] - 1], lm->q + j * lm->m, 1, lm->rhs, 1);
    return norm2(lm->rhs, lm->n);
}

typedef struct reduction {
    double real, predicted, ratio, slope;
} reduction;

static reduction compare(pts_lm *lm, double trial_norm, double length)
{
    double linear = model_length(lm) / lm->norm, damping = sqrt(lm->par) * length / lm->norm;
    double relative = trial_norm / lm->norm;
    reduction out;
    /* a trial ten times as bad, or not finite, says nothing about curvature */
    out.real = relative < 10 ? 1 - relative * relative : -1;
    out.predicted = linear * linear + 2 * damping * damping;
    out.slope = -(linear * linear + damping * damping);
    out.ratio = out.predicted != 0 ? out.real / out.predicted : 0;
    return out;
}

static void resize_region(pts_lm *lm, const reduction *d, double trial_norm, double length)
{
    if (d->ratio <= 0.25) {
        double shrink = d->real >= 0 ? 0.5 : 0.5 * d->slope / (d->slope + 0.5 * d->real);
        if (!(trial_norm < 10 * lm->norm) || shrink < 0.1)
            shrink = 0.1;
        lm->radius = shrink * fmin(lm->radius, 10 * length);
        lm->par /= shrink;
    } else if (lm->par == 0 || d->ratio >= 0.75) {
        lm->radius = 2 * length;
        lm->par *= 0.5;
    }
}

/* Where the sum of squares is too coarse to tell a good step from a bad one (its relative change
 * is rounding, while x still has only half of its digits), the model's word is taken: the ratio
 * becomes 1 as long as the predicted reduction keeps falling. Returns 0 when it does not. */
static int trust_model(pts_lm *lm, reduction *d)
{
    if (fabs(d->real) > RESOLUTION || d->predicted > RESOLUTION)
        return 1;
    if (d->predicted >= lm->quiet)
        return 0;
    lm->quiet = d->predicted;
    d->ratio = 1;
    return 1;
}

/* −1, or why to stop. */
static int finished(const pts_lm *lm, const reduction *d, double x_norm)
{
    if (lm->norm == 0)
        return PTS_LM_CONVERGED_F;
    if (fabs(d->real) <= fmax(lm->settings.ftol, RESOLUTION) && d->predicted <= lm->settings.ftol)
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

/* Trial steps from one Jacobian until one is accepted. *stop: −1 or why to end. */
static pts_status search(pts_lm *lm, int *stop, pts_error *err)
{
    size_t n = lm->n;
    for (reduction d = {0}; d.ratio < 1e-4;) {
        double length = choose_step(lm);
        if (lm->result->iterations == 1)
            lm->radius = fmin(lm->radius, length);
        for (size_t j = 0; j < n; j++)
            lm->x_trial[j] = lm->x[j] + lm->step[j];
        PTS_TRY(evaluate(lm, lm->x_trial, lm->r_trial, err));
        double trial_norm = all_finite(lm->r_trial, lm->m) ? norm2(lm->r_trial, lm->m) : INFINITY;
        d = compare(lm, trial_norm, length);
        if (!trust_model(lm, &d)) {
            *stop = PTS_LM_CONVERGED_F;
            return PTS_OK;
        }
        resize_region(lm, &d, trial_norm, length);
        if (d.ratio >= 1e-4)
            accept(lm, trial_norm);
        *stop = finished(lm, &d, scaled_norm(lm->scale, lm->x, lm->scratch, n));
        if (*stop >= 0)
            return PTS_OK;
    }
    return PTS_OK;
}

static void start_region(pts_lm *lm)
{
    double length = scaled_norm(lm->scale, lm->x, lm->scratch, lm->n);
    lm->radius = lm->settings.radius * (length > 0 ? length : 1);
    lm->par = 0;
    lm->quiet = INFINITY;
}

static pts_status iterate(pts_lm *lm, int *stop, pts_error *err)
{
    *stop = lm->norm == 0 ? PTS_LM_CONVERGED_F : -1;
    memset(lm->scale, 0, lm->n * sizeof *lm->scale);
    while (*stop < 0) {
        PTS_TRY(linearise(lm, err));
        if (!all_finite(lm->norms, lm->n)) {
            *stop = PTS_LM_NOT_FINITE;
            return PTS_OK;
        }
        factor(lm);
        int first = lm->result->iterations++ == 0;
        for (size_t j = 0; j < lm->n; j++) {
            lm->scale[j] = fmax(lm->scale[j], lm->norms[j]);
            if (first && lm->scale[j] == 0)
                lm->scale[j] = 1;
        }
        if (first)
            start_region(lm);
        if (gradient_cosine(lm) <= fmax(lm->settings.gtol, DBL_EPSILON))
            *stop = PTS_LM_CONVERGED_G;
        else
            PTS_TRY(search(lm, stop, err));
    }
    return PTS_OK;
}

/* Relative error of a column: two equal ones still differ by the noise of their differences. */
static double jacobian_accuracy(const pts_lm *lm)
{
    if (lm->problem->jacobian)
        return (double)lm->m * DBL_EPSILON;
    return lm->settings.differences == PTS_LM_CENTRAL ? 1e-9 : 1e-7;
}

/* Rank and condition at the answer, with columns scaled to 1: parameters in metres or millimetres
 * then have the same rank. Leaves R and the pivots for the covariance. */
static pts_status judge(pts_lm *lm, pts_error *err)
{
    size_t m = lm->m, n = lm->n;
    PTS_TRY(linearise(lm, err));
    lm->result->rank = lm->rank = 0;
    if (!all_finite(lm->norms, n))
        return PTS_OK;
    for (size_t j = 0; j < n; j++) {
        if (lm->norms[j] > 0)
            cblas_dscal((int)m, 1 / lm->norms[j], lm->q + j * m, 1);
    }
    factor(lm);
    double floor = jacobian_accuracy(lm) * fabs(lm->q[0]);
    while (lm->rank < n && fabs(lm->q[lm->rank * m + lm->rank]) > floor)
        lm->rank++;
    lm->result->rank = lm->rank;
    if (lm->rank == n)
        LAPACKE_dtrcon_work(LAPACK_COL_MAJOR, '1', 'U', 'N', (lapack_int)n, lm->q, (lapack_int)m,
                            &lm->result->rcond, lm->work, lm->integers);
    return PTS_OK;
}

static pts_status check(const pts_lm_settings *s, pts_error *err)
{
    if (!(s->ftol >= 0) || !(s->xtol >= 0) || !(s->gtol >= 0) || !(s->radius > 0))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "least squares: expected tolerances of at least 0 and a radius above 0, "
                        "got %g, %g, %g and %g",
                        s->ftol, s->xtol, s->gtol, s->radius);
    return PTS_OK;
}

pts_status pts_lm_solve(pts_lm *lm, const pts_lm_problem *problem, const pts_lm_settings *settings,
                        double *x, pts_lm_result *result, pts_error *err)
{
    lm->settings = settings ? *settings : pts_lm_defaults();
    PTS_TRY(check(&lm->settings, err));
    *result = (pts_lm_result){.stop = PTS_LM_NOT_FINITE, .sse = INFINITY};
    lm->problem = problem;
    lm->result = result;
    memcpy(lm->x, x, lm->n * sizeof *x);
    PTS_TRY(evaluate(lm, lm->x, lm->r, err));
    if (!all_finite(lm->x, lm->n) || !all_finite(lm->r, lm->m))
        return PTS_OK;
    lm->norm = norm2(lm->r, lm->m);
    int stop;
    pts_status status = iterate(lm, &stop, err);
    memcpy(x, lm->x, lm->n * sizeof *x);
    PTS_TRY(status);
    result->sse = lm->norm * lm->norm;
    result->stop = (pts_lm_stop)stop;
    PTS_TRY(judge(lm, err));
    if (pts_lm_converged(result) && result->rank < lm->n)
        result->stop = PTS_LM_RANK_DEFICIENT;
    return PTS_OK;
}

/* Marks in lm->scratch the pivoted columns that a null vector of the scaled Jacobian touches: the
 * null space of [R₁₁ R₁₂] is spanned by the columns of [−R₁₁⁻¹ R₁₂; I]. */
static void mark_undetermined(pts_lm *lm)
{
    size_t n = lm->n, rank = lm->rank;
    for (size_t j = 0; j < n; j++)
        lm->scratch[j] = j >= rank;
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
    for (size_t j = 0; j < rank; j++)
        memcpy(lm->s + j * n, lm->q + j * lm->m, (j + 1) * sizeof *lm->s);
    if (rank > 0)
        LAPACKE_dtrtri_work(LAPACK_COL_MAJOR, 'U', 'N', (lapack_int)rank, lm->s, (lapack_int)n);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            size_t a = (size_t)lm->pivot[i] - 1, b = (size_t)lm->pivot[j] - 1;
            double sum = i == j ? INFINITY : 0;
            if (lm->scratch[i] == 0 && lm->scratch[j] == 0) {
                sum = 0; /* row i of R⁻¹ times row j, both zero left of the diagonal */
                for (size_t k = i > j ? i : j; k < rank; k++)
                    sum += lm->s[k * n + i] * lm->s[k * n + j];
                sum /= lm->norms[a] * lm->norms[b];
            }
            covariance[a * n + b] = sum;
        }
    }
}
