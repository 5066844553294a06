/* Separable curves: the search in p and q (search.c), then Levenberg–Marquardt in all parameters
 * (pts/lm.h), which knows when it has arrived, and the covariance.
 *
 * Points of one size are merged first: Σ w (f(n) − y)² is that of their mean with the sum of their
 * weights, up to a constant. Of 45 points drawn with replacement 28 sizes are left. */
#include "curve/separable.h"
#include "curve/qr.h"
#include "curve/search.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FINISH_EVALUATIONS = 400, FEW = 64 };

typedef struct ordered {
    double n, w, y; /* n first: sorted as doubles */
} ordered;

/* A call of qsort costs a few points more than a whole fit's grid: few are sorted by insertion,
 * which takes no time where they rise already. */
static void sort_by_size(ordered *points, size_t count)
{
    bool rising = true;
    for (size_t i = 1; i < count && rising; i++)
        rising = points[i - 1].n <= points[i].n;
    if (count > FEW && !rising)
        qsort(points, count, sizeof *points, pts_compare_doubles);
    for (size_t i = 1; i < count && count <= FEW; i++) {
        ordered moved = points[i];
        size_t at = i;
        for (; at > 0 && points[at - 1].n > moved.n; at--)
            points[at] = points[at - 1];
        points[at] = moved;
    }
}

/* ---- all parameters ---- */

/* x: u (unless anchored), v, p, q. */
static const double *unpack(const separable_points *d, const double *x, double full[4])
{
    size_t at = 0;
    full[0] = d->family->anchored ? 1 : x[at++];
    full[1] = x[at++];
    full[2] = d->family->shapes > 0 ? x[at++] : 0;
    full[3] = d->family->shapes > 1 ? x[at++] : 0;
    return full;
}

/* The solver sees no origin: rounding would be that of the plateau, not of what varies. */
static int residuals(void *user, const double *x, double *r)
{
    separable_points *d = user;
    double full[4];
    unpack(d, x, full);
    pts_separable_shape(d, full[2], full[3]);
    for (size_t i = 0; i < d->count; i++)
        r[i] = (full[0] - d->origin) - d->y[i] + full[1] * d->s[i];
    return 0;
}

/* The residuals at the same p and q have just filled the shape. */
static int jacobian(void *user, const double *x, double *rows)
{
    separable_points *d = user;
    double full[4];
    unpack(d, x, full);
    pts_separable_shape(d, full[2], full[3]);
    for (size_t i = 0; i < d->count; i++) {
        if (!d->family->anchored)
            *rows++ = 1;
        *rows++ = d->s[i];
        if (d->family->shapes > 0)
            *rows++ = full[1] * d->by_p[i];
        if (d->family->shapes > 1)
            *rows++ = full[1] * d->by_q[i];
    }
    return 0;
}

/* Into rows and columns u, v, p, q. */
static void spread_covariance(const separable_points *d, const double *packed, size_t free,
                              double *out)
{
    size_t from = d->family->anchored;
    memset(out, 0, 16 * sizeof *out);
    for (size_t i = 0; i < free; i++) {
        for (size_t j = 0; j < free; j++)
            out[(from + i) * 4 + from + j] = packed[i * free + j];
    }
}

/* Where the solver starts: u, v, p, q without what the family lacks. */
static void pack(separable_points *d, double p, double q, double x[4])
{
    double slope, centre;
    size_t at = 0;
    pts_separable_shape(d, p, q);
    pts_separable_project(d, &slope, &centre);
    if (!d->family->anchored)
        x[at++] = d->origin - slope * centre;
    x[at++] = slope;
    x[at++] = p; /* past `free` where the family lacks it */
    if (at < 4)
        x[at] = q;
}

/* What the points of one size differ by, which merging hid, is added back. */
static pts_status finish(separable_points *d, double p, double q, separable_fit *out,
                         pts_error *err)
{
    pts_lm *lm;
    double x[4], packed[16];
    out->free = 2 - (size_t)d->family->anchored + (size_t)d->family->shapes;
    pack(d, p, q, x);
    pts_lm_problem problem = {
        .residuals = residuals, .jacobian = jacobian, .user = d, .weights = d->w};
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
    out->lm.sse += d->within;
    out->lm.cost += d->within / 2;
    if (status == PTS_OK && !isfinite(out->lm.sse))
        return pts_fail(err, PTS_ERR_NUMERIC, "curve: no finite fit of %zu points", d->data->count);
    return status;
}

/* ---- points ---- */

