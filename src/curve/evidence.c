/* The density that the forecast maximises and samples.
 *
 * Prior: N(mean, covariance) over θ, and with probability 1/200 any curve at all. A pilot point at
 * n has residual r and scatter σ·√(1 + 50/n); σ² is a scaled inverse χ² with `noise_dof` degrees of
 * freedom around noise², and integrated out: what is left is a joint Student t of the residuals,
 *     −(ν + αN)/2 · ln(ν·noise² + α Σ r²/(1 + 50/n)),        α = 1/2.25,
 * with weights N = Σ w and Σ w r².
 * Two things are not textbook. The points of one curve come from one sequence of trainings and
 * share their errors, and a curve is not quite a sigmoid, least with few images: so each point
 * counts as 1/2.25 points, and small sets scatter more. Both numbers were set on the study's
 * curves, where with α = 1 and equal scatter the forecast clung to the first rise of a curve. */
#include "curve/evidence.h"
#include "base/error.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

#define ALPHA PTS_EVIDENCE_ALPHA
#define USUAL_DOF 4 /* of a prior that does not say */

/* Any curve at all: mAP from nothing to a network that needs no image, a rise anywhere between one
 * image and a hundred thousand. A Gaussian's tails alone are so light that ten standard deviations
 * cost more than to call the pilot results noise, whose tails are a t's: seven results of 0.3
 * against a population that starts at 0 ± 0.03 were, and the forecast passed by all of them. */
static const double any_mean[4] = {0.2, 0.5, 4, 0.5}, any_sd[4] = {0.3, 0.8, 2, 0.35};
#define ANY_SHARE 0.005

pts_curve pts_curve_of(const double theta[4])
{
    return (pts_curve){theta[0], exp(theta[1]), exp(theta[2]), theta[3]};
}

