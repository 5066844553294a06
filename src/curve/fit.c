/* The 4PL's fit in the coordinates that priors are made of. */
#include "pts/curve.h"
#include "curve/family.h"
#include "base/error.h"

#include <math.h>

const char *pts_fit_status_text(pts_fit_status status)
{
    static const char *const text[] = {"ok", "plateau_not_reached", "rank_deficient", "limit",
                                       "undetermined"};
    return (size_t)status < sizeof text / sizeof *text ? text[status] : "unknown";
}

/* From (u, v, p, q) to (A, ln B, ln C, D): A = u, D = u + v. */
static void transform_covariance(const double *from, double *to)
{
    static const double map[4][4] = {{1, 0, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {1, 1, 0, 0}};
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            double sum = 0;
            for (int k = 0; k < 4; k++) {
                for (int l = 0; l < 4; l++) {
                    if (map[i][k] != 0 && map[j][l] != 0) /* spares 0 · ∞ */
                        sum += from[k * 4 + l];
                }
            }
            to[i * 4 + j] = isfinite(sum) ? sum : i == j ? INFINITY : 0;
        }
    }
}

pts_status pts_curve_fit_weighted(const double *n, const double *map, const double *weights,
                                  size_t count, pts_fit *out, pts_error *err)
{
    const separable_data data = {n, map, weights, count};
    pts_family_fit fit;
    separable_fit solution;
    *out = (pts_fit){0};
    PTS_TRY(pts_family_solve(PTS_FAMILY_4PL, &data, &fit, &solution, err));
    if (!(fit.x[2] > 0))
        return pts_fail(err, PTS_ERR_NUMERIC, "curve: no finite fit of %zu points", count);
    *out = (pts_fit){.curve = {fit.x[0], fit.x[1], fit.x[2], fit.x[3]},
                     .sse = fit.sse,
                     .smape = fit.smape,
                     .points = fit.points,
                     .status = fit.status};
    for (size_t i = 0; i < 4; i++)
        out->se[i] = fit.se[i];
    transform_covariance(solution.covariance, out->covariance);
    return PTS_OK;
}

pts_status pts_curve_fit(const double *n, const double *map, size_t count, pts_fit *out,
                         pts_error *err)
{
    return pts_curve_fit_weighted(n, map, NULL, count, out, err);
}

double pts_smape(const double *f, const double *y, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double both = fabs(f[i]) + fabs(y[i]);
        sum += both > 0 ? 2 * fabs(f[i] - y[i]) / both : 0;
    }
    return count ? 100 * sum / (double)count : 0;
}

bool pts_map_from_percent(double *map, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(map[i] >= 0 && map[i] <= 100))
            return false;
        most = fmax(most, map[i]);
    }
    if (most <= 1)
        return false;
    for (size_t i = 0; i < count; i++)
        map[i] /= 100;
    return true;
}
