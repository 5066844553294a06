/* ptsinfer predict: reads its options, asks pts_forecast_find, prints. */
#include "cli/answer_text.h"
#include "cli/commands.h"
#include "cli/images.h"
#include "cli/models.h"
#include "cli/photo_labels.h"
#include "cli/target.h"

#include "pts/file.h"
#include "pts/forecast.h"
#ifdef PTS_HAVE_STUDY
#include "pts/study.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct prediction {
    const char *target_text, *pilot_path, *plot_path, *mode, *prior;
    cli_models models;
    cli_list labels;
    const char *class_name; /* with labels; NULL: their only one */
    pts_question question;
    long threads, max_pixels;
    pts_image_limits limits;
    bool json, study;

    const cli_list *photographs;
    pts_curve_set *pilot; /* NULL: none */
    cli_photo_labels labelled;
    pts_answer answer;
    pts_study_answer study_answer;
} prediction;

/* ---- options ---- */

static bool plot_name(const char *path)
{
    return pts_path_ends(path, ".svg") || pts_path_ends(path, ".png");
}

static int check_labels(const cli_syntax *syntax, const prediction *p)
{
    if (p->class_name && !p->labels.count)
        return cli_wrong(syntax, "--class: expected --labels with it, got none");
    if (p->labels.count && p->prior)
        return cli_wrong(syntax, "expected either --prior or --labels, got both");
    if (p->labels.count && p->models.encoders.count)
        return cli_wrong(syntax, "--weights: expected none with --labels, which need no encoder");
    if (p->labels.count && p->photographs->count == 0)
        return cli_wrong(syntax, "--labels: expected their %d photographs, got none",
                         PTS_PHOTOGRAPHS);
    if (p->labels.count > PTS_PHOTOGRAPHS)
        return cli_wrong(syntax, "--labels: expected at most %d files, got %zu", PTS_PHOTOGRAPHS,
                         p->labels.count);
    return -1;
}

static int check_mode(const cli_syntax *syntax, prediction *p)
{
    p->study = p->mode && strcmp(p->mode, "ptssp") == 0;
    if (p->mode && !p->study && strcmp(p->mode, "pts") != 0)
        return cli_wrong(syntax, "--mode: expected pts or ptssp, got '%s'", p->mode);
    if (!p->study)
        return -1;
#ifndef PTS_HAVE_STUDY
    return cli_fail(syntax, "--mode ptssp: built without study");
#endif
    if (p->pilot_path || p->prior || p->labels.count)
        return cli_wrong(syntax, "%s: expected none with --mode ptssp, which cannot use it",
                         p->pilot_path ? "--pilot"
                         : p->prior    ? "--prior"
                                       : "--labels");
    return -1;
}

static int check_models(const cli_syntax *syntax, const prediction *p)
{
    const size_t encoders = p->models.encoders.count, heads = p->models.heads.count;
    if (!p->study && (encoders > 1 || heads > 1))
        return cli_wrong(syntax, "%s: expected one, got %zu (two go with --mode ptssp)",
                         heads > 1 ? "--head" : "--weights", heads > 1 ? heads : encoders);
    if (p->study && heads != 2)
        return cli_wrong(syntax, "--head: expected two with --mode ptssp, got %zu", heads);
    if (encoders > 2)
        return cli_wrong(syntax, "--weights: expected at most two with --mode ptssp, got %zu",
                         encoders);
    return -1;
}

static int check(const cli_syntax *syntax, prediction *p)
{
    const char *field;
    bool percent;
    pts_error err;
    if (!p->target_text)
        return cli_wrong(syntax, "expected --target Y, the wanted mAP");
    if (p->prior && p->photographs->count > 0)
        return cli_wrong(syntax, "expected either --prior or photographs, got both");
    int code = check_labels(syntax, p);
    if (code >= 0)
        return code;
    if (!p->prior && p->photographs->count != PTS_PHOTOGRAPHS)
        return cli_wrong(syntax, "expected %d photographs, got %zu", PTS_PHOTOGRAPHS,
                         p->photographs->count);
    pts_target_read(p->target_text, &p->question.target, &percent, NULL); /* told below */
    if (pts_question_check(&p->question, &field, &err) != PTS_OK)
        return cli_wrong(syntax, "--%s: %s",
                         strcmp(field, "cost_per_image") == 0 ? "cost-per-image" : field,
                         err.message);
    if (!cli_image_limits(p->max_pixels, &p->limits))
        return cli_wrong(syntax, "--max-pixels: expected 1 or more, got %ld", p->max_pixels);
    if (p->plot_path && !plot_name(p->plot_path))
        return cli_wrong(syntax, "--plot: expected NAME.svg or NAME.png, got '%s'", p->plot_path);
    code = check_models(syntax, p);
    if (code >= 0)
        return code;
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

/* ---- what was given ---- */

static pts_status read_pilot(const cli_syntax *syntax, prediction *p, pts_error *err)
{
    if (!p->pilot_path)
        return PTS_OK;
    PTS_TRY(pts_pilot_read(&p->pilot, p->pilot_path, err));
    if (p->pilot->percent)
        fprintf(stderr, "%s: %s: mAP is in percent, taken as shares\n", syntax->command,
                p->pilot_path);
    p->question.pilot = p->pilot;
    return PTS_OK;
}

static pts_status read_labels(prediction *p, pts_label_sums *sums, pts_error *err)
{
    p->labelled.sums = sums;
    if (!p->labels.count)
        return PTS_OK;
#ifdef PTS_HAVE_YAML
    return cli_photo_labels_read(&p->labelled, &p->labels, p->photographs, p->class_name, err);
#else
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "--labels: built without libyaml");
#endif
}

