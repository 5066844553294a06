/* A fixed quasi-random sequence of standard normal vectors. */
#ifndef PTS_SRC_CURVE_NORMAL_H
#define PTS_SRC_CURVE_NORMAL_H

#include <stddef.h>

/* The inverse of the standard normal distribution, 0 < p < 1; 16 digits. */
double pts_normal_quantile(double p);

/* Point `index` of a sequence that fills five dimensions evenly, as normal deviates. */
void pts_normal_draw(size_t index, double z[5]);

#endif
