/* Problem 17: 5.46489e-5 at (0.3754, 1.936, −1.465, 0.01287, 0.02212). */
#include "mgh/mgh.h"

#include <math.h>

static const double y[33] = {0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818,
                             0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558,
                             0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438,
                             0.431, 0.424, 0.420, 0.414, 0.411, 0.406};

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 0; i < 33; i++)
        r[i] = y[i] - (x[0] + x[1] * exp(-10 * i * x[3]) + x[2] * exp(-10 * i * x[4]));
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 0; i < 33; i++, j += 5) {
        double t = 10 * i;
        j[0] = -1;
        j[1] = -exp(-t * x[3]);
        j[2] = -exp(-t * x[4]);
        j[3] = -t * x[1] * j[1];
        j[4] = -t * x[2] * j[2];
    }
    return 0;
}

const mgh_problem mgh_osborne_1 = {
    "osborne_1", 33, 5, {0.5, 1.5, -1, 0.01, 0.02}, {5.46489e-5}, 1, residuals, jacobian, 7};
