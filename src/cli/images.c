#include "cli/images.h"

#include "pts/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static pts_status add_path(cli_paths *paths, const char *path, pts_error *err)
{
    if (paths->count == paths->capacity) {
        size_t capacity = paths->capacity ? paths->capacity * 2 : 16;
        char **grown = realloc(paths->items, capacity * sizeof *grown);
        if (!grown)
            goto no_memory;
        paths->items = grown;
        paths->capacity = capacity;
    }
    paths->items[paths->count] = strdup(path);
    if (paths->items[paths->count++])
        return PTS_OK;
no_memory:
    snprintf(err->message, sizeof err->message, "out of memory");
    return PTS_ERR_MEMORY;
}

static int is_image_name(const struct dirent *entry)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".bmp"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (pts_path_ends(entry->d_name, endings[i]))
            return 1;
    }
    return 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static pts_status add_folder(cli_paths *paths, const char *folder, pts_error *err)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_image_name, by_bytes);
    if (count < 0) {
        snprintf(err->message, sizeof err->message, "%s: %s", folder, strerror(errno));
        return PTS_ERR_IO;
    }
    pts_status status = PTS_OK;
    if (!count) {
        snprintf(err->message, sizeof err->message,
                 "%s: expected .jpg, .jpeg, .png or .bmp files, got none", folder);
        status = PTS_ERR_FORMAT;
    }
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (status == PTS_OK)
            status = add_path(paths, path, err);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static pts_status add_argument(cli_paths *paths, const char *argument, pts_error *err)
{
    struct stat info;
    if (stat(argument, &info) == 0 && S_ISDIR(info.st_mode))
        return add_folder(paths, argument, err);
    return add_path(paths, argument, err);
}

static pts_status add_lines(cli_paths *paths, FILE *file, const char *name, pts_error *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    pts_status status = PTS_OK;
    while (status == PTS_OK && (length = getline(&line, &room, file)) >= 0) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            line[--length] = '\0';
        if (length > 0)
            status = add_path(paths, line, err);
    }
    free(line);
    if (status == PTS_OK && ferror(file)) {
        snprintf(err->message, sizeof err->message, "%s: %s", name, strerror(errno));
        status = PTS_ERR_IO;
    }
    return status;
}

static pts_status add_list(cli_paths *paths, const char *name, pts_error *err)
{
    if (strcmp(name, "-") == 0)
        return add_lines(paths, stdin, name, err);
    FILE *file = fopen(name, "r");
    if (!file) {
        snprintf(err->message, sizeof err->message, "%s: %s", name, strerror(errno));
        return PTS_ERR_IO;
    }
    pts_status status = add_lines(paths, file, name, err);
    fclose(file);
    return status;
}

pts_status cli_paths_collect(cli_paths *paths, const cli_list *arguments, const char *list,
                             pts_error *err)
{
    *paths = (cli_paths){0};
    pts_status status = PTS_OK;
    for (size_t i = 0; i < arguments->count && status == PTS_OK; i++) {
        if (strcmp(arguments->items[i], "-") == 0)
            status = add_list(paths, "-", err);
        else
            status = add_argument(paths, arguments->items[i], err);
    }
    if (status == PTS_OK && list)
        status = add_list(paths, list, err);
    if (status == PTS_OK && !paths->count) {
        snprintf(err->message, sizeof err->message, "%s: expected a path a line, got none",
                 list ? list : "-");
        status = PTS_ERR_FORMAT;
    }
    if (status != PTS_OK)
        cli_paths_free(paths);
    return status;
}

void cli_paths_free(cli_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->items[i]);
    free(paths->items);
    *paths = (cli_paths){0};
}

bool cli_image_limits(long max_pixels, pts_image_limits *limits)
{
    const pts_image_limits defaults = PTS_IMAGE_LIMITS_DEFAULT;
    *limits = defaults;
    limits->pixels = (size_t)max_pixels;
    return max_pixels >= 1;
}
