/* pts/store.h: the store of measured results (builds with sqlite3: PTS_HAVE_STORE): data sets,
 * runs, jobs and points in one SQLite file, which several processes may fill.
 *
 *   pts_store *store;
 *   PTS_TRY(pts_store_open(&store, "runs.db", PTS_STORE_WRITE, err));
 *   PTS_TRY(pts_store_run_begin(store, &(pts_store_run){.command = "…"}, err));
 *   for (each job) {
 *       pts_store_claim claim;
 *       PTS_TRY(pts_store_take(store, &job, 0, &claim, err));
 *       if (claim.state != PTS_STORE_TAKEN)
 *           continue;                              // done, failed, or another's
 *       … train and measure, pts_store_beat(store, err) every few seconds …
 *       PTS_TRY(pts_store_done(store, claim.job, points, count, err));
 *   }
 *   pts_store_close(store);
 *
 * A job is taken before its work and written with all its points in one transaction after it, each
 * synchronous with the disk: whatever kills the process or the machine, a job is done with all its
 * points or has none, and those done stay. Jobs of a process that is gone are free again.
 *
 * The journal is SQLite's WAL: a reader never waits and never makes a writer wait. While the store
 * is open, FILE-wal and FILE-shm belong to it; the last one that closes it takes them away, and a
 * killed process leaves them to the next one that opens it. Writers wait for each other up to 30
 * seconds. On a network file system (NFS, Lustre …), where processes of several hosts may meet and
 * WAL would not be safe, the journal is the rollback journal: readers and writers wait for each
 * other there, and the file system has to carry locks between hosts.
 *
 * Messages begin with the file's name: "runs.db: expected …". Texts are UTF-8 of at most 1 MiB. A
 * handle is for one thread at a time and not for use after fork(). */
#ifndef PTS_STORE_H
#define PTS_STORE_H

#include "pts/base.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pts_store pts_store;

typedef enum pts_store_mode {
    PTS_STORE_READ, /* the file must be there; nothing in it changes */
    PTS_STORE_WRITE /* made where there is none; a store of version 1 becomes one of version 2 */
} pts_store_mode;

/* PTS_ERR_FORMAT for a file that is no store or a damaged one (it is read whole),
 * PTS_ERR_UNSUPPORTED for one of a later version, PTS_ERR_IO where the file cannot be read or, to
 * write, written. */
pts_status pts_store_open(pts_store **out, const char *path, pts_store_mode mode, pts_error *err);

/* Ends the run, if one was begun; jobs that it still holds are free again. */
void pts_store_close(pts_store *store);

/* ---- Data sets ----
 * A data set is its name and the hash of its content: two of one name are two data sets. */
#define PTS_STORE_UNKNOWN "unknown" /* the hash, where the content is not at hand */

typedef struct pts_store_dataset {
    const char *name, *hash; /* hash: hexadecimal digits in lower case, or PTS_STORE_UNKNOWN */
    size_t images, classes;
    const char *path; /* where it was last seen; may be NULL */
} pts_store_dataset;

/* Notes it, or what has changed of it. Jobs may name data sets that were never noted. */
pts_status pts_store_note(pts_store *store, const pts_store_dataset *dataset, pts_error *err);

/* ---- Runs ---- */
typedef struct pts_store_run {
    const char *command;     /* the command line */
    const char *environment; /* processor, threads, features …; may be NULL */
    /* The rest is filled in by the store. Times are for people: nothing is decided by them. */
    int64_t id, started, ended; /* seconds since 1970; ended 0: it did not say so */
    const char *host, *code;    /* code: version and features of this library */
    int64_t process;            /* its id */
    bool alive;                 /* is its process there? 0 too where it is on another host */
    size_t done, failed, taken; /* jobs */
    double seconds;             /* of its points */
} pts_store_run;

/* Jobs can be taken from now on. One run a handle. */
pts_status pts_store_run_begin(pts_store *store, const pts_store_run *run, pts_error *err);
/* Frees what the run still holds. */
pts_status pts_store_run_end(pts_store *store, pts_error *err);

/* ---- Jobs ---- */
typedef struct pts_store_job {
    const char *dataset, *hash; /* as in pts_store_dataset */
    int class_id;               /* −1: known by its name only */
    const char *class_name;
    const char *trainer;  /* "builtin", or the command */
    const char *settings; /* whatever else decides the result, in the trainer's own words */
    const char *mode;     /* "fresh", "incremental" or "base" */
    uint64_t seed;        /* below 2^63 */
    size_t n;             /* training images; 0: a whole curve, whose sizes depend on each other */
} pts_store_job;          /* all of it together names the job */

typedef enum pts_store_state {
    PTS_STORE_OPEN,  /* to be done */
    PTS_STORE_TAKEN, /* some run is at it */
    PTS_STORE_DONE,
    PTS_STORE_FAILED
} pts_store_state;

const char *pts_store_state_text(pts_store_state state); /* "open", "taken", "done", "failed" */

