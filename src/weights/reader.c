/* The reader: maps the file, checks all of it, and only then hands out a pointer. Read the head of
 * weights/ptsw.h first.
 *
 * Every number of the file is taken for hostile until it was compared with something that the
 * operating system or this program knows. The order matters: file size, magic and sizes before the
 * checksum (which needs the size only, and turns damage into one clear message), the checksum
 * before the tables, each string and each entry before the next. */
#define _GNU_SOURCE /* madvise, MADV_POPULATE_READ */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "weights/ptsw.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error ".ptsw is little-endian and used in place: this machine would have to swap every number"
#endif

struct pts_weights {
    char *path;
    const unsigned char *map;
    size_t size;
    ptsw_header header;
    pts_meta *meta;
    pts_tensor *tensors;        /* in file order */
    const pts_tensor **by_name; /* sorted, for find */
    float *wide;                /* what pts_weights_widen made, or NULL */
};

static pts_status map_descriptor(pts_weights *w, int fd, pts_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", w->path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return pts_fail(err, PTS_ERR_IO, "%s: expected a regular file", w->path);
    if (info.st_size < PTSW_STRIPE)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected at least %d bytes, got %jd", w->path,
                        PTSW_STRIPE, (intmax_t)info.st_size);
    if ((uintmax_t)info.st_size > SIZE_MAX / 2)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: %jd bytes are more than this machine can map",
                        w->path, (intmax_t)info.st_size);
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return pts_fail(err, PTS_ERR_IO, "%s: cannot map: %s", w->path, strerror(errno));
    w->map = map;
    w->size = (size_t)info.st_size;
    return PTS_OK;
}

static pts_status map_file(pts_weights *w, pts_error *err)
{
    int fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe must not block */
    if (fd < 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", w->path, strerror(errno));
    pts_status status = map_descriptor(w, fd, err);
    close(fd);
    return status;
}

static pts_status check_identity(const pts_weights *w, pts_error *err)
{
    const ptsw_header *h = &w->header;
    if (memcmp(h->magic, PTSW_MAGIC, sizeof h->magic) != 0)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: not a .ptsw file: expected 50 54 53 57 0d 0a 1a 0a at its start, got "
                        "%02x %02x %02x %02x %02x %02x %02x %02x",
                        w->path, h->magic[0], h->magic[1], h->magic[2], h->magic[3], h->magic[4],
                        h->magic[5], h->magic[6], h->magic[7]);
    if (h->version != PTSW_VERSION)
        return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: header: expected version %d, got %" PRIu32,
                        w->path, PTSW_VERSION, h->version);
    if (h->header_bytes != PTSW_STRIPE)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: header: expected %d header bytes, got %" PRIu32,
                        w->path, PTSW_STRIPE, h->header_bytes);
    if (h->file_bytes != w->size)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: header: expected a file of %" PRIu64 " bytes, got %zu (cut?)", w->path,
                        h->file_bytes, w->size);
    if (w->size % PTSW_STRIPE != 0)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a multiple of %d bytes, got %zu",
                        w->path, PTSW_STRIPE, w->size);
    return PTS_OK;
}

static pts_status check_sum(const pts_weights *w, pts_error *err)
{
    ptsw_header blank = w->header;
    ptsw_sum sum;
#ifdef MADV_POPULATE_READ
    /* All pages in one call instead of a fault every 64 KiB: 3 ms of 350 MB. Kernels before 5.14
     * refuse it, which changes nothing. */
    (void)madvise((void *)(uintptr_t)w->map, w->size, MADV_POPULATE_READ);
#endif
    blank.checksum = 0;
    pts_ptsw_sum_init(&sum);
    pts_ptsw_sum_update(&sum, &blank, 1);
    pts_ptsw_sum_update(&sum, w->map + PTSW_STRIPE, w->size / PTSW_STRIPE - 1);
    uint64_t got = pts_ptsw_sum_final(&sum);
    if (got != w->header.checksum)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: damaged: expected checksum %016" PRIx64 ", got %016" PRIx64, w->path,
                        w->header.checksum, got);
    return PTS_OK;
}

