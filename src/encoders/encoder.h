/* What an encoder holds: run in encoder.c, looked into in inspect.c. */
#ifndef PTS_SRC_ENCODERS_ENCODER_H
#define PTS_SRC_ENCODERS_ENCODER_H

#include "encoders/arch.h"

struct pts_encoder {
    const pts_arch *arch;
    pts_arch_info info;
    pts_weights *weights;
    pts_team *team;
    void *model;
    void *together;      /* the pass that runs on the whole team */
    void **alone;        /* [threads] passes, made when first needed; or NULL */
    size_t image_floats; /* input²·3 */
    float *embedding;    /* [dim], of profiles and taps */
};

#endif
