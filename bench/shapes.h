/* The matrix products of the encoders: C [rows][columns] = A [rows][depth] · B, one image of
 * 299×299 (InceptionV3) or 224×224 (CLIP ViT-B/32) unless the name says otherwise. Of a
 * convolution the rows are the output's pixels, the depth window × input channels. */
#ifndef PTS_BENCH_SHAPES_H
#define PTS_BENCH_SHAPES_H

#include <stddef.h>

typedef struct bench_shape {
    size_t rows, columns, depth;
    const char *name; /* of a layer that has it */
} bench_shape;

static const bench_shape bench_shapes[] = {
    {22201, 32, 27, "Conv2d_1a_3x3, lowered"},
    {5329, 80, 64, "Conv2d_3b_1x1"},
    {1225, 64, 192, "Mixed_5b.branch1x1"},
    {1225, 32, 192, "Mixed_5b.branch_pool"},
    {1225, 48, 256, "Mixed_5c.branch5x5_1"},
    {1225, 64, 288, "Mixed_5d.branch1x1"},
    {289, 384, 2592, "Mixed_6a.branch3x3, lowered"},
    {289, 96, 864, "Mixed_6a.branch3x3dbl_3, lowered"},
    {289, 128, 768, "Mixed_6b.branch7x7_1"},
    {289, 160, 768, "Mixed_6c.branch7x7_1"},
    {289, 192, 768, "Mixed_6e.branch1x1"},
    {64, 320, 1728, "Mixed_7a.branch3x3_2, lowered"},
    {64, 320, 1280, "Mixed_7b.branch1x1"},
    {64, 448, 1280, "Mixed_7b.branch3x3dbl_1"},
    {64, 384, 1152, "Mixed_7b.branch3x3_2a, lowered"},
    {64, 384, 4032, "Mixed_7b.branch3x3dbl_2, lowered"},
    {64, 384, 2048, "Mixed_7c.branch3x3_1"},
    {64, 192, 2048, "Mixed_7c.branch_pool"},
    {49, 768, 3072, "CLIP patches"},
    {50, 2304, 768, "CLIP qkv"},
    {50, 768, 768, "CLIP attention out"},
    {50, 3072, 768, "CLIP mlp up"},
    {50, 768, 3072, "CLIP mlp down"},
    {200, 2304, 768, "CLIP qkv, batch 4"},
    {200, 768, 768, "CLIP attention out, batch 4"},
    {200, 3072, 768, "CLIP mlp up, batch 4"},
    {200, 768, 3072, "CLIP mlp down, batch 4"},
};

enum { BENCH_SHAPES = sizeof bench_shapes / sizeof *bench_shapes };

#endif
