#include "encoder_input.h"

#include <stdlib.h>

pts_status bench_encoder_open(bench *b, bench_encoder *e)
{
    *e = (bench_encoder){0};
    PTS_TRY(pts_encoder_open(&e->encoder, b->encoder_path, b->team, &b->err));
    size_t side = pts_encoder_input_size(e->encoder);
    e->image_floats = side * side * 3;
    e->dim = pts_encoder_dim(e->encoder);
    return PTS_OK;
}

void bench_encoder_close(bench_encoder *e)
{
    pts_encoder_close(e->encoder);
    free(e->images);
    free(e->out);
}

pts_status bench_encoder_fill(bench *b, bench_encoder *e, size_t count)
{
    PTS_TRY(pts_grow(&e->images, &e->image_room, count, e->image_floats * sizeof(float), &b->err));
    PTS_TRY(pts_grow(&e->out, &e->out_room, count, e->dim * sizeof(float), &b->err));
    for (; e->made < count; e->made++)
        bench_make_image(e, e->made, e->images + e->made * e->image_floats);
    e->count = count;
    return PTS_OK;
}

void bench_make_image(const bench_encoder *e, size_t index, float *image)
{
    uint64_t state = index + 1;
    for (size_t i = 0; i < e->image_floats; i++)
        image[i] = (float)(2 * bench_uniform(&state) - 1);
}

pts_status bench_embed(void *encoder, pts_error *err)
{
    bench_encoder *e = encoder;
    return pts_encoder_embed(e->encoder, e->images, e->count, e->out, err);
}
