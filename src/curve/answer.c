/* What a posterior's draws answer: bands, the required size, what to measure next: pts/curve.h. */
#include "pts/curve.h"
#include "base/error.h"
#include "base/memory.h"
#include "curve/evidence.h"
#include "curve/normal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = PTS_CURVE_DRAWS };

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

/* Quantiles of f over the draws at each n; low and high may be one. */
static pts_status quantiles(const pts_curve_posterior *posterior, double p_low, double p_high,
                            bool measured, const double *n, size_t count, double *low, double *high,
                            pts_error *err)
{
    double *values = malloc(DRAWS * sizeof *values);
    if (!values)
        return pts_fail_memory(err, DRAWS * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < DRAWS; k++) {
            const pts_curve_draw *draw = &posterior->draws[k];
            values[k] = fmin(fmax(pts_curve_at(&draw->curve, n[i]), 0), 1);
            if (measured)
                values[k] += draw->noise * pts_evidence_scatter(n[i]) * draw->scatter;
        }
        qsort(values, DRAWS, sizeof *values, compare);
        high[i] = quantile(values, p_high);
        low[i] = quantile(values, p_low);
    }
    free(values);
    return PTS_OK;
}

pts_status pts_curve_band(const pts_curve_posterior *posterior, double confidence, bool measured,
                          const double *n, size_t count, double *low, double *high, pts_error *err)
{
    PTS_TRY(check_share("confidence", confidence, err));
    return quantiles(posterior, (1 - confidence) / 2, (1 + confidence) / 2, measured, n, count, low,
                     high, err);
}

pts_status pts_curve_median(const pts_curve_posterior *posterior, const double *n, size_t count,
                            double *median, pts_error *err)
{
    return quantiles(posterior, 0.5, 0.5, false, n, count, median, median, err);
}

/* ---- how many ---- */

/* The interval that the Gaussian at the mode would give. */
static void laplace_interval(const pts_curve_posterior *posterior, double target, double confidence,
                             double *sizes, pts_curve_answer *out)
{
    double lower[16], z[5], theta[4];
    out->laplace_low = out->laplace_high = INFINITY;
    if (pts_cholesky4(posterior->covariance, lower, "posterior", NULL) != PTS_OK)
        return;
    for (size_t k = 0; k < DRAWS; k++) {
        pts_normal_draw(k, z);
        for (int i = 0; i < 4; i++) {
            theta[i] = posterior->mean[i];
            for (int j = 0; j <= i; j++)
                theta[i] += lower[i * 4 + j] * z[j];
        }
        pts_curve curve = pts_curve_of(theta);
        pts_curve_size(&curve, target, &sizes[k]);
    }
    qsort(sizes, DRAWS, sizeof *sizes, compare);
    out->laplace_low = quantile(sizes, (1 - confidence) / 2);
    out->laplace_high = quantile(sizes, (1 + confidence) / 2);
}

static bool near(double a, double b)
{
    return a == b || (isfinite(a) && isfinite(b) && fabs(log2((a + 1) / (b + 1))) < 0.5);
}

static void plateau(const pts_curve_posterior *posterior, double *values, pts_curve_answer *out)
{
    for (size_t k = 0; k < DRAWS; k++) {
        const pts_curve *c = &posterior->draws[k].curve;
        values[k] = fmin(fmax(fmax(c->A, c->D), 0), 1);
    }
    qsort(values, DRAWS, sizeof *values, compare);
    out->plateau = quantile(values, 0.5);
    out->plateau_error = (quantile(values, 0.8413) - quantile(values, 0.1587)) / 2;
}

pts_status pts_curve_ask(const pts_curve_posterior *posterior, double target, double confidence,
                         pts_curve_answer *out, pts_error *err)
{
    *out = (pts_curve_answer){.status = PTS_SIZE_UNREACHABLE, .n = INFINITY};
    PTS_TRY(check_share("target", target, err));
    PTS_TRY(check_share("confidence", confidence, err));
    double *sizes = malloc(DRAWS * sizeof *sizes);
    if (!sizes)
        return pts_fail_memory(err, DRAWS * sizeof *sizes);
    laplace_interval(posterior, target, confidence, sizes, out);
    plateau(posterior, sizes, out);
    size_t reached = 0;
    for (size_t k = 0; k < DRAWS; k++)
        reached +=
            pts_curve_size(&posterior->draws[k].curve, target, &sizes[k]) != PTS_SIZE_UNREACHABLE;
    qsort(sizes, DRAWS, sizeof *sizes, compare);
    out->status = pts_curve_size(&posterior->curve, target, &out->n);
    out->n_low = quantile(sizes, (1 - confidence) / 2);
    out->n_median = quantile(sizes, 0.5);
    out->n_high = quantile(sizes, (1 + confidence) / 2);
    out->probability_reachable = (double)reached / DRAWS;
    out->laplace_agrees =
        near(out->laplace_low, out->n_low) && near(out->laplace_high, out->n_high);
    free(sizes);
    return PTS_OK;
}
