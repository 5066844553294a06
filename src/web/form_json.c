/* A flat JSON object as the fields of a form. */
#include "web/form.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 16384 };

/* The texts are gathered in one block of fixed size. */
typedef struct gather {
    char *at, *end;
} gather;

static const char *keep(gather *g, const char *text, size_t size)
{
    if (size >= (size_t)(g->end - g->at))
        return NULL;
    char *copy = memcpy(g->at, text, size);
    copy[size] = '\0';
    g->at += size + 1;
    return copy;
}

static int print_number(char *out, size_t room, const json_t *value)
{
    if (json_is_integer(value))
        return snprintf(out, room, "%lld", (long long)json_integer_value(value));
    return snprintf(out, room, "%.17g", json_real_value(value));
}

/* Numbers with commas between them; false where there is anything else. */
static bool print_array(char *out, size_t room, const json_t *array)
{
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_number(item) || room - used < 32)
            return false;
        if (i)
            out[used++] = ',';
        used += (size_t)print_number(out + used, room - used, item);
    }
    return true;
}

static bool read_member(web_form *form, gather *g, const char *key, const json_t *value,
                        web_error *e)
{
    char text[512] = "";
    web_part part = {.name = keep(g, key, strlen(key))};
    if (json_is_string(value)) {
        part.size = json_string_length(value);
        part.value = keep(g, json_string_value(value), part.size);
    } else {
        if (json_is_number(value))
            print_number(text, sizeof text, value);
        else if (!json_is_array(value) || !print_array(text, sizeof text, value))
            return pts_web_fail(e, 400, NULL,
                                "%.40s: expected a number, a text or an array of numbers", key);
        part.size = strlen(text);
        part.value = keep(g, text, part.size);
    }
    if (!part.name || !part.value)
        return pts_web_fail(e, 413, NULL, "JSON: expected at most %d bytes of text", ROOM);
    return pts_web_form_add(form, &part, e);
}

static bool read_members(web_form *form, json_t *root, web_error *e)
{
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        return pts_web_fail(e, 400, NULL, "JSON: expected an object");
    form->own = malloc(ROOM);
    if (!form->own)
        return pts_web_fail_status(e, PTS_ERR_MEMORY, NULL, &(pts_error){"out of memory"});
    gather g = {form->own, form->own + ROOM};
    json_object_foreach(root, key, value)
    {
        if (!read_member(form, &g, key, value, e))
            return false;
    }
    return true;
}

bool pts_web_json_read(web_form *form, const char *body, size_t size, web_error *e)
{
    json_error_t error;
    json_t *root = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return pts_web_fail(e, 400, NULL, "JSON: line %d: %s", error.line, error.text);
    bool done = read_members(form, root, e);
    json_decref(root);
    return done;
}
