/* The head: training and its answer. */
#include "learn/head.h"
#include "study/study.h"
#include "learn/sweep.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const pts_head_source_keys[HEAD_SOURCES] = {"datasets_sha256", "curves_sha256",
                                                        "config"};

const char *pts_head_kind_name(pts_head_kind kind)
{
    static const char *const names[] = {"mean", "study", "mlp"};
    return kind <= PTS_HEAD_MLP ? names[kind] : "?";
}

void pts_head_close(pts_head *head)
{
    if (!head)
        return;
    free(head->encoder);
    free(head->preset);
    free(head->datasets);
    free(head->made_by);
    free(head->trainer);
    for (size_t i = 0; i < HEAD_SOURCES; i++)
        free(head->sources[i]);
    free(head->centre);
    free(head->map);
    free(head->projection);
    pts_mlp_destroy(head->mlp);
    for (size_t m = 0; m < PERCEPTRON_MEMBERS; m++)
        pts_mlp_destroy(head->member[m]);
    pts_labelled_free(&head->labelled);
    free(head);
}

pts_head_kind pts_head_kind_of(const pts_head *head)
{
    return head->kind;
}

size_t pts_head_dim(const pts_head *head)
{
    return head->dim;
}

const char *pts_head_encoder_id(const pts_head *head)
{
    return head->encoder;
}

const char *pts_head_encoder_arch(const pts_head *head)
{
    return head->encoder_arch;
}

const char *pts_head_preset(const pts_head *head)
{
    return head->preset;
}

const char *pts_head_trainer(const pts_head *head)
{
    return head->trainer;
}

const char *pts_head_summary(const pts_head *head)
{
    return head->summary;
}

const char *pts_head_source(const pts_head *head, const char *key)
{
    if (strcmp(key, "datasets") == 0)
        return head->datasets;
    for (size_t i = 0; i < HEAD_SOURCES; i++)
        if (strcmp(key, pts_head_source_keys[i]) == 0)
            return head->sources[i];
    return NULL;
}

static int any(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] != 0)
            return 1;
    return 0;
}

int pts_head_takes_labels(const pts_head *head)
{
    return head->labelled.count > 0;
}

int pts_head_population(const pts_head *head, pts_prior_file *out)
{
    pts_population_give(&head->population, out);
    snprintf(out->trainer, sizeof out->trainer, "%s", head->trainer);
    return head->population.curves > 0;
}

int pts_head_uses_photographs(const pts_head *head)
{
    if (head->kind == PTS_HEAD_STUDY)
        return 1;
    if (head->kind == PTS_HEAD_MEAN)
        return any(head->map, head->dim * 4);
    int moves = 0;
    for (size_t m = 0; m < PERCEPTRON_MEMBERS; m++)
        moves |= any(pts_mlp_weight(head->member[m], 0), head->components * PERCEPTRON_HIDDEN) &&
                 any(pts_mlp_weight(head->member[m], 1), PERCEPTRON_HIDDEN * 4);
    return moves && head->shrinkage != 0 && any(head->projection, head->dim * head->components);
}

/* ---- prediction ---- */

/* Adds (mean embedding − centre) · matrix [dim][columns] to `to`. */
static void add_product(const pts_head *head, const float *embeddings, size_t count,
                        const float *matrix, size_t columns, double *to)
{
    for (size_t d = 0; d < head->dim; d++) {
        double sum = 0;
        for (size_t k = 0; k < count; k++)
            sum += embeddings[k * head->dim + d];
        for (size_t i = 0; i < columns; i++)
            to[i] += (sum / (double)count - head->centre[d]) * matrix[d * columns + i];
    }
}

static void predict_mean(const pts_head *head, const float *embeddings, size_t count,
                         double theta[4])
{
    for (size_t i = 0; i < 4; i++)
        theta[i] = head->theta[i];
    add_product(head, embeddings, count, head->map, 4, theta);
    for (size_t i = 0; i < 4; i++)
        theta[i] = fmin(fmax(theta[i], head->low[i]), head->high[i]);
}

static pts_status predict_mlp(const pts_head *head, const float *embeddings, size_t count,
                              double theta[4], pts_error *err)
{
    double sums[LINEAR_COMPONENTS] = {0};
    float scores[LINEAR_COMPONENTS];
    perceptron_model model = {.components = head->components};
    add_product(head, embeddings, count, head->projection, head->components, sums);
    for (size_t j = 0; j < head->components; j++)
        scores[j] = (float)sums[j];
    for (size_t i = 0; i < 4; i++) {
        model.theta[i] = head->theta[i];
        model.low[i] = head->low[i];
        model.high[i] = head->high[i];
    }
    memcpy(model.member, head->member, sizeof model.member);
    return pts_perceptron_predict(&model, head->shrinkage, scores, theta, err);
}

