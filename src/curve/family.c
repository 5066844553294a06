/* The families of learning curves and their fits: pts/curve.h. */
#include "pts/curve.h"
#include "base/error.h"
#include "base/memory.h"
#include "curve/evidence.h"
#include "curve/family.h"
#include "curve/normal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- shapes: s(n; p, q) ---- */

/* t/(1 + t), t = (n/C)^B, p = ln B, q = ln C. */
static void logistic(const separable_sizes *at, double p, double q, double *s, double *by_p,
                     double *by_q)
{
    double b = exp(p);
    for (size_t i = 0; i < at->count; i++) {
        double z = b * (at->log_n[i] - q), e = exp(-fabs(z));
        double far = 1 / (1 + e), near = e * far;
        s[i] = z < 0 ? near : far;
        if (by_p) {
            by_p[i] = near * far * z;
            by_q[i] = -b * near * far;
        }
    }
}

/* −(n + d)^−b, p = ln b, q = ln d. */
static void power(const separable_sizes *at, double p, double q, double *s, double *by_p,
                  double *by_q)
{
    double b = exp(p), offset = exp(q);
    for (size_t i = 0; i < at->count; i++) {
        double base = at->n[i] + offset, log_base = log(base);
        s[i] = -exp(-b * log_base);
        if (by_p) {
            by_p[i] = -b * log_base * s[i];
            by_q[i] = -b * offset / base * s[i];
        }
    }
}

/* −n^−b, p = ln b. */
static void plain_power(const separable_sizes *at, double p, double q, double *s, double *by_p,
                        double *by_q)
{
    (void)q, (void)by_q;
    double b = exp(p);
    for (size_t i = 0; i < at->count; i++) {
        s[i] = -exp(-b * at->log_n[i]);
        if (by_p)
            by_p[i] = -b * at->log_n[i] * s[i];
    }
}

/* −exp(−n/τ), p = ln τ. */
static void exponential(const separable_sizes *at, double p, double q, double *s, double *by_p,
                        double *by_q)
{
    (void)q, (void)by_q;
    double rate = exp(-p);
    for (size_t i = 0; i < at->count; i++) {
        double z = at->n[i] * rate;
        s[i] = -exp(-z);
        if (by_p)
            by_p[i] = z > 700 ? 0 : z * s[i]; /* ∞ · 0 */
    }
}

static void logarithm(const separable_sizes *at, double p, double q, double *s, double *by_p,
                      double *by_q)
{
    (void)p, (void)q, (void)by_p, (void)by_q;
    memcpy(s, at->log_n, at->count * sizeof *s);
}

/* −exp(−(n/C)^d), p = ln d, q = ln C. */
static void weibull(const separable_sizes *at, double p, double q, double *s, double *by_p,
                    double *by_q)
{
    double b = exp(p);
    for (size_t i = 0; i < at->count; i++) {
        double z = exp(b * (at->log_n[i] - q));
        s[i] = -exp(-z);
        if (by_p) {
            double part = z > 700 ? 0 : -z * s[i];
            by_p[i] = part * b * (at->log_n[i] - q);
            by_q[i] = -part * b;
        }
    }
}

/* ---- grids ---- */

/* At most as many as a row's arrays hold: a wide span gets a wider gap. */
static size_t place(double low, double high, double gap, double *q)
{
    double count = ceil((high - low) / gap) + 1;
    size_t nodes = count < SEPARABLE_NODES ? (size_t)count : SEPARABLE_NODES;
    for (size_t i = 0; i < nodes; i++)
        q[i] = low + (high - low) * (double)i / (double)(nodes - 1);
    return nodes;
}

/* ln C about one width of the rise apart, and beyond both ends for what is only partly seen. */
static size_t centre_nodes(separable_span span, double p, double *q)
{
    double b = exp(p), outside = fmin(fmax(4 / b, 0.5), 4);
    return place(span.low - outside / 2, span.high + outside, fmin(2.4 / b, 2.5), q);
}

/* ln d, from a part of one image to beyond the largest size. */
static size_t offset_nodes(separable_span span, double p, double *q)
{
    (void)p;
    return place(-3, span.high + 2, 1, q);
}

#define LN2 0.69314718055994530942
static const double steepness[] = {-2 * LN2, -LN2, 0, LN2, 2 * LN2, 3 * LN2};
static const double powers[] = {-3.5, -2.5, -1.8, -1.2, -0.7, -0.2, 0.4, 1.2};
static const double scales[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12};
static const double shapeless[] = {0};
#define GRID(rows) (rows), sizeof(rows) / sizeof *(rows)

/* ---- what a family is ---- */

/* What a parameter is, which says when it is known: a level, an mAP; an amplitude, a difference of
 * mAP that may be large; a positive number, whose logarithm is fitted; or plainly the data's. */