/* Counts are capped and meta_bytes is bounded by the file, so none of the sums can wrap. */
static pts_status check_layout(const pts_weights *w, pts_error *err)
{
    const ptsw_header *h = &w->header;
    if (h->meta_count > PTS_META_COUNT_MAX)
        return pts_fail(err, PTS_ERR_LIMIT,
                        "%s: header: expected at most %d metadata strings, got %" PRIu32, w->path,
                        PTS_META_COUNT_MAX, h->meta_count);
    if (h->tensor_count > PTS_TENSOR_COUNT_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: header: expected at most %d tensors, got %" PRIu32,
                        w->path, PTS_TENSOR_COUNT_MAX, h->tensor_count);
    if (h->meta_bytes > w->size - PTSW_STRIPE)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: header: metadata: expected at most %zu bytes, got %" PRIu64, w->path,
                        w->size - PTSW_STRIPE, h->meta_bytes);
    uint64_t table = PTSW_STRIPE + ptsw_pad(h->meta_bytes);
    if (h->table_offset != table)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: header: expected the table at %" PRIu64 ", got %" PRIu64, w->path,
                        table, h->table_offset);
    uint64_t data = table + h->tensor_count * sizeof(ptsw_entry);
    if (h->data_offset != data || data > w->size)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: header: expected the data at %" PRIu64 " of %zu bytes, got %" PRIu64,
                        w->path, data, w->size, h->data_offset);
    return PTS_OK;
}

/* The bytes [from, next multiple of 64) must be zero. */
static pts_status check_padding(const pts_weights *w, uint64_t from, pts_error *err)
{
    for (uint64_t i = from; i < ptsw_pad(from); i++) {
        if (w->map[i] != 0)
            return pts_fail(err, PTS_ERR_FORMAT, "%s: byte %" PRIu64 ": expected padding 0, got %d",
                            w->path, i, w->map[i]);
    }
    return PTS_OK;
}

/* One text of `size` bytes at `at`, NUL-terminated, without NUL inside. */
static pts_status check_string(const pts_weights *w, const char *at, size_t size, uint32_t index,
                               const char *what, pts_error *err)
{
    if (at[size] != '\0' || !pts_ptsw_text_ok(at, size, what[0] == 'v'))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: metadata %" PRIu32 ": %s: expected NUL-terminated UTF-8 text", w->path,
                        index, what);
    return PTS_OK;
}

/* Reads metadata `index` at *at, which it moves on; `end` is the end of the metadata. */
static pts_status read_meta(pts_weights *w, uint32_t index, uint64_t *at, uint64_t end,
                            pts_error *err)
{
    uint32_t size[2];
    if (end - *at < sizeof size)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: metadata %" PRIu32 ": expected 8 bytes of sizes, got %" PRIu64,
                        w->path, index, end - *at);
    memcpy(size, w->map + *at, sizeof size);
    *at += sizeof size;
    if (size[0] < 1 || size[0] > PTS_META_KEY_MAX || size[1] > PTS_META_VALUE_MAX)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: metadata %" PRIu32 ": expected a key of 1 … %d and a value of at most "
                        "%d bytes, got %" PRIu32 " and %" PRIu32,
                        w->path, index, PTS_META_KEY_MAX, PTS_META_VALUE_MAX, size[0], size[1]);
    uint64_t bytes = (uint64_t)size[0] + size[1] + 2;
    if (bytes > end - *at)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: metadata %" PRIu32 ": expected %" PRIu64
                        " bytes of text, got %" PRIu64,
                        w->path, index, bytes, end - *at);
    const char *key = (const char *)w->map + *at, *value = key + size[0] + 1;
    *at += bytes;
    PTS_TRY(check_string(w, key, size[0], index, "key", err));
    PTS_TRY(check_string(w, value, size[1], index, "value", err));
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(w->meta[i].key, key) == 0)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: metadata %" PRIu32 ": key '%s' is there already", w->path, index,
                            key);
    }
    w->meta[index] = (pts_meta){key, value};
    return PTS_OK;
}

static pts_status read_all_meta(pts_weights *w, pts_error *err)
{
    uint64_t at = PTSW_STRIPE, end = PTSW_STRIPE + w->header.meta_bytes;
    PTS_TRY(pts_new(&w->meta, w->header.meta_count, sizeof *w->meta, err));
    for (uint32_t i = 0; i < w->header.meta_count; i++)
        PTS_TRY(read_meta(w, i, &at, end, err));
    if (at != end)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: metadata: expected to end at byte %" PRIu64 ", ended at %" PRIu64,
                        w->path, end, at);
    return check_padding(w, end, err);
}

static pts_status check_name(const pts_weights *w, const char *name, uint32_t index, pts_error *err)
{
    size_t length = strnlen(name, PTSW_NAME_FIELD);
    int filled = length > 0 && length < PTSW_NAME_FIELD;
    for (size_t i = length; filled && i < PTSW_NAME_FIELD; i++)
        filled = name[i] == '\0';
    if (!filled || !pts_ptsw_text_ok(name, length, 0))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: tensor %" PRIu32 ": name: expected 1 … %d bytes of UTF-8, then NUL",
                        w->path, index, PTS_TENSOR_NAME_MAX);
    return PTS_OK;
}

