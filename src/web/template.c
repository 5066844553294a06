#define _GNU_SOURCE /* memmem */
#include "web/template.h"

#include <string.h>

typedef struct scanner {
    const char *at, *end;
    const web_value *values;
    size_t count;
    FILE *out;
} scanner;

void pts_web_escape(FILE *out, const char *text)
{
    static const char *const entities[256] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (entities[c])
            fputs(entities[c], out);
        else if (c < 0x20 && c != '\t' && c != '\n')
            fputs("\xEF\xBF\xBD", out);
        else
            fputc(c, out);
    }
}

static const char *find_value(const scanner *s, const char *name, size_t length)
{
    for (size_t i = 0; i < s->count; i++) {
        const web_value *v = &s->values[i];
        if (strlen(v->name) == length && memcmp(v->name, name, length) == 0)
            return v->value ? v->value : "";
    }
    return "";
}

typedef struct tag {
    char kind; /* '#', '^', '/', or 0 for a value */
    const char *name;
    size_t length;
} tag;

/* Writes the text up to the next tag where it is shown. False at the end of the template. */
static bool next_tag(scanner *s, bool shown, tag *t, bool *whole)
{
    const char *open = memmem(s->at, (size_t)(s->end - s->at), "{{", 2);
    const char *stop = open ? open : s->end;
    if (shown)
        fwrite(s->at, 1, (size_t)(stop - s->at), s->out);
    s->at = stop;
    if (!open)
        return false;
    const char *close = memmem(open, (size_t)(s->end - open), "}}", 2);
    *whole = close != NULL;
    if (!close)
        return false;
    t->kind = strchr("#^/", open[2]) ? open[2] : 0;
    t->name = open + 2 + (t->kind != 0);
    t->length = (size_t)(close - t->name);
    s->at = close + 2;
    return true;
}

enum { DEPTH = 16 };

bool pts_web_template_write(FILE *out, const char *text, size_t size, const web_value *values,
                            size_t count)
{
    scanner s = {text, text + size, values, count, out};
    bool shown[DEPTH] = {true}, whole = true;
    size_t depth = 0;
    tag t;
    while (next_tag(&s, shown[depth], &t, &whole)) {
        const char *value = find_value(&s, t.name, t.length);
        if (t.kind == '/') {
            if (depth-- == 0)
                return false;
        } else if (t.kind) {
            if (depth + 1 == DEPTH)
                return false;
            shown[depth + 1] = shown[depth] && (t.kind == '#') == (*value != '\0');
            depth++;
        } else if (shown[depth]) {
            pts_web_escape(out, value);
        }
    }
    return whole && depth == 0;
}
