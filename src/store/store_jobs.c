/* Runs, and the jobs that they take and end. */
#include "store/store.h"
#include "base/error.h"
#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
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

static int is_share(double value)
{
    return value >= 0 && value <= 1;
}

static int is_share_or_none(double value)
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

static void bind(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_text(statement, at, text ? text : "", -1, SQLITE_STATIC);
}

/* ---- Data sets ---- */

static pts_status note(const pts_store *store, const pts_store_dataset *dataset, pts_error *err)
{
    sqlite3_stmt *insert;
    PTS_TRY(pts_store_prepare(store, &insert,
                              "INSERT INTO dataset (name, hash, images, classes, path) "
                              "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                              "images = excluded.images, classes = excluded.classes, "
                              "path = excluded.path",
                              err));
    bind(insert, 1, dataset->name);
    bind(insert, 2, dataset->hash);
    sqlite3_bind_int64(insert, 3, (sqlite3_int64)dataset->images);
    sqlite3_bind_int64(insert, 4, (sqlite3_int64)dataset->classes);
    bind(insert, 5, dataset->path);
    return pts_store_finish(store, insert, err);
}

pts_status pts_store_note(pts_store *store, const pts_store_dataset *dataset, pts_error *err)
{
    PTS_TRY(check_text(store, "data set", dataset->name, err));
    PTS_TRY(check_hash(store, dataset->hash, err));
    return note(store, dataset, err);
}

static pts_status find_dataset(const pts_store *store, const pts_store_job *job, int64_t *id,
                               pts_error *err)
{
    sqlite3_stmt *statement;
    PTS_TRY(pts_store_prepare(store, &statement,
                              "INSERT OR IGNORE INTO dataset (name, hash, images, classes, path) "
                              "VALUES (?, ?, 0, 0, '')",
                              err));
    bind(statement, 1, job->dataset);
    bind(statement, 2, job->hash);
    PTS_TRY(pts_store_finish(store, statement, err));
    PTS_TRY(pts_store_prepare(store, &statement,
                              "SELECT id FROM dataset WHERE name = ? AND hash = ?", err));
    bind(statement, 1, job->dataset);
    bind(statement, 2, job->hash);
    return pts_store_integer(store, statement, id, err);
}

/* ---- Runs ---- */

static pts_status insert_run(const pts_store *store, const pts_store_run *run, pts_error *err)
{
    pts_build build = pts_build_info();
    char code[128];
    snprintf(code, sizeof code, "%s %s", build.version, build.features);
    sqlite3_stmt *insert;
    PTS_TRY(pts_store_prepare(store, &insert,
                              "INSERT INTO run (started, ended, command, environment, code, host, "
                              "boot, process, process_start, beat) "
                              "VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, 0)",
                              err));
    sqlite3_bind_int64(insert, 1, (sqlite3_int64)time(NULL));
    bind(insert, 2, run->command);
    bind(insert, 3, run->environment);
    bind(insert, 4, code);
    bind(insert, 5, store->self.host);
    bind(insert, 6, store->self.boot);
    sqlite3_bind_int64(insert, 7, store->self.process);
    sqlite3_bind_int64(insert, 8, store->self.process_start);
    return pts_store_finish(store, insert, err);
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
    sqlite3_stmt *statement;
    PTS_TRY(pts_store_prepare(store, &statement, sql, err));
    sqlite3_bind_int64(statement, 1, store->run);
    return pts_store_finish(store, statement, err);
}

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
static void bind_job(sqlite3_stmt *statement, const pts_store_job *job, int64_t dataset)
{
    sqlite3_bind_int64(statement, 1, dataset);
    sqlite3_bind_int(statement, 2, job->class_id);
    bind(statement, 3, job->class_name);
    bind(statement, 4, job->trainer);
    bind(statement, 5, job->settings);
    bind(statement, 6, job->mode);
    sqlite3_bind_int64(statement, 7, (sqlite3_int64)job->seed);
    sqlite3_bind_int64(statement, 8, (sqlite3_int64)job->n);
}

static pts_status insert_job(const pts_store *store, const pts_store_job *job, int64_t dataset,
                             pts_error *err)
{
    sqlite3_stmt *insert;
    PTS_TRY(pts_store_prepare(store, &insert,
                              "INSERT OR IGNORE INTO job (dataset, class, class_name, trainer, "
                              "settings, mode, seed, n, state, attempts, reason) "
                              "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '')",
                              err));
    bind_job(insert, job, dataset);
    return pts_store_finish(store, insert, err);
}

/* Who had a job last. */
typedef struct last_holder {
    int64_t run, beat; /* run 0: nobody */
    store_holder holder;
} last_holder;

