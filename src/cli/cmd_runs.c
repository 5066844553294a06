/* ptstrain runs: who filled the store, and what became of the jobs. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "pts/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

typedef struct runs_options {
    const char *store;
    bool jobs, json;
} runs_options;

/* "2026-11-23T17:36:09Z" */
static const char *time_text(int64_t seconds, char text[32])
{
    struct tm parts;
    time_t when = (time_t)seconds;
    if (!gmtime_r(&when, &parts) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(text, 32, "?");
    return text;
}

static const char *end_of(const pts_store_run *run, char text[32])
{
    if (run->ended)
        return time_text(run->ended, text);
    return run->alive ? "running" : "not ended";
}

/* A store may come from anybody: what could steer the terminal is shown as '?'. */
static void print_plain(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' || *text == 127 ? '?' : *text);
}

static int print_run(void *user, const pts_store_run *run)
{
    char start[32], end[32];
    ++*(size_t *)user;
    printf("run %" PRId64 ": %s to %s, process %" PRId64 " on ", run->id,
           time_text(run->started, start), end_of(run, end), run->process);
    print_plain(run->host);
    printf(": %zu done, %zu failed, %zu taken, %.1f s: ", run->done, run->failed, run->taken,
           run->seconds);
    print_plain(run->command);
    putchar('\n');
    return 0;
}

static int print_job(void *user, const pts_store_job_state *state)
{
    const pts_store_job *job = &state->job;
    (void)user;
    printf("job %" PRId64 ": %s, run %" PRId64 ", attempts %" PRId64 ", %zu points, %.1f s: ",
           state->id, pts_store_state_text(state->state), state->run, state->attempts,
           state->points, state->seconds);
    print_plain(job->dataset);
    printf(" (%.12s), ", job->hash);
    print_plain(job->class_name);
    printf(", n %zu, seed %" PRIu64 ", %s, ", job->n, job->seed, job->mode);
    print_plain(job->trainer);
    printf(" (");
    print_plain(job->settings);
    printf(")%s", *state->reason ? ": " : "");
    print_plain(state->reason);
    putchar('\n');
    return 0;
}

static pts_status print_text(pts_store *store, const runs_options *o, pts_error *err)
{
    size_t count = 0;
    pts_status status = pts_store_runs(store, print_run, &count, err);
    if (status == PTS_OK && count == 0)
        puts("no runs");
    return status == PTS_OK && o->jobs ? pts_store_jobs(store, NULL, print_job, NULL, err) : status;
}

#ifdef PTS_HAVE_JSON
static json_t *time_json(int64_t seconds)
{
    char text[32];
    return seconds ? json_string(time_text(seconds, text)) : json_null();
}

static int append_run(void *user, const pts_store_run *run)
{
    json_array_append_new(
        user, json_pack("{sI so so sb so so so so sI sI sI sI so}", "run", (json_int_t)run->id,
                        "started", time_json(run->started), "ended", time_json(run->ended), "alive",
                        run->alive, "command", pts_json_text(run->command), "environment",
                        pts_json_text(run->environment), "code", pts_json_text(run->code), "host",
                        pts_json_text(run->host), "process", (json_int_t)run->process, "done",
                        (json_int_t)run->done, "failed", (json_int_t)run->failed, "taken",
                        (json_int_t)run->taken, "seconds", pts_json_real(run->seconds)));
    return 0;
}

static int append_job(void *user, const pts_store_job_state *state)
{
    const pts_store_job *job = &state->job;
    json_array_append_new(
        user,
        json_pack("{sI sI sI ss so sI so so so si so so so ss sI sI}", "job", (json_int_t)state->id,
                  "run", (json_int_t)state->run, "attempts", (json_int_t)state->attempts, "state",
                  pts_store_state_text(state->state), "reason", pts_json_text(state->reason),
                  "points", (json_int_t)state->points, "seconds", pts_json_real(state->seconds),
                  "dataset", pts_json_text(job->dataset), "hash", pts_json_text(job->hash),
                  "class_num", job->class_id, "class", pts_json_text(job->class_name), "trainer",
                  pts_json_text(job->trainer), "settings", pts_json_text(job->settings), "mode",
                  job->mode, "seed", (json_int_t)job->seed, "n", (json_int_t)job->n));
    return 0;
}

static pts_status print_json(pts_store *store, const runs_options *o, pts_error *err)
{
    json_t *runs = json_array(), *jobs = json_array();
    pts_status status = pts_store_runs(store, append_run, runs, err);
    if (status == PTS_OK && o->jobs)
        status = pts_store_jobs(store, NULL, append_job, jobs, err);
    if (status == PTS_OK)
        cli_print_json(o->jobs ? json_pack("{sO sO}", "runs", runs, "jobs", jobs)
                               : json_pack("{sO}", "runs", runs));
    json_decref(runs);
    json_decref(jobs);
    return status;
}
#endif

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    const runs_options *o = user;
    pts_store *store;
    pts_error err;
    int code = cli_no_operands(syntax, operands);
    if (code >= 0)
        return code;
    if (!o->store)
        return cli_wrong(syntax, "expected --store FILE, got none");
#ifndef PTS_HAVE_JSON
    if (o->json)
        return cli_fail(syntax, "built without jansson");
#endif
    if (pts_store_open(&store, o->store, PTS_STORE_READ, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
#ifdef PTS_HAVE_JSON
    pts_status status = (o->json ? print_json : print_text)(store, o, &err);
#else
    pts_status status = print_text(store, o, &err);
#endif
    pts_store_close(store);
    return status == PTS_OK ? CLI_DONE : cli_fail(syntax, "%s", err.message);
}

int cmd_runs(int argc, char **argv)
{
    runs_options o = {0};
    const cli_option options[] = {
        {"--store", 0, CLI_TEXT, &o.store, "FILE", "the store that ptstrain collect filled"},
        {"--jobs", 0, CLI_FLAG, &o.jobs, NULL, "list the jobs too, with the reason of a failure"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "print JSON"},
    };
    return CLI_RUN(options, argc, argv, run, &o, "ptstrain runs", "--store FILE [--jobs] [--json]",
                   "ptstrain runs --store runs.db --jobs");
}
