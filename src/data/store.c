/* The store of results: one table in one SQLite file. */
#include "data/store.h"
#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define APPLICATION_ID 0x50545352 /* "PTSR", in the file's header */
#define SCHEMA_VERSION 1
#define BUSY_MILLISECONDS 30000
#define MAX_TEXT (1 << 20)

static const char schema[] =
    "CREATE TABLE result (dataset TEXT NOT NULL, class INTEGER NOT NULL, class_name TEXT NOT NULL, "
    "trainer TEXT NOT NULL, settings TEXT NOT NULL, seed INTEGER NOT NULL, n INTEGER NOT NULL, "
    "map REAL NOT NULL, map50 REAL NOT NULL, map75 REAL NOT NULL, seconds REAL NOT NULL, "
    "peak_bytes INTEGER NOT NULL, created INTEGER NOT NULL, "
    "PRIMARY KEY (dataset, class, class_name, trainer, settings, seed, n)) STRICT, WITHOUT ROWID";

pts_status store_fail(const pts_store *store, pts_error *err)
{
    int code = sqlite3_errcode(store->db), system = sqlite3_system_errno(store->db);
    if (code == SQLITE_NOMEM)
        return pts_fail(err, PTS_ERR_MEMORY, "%s: out of memory", store->path);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a store of results, got: %s",
                        store->path, sqlite3_errmsg(store->db));
    if (code == SQLITE_CANTOPEN && system)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", store->path, strerror(system));
    return pts_fail(err, PTS_ERR_IO, "%s: %s", store->path, sqlite3_errmsg(store->db));
}

pts_status store_prepare(const pts_store *store, sqlite3_stmt **out, const char *sql,
                         pts_error *err)
{
    if (sqlite3_prepare_v2(store->db, sql, -1, out, NULL) == SQLITE_OK)
        return PTS_OK;
    return store_fail(store, err);
}

pts_status store_run(const pts_store *store, const char *sql, pts_error *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return PTS_OK;
    return store_fail(store, err);
}

static pts_status read_integer(const pts_store *store, const char *sql, sqlite3_int64 *value,
                               pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(store_prepare(store, &query, sql, err));
    pts_status status = PTS_OK;
    if (sqlite3_step(query) == SQLITE_ROW)
        *value = sqlite3_column_int64(query, 0);
    else
        status = store_fail(store, err);
    sqlite3_finalize(query);
    return status;
}

/* A store is small, so each opening may read it whole: damage is told before a run, not after. */
static pts_status check_pages(const pts_store *store, pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(store_prepare(store, &query, "PRAGMA quick_check(1)", err));
    pts_status status = PTS_OK;
    if (sqlite3_step(query) != SQLITE_ROW) {
        status = store_fail(store, err);
    } else {
        const char *verdict = (const char *)sqlite3_column_text(query, 0);
        if (!verdict || strcmp(verdict, "ok") != 0)
            status = pts_fail(err, PTS_ERR_FORMAT, "%s: expected an undamaged store, got: %.200s",
                              store->path, verdict ? verdict : "nothing");
    }
    sqlite3_finalize(query);
    return status;
}

/* Our one table and nothing else: no view or trigger of a stranger's ever runs. */
static pts_status check_table(const pts_store *store, pts_error *err)
{
    sqlite3_int64 version = 0, ours = 0, objects = 0;
    PTS_TRY(read_integer(store, "PRAGMA user_version", &version, err));
    if (version != SCHEMA_VERSION)
        return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: expected a store of version %d, got %lld",
                        store->path, SCHEMA_VERSION, (long long)version);
    PTS_TRY(read_integer(store, "SELECT count(*) FROM sqlite_schema", &objects, err));
    sqlite3_stmt *query;
    PTS_TRY(store_prepare(store, &query, "SELECT 1 FROM sqlite_schema WHERE sql = ?", err));
    sqlite3_bind_text(query, 1, schema, -1, SQLITE_STATIC);
    ours = sqlite3_step(query) == SQLITE_ROW;
    sqlite3_finalize(query);
    if (!ours || objects != 1)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected the one table of a store, got others",
                        store->path);
    return check_pages(store, err);
}