static pts_status check_embeddings(const pts_head *head, const float *embeddings, size_t count,
                                   pts_error *err)
{
    if (count < 1)
        return pts_fail(err, PTS_ERR_ARGUMENT, "head: expected at least one embedding, got none");
    if (head->kind == PTS_HEAD_STUDY && count != 4)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "head: this one takes exactly four photographs, got %zu", count);
    for (size_t i = 0; i < count * head->dim; i++)
        if (!isfinite(embeddings[i]))
            return pts_fail(err, PTS_ERR_NUMERIC, "head: embedding %zu is not finite",
                            i / head->dim + 1);
    return PTS_OK;
}

pts_status pts_head_study(pts_head *head, const float *embeddings, double out[4], pts_error *err)
{
    float y[4];
    if (head->kind != PTS_HEAD_STUDY)
        return pts_fail(err, PTS_ERR_ARGUMENT, "head: expected one of kind study, got %s",
                        pts_head_kind_name(head->kind));
    PTS_TRY(check_embeddings(head, embeddings, 4, err));
    PTS_TRY(pts_mlp_forward(head->mlp, embeddings, 1, y, err));
    for (size_t i = 0; i < 4; i++)
        out[i] = (double)y[i] - STUDY_SHIFT;
    return PTS_OK;
}

pts_status pts_head_predict(pts_head *head, const float *embeddings, size_t count,
                            pts_curve_prior *out, pts_error *err)
{
    PTS_TRY(check_embeddings(head, embeddings, count, err));
    if (head->no_spread)
        return pts_fail(
            err, PTS_ERR_UNSUPPORTED,
            "head: this one has no measured spread (the study's own, for predict --mode "
            "ptssp)");
    if (head->kind == PTS_HEAD_STUDY) {
        float y[4];
        PTS_TRY(pts_mlp_forward(head->mlp, embeddings, 1, y, err));
        pts_study_theta(y, out->mean);
    } else if (head->kind == PTS_HEAD_MLP)
        PTS_TRY(predict_mlp(head, embeddings, count, out->mean, err));
    else
        predict_mean(head, embeddings, count, out->mean);
    for (size_t i = 0; i < 16; i++)
        out->covariance[i] = head->covariance[i];
    out->noise = head->noise;
    out->noise_dof = 0; /* of an unmeasured curve: not known better than usual */
    return PTS_OK;
}

pts_status pts_head_predict_labelled(const pts_head *head, const pts_label_sums *labels,
                                     size_t count, pts_curve_prior *out, pts_error *err)
{
    double objects = 0;
    if (!pts_head_takes_labels(head))
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "head: expected one that takes labels, got one that was trained without");
    for (size_t i = 0; i < count; i++) {
        const pts_label_sums *l = &labels[i];
        if (!isfinite(l->objects + l->log_size + l->log_size_squared + l->filled + l->crowded))
            return pts_fail(err, PTS_ERR_NUMERIC, "head: labels of photograph %zu are not finite",
                            i + 1);
        objects += l->objects;
    }
    if (!(objects >= 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "head: expected labelled objects, got none");
    return pts_labelled_predict(&head->labelled, labels, count, out, err);
}

/* ---- training ---- */

static char *join_datasets(const pts_tasks *tasks)
{
    size_t length = 1;
    for (size_t t = 0; t < tasks->count; t++)
        length += strlen(tasks->rows[t].task.dataset) + 1;
    char *text = calloc(length, 1);
    for (size_t t = 0, group = 0; text && t < tasks->count; t++)
        if (tasks->rows[t].group == group) { /* groups are numbered in order of appearance */
            if (group++ > 0)
                strcat(text, ",");
            strcat(text, tasks->rows[t].task.dataset);
        }
    return text;
}

pts_status pts_head_copy_sources(pts_head *head, const char *const *sources, pts_error *err)
{
    for (size_t i = 0; i < HEAD_SOURCES; i++)
        if (sources[i] && !(head->sources[i] = strdup(sources[i])))
            return pts_fail_memory(err, strlen(sources[i]) + 1);
    return PTS_OK;
}

static pts_status head_create(pts_head **out, const pts_tasks *tasks,
                              const pts_head_options *options, pts_error *err)
{
    char made_by[128];
    snprintf(made_by, sizeof made_by, "ptstrain " PTS_VERSION_STRING ", seed %llu",
             (unsigned long long)options->seed);
    pts_head *head = calloc(1, sizeof *head);
    if (!head)
        return pts_fail_memory(err, sizeof *head);
    head->kind = options->kind;
    head->dim = tasks->dim;
    head->encoder = strdup(tasks->encoder);
    head->preset = strdup(tasks->preset);
    head->datasets = join_datasets(tasks);
    head->made_by = strdup(made_by);
    head->trainer = strdup(options->trainer ? options->trainer : "");
    head->centre = pts_calloc64(tasks->dim, sizeof *head->centre);
    head->map = pts_calloc64(tasks->dim * 4, sizeof *head->map);
    *out = head;
    if (!head->encoder || !head->preset || !head->datasets || !head->made_by || !head->trainer ||
        !head->centre || !head->map)
        return pts_fail_memory(err, tasks->dim * 5 * sizeof *head->map);
    const char *const sources[HEAD_SOURCES] = {tasks->sources, tasks->curves, options->config};
    return pts_head_copy_sources(head, sources, err);
}

