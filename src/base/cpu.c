/* Which level this machine can run, and which is in force. */
#include "base/cpu.h"
#include "base/error.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static bool always(void)
{
    return true;
}

#ifdef PTS_X86_LEVELS
#include <cpuid.h>

/* The compiler's library asks once, and knows which registers the operating system saves: without
 * that the first 256-bit instruction faults under a hypervisor that masks the state only. */
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

/* Kept: a virtual machine takes some ten microseconds for each cpuid, which, of five thousand
 * photographs, was most of the time of hashing. */
static bool has_sha(void)
{
    enum { UNKNOWN, YES, NO };
    static atomic_int known;
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == UNKNOWN) {
        unsigned a, b, c, d;
        bool there = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) &&
                     __builtin_cpu_supports("sse4.1");
        answer = there ? YES : NO;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == YES;
}
#else
static bool has_sha(void)
{
    return false;
}
#endif

static const struct {
    const char *name;
    bool (*supported)(void);
} levels[] = {
    {"c", always},
#ifdef PTS_X86_LEVELS
    {"avx2", has_avx2},
    {"avx512", has_avx512},
#endif
};

enum { LEVELS = sizeof levels / sizeof *levels };

/* The level that was asked for and 1; 0: the highest. The only state of the process that changes
 * results (in the last digits). */
static atomic_size_t limit;

size_t pts_cpu_count(void)
{
    size_t count = 1;
    while (count < LEVELS && levels[count].supported())
        count++;
    return count;
}

size_t pts_cpu_current(void)
{
    size_t asked = atomic_load(&limit);
    return asked ? asked - 1 : pts_cpu_count() - 1;
}

const char *pts_cpu_name(size_t level)
{
    return levels[level].name;
}

const char *pts_cpu_level(void)
{
    return pts_cpu_name(pts_cpu_current());
}

bool pts_cpu_sha(void)
{
    return pts_cpu_current() > 0 && has_sha();
}

/* Names the levels that there are here: "c, avx2 or avx512". */
static pts_status refuse(pts_status status, const char *level, pts_error *err)
{
    char names[64] = "";
    const size_t count = pts_cpu_count();
    for (size_t i = 0, used = 0; i < count; i++) {
        const char *joint = i == 0 ? "" : i + 1 < count ? ", " : " or ";
        snprintf(names + used, sizeof names - used, "%s%s", joint, levels[i].name);
        used = strlen(names);
    }
    return pts_fail(err, status, "expected CPU level %s on this machine, got '%s'", names, level);
}

pts_status pts_cpu_limit(const char *level, pts_error *err)
{
    size_t i = 0;
    while (level && i < LEVELS && strcmp(level, levels[i].name) != 0)
        i++;
    if (i == LEVELS)
        return refuse(PTS_ERR_ARGUMENT, level, err);
    if (!levels[i].supported())
        return refuse(PTS_ERR_UNSUPPORTED, level, err);
    atomic_store(&limit, level ? i + 1 : 0);
    return PTS_OK;
}
