/* The answer of ptsinfer predict in words. */
#include "cli/answer_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct shown {
    const pts_answer *answer;
    const cli_answer_words *words;
} shown;

/* Whole images; past a billion the digits mean nothing. */
static void format_size(double n, char text[32])
{
    if (n > 1e9)
        strcpy(text, "over a billion");
    else
        snprintf(text, 32, "%.0f", ceil(fmax(n, 1)));
}

static void print_size(const shown *s)
{
    const pts_curve_answer *a = &s->answer->size;
    char n[32], low[32], high[32];
    format_size(a->n, n);
    format_size(a->n_low, low);
    format_size(a->n_high, high);
    printf("mAP %g takes about %s labelled images (%g %% interval: ", s->answer->question.target, n,
           100 * s->answer->question.confidence);
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
static void print_next(const shown *s)
{
    const double now = exp2(s->answer->width), then = exp2(s->answer->next_width);
    char text[32] = "more than a thousandfold";
    if (now <= 1000)
        snprintf(text, sizeof text, "%.3g-fold", now);
    printf("What would narrow the interval most: one training with %.0f images (%s now, ",
           s->answer->next, text);
    if (then <= 1000)
        printf("about %.3g-fold then).\n", then);
    else
        printf("still wide then).\n");
}

static void print_cost(const shown *s)
{
    const double low = s->answer->question.cost * ceil(fmax(s->answer->size.n_low, 1));
    const double high = s->answer->question.cost * ceil(s->answer->size.n_high);
    printf("Labelling costs about %.6g (", s->answer->question.cost * ceil(s->answer->size.n));
    if (isfinite(high))
        printf("%.6g to %.6g).\n", low, high);
    else
        printf("%.6g or more).\n", low);
}

static void print_advice(const shown *s)
{
    if (!s->answer->size.laplace_agrees)
        print_laplace(&s->answer->size);
    if (pts_answer_has_next(s->answer))
        print_next(s);
    if (s->answer->question.cost > 0 && isfinite(s->answer->size.n))
        print_cost(s);
    if (s->answer->question.rounds <= 0)
        return;
    if (!isfinite(s->answer->plan.first)) {
        printf("Plan: do not begin; most likely the target cannot be reached.\n");
        return;
    }
    printf("Plan: label %.0f images first; within %ld rounds the target is met with probability "
           "%.2f, after %.0f images on average",
           s->answer->plan.first, s->answer->question.rounds, s->answer->plan.probability,
           s->answer->plan.images);
    if (s->answer->question.cost > 0)
        printf(", which cost about %.6g", s->answer->question.cost * s->answer->plan.images);
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

static void print_labelled(const shown *s)
{
    printf("From four labelled photographs (%zu object%s of class %s)", s->answer->objects,
           s->answer->objects == 1 ? "" : "s", s->words->class_name);
}

static void print_past(const shown *s, const char *pilot)
{
    printf("From %zu past curves of %zu data sets and %s.", s->answer->curves, s->answer->datasets,
           pilot);
    if (s->words->named_prior)
        printf(" Trainer: %s.\n", s->answer->trainer);
    else
        printf(" The %s take no part: beside pilot results they have not made forecasts better.\n",
               s->words->labelled ? "labels" : "photographs");
}

static void print_origin(const shown *s)
{
    const size_t points = pts_question_pilot(&s->answer->question)->count;
    char pilot[64];
    snprintf(pilot, sizeof pilot, "%zu pilot result%s", points, points == 1 ? "" : "s");
    if (s->answer->from_past_curves) {
        print_past(s, pilot);
        return;
    }
    if (s->words->labelled)
        print_labelled(s);
    else
        printf("From four photographs (%s)", s->answer->encoder);
    if (points)
        printf(" and %s.\n", pilot);
    else if (s->words->labelled)
        printf(" alone, which say more than photographs without labels, and less than pilot "
               "results on a few small training sets (--pilot).\n");
    else
        printf(" alone, which say little: pilot results on a few small training sets (--pilot) "
               "narrow it.\n");
}

static void print_source(const shown *s)
{
    print_origin(s);
    if (!s->answer->from_past_curves && !s->words->labelled && !s->answer->uses_photographs)
        printf("This head gives the same curve for all photographs: none of their features "
               "predicted held-out data sets.\n");
    if (!s->words->named_prior)
        printf("The curve is that of %s.\n",
               s->answer->trainer[0] ? s->answer->trainer
                                     : "the trainer whose results the head was trained on");
}

static void print(const shown *s)
{
    const pts_curve *c = &s->answer->posterior.curve;
    switch (s->answer->size.status) {
    case PTS_SIZE_OK:
        print_size(s);
        break;
    case PTS_SIZE_ALREADY_MET:
        printf("mAP %g is met by the first labelled image: the curve starts at %.2f.\n",
               s->answer->question.target, pts_curve_at(c, 1));
        break;
    default:
        printf("mAP %g is out of reach: the curve levels off at %.2f ± %.2f.\n",
               s->answer->question.target, s->answer->size.plateau, s->answer->size.plateau_error);
    }
    printf("Probability that it can be reached at all: %.0f %%.\n",
           100 * s->answer->size.probability_reachable);
    print_if_reachable(&s->answer->size);
    printf("Curve: mAP(n) = (A − D) / (1 + (n/C)^B) + D with A %.4f, B %.4f, C %.4g, D %.4f.\n",
           c->A, c->B, c->C, c->D);
    print_advice(s);
    print_source(s);
    for (size_t k = 0; k < s->answer->doubts.count; k++)
        printf("Caveat: %s.\n", s->answer->doubts.text[k]);
    if (s->words->plot_path)
        printf("Plot: %s\n", s->words->plot_path);
}

void cli_print_answer(const pts_answer *answer, const cli_answer_words *words)
{
    print(&(shown){answer, words});
}

#ifdef PTS_HAVE_STUDY
void cli_print_study(const pts_study_answer *a, const char *plot_path)
{
    const pts_curve *c = &a->curve;
    if (!a->is_curve)
        printf("The heads' numbers are no curve (B must not be 0, C be above 0).\n");
    else if (a->status == PTS_SIZE_OK)
        printf("mAP %g takes about %.0f labelled images.\n", a->target, ceil(a->n));
    else if (a->status == PTS_SIZE_ALREADY_MET)
        printf("mAP %g is met by the first labelled image: the curve starts at %.2f.\n", a->target,
               c->A);
    else
        printf("mAP %g is out of reach: the curve levels off at %.2f.\n", a->target, c->D);
    printf("Curve: mAP(n) = (A − D) / (1 + (n/C)^B) + D with A %.4f, B %.4f (inception_v3 head), C "
           "%.4g, D %.4f (clip_vit head).\n",
           c->A, c->B, c->C, c->D);
    printf("As the study's page has it: from four photographs alone, without an interval.\n");
    if (plot_path && a->is_curve)
        printf("Plot: %s\n", plot_path);
}
#endif
