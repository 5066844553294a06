/* Variable projection (Golub & Pereyra 1973): with u and v solved in closed form only p and q
 * remain, and two can be scanned.
 *
 * Why a grid: the sum of squares of a sigmoid has a local minimum near every jump of the data, and
 * a search from one guessed start ends in whichever is next. The grid's best are followed a few
 * steps, then each to its end or until it cannot beat the best found.
 *
 * The steps are Newton's where the projected sum of squares is convex, for the logistic, whose
 * second derivatives cost nothing beside its exponential; else Gauss–Newton's in the form of
 * Kaufman (1975); both within a radius that shrinks where they fail. */
#include "curve/search.h"
#include "curve/qr.h"

#include <math.h>
#include <string.h>

/* b times the distance to the next size, for a step between two. */
#define SATURATED 5

enum { MOST_STARTS = 4, SCOUT_STEPS = 2, SEARCH_STEPS = 100 };

/* ---- projection ---- */

static double mean_of(const separable_points *d, const double *v)
{
    return pts_qr_dot(d->w, v, d->count) / d->total;
}

static void shift(double *v, size_t count, double by)
{
    for (size_t i = 0; i < count; i++)
        v[i] -= by;
}

/* Σ w a b in four strands, as pts_qr_dot. */
static double sum3(const double *w, const double *a, const double *b, size_t count)
{
    double strand[4] = {0, 0, 0, 0};
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        for (size_t k = 0; k < 4; k++)
            strand[k] += w[i + k] * a[i + k] * b[i + k];
    }
    for (; i < count; i++)
        strand[0] += w[i] * a[i] * b[i];
    return (strand[0] + strand[1]) + (strand[2] + strand[3]);
}

static sigmoid_points sigmoid_of(const separable_points *d)
{
    return (sigmoid_points){d->log_n, d->y, d->w, d->padded};
}

/* By the vectorised table: half of a fit goes into these exponentials. */
static void fill_logistic(separable_points *d, double p, double q)
{
    const sigmoid_points points = sigmoid_of(d);
    double b = exp(p);
    d->sigmoid->fill(&points, b, q, &(sigmoid_values){d->row, d->s, d->by_q});
    for (size_t i = 0; i < d->padded; i++) {
        d->by_p[i] = d->row[i] * d->by_q[i];
        d->by_q[i] *= -b;
    }
}

void pts_separable_shape(separable_points *d, double p, double q)
{
    if (d->filled && d->filled_p == p && d->filled_q == q)
        return;
    if (d->family->logistic)
        fill_logistic(d, p, q);
    else
        d->family->basis(&d->sizes, p, q, d->s, d->by_p, d->by_q);
    d->filled = true;
    d->filled_p = p;
    d->filled_q = q;
}

/* Below this s is a constant and its spread rounding: the regression would be a huge v. */
static double regress(double sy, double ss, double size)
{
    return ss > 1e-24 * size ? sy / ss : 0;
}

double pts_separable_project(separable_points *d, double *slope, double *centre)
{
    double size = sum3(d->w, d->s, d->s, d->count);
    *centre = d->family->anchored ? 0 : mean_of(d, d->s);
    shift(d->s, d->count, *centre);
    d->filled = false;
    double ss = sum3(d->w, d->s, d->s, d->count), sy = sum3(d->w, d->s, d->y, d->count);
    *slope = regress(sy, ss, size);
    return d->yy - *slope * sy;
}

/* The projected ½ Σ w r² doubled, its gradient and Hessian (pp, pq, qq) at (p, q). */
typedef struct projected {
    double p, q, sse, g[2], h[3];
    bool exact; /* h is the Hessian, not Gauss–Newton's */
} projected;

/* Of any family: Kaufman's Hessian. */
static projected evaluate_any(separable_points *d, double p, double q)
{
    projected out = {.p = p, .q = q};
    const size_t count = d->count, shapes = d->family->shapes < 2 ? (size_t)d->family->shapes : 2;
    double *const by[2] = {d->by_p, d->by_q}, *residual = d->row, slope, centre;
    pts_separable_shape(d, p, q);
    pts_separable_project(d, &slope, &centre);
    double ss = sum3(d->w, d->s, d->s, count), beta[2] = {0, 0};
    for (size_t i = 0; i < count; i++)
        residual[i] = slope * d->s[i] - d->y[i];
    out.sse = sum3(d->w, residual, residual, count);
    for (size_t k = 0; k < shapes; k++) {
        if (!d->family->anchored)
            shift(by[k], count, mean_of(d, by[k]));
        beta[k] = ss > 0 ? sum3(d->w, by[k], d->s, count) / ss : 0;
        out.g[k] = slope * sum3(d->w, by[k], residual, count);
    }
    for (size_t a = 0; a < shapes; a++) {
        for (size_t b = a; b < shapes; b++)
            out.h[a + b] =
                slope * slope * (sum3(d->w, by[a], by[b], count) - beta[a] * beta[b] * ss);
    }
    return out;
}

