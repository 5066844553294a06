#ifndef PTS_SRC_SEGMENT_SEGMENTER_H
#define PTS_SRC_SEGMENT_SEGMENTER_H

#include "segment/instances.h"
#include "segment/targets.h"

struct pts_segmenter {
    float *parameters; /* [decoder_parameters()] */
    instance_rule rule;
};

/* Trains the decoder's parameters on targets [count]. */
pts_status decoder_train(float *parameters, const segment_target *targets, size_t count,
                         uint64_t seed, pts_team *team, pts_error *err);

#endif
