/* The built-in segmenter as a trainer. */
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "collect/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct builtin {
    pts_trainer base;
    pts_encoder *encoder;
    pts_feature_settings settings;
    pts_team *team;
    const pts_dataset *set; /* whose features these are */
    const char **paths;     /* of its images */
    pts_features *features;
} builtin;

/* ---- memory ---- */

/* "5" resets the high-water mark of the resident set (proc(5)); without it peaks only rise. */
static void reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return;
    fputs("5", file);
    fclose(file);
}

static uint64_t peak_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long long kilobytes = 0;
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file) && sscanf(line, "VmHWM: %llu kB", &kilobytes) != 1)
        continue;
    fclose(file);
    return (uint64_t)kilobytes * 1024;
}

/* ---- labels of one class on some images ---- */

typedef struct labels {
    pts_labelled_image *images;
    pts_labelled_instance *instances;
    size_t count;
} labels;

static void labels_free(labels *l)
{
    free(l->images);
    free(l->instances);
    *l = (labels){0};
}

/* Also on failure to be freed. */
static pts_status labels_make(labels *l, const pts_dataset *set, int class_id, image_list list,
                              pts_error *err)
{
    *l = (labels){.count = list.count};
    size_t total = pts_dataset_class_instances(set, class_id), used = 0;
    PTS_TRY(pts_new(&l->images, list.count, sizeof *l->images, err));
    PTS_TRY(pts_new(&l->instances, total, sizeof *l->instances, err));
    for (size_t i = 0; i < list.count; i++) {
        size_t instances;
        const pts_instance *instance = pts_dataset_instances(set, list.images[i], &instances);
        l->images[i] = (pts_labelled_image){list.images[i], l->instances + used, 0};
        for (size_t k = 0; k < instances; k++) {
            if (instance[k].class_id == class_id)
                l->instances[used++] =
                    (pts_labelled_instance){instance[k].xy, instance[k].ends, instance[k].parts,
                                            instance[k].mask, instance[k].crowd};
        }
        l->images[i].count = (size_t)(l->instances + used - l->images[i].instances);
    }
    return PTS_OK;
}

typedef struct parts {
    labels train, validation, test;
} parts;

static void parts_free(parts *p)
{
    labels_free(&p->train);
    labels_free(&p->validation);
    labels_free(&p->test);
}

static pts_status parts_make(parts *p, const train_request *r, pts_error *err)
{
    PTS_TRY(labels_make(&p->train, r->set, r->class_id, r->train, err));
    PTS_TRY(labels_make(&p->validation, r->set, r->class_id, r->validation, err));
    return labels_make(&p->test, r->set, r->class_id, r->test, err);
}

/* ---- features ---- */

static void features_forget(builtin *b)
{
    pts_features_destroy(b->features);
    free(b->paths);
    b->features = NULL;
    b->paths = NULL;
    b->set = NULL;
}

/* The projection, which is of the whole set, whatever is trained on it. */
static pts_status prepare(pts_trainer *trainer, const pts_dataset *set, pts_progress progress,
                          void *user, pts_error *err)
{
    builtin *b = (builtin *)trainer;
    if (b->set == set)
        return PTS_OK;
    features_forget(b);
    size_t count = pts_dataset_images(set);
    PTS_TRY(pts_new(&b->paths, count, sizeof *b->paths, err));
    for (size_t i = 0; i < count; i++)
        b->paths[i] = pts_dataset_image_path(set, i);
    PTS_TRY(pts_features_create(&b->features, b->encoder, b->paths, count, &b->settings, progress,
                                user, err));
    b->set = set;
    return PTS_OK;
}

/* Only the images that are looked at, and these once a data set: with small sizes they are few. */
static pts_status need(builtin *b, const train_request *r, pts_error *err)
{
    const image_list lists[] = {r->train, r->validation, r->test};
    size_t count = 0, total = r->train.count + r->validation.count + r->test.count;
    size_t *images;
    PTS_TRY(pts_new(&images, total, sizeof *images, err));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (size_t k = 0; k < lists[i].count; k++)
            images[count++] = lists[i].images[k];
    }
    pts_status status = pts_features_extend(b->features, b->encoder, b->paths, images, count,
                                            r->progress, r->user, err);
    free(images);
    return status;
}

/* ---- the table's functions ---- */

static pts_status train_and_test(const builtin *b, const train_request *r, const parts *p,
                                 pts_segmenter **model, train_result *result, pts_error *err)
{
    const pts_segment_task task = {p->train.images, p->validation.images, p->train.count,
                                   p->validation.count};
    pts_segment_options options = PTS_SEGMENT_DEFAULTS;
    pts_segment_score score;
    pts_segmenter_info info;
    options.start = r->start;
    options.seed = r->seed;
    options.progress = r->progress;
    options.user = r->user;
    PTS_TRY(pts_segmenter_train(model, b->features, &task, &options, b->team, err));
    PTS_TRY(pts_segmenter_evaluate(*model, b->features, p->test.images, p->test.count, b->team,
                                   r->progress, r->user, &score, err));
    pts_segmenter_describe(*model, &info);
    result->test = score.ap;
    result->validation = info.validation.ap;
    return PTS_OK;
}

static pts_status train(pts_trainer *trainer, const train_request *r, train_result *result,
                        pts_error *err)
{
    builtin *b = (builtin *)trainer;
    parts p = {0};
    pts_segmenter *model = NULL;
    PTS_TRY(need(b, r, err));
    double start = pts_clock();
    reset_peak();
    pts_status status = parts_make(&p, r, err);
    if (status == PTS_OK)
        status = train_and_test(b, r, &p, &model, result, err);
    parts_free(&p);
    if (status != PTS_OK) {
        pts_segmenter_destroy(model);
        return status;
    }
    result->model = model;
    result->seconds = pts_clock() - start;
    result->peak_bytes = peak_bytes();
    return PTS_OK;
}

static void forget(pts_trainer *trainer, void *model)
{
    (void)trainer;
    pts_segmenter_destroy(model);
}

static void destroy(pts_trainer *trainer)
{
    builtin *b = (builtin *)trainer;
    features_forget(b);
    free(b);
}

pts_status pts_trainer_builtin(pts_trainer **out, pts_encoder *encoder,
                               const pts_feature_settings *settings, pts_team *team, pts_error *err)
{
    *out = NULL;
    builtin *b;
    char *text;
    PTS_TRY(pts_text(&text, err, "segmenter %d, side %zu, encoder %.12s", PTS_SEGMENTER_VERSION,
                     settings->side, pts_encoder_id(encoder)));
    pts_status status = pts_new(&b, 1, sizeof *b, err);
    if (status != PTS_OK) {
        free(text);
        return status;
    }
    *b = (builtin){.base = {"builtin", text, prepare, train, forget, destroy},
                   .encoder = encoder,
                   .settings = *settings,
                   .team = team};
    b->settings.later = true;
    *out = &b->base;
    return PTS_OK;
}
