/* ptstrain collect: measures learning curves of data sets with a trainer. */
#include "base/error.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/defaults.h"
#include "cli/progress.h"

#include "pts/collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct collect_flags {
    cli_list data;
    const char *store, *trainer, *encoder, *mode, *jobs;
    double keep, piece, threshold, time_limit;
    long side, seed, seeds, min_images, window, retries, threads;
    bool resume, strict, study;
    pts_collect_options options;
    char piece_sizes[64];
    const char *command_line;
} collect_flags;

/* ---- what happens, in words ---- */

typedef struct teller {
    cli_progress bar;
    size_t over, jobs; /* of them all */
    bool worked;       /* on the job in hand: it was not there before */
} teller;

static void say_point(cli_progress *bar, const pts_collect_event *e)
{
    const pts_store_point *p = e->point;
    cli_progress_say(bar,
                     "%s: %s: n %zu  mAP %.3f  mAP50 %.3f  mAP75 %.3f  (seed %llu, %.1f s%s%s)",
                     e->dataset, e->class_name, e->n, p->map, p->map50, p->map75,
                     (unsigned long long)e->seed, p->seconds, *p->kind ? ", " : "", p->kind);
}

static void say_job(cli_progress *bar, const pts_collect_event *e, const char *verb)
{
    cli_progress_say(bar, "%s: %s: n %zu, seed %llu%s: %s", e->dataset, e->class_name, e->n,
                     (unsigned long long)e->seed, verb, e->message);
}

/* All jobs on the bar, the one in hand beside it. */
static void show_stage(teller *t, const pts_collect_event *e)
{
    char detail[256], share[16] = "";
    if (e->total)
        snprintf(share, sizeof share, " %zu %%", 100 * e->done / e->total);
    int used = snprintf(detail, sizeof detail, "%.40s%s", e->message, share);
    if (e->dataset)
        used += snprintf(detail + used, sizeof detail - (size_t)used, ": %.60s", e->dataset);
    if (e->what == PTS_COLLECT_TRAINING && e->dataset)
        used += snprintf(detail + used, sizeof detail - (size_t)used, ", %.60s", e->class_name);
    if (e->what == PTS_COLLECT_TRAINING && e->n) /* 0: a curve whose sizes are one job */
        snprintf(detail + used, sizeof detail - (size_t)used, ", n %zu", e->n);
    t->worked = true;
    cli_progress_detail(&t->bar, "jobs", t->over, t->jobs, detail);
}

static void count_job(teller *t, const pts_collect_event *e)
{
    t->over = e->done;
    if (!t->worked)
        cli_progress_skip(&t->bar);
    t->worked = false;
    cli_progress_show(&t->bar, "jobs", e->done, e->total);
}

static int on_event(void *user, const pts_collect_event *e)
{
    teller *t = user;
    switch (e->what) {
    case PTS_COLLECT_FINDING:
        cli_progress_say(&t->bar, "%s: %s", e->n ? "left out" : "note", e->message);
        break;
    case PTS_COLLECT_LEFT_OUT:
        cli_progress_say(&t->bar, "%s: %s: left out, only %zu images", e->dataset, e->class_name,
                         e->n);
        break;
    case PTS_COLLECT_PLANNED:
        t->jobs = e->total;
        cli_progress_show(&t->bar, "jobs", 0, e->total);
        break;
    case PTS_COLLECT_PREPARING:
    case PTS_COLLECT_TRAINING:
        show_stage(t, e);
        break;
    case PTS_COLLECT_POINT:
        t->worked = true;
        say_point(&t->bar, e);
        break;
    case PTS_COLLECT_FAILED:
        say_job(&t->bar, e, " failed");
        break;
    case PTS_COLLECT_ELSEWHERE:
        say_job(&t->bar, e, "");
        break;
    case PTS_COLLECT_JOB:
        count_job(t, e);
        break;
    }
    return cli_stopping();
}

