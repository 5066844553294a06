/* The linear layer's three products, by the packed product of the CPU level (kernels/product.h).
 *
 * Forward, the packed weight stands right. Backward the gradient by the outputs does, packed as it
 * is and transposed, and stays in the second-level cache: dxᵀ = W·dyᵀ, dW = xᵀ·dy, a panel at a
 * time, whose update follows at once. What stands left is copied or transposed to rows that do not
 * lie a multiple of 4 kB apart, as those of a tile would fall into one set of the cache. OpenBLAS,
 * which packs both sides for every call, took twice as long for the forward pass of 64 rows. */
#include "nn/mlp.h"

#include <string.h>

enum {
    DEPTH = 256, /* of a block of packed operands */
    CHUNK = 128, /* rows of a batch whose gradient is packed as one */
    LANES = 16,  /* at most, by which the last panel may be padded */
    PIECE = 64,  /* rows of the weight that are updated at once: a panel, 8 kB */
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

/* Columns of a panel, of which the last may be narrower; level "c" has none. */
static size_t panel_of(const mlp_pass *p)
{
    return p->mlp->level->panel ? p->mlp->level->panel : p->layer->out;
}

/* Rows of the weight from `row` on that lie in one block of its store, up to `end`. */
static size_t in_block(const mlp_pass *p, size_t row, size_t end)
{
    const size_t block = pts_product_block(p->layer->in, p->mlp->level->block);
    return part(end, row, block - row % block);
}

/* Floats from one row to the next of the panel that `column` is in. */
static size_t store_step(const mlp_pass *p, size_t column)
{
    const size_t panel = panel_of(p), lanes = p->mlp->level->panel ? p->mlp->level->lanes : 1;
    const size_t width = part(p->layer->out, column / panel * panel, panel);
    return (width + lanes - 1) / lanes * lanes;
}

size_t pts_mlp_linear_slab(const pts_mlp *mlp, const mlp_layer *layer, size_t rows)
{
    const size_t panel = mlp->level->panel ? mlp->level->panel : layer->out;
    const size_t backward = MLP_TILE_BACK * (STRIDE + CHUNK);
    const size_t gradient = MLP_TILE_IN * rows + PIECE * panel;
    return backward > gradient ? backward : gradient;
}

/* ---- forward ---- */

size_t pts_mlp_linear_copied(const mlp_layer *layer, size_t rows)
{
    return rows * pts_row_stride(layer->in);
}

/* x into mlp->copied [rows][row stride]; `first` and `count` are rows. */
void pts_mlp_linear_copy(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const size_t in = p->layer->in, stride = pts_row_stride(in);
    (void)slab;
    for (size_t r = first; r < first + count; r++)
        memcpy(p->mlp->copied + r * stride, p->x + r * in, in * sizeof *p->x);
}

/* y[:, part] = x · weight[:, part] + bias[part] */
void pts_mlp_linear_forward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    const pts_product product = {.rows = p->rows,
                                 .columns = layer->out,
                                 .depth = layer->in,
                                 .first = first,
                                 .end = first + count,
                                 .a = p->mlp->copied,
                                 .a_stride = pts_row_stride(layer->in),
                                 .b = p->mlp->store + layer->at,
                                 .bias = p->mlp->store + layer->bias_at,
                                 .c = layer->y,
                                 .c_stride = layer->out};
    (void)slab;
    p->mlp->level->product(&product);
}

/* ---- backward ---- */

/* Floats of a chunk's gradient, packed as it is and transposed. */
static size_t packed_chunk(size_t out)
{
    return CHUNK * (out + LANES) + (CHUNK + LANES) * out;
}

size_t pts_mlp_linear_packed(const mlp_layer *layer, size_t rows)
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

/* Rows [first, first + count) of one panel of B [depth][columns], a single block: its element (i,
 * j) is from[i·row_step + j·step]. The padding of the last panel is zeros. */
static void pack_panel(const pts_level *level, size_t first, size_t count, size_t width,
                       const float *from, size_t row_step, size_t step, float *panel)
{
    const size_t lanes = level->panel ? level->lanes : 1,
                 wide = (width + lanes - 1) / lanes * lanes;
    float *to = panel + first * wide;
    for (size_t i = 0; i < count; i++, to += wide, from += row_step) {
        for (size_t j = 0; j < width; j++)
            to[j] = from[j * step];
        for (size_t j = width; j < wide; j++)
            to[j] = 0;
    }
}

