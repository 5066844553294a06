/* One file a command: cmd_NAME.c. */
#ifndef PTS_CLI_COMMANDS_H
#define PTS_CLI_COMMANDS_H

/* ptsinfer */

/* ptstrain */
int cmd_data(int argc, char **argv);
int cmd_export(int argc, char **argv);

#endif
