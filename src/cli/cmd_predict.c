/* ptsinfer predict: four photographs or a trainer's prior, and pilot results if there are any, to
 * the answer. */
#include "cli/commands.h"
#include "cli/defaults.h"
#include "cli/images.h"
#include "cli/photo_labels.h"
#include "cli/predict_ptssp.h"
#include "cli/target.h"

#include "pts/forecast.h"
#include "pts/file.h"
#include "pts/learn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHOTOGRAPHS = 4 };

typedef struct prediction {
    const char *encoder_path, *head_path, *target_text, *pilot_path, *plot_path, *mode, *prior_name;
    cli_list encoders, heads; /* as told */
    cli_list labels;
    const char *class_name; /* with labels; NULL: their only one */
    pts_question question;
    long threads, max_pixels;
    pts_image_limits limits;
    bool json;

    const cli_list *photographs;
    pts_curve_set *pilot; /* NULL: none */
    char arch[32];
    bool uses_photographs;
    pts_prior_file prior; /* what the pilot is weighed against, and whose curves it speaks of */
    bool past;            /* it is that of past curves: with --prior, and beside pilot results */
    cli_photo_labels labelled;
    pts_answer answer;
} prediction;

/* ---- photographs to the prior ---- */

static pts_status check_pair(const prediction *p, const pts_encoder *encoder, const pts_head *head,
                             pts_error *err)
{
    bool same = strcmp(pts_head_encoder_id(head), pts_encoder_id(encoder)) == 0;
    if (same && pts_head_dim(head) == pts_encoder_dim(encoder))
        return PTS_OK;
    if (same)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: expected a head for embeddings of %zu numbers, got one for %zu "
                        "(trained with label masks)",
                        p->head_path, pts_encoder_dim(encoder), pts_head_dim(head));
    if (*pts_head_encoder_arch(head))
        return pts_fail(
            err, PTS_ERR_UNSUPPORTED,
            "%s: a head of the study's own, without measured spread: expected --mode ptssp",
            p->head_path);
    return pts_fail(err, PTS_ERR_FORMAT,
                    "%s: expected the encoder it was trained with (%.12s…), got %s (%.12s…)",
                    p->head_path, pts_head_encoder_id(head), p->encoder_path,
                    pts_encoder_id(encoder));
}

/* Beside pilot results neither photographs nor labels have made forecasts better, and the spread
 * of the past curves themselves is the better one (pts_evaluate_pilot). */
static bool take_past_curves(prediction *p, const pts_head *head)
{
    p->past = p->pilot && pts_head_population(head, &p->prior);
    return p->past;
}

/* For where they are not looked at: one that is no photograph is a mistake all the same. */
static pts_status check_photographs(const prediction *p, pts_error *err)
{
    size_t width, height;
    pts_status status = PTS_OK;
    for (size_t i = 0; status == PTS_OK && i < PHOTOGRAPHS; i++)
        status = pts_image_probe(p->photographs->items[i], &p->limits, &width, &height, err);
    return status;
}

static pts_status look(prediction *p, pts_encoder *encoder, pts_head *head, pts_error *err)
{
    float *embeddings = calloc(PHOTOGRAPHS * pts_encoder_dim(encoder), sizeof *embeddings);
    if (!embeddings)
        return pts_fail(err, PTS_ERR_MEMORY, "out of memory");
    p->uses_photographs = pts_head_uses_photographs(head);
    pts_status status = pts_encoder_embed_files(encoder, p->photographs->items, PHOTOGRAPHS, NULL,
                                                &p->limits, embeddings, NULL, err);
    if (status == PTS_OK)
        status = pts_head_predict(head, embeddings, PHOTOGRAPHS, &p->prior.prior, err);
    free(embeddings);
    return status;
}

static pts_status open_head(prediction *p, pts_head **head, pts_error *err)
{
    pts_status status = pts_head_open(head, p->head_path, err);
    if (status == PTS_OK)
        snprintf(p->prior.trainer, sizeof p->prior.trainer, "%s", pts_head_trainer(*head));
    return status;
}

