/* The segmenter's parts: decoder gradients against central differences, chamfer distances against
 * brute force, cutting of known maps, targets of known shapes, principal components. */
#include "check_main.h"

#include "learn/layers.h"
#include "segment/pca.h"
#include "segment/segmenter.h"

#include <math.h>
#include <string.h>

static void fill_normal(pts_rng *rng, float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)pts_rng_normal(rng);
}

enum { ROWS = 3, COLUMNS = 4, CELLS = ROWS * COLUMNS };

static double weighted_logits(const float *p, const float *coarse, const float *fine,
                              const float *weights, decoder_tape *tape)
{
    decoder_forward(p, coarse, fine, ROWS, COLUMNS, tape);
    double sum = 0;
    for (size_t i = 0; i < CELLS * 4 * OUTPUTS; i++)
        sum += (double)tape->logits[i] * (double)weights[i];
    return sum;
}

/* A step of 2^-10 balances the float32 rounding of the logits against the kinks of the ReLUs. A
 * draw whose step crosses a kink is off whatever the backward pass does, so of the 40 draws of each
 * group nine in ten must agree, to 2 % of the group's largest; a wrong backward pass fails all. */
START_TEST(decoder_gradient_equals_differences)
{
    static float coarse[CELLS * COARSE_CHANNELS], fine[CELLS * 4 * FINE_CHANNELS];
    static float weights[CELLS * 4 * OUTPUTS];
    pts_rng rng = {5};
    fill_normal(&rng, coarse, CELLS * COARSE_CHANNELS);
    fill_normal(&rng, fine, CELLS * 4 * FINE_CHANNELS);
    fill_normal(&rng, weights, CELLS * 4 * OUTPUTS);
    size_t size = decoder_parameters();
    float *p = pts_calloc64(size, sizeof *p), *g = pts_calloc64(size, sizeof *g);
    decoder_init(p, 7);
    pts_arena arena = {0};
    decoder_tape tape;
    decoder_tape_layout(&tape, &arena, ROWS, COLUMNS, 1);
    ck_assert_int_eq(pts_arena_commit(&arena, NULL), PTS_OK);
    decoder_tape_layout(&tape, &arena, ROWS, COLUMNS, 1);
    weighted_logits(p, coarse, fine, weights, &tape);
    decoder_backward(p, coarse, ROWS, COLUMNS, weights, &tape, g);
    for (size_t group = 0; group < 8; group++) {
        double off[40], largest = 0;
        for (int draw = 0; draw < 40; draw++) {
            size_t i = group * size / 8 + pts_rng_below(&rng, size / 8);
            float keep = p[i], step = 1.0f / 1024;
            p[i] = keep + step;
            double up = weighted_logits(p, coarse, fine, weights, &tape);
            p[i] = keep - step;
            double down = weighted_logits(p, coarse, fine, weights, &tape);
            p[i] = keep;
            double numeric = (up - down) / (2 * (double)step);
            off[draw] = fabs(numeric - (double)g[i]);
            largest = fmax(largest, fabs(numeric));
        }
        int agree = 0;
        for (int draw = 0; draw < 40; draw++)
            agree += off[draw] <= 0.02 * largest;
        ck_assert_double_gt(largest, 0);
        ck_assert_msg(agree >= 36, "group %zu: %d of 40 draws agree", group, agree);
    }
    pts_arena_free(&arena);
    free(p);
    free(g);
}
END_TEST

/* The 3–4 chamfer's distance is exact in its own metric: the least over all rim pixels of
 * 3·straight + 4·diagonal steps, within a convex region. */
START_TEST(chamfer_equals_brute_force)
{
    enum { H = 13, W = 17 };
    int32_t label[H * W], distance[H * W];
    for (int i = 0; i < H * W; i++) {
        int y = i / W, x = i % W;
        label[i] = x >= 2 && x < 9 && y >= 1 && y < 12 ? 0 : x >= 9 && x < 15 && y > 4 ? 1 : -1;
    }
    chamfer_distance(label, H, W, distance);
    for (int i = 0; i < H * W; i++) {
        int32_t best = label[i] < 0 ? 0 : INT32_MAX;
        for (int j = 0; label[i] >= 0 && j < H * W; j++) {
            if (label[j] == label[i])
                continue;
            int dy = abs(i / W - j / W), dx = abs(i % W - j % W);
            int diagonal = dx < dy ? dx : dy, straight = dx + dy - 2 * diagonal;
            int d = 4 * diagonal + 3 * straight;
            best = d < best ? d : best;
        }
        ck_assert_int_eq(distance[i], best);
    }
}
END_TEST

