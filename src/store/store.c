/* Opening a store: what it must be, and the way from version 1. */
#include "store/store.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define APPLICATION_ID 0x50545352 /* "PTSR", in the file's header */
#define SCHEMA_VERSION 2
#define BUSY_MILLISECONDS 30000

static const char *const tables_1[] = {
    "CREATE TABLE result (dataset TEXT NOT NULL, class INTEGER NOT NULL, class_name TEXT NOT NULL, "
    "trainer TEXT NOT NULL, settings TEXT NOT NULL, seed INTEGER NOT NULL, n INTEGER NOT NULL, "
    "map REAL NOT NULL, map50 REAL NOT NULL, map75 REAL NOT NULL, seconds REAL NOT NULL, "
    "peak_bytes INTEGER NOT NULL, created INTEGER NOT NULL, "
    "PRIMARY KEY (dataset, class, class_name, trainer, settings, seed, n)) STRICT, WITHOUT ROWID",
    NULL};

static const char *const tables_2[] = {
    "CREATE TABLE dataset (id INTEGER PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, "
    "images INTEGER NOT NULL, classes INTEGER NOT NULL, path TEXT NOT NULL, "
    "UNIQUE (name, hash)) STRICT",
    "CREATE TABLE run (id INTEGER PRIMARY KEY, started INTEGER NOT NULL, ended INTEGER NOT NULL, "
    "command TEXT NOT NULL, environment TEXT NOT NULL, code TEXT NOT NULL, host TEXT NOT NULL, "
    "boot TEXT NOT NULL, process INTEGER NOT NULL, process_start INTEGER NOT NULL, "
    "beat INTEGER NOT NULL) STRICT",
    "CREATE TABLE job (id INTEGER PRIMARY KEY, dataset INTEGER NOT NULL REFERENCES dataset, "
    "class INTEGER NOT NULL, class_name TEXT NOT NULL, trainer TEXT NOT NULL, "
    "settings TEXT NOT NULL, mode TEXT NOT NULL, seed INTEGER NOT NULL, n INTEGER NOT NULL, "
    "state INTEGER NOT NULL, attempts INTEGER NOT NULL, reason TEXT NOT NULL, "
    "run INTEGER REFERENCES run, "
    "UNIQUE (dataset, class, class_name, trainer, settings, mode, seed, n)) STRICT",
    "CREATE TABLE point (job INTEGER NOT NULL REFERENCES job, step INTEGER NOT NULL, "
    "n INTEGER NOT NULL, map REAL NOT NULL, map50 REAL, map75 REAL, val_map REAL, "
    "kind TEXT NOT NULL, seconds REAL NOT NULL, peak_bytes INTEGER NOT NULL, "
    "created INTEGER NOT NULL, PRIMARY KEY (job, step)) STRICT, WITHOUT ROWID",
    NULL};

/* A row of version 1 is a done job with one point. Nobody knows the content of its data set. */
static const char migration[] =
    "INSERT INTO dataset (name, hash, images, classes, path) "
    "SELECT DISTINCT dataset, 'unknown', 0, 0, '' FROM result ORDER BY 1;"
    "INSERT INTO run SELECT 1, min(created), max(created), 'a store of version 1', '', '', '', '', "
    "0, 0, 0 FROM result HAVING count(*) > 0;"
    "INSERT INTO job (dataset, class, class_name, trainer, settings, mode, seed, n, state, "
    "attempts, reason, run) SELECT d.id, class, class_name, trainer, settings, 'fresh', seed, n, "
    "2, 1, '', 1 FROM result r JOIN dataset d ON d.name = r.dataset;"
    "INSERT INTO point SELECT j.id, 0, r.n, map, map50, map75, NULL, '', seconds, peak_bytes, "
    "created FROM result r JOIN dataset d ON d.name = r.dataset JOIN job j ON j.dataset = d.id AND "
    "j.class = r.class AND j.class_name = r.class_name AND j.trainer = r.trainer AND "
    "j.settings = r.settings AND j.seed = r.seed AND j.n = r.n;"
    "DROP TABLE result";

/* ---- SQLite's failures in our words ---- */

static pts_status fail_read_only(const pts_store *store, pts_error *err)
{
    return pts_fail(err, PTS_ERR_IO, "%s: cannot write: the file or its folder is read-only",
                    store->path);
}

