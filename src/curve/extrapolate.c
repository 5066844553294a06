/* The benchmark of forecasts: each curve from its small sizes, scored on its large ones. */
#include "pts/curve.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    pts_family family;
} methods[PTS_FORECASTS] = {
    [PTS_FORECAST_MAP] = {"map", PTS_FAMILIES},
    [PTS_FORECAST_4PL] = {"4pl", PTS_FAMILY_4PL},
    [PTS_FORECAST_POW4] = {"pow4", PTS_FAMILY_POW4},
    [PTS_FORECAST_LAST1] = {"last1", PTS_FAMILY_LAST1},
    [PTS_FORECAST_POW2] = {"pow2", PTS_FAMILY_POW2},
    [PTS_FORECAST_POW3] = {"pow3", PTS_FAMILY_POW3},
    [PTS_FORECAST_EXP3] = {"exp3", PTS_FAMILY_EXP3},
    [PTS_FORECAST_LOG2] = {"log2", PTS_FAMILY_LOG2},
    [PTS_FORECAST_WBL4] = {"wbl4", PTS_FAMILY_WBL4},
    [PTS_FORECAST_AVERAGE] = {"average", PTS_FAMILIES},
};

const char *pts_forecast_name(pts_forecast method)
{
    return (size_t)method < PTS_FORECASTS ? methods[method].name : "unknown";
}

/* A forecast by any method. */
typedef struct forecast {
    pts_forecast method;
    pts_curve_posterior posterior; /* of map */
    pts_family_fit fit;            /* of a family */
    pts_family_choice choice;      /* of average */
} forecast;

static double forecast_at(const forecast *f, double n)
{
    double value = 0;
    if (f->method == PTS_FORECAST_MAP)
        pts_curve_median(&f->posterior, &n, 1, &value, NULL);
    else if (f->method == PTS_FORECAST_AVERAGE)
        value = pts_family_average_at(&f->choice, n);
    else
        value = pts_family_at(&f->fit, n);
    return fmin(fmax(value, 0), 1);
}

/* The least size at which a forecast reaches the target, by bisection in ln n up to 10⁹. */
static double forecast_size(const forecast *f, double target)
{
    double low = 0, high = log(1e9);
    pts_curve_answer answer;
    if (f->method == PTS_FORECAST_MAP)
        return pts_curve_ask(&f->posterior, target, 0.8, &answer, NULL) == PTS_OK
                   ? fmax(answer.n_median, 1)
                   : INFINITY;
    if (forecast_at(f, 1e9) < target)
        return INFINITY;
    if (forecast_at(f, 1) >= target)
        return 1;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (forecast_at(f, exp(middle)) < target)
            low = middle;
        else
            high = middle;
    }
    return exp(high);
}

/* The size at which the measured curve first reaches the target, linear in ln n between sizes. */
static double needed_size(const pts_curve_points *c, double target)
{
    size_t i = 0;
    while (i < c->count && c->map[i] < target)
        i++;
    if (i == c->count)
        return INFINITY;
    if (i == 0 || c->map[i] == c->map[i - 1])
        return c->n[i];
    double part = (target - c->map[i - 1]) / (c->map[i] - c->map[i - 1]);
    return exp(log(c->n[i - 1]) + part * (log(c->n[i]) - log(c->n[i - 1])));
}

static void size_error(const forecast *f, const pts_curve_points *c, double upto,
                       pts_forecast_score *out)
{
    static const double parts[] = {0.5, 0.75, 0.9};
    const double most = 6;
    double sum = 0;
    size_t count = 0, near = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        double target = parts[i] * c->map[c->count - 1], needed = needed_size(c, target);
        if (!(needed > upto) || !isfinite(needed))
            continue;
        double error = fabs(log2(forecast_size(f, target) / needed));
        sum += fmin(error, most);
        near += error <= 1;
        count++;
    }
    out->log2_ratio = count ? sum / (double)count : NAN;
    out->within_2 = count ? (double)near / (double)count : NAN;
}

static pts_status covered(const forecast *f, const pts_curve_points *c, size_t from,
                          double confidence, double *out, pts_error *err)
{
    size_t ahead = c->count - from, inside = 0;
    if (f->method != PTS_FORECAST_MAP)
        return PTS_OK;
    double *band = pts_calloc64(ahead, 2 * sizeof *band), *high = band + ahead;
    if (!band)
        return pts_fail_memory(err, ahead * 2 * sizeof *band);
    pts_status status =
        pts_curve_band(&f->posterior, confidence, true, c->n + from, ahead, band, high, err);
    for (size_t i = 0; i < ahead; i++)
        inside += c->map[from + i] >= band[i] && c->map[from + i] <= high[i];
    free(band);
    *out = (double)inside / (double)ahead;
    return status;
}

