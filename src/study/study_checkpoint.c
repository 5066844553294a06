/* Training's checkpoint: one .ptsw, replaced whole. */
#include "study/study.h"

#include "base/error.h"
#include "base/memory.h"
#include "pts/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A history row as floats, those of a csv: loss, validation, rate, seconds, best. */
enum { COLUMNS = 5 };

/* As tensors are float, so are these: a log taken up is that of one run. */
static void pack_history(const study_progress *p, float *rows)
{
    for (size_t e = 0; e < p->epoch; e++, rows += COLUMNS) {
        const pts_study_epoch *h = &p->history[e];
        const double values[COLUMNS] = {h->loss, h->validation, h->rate, h->seconds, h->best};
        for (size_t i = 0; i < COLUMNS; i++)
            rows[i] = (float)values[i];
    }
}

static void unpack_history(const float *rows, study_progress *p)
{
    for (size_t e = 0; e < p->epoch; e++, rows += COLUMNS)
        p->history[e] = (pts_study_epoch){.epoch = e + 1,
                                          .loss = (double)rows[0],
                                          .validation = (double)rows[1],
                                          .rate = (double)rows[2],
                                          .seconds = (double)rows[3],
                                          .best = rows[4] > 0};
}

static pts_tensor tensor_of(const char *name, const float *data, size_t rows, size_t columns)
{
    return (pts_tensor){.name = name,
                        .dtype = PTS_F32,
                        .rank = 2,
                        .shape = {rows, columns, 1, 1},
                        .data = data,
                        .bytes = rows * columns * sizeof *data};
}

/* `least` in hexadecimal keeps its bits: a resumed run judges epochs as an unbroken one. */
static pts_status write_with(const char *path, const char *made_of, pts_mlp *mlp,
                             const study_progress *p, const float *moments, const float *history,
                             pts_error *err)
{
    size_t parameters = pts_mlp_parameter_count(mlp);
    char steps[32], epoch[32], best[32], least[40];
    snprintf(steps, sizeof steps, "%llu", (unsigned long long)pts_mlp_steps(mlp));
    snprintf(epoch, sizeof epoch, "%zu", p->epoch);
    snprintf(best, sizeof best, "%zu", p->best_epoch);
    snprintf(least, sizeof least, "%a", p->least);
    const pts_meta meta[] = {{"arch", "training"}, {"made_of", made_of}, {"steps", steps},
                             {"epoch", epoch},     {"best_epoch", best}, {"least", least}};
    const pts_tensor tensors[] = {
        tensor_of("parameters", pts_mlp_parameters(mlp), 1, parameters),
        tensor_of("moments", moments, 2, parameters),
        tensor_of("history", history, p->epoch, COLUMNS),
        tensor_of("best", p->best, 1, parameters),
    };
    /* The parameters are the best ones already: 100 MB less. */
    size_t count = sizeof tensors / sizeof *tensors - (p->best_epoch == p->epoch);
    return pts_weights_write(path, meta, sizeof meta / sizeof *meta, tensors, count, err);
}

pts_status pts_study_checkpoint_write(const char *path, const char *made_of, pts_mlp *mlp,
                                      const study_progress *p, pts_error *err)
{
    size_t parameters = pts_mlp_parameter_count(mlp);
    float *moments;
    PTS_TRY(pts_new(&moments, 2 * parameters + p->epoch * COLUMNS, sizeof *moments, err));
    float *history = moments + 2 * parameters;
    pts_status status = pts_mlp_get_moments(mlp, moments, err);
    if (status == PTS_OK && path) {
        pack_history(p, history);
        status = write_with(path, made_of, mlp, p, moments, history, err);
    }
    free(moments);
    return status;
}

/* ---- reading ---- */

/* Bounded: the history is unpacked into room for so many epochs. */
static pts_status read_count(const pts_weights *w, const char *key, unsigned long long least,
                             unsigned long long most, unsigned long long *out, pts_error *err)
{
    const char *text = pts_weights_meta(w, key);
    char *end = "";
    *out = text && *text ? strtoull(text, &end, 10) : 0;
    if (text && *text && !*end && *out >= least && *out <= most)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_FORMAT, "%s: %s: expected %llu … %llu, got '%s'",
                    pts_weights_path(w), key, least, most, text ? text : "");
}

