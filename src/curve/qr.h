/* QR with column pivoting, J P = Q R, in LAPACK's storage. */
#ifndef PTS_SRC_CURVE_QR_H
#define PTS_SRC_CURVE_QR_H

#include <lapacke.h>
#include <stddef.h>

/* Sums of many products in four strands: the compiler may not reorder one strand, and its
 * additions would wait for each other. */
static inline double pts_qr_dot(const double *a, const double *b, size_t count)
{
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    for (; i < count; i++)
        s0 += a[i] * b[i];
    return (s0 + s1) + (s2 + s3);
}

/* √Σv²; by LAPACK's safe summation where the squares over- or underflow. */
double pts_qr_norm(const double *v, size_t count);

/* Doubles of workspace for both functions below; 0 for problems that need none. */
lapack_int pts_qr_lwork(size_t m, size_t n);

/* a [n][m], columns: R above its diagonal, Householder vectors below; tau [n], pivot [n] from 1.
 * Zero columns come last. */
void pts_qr_factor(double *a, size_t m, size_t n, lapack_int *pivot, double *tau, double *work,
                   lapack_int lwork);

/* v [m] = Qᵀ v. */
void pts_qr_apply(const double *a, size_t m, size_t n, const double *tau, double *v, double *work,
                  lapack_int lwork);

/* The upper triangle t [count][stride], columns, becomes its inverse. No zero on its diagonal. */
void pts_qr_invert(double *t, size_t stride, size_t count);

#endif
