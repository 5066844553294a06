/* COCO's average precision and recall: cocoapi's PythonAPI/pycocotools/cocoeval.py, evaluateImg,
 * accumulate and summarize. */
#include "metrics/coco.h"
#include "base/error.h"
#include "base/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AREAS 4
#define RECALLS 101
#define UNDEFINED (-1.0)

enum { MISSED = 0, FOUND, IGNORED }; /* what a detection is at one area range and threshold */

/* The detections of one category over all images, in order of images and scores. */
typedef struct verdicts {
    size_t count, score_capacity, rank_capacity, state_capacity;
    double *scores;
    size_t *ranks;      /* place within its image: max_dets cuts there */
    uint8_t *states;    /* [count][areas][thresholds] */
    size_t real[AREAS]; /* truths that are not ignored */
} verdicts;

/* Room for one image. */
typedef struct match_room {
    double *iou;      /* [detections][truths] */
    size_t *order;    /* [truths]: real ones first */
    uint8_t *ignored; /* [truths] */
    uint8_t *taken;   /* [truths] */
    size_t iou_capacity, order_capacity, ignored_capacity, taken_capacity;
} match_room;

typedef struct ranked_score {
    double score;
    size_t index;
} ranked_score;

typedef struct evaluation {
    const pts_coco *coco;
    const pts_coco_params *params;
    size_t areas, categories; /* categories: those with a truth, others are undefined */
    double *precision;        /* [areas][thresholds][RECALLS][categories] */
    double *recall;           /* [areas][3 max_dets][thresholds][categories] */
    size_t *category_index;   /* [categories] → index of declaration */
    verdicts verdicts;
    match_room room;
    ranked_score *sorted; /* one category's detections over all images by score */
    double *curve;        /* [2][count]: recall, precision */
    size_t sorted_capacity, curve_capacity;
} evaluation;

void pts_coco_default_params(pts_coco_params *params)
{
    *params = (pts_coco_params){
        .threshold_count = 10,
        .max_dets = {1, 10, 100},
        .area_ranges = {{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}},
    };
    for (size_t i = 0; i < params->threshold_count; i++)
        params->thresholds[i] = coco_linspace(.5, .95, params->threshold_count, i);
}

