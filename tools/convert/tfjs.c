/* TensorFlow.js layers models: model.json holds the Keras topology and a manifest of weight groups.
 * A group is the concatenation of its shards ("paths") and holds its tensors ("weights") one after
 * another without padding; a tensor may cross from shard to shard. A quantised tensor stores
 * integers q, or binary16 numbers, and scale and min: value = q·scale + min (tfjs-core,
 * io/io_utils.ts: decodeWeights; tfjs-converter, quantization.py). */
#include "checkpoint.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TENSORS_MAX = PTS_TENSOR_COUNT_MAX, SHARDS_MAX = 4096, LAYERS_MAX = 65536 };

const char *tfjs_storage_name(tfjs_storage storage)
{
    static const char *const names[] = {"float32", "float16", "uint8", "uint16", "other"};
    return names[storage];
}

static size_t storage_bytes(tfjs_storage storage)
{
    return storage == TFJS_U8 ? 1 : storage == TFJS_U16 || storage == TFJS_F16 ? 2 : 4;
}

const char *shape_text(char out[128], int rank, const size_t *shape)
{
    size_t used = (size_t)snprintf(out, 128, "(");
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(out + used, 128 - used, "%s%zu", i ? ", " : "", shape[i]);
    snprintf(out + used, 128 - used, ")");
    return out;
}

static pts_status read_shape(const char *path, tfjs_tensor *t, const json_t *shape, pts_error *err)
{
    size_t rank = json_array_size(shape), i;
    const json_t *item;
    if (!json_is_array(shape) || rank > PTS_TENSOR_RANK_MAX)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: tensor '%s': shape: expected a list of at most %d numbers", path,
                        t->name, PTS_TENSOR_RANK_MAX);
    t->rank = (int)rank;
    t->count = 1;
    json_array_foreach(shape, i, item)
    {
        json_int_t side = json_integer_value(item);
        if (!json_is_integer(item) || side < 1 ||
            __builtin_mul_overflow(t->count, (size_t)side, &t->count) ||
            t->count > CONVERT_TOTAL_MAX / 4)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: tensor '%s': shape: expected sides ≥ 1 and at most %llu "
                            "elements",
                            path, t->name, (unsigned long long)CONVERT_TOTAL_MAX / 4);
        t->shape[i] = (size_t)side;
    }
    return PTS_OK;
}

static pts_status read_quantization(const char *path, tfjs_tensor *t, const json_t *q,
                                    pts_error *err)
{
    const char *dtype = json_string_value(json_object_get(q, "dtype"));
    const json_t *scale = json_object_get(q, "scale"), *min = json_object_get(q, "min");
    bool half = dtype && strcmp(dtype, "float16") == 0;
    if (!half && (!dtype || (strcmp(dtype, "uint8") != 0 && strcmp(dtype, "uint16") != 0)))
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: tensor '%s': quantization: expected uint8, uint16 or float16, got "
                        "'%.40s'",
                        path, t->name, dtype ? dtype : "none");
    t->storage = half ? TFJS_F16 : dtype[4] == '8' ? TFJS_U8 : TFJS_U16;
    if (half)
        return PTS_OK;
    t->scale = json_number_value(scale);
    t->min = json_number_value(min);
    if (!json_is_number(scale) || !json_is_number(min) || !isfinite(t->scale) || !isfinite(t->min))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: tensor '%s': quantization: expected numbers scale and min", path,
                        t->name);
    return PTS_OK;
}

static pts_status read_spec(tfjs_model *m, tfjs_tensor *t, const json_t *spec, pts_error *err)
{
    const char *path = m->src.model;
    t->name = json_string_value(json_object_get(spec, "name"));
    t->dtype = json_string_value(json_object_get(spec, "dtype"));
    const json_t *quantization = json_object_get(spec, "quantization");
    if (!t->name || !t->dtype)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: weightsManifest: weights: tensor %zu: expected name and dtype", path,
                        m->tensor_count);
    for (size_t i = 0; i < m->tensor_count; i++) {
        if (strcmp(m->tensors[i].name, t->name) == 0)
            return pts_fail(err, PTS_ERR_FORMAT, "%s: tensor '%s' is there twice", path, t->name);
    }
    PTS_TRY(read_shape(path, t, json_object_get(spec, "shape"), err));
    if (quantization)
        return read_quantization(path, t, quantization, err);
    if (strcmp(t->dtype, "float32") != 0 && strcmp(t->dtype, "int32") != 0)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: tensor '%s': dtype: expected float32 or int32, got '%.40s'", path,
                        t->name, t->dtype);
    t->storage = t->dtype[0] == 'f' ? TFJS_F32 : TFJS_OTHER;
    return PTS_OK;
}

