#include "segment/segmenter.h"
#include "base/error.h"
#include "base/memory.h"
#include "segment/viewer.h"

#include <stdlib.h>
#include <string.h>

/* ---- the object ---- */

pts_status pts_segmenter_create(pts_segmenter **out, const pts_projection *projection,
                                pts_error *err)
{
    pts_segmenter *model;
    *out = NULL;
    PTS_TRY(pts_new(&model, 1, sizeof *model, err));
    model->info.validation.ap = (pts_ap){-1, -1, -1};
    pts_status status = pts_new(&model->parameters, pts_decoder_parameters(), sizeof(float), err);
    if (status == PTS_OK)
        status = pts_projection_copy(&model->projection, projection, err);
    if (status == PTS_OK)
        *out = model;
    else
        pts_segmenter_destroy(model);
    return status;
}

void pts_segmenter_destroy(pts_segmenter *model)
{
    if (!model)
        return;
    free(model->parameters);
    pts_projection_free(&model->projection);
    free(model);
}

void pts_segmenter_describe(const pts_segmenter *model, pts_segmenter_info *info)
{
    *info = model->info;
    info->from_cores = model->rule.from_cores;
    info->threshold = (double)model->rule.threshold;
}

const pts_projection *pts_segmenter_projection(const pts_segmenter *model)
{
    return &model->projection;
}

pts_status pts_segmenter_check_features(const pts_segmenter *model, const pts_features *features,
                                        pts_error *err)
{
    if (pts_projection_equal(&model->projection, &features->projection))
        return PTS_OK;
    return pts_fail(err, PTS_ERR_ARGUMENT,
                    "segmenter: expected features of its own projection (%s %.12s, side %zu), got "
                    "others (%s %.12s, side %zu)",
                    model->projection.arch, model->projection.encoder_id, model->projection.side,
                    features->projection.arch, features->projection.encoder_id,
                    features->projection.side);
}

static pts_status check_image(const pts_features *features, size_t image, pts_error *err)
{
    if (image >= features->count)
        return pts_fail(err, PTS_ERR_ARGUMENT, "image: expected below %zu, got %zu",
                        features->count, image);
    return PTS_OK;
}

pts_status pts_segmenter_present(pts_labelled_image **out, size_t *kept,
                                 const pts_features *features, const pts_labelled_image *images,
                                 size_t count, pts_error *err)
{
    *out = NULL;
    *kept = 0;
    for (size_t i = 0; i < count; i++)
        PTS_TRY(check_image(features, images[i].image, err));
    PTS_TRY(pts_new(out, count, sizeof **out, err));
    for (size_t i = 0; i < count; i++) {
        if (pts_features_readable(features, images[i].image))
            (*out)[(*kept)++] = images[i];
    }
    return PTS_OK;
}

/* ---- prediction ---- */

pts_status pts_segmenter_predict(const pts_segmenter *model, const pts_features *features,
                                 size_t image, pts_instances *out, pts_error *err)
{
    *out = (pts_instances){0};
    PTS_TRY(check_image(features, image, err));
    PTS_TRY(pts_segmenter_check_features(model, features, err));
    if (!pts_features_readable(features, image))
        return pts_fail(err, PTS_ERR_ARGUMENT, "image: expected a readable one, got %zu, absent",
                        image);
    viewer v;
    PTS_TRY(pts_viewer_create(&v, features, err));
    const feature_item *item = &features->items[image];
    pts_viewer_look(&v, model->parameters, item);
    pts_status status =
        pts_instances_cut(&v.room, item->height, item->width, &model->rule, out, err);
    pts_viewer_free(&v);
    return status;
}

/* ---- training ---- */

/* The first is taken where there is nothing to choose by. */
static const instance_rule rules[] = {
    {true, 0.5f}, {false, 0.5f}, {true, 0.35f}, {false, 0.35f}, {true, 0.65f}, {false, 0.65f},
};
enum { RULES = sizeof rules / sizeof *rules };

typedef struct training {
    const pts_features *features;
    const pts_segment_task *task;
    const pts_segment_options *options;
    pts_team *team;
    pts_segmenter *model;
    pts_labelled_image *images; /* [count], none absent */
    size_t count;
    segment_target *targets; /* [count], and what became of each */
    pts_status *statuses;
    pts_error *errors;
} training;