/* Two discs that touch: the object mask is one component, the cores are two. */
START_TEST(cores_part_touching_instances)
{
    enum { H = 30, W = 60 };
    instance_room room;
    ck_assert_int_eq(instance_room_create(&room, H * W, NULL), PTS_OK);
    for (int i = 0; i < H * W; i++) {
        double y = i / W - 15, a = i % W - 18, b = i % W - 40;
        double r = fmin(sqrt(a * a + y * y), sqrt(b * b + y * y));
        room.object[i] = r < 11.5 ? 0.9f : 0.1f;
        room.core[i] = r < 5 ? 0.9f : 0.1f;
    }
    pts_instances found;
    instance_rule rule = {1, 0.5f};
    ck_assert_int_eq(instances_cut(&room, H, W, &rule, &found, NULL), PTS_OK);
    ck_assert_uint_eq(found.count, 2);
    ck_assert_double_eq_tol(found.scores[0], 0.9 * 0.9, 1e-6);
    size_t parts = pts_rle_area(found.masks[0]) + pts_rle_area(found.masks[1]);
    pts_instances_free(&found);
    rule.from_cores = 0;
    ck_assert_int_eq(instances_cut(&room, H, W, &rule, &found, NULL), PTS_OK);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_uint_eq(pts_rle_area(found.masks[0]), parts);
    pts_instances_free(&found);
    instance_room_free(&room);
}
END_TEST

START_TEST(specks_are_dropped_and_empty_maps_are_empty)
{
    instance_room room;
    ck_assert_int_eq(instance_room_create(&room, 100, NULL), PTS_OK);
    room.object[55] = 1;
    pts_instances found;
    const instance_rule rule = {1, 0.5f};
    ck_assert_int_eq(instances_cut(&room, 10, 10, &rule, &found, NULL), PTS_OK);
    ck_assert_uint_eq(found.count, 0);
    pts_instances_free(&found);
    instance_room_free(&room);
}
END_TEST

/* A square of 64×64 input pixels on a picture of 128×96: full cover inside, none outside, and a
 * core of (1 − 0.45)² of its area up to the raster. */
START_TEST(targets_of_a_square)
{
    feature_item item = {.in_width = 128, .in_height = 96, .rows = 12, .columns = 16};
    const float xy[] = {0.25f, 1 / 6.0f, 0.75f, 1 / 6.0f, 0.75f, 5 / 6.0f, 0.25f, 5 / 6.0f};
    const size_t end = 4;
    const pts_labelled_instance square = {.xy = xy, .ends = &end, .parts = 1};
    segment_target target;
    ck_assert_int_eq(segment_target_make(&target, &item, &square, 1, NULL), PTS_OK);
    double sums[OUTPUTS] = {0};
    for (size_t i = 0; i < 24 * 32; i++) {
        size_t y = i / 32, x = i % 32;
        int inside = x >= 8 && x < 24 && y >= 4 && y < 20;
        ck_assert_float_eq_tol(target.cover[i * OUTPUTS + OBJECT], inside ? 1 : 0, 1e-6f);
        for (int k = 0; k < OUTPUTS; k++)
            sums[k] += (double)target.cover[i * OUTPUTS + (size_t)k];
    }
    ck_assert_double_eq_tol(sums[OBJECT], 256, 1e-4);
    ck_assert_double_eq_tol(sums[CORE] / 256, 0.55 * 0.55, 0.03);
    ck_assert_float_eq_tol(target.boxes[0], 4, 1e-4f);
    ck_assert_float_eq_tol(target.boxes[3], 10, 1e-4f);
    segment_target_free(&target);
}
END_TEST

/* Data on a plane in three dimensions: two components carry all the variance, they are
 * uncorrelated, and their mean variance is 1. */
START_TEST(components_are_uncorrelated)
{
    enum { N = 500 };
    static float x[N * 3], y[N * 2];
    pts_rng rng = {3};
    for (size_t i = 0; i < N; i++) {
        double a = 3 * pts_rng_normal(&rng), b = pts_rng_normal(&rng);
        x[i * 3] = (float)(a + 5);
        x[i * 3 + 1] = (float)(b - a);
        x[i * 3 + 2] = (float)(2 * b);
    }
    pca p;
    projection_tap tap;
    ck_assert_int_eq(pca_create(&p, 3, NULL), PTS_OK);
    ck_assert_int_eq(projection_tap_alloc(&tap, 3, 2, NULL), PTS_OK);
    pca_add(&p, x, N / 2);
    pca_add(&p, x + N / 2 * 3, N / 2);
    ck_assert_int_eq(pca_solve(&p, 2, tap.weight, tap.offset, NULL), PTS_OK);
    projection_apply(&tap, x, N, y);
    double mean[2] = {0}, var[2] = {0}, cross = 0;
    for (size_t i = 0; i < N; i++) {
        for (int k = 0; k < 2; k++) {
            mean[k] += (double)y[i * 2 + (size_t)k] / N;
            var[k] += pow((double)y[i * 2 + (size_t)k], 2) / N;
        }
        cross += (double)y[i * 2] * (double)y[i * 2 + 1] / N;
    }
    ck_assert_double_eq_tol(mean[0], 0, 1e-4);
    ck_assert_double_eq_tol(mean[1], 0, 1e-4);
    ck_assert_double_eq_tol(cross, 0, 1e-3);
    ck_assert_double_eq_tol((var[0] + var[1]) / 2, 1, 1e-3);
    ck_assert_double_gt(var[0], var[1]);
    pca_free(&p);
    free(tap.weight);
    free(tap.offset);
}
END_TEST

