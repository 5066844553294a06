/* Similarity-weighted neighbours (Nadaraya 1964, Watson 1964) and the nearest one. */
#include "learn/predictor.h"

#include <math.h>
#include <string.h>

pts_status pts_predictor_neighbours(const predictor_fold *f, const double *parameters,
                                    double *weights, pts_error *err)
{
    (void)err;
    for (size_t r = 0; r < f->rows; r++) {
        double *w = weights + r * f->count, sum = 0;
        for (size_t i = 0; i < f->count; i++)
            sum += w[i] = f->votes[i] * exp((f->similar[r * f->count + i] - 1) / parameters[0]);
        for (size_t i = 0; i < f->count; i++)
            w[i] /= sum;
    }
    return PTS_OK;
}

pts_status pts_predictor_nearest(const predictor_fold *f, const double *parameters, double *weights,
                                 pts_error *err)
{
    (void)parameters, (void)err;
    memset(weights, 0, f->rows * f->count * sizeof *weights);
    for (size_t r = 0; r < f->rows; r++) {
        size_t best = 0;
        for (size_t i = 1; i < f->count; i++)
            if (f->similar[r * f->count + i] > f->similar[r * f->count + best])
                best = i;
        weights[r * f->count + best] = 1;
    }
    return PTS_OK;
}
