/* Where COCO annotation files lie, and where the images they name. */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/coco.h"
#include "pts/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PREFIX "instances_"

/* The next folder of the last file's, in the order of looking. */
static char **next_base(coco_reading *c)
{
    coco_file *file = &c->files[c->n_files - 1];
    return &file->bases[file->n_bases++];
}

/* Takes over path, also on failure. */
static pts_status add_file(coco_reading *c, char *path, const char *split, int length)
{
    pts_dataset *set = c->reading->set;
    pts_error *err = c->reading->err;
    if (c->n_files == DATASET_COCO_FILES) {
        free(path);
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %d annotation files", set->dir,
                        DATASET_COCO_FILES);
    }
    c->files[c->n_files++].path = path;
    return pts_text(&set->splits[set->n_splits++], err, "%.*s", length, split);
}

/* DIR is the file itself. */
static pts_status find_single(coco_reading *c)
{
    const char *dir = c->reading->set->dir, *name = pts_last_component(dir);
    char *path;
    pts_error *err = c->reading->err;
    PTS_TRY(pts_text(&path, err, "%s", dir));
    PTS_TRY(add_file(c, path, "", 0));
    int length = (int)(name - dir);
    if (length == 0)
        PTS_TRY(pts_text(next_base(c), err, "."));
    else
        PTS_TRY(pts_text(next_base(c), err, "%.*s", length > 1 ? length - 1 : 1, dir));
    return pts_text(next_base(c), err, "%s/images", c->files[0].bases[0]);
}

/* Roboflow's. */
static pts_status find_beside_images(coco_reading *c)
{
    static const char *const splits[] = {"", "train", "valid", "val", "test"};
    const char *dir = c->reading->set->dir;
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        char *path;
        struct stat info;
        PTS_TRY(pts_text(&path, c->reading->err, "%s/%s%s_annotations.coco.json", dir, splits[i],
                         *splits[i] ? "/" : ""));
        if (stat(path, &info) != 0) {
            free(path);
            continue;
        }
        PTS_TRY(add_file(c, path, splits[i], (int)strlen(splits[i])));
        PTS_TRY(pts_text(next_base(c), c->reading->err, "%s%s%s", dir, *splits[i] ? "/" : "",
                         splits[i]));
    }
    return PTS_OK;
}

static int is_json(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && pts_path_ends(entry->d_name, ".json");
}

/* COCO's own folder also holds captions and key points of the same images. */
static int is_instances(const struct dirent *entry)
{
    return is_json(entry) && strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static pts_status add_annotations(coco_reading *c, const char *folder, const char *name)
{
    const char *dir = c->reading->set->dir;
    const char *split = strncmp(name, PREFIX, strlen(PREFIX)) ? name : name + strlen(PREFIX);
    pts_error *err = c->reading->err;
    char *path;
    PTS_TRY(pts_text(&path, err, "%s/%s", folder, name));
    PTS_TRY(add_file(c, path, split, (int)(strlen(split) - strlen(".json"))));
    split = c->reading->set->splits[c->n_files - 1];
    PTS_TRY(pts_text(next_base(c), err, "%s%s%s", dir, *split ? "/" : "", split));
    PTS_TRY(pts_text(next_base(c), err, "%s/images/%s", dir, split));
    PTS_TRY(pts_text(next_base(c), err, "%s/images", dir));
    return pts_text(next_base(c), err, "%s", dir);
}

static pts_status scan(coco_reading *c, const char *folder,
                       int (*wanted)(const struct dirent *entry))
{
    struct dirent **entries;
    int count = scandir(folder, &entries, wanted, by_bytes);
    if (count < 0 && (errno == ENOENT || errno == ENOTDIR))
        return PTS_OK;
    if (count < 0)
        return pts_fail(c->reading->err, PTS_ERR_IO, "%s: %s", folder, strerror(errno));
    pts_status status = PTS_OK;
    for (int i = 0; i < count; i++) {
        if (status == PTS_OK)
            status = add_annotations(c, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static pts_status find_annotations(coco_reading *c)
{
    char *folder;
    PTS_TRY(pts_text(&folder, c->reading->err, "%s/annotations", c->reading->set->dir));
    pts_status status = scan(c, folder, is_instances);
    if (status == PTS_OK && !c->n_files)
        status = scan(c, folder, is_json);
    free(folder);
    return status;
}

pts_status pts_dataset_coco_find(coco_reading *c)
{
    pts_dataset *set = c->reading->set;
    struct stat info;
    PTS_TRY(pts_new(&c->files, DATASET_COCO_FILES, sizeof *c->files, c->reading->err));
    PTS_TRY(pts_new(&set->splits, DATASET_COCO_FILES, sizeof *set->splits, c->reading->err));
    if (stat(set->dir, &info) == 0 && S_ISREG(info.st_mode))
        return find_single(c);
    PTS_TRY(find_beside_images(c));
    return c->n_files ? PTS_OK : find_annotations(c);
}
