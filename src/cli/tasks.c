#include "cli/tasks.h"

#include "cli/defaults.h"
#include "base/memory.h"
#include "pts/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The place of `name` in names [count]; -1: none. */
static int find(const char *name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

/* By pts_mlp_rule and pts_mlp_decay. */
static const char *const rules[] = {"adam", "adamw", "sgd"};
static const char *const schedules[] = {"constant", "cosine", "steps"};

static int check_names(const cli_syntax *syntax, const cli_tasks *t)
{
    if (find(t->rule, rules, 3) < 0)
        return cli_wrong(syntax, "--optimizer: expected adam, adamw or sgd, got '%s'", t->rule);
    if (find(t->schedule, schedules, 3) < 0)
        return cli_wrong(syntax, "--schedule: expected constant, cosine or steps, got '%s'",
                         t->schedule);
    if (t->resume && !t->checkpoint)
        return cli_wrong(syntax, "--resume: expected --checkpoint FILE, got none");
#ifndef PTS_HAVE_STUDY
    if (t->masks)
        return cli_fail(syntax, "--masks: built without study");
#endif
    return cli_check_preset(syntax, t->preset);
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
        {"--patience", t->patience, 0, 100000},
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
    return check_names(syntax, t);
}

/* All ranks come here before one goes on: a gather of nothing. */
static pts_status meet(pts_ranks *ranks, pts_error *err)
{
    const size_t count = (size_t)pts_ranks_count(ranks);
    size_t *begin;
    char nothing = 0;
    PTS_TRY(pts_new(&begin, count + 1, sizeof *begin, err));
    pts_status status = pts_ranks_gather(ranks, &nothing, begin, err);
    free(begin);
    return status;
}

/* With one cache it would be wasteful for all ranks to fill it at once: the first goes ahead. */
static pts_status collect(cli_tasks *t, pts_encoder *encoder, const pts_embed_options *embed,
                          pts_error *err)
{
    pts_status status = PTS_OK;
    if (pts_ranks_rank(t->ranks) > 0)
        status = meet(t->ranks, err);
    if (status == PTS_OK)
        status = pts_tasks_collect(&t->tasks, t->data.items, t->data.count, t->curves, encoder,
                                   embed, err);
    if (status == PTS_OK && t->ranks && pts_ranks_rank(t->ranks) == 0)
        status = meet(t->ranks, err);
    return status;
}

int cli_tasks_load(const cli_syntax *syntax, cli_tasks *t, const cli_list *operands)
{
    int code = check(syntax, t, operands);
    if (code >= 0)
        return code;
    char path[4096];
    const char *weights = cli_default_encoder(t->encoder, path, sizeof path);
    pts_error err;
    pts_encoder *encoder = NULL;
    if (t->data.count < t->least)
        return cli_fail(syntax,
                        "curves: expected at least %zu data sets (one is predicted from the "
                        "others), got %zu",
                        t->least, t->data.count);
    cli_progress_begin(&t->bar);
    cli_stop_on_signals();
    pts_status status = pts_team_create(&t->team, (int)t->threads, &err);
    if (status == PTS_OK)
        status = pts_encoder_open(&encoder, weights, t->team, &err);
    const pts_embed_options embed = {.cache = t->cache,
                                     .preset = t->preset,
                                     .masks = t->masks,
                                     .team = t->team,
                                     .progress = cli_tasks_progress,
                                     .user = &t->bar};
    if (status == PTS_OK)
        status = collect(t, encoder, &embed, &err);
    cli_progress_end(&t->bar);
    pts_encoder_close(encoder);
    return status == PTS_OK ? -1 : cli_fail(syntax, "%s", err.message);
}

void cli_tasks_free(cli_tasks *t)
{
    pts_tasks_destroy(t->tasks);
    pts_team_destroy(t->team);
}

static pts_status gather_ranks(void *user, void *data, const size_t *begin, pts_error *err)
{
    return pts_ranks_gather(user, data, begin, err);
}

pts_study_options cli_tasks_study_options(cli_tasks *t)
{
    pts_study_options options = PTS_STUDY_DEFAULTS;
    options.seed = (uint64_t)t->seed;
    options.epochs = (size_t)t->epochs;
    options.batch = (size_t)t->batch;
    options.combinations = (size_t)t->combinations;
    options.rate = t->rate;
    options.rule = (pts_mlp_rule)find(t->rule, rules, 3);
    options.schedule = (pts_mlp_decay)find(t->schedule, schedules, 3);
    options.momentum = t->momentum;
    options.weight_decay = t->weight_decay;
    options.clip = t->clip;
    options.huber = t->huber;
    options.dropout = t->dropout;
    options.patience = (size_t)t->patience;
    options.checkpoint = t->checkpoint;
    /* The command that begins a training is the one that goes on with it. */
    options.resume = t->resume && (access(t->checkpoint, F_OK) == 0 || errno != ENOENT);
    t->peers =
        (pts_peers){pts_ranks_rank(t->ranks), pts_ranks_count(t->ranks), gather_ranks, t->ranks};
    options.peers = t->ranks ? &t->peers : NULL;
    return options;
}
