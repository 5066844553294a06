/* The evaluation's objects: adding, checking, ordering. */
#include "metrics/coco.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pts_status pts_coco_create(pts_coco **out, pts_iou_kind iou, pts_error *err)
{
    *out = NULL;
    if (iou != PTS_IOU_MASK && iou != PTS_IOU_BOX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "iou: expected masks (0) or boxes (1), got %d", iou);
    PTS_TRY(pts_new(out, 1, sizeof **out, err));
    (*out)->iou = iou;
    return PTS_OK;
}

static void free_list(coco_list *list, bool borrows)
{
    for (size_t i = 0; !borrows && i < list->count; i++)
        pts_rle_destroy((pts_rle *)list->items[i].mask);
    free(list->items);
}

void pts_coco_destroy(pts_coco *coco)
{
    if (!coco)
        return;
    free_list(&coco->truths, coco->borrows);
    free_list(&coco->detections, coco->borrows);
    for (size_t i = 0; i < coco->categories.count; i++)
        free(coco->names[i]);
    free(coco->names);
    pts_ids_free(&coco->images);
    pts_ids_free(&coco->categories);
    free(coco);
}

pts_status pts_coco_add_image(pts_coco *coco, int64_t id, pts_error *err)
{
    return pts_ids_add(&coco->images, id, "images", err);
}

pts_status pts_coco_add_category(pts_coco *coco, int64_t id, const char *name, pts_error *err)
{
    PTS_TRY(pts_grow(&coco->names, &coco->name_capacity, coco->categories.count + 1,
                     sizeof *coco->names, err));
    char *copy = strdup(name ? name : "");
    if (!copy)
        return pts_fail_memory(err, strlen(name ? name : "") + 1);
    pts_status status = pts_ids_add(&coco->categories, id, "categories", err);
    if (status == PTS_OK)
        coco->names[coco->categories.count - 1] = copy;
    else
        free(copy);
    return status;
}

size_t pts_coco_category_count(const pts_coco *coco)
{
    return coco->categories.count;
}

int64_t pts_coco_category_id(const pts_coco *coco, size_t index)
{
    return coco->categories.ids[index];
}

const char *pts_coco_category_name(const pts_coco *coco, size_t index)
{
    return coco->names[index];
}

pts_status pts_coco_append(coco_list *list, const coco_object *object, pts_error *err)
{
    PTS_TRY(pts_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, err));
    list->items[list->count++] = *object;
    return PTS_OK;
}

static pts_status find_id(const pts_ids *set, int64_t id, const char *what, size_t *index,
                          pts_error *err)
{
    *index = pts_ids_find(set, id);
    if (*index == PTS_NO_INDEX)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected one of the %zu declared, got %lld", what,
                        set->count, (long long)id);
    return PTS_OK;
}

static pts_status check_region(const pts_coco *coco, const pts_coco_object *o, pts_error *err)
{
    if (coco->iou == PTS_IOU_MASK)
        return o->mask ? PTS_OK : pts_fail(err, PTS_ERR_ARGUMENT, "mask: expected one, got none");
    for (size_t i = 0; i < 4; i++) {
        if (!isfinite(o->box[i]))
            return pts_fail(err, PTS_ERR_NUMERIC, "bbox[%zu]: expected a finite number, got %g", i,
                            o->box[i]);
        if (i > 1 && o->box[i] < 0)
            return pts_fail(err, PTS_ERR_FORMAT, "bbox[%zu]: expected a size of at least 0, got %g",
                            i, o->box[i]);
    }
    return PTS_OK;
}

pts_status pts_coco_place(const pts_coco *coco, const pts_coco_object *o, coco_object *made,
                          pts_error *err)
{
    *made = (coco_object){.mask = o->mask, .area = o->area, .score = o->score, .crowd = o->crowd};
    memcpy(made->box, o->box, sizeof made->box);
    PTS_TRY(find_id(&coco->images, o->image, "image_id", &made->image, err));
    PTS_TRY(find_id(&coco->categories, o->category, "category_id", &made->category, err));
    PTS_TRY(check_region(coco, o, err));
    if (!isfinite(o->area) || o->area < 0)
        return pts_fail(err, PTS_ERR_NUMERIC,
                        "area: expected a finite number of at least 0, got %g", o->area);
    if (!isfinite(o->score))
        return pts_fail(err, PTS_ERR_NUMERIC, "score: expected a finite number, got %g", o->score);
    return PTS_OK;
}

static pts_status add_object(pts_coco *coco, coco_list *list, const pts_coco_object *o,
                             pts_error *err)
{
    coco_object made;
    pts_status status = pts_coco_place(coco, o, &made, err);
    if (status == PTS_OK)
        status = pts_coco_append(list, &made, err);
    if (status != PTS_OK)
        pts_rle_destroy(o->mask);
    return status;
}

pts_status pts_coco_add_truth(pts_coco *coco, const pts_coco_object *truth, pts_error *err)
{
    pts_coco_object copy = *truth;
    copy.score = 0;
    return add_object(coco, &coco->truths, &copy, err);
}

pts_status pts_coco_add_detection(pts_coco *coco, const pts_coco_object *detection, pts_error *err)
{
    pts_coco_object copy = *detection;
    copy.crowd = false;
    return add_object(coco, &coco->detections, &copy, err);
}

double pts_coco_iou(const pts_coco *coco, const coco_object *detection, const coco_object *truth)
{
    return coco->iou == PTS_IOU_MASK ? pts_rle_iou(detection->mask, truth->mask, truth->crowd)
                                     : pts_box_iou(detection->box, truth->box, truth->crowd);
}

