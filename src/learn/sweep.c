#include "learn/sweep.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A task's own data set is always left out: its slot serves where no other is. */
static size_t slot(const sweep *s, size_t task, size_t out, size_t choice)
{
    size_t other = out == SIZE_MAX ? s->data.tasks->rows[task].group : out;
    return (task * s->groups + other) * SWEEP_CHOICES + choice;
}

const double *pts_sweep_theta(const sweep *s, size_t task, size_t out, size_t choice)
{
    return s->theta + slot(s, task, out, choice) * LINEAR_VIEWS * 4;
}

double pts_sweep_error(const sweep *s, size_t task, size_t out, size_t choice)
{
    return s->error[slot(s, task, out, choice)];
}

/* In mAP, as the report has it: choices are made by what they are judged by. */
static double absolute_error(const linear_data *data, size_t task, const double theta[4])
{
    double sum = 0;
    for (size_t g = 0; g < LINEAR_GRID; g++)
        sum += fabs(pts_theta_value(theta, data->log_n[task * LINEAR_GRID + g], NULL) -
                    data->target[task * LINEAR_GRID + g]);
    return sum / LINEAR_GRID;
}

/* What one fold trained: one of the two. */
typedef struct fold_model {
    const linear_fold *fold;
    const linear_model *linear;
    const perceptron_model *perceptron;
} fold_model;

/* Shrinkage acts on networks that are trained already: choosing it costs no training. */
static void predict_view(const fold_model *m, const float *scores, size_t choice, double theta[4])
{
    if (m->perceptron)
        pts_perceptron_predict(m->perceptron, pts_perceptron_choices[choice - SWEEP_MLP].shrinkage,
                               scores, theta);
    else
        pts_linear_predict(m->linear, scores, theta);
}

static void predict_task(sweep *s, const fold_model *m, size_t task, size_t out, size_t choice)
{
    size_t at = slot(s, task, out, choice);
    s->error[at] = 0;
    for (size_t v = 0; v < LINEAR_VIEWS; v++) {
        const float *scores = m->fold->scores + (task * LINEAR_VIEWS + v) * LINEAR_COMPONENTS;
        double *theta = s->theta + (at * LINEAR_VIEWS + v) * 4;
        predict_view(m, scores, choice, theta);
        s->error[at] += absolute_error(&s->data, task, theta) / LINEAR_VIEWS;
    }
}

/* Predicts what the fold left out: data sets a and b. */
static void predict_left_out(sweep *s, const fold_model *m, size_t a, size_t b, size_t choice)
{
    for (size_t t = 0; t < s->tasks; t++) {
        size_t group = s->data.tasks->rows[t].group;
        if (group == a || group == b)
            predict_task(s, m, t, group == a ? b : a, choice);
    }
}

typedef struct sweep_job {
    sweep *s;
    size_t first;
    pts_status *status; /* [pairs] */
} sweep_job;

/* Pair number → a ≤ b. */
static void unpack(size_t pair, size_t *a, size_t *b)
{
    *b = 0;
    while (pair > *b)
        pair -= ++*b;
    *a = pair;
}

/* Choice 0, one curve for all, is the start of every other and is handed on to them. */
static void run_linear(sweep *s, const linear_fold *fold, size_t a, size_t b, linear_model *one)
{
    linear_model model;
    fold_model trained = {.fold = fold, .linear = &model};
    for (size_t c = 0; c < LINEAR_CHOICES; c++) {
        pts_linear_fit(&s->data, fold, pts_linear_choices[c], c ? one : NULL, &model);
        if (c == 0)
            *one = model;
        predict_left_out(s, &trained, a, b, c);
    }
}

/* Trained once for all its shrinkages. */
static pts_status run_network(sweep *s, const linear_fold *fold, size_t a, size_t b,
                              const linear_model *one, size_t network)
{
    perceptron_model model;
    fold_model trained = {.fold = fold, .perceptron = &model};
    PTS_TRY(pts_perceptron_fit(&s->data, fold, pts_perceptron_components[network], one, s->seed,
                               &model, NULL));
    for (size_t c = 0; c < PERCEPTRON_CHOICES; c++)
        if (pts_perceptron_choices[c].network == network)
            predict_left_out(s, &trained, a, b, SWEEP_MLP + c);
    return PTS_OK;
}

/* The prediction of one task's views by a rule's weights, as θ. */
static void use_weights(sweep *s, const predictor_set *set, size_t task, size_t out, size_t choice,
                        const linear_model *one)
{
    size_t at = slot(s, task, out, choice);
    s->error[at] = 0;
    for (size_t v = 0; v < LINEAR_VIEWS; v++) {
        double *theta = s->theta + (at * LINEAR_VIEWS + v) * 4;
        const double *weights = set->weights + (task * LINEAR_VIEWS + v) * set->fold.count;
        pts_predictor_theta(s->predictors.log_n, set->curves, weights, set->fold.count, one->theta,
                            theta);
        s->error[at] += absolute_error(&s->data, task, theta) / LINEAR_VIEWS;
    }
}

