#include "base/error.h"
#include "encoders/inception_v3.h"

#include <stdlib.h>
#include <string.h>

struct pts_encoder {
    pts_weights *weights;
    network net;
    size_t height, width; /* what the arena is planned for */
};

static pts_status plan(pts_encoder *encoder, size_t height, size_t width, pts_error *err)
{
    network *net = &encoder->net;
    net->planning = true;
    net->main_floats = net->scratch_floats = net->work_floats = 0;
    net->layer = 0;
    net->turn = 0;
    net->done = false;
    net->last = NULL;
    net->status = PTS_OK;
    net->err = err;
    memset(net->main, 0, sizeof net->main);
    memset(net->scratch, 0, sizeof net->scratch);
    inception_v3_forward(net, (pts_feature_map){NULL, height, width, 3, 3}, NULL);
    net->planning = false;
    encoder->height = encoder->width = 0;
    PTS_TRY(net->status);
    PTS_TRY(network_prepare(net));
    encoder->height = height;
    encoder->width = width;
    return PTS_OK;
}

static pts_status meta(const pts_weights *weights, const char *key, const char **value,
                       pts_error *err)
{
    *value = pts_weights_meta(weights, key);
    if (!*value)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected metadata '%s', got none",
                        pts_weights_path(weights), key);
    return PTS_OK;
}

static pts_status read_pooling(pts_encoder *encoder, pts_error *err)
{
    const char *pooling;
    PTS_TRY(meta(encoder->weights, "avgpool", &pooling, err));
    encoder->net.count_padding = strcmp(pooling, "include_pad") == 0;
    if (!encoder->net.count_padding && strcmp(pooling, "exclude_pad") != 0)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: avgpool: expected 'exclude_pad' or 'include_pad', got '%s'",
                        pts_weights_path(encoder->weights), pooling);
    return PTS_OK;
}

static pts_status open_checked(pts_encoder *encoder, const char *path, pts_error *err)
{
    const char *arch, *ignored;
    PTS_TRY(pts_weights_open(&encoder->weights, path, err));
    PTS_TRY(meta(encoder->weights, "arch", &arch, err));
    if (strcmp(arch, "inception_v3") != 0)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: expected an encoder (inception_v3), got '%s'", path, arch);
    PTS_TRY(meta(encoder->weights, "preset", &ignored, err));
    PTS_TRY(meta(encoder->weights, "source_sha256", &ignored, err));
    PTS_TRY(read_pooling(encoder, err));
    encoder->net.weights = encoder->weights;
    return plan(encoder, INCEPTION_V3_INPUT, INCEPTION_V3_INPUT, err);
}

pts_status pts_encoder_open(pts_encoder **out, const char *path, pts_team *team, pts_error *err)
{
    *out = NULL;
    pts_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return pts_fail_memory(err, sizeof *encoder);
    encoder->net.team = team;
    pts_status status = open_checked(encoder, path, err);
    if (status != PTS_OK) {
        pts_encoder_close(encoder);
        return status;
    }
    *out = encoder;
    return PTS_OK;
}

void pts_encoder_close(pts_encoder *encoder)
{
    if (!encoder)
        return;
    network_free(&encoder->net);
    pts_weights_close(encoder->weights);
    free(encoder);
}

const char *pts_encoder_arch(const pts_encoder *encoder)
{
    return pts_weights_meta(encoder->weights, "arch");
}

const char *pts_encoder_preset(const pts_encoder *encoder)
{
    return pts_weights_meta(encoder->weights, "preset");
}

const char *pts_encoder_id(const pts_encoder *encoder)
{
    return pts_weights_meta(encoder->weights, "source_sha256");
}

size_t pts_encoder_dim(const pts_encoder *encoder)
{
    (void)encoder;
    return INCEPTION_V3_DIM;
}

size_t pts_encoder_input_size(const pts_encoder *encoder)
{
    (void)encoder;
    return INCEPTION_V3_INPUT;
}

size_t pts_encoder_arena_bytes(const pts_encoder *encoder)
{
    return encoder->net.arena.size;
}

/* The arena serves one size of input; changing it plans anew. */
static pts_status run(pts_encoder *encoder, const float *image, size_t height, size_t width,
                      const char *last, float *embedding, pts_error *err)
{
    if (height != encoder->height || width != encoder->width)
        PTS_TRY(plan(encoder, height, width, err));
    network *net = &encoder->net;
    net->layer = 0;
    net->turn = 0;
    net->done = false;
    net->last = last;
    net->status = PTS_OK;
    net->err = err;
    /* Kernels write to outputs only; the map type is shared, hence the cast. */
    inception_v3_forward(net, (pts_feature_map){(float *)(uintptr_t)image, height, width, 3, 3},
                         embedding);
    return net->status;
}

pts_status pts_encoder_embed(pts_encoder *encoder, const float *images, size_t count, float *out,
                             pts_error *err)
{
    const size_t side = INCEPTION_V3_INPUT;
    encoder->net.visit = NULL;
    for (size_t i = 0; i < count; i++)
        PTS_TRY(run(encoder, images + i * side * side * 3, side, side, NULL,
                    out + i * INCEPTION_V3_DIM, err));
    return PTS_OK;
}

pts_status pts_encoder_taps(pts_encoder *encoder, const float *image, size_t height, size_t width,
                            const char *last, pts_tap_visitor visit, void *user, pts_error *err)
{
    float embedding[INCEPTION_V3_DIM];
    if (height < INCEPTION_V3_SMALLEST || width < INCEPTION_V3_SMALLEST)
        return pts_fail(err, PTS_ERR_ARGUMENT, "image: expected sides of at least %d, got %zu×%zu",
                        INCEPTION_V3_SMALLEST, width, height);
    encoder->net.visit = visit;
    encoder->net.user = user;
    PTS_TRY(run(encoder, image, height, width, last, embedding, err));
    if (encoder->net.done)
        return PTS_OK;
    if (last && strcmp(last, "embedding") != 0)
        return pts_fail(err, PTS_ERR_ARGUMENT, "tap: the network has none named '%s'", last);
    visit(user, "embedding", embedding, 1, 1, INCEPTION_V3_DIM);
    return PTS_OK;
}
