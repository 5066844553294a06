/* Protocols 2 to 5 as far as PyTorch writes them (Python's Lib/pickletools.py describes every
 * opcode). Each opcode makes at most one value, and values are counted, so memory is bounded by the
 * pickle's own size; containers refer to values by number, so a file can build a cycle or a
 * thousandfold copy, but not make this machine follow one. */
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

enum {
    VALUES_MAX = 2 << 20,
    ITEMS_MAX = 16 << 20, /* in all containers together: a call copies its arguments */
    STACK_MAX = 1 << 20,
    MEMO_MAX = 4 << 20,
    MARKS_MAX = 4096,
    TEXT_MAX = 1 << 20,
};

typedef struct named_global {
    const char *module, *name;
    pickle_global global;
} named_global;

/* All that may be named, beside torch's storages. */
static const named_global globals[] = {
    {"collections", "OrderedDict", GLOBAL_ORDERED_DICT},
    {"torch._utils", "_rebuild_tensor", GLOBAL_REBUILD_TENSOR},
    {"torch._utils", "_rebuild_tensor_v2", GLOBAL_REBUILD_TENSOR},
    {"torch._utils", "_rebuild_parameter", GLOBAL_FIRST},
    {"torch", "Size", GLOBAL_FIRST},
    {"torch.jit._pickle", "build_tensorlist", GLOBAL_FIRST},
    {"torch.jit._pickle", "build_intlist", GLOBAL_FIRST},
    {"torch.jit._pickle", "build_doublelist", GLOBAL_FIRST},
    {"torch.jit._pickle", "build_boollist", GLOBAL_FIRST},
    {"torch.jit._pickle", "restore_type_tag", GLOBAL_FIRST},
};

typedef struct machine {
    pickle *p;
    const char *name; /* of the file */
    const unsigned char *bytes;
    size_t size, at, opcode_at;
    pickle_id *stack;
    size_t depth, stack_capacity;
    size_t marks[MARKS_MAX], mark_count;
    pickle_id *memo; /* + 1; 0: none */
    size_t memo_capacity, memo_count, item_count;
    pts_error *err;
} machine;

static pts_status wrong(machine *m, const char *what)
{
    return pts_fail(m->err, PTS_ERR_FORMAT, "%s: pickle: byte %zu: %s", m->name, m->opcode_at,
                    what);
}

static pts_status too_many(machine *m, const char *what, size_t most)
{
    return pts_fail(m->err, PTS_ERR_LIMIT, "%s: pickle: byte %zu: expected at most %zu %s", m->name,
                    m->opcode_at, most, what);
}

/* ---- Values and the stack ---- */

static pts_status push_id(machine *m, pickle_id id)
{
    if (m->depth == STACK_MAX)
        return too_many(m, "values on the stack", STACK_MAX);
    PTS_TRY(pts_grow(&m->stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack, m->err));
    m->stack[m->depth++] = id;
    return PTS_OK;
}

static pts_status add_value(machine *m, pickle_value value, pickle_id *id)
{
    pickle *p = m->p;
    if (p->count == VALUES_MAX)
        return too_many(m, "values", VALUES_MAX);
    PTS_TRY(pts_grow(&p->values, &p->capacity, p->count + 1, sizeof *p->values, m->err));
    *id = (pickle_id)p->count++;
    p->values[*id] = value;
    return PTS_OK;
}

static pts_status push(machine *m, pickle_value value)
{
    pickle_id id;
    PTS_TRY(add_value(m, value, &id));
    return push_id(m, id);
}

static pickle_value *value_of(const machine *m, pickle_id id)
{
    return &m->p->values[id];
}

/* Values below the last mark are not this level's to take. */
static size_t floor_of(const machine *m)
{
    return m->mark_count ? m->marks[m->mark_count - 1] : 0;
}

