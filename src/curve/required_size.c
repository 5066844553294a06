/* What a posterior's draws answer: bands, the required size, what to measure next: pts/curve.h. */
#include "pts/curve.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/order.h"
#include "curve/evidence.h"
#include "curve/normal.h"
#include "curve/sigmoid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = PTS_CURVE_DRAWS };

/* Hoare's selection as Wirth wrote it: afterwards values[k] is what sorting would put there, and
 * none behind it is smaller. Sorting the draws at each size was half the time of a posterior. */
static void select_rank(double *values, int k)
{
    for (int low = 0, high = DRAWS - 1; low < high;) {
        const double pivot = values[k];
        int i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (pivot < values[j])
                j--;
            if (i <= j) {
                double t = values[i];
                values[i++] = values[j];
                values[j--] = t;
            }
        }
        low = j < k ? i : low;
        high = k < i ? j : high;
    }
}

/* As pts_quantile, of values in any order, which are partly sorted on the way. */
static double quantile_unsorted(double *values, double p)
{
    int i = (int)(p * (DRAWS - 1));
    select_rank(values, i);
    for (int k = i + 2; k < DRAWS; k++) {
        if (values[k] < values[i + 1]) {
            double t = values[k];
            values[k] = values[i + 1];
            values[i + 1] = t;
        }
    }
    return pts_quantile(values, DRAWS, p);
}

