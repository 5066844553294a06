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
    [PTS_FORECAST_POSTERIOR] = {"map", PTS_FAMILIES},
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

/* Cut to what an mAP can be, as a user would read it. */
static double forecast_at(const forecast *f, double n)
{
    double value = 0;
    if (f->method == PTS_FORECAST_POSTERIOR)
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
    if (f->method == PTS_FORECAST_POSTERIOR)
        return pts_curve_ask(&f->posterior, target, 0.8, &answer, NULL) == PTS_OK
                   ? fmax(answer.n_if_reachable, 1)
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

/* Targets that the pilot points have met already would flatter every method: left out. */
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

/* ---- later points ---- */

/* Where a posterior is asked for its quantiles, which takes 2000 draws each time: at every later
 * size, or where these are many at as many places evenly in ln n. */
enum { PLACES = 512 };

typedef struct places {
    double n[PLACES];
    size_t count;
} places;

/* The places asked, from the later sizes, which rise. */
static void place(const pts_curve_points *c, size_t from, places *out)
{
    const double first = c->n[from], last = c->n[c->count - 1];
    out->n[0] = first;
    out->count = 1;
    for (size_t i = from + 1; i < c->count && out->count < PLACES; i++) {
        if (c->n[i] != out->n[out->count - 1])
            out->n[out->count++] = c->n[i];
    }
    if (out->n[out->count - 1] == last)
        return;
    for (size_t k = 0; k < PLACES; k++)
        out->n[k] = first * pow(last / first, (double)k / (PLACES - 1));
}

/* Of values at the places, the one at n, linear in ln n; *at: a place not above n, for sizes that
 * rise from call to call. */
static double value_at(const places *p, const double *values, double n, size_t *at)
{
    while (*at + 1 < p->count && p->n[*at + 1] <= n)
        ++*at;
    if (*at + 1 == p->count || n <= p->n[*at])
        return values[*at];
    double part = log(n / p->n[*at]) / log(p->n[*at + 1] / p->n[*at]);
    return values[*at] + part * (values[*at + 1] - values[*at]);
}

static double weight_of(const pts_curve_points *c, size_t i)
{
    return c->weight ? c->weight[i] : 1;
}

/* Of the posterior alone: a family's band (band.c) costs a thousand fits. Else it stays NaN. */
static pts_status covered(const forecast *f, const pts_curve_points *c, size_t from,
                          const places *at, double confidence, double *out, pts_error *err)
{
    double low[PLACES], high[PLACES], inside = 0, total = 0;
    if (f->method != PTS_FORECAST_POSTERIOR)
        return PTS_OK;
    PTS_TRY(pts_curve_band(&f->posterior, confidence, true, at->n, at->count, low, high, err));
    for (size_t i = from, k = 0, l = 0; i < c->count; i++) {
        bool in = c->map[i] >= value_at(at, low, c->n[i], &k) &&
                  c->map[i] <= value_at(at, high, c->n[i], &l);
        inside += in ? weight_of(c, i) : 0;
        total += weight_of(c, i);
    }
    *out = inside / total;
    return PTS_OK;
}

/* The posterior's median is dear, so it is interpolated between places; a family's curve is not. */
static pts_status mean_error(const forecast *f, const pts_curve_points *c, size_t from,
                             const places *at, double *out, pts_error *err)
{
    double median[PLACES], sum = 0, total = 0;
    if (f->method == PTS_FORECAST_POSTERIOR)
        PTS_TRY(pts_curve_median(&f->posterior, at->n, at->count, median, err));
    for (size_t i = from, k = 0; i < c->count; i++) {
        double y = f->method == PTS_FORECAST_POSTERIOR ? value_at(at, median, c->n[i], &k)
                                                       : forecast_at(f, c->n[i]);
        sum += weight_of(c, i) * fabs(y - c->map[i]);
        total += weight_of(c, i);
    }
    *out = sum / total;
    return PTS_OK;
}

static pts_status score(const forecast *f, const pts_curve_points *c, double upto,
                        pts_forecast_score *out, pts_error *err)
{
    places at;
    place(c, out->points, &at);
    PTS_TRY(mean_error(f, c, out->points, &at, &out->mae, err));
    size_error(f, c, upto, out);
    PTS_TRY(covered(f, c, out->points, &at, 0.5, &out->covered_50, err));
    PTS_TRY(covered(f, c, out->points, &at, 0.8, &out->covered_80, err));
    return covered(f, c, out->points, &at, 0.95, &out->covered_95, err);
}

/* NaN until known: where a method has no answer it is left out of means, not taken for right. */
static pts_forecast_score begin_score(const pts_curve_points *c, double upto)
{
    pts_forecast_score out = {0, 0, NAN, NAN, NAN, NAN, NAN, NAN};
    while (out.points < c->count && c->n[out.points] <= upto)
        out.points++;
    out.ahead = c->count - out.points;
    return out;
}

pts_status pts_extrapolate_from(const pts_curve_prior *prior, const pts_curve_points *curve,
                                double upto, pts_forecast_score *out, pts_error *err)
{
    forecast f = {.method = PTS_FORECAST_POSTERIOR};
    *out = begin_score(curve, upto);
    if (out->ahead == 0)
        return PTS_OK;
    PTS_TRY(pts_curve_posterior_find_weighted(prior, curve->n, curve->map, curve->weight,
                                              out->points, &f.posterior, err));
    return score(&f, curve, upto, out, err);
}

/* ---- priors of the others ---- */

enum { GROUPS = 20, OTHERS = 500 };

/* Data sets in groups, one each while there are no more than GROUPS; a prior a group. */
typedef struct population {
    const pts_curve_set *set;
    size_t *dataset; /* [set->count] number of a curve's data set */
    size_t datasets;
    pts_curve_points *others; /* [set->count], borrowed points */
    double *weights;          /* [set->count] */
    size_t *mates;            /* [set->count] curves of a data set among the others */
    pts_curve_prior priors[GROUPS];
    bool known[GROUPS];
} population;

typedef struct named {
    const char *dataset;
    size_t curve;
} named;

static int by_dataset(const void *a, const void *b)
{
    return strcmp(((const named *)a)->dataset, ((const named *)b)->dataset);
}

/* By sorting: all pairs of names of 100,000 curves would take minutes. */
static pts_status number_datasets(population *all, pts_error *err)
{
    const pts_curve_set *set = all->set;
    named *order;
    PTS_TRY(pts_new(&order, set->count, sizeof *order, err));
    for (size_t i = 0; i < set->count; i++)
        order[i] = (named){set->curves[i].dataset, i};
    qsort(order, set->count, sizeof *order, by_dataset);
    for (size_t i = 0; i < set->count; i++) {
        all->datasets += i == 0 || strcmp(order[i - 1].dataset, order[i].dataset) != 0;
        all->dataset[order[i].curve] = all->datasets - 1;
    }
    free(order);
    return PTS_OK;
}

static size_t group_of(const population *all, size_t curve)
{
    return all->dataset[curve] % GROUPS;
}

/* Packs the curves of other groups, evenly picked where they are too many, with the votes of their
 * data sets. Returns how many. */
static size_t pack_others(population *all, size_t group)
{
    const pts_curve_set *set = all->set;
    size_t others = 0, count = 0, seen = 0;
    for (size_t j = 0; j < set->count; j++) {
        others += group_of(all, j) != group;
        all->mates[j] = 0;
    }
    size_t *picked = all->mates + set->count;
    for (size_t j = 0; j < set->count; j++) {
        if (group_of(all, j) == group)
            continue;
        if (others <= OTHERS || seen * OTHERS / others != (seen + 1) * OTHERS / others) {
            picked[count] = j;
            all->others[count++] = set->curves[j];
            all->mates[all->dataset[j]]++;
        }
        seen++;
    }
    for (size_t k = 0; k < count; k++)
        all->weights[k] = 1 / (double)all->mates[all->dataset[picked[k]]];
    return count;
}

/* The prior from the data sets of other groups than curve i's, one vote a data set. */
static pts_status prior_without(population *all, size_t i, const pts_curve_prior **out,
                                pts_error *err)
{
    size_t group = group_of(all, i);
    *out = &all->priors[group];
    if (all->known[group])
        return PTS_OK;
    size_t count = pack_others(all, group);
    if (count < 2)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: expected at least 2 curves of other data sets for the prior, got %zu",
                        all->set->curves[i].dataset, count);
    PTS_TRY(pts_curve_prior_learn(all->others, all->weights, count, &all->priors[group], err));
    all->known[group] = true;
    return PTS_OK;
}

