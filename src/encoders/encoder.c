#include "base/error.h"
#include "base/memory.h"
#include "encoders/encoder.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const pts_arch *const archs[] = {&pts_arch_inception_v3, &pts_arch_clip_vit};

static pts_status find_arch(pts_encoder *encoder, const char *name, pts_error *err)
{
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        if (strcmp(name, archs[i]->name) == 0) {
            encoder->arch = archs[i];
            return PTS_OK;
        }
    }
    return pts_fail(err, PTS_ERR_UNSUPPORTED,
                    "%s: expected an encoder (inception_v3, clip_vit), got '%s'",
                    pts_weights_path(encoder->weights), name);
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

static void close_pass(pts_encoder *encoder, void *pass)
{
    if (pass)
        encoder->arch->pass_close(pass);
    free(pass);
}

/* Where it fails, *pass is there to be closed all the same. */
static pts_status open_pass(pts_encoder *encoder, void **pass, pts_team *team, pts_error *err)
{
    PTS_TRY(pts_new(pass, 1, encoder->arch->pass_size, err));
    return encoder->arch->pass_open(*pass, encoder->model, team, err);
}

static pts_status open_checked(pts_encoder *encoder, const char *path, pts_error *err)
{
    const char *name, *ignored;
    PTS_TRY(pts_weights_open(&encoder->weights, path, err));
    PTS_TRY(pts_weights_widen(encoder->weights, err));
    PTS_TRY(meta(encoder->weights, "arch", &name, err));
    PTS_TRY(find_arch(encoder, name, err));
    PTS_TRY(meta(encoder->weights, "preset", &ignored, err));
    PTS_TRY(meta(encoder->weights, "source_sha256", &ignored, err));
    PTS_TRY(pts_new(&encoder->model, 1, encoder->arch->model_size, err));
    PTS_TRY(encoder->arch->open(encoder->model, encoder->weights, pts_level_current(),
                                encoder->team, &encoder->info, err));
    encoder->image_floats = encoder->info.input * encoder->info.input * 3;
    PTS_TRY(pts_new(&encoder->embedding, encoder->info.dim, sizeof *encoder->embedding, err));
    return open_pass(encoder, &encoder->together, encoder->team, err);
}

pts_status pts_encoder_open(pts_encoder **out, const char *path, pts_team *team, pts_error *err)
{
    *out = NULL;
    pts_encoder *encoder;
    PTS_TRY(pts_new(&encoder, 1, sizeof *encoder, err));
    encoder->team = team;
    pts_status status = open_checked(encoder, path, err);
    if (status != PTS_OK) {
        pts_encoder_close(encoder);
        return status;
    }
    *out = encoder;
    return PTS_OK;
}

static void close_alone(pts_encoder *encoder)
{
    for (int i = 0; encoder->alone && i < pts_team_threads(encoder->team); i++)
        close_pass(encoder, encoder->alone[i]);
    free(encoder->alone);
    encoder->alone = NULL;
}

void pts_encoder_close(pts_encoder *encoder)
{
    if (!encoder)
        return;
    close_alone(encoder);
    close_pass(encoder, encoder->together);
    if (encoder->model)
        encoder->arch->close(encoder->model);
    free(encoder->model);
    free(encoder->embedding);
    pts_weights_close(encoder->weights);
    free(encoder);
}

const char *pts_encoder_arch(const pts_encoder *encoder)
{
    return encoder->arch->name;
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
    return encoder->info.dim;
}

size_t pts_encoder_input_size(const pts_encoder *encoder)
{
    return encoder->info.input;
}

size_t pts_encoder_arena_bytes(const pts_encoder *encoder)
{
    return encoder->arch->pass_bytes(encoder->together);
}

/* ---- many images ---- */

/* Where images come from: a source, or an array. */
typedef struct batch {
    pts_encoder *encoder;
    pts_image_source source;
    void *user;
    const float *images; /* [count][size][size][3], or NULL */
    float *made;         /* [threads or group][size][size][3], what the source makes */
    float *out;          /* [count][dim] */
    size_t first;        /* of the group at work */
    pthread_mutex_t mutex;
    size_t failed; /* the first image that failed; SIZE_MAX: none */
    pts_status status;
    pts_error error;
} batch;

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

static bool is_needed(batch *b, size_t index)
{
    pthread_mutex_lock(&b->mutex);
    bool needed = index < b->failed;
    pthread_mutex_unlock(&b->mutex);
    return needed;
}

