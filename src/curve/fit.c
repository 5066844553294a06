/* Fits of the 4PL and of the power law pow4: the grids and what the answer means. */
#include "pts/curve.h"
#include "base/error.h"
#include "base/memory.h"
#include "curve/separable.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BETWEEN = 96, OUTSIDE = 8, MOST_NODES = MOST_BETWEEN + OUTSIDE };

/* s = t/(1 + t), t = (n/C)^B, p = ln B, q = ln C. */
static double logistic(double n, double log_n, double p, double q, double d[2])
{
    (void)n;
    double b = exp(p), z = b * (log_n - q), e = exp(-fabs(z));
    double near = e / (1 + e), far = 1 / (1 + e);
    if (d) {
        d[0] = near * far * z;
        d[1] = -b * near * far;
    }
    return z < 0 ? near : far;
}

/* s = −((n + d))^−b, p = ln b, q = ln d. */
static double power(double n, double log_n, double p, double q, double d[2])
{
    (void)log_n;
    double b = exp(p), offset = exp(q), base = n + offset, s = -exp(-b * log(base));
    if (d) {
        d[0] = -b * log(base) * s;
        d[1] = -b * offset / base * s;
    }
    return s;
}

/* Nodes for ln C: between neighbouring sizes, where a steep curve has its jump (at most
 * MOST_BETWEEN of them, evenly), and beyond both ends for curves that are only partly seen. */
static size_t place_nodes(const double *sizes, size_t distinct, double *nodes)
{
    static const double below[] = {-2, -1, -0.3}, above[] = {0.3, 0.8, 1.5, 2.5, 4};
    size_t count = 0, gaps = distinct - 1;
    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        nodes[count++] = log(sizes[0]) + below[i];
    size_t wanted = gaps < MOST_BETWEEN ? gaps : MOST_BETWEEN;
    for (size_t i = 0; i < wanted; i++) {
        size_t gap = i * gaps / wanted;
        nodes[count++] = (log(sizes[gap]) + log(sizes[gap + 1])) / 2;
    }
    for (size_t i = 0; i < sizeof above / sizeof *above; i++)
        nodes[count++] = log(sizes[distinct - 1]) + above[i];
    return count;
}

/* B or b from 0.2 in steps of a factor of about 1.5. */
static const double steepness[] = {-1.6, -1.1, -0.7, -0.3, 0.0, 0.3, 0.6, 0.9,
                                   1.2,  1.6,  2.0,  2.5,  3.0, 3.6, 4.3, 5.0};
enum { STEEPNESS = sizeof steepness / sizeof *steepness };

static pts_status fit_family(separable_basis basis, const double *n, const double *map,
                             size_t count, separable_fit *out, double *largest, pts_error *err)
{
    PTS_TRY(pts_check_points(n, map, count, err));
    double *sizes = pts_calloc64(count, sizeof *sizes), nodes[MOST_NODES];
    if (!sizes)
        return pts_fail_memory(err, count * sizeof *sizes);
    size_t distinct = count ? pts_distinct_sizes(n, count, sizes) : 0, node_count = 0;
    if (distinct >= 4)
        node_count = place_nodes(sizes, distinct, nodes);
    *largest = distinct ? sizes[distinct - 1] : 0;
    free(sizes);
    if (distinct < 4)
        return pts_fail(err, PTS_ERR_SHAPE, "curve: expected at least 4 distinct sizes, got %zu",
                        distinct);
    separable family = {basis, steepness, nodes, STEEPNESS, node_count};
    return pts_separable_fit(&family, n, map, count, out, err);
}

const char *pts_fit_status_text(pts_fit_status status)
{
    static const char *const text[] = {"ok", "plateau_not_reached", "rank_deficient", "limit"};
    return (size_t)status < sizeof text / sizeof *text ? text[status] : "unknown";
}

/* From (u, v, p, q) to (A, ln B, ln C, D): A = u, D = u + v; and times the noise's variance. */
static void transform_covariance(const double *from, double variance, double *to)
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
            bool known = isfinite(variance) && isfinite(sum);
            to[i * 4 + j] = known ? sum * variance : i == j ? INFINITY : 0;
        }
    }
}

/* A plateau out of sight is said before a limit reached: its optimum lies at infinity, which is why
 * the evaluations did not suffice. */
static pts_fit_status judge(const pts_fit *fit, const pts_lm_result *lm, double largest)
{
    if (lm->stop == PTS_LM_RANK_DEFICIENT || lm->rank < 4)
        return PTS_FIT_RANK_DEFICIENT;
    pts_curve unit = {0, fit->curve.B, fit->curve.C, 1};
    double rise = fabs(fit->curve.D - fit->curve.A);
    if (pts_curve_at(&unit, largest) < 0.8 || (isfinite(fit->se[3]) && fit->se[3] > 0.25 * rise))
        return PTS_FIT_PLATEAU_NOT_REACHED;
    return pts_lm_converged(lm) ? PTS_FIT_OK : PTS_FIT_LIMIT;
}

static double smape(const pts_curve *curve, const double *n, const double *map, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double f = pts_curve_at(curve, n[i]);
        sum += pts_smape(&f, &map[i], 1);
    }
    return sum / (double)count;
}

static void describe(const separable_fit *from, const double *n, const double *map, size_t count,
                     double largest, pts_fit *out)
{
    const double *x = from->x;
    out->curve = (pts_curve){x[0], exp(x[2]), exp(x[3]), x[0] + x[1]};
    out->points = count;
    out->sse = from->lm.sse;
    out->smape = smape(&out->curve, n, map, count);
    double variance = count > 4 ? out->sse / (double)(count - 4) : INFINITY;
    transform_covariance(from->covariance, variance, out->covariance);
    const double unit[4] = {1, out->curve.B, out->curve.C, 1};
    for (size_t i = 0; i < 4; i++)
        out->se[i] = unit[i] * sqrt(out->covariance[i * 5]);
    out->status = judge(out, &from->lm, largest);
}

pts_status pts_curve_fit(const double *n, const double *map, size_t count, pts_fit *out,
                         pts_error *err)
{
    separable_fit fit;
    double largest;
    *out = (pts_fit){0};
    PTS_TRY(fit_family(logistic, n, map, count, &fit, &largest, err));
    describe(&fit, n, map, count, largest, out);
    if (!isfinite(out->curve.B) || !isfinite(out->curve.C) || out->curve.C == 0)
        return pts_fail(err, PTS_ERR_NUMERIC, "curve: no finite fit of %zu points", count);
    return PTS_OK;
}

double pts_pow4_at(const pts_pow4 *curve, double n)
{
    return curve->c - curve->a * exp(-curve->b * log(n + curve->d));
}

pts_status pts_pow4_fit(const double *n, const double *map, size_t count, pts_pow4 *out,
                        double *sse, pts_error *err)
{
    separable_fit fit;
    double largest;
    *out = (pts_pow4){0};
    PTS_TRY(fit_family(power, n, map, count, &fit, &largest, err));
    *out = (pts_pow4){fit.x[1], exp(fit.x[2]), fit.x[0], exp(fit.x[3])};
    *sse = fit.lm.sse;
    return PTS_OK;
}
