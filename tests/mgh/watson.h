/* Problem 20 (Watson) for N parameters, 2 … 31: the including file says how many. */
#ifndef MGH_WATSON_H
#define MGH_WATSON_H

#include "mgh/mgh.h"

#include <math.h>

static int residuals(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 1; i <= 29; i++) {
        double t = i / 29.0, power = 1, slope = 0, value = x[0];
        for (int k = 1; k < N; k++, power *= t) {
            slope += k * x[k] * power;
            value += x[k] * power * t;
        }
        r[i - 1] = slope - value * value - 1;
    }
    r[29] = x[0];
    r[30] = x[1] - x[0] * x[0] - 1;
    return 0;
}

static int jacobian(void *user, const double *x, double *j)
{
    (void)user;
    for (int i = 1; i <= 29; i++, j += N) {
        double t = i / 29.0, value = 0;
        for (int k = N - 1; k >= 0; k--)
            value = value * t + x[k];
        for (int k = 0; k < N; k++)
            j[k] = (k ? k * pow(t, k - 1) : 0) - 2 * value * pow(t, k);
    }
    for (int k = 0; k < 2 * N; k++)
        j[k] = 0;
    j[0] = 1;
    j[N] = -2 * x[0], j[N + 1] = 1;
    return 0;
}

#endif