pts_status pts_cholesky4(const double *a, double *lower, const char *what, pts_error *err)
{
    memcpy(lower, a, 16 * sizeof *a);
    /* a row-major lower triangle is a column-major upper one */
    if (LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', 4, lower, 4) != 0)
        return pts_fail(err, PTS_ERR_NUMERIC,
                        "%s: expected a positive definite covariance of (A, ln B, ln C, D)", what);
    for (int i = 0; i < 4; i++) {
        for (int j = i + 1; j < 4; j++)
            lower[i * 4 + j] = 0;
    }
    return PTS_OK;
}

/* A prior may come from a file; what is not positive definite is found by pts_cholesky4. */
static pts_status check_prior(const pts_curve_prior *prior, pts_error *err)
{
    if (!(prior->noise > 0) || !isfinite(prior->noise))
        return pts_fail(err, PTS_ERR_ARGUMENT, "prior: expected noise above 0, got %g",
                        prior->noise);
    if (!(prior->noise_dof >= 0))
        return pts_fail(err, PTS_ERR_ARGUMENT, "prior: expected noise_dof of at least 0, got %g",
                        prior->noise_dof);
    for (int i = 0; i < 16; i++) {
        if (!isfinite(prior->covariance[i]) || !isfinite(prior->mean[i % 4]))
            return pts_fail(err, PTS_ERR_ARGUMENT, "prior: mean or covariance is not finite");
    }
    return PTS_OK;
}

/* Whitens by the inverse factor, so that a part's residuals are four numbers of variance 1. */
static pts_status set_part(evidence_part *part, const double *mean, const double *covariance,
                           double share, pts_error *err)
{
    memcpy(part->mean, mean, sizeof part->mean);
    memcpy(part->covariance, covariance, sizeof part->covariance);
    PTS_TRY(pts_cholesky4(covariance, part->whiten, "prior", err));
    LAPACKE_dtrtri_work(LAPACK_COL_MAJOR, 'U', 'N', 4, part->whiten, 4);
    part->share = share;
    part->log_norm = 0;
    for (int i = 0; i < 4; i++)
        part->log_norm += log(part->whiten[i * 5]);
    return PTS_OK;
}

pts_status pts_evidence_init(evidence *e, const pts_curve_prior *prior, const pooled_points *points,
                             pts_error *err)
{
    *e = (evidence){.prior = prior, .points = points};
    PTS_TRY(check_prior(prior, err));
    PTS_TRY(set_part(&e->parts[PTS_EVIDENCE_POPULATION], prior->mean, prior->covariance, 1, err));
    e->part_count = 1;
    e->dof = prior->noise_dof > 0 ? prior->noise_dof : USUAL_DOF;
    e->sigma = prior->noise;
    return PTS_OK;
}

pts_status pts_evidence_widen(evidence *e, pts_error *err)
{
    double covariance[16] = {0};
    for (int k = 0; k < 4; k++)
        covariance[k * 5] = any_sd[k] * any_sd[k];
    PTS_TRY(set_part(&e->parts[PTS_EVIDENCE_ANY], any_mean, covariance, ANY_SHARE, err));
    e->parts[PTS_EVIDENCE_POPULATION].share -= ANY_SHARE;
    e->part_count = 2;
    return PTS_OK;
}

/* r [4]: the whitened residuals of a part of the prior. */
static void whitened(const evidence_part *part, const double *theta, double *r)
{
    for (int i = 0; i < 4; i++) {
        r[i] = 0;
        for (int j = 0; j <= i; j++)
            r[i] += part->whiten[i * 4 + j] * (theta[j] - part->mean[j]);
    }
}

/* The Gaussian's share of the prior; 1/4π² is common to all parts and left out. */
static double log_part(const evidence_part *part, const double *theta)
{
    double r[4], square = 0;
    whitened(part, theta, r);
    for (int i = 0; i < 4; i++)
        square += r[i] * r[i];
    return log(part->share) + part->log_norm - square / 2;
}

/* Σ w r²/(1 + 50/n). */
static double scattered_squares(const evidence *e, const double *theta)
{
    const pooled_points *p = e->points;
    double sum = p->within;
    pts_curve curve = pts_curve_of(theta);
    for (size_t i = 0; i < p->count; i++) {
        double r = pts_curve_at(&curve, p->n[i]) - p->map[i];
        sum += p->weight[i] * r * r / pts_curve_spread(p->n[i]);
    }
    return sum;
}

double pts_evidence_noise(const evidence *e, const double theta[4], double *dof)
{
    double noise = e->prior->noise;
    *dof = e->dof + ALPHA * e->points->total;
    if (isinf(e->dof))
        return noise;
    return sqrt((e->dof * noise * noise + ALPHA * scattered_squares(e, theta)) / *dof);
}

/* Of the points, given the curve. */
static double log_likelihood(const evidence *e, const double *theta)
{
    double noise = e->prior->noise;
    double points = ALPHA * scattered_squares(e, theta) / (noise * noise);
    if (isinf(e->dof))
        return -points / 2;
    return -(e->dof + ALPHA * e->points->total) / 2 * log1p(points / e->dof);
}

double pts_evidence_log_density(const evidence *e, const double theta[4], double *unlike)
{
    double population = log_part(&e->parts[PTS_EVIDENCE_POPULATION], theta);
    double any = e->part_count > 1 ? log_part(&e->parts[PTS_EVIDENCE_ANY], theta) : -INFINITY;
    double most = fmax(population, any), sum = exp(population - most) + exp(any - most);
    *unlike = exp(any - most) / sum;
    return most + log(sum) + log_likelihood(e, theta);
}

/* What a pooled point's residual is multiplied by. */
static double factor(const evidence *e, size_t i)
{
    const pooled_points *p = e->points;
    return sqrt(ALPHA * p->weight[i]) / (e->sigma * pts_evidence_scatter(p->n[i]));
}

/* The prior as four residuals more, so that the mode is one least-squares problem. */
static int residuals(void *user, const double *theta, double *r)
{
    const evidence *e = user;
    pts_curve curve = pts_curve_of(theta);
    whitened(&e->parts[e->at], theta, r);
    for (size_t i = 0; i < e->points->count; i++)
        r[4 + i] = (pts_curve_at(&curve, e->points->n[i]) - e->points->map[i]) * factor(e, i);
    return 0;
}

/* The prior's residuals are linear in θ: their rows are the whitening matrix itself. */
static int jacobian(void *user, const double *theta, double *rows)
{
    const evidence *e = user;
    pts_curve curve = pts_curve_of(theta);
    memcpy(rows, e->parts[e->at].whiten, sizeof e->parts[e->at].whiten);
    for (size_t i = 0; i < e->points->count; i++) {
        double *row = rows + (4 + i) * 4, scale = factor(e, i);
        pts_curve_gradient(&curve, e->points->n[i], row);
        for (int k = 0; k < 4; k++)
            row[k] *= scale;
    }
    return 0;
}

/* The t's mode by reweighting: with the most probable noise given θ, θ is a least-squares mode. */
pts_status pts_evidence_climb(evidence *e, pts_lm *lm, double theta[4], size_t rounds,
                              evidence_mode *out, pts_error *err)
{
    pts_lm_problem problem = {.residuals = residuals, .jacobian = jacobian, .user = e};
    pts_lm_settings settings = pts_lm_defaults();
    settings.max_evaluations = 300;
    for (size_t round = 0; round < rounds; round++) {
        pts_lm_result result;
        double dof, before = e->sigma;
        PTS_TRY(pts_lm_solve(lm, &problem, &settings, theta, &result, err));
        if (!isfinite(result.sse) || isinf(e->dof))
            break;
        e->sigma = pts_evidence_noise(e, theta, &dof);
        if (fabs(e->sigma - before) < 1e-6 * before)
            break;
    }
    memcpy(out->theta, theta, sizeof out->theta);
    pts_lm_covariance(lm, out->covariance);
    out->value = log_part(&e->parts[e->at], theta) + log_likelihood(e, theta);
    out->sigma = e->sigma;
    return PTS_OK;
}
