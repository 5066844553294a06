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
    const pts_outline outline = {xy, 4};
    segment_target target;
    ck_assert_int_eq(segment_target_make(&target, &item, &outline, 1, NULL), PTS_OK);
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
    ck_assert_int_eq(pca_create(&p, 3, 2, NULL), PTS_OK);
    pca_add(&p, x, N / 2);
    pca_add(&p, x + N / 2 * 3, N / 2);
    ck_assert_int_eq(pca_solve(&p, NULL), PTS_OK);
    pca_project(&p, x, N, y, 2);
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
}
END_TEST

/* A picture whose coarse features say which half is object: learnt from one image, found again. */
START_TEST(training_learns_a_separable_scene)
{
    enum { R = 16, C = 16 };
    feature_item item = {
        .width = 64, .height = 64, .in_width = 128, .in_height = 128, .rows = R, .columns = C};
    item.coarse = pts_calloc64(R * C * COARSE_CHANNELS, sizeof(float));
    item.fine = pts_calloc64(R * C * 4 * FINE_CHANNELS, sizeof(float));
    pts_rng rng = {11};
    fill_normal(&rng, item.coarse, R * C * COARSE_CHANNELS);
    for (size_t i = 0; i < R * C; i++)
        item.coarse[i * COARSE_CHANNELS] = i % C >= 4 && i % C < 12 ? 2.0f : -2.0f;
    pts_features features = {1, &item};
    const float xy[] = {0.25f, 0, 0.75f, 0, 0.75f, 1, 0.25f, 1};
    const pts_outline outline = {xy, 4};
    const pts_labelled_image image = {0, &outline, 1};
    const pts_segment_task task = {&image, &image, 1, 1};
    pts_map maps[2];
    for (int threads = 1; threads <= 2; threads++) {
        pts_team *team;
        pts_segmenter *model;
        ck_assert_int_eq(pts_team_create(&team, threads, NULL), PTS_OK);
        ck_assert_int_eq(pts_segmenter_train(&model, &features, &task, 1, team, NULL), PTS_OK);
        ck_assert_int_eq(
            pts_segmenter_evaluate(model, &features, &image, 1, team, &maps[threads - 1], NULL),
            PTS_OK);
        ck_assert_double_gt(maps[threads - 1].map, 0.85);
        pts_instances found;
        ck_assert_int_eq(pts_segmenter_predict(model, &features, 0, &found, NULL), PTS_OK);
        ck_assert_uint_ge(found.count, 1);
        double box[4];
        pts_rle_box(found.masks[0], box); /* columns 16 to 48 of 64 */
        ck_assert_double_eq_tol(box[0], 16, 1.5);
        ck_assert_double_eq_tol(box[2], 32, 2.5);
        pts_instances_free(&found);
        pts_error err;
        ck_assert_int_eq(pts_segmenter_predict(model, &features, 1, &found, &err),
                         PTS_ERR_ARGUMENT);
        ck_assert_str_eq(err.message, "image: expected below 1, got 1");
        pts_segmenter_destroy(model);
        pts_team_destroy(team);
    }
    ck_assert_double_eq(maps[0].map, maps[1].map);
    free(item.coarse);
    free(item.fine);
}
END_TEST

CHECK_SUITE("segment", decoder_gradient_equals_differences, chamfer_equals_brute_force,
            cores_part_touching_instances, specks_are_dropped_and_empty_maps_are_empty,
            targets_of_a_square, components_are_uncorrelated, training_learns_a_separable_scene)
