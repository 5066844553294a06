/* From what was given to the answer: which prior it starts from. */
#include "base/error.h"
#include "base/memory.h"
#include "forecast/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct forecast {
    pts_models *models;
    const pts_given *given;
    const pts_model *model; /* NULL with a named prior */
    const char **field;
    pts_prior_file prior; /* found: a trainer's past curves, or the Gaussian alone */
    pts_answer_source source;
} forecast;

/* ---- embedding ---- */

typedef struct embedding {
    const pts_given *given;
    const char *preset;
    size_t side;
} embedding;

static const pts_image_limits *limits_of(const pts_given *given)
{
    return given->limits.pixels ? &given->limits : NULL;
}

static pts_status make_input(void *user, size_t index, float *input, pts_error *err)
{
    const embedding *e = user;
    return pts_photograph_ready(&e->given->photographs[index], limits_of(e->given), e->preset,
                                e->side, input, err);
}

pts_status pts_given_embed(const pts_given *given, const pts_model *model, const char *preset,
                           float *embeddings, pts_error *err)
{
    if (given->embed)
        return given->embed(given->user, model, preset, given->photographs, embeddings, err);
    embedding e = {.given = given,
                   .preset = preset ? preset : pts_encoder_preset(model->encoder),
                   .side = pts_encoder_input_size(model->encoder)};
    return pts_encoder_embed_from(model->encoder, make_input, &e, PTS_PHOTOGRAPHS, embeddings, err);
}

/* ---- each way to a prior ---- */

static void append(char *names, size_t size, const char *more)
{
    size_t used = strlen(names);
    snprintf(names + used, size - used, "%s%s", used ? ", " : "", more);
}

/* A name that there is not, beside those that there are. */
static pts_status no_such(const char *what, const char *name, const char *names, size_t count,
                          pts_error *err)
{
    return pts_fail(err, PTS_ERR_ARGUMENT, "no %s '%.80s' (there %s: %s)", what, name,
                    count == 1 ? "is" : "are", count ? names : "none");
}

static pts_status from_named(forecast *f, pts_error *err)
{
    char names[256] = "";
    *f->field = "prior";
    for (size_t i = 0; i < f->models->prior_count; i++) {
        const pts_named_prior *prior = &f->models->priors[i];
        if (strcmp(prior->name, f->given->prior) == 0) {
            f->prior = prior->file;
            f->source.past_curves = true;
            return PTS_OK;
        }
        append(names, sizeof names, prior->name);
    }
    return no_such("prior", f->given->prior, names, f->models->prior_count, err);
}

static pts_status from_labels(forecast *f, pts_error *err)
{
    *f->field = "labels";
    f->source.labelled = PTS_PHOTOGRAPHS;
    for (size_t i = 0; i < PTS_PHOTOGRAPHS; i++) {
        f->source.objects += (size_t)f->given->labels[i].objects;
        f->source.showing += f->given->labels[i].objects > 0;
    }
    return pts_head_predict_labelled(f->model->head, f->given->labels, PTS_PHOTOGRAPHS,
                                     &f->prior.prior, err);
}

static pts_status ask_head(forecast *f, const float *embeddings, pts_error *err)
{
    *f->field = NULL;
    pthread_mutex_lock(&f->models->asking);
    pts_status status =
        pts_head_predict(f->model->head, embeddings, PTS_PHOTOGRAPHS, &f->prior.prior, err);
    pthread_mutex_unlock(&f->models->asking);
    return status;
}

static pts_status from_photographs(forecast *f, pts_error *err)
{
    float *embeddings;
    *f->field = "images";
    f->source.uses_photographs = pts_head_uses_photographs(f->model->head);
    PTS_TRY(pts_new(&embeddings, PTS_PHOTOGRAPHS * pts_encoder_dim(f->model->encoder),
                    sizeof *embeddings, err));
    pts_status status = pts_given_embed(f->given, f->model, NULL, embeddings, err);
    if (status == PTS_OK)
        status = ask_head(f, embeddings, err);
    free(embeddings);
    return status;
}

/* ---- which of them ---- */

static pts_status no_encoder(const forecast *f, pts_error *err)
{
    char names[256] = "";
    for (size_t i = 0; i < f->models->count; i++)
        append(names, sizeof names, pts_encoder_arch(f->models->items[i].encoder));
    return no_such("encoder", f->given->encoder, names, f->models->count, err);
}

static pts_status find_model(forecast *f, pts_error *err)
{
    *f->field = "encoder";
    f->model = pts_models_find(f->models, f->given->encoder);
    if (!f->model && f->given->encoder)
        return no_encoder(f, err);
    if (f->model && f->model->head)
        return PTS_OK;
    if (!f->model && f->models->count == 0)
        return pts_fail(err, PTS_ERR_ARGUMENT, "expected models or a prior, got none");
    const pts_model *model = f->model ? f->model : &f->models->items[0];
    if (model->study)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: a head of the study's own, without measured spread: expected --mode "
                        "ptssp",
                        model->head_path);
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s has no head for mode pts",
                    pts_encoder_arch(model->encoder));
}

/* For where they are not looked at: one that is no photograph is a mistake all the same. */
static pts_status check_photographs(forecast *f, pts_error *err)
{
    *f->field = "images";
    for (size_t i = 0; i < PTS_PHOTOGRAPHS; i++)
        PTS_TRY(pts_photograph_check(&f->given->photographs[i], limits_of(f->given), err));
    return PTS_OK;
}

static pts_status find_prior(forecast *f, pts_error *err)
{
    const pts_given *given = f->given;
    if (given->prior)
        return from_named(f, err);
    PTS_TRY(find_model(f, err));
    const pts_head *head = f->model->head;
    if (given->labels && !pts_head_takes_labels(head)) {
        *f->field = "labels";
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: expected a head that takes labels, got one that was trained without",
                        f->model->head_path);
    }
    snprintf(f->prior.trainer, sizeof f->prior.trainer, "%s", pts_head_trainer(head));
    f->source.encoder = given->labels ? NULL : pts_encoder_arch(f->model->encoder);
    f->source.past_curves = given->question.pilot && pts_head_population(head, &f->prior);
    if (f->source.past_curves || given->labels)
        PTS_TRY(check_photographs(f, err));
    if (f->source.past_curves)
        return PTS_OK;
    return given->labels ? from_labels(f, err) : from_photographs(f, err);
}

pts_status pts_forecast_find(pts_models *models, const pts_given *given, pts_answer *out,
                             const char **field, pts_error *err)
{
    forecast f = {.models = models, .given = given, .field = field};
    PTS_TRY(find_prior(&f, err));
    *field = NULL;
    f.source.trainer = f.prior.trainer;
    f.source.curves = f.prior.curves;
    f.source.datasets = f.prior.datasets;
    return pts_answer_find(&f.prior.prior, &f.source, &given->question, out, err);
}
