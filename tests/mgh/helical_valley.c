/* Problem 7: 0 at (1, 0, 0). */
#include "mgh/mgh.h"

#include <math.h>

#define PI 3.14159265358979323846

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    double turn = atan(x[1] / x[0]) / (2 * PI) + (x[0] < 0 ? 0.5 : 0);
    r[0] = 10 * (x[2] - 10 * turn);
    r[1] = 10 * (hypot(x[0], x[1]) - 1);
    r[2] = x[2];
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    double radius = hypot(x[0], x[1]), part = 50 / (PI * radius * radius);
    j[0] = part * x[1], j[1] = -part * x[0], j[2] = 10;
    j[3] = 10 * x[0] / radius, j[4] = 10 * x[1] / radius, j[5] = 0;
    j[6] = 0, j[7] = 0, j[8] = 1;
    return 0;
}

const mgh_problem mgh_helical_valley = {"helical_valley", 3,        3, {-1, 0, 0}, {0}, 1,
                                        residuals,        jacobian, 7};
