/* The image tower of CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural
 * Language Supervision"): a vision transformer (Dosovitskiy et al. 2021) with a layer norm before
 * the blocks too, and a projection of the class token. Its output equals encode_image.
 *
 * Everything follows from the file's tensors (float32), P: side of a patch, W: width, F: hidden
 * width, T: tokens, one more than a square:
 *   patch.weight [P][P][3][W], class [W], positions [T][W], pre_norm.weight and .bias [W],
 *   for each layer N = 0 …: layerN.norm1.weight and .bias [W], layerN.qkv.weight [W][3W] and .bias,
 *     layerN.proj.weight [W][W] and .bias, layerN.norm2.weight and .bias [W],
 *     layerN.fc1.weight [W][F] and .bias, layerN.fc2.weight [F][W] and .bias,
 *   post_norm.weight and .bias [W], projection [W][dim]
 * and the metadata heads (a divisor of W) and activation (quick_gelu, gelu). */
#ifndef PTS_SRC_ENCODERS_CLIP_VIT_H
#define PTS_SRC_ENCODERS_CLIP_VIT_H

#include "base/memory.h"
#include "encoders/arch.h"

/* Limits of what a file may ask for; CLIP's largest published tower has 577 tokens of 1024. */
enum {
    CLIP_VIT_INPUT_MAX = 4096,
    CLIP_VIT_TOKENS_MAX = 65537,
    CLIP_VIT_WIDTH_MAX = 65536,
    CLIP_VIT_LAYERS_MAX = 1024,
};

typedef struct clip_vit_norm {
    const float *weight, *bias; /* [W] */
} clip_vit_norm;

typedef struct clip_vit_linear {
    size_t depth, columns;
    const pts_tensor *weight; /* [depth][columns] */
    const float *bias;        /* [columns], or NULL */
    float *copy;              /* room for the packed weight; NULL: the file's serves as it is */
} clip_vit_linear;

enum { CLIP_VIT_QKV, CLIP_VIT_PROJ, CLIP_VIT_FC1, CLIP_VIT_FC2, CLIP_VIT_LINEARS };

typedef struct clip_vit_layer {
    clip_vit_norm norm1, norm2;
    clip_vit_linear linear[CLIP_VIT_LINEARS];
    bool packed;
} clip_vit_layer;

typedef struct clip_vit {
    pts_weights *weights;
    const pts_level *level;
    pts_activation_fn activation;
    size_t patch, grid, tokens, width, hidden, heads, dim, layers;
    const float *class_token, *positions; /* [W], [T][W] */
    clip_vit_norm pre_norm, post_norm;
    clip_vit_linear embedding, projection; /* embedding: of patches */
    bool packed;                           /* these two; layers are packed when first run */
    clip_vit_layer *layer;                 /* [layers] */
    pts_arena arena;                       /* the packed weights */
} clip_vit;

/* Reads the sizes and checks every tensor. What it fills is freed by pts_clip_vit_free, on failure
 * too. */
pts_status pts_clip_vit_bind(clip_vit *model, pts_weights *weights, const pts_level *level,
                             pts_error *err);
void pts_clip_vit_free(clip_vit *model);

/* Packs `count` matrices on the team; the file's pages of each are dropped from memory. */
void pts_clip_vit_pack(const clip_vit *model, pts_team *team, clip_vit_linear *linear,
                       size_t count);

#endif
