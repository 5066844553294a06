/* Maximum a posteriori curve, its band, and the answer with an interval: pts/curve.h. */
#include "pts/curve.h"
#include "pts/lm.h"
#include "base/error.h"
#include "base/memory.h"
#include "curve/normal.h"
#include "curve/separable.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 4000 };

typedef struct evidence {
    const double *n, *map;
    size_t count;
    const pts_curve_prior *prior;
    double whiten[16]; /* [4][4] lower L⁻¹, covariance = L Lᵀ */
} evidence;

static pts_curve curve_of(const double theta[4])
{
    return (pts_curve){theta[0], exp(theta[1]), exp(theta[2]), theta[3]};
}

/* The lower triangle L of a = L Lᵀ, row-major, zeros above. */
static pts_status cholesky(const double *a, double *lower, const char *what, pts_error *err)
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

/* What a pilot point may be off, in the likelihood. Two things make it more than the scatter of
 * one measurement: the points of one curve come from one sequence of trainings and share their
 * errors, so that they count as fewer (factor 1.5), and with few images a curve is not quite a
 * sigmoid, and each image matters (1 + 50/n). With `noise` alone the forecast clung to the first
 * rise of a curve: error 0.104 and 68 % coverage against 0.085 and 87 % on the study's curves up
 * to 50 images. */
static double pilot_noise(double noise, double n)
{
    return 1.5 * noise * sqrt(1 + 50 / n);
}

static int residuals(void *user, const double *theta, double *r)
{
    const evidence *e = user;
    pts_curve curve = curve_of(theta);
    for (int i = 0; i < 4; i++) {
        r[i] = 0;
        for (int j = 0; j <= i; j++)
            r[i] += e->whiten[i * 4 + j] * (theta[j] - e->prior->mean[j]);
    }
    for (size_t i = 0; i < e->count; i++)
        r[4 + i] =
            (pts_curve_at(&curve, e->n[i]) - e->map[i]) / pilot_noise(e->prior->noise, e->n[i]);
    return 0;
}

static int jacobian(void *user, const double *theta, double *rows)
{
    const evidence *e = user;
    pts_curve curve = curve_of(theta);
    memcpy(rows, e->whiten, sizeof e->whiten);
    for (size_t i = 0; i < e->count; i++) {
        double *row = rows + (4 + i) * 4;
        pts_curve_gradient(&curve, e->n[i], row);
        for (int k = 0; k < 4; k++)
            row[k] /= pilot_noise(e->prior->noise, e->n[i]);
    }
    return 0;
}

/* The posterior of a sigmoid has several modes when the pilot points end before its rise: starts
 * on a 3 × 3 grid in ln B and ln C. */
static pts_status find_mode(pts_lm *lm, evidence *e, pts_curve_posterior *out, pts_error *err)
{
    pts_lm_problem problem = {.residuals = residuals, .jacobian = jacobian, .user = e};
    double best = INFINITY;
    for (int start = 0; start < 9; start++) {
        double theta[4];
        pts_lm_result result;
        memcpy(theta, e->prior->mean, sizeof theta);
        theta[1] += 1.2 * (start / 3 - 1) * sqrt(e->prior->covariance[5]);
        theta[2] += 1.2 * (start % 3 - 1) * sqrt(e->prior->covariance[10]);
        PTS_TRY(pts_lm_solve(lm, &problem, NULL, theta, &result, err));
        if (result.sse < best) {
            best = result.sse;
            memcpy(out->mean, theta, sizeof theta);
            pts_lm_covariance(lm, out->covariance);
        }
    }
    if (!isfinite(best))
        return pts_fail(err, PTS_ERR_NUMERIC, "posterior: no finite value at the prior's mean");
    out->curve = curve_of(out->mean);
    return PTS_OK;
}

static pts_status check_prior(const pts_curve_prior *prior, evidence *e, pts_error *err)
{
    if (!(prior->noise > 0) || !isfinite(prior->noise))
        return pts_fail(err, PTS_ERR_ARGUMENT, "prior: expected noise above 0, got %g",
                        prior->noise);
    for (int i = 0; i < 16; i++) {
        if (!isfinite(prior->covariance[i]) || !isfinite(prior->mean[i % 4]))
            return pts_fail(err, PTS_ERR_ARGUMENT, "prior: mean or covariance is not finite");
    }
    PTS_TRY(cholesky(prior->covariance, e->whiten, "prior", err));
    LAPACKE_dtrtri_work(LAPACK_COL_MAJOR, 'U', 'N', 4, e->whiten, 4);
    return PTS_OK;
}

