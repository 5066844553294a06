/* Several processes as one: who computes which tiles, and how they reach the others. */
#include "nn/mlp.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVEL_NAME = 16 };

/* Kernels of two levels sum in two orders and pack in two: found out here, not as weights that
 * drift apart. */
static pts_status check_level(const pts_mlp *mlp, pts_error *err)
{
    const size_t count = (size_t)mlp->peers.count;
    char(*names)[LEVEL_NAME];
    PTS_TRY(pts_new(&names, count, sizeof *names, err));
    for (size_t r = 0; r <= count; r++)
        mlp->begin[r] = r * sizeof *names;
    snprintf(names[mlp->peers.rank], sizeof *names, "%s", mlp->level->name);
    pts_status status = mlp->peers.gather(mlp->peers.user, names, mlp->begin, err);
    for (size_t r = 0; status == PTS_OK && r < count; r++)
        if (strncmp(names[r], mlp->level->name, LEVEL_NAME) != 0)
            status = pts_fail(err, PTS_ERR_UNSUPPORTED,
                              "processes: expected one CPU level in all, got %s in number %d and "
                              "%.*s in number %zu",
                              mlp->level->name, mlp->peers.rank, LEVEL_NAME - 1, names[r], r);
    free(names);
    return status;
}

pts_status pts_mlp_share(pts_mlp *mlp, const pts_peers *peers, pts_error *err)
{
    if (peers->count < 1 || peers->rank < 0 || peers->rank >= peers->count)
        return pts_fail(err, PTS_ERR_ARGUMENT, "processes: expected number 0 … %d, got %d",
                        peers->count - 1, peers->rank);
    size_t *begin;
    PTS_TRY(pts_new(&begin, (size_t)peers->count + 1, sizeof *begin, err));
    free(mlp->begin);
    mlp->begin = begin;
    mlp->peers = *peers;
    mlp->rows = mlp->passed = 0; /* a batch needs more room now */
    pts_arena_free(&mlp->whole_block);
    mlp->whole = NULL; /* and the pieces have other owners */
    mlp->pieces = NULL;
    pts_status status = check_level(mlp, err);
    if (status != PTS_OK)
        mlp->peers = (pts_peers){.count = 1};
    return status;
}

size_t pts_mlp_first_tile(const pts_mlp *mlp, size_t tiles, int rank)
{
    return tiles * (size_t)rank / (size_t)mlp->peers.count;
}

/* ---- columns of a matrix ---- */

/* Moves the columns of one rank between x [rows][width] and its part of mlp->staged. */
static void move_columns(pts_mlp *mlp, float *x, size_t rows, size_t width, int rank, bool out)
{
    const size_t first = mlp->begin[rank] / (rows * sizeof *x);
    const size_t count = mlp->begin[rank + 1] / (rows * sizeof *x) - first;
    float *staged = mlp->staged + rows * first;
    for (size_t r = 0; r < rows; r++) {
        if (out)
            memcpy(staged + r * count, x + r * width + first, count * sizeof *x);
        else
            memcpy(x + r * width + first, staged + r * count, count * sizeof *x);
    }
}

pts_status pts_mlp_exchange_columns(pts_mlp *mlp, float *x, size_t rows, size_t width, size_t tile,
                                    pts_error *err)
{
    const size_t tiles = (width + tile - 1) / tile;
    if (mlp->peers.count == 1)
        return PTS_OK;
    for (int r = 0; r <= mlp->peers.count; r++) {
        const size_t column = pts_mlp_first_tile(mlp, tiles, r) * tile;
        mlp->begin[r] = rows * (column < width ? column : width) * sizeof *x;
    }
    move_columns(mlp, x, rows, width, mlp->peers.rank, true);
    PTS_TRY(mlp->peers.gather(mlp->peers.user, mlp->staged, mlp->begin, err));
    for (int r = 0; r < mlp->peers.count; r++)
        if (r != mlp->peers.rank)
            move_columns(mlp, x, rows, width, r, false);
    return PTS_OK;
}

/* ---- blocks of the store ---- */

size_t pts_mlp_blocks(const pts_mlp *mlp, const mlp_layer *layer)
{
    const size_t block = pts_product_block(layer->in, mlp->level->block);
    return layer->kind == PTS_MLP_LINEAR ? (layer->in + block - 1) / block : 0;
}

size_t pts_mlp_block_at(const pts_mlp *mlp, const mlp_layer *layer, size_t index)
{
    const size_t row = index * pts_product_block(layer->in, mlp->level->block);
    size_t floats;
    (void)pts_product_packed_floats(mlp->level, layer->in, layer->out,
                                    &floats); /* as pts_mlp_place */
    return layer->at + (row < layer->in
                            ? pts_product_packed_at(mlp->level, layer->in, layer->out, row, 0)
                            : floats);
}

pts_status pts_mlp_exchange_weights(pts_mlp *mlp, float *store, pts_error *err)
{
    for (size_t l = 0; l < mlp->layers && mlp->peers.count > 1; l++) {
        const mlp_layer *layer = &mlp->layer[l];
        const size_t blocks = pts_mlp_blocks(mlp, layer);
        if (!blocks)
            continue;
        for (int r = 0; r <= mlp->peers.count; r++) {
            const size_t at = pts_mlp_block_at(mlp, layer, pts_mlp_first_tile(mlp, blocks, r));
            mlp->begin[r] = (at - layer->at) * sizeof *store;
        }
        PTS_TRY(mlp->peers.gather(mlp->peers.user, store + layer->at, mlp->begin, err));
    }
    return PTS_OK;
}
