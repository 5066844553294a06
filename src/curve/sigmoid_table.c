/* Which builds of sigmoid.c this processor can run. */
#include "curve/sigmoid.h"

#include <stdbool.h>

extern const sigmoid_table pts_sigmoid_c;

static bool always(void)
{
    return true;
}

#ifdef PTS_X86_LEVELS
extern const sigmoid_table pts_sigmoid_avx2, pts_sigmoid_avx512;

/* libgcc's flags know which registers the operating system saves, too. */
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

static const struct {
    const sigmoid_table *table;
    bool (*supported)(void);
} tables[] = {
    {&pts_sigmoid_c, always},
#ifdef PTS_X86_LEVELS
    {&pts_sigmoid_avx2, has_avx2},
    {&pts_sigmoid_avx512, has_avx512},
#endif
};

enum { TABLES = sizeof tables / sizeof *tables };

const sigmoid_table *pts_sigmoid_at(size_t index)
{
    return index < TABLES && tables[index].supported() ? tables[index].table : NULL;
}

const sigmoid_table *pts_sigmoid(void)
{
    size_t best = 0;
    while (pts_sigmoid_at(best + 1))
        best++;
    return pts_sigmoid_at(best);
}