static pts_status check_share(const char *name, double value, pts_error *err)
{
    if (!(value > 0 && value < 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected a number between 0 and 1, got %g",
                        name, value);
    return PTS_OK;
}

/* The draws side by side, for sigmoid_table's exponentials: libm's, one draw at a time, took a
 * quarter of the work of an answer, encoding included. */
typedef struct draw_rows {
    double A[DRAWS], B[DRAWS], log_C[DRAWS], D[DRAWS];
    double noise[DRAWS], scatter[DRAWS];
} draw_rows;

/* The logarithm of C is taken once, not at each size. */
static void set_row(draw_rows *rows, size_t k, const pts_curve_draw *draw)
{
    rows->A[k] = draw->curve.A;
    rows->B[k] = draw->curve.B;
    rows->log_C[k] = log(draw->curve.C);
    rows->D[k] = draw->curve.D;
    rows->noise[k] = draw->noise;
    rows->scatter[k] = draw->scatter;
}

/* at [DRAWS]: pts_curve_at of each draw. */
static void rows_at(const draw_rows *rows, double n, double *at)
{
    const double log_n = log(n);
    for (size_t k = 0; k < DRAWS; k++)
        at[k] = rows->B[k] * (log_n - rows->log_C[k]);
    pts_sigmoid()->exponentials(at, DRAWS);
    for (size_t k = 0; k < DRAWS; k++)
        at[k] = rows->D[k] - (rows->D[k] - rows->A[k]) / (1 + at[k]);
}

/* Quantiles of f over the draws at each n; low and high may be one. */
static pts_status quantiles(const pts_curve_posterior *posterior, double p_low, double p_high,
                            bool measured, const double *n, size_t count, double *low, double *high,
                            pts_error *err)
{
    struct {
        draw_rows rows;
        double values[DRAWS];
    } * m;
    PTS_TRY(pts_new(&m, 1, sizeof *m, err));
    for (size_t k = 0; k < DRAWS; k++)
        set_row(&m->rows, k, &posterior->draws[k]);
    for (size_t i = 0; i < count; i++) {
        const double scatter = measured ? pts_evidence_scatter(n[i]) : 0;
        rows_at(&m->rows, n[i], m->values);
        for (size_t k = 0; k < DRAWS; k++)
            m->values[k] =
                fmin(fmax(m->values[k], 0), 1) + m->rows.noise[k] * scatter * m->rows.scatter[k];
        high[i] = quantile_unsorted(m->values, p_high);
        low[i] = quantile_unsorted(m->values, p_low);
    }
    free(m);
    return PTS_OK;
}

pts_status pts_curve_band(const pts_curve_posterior *posterior, double confidence, bool measured,
                          const double *n, size_t count, double *low, double *high, pts_error *err)
{
    PTS_TRY(check_share("confidence", confidence, err));
    return quantiles(posterior, (1 - confidence) / 2, (1 + confidence) / 2, measured, n, count, low,
                     high, err);
}

pts_status pts_curve_median(const pts_curve_posterior *posterior, const double *n, size_t count,
                            double *median, pts_error *err)
{
    return quantiles(posterior, 0.5, 0.5, false, n, count, median, median, err);
}

/* ---- how many ---- */

/* The interval that the Gaussian at the mode would give. */
static void laplace_interval(const pts_curve_posterior *posterior, double target, double confidence,
                             double *sizes, pts_curve_answer *out)
{
    double lower[16], z[5], theta[4];
    out->laplace_low = out->laplace_high = INFINITY;
    if (pts_cholesky4(posterior->covariance, lower, "posterior", NULL) != PTS_OK)
        return;
    for (size_t k = 0; k < DRAWS; k++) {
        pts_normal_draw(k, z);
        for (int i = 0; i < 4; i++) {
            theta[i] = posterior->mean[i];
            for (int j = 0; j <= i; j++)
                theta[i] += lower[i * 4 + j] * z[j];
        }
        pts_curve curve = pts_curve_of(theta);
        pts_curve_size(&curve, target, &sizes[k]);
    }
    qsort(sizes, DRAWS, sizeof *sizes, pts_compare_doubles);
    out->laplace_low = pts_quantile(sizes, DRAWS, (1 - confidence) / 2);
    out->laplace_high = pts_quantile(sizes, DRAWS, (1 + confidence) / 2);
}

/* Within a factor of √2; one image more keeps 0 apart from what a logarithm makes of it. */
static bool near(double a, double b)
{
    return a == b || (isfinite(a) && isfinite(b) && fabs(log2((a + 1) / (b + 1))) < 0.5);
}

/* Of falling curves the start is the best there is. */
static void plateau(const pts_curve_posterior *posterior, double *values, pts_curve_answer *out)
{
    for (size_t k = 0; k < DRAWS; k++) {
        const pts_curve *c = &posterior->draws[k].curve;
        values[k] = fmin(fmax(fmax(c->A, c->D), 0), 1);
    }
    qsort(values, DRAWS, sizeof *values, pts_compare_doubles);
    out->plateau = pts_quantile(values, DRAWS, 0.5);
    out->plateau_error =
        (pts_quantile(values, DRAWS, 0.8413) - pts_quantile(values, DRAWS, 0.1587)) / 2;
}

pts_status pts_curve_ask(const pts_curve_posterior *posterior, double target, double confidence,
                         pts_curve_answer *out, pts_error *err)
{
    *out = (pts_curve_answer){
        .status = PTS_SIZE_UNREACHABLE, .n = INFINITY, .n_if_reachable = INFINITY};
    PTS_TRY(check_share("target", target, err));
    PTS_TRY(check_share("confidence", confidence, err));
    double *sizes;
    PTS_TRY(pts_new(&sizes, DRAWS, sizeof *sizes, err));
    laplace_interval(posterior, target, confidence, sizes, out);
    plateau(posterior, sizes, out);
    size_t reached = 0;
    for (size_t k = 0; k < DRAWS; k++)
        reached +=
            pts_curve_size(&posterior->draws[k].curve, target, &sizes[k]) != PTS_SIZE_UNREACHABLE;
    qsort(sizes, DRAWS, sizeof *sizes, pts_compare_doubles);
    out->status = pts_curve_size(&posterior->curve, target, &out->n);
    out->n_low = pts_quantile(sizes, DRAWS, (1 - confidence) / 2);
    out->n_median = pts_quantile(sizes, DRAWS, 0.5);
    out->n_high = pts_quantile(sizes, DRAWS, (1 + confidence) / 2);
    out->probability_reachable = (double)reached / DRAWS;
    if (reached > 0) /* the others are at the end */
        out->n_if_reachable = sizes[(reached - 1) / 2];
    out->laplace_agrees =
        near(out->laplace_low, out->n_low) && near(out->laplace_high, out->n_high);
    free(sizes);
    return PTS_OK;
}

/* ---- what to do next ---- */

enum { OUTCOMES = 40, TRUTHS = 200 };
#define MOST_IMAGES 1e6

/* The draws in rising order of the size they ask for, and what measurements say of them. */
typedef struct ranking {
    double size[DRAWS];
    draw_rows rows;
    double at[DRAWS], precision[DRAWS], norm[DRAWS]; /* for one measurement at the size looked at */
    double log_weight[DRAWS];
    double passed[DRAWS]; /* weight up to and with this draw, in units of the largest */
} ranking;

typedef struct sized {
    double size;
    const pts_curve_draw *draw;
} sized;

static int by_size(const void *a, const void *b)
{
    return pts_compare_doubles(&((const sized *)a)->size, &((const sized *)b)->size);
}

/* Rows in rank order, so that a quantile of sizes is a search in running sums. */
static void fill_ranking(ranking *r, const sized *all)
{
    for (size_t k = 0; k < DRAWS; k++) {
        r->size[k] = all[k].size;
        set_row(&r->rows, k, all[k].draw);
        r->norm[k] = PTS_EVIDENCE_ALPHA * log(all[k].draw->noise);
    }
}

static pts_status rank_draws(const pts_curve_posterior *posterior, double target, ranking **out,
                             pts_error *err)
{
    sized *all;
    PTS_TRY(pts_new(&all, DRAWS, sizeof *all, err));
    for (size_t k = 0; k < DRAWS; k++) {
        all[k].draw = &posterior->draws[k];
        pts_curve_size(&all[k].draw->curve, target, &all[k].size);
    }
    qsort(all, DRAWS, sizeof *all, by_size);
    pts_status status = pts_new(out, 1, sizeof **out, err);
    if (status == PTS_OK)
        fill_ranking(*out, all);
    free(all);
    return status;
}

/* What the draws say of a measurement with n images, ready to be weighed against many outcomes. */
static void look_at(ranking *r, double n)
{
    const double scatter = pts_evidence_scatter(n);
    rows_at(&r->rows, n, r->at);
    for (size_t k = 0; k < DRAWS; k++) {
        double sd = r->rows.noise[k] * scatter;
        r->precision[k] = PTS_EVIDENCE_ALPHA / 2 / (sd * sd);
    }
}

/* Nothing measured: all draws alike. */
static void forget(ranking *r)
{
    for (size_t k = 0; k < DRAWS; k++) {
        r->log_weight[k] = 0;
        r->passed[k] = (double)(k + 1);
    }
}

/* Adds what a measurement y at the size looked at says; a point counts as in the posterior. */
static void reweigh(ranking *r, double y)
{
    double most = -INFINITY, sum = 0;
    for (size_t k = 0; k < DRAWS; k++) {
        double miss = r->at[k] - y;
        r->log_weight[k] -= miss * miss * r->precision[k] + r->norm[k];
        most = r->log_weight[k] > most ? r->log_weight[k] : most;
    }
    for (size_t k = 0; k < DRAWS; k++)
        r->passed[k] = r->log_weight[k] - most;
    pts_sigmoid()->exponentials(r->passed, DRAWS);
    for (size_t k = 0; k < DRAWS; k++)
        r->passed[k] = sum += r->passed[k];
}

/* As the draws are in the order of their sizes: bisection, as this is asked 16,000 times. */
static double weighted_size(const ranking *r, double p)
{
    const double share = p * r->passed[DRAWS - 1];
    size_t low = 0, high = DRAWS - 1; /* the first whose sum is at least the share */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->passed[middle] >= share)
            high = middle;
        else
            low = middle + 1;
    }
    return r->size[low];
}

