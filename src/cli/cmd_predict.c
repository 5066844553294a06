/* ptsinfer predict: four photographs or a trainer's prior, and pilot results if there are any, to
 * the answer. */
#include "cli/commands.h"
#include "cli/defaults.h"
#include "cli/doubts.h"
#include "cli/images.h"
#include "cli/predict_ptssp.h"
#include "cli/target.h"

#include "pts/curve.h"
#include "pts/file.h"
#include "pts/learn.h"
#include "pts/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHOTOGRAPHS = 4, SAMPLES = 200, CANDIDATES = 24 };

typedef struct prediction {
    const char *encoder_path, *head_path, *target_text, *pilot_path, *plot_path, *mode, *prior_name;
    cli_list encoders, heads; /* as told */
    double target, confidence, tau, cost;
    long threads, max_pixels, rounds;
    pts_image_limits limits;
    bool json;
    char trainer[128]; /* the head's */

    const cli_list *photographs;
    pts_curve_set *pilot; /* NULL: none */
    char arch[32];
    bool uses_photographs;
    pts_curve_prior start;
    pts_curve_posterior posterior;
    pts_curve_answer answer;
    pts_prior_file prior;           /* with --prior */
    double next, next_width, width; /* where to measure; the interval's width in factors of two */
    pts_curve_plan plan;            /* with --rounds */
    cli_doubts doubts;
} prediction;

static const pts_curve_points *pilot_points(const prediction *p)
{
    static const pts_curve_points none = {.dataset = ""};
    return p->pilot && p->pilot->count ? &p->pilot->curves[0] : &none;
}

/* ---- photographs to the prior ---- */

static pts_status check_pair(const prediction *p, const pts_encoder *encoder, const pts_head *head,
                             pts_error *err)
{
    if (strcmp(pts_head_encoder_id(head), pts_encoder_id(encoder)) == 0)
        return PTS_OK;
    if (*pts_head_encoder_arch(head)) {
        snprintf(err->message, sizeof err->message,
                 "%s: a head of the study's own, without measured spread: expected --mode ptssp",
                 p->head_path);
        return PTS_ERR_UNSUPPORTED;
    }
    snprintf(err->message, sizeof err->message,
             "%s: expected the encoder it was trained with (%.12s…), got %s (%.12s…)", p->head_path,
             pts_head_encoder_id(head), p->encoder_path, pts_encoder_id(encoder));
    return PTS_ERR_FORMAT;
}

static pts_status prior_from_photographs(prediction *p, pts_encoder *encoder, pts_head *head,
                                         pts_curve_prior *prior, pts_error *err)
{
    pts_status status = check_pair(p, encoder, head, err);
    if (status != PTS_OK)
        return status;
    float *embeddings = calloc(PHOTOGRAPHS * pts_encoder_dim(encoder), sizeof *embeddings);
    if (!embeddings) {
        snprintf(err->message, sizeof err->message, "out of memory");
        return PTS_ERR_MEMORY;
    }
    snprintf(p->arch, sizeof p->arch, "%s", pts_encoder_arch(encoder));
    status = pts_encoder_embed_files(encoder, p->photographs->items, PHOTOGRAPHS, NULL, &p->limits,
                                     embeddings, NULL, err);
    if (status == PTS_OK)
        status = pts_head_predict(head, embeddings, PHOTOGRAPHS, prior, err);
    free(embeddings);
    return status;
}

static pts_status make_prior(prediction *p, pts_curve_prior *prior, pts_error *err)
{
    pts_team *team = NULL;
    pts_encoder *encoder = NULL;
    pts_head *head = NULL;
    pts_status status = pts_team_create(&team, (int)p->threads, err);
    if (status == PTS_OK)
        status = pts_encoder_open(&encoder, p->encoder_path, team, err);
    if (status == PTS_OK)
        status = pts_head_open(&head, p->head_path, err);
    if (status == PTS_OK)
        status = prior_from_photographs(p, encoder, head, prior, err);
    p->uses_photographs = status == PTS_OK && pts_head_uses_photographs(head);
    if (status == PTS_OK)
        snprintf(p->trainer, sizeof p->trainer, "%s", pts_head_trainer(head));
    pts_head_close(head);
    pts_encoder_close(encoder);
    pts_team_destroy(team);
    return status;
}

