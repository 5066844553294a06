/* COCO's files: https://cocodataset.org/#format-data and #format-results; what is read follows
 * pycocotools' COCO.loadRes and annToRLE. */
#include "metrics/coco.h"
#include "base/error.h"
#include "pts/file.h"
#include "base/memory.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The ground truth of COCO's training set has 0.45 GB. */
#define MAX_FILE ((size_t)1 << 30)
/* Beyond it an integer written as 1e30 or 42.0 is no longer exact. */
#define MAX_EXACT 9007199254740992.0

typedef struct image_size {
    size_t height, width;
} image_size;

/* Where the reading is: every message begins with it. */
typedef struct reader {
    pts_coco *coco;
    const char *path, *list;
    size_t index;
    int has_id;
    int64_t id;
    image_size *sizes; /* [images], for masks */
    pts_ids annotations;
    int boxes; /* the first result has a bbox */
    pts_error *err;
} reader;

static pts_status fail(const reader *r, pts_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static pts_status fail(const reader *r, pts_status status, const char *format, ...)
{
    char text[384], id[32] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->has_id)
        snprintf(id, sizeof id, " (id %lld)", (long long)r->id);
    return pts_fail(r->err, status, "%s: %s[%zu]%s: %s", r->path, r->list, r->index, id, text);
}

/* A failure from below, with the place put before it. */
static pts_status placed(const reader *r, pts_status status, const pts_error *inner)
{
    return status == PTS_OK ? PTS_OK : fail(r, status, "%s", inner->message);
}

static const char *kind_of(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

static pts_status get_integer(const reader *r, const json_t *entry, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(entry, key);
    double number = json_number_value(value);
    if (json_is_integer(value))
        *out = json_integer_value(value);
    else if (json_is_real(value) && floor(number) == number && fabs(number) <= MAX_EXACT)
        *out = (int64_t)number;
    else
        return fail(r, PTS_ERR_FORMAT, "%s: expected an integer, got %s", key, kind_of(value));
    return PTS_OK;
}

static pts_status get_number(const reader *r, const json_t *entry, const char *key, double *out)
{
    const json_t *value = json_object_get(entry, key);
    if (!json_is_number(value))
        return fail(r, PTS_ERR_FORMAT, "%s: expected a number, got %s", key, kind_of(value));
    *out = json_number_value(value);
    return PTS_OK;
}

static pts_status get_box(const reader *r, const json_t *entry, double box[4])
{
    const json_t *value = json_object_get(entry, "bbox");
    if (!json_is_array(value))
        return fail(r, PTS_ERR_FORMAT, "bbox: expected a list of 4 numbers, got %s",
                    kind_of(value));
    if (json_array_size(value) != 4)
        return fail(r, PTS_ERR_FORMAT, "bbox: expected 4 numbers, got %zu", json_array_size(value));
    for (size_t i = 0; i < 4; i++) {
        const json_t *number = json_array_get(value, i);
        if (!json_is_number(number))
            return fail(r, PTS_ERR_FORMAT, "bbox[%zu]: expected a number, got %s", i,
                        kind_of(number));
        box[i] = json_number_value(number);
    }
    return PTS_OK;
}

/* ---- segmentations ---- */

static pts_status read_part(const reader *r, const json_t *part, size_t index, image_size size,
                            pts_rle **out)
{
    size_t count = json_array_size(part);
    if (!json_is_array(part) || count < 6 || count % 2)
        return fail(r, PTS_ERR_FORMAT,
                    "segmentation[%zu]: expected an even count of at least 6 numbers, got %zu",
                    index, count);
    double *xy = pts_calloc64(count, sizeof *xy);
    if (!xy)
        return pts_fail_memory(r->err, count * sizeof *xy);
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(part, i);
        if (!json_is_number(number)) {
            free(xy);
            return fail(r, PTS_ERR_FORMAT, "segmentation[%zu][%zu]: expected a number, got %s",
                        index, i, kind_of(number));
        }
        xy[i] = json_number_value(number);
    }
    pts_error inner;
    pts_status status = pts_rle_from_polygon(out, xy, count / 2, size.height, size.width, &inner);
    free(xy);
    return placed(r, status, &inner);
}

