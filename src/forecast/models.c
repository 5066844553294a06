/* Models in memory: which head goes with which encoder. */
#include "forecast/models.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static pts_status no_encoder(const pts_head *head, const char *path, pts_error *err)
{
    const char *arch = pts_head_encoder_arch(head);
    if (*arch)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: expected its encoder (%s) among the encoders, got none", path, arch);
    return pts_fail(err, PTS_ERR_FORMAT,
                    "%s: expected the encoder it was trained with (%.12s…) among the encoders, got "
                    "none",
                    path, pts_head_encoder_id(head));
}

/* The first head of its kind stays. */
static void take_head(pts_model *model, pts_head *head, const char *path)
{
    if (!*pts_head_encoder_arch(head) && !model->head) {
        model->head = head;
        model->head_path = path;
    }
    if (pts_head_kind_of(head) == PTS_HEAD_STUDY && !model->study) {
        model->study = head;
        model->head_path = model->head_path ? model->head_path : path;
    }
}

/* Of several encoders a head goes with some; of a single one it must, and the reason why it does
 * not says more than that none was found. */
static pts_status place_head(pts_models *m, const pts_model_files *files, pts_head *head,
                             const char *path, pts_error *err)
{
    bool placed = files->encoder_count == 0;
    if (placed)
        take_head(&m->items[m->count++], head, path);
    for (size_t i = 0; i < files->encoder_count; i++) {
        const pts_encoder *encoder = m->items[i].encoder;
        if (pts_head_goes_with(head, encoder) || files->encoder_count == 1) {
            PTS_TRY(pts_head_check_encoder(head, path, encoder, files->encoders[i], err));
            take_head(&m->items[i], head, path);
            placed = true;
        }
    }
    return placed ? PTS_OK : no_encoder(head, path, err);
}

static pts_status load_encoders(pts_models *m, const pts_model_files *files, pts_team *team,
                                pts_error *err)
{
    for (size_t i = 0; i < files->encoder_count; i++, m->count++)
        PTS_TRY(pts_encoder_open(&m->items[i].encoder, files->encoders[i], team, err));
    return PTS_OK;
}

static pts_status load_heads(pts_models *m, const pts_model_files *files, pts_error *err)
{
    for (size_t i = 0; i < files->head_count; i++) {
        PTS_TRY(pts_head_open(&m->heads[i], files->heads[i], err));
        m->head_count = i + 1;
        m->paths[i] = strdup(files->heads[i]);
        if (!m->paths[i])
            return pts_fail_memory(err, strlen(files->heads[i]) + 1);
        PTS_TRY(place_head(m, files, m->heads[i], m->paths[i], err));
    }
    return PTS_OK;
}

static pts_status load_priors(pts_models *m, const pts_model_files *files, pts_error *err)
{
    for (size_t i = 0; i < files->prior_count; i++, m->prior_count++) {
        PTS_TRY(pts_prior_read(files->priors[i].path, &m->priors[i].file, err));
        m->priors[i].name = strdup(files->priors[i].name);
        if (!m->priors[i].name)
            return pts_fail_memory(err, strlen(files->priors[i].name) + 1);
    }
    return PTS_OK;
}

static pts_status load(pts_models *m, const pts_model_files *files, pts_team *team, pts_error *err)
{
    size_t models = files->encoder_count ? files->encoder_count : files->head_count;
    PTS_TRY(pts_new(&m->items, models, sizeof *m->items, err));
    PTS_TRY(pts_new(&m->heads, files->head_count, sizeof *m->heads, err));
    PTS_TRY(pts_new(&m->paths, files->head_count, sizeof *m->paths, err));
    PTS_TRY(pts_new(&m->priors, files->prior_count, sizeof *m->priors, err));
    PTS_TRY(load_encoders(m, files, team, err));
    PTS_TRY(load_heads(m, files, err));
    return load_priors(m, files, err);
}

pts_status pts_models_load(pts_models **out, const pts_model_files *files, pts_team *team,
                           pts_error *err)
{
    *out = NULL;
    pts_models *m;
    PTS_TRY(pts_new(&m, 1, sizeof *m, err));
    atomic_init(&m->shares, 1);
    pthread_mutex_init(&m->asking, NULL);
    pts_status status = load(m, files, team, err);
    if (status == PTS_OK)
        *out = m;
    else
        pts_models_release(m);
    return status;
}

pts_models *pts_models_share(pts_models *m)
{
    atomic_fetch_add(&m->shares, 1);
    return m;
}

void pts_models_release(pts_models *m)
{
    if (!m || atomic_fetch_sub(&m->shares, 1) > 1)
        return;
    for (size_t i = 0; i < m->head_count; i++) {
        pts_head_close(m->heads[i]);
        free(m->paths[i]);
    }
    for (size_t i = 0; i < m->count; i++)
        pts_encoder_close(m->items[i].encoder);
    for (size_t i = 0; i < m->prior_count; i++)
        free((char *)(uintptr_t)m->priors[i].name);
    pthread_mutex_destroy(&m->asking);
    free(m->items);
    free(m->heads);
    free(m->paths);
    free(m->priors);
    free(m);
}

const pts_model *pts_models_list(const pts_models *m, size_t *count)
{
    *count = m->count;
    return m->items;
}

const pts_named_prior *pts_models_priors(const pts_models *m, size_t *count)
{
    *count = m->prior_count;
    return m->priors;
}

static bool is_called(const pts_encoder *encoder, const char *name)
{
    return encoder && (strcmp(name, pts_encoder_arch(encoder)) == 0 ||
                       strcmp(name, pts_encoder_id(encoder)) == 0);
}

const pts_model *pts_models_find(const pts_models *m, const char *encoder)
{
    for (size_t i = 0; i < m->count; i++)
        if (encoder ? is_called(m->items[i].encoder, encoder) : m->items[i].head != NULL)
            return &m->items[i];
    return NULL;
}