static pts_status take_spread(pts_head *head, const sweep *s, size_t choice, pts_error *err)
{
    double covariance[16], noise;
    PTS_TRY(pts_sweep_spread(s, SIZE_MAX, choice, covariance, &noise, err));
    for (size_t i = 0; i < 16; i++)
        head->covariance[i] = (float)covariance[i];
    head->noise = (float)noise;
    return PTS_OK;
}

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

static pts_status fit_mlp(pts_head *head, const sweep *s, const linear_fold *fold, size_t choice,
                          const linear_model *one, pts_error *err)
{
    const perceptron_choice *chosen = &pts_perceptron_choices[choice - SWEEP_MLP];
    size_t components = pts_perceptron_components[chosen->network];
    head->projection = pts_calloc64(head->dim * components, sizeof *head->projection);
    if (!head->projection)
        return pts_fail_memory(err, head->dim * components * sizeof *head->projection);
    perceptron_model model;
    PTS_TRY(pts_perceptron_fit(&s->data, fold, components, one, s->seed, &model, err));
    take_model(head, model.theta, model.low, model.high, fold);
    for (size_t d = 0; d < head->dim; d++)
        memcpy(head->projection + d * components, fold->projection + d * LINEAR_COMPONENTS,
               components * sizeof *head->projection);
    head->components = components;
    head->shrinkage = (float)chosen->shrinkage;
    memcpy(head->member, model.member, sizeof head->member); /* they are the head's now */
    return PTS_OK;
}

/* On all data sets, with what the choice among them says. */
static pts_status fit_all(pts_head *head, const sweep *s, size_t choice, pts_error *err)
{
    linear_fold fold;
    linear_model one;
    PTS_TRY(take_spread(head, s, choice, err));
    PTS_TRY(pts_linear_fold_create(&fold, &s->data, SIZE_MAX, SIZE_MAX, err));
    pts_linear_fit(&s->data, &fold, pts_linear_choices[0], NULL, &one);
    pts_status status = PTS_OK;
    if (choice < SWEEP_MLP)
        fit_linear(head, s, &fold, choice, &one);
    else
        status = fit_mlp(head, s, &fold, choice, &one, err);
    pts_linear_fold_free(&fold);
    if (status == PTS_OK)
        status = pts_labelled_fit(&head->labelled, s, &one, err);
    return status;
}

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

/* Kinds mlp and mean. */
static pts_status train_ours(pts_head *head, const sweep *s, pts_error *err)
{
    pts_lodo_report report;
    PTS_TRY(pts_lodo_summarise(&report, s, err));
    summarise(head, &report);
    pts_lodo_report_free(&report);
    size_t choice = head->kind == PTS_HEAD_MLP ? pts_sweep_choose_mlp(s, SIZE_MAX)
                                               : pts_sweep_choose(s, SIZE_MAX);
    return fit_all(head, s, choice, err);
}

static pts_status train_study(pts_head *head, const pts_tasks *tasks, const sweep *s,
                              const pts_head_options *options, pts_team *team,
                              pts_progress progress, void *user, pts_error *err)
{
    pts_study_report r;
    PTS_TRY(pts_study_run(&head->mlp, &r, tasks, options, team, progress, user, err));
    snprintf(head->summary, sizeof head->summary,
             "study head: %zu classes, best epoch %zu of %zu, %zu samples each, batch %zu; on the "
             "same curves' other photographs SMAPE of A, B, C, D + 10: %.2f, %.2f, %.2f, %.2f %%, "
             "curve MAE %.4f (mean curve %.4f)",
             r.tasks, r.best_epoch, r.epochs, r.samples_train, options->batch, r.smape[0],
             r.smape[1], r.smape[2], r.smape[3], r.mae, r.mae_mean_curve);
    return take_spread(head, s, 0, err);
}

static pts_status take_population(pts_head *head, const pts_tasks *tasks, pts_error *err)
{
    pts_prior_file population;
    PTS_TRY(pts_population_learn(tasks, SIZE_MAX, &population, err));
    pts_population_keep(&head->population, &population);
    return PTS_OK;
}

pts_status pts_head_train(pts_head **out, const pts_tasks *tasks, const pts_head_options *options,
                          pts_team *team, pts_progress progress, void *user, pts_error *err)
{
    *out = NULL;
    sweep s;
    PTS_TRY(pts_sweep_run(&s, tasks, options->seed, team, progress, user, err));
    pts_head *head = NULL;
    pts_status status = head_create(&head, tasks, options, err);
    if (status == PTS_OK)
        status = take_population(head, tasks, err);
    if (status == PTS_OK && options->kind == PTS_HEAD_STUDY)
        status = train_study(head, tasks, &s, options, team, progress, user, err);
    else if (status == PTS_OK)
        status = train_ours(head, &s, err);
    pts_sweep_free(&s);
    if (status != PTS_OK)
        pts_head_close(head);
    else
        *out = head;
    return status;
}