/* Whether this level has `count` values on the stack. */
static pts_status need(machine *m, size_t count)
{
    if (m->depth - floor_of(m) < count)
        return wrong(m, "expected a value on the stack, got none");
    return PTS_OK;
}

static pts_status pop(machine *m, pickle_id *out)
{
    PTS_TRY(need(m, 1));
    *out = m->stack[--m->depth];
    return PTS_OK;
}

static pts_status top(machine *m, pickle_id *out)
{
    PTS_TRY(need(m, 1));
    *out = m->stack[m->depth - 1];
    return PTS_OK;
}

/* What was pushed since the last mark; the mark goes. */
static pts_status pop_mark(machine *m, size_t *first)
{
    if (!m->mark_count)
        return wrong(m, "expected a mark on the stack, got none");
    *first = m->marks[--m->mark_count];
    return PTS_OK;
}

static pts_status append(machine *m, pickle_id container, const pickle_id *items, size_t count)
{
    pickle_value *v = value_of(m, container);
    size_t capacity = v->capacity;
    if (count > ITEMS_MAX - m->item_count)
        return too_many(m, "items in containers", ITEMS_MAX);
    if (!count)
        return PTS_OK;
    m->item_count += count;
    if (!capacity && count <= 4) { /* most are small tuples */
        capacity = 4;
        v->items = malloc(capacity * sizeof *v->items);
        if (!v->items)
            return pts_fail_memory(m->err, capacity * sizeof *v->items);
    } else
        PTS_TRY(pts_grow(&v->items, &capacity, v->count + count, sizeof *v->items, m->err));
    v->capacity = (uint32_t)capacity;
    memcpy(v->items + v->count, items, count * sizeof *items);
    v->count += (uint32_t)count;
    return PTS_OK;
}

/* A container of the top values from `first` on, in their place. */
static pts_status collect(machine *m, pickle_kind kind, size_t first)
{
    size_t count = m->depth - first;
    const pickle_id *items = count ? m->stack + first : NULL; /* no stack before the first value */
    pickle_id id;
    PTS_TRY(add_value(m, (pickle_value){.kind = kind}, &id));
    PTS_TRY(append(m, id, items, count));
    m->depth = first;
    return push_id(m, id);
}

static pts_status tuple(machine *m, size_t count)
{
    PTS_TRY(need(m, count));
    return collect(m, PICKLE_TUPLE, m->depth - count);
}

static pts_status collect_marked(machine *m, size_t kind)
{
    size_t first;
    PTS_TRY(pop_mark(m, &first));
    if (kind == PICKLE_DICT && (m->depth - first) % 2)
        return wrong(m, "expected keys and values in pairs");
    return collect(m, (pickle_kind)kind, first);
}

/* ---- Arguments in the byte stream ---- */

static pts_status take(machine *m, size_t count, const unsigned char **out)
{
    if (count > m->size - m->at)
        return pts_fail(m->err, PTS_ERR_FORMAT,
                        "%s: pickle: byte %zu: expected %zu more bytes, got %zu", m->name,
                        m->opcode_at, count, m->size - m->at);
    *out = m->bytes + m->at;
    m->at += count;
    return PTS_OK;
}

static pts_status take_number(machine *m, size_t width, uint64_t *out)
{
    const unsigned char *bytes;
    PTS_TRY(take(m, width, &bytes));
    *out = 0;
    for (size_t i = width; i-- > 0;)
        *out = *out << 8 | bytes[i];
    return PTS_OK;
}

static pts_status push_text(machine *m, size_t width)
{
    uint64_t length;
    const unsigned char *text;
    PTS_TRY(take_number(m, width, &length));
    if (length > TEXT_MAX)
        return pts_fail(m->err, PTS_ERR_LIMIT,
                        "%s: pickle: byte %zu: expected a string of at most %d bytes, got %llu",
                        m->name, m->opcode_at, TEXT_MAX, (unsigned long long)length);
    PTS_TRY(take(m, (size_t)length, &text));
    return push(m, (pickle_value){.kind = PICKLE_TEXT,
                                  .text = (const char *)text,
                                  .length = (uint32_t)length});
}

