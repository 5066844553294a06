/* Forward, backward and steps of the multilayer perceptron; schedules of the rate. */
#include "nn/mlp.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the two passes ---- */

/* `passed` stays 0 until all layers ran: there is no way back through a pass that failed. */
static pts_status forward(pts_mlp *mlp, const float *x, size_t rows, bool training, pts_error *err)
{
    pts_mlp_to_store(mlp);
    mlp->passed = 0;
    mlp->drawn = mlp->steps;
    for (size_t l = 0; l < mlp->layers; l++) {
        mlp_pass pass = {.mlp = mlp,
                         .layer = &mlp->layer[l],
                         .index = l,
                         .rows = rows,
                         .training = training,
                         .x = x};
        PTS_TRY(pts_mlp_layer_forward(&pass, err));
        x = mlp->layer[l].y;
    }
    mlp->passed = training ? rows : 0;
    return PTS_OK;
}

/* From the gradient by the outputs in mlp->dy[0]; without an update to mlp->whole. */
static pts_status backward(pts_mlp *mlp, const float *x, size_t rows, const mlp_update *update,
                           pts_error *err)
{
    float *dy = mlp->dy[0];
    for (size_t l = mlp->layers; l-- > mlp->first;) {
        mlp_pass pass = {.mlp = mlp,
                         .layer = &mlp->layer[l],
                         .index = l,
                         .rows = rows,
                         .training = true,
                         .x = l > 0 ? mlp->layer[l - 1].y : x,
                         .dy = dy,
                         .update = update};
        if (l > mlp->first)
            pass.dx = dy == mlp->dy[0] ? mlp->dy[1] : mlp->dy[0];
        PTS_TRY(pts_mlp_layer_backward(&pass, &dy, err));
    }
    return PTS_OK;
}

static const mlp_layer *last_layer(const pts_mlp *mlp)
{
    return &mlp->layer[mlp->layers - 1];
}

/* The mean over `count` outputs, as torch.nn.MSELoss and HuberLoss; its gradient into dy. */
static double loss_of(const float *y, const float *target, size_t count, double huber, float *dy)
{
    const double share = 1 / (double)count;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double e = (double)y[i] - (double)target[i], size = fabs(e);
        if (huber == 0) {
            sum += e * e;
            dy[i] = (float)(2 * e * share);
        } else if (size > huber) {
            sum += huber * (size - 0.5 * huber);
            dy[i] = (float)(copysign(huber, e) * share);
        } else {
            sum += 0.5 * e * e;
            dy[i] = (float)(e * share);
        }
    }
    return sum * share;
}

/* ---- what a step does to a parameter ---- */

mlp_update pts_mlp_update_of(const pts_mlp_training *t, uint64_t step)
{
    const float decay = (float)t->weight_decay;
    const pts_adam adam = {(float)t->rate, (float)t->beta1, (float)t->beta2, (float)t->epsilon,
                           t->rule == PTS_MLP_ADAMW ? decay : 0};
    return (mlp_update){.rule = t->rule,
                        .adam = pts_adam_at(&adam, step),
                        .rate = (float)t->rate,
                        .momentum = (float)t->momentum,
                        .decay = t->rule == PTS_MLP_ADAMW ? 0 : decay,
                        .scale = 1};
}

/* As torch.optim.SGD without dampening; m starts at zero. */
static void sgd_step(const mlp_update *u, size_t count, float *weight, const float *gradient,
                     float *m)
{
    for (size_t i = 0; i < count; i++) {
        m[i] = u->momentum * m[i] + gradient[i];
        weight[i] -= u->rate * m[i];
    }
}

void pts_mlp_update_range(pts_mlp *mlp, const mlp_update *u, size_t offset, size_t count,
                          float *gradient)
{
    float *weight = mlp->store + offset, *m = mlp->m + offset, *v = mlp->v + offset;
    for (size_t i = 0; i < count && u->scale != 1; i++)
        gradient[i] *= u->scale;
    for (size_t i = 0; i < count && u->decay != 0; i++)
        gradient[i] += u->decay * weight[i];
    if (u->rule == PTS_MLP_SGD)
        sgd_step(u, count, weight, gradient, m);
    else
        mlp->level->adam(&u->adam, count, weight, gradient, m, v);
}

/* A NaN lies in no range. */
static pts_status check_range(const char *name, double value, double least, double most,
                              pts_error *err)
{
    if (value >= least && value <= most)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_ARGUMENT, "training: %s: expected %g … %g, got %g", name, least,
                    most, value);
}

