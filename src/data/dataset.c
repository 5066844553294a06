/* The data set: opened, whatever its layout, and closed. */
#define _GNU_SOURCE
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/reading.h"
#include "pts/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a set is read from: a folder or a file, or label files in memory. */
typedef struct dataset_source {
    const char *dir;
    const pts_label_file *files; /* [count] */
    size_t count;
} dataset_source;

/* "a/coins//" is coins, "a/val.json" val; "." and ".." are what they stand for. */
static pts_status set_names(pts_dataset *set, const char *dir, pts_error *err)
{
    PTS_TRY(pts_text(&set->dir, err, "%s", dir));
    for (size_t i = strlen(dir); i > 1 && set->dir[i - 1] == '/'; i--)
        set->dir[i - 1] = '\0';
    struct stat info;
    if (stat(set->dir, &info) != 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", set->dir, strerror(errno));
    const char *name = pts_last_component(set->dir);
    bool file = S_ISREG(info.st_mode) && pts_path_ends(name, ".json");
    if (!S_ISDIR(info.st_mode) && !file)
        return pts_fail(err, PTS_ERR_IO, "%s: expected a folder or a .json file", set->dir);
    char real[PATH_MAX];
    if ((!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) && realpath(set->dir, real))
        name = pts_last_component(real);
    int length = (int)(strlen(name) - (file ? strlen(".json") : 0));
    return *name ? pts_text(&set->name, err, "%.*s", length, name)
                 : pts_text(&set->name, err, "root");
}

static bool has_file(const pts_dataset *set, const char *name)
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
    bool found = false;
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

static pts_status read_folder(dataset_reading *reading, const dataset_source *source)
{
    pts_dataset *set = reading->set;
    PTS_TRY(set_names(set, source->dir, reading->err));
    PTS_TRY(read_layout(reading));
    PTS_TRY(note_crossings(reading));
    PTS_TRY(pts_dataset_index(set, reading->err));
    return check_classes(reading);
}

/* The set that `fill` has read; closed again where it fails. */
static pts_status read_set(pts_dataset **out, const dataset_source *source,
                           pts_status (*fill)(dataset_reading *reading,
                                              const dataset_source *source),
                           const pts_dataset_options *options, pts_error *err)
{
    dataset_reading reading = {.options = *options, .err = err};
    *out = NULL;
    PTS_TRY(pts_new(&reading.set, 1, sizeof *reading.set, err));
    pts_status status = fill(&reading, source);
    if (status == PTS_OK)
        *out = reading.set;
    else
        pts_dataset_close(reading.set);
    return status;
}

pts_status pts_dataset_read(pts_dataset **out, const char *dir, const pts_dataset_options *options,
                            pts_error *err)
{
    static const pts_dataset_options none;
    return read_set(out, &(dataset_source){.dir = dir}, read_folder, options ? options : &none,
                    err);
}

pts_status pts_dataset_open(pts_dataset **out, const char *dir, pts_error *err)
{
    return pts_dataset_read(out, dir, &(pts_dataset_options){.strict = true}, err);
}

/* ---- label files by themselves ---- */

static pts_status read_label_files(dataset_reading *reading, const pts_label_file *files,
                                   size_t count)
{
    pts_dataset *set = reading->set;
    PTS_TRY(pts_text(&set->dir, reading->err, "labels"));
    PTS_TRY(pts_text(&set->name, reading->err, "labels"));
    PTS_TRY(pts_text(&set->format, reading->err, "YOLO segmentation"));
    PTS_TRY(pts_text(&set->classes_path, reading->err, "labels"));
    set->classes = DATASET_MAX_CLASSES; /* until it is known which occur */
    for (size_t i = 0; i < count; i++) {
        dataset_image image = {.first = set->n_instances};
        PTS_TRY(pts_text(&image.path, reading->err, "%s", files[i].name));
        PTS_TRY(pts_dataset_add_image(reading, image));
        PTS_TRY(pts_dataset_parse_labels(reading, files[i].name, files[i].text, files[i].size));
        set->images[i].count = set->n_instances - image.first;
    }
    return PTS_OK;
}

static pts_status number_classes(pts_dataset *set, pts_error *err)
{
    int most = 0;
    for (size_t i = 0; i < set->n_instances; i++)
        most = set->instances[i].class_id > most ? set->instances[i].class_id : most;
    PTS_TRY(pts_dataset_name_classes(set, (size_t)most + 1, err));
    for (int c = 0; c <= most; c++)
        PTS_TRY(pts_text(&set->class_names[c], err, "%d", c));
    return PTS_OK;
}

static pts_status read_labels(dataset_reading *reading, const dataset_source *source)
{
    PTS_TRY(read_label_files(reading, source->files, source->count));
    PTS_TRY(number_classes(reading->set, reading->err));
    return pts_dataset_index(reading->set, reading->err);
}

pts_status pts_dataset_of_labels(pts_dataset **out, const pts_label_file *files, size_t count,
                                 pts_error *err)
{
    return read_set(out, &(dataset_source){.files = files, .count = count}, read_labels,
                    &(pts_dataset_options){.strict = true}, err);
}

/* ---- closing ---- */

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