/* The Hessian over (p, q) left when u and v are eliminated from that over all four (its Schur
 * complement): cu, cv are the mixed derivatives of p and q with u and v. */
static void eliminate(double h[3], const double cu[2], const double cv[2], double total, double tt)
{
    double u = 1 / total, v = 1 / tt;
    h[0] -= u * cu[0] * cu[0] + v * cv[0] * cv[0];
    h[1] -= u * cu[0] * cu[1] + v * cv[0] * cv[1];
    h[2] -= u * cu[1] * cu[1] + v * cv[1] * cv[1];
}

/* By a margin: at a saddle's edge rounding would decide. */
static bool convex(const double h[3])
{
    return h[0] > 0 && h[2] > 0 && h[0] * h[2] - h[1] * h[1] > 1e-12 * h[0] * h[2];
}

/* Of the logistic: with s' = g, h = g·z and k = s'', ∂s/∂p = h, ∂s/∂q = −b·g, ∂²s/∂p² = k·z² + h,
 * ∂²s/∂p∂q = −b·(k·z + g), ∂²s/∂q² = b²·k. */
static projected evaluate_logistic(separable_points *d, double p, double q)
{
    projected out = {.p = p, .q = q};
    const sigmoid_points points = sigmoid_of(d);
    const sigmoid_values at = {d->row, d->s, d->by_q};
    d->filled = false;
    sigmoid_sums m;
    sigmoid_residuals r;
    double b = exp(p), centre = d->sigmoid->fill(&points, b, q, &at) / d->total;
    d->sigmoid->sums(&points, &at, centre, &m);
    double v = regress(m.ty, m.tt, m.tt + d->total * centre * centre);
    d->sigmoid->residuals(&points, &at, centre, v, &r);
    out.sse = r.r;
    if (v == 0)
        return out;
    out.g[0] = v * r.h;
    out.g[1] = -b * v * r.g;
    const double cu[2] = {v * m.h, -b * v * m.g};
    const double full[3] = {v * v * m.hh, -b * v * v * m.gh, b * b * v * v * m.gg};
    const double bent[3] = {v * (r.kzz + r.h), -b * v * (r.kz + r.g), b * b * v * r.k};
    for (size_t k = 0; k < 3; k++)
        out.h[k] = full[k] + bent[k];
    eliminate(out.h, cu, (double[2]){r.h + v * m.th, -b * (r.g + v * m.tg)}, d->total, m.tt);
    out.exact = convex(out.h);
    if (!out.exact) {
        memcpy(out.h, full, sizeof full);
        eliminate(out.h, cu, (double[2]){v * m.th, -b * v * m.tg}, d->total, m.tt);
    }
    return out;
}

static projected evaluate(separable_points *d, double p, double q)
{
    return d->family->logistic ? evaluate_logistic(d, p, q) : evaluate_any(d, p, q);
}

/* ---- the grid ---- */

typedef struct start {
    double sse, p, q;
} start;

/* Keeps the lowest MOST_STARTS, in rising order. */
static void keep(start *starts, size_t *count, start candidate)
{
    size_t at = *count;
    while (at > 0 && starts[at - 1].sse > candidate.sse)
        at--;
    if (at == MOST_STARTS)
        return;
    if (*count < MOST_STARTS)
        (*count)++;
    memmove(starts + at + 1, starts + at, (*count - at - 1) * sizeof *starts);
    starts[at] = candidate;
}

/* (C/n)^B = e^(b·(q − middle))·e^(b·(middle − ln n)): a row has one B, so that its nodes share the
 * second factors. */
