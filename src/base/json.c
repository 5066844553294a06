#define _GNU_SOURCE
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *pts_json_text(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *ascii = strdup(text);
    for (char *c = ascii; c && *c; c++)
        *c = (*c & 0x80) ? '?' : *c;
    value = ascii ? json_string(ascii) : NULL;
    free(ascii);
    return value;
}

json_t *pts_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *pts_json_reals(const double *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, pts_json_real(values[i]));
    return list;
}
