/* Where the commands find the default encoder, head and priors: in $PTS_WEIGHTS where that is set
 * and not empty, else the first that has the file of ../weights beside the program (a build folder
 * in the source tree), the folder of the installation and, for a program in its build folder, the
 * source tree's weights. */
#ifndef PTS_CLI_DEFAULTS_H
#define PTS_CLI_DEFAULTS_H

#include <stddef.h>

/* Of the build: made by Meson from places.c.in. */
extern const char cli_build_folder[], cli_source_weights[];

/* The path of weights file `name`. Where none exists, the one that an installation would have, so
 * that the message of opening it names a file. */
const char *cli_default_file(const char *name, char *path, size_t size);

/* `asked`, or where that is NULL the path of the default encoder. */
const char *cli_default_encoder(const char *asked, char *path, size_t size);

/* What stands for * in the files BEFORE*AFTER of those folders: "builtin, yolov8m-seg"; "" where
 * there are none. */
void cli_default_names(const char *before, const char *after, char *text, size_t size);

/* What helps, after the message that opening a default file ended with: " (looked in …)", for a
 * prior's name " (there are: …)"; "" after any other message. cli_fail adds it, as the rooms that
 * open the files do not know that they are defaults. */
void cli_default_note(const char *message, char *note, size_t size);

#endif
