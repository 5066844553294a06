/* Where features come from: which maps of an encoder, and how a photograph is shown to it. */
#ifndef PTS_SRC_SEGMENT_SOURCE_H
#define PTS_SRC_SEGMENT_SOURCE_H

#include "segment/projection.h"

/* The photograph's own pixels as a map: the blocks of the fine cells. */
#define PIXEL_TAP "pixels"

typedef struct source_tap {
    char name[32];
    size_t channels; /* of the encoder's map */
    size_t cell;     /* padded input pixels from cell to cell */
    double first;    /* the padded input pixel that cell 0 is centred on */
} source_tap;

typedef struct feature_source {
    size_t pad_front, pad_back; /* edge pixels are repeated so far around the picture */
    size_t smallest;            /* side of the padded picture */
    size_t window;              /* side of what the encoder takes; 0: the whole, any size */
    size_t patch;               /* of a token; maps are [1][1 + tokens], the class token first */
    source_tap taps[TAPS];
    float black[3], white[3]; /* what the encoder's preset makes of 0 and 255: it is affine */
} feature_source;

/* Asks the encoder with a blank picture what its taps are. */
pts_status pts_feature_source_open(feature_source *source, pts_encoder *encoder, pts_error *err);

#endif
