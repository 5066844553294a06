/* The matrix product of every level: C = A·B, B packed once.
 *
 * B [depth][columns] is packed in the order in which it is read: blocks of equal depth (at most
 * level->block), in a block panels of level->panel columns (the last one narrower: a multiple of
 * the vector, padded with zeros), in a panel [depth][its width]. So the whole of B is one run
 * through memory, which the micro-kernel asks for a panel ahead (Goto and van de Geijn 2008,
 * "Anatomy of High-Performance Matrix Multiplication"; the register tile as in BLIS). A is not
 * packed: its elements are broadcast from where they lie, rows `a_stride` floats apart. */
#ifndef PTS_SRC_KERNELS_PRODUCT_H
#define PTS_SRC_KERNELS_PRODUCT_H

#include "kernels/row.h"
#include "pts/base.h"

#include <stdbool.h>

typedef struct pts_product {
    size_t rows, columns, depth;
    size_t first, end; /* only these columns of C are computed; first is a multiple of the panel */
    const float *a;    /* [rows][a_stride], the first `depth` of each row */
    size_t a_stride;
    const float *b;    /* [depth][columns], packed by pts_product_pack */
    const float *bias; /* [columns], or NULL */
    float *c;          /* [rows][c_stride] */
    size_t c_stride;
    bool accumulate; /* C += A·B instead of C = A·B */
    bool relu;       /* C = max(0, …) at the end */
} pts_product;

/* Depth of the blocks of a product, 1 at the least: all but the last have it. */
static inline size_t pts_product_block(size_t depth, size_t block)
{
    size_t blocks = (depth + block - 1) / block;
    return blocks ? (depth + blocks - 1) / blocks : 1;
}

/* Rows and depth of 1 or more; `first` is a multiple of the panel, `end` too or else `columns`.
 * With panels, each element of C is summed in the same order whatever the rows and columns are, so
 * that cutting a product up changes no bit; OpenBLAS's order follows the sizes that it is given. */
typedef void (*pts_product_fn)(const pts_product *p);

struct pts_level;
/* Floats of a packed B; its block must be 64-byte aligned. False where that does not fit. */
bool pts_product_packed_floats(const struct pts_level *level, size_t depth, size_t columns,
                               size_t *floats);
/* b [depth][b_stride] → packed. */
void pts_product_pack(const struct pts_level *level, const float *b, size_t b_stride, size_t depth,
                      size_t columns, float *packed);
/* Where in a packed B its element (row, column) lies; the rest of the panel's row follows it. */
size_t pts_product_packed_at(const struct pts_level *level, size_t depth, size_t columns,
                             size_t row, size_t column);

/* Rows that a part takes at most: 256 of them, a block deep, fit the second-level cache (112 are as
 * fast, 56 slower, as B is then read too often). */
enum { PTS_PRODUCT_ROWS = 256 };

/* The product on the whole team, then `activation` (or NULL) on each part of C that is finished,
 * while it is in the cache. Columns are shared out before rows, so that B, which may be larger
 * than all caches, passes through the team once every PTS_PRODUCT_ROWS rows. No bit depends on
 * the number of threads. Nothing is done where there are no rows or columns. */
void pts_product_run(const struct pts_level *level, pts_team *team, const pts_product *p,
                     pts_activation_fn activation);

#endif
