/* ptstrain fit: measured curves to the four parameters of each. */
#include "cli/cli.h"
#include "cli/commands.h"

#include "pts/curve.h"
#include "pts/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct options {
    const char *output;
    bool json;
} options;

#ifdef PTS_HAVE_JSON
static json_t *describe(const pts_curve_points *c, const pts_fit *f)
{
    if (f->points == 0)
        return json_pack("{so so sI sn sn sn sn s[nnnn] sn sn ss}", "dataset",
                         cli_json_text(c->dataset), "class", cli_json_text(c->class_name), "points",
                         (json_int_t)c->count, "A", "B", "C", "D", "se", "sse", "smape", "status",
                         "too_few_sizes");
    return json_pack(
        "{so so sI so so so so s[oooo] so so ss}", "dataset", cli_json_text(c->dataset), "class",
        cli_json_text(c->class_name), "points", (json_int_t)c->count, "A",
        cli_json_real(f->curve.A), "B", cli_json_real(f->curve.B), "C", cli_json_real(f->curve.C),
        "D", cli_json_real(f->curve.D), "se", cli_json_real(f->se[0]), cli_json_real(f->se[1]),
        cli_json_real(f->se[2]), cli_json_real(f->se[3]), "sse", cli_json_real(f->sse), "smape",
        cli_json_real(f->smape), "status", pts_fit_status_text(f->status));
}

static json_t *describe_all(const pts_curve_set *set, const pts_fit *fits)
{
    json_t *list = json_array();
    for (size_t i = 0; i < set->count; i++)
        json_array_append_new(list, describe(&set->curves[i], &fits[i]));
    return list;
}

static int write_json(const cli_syntax *syntax, const char *path, const pts_curve_set *set,
                      const pts_fit *fits)
{
    pts_output out;
    pts_error err;
    if (pts_output_open(&out, path, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    json_t *list = describe_all(set, fits);
    json_dumpf(list, out.file, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(list);
    fputc('\n', out.file);
    if (pts_output_commit(&out, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    return CLI_DONE;
}
#endif

static void print_table(const pts_curve_set *set, const pts_fit *fits)
{
    printf("%-28s %-8s %6s %9s %9s %10s %9s %9s %7s  %s\n", "dataset", "class", "points", "A", "B",
           "C", "D", "sse", "smape", "status");
    for (size_t i = 0; i < set->count; i++) {
        const pts_curve_points *c = &set->curves[i];
        const pts_fit *f = &fits[i];
        printf("%-28s %-8s %6zu ", c->dataset, c->class_name, c->count);
        if (f->points == 0)
            printf("%9s %9s %10s %9s %9s %7s  too_few_sizes\n", "-", "-", "-", "-", "-", "-");
        else
            printf("%9.4f %9.4f %10.4f %9.4f %9.6f %7.2f  %s\n", f->curve.A, f->curve.B, f->curve.C,
                   f->curve.D, f->sse, f->smape, pts_fit_status_text(f->status));
    }
}

/* Returns how many could be fitted; the others are named on stderr. */
static size_t fit_all(const cli_syntax *syntax, const pts_curve_set *set, pts_fit *fits)
{
    size_t fitted = 0;
    for (size_t i = 0; i < set->count; i++) {
        const pts_curve_points *c = &set->curves[i];
        pts_error err;
        if (pts_curve_fit(c->n, c->map, c->count, &fits[i], &err) == PTS_OK) {
            fitted++;
            continue;
        }
        fits[i].points = 0;
        cli_fail(syntax, "%s, class %s: %s", c->dataset, c->class_name, err.message);
    }
    return fitted;
}

static int answer(const cli_syntax *syntax, const options *o, const pts_curve_set *set,
                  const pts_fit *fits)
{
    int code = CLI_DONE;
#ifdef PTS_HAVE_JSON
    if (o->output)
        code = write_json(syntax, o->output, set, fits);
    if (code == CLI_DONE && o->json)
        cli_print_json(describe_all(set, fits));
#else
    if (o->json || o->output)
        code = cli_fail(syntax, "built without jansson: no --json and no -o");
#endif
    if (code == CLI_DONE && !o->json)
        print_table(set, fits);
    return code;
}

static int fit_file(const cli_syntax *syntax, const options *o, const char *path)
{
    pts_curve_set *set;
    pts_error err;
    if (pts_curves_read(&set, path, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    if (set->percent)
        fprintf(stderr, "%s: %s: mAP taken for percent\n", syntax->command, path);
    pts_fit *fits = calloc(set->count, sizeof *fits);
    int code = CLI_FAILED;
    if (!fits)
        cli_fail(syntax, "out of memory");
    else if (fit_all(syntax, set, fits) > 0)
        code = answer(syntax, o, set, fits);
    free(fits);
    pts_curves_destroy(set);
    return code;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    if (operands->count != 1)
        return cli_wrong(syntax, "expected one file of curves, got %zu", operands->count);
    return fit_file(syntax, user, operands->items[0]);
}

int cmd_fit(int argc, char **argv)
{
    options o = {0};
    const cli_option table[] = {
        {"--output", 'o', CLI_TEXT, &o.output, "FILE", "write JSON here: approx_result.json"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "print JSON: a list, one object a curve"},
    };
    const cli_syntax syntax = {
        "ptstrain fit", "[-o approx_result.json] [--json] curves.csv|processed_result.json",
        "ptstrain fit tests/data/curves/ptssp_curves.csv", table, sizeof table / sizeof *table};
    return cli_run(&syntax, argc, argv, run, &o);
}
