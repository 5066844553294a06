/* ptstrain train: a head from data sets and their measured curves. */
#include "cli/commands.h"
#include "cli/tasks.h"

#include <stdio.h>
#include <string.h>

typedef struct train_options {
    cli_tasks tasks;
    const char *kind, *output, *trainer;
} train_options;

static int train(const cli_syntax *syntax, train_options *o, pts_head_kind kind)
{
    cli_tasks *t = &o->tasks;
    pts_error err;
    pts_head *head;
    pts_head_options options = cli_tasks_head_options(t, kind);
    options.trainer = o->trainer;
    pts_status status =
        pts_head_train(&head, t->tasks, &options, t->team, cli_tasks_progress, &t->bar, &err);
    cli_progress_end(&o->tasks.bar);
    if (status == PTS_OK)
        status = pts_head_write(head, o->output, &err);
    if (status == PTS_OK)
        printf("%s\n%s\n", o->output, pts_head_summary(head));
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

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    train_options *o = user;
    pts_head_kind kind;
    if (!find_kind(o->kind, &kind))
        return cli_wrong(syntax, "--head: expected mlp, mean or study, got '%s'", o->kind);
    if (!o->output)
        return cli_wrong(syntax, "-o: expected a file, got none");
    int code = cli_tasks_load(syntax, &o->tasks, operands);
    if (code < 0)
        code = train(syntax, o, kind);
    cli_tasks_free(&o->tasks);
    return code;
}

int cmd_train(int argc, char **argv)
{
    train_options o = {
        .tasks = CLI_TASKS_DEFAULTS, .kind = "mlp", .trainer = "the built-in segmenter"};
    const cli_option options[] = {
        {"--output", 'o', CLI_TEXT, &o.output, "HEAD.ptsw", "the head"},
        {"--trainer", 0, CLI_TEXT, &o.trainer, "TEXT",
         "whose curves these are (the built-in segmenter)"},
        {"--head", 0, CLI_TEXT, &o.kind, "KIND", "mlp, mean or study (mlp)"},
        CLI_TASKS_OPTIONS(&o.tasks),
    };
    const cli_syntax syntax = {
        "ptstrain train", "--data DIR... --curves curves.csv -o HEAD.ptsw",
        "ptstrain train --data datasets/coins datasets/car-damage datasets/lane-track "
        "--curves weights/curves.csv --cache cache -o head.ptsw",
        options, sizeof options / sizeof *options};
    return cli_run(&syntax, argc, argv, run, &o);
}
