#include "cli/defaults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int beside_program(const char *name, char *path, size_t size)
{
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return 0;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash)
        return 0;
    *slash = '\0';
    int used = snprintf(path, size, "%s/../weights/%s", program, name);
    return used > 0 && (size_t)used < size && access(path, R_OK) == 0;
}

const char *cli_default_file(const char *name, char *path, size_t size)
{
    const char *folder = getenv("PTS_WEIGHTS");
    if (!folder && beside_program(name, path, size))
        return path;
    snprintf(path, size, "%s/%s", folder ? folder : PTS_WEIGHTS_DIR, name);
    return path;
}