/* The data of `entry` must be where the format puts it: at `at`, the end of the one before. */
static pts_status check_range(const pts_weights *w, const ptsw_entry *entry, uint64_t bytes,
                              uint64_t at, pts_error *err)
{
    const char *problem = NULL;
    uint64_t expected = at, got = entry->offset;
    if (entry->bytes != bytes)
        problem = "size (shape times dtype)", expected = bytes, got = entry->bytes;
    else if (entry->offset % PTSW_STRIPE != 0)
        problem = "offset (a multiple of 64)";
    else if (entry->offset < at)
        problem = "offset (overlaps what lies before)";
    else if (entry->offset > at)
        problem = "offset (a gap before it)";
    if (problem)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: tensor '%s': %s: expected %" PRIu64 ", got %" PRIu64, w->path,
                        entry->name, problem, expected, got);
    if (bytes > w->size - at)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: tensor '%s': expected %" PRIu64 " bytes from byte %" PRIu64
                        ", the file has %zu",
                        w->path, entry->name, bytes, at, w->size - (size_t)at);
    return PTS_OK;
}

static pts_status read_tensor(pts_weights *w, uint32_t index, uint64_t *at, pts_error *err)
{
    const ptsw_entry *entry = (const void *)(w->map + w->header.table_offset);
    entry += index;
    PTS_TRY(check_name(w, entry->name, index, err));
    uint64_t bytes;
    const char *problem = pts_ptsw_shape_problem(entry->dtype, entry->rank, entry->shape, &bytes);
    if (problem)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: tensor '%s': %s", w->path, entry->name, problem);
    PTS_TRY(check_range(w, entry, bytes, *at, err));
    PTS_TRY(check_padding(w, *at + bytes, err));
    pts_tensor *tensor = &w->tensors[index];
    tensor->name = entry->name;
    tensor->dtype = entry->dtype == PTS_F32 ? PTS_F32 : PTS_F16;
    tensor->rank = (int)entry->rank;
    for (int i = 0; i < PTS_TENSOR_RANK_MAX; i++)
        tensor->shape[i] = (size_t)entry->shape[i];
    tensor->data = w->map + *at;
    tensor->bytes = (size_t)bytes;
    *at = ptsw_pad(*at + bytes);
    return PTS_OK;
}

static int compare_names(const void *a, const void *b)
{
    const pts_tensor *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static pts_status index_names(pts_weights *w, pts_error *err)
{
    uint32_t count = w->header.tensor_count;
    for (uint32_t i = 0; i < count; i++)
        w->by_name[i] = &w->tensors[i];
    qsort(w->by_name, count, sizeof *w->by_name, compare_names);
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(w->by_name[i - 1]->name, w->by_name[i]->name) == 0)
            return pts_fail(err, PTS_ERR_FORMAT, "%s: tensor '%s' is there twice", w->path,
                            w->by_name[i]->name);
    }
    return PTS_OK;
}

static pts_status read_all_tensors(pts_weights *w, pts_error *err)
{
    uint64_t at = w->header.data_offset;
    size_t count = w->header.tensor_count;
    PTS_TRY(pts_new(&w->tensors, count, sizeof *w->tensors, err));
    PTS_TRY(pts_new(&w->by_name, count, sizeof *w->by_name, err));
    for (uint32_t i = 0; i < count; i++)
        PTS_TRY(read_tensor(w, i, &at, err));
    if (at != w->size)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: expected the file to end at byte %" PRIu64 ", it has %zu", w->path, at,
                        w->size);
    return index_names(w, err);
}

static pts_status open_into(pts_weights *w, const char *path, pts_error *err)
{
    PTS_TRY(pts_text(&w->path, err, "%s", path));
    PTS_TRY(map_file(w, err));
    memcpy(&w->header, w->map, sizeof w->header);
    PTS_TRY(check_identity(w, err));
    PTS_TRY(check_sum(w, err));
    PTS_TRY(check_layout(w, err));
    PTS_TRY(read_all_meta(w, err));
    return read_all_tensors(w, err);
}

pts_status pts_weights_open(pts_weights **out, const char *path, pts_error *err)
{
    *out = NULL;
    if (!path)
        return pts_fail(err, PTS_ERR_ARGUMENT, "weights: expected a path, got NULL");
    pts_weights *w;
    PTS_TRY(pts_new(&w, 1, sizeof *w, err));
    pts_status status = open_into(w, path, err);
    if (status != PTS_OK) {
        pts_weights_close(w);
        return status;
    }
    *out = w;
    return PTS_OK;
}