/* beta1 and beta2 end below 1, as Adam divides by 1 − βᵗ. */
static pts_status check_training(const pts_mlp_training *t, pts_error *err)
{
    if ((unsigned)t->rule > PTS_MLP_SGD)
        return pts_fail(err, PTS_ERR_ARGUMENT, "training: rule: expected 0 … %d, got %d",
                        PTS_MLP_SGD, (int)t->rule);
    PTS_TRY(check_range("rate", t->rate, 0, 1e6, err));
    PTS_TRY(check_range("beta1", t->beta1, 0, 0.999999, err));
    PTS_TRY(check_range("beta2", t->beta2, 0, 0.999999, err));
    PTS_TRY(check_range("epsilon", t->epsilon, 1e-30, 1, err));
    PTS_TRY(check_range("momentum", t->momentum, 0, 0.999999, err));
    PTS_TRY(check_range("weight decay", t->weight_decay, 0, 1e6, err));
    PTS_TRY(check_range("clip", t->clip, 0, 1e30, err));
    return check_range("huber", t->huber, 0, 1e30, err);
}

/* ---- a step from the whole gradient ---- */

typedef struct apply_run {
    pts_mlp *mlp;
    const mlp_update *update;
} apply_run;

/* Of biases and norms (owner −1) every process has the whole gradient and updates its copy. */
static bool is_mine(const pts_mlp *mlp, const mlp_piece *piece)
{
    return piece->owner < 0 || piece->owner == mlp->peers.rank;
}

/* By pieces, later added in order: the norm keeps its bits whatever the threads. */
static void square_piece(void *user, size_t index, int thread)
{
    const apply_run *run = user;
    mlp_piece *piece = &run->mlp->pieces[index];
    const float *gradient = run->mlp->whole + piece->at;
    (void)thread;
    if (!is_mine(run->mlp, piece))
        return;
    double sum = 0;
    for (size_t i = 0; i < piece->count; i++)
        sum += (double)gradient[i] * (double)gradient[i];
    piece->squares = sum;
}

/* From the whole gradient, as clipping must know its norm first. */
static void apply_piece(void *user, size_t index, int thread)
{
    const apply_run *run = user;
    const mlp_piece *piece = &run->mlp->pieces[index];
    (void)thread;
    if (!is_mine(run->mlp, piece))
        return;
    for (size_t i = 0; i < piece->count; i += MLP_CHUNK) {
        const size_t left = piece->count - i;
        pts_mlp_update_range(run->mlp, run->update, piece->at + i,
                             left < MLP_CHUNK ? left : MLP_CHUNK, run->mlp->whole + piece->at + i);
    }
}

/* Everyone's sums, all [processes][pieces]: of each piece its owner's. */
static pts_status exchange_squares(pts_mlp *mlp, double *all, pts_error *err)
{
    const size_t count = mlp->piece_count;
    for (size_t r = 0; r <= (size_t)mlp->peers.count; r++)
        mlp->begin[r] = r * count * sizeof *all;
    for (size_t i = 0; i < count; i++)
        all[(size_t)mlp->peers.rank * count + i] = mlp->pieces[i].squares;
    PTS_TRY(mlp->peers.gather(mlp->peers.user, all, mlp->begin, err));
    for (size_t i = 0; i < count; i++)
        if (mlp->pieces[i].owner >= 0)
            mlp->pieces[i].squares = all[(size_t)mlp->pieces[i].owner * count + i];
    return PTS_OK;
}

/* The squared norm of the gradient, piece after piece, so that its sum has one order. */
static pts_status square_all(pts_mlp *mlp, apply_run *run, double *sum, pts_error *err)
{
    pts_team_run(mlp->team, mlp->piece_count, square_piece, run);
    if (mlp->peers.count > 1) {
        const size_t count = (size_t)mlp->peers.count * mlp->piece_count;
        double *all;
        PTS_TRY(pts_new(&all, count, sizeof *all, err));
        pts_status status = exchange_squares(mlp, all, err);
        free(all);
        PTS_TRY(status);
    }
    *sum = 0;
    for (size_t i = 0; i < mlp->piece_count; i++)
        *sum += mlp->pieces[i].squares;
    return PTS_OK;
}

/* From mlp->whole. The norm is that of all parameters' gradients together, as
 * torch.nn.utils.clip_grad_norm_ has it. */
static pts_status apply(pts_mlp *mlp, const pts_mlp_training *training, pts_error *err)
{
    mlp_update update = pts_mlp_update_of(training, mlp->steps + 1);
    apply_run run = {.mlp = mlp, .update = &update};
    double sum;
    PTS_TRY(square_all(mlp, &run, &sum, err));
    if (!isfinite(sum))
        return pts_fail(err, PTS_ERR_NUMERIC, "network: step %llu: the gradient is not finite",
                        (unsigned long long)mlp->steps + 1);
    update.scale = (float)fmin(1, training->clip / (sqrt(sum) + 1e-6));
    pts_team_run(mlp->team, mlp->piece_count, apply_piece, &run);
    return PTS_OK;
}

/* Backward from mlp->dy[0], and the step. Without clipping each gradient is used where it is made,
 * and the whole of it never exists. */
