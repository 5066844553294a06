/* Splits: a documented shuffle, so that a seed means the same images everywhere. */
#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "pts/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct split_block {
    pts_split split; /* first: what the caller holds */
    size_t order[];  /* the kept pool, shuffled */
} split_block;

static void shuffle(size_t *order, size_t count, uint64_t seed)
{
    pts_rng rng = {seed};
    for (size_t i = count; i-- > 1;) {
        size_t j = pts_rng_below(&rng, i + 1), held = order[i];
        order[i] = order[j];
        order[j] = held;
    }
}

static pts_status check_options(const pts_split_options *o, pts_error *err)
{
    int shares = o->train > 0 && o->test >= 0 && o->val >= 0 &&
                 fabs(o->train + o->test + o->val - 1) <= 1e-9;
    if (!shares)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "split: expected shares that sum to 1, train above 0, got %g, %g, %g",
                        o->train, o->test, o->val);
    if (!(o->keep > 0 && o->keep <= 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "split: expected to keep above 0, at most 1, got %g",
                        o->keep);
    return PTS_OK;
}

static size_t share_of(double share, size_t n)
{
    size_t part = (size_t)floor(share * (double)n + 0.5);
    return share > 0 && part == 0 ? 1 : part;
}

/* Rounding may leave nothing for training: then the larger of the others gives way. */
static void set_sizes(pts_split *split, size_t n, const pts_split_options *o)
{
    split->n_test = share_of(o->test, n);
    split->n_val = share_of(o->val, n);
    while (split->n_test + split->n_val >= n) {
        if (split->n_test >= split->n_val)
            split->n_test--;
        else
            split->n_val--;
    }
    split->n_train = n - split->n_test - split->n_val;
}

pts_status pts_split_make(pts_split **out, const size_t *pool, size_t count,
                          const pts_split_options *options, pts_error *err)
{
    static const pts_split_options defaults = PTS_SPLIT_DEFAULTS;
    const pts_split_options *o = options ? options : &defaults;
    *out = NULL;
    PTS_TRY(check_options(o, err));
    size_t parts = 1 + (o->test > 0) + (o->val > 0);
    size_t kept = count ? share_of(o->keep, count) : 0, bytes;
    if (kept < parts)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "expected at least %zu images, one for each part of the split, got %zu",
                        parts, kept);
    if (!pts_mul(count, sizeof(size_t), &bytes) || !pts_add(bytes, sizeof(split_block), &bytes))
        return pts_fail_memory(err, SIZE_MAX);
    split_block *block = malloc(bytes);
    if (!block)
        return pts_fail_memory(err, bytes);
    memcpy(block->order, pool, count * sizeof *pool);
    shuffle(block->order, count, o->seed);
    pts_split *split = &block->split;
    set_sizes(split, kept, o);
    split->train = block->order;
    split->test = split->train + split->n_train;
    split->val = split->test + split->n_test;
    *out = split;
    return PTS_OK;
}

void pts_split_destroy(pts_split *split)
{
    free(split);
}
