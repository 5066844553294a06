/* Golden arrays of float32 without a header, read in order. */
#ifndef PTS_TESTS_GOLDEN_H
#define PTS_TESTS_GOLDEN_H

#include "check_main.h"

#include <math.h>

typedef struct golden {
    float *data;
    size_t count, used;
} golden;

static inline golden golden_open(const char *name)
{
    FILE *file = fopen(test_data(name), "rb");
    ck_assert_msg(file != NULL, "%s is missing", name);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    golden g = {malloc(size), size / sizeof(float), 0};
    ck_assert_uint_eq(fread(g.data, sizeof(float), g.count, file), g.count);
    fclose(file);
    return g;
}

/* The next `count` floats; the file keeps them. */
static inline const float *golden_take(golden *g, size_t count)
{
    ck_assert_uint_le(g->used + count, g->count);
    g->used += count;
    return g->data + g->used - count;
}

static inline void golden_close(golden *g)
{
    ck_assert_uint_eq(g->used, g->count); /* nothing was left unread */
    free(g->data);
}

/* max |a − b| ≤ tolerance · max |b|, with the worst place in the message. */
static inline void assert_close(const char *what, const float *a, const float *b, size_t count,
                                double tolerance)
{
    double worst = 0, scale = 0;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)a[i] - b[i]);
        scale = fmax(scale, fabs((double)b[i]));
        if (!(difference <= worst)) {
            worst = difference;
            at = i;
        }
    }
    ck_assert_msg(worst <= tolerance * scale, "%s[%zu]: expected %.9g, got %.9g (largest %.3g)",
                  what, at, (double)b[at], (double)a[at], scale);
}

#endif
