/* A data set's embeddings, computed once. */
#include "pts/learn.h"

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

/* Over encoder, preset and each photograph's size and bytes: paths may differ, pixels may not. */
static pts_status cache_key(const pts_encoder *encoder, const pts_dataset *set,
                            char hex[PTS_SHA256_HEX], pts_error *err)
{
    pts_sha256 hash;
    pts_sha256_init(&hash);
    hash_text(&hash, "pts embeddings 1");
    hash_text(&hash, pts_encoder_id(encoder));
    hash_text(&hash, pts_encoder_preset(encoder));
    for (size_t i = 0; i < pts_dataset_images(set); i++) {
        char *data, length[32];
        size_t size;
        PTS_TRY(pts_read_file(pts_dataset_image_path(set, i), IMAGE_BYTES, &data, &size, err));
        snprintf(length, sizeof length, "%zu", size);
        hash_text(&hash, length);
        pts_sha256_update(&hash, data, size);
        free(data);
    }
    pts_sha256_hex(&hash, hex);
    return PTS_OK;
}

/* 1 when the file is there, whole and of this shape. Anything else is computed again: a cache may
 * be lost or damaged without harm. */
static int read_cache(const char *path, pts_embeddings *out)
{
    pts_weights *weights;
    const pts_tensor *tensor;
    const size_t shape[2] = {out->images, out->dim};
    if (pts_weights_open(&weights, path, NULL) != PTS_OK)
        return 0;
    if (pts_weights_require(weights, "embeddings", 2, shape, &tensor, NULL) == PTS_OK) {
        memcpy(out->values, tensor->data, tensor->bytes);
        out->cached = 1;
    }
    pts_weights_close(weights);
    return out->cached;
}

static pts_status write_cache(const char *path, const pts_encoder *encoder, const pts_dataset *set,
                              const pts_embeddings *e, pts_error *err)
{
    pts_tensor tensor = {.name = "embeddings",
                         .dtype = PTS_F32,
                         .rank = 2,
                         .shape = {e->images, e->dim, 1, 1},
                         .data = e->values,
                         .bytes = e->images * e->dim * sizeof *e->values};
    const pts_meta meta[] = {{"arch", "embeddings"},
                             {"encoder", pts_encoder_id(encoder)},
                             {"preset", pts_encoder_preset(encoder)},
                             {"dataset", pts_dataset_name(set)}};
    return pts_weights_write(path, meta, sizeof meta / sizeof *meta, &tensor, 1, err);
}

/* Photographs of one call, between two of `progress`: enough for all threads to be busy. */
enum { CHUNK = 64 };

static pts_status embed_chunk(pts_embeddings *out, pts_encoder *encoder, const pts_dataset *set,
                              size_t first, pts_error *err)
{
    const char *paths[CHUNK];
    size_t count = out->images - first < CHUNK ? out->images - first : CHUNK;
    for (size_t i = 0; i < count; i++)
        paths[i] = pts_dataset_image_path(set, first + i);
    return pts_encoder_embed_files(encoder, paths, count, NULL, NULL,
                                   out->values + first * out->dim, NULL, err);
}

static pts_status embed_all(pts_embeddings *out, pts_encoder *encoder, const pts_dataset *set,
                            pts_progress progress, void *user, pts_error *err)
{
    for (size_t i = 0; i < out->images; i += CHUNK) {
        if (progress && progress(user, pts_dataset_name(set), i, out->images) != 0)
            return pts_fail(err, PTS_ERR_CANCELLED, "%s: stopped at photograph %zu of %zu",
                            pts_dataset_name(set), i + 1, out->images);
        PTS_TRY(embed_chunk(out, encoder, set, i, err));
    }
    if (progress)
        progress(user, pts_dataset_name(set), out->images, out->images);
    return PTS_OK;
}

static pts_status make_folder(const char *path, pts_error *err)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
}

static pts_status embed_with_cache(pts_embeddings *out, pts_encoder *encoder,
                                   const pts_dataset *set, const char *cache, pts_progress progress,
                                   void *user, pts_error *err)
{
    char key[PTS_SHA256_HEX], path[4096];
    PTS_TRY(make_folder(cache, err));
    PTS_TRY(cache_key(encoder, set, key, err));
    int length = snprintf(path, sizeof path, "%s/%s.ptsw", cache, key);
    if (length < 0 || (size_t)length >= sizeof path)
        return pts_fail(err, PTS_ERR_LIMIT, "cache: expected a path of at most %zu bytes, got %d",
                        sizeof path - 1, length);
    if (read_cache(path, out))
        return PTS_OK;
    PTS_TRY(embed_all(out, encoder, set, progress, user, err));
    return write_cache(path, encoder, set, out, err);
}

pts_status pts_embeddings_of(pts_embeddings *out, pts_encoder *encoder, const pts_dataset *set,
                             const char *cache, pts_progress progress, void *user, pts_error *err)
{
    size_t count;
    *out = (pts_embeddings){.images = pts_dataset_images(set), .dim = pts_encoder_dim(encoder)};
    if (!pts_mul(out->images, out->dim, &count))
        return pts_fail(err, PTS_ERR_LIMIT, "%s: too many photographs", pts_dataset_dir(set));
    out->values = pts_calloc64(count, sizeof *out->values);
    if (!out->values)
        return pts_fail_memory(err, count * sizeof *out->values);
    pts_status status = cache ? embed_with_cache(out, encoder, set, cache, progress, user, err)
                              : embed_all(out, encoder, set, progress, user, err);
    if (status != PTS_OK)
        pts_embeddings_free(out);
    return status;
}

void pts_embeddings_free(pts_embeddings *embeddings)
{
    free(embeddings->values);
    *embeddings = (pts_embeddings){0};
}
