/* A set of 64-bit identifiers, each with the index it was added at. */
#ifndef PTS_SRC_METRICS_IDS_H
#define PTS_SRC_METRICS_IDS_H

#include "pts/base.h"

#define PTS_NO_INDEX SIZE_MAX

/* Zero-initialised; pts_ids_free releases it. */
typedef struct pts_ids {
    int64_t *ids; /* [count], in order of adding */
    size_t count, capacity;
    uint32_t *slots; /* [slot_count], a power of two; index + 1, or 0: open addressing */
    size_t slot_count;
} pts_ids;

/* PTS_ERR_FORMAT for an identifier that is there already. `what` names it in the message. */
pts_status pts_ids_add(pts_ids *set, int64_t id, const char *what, pts_error *err);
/* PTS_NO_INDEX when it is not there. */
size_t pts_ids_find(const pts_ids *set, int64_t id);
void pts_ids_free(pts_ids *set);

#endif
