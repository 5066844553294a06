/* Files at the edge: read whole with a cap, write whole by rename. */
#ifndef PTS_SRC_BASE_FILE_H
#define PTS_SRC_BASE_FILE_H

#include "pts/base.h"

#include <stdio.h>

/* The whole file into *data (malloc, one NUL byte past the end), at most `limit` bytes. */
pts_status pts_read_file(const char *path, size_t limit, char **data, size_t *size, pts_error *err);

/* Output goes to a temporary file in the folder of `path`; pts_output_commit flushes it to disk
 * and renames it, pts_output_discard removes it. So nobody ever sees half a file, and a failed
 * run leaves the old one. */
typedef struct pts_output {
    FILE *file;
    char *path, *temporary;
} pts_output;

pts_status pts_output_open(pts_output *out, const char *path, pts_error *err);
pts_status pts_output_commit(pts_output *out, pts_error *err);
void pts_output_discard(pts_output *out);

#endif
