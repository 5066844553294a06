/* What a figure of an answer shows, over the study's axis of 1 … 10,000 images. */
#include "forecast/figure.h"
#include "base/error.h"

#include <math.h>
#include <stdlib.h>

/* Longer than the study's where the answer or the pilot needs it. */
static double axis_end(const pts_answer *a)
{
    double most = a->size.status == PTS_SIZE_OK ? a->size.n * 2 : 0, end = 10000;
    const pts_curve_points *pilot = pts_question_pilot(&a->question);
    for (size_t i = 0; i < pilot->count; i++)
        most = fmax(most, pilot->n[i] * 2);
    while (end < most && end < 1e9)
        end *= 10;
    return end;
}

/* What was believed before the pilot: the prior's own median. */
static pts_status find_before(const pts_answer *a, const double *n, double *y, pts_error *err)
{
    pts_curve_posterior *before = malloc(sizeof *before); /* too large for small stacks */
    if (!before)
        return pts_fail_memory(err, sizeof *before);
    pts_status status = pts_curve_posterior_find(&a->prior, NULL, NULL, 0, before, err);
    if (status == PTS_OK)
        status = pts_curve_median(before, n, PTS_ANSWER_SAMPLES, y, err);
    free(before);
    return status;
}

void pts_curve_sample(const pts_curve *curve, double end, double *n, double *y)
{
    for (size_t i = 0; i < PTS_ANSWER_SAMPLES; i++) {
        n[i] = pow(end, (double)i / (PTS_ANSWER_SAMPLES - 1));
        y[i] = fmin(fmax(pts_curve_at(curve, n[i]), 0), 1);
    }
}

pts_status pts_answer_sample(const pts_answer *a, pts_answer_samples *s, pts_error *err)
{
    pts_curve_sample(&a->posterior.curve, axis_end(a), s->n, s->curve);
    PTS_TRY(pts_curve_band(&a->posterior, a->question.confidence, false, s->n, PTS_ANSWER_SAMPLES,
                           s->low, s->high, err));
    return find_before(a, s->n, s->before, err);
}