/* What a person can mend is said in words; SQLite's own are for the rest. */
static pts_status fail_io(const pts_store *store, int code, pts_error *err)
{
    int system = sqlite3_system_errno(store->db), exact = sqlite3_extended_errcode(store->db);
    if (code == SQLITE_FULL)
        return pts_fail(err, PTS_ERR_IO, "%s: cannot write: the disk is full", store->path);
    if (code == SQLITE_READONLY)
        return fail_read_only(store, err);
    if (code == SQLITE_BUSY)
        return pts_fail(err, PTS_ERR_IO, "%s: another process kept the store locked for %d seconds",
                        store->path, BUSY_MILLISECONDS / 1000);
    if (exact == SQLITE_IOERR_WRITE || exact == SQLITE_IOERR_SHMSIZE) /* it keeps no errno */
        return pts_fail(err, PTS_ERR_IO,
                        "%s: cannot write: the disk is full, over a quota, or the file too large",
                        store->path);
    if ((code == SQLITE_CANTOPEN || code == SQLITE_IOERR) && system)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", store->path, strerror(system));
    return pts_fail(err, PTS_ERR_IO, "%s: %s", store->path, sqlite3_errmsg(store->db));
}

pts_status pts_store_fail(const pts_store *store, pts_error *err)
{
    int code = sqlite3_errcode(store->db) & 0xff;
    if (code == SQLITE_NOMEM)
        return pts_fail(err, PTS_ERR_MEMORY, "%s: out of memory", store->path);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_CONSTRAINT)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a store of results, got: %s",
                        store->path, sqlite3_errmsg(store->db));
    return fail_io(store, code, err);
}

pts_status pts_store_prepare(const pts_store *store, sqlite3_stmt **out, const char *sql,
                             pts_error *err)
{
    if (sqlite3_prepare_v2(store->db, sql, -1, out, NULL) == SQLITE_OK)
        return PTS_OK;
    return pts_store_fail(store, err);
}

pts_status pts_store_exec(const pts_store *store, const char *sql, pts_error *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return PTS_OK;
    return pts_store_fail(store, err);
}

pts_status pts_store_integer(const pts_store *store, sqlite3_stmt *query, int64_t *value,
                             pts_error *err)
{
    pts_status status = PTS_OK;
    if (sqlite3_step(query) == SQLITE_ROW)
        *value = sqlite3_column_int64(query, 0);
    else
        status = pts_store_fail(store, err);
    sqlite3_finalize(query);
    return status;
}

pts_status pts_store_finish(const pts_store *store, sqlite3_stmt *statement, pts_error *err)
{
    pts_status status =
        sqlite3_step(statement) == SQLITE_DONE ? PTS_OK : pts_store_fail(store, err);
    sqlite3_finalize(statement);
    return status;
}

pts_status pts_store_end(const pts_store *store, pts_status status, pts_error *err)
{
    if (status == PTS_OK)
        status = pts_store_exec(store, "COMMIT", err);
    if (status != PTS_OK)
        pts_store_exec(store, "ROLLBACK", NULL);
    return status;
}

static pts_status ask(const pts_store *store, const char *sql, int64_t *value, pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(pts_store_prepare(store, &query, sql, err));
    return pts_store_integer(store, query, value, err);
}

/* ---- What a store must be ---- */

/* A store is small, so each opening may read it whole: damage is told before a run, not after. */
static pts_status check_pages(const pts_store *store, pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(pts_store_prepare(store, &query, "PRAGMA quick_check(1)", err));
    pts_status status = PTS_OK;
    if (sqlite3_step(query) != SQLITE_ROW) {
        status = pts_store_fail(store, err);
    } else {
        const char *verdict = (const char *)sqlite3_column_text(query, 0);
        if (!verdict || strcmp(verdict, "ok") != 0)
            status = pts_fail(err, PTS_ERR_FORMAT, "%s: expected an undamaged store, got: %.200s",
                              store->path, verdict ? verdict : "nothing");
    }
    sqlite3_finalize(query);
    return status;
}

/* By the statement that made it: a table of that name with other columns is not ours. */
static pts_status has_table(const pts_store *store, const char *sql, int64_t *has, pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(
        pts_store_prepare(store, &query, "SELECT count(*) FROM sqlite_schema WHERE sql = ?", err));
    sqlite3_bind_text(query, 1, sql, -1, SQLITE_STATIC);
    return pts_store_integer(store, query, has, err);
}

/* Our tables and nothing else: no view or trigger of a stranger's ever runs. (Indexes that SQLite
 * makes for UNIQUE have no text.) */
static pts_status check_tables(const pts_store *store, const char *const *tables, pts_error *err)
{
    int64_t objects = 0, has = 1, count = 0;
    PTS_TRY(ask(store, "SELECT count(*) FROM sqlite_schema WHERE sql IS NOT NULL", &objects, err));
    for (; tables[count] && has; count++)
        PTS_TRY(has_table(store, tables[count], &has, err));
    if (!has || objects != count)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected the tables of a store, got others",
                        store->path);
    return check_pages(store, err);
}

