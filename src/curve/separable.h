/* Curves f(n) = u + v·s(n; p, q), linear in two of their four parameters: variable projection. */
#ifndef PTS_SRC_CURVE_SEPARABLE_H
#define PTS_SRC_CURVE_SEPARABLE_H

#include "pts/lm.h"

/* s(n; p, q); its derivatives by p and q where d is not NULL. */
typedef double (*separable_basis)(double n, double log_n, double p, double q, double d[2]);

typedef struct separable {
    separable_basis basis;
    const double *p, *q; /* the grid on which starts are sought, rising */
    size_t p_count, q_count;
} separable;

typedef struct separable_fit {
    double x[4];           /* u, v, p, q */
    double covariance[16]; /* (JᵀJ)⁻¹, not scaled */
    pts_lm_result lm;
} separable_fit;

/* The least of the sums of squares that the grid's lowest local minima lead to. count ≥ 4. */
pts_status pts_separable_fit(const separable *family, const double *n, const double *y,
                             size_t count, separable_fit *out, pts_error *err);

/* The sizes in rising order, each once, into out [count]; returns how many. */
size_t pts_distinct_sizes(const double *n, size_t count, double *out);

/* Fails unless sizes are finite and above 0 and mAP finite; messages count points from 1. */
pts_status pts_check_points(const double *n, const double *map, size_t count, pts_error *err);

#endif
