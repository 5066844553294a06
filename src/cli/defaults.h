/* Where the commands find the default encoder and head. */
#ifndef PTS_CLI_DEFAULTS_H
#define PTS_CLI_DEFAULTS_H

#include <stddef.h>

/* The path of weights file `name`: in $PTS_WEIGHTS where that is set, else the first that exists
 * of ../weights beside the program (a build folder) and the folder of the installation. Where
 * none exists, the last, so that the message of opening it names a file. */
const char *cli_default_file(const char *name, char *path, size_t size);

#endif
