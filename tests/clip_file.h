/* Weight files of CLIP towers from the generator that tests/data/clip/README.md describes. */
#ifndef PTS_TESTS_CLIP_FILE_H
#define PTS_TESTS_CLIP_FILE_H

#include "pts/weights.h"

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct clip_shape {
    const char *name;
    size_t patch, grid, width, layers, heads, hidden, dim;
    const char *activation;
} clip_shape;

/* Draws 1 … count of splitmix64 from `seed`, as floats in [-1, 1), times scale plus offset. */
static inline float *clip_draws(uint64_t seed, size_t count, float scale, float offset)
{
    float *x = malloc(count * sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (size_t i = 0; i < count; i++) {
        uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15u;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        float draw = (float)(z >> 40) * 0x1p-23f - 1;
        x[i] = draw * scale;
        x[i] += offset;
    }
    return x;
}

enum { CLIP_TENSORS_MAX = 16 + 12 * 24 };

/* The tensors of a file before it is written; a test may change some. */
typedef struct clip_file {
    const clip_shape *shape;
    char heads[32];
    const char *activation;
    char names[CLIP_TENSORS_MAX][PTS_TENSOR_NAME_MAX + 1];
    pts_tensor tensors[CLIP_TENSORS_MAX];
    size_t count;
} clip_file;

static inline void clip_add(clip_file *f, const char *name, int rank, const size_t *shape,
                            float scale, float offset)
{
    pts_tensor *t = &f->tensors[f->count];
    size_t count = 1;
    ck_assert_uint_lt(f->count, CLIP_TENSORS_MAX);
    snprintf(f->names[f->count], sizeof *f->names, "%s", name);
    *t = (pts_tensor){f->names[f->count], PTS_F32, rank, {1, 1, 1, 1}, NULL, 0};
    for (int i = 0; i < rank; i++)
        count *= t->shape[i] = shape[i];
    t->data = clip_draws(1000 + f->count, count, scale, offset);
    t->bytes = count * sizeof(float);
    f->count++;
}

static inline float clip_gain(size_t fan_in)
{
    return (float)sqrt(3.0 / (double)fan_in);
}

static inline void clip_add_vector(clip_file *f, const char *stem, const char *end, size_t size,
                                   float scale, float offset)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", stem, end);
    clip_add(f, name, 1, &size, scale, offset);
}

static inline void clip_add_norm(clip_file *f, const char *stem)
{
    clip_add_vector(f, stem, ".weight", f->shape->width, 0.1f, 1);
    clip_add_vector(f, stem, ".bias", f->shape->width, 0.1f, 0);
}

static inline void clip_add_linear(clip_file *f, const char *stem, size_t depth, size_t columns)
{
    char name[64];
    const size_t shape[2] = {depth, columns};
    snprintf(name, sizeof name, "%s.weight", stem);
    clip_add(f, name, 2, shape, clip_gain(depth), 0);
    clip_add_vector(f, stem, ".bias", columns, 0.1f, 0);
}

static inline void clip_add_layer(clip_file *f, size_t index)
{
    const size_t w = f->shape->width, h = f->shape->hidden;
    char stem[6][32];
    const char *parts[6] = {"norm1", "qkv", "proj", "norm2", "fc1", "fc2"};
    for (size_t i = 0; i < 6; i++)
        snprintf(stem[i], sizeof stem[i], "layer%zu.%s", index, parts[i]);
    clip_add_norm(f, stem[0]);
    clip_add_linear(f, stem[1], w, 3 * w);
    clip_add_linear(f, stem[2], w, w);
    clip_add_norm(f, stem[3]);
    clip_add_linear(f, stem[4], w, h);
    clip_add_linear(f, stem[5], h, w);
}

/* In the order in which the reference script draws them. */
static inline clip_file *clip_file_make(const clip_shape *s)
{
    clip_file *f = calloc(1, sizeof *f);
    ck_assert_ptr_nonnull(f);
    const size_t p = s->patch, w = s->width;
    const size_t patch[4] = {p, p, 3, w}, positions[2] = {s->grid * s->grid + 1, w};
    const size_t projection[2] = {w, s->dim};
    f->shape = s;
    f->activation = s->activation;
    snprintf(f->heads, sizeof f->heads, "%zu", s->heads);
    clip_add(f, "patch.weight", 4, patch, clip_gain(3 * p * p), 0);
    clip_add_vector(f, "class", "", w, 1, 0);
    clip_add(f, "positions", 2, positions, 1, 0);
    clip_add_norm(f, "pre_norm");
    for (size_t i = 0; i < s->layers; i++)
        clip_add_layer(f, i);
    clip_add_norm(f, "post_norm");
    clip_add(f, "projection", 2, projection, clip_gain(w), 0);
    return f;
}

static inline pts_tensor *clip_file_find(clip_file *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->names[i], name) == 0)
            return &f->tensors[i];
    }
    ck_abort_msg("no tensor %s", name);
    return NULL;
}

/* Writes the file and frees what it was made of. */
static inline void clip_file_write(clip_file *f, const char *path)
{
    static const char identity[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    pts_meta meta[5] = {{"arch", "clip_vit"}, {"preset", "clip"}, {"source_sha256", identity}};
    size_t count = 3;
    pts_error err;
    if (*f->heads)
        meta[count++] = (pts_meta){"heads", f->heads};
    if (f->activation)
        meta[count++] = (pts_meta){"activation", f->activation};
    pts_status status = pts_weights_write(path, meta, count, f->tensors, f->count, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    for (size_t i = 0; i < f->count; i++)
        free((void *)(uintptr_t)f->tensors[i].data);
    free(f);
}

#endif
