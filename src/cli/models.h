/* The models that a command asks: those told by options, else the installed ones. */
#ifndef PTS_CLI_MODELS_H
#define PTS_CLI_MODELS_H

#include "cli/cli.h"

#include "pts/forecast.h"

enum { CLI_PRIORS = 2 }; /* that are installed */

typedef struct cli_models {
    cli_list encoders, heads; /* options --weights and --head */
    char encoder[4096], head[4096], prior[CLI_PRIORS][4096];
    const char *one_encoder, *one_head;
    pts_prior_name priors[CLI_PRIORS + 1];
    pts_model_files files; /* what cli_models_find leaves: points into the others */
} cli_models;

#define CLI_MODELS_OPTIONS(models)                                                                 \
    {"--weights", 'w', CLI_TEXTS, &(models)->encoders, "ENC.ptsw", "encoder (the installed one)"}, \
    {                                                                                              \
        "--head", 0, CLI_TEXTS, &(models)->heads, "HEAD.ptsw", "head (the installed one)"          \
    }

/* The files. Installed priors that are not there are not offered. `prior`: a name or file that is
 * asked for, NULL: none; a file (anything with a dot or a slash) goes by its path. */
void cli_models_find(cli_models *models, const char *prior);

#endif
