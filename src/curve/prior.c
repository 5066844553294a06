/* The prior of a population of curves: robust mean and shrunk covariance of (A, ln B, ln C, D). */
#include "pts/curve.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* Clamps column k of theta [count][4] to its median ± 3 robust standard deviations. */
static void winsorise(double *theta, size_t k, size_t count, double floor, double *scratch)
{
    for (size_t i = 0; i < count; i++)
        scratch[i] = theta[i * 4 + k];
    double middle = median(scratch, count);
    for (size_t i = 0; i < count; i++)
        scratch[i] = fabs(theta[i * 4 + k] - middle);
    double reach = 3 * fmax(1.4826 * median(scratch, count), floor);
    for (size_t i = 0; i < count; i++)
        theta[i * 4 + k] = fmin(fmax(theta[i * 4 + k], middle - reach), middle + reach);
}

static double pooled_noise(const pts_fit *fits, size_t count, double *scratch)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        if (fits[i].points > 4)
            scratch[known++] = sqrt(fits[i].sse / (double)(fits[i].points - 4));
    }
    return fmax(known ? median(scratch, known) : 0.02, 0.005);
}

static void moments(const double *theta, const double *weights, size_t count, pts_curve_prior *out)
{
    double total = 0, widen = 1 + 1.0 / (double)count;
    double shrink = (double)count / ((double)count + 4);
    for (size_t i = 0; i < count; i++) {
        double w = weights ? weights[i] : 1;
        total += w;
        for (size_t k = 0; k < 4; k++)
            out->mean[k] += w * theta[i * 4 + k];
    }
    for (size_t k = 0; k < 4; k++)
        out->mean[k] /= total;
    for (size_t i = 0; i < count; i++) {
        double part = (weights ? weights[i] : 1) / total * widen;
        for (size_t k = 0; k < 16; k++) {
            double product = (theta[i * 4 + k / 4] - out->mean[k / 4]) *
                             (theta[i * 4 + k % 4] - out->mean[k % 4]);
            out->covariance[k] += part * product * (k % 5 == 0 ? 1 : shrink);
        }
    }
}

pts_status pts_curve_prior_fit(const pts_fit *fits, const double *weights, size_t count,
                               pts_curve_prior *out, pts_error *err)
{
    /* standard deviations that no population of curves goes below */
    static const double floors[4] = {0.01, 0.2, 0.3, 0.05};
    *out = (pts_curve_prior){0};
    if (count < 2)
        return pts_fail(err, PTS_ERR_SHAPE, "prior: expected at least 2 curves, got %zu", count);
    double *theta = pts_calloc64(count, 5 * sizeof *theta);
    if (!theta)
        return pts_fail_memory(err, count * 5 * sizeof *theta);
    double *scratch = theta + 4 * count;
    for (size_t i = 0; i < count; i++) {
        const pts_curve *c = &fits[i].curve;
        double row[4] = {c->A, log(c->B), log(c->C), c->D};
        for (size_t k = 0; k < 4; k++)
            theta[i * 4 + k] = row[k];
    }
    for (size_t k = 0; k < 4; k++)
        winsorise(theta, k, count, floors[k], scratch);
    moments(theta, weights, count, out);
    for (size_t k = 0; k < 4; k++)
        out->covariance[k * 5] += floors[k] * floors[k];
    out->noise = pooled_noise(fits, count, scratch);
    free(theta);
    return PTS_OK;
}
