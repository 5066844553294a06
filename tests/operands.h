/* What the kernels' tests share: blocks of floats that cannot be read or written past their ends
 * unnoticed, random fillings, and a convolution in double. */
#ifndef PTS_TESTS_OPERANDS_H
#define PTS_TESTS_OPERANDS_H

#include "kernels/conv.h"

#include <stdint.h>

/* A block that ends where a page without any access begins: the first float past it faults, in
 * every build. Before it lie bytes that operands_release compares. Aligned to a float only, unless
 * `floats` is a multiple of 16. A failure to map ends the program. */
float *operand(size_t floats);
/* Frees all of them; false where a byte before one was written. */
int operands_release(void);

/* In [-1, 1), from a generator that `seed` starts. */
void random_seed(uint64_t seed);
uint64_t random_next(void);
float random_float(void);
size_t random_below(size_t limit);
float *random_operand(size_t floats);

/* The floats that a map, or a matrix of rows `stride` apart, takes: none after the last one used.
 */
size_t strided_floats(size_t rows, size_t columns, size_t stride);
/* All floats between the rows' `columns` still hold `mark`. */
int gaps_hold(const float *x, size_t rows, size_t columns, size_t stride, float mark);

/* y [height·width][out] = conv(x, weight [kh][kw][in][out]) + bias, before ReLU, and the sum of
 * the absolute values of its terms: rounding errors are proportional to that. */
void naive_conv(const pts_window *w, const pts_feature_map *x, const float *weight,
                const float *bias, size_t out, double *y, double *magnitude);

/* Bound on the rounding error of a sum of `terms` products whose absolute values sum to
 * `magnitude`: λ·√n·u, λ = 6 (Higham and Mary 2019, "A New Approach to Probabilistic Rounding
 * Error Analysis", theorem 3.1: exceeded with probability below 2n·exp(-18)). */
double sum_error(size_t terms, double magnitude);

#endif
