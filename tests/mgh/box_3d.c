/* Problem 12: 0 at (1, 10, 1), (10, 1, −1) and wherever x1 = x2 and x3 = 0.
 * The far starts lead to 0.0755887, as MINPACK's do. */
#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 1; i <= 10; i++) {
        double t = 0.1 * i;
        r[i - 1] = exp(-t * x[0]) - exp(-t * x[1]) - x[2] * (exp(-t) - exp(-10 * t));
    }
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 1; i <= 10; i++, j += 3) {
        double t = 0.1 * i;
        j[0] = -t * exp(-t * x[0]);
        j[1] = t * exp(-t * x[1]);
        j[2] = exp(-10 * t) - exp(-t);
    }
    return 0;
}

const mgh_problem mgh_box_3d = {"box_3d",  10,       3, {0, 10, 20}, {0, 0.0755887}, 2,
                                residuals, jacobian, 7};
