/* What is to be measured: data sets, checked and hashed, and the jobs on them. */
#ifndef PTS_SRC_COLLECT_PLAN_H
#define PTS_SRC_COLLECT_PLAN_H

#include "pts/collect.h"
#include "pts/hash.h"

typedef struct plan_set {
    pts_dataset *set;
    char hash[PTS_SHA256_HEX];
} plan_set;

typedef struct plan_job {
    size_t set; /* index of the plan's sets */
    int class_id;
    uint64_t seed;
    size_t n;     /* 0: the whole curve */
    size_t split; /* which of the plan's: its set, class and seed */
} plan_job;

typedef struct plan {
    plan_set *sets; /* [set_count] */
    size_t set_count;
    plan_job *jobs; /* [job_count], grouped by set, class and seed */
    size_t job_count, job_capacity, split_count;
} plan;

/* Opens and checks all data sets before anything is trained, so that a mistake in the last of them
 * does not surface after days. */
pts_status plan_make(plan *p, const char *const *dirs, size_t count,
                     const pts_collect_options *options, pts_collect_listener listener, void *user,
                     pts_error *err);
void plan_free(plan *p);

/* The split and sizes of a job's class and seed; *sizes is the caller's to free. */
pts_status plan_split(const plan_set *set, int class_id, uint64_t seed,
                      const pts_collect_options *options, pts_split **split, size_t **sizes,
                      size_t *count, pts_error *err);

/* set->hash: SHA-256 over each image's bytes and labels, in order; equal for equal data wherever
 * they lie, and in whatever format. */
pts_status plan_hash(plan_set *set, pts_error *err);

#endif
