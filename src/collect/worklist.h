/* What is to be measured: data sets, checked and hashed, and the jobs on them. */
#ifndef PTS_SRC_COLLECT_WORKLIST_H
#define PTS_SRC_COLLECT_WORKLIST_H

#include "pts/collect.h"
#include "pts/hash.h"

typedef struct worklist_set {
    pts_dataset *set;
    char hash[PTS_SHA256_HEX];
} worklist_set;

typedef struct worklist_job {
    size_t set; /* index of the worklist's sets */
    int class_id;
    uint64_t seed;
    size_t n;     /* 0: the whole curve */
    size_t split; /* which of the worklist's: its set, class and seed */
} worklist_job;

typedef struct worklist {
    worklist_set *sets; /* [set_count] */
    size_t set_count;
    worklist_job *jobs; /* [job_count], grouped by set, class and seed */
    size_t job_count, job_capacity, split_count;
} worklist;

/* Opens and checks all data sets before anything is trained, so that a mistake in the last of them
 * does not surface after days. */
pts_status pts_worklist_make(worklist *p, const char *const *dirs, size_t count,
                             const pts_collect_options *options, pts_collect_listener listener,
                             void *user, pts_error *err);
void pts_worklist_free(worklist *p);

/* The split and sizes of a job's class and seed; *sizes is the caller's to free. */
pts_status pts_worklist_split(const worklist_set *set, int class_id, uint64_t seed,
                              const pts_collect_options *options, pts_split **split, size_t **sizes,
                              size_t *count, pts_error *err);

/* set->hash: SHA-256 over each image's bytes and labels, in order; equal for equal data wherever
 * they lie, and in whatever format. */
pts_status pts_worklist_hash(worklist_set *set, pts_error *err);

#endif
