#include "cli/images.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "pts/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static pts_status add_path(cli_paths *paths, const char *path, pts_error *err)
{
    PTS_TRY(pts_grow(&paths->items, &paths->capacity, paths->count + 1, sizeof *paths->items, err));
    PTS_TRY(pts_text(&paths->items[paths->count], err, "%s", path));
    paths->count++;
    return PTS_OK;
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
    pts_status status = PTS_OK;
    int count = scandir(folder, &entries, is_image_name, by_bytes);
    if (count < 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", folder, strerror(errno));
    if (!count)
        status = pts_fail(err, PTS_ERR_FORMAT,
                          "%s: expected .jpg, .jpeg, .png or .bmp files, got none", folder);
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
    if (status == PTS_OK && ferror(file))
        return pts_fail(err, PTS_ERR_IO, "%s: %s", name, strerror(errno));
    return status;
}

static pts_status add_list(cli_paths *paths, const char *name, pts_error *err)
{
    if (strcmp(name, "-") == 0)
        return add_lines(paths, stdin, name, err);
    FILE *file = fopen(name, "r");
    if (!file)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", name, strerror(errno));
    pts_status status = add_lines(paths, file, name, err);
    fclose(file);
    return status;
}

static pts_status collect(cli_paths *paths, const cli_list *arguments, const char *list,
                          pts_error *err)
{
    for (size_t i = 0; i < arguments->count; i++) {
        const char *argument = arguments->items[i];
        PTS_TRY(strcmp(argument, "-") == 0 ? add_list(paths, "-", err)
                                           : add_argument(paths, argument, err));
    }
    if (list)
        PTS_TRY(add_list(paths, list, err));
    if (paths->count)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a path a line, got none", list ? list : "-");
}

pts_status cli_paths_collect(cli_paths *paths, const cli_list *arguments, const char *list,
                             pts_error *err)
{
    *paths = (cli_paths){0};
    pts_status status = collect(paths, arguments, list, err);
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
