/* The encoder of the weights file, by batch. */
#include "bench.h"

#include "pts/encoder.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct embedding_job {
    pts_encoder *encoder;
    const float *images;
    float *out;
    size_t count;
} embedding_job;

static pts_status embed_work(void *user, pts_error *err)
{
    embedding_job *j = user;
    return pts_encoder_embed(j->encoder, j->images, j->count, j->out, err);
}

/* Multiplications and additions of InceptionV3's convolutions at 299×299. */
#define INCEPTION_V3_FLOPS (2 * 5.713e9)

pts_status bench_encoders(bench *b)
{
    enum { BATCH = 4 };
    embedding_job job;
    pts_status status = pts_encoder_open(&job.encoder, b->encoder_path, b->team, &b->err);
    if (status != PTS_OK)
        return status;
    size_t side = pts_encoder_input_size(job.encoder), floats = side * side * 3;
    float *images = malloc(BATCH * floats * sizeof *images);
    job.out = malloc(BATCH * pts_encoder_dim(job.encoder) * sizeof *job.out);
    uint64_t state = 1;
    for (size_t i = 0; images && i < BATCH * floats; i++)
        images[i] = (float)bench_uniform(&state);
    job.images = images;
    if (!images || !job.out)
        status = PTS_ERR_MEMORY;
    for (job.count = 1; status == PTS_OK && job.count <= BATCH; job.count += BATCH - 1) {
        char name[64];
        snprintf(name, sizeof name, "encoder %s, batch %zu, %d threads",
                 pts_encoder_arch(job.encoder), job.count, pts_team_threads(b->team));
        status = bench_measure(b, name, INCEPTION_V3_FLOPS * (double)job.count, embed_work, &job);
    }
    free(images);
    free(job.out);
    pts_encoder_close(job.encoder);
    return status;
}
