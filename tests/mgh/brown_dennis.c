/* Problem 16: 85822.2 at (−11.59, 13.20, −0.4034, 0.2368): a residual so large that
 * Gauss–Newton alone crawls. */
#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 1; i <= 20; i++) {
        double t = i / 5.0, a = x[0] + t * x[1] - exp(t), b = x[2] + x[3] * sin(t) - cos(t);
        r[i - 1] = a * a + b * b;
    }
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 1; i <= 20; i++, j += 4) {
        double t = i / 5.0, a = x[0] + t * x[1] - exp(t), b = x[2] + x[3] * sin(t) - cos(t);
        j[0] = 2 * a;
        j[1] = 2 * a * t;
        j[2] = 2 * b;
        j[3] = 2 * b * sin(t);
    }
    return 0;
}

const mgh_problem mgh_brown_dennis = {"brown_dennis", 20,       4, {25, 5, -5, -1}, {85822.2}, 1,
                                      residuals,      jacobian, 7};
