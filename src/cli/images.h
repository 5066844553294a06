/* Photographs named on the command line, and their embeddings. */
#ifndef PTS_CLI_IMAGES_H
#define PTS_CLI_IMAGES_H

#include "cli/cli.h"
#include "pts/encoder.h"
#include "pts/image.h"

/* Paths, owned. */
typedef struct cli_paths {
    char **items;
    size_t count, capacity;
} cli_paths;

/* Each argument is an image, a folder (its .jpg .jpeg .png .bmp files by name) or "-" (an image a
 * line from stdin); after them those in the file `list` (NULL: none; "-": stdin). A line is not
 * looked at: over a network a million looks take minutes. */
pts_status cli_paths_collect(cli_paths *paths, const cli_list *arguments, const char *list,
                             pts_error *err);
void cli_paths_free(cli_paths *paths);

/* --max-pixels: larger photographs are refused before they are decoded. */
#define CLI_MAX_PIXELS_OPTION(value)                                                               \
    {                                                                                              \
        "--max-pixels", 0, CLI_INTEGER, (value), "N", "most pixels of a photograph (100000000)"    \
    }
/* From the option's value; false where it is below 1. */
bool cli_image_limits(long max_pixels, pts_image_limits *limits);

#endif
