/* Runs, and the jobs that they take and end. */
#include "store/store.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- What goes in ---- */

static pts_status check_text(const pts_store *store, const char *name, const char *text,
                             pts_error *err)
{
    if (text && strlen(text) <= STORE_MAX_TEXT)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_ARGUMENT, "%s: %s: expected a text of at most %d bytes, got %s",
                    store->path, name, STORE_MAX_TEXT, text ? "a longer one" : "none");
}

/* A filter by the first digits of a hash compares bytes: other spellings would be other data
 * sets. */
static pts_status check_hash(const pts_store *store, const char *hash, pts_error *err)
{
    size_t digits = hash ? strspn(hash, "0123456789abcdef") : 0;
    if (hash &&
        (strcmp(hash, PTS_STORE_UNKNOWN) == 0 || (digits > 0 && digits <= 128 && !hash[digits])))
        return PTS_OK;
    return pts_fail(err, PTS_ERR_ARGUMENT,
                    "%s: expected a data set's hash of hexadecimal digits, got '%.40s'",
                    store->path, hash ? hash : "");
}

pts_status pts_store_check_job(const pts_store *store, const pts_store_job *job, pts_error *err)
{
    PTS_TRY(check_text(store, "data set", job->dataset, err));
    PTS_TRY(check_hash(store, job->hash, err));
    PTS_TRY(check_text(store, "class", job->class_name, err));
    PTS_TRY(check_text(store, "trainer", job->trainer, err));
    PTS_TRY(check_text(store, "settings", job->settings, err));
    if (!job->mode || (strcmp(job->mode, "fresh") != 0 && strcmp(job->mode, "incremental") != 0 &&
                       strcmp(job->mode, "base") != 0))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "%s: expected mode fresh, incremental or base, got '%.40s'", store->path,
                        job->mode ? job->mode : "");
    if (job->class_id < -1 || job->n > INT64_MAX || job->seed > INT64_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "%s: expected class ≥ −1, n and seed below 2^63, got %d, %zu, %" PRIu64,
                        store->path, job->class_id, job->n, job->seed);
    return PTS_OK;
}

static bool is_share(double value)
{
    return value >= 0 && value <= 1;
}

static bool is_share_or_none(double value)
{
    return isnan(value) || is_share(value);
}

pts_status pts_store_check_point(const pts_store *store, const pts_store_point *point,
                                 pts_error *err)
{
    if (!is_share(point->map) || !is_share_or_none(point->map50) ||
        !is_share_or_none(point->map75) || !is_share_or_none(point->val_map))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "%s: expected map, map50, map75, val_map from 0 to 1, got %g, %g, %g, %g",
                        store->path, point->map, point->map50, point->map75, point->val_map);
    if (!(point->seconds >= 0 && isfinite(point->seconds)) || point->peak_bytes > INT64_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected seconds ≥ 0 and finite, got %g",
                        store->path, point->seconds);
    if (point->n == 0 || point->n > INT64_MAX || point->step > INT64_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "%s: expected a point with n ≥ 1 and step ≥ 0, got %zu, %zu", store->path,
                        point->n, point->step);
    return check_text(store, "kind", point->kind, err);
}

/* ---- Statements with values ---- */

/* `kinds` has a letter for each value: t a text (NULL is ""), i an int64_t, d a double (NAN is
 * NULL). Texts are borrowed until the statement is released. */
static pts_status bind_values(const pts_store *store, sqlite3_stmt **out, const char *sql,
                              const char *kinds, va_list values, pts_error *err)
{
    PTS_TRY(pts_store_prepare(store, out, sql, err));
    for (int at = 1; *kinds; at++) {
        char kind = *kinds++;
        const char *text = kind == 't' ? va_arg(values, const char *) : NULL;
        double number = kind == 'd' ? va_arg(values, double) : 0;
        if (kind == 't')
            sqlite3_bind_text(*out, at, text ? text : "", -1, SQLITE_STATIC);
        else if (kind == 'i')
            sqlite3_bind_int64(*out, at, va_arg(values, int64_t));
        else if (isnan(number))
            sqlite3_bind_null(*out, at);
        else
            sqlite3_bind_double(*out, at, number);
    }
    return PTS_OK;
}

/* To be stepped through and released by the caller. */
static pts_status query(const pts_store *store, sqlite3_stmt **out, pts_error *err, const char *sql,
                        const char *kinds, ...)
{
    va_list values;
    va_start(values, kinds);
    pts_status status = bind_values(store, out, sql, kinds, values, err);
    va_end(values);
    return status;
}

