/* ptstrain eval: how well heads predict, by the study's protocol or leaving data sets out. */
#include "cli/commands.h"
#include "cli/tasks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct eval_options {
    cli_tasks tasks;
    const char *protocol;
    bool json;
} eval_options;

#ifdef PTS_HAVE_JSON
/* Prints the report with the options that made it. */
static int print_report(const cli_syntax *syntax, json_t *report)
{
    static const char *const skip[] = {"config", "json", "threads", "cache", NULL};
    char *text = cli_config_text(syntax, skip);
    json_t *config = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    if (!config) {
        json_decref(report);
        return cli_fail(syntax, "out of memory");
    }
    json_object_set_new(report, "config", config);
    cli_print_json(report);
    return CLI_DONE;
}
#endif

/* ---- leave one data set out ---- */

static void print_number(double value)
{
    if (isfinite(value))
        printf(" %10.4f", value);
    else
        printf(" %10s", "-");
}

/* What the table by data set shows of the methods: it would be too wide. */
static const pts_method shown[] = {PTS_METHOD_MLP, PTS_METHOD_NEIGHBOURS, PTS_METHOD_LABELLED,
                                   PTS_METHOD_MEAN_CURVE, PTS_METHOD_NEAREST};
enum { SHOWN = sizeof shown / sizeof *shown };

static void print_mae_row(const char *name, const pts_heldout *h)
{
    printf("%-24s %5zu", name, h->tasks);
    for (int m = 0; m < SHOWN; m++)
        print_number(h->score[shown[m]].mae);
    putchar('\n');
}

static void print_gain(const pts_lodo_report *r, pts_method method)
{
    printf("Gain of %s over mean_curve: %.4f +- %.4f a data set: %s.\n", pts_method_name(method),
           r->gain[method], r->gain_error[method],
           pts_gain_verdict(r->gain[method], r->gain_error[method]));
}

static void print_lodo(const pts_lodo_report *r)
{
    printf("Curve MAE of the held-out data set (mean |predicted - measured mAP| over ln n)\n");
    printf("%-24s %5s", "data set", "tasks");
    for (int m = 0; m < SHOWN; m++)
        printf(" %10s", pts_method_name(shown[m]));
    putchar('\n');
    for (size_t i = 0; i < r->count; i++)
        print_mae_row(r->heldout[i].dataset, &r->heldout[i]);
    print_mae_row("all", &r->overall);
    static const char *const columns[] = {"mae",      "gain",       "+-",         "log2_median",
                                          "within_2", "covered_50", "covered_80", "covered_95"};
    printf("\n%-16s", "all");
    for (size_t k = 0; k < sizeof columns / sizeof *columns; k++)
        printf(" %10s", columns[k]);
    putchar('\n');
    for (int m = 0; m < PTS_METHODS; m++) {
        const pts_score *s = &r->overall.score[m];
        printf("%-16s", pts_method_name((pts_method)m));
        const double values[] = {s->mae,      r->gain[m],    r->gain_error[m], r->log2_median[m],
                                 s->within_2, s->covered_50, s->covered_80,    s->covered_95};
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            print_number(values[k]);
        putchar('\n');
    }
    putchar('\n');
    print_gain(r, PTS_METHOD_MLP);
    print_gain(r, PTS_METHOD_MEAN);
    print_gain(r, PTS_METHOD_NEIGHBOURS);
    print_gain(r, PTS_METHOD_LABELLED);
    printf("Chosen on all data sets, mlp head: %zu principal components, shrinkage %g.\n",
           r->mlp_components, r->mlp_shrinkage);
    if (r->components)
        printf("Chosen on all data sets, mean head: %zu principal components, ridge %g.\n",
               r->components, r->penalty);
    else
        printf("Chosen on all data sets, mean head: one curve for all photographs.\n");
}

#ifdef PTS_HAVE_JSON
static json_t *describe_scores(const pts_heldout *h)
{
    json_t *methods = json_object();
    for (int m = 0; m < PTS_METHODS; m++) {
        const pts_score *s = &h->score[m];
        json_object_set_new(
            methods, pts_method_name((pts_method)m),
            json_pack("{so so so so so so}", "mae", pts_json_real(s->mae), "log2_ratio",
                      pts_json_real(s->log2_ratio), "within_2", pts_json_real(s->within_2),
                      "covered_80", pts_json_real(s->covered_80), "covered_50",
                      pts_json_real(s->covered_50), "covered_95", pts_json_real(s->covered_95)));
    }
    return json_pack("{ss sI so}", "dataset", h->dataset ? h->dataset : "all", "tasks",
                     (json_int_t)h->tasks, "methods", methods);
}

