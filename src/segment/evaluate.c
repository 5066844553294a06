#include "base/error.h"
#include "base/memory.h"
#include "segment/segmenter.h"
#include "segment/viewer.h"

#include <stdlib.h>

/* COCO's identifiers of the one category. */
enum { CATEGORY = 1 };
/* Images a thread looks at between two calls of progress. */
enum { AT_ONCE = 4 };

typedef struct evaluation {
    const evaluation_setting *setting;
    const float *parameters;
    const pts_labelled_image *images; /* [count], none absent */
    size_t count, first;              /* first: of those being looked at */
    const instance_rule *rules;
    size_t rule_count;
    viewer *viewers;      /* [threads] */
    pts_rle ***truths;    /* [count][instances] */
    pts_instances *found; /* [rule_count][count] */
    pts_status *statuses; /* [count] */
    pts_error *errors;    /* [count] */
} evaluation;

/* ---- looking at images ---- */

/* The mask is what is scored where both are given (pts/segment.h). */
static pts_status truth_mask(pts_rle **out, const pts_labelled_instance *instance,
                             const feature_item *item, pts_error *err)
{
    if (!instance->mask && !instance->parts)
        return pts_fail(err, PTS_ERR_ARGUMENT, "label: expected polygons or a mask, got neither");
    if (!instance->mask)
        return pts_rle_from_parts(out, instance->xy, instance->ends, instance->parts, item->height,
                                  item->width, err);
    const size_t height = pts_rle_height(instance->mask), width = pts_rle_width(instance->mask);
    if (height != item->height || width != item->width)
        return pts_fail(err, PTS_ERR_SHAPE, "label: expected a mask of %zu x %zu, got %zu x %zu",
                        item->height, item->width, height, width);
    return pts_rle_copy(out, instance->mask, err);
}

/* The network runs once an image; rules only cut its map in different ways. */
static pts_status evaluate_image(evaluation *e, size_t i, viewer *v, pts_error *err)
{
    const pts_labelled_image *image = &e->images[i];
    const feature_item *item = &e->setting->features->items[image->image];
    for (size_t k = 0; k < image->count; k++)
        PTS_TRY(truth_mask(&e->truths[i][k], &image->instances[k], item, err));
    pts_viewer_look(v, e->parameters, item);
    for (size_t r = 0; r < e->rule_count; r++)
        PTS_TRY(pts_instances_cut(&v->room, item->height, item->width, &e->rules[r],
                                  &e->found[r * e->count + i], err));
    return PTS_OK;
}

/* A viewer a thread, a status an image: nothing is shared. */
static void evaluate_task(void *user, size_t task, int thread)
{
    evaluation *e = user;
    size_t i = e->first + task;
    e->statuses[i] = evaluate_image(e, i, &e->viewers[thread], &e->errors[i]);
}

/* A few at a time, so that a person can stop in between. */
static pts_status look_at_images(evaluation *e, pts_error *err)
{
    const evaluation_setting *s = e->setting;
    const size_t most = AT_ONCE * (size_t)pts_team_threads(s->team);
    for (e->first = 0; e->first < e->count;) {
        size_t left = e->count - e->first, tasks = left < most ? left : most;
        pts_team_run(s->team, tasks, evaluate_task, e);
        for (size_t i = e->first; i < e->first + tasks; i++) {
            if (e->statuses[i] != PTS_OK)
                return pts_fail(err, e->statuses[i], "%s", e->errors[i].message);
        }
        e->first += tasks;
        if (s->progress && s->progress(s->user, s->stage, e->first, e->count))
            return pts_fail(err, PTS_ERR_CANCELLED, "%s: cancelled at image %zu of %zu", s->stage,
                            e->first, e->count);
    }
    return PTS_OK;
}

/* ---- scoring ---- */

/* A truth is needed for each rule, and the scorer keeps what it is given. */
static pts_status add_truth(pts_coco *coco, const evaluation *e, size_t image, size_t k,
                            pts_error *err)
{
    const pts_labelled_instance *instance = &e->images[image].instances[k];
    pts_coco_object truth = {.image = (int64_t)image, .category = CATEGORY};
    PTS_TRY(pts_rle_copy(&truth.mask, e->truths[image][k], err));
    truth.area = (double)pts_rle_area(truth.mask);
    truth.crowd = instance->crowd;
    return pts_coco_add_truth(coco, &truth, err);
}

static pts_status add_detections(pts_coco *coco, pts_instances *found, size_t image, pts_error *err)
{
    for (size_t k = 0; k < found->count; k++) {
        pts_coco_object object = {.image = (int64_t)image, .category = CATEGORY};
        object.mask = found->masks[k];
        object.score = found->scores[k];
        object.area = (double)pts_rle_area(object.mask);
        found->masks[k] = NULL; /* it passes to the scorer also on failure */
        PTS_TRY(pts_coco_add_detection(coco, &object, err));
    }
    return PTS_OK;
}