void pts_weights_close(pts_weights *w)
{
    if (!w)
        return;
    if (w->map)
        munmap((void *)(uintptr_t)w->map, w->size);
    free(w->wide);
    free(w->by_name);
    free(w->tensors);
    free(w->meta);
    free(w->path);
    free(w);
}

const char *pts_weights_path(const pts_weights *w)
{
    return w->path;
}

size_t pts_weights_file_size(const pts_weights *w)
{
    return w->size;
}

uint64_t pts_weights_checksum(const pts_weights *w)
{
    return w->header.checksum;
}

size_t pts_weights_count(const pts_weights *w)
{
    return w->header.tensor_count;
}

const pts_tensor *pts_weights_tensor(const pts_weights *w, size_t index)
{
    return index < w->header.tensor_count ? &w->tensors[index] : NULL;
}

const pts_tensor *pts_weights_find(const pts_weights *w, const char *name)
{
    pts_tensor wanted = {.name = name};
    const pts_tensor *key = &wanted, **found;
    found = bsearch(&key, w->by_name, w->header.tensor_count, sizeof *w->by_name, compare_names);
    return found ? *found : NULL;
}

/* "f32 (3, 3, 3, 32)" */
static void describe(char *out, size_t size, pts_dtype dtype, int rank, const size_t *shape)
{
    int used = snprintf(out, size, "%s (", dtype == PTS_F32 ? "f32" : "f16");
    for (int i = 0; i < rank; i++)
        used += snprintf(out + used, size - (size_t)used, "%s%zu", i ? ", " : "", shape[i]);
    snprintf(out + used, size - (size_t)used, ")");
}

pts_status pts_weights_require(const pts_weights *w, const char *name, int rank,
                               const size_t *shape, const pts_tensor **out, pts_error *err)
{
    *out = NULL;
    if (rank < 1 || rank > PTS_TENSOR_RANK_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: tensor '%s': expected rank 1 … %d, got %d",
                        w->path, name, PTS_TENSOR_RANK_MAX, rank);
    const pts_tensor *tensor = pts_weights_find(w, name);
    char expected[128], got[128] = "none";
    describe(expected, sizeof expected, PTS_F32, rank, shape);
    if (tensor)
        describe(got, sizeof got, tensor->dtype, tensor->rank, tensor->shape);
    if (!tensor || tensor->dtype != PTS_F32 || tensor->rank != rank ||
        memcmp(tensor->shape, shape, (size_t)rank * sizeof *shape) != 0)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: tensor '%s': expected %s, got %s", w->path, name,
                        expected, got);
    *out = tensor;
    return PTS_OK;
}

pts_status pts_weights_widen(pts_weights *w, pts_error *err)
{
    size_t floats = 0, count = w->header.tensor_count;
    for (size_t i = 0; i < count; i++) {
        if (w->tensors[i].dtype == PTS_F16)
            floats += (size_t)(ptsw_pad(w->tensors[i].bytes * 2) / sizeof(float));
    }
    if (!floats)
        return PTS_OK;
    PTS_TRY(pts_new(&w->wide, floats, sizeof *w->wide, err));
    float *at = w->wide;
    for (size_t i = 0; i < count; i++) {
        pts_tensor *t = &w->tensors[i];
        if (t->dtype != PTS_F16)
            continue;
        const uint16_t *half = t->data;
        for (size_t k = 0; k < t->bytes / sizeof *half; k++)
            at[k] = pts_f32_from_f16(half[k]);
        t->data = at;
        t->dtype = PTS_F32;
        t->bytes *= 2;
        at += ptsw_pad(t->bytes) / sizeof *at;
    }
    return PTS_OK;
}

void pts_weights_forget(const pts_weights *weights, const pts_tensor *tensor)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)tensor->data;
    uintptr_t first = (start + page - 1) / page * page, end = (start + tensor->bytes) / page * page;
    if (start - (uintptr_t)weights->map >= weights->size)
        return; /* widened: dropping such pages would leave zeros */
    /* glibc's posix_madvise ignores this advice; nothing changes where the system refuses it. */
    if (end > first)
        (void)madvise((void *)first, end - first, MADV_DONTNEED);
}

size_t pts_weights_meta_count(const pts_weights *w)
{
    return w->header.meta_count;
}

const pts_meta *pts_weights_meta_at(const pts_weights *w, size_t index)
{
    return index < w->header.meta_count ? &w->meta[index] : NULL;
}

const char *pts_weights_meta(const pts_weights *w, const char *key)
{
    for (uint32_t i = 0; i < w->header.meta_count; i++) {
        if (strcmp(w->meta[i].key, key) == 0)
            return w->meta[i].value;
    }
    return NULL;
}
