/* The linear layer's three products, by the packed product of the CPU level (kernels/product.h).
 *
 * What is multiplied with many times is packed and stays in the second-level cache: a block of the
 * weight in the forward pass, the gradient by the outputs in the other two. The weight as a whole,
 * larger than any cache, passes through once each time, row by row as it lies. What is read as
 * left operand is copied to rows an odd number of cache lines apart: at a stride of 8 kB the rows
 * of a tile would fall into one set of the cache. OpenBLAS, which packs both sides for every call,
 * took twice as long for the forward pass of 64 rows. */
#include "learn/mlp.h"

#include <string.h>

enum {
    DEPTH = 256, /* of a block of packed operands */
    CHUNK = 128, /* rows of a batch whose gradient is packed as one */
    LANES = 16,  /* at most, by which the last panel may be padded */
    SQUARE = 16, /* side of a square that is transposed at once */
    STRIDE = DEPTH + LANES
};

/* x [rows][x_stride], the first `columns` of each → y [columns][y_stride] */
static void transpose(const float *x, size_t x_stride, size_t rows, size_t columns, float *y,
                      size_t y_stride)
{
    for (size_t r = 0; r < rows; r += SQUARE)
        for (size_t c = 0; c < columns; c += SQUARE) {
            const size_t r_end = rows - r < SQUARE ? rows : r + SQUARE;
            const size_t c_end = columns - c < SQUARE ? columns : c + SQUARE;
            for (size_t j = c; j < c_end; j++)
                for (size_t i = r; i < r_end; i++)
                    y[j * y_stride + i] = x[i * x_stride + j];
        }
}

static size_t part(size_t whole, size_t first, size_t most)
{
    return whole - first < most ? whole - first : most;
}

size_t mlp_linear_slab(const mlp_layer *layer)
{
    const size_t forward = DEPTH * (MLP_TILE_OUT + LANES);
    const size_t backward = MLP_TILE_IN * (STRIDE + CHUNK);
    const size_t gradient = MLP_TILE_IN * (CHUNK + layer->out);
    const size_t larger = forward > backward ? forward : backward;
    return larger > gradient ? larger : gradient;
}

/* ---- forward ---- */

size_t mlp_linear_copied(const mlp_layer *layer, size_t rows)
{
    return rows * pts_row_stride(layer->in);
}

/* x into mlp->copied [rows][row stride]; `first` and `count` are rows. */
void mlp_linear_copy(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t in = p->layer->in, stride = pts_row_stride(in);
    (void)slab;
    for (size_t r = first; r < first + count; r++)
        memcpy(p->mlp->copied + r * stride, p->x + r * in, in * sizeof *p->x);
}

/* y[:, part] = x · weight[:, part] + bias[part] */
void mlp_linear_forward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    const pts_level *level = p->mlp->level;
    for (size_t k = 0; k < layer->in; k += DEPTH) {
        const size_t depth = part(layer->in, k, DEPTH);
        const pts_product product = {.rows = p->rows,
                                     .columns = count,
                                     .depth = depth,
                                     .end = count,
                                     .a = p->mlp->copied + k,
                                     .a_stride = pts_row_stride(layer->in),
                                     .b = slab,
                                     .bias = k + depth == layer->in ? layer->bias + first : NULL,
                                     .c = layer->y + first,
                                     .c_stride = layer->out,
                                     .accumulate = k > 0};
        pts_product_pack(level, layer->weight + k * layer->out + first, layer->out, depth, count,
                         slab);
        level->product(&product);
    }
}

/* ---- backward ---- */

/* Floats of a chunk's gradient, packed as it is and transposed. */
static size_t packed_chunk(size_t out)
{
    return CHUNK * (out + LANES) + (CHUNK + LANES) * out;
}

size_t mlp_linear_packed(const mlp_layer *layer, size_t rows)
{
    return (rows + CHUNK - 1) / CHUNK * packed_chunk(layer->out);
}

static float *packed_rows(const mlp_pass *p, size_t row)
{
    return p->mlp->packed + row / CHUNK * packed_chunk(p->layer->out);
}

/* Blocks of DEPTH outputs, each packed for itself; first is a multiple of DEPTH. */
static float *packed_outputs(const mlp_pass *p, size_t row, size_t first)
{
    return packed_rows(p, row) + CHUNK * (p->layer->out + LANES) + first * (CHUNK + LANES);
}

