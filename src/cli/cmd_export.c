/* ptstrain export: the store's curves as a file. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/export_plots.h"
#include "pts/store.h"

#include <stdio.h>

typedef struct export_options {
    const char *store, *out, *plots;
    bool mean;
    pts_store_filter filter;
} export_options;

static int write_curves(const cli_syntax *syntax, const export_options *o, pts_store *store)
{
    pts_error err;
    size_t points;
    pts_status status = pts_store_export(store, o->out, &o->filter, o->mean, &points, &err);
    if (status == PTS_ERR_ARGUMENT) /* another ending, or a --trainer, is wanted */
        return cli_wrong(syntax, "%s", err.message);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    fprintf(stderr, "%s: %zu points written to %s\n", syntax->command, points, o->out);
    return CLI_DONE;
}

#ifdef PTS_HAVE_PLOT
static int write_plots(const cli_syntax *syntax, const export_options *o, pts_store *store)
{
    return export_plots(syntax, store, &o->filter, o->plots);
}
#else
static int write_plots(const cli_syntax *syntax, const export_options *o, pts_store *store)
{
    (void)store;
    return cli_fail(syntax, "--plots %s: built without cairo", o->plots);
}
#endif

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    const export_options *o = user;
    pts_store *store;
    pts_error err;
    int code = cli_no_operands(syntax, operands);
    if (code >= 0)
        return code;
    if (!o->store || (!o->out && !o->plots))
        return cli_wrong(syntax, "expected %s, got none",
                         o->store ? "-o FILE or --plots DIR" : "--store FILE");
    if (pts_store_open(&store, o->store, PTS_STORE_READ, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    code = o->out ? write_curves(syntax, o, store) : CLI_DONE;
    if (code == CLI_DONE && o->plots)
        code = write_plots(syntax, o, store);
    pts_store_close(store);
    return code;
}

int cmd_export(int argc, char **argv)
{
    export_options o = {0};
    const cli_option options[] = {
        {"--store", 0, CLI_TEXT, &o.store, "FILE", "the store that ptstrain collect filled"},
        {"--output", 'o', CLI_TEXT, &o.out, "FILE", "curves.csv or processed_result.json"},
        {"--plots", 0, CLI_TEXT, &o.plots, "DIR",
         "the study's figures: metrics and memory by size"},
        {"--mean", 0, CLI_FLAG, &o.mean, NULL, "one row a size: the mean of its seeds"},
        {"--dataset", 0, CLI_TEXT, &o.filter.dataset, "NAME", "only this data set"},
        {"--hash", 0, CLI_TEXT, &o.filter.hash, "DIGITS", "only where its hash begins with these"},
        {"--trainer", 0, CLI_TEXT, &o.filter.trainer, "NAME", "only this trainer's results"},
        {"--settings", 0, CLI_TEXT, &o.filter.settings, "TEXT", "only results with these settings"},
        {"--mode", 0, CLI_TEXT, &o.filter.mode, "MODE", "only fresh, incremental or base"},
    };
    return CLI_RUN(options, argc, argv, run, &o, "ptstrain export",
                   "--store FILE [-o FILE.csv|FILE.json] [--plots DIR] [OPTION …]",
                   "ptstrain export --store runs.db -o curves.csv");
}
