/* Problem 19: 4.01377e-2 at (1.31, 0.4315, 0.6336, 0.5993, 0.7539, 0.9056, 1.365, 4.824, 2.399,
 * 4.569, 5.675).
 * The far starts lead to 1.78981, where all peaks have left the data; so do MINPACK's. */
#include "mgh/mgh.h"

#include <math.h>

static const double y[65] = {
    1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608,
    0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661,
    0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428,
    0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559,
    0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054};

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 0; i < 65; i++) {
        double t = i / 10.0;
        r[i] = y[i] - x[0] * exp(-t * x[4]);
        for (int k = 1; k < 4; k++)
            r[i] -= x[k] * exp(-(t - x[7 + k]) * (t - x[7 + k]) * x[4 + k]);
    }
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 0; i < 65; i++, j += 11) {
        double t = i / 10.0;
        j[0] = -exp(-t * x[4]);
        j[4] = -t * x[0] * j[0];
        for (int k = 1; k < 4; k++) {
            double s = t - x[7 + k];
            j[k] = -exp(-s * s * x[4 + k]);
            j[4 + k] = -x[k] * s * s * j[k];
            j[7 + k] = x[k] * 2 * s * x[4 + k] * j[k];
        }
    }
    return 0;
}

const mgh_problem mgh_osborne_2 = {"osborne_2",
                                   65,
                                   11,
                                   {1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5},
                                   {4.01377e-2, 1.78981},
                                   2,
                                   residuals,
                                   jacobian,
                                   7};
