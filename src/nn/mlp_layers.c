/* The kinds of layers, as one table of forward/backward pairs. Each phase of a layer is cut along
 * one axis into parts whose size does not depend on the number of threads, so neither does any bit
 * of the result. */
#include "nn/mlp.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

enum {
    TILE_ROWS = 8,
    TILE_PACK = 64, /* a multiple of every panel, a divisor of a packed block's depth */
    TILE_GAINS = 64
};

typedef enum axis { OVER_ROWS, OVER_INPUTS, OVER_OUTPUTS } axis;

typedef struct phase {
    axis over;
    size_t tile; /* 0: a block of the packed weight */
    /* Elements [first, first + count) of the axis; slab: the thread's own. NULL: nothing to do. */
    void (*run)(const mlp_pass *p, size_t first, size_t count, float *slab);
    bool shared; /* each process does some of the tiles; else, as it is cheap, all of them */
} phase;

typedef struct kind {
    const char *name;
    phase copy;     /* of x, for forward */
    phase forward;  /* layer->y from x */
    phase pack;     /* of dy, for the next two */
    phase backward; /* dx from dy, with the parameters as they were */
    phase gradient; /* of the parameters, and their update … */
    phase bias;     /* … and of those that lie outside the packed weight */
    bool in_place;  /* backward turns dy into dx */
} kind;

void pts_mlp_use_gradient(const mlp_pass *p, size_t offset, size_t count, float *gradient)
{
    if (p->update)
        pts_mlp_update_range(p->mlp, p->update, offset, count, gradient);
    else
        memcpy(p->mlp->whole + offset, gradient, count * sizeof *gradient);
}

/* ---- layers without parameters: `first` and `count` are rows ---- */

/* Not in place: the layer below may need its own output to go back. */
static void relu_forward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t at = first * p->layer->out, values = count * p->layer->out;
    (void)slab;
    memcpy(p->layer->y + at, p->x + at, values * sizeof *p->x);
    pts_relu_forward(p->layer->y + at, values);
}

static void relu_backward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t at = first * p->layer->out;
    (void)slab;
    pts_relu_backward(p->layer->y + at, p->dy + at, count * p->layer->out);
}

static void gelu_forward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t at = first * p->layer->out;
    (void)slab;
    pts_gelu_forward(p->x + at, count * p->layer->out, p->layer->y + at);
}

static void gelu_backward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t at = first * p->layer->out;
    (void)slab;
    pts_gelu_backward(p->x + at, p->layer->y + at, p->dy + at, count * p->layer->out);
}

static void tanh_forward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t at = first * p->layer->out;
    (void)slab;
    pts_tanh_forward(p->x + at, count * p->layer->out, p->layer->y + at);
}

static void tanh_backward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t at = first * p->layer->out;
    (void)slab;
    pts_tanh_backward(p->layer->y + at, p->dy + at, count * p->layer->out);
}

/* What is dropped follows seed, step and layer alone, so that forward and backward agree, and a
 * run that is taken up again goes on as it would have. */
static void drop(const mlp_pass *p, size_t first, size_t count, float *values)
{
    const uint64_t draw = p->mlp->drawn * PTS_MLP_LAYERS_MAX + p->index;
    pts_dropout(pts_rng_stream(p->mlp->seed, draw).state, first * p->layer->out,
                count * p->layer->out, p->layer->value, values + first * p->layer->out);
}

/* What stays is scaled while others drop, so that outside of training nothing is left to do. */
static void dropout_forward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t at = first * p->layer->out;
    (void)slab;
    memcpy(p->layer->y + at, p->x + at, count * p->layer->out * sizeof *p->x);
    if (p->training)
        drop(p, first, count, p->layer->y);
}

/* The same draws again, by their numbers, instead of a mask kept. */
static void dropout_backward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    (void)slab;
    drop(p, first, count, p->dy);
}

/* ---- layer norm ---- */

