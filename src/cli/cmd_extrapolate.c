/* ptstrain extrapolate: how well each method forecasts a curve from its small sizes. */
#include "cli/cli.h"
#include "cli/commands.h"

#include "pts/curve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *method;
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
                                                "--method: expected map, 4pl, pow4, last1 or all, "
                                                "got '%s'",
                                                o->method);
}

/* Means over the curves that have a score; NAN where none has. */
static pts_forecast_score mean(const pts_forecast_score *scores, size_t count)
{
    pts_forecast_score sum = {0};
    size_t mae = 0, ratio = 0, covered = 0;
    for (size_t i = 0; i < count; i++) {
        const pts_forecast_score *s = &scores[i];
        if (isfinite(s->mae)) {
            sum.mae += s->mae;
            mae++;
        }
        if (isfinite(s->log2_ratio)) {
            sum.log2_ratio += s->log2_ratio;
            ratio++;
        }
        if (isfinite(s->covered_80)) {
            sum.covered_80 += s->covered_80;
            covered++;
        }
    }
    sum.mae = mae ? sum.mae / (double)mae : NAN;
    sum.log2_ratio = ratio ? sum.log2_ratio / (double)ratio : NAN;
    sum.covered_80 = covered ? sum.covered_80 / (double)covered : NAN;
    return sum;
}

#ifdef PTS_HAVE_JSON
static json_t *describe(const options *o, int method, const pts_curve_set *set,
                        const pts_forecast_score *scores)
{
    json_t *list = json_array();
    for (size_t i = 0; i < set->count; i++)
        json_array_append_new(
            list, json_pack("{so so sI so so so}", "dataset", cli_json_text(set->curves[i].dataset),
                            "class", cli_json_text(set->curves[i].class_name), "points",
                            (json_int_t)scores[i].points, "mae", cli_json_real(scores[i].mae),
                            "log2_ratio", cli_json_real(scores[i].log2_ratio), "covered_80",
                            cli_json_real(scores[i].covered_80)));
    return json_pack("{sI ss so so}", "upto", (json_int_t)o->upto, "method",
                     pts_forecast_name((pts_forecast)method), "mean_mae",
                     cli_json_real(mean(scores, set->count).mae), "curves", list);
}

static int run_json(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                    pts_forecast_score *scores)
{
    pts_error err;
    json_t *all = json_array();
    for (int method = o->first; method < o->end; method++) {
        if (pts_extrapolate(set, (double)o->upto, (pts_forecast)method, scores, &err) != PTS_OK) {
            json_decref(all);
            return cli_fail(syntax, "%s", err.message);
        }
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

static void print_row(const char *dataset, const char *class_name, const pts_forecast_score *s)
{
    const double values[] = {s->mae, s->log2_ratio, s->covered_80};
    printf("%-28s %-8s", dataset, class_name);
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        if (isfinite(values[k]))
            printf(" %10.3f", values[k]);
        else
            printf(" %10s", "-");
    }
    putchar('\n');
}

static void print_table(const options *o, int method, const pts_curve_set *set,
                        const pts_forecast_score *scores)
{
    pts_forecast_score total = mean(scores, set->count);
    printf("%s, pilot sizes up to %ld\n%-28s %-8s %10s %10s %10s\n",
           pts_forecast_name((pts_forecast)method), o->upto, "dataset", "class", "mae",
           "log2_ratio", "covered_80");
    for (size_t i = 0; i < set->count; i++)
        print_row(set->curves[i].dataset, set->curves[i].class_name, &scores[i]);
    print_row("mean", "", &total);
}

static int run_text(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                    pts_forecast_score *scores)
{
    pts_error err;
    for (int method = o->first; method < o->end; method++) {
        if (pts_extrapolate(set, (double)o->upto, (pts_forecast)method, scores, &err) != PTS_OK)
            return cli_fail(syntax, "%s", err.message);
        print_table(o, method, set, scores);
    }
    return CLI_DONE;
}

static int extrapolate_file(const cli_syntax *syntax, const options *o, const char *path)
{
    pts_curve_set *set;
    pts_error err;
    if (pts_curves_read(&set, path, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    if (set->percent)
        fprintf(stderr, "%s: %s: mAP taken for percent\n", syntax->command, path);
    pts_forecast_score *scores = calloc(set->count, sizeof *scores);
    int code = CLI_FAILED;
    if (!scores)
        cli_fail(syntax, "out of memory");
    else
        code = (o->json ? run_json : run_text)(syntax, o, set, scores);
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
        {"--method", 0, CLI_TEXT, &o.method, "M", "map (default), 4pl, pow4, last1 or all"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "print JSON (a list with --method all)"},
    };
    const cli_syntax syntax = {"ptstrain extrapolate",
                               "--upto N [--method map|4pl|pow4|last1|all] [--json] curves.csv",
                               "ptstrain extrapolate --upto 100 tests/data/curves/ptssp_curves.csv",
                               table, sizeof table / sizeof *table};
    return cli_run(&syntax, argc, argv, run, &o);
}
