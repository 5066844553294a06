/* The logistic s(z) = 1/(1 + e^−z), z = b·(ln n − q), at all points of a curve, and the sums over
 * the points that its fit asks for. sigmoid.c is compiled once an instruction set; everything else
 * takes the functions from the table. */
#ifndef PTS_SRC_CURVE_SIGMOID_H
#define PTS_SRC_CURVE_SIGMOID_H

#include <stddef.h>

/* All counts of points here are multiples of it: whole vectors, no tails. Points that only fill up
 * have the weight 0. */
enum { SIGMOID_BLOCK = 8 };

/* (1 + factor·row)² is a double for any two exponentials. */
#define SIGMOID_REACH 170.

typedef struct sigmoid_points {
    const double *log_n, *y, *w; /* [count] */
    size_t count;
} sigmoid_points;

typedef struct sigmoid_values {
    double *z, *s, *g; /* [count]: z, s(z) and its slope s·(1 − s) */
} sigmoid_values;

/* Σ w·…, with t = s − mean and h = g·z (the slope by ln b). */
typedef struct sigmoid_sums {
    double tt, ty, g, h, tg, th, gg, gh, hh;
} sigmoid_sums;

/* Σ w·r·…, r the residuals and k = g·(1 − 2s), the second derivative of s. */
typedef struct sigmoid_residuals {
    double r, g, h, k, kz, kzz;
} sigmoid_residuals;

typedef struct sigmoid_table {
    /* Relative errors of s and g: a few 10⁻¹⁶, in the tails as well. Returns Σ w s. */
    double (*fill)(const sigmoid_points *points, double b, double q, const sigmoid_values *out);
    void (*sums)(const sigmoid_points *points, const sigmoid_values *at, double mean,
                 sigmoid_sums *out);
    /* r = slope·(s − mean) − y; out->r is Σ w r². */
    void (*residuals)(const sigmoid_points *points, const sigmoid_values *at, double mean,
                      double slope, sigmoid_residuals *out);
    /* x = e^x in place; x is cut to ±SIGMOID_REACH first. */
    void (*exponentials)(double *x, size_t count);
    /* For both factors, the least Σ w (u + v·s − y)² over u and v with s = 1/(1 + factor·row[i]), y
     * without its mean; yy = Σ w y², total = Σ w. By raw moments: it ranks nodes, and does so with
     * few digits. Row and factors are what exponentials left. */
    void (*nodes)(const sigmoid_points *points, const double *row, const double factor[2],
                  double yy, double total, double sse[2]);
} sigmoid_table;

/* That of the CPU level in force (pts/cpu.h). */
const sigmoid_table *pts_sigmoid(void);
/* Lowest first; NULL past the last that it can run. */
const sigmoid_table *pts_sigmoid_at(size_t index);

#endif
