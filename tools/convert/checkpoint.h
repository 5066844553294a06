/* One interface to every kind of model file: a list of named tensors, and their values as float32.
 *
 *   checkpoint c;
 *   const checkpoint_tensor *t;
 *   PTS_TRY(checkpoint_open(&c, "model.safetensors", err));
 *   PTS_TRY(checkpoint_require(&c, "visual_projection.weight", 2, shape, &t, err));
 *   PTS_TRY(checkpoint_read(&c, t, 0, t->count, values, err));
 *   checkpoint_close(&c);
 *
 *   checkpoint.c    which kind a file is; names, shapes, values
 *   input.c         a file read at any place, with bounds
 *   safetensors.c   safetensors, one file or an index of shards
 *   pickle.c        the unpickler: a small machine that can build and never run
 *   torch.c         what it built → tensors; storages
 *   torch_zip.c     PyTorch ≥ 1.6 and TorchScript archives (libzip)
 *   torch_legacy.c  PyTorch before 1.6
 *   keras_hdf5.c    Keras models and weights (libhdf5)
 *   tfjs.c          TensorFlow.js layers models
 *
 * Only what is asked for is read: memory is that of the caller's buffer and a block of 1 MiB. */
#ifndef PTS_TOOLS_CHECKPOINT_H
#define PTS_TOOLS_CHECKPOINT_H

#include "convert.h"

#include <sys/types.h>

/* ---- input.c ---- */

typedef struct input {
    int fd;
    uint64_t size;
    char *path;
} input;

pts_status input_open(input *in, const char *path, pts_error *err);
void input_close(input *in);
/* Exactly `size` bytes from `at`; a file that ends before is named. */
pts_status input_read(const input *in, uint64_t at, void *out, size_t size, pts_error *err);
/* Adds the whole file to `hash`. */
pts_status input_hash(const input *in, pts_sha256 *hash, pts_error *err);
/* A malloc'd "folder/name" when that is a file, else NULL. */
char *file_in(const char *folder, const char *name);
/* The folder that `path` lies in, malloc'd; NULL: no memory. */
char *folder_of(const char *path);
/* A name that leads nowhere but below a folder: relative, without "..", without backslashes. */
bool name_is_safe(const char *name);

/* ---- checkpoint.c ---- */

#define CHECKPOINT_RANK_MAX 8
#define CHECKPOINT_NAME_MAX 1000
#define CHECKPOINT_TENSORS_MAX 65536

typedef enum checkpoint_dtype {
    CHECKPOINT_F32,
    CHECKPOINT_F16,
    CHECKPOINT_BF16,
    CHECKPOINT_OTHER /* listed, its values cannot be had */
} checkpoint_dtype;

typedef struct checkpoint_tensor {
    char *name;
    checkpoint_dtype dtype;
    char dtype_name[24]; /* "float32", "int64": in the words of the file or of PyTorch */
    char stored[80];     /* "uint8 scale 0.1 min -3"; "" where it lies as its type says */
    int rank;
    size_t shape[CHECKPOINT_RANK_MAX];
    size_t count; /* elements; 0 where a side is 0 */
    bool used;    /* some architecture took it or knows why not */
    /* The reader's: */
    size_t place;                       /* file, storage, tensor … */
    uint64_t offset;                    /* bytes or elements into it */
    size_t stride[CHECKPOINT_RANK_MAX]; /* in elements */
} checkpoint_tensor;

typedef struct checkpoint checkpoint;
typedef pts_status checkpoint_read_fn(checkpoint *c, const checkpoint_tensor *t, size_t first,
                                      size_t count, float *out, pts_error *err);

struct checkpoint {
    char *path;
    const char *format; /* "safetensors" */
    checkpoint_tensor *tensors;
    size_t count, capacity;
    checkpoint_tensor **by_name;
    json_t *config;         /* config.json or open_clip_config.json beside the file, or NULL */
    char *origin, *licence; /* of a package, or NULL */
    bool script;            /* TorchScript: OpenAI publishes so */
    input in;               /* the file, or the index of shards, where one is open */
    float *whole;           /* all values of the tensor read last, where kept */
    const checkpoint_tensor *whole_of;
    void *reader;
    checkpoint_read_fn *read;
    pts_status (*hash)(checkpoint *c, pts_sha256 *hash, pts_error *err); /* NULL: that of `in` */
    void (*close)(checkpoint *c); /* frees what the reader holds; the reader itself goes after */
};

/* A file of any kind, or a folder as Hugging Face, TensorFlow.js or the nsfwjs package has it. */
pts_status checkpoint_open(checkpoint *out, const char *path, pts_error *err);
void checkpoint_close(checkpoint *c);

/* Appends a tensor, to be filled: takes a copy of the name, which must be UTF-8 without control
 * characters. */
pts_status checkpoint_add(checkpoint *c, const char *name, size_t length, checkpoint_tensor **out,
                          pts_error *err);
/* Sets rank, shape, row-major strides and count; refuses more than the caps. */
pts_status checkpoint_shape(const checkpoint *c, checkpoint_tensor *t, size_t rank,
                            const uint64_t *shape, pts_error *err);
/* After the last one; refuses a name that is there twice. */
pts_status checkpoint_index(checkpoint *c, pts_error *err);

checkpoint_tensor *checkpoint_find(const checkpoint *c, const char *name);
/* The tensor of that name and shape, marked used; else "tensor 'x': expected …, got …". */
pts_status checkpoint_require(checkpoint *c, const char *name, int rank, const size_t *shape,
                              const checkpoint_tensor **out, pts_error *err);
/* Elements [first, first + count) in row-major order. Refuses what is not finite. */
pts_status checkpoint_read(checkpoint *c, const checkpoint_tensor *t, size_t first, size_t count,
                           float *out, pts_error *err);
/* SHA-256 over the file, or over an index and its shards in the index's order. */
pts_status checkpoint_hash(checkpoint *c, char out[PTS_SHA256_HEX], pts_error *err);

size_t checkpoint_item_bytes(checkpoint_dtype dtype);
/* count items at `bytes` → floats; the blocks may be the same one. */
void checkpoint_widen(checkpoint_dtype dtype, const void *bytes, size_t count, float *out);

/* ---- for the readers ---- */

/* c->reader of `size` zeroed bytes, freed with the checkpoint. */
pts_status checkpoint_reader(checkpoint *c, size_t size, checkpoint_read_fn *read,
                             void (*close)(checkpoint *c), pts_error *err);
/* c->read where a tensor can be had only whole: `fetch` writes all its values, kept for the parts
 * that are asked for next. */
pts_status checkpoint_read_whole(checkpoint *c, const checkpoint_tensor *t, size_t first,
                                 size_t count, float *out,
                                 pts_status (*fetch)(checkpoint *c, const checkpoint_tensor *t,
                                                     float *values, pts_error *err),
                                 pts_error *err);

/* ---- the readers: fill an empty checkpoint whose path is set ---- */

pts_status safetensors_open(checkpoint *c, pts_error *err);
pts_status safetensors_index_open(checkpoint *c, pts_error *err);
pts_status torch_zip_open(checkpoint *c, pts_error *err);
pts_status torch_legacy_open(checkpoint *c, pts_error *err);
pts_status keras_hdf5_open(checkpoint *c, pts_error *err);
pts_status tfjs_checkpoint_open(checkpoint *c, pts_error *err);
/* The layers model behind a TensorFlow.js checkpoint, else NULL. */
tfjs_model *checkpoint_tfjs(const checkpoint *c);

#endif
