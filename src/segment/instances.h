/* From probability maps to instances. */
#ifndef PTS_SRC_SEGMENT_INSTANCES_H
#define PTS_SRC_SEGMENT_INSTANCES_H

#include "pts/segment.h"

/* How a map is cut into instances; chosen on the validation images. */
typedef struct instance_rule {
    bool from_cores; /* grow the connected cores; else connected components of the object mask */
    float threshold; /* of the object's probability */
} instance_rule;

/* Room for cutting maps of up to `pixels` pixels. */
typedef struct instance_room {
    int32_t *label;       /* [pixels] */
    int32_t *queue;       /* [pixels] */
    uint8_t *mask;        /* [pixels] */
    float *object, *core; /* [pixels] probabilities */
    size_t pixels;
} instance_room;

pts_status pts_instance_room_create(instance_room *room, size_t pixels, pts_error *err);
void pts_instance_room_free(instance_room *room);

/* room->object and room->core [height][width] are filled in; keeps the 100 best by score. */
pts_status pts_instances_cut(instance_room *room, size_t height, size_t width,
                             const instance_rule *rule, pts_instances *out, pts_error *err);

#endif
