/* ptstrain fit: measured curves to the parameters of each. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/doubts.h"
#include "cli/figure_names.h"

#include "base/error.h"
#include "base/memory.h"

#include "pts/curve.h"
#include "pts/file.h"
#include "pts/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES = 200 };

typedef struct options {
    const char *output, *family, *metric, *plots;
    bool json;
    bool choose; /* by criterion `how`, else `only` */
    pts_family only;
    pts_selection how;
} options;

typedef struct fitted {
    pts_family_fit fit; /* points 0: none */
    double weights[PTS_FAMILIES];
    bool of_zeros; /* the SMAPE is not meaningful */
    pts_doubts doubts;
} fitted;

static const double *metric_of(const options *o, const pts_curve_points *c)
{
    return cli_metric(c, o->metric);
}

/* ---- output ---- */

#ifdef PTS_HAVE_JSON
static const char *status_of(const pts_family_fit *f)
{
    return f->points ? pts_fit_status_text(f->status) : "too_few_sizes";
}

static json_t *describe_4pl(const pts_curve_points *c, const pts_family_fit *f)
{
    return json_pack("{so so sI so so so so s[oooo] so so ss}", "dataset",
                     pts_json_text(c->dataset), "class", pts_json_text(c->class_name), "points",
                     (json_int_t)c->count, "A", pts_json_real(f->x[0]), "B", pts_json_real(f->x[1]),
                     "C", pts_json_real(f->x[2]), "D", pts_json_real(f->x[3]), "se",
                     pts_json_real(f->se[0]), pts_json_real(f->se[1]), pts_json_real(f->se[2]),
                     pts_json_real(f->se[3]), "sse", pts_json_real(f->sse), "smape",
                     pts_json_real(f->smape), "status", status_of(f));
}

/* Any family: parameters and standard errors by name; with a choice, the weights of all. */
static json_t *describe_any(const options *o, const pts_curve_points *c, const fitted *one)
{
    const pts_family_fit *f = &one->fit;
    json_t *values = json_object(), *errors = json_object(), *weights = json_object();
    for (size_t k = 0; f->points && k < pts_family_parameters(f->family); k++) {
        const char *name = pts_family_parameter(f->family, k);
        json_object_set_new(values, name, pts_json_real(f->x[k]));
        json_object_set_new(errors, name, pts_json_real(f->se[k]));
    }
    for (size_t k = 0; o->choose && k < PTS_FAMILIES; k++)
        json_object_set_new(weights, pts_family_name((pts_family)k),
                            pts_json_real(one->weights[k]));
    return json_pack("{so so sI ss so so so so so so ss}", "dataset", pts_json_text(c->dataset),
                     "class", pts_json_text(c->class_name), "points", (json_int_t)c->count,
                     "family", pts_family_name(f->family), "parameters", values, "se", errors,
                     "weights", weights, "sse", pts_json_real(f->sse), "smape",
                     pts_json_real(f->smape), "aicc", pts_json_real(f->aicc), "status",
                     status_of(f));
}

/* Which numbers the points leave open; no key where they leave none. */
static void add_undetermined(json_t *to, const pts_family_fit *f)
{
    json_t *names = json_array();
    for (size_t k = 0; f->points && k < pts_family_parameters(f->family); k++) {
        if (!pts_family_determined(f, k))
            json_array_append_new(names, json_string(pts_family_parameter(f->family, k)));
    }
    if (json_array_size(names))
        json_object_set(to, "undetermined", names);
    json_decref(names);
}

static json_t *describe_all(const options *o, const pts_curve_set *set, const fitted *fits)
{
    json_t *list = json_array();
    bool plain = !o->choose && o->only == PTS_FAMILY_4PL;
    for (size_t i = 0; i < set->count; i++) {
        json_t *one = plain ? describe_4pl(&set->curves[i], &fits[i].fit)
                            : describe_any(o, &set->curves[i], &fits[i]);
        add_undetermined(one, &fits[i].fit);
        cli_json_add_doubts(one, &fits[i].doubts);
        json_array_append_new(list, one);
    }
    return list;
}

