/* The head's training: kinds mlp and mean, and what kind study shares with them. */
#include "learn/head_train.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "learn/labelled.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "coins,car-damage": the names of the data sets, each once. */
static pts_status join_datasets(char **out, const pts_tasks *tasks, pts_error *err)
{
    size_t length = 1;
    for (size_t t = 0; t < tasks->count; t++)
        length += strlen(tasks->rows[t].task.dataset) + 1;
    PTS_TRY(pts_new(out, length, 1, err));
    for (size_t t = 0, group = 0; t < tasks->count; t++)
        if (tasks->rows[t].group == group) { /* groups are numbered in order of appearance */
            if (group++ > 0)
                strcat(*out, ",");
            strcat(*out, tasks->rows[t].task.dataset);
        }
    return PTS_OK;
}

/* A head that knows where it comes from, and nothing yet. */
static pts_status fill(pts_head *head, const pts_tasks *tasks, const head_origin *o, pts_error *err)
{
    PTS_TRY(pts_text(&head->made_by, err, "ptstrain " PTS_VERSION_STRING ", seed %llu",
                     (unsigned long long)o->seed));
    PTS_TRY(pts_text(&head->encoder, err, "%s", tasks->encoder));
    PTS_TRY(pts_text(&head->preset, err, "%s", tasks->preset));
    PTS_TRY(pts_text(&head->trainer, err, "%s", o->trainer ? o->trainer : ""));
    PTS_TRY(join_datasets(&head->datasets, tasks, err));
    PTS_TRY(pts_new(&head->centre, tasks->dim, sizeof *head->centre, err));
    PTS_TRY(pts_new(&head->map, tasks->dim * 4, sizeof *head->map, err));
    const char *const sources[HEAD_SOURCES] = {tasks->sources, tasks->curves, o->config};
    PTS_TRY(pts_head_copy_sources(head, sources, err));
    pts_prior_file population;
    PTS_TRY(pts_population_learn(tasks, SIZE_MAX, &population, err));
    pts_population_keep(&head->population, &population);
    return PTS_OK;
}

pts_status pts_head_begin(pts_head **out, const pts_tasks *tasks, const head_origin *origin,
                          pts_error *err)
{
    *out = NULL;
    pts_head *head;
    PTS_TRY(pts_new(&head, 1, sizeof *head, err));
    head->kind = origin->kind;
    head->dim = tasks->dim;
    pts_status status = fill(head, tasks, origin, err);
    if (status == PTS_OK)
        *out = head;
    else
        pts_head_close(head);
    return status;
}

pts_status pts_head_take_spread(pts_head *head, const sweep *s, size_t choice, pts_error *err)
{
    double covariance[16], noise;
    PTS_TRY(pts_sweep_spread(s, SIZE_MAX, choice, covariance, &noise, err));
    for (size_t i = 0; i < 16; i++)
        head->covariance[i] = (float)covariance[i];
    head->noise = (float)noise;
    return PTS_OK;
}

/* In the float of the head's file, as it will be asked. */
static void take_model(pts_head *head, const double theta[4], const double low[4],
                       const double high[4], const linear_fold *fold)
{
    for (size_t i = 0; i < 4; i++) {
        head->theta[i] = (float)theta[i];
        head->low[i] = (float)low[i];
        head->high[i] = (float)high[i];
    }
    memcpy(head->centre, fold->centre, head->dim * sizeof *head->centre);
}

/* Projection and weights become one map: a head that is asked need not know of components. */
static void fit_linear(pts_head *head, const sweep *s, const linear_fold *fold, size_t choice,
                       const linear_model *one)
{
    linear_model model;
    pts_linear_fit(&s->data, fold, pts_linear_choices[choice], one, &model);
    take_model(head, model.theta, model.low, model.high, fold);
    for (size_t d = 0; d < head->dim; d++)
        for (size_t i = 0; i < 4; i++) {
            double sum = 0;
            for (size_t j = 0; j < model.components; j++)
                sum += fold->projection[d * LINEAR_COMPONENTS + j] * model.weight[j][i];
            head->map[d * 4 + i] = (float)sum;
        }
}

/* Only the components that the choice has, of all that the fold does. */
static pts_status fit_mlp(pts_head *head, const sweep *s, const linear_fold *fold, size_t choice,
                          const linear_model *one, pts_error *err)
{
    const perceptron_choice *chosen = &pts_perceptron_choices[choice - SWEEP_MLP];
    size_t components = pts_perceptron_components[chosen->network];
    perceptron_model model;
    PTS_TRY(pts_new(&head->projection, head->dim * components, sizeof *head->projection, err));
    PTS_TRY(pts_perceptron_fit(&s->data, fold, components, one, s->seed, &model, err));
    take_model(head, model.theta, model.low, model.high, fold);
    for (size_t d = 0; d < head->dim; d++)
        memcpy(head->projection + d * components, fold->projection + d * LINEAR_COMPONENTS,
               components * sizeof *head->projection);
    head->components = components;
    head->shrinkage = (float)chosen->shrinkage;
    memcpy(head->members, model.members, sizeof head->members);
    return PTS_OK;
}

