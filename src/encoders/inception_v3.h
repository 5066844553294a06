#ifndef PTS_SRC_ENCODERS_INCEPTION_V3_H
#define PTS_SRC_ENCODERS_INCEPTION_V3_H

#include "encoders/network.h"

enum { INCEPTION_V3_DIM = 2048, INCEPTION_V3_INPUT = 299, INCEPTION_V3_SMALLEST = 75 };

/* image [height][width][3] → the pooled embedding [2048] (NULL: not wanted). */
void pts_inception_v3_forward(network *net, pts_feature_map image, float *embedding);

#endif
