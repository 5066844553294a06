/* What measured curves say of the next one without a photograph: pts_curve_prior_learn over tasks,
 * and how a head carries it. */
#ifndef PTS_SRC_LEARN_POPULATION_H
#define PTS_SRC_LEARN_POPULATION_H

#include "pts/learn.h"

/* Every training by itself where it is known: pooled, points would hide how far seeds differ.
 * Borrows the task's arrays. */
pts_curve_points pts_population_points(const pts_task *task);

/* Of all data sets but number `out` (SIZE_MAX: of all), one vote each, as pts_extrapolate has it.
 * No trainer is named. */
pts_status pts_population_learn(const pts_tasks *tasks, size_t out, pts_prior_file *population,
                                pts_error *err);

/* In float as in the file, so that a head answers alike before and after it was saved. */
typedef struct population_model {
    size_t curves, datasets; /* curves 0: the head carries none */
    float mean[4], covariance[16];
    float noise[2]; /* deviation, degrees of freedom */
} population_model;

void pts_population_keep(population_model *model, const pts_prior_file *population);
void pts_population_give(const population_model *model, pts_prior_file *population);

#endif
