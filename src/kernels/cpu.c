/* Which level this machine can run, and which is in force. */
#include "base/error.h"
#include "kernels/level.h"
#include "pts/cpu.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

extern const pts_level pts_c_level;

#ifdef PTS_X86_LEVELS
#include <cpuid.h>

extern const pts_level pts_avx2_level, pts_avx512_level;

/* Bits of XCR0: the operating system saves the registers (Intel SDM volume 1, 13.3). Without the
 * check the first 256-bit instruction faults under a hypervisor that masks the state only. */
enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6 };

static unsigned enabled_states(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int has_avx2(void)
{
    unsigned a, b, c, d, leaf7_b;
    if (!__get_cpuid_count(7, 0, &a, &leaf7_b, &c, &d) || !__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    return (leaf7_b & bit_AVX2) && (c & bit_FMA) && (enabled_states() & XCR0_AVX) == XCR0_AVX;
}

static int has_avx512(void)
{
    const unsigned needed = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    unsigned a, b, c, d;
    if (!has_avx2() || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    return (b & needed) == needed && (enabled_states() & XCR0_AVX512) == XCR0_AVX512;
}
#endif

static int always(void)
{
    return 1;
}

static const struct {
    const pts_level *level;
    int (*supported)(void);
} levels[] = {
    {&pts_c_level, always},
#ifdef PTS_X86_LEVELS
    {&pts_avx2_level, has_avx2},
    {&pts_avx512_level, has_avx512},
#endif
};

enum { LEVELS = sizeof levels / sizeof *levels };

/* The CPU table: the only state of the process that changes results (in the last digits). */
static _Atomic(const pts_level *) limit;

const pts_level *pts_level_at(size_t index)
{
    return index < LEVELS && levels[index].supported() ? levels[index].level : NULL;
}

static const pts_level *highest(void)
{
    const pts_level *best = &pts_c_level, *next;
    for (size_t i = 1; (next = pts_level_at(i)); i++)
        best = next;
    return best;
}

const pts_level *pts_level_current(void)
{
    const pts_level *level = atomic_load(&limit);
    return level ? level : highest();
}

const char *pts_cpu_level(void)
{
    return pts_level_current()->name;
}

/* Names the levels that there are here: "c, avx2 or avx512". */
static pts_status refuse(pts_status status, const char *level, pts_error *err)
{
    char names[64] = "";
    for (size_t i = 0; pts_level_at(i); i++) {
        size_t used = strlen(names);
        const char *joint = i == 0 ? "" : pts_level_at(i + 1) ? ", " : " or ";
        snprintf(names + used, sizeof names - used, "%s%s", joint, pts_level_at(i)->name);
    }
    return pts_fail(err, status, "expected CPU level %s on this machine, got '%s'", names, level);
}

pts_status pts_cpu_limit(const char *level, pts_error *err)
{
    if (!level) {
        atomic_store(&limit, NULL);
        return PTS_OK;
    }
    for (size_t i = 0; i < LEVELS; i++) {
        if (strcmp(level, levels[i].level->name) != 0)
            continue;
        if (!levels[i].supported())
            return refuse(PTS_ERR_UNSUPPORTED, level, err);
        atomic_store(&limit, levels[i].level);
        return PTS_OK;
    }
    return refuse(PTS_ERR_ARGUMENT, level, err);
}

/* Not the thread's own clock: on a virtual machine it loses time when the thread is preempted, and
 * a round came out at twice what the processor can. */
static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double pts_cpu_peak(double seconds)
{
    const pts_level *level = pts_level_current();
    if (!level->panel)
        level = highest();
    double best = 0, start = seconds_now(), now = start;
    while (now - start < seconds) {
        double operations = level->spin_fma(1 << 18), end = seconds_now();
        if (end > now && operations / (end - now) > best)
            best = operations / (end - now);
        now = end;
    }
    return best;
}
