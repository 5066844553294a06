/* What is odd about measured points, in words: caveats of fit, extrapolate, prior and predict. */
#ifndef PTS_CLI_DOUBTS_H
#define PTS_CLI_DOUBTS_H

#include "cli/cli.h"

#include "pts/curve.h"

enum { CLI_DOUBTS = 8 };

typedef struct cli_doubts {
    char text[CLI_DOUBTS][200];
    size_t count;
} cli_doubts;

void cli_doubt(cli_doubts *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of a curve read from a file in percent or not: copies of rows, a unit unlike the file's, one size
 * only, equal values, a fall. y [c->count]: its metric of that name. */
void cli_doubt_points(cli_doubts *to, const pts_curve_points *c, const double *y,
                      const char *metric, bool percent);

/* The column of a metric's name: map, map50 or map75. */
const double *cli_metric(const pts_curve_points *c, const char *metric);

/* stderr: that a file was taken for percent. */
void cli_tell_unit(const cli_syntax *syntax, const char *path, const pts_curve_set *set);
/* stderr: each doubt of each curve in a line, of the first twenty such curves. */
void cli_tell_doubts(const cli_syntax *syntax, const char *path, const pts_curve_set *set,
                     const char *metric);

#ifdef PTS_HAVE_JSON
/* Into `to` as the list "caveats", where there are any. */
void cli_json_add_doubts(json_t *to, const cli_doubts *doubts);
#endif

#endif
