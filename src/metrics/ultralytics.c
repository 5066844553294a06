/* Ultralytics' average precision, as of YOLOv8 (ultralytics/utils/metrics.py: ap_per_class,
 * compute_ap, mask_iou, box_iou; ultralytics/engine/validator.py: match_predictions). */
#include "metrics/coco.h"
#include "metrics/rle.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define THRESHOLDS 10
#define RECALLS 101
#define MAX_DETECTIONS 300
#define MIN_SCORE 0.001
#define UNDEFINED (-1.0)

/* A detection and the truth that it overlaps most. */
typedef struct choice {
    double score;
    size_t order, truth; /* truth: SIZE_MAX for none; counted over the category's images */
    float iou;
} choice;

typedef struct scene {
    const pts_coco *coco;
    choice *choices; /* one category's, over all images */
    size_t count, capacity;
    size_t truths;       /* the category's */
    unsigned char *seen; /* [truths] */
    double *curve;       /* [2][count + 2] */
    double *ap;          /* [categories with truths][THRESHOLDS] */
    size_t *category_index;
    size_t seen_capacity, curve_capacity, ap_capacity, index_capacity, categories;
} scene;

/* torch.linspace(0.5, 0.95, 10): single precision, from both ends towards the middle. */
static float threshold_at(size_t i)
{
    const float step = (0.95f - 0.5f) / (THRESHOLDS - 1);
    return i < THRESHOLDS / 2 ? 0.5f + step * (float)i : 0.95f - step * (float)(THRESHOLDS - 1 - i);
}

static float overlap_masks(const pts_rle *detection, const pts_rle *truth)
{
    if (detection->height != truth->height || detection->width != truth->width)
        return 0;
    float common = (float)pts_rle_overlap(detection, truth);
    return common / ((float)truth->area + (float)detection->area - common + 1e-7f);
}

static float overlap_boxes(const double detection[4], const double truth[4])
{
    float side[2], area[2] = {1, 1};
    for (int k = 0; k < 2; k++) {
        float d0 = (float)detection[k], d1 = (float)(detection[k] + detection[k + 2]);
        float t0 = (float)truth[k], t1 = (float)(truth[k] + truth[k + 2]);
        side[k] = fmaxf(fminf(d1, t1) - fmaxf(d0, t0), 0);
        area[0] *= t1 - t0;
        area[1] *= d1 - d0;
    }
    float common = side[0] * side[1];
    return common / (area[0] + area[1] - common + 1e-7f);
}

/* The truth with the largest overlap. numpy sorts rising and reads backwards, so that of equal
 * overlaps the later truth comes first. */
static choice choose(const scene *s, const coco_entry *detection, const coco_group *image)
{
    choice best = {.score = detection->score, .truth = SIZE_MAX};
    for (size_t t = 0; t < image->truth_count; t++) {
        const coco_object *d = detection->object, *truth = image->truths[t].object;
        float iou = s->coco->iou == PTS_IOU_MASK ? overlap_masks(d->mask, truth->mask)
                                                 : overlap_boxes(d->box, truth->box);
        if (iou >= best.iou && iou > 0) {
            best.iou = iou;
            best.truth = s->truths + t;
        }
    }
    return best;
}

static pts_status add_image(scene *s, const coco_group *image, pts_error *err)
{
    PTS_TRY(pts_grow(&s->choices, &s->capacity, s->count + image->detection_count,
                     sizeof *s->choices, err));
    for (size_t d = 0; d < image->detection_count; d++) {
        s->choices[s->count] = choose(s, &image->detections[d], image);
        s->choices[s->count].order = s->count;
        s->count++;
    }
    s->truths += image->truth_count;
    return PTS_OK;
}

