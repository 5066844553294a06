/* A data set's embeddings, computed once. */
#include "learn/embed_cache.h"

#include "base/error.h"
#include "pts/file.h"
#include "base/memory.h"
#include "pts/hash.h"
#include "pts/weights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define IMAGE_BYTES ((size_t)1 << 29)

static void hash_text(pts_sha256 *hash, const char *text)
{
    pts_sha256_update(hash, text, strlen(text) + 1); /* with its NUL, so that fields cannot merge */
}

/* ---- which bytes ---- */

typedef struct fingerprint {
    unsigned char digest[PTS_SHA256_BYTES];
    pts_status status;
    pts_error err;
} fingerprint;

typedef struct hashing {
    const pts_dataset *set;
    fingerprint *files; /* [images] */
} hashing;

/* On the team: where all else is cached, hashing is what a run waits for. */
static void hash_file(void *user, size_t index, int thread)
{
    hashing *h = user;
    fingerprint *f = &h->files[index];
    char *data;
    size_t size;
    (void)thread;
    f->status =
        pts_read_file(pts_dataset_image_path(h->set, index), IMAGE_BYTES, &data, &size, &f->err);
    if (f->status != PTS_OK)
        return;
    pts_sha256 hash;
    pts_sha256_init(&hash);
    pts_sha256_update(&hash, data, size);
    pts_sha256_final(&hash, f->digest);
    free(data);
}

/* Of the files' bytes in the data set's order, not of their names: paths may differ, pixels may
 * not. Sizes and times of files are not looked at: copies and checkouts set times at will. */
static pts_status hash_contents(const pts_dataset *set, pts_team *team, char hex[PTS_SHA256_HEX],
                                pts_error *err)
{
    size_t images = pts_dataset_images(set);
    hashing h = {.set = set};
    PTS_TRY(pts_new(&h.files, images, sizeof *h.files, err));
    pts_team_run(team, images, hash_file, &h);
    pts_sha256 hash;
    pts_sha256_init(&hash);
    pts_status status = PTS_OK;
    for (size_t i = 0; status == PTS_OK && i < images; i++) {
        status = h.files[i].status;
        if (status != PTS_OK)
            pts_fail(err, status, "%s", h.files[i].err.message);
        pts_sha256_update(&hash, h.files[i].digest, sizeof h.files[i].digest);
    }
    pts_sha256_hex(&hash, hex);
    free(h.files);
    return status;
}

/* ---- the file ---- */

/* True when the file is there, whole and of this shape. Anything else is computed again: a cache
 * may be lost or damaged without harm. */
static bool read_cache(const char *path, pts_embeddings *out)
{
    pts_weights *weights;
    const pts_tensor *tensor;
    const size_t shape[2] = {out->images, out->dim};
    if (pts_weights_open(&weights, path, NULL) != PTS_OK)
        return false;
    if (pts_weights_require(weights, "embeddings", 2, shape, &tensor, NULL) == PTS_OK) {
        memcpy(out->values, tensor->data, tensor->bytes);
        out->cached = true;
    }
    pts_weights_close(weights);
    return out->cached;
}

/* The metadata are for people: a result is found by the file's name alone. */
static pts_status write_cache(const char *path, const pts_cache_entry *entry, pts_encoder *encoder,
                              const pts_embeddings *e, pts_error *err)
{
    pts_tensor tensor = {.name = "embeddings",
                         .dtype = PTS_F32,
                         .rank = 2,
                         .shape = {e->images, e->dim, 1, 1},
                         .data = e->values,
                         .bytes = e->images * e->dim * sizeof *e->values};
    const pts_meta meta[] = {{"arch", "embeddings"},
                             {"of", entry->what},
                             {"encoder", pts_encoder_id(encoder)},
                             {"preset", entry->preset},
                             {"dataset", entry->dataset},
                             {"contents_sha256", entry->contents}};
    return pts_weights_write(path, meta, sizeof meta / sizeof *meta, &tensor, 1, err);
}

/* Another process may make it meanwhile, so it is not asked for first. */
static pts_status make_folder(const char *path, pts_error *err)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
}

