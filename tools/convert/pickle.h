/* The unpickler: reads what PyTorch's pickles build, and can do nothing else.
 *
 * A pickle is a program for a stack machine; two of its operations call any function of any module
 * by name, which is how a checkpoint runs code. This machine has values but no calls: a global is
 * looked up in a short list (`globals` in pickle.c) and is then a mark, "calling" one
 * builds a plain value, and every other name ends the reading with that name in the message.
 *
 *   pickle p;
 *   PTS_TRY(pickle_read(&p, path, bytes, size, &used, err));   // p.root: the value
 *   pickle_free(&p);
 *
 * Strings point into `bytes`, which must outlive the pickle. */
#ifndef PTS_TOOLS_PICKLE_H
#define PTS_TOOLS_PICKLE_H

#include "convert.h"

typedef enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_TEXT, /* str and bytes */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,       /* key, value, key, value … */
    PICKLE_GLOBAL,     /* of the list, or a TorchScript class */
    PICKLE_OBJECT,     /* of a TorchScript class; one item, its state, once it is built */
    PICKLE_PERSISTENT, /* a storage; one item, the tuple that names it */
    PICKLE_TENSOR      /* the arguments of torch._utils._rebuild_tensor* */
} pickle_kind;

typedef enum pickle_global {
    GLOBAL_ORDERED_DICT,
    GLOBAL_REBUILD_TENSOR,
    GLOBAL_FIRST, /* its first argument: parameters, sizes, TorchScript's lists and type tags */
    GLOBAL_STORAGE,
    GLOBAL_CLASS /* __torch__.…: a TorchScript class */
} pickle_global;

typedef uint32_t pickle_id;

typedef struct pickle_value {
    pickle_kind kind;
    union { /* the containers first, so that {.kind = …} sets all of it to zero */
        struct {
            pickle_id *items;
            uint32_t count, capacity;
        };
        int64_t integer; /* INT, BOOL */
        double real;
        struct {
            const char *text; /* TEXT */
            uint32_t length;
        };
        struct {
            pickle_global global;              /* GLOBAL */
            const struct storage_row *storage; /* of GLOBAL_STORAGE: which, in torch.c's table */
        };
    };
} pickle_value;

typedef struct pickle {
    pickle_value *values;
    size_t count, capacity;
    pickle_id root;
} pickle;

/* One object from the start of `bytes`; *used is its length. `name` stands for the file in
 * messages: "NAME: pickle: byte N: …". On failure the pickle is empty. */
pts_status pickle_read(pickle *out, const char *name, const unsigned char *bytes, size_t size,
                       size_t *used, pts_error *err);
void pickle_free(pickle *p);

/* torch.c: torch's storage of that name, or NULL. */
const struct storage_row *torch_storage_named(const char *name, size_t length);

#endif
