/* What the readers of a data set's layouts share: findings, and adding to what is read. */
#include "data/reading.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/order.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_IMAGES ((size_t)1 << 20)
#define MAX_INSTANCES ((size_t)1 << 24)
#define MAX_FLOATS ((size_t)1 << 28) /* two a point */

/* Names of files and whatever a file holds may be in it: the message stays one line. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = '?';
    }
}

pts_status pts_dataset_finding(dataset_reading *reading, pts_finding kind, const char *format, ...)
{
    pts_error text;
    va_list args;
    va_start(args, format);
    vsnprintf(text.message, sizeof text.message, format, args);
    va_end(args);
    make_printable(text.message);
    reading->set->skipped_images += kind == PTS_FINDING_IMAGE;
    reading->set->skipped_labels += kind == PTS_FINDING_LABEL;
    if (reading->options.report)
        reading->options.report(reading->options.user, kind, text.message);
    if (reading->options.strict && kind != PTS_FINDING_NOTE)
        return pts_fail(reading->err, PTS_ERR_FORMAT, "%s", text.message);
    return PTS_OK;
}

pts_status pts_dataset_name_classes(pts_dataset *set, size_t count, pts_error *err)
{
    PTS_TRY(pts_new(&set->class_names, count, sizeof *set->class_names, err));
    set->classes = (int)count;
    return PTS_OK;
}

/* `--class NAME` and the store tell classes apart by name. */
pts_status pts_dataset_check_names(const pts_dataset *set, pts_error *err)
{
    size_t count = (size_t)set->classes;
    char **sorted;
    PTS_TRY(pts_new(&sorted, count, sizeof *sorted, err));
    memcpy(sorted, set->class_names, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, pts_compare_texts);
    pts_status status = PTS_OK;
    for (size_t i = 1; i < count && status == PTS_OK; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status =
                pts_fail(err, PTS_ERR_FORMAT, "%s: names: expected distinct names, got '%s' twice",
                         set->classes_path, sorted[i]);
    }
    free(sorted);
    return status;
}

static size_t stem_of(const char *path)
{
    const char *dot = strrchr(pts_last_component(path), '.');
    return dot ? (size_t)(dot - path) : strlen(path);
}

static pts_status make_room(dataset_reading *reading)
{
    pts_dataset *set = reading->set;
    if (set->n_images >= MAX_IMAGES)
        return pts_fail(reading->err, PTS_ERR_LIMIT, "%s: expected at most %zu images", set->dir,
                        MAX_IMAGES);
    return pts_grow(&set->images, &set->images_room, set->n_images + 1, sizeof *set->images,
                    reading->err);
}

pts_status pts_dataset_add_image(dataset_reading *reading, dataset_image image)
{
    pts_dataset *set = reading->set;
    pts_status status = make_room(reading);
    if (status != PTS_OK) {
        free(image.path);
        return status;
    }
    image.stem = stem_of(image.path);
    set->images[set->n_images++] = image;
    return PTS_OK;
}

int pts_dataset_compare_stems(const void *a, const void *b)
{
    const dataset_image *x = a, *y = b;
    size_t common = x->stem < y->stem ? x->stem : y->stem;
    int order = memcmp(x->path, y->path, common);
    return order ? order : (x->stem > y->stem) - (x->stem < y->stem);
}

int pts_dataset_compare_images(const void *a, const void *b)
{
    const dataset_image *x = a, *y = b;
    int order = pts_dataset_compare_stems(a, b);
    return order ? order : strcmp(x->path + x->stem, y->path + y->stem);
}

pts_status pts_dataset_add_coordinate(pts_dataset *set, double value, pts_error *err)
{
    if (set->n_xy >= MAX_FLOATS)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %zu polygon points", set->dir,
                        MAX_FLOATS / 2);
    PTS_TRY(pts_grow(&set->xy, &set->xy_room, set->n_xy + 1, sizeof *set->xy, err));
    set->xy[set->n_xy++] = value > 1 ? 1.0f : value > 0 ? (float)value : 0.0f;
    return PTS_OK;
}

pts_status pts_dataset_add_end(pts_dataset *set, size_t first_xy, pts_error *err)
{
    PTS_TRY(pts_grow(&set->ends, &set->ends_room, set->n_ends + 1, sizeof *set->ends, err));
    set->ends[set->n_ends++] = (set->n_xy - first_xy) / 2;
    return PTS_OK;
}

pts_status pts_dataset_add_instance(pts_dataset *set, const pts_instance *instance, pts_error *err)
{
    if (set->n_instances >= MAX_INSTANCES)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %zu instances", set->dir,
                        MAX_INSTANCES);
    PTS_TRY(pts_grow(&set->instances, &set->instances_room, set->n_instances + 1,
                     sizeof *set->instances, err));
    set->instances[set->n_instances++] = *instance;
    return PTS_OK;
}
