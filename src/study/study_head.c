/* Kind study of a head: its network in the file, its answer, its training. */
#include "study/study.h"

#include "base/error.h"
#include "learn/head_train.h"

#include <stdio.h>

static const char *const names[STUDY_LAYERS][2] = {{"fc1.weight", "fc1.bias"},
                                                   {"fc2.weight", "fc2.bias"},
                                                   {"fc3.weight", "fc3.bias"},
                                                   {"fc4.weight", "fc4.bias"},
                                                   {"fc5.weight", "fc5.bias"}};

static void list_network(void *own, head_tensors *list)
{
    pts_mlp *mlp = own;
    for (size_t l = 0; l < STUDY_LAYERS; l++) {
        const size_t in = pts_mlp_size(mlp, l), out = pts_mlp_size(mlp, l + 1);
        pts_head_list(list, names[l][0], pts_mlp_weight(mlp, l), in, out);
        pts_head_list(list, names[l][1], pts_mlp_bias(mlp, l), out, 0);
    }
}

/* *own is set before a tensor can fail, so that closing the head frees it. */
static pts_status read_network(void **own, size_t dim, const pts_weights *w, pts_error *err)
{
    pts_mlp *mlp;
    PTS_TRY(pts_study_network(&mlp, dim, 0, NULL, err));
    *own = mlp;
    for (size_t l = 0; l < STUDY_LAYERS; l++) {
        const size_t in = pts_mlp_size(mlp, l), out = pts_mlp_size(mlp, l + 1);
        PTS_TRY(pts_head_take(w, names[l][0], in, out, pts_mlp_weight(mlp, l), err));
        PTS_TRY(pts_head_take(w, names[l][1], out, 0, pts_mlp_bias(mlp, l), err));
    }
    return PTS_OK;
}

static void close_network(void *own)
{
    pts_mlp_destroy(own);
}

/* The numbers as the study's page takes them, and θ, whose logarithms need B and C above zero. */
static pts_status answer(void *own, const float *embeddings, double numbers[4], double theta[4],
                         pts_error *err)
{
    float y[4];
    PTS_TRY(pts_mlp_forward(own, embeddings, 1, y, err));
    for (size_t i = 0; i < 4; i++)
        numbers[i] = (double)y[i] - STUDY_SHIFT;
    pts_study_theta(y, theta);
    return PTS_OK;
}

const head_part pts_head_study_part = {
    .read = read_network, .list = list_network, .free = close_network, .study = answer};

/* ---- training ---- */

/* The summary says what its figures are of: the curves were known, the photographs were not. */
static pts_status train(pts_head *head, const pts_tasks *tasks, const pts_study_options *options,
                        pts_team *team, pts_progress progress, void *user, pts_error *err)
{
    pts_study_report r;
    pts_mlp *mlp;
    PTS_TRY(pts_study_run(&mlp, &r, tasks, options, team, progress, user, err));
    head->study = (head_use){&pts_head_study_part, mlp};
    snprintf(head->summary, sizeof head->summary,
             "study head: %zu classes, best epoch %zu of %zu, %zu samples each, batch %zu; on the "
             "same curves' other photographs SMAPE of A, B, C, D + 10: %.2f, %.2f, %.2f, %.2f %%, "
             "curve MAE %.4f (mean curve %.4f)",
             r.tasks, r.best_epoch, r.epochs, r.samples_train, options->batch, r.smape[0],
             r.smape[1], r.smape[2], r.smape[3], r.mae, r.mae_mean_curve);
    return PTS_OK;
}

pts_status pts_study_head_train(pts_head **out, const pts_tasks *tasks,
                                const pts_study_options *options, pts_team *team,
                                pts_progress progress, void *user, pts_error *err)
{
    const head_origin origin = {PTS_HEAD_STUDY, options->seed, options->trainer, options->config};
    *out = NULL;
    sweep s;
    PTS_TRY(pts_sweep_run(&s, tasks, options->seed, team, progress, user, err));
    pts_head *head;
    pts_status status = pts_head_begin(&head, tasks, &origin, err);
    if (status == PTS_OK)
        status = train(head, tasks, options, team, progress, user, err);
    if (status == PTS_OK)
        status = pts_head_take_spread(head, &s, 0, err);
    pts_sweep_free(&s);
    if (status == PTS_OK)
        *out = head;
    else
        pts_head_close(head);
    return status;
}
