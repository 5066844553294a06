/* Problem 3: 0 at (1.098e-5, 9.106).
 * The far starts leave x2 where its
 * derivative, e^−x2, is lost: a valley without slope. */
#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    r[0] = 1e4 * x[0] * x[1] - 1;
    r[1] = exp(-x[0]) + exp(-x[1]) - 1.0001;
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    j[0] = 1e4 * x[1], j[1] = 1e4 * x[0];
    j[2] = -exp(-x[0]), j[3] = -exp(-x[1]);
    return 0;
}

const mgh_problem mgh_powell_badly_scaled = {
    "powell_badly_scaled", 2, 2, {0, 1}, {0}, 1, residuals, jacobian, 1};
