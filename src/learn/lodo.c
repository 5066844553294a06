/* Leave one data set out: the nested head beside its baselines. */
#include "learn/sweep.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/order.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BAND_VIEWS 2 /* draws of photographs whose bands are scored: they are the dearest part */
#define GRID 240     /* over ln n from ln 1 to ln(10 · largest size) */
#define HEADS PTS_METHOD_MEAN_CURVE /* the methods before: those that answer with θ */

const char *pts_method_name(pts_method method)
{
    static const char *const names[PTS_METHODS] = {
        "mlp_head",      "mean_head", "one_curve", "neighbours", "nearest_class",
        "gauss_process", "ensemble",  "labelled",  "mean_curve", "nearest"};
    return method < PTS_METHODS ? names[method] : "?";
}

/* ---- the score of one predicted curve on the grid ---- */

/* Even in ln n: where curves change, not where sizes happen to be measured. */
static double grid_log_n(const task_row *row, size_t g)
{
    return log(10 * row->task.n[row->task.points - 1]) * (double)g / (GRID - 1);
}

/* Only between measured sizes: outside there is nothing to be wrong against. */
static double grid_error(const task_row *row, const double *predicted /* [GRID] */)
{
    double sum = 0, first = row->log_n[0], last = row->log_n[row->task.points - 1];
    size_t count = 0;
    for (size_t g = 0; g < GRID; g++) {
        double x = grid_log_n(row, g);
        if (x < first || x > last)
            continue;
        sum += fabs(predicted[g] - pts_theta_measured(&row->points, row->theta, x));
        count++;
    }
    return count ? sum / (double)count : NAN;
}

/* ln of the least size that reaches `level`; the grid's ends are the limits. */
static double crossing(const task_row *row, const double *curve /* [GRID] */, double level)
{
    if (curve[0] >= level)
        return grid_log_n(row, 0);
    for (size_t g = 1; g < GRID; g++)
        if (curve[g] >= level) {
            double t = (level - curve[g - 1]) / (curve[g] - curve[g - 1]);
            return grid_log_n(row, g - 1) + t * (grid_log_n(row, g) - grid_log_n(row, g - 1));
        }
    return grid_log_n(row, GRID - 1);
}

/* The same on the measured points: before the first one nothing is known, so it is the limit. */
static double measured_crossing(const task_row *row, double level)
{
    const theta_points *p = &row->points;
    if (p->map[0] >= level)
        return p->log_n[0];
    for (size_t i = 1; i < p->count; i++)
        if (p->map[i] >= level) {
            double t = (level - p->map[i - 1]) / (p->map[i] - p->map[i - 1]);
            return p->log_n[i - 1] + t * (p->log_n[i] - p->log_n[i - 1]);
        }
    return p->log_n[p->count - 1];
}

/* In doublings: half as many images and twice as many are equally wrong. */
static double size_ratio(const task_row *row, const double *curve)
{
    double last = row->task.map[row->task.points - 1];
    if (last < 0.05)
        return NAN;
    double predicted = crossing(row, curve, 0.8 * last), truth = measured_crossing(row, 0.8 * last);
    return fabs(fmax(predicted, row->log_n[0]) - truth) / log(2);
}

/* ---- sums of scores; NaN terms do not count ---- */

typedef struct score_sum {
    double mae, ratio, within, covered, covered_50, covered_95;
    double maes, ratios, bands;
} score_sum;

/* covered [3]: 80, 50, 95 %. */
static void add_score(score_sum *sum, double mae, double ratio, const double covered[3])
{
    if (!isnan(mae))
        sum->mae += mae, sum->maes++;
    if (!isnan(ratio))
        sum->ratio += ratio, sum->within += ratio <= 1, sum->ratios++;
    if (!isnan(covered[0])) {
        sum->covered += covered[0];
        sum->covered_50 += covered[1];
        sum->covered_95 += covered[2];
        sum->bands++;
    }
}

