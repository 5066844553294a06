/* Level "c": OpenBLAS computes the product, from B as it is. */
#include "kernels/level_functions.h"

#include <cblas.h>

void LEVEL(product)(const pts_product *p)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->rows, (int)(p->end - p->first),
                (int)p->depth, 1, p->a, (int)p->a_stride, p->b + p->first, (int)p->columns,
                p->accumulate ? 1 : 0, p->c + p->first, (int)p->c_stride);
    for (size_t r = 0; r < p->rows && (p->bias || p->relu); r++) {
        float *c = p->c + r * p->c_stride;
        for (size_t j = p->first; j < p->end; j++) {
            float v = c[j] + (p->bias ? p->bias[j] : 0);
            c[j] = !p->relu || v > 0 ? v : 0;
        }
    }
}
