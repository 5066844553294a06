/* An answer as a figure. */
#include "forecast/figure.h"
#include "base/error.h"
#include "pts/plot.h"

#include <math.h>
#include <stdio.h>

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
    pts_curve_sample(&canonical, 10000, n, y);
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