static json_t *json_lodo(const pts_lodo_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->count; i++)
        json_array_append_new(list, describe_scores(&r->heldout[i]));
    json_t *gain = json_object();
    for (int m = 0; m < PTS_METHODS; m++)
        if (m != PTS_METHOD_MEAN_CURVE)
            json_object_set_new(gain, pts_method_name((pts_method)m),
                                json_pack("{so so ss}", "mean", pts_json_real(r->gain[m]), "error",
                                          pts_json_real(r->gain_error[m]), "verdict",
                                          pts_gain_verdict(r->gain[m], r->gain_error[m])));
    return json_pack(
        "{ss so so so s{sI so} s{sI so}}", "protocol", "leave-one-dataset-out", "heldout", list,
        "overall", describe_scores(&r->overall), "gain_over_mean_curve", gain, "mlp_head",
        "components", (json_int_t)r->mlp_components, "shrinkage", pts_json_real(r->mlp_shrinkage),
        "mean_head", "components", (json_int_t)r->components, "penalty", pts_json_real(r->penalty));
}
#endif

static int eval_lodo(const cli_syntax *syntax, cli_tasks *t, bool json)
{
    pts_error err;
    pts_lodo_report report;
    if (pts_evaluate_lodo(&report, t->tasks, (uint64_t)t->seed, t->team, cli_tasks_progress,
                          &t->bar, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    int code = CLI_DONE;
    if (!json)
        print_lodo(&report);
#ifdef PTS_HAVE_JSON
    else
        code = print_report(syntax, json_lodo(&report));
#endif
    pts_lodo_report_free(&report);
    return code;
}

/* ---- pilot sizes, with photographs and without ---- */

static const double pilot_sizes[] = {0, 10, 20, 50, 100};
enum { PILOT_SIZES = sizeof pilot_sizes / sizeof *pilot_sizes };

static void print_pilot_row(const pts_pilot_row *r, pts_pilot_prior prior)
{
    printf("%5.0f %7zu %9zu  %-12s", r->upto, r->curves, r->datasets, pts_pilot_prior_name(prior));
    print_number(r->mae[prior]);
    print_number(r->covered_80[prior]);
    if (prior != PTS_PILOT_POPULATION) {
        print_number(r->gain[prior]);
        print_number(r->gain_error[prior]);
    }
    putchar('\n');
}

static void print_pilot(const pts_pilot_row *rows)
{
    printf("MAE of forecasts beyond the pilot sizes up to N, with priors of the other data sets;\n"
           "gain over the population prior: mean over data sets +- standard error\n");
    printf("%5s %7s %9s  %-12s %10s %10s %10s %10s\n", "N", "curves", "data sets", "prior", "mae",
           "covered_80", "gain", "+-");
    for (size_t i = 0; i < PILOT_SIZES; i++)
        for (int k = 0; k < PTS_PILOT_PRIORS && rows[i].curves > 0; k++)
            print_pilot_row(&rows[i], (pts_pilot_prior)k);
}

#ifdef PTS_HAVE_JSON
static json_t *json_pilot(const pts_pilot_row *rows)
{
    json_t *list = json_array();
    for (size_t i = 0; i < PILOT_SIZES; i++) {
        const pts_pilot_row *r = &rows[i];
        json_t *priors = json_object();
        for (int k = 0; k < PTS_PILOT_PRIORS; k++)
            json_object_set_new(priors, pts_pilot_prior_name((pts_pilot_prior)k),
                                json_pack("{so so so so}", "mae", pts_json_real(r->mae[k]),
                                          "covered_80", pts_json_real(r->covered_80[k]), "gain",
                                          pts_json_real(r->gain[k]), "gain_error",
                                          pts_json_real(r->gain_error[k])));
        json_array_append_new(list, json_pack("{so sI sI so}", "upto", pts_json_real(r->upto),
                                              "curves", (json_int_t)r->curves, "datasets",
                                              (json_int_t)r->datasets, "priors", priors));
    }
    return json_pack("{ss so}", "protocol", "pilot", "rows", list);
}
#endif

static int eval_pilot(const cli_syntax *syntax, cli_tasks *t, bool json)
{
    pts_error err;
    pts_pilot_row rows[PILOT_SIZES];
    pts_status status =
        pts_evaluate_pilot(t->tasks, pilot_sizes, PILOT_SIZES, rows, (uint64_t)t->seed, t->team,
                           cli_tasks_progress, &t->bar, &err);
    cli_progress_end(&t->bar);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
#ifdef PTS_HAVE_JSON
    if (json)
        return print_report(syntax, json_pilot(rows));
#else
    (void)json;
#endif
    print_pilot(rows);
    return CLI_DONE;
}

/* ---- the study's protocol ---- */

#ifdef PTS_HAVE_STUDY

static void print_study(const pts_study_report *r, const cli_tasks *t)
{
    printf("The study's protocol: %zu classes, test photographs unseen, curves the same\n",
           r->tasks);
    printf("epochs %zu (best %zu), samples an epoch %zu, batch %ld, test samples %zu, %.0f s\n\n",
           r->epochs, r->best_epoch, r->samples_train, t->batch, r->samples_test, r->seconds);
    printf("SMAPE, %%             A + 10     B + 10     C + 10     D + 10\n%-14s", "study head");
    for (int i = 0; i < 4; i++)
        print_number(r->smape[i]);
    printf("\n%-14s", "constant");
    for (int i = 0; i < 4; i++)
        print_number(r->smape_constant[i]);
    printf("\n\nCurve MAE over ln n: study head %.4f, mean curve of all %.4f\n", r->mae,
           r->mae_mean_curve);
}

#ifdef PTS_HAVE_JSON
static json_t *json_study(const pts_study_report *r, const cli_tasks *t)
{
    json_t *smape = json_object(), *constant = json_object();
    static const char *const names[] = {"A", "B", "C", "D"};
    for (int i = 0; i < 4; i++) {
        json_object_set_new(smape, names[i], pts_json_real(r->smape[i]));
        json_object_set_new(constant, names[i], pts_json_real(r->smape_constant[i]));
    }
    return json_pack("{ss sI sI sI sI sI sI so so so so so}", "protocol", "study", "tasks",
                     (json_int_t)r->tasks, "epochs", (json_int_t)r->epochs, "best_epoch",
                     (json_int_t)r->best_epoch, "batch", (json_int_t)t->batch, "samples_train",
                     (json_int_t)r->samples_train, "samples_test", (json_int_t)r->samples_test,
                     "seconds", pts_json_real(r->seconds), "smape", smape, "smape_constant",
                     constant, "mae", pts_json_real(r->mae), "mae_mean_curve",
                     pts_json_real(r->mae_mean_curve));
}
#endif

static int eval_study(const cli_syntax *syntax, cli_tasks *t, bool json)
{
    pts_error err;
    pts_study_report report;
    const pts_study_options options = cli_tasks_study_options(t);
    pts_status status =
        pts_evaluate_study(&report, t->tasks, &options, t->team, cli_tasks_progress, &t->bar, &err);
    cli_progress_end(&t->bar);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
#ifdef PTS_HAVE_JSON
    if (json)
        return print_report(syntax, json_study(&report, t));
#else
    (void)json;
#endif
    print_study(&report, t);
    return CLI_DONE;
}
#else
static int eval_study(const cli_syntax *syntax, cli_tasks *t, bool json)
{
    (void)t, (void)json;
    return cli_fail(syntax, "--protocol study: built without study");
}
#endif

/* ---- the command ---- */

static const struct {
    const char *name;
    int (*run)(const cli_syntax *syntax, cli_tasks *t, bool json);
    size_t least; /* data sets */
} protocols[] = {
    {"leave-one-dataset-out", eval_lodo, 3}, {"pilot", eval_pilot, 3}, {"study", eval_study, 1}};

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    eval_options *o = user;
    cli_tasks *t = &o->tasks;
    const size_t count = sizeof protocols / sizeof *protocols;
    size_t p = 0;
    while (p < count && strcmp(o->protocol, protocols[p].name) != 0)
        p++;
    if (p == count)
        return cli_wrong(syntax,
                         "--protocol: expected leave-one-dataset-out, pilot or study, got '%s'",
                         o->protocol);
#ifndef PTS_HAVE_STUDY
    if (protocols[p].run == eval_study) /* at once, not after all photographs */
        return eval_study(syntax, t, o->json);
#endif
#ifndef PTS_HAVE_JSON
    if (o->json)
        return cli_fail(syntax, "built without jansson: no --json");
#endif
    t->least = protocols[p].least;
    int code = cli_tasks_load(syntax, t, operands);
    if (code < 0)
        code = protocols[p].run(syntax, t, o->json);
    cli_tasks_free(t);
    return code;
}

int cmd_eval(int argc, char **argv)
{
    eval_options o = {.tasks = CLI_TASKS_DEFAULTS, .protocol = "leave-one-dataset-out"};
    const cli_option options[] = {
        {"--protocol", 0, CLI_TEXT, &o.protocol, "NAME",
         "leave-one-dataset-out (this one), pilot or study"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "print JSON"},
        CLI_CONFIG_OPTION(&o.tasks.config) CLI_TASKS_OPTIONS(&o.tasks),
    };
    const cli_syntax syntax = {
        "ptstrain eval",
        "--protocol leave-one-dataset-out|pilot|study --data DIR... --curves curves.csv",
        "ptstrain eval --data datasets/coins datasets/car-damage datasets/lane-track "
        "--curves curves.csv --cache cache",
        options, sizeof options / sizeof *options};
    return cli_run_config(&syntax, argc, argv, run, &o);
}
