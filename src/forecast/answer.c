/* Prior and pilot to the answer, and to what to do next. */
#include "base/error.h"
#include "pts/forecast.h"

#include <math.h>
#include <stdio.h>

enum { CANDIDATES = 24 };

/* The pilot size, of a geometric series up to twice the answer, that narrows the interval most. */
static pts_status advise(pts_answer *a, pts_error *err)
{
    const pts_question *q = &a->question;
    double n[CANDIDATES], expected[CANDIDATES], end = 1000;
    if (isfinite(a->size.n_median))
        end = fmin(fmax(2 * a->size.n_median, 20), 1e5);
    for (int i = 0; i < CANDIDATES; i++)
        n[i] = round(2 * pow(end / 2, (double)i / (CANDIDATES - 1)));
    PTS_TRY(pts_curve_next(&a->posterior, q->target, q->confidence, n, CANDIDATES, expected,
                           &a->width, err));
    a->next_width = INFINITY;
    for (int i = 0; i < CANDIDATES; i++) {
        if (expected[i] < a->next_width) {
            a->next_width = expected[i];
            a->next = n[i];
        }
    }
    if (q->rounds <= 0)
        return PTS_OK;
    return pts_curve_plan_rounds(&a->posterior, q->target, q->tau, (size_t)q->rounds, 0, &a->plan,
                                 err);
}

const pts_curve_points *pts_question_pilot(const pts_question *question)
{
    static const pts_curve_points none = {.dataset = ""};
    return question->pilot && question->pilot->count ? &question->pilot->curves[0] : &none;
}

enum { CHECKED = 500 };

/* The share of pilot results outside the band that a measurement has in 95 of 100 cases; of many
 * an even sample, as each asks all draws. */
static pts_status share_outside(const pts_answer *a, double *share, pts_error *err)
{
    const pts_curve_points *pilot = pts_question_pilot(&a->question);
    size_t checked = 0, outside = 0, stride = pilot->count / CHECKED + 1;
    for (size_t i = 0; i < pilot->count; i += stride) {
        double low, high;
        PTS_TRY(pts_curve_band(&a->posterior, 0.95, true, &pilot->n[i], 1, &low, &high, err));
        outside += pilot->map[i] < low || pilot->map[i] > high;
        checked++;
    }
    *share = (double)outside / (double)checked;
    return PTS_OK;
}

static const char *describe_prior(const pts_answer *a)
{
    if (a->labelled)
        return "what the labels suggest";
    return a->from_photographs ? "what the photographs suggest" : "the past curves";
}

/* What the answer alone does not show: pilot results that are odd, or at odds with the forecast. */
static pts_status find_doubts(pts_answer *a, pts_error *err)
{
    const pts_curve_points *pilot = pts_question_pilot(&a->question);
    double outside;
    pts_doubt_points(&a->doubts, pilot, pilot->map, "mAP", a->question.pilot->percent);
    PTS_TRY(share_outside(a, &outside, err));
    if (a->posterior.unlike > 0.5)
        pts_doubt(&a->doubts,
                  "the pilot results are unlike %s (probability %.2f): the forecast rests on the "
                  "pilot alone",
                  describe_prior(a), a->posterior.unlike);
    if (outside > 0.1)
        pts_doubt(&a->doubts, "%.0f %% of the pilot results lie outside the forecast's 95 %% band",
                  100 * outside);
    if (a->posterior.noise > 2 * a->prior.noise)
        pts_doubt(&a->doubts, "the pilot results scatter %.1f times as much as past ones",
                  a->posterior.noise / a->prior.noise);
    return PTS_OK;
}

pts_status pts_answer_find(const pts_curve_prior *prior, const pts_answer_source *source,
                           const pts_question *question, pts_answer *out, pts_error *err)
{
    out->question = *question;
    out->prior = *prior;
    out->from_past_curves = source->past_curves;
    out->from_photographs = source->encoder && !source->past_curves;
    out->uses_photographs = source->uses_photographs;
    snprintf(out->encoder, sizeof out->encoder, "%s", source->encoder ? source->encoder : "");
    snprintf(out->trainer, sizeof out->trainer, "%s", source->trainer ? source->trainer : "");
    out->labelled = source->labelled;
    out->showing = source->showing;
    out->objects = source->objects;
    out->curves = source->curves;
    out->datasets = source->datasets;
    out->doubts.count = 0;
    if (out->showing < out->labelled)
        pts_doubt(
            &out->doubts,
            "%zu of the %zu photographs without an object of the class, while the forecast was "
            "learnt from photographs that show it",
            out->labelled - out->showing, out->labelled);
    const pts_curve_points *pilot = pts_question_pilot(question);
    PTS_TRY(pts_curve_posterior_find_weighted(&out->prior, pilot->n, pilot->map, pilot->weight,
                                              pilot->count, &out->posterior, err));
    PTS_TRY(
        pts_curve_ask(&out->posterior, question->target, question->confidence, &out->size, err));
    PTS_TRY(advise(out, err));
    return pilot->count ? find_doubts(out, err) : PTS_OK;
}

bool pts_answer_has_next(const pts_answer *a)
{
    return a->next_width < 0.95 * a->width;
}
