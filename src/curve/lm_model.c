/* What the solver sees of a problem: weighted residuals, the loss, the Jacobian, the box. */
#include "curve/solver.h"
#include "curve/qr.h"
#include "base/error.h"

#include <float.h>
#include <math.h>
#include <string.h>

bool pts_lm_finite(const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(v[i]))
            return false;
    }
    return true;
}

pts_status pts_lm_evaluate(pts_lm *lm, const double *x, double *r, pts_error *err)
{
    lm->result->evaluations++;
    if (lm->problem->residuals(lm->problem->user, x, r) < 0)
        return pts_fail(err, PTS_ERR_CANCELLED, "least squares: stopped by the residuals");
    for (size_t i = 0; lm->problem->weights && i < lm->m; i++)
        r[i] = lm->root[i] == 0 ? 0 : r[i] * lm->root[i]; /* weight 0 forgives a NaN, too */
    return PTS_OK;
}

/* ρ(z) and its first two derivatives. */
static double loss_at(pts_lm_loss loss, double z, double *first, double *second)
{
    double root;
    switch (loss) {
    case PTS_LM_HUBER:
        root = sqrt(z);
        *first = z <= 1 ? 1 : 1 / root;
        *second = z <= 1 ? 0 : -0.5 / (z * root);
        return z <= 1 ? z : 2 * root - 1;
    case PTS_LM_SOFT_L1:
        root = sqrt(1 + z);
        *first = 1 / root;
        *second = -0.5 / (root * root * root);
        return 2 * z / (1 + root); /* 2(√(1+z) − 1) without its cancellation */
    case PTS_LM_CAUCHY:
        *first = 1 / (1 + z);
        *second = -*first * *first;
        return log1p(z);
    default:
        *first = 1;
        *second = 0;
        return z;
    }
}

double pts_lm_norm_of(const pts_lm *lm, const double *r)
{
    if (lm->settings.loss == PTS_LM_SQUARES)
        return pts_qr_norm(r, lm->m);
    double sum = 0, s = lm->settings.loss_scale, first, second;
    for (size_t i = 0; i < lm->m; i++)
        sum += loss_at(lm->settings.loss, (r[i] / s) * (r[i] / s), &first, &second);
    return s * sqrt(sum);
}

/* Gauss–Newton's Hessian of a loss is Jᵀ(ρ' + 2ρ''z)J. An outlier's factor is 0 or below; as small
 * as rounding it would wreck the factorisation, so it is kept above a hundredth of ρ'. */
static void bend(pts_lm *lm)
{
    if (lm->settings.loss == PTS_LM_SQUARES) {
        memcpy(lm->bent, lm->r, lm->m * sizeof *lm->r);
        return;
    }
    double s = lm->settings.loss_scale;
    for (size_t i = 0; i < lm->m; i++) {
        double z = (lm->r[i] / s) * (lm->r[i] / s), first, second;
        loss_at(lm->settings.loss, z, &first, &second);
        lm->bend[i] = sqrt(fmax(first + 2 * second * z, 0.01 * first));
        lm->bent[i] = lm->r[i] * first / lm->bend[i];
    }
}

void pts_lm_clip(const pts_lm *lm, double *x)
{
    const double *lower = lm->problem->lower, *upper = lm->problem->upper;
    for (size_t j = 0; j < lm->n; j++) {
        if (upper && x[j] > upper[j])
            x[j] = upper[j];
        if (lower && x[j] < lower[j])
            x[j] = lower[j];
    }
}

/* Residuals with x_j moved by h; *width is what h was rounded to. */
static pts_status sample(pts_lm *lm, size_t j, double h, double *r, double *width, pts_error *err)
{
    lm->x_trial[j] = lm->x[j] + h;
    *width = lm->x_trial[j] - lm->x[j];
    pts_status status = pts_lm_evaluate(lm, lm->x_trial, r, err);
    lm->x_trial[j] = lm->x[j];
    return status;
}

/* How far a difference may reach: h, or less in a narrow box. *side: 1, −1 where only one side
 * has room, 0 where both have. */
static double reach(const pts_lm *lm, size_t j, double h, int *side)
{
    const double *lower = lm->problem->lower, *upper = lm->problem->upper;
    double below = lower ? lm->x[j] - lower[j] : INFINITY;
    double above = upper ? upper[j] - lm->x[j] : INFINITY;
    if (below + above < 4 * h)
        h = (below + above) / 4;
    *side = below >= h && above >= h ? 0 : above >= below ? 1 : -1;
    return h;
}

/* From r(x) and two samples on one side, at distances a and b: exact for parabolas. */
static pts_status one_sided_column(pts_lm *lm, size_t j, double h, double *column, pts_error *err)
{
    double a, b;
    PTS_TRY(sample(lm, j, h, lm->ahead, &a, err));
    PTS_TRY(sample(lm, j, 2 * h, lm->aside, &b, err));
    double wa = b / (a * (b - a)), wb = -a / (b * (b - a));
    for (size_t i = 0; i < lm->m; i++)
        column[i] = wa * (lm->ahead[i] - lm->r[i]) + wb * (lm->aside[i] - lm->r[i]);
    return PTS_OK;
}

