#include "collect/outline.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bridges are looked for among at most so many pairs of points: a border of a million corners would
 * take hours, and a bridge need not be the very shortest. */
#define PAIRS 4e6

typedef struct border {
    size_t first, count; /* of the points */
    double area;         /* negative: of a hole */
} border;

typedef struct borders {
    float *xy; /* [points][2] */
    size_t points, capacity;
    border *list; /* [count] */
    size_t count, list_capacity;
    pts_error *err;
} borders;

void pts_outline_free(outline *o)
{
    free(o->xy);
    *o = (outline){0};
}

static void borders_free(borders *b)
{
    free(b->xy);
    free(b->list);
}

static pts_status add_point(borders *b, float x, float y)
{
    PTS_TRY(pts_grow(&b->xy, &b->capacity, 2 * (b->points + 1), sizeof *b->xy, b->err));
    b->xy[2 * b->points] = x;
    b->xy[2 * b->points + 1] = y;
    b->points++;
    return PTS_OK;
}

/* ---- borders of a mask ---- */

/* Right, down, left, up: the object is on the right hand. */
static const int step_x[] = {1, 0, -1, 0}, step_y[] = {0, 1, 0, -1};

/* on [height + 2][width + 2]: bit 0 of the object, with a rim of none; bit 1: the edge above the
 * pixel is on a border that was followed. */
typedef struct grid {
    unsigned char *on;
    size_t stride;
} grid;

static unsigned char *pixel(const grid *g, long x, long y)
{
    return g->on + (size_t)(y + 1) * g->stride + (size_t)(x + 1);
}

/* The pixel ahead of corner (x, y) that is on the given side of direction d. */
static bool ahead(const grid *g, long x, long y, int d, bool right)
{
    static const int right_x[] = {0, -1, -1, 0}, right_y[] = {0, 0, -1, -1};
    int side = right ? d : (d + 3) % 4;
    return *pixel(g, x + right_x[side], y + right_y[side]) & 1;
}

/* From the left end of the edge above pixel (x, y) around; pixels that only touch at a corner are
 * kept apart. */
static pts_status follow(borders *b, const grid *g, long x0, long y0)
{
    border next = {.first = b->points};
    long x = x0, y = y0;
    int d = 0;
    do {
        PTS_TRY(add_point(b, (float)x, (float)y));
        do {
            if (d == 0)
                *pixel(g, x, y) |= 2;
            next.area += (double)x * step_y[d] - (double)y * step_x[d];
            x += step_x[d];
            y += step_y[d];
        } while (ahead(g, x, y, d, true) && !ahead(g, x, y, d, false) && (x != x0 || y != y0));
        d = !ahead(g, x, y, d, true) ? (d + 1) % 4 : ahead(g, x, y, d, false) ? (d + 3) % 4 : d;
    } while (x != x0 || y != y0 || d != 0);
    next.count = b->points - next.first;
    PTS_TRY(pts_grow(&b->list, &b->list_capacity, b->count + 1, sizeof *b->list, b->err));
    b->list[b->count++] = next;
    return PTS_OK;
}

static pts_status follow_all(borders *b, const grid *g, const double box[4], size_t height,
                             size_t width)
{
    for (long y = (long)box[1]; y < (long)(box[1] + box[3]); y++) {
        for (long x = (long)box[0]; x < (long)(box[0] + box[2]); x++) {
            if (*pixel(g, x, y) == 1 && !(*pixel(g, x, y - 1) & 1))
                PTS_TRY(follow(b, g, x, y));
        }
    }
    for (size_t i = 0; i < b->points; i++) {
        b->xy[2 * i] /= (float)width;
        b->xy[2 * i + 1] /= (float)height;
    }
    return PTS_OK;
}

