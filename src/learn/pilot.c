/* What photographs still add once a few pilot sizes are measured. */
#include "learn/population.h"
#include "learn/sweep.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VIEWS = 2 }; /* draws of four photographs, as the bands of lodo.c */

const char *pts_pilot_prior_name(pts_pilot_prior prior)
{
    static const char *const names[PTS_PILOT_PRIORS] = {"population", "one_curve", "mlp_head",
                                                        "labelled"};
    return prior < PTS_PILOT_PRIORS ? names[prior] : "?";
}

typedef struct pilot_run {
    const sweep *s;
    const double *upto;
    size_t sizes;
    pts_curve_points *curves;   /* [tasks], borrowed */
    pts_curve_prior *priors;    /* [tasks][PTS_PILOT_PRIORS][VIEWS]; noise 0: none */
    pts_forecast_score *scores; /* [tasks][sizes][PTS_PILOT_PRIORS] */
    pts_status *status;         /* [tasks] */
    size_t first;               /* task of this round */
} pilot_run;

static pts_curve_prior *prior_at(const pilot_run *p, size_t task, size_t prior, size_t view)
{
    return &p->priors[(task * PTS_PILOT_PRIORS + prior) * VIEWS + view];
}

static pts_forecast_score *score_at(const pilot_run *p, size_t task, size_t size, size_t prior)
{
    return &p->scores[(task * p->sizes + size) * PTS_PILOT_PRIORS + prior];
}

static size_t group_of(const pilot_run *p, size_t task)
{
    return p->s->data.tasks->rows[task].group;
}

/* ---- priors, each without the data set that it is asked about ---- */

/* SIZE_MAX: cannot answer. */
static size_t choice_of(const pilot_run *p, size_t out, pts_pilot_prior prior)
{
    switch (prior) {
    case PTS_PILOT_ONE_CURVE:
        return 0;
    case PTS_PILOT_HEAD:
        return pts_sweep_choose_mlp(p->s, out);
    case PTS_PILOT_LABELLED:
        return p->s->data.label_means ? pts_sweep_choose_predictor(p->s, out, PREDICTOR_LABELLED)
                                      : SIZE_MAX;
    default:
        return SIZE_MAX;
    }
}

/* What pts_head_predict would answer for the views of data set `out`'s classes. */
static pts_status make_head_priors(const pilot_run *p, size_t out, pts_pilot_prior prior,
                                   pts_error *err)
{
    const size_t choice = choice_of(p, out, prior);
    pts_curve_prior spread = {.noise_dof = 0};
    if (choice == SIZE_MAX)
        return PTS_OK;
    PTS_TRY(pts_sweep_spread(p->s, out, choice, spread.covariance, &spread.noise, err));
    for (size_t t = 0; t < p->s->tasks; t++)
        for (size_t v = 0; v < VIEWS && group_of(p, t) == out; v++) {
            memcpy(spread.mean, pts_sweep_theta(p->s, t, SIZE_MAX, choice) + v * 4,
                   sizeof spread.mean);
            *prior_at(p, t, prior, v) = spread;
        }
    return PTS_OK;
}

/* Choice and spread are made anew without `out`, else they would have seen its curves. */
static pts_status make_priors(const pilot_run *p, size_t out, pts_error *err)
{
    pts_prior_file population;
    PTS_TRY(pts_population_learn(p->s->data.tasks, out, &population, err));
    for (size_t t = 0; t < p->s->tasks; t++)
        if (group_of(p, t) == out)
            *prior_at(p, t, PTS_PILOT_POPULATION, 0) = population.prior;
    for (int prior = PTS_PILOT_ONE_CURVE; prior < PTS_PILOT_PRIORS; prior++)
        PTS_TRY(make_head_priors(p, out, (pts_pilot_prior)prior, err));
    return PTS_OK;
}

/* ---- scores ---- */

/* The mean over the views that differ. */
static pts_status score_one(const pilot_run *p, size_t task, size_t size, size_t prior)
{
    pts_forecast_score *sum = score_at(p, task, size, prior);
    const size_t views = prior == PTS_PILOT_POPULATION || prior == PTS_PILOT_ONE_CURVE ? 1 : VIEWS;
    *sum = (pts_forecast_score){.mae = NAN, .covered_80 = NAN};
    for (size_t v = 0; v < views && prior_at(p, task, prior, v)->noise > 0; v++) {
        pts_forecast_score one;
        PTS_TRY(pts_extrapolate_from(prior_at(p, task, prior, v), &p->curves[task], p->upto[size],
                                     &one, NULL));
        sum->mae = (v > 0 ? sum->mae : 0) + one.mae / (double)views;
        sum->covered_80 = (v > 0 ? sum->covered_80 : 0) + one.covered_80 / (double)views;
    }
    return PTS_OK;
}

/* The status waits for score_all: a task of a team returns nothing. */
static void score_task(void *user, size_t index, int thread)
{
    const pilot_run *p = user;
    const size_t task = p->first + index;
    (void)thread;
    for (size_t size = 0; size < p->sizes && p->status[task] == PTS_OK; size++)
        for (size_t prior = 0; prior < PTS_PILOT_PRIORS && p->status[task] == PTS_OK; prior++)
            p->status[task] = score_one(p, task, size, prior);
}

