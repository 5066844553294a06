#include "torch.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64, VISITS_MAX = 4 << 20 };

/* ---- Values ---- */

static bool contiguous(const checkpoint_tensor *t)
{
    size_t expected = 1;
    for (int i = t->rank; i-- > 0;) {
        if (t->shape[i] != 1 && t->stride[i] != expected)
            return false;
        expected *= t->shape[i];
    }
    return true;
}

/* The elements of the storage that a strided tensor touches. */
static size_t extent_of(const checkpoint_tensor *t)
{
    size_t last = 0;
    for (int i = 0; i < t->rank; i++)
        last += (t->shape[i] - 1) * t->stride[i];
    return last + 1;
}

/* The elements of a tensor whose strides are not row-major, in row-major order. */
static pts_status gather(checkpoint *c, const checkpoint_tensor *t, float *out, pts_error *err)
{
    const torch_file *file = c->reader;
    const torch_storage *s = &file->storages[t->place];
    size_t extent = extent_of(t), index[CHECKPOINT_RANK_MAX] = {0};
    float *block;
    pts_status status = pts_new(&block, extent, sizeof *block, err);
    if (status == PTS_OK)
        status = file->read_bytes(c, s, t->offset * s->item, block, extent * s->item, err);
    if (status == PTS_OK)
        checkpoint_widen(t->dtype, block, extent, block);
    for (size_t k = 0; k < t->count && status == PTS_OK; k++) {
        size_t at = 0;
        for (int i = 0; i < t->rank; i++)
            at += index[i] * t->stride[i];
        out[k] = block[at];
        for (int i = t->rank; i-- > 0 && ++index[i] == t->shape[i];)
            index[i] = 0;
    }
    free(block);
    return status;
}

static pts_status read_values(checkpoint *c, const checkpoint_tensor *t, size_t first, size_t count,
                              float *out, pts_error *err)
{
    const torch_file *file = c->reader;
    const torch_storage *s = &file->storages[t->place];
    if (!count || !contiguous(t))
        return checkpoint_read_whole(c, t, first, count, out, gather, err);
    PTS_TRY(file->read_bytes(c, s, (t->offset + first) * s->item, out, count * s->item, err));
    checkpoint_widen(t->dtype, out, count, out);
    return PTS_OK;
}

pts_status torch_prepare(checkpoint *c, void (*close)(checkpoint *c), pts_error *err)
{
    PTS_TRY(checkpoint_reader(c, sizeof(torch_file), read_values, close, err));
    return input_open(&c->in, c->path, err);
}

/* ---- From the pickle ---- */

typedef struct walk {
    checkpoint *c;
    const pickle *p;
    char path[CHECKPOINT_NAME_MAX + 1];
    size_t length, visits;
    pts_error *err;
} walk;

static const pickle_value *item(const walk *w, const pickle_value *v, uint32_t i)
{
    return &w->p->values[v->items[i]];
}

static pts_status malformed(const walk *w, const char *what)
{
    return pts_fail(w->err, PTS_ERR_FORMAT, "%s: tensor '%.*s': %s", w->c->path, (int)w->length,
                    w->path, what);
}
#ifdef __clang_analyzer__ /* as base/error.h has it of pts_fail */
#define malformed(...) pts_never_ok(malformed(__VA_ARGS__))
#endif

typedef struct storage_row {
    const char *name, *dtype;
    checkpoint_dtype type;
    unsigned item;
} storage_row;

static const storage_row storage_rows[] = {
    {"FloatStorage", "float32", CHECKPOINT_F32, 4},
    {"HalfStorage", "float16", CHECKPOINT_F16, 2},
    {"BFloat16Storage", "bfloat16", CHECKPOINT_BF16, 2},
    {"DoubleStorage", "float64", CHECKPOINT_OTHER, 8},
    {"LongStorage", "int64", CHECKPOINT_OTHER, 8},
    {"IntStorage", "int32", CHECKPOINT_OTHER, 4},
    {"ShortStorage", "int16", CHECKPOINT_OTHER, 2},
    {"CharStorage", "int8", CHECKPOINT_OTHER, 1},
    {"ByteStorage", "uint8", CHECKPOINT_OTHER, 1},
    {"BoolStorage", "bool", CHECKPOINT_OTHER, 1},
};

