/* The data set: which files there are, and the owner of what they hold. */
#define _GNU_SOURCE
#include "data/dataset.h"
#include "base/error.h"
#include "pts/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_IMAGES ((size_t)1 << 20)
#define MAX_LABEL_FILE ((size_t)64 << 20)

/* Roboflow's layout, the same without splits, and Ultralytics' own. */
static const struct {
    const char *images, *labels;
} layout[] = {
    {"images", "labels"},
    {"train/images", "train/labels"},
    {"valid/images", "valid/labels"},
    {"val/images", "val/labels"},
    {"test/images", "test/labels"},
    {"images/train", "labels/train"},
    {"images/valid", "labels/valid"},
    {"images/val", "labels/val"},
    {"images/test", "labels/test"},
};
enum { FOLDERS = sizeof layout / sizeof *layout };

pts_status dataset_problem(dataset_reading *reading, int is_error, const char *format, ...)
{
    pts_error text;
    va_list args;
    va_start(args, format);
    vsnprintf(text.message, sizeof text.message, format, args);
    va_end(args);
    if (reading->report)
        reading->report(reading->user, is_error, text.message);
    else if (is_error)
        return pts_fail(reading->err, PTS_ERR_FORMAT, "%s", text.message);
    return PTS_OK;
}

static pts_status join(char **out, pts_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static pts_status join(char **out, pts_error *err, const char *format, ...)
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

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "a/coins//" is coins; "." and ".." are what they stand for. */
static pts_status set_names(pts_dataset *set, const char *dir, pts_error *err)
{
    set->dir = strdup(dir);
    if (!set->dir)
        return pts_fail_memory(err, strlen(dir) + 1);
    for (size_t i = strlen(dir); i > 1 && set->dir[i - 1] == '/'; i--)
        set->dir[i - 1] = '\0';
    struct stat info;
    if (stat(set->dir, &info) != 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", set->dir, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return pts_fail(err, PTS_ERR_IO, "%s: expected a folder", set->dir);
    const char *name = last_component(set->dir);
    char real[PATH_MAX];
    if ((!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) && realpath(set->dir, real))
        name = last_component(real);
    set->name = strdup(*name ? name : "root");
    return set->name ? PTS_OK : pts_fail_memory(err, strlen(name) + 1);
}

/* Where the extension of an image's name begins; 0 for other files. */
static size_t image_stem(const char *name)
{
    static const char *const known[] = {".jpg", ".jpeg", ".png", ".bmp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && name[0] != '.' && i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(dot, known[i]) == 0)
            return (size_t)(dot - name);
    }
    return 0;
}

static size_t label_stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && name[0] != '.' && strcmp(dot, ".txt") == 0 ? (size_t)(dot - name) : 0;
}

static pts_status add_image(dataset_reading *reading, size_t folder, const char *name)
{
    pts_dataset *set = reading->set;
    size_t stem = image_stem(name);
    if (stem == 0)
        return PTS_OK;
    if (set->n_images >= MAX_IMAGES)
        return pts_fail(reading->err, PTS_ERR_LIMIT, "%s: expected at most %zu images", set->dir,
                        MAX_IMAGES);
    PTS_TRY(pts_grow(&set->images, &set->images_room, set->n_images + 1, sizeof *set->images,
                     reading->err));
    dataset_image image = {.folder = folder};
    PTS_TRY(join(&image.path, reading->err, "%s/%s/%s", set->dir, layout[folder].images, name));
    image.stem = strlen(image.path) - strlen(name) + stem;
    set->images[set->n_images++] = image;
    return PTS_OK;
}

static int compare_stems(const void *a, const void *b)
{
    const dataset_image *x = a, *y = b;
    size_t common = x->stem < y->stem ? x->stem : y->stem;
    int order = memcmp(x->path, y->path, common);
    return order ? order : (x->stem > y->stem) - (x->stem < y->stem);
}

static int compare_images(const void *a, const void *b)
{
    const dataset_image *x = a, *y = b;
    int order = compare_stems(a, b);
    return order ? order : strcmp(x->path + x->stem, y->path + y->stem);
}

/* A label file is known where an image of its folder has its stem. */
static pts_status check_label_file(dataset_reading *reading, size_t folder, const char *name)
{
    pts_dataset *set = reading->set;
    size_t stem = label_stem(name);
    if (stem == 0)
        return PTS_OK;
    dataset_image key = {0};
    PTS_TRY(join(&key.path, reading->err, "%s/%s/%s", set->dir, layout[folder].images, name));
    key.stem = strlen(key.path) - strlen(name) + stem;
    int known =
        bsearch(&key, set->images, set->n_images, sizeof *set->images, compare_stems) != NULL;
    free(key.path);
    if (known)
        return PTS_OK;
    return dataset_problem(reading, 0, "%s/%s/%s: expected an image in %s of this name, got none",
                           set->dir, layout[folder].labels, name, layout[folder].images);
}

typedef pts_status (*visit_entry)(dataset_reading *reading, size_t folder, const char *name);

static pts_status visit_open(dataset_reading *reading, DIR *stream, size_t folder, const char *path,
                             visit_entry visit)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (!entry && errno)
            return pts_fail(reading->err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
        if (!entry)
            return PTS_OK;
        PTS_TRY(visit(reading, folder, entry->d_name));
    }
}

