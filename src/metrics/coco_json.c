/* COCO's files: https://cocodataset.org/#format-data and #format-results; what is read follows
 * pycocotools' COCO.loadRes and annToRLE. */
#include "metrics/coco.h"
#include "metrics/segmentation.h"
#include "metrics/slices.h"
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

/* Where the reading is: every message begins with it. Each thread has its own. */
typedef struct reader {
    pts_coco *coco;
    pts_team *team;
    const char *path, *list;
    coco_slice file;
    size_t index;
    bool has_id;
    int64_t id;
    image_size *sizes; /* [images], for masks */
    bool boxes;        /* the first result has a bbox */
    coco_object *made; /* where the annotation or result goes */
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
#ifdef __clang_analyzer__ /* as base/error.h has it of pts_fail */
#define fail(...) pts_never_ok(fail(__VA_ARGS__))
#endif

/* A failure from below, with the place put before it. */
static pts_status placed(const reader *r, pts_status status, const pts_error *inner)
{
    return status == PTS_OK ? PTS_OK : fail(r, status, "%s", inner->message);
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
        return fail(r, PTS_ERR_FORMAT, "%s: expected an integer, got %s", key,
                    pts_coco_json_kind(value));
    return PTS_OK;
}

static pts_status get_number(const reader *r, const json_t *entry, const char *key, double *out)
{
    const json_t *value = json_object_get(entry, key);
    if (!json_is_number(value))
        return fail(r, PTS_ERR_FORMAT, "%s: expected a number, got %s", key,
                    pts_coco_json_kind(value));
    *out = json_number_value(value);
    return PTS_OK;
}

static pts_status get_box(const reader *r, const json_t *entry, double box[4])
{
    const json_t *value = json_object_get(entry, "bbox");
    if (!json_is_array(value))
        return fail(r, PTS_ERR_FORMAT, "bbox: expected a list of 4 numbers, got %s",
                    pts_coco_json_kind(value));
    if (json_array_size(value) != 4)
        return fail(r, PTS_ERR_FORMAT, "bbox: expected 4 numbers, got %zu", json_array_size(value));
    for (size_t i = 0; i < 4; i++) {
        const json_t *number = json_array_get(value, i);
        if (!json_is_number(number))
            return fail(r, PTS_ERR_FORMAT, "bbox[%zu]: expected a number, got %s", i,
                        pts_coco_json_kind(number));
        box[i] = json_number_value(number);
    }
    return PTS_OK;
}

static pts_status read_segmentation(const reader *r, const json_t *entry, image_size size,
                                    pts_rle **out)
{
    const json_t *value = json_object_get(entry, "segmentation");
    pts_error inner;
    pts_status status = pts_coco_segmentation_mask(out, value, size.height, size.width, &inner);
    return placed(r, status, &inner);
}

/* ---- entries ---- */

static pts_status read_image(reader *r, const json_t *entry)
{
    pts_error inner;
    PTS_TRY(get_integer(r, entry, "id", &r->id));
    r->has_id = true;
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
    r->has_id = true;
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

static pts_status read_crowd(const reader *r, const json_t *entry, bool *crowd)
{
    const json_t *value = json_object_get(entry, "iscrowd");
    if (!value || json_is_boolean(value)) {
        *crowd = json_is_true(value);
        return PTS_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > 1)
        return fail(r, PTS_ERR_FORMAT, "iscrowd: expected 0 or 1, got %s",
                    json_is_integer(value) ? "another integer" : pts_coco_json_kind(value));
    *crowd = json_integer_value(value) == 1;
    return PTS_OK;
}

static pts_status read_annotation(reader *r, const json_t *entry)
{
    pts_coco_object o = {0};
    image_size size;
    pts_error inner;
    PTS_TRY(get_integer(r, entry, "id", &r->id));
    r->has_id = true;
    PTS_TRY(read_place(r, entry, &o, &size));
    PTS_TRY(get_number(r, entry, "area", &o.area));
    PTS_TRY(read_crowd(r, entry, &o.crowd));
    if (r->coco->iou == PTS_IOU_BOX)
        PTS_TRY(get_box(r, entry, o.box));
    else
        PTS_TRY(read_segmentation(r, entry, size, &o.mask));
    return placed(r, pts_coco_place(r->coco, &o, r->made, &inner), &inner);
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
    PTS_TRY(read_place(r, entry, &o, &size));
    PTS_TRY(get_number(r, entry, "score", &o.score));
    PTS_TRY((r->boxes ? read_boxed : read_masked)(r, entry, size, &o));
    return placed(r, pts_coco_place(r->coco, &o, r->made, &inner), &inner);
}

/* ---- lists ---- */

typedef pts_status (*entry_reader)(reader *, const json_t *);

/* jansson's complaint. It quotes the file, which may hold anything: the message stays one
 * printable line. */
static pts_status fail_json(const reader *r, const char *from, json_error_t *problem)
{
    size_t line = (size_t)problem->line;
    for (const char *c = r->file.text; c < from; c++)
        line += *c == '\n';
    for (char *c = problem->text; *c; c++) {
        if ((unsigned char)*c < ' ')
            *c = '?';
    }
    return pts_fail(r->err, PTS_ERR_FORMAT, "%s: line %zu: expected JSON, got: %s", r->path, line,
                    problem->text);
}

static pts_status parse(const reader *r, coco_slice slice, json_t **out)
{
    json_error_t problem;
    *out = json_loadb(slice.text, slice.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    return *out ? PTS_OK : fail_json(r, slice.text, &problem);
}

/* What could not be split: the parser says where it breaks, or it is another kind of value than
 * `what` wants. */
static pts_status fail_split(const reader *r, coco_slice slice, const char *what)
{
    json_t *value = NULL;
    pts_status status = parse(r, slice, &value);
    if (status == PTS_OK)
        status = pts_fail(r->err, PTS_ERR_FORMAT, "%s: %s, got %s", r->path, what,
                          pts_coco_json_kind(value));
    json_decref(value);
    return status;
}

static pts_status split_list(const reader *r, coco_slice slice, const char *name,
                             coco_slices *entries)
{
    char what[64];
    snprintf(what, sizeof what, "%s: expected a list", name);
    if (!slice.text)
        return pts_fail(r->err, PTS_ERR_FORMAT, "%s: %s, got nothing", r->path, what);
    pts_status status = pts_coco_split_list(slice, entries, r->err);
    return status == PTS_ERR_FORMAT ? fail_split(r, slice, what) : status;
}

static pts_status read_entry(reader *r, coco_slice slice, entry_reader read)
{
    json_t *entry;
    r->has_id = false;
    PTS_TRY(parse(r, slice, &entry));
    pts_status status =
        json_is_object(entry)
            ? read(r, entry)
            : fail(r, PTS_ERR_FORMAT, "expected an object, got %s", pts_coco_json_kind(entry));
    json_decref(entry);
    return status;
}

/* Images or categories, which are few. */
static pts_status read_declarations(reader *r, coco_slice list, const char *name, entry_reader read)
{
    coco_slices entries = {0};
    r->list = name;
    pts_status status = split_list(r, list, name, &entries);
    if (status == PTS_OK && read == read_image)
        status = pts_new(&r->sizes, entries.count, sizeof *r->sizes, r->err);
    for (r->index = 0; status == PTS_OK && r->index < entries.count; r->index++)
        status = read_entry(r, entries.items[r->index], read);
    free(entries.items);
    return status;
}

/* Annotations or results, read by all threads, a share a task. A share ends at its first bad entry;
 * of the shares the first counts, so that threads do not change what is said. */
enum { SHARE = 64 };

typedef struct share {
    pts_status status;
    size_t failed;
    pts_error err;
} share;

typedef struct reading {
    const reader *reader;
    coco_slices entries;
    entry_reader read;
    coco_object *objects; /* [entries] */
    int64_t *ids;         /* [entries], of annotations */
    bool *has_id;         /* [entries] */
    share *shares;        /* [shares] */
} reading;

static void read_share(void *user, size_t task, int thread)
{
    (void)thread;
    reading *all = user;
    share *s = &all->shares[task];
    reader r = *all->reader;
    size_t end = (task + 1) * SHARE < all->entries.count ? (task + 1) * SHARE : all->entries.count;
    r.err = &s->err;
    for (r.index = task * SHARE; r.index < end && s->status == PTS_OK; r.index++) {
        r.made = &all->objects[r.index];
        s->status = read_entry(&r, all->entries.items[r.index], all->read);
        all->ids[r.index] = r.id;
        all->has_id[r.index] = r.has_id;
        s->failed = r.index;
    }
}

/* In the order of the file: an identifier that was there before, or an entry that is broken. */
static pts_status check_entries(reader *r, const reading *all)
{
    pts_ids seen = {0};
    pts_error inner;
    pts_status status = PTS_OK;
    for (r->index = 0; r->index < all->entries.count && status == PTS_OK; r->index++) {
        const share *s = &all->shares[r->index / SHARE];
        r->has_id = all->has_id[r->index];
        r->id = all->ids[r->index];
        if (r->has_id)
            status = placed(r, pts_ids_add(&seen, r->id, "id", &inner), &inner);
        if (status == PTS_OK && s->status != PTS_OK && r->index == s->failed)
            status = pts_fail(r->err, s->status, "%s", s->err.message);
    }
    pts_ids_free(&seen);
    return status;
}

static pts_status read_shares(reader *r, reading *all)
{
    size_t count = all->entries.count, shares = (count + SHARE - 1) / SHARE;
    PTS_TRY(pts_new(&all->objects, count, sizeof *all->objects, r->err));
    PTS_TRY(pts_new(&all->ids, count, sizeof *all->ids, r->err));
    PTS_TRY(pts_new(&all->has_id, count, sizeof *all->has_id, r->err));
    PTS_TRY(pts_new(&all->shares, shares, sizeof *all->shares, r->err));
    pts_team_run(r->team, shares, read_share, all);
    return check_entries(r, all);
}

/* Of a result, where it may be broken: that is said when it is read. */
static bool has_box(coco_slice first)
{
    json_t *entry = json_loadb(first.text, first.length, JSON_REJECT_DUPLICATES, NULL);
    bool has = json_array_size(json_object_get(entry, "bbox")) > 0;
    json_decref(entry);
    return has;
}

static pts_status read_objects(reader *r, coco_slice list, const char *name, entry_reader read,
                               coco_list *out)
{
    reading all = {.reader = r, .read = read};
    r->list = name;
    pts_status status = split_list(r, list, name, &all.entries);
    if (status == PTS_OK && all.entries.count)
        r->boxes = has_box(all.entries.items[0]);
    if (status == PTS_OK)
        status = read_shares(r, &all);
    /* Handed over also when it failed: with the evaluation the masks are released. */
    if (all.objects)
        *out = (coco_list){all.objects, all.entries.count, all.entries.count};
    free(all.entries.items);
    free(all.ids);
    free(all.has_id);
    free(all.shares);
    return status;
}

/* ---- files ---- */

typedef struct truth_lists {
    coco_slice images, categories, annotations;
} truth_lists;

/* One member of the truth's object; what is of no use is parsed all the same, as broken JSON is
 * broken wherever it is. */
static pts_status take_member(const reader *r, const char *name, coco_slice value,
                              truth_lists *lists)
{
    json_t *unused = NULL;
    if (strcmp(name, "images") == 0)
        lists->images = value;
    else if (strcmp(name, "categories") == 0)
        lists->categories = value;
    else if (strcmp(name, "annotations") == 0)
        lists->annotations = value;
    else
        PTS_TRY(parse(r, value, &unused));
    json_decref(unused);
    return PTS_OK;
}

/* Members of the truth's object by name. A name twice, or one that is no string, is for the
 * parser to complain about. */
static pts_status take_members(const reader *r, const coco_slices *members, json_t *names,
                               truth_lists *lists)
{
    for (size_t i = 0; i < members->count; i += 2) {
        json_t *name;
        PTS_TRY(parse(r, members->items[i], &name));
        const char *text = json_string_value(name);
        pts_status status = PTS_ERR_FORMAT;
        if (!text || json_object_get(names, text))
            status = fail_split(r, r->file, "expected names that differ");
        else if (json_object_set_new(names, text, json_null()) != 0)
            status = pts_fail_memory(r->err, strlen(text));
        else
            status = take_member(r, text, members->items[i + 1], lists);
        json_decref(name);
        PTS_TRY(status);
    }
    return PTS_OK;
}

static pts_status find_lists(const reader *r, truth_lists *lists)
{
    coco_slices members = {0};
    json_t *names = json_object();
    pts_status status = pts_coco_split_object(r->file, &members, r->err);
    if (status == PTS_ERR_FORMAT)
        status = fail_split(r, r->file, "expected an object with annotations");
    if (status == PTS_OK)
        status = take_members(r, &members, names, lists);
    json_decref(names);
    free(members.items);
    return status;
}

static pts_status read_truth(reader *r)
{
    truth_lists lists = {.images = {NULL, 0}};
    PTS_TRY(find_lists(r, &lists));
    PTS_TRY(read_declarations(r, lists.images, "images", read_image));
    PTS_TRY(read_declarations(r, lists.categories, "categories", read_category));
    return read_objects(r, lists.annotations, "annotations", read_annotation, &r->coco->truths);
}

static pts_status read_results(reader *r)
{
    return read_objects(r, r->file, "results", read_result, &r->coco->detections);
}

static pts_status load_file(reader *r, const char *path, pts_status (*read)(reader *))
{
    char *text;
    r->path = path;
    PTS_TRY(pts_read_file(path, MAX_FILE, &text, &r->file.length, r->err));
    r->file.text = text;
    pts_status status = read(r);
    free(text);
    return status;
}

pts_status pts_coco_load(pts_coco **out, const char *truth_path, const char *results_path,
                         pts_iou_kind iou, pts_team *team, pts_error *err)
{
    reader r = {.team = team, .err = err};
    *out = NULL;
    /* jansson's hash tables: seeded once, before threads make them. */
    json_object_seed(0);
    PTS_TRY(pts_coco_create(&r.coco, iou, err));
    pts_status status = load_file(&r, truth_path, read_truth);
    if (status == PTS_OK)
        status = load_file(&r, results_path, read_results);
    free(r.sizes);
    if (status == PTS_OK)
        *out = r.coco;
    else
        pts_coco_destroy(r.coco);
    return status;
}
