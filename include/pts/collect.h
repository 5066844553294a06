/* pts/collect.h: measures learning curves: trains on rising parts of a data set, class by class,
 * and keeps each result in a store.
 *
 *   pts_collect_options options = PTS_COLLECT_DEFAULTS;
 *   pts_collection *collection;                            // what is to be measured
 *   pts_collection_open(&collection, dirs, count, &options, listener, user, &err);
 *   pts_trainer *trainer;                                  // who trains: ours, or any command
 *   pts_trainer_builtin(&trainer, encoder, &settings, team, &err);
 *   pts_collection_run(collection, trainer, store, listener, user, &report, &err);
 *
 * Jobs. A job is what can be trained without any other: in mode `fresh` one training size of one
 * class and seed, in the other modes a whole curve, as its sizes follow from each other. Jobs go
 * through the store (pts/store.h): what is done there is never done again, what another living
 * process holds is left to it, and a process that is killed loses no more than the job in hand.
 *
 * Modes.
 *   fresh        each size from the pretrained start on the first n images of the split
 *   incremental  the study's: at step k go on from the last weights with the k-th piece of images
 *                alone; where the metric does not rise above the best so far, go back to the
 *                pretrained start and train on pieces 1 … k ("blue", else "green")
 *   base         the study's second: each size from the pretrained start, one after the other
 * incremental and base stop early as the study does: after `stop_window` steps, once the sum over
 * the last stop_window results of (latest − earlier) is below stop_threshold.
 *
 * What is reported is always measured on the test split. Choices (the best weights so far, when
 * to stop) look at the validation split; with `select_on_test` at the test split, as in the study,
 * which flatters the result.
 *
 * Images that cannot be decoded are named, left out of the split and counted; `strict` stops
 * instead.
 *
 * A job whose training fails is kept in the store with its reason; the others go on. Only where the
 * first three of a run fail with one reason does it end there: a trainer that cannot work would
 * fail them all. Jobs that were not begun stay to be tried.
 *
 * Builds with libyaml and sqlite3 (PTS_HAVE_YAML, PTS_HAVE_STORE). */
#ifndef PTS_COLLECT_H
#define PTS_COLLECT_H

#include "pts/data.h"
#include "pts/encoder.h"
#include "pts/metrics.h"
#include "pts/ranks.h"
#include "pts/segment.h"
#include "pts/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- trainers ---- */

typedef struct pts_trainer pts_trainer; /* for one thread at a time */

/* The segmenter of pts/segment.h. The encoder and the team are borrowed. */
pts_status pts_trainer_builtin(pts_trainer **out, pts_encoder *encoder,
                               const pts_feature_settings *settings, pts_team *team,
                               pts_error *err);

/* Any program. It is run once a size through `sh -c 'COMMAND "$@"' sh FOLDER`, with the job's
 * folder also as its working directory, and leaves its detections there as COCO results; we score
 * them. What the folder holds and what is wanted back: tools/trainers/README.md.
 * Its stdout and stderr go to FOLDER/log.txt.
 *
 * COMMAND is written where pts_trainer_command is called, so a relative path in it is one from
 * there: a word, or a text in quotes, that has a slash and names what exists there, or has a dot
 * and names a file there (the first word, which sh looks for in PATH, only with a slash), becomes
 * absolute; what follows a `=` is a word too. Names that the job's folder has (data.yaml, images/…)
 * and all other words are the job's. The trainer's name stays the command as it was given. */
typedef struct pts_command_options {
    const char *command;
    const char *folder; /* job folders are made in it; it may exist */
    double time_limit;  /* seconds a run may take, then its process group is killed; 0: none */
    int retries;        /* runs after a failed one, before the job counts as failed */
} pts_command_options;
pts_status pts_trainer_command(pts_trainer **out, const pts_command_options *options,
                               pts_error *err);

/* "builtin", or the command; what else decides its results, in its own words. */
const char *pts_trainer_name(const pts_trainer *trainer);
const char *pts_trainer_settings(const pts_trainer *trainer);
void pts_trainer_destroy(pts_trainer *trainer);