/* All that could change the result is in the name, so that nothing in the folder goes stale. */
static pts_status find_path(const char *cache, const pts_cache_entry *entry,
                            const pts_encoder *encoder, char *path, size_t size, pts_error *err)
{
    pts_sha256 hash;
    char hex[PTS_SHA256_HEX];
    pts_sha256_init(&hash);
    hash_text(&hash, entry->what);
    hash_text(&hash, pts_encoder_id(encoder));
    hash_text(&hash, entry->preset);
    hash_text(&hash, entry->contents);
    pts_sha256_hex(&hash, hex);
    int length = snprintf(path, size, "%s/%s.ptsw", cache, hex);
    if (length < 0 || (size_t)length >= size)
        return pts_fail(err, PTS_ERR_LIMIT, "cache: expected a path of at most %zu bytes, got %d",
                        size - 1, length);
    return PTS_OK;
}

pts_status pts_cache_get(pts_embeddings *out, const char *cache, const pts_cache_entry *entry,
                         pts_encoder *encoder, pts_cache_make make, const void *user,
                         pts_error *err)
{
    char path[4096];
    if (!cache)
        return make(user, err);
    PTS_TRY(make_folder(cache, err));
    PTS_TRY(find_path(cache, entry, encoder, path, sizeof path, err));
    if (read_cache(path, out))
        return PTS_OK;
    PTS_TRY(make(user, err));
    return write_cache(path, entry, encoder, out, err);
}

/* ---- making them ---- */

/* Photographs of one call, between two looks at `progress`: some for each thread, so that they do
 * not wait for each other, and few enough for Ctrl-C to be heard. */
enum { CHUNK = 32 };

typedef struct embedding {
    pts_embeddings *out;
    pts_encoder *encoder;
    const pts_dataset *set;
    const pts_embed_options *options;
    const char *preset;
} embedding;

static pts_status embed_chunk(const embedding *e, size_t first, pts_error *err)
{
    const char *paths[CHUNK];
    size_t count = e->out->images - first < CHUNK ? e->out->images - first : CHUNK;
    for (size_t i = 0; i < count; i++)
        paths[i] = pts_dataset_image_path(e->set, first + i);
    return pts_encoder_embed_files(e->encoder, paths, count, e->preset, NULL,
                                   e->out->values + first * e->out->dim, NULL, err);
}

static pts_status embed_all(const void *user, pts_error *err)
{
    const embedding *e = user;
    const pts_embed_options *o = e->options;
    const char *name = pts_dataset_name(e->set);
    size_t images = e->out->images;
    for (size_t i = 0; i < images; i += CHUNK) {
        if (o->progress && o->progress(o->user, name, i, images) != 0)
            return pts_fail(err, PTS_ERR_CANCELLED, "%s: stopped at photograph %zu of %zu", name,
                            i + 1, images);
        PTS_TRY(embed_chunk(e, i, err));
    }
    if (o->progress)
        o->progress(o->user, name, images, images);
    return PTS_OK;
}

static pts_status embed(const embedding *e, pts_error *err)
{
    PTS_TRY(hash_contents(e->set, e->options->team, e->out->contents, err));
    const pts_cache_entry entry = {"photographs 2", e->preset, pts_dataset_name(e->set),
                                   e->out->contents};
    return pts_cache_get(e->out, e->options->cache, &entry, e->encoder, embed_all, e, err);
}

pts_status pts_embeddings_of(pts_embeddings *out, pts_encoder *encoder, const pts_dataset *set,
                             const pts_embed_options *options, pts_error *err)
{
    static const pts_embed_options none = {0};
    size_t count;
    *out = (pts_embeddings){.images = pts_dataset_images(set), .dim = pts_encoder_dim(encoder)};
    if (!pts_mul(out->images, out->dim, &count))
        return pts_fail(err, PTS_ERR_LIMIT, "%s: too many photographs", pts_dataset_dir(set));
    PTS_TRY(pts_new(&out->values, count, sizeof *out->values, err));
    embedding e = {out, encoder, set, options ? options : &none, pts_encoder_preset(encoder)};
    if (e.options->preset)
        e.preset = e.options->preset;
    pts_status status = embed(&e, err);
    if (status != PTS_OK)
        pts_embeddings_free(out);
    return status;
}

void pts_embeddings_free(pts_embeddings *embeddings)
{
    free(embeddings->values);
    *embeddings = (pts_embeddings){0};
}
