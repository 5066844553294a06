/* Polygons to masks: COCO's rasteriser (maskApi.c, rleFrPoly) and a plain scan-line one. */
#include "metrics/rle.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* COCO draws the outline on a grid this many times as fine, a point a step, and keeps a border
 * where it passes the middle of a pixel column: between the columns MIDDLE and MIDDLE + 1 of the
 * fine grid, counted within a pixel. maskApi.c walks all points; here only those steps are found.
 */
#define SCALE 5
#define MIDDLE (SCALE / 2)
/* An outline longer than this many steps of the fine grid is no annotation: refused. A million
 * points across an image of 10,000 pixels stay below. */
#define MAX_STEPS ((size_t)1 << 28)

/* The borders found so far: positions in column-major order where the mask changes. */
typedef struct outline {
    size_t height, width;
    uint32_t *borders;
    size_t count, capacity;
} outline;

static pts_status check_polygon(const double *xy, size_t points, pts_error *err)
{
    if (points < 3)
        return pts_fail(err, PTS_ERR_FORMAT, "polygon: expected at least 3 points, got %zu",
                        points);
    for (size_t i = 0; i < points; i++) {
        for (size_t k = 0; k < 2; k++) {
            double value = xy[2 * i + k];
            if (!isfinite(value))
                return pts_fail(err, PTS_ERR_NUMERIC,
                                "polygon: point %zu: expected a finite number, got %g", i, value);
            if (fabs(value) > PTS_POLYGON_MAX_COORDINATE)
                return pts_fail(err, PTS_ERR_LIMIT,
                                "polygon: point %zu: expected a coordinate within ±%g, got %g", i,
                                PTS_POLYGON_MAX_COORDINATE, value);
        }
    }
    return PTS_OK;
}

/* The outline steps over the middle of a column of pixels, v being the upper end of that step. */
static pts_status add_border(outline *o, int column, int v, pts_error *err)
{
    double y = (v + .5) / SCALE - .5;
    y = ceil(y < 0 ? 0 : y > (double)o->height ? (double)o->height : y);
    PTS_TRY(pts_grow(&o->borders, &o->capacity, o->count + 1, sizeof *o->borders, err));
    o->borders[o->count++] = (uint32_t)column * (uint32_t)o->height + (uint32_t)y;
    return PTS_OK;
}

/* One edge, from its lower end whichever way it runs, so that an edge shared by two polygons gives
 * the same points in both: a point a step of its longer side. */
typedef struct edge {
    int low[2], high[2]; /* u, v */
    int flat;            /* steps go along u, else along v */
    int steps;
    double slope;
} edge;

static edge make_edge(const int from[2], const int to[2])
{
    int dx = abs(to[0] - from[0]), dy = abs(to[1] - from[1]);
    edge e = {.flat = dx >= dy, .steps = dx >= dy ? dx : dy};
    int along = e.flat ? 0 : 1, flip = from[along] > to[along];
    memcpy(e.low, flip ? to : from, sizeof e.low);
    memcpy(e.high, flip ? from : to, sizeof e.high);
    e.slope = e.steps ? (double)(e.high[!along] - e.low[!along]) / e.steps : 0;
    return e;
}

/* The other coordinate after t steps. Truncated, which is COCO's and not rounding below zero. */
static int across(const edge *e, int t)
{
    return (int)(e->low[e->flat] + e->slope * t + .5);
}

/* Of a steep edge, the first step that is beyond column u of the fine grid. */
static int first_beyond(const edge *e, int u)
{
    double guess = (u + .5 - e->low[0]) / e->slope;
    int t = guess < 1 ? 1 : guess > e->steps ? e->steps : (int)guess, rises = e->slope > 0;
    while (t > 1 && (rises ? across(e, t - 1) > u : across(e, t - 1) <= u))
        t--;
    while (t < e->steps && !(rises ? across(e, t) > u : across(e, t) <= u))
        t++;
    return t;
}

/* The upper end of the step from column u of the fine grid to u + 1. */
static int step_at(const edge *e, int u)
{
    if (!e->flat)
        return e->low[1] + first_beyond(e, u) - 1;
    int before = across(e, u - e->low[0]), after = across(e, u + 1 - e->low[0]);
    return before < after ? before : after;
}

static pts_status visit_edge(outline *o, const edge *e, pts_error *err)
{
    int left = e->low[0] < e->high[0] ? e->low[0] : e->high[0];
    int right = e->low[0] < e->high[0] ? e->high[0] : e->low[0];
    int column = left <= MIDDLE ? 0 : (left - MIDDLE + SCALE - 1) / SCALE;
    for (; (size_t)column < o->width && SCALE * column + MIDDLE < right; column++)
        PTS_TRY(add_border(o, column, step_at(e, SCALE * column + MIDDLE), err));
    return PTS_OK;
}

/* Truncation, not rounding, for negative coordinates: COCO's, and it shows at the left and upper
 * border. */
static void to_fine_grid(const double *xy, int out[2])
{
    out[0] = (int)(SCALE * xy[0] + .5);
    out[1] = (int)(SCALE * xy[1] + .5);
}

