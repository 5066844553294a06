/* A command that runs in another folder than the one it was written in. */
#ifndef PTS_SRC_COLLECT_RESOLVE_H
#define PTS_SRC_COLLECT_RESOLVE_H

#include "pts/base.h"

/* The shell command with relative paths made absolute where the working directory has them, by the
 * rule of pts/collect.h; malloc. */
pts_status pts_command_resolve(char **out, const char *command, pts_error *err);

#endif