static pts_status check_params(const pts_coco_params *p, pts_error *err)
{
    if (p->threshold_count < 1 || p->threshold_count > PTS_COCO_MAX_THRESHOLDS)
        return pts_fail(err, PTS_ERR_ARGUMENT, "thresholds: expected 1 … %d, got %zu",
                        PTS_COCO_MAX_THRESHOLDS, p->threshold_count);
    for (size_t i = 0; i < p->threshold_count; i++) {
        if (!(p->thresholds[i] > 0 && p->thresholds[i] <= 1))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "thresholds[%zu]: expected a number in (0, 1], got %g", i,
                            p->thresholds[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        size_t before = i ? p->max_dets[i - 1] : 1;
        if (p->max_dets[i] < before)
            return pts_fail(err, PTS_ERR_ARGUMENT, "max_dets[%zu]: expected at least %zu, got %zu",
                            i, before, p->max_dets[i]);
    }
    for (size_t i = 0; i < AREAS; i++) {
        if (!(p->area_ranges[i][0] <= p->area_ranges[i][1]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "area_ranges[%zu]: expected a rising pair, got %g, %g", i,
                            p->area_ranges[i][0], p->area_ranges[i][1]);
    }
    return PTS_OK;
}

/* ---- one image ---- */

static int outside(const double range[2], double area)
{
    return area < range[0] || area > range[1];
}

static pts_status make_room(match_room *room, const coco_group *image, pts_error *err)
{
    size_t truths = image->truth_count, pairs;
    if (!pts_mul(truths, image->detection_count, &pairs))
        return pts_fail_memory(err, SIZE_MAX);
    PTS_TRY(pts_grow(&room->iou, &room->iou_capacity, pairs, sizeof *room->iou, err));
    PTS_TRY(pts_grow(&room->order, &room->order_capacity, truths, sizeof *room->order, err));
    PTS_TRY(pts_grow(&room->ignored, &room->ignored_capacity, truths, 1, err));
    return pts_grow(&room->taken, &room->taken_capacity, truths, 1, err);
}

static void fill_iou(const pts_coco *coco, const coco_group *image, double *iou)
{
    for (size_t d = 0; d < image->detection_count; d++) {
        for (size_t t = 0; t < image->truth_count; t++)
            *iou++ = coco_iou(coco, image->detections[d].object, image->truths[t].object);
    }
}

/* Marks the truths that do not count at this area range and puts them last. Returns how many
 * count. */
static size_t sort_ignored_last(match_room *room, const coco_group *image, const double range[2])
{
    size_t n = 0;
    for (size_t t = 0; t < image->truth_count; t++) {
        const coco_object *truth = image->truths[t].object;
        room->ignored[t] = truth->crowd || outside(range, truth->area);
        if (!room->ignored[t])
            room->order[n++] = t;
    }
    size_t real = n;
    for (size_t t = 0; t < image->truth_count; t++) {
        if (room->ignored[t])
            room->order[n++] = t;
    }
    return real;
}

/* The truth that a detection takes, or SIZE_MAX. Of equal overlaps the later wins, as in
 * cocoeval; an ignored truth is only looked at while no real one fits. */
static size_t best_truth(const match_room *room, const coco_group *image, const double *iou,
                         double threshold)
{
    double best = fmin(threshold, 1 - 1e-10);
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < image->truth_count; i++) {
        size_t t = room->order[i];
        if (room->taken[t] && !image->truths[t].object->crowd)
            continue;
        if (found != SIZE_MAX && !room->ignored[found] && room->ignored[t])
            break;
        if (iou[t] < best)
            continue;
        best = iou[t];
        found = t;
    }
    return found;
}

/* Greedy by score. states: the first detection's at this area and threshold, `stride` apart. */
static void match_image(match_room *room, const coco_group *image, const double range[2],
                        double threshold, uint8_t *states, size_t stride)
{
    for (size_t t = 0; t < image->truth_count; t++)
        room->taken[t] = 0;
    for (size_t d = 0; d < image->detection_count; d++) {
        size_t t = best_truth(room, image, room->iou + d * image->truth_count, threshold);
        if (t != SIZE_MAX) {
            room->taken[t] = 1;
            states[d * stride] = room->ignored[t] ? IGNORED : FOUND;
        } else {
            int ignore = outside(range, image->detections[d].object->area);
            states[d * stride] = ignore ? IGNORED : MISSED;
        }
    }
}

static pts_status extend_verdicts(verdicts *v, const coco_group *image, size_t stride,
                                  pts_error *err)
{
    size_t count = v->count + image->detection_count, states;
    if (!pts_mul(count, stride, &states))
        return pts_fail_memory(err, SIZE_MAX);
    PTS_TRY(pts_grow(&v->scores, &v->score_capacity, count, sizeof *v->scores, err));
    PTS_TRY(pts_grow(&v->ranks, &v->rank_capacity, count, sizeof *v->ranks, err));
    PTS_TRY(pts_grow(&v->states, &v->state_capacity, states, 1, err));
    for (size_t d = 0; d < image->detection_count; d++) {
        v->scores[v->count + d] = image->detections[d].score;
        v->ranks[v->count + d] = d;
    }
    return PTS_OK;
}

static pts_status judge_image(evaluation *e, const coco_group *image, pts_error *err)
{
    const pts_coco_params *p = e->params;
    verdicts *v = &e->verdicts;
    size_t stride = e->areas * p->threshold_count;
    PTS_TRY(make_room(&e->room, image, err));
    PTS_TRY(extend_verdicts(v, image, stride, err));
    fill_iou(e->coco, image, e->room.iou);
    for (size_t a = 0; a < e->areas; a++) {
        v->real[a] += sort_ignored_last(&e->room, image, p->area_ranges[a]);
        for (size_t t = 0; t < p->threshold_count; t++) {
            uint8_t *states = v->states + v->count * stride + a * p->threshold_count + t;
            match_image(&e->room, image, p->area_ranges[a], p->thresholds[t], states, stride);
        }
    }
    v->count += image->detection_count;
    return PTS_OK;
}

/* ---- one category ---- */

static int by_score(const void *a, const void *b)
{
    const ranked_score *x = a, *y = b;
    int order = (x->score < y->score) - (x->score > y->score);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static pts_status sort_scores(evaluation *e, pts_error *err)
{
    const verdicts *v = &e->verdicts;
    PTS_TRY(pts_grow(&e->sorted, &e->sorted_capacity, v->count, sizeof *e->sorted, err));
    PTS_TRY(pts_grow(&e->curve, &e->curve_capacity, 2 * v->count, sizeof *e->curve, err));
    for (size_t i = 0; i < v->count; i++)
        e->sorted[i] = (ranked_score){v->scores[i], i};
    if (v->count)
        qsort(e->sorted, v->count, sizeof *e->sorted, by_score);
    return PTS_OK;
}

/* Recall and precision after each detection of the sorted list. Returns their number. */
static size_t draw_curve(evaluation *e, size_t area, size_t threshold, size_t max_dets)
{
    const verdicts *v = &e->verdicts;
    size_t thresholds = e->params->threshold_count, n = 0;
    double found = 0, missed = 0, *recall = e->curve, *precision = e->curve + v->count;
    for (size_t i = 0; i < v->count; i++) {
        size_t d = e->sorted[i].index;
        if (v->ranks[d] >= max_dets)
            continue;
        int state = v->states[(d * e->areas + area) * thresholds + threshold];
        found += state == FOUND;
        missed += state == MISSED;
        recall[n] = found / (double)v->real[area];
        precision[n] = found / (missed + found + DBL_EPSILON);
        n++;
    }
    return n;
}

/* out [RECALLS], `stride` apart: the best precision at that recall or beyond. */
static void read_curve(const double *recall, double *precision, size_t n, double *out,
                       size_t stride)
{
    for (size_t i = n; i-- > 1;)
        precision[i - 1] = fmax(precision[i - 1], precision[i]);
    size_t at = 0;
    for (size_t r = 0; r < RECALLS; r++) {
        double wanted = coco_linspace(0, 1, RECALLS, r);
        while (at < n && recall[at] < wanted)
            at++;
        out[r * stride] = at < n ? precision[at] : 0;
    }
}

static double *recall_at(const evaluation *e, size_t area, size_t dets, size_t threshold)
{
    size_t row = (area * 3 + dets) * e->params->threshold_count + threshold;
    return e->recall + row * e->categories;
}

static double *precision_at(const evaluation *e, size_t area, size_t threshold)
{
    size_t row = area * e->params->threshold_count + threshold;
    return e->precision + row * RECALLS * e->categories;
}

static void sum_up_category(evaluation *e, size_t category)
{
    const pts_coco_params *p = e->params;
    for (size_t a = 0; a < e->areas; a++) {
        if (!e->verdicts.real[a])
            continue;
        for (size_t t = 0; t < p->threshold_count; t++) {
            size_t n = 0;
            for (size_t m = 0; m < 3; m++) {
                n = draw_curve(e, a, t, p->max_dets[m]);
                recall_at(e, a, m, t)[category] = n ? e->curve[n - 1] : 0;
            }
            read_curve(e->curve, e->curve + e->verdicts.count, n, precision_at(e, a, t) + category,
                       e->categories);
        }
    }
}

static pts_status evaluate_category(evaluation *e, coco_group rest, size_t category, pts_error *err)
{
    coco_group image;
    size_t most = e->params->max_dets[2];
    e->verdicts.count = 0;
    memset(e->verdicts.real, 0, sizeof e->verdicts.real);
    while (coco_next_image(&rest, &image)) {
        if (image.detection_count > most)
            image.detection_count = most;
        PTS_TRY(judge_image(e, &image, err));
    }
    PTS_TRY(sort_scores(e, err));
    sum_up_category(e, category);
    return PTS_OK;
}

/* ---- all ---- */

static coco_group whole(const coco_order *order)
{
    return (coco_group){order->truths, order->detections, order->truth_count,
                        order->detection_count};
}

static size_t count_with_truths(const coco_order *order)
{
    coco_group rest = whole(order), category;
    size_t n = 0;
    while (coco_next_category(&rest, &category))
        n += category.truth_count > 0;
    return n;
}

static pts_status alloc_undefined(double **out, size_t rows, size_t columns, pts_error *err)
{
    size_t count;
    *out = pts_mul(rows, columns, &count) ? pts_calloc64(count, sizeof **out) : NULL;
    if (!*out)
        return pts_fail_memory(err, rows * columns * sizeof **out);
    for (size_t i = 0; i < count; i++)
        (*out)[i] = UNDEFINED;
    return PTS_OK;
}

static pts_status evaluate_all(evaluation *e, const coco_order *order, pts_error *err)
{
    size_t thresholds = e->params->threshold_count, category = 0;
    e->categories = count_with_truths(order);
    PTS_TRY(alloc_undefined(&e->precision, e->areas * thresholds * RECALLS, e->categories, err));
    PTS_TRY(alloc_undefined(&e->recall, e->areas * 3 * thresholds, e->categories, err));
    e->category_index = pts_calloc64(e->categories, sizeof *e->category_index);
    if (!e->category_index)
        return pts_fail_memory(err, e->categories * sizeof *e->category_index);
    coco_group rest = whole(order), group;
    while (coco_next_category(&rest, &group)) {
        if (!group.truth_count)
            continue;
        e->category_index[category] = order->category_index[group.truths->category];
        PTS_TRY(evaluate_category(e, group, category++, err));
    }
    return PTS_OK;
}

/* Mean of the defined ones among values[0], values[stride] … ; reuses `room` [count]. */
static double mean_defined(const double *values, size_t count, size_t stride, double *room)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (values[i * stride] > UNDEFINED)
            room[n++] = values[i * stride];
    }
    return n ? coco_sum(room, n) / (double)n : UNDEFINED;
}

