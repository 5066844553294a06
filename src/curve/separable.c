/* Variable projection (Golub & Pereyra 1973) on a grid, then Levenberg–Marquardt in all parameters.
 *
 * Why a grid: the sum of squares of a sigmoid has a local minimum near every jump of the data, and
 * a search from one guessed start ends in whichever is next. With u and v solved in closed form
 * only two parameters remain, and two can be scanned.
 *
 * Why two searches: what the grid finds is followed by damped Gauss–Newton steps in (p, q) alone
 * (Kaufman 1975's Jacobian of the projected residuals), 1 µs each; the best is then finished in all
 * parameters by pts/lm.h, which knows when it has arrived, and the covariance. */
#include "curve/separable.h"
#include "curve/qr.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STARTS = 4, SCOUT_STEPS = 2, SEARCH_STEPS = 40, FINISH_EVALUATIONS = 400 };

typedef struct start {
    double sse, p, q;
} start;

/* Points, and room for one evaluation of the basis. Weights are always there. */
typedef struct points {
    const separable *family;
    const separable_data *data;
    size_t count;
    double *log_n, *y, *w;     /* [count] y without its mean (without 1 when anchored) */
    double *s, *d0, *d1, *row; /* [count] */
    double total, origin, yy;  /* Σw; what y was moved by; Σ w y² */
    separable_span span;
    separable_sizes sizes;
} points;

static double mean_of(const points *d, const double *v)
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

/* The least Σ w (u + v·s − y)² over u and v, for d->s; v goes to *slope. Leaves s centred. */
static double project(points *d, double *slope, double *centre)
{
    double size = sum3(d->w, d->s, d->s, d->count);
    *centre = d->family->anchored ? 0 : mean_of(d, d->s);
    shift(d->s, d->count, *centre);
    double ss = sum3(d->w, d->s, d->s, d->count), sy = sum3(d->w, d->s, d->y, d->count);
    /* below this s is a constant and its spread rounding: the regression would be a huge v */
    *slope = ss > 1e-24 * size ? sy / ss : 0;
    return d->yy - *slope * sy;
}

static void fill_basis(points *d, double p, double q, bool derivatives)
{
    d->family->basis(&d->sizes, p, q, d->s, derivatives ? d->d0 : NULL, d->d1);
}

/* ---- the grid ---- */

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

/* (C/n)^B in the row of one B, up to the factor that q brings. Clamped, so that no product with
 * that factor is 0·∞. */
static void fill_row(points *d, double p)
{
    double b = exp(p), middle = (d->span.low + d->span.high) / 2;
    for (size_t i = 0; i < d->count; i++)
        d->row[i] = exp(fmin(fmax(b * (middle - d->log_n[i]), -300), 300));
}

/* project() by raw moments: a node needs a rank among nodes, not digits. */
static double node_sse(points *d, double p, double q)
{
    if (d->family->logistic) {
        double middle = (d->span.low + d->span.high) / 2;
        double factor = exp(fmin(fmax(exp(p) * (q - middle), -300), 300));
        for (size_t i = 0; i < d->count; i++)
            d->s[i] = 1 / (1 + factor * d->row[i]);
    } else {
        fill_basis(d, p, q, false);
    }
    double ss = sum3(d->w, d->s, d->s, d->count), sy = sum3(d->w, d->s, d->y, d->count);
    double mean = d->family->anchored ? 0 : mean_of(d, d->s), spread = ss - mean * mean * d->total;
    return spread > 1e-12 * ss ? d->yy - sy * sy / spread : d->yy;
}

