/* The original study's head: four embeddings in order → a network → (A, B, C, D) + 10. */
#ifndef PTS_SRC_LEARN_STUDY_H
#define PTS_SRC_LEARN_STUDY_H

#include "learn/tasks.h"

#define STUDY_LAYERS 5
#define STUDY_SHIFT 10

/* 4·dim → 2048 → 1024 → 512 → 256 → 4 */
pts_status study_network(pts_mlp **out, size_t dim, uint64_t seed, pts_team *team, pts_error *err);

/* Network output [4] → θ; B and C are kept above zero. */
void study_theta(const float output[4], double theta[4]);

/* Trains and measures; *out (the network of the best epoch) may be NULL. */
pts_status study_run(pts_mlp **out, pts_study_report *report, const pts_tasks *tasks,
                     const pts_head_options *options, pts_team *team, pts_progress progress,
                     void *user, pts_error *err);

#endif
