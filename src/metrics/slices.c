#include "metrics/slices.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* From an opening quote to behind the closing one; `end` where there is none. */
static const char *skip_string(const char *at, const char *end)
{
    for (const char *quote = at;;) {
        quote = memchr(quote + 1, '"', (size_t)(end - quote - 1));
        if (!quote)
            return end;
        size_t slashes = 0;
        while (quote[-1 - (ptrdiff_t)slashes] == '\\')
            slashes++;
        if (slashes % 2 == 0)
            return quote + 1;
    }
}

enum { PLAIN = 0, OPENS, CLOSES, QUOTES };

static const unsigned char role[256] = {
    ['{'] = OPENS, ['['] = OPENS, ['}'] = CLOSES, [']'] = CLOSES, ['"'] = QUOTES};

/* From a bracket to behind the one that closes it. */
static const char *skip_brackets(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        switch (role[(unsigned char)*at]) {
        case OPENS:
            depth++;
            break;
        case CLOSES:
            if (!--depth)
                return at + 1;
            break;
        case QUOTES:
            at = skip_string(at, end);
            continue;
        default:
            break;
        }
        at++;
    }
    return end;
}

static const char *skip_value(const char *at, const char *end)
{
    if (at < end && (*at == '{' || *at == '['))
        return skip_brackets(at, end);
    if (at < end && *at == '"')
        return skip_string(at, end);
    while (at < end && !strchr(" \n\t\r,:]}", *at))
        at++;
    return at;
}

/* Takes the value at *at; `after` must follow it, a comma where it is 0. *done: the closing
 * bracket followed instead of a comma. */
static pts_status take_value(const char **at, const char *end, char close, char after,
                             coco_slices *out, int *done, pts_error *err)
{
    const char *start = skip_space(*at, end), *stop = skip_value(start, end);
    const char *next = skip_space(stop, end);
    if (stop == start || next == end)
        return PTS_ERR_FORMAT;
    *done = !after && *next == close;
    if (!*done && *next != (after ? after : ','))
        return PTS_ERR_FORMAT;
    PTS_TRY(pts_grow(&out->items, &out->capacity, out->count + 1, sizeof *out->items, err));
    out->items[out->count++] = (coco_slice){start, (size_t)(stop - start)};
    *at = next + 1;
    return PTS_OK;
}

static pts_status split(coco_slice text, char open, char close, coco_slices *out, pts_error *err)
{
    const char *end = text.text + text.length, *at = skip_space(text.text, end);
    int named = open == '{', done = 0;
    if (at == end || *at != open)
        return PTS_ERR_FORMAT;
    const char *first = skip_space(++at, end);
    if (first < end && *first == close) {
        at = first + 1;
        done = 1;
    }
    while (!done) {
        if (named)
            PTS_TRY(take_value(&at, end, close, ':', out, &done, err));
        PTS_TRY(take_value(&at, end, close, 0, out, &done, err));
    }
    return skip_space(at, end) == end ? PTS_OK : PTS_ERR_FORMAT;
}

pts_status pts_coco_split_list(coco_slice text, coco_slices *list, pts_error *err)
{
    return split(text, '[', ']', list, err);
}

pts_status pts_coco_split_object(coco_slice text, coco_slices *members, pts_error *err)
{
    return split(text, '{', '}', members, err);
}
