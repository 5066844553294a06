/* pts/file.h: files at the edge: read whole with a cap, written so that they appear whole or not
 * at all.
 *
 *   pts_output out;
 *   PTS_TRY(pts_output_open(&out, "result.csv", &err));
 *   fprintf(out.file, "…");
 *   PTS_TRY(pts_output_commit(&out, &err));        // or pts_output_discard(&out)
 *
 * Output goes to a temporary file in the folder of `path`; pts_output_commit flushes it to disk
 * and renames it, pts_output_discard removes it. So nobody ever sees half a file, and a failed
 * run leaves the old one. A symbolic link stays, and the file that it stands for is written so. A
 * path that is there and no regular file (a device, a folder) is refused.
 * After commit, even one that failed, nothing is left to discard. */
#ifndef PTS_FILE_H
#define PTS_FILE_H

#include "pts/base.h"

#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The whole file into *data (malloc, the caller frees it; one NUL byte past the end), at most
 * `limit` bytes. Only regular files are read: a FIFO or device is refused, not waited for. */
pts_status pts_read_file(const char *path, size_t limit, char **data, size_t *size, pts_error *err);

/* Whether the name of `path` ends in `ending` (".csv"), capitals or not, with something before. */
bool pts_path_ends(const char *path, const char *ending);

/* One field of a CSV record (RFC 4180): quoted where it must be. */
void pts_csv_field(FILE *file, const char *text);

typedef struct pts_output {
    FILE *file;
    char *path, *temporary;
} pts_output;

pts_status pts_output_open(pts_output *out, const char *path, pts_error *err);
pts_status pts_output_commit(pts_output *out, pts_error *err);
void pts_output_discard(pts_output *out);

#ifdef __cplusplus
}
#endif

#endif
