/* The labelled predictor as a head carries it: the known curves with their labels, what was chosen,
 * the spread. Its answers are those that the evaluation scores: the same rule over the same numbers
 * (pts_predictor_labelled, pts_predictor_theta, pts_sweep_spread). */
#ifndef PTS_SRC_LEARN_LABELLED_H
#define PTS_SRC_LEARN_LABELLED_H

#include "learn/sweep.h"

enum { LABELLED_COUNT = 100000 }; /* known curves at most */

/* In float as in the file, so that a head answers alike before and after it was saved. */
typedef struct labelled_model {
    size_t count;  /* known curves; 0: none, the head takes no labels */
    float *votes;  /* [count], sum 1; the block that holds the next two as well */
    float *labels; /* [count][PREDICTOR_LABELS] */
    float *curves; /* [count][PREDICTOR_GRID] */
    float log_n[PREDICTOR_GRID], start[4], parameters[2], covariance[16], noise;
} labelled_model;

pts_status pts_labelled_create(labelled_model *model, size_t count, pts_error *err);
void pts_labelled_free(labelled_model *model);

/* On all data sets; `one` is one curve for all of them. Nothing where some have no labels. */
pts_status pts_labelled_fit(labelled_model *model, const sweep *s, const linear_model *one,
                            pts_error *err);
/* Of a file: what training cannot have written is refused, in words without the file's name. */
pts_status pts_labelled_check(const labelled_model *model, pts_error *err);

/* labels [count] of photographs. */
pts_status pts_labelled_predict(const labelled_model *model, const pts_label_sums *labels,
                                size_t count, pts_curve_prior *out, pts_error *err);

#endif
