/* One row a measurement, over the tables of jobs and points. */
#include "data/store.h"
#include "base/error.h"

static pts_store_job job_of(const pts_store_key *key)
{
    return (pts_store_job){.dataset = key->dataset,
                           .hash = PTS_STORE_UNKNOWN,
                           .class_id = key->class_id,
                           .class_name = key->class_name,
                           .trainer = key->trainer,
                           .settings = key->settings,
                           .mode = "fresh",
                           .seed = key->seed,
                           .n = key->n};
}

static pts_status begin_run(pts_store *store, pts_error *err)
{
    return store->run
               ? PTS_OK
               : pts_store_run_begin(store, &(pts_store_run){.command = "ptstrain collect"}, err);
}

pts_status pts_store_has(pts_store *store, const pts_store_key *key, int *has, pts_error *err)
{
    sqlite3_stmt *query;
    int64_t count = 0;
    *has = 0;
    const pts_store_filter filter = {key->dataset, PTS_STORE_UNKNOWN, key->trainer, key->settings,
                                     "fresh"};
    PTS_TRY(store_filter(store, &query,
                         "SELECT count(*) FROM job j JOIN dataset d ON d.id = j.dataset" STORE_WHERE
                         "AND j.class = ?6 AND j.class_name = ?7 AND j.seed = ?8 AND j.n = ?9 "
                         "AND j.state = 2",
                         &filter, err));
    sqlite3_bind_int(query, 6, key->class_id);
    sqlite3_bind_text(query, 7, key->class_name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(query, 8, (sqlite3_int64)key->seed);
    sqlite3_bind_int64(query, 9, (sqlite3_int64)key->n);
    PTS_TRY(store_integer(store, query, &count, err));
    *has = count > 0;
    return PTS_OK;
}

/* Opens a done job again. */
static pts_status reopen(const pts_store *store, int64_t job, pts_error *err)
{
    char sql[160];
    sqlite3_snprintf(sizeof sql, sql,
                     "BEGIN IMMEDIATE; DELETE FROM point WHERE job = %lld; "
                     "UPDATE job SET state = 0 WHERE id = %lld",
                     (long long)job, (long long)job);
    return store_end(store, store_exec(store, sql, err), err);
}

pts_status pts_store_add(pts_store *store, const pts_store_row *row, pts_error *err)
{
    pts_store_job job = job_of(&row->key);
    const pts_store_point point = {.n = row->key.n,
                                   .map = row->map,
                                   .map50 = row->map50,
                                   .map75 = row->map75,
                                   .val_map = __builtin_nan(""),
                                   .kind = "",
                                   .seconds = row->seconds,
                                   .peak_bytes = row->peak_bytes};
    pts_store_claim claim;
    PTS_TRY(begin_run(store, err));
    PTS_TRY(pts_store_take(store, &job, 1, &claim, err));
    if (claim.state == PTS_STORE_DONE) {
        PTS_TRY(reopen(store, claim.job, err));
        PTS_TRY(pts_store_take(store, &job, 1, &claim, err));
    }
    if (claim.state != PTS_STORE_TAKEN)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", store->path, claim.reason);
    return pts_store_done(store, claim.job, &point, 1, err);
}
