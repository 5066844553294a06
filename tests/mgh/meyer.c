/* Problem 10: 87.9458 at (5.610e-3, 6181, 345.2). */
#include "mgh/mgh.h"

#include <math.h>

static const double y[16] = {34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744,
                             8261,  7030,  6005,  5147,  4427,  3820,  3307,  2872};

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 1; i <= 16; i++)
        r[i - 1] = x[0] * exp(x[1] / (45 + 5.0 * i + x[2])) - y[i - 1];
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 1; i <= 16; i++, j += 3) {
        double d = 45 + 5.0 * i + x[2], e = exp(x[1] / d);
        j[0] = e;
        j[1] = x[0] * e / d;
        j[2] = -x[0] * e * x[1] / (d * d);
    }
    return 0;
}

const mgh_problem mgh_meyer = {"meyer",   16,       3, {0.02, 4000, 250}, {87.9458}, 1,
                               residuals, jacobian, 7};
