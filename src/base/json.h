/* JSON values as every front end prints them (builds with jansson). */
#ifndef PTS_SRC_BASE_JSON_H
#define PTS_SRC_BASE_JSON_H

#include <jansson.h>

/* A string. A file's name may be any bytes, while JSON is UTF-8: where `text` is not, its bytes
 * above 127 become '?'. */
json_t *pts_json_text(const char *text);
/* A real; null where it is not finite. */
json_t *pts_json_real(double value);
json_t *pts_json_reals(const double *values, size_t count);

#endif
