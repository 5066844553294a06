#include "cli/photo_labels.h"

#include "pts/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PHOTOGRAPHS = 4, LABEL_BYTES = 1 << 20, PATH_BYTES = 4096 };

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int stem_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? (int)(dot - name) : (int)strlen(name);
}

static bool same_stem(const char *a, const char *b)
{
    a = file_name(a), b = file_name(b);
    int length = stem_length(a);
    return length == stem_length(b) && strncmp(a, b, (size_t)length) == 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool holds(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    struct stat info;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length < PATH_BYTES && stat(path, &info) == 0;
}

static bool is_dataset(const char *path)
{
    if (!is_folder(path))
        return pts_path_ends(path, ".json");
    return holds(path, "data.yaml") || holds(path, "_annotations.coco.json") ||
           holds(path, "annotations");
}

/* ---- label files ---- */

/* Those of photographs [count] in order. */
static pts_status find_files(const cli_list *sources, const cli_list *photographs,
                             char paths[PHOTOGRAPHS][PATH_BYTES], pts_error *err)
{
    const char *first = sources->items[0];
    bool folder = sources->count == 1 && is_folder(first);
    size_t used = 0;
    for (size_t i = 0; i < photographs->count; i++) {
        const char *name = file_name(photographs->items[i]), *found = NULL;
        if (folder)
            snprintf(paths[i], PATH_BYTES, "%s/%.*s.txt", first, stem_length(name), name);
        for (size_t k = 0; k < sources->count && !folder; k++)
            if (same_stem(sources->items[k], name))
                found = sources->items[k];
        if (found)
            snprintf(paths[i], PATH_BYTES, "%s", found);
        else if (!folder)
            return pts_fail(err, PTS_ERR_ARGUMENT, "--labels: expected %.*s.txt for %s, got none",
                            stem_length(name), name, photographs->items[i]);
    }
    for (size_t k = 0; k < sources->count && !folder; k++, used = 0) {
        for (size_t i = 0; i < photographs->count; i++)
            used += same_stem(sources->items[k], photographs->items[i]);
        if (!used)
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "%s: expected labels of one of the photographs, got another name",
                            sources->items[k]);
    }
    return PTS_OK;
}

static pts_status read_files(pts_dataset **out, const cli_list *sources,
                             const cli_list *photographs, size_t *images, pts_error *err)
{
    static char paths[PHOTOGRAPHS][PATH_BYTES];
    char *texts[PHOTOGRAPHS] = {NULL};
    pts_label_file files[PHOTOGRAPHS];
    pts_status status = find_files(sources, photographs, paths, err);
    for (size_t i = 0; status == PTS_OK && i < photographs->count; i++) {
        images[i] = i;
        files[i].name = paths[i];
        status = pts_read_file(paths[i], LABEL_BYTES, &texts[i], &files[i].size, err);
        files[i].text = texts[i];
    }
    if (status == PTS_OK)
        status = pts_dataset_of_labels(out, files, photographs->count, err);
    for (size_t i = 0; i < PHOTOGRAPHS; i++)
        free(texts[i]);
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

static pts_status find_images(const pts_dataset *set, const cli_list *photographs, size_t *images,
                              pts_error *err)
{
    for (size_t i = 0; i < photographs->count; i++) {
        const char *name = file_name(photographs->items[i]);
        size_t found = 0;
        for (size_t k = 0; k < pts_dataset_images(set); k++)
            if (strcmp(file_name(pts_dataset_image_path(set, k)), name) == 0) {
                images[i] = k;
                found++;
            }
        if (found != 1)
            return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected one image called %s, got %zu",
                            pts_dataset_dir(set), name, found);
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

pts_status cli_photo_labels_read(cli_photo_labels *out, const cli_list *sources,
                                 const cli_list *photographs, const char *class_name,
                                 pts_error *err)
{
    size_t images[PHOTOGRAPHS];
    int class_id;
    pts_dataset *set = NULL;
    const char *first = sources->items[0];
    pts_status status = sources->count == 1 && is_dataset(first)
                            ? read_dataset(&set, first, photographs, images, err)
                            : read_files(&set, sources, photographs, images, err);
    if (status == PTS_OK)
        status = pts_label_sums_pick(set, images, photographs->count, class_name, out->sums,
                                     &class_id, err);
    out->objects = out->showing = 0;
    for (size_t i = 0; status == PTS_OK && i < photographs->count; i++) {
        out->objects += (size_t)out->sums[i].objects;
        out->showing += out->sums[i].objects > 0;
    }
    if (status == PTS_OK)
        snprintf(out->class_name, sizeof out->class_name, "%s",
                 pts_dataset_class_name(set, class_id));
    pts_dataset_close(set);
    return status;
}
