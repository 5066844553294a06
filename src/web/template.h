/* HTML with places for values: {{name}} is the value, escaped; {{#name}} … {{/name}} stands only
 * where the value is not empty, {{^name}} … {{/name}} only where it is. Sections nest. */
#ifndef PTS_SRC_WEB_TEMPLATE_H
#define PTS_SRC_WEB_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct web_value {
    const char *name, *value; /* a NULL value is empty */
} web_value;

/* False for a template that is not whole; names that are not among the values are empty. */
bool pts_web_template_write(FILE *out, const char *text, size_t size, const web_value *values,
                            size_t count);
/* & < > " ' as references; control characters but tab and line end as U+FFFD. */
void pts_web_escape(FILE *out, const char *text);

#endif