/* The version is written with the tables, so that no store is without one. */
static pts_status make_tables(const pts_store *store, pts_error *err)
{
    char pragmas[96];
    sqlite3_snprintf(sizeof pragmas, pragmas,
                     "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                     SCHEMA_VERSION);
    for (size_t i = 0; tables_2[i]; i++)
        PTS_TRY(pts_store_exec(store, tables_2[i], err));
    return pts_store_exec(store, pragmas, err);
}

/* Within the caller's transaction: a store is of one version or the other. */
static pts_status migrate(const pts_store *store, pts_error *err)
{
    PTS_TRY(make_tables(store, err));
    return pts_store_exec(store, migration, err);
}

/* *version: what the file held, 0 for a new one. */
static pts_status check_or_make(const pts_store *store, pts_store_mode mode, int64_t *version,
                                pts_error *err)
{
    int64_t application = 0, objects = 0;
    PTS_TRY(ask(store, "PRAGMA application_id", &application, err));
    PTS_TRY(ask(store, "SELECT count(*) FROM sqlite_schema", &objects, err));
    PTS_TRY(ask(store, "PRAGMA user_version", version, err));
    if (mode == PTS_STORE_WRITE && application == 0 && objects == 0)
        return make_tables(store, err);
    if (application != APPLICATION_ID)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: expected a store of results, got another database", store->path);
    if (*version < 1 || *version > SCHEMA_VERSION)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: expected a store of version %d or before, got %lld", store->path,
                        SCHEMA_VERSION, (long long)*version);
    PTS_TRY(check_tables(store, *version == 1 ? tables_1 : tables_2, err));
    return *version == 1 && mode == PTS_STORE_WRITE ? migrate(store, err) : PTS_OK;
}

/* ---- Opening ---- */

/* The folder of a name that holds a '/'; NULL without memory. Release with sqlite3_free(). */
static char *folder_of(const char *name)
{
    return sqlite3_mprintf("%.*s", (int)(strrchr(name, '/') + 1 - name), name);
}

bool pts_store_on_network(const char *name)
{
    /* statfs(2): NFS, SMB, CIFS, SMB2, 9P, FUSE, Ceph, Lustre, GPFS, BeeGFS, AFS, Coda. */
    static const uint32_t kinds[] = {0x6969,     0x517b,     0xff534d42, 0xfe534d42,
                                     0x01021997, 0x65735546, 0x00c36400, 0x0bd00bd0,
                                     0x47504653, 0x19830326, 0x5346414f, 0x73757245};
    struct statfs info;
    char *folder = folder_of(name);
    bool found = false, known = folder && statfs(folder, &info) == 0;
    for (size_t i = 0; known && i < sizeof kinds / sizeof *kinds; i++)
        found = found || (uint32_t)info.f_type == kinds[i];
    sqlite3_free(folder);
    return found;
}

/* A store of version 1 is read as one of version 2: a copy in memory is migrated. */
static pts_status migrate_copy(pts_store *store, pts_error *err)
{
    sqlite3 *copy = NULL;
    int code = sqlite3_open(":memory:", &copy);
    sqlite3_backup *backup =
        code == SQLITE_OK ? sqlite3_backup_init(copy, "main", store->db, "main") : NULL;
    if (backup) {
        sqlite3_backup_step(backup, -1);
        code = sqlite3_backup_finish(backup);
    }
    if (!backup || code != SQLITE_OK) {
        sqlite3_close(copy);
        return pts_fail(err, PTS_ERR_IO, "%s: cannot be copied to memory: %s", store->path,
                        sqlite3_errstr(code));
    }
    sqlite3_close(store->db);
    store->db = copy;
    return migrate(store, err);
}

/* The file may be another's: its schema gets no functions, and no statement can corrupt it. EXTRA,
 * as a job that is done must survive a power cut. */
static pts_status configure(const pts_store *store, pts_error *err)
{
    sqlite3_busy_timeout(store->db, BUSY_MILLISECONDS);
    sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, 16 * STORE_MAX_TEXT);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return pts_store_exec(store,
                          "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; "
                          "PRAGMA synchronous = EXTRA",
                          err);
}

/* WAL shares memory between its users, which two hosts do not have: stores on network file systems
 * keep the rollback journal. Only what has proved to be a store is changed; where it cannot be now,
 * as another process is at it, the other journal is as safe on this host, and the next opening
 * tries again. */
static void set_journal(const pts_store *store)
{
    sqlite3_exec(store->db,
                 store->network ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode = WAL",
                 NULL, NULL, NULL);
}

