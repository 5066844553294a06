/* Winograd's minimal filtering, one axis: F(m, r) gives m outputs of an r-tap filter from
 * n = m + r − 1 inputs with n products (Lavin and Gray 2016, "Fast Algorithms for Convolutional
 * Neural Networks"; Cook and Toom's construction, Winograd 1980).
 *
 * The n points are 0, ±p₁ … ±p_q and infinity. Pairs of opposite points halve the work: with
 * E_k(x²) = Π_{j≠k} (x² − p_j²) and Z(x²) = Π_j (x² − p_j²), the transformed input at
 *     0            is Σ z_j d[2j]
 *     infinity     is Σ z_j d[2j+1]
 *     ±p_k         is e ± p_k·o,  e = Σ e_kj d[2j+2],  o = Σ e_kj d[2j+1]
 * and output i is Σ_k p_k^i (M₊ ± M₋), plus M₀ where i = 0, plus M_∞ where i = m − 1. All error
 * comes from the size of these numbers, so the points are chosen small and close to 1. */
#ifndef PTS_SRC_KERNELS_TRANSFORM_H
#define PTS_SRC_KERNELS_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>

enum { PTS_PAIRS_MAX = 5, PTS_POINTS_MAX = 2 * PTS_PAIRS_MAX + 2, PTS_OUTPUTS_MAX = 6 };

typedef struct pts_axis {
    size_t outputs, taps, pairs;                   /* m, r, q */
    float point[PTS_PAIRS_MAX];                    /* p_k */
    float even[PTS_PAIRS_MAX][PTS_PAIRS_MAX];      /* e_kj, j < q; e_k(q−1) = 1 */
    float zero[PTS_PAIRS_MAX + 1];                 /* z_j; z_q = 1 */
    float power[PTS_OUTPUTS_MAX][PTS_PAIRS_MAX];   /* p_k^i */
    double filter[PTS_POINTS_MAX][PTS_POINTS_MAX]; /* [n][r]: the filter's transform */
} pts_axis;

/* points [pairs]: the positive ones. */
void pts_axis_init(pts_axis *axis, size_t outputs, size_t taps, size_t pairs, const double *points);

/* Filters of PTS_FILTERS output channels at a time, in double: taps [r or r×r][PTS_FILTERS] →
 * points [n or n×n][PTS_FILTERS]. */
enum { PTS_FILTERS = 32, PTS_SIDE_2D_MAX = 8 };
typedef void (*pts_transform_filter_fn)(const pts_axis *axis, bool two_d, const double *taps,
                                        double *points);

/* One tile's inputs, n (1-D) or n×n (2-D) pixels of `channels` floats each (a multiple of the
 * level's lanes) → out[point][point_stride]. */
typedef void (*pts_transform_input_fn)(const pts_axis *axis, bool two_d, const float *const *pixels,
                                       size_t channels, float *out, size_t point_stride);

/* One tile's products [point][point_stride] → m or m×m pixels of `channels` floats, plus bias,
 * then max(0, …). A NULL pixel lies outside the map and is dropped. */
typedef void (*pts_transform_output_fn)(const pts_axis *axis, bool two_d, const float *in,
                                        size_t point_stride, size_t channels, const float *bias,
                                        float *const *pixels);

#endif