/* The points of sorted[from] … sorted[to − 1], of one size, become one. */
static void merge(separable_points *d, const ordered *sorted, size_t from, size_t to)
{
    double w = 0, sum = 0;
    for (size_t i = from; i < to; i++) {
        w += sorted[i].w;
        sum += sorted[i].w * sorted[i].y;
    }
    double y = to - from == 1 ? sorted[from].y : sum / w;
    for (size_t i = from; i < to; i++)
        d->within += sorted[i].w * (sorted[i].y - y) * (sorted[i].y - y);
    d->n[d->count] = sorted[from].n;
    d->log_n[d->count] = log(sorted[from].n);
    d->y[d->count] = y;
    d->w[d->count++] = w;
}

/* Weightless copies of the last size fill the last block of the vector code. */
static void pad(separable_points *d)
{
    d->padded = d->count;
    for (; d->padded % SIGMOID_BLOCK; d->padded++) {
        d->log_n[d->padded] = d->log_n[d->count - 1];
        d->y[d->padded] = d->w[d->padded] = 0;
    }
}

/* y less its mean: the projection and its sums lose no digits to a common level. */
static void summarise(separable_points *d, ordered *sorted)
{
    const separable_data *data = d->data;
    for (size_t i = 0; i < data->count; i++)
        sorted[i] = (ordered){data->n[i], data->weights ? data->weights[i] : 1, data->y[i]};
    sort_by_size(sorted, data->count);
    for (size_t from = 0, to; from < data->count; from = to) {
        for (to = from + 1; to < data->count && sorted[to].n == sorted[from].n; to++) {
        }
        merge(d, sorted, from, to);
    }
    pad(d);
    d->span = (separable_span){d->log_n[0], d->log_n[d->count - 1]};
    d->sizes = (separable_sizes){d->n, d->log_n, d->count};
    for (size_t i = 0; i < d->count; i++)
        d->total += d->w[i];
    d->origin = d->family->anchored ? 1 : pts_qr_dot(d->w, d->y, d->count) / d->total;
    for (size_t i = 0; i < d->count; i++) {
        d->y[i] -= d->origin;
        d->yy += d->w[i] * d->y[i] * d->y[i];
    }
}

/* pts_smape of the fit; here the shape is at hand for all points of a size. */
static double smape(separable_points *d, const ordered *sorted, const double x[4])
{
    double sum = 0;
    pts_separable_shape(d, x[2], x[3]);
    for (size_t i = 0, k = 0; i < d->data->count; i++) {
        k += sorted[i].n > d->n[k];
        double f = x[0] + x[1] * d->s[k], y = sorted[i].y, both = fabs(f) + fabs(y);
        sum += both > 0 ? 2 * fabs(f - y) / both : 0;
    }
    return 100 * sum / (double)d->data->count;
}

static pts_status fit(separable_points *d, ordered *sorted, separable_fit *out, pts_error *err)
{
    double p = 0, q = 0;
    summarise(d, sorted);
    if (d->family->shapes > 0)
        pts_separable_search(d, &p, &q);
    PTS_TRY(finish(d, p, q, out, err));
    out->smape = smape(d, sorted, out->x);
    return PTS_OK;
}

pts_status pts_separable_fit(const separable *family, const separable_data *data,
                             separable_fit *out, pts_error *err)
{
    separable_points d = {.family = family, .sigmoid = pts_sigmoid(), .data = data};
    double **const vectors[] = {&d.n, &d.log_n, &d.y, &d.w, &d.s, &d.by_p, &d.by_q, &d.row};
    enum { VECTORS = sizeof vectors / sizeof *vectors };
    size_t bytes = VECTORS * sizeof(double) + sizeof(ordered), room;
    *out = (separable_fit){.lm = {.sse = INFINITY}};
    if (!pts_add(data->count, SIGMOID_BLOCK, &room))
        return pts_fail_memory(err, SIZE_MAX);
    double *block;
    PTS_TRY(pts_new(&block, room, bytes, err));
    for (size_t i = 0; i < VECTORS; i++)
        *vectors[i] = block + i * room;
    pts_status status = fit(&d, (ordered *)(block + VECTORS * room), out, err);
    free(block);
    return status;
}

/* As sort_by_size. */
static void sort(double *v, size_t count)
{
    if (count > FEW) {
        qsort(v, count, sizeof *v, pts_compare_doubles);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        double moved = v[i];
        size_t at = i;
        for (; at > 0 && v[at - 1] > moved; at--)
            v[at] = v[at - 1];
        v[at] = moved;
    }
}

size_t pts_distinct_sizes(const double *n, size_t count, double *out)
{
    bool rising = true;
    for (size_t i = 0; i < count; i++) {
        out[i] = n[i];
        rising = rising && (i == 0 || n[i - 1] <= n[i]);
    }
    if (!rising)
        sort(out, count);
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        if (distinct == 0 || out[i] > out[distinct - 1])
            out[distinct++] = out[i];
    }
    return distinct;
}
