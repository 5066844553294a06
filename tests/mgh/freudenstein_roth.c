/* Problem 2: 0 at (5, 4), and a local minimum at (11.41, −0.8968), to which the standard start
 * leads. */
#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    r[0] = -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1];
    r[1] = -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1];
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    j[0] = 1, j[1] = (10 - 3 * x[1]) * x[1] - 2;
    j[2] = 1, j[3] = (3 * x[1] + 2) * x[1] - 14;
    return 0;
}

const mgh_problem mgh_freudenstein_roth = {
    "freudenstein_roth", 2, 2, {0.5, -2}, {0, 48.9842}, 2, residuals, jacobian, 7};