typedef enum parameter_kind { DATA, LEVEL, AMPLITUDE, POSITIVE } parameter_kind;

typedef struct family_entry {
    const char *name, *parameters[4];
    parameter_kind kinds[4];
    size_t count;
    separable shape;
} family_entry;

static const family_entry table[PTS_FAMILIES] = {
    [PTS_FAMILY_4PL] = {"4pl",
                        {"A", "B", "C", "D"},
                        {LEVEL, POSITIVE, POSITIVE, LEVEL},
                        4,
                        {logistic, 2, false, true, GRID(steepness), centre_nodes}},
    [PTS_FAMILY_POW2] = {"pow2",
                         {"a", "b"},
                         {AMPLITUDE, POSITIVE},
                         2,
                         {plain_power, 1, true, false, GRID(powers), NULL}},
    [PTS_FAMILY_POW3] = {"pow3",
                         {"a", "b", "c"},
                         {AMPLITUDE, POSITIVE, LEVEL},
                         3,
                         {plain_power, 1, false, false, GRID(powers), NULL}},
    [PTS_FAMILY_POW4] = {"pow4",
                         {"a", "b", "c", "d"},
                         {AMPLITUDE, POSITIVE, LEVEL, POSITIVE},
                         4,
                         {power, 2, false, false, GRID(powers), offset_nodes}},
    [PTS_FAMILY_EXP3] = {"exp3",
                         {"a", "b", "c"},
                         {AMPLITUDE, POSITIVE, LEVEL},
                         3,
                         {exponential, 1, false, false, GRID(scales), NULL}},
    [PTS_FAMILY_LOG2] = {"log2",
                         {"a", "c"},
                         {AMPLITUDE, LEVEL},
                         2,
                         {logarithm, 0, false, false, GRID(shapeless), NULL}},
    [PTS_FAMILY_WBL4] = {"wbl4",
                         {"a", "b", "c", "d"},
                         {POSITIVE, AMPLITUDE, LEVEL, POSITIVE},
                         4,
                         {weibull, 2, false, false, GRID(steepness), centre_nodes}},
    [PTS_FAMILY_LAST1] = {"last1", {"a"}, {DATA}, 1, {NULL, 0, false, false, NULL, 0, NULL}},
};

const char *pts_family_name(pts_family family)
{
    return (size_t)family < PTS_FAMILIES ? table[family].name : "unknown";
}

pts_status pts_family_find(const char *name, pts_family *out, pts_error *err)
{
    for (*out = 0; (size_t)*out < PTS_FAMILIES; (*out)++) {
        if (strcmp(name, table[*out].name) == 0)
            return PTS_OK;
    }
    if (strcmp(name, "mmf4") == 0) { /* as the learning-curve data base calls it */
        *out = PTS_FAMILY_4PL;
        return PTS_OK;
    }
    *out = PTS_FAMILY_4PL;
    return pts_fail(err, PTS_ERR_ARGUMENT,
                    "family: expected 4pl, pow2, pow3, pow4, exp3, log2, wbl4 or last1, got '%s'",
                    name);
}

size_t pts_family_parameters(pts_family family)
{
    return (size_t)family < PTS_FAMILIES ? table[family].count : 0;
}

const char *pts_family_parameter(pts_family family, size_t k)
{
    return k < pts_family_parameters(family) ? table[family].parameters[k] : "";
}

double pts_family_at(const pts_family_fit *f, double n)
{
    const double *x = f->x;
    pts_curve curve;
    switch (f->family) {
    case PTS_FAMILY_4PL:
        curve = (pts_curve){x[0], x[1], x[2], x[3]};
        return pts_curve_at(&curve, n);
    case PTS_FAMILY_POW2:
        return 1 - x[0] * exp(-x[1] * log(n));
    case PTS_FAMILY_POW3:
        return x[2] - x[0] * exp(-x[1] * log(n));
    case PTS_FAMILY_POW4:
        return x[2] - x[0] * exp(-x[1] * log(n + x[3]));
    case PTS_FAMILY_EXP3:
        return x[2] - x[0] * exp(-x[1] * n);
    case PTS_FAMILY_LOG2:
        return x[1] + x[0] * log(n);
    case PTS_FAMILY_WBL4:
        return x[2] - x[1] * exp(-x[0] * exp(x[3] * log(n)));
    default:
        return x[0];
    }
}

/* ---- fits ---- */

/* g·covariance·g, covariance [4][4]; spares 0 · ∞. INFINITY too where the terms cancel to their
 * rounding: D = u + v is then as little known as A = u, whose error is 10¹² and more. */
static double variance_along(const double *covariance, const double g[4])
{
    double sum = 0, size = 0;
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            if (g[i] != 0 && g[j] != 0) {
                double term = g[i] * covariance[i * 4 + j] * g[j];
                sum += term;
                size += fabs(term);
            }
        }
    }
    return size == 0 || sum > 1e-12 * size ? sum : INFINITY;
}

