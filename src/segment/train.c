/* The training loop: batches of random crops, one crop a task of the team. Each crop has a
 * gradient of its own and they are added in order, so the result does not depend on the number of
 * threads. */
#include "base/error.h"
#include "nn/layers.h"
#include "segment/segmenter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 8, CROP = 16, FINE_CROP = 2 * CROP };
/* Share of crops laid around an instance: the others see what is not one. */
#define ON_INSTANCE 0.7
#define CHANNEL_DROPOUT 0.1
#define RATE 2e-3f
#define RATE_END 2e-5f
/* Of steps and of the greatest rate, going on from a model. */
#define GOING_ON 0.25
#define WEIGHT_DECAY 1e-3f

typedef struct crop {
    float *coarse;  /* [CROP][CROP][COARSE_CHANNELS] */
    float *fine;    /* [FINE_CROP][FINE_CROP][FINE_CHANNELS] */
    float *cover;   /* [FINE_CROP][FINE_CROP][OUTPUTS]; −1 outside of the picture */
    float *dlogits; /* the same shape */
    decoder_tape tape;
    float *gradient; /* [pts_decoder_parameters()] */
} crop;

typedef struct trainer {
    const segment_target *targets;
    size_t count, step;
    uint64_t seed;
    const float *parameters;
    crop crops[BATCH];
} trainer;

/* More images hold more to learn, but no step sees more than BATCH crops. */
static size_t steps_for(size_t images)
{
    double steps = 120 * sqrt(sqrt(2 * (double)images));
    return steps > 800 ? 800 : (size_t)steps;
}

/* A picture smaller than the crop begins at 0: copy_window pads it. */
static size_t clamp_start(double centre, size_t cells)
{
    double start = centre - CROP / 2.0, last = cells > CROP ? (double)(cells - CROP) : 0;
    return (size_t)fmin(fmax(start, 0), last);
}

/* Uniform windows would seldom meet a small object. */
static void choose_window(const segment_target *target, pts_rng *rng, size_t *top, size_t *left)
{
    double y = pts_rng_uniform(rng) * (double)target->item->rows;
    double x = pts_rng_uniform(rng) * (double)target->item->columns;
    if (target->count && pts_rng_uniform(rng) < ON_INSTANCE) {
        const float *box = target->boxes + 4 * pts_rng_below(rng, target->count);
        x = box[0] + pts_rng_uniform(rng) * (box[2] - box[0]);
        y = box[1] + pts_rng_uniform(rng) * (box[3] - box[1]);
        x += (pts_rng_uniform(rng) - 0.5) * CROP / 2;
        y += (pts_rng_uniform(rng) - 0.5) * CROP / 2;
    }
    *top = clamp_start(y, target->item->rows);
    *left = clamp_start(x, target->item->columns);
}

/* Copies a window [side][side] of map [rows][columns][channels], mirrored or not; cells outside
 * of the map become `outside`. */
static void copy_window(const float *map, size_t rows, size_t columns, size_t channels, size_t top,
                        size_t left, size_t side, bool mirror, float outside, float *out)
{
    for (size_t y = 0; y < side; y++) {
        for (size_t x = 0; x < side; x++, out += channels) {
            size_t row = top + y, column = left + (mirror ? side - 1 - x : x);
            if (row < rows && column < columns)
                memcpy(out, map + (row * columns + column) * channels, channels * sizeof *out);
            else
                for (size_t c = 0; c < channels; c++)
                    out[c] = outside;
        }
    }
}

/* No channel may be leant on alone: with a few images some fit them by chance. */
static void drop_channels(float *map, size_t cells, size_t channels, pts_rng *rng)
{
    float scale[COARSE_CHANNELS];
    for (size_t c = 0; c < channels; c++)
        scale[c] = pts_rng_uniform(rng) < CHANNEL_DROPOUT ? 0 : 1 / (1 - (float)CHANNEL_DROPOUT);
    for (size_t i = 0; i < cells; i++) {
        for (size_t c = 0; c < channels; c++)
            map[i * channels + c] *= scale[c];
    }
}

/* A generator for each step and slot: what is drawn does not depend on which thread draws. */
static void draw_crop(const trainer *t, size_t slot, crop *c)
{
    pts_rng rng = pts_rng_stream(t->seed, 1 + t->step * BATCH + slot);
    const segment_target *target = &t->targets[pts_rng_below(&rng, t->count)];
    const feature_item *item = target->item;
    size_t top, left;
    choose_window(target, &rng, &top, &left);
    bool mirror = pts_rng_uniform(&rng) < 0.5;
    copy_window(item->coarse, item->rows, item->columns, COARSE_CHANNELS, top, left, CROP, mirror,
                0, c->coarse);
    copy_window(item->fine, 2 * item->rows, 2 * item->columns, FINE_CHANNELS, 2 * top, 2 * left,
                FINE_CROP, mirror, 0, c->fine);
    copy_window(target->cover, 2 * item->rows, 2 * item->columns, OUTPUTS, 2 * top, 2 * left,
                FINE_CROP, mirror, -1, c->cover);
    drop_channels(c->coarse, CROP * CROP, COARSE_CHANNELS, &rng);
}

