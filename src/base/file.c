#define _GNU_SOURCE
#include "base/file.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pts_status read_open(FILE *file, const char *path, size_t limit, char **data, size_t *size,
                            pts_error *err)
{
    struct stat info;
    if (fstat(fileno(file), &info) != 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return pts_fail(err, PTS_ERR_IO, "%s: expected a regular file", path);
    if ((uintmax_t)info.st_size > limit)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %zu bytes, got %ju", path, limit,
                        (uintmax_t)info.st_size);
    size_t bytes = (size_t)info.st_size;
    char *text = malloc(bytes + 1);
    if (!text)
        return pts_fail_memory(err, bytes + 1);
    size_t got = fread(text, 1, bytes, file);
    if (got != bytes) {
        free(text);
        return pts_fail(err, PTS_ERR_IO, "%s: expected %zu bytes, read %zu", path, bytes, got);
    }
    text[bytes] = '\0';
    *data = text;
    *size = bytes;
    return PTS_OK;
}

pts_status pts_read_file(const char *path, size_t limit, char **data, size_t *size, pts_error *err)
{
    *data = NULL;
    *size = 0;
    /* Without O_NONBLOCK a FIFO of that name would hang here until somebody writes to it. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "rb");
    if (!file) {
        pts_status failed = pts_fail(err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return failed;
    }
    pts_status status = read_open(file, path, limit, data, size, err);
    fclose(file);
    return status;
}

pts_status pts_output_open(pts_output *out, const char *path, pts_error *err)
{
    *out = (pts_output){0};
    out->path = strdup(path);
    if (!out->path || asprintf(&out->temporary, "%s.XXXXXX", path) < 0) {
        free(out->path);
        *out = (pts_output){0};
        return pts_fail_memory(err, strlen(path) + 8);
    }
    int fd = mkostemp(out->temporary, 0);
    if (fd >= 0) {
        mode_t mask = umask(0);
        umask(mask);
        fchmod(fd, 0666 & ~mask); /* mkstemp's 0600 would make a shared result unreadable */
        out->file = fdopen(fd, "wb");
    }
    if (!out->file) {
        pts_status status =
            pts_fail(err, PTS_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        pts_output_discard(out);
        return status;
    }
    return PTS_OK;
}

pts_status pts_output_commit(pts_output *out, pts_error *err)
{
    FILE *file = out->file;
    out->file = NULL;
    int failed = ferror(file) | fflush(file) | fsync(fileno(file));
    failed |= fclose(file);
    if (failed || rename(out->temporary, out->path) != 0) {
        pts_status status =
            pts_fail(err, PTS_ERR_IO, "%s: cannot write: %s", out->path, strerror(errno));
        pts_output_discard(out);
        return status;
    }
    free(out->path);
    free(out->temporary);
    *out = (pts_output){0};
    return PTS_OK;
}

void pts_output_discard(pts_output *out)
{
    if (out->file)
        fclose(out->file);
    if (out->temporary)
        unlink(out->temporary);
    free(out->path);
    free(out->temporary);
    *out = (pts_output){0};
}
