/* The head's file. */
#include "learn/head.h"
#include "study/study.h"

#include "base/error.h"
#include "base/memory.h"
#include "pts/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one network of the mlp head, as pts_mlp_parameters has them. */
#define MEMBER_PARAMETERS(components) (((components) + 1 + 4) * PERCEPTRON_HIDDEN + 4)

/* Tensors of any kind: the spread, then the kind's own. */
typedef struct tensor_list {
    pts_tensor items[2 + 2 * STUDY_LAYERS + 5 + 8 + 3];
    char names[2 * STUDY_LAYERS][32];
    float members[PERCEPTRON_MEMBERS * MEMBER_PARAMETERS(LINEAR_COMPONENTS)];
    size_t count;
} tensor_list;

static void list_tensor(tensor_list *list, const char *name, const float *data, size_t rows,
                        size_t columns)
{
    pts_tensor *t = &list->items[list->count++];
    *t = (pts_tensor){.name = name, .dtype = PTS_F32, .rank = columns ? 2 : 1, .data = data};
    t->shape[0] = rows;
    t->shape[1] = columns ? columns : 1;
    t->shape[2] = t->shape[3] = 1;
    t->bytes = rows * t->shape[1] * sizeof *data;
}

static void list_network(tensor_list *list, pts_mlp *mlp)
{
    for (size_t l = 0; l < STUDY_LAYERS; l++) {
        char *weight = list->names[2 * l], *bias = list->names[2 * l + 1];
        snprintf(weight, sizeof list->names[0], "fc%zu.weight", l + 1);
        snprintf(bias, sizeof list->names[0], "fc%zu.bias", l + 1);
        list_tensor(list, weight, pts_mlp_weight(mlp, l), pts_mlp_size(mlp, l),
                    pts_mlp_size(mlp, l + 1));
        list_tensor(list, bias, pts_mlp_bias(mlp, l), pts_mlp_size(mlp, l + 1), 0);
    }
}

static void list_curve(tensor_list *list, const pts_head *head)
{
    list_tensor(list, "centre", head->centre, head->dim, 0);
    list_tensor(list, "theta", head->theta, 4, 0);
    list_tensor(list, "low", head->low, 4, 0);
    list_tensor(list, "high", head->high, 4, 0);
}

static void list_members(tensor_list *list, const pts_head *head)
{
    size_t count = MEMBER_PARAMETERS(head->components);
    for (size_t m = 0; m < PERCEPTRON_MEMBERS; m++)
        memcpy(list->members + m * count, pts_mlp_parameters(head->member[m]),
               count * sizeof *list->members);
    list_tensor(list, "projection", head->projection, head->dim, head->components);
    list_tensor(list, "shrinkage", &head->shrinkage, 1, 0);
    list_tensor(list, "networks", list->members, PERCEPTRON_MEMBERS, count);
}

static void list_labelled(tensor_list *list, const labelled_model *m)
{
    list_tensor(list, "labelled.votes", m->votes, m->count, 0);
    list_tensor(list, "labelled.labels", m->labels, m->count, PREDICTOR_LABELS);
    list_tensor(list, "labelled.curves", m->curves, m->count, PREDICTOR_GRID);
    list_tensor(list, "labelled.log_n", m->log_n, PREDICTOR_GRID, 0);
    list_tensor(list, "labelled.start", m->start, 4, 0);
    list_tensor(list, "labelled.parameters", m->parameters, 2, 0);
    list_tensor(list, "labelled.covariance", m->covariance, 4, 4);
    list_tensor(list, "labelled.noise", &m->noise, 1, 0);
}

static void list_population(tensor_list *list, const population_model *m)
{
    list_tensor(list, "population.mean", m->mean, 4, 0);
    list_tensor(list, "population.covariance", m->covariance, 4, 4);
    list_tensor(list, "population.noise", m->noise, 2, 0);
}

static void list_tensors(tensor_list *list, const pts_head *head)
{
    list_tensor(list, "covariance", head->covariance, 4, 4);
    list_tensor(list, "noise", &head->noise, 1, 0);
    if (head->kind == PTS_HEAD_STUDY)
        list_network(list, head->mlp);
    else
        list_curve(list, head);
    if (head->kind == PTS_HEAD_MEAN)
        list_tensor(list, "map", head->map, head->dim, 4);
    if (head->kind == PTS_HEAD_MLP)
        list_members(list, head);
    if (head->labelled.count)
        list_labelled(list, &head->labelled);
    if (head->population.curves)
        list_population(list, &head->population);
}

