/* Measures one job. */
#ifndef PTS_SRC_COLLECT_WORKER_H
#define PTS_SRC_COLLECT_WORKER_H

#include "collect/worklist.h"
#include "collect/trainer.h"

typedef struct worker {
    pts_trainer *trainer;
    const worklist *worklist;
    const pts_collect_options *options;
    const worklist_job *job; /* in hand */
    /* Often, with what happens; other than 0 stops the job. */
    int (*tell)(void *user, const pts_collect_event *event);
    void *user;
} worker;

/* The job's points: malloc, *count of them. */
pts_status pts_worker_measure(worker *w, const worklist_job *job, pts_store_point **points,
                              size_t *count, pts_error *err);

/* An event that names the job. */
pts_collect_event pts_worker_event(const worklist *p, const worklist_job *job,
                                   pts_collect_what what);

#endif