/* A name stands for the installed prior-NAME.txt; anything with a dot or a slash is a file. */
static pts_status read_prior(prediction *p, pts_curve_prior *prior, pts_error *err)
{
    char path[4096], name[256];
    const char *file = p->prior_name;
    if (!strpbrk(file, "./")) {
        snprintf(name, sizeof name, "prior-%.200s.txt", file);
        file = cli_default_file(name, path, sizeof path);
    }
    pts_status status = pts_prior_read(file, &p->prior, err);
    *prior = p->prior.prior;
    return status;
}

/* The pilot size, of a geometric series up to twice the answer, that narrows the interval most. */
static pts_status advise(prediction *p, pts_error *err)
{
    double n[CANDIDATES], expected[CANDIDATES], end = 1000;
    if (isfinite(p->answer.n_median))
        end = fmin(fmax(2 * p->answer.n_median, 20), 1e5);
    for (int i = 0; i < CANDIDATES; i++)
        n[i] = round(2 * pow(end / 2, (double)i / (CANDIDATES - 1)));
    pts_status status = pts_curve_next(&p->posterior, p->target, p->confidence, n, CANDIDATES,
                                       expected, &p->width, err);
    p->next_width = INFINITY;
    for (int i = 0; status == PTS_OK && i < CANDIDATES; i++) {
        if (expected[i] < p->next_width) {
            p->next_width = expected[i];
            p->next = n[i];
        }
    }
    if (status == PTS_OK && p->rounds > 0)
        status = pts_curve_plan_rounds(&p->posterior, p->target, p->tau, (size_t)p->rounds, 0,
                                       &p->plan, err);
    return status;
}

enum { CHECKED = 500 };

/* The share of pilot results outside the band that a measurement has in 95 of 100 cases; of many
 * an even sample, as each asks all draws. */
static pts_status share_outside(const prediction *p, double *share, pts_error *err)
{
    const pts_curve_points *pilot = pilot_points(p);
    size_t checked = 0, outside = 0, stride = pilot->count / CHECKED + 1;
    for (size_t i = 0; i < pilot->count; i += stride) {
        double low, high;
        pts_status status =
            pts_curve_band(&p->posterior, 0.95, true, &pilot->n[i], 1, &low, &high, err);
        if (status != PTS_OK)
            return status;
        outside += pilot->map[i] < low || pilot->map[i] > high;
        checked++;
    }
    *share = (double)outside / (double)checked;
    return PTS_OK;
}

/* What the answer alone does not show: pilot results that are odd, or at odds with the forecast. */
static pts_status find_doubts(prediction *p, pts_error *err)
{
    const pts_curve_points *pilot = pilot_points(p);
    double outside;
    if (pilot->count == 0)
        return PTS_OK;
    cli_doubt_points(&p->doubts, pilot, pilot->map, "mAP", p->pilot->percent);
    pts_status status = share_outside(p, &outside, err);
    if (status != PTS_OK)
        return status;
    if (p->posterior.unlike > 0.5)
        cli_doubt(&p->doubts,
                  "the pilot results are unlike %s (probability %.2f): the forecast rests on the "
                  "pilot alone",
                  p->prior_name ? "the past curves" : "what the photographs suggest",
                  p->posterior.unlike);
    if (outside > 0.1)
        cli_doubt(&p->doubts, "%.0f %% of the pilot results lie outside the forecast's 95 %% band",
                  100 * outside);
    if (p->posterior.noise > 2 * p->start.noise)
        cli_doubt(&p->doubts, "the pilot results scatter %.1f times as much as past ones",
                  p->posterior.noise / p->start.noise);
    return PTS_OK;
}

