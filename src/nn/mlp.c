/* The multilayer perceptron: its description, its memory, what the caller may reach. */
#include "nn/mlp.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* ---- building ---- */

/* The sum is checked at the end: 64 layers of the largest size cannot overflow it. */
static pts_status place_layers(pts_mlp *mlp, size_t inputs, const pts_mlp_layer *layers,
                               pts_error *err)
{
    mlp->first = mlp->layers;
    for (size_t l = 0; l < mlp->layers; l++) {
        PTS_TRY(pts_mlp_check_layer(&layers[l], l, err));
        mlp_layer *layer = &mlp->layer[l];
        *layer = (mlp_layer){layers[l].kind, .in = inputs, .value = (float)layers[l].value};
        layer->out = inputs = layer->kind == PTS_MLP_LINEAR ? layers[l].outputs : inputs;
        layer->parameters = pts_mlp_layer_parameters(layer);
        mlp->parameters += layer->parameters; /* at most 64·2^41 */
        if (layer->parameters && mlp->first == mlp->layers)
            mlp->first = l;
        if (layer->out > mlp->widest)
            mlp->widest = layer->out;
        mlp->stored = pts_mlp_place(mlp->level, layer, mlp->stored);
    }
    if (mlp->parameters > PTS_MLP_PARAMETERS_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "network: expected at most %zu parameters, got %zu",
                        (size_t)PTS_MLP_PARAMETERS_MAX, mlp->parameters);
    return PTS_OK;
}

/* Run twice, as every layout of an arena: to measure and to carve. */
static void take_fixed(pts_mlp *mlp)
{
    mlp->plain = pts_arena_take(&mlp->fixed, mlp->parameters, sizeof *mlp->plain);
    mlp->store = pts_arena_take(&mlp->fixed, mlp->stored, sizeof *mlp->store);
}

/* Padding of the store is zeroed once; nothing writes to it later. */
static void start_weights(pts_mlp *mlp)
{
    pts_rng rng = {mlp->seed};
    float *at = mlp->plain;
    memset(at, 0, mlp->parameters * sizeof *at);
    memset(mlp->store, 0, mlp->stored * sizeof *mlp->store);
    for (size_t l = 0; l < mlp->layers; at += mlp->layer[l++].parameters) {
        mlp_layer *layer = &mlp->layer[l];
        if (!layer->parameters)
            continue;
        layer->weight = at;
        layer->bias = at + layer->parameters - layer->out;
        if (layer->kind == PTS_MLP_LINEAR)
            pts_he_init(&rng, layer->weight, layer->in * layer->out, layer->in);
        for (size_t i = 0; i < layer->out && layer->kind == PTS_MLP_LAYER_NORM; i++)
            layer->weight[i] = 1;
    }
}

/* Taken twice: the arena first counts, then carves. */
static pts_status build(pts_mlp *mlp, size_t inputs, const pts_mlp_layer *layers, pts_error *err)
{
    PTS_TRY(place_layers(mlp, inputs, layers, err));
    take_fixed(mlp);
    PTS_TRY(pts_arena_commit(&mlp->fixed, err));
    take_fixed(mlp);
    start_weights(mlp);
    return PTS_OK;
}

pts_status pts_mlp_build(pts_mlp **out, size_t inputs, const pts_mlp_layer *layers, size_t count,
                         uint64_t seed, pts_team *team, pts_error *err)
{
    *out = NULL;
    if (count < 1 || count > PTS_MLP_LAYERS_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "network: expected 1 … %d layers, got %zu",
                        PTS_MLP_LAYERS_MAX, count);
    if (inputs < 1 || inputs > MLP_SIZE_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "network: expected 1 … %d inputs, got %zu",
                        MLP_SIZE_MAX, inputs);
    pts_mlp *mlp;
    PTS_TRY(pts_new(&mlp, 1, sizeof *mlp, err));
    mlp->layers = count;
    mlp->team = team;
    mlp->level = pts_level_current();
    mlp->seed = seed;
    mlp->peers.count = 1;
    pts_status status = build(mlp, inputs, layers, err);
    if (status == PTS_OK)
        *out = mlp;
    else
        pts_mlp_destroy(mlp);
    return status;
}

