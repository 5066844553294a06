/* Problem 5: 0 at (3, 0.5).
 * The far starts lead to 0.452009 at (−∞, 1). */
#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    static const double y[3] = {1.5, 2.25, 2.625};
    for (int i = 0; i < 3; i++)
        r[i] = y[i] - x[0] * (1 - pow(x[1], i + 1));
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 0; i < 3; i++, j += 2) {
        j[0] = pow(x[1], i + 1) - 1;
        j[1] = x[0] * (i + 1) * pow(x[1], i);
    }
    return 0;
}

const mgh_problem mgh_beale = {"beale", 3, 2, {1, 1}, {0, 0.452009}, 2, residuals, jacobian, 7};
