/* ptstrain embed: the embeddings of data sets, computed once and kept for train and eval. */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/defaults.h"
#include "cli/tasks.h"

#include <stdio.h>
#include <string.h>

typedef struct embed_options {
    cli_list data;
    const char *encoder, *cache, *preset;
    long threads;
    bool json;
} embed_options;

typedef struct row {
    const char *dataset;
    double seconds;
    pts_embeddings embeddings;
} row;

static void print_row(const row *r)
{
    const pts_embeddings *e = &r->embeddings;
    printf("%-24s %7zu %5zu %8.2f %-8s %.16s\n", r->dataset, e->images, e->dim, r->seconds,
           e->cached ? "cached" : "computed", e->contents);
    fflush(stdout);
}

#ifdef PTS_HAVE_JSON
static void add_row(json_t *list, const row *r)
{
    const pts_embeddings *e = &r->embeddings;
    json_array_append_new(
        list, json_pack("{so sI sI sb sf ss}", "dataset", pts_json_text(r->dataset), "images",
                        (json_int_t)e->images, "dim", (json_int_t)e->dim, "cached", e->cached,
                        "seconds", r->seconds, "contents_sha256", e->contents));
}
#endif

typedef struct job {
    const embed_options *options;
    pts_team *team;
    pts_encoder *encoder;
    cli_progress bar;
#ifdef PTS_HAVE_JSON
    json_t *list;
#endif
} job;

static void tell(job *j, const row *r)
{
    cli_progress_end(&j->bar);
    if (!j->options->json)
        print_row(r);
#ifdef PTS_HAVE_JSON
    else
        add_row(j->list, r);
#endif
}

static pts_status embed_set(job *j, const char *dir, pts_error *err)
{
    double start = pts_clock();
    const pts_embed_options options = {.cache = j->options->cache,
                                       .preset = j->options->preset,
                                       .team = j->team,
                                       .progress = cli_tasks_progress,
                                       .user = &j->bar};
    pts_dataset *set;
    row r;
    pts_status status = pts_dataset_open(&set, dir, err);
    if (status == PTS_OK)
        status = pts_embeddings_of(&r.embeddings, j->encoder, set, &options, err);
    if (status == PTS_OK) {
        r.dataset = pts_dataset_name(set);
        r.seconds = pts_clock() - start;
        tell(j, &r);
        pts_embeddings_free(&r.embeddings);
    }
    pts_dataset_close(set);
    return status;
}

static pts_status embed(job *j, pts_error *err)
{
    const embed_options *o = j->options;
    pts_status status = pts_team_create(&j->team, (int)o->threads, err);
    if (status == PTS_OK)
        status = pts_encoder_open(&j->encoder, o->encoder, j->team, err);
    if (status == PTS_OK && !o->json)
        printf("%-24s %7s %5s %8s %-8s %s\n", "data set", "images", "dim", "seconds", "",
               "SHA-256");
    for (size_t d = 0; status == PTS_OK && d < o->data.count; d++)
        status = embed_set(j, o->data.items[d], err);
    cli_progress_end(&j->bar);
    pts_encoder_close(j->encoder);
    pts_team_destroy(j->team);
    return status;
}

static int finish(const cli_syntax *syntax, job *j, pts_status status, const pts_error *err)
{
#ifdef PTS_HAVE_JSON
    if (status == PTS_OK && j->list)
        cli_print_json(j->list);
    else
        json_decref(j->list);
#else
    (void)j;
#endif
    if (status == PTS_ERR_CANCELLED)
        return cli_fail(syntax, "%s; data sets before it are in the cache", err->message);
    return status == PTS_OK ? CLI_DONE : cli_fail(syntax, "%s", err->message);
}

static int check(const cli_syntax *syntax, const embed_options *o, const cli_list *operands)
{
    int code = cli_no_operands(syntax, operands);
    if (code >= 0)
        return code;
    if (!o->data.count)
        return cli_wrong(syntax, "--data: expected data-set folders, got none");
    if (!o->cache)
        return cli_wrong(syntax, "--cache: expected a folder, got none");
#ifndef PTS_HAVE_JSON
    if (o->json)
        return cli_fail(syntax, "built without jansson: no --json");
#endif
    return cli_check_preset(syntax, o->preset);
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    embed_options *o = user;
    int code = check(syntax, o, operands);
    if (code >= 0)
        return code;
    char path[4096];
    o->encoder = cli_default_encoder(o->encoder, path, sizeof path);
    pts_error err;
    job j = {.options = o};
#ifdef PTS_HAVE_JSON
    j.list = o->json ? json_array() : NULL;
#endif
    cli_progress_begin(&j.bar);
    cli_stop_on_signals();
    pts_status status = embed(&j, &err);
    return finish(syntax, &j, status, &err);
}

int cmd_train_embed(int argc, char **argv)
{
    embed_options o = {0};
    const cli_option options[] = {
        {"--data", 0, CLI_LIST, &o.data, "DIR...", "data-set folders"},
        {"--cache", 0, CLI_TEXT, &o.cache, "DIR", "keeps embeddings there"},
        {"--encoder", 'w', CLI_TEXT, &o.encoder, "ENC.ptsw", "encoder (the installed one)"},
        {"--preset", 0, CLI_TEXT, &o.preset, "NAME",
         "keras, torchvision, clip or ptssp (the encoder's own)"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "print JSON"},
        CLI_THREADS_OPTION(&o.threads),
    };
    return CLI_RUN(options, argc, argv, run, &o, "ptstrain embed",
                   "--data DIR... --cache DIR [--encoder ENC.ptsw]",
                   "ptstrain embed --data datasets/* --cache cache");
}