static pts_status visit_folder(dataset_reading *reading, size_t folder, const char *inner,
                               visit_entry visit)
{
    char *path;
    PTS_TRY(join(&path, reading->err, "%s/%s", reading->set->dir, inner));
    pts_status status = PTS_OK;
    DIR *stream = opendir(path);
    if (stream) {
        status = visit_open(reading, stream, folder, path, visit);
        closedir(stream);
    } else if (errno != ENOENT && errno != ENOTDIR) {
        status = pts_fail(reading->err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
    }
    free(path);
    return status;
}

static pts_status find_images(dataset_reading *reading)
{
    pts_dataset *set = reading->set;
    for (size_t i = 0; i < FOLDERS; i++)
        PTS_TRY(visit_folder(reading, i, layout[i].images, add_image));
    if (set->n_images == 0)
        return pts_fail(reading->err, PTS_ERR_FORMAT,
                        "%s: expected images (.jpg .jpeg .png .bmp) in images, or train/images, "
                        "valid/images, test/images, got none",
                        set->dir);
    qsort(set->images, set->n_images, sizeof *set->images, compare_images);
    for (size_t i = 1; i < set->n_images; i++) {
        const dataset_image *image = &set->images[i];
        if (compare_stems(image - 1, image) == 0)
            PTS_TRY(dataset_problem(reading, 0,
                                    "%s: expected a label file of its own, got that of %s",
                                    image->path, last_component(image[-1].path)));
    }
    return PTS_OK;
}

/* *label_path is NULL where the image has no label file. */
static pts_status find_label(const pts_dataset *set, const dataset_image *image, char **label_path,
                             pts_error *err)
{
    const char *name = last_component(image->path);
    int stem = (int)(image->path + image->stem - name);
    PTS_TRY(join(label_path, err, "%s/%s/%.*s.txt", set->dir, layout[image->folder].labels, stem,
                 name));
    struct stat info;
    if (stat(*label_path, &info) == 0)
        return PTS_OK;
    pts_status status = PTS_OK;
    if (errno != ENOENT && errno != ENOTDIR)
        status = pts_fail(err, PTS_ERR_IO, "%s: %s", *label_path, strerror(errno));
    free(*label_path);
    *label_path = NULL;
    return status;
}

static pts_status read_labels(dataset_reading *reading, dataset_image *image)
{
    image->first = reading->set->n_instances;
    char *path, *text;
    size_t size;
    PTS_TRY(find_label(reading->set, image, &path, reading->err));
    if (!path)
        return PTS_OK;
    pts_status status = pts_read_file(path, MAX_LABEL_FILE, &text, &size, reading->err);
    if (status == PTS_OK)
        status = dataset_parse_labels(reading, path, text, size);
    free(text);
    free(path);
    image->count = reading->set->n_instances - image->first;
    return status;
}

static pts_status read_yaml(dataset_reading *reading)
{
    char *path;
    PTS_TRY(join(&path, reading->err, "%s/data.yaml", reading->set->dir));
    pts_status status = dataset_read_yaml(reading->set, path, reading->err);
    free(path);
    return status;
}

static pts_status check_classes(dataset_reading *reading)
{
    const pts_dataset *set = reading->set;
    if (set->n_instances == 0)
        return dataset_problem(reading, 1,
                               "%s: expected polygons in the label files of %zu images, got none",
                               set->dir, set->n_images);
    for (int i = 0; i < set->classes; i++) {
        if (set->class_instances[i] == 0)
            PTS_TRY(dataset_problem(
                reading, 0,
                "%s/data.yaml: class %d '%s': expected an image that shows it, got none", set->dir,
                i, set->class_names[i]));
    }
    return PTS_OK;
}

static pts_status read_all(dataset_reading *reading, const char *dir)
{
    pts_dataset *set = reading->set;
    PTS_TRY(set_names(set, dir, reading->err));
    PTS_TRY(read_yaml(reading));
    PTS_TRY(find_images(reading));
    for (size_t i = 0; i < set->n_images; i++)
        PTS_TRY(read_labels(reading, &set->images[i]));
    for (size_t i = 0; i < FOLDERS; i++)
        PTS_TRY(visit_folder(reading, i, layout[i].labels, check_label_file));
    PTS_TRY(dataset_index(set, reading->err));
    return check_classes(reading);
}

static pts_status open_with(pts_dataset **out, const char *dir, dataset_reading *reading)
{
    *out = NULL;
    pts_dataset *set = calloc(1, sizeof *set);
    if (!set)
        return pts_fail_memory(reading->err, sizeof *set);
    reading->set = set;
    pts_status status = read_all(reading, dir);
    if (status == PTS_OK)
        *out = set;
    else
        pts_dataset_close(set);
    return status;
}

pts_status pts_dataset_open(pts_dataset **out, const char *dir, pts_error *err)
{
    return open_with(out, dir, &(dataset_reading){.err = err});
}

pts_status pts_dataset_inspect(pts_dataset **out, const char *dir, pts_dataset_report report,
                               void *user, pts_error *err)
{
    return open_with(out, dir, &(dataset_reading){.report = report, .user = user, .err = err});
}

void pts_dataset_close(pts_dataset *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->n_images; i++)
        free(set->images[i].path);
    for (int i = 0; i < set->classes; i++)
        free(set->class_names[i]);
    free(set->images);
    free(set->class_names);
    free(set->instances);
    free(set->xy);
    free(set->showing);
    free(set->showing_at);
    free(set->class_instances);
    free(set->dir);
    free(set->name);
    free(set);
}
