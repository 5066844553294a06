/* Which build of sigmoid.c this processor can run. */
#include "curve/sigmoid.h"

extern const sigmoid_table pts_sigmoid_c;

#ifdef PTS_X86_LEVELS
extern const sigmoid_table pts_sigmoid_avx2, pts_sigmoid_avx512;

const sigmoid_table *pts_sigmoid(void)
{
    /* libgcc's flags know which registers the operating system saves, too */
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    return avx512 ? &pts_sigmoid_avx512 : avx2 ? &pts_sigmoid_avx2 : &pts_sigmoid_c;
}
#else
const sigmoid_table *pts_sigmoid(void)
{
    return &pts_sigmoid_c;
}
#endif