/* A predictor that needs labels is left out where not all tasks have them. */
static pts_status run_predictors(sweep *s, const linear_fold *fold, size_t a, size_t b,
                                 const linear_model *one)
{
    predictor_set set;
    PTS_TRY(pts_predictor_set_create(&set, &s->predictors, fold->training, fold->count, NULL));
    pts_status status = PTS_OK;
    for (size_t p = 0, choice = SWEEP_PREDICTORS; p < PREDICTORS; p++)
        for (size_t c = 0; status == PTS_OK && c < pts_predictor_table[p].choices; c++, choice++) {
            if (pts_predictor_table[p].labels && !set.fold.labels)
                continue;
            status = pts_predictor_table[p].weigh(&set.fold, pts_predictor_table[p].parameters[c],
                                                  set.weights, NULL);
            for (size_t t = 0; status == PTS_OK && t < s->tasks; t++) {
                size_t group = s->data.tasks->rows[t].group;
                if (group == a || group == b)
                    use_weights(s, &set, t, group == a ? b : a, choice, one);
            }
        }
    pts_predictor_set_free(&set);
    return status;
}

/* A pair by itself: no fold waits for another, and order changes no bit. */
static void run_pair(void *user, size_t task, int thread)
{
    (void)thread;
    const sweep_job *job = user;
    size_t a, b;
    unpack(job->first + task, &a, &b);
    linear_fold fold;
    linear_model one;
    pts_status status = pts_linear_fold_create(&fold, &job->s->data, a, b, NULL);
    if (status == PTS_OK) {
        run_linear(job->s, &fold, a, b, &one);
        for (size_t network = 0; status == PTS_OK && network < PERCEPTRON_NETWORKS; network++)
            status = run_network(job->s, &fold, a, b, &one, network);
        if (status == PTS_OK)
            status = run_predictors(job->s, &fold, a, b, &one);
        pts_linear_fold_free(&fold);
    }
    job->status[job->first + task] = status;
}

/* In rounds, so that progress is told, and can stop it, between them. */
static pts_status run_pairs(sweep *s, pts_team *team, pts_progress progress, void *user,
                            pts_error *err)
{
    enum { ROUND = 16 }; /* pairs between two calls of progress */
    size_t pairs = s->groups * (s->groups + 1) / 2;
    sweep_job job = {.s = s};
    PTS_TRY(pts_new(&job.status, pairs, sizeof *job.status, err));
    pts_status status = PTS_OK;
    for (; status == PTS_OK && job.first < pairs; job.first += ROUND) {
        size_t count = pairs - job.first < ROUND ? pairs - job.first : ROUND;
        if (progress && progress(user, "choose", job.first, pairs) != 0)
            status =
                pts_fail(err, PTS_ERR_CANCELLED, "stopped at fold %zu of %zu", job.first, pairs);
        else
            pts_team_run(team, count, run_pair, &job);
        for (size_t i = 0; status == PTS_OK && i < count; i++)
            if (job.status[job.first + i] != PTS_OK)
                status = pts_fail(err, job.status[job.first + i], "a fold could not be trained");
    }
    if (status == PTS_OK && progress)
        progress(user, "choose", pairs, pairs);
    free(job.status);
    return status;
}

/* What is there after a failure is pts_sweep_free's. */
static pts_status run(sweep *s, const pts_tasks *tasks, pts_team *team, pts_progress progress,
                      void *user, pts_error *err)
{
    const size_t slots = s->tasks * s->groups * SWEEP_CHOICES;
    PTS_TRY(pts_linear_data_create(&s->data, tasks, s->seed, err));
    PTS_TRY(pts_predictor_data_create(&s->predictors, &s->data, err));
    PTS_TRY(pts_new(&s->theta, slots, LINEAR_VIEWS * 4 * sizeof *s->theta, err));
    PTS_TRY(pts_new(&s->error, slots, sizeof *s->error, err));
    PTS_TRY(pts_new(&s->scratch, s->tasks, sizeof *s->scratch, err));
    return run_pairs(s, team, progress, user, err);
}

