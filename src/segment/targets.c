#include "segment/targets.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* The core of an instance: pixels at least this share of its greatest depth from the rim. Cores
 * of touching instances are then apart, and a thin instance still has one. */
#define CORE_DEPTH 0.45

enum { FAR = INT32_MAX / 2 };

static int32_t neighbour(const int32_t *label, const int32_t *distance, size_t here, size_t there,
                         int32_t step)
{
    return label[there] == label[here] ? distance[there] + step : step;
}

static void relax(const int32_t *label, int32_t *distance, size_t here, size_t there, int32_t step)
{
    int32_t d = neighbour(label, distance, here, there, step);
    if (d < distance[here])
        distance[here] = d;
}

/* One raster pass; sign −1 looks at the pixels above and to the left, +1 below and to the right. */
static void chamfer_row(const int32_t *label, size_t height, size_t width, size_t y, int sign,
                        int32_t *distance)
{
    int has_row = sign < 0 ? y > 0 : y + 1 < height;
    for (size_t i = 0; i < width; i++) {
        size_t x = sign < 0 ? i : width - 1 - i, here = y * width + x;
        if (label[here] < 0)
            continue;
        if (sign < 0 ? x > 0 : x + 1 < width)
            relax(label, distance, here, sign < 0 ? here - 1 : here + 1, 3);
        if (!has_row)
            continue;
        size_t row = sign < 0 ? here - width : here + width;
        relax(label, distance, here, row, 3);
        if (x > 0)
            relax(label, distance, here, row - 1, 4);
        if (x + 1 < width)
            relax(label, distance, here, row + 1, 4);
    }
}

void chamfer_distance(const int32_t *label, size_t height, size_t width, int32_t *distance)
{
    for (size_t i = 0; i < height * width; i++)
        distance[i] = label[i] < 0 ? 0 : FAR;
    for (size_t y = 0; y < height; y++)
        chamfer_row(label, height, width, y, -1, distance);
    for (size_t y = height; y-- > 0;)
        chamfer_row(label, height, width, y, 1, distance);
}

typedef struct painter {
    size_t width, height; /* the network's input, which the outlines are painted on */
    uint8_t *mask;
    int32_t *label, *distance;
    double *xy;
    size_t xy_capacity;
} painter;

static pts_status paint(painter *p, const pts_outline *outline, int32_t id, float box[4],
                        pts_error *err)
{
    PTS_TRY(pts_grow(&p->xy, &p->xy_capacity, outline->points * 2, sizeof *p->xy, err));
    double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
    for (size_t i = 0; i < outline->points * 2; i++) {
        double v = (double)outline->xy[i] * (double)(i % 2 ? p->height : p->width);
        p->xy[i] = v;
        low[i % 2] = v < low[i % 2] ? v : low[i % 2];
        high[i % 2] = v > high[i % 2] ? v : high[i % 2];
    }
    for (int k = 0; k < 2; k++) {
        box[k] = (float)(low[k] / COARSE_CELL);
        box[2 + k] = (float)(high[k] / COARSE_CELL);
    }
    memset(p->mask, 0, p->width * p->height);
    PTS_TRY(pts_polygon_fill(p->xy, outline->points, p->width, p->height, p->mask, err));
    for (size_t i = 0; i < p->width * p->height; i++) {
        if (p->mask[i])
            p->label[i] = id;
    }
    return PTS_OK;
}

/* Shares of object and core pixels in each fine cell. */
static void gather_cover(const painter *p, const int32_t *deepest, segment_target *target)
{
    size_t columns = 2 * target->item->columns;
    for (size_t y = 0; y < p->height; y++) {
        for (size_t x = 0; x < p->width; x++) {
            int32_t id = p->label[y * p->width + x];
            if (id < 0)
                continue;
            float *cover = target->cover + (y / FINE_CELL * columns + x / FINE_CELL) * OUTPUTS;
            cover[OBJECT] += 1.0f / (FINE_CELL * FINE_CELL);
            if (p->distance[y * p->width + x] >= CORE_DEPTH * deepest[id])
                cover[CORE] += 1.0f / (FINE_CELL * FINE_CELL);
        }
    }
}

static pts_status fill_target(painter *p, segment_target *target, const pts_outline *outlines,
                              int32_t *deepest, pts_error *err)
{
    size_t pixels = p->width * p->height;
    memset(p->label, 0xff, pixels * sizeof *p->label);
    for (size_t i = 0; i < target->count; i++)
        PTS_TRY(paint(p, &outlines[i], (int32_t)i, target->boxes + i * 4, err));
    chamfer_distance(p->label, p->height, p->width, p->distance);
    for (size_t i = 0; i < pixels; i++) {
        if (p->label[i] >= 0 && p->distance[i] > deepest[p->label[i]])
            deepest[p->label[i]] = p->distance[i];
    }
    gather_cover(p, deepest, target);
    return PTS_OK;
}

pts_status segment_target_make(segment_target *target, const feature_item *item,
                               const pts_outline *outlines, size_t count, pts_error *err)
{
    size_t pixels = item->in_width * item->in_height;
    *target = (segment_target){.item = item, .count = count};
    painter p = {.width = item->in_width, .height = item->in_height};
    target->cover = pts_calloc64(item->rows * item->columns * 4 * OUTPUTS, sizeof(float));
    target->boxes = pts_calloc64(count, 4 * sizeof(float));
    p.mask = pts_calloc64(pixels, 1);
    p.label = pts_calloc64(pixels, sizeof *p.label);
    p.distance = pts_calloc64(pixels, sizeof *p.distance);
    int32_t *deepest = pts_calloc64(count, sizeof *deepest);
    pts_status status = PTS_OK;
    if (!target->cover || !target->boxes || !p.mask || !p.label || !p.distance || !deepest)
        status = pts_fail_memory(err, pixels * 9);
    else
        status = fill_target(&p, target, outlines, deepest, err);
    free(p.mask);
    free(p.label);
    free(p.distance);
    free(p.xy);
    free(deepest);
    if (status != PTS_OK)
        segment_target_free(target);
    return status;
}

void segment_target_free(segment_target *target)
{
    free(target->cover);
    free(target->boxes);
    *target = (segment_target){0};
}