static int write_json(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                      const fitted *fits)
{
    pts_output out;
    pts_error err;
    if (pts_output_open(&out, o->output, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    json_t *list = describe_all(o, set, fits);
    json_dumpf(list, out.file, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(list);
    fputc('\n', out.file);
    if (pts_output_commit(&out, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    return CLI_DONE;
}
#endif

/* In place of a number that the points leave open; JSON keeps it. */
static const char undetermined[] = "not determined";

/* What follows a line's numbers. */
static void print_status(const pts_family_fit *f, bool of_zeros)
{
    printf("  %s%s", pts_fit_status_text(f->status),
           of_zeros ? ", SMAPE not meaningful: mAP near 0" : "");
}

static void print_4pl(const pts_family_fit *f, bool of_zeros)
{
    if (f->points == 0) {
        printf("%14s %14s %14s %14s %9s %7s  too_few_sizes\n", "-", "-", "-", "-", "-", "-");
        return;
    }
    for (size_t k = 0; k < 4; k++) {
        if (pts_family_determined(f, k))
            printf("%14.4f ", f->x[k]);
        else
            printf("%14s ", undetermined);
    }
    printf("%9.6f %7.2f", f->sse, f->smape);
    print_status(f, of_zeros);
    putchar('\n');
}

static void print_any(const pts_family_fit *f, bool of_zeros)
{
    printf("%-6s ", pts_family_name(f->family));
    if (f->points == 0) {
        printf("too_few_sizes\n");
        return;
    }
    printf("%9.6f %7.2f %9.2f", f->sse, f->smape, f->aicc);
    print_status(f, of_zeros);
    const char *before = "  ";
    for (size_t k = 0; k < pts_family_parameters(f->family); k++) {
        if (pts_family_determined(f, k)) {
            printf("%s%s %.5g", before, pts_family_parameter(f->family, k), f->x[k]);
            before = " ";
        }
    }
    before = "; not determined:";
    for (size_t k = 0; k < pts_family_parameters(f->family); k++) {
        if (!pts_family_determined(f, k)) {
            printf("%s %s", before, pts_family_parameter(f->family, k));
            before = ",";
        }
    }
    putchar('\n');
}

static void print_table(const options *o, const pts_curve_set *set, const fitted *fits)
{
    bool plain = !o->choose && o->only == PTS_FAMILY_4PL;
    printf("%-28s %-8s %6s ", "dataset", "class", "points");
    if (plain)
        printf("%14s %14s %14s %14s %9s %7s  %s\n", "A", "B", "C", "D", "sse", "smape", "status");
    else
        printf("%-6s %9s %7s %9s  %s\n", "family", "sse", "smape", "aicc", "status");
    for (size_t i = 0; i < set->count; i++) {
        const pts_curve_points *c = &set->curves[i];
        printf("%-28s %-8s %6zu ", c->dataset, c->class_name, c->count);
        (plain ? print_4pl : print_any)(&fits[i].fit, fits[i].of_zeros);
    }
}

/* ---- figures ---- */

#ifdef PTS_HAVE_PLOT
static const double confidence = 0.8, share = 0.05;

static const char *axis_title(const char *metric)
{
    return strcmp(metric, "map50") == 0 ? "mAP50" : strcmp(metric, "map75") == 0 ? "mAP75" : "mAP";
}

/* What both figures of a curve say above their axes. */
typedef struct heading {
    char title[256], subtitle[256];
} heading;

/* At most `size` bytes with the end, cut before a character, not within one. */
static void shorten(const char *text, char *out, size_t size)
{
    static const char dots[] = "…";
    size_t length = strlen(text);
    if (length < size) {
        memcpy(out, text, length + 1);
        return;
    }
    length = size - sizeof dots;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    snprintf(out, size, "%.*s%s", (int)length, text, dots);
}

static heading head(const options *o, const pts_curve_points *c, const fitted *one)
{
    static const char *const notes[] = {
        [PTS_FIT_OK] = "",
        [PTS_FIT_PLATEAU_NOT_REACHED] = "; the plateau is not reached",
        [PTS_FIT_RANK_DEFICIENT] = "; the points do not determine the fit",
        [PTS_FIT_LIMIT] = "; the fit did not settle",
        [PTS_FIT_UNDETERMINED] = "; not all parameters are determined"};
    const pts_family_fit *f = &one->fit;
    heading h;
    char class_name[64];
    shorten(c->dataset, h.title, sizeof h.title);
    shorten(c->class_name, class_name, sizeof class_name);
    snprintf(h.subtitle, sizeof h.subtitle, "class %s: %s of %zu points of %s, SMAPE %.2f %%%s%s",
             class_name, pts_family_name(f->family), c->count, axis_title(o->metric), f->smape,
             one->of_zeros ? " (not meaningful: mAP near 0)" : "", notes[f->status]);
    return h;
}

/* NAN in the figure's box where the points leave a parameter open. */
static double boxed(const pts_family_fit *f, size_t k)
{
    return pts_family_determined(f, k) ? f->x[k] : NAN;
}

static pts_status draw_fit(const options *o, const pts_curve_points *c, const fitted *one,
                           const char *path, pts_error *err)
{
    const pts_family_fit *f = &one->fit;
    double n[SAMPLES], y[SAMPLES], low[SAMPLES], high[SAMPLES];
    double first = c->n[0], last = fmax(c->n[c->count - 1], first * 1.1);
    for (int i = 0; i < SAMPLES; i++) {
        n[i] = first * pow(last / first, (double)i / (SAMPLES - 1));
        y[i] = fmin(fmax(pts_family_at(f, n[i]), 0), 1);
    }
    const pts_fit_points points = {c->n, c->weight, c->count};
    PTS_TRY(pts_family_band(f, &points, confidence, n, SAMPLES, low, high, err));
    heading h = head(o, c, one);
    const pts_plot_series series = {"measured", c->n, metric_of(o, c), c->count};
    const pts_plot_parameters box = {boxed(f, 0), boxed(f, 1), boxed(f, 2), boxed(f, 3),
                                     one->of_zeros ? -1 : f->smape};
    const pts_plot plot = {.title = h.title,
                           .subtitle = h.subtitle,
                           .curve_label = "fit",
                           .band_label = "80 % band of the fit",
                           .n = n,
                           .y = y,
                           .low = low,
                           .high = high,
                           .count = SAMPLES,
                           .series = &series,
                           .series_count = 1,
                           .parameters = f->family == PTS_FAMILY_4PL ? &box : NULL,
                           .tight = 1,
                           .y_title = axis_title(o->metric)};
    return pts_plot_write(path, &plot, err);
}

/* The study's second figure: what ±5 % of each parameter does to the SMAPE. */
static pts_status draw_sensitivity(const options *o, const pts_curve_points *c, const fitted *one,
                                   const char *path, pts_error *err)
{
    const pts_family_fit *f = &one->fit;
    double change[4][2];
    const char *names[4];
    PTS_TRY(pts_family_sensitivity(f, c->n, metric_of(o, c), c->count, share, change, err));
    for (size_t k = 0; k < 4; k++)
        names[k] = pts_family_parameter(f->family, k);
    heading h = head(o, c, one);
    const pts_plot_bars bars = {.title = h.title,
                                .subtitle = h.subtitle,
                                .axis_title = "change of SMAPE, percentage points",
                                .names = names,
                                .labels = {"parameter − 5 %", "parameter + 5 %"},
                                .values = (const double(*)[2])change,
                                .rows = pts_family_parameters(f->family)};
    return pts_plot_write_bars(path, &bars, err);
}

static pts_status draw(const options *o, const pts_curve_points *c, const fitted *one,
                       const cli_figure *named, pts_error *err)
{
    char path[4096];
    if (!cli_figure_path(named, o->plots, "-sensitivity.svg", path, sizeof path))
        return pts_fail(err, PTS_ERR_ARGUMENT, "%.200s: the name of a figure is too long",
                        o->plots);
    PTS_TRY(draw_sensitivity(o, c, one, path, err));
    cli_figure_path(named, o->plots, ".svg", path, sizeof path);
    return draw_fit(o, c, one, path, err);
}

static pts_status draw_curves(const options *o, const pts_curve_set *set, const fitted *fits,
                              cli_figure *figures, pts_error *err)
{
    for (size_t i = 0; i < set->count; i++)
        cli_figure_set(&figures[i], i, set->curves[i].dataset, set->curves[i].class_name);
    cli_figures_number(figures, set->count, "-sensitivity");
    for (size_t i = 0; i < set->count; i++) {
        if (fits[i].fit.points)
            PTS_TRY(draw(o, &set->curves[i], &fits[i], &figures[i], err));
    }
    return PTS_OK;
}

static int draw_all(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                    const fitted *fits)
{
    pts_error err;
    cli_figure *figures;
    pts_status status = pts_new(&figures, set->count, sizeof *figures, &err);
    if (status == PTS_OK)
        status = draw_curves(o, set, fits, figures, &err);
    free(figures);
    return status == PTS_OK ? CLI_DONE : cli_fail(syntax, "%s", err.message);
}
#else
static int draw_all(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                    const fitted *fits)
{
    (void)o, (void)set, (void)fits;
    return cli_fail(syntax, "built without cairo: no --plots");
}
#endif

/* ---- fits ---- */

static pts_status fit_one(const options *o, const pts_curve_points *c, fitted *out, pts_error *err)
{
    const double *y = metric_of(o, c);
    if (!o->choose)
        return pts_family_fit_points(o->only, c->n, y, c->weight, c->count, &out->fit, err);
    pts_family_choice choice;
    pts_status status = pts_family_choose(c->n, y, c->weight, c->count, o->how, &choice, err);
    out->fit = choice.fits[choice.best];
    memcpy(out->weights, choice.weight, sizeof out->weights);
    return status;
}

/* A line every other second or so, hence none for what is done by then. */
static void tell_progress(const cli_syntax *syntax, size_t done, size_t count, time_t *told)
{
    time_t now = time(NULL);
    if (now - *told < 2)
        return;
    fprintf(stderr, "%s: %zu of %zu curves\n", syntax->command, done, count);
    *told = now;
}

/* Returns how many could be fitted; the others are named on stderr. */
static size_t fit_all(const cli_syntax *syntax, const options *o, const char *path,
                      const pts_curve_set *set, fitted *fits)
{
    const pts_family_fit unfitted = {.x = {NAN, NAN, NAN, NAN},
                                     .se = {NAN, NAN, NAN, NAN},
                                     .sse = NAN,
                                     .smape = NAN,
                                     .aicc = NAN};
    size_t done = 0;
    time_t told = time(NULL);
    for (size_t i = 0; i < set->count; i++) {
        const pts_curve_points *c = &set->curves[i];
        pts_error err;
        tell_progress(syntax, i, set->count, &told);
        if (fit_one(o, c, &fits[i], &err) == PTS_OK) {
            fits[i].of_zeros =
                pts_family_smape_of_zeros(&fits[i].fit, c->n, metric_of(o, c), c->count);
            done++;
            continue;
        }
        pts_family tried = fits[i].fit.family;
        fits[i].fit = unfitted;
        fits[i].fit.family = tried;
        cli_fail(syntax, "%s: %s, class %s: %s", path, c->dataset, c->class_name, err.message);
    }
    return done;
}

static int report(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                  const fitted *fits)
{
    int code = CLI_DONE;
#ifdef PTS_HAVE_JSON
    if (o->output)
        code = write_json(syntax, o, set, fits);
    if (code == CLI_DONE && o->json)
        cli_print_json(describe_all(o, set, fits));
#else
    if (o->json || o->output)
        code = cli_fail(syntax, "built without jansson: no --json and no -o");
#endif
    if (code == CLI_DONE && o->plots)
        code = draw_all(syntax, o, set, fits);
    if (code == CLI_DONE && !o->json)
        print_table(o, set, fits);
    return code;
}

/* What a fit alone does not show: into JSON, and on stderr a line each. */
static void find_doubts(const cli_syntax *syntax, const options *o, const char *path,
                        const pts_curve_set *set, fitted *fits)
{
    cli_tell_doubts(syntax, path, set, o->metric);
    for (size_t i = 0; i < set->count; i++) {
        const pts_curve_points *c = &set->curves[i];
        pts_doubt_points(&fits[i].doubts, c, metric_of(o, c), o->metric, set->percent);
    }
}

static int fit_file(const cli_syntax *syntax, const options *o, const char *path)
{
    pts_curve_set *set;
    pts_error err;
    if (pts_curves_read(&set, path, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    cli_tell_unit(syntax, path, set);
    fitted *fits;
    int code = CLI_FAILED;
    if (pts_new(&fits, set->count, sizeof *fits, &err) != PTS_OK)
        cli_fail(syntax, "%s", err.message);
    else if (isnan(metric_of(o, &set->curves[0])[0]))
        cli_fail(syntax, "%s: no column %s", path, o->metric);
    else if (fit_all(syntax, o, path, set, fits) > 0) {
        find_doubts(syntax, o, path, set, fits);
        code = report(syntax, o, set, fits);
    }
    free(fits);
    pts_curves_destroy(set);
    return code;
}

static int check(const cli_syntax *syntax, options *o)
{
    pts_error err;
    if (strcmp(o->metric, "map") != 0 && strcmp(o->metric, "map50") != 0 &&
        strcmp(o->metric, "map75") != 0)
        return cli_wrong(syntax, "--metric: expected map, map50 or map75, got '%s'", o->metric);
    o->choose = strcmp(o->family, "aicc") == 0 || strcmp(o->family, "cv") == 0;
    o->how = strcmp(o->family, "cv") == 0 ? PTS_SELECT_CV : PTS_SELECT_AICC;
    if (!o->choose && pts_family_find(o->family, &o->only, &err) != PTS_OK)
        return cli_wrong(syntax, "--family: %s; or aicc or cv, to choose", err.message);
    return -1;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    options *o = user;
    int code = check(syntax, o);
    if (code >= 0)
        return code;
    if (operands->count != 1)
        return cli_wrong(syntax, "expected one file of curves, got %zu", operands->count);
    return fit_file(syntax, o, operands->items[0]);
}

int cmd_fit(int argc, char **argv)
{
    options o = {.family = "4pl", .metric = "map"};
    const cli_option table[] = {
        {"--family", 0, CLI_TEXT, &o.family, "F",
         "4pl (default), pow2, pow3, pow4, exp3, log2, wbl4, last1; aicc or cv: the best of them"},
        {"--metric", 0, CLI_TEXT, &o.metric, "M", "map (default), map50 or map75"},
        {"--output", 'o', CLI_TEXT, &o.output, "FILE", "write JSON here: approx_result.json"},
        {"--plots", 0, CLI_TEXT, &o.plots, "DIR",
         "two figures a curve into this folder: fit and sensitivity"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "print JSON: a list, one object a curve"},
    };
    return CLI_RUN(table, argc, argv, run, &o, "ptstrain fit",
                   "[-o approx_result.json] [--json] curves.csv|processed_result.json",
                   "ptstrain fit tests/data/curves/ptssp_curves.csv");
}
