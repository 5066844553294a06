/* PyTorch's zip archives, since 1.6, and TorchScript's: NAME/data.pkl and NAME/data/KEY, one entry
 * a storage, stored without compression (caffe2/serialize/inline_container.cc). Nothing is ever
 * unpacked to disk. Compressed entries are refused where they are needed, so there is no bomb; an
 * entry's CRC is checked before its first number is used. */
#include "torch.h"
#include "base/order.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { ENTRIES_MAX = 200000, PICKLE_MAX = 64 << 20 };

typedef struct archive {
    zip_t *zip;
    char *root; /* "archive/" */
    size_t entries;
    bool *checked;    /* by entry: its CRC was right */
    zip_file_t *open; /* the entry read last */
    uint64_t open_entry, position;
} archive;

static pts_status entry_wrong(checkpoint *c, uint64_t entry, const char *what, pts_error *err)
{
    const torch_file *file = c->reader;
    const archive *a = file->archive;
    const char *name = zip_get_name(a->zip, entry, ZIP_FL_ENC_RAW);
    return pts_fail(err, PTS_ERR_FORMAT, "%s: entry '%.200s': %s", c->path, name ? name : "?",
                    what);
}

static void close_entry(archive *a)
{
    if (a->open)
        zip_fclose(a->open);
    a->open = NULL;
}

static pts_status open_entry(checkpoint *c, uint64_t entry, pts_error *err)
{
    archive *a = ((torch_file *)c->reader)->archive;
    close_entry(a);
    a->open = zip_fopen_index(a->zip, entry, 0);
    a->open_entry = entry;
    a->position = 0;
    return a->open ? PTS_OK : entry_wrong(c, entry, zip_strerror(a->zip), err);
}

static pts_status read_on(checkpoint *c, void *out, size_t size, pts_error *err)
{
    archive *a = ((torch_file *)c->reader)->archive;
    unsigned char *to = out;
    while (size) {
        zip_int64_t got = zip_fread(a->open, to, size);
        if (got <= 0)
            return entry_wrong(c, a->open_entry,
                               got ? zip_file_strerror(a->open) : "ends too early", err);
        to += got;
        size -= (size_t)got;
        a->position += (uint64_t)got;
    }
    return PTS_OK;
}

/* Reads an entry to its end, where libzip compares the CRC. */
static pts_status check_entry(checkpoint *c, uint64_t entry, pts_error *err)
{
    enum { BLOCK = 1 << 18 };
    archive *a = ((torch_file *)c->reader)->archive;
    PTS_TRY(open_entry(c, entry, err));
    char *block;
    zip_int64_t got = 1;
    PTS_TRY(pts_new(&block, 1, BLOCK, err));
    while (got > 0)
        got = zip_fread(a->open, block, BLOCK);
    free(block);
    if (got < 0)
        return entry_wrong(c, entry, zip_file_strerror(a->open), err);
    a->checked[entry] = true;
    return open_entry(c, entry, err);
}

static pts_status read_bytes(checkpoint *c, const torch_storage *s, uint64_t at, void *out,
                             size_t size, pts_error *err)
{
    archive *a = ((torch_file *)c->reader)->archive;
    if (!a->checked[s->entry])
        PTS_TRY(check_entry(c, s->entry, err));
    if (!a->open || a->open_entry != s->entry)
        PTS_TRY(open_entry(c, s->entry, err));
    if (a->position != at) {
        if (zip_fseek(a->open, (zip_int64_t)at, SEEK_SET) != 0)
            return entry_wrong(c, s->entry, zip_file_strerror(a->open), err);
        a->position = at;
    }
    return read_on(c, out, size, err);
}

static void close_archive(checkpoint *c)
{
    torch_file *file = c->reader;
    archive *a = file->archive;
    if (a) {
        close_entry(a);
        if (a->zip)
            zip_discard(a->zip);
        free(a->checked);
        free(a->root);
        free(a);
    }
    free(file->storages);
}

/* ---- The directory ---- */

static pts_status check_duplicates(checkpoint *c, const char **names, size_t count, pts_error *err)
{
    qsort(names, count, sizeof *names, pts_compare_texts);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            return pts_fail(err, PTS_ERR_FORMAT, "%s: entry '%.200s' is there twice", c->path,
                            names[i]);
    }
    return PTS_OK;
}

/* Names stay below the archive, are there once, and sizes add up to no more than the file: entries
 * that share bytes are how small archives pretend to be large ones. */
static pts_status list_entries(checkpoint *c, archive *a, const char **names, pts_error *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < a->entries; i++) {
        zip_stat_t info;
        names[i] = zip_get_name(a->zip, i, ZIP_FL_ENC_RAW);
        if (!names[i] || zip_stat_index(a->zip, i, ZIP_FL_ENC_RAW, &info) != 0 ||
            (info.valid & (ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE)) !=
                (ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE))
            return pts_fail(err, PTS_ERR_FORMAT, "%s: entry %zu: %s", c->path, i,
                            zip_strerror(a->zip));
        if (!name_is_safe(names[i]))
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: entry '%.200s': expected a path within the archive", c->path,
                            names[i]);
        if (info.comp_size > c->in.size - total)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: entry '%.200s': expected at most %llu bytes more, got %llu "
                            "(entries overlap)",
                            c->path, names[i], (unsigned long long)(c->in.size - total),
                            (unsigned long long)info.comp_size);
        total += info.comp_size;
    }
    return PTS_OK;
}

