/* predict --mode ptssp: what the original study's page answers. */
#ifndef PTS_CLI_PREDICT_PTSSP_H
#define PTS_CLI_PREDICT_PTSSP_H

#include "cli/cli.h"
#include "pts/image.h"

typedef struct cli_ptssp {
    double target;
    const cli_list *encoders, *heads; /* none or two each, in any order */
    const cli_list *photographs;      /* four */
    pts_image_limits limits;
    long threads;
    bool json;
    const char *plot_path; /* or NULL */
} cli_ptssp;

/* Prints the answer; the command's exit code. */
int cli_predict_ptssp(const cli_syntax *syntax, const cli_ptssp *p);

#endif