static pts_status push_integer(machine *m, size_t width, bool is_signed)
{
    uint64_t bits;
    PTS_TRY(take_number(m, width, &bits));
    int64_t value = is_signed && width < 8 && width && bits >> (8 * width - 1) & 1
                        ? (int64_t)(bits | ~(uint64_t)0 << 8 * width)
                        : (int64_t)bits;
    return push(m, (pickle_value){.kind = PICKLE_INT, .integer = value});
}

/* LONG1: a length and that many bytes, two's complement. */
static pts_status push_long(machine *m, size_t unused)
{
    uint64_t width;
    (void)unused;
    PTS_TRY(take_number(m, 1, &width));
    if (width > 8)
        return pts_fail(m->err, PTS_ERR_LIMIT,
                        "%s: pickle: byte %zu: expected a number of at most 8 bytes, got %llu",
                        m->name, m->opcode_at, (unsigned long long)width);
    return push_integer(m, (size_t)width, true);
}

static pts_status push_float(machine *m, size_t unused)
{
    const unsigned char *bytes;
    uint64_t bits = 0;
    pickle_value value = {.kind = PICKLE_FLOAT};
    (void)unused;
    PTS_TRY(take(m, 8, &bytes));
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&value.real, &bits, sizeof bits);
    return push(m, value);
}

/* A line without its end, for GLOBAL. */
static pts_status take_line(machine *m, const char **text, size_t *length)
{
    const unsigned char *end = memchr(m->bytes + m->at, '\n', m->size - m->at);
    if (!end)
        return wrong(m, "expected a line, got no end");
    *text = (const char *)m->bytes + m->at;
    *length = (size_t)(end - m->bytes) - m->at;
    m->at += *length + 1;
    return PTS_OK;
}

/* ---- Memo ---- */

static pts_status memo_put(machine *m, uint64_t index)
{
    pickle_id id;
    PTS_TRY(top(m, &id));
    if (index >= MEMO_MAX)
        return too_many(m, "memo entries", MEMO_MAX);
    size_t before = m->memo_capacity;
    PTS_TRY(pts_grow(&m->memo, &m->memo_capacity, (size_t)index + 1, sizeof *m->memo, m->err));
    memset(m->memo + before, 0, (m->memo_capacity - before) * sizeof *m->memo);
    m->memo[index] = id + 1;
    m->memo_count++;
    return PTS_OK;
}

static pts_status memo_get(machine *m, size_t width)
{
    uint64_t index;
    PTS_TRY(take_number(m, width, &index));
    if (index >= m->memo_capacity || !m->memo[index])
        return pts_fail(m->err, PTS_ERR_FORMAT,
                        "%s: pickle: byte %zu: memo %llu: expected a value, got none", m->name,
                        m->opcode_at, (unsigned long long)index);
    return push_id(m, m->memo[index] - 1);
}

/* ---- Globals and what stands for calls ---- */

static bool same(const char *text, size_t length, const char *wanted)
{
    return strlen(wanted) == length && memcmp(text, wanted, length) == 0;
}

static const char *printable(char out[96], const char *text, size_t length)
{
    size_t n = length < 80 ? length : 80;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
    strcpy(out + n, length > n ? "…" : "");
    return out;
}

static pts_status push_global(machine *m, const char *module, size_t module_length,
                              const char *name, size_t name_length)
{
    char shown[2][96];
    pickle_value v = {.kind = PICKLE_GLOBAL};
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        v.global = globals[i].global;
        if (same(module, module_length, globals[i].module) &&
            same(name, name_length, globals[i].name))
            return push(m, v);
    }
    if (same(module, module_length, "torch"))
        v.storage = torch_storage_named(name, name_length);
    bool script = same(module, module_length, "__torch__") ||
                  (module_length > 10 && memcmp(module, "__torch__.", 10) == 0);
    v.global = script ? GLOBAL_CLASS : GLOBAL_STORAGE;
    if (script || v.storage)
        return push(m, v);
    return pts_fail(m->err, PTS_ERR_UNSUPPORTED,
                    "%s: pickle: byte %zu: global '%s.%s' is not among those that may be "
                    "rebuilt (nothing is run; save the model's state_dict())",
                    m->name, m->opcode_at, printable(shown[0], module, module_length),
                    printable(shown[1], name, name_length));
}