/* ---- order ---- */

static int compare_sizes(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *a, const void *b)
{
    const coco_entry *x = a, *y = b;
    int order = compare_sizes(x->category, y->category);
    if (!order)
        order = compare_sizes(x->image, y->image);
    if (!order)
        order = (x->score < y->score) - (x->score > y->score);
    return order ? order : compare_sizes(x->order, y->order);
}

void pts_coco_sort_entries(coco_entry *entries, size_t count)
{
    if (count)
        qsort(entries, count, sizeof *entries, by_place);
}

typedef struct ranked {
    int64_t id;
    size_t index;
} ranked;

static int by_id(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* rank [count]: index → rank of its identifier; index_of [count] the inverse. */
static pts_status rank_ids(const pts_ids *set, size_t **rank, size_t **index_of, pts_error *err)
{
    ranked *sorted;
    PTS_TRY(pts_new(rank, set->count, sizeof **rank, err));
    PTS_TRY(pts_new(index_of, set->count, sizeof **index_of, err));
    PTS_TRY(pts_new(&sorted, set->count, sizeof *sorted, err));
    for (size_t i = 0; i < set->count; i++)
        sorted[i] = (ranked){set->ids[i], i};
    if (set->count)
        qsort(sorted, set->count, sizeof *sorted, by_id);
    for (size_t i = 0; i < set->count; i++) {
        (*rank)[sorted[i].index] = i;
        (*index_of)[i] = sorted[i].index;
    }
    free(sorted);
    return PTS_OK;
}

static pts_status sort_list(coco_entry **out, size_t *count, const coco_list *list,
                            const size_t *category_rank, const size_t *image_rank, pts_error *err)
{
    coco_entry *entries;
    PTS_TRY(pts_new(&entries, list->count, sizeof *entries, err));
    for (size_t i = 0; i < list->count; i++) {
        const coco_object *o = &list->items[i];
        entries[i] = (coco_entry){o, category_rank[o->category], image_rank[o->image], o->score, i};
    }
    pts_coco_sort_entries(entries, list->count);
    *out = entries;
    *count = list->count;
    return PTS_OK;
}

static pts_status sort_lists(coco_order *order, const pts_coco *coco, const size_t *category_rank,
                             const size_t *image_rank, pts_error *err)
{
    PTS_TRY(sort_list(&order->truths, &order->truth_count, &coco->truths, category_rank, image_rank,
                      err));
    return sort_list(&order->detections, &order->detection_count, &coco->detections, category_rank,
                     image_rank, err);
}

pts_status pts_coco_order_make(coco_order *order, const pts_coco *coco, pts_error *err)
{
    size_t *category_rank = NULL, *image_rank = NULL, *image_index = NULL;
    *order = (coco_order){0};
    pts_status status = rank_ids(&coco->categories, &category_rank, &order->category_index, err);
    if (status == PTS_OK)
        status = rank_ids(&coco->images, &image_rank, &image_index, err);
    if (status == PTS_OK)
        status = sort_lists(order, coco, category_rank, image_rank, err);
    free(category_rank);
    free(image_rank);
    free(image_index);
    return status;
}

void pts_coco_order_free(coco_order *order)
{
    free(order->truths);
    free(order->detections);
    free(order->category_index);
    *order = (coco_order){0};
}

/* How many at the front share the place (category, and image unless it is SIZE_MAX). */
static size_t front(const coco_entry *entries, size_t count, size_t category, size_t image)
{
    size_t n = 0;
    while (n < count && entries[n].category == category &&
           (image == SIZE_MAX || entries[n].image == image))
        n++;
    return n;
}

static void split_front(coco_group *rest, coco_group *part, size_t category, size_t image)
{
    *part = *rest;
    part->truth_count = front(rest->truths, rest->truth_count, category, image);
    part->detection_count = front(rest->detections, rest->detection_count, category, image);
    rest->truths += part->truth_count;
    rest->truth_count -= part->truth_count;
    rest->detections += part->detection_count;
    rest->detection_count -= part->detection_count;
}

static const coco_entry *first_entry(const coco_group *rest)
{
    if (!rest->truth_count)
        return rest->detection_count ? rest->detections : NULL;
    if (!rest->detection_count)
        return rest->truths;
    const coco_entry *t = rest->truths, *d = rest->detections;
    if (t->category != d->category)
        return t->category < d->category ? t : d;
    return t->image <= d->image ? t : d;
}

bool pts_coco_next_category(coco_group *rest, coco_group *category)
{
    const coco_entry *next = first_entry(rest);
    if (next)
        split_front(rest, category, next->category, SIZE_MAX);
    return next != NULL;
}

bool pts_coco_next_image(coco_group *rest, coco_group *image)
{
    const coco_entry *next = first_entry(rest);
    if (next)
        split_front(rest, image, next->category, next->image);
    return next != NULL;
}

/* ---- numpy's arithmetic ---- */

double pts_coco_sum(const double *values, size_t count)
{
    if (count > 128) {
        size_t half = count / 2 / 8 * 8;
        return pts_coco_sum(values, half) + pts_coco_sum(values + half, count - half);
    }
    double lanes[8] = {0}, sum = 0;
    size_t whole = count / 8 * 8;
    for (size_t i = 0; i < whole; i++)
        lanes[i % 8] += values[i];
    if (whole)
        sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
              ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    for (size_t i = whole; i < count; i++)
        sum += values[i];
    return sum;
}

double pts_coco_linspace(double first, double last, size_t count, size_t i)
{
    return i + 1 == count ? last : (double)i * ((last - first) / (double)(count - 1)) + first;
}
