/* pts/gemm.h: the matrix product that the encoders are made of, C = A·B + bias, float32.
 *
 *   pts_matrix *m;
 *   if (pts_matrix_pack(&m, b, depth, columns, &err) != PTS_OK) …            // b [depth][columns]
 *   pts_gemm(team, m, a, depth, rows, NULL, c, columns, &err);               // c [rows][columns]
 *   pts_matrix_free(m);
 *
 * B is packed once, into the panels that the micro-kernel of the CPU level in force reads front to
 * back (Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication"); A and C
 * stay as they are. At level "c" the product is OpenBLAS's. Each element of C is summed in the
 * same order on any number of threads, and for any number of rows, except at level "c".
 * Rounding as in any float32 product: |error| ≤ about √depth · 2⁻²⁴ · Σ|a·b| for one element. */
#ifndef PTS_GEMM_H
#define PTS_GEMM_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A packed B. Immutable: any number of threads may multiply by it at once. */
typedef struct pts_matrix pts_matrix;

/* b [depth][columns] is copied. The product keeps the level that is in force now (pts/cpu.h).
 * PTS_ERR_ARGUMENT: a side is 0; PTS_ERR_LIMIT: above 2³¹ − 1; PTS_ERR_MEMORY. */
pts_status pts_matrix_pack(pts_matrix **out, const float *b, size_t depth, size_t columns,
                           pts_error *err);
void pts_matrix_free(pts_matrix *matrix);
size_t pts_matrix_depth(const pts_matrix *matrix);
size_t pts_matrix_columns(const pts_matrix *matrix);

/* c = a·B + bias, on the team (NULL: in the calling thread). Rows of a [rows][depth] and
 * c [rows][columns] lie a_stride and c_stride floats apart; what is between them is not touched.
 * bias [columns], or NULL: zeros. rows may be 0. c may overlap none of the inputs.
 * PTS_ERR_ARGUMENT: a stride is shorter than its row; PTS_ERR_LIMIT: rows or a stride above
 * 2³¹ − 1. No memory is taken, and nothing else fails. */
pts_status pts_gemm(pts_team *team, const pts_matrix *matrix, const float *a, size_t a_stride,
                    size_t rows, const float *bias, float *c, size_t c_stride, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
