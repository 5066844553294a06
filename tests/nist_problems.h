/* The 19 NIST StRD problems: models with their analytic Jacobians, data read from the .dat files.
 */
#ifndef PTS_TESTS_NIST_PROBLEMS_H
#define PTS_TESTS_NIST_PROBLEMS_H

#include <stddef.h>

enum { NIST_PROBLEMS = 19, NIST_MAX_PARAMETERS = 9, NIST_MAX_ROWS = 256 };

/* The model at x, and its gradient [parameters] where g is not NULL. Values are long double as
 * Lanczos1's certified residuals, 9e-14, are only 400 times a double's rounding of its data. */
typedef long double (*nist_model)(const double *b, const long double *x, double *g);

typedef struct nist_problem {
    const char *name;
    nist_model model;
    size_t rows, parameters;
    long double y[NIST_MAX_ROWS], x[NIST_MAX_ROWS][2];
    double start[2][NIST_MAX_PARAMETERS];
    double certified[NIST_MAX_PARAMETERS], error[NIST_MAX_PARAMETERS], sse;
} nist_problem;

/* Problem i from folder/NAME.dat; returns 0, or −1 where the file is not as expected. */
int nist_read(nist_problem *problem, size_t i, const char *folder);

/* pts_lm callbacks; user is a nist_problem. */
int nist_residuals(void *user, const double *b, double *r);
int nist_jacobian(void *user, const double *b, double *jacobian);

#endif
