#include "pts/gemm.h"
#include "base/error.h"
#include "base/memory.h"
#include "kernels/level.h"

#include <limits.h>
#include <stdlib.h>

struct pts_matrix {
    const pts_level *level;
    size_t depth, columns;
    float *packed;
};

/* OpenBLAS counts in int. */
static pts_status check_side(const char *what, size_t value, size_t least, pts_error *err)
{
    if (value < least)
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected at least %zu, got %zu", what, least,
                        value);
    if (value > INT_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %d, got %zu", what, INT_MAX,
                        value);
    return PTS_OK;
}

pts_status pts_matrix_pack(pts_matrix **out, const float *b, size_t depth, size_t columns,
                           pts_error *err)
{
    const pts_level *level = pts_level_current();
    size_t floats;
    *out = NULL;
    PTS_TRY(check_side("matrix: depth", depth, 1, err));
    PTS_TRY(check_side("matrix: columns", columns, 1, err));
    if (!pts_product_packed_floats(level, depth, columns, &floats))
        return pts_fail_memory(err, SIZE_MAX);
    pts_matrix *matrix;
    PTS_TRY(pts_new(&matrix, 1, sizeof *matrix, err));
    *matrix = (pts_matrix){level, depth, columns, NULL};
    pts_status status = pts_new(&matrix->packed, floats, sizeof(float), err);
    if (status != PTS_OK) {
        free(matrix);
        return status;
    }
    pts_product_pack(level, b, columns, depth, columns, matrix->packed);
    *out = matrix;
    return PTS_OK;
}

void pts_matrix_free(pts_matrix *matrix)
{
    if (matrix)
        free(matrix->packed);
    free(matrix);
}

size_t pts_matrix_depth(const pts_matrix *matrix)
{
    return matrix->depth;
}

size_t pts_matrix_columns(const pts_matrix *matrix)
{
    return matrix->columns;
}

pts_status pts_gemm(pts_team *team, const pts_matrix *matrix, const float *a, size_t a_stride,
                    size_t rows, const float *bias, float *c, size_t c_stride, pts_error *err)
{
    PTS_TRY(check_side("product: rows", rows, 0, err));
    PTS_TRY(check_side("product: stride of a", a_stride, matrix->depth, err));
    PTS_TRY(check_side("product: stride of c", c_stride, matrix->columns, err));
    if (!rows)
        return PTS_OK;
    const pts_product product = {.rows = rows,
                                 .columns = matrix->columns,
                                 .depth = matrix->depth,
                                 .end = matrix->columns,
                                 .a = a,
                                 .a_stride = a_stride,
                                 .b = matrix->packed,
                                 .bias = bias,
                                 .c = c,
                                 .c_stride = c_stride};
    pts_product_run(matrix->level, team, &product, NULL);
    return PTS_OK;
}
