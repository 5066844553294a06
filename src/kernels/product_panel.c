/* The packed product of the levels with registers to spare: see product.h. */
#include "kernels/level_functions.h"

typedef struct tile {
    const float *a; /* [rows][a_stride] */
    size_t a_stride;
    const float *b; /* [depth][width·PTS_LANES] */
    size_t depth;
    float *c; /* [rows][c_stride] */
    size_t c_stride;
    const float *bias; /* [width·PTS_LANES], or NULL */
    const char *ahead; /* this tile's share of the panel after this one … */
    size_t ahead_step; /* … to be fetched so many bytes a step of the depth */
    bool load, relu;   /* begin with C; end with max(0, C) */
} tile;

typedef vec tile_sums[TILE_ROWS][2];

INLINE void begin_tile(size_t rows, size_t width, const tile *t, tile_sums sum)
{
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t w = 0; w < width; w++)
            sum[r][w] = t->load ? vec_load(t->c + r * t->c_stride + w * PTS_LANES) : vec_set(0);
    }
}

/* Rows are addressed from every third one as base, base + stride and base + 2·stride: fourteen
 * pointers do not fit the sixteen general registers, five do. */
INLINE void sum_tile(size_t rows, size_t width, const tile *t, tile_sums sum)
{
    const char *base[(TILE_ROWS + 2) / 3];
    const size_t step = t->a_stride * sizeof *t->a;
    const float *b = t->b;
    UNROLL
    for (size_t g = 0; 3 * g < rows; g++)
        base[g] = (const char *)(t->a + 3 * g * t->a_stride);
    const char *ahead = t->ahead;
    for (size_t k = 0; k < t->depth; k++, b += width * PTS_LANES, ahead += t->ahead_step) {
        vec right[2];
        __builtin_prefetch(ahead, 0, 2);
        UNROLL
        for (size_t w = 0; w < width; w++)
            right[w] = vec_load(b + w * PTS_LANES);
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            vec left = vec_set(*(const float *)(base[r / 3] + r % 3 * step));
            UNROLL
            for (size_t w = 0; w < width; w++)
                sum[r][w] = vec_fma(left, right[w], sum[r][w]);
        }
        UNROLL
        for (size_t g = 0; 3 * g < rows; g++)
            base[g] += sizeof(float);
    }
}

INLINE void end_tile(size_t rows, size_t width, const tile *t, tile_sums sum)
{
    UNROLL
    for (size_t w = 0; w < width; w++) {
        vec bias = t->bias ? vec_load(t->bias + w * PTS_LANES) : vec_set(0);
        UNROLL
        for (size_t r = 0; r < rows; r++)
            sum[r][w] = sum[r][w] + bias;
        if (t->relu) {
            UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r][w] = vec_max(sum[r][w], vec_set(0));
        }
        UNROLL
        for (size_t r = 0; r < rows; r++)
            vec_store(t->c + r * t->c_stride + w * PTS_LANES, sum[r][w]);
    }
}

/* With `rows` and `width` constant after inlining the sums are registers. */
INLINE void run_tile(size_t rows, size_t width, const tile *t)
{
    tile_sums sum;
    begin_tile(rows, width, t, sum);
    sum_tile(rows, width, t, sum);
    end_tile(rows, width, t, sum);
}

#define TILE(rows)                                                                                 \
    static void tile_##rows##_1(const tile *t)                                                     \
    {                                                                                              \
        run_tile(rows, 1, t);                                                                      \
    }                                                                                              \
    static void tile_##rows##_2(const tile *t)                                                     \
    {                                                                                              \
        run_tile(rows, 2, t);                                                                      \
    }

TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)
#if PTS_LANES == 16
TILE(7)
TILE(8)
TILE(9)
TILE(10)
TILE(11)
TILE(12)
TILE(13)
TILE(14)
#endif

#define ROW(rows)                                                                                  \
    {                                                                                              \
        tile_##rows##_1, tile_##rows##_2                                                           \
    }

static void (*const tiles[TILE_ROWS][2])(const tile *) = {
    ROW(1), ROW(2), ROW(3), ROW(4),  ROW(5),  ROW(6),
#if PTS_LANES == 16
    ROW(7), ROW(8), ROW(9), ROW(10), ROW(11), ROW(12), ROW(13), ROW(14),
#endif
};

/* The last panel may be wider than what is left of C: then the tile is computed beside it. */
static void run_partial_tile(size_t rows, size_t width, size_t columns, const tile *t)
{
    float beside[TILE_ROWS * PANEL] = {0}, bias[PANEL] = {0};
    tile padded = *t;
    padded.c = beside;
    padded.c_stride = PANEL;
    if (t->bias) {
        memcpy(bias, t->bias, columns * sizeof *bias);
        padded.bias = bias;
    }
    for (size_t r = 0; r < rows && t->load; r++)
        memcpy(beside + r * PANEL, t->c + r * t->c_stride, columns * sizeof *beside);
    tiles[rows - 1][width - 1](&padded);
    for (size_t r = 0; r < rows; r++)
        memcpy(t->c + r * t->c_stride, beside + r * PANEL, columns * sizeof *beside);
}

/* All rows of one panel's columns, one block of the depth; tiles differ by a row at most. */
static void run_panel(const pts_product *p, size_t columns, tile t, const float *next)
{
    const size_t width = columns > PTS_LANES ? 2 : 1, bytes = width * PTS_LANES * sizeof(float);
    const size_t count = (p->rows + TILE_ROWS - 1) / TILE_ROWS;
    t.ahead = (const char *)next;
    t.ahead_step = bytes / count;
    for (size_t i = 0; i < count; i++) {
        size_t rows = p->rows / count + (i < p->rows % count);
        if (!rows || rows > TILE_ROWS)
            __builtin_unreachable(); /* an even cut into ⌈rows / TILE_ROWS⌉: analysers do not see */
        if (columns == width * PTS_LANES)
            tiles[rows - 1][width - 1](&t);
        else
            run_partial_tile(rows, width, columns, &t);
        t.a += rows * t.a_stride;
        t.c += rows * t.c_stride;
        t.ahead += t.depth * t.ahead_step;
    }
}

/* Block `k` of the depth, its panels from `first` on; `next` is what is read after the last. */
static void run_block(const pts_product *p, size_t k, size_t depth, const float *b,
                      const float *next)
{
    const bool last = k + depth >= p->depth;
    tile t = {.a = p->a + k, .a_stride = p->a_stride, .depth = depth, .c_stride = p->c_stride};
    t.load = k > 0 || p->accumulate;
    t.relu = last && p->relu;
    for (size_t j = p->first; j < p->end; j += PANEL) {
        size_t columns = p->columns - j < PANEL ? p->columns - j : PANEL;
        t.b = b + j * depth;
        t.c = p->c + j;
        t.bias = last && p->bias ? p->bias + j : NULL;
        run_panel(p, columns, t, j + PANEL < p->end ? t.b + PANEL * depth : next);
    }
}

/* After the last block the next matrix is expected behind this one: Winograd's points lie so. */
void LEVEL(product)(const pts_product *p)
{
    const size_t block = pts_product_block(p->depth, BLOCK_DEPTH);
    const size_t stride = (p->columns + PTS_LANES - 1) / PTS_LANES * PTS_LANES;
    for (size_t k = 0; k < p->depth; k += block) {
        const size_t left = p->depth - k, depth = left < block ? left : block;
        const float *b = p->b + k * stride, *after = b + depth * stride;
        const size_t next_depth = left - depth < block ? left - depth : block;
        run_block(p, k, depth, b, after + p->first * next_depth);
    }
}
