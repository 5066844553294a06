/* Options from a JSON file: {"data": ["a", "b"], "epochs": 10, "resume": true} is --data a b
 * --epochs 10 --resume, before those of the command line, which so have the last word. */
#ifndef PTS_CLI_CONFIG_H
#define PTS_CLI_CONFIG_H

#include "cli/cli.h"

#ifdef PTS_HAVE_JSON
/* As cli_run, after the options of the file that --config names, if it is there. A key that is no
 * option's name, or a value of another kind, is refused by name. */
int cli_run_config(const cli_syntax *syntax, int argc, char **argv, cli_body *run, void *user);

/* The options' present values as JSON in one line, sorted by name, without those in `skip`
 * (NULL-ended) and texts and lists that are not set; malloc'ed, NULL without memory. */
char *cli_config_text(const cli_syntax *syntax, const char *const *skip);

/* With its comma, as it is not there without JSON. */
#define CLI_CONFIG_OPTION(value)                                                                   \
    {"--config", 0, CLI_TEXT, (value), "FILE.json", "these options by name, as JSON"},
#else
#define cli_run_config cli_run
#define CLI_CONFIG_OPTION(value)
#endif

#endif
