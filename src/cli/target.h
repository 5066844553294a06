/* The wanted mAP, as people type it. */
#ifndef PTS_CLI_TARGET_H
#define PTS_CLI_TARGET_H

#include "cli/cli.h"

/* 0 < *target < 1. A number in (1, 100) is percent: it is divided by 100 and stderr says so.
 * Returns −1 to go on, else the exit code (2), its line written. `option` is named in messages. */
int cli_target(const cli_syntax *syntax, const char *option, const char *text, double *target);

/* The line that says so. */
void cli_tell_percent(const cli_syntax *syntax, const char *option, const char *text,
                      double target);

#endif
