/* A converter's plan, made and compared. */
#ifndef PTS_TESTS_PLANNED_H
#define PTS_TESTS_PLANNED_H

#include "folded.h"

#include "../tools/convert/arch.h"

#include <stdlib.h>
#include <string.h>

/* Item `index` against a line of figures as folded.h reads them. */
static inline void check_planned(const plan *p, size_t index, const char *line)
{
    pts_error err = {""};
    const planned *item = &p->items[index];
    float *values = malloc(item->count * sizeof *values);
    ck_assert_ptr_nonnull(values);
    ck_assert_msg(plan_make(p, index, values, &err) == PTS_OK, "%s", err.message);
    pts_tensor t = {.name = item->name, .rank = item->rank, .data = values};
    memcpy(t.shape, item->shape, sizeof t.shape);
    t.bytes = item->count * sizeof *values;
    check_folded(&t, line);
    free(values);
}

#endif
