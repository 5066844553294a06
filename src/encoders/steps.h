/* Timing of the forward pass's steps, for pts_encoder_profile: no clock is read without a visitor.
 */
#ifndef PTS_SRC_ENCODERS_STEPS_H
#define PTS_SRC_ENCODERS_STEPS_H

#include "pts/encoder.h"

#include <time.h>

static inline double steps_now(pts_step_visitor visit)
{
    struct timespec now = {0};
    if (visit)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline void steps_show(pts_step_visitor visit, void *user, const char *name,
                              const char *method, double flops, double start)
{
    if (visit) {
        pts_encoder_step step = {name, method, flops, steps_now(visit) - start};
        visit(user, &step);
    }
}

#endif
