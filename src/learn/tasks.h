/* Inside of pts_tasks. */
#ifndef PTS_SRC_LEARN_TASKS_H
#define PTS_SRC_LEARN_TASKS_H

#include "pts/learn.h"

#include "learn/theta.h"

typedef struct task_row {
    pts_task task;
    size_t group; /* number of its data set, in order of appearance */
    double *log_n;
    theta_points points;
    double theta[4]; /* its own curve: pts_theta_fit with the weak prior */
} task_row;

struct pts_tasks {
    size_t dim, count, capacity, groups;
    char *encoder, *preset;
    task_row *rows;
    char *sources; /* "coins:SHA-256,…" of the data sets' photographs; or NULL */
    char *curves;  /* SHA-256 of the curves' file; or NULL */
};

/* Where the tasks come from, for the head's file: text is appended to *list after a comma. */
pts_status pts_tasks_note(char **list, const char *text, pts_error *err);

#endif
