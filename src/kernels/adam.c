/* Adam's step (Kingma and Ba 2015): see adam.h. */
#include "kernels/level_functions.h"

typedef struct state {
    float *weight, *m, *v;
    const float *gradient;
} state;

INLINE void step(const pts_adam_constants *c, state s)
{
    const vec g = vec_load(s.gradient);
    const vec m = vec_set(c->beta1) * vec_load(s.m) + vec_set(1 - c->beta1) * g;
    const vec v = vec_set(c->beta2) * vec_load(s.v) + vec_set(1 - c->beta2) * g * g;
    const vec size = vec_sqrt(v) * vec_set(c->root) + vec_set(c->epsilon);
    vec_store(s.m, m);
    vec_store(s.v, v);
    vec_store(s.weight, vec_set(c->keep) * vec_load(s.weight) - vec_set(c->rate) * m / size);
}

void LEVEL(adam)(const pts_adam_constants *c, size_t count, float *weight, const float *gradient,
                 float *m, float *v)
{
    size_t i = 0;
    for (; i + PTS_LANES <= count; i += PTS_LANES)
        step(c, (state){weight + i, m + i, v + i, gradient + i});
    if (i == count)
        return;
    float rest[4][PTS_LANES] = {{0}};
    const size_t bytes = (count - i) * sizeof *weight;
    memcpy(rest[0], weight + i, bytes);
    memcpy(rest[1], m + i, bytes);
    memcpy(rest[2], v + i, bytes);
    memcpy(rest[3], gradient + i, bytes);
    step(c, (state){rest[0], rest[1], rest[2], rest[3]});
    memcpy(weight + i, rest[0], bytes);
    memcpy(m + i, rest[1], bytes);
    memcpy(v + i, rest[2], bytes);
}
