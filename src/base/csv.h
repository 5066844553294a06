/* Comma-separated values (RFC 4180): quotes, CRLF, a byte order mark; strict about the rest. */
#ifndef PTS_SRC_BASE_CSV_H
#define PTS_SRC_BASE_CSV_H

#include "pts/base.h"

#include <stdbool.h>

enum { PTS_CSV_COLUMNS = 64 };

/*   pts_csv csv;
 *   PTS_TRY(pts_csv_open(&csv, path, limit, err));
 *   while ((status = pts_csv_next(&csv, &more, err)) == PTS_OK && more)
 *       … csv.fields[0 … csv.count) of line csv.line …
 *   pts_csv_close(&csv);
 * Fields are NUL-terminated, unquoted in place, and valid until pts_csv_close. Blank lines are
 * skipped. */
typedef struct pts_csv {
    const char *path; /* borrowed */
    size_t line;      /* of the record's first character, from 1 */
    char *fields[PTS_CSV_COLUMNS];
    size_t count;
    char *text, *at, *end;
    size_t next_line;
} pts_csv;

pts_status pts_csv_open(pts_csv *csv, const char *path, size_t limit, pts_error *err);
/* The same from memory: `text` (malloc) is the csv's from here on, whatever is returned. */
pts_status pts_csv_take(pts_csv *csv, const char *path, char *text, size_t size, pts_error *err);
pts_status pts_csv_next(pts_csv *csv, bool *more, pts_error *err);
void pts_csv_close(pts_csv *csv);

#endif
