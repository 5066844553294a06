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

void pts_product_pack(const pts_level *level, const float *b, size_t b_stride, size_t depth,
                      size_t columns, float *packed)
{
    size_t panel = level->panel ? level->panel : columns;
    for (size_t j = 0; j < columns; j += panel) {
        size_t count = columns - j < panel ? columns - j : panel;
        size_t width = level->panel ? padded(level, count) : count;
        for (size_t k = 0; k < depth; k++, packed += width) {
            memcpy(packed, b + k * b_stride + j, count * sizeof *packed);
            memset(packed + count, 0, (width - count) * sizeof *packed);
        }
    }
}