/* In factors of two; sizes are cut to what anyone collects, or out of reach had no width. */
static double width(const ranking *r, double confidence)
{
    double low = weighted_size(r, (1 - confidence) / 2),
           high = weighted_size(r, (1 + confidence) / 2);
    return log2(fmin(fmax(high, 1), MOST_IMAGES) / fmin(fmax(low, 1), MOST_IMAGES));
}

/* The measurement that this draw foretells, its own noise included. */
static double outcome(const pts_curve_draw *truth, double n)
{
    double y = fmin(fmax(pts_curve_at(&truth->curve, n), 0), 1);
    return y + truth->noise * pts_evidence_scatter(n) * truth->scatter;
}

pts_status pts_curve_next(const pts_curve_posterior *posterior, double target, double confidence,
                          const double *n, size_t count, double *expected, double *now,
                          pts_error *err)
{
    ranking *r;
    PTS_TRY(check_share("target", target, err));
    PTS_TRY(check_share("confidence", confidence, err));
    PTS_TRY(rank_draws(posterior, target, &r, err));
    forget(r);
    *now = width(r, confidence);
    for (size_t i = 0; i < count; i++) {
        expected[i] = 0;
        look_at(r, n[i]);
        for (size_t k = 0; k < OUTCOMES; k++) {
            forget(r);
            reweigh(r, outcome(&posterior->draws[k * DRAWS / OUTCOMES], n[i]));
            expected[i] += width(r, confidence) / OUTCOMES;
        }
    }
    free(r);
    return PTS_OK;
}