/* ---- collecting ---- */

typedef enum pts_collect_mode {
    PTS_COLLECT_FRESH,
    PTS_COLLECT_INCREMENTAL,
    PTS_COLLECT_BASE
} pts_collect_mode;
const char *pts_collect_mode_text(pts_collect_mode mode); /* "fresh", "incremental", "base" */

typedef struct pts_collect_options {
    const char *class_name; /* by name or number, or "all": each of min_images or more */
    const char *sizes;      /* pts_schedule_parse */
    pts_collect_mode mode;
    uint64_t seed;
    size_t seeds; /* seed, seed + 1, …: each with a split, subsets and a training of its own */
    double keep;  /* share of the images that is used at all */
    size_t min_images; /* with "all" */
    bool select_on_test;
    size_t stop_window;
    double stop_threshold;
    bool retry;     /* jobs that failed in an earlier run are tried again */
    bool strict;    /* an unreadable image or label is an error */
    pts_team *team; /* decodes images; NULL: the calling thread */
    /* All ranks make the same call: rank 0 has the store, hands jobs out, one at a time, and works
     * itself; the others only work, and their store is NULL. NULL: this process alone. */
    pts_ranks *ranks;
} pts_collect_options;

#define PTS_COLLECT_DEFAULTS                                                                       \
    {                                                                                              \
        .class_name = "all", .sizes = "study", .mode = PTS_COLLECT_FRESH, .seed = 43, .seeds = 1,  \
        .keep = 1, .min_images = 60, .stop_window = 50, .stop_threshold = 0.001                    \
    }

/* What happens, for messages and a progress bar. Members that an event has no use for are zero. */
typedef enum pts_collect_what {
    PTS_COLLECT_FINDING,   /* message: of a data set's reading; n 1: something is left out */
    PTS_COLLECT_LEFT_OUT,  /* a class that only n images show, fewer than min_images */
    PTS_COLLECT_PLANNED,   /* total jobs, before the first */
    PTS_COLLECT_PREPARING, /* done of total units of `message` on a data set */
    PTS_COLLECT_TRAINING,  /* size n is trained: done of total units of `message` */
    PTS_COLLECT_POINT,     /* size n is measured: point */
    PTS_COLLECT_FAILED,    /* a job failed: message; the others go on */
    PTS_COLLECT_ELSEWHERE, /* a job is another process's: message */
    PTS_COLLECT_JOB        /* done of total jobs are over, whatever became of them */
} pts_collect_what;

typedef struct pts_collect_event {
    pts_collect_what what;
    const char *dataset, *class_name, *message;
    uint64_t seed;
    size_t n, done, total;
    const pts_store_point *point;
} pts_collect_event;

/* A return other than 0 stops: the job in hand is given back to the store. */
typedef int (*pts_collect_listener)(void *user, const pts_collect_event *event);

typedef struct pts_collect_report {
    size_t jobs, done_before, done, failed, elsewhere; /* elsewhere: held by other processes */
} pts_collect_report;

typedef struct pts_collection pts_collection; /* for one thread at a time */

/* dirs [count]: data sets, all of them read, decoded and checked before anything is trained, so
 * that a mistake in the last does not come up after days. The options' strings, team and ranks are
 * borrowed until it is closed. */
pts_status pts_collection_open(pts_collection **out, const char *const *dirs, size_t count,
                               const pts_collect_options *options, pts_collect_listener listener,
                               void *user, pts_error *err);
void pts_collection_close(pts_collection *collection);

/* Does what the store does not have yet. A job's failure is an event and a count; the status is of
 * what stops the whole: a store that cannot be written, no memory, the listener, three first
 * failures that are alike. */
pts_status pts_collection_run(pts_collection *collection, pts_trainer *trainer, pts_store *store,
                              pts_collect_listener listener, void *user, pts_collect_report *report,
                              pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