static void scan_logistic(separable_points *d, double b, double *q, size_t nodes, double *sse)
{
    const sigmoid_points points = sigmoid_of(d);
    double middle = (d->span.low + d->span.high) / 2, factor[SEPARABLE_NODES];
    for (size_t i = 0; i < d->padded; i++)
        d->row[i] = b * (middle - d->log_n[i]);
    for (size_t j = 0; j < SEPARABLE_NODES; j++) /* 0 past the last: nodes go in pairs */
        factor[j] = j < nodes ? b * (q[j] - middle) : 0;
    d->sigmoid->exponentials(d->row, d->padded);
    d->sigmoid->exponentials(factor, SEPARABLE_NODES);
    for (size_t j = 0; j < nodes; j += 2)
        d->sigmoid->nodes(&points, d->row, factor + j, d->yy, d->total, sse + j);
}

/* At a node only the value is wanted, no derivative. */
static double node_sse(separable_points *d, double p, double q)
{
    double slope, centre;
    d->family->basis(&d->sizes, p, q, d->s, NULL, NULL);
    d->filled = false;
    return pts_separable_project(d, &slope, &centre);
}

/* Local minima along q in each row of p are starts. */
static void scan_row(separable_points *d, double p, start *starts, size_t *count)
{
    double q[SEPARABLE_NODES] = {0}, sse[SEPARABLE_NODES];
    size_t nodes = d->family->nodes ? d->family->nodes(d->span, p, q) : 1;
    if (d->family->logistic) {
        scan_logistic(d, exp(p), q, nodes, sse);
    } else {
        for (size_t j = 0; j < nodes; j++)
            sse[j] = node_sse(d, p, q[j]);
    }
    for (size_t j = 0; j < nodes; j++) {
        if ((j == 0 || sse[j] < sse[j - 1]) && (j + 1 == nodes || sse[j] <= sse[j + 1]))
            keep(starts, count, (start){sse[j], p, q[j]});
    }
}

/* Curves steeper than the grid's last row are steps: between two sizes, or with one size on the
 * slope, which is then met exactly if it lies between the means of the others. Both are told by
 * running sums. */
typedef struct split {
    double below, above, sum_below, sum_above; /* Σw and Σ w y of the sizes left and right */
} split;

/* Of two levels, each the mean on its side. */
static double step_sse(const separable_points *d, const split *at)
{
    return d->yy - at->sum_below * at->sum_below / at->below -
           at->sum_above * at->sum_above / at->above;
}

/* The start between sizes i − 1 and i. */
static start between(const separable_points *d, double sse, size_t i)
{
    double gap = d->log_n[i] - d->log_n[i - 1];
    return (start){sse, log(SATURATED / gap), d->log_n[i] - gap / 2};
}

/* The start with size i on the slope, `share` of the way up. */
static start through(const separable_points *d, double sse, size_t i, double share)
{
    double gap = fmin(d->log_n[i] - d->log_n[i - 1], d->log_n[i + 1] - d->log_n[i]);
    double b = SATURATED / gap;
    return (start){sse, log(b), d->log_n[i] - log(share / (1 - share)) / b};
}

/* How far size i, left out of `at`, lies on the way from the mean below to that above. */
static double share_of(const split *at, double y)
{
    double low = at->sum_below / at->below, high = at->sum_above / at->above;
    return (y - low) / (high - low);
}

/* The best split of each kind, in one pass. */
static void scan_steps(const separable_points *d, start *starts, size_t *count)
{
    double least[2] = {d->yy, d->yy}, share = 0;
    size_t place[2] = {0, 0}, last = d->count - 1;
    split at = {d->w[0], d->total - d->w[0], d->w[0] * d->y[0], -d->w[0] * d->y[0]};
    for (size_t i = 1; i <= last; i++) {
        double w = d->w[i], wy = w * d->y[i], sse = step_sse(d, &at);
        if (sse < least[0]) {
            least[0] = sse;
            place[0] = i;
        }
        at.above -= w;
        at.sum_above -= wy;
        sse = i < last ? step_sse(d, &at) - wy * d->y[i] : INFINITY;
        double way = sse < least[1] ? share_of(&at, d->y[i]) : 0;
        if (way > 0 && way < 1) {
            least[1] = sse;
            place[1] = i;
            share = way;
        }
        at.below += w;
        at.sum_below += wy;
    }
    if (place[0])
        keep(starts, count, between(d, least[0], place[0]));
    if (place[1])
        keep(starts, count, through(d, least[1], place[1], share));
}

/* ---- the descent ---- */

typedef struct descent {
    projected here;
    double radius; /* of the next step; at 1 a shape becomes another */
} descent;

