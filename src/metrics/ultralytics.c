/* Ultralytics' average precision (ultralytics/utils/metrics.py: ap_per_class, compute_ap,
 * mask_iou, box_iou; ultralytics/engine/validator.py: match_predictions): as of YOLOv8 up to
 * release 8.4.34, and as of 8.4.177. */
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

/* A truth that a detection overlaps by at least the lowest threshold, best first. */
typedef struct option {
    size_t truth; /* counted over the category's images */
    float iou;
} option;

typedef struct contender {
    double score;
    size_t order, first, count; /* its options */
} contender;

typedef struct scene {
    const pts_coco *coco;
    pts_ap_kind kind;
    contender *contenders; /* one category's detections, over all images */
    option *options;
    size_t count, capacity, option_count, option_capacity;
    size_t truths;       /* the category's */
    unsigned char *seen; /* [truths] */
    double *curve;       /* [2][count + 3] */
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

/* Of equal overlaps the 2026 definition takes the first truth (argmax), the older one the last: it
 * sorts rising and reads backwards. */
static bool comes_before(const scene *s, const option *a, const option *b)
{
    if (a->iou != b->iou)
        return a->iou > b->iou;
    return (a->truth < b->truth) == (s->kind == PTS_AP_ULTRALYTICS_2026);
}

static void insert_option(scene *s, contender *c, option new)
{
    option *options = s->options + c->first;
    size_t at = c->count++;
    for (; at > 0 && comes_before(s, &new, &options[at - 1]); at--)
        options[at] = options[at - 1];
    options[at] = new;
}

static pts_status find_options(scene *s, const coco_object *d, const coco_group *image,
                               contender *c, pts_error *err)
{
    for (size_t t = 0; t < image->truth_count; t++) {
        const coco_object *truth = image->truths[t].object;
        float iou = s->coco->iou == PTS_IOU_MASK ? overlap_masks(d->mask, truth->mask)
                                                 : overlap_boxes(d->box, truth->box);
        if (!(iou >= threshold_at(0)))
            continue;
        PTS_TRY(pts_grow(&s->options, &s->option_capacity, s->option_count + 1, sizeof *s->options,
                         err));
        insert_option(s, c, (option){s->truths + t, iou});
        s->option_count++;
    }
    return PTS_OK;
}

static pts_status add_image(scene *s, const coco_group *image, pts_error *err)
{
    PTS_TRY(pts_grow(&s->contenders, &s->capacity, s->count + image->detection_count,
                     sizeof *s->contenders, err));
    for (size_t d = 0; d < image->detection_count; d++) {
        contender *c = &s->contenders[s->count];
        *c = (contender){image->detections[d].score, s->count, s->option_count, 0};
        PTS_TRY(find_options(s, image->detections[d].object, image, c, err));
        s->count++;
    }
    s->truths += image->truth_count;
    return PTS_OK;
}

static int by_score(const void *a, const void *b)
{
    const contender *x = a, *y = b;
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
        read[r] = interpolate(pts_coco_linspace(0, 1, RECALLS, r), recall, precision, count, &at);
    for (size_t r = 0; r + 1 < RECALLS; r++) {
        double width =
            pts_coco_linspace(0, 1, RECALLS, r + 1) - pts_coco_linspace(0, 1, RECALLS, r);
        parts[r] = width * (read[r + 1] + read[r]) / 2;
    }
    return pts_coco_sum(parts, RECALLS - 1);
}

/* Whether a detection is right at the threshold; it takes its truth. The older definition lets it
 * look at its best truth only, taken or not. */
static int take_truth(scene *s, const contender *c, float threshold)
{
    size_t looks = s->kind == PTS_AP_ULTRALYTICS_2026 || !c->count ? c->count : 1;
    for (size_t i = 0; i < looks; i++) {
        const option *o = &s->options[c->first + i];
        if (o->iou < threshold)
            break;
        if (s->seen[o->truth])
            continue;
        s->seen[o->truth] = 1;
        return 1;
    }
    return 0;
}

static double ap_at(scene *s, float threshold)
{
    size_t room = s->count + 3, n = 0;
    double *recall = s->curve, *precision = s->curve + room, found = 0;
    memset(s->seen, 0, s->truths);
    recall[n] = 0;
    precision[n++] = 1;
    for (size_t i = 0; i < s->count; i++, n++) {
        found += take_truth(s, &s->contenders[i], threshold);
        recall[n] = found / ((double)s->truths + 1e-16);
        precision[n] = found / (double)(i + 1);
    }
    if (s->kind == PTS_AP_ULTRALYTICS_2026) {
        recall[n] = recall[n - 1];
        precision[n++] = 0;
    }
    recall[n] = 1;
    precision[n++] = 0;
    return area_under(recall, precision, n);
}

static pts_status evaluate_category(scene *s, coco_group rest, size_t index, pts_error *err)
{
    coco_group image;
    s->count = s->option_count = s->truths = 0;
    while (pts_coco_next_image(&rest, &image))
        PTS_TRY(add_image(s, &image, err));
    if (s->count)
        qsort(s->contenders, s->count, sizeof *s->contenders, by_score);
    size_t row = s->categories++;
    PTS_TRY(pts_grow(&s->ap, &s->ap_capacity, s->categories * THRESHOLDS, sizeof *s->ap, err));
    PTS_TRY(pts_grow(&s->category_index, &s->index_capacity, s->categories,
                     sizeof *s->category_index, err));
    PTS_TRY(pts_grow(&s->seen, &s->seen_capacity, s->truths, 1, err));
    PTS_TRY(pts_grow(&s->curve, &s->curve_capacity, 2 * (s->count + 3), sizeof *s->curve, err));
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
    pts_coco_sort_entries(d, kept);
}

static double mean_at(const scene *s, size_t threshold, double *room)
{
    for (size_t k = 0; k < s->categories; k++)
        room[k] = s->ap[k * THRESHOLDS + threshold];
    return pts_coco_sum(room, s->categories) / (double)s->categories;
}

static pts_status summarize(const scene *s, pts_ap *out, pts_ap *category_ap, pts_error *err)
{
    *out = (pts_ap){UNDEFINED, UNDEFINED, UNDEFINED};
    for (size_t k = 0; category_ap && k < s->coco->categories.count; k++)
        category_ap[k] = *out;
    if (!s->categories)
        return PTS_OK;
    double *room;
    PTS_TRY(pts_new(&room, s->categories, sizeof *room, err));
    size_t all = s->categories * THRESHOLDS;
    *out =
        (pts_ap){pts_coco_sum(s->ap, all) / (double)all, mean_at(s, 0, room), mean_at(s, 5, room)};
    free(room);
    for (size_t k = 0; category_ap && k < s->categories; k++) {
        const double *ap = s->ap + k * THRESHOLDS;
        category_ap[s->category_index[k]] =
            (pts_ap){pts_coco_sum(ap, THRESHOLDS) / THRESHOLDS, ap[0], ap[5]};
    }
    return PTS_OK;
}

static pts_status evaluate_all(scene *s, coco_order *order, pts_error *err)
{
    drop_crowds(order);
    keep_best(order);
    coco_group category,
        rest = {order->truths, order->detections, order->truth_count, order->detection_count};
    while (pts_coco_next_category(&rest, &category)) {
        if (!category.truth_count)
            continue;
        size_t index = order->category_index[category.truths->category];
        PTS_TRY(evaluate_category(s, category, index, err));
    }
    return PTS_OK;
}

pts_status pts_coco_evaluate_ultralytics(const pts_coco *coco, pts_ap_kind kind, pts_ap *out,
                                         pts_ap *category_ap, pts_error *err)
{
    scene s = {.coco = coco, .kind = kind};
    if (kind != PTS_AP_ULTRALYTICS && kind != PTS_AP_ULTRALYTICS_2026)
        return pts_fail(err, PTS_ERR_ARGUMENT, "kind: expected one of Ultralytics' (1, 2), got %d",
                        kind);
    coco_order order;
    pts_status status = pts_coco_order_make(&order, coco, err);
    if (status == PTS_OK)
        status = evaluate_all(&s, &order, err);
    if (status == PTS_OK)
        status = summarize(&s, out, category_ap, err);
    pts_coco_order_free(&order);
    free(s.contenders);
    free(s.options);
    free(s.seen);
    free(s.curve);
    free(s.ap);
    free(s.category_index);
    return status;
}