static pts_status score(const forecast *f, const pts_curve_points *c, double upto,
                        pts_forecast_score *out, pts_error *err)
{
    double sum = 0;
    for (size_t i = out->points; i < c->count; i++)
        sum += fabs(forecast_at(f, c->n[i]) - c->map[i]);
    out->mae = sum / (double)out->ahead;
    size_error(f, c, upto, out);
    PTS_TRY(covered(f, c, out->points, 0.5, &out->covered_50, err));
    PTS_TRY(covered(f, c, out->points, 0.8, &out->covered_80, err));
    return covered(f, c, out->points, 0.95, &out->covered_95, err);
}

/* The other data sets' curves, packed, and their shares of the votes. */
typedef struct population {
    const pts_curve_set *set;
    pts_curve_points *others; /* [set->count], borrowed points */
    double *weights;
    const char *dataset; /* whose prior this is; NULL: none yet */
    pts_curve_prior prior;
} population;

/* The prior from the data sets other than curve i's, one vote a data set. */
static pts_status prior_without(population *all, size_t i, pts_curve_prior *out, pts_error *err)
{
    const pts_curve_points *curves = all->set->curves;
    size_t count = 0;
    if (all->dataset && strcmp(all->dataset, curves[i].dataset) == 0) {
        *out = all->prior;
        return PTS_OK;
    }
    for (size_t j = 0; j < all->set->count; j++) {
        if (strcmp(curves[j].dataset, curves[i].dataset) == 0)
            continue;
        size_t mates = 0;
        for (size_t k = 0; k < all->set->count; k++)
            mates += strcmp(curves[k].dataset, curves[j].dataset) == 0;
        all->others[count] = curves[j];
        all->weights[count++] = 1 / (double)mates;
    }
    if (count < 2)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: expected at least 2 curves of other data sets for the prior, got %zu",
                        curves[i].dataset, count);
    PTS_TRY(pts_curve_prior_learn(all->others, all->weights, count, &all->prior, err));
    all->dataset = curves[i].dataset;
    *out = all->prior;
    return PTS_OK;
}

static pts_status make_forecast(population *all, size_t i, size_t points, forecast *f,
                                pts_error *err)
{
    const pts_curve_points *c = &all->set->curves[i];
    pts_curve_prior prior;
    if (f->method == PTS_FORECAST_MAP) {
        PTS_TRY(prior_without(all, i, &prior, err));
        return pts_curve_posterior_find(&prior, c->n, c->map, points, &f->posterior, err);
    }
    if (points == 0)
        return pts_fail(err, PTS_ERR_SHAPE, "no pilot point");
    if (f->method == PTS_FORECAST_AVERAGE)
        return pts_family_choose(c->n, c->map, NULL, points, PTS_SELECT_AICC, &f->choice, err);
    return pts_family_fit_points(methods[f->method].family, c->n, c->map, NULL, points, &f->fit,
                                 err);
}

static pts_status extrapolate(population *all, double upto, pts_forecast method,
                              pts_forecast_score *scores, pts_error *err)
{
    for (size_t i = 0; i < all->set->count; i++) {
        const pts_curve_points *c = &all->set->curves[i];
        forecast f = {.method = method};
        scores[i] = (pts_forecast_score){0, 0, NAN, NAN, NAN, NAN, NAN, NAN};
        while (scores[i].points < c->count && c->n[scores[i].points] <= upto)
            scores[i].points++;
        scores[i].ahead = c->count - scores[i].points;
        if (scores[i].ahead == 0)
            continue;
        pts_status status = make_forecast(all, i, scores[i].points, &f, err);
        /* too few pilot points is this method's score, a missing prior the caller's mistake */
        if (method != PTS_FORECAST_MAP && (status == PTS_ERR_SHAPE || status == PTS_ERR_NUMERIC))
            continue;
        PTS_TRY(status);
        PTS_TRY(score(&f, c, upto, &scores[i], err));
    }
    return PTS_OK;
}

pts_status pts_extrapolate(const pts_curve_set *set, double upto, pts_forecast method,
                           pts_forecast_score *scores, pts_error *err)
{
    size_t each = sizeof(pts_curve_points) + sizeof(double);
    if (!(upto >= 0) || (size_t)method >= PTS_FORECASTS)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "extrapolate: expected a size of at least 0 and a "
                        "method, got %g and %d",
                        upto, (int)method);
    population all = {.set = set, .others = pts_calloc64(set->count, each)};
    if (!all.others)
        return pts_fail_memory(err, set->count * each);
    all.weights = (double *)(all.others + set->count);
    pts_status status = extrapolate(&all, upto, method, scores, err);
    free(all.others);
    return status;
}