/* One parameter of the family's own definition: its value and its slopes by u, v, p and q. */
static void put(pts_family_fit *out, size_t k, double value, const double *covariance, double u,
                double v, double p, double q)
{
    const double g[4] = {u, v, p, q};
    out->x[k] = value;
    out->se[k] = sqrt(variance_along(covariance, g));
}

/* From u, v, p, q to the definition's parameters; covariance is scaled by the noise. */
static void translate(const double x[4], const double *covariance, pts_family_fit *out)
{
    double u = x[0], v = x[1], p = exp(x[2]), q = exp(x[3]), a;
    switch (out->family) {
    case PTS_FAMILY_4PL:
        put(out, 0, u, covariance, 1, 0, 0, 0);
        put(out, 1, p, covariance, 0, 0, p, 0);
        put(out, 2, q, covariance, 0, 0, 0, q);
        put(out, 3, u + v, covariance, 1, 1, 0, 0);
        break;
    case PTS_FAMILY_LOG2:
        put(out, 0, v, covariance, 0, 1, 0, 0);
        put(out, 1, u, covariance, 1, 0, 0, 0);
        break;
    case PTS_FAMILY_WBL4:
        a = exp(-p * x[3]);
        put(out, 0, a, covariance, 0, 0, -a * p * x[3], -a * p);
        put(out, 1, v, covariance, 0, 1, 0, 0);
        put(out, 2, u, covariance, 1, 0, 0, 0);
        put(out, 3, p, covariance, 0, 0, p, 0);
        break;
    case PTS_FAMILY_EXP3:
        put(out, 0, v, covariance, 0, 1, 0, 0);
        put(out, 1, 1 / p, covariance, 0, 0, -1 / p, 0);
        put(out, 2, u, covariance, 1, 0, 0, 0);
        break;
    default: /* the powers */
        put(out, 0, v, covariance, 0, 1, 0, 0);
        put(out, 1, p, covariance, 0, 0, p, 0);
        if (out->family != PTS_FAMILY_POW2)
            put(out, 2, u, covariance, 1, 0, 0, 0);
        if (out->family == PTS_FAMILY_POW4)
            put(out, 3, q, covariance, 0, 0, 0, q);
    }
}

/* The forecast is the mean at the largest size: the only family that has nothing to search. */
static void fit_last(const separable_data *data, pts_family_fit *out)
{
    double largest = 0, sum = 0, total = 0;
    for (size_t i = 0; i < data->count; i++)
        largest = fmax(largest, data->n[i]);
    for (size_t i = 0; i < data->count; i++) {
        if (data->n[i] == largest) {
            double w = data->weights ? data->weights[i] : 1;
            sum += w * data->y[i];
            total += w;
        }
    }
    out->x[0] = sum / total;
    out->status = PTS_FIT_OK;
    for (size_t i = 0; i < data->count; i++)
        out->sse += (data->weights ? data->weights[i] : 1) * (data->y[i] - out->x[0]) *
                    (data->y[i] - out->x[0]);
    out->se[0] = data->count > 1 ? sqrt(out->sse / (double)(data->count - 1) / total) : INFINITY;
}

/* By the linearised 95 % interval, ± 2 standard errors: a level's must be shorter than all that an
 * mAP can be, 0 … 1, and a positive number must be known within a factor of ten either way. */
bool pts_family_determined(const pts_family_fit *fit, size_t k)
{
    const double most_level = 1.0 / 4, most_log = log(10) / 2;
    if (k >= pts_family_parameters(fit->family))
        return false;
    const double size = fabs(fit->x[k]);
    switch (table[fit->family].kinds[k]) {
    case LEVEL:
        return fit->se[k] <= most_level;
    case AMPLITUDE:
        return fit->se[k] <= fmax(most_level, size);
    case POSITIVE:
        return fit->se[k] <= most_log * size;
    default:
        return true;
    }
}

static bool all_determined(const pts_family_fit *fit)
{
    for (size_t k = 0; k < pts_family_parameters(fit->family); k++) {
        if (!pts_family_determined(fit, k))
            return false;
    }
    return true;
}

/* Where the way to the plateau begins: of the 4PL at A, or at the end of 0 … 1 beyond which A lies:
 * the way from −192,777 is made with the first image. */
static double begin_of(const pts_family_fit *fit, double smallest)
{
    return fit->family == PTS_FAMILY_4PL ? fmin(fmax(fit->x[0], 0), 1)
                                         : pts_family_at(fit, smallest);
}

