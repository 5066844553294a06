/* LAPACK's dgeqp3 for large problems, and the same algorithm written out for small ones: a call of
 * dgeqp3 for 45 × 4 costs 5 µs, its arithmetic 0.4 µs, and a learning curve takes dozens of them.
 */
#include "curve/qr.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>

enum { SMALL = 32768 };

static bool is_small(size_t m, size_t n)
{
    return n <= 16 && m <= SMALL && m * n * n <= SMALL;
}

double pts_qr_norm(const double *v, size_t count)
{
    double square = pts_qr_dot(v, v, count);
    if (square > 1e-270 && square < 1e270)
        return sqrt(square);
    return cblas_dnrm2((int)count, v, 1);
}

lapack_int pts_qr_lwork(size_t rows, size_t columns)
{
    if (is_small(rows, columns))
        return 0;
    lapack_int m = (lapack_int)rows, n = (lapack_int)columns, pivot = 0;
    double want[2] = {0, 0}, none = 0;
    LAPACKE_dgeqp3_work(LAPACK_COL_MAJOR, m, n, &none, m, &pivot, &none, &want[0], -1);
    LAPACKE_dormqr_work(LAPACK_COL_MAJOR, 'L', 'T', m, 1, n, &none, m, &none, &none, m, &want[1],
                        -1);
    return (lapack_int)(want[0] > want[1] ? want[0] : want[1]);
}

static void swap_columns(double *a, double *b, size_t m)
{
    for (size_t i = 0; i < m; i++) {
        double t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* Brings the longest of the columns from k on, seen from row k, to place k. */
static double pivot_column(double *a, size_t m, size_t n, size_t k, lapack_int *pivot)
{
    size_t best = k;
    double most = -1;
    for (size_t j = k; j < n; j++) {
        double norm = pts_qr_norm(a + j * m + k, m - k);
        if (norm > most) {
            most = norm;
            best = j;
        }
    }
    if (best != k) {
        swap_columns(a + k * m, a + best * m, m);
        lapack_int t = pivot[k];
        pivot[k] = pivot[best];
        pivot[best] = t;
    }
    return most;
}

/* v −= tau·(1, h)·((1, h)ᵀ v), h [count] below the leading 1. */
static void reflect(const double *h, double tau, double *v, size_t count)
{
    double sum = tau * (v[0] + pts_qr_dot(h, v + 1, count));
    v[0] -= sum;
    for (size_t i = 0; i < count; i++)
        v[i + 1] -= sum * h[i];
}

/* dgeqp3's algorithm without its downdated norms, which cost more than they save here. */
static void factor_small(double *a, size_t m, size_t n, lapack_int *pivot, double *tau)
{
    for (size_t j = 0; j < n; j++)
        pivot[j] = (lapack_int)j + 1;
    for (size_t k = 0; k < n; k++) {
        double length = pivot_column(a, m, n, k, pivot), *column = a + k * m + k;
        tau[k] = 0;
        /* a last row needs no reflection; a column of denormals is taken for zero */
        if (length < DBL_MIN || k + 1 == m)
            continue;
        double head = column[0], beta = head > 0 ? -length : length;
        tau[k] = (beta - head) / beta;
        for (size_t i = 1; i < m - k; i++)
            column[i] /= head - beta;
        column[0] = beta;
        for (size_t j = k + 1; j < n; j++)
            reflect(column + 1, tau[k], a + j * m + k, m - k - 1);
    }
}

void pts_qr_factor(double *a, size_t m, size_t n, lapack_int *pivot, double *tau, double *work,
                   lapack_int lwork)
{
    if (is_small(m, n)) {
        factor_small(a, m, n, pivot, tau);
        return;
    }
    for (size_t j = 0; j < n; j++)
        pivot[j] = 0; /* free to move */
    LAPACKE_dgeqp3_work(LAPACK_COL_MAJOR, (lapack_int)m, (lapack_int)n, a, (lapack_int)m, pivot,
                        tau, work, lwork);
}

void pts_qr_apply(const double *a, size_t m, size_t n, const double *tau, double *v, double *work,
                  lapack_int lwork)
{
    if (is_small(m, n)) {
        for (size_t k = 0; k < n; k++) {
            if (tau[k] != 0)
                reflect(a + k * m + k + 1, tau[k], v + k, m - k - 1);
        }
        return;
    }
    LAPACKE_dormqr_work(LAPACK_COL_MAJOR, 'L', 'T', (lapack_int)m, 1, (lapack_int)n, a,
                        (lapack_int)m, tau, v, (lapack_int)m, work, lwork);
}

/* Column by column, T·T⁻¹ = 1: the columns left of j are inverted already. */
static void invert_small(double *t, size_t stride, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        double *column = t + j * stride, pivot = 1 / column[j];
        for (size_t i = 0; i < j; i++) {
            double sum = 0;
            for (size_t k = i; k < j; k++)
                sum += t[k * stride + i] * column[k];
            column[i] = -sum * pivot;
        }
        column[j] = pivot;
    }
}

void pts_qr_invert(double *t, size_t stride, size_t count)
{
    if (count <= 16)
        invert_small(t, stride, count);
    else
        LAPACKE_dtrtri_work(LAPACK_COL_MAJOR, 'U', 'N', (lapack_int)count, t, (lapack_int)stride);
}
