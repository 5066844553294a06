/* One file a command: cmd_NAME.c. */
#ifndef PTS_CLI_COMMANDS_H
#define PTS_CLI_COMMANDS_H

/* ptsinfer */

/* ptstrain */

#endif
