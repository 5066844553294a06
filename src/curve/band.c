/* The band of a fitted curve, by refitting: pts/curve.h. */
#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "curve/normal.h"
#include "pts/curve.h"

#include <math.h>
#include <stdlib.h>

enum { REFITS = 1000 };

/* values: [count][REFITS], the refitted curves; the first `done` of each row are there. */
typedef struct refits {
    double *values, *drawn;
    size_t done;
} refits;

static pts_status check(double confidence, const double *n, size_t count, pts_error *err)
{
    if (!(confidence > 0 && confidence < 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "curve: expected a confidence in 0 … 1, got %g",
                        confidence);
    for (size_t i = 0; i < count; i++) {
        if (!(n[i] > 0) || !isfinite(n[i]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "curve: point %zu: expected a size above 0, got %g", i + 1, n[i]);
    }
    return PTS_OK;
}

/* Refits that fail, as draws far out can, are left out. */
static void refit(refits *r, const pts_family_fit *fit, const pts_fit_points *points, double spread,
                  const double *n, size_t count)
{
    for (size_t k = 0; k < REFITS; k++) {
        pts_rng rng = pts_rng_stream(1, k);
        pts_family_fit drawn;
        for (size_t i = 0; i < points->count; i++) {
            double sd = points->weights ? spread / sqrt(points->weights[i]) : spread;
            r->drawn[i] = pts_family_at(fit, points->n[i]) + sd * pts_rng_normal(&rng);
        }
        if (pts_family_fit_points(fit->family, points->n, r->drawn, points->weights, points->count,
                                  &drawn, NULL) != PTS_OK)
            continue;
        for (size_t i = 0; i < count; i++)
            r->values[i * REFITS + r->done] = fmin(fmax(pts_family_at(&drawn, n[i]), 0), 1);
        r->done++;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t count, double p)
{
    double at = p * (double)(count - 1);
    size_t i = (size_t)at;
    return i + 1 < count ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

static void cut(refits *r, double confidence, size_t count, double *low, double *high)
{
    for (size_t i = 0; i < count; i++) {
        double *row = r->values + i * REFITS;
        qsort(row, r->done, sizeof *row, compare);
        low[i] = r->done ? quantile(row, r->done, (1 - confidence) / 2) : 0;
        high[i] = r->done ? quantile(row, r->done, (1 + confidence) / 2) : 1;
    }
}

pts_status pts_family_band(const pts_family_fit *fit, const pts_fit_points *points,
                           double confidence, const double *n, size_t count, double *low,
                           double *high, pts_error *err)
{
    const size_t parameters = pts_family_parameters(fit->family);
    PTS_TRY(check(confidence, n, count, err));
    refits r = {NULL, NULL, 0};
    if (points->count > parameters) {
        size_t spare = points->count - parameters;
        double p = (1 + confidence) / 2;
        double spread = sqrt(fit->sse / (double)spare) * pts_student_quantile(spare, p) /
                        pts_normal_quantile(p);
        r.values = pts_calloc64(count, REFITS * sizeof *r.values);
        r.drawn = pts_calloc64(points->count, sizeof *r.drawn);
        if (!r.values || !r.drawn) {
            free(r.values);
            free(r.drawn);
            return pts_fail_memory(err, count * REFITS * sizeof *r.values);
        }
        refit(&r, fit, points, spread, n, count);
    }
    cut(&r, confidence, count, low, high);
    free(r.values);
    free(r.drawn);
    return PTS_OK;
}