static pts_status read_global(machine *m, size_t unused)
{
    const char *module, *name;
    size_t module_length, name_length;
    (void)unused;
    PTS_TRY(take_line(m, &module, &module_length));
    PTS_TRY(take_line(m, &name, &name_length));
    return push_global(m, module, module_length, name, name_length);
}

static pts_status stack_global(machine *m, size_t unused)
{
    pickle_id module, name;
    (void)unused;
    PTS_TRY(pop(m, &name));
    PTS_TRY(pop(m, &module));
    const pickle_value *a = value_of(m, module), *b = value_of(m, name);
    if (a->kind != PICKLE_TEXT || b->kind != PICKLE_TEXT)
        return wrong(m, "expected a global's module and name, got other values");
    return push_global(m, a->text, a->length, b->text, b->length);
}

/* The function and its arguments, a tuple, from the stack. */
static pts_status pop_call(machine *m, pickle_id *function, pickle_id *arguments)
{
    PTS_TRY(pop(m, arguments));
    PTS_TRY(pop(m, function));
    if (value_of(m, *function)->kind != PICKLE_GLOBAL)
        return wrong(m, "expected a global to call, got another value");
    if (value_of(m, *arguments)->kind != PICKLE_TUPLE)
        return wrong(m, "expected a tuple of arguments, got another value");
    return PTS_OK;
}

/* OrderedDict() or OrderedDict([[key, value], …]). */
static pts_status ordered_dict(machine *m, pickle_id arguments)
{
    PTS_TRY(push(m, (pickle_value){.kind = PICKLE_DICT}));
    const pickle_value *a = value_of(m, arguments);
    pickle_id dict = m->stack[m->depth - 1];
    if (!a->count)
        return PTS_OK;
    const pickle_value *list = value_of(m, a->items[0]);
    if (a->count != 1 || (list->kind != PICKLE_LIST && list->kind != PICKLE_TUPLE))
        return wrong(m, "OrderedDict: expected nothing or a list of pairs");
    for (uint32_t i = 0; i < list->count; i++) {
        const pickle_value *pair = value_of(m, list->items[i]);
        if ((pair->kind != PICKLE_TUPLE && pair->kind != PICKLE_LIST) || pair->count != 2)
            return wrong(m, "OrderedDict: expected nothing or a list of pairs");
        PTS_TRY(append(m, dict, pair->items, 2));
    }
    return PTS_OK;
}

static pts_status reduce(machine *m, size_t unused)
{
    pickle_id function, arguments;
    (void)unused;
    PTS_TRY(pop_call(m, &function, &arguments));
    const pickle_value *f = value_of(m, function), *a = value_of(m, arguments);
    switch (f->global) {
    case GLOBAL_ORDERED_DICT:
        return ordered_dict(m, arguments);
    case GLOBAL_REBUILD_TENSOR:
        PTS_TRY(push(m, (pickle_value){.kind = PICKLE_TENSOR}));
        a = value_of(m, arguments);
        return append(m, m->stack[m->depth - 1], a->items, a->count);
    case GLOBAL_FIRST:
        if (!a->count)
            return wrong(m, "expected at least one argument, got none");
        return push_id(m, a->items[0]);
    default:
        return wrong(m, "expected a function to call, got a class");
    }
}