/* A statement without rows, whole. */
static pts_status execute(const pts_store *store, pts_error *err, const char *sql,
                          const char *kinds, ...)
{
    sqlite3_stmt *statement;
    va_list values;
    va_start(values, kinds);
    pts_status status = bind_values(store, &statement, sql, kinds, values, err);
    va_end(values);
    return status == PTS_OK ? pts_store_finish(store, statement, err) : status;
}

/* ---- Data sets ---- */

pts_status pts_store_note(pts_store *store, const pts_store_dataset *dataset, pts_error *err)
{
    PTS_TRY(check_text(store, "data set", dataset->name, err));
    PTS_TRY(check_hash(store, dataset->hash, err));
    return execute(store, err,
                   "INSERT INTO dataset (name, hash, images, classes, path) "
                   "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                   "images = excluded.images, classes = excluded.classes, path = excluded.path",
                   "ttiit", dataset->name, dataset->hash, (int64_t)dataset->images,
                   (int64_t)dataset->classes, dataset->path);
}

/* The row of a job's data set, which is made where there is none: a job may come without a note. */
static pts_status find_dataset(const pts_store *store, const pts_store_job *job, int64_t *id,
                               pts_error *err)
{
    sqlite3_stmt *found;
    PTS_TRY(execute(store, err,
                    "INSERT OR IGNORE INTO dataset (name, hash, images, classes, path) "
                    "VALUES (?, ?, 0, 0, '')",
                    "tt", job->dataset, job->hash));
    PTS_TRY(query(store, &found, err, "SELECT id FROM dataset WHERE name = ? AND hash = ?", "tt",
                  job->dataset, job->hash));
    return pts_store_integer(store, found, id, err);
}

/* ---- Runs ---- */

/* Host, boot, process and its start tell a process from a later one of the same number. */
static pts_status insert_run(const pts_store *store, const pts_store_run *run, pts_error *err)
{
    pts_build build = pts_build_info();
    char code[128];
    snprintf(code, sizeof code, "%s %s", build.version, build.features);
    return execute(store, err,
                   "INSERT INTO run (started, ended, command, environment, code, host, "
                   "boot, process, process_start, beat) VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, 0)",
                   "itttttii", (int64_t)time(NULL), run->command, run->environment, code,
                   store->self.host, store->self.boot, store->self.process,
                   store->self.process_start);
}

pts_status pts_store_run_begin(pts_store *store, const pts_store_run *run, pts_error *err)
{
    if (store->run)
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected one run a handle, got a second",
                        store->path);
    PTS_TRY(check_text(store, "command", run->command, err));
    PTS_TRY(check_text(store, "environment", run->environment ? run->environment : "", err));
    PTS_TRY(insert_run(store, run, err));
    store->run = sqlite3_last_insert_rowid(store->db);
    return PTS_OK;
}

static pts_status check_run(const pts_store *store, pts_error *err)
{
    if (store->run)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected a run that was begun, got none",
                    store->path);
}

/* A statement whose only value is this run. */
static pts_status of_run(const pts_store *store, const char *sql, pts_error *err)
{
    return execute(store, err, sql, "i", store->run);
}

/* What it still holds is given back, so that nobody has to wait until it counts as dead. */
static pts_status end_run(const pts_store *store, pts_error *err)
{
    PTS_TRY(of_run(store, "UPDATE job SET state = 0 WHERE run = ? AND state = 1", err));
    return of_run(store,
                  "UPDATE run SET ended = max(started, CAST(strftime('%s', 'now') AS INTEGER)) "
                  "WHERE id = ?",
                  err);
}

pts_status pts_store_run_end(pts_store *store, pts_error *err)
{
    PTS_TRY(check_run(store, err));
    PTS_TRY(pts_store_exec(store, "BEGIN IMMEDIATE", err));
    PTS_TRY(pts_store_end(store, end_run(store, err), err));
    store->run = 0;
    return PTS_OK;
}

pts_status pts_store_beat(pts_store *store, pts_error *err)
{
    PTS_TRY(check_run(store, err));
    return of_run(store, "UPDATE run SET beat = beat + 1 WHERE id = ?", err);
}

/* ---- Taking a job ---- */

const char *pts_store_state_text(pts_store_state state)
{
    static const char *const texts[] = {"open", "taken", "done", "failed"};
    return (unsigned)state < sizeof texts / sizeof *texts ? texts[state] : "?";
}

