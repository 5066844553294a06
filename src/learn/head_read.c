/* The head's file, read. */
#include "learn/head.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "learn/theta.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pts_status pts_head_take(const pts_weights *w, const char *name, size_t rows, size_t columns,
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

/* None of them is optional: they say what the head goes with and where it comes from. */
static pts_status take_text(const pts_weights *w, const char *key, char **to, pts_error *err)
{
    const char *value = pts_weights_meta(w, key);
    if (!value)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: metadata: expected a value for '%s', got none",
                        pts_weights_path(w), key);
    return pts_text(to, err, "%s", value);
}

/* Bounded, as memory is taken by it. */
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

/* By name: a kind of a later version is refused, not misread. */
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

/* What tells whether the head fits an encoder comes before the large tensors. */
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
    pts_text_end_whole(head->summary);
    PTS_TRY(take_text(w, "encoder", &head->encoder, err));
    PTS_TRY(take_text(w, "preset", &head->preset, err));
    PTS_TRY(take_text(w, "datasets", &head->datasets, err));
    PTS_TRY(take_text(w, "trainer", &head->made_by, err));
    const char *trainer = pts_weights_meta(w, "curves_of"); /* older heads do not say */
    PTS_TRY(pts_text(&head->trainer, err, "%s", trainer ? trainer : ""));
    const char *sources[HEAD_SOURCES];
    for (size_t i = 0; i < HEAD_SOURCES; i++)
        sources[i] = pts_weights_meta(w, pts_head_source_keys[i]);
    return pts_head_copy_sources(head, sources, err);
}

/* A spread that training cannot have written would give bands of NaN much later. */
static pts_status read_spread(pts_head *head, const pts_weights *w, pts_error *err)
{
    head->no_spread =
        head->kind == PTS_HEAD_STUDY && head->encoder_arch[0] && !pts_weights_find(w, "covariance");
    if (head->no_spread)
        return PTS_OK;
    PTS_TRY(pts_head_take(w, "covariance", 4, 4, head->covariance, err));
    PTS_TRY(pts_head_take(w, "noise", 1, 0, &head->noise, err));
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

/* Kinds mlp and mean alike: where the answer starts from. */
static pts_status read_curve(pts_head *head, const pts_weights *w, pts_error *err)
{
    PTS_TRY(pts_new(&head->centre, head->dim, sizeof *head->centre, err));
    PTS_TRY(pts_head_take(w, "centre", head->dim, 0, head->centre, err));
    PTS_TRY(pts_head_take(w, "theta", 4, 0, head->theta, err));
    PTS_TRY(pts_head_take(w, "low", 4, 0, head->low, err));
    return pts_head_take(w, "high", 4, 0, head->high, err);
}

static pts_status read_mean(pts_head *head, const pts_weights *w, pts_error *err)
{
    PTS_TRY(read_curve(head, w, err));
    PTS_TRY(pts_new(&head->map, head->dim * 4, sizeof *head->map, err));
    return pts_head_take(w, "map", head->dim, 4, head->map, err);
}

/* The number of components first: the shapes of all that follows depend on it. */
static pts_status read_mlp(pts_head *head, const pts_weights *w, pts_error *err)
{
    PTS_TRY(read_curve(head, w, err));
    PTS_TRY(take_count(w, "components", PERCEPTRON_INPUTS, &head->components, err));
    const size_t c = head->components;
    PTS_TRY(pts_new(&head->projection, head->dim * c, sizeof *head->projection, err));
    PTS_TRY(pts_head_take(w, "projection", head->dim, c, head->projection, err));
    PTS_TRY(pts_head_take(w, "shrinkage", 1, 0, &head->shrinkage, err));
    return pts_head_take(w, "networks", PERCEPTRON_MEMBERS, PERCEPTRON_PARAMETERS(c), head->members,
                         err);
}

/* By the room that knows it: a build without says so instead of answering otherwise. */
static pts_status read_study(pts_head *head, const pts_weights *w, pts_error *err)
{
#ifdef PTS_HAVE_STUDY
    head->study.part = &pts_head_study_part;
    return head->study.part->read(&head->study.own, head->dim, w, err);
#else
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: a head of kind %s: built without study",
                    pts_weights_path(w), pts_head_kind_name(head->kind));
#endif
}

/* Older heads, and those of data sets without labels, have none of it; nor has a build that reads
 * no labels any use for it. */
static pts_status read_labelled(pts_head *head, const pts_weights *w, pts_error *err)
{
#ifdef PTS_HAVE_TRAINING
    if (!pts_weights_meta(w, "labelled"))
        return PTS_OK;
    PTS_TRY(take_count(w, "labelled", HEAD_COUNT, &head->labelled, err));
    head->labels.part = &pts_head_labels_part;
    return head->labels.part->read(&head->labels.own, head->labelled, w, err);
#else
    (void)head, (void)w, (void)err;
    return PTS_OK;
#endif
}

/* Older heads have none of it. */
static pts_status read_population(pts_head *head, const pts_weights *w, pts_error *err)
{
    population_model *m = &head->population;
    pts_prior_file given;
    pts_error why;
    if (!pts_weights_meta(w, "population_curves"))
        return PTS_OK;
    PTS_TRY(take_count(w, "population_curves", HEAD_COUNT, &m->curves, err));
    PTS_TRY(take_count(w, "population_datasets", m->curves, &m->datasets, err));
    PTS_TRY(pts_head_take(w, "population.mean", 4, 0, m->mean, err));
    PTS_TRY(pts_head_take(w, "population.covariance", 4, 4, m->covariance, err));
    PTS_TRY(pts_head_take(w, "population.noise", 2, 0, m->noise, err));
    pts_population_give(m, &given);
    pts_status status = pts_prior_check(&given.prior, &why);
    if (status == PTS_OK)
        return PTS_OK;
    return pts_fail(err, status == PTS_ERR_MEMORY ? status : PTS_ERR_NUMERIC, "%s: population: %s",
                    pts_weights_path(w), why.message);
}

/* Identity first: the kind says which tensors are to be there. */
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
    pts_head *head;
    pts_status status = pts_new(&head, 1, sizeof *head, err);
    if (status == PTS_OK)
        status = pts_weights_widen(weights, err);
    if (status == PTS_OK)
        status = read_head(head, weights, err);
    pts_weights_close(weights);
    if (status != PTS_OK)
        pts_head_close(head);
    else
        *out = head;
    return status;
}
