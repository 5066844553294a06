#include "metrics/ids.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

static size_t first_slot(const pts_ids *set, int64_t id)
{
    uint64_t hash = (uint64_t)id * 0x9E3779B97F4A7C15u;
    return (size_t)(hash >> 32) & (set->slot_count - 1);
}

/* The slot that holds the identifier, or the free one where it belongs. */
static size_t find_slot(const pts_ids *set, int64_t id)
{
    size_t slot = first_slot(set, id);
    while (set->slots[slot] && set->ids[set->slots[slot] - 1] != id)
        slot = (slot + 1) & (set->slot_count - 1);
    return slot;
}

size_t pts_ids_find(const pts_ids *set, int64_t id)
{
    if (!set->slot_count)
        return PTS_NO_INDEX;
    uint32_t found = set->slots[find_slot(set, id)];
    return found ? found - 1 : PTS_NO_INDEX;
}

/* At most half of the slots are taken, so that a search ends soon. */
static pts_status widen(pts_ids *set, pts_error *err)
{
    if (set->count < set->slot_count / 2)
        return PTS_OK;
    size_t wanted = set->slot_count ? set->slot_count * 2 : 64;
    uint32_t *slots;
    PTS_TRY(pts_new(&slots, wanted, sizeof *slots, err));
    free(set->slots);
    set->slots = slots;
    set->slot_count = wanted;
    for (size_t i = 0; i < set->count; i++)
        slots[find_slot(set, set->ids[i])] = (uint32_t)i + 1;
    return PTS_OK;
}

pts_status pts_ids_add(pts_ids *set, int64_t id, const char *what, pts_error *err)
{
    if (pts_ids_find(set, id) != PTS_NO_INDEX)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected identifiers that differ, got %lld twice",
                        what, (long long)id);
    if (set->count >= INT32_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %d", what, INT32_MAX);
    PTS_TRY(widen(set, err));
    PTS_TRY(pts_grow(&set->ids, &set->capacity, set->count + 1, sizeof *set->ids, err));
    set->ids[set->count] = id;
    set->slots[find_slot(set, id)] = (uint32_t)set->count + 1;
    set->count++;
    return PTS_OK;
}

void pts_ids_free(pts_ids *set)
{
    free(set->ids);
    free(set->slots);
    *set = (pts_ids){0};
}
