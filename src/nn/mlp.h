/* Inside of pts_mlp: a row of layers, each an entry of one table of forward/backward pairs, over
 * one block of parameters and as many of moments.
 *
 * Parameters lie in two orders. `plain` is the caller's; `store`, which all passes work on, has the
 * weights as the packed product of the CPU level reads them (kernels/product.h): blocks of rows,
 * panels of columns. So the forward pass reads 80 MB of weights in one run through memory, and
 * gradient, moments and weights of a panel are four short runs side by side. One of the two is
 * valid at a time: pts_mlp_to_store and pts_mlp_to_plain change over. */
#ifndef PTS_SRC_NN_MLP_H
#define PTS_SRC_NN_MLP_H

#include "pts/mlp.h"

#include "base/memory.h"
#include "kernels/level.h"
#include "nn/layers.h"

#include <stdbool.h>

enum {
    MLP_SIZE_MAX = 1048576, /* keeps every dimension and batch product inside an int */
    MLP_CHUNK = 4096,       /* floats that are updated at once from the whole gradient */
    MLP_TILE_OUT = 256,     /* columns of a linear layer's forward part: some panels */
    MLP_TILE_BACK = 64,     /* rows of its weight that a backward part takes … */
    MLP_TILE_IN = 256       /* … and a gradient part at most: a block of the packed weight */
};

typedef struct mlp_layer {
    pts_mlp_kind kind;
    size_t in, out, parameters;
    float value;
    float *weight;      /* plain: linear [in][out]; layer norm: gain [out] */
    float *bias;        /* plain: [out], right after the weight; layer norm: shift */
    size_t at, bias_at; /* where weight and bias begin in the store */
    float *y;           /* [rows][out] */
    float *moments;     /* layer norm: [rows][2] */
} mlp_layer;

struct pts_mlp {
    size_t layers, parameters, widest; /* widest: outputs of a layer */
    mlp_layer layer[PTS_MLP_LAYERS_MAX];
    size_t first; /* the first layer with parameters: nothing below it needs a gradient */
    pts_team *team;
    const pts_level *level;
    uint64_t seed, steps, drawn; /* drawn: steps before the last forward pass */
    float *plain;                /* [parameters] */
    size_t stored;               /* floats of the store: some more, as panels are padded by zeros */
    float *store;                /* [stored] */
    bool in_store;               /* which of the two is valid */
    float *m, *v;                /* [stored]; NULL before the first step */
    float *whole;                /* [stored]: the gradient, where all of it is wanted; or NULL */
    size_t rows, passed;         /* room for rows; those of the last forward pass in training */
    float *dy[2]; /* [rows][widest]: gradient by a layer's output and by its input, in turns */
    float *copied, *packed;   /* a linear layer's: see mlp_linear.c */
    pts_peers peers;          /* count 1: alone */
    size_t *begin;            /* [peers.count + 1]: of what is exchanged; NULL: alone */
    float *staged;            /* [rows][widest]: columns to be exchanged, rank by rank */
    struct mlp_piece *pieces; /* [piece_count], with `whole` */
    size_t piece_count;
    size_t slab;
    float *slabs;                               /* [threads][slab] */
    pts_arena fixed, later, whole_block, batch; /* parameters, moments, whole, what rows need */
};

/* Memory for `rows` samples, for the moments, for the whole gradient; kept once it is there. */
pts_status pts_mlp_hold_rows(pts_mlp *mlp, size_t rows, pts_error *err);
pts_status pts_mlp_hold_moments(pts_mlp *mlp, pts_error *err);
pts_status pts_mlp_hold_whole(pts_mlp *mlp, pts_error *err);

/* ---- the two orders ---- */

/* Places a layer behind `at` in the store; returns where the next one begins. */
size_t pts_mlp_place(const pts_level *level, mlp_layer *layer, size_t at);
/* plain [parameters] → store [stored], whose padding is left alone, and back. */
void pts_mlp_pack(const pts_mlp *mlp, const float *plain, float *store);
void pts_mlp_unpack(const pts_mlp *mlp, const float *store, float *plain);
/* Makes the store, or plain, the valid one. */
void pts_mlp_to_store(pts_mlp *mlp);
void pts_mlp_to_plain(pts_mlp *mlp);