static int by_score(const void *a, const void *b)
{
    const choice *x = a, *y = b;
    int order = (x->score < y->score) - (x->score > y->score);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* numpy.interp at x: of points with equal xp the last one counts. */
static double interpolate(double x, const double *xp, const double *fp, size_t count, size_t *at)
{
    while (*at + 1 < count && xp[*at + 1] <= x)
        (*at)++;
    size_t j = *at;
    if (j + 1 == count || xp[j] == x)
        return fp[j];
    return (fp[j + 1] - fp[j]) / (xp[j + 1] - xp[j]) * (x - xp[j]) + fp[j];
}

/* compute_ap: recall and precision [count] with their sentinels. */
static double area_under(const double *recall, double *precision, size_t count)
{
    double read[RECALLS], parts[RECALLS - 1];
    size_t at = 0;
    for (size_t i = count; i-- > 1;)
        precision[i - 1] = fmax(precision[i - 1], precision[i]);
    for (size_t r = 0; r < RECALLS; r++)
        read[r] = interpolate(coco_linspace(0, 1, RECALLS, r), recall, precision, count, &at);
    for (size_t r = 0; r + 1 < RECALLS; r++) {
        double width = coco_linspace(0, 1, RECALLS, r + 1) - coco_linspace(0, 1, RECALLS, r);
        parts[r] = width * (read[r + 1] + read[r]) / 2;
    }
    return coco_sum(parts, RECALLS - 1);
}

/* Of the detections that chose one truth, the first by score is right. */
static double ap_at(scene *s, float threshold)
{
    double *recall = s->curve, *precision = s->curve + s->count + 2, found = 0;
    memset(s->seen, 0, s->truths);
    recall[0] = 0;
    precision[0] = 1;
    for (size_t i = 0; i < s->count; i++) {
        const choice *c = &s->choices[i];
        if (c->truth != SIZE_MAX && c->iou >= threshold && !s->seen[c->truth]) {
            s->seen[c->truth] = 1;
            found++;
        }
        recall[i + 1] = found / ((double)s->truths + 1e-16);
        precision[i + 1] = found / (double)(i + 1);
    }
    recall[s->count + 1] = 1;
    precision[s->count + 1] = 0;
    return area_under(recall, precision, s->count + 2);
}

static pts_status evaluate_category(scene *s, coco_group rest, size_t index, pts_error *err)
{
    coco_group image;
    s->count = s->truths = 0;
    while (coco_next_image(&rest, &image))
        PTS_TRY(add_image(s, &image, err));
    if (s->count)
        qsort(s->choices, s->count, sizeof *s->choices, by_score);
    size_t row = s->categories++;
    PTS_TRY(pts_grow(&s->ap, &s->ap_capacity, s->categories * THRESHOLDS, sizeof *s->ap, err));
    PTS_TRY(pts_grow(&s->category_index, &s->index_capacity, s->categories,
                     sizeof *s->category_index, err));
    PTS_TRY(pts_grow(&s->seen, &s->seen_capacity, s->truths, 1, err));
    PTS_TRY(pts_grow(&s->curve, &s->curve_capacity, 2 * (s->count + 2), sizeof *s->curve, err));
    s->category_index[row] = index;
    for (size_t t = 0; t < THRESHOLDS; t++)
        s->ap[row * THRESHOLDS + t] = s->count ? ap_at(s, threshold_at(t)) : 0;
    return PTS_OK;
}

/* Drops crowd regions: Ultralytics' label files do not have them. */
static void drop_crowds(coco_order *order)
{
    size_t kept = 0;
    for (size_t i = 0; i < order->truth_count; i++) {
        if (!order->truths[i].object->crowd)
            order->truths[kept++] = order->truths[i];
    }
    order->truth_count = kept;
}

static int by_image_and_score(const void *a, const void *b)
{
    const coco_entry *x = a, *y = b;
    int order = (x->image > y->image) - (x->image < y->image);
    if (!order)
        order = (x->score < y->score) - (x->score > y->score);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Keeps an image's best, over all categories: that is where non-maximum suppression ends. */
static void keep_best(coco_order *order)
{
    coco_entry *d = order->detections;
    size_t kept = 0, in_image = 0;
    if (order->detection_count)
        qsort(d, order->detection_count, sizeof *d, by_image_and_score);
    for (size_t i = 0; i < order->detection_count; i++) {
        if (i && d[i].image != d[i - 1].image)
            in_image = 0;
        if (d[i].score > MIN_SCORE && in_image++ < MAX_DETECTIONS)
            d[kept++] = d[i];
    }
    order->detection_count = kept;
    coco_sort_entries(d, kept);
}

static double mean_at(const scene *s, size_t threshold, double *room)
{
    for (size_t k = 0; k < s->categories; k++)
        room[k] = s->ap[k * THRESHOLDS + threshold];
    return coco_sum(room, s->categories) / (double)s->categories;
}

static pts_status summarize(const scene *s, pts_map *out, pts_map *category_map, pts_error *err)
{
    *out = (pts_map){UNDEFINED, UNDEFINED, UNDEFINED};
    for (size_t k = 0; category_map && k < s->coco->categories.count; k++)
        category_map[k] = *out;
    if (!s->categories)
        return PTS_OK;
    double *room = pts_calloc64(s->categories, sizeof *room);
    if (!room)
        return pts_fail_memory(err, s->categories * sizeof *room);
    size_t all = s->categories * THRESHOLDS;
    *out = (pts_map){coco_sum(s->ap, all) / (double)all, mean_at(s, 0, room), mean_at(s, 5, room)};
    free(room);
    for (size_t k = 0; category_map && k < s->categories; k++) {
        const double *ap = s->ap + k * THRESHOLDS;
        category_map[s->category_index[k]] =
            (pts_map){coco_sum(ap, THRESHOLDS) / THRESHOLDS, ap[0], ap[5]};
    }
    return PTS_OK;
}

static pts_status evaluate_all(scene *s, coco_order *order, pts_error *err)
{
    drop_crowds(order);
    keep_best(order);
    coco_group category,
        rest = {order->truths, order->detections, order->truth_count, order->detection_count};
    while (coco_next_category(&rest, &category)) {
        if (!category.truth_count)
            continue;
        size_t index = order->category_index[category.truths->category];
        PTS_TRY(evaluate_category(s, category, index, err));
    }
    return PTS_OK;
}

pts_status pts_coco_evaluate_ultralytics(const pts_coco *coco, pts_map *out, pts_map *category_map,
                                         pts_error *err)
{
    scene s = {.coco = coco};
    coco_order order;
    pts_status status = coco_order_make(&order, coco, err);
    if (status == PTS_OK)
        status = evaluate_all(&s, &order, err);
    if (status == PTS_OK)
        status = summarize(&s, out, category_map, err);
    coco_order_free(&order);
    free(s.choices);
    free(s.seen);
    free(s.curve);
    free(s.ap);
    free(s.category_index);
    return status;
}