/* d/dz of the mean binary cross-entropy: (sigmoid(z) − target) / count. */
static void loss_gradient(const float *logits, const float *cover, size_t count, float *dlogits)
{
    const float scale = 1.0f / (BATCH * FINE_CROP * FINE_CROP);
    for (size_t i = 0; i < count; i++)
        dlogits[i] = cover[i] < 0 ? 0 : (1 / (1 + expf(-logits[i])) - cover[i]) * scale;
}

static void crop_task(void *user, size_t slot, int thread)
{
    trainer *t = user;
    crop *c = &t->crops[slot];
    (void)thread;
    draw_crop(t, slot, c);
    pts_decoder_forward(t->parameters, c->coarse, c->fine, CROP, CROP, &c->tape);
    loss_gradient(c->tape.logits, c->cover, FINE_CROP * FINE_CROP * OUTPUTS, c->dlogits);
    memset(c->gradient, 0, pts_decoder_parameters() * sizeof *c->gradient);
    pts_decoder_backward(t->parameters, c->coarse, CROP, CROP, c->dlogits, &c->tape, c->gradient);
}

/* Called twice: the arena first counts, then carves. */
static void lay_out(trainer *t, pts_arena *arena, float **moments)
{
    size_t fine = FINE_CROP * FINE_CROP;
    for (size_t i = 0; i < BATCH; i++) {
        crop *c = &t->crops[i];
        c->coarse = pts_arena_take(arena, CROP * CROP * COARSE_CHANNELS, sizeof(float));
        c->fine = pts_arena_take(arena, fine * FINE_CHANNELS, sizeof(float));
        c->cover = pts_arena_take(arena, fine * OUTPUTS, sizeof(float));
        c->dlogits = pts_arena_take(arena, fine * OUTPUTS, sizeof(float));
        c->gradient = pts_arena_take(arena, pts_decoder_parameters(), sizeof(float));
        pts_decoder_tape_layout(&c->tape, arena, CROP, CROP, true);
    }
    for (int i = 0; i < 2; i++)
        moments[i] = pts_arena_take(arena, pts_decoder_parameters(), sizeof(float));
}

/* At least one, or a model would be saved untrained. */
static size_t steps_of(const decoder_plan *plan, size_t images)
{
    double steps = (double)steps_for(images) * (plan->goes_on ? GOING_ON : 1) * plan->steps;
    return steps < 1 ? 1 : (size_t)steps;
}

/* Adam, its rate along half a cosine: large steps first, none at the end. */
static void train_step(trainer *t, const decoder_plan *plan, size_t steps, float *parameters,
                       float *const *moments)
{
    const size_t size = pts_decoder_parameters();
    pts_team_run(plan->team, BATCH, crop_task, t);
    float *sum = t->crops[0].gradient;
    for (size_t b = 1; b < BATCH; b++) {
        for (size_t i = 0; i < size; i++)
            sum[i] += t->crops[b].gradient[i];
    }
    double phase = (double)t->step / (double)steps;
    float most = plan->goes_on ? RATE * (float)GOING_ON : RATE;
    float rate = RATE_END + (most - RATE_END) * 0.5f * (float)(1 + cos(3.14159265 * phase));
    const pts_adam adam = {rate, 0.9f, 0.99f, 1e-8f, WEIGHT_DECAY};
    pts_adam_step(&adam, t->step + 1, size, parameters, sum, moments[0], moments[1]);
}

/* The moments begin at zero also going on from a model: its file has none. */
static pts_status run_steps(trainer *t, const decoder_plan *plan, size_t steps, float *parameters,
                            float *const *moments, pts_error *err)
{
    memset(moments[0], 0, pts_decoder_parameters() * sizeof(float));
    memset(moments[1], 0, pts_decoder_parameters() * sizeof(float));
    for (t->step = 0; t->step < steps; t->step++) {
        train_step(t, plan, steps, parameters, moments);
        if (plan->progress && plan->progress(plan->user, "training", t->step + 1, steps))
            return pts_fail(err, PTS_ERR_CANCELLED, "training: cancelled at step %zu of %zu",
                            t->step + 1, steps);
    }
    return PTS_OK;
}

pts_status pts_decoder_train(float *parameters, const segment_target *targets, size_t count,
                             const decoder_plan *plan, size_t *steps, pts_error *err)
{
    trainer t = {.targets = targets, .count = count, .seed = plan->seed, .parameters = parameters};
    pts_arena arena = {0};
    float *moments[2];
    lay_out(&t, &arena, moments);
    PTS_TRY(pts_arena_commit(&arena, err));
    lay_out(&t, &arena, moments);
    if (!plan->goes_on)
        pts_decoder_init(parameters, plan->seed);
    *steps = steps_of(plan, count);
    pts_status status = run_steps(&t, plan, *steps, parameters, moments, err);
    pts_arena_free(&arena);
    return status;
}