static pts_status prior_from_photographs(prediction *p, pts_error *err)
{
    pts_team *team = NULL;
    pts_encoder *encoder = NULL;
    pts_head *head = NULL;
    pts_status status = pts_team_create(&team, (int)p->threads, err);
    if (status == PTS_OK)
        status = pts_encoder_open(&encoder, p->encoder_path, team, err);
    if (status == PTS_OK)
        status = open_head(p, &head, err);
    if (status == PTS_OK)
        status = check_pair(p, encoder, head, err);
    if (status == PTS_OK)
        snprintf(p->arch, sizeof p->arch, "%s", pts_encoder_arch(encoder));
    if (status == PTS_OK)
        status =
            take_past_curves(p, head) ? check_photographs(p, err) : look(p, encoder, head, err);
    pts_head_close(head);
    pts_encoder_close(encoder);
    pts_team_destroy(team);
    return status;
}

/* ---- labels to the prior ---- */

#ifdef PTS_HAVE_YAML
static pts_status ask_head(prediction *p, const pts_label_sums *sums, pts_error *err)
{
    pts_head *head;
    pts_status status = open_head(p, &head, err);
    if (status != PTS_OK)
        return status;
    if (!pts_head_takes_labels(head))
        status = pts_fail(err, PTS_ERR_UNSUPPORTED,
                          "%s: expected a head that takes labels, got one that was trained without",
                          p->head_path);
    else if (!take_past_curves(p, head))
        status = pts_head_predict_labelled(head, sums, PHOTOGRAPHS, &p->prior.prior, err);
    pts_head_close(head);
    return status;
}

static pts_status prior_from_labels(prediction *p, pts_error *err)
{
    pts_label_sums sums[PHOTOGRAPHS];
    p->labelled.sums = sums;
    pts_status status = check_photographs(p, err);
    if (status == PTS_OK)
        status =
            cli_photo_labels_read(&p->labelled, &p->labels, p->photographs, p->class_name, err);
    return status == PTS_OK ? ask_head(p, sums, err) : status;
}
#else
static pts_status prior_from_labels(prediction *p, pts_error *err)
{
    (void)p;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "--labels: built without libyaml");
}
#endif

/* A name stands for the installed prior-NAME.txt; anything with a dot or a slash is a file. */
static pts_status read_prior(prediction *p, pts_error *err)
{
    char path[4096], name[256];
    const char *file = p->prior_name;
    if (!strpbrk(file, "./")) {
        snprintf(name, sizeof name, "prior-%.200s.txt", file);
        file = cli_default_file(name, path, sizeof path);
    }
    p->past = true;
    return pts_prior_read(file, &p->prior, err);
}

static pts_status predict(prediction *p, pts_error *err)
{
    pts_status status = p->prior_name     ? read_prior(p, err)
                        : p->labels.count ? prior_from_labels(p, err)
                                          : prior_from_photographs(p, err);
    if (status != PTS_OK)
        return status;
    const bool labelled = p->labels.count > 0 && !p->past;
    const pts_answer_source source = {.encoder = *p->arch ? p->arch : NULL,
                                      .trainer = p->prior.trainer,
                                      .uses_photographs = p->uses_photographs,
                                      .past_curves = p->past,
                                      .labelled = labelled ? PHOTOGRAPHS : 0,
                                      .showing = labelled ? p->labelled.showing : 0,
                                      .objects = labelled ? p->labelled.objects : 0};
    p->question.pilot = p->pilot;
    return pts_answer_find(&p->prior.prior, &source, &p->question, &p->answer, err);
}

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
    const pts_curve_answer *a = &p->answer.size;
    char n[32], low[32], high[32];
    format_size(a->n, n);
    format_size(a->n_low, low);
    format_size(a->n_high, high);
    printf("mAP %g takes about %s labelled images (%g %% interval: ", p->question.target, n,
           100 * p->question.confidence);
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
    const double now = exp2(p->answer.width), then = exp2(p->answer.next_width);
    char text[32] = "more than a thousandfold";
    if (now <= 1000)
        snprintf(text, sizeof text, "%.3g-fold", now);
    printf("What would narrow the interval most: one training with %.0f images (%s now, ",
           p->answer.next, text);
    if (then <= 1000)
        printf("about %.3g-fold then).\n", then);
    else
        printf("still wide then).\n");
}

static void print_cost(const prediction *p)
{
    const double low = p->question.cost * ceil(fmax(p->answer.size.n_low, 1));
    const double high = p->question.cost * ceil(p->answer.size.n_high);
    printf("Labelling costs about %.6g (", p->question.cost * ceil(p->answer.size.n));
    if (isfinite(high))
        printf("%.6g to %.6g).\n", low, high);
    else
        printf("%.6g or more).\n", low);
}

