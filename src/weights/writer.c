/* The writer: lays the file out, sums it, and writes it whole or not at all. */
#include "base/error.h"
#include "pts/file.h"
#include "base/memory.h"
#include "base/order.h"
#include "weights/ptsw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Header, metadata and table: all that lies before the data. */
typedef struct head {
    unsigned char *bytes;
    size_t size;
} head;

static pts_status check_meta(const pts_meta *meta, size_t count, size_t *bytes, pts_error *err)
{
    if (count > PTS_META_COUNT_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "expected at most %d metadata strings, got %zu",
                        PTS_META_COUNT_MAX, count);
    *bytes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t key = strlen(meta[i].key), value = strlen(meta[i].value);
        if (key < 1 || key > PTS_META_KEY_MAX || value > PTS_META_VALUE_MAX)
            return pts_fail(err, PTS_ERR_LIMIT,
                            "metadata %zu: expected a key of 1 … %d and a value of at most %d "
                            "bytes, got %zu and %zu",
                            i, PTS_META_KEY_MAX, PTS_META_VALUE_MAX, key, value);
        if (!pts_ptsw_text_ok(meta[i].key, key, 0) || !pts_ptsw_text_ok(meta[i].value, value, 1))
            return pts_fail(err, PTS_ERR_ARGUMENT, "metadata %zu: expected UTF-8 text", i);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(meta[k].key, meta[i].key) == 0)
                return pts_fail(err, PTS_ERR_ARGUMENT, "metadata %zu: key '%s' is there already", i,
                                meta[i].key);
        }
        *bytes += 8 + key + value + 2;
    }
    return PTS_OK;
}

static pts_status check_unique(const pts_tensor *tensors, size_t count, pts_error *err)
{
    const char **names;
    PTS_TRY(pts_new(&names, count, sizeof *names, err));
    for (size_t i = 0; i < count; i++)
        names[i] = tensors[i].name;
    qsort(names, count, sizeof *names, pts_compare_texts);
    pts_status status = PTS_OK;
    for (size_t i = 1; i < count && status == PTS_OK; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            status = pts_fail(err, PTS_ERR_ARGUMENT, "tensor '%s' is there twice", names[i]);
    }
    free(names);
    return status;
}

static pts_status fill_entry(ptsw_entry *entry, const pts_tensor *tensor, size_t index,
                             pts_error *err)
{
    size_t length = tensor->name ? strlen(tensor->name) : 0;
    if (length < 1 || length > PTS_TENSOR_NAME_MAX || !pts_ptsw_text_ok(tensor->name, length, 0))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "tensor %zu: name: expected 1 … %d bytes of UTF-8 text", index,
                        PTS_TENSOR_NAME_MAX);
    memcpy(entry->name, tensor->name, length);
    entry->dtype = (uint32_t)tensor->dtype;
    entry->rank = (uint32_t)tensor->rank;
    for (int i = 0; i < PTS_TENSOR_RANK_MAX; i++)
        entry->shape[i] = i < tensor->rank ? tensor->shape[i] : 1;
    const char *problem =
        pts_ptsw_shape_problem(entry->dtype, entry->rank, entry->shape, &entry->bytes);
    if (problem)
        return pts_fail(err, PTS_ERR_ARGUMENT, "tensor '%s': %s", tensor->name, problem);
    if (tensor->bytes != entry->bytes)
        return pts_fail(err, PTS_ERR_ARGUMENT, "tensor '%s': expected %llu bytes of data, got %zu",
                        tensor->name, (unsigned long long)entry->bytes, tensor->bytes);
    return PTS_OK;
}

/* Fills the table at its place in the head and returns the end of the data in *end. */
static pts_status fill_table(ptsw_entry *table, const pts_tensor *tensors, size_t count,
                             uint64_t data, uint64_t *end, pts_error *err)
{
    *end = data;
    for (size_t i = 0; i < count; i++) {
        PTS_TRY(fill_entry(&table[i], &tensors[i], i, err));
        table[i].offset = *end;
        if (table[i].bytes > SIZE_MAX / 4 || *end > SIZE_MAX / 4)
            return pts_fail(err, PTS_ERR_LIMIT, "tensor '%s': the file would be too large",
                            tensors[i].name);
        *end = ptsw_pad(*end + table[i].bytes);
    }
    return PTS_OK;
}

static void fill_meta(unsigned char *at, const pts_meta *meta, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t size[2] = {(uint32_t)strlen(meta[i].key), (uint32_t)strlen(meta[i].value)};
        memcpy(at, size, sizeof size);
        memcpy(at + 8, meta[i].key, size[0] + 1u);
        memcpy(at + 8 + size[0] + 1, meta[i].value, size[1] + 1u);
        at += 8 + size[0] + 1u + size[1] + 1u;
    }
}

static void sum_tensor(ptsw_sum *sum, const pts_tensor *tensor)
{
    unsigned char last[PTSW_STRIPE] = {0};
    size_t whole = tensor->bytes / PTSW_STRIPE, rest = tensor->bytes % PTSW_STRIPE;
    pts_ptsw_sum_update(sum, tensor->data, whole);
    memcpy(last, (const unsigned char *)tensor->data + whole * PTSW_STRIPE, rest);
    pts_ptsw_sum_update(sum, last, rest > 0);
}