/* BEGIN IMMEDIATE lets one of two processes that both find no store make it. */
static pts_status prepare_file(pts_store *store, pts_store_mode mode, pts_error *err)
{
    int64_t version = 0;
    PTS_TRY(configure(store, err));
    if (mode == PTS_STORE_WRITE && sqlite3_db_readonly(store->db, "main") == 1)
        return fail_read_only(store, err); /* which WAL tells no sooner than the first row */
    PTS_TRY(pts_store_exec(store, mode == PTS_STORE_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", err));
    PTS_TRY(pts_store_end(store, check_or_make(store, mode, &version, err), err));
    if (mode == PTS_STORE_WRITE)
        set_journal(store);
    else if (version == 1)
        return migrate_copy(store, err);
    return PTS_OK;
}

/* Opening to read opens for writing too, where the file allows it: what a killed writer left half
 * done is completed or taken back by whoever comes next. */
static pts_status connect(pts_store *store, const char *name, int flags, pts_error *err)
{
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(name, &store->db, flags, NULL) == SQLITE_OK)
        return PTS_OK;
    return store->db ? pts_store_fail(store, err) : pts_fail_memory(err, sizeof *store);
}

/* "file:…?immutable=1" of a name. */
static char *immutable_name(const char *name)
{
    sqlite3_str *uri = sqlite3_str_new(NULL);
    sqlite3_str_appendall(uri, "file:");
    for (const unsigned char *at = (const unsigned char *)name; *at; at++)
        sqlite3_str_appendf(uri, "%%%02x", *at);
    sqlite3_str_appendall(uri, "?immutable=1");
    return sqlite3_str_finish(uri);
}

/* SQLite wants FILE-shm beside a store in WAL, also to read. In a folder where none can be made
 * nobody writes either, so the file may be read as it is, if it is all there is. */
static pts_status open_immutable(pts_store *store, const char *name, pts_error *err)
{
    struct stat wal;
    char *journal = sqlite3_mprintf("%s-wal", name), *uri = immutable_name(name);
    bool alone = journal && (stat(journal, &wal) != 0 || wal.st_size == 0);
    pts_status status = journal && uri ? PTS_OK : pts_fail_memory(err, strlen(name));
    if (status == PTS_OK && !alone)
        status = pts_fail(err, PTS_ERR_IO,
                          "%s: expected a folder that can be written, as %s-wal is there too",
                          store->path, store->path);
    if (status == PTS_OK) {
        sqlite3_close(store->db);
        store->db = NULL;
        status = connect(store, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    }
    sqlite3_free(journal);
    sqlite3_free(uri);
    return status == PTS_OK ? prepare_file(store, PTS_STORE_READ, err) : status;
}

/* Can files be made beside this one? (Not asked of SQLite: its code is gone after the rollback.) */
static bool in_writable_folder(const char *name)
{
    char *folder = folder_of(name);
    bool writable = folder && access(folder, W_OK) == 0;
    sqlite3_free(folder);
    return writable;
}

/* Where even the folder cannot be written there is no room for a journal: read as it stands. */
static pts_status open_file(pts_store *store, const char *name, pts_store_mode mode, pts_error *err)
{
    int create = mode == PTS_STORE_WRITE ? SQLITE_OPEN_CREATE : 0;
    PTS_TRY(connect(store, name, SQLITE_OPEN_READWRITE | create, err));
    pts_status status = prepare_file(store, mode, err);
    if (status == PTS_ERR_IO && mode == PTS_STORE_READ && !in_writable_folder(name))
        return open_immutable(store, name, err);
    return status;
}

static pts_status open_named(pts_store *store, const char *path, pts_store_mode mode, bool network,
                             pts_error *err)
{
    /* "./" before relative names: ":memory:" would be a database that vanishes. */
    char *name = sqlite3_mprintf("%s%s", path[0] == '/' ? "" : "./", path);
    store->path = sqlite3_mprintf("%s", path);
    store->stale = PTS_STORE_STALE;
    pts_store_holder_self(&store->self);
    if (!name || !store->path) {
        sqlite3_free(name);
        return pts_fail_memory(err, strlen(path) + 3);
    }
    store->network = network || pts_store_on_network(name);
    pts_status status = open_file(store, name, mode, err);
    sqlite3_free(name);
    return status;
}

pts_status pts_store_connect(pts_store **out, const char *path, pts_store_mode mode, bool network,
                             pts_error *err)
{
    *out = NULL;
    if (!path[0])
        return pts_fail(err, PTS_ERR_ARGUMENT, "store: expected the name of a file, got ''");
    pts_store *store;
    PTS_TRY(pts_new(&store, 1, sizeof *store, err));
    pts_status status = open_named(store, path, mode, network, err);
    if (status == PTS_OK)
        *out = store;
    else
        pts_store_close(store);
    return status;
}

pts_status pts_store_open(pts_store **out, const char *path, pts_store_mode mode, pts_error *err)
{
    return pts_store_connect(out, path, mode, false, err);
}

void pts_store_close(pts_store *store)
{
    if (!store)
        return;
    if (store->run)
        pts_store_run_end(store, NULL);
    sqlite3_close(store->db);
    sqlite3_free(store->path);
    free(store->seen);
    free(store);
}