static pts_status mask_borders(borders *b, const pts_instance *instance, size_t height,
                               size_t width)
{
    pts_rle *mask;
    size_t runs, cells;
    PTS_TRY(pts_instance_mask(&mask, instance, height, width, b->err));
    grid g = {.stride = width + 2};
    if (!pts_mul(height + 2, width + 2, &cells) || !(g.on = calloc(cells, 1))) {
        pts_rle_destroy(mask);
        return pts_fail_memory(b->err, height * width);
    }
    double box[4];
    const uint32_t *counts = pts_rle_counts(mask, &runs);
    for (size_t r = 0, at = 0; r < runs; at += counts[r++]) {
        for (size_t i = at; r % 2 && i < at + counts[r]; i++)
            *pixel(&g, (long)(i / height), (long)(i % height)) = 1;
    }
    pts_rle_box(mask, box);
    pts_status status = follow_all(b, &g, box, height, width);
    free(g.on);
    pts_rle_destroy(mask);
    return status;
}

/* ---- polygons as they are ---- */

static pts_status polygon_borders(borders *b, const pts_instance *instance)
{
    for (size_t p = 0; p < instance->parts; p++) {
        size_t first = p ? instance->ends[p - 1] : 0;
        const border next = {.first = b->points, .count = instance->ends[p] - first};
        for (size_t i = first; i < instance->ends[p]; i++)
            PTS_TRY(add_point(b, instance->xy[2 * i], instance->xy[2 * i + 1]));
        PTS_TRY(pts_grow(&b->list, &b->list_capacity, b->count + 1, sizeof *b->list, b->err));
        b->list[b->count++] = next;
    }
    return PTS_OK;
}

/* ---- one polygon ---- */

static int by_area(const void *left, const void *right)
{
    const border *a = left, *b = right;
    double x = fabs(a->area), y = fabs(b->area);
    if (x != y)
        return x < y ? 1 : -1;
    return a->first < b->first ? -1 : 1;
}

static double distance(const float *a, const float *b)
{
    double x = (double)a[0] - (double)b[0], y = (double)a[1] - (double)b[1];
    return x * x + y * y;
}

/* The nearest points of a [n] and b [m]. */
static void nearest(const float *a, size_t n, const float *b, size_t m, size_t *i, size_t *j)
{
    size_t stride = (size_t)sqrt((double)n * (double)m / PAIRS) + 1;
    double least = INFINITY;
    for (size_t k = 0; k < n; k += stride) {
        for (size_t l = 0; l < m; l += stride) {
            double d = distance(a + 2 * k, b + 2 * l);
            if (d < least) {
                least = d;
                *i = k;
                *j = l;
            }
        }
    }
}

/* out: … i, then all of the border from its point j back to it, then i again … */
static void tie(outline *out, const float *xy, size_t count)
{
    size_t i = 0, j = 0, after;
    nearest(out->xy, out->points, xy, count, &i, &j);
    after = out->points - i;
    float *at = out->xy + 2 * (i + 1);
    memmove(at + 2 * (count + 1), out->xy + 2 * i, after * 2 * sizeof *at);
    memcpy(at, xy + 2 * j, (count - j) * 2 * sizeof *at);
    memcpy(at + 2 * (count - j), xy, (j + 1) * 2 * sizeof *at);
    out->points += count + 2;
}

static pts_status tie_all(outline *out, const borders *b, size_t kept)
{
    size_t points = 0;
    for (size_t k = 0; k < kept; k++)
        points += b->list[k].count + 2;
    PTS_TRY(pts_new(&out->xy, 2 * points, sizeof *out->xy, b->err));
    out->points = b->list[0].count;
    memcpy(out->xy, b->xy + 2 * b->list[0].first, out->points * 2 * sizeof *out->xy);
    for (size_t k = 1; k < kept; k++)
        tie(out, b->xy + 2 * b->list[k].first, b->list[k].count);
    return PTS_OK;
}

pts_status pts_outline_make(outline *out, const pts_instance *instance, size_t height, size_t width,
                            pts_error *err)
{
    *out = (outline){0};
    borders b = {.err = err};
    pts_status status =
        instance->parts ? polygon_borders(&b, instance) : mask_borders(&b, instance, height, width);
    size_t kept = b.count;
    if (status == PTS_OK && b.count && !instance->parts) { /* an empty mask has no list to sort */
        qsort(b.list, b.count, sizeof *b.list, by_area);
        kept = kept < OUTLINE_BORDERS ? kept : OUTLINE_BORDERS;
    }
    if (status == PTS_OK && kept)
        status = tie_all(out, &b, kept);
    borders_free(&b);
    return status;
}
