/* Texts: made by a format, taken apart. */
#ifndef PTS_SRC_BASE_TEXT_H
#define PTS_SRC_BASE_TEXT_H

#include "pts/base.h"

#include <stdbool.h>

/* A formatted string of its own (malloc); *out is NULL on failure. */
pts_status pts_text(char **out, pts_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What follows the last slash: all of `path` where there is none. */
const char *pts_last_component(const char *path);

/* A text cut at a number of bytes may end inside a UTF-8 character: takes those bytes off. */
void pts_text_end_whole(char *text);

/* All of `text` is one finite number. */
bool pts_number_read(const char *text, double *value);

#endif
