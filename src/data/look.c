/* A look at what the data set holds, before anybody trains on it: images that cannot be read,
 * outlines that cross themselves. */
#include "base/error.h"
#include "base/memory.h"
#include "data/reading.h"
#include "pts/image.h"

#include <stdlib.h>

/* Every pair of edges is tried: a millisecond. */
#define MAX_CROSSING_POINTS 2000

typedef struct seen {
    pts_status status;
    size_t width, height;
    pts_error why;
} seen;

typedef struct looker {
    const pts_dataset *set;
    pts_look look;
    size_t first; /* of this round */
    seen *seen;
} looker;

static pts_status read_size(looker *l, const char *path, seen *s)
{
    if (l->look == PTS_LOOK_HEADERS)
        return pts_image_probe(path, NULL, &s->width, &s->height, &s->why);
    pts_image image;
    PTS_TRY(pts_image_read(path, NULL, &image, &s->why));
    s->width = image.width;
    s->height = image.height;
    pts_image_free(&image);
    return PTS_OK;
}

static void look_task(void *user, size_t task, int thread)
{
    looker *l = user;
    const dataset_image *image = &l->set->images[l->first + task];
    (void)thread;
    l->seen[task] = (seen){0};
    if (!image->skipped)
        l->seen[task].status = read_size(l, image->path, &l->seen[task]);
}

static pts_status take(dataset_reading *reading, dataset_image *image, const seen *s)
{
    /* PTS_ERR_MEMORY as well: a small file that unpacks to far more than its picture says so */
    if (s->status != PTS_OK) {
        image->skipped = true;
        return pts_dataset_finding(reading, PTS_FINDING_IMAGE, "%s", s->why.message);
    }
    if (image->width && (image->width != s->width || image->height != s->height)) {
        image->skipped = true;
        return pts_dataset_finding(
            reading, PTS_FINDING_IMAGE,
            "%s: expected %zu×%zu pixels, as its annotations say, got %zu×%zu", image->path,
            image->width, image->height, s->width, s->height);
    }
    image->width = s->width;
    image->height = s->height;
    return PTS_OK;
}

enum { ROUND = 256 };

/* In rounds, so that a strict reading does not decode a thousand images after the first bad one. */
static pts_status look_round(dataset_reading *reading, looker *l)
{
    pts_dataset *set = reading->set;
    size_t count = set->n_images - l->first < ROUND ? set->n_images - l->first : ROUND;
    pts_team_run(reading->options.team, count, look_task, l);
    for (size_t i = 0; i < count; i++) {
        if (!set->images[l->first + i].skipped)
            PTS_TRY(take(reading, &set->images[l->first + i], &l->seen[i]));
    }
    return PTS_OK;
}

pts_status pts_dataset_look(dataset_reading *reading)
{
    looker l = {.set = reading->set, .look = reading->options.look};
    if (l.look == PTS_LOOK_NAMES)
        return PTS_OK;
    PTS_TRY(pts_new(&l.seen, ROUND, sizeof *l.seen, reading->err));
    pts_status status = PTS_OK;
    for (; status == PTS_OK && l.first < l.set->n_images; l.first += ROUND)
        status = look_round(reading, &l);
    free(l.seen);
    return status;
}

/* Twice the area of the triangle a, b, c; its sign says on which side of ab c lies. */
static double side(const float *a, const float *b, const float *c)
{
    return ((double)b[0] - a[0]) * ((double)c[1] - a[1]) -
           ((double)b[1] - a[1]) * ((double)c[0] - a[0]);
}

/* Each edge has the ends of the other on both sides; touching is not crossing. */
static bool edges_cross(const float *a, const float *b, const float *c, const float *d)
{
    return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

bool pts_dataset_crosses_itself(const float *xy, size_t points)
{
    if (points < 4 || points > MAX_CROSSING_POINTS)
        return false;
    for (size_t i = 0; i + 2 < points; i++) {
        const float *a = xy + 2 * i, *b = a + 2;
        for (size_t k = i + 2; k < points; k++) {
            if (edges_cross(a, b, xy + 2 * k, xy + 2 * ((k + 1) % points)))
                return true;
        }
    }
    return false;
}

bool pts_dataset_is_first_crossing(dataset_reading *reading, const float *xy, size_t points)
{
    return reading->options.look != PTS_LOOK_NAMES && pts_dataset_crosses_itself(xy, points) &&
           reading->crossings++ == 0;
}
