/* Every choice of the linear head, the mlp head and the predictors, trained without each data set
 * and each pair of them. A model trained without {a, b} serves twice: as an inner fold on a where b
 * is held out, and on b where a is. */
#ifndef PTS_SRC_LEARN_SWEEP_H
#define PTS_SRC_LEARN_SWEEP_H

#include "learn/perceptron.h"
#include "learn/predictor.h"

/* Choices are numbered: the linear ones, one curve for all (0) first, then the mlp head's, then the
 * predictors'. */
enum {
    SWEEP_MLP = LINEAR_CHOICES,
    SWEEP_PREDICTORS = SWEEP_MLP + PERCEPTRON_CHOICES,
    SWEEP_CHOICES = SWEEP_PREDICTORS + PREDICTOR_CHOICES
};

typedef struct sweep {
    linear_data data;
    predictor_data predictors;
    size_t tasks, groups;
    uint64_t seed;
    /* By task, other data set left out (its own: no other), choice: */
    double *theta; /* [tasks][groups][SWEEP_CHOICES][LINEAR_VIEWS][4] */
    double *error; /* [tasks][groups][SWEEP_CHOICES]: mean |f̂ − measured| over grid and draws */
    double *scratch; /* [tasks] */
} sweep;

/* PTS_ERR_SHAPE with fewer than three data sets. */
pts_status pts_sweep_run(sweep *s, const pts_tasks *tasks, uint64_t seed, pts_team *team,
                         pts_progress progress, void *user, pts_error *err);
void pts_sweep_free(sweep *s);

/* θ [LINEAR_VIEWS][4] of a task, trained without its data set and without `out` (SIZE_MAX: only
 * its own). */
const double *pts_sweep_theta(const sweep *s, size_t task, size_t out, size_t choice);
double pts_sweep_error(const sweep *s, size_t task, size_t out, size_t choice);

/* The best linear choice by the mean error over data sets other than `out`; one curve for all (0)
 * unless the gain over it is significant (t test over data sets, 97.5 %). */
size_t pts_sweep_choose(const sweep *s, size_t out);
/* Of the mlp head's choices (SWEEP_MLP …) the most cautious one that is within one standard error
 * of the best by the same mean (Breiman et al. 1984, "Classification and Regression Trees"). */
size_t pts_sweep_choose_mlp(const sweep *s, size_t out);
/* Of a predictor's choices the best by the same mean. */
size_t pts_sweep_choose_predictor(const sweep *s, size_t out, predictor_id id);

/* Covariance [4][4] and noise of the choice's errors in θ, over all data sets but `out`; widened by
 * pts_sweep_calibrate. */
pts_status pts_sweep_spread(const sweep *s, size_t out, size_t choice, double covariance[16],
                            double *noise, pts_error *err);

/* The factor, 1 … 3, on the deviations of θ with which 80 % bands can be expected to hold 80 % of
 * the measured points of a data set that is new: from all data sets but `out`, each predicted
 * without itself, with a correction for how few they are (calibrate.c). */
double pts_sweep_calibrate(const sweep *s, size_t out, size_t choice, const double covariance[16],
                           double noise);

/* Mean and standard error over data sets of a task-wise difference [tasks]; `out` is left out. */
void pts_sweep_gain(const sweep *s, const double *difference, size_t out, double *mean,
                    double *error);

/* The report of pts_evaluate_lodo from a sweep that has run (lodo.c). */
pts_status pts_lodo_summarise(pts_lodo_report *out, const sweep *s, pts_error *err);

#endif
