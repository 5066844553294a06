/* The tables of the levels (base/cpu.h), and what the highest of them can do at best. */
#include "base/clock.h"
#include "base/cpu.h"
#include "kernels/level.h"

extern const pts_level pts_c_level;
#ifdef PTS_X86_LEVELS
extern const pts_level pts_avx2_level, pts_avx512_level;
#endif

static const pts_level *const levels[] = {
    &pts_c_level,
#ifdef PTS_X86_LEVELS
    &pts_avx2_level,
    &pts_avx512_level,
#endif
};

const pts_level *pts_level_at(size_t index)
{
    return index < pts_cpu_count() ? levels[index] : NULL;
}

const pts_level *pts_level_current(void)
{
    return levels[pts_cpu_current()];
}

/* Not by the thread's own clock: on a virtual machine it loses time when the thread is preempted,
 * and a round came out at twice what the processor can. */
double pts_cpu_peak(double seconds)
{
    const pts_level *level = pts_level_current();
    if (!level->panel)
        level = levels[pts_cpu_count() - 1];
    double best = 0, start = pts_clock(), now = start;
    while (now - start < seconds) {
        double operations = level->spin_fma(1 << 18), end = pts_clock();
        if (end > now && operations / (end - now) > best)
            best = operations / (end - now);
        now = end;
    }
    return best;
}
