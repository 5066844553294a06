/* Polygons to masks: COCO's rasteriser (maskApi.c, rleFrPoly) and a plain scan-line one. */
#include "metrics/rle.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* COCO draws the outline on a grid this many times as fine, and keeps where it passes the middle
 * of a pixel column. */
#define SCALE 5.0
/* An outline longer than this many steps of the fine grid is no annotation: refused, as it would
 * take seconds. A million points across an image of 10,000 pixels stay below. */
#define MAX_STEPS ((size_t)1 << 28)

/* The borders found so far: positions in column-major order where the mask changes. */
typedef struct outline {
    size_t height, width;
    uint32_t *borders;
    size_t count, capacity;
    int u, v, started; /* the last point on the fine grid */
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

/* The next point of the outline; where it enters another column of the fine grid that is the
 * middle of a column of pixels, a border is kept. */
static pts_status visit_point(outline *o, int u, int v, pts_error *err)
{
    int before_u = o->u, before_v = o->v, first = !o->started;
    o->u = u;
    o->v = v;
    o->started = 1;
    if (first || u == before_u)
        return PTS_OK;
    double x = u < before_u ? u : u - 1;
    x = (x + .5) / SCALE - .5;
    if (floor(x) != x || x < 0 || x > (double)(o->width - 1))
        return PTS_OK;
    double y = v < before_v ? v : before_v;
    y = (y + .5) / SCALE - .5;
    y = ceil(y < 0 ? 0 : y > (double)o->height ? (double)o->height : y);
    PTS_TRY(pts_grow(&o->borders, &o->capacity, o->count + 1, sizeof *o->borders, err));
    o->borders[o->count++] = (uint32_t)x * (uint32_t)o->height + (uint32_t)y;
    return PTS_OK;
}

/* One edge, a point a step of its longer side. It is computed from its lower end whichever way it
 * is walked, so that an edge shared by two polygons gives the same points in both. */
static pts_status visit_edge(outline *o, const int from[2], const int to[2], pts_error *err)
{
    int dx = abs(to[0] - from[0]), dy = abs(to[1] - from[1]);
    int flat = dx >= dy, steps = flat ? dx : dy, along = flat ? 0 : 1;
    int flip = from[along] > to[along];
    const int *low = flip ? to : from, *high = flip ? from : to;
    double slope = steps ? (double)(high[!along] - low[!along]) / steps : 0;
    for (int d = 0; d <= steps; d++) {
        int t = flip ? steps - d : d, point[2];
        point[along] = t + low[along];
        point[!along] = (int)(low[!along] + slope * t + .5);
        PTS_TRY(visit_point(o, point[0], point[1], err));
    }
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
        int dx = abs(to[0] - from[0]), dy = abs(to[1] - from[1]);
        steps += (size_t)(dx > dy ? dx : dy) + 1;
        if (steps > MAX_STEPS)
            return pts_fail(err, PTS_ERR_LIMIT,
                            "polygon: expected an outline of at most %g pixels, got more by point "
                            "%zu",
                            (double)MAX_STEPS / SCALE, i);
        PTS_TRY(visit_edge(o, from, to, err));
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
    double *crossings = pts_calloc64(points, sizeof *crossings);
    if (!crossings)
        return pts_fail_memory(err, points * sizeof *crossings);
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
