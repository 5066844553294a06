/* Measured points, one a size: the likelihood is evaluated some ten thousand times. */
#include "base/error.h"
#include "base/memory.h"
#include "base/order.h"
#include "curve/evidence.h"

#include <math.h>
#include <stdlib.h>

/* More sizes than this become bins of ln n. Within one the curve is next to straight: over 16
 * doublings a bin is 2 % wide, and f differs from its mean by some 10⁻⁵. */
enum { BINS = 512 };

typedef struct point {
    double n, map, weight; /* n first: sorted as doubles */
} point;

/* Width 0: one size each. */
static bool same_pool(const point *first, const point *next, double width)
{
    return next->n == first->n || (width > 0 && log(next->n / first->n) < width);
}

/* The mean of points [count], with equal n exactly that n. */
static void add_pool(pooled_points *out, const point *points, size_t count)
{
    double weight = 0, map = 0, offset = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        weight += points[i].weight;
        map += points[i].weight * points[i].map;
        if (points[i].n != points[0].n)
            offset += points[i].weight * log(points[i].n / points[0].n);
    }
    map = count > 1 ? map / weight : points[0].map;
    for (size_t i = 0; i < count; i++) {
        double r = points[i].map - map;
        squares += points[i].weight * r * r / pts_curve_spread(points[i].n);
    }
    out->n[out->count] = offset > 0 ? points[0].n * exp(offset / weight) : points[0].n;
    out->map[out->count] = map;
    out->weight[out->count++] = weight;
    out->total += weight;
    out->within += squares;
}

static void pool_sorted(pooled_points *out, const point *points, size_t count)
{
    size_t sizes = 1;
    for (size_t i = 1; i < count; i++)
        sizes += points[i].n != points[i - 1].n;
    double width = sizes > BINS ? log(points[count - 1].n / points[0].n) / BINS : 0;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && same_pool(&points[i], &points[end], width);)
            end++;
        add_pool(out, points + i, end - i);
    }
}

pts_status pts_check_points(const double *n, const double *map, const double *weights, size_t count,
                            pts_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(n[i]) || n[i] <= 0)
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "curve: point %zu: expected a size above 0, got %g", i + 1, n[i]);
        if (!isfinite(map[i]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "curve: point %zu: expected a finite mAP, got %g", i + 1, map[i]);
        if (weights && (!isfinite(weights[i]) || !(weights[i] > 0)))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "curve: point %zu: expected a weight above 0, got %g", i + 1,
                            weights[i]);
    }
    return PTS_OK;
}

pts_status pts_pool(pooled_points *out, const double *n, const double *map, const double *weights,
                    size_t count, pts_error *err)
{
    point *points;
    *out = (pooled_points){0};
    PTS_TRY(pts_check_points(n, map, weights, count, err));
    if (count == 0)
        return PTS_OK;
    PTS_TRY(pts_new(&points, count, sizeof *points, err));
    pts_status status = pts_new(&out->n, count, 3 * sizeof *out->n, err);
    if (status == PTS_OK) {
        out->map = out->n + count;
        out->weight = out->n + 2 * count;
        for (size_t i = 0; i < count; i++)
            points[i] = (point){n[i], map[i], weights ? weights[i] : 1};
        qsort(points, count, sizeof *points, pts_compare_doubles);
        pool_sorted(out, points, count);
    }
    free(points);
    return status;
}

void pts_pool_free(pooled_points *points)
{
    free(points->n);
    *points = (pooled_points){0};
}
