#include "segment/targets.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* The core of an instance: pixels at least this share of its greatest depth from the rim. Cores
 * of touching instances are then apart, and a thin instance still has one. */
#define CORE_DEPTH 0.45

enum { FAR = INT32_MAX / 2 };

/* Another label is a rim: instances that touch keep depths of their own. */
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
    bool has_row = sign < 0 ? y > 0 : y + 1 < height;
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

void pts_chamfer_distance(const int32_t *label, size_t height, size_t width, int32_t *distance)
{
    for (size_t i = 0; i < height * width; i++)
        distance[i] = label[i] < 0 ? 0 : FAR;
    for (size_t y = 0; y < height; y++)
        chamfer_row(label, height, width, y, -1, distance);
    for (size_t y = height; y-- > 0;)
        chamfer_row(label, height, width, y, 1, distance);
}

typedef struct painter {
    const feature_item *item;
    size_t width, height; /* the network's input, which the instances are painted on */
    uint8_t *mask;        /* [height][width]: of one instance */
    uint8_t *crowd;       /* [height][width] */
    int32_t *label, *distance;
    double *xy;
    size_t xy_capacity;
    int32_t *deepest; /* [instances]: greatest distance from the rim */
    uint8_t *bitmap;  /* of a mask, at the photograph's size */
    size_t bitmap_capacity;
} painter;

/* Points xy [points][2] → p->mask; box: x0, y0, x1, y1 of all so far, in input pixels. */
static pts_status paint_polygon(painter *p, const float *xy, size_t points, double box[4],
                                pts_error *err)
{
    PTS_TRY(pts_grow(&p->xy, &p->xy_capacity, points * 2, sizeof *p->xy, err));
    for (size_t i = 0; i < points * 2; i++) {
        double v = (double)xy[i] * (double)(i % 2 ? p->height : p->width);
        p->xy[i] = v;
        box[i % 2] = v < box[i % 2] ? v : box[i % 2];
        box[2 + i % 2] = v > box[2 + i % 2] ? v : box[2 + i % 2];
    }
    return pts_polygon_fill(p->xy, points, p->width, p->height, p->mask, err);
}

/* An input pixel is what the photograph's pixel under its centre is. */
static pts_status paint_mask(painter *p, const pts_rle *mask, double box[4], pts_error *err)
{
    const size_t height = p->item->height, width = p->item->width;
    if (pts_rle_height(mask) != height || pts_rle_width(mask) != width)
        return pts_fail(err, PTS_ERR_SHAPE, "label: expected a mask of %zu x %zu, got %zu x %zu",
                        height, width, pts_rle_height(mask), pts_rle_width(mask));
    PTS_TRY(pts_grow(&p->bitmap, &p->bitmap_capacity, height * width, 1, err));
    pts_rle_to_bitmap(mask, p->bitmap);
    for (size_t y = 0; y < p->height; y++) {
        const uint8_t *row = p->bitmap + (2 * y + 1) * height / (2 * p->height) * width;
        for (size_t x = 0; x < p->width; x++)
            p->mask[y * p->width + x] = row[(2 * x + 1) * width / (2 * p->width)];
    }
    pts_rle_box(mask, box);
    const double scale[2] = {(double)p->width / (double)width, (double)p->height / (double)height};
    for (int k = 0; k < 2; k++) {
        box[2 + k] = (box[k] + box[2 + k]) * scale[k];
        box[k] *= scale[k];
    }
    return PTS_OK;
}

/* One instance → p->mask and its box in coarse cells. */
static pts_status paint(painter *p, const pts_labelled_instance *instance, float box[4],
                        pts_error *err)
{
    double extent[4] = {1e9, 1e9, -1e9, -1e9};
    memset(p->mask, 0, p->width * p->height);
    if (!instance->parts && !instance->mask)
        return pts_fail(err, PTS_ERR_ARGUMENT, "label: expected polygons or a mask, got neither");
    if (!instance->parts)
        PTS_TRY(paint_mask(p, instance->mask, extent, err));
    for (size_t i = 0, first = 0; i < instance->parts; first = instance->ends[i++])
        PTS_TRY(paint_polygon(p, instance->xy + first * 2, instance->ends[i] - first, extent, err));
    for (int k = 0; k < 4; k++)
        box[k] = (float)(extent[k] / COARSE_CELL);
    return PTS_OK;
}

