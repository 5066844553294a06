/* Names of the figures of many curves, for a file system. */
#ifndef PTS_CLI_FIGURE_NAMES_H
#define PTS_CLI_FIGURE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cli_figure {
    char name[200];       /* without folder and ending; a file's name has 255 bytes at most */
    size_t curve, number; /* 0: none */
} cli_figure;

/* DATASET-CLASS, all but letters, digits and "._-" replaced: names come from a file. */
void cli_figure_set(cli_figure *figure, size_t curve, const char *dataset, const char *class_name);

/* Names that are alike once replaced ("a/b" and "a b") or cut overwrote each other's figures: from
 * the second on they are numbered behind a sign that no replaced name has. `second` is the ending
 * of a curve's other figure, "-sensitivity": class "x-sensitivity" would draw over that of x.
 * Figures [count] with curves 0 … count − 1 in order; in that order they stay. */
void cli_figures_number(cli_figure *figures, size_t count, const char *second);

/* FOLDER/NAME[~NUMBER]ENDING; false where it does not fit. */
bool cli_figure_path(const cli_figure *figure, const char *folder, const char *ending, char *path,
                     size_t size);

#endif