/* Ranks other than the first: what they do is told by it. */
static int on_silence(void *user, const pts_collect_event *e)
{
    (void)user, (void)e;
    return cli_stopping();
}

static void say_report(const cli_syntax *syntax, const pts_collect_report *r)
{
    fprintf(stderr, "%s: %zu jobs: %zu measured, %zu were there before", syntax->command, r->jobs,
            r->done, r->done_before);
    if (r->failed)
        fprintf(stderr, ", %zu failed (--resume tries them again)", r->failed);
    if (r->elsewhere)
        fprintf(stderr, ", %zu are another process's", r->elsewhere);
    fputc('\n', stderr);
}

/* ---- running ---- */

typedef struct collector {
    const collect_flags *flags;
    pts_ranks *ranks; /* NULL where mpirun did not start this */
    pts_team *team;
    pts_collection *collection;
    pts_encoder *encoder;
    pts_trainer *trainer;
    pts_store *store;
} collector;

static void collector_close(collector *c)
{
    pts_store_close(c->store);
    pts_collection_close(c->collection);
    pts_trainer_destroy(c->trainer);
    pts_encoder_close(c->encoder);
    pts_team_destroy(c->team);
}

static pts_status open_trainer(collector *c, pts_error *err)
{
    const collect_flags *f = c->flags;
    if (strcmp(f->trainer, "builtin") != 0) {
        const pts_command_options command = {f->trainer, f->jobs, f->time_limit, (int)f->retries};
        return pts_trainer_command(&c->trainer, &command, err);
    }
    pts_feature_settings settings;
    pts_feature_settings_default(&settings);
    settings.side = (size_t)f->side;
    PTS_TRY(pts_encoder_open(&c->encoder, f->encoder, c->team, err));
    return pts_trainer_builtin(&c->trainer, c->encoder, &settings, c->team, err);
}

static pts_status open_store(collector *c, pts_error *err)
{
    char environment[512];
    const pts_build build = pts_build_info();
    snprintf(environment, sizeof environment, "%d threads; %.200s; %.200s",
             pts_team_threads(c->team), build.kernels, build.features);
    const pts_store_run run = {.command = c->flags->command_line, .environment = environment};
    PTS_TRY(pts_store_open(&c->store, c->flags->store, PTS_STORE_WRITE, err));
    return pts_store_run_begin(c->store, &run, err);
}

static pts_status open_collection(collector *c, collect_flags *f, teller *t, pts_error *err)
{
    PTS_TRY(pts_team_create(&c->team, (int)f->threads, err));
    if (cli_under_mpirun())
        PTS_TRY(pts_ranks_start(&c->ranks, err));
    f->options.team = c->team;
    f->options.ranks = c->ranks;
    return pts_collection_open(&c->collection, f->data.items, f->data.count, &f->options,
                               pts_ranks_rank(c->ranks) ? on_silence : on_event, t, err);
}

/* The store comes last: a mistake in anything else leaves none behind. */
static pts_status collect(collector *c, collect_flags *f, teller *t, pts_collect_report *report,
                          pts_error *err)
{
    PTS_TRY(open_collection(c, f, t, err));
    int rank = pts_ranks_rank(c->ranks);
    PTS_TRY(open_trainer(c, err));
    cli_stop_on_signals();
    if (rank == 0)
        PTS_TRY(open_store(c, err));
    return pts_collection_run(c->collection, c->trainer, c->store, rank ? on_silence : on_event, t,
                              report, err);
}

static int collect_all(const cli_syntax *syntax, collect_flags *flags)
{
    collector c = {.flags = flags};
    teller t = {.worked = false};
    pts_collect_report report = {0};
    pts_error err;
    cli_progress_begin(&t.bar);
    /* Reading the data sets may take minutes, and nothing is stored before it is over. */
    cli_quit_on_signals("ptstrain collect: stopped before anything was measured\n");
    pts_status status = collect(&c, flags, &t, &report, &err);
    cli_progress_end(&t.bar);
    collector_close(&c);
    if (report.jobs)
        say_report(syntax, &report);
    if (status == PTS_ERR_CANCELLED && cli_stopping())
        return cli_fail(syntax, "stopped; what is measured is kept, and the same command goes on");
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message); /* mpirun ends the other ranks */
    pts_ranks_finish(c.ranks);
    return report.failed ? CLI_FAILED : CLI_DONE;
}

