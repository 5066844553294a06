/* The builds of sigmoid.c, one a CPU level (base/cpu.h). */
#include "base/cpu.h"
#include "curve/sigmoid.h"

extern const sigmoid_table pts_sigmoid_c;
#ifdef PTS_X86_LEVELS
extern const sigmoid_table pts_sigmoid_avx2, pts_sigmoid_avx512;
#endif

static const sigmoid_table *const tables[] = {
    &pts_sigmoid_c,
#ifdef PTS_X86_LEVELS
    &pts_sigmoid_avx2,
    &pts_sigmoid_avx512,
#endif
};

const sigmoid_table *pts_sigmoid_at(size_t index)
{
    return index < pts_cpu_count() ? tables[index] : NULL;
}

const sigmoid_table *pts_sigmoid(void)
{
    return tables[pts_cpu_current()];
}
