/* Problem 13: 0 at 0, where the Jacobian has rank 2: convergence is linear. */
#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    r[0] = x[0] + 10 * x[1];
    r[1] = sqrt(5) * (x[2] - x[3]);
    r[2] = (x[1] - 2 * x[2]) * (x[1] - 2 * x[2]);
    r[3] = sqrt(10) * (x[0] - x[3]) * (x[0] - x[3]);
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 0; i < 16; i++)
        j[i] = 0;
    j[0] = 1, j[1] = 10;
    j[6] = sqrt(5), j[7] = -j[6];
    j[9] = 2 * (x[1] - 2 * x[2]), j[10] = -2 * j[9];
    j[12] = 2 * sqrt(10) * (x[0] - x[3]), j[15] = -j[12];
    return 0;
}

const mgh_problem mgh_powell_singular = {"powell_singular", 4,        4, {3, -1, 0, 1}, {0}, 1,
                                         residuals,         jacobian, 7};
