/* Files read where they are wanted, never past their end. */
#define _GNU_SOURCE
#include "checkpoint.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

pts_status input_open(input *in, const char *path, pts_error *err)
{
    struct stat info;
    *in = (input){.fd = -1};
    PTS_TRY(pts_text(&in->path, err, "%s", path));
    in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe must not block */
    if (in->fd < 0 || fstat(in->fd, &info) != 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return pts_fail(err, PTS_ERR_IO, "%s: expected a regular file", path);
    in->size = (uint64_t)info.st_size;
    return PTS_OK;
}

void input_close(input *in)
{
    if (in->path && in->fd >= 0)
        close(in->fd);
    free(in->path);
    *in = (input){.fd = -1};
}

pts_status input_read(const input *in, uint64_t at, void *out, size_t size, pts_error *err)
{
    unsigned char *to = out;
    if (at > in->size || size > in->size - at)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected %zu bytes at %llu, the file has %llu",
                        in->path, size, (unsigned long long)at, (unsigned long long)in->size);
    while (size) {
        ssize_t got = pread(in->fd, to, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return pts_fail(err, PTS_ERR_IO, "%s: cannot read at %llu: %s", in->path,
                            (unsigned long long)at, got ? strerror(errno) : "it ends there");
        to += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return PTS_OK;
}

pts_status input_hash(const input *in, pts_sha256 *hash, pts_error *err)
{
    enum { BLOCK = 1 << 20 };
    char *block;
    pts_status status = pts_new(&block, 1, BLOCK, err);
    for (uint64_t at = 0; at < in->size && status == PTS_OK; at += BLOCK) {
        size_t size = in->size - at < BLOCK ? (size_t)(in->size - at) : BLOCK;
        status = input_read(in, at, block, size, err);
        if (status == PTS_OK)
            pts_sha256_update(hash, block, size);
    }
    free(block);
    return status;
}

char *file_in(const char *folder, const char *name)
{
    char *path;
    struct stat info;
    if (pts_text(&path, NULL, "%s/%s", folder, name) != PTS_OK)
        return NULL;
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode))
        return path;
    free(path);
    return NULL;
}

char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + (slash == path)) : strdup(".");
}

pts_status path_is_folder(const char *path, bool *folder, pts_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
    *folder = S_ISDIR(info.st_mode);
    return PTS_OK;
}

pts_status json_of(json_t **out, const char *path, const char *text, size_t size, pts_error *err)
{
    json_error_t problem;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    return *out ? PTS_OK
                : pts_fail(err, PTS_ERR_FORMAT, "%s: line %d, column %d: %s", path, problem.line,
                           problem.column, problem.text);
}

bool name_is_safe(const char *name)
{
    if (!name[0] || name[0] == '/' || strchr(name, '\\') || strlen(name) > 1024)
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}
