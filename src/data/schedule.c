/* The schedule of training sizes. */
#include "base/error.h"
#include "base/memory.h"
#include "pts/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_GEOMETRIC 10000
#define MAX_N ((size_t)1 << 30)

typedef struct size_list {
    size_t *sizes, count, room;
    pts_error *err;
} size_list;

static pts_status push(size_list *list, size_t size)
{
    PTS_TRY(pts_grow(&list->sizes, &list->room, list->count + 1, sizeof *list->sizes, list->err));
    list->sizes[list->count++] = size;
    return PTS_OK;
}

static size_t study_step(size_t size)
{
    static const struct {
        size_t below, step;
    } steps[] = {{10, 2}, {30, 3}, {100, 5}, {200, 10}, {300, 50}, {500, 100}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (size < steps[i].below)
            return steps[i].step;
    }
    return 500;
}

static pts_status fill_study(size_list *list, size_t n)
{
    for (size_t size = 2; size < n; size += study_step(size))
        PTS_TRY(push(list, size));
    return push(list, n);
}

/* While K ≤ n − 1 the sizes cannot reach n early: the gaps of a geometric row grow, and their
 * mean is at least 1. */
static pts_status fill_geometric(size_list *list, size_t n, size_t wanted)
{
    size_t count = n < 3 ? 1 : wanted < n - 1 ? wanted : n - 1, last = 1;
    for (size_t i = 0; i + 1 < count; i++) {
        double exact = 2 * pow((double)n / 2, (double)i / (double)(count - 1));
        size_t size = (size_t)floor(exact + 0.5);
        last = size > last ? size : last + 1;
        PTS_TRY(push(list, last));
    }
    return push(list, n);
}

/* The study's: each piece adds P of the images. */
static pts_status fill_pieces(size_list *list, size_t n, double share)
{
    size_t step = (size_t)floor(share * (double)n + 0.5);
    step = step ? step : 1;
    for (size_t size = step; size < n; size += step)
        PTS_TRY(push(list, size));
    return push(list, n);
}

static pts_status fail_text(const char *text, pts_error *err)
{
    return pts_fail(
        err, PTS_ERR_ARGUMENT,
        "sizes: expected 'study', 'geometric[:K]' with K from 2 to %d, 'piece:P' with P in "
        "(0, 1], or rising sizes such as '2,4,8,all', got '%.100s'",
        MAX_GEOMETRIC, text);
}

/* A whole number up to 9 digits at *at, which moves behind it; 0 where there is none. */
static size_t take_number(const char **at)
{
    size_t digits = strspn(*at, "0123456789");
    size_t value = digits > 0 && digits < 10 ? (size_t)atol(*at) : 0;
    *at += digits;
    return value;
}

/* One item of a list: "all" stands for n. */
static size_t take_item(const char **at, size_t n)
{
    if (strncmp(*at, "all", 3) != 0)
        return take_number(at);
    *at += 3;
    return n;
}

static pts_status fill_list(size_list *list, size_t n, const char *text)
{
    size_t last = 0;
    for (const char *at = text;; at++) {
        int all = *at == 'a';
        size_t size = take_item(&at, n);
        if (size == 0 || (*at != '\0' && (*at != ',' || all)))
            return fail_text(text, list->err);
        if (!all && size <= last)
            return pts_fail(list->err, PTS_ERR_ARGUMENT,
                            "sizes: expected rising sizes, got %zu after %zu", size, last);
        last = size;
        int repeated = list->count > 0 && list->sizes[list->count - 1] == size;
        if (size <= n && !repeated)
            PTS_TRY(push(list, size));
        if (*at == '\0')
            break;
    }
    if (list->count == 0)
        return pts_fail(list->err, PTS_ERR_ARGUMENT,
                        "sizes: expected one of at most %zu, the images for training, got '%.100s'",
                        n, text);
    return PTS_OK;
}

/* A share in (0, 1], or 0; strtod would also take " 1", "inf" and hexadecimal. */
static double take_share(const char *text)
{
    char *end;
    if (!*text || text[strspn(text, "0123456789.e-")])
        return 0;
    double share = strtod(text, &end);
    return *end == '\0' && share > 0 && share <= 1 ? share : 0;
}

static pts_status fill(size_list *list, const char *text, size_t n)
{
    if (strcmp(text, "study") == 0)
        return fill_study(list, n);
    if (strncmp(text, "piece:", 6) == 0) {
        double share = take_share(text + 6);
        return share > 0 ? fill_pieces(list, n, share) : fail_text(text, list->err);
    }
    if (strncmp(text, "geometric", 9) != 0)
        return fill_list(list, n, text);
    const char *at = text + 9;
    size_t wanted = 8;
    if (*at == ':') {
        at++;
        wanted = take_number(&at);
    }
    if (*at || wanted < 2 || wanted > MAX_GEOMETRIC)
        return fail_text(text, list->err);
    return fill_geometric(list, n, wanted);
}

pts_status pts_schedule_parse(size_t **out, size_t *count, const char *text, size_t n,
                              pts_error *err)
{
    *out = NULL;
    *count = 0;
    if (n == 0 || n > MAX_N)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "sizes: expected 1 to %zu images to train on, got %zu", MAX_N, n);
    size_list list = {.err = err};
    pts_status status = fill(&list, text, n);
    if (status != PTS_OK) {
        free(list.sizes);
        return status;
    }
    *out = list.sizes;
    *count = list.count;
    return PTS_OK;
}

pts_status pts_schedule_study(size_t **out, size_t *count, size_t n, pts_error *err)
{
    return pts_schedule_parse(out, count, "study", n, err);
}
