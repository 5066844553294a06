/* What train and eval share: data sets, curves and encoder named on the command line. */
#ifndef PTS_CLI_TASKS_H
#define PTS_CLI_TASKS_H

#include "cli/cli.h"
#include "cli/progress.h"
#include "pts/learn.h"

typedef struct cli_tasks {
    cli_list data;
    const char *curves, *encoder, *cache, *preset;
    long threads, seed, epochs, batch, combinations;
    cli_progress bar;
    pts_team *team;
    pts_tasks *tasks;
} cli_tasks;

#define CLI_TASKS_OPTIONS(t)                                                                       \
    {"--data", 0, CLI_LIST, &(t)->data, "DIR...", "data-set folders"},                             \
        {"--curves", 0, CLI_TEXT, &(t)->curves, "curves.csv", "their measured curves"},            \
        {"--encoder", 'w', CLI_TEXT, &(t)->encoder, "ENC.ptsw", "encoder (the installed one)"},    \
        {"--cache", 0, CLI_TEXT, &(t)->cache, "DIR", "keeps embeddings there"},                    \
        {"--preset", 0, CLI_TEXT, &(t)->preset, "NAME", "of the photographs (the encoder's)"},     \
        {"--epochs", 0, CLI_INTEGER, &(t)->epochs, "N", "of the study's network (10)"},            \
        {"--batch", 0, CLI_INTEGER, &(t)->batch, "N", "its samples a step (64)"},                  \
        {"--combinations",   0,   CLI_INTEGER,                                                     \
         &(t)->combinations, "N", "its samples a class and epoch (200)"},                          \
        {"--seed", 0, CLI_INTEGER, &(t)->seed, "N", "seed (43)"},                                  \
        CLI_THREADS_OPTION(&(t)->threads)

#define CLI_TASKS_DEFAULTS                                                                         \
    {                                                                                              \
        .seed = 43, .epochs = 10, .batch = 64, .combinations = 200                                 \
    }

/* Checks the options, embeds, joins: -1 to go on, else the exit code after a message. */
int cli_tasks_load(const cli_syntax *syntax, cli_tasks *t, const cli_list *operands);
void cli_tasks_free(cli_tasks *t);

pts_head_options cli_tasks_head_options(const cli_tasks *t, pts_head_kind kind);
/* A pts_progress over `user`, a cli_progress; stops on Ctrl-C. */
int cli_tasks_progress(void *user, const char *stage, size_t done, size_t total);
/* --preset, NULL where it was not given: -1 to go on, else the exit code. */
int cli_check_preset(const cli_syntax *syntax, const char *preset);

#endif
