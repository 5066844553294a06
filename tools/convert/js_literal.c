/* JavaScript object literals → JSON. The nsfwjs package keeps its model as
 *
 *     n.exports={modelTopology:{keras_version:"2.2.4",…,trainable:!1,momentum:.99,seed:null}}
 *
 * inside a browserify bundle: not JSON, and a script is nothing we would run. This reads the
 * literal part of ECMAScript's grammar (ECMA-262, 12.9 and 13.2) and writes JSON: bare keys get
 * quotes, !0 and !1 become true and false, .99 becomes 0.99, 'x' becomes "x". Whatever needs
 * evaluation (names, calls, templates, operators, getters) is refused with its byte offset. */
#include "convert.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 128, EXCERPT = 24 };

typedef struct reader {
    const char *text;
    size_t size, at;
    char *out;
    size_t used, capacity;
    int depth;
    pts_error *err;
} reader;

static pts_status value(reader *r);

static pts_status expected(reader *r, const char *what)
{
    char got[EXCERPT + 1] = "the end";
    size_t n = 0;
    for (; n < EXCERPT && r->at + n < r->size; n++) {
        char c = r->text[r->at + n];
        got[n] = c >= 0x20 && c < 0x7f ? c : '?';
    }
    if (n)
        got[n] = '\0';
    return pts_fail(r->err, PTS_ERR_FORMAT, "byte %zu: expected %s, got %s", r->at, what, got);
}

static pts_status put(reader *r, const char *text, size_t size)
{
    PTS_TRY(pts_grow(&r->out, &r->capacity, r->used + size, 1, r->err));
    memcpy(r->out + r->used, text, size);
    r->used += size;
    return PTS_OK;
}

static char peek(const reader *r)
{
    return r->at < r->size ? r->text[r->at] : '\0';
}

/* White space and comments. */
static void skip(reader *r)
{
    while (r->at < r->size) {
        const char *p = r->text + r->at;
        size_t left = r->size - r->at;
        if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
            r->at++;
        } else if (left > 1 && p[0] == '/' && p[1] == '/') {
            const char *end = memchr(p, '\n', left);
            r->at = end ? (size_t)(end - r->text) : r->size;
        } else if (left > 3 && p[0] == '/' && p[1] == '*') {
            size_t i = 2;
            while (i + 1 < left && !(p[i] == '*' && p[i + 1] == '/'))
                i++;
            if (i + 1 >= left)
                return; /* not closed: the caller meets the slash */
            r->at += i + 2;
        } else {
            return;
        }
    }
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return is_name_start(c) || is_digit(c);
}

/* `count` hexadecimal digits at r->at. */
static bool hex_digits(reader *r, int count, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < count; i++, r->at++) {
        char c = peek(r);
        int d = is_digit(c)            ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return false;
        *code = *code << 4 | (unsigned)d;
    }
    return true;
}

/* What follows a backslash, as JSON. \u goes through as it is: jansson checks the surrogates. */
static pts_status escape(reader *r)
{
    char c = peek(r), text[8];
    unsigned code = 0;
    if (c && strchr("bfnrt\"\\/", c)) {
        r->at++;
        return put(r, (const char[]){'\\', c}, 2);
    }
    if (!c || !strchr("v'xu\n", c))
        return expected(r, "an escape known here");
    r->at++;
    if (c == '\n')
        return PTS_OK; /* a line continuation */
    if ((c == 'x' && !hex_digits(r, 2, &code)) || (c == 'u' && !hex_digits(r, 4, &code)))
        return expected(r, "a hexadecimal digit");
    if (c == 'v' || c == '\'')
        code = c == 'v' ? 0x0b : '\'';
    snprintf(text, sizeof text, "\\u%04x", code & 0xffff);
    return put(r, text, 6);
}

static pts_status string(reader *r)
{
    char quote = peek(r);
    r->at++;
    PTS_TRY(put(r, "\"", 1));
    for (;;) {
        size_t from = r->at;
        while (r->at < r->size && r->text[r->at] != quote && r->text[r->at] != '\\' &&
               r->text[r->at] != '"' && (unsigned char)r->text[r->at] >= 0x20)
            r->at++;
        PTS_TRY(put(r, r->text + from, r->at - from));
        if (r->at >= r->size || (unsigned char)peek(r) < 0x20)
            return expected(r, "the end of a string");
        char c = r->text[r->at++];
        if (c == quote)
            return put(r, "\"", 1);
        PTS_TRY(c == '\\' ? escape(r) : put(r, "\\\"", 2));
    }
}

static size_t take_digits(reader *r)
{
    size_t from = r->at;
    while (is_digit(peek(r)))
        r->at++;
    return r->at - from;
}

/* [+-] digits [. digits] [e digits]; JSON wants a digit on either side of the point, no '+', and
 * no leading zeros (010 is octal or decimal, by the mood of the engine: refused). */
