#include "segment/pca.h"
#include "base/error.h"
#include "base/memory.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

pts_status pts_pca_create(pca *p, size_t channels, pts_error *err)
{
    *p = (pca){.channels = channels};
    PTS_TRY(pts_new(&p->sum, channels, sizeof *p->sum, err));
    PTS_TRY(pts_new(&p->products, channels * channels, sizeof *p->products, err));
    return pts_new(&p->scratch, channels * channels, sizeof *p->scratch, err);
}

void pts_pca_free(pca *p)
{
    free(p->sum);
    free(p->products);
    free(p->scratch);
    *p = (pca){0};
}

void pts_pca_add(pca *p, const float *rows, size_t count)
{
    size_t c = p->channels;
    for (size_t r = 0; r < count; r++) {
        for (size_t i = 0; i < c; i++)
            p->sum[i] += rows[r * c + i];
    }
    cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)c, (int)count, 1, rows, (int)c, 0,
                p->scratch, (int)c);
    for (size_t i = 0; i < c * c; i++)
        p->products[i] += p->scratch[i];
    p->rows += (double)count;
}

/* products → covariance, eigenvalues rising in `values`, eigenvectors in the rows of products. */
static pts_status eigen(pca *p, double *values, pts_error *err)
{
    size_t c = p->channels;
    for (size_t i = 0; i < c; i++) {
        for (size_t j = i; j < c; j++)
            p->products[i * c + j] =
                p->products[i * c + j] / p->rows - p->sum[i] / p->rows * (p->sum[j] / p->rows);
    }
    /* The row-major upper triangle is the column-major lower one. */
    int info = (int)LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)c, p->products,
                                   (lapack_int)c, values);
    if (info != 0)
        return pts_fail(err, PTS_ERR_NUMERIC, "principal components: eigenvalues did not converge");
    return PTS_OK;
}

/* Half whitened, by the fourth root of the variance: in full, the last components' noise would
 * weigh as much as the first. */
static void fill_projection(const pca *p, const double *values, size_t kept, float *weight,
                            float *offset)
{
    size_t c = p->channels, k = kept;
    double total = 0;
    for (size_t i = 0; i < k; i++)
        total += sqrt(fmax(values[c - 1 - i], 0));
    double level = total > 0 ? sqrt((double)k / total) : 1;
    for (size_t i = 0; i < k; i++) {
        double value = fmax(values[c - 1 - i], 1e-12);
        const double *vector = p->products + (c - 1 - i) * c;
        double scale = level / sqrt(sqrt(value)), mean = 0;
        for (size_t j = 0; j < c; j++) {
            weight[j * k + i] = (float)(vector[j] * scale);
            mean += vector[j] * scale * (p->sum[j] / p->rows);
        }
        offset[i] = (float)-mean;
    }
}

pts_status pts_pca_solve(pca *p, size_t kept, float *weight, float *offset, pts_error *err)
{
    double *values;
    PTS_TRY(pts_new(&values, p->channels, sizeof *values, err));
    pts_status status = eigen(p, values, err);
    if (status == PTS_OK)
        fill_projection(p, values, kept, weight, offset);
    free(values);
    return status;
}