/* Appends the tensors of one group; *bytes is what its shards must add up to. */
static pts_status read_specs(tfjs_model *m, const json_t *weights, size_t *bytes, pts_error *err)
{
    size_t i, count = json_array_size(weights);
    const json_t *spec;
    *bytes = 0;
    if (!json_is_array(weights) || count > TENSORS_MAX - m->tensor_count)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: weightsManifest: weights: expected a list of at most %d tensors",
                        m->src.model, TENSORS_MAX);
    PTS_TRY(pts_grow(&m->tensors, &m->capacity, m->tensor_count + count, sizeof *m->tensors, err));
    json_array_foreach(weights, i, spec)
    {
        tfjs_tensor *t = &m->tensors[m->tensor_count];
        *t = (tfjs_tensor){0};
        PTS_TRY(read_spec(m, t, spec, err));
        *bytes += t->count * storage_bytes(t->storage); /* ≤ 16384 · 2^33 */
        m->tensor_count++;
    }
    if (*bytes > CONVERT_TOTAL_MAX)
        return pts_fail(err, PTS_ERR_LIMIT,
                        "%s: weightsManifest: expected at most %llu bytes, got %zu", m->src.model,
                        (unsigned long long)CONVERT_TOTAL_MAX, *bytes);
    return PTS_OK;
}

/* Appends one shard to the group at `at`; the group has room for `bytes`. */
static pts_status append_shard(tfjs_model *m, char *group, size_t *at, size_t bytes,
                               const json_t *path, pts_error *err)
{
    const char *name = json_string_value(path);
    char *data;
    size_t size;
    if (!name)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: weightsManifest: paths: expected strings",
                        m->src.model);
    PTS_TRY(source_shard(&m->src, name, &data, &size, err));
    bool fits = size <= bytes - *at;
    if (fits && size)
        memcpy(group + *at, data, size);
    free(data);
    if (!fits)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: shard '%s': expected at most %zu bytes more (the group's tensors "
                        "take %zu), got %zu",
                        m->src.model, name, bytes - *at, bytes, size);
    *at += size;
    return PTS_OK;
}

static pts_status read_shards(tfjs_model *m, const json_t *paths, char *group, size_t bytes,
                              pts_error *err)
{
    size_t i, at = 0;
    const json_t *path;
    if (!json_is_array(paths) || json_array_size(paths) > SHARDS_MAX)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: weightsManifest: paths: expected a list of at most %d files",
                        m->src.model, SHARDS_MAX);
    json_array_foreach(paths, i, path)
    {
        PTS_TRY(append_shard(m, group, &at, bytes, path, err));
    }
    if (at != bytes)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: weight group %zu: expected %zu bytes of shards, got %zu", m->src.model,
                        m->group_count - 1, bytes, at);
    return PTS_OK;
}

static pts_status read_group(tfjs_model *m, const json_t *group, pts_error *err)
{
    size_t first = m->tensor_count, bytes;
    PTS_TRY(read_specs(m, json_object_get(group, "weights"), &bytes, err));
    char *block =
        malloc(bytes + 1); /* not pts_new: untouched, gigabytes that are claimed are free */
    if (!block)
        return pts_fail(err, PTS_ERR_MEMORY, "%s: out of memory: %zu bytes wanted", m->src.model,
                        bytes);
    m->groups[m->group_count++] = block;
    PTS_TRY(read_shards(m, json_object_get(group, "paths"), block, bytes, err));
    const unsigned char *at = (const unsigned char *)block;
    for (size_t i = first; i < m->tensor_count; i++) {
        m->tensors[i].data = at;
        at += m->tensors[i].count * storage_bytes(m->tensors[i].storage);
    }
    return PTS_OK;
}

static pts_status read_manifest(tfjs_model *m, pts_error *err)
{
    const json_t *manifest = json_object_get(m->json, "weightsManifest"), *group;
    size_t i, count = json_array_size(manifest);
    if (!json_is_array(manifest) || count > TENSORS_MAX)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: weightsManifest: expected a list of at most %d groups", m->src.model,
                        TENSORS_MAX);
    PTS_TRY(pts_new(&m->groups, count, sizeof *m->groups, err));
    json_array_foreach(manifest, i, group)
    {
        PTS_TRY(read_group(m, group, err));
    }
    return PTS_OK;
}

