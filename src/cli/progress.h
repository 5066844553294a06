/* Progress on stderr: a bar with rate and time left on a terminal, as wide as that, now and then a
 * line in a log; Ctrl-C, which lets a command finish cleanly; and whether others run beside it. */
#ifndef PTS_CLI_PROGRESS_H
#define PTS_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cli_progress {
    bool terminal, drawn;
    double started, shown; /* seconds, of the present stage */
    size_t first;          /* `done` at its start: what was there before says nothing of the rate */
    char stage[96], detail[160];
} cli_progress;

void cli_progress_begin(cli_progress *progress);
/* Now `done` of `total` units of `stage` are over, or, with total 0, it is still going on; may be
 * called as often as one likes. */
void cli_progress_show(cli_progress *progress, const char *stage, size_t done, size_t total);
/* The same, and what is being done meanwhile: "coins: One: training 40 %". */
void cli_progress_detail(cli_progress *progress, const char *stage, size_t done, size_t total,
                         const char *detail);
/* One of those done was there before: it says nothing of the rate. */
void cli_progress_skip(cli_progress *progress);
/* A line of its own, above the bar. */
void cli_progress_say(cli_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes the bar away. */
void cli_progress_end(cli_progress *progress);

/* From now on SIGINT and SIGTERM only make cli_stopping() true; a second one kills as usual. */
void cli_stop_on_signals(void);
bool cli_stopping(void);
/* From now on they end the process with this line and exit code 1: for work that leaves nothing
 * behind. cli_stop_on_signals() ends this. */
void cli_quit_on_signals(const char *line);
/* The unfinished file that such a signal removes at once (NULL: none): OpenMPI's mpirun leaves some
 * ten milliseconds between SIGTERM and SIGKILL, too few to come back from work. */
void cli_unlink_on_signal(const char *path);

/* Whether mpirun (or srun) has started this process as one of several. */
bool cli_under_mpirun(void);

#endif