static pts_status predict(prediction *p, pts_error *err)
{
    pts_status status =
        p->prior_name ? read_prior(p, &p->start, err) : make_prior(p, &p->start, err);
    const pts_curve_points *pilot = pilot_points(p);
    if (status == PTS_OK)
        status = pts_curve_posterior_find_weighted(&p->start, pilot->n, pilot->map, pilot->weight,
                                                   pilot->count, &p->posterior, err);
    if (status == PTS_OK)
        status = pts_curve_ask(&p->posterior, p->target, p->confidence, &p->answer, err);
    if (status == PTS_OK)
        status = advise(p, err);
    if (status == PTS_OK)
        status = find_doubts(p, err);
    return status;
}

/* ---- the figure ---- */

#ifdef PTS_HAVE_PLOT

/* The axis of the study, 1 … 10,000 images, longer where the answer or the pilot needs it. */
static double axis_end(const prediction *p)
{
    double most = p->answer.status == PTS_SIZE_OK ? p->answer.n * 2 : 0;
    const pts_curve_points *pilot = pilot_points(p);
    for (size_t i = 0; i < pilot->count; i++)
        most = fmax(most, pilot->n[i] * 2);
    double end = 10000;
    while (end < most && end < 1e9)
        end *= 10;
    return end;
}

static pts_plot_target plot_target(const prediction *p)
{
    pts_plot_target t = {.y = p->target, .confidence = p->confidence};
    if (p->answer.status == PTS_SIZE_OK) {
        t.answer = PTS_PLOT_REACHED;
        t.n = fmax(ceil(p->answer.n), 1); /* whole images, as in the text */
        t.n_low = fmax(ceil(p->answer.n_low), 1);
        t.n_high = fmax(ceil(p->answer.n_high), t.n_low);
    } else {
        t.answer =
            p->answer.status == PTS_SIZE_ALREADY_MET ? PTS_PLOT_ALREADY_MET : PTS_PLOT_UNREACHABLE;
    }
    return t;
}

/* What was believed before the pilot: the prior's own median. */
static pts_status find_prior_curve(const prediction *p, const double *n, double *y, pts_error *err)
{
    pts_curve_posterior *before = malloc(sizeof *before); /* too large for small stacks */
    if (!before) {
        snprintf(err->message, sizeof err->message, "out of memory");
        return PTS_ERR_MEMORY;
    }
    pts_status status = pts_curve_posterior_find(&p->start, NULL, NULL, 0, before, err);
    if (status == PTS_OK)
        status = pts_curve_median(before, n, SAMPLES, y, err);
    free(before);
    return status;
}

static pts_status draw(const prediction *p, pts_error *err)
{
    double n[SAMPLES], y[SAMPLES], low[SAMPLES], high[SAMPLES], before[SAMPLES], end = axis_end(p);
    const pts_curve *c = &p->posterior.curve;
    for (size_t i = 0; i < SAMPLES; i++) {
        n[i] = pow(end, (double)i / (SAMPLES - 1));
        y[i] = fmin(fmax(pts_curve_at(c, n[i]), 0), 1);
    }
    pts_status status =
        pts_curve_band(&p->posterior, p->confidence, false, n, SAMPLES, low, high, err);
    if (status == PTS_OK)
        status = find_prior_curve(p, n, before, err);
    if (status != PTS_OK)
        return status;
    char band[64], subtitle[128];
    const pts_curve_points *pilot = pilot_points(p);
    snprintf(band, sizeof band, "%g %% band", 100 * p->confidence);
    const char *source = p->prior_name ? "past curves" : "four photographs";
    if (pilot->count)
        snprintf(subtitle, sizeof subtitle, "from %s and %zu pilot results", source, pilot->count);
    else
        snprintf(subtitle, sizeof subtitle, "from %s alone", source);
    const pts_plot_series series = {"pilot results", pilot->n, pilot->map, pilot->count};
    const pts_plot_target target = plot_target(p);
    const pts_plot_parameters parameters = {c->A, c->B, c->C, c->D, -1};
    const pts_plot plot = {.title = "Predicted mask mAP against training-set size",
                           .subtitle = subtitle,
                           .curve_label = "forecast",
                           .band_label = band,
                           .n = n,
                           .y = y,
                           .low = low,
                           .high = high,
                           .count = SAMPLES,
                           .other = pilot->count ? before : NULL,
                           .other_label = "before the pilot",
                           .series = &series,
                           .series_count = pilot->count ? 1 : 0,
                           .target = &target,
                           .parameters = &parameters};
    return pts_plot_write(p->plot_path, &plot, err);
}

