/* ptstrain export: the store's curves as a file. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "pts/data.h"

#include <stdio.h>
#include <stdlib.h>

static int export(const cli_syntax *syntax, const char *path, const char *out,
                  const pts_store_filter *filter)
{
    pts_store *store;
    pts_error err;
    size_t points;
    if (pts_store_open(&store, path, PTS_STORE_READ, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    pts_status status = pts_store_export(store, out, filter, &points, &err);
    pts_store_close(store);
    if (status == PTS_ERR_ARGUMENT) /* another ending, or a --trainer, is wanted */
        return cli_wrong(syntax, "%s", err.message);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    fprintf(stderr, "%s: %zu points written to %s\n", syntax->command, points, out);
    return CLI_DONE;
}

int cmd_export(int argc, char **argv)
{
    const char *store = NULL, *out = NULL;
    pts_store_filter filter = {0};
    const cli_option options[] = {
        {"--store", 0, CLI_TEXT, &store, "FILE", "the store that ptstrain collect filled"},
        {"--output", 'o', CLI_TEXT, &out, "FILE", "curves.csv or processed_result.json"},
        {"--dataset", 0, CLI_TEXT, &filter.dataset, "NAME", "only this data set"},
        {"--trainer", 0, CLI_TEXT, &filter.trainer, "NAME", "only this trainer's results"},
        {"--settings", 0, CLI_TEXT, &filter.settings, "TEXT", "only results with these settings"},
    };
    const cli_syntax syntax = {"ptstrain export",
                               "--store FILE -o FILE.csv|FILE.json [--dataset NAME] "
                               "[--trainer NAME] [--settings TEXT]",
                               "ptstrain export --store runs.db -o curves.csv", options,
                               sizeof options / sizeof *options};
    cli_list operands = {calloc((size_t)argc, sizeof(char *)), 0};
    if (!operands.items)
        return cli_fail(&syntax, "out of memory");
    int code = cli_parse(&syntax, argc, argv, &operands);
    free(operands.items);
    if (code >= 0)
        return code;
    if (operands.count)
        return cli_wrong(&syntax, "expected only options, got %zu other words", operands.count);
    if (!store || !out)
        return cli_wrong(&syntax, "expected %s, got none", store ? "-o FILE" : "--store FILE");
    return export(&syntax, store, out, &filter);
}