static pts_status read_parts(const reader *r, const json_t *parts, image_size size, pts_rle **masks)
{
    for (size_t i = 0; i < json_array_size(parts); i++)
        PTS_TRY(read_part(r, json_array_get(parts, i), i, size, &masks[i]));
    return PTS_OK;
}

static pts_status read_polygons(const reader *r, const json_t *parts, image_size size,
                                pts_rle **out)
{
    size_t count = json_array_size(parts);
    if (!count)
        return fail(r, PTS_ERR_FORMAT, "segmentation: expected at least 1 polygon, got none");
    pts_rle **masks = pts_calloc64(count, sizeof *masks);
    if (!masks)
        return pts_fail_memory(r->err, count * sizeof *masks);
    pts_error inner;
    pts_status status = read_parts(r, parts, size, masks);
    if (status == PTS_OK)
        status = placed(r, pts_rle_merge(out, masks, count, 0, &inner), &inner);
    for (size_t i = 0; i < count; i++)
        pts_rle_destroy(masks[i]);
    free(masks);
    return status;
}

static pts_status read_count_list(const reader *r, const json_t *list, image_size size,
                                  pts_rle **out)
{
    size_t runs = json_array_size(list);
    uint32_t *counts = pts_calloc64(runs, sizeof *counts);
    if (!counts)
        return pts_fail_memory(r->err, runs * sizeof *counts);
    pts_status status = PTS_OK;
    for (size_t i = 0; i < runs && status == PTS_OK; i++) {
        const json_t *value = json_array_get(list, i);
        json_int_t count = json_integer_value(value);
        if (!json_is_integer(value) || count < 0 || count > (json_int_t)PTS_RLE_MAX_PIXELS)
            status =
                fail(r, PTS_ERR_FORMAT, "counts[%zu]: expected an integer of 0 … %zu, got %s", i,
                     PTS_RLE_MAX_PIXELS, json_is_integer(value) ? "one outside" : kind_of(value));
        counts[i] = (uint32_t)count;
    }
    pts_error inner;
    if (status == PTS_OK)
        status = placed(r, pts_rle_from_counts(out, counts, runs, size.height, size.width, &inner),
                        &inner);
    free(counts);
    return status;
}

static pts_status check_mask_size(const reader *r, const json_t *value, image_size size)
{
    const json_t *h = json_array_get(value, 0), *w = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(h) || !json_is_integer(w))
        return fail(r, PTS_ERR_FORMAT, "segmentation: size: expected [height, width], got %s",
                    kind_of(value));
    if (json_integer_value(h) != (json_int_t)size.height ||
        json_integer_value(w) != (json_int_t)size.width)
        return fail(r, PTS_ERR_SHAPE,
                    "segmentation: size: expected the image's %zu x %zu, got %lld x %lld",
                    size.height, size.width, (long long)json_integer_value(h),
                    (long long)json_integer_value(w));
    return PTS_OK;
}

static pts_status read_runs(const reader *r, const json_t *runs, image_size size, pts_rle **out)
{
    const json_t *counts = json_object_get(runs, "counts");
    PTS_TRY(check_mask_size(r, json_object_get(runs, "size"), size));
    if (json_is_array(counts))
        return read_count_list(r, counts, size, out);
    if (!json_is_string(counts))
        return fail(r, PTS_ERR_FORMAT, "segmentation: counts: expected a list or a string, got %s",
                    kind_of(counts));
    pts_error inner;
    pts_status status =
        pts_rle_from_string(out, json_string_value(counts), json_string_length(counts), size.height,
                            size.width, &inner);
    return placed(r, status, &inner);
}

static pts_status read_segmentation(const reader *r, const json_t *entry, image_size size,
                                    pts_rle **out)
{
    const json_t *value = json_object_get(entry, "segmentation");
    if (json_is_array(value))
        return read_polygons(r, value, size, out);
    if (json_is_object(value))
        return read_runs(r, value, size, out);
    return fail(r, PTS_ERR_FORMAT, "segmentation: expected polygons or run lengths, got %s",
                kind_of(value));
}

/* ---- entries ---- */