static void target_task(void *user, size_t i, int thread)
{
    training *t = user;
    const pts_labelled_image *image = &t->images[i];
    (void)thread;
    t->statuses[i] = pts_segment_target_make(&t->targets[i], &t->features->items[image->image],
                                             image->instances, image->count, &t->errors[i]);
}

/* A task a photograph; the first failure in order is told, whatever thread met it. */
static pts_status make_targets(training *t, pts_error *err)
{
    PTS_TRY(pts_new(&t->targets, t->count, sizeof *t->targets, err));
    PTS_TRY(pts_new(&t->statuses, t->count, sizeof *t->statuses, err));
    PTS_TRY(pts_new(&t->errors, t->count, sizeof *t->errors, err));
    pts_team_run(t->team, t->count, target_task, t);
    for (size_t i = 0; i < t->count; i++) {
        if (t->statuses[i] != PTS_OK)
            return pts_fail(err, t->statuses[i], "%s", t->errors[i].message);
    }
    return PTS_OK;
}

/* Which rule cuts best depends on whether the objects touch; only the validation images may say so:
 * chosen on the test images it would flatter the result. */
static pts_status choose_rule(training *t, pts_error *err)
{
    const pts_segment_options *o = t->options;
    const evaluation_setting setting = {t->features, t->team, o->progress, o->user, "validation"};
    pts_segment_score scores[RULES];
    PTS_TRY(pts_evaluation_run(&setting, t->model->parameters, t->task->validation,
                               t->task->validation_count, rules, RULES, scores, err));
    t->model->info.validation = scores[0];
    t->model->rule = o->start ? o->start->rule : rules[0];
    if (!scores[0].images)
        return PTS_OK;
    size_t best = 0;
    for (size_t r = 1; r < RULES; r++) {
        if (scores[r].ap.map > scores[best].ap.map)
            best = r;
    }
    t->model->rule = rules[best];
    t->model->info.validation = scores[best];
    return PTS_OK;
}

static pts_status train(training *t, pts_error *err)
{
    const pts_segment_options *o = t->options;
    const decoder_plan plan = {o->start != NULL, o->steps, o->seed, t->team, o->progress, o->user};
    if (!t->count)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "training: expected readable images, got none of %zu",
                        t->task->train_count);
    PTS_TRY(pts_segmenter_create(&t->model, &t->features->projection, err));
    PTS_TRY(make_targets(t, err));
    pts_segmenter *model = t->model;
    if (o->start)
        memcpy(model->parameters, o->start->parameters, pts_decoder_parameters() * sizeof(float));
    model->info.images = t->count;
    model->info.absent = t->task->train_count - t->count;
    PTS_TRY(
        pts_decoder_train(model->parameters, t->targets, t->count, &plan, &model->info.steps, err));
    return choose_rule(t, err);
}

static void training_free(training *t)
{
    for (size_t i = 0; t->targets && i < t->count; i++)
        pts_segment_target_free(&t->targets[i]);
    free(t->targets);
    free(t->statuses);
    free(t->errors);
    free(t->images);
}

/* Validation images, too, though they are looked at last: a bad index must not cost a training. */
static pts_status check_options(const training *t, pts_error *err)
{
    const pts_segment_options *o = t->options;
    if (!(o->steps > 0 && o->steps <= 100))
        return pts_fail(err, PTS_ERR_ARGUMENT, "training: expected steps in (0, 100], got %g",
                        o->steps);
    for (size_t i = 0; i < t->task->validation_count; i++)
        PTS_TRY(check_image(t->features, t->task->validation[i].image, err));
    return o->start ? pts_segmenter_check_features(o->start, t->features, err) : PTS_OK;
}

pts_status pts_segmenter_train(pts_segmenter **out, const pts_features *features,
                               const pts_segment_task *task, const pts_segment_options *options,
                               pts_team *team, pts_error *err)
{
    training t = {.features = features, .task = task, .options = options, .team = team};
    *out = NULL;
    PTS_TRY(check_options(&t, err));
    PTS_TRY(
        pts_segmenter_present(&t.images, &t.count, features, task->train, task->train_count, err));
    pts_status status = train(&t, err);
    training_free(&t);
    if (status == PTS_OK)
        *out = t.model;
    else
        pts_segmenter_destroy(t.model);
    return status;
}
