#include "checkpoint.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tensors ---- */

/* Printable UTF-8: what a terminal may be shown and a .ptsw file may hold. */
static bool name_is_text(const char *name, size_t length)
{
    json_t *text = json_stringn(name, length);
    bool ok = text && length > 0;
    json_decref(text);
    for (size_t i = 0; i < length && ok; i++)
        ok = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    return ok;
}

pts_status checkpoint_add(checkpoint *c, const char *name, size_t length, checkpoint_tensor **out,
                          pts_error *err)
{
    if (length > CHECKPOINT_NAME_MAX || !name_is_text(name, length))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: tensor %zu: expected a name of 1 … %d bytes of UTF-8 text", c->path,
                        c->count, CHECKPOINT_NAME_MAX);
    if (c->count == CHECKPOINT_TENSORS_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %d tensors", c->path,
                        CHECKPOINT_TENSORS_MAX);
    char *copy;
    PTS_TRY(pts_grow(&c->tensors, &c->capacity, c->count + 1, sizeof *c->tensors, err));
    PTS_TRY(pts_text(&copy, err, "%.*s", (int)length, name));
    *out = &c->tensors[c->count++];
    **out = (checkpoint_tensor){.name = copy};
    return PTS_OK;
}

pts_status checkpoint_shape(const checkpoint *c, checkpoint_tensor *t, size_t rank,
                            const uint64_t *shape, pts_error *err)
{
    if (rank > CHECKPOINT_RANK_MAX)
        return pts_fail(err, PTS_ERR_LIMIT,
                        "%s: tensor '%s': shape: expected at most %d numbers, got %zu", c->path,
                        t->name, CHECKPOINT_RANK_MAX, rank);
    t->rank = (int)rank;
    t->count = 1;
    bool empty = false;
    for (size_t i = rank; i-- > 0;) {
        t->shape[i] = (size_t)shape[i];
        t->stride[i] = t->count;
        empty |= shape[i] == 0;
        if (shape[i] > CONVERT_TOTAL_MAX / 4 ||
            __builtin_mul_overflow(t->count, shape[i] ? t->shape[i] : 1, &t->count) ||
            t->count > CONVERT_TOTAL_MAX / 4)
            return pts_fail(err, PTS_ERR_LIMIT,
                            "%s: tensor '%s': shape: expected at most %llu elements", c->path,
                            t->name, (unsigned long long)CONVERT_TOTAL_MAX / 4);
    }
    t->count = empty ? 0 : t->count;
    return PTS_OK;
}

static int compare_names(const void *a, const void *b)
{
    const checkpoint_tensor *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

pts_status checkpoint_index(checkpoint *c, pts_error *err)
{
    free(c->by_name);
    PTS_TRY(pts_new(&c->by_name, c->count, sizeof(checkpoint_tensor *), err));
    for (size_t i = 0; i < c->count; i++)
        c->by_name[i] = &c->tensors[i];
    qsort(c->by_name, c->count, sizeof *c->by_name, compare_names);
    for (size_t i = 1; i < c->count; i++) {
        if (strcmp(c->by_name[i - 1]->name, c->by_name[i]->name) == 0)
            return pts_fail(err, PTS_ERR_FORMAT, "%s: tensor '%s' is there twice", c->path,
                            c->by_name[i]->name);
    }
    return PTS_OK;
}

checkpoint_tensor *checkpoint_find(const checkpoint *c, const char *name)
{
    checkpoint_tensor wanted = {.name = (char *)(uintptr_t)name}, *key = &wanted, **found;
    found = bsearch(&key, c->by_name, c->count, sizeof *c->by_name, compare_names);
    return found ? *found : NULL;
}

pts_status checkpoint_require(checkpoint *c, const char *name, int rank, const size_t *shape,
                              const checkpoint_tensor **out, pts_error *err)
{
    char want[128], have[128];
    checkpoint_tensor *t = checkpoint_find(c, name);
    *out = NULL;
    shape_text(want, rank, shape);
    if (!t)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: tensor '%s': expected shape %s, got no tensor",
                        c->path, name, want);
    if (t->rank != rank || memcmp(t->shape, shape, (size_t)rank * sizeof *shape) != 0)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: tensor '%s': expected shape %s, got %s", c->path,
                        name, want, shape_text(have, t->rank, t->shape));
    t->used = true;
    *out = t;
    return PTS_OK;
}

