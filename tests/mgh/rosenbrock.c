/* Problem 1: the banana valley; (1, 1). */
#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    r[0] = 10 * (x[1] - x[0] * x[0]);
    r[1] = 1 - x[0];
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    j[0] = -20 * x[0], j[1] = 10;
    j[2] = -1, j[3] = 0;
    return 0;
}

const mgh_problem mgh_rosenbrock = {"rosenbrock", 2, 2, {-1.2, 1}, {0}, 1, residuals, jacobian, 7};
