/* The search of a separable curve's optimum in what is not linear, p and q. */
#ifndef PTS_SRC_CURVE_SEARCH_H
#define PTS_SRC_CURVE_SEARCH_H

#include "curve/separable.h"
#include "curve/sigmoid.h"

/* A curve's points, merged: each size once, rising, with the mean of its y and the sum of its
 * weights. `count` is filled up to `padded` by repeats of the last with weight 0. */
typedef struct separable_points {
    const separable *family;
    const separable_data *data; /* as given */
    const sigmoid_table *sigmoid;
    size_t count, padded;
    double *n, *log_n, *y, *w;     /* [padded]; y without `origin` */
    double *s, *by_p, *by_q, *row; /* [padded] room for one evaluation of the shape */
    double total, origin, yy,
        within;  /* Σw; mean of y (1: anchored); Σ w y²; Σ w (y − its size's)² */
    bool filled; /* s, by_p and by_q are those of filled_p, filled_q */
    double filled_p, filled_q;
    separable_span span;
    separable_sizes sizes;
} separable_points;

/* The shape of all points into points->s, and its derivatives into by_p and by_q, unless they are
 * there: the solver asks for residuals and Jacobian of the same parameters. */
void pts_separable_shape(separable_points *points, double p, double q);

/* The least Σ w (u + v·s − y)² over u and v, s as pts_separable_shape left it: v to *slope, the
 * mean of s to *centre, which is taken off s. */
double pts_separable_project(separable_points *points, double *slope, double *centre);

/* The best p and q. */
void pts_separable_search(separable_points *points, double *p, double *q);

#endif