/* The eight columns that name a job, in the order of the table. */
#define JOB_KINDS "iittttii"
#define JOB_VALUES(job, dataset)                                                                   \
    (int64_t)(dataset), (int64_t)(job)->class_id, (job)->class_name, (job)->trainer,               \
        (job)->settings, (job)->mode, (int64_t)(job)->seed, (int64_t)(job)->n

/* Who had a job last. */
typedef struct last_holder {
    int64_t run, beat; /* run 0: nobody */
    store_holder holder;
} last_holder;

/* NULL, of a job without a run, becomes "". */
static void copy_column(char *to, size_t size, sqlite3_stmt *query, int column)
{
    const char *text = (const char *)sqlite3_column_text(query, column);
    snprintf(to, size, "%s", text ? text : "");
}

/* A job that nobody has taken has no run: its columns are NULL, which become 0 and "". */
static void take_columns(sqlite3_stmt *query, pts_store_claim *claim, last_holder *last)
{
    claim->job = sqlite3_column_int64(query, 0);
    claim->state = (pts_store_state)sqlite3_column_int(query, 1);
    claim->attempts = sqlite3_column_int64(query, 2);
    copy_column(claim->reason, sizeof claim->reason, query, 3);
    last->run = sqlite3_column_int64(query, 4);
    last->beat = sqlite3_column_int64(query, 5);
    copy_column(last->holder.host, sizeof last->holder.host, query, 6);
    copy_column(last->holder.boot, sizeof last->holder.boot, query, 7);
    last->holder.process = sqlite3_column_int64(query, 8);
    last->holder.process_start = sqlite3_column_int64(query, 9);
}

/* LEFT JOIN, as a job that was never taken has no run. */
static pts_status find_job(const pts_store *store, const pts_store_job *job, int64_t dataset,
                           pts_store_claim *claim, last_holder *last, pts_error *err)
{
    sqlite3_stmt *found;
    PTS_TRY(query(
        store, &found, err,
        "SELECT j.id, state, attempts, reason, r.id, beat, host, boot, process, process_start "
        "FROM job j LEFT JOIN run r ON r.id = j.run WHERE dataset = ? AND class = ? AND "
        "class_name = ? AND trainer = ? AND settings = ? AND mode = ? AND seed = ? AND n = ?",
        JOB_KINDS, JOB_VALUES(job, dataset)));
    pts_status status = PTS_OK;
    if (sqlite3_step(found) == SQLITE_ROW)
        take_columns(found, claim, last);
    else
        status = pts_store_fail(store, err);
    sqlite3_finalize(found);
    return status;
}

/* *still: has the run's beat stood still, as we saw it, for as long as a beat may take? */
static pts_status look_at_beat(pts_store *store, const last_holder *last, bool *still,
                               pts_error *err)
{
    double now = pts_clock();
    size_t i = 0;
    *still = false;
    while (i < store->n_seen && store->seen[i].run != last->run)
        i++;
    if (i == store->n_seen) {
        PTS_TRY(pts_grow(&store->seen, &store->seen_capacity, i + 1, sizeof *store->seen, err));
        store->seen[store->n_seen++] = (store_sighting){last->run, last->beat, now};
    } else if (store->seen[i].beat != last->beat) {
        store->seen[i] = (store_sighting){last->run, last->beat, now};
    } else {
        *still = now - store->seen[i].at >= store->stale;
    }
    return PTS_OK;
}

/* Of a run on another host only beats can be seen. */
static pts_status is_held(pts_store *store, const last_holder *last, bool *held, pts_error *err)
{
    store_life life = pts_store_holder_life(&store->self, &last->holder, store->network);
    bool gone = !last->run, others = last->run != store->run;
    if (others && life == STORE_GONE)
        gone = true;
    else if (last->run && others && life == STORE_ELSEWHERE)
        PTS_TRY(look_at_beat(store, last, &gone, err));
    *held = !gone;
    return PTS_OK;
}

static pts_status set_taken(const pts_store *store, pts_store_claim *claim, pts_error *err)
{
    claim->state = PTS_STORE_TAKEN;
    claim->attempts++;
    claim->reason[0] = '\0';
    return execute(store, err,
                   "UPDATE job SET state = 1, attempts = attempts + 1, reason = '', run = ? "
                   "WHERE id = ?",
                   "ii", store->run, claim->job);
}

