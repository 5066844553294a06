#include "segment/instances.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Specks below this many pixels are noise of the threshold, not objects. */
#define MIN_PIXELS 8
#define CORE_THRESHOLD 0.5f
/* COCO counts no more detections an image and category. */
#define MAX_INSTANCES 100

enum { OUTSIDE = -1, UNSEEN = -2 };

pts_status pts_instance_room_create(instance_room *room, size_t pixels, pts_error *err)
{
    *room = (instance_room){.pixels = pixels};
    PTS_TRY(pts_new(&room->label, pixels, sizeof *room->label, err));
    PTS_TRY(pts_new(&room->queue, pixels, sizeof *room->queue, err));
    PTS_TRY(pts_new(&room->mask, pixels, 1, err));
    PTS_TRY(pts_new(&room->object, pixels, sizeof *room->object, err));
    return pts_new(&room->core, pixels, sizeof *room->core, err);
}

void pts_instance_room_free(instance_room *room)
{
    free(room->label);
    free(room->queue);
    free(room->mask);
    free(room->object);
    free(room->core);
    *room = (instance_room){0};
}

/* Spreads the labels of the pixels queue[0 … tail) over unseen neighbours where `map` reaches the
 * threshold, nearest first; returns the new tail. */
static size_t spread(instance_room *room, size_t height, size_t width, const float *map,
                     float threshold, size_t tail)
{
    for (size_t head = 0; head < tail; head++) {
        size_t here = (size_t)room->queue[head], y = here / width, x = here % width;
        const size_t next[4] = {here - width, here + width, here - 1, here + 1};
        const bool inside[4] = {y > 0, y + 1 < height, x > 0, x + 1 < width};
        for (int k = 0; k < 4; k++) {
            if (!inside[k] || room->label[next[k]] != UNSEEN || map[next[k]] < threshold)
                continue;
            room->label[next[k]] = room->label[here];
            room->queue[tail++] = (int32_t)next[k];
        }
    }
    return tail;
}

/* Labels the components of map ≥ threshold among unseen pixels from `first` on; returns the next
 * free label. */
static int32_t label_components(instance_room *room, size_t height, size_t width, const float *map,
                                float threshold, int32_t first)
{
    for (size_t i = 0; i < height * width; i++) {
        if (room->label[i] != UNSEEN || map[i] < threshold)
            continue;
        room->label[i] = first++;
        room->queue[0] = (int32_t)i;
        spread(room, height, width, map, threshold, 1);
    }
    return first;
}

/* A core that is cut apart from its neighbour's keeps the two objects apart, whose pixels touch;
 * what no core reaches becomes an instance of its own. */
static int32_t label_instances(instance_room *room, size_t height, size_t width,
                               const instance_rule *rule)
{
    size_t pixels = height * width, tail = 0;
    for (size_t i = 0; i < pixels; i++)
        room->label[i] = room->object[i] < rule->threshold ? OUTSIDE : UNSEEN;
    int32_t count = 0;
    if (rule->from_cores) {
        count = label_components(room, height, width, room->core, CORE_THRESHOLD, 0);
        for (size_t i = 0; i < pixels; i++) {
            if (room->label[i] >= 0)
                room->queue[tail++] = (int32_t)i;
        }
        spread(room, height, width, room->object, rule->threshold, tail);
    }
    return label_components(room, height, width, room->object, rule->threshold, count);
}

typedef struct candidate {
    double score;
    float core; /* the greatest probability of its core */
    size_t area;
    int32_t label;
} candidate;

/* Ties by label: qsort is not stable, and results must not depend on the C library. */
static int by_falling_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->label < y->label ? -1 : x->label > y->label;
}

/* Mean probability over the instance's pixels times the greatest of its core: fragments of a large
 * object are confidently object too, but have no core of their own. Specks sort last with a score
 * below zero. */
static void score_candidates(const instance_room *room, size_t pixels, candidate *c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        c[i] = (candidate){.label = (int32_t)i};
    for (size_t i = 0; i < pixels; i++) {
        if (room->label[i] < 0)
            continue;
        candidate *of = &c[room->label[i]];
        of->score += (double)room->object[i];
        of->core = room->core[i] > of->core ? room->core[i] : of->core;
        of->area++;
    }
    for (size_t i = 0; i < count; i++)
        c[i].score =
            c[i].area < MIN_PIXELS ? -1 : c[i].score / (double)c[i].area * (double)c[i].core;
    qsort(c, count, sizeof *c, by_falling_score);
}

/* The best of them as masks; specks, behind all others, are left out. */
static pts_status collect(instance_room *room, size_t height, size_t width, const candidate *c,
                          size_t count, pts_instances *out, pts_error *err)
{
    PTS_TRY(pts_new(&out->masks, count, sizeof *out->masks, err));
    PTS_TRY(pts_new(&out->scores, count, sizeof *out->scores, err));
    for (size_t i = 0; i < count && c[i].score >= 0; i++) {
        for (size_t p = 0; p < height * width; p++)
            room->mask[p] = room->label[p] == c[i].label;
        PTS_TRY(pts_rle_from_bitmap(&out->masks[i], room->mask, height, width, err));
        out->scores[i] = c[i].score;
        out->count++;
    }
    return PTS_OK;
}

pts_status pts_instances_cut(instance_room *room, size_t height, size_t width,
                             const instance_rule *rule, pts_instances *out, pts_error *err)
{
    *out = (pts_instances){0};
    size_t count = (size_t)label_instances(room, height, width, rule);
    candidate *candidates;
    PTS_TRY(pts_new(&candidates, count, sizeof *candidates, err));
    score_candidates(room, height * width, candidates, count);
    size_t kept = count < MAX_INSTANCES ? count : MAX_INSTANCES;
    pts_status status = collect(room, height, width, candidates, kept, out, err);
    free(candidates);
    if (status != PTS_OK)
        pts_instances_free(out);
    return status;
}

void pts_instances_free(pts_instances *instances)
{
    for (size_t i = 0; i < instances->count; i++)
        pts_rle_destroy(instances->masks[i]);
    free(instances->masks);
    free(instances->scores);
    *instances = (pts_instances){0};
}