size_t checkpoint_item_bytes(checkpoint_dtype dtype)
{
    return dtype == CHECKPOINT_F32 ? 4 : 2;
}

void checkpoint_widen(checkpoint_dtype dtype, const void *bytes, size_t count, float *out)
{
    const unsigned char *at = bytes;
    if (dtype == CHECKPOINT_F32) {
        if (at != (const unsigned char *)out)
            memcpy(out, at, count * sizeof *out);
        return;
    }
    for (size_t i = count; i-- > 0;) { /* backwards, so that the two may share their start */
        uint16_t half;
        memcpy(&half, at + 2 * i, 2);
        uint32_t bits = (uint32_t)half << 16; /* bfloat16 is the upper half of a float */
        float value;
        memcpy(&value, &bits, sizeof value);
        out[i] = dtype == CHECKPOINT_F16 ? pts_f32_from_f16(half) : value;
    }
}

pts_status checkpoint_read(checkpoint *c, const checkpoint_tensor *t, size_t first, size_t count,
                           float *out, pts_error *err)
{
    if (t->dtype == CHECKPOINT_OTHER)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: tensor '%s': expected float32, float16 or bfloat16, got %s", c->path,
                        t->name, t->dtype_name);
    PTS_TRY(c->read(c, t, first, count, out, err));
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(out[i]))
            return pts_fail(err, PTS_ERR_NUMERIC,
                            "%s: tensor '%s': element %zu: expected a finite number, got %g",
                            c->path, t->name, first + i, (double)out[i]);
    }
    return PTS_OK;
}

pts_status checkpoint_hash(checkpoint *c, char out[PTS_SHA256_HEX], pts_error *err)
{
    pts_sha256 hash;
    pts_sha256_init(&hash);
    PTS_TRY(c->hash ? c->hash(c, &hash, err) : input_hash(&c->in, &hash, err));
    pts_sha256_hex(&hash, out);
    return PTS_OK;
}

void checkpoint_close(checkpoint *c)
{
    if (c->close)
        c->close(c);
    for (size_t i = 0; i < c->count; i++)
        free(c->tensors[i].name);
    input_close(&c->in);
    free(c->reader);
    free(c->whole);
    free(c->tensors);
    free(c->by_name);
    free(c->path);
    free(c->origin);
    free(c->licence);
    json_decref(c->config);
    *c = (checkpoint){0};
}

/* ---- Readers ---- */

pts_status checkpoint_reader(checkpoint *c, size_t size, checkpoint_read_fn *read,
                             void (*close)(checkpoint *c), pts_error *err)
{
    PTS_TRY(pts_new(&c->reader, 1, size, err));
    c->read = read;
    c->close = close;
    return PTS_OK;
}

pts_status checkpoint_read_whole(checkpoint *c, const checkpoint_tensor *t, size_t first,
                                 size_t count, float *out,
                                 pts_status (*fetch)(checkpoint *c, const checkpoint_tensor *t,
                                                     float *values, pts_error *err),
                                 pts_error *err)
{
    if (count && c->whole_of != t) {
        free(c->whole);
        c->whole_of = NULL;
        PTS_TRY(pts_new(&c->whole, t->count, sizeof *c->whole, err));
        PTS_TRY(fetch(c, t, c->whole, err));
        c->whole_of = t;
    }
    if (count)
        memcpy(out, c->whole + first, count * sizeof *out);
    return PTS_OK;
}

/* ---- Which kind ---- */

typedef struct kind {
    const char *name;
    pts_status (*open)(checkpoint *c, pts_error *err);
} kind;

static const kind SAFETENSORS = {"safetensors", safetensors_open},
                  SAFETENSORS_INDEX = {"safetensors in shards", safetensors_index_open},
                  TORCH_LEGACY = {"PyTorch before 1.6", torch_legacy_open},
                  TFJS = {"TensorFlow.js layers model", tfjs_checkpoint_open};

#ifdef PTS_HAVE_ZIP
static const kind TORCH_ZIP = {"PyTorch zip archive", torch_zip_open};
#else
static pts_status without_zip(checkpoint *c, pts_error *err)
{
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: a PyTorch zip archive: built without libzip",
                    c->path);
}
static const kind TORCH_ZIP = {"PyTorch zip archive", without_zip};
#endif

