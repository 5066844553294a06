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

/* A truth that a detection may take at some threshold. */
typedef struct candidate {
    size_t truth;
    double iou;
} candidate;

/* A detection's place among its category's. */
typedef struct ranked_score {
    double score;
    size_t index; /* over all images */
    size_t rank;  /* within its image: max_dets cuts there */
} ranked_score;

/* One thread's room, large enough for every image and every category. */
typedef struct match_room {
    candidate *candidates; /* of one image's detections, one after another */
    size_t *first;         /* [detections + 1] → candidates */
    uint8_t *ignored;      /* [truths] */
    uint8_t *taken;        /* [truths] */
    ranked_score *sorted;  /* one category's detections by score */
    double *curve;         /* [2][category's detections]: recall, precision */
} match_room;

/* One category in one image, detections cut at the last of max_dets. */
typedef struct scene {
    coco_group group;
    size_t first; /* its first detection among all that are judged */
} scene;

/* One category with a truth; others are undefined. */
typedef struct category_scenes {
    size_t index;              /* of declaration */
    size_t scene, scene_count; /* its scenes */
    size_t first, count;       /* its detections */
    size_t real[AREAS];        /* truths that are not ignored */
} category_scenes;

typedef struct evaluation {
    const pts_coco *coco;
    const pts_coco_params *params;
    pts_team *team;
    size_t areas, categories, scene_count, threads;
    category_scenes *of; /* [categories] */
    scene *scenes;       /* [scene_count] */
    uint8_t *states;     /* [detections][areas][thresholds] */
    double *precision;   /* [areas][thresholds][RECALLS][categories] */
    double *recall;      /* [areas][3 max_dets][thresholds][categories] */
    match_room *rooms;   /* [threads] */
} evaluation;

