/* Lists of what a store holds. */
#include "store/store.h"
#include "base/error.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>

#define JOB_COLUMNS                                                                                \
    "d.name, d.hash, j.class, j.class_name, j.trainer, j.settings, j.mode, j.seed, j.n"
#define JOB_ORDER                                                                                  \
    "ORDER BY d.name, d.hash, j.class, j.class_name, j.trainer, j.settings, j.mode, j.seed, j.n"

pts_status pts_store_bind_filter(const pts_store *store, sqlite3_stmt **out, const char *sql,
                                 const pts_store_filter *filter, pts_error *err)
{
    PTS_TRY(pts_store_prepare(store, out, sql, err));
    if (!filter)
        return PTS_OK;
    const char *const texts[] = {filter->dataset, filter->hash, filter->trainer, filter->settings,
                                 filter->mode};
    for (int i = 0; i < 5; i++)
        sqlite3_bind_text(*out, i + 1, texts[i], -1, SQLITE_STATIC); /* NULL binds NULL */
    return PTS_OK;
}

/* What each row goes through: `read` takes its columns, checks them and calls its visitor. */
typedef struct reader {
    const pts_store *store;
    pts_status (*read)(const struct reader *in, sqlite3_stmt *query, bool *stop, pts_error *err);
    int (*visit_point)(void *user, const pts_store_job *job, const pts_store_point *point);
    int (*visit_job)(void *user, const pts_store_job_state *job);
    int (*visit_run)(void *user, const pts_store_run *run);
    void *user;
} reader;

/* One statement is one snapshot: writers at work do not show in half a list. */
static pts_status read_rows(const reader *in, const char *sql, const pts_store_filter *filter,
                            pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(pts_store_bind_filter(in->store, &query, sql, filter, err));
    pts_status status = PTS_OK;
    bool stop = false;
    int code;
    while (status == PTS_OK && (code = sqlite3_step(query)) != SQLITE_DONE) {
        status =
            code == SQLITE_ROW ? in->read(in, query, &stop, err) : pts_store_fail(in->store, err);
        if (status == PTS_OK && stop)
            status = pts_fail(err, PTS_ERR_CANCELLED, "%s: cancelled", in->store->path);
    }
    sqlite3_finalize(query);
    return status;
}

static const char *text_at(sqlite3_stmt *query, int column)
{
    return (const char *)sqlite3_column_text(query, column);
}

/* Columns from `column` on into pointers of these kinds: 't' const char *, 'i' int64_t, 'u'
 * uint64_t, 'z' size_t, 'r' double, 'n' double, which is NAN where the column is NULL. */
static void scan(sqlite3_stmt *query, int column, const char *kinds, ...)
{
    va_list out;
    va_start(out, kinds);
    for (; *kinds; kinds++, column++) {
        if (*kinds == 't')
            *va_arg(out, const char **) = text_at(query, column);
        else if (*kinds == 'i')
            *va_arg(out, int64_t *) = sqlite3_column_int64(query, column);
        else if (*kinds == 'u')
            *va_arg(out, uint64_t *) = (uint64_t)sqlite3_column_int64(query, column);
        else if (*kinds == 'z')
            *va_arg(out, size_t *) = (size_t)sqlite3_column_int64(query, column);
        else if (*kinds == 'n' && sqlite3_column_type(query, column) == SQLITE_NULL)
            *va_arg(out, double *) = NAN;
        else
            *va_arg(out, double *) = sqlite3_column_double(query, column);
    }
    va_end(out);
}

/* The columns JOB_COLUMNS. The file may have been written by others: values are checked as if they
 * came from the caller. */
static pts_status take_job(const pts_store *store, sqlite3_stmt *query, pts_store_job *job,
                           pts_error *err)
{
    int64_t class_id;
    scan(query, 0, "ttittttuz", &job->dataset, &job->hash, &class_id, &job->class_name,
         &job->trainer, &job->settings, &job->mode, &job->seed, &job->n);
    job->class_id = class_id >= -1 && class_id <= INT_MAX ? (int)class_id : -2;
    return pts_store_check_job(store, job, err) == PTS_OK ? PTS_OK : PTS_ERR_FORMAT;
}

