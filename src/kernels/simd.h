/* One vector of PTS_LANES floats, for the sources that are compiled once a level (level.h).
 *
 * meson.build gives each level its compiler flags and PTS_LANES; the intrinsics stay in this file.
 * At level "c" the compiler's own vectors are used: 4 lanes are SSE2 on x86-64, NEON on arm64. */
#ifndef PTS_SRC_KERNELS_SIMD_H
#define PTS_SRC_KERNELS_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if PTS_LANES > 4
#include <immintrin.h>
#endif

#define LEVEL_JOIN(a, b) pts_##a##_##b
#define LEVEL_NAME(a, b) LEVEL_JOIN(a, b)
/* LEVEL(product) is pts_avx2_product where this is compiled for AVX2. */
#define LEVEL(name) LEVEL_NAME(PTS_LEVEL, name)

#define INLINE static inline __attribute__((always_inline))

/* Before a loop whose bounds are constant after inlining: unrolled whole, so that an array indexed
 * by it is a set of registers. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* The product's register tile: TILE_ROWS × 2 vectors of C, 2 vectors of B and one broadcast element
 * of A fill 31 of 32 registers with AVX-512, 15 of 16 with AVX2. */
#if PTS_LANES == 16
enum { TILE_ROWS = 14, PANEL = 2 * PTS_LANES };
#elif PTS_LANES == 8
enum { TILE_ROWS = 6, PANEL = 2 * PTS_LANES };
#else
enum { TILE_ROWS = 16, PANEL = 0 }; /* OpenBLAS has tiles of its own */
#endif
/* Depth of a block of the product: its slice of a panel (32 or 16 KiB) stays in the first-level
 * cache while the rows of A pass by. */
enum { BLOCK_DEPTH = 256 };

#if PTS_LANES > 4

/* AVX2's and AVX-512's intrinsics differ in the width that their names carry. */
#if PTS_LANES == 16
#define WIDE(name) _mm512_##name
typedef __m512 vec;
typedef __m512i vec_bits;
#else
#define WIDE(name) _mm256_##name
typedef __m256 vec;
typedef __m256i vec_bits;
#endif

INLINE vec vec_load(const float *p)
{
    return WIDE(loadu_ps)(p);
}

INLINE void vec_store(float *p, vec v)
{
    WIDE(storeu_ps)(p, v);
}

INLINE vec vec_set(float x)
{
    return WIDE(set1_ps)(x);
}

/* a·b + c, rounded once where the level has FMA. */
INLINE vec vec_fma(vec a, vec b, vec c)
{
    return WIDE(fmadd_ps)(a, b, c);
}

/* b where a is not a number, as x > 0 ? x : 0 has it. */
INLINE vec vec_max(vec a, vec b)
{
    return WIDE(max_ps)(a, b);
}

INLINE vec vec_min(vec a, vec b)
{
    return WIDE(min_ps)(a, b);
}

/* x·2^n, n a whole number of −126 … 127; 0 where n is −127, infinite where it is 128. Built from
 * bits: VSCALEF is one instruction, but takes a hundred cycles where the result underflows. */
INLINE vec vec_scale(vec x, vec n)
{
    vec_bits exponent = WIDE(add_epi32)(WIDE(cvtps_epi32)(n), WIDE(set1_epi32)(127));
    return x * (vec)WIDE(slli_epi32)(exponent, 23);
}

INLINE vec vec_sqrt(vec v)
{
    return WIDE(sqrt_ps)(v);
}

#if PTS_LANES == 16
INLINE float vec_sum(vec v)
{
    return _mm512_reduce_add_ps(v);
}

INLINE float vec_greatest(vec v)
{
    return _mm512_reduce_max_ps(v);
}
#else
INLINE float vec_sum(vec v)
{
    __m128 half = _mm256_castps256_ps128(v) + _mm256_extractf128_ps(v, 1);
    half = half + _mm_movehl_ps(half, half);
    return half[0] + half[1];
}

INLINE float vec_greatest(vec v)
{
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return half[0] > half[1] ? half[0] : half[1];
}
#endif

#else

typedef float vec __attribute__((vector_size(4 * PTS_LANES)));

INLINE vec vec_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void vec_store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

INLINE vec vec_set(float x)
{
    return (vec){x, x, x, x};
}

INLINE vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}

INLINE vec vec_max(vec a, vec b)
{
    vec out;
    for (int i = 0; i < PTS_LANES; i++)
        out[i] = a[i] > b[i] ? a[i] : b[i];
    return out;
}

INLINE vec vec_min(vec a, vec b)
{
    vec out;
    for (int i = 0; i < PTS_LANES; i++)
        out[i] = a[i] < b[i] ? a[i] : b[i];
    return out;
}

INLINE vec vec_scale(vec x, vec n)
{
    typedef int32_t ints __attribute__((vector_size(4 * PTS_LANES)));
    ints bits = (__builtin_convertvector(n, ints) + 127) << 23;
    return x * (vec)bits;
}

INLINE vec vec_sqrt(vec v)
{
    vec out;
    for (int i = 0; i < PTS_LANES; i++)
        out[i] = __builtin_sqrtf(v[i]);
    return out;
}

INLINE float vec_sum(vec v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

INLINE float vec_greatest(vec v)
{
    float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
}

#endif

#endif
