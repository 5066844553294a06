/* Problem 14: 0 at (1, 1, 1, 1). */
#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    r[0] = 10 * (x[1] - x[0] * x[0]);
    r[1] = 1 - x[0];
    r[2] = sqrt(90) * (x[3] - x[2] * x[2]);
    r[3] = 1 - x[2];
    r[4] = sqrt(10) * (x[1] + x[3] - 2);
    r[5] = (x[1] - x[3]) / sqrt(10);
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 0; i < 24; i++)
        j[i] = 0;
    j[0] = -20 * x[0], j[1] = 10;
    j[4] = -1;
    j[10] = -2 * sqrt(90) * x[2], j[11] = sqrt(90);
    j[14] = -1;
    j[17] = sqrt(10), j[19] = sqrt(10);
    j[21] = 1 / sqrt(10), j[23] = -j[21];
    return 0;
}

const mgh_problem mgh_wood = {"wood", 6, 4, {-3, -1, -3, -1}, {0}, 1, residuals, jacobian, 7};