static pts_status read_point(const reader *in, sqlite3_stmt *query, bool *stop, pts_error *err)
{
    pts_store_job job;
    PTS_TRY(take_job(in->store, query, &job, err));
    pts_store_point point;
    scan(query, 9, "zzrnnntrui", &point.step, &point.n, &point.map, &point.map50, &point.map75,
         &point.val_map, &point.kind, &point.seconds, &point.peak_bytes, &point.created);
    if (pts_store_check_point(in->store, &point, err) != PTS_OK)
        return PTS_ERR_FORMAT;
    *stop = in->visit_point(in->user, &job, &point) != 0;
    return PTS_OK;
}

pts_status pts_store_each(pts_store *store, const pts_store_filter *filter,
                          int (*visit)(void *user, const pts_store_job *job,
                                       const pts_store_point *point),
                          void *user, pts_error *err)
{
    const reader in = {.store = store, .read = read_point, .visit_point = visit, .user = user};
    return read_rows(&in,
                     "SELECT " JOB_COLUMNS ", p.step, p.n, p.map, p.map50, p.map75, p.val_map, "
                     "p.kind, p.seconds, p.peak_bytes, p.created FROM point p JOIN job j ON "
                     "j.id = p.job JOIN dataset d ON d.id = j.dataset" STORE_WHERE
                     "AND j.state = 2 " JOB_ORDER ", p.step",
                     filter, err);
}

/* The mask keeps the state of a damaged file within the enum. */
static pts_status read_job(const reader *in, sqlite3_stmt *query, bool *stop, pts_error *err)
{
    pts_store_job_state job;
    int64_t state;
    scan(query, 9, "iiiitzr", &job.id, &job.run, &job.attempts, &state, &job.reason, &job.points,
         &job.seconds);
    job.state = (pts_store_state)(state & 3);
    PTS_TRY(take_job(in->store, query, &job.job, err));
    if (!job.reason)
        return pts_store_fail(in->store, err);
    *stop = in->visit_job(in->user, &job) != 0;
    return PTS_OK;
}

pts_status pts_store_jobs(pts_store *store, const pts_store_filter *filter,
                          int (*visit)(void *user, const pts_store_job_state *job), void *user,
                          pts_error *err)
{
    const reader in = {.store = store, .read = read_job, .visit_job = visit, .user = user};
    return read_rows(&in,
                     "SELECT " JOB_COLUMNS ", j.id, coalesce(j.run, 0), j.attempts, j.state, "
                     "j.reason, count(p.step), total(p.seconds) FROM job j JOIN dataset d ON "
                     "d.id = j.dataset LEFT JOIN point p ON p.job = j.id" STORE_WHERE
                     "GROUP BY j.id " JOB_ORDER,
                     filter, err);
}

/* Whether it lives; on another host that is not to be told by one look. */
static bool is_alive(const pts_store *store, sqlite3_stmt *query)
{
    store_holder holder = {.process = sqlite3_column_int64(query, 7),
                           .process_start = sqlite3_column_int64(query, 12)};
    sqlite3_snprintf(sizeof holder.host, holder.host, "%s", text_at(query, 5));
    sqlite3_snprintf(sizeof holder.boot, holder.boot, "%s", text_at(query, 13));
    return pts_store_holder_life(&store->self, &holder, store->network) == STORE_LIVES;
}

/* sqlite yields NULL for a text also when memory is short. */
static pts_status read_run(const reader *in, sqlite3_stmt *query, bool *stop, pts_error *err)
{
    pts_store_run run;
    scan(query, 0, "iiittttizzzr", &run.id, &run.started, &run.ended, &run.command,
         &run.environment, &run.host, &run.code, &run.process, &run.done, &run.failed, &run.taken,
         &run.seconds);
    if (!run.command || !run.environment || !run.host || !run.code)
        return pts_store_fail(in->store, err);
    run.alive = run.ended == 0 && is_alive(in->store, query);
    *stop = in->visit_run(in->user, &run) != 0;
    return PTS_OK;
}

pts_status pts_store_runs(pts_store *store, int (*visit)(void *user, const pts_store_run *run),
                          void *user, pts_error *err)
{
    const reader in = {.store = store, .read = read_run, .visit_run = visit, .user = user};
    return read_rows(&in,
                     "SELECT r.id, started, ended, command, environment, host, code, process, "
                     "count(j.id) FILTER (WHERE state = 2), count(j.id) FILTER (WHERE state = 3), "
                     "count(j.id) FILTER (WHERE state = 1), total((SELECT sum(seconds) FROM point "
                     "p WHERE p.job = j.id)), process_start, boot FROM run r LEFT JOIN job j ON "
                     "j.run = r.id GROUP BY r.id ORDER BY r.id",
                     NULL, err);
}
