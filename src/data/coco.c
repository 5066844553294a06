/* COCO data sets (https://cocodataset.org/#format-data): files, categories and images. */
#include "data/coco.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "metrics/segmentation.h"
#include "pts/file.h"
#include "pts/image.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* instances_train2017.json has 0.45 GB. */
#define MAX_JSON ((size_t)512 << 20)
#define MAX_FILE_NAME 1024
/* Beyond it an integer written as 1e30 or 42.0 is no longer exact. */
#define MAX_EXACT 9007199254740992.0

pts_status pts_dataset_coco_list(const coco_reading *c, size_t file, const char *name,
                                 const json_t **list)
{
    *list = json_object_get(c->files[file].root, name);
    if (!json_is_array(*list))
        return pts_fail(c->reading->err, PTS_ERR_FORMAT, "%s: %s: expected a list, got %s",
                        c->files[file].path, name, pts_coco_json_kind(*list));
    return PTS_OK;
}

bool pts_dataset_coco_integer(const json_t *entry, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(entry, key);
    double number = json_number_value(value);
    if (json_is_integer(value))
        *out = json_integer_value(value);
    else if (json_is_real(value) && floor(number) == number && fabs(number) <= MAX_EXACT)
        *out = (int64_t)number;
    else
        return false;
    return true;
}

pts_status pts_dataset_coco_finding(const coco_reading *c, pts_finding kind, size_t file,
                                    const char *list, size_t index, const char *format, ...)
{
    char text[384], id[32] = "";
    int64_t number;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const json_t *entries = json_object_get(c->files[file].root, list);
    if (pts_dataset_coco_integer(json_array_get(entries, index), "id", &number))
        snprintf(id, sizeof id, " (id %lld)", (long long)number);
    return pts_dataset_finding(c->reading, kind, "%s: %s[%zu]%s: %s", c->files[file].path, list,
                               index, id, text);
}

static pts_status load(coco_reading *c, coco_file *file)
{
    char *text;
    size_t size;
    json_error_t problem;
    PTS_TRY(pts_read_file(file->path, MAX_JSON, &text, &size, c->reading->err));
    file->root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    free(text);
    /* jansson quotes the file, which may hold anything: the message stays one printable line. */
    for (char *at = problem.text; !file->root && *at; at++) {
        if ((unsigned char)*at < ' ')
            *at = '?';
    }
    if (!file->root)
        return pts_fail(c->reading->err, PTS_ERR_FORMAT, "%s: line %d: expected JSON, got: %s",
                        file->path, problem.line, problem.text);
    if (!json_is_object(file->root))
        return pts_fail(c->reading->err, PTS_ERR_FORMAT,
                        "%s: expected an object with images, categories and annotations, got %s",
                        file->path, pts_coco_json_kind(file->root));
    return PTS_OK;
}

/* ---- categories ---- */

static pts_status read_category(coco_reading *c, size_t file, const json_t *entry, size_t index)
{
    pts_error *err = c->reading->err;
    const char *path = c->files[file].path;
    const json_t *name = json_object_get(entry, "name"),
                 *group = json_object_get(entry, "supercategory");
    coco_category category = {.file = file, .group = json_string_value(group)};
    if (!pts_dataset_coco_integer(entry, "id", &category.id))
        return pts_fail(err, PTS_ERR_FORMAT, "%s: categories[%zu]: id: expected an integer, got %s",
                        path, index, pts_coco_json_kind(json_object_get(entry, "id")));
    category.name = json_string_value(name);
    size_t length = json_string_length(name), plain = 0;
    while (plain < length && (unsigned char)category.name[plain] >= ' ' &&
           category.name[plain] != 127)
        plain++;
    if (length == 0 || length > DATASET_MAX_NAME || plain < length)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: categories[%zu] (id %lld): name: expected a text of 1 to %d bytes on "
                        "one line, got %s",
                        path, index, (long long)category.id, DATASET_MAX_NAME,
                        json_is_string(name) ? "another" : pts_coco_json_kind(name));
    PTS_TRY(pts_grow(&c->categories, &c->categories_room, c->n_categories + 1,
                     sizeof *c->categories, err));
    c->categories[c->n_categories++] = category;
    return PTS_OK;
}

static int by_id(const void *a, const void *b)
{
    const coco_category *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->file > y->file) - (x->file < y->file);
}

/* The files of one set have the same ones. */
static pts_status merge_categories(coco_reading *c)
{
    size_t kept = 0;
    if (c->n_categories)
        qsort(c->categories, c->n_categories, sizeof *c->categories, by_id);
    for (size_t i = 0; i < c->n_categories; i++) {
        const coco_category *next = &c->categories[i];
        const coco_category *last = kept ? &c->categories[kept - 1] : NULL;
        if (!last || last->id != next->id) {
            c->categories[kept++] = *next;
            continue;
        }
        if (last->file == next->file)
            return pts_fail(c->reading->err, PTS_ERR_FORMAT,
                            "%s: categories: expected distinct ids, got %lld twice",
                            c->files[next->file].path, (long long)next->id);
        if (strcmp(last->name, next->name) != 0)
            return pts_fail(c->reading->err, PTS_ERR_FORMAT,
                            "%s: categories: expected id %lld to be '%.100s', as in %.150s, got "
                            "'%.100s'",
                            c->files[next->file].path, (long long)next->id, last->name,
                            c->files[last->file].path, next->name);
    }
    c->n_categories = kept;
    return PTS_OK;
}