const storage_row *torch_storage_named(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof storage_rows / sizeof *storage_rows; i++) {
        if (strlen(storage_rows[i].name) == length &&
            memcmp(storage_rows[i].name, name, length) == 0)
            return &storage_rows[i];
    }
    return NULL;
}

/* (view key, offset, size): of the legacy layout, a storage that is a piece of another. */
static pts_status take_view(walk *w, const pickle_value *view)
{
    if (view->kind == PICKLE_NONE)
        return PTS_OK;
    if (view->kind != PICKLE_TUPLE || view->count != 3 || item(w, view, 1)->kind != PICKLE_INT ||
        item(w, view, 1)->integer != 0)
        return malformed(w, "storage: expected no view of another storage");
    return PTS_OK;
}

/* ('storage', type, key, device, elements[, view]). */
static pts_status take_storage(walk *w, const pickle_value *persistent, torch_storage *s,
                               const storage_row **row)
{
    static const char wanted[] = "storage: expected ('storage', type, key, device, elements)";
    if (persistent->kind != PICKLE_PERSISTENT)
        return malformed(w, "expected a storage, got another value");
    const pickle_value *id = item(w, persistent, 0);
    if (id->count < 5 || id->count > 6 || item(w, id, 0)->kind != PICKLE_TEXT ||
        item(w, id, 0)->length != 7 || memcmp(item(w, id, 0)->text, "storage", 7) != 0)
        return malformed(w, wanted);
    const pickle_value *key = item(w, id, 2), *elements = item(w, id, 4);
    const pickle_value *type = item(w, id, 1);
    *row = type->kind == PICKLE_GLOBAL && type->global == GLOBAL_STORAGE ? type->storage : NULL;
    if (!*row || key->kind != PICKLE_TEXT || elements->kind != PICKLE_INT || elements->integer < 0)
        return malformed(w, wanted);
    if (key->length >= sizeof s->key || memchr(key->text, '\0', key->length))
        return malformed(w, "storage: expected a key of at most 63 characters");
    memcpy(s->key, key->text, key->length);
    s->dtype = (*row)->type;
    s->item = (*row)->item;
    s->elements = (uint64_t)elements->integer;
    return id->count == 6 ? take_view(w, item(w, id, 5)) : PTS_OK;
}

static pts_status take_sides(walk *w, const pickle_value *tuple, uint64_t *out)
{
    if (tuple->kind != PICKLE_TUPLE && tuple->kind != PICKLE_LIST)
        return malformed(w, "expected size and stride as tuples");
    if (tuple->count > CHECKPOINT_RANK_MAX)
        return malformed(w, "expected at most 8 dimensions");
    for (uint32_t i = 0; i < tuple->count; i++) {
        const pickle_value *side = item(w, tuple, i);
        if (side->kind != PICKLE_INT || side->integer < 0)
            return malformed(w, "expected whole sizes and strides ≥ 0");
        out[i] = (uint64_t)side->integer;
    }
    return PTS_OK;
}

/* Every element lies in the storage. */
static pts_status check_range(walk *w, const checkpoint_tensor *t, const uint64_t *stride,
                              const torch_storage *s)
{
    uint64_t last = t->offset;
    bool fits = true;
    for (int i = 0; i < t->rank && t->count; i++) {
        uint64_t step;
        fits = fits && !__builtin_mul_overflow(t->shape[i] - 1, stride[i], &step) &&
               !__builtin_add_overflow(last, step, &last);
    }
    if (t->count && (!fits || last >= s->elements))
        return pts_fail(w->err, PTS_ERR_FORMAT,
                        "%s: tensor '%s': expected all elements within the %llu of storage "
                        "'%s', offset, size and stride lead to %llu",
                        w->c->path, t->name, (unsigned long long)s->elements, s->key,
                        fits ? (unsigned long long)last : ~0ull);
    return PTS_OK;
}

static pts_status add_storage(walk *w, const torch_storage *s, size_t *place)
{
    torch_file *file = w->c->reader;
    PTS_TRY(pts_grow(&file->storages, &file->capacity, file->count + 1, sizeof *s, w->err));
    file->storages[file->count] = *s;
    *place = file->count++;
    return PTS_OK;
}

