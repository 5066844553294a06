/* What a PyTorch pickle built, as tensors over storages; for both of PyTorch's layouts. */
#ifndef PTS_TOOLS_TORCH_H
#define PTS_TOOLS_TORCH_H

#include "checkpoint.h"
#include "pickle.h"

/* The storage of one tensor; tensors that share one have a record each. */
typedef struct torch_storage {
    char key[64];
    checkpoint_dtype dtype;
    unsigned item;     /* bytes an element */
    uint64_t elements; /* as the pickle says */
    uint64_t start;    /* of its first byte: in the file (legacy) or in the entry */
    uint64_t entry;    /* zip only */
} torch_storage;

typedef struct torch_file {
    torch_storage *storages; /* by tensor */
    size_t count, capacity;
    pts_status (*read_bytes)(checkpoint *c, const torch_storage *s, uint64_t at, void *out,
                             size_t size, pts_error *err);
    void *archive; /* zip only */
} torch_file;

/* A torch_file as c->reader, and the file open; read_bytes and close are the layout's, and close
 * frees the list of storages. */
pts_status torch_prepare(checkpoint *c, void (*close)(checkpoint *c), pts_error *err);

/* All tensors in the value's dicts, lists and objects, named by their path: "visual.conv1.weight".
 */
pts_status torch_collect(checkpoint *c, const pickle *p, pts_error *err);

#endif
