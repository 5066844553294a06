/* The table of one level, and the chain that measures its ceiling. */
#include "kernels/level_functions.h"

/* Twelve chains hide the latency of four cycles on two ports. */
static double spin_fma(size_t rounds)
{
    enum { CHAINS = 12 };
    vec sum[CHAINS], factor = vec_set(0.75f), term = vec_set(0.25f);
    UNROLL
    for (size_t i = 0; i < CHAINS; i++)
        sum[i] = vec_set((float)i);
    for (size_t n = 0; n < rounds; n++)
        UNROLL
    for (size_t i = 0; i < CHAINS; i++)
        sum[i] = vec_fma(sum[i], factor, term);
    float out[PTS_LANES];
    UNROLL
    for (size_t i = 1; i < CHAINS; i++)
        sum[0] = sum[0] + sum[i];
    vec_store(out, sum[0]);
    /* The sum is CHAINS at the end; the compiler cannot know, so the chains stay. */
    return out[0] >= 0 ? 2.0 * CHAINS * PTS_LANES * (double)rounds : 0;
}

#define TEXT(name) #name
#define TEXT_OF(name) TEXT(name)

extern const pts_level LEVEL(level);
const pts_level LEVEL(level) = {
    .name = TEXT_OF(PTS_LEVEL),
    .lanes = PTS_LANES,
    .panel = PANEL,
    .block = BLOCK_DEPTH,
    .tile_rows = TILE_ROWS,
    .product = LEVEL(product),
    .transform_filter = LEVEL(transform_filter),
    .transform_input = LEVEL(transform_input),
    .transform_output = LEVEL(transform_output),
    .max_pixel = LEVEL(max_pixel),
    .average_pixel = LEVEL(average_pixel),
    .global_average = LEVEL(global_average),
    .layer_norm = LEVEL(layer_norm),
    .softmax = LEVEL(softmax),
    .gelu = LEVEL(gelu),
    .quick_gelu = LEVEL(quick_gelu),
    .adam = LEVEL(adam),
    .spin_fma = spin_fma,
};
