/* ptstrain extrapolate: how well each method forecasts a curve from its small sizes. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/doubts.h"
#include "base/memory.h"

#include "pts/curve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct options {
    const char *method, *path;
    long upto;
    bool json;
    int first, end; /* methods */
} options;

static int read_method(const cli_syntax *syntax, options *o)
{
    o->first = 0;
    o->end = PTS_FORECASTS;
    if (strcmp(o->method, "all") == 0)
        return -1;
    while (o->first < PTS_FORECASTS &&
           strcmp(o->method, pts_forecast_name((pts_forecast)o->first)) != 0)
        o->first++;
    o->end = o->first + 1;
    return o->first < PTS_FORECASTS ? -1
                                    : cli_wrong(syntax,
                                                "--method: expected map, 4pl, pow2, pow3, pow4, "
                                                "exp3, log2, wbl4, last1, average or all, got '%s'",
                                                o->method);
}

/* ---- the work ---- */

typedef struct telling {
    const cli_syntax *syntax;
    time_t told;
} telling;

/* A line every other second or so, hence none for what is done by then. */
static int tell_progress(void *user, const char *stage, size_t done, size_t total)
{
    telling *to = user;
    time_t now = time(NULL);
    if (now - to->told < 2)
        return 0;
    fprintf(stderr, "%s: %s: %zu of %zu curves\n", to->syntax->command, stage, done, total);
    to->told = now;
    return 0;
}

/* Negative, or an exit code. Beside other methods the prior's may be left out. */
static int evaluate(const cli_syntax *syntax, const options *o, int method,
                    const pts_curve_set *set, pts_forecast_score *scores)
{
    telling to = {syntax, time(NULL)};
    pts_error err;
    pts_status status = pts_extrapolate(set, (double)o->upto, (pts_forecast)method, tell_progress,
                                        &to, scores, &err);
    if (status == PTS_OK)
        return -1;
    cli_fail(syntax, "%s: %s: %s", o->path, pts_forecast_name((pts_forecast)method), err.message);
    if (status != PTS_ERR_SHAPE || o->end - o->first == 1)
        return CLI_FAILED;
    for (size_t i = 0; i < set->count; i++)
        scores[i] = (pts_forecast_score){0, 0, NAN, NAN, NAN, NAN, NAN, NAN};
    return -1;
}

/* stderr: that the one method asked for says nothing; in a table of all the zeros show. */
static void tell_unscored(const cli_syntax *syntax, const options *o, int method,
                          const pts_forecast_score *scores, size_t count)
{
    size_t short_ones = 0, ended = 0;
    for (size_t i = 0; i < count; i++) {
        ended += !isfinite(scores[i].mae) && scores[i].ahead == 0;
        short_ones += !isfinite(scores[i].mae) && scores[i].ahead > 0;
    }
    if (ended + short_ones == count && o->end - o->first == 1)
        fprintf(stderr,
                "%s: %s: %s: no curve could be scored (too few sizes up to %ld: %zu; none beyond: "
                "%zu)\n",
                syntax->command, o->path, pts_forecast_name((pts_forecast)method), o->upto,
                short_ones, ended);
}

/* ---- output ---- */

enum { MEASURES = 6 };
static const char *const measure_names[MEASURES] = {"mae",        "log2_ratio", "within_2",
                                                    "covered_50", "covered_80", "covered_95"};

static double measure(const pts_forecast_score *s, size_t k)
{
    const double values[MEASURES] = {s->mae,        s->log2_ratio, s->within_2,
                                     s->covered_50, s->covered_80, s->covered_95};
    return values[k];
}

/* Mean over the curves that have a score; NAN where none has. */
static double mean(const pts_forecast_score *scores, size_t count, size_t k)
{
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(measure(&scores[i], k))) {
            sum += measure(&scores[i], k);
            known++;
        }
    }
    return known ? sum / (double)known : NAN;
}

#ifdef PTS_HAVE_JSON
/* Of a curve without a score. */
static void doubt_score(pts_doubts *to, const options *o, const pts_forecast_score *s)
{
    if (isfinite(s->mae))
        return;
    if (s->ahead == 0 && s->points > 0)
        pts_doubt(to, "no size beyond %ld", o->upto);
    else
        pts_doubt(to, "too few sizes up to %ld", o->upto);
}

static json_t *describe(const options *o, int method, const pts_curve_set *set,
                        const pts_forecast_score *scores)
{
    json_t *list = json_array();
    for (size_t i = 0; i < set->count; i++) {
        json_t *curve = json_pack("{so so sI}", "dataset", pts_json_text(set->curves[i].dataset),
                                  "class", pts_json_text(set->curves[i].class_name), "points",
                                  (json_int_t)scores[i].points);
        for (size_t k = 0; k < MEASURES; k++)
            json_object_set_new(curve, measure_names[k], pts_json_real(measure(&scores[i], k)));
        pts_doubts doubts = {.count = 0};
        pts_doubt_points(&doubts, &set->curves[i], set->curves[i].map, "map", set->percent);
        doubt_score(&doubts, o, &scores[i]);
        cli_json_add_doubts(curve, &doubts);
        json_array_append_new(list, curve);
    }
    json_t *out = json_pack("{sI ss}", "upto", (json_int_t)o->upto, "method",
                            pts_forecast_name((pts_forecast)method));
    for (size_t k = 0; k < MEASURES; k++) {
        char name[32];
        snprintf(name, sizeof name, "mean_%s", measure_names[k]);
        json_object_set_new(out, name, pts_json_real(mean(scores, set->count, k)));
    }
    json_object_set_new(out, "curves", list);
    return out;
}

