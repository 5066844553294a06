/* multipart/form-data (RFC 7578 over RFC 2046), cut up in place.
 *
 * All of the body is there, so a part's end is one search for its delimiter, and nothing has to be
 * remembered between pieces: libmicrohttpd's own processor works as bytes arrive and would copy
 * each image a second time. */
#define _GNU_SOURCE /* memmem, strcasestr */
#include "web/form.h"

#include <string.h>
#include <strings.h>

enum { HEAD_BYTES = 4096 };

/* CR LF "--" and the boundary, [size]; without its first two bytes it opens the body. */
typedef struct delimiter {
    char text[4 + WEB_BOUNDARY];
    size_t size;
} delimiter;

static bool read_boundary(delimiter *d, const char *content_type, web_error *e)
{
    const char *at = strcasestr(content_type, "boundary=");
    size_t length = 0;
    if (at) {
        at += strlen("boundary=");
        bool quoted = *at == '"';
        at += quoted;
        length = strcspn(at, quoted ? "\"" : "; \t");
    }
    if (length < 1 || length > WEB_BOUNDARY)
        return pts_web_fail(e, 400, NULL, "Content-Type: expected a boundary of 1 … %d characters",
                            WEB_BOUNDARY);
    memcpy(d->text, "\r\n--", 4);
    memcpy(d->text + 4, at, length);
    d->size = 4 + length;
    return true;
}

/* One `key=value` or `key="value"` from *at on, which moves behind the semicolon that follows. The
 * value is unquoted in place (a backslash may stand before a quote) and, like the key, terminated
 * where it ends, which is never behind that semicolon. */
static bool next_parameter(char **at, char **key, char **value)
{
    char *in = *at + strspn(*at, " \t");
    *key = in;
    in += strcspn(in, "=;");
    if (*in != '=')
        return false;
    *in++ = '\0';
    bool quoted = *in == '"';
    in += quoted;
    char *out = *value = in;
    while (*in && (quoted ? *in != '"' : !strchr("; \t", *in))) {
        in += quoted && *in == '\\' && (in[1] == '"' || in[1] == '\\');
        *out++ = *in++;
    }
    in += quoted && *in == '"';
    in += strspn(in, " \t");
    if (*in && *in != ';')
        return false;
    *at = in + (*in == ';');
    *out = '\0';
    return true;
}

static bool read_disposition(web_part *part, char *text, web_error *e)
{
    char *at = strchr(text, ';'), *key, *value;
    if (strncasecmp(text, "form-data", 9) != 0 || !at)
        return pts_web_fail(e, 400, NULL, "multipart: expected Content-Disposition: form-data");
    for (at++; *at;) {
        if (!next_parameter(&at, &key, &value))
            return pts_web_fail(e, 400, NULL,
                                "multipart: expected name=\"…\" in Content-Disposition");
        if (strcasecmp(key, "name") == 0)
            part->name = value;
        else if (strcasecmp(key, "filename") == 0)
            part->filename = value;
    }
    return true;
}

/* The line's value if its header is of that name. */
static char *header_value(char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    return line + length + 1 + strspn(line + length + 1, " \t");
}

/* `head`, NUL-terminated: lines with CR LF between them. */
static bool read_head(web_part *part, char *head, web_error *e)
{
    for (char *line = head, *next; line; line = next) {
        next = strstr(line, "\r\n");
        if (next) {
            *next = '\0';
            next += 2;
        }
        char *value = header_value(line, "Content-Disposition");
        if (value && !read_disposition(part, value, e))
            return false;
        value = header_value(line, "Content-Type");
        part->type = value ? value : part->type;
    }
    if (!part->name)
        return pts_web_fail(e, 400, NULL, "multipart: expected a part with a name");
    return true;
}

/* One part, [begin, end) between two delimiters; *end becomes the value's terminator. */
static bool read_part(web_form *form, char *begin, char *end, web_error *e)
{
    web_part part = {.type = ""};
    char *blank = memmem(begin, (size_t)(end - begin), "\r\n\r\n", 4);
    if (!blank || blank - begin > HEAD_BYTES || memchr(begin, '\0', (size_t)(blank - begin)))
        return pts_web_fail(e, 400, NULL, "multipart: expected a part's header of at most %d bytes",
                            HEAD_BYTES);
    *blank = *end = '\0';
    if (!read_head(&part, begin, e))
        return false;
    part.value = blank + 4;
    part.size = (size_t)(end - blank) - 4;
    return pts_web_form_add(form, &part, e);
}

/* Past the rest of a delimiter's line: NULL where it is no delimiter line, *last at the closing
 * one. */
static char *after_delimiter(char *at, const char *stop, bool *last)
{
    *last = stop - at >= 2 && memcmp(at, "--", 2) == 0;
    if (*last)
        return at + 2;
    while (at < stop && (*at == ' ' || *at == '\t'))
        at++;
    return stop - at >= 2 && memcmp(at, "\r\n", 2) == 0 ? at + 2 : NULL;
}

bool pts_web_multipart_read(web_form *form, const char *content_type, char *body, size_t size,
                            web_error *e)
{
    delimiter d = {0};
    char *stop = body + size;
    bool last = false;
    if (!read_boundary(&d, content_type, e))
        return false;
    char *at =
        size >= d.size - 2 && memcmp(body, d.text + 2, d.size - 2) == 0 ? body + d.size - 2 : NULL;
    while (at && (at = after_delimiter(at, stop, &last)) && !last) {
        char *end = memmem(at, (size_t)(stop - at), d.text, d.size);
        if (!end)
            break;
        if (!read_part(form, at, end, e))
            return false;
        at = end + d.size;
    }
    if (!last)
        return pts_web_fail(e, 400, NULL, "multipart: expected the closing boundary, got %zu bytes",
                            size);
    return true;
}
