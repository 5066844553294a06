/* ptstrain train: a head from data sets and their measured curves. */
#include "cli/commands.h"
#include "cli/tasks.h"

#include "base/error.h"
#include "base/memory.h"
#include "pts/file.h"
#include "pts/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct train_options {
    cli_tasks tasks;
    const char *kind, *output, *trainer, *log, *plot;
} train_options;

/* ---- what is seen of training ---- */

typedef struct watch {
    const train_options *options;
    cli_progress *bar;
    bool silent; /* another rank speaks */
    pts_study_epoch *rows;
    size_t count;
    pts_status status; /* of the log */
    pts_error err;
} watch;

static int watch_progress(void *user, const char *stage, size_t done, size_t total)
{
    watch *w = user;
    char text[96];
    if (w->silent)
        return cli_stopping();
    if (strcmp(stage, "epoch") != 0 || w->count == 0)
        return cli_tasks_progress(w->bar, stage, done, total);
    const pts_study_epoch *last = &w->rows[w->count - 1];
    snprintf(text, sizeof text, "epoch %zu, loss %.4g, validation %.4g", last->epoch, last->loss,
             last->validation);
    return cli_tasks_progress(w->bar, text, done, total) || w->status != PTS_OK;
}

/* Losses as floats, as a checkpoint has them: a log that was taken up is that of one run. */
static pts_status write_log(const watch *w, pts_error *err)
{
    pts_output out;
    pts_status status = pts_output_open(&out, w->options->log, err);
    if (status != PTS_OK)
        return status;
    fprintf(out.file, "epoch,train_loss,validation_loss,rate,seconds,best\n");
    for (size_t i = 0; i < w->count; i++) {
        const pts_study_epoch *r = &w->rows[i];
        fprintf(out.file, "%zu,%.9g,%.9g,%.9g,%.3f,%d\n", r->epoch, (double)(float)r->loss,
                (double)(float)r->validation, (double)(float)r->rate, r->seconds, r->best);
    }
    return pts_output_commit(&out, err);
}

static void watch_epoch(void *user, const pts_study_epoch *row)
{
    watch *w = user;
    pts_study_epoch *rows = realloc(w->rows, (w->count + 1) * sizeof *rows);
    if (!rows)
        return; /* a row of the log less */
    w->rows = rows;
    rows[w->count++] = *row;
    if (w->silent)
        return;
    if (!w->bar->terminal)
        cli_progress_say(w->bar, "epoch %zu: loss %.6g, validation %.6g%s", row->epoch, row->loss,
                         row->validation, row->best ? ", the best so far" : "");
    if (w->options->log && w->status == PTS_OK)
        w->status = write_log(w, &w->err);
}

#ifdef PTS_HAVE_PLOT
/* values [3·count]: epochs, training losses, validation losses. */
static pts_status draw_losses(const watch *w, double *values, pts_error *err)
{
    double *epoch = values, *loss = epoch + w->count, *validation = loss + w->count, most = 0;
    for (size_t i = 0; i < w->count; i++) {
        epoch[i] = (double)w->rows[i].epoch;
        loss[i] = w->rows[i].loss;
        validation[i] = w->rows[i].validation;
        most = fmax(most, fmax(loss[i], validation[i]));
    }
    const pts_plot_series points = {"validation", epoch, validation, w->count};
    const pts_plot plot = {.title = "Losses of the study's network",
                           .curve_label = "training",
                           .n = epoch,
                           .y = loss,
                           .count = w->count,
                           .series = &points,
                           .series_count = 1,
                           .tight = 1,
                           .y_limit = most > 0 ? most : 1,
                           .n_title = "epoch",
                           .y_title = "loss"};
    return pts_plot_write(w->options->plot, &plot, err);
}

static pts_status plot_losses(const watch *w, pts_error *err)
{
    if (w->count < 2) {
        cli_progress_say(w->bar, "%s: a figure of losses needs two epochs, got %zu: not drawn",
                         w->options->plot, w->count);
        return PTS_OK;
    }
    double *values;
    PTS_TRY(pts_new(&values, w->count, 3 * sizeof *values, err));
    pts_status status = draw_losses(w, values, err);
    free(values);
    return status;
}
#endif

/* ---- training ---- */

static pts_status train_study(const train_options *o, const pts_study_options *options, watch *w,
                              pts_head **head, pts_error *err)
{
#ifdef PTS_HAVE_STUDY
    return pts_study_head_train(head, o->tasks.tasks, options, o->tasks.team, watch_progress, w,
                                err);
#else
    (void)o, (void)options, (void)w, (void)head; /* check() has refused it */
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "built without study");
#endif
}