/* One task's mean over draws counts once. */
static void add_task(score_sum *sum, const score_sum *task)
{
    if (task->maes > 0)
        sum->mae += task->mae / task->maes, sum->maes++;
    if (task->ratios > 0) {
        sum->ratio += task->ratio / task->ratios;
        sum->within += task->within / task->ratios;
        sum->ratios++;
    }
    if (task->bands > 0) {
        sum->covered += task->covered / task->bands;
        sum->covered_50 += task->covered_50 / task->bands;
        sum->covered_95 += task->covered_95 / task->bands;
        sum->bands++;
    }
}

/* 0/0 where nothing counted, which is NaN: not known, rather than zero. */
static pts_score mean_score(const score_sum *s)
{
    return (pts_score){s->mae / s->maes,      s->ratio / s->ratios,     s->within / s->ratios,
                       s->covered / s->bands, s->covered_50 / s->bands, s->covered_95 / s->bands};
}

/* ---- methods ---- */

typedef struct fold_state {
    const sweep *s;
    size_t out;           /* the data set held out */
    size_t choice[HEADS]; /* by method; SIZE_MAX: cannot answer, as there are no labels */
    double covariance[HEADS][16], noise[HEADS];
    float *centroids, *inverse;                /* nearest: [groups][dim], [dim] */
    double *low, *high, *others;               /* [points], [points], [tasks] */
    double *ratios[PTS_METHODS], *ratio_block; /* [tasks]: of the classes so far */
    size_t ratio_count[PTS_METHODS];
} fold_state;

/* The band as predict gives it, held against the points that were measured. */
static pts_status band_of_theta(fold_state *f, const task_row *row, const double theta[4],
                                int which, double covered[3], pts_error *err)
{
    static const double confidence[3] = {0.8, 0.5, 0.95};
    pts_curve_prior prior = {.noise = f->noise[which]};
    memcpy(prior.mean, theta, sizeof prior.mean);
    memcpy(prior.covariance, f->covariance[which], sizeof prior.covariance);
    pts_curve_posterior posterior;
    PTS_TRY(pts_curve_posterior_find(&prior, NULL, NULL, 0, &posterior, err));
    for (int k = 0; k < 3; k++) {
        PTS_TRY(pts_curve_band(&posterior, confidence[k], true, row->task.n, row->task.points,
                               f->low, f->high, err));
        covered[k] = 0;
        for (size_t i = 0; i < row->task.points; i++)
            covered[k] += row->task.map[i] >= f->low[i] && row->task.map[i] <= f->high[i];
        covered[k] /= (double)row->task.points;
    }
    return PTS_OK;
}

/* Cut to what an mAP can be, as it is shown to people. */
static pts_status score_view(fold_state *f, const task_row *row, const double theta[4], int which,
                             bool band, score_sum *draws, pts_error *err)
{
    double curve[GRID], covered[3] = {NAN, NAN, NAN};
    for (size_t g = 0; g < GRID; g++)
        curve[g] = fmin(fmax(pts_theta_value(theta, grid_log_n(row, g), NULL), 0), 1);
    if (band)
        PTS_TRY(band_of_theta(f, row, theta, which, covered, err));
    add_score(draws, grid_error(row, curve), size_ratio(row, curve), covered);
    return PTS_OK;
}

/* One curve for all answers every draw alike; its band, the dearest part, is then drawn once. */
static pts_status score_theta(fold_state *f, size_t task, int which, score_sum *sum, pts_error *err)
{
    const task_row *row = &f->s->data.tasks->rows[task];
    const double *thetas = pts_sweep_theta(f->s, task, SIZE_MAX, f->choice[which]);
    score_sum draws = {0};
    size_t views = f->choice[which] == 0 ? 1 : LINEAR_VIEWS;
    for (size_t v = 0; v < views; v++)
        PTS_TRY(score_view(f, row, thetas + v * 4, which, v < BAND_VIEWS, &draws, err));
    add_task(sum, &draws);
    return PTS_OK;
}

