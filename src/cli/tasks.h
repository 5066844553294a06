/* What train and eval share: data sets, curves and encoder named on the command line. */
#ifndef PTS_CLI_TASKS_H
#define PTS_CLI_TASKS_H

#include "cli/config.h"
#include "cli/progress.h"
#include "pts/learn.h"
#include "pts/ranks.h"
#include "pts/study.h"

typedef struct cli_tasks {
    cli_list data;
    const char *config, *curves, *encoder, *cache, *preset;
    long threads, seed, epochs, batch, combinations;
    const char *rule, *schedule, *checkpoint;
    double rate, momentum, weight_decay, clip, huber, dropout;
    long patience;
    bool resume, masks;
    size_t least; /* data sets that the command needs */
    cli_progress bar;
    pts_ranks *ranks; /* started by the command; NULL: this process alone */
    pts_peers peers;
    pts_team *team;
    pts_tasks *tasks;
} cli_tasks;

#define CLI_TASKS_OPTIONS(t)                                                                       \
    {"--data", 0, CLI_LIST, &(t)->data, "DIR...", "data-set folders"},                             \
        {"--curves", 0, CLI_TEXT, &(t)->curves, "curves.csv", "their measured curves"},            \
        {"--encoder", 'w', CLI_TEXT, &(t)->encoder, "ENC.ptsw", "encoder (the installed one)"},    \
        {"--cache", 0, CLI_TEXT, &(t)->cache, "DIR", "keeps embeddings there"},                    \
        {"--preset", 0, CLI_TEXT, &(t)->preset, "NAME", "of the photographs (the encoder's)"},     \
        {"--masks", 0, CLI_FLAG, &(t)->masks, NULL, "embed the labels' masks, too"},               \
        {"--epochs", 0, CLI_INTEGER, &(t)->epochs, "N", "of the study's network (10)"},            \
        {"--batch", 0, CLI_INTEGER, &(t)->batch, "N", "its samples a step (64; the study: 1)"},    \
        {"--combinations",                                                                         \
         0,                                                                                        \
         CLI_INTEGER,                                                                              \
         &(t)->combinations,                                                                       \
         "N",                                                                                      \
         "its samples a class, a quarter of them for validation and for test (2000)"},             \
        {"--rate", 0, CLI_NUMBER, &(t)->rate, "R", "its learning rate (0.001)"},                   \
        {"--optimizer", 0, CLI_TEXT, &(t)->rule, "NAME", "adam, adamw or sgd (adam)"},             \
        {"--momentum", 0, CLI_NUMBER, &(t)->momentum, "M", "of sgd (0)"},                          \
        {"--weight-decay", 0, CLI_NUMBER, &(t)->weight_decay, "W", "(0)"},                         \
        {"--clip", 0, CLI_NUMBER, &(t)->clip, "NORM", "longest gradient (0: any)"},                \
        {"--huber", 0, CLI_NUMBER, &(t)->huber, "D", "Huber loss from D on (0: squared error)"},   \
        {"--dropout", 0, CLI_NUMBER, &(t)->dropout, "P", "share that is dropped (0)"},             \
        {"--schedule",                                                                             \
         0,                                                                                        \
         CLI_TEXT,                                                                                 \
         &(t)->schedule,                                                                           \
         "NAME",                                                                                   \
         "of the rate: constant, cosine or steps, a tenth after each third (constant)"},           \
        {"--patience",   0,   CLI_INTEGER,                                                         \
         &(t)->patience, "N", "epochs without a better validation before it stops (0: never)"},    \
        {"--checkpoint", 0, CLI_TEXT, &(t)->checkpoint, "FILE", "where training stands"},          \
        {"--resume", 0, CLI_FLAG, &(t)->resume, NULL, "go on from the checkpoint"},                \
        {"--seed", 0, CLI_INTEGER, &(t)->seed, "N", "seed (43)"},                                  \
        CLI_THREADS_OPTION(&(t)->threads)

#define CLI_TASKS_DEFAULTS                                                                         \
    {                                                                                              \
        .seed = 43, .epochs = 10, .batch = 64, .combinations = 2000, .rate = 1e-3, .rule = "adam", \
        .schedule = "constant"                                                                     \
    }

/* Checks the options, embeds, joins: -1 to go on, else the exit code after a message. */
int cli_tasks_load(const cli_syntax *syntax, cli_tasks *t, const cli_list *operands);
void cli_tasks_free(cli_tasks *t);

/* After cli_tasks_load; points into *t. */
pts_study_options cli_tasks_study_options(cli_tasks *t);
/* A pts_progress over `user`, a cli_progress; stops on Ctrl-C. */
int cli_tasks_progress(void *user, const char *stage, size_t done, size_t total);
/* --preset, NULL where it was not given: -1 to go on, else the exit code. */
int cli_check_preset(const cli_syntax *syntax, const char *preset);

#endif