static void print_advice(const prediction *p)
{
    if (!p->answer.size.laplace_agrees)
        print_laplace(&p->answer.size);
    if (pts_answer_has_next(&p->answer))
        print_next(p);
    if (p->question.cost > 0 && isfinite(p->answer.size.n))
        print_cost(p);
    if (p->question.rounds <= 0)
        return;
    if (!isfinite(p->answer.plan.first)) {
        printf("Plan: do not begin; most likely the target cannot be reached.\n");
        return;
    }
    printf("Plan: label %.0f images first; within %ld rounds the target is met with probability "
           "%.2f, after %.0f images on average",
           p->answer.plan.first, p->question.rounds, p->answer.plan.probability,
           p->answer.plan.images);
    if (p->question.cost > 0)
        printf(", which cost about %.6g", p->question.cost * p->answer.plan.images);
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

static void print_labelled(const prediction *p)
{
    printf("From four labelled photographs (%zu object%s of class %s)", p->labelled.objects,
           p->labelled.objects == 1 ? "" : "s", p->labelled.class_name);
}

static void print_past(const prediction *p, const char *pilot)
{
    printf("From %zu past curves of %zu data sets and %s.", p->prior.curves, p->prior.datasets,
           pilot);
    if (p->prior_name)
        printf(" Trainer: %s.\n", p->prior.trainer);
    else
        printf(" The %s take no part: beside pilot results they have not made forecasts better.\n",
               p->labels.count ? "labels" : "photographs");
}

static void print_origin(const prediction *p)
{
    const size_t points = pts_question_pilot(&p->question)->count;
    char pilot[64];
    snprintf(pilot, sizeof pilot, "%zu pilot result%s", points, points == 1 ? "" : "s");
    if (p->past) {
        print_past(p, pilot);
        return;
    }
    if (p->labels.count)
        print_labelled(p);
    else
        printf("From four photographs (%s)", p->arch);
    if (points)
        printf(" and %s.\n", pilot);
    else if (p->labels.count)
        printf(" alone, which say more than photographs without labels, and less than pilot "
               "results on a few small training sets (--pilot).\n");
    else
        printf(" alone, which say little: pilot results on a few small training sets (--pilot) "
               "narrow it.\n");
}

static void print_source(const prediction *p)
{
    print_origin(p);
    if (!p->past && !p->labels.count && !p->uses_photographs)
        printf("This head gives the same curve for all photographs: none of their features "
               "predicted held-out data sets.\n");
    if (!p->prior_name)
        printf("The curve is that of %s.\n",
               p->prior.trainer[0] ? p->prior.trainer
                                   : "the trainer whose results the head was trained on");
}

static void print_text(const prediction *p)
{
    const pts_curve *c = &p->answer.posterior.curve;
    switch (p->answer.size.status) {
    case PTS_SIZE_OK:
        print_size(p);
        break;
    case PTS_SIZE_ALREADY_MET:
        printf("mAP %g is met by the first labelled image: the curve starts at %.2f.\n",
               p->question.target, pts_curve_at(c, 1));
        break;
    default:
        printf("mAP %g is out of reach: the curve levels off at %.2f ± %.2f.\n", p->question.target,
               p->answer.size.plateau, p->answer.size.plateau_error);
    }
    printf("Probability that it can be reached at all: %.0f %%.\n",
           100 * p->answer.size.probability_reachable);
    print_if_reachable(&p->answer.size);
    printf("Curve: mAP(n) = (A − D) / (1 + (n/C)^B) + D with A %.4f, B %.4f, C %.4g, D %.4f.\n",
           c->A, c->B, c->C, c->D);
    print_advice(p);
    print_source(p);
    for (size_t k = 0; k < p->answer.doubts.count; k++)
        printf("Caveat: %s.\n", p->answer.doubts.text[k]);
    if (p->plot_path)
        printf("Plot: %s\n", p->plot_path);
}

/* ---- usage ---- */

static bool plot_name(const char *path)
{
    return pts_path_ends(path, ".svg") || pts_path_ends(path, ".png");
}

static int check_labels(const cli_syntax *syntax, const prediction *p)
{
    if (p->class_name && !p->labels.count)
        return cli_wrong(syntax, "--class: expected --labels with it, got none");
    if (p->labels.count && p->prior_name)
        return cli_wrong(syntax, "expected either --prior or --labels, got both");
    if (p->labels.count && p->encoders.count)
        return cli_wrong(syntax, "--weights: expected none with --labels, which need no encoder");
    if (p->labels.count && p->photographs->count == 0)
        return cli_wrong(syntax, "--labels: expected their %d photographs, got none", PHOTOGRAPHS);
    if (p->labels.count > PHOTOGRAPHS)
        return cli_wrong(syntax, "--labels: expected at most %d files, got %zu", PHOTOGRAPHS,
                         p->labels.count);
    return -1;
}

static int check(const cli_syntax *syntax, prediction *p)
{
    const char *field;
    pts_error err;
    if (!p->target_text)
        return cli_wrong(syntax, "expected --target Y, the wanted mAP");
    if (p->prior_name && p->photographs->count > 0)
        return cli_wrong(syntax, "expected either --prior or photographs, got both");
    int code = check_labels(syntax, p);
    if (code >= 0)
        return code;
    if (!p->prior_name && p->photographs->count != PHOTOGRAPHS)
        return cli_wrong(syntax, "expected %d photographs, got %zu", PHOTOGRAPHS,
                         p->photographs->count);
    if (pts_question_check(&p->question, &field, &err) != PTS_OK)
        return cli_wrong(syntax, "--%s: %s",
                         strcmp(field, "cost_per_image") == 0 ? "cost-per-image" : field,
                         err.message);
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
    return cli_target(syntax, "--target", p->target_text, &p->question.target);
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
    char *json = NULL;
    pts_status status = read_pilot(syntax, p, &err);
    if (status == PTS_OK)
        status = predict(p, &err);
    if (status == PTS_OK && p->plot_path)
        status = pts_answer_plot(&p->answer, p->plot_path, &err);
    if (status == PTS_OK && p->json)
        status = pts_answer_json(&p->answer, 0, &json, &err);
    if (status == PTS_OK && json)
        puts(json);
    else if (status == PTS_OK)
        print_text(p);
    free(json);
    pts_curves_destroy(p->pilot);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    return p->answer.size.status == PTS_SIZE_UNREACHABLE ? CLI_UNREACHABLE : CLI_DONE;
}

static int run_study(const cli_syntax *syntax, const prediction *p)
{
    if (p->pilot_path || p->prior_name || p->labels.count)
        return cli_wrong(syntax, "%s: expected none with --mode ptssp, which cannot use it",
                         p->pilot_path   ? "--pilot"
                         : p->prior_name ? "--prior"
                                         : "--labels");
    const cli_ptssp study = {.target = p->question.target,
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
    p->head_path = p->heads.count ? p->heads.items[0]
                                  : cli_default_file("head-builtin.ptsw", head, sizeof head);
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
    const pts_question question = PTS_QUESTION_DEFAULTS;
    prediction p = {.question = question, .max_pixels = 100000000};
    const cli_option options[] = {
        {"--target", 0, CLI_TEXT, &p.target_text, "Y", "wanted mask mAP, 0 … 1 or percent"},
        {"--pilot", 0, CLI_TEXT, &p.pilot_path, "FILE.csv",
         "measured points: columns n, map and, if there is, weight"},
        {"--prior", 0, CLI_TEXT, &p.prior_name, "NAME|FILE",
         "instead of photographs: builtin, yolov8m-seg, or a file of ptstrain prior"},
        {"--labels", 0, CLI_TEXTS, &p.labels, "PATH",
         "the photographs' labels: a folder of YOLO .txt files of their names, a data set, a COCO "
         ".json, or once for each .txt"},
        {"--class", 0, CLI_TEXT, &p.class_name, "K", "whose labels (their only class)"},
        {"--rounds", 0, CLI_INTEGER, &p.question.rounds, "R",
         "plan the collection in up to R rounds"},
        {"--tau", 0, CLI_NUMBER, &p.question.tau, "T",
         "margin on the target that a round aims at (0)"},
        {"--cost-per-image", 0, CLI_NUMBER, &p.question.cost, "C",
         "the bill of the answer and the plan"},
        {"--confidence", 0, CLI_NUMBER, &p.question.confidence, "P", "of interval and band (0.8)"},
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
        "--target Y [--pilot FILE.csv] ([--labels DIR] IMAGE IMAGE IMAGE IMAGE | --prior NAME)",
        "ptsinfer predict --target 0.4 --plot curve.svg a.jpg b.jpg c.jpg "
        "d.jpg",
        options, sizeof options / sizeof *options};
    return cli_run(&syntax, argc, argv, run, &p);
}