static pts_status check_directory(checkpoint *c, archive *a, pts_error *err)
{
    const char **names;
    PTS_TRY(pts_new(&names, a->entries, sizeof *names, err));
    pts_status status = list_entries(c, a, names, err);
    for (size_t i = 0; i < a->entries && status == PTS_OK; i++) {
        const char *slash = strchr(names[i], '/');
        if (slash && strcmp(slash, "/data.pkl") == 0 && !a->root)
            a->root = strndup(names[i], (size_t)(slash - names[i]) + 1);
    }
    if (status == PTS_OK)
        status = check_duplicates(c, names, a->entries, err);
    free(names);
    if (status == PTS_OK && !a->root)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: expected an entry NAME/data.pkl (a zip archive, but not PyTorch's)",
                        c->path);
    return status;
}

/* The entry ROOT/prefix+name, which must be stored as it is; PTS_ERR_SHAPE where there is none. */
static pts_status find_entry(checkpoint *c, const char *prefix, const char *name, uint64_t *entry,
                             uint64_t *size, pts_error *err)
{
    const archive *a = ((torch_file *)c->reader)->archive;
    char path[2048];
    zip_stat_t info;
    *size = 0;
    snprintf(path, sizeof path, "%s%s%s", a->root, prefix, name);
    zip_int64_t found = zip_name_locate(a->zip, path, ZIP_FL_ENC_RAW);
    if (found < 0)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: entry '%.200s': expected, got none", c->path,
                        path);
    *entry = (uint64_t)found;
    if (zip_stat_index(a->zip, *entry, 0, &info) != 0)
        return entry_wrong(c, *entry, zip_strerror(a->zip), err);
    if (info.comp_method != ZIP_CM_STORE || info.encryption_method != ZIP_EM_NONE)
        return entry_wrong(c, *entry,
                           "expected stored bytes as PyTorch writes them, got a compressed or "
                           "encrypted entry",
                           err);
    *size = info.size;
    return PTS_OK;
}

/* The bytes of a small entry, the caller frees them. */
static pts_status read_entry(checkpoint *c, const char *name, size_t limit, unsigned char **out,
                             size_t *size, pts_error *err)
{
    uint64_t entry, bytes;
    *out = NULL;
    PTS_TRY(find_entry(c, "", name, &entry, &bytes, err));
    if (bytes > limit)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: entry '%s': expected at most %zu bytes, got %llu",
                        c->path, name, limit, (unsigned long long)bytes);
    PTS_TRY(check_entry(c, entry, err));
    *size = (size_t)bytes;
    PTS_TRY(pts_new(out, *size, 1, err));
    return read_on(c, *out, *size, err);
}

/* Archives of PyTorch ≥ 2.1 say which; those before are of the writing machine. */
static pts_status check_byte_order(checkpoint *c, pts_error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    pts_status status = read_entry(c, "byteorder", 16, &text, &size, err);
    bool little = status != PTS_OK || (size == 6 && memcmp(text, "little", 6) == 0);
    free(text);
    if (status == PTS_ERR_SHAPE)
        return PTS_OK;
    PTS_TRY(status);
    return little ? PTS_OK
                  : pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: entry 'byteorder': expected little",
                             c->path);
}

static pts_status find_storages(checkpoint *c, pts_error *err)
{
    torch_file *file = c->reader;
    for (size_t i = 0; i < file->count; i++) {
        torch_storage *s = &file->storages[i];
        uint64_t size, want;
        PTS_TRY(find_entry(c, "data/", s->key, &s->entry, &size, err));
        if (__builtin_mul_overflow(s->elements, (uint64_t)s->item, &want) || want != size)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: entry 'data/%s': expected %llu elements of %u bytes, got %llu "
                            "bytes",
                            c->path, s->key, (unsigned long long)s->elements, s->item,
                            (unsigned long long)size);
    }
    return PTS_OK;
}

static pts_status read_archive(checkpoint *c, archive *a, pts_error *err)
{
    unsigned char *bytes = NULL;
    size_t size, used;
    pickle p = {0};
    PTS_TRY(check_directory(c, a, err));
    PTS_TRY(check_byte_order(c, err));
    uint64_t unused;
    c->script = find_entry(c, "", "constants.pkl", &unused, &unused, NULL) == PTS_OK;
    pts_status status = read_entry(c, "data.pkl", PICKLE_MAX, &bytes, &size, err);
    if (status == PTS_OK)
        status = pickle_read(&p, c->path, bytes, size, &used, err);
    if (status == PTS_OK)
        status = torch_collect(c, &p, err);
    pickle_free(&p);
    free(bytes);
    return status == PTS_OK ? find_storages(c, err) : status;
}

static pts_status open_archive(checkpoint *c, pts_error *err)
{
    torch_file *file = c->reader;
    int code;
    archive *a;
    PTS_TRY(pts_new(&a, 1, sizeof *a, err));
    file->archive = a;
    file->read_bytes = read_bytes;
    a->zip = zip_open(c->path, ZIP_RDONLY | ZIP_CHECKCONS, &code);
    if (!a->zip) {
        zip_error_t problem;
        zip_error_init_with_code(&problem, code);
        pts_status status =
            pts_fail(err, PTS_ERR_FORMAT, "%s: zip: %s", c->path, zip_error_strerror(&problem));
        zip_error_fini(&problem);
        return status;
    }
    zip_int64_t entries = zip_get_num_entries(a->zip, 0);
    if (entries < 0 || entries > ENTRIES_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %d entries, got %lld", c->path,
                        ENTRIES_MAX, (long long)entries);
    a->entries = (size_t)entries;
    PTS_TRY(pts_new(&a->checked, a->entries, sizeof *a->checked, err));
    return read_archive(c, a, err);
}

pts_status torch_zip_open(checkpoint *c, pts_error *err)
{
    PTS_TRY(torch_prepare(c, close_archive, err));
    return open_archive(c, err);
}