/* The gradient by outputs [first, first + count), both ways; first is a multiple of every panel. */
void pts_mlp_linear_pack(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const pts_level *level = p->mlp->level;
    const size_t out = p->layer->out, block = first / DEPTH * DEPTH,
                 depth = part(out, block, DEPTH);
    (void)slab;
    for (size_t r = 0; r < p->rows; r += CHUNK) {
        const size_t rows = part(p->rows, r, CHUNK);
        const float *dy = p->dy + r * out + first;
        if (level->panel)
            for (size_t c = 0; c < count; c += level->panel)
                pack_panel(level, 0, rows, part(count, c, level->panel), dy + c, out, 1,
                           packed_rows(p, r) + (first + c) * rows);
        else
            for (size_t i = 0; i < rows; i++)
                memcpy(packed_rows(p, r) + i * out + first, dy + i * out, count * sizeof *dy);
        const size_t panel = level->panel ? level->panel : rows;
        for (size_t c = 0; c < rows && p->dx; c += panel)
            pack_panel(level, first - block, count, part(rows, c, panel), dy + c * out, 1, out,
                       packed_outputs(p, r, block) + c * depth);
    }
}

/* Rows [first, first + count) of the weight, their columns [k, k + depth) → copy [count][STRIDE].
 */
static void copy_weight(const mlp_pass *p, size_t first, size_t count, size_t k, size_t depth,
                        float *copy)
{
    const mlp_layer *layer = p->layer;
    const pts_level *level = p->mlp->level;
    const size_t panel = level->panel ? level->panel : DEPTH;
    for (size_t i = first, run; i < first + count; i += run) {
        run = in_block(p, i, first + count);
        for (size_t c = k; c < k + depth; c += panel) {
            const size_t width = part(k + depth, c, panel), step = store_step(p, c);
            const float *from = p->mlp->store + layer->at +
                                pts_product_packed_at(level, layer->in, layer->out, i, c);
            for (size_t j = 0; j < run; j++)
                memcpy(copy + (i - first + j) * STRIDE + (c - k), from + j * step,
                       width * sizeof *copy);
        }
    }
}

/* dx[:, part] = dy · weight[part, :]ᵀ, as its transpose: the weight's rows stand left. */
void pts_mlp_linear_backward(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    float *copy = slab + MLP_TILE_BACK * CHUNK; /* slab: dxᵀ [count][rows] */
    for (size_t r = 0; r < p->rows; r += CHUNK) {
        const size_t rows = part(p->rows, r, CHUNK);
        for (size_t k = 0; k < layer->out; k += DEPTH) {
            const size_t depth = part(layer->out, k, DEPTH);
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
            copy_weight(p, first, count, k, depth, copy);
            p->mlp->level->product(&product);
        }
        transpose(slab, rows, count, rows, p->dx + r * layer->in + first, layer->in);
    }
}

/* ---- gradient ---- */

void pts_mlp_linear_bias(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    memset(slab, 0, count * sizeof *slab);
    for (size_t r = 0; r < p->rows; r++)
        for (size_t o = 0; o < count; o++)
            slab[o] += p->dy[r * layer->out + first + o];
    pts_mlp_use_gradient(p, layer->bias_at + first, count, slab);
}

/* Rows of the weight that lie in one block of its store, and x of their inputs, transposed. */
typedef struct strip {
    size_t first, count;
    const float *turned; /* of each chunk of rows: [count][its rows] */
} strip;

/* Rows [i, i + count) of a strip, the panel that begins at `column`: one run of the store. */
static void panel_gradient(const mlp_pass *p, const strip *s, size_t i, size_t count, size_t column,
                           float *gradient)
{
    const mlp_layer *layer = p->layer;
    const pts_level *level = p->mlp->level;
    const size_t width = part(layer->out, column, panel_of(p));
    const size_t stride = store_step(p, column);
    if (stride > width)
        memset(gradient, 0, count * stride * sizeof *gradient);
    for (size_t r = 0; r < p->rows; r += CHUNK) {
        const size_t rows = part(p->rows, r, CHUNK);
        const pts_product product = {.rows = count,
                                     .columns = width,
                                     .depth = rows,
                                     .end = width,
                                     .a = s->turned + r * s->count + i * rows,
                                     .a_stride = rows,
                                     .b = packed_rows(p, r) + column * rows,
                                     .c = gradient,
                                     .c_stride = stride,
                                     .accumulate = r > 0};
        level->product(&product);
    }
    const size_t at = pts_product_packed_at(level, layer->in, layer->out, s->first + i, column);
    pts_mlp_use_gradient(p, layer->at + at, count * stride, gradient);
}

static void strip_gradient(const mlp_pass *p, const strip *s, float *gradient)
{
    for (size_t c = 0; c < p->layer->out; c += panel_of(p))
        for (size_t i = 0; i < s->count; i += PIECE)
            panel_gradient(p, s, i, part(s->count, i, PIECE), c, gradient);
}

/* dweight[part, :] = x[:, part]ᵀ · dy; the part is a block of the weight's store. */
void pts_mlp_linear_gradient(const mlp_pass *p, size_t first, size_t count, float *slab)
{
    const mlp_layer *layer = p->layer;
    for (size_t r = 0; r < p->rows; r += CHUNK) {
        const size_t rows = part(p->rows, r, CHUNK);
        transpose(p->x + r * layer->in + first, layer->in, rows, count, slab + r * count, rows);
    }
    strip_gradient(p, &(strip){first, count, slab}, slab + MLP_TILE_IN * p->rows);
}