static void copy_column(char *to, size_t size, sqlite3_stmt *query, int column)
{
    const char *text = (const char *)sqlite3_column_text(query, column);
    snprintf(to, size, "%s", text ? text : "");
}

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

static pts_status find_job(const pts_store *store, const pts_store_job *job, int64_t dataset,
                           pts_store_claim *claim, last_holder *last, pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(pts_store_prepare(
        store, &query,
        "SELECT j.id, state, attempts, reason, r.id, beat, host, boot, process, process_start "
        "FROM job j LEFT JOIN run r ON r.id = j.run WHERE dataset = ? AND class = ? AND "
        "class_name = ? AND trainer = ? AND settings = ? AND mode = ? AND seed = ? AND n = ?",
        err));
    bind_job(query, job, dataset);
    pts_status status = PTS_OK;
    if (sqlite3_step(query) == SQLITE_ROW)
        take_columns(query, claim, last);
    else
        status = pts_store_fail(store, err);
    sqlite3_finalize(query);
    return status;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* *still: has the run's beat stood still, as we saw it, for as long as a beat may take? */
static pts_status look_at_beat(pts_store *store, const last_holder *last, int *still,
                               pts_error *err)
{
    double now = seconds_now();
    size_t i = 0;
    *still = 0;
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

static pts_status is_held(pts_store *store, const last_holder *last, int *held, pts_error *err)
{
    store_life life = pts_store_holder_life(&store->self, &last->holder, store->network);
    int gone = 0;
    if (!last->run || (last->run != store->run && life == STORE_GONE))
        gone = 1;
    else if (last->run != store->run && life == STORE_ELSEWHERE)
        PTS_TRY(look_at_beat(store, last, &gone, err));
    *held = !gone;
    return PTS_OK;
}

static pts_status set_taken(const pts_store *store, pts_store_claim *claim, pts_error *err)
{
    sqlite3_stmt *update;
    PTS_TRY(pts_store_prepare(store, &update,
                              "UPDATE job SET state = 1, attempts = attempts + 1, reason = '', "
                              "run = ? WHERE id = ?",
                              err));
    sqlite3_bind_int64(update, 1, store->run);
    sqlite3_bind_int64(update, 2, claim->job);
    claim->state = PTS_STORE_TAKEN;
    claim->attempts++;
    claim->reason[0] = '\0';
    return pts_store_finish(store, update, err);
}

static pts_status take(pts_store *store, const pts_store_job *job, int retry_failed,
                       pts_store_claim *claim, pts_error *err)
{
    int64_t dataset = 0;
    int held = 0;
    last_holder last = {0};
    PTS_TRY(find_dataset(store, job, &dataset, err));
    PTS_TRY(insert_job(store, job, dataset, err));
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

pts_status pts_store_take(pts_store *store, const pts_store_job *job, int retry_failed,
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
    sqlite3_stmt *update;
    PTS_TRY(pts_store_prepare(store, &update,
                              "UPDATE job SET state = ?, reason = ? "
                              "WHERE id = ? AND run = ? AND state = 1",
                              err));
    sqlite3_bind_int(update, 1, (int)state);
    bind(update, 2, reason);
    sqlite3_bind_int64(update, 3, job);
    sqlite3_bind_int64(update, 4, store->run);
    PTS_TRY(pts_store_finish(store, update, err));
    if (sqlite3_changes(store->db) == 1)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_CANCELLED,
                    "%s: job %" PRId64 ": expected that this run holds it, got that it does not",
                    store->path, job);
}

static void bind_or_null(sqlite3_stmt *statement, int at, double value)
{
    if (isnan(value))
        sqlite3_bind_null(statement, at);
    else
        sqlite3_bind_double(statement, at, value);
}

static pts_status insert_point(const pts_store *store, int64_t job, const pts_store_point *point,
                               pts_error *err)
{
    sqlite3_stmt *insert;
    PTS_TRY(
        pts_store_prepare(store, &insert, "INSERT INTO point VALUES (?,?,?,?,?,?,?,?,?,?,?)", err));
    sqlite3_bind_int64(insert, 1, job);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)point->step);
    sqlite3_bind_int64(insert, 3, (sqlite3_int64)point->n);
    sqlite3_bind_double(insert, 4, point->map);
    bind_or_null(insert, 5, point->map50);
    bind_or_null(insert, 6, point->map75);
    bind_or_null(insert, 7, point->val_map);
    bind(insert, 8, point->kind);
    sqlite3_bind_double(insert, 9, point->seconds);
    sqlite3_bind_int64(insert, 10, (sqlite3_int64)point->peak_bytes);
    sqlite3_bind_int64(insert, 11, (sqlite3_int64)time(NULL));
    return pts_store_finish(store, insert, err);
}

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
