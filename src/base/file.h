/* Files at the edge: read whole with a cap; written whole through pts/output.h. */
#ifndef PTS_SRC_BASE_FILE_H
#define PTS_SRC_BASE_FILE_H

#include "pts/output.h"

/* The whole file into *data (malloc, one NUL byte past the end), at most `limit` bytes. */
pts_status pts_read_file(const char *path, size_t limit, char **data, size_t *size, pts_error *err);

#endif
