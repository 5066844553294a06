/* Packing for the product: see product.h. */
#include "base/memory.h"
#include "kernels/level.h"

#include <string.h>

/* The columns of panel memory that `columns` (at most a panel) take. */
static size_t padded(const pts_level *level, size_t columns)
{
    return (columns + level->lanes - 1) / level->lanes * level->lanes;
}

int pts_product_packed_floats(const pts_level *level, size_t depth, size_t columns, size_t *floats)
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
    if (!level->panel)
        return row * columns + column;
    size_t block = pts_product_block(depth, level->block), first = row / block * block;
    size_t count = depth - first < block ? depth - first : block;
    size_t panel = column / level->panel * level->panel, left = padded(level, columns) - panel;
    size_t width = left < level->panel ? left : level->panel;
    return first * padded(level, columns) + panel * count + (row - first) * width +
           (column - panel);
}

typedef struct share {
    const pts_level *level;
    const pts_product *whole;
    size_t rows, columns, row_parts; /* of a task; tasks in a column of parts */
} share;

static void run_part(void *user, size_t task, int thread)
{
    const share *s = user;
    pts_product part = *s->whole;
    size_t first = task % s->row_parts * s->rows;
    (void)thread;
    part.rows = part.rows - first < s->rows ? part.rows - first : s->rows;
    part.a += first * part.a_stride;
    part.c += first * part.c_stride;
    part.first += task / s->row_parts * s->columns;
    if (part.end - part.first > s->columns)
        part.end = part.first + s->columns;
    s->level->product(&part);
}

/* Two parts a thread even out a core that is disturbed. Every part of the rows reads all of B:
 * below two register tiles a part, panels are shared out instead. */
void pts_product_run(const pts_level *level, pts_team *team, const pts_product *p)
{
    const size_t parts = 2 * (size_t)pts_team_threads(team), width = p->end - p->first;
    share s = {.level = level, .whole = p, .rows = p->rows, .columns = width};
    if (parts == 2) {
        level->product(p);
        return;
    }
    if (p->rows >= parts * 2 * level->tile_rows) {
        s.rows = (p->rows + parts - 1) / parts;
    } else {
        size_t panel = level->panel ? level->panel : 32, panels = (width + panel - 1) / panel;
        s.columns = (panels + parts - 1) / parts * panel;
    }
    s.row_parts = (p->rows + s.rows - 1) / s.rows;
    pts_team_run(team, s.row_parts * ((width + s.columns - 1) / s.columns), run_part, &s);
}
