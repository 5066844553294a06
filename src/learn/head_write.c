/* The head's file, written. */
#include "learn/head.h"

#include "base/error.h"

#include <stdio.h>

void pts_head_list(head_tensors *list, const char *name, const float *data, size_t rows,
                   size_t columns)
{
    pts_tensor *t = &list->items[list->count++];
    *t = (pts_tensor){.name = name, .dtype = PTS_F32, .rank = columns ? 2 : 1, .data = data};
    t->shape[0] = rows;
    t->shape[1] = columns ? columns : 1;
    t->shape[2] = t->shape[3] = 1;
    t->bytes = rows * t->shape[1] * sizeof *data;
}

/* Kinds mlp and mean alike: where the answer starts from. */
static void list_curve(head_tensors *list, const pts_head *head)
{
    pts_head_list(list, "centre", head->centre, head->dim, 0);
    pts_head_list(list, "theta", head->theta, 4, 0);
    pts_head_list(list, "low", head->low, 4, 0);
    pts_head_list(list, "high", head->high, 4, 0);
}

/* The mlp head's own: components, then the networks one a row. */
static void list_members(head_tensors *list, const pts_head *head)
{
    pts_head_list(list, "projection", head->projection, head->dim, head->components);
    pts_head_list(list, "shrinkage", &head->shrinkage, 1, 0);
    pts_head_list(list, "networks", head->members, PERCEPTRON_MEMBERS,
                  PERCEPTRON_PARAMETERS(head->components));
}

/* The prior of the curves alone. */
static void list_population(head_tensors *list, const population_model *m)
{
    pts_head_list(list, "population.mean", m->mean, 4, 0);
    pts_head_list(list, "population.covariance", m->covariance, 4, 4);
    pts_head_list(list, "population.noise", m->noise, 2, 0);
}

/* In the order in which heads have always been written: files are compared by their bytes. */
static void list_tensors(head_tensors *list, const pts_head *head)
{
    pts_head_list(list, "covariance", head->covariance, 4, 4);
    pts_head_list(list, "noise", &head->noise, 1, 0);
    if (head->kind == PTS_HEAD_STUDY)
        head->study.part->list(head->study.own, list);
    else
        list_curve(list, head);
    if (head->kind == PTS_HEAD_MEAN)
        pts_head_list(list, "map", head->map, head->dim, 4);
    if (head->kind == PTS_HEAD_MLP)
        list_members(list, head);
    if (head->labels.part)
        head->labels.part->list(head->labels.own, list);
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

/* Its digits live in the list until the file is written. */
static void list_number(meta_list *list, const char *key, size_t number)
{
    char *text = list->numbers[list->number_count++];
    snprintf(text, sizeof *list->numbers, "%zu", number);
    list_text(list, key, text);
}

/* In that order as well. */
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
    if (head->labels.part)
        list_number(list, "labelled", head->labelled);
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
    head_tensors tensors = {.count = 0};
    meta_list meta = {.count = 0};
    if (head->no_spread)
        return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: a head without spread is not written again",
                        path);
    list_tensors(&tensors, head);
    list_meta(&meta, head);
    return pts_weights_write(path, meta.items, meta.count, tensors.items, tensors.count, err);
}
