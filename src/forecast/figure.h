/* The figure's axis, shared by the figure and the JSON for those who draw their own. */
#ifndef PTS_SRC_FORECAST_FIGURE_H
#define PTS_SRC_FORECAST_FIGURE_H

#include "pts/forecast.h"

enum { PTS_ANSWER_SAMPLES = 200 };

typedef struct pts_answer_samples {
    double n[PTS_ANSWER_SAMPLES], curve[PTS_ANSWER_SAMPLES];
    double low[PTS_ANSWER_SAMPLES], high[PTS_ANSWER_SAMPLES];
    double before[PTS_ANSWER_SAMPLES]; /* the prior's own median */
} pts_answer_samples;

pts_status pts_answer_sample(const pts_answer *answer, pts_answer_samples *out, pts_error *err);

/* The curve over the axis 1 … end, cut to 0 … 1: n, y [PTS_ANSWER_SAMPLES]. */
void pts_curve_sample(const pts_curve *curve, double end, double *n, double *y);

#endif