/* Another training's tensors may have the same shapes: only made_of tells. */
static pts_status check_identity(const pts_weights *w, const char *made_of, pts_error *err)
{
    const char *path = pts_weights_path(w), *arch = pts_weights_meta(w, "arch");
    const char *other = pts_weights_meta(w, "made_of");
    if (!arch || strcmp(arch, "training") != 0)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a checkpoint, got architecture '%s'",
                        path, arch ? arch : "");
    if (!other || strcmp(other, made_of) != 0)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "%s: expected a checkpoint of the same training (%s), got %s", path,
                        made_of, other ? other : "none");
    return PTS_OK;
}

/* A NaN among the moments would show only steps later. */
static pts_status take(const pts_weights *w, const char *name, size_t rows, size_t columns,
                       const float **out, pts_error *err)
{
    const size_t shape[2] = {rows, columns};
    const pts_tensor *tensor;
    PTS_TRY(pts_weights_require(w, name, 2, shape, &tensor, err));
    *out = tensor->data;
    for (size_t i = 0; i < rows * columns; i++)
        if (!isfinite((*out)[i]))
            return pts_fail(err, PTS_ERR_NUMERIC, "%s: %s[%zu] is not finite", pts_weights_path(w),
                            name, i);
    return PTS_OK;
}

/* The network is not touched before all tensors are found sound. */
static pts_status read_tensors(const pts_weights *w, pts_mlp *mlp, study_progress *p,
                               pts_error *err)
{
    size_t parameters = pts_mlp_parameter_count(mlp), bytes = parameters * sizeof *p->best;
    const float *values, *moments, *best, *history;
    PTS_TRY(take(w, "parameters", 1, parameters, &values, err));
    PTS_TRY(take(w, "moments", 2, parameters, &moments, err));
    PTS_TRY(take(w, "history", p->epoch, COLUMNS, &history, err));
    best = values;
    if (p->best_epoch != p->epoch)
        PTS_TRY(take(w, "best", 1, parameters, &best, err));
    PTS_TRY(pts_mlp_set_moments(mlp, moments, err));
    memcpy(pts_mlp_parameters(mlp), values, bytes);
    memcpy(p->best, best, bytes);
    unpack_history(history, p);
    return PTS_OK;
}

/* Identity first: of another training the counts mean nothing. */
static pts_status read_all(const pts_weights *w, const char *made_of, pts_mlp *mlp,
                           study_progress *p, size_t epochs, pts_error *err)
{
    unsigned long long steps, epoch, best;
    PTS_TRY(check_identity(w, made_of, err));
    PTS_TRY(read_count(w, "epoch", 1, epochs, &epoch, err));
    PTS_TRY(read_count(w, "best_epoch", 1, epoch, &best, err));
    PTS_TRY(read_count(w, "steps", epoch, (unsigned long long)1 << 62, &steps, err));
    const char *least = pts_weights_meta(w, "least");
    p->epoch = epoch;
    p->best_epoch = best;
    p->least = least ? strtod(least, NULL) : NAN;
    if (!isfinite(p->least))
        return pts_fail(err, PTS_ERR_FORMAT, "%s: least: expected a number, got '%s'",
                        pts_weights_path(w), least ? least : "");
    PTS_TRY(read_tensors(w, mlp, p, err));
    pts_mlp_set_steps(mlp, steps);
    return PTS_OK;
}

pts_status pts_study_checkpoint_read(const char *path, const char *made_of, pts_mlp *mlp,
                                     study_progress *p, size_t epochs, pts_error *err)
{
    pts_weights *weights;
    PTS_TRY(pts_weights_open(&weights, path, err));
    pts_status status = read_all(weights, made_of, mlp, p, epochs, err);
    pts_weights_close(weights);
    return status;
}
