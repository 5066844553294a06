/* Numbers in order. */
#ifndef PTS_SRC_BASE_ORDER_H
#define PTS_SRC_BASE_ORDER_H

#include <stddef.h>

/* For qsort and bsearch over doubles, rising; NaN has no place among them. */
int pts_compare_doubles(const void *a, const void *b);

/* For qsort and bsearch over char pointers, by bytes. */
int pts_compare_texts(const void *a, const void *b);

/* The p-quantile, 0 ≤ p ≤ 1, of count ≥ 1 rising values: linear between the order statistics at
 * p·(count − 1), as numpy.quantile and R's type 7 (Hyndman & Fan 1996). Between +inf and anything
 * it is +inf. */
double pts_quantile(const double *sorted, size_t count, double p);

#endif
