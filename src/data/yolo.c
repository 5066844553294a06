/* The YOLO layout: which folders there are, and which label file belongs to which image. */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/reading.h"
#include "pts/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_LABEL_FILE ((size_t)64 << 20)

/* Roboflow's layout, the same without splits, and Ultralytics' own. */
static const struct {
    const char *images, *labels, *split;
} layout[] = {
    {"images", "labels", ""},
    {"train/images", "train/labels", "train"},
    {"valid/images", "valid/labels", "valid"},
    {"val/images", "val/labels", "val"},
    {"test/images", "test/labels", "test"},
    {"images/train", "labels/train", "train"},
    {"images/valid", "labels/valid", "valid"},
    {"images/val", "labels/val", "val"},
    {"images/test", "labels/test", "test"},
};
enum { FOLDERS = sizeof layout / sizeof *layout };

static pts_status read_classes(dataset_reading *reading)
{
    pts_dataset *set = reading->set;
    char *roboflow = NULL, *notes;
    struct stat info;
    PTS_TRY(pts_text(&set->classes_path, reading->err, "%s/data.yaml", set->dir));
    PTS_TRY(pts_dataset_read_yaml(set, set->classes_path, &roboflow, reading->err));
    pts_status status = pts_text(&notes, reading->err, "%s/README.roboflow.txt", set->dir);
    if (status == PTS_OK && roboflow)
        status = pts_text(&set->format, reading->err,
                          "YOLO segmentation, exported by Roboflow as %s", roboflow);
    else if (status == PTS_OK)
        status = pts_text(&set->format, reading->err, "YOLO segmentation%s",
                          stat(notes, &info) == 0 ? ", exported by Roboflow" : "");
    free(notes);
    free(roboflow);
    return status;
}

static pts_status name_splits(pts_dataset *set, pts_error *err)
{
    PTS_TRY(pts_new(&set->splits, FOLDERS, sizeof *set->splits, err));
    for (set->n_splits = 0; set->n_splits < FOLDERS; set->n_splits++)
        PTS_TRY(pts_text(&set->splits[set->n_splits], err, "%s", layout[set->n_splits].split));
    return PTS_OK;
}

/* ---- folders ---- */

static bool is_image(const char *name)
{
    static const char *const known[] = {".jpg", ".jpeg", ".png", ".bmp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && name[0] != '.' && i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(dot, known[i]) == 0)
            return true;
    }
    return false;
}

static size_t label_stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && name[0] != '.' && strcmp(dot, ".txt") == 0 ? (size_t)(dot - name) : 0;
}

static pts_status add_image(dataset_reading *reading, size_t folder, const char *name)
{
    if (!is_image(name))
        return PTS_OK;
    dataset_image image = {.folder = folder};
    PTS_TRY(pts_text(&image.path, reading->err, "%s/%s/%s", reading->set->dir,
                     layout[folder].images, name));
    return pts_dataset_add_image(reading, image);
}

