/* PyTorch before 1.6: five pickles (a magic number, the protocol's version, facts about the
 * machine, the object, the list of storage keys), then each storage of that list as a 64-bit count
 * and its elements (torch/serialization.py, _legacy_load). */
#include "torch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAGIC_BYTES = 15 };

static pts_status read_bytes(checkpoint *c, const torch_storage *s, uint64_t at, void *out,
                             size_t size, pts_error *err)
{
    return input_read(&c->in, s->start + at, out, size, err);
}

static void close_file(checkpoint *c)
{
    free(((torch_file *)c->reader)->storages);
}

static int compare_keys(const void *a, const void *b)
{
    const torch_storage *const *left = a, *const *right = b;
    return strcmp((*left)->key, (*right)->key);
}

/* Storages of a key have one place in the file. */
static pts_status place_storage(checkpoint *c, torch_storage **sorted, size_t count,
                                const char *key, uint64_t *at, pts_error *err)
{
    torch_storage wanted = {.elements = 0}, *pointer = &wanted, **found;
    uint64_t elements;
    snprintf(wanted.key, sizeof wanted.key, "%s", key);
    found = bsearch(&pointer, sorted, count, sizeof *sorted, compare_keys);
    if (!found)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: storage '%.63s': expected a tensor in it, got none", c->path, key);
    while (found > sorted && compare_keys(found - 1, found) == 0)
        found--;
    PTS_TRY(input_read(&c->in, *at, &elements, sizeof elements, err));
    uint64_t bytes, start = *at + sizeof elements, item = (*found)->item;
    if (__builtin_mul_overflow(elements, item, &bytes) || bytes > c->in.size - start)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: storage '%s': expected at most %llu elements, it says %llu", c->path,
                        wanted.key, (unsigned long long)((c->in.size - start) / item),
                        (unsigned long long)elements);
    for (; found < sorted + count && compare_keys(found, &pointer) == 0; found++) {
        if ((*found)->elements != elements || (*found)->item != item)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: storage '%s': expected %llu elements of %u bytes, got %llu of "
                            "%llu",
                            c->path, wanted.key, (unsigned long long)(*found)->elements,
                            (*found)->item, (unsigned long long)elements, (unsigned long long)item);
        (*found)->start = start;
    }
    *at = start + bytes;
    return PTS_OK;
}

static pts_status check_placed(const checkpoint *c, pts_error *err)
{
    const torch_file *file = c->reader;
    for (size_t i = 0; i < c->count; i++) {
        if (!file->storages[c->tensors[i].place].start)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: tensor '%s': storage '%s' is not in the list of storages", c->path,
                            c->tensors[i].name, file->storages[c->tensors[i].place].key);
    }
    return PTS_OK;
}

static pts_status place_all(checkpoint *c, const pickle *keys, uint64_t at, pts_error *err)
{
    torch_file *file = c->reader;
    const pickle_value *list = &keys->values[keys->root];
    torch_storage **sorted;
    if (list->kind != PICKLE_LIST)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a list of storage keys", c->path);
    pts_status status = PTS_OK;
    PTS_TRY(pts_new(&sorted, file->count, sizeof *sorted, err));
    for (size_t i = 0; i < file->count; i++)
        sorted[i] = &file->storages[i];
    qsort(sorted, file->count, sizeof *sorted, compare_keys);
    for (uint32_t i = 0; status == PTS_OK && i < list->count; i++) {
        const pickle_value *key = &keys->values[list->items[i]];
        char text[64] = "";
        if (key->kind == PICKLE_TEXT && key->length < sizeof text)
            memcpy(text, key->text, key->length);
        status = place_storage(c, sorted, file->count, text, &at, err);
    }
    free(sorted);
    return status == PTS_OK ? check_placed(c, err) : status;
}

/* One pickle at *at, moving it behind. */
static pts_status next(checkpoint *c, const unsigned char *map, size_t size, size_t *at,
                       pickle *out, pts_error *err)
{
    size_t used;
    pts_error inner;
    pts_status status = pickle_read(out, c->path, map + *at, size - *at, &used, &inner);
    if (status != PTS_OK)
        return pts_fail(err, status, "%s (of the pickle at byte %zu)", inner.message, *at);
    *at += used;
    return PTS_OK;
}

static pts_status read_pickles(checkpoint *c, const unsigned char *map, size_t size, pts_error *err)
{
    pickle p;
    size_t at = MAGIC_BYTES;
    PTS_TRY(next(c, map, size, &at, &p, err));
    bool known = p.values[p.root].kind == PICKLE_INT && p.values[p.root].integer == 1001;
    pickle_free(&p);
    if (!known)
        return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: expected protocol version 1001", c->path);
    PTS_TRY(next(c, map, size, &at, &p, err)); /* sizes of the machine's types */
    pickle_free(&p);
    PTS_TRY(next(c, map, size, &at, &p, err));
    pts_status status = torch_collect(c, &p, err);
    pickle_free(&p);
    if (status == PTS_OK)
        status = next(c, map, size, &at, &p, err);
    if (status == PTS_OK)
        status = place_all(c, &p, at, err);
    pickle_free(&p);
    return status;
}

pts_status torch_legacy_open(checkpoint *c, pts_error *err)
{
    PTS_TRY(torch_prepare(c, close_file, err));
    ((torch_file *)c->reader)->read_bytes = read_bytes;
    size_t size = (size_t)c->in.size;
    /* Mapped, since only the parser knows where the pickles end; gone again before data are read.
     */
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, c->in.fd, 0);
    if (map == MAP_FAILED)
        return pts_fail(err, PTS_ERR_IO, "%s: cannot map: %s", c->path, strerror(errno));
    pts_status status = read_pickles(c, map, size, err);
    munmap(map, size);
    return status;
}
