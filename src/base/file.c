#define _GNU_SOURCE
#include "pts/file.h"
#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

bool pts_path_ends(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcasecmp(path + length - tail, ending) == 0;
}

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

/* A name of its own beside `path`, opened for writing; the process's umask decides who may read. */
static int open_temporary(const char *path, char **temporary)
{
    static atomic_uint serial;
    for (int tries = 0; tries < 100; tries++) {
        if (asprintf(temporary, "%s.%ld-%u.part", path, (long)getpid(),
                     atomic_fetch_add(&serial, 1)) < 0) {
            *temporary = NULL;
            errno = ENOMEM;
            return -1;
        }
        int fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0)
            return fd;
        int reason = errno;
        free(*temporary);
        *temporary = NULL;
        errno = reason;
        if (reason != EEXIST)
            return -1;
    }
    return -1;
}

static pts_status fail_to_write(pts_error *err, const char *path, int reason)
{
    return pts_fail(err, PTS_ERR_IO, "%s: cannot write: %s", path, strerror(reason));
}

/* The file that a symbolic link at *path (malloc) stands for, there or not: renaming over the link
 * would replace it, and leave the file that it points to as it was. */
static pts_status follow_links(char **path, pts_error *err)
{
    char target[PATH_MAX];
    for (int links = 0; links < 40; links++) {
        ssize_t length = readlink(*path, target, sizeof target - 1);
        if (length < 0)
            return PTS_OK;
        target[length] = '\0';
        char *followed, *from = *path;
        int folder = *target == '/' ? 0 : (int)(pts_last_component(from) - from);
        PTS_TRY(pts_text(&followed, err, "%.*s%s", folder, from, target));
        free(from);
        *path = followed;
    }
    return fail_to_write(err, *path, ELOOP);
}

static pts_status open_output(pts_output *out, pts_error *err)
{
    int fd = open_temporary(out->path, &out->temporary);
    out->file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (out->file)
        return PTS_OK;
    pts_status status = fail_to_write(err, out->path, errno);
    if (fd >= 0)
        close(fd);
    return status;
}

pts_status pts_output_open(pts_output *out, const char *path, pts_error *err)
{
    struct stat info;
    *out = (pts_output){0};
    /* Renaming over /dev/null would, for root, put a file in its place. */
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return pts_fail(err, PTS_ERR_IO, "%s: expected a regular file or none", path);
    PTS_TRY(pts_text(&out->path, err, "%s", path));
    pts_status status = follow_links(&out->path, err);
    if (status == PTS_OK)
        status = open_output(out, err);
    if (status != PTS_OK)
        pts_output_discard(out);
    return status;
}

/* Everything to the disk and closed; 0 or the reason. */
static int finish_file(FILE *file)
{
    int reason = 0;
    errno = 0;
    if (ferror(file) || fflush(file) != 0 || fsync(fileno(file)) != 0)
        reason = errno ? errno : EIO;
    if (fclose(file) != 0 && !reason)
        reason = errno;
    return reason;
}

pts_status pts_output_commit(pts_output *out, pts_error *err)
{
    FILE *file = out->file;
    out->file = NULL;
    int reason = finish_file(file);
    if (!reason && rename(out->temporary, out->path) != 0)
        reason = errno;
    if (reason) {
        pts_status status = fail_to_write(err, out->path, reason);
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
