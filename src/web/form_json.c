/* A flat JSON object as the fields of a form. */
#include "web/form.h"

#include <stdio.h>

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

/* Numbers become the texts that they are in a form, in the object itself: it outlives the fields.
 */
static bool read_member(web_form *form, const char *key, json_t *value, web_error *e)
{
    char text[512] = "";
    if (!json_is_string(value)) {
        if (json_is_number(value))
            print_number(text, sizeof text, value);
        else if (!json_is_array(value) || !print_array(text, sizeof text, value))
            return pts_web_fail(e, 400, NULL,
                                "%.40s: expected a number, a text or an array of numbers", key);
        value = json_string(text);
        if (json_object_set_new(form->json, key, value) != 0)
            return pts_web_fail_memory(e);
    }
    const web_part part = {
        .name = key, .value = json_string_value(value), .size = json_string_length(value)};
    return pts_web_form_add(form, &part, e);
}

bool pts_web_json_read(web_form *form, const char *body, size_t size, web_error *e)
{
    const char *key;
    json_t *value;
    json_error_t error;
    form->json = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    if (!form->json)
        return pts_web_fail(e, 400, NULL, "JSON: line %d: %s", error.line, error.text);
    if (!json_is_object(form->json))
        return pts_web_fail(e, 400, NULL, "JSON: expected an object");
    json_object_foreach(form->json, key, value)
    {
        if (!read_member(form, key, value, e))
            return false;
    }
    return true;
}