pts_status pts_mlp_create(pts_mlp **out, const size_t *sizes, size_t layers, uint64_t seed,
                          pts_team *team, pts_error *err)
{
    pts_mlp_layer list[PTS_MLP_LAYERS_MAX] = {{PTS_MLP_LINEAR, 0, 0}};
    *out = NULL;
    if (layers < 1 || layers > PTS_MLP_LAYERS_MAX / 2)
        return pts_fail(err, PTS_ERR_ARGUMENT, "network: expected 1 … %d linear layers, got %zu",
                        PTS_MLP_LAYERS_MAX / 2, layers);
    for (size_t l = 0; l < layers; l++) {
        list[2 * l] = (pts_mlp_layer){PTS_MLP_LINEAR, sizes[l + 1], 0};
        list[2 * l + 1] = (pts_mlp_layer){PTS_MLP_RELU, 0, 0};
    }
    return pts_mlp_build(out, sizes[0], list, 2 * layers - 1, seed, team, err);
}

void pts_mlp_destroy(pts_mlp *mlp)
{
    if (!mlp)
        return;
    pts_arena_free(&mlp->fixed);
    pts_arena_free(&mlp->later);
    pts_arena_free(&mlp->whole_block);
    pts_arena_free(&mlp->batch);
    free(mlp->begin);
    free(mlp);
}

void pts_mlp_release_team(pts_mlp *mlp)
{
    mlp->team = NULL;
}

/* ---- what the caller may reach ---- */

size_t pts_mlp_inputs(const pts_mlp *mlp)
{
    return mlp->layer[0].in;
}

size_t pts_mlp_outputs(const pts_mlp *mlp)
{
    return mlp->layer[mlp->layers - 1].out;
}

size_t pts_mlp_parameter_count(const pts_mlp *mlp)
{
    return mlp->parameters;
}

float *pts_mlp_parameters(pts_mlp *mlp)
{
    pts_mlp_to_plain(mlp);
    return mlp->plain;
}

/* The linear layer of this number; NULL past the last. */
static const mlp_layer *linear(const pts_mlp *mlp, size_t number)
{
    for (size_t l = 0; l < mlp->layers; l++)
        if (mlp->layer[l].kind == PTS_MLP_LINEAR && number-- == 0)
            return &mlp->layer[l];
    return NULL;
}

size_t pts_mlp_layers(const pts_mlp *mlp)
{
    size_t count = 0;
    while (linear(mlp, count))
        count++;
    return count;
}

size_t pts_mlp_size(const pts_mlp *mlp, size_t index)
{
    return index == 0 ? mlp->layer[0].in : linear(mlp, index - 1)->out;
}

float *pts_mlp_weight(pts_mlp *mlp, size_t layer)
{
    pts_mlp_to_plain(mlp);
    return linear(mlp, layer)->weight;
}

float *pts_mlp_bias(pts_mlp *mlp, size_t layer)
{
    pts_mlp_to_plain(mlp);
    return linear(mlp, layer)->bias;
}

uint64_t pts_mlp_steps(const pts_mlp *mlp)
{
    return mlp->steps;
}

void pts_mlp_set_steps(pts_mlp *mlp, uint64_t steps)
{
    mlp->steps = steps;
}

pts_status pts_mlp_get_moments(pts_mlp *mlp, float *moments, pts_error *err)
{
    PTS_TRY(pts_mlp_hold_moments(mlp, err));
    PTS_TRY(pts_mlp_exchange_weights(mlp, mlp->m, err));
    PTS_TRY(pts_mlp_exchange_weights(mlp, mlp->v, err));
    pts_mlp_unpack(mlp, mlp->m, moments);
    pts_mlp_unpack(mlp, mlp->v, moments + mlp->parameters);
    return PTS_OK;
}

pts_status pts_mlp_set_moments(pts_mlp *mlp, const float *moments, pts_error *err)
{
    PTS_TRY(pts_mlp_hold_moments(mlp, err));
    pts_mlp_pack(mlp, moments, mlp->m);
    pts_mlp_pack(mlp, moments + mlp->parameters, mlp->v);
    return PTS_OK;
}

/* ---- memory on demand ---- */

