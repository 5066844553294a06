/* Where the parts of a JSON list or object lie in its text, found without parsing them. A parser
 * that takes them one at a time can do so on several threads, and a file of 100 MB never stands
 * in memory as a tree, which would take ten times as much. */
#ifndef PTS_SRC_METRICS_SLICES_H
#define PTS_SRC_METRICS_SLICES_H

#include "pts/base.h"

typedef struct coco_slice {
    const char *text;
    size_t length;
} coco_slice;

typedef struct coco_slices {
    coco_slice *items;
    size_t count, capacity;
} coco_slices;

/* *list is zero before and released with free(items), also on failure. The values are followed
 * to their end only (brackets counted, strings skipped): where all of them are JSON and this
 * returns PTS_OK, the whole is JSON. PTS_ERR_FORMAT, without a message, where it cannot be. */
pts_status pts_coco_split_list(coco_slice text, coco_slices *list, pts_error *err);
/* The same for an object: name, value, name, value … */
pts_status pts_coco_split_object(coco_slice text, coco_slices *members, pts_error *err);

#endif
