#include "collect/worklist.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- splits ---- */

pts_status pts_worklist_split(const worklist_set *set, int class_id, uint64_t seed,
                              const pts_collect_options *options, pts_split **split, size_t **sizes,
                              size_t *count, pts_error *err)
{
    pts_split_options split_options = PTS_SPLIT_DEFAULTS;
    split_options.seed = seed;
    split_options.keep = options->keep;
    *sizes = NULL;
    PTS_TRY(pts_dataset_split(split, set->set, class_id, &split_options, err));
    pts_error why;
    pts_status status = pts_schedule_parse(sizes, count, options->sizes, (*split)->n_train, &why);
    if (status == PTS_OK)
        return PTS_OK;
    pts_split_destroy(*split);
    *split = NULL;
    return pts_fail(err, status, "%.150s: %.100s: %.250s", pts_dataset_name(set->set),
                    pts_dataset_class_name(set->set, class_id), why.message);
}

/* ---- jobs ---- */

static pts_status add_job(worklist *p, worklist_job job, pts_error *err)
{
    PTS_TRY(pts_grow(&p->jobs, &p->job_capacity, p->job_count + 1, sizeof *p->jobs, err));
    p->jobs[p->job_count++] = job;
    return PTS_OK;
}

/* Sizes that follow from each other are one job; others can be done by anyone, in any order. */
static pts_status add_seed(worklist *p, size_t set, int class_id, uint64_t seed,
                           const pts_collect_options *options, pts_error *err)
{
    pts_split *split;
    size_t *sizes, count;
    PTS_TRY(
        pts_worklist_split(&p->sets[set], class_id, seed, options, &split, &sizes, &count, err));
    pts_split_destroy(split);
    pts_status status = PTS_OK;
    worklist_job job = {set, class_id, seed, 0, p->split_count++};
    if (options->mode != PTS_COLLECT_FRESH)
        status = add_job(p, job, err);
    for (size_t i = 0; options->mode == PTS_COLLECT_FRESH && status == PTS_OK && i < count; i++) {
        job.n = sizes[i];
        status = add_job(p, job, err);
    }
    free(sizes);
    return status;
}

static pts_status add_class(worklist *p, size_t set, int class_id,
                            const pts_collect_options *options, pts_error *err)
{
    for (size_t k = 0; k < options->seeds; k++)
        PTS_TRY(add_seed(p, set, class_id, options->seed + k, options, err));
    return PTS_OK;
}

static pts_status add_all_classes(worklist *p, size_t set, const pts_collect_options *options,
                                  pts_collect_listener listener, void *user, pts_error *err)
{
    const pts_dataset *data = p->sets[set].set;
    size_t before = p->job_count;
    for (int k = 0; k < pts_dataset_classes(data); k++) {
        size_t images;
        pts_dataset_showing(data, k, &images);
        if (images >= options->min_images) {
            PTS_TRY(add_class(p, set, k, options, err));
            continue;
        }
        const pts_collect_event event = {.what = PTS_COLLECT_LEFT_OUT,
                                         .dataset = pts_dataset_name(data),
                                         .class_name = pts_dataset_class_name(data, k),
                                         .n = images};
        if (listener(user, &event))
            return pts_fail(err, PTS_ERR_CANCELLED, "interrupted");
    }
    if (p->job_count > before)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_SHAPE,
                    "%s: expected a class that %zu images show (--min-images), got none",
                    pts_dataset_dir(data), options->min_images);
}

static pts_status add_jobs(worklist *p, size_t set, const pts_collect_options *options,
                           pts_collect_listener listener, void *user, pts_error *err)
{
    if (strcmp(options->class_name, "all") == 0)
        return add_all_classes(p, set, options, listener, user, err);
    int class_id;
    PTS_TRY(pts_dataset_find_class(p->sets[set].set, options->class_name, &class_id, err));
    return add_class(p, set, class_id, options, err);
}

/* ---- data sets ---- */

typedef struct reader {
    pts_collect_listener listener;
    void *user;
    const char *dir;
} reader;

static void on_finding(void *user, pts_finding kind, const char *message)
{
    const reader *r = user;
    const pts_collect_event event = {.what = PTS_COLLECT_FINDING,
                                     .dataset = r->dir,
                                     .n = kind != PTS_FINDING_NOTE,
                                     .message = message};
    r->listener(r->user, &event);
}

/* Images are decoded here: one that cannot be would otherwise end a training after hours. */
static pts_status open_set(worklist *p, const char *dir, const pts_collect_options *options,
                           pts_collect_listener listener, void *user, pts_error *err)
{
    worklist_set *set = &p->sets[p->set_count++];
    reader r = {listener, user, dir};
    const pts_dataset_options read = {.strict = options->strict,
                                      .look = PTS_LOOK_PIXELS,
                                      .report = on_finding,
                                      .user = &r,
                                      .team = options->team};
    PTS_TRY(pts_dataset_read(&set->set, dir, &read, err));
    PTS_TRY(pts_worklist_hash(set, err));
    return add_jobs(p, p->set_count - 1, options, listener, user, err);
}

pts_status pts_worklist_make(worklist *p, const char *const *dirs, size_t count,
                             const pts_collect_options *options, pts_collect_listener listener,
                             void *user, pts_error *err)
{
    *p = (worklist){0};
    PTS_TRY(pts_new(&p->sets, count, sizeof *p->sets, err));
    for (size_t i = 0; i < count; i++)
        PTS_TRY(open_set(p, dirs[i], options, listener, user, err));
    return PTS_OK;
}

void pts_worklist_free(worklist *p)
{
    for (size_t i = 0; i < p->set_count; i++)
        pts_dataset_close(p->sets[i].set);
    free(p->sets);
    free(p->jobs);
    *p = (worklist){0};
}