/* ---- options ---- */

/* Of no class yet: only whether the text can be understood. */
static int check_sizes(const cli_syntax *syntax, const char *text)
{
    pts_error err;
    size_t *sizes, count;
    if (pts_schedule_parse(&sizes, &count, text, 1000000000, &err) != PTS_OK)
        return cli_wrong(syntax, "--%s", err.message);
    free(sizes);
    return -1;
}

static int check_counts(const cli_syntax *syntax, const collect_flags *f)
{
    if (f->seeds < 1 || f->seeds > 1000)
        return cli_wrong(syntax, "--seeds: expected 1 … 1000, got %ld", f->seeds);
    if (f->side < 128 || f->side > 2048)
        return cli_wrong(syntax, "--side: expected 128 … 2048, got %ld", f->side);
    if (f->seed < 0)
        return cli_wrong(syntax, "--seed: expected 0 or more, got %ld", f->seed);
    if (f->min_images < 3)
        return cli_wrong(syntax, "--min-images: expected 3 or more, got %ld", f->min_images);
    if (!(f->keep > 0 && f->keep <= 1))
        return cli_wrong(syntax, "--keep-perc: expected above 0, at most 1, got %g", f->keep);
    if (f->window < 0 || f->window > 1000000)
        return cli_wrong(syntax, "--prev-num: expected 0 … 1000000, got %ld", f->window);
    if (f->retries < 0 || f->retries > 100)
        return cli_wrong(syntax, "--retries: expected 0 … 100, got %ld", f->retries);
    if (f->time_limit < 0)
        return cli_wrong(syntax, "--time-limit: expected seconds, got %g", f->time_limit);
    return -1;
}

static int set_mode(const cli_syntax *syntax, collect_flags *f)
{
    for (int mode = PTS_COLLECT_FRESH; mode <= PTS_COLLECT_BASE; mode++) {
        if (strcmp(f->mode, pts_collect_mode_text((pts_collect_mode)mode)) == 0) {
            f->options.mode = (pts_collect_mode)mode;
            return -1;
        }
    }
    return cli_wrong(syntax, "--mode: expected fresh, incremental or base, got '%s'", f->mode);
}

static int check(const cli_syntax *syntax, collect_flags *f)
{
    if (!f->data.count || !f->store)
        return cli_wrong(syntax, "expected --data and --store (-h shows an example)");
    int code = check_counts(syntax, f);
    if (code < 0)
        code = set_mode(syntax, f);
    if (code < 0 && f->piece != 0) {
        snprintf(f->piece_sizes, sizeof f->piece_sizes, "piece:%.6g", f->piece);
        f->options.sizes = f->piece_sizes;
    }
    return code < 0 ? check_sizes(syntax, f->options.sizes) : code;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    collect_flags *f = user;
    int code = cli_no_operands(syntax, operands);
    if (code < 0)
        code = check(syntax, f);
    if (code >= 0)
        return code;
    char path[4096], jobs[4096];
    f->encoder = cli_default_encoder(f->encoder, path, sizeof path);
    if (!f->jobs) {
        snprintf(jobs, sizeof jobs, "%s-jobs", f->store);
        f->jobs = jobs;
    }
    f->options.seed = (uint64_t)f->seed;
    f->options.seeds = (size_t)f->seeds;
    f->options.min_images = (size_t)f->min_images;
    f->options.keep = f->keep;
    f->options.stop_window = (size_t)f->window;
    f->options.stop_threshold = f->threshold;
    f->options.select_on_test = f->study;
    f->options.retry = f->resume;
    f->options.strict = f->strict;
    return collect_all(syntax, f);
}