/* cls.__new__(cls, *arguments): of TorchScript's modules and of OrderedDict. */
static pts_status new_object(machine *m, size_t unused)
{
    pickle_id function, arguments;
    (void)unused;
    PTS_TRY(pop_call(m, &function, &arguments));
    const pickle_value *f = value_of(m, function), *a = value_of(m, arguments);
    if (f->global == GLOBAL_ORDERED_DICT && !a->count)
        return push(m, (pickle_value){.kind = PICKLE_DICT});
    if (f->global != GLOBAL_CLASS || a->count)
        return wrong(m, "expected a class without arguments to make an object of");
    return push(m, (pickle_value){.kind = PICKLE_OBJECT});
}

/* State for the object below it. A dict's is its attributes (state_dict()._metadata): dropped. */
static pts_status build(machine *m, size_t unused)
{
    pickle_id state, object;
    (void)unused;
    PTS_TRY(pop(m, &state));
    PTS_TRY(top(m, &object));
    pickle_value *o = value_of(m, object);
    if (o->kind == PICKLE_DICT)
        return PTS_OK;
    if (o->kind != PICKLE_OBJECT)
        return wrong(m, "expected an object to give a state to, got another value");
    o->count = 0;
    return append(m, object, &state, 1);
}

static pts_status persistent(machine *m, size_t unused)
{
    pickle_id id;
    (void)unused;
    PTS_TRY(pop(m, &id));
    if (value_of(m, id)->kind != PICKLE_TUPLE)
        return wrong(m, "expected a storage's tuple, got another value");
    PTS_TRY(push(m, (pickle_value){.kind = PICKLE_PERSISTENT}));
    return append(m, m->stack[m->depth - 1], &id, 1);
}

/* ---- Containers ---- */

/* Items above `first` go into the container below them, of that kind. */
static pts_status extend(machine *m, pickle_kind kind, size_t first)
{
    if (first <= floor_of(m))
        return wrong(m, "expected a container on the stack, got none");
    pickle_id container = m->stack[first - 1];
    size_t count = m->depth - first;
    if (value_of(m, container)->kind != kind)
        return wrong(m, kind == PICKLE_LIST ? "expected a list, got another value"
                                            : "expected a dict, got another value");
    if (kind == PICKLE_DICT && count % 2)
        return wrong(m, "expected keys and values in pairs");
    PTS_TRY(append(m, container, m->stack + first, count));
    m->depth = first;
    return PTS_OK;
}

/* One item for a list, or key and value for a dict. */
static pts_status extend_top(machine *m, size_t count)
{
    PTS_TRY(need(m, count));
    return extend(m, count == 1 ? PICKLE_LIST : PICKLE_DICT, m->depth - count);
}

static pts_status extend_marked(machine *m, size_t kind)
{
    size_t first;
    PTS_TRY(pop_mark(m, &first));
    return extend(m, (pickle_kind)kind, first);
}

static pts_status mark(machine *m, size_t unused)
{
    (void)unused;
    if (m->mark_count == MARKS_MAX)
        return too_many(m, "marks", MARKS_MAX);
    m->marks[m->mark_count++] = m->depth;
    return PTS_OK;
}

static pts_status put(machine *m, size_t width)
{
    uint64_t index;
    PTS_TRY(take_number(m, width, &index));
    return memo_put(m, index);
}

static pts_status skip(machine *m, size_t bytes)
{
    const unsigned char *unused;
    return take(m, bytes, &unused);
}

/* ---- The machine ---- */

static pts_status push_bool(machine *m, size_t value)
{
    return push(m, (pickle_value){.kind = PICKLE_BOOL, .integer = (int64_t)value});
}

static pts_status push_unsigned(machine *m, size_t width)
{
    return push_integer(m, width, false);
}

static pts_status push_signed(machine *m, size_t width)
{
    return push_integer(m, width, true);
}

static pts_status push_empty(machine *m, size_t kind)
{
    return push(m, (pickle_value){.kind = (pickle_kind)kind});
}