/* Within a transaction: between looking and taking no other process comes. */
static pts_status take(pts_store *store, const pts_store_job *job, bool retry_failed,
                       pts_store_claim *claim, pts_error *err)
{
    int64_t dataset = 0;
    bool held = false;
    last_holder last = {0};
    PTS_TRY(find_dataset(store, job, &dataset, err));
    PTS_TRY(execute(store, err,
                    "INSERT OR IGNORE INTO job (dataset, class, class_name, trainer, settings, "
                    "mode, seed, n, state, attempts, reason) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '')",
                    JOB_KINDS, JOB_VALUES(job, dataset)));
    PTS_TRY(find_job(store, job, dataset, claim, &last, err));
    if (claim->state == PTS_STORE_DONE || (claim->state == PTS_STORE_FAILED && !retry_failed))
        return PTS_OK;
    if (claim->state == PTS_STORE_TAKEN)
        PTS_TRY(is_held(store, &last, &held, err));
    if (!held)
        return set_taken(store, claim, err);
    claim->state = PTS_STORE_OPEN;
    snprintf(claim->reason, sizeof claim->reason, "process %" PRId64 " on %s is at it",
             last.holder.process, last.holder.host);
    return PTS_OK;
}

pts_status pts_store_take(pts_store *store, const pts_store_job *job, bool retry_failed,
                          pts_store_claim *out, pts_error *err)
{
    *out = (pts_store_claim){0};
    PTS_TRY(check_run(store, err));
    PTS_TRY(pts_store_check_job(store, job, err));
    PTS_TRY(pts_store_exec(store, "BEGIN IMMEDIATE", err));
    return pts_store_end(store, take(store, job, retry_failed, out, err), err);
}

/* ---- Ending a job ---- */

/* Only the run that holds a job ends it: what it did meanwhile may be another's by now. */
static pts_status set_state(const pts_store *store, int64_t job, pts_store_state state,
                            const char *reason, pts_error *err)
{
    PTS_TRY(execute(store, err,
                    "UPDATE job SET state = ?, reason = ? WHERE id = ? AND run = ? AND state = 1",
                    "itii", (int64_t)state, reason, job, store->run));
    if (sqlite3_changes(store->db) == 1)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_CANCELLED,
                    "%s: job %" PRId64 ": expected that this run holds it, got that it does not",
                    store->path, job);
}

static pts_status insert_point(const pts_store *store, int64_t job, const pts_store_point *p,
                               pts_error *err)
{
    return execute(store, err, "INSERT INTO point VALUES (?,?,?,?,?,?,?,?,?,?,?)", "iiiddddtdii",
                   job, (int64_t)p->step, (int64_t)p->n, p->map, p->map50, p->map75, p->val_map,
                   p->kind, p->seconds, (int64_t)p->peak_bytes, (int64_t)time(NULL));
}

/* State and points in one transaction: a job is never done without them. */
static pts_status finish_job(const pts_store *store, int64_t job, const pts_store_point *points,
                             size_t count, pts_error *err)
{
    PTS_TRY(set_state(store, job, PTS_STORE_DONE, "", err));
    for (size_t i = 0; i < count; i++)
        PTS_TRY(insert_point(store, job, &points[i], err));
    return PTS_OK;
}

pts_status pts_store_done(pts_store *store, int64_t job, const pts_store_point *points,
                          size_t count, pts_error *err)
{
    PTS_TRY(check_run(store, err));
    for (size_t i = 0; i < count; i++) {
        PTS_TRY(pts_store_check_point(store, &points[i], err));
        if (i > 0 && points[i].step <= points[i - 1].step)
            return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected rising steps, got %zu after %zu",
                            store->path, points[i].step, points[i - 1].step);
    }
    if (count == 0)
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected points of a job, got none",
                        store->path);
    PTS_TRY(pts_store_exec(store, "BEGIN IMMEDIATE", err));
    return pts_store_end(store, finish_job(store, job, points, count, err), err);
}

pts_status pts_store_failed(pts_store *store, int64_t job, const char *reason, pts_error *err)
{
    PTS_TRY(check_run(store, err));
    PTS_TRY(check_text(store, "reason", reason, err));
    return set_state(store, job, PTS_STORE_FAILED, reason, err);
}

pts_status pts_store_release(pts_store *store, int64_t job, pts_error *err)
{
    PTS_TRY(check_run(store, err));
    return set_state(store, job, PTS_STORE_OPEN, "", err);
}
