/* Drawn files of the study's page at full size: its two heads, a narrow CLIP tower. */
#ifndef PTS_TESTS_STUDY_FILES_H
#define PTS_TESTS_STUDY_FILES_H

#include "clip_file.h"

#include <math.h>

enum { UNITS_MAX = 128, TENSORS_MAX = 2 * UNITS_MAX };

/* A file of drawn tensors, before it is written. */
typedef struct drawn_file {
    char names[TENSORS_MAX][PTS_TENSOR_NAME_MAX + 1];
    pts_tensor tensors[TENSORS_MAX];
    size_t count;
} drawn_file;

static inline void drawn_add(drawn_file *f, const char *unit, const char *end, int rank,
                             const size_t *shape, uint64_t seed, float scale, float offset)
{
    pts_tensor *t = &f->tensors[f->count];
    size_t count = 1;
    ck_assert_uint_lt(f->count, TENSORS_MAX);
    snprintf(f->names[f->count], sizeof *f->names, "%s%s", unit, end);
    *t = (pts_tensor){f->names[f->count], PTS_F32, rank, {1, 1, 1, 1}, NULL, 0};
    for (int i = 0; i < rank; i++)
        count *= t->shape[i] = shape[i];
    t->data = clip_draws(seed, count, scale, offset);
    t->bytes = count * sizeof(float);
    f->count++;
}

static inline void drawn_write(drawn_file *f, const char *path, const pts_meta *meta, size_t metas)
{
    pts_error err;
    ck_assert_msg(pts_weights_write(path, meta, metas, f->tensors, f->count, &err) == PTS_OK, "%s",
                  err.message);
    for (size_t i = 0; i < f->count; i++)
        free((void *)(uintptr_t)f->tensors[i].data);
    f->count = 0;
}

static inline float drawn_gain(size_t fan_in)
{
    return (float)sqrt(6.0 / (double)fan_in);
}

static drawn_file drawn;

/* As ptsconvert leaves the study's: its layers, and no encoder but an architecture. */
static inline void study_head_write(const char *path, const char *arch, size_t dim, uint64_t seed,
                                    float level, float spread)
{
    const size_t sizes[6] = {4 * dim, 2048, 1024, 512, 256, 4};
    char dim_text[16];
    snprintf(dim_text, sizeof dim_text, "%zu", dim);
    const pts_meta meta[] = {{"arch", "head"},       {"kind", "study"},   {"dim", dim_text},
                             {"encoder", ""},        {"preset", "ptssp"}, {"datasets", ""},
                             {"encoder_arch", arch}, {"trainer", "test"}, {"summary", "drawn"}};
    for (size_t l = 0; l < 5; l++) {
        char unit[16];
        const float scale = l == 4 ? drawn_gain(sizes[l]) * spread : drawn_gain(sizes[l]);
        snprintf(unit, sizeof unit, "fc%zu", l + 1);
        drawn_add(&drawn, unit, ".weight", 2, &sizes[l], seed + 2 * l, scale, 0);
        drawn_add(&drawn, unit, ".bias", 1, &sizes[l + 1], seed + 1 + 2 * l, 0.1f,
                  l == 4 ? level : 0);
    }
    drawn_write(&drawn, path, meta, sizeof meta / sizeof *meta);
}

static inline void study_files_write(const char *clip, const char *clip_head,
                                     const char *inception_head)
{
    static const clip_shape narrow = {"narrow", 32, 7, 48, 2, 3, 100, 512, "quick_gelu"};
    clip_file_write(clip_file_make(&narrow), clip);
    study_head_write(inception_head, "inception_v3", 2048, 6000, 10.5f, 0.1f);
    study_head_write(clip_head, "clip_vit", 512, 7000, 200, 20);
}

#endif
