/* The damped step: at x, with J P = Q R (columns pivoted) and the scaling D, the step p solves
 *     min |J p + r|² + par·|D p|²
 * where par ≥ 0 is such that |D p| is within a tenth of the trust region's radius, or 0 when the
 * Gauss–Newton step lies inside. R is factored once a Jacobian; each par costs one update of the
 * n × n triangle by plane rotations. Columns of held parameters are 0 and come last. */
#include "curve/solver.h"
#include "curve/qr.h"

#include <float.h>
#include <math.h>
#include <string.h>

double pts_lm_scaled_norm(pts_lm *lm, const double *v)
{
    for (size_t i = 0; i < lm->n; i++)
        lm->scratch[i] = lm->scale[i] * v[i];
    return pts_qr_norm(lm->scratch, lm->n);
}

/* J P = Q R, R in the upper triangle of lm->q, and −Qᵀr. */
void pts_lm_factor(pts_lm *lm)
{
    pts_qr_factor(lm->q, lm->m, lm->n, lm->pivot, lm->tau, lm->work, lm->qr_lwork);
    for (size_t i = 0; i < lm->m; i++)
        lm->qtr[i] = -lm->bent[i];
    pts_qr_apply(lm->q, lm->m, lm->n, lm->tau, lm->qtr, lm->work, lm->qr_lwork);
}

/* J_jᵀ(−r) / (length · norm) of pivoted column j; the product alone could overflow. */
static double gradient_of(const pts_lm *lm, size_t j, double length, double norm)
{
    double sum = 0;
    for (size_t i = 0; i <= j; i++)
        sum += lm->q[j * lm->m + i] / length * (lm->qtr[i] / norm);
    return sum;
}

/* max_j |J_jᵀ r| / (|J_j| |r|): 0 where r is orthogonal to every direction the model can take. */
double pts_lm_gradient_cosine(const pts_lm *lm)
{
    double most = 0, norm = pts_qr_norm(lm->bent, lm->m);
    for (size_t j = 0; j < lm->n; j++) {
        size_t column = (size_t)lm->pivot[j] - 1;
        if (lm->norms[column] == 0 || norm == 0)
            continue;
        most = fmax(most, fabs(gradient_of(lm, j, lm->norms[column], norm)));
    }
    return most;
}

/* v = T⁻¹ v, T upper triangular in columns of `stride`. */
static void back_substitute(const double *t, size_t stride, size_t count, double *v)
{
    for (size_t j = count; j-- > 0;) {
        v[j] /= t[j * stride + j];
        for (size_t i = 0; i < j; i++)
            v[i] -= v[j] * t[j * stride + i];
    }
}

/* v = T⁻ᵀ v. */
static void forward_substitute(const double *t, size_t stride, size_t count, double *v)
{
    for (size_t j = 0; j < count; j++)
        v[j] = (v[j] - pts_qr_dot(t + j * stride, v, j)) / t[j * stride + j];
}

/* Leading columns of R with a diagonal that is not 0. */
static size_t leading(const pts_lm *lm)
{
    size_t rank = 0;
    while (rank < lm->n && lm->q[rank * lm->m + rank] != 0)
        rank++;
    return rank;
}

