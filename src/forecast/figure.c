/* An answer as a figure, over the study's axis of 1 … 10,000 images. */
#include "forecast/figure.h"
#include "base/error.h"
#include "pts/plot.h"

#include <math.h>
#include <stdio.h>
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

static void sample_curve(const pts_curve *curve, double end, double *n, double *y)
{
    for (size_t i = 0; i < PTS_ANSWER_SAMPLES; i++) {
        n[i] = pow(end, (double)i / (PTS_ANSWER_SAMPLES - 1));
        y[i] = fmin(fmax(pts_curve_at(curve, n[i]), 0), 1);
    }
}

pts_status pts_answer_sample(const pts_answer *a, pts_answer_samples *s, pts_error *err)
{
    sample_curve(&a->posterior.curve, axis_end(a), s->n, s->curve);
    PTS_TRY(pts_curve_band(&a->posterior, a->question.confidence, false, s->n, PTS_ANSWER_SAMPLES,
                           s->low, s->high, err));
    return find_before(a, s->n, s->before, err);
}

#ifdef PTS_HAVE_PLOT

typedef pts_status draw_to(const pts_plot *plot, void *user, pts_error *err);

static pts_status to_file(const pts_plot *plot, void *user, pts_error *err)
{
    return pts_plot_write(user, plot, err);
}

typedef struct svg_text {
    char **svg;
    size_t *size;
} svg_text;

static pts_status to_svg(const pts_plot *plot, void *user, pts_error *err)
{
    const svg_text *text = user;
    return pts_plot_svg(plot, text->svg, text->size, err);
}

static pts_plot_target plot_target(const pts_answer *a)
{
    pts_plot_target t = {.y = a->question.target, .confidence = a->question.confidence};
    if (a->size.status == PTS_SIZE_OK) {
        t.answer = PTS_PLOT_REACHED;
        t.n = fmax(ceil(a->size.n), 1); /* whole images, as in the text */
        t.n_low = fmax(ceil(a->size.n_low), 1);
        t.n_high = fmax(ceil(a->size.n_high), t.n_low);
    } else {
        t.answer =
            a->size.status == PTS_SIZE_ALREADY_MET ? PTS_PLOT_ALREADY_MET : PTS_PLOT_UNREACHABLE;
    }
    return t;
}

static pts_status draw(const pts_answer *a, draw_to *to, void *user, pts_error *err)
{
    pts_answer_samples s;
    PTS_TRY(pts_answer_sample(a, &s, err));
    char band[64], subtitle[128];
    const pts_question *q = &a->question;
    const pts_curve_points *pilot = pts_question_pilot(q);
    const pts_curve *c = &a->posterior.curve;
    snprintf(band, sizeof band, "%g %% band", 100 * q->confidence);
    const char *source = a->labelled           ? "labelled photographs"
                         : a->from_photographs ? "four photographs"
                                               : "past curves";
    if (pilot->count)
        snprintf(subtitle, sizeof subtitle, "from %s and %zu pilot results", source, pilot->count);
    else
        snprintf(subtitle, sizeof subtitle, "from %s alone", source);
    const pts_plot_series series = {"pilot results", pilot->n, pilot->map, pilot->count};
    const pts_plot_target target = plot_target(a);
    const pts_plot_parameters parameters = {c->A, c->B, c->C, c->D, -1};
    const pts_plot plot = {.title = "Predicted mask mAP against training-set size",
                           .subtitle = subtitle,
                           .curve_label = "forecast",
                           .band_label = band,
                           .n = s.n,
                           .y = s.curve,
                           .low = s.low,
                           .high = s.high,
                           .count = PTS_ANSWER_SAMPLES,
                           .other = pilot->count ? s.before : NULL,
                           .other_label = "before the pilot",
                           .series = &series,
                           .series_count = pilot->count ? 1 : 0,
                           .target = &target,
                           .parameters = &parameters};
    return to(&plot, user, err);
}

static pts_status draw_study(const pts_study_answer *a, draw_to *to, void *user, pts_error *err)
{
    double n[PTS_ANSWER_SAMPLES], y[PTS_ANSWER_SAMPLES];
    pts_curve canonical = a->curve;
    if (pts_curve_canonical(&canonical, NULL) != PTS_OK)
        return pts_fail(err, PTS_ERR_NUMERIC, "the heads' numbers are no curve");
    sample_curve(&canonical, 10000, n, y);
    pts_plot_target target = {.y = a->target, .answer = PTS_PLOT_UNREACHABLE};
    if (a->status == PTS_SIZE_OK && a->n <= 10000) {
        target.answer = PTS_PLOT_REACHED;
        target.n = fmax(ceil(a->n), 1);
    } else if (a->status == PTS_SIZE_ALREADY_MET) {
        target.answer = PTS_PLOT_ALREADY_MET;
    }
    const pts_plot_parameters parameters = {a->curve.A, a->curve.B, a->curve.C, a->curve.D, -1};
    const pts_plot plot = {.title = "Predicted mask mAP against training-set size",
                           .subtitle = "the study's two heads, from four photographs alone",
                           .n = n,
                           .y = y,
                           .count = PTS_ANSWER_SAMPLES,
                           .target = &target,
                           .parameters = &parameters};
    return to(&plot, user, err);
}

pts_status pts_answer_plot(const pts_answer *answer, const char *path, pts_error *err)
{
    return draw(answer, to_file, (void *)(uintptr_t)path, err);
}

pts_status pts_answer_svg(const pts_answer *answer, char **svg, size_t *size, pts_error *err)
{
    *svg = NULL;
    return draw(answer, to_svg, &(svg_text){svg, size}, err);
}

pts_status pts_study_answer_plot(const pts_study_answer *answer, const char *path, pts_error *err)
{
    return draw_study(answer, to_file, (void *)(uintptr_t)path, err);
}

pts_status pts_study_answer_svg(const pts_study_answer *answer, char **svg, size_t *size,
                                pts_error *err)
{
    *svg = NULL;
    return draw_study(answer, to_svg, &(svg_text){svg, size}, err);
}

#else

static pts_status no_plot(pts_error *err)
{
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "built without cairo");
}

pts_status pts_answer_plot(const pts_answer *answer, const char *path, pts_error *err)
{
    (void)answer, (void)path;
    return no_plot(err);
}

pts_status pts_answer_svg(const pts_answer *answer, char **svg, size_t *size, pts_error *err)
{
    (void)answer, (void)size;
    *svg = NULL;
    return no_plot(err);
}

pts_status pts_study_answer_plot(const pts_study_answer *answer, const char *path, pts_error *err)
{
    (void)answer, (void)path;
    return no_plot(err);
}

pts_status pts_study_answer_svg(const pts_study_answer *answer, char **svg, size_t *size,
                                pts_error *err)
{
    (void)answer, (void)size;
    *svg = NULL;
    return no_plot(err);
}
#endif