/* One course of events with `truth` as the curve. */
static void simulate(ranking *wanted, const pts_curve_draw *truth, double target, size_t rounds,
                     double owned, pts_curve_plan *sum)
{
    double n = owned;
    forget(wanted);
    for (size_t round = 0; round < rounds; round++) {
        double next = fmax(ceil(weighted_size(wanted, 0.5)), 1);
        if (!(next <= MOST_IMAGES))
            break; /* most of what is possible never gets there */
        /* a forecast below what is already there has been refuted: go on by a quarter; one far
         * above it rests on too little: a round at most quadruples what is there */
        n = n > 0 ? fmin(fmax(next, ceil(n * 1.25)), 4 * n) : next;
        sum->rounds++;
        if (pts_curve_at(&truth->curve, n) >= target) {
            sum->probability++;
            break;
        }
        look_at(wanted, n);
        reweigh(wanted, outcome(truth, n));
    }
    sum->images += n;
}

pts_status pts_curve_plan_rounds(const pts_curve_posterior *posterior, double target, double tau,
                                 size_t rounds, double owned, pts_curve_plan *out, pts_error *err)
{
    ranking *wanted;
    *out = (pts_curve_plan){.first = INFINITY};
    PTS_TRY(check_share("target", target, err));
    PTS_TRY(check_share("target + tau", target + tau, err));
    if (!(tau >= 0) || rounds < 1 || rounds > 20 || !(owned >= 0))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "plan: expected tau of at least 0, 1 … 20 rounds and a number of images, "
                        "got %g, %zu and %g",
                        tau, rounds, owned);
    PTS_TRY(rank_draws(posterior, target + tau, &wanted, err));
    forget(wanted);
    double first = fmax(ceil(weighted_size(wanted, 0.5)), 1);
    for (size_t k = 0; k < TRUTHS; k++)
        simulate(wanted, &posterior->draws[k * DRAWS / TRUTHS], target, rounds, owned, out);
    out->first = first <= MOST_IMAGES ? fmax(first, owned) : INFINITY;
    out->probability /= TRUTHS;
    out->images /= TRUTHS;
    out->rounds /= TRUTHS;
    free(wanted);
    return PTS_OK;
}
