#include "collect/measure.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

bool pts_measure_should_stop(const double *metric, size_t count, size_t window, double threshold)
{
    if (!window || count < window)
        return false;
    double sum = 0;
    for (size_t i = count - window; i < count; i++)
        sum += metric[count - 1] - metric[i];
    return sum < threshold;
}

/* What choices look at. */
static double metric_of(const measure_request *r, const train_result *result)
{
    return r->options->select_on_test ? result->test.map : result->validation.map;
}

typedef struct curve_state {
    pts_trainer *trainer;
    const measure_request *request;
    train_result last; /* its model is what the next piece goes on from */
    double best;
    size_t step;
} curve_state;

/* Trains on images [from, to) of the split; the state's model becomes the new one. */
static pts_status train_on(curve_state *s, size_t from, size_t to, const void *start,
                           pts_error *err)
{
    train_request t = s->request->train;
    t.train.images += from;
    t.train.count = to - from;
    t.n = to;
    t.start = start;
    train_result result = {0};
    PTS_TRY(s->trainer->train(s->trainer, &t, &result, err));
    s->trainer->forget(s->trainer, s->last.model);
    s->last = result;
    return PTS_OK;
}

/* One step of incremental learning; *kind says which weights it ended on. */
static pts_status extend(curve_state *s, size_t from, size_t to, const char **kind, pts_error *err)
{
    *kind = "green";
    PTS_TRY(train_on(s, from, to, s->last.model, err));
    if (s->step == 0 || metric_of(s->request, &s->last) > s->best)
        return PTS_OK;
    *kind = "blue";
    double seconds = s->last.seconds;
    PTS_TRY(train_on(s, 0, to, NULL, err));
    s->last.seconds += seconds;
    return PTS_OK;
}

/* What is reported is of the test split, what is decided by of another (metric_of). */
static pts_status measure_step(curve_state *s, pts_store_point *point, pts_error *err)
{
    const size_t *sizes = s->request->sizes;
    size_t to = sizes[s->step];
    const char *kind = "";
    if (s->request->options->mode == PTS_COLLECT_INCREMENTAL)
        PTS_TRY(extend(s, s->step ? sizes[s->step - 1] : 0, to, &kind, err));
    else
        PTS_TRY(train_on(s, 0, to, NULL, err));
    double metric = metric_of(s->request, &s->last);
    if (metric < 0 && s->request->options->mode != PTS_COLLECT_FRESH)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "mode %s: expected results on the validation images, got none",
                        pts_collect_mode_text(s->request->options->mode));
    if (s->step == 0 || metric > s->best)
        s->best = metric;
    *point = (pts_store_point){.step = s->step,
                               .n = to,
                               .map = s->last.test.map,
                               .map50 = s->last.test.map50,
                               .map75 = s->last.test.map75,
                               .val_map = s->last.validation.map < 0 ? NAN : s->last.validation.map,
                               .kind = kind,
                               .seconds = s->last.seconds,
                               .peak_bytes = s->last.peak_bytes};
    return PTS_OK;
}

static pts_status measure_steps(curve_state *s, pts_store_point *points, double *metrics,
                                pts_error *err)
{
    const measure_request *r = s->request;
    for (; s->step < r->count; s->step++) {
        PTS_TRY(measure_step(s, &points[s->step], err));
        metrics[s->step] = metric_of(r, &s->last);
        if (r->visit && r->visit(r->user, &points[s->step]))
            return pts_fail(err, PTS_ERR_CANCELLED, "interrupted");
        if (r->options->mode != PTS_COLLECT_FRESH &&
            pts_measure_should_stop(metrics, s->step + 1, r->options->stop_window,
                                    r->options->stop_threshold)) {
            s->step++;
            break;
        }
    }
    return PTS_OK;
}

pts_status pts_measure_sizes(pts_trainer *trainer, const measure_request *request,
                             pts_store_point *points, size_t *measured, pts_error *err)
{
    curve_state s = {.trainer = trainer, .request = request};
    double *metrics;
    PTS_TRY(pts_new(&metrics, request->count, sizeof *metrics, err));
    pts_status status = measure_steps(&s, points, metrics, err);
    trainer->forget(trainer, s.last.model);
    free(metrics);
    *measured = s.step;
    return status;
}
