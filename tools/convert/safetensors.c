/* Safetensors: eight bytes of length, that many bytes of JSON, then the data
 * (github.com/huggingface/safetensors, "Format"). Each entry must lie inside, be as long as its
 * shape and type say, and together they must fill the data without overlap or hole, as the format
 * demands: else two names could share bytes, or bytes hide between them. */
#include "checkpoint.h"

#include <stdlib.h>
#include <string.h>

typedef struct shards {
    input *files;
    size_t count;
} shards; /* their index, if there is one, is the checkpoint's own file */

typedef struct dtype_row {
    const char *name;
    checkpoint_dtype dtype;
    unsigned bits;
} dtype_row;

static const dtype_row dtypes[] = {
    {"F32", CHECKPOINT_F32, 32},   {"F16", CHECKPOINT_F16, 16},   {"BF16", CHECKPOINT_BF16, 16},
    {"F64", CHECKPOINT_OTHER, 64}, {"I64", CHECKPOINT_OTHER, 64}, {"U64", CHECKPOINT_OTHER, 64},
    {"I32", CHECKPOINT_OTHER, 32}, {"U32", CHECKPOINT_OTHER, 32}, {"I16", CHECKPOINT_OTHER, 16},
    {"U16", CHECKPOINT_OTHER, 16}, {"I8", CHECKPOINT_OTHER, 8},   {"U8", CHECKPOINT_OTHER, 8},
    {"BOOL", CHECKPOINT_OTHER, 8},
};

static const dtype_row *find_dtype(const char *name)
{
    for (size_t i = 0; name && i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, name) == 0)
            return &dtypes[i];
    }
    return NULL;
}

static pts_status read_values(checkpoint *c, const checkpoint_tensor *t, size_t first, size_t count,
                              float *out, pts_error *err)
{
    const shards *s = c->reader;
    size_t item = checkpoint_item_bytes(t->dtype);
    PTS_TRY(input_read(&s->files[t->place], t->offset + first * item, out, count * item, err));
    checkpoint_widen(t->dtype, out, count, out);
    return PTS_OK;
}

static pts_status hash_files(checkpoint *c, pts_sha256 *hash, pts_error *err)
{
    const shards *s = c->reader;
    if (c->in.path)
        PTS_TRY(input_hash(&c->in, hash, err));
    for (size_t i = 0; i < s->count; i++)
        PTS_TRY(input_hash(&s->files[i], hash, err));
    return PTS_OK;
}

static void close_files(checkpoint *c)
{
    shards *s = c->reader;
    for (size_t i = 0; i < s->count; i++)
        input_close(&s->files[i]);
    free(s->files);
}

static pts_status prepare(checkpoint *c, size_t files, pts_error *err)
{
    PTS_TRY(checkpoint_reader(c, sizeof(shards), read_values, close_files, err));
    c->hash = hash_files;
    return pts_new(&((shards *)c->reader)->files, files, sizeof(input), err);
}

/* Where one file's data start and how many there are. */
typedef struct span {
    const input *in;
    uint64_t start, size;
    size_t first; /* of the file's tensors */
} span;

static bool read_pair(const json_t *pair, uint64_t out[2])
{
    for (size_t i = 0; i < 2; i++) {
        const json_t *item = json_array_get(pair, i);
        if (!json_is_integer(item) || json_integer_value(item) < 0)
            return false;
        out[i] = (uint64_t)json_integer_value(item);
    }
    return json_array_size(pair) == 2;
}

static pts_status read_shape(checkpoint *c, const span *s, checkpoint_tensor *t,
                             const json_t *shape, pts_error *err)
{
    uint64_t sides[CHECKPOINT_RANK_MAX];
    size_t i;
    const json_t *item;
    if (!json_is_array(shape) || json_array_size(shape) > CHECKPOINT_RANK_MAX)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: tensor '%s': shape: expected a list of at most %d numbers",
                        s->in->path, t->name, CHECKPOINT_RANK_MAX);
    json_array_foreach(shape, i, item)
    {
        if (!json_is_integer(item) || json_integer_value(item) < 0)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: tensor '%s': shape: expected whole numbers ≥ 0", s->in->path,
                            t->name);
        sides[i] = (uint64_t)json_integer_value(item);
    }
    return checkpoint_shape(c, t, json_array_size(shape), sides, err);
}