/* Local minima along q in each row of p are starts. */
static void scan_row(points *d, double p, start *starts, size_t *count)
{
    double q[SEPARABLE_NODES] = {0}, sse[SEPARABLE_NODES];
    size_t nodes = d->family->nodes ? d->family->nodes(d->span, p, q) : 1;
    if (d->family->logistic)
        fill_row(d, p);
    for (size_t j = 0; j < nodes; j++)
        sse[j] = node_sse(d, p, q[j]);
    for (size_t j = 0; j < nodes; j++) {
        if ((j == 0 || sse[j] < sse[j - 1]) && (j + 1 == nodes || sse[j] <= sse[j + 1]))
            keep(starts, count, (start){sse[j], p, q[j]});
    }
}

typedef struct ordered {
    double log_n, w, y;
} ordered;

static int by_size(const void *a, const void *b)
{
    double x = ((const ordered *)a)->log_n, y = ((const ordered *)b)->log_n;
    return (x > y) - (x < y);
}

/* A curve steeper than the grid's last row is a step between two sizes. The best step is told by
 * running sums; sizes may come in any order, so they are sorted if they must. */
static void scan_steps(points *d, ordered *sorted, start *starts, size_t *count)
{
    bool rising = true;
    for (size_t i = 0; i < d->count; i++) {
        sorted[i] = (ordered){d->log_n[i], d->w[i], d->y[i]};
        rising = rising && (i == 0 || sorted[i - 1].log_n <= sorted[i].log_n);
    }
    if (!rising)
        qsort(sorted, d->count, sizeof *sorted, by_size);
    double below = 0, sum = 0, best = d->yy, place = 0;
    for (size_t i = 0; i + 1 < d->count; i++) {
        below += sorted[i].w;
        sum += sorted[i].w * sorted[i].y;
        double above = d->total - below;
        if (sorted[i].log_n == sorted[i + 1].log_n || !(below > 0) || !(above > 0))
            continue;
        double sse = d->yy - sum * sum / below - sum * sum / above;
        if (sse < best) {
            best = sse;
            place = (sorted[i].log_n + sorted[i + 1].log_n) / 2;
        }
    }
    if (best < d->yy)
        keep(starts, count, (start){best, 3.5, place});
}

/* ---- the search in (p, q) ---- */

typedef struct projected {
    double sse, slope, centre, g[2], h[3]; /* gradient; Hessian pp, pq, qq */
} projected;

static projected evaluate(points *d, double p, double q)
{
    projected out = {0};
    size_t count = d->count, shapes = (size_t)d->family->shapes;
    double *const by[2] = {d->d0, d->d1}, *residual = d->row;
    fill_basis(d, p, q, true);
    project(d, &out.slope, &out.centre);
    double ss = sum3(d->w, d->s, d->s, count), beta[2] = {0, 0};
    for (size_t i = 0; i < count; i++)
        residual[i] = out.slope * d->s[i] - d->y[i];
    out.sse = sum3(d->w, residual, residual, count);
    for (size_t k = 0; k < shapes; k++) {
        if (!d->family->anchored)
            shift(by[k], count, mean_of(d, by[k]));
        beta[k] = ss > 0 ? sum3(d->w, by[k], d->s, count) / ss : 0;
        out.g[k] = out.slope * sum3(d->w, by[k], residual, count);
    }
    for (size_t k = 0; k < shapes * (shapes + 1) / 2; k++) {
        size_t a = k / 2, b = (k + 1) / 2;
        out.h[k] =
            out.slope * out.slope * (sum3(d->w, by[a], by[b], count) - beta[a] * beta[b] * ss);
    }
    return out;
}

/* At most `steps` damped Gauss–Newton steps from *at; given up where `rival` is out of reach at
 * this pace. Steps are cut to what a family's shape can change without becoming another. */