/* Values at ln n of the other data sets' curves, or of one of them. */
static size_t other_curves(const fold_state *f, size_t only, double log_n, double *values)
{
    const pts_tasks *tasks = f->s->data.tasks;
    size_t count = 0;
    for (size_t t = 0; t < tasks->count; t++) {
        const task_row *row = &tasks->rows[t];
        if (row->group != f->out && (only == SIZE_MAX || row->group == only))
            values[count++] = pts_theta_measured(&row->points, row->theta, log_n);
    }
    return count;
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

/* Point by point and of no shape: the baseline that a model of photographs must beat. */
static void mean_curve(const fold_state *f, const task_row *row, size_t only, double *curve)
{
    for (size_t g = 0; g < GRID; g++) {
        size_t count = other_curves(f, only, grid_log_n(row, g), f->others);
        curve[g] = mean_of(f->others, count);
    }
}

/* Share of the points in the middle `share` of the other curves. */
static double mean_curve_coverage(const fold_state *f, const task_row *row, double share)
{
    double covered = 0, tail = (1 - share) / 2;
    for (size_t i = 0; i < row->task.points; i++) {
        size_t count = other_curves(f, SIZE_MAX, row->log_n[i], f->others);
        qsort(f->others, count, sizeof *f->others, pts_compare_doubles);
        covered += row->task.map[i] >= pts_quantile(f->others, count, tail) &&
                   row->task.map[i] <= pts_quantile(f->others, count, 1 - tail);
    }
    return covered / (double)row->task.points;
}

/* It looks at no photograph, so one answer stands for all draws. */
static void score_mean_curve(const fold_state *f, const task_row *row, score_sum *sum)
{
    double curve[GRID];
    mean_curve(f, row, SIZE_MAX, curve);
    const double covered[3] = {mean_curve_coverage(f, row, 0.8), mean_curve_coverage(f, row, 0.5),
                               mean_curve_coverage(f, row, 0.95)};
    add_score(sum, grid_error(row, curve), size_ratio(row, curve), covered);
}

/* Centroids of the other data sets' photographs, on the scale of their deviation over tasks. */
static pts_status prepare_nearest(fold_state *f, pts_error *err)
{
    const linear_data *data = &f->s->data;
    size_t dim = data->tasks->dim;
    linear_fold fold;
    PTS_TRY(pts_linear_fold_create(&fold, data, f->out, SIZE_MAX, err));
    memcpy(f->inverse, fold.inverse, dim * sizeof *f->inverse);
    memset(f->centroids, 0, f->s->groups * dim * sizeof *f->centroids);
    for (size_t g = 0; g < f->s->groups; g++) {
        float members = 0;
        for (size_t t = 0; t < f->s->tasks; t++)
            members += data->tasks->rows[t].group == g;
        for (size_t t = 0; t < f->s->tasks; t++)
            for (size_t d = 0; data->tasks->rows[t].group == g && d < dim; d++)
                f->centroids[g * dim + d] += data->means[t * dim + d] / members;
    }
    pts_linear_fold_free(&fold);
    return PTS_OK;
}

/* Another data set alone: the held-out one's own photographs would always win. */
static size_t nearest(const fold_state *f, const float *view)
{
    size_t dim = f->s->data.tasks->dim, best = SIZE_MAX;
    double least = INFINITY;
    for (size_t g = 0; g < f->s->groups; g++) {
        double sum = 0;
        for (size_t d = 0; d < dim; d++) {
            double z = (view[d] - f->centroids[g * dim + d]) * f->inverse[d];
            sum += z * z;
        }
        if (g != f->out && (best == SIZE_MAX || sum < least)) {
            least = sum;
            best = g;
        }
    }
    return best;
}

/* Which data set is nearest depends on the photographs drawn; there is no band to score. */
static void score_nearest(const fold_state *f, size_t task, score_sum *sum)
{
    const linear_data *data = &f->s->data;
    const task_row *row = &data->tasks->rows[task];
    const double none[3] = {NAN, NAN, NAN};
    score_sum draws = {0};
    for (size_t v = 0; v < LINEAR_VIEWS; v++) {
        double curve[GRID];
        const float *view = data->views + (task * LINEAR_VIEWS + v) * data->tasks->dim;
        mean_curve(f, row, nearest(f, view), curve);
        add_score(&draws, grid_error(row, curve), size_ratio(row, curve), none);
    }
    add_task(sum, &draws);
}

/* ---- the report ---- */

/* Baselines on the same tasks, so that gains are differences of pairs. */
static pts_status score_task(fold_state *f, size_t task, score_sum sums[PTS_METHODS],
                             pts_error *err)
{
    for (int which = 0; which < HEADS; which++)
        if (f->choice[which] != SIZE_MAX)
            PTS_TRY(score_theta(f, task, which, &sums[which], err));
    score_mean_curve(f, &f->s->data.tasks->rows[task], &sums[PTS_METHOD_MEAN_CURVE]);
    score_nearest(f, task, &sums[PTS_METHOD_NEAREST]);
    return PTS_OK;
}

/* Everything is chosen and its spread taken without `out`, before it is looked at. */
static pts_status hold_out(fold_state *f, size_t out, pts_heldout *heldout,
                           score_sum all[PTS_METHODS], pts_error *err)
{
    f->out = out;
    f->choice[PTS_METHOD_MLP] = pts_sweep_choose_mlp(f->s, out);
    f->choice[PTS_METHOD_MEAN] = pts_sweep_choose(f->s, out);
    for (int p = 0; p < PREDICTORS; p++)
        f->choice[PTS_METHOD_NEIGHBOURS + p] =
            pts_predictor_table[p].labels && !f->s->data.label_means
                ? SIZE_MAX
                : pts_sweep_choose_predictor(f->s, out, (predictor_id)p);
    for (int which = 0; which < HEADS; which++)
        if (f->choice[which] != SIZE_MAX)
            PTS_TRY(pts_sweep_spread(f->s, out, f->choice[which], f->covariance[which],
                                     &f->noise[which], err));
    PTS_TRY(prepare_nearest(f, err));
    score_sum sums[PTS_METHODS] = {{0}};
    for (size_t t = 0; t < f->s->tasks; t++) {
        if (f->s->data.tasks->rows[t].group != out)
            continue;
        score_sum one[PTS_METHODS] = {{0}};
        PTS_TRY(score_task(f, t, one, err));
        heldout->dataset = f->s->data.tasks->rows[t].task.dataset;
        heldout->tasks++;
        for (int m = 0; m < PTS_METHODS; m++) {
            add_task(&sums[m], &one[m]);
            add_task(&all[m], &one[m]);
            if (one[m].ratios > 0)
                f->ratios[m][f->ratio_count[m]++] = one[m].ratio / one[m].ratios;
        }
    }
    for (int m = 0; m < PTS_METHODS; m++)
        heldout->score[m] = mean_score(&sums[m]);
    return PTS_OK;
}

/* Over data sets, as classes of one are too alike to count as so many trials. */
static void note_gain(pts_lodo_report *report, pts_method method)
{
    double sum = 0, squares = 0, count = (double)report->count;
    for (size_t i = 0; i < report->count; i++) {
        const pts_score *score = report->heldout[i].score;
        double gain = score[PTS_METHOD_MEAN_CURVE].mae - score[method].mae;
        sum += gain;
        squares += gain * gain;
    }
    double mean = sum / count, variance = squares / count - mean * mean;
    report->gain[method] = mean;
    report->gain_error[method] = sqrt(fmax(variance, 0) / (count - 1));
}

const char *pts_gain_verdict(double gain, double error)
{
    if (!(fabs(gain) > error))
        return "no difference beyond the standard error";
    if (fabs(gain) <= 2 * error)
        return gain > 0 ? "ahead of the mean curve by one to two standard errors"
                        : "behind the mean curve by one to two standard errors";
    return gain > 0 ? "wins against the mean curve by more than two standard errors"
                    : "loses to the mean curve by more than two standard errors";
}

/* The choices on all data sets are only told of: no score above comes from them. */
static pts_status hold_each_out(fold_state *f, pts_lodo_report *out, pts_error *err)
{
    score_sum all[PTS_METHODS] = {{0}};
    for (size_t g = 0; g < f->s->groups; g++)
        PTS_TRY(hold_out(f, g, &out->heldout[g], all, err));
    for (int m = 0; m < PTS_METHODS; m++)
        out->overall.score[m] = mean_score(&all[m]);
    out->overall.tasks = f->s->tasks;
    size_t choice = pts_sweep_choose(f->s, SIZE_MAX);
    out->components = pts_linear_choices[choice].components;
    out->penalty = pts_linear_choices[choice].penalty;
    const perceptron_choice *mlp =
        &pts_perceptron_choices[pts_sweep_choose_mlp(f->s, SIZE_MAX) - SWEEP_MLP];
    out->mlp_components = pts_perceptron_components[mlp->network];
    out->mlp_shrinkage = mlp->shrinkage;
    for (int m = 0; m < PTS_METHODS; m++) {
        note_gain(out, (pts_method)m);
        qsort(f->ratios[m], f->ratio_count[m], sizeof *f->ratios[m], pts_compare_doubles);
        out->log2_median[m] =
            f->ratio_count[m] ? pts_quantile(f->ratios[m], f->ratio_count[m], 0.5) : NAN;
    }
    return PTS_OK;
}

static size_t most_points(const pts_tasks *tasks)
{
    size_t most = 0;
    for (size_t t = 0; t < tasks->count; t++)
        if (tasks->rows[t].task.points > most)
            most = tasks->rows[t].task.points;
    return most;
}

/* Memory for all folds, then the folds; what was had is pts_lodo_summarise's to free. */
static pts_status summarise(fold_state *f, pts_lodo_report *out, pts_error *err)
{
    const pts_tasks *tasks = f->s->data.tasks;
    const size_t points = most_points(tasks);
    PTS_TRY(pts_new(&out->heldout, f->s->groups, sizeof *out->heldout, err));
    PTS_TRY(pts_new(&f->centroids, f->s->groups * tasks->dim, sizeof *f->centroids, err));
    PTS_TRY(pts_new(&f->inverse, tasks->dim, sizeof *f->inverse, err));
    PTS_TRY(pts_new(&f->low, points, sizeof *f->low, err));
    PTS_TRY(pts_new(&f->high, points, sizeof *f->high, err));
    PTS_TRY(pts_new(&f->others, tasks->count, sizeof *f->others, err));
    PTS_TRY(pts_new(&f->ratio_block, tasks->count * PTS_METHODS, sizeof *f->ratio_block, err));
    for (int m = 0; m < PTS_METHODS; m++)
        f->ratios[m] = f->ratio_block + (size_t)m * tasks->count;
    return hold_each_out(f, out, err);
}

pts_status pts_lodo_summarise(pts_lodo_report *out, const sweep *s, pts_error *err)
{
    *out = (pts_lodo_report){.count = s->groups};
    fold_state f = {.s = s, .choice = {0}};
    pts_status status = summarise(&f, out, err);
    free(f.centroids);
    free(f.inverse);
    free(f.low);
    free(f.high);
    free(f.others);
    free(f.ratio_block);
    if (status != PTS_OK)
        pts_lodo_report_free(out);
    return status;
}

pts_status pts_evaluate_lodo(pts_lodo_report *out, const pts_tasks *tasks, uint64_t seed,
                             pts_team *team, pts_progress progress, void *user, pts_error *err)
{
    *out = (pts_lodo_report){0};
    sweep s;
    PTS_TRY(pts_sweep_run(&s, tasks, seed, team, progress, user, err));
    pts_status status = pts_lodo_summarise(out, &s, err);
    pts_sweep_free(&s);
    return status;
}

void pts_lodo_report_free(pts_lodo_report *report)
{
    if (!report)
        return;
    free(report->heldout);
    *report = (pts_lodo_report){0};
}
