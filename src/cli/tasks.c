#include "cli/tasks.h"

#include "cli/defaults.h"
#include "pts/image.h"

int cli_tasks_progress(void *user, const char *stage, size_t done, size_t total)
{
    cli_progress_show(user, stage, done, total);
    return cli_stopping();
}

int cli_check_preset(const cli_syntax *syntax, const char *preset)
{
    if (!preset || pts_preset_known(preset))
        return -1;
    return cli_wrong(syntax, "--preset: expected keras, torchvision, clip or ptssp, got '%s'",
                     preset);
}

static int check(const cli_syntax *syntax, const cli_tasks *t, const cli_list *operands)
{
    const struct {
        const char *name;
        long value, least, most;
    } ranges[] = {
        {"--epochs", t->epochs, 1, 100000},
        {"--batch", t->batch, 1, 4096},
        {"--combinations", t->combinations, 1, 1000000},
        {"--seed", t->seed, 0, 0x7fffffffffffffff},
    };
    int code = cli_no_operands(syntax, operands);
    if (code >= 0)
        return code;
    if (!t->data.count)
        return cli_wrong(syntax, "--data: expected data-set folders, got none");
    if (!t->curves)
        return cli_wrong(syntax, "--curves: expected a file, got none");
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].value < ranges[i].least || ranges[i].value > ranges[i].most)
            return cli_wrong(syntax, "%s: expected %ld … %ld, got %ld", ranges[i].name,
                             ranges[i].least, ranges[i].most, ranges[i].value);
    return cli_check_preset(syntax, t->preset);
}

int cli_tasks_load(const cli_syntax *syntax, cli_tasks *t, const cli_list *operands)
{
    int code = check(syntax, t, operands);
    if (code >= 0)
        return code;
    char path[4096];
    const char *weights =
        t->encoder ? t->encoder : cli_default_file("inception_v3.ptsw", path, sizeof path);
    pts_error err;
    pts_encoder *encoder = NULL;
    cli_progress_begin(&t->bar);
    cli_stop_on_signals();
    pts_status status = pts_team_create(&t->team, (int)t->threads, &err);
    if (status == PTS_OK)
        status = pts_encoder_open(&encoder, weights, t->team, &err);
    const pts_embed_options embed = {.cache = t->cache,
                                     .preset = t->preset,
                                     .team = t->team,
                                     .progress = cli_tasks_progress,
                                     .user = &t->bar};
    if (status == PTS_OK)
        status = pts_tasks_collect(&t->tasks, t->data.items, t->data.count, t->curves, encoder,
                                   &embed, &err);
    cli_progress_end(&t->bar);
    pts_encoder_close(encoder);
    return status == PTS_OK ? -1 : cli_fail(syntax, "%s", err.message);
}

void cli_tasks_free(cli_tasks *t)
{
    pts_tasks_destroy(t->tasks);
    pts_team_destroy(t->team);
}

pts_head_options cli_tasks_head_options(const cli_tasks *t, pts_head_kind kind)
{
    pts_head_options options = PTS_HEAD_DEFAULTS;
    options.kind = kind;
    options.seed = (uint64_t)t->seed;
    options.epochs = (size_t)t->epochs;
    options.batch = (size_t)t->batch;
    options.combinations = (size_t)t->combinations;
    return options;
}