/* In the order of the labels, so that the later lies over the earlier; a crowd teaches nothing and
 * lies under all. */
static pts_status paint_all(painter *p, segment_target *target,
                            const pts_labelled_instance *instances, size_t count, pts_error *err)
{
    const size_t pixels = p->width * p->height;
    memset(p->label, 0xff, pixels * sizeof *p->label);
    for (size_t i = 0; i < count; i++) {
        float crowd_box[4];
        bool crowd = instances[i].crowd;
        float *box = crowd ? crowd_box : target->boxes + target->count * 4;
        PTS_TRY(paint(p, &instances[i], box, err));
        for (size_t k = 0; k < pixels; k++) {
            if (!p->mask[k])
                continue;
            if (crowd)
                p->crowd[k] = 1;
            else
                p->label[k] = (int32_t)target->count;
        }
        target->count += !crowd;
    }
    return PTS_OK;
}

static float *cover_at(const painter *p, segment_target *target, size_t pixel)
{
    size_t row = pixel / p->width / FINE_CELL, column = pixel % p->width / FINE_CELL;
    return target->cover + (row * 2 * target->item->columns + column) * OUTPUTS;
}

/* Shares of object and core pixels in each fine cell. */
static void gather_cover(const painter *p, segment_target *target)
{
    const size_t pixels = p->width * p->height;
    for (size_t i = 0; i < pixels; i++) {
        int32_t id = p->label[i];
        if (id < 0)
            continue;
        float *cover = cover_at(p, target, i);
        cover[OBJECT] += 1.0f / (FINE_CELL * FINE_CELL);
        if (p->distance[i] >= CORE_DEPTH * p->deepest[id])
            cover[CORE] += 1.0f / (FINE_CELL * FINE_CELL);
    }
    for (size_t i = 0; i < pixels; i++) {
        float *cover = cover_at(p, target, i);
        if (p->crowd[i] && p->label[i] < 0)
            cover[OBJECT] = cover[CORE] = -1;
    }
}

/* Touching instances keep distances of their own: each is measured within its label. */
static void find_deepest(painter *p)
{
    size_t pixels = p->width * p->height;
    pts_chamfer_distance(p->label, p->height, p->width, p->distance);
    for (size_t i = 0; i < pixels; i++) {
        if (p->label[i] >= 0 && p->distance[i] > p->deepest[p->label[i]])
            p->deepest[p->label[i]] = p->distance[i];
    }
}

/* What is there after a failure is pts_segment_target_make's to free. */
static pts_status fill_target(painter *p, segment_target *target,
                              const pts_labelled_instance *instances, size_t count, pts_error *err)
{
    const feature_item *item = target->item;
    size_t pixels = p->width * p->height;
    PTS_TRY(pts_new(&target->cover, item->rows * item->columns * 4 * OUTPUTS, sizeof(float), err));
    PTS_TRY(pts_new(&target->boxes, count, 4 * sizeof(float), err));
    PTS_TRY(pts_new(&p->mask, pixels, 1, err));
    PTS_TRY(pts_new(&p->crowd, pixels, 1, err));
    PTS_TRY(pts_new(&p->label, pixels, sizeof *p->label, err));
    PTS_TRY(pts_new(&p->distance, pixels, sizeof *p->distance, err));
    PTS_TRY(pts_new(&p->deepest, count, sizeof *p->deepest, err));
    PTS_TRY(paint_all(p, target, instances, count, err));
    find_deepest(p);
    gather_cover(p, target);
    return PTS_OK;
}

static void painter_free(painter *p)
{
    free(p->mask);
    free(p->crowd);
    free(p->label);
    free(p->distance);
    free(p->deepest);
    free(p->xy);
    free(p->bitmap);
}

pts_status pts_segment_target_make(segment_target *target, const feature_item *item,
                                   const pts_labelled_instance *instances, size_t count,
                                   pts_error *err)
{
    painter p = {.item = item, .width = item->in_width, .height = item->in_height};
    *target = (segment_target){.item = item};
    pts_status status = fill_target(&p, target, instances, count, err);
    painter_free(&p);
    if (status != PTS_OK)
        pts_segment_target_free(target);
    return status;
}

void pts_segment_target_free(segment_target *target)
{
    free(target->cover);
    free(target->boxes);
    *target = (segment_target){0};
}
