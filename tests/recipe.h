/* A converter's recipe, made and compared. */
#ifndef PTS_TESTS_RECIPE_H
#define PTS_TESTS_RECIPE_H

#include "folded.h"

#include "../tools/convert/arch.h"

#include <stdlib.h>
#include <string.h>

/* Item `index` against a line of figures as folded.h reads them. */
static inline void check_recipe_item(const recipe *r, size_t index, const char *line)
{
    pts_error err = {""};
    const recipe_item *item = &r->items[index];
    float *values = malloc(item->count * sizeof *values);
    ck_assert_ptr_nonnull(values);
    ck_assert_msg(recipe_tensor(r, index, values, &err) == PTS_OK, "%s", err.message);
    pts_tensor t = {.name = item->name, .rank = item->rank, .data = values};
    memcpy(t.shape, item->shape, sizeof t.shape);
    t.bytes = item->count * sizeof *values;
    check_folded(&t, line);
    free(values);
}

#endif
