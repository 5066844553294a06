/* What training a head of any kind begins and ends with. */
#ifndef PTS_SRC_LEARN_HEAD_TRAIN_H
#define PTS_SRC_LEARN_HEAD_TRAIN_H

#include "learn/head.h"
#include "learn/sweep.h"

/* trainer and config may be NULL: not said. */
typedef struct head_origin {
    pts_head_kind kind;
    uint64_t seed;
    const char *trainer, *config;
} head_origin;

/* A head of these tasks, with the prior of their curves, that answers nothing yet. */
pts_status pts_head_begin(pts_head **out, const pts_tasks *tasks, const head_origin *origin,
                          pts_error *err);
/* Covariance and noise of a choice of the sweep, over all data sets. */
pts_status pts_head_take_spread(pts_head *head, const sweep *s, size_t choice, pts_error *err);

#endif