#else
static pts_status draw(const prediction *p, pts_error *err)
{
    (void)p, (void)err;
    return PTS_OK;
}
#endif

/* ---- the answer in words ---- */

/* Whole images; past a billion the digits mean nothing. */
static void format_size(double n, char text[32])
{
    if (n > 1e9)
        strcpy(text, "over a billion");
    else
        snprintf(text, 32, "%.0f", ceil(fmax(n, 1)));
}

static void print_size(const prediction *p)
{
    const pts_curve_answer *a = &p->answer;
    char n[32], low[32], high[32];
    format_size(a->n, n);
    format_size(a->n_low, low);
    format_size(a->n_high, high);
    printf("mAP %g takes about %s labelled images (%g %% interval: ", p->target, n,
           100 * p->confidence);
    if (!isfinite(a->n_low))
        printf("out of reach at both ends).\n");
    else if (isfinite(a->n_high))
        printf("%s to %s).\n", low, high);
    else
        printf("%s or more; its upper end is out of reach).\n", low);
}

static void print_laplace(const pts_curve_answer *a)
{
    char low[32], high[32];
    format_size(a->laplace_low, low);
    format_size(a->laplace_high, high);
    if (isfinite(a->laplace_high))
        printf("The interval is skewed: a normal approximation would give %s to %s.\n", low, high);
    else
        printf("The interval is skewed: a normal approximation would give %s or more.\n", low);
}

/* Widths are the quotient of the interval's ends; beyond a thousandfold it is as good as none. */
static void print_next(const prediction *p)
{
    const double now = exp2(p->width), then = exp2(p->next_width);
    char text[32] = "more than a thousandfold";
    if (now <= 1000)
        snprintf(text, sizeof text, "%.3g-fold", now);
    printf("What would narrow the interval most: one training with %.0f images (%s now, ", p->next,
           text);
    if (then <= 1000)
        printf("about %.3g-fold then).\n", then);
    else
        printf("still wide then).\n");
}

static void print_cost(const prediction *p)
{
    const double low = p->cost * ceil(fmax(p->answer.n_low, 1));
    const double high = p->cost * ceil(p->answer.n_high);
    printf("Labelling costs about %.6g (", p->cost * ceil(p->answer.n));
    if (isfinite(high))
        printf("%.6g to %.6g).\n", low, high);
    else
        printf("%.6g or more).\n", low);
}

static void print_advice(const prediction *p)
{
    if (!p->answer.laplace_agrees)
        print_laplace(&p->answer);
    if (p->next_width < 0.95 * p->width)
        print_next(p);
    if (p->cost > 0 && isfinite(p->answer.n))
        print_cost(p);
    if (p->rounds <= 0)
        return;
    if (!isfinite(p->plan.first)) {
        printf("Plan: do not begin; most likely the target cannot be reached.\n");
        return;
    }
    printf("Plan: label %.0f images first; within %ld rounds the target is met with probability "
           "%.2f, after %.0f images on average",
           p->plan.first, p->rounds, p->plan.probability, p->plan.images);
    if (p->cost > 0)
        printf(", which cost about %.6g", p->cost * p->plan.images);
    printf(".\n");
}

/* Where the most probable curve stays below the target, what a luckier one would need. */
static void print_if_reachable(const pts_curve_answer *a)
{
    char n[32];
    format_size(a->n_if_reachable, n);
    if (a->status == PTS_SIZE_UNREACHABLE && a->probability_reachable >= 0.05)
        printf("If it can, about %s labelled images are needed.\n", n);
}

