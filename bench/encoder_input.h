/* The encoder's input, the same for every mode and for the peers beside it: image i holds what the
 * generator gives from i + 1 on, in [-1, 1). */
#ifndef PTS_BENCH_ENCODER_INPUT_H
#define PTS_BENCH_ENCODER_INPUT_H

#include "bench.h"

#include "pts/encoder.h"

enum { BENCH_MOST_IMAGES = 1024 };

typedef struct bench_encoder {
    pts_encoder *encoder;
    size_t image_floats, dim;
    float *images; /* [image_room][size][size][3] */
    float *out;    /* [out_room][dim] */
    size_t image_room, out_room;
    size_t made, count; /* images filled, and how many bench_embed takes */
} bench_encoder;

/* bench_encoder_close is due in any case. */
pts_status bench_encoder_open(bench *b, bench_encoder *e);
void bench_encoder_close(bench_encoder *e);

/* Makes the first `count` images and sets e->count. */
pts_status bench_encoder_fill(bench *b, bench_encoder *e, size_t count);

void bench_make_image(const bench_encoder *e, size_t index, float *image /* [size][size][3] */);
pts_status bench_embed(void *encoder /* bench_encoder */, pts_error *err);

#endif
