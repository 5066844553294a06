/* Compiled once an instruction set (meson.build), in plain loops for the compiler to vectorise:
 * -fopenmp-simd lets it reorder the sums that are marked, and nothing else.
 *
 * The exponential: e^x = 2^k·e^r with |r| ≤ ln 2/2, e^r by the diagonal Padé approximant (6, 6),
 * N(r)/N(−r), whose error there is 2·10⁻¹⁹ (Moler & Van Loan 2003, method 2). As it is a ratio, s
 * needs one division in all: 1/(1 + up/down) = down/(down + up). */
#include "curve/sigmoid.h"

#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef struct ratio {
    double up, down;
} ratio;

/* e^x for |x| ≤ 700. */
INLINE ratio exponential(double x)
{
    const double log2_e = 1.44269504088896340736, to_integer = 0x1.8p52;
    const double ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;
    double shifted = x * log2_e + to_integer, k = shifted - to_integer, scale;
    double r = (x - k * ln2_high) - k * ln2_low, rr = r * r;
    double even = 665280 + rr * (75600 + rr * (840 + rr));
    double odd = r * (332640 + rr * (10080 + rr * 42));
    int64_t bits;
    memcpy(&bits, &shifted, sizeof bits); /* k in its lowest bits */
    bits = (int64_t)((uint64_t)(bits + 1023) << 52);
    memcpy(&scale, &bits, sizeof scale);
    return (ratio){(even + odd) * scale, even - odd};
}

INLINE double cut(double x, double limit)
{
    x = x < -limit ? -limit : x;
    return x > limit ? limit : x;
}

INLINE size_t whole(size_t count)
{
    return count / SIGMOID_BLOCK * SIGMOID_BLOCK;
}

/* Whoever fills s wants its mean next, so the sum is taken on the way. */
static double fill(const sigmoid_points *points, double b, double q, const sigmoid_values *out)
{
    const double *restrict log_n = points->log_n, *restrict w = points->w;
    double *restrict z = out->z, *restrict s = out->s, *restrict g = out->g, sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < whole(points->count); i++) {
        double at = cut(b * (log_n[i] - q), 700);
        ratio e = exponential(at < 0 ? at : -at); /* of −|z|: nothing overflows */
        double inverse = 1 / (e.down + e.up), far = e.down * inverse, near = e.up * inverse;
        z[i] = at;
        s[i] = at < 0 ? near : far;
        g[i] = near * far;
        sum += w[i] * s[i];
    }
    return sum;
}

/* All in one pass: the values are read once. */
static void sums(const sigmoid_points *points, const sigmoid_values *at, double mean,
                 sigmoid_sums *out)
{
    const double *restrict w = points->w, *restrict y = points->y, *restrict z = at->z,
                           *restrict s = at->s, *restrict slope = at->g;
    double tt = 0, ty = 0, g = 0, h = 0, tg = 0, th = 0, gg = 0, gh = 0, hh = 0;
#pragma omp simd reduction(+ : tt, ty, g, h, tg, th, gg, gh, hh)
    for (size_t i = 0; i < whole(points->count); i++) {
        double t = s[i] - mean, wt = w[i] * t, wg = w[i] * slope[i], wh = wg * z[i];
        tt += wt * t;
        ty += wt * y[i];
        g += wg;
        h += wh;
        tg += wt * slope[i];
        th += wh * t;
        gg += wg * slope[i];
        gh += wh * slope[i];
        hh += wh * slope[i] * z[i];
    }
    *out = (sigmoid_sums){tt, ty, g, h, tg, th, gg, gh, hh};
}

/* As sums. */
static void residuals(const sigmoid_points *points, const sigmoid_values *at, double mean,
                      double slope, sigmoid_residuals *out)
{
    const double *restrict w = points->w, *restrict y = points->y, *restrict z = at->z,
                           *restrict s = at->s, *restrict by_z = at->g;
    double rr = 0, g = 0, h = 0, k = 0, kz = 0, kzz = 0;
#pragma omp simd reduction(+ : rr, g, h, k, kz, kzz)
    for (size_t i = 0; i < whole(points->count); i++) {
        double r = slope * (s[i] - mean) - y[i], wr = w[i] * r;
        double rg = wr * by_z[i], rk = rg * (1 - 2 * s[i]);
        rr += wr * r;
        g += rg;
        h += rg * z[i];
        k += rk;
        kz += rk * z[i];
        kzz += rk * z[i] * z[i];
    }
    *out = (sigmoid_residuals){rr, g, h, k, kz, kzz};
}

static void exponentials(double *x, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < whole(count); i++) {
        ratio e = exponential(cut(x[i], SIGMOID_REACH));
        x[i] = e.up / e.down;
    }
}

/* A spread within rounding is none: the regression would be a huge slope. */
static double projected(double sum, double ss, double sy, double yy, double total)
{
    double spread = ss - sum * sum / total;
    return spread > 1e-12 * ss ? yy - sy * sy / spread : yy;
}

/* Two at once, since divisions are what this waits for: 1/a and 1/b are b/(a·b) and a/(a·b). */
static void nodes(const sigmoid_points *points, const double *restrict row, const double factor[2],
                  double yy, double total, double sse[2])
{
    const double *restrict w = points->w, *restrict y = points->y;
    double f0 = factor[0], f1 = factor[1];
    double sum0 = 0, ss0 = 0, sy0 = 0, sum1 = 0, ss1 = 0, sy1 = 0;
#pragma omp simd reduction(+ : sum0, ss0, sy0, sum1, ss1, sy1)
    for (size_t i = 0; i < whole(points->count); i++) {
        double a = 1 + f0 * row[i], b = 1 + f1 * row[i], inverse = 1 / (a * b);
        double s0 = b * inverse, s1 = a * inverse, ws0 = w[i] * s0, ws1 = w[i] * s1;
        sum0 += ws0;
        ss0 += ws0 * s0;
        sy0 += ws0 * y[i];
        sum1 += ws1;
        ss1 += ws1 * s1;
        sy1 += ws1 * y[i];
    }
    sse[0] = projected(sum0, ss0, sy0, yy, total);
    sse[1] = projected(sum1, ss1, sy1, yy, total);
}

const sigmoid_table SIGMOID_TABLE = {fill, sums, residuals, exponentials, nodes};
