/* Files of a test's own: single ones (scratch), or a folder filled one by one. */
#ifndef PTS_TESTS_TEMPORARY_FOLDER_H
#define PTS_TESTS_TEMPORARY_FOLDER_H

#include "check_main.h"
#include "pts/file.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file's name in the build's folder that no other process has; the caller removes the file. Four
 * names live at a time. */
static inline const char *scratch(const char *name)
{
    static char paths[4][4096];
    static unsigned turn;
    const char *root = getenv("PTS_TEST_BUILD");
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof *paths, "%s/scratch-%ld-%s", root ? root : "/tmp", (long)getpid(), name);
    return path;
}

static char folder[64];

static inline void make_folder(void)
{
    strcpy(folder, "/tmp/pts_test_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* folder/name; four names live at a time. */
static inline const char *in_folder(const char *name)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

/* Writes folder/name, and the folders above it. */
static inline void put_bytes(const char *name, const char *bytes, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static inline void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

/* The bytes of another file. */
static inline void put_copy(const char *name, const char *path)
{
    char *bytes;
    size_t size;
    ck_assert_int_eq(pts_read_file(path, (size_t)1 << 24, &bytes, &size, NULL), PTS_OK);
    put_bytes(name, bytes, size);
    free(bytes);
}

#endif
