/* The answer of ptsinfer predict in words, on stdout. */
#ifndef PTS_CLI_ANSWER_TEXT_H
#define PTS_CLI_ANSWER_TEXT_H

#include "pts/forecast.h"

#include <stdbool.h>

/* What was given, as far as the answer does not say it. */
typedef struct cli_answer_words {
    bool named_prior;       /* by --prior */
    bool labelled;          /* with --labels, whether or not they answered */
    const char *class_name; /* of the labels */
    const char *plot_path;  /* drawn to; or NULL */
} cli_answer_words;

void cli_print_answer(const pts_answer *answer, const cli_answer_words *words);
#ifdef PTS_HAVE_STUDY
void cli_print_study(const pts_study_answer *answer, const char *plot_path);
#endif

#endif