/* (storage, offset, size, stride, …). */
static pts_status take_tensor(walk *w, const pickle_value *v)
{
    uint64_t shape[CHECKPOINT_RANK_MAX] = {0}, stride[CHECKPOINT_RANK_MAX] = {0};
    torch_storage s = {.elements = 0};
    const storage_row *row;
    checkpoint_tensor *t;
    if (v->count < 4 || item(w, v, 1)->kind != PICKLE_INT || item(w, v, 1)->integer < 0)
        return malformed(w, "expected (storage, offset, size, stride …)");
    PTS_TRY(take_storage(w, item(w, v, 0), &s, &row));
    PTS_TRY(take_sides(w, item(w, v, 2), shape));
    PTS_TRY(take_sides(w, item(w, v, 3), stride));
    if (item(w, v, 2)->count != item(w, v, 3)->count)
        return malformed(w, "expected as many strides as sizes");
    PTS_TRY(checkpoint_add(w->c, w->path, w->length, &t, w->err));
    PTS_TRY(checkpoint_shape(w->c, t, item(w, v, 2)->count, shape, w->err));
    t->dtype = s.dtype;
    snprintf(t->dtype_name, sizeof t->dtype_name, "%s", row->dtype);
    t->offset = (uint64_t)item(w, v, 1)->integer;
    PTS_TRY(check_range(w, t, stride, &s));
    for (int i = 0; i < t->rank; i++)
        t->stride[i] = (size_t)stride[i];
    return add_storage(w, &s, &t->place);
}

static pts_status visit(walk *w, pickle_id id, int depth);

/* The value below key `name`. */
static pts_status enter(walk *w, const char *name, size_t length, pickle_id id, int depth)
{
    size_t before = w->length, dot = before > 0;
    if (before + dot + length > CHECKPOINT_NAME_MAX)
        return malformed(w, "expected names of at most 1000 bytes");
    if (dot)
        w->path[w->length++] = '.';
    memcpy(w->path + w->length, name, length);
    w->length += length;
    pts_status status = visit(w, id, depth + 1);
    w->length = before;
    return status;
}

static pts_status enter_number(walk *w, int64_t number, pickle_id id, int depth)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)number);
    return enter(w, digits, (size_t)length, id, depth);
}

static pts_status visit_dict(walk *w, const pickle_value *v, int depth)
{
    for (uint32_t i = 0; i + 1 < v->count; i += 2) {
        const pickle_value *key = item(w, v, i);
        if (key->kind == PICKLE_TEXT)
            PTS_TRY(enter(w, key->text, key->length, v->items[i + 1], depth));
        else if (key->kind == PICKLE_INT)
            PTS_TRY(enter_number(w, key->integer, v->items[i + 1], depth));
    }
    return PTS_OK;
}

static pts_status visit_list(walk *w, const pickle_value *v, int depth)
{
    for (uint32_t i = 0; i < v->count; i++)
        PTS_TRY(enter_number(w, i, v->items[i], depth));
    return PTS_OK;
}

static pts_status visit(walk *w, pickle_id id, int depth)
{
    const pickle_value *v = &w->p->values[id];
    if (depth > DEPTH_MAX)
        return malformed(w, "nested deeper than 64 (a container that holds itself?)");
    if (++w->visits > VISITS_MAX)
        return pts_fail(w->err, PTS_ERR_LIMIT, "%s: expected at most %d values in the pickle",
                        w->c->path, VISITS_MAX);
    switch (v->kind) {
    case PICKLE_TENSOR:
        return take_tensor(w, v);
    case PICKLE_DICT:
        return visit_dict(w, v, depth);
    case PICKLE_LIST:
    case PICKLE_TUPLE:
        return visit_list(w, v, depth);
    case PICKLE_OBJECT:
        return v->count ? visit(w, v->items[0], depth + 1) : PTS_OK;
    default:
        return PTS_OK;
    }
}

pts_status torch_collect(checkpoint *c, const pickle *p, pts_error *err)
{
    walk w = {.c = c, .p = p, .err = err};
    pts_status status = visit(&w, p->root, 0);
    if (status == PTS_OK && !c->count)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected tensors in the pickle, got none",
                        c->path);
    return status;
}