static pts_status report(const batch *b, pts_error *err)
{
    if (b->status != PTS_OK && err)
        *err = b->error;
    return b->status;
}

/* `count` images from `first` on, from the array or as `made`, through one pass. */
static pts_status run_images(batch *b, void *pass, size_t first, size_t count, const float *made,
                             pts_error *err)
{
    const pts_encoder *encoder = b->encoder;
    const size_t side = encoder->info.input;
    pts_arch_run run = {.count = count, .height = side, .width = side};
    run.images = b->images ? b->images + first * encoder->image_floats : made;
    run.out = b->out + first * encoder->info.dim;
    return encoder->arch->run(pass, &run, err);
}

static void embed_task(void *user, size_t index, int thread)
{
    batch *b = user;
    pts_error err;
    if (!is_needed(b, index))
        return;
    pts_status status = PTS_OK;
    float *made = b->source ? b->made + (size_t)thread * b->encoder->image_floats : NULL;
    if (made)
        status = b->source(b->user, index, made, &err);
    if (status == PTS_OK)
        status = run_images(b, b->encoder->alone[thread], index, 1, made, &err);
    if (status != PTS_OK)
        note_failure(b, index, status, &err);
}

static pts_status open_alone(pts_encoder *encoder, pts_error *err)
{
    const size_t threads = (size_t)pts_team_threads(encoder->team);
    PTS_TRY(pts_new(&encoder->alone, threads, sizeof *encoder->alone, err));
    pts_status status = PTS_OK;
    for (size_t i = 0; i < threads && status == PTS_OK; i++)
        status = open_pass(encoder, &encoder->alone[i], NULL, err);
    if (status != PTS_OK)
        close_alone(encoder);
    return status;
}

/* The first `count` images, one a thread at a time: threads do not wait for each other, and each
 * keeps its maps in its own cache. */
static pts_status embed_alone(batch *b, size_t count, pts_error *err)
{
    pts_encoder *encoder = b->encoder;
    if (!encoder->alone)
        PTS_TRY(open_alone(encoder, err));
    pts_team_run(encoder->team, count, embed_task, b);
    return report(b, err);
}

static void make_task(void *user, size_t task, int thread)
{
    batch *b = user;
    pts_error err;
    size_t index = b->first + task;
    (void)thread;
    if (!is_needed(b, index))
        return;
    pts_status status = b->source(b->user, index, b->made + task * b->encoder->image_floats, &err);
    if (status != PTS_OK)
        note_failure(b, index, status, &err);
}

/* Images [first, end), a group at a time on the whole team; groups of about the same size. Those
 * before one that cannot be made are encoded. */
static pts_status embed_groups(batch *b, size_t first, size_t end, pts_error *err)
{
    pts_encoder *encoder = b->encoder;
    size_t groups = (end - first + encoder->info.group - 1) / encoder->info.group;
    for (b->first = first; groups; groups--) {
        size_t count = (end - b->first + groups - 1) / groups;
        if (b->source)
            pts_team_run(encoder->team, count, make_task, b);
        size_t made = b->failed - b->first < count ? b->failed - b->first : count;
        if (made)
            PTS_TRY(run_images(b, encoder->together, b->first, made, b->made, err));
        PTS_TRY(report(b, err));
        b->first += count;
    }
    return PTS_OK;
}

static pts_status embed_batch(batch *b, size_t count, pts_error *err)
{
    const pts_encoder *encoder = b->encoder;
    const size_t threads = (size_t)pts_team_threads(encoder->team);
    size_t alone = encoder->info.alone && threads > 1 ? count / threads * threads : 0;
    b->failed = SIZE_MAX;
    if (alone)
        PTS_TRY(embed_alone(b, alone, err));
    return embed_groups(b, alone, count, err);
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
    const size_t threads = (size_t)pts_team_threads(encoder->team);
    const size_t held = encoder->info.alone ? threads : encoder->info.group;
    const size_t bytes = encoder->image_floats * sizeof(float);
    batch b = {.encoder = encoder, .source = source, .user = user, .out = out};
    PTS_TRY(pts_new(&b.made, held, bytes, err));
    pthread_mutex_init(&b.mutex, NULL);
    pts_status status = embed_batch(&b, count, err);
    pthread_mutex_destroy(&b.mutex);
    free(b.made);
    return status;
}
