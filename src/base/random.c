#include "base/random.h"

#include <math.h>
#include <stdint.h>

static const uint64_t stride = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t next(pts_rng *rng)
{
    uint64_t z = rng->state += stride;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

pts_rng pts_rng_stream(unsigned long long seed, unsigned long long index)
{
    pts_rng rng = {seed};
    rng.state = next(&rng) ^ index;
    rng.state = next(&rng);
    return rng;
}

pts_rng pts_rng_skip(unsigned long long seed, size_t draws)
{
    return (pts_rng){seed + draws * stride};
}

double pts_rng_uniform(pts_rng *rng)
{
    return (double)(next(rng) >> 11) * 0x1p-53;
}

double pts_rng_normal(pts_rng *rng)
{
    double radius = sqrt(-2 * log(1 - pts_rng_uniform(rng)));
    return radius * cos(6.283185307179586 * pts_rng_uniform(rng));
}

/* Draws above the last whole multiple of the bound are thrown away. */
size_t pts_rng_below(pts_rng *rng, size_t bound)
{
    uint64_t last = UINT64_MAX - (UINT64_MAX % bound + 1) % bound, r;
    do
        r = next(rng);
    while (r > last);
    return (size_t)(r % bound);
}