/* A label file is known where an image of its folder has its stem. */
static pts_status check_label_file(dataset_reading *reading, size_t folder, const char *name)
{
    pts_dataset *set = reading->set;
    size_t stem = label_stem(name);
    if (stem == 0)
        return PTS_OK;
    dataset_image key = {0};
    PTS_TRY(pts_text(&key.path, reading->err, "%s/%s/%s", set->dir, layout[folder].images, name));
    key.stem = strlen(key.path) - strlen(name) + stem;
    bool known = bsearch(&key, set->images, set->n_images, sizeof *set->images,
                         pts_dataset_compare_stems) != NULL;
    free(key.path);
    if (known)
        return PTS_OK;
    return pts_dataset_finding(reading, PTS_FINDING_NOTE,
                               "%s/%s/%s: expected an image in %s of this name, got none", set->dir,
                               layout[folder].labels, name, layout[folder].images);
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

/* A folder that is there and cannot be read: the images in it are lost. */
static pts_status visit_folder(dataset_reading *reading, size_t folder, const char *inner,
                               visit_entry visit)
{
    char *path;
    PTS_TRY(pts_text(&path, reading->err, "%s/%s", reading->set->dir, inner));
    pts_status status = PTS_OK;
    DIR *stream = opendir(path);
    if (stream) {
        status = visit_open(reading, stream, folder, path, visit);
        closedir(stream);
    } else if (errno != ENOENT && errno != ENOTDIR) {
        status = pts_dataset_finding(
            reading, visit == add_image ? PTS_FINDING_IMAGE : PTS_FINDING_LABEL,
            "%s: expected a folder that can be read: %s", path, strerror(errno));
    }
    free(path);
    return status;
}

/* ---- names twice ---- */

static int compare_basenames(const void *a, const void *b)
{
    const dataset_image *x = *(dataset_image *const *)a, *y = *(dataset_image *const *)b;
    int order = strcmp(pts_last_component(x->path), pts_last_component(y->path));
    return order ? order : strcmp(x->path, y->path);
}

/* The splits are pooled and split again: one picture in two of them would be learnt from and
 * measured on. */
static pts_status note_repeated_names(dataset_reading *reading)
{
    pts_dataset *set = reading->set;
    dataset_image **sorted;
    PTS_TRY(pts_new(&sorted, set->n_images, sizeof *sorted, reading->err));
    for (size_t i = 0; i < set->n_images; i++)
        sorted[i] = &set->images[i];
    qsort(sorted, set->n_images, sizeof *sorted, compare_basenames);
    size_t repeated = 0, first = 0;
    for (size_t i = 1; i < set->n_images; i++) {
        if (strcmp(pts_last_component(sorted[i - 1]->path), pts_last_component(sorted[i]->path)) ==
                0 &&
            repeated++ == 0)
            first = i;
    }
    pts_status status = PTS_OK;
    if (repeated)
        status = pts_dataset_finding(
            reading, PTS_FINDING_NOTE,
            "%s: expected a name in one folder only, got %zu again in another, the first in %s",
            sorted[first]->path, repeated, sorted[first - 1]->path);
    free(sorted);
    return status;
}

static pts_status note_shared_labels(dataset_reading *reading)
{
    for (size_t i = 1; i < reading->set->n_images; i++) {
        const dataset_image *image = &reading->set->images[i];
        if (pts_dataset_compare_stems(image - 1, image) == 0)
            PTS_TRY(pts_dataset_finding(reading, PTS_FINDING_NOTE,
                                        "%s: expected a label file of its own, got that of %s",
                                        image->path, pts_last_component(image[-1].path)));
    }
    return PTS_OK;
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
    qsort(set->images, set->n_images, sizeof *set->images, pts_dataset_compare_images);
    PTS_TRY(note_shared_labels(reading));
    return note_repeated_names(reading);
}

/* ---- labels ---- */

/* Only one that is there: an image without a label file shows no objects. */
static pts_status read_label_file(dataset_reading *reading, const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return PTS_OK;
    char *text;
    size_t size;
    pts_error why;
    if (pts_read_file(path, MAX_LABEL_FILE, &text, &size, &why) != PTS_OK)
        return pts_dataset_finding(reading, PTS_FINDING_LABEL, "%s", why.message);
    pts_status status = pts_dataset_parse_labels(reading, path, text, size);
    free(text);
    return status;
}

static pts_status read_labels(dataset_reading *reading, dataset_image *image)
{
    const pts_dataset *set = reading->set;
    image->first = set->n_instances;
    if (image->skipped)
        return PTS_OK;
    const char *name = pts_last_component(image->path);
    int stem = (int)(image->path + image->stem - name);
    char *path;
    PTS_TRY(pts_text(&path, reading->err, "%s/%s/%.*s.txt", set->dir, layout[image->folder].labels,
                     stem, name));
    pts_status status = read_label_file(reading, path);
    free(path);
    image->count = set->n_instances - image->first;
    return status;
}

pts_status pts_dataset_read_yolo(dataset_reading *reading)
{
    pts_dataset *set = reading->set;
    PTS_TRY(read_classes(reading));
    PTS_TRY(name_splits(set, reading->err));
    PTS_TRY(find_images(reading));
    PTS_TRY(pts_dataset_look(reading));
    for (size_t i = 0; i < set->n_images; i++)
        PTS_TRY(read_labels(reading, &set->images[i]));
    for (size_t i = 0; i < FOLDERS; i++)
        PTS_TRY(visit_folder(reading, i, layout[i].labels, check_label_file));
    return PTS_OK;
}
