/* The frozen features of a data set's images, as the decoder reads them. */
#ifndef PTS_SRC_SEGMENT_FEATURES_H
#define PTS_SRC_SEGMENT_FEATURES_H

#include "segment/projection.h"

#include <stdbool.h>

/* Channels on the coarse grid (a cell every 8 input pixels) and on the fine one (every 4): the
 * same for every encoder, so that there is one decoder. A map of fewer channels leaves the others
 * zero. */
enum {
    COARSE_MID = 48,
    COARSE_DEEP = 64,
    COARSE_CHANNELS = COARSE_MID + COARSE_DEEP,
    FINE_MAP = 24,
    FINE_CHANNELS = FINE_MAP + 3,
    COARSE_CELL = 8,
    FINE_CELL = 4,
    PIXEL_CHANNELS = FINE_CELL * FINE_CELL * 3
};

/* Where a tap's map goes. */
typedef struct feature_place {
    size_t kept, at; /* channels there at most, and the first of them */
    bool fine;
} feature_place;
extern const feature_place pts_feature_places[TAPS];

typedef struct feature_item {
    size_t width, height;       /* the photograph's */
    size_t in_width, in_height; /* the network's input, before padding */
    size_t rows, columns;       /* coarse grid; the fine one has twice as many */
    float *coarse;              /* [rows][columns][COARSE_CHANNELS]; NULL: the image is absent */
    float *fine;                /* [2·rows][2·columns][FINE_CHANNELS] */
} feature_item;

struct pts_features {
    size_t count;
    feature_item *items;
    pts_projection projection;
};

#endif
