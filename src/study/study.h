/* The original study's head: four embeddings in order → a network → (A, B, C, D) + 10. */
#ifndef PTS_SRC_STUDY_STUDY_H
#define PTS_SRC_STUDY_STUDY_H

#include "nn/layers.h"
#include "learn/tasks.h"
#include "pts/study.h"

#define STUDY_LAYERS 5
#define STUDY_SHIFT 10

/* 4·dim → 2048 → 1024 → 512 → 256 → 4 */
pts_status pts_study_network(pts_mlp **out, size_t dim, uint64_t seed, pts_team *team,
                             pts_error *err);

/* Network output [4] → θ; B and C are kept above zero. */
void pts_study_theta(const float output[4], double theta[4]);

/* Trains and measures; *out (the network of the best epoch) may be NULL. */
pts_status pts_study_run(pts_mlp **out, pts_study_report *report, const pts_tasks *tasks,
                         const pts_study_options *options, pts_team *team, pts_progress progress,
                         void *user, pts_error *err);

/* ---- samples: drawn once ---- */

enum { STUDY_TRAIN, STUDY_VALIDATION, STUDY_TEST, STUDY_PARTS };

typedef struct study_sample {
    uint32_t task, image[4];
} study_sample;

typedef struct study_samples {
    study_sample *items[STUDY_PARTS];
    size_t count[STUDY_PARTS];
} study_samples;

/* Each task's photographs are shuffled and cut 0.7, 0.15, 0.15; of each part different sets of
 * four are drawn, in random order: `combinations` for training, a quarter of that for each of the
 * others, or as many as there are. */
pts_status pts_study_samples_draw(study_samples *out, const pts_tasks *tasks, size_t combinations,
                                  uint64_t seed, pts_error *err);
void pts_study_samples_free(study_samples *samples);
void pts_study_shuffle(pts_rng *rng, size_t *items, size_t count);

/* ---- where training stands after an epoch ---- */

typedef struct study_progress {
    size_t epoch, best_epoch;
    double least;             /* validation loss of the best epoch */
    float *best;              /* [parameters] */
    pts_study_epoch *history; /* [epochs] */
} study_progress;

/* In one .ptsw: parameters, moments, steps, best parameters, history; `made_of` says with which
 * options and data, and reading insists on the same. Of several processes all call it, as moments
 * are shared; those with path NULL write nothing. */
pts_status pts_study_checkpoint_write(const char *path, const char *made_of, pts_mlp *mlp,
                                      const study_progress *p, pts_error *err);
pts_status pts_study_checkpoint_read(const char *path, const char *made_of, pts_mlp *mlp,
                                     study_progress *p, size_t epochs, pts_error *err);

#endif
