/* One kernel's check and benchmark; checkkernels.c runs them for each CPU level (after dav1d's
 * checkasm). Inputs come from the generator of operands.h, so that a failure names its seed. */
#ifndef PTS_TESTS_CHECKKERNELS_CHECK_H
#define PTS_TESTS_CHECKKERNELS_CHECK_H

#include "../operands.h"
#include "kernels/level.h"

#include <stdbool.h>

/* What an operand is filled with. */
typedef enum filling {
    FILL_UNIFORM,  /* [-1, 1) */
    FILL_INTEGERS, /* -4 … 4: sums are exact */
    FILL_ZEROS,
    FILL_DENORMALS,
    FILL_HUGE,  /* up to ±max/1e4 */
    FILL_MIXED, /* magnitudes 1e-20 … 1e20 */
    FILLINGS
} filling;

void fill(float *x, size_t count, filling how);
const char *filling_name(filling how);

/* Notes one comparison. A failure is printed with its parameters; of a kernel at a level the first
 * one only. Returns `good`. */
bool check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* |got − expected| ≤ tolerance, or both the same infinity, or both not a number. */
bool check_near(float got, double expected, double tolerance);

extern pts_team *check_teams[3]; /* of 1, 2, 3 threads */

/* Operations a second of work(user), each call counting `operations`; best of some rounds. */
double bench_rate(double operations, void (*work)(void *user), void *user);
/* One line: kernel and parameters, GFLOP/s or GB/s, and of products the percent of the FMA peak. */
void bench_line(const pts_level *level, const char *name, double rate, const char *unit,
                bool percent);

void check_product(const pts_level *level);
void check_product_isolation(const pts_level *level);
void check_product_team(const pts_level *level);
void check_checksum(const pts_level *level);
void bench_product(const pts_level *level);

void check_transforms(const pts_level *level);
void bench_transforms(const pts_level *level);

void check_pools(const pts_level *level);
void bench_pools(const pts_level *level);

void check_rows(const pts_level *level);
void bench_rows(const pts_level *level);

void check_attention(const pts_level *level);
void bench_attention(const pts_level *level);

void check_adam(const pts_level *level);
void bench_adam(const pts_level *level);

#endif
