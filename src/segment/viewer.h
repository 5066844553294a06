/* One thread's look at one image: decoder, then probabilities at the photograph's pixels. */
#ifndef PTS_SRC_SEGMENT_VIEWER_H
#define PTS_SRC_SEGMENT_VIEWER_H

#include "segment/decoder.h"
#include "segment/instances.h"

typedef struct viewer {
    pts_arena arena;
    decoder_tape tape;
    instance_room room;
} viewer;

/* Room for any of the features' images. */
pts_status pts_viewer_create(viewer *v, const pts_features *features, pts_error *err);
void pts_viewer_free(viewer *v);

/* Fills v->room.object and v->room.core [item->height][item->width]. */
void pts_viewer_look(viewer *v, const float *parameters, const feature_item *item);

#endif