/* ---- all ---- */

/* Of a family, or their average. */
static pts_status make_forecast(const population *all, size_t i, size_t points, forecast *f,
                                pts_error *err)
{
    const pts_curve_points *c = &all->set->curves[i];
    if (points == 0)
        return pts_fail(err, PTS_ERR_SHAPE, "no pilot point");
    if (f->method == PTS_FORECAST_AVERAGE)
        return pts_family_choose(c->n, c->map, c->weight, points, PTS_SELECT_AICC, &f->choice, err);
    return pts_family_fit_points(methods[f->method].family, c->n, c->map, c->weight, points,
                                 &f->fit, err);
}

static pts_status extrapolate(population *all, double upto, pts_forecast method,
                              pts_progress progress, void *user, pts_forecast_score *scores,
                              pts_error *err)
{
    if (method == PTS_FORECAST_POSTERIOR)
        PTS_TRY(number_datasets(all, err));
    for (size_t i = 0; i < all->set->count; i++) {
        const pts_curve_points *c = &all->set->curves[i];
        forecast f = {.method = method};
        const pts_curve_prior *prior;
        scores[i] = begin_score(c, upto);
        if (progress && progress(user, methods[method].name, i, all->set->count) != 0)
            return pts_fail(err, PTS_ERR_CANCELLED, "extrapolate: stopped");
        if (scores[i].ahead == 0)
            continue;
        if (method == PTS_FORECAST_POSTERIOR) {
            PTS_TRY(prior_without(all, i, &prior, err));
            PTS_TRY(pts_extrapolate_from(prior, c, upto, &scores[i], err));
            continue;
        }
        pts_status status = make_forecast(all, i, scores[i].points, &f, err);
        /* too few pilot points is this method's score */
        if (status == PTS_ERR_SHAPE || status == PTS_ERR_NUMERIC)
            continue;
        PTS_TRY(status);
        PTS_TRY(score(&f, c, upto, &scores[i], err));
    }
    return PTS_OK;
}

static pts_status allocate(population *all, pts_error *err)
{
    const size_t count = all->set->count;
    PTS_TRY(pts_new(&all->others, count, sizeof *all->others, err));
    PTS_TRY(pts_new(&all->weights, count, sizeof *all->weights, err));
    PTS_TRY(pts_new(&all->dataset, count, sizeof *all->dataset, err));
    return pts_new(&all->mates, count, 2 * sizeof *all->mates, err);
}

pts_status pts_extrapolate(const pts_curve_set *set, double upto, pts_forecast method,
                           pts_progress progress, void *user, pts_forecast_score *scores,
                           pts_error *err)
{
    if (!(upto >= 0) || (size_t)method >= PTS_FORECASTS)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "extrapolate: expected a size of at least 0 and a "
                        "method, got %g and %d",
                        upto, (int)method);
    population all = {.set = set};
    pts_status status = allocate(&all, err);
    if (status == PTS_OK)
        status = extrapolate(&all, upto, method, progress, user, scores, err);
    free(all.others);
    free(all.weights);
    free(all.dataset);
    free(all.mates);
    return status;
}