static pts_status number(reader *r)
{
    if (peek(r) == '-')
        PTS_TRY(put(r, "-", 1));
    if (peek(r) == '-' || peek(r) == '+')
        r->at++;
    size_t from = r->at, whole = take_digits(r);
    if (whole > 1 && r->text[from] == '0') {
        r->at = from;
        return expected(r, "a number without leading zeros");
    }
    PTS_TRY(whole ? put(r, r->text + from, whole) : put(r, "0", 1));
    size_t fraction = 0;
    if (peek(r) == '.') {
        from = ++r->at;
        fraction = take_digits(r);
        PTS_TRY(put(r, ".", 1));
        PTS_TRY(fraction ? put(r, r->text + from, fraction) : put(r, "0", 1));
    }
    if (whole + fraction == 0)
        return expected(r, "a digit");
    if (peek(r) == 'e' || peek(r) == 'E') {
        from = r->at++;
        if (peek(r) == '-' || peek(r) == '+')
            r->at++;
        if (!take_digits(r))
            return expected(r, "an exponent");
        PTS_TRY(put(r, r->text + from, r->at - from));
    }
    return is_name(peek(r)) ? expected(r, "the end of a number") : PTS_OK;
}

/* !0, !1, true, false, null, void 0. */
static pts_status word(reader *r)
{
    static const struct {
        const char *js, *json;
    } words[] = {{"!0", "true"},     {"!1", "false"},  {"true", "true"},
                 {"false", "false"}, {"null", "null"}, {"void 0", "null"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].js);
        if (n > r->size - r->at || memcmp(r->text + r->at, words[i].js, n) != 0)
            continue;
        if (r->at + n < r->size && is_name(r->text[r->at + n]))
            break;
        r->at += n;
        return put(r, words[i].json, strlen(words[i].json));
    }
    return expected(r, "a literal (nothing is run)");
}

static pts_status key(reader *r)
{
    char c = peek(r);
    if (c == '"' || c == '\'')
        return string(r);
    size_t from = r->at;
    while (is_name(peek(r)))
        r->at++;
    if (r->at == from)
        return expected(r, "a key");
    PTS_TRY(put(r, "\"", 1));
    PTS_TRY(put(r, r->text + from, r->at - from));
    return put(r, "\"", 1);
}

/* { … } or [ … ]; a comma before the closing bracket is JavaScript's, and dropped. */
static pts_status compound(reader *r)
{
    bool object = peek(r) == '{';
    char close = object ? '}' : ']';
    PTS_TRY(put(r, object ? "{" : "[", 1));
    r->at++;
    for (bool first = true;; first = false) {
        skip(r);
        if (peek(r) == close)
            break;
        if (!first)
            PTS_TRY(put(r, ",", 1));
        if (object) {
            PTS_TRY(key(r));
            skip(r);
            if (peek(r) != ':')
                return expected(r, "':'");
            r->at++;
            PTS_TRY(put(r, ":", 1));
        }
        PTS_TRY(value(r));
        skip(r);
        if (peek(r) == ',')
            r->at++;
        else if (peek(r) != close)
            return expected(r, object ? "',' or '}'" : "',' or ']'");
    }
    r->at++;
    return put(r, &close, 1);
}

static pts_status value(reader *r)
{
    skip(r);
    char c = peek(r);
    if (c == '{' || c == '[') {
        if (r->depth >= DEPTH_MAX)
            return pts_fail(r->err, PTS_ERR_LIMIT, "byte %zu: nested deeper than %d", r->at,
                            DEPTH_MAX);
        r->depth++;
        pts_status status = compound(r);
        r->depth--;
        return status;
    }
    if (c == '"' || c == '\'')
        return string(r);
    if (is_digit(c) || c == '.' || c == '-' || c == '+')
        return number(r);
    return word(r);
}

pts_status js_to_json(const char *text, size_t size, char **json, size_t *json_size, size_t *used,
                      pts_error *err)
{
    reader r = {.text = text, .size = size, .err = err};
    *json = NULL;
    pts_status status = value(&r);
    if (status == PTS_OK)
        status = put(&r, "", 1);
    if (status != PTS_OK) {
        free(r.out);
        return status;
    }
    *json = r.out;
    *json_size = r.used - 1;
    *used = r.at;
    return PTS_OK;
}

static size_t skip_blanks(const char *text, size_t size, size_t at)
{
    while (at < size && (text[at] == ' ' || text[at] == '\n'))
        at++;
    return at;
}

const char *js_find_exports(const char *text, size_t size)
{
    static const char name[] = "exports";
    const size_t n = sizeof name - 1;
    for (size_t i = 0; i + n < size; i++) {
        if (text[i] != 'e' || memcmp(text + i, name, n) != 0)
            continue;
        size_t at = skip_blanks(text, size, i + n);
        if (at >= size || text[at] != '=')
            continue;
        at = skip_blanks(text, size, at + 1);
        if (at < size && text[at] && strchr("{[\"'", text[at]))
            return text + at;
    }
    return NULL;
}
