/* The data set: opened, owned, and what the readers of its layouts share. */
#define _GNU_SOURCE
#include "data/dataset.h"
#include "base/error.h"
#include "base/memory.h"
#include "pts/file.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

pts_status pts_dataset_text(char **out, pts_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vasprintf(out, format, args);
    va_end(args);
    if (length >= 0)
        return PTS_OK;
    *out = NULL;
    return pts_fail_memory(err, PATH_MAX);
}

const char *pts_dataset_last_component(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- what the layouts share ---- */

pts_status pts_dataset_name_classes(pts_dataset *set, size_t count, pts_error *err)
{
    set->class_names = calloc(count, sizeof *set->class_names);
    if (!set->class_names)
        return pts_fail_memory(err, count * sizeof *set->class_names);
    set->classes = (int)count;
    return PTS_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* `--class NAME` and the store tell classes apart by name. */
pts_status pts_dataset_check_names(const pts_dataset *set, pts_error *err)
{
    size_t count = (size_t)set->classes, bytes = count * sizeof(char *);
    char **sorted = malloc(bytes);
    if (!sorted)
        return pts_fail_memory(err, bytes);
    memcpy(sorted, set->class_names, bytes);
    qsort(sorted, count, sizeof *sorted, compare_names);
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
    const char *dot = strrchr(pts_dataset_last_component(path), '.');
    return dot ? (size_t)(dot - path) : strlen(path);
}

pts_status pts_dataset_add_image(dataset_reading *reading, dataset_image image)
{
    pts_dataset *set = reading->set;
    pts_status status = PTS_OK;
    if (set->n_images >= MAX_IMAGES)
        status = pts_fail(reading->err, PTS_ERR_LIMIT, "%s: expected at most %zu images", set->dir,
                          MAX_IMAGES);
    else
        status = pts_grow(&set->images, &set->images_room, set->n_images + 1, sizeof *set->images,
                          reading->err);
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

/* ---- opening ---- */

/* "a/coins//" is coins, "a/val.json" val; "." and ".." are what they stand for. */
static pts_status set_names(pts_dataset *set, const char *dir, pts_error *err)
{
    PTS_TRY(pts_dataset_text(&set->dir, err, "%s", dir));
    for (size_t i = strlen(dir); i > 1 && set->dir[i - 1] == '/'; i--)
        set->dir[i - 1] = '\0';
    struct stat info;
    if (stat(set->dir, &info) != 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", set->dir, strerror(errno));
    const char *name = pts_dataset_last_component(set->dir);
    int file = S_ISREG(info.st_mode) && pts_path_ends(name, ".json");
    if (!S_ISDIR(info.st_mode) && !file)
        return pts_fail(err, PTS_ERR_IO, "%s: expected a folder or a .json file", set->dir);
    char real[PATH_MAX];
    if ((!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) && realpath(set->dir, real))
        name = pts_dataset_last_component(real);
    int length = (int)(strlen(name) - (file ? strlen(".json") : 0));
    return *name ? pts_dataset_text(&set->name, err, "%.*s", length, name)
                 : pts_dataset_text(&set->name, err, "root");
}

static int has_file(const pts_dataset *set, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    int length = snprintf(path, sizeof path, "%s/%s", set->dir, name);
    return length > 0 && (size_t)length < sizeof path && lstat(path, &info) == 0;
}

#ifdef PTS_HAVE_JSON
#define COCO_FILES ", annotations/*.json or _annotations.coco.json (COCO)"
#else
#define COCO_FILES " (COCO's JSON is not built in)"
#endif

static pts_status read_layout(dataset_reading *reading)
{
    if (has_file(reading->set, "data.yaml"))
        return pts_dataset_read_yolo(reading);
    int found = 0;
#ifdef PTS_HAVE_JSON
    PTS_TRY(pts_dataset_read_coco(reading, &found));
#endif
    if (found)
        return PTS_OK;
    return pts_fail(reading->err, PTS_ERR_FORMAT,
                    "%s: expected data.yaml (YOLO)" COCO_FILES ", got none", reading->set->dir);
}

static pts_status note_crossings(dataset_reading *reading)
{
    if (!reading->crossings)
        return PTS_OK;
    return pts_dataset_finding(
        reading, PTS_FINDING_NOTE,
        "%s: expected outlines that do not cross themselves, got %zu that do",
        reading->first_crossing.message, reading->crossings);
}

static pts_status check_classes(dataset_reading *reading)
{
    const pts_dataset *set = reading->set;
    if (set->n_images == 0)
        return pts_fail(reading->err, PTS_ERR_FORMAT,
                        "%s: expected images that can be read, got none: %zu were left out",
                        set->dir, set->skipped_images);
    if (set->n_instances == 0)
        return pts_fail(reading->err, PTS_ERR_FORMAT,
                        "%s: expected labelled objects on %zu images, got none: %zu labels were "
                        "left out",
                        set->dir, set->n_images, set->skipped_labels);
    for (int i = 0; i < set->classes; i++) {
        if (set->showing_at[i] == set->showing_at[i + 1])
            PTS_TRY(
                pts_dataset_finding(reading, PTS_FINDING_NOTE,
                                    "%s: class %d '%s': expected an image that shows it, got none",
                                    set->classes_path, i, set->class_names[i]));
    }
    return PTS_OK;
}

static pts_status read_all(dataset_reading *reading, const char *dir)
{
    pts_dataset *set = reading->set;
    PTS_TRY(set_names(set, dir, reading->err));
    PTS_TRY(read_layout(reading));
    PTS_TRY(note_crossings(reading));
    PTS_TRY(pts_dataset_index(set, reading->err));
    return check_classes(reading);
}

pts_status pts_dataset_read(pts_dataset **out, const char *dir, const pts_dataset_options *options,
                            pts_error *err)
{
    *out = NULL;
    pts_dataset *set = calloc(1, sizeof *set);
    if (!set)
        return pts_fail_memory(err, sizeof *set);
    dataset_reading reading = {.set = set, .err = err};
    if (options)
        reading.options = *options;
    pts_status status = read_all(&reading, dir);
    if (status == PTS_OK)
        *out = set;
    else
        pts_dataset_close(set);
    return status;
}

pts_status pts_dataset_open(pts_dataset **out, const char *dir, pts_error *err)
{
    return pts_dataset_read(out, dir, &(pts_dataset_options){.strict = 1}, err);
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
}

void pts_dataset_close(pts_dataset *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->n_images; i++)
        free(set->images[i].path);
    for (size_t i = 0; i < set->n_instances; i++)
        pts_rle_destroy((pts_rle *)set->instances[i].mask);
    free_texts(set->class_names, (size_t)set->classes);
    free_texts(set->splits, set->n_splits);
    free(set->images);
    free(set->instances);
    free(set->xy);
    free(set->ends);
    free(set->showing);
    free(set->showing_at);
    free(set->class_instances);
    free(set->class_crowds);
    free(set->classes_path);
    free(set->format);
    free(set->dir);
    free(set->name);
    free(set);
}