typedef struct pts_store_claim {
    pts_store_state state; /* OPEN: another run is at it, ask again later; TAKEN: it is yours */
    int64_t job;           /* its number in this store */
    int64_t attempts;      /* how often it was taken, now included */
    char reason[400];      /* FAILED: why; OPEN: who is at it; else "" */
} pts_store_claim;

/* Takes a job, unless it is done, has failed (and retry_failed is false) or a run that lives is at
 * it, this one included. Several processes may ask at once: one gets it.
 *
 * Whether a run lives: on this host and in this process namespace, whether its process does; a
 * start of this host since then has ended it. Of another host or container only its beats can be
 * seen: it counts as dead when they stand still for PTS_STORE_STALE seconds of this host's
 * monotonic clock, between two questions by one handle. So clocks of two hosts are never compared,
 * and a run that waits for such a job asks again every now and then. */
pts_status pts_store_take(pts_store *store, const pts_store_job *job, bool retry_failed,
                          pts_store_claim *out, pts_error *err);

#define PTS_STORE_STALE 120 /* beat several times within this many seconds */

/* "This run lives", for all jobs that it holds. */
pts_status pts_store_beat(pts_store *store, pts_error *err);

typedef struct pts_store_point {
    size_t step;              /* from 0, rising within a job */
    size_t n;                 /* training images */
    double map, map50, map75; /* in [0, 1], of the test part; map50 and map75 NAN where not known */
    double val_map;           /* of the validation part; NAN: none */
    const char *kind;    /* "", or of incremental learning "green" (kept), "blue" (retrained) */
    double seconds;      /* ≥ 0: training and measuring */
    uint64_t peak_bytes; /* of memory; 0: not measured */
    int64_t created;     /* seconds since 1970; set by the store */
} pts_store_point;

/* The end of a job that this run holds: done with its points (at least one), failed with a reason,
 * or given back. PTS_ERR_CANCELLED where the run does not hold it any more: another host took it
 * for dead; nothing is written then. */
pts_status pts_store_done(pts_store *store, int64_t job,
                          const pts_store_point *points /* [count] */, size_t count,
                          pts_error *err);
pts_status pts_store_failed(pts_store *store, int64_t job, const char *reason, pts_error *err);
pts_status pts_store_release(pts_store *store, int64_t job, pts_error *err);

/* ---- Reading ----
 * visit is called for each row, in one snapshot of the store; its strings live for the call, and it
 * must not use the store. A return other than 0 stops: PTS_ERR_CANCELLED. */

/* What to take; NULL takes all values. */
typedef struct pts_store_filter {
    const char *dataset, *hash; /* hash: its first digits */
    const char *trainer, *settings, *mode;
} pts_store_filter;

/* The points of done jobs, ordered by data set (name, hash), class_id, class_name, trainer,
 * settings, mode, seed, the job's n, step (texts by bytes). */
pts_status pts_store_each(pts_store *store, const pts_store_filter *filter,
                          int (*visit)(void *user, const pts_store_job *job,
                                       const pts_store_point *point),
                          void *user, pts_error *err);

typedef struct pts_store_job_state {
    pts_store_job job;
    int64_t id, run, attempts; /* run: the last that took it; 0: none */
    pts_store_state state;
    const char *reason; /* "" unless it failed */
    size_t points;
    double seconds; /* of its points */
} pts_store_job_state;

/* All jobs, in the same order. */
pts_status pts_store_jobs(pts_store *store, const pts_store_filter *filter,
                          int (*visit)(void *user, const pts_store_job_state *job), void *user,
                          pts_error *err);

/* All runs, the oldest first. */
pts_status pts_store_runs(pts_store *store, int (*visit)(void *user, const pts_store_run *run),
                          void *user, pts_error *err);

/* ---- Export ----
 * Writes the curves to `path`, whole or not at all, ordered by data set, class_id, class_name, n,
 * seed. PTS_ERR_ARGUMENT, with a line that names two of them, where the points taken come from more
 * than one trainer, settings or mode, or from two data sets of one name; PTS_ERR_SHAPE where no
 * point is taken; filter NULL takes all. NAME.csv   header `dataset,class,n,map,map50,map75`, class
 * by its name, a row a point, so a size measured with several seeds is there several times; with
 * `mean`, one row a size, the mean of its seeds. %.9g; fields with a comma, quote or line end are
 * quoted as RFC 4180 says. Without map50 and map75 where a point has none. NAME.json  (builds with
 * jansson) the study's processed_result.json: a list, one object a class: {"class_num": 0,
 * "result_dict": {"0": [map, map50, map75], …}, "cls_tl_dict": [2, 4, …], "dataset": "coins",
 * "class": "Five"}; the last two keys are ours, the study kept one file a data set. Its shape has
 * one value a size: always means. class_num is the name where only that is known. *rows (may be
 * NULL): the points written. */
pts_status pts_store_export(pts_store *store, const char *path, const pts_store_filter *filter,
                            bool mean, size_t *rows, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
