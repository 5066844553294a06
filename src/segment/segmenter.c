#include "segment/segmenter.h"
#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The largest coarse grid among the images, and the most pixels of a photograph. */
static void features_extent(const pts_features *features, size_t *rows, size_t *columns,
                            size_t *pixels)
{
    *rows = *columns = *pixels = 0;
    for (size_t i = 0; i < features->count; i++) {
        const feature_item *item = &features->items[i];
        *rows = item->rows > *rows ? item->rows : *rows;
        *columns = item->columns > *columns ? item->columns : *columns;
        size_t area = item->width * item->height;
        *pixels = area > *pixels ? area : *pixels;
    }
}

/* ---- prediction ---- */

/* What one thread needs to look at one image. */
typedef struct viewer {
    pts_arena arena;
    decoder_tape tape;
    instance_room room;
} viewer;

static void viewer_free(viewer *v)
{
    pts_arena_free(&v->arena);
    instance_room_free(&v->room);
}

static pts_status viewer_create(viewer *v, const pts_features *features, pts_error *err)
{
    size_t rows, columns, pixels;
    *v = (viewer){0};
    features_extent(features, &rows, &columns, &pixels);
    decoder_tape_layout(&v->tape, &v->arena, rows, columns, 0);
    PTS_TRY(pts_arena_commit(&v->arena, err));
    decoder_tape_layout(&v->tape, &v->arena, rows, columns, 0);
    pts_status status = instance_room_create(&v->room, pixels, err);
    if (status != PTS_OK)
        viewer_free(v);
    return status;
}

/* The fine cell and weight to read for pixel i of `side`, whose input has in_side pixels. */
static size_t cell_at(size_t i, size_t side, size_t in_side, size_t cells, float *weight)
{
    double position = ((double)i + 0.5) * (double)in_side / (double)side / FINE_CELL - 0.5;
    position = fmin(fmax(position, 0), (double)(cells - 1));
    size_t lower = (size_t)position;
    lower = lower + 1 < cells ? lower : cells - 2;
    *weight = (float)(position - (double)lower);
    return lower;
}

/* Logits of the fine grid → probabilities at the photograph's pixels. */
static void fill_maps(viewer *v, const feature_item *item)
{
    size_t rows = 2 * item->rows, columns = 2 * item->columns;
    float *maps[OUTPUTS] = {v->room.object, v->room.core};
    for (size_t y = 0; y < item->height; y++) {
        float wy, wx;
        size_t r = cell_at(y, item->height, item->in_height, rows, &wy);
        for (size_t x = 0; x < item->width; x++) {
            size_t c = cell_at(x, item->width, item->in_width, columns, &wx);
            const float *p = v->tape.logits + (r * columns + c) * OUTPUTS;
            const float *q = p + columns * OUTPUTS;
            for (int k = 0; k < OUTPUTS; k++) {
                float top = p[k] + (p[OUTPUTS + k] - p[k]) * wx;
                float bottom = q[k] + (q[OUTPUTS + k] - q[k]) * wx;
                maps[k][y * item->width + x] = 1 / (1 + expf(-(top + (bottom - top) * wy)));
            }
        }
    }
}

static void look(viewer *v, const pts_segmenter *model, const feature_item *item)
{
    decoder_forward(model->parameters, item->coarse, item->fine, item->rows, item->columns,
                    &v->tape);
    fill_maps(v, item);
}

pts_status pts_segmenter_predict(const pts_segmenter *model, const pts_features *features,
                                 size_t image, pts_instances *out, pts_error *err)
{
    *out = (pts_instances){0};
    if (image >= features->count)
        return pts_fail(err, PTS_ERR_ARGUMENT, "image: expected below %zu, got %zu",
                        features->count, image);
    viewer v;
    PTS_TRY(viewer_create(&v, features, err));
    const feature_item *item = &features->items[image];
    look(&v, model, item);
    pts_status status = instances_cut(&v.room, item->height, item->width, &model->rule, out, err);
    viewer_free(&v);
    return status;
}

/* ---- evaluation ---- */

enum { MAX_RULES = 6 };

typedef struct evaluation {
    const pts_segmenter *model;
    const pts_features *features;
    const pts_labelled_image *images;
    size_t count;
    const instance_rule *rules;
    size_t rule_count;
    viewer *viewers;      /* [threads] */
    pts_rle ***truths;    /* [count][outlines] */
    pts_instances *found; /* [rule_count][count] */
    pts_status *statuses; /* [count] */
    pts_error *errors;    /* [count] */
} evaluation;