static pts_status memo_put_next(machine *m, size_t unused)
{
    (void)unused;
    return memo_put(m, m->memo_count);
}

typedef struct operation {
    pts_status (*run)(machine *m, size_t argument);
    size_t argument; /* width of a number, kind of a container, count of items */
} operation;

/* By opcode; those that are not here end the reading. */
static const operation operations[256] = {
    ['N'] = {push_empty, PICKLE_NONE},
    [0x88] = {push_bool, 1},
    [0x89] = {push_bool, 0},
    ['J'] = {push_signed, 4},
    ['K'] = {push_unsigned, 1},
    ['M'] = {push_unsigned, 2},
    [0x8a] = {push_long, 0},
    ['G'] = {push_float, 0},
    ['X'] = {push_text, 4},
    ['B'] = {push_text, 4},
    ['T'] = {push_text, 4},
    ['U'] = {push_text, 1},
    ['C'] = {push_text, 1},
    [0x8c] = {push_text, 1},
    [0x8d] = {push_text, 8},
    [0x8e] = {push_text, 8},
    [')'] = {push_empty, PICKLE_TUPLE},
    [']'] = {push_empty, PICKLE_LIST},
    ['}'] = {push_empty, PICKLE_DICT},
    [0x80] = {skip, 1}, /* protocol */
    [0x95] = {skip, 8}, /* frame */
    ['('] = {mark, 0},
    ['t'] = {collect_marked, PICKLE_TUPLE},
    ['l'] = {collect_marked, PICKLE_LIST},
    ['d'] = {collect_marked, PICKLE_DICT},
    [0x85] = {tuple, 1},
    [0x86] = {tuple, 2},
    [0x87] = {tuple, 3},
    ['a'] = {extend_top, 1},
    ['e'] = {extend_marked, PICKLE_LIST},
    ['s'] = {extend_top, 2},
    ['u'] = {extend_marked, PICKLE_DICT},
    ['q'] = {put, 1},
    ['r'] = {put, 4},
    [0x94] = {memo_put_next, 0},
    ['h'] = {memo_get, 1},
    ['j'] = {memo_get, 4},
    ['c'] = {read_global, 0},
    [0x93] = {stack_global, 0},
    ['Q'] = {persistent, 0},
    ['R'] = {reduce, 0},
    [0x81] = {new_object, 0},
    ['b'] = {build, 0},
};

static pts_status run(machine *m, size_t *used)
{
    for (;;) {
        const unsigned char *opcode;
        m->opcode_at = m->at;
        PTS_TRY(take(m, 1, &opcode));
        if (*opcode == '.') {
            *used = m->at;
            return m->mark_count ? wrong(m, "expected the end of every mark") : pop(m, &m->p->root);
        }
        const operation *o = &operations[*opcode];
        if (!o->run)
            return pts_fail(m->err, PTS_ERR_UNSUPPORTED,
                            "%s: pickle: byte %zu: opcode 0x%02x is not among those that "
                            "PyTorch's files need",
                            m->name, m->opcode_at, *opcode);
        PTS_TRY(o->run(m, o->argument));
    }
}

pts_status pickle_read(pickle *out, const char *name, const unsigned char *bytes, size_t size,
                       size_t *used, pts_error *err)
{
    *out = (pickle){0};
    machine *m;
    PTS_TRY(pts_new(&m, 1, sizeof *m, err)); /* 32 KiB of marks: not for the stack */
    m->p = out;
    m->name = name;
    m->bytes = bytes;
    m->size = size;
    m->err = err;
    pts_status status = run(m, used);
    free(m->stack);
    free(m->memo);
    free(m);
    if (status != PTS_OK)
        pickle_free(out);
    return status;
}

void pickle_free(pickle *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->values[i].kind >= PICKLE_TUPLE && p->values[i].kind != PICKLE_GLOBAL)
            free(p->values[i].items);
    }
    free(p->values);
    *p = (pickle){0};
}