pts_status pts_sweep_run(sweep *s, const pts_tasks *tasks, uint64_t seed, pts_team *team,
                         pts_progress progress, void *user, pts_error *err)
{
    *s = (sweep){.tasks = tasks->count, .groups = tasks->groups, .seed = seed};
    if (tasks->groups < 3)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "curves: expected at least 3 data sets (one is predicted from the others), "
                        "got %zu",
                        tasks->groups);
    pts_status status = run(s, tasks, team, progress, user, err);
    if (status != PTS_OK)
        pts_sweep_free(s);
    return status;
}

void pts_sweep_free(sweep *s)
{
    pts_predictor_data_free(&s->predictors);
    pts_linear_data_free(&s->data);
    free(s->theta);
    free(s->error);
    free(s->scratch);
    *s = (sweep){0};
}

void pts_sweep_gain(const sweep *s, const double *difference, size_t out, double *mean,
                    double *error)
{
    double sum = 0, squares = 0, count = 0;
    for (size_t g = 0; g < s->groups; g++) {
        if (g == out)
            continue;
        double total = 0, members = 0;
        for (size_t t = 0; t < s->tasks; t++)
            if (s->data.tasks->rows[t].group == g)
                total += difference[t], members++;
        sum += total / members;
        squares += total / members * total / members;
        count++;
    }
    *mean = sum / count;
    *error = sqrt(fmax(squares / count - *mean * *mean, 0) / fmax(count - 1, 1));
}

/* Student's t, 97.5 %: the first terms of its Cornish–Fisher expansion (Abramowitz and Stegun
 * 26.7.5). With four data sets two standard errors mean little. */
static double student(double freedom)
{
    return 1.96 + 2.372 / freedom + 2.822 / (freedom * freedom);
}

/* Gain of choice c over choice `base`. */
static void gain_of(const sweep *s, size_t out, size_t base, size_t c, double *gain, double *error)
{
    for (size_t t = 0; t < s->tasks; t++)
        if (s->data.tasks->rows[t].group != out)
            s->scratch[t] = pts_sweep_error(s, t, out, base) - pts_sweep_error(s, t, out, c);
    pts_sweep_gain(s, s->scratch, out, gain, error);
}

size_t pts_sweep_choose(const sweep *s, size_t out)
{
    size_t best = 0, sets = s->groups - (out != SIZE_MAX);
    double best_gain = 0, limit = student((double)sets - 1);
    for (size_t c = 1; c < LINEAR_CHOICES; c++) {
        double gain, error;
        gain_of(s, out, 0, c, &gain, &error);
        if (gain > limit * error && gain > best_gain) {
            best_gain = gain;
            best = c;
        }
    }
    return best;
}

size_t pts_sweep_choose_mlp(const sweep *s, size_t out)
{
    size_t best = SWEEP_MLP, c;
    double gain, error;
    for (c = SWEEP_MLP + 1; c < SWEEP_PREDICTORS; c++) {
        gain_of(s, out, best, c, &gain, &error);
        if (gain > 0)
            best = c;
    }
    for (c = SWEEP_MLP; c < best; c++) {
        gain_of(s, out, c, best, &gain, &error);
        if (gain <= error)
            break;
    }
    return c;
}

size_t pts_sweep_choose_predictor(const sweep *s, size_t out, predictor_id id)
{
    size_t first = SWEEP_PREDICTORS + pts_predictor_first(id), best = first;
    for (size_t c = first + 1; c < first + pts_predictor_table[id].choices; c++) {
        double gain, error;
        gain_of(s, out, best, c, &gain, &error);
        if (gain > 0)
            best = c;
    }
    return best;
}

pts_status pts_sweep_spread(const sweep *s, size_t out, size_t choice, double covariance[16],
                            double *noise, pts_error *err)
{
    enum { SPREAD_VIEWS = 2 }; /* of six draws: EM over all of them took three times as long */
    size_t rows = s->tasks * SPREAD_VIEWS, count = 0;
    theta_points *points;
    PTS_TRY(pts_new(&points, rows, sizeof *points + 8 * sizeof(double), err));
    double *means = (double *)(points + rows), *thetas = means + rows * 4;
    for (size_t t = 0; t < s->tasks; t++) {
        const task_row *row = &s->data.tasks->rows[t];
        if (row->group == out)
            continue;
        memcpy(means + count * 4, pts_sweep_theta(s, t, out, choice),
               SPREAD_VIEWS * 4 * sizeof *means);
        for (size_t v = 0; v < SPREAD_VIEWS; v++, count++) {
            points[count] = row->points;
            memcpy(thetas + count * 4, row->theta, sizeof row->theta);
        }
    }
    pts_theta_spread(points, means, thetas, count, covariance, noise);
    double wider = pts_sweep_calibrate(s, out, choice, covariance, *noise);
    for (size_t i = 0; i < 16; i++)
        covariance[i] *= wider * wider;
    free(points);
    return PTS_OK;
}