enum { TEXTS = 8, NUMBERS = 5 };

typedef struct meta_list {
    pts_meta items[TEXTS + NUMBERS + HEAD_SOURCES];
    char numbers[NUMBERS][32];
    size_t count, number_count;
} meta_list;

static void list_text(meta_list *list, const char *key, const char *text)
{
    list->items[list->count++] = (pts_meta){key, text};
}

static void list_number(meta_list *list, const char *key, size_t number)
{
    char *text = list->numbers[list->number_count++];
    snprintf(text, sizeof *list->numbers, "%zu", number);
    list_text(list, key, text);
}

static void list_meta(meta_list *list, const pts_head *head)
{
    list_text(list, "arch", "head");
    list_text(list, "kind", pts_head_kind_name(head->kind));
    list_number(list, "dim", head->dim);
    list_text(list, "encoder", head->encoder);
    list_text(list, "preset", head->preset);
    list_text(list, "datasets", head->datasets);
    list_text(list, "trainer", head->made_by);
    list_text(list, "curves_of", head->trainer);
    list_text(list, "summary", head->summary);
    if (head->kind == PTS_HEAD_MLP)
        list_number(list, "components", head->components);
    if (head->labelled.count)
        list_number(list, "labelled", head->labelled.count);
    if (head->population.curves) {
        list_number(list, "population_curves", head->population.curves);
        list_number(list, "population_datasets", head->population.datasets);
    }
    for (size_t i = 0; i < HEAD_SOURCES; i++)
        if (head->sources[i])
            list_text(list, pts_head_source_keys[i], head->sources[i]);
}

pts_status pts_head_write(const pts_head *head, const char *path, pts_error *err)
{
    tensor_list tensors = {.count = 0};
    meta_list meta = {.count = 0};
    if (head->no_spread)
        return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: a head without spread is not written again",
                        path);
    list_tensors(&tensors, head);
    list_meta(&meta, head);
    return pts_weights_write(path, meta.items, meta.count, tensors.items, tensors.count, err);
}

static pts_status take(const pts_weights *w, const char *name, size_t rows, size_t columns,
                       float *to, pts_error *err)
{
    const size_t shape[2] = {rows, columns};
    const pts_tensor *tensor;
    PTS_TRY(pts_weights_require(w, name, columns ? 2 : 1, shape, &tensor, err));
    const float *data = tensor->data;
    size_t count = rows * (columns ? columns : 1);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(data[i]))
            return pts_fail(err, PTS_ERR_NUMERIC, "%s: %s[%zu] is not finite", pts_weights_path(w),
                            name, i);
    memcpy(to, data, count * sizeof *to);
    return PTS_OK;
}

static pts_status take_text(const pts_weights *w, const char *key, char **to, pts_error *err)
{
    const char *value = pts_weights_meta(w, key);
    if (!value)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: metadata: expected a value for '%s', got none",
                        pts_weights_path(w), key);
    *to = strdup(value);
    return *to ? PTS_OK : pts_fail_memory(err, strlen(value) + 1);
}

static pts_status take_count(const pts_weights *w, const char *key, size_t most, size_t *to,
                             pts_error *err)
{
    const char *text = pts_weights_meta(w, key);
    char *end = "";
    unsigned long number = text ? strtoul(text, &end, 10) : 0;
    if (*end || number < 1 || number > most)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: %s: expected 1 … %zu, got '%s'",
                        pts_weights_path(w), key, most, text ? text : "");
    *to = number;
    return PTS_OK;
}

static pts_status read_kind(pts_head *head, const pts_weights *w, pts_error *err)
{
    const char *text = pts_weights_meta(w, "kind");
    for (int kind = PTS_HEAD_MEAN; text && kind <= PTS_HEAD_MLP; kind++)
        if (strcmp(text, pts_head_kind_name((pts_head_kind)kind)) == 0) {
            head->kind = (pts_head_kind)kind;
            return PTS_OK;
        }
    return pts_fail(err, PTS_ERR_UNSUPPORTED,
                    "%s: kind of head: expected 'mlp', 'mean' or 'study', got '%s'",
                    pts_weights_path(w), text ? text : "");
}