pts_status pts_curve_posterior_find(const pts_curve_prior *prior, const double *n,
                                    const double *map, size_t count, pts_curve_posterior *out,
                                    pts_error *err)
{
    evidence e = {n, map, count, prior, {0}};
    *out = (pts_curve_posterior){.noise = prior->noise};
    PTS_TRY(check_prior(prior, &e, err));
    PTS_TRY(pts_check_points(n, map, NULL, count, err));
    pts_lm *lm;
    PTS_TRY(pts_lm_create(&lm, count + 4, 4, err));
    pts_status status = find_mode(lm, &e, out, err);
    pts_lm_destroy(lm);
    return status;
}

typedef struct draw {
    pts_curve curve;
    double noise; /* a standard normal deviate */
} draw;

static pts_status sample(const pts_curve_posterior *posterior, draw **out, pts_error *err)
{
    double lower[16], z[5];
    *out = NULL;
    PTS_TRY(cholesky(posterior->covariance, lower, "posterior", err));
    draw *draws = malloc(DRAWS * sizeof *draws);
    if (!draws)
        return pts_fail_memory(err, DRAWS * sizeof *draws);
    for (size_t i = 0; i < DRAWS; i++) {
        double theta[4];
        pts_normal_draw(i, z);
        for (int k = 0; k < 4; k++) {
            theta[k] = posterior->mean[k];
            for (int j = 0; j <= k; j++)
                theta[k] += lower[k * 4 + j] * z[j];
        }
        draws[i] = (draw){curve_of(theta), z[4]};
    }
    *out = draws;
    return PTS_OK;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted values, between neighbours; INFINITY as soon as the upper one is. */
static double quantile(const double *values, double p)
{
    double at = p * (DRAWS - 1), part = at - floor(at);
    size_t i = (size_t)at;
    if (part == 0 || i + 1 >= DRAWS)
        return values[i];
    return isfinite(values[i + 1]) ? values[i] + part * (values[i + 1] - values[i]) : INFINITY;
}

static pts_status check_share(const char *name, double value, pts_error *err)
{
    if (!(value > 0 && value < 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected a number between 0 and 1, got %g",
                        name, value);
    return PTS_OK;
}

pts_status pts_curve_band(const pts_curve_posterior *posterior, double confidence, bool measured,
                          const double *n, size_t count, double *low, double *high, pts_error *err)
{
    draw *draws;
    static const size_t bytes = DRAWS * sizeof(double);
    PTS_TRY(check_share("confidence", confidence, err));
    double *values = malloc(bytes);
    if (!values)
        return pts_fail_memory(err, bytes);
    pts_status status = sample(posterior, &draws, err);
    for (size_t i = 0; i < count && status == PTS_OK; i++) {
        for (size_t k = 0; k < DRAWS; k++) {
            double f = fmin(fmax(pts_curve_at(&draws[k].curve, n[i]), 0), 1);
            values[k] = measured ? f + posterior->noise * draws[k].noise : f;
        }
        qsort(values, DRAWS, sizeof *values, compare);
        low[i] = quantile(values, (1 - confidence) / 2);
        high[i] = quantile(values, (1 + confidence) / 2);
    }
    free(draws);
    free(values);
    return status;
}

pts_status pts_curve_ask(const pts_curve_posterior *posterior, double target, double confidence,
                         pts_curve_answer *out, pts_error *err)
{
    draw *draws;
    *out = (pts_curve_answer){.status = PTS_SIZE_UNREACHABLE, .n = INFINITY};
    PTS_TRY(check_share("target", target, err));
    PTS_TRY(check_share("confidence", confidence, err));
    PTS_TRY(sample(posterior, &draws, err));
    double *sizes = malloc(DRAWS * sizeof *sizes);
    if (!sizes) {
        free(draws);
        return pts_fail_memory(err, DRAWS * sizeof *sizes);
    }
    size_t reached = 0;
    for (size_t k = 0; k < DRAWS; k++)
        reached += pts_curve_size(&draws[k].curve, target, &sizes[k]) != PTS_SIZE_UNREACHABLE;
    qsort(sizes, DRAWS, sizeof *sizes, compare);
    out->status = pts_curve_size(&posterior->curve, target, &out->n);
    out->n_low = quantile(sizes, (1 - confidence) / 2);
    out->n_high = quantile(sizes, (1 + confidence) / 2);
    out->probability_reachable = (double)reached / DRAWS;
    free(sizes);
    free(draws);
    return PTS_OK;
}