/* The plateau counts as seen where the largest size has made 80 % of the way to it. */
static pts_fit_status judge(const pts_family_fit *fit, const pts_lm_result *lm, double smallest,
                            double largest)
{
    const bool is_4pl = fit->family == PTS_FAMILY_4PL, is_pow2 = fit->family == PTS_FAMILY_POW2;
    const size_t plateau = is_4pl ? 3 : 2;
    double first = begin_of(fit, smallest), last = pts_family_at(fit, largest);
    double limit = is_pow2 ? 1 : fit->family == PTS_FAMILY_LOG2 ? INFINITY : fit->x[plateau];
    /* an infinite error is no vague plateau but nothing known at all: undetermined */
    bool vague =
        !is_pow2 && isfinite(fit->se[plateau]) && fit->se[plateau] > 0.25 * fabs(limit - first);
    if (lm->stop == PTS_LM_RANK_DEFICIENT || lm->rank < pts_family_parameters(fit->family))
        return PTS_FIT_RANK_DEFICIENT;
    /* said before a limit reached: the optimum lies at infinity, which is why the evaluations did
     * not suffice */
    if (!(fabs(last - first) >= 0.8 * fabs(limit - first)) || vague)
        return PTS_FIT_PLATEAU_NOT_REACHED;
    if (!pts_lm_converged(lm))
        return PTS_FIT_LIMIT;
    return all_determined(fit) ? PTS_FIT_OK : PTS_FIT_UNDETERMINED;
}

double pts_family_smape(const pts_family_fit *fit, const double *n, const double *map, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double f = pts_family_at(fit, n[i]);
        sum += pts_smape(&f, &map[i], 1);
    }
    return sum / (double)count;
}

/* Hurvich & Tsai 1989; one parameter more for the noise. INFINITY where there are too few points.
 */
static double aicc(const pts_family_fit *fit)
{
    double n = (double)fit->points, k = (double)pts_family_parameters(fit->family) + 1;
    if (n <= k + 1)
        return INFINITY;
    /* a perfect fit would have −∞ and rob the others of their say */
    double variance = fmax(fit->sse / n, 1e-12);
    return n * log(variance) + 2 * k + 2 * k * (k + 1) / (n - k - 1);
}

/* Sizes are counted, not points: repeats of one size tell nothing of a shape. */
static pts_status check(pts_family family, const separable_data *data, double range[2],
                        pts_error *err)
{
    PTS_TRY(pts_check_points(data->n, data->y, data->weights, data->count, err));
    double *sizes;
    PTS_TRY(pts_new(&sizes, data->count, sizeof *sizes, err));
    size_t distinct = data->count ? pts_distinct_sizes(data->n, data->count, sizes) : 0;
    range[0] = distinct ? sizes[0] : 0;
    range[1] = distinct ? sizes[distinct - 1] : 0;
    free(sizes);
    if (distinct < table[family].count)
        return pts_fail(err, PTS_ERR_SHAPE, "curve: expected at least %zu distinct size%s, got %zu",
                        table[family].count, table[family].count == 1 ? "" : "s", distinct);
    return PTS_OK;
}

pts_status pts_family_solve(pts_family family, const separable_data *data, pts_family_fit *out,
                            separable_fit *solution, pts_error *err)
{
    double range[2];
    *out = (pts_family_fit){.family = family};
    *solution = (separable_fit){.free = 0};
    PTS_TRY(check(family, data, range, err));
    out->points = data->count;
    if (family == PTS_FAMILY_LAST1) {
        fit_last(data, out);
        out->smape = pts_family_smape(out, data->n, data->y, data->count);
    } else {
        PTS_TRY(pts_separable_fit(&table[family].shape, data, solution, err));
        out->sse = solution->lm.sse;
        size_t spare = data->count - solution->free;
        double variance = spare ? out->sse / (double)spare : INFINITY;
        for (size_t i = 0; i < 16; i++) {
            double scaled = solution->covariance[i] * variance;
            solution->covariance[i] = isnan(scaled) ? i % 5 ? 0 : INFINITY : scaled;
        }
        translate(solution->x, solution->covariance, out);
        out->status = judge(out, &solution->lm, range[0], range[1]);
        out->smape = solution->smape;
    }
    out->aicc = aicc(out);
    for (size_t k = 0; k < pts_family_parameters(family); k++) {
        if (!isfinite(out->x[k]))
            return pts_fail(err, PTS_ERR_NUMERIC, "curve: no finite fit of %zu points",
                            data->count);
    }
    return PTS_OK;
}

pts_status pts_family_fit_points(pts_family family, const double *n, const double *map,
                                 const double *weights, size_t count, pts_family_fit *out,
                                 pts_error *err)
{
    const separable_data data = {n, map, weights, count};
    separable_fit solution;
    if ((size_t)family >= PTS_FAMILIES)
        return pts_fail(err, PTS_ERR_ARGUMENT, "family: expected 0 … %d, got %d", PTS_FAMILIES - 1,
                        (int)family);
    return pts_family_solve(family, &data, out, &solution, err);
}