#ifdef PTS_HAVE_HDF5
static const kind KERAS = {"Keras HDF5", keras_hdf5_open};
#else
static pts_status without_hdf5(checkpoint *c, pts_error *err)
{
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: a Keras HDF5 file: built without libhdf5",
                    c->path);
}
static const kind KERAS = {"Keras HDF5", without_hdf5};
#endif

/* LONG1 of ten bytes, 0x1950a86a20f9469cfc6c: the first object of the legacy layout. */
static bool is_legacy_magic(const unsigned char *head)
{
    return head[0] == 0x80 && memcmp(head + 2, "\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.", 13) == 0;
}

static const kind *kind_of(const char *path, const unsigned char head[16])
{
    if (pts_path_ends(path, ".index.json"))
        return &SAFETENSORS_INDEX;
    if (pts_path_ends(path, ".json") || pts_path_ends(path, ".js"))
        return &TFJS;
    if (memcmp(head, "PK\3\4", 4) == 0)
        return &TORCH_ZIP;
    if (memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0)
        return &KERAS;
    if (is_legacy_magic(head))
        return &TORCH_LEGACY;
    if (head[8] == '{' && !(head[5] | head[6] | head[7]))
        return &SAFETENSORS;
    return NULL;
}

static pts_status unknown_kind(const char *path, const unsigned char head[16], pts_error *err)
{
    const char *what = head[0] == 0x80 && head[1] <= 5 ? " (a pickle, but not PyTorch's)" : "";
    return pts_fail(err, PTS_ERR_UNSUPPORTED,
                    "%s: expected safetensors, a PyTorch checkpoint, a Keras HDF5 file or a "
                    "TensorFlow.js model, got a file that starts with %02x %02x %02x %02x%s",
                    path, head[0], head[1], head[2], head[3], what);
}

/* ---- Opening ---- */

static pts_status open_as(checkpoint *c, const char *path, const kind *k, pts_error *err)
{
    c->format = k->name;
    PTS_TRY(pts_text(&c->path, err, "%s", path));
    PTS_TRY(k->open(c, err));
    return checkpoint_index(c, err);
}

/* Hugging Face and open_clip keep beside the weights what shapes cannot tell. A file of that name
 * that is no JSON object belongs to somebody else. */
static void read_config(checkpoint *c)
{
    static const char *const names[] = {"config.json", "open_clip_config.json"};
    char *folder = folder_of(c->path);
    for (size_t i = 0; folder && i < 2 && !c->config; i++) {
        char *text, *path = file_in(folder, names[i]);
        size_t size;
        if (path && pts_read_file(path, 1 << 20, &text, &size, NULL) == PTS_OK) {
            c->config = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
            free(text);
        }
        free(path);
    }
    free(folder);
}

static pts_status read_head(const char *path, unsigned char head[16], pts_error *err)
{
    input in;
    pts_status status = input_open(&in, path, err);
    if (status == PTS_OK)
        status = input_read(&in, 0, head, in.size < 16 ? (size_t)in.size : 16, err);
    input_close(&in);
    return status;
}

static pts_status open_file(checkpoint *c, const char *path, pts_error *err)
{
    unsigned char head[16] = {0};
    PTS_TRY(read_head(path, head, err));
    const kind *k = kind_of(path, head);
    if (!k)
        return unknown_kind(path, head, err);
    PTS_TRY(open_as(c, path, k, err));
    if (k != &TFJS)
        read_config(c);
    return PTS_OK;
}

static pts_status open_folder(checkpoint *c, const char *folder, pts_error *err)
{
    static const char *const names[] = {
        "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors",
        "pytorch_model.bin", "open_clip_pytorch_model.bin",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = file_in(folder, names[i]);
        if (path) {
            pts_status status = open_file(c, path, err);
            free(path);
            return status;
        }
    }
    return open_as(c, folder, &TFJS, err);
}

pts_status checkpoint_open(checkpoint *out, const char *path, pts_error *err)
{
    bool folder;
    *out = (checkpoint){0};
    PTS_TRY(path_is_folder(path, &folder, err));
    pts_status status = folder ? open_folder(out, path, err) : open_file(out, path, err);
    if (status != PTS_OK)
        checkpoint_close(out);
    return status;
}
