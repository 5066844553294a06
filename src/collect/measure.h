/* The points of one job: one size, or a whole curve whose sizes follow from each other. */
#ifndef PTS_SRC_COLLECT_MEASURE_H
#define PTS_SRC_COLLECT_MEASURE_H

#include "collect/trainer.h"

typedef struct measure_request {
    train_request train; /* its train list is the whole of the split's */
    const size_t *sizes; /* [count], rising */
    size_t count;
    const pts_collect_options *options;
    /* Each point as it is measured; other than 0 stops (PTS_ERR_CANCELLED). */
    int (*visit)(void *user, const pts_store_point *point);
    void *user;
} measure_request;

/* points [count]: *measured of them, fewer after an early stop. */
pts_status pts_measure_sizes(pts_trainer *trainer, const measure_request *request,
                             pts_store_point *points, size_t *measured, pts_error *err);

/* The study's rule: after `window` steps, is the sum over the last window of (latest − earlier)
 * below the threshold? metric [count]. */
bool pts_measure_should_stop(const double *metric, size_t count, size_t window, double threshold);

#endif