static void print_text(const prediction *p)
{
    const pts_curve *c = &p->posterior.curve;
    const pts_curve_points *pilot = pilot_points(p);
    switch (p->answer.status) {
    case PTS_SIZE_OK:
        print_size(p);
        break;
    case PTS_SIZE_ALREADY_MET:
        printf("mAP %g is met by the first labelled image: the curve starts at %.2f.\n", p->target,
               pts_curve_at(c, 1));
        break;
    default:
        printf("mAP %g is out of reach: the curve levels off at %.2f ± %.2f.\n", p->target,
               p->answer.plateau, p->answer.plateau_error);
    }
    printf("Probability that it can be reached at all: %.0f %%.\n",
           100 * p->answer.probability_reachable);
    print_if_reachable(&p->answer);
    printf("Curve: mAP(n) = (A − D) / (1 + (n/C)^B) + D with A %.4f, B %.4f, C %.4g, D %.4f.\n",
           c->A, c->B, c->C, c->D);
    print_advice(p);
    if (p->prior_name)
        printf("From %zu past curves of %zu data sets and %zu pilot results. Trainer: %s.\n",
               p->prior.curves, p->prior.datasets, pilot->count, p->prior.trainer);
    else if (pilot->count)
        printf("From four photographs (%s) and %zu pilot results.\n", p->arch, pilot->count);
    else
        printf("From four photographs (%s) alone, which say little: pilot results on a few small "
               "training sets (--pilot) narrow it.\n",
               p->arch);
    if (!p->prior_name && !p->uses_photographs)
        printf("This head gives the same curve for all photographs: none of their features "
               "predicted held-out data sets.\n");
    if (!p->prior_name)
        printf("The curve is that of %s.\n",
               p->trainer[0] ? p->trainer : "the trainer whose results the head was trained on");
    for (size_t k = 0; k < p->doubts.count; k++)
        printf("Caveat: %s.\n", p->doubts.text[k]);
    if (p->plot_path)
        printf("Plot: %s\n", p->plot_path);
}

#ifdef PTS_HAVE_JSON
static json_t *describe_plan(const prediction *p)
{
    const pts_curve_plan *plan = &p->plan;
    json_t *out = json_object();
    json_object_set_new(out, "first", cli_json_real(plan->first));
    json_object_set_new(out, "probability", cli_json_real(plan->probability));
    json_object_set_new(out, "images", cli_json_real(plan->images));
    json_object_set_new(out, "rounds", cli_json_real(plan->rounds));
    if (p->cost > 0)
        json_object_set_new(out, "cost", cli_json_real(p->cost * plan->images));
    return out;
}

static void print_json(const prediction *p)
{
    const pts_curve *c = &p->posterior.curve;
    bool reached = p->answer.status != PTS_SIZE_UNREACHABLE;
    json_t *out = json_object();
    json_object_set_new(out, "A", cli_json_real(c->A));
    json_object_set_new(out, "B", cli_json_real(c->B));
    json_object_set_new(out, "C", cli_json_real(c->C));
    json_object_set_new(out, "D", cli_json_real(c->D));
    json_object_set_new(out, "target", cli_json_real(p->target));
    json_object_set_new(out, "n", reached ? cli_json_real(p->answer.n) : json_null());
    json_object_set_new(out, "n_low", cli_json_real(p->answer.n_low));
    json_object_set_new(out, "n_high", cli_json_real(p->answer.n_high));
    json_object_set_new(out, "status", json_string(pts_size_status_text(p->answer.status)));
    json_object_set_new(out, "confidence", cli_json_real(p->confidence));
    json_object_set_new(out, "probability_reachable",
                        cli_json_real(p->answer.probability_reachable));
    json_object_set_new(out, "encoder", p->prior_name ? json_null() : json_string(p->arch));
    json_object_set_new(out, "uses_photographs", json_boolean(p->uses_photographs));
    json_object_set_new(out, "pilot_points", json_integer((json_int_t)pilot_points(p)->count));
    json_object_set_new(out, "trainer",
                        p->prior_name   ? cli_json_text(p->prior.trainer)
                        : p->trainer[0] ? cli_json_text(p->trainer)
                                        : json_null());
    json_object_set_new(out, "n_median", cli_json_real(p->answer.n_median));
    json_object_set_new(out, "plateau", cli_json_real(p->answer.plateau));
    json_object_set_new(out, "plateau_error", cli_json_real(p->answer.plateau_error));
    json_object_set_new(out, "laplace_agrees", json_boolean(p->answer.laplace_agrees));
    json_object_set_new(out, "next_size",
                        p->next_width < 0.95 * p->width ? cli_json_real(p->next) : json_null());
    if (p->cost > 0)
        json_object_set_new(out, "cost", cli_json_real(p->cost * ceil(p->answer.n)));
    if (p->rounds > 0)
        json_object_set_new(out, "plan", describe_plan(p));
    cli_json_add_doubts(out, &p->doubts);
    cli_print_json(out);
}
#else
static void print_json(const prediction *p)
{
    (void)p;
}
#endif