static pts_status build_head(head *out, const pts_meta *meta, size_t meta_count, size_t meta_bytes,
                             const pts_tensor *tensors, size_t count, pts_error *err)
{
    ptsw_header h = {.version = PTSW_VERSION,
                     .header_bytes = PTSW_STRIPE,
                     .meta_count = (uint32_t)meta_count,
                     .tensor_count = (uint32_t)count,
                     .meta_bytes = meta_bytes};
    memcpy(h.magic, PTSW_MAGIC, sizeof h.magic);
    h.table_offset = PTSW_STRIPE + ptsw_pad(meta_bytes);
    h.data_offset = h.table_offset + count * sizeof(ptsw_entry);
    out->size = (size_t)h.data_offset;
    PTS_TRY(pts_new(&out->bytes, 1, out->size, err));
    PTS_TRY(fill_table((ptsw_entry *)(void *)(out->bytes + h.table_offset), tensors, count,
                       h.data_offset, &h.file_bytes, err));
    PTS_TRY(check_unique(tensors, count, err));
    fill_meta(out->bytes + PTSW_STRIPE, meta, meta_count);
    memcpy(out->bytes, &h, sizeof h);
    return PTS_OK;
}

/* What is written, and where its data come from. */
typedef struct job {
    const char *path;
    head top;
    const pts_tensor *tensors;
    size_t count;
    pts_tensor_source source;
    void *user;
} job;

static pts_status cannot_write(const job *j, pts_error *err)
{
    return pts_fail(err, PTS_ERR_IO, "%s: cannot write: %s", j->path, strerror(errno));
}

static pts_status put_tensor(const job *j, FILE *file, size_t index, ptsw_sum *sum, pts_error *err)
{
    static const unsigned char zeros[PTSW_STRIPE];
    const void *data = NULL;
    pts_tensor tensor = j->tensors[index];
    PTS_TRY(j->source(j->user, index, &data, err));
    if (!data)
        return pts_fail(err, PTS_ERR_ARGUMENT, "tensor '%s': expected %zu bytes of data, got 0",
                        tensor.name, tensor.bytes);
    tensor.data = data;
    sum_tensor(sum, &tensor);
    size_t padding = (size_t)(ptsw_pad(tensor.bytes) - tensor.bytes);
    if (fwrite(data, 1, tensor.bytes, file) != tensor.bytes ||
        fwrite(zeros, 1, padding, file) != padding)
        return cannot_write(j, err);
    return PTS_OK;
}

/* The checksum is known last and stands in the header: it is written over when all else is there.
 */
static pts_status put_all(job *j, FILE *file, pts_error *err)
{
    ptsw_header *header = (ptsw_header *)(void *)j->top.bytes;
    ptsw_sum sum;
    pts_ptsw_sum_init(&sum);
    pts_ptsw_sum_update(&sum, j->top.bytes, j->top.size / PTSW_STRIPE);
    if (fwrite(j->top.bytes, 1, j->top.size, file) != j->top.size)
        return cannot_write(j, err);
    for (size_t i = 0; i < j->count; i++)
        PTS_TRY(put_tensor(j, file, i, &sum, err));
    header->checksum = pts_ptsw_sum_final(&sum);
    if (fseek(file, 0, SEEK_SET) != 0 || fwrite(header, 1, sizeof *header, file) != sizeof *header)
        return cannot_write(j, err);
    return PTS_OK;
}

static pts_status write_file(job *j, pts_error *err)
{
    pts_output out;
    PTS_TRY(pts_output_open(&out, j->path, err));
    pts_status status = put_all(j, out.file, err);
    if (status != PTS_OK) {
        pts_output_discard(&out);
        return status;
    }
    return pts_output_commit(&out, err);
}

static pts_status lay_out(head *top, const pts_meta *meta, size_t meta_count,
                          const pts_tensor *tensors, size_t tensor_count, pts_error *err)
{
    size_t meta_bytes = 0;
    if (tensor_count > PTS_TENSOR_COUNT_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "expected at most %d tensors, got %zu",
                        PTS_TENSOR_COUNT_MAX, tensor_count);
    PTS_TRY(check_meta(meta, meta_count, &meta_bytes, err));
    return build_head(top, meta, meta_count, meta_bytes, tensors, tensor_count, err);
}

pts_status pts_weights_write_from(const char *path, const pts_meta *meta, size_t meta_count,
                                  const pts_tensor *tensors, size_t tensor_count,
                                  pts_tensor_source source, void *user, pts_error *err)
{
    pts_error inner;
    job j = {.path = path, .tensors = tensors, .count = tensor_count, .source = source};
    j.user = user;
    pts_status status = lay_out(&j.top, meta, meta_count, tensors, tensor_count, &inner);
    if (status == PTS_OK)
        status = write_file(&j, err);
    else
        pts_fail(err, status, "%s: %s", path, inner.message);
    free(j.top.bytes);
    return status;
}

static pts_status own_data(void *user, size_t index, const void **data, pts_error *err)
{
    const pts_tensor *tensors = user;
    (void)err;
    *data = tensors[index].data;
    return PTS_OK;
}

pts_status pts_weights_write(const char *path, const pts_meta *meta, size_t meta_count,
                             const pts_tensor *tensors, size_t tensor_count, pts_error *err)
{
    for (size_t i = 0; i < tensor_count && tensor_count <= PTS_TENSOR_COUNT_MAX; i++) {
        if (!tensors[i].data && tensors[i].name)
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "%s: tensor '%s': expected %zu bytes of data, got 0", path,
                            tensors[i].name, tensors[i].bytes);
    }
    return pts_weights_write_from(path, meta, meta_count, tensors, tensor_count, own_data,
                                  (void *)(uintptr_t)tensors, err);
}
