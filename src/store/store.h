/* The store's handle, and what its files share: store.c opens and checks, store_holder.c says who
 * lives, store_jobs.c takes and ends jobs, store_read.c lists, export.c writes curves. */
#ifndef PTS_SRC_STORE_STORE_H
#define PTS_SRC_STORE_STORE_H

#include "pts/store.h"

#include <sqlite3.h>

enum { STORE_MAX_TEXT = 1 << 20 };

/* Who runs a run. `boot` names one start of one machine and the namespace that the process number
 * belongs to, as two words; "" where the system tells neither. */
typedef struct store_holder {
    char host[256], boot[128];
    int64_t process, process_start; /* number; clock ticks after the start of the machine */
} store_holder;

typedef enum store_life { STORE_GONE, STORE_LIVES, STORE_ELSEWHERE } store_life;

void pts_store_holder_self(store_holder *out);
/* `network`: the store may be used by another host of this name. */
store_life pts_store_holder_life(const store_holder *self, const store_holder *other, bool network);

/* A beat of a run elsewhere, and when, on our monotonic clock, it was first seen. */
typedef struct store_sighting {
    int64_t run, beat;
    double at;
} store_sighting;

struct pts_store {
    sqlite3 *db;
    char *path;
    store_holder self;
    double stale; /* PTS_STORE_STALE; tests cannot wait as long */
    bool network; /* it lies on a network file system */
    int64_t run;  /* 0: none begun */
    store_sighting *seen;
    size_t n_seen, seen_capacity;
};

/* As pts_store_open; `network`: as if on a network file system. */
pts_status pts_store_connect(pts_store **out, const char *path, pts_store_mode mode, bool network,
                             pts_error *err);

/* Does the folder of a file, there or not, lie on a network file system? The name holds a '/'. */
bool pts_store_on_network(const char *name);

/* The message of SQLite's last failure on this store. */
pts_status pts_store_fail(const pts_store *store, pts_error *err);

pts_status pts_store_prepare(const pts_store *store, sqlite3_stmt **out, const char *sql,
                             pts_error *err);

/* Statements without values or rows. */
pts_status pts_store_exec(const pts_store *store, const char *sql, pts_error *err);

/* The one number of the one row that a prepared statement gives, which is released. */
pts_status pts_store_integer(const pts_store *store, sqlite3_stmt *query, int64_t *value,
                             pts_error *err);

/* Runs a prepared statement without rows, and releases it. */
pts_status pts_store_finish(const pts_store *store, sqlite3_stmt *statement, pts_error *err);

/* Commits what went well, takes back what did not. */
pts_status pts_store_end(const pts_store *store, pts_status status, pts_error *err);

/* Expects the filter's five texts in ?1 … ?5 of a statement over `job j JOIN dataset d`. */
#define STORE_WHERE                                                                                \
    " WHERE (?1 IS NULL OR d.name = ?1) AND (?2 IS NULL OR substr(d.hash, 1, length(?2)) = ?2)"    \
    " AND (?3 IS NULL OR j.trainer = ?3) AND (?4 IS NULL OR j.settings = ?4)"                      \
    " AND (?5 IS NULL OR j.mode = ?5) "
pts_status pts_store_bind_filter(const pts_store *store, sqlite3_stmt **out, const char *sql,
                                 const pts_store_filter *filter, pts_error *err);

pts_status pts_store_check_job(const pts_store *store, const pts_store_job *job, pts_error *err);
pts_status pts_store_check_point(const pts_store *store, const pts_store_point *point,
                                 pts_error *err);

#endif
