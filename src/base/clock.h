/* Time that only goes forward. */
#ifndef PTS_SRC_BASE_CLOCK_H
#define PTS_SRC_BASE_CLOCK_H

/* Seconds since some moment before the process began (CLOCK_MONOTONIC). */
double pts_clock(void);
/* Seconds that all threads of the process have computed. */
double pts_clock_process(void);

#endif
