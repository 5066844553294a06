/* The band of a fitted curve, by refitting: pts/curve.h. */
#include "base/error.h"
#include "base/memory.h"
#include "base/order.h"
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

/* Without refits, as where no degree of freedom is left, anything is possible. */
static void cut(refits *r, double confidence, size_t count, double *low, double *high)
{
    for (size_t i = 0; i < count; i++) {
        double *row = r->values + i * REFITS;
        qsort(row, r->done, sizeof *row, pts_compare_doubles);
        low[i] = r->done ? pts_quantile(row, r->done, (1 - confidence) / 2) : 0;
        high[i] = r->done ? pts_quantile(row, r->done, (1 + confidence) / 2) : 1;
    }
}

/* The residuals' deviation, widened by Student's t over the normal quantile. */
static double spread_of(const pts_family_fit *fit, const pts_fit_points *points, double confidence)
{
    size_t spare = points->count - pts_family_parameters(fit->family);
    double p = (1 + confidence) / 2;
    return sqrt(fit->sse / (double)spare) * pts_student_quantile(spare, p) / pts_normal_quantile(p);
}

pts_status pts_family_band(const pts_family_fit *fit, const pts_fit_points *points,
                           double confidence, const double *n, size_t count, double *low,
                           double *high, pts_error *err)
{
    refits r = {NULL, NULL, 0};
    PTS_TRY(check(confidence, n, count, err));
    pts_status status = PTS_OK;
    if (points->count > pts_family_parameters(fit->family)) {
        status = pts_new(&r.values, count, REFITS * sizeof *r.values, err);
        if (status == PTS_OK)
            status = pts_new(&r.drawn, points->count, sizeof *r.drawn, err);
        if (status == PTS_OK)
            refit(&r, fit, points, spread_of(fit, points, confidence), n, count);
    }
    if (status == PTS_OK)
        cut(&r, confidence, count, low, high);
    free(r.values);
    free(r.drawn);
    return status;
}