/* ---- usage ---- */

static bool plot_name(const char *path)
{
    return pts_path_ends(path, ".svg") || pts_path_ends(path, ".png");
}

static int check(const cli_syntax *syntax, prediction *p)
{
    if (!p->target_text)
        return cli_wrong(syntax, "expected --target Y, the wanted mAP");
    if (p->prior_name && p->photographs->count > 0)
        return cli_wrong(syntax, "expected either --prior or photographs, got both");
    if (!p->prior_name && p->photographs->count != PHOTOGRAPHS)
        return cli_wrong(syntax, "expected %d photographs, got %zu", PHOTOGRAPHS,
                         p->photographs->count);
    if (!(p->confidence > 0 && p->confidence < 1))
        return cli_wrong(syntax, "--confidence: expected above 0 and below 1, got %g",
                         p->confidence);
    if (p->rounds < 0 || p->rounds > 20 || p->cost < 0 || p->tau < 0)
        return cli_wrong(syntax,
                         "--rounds: expected 1 … 20; --tau and --cost-per-image: at least 0");
    if (!cli_image_limits(p->max_pixels, &p->limits))
        return cli_wrong(syntax, "--max-pixels: expected 1 or more, got %ld", p->max_pixels);
    if (p->plot_path && !plot_name(p->plot_path))
        return cli_wrong(syntax, "--plot: expected NAME.svg or NAME.png, got '%s'", p->plot_path);
#ifndef PTS_HAVE_JSON
    if (p->json)
        return cli_fail(syntax, "--json: built without jansson");
#endif
#ifndef PTS_HAVE_PLOT
    if (p->plot_path)
        return cli_fail(syntax, "--plot: built without cairo");
#endif
    /* Last, as it may say that it takes the number for percent: a mistake is told in one line. */
    return cli_target(syntax, "--target", p->target_text, &p->target);
}

static pts_status read_pilot(const cli_syntax *syntax, prediction *p, pts_error *err)
{
    if (!p->pilot_path)
        return PTS_OK;
    pts_status status = pts_pilot_read(&p->pilot, p->pilot_path, err);
    if (status == PTS_OK && p->pilot->percent)
        fprintf(stderr, "%s: %s: mAP is in percent, taken as shares\n", syntax->command,
                p->pilot_path);
    return status;
}

static int answer(const cli_syntax *syntax, prediction *p)
{
    pts_error err;
    pts_status status = read_pilot(syntax, p, &err);
    if (status == PTS_OK)
        status = predict(p, &err);
    if (status == PTS_OK && p->plot_path)
        status = draw(p, &err);
    if (status == PTS_OK) {
        if (p->json)
            print_json(p);
        else
            print_text(p);
    }
    pts_curves_destroy(p->pilot);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    return p->answer.status == PTS_SIZE_UNREACHABLE ? CLI_UNREACHABLE : CLI_DONE;
}