/* In rounds, so that progress is told, and can stop it, between them. */
static pts_status score_all(pilot_run *p, pts_team *team, pts_progress progress, void *user,
                            pts_error *err)
{
    enum { ROUND = 8 }; /* tasks between two calls of progress */
    const size_t tasks = p->s->tasks;
    for (; p->first < tasks; p->first += ROUND) {
        const size_t left = tasks - p->first, count = left < ROUND ? left : ROUND;
        if (progress && progress(user, "forecast", p->first, tasks) != 0)
            return pts_fail(err, PTS_ERR_CANCELLED, "stopped at curve %zu of %zu", p->first, tasks);
        pts_team_run(team, count, score_task, p);
        for (size_t t = p->first; t < p->first + count; t++)
            if (p->status[t] != PTS_OK)
                return pts_fail(err, p->status[t], "%s: class %s: no forecast",
                                p->curves[t].dataset, p->curves[t].class_name);
    }
    if (progress)
        progress(user, "forecast", tasks, tasks);
    return PTS_OK;
}

/* ---- the report ---- */

/* Of data set `group`: means over its curves that go on beyond the pilot sizes. Returns their
 * number. */
static size_t dataset_means(const pilot_run *p, size_t group, size_t size,
                            double mae[PTS_PILOT_PRIORS], double covered[PTS_PILOT_PRIORS])
{
    size_t count = 0;
    for (size_t k = 0; k < PTS_PILOT_PRIORS; k++)
        mae[k] = covered[k] = 0;
    for (size_t t = 0; t < p->s->tasks; t++) {
        if (group_of(p, t) != group || isnan(score_at(p, t, size, PTS_PILOT_POPULATION)->mae))
            continue;
        count++;
        for (size_t k = 0; k < PTS_PILOT_PRIORS; k++) {
            mae[k] += score_at(p, t, size, k)->mae;
            covered[k] += score_at(p, t, size, k)->covered_80;
        }
    }
    return count;
}

/* Errors over curves; gains over data sets, as classes of one are too alike to be so many trials.
 */
static void report_size(const pilot_run *p, size_t size, pts_pilot_row *row)
{
    double sum[PTS_PILOT_PRIORS] = {0}, squares[PTS_PILOT_PRIORS] = {0};
    *row = (pts_pilot_row){.upto = p->upto[size]};
    for (size_t g = 0; g < p->s->groups; g++) {
        double mae[PTS_PILOT_PRIORS], covered[PTS_PILOT_PRIORS];
        const size_t count = dataset_means(p, g, size, mae, covered);
        if (count == 0)
            continue;
        row->curves += count;
        row->datasets++;
        for (size_t k = 0; k < PTS_PILOT_PRIORS; k++) {
            const double gain = (mae[PTS_PILOT_POPULATION] - mae[k]) / (double)count;
            row->mae[k] += mae[k];
            row->covered_80[k] += covered[k];
            sum[k] += gain;
            squares[k] += gain * gain;
        }
    }
    const double sets = (double)row->datasets;
    for (size_t k = 0; k < PTS_PILOT_PRIORS; k++) {
        row->mae[k] /= (double)row->curves;
        row->covered_80[k] /= (double)row->curves;
        row->gain[k] = sum[k] / sets;
        const double variance = squares[k] / sets - row->gain[k] * row->gain[k];
        row->gain_error[k] = row->datasets > 1 ? sqrt(fmax(variance, 0) / (sets - 1)) : NAN;
    }
}

static pts_status run(pilot_run *p, pts_pilot_row *rows, pts_team *team, pts_progress progress,
                      void *user, pts_error *err)
{
    const size_t tasks = p->s->tasks, cells = tasks * PTS_PILOT_PRIORS;
    PTS_TRY(pts_new(&p->curves, tasks, sizeof *p->curves, err));
    PTS_TRY(pts_new(&p->priors, cells, VIEWS * sizeof *p->priors, err));
    PTS_TRY(pts_new(&p->scores, cells * p->sizes, sizeof *p->scores, err));
    PTS_TRY(pts_new(&p->status, tasks, sizeof *p->status, err));
    for (size_t t = 0; t < tasks; t++)
        p->curves[t] = pts_population_points(&p->s->data.tasks->rows[t].task);
    for (size_t g = 0; g < p->s->groups; g++)
        PTS_TRY(make_priors(p, g, err));
    PTS_TRY(score_all(p, team, progress, user, err));
    for (size_t size = 0; size < p->sizes; size++)
        report_size(p, size, &rows[size]);
    return PTS_OK;
}

static pts_status evaluate(const sweep *s, const double *upto, size_t count, pts_pilot_row *rows,
                           pts_team *team, pts_progress progress, void *user, pts_error *err)
{
    pilot_run p = {.s = s, .upto = upto, .sizes = count};
    pts_status status = run(&p, rows, team, progress, user, err);
    free(p.curves);
    free(p.priors);
    free(p.scores);
    free(p.status);
    return status;
}

pts_status pts_evaluate_pilot(const pts_tasks *tasks, const double *upto, size_t count,
                              pts_pilot_row *rows, uint64_t seed, pts_team *team,
                              pts_progress progress, void *user, pts_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!(upto[i] >= 0))
            return pts_fail(err, PTS_ERR_ARGUMENT, "pilot: expected a size of at least 0, got %g",
                            upto[i]);
    sweep s;
    PTS_TRY(pts_sweep_run(&s, tasks, seed, team, progress, user, err));
    pts_status status = evaluate(&s, upto, count, rows, team, progress, user, err);
    pts_sweep_free(&s);
    return status;
}
