/* Labels in numbers. */
#include "pts/learn.h"

#include <math.h>
#include <stddef.h>

/* A box in 0 … 1 of width and height, and the share of the photograph that the object covers. */
typedef struct extent {
    double left, top, right, bottom, area;
} extent;

/* The shoelace formula, its sign dropped: labels go round in either direction. */
static void add_polygon(const float *xy, size_t points, extent *e)
{
    double twice = 0;
    for (size_t i = 0, last = points - 1; i < points; last = i++) {
        double x = xy[2 * i], y = xy[2 * i + 1];
        twice += (double)xy[2 * last] * y - x * (double)xy[2 * last + 1];
        e->left = fmin(e->left, x);
        e->right = fmax(e->right, x);
        e->top = fmin(e->top, y);
        e->bottom = fmax(e->bottom, y);
    }
    e->area += fabs(twice) / 2;
}

/* A mask is brought to shares of the photograph, in which polygons come: sizes must compare. */
static extent extent_of(const pts_instance *instance)
{
    extent e = {1, 1, 0, 0, 0};
    for (size_t p = 0, from = 0; p < instance->parts; from = instance->ends[p++])
        add_polygon(instance->xy + 2 * from, instance->ends[p] - from, &e);
    if (instance->parts == 0 && instance->mask) {
        double box[4], width = (double)pts_rle_width(instance->mask),
                       height = (double)pts_rle_height(instance->mask);
        pts_rle_box(instance->mask, box);
        e = (extent){box[0] / width, box[1] / height, (box[0] + box[2]) / width,
                     (box[1] + box[3]) / height,
                     (double)pts_rle_area(instance->mask) / (width * height)};
    }
    return e;
}

/* A crowd is many objects under one outline: it has neither a number nor a size. */
static bool counts(const pts_instance *instance, int class_id)
{
    return instance->class_id == class_id && !instance->crowd;
}

/* Among the first 512 labels: a photograph of a million objects must not take their square. */
static bool meets_another(const pts_instance *instances, size_t count, size_t self,
                          const extent *own)
{
    for (size_t i = 0; i < count && i < 512; i++) {
        if (i == self || !counts(&instances[i], instances[self].class_id))
            continue;
        extent other = extent_of(&instances[i]);
        if (own->left < other.right && other.left < own->right && own->top < other.bottom &&
            other.top < own->bottom)
            return true;
    }
    return false;
}

void pts_label_sums_of(const pts_instance *instances, size_t count, int class_id,
                       pts_label_sums *out)
{
    *out = (pts_label_sums){0};
    for (size_t i = 0; i < count; i++) {
        if (!counts(&instances[i], class_id))
            continue;
        extent e = extent_of(&instances[i]);
        double box = (e.right - e.left) * (e.bottom - e.top);
        double log_size = log(sqrt(e.area) + 1e-4);
        out->objects++;
        out->log_size += log_size;
        out->log_size_squared += log_size * log_size;
        out->filled += box > 0 ? fmin(e.area / box, 1) : 0;
        out->crowded += meets_another(instances, count, i, &e);
    }
}