static pts_status train_head(train_options *o, pts_head_kind kind, const char *config, watch *w,
                             pts_head **head, pts_error *err)
{
    cli_tasks *t = &o->tasks;
    pts_status status;
    if (kind == PTS_HEAD_STUDY) {
        pts_study_options options = cli_tasks_study_options(t);
        options.trainer = o->trainer;
        options.epoch = watch_epoch;
        options.config = config;
        status = train_study(o, &options, w, head, err);
    } else {
        const pts_head_options options = {kind, (uint64_t)t->seed, o->trainer, config};
        status = pts_head_train(head, t->tasks, &options, t->team, watch_progress, w, err);
    }
    cli_progress_end(&t->bar);
    if (w->status == PTS_OK)
        return status;
    *err = w->err;
    return w->status;
}

/* What is left behind, by the rank that speaks. */
static pts_status write_all(const train_options *o, const pts_head *head, const watch *w,
                            pts_error *err)
{
    PTS_TRY(pts_head_write(head, o->output, err));
#ifdef PTS_HAVE_PLOT
    if (o->plot)
        PTS_TRY(plot_losses(w, err));
#else
    (void)w;
#endif
    printf("%s\n%s\n", o->output, pts_head_summary(head));
    return PTS_OK;
}

static int train(const cli_syntax *syntax, train_options *o, pts_head_kind kind)
{
    pts_error err;
    pts_head *head = NULL;
    watch w = {.options = o, .bar = &o->tasks.bar, .silent = pts_ranks_rank(o->tasks.ranks) > 0};
    char *config = NULL;
#ifdef PTS_HAVE_JSON
    /* What changes where results go or how soon they come, not what they are. */
    static const char *const skip[] = {"output",     "log",    "config", "threads", "cache",
                                       "checkpoint", "resume", "plot",   NULL};
    config = cli_config_text(syntax, skip);
#endif
    pts_status status = train_head(o, kind, config, &w, &head, &err);
    if (status == PTS_OK && !w.silent)
        status = write_all(o, head, &w, &err);
    pts_head_close(head);
    free(config);
    free(w.rows);
    if (status == PTS_ERR_CANCELLED && kind == PTS_HEAD_STUDY && o->tasks.checkpoint)
        return cli_fail(syntax, "%s; --resume goes on", err.message);
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

static int check(const cli_syntax *syntax, const train_options *o, pts_head_kind *kind)
{
    if (o->plot && !pts_path_ends(o->plot, ".svg") && !pts_path_ends(o->plot, ".png"))
        return cli_wrong(syntax, "--plot: expected NAME.svg or NAME.png, got '%s'", o->plot);
    if (!find_kind(o->kind, kind))
        return cli_wrong(syntax, "--head: expected mlp, mean or study, got '%s'", o->kind);
    if (!o->output)
        return cli_wrong(syntax, "-o: expected a file, got none");
#ifndef PTS_HAVE_STUDY
    if (*kind == PTS_HEAD_STUDY)
        return cli_fail(syntax, "--head study: built without study");
#endif
    if (*kind == PTS_HEAD_STUDY)
        return -1;
    const char *of_study = o->log                ? "--log"
                           : o->plot             ? "--plot"
                           : o->tasks.checkpoint ? "--checkpoint"
                                                 : NULL;
    if (of_study || cli_under_mpirun())
        return cli_wrong(syntax, "%s: expected --head study, got %s",
                         of_study ? of_study : "under mpirun", o->kind);
    return -1;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    train_options *o = user;
    pts_head_kind kind = PTS_HEAD_STUDY;
    pts_error err;
    int code = check(syntax, o, &kind);
    if (code >= 0)
        return code;
    o->tasks.least = kind == PTS_HEAD_STUDY ? 1 : 3;
    if (cli_under_mpirun() && pts_ranks_start(&o->tasks.ranks, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    code = cli_tasks_load(syntax, &o->tasks, operands);
    if (code < 0)
        code = train(syntax, o, kind);
    cli_tasks_free(&o->tasks);
    if (code == CLI_DONE) /* else without a farewell: mpirun ends the other ranks */
        pts_ranks_finish(o->tasks.ranks);
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
        {"--log", 0, CLI_TEXT, &o.log, "loss.csv", "losses of the study's network, an epoch a row"},
#ifdef PTS_HAVE_PLOT
        {"--plot", 0, CLI_TEXT, &o.plot, "loss.svg", "the same as a figure, .svg or .png"},
#endif
        CLI_CONFIG_OPTION(&o.tasks.config) CLI_TASKS_OPTIONS(&o.tasks),
    };
    const cli_syntax syntax = {
        "ptstrain train", "--data DIR... --curves curves.csv -o HEAD.ptsw",
        "ptstrain train --data datasets/coins datasets/car-damage datasets/lane-track "
        "--curves curves.csv --cache cache -o head.ptsw",
        options, sizeof options / sizeof *options};
    return cli_run_config(&syntax, argc, argv, run, &o);
}