static pts_status read_entry(checkpoint *c, const span *s, size_t file, const char *name,
                             const json_t *entry, pts_error *err)
{
    checkpoint_tensor *t;
    uint64_t offsets[2];
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const dtype_row *dtype = find_dtype(type);
    PTS_TRY(checkpoint_add(c, name, strlen(name), &t, err));
    if (!dtype)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: tensor '%s': dtype: expected F32, F16, BF16 or a whole number's, "
                        "got '%.40s'",
                        s->in->path, name, type ? type : "none");
    t->dtype = dtype->dtype;
    snprintf(t->dtype_name, sizeof t->dtype_name, "%s", dtype->name);
    PTS_TRY(read_shape(c, s, t, json_object_get(entry, "shape"), err));
    if (!read_pair(json_object_get(entry, "data_offsets"), offsets) || offsets[0] > offsets[1] ||
        offsets[1] > s->size)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: tensor '%s': data_offsets: expected two rising numbers of at most "
                        "%llu",
                        s->in->path, name, (unsigned long long)s->size);
    uint64_t want = (uint64_t)t->count * (dtype->bits / 8);
    if (offsets[1] - offsets[0] != want)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: tensor '%s': data_offsets: expected %llu bytes for its shape and "
                        "type, got %llu",
                        s->in->path, name, (unsigned long long)want,
                        (unsigned long long)(offsets[1] - offsets[0]));
    t->place = file;
    t->offset = s->start + offsets[0];
    return PTS_OK;
}

/* A tensor's bytes, to be sorted by place. */
typedef struct extent {
    uint64_t start, end;
    const char *name;
} extent;

static int compare_extents(const void *a, const void *b)
{
    const extent *left = a, *right = b;
    if (left->start != right->start)
        return left->start < right->start ? -1 : 1;
    return (left->end > right->end) - (left->end < right->end);
}

/* The last of `count` extents stands for the end of the data. */
static pts_status check_extents(const span *s, const extent *extents, size_t count, pts_error *err)
{
    uint64_t at = s->start;
    for (size_t i = 0; i < count; at = extents[i++].end) {
        const char *name = extents[i].name, *quote = i + 1 < count ? "'" : "";
        if (extents[i].start != at)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: %s%s%s%s: expected to start at byte %llu of the data, got %llu "
                            "(%s)",
                            s->in->path, *quote ? "tensor " : "", quote, name, quote,
                            (unsigned long long)(at - s->start),
                            (unsigned long long)(extents[i].start - s->start),
                            extents[i].start < at ? "they overlap" : "a hole");
    }
    return PTS_OK;
}

static pts_status check_cover(const checkpoint *c, const span *s, pts_error *err)
{
    size_t count = c->count - s->first;
    extent *extents;
    PTS_TRY(pts_new(&extents, count + 1, sizeof *extents, err));
    for (size_t i = 0; i < count; i++) {
        const checkpoint_tensor *t = &c->tensors[s->first + i];
        uint64_t bytes = (uint64_t)t->count * (find_dtype(t->dtype_name)->bits / 8);
        extents[i] = (extent){t->offset, t->offset + bytes, t->name};
    }
    qsort(extents, count, sizeof *extents, compare_extents);
    extents[count] = (extent){s->start + s->size, s->start + s->size, "the end"};
    pts_status status = check_extents(s, extents, count + 1, err);
    free(extents);
    return status;
}

static pts_status read_header(const input *in, json_t **out, span *s, pts_error *err)
{
    uint64_t length;
    json_error_t problem;
    PTS_TRY(input_read(in, 0, &length, sizeof length, err));
    if (length > CONVERT_MODEL_MAX || length > in->size - sizeof length)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: header: expected at most %llu bytes, it says %llu", in->path,
                        (unsigned long long)(in->size - sizeof length < CONVERT_MODEL_MAX
                                                 ? in->size - sizeof length
                                                 : CONVERT_MODEL_MAX),
                        (unsigned long long)length);
    char *text;
    PTS_TRY(pts_new(&text, (size_t)length, 1, err));
    pts_status status = input_read(in, sizeof length, text, (size_t)length, err);
    if (status == PTS_OK) {
        *out = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
        if (!json_is_object(*out))
            status = pts_fail(err, PTS_ERR_FORMAT, "%s: header: line %d, column %d: %s", in->path,
                              *out ? 1 : problem.line, *out ? 1 : problem.column,
                              *out ? "expected an object" : problem.text);
    }
    free(text);
    *s = (span){.in = in, .start = sizeof length + length};
    s->size = in->size - s->start;
    return status;
}

