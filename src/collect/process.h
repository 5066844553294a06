/* A program of someone else's, run to its end. */
#ifndef PTS_SRC_COLLECT_PROCESS_H
#define PTS_SRC_COLLECT_PROCESS_H

#include "pts/base.h"

#include <stdbool.h>

typedef struct process_result {
    int wait_status; /* as waitpid gives it */
    bool timed_out;
    double seconds;
    uint64_t peak_bytes; /* of it or any program that it waited for, the largest */
} process_result;

/* Runs `sh -c 'COMMAND "$@"' sh FOLDER` in the folder, stdin empty, stdout and stderr appended to
 * log. time_limit seconds (0: none) later, or when progress(user, "training", 0, 0) asks to stop,
 * the whole process group gets SIGTERM and, five seconds on, SIGKILL; the same when this process
 * ends, killed or not. PTS_ERR_CANCELLED then, or
 * PTS_ERR_IO where it could not be started; how it ended is in *result. */
pts_status pts_process_run(const char *command, const char *folder, const char *log,
                           double time_limit, pts_progress progress, void *user,
                           process_result *result, pts_error *err);

#endif
