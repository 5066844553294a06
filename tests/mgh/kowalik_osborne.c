/* Problem 15: 3.07505e-4 at (0.1928, 0.1913, 0.1231, 0.1361), and 1.02734e-3 at (∞, −14.07, −∞,
 * −∞).
 * The other four lie between poles; MINPACK finds them from random starts (local_minima.py). */
#include "mgh/mgh.h"

#include <math.h>

static const double y[11] = {0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627,
                             0.0456, 0.0342, 0.0323, 0.0235, 0.0246};
static const double u[11] = {4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625};

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 0; i < 11; i++)
        r[i] = y[i] - x[0] * u[i] * (u[i] + x[1]) / (u[i] * (u[i] + x[2]) + x[3]);
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 0; i < 11; i++, j += 4) {
        double top = u[i] * (u[i] + x[1]), d = u[i] * (u[i] + x[2]) + x[3];
        j[0] = -top / d;
        j[1] = -x[0] * u[i] / d;
        j[2] = x[0] * top * u[i] / (d * d);
        j[3] = x[0] * top / (d * d);
    }
    return 0;
}

const mgh_problem mgh_kowalik_osborne = {
    "kowalik_osborne",
    11,
    4,
    {0.25, 0.39, 0.415, 0.39},
    {3.07505e-4, 1.02734e-3, 9.4463e-4, 4.2367e-4, 1.5944e-3, 1.7945e-3},
    6,
    residuals,
    jacobian,
    7};
