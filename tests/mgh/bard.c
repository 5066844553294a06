/* Problem 8: 8.21487e-3 at (0.08241, 1.133, 2.344), and 17.4286 at (0.8406, −∞, −∞), to which the
 * far starts lead. */
#include "mgh/mgh.h"

#include <math.h>

static const double y[15] = {0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39,
                             0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39};

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 1; i <= 15; i++) {
        double v = 16 - i, w = i < 8 ? i : v;
        r[i - 1] = y[i - 1] - (x[0] + i / (v * x[1] + w * x[2]));
    }
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 1; i <= 15; i++, j += 3) {
        double v = 16 - i, w = i < 8 ? i : v, d = v * x[1] + w * x[2];
        j[0] = -1;
        j[1] = i * v / (d * d);
        j[2] = i * w / (d * d);
    }
    return 0;
}

const mgh_problem mgh_bard = {"bard", 15,        3,        {1, 1, 1}, {8.21487e-3, 17.4286},
                              2,      residuals, jacobian, 7};
