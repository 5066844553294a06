/* Layer norm, softmax and activations of one row: see row.h. */
#include "kernels/level_functions.h"

#include <math.h>

/* e^x, at most 2 ulp off for −87.3 ≤ x ≤ 88.3; below it becomes 0, above it turns infinite.
 * Reduction by a multiple of ln 2 in two parts (Cody and Waite 1980, "Software Manual for the
 * Elementary Functions"), the polynomial of Cephes' expf (Moshier, netlib.org/cephes). Adding and
 * taking away 1.5·2^23 rounds to a whole number. */
INLINE vec exponential(vec x)
{
    const vec rounder = vec_set(12582912.0f);
    x = vec_min(vec_max(x, vec_set(-88)), vec_set(89));
    vec n = vec_fma(x, vec_set(1.44269504f), rounder) - rounder;
    vec r = vec_fma(n, vec_set(-0.693359375f), x);
    r = vec_fma(n, vec_set(2.12194440e-4f), r);
    vec p = vec_set(1.9875691500e-4f);
    p = vec_fma(p, r, vec_set(1.3981999507e-3f));
    p = vec_fma(p, r, vec_set(8.3334519073e-3f));
    p = vec_fma(p, r, vec_set(4.1665795894e-2f));
    p = vec_fma(p, r, vec_set(1.6666665459e-1f));
    p = vec_fma(p, r, vec_set(5.0000001201e-1f));
    p = vec_fma(p, r * r, r) + vec_set(1);
    return vec_scale(p, n);
}

/* x·σ(1.702·x): Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", section 2. */
INLINE vec quick_gelu_of(vec x)
{
    return x / (vec_set(1) + exponential(x * vec_set(-1.702f)));
}

/* x·Φ(x) = max(0, x) − |x|·Φ(−|x|), and Φ(−√2·z) = erfc(z)/2. With t = 1 / (1 + z/2),
 * e^(z²)·erfc(z) is t times a polynomial in t; this one is a minimax fit of it (relative error
 * below 5e-8 for 0 ≤ z ≤ 10). No difference of near numbers: small results are accurate, too. */
INLINE vec gelu_of(vec x)
{
    const vec size = vec_max(x, vec_set(0) - x), z = size * vec_set(0.707106781f);
    const vec t = vec_set(1) / vec_fma(z, vec_set(0.5f), vec_set(1));
    vec p = vec_set(-0.0590692157f);
    p = vec_fma(p, t, vec_set(0.284576169f));
    p = vec_fma(p, t, vec_set(-0.4872023f));
    p = vec_fma(p, t, vec_set(0.278069788f));
    p = vec_fma(p, t, vec_set(-0.0266273849f));
    p = vec_fma(p, t, vec_set(0.202687554f));
    p = vec_fma(p, t, vec_set(0.243103601f));
    p = vec_fma(p, t, vec_set(0.282375329f));
    p = vec_fma(p, t, vec_set(0.282086417f));
    vec below = p * t * exponential(size * size * vec_set(-0.5f)) * vec_set(0.5f);
    return vec_max(x, vec_set(0)) - size * below;
}

INLINE void map_row(float *x, size_t count, vec (*f)(vec))
{
    size_t i = 0;
    for (; i + PTS_LANES <= count; i += PTS_LANES)
        vec_store(x + i, f(vec_load(x + i)));
    if (i < count) {
        float rest[PTS_LANES] = {0};
        memcpy(rest, x + i, (count - i) * sizeof *x);
        vec_store(rest, f(vec_load(rest)));
        memcpy(x + i, rest, (count - i) * sizeof *x);
    }
}

void LEVEL(quick_gelu)(float *x, size_t count)
{
    map_row(x, count, quick_gelu_of);
}

void LEVEL(gelu)(float *x, size_t count)
{
    map_row(x, count, gelu_of);
}

/* The greatest score is taken away first, so that no exponential overflows. `limit` turns what
 * is past the end into −∞, whose exponential is 0. */
INLINE void softmax_row(float *x, size_t wide, vec limit, vec scale)
{
    const size_t last = wide - PTS_LANES;
    vec end = vec_min(vec_load(x + last), limit), top = end, sum = vec_set(0);
    for (size_t i = 0; i < last; i += PTS_LANES)
        top = vec_max(top, vec_load(x + i));
    const vec greatest = vec_set(vec_greatest(top));
    for (size_t i = 0; i < last; i += PTS_LANES) {
        vec e = exponential((vec_load(x + i) - greatest) * scale);
        vec_store(x + i, e);
        sum = sum + e;
    }
    end = exponential((end - greatest) * scale);
    const vec part = vec_set(1 / vec_sum(sum + end));
    for (size_t i = 0; i < last; i += PTS_LANES)
        vec_store(x + i, vec_load(x + i) * part);
    vec_store(x + last, end * part);
}

void LEVEL(softmax)(float *x, size_t rows, size_t stride, size_t count, float scale)
{
    const size_t wide = (count + PTS_LANES - 1) / PTS_LANES * PTS_LANES;
    float limits[PTS_LANES];
    for (size_t i = 0; i < PTS_LANES; i++)
        limits[i] = wide - PTS_LANES + i < count ? INFINITY : -INFINITY;
    const vec limit = vec_load(limits), factor = vec_set(scale);
    for (size_t r = 0; r < rows; r++)
        softmax_row(x + r * stride, wide, limit, factor);
}

/* Σ (x − center)^power, power 1 or 2; four chains hide the latency. */
INLINE float sum_row(const float *x, size_t count, float center, int power)
{
    enum { CHAINS = 4 };
    vec sum[CHAINS];
    const vec middle = vec_set(center);
    size_t i = 0;
    UNROLL
    for (size_t j = 0; j < CHAINS; j++)
        sum[j] = vec_set(0);
    for (; i + CHAINS * PTS_LANES <= count; i += CHAINS * PTS_LANES) {
        UNROLL
        for (size_t j = 0; j < CHAINS; j++) {
            vec d = vec_load(x + i + j * PTS_LANES) - middle;
            if (power == 1)
                sum[j] = sum[j] + d;
            else
                sum[j] = vec_fma(d, d, sum[j]);
        }
    }
    float total = vec_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (; i < count; i++) {
        float d = x[i] - center;
        total += power == 1 ? d : d * d;
    }
    return total;
}

/* Ba, Kiros, Hinton 2016, "Layer Normalization". Two passes: the variance about the mean itself,
 * not as a difference of sums, which loses what a large mean hides. */
void LEVEL(layer_norm)(const float *x, size_t count, const float *weight, const float *bias,
                       float epsilon, float *y)
{
    const float mean = sum_row(x, count, 0, 1) / (float)count;
    const float variance = sum_row(x, count, mean, 2) / (float)count;
    const float factor = 1 / sqrtf(variance + epsilon);
    const vec middle = vec_set(mean), scale = vec_set(factor);
    size_t i = 0;
    for (; i + PTS_LANES <= count; i += PTS_LANES) {
        vec d = (vec_load(x + i) - middle) * scale;
        vec_store(y + i, vec_fma(d, vec_load(weight + i), vec_load(bias + i)));
    }
    for (; i < count; i++)
        y[i] = (x[i] - mean) * factor * weight[i] + bias[i];
}
