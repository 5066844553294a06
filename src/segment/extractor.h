/* One photograph after another through the encoder: the state of pts_features_create. */
#ifndef PTS_SRC_SEGMENT_EXTRACTOR_H
#define PTS_SRC_SEGMENT_EXTRACTOR_H

#include "base/memory.h"
#include "segment/features.h"
#include "segment/pca.h"
#include "segment/source.h"

/* A tap's map over the whole picture. */
typedef struct tap_map {
    float *sum; /* [rows][columns][channels], over the windows */
    size_t rows, columns, capacity;
} tap_map;

typedef struct extractor {
    pts_encoder *encoder;
    feature_source source;
    pts_features *features;
    const pts_feature_settings *settings;
    pts_progress progress;
    void *user;
    pca pcas[TAPS];
    float *pixels; /* [height][width][3], padded, 0 … 1 */
    size_t height, width, pixels_capacity;
    float *input; /* one window as the encoder takes it */
    size_t input_capacity;
    tap_map maps[TAPS];
    size_t top, left;   /* of the window being seen */
    feature_item *item; /* being filled; NULL while the components are gathered */
    float *projected;   /* [rows][columns][kept] of one tap */
    size_t projected_capacity;
    float *blocks; /* [rows][columns][PIXEL_CHANNELS] */
    size_t blocks_capacity;
    pts_status status;
    pts_error *err;
} extractor;

void pts_extractor_free(extractor *x);

/* The photograph at the network's size into x->pixels; fills in all of *item but its features. */
pts_status pts_picture_load(extractor *x, const pts_image *image, feature_item *item);
/* Pixel k / 3 of fine cell (r, c) in raster order, colour k mod 3. */
float pts_picture_pixel(const extractor *x, size_t r, size_t c, size_t k);
/* Mean colour of each fine cell, around zero. */
void pts_picture_colours(const extractor *x, feature_item *item);

/* The loaded picture's maps, to the features of x->item or, where that is NULL, to the components;
 * `item` says how large the picture is. */
pts_status pts_extractor_run(extractor *x, const feature_item *item);

#endif
