/* Problem 6: 124.362 at (0.2578, 0.2578).
 * The far starts lead to 259.580 with one exponential gone (x → −∞). From ×100 its value is
 * exp(400): differences lose the other exponential entirely. */
#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 1; i <= 10; i++)
        r[i - 1] = 2 + 2 * i - (exp(i * x[0]) + exp(i * x[1]));
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 1; i <= 10; i++, j += 2) {
        j[0] = -i * exp(i * x[0]);
        j[1] = -i * exp(i * x[1]);
    }
    return 0;
}

const mgh_problem mgh_jennrich_sampson = {
    "jennrich_sampson", 10, 2, {0.3, 0.4}, {124.362, 259.580}, 2, residuals, jacobian, 3};