/* ---- training on drawn features ---- */

enum { R = 16, C = 16, SIDE = R * COARSE_CELL };

typedef struct scene {
    feature_item items[3];
    pts_features features;
} scene;

static void scene_free(scene *s)
{
    for (size_t i = 0; i < s->features.count; i++) {
        free(s->items[i].coarse);
        free(s->items[i].fine);
    }
    projection_free(&s->features.projection);
}

/* Images of 64×64 whose features are noise but for a coarse channel that the caller fills in. */
static void scene_make(scene *s, size_t count)
{
    pts_rng rng = {11};
    *s = (scene){.features = {.count = count, .items = s->items}};
    for (size_t i = 0; i < count; i++) {
        feature_item *item = &s->items[i];
        *item = (feature_item){64, 64, SIDE, SIDE, R, C, NULL, NULL};
        item->coarse = pts_calloc64(R * C * COARSE_CHANNELS, sizeof(float));
        item->fine = pts_calloc64(R * C * 4 * FINE_CHANNELS, sizeof(float));
        fill_normal(&rng, item->coarse, R * C * COARSE_CHANNELS);
    }
    pts_projection *p = &s->features.projection;
    snprintf(p->arch, sizeof p->arch, "drawn");
    snprintf(p->encoder_id, sizeof p->encoder_id, "%064d", 7);
    p->side = SIDE;
    for (int i = 0; i < TAPS; i++) {
        snprintf(p->taps[i].name, sizeof p->taps[i].name, "tap%d", i);
        ck_assert_int_eq(projection_tap_alloc(&p->taps[i], 5, 3, NULL), PTS_OK);
        fill_normal(&rng, p->taps[i].weight, 15);
        fill_normal(&rng, p->taps[i].offset, 3);
    }
}

/* The middle half of the columns is object. */
static void scene_of_halves(scene *s, size_t count)
{
    scene_make(s, count);
    for (size_t k = 0; k < count * R * C; k++)
        s->items[k / (R * C)].coarse[k % (R * C) * COARSE_CHANNELS] =
            k % C >= 4 && k % C < 12 ? 2.0f : -2.0f;
}

static const float half_xy[] = {0.25f, 0, 0.75f, 0, 0.75f, 1, 0.25f, 1};
static const size_t four = 4;
static const pts_labelled_instance half = {.xy = half_xy, .ends = &four, .parts = 1};
static const pts_labelled_image half_images[] = {{0, &half, 1}, {1, &half, 1}, {2, &half, 1}};

