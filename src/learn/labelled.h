/* The labelled predictor as a head carries it: the known curves with their labels, what was chosen,
 * the spread. Its answers are those that the evaluation scores: the same rule over the same numbers
 * (pts_predictor_labelled, pts_predictor_theta, pts_sweep_spread). */
#ifndef PTS_SRC_LEARN_LABELLED_H
#define PTS_SRC_LEARN_LABELLED_H

#include "learn/head.h"
#include "learn/sweep.h"

/* On all data sets; `one` is one curve for all of them; *count known curves. Nothing where some
 * have no labels. */
pts_status pts_labelled_fit(head_use *out, size_t *count, const sweep *s, const linear_model *one,
                            pts_error *err);

#endif
