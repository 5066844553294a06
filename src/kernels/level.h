/* One level = one instruction set's build of the kernels, as a table of functions (after dav1d's
 * DSP contexts). The sources named so in meson.build are compiled once a level; a global name in
 * them is wrapped in LEVEL() (simd.h) and so carries the level's name. Everything else takes the
 * functions from the table it was given; an encoder keeps one table for life, since its weights
 * are packed for it. */
#ifndef PTS_SRC_KERNELS_LEVEL_H
#define PTS_SRC_KERNELS_LEVEL_H

#include "kernels/adam.h"
#include "kernels/pool.h"
#include "kernels/product.h"
#include "kernels/row.h"
#include "kernels/transform.h"

typedef struct pts_level {
    const char *name; /* "c", "avx2", "avx512" */
    size_t lanes;     /* floats of a vector: what Winograd's channels must be a multiple of */
    size_t panel;     /* columns of a panel of packed weights; 0: B stays as it is */
    size_t block;     /* greatest depth of a block of packed weights */
    size_t tile_rows; /* rows that a pass of the product holds in registers */
    pts_product_fn product;
    pts_transform_filter_fn transform_filter;
    pts_transform_input_fn transform_input;
    pts_transform_output_fn transform_output;
    pts_pool_pixel_fn max_pixel, average_pixel;
    pts_global_average_fn global_average;
    pts_layer_norm_fn layer_norm;
    pts_softmax_fn softmax;
    pts_activation_fn gelu, quick_gelu;
    pts_adam_fn adam;
    double (*spin_fma)(size_t rounds); /* returns the operations done */
} pts_level;

/* That of the CPU level in force (base/cpu.h). */
const pts_level *pts_level_current(void);
/* Lowest first; NULL past the last that this machine can run. */
const pts_level *pts_level_at(size_t index);

#endif
