/* Curves f(n) = u + v·s(n; p, q), linear in u and v: variable projection. */
#ifndef PTS_SRC_CURVE_SEPARABLE_H
#define PTS_SRC_CURVE_SEPARABLE_H

#include "pts/lm.h"

#include <stdbool.h>

/* Sizes [count] and their logarithms. */
typedef struct separable_sizes {
    const double *n, *log_n;
    size_t count;
} separable_sizes;

/* s(n; p, q) of all sizes; its derivatives by p and q where by_p is not NULL. A derivative by what
 * the shape lacks is left alone. */
typedef void (*separable_basis)(const separable_sizes *sizes, double p, double q, double *s,
                                double *by_p, double *by_q);

/* The sizes' range in ln n, for the grid. */
typedef struct separable_span {
    double low, high;
} separable_span;

typedef struct separable {
    separable_basis basis;
    int shapes;    /* 0, 1 (p) or 2 (p and q): what is not linear */
    bool anchored; /* u is 1: the plateau is the best there is */
    bool logistic; /* s is a function of e^p·(ln n − q): the grid then needs few exponentials */
    const double *p; /* the grid's rows, rising */
    size_t p_count;
    /* Nodes of q in the row of p into q [SEPARABLE_NODES]; NULL when shapes < 2. */
    size_t (*nodes)(separable_span span, double p, double *q);
} separable;

enum { SEPARABLE_NODES = 40 };

typedef struct separable_data {
    const double *n, *y;
    const double *weights; /* NULL: all 1 */
    size_t count;
} separable_data;

typedef struct separable_fit {
    double x[4];           /* u, v, p, q; those the family lacks are 0 (u: 1 when anchored) */
    double covariance[16]; /* (JᵀWJ)⁻¹, not scaled; rows of what the family lacks are 0 */
    size_t free;           /* parameters */
    double smape;          /* percent */
    pts_lm_result lm;
} separable_fit;

/* The least of the sums of squares that the grid's lowest local minima lead to. count ≥ free
 * parameters. */
pts_status pts_separable_fit(const separable *family, const separable_data *data,
                             separable_fit *out, pts_error *err);

/* The sizes in rising order, each once, into out [count]; returns how many. */
size_t pts_distinct_sizes(const double *n, size_t count, double *out);

#endif
