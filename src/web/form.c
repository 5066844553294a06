#include "web/form.h"

#include <string.h>
#include <strings.h>

bool pts_web_type_is(const char *content_type, const char *type)
{
    size_t length = strlen(type);
    return strncasecmp(content_type, type, length) == 0 &&
           (!content_type[length] || strchr("; \t", content_type[length]));
}

bool pts_web_form_add(web_form *form, const web_part *part, web_error *e)
{
    if (form->count == WEB_PARTS)
        return pts_web_fail(e, 413, NULL, "expected at most %d fields, got more", WEB_PARTS);
    if (!part->filename && memchr(part->value, '\0', part->size))
        return pts_web_fail(e, 400, NULL, "%.40s: expected text, got a zero byte", part->name);
    form->parts[form->count++] = *part;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place, NUL-terminated: the result is never longer. False for "%" without two digits. */
static bool unescape(char *text, size_t size, size_t *length)
{
    char *out = text;
    for (size_t i = 0; i < size; i++) {
        char c = text[i] == '+' ? ' ' : text[i];
        if (c == '%') {
            int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < size ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        *out++ = c;
    }
    *out = '\0';
    *length = (size_t)(out - text);
    return true;
}

static bool read_pair(web_form *form, char *pair, char *end, web_error *e)
{
    char *equals = memchr(pair, '=', (size_t)(end - pair));
    char *value = equals ? equals + 1 : end;
    size_t name_length, length;
    if (!unescape(value, (size_t)(end - value), &length) ||
        !unescape(pair, (size_t)((equals ? equals : end) - pair), &name_length))
        return pts_web_fail(e, 400, NULL, "form: expected two hexadecimal digits after %%");
    if (strlen(pair) != name_length)
        return pts_web_fail(e, 400, NULL, "form: expected a name, got a zero byte");
    return pts_web_form_add(form, &(web_part){pair, value, length, NULL, NULL}, e);
}

/* A value's terminator falls on the '&' behind it, or on the body's own. */
bool pts_web_urlencoded_read(web_form *form, char *body, size_t size, web_error *e)
{
    char *stop = body + size;
    for (char *pair = body; pair < stop;) {
        char *end = memchr(pair, '&', (size_t)(stop - pair));
        end = end ? end : stop;
        if (end > pair && !read_pair(form, pair, end, e))
            return false;
        pair = end + 1;
    }
    return true;
}

bool pts_web_form_read(web_form *form, const web_request *r, web_error *e)
{
    *form = (web_form){.count = 0};
    if (pts_web_type_is(r->content_type, "multipart/form-data"))
        return pts_web_multipart_read(form, r->content_type, r->body, r->size, e);
    if (pts_web_type_is(r->content_type, "application/x-www-form-urlencoded"))
        return pts_web_urlencoded_read(form, r->body, r->size, e);
    if (pts_web_type_is(r->content_type, "application/json"))
        return pts_web_json_read(form, r->body, r->size, e);
    return pts_web_fail(e, 415, NULL, "Content-Type: expected a form or JSON, got '%.100s'",
                        r->content_type);
}

void pts_web_form_free(web_form *form)
{
    json_decref(form->json);
    form->json = NULL;
}

static bool is_among(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static bool comes_before(const web_form *form, size_t index)
{
    size_t i = 0;
    while (i < index &&
           (form->parts[i].filename || strcmp(form->parts[i].name, form->parts[index].name) != 0))
        i++;
    return i < index;
}

bool pts_web_form_check(const web_form *form, const web_fields *fields, web_error *e)
{
    for (size_t i = 0; i < form->count; i++) {
        const web_part *p = &form->parts[i];
        if (fields->repeated && strcmp(p->name, fields->repeated) == 0)
            continue;
        if (p->filename && fields->files)
            continue;
        if (p->filename || !is_among(fields->names, p->name))
            return pts_web_fail(e, 400, NULL, "no field '%.60s'", p->name);
        if (comes_before(form, i))
            return pts_web_fail(e, 400, p->name, "%s: expected one, got two", p->name);
    }
    return true;
}

const char *pts_web_form_value(const web_form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++) {
        const web_part *p = &form->parts[i];
        if (!p->filename && strcmp(p->name, name) == 0)
            return p->size ? p->value : NULL;
    }
    return NULL;
}