static void search(points *d, start *at, int steps, double rival)
{
    projected here = evaluate(d, at->p, at->q);
    double damping = 1e-3;
    at->sse = here.sse;
    for (int k = 0; k < steps && damping < 1e8; k++) {
        double a = here.h[0] * (1 + damping) + 1e-300, c = here.h[2] * (1 + damping) + 1e-300;
        double det = a * c - here.h[1] * here.h[1];
        double dp = (here.h[1] * here.g[1] - c * here.g[0]) / det;
        double dq = (here.h[1] * here.g[0] - a * here.g[1]) / det;
        if (d->family->shapes < 2) {
            dp = -here.g[0] / a;
            dq = 0;
        }
        dp = fmin(fmax(dp, -1), 1);
        dq = fmin(fmax(dq, -2), 2);
        projected there = evaluate(d, at->p + dp, at->q + dq);
        if (!(there.sse < here.sse)) {
            if (!(fabs(dp) + fabs(dq) > 1e-9))
                return;
            damping *= 10;
            continue;
        }
        double gain = here.sse - there.sse;
        *at = (start){there.sse, at->p + dp, at->q + dq};
        here = there;
        damping *= 0.1;
        if (gain < 1e-9 * here.sse || 20 * gain < here.sse - rival)
            return;
    }
}

static bool near(const start *a, const start *b)
{
    return fabs(a->p - b->p) < 0.05 && fabs(a->q - b->q) < 0.05;
}

/* All starts a few steps, the best two to the end. */
static start best_start(points *d, start *starts, size_t count)
{
    start best = {INFINITY, 0, 0}, scouted[MOST_STARTS];
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        search(d, &starts[i], SCOUT_STEPS, INFINITY);
        bool seen = !isfinite(starts[i].sse);
        for (size_t k = 0; k < kept; k++)
            seen = seen || near(&scouted[k], &starts[i]);
        if (!seen)
            keep(scouted, &kept, starts[i]);
    }
    for (size_t i = 0; i < kept && i < 2; i++) {
        if (i > 0 && near(&best, &scouted[i]))
            continue;
        search(d, &scouted[i], SEARCH_STEPS, best.sse);
        if (scouted[i].sse < best.sse)
            best = scouted[i];
    }
    return best;
}

/* ---- all parameters ---- */

/* x: u (unless anchored), v, p, q. */
static const double *unpack(const points *d, const double *x, double full[4])
{
    size_t at = 0;
    full[0] = d->family->anchored ? 1 : x[at++];
    full[1] = x[at++];
    full[2] = d->family->shapes > 0 ? x[at++] : 0;
    full[3] = d->family->shapes > 1 ? x[at++] : 0;
    return full;
}

static int residuals(void *user, const double *x, double *r)
{
    const points *d = user;
    double full[4];
    unpack(d, x, full);
    d->family->basis(&d->sizes, full[2], full[3], r, NULL, NULL);
    for (size_t i = 0; i < d->count; i++)
        r[i] = full[0] - d->data->y[i] + full[1] * r[i];
    return 0;
}

static int jacobian(void *user, const double *x, double *rows)
{
    const points *d = user;
    double full[4], *const by[2] = {d->d0, d->d1};
    unpack(d, x, full);
    d->family->basis(&d->sizes, full[2], full[3], d->s, d->d0, d->d1);
    for (size_t i = 0; i < d->count; i++) {
        if (!d->family->anchored)
            *rows++ = 1;
        *rows++ = d->s[i];
        for (int k = 0; k < d->family->shapes; k++)
            *rows++ = full[1] * by[k][i];
    }
    return 0;
}

/* Into rows and columns u, v, p, q. */
static void spread_covariance(const points *d, const double *packed, size_t free, double *out)
{
    size_t from = d->family->anchored;
    memset(out, 0, 16 * sizeof *out);
    for (size_t i = 0; i < free; i++) {
        for (size_t j = 0; j < free; j++)
            out[(from + i) * 4 + from + j] = packed[i * free + j];
    }
}