static pts_status truth_masks(const feature_item *item, const pts_labelled_image *image,
                              pts_rle **masks, pts_error *err)
{
    double *xy = NULL;
    size_t capacity = 0;
    pts_status status = PTS_OK;
    for (size_t i = 0; i < image->count && status == PTS_OK; i++) {
        const pts_outline *o = &image->outlines[i];
        status = pts_grow(&xy, &capacity, o->points * 2, sizeof *xy, err);
        if (status != PTS_OK)
            break;
        for (size_t k = 0; k < o->points * 2; k++)
            xy[k] = (double)o->xy[k] * (double)(k % 2 ? item->height : item->width);
        status = pts_rle_from_polygon(&masks[i], xy, o->points, item->height, item->width, err);
    }
    free(xy);
    return status;
}

static pts_status evaluate_image(evaluation *e, size_t i, viewer *v, pts_error *err)
{
    const pts_labelled_image *image = &e->images[i];
    const feature_item *item = &e->features->items[image->image];
    PTS_TRY(truth_masks(item, image, e->truths[i], err));
    look(v, e->model, item);
    for (size_t r = 0; r < e->rule_count; r++)
        PTS_TRY(instances_cut(&v->room, item->height, item->width, &e->rules[r],
                              &e->found[r * e->count + i], err));
    return PTS_OK;
}

static void evaluate_task(void *user, size_t task, int thread)
{
    evaluation *e = user;
    e->statuses[task] = evaluate_image(e, task, &e->viewers[thread], &e->errors[task]);
}

static void evaluation_free(evaluation *e, size_t threads)
{
    for (size_t i = 0; e->viewers && i < threads; i++)
        viewer_free(&e->viewers[i]);
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

static pts_status evaluation_alloc(evaluation *e, size_t threads, pts_error *err)
{
    e->viewers = calloc(threads, sizeof *e->viewers);
    e->truths = calloc(e->count, sizeof *e->truths);
    e->found = calloc(e->count * e->rule_count, sizeof *e->found);
    e->statuses = calloc(e->count, sizeof *e->statuses);
    e->errors = calloc(e->count, sizeof *e->errors);
    if (!e->viewers || !e->truths || !e->found || !e->statuses || !e->errors)
        return pts_fail_memory(err, e->count * sizeof *e->errors);
    for (size_t i = 0; i < e->count; i++) {
        e->truths[i] = calloc(e->images[i].count + 1, sizeof *e->truths[i]);
        if (!e->truths[i])
            return pts_fail_memory(err, (e->images[i].count + 1) * sizeof *e->truths[i]);
    }
    for (size_t i = 0; i < threads; i++)
        PTS_TRY(viewer_create(&e->viewers[i], e->features, err));
    return PTS_OK;
}

static pts_status measure_rule(const evaluation *e, size_t rule, pts_map *out, pts_error *err)
{
    pts_image_masks *images = calloc(e->count, sizeof *images);
    if (!images)
        return pts_fail_memory(err, e->count * sizeof *images);
    for (size_t i = 0; i < e->count; i++) {
        const pts_instances *found = &e->found[rule * e->count + i];
        images[i] = (pts_image_masks){e->truths[i], e->images[i].count, found->masks, found->scores,
                                      found->count};
    }
    pts_status status = pts_map_of_masks(images, e->count, PTS_AP_COCO, out, err);
    free(images);
    return status;
}

static pts_status evaluate_images(evaluation *e, pts_team *team, pts_map *maps, pts_error *err)
{
    PTS_TRY(evaluation_alloc(e, (size_t)pts_team_threads(team), err));
    pts_team_run(team, e->count, evaluate_task, e);
    for (size_t i = 0; i < e->count; i++) {
        if (e->statuses[i] != PTS_OK)
            return pts_fail(err, e->statuses[i], "%s", e->errors[i].message);
    }
    for (size_t r = 0; r < e->rule_count; r++)
        PTS_TRY(measure_rule(e, r, &maps[r], err));
    return PTS_OK;
}

static pts_status evaluate_rules(const pts_segmenter *model, const pts_features *features,
                                 const pts_labelled_image *images, size_t count,
                                 const instance_rule *rules, size_t rule_count, pts_team *team,
                                 pts_map *maps, pts_error *err)
{
    evaluation e = {.model = model,
                    .features = features,
                    .images = images,
                    .count = count,
                    .rules = rules,
                    .rule_count = rule_count};
    pts_status status = evaluate_images(&e, team, maps, err);
    evaluation_free(&e, (size_t)pts_team_threads(team));
    return status;
}

static pts_status check_images(const pts_features *features, const pts_labelled_image *images,
                               size_t count, pts_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (images[i].image >= features->count)
            return pts_fail(err, PTS_ERR_ARGUMENT, "image: expected below %zu, got %zu",
                            features->count, images[i].image);
    }
    return PTS_OK;
}

