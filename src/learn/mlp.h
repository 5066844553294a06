/* Inside of pts_mlp: a row of layers, each an entry of one table of forward/backward pairs, over
 * three blocks of memory: parameters, moments of the optimiser, what a batch leaves behind. */
#ifndef PTS_SRC_LEARN_MLP_H
#define PTS_SRC_LEARN_MLP_H

#include "pts/mlp.h"

#include "base/memory.h"
#include "kernels/level.h"
#include "learn/layers.h"

#include <stdbool.h>

enum {
    MLP_SIZE_MAX = 1048576, /* keeps every dimension and batch product inside an int */
    MLP_CHUNK = 4096,       /* floats that a slab holds at least */
    MLP_TILE_OUT = 256,     /* columns of a linear layer's forward part */
    MLP_TILE_IN = 64 /* rows of its weight that a backward part takes: 2,048 outputs, 512 kB */
};

typedef struct mlp_layer {
    pts_mlp_kind kind;
    size_t in, out, parameters;
    float value;
    float *weight;  /* linear [in][out]; layer norm: gain [out] */
    float *bias;    /* [out], right after the weight; layer norm: shift */
    float *y;       /* [rows][out] */
    float *moments; /* layer norm: [rows][2] */
} mlp_layer;

struct pts_mlp {
    size_t layers, parameters, widest; /* widest: outputs of a layer */
    mlp_layer layer[PTS_MLP_LAYERS_MAX];
    size_t first; /* the first layer with parameters: nothing below it needs a gradient */
    pts_team *team;
    const pts_level *level;
    uint64_t seed, steps, drawn; /* drawn: steps before the last forward pass */
    float *values;               /* [parameters] */
    float *m, *v;                /* [parameters]; NULL before the first step */
    float *whole; /* [parameters]: the whole gradient, where it is wanted at once; or NULL */
    size_t slab;
    float *slabs;        /* [threads][slab] */
    size_t rows, passed; /* room for rows; those of the last forward pass in training */
    float *dy[2]; /* [rows][widest]: gradient by a layer's output and by its input, in turns */
    float *copied, *packed;                     /* a linear layer's: see mlp_linear.c */
    pts_arena fixed, later, whole_block, batch; /* values and slabs, moments, whole, the rest */
};

/* Memory for `rows` samples, for the moments, for the whole gradient; kept once it is there. */
pts_status mlp_hold_rows(pts_mlp *mlp, size_t rows, pts_error *err);
pts_status mlp_hold_moments(pts_mlp *mlp, pts_error *err);
pts_status mlp_hold_whole(pts_mlp *mlp, pts_error *err);

/* What a step does to a range of parameters. */
typedef struct mlp_update {
    pts_mlp_rule rule;
    pts_adam adam;
    float rate, momentum, decay; /* decay: the one that adds to the gradient */
    float scale;                 /* of the gradient */
    uint64_t step;               /* from 1 */
} mlp_update;

mlp_update mlp_update_of(const pts_mlp_training *training, uint64_t step);
/* gradient [count] is changed. */
void mlp_update_range(pts_mlp *mlp, const mlp_update *update, size_t offset, size_t count,
                      float *gradient);

/* One layer's part of a pass over the network. */
typedef struct mlp_pass {
    pts_mlp *mlp;
    const mlp_layer *layer;
    size_t index, rows;
    bool training;            /* forward: dropout drops */
    const float *x;           /* [rows][in] */
    float *dy;                /* [rows][out] */
    float *dx;                /* [rows][in]; NULL: not wanted */
    const mlp_update *update; /* NULL: the gradient goes to `gradient` */
    float *gradient;          /* [parameters] */
} mlp_pass;

/* Number of parameters of a layer; PTS_ERR_ARGUMENT for a layer that cannot be. */
pts_status mlp_check_layer(const pts_mlp_layer *layer, size_t index, pts_error *err);
size_t mlp_layer_parameters(const mlp_layer *layer);
/* Floats that a thread's slab must hold. */
size_t mlp_layer_slab(const mlp_layer *layer);
/* A gradient is used right where it was made, while in cache: written out to main memory and read
 * again by the optimiser, the 17 million weights of the study's first layer cost more than their
 * product. `at`: the parameter that gradient[0] belongs to. */
void mlp_use_gradient(const mlp_pass *pass, const float *at, size_t count, float *gradient);

/* Linear layers: floats of a slab, of mlp->copied and mlp->packed, and the parts of the passes. */
size_t mlp_linear_slab(const mlp_layer *layer);
size_t mlp_linear_copied(const mlp_layer *layer, size_t rows);
size_t mlp_linear_packed(const mlp_layer *layer, size_t rows);
void mlp_linear_copy(const mlp_pass *pass, size_t first, size_t count, float *slab);
void mlp_linear_forward(const mlp_pass *pass, size_t first, size_t count, float *slab);
void mlp_linear_pack(const mlp_pass *pass, size_t first, size_t count, float *slab);
void mlp_linear_backward(const mlp_pass *pass, size_t first, size_t count, float *slab);
void mlp_linear_gradient(const mlp_pass *pass, size_t first, size_t count, float *slab);

void mlp_layer_forward(mlp_pass *pass);
/* Returns the gradient by the layer's input: pass->dx, or dy changed in place. */
float *mlp_layer_backward(mlp_pass *pass);

#endif
