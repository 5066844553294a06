/* All that ptsconvert does with a file, short of writing: for files that are to be refused. */
#ifndef PTS_TESTS_READ_CHECKPOINT_H
#define PTS_TESTS_READ_CHECKPOINT_H

#include "../tools/convert/arch.h"

#include <stdlib.h>

/* A small file whose shape claims gigabytes is no error in itself; the tests do without. */
#define READ_FLOATS_MAX ((size_t)1 << 22)

static inline pts_status read_tensors(checkpoint *c, pts_error *err)
{
    size_t total = 0;
    pts_status status = PTS_OK;
    for (size_t i = 0; i < c->count && status == PTS_OK; i++) {
        const checkpoint_tensor *t = &c->tensors[i];
        if (t->dtype == CHECKPOINT_OTHER || t->count > READ_FLOATS_MAX - total)
            continue;
        total += t->count;
        float *values = malloc(t->count * sizeof *values + 1);
        status = checkpoint_read(c, t, 0, t->count, values, err);
        free(values);
    }
    return status;
}

static inline pts_status make_tensors(const recipe *r, pts_error *err)
{
    size_t total = 0;
    pts_status status = PTS_OK;
    for (size_t i = 0; i < r->count && status == PTS_OK; i++) {
        if (r->items[i].count > READ_FLOATS_MAX - total)
            continue;
        total += r->items[i].count;
        float *values = malloc(r->items[i].count * sizeof *values + 1);
        status = recipe_tensor(r, i, values, err);
        free(values);
    }
    return status;
}

static inline pts_status read_checkpoint(const char *path, pts_error *err)
{
    static const settings none;
    checkpoint c;
    const architecture *arch;
    char why[256];
    PTS_TRY(checkpoint_open(&c, path, err));
    pts_status status = read_tensors(&c, err);
    if (status == PTS_OK)
        status = architecture_find(&c, "auto", &arch, why, err);
    if (status == PTS_OK) {
        recipe r;
        status = recipe_build(&r, &c, arch, &none, err);
        if (status == PTS_OK)
            status = make_tensors(&r, err);
        recipe_free(&r);
    }
    checkpoint_close(&c);
    return status;
}

#endif