static pts_status learn(pts_mlp *mlp, const float *x, size_t rows, const pts_mlp_training *training,
                        pts_error *err)
{
    const mlp_update update = pts_mlp_update_of(training, mlp->steps + 1);
    PTS_TRY(pts_mlp_hold_moments(mlp, err));
    if (training->clip > 0)
        PTS_TRY(pts_mlp_hold_whole(mlp, err));
    PTS_TRY(backward(mlp, x, rows, training->clip > 0 ? NULL : &update, err));
    if (training->clip > 0)
        PTS_TRY(apply(mlp, training, err));
    mlp->steps++;
    return pts_mlp_exchange_weights(mlp, mlp->store, err);
}

/* Backward from mlp->dy[0] to the caller's array. */
static pts_status hand_out(pts_mlp *mlp, const float *x, size_t rows, float *gradient,
                           pts_error *err)
{
    PTS_TRY(pts_mlp_hold_whole(mlp, err));
    PTS_TRY(backward(mlp, x, rows, NULL, err));
    PTS_TRY(pts_mlp_exchange_weights(mlp, mlp->whole, err));
    pts_mlp_unpack(mlp, mlp->whole, gradient);
    return PTS_OK;
}

/* ---- the calls ---- */

pts_status pts_mlp_forward(pts_mlp *mlp, const float *x, size_t rows, float *y, pts_error *err)
{
    PTS_TRY(pts_mlp_hold_rows(mlp, rows, err));
    PTS_TRY(forward(mlp, x, rows, false, err));
    memcpy(y, last_layer(mlp)->y, rows * last_layer(mlp)->out * sizeof *y);
    return PTS_OK;
}

pts_status pts_mlp_forward_training(pts_mlp *mlp, const float *x, size_t rows, float *y,
                                    pts_error *err)
{
    PTS_TRY(pts_mlp_hold_rows(mlp, rows, err));
    PTS_TRY(forward(mlp, x, rows, true, err));
    memcpy(y, last_layer(mlp)->y, rows * last_layer(mlp)->out * sizeof *y);
    return PTS_OK;
}

static pts_status forward_to_loss(pts_mlp *mlp, const float *x, const float *target, size_t rows,
                                  double huber, double *loss, pts_error *err)
{
    PTS_TRY(pts_mlp_hold_rows(mlp, rows, err));
    PTS_TRY(forward(mlp, x, rows, true, err));
    *loss = loss_of(last_layer(mlp)->y, target, rows * last_layer(mlp)->out, huber, mlp->dy[0]);
    return PTS_OK;
}

pts_status pts_mlp_gradient(pts_mlp *mlp, const float *x, const float *target, size_t rows,
                            double huber, float *gradient, double *loss, pts_error *err)
{
    PTS_TRY(check_range("huber", huber, 0, 1e30, err));
    PTS_TRY(forward_to_loss(mlp, x, target, rows, huber, loss, err));
    return hand_out(mlp, x, rows, gradient, err);
}

pts_status pts_mlp_step(pts_mlp *mlp, const float *x, const float *target, size_t rows,
                        const pts_mlp_training *training, double *loss, pts_error *err)
{
    PTS_TRY(check_training(training, err));
    PTS_TRY(forward_to_loss(mlp, x, target, rows, training->huber, loss, err));
    if (!isfinite(*loss))
        return pts_fail(err, PTS_ERR_NUMERIC,
                        "network: step %llu: the loss is not finite (rate %g)",
                        (unsigned long long)mlp->steps + 1, training->rate);
    return learn(mlp, x, rows, training, err);
}

pts_status pts_mlp_backward(pts_mlp *mlp, const float *x, const float *dy, size_t rows,
                            const pts_mlp_training *training, float *gradient, pts_error *err)
{
    const size_t count = rows * last_layer(mlp)->out;
    if (rows < 1 || rows != mlp->passed)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "network: backward: expected the %zu rows of the forward pass, got %zu",
                        mlp->passed, rows);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(dy[i]))
            return pts_fail(err, PTS_ERR_NUMERIC, "network: backward: gradient %zu is not finite",
                            i);
    memcpy(mlp->dy[0], dy, count * sizeof *dy);
    if (!training)
        return hand_out(mlp, x, rows, gradient, err);
    PTS_TRY(check_training(training, err));
    return learn(mlp, x, rows, training, err);
}

/* ---- the rate ---- */

double pts_mlp_rate(const pts_mlp_schedule *s, uint64_t steps)
{
    const uint64_t period = s->period ? s->period : 1, drops = steps / period;
    const double done = steps < period ? (double)steps / (double)period : 1;
    switch (s->kind) {
    case PTS_MLP_COSINE:
        return s->least + 0.5 * (s->rate - s->least) * (1 + cos(3.14159265358979323846 * done));
    case PTS_MLP_STEPS:
        return s->rate * pow(s->factor, (double)drops);
    default:
        return s->rate;
    }
}