static pts_status ask(prediction *p, pts_models *models, const pts_given *given, pts_error *err)
{
    const char *field;
#ifdef PTS_HAVE_STUDY
    if (p->study)
        return pts_study_forecast(models, given, &p->study_answer, &field, err);
#endif
    return pts_forecast_find(models, given, &p->answer, &field, err);
}

static pts_status forecast(prediction *p, pts_team *team, pts_error *err)
{
    pts_models *models;
    pts_label_sums sums[PTS_PHOTOGRAPHS];
    pts_photograph photographs[PTS_PHOTOGRAPHS];
    for (size_t i = 0; i < PTS_PHOTOGRAPHS; i++)
        photographs[i] =
            (pts_photograph){.name = i < p->photographs->count ? p->photographs->items[i] : ""};
    if (p->study)
        cli_models_find_study(&p->models);
    else
        cli_models_find(&p->models);
    if (p->prior) {
        p->models.files.encoder_count = p->models.files.head_count = 0;
        cli_models_add_prior(&p->models, p->prior);
    }
    if (p->labels.count)
        p->models.files.encoder_count = 0;
    PTS_TRY(read_labels(p, sums, err));
    const pts_given given = {.question = p->question,
                             .prior = p->prior,
                             .photographs = photographs,
                             .labels = p->labels.count ? sums : NULL,
                             .limits = p->limits};
    PTS_TRY(pts_models_load(&models, &p->models.files, team, err));
    pts_status status = ask(p, models, &given, err);
    pts_models_release(models);
    return status;
}

/* ---- what is shown ---- */

static pts_status draw(const prediction *p, pts_error *err)
{
    if (!p->plot_path || (p->study && !p->study_answer.is_curve))
        return PTS_OK;
    return p->study ? pts_study_answer_plot(&p->study_answer, p->plot_path, err)
                    : pts_answer_plot(&p->answer, p->plot_path, err);
}

static pts_status print(const prediction *p, pts_error *err)
{
    char *json;
    const cli_answer_words words = {.named_prior = p->prior != NULL,
                                    .labelled = p->labels.count > 0,
                                    .class_name = p->labelled.class_name,
                                    .plot_path = p->plot_path};
    if (p->json) {
        PTS_TRY(p->study ? pts_study_answer_json(&p->study_answer, &json, err)
                         : pts_answer_json(&p->answer, 0, &json, err));
        puts(json);
        free(json);
        return PTS_OK;
    }
#ifdef PTS_HAVE_STUDY
    if (p->study) {
        cli_print_study(&p->study_answer, p->plot_path);
        return PTS_OK;
    }
#endif
    cli_print_answer(&p->answer, &words);
    return PTS_OK;
}

static pts_status predict(const cli_syntax *syntax, prediction *p, pts_error *err)
{
    pts_team *team = NULL;
    PTS_TRY(read_pilot(syntax, p, err));
    PTS_TRY(pts_team_create(&team, (int)p->threads, err));
    pts_status status = forecast(p, team, err);
    pts_team_destroy(team);
    PTS_TRY(status);
    PTS_TRY(draw(p, err));
    return print(p, err);
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    prediction *p = user;
    pts_error err;
    p->photographs = operands;
    int code = check_mode(syntax, p);
    if (code < 0)
        code = check(syntax, p);
    if (code >= 0)
        return code;
    pts_status status = predict(syntax, p, &err);
    pts_curves_destroy(p->pilot);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    pts_size_status verdict = p->study ? p->study_answer.status : p->answer.size.status;
    return verdict == PTS_SIZE_UNREACHABLE ? CLI_UNREACHABLE : CLI_DONE;
}

int cmd_predict(int argc, char **argv)
{
    const pts_question question = PTS_QUESTION_DEFAULTS;
    prediction p = {.question = question, .max_pixels = 100000000};
    const cli_option options[] = {
        {"--target", 0, CLI_TEXT, &p.target_text, "Y", "wanted mask mAP, 0 … 1 or percent"},
        {"--pilot", 0, CLI_TEXT, &p.pilot_path, "FILE.csv",
         "measured points: columns n, map and, if there is, weight"},
        {"--prior", 0, CLI_TEXT, &p.prior, "NAME|FILE",
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
        CLI_MODELS_OPTIONS(&p.models),
        {"--mode", 0, CLI_TEXT, &p.mode, "NAME",
         "pts (default), or ptssp: the study's page, with two --weights and two --head"},
        CLI_MAX_PIXELS_OPTION(&p.max_pixels),
        CLI_THREADS_OPTION(&p.threads),
    };
    return CLI_RUN(
        options, argc, argv, run, &p, "ptsinfer predict",
        "--target Y [--pilot FILE.csv] ([--labels DIR] IMAGE IMAGE IMAGE IMAGE | --prior NAME)",
        "ptsinfer predict --target 0.4 --plot curve.svg a.jpg b.jpg c.jpg d.jpg");
}
