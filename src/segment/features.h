/* The frozen features of a data set's images, as the decoder reads them. */
#ifndef PTS_SRC_SEGMENT_FEATURES_H
#define PTS_SRC_SEGMENT_FEATURES_H

#include "pts/segment.h"

/* Channels on the coarse grid (a cell every 8 input pixels) and on the fine one (every 4). */
enum {
    COARSE_MID = 48,  /* of Mixed_5d's 288 */
    COARSE_DEEP = 64, /* of Mixed_6e's 768 */
    COARSE_CHANNELS = COARSE_MID + COARSE_DEEP,
    FINE_STEM = 24, /* of Conv2d_4a_3x3's 192 */
    FINE_CHANNELS = FINE_STEM + 3,
    COARSE_CELL = 8,
    FINE_CELL = 4
};

typedef struct feature_item {
    size_t width, height;       /* the photograph's */
    size_t in_width, in_height; /* the network's input, before padding */
    size_t rows, columns;       /* coarse grid; the fine one has twice as many */
    float *coarse;              /* [rows][columns][COARSE_CHANNELS] */
    float *fine;                /* [2·rows][2·columns][FINE_CHANNELS] */
} feature_item;

struct pts_features {
    size_t count;
    feature_item *items;
};

#endif
