/* checkkernels: each kernel of each CPU level against plain C, on random and adversarial inputs;
 * with --bench the same kernels are timed.
 *
 *   checkkernels [--seed N] [--bench]
 *
 * Operands end where a page without access begins (operands.h), so reading or writing past an end
 * is a fault in every build. */
#include "check.h"

#include "base/clock.h"
#include "pts/cpu.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct kernel {
    const char *name;
    void (*check)(const pts_level *level);
    void (*bench)(const pts_level *level);
} kernel;

static const kernel kernels[] = {
    {"product", check_product, bench_product},
    {"product: isolation", check_product_isolation, NULL},
    {"product: team", check_product_team, NULL},
    {"product: checksum", check_checksum, NULL},
    {"transforms", check_transforms, bench_transforms},
    {"pools", check_pools, bench_pools},
    {"rows", check_rows, bench_rows},
    {"attention", check_attention, bench_attention},
    {"adam", check_adam, bench_adam},
};

enum { KERNELS = sizeof kernels / sizeof *kernels };

pts_team *check_teams[3];

static struct {
    const kernel *kernel;
    const pts_level *level;
    uint64_t seed;
    size_t compared, failed;
} now;

/* ---- what the checks call ---- */

void fill(float *x, size_t count, filling how)
{
    for (size_t i = 0; i < count; i++) {
        float u = random_float();
        switch (how) {
        case FILL_INTEGERS:
            x[i] = (float)random_below(9) - 4;
            break;
        case FILL_ZEROS:
            x[i] = u < 0 ? -0.0f : 0;
            break;
        case FILL_DENORMALS:
            x[i] = u * 1e-39f;
            break;
        case FILL_HUGE:
            x[i] = u * 3.4e34f;
            break;
        case FILL_MIXED:
            x[i] = ldexpf(u, (int)random_below(133) - 66);
            break;
        default:
            x[i] = u;
        }
    }
}

const char *filling_name(filling how)
{
    static const char *const names[FILLINGS] = {"uniform",   "integers", "zeros",
                                                "denormals", "huge",     "mixed"};
    return names[how];
}

bool check(bool good, const char *format, ...)
{
    now.compared++;
    if (good)
        return true;
    if (now.failed++ == 0) {
        va_list args;
        va_start(args, format);
        printf("%s, %s, seed %llu: ", now.level->name, now.kernel->name,
               (unsigned long long)now.seed);
        vprintf(format, args);
        putchar('\n');
        va_end(args);
    }
    return false;
}

bool check_near(float got, double expected, double tolerance)
{
    if (isnan(expected))
        return isnan(got);
    if (isinf(expected) || isinf(got))
        return (double)got == expected;
    return fabs((double)got - expected) <= tolerance;
}

/* ---- timing ---- */

double bench_rate(double operations, void (*work)(void *user), void *user)
{
    const double round_seconds = 0.004;
    enum { ROUNDS = 8 };
    double best = 0;
    size_t calls = 1;
    for (int round = 0; round < ROUNDS; round++) {
        double start = pts_clock(), spent;
        for (size_t i = 0; i < calls; i++)
            work(user);
        spent = pts_clock() - start;
        if (spent < round_seconds && calls < SIZE_MAX / 16) {
            calls *= 4; /* too short to time: this round does not count */
            round--;
            continue;
        }
        if (operations * (double)calls / spent > best)
            best = operations * (double)calls / spent;
    }
    return best;
}

void bench_line(const pts_level *level, const char *name, double rate, const char *unit,
                bool percent)
{
    static double peak[8];
    static const pts_level *peak_of[8];
    size_t i = 0;
    while (peak_of[i] && peak_of[i] != level)
        i++;
    if (!peak_of[i]) {
        peak_of[i] = level;
        pts_cpu_limit(level->name, NULL);
        peak[i] = pts_cpu_peak(0.2);
        pts_cpu_limit(NULL, NULL);
    }
    printf("%-7s %-60s %8.1f %s", level->name, name, rate * 1e-9, unit);
    if (percent)
        printf(" %5.1f %% of peak", 100 * rate / peak[i]);
    putchar('\n');
}

/* ---- the program ---- */

static bool run_kernel(const kernel *k, const pts_level *level, uint64_t seed)
{
    now.kernel = k;
    now.level = level;
    now.seed = seed;
    now.compared = now.failed = 0;
    random_seed(seed);
    k->check(level);
    check(operands_release(), "a byte before an operand was written");
    printf("%-7s %-20s %9zu compared, %zu failed\n", level->name, k->name, now.compared,
           now.failed);
    fflush(stdout); /* a fault in the next one must not take this with it */
    return now.compared > 1 && !now.failed;
}

static int run_all(bool bench, uint64_t seed)
{
    const pts_level *level;
    int code = EXIT_SUCCESS;
    for (size_t i = 0; (level = pts_level_at(i)); i++) {
        for (size_t k = 0; k < KERNELS; k++) {
            if (bench && kernels[k].bench)
                kernels[k].bench(level);
            else if (!bench && !run_kernel(&kernels[k], level, seed))
                code = EXIT_FAILURE;
        }
    }
    return code;
}

static int usage(void)
{
    fprintf(stderr, "usage: checkkernels [--seed N] [--bench]\n");
    return 2;
}

int main(int argc, char **argv)
{
    bool bench = false;
    uint64_t seed = 1;
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--bench") == 0)
            bench = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], &end, 10);
        else
            return usage();
        if (end && (*end || end == argv[i]))
            return usage();
    }
    for (int i = 0; i < 3; i++) {
        if (pts_team_create(&check_teams[i], i + 1, NULL) != PTS_OK)
            return EXIT_FAILURE;
    }
    int code = run_all(bench, seed);
    for (int i = 0; i < 3; i++)
        pts_team_destroy(check_teams[i]);
    return code;
}
