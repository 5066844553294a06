#ifndef PTS_SRC_SEGMENT_SEGMENTER_H
#define PTS_SRC_SEGMENT_SEGMENTER_H

#include "segment/instances.h"
#include "segment/targets.h"

struct pts_segmenter {
    float *parameters; /* [decoder_parameters()] */
    instance_rule rule;
};

/* The largest coarse grid among the features' images, and the most pixels of a photograph. */
void features_extent(const pts_features *features, size_t *rows, size_t *columns, size_t *pixels);

/* Trains the decoder's parameters on targets [count]. */
pts_status decoder_train(float *parameters, const segment_target *targets, size_t count,
                         uint64_t seed, pts_team *team, pts_error *err);

#endif