static int run_study(const cli_syntax *syntax, const prediction *p)
{
    if (p->pilot_path || p->prior_name)
        return cli_wrong(syntax, "%s: expected none with --mode ptssp, which cannot use it",
                         p->pilot_path ? "--pilot" : "--prior");
    const cli_ptssp study = {.target = p->target,
                             .encoders = &p->encoders,
                             .heads = &p->heads,
                             .photographs = p->photographs,
                             .limits = p->limits,
                             .threads = p->threads,
                             .json = p->json,
                             .plot_path = p->plot_path};
    return cli_predict_ptssp(syntax, &study);
}

static int run_ours(const cli_syntax *syntax, prediction *p)
{
    char encoder[4096], head[4096];
    if (p->encoders.count > 1 || p->heads.count > 1)
        return cli_wrong(syntax, "%s: expected one, got %zu (two go with --mode ptssp)",
                         p->heads.count > 1 ? "--head" : "--weights",
                         p->heads.count > 1 ? p->heads.count : p->encoders.count);
    p->encoder_path = p->encoders.count
                          ? p->encoders.items[0]
                          : cli_default_file("inception_v3.ptsw", encoder, sizeof encoder);
    p->head_path =
        p->heads.count ? p->heads.items[0] : cli_default_file("head.ptsw", head, sizeof head);
    return answer(syntax, p);
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    prediction *p = user;
    p->photographs = operands;
    bool study = p->mode && strcmp(p->mode, "ptssp") == 0;
    if (p->mode && !study && strcmp(p->mode, "pts") != 0)
        return cli_wrong(syntax, "--mode: expected pts or ptssp, got '%s'", p->mode);
    int code = check(syntax, p);
    if (code >= 0)
        return code;
    return study ? run_study(syntax, p) : run_ours(syntax, p);
}

int cmd_predict(int argc, char **argv)
{
    prediction p = {.confidence = 0.8, .max_pixels = 100000000};
    const cli_option options[] = {
        {"--target", 0, CLI_TEXT, &p.target_text, "Y", "wanted mask mAP, 0 … 1 or percent"},
        {"--pilot", 0, CLI_TEXT, &p.pilot_path, "FILE.csv",
         "measured points: columns n, map and, if there is, weight"},
        {"--prior", 0, CLI_TEXT, &p.prior_name, "NAME|FILE",
         "instead of photographs: builtin, yolov8m-seg, or a file of ptstrain prior"},
        {"--rounds", 0, CLI_INTEGER, &p.rounds, "R", "plan the collection in up to R rounds"},
        {"--tau", 0, CLI_NUMBER, &p.tau, "T", "margin on the target that a round aims at (0)"},
        {"--cost-per-image", 0, CLI_NUMBER, &p.cost, "C", "the bill of the answer and the plan"},
        {"--confidence", 0, CLI_NUMBER, &p.confidence, "P", "of interval and band (0.8)"},
        {"--plot", 0, CLI_TEXT, &p.plot_path, "OUT.svg|png", "draw the curve"},
        {"--json", 0, CLI_FLAG, &p.json, NULL, "the answer as JSON"},
        {"--weights", 'w', CLI_TEXTS, &p.encoders, "ENC.ptsw", "encoder (the installed one)"},
        {"--head", 0, CLI_TEXTS, &p.heads, "HEAD.ptsw", "head (the installed one)"},
        {"--mode", 0, CLI_TEXT, &p.mode, "NAME",
         "pts (default), or ptssp: the study's page, with two --weights and two --head"},
        CLI_MAX_PIXELS_OPTION(&p.max_pixels),
        CLI_THREADS_OPTION(&p.threads),
    };
    const cli_syntax syntax = {
        "ptsinfer predict",
        "--target Y [--pilot FILE.csv] (IMAGE IMAGE IMAGE IMAGE | --prior NAME)",
        "ptsinfer predict --target 0.5 --plot curve.svg a.jpg b.jpg c.jpg "
        "d.jpg",
        options, sizeof options / sizeof *options};
    return cli_run(&syntax, argc, argv, run, &p);
}
