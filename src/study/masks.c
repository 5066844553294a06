/* Label masks, embedded as the study has them. */
#include "learn/embed_cache.h"

#include "base/error.h"
#include "base/memory.h"
#include "pts/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 800, CHUNK = 32 };

typedef struct masks {
    pts_embeddings *out;
    pts_encoder *encoder;
    const pts_dataset *set;
    int class_id;
    const size_t *showing; /* [out->images] */
    const pts_embed_options *options;
    const char *preset;
    size_t first; /* of the chunk that is being embedded */
} masks;

/* An object that is a bitmap has the size of its photograph: the nearest pixel is taken. */
static pts_status add_bitmap(const pts_rle *rle, uint8_t *mask, pts_error *err)
{
    size_t height = pts_rle_height(rle), width = pts_rle_width(rle);
    uint8_t *bits;
    PTS_TRY(pts_new(&bits, height, width, err));
    pts_rle_to_bitmap(rle, bits);
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++)
            mask[y * SIDE + x] |=
                bits[(2 * y + 1) * height / (2 * SIDE) * width + (2 * x + 1) * width / (2 * SIDE)];
    free(bits);
    return PTS_OK;
}

/* An outline is drawn at the mask's size: no photograph's pixels come between. */
static pts_status add_object(const pts_instance *instance, uint8_t *mask, uint8_t *scratch,
                             pts_error *err)
{
    if (instance->points == 0)
        return add_bitmap(instance->mask, mask, err);
    pts_rle *rle;
    const pts_instance outline = {.points = instance->points,
                                  .xy = instance->xy,
                                  .parts = instance->parts,
                                  .ends = instance->ends};
    PTS_TRY(pts_instance_mask(&rle, &outline, SIDE, SIDE, err));
    pts_rle_to_bitmap(rle, scratch);
    pts_rle_destroy(rle);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        mask[i] |= scratch[i];
    return PTS_OK;
}

/* mask, scratch [SIDE][SIDE], rgb [SIDE][SIDE][3] */
static pts_status fill(const masks *m, size_t image, uint8_t *mask, uint8_t *scratch, uint8_t *rgb,
                       pts_error *err)
{
    size_t count;
    const pts_instance *instances = pts_dataset_instances(m->set, image, &count);
    for (size_t i = 0; i < count; i++)
        if (instances[i].class_id == m->class_id && !instances[i].crowd)
            PTS_TRY(add_object(&instances[i], mask, scratch, err));
    for (size_t i = 0; i < SIDE * SIDE; i++)
        memset(rgb + 3 * i, mask[i] ? 255 : 0, 3);
    return PTS_OK;
}

/* A pts_image_source; called from several threads. */
static pts_status make_input(void *user, size_t index, float *input, pts_error *err)
{
    const masks *m = user;
    uint8_t *pixels;
    PTS_TRY(pts_new(&pixels, (size_t)SIDE * SIDE, 5, err));
    pts_image image = {SIDE, SIDE, pixels + 2 * SIDE * SIDE};
    pts_status status =
        fill(m, m->showing[m->first + index], pixels, pixels + SIDE * SIDE, image.rgb, err);
    if (status == PTS_OK)
        status =
            pts_preset_apply(m->preset, &image, pts_encoder_input_size(m->encoder), input, err);
    free(pixels);
    return status;
}

/* In chunks, so that progress can stop it. */
static pts_status embed_all(const void *user, pts_error *err)
{
    masks m = *(const masks *)user;
    const pts_embed_options *o = m.options;
    size_t images = m.out->images, dim = m.out->dim;
    char stage[96];
    snprintf(stage, sizeof stage, "%.40s, masks of %.40s", pts_dataset_name(m.set),
             pts_dataset_class_name(m.set, m.class_id));
    for (; m.first < images; m.first += CHUNK) {
        size_t count = images - m.first < CHUNK ? images - m.first : CHUNK;
        if (o->progress && o->progress(o->user, stage, m.first, images) != 0)
            return pts_fail(err, PTS_ERR_CANCELLED, "%s: stopped at mask %zu of %zu", stage,
                            m.first + 1, images);
        PTS_TRY(pts_encoder_embed_from(m.encoder, make_input, &m, count,
                                       m.out->values + m.first * dim, err));
    }
    if (o->progress)
        o->progress(o->user, stage, images, images);
    return PTS_OK;
}

/* Of the outlines and bitmaps, each with its length before it. */
static void hash_labels(const masks *m, char hex[PTS_SHA256_HEX])
{
    pts_sha256 hash;
    pts_sha256_init(&hash);
    for (size_t k = 0; k < m->out->images; k++) {
        size_t count, runs = 0;
        const pts_instance *instances = pts_dataset_instances(m->set, m->showing[k], &count);
        for (size_t i = 0; i < count; i++) {
            const pts_instance *o = &instances[i];
            if (o->class_id != m->class_id || o->crowd)
                continue;
            const uint32_t *counts = o->points ? NULL : pts_rle_counts(o->mask, &runs);
            const uint64_t lengths[4] = {k, o->points, o->parts, counts ? runs : 0};
            pts_sha256_update(&hash, lengths, sizeof lengths);
            pts_sha256_update(&hash, o->xy, o->points * 2 * sizeof *o->xy);
            pts_sha256_update(&hash, o->ends, o->parts * sizeof *o->ends);
            if (counts)
                pts_sha256_update(&hash, counts, runs * sizeof *counts);
        }
    }
    pts_sha256_hex(&hash, hex);
}

pts_status pts_mask_embeddings_of(pts_embeddings *out, pts_encoder *encoder, const pts_dataset *set,
                                  int class_id, const pts_embed_options *options, pts_error *err)
{
    size_t count;
    *out = (pts_embeddings){.dim = pts_encoder_dim(encoder)};
    masks m = {out,
               encoder,
               set,
               class_id,
               pts_dataset_showing(set, class_id, &out->images),
               options,
               options->preset ? options->preset : pts_encoder_preset(encoder),
               0};
    if (!pts_mul(out->images, out->dim, &count))
        return pts_fail(err, PTS_ERR_LIMIT, "%s: too many photographs", pts_dataset_dir(set));
    PTS_TRY(pts_new(&out->values, count + 1, sizeof *out->values, err));
    hash_labels(&m, out->contents);
    const pts_cache_entry entry = {"masks 1", m.preset, pts_dataset_name(set), out->contents};
    pts_status status = pts_cache_get(out, options->cache, &entry, encoder, embed_all, &m, err);
    if (status != PTS_OK)
        pts_embeddings_free(out);
    return status;
}