static pts_segmenter *train_with(const scene *s, const pts_segment_task *task,
                                 const pts_segment_options *options, int threads)
{
    pts_team *team;
    pts_segmenter *model;
    pts_error err;
    ck_assert_int_eq(pts_team_create(&team, threads, NULL), PTS_OK);
    pts_status status = pts_segmenter_train(&model, &s->features, task, options, team, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    pts_team_destroy(team);
    return model;
}

static pts_segment_score evaluate(const pts_segmenter *model, const scene *s,
                                  const pts_labelled_image *images, size_t count)
{
    pts_segment_score score;
    pts_error err;
    pts_status status =
        pts_segmenter_evaluate(model, &s->features, images, count, NULL, NULL, NULL, &score, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    return score;
}

static int same_parameters(const pts_segmenter *a, const pts_segmenter *b)
{
    return memcmp(a->parameters, b->parameters, decoder_parameters() * sizeof(float)) == 0 &&
           a->rule.from_cores == b->rule.from_cores && a->rule.threshold == b->rule.threshold;
}

/* Learnt from one image and found again, bit for bit the same by one, two and three threads. */
START_TEST(training_learns_a_separable_scene)
{
    scene s;
    scene_of_halves(&s, 1);
    const pts_segment_task task = {half_images, half_images, 1, 1};
    const pts_segment_options options = PTS_SEGMENT_DEFAULTS;
    pts_segmenter *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        pts_segmenter *model = train_with(&s, &task, &options, threads);
        pts_segment_score score = evaluate(model, &s, half_images, 1);
        ck_assert_double_gt(score.map.map, 0.85);
        ck_assert_uint_eq(score.images, 1);
        pts_segmenter_info info;
        pts_segmenter_describe(model, &info);
        ck_assert_mem_eq(&info.validation, &score, sizeof score);
        ck_assert_uint_eq(info.images, 1);
        ck_assert_uint_eq(info.steps, 142); /* 120 · 2^(1/4) */
        pts_instances found;
        ck_assert_int_eq(pts_segmenter_predict(model, &s.features, 0, &found, NULL), PTS_OK);
        ck_assert_uint_ge(found.count, 1);
        double box[4];
        pts_rle_box(found.masks[0], box); /* columns 16 to 48 of 64 */
        ck_assert_double_eq_tol(box[0], 16, 1.5);
        ck_assert_double_eq_tol(box[2], 32, 2.5);
        pts_instances_free(&found);
        if (first) {
            ck_assert(same_parameters(first, model));
            pts_segmenter_destroy(model);
        } else {
            first = model;
        }
    }
    pts_segmenter_destroy(first);
    scene_free(&s);
}
END_TEST

/* Where an object fills one cell in 256, an answer of "never" has a small loss and no worth. */
START_TEST(rare_objects_are_learnt)
{
    enum { AT = 5 * C + 9 };
    scene s;
    scene_make(&s, 1);
    for (size_t k = 0; k < R * C; k++)
        s.items[0].coarse[k * COARSE_CHANNELS] = k == AT ? 4.0f : 0;
    const float x = 9.0f / C, y = 5.0f / R, side = 1.0f / C;
    const float xy[] = {x, y, x + side, y, x + side, y + side, x, y + side};
    const pts_labelled_instance one = {.xy = xy, .ends = &four, .parts = 1};
    const pts_labelled_image image = {0, &one, 1};
    const pts_segment_task task = {&image, NULL, 1, 0};
    const pts_segment_options options = PTS_SEGMENT_DEFAULTS;
    pts_segmenter *model = train_with(&s, &task, &options, 2);
    ck_assert_double_gt(evaluate(model, &s, &image, 1).map.map50, 0.99);
    pts_segmenter_info info;
    pts_segmenter_describe(model, &info);
    ck_assert_double_eq(info.validation.map.map, -1);
    ck_assert_uint_eq(info.validation.images, 0);
    ck_assert_int_eq(info.from_cores, 1);
    ck_assert_double_eq(info.threshold, 0.5);
    pts_segmenter_destroy(model);
    scene_free(&s);
}
END_TEST

/* Two squares share a side; only the cores' logit can tell them apart. */
START_TEST(touching_instances_are_learnt_apart)
{
    scene s;
    scene_make(&s, 1);
    for (size_t k = 0; k < R * C; k++) {
        size_t y = k / C, x = k % C;
        float *cell = s.items[0].coarse + k * COARSE_CHANNELS;
        cell[0] = y >= 4 && y < 10 && x >= 2 && x < 14 ? 2.0f : -2.0f;
        cell[1] = x < 8 ? 1.0f : -1.0f;
    }
    const float a[] = {2 / 16.0f, 4 / 16.0f,  8 / 16.0f, 4 / 16.0f,
                       8 / 16.0f, 10 / 16.0f, 2 / 16.0f, 10 / 16.0f};
    const float b[] = {8 / 16.0f,  4 / 16.0f,  14 / 16.0f, 4 / 16.0f,
                       14 / 16.0f, 10 / 16.0f, 8 / 16.0f,  10 / 16.0f};
    const pts_labelled_instance two[] = {{a, &four, 1, NULL, 0}, {b, &four, 1, NULL, 0}};
    const pts_labelled_image image = {0, two, 2};
    const pts_segment_task task = {&image, &image, 1, 1};
    const pts_segment_options options = PTS_SEGMENT_DEFAULTS;
    pts_segmenter *model = train_with(&s, &task, &options, 2);
    pts_instances found;
    ck_assert_int_eq(pts_segmenter_predict(model, &s.features, 0, &found, NULL), PTS_OK);
    ck_assert_uint_eq(found.count, 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_double_eq_tol((double)pts_rle_area(found.masks[i]), 24 * 24, 80);
    ck_assert_double_gt(evaluate(model, &s, &image, 1).map.map, 0.7);
    pts_instances_free(&found);
    pts_segmenter_destroy(model);
    scene_free(&s);
}
END_TEST

CHECK_SUITE("segment", decoder_gradient_equals_differences, chamfer_equals_brute_force,
            cores_part_touching_instances, specks_are_dropped_and_empty_maps_are_empty,
            targets_of_a_square, components_are_uncorrelated, training_learns_a_separable_scene,
            rare_objects_are_learnt, touching_instances_are_learnt_apart)