static pts_status read_identity(pts_head *head, const pts_weights *w, pts_error *err)
{
    const char *path = pts_weights_path(w), *arch = pts_weights_meta(w, "arch");
    if (!arch || strcmp(arch, "head") != 0)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a head, got architecture '%s'", path,
                        arch ? arch : "");
    PTS_TRY(read_kind(head, w, err));
    PTS_TRY(take_count(w, "dim", 65536, &head->dim, err));
    const char *summary = pts_weights_meta(w, "summary"),
               *family = pts_weights_meta(w, "encoder_arch");
    snprintf(head->encoder_arch, sizeof head->encoder_arch, "%s", family ? family : "");
    snprintf(head->summary, sizeof head->summary, "%s", summary ? summary : "");
    PTS_TRY(take_text(w, "encoder", &head->encoder, err));
    PTS_TRY(take_text(w, "preset", &head->preset, err));
    PTS_TRY(take_text(w, "datasets", &head->datasets, err));
    PTS_TRY(take_text(w, "trainer", &head->made_by, err));
    const char *trainer = pts_weights_meta(w, "curves_of"); /* older heads do not say */
    head->trainer = strdup(trainer ? trainer : "");
    const char *sources[HEAD_SOURCES];
    for (size_t i = 0; i < HEAD_SOURCES; i++)
        sources[i] = pts_weights_meta(w, pts_head_source_keys[i]);
    PTS_TRY(pts_head_copy_sources(head, sources, err));
    return head->trainer ? PTS_OK : pts_fail_memory(err, 1);
}

static pts_status read_spread(pts_head *head, const pts_weights *w, pts_error *err)
{
    head->no_spread =
        head->kind == PTS_HEAD_STUDY && head->encoder_arch[0] && !pts_weights_find(w, "covariance");
    if (head->no_spread)
        return PTS_OK;
    PTS_TRY(take(w, "covariance", 4, 4, head->covariance, err));
    PTS_TRY(take(w, "noise", 1, 0, &head->noise, err));
    double covariance[16], lower[16];
    for (size_t i = 0; i < 16; i++)
        covariance[i] = head->covariance[i];
    if (!pts_theta_cholesky(covariance, lower))
        return pts_fail(err, PTS_ERR_NUMERIC, "%s: covariance is not positive definite",
                        pts_weights_path(w));
    if (!(head->noise > 0))
        return pts_fail(err, PTS_ERR_NUMERIC, "%s: noise: expected above 0, got %g",
                        pts_weights_path(w), (double)head->noise);
    return PTS_OK;
}

static pts_status read_curve(pts_head *head, const pts_weights *w, pts_error *err)
{
    head->centre = pts_calloc64(head->dim, sizeof *head->centre);
    if (!head->centre)
        return pts_fail_memory(err, head->dim * sizeof *head->centre);
    PTS_TRY(take(w, "centre", head->dim, 0, head->centre, err));
    PTS_TRY(take(w, "theta", 4, 0, head->theta, err));
    PTS_TRY(take(w, "low", 4, 0, head->low, err));
    return take(w, "high", 4, 0, head->high, err);
}

static pts_status read_mean(pts_head *head, const pts_weights *w, pts_error *err)
{
    PTS_TRY(read_curve(head, w, err));
    head->map = pts_calloc64(head->dim * 4, sizeof *head->map);
    if (!head->map)
        return pts_fail_memory(err, head->dim * 4 * sizeof *head->map);
    return take(w, "map", head->dim, 4, head->map, err);
}

static pts_status read_mlp(pts_head *head, const pts_weights *w, pts_error *err)
{
    float values[PERCEPTRON_MEMBERS * MEMBER_PARAMETERS(LINEAR_COMPONENTS)];
    PTS_TRY(read_curve(head, w, err));
    PTS_TRY(take_count(w, "components", LINEAR_COMPONENTS, &head->components, err));
    size_t count = MEMBER_PARAMETERS(head->components);
    head->projection = pts_calloc64(head->dim * head->components, sizeof *head->projection);
    if (!head->projection)
        return pts_fail_memory(err, head->dim * head->components * sizeof *head->projection);
    PTS_TRY(take(w, "projection", head->dim, head->components, head->projection, err));
    PTS_TRY(take(w, "shrinkage", 1, 0, &head->shrinkage, err));
    PTS_TRY(take(w, "networks", PERCEPTRON_MEMBERS, count, values, err));
    for (size_t m = 0; m < PERCEPTRON_MEMBERS; m++) {
        PTS_TRY(pts_perceptron_network(&head->member[m], head->components, 0, err));
        memcpy(pts_mlp_parameters(head->member[m]), values + m * count, count * sizeof *values);
    }
    return PTS_OK;
}