/* Row `at` of a packed B [depth][columns], its columns [first, first + count), from where they lie
 * `step` floats apart; the padding of the last panel is zeros. */
static void pack_row(const pts_level *level, size_t depth, size_t columns, size_t at, size_t first,
                     size_t count, const float *from, size_t step, float *packed)
{
    const size_t panel = level->panel ? level->panel : columns;
    for (size_t c = first; c < first + count; c += panel) {
        const size_t width = part(first + count, c, panel);
        float *to = packed + pts_product_packed_at(level, depth, columns, at, c);
        for (size_t i = 0; i < width; i++)
            to[i] = from[(c - first + i) * step];
        for (size_t i = width; level->panel && i % level->lanes; i++)
            to[i] = 0;
    }
}

/* The gradient by outputs [first, first + count), both ways; first is a multiple of every panel. */
void mlp_linear_pack(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t out = p->layer->out, block = first / DEPTH * DEPTH,
                 depth = part(out, block, DEPTH);
    const pts_level *level = p->mlp->level;
    (void)slab;
    for (size_t r = 0; r < p->rows; r += CHUNK) {
        const size_t rows = part(p->rows, r, CHUNK);
        const float *dy = p->dy + r * out + first;
        for (size_t i = 0; i < rows; i++)
            pack_row(level, rows, out, i, first, count, dy + i * out, 1, packed_rows(p, r));
        for (size_t o = 0; o < count && p->dx; o++)
            pack_row(level, depth, rows, first + o - block, 0, rows, dy + o, out,
                     packed_outputs(p, r, block));
    }
}

/* dx[:, part] = dy · weight[part, :]ᵀ, as its transpose: the weight's rows stand left. */
void mlp_linear_backward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    float *copy = slab + MLP_TILE_IN * CHUNK; /* slab: dxᵀ [count][rows] */
    for (size_t r = 0; r < p->rows; r += CHUNK) {
        const size_t rows = part(p->rows, r, CHUNK);
        for (size_t k = 0; k < layer->out; k += DEPTH) {
            const size_t depth = part(layer->out, k, DEPTH);
            for (size_t i = 0; i < count; i++)
                memcpy(copy + i * STRIDE, layer->weight + (first + i) * layer->out + k,
                       depth * sizeof *copy);
            const pts_product product = {.rows = count,
                                         .columns = rows,
                                         .depth = depth,
                                         .end = rows,
                                         .a = copy,
                                         .a_stride = STRIDE,
                                         .b = packed_outputs(p, r, k),
                                         .c = slab,
                                         .c_stride = rows,
                                         .accumulate = k > 0};
            p->mlp->level->product(&product);
        }
        transpose(slab, rows, count, rows, p->dx + r * layer->in + first, layer->in);
    }
}

/* ---- gradient ---- */

static void bias_gradient(const mlp_pass *p, float *slab)
{
    const mlp_layer *layer = p->layer;
    memset(slab, 0, layer->out * sizeof *slab);
    for (size_t r = 0; r < p->rows; r++)
        for (size_t o = 0; o < layer->out; o++)
            slab[o] += p->dy[r * layer->out + o];
    mlp_use_gradient(p, layer->bias, layer->out, slab);
}

/* dweight[part, :] = x[:, part]ᵀ · dy */
void mlp_linear_gradient(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    float *turned = slab + MLP_TILE_IN * layer->out; /* xᵀ [count][rows] */
    if (first == 0)
        bias_gradient(p, slab);
    for (size_t r = 0; r < p->rows; r += CHUNK) {
        const size_t rows = part(p->rows, r, CHUNK);
        transpose(p->x + r * layer->in + first, layer->in, rows, count, turned, rows);
        const pts_product product = {.rows = count,
                                     .columns = layer->out,
                                     .depth = rows,
                                     .end = layer->out,
                                     .a = turned,
                                     .a_stride = rows,
                                     .b = packed_rows(p, r),
                                     .c = slab,
                                     .c_stride = layer->out,
                                     .accumulate = r > 0};
        p->mlp->level->product(&product);
    }
    mlp_use_gradient(p, layer->weight + first * layer->out, count * layer->out, slab);
}