static void norm_forward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    const pts_layer_norm shape = {count, layer->out, layer->value};
    const size_t at = first * layer->out;
    (void)slab;
    const float *store = p->mlp->store;
    pts_layer_norm_forward(&shape, p->x + at, store + layer->at, store + layer->bias_at,
                           layer->y + at, layer->moments + 2 * first);
}

static void norm_backward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    const pts_layer_norm shape = {count, layer->out, layer->value};
    const size_t at = first * layer->out;
    (void)slab;
    pts_layer_norm_backward(&shape, p->x + at, p->mlp->store + layer->at,
                            layer->moments + 2 * first, p->dy + at, p->dx + at);
}

/* By columns: a part then owns its parameters and may update them at once. */
static void norm_gradient(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    const pts_layer_norm shape = {p->rows, layer->out, layer->value};
    memset(slab, 0, 2 * count * sizeof *slab);
    pts_layer_norm_gradient(&shape, p->x, layer->moments, p->dy, first, count, slab, slab + count);
    pts_mlp_use_gradient(p, layer->at + first, count, slab);
    pts_mlp_use_gradient(p, layer->bias_at + first, count, slab + count);
}

/* ---- the table ---- */

/* clang-format off */
static const kind kinds[PTS_MLP_KINDS] = {
    [PTS_MLP_LINEAR] = {.name = "linear",
                        .copy = {OVER_ROWS, TILE_ROWS, pts_mlp_linear_copy},
                        .forward = {OVER_OUTPUTS, MLP_TILE_OUT, pts_mlp_linear_forward, true},
                        .pack = {OVER_OUTPUTS, TILE_PACK, pts_mlp_linear_pack},
                        .backward = {OVER_INPUTS, MLP_TILE_BACK, pts_mlp_linear_backward, true},
                        .gradient = {OVER_INPUTS, 0, pts_mlp_linear_gradient, true},
                        .bias = {OVER_OUTPUTS, MLP_TILE_OUT, pts_mlp_linear_bias}},
    [PTS_MLP_RELU] = {.name = "relu",
                      .forward = {OVER_ROWS, TILE_ROWS, relu_forward},
                      .backward = {OVER_ROWS, TILE_ROWS, relu_backward},
                      .in_place = true},
    [PTS_MLP_GELU] = {.name = "gelu",
                      .forward = {OVER_ROWS, TILE_ROWS, gelu_forward},
                      .backward = {OVER_ROWS, TILE_ROWS, gelu_backward},
                      .in_place = true},
    [PTS_MLP_TANH] = {.name = "tanh",
                      .forward = {OVER_ROWS, TILE_ROWS, tanh_forward},
                      .backward = {OVER_ROWS, TILE_ROWS, tanh_backward},
                      .in_place = true},
    [PTS_MLP_DROPOUT] = {.name = "dropout",
                         .forward = {OVER_ROWS, TILE_ROWS, dropout_forward},
                         .backward = {OVER_ROWS, TILE_ROWS, dropout_backward},
                         .in_place = true},
    [PTS_MLP_LAYER_NORM] = {.name = "layer norm",
                            .forward = {OVER_ROWS, TILE_ROWS, norm_forward},
                            .backward = {OVER_ROWS, TILE_ROWS, norm_backward},
                            .gradient = {OVER_OUTPUTS, TILE_GAINS, norm_gradient}},
};
/* clang-format on */

