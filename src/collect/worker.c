#include "collect/worker.h"
#include "base/error.h"
#include "base/memory.h"
#include "collect/measure.h"

#include <stdlib.h>

pts_collect_event pts_worker_event(const worklist *p, const worklist_job *job,
                                   pts_collect_what what)
{
    const pts_dataset *set = p->sets[job->set].set;
    return (pts_collect_event){.what = what,
                               .dataset = pts_dataset_name(set),
                               .class_name = pts_dataset_class_name(set, job->class_id),
                               .seed = job->seed,
                               .n = job->n};
}

static int on_progress(const worker *w, pts_collect_what what, const char *stage, size_t done,
                       size_t total)
{
    pts_collect_event event = pts_worker_event(w->worklist, w->job, what);
    event.message = stage;
    event.done = done;
    event.total = total;
    return w->tell(w->user, &event);
}

static int on_preparing(void *user, const char *stage, size_t done, size_t total)
{
    return on_progress(user, PTS_COLLECT_PREPARING, stage, done, total);
}

static int on_training(void *user, const char *stage, size_t done, size_t total)
{
    return on_progress(user, PTS_COLLECT_TRAINING, stage, done, total);
}

static int on_point(void *user, const pts_store_point *point)
{
    const worker *w = user;
    pts_collect_event event = pts_worker_event(w->worklist, w->job, PTS_COLLECT_POINT);
    event.n = point->n;
    event.point = point;
    return w->tell(w->user, &event);
}

/* Features are of a data set, so they are prepared before its first size and kept. */
static pts_status measure(worker *w, const pts_split *split, const size_t *sizes, size_t size_count,
                          pts_store_point **points, size_t *count, pts_error *err)
{
    const worklist_job *job = w->job;
    const measure_request request = {
        .train = {.set = w->worklist->sets[job->set].set,
                  .class_id = job->class_id,
                  .train = {split->train, split->n_train},
                  .validation = {split->val, split->n_val},
                  .test = {split->test, split->n_test},
                  .seed = job->seed,
                  .progress = on_training,
                  .user = w},
        .sizes = job->n ? &job->n : sizes,
        .count = job->n ? 1 : size_count,
        .options = w->options,
        .visit = on_point,
        .user = w,
    };
    PTS_TRY(pts_new(points, request.count, sizeof **points, err));
    PTS_TRY(w->trainer->prepare(w->trainer, request.train.set, on_preparing, w, err));
    return pts_measure_sizes(w->trainer, &request, *points, count, err);
}

pts_status pts_worker_measure(worker *w, const worklist_job *job, pts_store_point **points,
                              size_t *count, pts_error *err)
{
    pts_split *split;
    size_t *sizes, size_count;
    *points = NULL;
    *count = 0;
    w->job = job;
    PTS_TRY(pts_worklist_split(&w->worklist->sets[job->set], job->class_id, job->seed, w->options,
                               &split, &sizes, &size_count, err));
    pts_status status = measure(w, split, sizes, size_count, points, count, err);
    pts_split_destroy(split);
    free(sizes);
    if (status != PTS_OK) {
        free(*points);
        *points = NULL;
    }
    return status;
}