static double mean_precision(const evaluation *e, size_t area, double *room)
{
    return mean_defined(precision_at(e, area, 0),
                        e->params->threshold_count * RECALLS * e->categories, 1, room);
}

static double mean_recall(const evaluation *e, size_t area, size_t dets, double *room)
{
    return mean_defined(recall_at(e, area, dets, 0), e->params->threshold_count * e->categories, 1,
                        room);
}

/* The threshold's index, or SIZE_MAX. */
static size_t find_threshold(const pts_coco_params *p, double wanted)
{
    for (size_t t = 0; t < p->threshold_count; t++) {
        if (fabs(p->thresholds[t] - wanted) < 1e-9)
            return t;
    }
    return SIZE_MAX;
}

/* At one threshold; for one category, or for all with category SIZE_MAX. */
static double precision_of(const evaluation *e, double threshold, size_t category, double *room)
{
    size_t t = find_threshold(e->params, threshold);
    if (t == SIZE_MAX)
        return UNDEFINED;
    if (category == SIZE_MAX)
        return mean_defined(precision_at(e, 0, t), RECALLS * e->categories, 1, room);
    return mean_defined(precision_at(e, 0, t) + category, RECALLS, e->categories, room);
}

static void fill_categories(const evaluation *e, pts_map *out, double *room)
{
    for (size_t k = 0; k < e->coco->categories.count; k++)
        out[k] = (pts_map){UNDEFINED, UNDEFINED, UNDEFINED};
    for (size_t k = 0; k < e->categories; k++) {
        pts_map *map = &out[e->category_index[k]];
        map->map = mean_defined(e->precision + k, e->params->threshold_count * RECALLS,
                                e->categories, room);
        map->map50 = precision_of(e, .5, k, room);
        map->map75 = precision_of(e, .75, k, room);
    }
}