pts_status pts_mlp_check_layer(const pts_mlp_layer *layer, size_t index, pts_error *err)
{
    if ((unsigned)layer->kind >= PTS_MLP_KINDS)
        return pts_fail(err, PTS_ERR_ARGUMENT, "network: layer %zu: expected kind 0 … %d, got %d",
                        index, PTS_MLP_KINDS - 1, (int)layer->kind);
    const char *name = kinds[layer->kind].name;
    const double value = layer->value;
    if (layer->kind == PTS_MLP_LINEAR && (layer->outputs < 1 || layer->outputs > MLP_SIZE_MAX))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "network: layer %zu, %s: expected 1 … %d outputs, got %zu", index, name,
                        MLP_SIZE_MAX, layer->outputs);
    if (layer->kind == PTS_MLP_DROPOUT && !(value >= 0 && value <= 0.999))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "network: layer %zu, %s: expected a share of 0 … 0.999, got %g", index,
                        name, value);
    if (layer->kind == PTS_MLP_LAYER_NORM && !(value >= 1e-12 && value <= 1))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "network: layer %zu, %s: expected an epsilon of 1e-12 … 1, got %g", index,
                        name, value);
    return PTS_OK;
}

size_t pts_mlp_layer_parameters(const mlp_layer *layer)
{
    switch (layer->kind) {
    case PTS_MLP_LINEAR:
        return (layer->in + 1) * layer->out;
    case PTS_MLP_LAYER_NORM:
        return 2 * layer->out;
    default:
        return 0;
    }
}

size_t pts_mlp_layer_slab(const pts_mlp *mlp, const mlp_layer *layer, size_t rows)
{
    return layer->kind == PTS_MLP_LINEAR ? pts_mlp_linear_slab(mlp, layer, rows) : 2 * TILE_GAINS;
}

/* ---- running ---- */

typedef struct phase_run {
    const mlp_pass *pass;
    const phase *phase;
    size_t size, tile, first; /* the first tile that is done here */
} phase_run;

static void run_part(void *user, size_t task, int thread)
{
    const phase_run *run = user;
    const size_t tile = run->tile, first = (run->first + task) * tile, left = run->size - first;
    const pts_mlp *mlp = run->pass->mlp;
    run->phase->run(run->pass, first, left < tile ? left : tile,
                    mlp->slabs + (size_t)thread * mlp->slab);
}

/* Shares of processes are whole tiles, whose size neither threads nor processes change. */
static void run_phase(const mlp_pass *pass, const phase *how)
{
    if (!how->run)
        return;
    const size_t sizes[] = {[OVER_ROWS] = pass->rows,
                            [OVER_INPUTS] = pass->layer->in,
                            [OVER_OUTPUTS] = pass->layer->out};
    const pts_mlp *mlp = pass->mlp;
    phase_run run = {pass, how, sizes[how->over], how->tile, 0};
    if (!run.tile)
        run.tile = pts_product_block(run.size, mlp->level->block);
    const size_t tiles = (run.size + run.tile - 1) / run.tile;
    size_t end = tiles;
    if (how->shared && pass->training) {
        run.first = pts_mlp_first_tile(mlp, tiles, mlp->peers.rank);
        end = pts_mlp_first_tile(mlp, tiles, mlp->peers.rank + 1);
    }
    pts_team_run(mlp->team, end - run.first, run_part, &run);
}

pts_status pts_mlp_layer_forward(mlp_pass *pass, pts_error *err)
{
    const kind *k = &kinds[pass->layer->kind];
    run_phase(pass, &k->copy);
    run_phase(pass, &k->forward);
    if (!k->forward.shared || !pass->training)
        return PTS_OK;
    return pts_mlp_exchange_columns(pass->mlp, pass->layer->y, pass->rows, pass->layer->out,
                                    k->forward.tile, err);
}

pts_status pts_mlp_layer_backward(mlp_pass *pass, float **dx, pts_error *err)
{
    const kind *k = &kinds[pass->layer->kind];
    run_phase(pass, &k->pack);
    if (pass->dx)
        run_phase(pass, &k->backward);
    if (pass->dx && k->backward.shared)
        PTS_TRY(pts_mlp_exchange_columns(pass->mlp, pass->dx, pass->rows, pass->layer->in,
                                         k->backward.tile, err));
    run_phase(pass, &k->gradient);
    run_phase(pass, &k->bias);
    *dx = k->in_place ? pass->dy : pass->dx;
    return PTS_OK;
}