static pts_status score_rule(pts_coco *coco, evaluation *e, size_t rule, pts_ap *out,
                             pts_error *err)
{
    pts_coco_figures figures;
    PTS_TRY(pts_coco_add_category(coco, CATEGORY, "", err));
    for (size_t i = 0; i < e->count; i++) {
        PTS_TRY(pts_coco_add_image(coco, (int64_t)i, err));
        for (size_t k = 0; k < e->images[i].count; k++)
            PTS_TRY(add_truth(coco, e, i, k, err));
        PTS_TRY(add_detections(coco, &e->found[rule * e->count + i], i, err));
    }
    PTS_TRY(pts_coco_evaluate(coco, NULL, e->setting->team, &figures, NULL, err));
    *out = (pts_ap){figures.ap, figures.ap50, figures.ap75};
    return PTS_OK;
}

/* A scorer of its own, as one keeps all that it is given. */
static pts_status measure_rule(evaluation *e, size_t rule, pts_ap *out, pts_error *err)
{
    pts_coco *coco;
    PTS_TRY(pts_coco_create(&coco, PTS_IOU_MASK, err));
    pts_status status = score_rule(coco, e, rule, out, err);
    pts_coco_destroy(coco);
    return status;
}

/* ---- the whole ---- */

/* Also of one that evaluation_alloc left half made. */
static void evaluation_free(evaluation *e)
{
    const size_t threads = (size_t)pts_team_threads(e->setting->team);
    for (size_t i = 0; e->viewers && i < threads; i++)
        pts_viewer_free(&e->viewers[i]);
    for (size_t i = 0; e->truths && i < e->count; i++) {
        for (size_t k = 0; e->truths[i] && k < e->images[i].count; k++)
            pts_rle_destroy(e->truths[i][k]);
        free(e->truths[i]);
    }
    for (size_t i = 0; e->found && i < e->count * e->rule_count; i++)
        pts_instances_free(&e->found[i]);
    free(e->viewers);
    free(e->truths);
    free(e->found);
    free(e->statuses);
    free(e->errors);
}

/* What is there after a failure is evaluation_free's. */
static pts_status evaluation_alloc(evaluation *e, pts_error *err)
{
    const size_t threads = (size_t)pts_team_threads(e->setting->team);
    PTS_TRY(pts_new(&e->viewers, threads, sizeof *e->viewers, err));
    PTS_TRY(pts_new(&e->truths, e->count, sizeof *e->truths, err));
    PTS_TRY(pts_new(&e->found, e->count * e->rule_count, sizeof *e->found, err));
    PTS_TRY(pts_new(&e->statuses, e->count, sizeof *e->statuses, err));
    PTS_TRY(pts_new(&e->errors, e->count, sizeof *e->errors, err));
    for (size_t i = 0; i < e->count; i++)
        PTS_TRY(pts_new(&e->truths[i], e->images[i].count, sizeof *e->truths[i], err));
    for (size_t i = 0; i < threads; i++)
        PTS_TRY(pts_viewer_create(&e->viewers[i], e->setting->features, err));
    return PTS_OK;
}

static pts_status evaluate(evaluation *e, pts_segment_score *scores, pts_error *err)
{
    PTS_TRY(evaluation_alloc(e, err));
    PTS_TRY(look_at_images(e, err));
    for (size_t r = 0; r < e->rule_count; r++)
        PTS_TRY(measure_rule(e, r, &scores[r].ap, err));
    return PTS_OK;
}

pts_status pts_evaluation_run(const evaluation_setting *setting, const float *parameters,
                              const pts_labelled_image *images, size_t count,
                              const instance_rule *rules, size_t rule_count,
                              pts_segment_score *scores, pts_error *err)
{
    evaluation e = {.setting = setting, .parameters = parameters};
    pts_labelled_image *present;
    pts_status status = PTS_OK;
    e.rules = rules;
    e.rule_count = rule_count;
    PTS_TRY(pts_segmenter_present(&present, &e.count, setting->features, images, count, err));
    e.images = present;
    for (size_t r = 0; r < rule_count; r++)
        scores[r] = (pts_segment_score){{-1, -1, -1}, e.count, count - e.count};
    if (e.count)
        status = evaluate(&e, scores, err);
    evaluation_free(&e);
    free(present);
    return status;
}

pts_status pts_segmenter_evaluate(const pts_segmenter *model, const pts_features *features,
                                  const pts_labelled_image *images, size_t count, pts_team *team,
                                  pts_progress progress, void *user, pts_segment_score *out,
                                  pts_error *err)
{
    const evaluation_setting setting = {features, team, progress, user, "evaluation"};
    PTS_TRY(pts_segmenter_check_features(model, features, err));
    return pts_evaluation_run(&setting, model->parameters, images, count, &model->rule, 1, out,
                              err);
}
