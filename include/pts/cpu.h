/* pts/cpu.h: which instruction set the library uses: kernels, the curve's fit and SHA-256 alike.
 *
 *   if (pts_cpu_limit(getenv("PTS_CPU"), &err) != PTS_OK) …   // before the first encoder is opened
 *   printf("%s\n", pts_cpu_level());                          // "avx512"
 *
 * Levels, rising: "c" (portable C, products by OpenBLAS, which has a choice of its own), "avx2"
 * (with FMA), "avx512" (F, BW, DQ, VL). The highest that the processor and the operating system
 * support is taken, unless a limit is set. Results of two levels differ in the
 * last digits; results of one level do not depend on the number of threads. */
#ifndef PTS_CPU_H
#define PTS_CPU_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes this level from now on, for encoders opened later; NULL: the highest there is. Those that
 * are open keep theirs. PTS_ERR_ARGUMENT: no such level; PTS_ERR_UNSUPPORTED: this processor does
 * not have it. One call at a time. */
pts_status pts_cpu_limit(const char *level, pts_error *err);

const char *pts_cpu_level(void);

/* Float32 operations a second (a multiply–add counts two) of one core that does nothing but
 * independent fused multiply–adds in registers, at the current level (at "c": the highest):
 * the ceiling of every product. Keeps the calling thread busy for about `seconds`. */
double pts_cpu_peak(double seconds);

#ifdef __cplusplus
}
#endif

#endif
