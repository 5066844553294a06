/* A fixed quasi-random sequence of standard normal vectors. */
#ifndef PTS_SRC_CURVE_NORMAL_H
#define PTS_SRC_CURVE_NORMAL_H

#include <stddef.h>

/* The inverse of the standard normal distribution, 0 < p < 1; 16 digits. */
double pts_normal_quantile(double p);

/* The inverse of Student's distribution with `freedom` ≥ 1 degrees, ½ ≤ p < 1; five digits. */
double pts_student_quantile(size_t freedom, double p);

/* Point `index` of a sequence that fills five dimensions evenly, as normal deviates. */
void pts_normal_draw(size_t index, double z[5]);

#endif