static pts_status read_image(reader *r, const json_t *entry)
{
    pts_error inner;
    PTS_TRY(get_integer(r, entry, "id", &r->id));
    r->has_id = 1;
    PTS_TRY(placed(r, pts_coco_add_image(r->coco, r->id, &inner), &inner));
    if (r->coco->iou == PTS_IOU_BOX && !json_object_get(entry, "height"))
        return PTS_OK;
    int64_t height, width;
    PTS_TRY(get_integer(r, entry, "height", &height));
    PTS_TRY(get_integer(r, entry, "width", &width));
    if (height < 1 || width < 1 || height > (int64_t)PTS_RLE_MAX_PIXELS ||
        width > (int64_t)PTS_RLE_MAX_PIXELS / height)
        return fail(r, PTS_ERR_LIMIT, "size: expected 1 … %zu pixels, got %lld x %lld",
                    PTS_RLE_MAX_PIXELS, (long long)height, (long long)width);
    r->sizes[r->index] = (image_size){(size_t)height, (size_t)width};
    return PTS_OK;
}

static pts_status read_category(reader *r, const json_t *entry)
{
    pts_error inner;
    PTS_TRY(get_integer(r, entry, "id", &r->id));
    r->has_id = 1;
    const char *name = json_string_value(json_object_get(entry, "name"));
    return placed(r, pts_coco_add_category(r->coco, r->id, name, &inner), &inner);
}

/* Image and category, both known. */
static pts_status read_place(const reader *r, const json_t *entry, pts_coco_object *o,
                             image_size *size)
{
    PTS_TRY(get_integer(r, entry, "image_id", &o->image));
    PTS_TRY(get_integer(r, entry, "category_id", &o->category));
    size_t image = pts_ids_find(&r->coco->images, o->image);
    if (image == PTS_NO_INDEX)
        return fail(r, PTS_ERR_FORMAT, "image_id: expected one of the %zu images, got %lld",
                    r->coco->images.count, (long long)o->image);
    if (pts_ids_find(&r->coco->categories, o->category) == PTS_NO_INDEX)
        return fail(r, PTS_ERR_FORMAT, "category_id: expected one of the %zu categories, got %lld",
                    r->coco->categories.count, (long long)o->category);
    *size = r->sizes[image];
    return PTS_OK;
}

static pts_status read_crowd(const reader *r, const json_t *entry, int *crowd)
{
    const json_t *value = json_object_get(entry, "iscrowd");
    if (!value || json_is_boolean(value)) {
        *crowd = json_is_true(value);
        return PTS_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > 1)
        return fail(r, PTS_ERR_FORMAT, "iscrowd: expected 0 or 1, got %s",
                    json_is_integer(value) ? "another integer" : kind_of(value));
    *crowd = (int)json_integer_value(value);
    return PTS_OK;
}

static pts_status read_annotation(reader *r, const json_t *entry)
{
    pts_coco_object o = {0};
    image_size size;
    pts_error inner;
    PTS_TRY(get_integer(r, entry, "id", &r->id));
    r->has_id = 1;
    PTS_TRY(placed(r, pts_ids_add(&r->annotations, r->id, "id", &inner), &inner));
    PTS_TRY(read_place(r, entry, &o, &size));
    PTS_TRY(get_number(r, entry, "area", &o.area));
    PTS_TRY(read_crowd(r, entry, &o.crowd));
    if (r->coco->iou == PTS_IOU_BOX)
        PTS_TRY(get_box(r, entry, o.box));
    else
        PTS_TRY(read_segmentation(r, entry, size, &o.mask));
    return placed(r, pts_coco_add_truth(r->coco, &o, &inner), &inner);
}

/* A result of a file with boxes: its area is the box's, even where masks are compared. */
static pts_status read_boxed(const reader *r, const json_t *entry, image_size size,
                             pts_coco_object *o)
{
    PTS_TRY(get_box(r, entry, o->box));
    o->area = o->box[2] * o->box[3];
    if (r->coco->iou == PTS_IOU_BOX)
        return PTS_OK;
    if (json_object_get(entry, "segmentation"))
        return read_segmentation(r, entry, size, &o->mask);
    const double x0 = o->box[0], x1 = x0 + o->box[2], y0 = o->box[1], y1 = y0 + o->box[3];
    const double xy[8] = {x0, y0, x0, y1, x1, y1, x1, y0};
    pts_error inner;
    return placed(r, pts_rle_from_polygon(&o->mask, xy, 4, size.height, size.width, &inner),
                  &inner);
}

