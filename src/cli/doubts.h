/* What is odd about measured points, in words: caveats of fit, extrapolate, prior and predict. */
#ifndef PTS_CLI_DOUBTS_H
#define PTS_CLI_DOUBTS_H

#include "cli/cli.h"

#include "pts/forecast.h"

/* The column of a metric's name: map, map50 or map75. */
const double *cli_metric(const pts_curve_points *c, const char *metric);

/* stderr: that a file was taken for percent. */
void cli_tell_unit(const cli_syntax *syntax, const char *path, const pts_curve_set *set);
/* stderr: each doubt of each curve in a line, of the first twenty such curves. */
void cli_tell_doubts(const cli_syntax *syntax, const char *path, const pts_curve_set *set,
                     const char *metric);

#ifdef PTS_HAVE_JSON
/* Into `to` as the list "caveats", where there are any. */
void cli_json_add_doubts(json_t *to, const pts_doubts *doubts);
#endif

#endif
