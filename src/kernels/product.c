/* Packing for the product: see product.h. */
#include "base/memory.h"
#include "kernels/level.h"

#include <stdbool.h>
#include <string.h>

/* The columns of panel memory that `columns` (at most a panel) take. */
static size_t padded(const pts_level *level, size_t columns)
{
    return (columns + level->lanes - 1) / level->lanes * level->lanes;
}

bool pts_product_packed_floats(const pts_level *level, size_t depth, size_t columns, size_t *floats)
{
    size_t wide;
    return pts_add(columns, level->lanes, &wide) &&
           pts_mul(level->panel ? padded(level, columns) : columns, depth, floats);
}

/* One block, b [depth][b_stride]; returns where the next one begins. */
static float *pack_block(const pts_level *level, const float *b, size_t b_stride, size_t depth,
                         size_t columns, float *packed)
{
    for (size_t j = 0; j < columns; j += level->panel) {
        size_t count = columns - j < level->panel ? columns - j : level->panel;
        size_t width = padded(level, count);
        for (size_t k = 0; k < depth; k++, packed += width) {
            memcpy(packed, b + k * b_stride + j, count * sizeof *packed);
            memset(packed + count, 0, (width - count) * sizeof *packed);
        }
    }
    return packed;
}

void pts_product_pack(const pts_level *level, const float *b, size_t b_stride, size_t depth,
                      size_t columns, float *packed)
{
    if (!level->panel) {
        for (size_t k = 0; k < depth; k++)
            memcpy(packed + k * columns, b + k * b_stride, columns * sizeof *packed);
        return;
    }
    size_t block = pts_product_block(depth, level->block);
    for (size_t k = 0; k < depth; k += block) {
        size_t count = depth - k < block ? depth - k : block;
        packed = pack_block(level, b + k * b_stride, b_stride, count, columns, packed);
    }
}

size_t pts_product_packed_at(const pts_level *level, size_t depth, size_t columns, size_t row,
                             size_t column)
{
    if (!level->panel || !depth)
        return row * columns + column;
    size_t block = pts_product_block(depth, level->block), first = row / block * block;
    size_t count = depth - first < block ? depth - first : block;
    size_t panel = column / level->panel * level->panel, left = padded(level, columns) - panel;
    size_t width = left < level->panel ? left : level->panel;
    return first * padded(level, columns) + panel * count + (row - first) * width +
           (column - panel);
}

/* How a product is cut: `units` of `unit` columns each are dealt out evenly, and so are the rows.
 */
typedef struct share {
    const pts_level *level;
    const pts_product *whole;
    pts_activation_fn activation;
    size_t unit, units, row_parts, column_parts;
} share;

/* Where part `i` of `parts` begins. */
static size_t part_begin(size_t count, size_t parts, size_t i)
{
    return count / parts * i + (i < count % parts ? i : count % parts);
}

static void run_part(void *user, size_t task, int thread)
{
    const share *s = user;
    pts_product p = *s->whole;
    const size_t i = task / s->column_parts, j = task % s->column_parts;
    const size_t row = part_begin(p.rows, s->row_parts, i);
    (void)thread;
    p.rows = part_begin(p.rows, s->row_parts, i + 1) - row;
    p.a += row * p.a_stride;
    p.c += row * p.c_stride;
    p.end = p.first + s->unit * part_begin(s->units, s->column_parts, j + 1);
    p.first += s->unit * part_begin(s->units, s->column_parts, j);
    if (p.end > s->whole->end)
        p.end = s->whole->end;
    s->level->product(&p);
    for (size_t r = 0; s->activation && r < p.rows; r++)
        s->activation(p.c + r * p.c_stride + p.first, p.end - p.first);
}

/* Two parts a thread even out a core that is disturbed. */
static void cut(share *s, size_t threads)
{
    const size_t parts = 2 * threads, least = 2 * s->level->tile_rows;
    s->column_parts = (parts + s->row_parts - 1) / s->row_parts;
    if (s->column_parts > s->units)
        s->column_parts = s->units;
    size_t wanted = (parts + s->column_parts - 1) / s->column_parts;
    if (s->row_parts < wanted && s->whole->rows >= wanted * least)
        s->row_parts = wanted;
    if (s->row_parts > threads)
        s->row_parts = (s->row_parts + threads - 1) / threads * threads;
}

void pts_product_run(const pts_level *level, pts_team *team, const pts_product *p,
                     pts_activation_fn activation)
{
    enum { PLAIN_COLUMNS = 256 };
    const size_t width = p->end - p->first, threads = (size_t)pts_team_threads(team);
    share s = {.level = level, .whole = p, .activation = activation, .unit = level->panel};
    if (!p->rows || !width)
        return;
    s.row_parts = (p->rows + PTS_PRODUCT_ROWS - 1) / PTS_PRODUCT_ROWS;
    s.column_parts = 1;
    if (level->panel) {
        s.units = (width + s.unit - 1) / s.unit;
        if (threads > 1)
            cut(&s, threads);
    } else { /* in parts that do not follow the threads, as OpenBLAS's sums follow the parts */
        s.unit = PLAIN_COLUMNS;
        s.units = s.column_parts = (width + s.unit - 1) / s.unit;
    }
    pts_team_run(team, s.row_parts * s.column_parts, run_part, &s);
}
