/* The CPU level in force, as a number: 0 is "c", and each further one needs more of the processor.
 * It lives in base, below every room that has several builds of a source (kernels, the sigmoid of
 * curve, the hash of weights): each keeps a table of its own, in this order, and asks here which
 * entry is in force. So a limit holds for all of them (pts/cpu.h). */
#ifndef PTS_SRC_BASE_CPU_H
#define PTS_SRC_BASE_CPU_H

#include "pts/cpu.h"

#include <stdbool.h>

/* How many levels this machine can run, lowest first. */
size_t pts_cpu_count(void);
size_t pts_cpu_current(void);
const char *pts_cpu_name(size_t level);
/* Whether SHA-256's instructions may be used: part of every level above c on processors that have
 * them. */
bool pts_cpu_sha(void);

#endif