static pts_status finish(points *d, const start *from, separable_fit *out, pts_error *err)
{
    pts_lm *lm;
    double slope, centre, x[4], packed[16];
    out->free = 2 - (size_t)d->family->anchored + (size_t)d->family->shapes;
    fill_basis(d, from->p, from->q, false);
    project(d, &slope, &centre);
    size_t at = 0;
    if (!d->family->anchored)
        x[at++] = d->origin - slope * centre;
    x[at++] = slope;
    x[at++] = from->p; /* past `free` where the family lacks it */
    if (at < 4)
        x[at] = from->q;
    pts_lm_problem problem = {
        .residuals = residuals, .jacobian = jacobian, .user = d, .weights = d->data->weights};
    pts_lm_settings settings = pts_lm_defaults();
    settings.ftol = 1e-18; /* nine digits of the parameters */
    settings.max_evaluations = FINISH_EVALUATIONS;
    PTS_TRY(pts_lm_create(&lm, d->count, out->free, err));
    pts_status status = pts_lm_solve(lm, &problem, &settings, x, &out->lm, err);
    if (status == PTS_OK) {
        pts_lm_covariance(lm, packed);
        spread_covariance(d, packed, out->free, out->covariance);
        unpack(d, x, out->x);
    }
    pts_lm_destroy(lm);
    if (status == PTS_OK && !isfinite(out->lm.sse))
        return pts_fail(err, PTS_ERR_NUMERIC, "curve: no finite fit of %zu points", d->count);
    return status;
}

static void summarise(points *d)
{
    const separable_data *data = d->data;
    d->span = (separable_span){INFINITY, -INFINITY};
    for (size_t i = 0; i < d->count; i++) {
        d->log_n[i] = log(data->n[i]);
        d->w[i] = data->weights ? data->weights[i] : 1;
        d->y[i] = data->y[i];
        d->total += d->w[i];
        d->span.low = fmin(d->span.low, d->log_n[i]);
        d->span.high = fmax(d->span.high, d->log_n[i]);
    }
    d->sizes = (separable_sizes){data->n, d->log_n, d->count};
    d->origin = d->family->anchored ? 1 : mean_of(d, d->y);
    shift(d->y, d->count, d->origin);
    d->yy = sum3(d->w, d->y, d->y, d->count);
}

static pts_status fit(points *d, ordered *sorted, separable_fit *out, pts_error *err)
{
    const separable *f = d->family;
    start starts[MOST_STARTS], best = {0};
    size_t found = 0;
    summarise(d);
    for (size_t i = 0; i < f->p_count; i++)
        scan_row(d, f->p[i], starts, &found);
    if (f->logistic)
        scan_steps(d, sorted, starts, &found);
    if (f->shapes > 0)
        best = best_start(d, starts, found);
    return finish(d, &best, out, err);
}

pts_status pts_separable_fit(const separable *family, const separable_data *data,
                             separable_fit *out, pts_error *err)
{
    points d = {.family = family, .data = data, .count = data->count};
    double **const vectors[] = {&d.log_n, &d.y, &d.w, &d.s, &d.d0, &d.d1, &d.row};
    enum { VECTORS = sizeof vectors / sizeof *vectors };
    size_t bytes = VECTORS * sizeof(double) + sizeof(ordered);
    *out = (separable_fit){.lm = {.sse = INFINITY}};
    double *block = pts_calloc64(data->count, bytes);
    if (!block)
        return pts_fail_memory(err, data->count * bytes);
    for (size_t i = 0; i < VECTORS; i++)
        *vectors[i] = block + i * data->count;
    pts_status status = fit(&d, (ordered *)(block + VECTORS * data->count), out, err);
    free(block);
    return status;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

size_t pts_distinct_sizes(const double *n, size_t count, double *out)
{
    bool rising = true;
    for (size_t i = 0; i < count; i++) {
        out[i] = n[i];
        rising = rising && (i == 0 || n[i - 1] <= n[i]);
    }
    if (!rising)
        qsort(out, count, sizeof *out, compare);
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        if (distinct == 0 || out[i] > out[distinct - 1])
            out[distinct++] = out[i];
    }
    return distinct;
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
