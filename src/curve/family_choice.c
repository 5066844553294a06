/* What a fit is worth, and the choice among the families: pts/curve.h. */
#include "pts/curve.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/order.h"
#include "curve/family.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a fit is worth ---- */

bool pts_family_smape_of_zeros(const pts_family_fit *fit, const double *n, const double *map,
                               size_t count)
{
    double all = 0, small = 0;
    for (size_t i = 0; i < count; i++) {
        double f = pts_family_at(fit, n[i]), term = pts_smape(&f, &map[i], 1);
        all += term;
        small += fabs(map[i]) < 0.01 ? term : 0;
    }
    return small > all / 2;
}

pts_status pts_family_sensitivity(const pts_family_fit *fit, const double *n, const double *map,
                                  size_t count, double share, double change[4][2], pts_error *err)
{
    double before = pts_family_smape(fit, n, map, count);
    memset(change, 0, 8 * sizeof **change);
    for (size_t k = 0; k < pts_family_parameters(fit->family); k++) {
        for (int up = 0; up < 2; up++) {
            pts_family_fit moved = *fit;
            moved.x[k] *= up ? 1 + share : 1 - share;
            change[k][up] = pts_family_smape(&moved, n, map, count) - before;
            if (!isfinite(change[k][up]))
                return pts_fail(err, PTS_ERR_NUMERIC,
                                "curve: no finite SMAPE after a change of %s by %g %%",
                                pts_family_parameter(fit->family, k), 100 * share);
        }
    }
    return PTS_OK;
}

/* ---- the choice ---- */

enum { MOST_ORIGINS = 8 };

/* Rolling origin (Tashman 2000): fits on the sizes below an origin, squared errors from there to
 * its double; origins are sizes of the upper half. Farther than that the one origin before a
 * curve's rise would outvote all others. INFINITY where no fit was possible. */
static double rolling_error(pts_family family, const separable_data *sorted, const double *sizes,
                            size_t distinct)
{
    double sum = 0, total = 0;
    size_t first = distinct / 2, step = (distinct - first + MOST_ORIGINS - 1) / MOST_ORIGINS;
    for (size_t k = first; k < distinct; k += step) {
        separable_data below = *sorted;
        pts_family_fit fit;
        below.count = 0;
        while (below.count < sorted->count && sorted->n[below.count] < sizes[k])
            below.count++;
        if (pts_family_fit_points(family, below.n, below.y, below.weights, below.count, &fit,
                                  NULL) != PTS_OK)
            continue;
        for (size_t i = below.count; i < sorted->count && sorted->n[i] <= 2 * sizes[k]; i++) {
            double w = sorted->weights[i];
            double f = fmin(fmax(pts_family_at(&fit, sorted->n[i]), 0), 1);
            double error = f - sorted->y[i];
            sum += w * error * error;
            total += w;
        }
    }
    return total > 0 ? sum / total : INFINITY;
}

typedef struct point {
    double n, y, w; /* n first: sorted as doubles */
} point;

/* Every family's rolling error; `block` holds 7 doubles a point. */
static void roll_all(const separable_data *data, double *block, pts_family_choice *out)
{
    const size_t count = data->count;
    point *points = (point *)block;
    double *n = block + 3 * count, *y = n + count, *w = y + count, *sizes = w + count;
    for (size_t i = 0; i < count; i++)
        points[i] = (point){data->n[i], data->y[i], data->weights ? data->weights[i] : 1};
    qsort(points, count, sizeof *points, pts_compare_doubles);
    for (size_t i = 0; i < count; i++) {
        n[i] = points[i].n;
        y[i] = points[i].y;
        w[i] = points[i].w;
    }
    const separable_data sorted = {n, y, w, count};
    size_t distinct = pts_distinct_sizes(n, count, sizes);
    for (size_t f = 0; f < PTS_FAMILIES; f++)
        out->score[f] = rolling_error((pts_family)f, &sorted, sizes, distinct);
}

/* Akaike's weights: exp(−Δ/2) of the scores' differences; a mean squared error stands for its
 * count·ln, as in AIC. */
static void weigh(pts_family_choice *out, double points, pts_selection how)
{
    double least = INFINITY, total = 0, scale[PTS_FAMILIES];
    for (size_t f = 0; f < PTS_FAMILIES; f++) {
        bool usable = out->fits[f].points > 0 && isfinite(out->score[f]);
        scale[f] = !usable                ? INFINITY
                   : how == PTS_SELECT_CV ? points * log(fmax(out->score[f], 1e-12))
                                          : out->score[f];
        if (scale[f] < least) {
            least = scale[f];
            out->best = (pts_family)f;
        }
    }
    for (size_t f = 0; f < PTS_FAMILIES; f++) {
        out->weight[f] = isfinite(scale[f]) ? exp((least - scale[f]) / 2) : 0;
        total += out->weight[f];
    }
    for (size_t f = 0; total > 0 && f < PTS_FAMILIES; f++)
        out->weight[f] /= total;
    if (!(total > 0)) { /* too few points for any score: the last value, and say nothing more */
        out->best = PTS_FAMILY_LAST1;
        out->weight[PTS_FAMILY_LAST1] = 1;
    }
}

pts_status pts_family_choose(const double *n, const double *map, const double *weights,
                             size_t count, pts_selection how, pts_family_choice *out,
                             pts_error *err)
{
    *out = (pts_family_choice){.best = PTS_FAMILY_LAST1};
    for (size_t f = 0; f < PTS_FAMILIES; f++) {
        pts_status status =
            pts_family_fit_points((pts_family)f, n, map, weights, count, &out->fits[f], err);
        if (status == PTS_ERR_ARGUMENT || status == PTS_ERR_MEMORY || count == 0)
            return status;
        if (status != PTS_OK)
            out->fits[f].points = 0;
        out->score[f] = out->fits[f].aicc;
    }
    if (how == PTS_SELECT_CV) {
        double *block;
        PTS_TRY(pts_new(&block, count, 7 * sizeof *block, err));
        roll_all(&(separable_data){n, map, weights, count}, block, out);
        free(block);
    }
    weigh(out, (double)count, how);
    return PTS_OK;
}

double pts_family_average_at(const pts_family_choice *choice, double n)
{
    double sum = 0;
    for (size_t f = 0; f < PTS_FAMILIES; f++) {
        if (choice->weight[f] > 0)
            sum += choice->weight[f] * fmin(fmax(pts_family_at(&choice->fits[f], n), 0), 1);
    }
    return sum;
}
