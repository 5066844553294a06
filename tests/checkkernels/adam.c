/* Adam's step, against double; and cut in two at any place. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const double unit = FLT_EPSILON / 2; /* half an ulp of 1 */

typedef struct weights {
    float *w, *m, *v, *g;
} weights;

static weights random_weights(size_t count)
{
    weights s = {random_operand(count), random_operand(count), random_operand(count),
                 random_operand(count)};
    for (size_t i = 0; i < count; i++) {
        s.v[i] = ldexpf(s.v[i] * s.v[i], -(int)random_below(60));
        s.g[i] = random_below(8) ? ldexpf(s.g[i], -(int)random_below(40)) : 0;
    }
    return s;
}

static float *copy_of(const float *x, size_t count)
{
    float *y = operand(count);
    return memcpy(y, x, count * sizeof *y);
}

static void check_weight(const pts_adam_constants *c, const weights *got, const weights *from,
                         size_t count, size_t i)
{
    const double b1 = (double)c->beta1, b2 = (double)c->beta2, g = (double)from->g[i];
    const double old_m = b1 * (double)from->m[i], new_m = (double)(1 - c->beta1) * g;
    const double m = old_m + new_m;
    const double v = b2 * (double)from->v[i] + (double)(1 - c->beta2) * g * g;
    const double size = sqrt(v) * (double)c->root + (double)c->epsilon;
    const double step = (double)c->rate * m / size, kept = (double)c->keep * (double)from->w[i];
    const double m_error = 3 * unit * (fabs(old_m) + fabs(new_m));
    check(check_near(got->m[i], m, m_error), "adam, %zu values: m %.9g, got %.9g", count, m,
          (double)got->m[i]);
    check(check_near(got->v[i], v, 4 * unit * v + 1e-44), "adam, %zu values: v %.9g, got %.9g",
          count, v, (double)got->v[i]);
    check(check_near(got->w[i], kept - step,
                     3 * unit * (fabs(kept) + fabs(step)) + 8 * unit * fabs(step) +
                         (double)c->rate * m_error / size),
          "adam, %zu values: w %.9g, got %.9g", count, kept - step, (double)got->w[i]);
}

void check_adam(const pts_level *level)
{
    const pts_adam_constants c = {0.9f, 0.999f, 1e-8f, 0.01f, 1.5f, 0.99f};
    for (size_t count = 1; count <= 70; count++) {
        const weights from = random_weights(count);
        const size_t at = random_below(count + 1);
        weights whole = from, parts = from;
        whole.w = copy_of(from.w, count), parts.w = copy_of(from.w, count);
        whole.m = copy_of(from.m, count), parts.m = copy_of(from.m, count);
        whole.v = copy_of(from.v, count), parts.v = copy_of(from.v, count);
        level->adam(&c, count, whole.w, from.g, whole.m, whole.v);
        level->adam(&c, at, parts.w, from.g, parts.m, parts.v);
        level->adam(&c, count - at, parts.w + at, from.g + at, parts.m + at, parts.v + at);
        check(memcmp(whole.w, parts.w, count * sizeof *whole.w) == 0,
              "adam, %zu values: cut at %zu other bits", count, at);
        for (size_t i = 0; i < count; i++)
            check_weight(&c, &whole, &from, count, i);
        check(operands_release(), "written before an operand");
    }
}

/* ---- the bench ---- */

typedef struct adam_work {
    const pts_level *level;
    weights at;
    size_t count;
} adam_work;

static void work_adam(void *user)
{
    const pts_adam_constants c = {0.9f, 0.999f, 1e-8f, 0, 1, 1};
    adam_work *w = user;
    w->level->adam(&c, w->count, w->at.w, w->at.g, w->at.m, w->at.v);
}

void bench_adam(const pts_level *level)
{
    enum { COUNT = 2048 };
    adam_work w = {level, random_weights(COUNT), COUNT};
    bench_line(level, "Adam step of 2048", bench_rate(COUNT, work_adam, &w), "G values/s", false);
    operands_release();
}