/* On all data sets, with what the choice among them says. */
static pts_status fit_all(pts_head *head, const sweep *s, size_t choice, pts_error *err)
{
    linear_fold fold;
    linear_model one;
    PTS_TRY(pts_head_take_spread(head, s, choice, err));
    PTS_TRY(pts_linear_fold_create(&fold, &s->data, SIZE_MAX, SIZE_MAX, err));
    pts_linear_fit(&s->data, &fold, pts_linear_choices[0], NULL, &one);
    pts_status status = PTS_OK;
    if (choice < SWEEP_MLP)
        fit_linear(head, s, &fold, choice, &one);
    else
        status = fit_mlp(head, s, &fold, choice, &one, err);
    pts_linear_fold_free(&fold);
    if (status == PTS_OK)
        status = pts_labelled_fit(&head->labels, &head->labelled, s, &one, err);
    return status;
}

/* What was chosen, in words of the summary. */
static void describe_model(const pts_lodo_report *report, pts_head_kind kind, char *text,
                           size_t size)
{
    if (kind == PTS_HEAD_MLP)
        snprintf(text, size, "%d networks %zu-%d-4 on principal components, shrinkage %g",
                 PERCEPTRON_MEMBERS, report->mlp_components, PERCEPTRON_HIDDEN,
                 report->mlp_shrinkage);
    else if (report->components)
        snprintf(text, size, "%zu principal components, ridge %g", report->components,
                 report->penalty);
    else
        snprintf(text, size,
                 "one curve for all photographs (no dependence on them has proved itself)");
}

/* Figures of the procedure that made the head, not of the choice that came out of it: that one was
 * picked because its own figures were good. */
static void summarise(pts_head *head, const pts_lodo_report *report)
{
    const pts_score *score = report->overall.score;
    pts_method method = head->kind == PTS_HEAD_MLP ? PTS_METHOD_MLP : PTS_METHOD_MEAN;
    char model[96];
    describe_model(report, head->kind, model, sizeof model);
    snprintf(head->summary, sizeof head->summary,
             "%s head: %s; %zu classes of %zu data sets; nested leave-one-data-set-out curve MAE "
             "%.4f (80 %% band covers %.2f), mean curve of the other data sets %.4f, one curve for "
             "all %.4f, nearest data set %.4f; gain over the mean curve %.4f ± %.4f a data set: %s",
             pts_head_kind_name(head->kind), model, report->overall.tasks, report->count,
             score[method].mae, score[method].covered_80, score[PTS_METHOD_MEAN_CURVE].mae,
             score[PTS_METHOD_ONE_CURVE].mae, score[PTS_METHOD_NEAREST].mae, report->gain[method],
             report->gain_error[method],
             pts_gain_verdict(report->gain[method], report->gain_error[method]));
    size_t used = strlen(head->summary);
    method = PTS_METHOD_LABELLED;
    if (isfinite(score[method].mae))
        snprintf(head->summary + used, sizeof head->summary - used,
                 "; with labels %.4f (80 %% band covers %.2f), gain %.4f ± %.4f: %s",
                 score[method].mae, score[method].covered_80, report->gain[method],
                 report->gain_error[method],
                 pts_gain_verdict(report->gain[method], report->gain_error[method]));
}

/* The figures first: they are of the procedure, whatever choice comes out of it. */
static pts_status train(pts_head *head, const sweep *s, pts_error *err)
{
    pts_lodo_report report;
    PTS_TRY(pts_lodo_summarise(&report, s, err));
    summarise(head, &report);
    pts_lodo_report_free(&report);
    size_t choice = head->kind == PTS_HEAD_MLP ? pts_sweep_choose_mlp(s, SIZE_MAX)
                                               : pts_sweep_choose(s, SIZE_MAX);
    return fit_all(head, s, choice, err);
}

pts_status pts_head_train(pts_head **out, const pts_tasks *tasks, const pts_head_options *options,
                          pts_team *team, pts_progress progress, void *user, pts_error *err)
{
    const head_origin origin = {options->kind, options->seed, options->trainer, options->config};
    *out = NULL;
    if (options->kind == PTS_HEAD_STUDY)
        return pts_fail(err, PTS_ERR_ARGUMENT, "head: kind study is trained by the study's room");
    sweep s;
    PTS_TRY(pts_sweep_run(&s, tasks, options->seed, team, progress, user, err));
    pts_head *head;
    pts_status status = pts_head_begin(&head, tasks, &origin, err);
    if (status == PTS_OK)
        status = train(head, &s, err);
    pts_sweep_free(&s);
    if (status == PTS_OK)
        *out = head;
    else
        pts_head_close(head);
    return status;
}