static pts_status read_study(pts_head *head, const pts_weights *w, pts_error *err)
{
    PTS_TRY(pts_study_network(&head->mlp, head->dim, 0, NULL, err));
    for (size_t l = 0; l < STUDY_LAYERS; l++) {
        char name[32];
        size_t in = pts_mlp_size(head->mlp, l), out = pts_mlp_size(head->mlp, l + 1);
        snprintf(name, sizeof name, "fc%zu.weight", l + 1);
        PTS_TRY(take(w, name, in, out, pts_mlp_weight(head->mlp, l), err));
        snprintf(name, sizeof name, "fc%zu.bias", l + 1);
        PTS_TRY(take(w, name, out, 0, pts_mlp_bias(head->mlp, l), err));
    }
    return PTS_OK;
}

static pts_status take_labelled(labelled_model *m, const pts_weights *w, pts_error *err)
{
    PTS_TRY(take(w, "labelled.votes", m->count, 0, m->votes, err));
    PTS_TRY(take(w, "labelled.labels", m->count, PREDICTOR_LABELS, m->labels, err));
    PTS_TRY(take(w, "labelled.curves", m->count, PREDICTOR_GRID, m->curves, err));
    PTS_TRY(take(w, "labelled.log_n", PREDICTOR_GRID, 0, m->log_n, err));
    PTS_TRY(take(w, "labelled.start", 4, 0, m->start, err));
    PTS_TRY(take(w, "labelled.parameters", 2, 0, m->parameters, err));
    PTS_TRY(take(w, "labelled.covariance", 4, 4, m->covariance, err));
    return take(w, "labelled.noise", 1, 0, &m->noise, err);
}

/* Older heads, and those of data sets without labels, have none of it. */
static pts_status read_labelled(pts_head *head, const pts_weights *w, pts_error *err)
{
    size_t count;
    pts_error why;
    if (!pts_weights_meta(w, "labelled"))
        return PTS_OK;
    PTS_TRY(take_count(w, "labelled", LABELLED_COUNT, &count, err));
    PTS_TRY(pts_labelled_create(&head->labelled, count, err));
    PTS_TRY(take_labelled(&head->labelled, w, err));
    pts_status status = pts_labelled_check(&head->labelled, &why);
    return status == PTS_OK ? PTS_OK
                            : pts_fail(err, status, "%s: %s", pts_weights_path(w), why.message);
}

/* Older heads have none of it. */
static pts_status read_population(pts_head *head, const pts_weights *w, pts_error *err)
{
    population_model *m = &head->population;
    pts_prior_file given;
    pts_error why;
    if (!pts_weights_meta(w, "population_curves"))
        return PTS_OK;
    PTS_TRY(take_count(w, "population_curves", LABELLED_COUNT, &m->curves, err));
    PTS_TRY(take_count(w, "population_datasets", m->curves, &m->datasets, err));
    PTS_TRY(take(w, "population.mean", 4, 0, m->mean, err));
    PTS_TRY(take(w, "population.covariance", 4, 4, m->covariance, err));
    PTS_TRY(take(w, "population.noise", 2, 0, m->noise, err));
    pts_population_give(m, &given);
    pts_status status = pts_prior_check(&given.prior, &why);
    if (status == PTS_OK)
        return PTS_OK;
    return pts_fail(err, status == PTS_ERR_MEMORY ? status : PTS_ERR_NUMERIC, "%s: population: %s",
                    pts_weights_path(w), why.message);
}

static pts_status read_head(pts_head *head, const pts_weights *w, pts_error *err)
{
    PTS_TRY(read_identity(head, w, err));
    PTS_TRY(read_spread(head, w, err));
    PTS_TRY(read_labelled(head, w, err));
    PTS_TRY(read_population(head, w, err));
    if (head->kind == PTS_HEAD_MLP)
        return read_mlp(head, w, err);
    return head->kind == PTS_HEAD_STUDY ? read_study(head, w, err) : read_mean(head, w, err);
}

pts_status pts_head_open(pts_head **out, const char *path, pts_error *err)
{
    *out = NULL;
    pts_weights *weights;
    PTS_TRY(pts_weights_open(&weights, path, err));
    pts_head *head = calloc(1, sizeof *head);
    pts_status status = head ? pts_weights_widen(weights, err) : pts_fail_memory(err, sizeof *head);
    if (status == PTS_OK)
        status = read_head(head, weights, err);
    pts_weights_close(weights);
    if (status != PTS_OK)
        pts_head_close(head);
    else
        *out = head;
    return status;
}
