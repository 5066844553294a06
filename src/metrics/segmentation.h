/* The "segmentation" of a COCO annotation or result, for every reader of such files. What is taken
 * follows pycocotools' annToRLE. Messages begin with "segmentation"; the caller puts the place
 * before them. */
#ifndef PTS_SRC_METRICS_SEGMENTATION_H
#define PTS_SRC_METRICS_SEGMENTATION_H

#include "pts/metrics.h"

#include <jansson.h>

/* What a value is, for messages: "an object", "nothing" (NULL) … */
const char *pts_coco_json_kind(const json_t *value);

/* Polygons (their union), or run lengths as a list or a string, as a mask [height][width]. */
pts_status pts_coco_segmentation_mask(pts_rle **out, const json_t *value, size_t height,
                                      size_t width, pts_error *err);

/* One polygon of a list of them: *xy [*count / 2][2] in pixels, which the caller frees. At least
 * three points. */
pts_status pts_coco_segmentation_polygon(double **xy, size_t *count, const json_t *parts,
                                         size_t index, pts_error *err);

#endif
