#include "base/error.h"
#include "encoders/inception_v3.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct pts_encoder {
    pts_weights *weights;
    network_layers layers;
    network net;          /* one image on the whole team */
    network *alone;       /* [threads] one image a thread, made when first needed; or NULL */
    size_t height, width; /* what net's arena is planned for */
};

/* A dry run: binds the layers the first time, and sizes the arena. */
static pts_status plan(pts_encoder *encoder, network *net, size_t height, size_t width,
                       pts_error *err)
{
    network_begin(net, true, NULL, err);
    inception_v3_forward(net, (pts_feature_map){NULL, height, width, 3, 3}, NULL);
    PTS_TRY(net->status);
    if (!encoder->layers.bound)
        PTS_TRY(network_layers_pack(&encoder->layers, net->team, err));
    return network_prepare(net);
}

static pts_status plan_together(pts_encoder *encoder, size_t height, size_t width, pts_error *err)
{
    encoder->height = encoder->width = 0;
    PTS_TRY(plan(encoder, &encoder->net, height, width, err));
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
    encoder->layers.weights = encoder->weights;
    encoder->layers.level = pts_level_current();
    encoder->net.layers = &encoder->layers;
    return plan_together(encoder, INCEPTION_V3_INPUT, INCEPTION_V3_INPUT, err);
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

static void free_alone(pts_encoder *encoder)
{
    for (int i = 0; encoder->alone && i < pts_team_threads(encoder->net.team); i++)
        network_free(&encoder->alone[i]);
    free(encoder->alone);
    encoder->alone = NULL;
}

void pts_encoder_close(pts_encoder *encoder)
{
    if (!encoder)
        return;
    network_free(&encoder->net);
    free_alone(encoder);
    pts_arena_free(&encoder->layers.arena);
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

double pts_encoder_flops(const pts_encoder *encoder)
{
    return encoder->net.flops;
}

static pts_status forward(network *net, const float *image, size_t height, size_t width,
                          const char *last, float *embedding, pts_error *err)
{
    network_begin(net, false, last, err);
    /* Kernels write to outputs only; the map type is shared, hence the cast. */
    inception_v3_forward(net, (pts_feature_map){(float *)(uintptr_t)image, height, width, 3, 3},
                         embedding);
    return net->status;
}

/* The arena serves one size of input; changing it plans anew. */
static pts_status run_together(pts_encoder *encoder, const float *image, size_t height,
                               size_t width, const char *last, float *embedding, pts_error *err)
{
    if (height != encoder->height || width != encoder->width)
        PTS_TRY(plan_together(encoder, height, width, err));
    return forward(&encoder->net, image, height, width, last, embedding, err);
}

/* ---- many images ---- */

/* Where images come from: a source, or an array. */
typedef struct batch {
    pts_encoder *encoder;
    pts_image_source source;
    void *user;
    const float *images; /* [count][size][size][3], or NULL */
    float *made;         /* [threads][size][size][3], what the source makes */
    float *out;          /* [count][dim] */
    pthread_mutex_t mutex;
    size_t failed; /* the first image that failed; SIZE_MAX: none */
    pts_status status;
    pts_error error;
} batch;

enum { IMAGE_FLOATS = INCEPTION_V3_INPUT * INCEPTION_V3_INPUT * 3 };

static pts_status embed_one(batch *b, network *net, size_t index, int thread, pts_error *err)
{
    const size_t side = INCEPTION_V3_INPUT;
    const float *image;
    if (b->images) {
        image = b->images + index * IMAGE_FLOATS;
    } else {
        float *made = b->made + (size_t)thread * IMAGE_FLOATS;
        PTS_TRY(b->source(b->user, index, made, err));
        image = made;
    }
    return forward(net, image, side, side, NULL, b->out + index * INCEPTION_V3_DIM, err);
}

static void note_failure(batch *b, size_t index, pts_status status, const pts_error *err)
{
    pthread_mutex_lock(&b->mutex);
    if (index < b->failed) {
        b->failed = index;
        b->status = status;
        b->error = *err;
    }
    pthread_mutex_unlock(&b->mutex);
}

static void embed_task(void *user, size_t index, int thread)
{
    batch *b = user;
    pts_error err;
    pthread_mutex_lock(&b->mutex);
    bool needed = index < b->failed;
    pthread_mutex_unlock(&b->mutex);
    if (!needed)
        return;
    pts_status status = embed_one(b, &b->encoder->alone[thread], index, thread, &err);
    if (status != PTS_OK)
        note_failure(b, index, status, &err);
}

static pts_status plan_alone(pts_encoder *encoder, pts_error *err)
{
    const size_t side = INCEPTION_V3_INPUT, threads = (size_t)pts_team_threads(encoder->net.team);
    network *alone = calloc(threads, sizeof *alone);
    if (!alone)
        return pts_fail_memory(err, threads * sizeof *alone);
    encoder->alone = alone;
    for (size_t i = 0; i < threads; i++) {
        alone[i].layers = &encoder->layers;
        alone[i].count_padding = encoder->net.count_padding;
        PTS_TRY(plan(encoder, &alone[i], side, side, err));
    }
    return PTS_OK;
}

/* The first `count` images, one a thread at a time: threads do not wait for each other, and each
 * keeps its maps in its own cache. */
static pts_status embed_alone(batch *b, size_t count, pts_error *err)
{
    pts_encoder *encoder = b->encoder;
    if (!encoder->alone) {
        pts_status status = plan_alone(encoder, err);
        if (status != PTS_OK) {
            free_alone(encoder);
            return status;
        }
    }
    pts_team_run(encoder->net.team, count, embed_task, b);
    if (b->status != PTS_OK && err)
        *err = b->error;
    return b->status;
}

static pts_status embed_batch(batch *b, size_t count, pts_error *err)
{
    pts_encoder *encoder = b->encoder;
    const size_t side = INCEPTION_V3_INPUT, threads = (size_t)pts_team_threads(encoder->net.team);
    size_t alone = threads > 1 ? count / threads * threads : 0;
    b->failed = SIZE_MAX;
    encoder->net.visit = NULL;
    encoder->net.visit_step = NULL;
    if (alone)
        PTS_TRY(embed_alone(b, alone, err));
    if (alone < count && (side != encoder->height || side != encoder->width))
        PTS_TRY(plan_together(encoder, side, side, err));
    for (size_t i = alone; i < count; i++)
        PTS_TRY(embed_one(b, &encoder->net, i, 0, err));
    return PTS_OK;
}

pts_status pts_encoder_embed(pts_encoder *encoder, const float *images, size_t count, float *out,
                             pts_error *err)
{
    batch b = {.encoder = encoder, .images = images, .out = out};
    pthread_mutex_init(&b.mutex, NULL);
    pts_status status = embed_batch(&b, count, err);
    pthread_mutex_destroy(&b.mutex);
    return status;
}

pts_status pts_encoder_embed_from(pts_encoder *encoder, pts_image_source source, void *user,
                                  size_t count, float *out, pts_error *err)
{
    const size_t threads = (size_t)pts_team_threads(encoder->net.team);
    batch b = {.encoder = encoder, .source = source, .user = user, .out = out};
    b.made = pts_calloc64(threads, IMAGE_FLOATS * sizeof *b.made);
    if (!b.made)
        return pts_fail_memory(err, threads * IMAGE_FLOATS * sizeof *b.made);
    pthread_mutex_init(&b.mutex, NULL);
    pts_status status = embed_batch(&b, count, err);
    pthread_mutex_destroy(&b.mutex);
    free(b.made);
    return status;
}

pts_status pts_encoder_profile(pts_encoder *encoder, const float *image, pts_step_visitor visit,
                               void *user, pts_error *err)
{
    const size_t side = INCEPTION_V3_INPUT;
    float embedding[INCEPTION_V3_DIM];
    encoder->net.visit = NULL;
    encoder->net.visit_step = visit;
    encoder->net.user = user;
    pts_status status = run_together(encoder, image, side, side, NULL, embedding, err);
    encoder->net.visit_step = NULL;
    return status;
}

pts_status pts_encoder_taps(pts_encoder *encoder, const float *image, size_t height, size_t width,
                            const char *last, pts_tap_visitor visit, void *user, pts_error *err)
{
    float embedding[INCEPTION_V3_DIM];
    if (height < INCEPTION_V3_SMALLEST || width < INCEPTION_V3_SMALLEST)
        return pts_fail(err, PTS_ERR_ARGUMENT, "image: expected sides of at least %d, got %zu×%zu",
                        INCEPTION_V3_SMALLEST, width, height);
    encoder->net.visit = visit;
    encoder->net.visit_step = NULL;
    encoder->net.user = user;
    PTS_TRY(run_together(encoder, image, height, width, last, embedding, err));
    if (encoder->net.done)
        return PTS_OK;
    if (last && strcmp(last, "embedding") != 0)
        return pts_fail(err, PTS_ERR_ARGUMENT, "tap: the network has none named '%s'", last);
    visit(user, "embedding", embedding, 1, 1, INCEPTION_V3_DIM);
    return PTS_OK;
}
