/* The store's handle, shared by the reading, writing and exporting files. */
#ifndef PTS_SRC_DATA_STORE_H
#define PTS_SRC_DATA_STORE_H

#include "pts/data.h"

#include <sqlite3.h>

struct pts_store {
    sqlite3 *db;
    char *path;
};

/* The message of SQLite's last failure on this store. */
pts_status store_fail(const pts_store *store, pts_error *err);

pts_status store_prepare(const pts_store *store, sqlite3_stmt **out, const char *sql,
                         pts_error *err);

/* One statement without values or rows. */
pts_status store_run(const pts_store *store, const char *sql, pts_error *err);

#endif
