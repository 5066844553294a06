/* Prior and pilot to the answer, and to what to do next. */
#include "base/error.h"
#include "pts/answer.h"

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

pts_status pts_answer_find(const pts_curve_prior *prior, const pts_answer_source *source,
                           const pts_question *question, pts_answer *out, pts_error *err)
{
    out->question = *question;
    out->prior = *prior;
    out->from_photographs = source->encoder != NULL;
    out->uses_photographs = source->uses_photographs;
    snprintf(out->encoder, sizeof out->encoder, "%s", source->encoder ? source->encoder : "");
    snprintf(out->trainer, sizeof out->trainer, "%s", source->trainer ? source->trainer : "");
    PTS_TRY(pts_curve_posterior_find(&out->prior, question->n, question->map, question->count,
                                     &out->posterior, err));
    PTS_TRY(
        pts_curve_ask(&out->posterior, question->target, question->confidence, &out->size, err));
    return advise(out, err);
}

bool pts_answer_has_next(const pts_answer *a)
{
    return a->next_width < 0.95 * a->width;
}

pts_study_answer pts_study_answer_find(const double inception[4], const double clip[4],
                                       double target)
{
    pts_study_answer a = {.target = target, .status = PTS_SIZE_UNREACHABLE};
    a.curve = (pts_curve){inception[0], inception[1], clip[2], clip[3]};
    pts_curve canonical = a.curve;
    a.is_curve = pts_curve_canonical(&canonical, NULL) == PTS_OK;
    if (a.is_curve)
        a.status = pts_curve_size(&canonical, target, &a.n);
    return a;
}
