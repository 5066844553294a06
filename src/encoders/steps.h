/* Timing of the forward pass's steps, for pts_encoder_profile: no clock is read without a visitor.
 */
#ifndef PTS_SRC_ENCODERS_STEPS_H
#define PTS_SRC_ENCODERS_STEPS_H

#include "base/clock.h"
#include "pts/encoder.h"

static inline double steps_now(pts_step_visitor visit)
{
    return visit ? pts_clock() : 0;
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
