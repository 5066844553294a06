/* ptstrain export: the store's curves as a file. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "pts/store.h"

#include <stdio.h>

typedef struct export_options {
    const char *store, *out;
    bool mean;
    pts_store_filter filter;
} export_options;

static int export(const cli_syntax *syntax, const export_options *o)
{
    pts_store *store;
    pts_error err;
    size_t points;
    if (pts_store_open(&store, o->store, PTS_STORE_READ, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    pts_status status = pts_store_export(store, o->out, &o->filter, o->mean, &points, &err);
    pts_store_close(store);
    if (status == PTS_ERR_ARGUMENT) /* another ending, or a --trainer, is wanted */
        return cli_wrong(syntax, "%s", err.message);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    fprintf(stderr, "%s: %zu points written to %s\n", syntax->command, points, o->out);
    return CLI_DONE;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    const export_options *o = user;
    int code = cli_no_operands(syntax, operands);
    if (code >= 0)
        return code;
    if (!o->store || !o->out)
        return cli_wrong(syntax, "expected %s, got none", o->store ? "-o FILE" : "--store FILE");
    return export(syntax, o);
}

int cmd_export(int argc, char **argv)
{
    export_options o = {0};
    const cli_option options[] = {
        {"--store", 0, CLI_TEXT, &o.store, "FILE", "the store that ptstrain collect filled"},
        {"--output", 'o', CLI_TEXT, &o.out, "FILE", "curves.csv or processed_result.json"},
        {"--mean", 0, CLI_FLAG, &o.mean, NULL, "one row a size: the mean of its seeds"},
        {"--dataset", 0, CLI_TEXT, &o.filter.dataset, "NAME", "only this data set"},
        {"--hash", 0, CLI_TEXT, &o.filter.hash, "DIGITS", "only where its hash begins with these"},
        {"--trainer", 0, CLI_TEXT, &o.filter.trainer, "NAME", "only this trainer's results"},
        {"--settings", 0, CLI_TEXT, &o.filter.settings, "TEXT", "only results with these settings"},
        {"--mode", 0, CLI_TEXT, &o.filter.mode, "MODE", "only fresh, incremental or base"},
    };
    const cli_syntax syntax = {
        "ptstrain export", "--store FILE -o FILE.csv|FILE.json [--mean] [OPTION …]",
        "ptstrain export --store runs.db -o curves.csv", options, sizeof options / sizeof *options};
    return cli_run(&syntax, argc, argv, run, &o);
}