/* modelTopology may be the Keras model itself or hold it under model_config. */
static pts_status read_topology(tfjs_model *m, pts_error *err)
{
    const json_t *topology = json_object_get(m->json, "modelTopology");
    const json_t *config = json_object_get(topology, "model_config");
    m->config = json_object_get(config ? config : topology, "config");
    m->layers = json_object_get(m->config, "layers");
    if (!json_is_array(m->layers) || json_array_size(m->layers) > LAYERS_MAX)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: expected modelTopology … config.layers, a list of at most %d "
                        "layers (a TensorFlow.js layers model; graph models are not supported)",
                        m->src.model, LAYERS_MAX);
    return PTS_OK;
}

static pts_status read_model(tfjs_model *m, const char *path, pts_error *err)
{
    PTS_TRY(source_find(&m->src, path, err));
    PTS_TRY(source_model(&m->src, &m->json, err));
    PTS_TRY(read_topology(m, err));
    return read_manifest(m, err);
}

pts_status tfjs_open(tfjs_model *out, const char *path, pts_error *err)
{
    *out = (tfjs_model){0};
    pts_status status = read_model(out, path, err);
    if (status != PTS_OK)
        tfjs_close(out);
    return status;
}

void tfjs_close(tfjs_model *m)
{
    for (size_t i = 0; i < m->group_count; i++)
        free(m->groups[i]);
    free(m->groups);
    free(m->tensors);
    json_decref(m->json);
    source_free(&m->src);
    *m = (tfjs_model){0};
}

static double element(const tfjs_tensor *t, size_t i)
{
    uint16_t half;
    float single;
    switch (t->storage) {
    case TFJS_U8:
        return t->data[i] * t->scale + t->min;
    case TFJS_U16:
        memcpy(&half, t->data + 2 * i, 2);
        return half * t->scale + t->min;
    case TFJS_F16:
        memcpy(&half, t->data + 2 * i, 2);
        return (double)pts_f32_from_f16(half);
    default:
        memcpy(&single, t->data + 4 * i, 4);
        return (double)single;
    }
}

void tfjs_values(const tfjs_tensor *t, size_t first, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)element(t, first + i);
}

/* ---- As a checkpoint ---- */

static pts_status read_values(checkpoint *c, const checkpoint_tensor *t, size_t first, size_t count,
                              float *out, pts_error *err)
{
    const tfjs_model *m = c->reader;
    (void)err;
    tfjs_values(&m->tensors[t->place], first, count, out);
    return PTS_OK;
}

/* Over the model file and then every shard, in manifest order: they were read and hashed at once.
 */
static pts_status take_hash(checkpoint *c, pts_sha256 *hash, pts_error *err)
{
    const tfjs_model *m = c->reader;
    (void)err;
    *hash = m->src.hash;
    return PTS_OK;
}

static void close_model(checkpoint *c)
{
    tfjs_close(c->reader);
}

tfjs_model *checkpoint_tfjs(const checkpoint *c)
{
    return c->close == close_model ? c->reader : NULL;
}

static pts_status add_tensor(checkpoint *c, const tfjs_tensor *from, size_t place, pts_error *err)
{
    checkpoint_tensor *t;
    uint64_t shape[PTS_TENSOR_RANK_MAX];
    PTS_TRY(checkpoint_add(c, from->name, strlen(from->name), &t, err));
    for (int i = 0; i < from->rank; i++)
        shape[i] = from->shape[i];
    PTS_TRY(checkpoint_shape(c, t, (size_t)from->rank, shape, err));
    t->place = place;
    t->dtype = from->storage == TFJS_OTHER ? CHECKPOINT_OTHER : CHECKPOINT_F32;
    snprintf(t->dtype_name, sizeof t->dtype_name, "%s", from->dtype);
    if (from->storage == TFJS_U8 || from->storage == TFJS_U16)
        snprintf(t->stored, sizeof t->stored, "%s scale %.9g min %.9g",
                 tfjs_storage_name(from->storage), from->scale, from->min);
    else
        snprintf(t->stored, sizeof t->stored, "%s", tfjs_storage_name(from->storage));
    return PTS_OK;
}

pts_status tfjs_checkpoint_open(checkpoint *c, pts_error *err)
{
    PTS_TRY(checkpoint_reader(c, sizeof(tfjs_model), read_values, close_model, err));
    c->hash = take_hash;
    tfjs_model *m = c->reader;
    PTS_TRY(tfjs_open(m, c->path, err));
    for (size_t i = 0; i < m->tensor_count; i++)
        PTS_TRY(add_tensor(c, &m->tensors[i], i, err));
    /* messages name the file, not its folder */
    free(c->path);
    PTS_TRY(pts_text(&c->path, err, "%s", m->src.model));
    c->origin = m->src.origin ? strdup(m->src.origin) : NULL;
    c->licence = m->src.licence ? strdup(m->src.licence) : NULL;
    return PTS_OK;
}
