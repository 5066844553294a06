/* The study's samples: which photographs, drawn once. */
#include "study/study.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void pts_study_shuffle(pts_rng *rng, size_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = pts_rng_below(rng, i), t = items[i - 1];
        items[i - 1] = items[j];
        items[j] = t;
    }
}

/* Sets of four of n, at most `limit`. */
static size_t count_sets(size_t n, size_t limit)
{
    double sets = (double)n * (double)(n - 1) / 2 * (double)(n - 2) / 3 * (double)(n - 3) / 4;
    return sets < (double)limit ? (size_t)(sets + 0.5) : limit;
}

/* A set is the same in any order. */
static void sort_four(uint32_t v[4])
{
    for (int i = 1; i < 4; i++)
        for (int j = i; j > 0 && v[j] < v[j - 1]; j--) {
            uint32_t t = v[j];
            v[j] = v[j - 1];
            v[j - 1] = t;
        }
}

/* The sets drawn so far. */
typedef struct set_table {
    uint32_t (*sets)[4]; /* [size], size a power of two; image + 1, 0: free */
    size_t size;
} set_table;

/* False when it was there. */
static bool insert(set_table *table, const uint32_t image[4])
{
    uint32_t key[4];
    uint64_t hash = 0;
    memcpy(key, image, sizeof key);
    sort_four(key);
    for (int i = 0; i < 4; i++)
        hash = (hash ^ ++key[i]) * 0x9E3779B97F4A7C15u;
    size_t at = (size_t)(hash >> 20) & (table->size - 1);
    for (; table->sets[at][0]; at = (at + 1) & (table->size - 1))
        if (memcmp(table->sets[at], key, sizeof key) == 0)
            return false;
    memcpy(table->sets[at], key, sizeof key);
    return true;
}

/* By rejection: to shuffle a part for each of thousands of sets would cost more. */
static void draw_four(pts_rng *rng, const size_t *images, size_t count, uint32_t image[4])
{
    for (size_t k = 0; k < 4;) {
        uint32_t next = (uint32_t)images[pts_rng_below(rng, count)];
        bool seen = false;
        for (size_t i = 0; i < k; i++)
            seen |= image[i] == next;
        if (!seen)
            image[k++] = next;
    }
}

/* `wanted` different sets of the images [count]; where nearly all are wanted the last ones take
 * long to hit, so the limit is generous and what is missing then is left out. */
static size_t draw_sets(pts_rng *rng, const size_t *images, size_t count, size_t wanted,
                        set_table *table, uint32_t task, study_sample *out)
{
    size_t drawn = 0;
    memset(table->sets, 0, table->size * sizeof *table->sets);
    for (size_t tries = 0; drawn < wanted && tries < 64 * wanted + 1024; tries++) {
        out[drawn].task = task;
        draw_four(rng, images, count, out[drawn].image);
        drawn += insert(table, out[drawn].image);
    }
    return drawn;
}

/* Said before drawing: fewer than four photographs in a part would never end. */
static pts_status check_task(const pts_task *t, pts_error *err)
{
    if ((size_t)(0.15 * (double)t->images + 0.5) >= 4)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_SHAPE,
                    "%s: class %s: expected at least 24 photographs (four in each part of "
                    "0.7, 0.15, 0.15), got %zu",
                    t->dataset, t->class_name, t->images);
}

/* The three parts share no photograph, so that test photographs are unseen. */
static pts_status draw_task(study_samples *out, const pts_tasks *tasks, size_t number,
                            size_t combinations, pts_rng *rng, set_table *table, pts_error *err)
{
    const pts_task *t = &tasks->rows[number].task;
    PTS_TRY(check_task(t, err));
    size_t small = (size_t)(0.15 * (double)t->images + 0.5), at = 0;
    const size_t images[STUDY_PARTS] = {t->images - 2 * small, small, small};
    size_t *order;
    PTS_TRY(pts_new(&order, t->images, sizeof *order, err));
    for (size_t i = 0; i < t->images; i++)
        order[i] = i;
    pts_study_shuffle(rng, order, t->images);
    for (size_t p = 0; p < STUDY_PARTS; at += images[p++]) {
        size_t limit = p == STUDY_TRAIN ? combinations : (combinations + 3) / 4;
        out->count[p] += draw_sets(rng, order + at, images[p], count_sets(images[p], limit), table,
                                   (uint32_t)number, out->items[p] + out->count[p]);
    }
    free(order);
    return PTS_OK;
}

void pts_study_samples_free(study_samples *samples)
{
    for (size_t p = 0; p < STUDY_PARTS; p++)
        free(samples->items[p]);
    *samples = (study_samples){0};
}

/* What is there after a failure is pts_study_samples_draw's to free. */
static pts_status draw_all(study_samples *out, const pts_tasks *tasks, size_t combinations,
                           uint64_t seed, set_table *table, pts_error *err)
{
    pts_rng rng = {seed};
    PTS_TRY(pts_new(&table->sets, table->size, sizeof *table->sets, err));
    for (size_t p = 0; p < STUDY_PARTS; p++) {
        size_t each = p == STUDY_TRAIN ? combinations : (combinations + 3) / 4;
        PTS_TRY(pts_new(&out->items[p], tasks->count, each * sizeof *out->items[p], err));
    }
    for (size_t t = 0; t < tasks->count; t++)
        PTS_TRY(draw_task(out, tasks, t, combinations, &rng, table, err));
    return PTS_OK;
}

pts_status pts_study_samples_draw(study_samples *out, const pts_tasks *tasks, size_t combinations,
                                  uint64_t seed, pts_error *err)
{
    *out = (study_samples){0};
    set_table table = {NULL, 8};
    while (table.size < 2 * combinations)
        table.size *= 2;
    pts_status status = draw_all(out, tasks, combinations, seed, &table, err);
    free(table.sets);
    if (status != PTS_OK)
        pts_study_samples_free(out);
    return status;
}
