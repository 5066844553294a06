#include "web/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By its id where it has one, else by architecture. */
static bool goes_with(const pts_head *head, const pts_encoder *encoder)
{
    const char *id = pts_head_encoder_id(head);
    if (*id)
        return strcmp(id, pts_encoder_id(encoder)) == 0;
    return strcmp(pts_head_encoder_arch(head), pts_encoder_arch(encoder)) == 0;
}

static pts_status no_encoder(const pts_head *head, const char *path, pts_error *err)
{
    const char *arch = pts_head_encoder_arch(head);
    if (*arch)
        snprintf(err->message, sizeof err->message,
                 "%s: expected its encoder (%s) among --weights, got none", path, arch);
    else
        snprintf(err->message, sizeof err->message,
                 "%s: expected the encoder it was trained with (%.12s…) among --weights, got none",
                 path, pts_head_encoder_id(head));
    return PTS_ERR_FORMAT;
}

/* The head to each encoder that it goes with. */
static pts_status place_head(web_models *m, pts_head *head, const char *path, pts_error *err)
{
    bool placed = false;
    for (size_t i = 0; i < m->count; i++) {
        web_model *model = &m->items[i];
        if (!goes_with(head, model->encoder))
            continue;
        if (pts_head_dim(head) != pts_encoder_dim(model->encoder)) {
            snprintf(err->message, sizeof err->message,
                     "%s: expected a head for %zu numbers a photograph, got one for %zu", path,
                     pts_encoder_dim(model->encoder), pts_head_dim(head));
            return PTS_ERR_SHAPE;
        }
        if (!*pts_head_encoder_arch(head) && !model->head)
            model->head = head;
        if (pts_head_kind_of(head) == PTS_HEAD_STUDY && !model->study)
            model->study = head;
        placed = true;
    }
    return placed ? PTS_OK : no_encoder(head, path, err);
}

static pts_status load_encoders(web_models *m, const pts_web_options *o, pts_team *team,
                                pts_error *err)
{
    pts_status status = PTS_OK;
    for (; m->count < o->encoder_count && status == PTS_OK; m->count++) {
        status = pts_encoder_open(&m->items[m->count].encoder, o->encoders[m->count], team, err);
    }
    return status;
}

static pts_status load_heads(web_models *m, const pts_web_options *o, pts_error *err)
{
    pts_status status = PTS_OK;
    for (size_t i = 0; i < o->head_count && status == PTS_OK; i++) {
        status = pts_head_open(&m->heads[i], o->heads[i], err);
        m->head_count = i + 1;
        if (status == PTS_OK)
            status = place_head(m, m->heads[i], o->heads[i], err);
    }
    return status;
}

static pts_status load_priors(web_models *m, const pts_web_options *o, pts_error *err)
{
    for (size_t i = 0; i < o->prior_count; i++) {
        web_prior *prior = &m->priors[i];
        pts_status status = pts_prior_read(o->priors[i].path, &prior->file, err);
        if (status != PTS_OK)
            return status;
        prior->name = strdup(o->priors[i].name);
        if (!prior->name)
            break;
        m->prior_count++;
    }
    if (m->prior_count == o->prior_count)
        return PTS_OK;
    snprintf(err->message, sizeof err->message, "out of memory");
    return PTS_ERR_MEMORY;
}

static pts_status load(web_models *m, const pts_web_options *o, pts_team *team, pts_error *err)
{
    m->items = calloc(o->encoder_count + 1, sizeof *m->items);
    m->heads = calloc(o->head_count + 1, sizeof(pts_head *));
    m->priors = calloc(o->prior_count + 1, sizeof *m->priors);
    if (!m->items || !m->heads || !m->priors) {
        snprintf(err->message, sizeof err->message, "out of memory");
        return PTS_ERR_MEMORY;
    }
    pts_status status = load_encoders(m, o, team, err);
    if (status == PTS_OK)
        status = load_heads(m, o, err);
    if (status == PTS_OK)
        status = load_priors(m, o, err);
    return status;
}

pts_status pts_web_models_load(web_models **out, const pts_web_options *options, pts_team *team,
                               pts_error *err)
{
    *out = NULL;
    web_models *m = calloc(1, sizeof *m);
    if (!m) {
        snprintf(err->message, sizeof err->message, "out of memory");
        return PTS_ERR_MEMORY;
    }
    atomic_init(&m->references, 1);
    pthread_mutex_init(&m->mutex, NULL);
    pts_status status = load(m, options, team, err);
    if (status == PTS_OK)
        *out = m;
    else
        pts_web_models_release(m);
    return status;
}

void pts_web_models_release(web_models *m)
{
    if (!m || atomic_fetch_sub(&m->references, 1) > 1)
        return;
    for (size_t i = 0; i < m->head_count; i++)
        pts_head_close(m->heads[i]);
    for (size_t i = 0; i < m->count; i++)
        pts_encoder_close(m->items[i].encoder);
    for (size_t i = 0; i < m->prior_count; i++)
        free(m->priors[i].name);
    pthread_mutex_destroy(&m->mutex);
    free(m->items);
    free(m->heads);
    free(m->priors);
    free(m);
}

const web_model *pts_web_models_find(const web_models *m, const char *encoder)
{
    for (size_t i = 0; i < m->count; i++) {
        const web_model *model = &m->items[i];
        if (encoder ? strcmp(encoder, pts_encoder_arch(model->encoder)) == 0 ||
                          strcmp(encoder, pts_encoder_id(model->encoder)) == 0
                    : model->head != NULL)
            return model;
    }
    return NULL;
}

const web_model *pts_web_models_study(const web_models *m, const char *arch)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].study && strcmp(arch, pts_encoder_arch(m->items[i].encoder)) == 0)
            return &m->items[i];
    }
    return NULL;
}

const web_prior *pts_web_models_prior(const web_models *m, const char *name)
{
    for (size_t i = 0; i < m->prior_count; i++) {
        if (strcmp(name, m->priors[i].name) == 0)
            return &m->priors[i];
    }
    return NULL;
}
