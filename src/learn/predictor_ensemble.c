/* Averages of predictors. */
#include "learn/predictor.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

/* Half neighbours (parameters[0]), half Gaussian process (parameters[1], [2]). */
pts_status pts_predictor_ensemble(const predictor_fold *f, const double *parameters,
                                  double *weights, pts_error *err)
{
    size_t count = f->rows * f->count;
    double *other;
    PTS_TRY(pts_new(&other, count, sizeof *other, err));
    pts_status status = pts_predictor_neighbours(f, parameters, weights, err);
    if (status == PTS_OK)
        status = pts_predictor_process(f, parameters + 1, other, err);
    for (size_t i = 0; i < count; i++)
        weights[i] = (weights[i] + other[i]) / 2;
    free(other);
    return status;
}