/* Where a model has no value on one side (the edge of its domain), the other one is taken. */
static pts_status central_column(pts_lm *lm, size_t j, double h, double *column, pts_error *err)
{
    double a, b;
    PTS_TRY(sample(lm, j, h, lm->ahead, &a, err));
    PTS_TRY(sample(lm, j, -h, lm->aside, &b, err));
    if (!pts_lm_finite(lm->ahead, lm->m))
        return one_sided_column(lm, j, -h, column, err);
    if (!pts_lm_finite(lm->aside, lm->m))
        return one_sided_column(lm, j, h, column, err);
    for (size_t i = 0; i < lm->m; i++)
        column[i] = (lm->ahead[i] - lm->aside[i]) / (a - b);
    return PTS_OK;
}

/* Seven digits for half of the evaluations: enough where residuals are small at the answer. */
static pts_status forward_column(pts_lm *lm, size_t j, double h, double *column, pts_error *err)
{
    double a;
    PTS_TRY(sample(lm, j, h, lm->ahead, &a, err));
    for (size_t i = 0; i < lm->m; i++)
        column[i] = (lm->ahead[i] - lm->r[i]) / a;
    return PTS_OK;
}

/* Steps at which truncation and rounding balance: ∛ε for central differences, √ε for others. */
static pts_status difference_column(pts_lm *lm, size_t j, double *column, pts_error *err)
{
    const bool central = lm->settings.differences == PTS_LM_CENTRAL;
    int side;
    double part = central ? cbrt(DBL_EPSILON) : sqrt(DBL_EPSILON);
    double h = reach(lm, j, lm->x[j] != 0 ? part * fabs(lm->x[j]) : part, &side);
    if (h == 0) { /* a fixed parameter */
        memset(column, 0, lm->m * sizeof *column);
        return PTS_OK;
    }
    if (!central)
        return forward_column(lm, j, side < 0 ? -h : h, column, err);
    if (side != 0)
        return one_sided_column(lm, j, side * h, column, err);
    return central_column(lm, j, h, column, err);
}

/* Callbacks write rows, as people think of a Jacobian; LAPACK wants columns. */
static pts_status fill_columns(pts_lm *lm, pts_error *err)
{
    size_t m = lm->m, n = lm->n;
    if (!lm->problem->jacobian) {
        memcpy(lm->x_trial, lm->x, n * sizeof *lm->x);
        for (size_t j = 0; j < n; j++)
            PTS_TRY(difference_column(lm, j, lm->q + j * m, err));
        return PTS_OK;
    }
    if (lm->problem->jacobian(lm->problem->user, lm->x, lm->rows) < 0)
        return pts_fail(err, PTS_ERR_CANCELLED, "least squares: stopped by the Jacobian");
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++)
            lm->q[j * m + i] = lm->rows[i * n + j];
    }
    for (size_t j = 0; lm->problem->weights && j < n; j++) {
        for (size_t i = 0; i < m; i++)
            lm->q[j * m + i] = lm->root[i] == 0 ? 0 : lm->q[j * m + i] * lm->root[i];
    }
    return PTS_OK;
}

/* A parameter on a bound, with a gradient that presses it outwards, is held. */
static void hold(pts_lm *lm)
{
    const double *lower = lm->problem->lower, *upper = lm->problem->upper;
    lm->held_count = 0;
    for (size_t j = 0; lm->bounded && j < lm->n; j++) {
        double *column = lm->q + j * lm->m;
        double gradient = pts_qr_dot(column, lm->bent, lm->m);
        lm->held[j] = 0;
        if (lower && lm->x[j] <= lower[j] && (gradient >= 0 || (upper && lower[j] == upper[j])))
            lm->held[j] = -1;
        else if (upper && lm->x[j] >= upper[j] && gradient <= 0)
            lm->held[j] = 1;
        if (lm->held[j]) {
            memset(column, 0, lm->m * sizeof *column);
            lm->held_count++;
        }
    }
}

pts_status pts_lm_linearise(pts_lm *lm, pts_error *err)
{
    PTS_TRY(fill_columns(lm, err));
    bend(lm);
    for (size_t j = 0; j < lm->n; j++) {
        double *column = lm->q + j * lm->m;
        for (size_t i = 0; lm->settings.loss != PTS_LM_SQUARES && i < lm->m; i++)
            column[i] *= lm->bend[i];
        lm->norms[j] = pts_qr_norm(column, lm->m);
    }
    if (pts_lm_finite(lm->norms, lm->n))
        hold(lm);
    return PTS_OK;
}