static pts_status make_table(const pts_store *store, pts_error *err)
{
    char pragmas[96];
    sqlite3_snprintf(sizeof pragmas, pragmas,
                     "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                     SCHEMA_VERSION);
    PTS_TRY(store_run(store, schema, err));
    return store_run(store, pragmas, err);
}

static pts_status check_or_make(const pts_store *store, pts_store_mode mode, pts_error *err)
{
    sqlite3_int64 application = 0, objects = 0;
    PTS_TRY(read_integer(store, "PRAGMA application_id", &application, err));
    PTS_TRY(read_integer(store, "SELECT count(*) FROM sqlite_schema", &objects, err));
    if (mode == PTS_STORE_WRITE && application == 0 && objects == 0)
        return make_table(store, err);
    if (application != APPLICATION_ID)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: expected a store of results, got another database", store->path);
    return check_table(store, err);
}

/* BEGIN IMMEDIATE lets one of two processes that both find no store make it. */
static pts_status prepare_file(const pts_store *store, pts_store_mode mode, pts_error *err)
{
    sqlite3_busy_timeout(store->db, BUSY_MILLISECONDS);
    sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, 4 * MAX_TEXT);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    PTS_TRY(store_run(store, "PRAGMA trusted_schema = OFF; PRAGMA synchronous = EXTRA", err));
    PTS_TRY(store_run(store, mode == PTS_STORE_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", err));
    PTS_TRY(check_or_make(store, mode, err)); /* a failure closes the store, which rolls back */
    return store_run(store, "COMMIT", err);
}

/* Reading opens for writing too, where the file allows it: what a killed writer left half done is
 * rolled back by whoever comes next. */
static pts_status open_file(pts_store *store, const char *path, pts_store_mode mode, pts_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (mode == PTS_STORE_WRITE)
        flags |= SQLITE_OPEN_CREATE;
    /* "./" before relative names: ":memory:" would be a database that vanishes. */
    char *name = sqlite3_mprintf("%s%s", path[0] == '/' ? "" : "./", path);
    store->path = sqlite3_mprintf("%s", path);
    if (!name || !store->path) {
        sqlite3_free(name);
        return pts_fail_memory(err, strlen(path) + 3);
    }
    int code = sqlite3_open_v2(name, &store->db, flags, NULL);
    sqlite3_free(name);
    if (code != SQLITE_OK)
        return store->db ? store_fail(store, err) : pts_fail_memory(err, sizeof *store);
    return prepare_file(store, mode, err);
}

pts_status pts_store_open(pts_store **out, const char *path, pts_store_mode mode, pts_error *err)
{
    *out = NULL;
    if (!path[0])
        return pts_fail(err, PTS_ERR_ARGUMENT, "store: expected the name of a file, got ''");
    pts_store *store = calloc(1, sizeof *store);
    if (!store)
        return pts_fail_memory(err, sizeof *store);
    pts_status status = open_file(store, path, mode, err);
    if (status == PTS_OK)
        *out = store;
    else
        pts_store_close(store);
    return status;
}

void pts_store_close(pts_store *store)
{
    if (!store)
        return;
    sqlite3_close(store->db);
    sqlite3_free(store->path);
    free(store);
}

static pts_status check_key(const pts_store *store, const pts_store_key *key, pts_error *err)
{
    const char *const texts[] = {key->dataset, key->class_name, key->trainer, key->settings};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i] || strlen(texts[i]) > MAX_TEXT)
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "%s: expected a key with texts of at most %d bytes", store->path,
                            MAX_TEXT);
    }
    if (key->class_id < 0 || key->n == 0 || key->n > INT64_MAX || key->seed > INT64_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "%s: expected class ≥ 0, n ≥ 1 and a seed below 2^63, got %d, %zu, %llu",
                        store->path, key->class_id, key->n, (unsigned long long)key->seed);
    return PTS_OK;
}

/* The key's seven columns, in the order of the table. */
static void bind_key(sqlite3_stmt *statement, const pts_store_key *key)
{
    sqlite3_bind_text(statement, 1, key->dataset, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, key->class_id);
    sqlite3_bind_text(statement, 3, key->class_name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, key->trainer, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 5, key->settings, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 6, (sqlite3_int64)key->seed);
    sqlite3_bind_int64(statement, 7, (sqlite3_int64)key->n);
}