static int run_json(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                    pts_forecast_score *scores)
{
    json_t *all = json_array();
    for (int method = o->first; method < o->end; method++) {
        int code = evaluate(syntax, o, method, set, scores);
        if (code >= 0) {
            json_decref(all);
            return code;
        }
        tell_unscored(syntax, o, method, scores, set->count);
        json_array_append_new(all, describe(o, method, set, scores));
    }
    bool one = json_array_size(all) == 1;
    cli_print_json(json_incref(one ? json_array_get(all, 0) : all));
    json_decref(all);
    return CLI_DONE;
}
#else
static int run_json(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                    pts_forecast_score *scores)
{
    (void)o, (void)set, (void)scores;
    return cli_fail(syntax, "built without jansson: no --json");
}
#endif

static void print_number(double value)
{
    if (isfinite(value))
        printf(" %10.3f", value);
    else
        printf(" %10s", "-");
}

static void print_heading(const char *first, const char *second)
{
    printf("%-28s %-8s", first, second);
    for (size_t k = 0; k < MEASURES; k++)
        printf(" %10s", measure_names[k]);
    putchar('\n');
}

static void print_table(const options *o, int method, const pts_curve_set *set,
                        const pts_forecast_score *scores)
{
    printf("%s, pilot sizes up to %ld\n", pts_forecast_name((pts_forecast)method), o->upto);
    print_heading("dataset", "class");
    for (size_t i = 0; i < set->count; i++) {
        printf("%-28s %-8s", set->curves[i].dataset, set->curves[i].class_name);
        for (size_t k = 0; k < MEASURES; k++)
            print_number(measure(&scores[i], k));
        putchar('\n');
    }
}

static void print_mean(const char *name, const pts_forecast_score *scores, size_t count)
{
    size_t scored = 0;
    for (size_t i = 0; i < count; i++)
        scored += isfinite(scores[i].mae);
    printf("%-28s %-8zu", name, scored);
    for (size_t k = 0; k < MEASURES; k++)
        print_number(mean(scores, count, k));
    putchar('\n');
}

static int run_text(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                    pts_forecast_score *scores)
{
    for (int method = o->first; method < o->end; method++) {
        int code = evaluate(syntax, o, method, set, scores);
        if (code >= 0)
            return code;
        tell_unscored(syntax, o, method, scores, set->count);
        if (o->end - o->first == 1)
            print_table(o, method, set, scores);
        else if (method == o->first)
            print_heading("method", "curves");
        print_mean(o->end - o->first == 1 ? "mean" : pts_forecast_name((pts_forecast)method),
                   scores, set->count);
    }
    return CLI_DONE;
}

static int extrapolate_file(const cli_syntax *syntax, options *o, const char *path)
{
    o->path = path;
    pts_curve_set *set;
    pts_error err;
    if (pts_curves_read(&set, path, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    cli_tell_unit(syntax, path, set);
    cli_tell_doubts(syntax, path, set, "map");
    pts_forecast_score *scores;
    int code = pts_new(&scores, set->count, sizeof *scores, &err) == PTS_OK
                   ? (o->json ? run_json : run_text)(syntax, o, set, scores)
                   : cli_fail(syntax, "%s", err.message);
    free(scores);
    pts_curves_destroy(set);
    return code;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    options *o = user;
    if (o->upto < 0)
        return cli_wrong(syntax, "expected --upto N, a number of images");
    int code = read_method(syntax, o);
    if (code >= 0)
        return code;
    if (operands->count != 1)
        return cli_wrong(syntax, "expected one file of curves, got %zu", operands->count);
    return extrapolate_file(syntax, o, operands->items[0]);
}

int cmd_extrapolate(int argc, char **argv)
{
    options o = {.method = "map", .upto = -1};
    const cli_option table[] = {
        {"--upto", 0, CLI_INTEGER, &o.upto, "N", "forecast from the sizes up to N"},
        {"--method", 0, CLI_TEXT, &o.method, "M",
         "map (default), a family (4pl, pow4, last1 …), average or all"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "print JSON (a list with --method all)"},
    };
    return CLI_RUN(table, argc, argv, run, &o, "ptstrain extrapolate",
                   "--upto N [--method map|FAMILY|average|all] [--json] curves.csv",
                   "ptstrain extrapolate --upto 100 tests/data/curves/ptssp_curves.csv");
}
