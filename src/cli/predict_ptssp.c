/* Two encoders embed the same four photographs through preset ptssp, two heads make four numbers
 * each; A and B are taken from the InceptionV3 head, C and D from the CLIP head, as the study's
 * page does. There is no spread and so no interval. */
#include "cli/predict_ptssp.h"
#include "cli/defaults.h"

#include "pts/forecast.h"
#include "pts/encoder.h"
#include "pts/learn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHOTOGRAPHS = 4, INCEPTION = 0, CLIP = 1 };

static const char *const archs[2] = {"inception_v3", "clip_vit"};

typedef struct study {
    const cli_ptssp *p;
    pts_team *team;
    double numbers[2][4]; /* of each head, minus 10 */
    pts_study_answer answer;
} study;

static pts_status fail(pts_error *err, pts_status status, const char *path, const char *expected,
                       const char *got)
{
    snprintf(err->message, sizeof err->message, "%s: expected %s, got %s", path, expected, got);
    return status;
}

/* ---- which file is which ---- */

/* The encoder of that architecture among those told, else the installed one. */
static pts_status open_encoder(const study *s, int which, pts_encoder **out, pts_error *err)
{
    char path[4096];
    const cli_list *told = s->p->encoders;
    *out = NULL;
    for (size_t i = 0; i < told->count && !*out; i++) {
        pts_status status = pts_encoder_open(out, told->items[i], s->team, err);
        if (status != PTS_OK)
            return status;
        if (strcmp(pts_encoder_arch(*out), archs[which]) != 0) {
            pts_encoder_close(*out);
            *out = NULL;
        }
    }
    if (*out)
        return PTS_OK;
    snprintf(path, sizeof path, "%s.ptsw", archs[which]);
    char found[4096];
    return pts_encoder_open(out, cli_default_file(path, found, sizeof found), s->team, err);
}

/* The head that goes with the encoder: by its id where it has one, else by architecture. */
static bool goes_with(const pts_head *head, const pts_encoder *encoder)
{
    const char *id = pts_head_encoder_id(head);
    if (*id)
        return strcmp(id, pts_encoder_id(encoder)) == 0;
    return strcmp(pts_head_encoder_arch(head), pts_encoder_arch(encoder)) == 0;
}

static pts_status check_dim(const pts_head *head, const pts_encoder *encoder, const char *path,
                            pts_error *err)
{
    char expected[64], got[64];
    if (pts_head_dim(head) == pts_encoder_dim(encoder))
        return PTS_OK;
    snprintf(expected, sizeof expected, "a head for %zu numbers a photograph",
             pts_encoder_dim(encoder));
    snprintf(got, sizeof got, "one for %zu%s", pts_head_dim(head),
             pts_head_dim(head) == 2 * pts_encoder_dim(encoder)
                 ? " (its photographs come with label masks)"
                 : "");
    return fail(err, PTS_ERR_SHAPE, path, expected, got);
}

static pts_status open_head(const study *s, const pts_encoder *encoder, pts_head **out,
                            pts_error *err)
{
    const cli_list *told = s->p->heads;
    char expected[128];
    *out = NULL;
    for (size_t i = 0; i < told->count; i++) {
        pts_status status = pts_head_open(out, told->items[i], err);
        if (status != PTS_OK)
            return status;
        if (goes_with(*out, encoder))
            return check_dim(*out, encoder, told->items[i], err);
        pts_head_close(*out);
        *out = NULL;
    }
    snprintf(expected, sizeof expected, "a head for %s (%.12s…)", pts_encoder_arch(encoder),
             pts_encoder_id(encoder));
    return fail(err, PTS_ERR_ARGUMENT, "--head", expected, "none among them");
}

/* ---- the answer ---- */

static pts_status embed(study *s, pts_encoder *encoder, pts_head *head, double out[4],
                        pts_error *err)
{
    float *embeddings = calloc(PHOTOGRAPHS * pts_encoder_dim(encoder), sizeof *embeddings);
    if (!embeddings) {
        snprintf(err->message, sizeof err->message, "out of memory");
        return PTS_ERR_MEMORY;
    }
    pts_status status = pts_encoder_embed_files(encoder, s->p->photographs->items, PHOTOGRAPHS,
                                                "ptssp", &s->p->limits, embeddings, NULL, err);
    if (status == PTS_OK)
        status = pts_head_study(head, embeddings, out, err);
    free(embeddings);
    return status;
}

/* One encoder and its head after the other, so that only one pair is in memory. */
static pts_status run_pair(study *s, int which, pts_error *err)
{
    pts_encoder *encoder = NULL;
    pts_head *head = NULL;
    pts_status status = open_encoder(s, which, &encoder, err);
    if (status == PTS_OK)
        status = open_head(s, encoder, &head, err);
    if (status == PTS_OK)
        status = embed(s, encoder, head, s->numbers[which], err);
    pts_head_close(head);
    pts_encoder_close(encoder);
    return status;
}

static pts_status predict(study *s, pts_error *err)
{
    pts_status status = pts_team_create(&s->team, (int)s->p->threads, err);
    for (int which = 0; which < 2 && status == PTS_OK; which++)
        status = run_pair(s, which, err);
    pts_team_destroy(s->team);
    if (status != PTS_OK)
        return status;
    s->answer = pts_study_answer_find(s->numbers[INCEPTION], s->numbers[CLIP], s->p->target);
    return PTS_OK;
}

/* ---- what is shown ---- */

static void print_text(const study *s)
{
    const pts_study_answer *a = &s->answer;
    const pts_curve *c = &a->curve;
    if (!a->is_curve)
        printf("The heads' numbers are no curve (B must not be 0, C be above 0).\n");
    else if (a->status == PTS_SIZE_OK)
        printf("mAP %g takes about %.0f labelled images.\n", s->p->target, ceil(a->n));
    else if (a->status == PTS_SIZE_ALREADY_MET)
        printf("mAP %g is met by the first labelled image: the curve starts at %.2f.\n",
               s->p->target, c->A);
    else
        printf("mAP %g is out of reach: the curve levels off at %.2f.\n", s->p->target, c->D);
    printf("Curve: mAP(n) = (A − D) / (1 + (n/C)^B) + D with A %.4f, B %.4f (inception_v3 head), C "
           "%.4g, D %.4f (clip_vit head).\n",
           c->A, c->B, c->C, c->D);
    printf("As the study's page has it: from four photographs alone, without an interval.\n");
    if (s->p->plot_path && a->is_curve)
        printf("Plot: %s\n", s->p->plot_path);
}

int cli_predict_ptssp(const cli_syntax *syntax, const cli_ptssp *p)
{
    pts_error err;
    char *json = NULL;
    study s = {.p = p};
    if (p->heads->count != 2)
        return cli_wrong(syntax, "--head: expected two with --mode ptssp, got %zu",
                         p->heads->count);
    if (p->encoders->count > 2)
        return cli_wrong(syntax, "--weights: expected at most two with --mode ptssp, got %zu",
                         p->encoders->count);
    pts_status status = predict(&s, &err);
    if (status == PTS_OK && p->plot_path && s.answer.is_curve)
        status = pts_study_answer_plot(&s.answer, p->plot_path, &err);
    if (status == PTS_OK && p->json)
        status = pts_study_answer_json(&s.answer, &json, &err);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    if (json)
        puts(json);
    else
        print_text(&s);
    free(json);
    return s.answer.status == PTS_SIZE_UNREACHABLE ? CLI_UNREACHABLE : CLI_DONE;
}