pts_status pts_segmenter_evaluate(const pts_segmenter *model, const pts_features *features,
                                  const pts_labelled_image *images, size_t count, pts_team *team,
                                  pts_map *out, pts_error *err)
{
    if (!count)
        return pts_fail(err, PTS_ERR_ARGUMENT, "evaluation: expected images, got none");
    PTS_TRY(check_images(features, images, count, err));
    return evaluate_rules(model, features, images, count, &model->rule, 1, team, out, err);
}

/* ---- training ---- */

static const instance_rule rules[MAX_RULES] = {
    {1, 0.5f}, {0, 0.5f}, {1, 0.35f}, {0, 0.35f}, {1, 0.65f}, {0, 0.65f},
};

static pts_status choose_rule(pts_segmenter *model, const pts_features *features,
                              const pts_segment_task *task, pts_team *team, pts_error *err)
{
    pts_map maps[MAX_RULES];
    model->rule = rules[0];
    if (!task->validation_count)
        return PTS_OK;
    PTS_TRY(evaluate_rules(model, features, task->validation, task->validation_count, rules,
                           MAX_RULES, team, maps, err));
    size_t best = 0;
    for (size_t r = 1; r < MAX_RULES; r++) {
        if (maps[r].map > maps[best].map)
            best = r;
    }
    model->rule = rules[best];
    return PTS_OK;
}

typedef struct target_job {
    const pts_features *features;
    const pts_labelled_image *images;
    segment_target *targets;
    pts_status *statuses;
    pts_error *errors;
} target_job;

static void target_task(void *user, size_t i, int thread)
{
    target_job *job = user;
    const pts_labelled_image *image = &job->images[i];
    (void)thread;
    job->statuses[i] = segment_target_make(&job->targets[i], &job->features->items[image->image],
                                           image->outlines, image->count, &job->errors[i]);
}

static pts_status train_on_targets(pts_segmenter *model, target_job *job, size_t count,
                                   uint64_t seed, pts_team *team, pts_error *err)
{
    job->targets = calloc(count, sizeof *job->targets);
    job->statuses = calloc(count, sizeof *job->statuses);
    job->errors = calloc(count, sizeof *job->errors);
    if (!job->targets || !job->statuses || !job->errors)
        return pts_fail_memory(err, count * sizeof *job->errors);
    pts_team_run(team, count, target_task, job);
    for (size_t i = 0; i < count; i++) {
        if (job->statuses[i] != PTS_OK)
            return pts_fail(err, job->statuses[i], "%s", job->errors[i].message);
    }
    return decoder_train(model->parameters, job->targets, count, seed, team, err);
}

static pts_status train(pts_segmenter *model, const pts_features *features,
                        const pts_segment_task *task, uint64_t seed, pts_team *team, pts_error *err)
{
    model->parameters = pts_calloc64(decoder_parameters(), sizeof(float));
    if (!model->parameters)
        return pts_fail_memory(err, decoder_parameters() * sizeof(float));
    target_job job = {.features = features, .images = task->train};
    pts_status status = train_on_targets(model, &job, task->train_count, seed, team, err);
    for (size_t i = 0; job.targets && i < task->train_count; i++)
        segment_target_free(&job.targets[i]);
    free(job.targets);
    free(job.statuses);
    free(job.errors);
    PTS_TRY(status);
    return choose_rule(model, features, task, team, err);
}

pts_status pts_segmenter_train(pts_segmenter **out, const pts_features *features,
                               const pts_segment_task *task, uint64_t seed, pts_team *team,
                               pts_error *err)
{
    *out = NULL;
    if (!task->train_count)
        return pts_fail(err, PTS_ERR_ARGUMENT, "training: expected images, got none");
    PTS_TRY(check_images(features, task->train, task->train_count, err));
    PTS_TRY(check_images(features, task->validation, task->validation_count, err));
    pts_segmenter *model = calloc(1, sizeof *model);
    if (!model)
        return pts_fail_memory(err, sizeof *model);
    pts_status status = train(model, features, task, seed, team, err);
    if (status != PTS_OK) {
        pts_segmenter_destroy(model);
        return status;
    }
    *out = model;
    return PTS_OK;
}

void pts_segmenter_destroy(pts_segmenter *model)
{
    if (!model)
        return;
    free(model->parameters);
    free(model);
}