/* A result of a file with masks only: the box is the mask's. */
static pts_status read_masked(const reader *r, const json_t *entry, image_size size,
                              pts_coco_object *o)
{
    if (!size.height)
        return fail(r, PTS_ERR_FORMAT, "segmentation: expected an image with a size, got none");
    PTS_TRY(read_segmentation(r, entry, size, &o->mask));
    o->area = (double)pts_rle_area(o->mask);
    if (r->coco->iou == PTS_IOU_MASK)
        return PTS_OK;
    pts_rle_box(o->mask, o->box);
    pts_rle_destroy(o->mask);
    o->mask = NULL;
    return PTS_OK;
}

static pts_status read_result(reader *r, const json_t *entry)
{
    pts_coco_object o = {0};
    image_size size;
    pts_error inner;
    if (r->index == 0)
        r->boxes = json_array_size(json_object_get(entry, "bbox")) > 0;
    PTS_TRY(read_place(r, entry, &o, &size));
    PTS_TRY(get_number(r, entry, "score", &o.score));
    PTS_TRY((r->boxes ? read_boxed : read_masked)(r, entry, size, &o));
    return placed(r, pts_coco_add_detection(r->coco, &o, &inner), &inner);
}

/* ---- files ---- */

static pts_status read_list(reader *r, const json_t *list, const char *name,
                            pts_status (*read_entry)(reader *, const json_t *))
{
    if (!json_is_array(list))
        return pts_fail(r->err, PTS_ERR_FORMAT, "%s: %s: expected a list, got %s", r->path, name,
                        kind_of(list));
    r->list = name;
    for (r->index = 0; r->index < json_array_size(list); r->index++) {
        const json_t *entry = json_array_get(list, r->index);
        r->has_id = 0;
        if (!json_is_object(entry))
            return fail(r, PTS_ERR_FORMAT, "expected an object, got %s", kind_of(entry));
        PTS_TRY(read_entry(r, entry));
    }
    return PTS_OK;
}

static pts_status load_json(reader *r, const char *path, json_t **root)
{
    char *text;
    size_t size;
    json_error_t problem;
    r->path = path;
    PTS_TRY(pts_read_file(path, MAX_FILE, &text, &size, r->err));
    *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    free(text);
    if (*root)
        return PTS_OK;
    /* jansson quotes the file, which may hold anything: the message stays one printable line. */
    for (char *c = problem.text; *c; c++) {
        if ((unsigned char)*c < ' ')
            *c = '?';
    }
    return pts_fail(r->err, PTS_ERR_FORMAT, "%s: line %d: expected JSON, got: %s", path,
                    problem.line, problem.text);
}

static pts_status read_truth(reader *r, const json_t *root)
{
    if (!json_is_object(root))
        return pts_fail(r->err, PTS_ERR_FORMAT, "%s: expected an object with annotations, got %s",
                        r->path, kind_of(root));
    const json_t *images = json_object_get(root, "images");
    size_t count = json_array_size(images);
    r->sizes = pts_calloc64(count, sizeof *r->sizes);
    if (!r->sizes)
        return pts_fail_memory(r->err, count * sizeof *r->sizes);
    PTS_TRY(read_list(r, images, "images", read_image));
    PTS_TRY(read_list(r, json_object_get(root, "categories"), "categories", read_category));
    return read_list(r, json_object_get(root, "annotations"), "annotations", read_annotation);
}

static pts_status read_results(reader *r, const json_t *root)
{
    return read_list(r, root, "results", read_result);
}

static pts_status load_file(reader *r, const char *path,
                            pts_status (*read)(reader *, const json_t *))
{
    json_t *root = NULL;
    PTS_TRY(load_json(r, path, &root));
    pts_status status = read(r, root);
    json_decref(root);
    return status;
}

pts_status pts_coco_load(pts_coco **out, const char *truth_path, const char *results_path,
                         pts_iou_kind iou, pts_error *err)
{
    reader r = {.err = err};
    *out = NULL;
    PTS_TRY(pts_coco_create(&r.coco, iou, err));
    pts_status status = load_file(&r, truth_path, read_truth);
    if (status == PTS_OK)
        status = load_file(&r, results_path, read_results);
    free(r.sizes);
    pts_ids_free(&r.annotations);
    if (status == PTS_OK)
        *out = r.coco;
    else
        pts_coco_destroy(r.coco);
    return status;
}