static pts_status visit_polygon(outline *o, const double *xy, size_t points, pts_error *err)
{
    size_t steps = 0;
    for (size_t i = 0; i < points; i++) {
        int from[2], to[2];
        to_fine_grid(xy + 2 * i, from);
        to_fine_grid(xy + 2 * (i + 1 < points ? i + 1 : 0), to);
        edge e = make_edge(from, to);
        steps += (size_t)e.steps + 1;
        if (steps > MAX_STEPS)
            return pts_fail(err, PTS_ERR_LIMIT,
                            "polygon: expected an outline of at most %g pixels, got more by point "
                            "%zu",
                            (double)MAX_STEPS / SCALE, i);
        PTS_TRY(visit_edge(o, &e, err));
    }
    return PTS_OK;
}

static int by_position(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorted borders to run lengths, in place; two borders at one position cancel. */
static size_t borders_to_counts(uint32_t *borders, size_t count)
{
    uint32_t before = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t at = borders[i];
        borders[i] -= before;
        before = at;
    }
    size_t runs = 1;
    for (size_t i = 1; i < count; i++) {
        if (borders[i])
            borders[runs++] = borders[i];
        else if (++i < count)
            borders[runs - 1] += borders[i];
    }
    return runs;
}

static pts_status outline_to_rle(pts_rle **out, outline *o, pts_error *err)
{
    PTS_TRY(pts_grow(&o->borders, &o->capacity, o->count + 1, sizeof *o->borders, err));
    o->borders[o->count++] = (uint32_t)(o->height * o->width);
    qsort(o->borders, o->count, sizeof *o->borders, by_position);
    size_t runs = borders_to_counts(o->borders, o->count);
    return pts_rle_make(out, o->borders, runs, o->height, o->width, err);
}

pts_status pts_rle_from_polygon(pts_rle **out, const double *xy, size_t points, size_t height,
                                size_t width, pts_error *err)
{
    *out = NULL;
    PTS_TRY(pts_rle_check_size(height, width, err));
    PTS_TRY(check_polygon(xy, points, err));
    outline o = {.height = height, .width = width};
    pts_status status = visit_polygon(&o, xy, points, err);
    if (status == PTS_OK)
        status = outline_to_rle(out, &o, err);
    free(o.borders);
    return status;
}

/* ---- scan lines ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Where the horizontal line at y crosses the edges, from left to right. An edge owns its upper
 * end only, so that a corner on the line counts once. */
static size_t cross_line(const double *xy, size_t points, double y, double *crossings)
{
    size_t count = 0;
    for (size_t i = 0; i < points; i++) {
        const double *a = xy + 2 * i, *b = xy + 2 * (i + 1 < points ? i + 1 : 0);
        if ((a[1] <= y) == (b[1] <= y))
            continue;
        crossings[count++] = a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
    }
    qsort(crossings, count, sizeof *crossings, by_value);
    return count;
}

/* The first column whose centre is not left of x. */
static size_t column_at(double x, size_t width)
{
    double column = ceil(x - .5);
    return column <= 0 ? 0 : column >= (double)width ? width : (size_t)column;
}

pts_status pts_polygon_fill(const double *xy, size_t points, size_t width, size_t height,
                            uint8_t *mask, pts_error *err)
{
    PTS_TRY(pts_rle_check_size(height, width, err));
    PTS_TRY(check_polygon(xy, points, err));
    double *crossings;
    PTS_TRY(pts_new(&crossings, points, sizeof *crossings, err));
    for (size_t y = 0; y < height; y++) {
        size_t count = cross_line(xy, points, (double)y + .5, crossings);
        for (size_t i = 0; i + 1 < count; i += 2) {
            size_t from = column_at(crossings[i], width), to = column_at(crossings[i + 1], width);
            memset(mask + y * width + from, 1, to - from);
        }
    }
    free(crossings);
    return PTS_OK;
}

/* ---- several polygons of one object ---- */

typedef struct drawing {
    double *xy;      /* one polygon in pixels */
    pts_rle **masks; /* [parts] */
} drawing;

static pts_status draw_parts(drawing *d, const float *xy, const size_t *ends, size_t parts,
                             size_t height, size_t width, pts_error *err)
{
    PTS_TRY(pts_new(&d->masks, parts, sizeof *d->masks, err));
    PTS_TRY(pts_new(&d->xy, parts ? ends[parts - 1] : 0, 2 * sizeof *d->xy, err));
    for (size_t p = 0, from = 0; p < parts; from = ends[p++]) {
        size_t points = ends[p] - from;
        for (size_t i = 0; i < 2 * points; i++)
            d->xy[i] = (double)xy[2 * from + i] * (double)(i % 2 ? height : width);
        PTS_TRY(pts_rle_from_polygon(&d->masks[p], d->xy, points, height, width, err));
    }
    return PTS_OK;
}

pts_status pts_rle_from_parts(pts_rle **out, const float *xy, const size_t *ends, size_t parts,
                              size_t height, size_t width, pts_error *err)
{
    drawing d = {0};
    *out = NULL;
    pts_status status = draw_parts(&d, xy, ends, parts, height, width, err);
    if (status == PTS_OK)
        status = pts_rle_merge(out, d.masks, parts, false, err);
    for (size_t p = 0; d.masks && p < parts; p++)
        pts_rle_destroy(d.masks[p]);
    free(d.masks);
    free(d.xy);
    return status;
}