static void fill_figures(const evaluation *e, pts_coco_figures *out, double *room)
{
    double *sizes[] = {&out->ap_small, &out->ap_medium, &out->ap_large};
    double *recalls[] = {&out->ar_small, &out->ar_medium, &out->ar_large};
    out->ap = mean_precision(e, 0, room);
    out->ap50 = precision_of(e, .5, SIZE_MAX, room);
    out->ap75 = precision_of(e, .75, SIZE_MAX, room);
    out->ar1 = mean_recall(e, 0, 0, room);
    out->ar10 = mean_recall(e, 0, 1, room);
    out->ar100 = mean_recall(e, 0, 2, room);
    for (size_t a = 1; a < AREAS; a++) {
        *sizes[a - 1] = a < e->areas ? mean_precision(e, a, room) : UNDEFINED;
        *recalls[a - 1] = a < e->areas ? mean_recall(e, a, 2, room) : UNDEFINED;
    }
}

static pts_status summarize(const evaluation *e, pts_coco_figures *out, pts_map *category_map,
                            pts_error *err)
{
    size_t count = e->params->threshold_count * RECALLS * e->categories;
    double *room = pts_calloc64(count, sizeof *room);
    if (!room)
        return pts_fail_memory(err, count * sizeof *room);
    fill_figures(e, out, room);
    if (category_map)
        fill_categories(e, category_map, room);
    free(room);
    return PTS_OK;
}

static void free_evaluation(evaluation *e)
{
    free(e->precision);
    free(e->recall);
    free(e->category_index);
    free(e->verdicts.scores);
    free(e->verdicts.ranks);
    free(e->verdicts.states);
    free(e->room.iou);
    free(e->room.order);
    free(e->room.ignored);
    free(e->room.taken);
    free(e->sorted);
    free(e->curve);
}

pts_status coco_evaluate_areas(const pts_coco *coco, const pts_coco_params *params, size_t areas,
                               pts_coco_figures *out, pts_map *category_map, pts_error *err)
{
    pts_coco_params defaults;
    pts_coco_default_params(&defaults);
    evaluation e = {.coco = coco, .params = params ? params : &defaults, .areas = areas};
    PTS_TRY(check_params(e.params, err));
    coco_order order;
    pts_status status = coco_order_make(&order, coco, err);
    if (status == PTS_OK)
        status = evaluate_all(&e, &order, err);
    if (status == PTS_OK)
        status = summarize(&e, out, category_map, err);
    free_evaluation(&e);
    coco_order_free(&order);
    return status;
}

pts_status pts_coco_evaluate(const pts_coco *coco, const pts_coco_params *params,
                             pts_coco_figures *out, pts_map *category_map, pts_error *err)
{
    return coco_evaluate_areas(coco, params, AREAS, out, category_map, err);
}