/* Scratch is for the largest layer: layers are passed through one at a time. */
static void take_rows(pts_mlp *mlp, size_t rows)
{
    const size_t threads = (size_t)pts_team_threads(mlp->team);
    size_t copied = 0, packed = 0;
    mlp->slab = 0;
    for (size_t l = 0; l < mlp->layers; l++) {
        mlp_layer *layer = &mlp->layer[l];
        layer->y = pts_arena_take(&mlp->batch, rows * layer->out, sizeof *layer->y);
        layer->moments = pts_arena_take(&mlp->batch, 2 * rows, sizeof *layer->moments);
        if (pts_mlp_layer_slab(mlp, layer, rows) > mlp->slab)
            mlp->slab = pts_mlp_layer_slab(mlp, layer, rows);
        if (layer->kind != PTS_MLP_LINEAR)
            continue;
        if (pts_mlp_linear_copied(layer, rows) > copied)
            copied = pts_mlp_linear_copied(layer, rows);
        if (pts_mlp_linear_packed(layer, rows) > packed)
            packed = pts_mlp_linear_packed(layer, rows);
    }
    mlp->copied = pts_arena_take(&mlp->batch, copied, sizeof *mlp->copied);
    mlp->packed = pts_arena_take(&mlp->batch, packed, sizeof *mlp->packed);
    if (mlp->peers.count > 1)
        mlp->staged = pts_arena_take(&mlp->batch, rows * mlp->widest, sizeof *mlp->staged);
    mlp->slab = (mlp->slab + 15) / 16 * 16;
    mlp->slabs = pts_arena_take(&mlp->batch, threads * mlp->slab, sizeof *mlp->slabs);
    for (size_t i = 0; i < 2; i++)
        mlp->dy[i] = pts_arena_take(&mlp->batch, rows * mlp->widest, sizeof *mlp->dy[i]);
}

pts_status pts_mlp_hold_rows(pts_mlp *mlp, size_t rows, pts_error *err)
{
    if (rows < 1 || rows > PTS_MLP_ROWS_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "batch: expected 1 … %d rows, got %zu",
                        PTS_MLP_ROWS_MAX, rows);
    if (rows <= mlp->rows)
        return PTS_OK;
    pts_arena_free(&mlp->batch);
    mlp->rows = mlp->passed = 0;
    take_rows(mlp, rows);
    PTS_TRY(pts_arena_commit(&mlp->batch, err));
    take_rows(mlp, rows);
    mlp->rows = rows;
    return PTS_OK;
}

pts_status pts_mlp_hold_moments(pts_mlp *mlp, pts_error *err)
{
    const size_t count = 2 * mlp->stored;
    if (mlp->m)
        return PTS_OK;
    pts_arena_take(&mlp->later, count, sizeof *mlp->m);
    PTS_TRY(pts_arena_commit(&mlp->later, err));
    mlp->m = pts_arena_take(&mlp->later, count, sizeof *mlp->m);
    memset(mlp->m, 0, count * sizeof *mlp->m);
    mlp->v = mlp->m + mlp->stored;
    return PTS_OK;
}

/* Without pieces it only counts, for the memory that holds them. */
static void add_piece(pts_mlp *mlp, size_t at, size_t count, int owner)
{
    if (mlp->pieces)
        mlp->pieces[mlp->piece_count] = (mlp_piece){at, count, owner, 0};
    mlp->piece_count++;
}

/* Counts them while there is no room. */
static void add_pieces(pts_mlp *mlp)
{
    mlp->piece_count = 0;
    for (size_t l = 0; l < mlp->layers; l++) {
        const mlp_layer *layer = &mlp->layer[l];
        const size_t blocks = pts_mlp_blocks(mlp, layer);
        for (size_t b = 0, rank = 0; b < blocks; b++) {
            while (pts_mlp_first_tile(mlp, blocks, (int)rank + 1) <= b)
                rank++;
            const size_t at = pts_mlp_block_at(mlp, layer, b);
            add_piece(mlp, at, pts_mlp_block_at(mlp, layer, b + 1) - at, (int)rank);
        }
        if (layer->parameters && !blocks)
            add_piece(mlp, layer->at, layer->out, -1);
        if (layer->parameters)
            add_piece(mlp, layer->bias_at, layer->out, -1);
    }
}

/* The pieces are counted before they have room, then listed. */
static void take_whole(pts_mlp *mlp)
{
    add_pieces(mlp);
    mlp->whole = pts_arena_take(&mlp->whole_block, mlp->stored, sizeof *mlp->whole);
    mlp->pieces = pts_arena_take(&mlp->whole_block, mlp->piece_count, sizeof *mlp->pieces);
}

pts_status pts_mlp_hold_whole(pts_mlp *mlp, pts_error *err)
{
    if (mlp->whole)
        return PTS_OK;
    take_whole(mlp);
    PTS_TRY(pts_arena_commit(&mlp->whole_block, err));
    take_whole(mlp);
    add_pieces(mlp);
    memset(mlp->whole, 0, mlp->stored * sizeof *mlp->whole);
    return PTS_OK;
}
