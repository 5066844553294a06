/* Photographs from files to embeddings: reading, decoding and the preset as an encoder's source. */
#include "base/error.h"
#include "pts/encoder.h"

#include <math.h>

typedef struct photographs {
    const char *const *paths;
    const char *preset;
    size_t side;
    const pts_image_limits *limits;
} photographs;

/* The preset's messages know no path: it is put before them. */
static pts_status name_photograph(pts_status status, const char *path, pts_error *err)
{
    if (status == PTS_OK)
        return PTS_OK;
    const pts_error why = *err;
    return pts_fail(err, status, "%.200s: %.300s", path, why.message);
}

pts_status pts_photograph_ready(const pts_photograph *p, const pts_image_limits *limits,
                                const char *preset, size_t size, float *out, pts_error *err)
{
    pts_image image;
    PTS_TRY(p->data ? pts_image_decode(p->name, p->data, p->size, limits, &image, err)
                    : pts_image_read(p->name, limits, &image, err));
    pts_status status = pts_preset_apply(preset, &image, size, out, err);
    pts_image_free(&image);
    return name_photograph(status, p->name, err);
}

pts_status pts_photograph_check(const pts_photograph *p, const pts_image_limits *limits,
                                pts_error *err)
{
    size_t width, height;
    return p->data ? pts_image_probe_data(p->name, p->data, p->size, limits, &width, &height, err)
                   : pts_image_probe(p->name, limits, &width, &height, err);
}

static pts_status make_input(void *user, size_t index, float *input, pts_error *err)
{
    const photographs *p = user;
    const pts_photograph photograph = {.name = p->paths[index]};
    return pts_photograph_ready(&photograph, p->limits, p->preset, p->side, input, err);
}

/* Rows were marked before the run: embeddings are numbers. */
static size_t whole_rows(const float *out, size_t count, size_t dim)
{
    size_t rows = 0;
    while (rows < count && !isnan(out[rows * dim]))
        rows++;
    return rows;
}

pts_status pts_encoder_embed_files(pts_encoder *encoder, const char *const *paths, size_t count,
                                   const char *preset, const pts_image_limits *limits, float *out,
                                   size_t *done, pts_error *err)
{
    const size_t dim = pts_encoder_dim(encoder);
    photographs p = {.paths = paths,
                     .preset = preset ? preset : pts_encoder_preset(encoder),
                     .side = pts_encoder_input_size(encoder),
                     .limits = limits};
    pts_error ignored;
    for (size_t i = 0; i < count; i++)
        out[i * dim] = NAN;
    pts_status status =
        pts_encoder_embed_from(encoder, make_input, &p, count, out, err ? err : &ignored);
    if (done)
        *done = status == PTS_OK ? count : whole_rows(out, count, dim);
    return status;
}
