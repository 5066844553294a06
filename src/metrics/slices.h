/* Where the parts of a JSON list or object lie in its text, found without parsing them. A parser
 * that takes them one at a time can do so on several threads, and a file of 100 MB never stands
 * in memory as a tree, which would take ten times as much. */
#ifndef PTS_SRC_METRICS_SLICES_H
#define PTS_SRC_METRICS_SLICES_H

#include "pts/base.h"

typedef struct json_slice {
    const char *text;
    size_t length;
} json_slice;

typedef struct json_slices {
    json_slice *items;
    size_t count, capacity;
} json_slices;

/* *list is zero before and released with free(items), also on failure. The values are followed
 * to their end only (brackets counted, strings skipped): where all of them are JSON and this
 * returns PTS_OK, the whole is JSON. PTS_ERR_FORMAT, without a message, where it cannot be. */
pts_status json_split_list(json_slice text, json_slices *list, pts_error *err);
/* The same for an object: name, value, name, value … */
pts_status json_split_object(json_slice text, json_slices *members, pts_error *err);

#endif