void pts_coco_default_params(pts_coco_params *params)
{
    *params = (pts_coco_params){
        .threshold_count = 10,
        .max_dets = {1, 10, 100},
        .area_ranges = {{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}},
    };
    for (size_t i = 0; i < params->threshold_count; i++)
        params->thresholds[i] = pts_coco_linspace(.5, .95, params->threshold_count, i);
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

/* cocoeval's: an overlap of 1 passes whatever the rounding. */
static double needed_iou(double threshold)
{
    return fmin(threshold, 1 - 1e-10);
}

static bool outside(const double range[2], double area)
{
    return area < range[0] || area > range[1];
}

/* Overlaps below every threshold, which are nearly all, cannot matter. */
static void find_candidates(const evaluation *e, match_room *room, const coco_group *image)
{
    double least = 1;
    size_t n = 0;
    for (size_t t = 0; t < e->params->threshold_count; t++)
        least = fmin(least, needed_iou(e->params->thresholds[t]));
    for (size_t d = 0; d < image->detection_count; d++) {
        room->first[d] = n;
        for (size_t t = 0; t < image->truth_count; t++) {
            double iou =
                pts_coco_iou(e->coco, image->detections[d].object, image->truths[t].object);
            if (iou >= least)
                room->candidates[n++] = (candidate){t, iou};
        }
    }
    room->first[image->detection_count] = n;
}

/* The best free truth of those that are `ignored` or are not, or SIZE_MAX. Of equal overlaps the
 * later wins, as in cocoeval; a crowd is never used up. */
static size_t best_of(const match_room *room, const coco_group *image, size_t detection,
                      int ignored, double best)
{
    size_t found = SIZE_MAX;
    for (size_t i = room->first[detection]; i < room->first[detection + 1]; i++) {
        const candidate *c = &room->candidates[i];
        if (room->ignored[c->truth] != ignored || c->iou < best ||
            (room->taken[c->truth] && !image->truths[c->truth].object->crowd))
            continue;
        best = c->iou;
        found = c->truth;
    }
    return found;
}

/* The truth that a detection takes: an ignored one only where no real one fits. */
static size_t best_truth(const match_room *room, const coco_group *image, size_t detection,
                         double threshold)
{
    size_t found = best_of(room, image, detection, 0, needed_iou(threshold));
    return found != SIZE_MAX ? found : best_of(room, image, detection, 1, needed_iou(threshold));
}

/* Greedy by score. states: the first detection's at this area and threshold, `stride` apart. */
static void match_image(match_room *room, const coco_group *image, const double range[2],
                        double threshold, uint8_t *states, size_t stride)
{
    memset(room->taken, 0, image->truth_count);
    for (size_t d = 0; d < image->detection_count; d++) {
        size_t t = best_truth(room, image, d, threshold);
        if (t != SIZE_MAX) {
            room->taken[t] = 1;
            states[d * stride] = room->ignored[t] ? IGNORED : FOUND;
        } else {
            bool ignore = outside(range, image->detections[d].object->area);
            states[d * stride] = ignore ? IGNORED : MISSED;
        }
    }
}

static bool ignored_at(const double range[2], const coco_object *truth)
{
    return truth->crowd || outside(range, truth->area);
}

static void judge_scene(const evaluation *e, match_room *room, const scene *s)
{
    const pts_coco_params *p = e->params;
    size_t stride = e->areas * p->threshold_count;
    find_candidates(e, room, &s->group);
    for (size_t a = 0; a < e->areas; a++) {
        for (size_t t = 0; t < s->group.truth_count; t++)
            room->ignored[t] = (uint8_t)ignored_at(p->area_ranges[a], s->group.truths[t].object);
        for (size_t t = 0; t < p->threshold_count; t++) {
            uint8_t *states = e->states + s->first * stride + a * p->threshold_count + t;
            match_image(room, &s->group, p->area_ranges[a], p->thresholds[t], states, stride);
        }
    }
}

enum { SCENES_A_TASK = 64 };

static void judge_scenes(void *user, size_t task, int thread)
{
    const evaluation *e = user;
    size_t end = (task + 1) * SCENES_A_TASK;
    for (size_t s = task * SCENES_A_TASK; s < end && s < e->scene_count; s++)
        judge_scene(e, &e->rooms[thread], &e->scenes[s]);
}

/* ---- one category ---- */

static int by_score(const void *a, const void *b)
{
    const ranked_score *x = a, *y = b;
    int order = (x->score < y->score) - (x->score > y->score);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void sort_scores(const evaluation *e, ranked_score *sorted, const category_scenes *c)
{
    size_t n = 0;
    for (size_t s = c->scene; s < c->scene + c->scene_count; s++) {
        const coco_group *image = &e->scenes[s].group;
        for (size_t d = 0; d < image->detection_count; d++, n++)
            sorted[n] = (ranked_score){image->detections[d].score, c->first + n, d};
    }
    if (n)
        qsort(sorted, n, sizeof *sorted, by_score);
}

/* Recall and precision after each detection of the sorted list, and how many are found with
 * each of the three max_dets. */
static void draw_curve(const evaluation *e, const match_room *room, const category_scenes *c,
                       size_t area, size_t threshold, double found_at[3])
{
    size_t stride = e->areas * e->params->threshold_count;
    const uint8_t *states = e->states + area * e->params->threshold_count + threshold;
    double found = 0, missed = 0, *recall = room->curve, *precision = room->curve + c->count;
    found_at[0] = found_at[1] = 0;
    for (size_t i = 0; i < c->count; i++) {
        int state = states[room->sorted[i].index * stride];
        found += state == FOUND;
        missed += state == MISSED;
        for (size_t m = 0; m < 2; m++)
            found_at[m] += state == FOUND && room->sorted[i].rank < e->params->max_dets[m];
        recall[i] = found / (double)c->real[area];
        precision[i] = found / (missed + found + DBL_EPSILON);
    }
    found_at[2] = found;
}

/* out [RECALLS], `stride` apart: the best precision at that recall or beyond. */
static void read_curve(const double *recall, double *precision, size_t n, double *out,
                       size_t stride)
{
    for (size_t i = n; i-- > 1;) {
        if (precision[i - 1] < precision[i])
            precision[i - 1] = precision[i];
    }
    size_t at = 0;
    for (size_t r = 0; r < RECALLS; r++) {
        double wanted = pts_coco_linspace(0, 1, RECALLS, r);
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

static void sum_up_category(void *user, size_t category, int thread)
{
    const evaluation *e = user;
    const match_room *room = &e->rooms[thread];
    const category_scenes *c = &e->of[category];
    sort_scores(e, room->sorted, c);
    for (size_t a = 0; a < e->areas; a++) {
        for (size_t t = 0; c->real[a] && t < e->params->threshold_count; t++) {
            double found_at[3];
            draw_curve(e, room, c, a, t, found_at);
            for (size_t m = 0; m < 3; m++)
                recall_at(e, a, m, t)[category] = found_at[m] / (double)c->real[a];
            read_curve(room->curve, room->curve + c->count, c->count,
                       precision_at(e, a, t) + category, e->categories);
        }
    }
}

/* ---- the plan: who is judged with whom ---- */

/* The most of anything that one image or category has. */
typedef struct extent {
    size_t truths, detections, pairs; /* of a scene */
    size_t curve, all;                /* detections of a category, of all */
} extent;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static pts_status plan_category(evaluation *e, coco_group rest, category_scenes *c, extent *most,
                                pts_error *err)
{
    coco_group image;
    c->scene = e->scene_count;
    c->first = most->all;
    for (size_t t = 0; t < rest.truth_count; t++) {
        for (size_t a = 0; a < e->areas; a++)
            c->real[a] += !ignored_at(e->params->area_ranges[a], rest.truths[t].object);
    }
    while (pts_coco_next_image(&rest, &image)) {
        size_t pairs;
        if (image.detection_count > e->params->max_dets[2])
            image.detection_count = e->params->max_dets[2];
        if (!pts_mul(image.truth_count, image.detection_count, &pairs))
            return pts_fail_memory(err, SIZE_MAX);
        e->scenes[e->scene_count++] = (scene){image, most->all};
        most->all += image.detection_count;
        most->truths = larger(most->truths, image.truth_count);
        most->detections = larger(most->detections, image.detection_count);
        most->pairs = larger(most->pairs, pairs);
    }
    c->scene_count = e->scene_count - c->scene;
    c->count = most->all - c->first;
    most->curve = larger(most->curve, c->count);
    return PTS_OK;
}

/* A scene has a truth or a detection of its own, so that there are no more than of these. */
static pts_status plan(evaluation *e, const coco_order *order, extent *most, pts_error *err)
{
    coco_group rest = {order->truths, order->detections, order->truth_count,
                       order->detection_count};
    coco_group group;
    size_t scenes = order->truth_count + order->detection_count;
    PTS_TRY(pts_new(&e->of, e->coco->categories.count, sizeof *e->of, err));
    PTS_TRY(pts_new(&e->scenes, scenes, sizeof *e->scenes, err));
    while (pts_coco_next_category(&rest, &group)) {
        if (!group.truth_count)
            continue;
        category_scenes *c = &e->of[e->categories++];
        c->index = order->category_index[group.truths->category];
        PTS_TRY(plan_category(e, group, c, most, err));
    }
    return PTS_OK;
}

static pts_status make_room(match_room *room, const extent *most, pts_error *err)
{
    PTS_TRY(pts_new(&room->candidates, most->pairs, sizeof *room->candidates, err));
    PTS_TRY(pts_new(&room->first, most->detections + 1, sizeof *room->first, err));
    PTS_TRY(pts_new(&room->ignored, most->truths, 1, err));
    PTS_TRY(pts_new(&room->taken, most->truths, 1, err));
    PTS_TRY(pts_new(&room->sorted, most->curve, sizeof *room->sorted, err));
    return pts_new(&room->curve, most->curve, 2 * sizeof *room->curve, err);
}

static void free_room(match_room *room)
{
    free(room->candidates);
    free(room->first);
    free(room->ignored);
    free(room->taken);
    free(room->sorted);
    free(room->curve);
}

/* ---- all ---- */

static pts_status alloc_undefined(double **out, size_t rows, size_t columns, pts_error *err)
{
    size_t count;
    PTS_TRY(pts_new(out, pts_mul(rows, columns, &count) ? count : SIZE_MAX, sizeof **out, err));
    for (size_t i = 0; i < count; i++)
        (*out)[i] = UNDEFINED;
    return PTS_OK;
}

static pts_status make_tables(evaluation *e, const extent *most, pts_error *err)
{
    size_t thresholds = e->params->threshold_count, states = e->areas * thresholds;
    e->threads = (size_t)pts_team_threads(e->team);
    PTS_TRY(pts_new(&e->rooms, e->threads, sizeof *e->rooms, err));
    PTS_TRY(pts_new(&e->states, most->all, states, err));
    for (size_t i = 0; i < e->threads; i++)
        PTS_TRY(make_room(&e->rooms[i], most, err));
    PTS_TRY(alloc_undefined(&e->precision, states * RECALLS, e->categories, err));
    return alloc_undefined(&e->recall, 3 * states, e->categories, err);
}

static pts_status evaluate_all(evaluation *e, const coco_order *order, pts_error *err)
{
    extent most = {0};
    PTS_TRY(plan(e, order, &most, err));
    PTS_TRY(make_tables(e, &most, err));
    size_t tasks = (e->scene_count + SCENES_A_TASK - 1) / SCENES_A_TASK;
    pts_team_run(e->team, tasks, judge_scenes, e);
    pts_team_run(e->team, e->categories, sum_up_category, e);
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
    return n ? pts_coco_sum(room, n) / (double)n : UNDEFINED;
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

static void fill_categories(const evaluation *e, pts_ap *out, double *room)
{
    for (size_t k = 0; k < e->coco->categories.count; k++)
        out[k] = (pts_ap){UNDEFINED, UNDEFINED, UNDEFINED};
    for (size_t k = 0; k < e->categories; k++) {
        pts_ap *ap = &out[e->of[k].index];
        ap->map = mean_defined(e->precision + k, e->params->threshold_count * RECALLS,
                               e->categories, room);
        ap->map50 = precision_of(e, .5, k, room);
        ap->map75 = precision_of(e, .75, k, room);
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

static pts_status summarize(const evaluation *e, pts_coco_figures *out, pts_ap *category_ap,
                            pts_error *err)
{
    size_t count = e->params->threshold_count * RECALLS * e->categories;
    double *room;
    PTS_TRY(pts_new(&room, count, sizeof *room, err));
    fill_figures(e, out, room);
    if (category_ap)
        fill_categories(e, category_ap, room);
    free(room);
    return PTS_OK;
}

static void free_evaluation(evaluation *e)
{
    for (size_t i = 0; e->rooms && i < e->threads; i++)
        free_room(&e->rooms[i]);
    free(e->rooms);
    free(e->of);
    free(e->scenes);
    free(e->states);
    free(e->precision);
    free(e->recall);
}

pts_status pts_coco_evaluate_areas(const pts_coco *coco, const pts_coco_params *params,
                                   size_t areas, pts_team *team, pts_coco_figures *out,
                                   pts_ap *category_ap, pts_error *err)
{
    pts_coco_params defaults;
    pts_coco_default_params(&defaults);
    evaluation e = {
        .coco = coco, .params = params ? params : &defaults, .areas = areas, .team = team};
    PTS_TRY(check_params(e.params, err));
    coco_order order;
    pts_status status = pts_coco_order_make(&order, coco, err);
    if (status == PTS_OK)
        status = evaluate_all(&e, &order, err);
    if (status == PTS_OK)
        status = summarize(&e, out, category_ap, err);
    free_evaluation(&e);
    pts_coco_order_free(&order);
    return status;
}

pts_status pts_coco_evaluate(const pts_coco *coco, const pts_coco_params *params, pts_team *team,
                             pts_coco_figures *out, pts_ap *category_ap, pts_error *err)
{
    return pts_coco_evaluate_areas(coco, params, AREAS, team, out, category_ap, err);
}