/* The step of par = 0, its undetermined components 0. */
static void gauss_newton(pts_lm *lm, const double *qtr, double *step)
{
    size_t rank = leading(lm);
    memset(lm->rhs, 0, lm->n * sizeof *lm->rhs);
    memcpy(lm->rhs, qtr, rank * sizeof *lm->rhs);
    back_substitute(lm->q, lm->m, rank, lm->rhs);
    for (size_t j = 0; j < lm->n; j++)
        step[lm->pivot[j] - 1] = lm->rhs[j];
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
static void damped_step(pts_lm *lm, double par, const double *qtr, double *step)
{
    size_t m = lm->m, n = lm->n;
    for (size_t j = 0; j < n; j++) {
        memset(lm->s + j * n, 0, n * sizeof *lm->s);
        memcpy(lm->s + j * n, lm->q + j * m, (j + 1) * sizeof *lm->s);
    }
    memcpy(lm->rhs, qtr, n * sizeof *lm->rhs);
    /* a column of zeros, say of a held parameter, has nothing to answer with */
    for (size_t j = leading(lm); j < n; j++)
        lm->rhs[j] = 0;
    for (size_t j = 0; j < n; j++)
        rotate_in(lm, j, sqrt(par));
    back_substitute(lm->s, n, n, lm->rhs);
    for (size_t j = 0; j < n; j++)
        step[lm->pivot[j] - 1] = lm->rhs[j];
}

void pts_lm_solve_step(pts_lm *lm, const double *qtr, double *step)
{
    if (lm->par > 0)
        damped_step(lm, lm->par, qtr, step);
    else
        gauss_newton(lm, qtr, step);
}

/* |T⁻ᵀ Pᵀ D² p / |Dp||²: minus the relative derivative of |D p(par)|, T the triangle of par. */
static double slope(pts_lm *lm, const double *triangle, size_t stride, size_t count, double length)
{
    for (size_t j = 0; j < count; j++) {
        size_t column = (size_t)lm->pivot[j] - 1;
        double d = lm->scale[column];
        lm->rhs[j] = d * (d * lm->step[column] / length);
    }
    forward_substitute(triangle, stride, count, lm->rhs);
    double norm = pts_qr_norm(lm->rhs, count);
    return norm * norm;
}

/* |D⁻¹ Jᵀ r|, the scaled gradient: it bounds par from above. */
static double scaled_gradient(pts_lm *lm)
{
    for (size_t j = 0; j < lm->n; j++)
        lm->rhs[j] = pts_qr_dot(lm->q + j * lm->m, lm->qtr, j + 1) / lm->scale[lm->pivot[j] - 1];
    return pts_qr_norm(lm->rhs, lm->n);
}

/* Moré's safeguarded Newton iteration on 1/|D p(par)| − 1/radius: three rounds are usual, ten the
 * limit. */
static double search_par(pts_lm *lm, double length, double low, double high)
{
    double radius = lm->radius, excess = length - radius;
    double par = fmin(fmax(lm->par, low), high);
    if (par == 0)
        par = high * radius / length;
    for (int round = 0;; round++) {
        if (par == 0)
            par = fmax(DBL_MIN, 0.001 * high);
        damped_step(lm, par, lm->qtr, lm->step);
        length = pts_lm_scaled_norm(lm, lm->step);
        double before = excess;
        excess = length - radius;
        if (fabs(excess) <= 0.1 * radius || (low == 0 && excess <= before && before < 0) ||
            round == 9)
            break;
        double correction = excess / (radius * slope(lm, lm->s, lm->n, lm->n, length));
        if (excess > 0)
            low = fmax(low, par);
        else
            high = fmin(high, par);
        par = fmax(low, par + correction);
    }
    lm->par = par;
    return length;
}

double pts_lm_choose_step(pts_lm *lm)
{
    double radius = lm->radius;
    gauss_newton(lm, lm->qtr, lm->step);
    double length = pts_lm_scaled_norm(lm, lm->step), excess = length - radius, low = 0;
    if (excess <= 0.1 * radius) {
        lm->par = 0;
        return length;
    }
    size_t rank = leading(lm);
    if (rank + lm->held_count == lm->n)
        low = excess / (radius * slope(lm, lm->q, lm->m, rank, length));
    double high = scaled_gradient(lm) / radius;
    if (high == 0)
        high = DBL_MIN / fmin(radius, 0.1);
    return search_par(lm, length, low, high);
}

void pts_lm_model_step(pts_lm *lm, const double *step, double *out)
{
    memset(out, 0, lm->n * sizeof *out);
    for (size_t j = 0; j < lm->n; j++) {
        double p = step[lm->pivot[j] - 1];
        for (size_t i = 0; i <= j; i++)
            out[i] += p * lm->q[j * lm->m + i];
    }
}