/* Tensors of file `file`, which is open. */
static pts_status read_file(checkpoint *c, size_t file, pts_error *err)
{
    const shards *all = c->reader;
    json_t *header = NULL, *entry;
    const char *name;
    span s;
    pts_status status = read_header(&all->files[file], &header, &s, err);
    s.first = c->count;
    if (status == PTS_OK) {
        json_object_foreach(header, name, entry)
        {
            if (status == PTS_OK && strcmp(name, "__metadata__") != 0)
                status = read_entry(c, &s, file, name, entry, err);
        }
    }
    json_decref(header);
    return status == PTS_OK ? check_cover(c, &s, err) : status;
}

/* Opens `path` as the next file. */
static pts_status add_file(checkpoint *c, const char *path, pts_error *err)
{
    shards *s = c->reader;
    PTS_TRY(input_open(&s->files[s->count++], path, err));
    return read_file(c, s->count - 1, err);
}

pts_status safetensors_open(checkpoint *c, pts_error *err)
{
    PTS_TRY(prepare(c, 1, err));
    return add_file(c, c->path, err);
}

/* The distinct shards of {"weight_map": {tensor: file}}, as keys of `files`. */
static pts_status list_shards(const checkpoint *c, const json_t *map, json_t *files, pts_error *err)
{
    const char *name;
    json_t *file;
    json_object_foreach((json_t *)(uintptr_t)map, name, file)
    {
        const char *path = json_string_value(file);
        if (!path || !name_is_safe(path))
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: weight_map: expected a file beside the index, got '%.80s'",
                            c->path, path ? path : "none");
        if (json_object_set_new(files, path, json_true()) != 0)
            return pts_fail_memory(err, strlen(path));
    }
    if (json_object_size(files) < 1 || json_object_size(files) > 4096)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: weight_map: expected 1 … 4096 files, got %zu",
                        c->path, json_object_size(files));
    return PTS_OK;
}

static pts_status check_map(checkpoint *c, const json_t *map, pts_error *err)
{
    const shards *s = c->reader;
    const char *name;
    json_t *file;
    PTS_TRY(checkpoint_index(c, err));
    json_object_foreach((json_t *)(uintptr_t)map, name, file)
    {
        const checkpoint_tensor *t = checkpoint_find(c, name);
        const char *path = t ? s->files[t->place].path : "";
        size_t length = strlen(path), tail = strlen(json_string_value(file));
        if (!t || length < tail || strcmp(path + length - tail, json_string_value(file)) != 0)
            return pts_fail(err, PTS_ERR_FORMAT, "%s: tensor '%s': expected in %s, got %s", c->path,
                            name, json_string_value(file), t ? path : "no tensor");
    }
    return PTS_OK;
}

static pts_status open_shards(checkpoint *c, const json_t *files, pts_error *err)
{
    char *folder = folder_of(c->path);
    const char *name;
    json_t *unused;
    pts_status status = folder ? PTS_OK : pts_fail_memory(err, strlen(c->path));
    json_object_foreach((json_t *)(uintptr_t)files, name, unused)
    {
        char path[8192];
        (void)unused;
        if (status == PTS_OK && snprintf(path, sizeof path, "%s/%s", folder, name) < 8192)
            status = add_file(c, path, err);
    }
    free(folder);
    return status;
}

static pts_status read_index(checkpoint *c, const json_t *map, json_t *files, pts_error *err)
{
    PTS_TRY(list_shards(c, map, files, err));
    PTS_TRY(prepare(c, json_object_size(files), err));
    PTS_TRY(input_open(&c->in, c->path, err));
    PTS_TRY(open_shards(c, files, err));
    return check_map(c, map, err);
}

pts_status safetensors_index_open(checkpoint *c, pts_error *err)
{
    char *text;
    size_t size;
    json_t *index, *files;
    PTS_TRY(pts_read_file(c->path, CONVERT_MODEL_MAX, &text, &size, err));
    pts_status status = json_of(&index, c->path, text, size, err);
    free(text);
    files = json_object();
    if (status == PTS_OK)
        status = read_index(c, json_object_get(index, "weight_map"), files, err);
    json_decref(files);
    json_decref(index);
    return status;
}
