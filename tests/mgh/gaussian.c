/* Problem 9: 1.12793e-8 at (0.3990, 1.000, 0); the far starts see only the tail, where every curve
 * is 0. */
#include "mgh/mgh.h"

#include <math.h>

static const double y[8] = {0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989};

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 0; i < 15; i++) {
        double t = (7 - i) / 2.0 - x[2];
        r[i] = x[0] * exp(-x[1] * t * t / 2) - y[i < 8 ? i : 14 - i];
    }
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 0; i < 15; i++, j += 3) {
        double t = (7 - i) / 2.0 - x[2], e = exp(-x[1] * t * t / 2);
        j[0] = e;
        j[1] = -x[0] * e * t * t / 2;
        j[2] = x[0] * e * x[1] * t;
    }
    return 0;
}

const mgh_problem mgh_gaussian = {"gaussian", 15,       3, {0.4, 1, 0}, {1.12793e-8}, 1,
                                  residuals,  jacobian, 7};
