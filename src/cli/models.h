/* The models that a command asks: those told by options, else the installed ones. */
#ifndef PTS_CLI_MODELS_H
#define PTS_CLI_MODELS_H

#include "cli/cli.h"

#include "pts/forecast.h"

enum { CLI_PRIORS = 64 }; /* that a service offers at most */

typedef struct cli_models {
    cli_list encoders, heads; /* options --weights and --head */
    char encoder[4096], head[4096], prior[CLI_PRIORS][4096], names[4096];
    char clip[4096];
    const char *one_encoder, *one_head, *one_clip, *pair[3];
    pts_prior_name priors[CLI_PRIORS];
    pts_model_files files; /* what cli_models_find leaves: points into the others */
} cli_models;

#define CLI_MODELS_OPTIONS(models)                                                                 \
    {"--weights", 'w', CLI_TEXTS, &(models)->encoders, "ENC.ptsw", "encoder (the installed one)"}, \
    {                                                                                              \
        "--head", 0, CLI_TEXTS, &(models)->heads, "HEAD.ptsw", "head (the installed one)"          \
    }

/* The files of encoders and heads; no priors yet. */
void cli_models_find(cli_models *models);
/* The same for the study's page, which needs two encoders: those told come first, the installed
 * ones stand in for what is not told. */
void cli_models_find_study(cli_models *models);
/* A name stands for the installed prior-NAME.txt; anything with a dot or a slash is a file. */
void cli_models_add_prior(cli_models *models, const char *name);
/* All that are there, by name. */
void cli_models_add_installed_priors(cli_models *models);

#endif