static coco_category *find_category(const coco_reading *c, int64_t id)
{
    const coco_category key = {.id = id};
    size_t low = 0, high = c->n_categories;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->categories[middle].id < key.id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->n_categories && c->categories[low].id == id ? &c->categories[low] : NULL;
}

int pts_dataset_coco_class(const coco_reading *c, int64_t id)
{
    const coco_category *category = find_category(c, id);
    return category ? (int)(category - c->categories) : -1;
}

static void mark_used(const coco_reading *c, const json_t *annotations)
{
    int64_t id;
    for (size_t i = 0; i < json_array_size(annotations); i++) {
        if (!pts_dataset_coco_integer(json_array_get(annotations, i), "category_id", &id))
            continue;
        coco_category *category = find_category(c, id);
        if (category)
            category->used = true;
    }
}

/* Roboflow's category 0 has the project's name, the classes have it as their supercategory, and
 * nothing is labelled with it. */
static bool is_group(const coco_reading *c, const coco_category *category)
{
    if (category->used || !category->group || strcmp(category->group, "none") != 0)
        return false;
    for (size_t i = 0; i < c->n_categories; i++) {
        const coco_category *other = &c->categories[i];
        if (other != category && other->group && strcmp(other->group, category->name) == 0)
            return true;
    }
    return false;
}

static void drop_groups(coco_reading *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->n_categories; i++) {
        /* the kept ones move down over dropped ones only: what is_group compares is still there */
        if (!is_group(c, &c->categories[i]))
            c->categories[kept++] = c->categories[i];
    }
    c->n_categories = kept;
}

static pts_status name_classes(coco_reading *c)
{
    pts_dataset *set = c->reading->set;
    pts_error *err = c->reading->err;
    PTS_TRY(pts_text(&set->classes_path, err, "%s", c->files[0].path));
    if (c->n_categories < 1 || c->n_categories > DATASET_MAX_CLASSES)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: categories: expected 1 to %d, got %zu",
                        set->classes_path, DATASET_MAX_CLASSES, c->n_categories);
    PTS_TRY(pts_dataset_name_classes(set, c->n_categories, err));
    for (size_t i = 0; i < c->n_categories; i++)
        PTS_TRY(pts_text(&set->class_names[i], err, "%s", c->categories[i].name));
    return pts_dataset_check_names(set, err);
}

static pts_status read_categories(coco_reading *c)
{
    const json_t *list;
    for (size_t f = 0; f < c->n_files; f++) {
        PTS_TRY(pts_dataset_coco_list(c, f, "categories", &list));
        for (size_t i = 0; i < json_array_size(list); i++)
            PTS_TRY(read_category(c, f, json_array_get(list, i), i));
    }
    PTS_TRY(merge_categories(c));
    for (size_t f = 0; f < c->n_files; f++) {
        PTS_TRY(pts_dataset_coco_list(c, f, "annotations", &list));
        mark_used(c, list);
    }
    drop_groups(c);
    return name_classes(c);
}

/* ---- images ---- */

/* Inside of the folder, by its text: no component is "..". */
static bool is_inside(const char *name, size_t length)
{
    if (length == 0 || length > MAX_FILE_NAME || name[0] == '/')
        return false;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 127)
            return false;
    }
    for (const char *at = name; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            return false;
    }
    return true;
}

/* *path is NULL where no folder has it. */
static pts_status find_file(const coco_file *file, const char *name, char **path, pts_error *err)
{
    *path = NULL;
    for (size_t i = 0; i < file->n_bases; i++) {
        struct stat info;
        PTS_TRY(pts_text(path, err, "%s/%s", file->bases[i], name));
        if (lstat(*path, &info) == 0)
            return PTS_OK;
        free(*path);
        *path = NULL;
    }
    return PTS_OK;
}

static bool get_size(const json_t *entry, dataset_image *image)
{
    static const pts_image_limits limits = PTS_IMAGE_LIMITS_DEFAULT;
    int64_t width, height, most = (int64_t)limits.pixels;
    if (!pts_dataset_coco_integer(entry, "width", &width) ||
        !pts_dataset_coco_integer(entry, "height", &height) || width < 1 || height < 1 ||
        width > most || height > most / width)
        return false;
    image->width = (size_t)width;
    image->height = (size_t)height;
    return true;
}

