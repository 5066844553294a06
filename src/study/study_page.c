/* The study's page: two encoders embed the same four photographs through preset ptssp, two heads
 * make four numbers each; A and B are taken from the InceptionV3 head, C and D from the CLIP head.
 * There is no spread and so no interval. */
#include "base/error.h"
#include "base/memory.h"
#include "forecast/models.h"
#include "pts/study.h"

#include <stdlib.h>
#include <string.h>

static const char *const archs[2] = {"inception_v3", "clip_vit"};

/* By architecture: it decides which of the numbers a head answers for. */
static const pts_model *find_pair(const pts_models *models, const char *arch)
{
    size_t count;
    const pts_model *list = pts_models_list(models, &count);
    for (size_t i = 0; i < count; i++)
        if (list[i].study && strcmp(pts_encoder_arch(list[i].encoder), arch) == 0)
            return &list[i];
    return NULL;
}

bool pts_study_has_page(const pts_models *models)
{
    return find_pair(models, archs[0]) && find_pair(models, archs[1]);
}

/* A head answers one thread at a time; encoding needs no lock. */
static pts_status ask_pair(pts_models *models, const pts_model *pair, const pts_given *given,
                           double out[4], pts_error *err)
{
    float *embeddings;
    PTS_TRY(pts_new(&embeddings, PTS_PHOTOGRAPHS * pts_encoder_dim(pair->encoder),
                    sizeof *embeddings, err));
    pts_status status = pts_given_embed(given, pair, "ptssp", embeddings, err);
    pthread_mutex_lock(&models->asking);
    if (status == PTS_OK)
        status = pts_head_study(pair->study, embeddings, out, err);
    pthread_mutex_unlock(&models->asking);
    free(embeddings);
    return status;
}

pts_study_answer pts_study_answer_find(const double inception[4], const double clip[4],
                                       double target)
{
    pts_study_answer a = {.target = target, .status = PTS_SIZE_UNREACHABLE};
    a.curve = (pts_curve){inception[0], inception[1], clip[2], clip[3]};
    pts_curve canonical = a.curve;
    a.is_curve = pts_curve_canonical(&canonical, NULL) == PTS_OK;
    if (a.is_curve)
        a.status = pts_curve_size(&canonical, target, &a.n);
    return a;
}

pts_status pts_study_forecast(pts_models *models, const pts_given *given, pts_study_answer *out,
                              const char **field, pts_error *err)
{
    double numbers[2][4];
    for (int i = 0; i < 2; i++) {
        const pts_model *pair = find_pair(models, archs[i]);
        *field = "mode";
        if (!pair)
            return pts_fail(err, PTS_ERR_ARGUMENT, "ptssp needs %s with a head of the study's",
                            archs[i]);
        *field = "images";
        PTS_TRY(ask_pair(models, pair, given, numbers[i], err));
    }
    *field = NULL;
    *out = pts_study_answer_find(numbers[0], numbers[1], given->question.target);
    return PTS_OK;
}