pts_status pts_store_has(pts_store *store, const pts_store_key *key, int *has, pts_error *err)
{
    *has = 0;
    PTS_TRY(check_key(store, key, err));
    sqlite3_stmt *query;
    PTS_TRY(store_prepare(store, &query,
                          "SELECT 1 FROM result WHERE dataset = ? AND class = ? AND class_name = ? "
                          "AND trainer = ? AND settings = ? AND seed = ? AND n = ?",
                          err));
    bind_key(query, key);
    int code = sqlite3_step(query);
    pts_status status = PTS_OK;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = store_fail(store, err);
    *has = code == SQLITE_ROW;
    sqlite3_finalize(query);
    return status;
}

static int is_share(double value)
{
    return value >= 0 && value <= 1;
}

static pts_status check_row(const pts_store *store, const pts_store_row *row, pts_error *err)
{
    PTS_TRY(check_key(store, &row->key, err));
    if (!is_share(row->map) || !is_share(row->map50) || !is_share(row->map75))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "%s: expected map, map50, map75 from 0 to 1, got %g, %g, %g", store->path,
                        row->map, row->map50, row->map75);
    if (!(row->seconds >= 0 && isfinite(row->seconds)) || row->peak_bytes > INT64_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected seconds ≥ 0 and finite, got %g",
                        store->path, row->seconds);
    return PTS_OK;
}

pts_status pts_store_add(pts_store *store, const pts_store_row *row, pts_error *err)
{
    PTS_TRY(check_row(store, row, err));
    sqlite3_stmt *insert;
    PTS_TRY(store_prepare(store, &insert,
                          "INSERT OR REPLACE INTO result VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", err));
    bind_key(insert, &row->key);
    sqlite3_bind_double(insert, 8, row->map);
    sqlite3_bind_double(insert, 9, row->map50);
    sqlite3_bind_double(insert, 10, row->map75);
    sqlite3_bind_double(insert, 11, row->seconds);
    sqlite3_bind_int64(insert, 12, (sqlite3_int64)row->peak_bytes);
    sqlite3_bind_int64(insert, 13, (sqlite3_int64)time(NULL));
    pts_status status = sqlite3_step(insert) == SQLITE_DONE ? PTS_OK : store_fail(store, err);
    sqlite3_finalize(insert);
    return status;
}

/* Columns in the order of the table. The file may have been written by others: values are checked
 * as if they came from the caller. */
static pts_status take_row(const pts_store *store, sqlite3_stmt *query, pts_store_row *row,
                           pts_error *err)
{
    sqlite3_int64 class_id = sqlite3_column_int64(query, 1);
    row->key = (pts_store_key){
        .dataset = (const char *)sqlite3_column_text(query, 0),
        .class_id = class_id >= 0 && class_id <= INT_MAX ? (int)class_id : -1,
        .class_name = (const char *)sqlite3_column_text(query, 2),
        .trainer = (const char *)sqlite3_column_text(query, 3),
        .settings = (const char *)sqlite3_column_text(query, 4),
        .seed = (uint64_t)sqlite3_column_int64(query, 5),
        .n = (size_t)sqlite3_column_int64(query, 6),
    };
    row->map = sqlite3_column_double(query, 7);
    row->map50 = sqlite3_column_double(query, 8);
    row->map75 = sqlite3_column_double(query, 9);
    row->seconds = sqlite3_column_double(query, 10);
    row->peak_bytes = (uint64_t)sqlite3_column_int64(query, 11);
    row->created = sqlite3_column_int64(query, 12);
    return check_row(store, row, err) == PTS_OK ? PTS_OK : PTS_ERR_FORMAT;
}

pts_status pts_store_each(pts_store *store, int (*visit)(void *user, const pts_store_row *row),
                          void *user, pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(store_prepare(store, &query,
                          "SELECT * FROM result ORDER BY dataset, class, class_name, trainer, "
                          "settings, seed, n",
                          err));
    pts_status status = PTS_OK;
    int code;
    while (status == PTS_OK && (code = sqlite3_step(query)) != SQLITE_DONE) {
        pts_store_row row;
        status = code == SQLITE_ROW ? take_row(store, query, &row, err) : store_fail(store, err);
        if (status == PTS_OK && visit(user, &row))
            status = pts_fail(err, PTS_ERR_CANCELLED, "%s: cancelled", store->path);
    }
    sqlite3_finalize(query);
    return status;
}
