/* What the decoder is taught on one image: cover of the object and of its core, per fine cell. */
#ifndef PTS_SRC_SEGMENT_TARGETS_H
#define PTS_SRC_SEGMENT_TARGETS_H

#include "segment/decoder.h"

typedef struct segment_target {
    const feature_item *item;
    float *cover; /* [2·rows][2·columns][OUTPUTS], shares in 0 … 1; −1: not to be taught */
    size_t count; /* instances, without crowds */
    float *boxes; /* [count][4]: x0, y0, x1, y1 in coarse cells */
} segment_target;

pts_status pts_segment_target_make(segment_target *target, const feature_item *item,
                                   const pts_labelled_instance *instances, size_t count,
                                   pts_error *err);
void pts_segment_target_free(segment_target *target);

/* distance [height][width] of each labelled pixel (label ≥ 0) to the nearest pixel of another
 * label, by the 3–4 chamfer (Borgefors 1986) in thirds of a pixel: 3 at the rim. The picture's
 * edge is no rim. */
void pts_chamfer_distance(const int32_t *label, size_t height, size_t width, int32_t *distance);

#endif