/* The arguments as one line, for the store. */
static char *join(int argc, char **argv)
{
    size_t length = sizeof "ptstrain";
    for (int i = 0; i < argc; i++)
        length += strlen(argv[i]) + 1;
    char *line = malloc(length);
    if (!line)
        return NULL;
    strcpy(line, "ptstrain");
    for (int i = 0; i < argc; i++)
        strcat(strcat(line, " "), argv[i]);
    return line;
}

int cmd_collect(int argc, char **argv)
{
    collect_flags f = {.trainer = "builtin",
                       .mode = "fresh",
                       .side = 480,
                       .seed = 43,
                       .seeds = 1,
                       .min_images = 60,
                       .keep = 1,
                       .window = 50,
                       .threshold = 0.001,
                       .retries = 0,
                       .options = PTS_COLLECT_DEFAULTS};
    const cli_option options[] = {
        {"--data", 0, CLI_TEXTS, &f.data, "DIR", "a data set; may be repeated"},
        {"--class", 0, CLI_TEXT, &f.options.class_name, "K|all", "class by name or number (all)"},
        {"--store", 0, CLI_TEXT, &f.store, "FILE", "experiment store, made where there is none"},
        {"--sizes", 0, CLI_TEXT, &f.options.sizes, "LIST",
         "study, geometric[:K], piece:P or 2,4,8,… (study)"},
        {"--piece-perc", 0, CLI_NUMBER, &f.piece, "P", "sizes in steps of this share, the study's"},
        {"--keep-perc", 0, CLI_NUMBER, &f.keep, "P", "share of the images that is used (1)"},
        {"--mode", 0, CLI_TEXT, &f.mode, "MODE", "fresh, incremental or base (fresh)"},
        {"--study", 0, CLI_FLAG, &f.study, NULL, "choose on the test split, as the study did"},
        {"--prev-num", 0, CLI_INTEGER, &f.window, "N",
         "early stop, not of fresh: results it looks at, 0: off (50)"},
        {"--threshold", 0, CLI_NUMBER, &f.threshold, "T",
         "early stop: least gain over them (0.001)"},
        {"--seed", 0, CLI_INTEGER, &f.seed, "S", "of split and training (43)"},
        {"--seeds", 0, CLI_INTEGER, &f.seeds, "K", "repeats each size with K seeds (1)"},
        {"--min-images", 0, CLI_INTEGER, &f.min_images, "N", "with all: least images a class (60)"},
        {"--trainer", 0, CLI_TEXT, &f.trainer, "builtin|CMD", "what trains (builtin)"},
        {"--jobs", 0, CLI_TEXT, &f.jobs, "DIR", "CMD's job folders (the store's name + -jobs)"},
        {"--time-limit", 0, CLI_NUMBER, &f.time_limit, "S", "seconds a run of CMD may take (none)"},
        {"--retries", 0, CLI_INTEGER, &f.retries, "K", "runs of CMD after a failed one (0)"},
        {"--side", 0, CLI_INTEGER, &f.side, "PIXELS", "longer side of the encoder's input (480)"},
        {"--encoder", 'w', CLI_TEXT, &f.encoder, "FILE", "weights (the installed encoder)"},
        {"--strict", 0, CLI_FLAG, &f.strict, NULL, "stop at an image or label that cannot be read"},
        {"--resume", 0, CLI_FLAG, &f.resume, NULL, "go on with a store; tries failed jobs again"},
        CLI_THREADS_OPTION(&f.threads),
    };
    const cli_syntax syntax = {"ptstrain collect", "--data DIR --store FILE [OPTION …]",
                               "ptstrain collect --data coins --store runs.db --sizes 2,4 --resume",
                               options, sizeof options / sizeof *options};
    char *line = join(argc, argv);
    f.command_line = line ? line : "ptstrain collect";
    int code = cli_run(&syntax, argc, argv, run, &f);
    free(line);
    return code;
}
