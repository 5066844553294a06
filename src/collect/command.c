/* Any program as a trainer: it gets a folder, leaves detections, and we score them. */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "collect/job_folder.h"
#include "collect/process.h"
#include "collect/resolve.h"
#include "pts/file.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct command {
    pts_trainer base;
    char *text, *resolved, *folder; /* text: as it was given, which names the trainer */
    double time_limit;
    int retries;
} command;

static pts_status prepare(pts_trainer *trainer, const pts_dataset *set, pts_progress progress,
                          void *user, pts_error *err)
{
    (void)trainer, (void)set, (void)progress, (void)user, (void)err;
    return PTS_OK;
}

/* ---- one run ---- */

/* Takes the folder out of a line that is shown beside it: jobs that fail alike then say the same.
 */
static void shorten(char *line, const char *folder)
{
    size_t length = strlen(folder);
    for (char *at = line; (at = strstr(at, folder)) != NULL;) {
        size_t cut = length + (at[length] == '/');
        memmove(at, at + cut, strlen(at + cut) + 1);
    }
}

/* The last line of the log that says something: most programs die with their reason in it. */
static void last_line(const char *log, const char *folder, char line[160])
{
    char *data;
    size_t size;
    line[0] = '\0';
    if (pts_read_file(log, (size_t)1 << 26, &data, &size, NULL) != PTS_OK)
        return;
    while (size && (data[size - 1] == '\n' || data[size - 1] == ' '))
        data[--size] = '\0';
    char *begin = strrchr(data, '\n');
    begin = begin ? begin + 1 : data;
    shorten(begin, folder);
    snprintf(line, 160, "%.150s", begin);
    free(data);
}

/* How a program ended, in words that name where to look. */
static pts_status check_end(const command *c, const char *folder, const char *log,
                            const process_result *p, pts_error *err)
{
    char line[160];
    if (p->timed_out)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: stopped after %.0f s, the time limit", folder,
                        c->time_limit);
    if (WIFEXITED(p->wait_status) && WEXITSTATUS(p->wait_status) == 0)
        return PTS_OK;
    last_line(log, folder, line);
    if (WIFSIGNALED(p->wait_status))
        return pts_fail(err, PTS_ERR_IO, "%s: the trainer was killed by signal %d: %s", folder,
                        WTERMSIG(p->wait_status), line);
    return pts_fail(err, PTS_ERR_IO, "%s: the trainer exited with %d: %s", folder,
                    WEXITSTATUS(p->wait_status), line);
}

static pts_status score_files(const char *truth, const char *results, pts_ap *ap, pts_error *err)
{
    pts_coco *coco;
    pts_coco_figures figures;
    PTS_TRY(pts_coco_load(&coco, truth, results, PTS_IOU_MASK, NULL, err));
    pts_status status = pts_coco_evaluate(coco, NULL, NULL, &figures, NULL, err);
    pts_coco_destroy(coco);
    if (status == PTS_OK)
        *ap = (pts_ap){figures.ap, figures.ap50, figures.ap75};
    return status;
}

static pts_status score(const char *folder, int part, pts_ap *ap, pts_error *err)
{
    char *truth = pts_job_path(folder, pts_job_truth_names[part]);
    char *results = pts_job_path(folder, pts_job_result_names[part]);
    pts_status status = truth && results ? score_files(truth, results, ap, err)
                                         : pts_fail_memory(err, strlen(folder));
    free(truth);
    free(results);
    return status;
}

static bool is_there(const char *folder, const char *name)
{
    char *path = pts_job_path(folder, name);
    bool there = path && access(path, F_OK) == 0;
    free(path);
    return there;
}

/* The trainer's own figures are never taken: each has its definition of average precision. */
static pts_status score_all(const char *folder, train_result *result, pts_error *err)
{
    if (!is_there(folder, pts_job_result_names[JOB_TEST]))
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected the trainer to leave %s, got none",
                        folder, pts_job_result_names[JOB_TEST]);
    PTS_TRY(score(folder, JOB_TEST, &result->test, err));
    result->validation = (pts_ap){-1, -1, -1};
    if (is_there(folder, pts_job_result_names[JOB_VAL]))
        PTS_TRY(score(folder, JOB_VAL, &result->validation, err));
    return PTS_OK;
}

static pts_status run_in(const command *c, const char *folder, const train_request *r,
                         train_result *result, pts_error *err)
{
    process_result p;
    char *log = pts_job_path(folder, "log.txt");
    if (!log)
        return pts_fail_memory(err, strlen(folder));
    pts_status status =
        pts_process_run(c->resolved, folder, log, c->time_limit, r->progress, r->user, &p, err);
    if (status == PTS_OK)
        status = check_end(c, folder, log, &p, err);
    free(log);
    PTS_TRY(status);
    PTS_TRY(score_all(folder, result, err));
    result->seconds += p.seconds;
    result->peak_bytes = p.peak_bytes;
    if (is_there(folder, "weights"))
        result->model = pts_job_path(folder, "weights");
    return PTS_OK;
}

/* Each try has a folder of its own, so that what a failed one left cannot be taken for a
 * result. */
static pts_status run_once(const command *c, const train_request *r, train_result *result,
                           pts_error *err)
{
    char *folder;
    PTS_TRY(pts_job_folder_make(&folder, c->folder, r, r->start, c->time_limit, err));
    pts_status status = run_in(c, folder, r, result, err);
    free(folder);
    return status;
}

static pts_status train(pts_trainer *trainer, const train_request *r, train_result *result,
                        pts_error *err)
{
    const command *c = (command *)trainer;
    pts_status status = PTS_OK;
    for (int attempt = 0; attempt <= c->retries; attempt++) {
        *result = (train_result){0};
        status = run_once(c, r, result, err);
        if (status == PTS_OK || status == PTS_ERR_CANCELLED || status == PTS_ERR_MEMORY)
            break;
    }
    return status;
}

/* ---- the object ---- */

static void forget(pts_trainer *trainer, void *model)
{
    (void)trainer;
    free(model); /* a path: the file stays in its folder */
}

static void destroy(pts_trainer *trainer)
{
    command *c = (command *)trainer;
    free(c->text);
    free(c->resolved);
    free(c->folder);
    free(c);
}

static pts_status fill(command *c, const pts_command_options *options, pts_error *err)
{
    c->base.prepare = prepare;
    c->base.train = train;
    c->base.forget = forget;
    c->base.destroy = destroy;
    c->time_limit = options->time_limit;
    c->retries = options->retries;
    PTS_TRY(pts_text(&c->base.settings, err, "job 2"));
    PTS_TRY(pts_text(&c->text, err, "%s", options->command));
    PTS_TRY(pts_text(&c->folder, err, "%s", options->folder));
    c->base.name = c->text;
    return pts_command_resolve(&c->resolved, options->command, err);
}

pts_status pts_trainer_command(pts_trainer **out, const pts_command_options *options,
                               pts_error *err)
{
    command *c;
    *out = NULL;
    PTS_TRY(pts_new(&c, 1, sizeof *c, err));
    pts_status status = fill(c, options, err);
    if (status == PTS_OK)
        *out = &c->base;
    else
        pts_trainer_destroy(&c->base);
    return status;
}
