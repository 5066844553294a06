/* ptstrain train: a head from data sets and their measured curves. */
#include "cli/commands.h"
#include "cli/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int train(const cli_syntax *syntax, const cli_tasks *t, pts_head_kind kind,
                 const char *output)
{
    pts_error err;
    pts_head *head;
    pts_head_options options = cli_tasks_head_options(t, kind);
    pts_status status =
        pts_head_train(&head, t->tasks, &options, t->team, cli_tasks_progress, NULL, &err);
    if (status == PTS_OK)
        status = pts_head_write(head, output, &err);
    if (status == PTS_OK)
        printf("%s\n%s\n", output, pts_head_summary(head));
    pts_head_close(head);
    return status == PTS_OK ? CLI_DONE : cli_fail(syntax, "%s", err.message);
}

static bool find_kind(const char *name, pts_head_kind *kind)
{
    static const pts_head_kind kinds[] = {PTS_HEAD_MLP, PTS_HEAD_MEAN, PTS_HEAD_STUDY};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, pts_head_kind_name(kinds[i])) == 0) {
            *kind = kinds[i];
            return true;
        }
    return false;
}

static int run(const cli_syntax *syntax, cli_tasks *t, const char *kind, const char *output,
               const cli_list *operands)
{
    pts_head_kind number;
    if (!find_kind(kind, &number))
        return cli_wrong(syntax, "--head: expected mlp, mean or study, got '%s'", kind);
    if (!output)
        return cli_wrong(syntax, "-o: expected a file, got none");
    int code = cli_tasks_load(syntax, t, operands);
    return code >= 0 ? code : train(syntax, t, number, output);
}

int cmd_train(int argc, char **argv)
{
    cli_tasks t;
    const char *kind = "mlp", *output = NULL;
    const cli_option options[] = {
        {"--output", 'o', CLI_TEXT, &output, "HEAD.ptsw", "the head"},
        {"--head", 0, CLI_TEXT, &kind, "KIND", "mlp, mean or study (mlp)"},
        CLI_TASKS_OPTIONS(&t),
    };
    const cli_syntax syntax = {
        "ptstrain train", "--data DIR... --curves curves.csv -o HEAD.ptsw",
        "ptstrain train --data datasets/coins datasets/car-damage datasets/lane-track "
        "--curves weights/curves.csv --cache cache -o head.ptsw",
        options, sizeof options / sizeof *options};
    cli_list operands = {calloc((size_t)argc + 1, sizeof(char *)), 0};
    int code;
    if (!cli_tasks_init(&t, argc) || !operands.items)
        code = cli_fail(&syntax, "out of memory");
    else
        code = cli_parse(&syntax, argc, argv, &operands);
    if (code < 0)
        code = run(&syntax, &t, kind, output, &operands);
    cli_tasks_free(&t);
    free(operands.items);
    return code;
}
