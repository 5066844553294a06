/* Label files: one polygon a line. */
#include "base/error.h"
#include "data/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOKEN 63 /* longer than any number that a program writes */

typedef struct label_line {
    dataset_reading *reading;
    const char *path, *at, *end;
    size_t number; /* from 1 */
} label_line;

typedef struct token {
    char text[MAX_TOKEN + 1]; /* cut to fit; not printable bytes are '?', so it can be shown */
    bool whole;               /* neither cut nor altered */
} token;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool next_token(label_line *line, token *out)
{
    while (line->at < line->end && is_space(*line->at))
        line->at++;
    size_t size = 0;
    out->whole = true;
    for (; line->at < line->end && !is_space(*line->at); line->at++) {
        bool printable = *line->at > ' ' && *line->at <= '~';
        out->whole &= printable && size < MAX_TOKEN;
        if (size < MAX_TOKEN)
            out->text[size++] = printable ? *line->at : '?';
    }
    out->text[size] = '\0';
    return size > 0;
}

/* strtod would also take "nan", "inf" and hexadecimal. */
static bool token_number(const token *t, double *value)
{
    if (!t->whole || t->text[strspn(t->text, "0123456789+-.eE")])
        return false;
    char *end;
    *value = strtod(t->text, &end);
    return end != t->text && !*end;
}

static bool token_class(const token *t, int classes, int *class_id)
{
    if (!t->whole || strlen(t->text) > 9 || t->text[strspn(t->text, "0123456789")])
        return false;
    *class_id = atoi(t->text);
    return *class_id < classes;
}

/* The numbers after the class; *good is false where one was refused (and reported). */
static pts_status parse_coordinates(label_line *line, size_t *count, bool *good)
{
    token t;
    double value;
    *good = false;
    for (*count = 0; next_token(line, &t); ++*count) {
        if (!token_number(&t, &value))
            return pts_dataset_finding(line->reading, PTS_FINDING_LABEL,
                                       "%s: line %zu: coordinate %zu: expected a number, got '%s'",
                                       line->path, line->number, *count + 1, t.text);
        if (!(value >= -PTS_DATASET_OVERSHOOT && value <= 1 + PTS_DATASET_OVERSHOOT))
            return pts_dataset_finding(line->reading, PTS_FINDING_LABEL,
                                       "%s: line %zu: coordinate %zu: expected 0 to 1, got %s",
                                       line->path, line->number, *count + 1, t.text);
        PTS_TRY(pts_dataset_add_coordinate(line->reading->set, value, line->reading->err));
    }
    *good = true;
    return PTS_OK;
}

/* A polygon that is as thin as a line shows nothing. */
static bool has_extent(const float *xy, size_t points)
{
    float low[2] = {1, 1}, high[2] = {0, 0};
    for (size_t i = 0; i < 2 * points; i++) {
        low[i % 2] = xy[i] < low[i % 2] ? xy[i] : low[i % 2];
        high[i % 2] = xy[i] > high[i % 2] ? xy[i] : high[i % 2];
    }
    return high[0] > low[0] && high[1] > low[1];
}

static pts_status parse_polygon(label_line *line, int class_id)
{
    pts_dataset *set = line->reading->set;
    size_t count, first = set->n_xy;
    bool good;
    PTS_TRY(parse_coordinates(line, &count, &good));
    if (!good)
        return PTS_OK;
    if (count % 2)
        return pts_dataset_finding(line->reading, PTS_FINDING_LABEL,
                                   "%s: line %zu: expected an even number of coordinates, got %zu",
                                   line->path, line->number, count);
    if (count < 6)
        return pts_dataset_finding(
            line->reading, PTS_FINDING_LABEL,
            "%s: line %zu: expected a polygon of at least 3 points, got %zu%s", line->path,
            line->number, count / 2, count == 4 ? " (a box?)" : "");
    if (!has_extent(set->xy + first, count / 2))
        return pts_dataset_finding(line->reading, PTS_FINDING_LABEL,
                                   "%s: line %zu: expected a polygon with an area, got one of none",
                                   line->path, line->number);
    dataset_reading *r = line->reading;
    if (pts_dataset_is_first_crossing(r, set->xy + first, count / 2))
        snprintf(r->first_crossing.message, sizeof r->first_crossing.message, "%.400s: line %zu",
                 line->path, line->number);
    PTS_TRY(pts_dataset_add_end(set, first, line->reading->err));
    const pts_instance instance = {.class_id = class_id, .points = count / 2, .parts = 1};
    return pts_dataset_add_instance(set, &instance, line->reading->err);
}

static pts_status parse_line(label_line *line)
{
    pts_dataset *set = line->reading->set;
    token t;
    int class_id;
    if (!next_token(line, &t))
        return PTS_OK;
    if (!token_class(&t, set->classes, &class_id))
        return pts_dataset_finding(line->reading, PTS_FINDING_LABEL,
                                   "%s: line %zu: expected a class from 0 to %d, got '%s'",
                                   line->path, line->number, set->classes - 1, t.text);
    size_t instances = set->n_instances, floats = set->n_xy;
    PTS_TRY(parse_polygon(line, class_id));
    if (set->n_instances == instances)
        set->n_xy = floats; /* a refused line leaves no points behind */
    return PTS_OK;
}

pts_status pts_dataset_parse_labels(dataset_reading *reading, const char *path, const char *text,
                                    size_t size)
{
    const char *end = text + size;
    for (size_t number = 1; text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop)
            stop = end;
        label_line line = {reading, path, text, stop, number};
        PTS_TRY(parse_line(&line));
        text = stop + (stop < end);
    }
    return PTS_OK;
}
