#include "cli/photo_labels.h"

#include "base/error.h"
#include "base/text.h"
#include "pts/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LABEL_BYTES = 1 << 20, PATH_BYTES = 4096 };

/* Up to the last dot of the name: of the whole path, or of its last component. */
static int place_length(const char *path)
{
    const char *dot = strrchr(pts_last_component(path), '.');
    return dot ? (int)(dot - path) : (int)strlen(path);
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static bool holds(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length < PATH_BYTES && exists(path);
}

static bool is_dataset(const char *path)
{
    if (!is_folder(path))
        return pts_path_ends(path, ".json");
    return holds(path, "data.yaml") || holds(path, "_annotations.coco.json") ||
           holds(path, "annotations");
}

/* ---- whose labels ---- */

/* "a/1.txt" and "a/1.jpg". */
static bool same_place(const char *a, const char *b)
{
    int length = place_length(a);
    return length == place_length(b) && strncmp(a, b, (size_t)length) == 0;
}

static bool same_stem(const char *a, const char *b)
{
    return same_place(pts_last_component(a), pts_last_component(b));
}

static bool same_path(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool same_name(const char *a, const char *b)
{
    return same_path(pts_last_component(a), pts_last_component(b));
}

typedef bool same_paths(const char *a, const char *b);

/* What a photograph's labels may be among. */
typedef struct candidates {
    const char *(*path)(const void *of, size_t index);
    const void *of;
    size_t count;
    same_paths *nearly, *roughly; /* the photograph's in its own place; anywhere, by its name */
} candidates;

static size_t count_same(const candidates *c, const char *photograph, same_paths *same,
                         size_t *first)
{
    size_t count = 0;
    for (size_t k = 0; k < c->count; k++) {
        const char *path = c->path(c->of, k);
        if (!same(path, photograph) || (count && same_path(path, c->path(c->of, *first))))
            continue;
        if (!count++)
            *first = k;
    }
    return count;
}

/* One photograph given twice is no rival of its own. */
static pts_status check_rivals(const cli_list *photographs, const char *photograph,
                               same_paths *same, const char *path, pts_error *err)
{
    for (size_t i = 0; i < photographs->count; i++) {
        const char *other = photographs->items[i];
        if (same(other, photograph) && !same_path(other, photograph))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "%.150s: expected labels of one photograph, got those of %.150s and "
                            "%.150s",
                            path, photograph, other);
    }
    return PTS_OK;
}

/* Those in the photograph's own place first, else those of its name: how many there are, and the
 * first of them. Labels that another photograph could claim as well are nobody's. */
static pts_status match(const candidates *c, const cli_list *photographs, const char *photograph,
                        size_t *found, size_t *count, pts_error *err)
{
    same_paths *same = c->nearly;
    *count = count_same(c, photograph, same, found);
    if (!*count)
        *count = count_same(c, photograph, same = c->roughly, found);
    if (*count != 1)
        return PTS_OK;
    return check_rivals(photographs, photograph, same, c->path(c->of, *found), err);
}

/* ---- label files ---- */

static const char *source_path(const void *sources, size_t index)
{
    return ((const cli_list *)sources)->items[index];
}

static pts_status find_files(const cli_list *sources, const cli_list *photographs,
                             char paths[PTS_PHOTOGRAPHS][PATH_BYTES], pts_error *err)
{
    const candidates files = {source_path, sources, sources->count, same_place, same_stem};
    bool used[PTS_PHOTOGRAPHS] = {false};
    for (size_t i = 0; i < photographs->count; i++) {
        const char *photograph = photographs->items[i], *name = pts_last_component(photograph);
        size_t found, count;
        PTS_TRY(match(&files, photographs, photograph, &found, &count, err));
        if (!count)
            return pts_fail(err, PTS_ERR_ARGUMENT, "--labels: expected %.*s.txt for %s, got none",
                            place_length(name), name, photograph);
        if (count > 1)
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "--labels: expected one %.*s.txt for %s, got %zu", place_length(name),
                            name, photograph, count);
        used[found] = true;
        snprintf(paths[i], PATH_BYTES, "%s", sources->items[found]);
    }
    for (size_t k = 0; k < sources->count; k++)
        if (!used[k])
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "%s: expected labels of one of the photographs, got another name",
                            sources->items[k]);
    return PTS_OK;
}

/* As in YOLO's data sets a photograph without a file has no objects: "". A folder of none is
 * another folder. */
