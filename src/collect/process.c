/* posix_spawn rather than fork: the parent holds a data set's features, gigabytes that a fork would
 * have to map again, and has threads.
 *
 * A guard, a shell that reads from a pipe of which only we have the other end, ends the program
 * when we are gone without having done so: killed, or by mpirun, which gives a rank a second after
 * Ctrl-C. Otherwise it would compute on, for nobody, beside the next run. */
#define _GNU_SOURCE
#include "collect/process.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_SECONDS 5.0
#define LOOK_SECONDS 0.02

extern char **environ;

typedef struct running {
    pid_t pid;
    double started;
    double told_to_stop; /* 0: not */
    pid_t guard;
    int guard_pipe; /* closed by our end, whatever that is */
} running;

static const char guard_script[] =
    "read -r line; kill -s TERM -- -$1; for i in 1 2 3 4 5; do kill -s 0 -- -$1 || exit; sleep 1; "
    "done; kill -s KILL -- -$1";

static int set_files(posix_spawn_file_actions_t *files, const char *folder, const char *log)
{
    int code = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    if (!code)
        code = posix_spawn_file_actions_addopen(files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (!code)
        code = posix_spawn_file_actions_adddup2(files, 1, 2);
    return code ? code : posix_spawn_file_actions_addchdir_np(files, folder);
}

/* A group of its own, which can be stopped as a whole, and signals as a program expects them. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGINT);
    sigaddset(&usual, SIGTERM);
    sigaddset(&usual, SIGPIPE);
    int code = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETSIGDEF);
    if (!code)
        code = posix_spawnattr_setsigmask(attributes, &none);
    if (!code)
        code = posix_spawnattr_setsigdefault(attributes, &usual);
    return code ? code : posix_spawnattr_setpgroup(attributes, 0);
}

/* `sh -c SCRIPT sh ARGUMENT` with these files, in a group of its own. */
static int spawn_shell(pid_t *pid, const char *script, const char *argument,
                       const posix_spawn_file_actions_t *files)
{
    posix_spawnattr_t attributes;
    char *const arguments[] = {"sh", "-c", (char *)script, "sh", (char *)argument, NULL};
    int code = posix_spawnattr_init(&attributes);
    if (code)
        return code;
    code = set_attributes(&attributes);
    if (!code)
        code = posix_spawn(pid, "/bin/sh", files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    return code;
}

static int spawn_program(pid_t *pid, const char *script, const char *folder, const char *log)
{
    posix_spawn_file_actions_t files;
    int code = posix_spawn_file_actions_init(&files);
    if (code)
        return code;
    code = set_files(&files, folder, log);
    if (!code)
        code = spawn_shell(pid, script, folder, &files);
    posix_spawn_file_actions_destroy(&files);
    return code;
}

/* Its output goes nowhere: who waits for the end of ours shall not wait for it. */
static int spawn_guard_on(running *r, int pipe_end)
{
    posix_spawn_file_actions_t files;
    char group[32];
    int code = posix_spawn_file_actions_init(&files);
    if (code)
        return code;
    snprintf(group, sizeof group, "%ld", (long)r->pid);
    code = posix_spawn_file_actions_adddup2(&files, pipe_end, 0);
    if (!code)
        code = posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    if (!code)
        code = posix_spawn_file_actions_adddup2(&files, 1, 2);
    if (!code)
        code = spawn_shell(&r->guard, guard_script, group, &files);
    posix_spawn_file_actions_destroy(&files);
    return code;
}

static int spawn_guard(running *r)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    int code = spawn_guard_on(r, ends[0]);
    close(ends[0]);
    if (code)
        close(ends[1]);
    else
        r->guard_pipe = ends[1];
    return code;
}

static void dismiss_guard(const running *r)
{
    kill(r->guard, SIGKILL);
    while (waitpid(r->guard, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(r->guard_pipe);
}

static pts_status start(running *r, const char *command, const char *folder, const char *log,
                        pts_error *err)
{
    char *script;
    PTS_TRY(pts_text(&script, err, "%s \"$@\"", command));
    int code = spawn_program(&r->pid, script, folder, log);
    free(script);
    r->started = pts_clock();
    if (!code && (code = spawn_guard(r)) != 0) {
        kill(-r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
    }
    if (code)
        return pts_fail(err, PTS_ERR_IO, "'%.200s' cannot be run: %s", command, strerror(code));
    return PTS_OK;
}

/* Asks the group to end, and after a while makes it. */
static void stop(running *r)
{
    double now = pts_clock();
    if (!r->told_to_stop) {
        kill(-r->pid, SIGTERM);
        r->told_to_stop = now;
    } else if (now - r->told_to_stop > GRACE_SECONDS) {
        kill(-r->pid, SIGKILL);
    }
}

/* Until it ends; *cancelled where progress wanted it to. */
static pts_status wait_for(running *r, const char *command, double time_limit,
                           pts_progress progress, void *user, process_result *result,
                           bool *cancelled, pts_error *err)
{
    struct rusage usage;
    for (;;) {
        pid_t ended = wait4(r->pid, &result->wait_status, WNOHANG, &usage);
        if (ended == r->pid)
            break;
        if (ended < 0 && errno != EINTR)
            return pts_fail(err, PTS_ERR_IO, "waiting for '%.200s': %s", command, strerror(errno));
        result->seconds = pts_clock() - r->started;
        *cancelled = *cancelled || (progress && progress(user, "training", 0, 0));
        result->timed_out = time_limit > 0 && result->seconds > time_limit;
        if (*cancelled || result->timed_out)
            stop(r);
        nanosleep(&(struct timespec){.tv_nsec = (long)(LOOK_SECONDS * 1e9)}, NULL);
    }
    result->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    return PTS_OK;
}

pts_status pts_process_run(const char *command, const char *folder, const char *log,
                           double time_limit, pts_progress progress, void *user,
                           process_result *result, pts_error *err)
{
    running r = {0};
    bool cancelled = false;
    *result = (process_result){0};
    PTS_TRY(start(&r, command, folder, log, err));
    pts_status status = wait_for(&r, command, time_limit, progress, user, result, &cancelled, err);
    dismiss_guard(&r);
    kill(-r.pid, SIGKILL); /* what it left behind would write into the folder still */
    PTS_TRY(status);
    result->seconds = pts_clock() - r.started;
    return cancelled ? pts_fail(err, PTS_ERR_CANCELLED, "interrupted") : PTS_OK;
}
