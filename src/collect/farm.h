/* Jobs handed to other ranks, and their results back. */
#ifndef PTS_SRC_COLLECT_FARM_H
#define PTS_SRC_COLLECT_FARM_H

#include "collect/worker.h"

#define FARM_NO_JOB SIZE_MAX

/* What a rank says when it wants a job: what became of the last one. */
typedef struct farm_result {
    int from;
    size_t job; /* index in the worklist, FARM_NO_JOB at first */
    pts_status status;
    pts_error error;         /* where status is not PTS_OK */
    pts_store_point *points; /* [count], malloc; else */
    size_t count;
} farm_result;

/* Master: the next result within `seconds`; *there is false where none came. */
pts_status pts_farm_receive(pts_ranks *ranks, double seconds, farm_result *result, bool *there,
                            pts_error *err);
/* Master: a job for a rank that asked; FARM_NO_JOB sends it home. */
pts_status pts_farm_hand_out(pts_ranks *ranks, int to, size_t job, pts_error *err);

/* Any other rank: works until it is sent home. */
pts_status pts_farm_work(pts_ranks *ranks, worker *w, pts_error *err);

#endif