static pts_status find_in_folder(const char *folder, const cli_list *photographs,
                                 char paths[PTS_PHOTOGRAPHS][PATH_BYTES], pts_error *err)
{
    const char *first = pts_last_component(photographs->items[0]);
    size_t found = 0;
    for (size_t i = 0; i < photographs->count; i++) {
        const char *photograph = photographs->items[i], *name = pts_last_component(photograph);
        snprintf(paths[i], PATH_BYTES, "%s/%.*s.txt", folder, place_length(name), name);
        if (!exists(paths[i])) {
            paths[i][0] = '\0';
            continue;
        }
        PTS_TRY(check_rivals(photographs, photograph, same_stem, paths[i], err));
        found++;
    }
    if (found)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_ARGUMENT,
                    "%s: expected %.*s.txt or labels of another photograph, got none", folder,
                    place_length(first), first);
}

static pts_status read_texts(char *texts[PTS_PHOTOGRAPHS], pts_dataset **out,
                             const cli_list *sources, const cli_list *photographs, pts_error *err)
{
    static char paths[PTS_PHOTOGRAPHS][PATH_BYTES];
    pts_label_file files[PTS_PHOTOGRAPHS];
    bool folder = sources->count == 1 && is_folder(sources->items[0]);
    PTS_TRY(folder ? find_in_folder(sources->items[0], photographs, paths, err)
                   : find_files(sources, photographs, paths, err));
    for (size_t i = 0; i < photographs->count; i++) {
        files[i] = (pts_label_file){paths[i], "", 0};
        if (!*paths[i])
            continue;
        PTS_TRY(pts_read_file(paths[i], LABEL_BYTES, &texts[i], &files[i].size, err));
        files[i].text = texts[i];
    }
    return pts_dataset_of_labels(out, files, photographs->count, err);
}

static pts_status read_files(pts_dataset **out, const cli_list *sources,
                             const cli_list *photographs, size_t *images, pts_error *err)
{
    char *texts[PTS_PHOTOGRAPHS] = {NULL};
    pts_status status = read_texts(texts, out, sources, photographs, err);
    for (size_t i = 0; i < PTS_PHOTOGRAPHS; i++) {
        images[i] = i;
        free(texts[i]);
    }
    return status;
}

/* ---- a data set ---- */

/* Its images may lie elsewhere or be many more; a label that is wrong must not go unsaid. */
static void keep_first(void *user, pts_finding kind, const char *message)
{
    pts_error *first = user;
    if (kind == PTS_FINDING_LABEL && !*first->message)
        snprintf(first->message, sizeof first->message, "%s", message);
}

static const char *image_path(const void *set, size_t index)
{
    return pts_dataset_image_path(set, index);
}

static pts_status find_images(const pts_dataset *set, const cli_list *photographs, size_t *images,
                              pts_error *err)
{
    const candidates all = {image_path, set, pts_dataset_images(set), same_path, same_name};
    for (size_t i = 0; i < photographs->count; i++) {
        const char *photograph = photographs->items[i];
        size_t found;
        PTS_TRY(match(&all, photographs, photograph, &images[i], &found, err));
        if (found != 1)
            return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected one image called %s, got %zu",
                            pts_dataset_dir(set), pts_last_component(photograph), found);
    }
    return PTS_OK;
}

static pts_status read_dataset(pts_dataset **out, const char *path, const cli_list *photographs,
                               size_t *images, pts_error *err)
{
    pts_error first = {""};
    const pts_dataset_options options = {.report = keep_first, .user = &first};
    pts_status status = pts_dataset_read(out, path, &options, err);
    if (*first.message) {
        *err = first;
        return PTS_ERR_FORMAT;
    }
    return status == PTS_OK ? find_images(*out, photographs, images, err) : status;
}

static pts_status pick_class(cli_photo_labels *out, const pts_dataset *set, const size_t *images,
                             size_t count, const char *class_name, pts_error *err)
{
    int class_id;
    PTS_TRY(pts_label_sums_pick(set, images, count, class_name, out->sums, &class_id, err));
    out->objects = out->showing = 0;
    for (size_t i = 0; i < count; i++) {
        out->objects += (size_t)out->sums[i].objects;
        out->showing += out->sums[i].objects > 0;
    }
    snprintf(out->class_name, sizeof out->class_name, "%s", pts_dataset_class_name(set, class_id));
    return PTS_OK;
}

pts_status cli_photo_labels_read(cli_photo_labels *out, const cli_list *sources,
                                 const cli_list *photographs, const char *class_name,
                                 pts_error *err)
{
    size_t images[PTS_PHOTOGRAPHS];
    pts_dataset *set = NULL;
    const char *first = sources->items[0];
    pts_status status = sources->count == 1 && is_dataset(first)
                            ? read_dataset(&set, first, photographs, images, err)
                            : read_files(&set, sources, photographs, images, err);
    if (status == PTS_OK)
        status = pick_class(out, set, images, photographs->count, class_name, err);
    pts_dataset_close(set);
    return status;
}
