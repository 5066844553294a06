/* The mean of a Gaussian process over embeddings (Rasmussen and Williams 2006, eq 2.25) around the
 * mean curve: kernel exp((cosine − 1) / parameters[0]), noise variance parameters[1], larger for
 * the classes of a data set that has many. */
#include "learn/predictor.h"

#include "base/error.h"
#include "base/memory.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

static void fill_kernel(const predictor_fold *f, const double *parameters, double *kernel)
{
    for (size_t i = 0; i < f->count; i++) {
        for (size_t j = 0; j < f->count; j++)
            kernel[i * f->count + j] = exp((f->among[i * f->count + j] - 1) / parameters[0]);
        kernel[i * f->count + i] += parameters[1] / (f->votes[i] * (double)f->count);
    }
}

pts_status pts_predictor_process(const predictor_fold *f, const double *parameters, double *weights,
                                 pts_error *err)
{
    double *kernel;
    PTS_TRY(pts_new(&kernel, f->count * f->count, sizeof *kernel, err));
    fill_kernel(f, parameters, kernel);
    for (size_t i = 0; i < f->rows * f->count; i++)
        weights[i] = exp((f->similar[i] - 1) / parameters[0]);
    /* Row-major questions are the columns of what LAPACK solves for. */
    int count = (int)f->count;
    const bool failed = LAPACKE_dposv(LAPACK_COL_MAJOR, 'L', count, (int)f->rows, kernel, count,
                                      weights, count) != 0;
    free(kernel);
    if (failed)
        return pts_fail(err, PTS_ERR_NUMERIC, "Gaussian process: kernel is not positive definite");
    for (size_t r = 0; r < f->rows; r++) {
        double rest = 1;
        for (size_t i = 0; i < f->count; i++)
            rest -= weights[r * f->count + i];
        for (size_t i = 0; i < f->count; i++)
            weights[r * f->count + i] += rest * f->votes[i];
    }
    return PTS_OK;
}
