/* Reproducible random numbers: splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom
 * number generators"). The same on every machine, so that a seed means the same everywhere. */
#ifndef PTS_SRC_BASE_RANDOM_H
#define PTS_SRC_BASE_RANDOM_H

#include <stddef.h>

typedef struct pts_rng {
    unsigned long long state; /* any: the seed */
} pts_rng;

/* A generator of its own for each index. Neighbouring seeds would not do: they give one sequence,
 * shifted by a draw. */
pts_rng pts_rng_stream(unsigned long long seed, unsigned long long index);
/* The generator {seed} after `draws` uniform numbers. */
pts_rng pts_rng_skip(unsigned long long seed, size_t draws);

double pts_rng_uniform(pts_rng *rng);             /* [0, 1) */
double pts_rng_normal(pts_rng *rng);              /* standard; takes two uniform ones */
size_t pts_rng_below(pts_rng *rng, size_t bound); /* even over [0, bound), bound ≥ 1 */

#endif
