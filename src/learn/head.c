/* The head: what it says of itself, and its answer. */
#include "learn/head.h"

#include "base/error.h"
#include "base/text.h"

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

/* A part frees what is its own, built or read half as it may be. */
static void close_part(const head_use *use)
{
    if (use->part)
        use->part->free(use->own);
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
    close_part(&head->study);
    close_part(&head->labels);
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

/* Whether a factor is there at all: with zeros alone the product is the same for all photographs.
 */
static bool any(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] != 0)
            return true;
    return false;
}

bool pts_head_takes_labels(const pts_head *head)
{
    return head->labels.part != NULL;
}

bool pts_head_population(const pts_head *head, pts_prior_file *out)
{
    pts_population_give(&head->population, out);
    snprintf(out->trainer, sizeof out->trainer, "%s", head->trainer);
    pts_text_end_whole(out->trainer);
    return head->population.curves > 0;
}

bool pts_head_uses_photographs(const pts_head *head)
{
    if (head->kind == PTS_HEAD_STUDY)
        return true;
    if (head->kind == PTS_HEAD_MEAN)
        return any(head->map, head->dim * 4);
    bool moves = false;
    const size_t first = head->components * PERCEPTRON_HIDDEN;
    const float *member = head->members;
    for (size_t m = 0; m < PERCEPTRON_MEMBERS; m++) {
        moves |= any(member, first) &&
                 any(member + first + PERCEPTRON_HIDDEN, (size_t)PERCEPTRON_HIDDEN * 4);
        member += PERCEPTRON_PARAMETERS(head->components);
    }
    return moves && head->shrinkage != 0 && any(head->projection, head->dim * head->components);
}

bool pts_head_goes_with(const pts_head *head, const pts_encoder *encoder)
{
    if (*head->encoder)
        return strcmp(head->encoder, pts_encoder_id(encoder)) == 0;
    return strcmp(head->encoder_arch, pts_encoder_arch(encoder)) == 0;
}

pts_status pts_head_check_encoder(const pts_head *head, const char *head_path,
                                  const pts_encoder *encoder, const char *encoder_path,
                                  pts_error *err)
{
    const size_t dim = pts_encoder_dim(encoder);
    if (!pts_head_goes_with(head, encoder))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: expected the encoder it was trained with (%.12s…), got %s (%.12s…)",
                        head_path, *head->encoder ? head->encoder : head->encoder_arch,
                        encoder_path, pts_encoder_id(encoder));
    if (head->dim == dim)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_UNSUPPORTED,
                    "%s: expected a head for embeddings of %zu numbers, got one for %zu%s",
                    head_path, dim, head->dim,
                    head->dim == 2 * dim ? " (trained with label masks)" : "");
}

pts_status pts_head_copy_sources(pts_head *head, const char *const *sources, pts_error *err)
{
    for (size_t i = 0; i < HEAD_SOURCES; i++)
        if (sources[i] && !(head->sources[i] = strdup(sources[i])))
            return pts_fail_memory(err, strlen(sources[i]) + 1);
    return PTS_OK;
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

/* The linear map, held within the range of θ that training saw. */
static void predict_mean(const pts_head *head, const float *embeddings, size_t count,
                         double theta[4])
{
    for (size_t i = 0; i < 4; i++)
        theta[i] = head->theta[i];
    add_product(head, embeddings, count, head->map, 4, theta);
    for (size_t i = 0; i < 4; i++)
        theta[i] = fmin(fmax(theta[i], head->low[i]), head->high[i]);
}

/* The ensemble on the leading components, computed as its scores were in training. */
static void predict_mlp(const pts_head *head, const float *embeddings, size_t count,
                        double theta[4])
{
    double sums[PERCEPTRON_INPUTS] = {0};
    float scores[PERCEPTRON_INPUTS];
    perceptron_model model = {.components = head->components};
    add_product(head, embeddings, count, head->projection, head->components, sums);
    for (size_t j = 0; j < head->components; j++)
        scores[j] = (float)sums[j];
    for (size_t i = 0; i < 4; i++) {
        model.theta[i] = head->theta[i];
        model.low[i] = head->low[i];
        model.high[i] = head->high[i];
    }
    memcpy(model.members, head->members, sizeof model.members);
    pts_perceptron_predict(&model, head->shrinkage, scores, theta);
}

/* What comes from outside: a number that is not finite would end as a silent NaN. */
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
    double theta[4];
    if (head->kind != PTS_HEAD_STUDY)
        return pts_fail(err, PTS_ERR_ARGUMENT, "head: expected one of kind study, got %s",
                        pts_head_kind_name(head->kind));
    PTS_TRY(check_embeddings(head, embeddings, 4, err));
    return head->study.part->study(head->study.own, embeddings, out, theta, err);
}

pts_status pts_head_predict(pts_head *head, const float *embeddings, size_t count,
                            pts_curve_prior *out, pts_error *err)
{
    double numbers[4];
    PTS_TRY(check_embeddings(head, embeddings, count, err));
    if (head->no_spread)
        return pts_fail(
            err, PTS_ERR_UNSUPPORTED,
            "head: this one has no measured spread (the study's own, for predict --mode "
            "ptssp)");
    if (head->kind == PTS_HEAD_STUDY)
        PTS_TRY(head->study.part->study(head->study.own, embeddings, numbers, out->mean, err));
    else if (head->kind == PTS_HEAD_MLP)
        predict_mlp(head, embeddings, count, out->mean);
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
    if (!pts_head_takes_labels(head))
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "head: expected one that takes labels, got one that was trained without");
    return head->labels.part->labelled(head->labels.own, labels, count, out, err);
}
