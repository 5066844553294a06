/* A folder of a test's own, filled file by file. */
#ifndef PTS_TESTS_TEMPORARY_FOLDER_H
#define PTS_TESTS_TEMPORARY_FOLDER_H

#include "check_main.h"
#include "pts/file.h"

#include <string.h>
#include <sys/stat.h>

static char folder[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/pts_test_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Writes folder/name, and the folders above it. */
static void put_bytes(const char *name, const char *bytes, size_t size)
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