/* A step in p is as far as one of twice the size in q. */
static double length_of(const double step[2])
{
    return fmax(fabs(step[0]), fabs(step[1]) / 2);
}

/* Newton's step, shortened to the radius. A hint of damping keeps a valley's Hessian regular. */
static void step_of(const descent *at, int shapes, double step[2])
{
    const double *g = at->here.g, *h = at->here.h;
    double a = h[0] * (1 + 1e-6) + 1e-300, c = h[2] * (1 + 1e-6) + 1e-300;
    double det = a * c - h[1] * h[1];
    step[0] = shapes < 2 ? -g[0] / a : (h[1] * g[1] - c * g[0]) / det;
    step[1] = shapes < 2 ? 0 : (h[1] * g[0] - a * g[1]) / det;
    double length = length_of(step);
    if (length > at->radius) {
        step[0] *= at->radius / length;
        step[1] *= at->radius / length;
    }
}

/* Two descents this near one another end in one minimum. */
static bool near(const projected *a, const projected *b)
{
    return fabs(a->p - b->p) < 0.05 && fabs(a->q - b->q) < 0.05;
}

/* No more to come: the last step of Newton's iteration needs no check. */
static bool arrived(descent *at, const double step[2], double predicted)
{
    if (!at->here.exact || !(predicted < 1e-14 * at->here.sse))
        return false;
    if (length_of(step) < 1e-3) { /* farther the parabola is not trusted: a flat valley */
        at->here.p += step[0];
        at->here.q += step[1];
    }
    return true;
}

/* A step's model foretells what it gains, within a factor. */
static bool hopeless(const descent *at, double predicted, const projected *rival)
{
    return near(&at->here, rival) || at->here.sse - 3 * predicted > rival->sse;
}

/* At most `steps` steps; given up where `rival` is reached or out of reach at this pace. */
static void descend(separable_points *d, descent *at, int steps, const projected *rival)
{
    for (int k = 0; k < steps; k++) {
        double step[2];
        step_of(at, d->family->shapes, step);
        double length = length_of(step);
        double predicted = -(at->here.g[0] * step[0] + at->here.g[1] * step[1]);
        if (arrived(at, step, predicted) || hopeless(at, predicted, rival))
            return;
        projected there = evaluate(d, at->here.p + step[0], at->here.q + step[1]);
        double gain = at->here.sse - there.sse;
        if (!(gain > 0)) {
            at->radius = length / 4;
            if (!(length > 1e-9))
                return;
            continue;
        }
        at->here = there;
        at->radius = gain > predicted / 4 ? fmin(fmax(at->radius, 2 * length), 1) : length / 2;
        if ((!there.exact && gain < 1e-13 * there.sse) || 20 * gain < there.sse - rival->sse)
            return;
    }
}

/* All starts a few steps, into `out` without those that meet; returns how many. */
static size_t scout(separable_points *d, const start *starts, size_t count, descent *out)
{
    const projected nobody = {.p = INFINITY, .sse = INFINITY};
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        descent at = {evaluate(d, starts[i].p, starts[i].q), 1};
        descend(d, &at, SCOUT_STEPS, &nobody);
        bool seen = !isfinite(at.here.sse);
        for (size_t k = 0; k < kept; k++)
            seen = seen || near(&out[k].here, &at.here);
        if (!seen)
            out[kept++] = at;
    }
    return kept;
}

/* The lowest goes next: the better the best found, the sooner others are hopeless. */
static void swap_lowest(descent *at, size_t from, size_t count)
{
    for (size_t k = from + 1; k < count; k++) {
        if (at[k].here.sse < at[from].here.sse) {
            descent t = at[from];
            at[from] = at[k];
            at[k] = t;
        }
    }
}

void pts_separable_search(separable_points *d, double *p, double *q)
{
    start starts[MOST_STARTS];
    descent at[MOST_STARTS];
    size_t found = 0;
    for (size_t i = 0; i < d->family->p_count; i++)
        scan_row(d, d->family->p[i], starts, &found);
    if (d->family->logistic)
        scan_steps(d, starts, &found);
    size_t kept = scout(d, starts, found, at);
    projected best = {.p = INFINITY, .sse = INFINITY};
    for (size_t i = 0; i < kept; i++) {
        swap_lowest(at, i, kept);
        descend(d, &at[i], SEARCH_STEPS, &best);
        if (at[i].here.sse < best.sse)
            best = at[i].here;
    }
    *p = best.p;
    *q = best.q;
}