static pts_status read_image(coco_reading *c, size_t f, const json_t *entry, size_t index)
{
    coco_file *file = &c->files[f];
    dataset_image image = {.folder = f};
    pts_error why;
    if (!pts_dataset_coco_integer(entry, "id", &image.id))
        return pts_dataset_coco_finding(c, PTS_FINDING_IMAGE, f, "images", index,
                                        "id: expected an integer, got %s",
                                        pts_coco_json_kind(json_object_get(entry, "id")));
    if (pts_ids_add(&file->images, image.id, "id", &why) != PTS_OK)
        return pts_dataset_coco_finding(c, PTS_FINDING_IMAGE, f, "images", index, "%s",
                                        why.message);
    file->image_of[file->images.count - 1] = SIZE_MAX;
    const json_t *value = json_object_get(entry, "file_name");
    const char *name = json_string_value(value);
    if (!is_inside(name, json_string_length(value)))
        return pts_dataset_coco_finding(
            c, PTS_FINDING_IMAGE, f, "images", index,
            "file_name: expected a path inside of the data set, got %s%.200s%s",
            name ? "'" : pts_coco_json_kind(value), name ? name : "", name ? "'" : "");
    if (!get_size(entry, &image))
        return pts_dataset_coco_finding(c, PTS_FINDING_IMAGE, f, "images", index,
                                        "'%.100s': expected a width and height of 1 to 100000000 "
                                        "pixels in all, got another size",
                                        name);
    PTS_TRY(find_file(file, name, &image.path, c->reading->err));
    if (!image.path)
        return pts_dataset_coco_finding(c, PTS_FINDING_IMAGE, f, "images", index,
                                        "expected '%.100s' in %.200s, got none", name,
                                        file->bases[0]);
    return pts_dataset_add_image(c->reading, image);
}

static pts_status read_file_images(coco_reading *c, size_t f)
{
    const json_t *list;
    PTS_TRY(pts_dataset_coco_list(c, f, "images", &list));
    size_t count = json_array_size(list);
    PTS_TRY(pts_new(&c->files[f].image_of, count, sizeof(size_t), c->reading->err));
    for (size_t i = 0; i < count; i++)
        PTS_TRY(read_image(c, f, json_array_get(list, i), i));
    return PTS_OK;
}

/* Sorted, two entries for one file are neighbours; the second one's labels are not the first's. */
static pts_status place_images(coco_reading *c)
{
    pts_dataset *set = c->reading->set;
    qsort(set->images, set->n_images, sizeof *set->images, pts_dataset_compare_images);
    for (size_t i = 0; i < set->n_images; i++) {
        dataset_image *image = &set->images[i];
        coco_file *file = &c->files[image->folder];
        file->image_of[pts_ids_find(&file->images, image->id)] = i;
        if (i > 0 && strcmp(image[-1].path, image->path) == 0) {
            image->skipped = true;
            PTS_TRY(pts_dataset_finding(c->reading, PTS_FINDING_IMAGE,
                                        "%s: image id %lld: expected a file once, got %s again",
                                        file->path, (long long)image->id, image->path));
        }
    }
    return PTS_OK;
}

pts_status pts_dataset_coco_read_images(coco_reading *c)
{
    for (size_t f = 0; f < c->n_files; f++)
        PTS_TRY(read_file_images(c, f));
    if (c->reading->set->n_images == 0)
        return pts_fail(c->reading->err, PTS_ERR_FORMAT,
                        "%s: images: expected files in %s, got none of them", c->files[0].path,
                        c->files[0].bases[0]);
    PTS_TRY(place_images(c));
    return pts_dataset_look(c->reading);
}

/* ---- the whole ---- */

static pts_status name_format(const coco_reading *c)
{
    pts_dataset *set = c->reading->set;
    char *notes;
    struct stat info;
    const char *url =
        json_string_value(json_object_get(json_object_get(c->files[0].root, "info"), "url"));
    PTS_TRY(pts_text(&notes, c->reading->err, "%s/README.roboflow.txt", set->dir));
    bool roboflow = (url && strstr(url, "roboflow.com")) || stat(notes, &info) == 0;
    free(notes);
    return pts_text(&set->format, c->reading->err, "COCO JSON%s",
                    roboflow ? ", exported by Roboflow" : "");
}

static pts_status read_files(coco_reading *c)
{
    for (size_t f = 0; f < c->n_files; f++)
        PTS_TRY(load(c, &c->files[f]));
    PTS_TRY(name_format(c));
    PTS_TRY(read_categories(c));
    PTS_TRY(pts_dataset_coco_read_images(c));
    return pts_dataset_coco_read_annotations(c);
}

static void coco_free(coco_reading *c)
{
    for (size_t f = 0; f < c->n_files; f++) {
        coco_file *file = &c->files[f];
        for (size_t i = 0; i < file->n_bases; i++)
            free(file->bases[i]);
        json_decref(file->root);
        pts_ids_free(&file->images);
        free(file->image_of);
        free(file->path);
    }
    free(c->files);
    free(c->categories);
}

pts_status pts_dataset_read_coco(dataset_reading *reading, bool *found)
{
    coco_reading c = {.reading = reading};
    pts_status status = pts_dataset_coco_find(&c);
    *found = c.n_files > 0;
    if (status == PTS_OK && *found)
        status = read_files(&c);
    coco_free(&c);
    return status;
}
