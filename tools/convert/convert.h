/* ptsconvert: from other people's model files to .ptsw.
 *
 *   checkpoint.h    one interface to all kinds of files, and their readers
 *   arch.h          architectures, and how their tensors become ours
 *   source.c        finds the files of a model: a TensorFlow.js folder or the nsfwjs package
 *   js_literal.c    a JavaScript object literal → JSON text; nothing is ever run
 *   base64.c        the shards of the package
 *   tfjs.c          topology, manifest and tensors of a TensorFlow.js layers model
 *
 * Like the library these files print nothing and fail with a status and one line; every size, path
 * and offset of the input is taken for hostile. */
#ifndef PTS_TOOLS_CONVERT_H
#define PTS_TOOLS_CONVERT_H

#include "base/error.h"
#include "base/memory.h"

#include "pts/base.h"
#include "pts/file.h"
#include "pts/hash.h"
#include "pts/weights.h"

#include <jansson.h>

#include <stdbool.h>

/* Caps on what one file may hold. InceptionV3's are 180 KB and 6 MB. */
#define CONVERT_MODEL_MAX ((size_t)64 << 20)
#define CONVERT_SHARD_MAX ((size_t)1 << 30)
#define CONVERT_TOTAL_MAX ((uint64_t)8 << 30) /* of all tensors as float32 */

/* ---- input.c ---- */

/* Whether `path` is a folder; refused where there is nothing. */
pts_status path_is_folder(const char *path, bool *folder, pts_error *err);
/* The JSON value that `text` is, the caller releases it; else "path: line 1, column 2: …". */
pts_status json_of(json_t **out, const char *path, const char *text, size_t size, pts_error *err);

/* ---- source.c ---- */

typedef struct source {
    char *model;  /* path of model.json or model.min.js */
    char *folder; /* the shards lie here */
    bool packed;  /* JavaScript files with base64 shards instead of JSON and binary files */
    char *origin, *licence; /* "nsfwjs 4.4.0", "MIT" from a package.json, or NULL */
    pts_sha256 hash;        /* over the model file and then every shard, in manifest order */
} source;

/* `path`: model.json, a folder with one, or an unpacked nsfwjs package or its model folder. */
pts_status source_find(source *out, const char *path, pts_error *err);
void source_free(source *src);
/* The model's JSON; the caller releases it. */
pts_status source_model(source *src, json_t **out, pts_error *err);
/* The bytes of a shard named in the manifest; the caller frees *data. */
pts_status source_shard(source *src, const char *name, char **data, size_t *size, pts_error *err);

/* ---- js_literal.c ---- */

/* The value given to `exports` in a CommonJS file or bundle: the text after "exports=" that
 * starts an object, array or string. NULL when there is none. */
const char *js_find_exports(const char *text, size_t size);

/* Reads one literal (objects with bare or quoted keys, arrays, strings, numbers like .5, !0, !1,
 * null, void 0) from the start of text and writes it as JSON; the caller frees *json. *used is
 * what was read. Anything that would have to be run is refused. Messages: "byte N: expected …". */
pts_status js_to_json(const char *text, size_t size, char **json, size_t *json_size, size_t *used,
                      pts_error *err);

/* ---- base64.c ---- */

/* RFC 4648 with padding, strict; decodes in place, *size becomes the decoded size. On failure
 * *size is the offset of the first bad byte. */
bool base64_decode(char *data, size_t *size);

/* ---- tfjs.c ---- */

typedef enum tfjs_storage { TFJS_F32, TFJS_F16, TFJS_U8, TFJS_U16, TFJS_OTHER } tfjs_storage;

typedef struct tfjs_tensor {
    const char *name, *dtype; /* in the manifest's JSON */
    tfjs_storage storage;
    double scale, min;
    int rank; /* 0 … 4 */
    size_t shape[PTS_TENSOR_RANK_MAX];
    size_t count; /* elements */
    const unsigned char *data;
} tfjs_tensor;

typedef struct tfjs_model {
    source src;
    json_t *json;
    const json_t *config; /* the topology's */
    const json_t *layers; /* array of layer objects, in its order */
    tfjs_tensor *tensors;
    size_t tensor_count, capacity;
    char **groups; /* bytes of each weight group */
    size_t group_count;
} tfjs_model;

pts_status tfjs_open(tfjs_model *out, const char *path, pts_error *err);
void tfjs_close(tfjs_model *model);

/* Elements [first, first + count): q·scale + min in double, rounded to float as TensorFlow.js does
 * when it loads. Not for TFJS_OTHER. */
void tfjs_values(const tfjs_tensor *tensor, size_t first, size_t count, float *out);
const char *tfjs_storage_name(tfjs_storage storage);
/* "(3, 3, 3, 32)" into out, which it returns. */
const char *shape_text(char out[128], int rank, const size_t *shape);

#endif