/* ---- several processes ----
 *
 * Of the tiles that a phase of a linear layer is cut into, process r computes those from
 * pts_mlp_first_tile(r) to pts_mlp_first_tile(r + 1). */

size_t pts_mlp_first_tile(const pts_mlp *mlp, size_t tiles, int rank);
/* Columns of x [rows][width], cut into tiles, from whom computed them. */
pts_status pts_mlp_exchange_columns(pts_mlp *mlp, float *x, size_t rows, size_t width, size_t tile,
                                    pts_error *err);

/* Blocks of a linear layer's packed weight (none of others), the tiles of its gradient: each is one
 * run of the store from pts_mlp_block_at to that of the next. */
size_t pts_mlp_blocks(const pts_mlp *mlp, const mlp_layer *layer);
size_t pts_mlp_block_at(const pts_mlp *mlp, const mlp_layer *layer, size_t index);
/* An array in the order of the store, all weights from whom computed them. */
pts_status pts_mlp_exchange_weights(pts_mlp *mlp, float *store, pts_error *err);

/* ---- a step ---- */

/* A run of the store that one process updates, or, biases and norms (owner −1), each. */
typedef struct mlp_piece {
    size_t at, count;
    int owner;
    double squares; /* of its gradient */
} mlp_piece;

/* What a step does to a range of the store. */
typedef struct mlp_update {
    pts_mlp_rule rule;
    pts_adam_constants adam;
    float rate, momentum, decay; /* decay: the one that adds to the gradient */
    float scale;                 /* of the gradient */
} mlp_update;

mlp_update pts_mlp_update_of(const pts_mlp_training *training, uint64_t step); /* step: from 1 */
/* gradient [count] is changed. */
void pts_mlp_update_range(pts_mlp *mlp, const mlp_update *update, size_t offset, size_t count,
                          float *gradient);

/* ---- layers ---- */

/* One layer's part of a pass over the network. */
typedef struct mlp_pass {
    pts_mlp *mlp;
    const mlp_layer *layer;
    size_t index, rows;
    bool training;            /* dropout drops, and the work is shared with other processes */
    const float *x;           /* [rows][in] */
    float *dy;                /* [rows][out] */
    float *dx;                /* [rows][in]; NULL: not wanted */
    const mlp_update *update; /* NULL: the gradient goes to mlp->whole */
} mlp_pass;

/* PTS_ERR_ARGUMENT for a layer that cannot be. */
pts_status pts_mlp_check_layer(const pts_mlp_layer *layer, size_t index, pts_error *err);
size_t pts_mlp_layer_parameters(const mlp_layer *layer);
/* Floats of a thread's slab. */
size_t pts_mlp_layer_slab(const pts_mlp *mlp, const mlp_layer *layer, size_t rows);
pts_status pts_mlp_layer_forward(mlp_pass *pass, pts_error *err);
/* *dx: the gradient by the layer's input: pass->dx, or dy changed in place. */
pts_status pts_mlp_layer_backward(mlp_pass *pass, float **dx, pts_error *err);

/* A gradient, of the store from `offset` on, is used right where it was made, while in cache:
 * written out to main memory and read again by the optimiser, the 17 million weights of the
 * study's first layer cost more than their product. */
void pts_mlp_use_gradient(const mlp_pass *pass, size_t offset, size_t count, float *gradient);

/* Linear layers: floats of a slab, of mlp->copied and mlp->packed; the parts of the passes. */
size_t pts_mlp_linear_slab(const pts_mlp *mlp, const mlp_layer *layer, size_t rows);
size_t pts_mlp_linear_copied(const mlp_layer *layer, size_t rows);
size_t pts_mlp_linear_packed(const mlp_layer *layer, size_t rows);
void pts_mlp_linear_copy(const mlp_pass *pass, size_t first, size_t count, float *slab);
void pts_mlp_linear_forward(const mlp_pass *pass, size_t first, size_t count, float *slab);
void pts_mlp_linear_pack(const mlp_pass *pass, size_t first, size_t count, float *slab);
void pts_mlp_linear_backward(const mlp_pass *pass, size_t first, size_t count, float *slab);
void pts_mlp_linear_gradient(const mlp_pass *pass, size_t first, size_t count, float *slab);
void pts_mlp_linear_bias(const mlp_pass *pass, size_t first, size_t count, float *slab);

#endif
