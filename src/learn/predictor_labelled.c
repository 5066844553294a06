/* With labelled photographs: half neighbours by labels (radius parameters[0]), half ridge on labels
 * (parameters[1]). What the photographs look like is left out: beside labels it told nothing more
 * (a third part, neighbours by embedding, left the held-out curve error where it was). */
#include "learn/predictor.h"

#include "base/error.h"
#include "base/memory.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS = PREDICTOR_LABELS };

/* Label numbers on the scale of the known ones; a question's stay within 2.5 deviations. One that
 * does not vary is left to 1e-4, far above the rounding of a head's file. */
static void standardise(const predictor_fold *f, double *known, double *asked)
{
    for (size_t k = 0; k < LABELS; k++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < f->count; i++)
            mean += f->votes[i] * f->labels[i * LABELS + k];
        for (size_t i = 0; i < f->count; i++)
            square += f->votes[i] * pow(f->labels[i * LABELS + k] - mean, 2);
        double scale = 1 / (sqrt(square) + 1e-4);
        for (size_t i = 0; i < f->count; i++)
            known[i * LABELS + k] = (f->labels[i * LABELS + k] - mean) * scale;
        for (size_t r = 0; r < f->rows; r++)
            asked[r * LABELS + k] =
                fmin(fmax((f->asked[r * LABELS + k] - mean) * scale, -2.5), 2.5);
    }
}

/* The sum starts above 0: far from all known curves every kernel underflows. */
static void add_neighbours(const predictor_fold *f, const double *known, const double *asked,
                           double radius, double *weights, double *own)
{
    for (size_t r = 0; r < f->rows; r++) {
        double sum = 1e-300;
        for (size_t i = 0; i < f->count; i++) {
            double distance = 0;
            for (size_t k = 0; k < LABELS; k++)
                distance += pow(known[i * LABELS + k] - asked[r * LABELS + k], 2) / LABELS;
            sum += own[i] = f->votes[i] * exp(-distance / (2 * radius * radius));
        }
        for (size_t i = 0; i < f->count; i++)
            weights[r * f->count + i] += own[i] / sum;
    }
}

/* Known numbers are centred, so the intercept is the mean curve: a row of weights is
 * votes·(1 + asked·(XᵀVX + λI)⁻¹·known). */
static bool add_ridge(const predictor_fold *f, const double *known, const double *asked,
                      double penalty, double *weights)
{
    double matrix[LABELS * LABELS] = {0}, solved[LABELS];
    for (size_t i = 0; i < f->count; i++)
        for (size_t k = 0; k < LABELS * LABELS; k++)
            matrix[k] +=
                f->votes[i] * known[i * LABELS + k / LABELS] * known[i * LABELS + k % LABELS];
    for (size_t k = 0; k < LABELS; k++)
        matrix[k * (LABELS + 1)] += penalty;
    if (LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', LABELS, matrix, LABELS) != 0)
        return false;
    for (size_t r = 0; r < f->rows; r++) {
        memcpy(solved, asked + r * LABELS, sizeof solved);
        LAPACKE_dpotrs(LAPACK_ROW_MAJOR, 'L', LABELS, 1, matrix, LABELS, solved, 1);
        for (size_t i = 0; i < f->count; i++) {
            double tilt = 1;
            for (size_t k = 0; k < LABELS; k++)
                tilt += solved[k] * known[i * LABELS + k];
            weights[r * f->count + i] += f->votes[i] * tilt;
        }
    }
    return true;
}

pts_status pts_predictor_labelled(const predictor_fold *f, const double *parameters,
                                  double *weights, pts_error *err)
{
    size_t floats = (f->count + f->rows) * LABELS + f->count;
    double *known;
    PTS_TRY(pts_new(&known, floats, sizeof *known, err));
    double *asked = known + f->count * LABELS;
    standardise(f, known, asked);
    pts_status status = PTS_OK;
    memset(weights, 0, f->rows * f->count * sizeof *weights);
    add_neighbours(f, known, asked, parameters[0], weights, asked + f->rows * LABELS);
    if (!add_ridge(f, known, asked, parameters[1], weights))
        status = pts_fail(err, PTS_ERR_NUMERIC, "labels: their numbers are not finite");
    for (size_t i = 0; i < f->rows * f->count; i++)
        weights[i] /= 2;
    free(known);
    return status;
}
