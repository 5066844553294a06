/* What a data set that has been read can be asked. */
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"

#include <stdlib.h>
#include <string.h>

static void point_instances(pts_dataset *set)
{
    const float *xy = set->xy;
    const size_t *ends = set->ends;
    for (size_t i = 0; i < set->n_instances; i++) {
        pts_instance *instance = &set->instances[i];
        if (!instance->parts)
            continue; /* where no instance has any, there are no arrays either */
        instance->xy = xy;
        instance->ends = ends;
        xy += 2 * instance->points;
        ends += instance->parts;
    }
}

static void drop_skipped(pts_dataset *set)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->n_images; i++) {
        if (set->images[i].skipped)
            free(set->images[i].path);
        else
            set->images[kept++] = set->images[i];
    }
    set->n_images = kept;
}

/* Calls for each class of each image once, images rising: at[class] counts, and `list`, where
 * there is one, takes the image at the place at[class]. */
static void each_showing(const pts_dataset *set, size_t *at, size_t *seen, size_t *list)
{
    memset(seen, 0, (size_t)set->classes * sizeof *seen);
    for (size_t i = 0; i < set->n_images; i++) {
        const dataset_image *image = &set->images[i];
        for (size_t k = image->first; k < image->first + image->count; k++) {
            int class_id = set->instances[k].class_id;
            if (set->instances[k].crowd || seen[class_id] == i + 1)
                continue;
            seen[class_id] = i + 1;
            if (list)
                list[at[class_id]] = i;
            at[class_id]++;
        }
    }
}

/* showing_at[c] must end as the begin of class c: filled as running ends one place further. */
static pts_status fill_showing(pts_dataset *set, size_t *seen, pts_error *err)
{
    size_t *at = set->showing_at;
    each_showing(set, at + 1, seen, NULL);
    size_t total = 0;
    for (int c = 1; c <= set->classes; c++) {
        size_t count = at[c];
        at[c] = total;
        total += count;
    }
    PTS_TRY(pts_new(&set->showing, total, sizeof *set->showing, err));
    each_showing(set, at + 1, seen, set->showing);
    return PTS_OK;
}

pts_status pts_dataset_index(pts_dataset *set, pts_error *err)
{
    size_t classes = (size_t)set->classes, size = sizeof(size_t), *seen;
    drop_skipped(set);
    point_instances(set);
    PTS_TRY(pts_new(&set->showing_at, classes + 1, size, err));
    PTS_TRY(pts_new(&set->class_instances, classes, size, err));
    PTS_TRY(pts_new(&set->class_crowds, classes, size, err));
    PTS_TRY(pts_new(&seen, classes, size, err));
    pts_status status = fill_showing(set, seen, err);
    free(seen);
    for (size_t i = 0; i < set->n_instances; i++) {
        set->class_instances[set->instances[i].class_id]++;
        set->class_crowds[set->instances[i].class_id] += set->instances[i].crowd;
    }
    return status;
}

const char *pts_dataset_dir(const pts_dataset *set)
{
    return set->dir;
}

const char *pts_dataset_name(const pts_dataset *set)
{
    return set->name;
}

const char *pts_dataset_format(const pts_dataset *set)
{
    return set->format;
}

int pts_dataset_classes(const pts_dataset *set)
{
    return set->classes;
}

static bool has_class(const pts_dataset *set, int class_id)
{
    return class_id >= 0 && class_id < set->classes;
}

const char *pts_dataset_class_name(const pts_dataset *set, int class_id)
{
    return has_class(set, class_id) ? set->class_names[class_id] : NULL;
}

size_t pts_dataset_images(const pts_dataset *set)
{
    return set->n_images;
}

const char *pts_dataset_image_path(const pts_dataset *set, size_t image)
{
    return image < set->n_images ? set->images[image].path : NULL;
}

const char *pts_dataset_image_split(const pts_dataset *set, size_t image)
{
    if (image >= set->n_images)
        return NULL;
    return set->n_splits ? set->splits[set->images[image].folder] : "";
}

void pts_dataset_image_size(const pts_dataset *set, size_t image, size_t *width, size_t *height)
{
    *width = image < set->n_images ? set->images[image].width : 0;
    *height = image < set->n_images ? set->images[image].height : 0;
}

size_t pts_dataset_skipped_images(const pts_dataset *set)
{
    return set->skipped_images;
}

size_t pts_dataset_skipped_labels(const pts_dataset *set)
{
    return set->skipped_labels;
}

const pts_instance *pts_dataset_instances(const pts_dataset *set, size_t image, size_t *count)
{
    *count = image < set->n_images ? set->images[image].count : 0;
    return *count ? set->instances + set->images[image].first : NULL;
}

const size_t *pts_dataset_showing(const pts_dataset *set, int class_id, size_t *count)
{
    *count = 0;
    if (!has_class(set, class_id))
        return NULL;
    *count = set->showing_at[class_id + 1] - set->showing_at[class_id];
    return set->showing + set->showing_at[class_id];
}

size_t pts_dataset_class_instances(const pts_dataset *set, int class_id)
{
    return has_class(set, class_id) ? set->class_instances[class_id] : 0;
}

size_t pts_dataset_class_crowds(const pts_dataset *set, int class_id)
{
    return has_class(set, class_id) ? set->class_crowds[class_id] : 0;
}

pts_status pts_dataset_find_class(const pts_dataset *set, const char *text, int *class_id,
                                  pts_error *err)
{
    for (*class_id = 0; *class_id < set->classes; ++*class_id) {
        if (strcmp(set->class_names[*class_id], text) == 0)
            return PTS_OK;
    }
    size_t length = strlen(text);
    if (length > 0 && length < 10 && text[strspn(text, "0123456789")] == '\0') {
        *class_id = atoi(text);
        if (has_class(set, *class_id))
            return PTS_OK;
    }
    return pts_fail(err, PTS_ERR_ARGUMENT,
                    "%s: expected a class by name or by number from 0 to %d, got '%s'",
                    set->classes_path, set->classes - 1, text);
}

pts_status pts_dataset_split(pts_split **out, const pts_dataset *set, int class_id,
                             const pts_split_options *options, pts_error *err)
{
    *out = NULL;
    if (!has_class(set, class_id))
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected a class from 0 to %d, got %d",
                        set->dir, set->classes - 1, class_id);
    size_t count;
    const size_t *pool = pts_dataset_showing(set, class_id, &count);
    pts_error inner;
    pts_status status = pts_split_make(out, pool, count, options, &inner);
    if (status == PTS_OK)
        return PTS_OK;
    return pts_fail(err, status, "%s: class %d '%s': %s", set->dir, class_id,
                    set->class_names[class_id], inner.message);
}
