/* Multi-head attention (Vaswani et al. 2017, "Attention Is All You Need", 3.2): of each head,
 * softmax(q·kᵀ / √width)·v, one task an image and head, whose matrices stay in the cache. */
#ifndef PTS_SRC_KERNELS_ATTENTION_H
#define PTS_SRC_KERNELS_ATTENTION_H

#include "kernels/level.h"

#include <stdbool.h>

typedef struct pts_attention {
    const pts_level *level;
    size_t images, tokens, heads, width; /* width: of a head */
    size_t queries;                      /* only the first so many tokens ask; at most tokens */
    const float *qkv; /* [images][tokens][qkv_stride]: q, k, v of [heads][width] each */
    size_t qkv_stride;
    float *out; /* [images][tokens][out_stride]: [heads][width]; rows past queries are left */
    size_t out_stride;
    float *work; /* [threads][pts_attention_workspace()] */
} pts_attention;

/* Floats of workspace a thread, from level, tokens and width; false where that does not fit. */
bool pts_attention_workspace(const pts_attention *a, size_t *floats);
void pts_attention_run(const pts_attention *a, pts_team *team);

#endif
