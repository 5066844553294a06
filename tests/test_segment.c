/* The segmenter's parts: decoder gradients against central differences, chamfer distances against
 * brute force, cutting of known maps, targets of known shapes, principal components. */
#include "temporary_folder.h"

#include "clip_file.h"
#include "nn/layers.h"
#include "pts/file.h"
#include "segment/pca.h"
#include "segment/segmenter.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static void fill_normal(pts_rng *rng, float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)pts_rng_normal(rng);
}

/* ---- the decoder, once more, in double and the plainest way ---- */

enum { ROWS = 3, COLUMNS = 4, CELLS = ROWS * COLUMNS };

typedef struct plain_map {
    int rows, columns, channels;
    double *x; /* [rows][columns][channels] */
} plain_map;

static plain_map plain_make(int rows, int columns, int channels)
{
    plain_map m = {rows, columns, channels, NULL};
    m.x = calloc((size_t)(rows * columns * channels), sizeof *m.x);
    ck_assert_ptr_nonnull(m.x);
    return m;
}

static double *plain_at(const plain_map *m, int row, int column)
{
    return m->x + (row * m->columns + column) * m->channels;
}

/* Consumes `in` and the next layer's parameters: weights, then biases. */
static plain_map plain_conv(plain_map in, const double **p, int kernel, int dilation, int out,
                            int relu)
{
    plain_map y = plain_make(in.rows, in.columns, out);
    const double *weight = *p, *bias = weight + kernel * kernel * in.channels * out;
    for (int i = 0; i < in.rows * in.columns; i++) {
        double *to = y.x + i * out;
        memcpy(to, bias, (size_t)out * sizeof *to);
        for (int k = 0; k < kernel * kernel; k++) {
            int row = i / in.columns + (k / kernel - kernel / 2) * dilation;
            int column = i % in.columns + (k % kernel - kernel / 2) * dilation;
            if (row < 0 || row >= in.rows || column < 0 || column >= in.columns)
                continue;
            const double *from = plain_at(&in, row, column);
            for (int c = 0; c < in.channels; c++)
                for (int o = 0; o < out; o++)
                    to[o] += from[c] * weight[(k * in.channels + c) * out + o];
        }
        for (int o = 0; o < out && relu; o++)
            to[o] = fmax(to[o], 0);
    }
    *p = bias + out;
    free(in.x);
    return y;
}

/* Twice the size by bilinear interpolation between cell centres, beside the fine features. */
static plain_map plain_join(plain_map neck, const float *fine)
{
    plain_map y = plain_make(2 * neck.rows, 2 * neck.columns, neck.channels + FINE_CHANNELS);
    for (int i = 0; i < y.rows * y.columns; i++) {
        double v = fmin(fmax((i / y.columns + 0.5) / 2 - 0.5, 0), neck.rows - 1);
        double h = fmin(fmax((i % y.columns + 0.5) / 2 - 0.5, 0), neck.columns - 1);
        int row = (int)v, column = (int)h;
        int below = row + 1 < neck.rows ? row + 1 : row;
        int right = column + 1 < neck.columns ? column + 1 : column;
        for (int c = 0; c < neck.channels; c++)
            y.x[i * y.channels + c] =
                (1 - (v - row)) * ((1 - (h - column)) * plain_at(&neck, row, column)[c] +
                                   (h - column) * plain_at(&neck, row, right)[c]) +
                (v - row) * ((1 - (h - column)) * plain_at(&neck, below, column)[c] +
                             (h - column) * plain_at(&neck, below, right)[c]);
        for (int c = 0; c < FINE_CHANNELS; c++)
            y.x[i * y.channels + neck.channels + c] = (double)fine[i * FINE_CHANNELS + c];
    }
    free(neck.x);
    return y;
}

typedef struct decoder_case {
    float coarse[CELLS * COARSE_CHANNELS], fine[CELLS * 4 * FINE_CHANNELS];
    float weights[CELLS * 4 * OUTPUTS]; /* of the logits in the sum that is differentiated */
} decoder_case;

static plain_map plain_decoder(const double *p, const decoder_case *d)
{
    plain_map x = plain_make(ROWS, COLUMNS, COARSE_CHANNELS);
    for (int i = 0; i < CELLS * COARSE_CHANNELS; i++)
        x.x[i] = (double)d->coarse[i];
    x = plain_conv(x, &p, 1, 1, 64, 1);
    x = plain_conv(x, &p, 3, 1, 64, 1);
    x = plain_conv(x, &p, 3, 2, 64, 1);
    x = plain_join(plain_conv(x, &p, 1, 1, 32, 1), d->fine);
    x = plain_conv(x, &p, 3, 1, 32, 1);
    x = plain_conv(x, &p, 3, 1, 32, 1);
    return plain_conv(x, &p, 1, 1, OUTPUTS, 0);
}

static double weighted_logits(const double *p, const decoder_case *d)
{
    plain_map y = plain_decoder(p, d);
    double sum = 0;
    for (int i = 0; i < CELLS * 4 * OUTPUTS; i++)
        sum += y.x[i] * (double)d->weights[i];
    free(y.x);
    return sum;
}

/* Central differences of the plain decoder for `draws` parameters of one part; in double a step of
 * 2^-24 is exact to nine digits and crosses no kink of a ReLU. */
static void check_part(const decoder_part *part, double *p, const float *g, const decoder_case *d,
                       pts_rng *rng)
{
    enum { DRAWS = 24 };
    double off = 0, largest = 0;
    for (int draw = 0; draw < DRAWS; draw++) {
        size_t i = part->offset + pts_rng_below(rng, part->count);
        double keep = p[i], step = 0x1p-24;
        p[i] = keep + step;
        double up = weighted_logits(p, d);
        p[i] = keep - step;
        double numeric = (up - weighted_logits(p, d)) / (2 * step);
        p[i] = keep;
        off = fmax(off, fabs(numeric - (double)g[i]));
        largest = fmax(largest, fabs(numeric));
    }
    ck_assert_double_gt(largest, 0);
    ck_assert_msg(off <= 2e-5 * largest, "%s %s: off by %g of %g", part->layer,
                  part->is_bias ? "bias" : "weight", off, largest);
}

START_TEST(decoder_equals_the_plain_one_and_its_differences)
{
    static decoder_case d;
    pts_rng rng = {5};
    fill_normal(&rng, d.coarse, CELLS * COARSE_CHANNELS);
    fill_normal(&rng, d.fine, CELLS * 4 * FINE_CHANNELS);
    fill_normal(&rng, d.weights, CELLS * 4 * OUTPUTS);
    size_t size = pts_decoder_parameters();
    float *p = pts_calloc64(size, sizeof *p), *g = pts_calloc64(size, sizeof *g);
    double *exact = pts_calloc64(size, sizeof *exact);
    pts_decoder_init(p, 7);
    for (size_t i = 0; i < size; i++)
        exact[i] = (double)p[i];
    pts_arena arena = {0};
    decoder_tape tape;
    pts_decoder_tape_layout(&tape, &arena, ROWS, COLUMNS, 1);
    ck_assert_int_eq(pts_arena_commit(&arena, NULL), PTS_OK);
    pts_decoder_tape_layout(&tape, &arena, ROWS, COLUMNS, 1);
    pts_decoder_forward(p, d.coarse, d.fine, ROWS, COLUMNS, &tape);
    plain_map y = plain_decoder(exact, &d);
    for (int i = 0; i < CELLS * 4 * OUTPUTS; i++)
        ck_assert_double_eq_tol((double)tape.logits[i], y.x[i], 2e-5);
    pts_decoder_backward(p, d.coarse, ROWS, COLUMNS, d.weights, &tape, g);
    size_t covered = 0;
    for (int i = 0; i < DECODER_PARTS; i++) {
        const decoder_part part = pts_decoder_part_at(i);
        ck_assert_uint_eq(part.offset, covered);
        covered += part.count;
        check_part(&part, exact, g, &d, &rng);
    }
    ck_assert_uint_eq(covered, size);
    pts_arena_free(&arena);
    free(y.x);
    free(p);
    free(g);
    free(exact);
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
    pts_chamfer_distance(label, H, W, distance);
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
    ck_assert_int_eq(pts_instance_room_create(&room, H * W, NULL), PTS_OK);
    for (int i = 0; i < H * W; i++) {
        double y = i / W - 15, a = i % W - 18, b = i % W - 40;
        double r = fmin(sqrt(a * a + y * y), sqrt(b * b + y * y));
        room.object[i] = r < 11.5 ? 0.9f : 0.1f;
        room.core[i] = r < 5 ? 0.9f : 0.1f;
    }
    pts_instances found;
    instance_rule rule = {1, 0.5f};
    ck_assert_int_eq(pts_instances_cut(&room, H, W, &rule, &found, NULL), PTS_OK);
    ck_assert_uint_eq(found.count, 2);
    ck_assert_double_eq_tol(found.scores[0], 0.9 * 0.9, 1e-6);
    size_t parts = pts_rle_area(found.masks[0]) + pts_rle_area(found.masks[1]);
    pts_instances_free(&found);
    rule.from_cores = 0;
    ck_assert_int_eq(pts_instances_cut(&room, H, W, &rule, &found, NULL), PTS_OK);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_uint_eq(pts_rle_area(found.masks[0]), parts);
    pts_instances_free(&found);
    pts_instance_room_free(&room);
}
END_TEST

START_TEST(specks_are_dropped_and_empty_maps_are_empty)
{
    instance_room room;
    ck_assert_int_eq(pts_instance_room_create(&room, 100, NULL), PTS_OK);
    room.object[55] = 1;
    pts_instances found;
    const instance_rule rule = {1, 0.5f};
    ck_assert_int_eq(pts_instances_cut(&room, 10, 10, &rule, &found, NULL), PTS_OK);
    ck_assert_uint_eq(found.count, 0);
    pts_instances_free(&found);
    pts_instance_room_free(&room);
}
END_TEST

static const size_t four = 4;

/* A square of 64×64 input pixels on a picture of 128×96: full cover inside, none outside, and a
 * core of (1 − 0.45)² of its area up to the raster. */
START_TEST(targets_of_a_square)
{
    feature_item item = {.in_width = 128, .in_height = 96, .rows = 12, .columns = 16};
    const float xy[] = {0.25f, 1 / 6.0f, 0.75f, 1 / 6.0f, 0.75f, 5 / 6.0f, 0.25f, 5 / 6.0f};
    const pts_labelled_instance square = {.xy = xy, .ends = &four, .parts = 1};
    segment_target target;
    ck_assert_int_eq(pts_segment_target_make(&target, &item, &square, 1, NULL), PTS_OK);
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
    pts_segment_target_free(&target);
}
END_TEST

/* A rectangle x0, y0, x1, y1 of the unit square as a polygon. */
static void rectangle(float *xy /* [4][2] */, float x0, float y0, float x1, float y1)
{
    const float corners[8] = {x0, y0, x1, y0, x1, y1, x0, y1};
    memcpy(xy, corners, sizeof corners);
}

/* The same pixels as two polygons, and as a mask of the photograph (twice the input's size). */
START_TEST(parts_and_masks_teach_alike)
{
    enum { H = 128, W = 256 };
    const feature_item item = {W, H, W / 2, H / 2, 8, 16, NULL, NULL};
    float xy[16];
    rectangle(xy, 0.125f, 0.25f, 0.375f, 0.75f);
    rectangle(xy + 8, 0.625f, 0.25f, 0.875f, 0.75f);
    static uint8_t bitmap[H * W];
    for (int i = 0; i < H * W; i++) {
        int y = i / W, x = i % W;
        bitmap[i] = y >= 32 && y < 96 && ((x >= 32 && x < 96) || (x >= 160 && x < 224));
    }
    pts_rle *mask;
    ck_assert_int_eq(pts_rle_from_bitmap(&mask, bitmap, H, W, NULL), PTS_OK);
    const size_t ends[] = {4, 8};
    const pts_labelled_instance both[] = {{xy, ends, 2, NULL, 0}, {NULL, NULL, 0, mask, 0}};
    segment_target targets[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pts_segment_target_make(&targets[i], &item, &both[i], 1, NULL), PTS_OK);
    const size_t floats = 8 * 16 * 4 * OUTPUTS;
    ck_assert_mem_eq(targets[0].cover, targets[1].cover, floats * sizeof(float));
    double sum = 0;
    for (size_t i = 0; i < floats; i += OUTPUTS)
        sum += (double)targets[0].cover[i + OBJECT];
    ck_assert_double_eq_tol(sum, 2 * 8 * 8, 1e-6);
    for (int i = 0; i < 2; i++) {
        const float box[4] = {2, 2, 14, 6};
        ck_assert_mem_eq(targets[i].boxes, box, sizeof box);
        pts_segment_target_free(&targets[i]);
    }
    pts_rle_destroy(mask);
}
END_TEST

/* A crowd over the left half of the picture, an instance over its middle half. */
START_TEST(crowds_are_not_taught)
{
    const feature_item item = {128, 64, 128, 64, 8, 16, NULL, NULL};
    float xy[16];
    rectangle(xy, 0, 0, 0.5f, 1);
    rectangle(xy + 8, 0.25f, 0, 0.75f, 1);
    const pts_labelled_instance two[] = {{xy, &four, 1, NULL, 1}, {xy + 8, &four, 1, NULL, 0}};
    segment_target target;
    for (int order = 0; order < 2; order++) {
        const pts_labelled_instance turned[] = {two[order], two[1 - order]};
        ck_assert_int_eq(pts_segment_target_make(&target, &item, turned, 2, NULL), PTS_OK);
        ck_assert_uint_eq(target.count, 1);
        for (size_t i = 0; i < 16 * 32; i++) {
            size_t x = i % 32;
            float expected = x < 8 ? -1 : x < 24 ? 1 : 0;
            ck_assert_float_eq_tol(target.cover[i * OUTPUTS + OBJECT], expected, 1e-6f);
            if (x < 8)
                ck_assert_float_eq(target.cover[i * OUTPUTS + CORE], -1);
        }
        ck_assert_float_eq(target.boxes[0], 4);
        pts_segment_target_free(&target);
    }
}
END_TEST

START_TEST(labels_that_cannot_be_painted)
{
    const feature_item item = {32, 16, 128, 64, 8, 16, NULL, NULL};
    const uint8_t bitmap[4] = {1, 0, 1, 1};
    pts_rle *mask;
    pts_error err;
    segment_target target;
    ck_assert_int_eq(pts_rle_from_bitmap(&mask, bitmap, 2, 2, NULL), PTS_OK);
    const pts_labelled_instance other_size = {.mask = mask}, empty = {.crowd = 0};
    const float line[] = {0, 0, 1, 1};
    const size_t two = 2;
    const pts_labelled_instance thin = {.xy = line, .ends = &two, .parts = 1};
    ck_assert_int_eq(pts_segment_target_make(&target, &item, &other_size, 1, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "label: expected a mask of 16 x 32, got 2 x 2");
    ck_assert_int_eq(pts_segment_target_make(&target, &item, &empty, 1, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "label: expected polygons or a mask, got neither");
    ck_assert_int_ne(pts_segment_target_make(&target, &item, &thin, 1, &err), PTS_OK);
    ck_assert_ptr_null(target.cover);
    pts_rle_destroy(mask);
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
    ck_assert_int_eq(pts_pca_create(&p, 3, NULL), PTS_OK);
    ck_assert_int_eq(pts_projection_tap_alloc(&tap, 3, 2, NULL), PTS_OK);
    pts_pca_add(&p, x, N / 2);
    pts_pca_add(&p, x + N / 2 * 3, N / 2);
    ck_assert_int_eq(pts_pca_solve(&p, 2, tap.weight, tap.offset, NULL), PTS_OK);
    pts_projection_apply(&tap, x, N, y);
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
    pts_pca_free(&p);
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
    pts_projection_free(&s->features.projection);
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
        ck_assert_int_eq(pts_projection_tap_alloc(&p->taps[i], 5, 3, NULL), PTS_OK);
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
    return memcmp(a->parameters, b->parameters, pts_decoder_parameters() * sizeof(float)) == 0 &&
           a->rule.from_cores == b->rule.from_cores && a->rule.threshold == b->rule.threshold;
}

/* Learnt from one image and found again, bit for bit the same by one, two and three threads. */
START_TEST(training_learns_a_separable_scene)
{
    scene s;
    scene_of_halves(&s, 1);
    const pts_segment_task task = {half_images, half_images, 1, 1};
    const pts_segment_options options = {.seed = 1, .steps = 0.3};
    pts_segmenter *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        pts_segmenter *model = train_with(&s, &task, &options, threads);
        pts_segment_score score = evaluate(model, &s, half_images, 1);
        ck_assert_double_gt(score.ap.map, 0.85);
        ck_assert_uint_eq(score.images, 1);
        pts_segmenter_info info;
        pts_segmenter_describe(model, &info);
        ck_assert_mem_eq(&info.validation, &score, sizeof score);
        ck_assert_uint_eq(info.images, 1);
        ck_assert_uint_eq(info.steps, 42); /* ⌊0.3 · ⌊120 · 2^(1/4)⌋⌋ */
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
    const pts_segment_options options = {.seed = 1, .steps = 0.4};
    pts_segmenter *model = train_with(&s, &task, &options, 2);
    ck_assert_double_gt(evaluate(model, &s, &image, 1).ap.map50, 0.99);
    pts_segmenter_info info;
    pts_segmenter_describe(model, &info);
    ck_assert_double_eq(info.validation.ap.map, -1);
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
    const pts_segment_options options = {.seed = 1, .steps = 0.4};
    pts_segmenter *model = train_with(&s, &task, &options, 2);
    pts_instances found;
    ck_assert_int_eq(pts_segmenter_predict(model, &s.features, 0, &found, NULL), PTS_OK);
    ck_assert_uint_eq(found.count, 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_double_eq_tol((double)pts_rle_area(found.masks[i]), 24 * 24, 80);
    ck_assert_double_gt(evaluate(model, &s, &image, 1).ap.map, 0.7);
    pts_instances_free(&found);
    pts_segmenter_destroy(model);
    scene_free(&s);
}
END_TEST

/* ---- going on, files, cancelling ---- */

/* Two looks of one object: channel 0 on the first image, channel 1 on the second. */
static void scene_of_looks(scene *s)
{
    scene_of_halves(s, 2);
    for (size_t k = 0; k < R * C; k++) {
        float *first = s->items[0].coarse + k * COARSE_CHANNELS;
        float *second = s->items[1].coarse + k * COARSE_CHANNELS;
        second[1] = second[0];
        first[1] = second[0] = 0;
    }
}

START_TEST(going_on_learns_the_piece_and_keeps_the_rest)
{
    scene s;
    scene_of_looks(&s);
    const pts_segment_task first = {half_images, half_images, 1, 1};
    const pts_segment_task second = {half_images + 1, half_images, 1, 2};
    pts_segment_options options = {.seed = 1, .steps = 0.4};
    pts_segmenter *start = train_with(&s, &first, &options, 2);
    ck_assert_double_lt(evaluate(start, &s, half_images + 1, 1).ap.map, 0.3);
    options.start = start;
    options.steps = 1.5;
    pts_segmenter *more = train_with(&s, &second, &options, 2);
    pts_segmenter_info info;
    pts_segmenter_describe(more, &info);
    ck_assert_uint_eq(info.steps, 53); /* ⌊142 · 1.5 / 4⌋ */
    ck_assert_double_gt(evaluate(more, &s, half_images + 1, 1).ap.map, 0.7);
    ck_assert_double_gt(evaluate(more, &s, half_images, 1).ap.map, 0.6);
    pts_segmenter_destroy(start);
    pts_segmenter_destroy(more);
    scene_free(&s);
}
END_TEST

static pts_segmenter *load(const char *path)
{
    pts_segmenter *model;
    pts_error err;
    pts_status status = pts_segmenter_load(&model, path, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    return model;
}

static void assert_same_file(const char *a, const char *b)
{
    char *data[2];
    size_t size[2];
    ck_assert_int_eq(pts_read_file(a, 1 << 24, &data[0], &size[0], NULL), PTS_OK);
    ck_assert_int_eq(pts_read_file(b, 1 << 24, &data[1], &size[1], NULL), PTS_OK);
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_mem_eq(data[0], data[1], size[0]);
    free(data[0]);
    free(data[1]);
}

static void assert_same_found(const pts_segmenter *a, const pts_segmenter *b, const scene *s)
{
    pts_instances found[2];
    ck_assert_int_eq(pts_segmenter_predict(a, &s->features, 0, &found[0], NULL), PTS_OK);
    ck_assert_int_eq(pts_segmenter_predict(b, &s->features, 0, &found[1], NULL), PTS_OK);
    ck_assert_uint_ge(found[0].count, 1);
    ck_assert_uint_eq(found[0].count, found[1].count);
    for (size_t i = 0; i < found[0].count; i++) {
        ck_assert(found[0].scores[i] == found[1].scores[i]);
        ck_assert_double_eq(pts_rle_iou(found[0].masks[i], found[1].masks[i], 0), 1);
    }
    pts_instances_free(&found[0]);
    pts_instances_free(&found[1]);
}

START_TEST(a_saved_segmenter_goes_on_bit_for_bit)
{
    scene s;
    scene_of_halves(&s, 1);
    const pts_segment_task task = {half_images, half_images, 1, 1};
    pts_segment_options options = {.seed = 3, .steps = 0.15};
    pts_segmenter *models[4];
    models[0] = train_with(&s, &task, &options, 2);
    const char *path = scratch("a.ptsw"), *again = scratch("b.ptsw");
    ck_assert_int_eq(pts_segmenter_save(models[0], path, NULL), PTS_OK);
    models[1] = load(path);
    ck_assert(same_parameters(models[0], models[1]));
    ck_assert_int_eq(pts_segmenter_save(models[1], again, NULL), PTS_OK);
    assert_same_file(path, again);
    assert_same_found(models[0], models[1], &s);
    pts_segmenter_info info;
    pts_segmenter_describe(models[1], &info);
    ck_assert_uint_eq(info.steps, 0);
    ck_assert_double_eq(info.validation.ap.map, -1);
    for (int i = 0; i < 2; i++) {
        options.start = models[i];
        models[2 + i] = train_with(&s, &task, &options, 1 + i);
    }
    ck_assert(same_parameters(models[2], models[3]));
    ck_assert(!same_parameters(models[0], models[2]));
    for (int i = 0; i < 4; i++)
        pts_segmenter_destroy(models[i]);
    unlink(path);
    unlink(again);
    scene_free(&s);
}
END_TEST

/* Writes the file at `path` anew with one thing changed, and loads that. */
typedef struct spoiled {
    const char *key, *value; /* metadata; value NULL: left out */
    const char *tensor;      /* this one */
    float number;            /* becomes its first number, unless 0 */
    size_t first;            /* becomes the first of its shape, unless 0 */
    pts_status status;
    const char *message; /* behind the path */
} spoiled;

static void check_spoiled(const pts_weights *file, const spoiled *c)
{
    pts_meta meta[16];
    pts_tensor tensors[64];
    size_t metas = 0, count = pts_weights_count(file);
    for (size_t i = 0; i < pts_weights_meta_count(file); i++) {
        const pts_meta *m = pts_weights_meta_at(file, i);
        int changed = c->key && strcmp(m->key, c->key) == 0;
        if (!changed || c->value)
            meta[metas++] = (pts_meta){m->key, changed ? c->value : m->value};
    }
    float *copy = NULL;
    for (size_t i = 0; i < count; i++) {
        tensors[i] = *pts_weights_tensor(file, i);
        if (!c->tensor || strcmp(tensors[i].name, c->tensor) != 0)
            continue;
        copy = calloc(tensors[i].bytes * (c->first ? c->first : 1), 1);
        memcpy(copy, tensors[i].data, tensors[i].bytes);
        tensors[i].data = copy;
        if (c->number != 0)
            copy[0] = c->number;
        if (c->first) {
            tensors[i].bytes = tensors[i].bytes / tensors[i].shape[0] * c->first;
            tensors[i].shape[0] = c->first;
        }
    }
    const char *path = scratch("spoiled.ptsw");
    pts_segmenter *model = NULL;
    pts_error err;
    char expected[5000];
    ck_assert_int_eq(pts_weights_write(path, meta, metas, tensors, count, NULL), PTS_OK);
    ck_assert_int_eq(pts_segmenter_load(&model, path, &err), c->status);
    ck_assert_ptr_null(model);
    snprintf(expected, sizeof expected, "%s: %s", path, c->message);
    ck_assert_str_eq(err.message, expected);
    unlink(path);
    free(copy);
}

START_TEST(files_that_are_no_segmenter)
{
    static const spoiled cases[] = {
        {.key = "arch",
         .value = "inception_v3",
         .status = PTS_ERR_FORMAT,
         .message = "arch: expected pts_segmenter, got 'inception_v3'"},
        {.key = "arch",
         .status = PTS_ERR_FORMAT,
         .message = "expected a segmenter, with arch in its metadata"},
        {.key = "version",
         .value = "2",
         .status = PTS_ERR_UNSUPPORTED,
         .message = "expected a segmenter of version 1, got 2"},
        {.key = "side",
         .value = "99999",
         .status = PTS_ERR_FORMAT,
         .message = "side: expected 128 … 2048, got '99999'"},
        {.key = "side",
         .value = "1e3",
         .status = PTS_ERR_FORMAT,
         .message = "side: expected 128 … 2048, got '1e3'"},
        {.key = "rule",
         .value = "luck",
         .status = PTS_ERR_FORMAT,
         .message = "rule: expected cores or components, got 'luck'"},
        {.key = "encoder_arch",
         .value = "one whose name is far too long",
         .status = PTS_ERR_FORMAT,
         .message = "encoder_arch: expected a short text, got 'one whose name is far too long'"},
        {.tensor = "threshold",
         .number = 1.5f,
         .status = PTS_ERR_NUMERIC,
         .message = "threshold: expected above 0 and below 1, got 1.5"},
        {.tensor = "local.weight",
         .number = INFINITY,
         .status = PTS_ERR_NUMERIC,
         .message = "local.weight: expected finite numbers, got inf at 0"},
        {.tensor = "tap.mid.offset",
         .number = -INFINITY,
         .status = PTS_ERR_NUMERIC,
         .message = "tap.mid.offset: expected finite numbers, got -inf at 0"},
        {.tensor = "tap.fine.weight",
         .first = 65537,
         .status = PTS_ERR_SHAPE,
         .message = "tap.fine.weight: expected f32 [channels, at most 24]"},
    };
    scene s;
    scene_of_halves(&s, 1);
    const pts_segment_task task = {half_images, NULL, 1, 0};
    const pts_segment_options options = {.seed = 3, .steps = 0.001};
    pts_segmenter *model = train_with(&s, &task, &options, 1);
    const char *path = scratch("whole.ptsw");
    pts_weights *file;
    ck_assert_int_eq(pts_segmenter_save(model, path, NULL), PTS_OK);
    ck_assert_int_eq(pts_weights_open(&file, path, NULL), PTS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_spoiled(file, &cases[i]);
    pts_weights_close(file);
    unlink(path);
    pts_segmenter_destroy(model);
    ck_assert_int_eq(pts_segmenter_load(&model, path, NULL), PTS_ERR_IO);
    scene_free(&s);
}
END_TEST

typedef struct stopper {
    const char *stage;
    size_t at, calls;
} stopper;

static int stop_at(void *user, const char *stage, size_t done, size_t total)
{
    stopper *s = user;
    ck_assert_uint_le(done, total);
    s->calls += strcmp(stage, s->stage) == 0;
    return strcmp(stage, s->stage) == 0 && done >= s->at;
}

START_TEST(progress_stops_at_once)
{
    scene s;
    scene_of_halves(&s, 2);
    const pts_segment_task task = {half_images, half_images, 1, 2};
    stopper stop = {"training", 3, 0};
    pts_segment_options options = {.seed = 3, .steps = 0.05, .progress = stop_at, .user = &stop};
    pts_segmenter *model;
    pts_error err;
    ck_assert_int_eq(pts_segmenter_train(&model, &s.features, &task, &options, NULL, &err),
                     PTS_ERR_CANCELLED);
    ck_assert_str_eq(err.message, "training: cancelled at step 3 of 7");
    ck_assert_uint_eq(stop.calls, 3);
    ck_assert_ptr_null(model);
    stop = (stopper){"validation", 1, 0};
    ck_assert_int_eq(pts_segmenter_train(&model, &s.features, &task, &options, NULL, &err),
                     PTS_ERR_CANCELLED);
    ck_assert_str_eq(err.message, "validation: cancelled at image 2 of 2");
    options.progress = NULL;
    ck_assert_int_eq(pts_segmenter_train(&model, &s.features, &task, &options, NULL, &err), PTS_OK);
    stop = (stopper){"evaluation", 1, 0};
    pts_segment_score score;
    ck_assert_int_eq(pts_segmenter_evaluate(model, &s.features, half_images, 2, NULL, stop_at,
                                            &stop, &score, &err),
                     PTS_ERR_CANCELLED);
    pts_segmenter_destroy(model);
    scene_free(&s);
}
END_TEST

static void expect_training(const scene *s, const pts_segment_task *task,
                            const pts_segment_options *options, const char *message)
{
    pts_segmenter *model;
    pts_error err;
    ck_assert_int_eq(pts_segmenter_train(&model, &s->features, task, options, NULL, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_ptr_null(model);
    ck_assert_str_eq(err.message, message);
}

/* The third image is absent. */
START_TEST(absent_images_are_left_out_and_counted)
{
    scene s;
    scene_of_halves(&s, 3);
    free(s.items[2].coarse);
    free(s.items[2].fine);
    s.items[2].coarse = s.items[2].fine = NULL;
    ck_assert(pts_features_readable(&s.features, 0));
    ck_assert(!pts_features_readable(&s.features, 2));
    ck_assert(!pts_features_readable(&s.features, 3));
    const pts_segment_task task = {half_images + 1, half_images, 2, 3};
    const pts_segment_options options = {.seed = 3, .steps = 0.05};
    pts_segmenter *model = train_with(&s, &task, &options, 1);
    pts_segmenter_info info;
    pts_segmenter_describe(model, &info);
    ck_assert_uint_eq(info.images, 1);
    ck_assert_uint_eq(info.absent, 1);
    ck_assert_uint_eq(info.validation.images, 2);
    ck_assert_uint_eq(info.validation.absent, 1);
    pts_segment_score score = evaluate(model, &s, half_images + 2, 1);
    ck_assert_uint_eq(score.images, 0);
    ck_assert_uint_eq(score.absent, 1);
    ck_assert_double_eq(score.ap.map, -1);
    pts_instances found;
    pts_error err;
    ck_assert_int_eq(pts_segmenter_predict(model, &s.features, 2, &found, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "image: expected a readable one, got 2, absent");
    ck_assert_int_eq(pts_segmenter_predict(model, &s.features, 3, &found, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "image: expected below 3, got 3");
    expect_training(&s, &(pts_segment_task){half_images + 2, NULL, 1, 0}, &options,
                    "training: expected readable images, got none of 1");
    pts_segmenter_destroy(model);
    scene_free(&s);
}
END_TEST

START_TEST(arguments_that_make_no_sense)
{
    scene s, other;
    scene_of_halves(&s, 1);
    scene_of_halves(&other, 1);
    const pts_segment_task task = {half_images, NULL, 1, 0}, beyond = {half_images + 1, NULL, 1, 0};
    pts_segment_options options = {.seed = 3, .steps = 0};
    expect_training(&s, &task, &options, "training: expected steps in (0, 100], got 0");
    options.steps = 0.001;
    expect_training(&s, &beyond, &options, "image: expected below 1, got 1");
    pts_segmenter *model = train_with(&s, &task, &options, 1);
    other.features.projection.side++;
    options.start = model;
    const char *message =
        "segmenter: expected features of its own projection (drawn 000000000000, side 128), got "
        "others (drawn 000000000000, side 129)";
    expect_training(&other, &task, &options, message);
    pts_instances found;
    pts_segment_score score;
    pts_error err;
    ck_assert_int_eq(pts_segmenter_predict(model, &other.features, 0, &found, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, message);
    ck_assert_int_eq(pts_segmenter_evaluate(model, &other.features, half_images, 1, NULL, NULL,
                                            NULL, &score, &err),
                     PTS_ERR_ARGUMENT);
    pts_segmenter_destroy(model);
    scene_free(&s);
    scene_free(&other);
}
END_TEST

/* Scored are masks where there are some, and what is found in a crowd counts for nothing. */
START_TEST(masks_and_crowds_are_scored)
{
    scene s;
    scene_of_halves(&s, 1);
    const pts_segment_task task = {half_images, half_images, 1, 1};
    const pts_segment_options options = {.seed = 1, .steps = 0.4};
    pts_segmenter *model = train_with(&s, &task, &options, 2);
    pts_segment_score by_polygon = evaluate(model, &s, half_images, 1);
    static uint8_t bitmap[64 * 64];
    for (int i = 0; i < 64 * 64; i++)
        bitmap[i] = i % 64 >= 16 && i % 64 < 48;
    pts_rle *mask;
    ck_assert_int_eq(pts_rle_from_bitmap(&mask, bitmap, 64, 64, NULL), PTS_OK);
    pts_labelled_instance instances[2] = {{NULL, NULL, 0, mask, 0}};
    pts_labelled_image image = {0, instances, 1};
    pts_segment_score by_mask = evaluate(model, &s, &image, 1);
    ck_assert_mem_eq(&by_mask, &by_polygon, sizeof by_mask);
    instances[0].crowd = 1; /* nothing to find any more */
    ck_assert_double_eq(evaluate(model, &s, &image, 1).ap.map, -1);
    float xy[8];
    rectangle(xy, 0, 0, 0.1f, 0.1f);
    instances[1] = (pts_labelled_instance){xy, &four, 1, NULL, 0};
    image.count = 2; /* one to find, and it is not */
    ck_assert_double_eq(evaluate(model, &s, &image, 1).ap.map, 0);
    pts_rle_destroy(mask);
    pts_segmenter_destroy(model);
    scene_free(&s);
}
END_TEST

/* ---- features of photographs ---- */

static uint8_t level_at(size_t x, size_t y, size_t c)
{
    return (uint8_t)(x * (3 + c) + y * (5 - c) + (x / 9 + y / 7) % 2 * 60);
}

static void put_le(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

/* A BMP of 24 bits, rows from the bottom up. */
static const char *write_bmp(const char *name, size_t width, size_t height, size_t cut)
{
    const size_t row = (width * 3 + 3) / 4 * 4, size = 54 + row * height;
    uint8_t *data = calloc(size, 1);
    ck_assert_ptr_nonnull(data);
    memcpy(data, "BM", 2);
    put_le(data + 2, (uint32_t)size);
    put_le(data + 10, 54);
    put_le(data + 14, 40);
    put_le(data + 18, (uint32_t)width);
    put_le(data + 22, (uint32_t)height);
    data[26] = 1;
    data[28] = 24;
    for (size_t y = 0; y < height; y++)
        for (size_t i = 0; i < width * 3; i++)
            data[54 + (height - 1 - y) * row + i] = level_at(i / 3, y, 2 - i % 3);
    const char *path = scratch(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size - cut, file), size - cut);
    fclose(file);
    free(data);
    return path;
}

/* Windows of 96 pixels in patches of 8, taps layer1 (of the half) and layer2 (of 11/12). */
enum { PATCH = 8, GRID = 12, WINDOW = 96, TOKEN = 48, IMAGE_W = 128, IMAGE_H = 96 };
static const clip_shape tower = {"tower", PATCH, GRID, TOKEN, 3, 3, 60, 20, "gelu"};

static pts_encoder *open_tower(pts_team *team)
{
    const char *path = scratch("clip.ptsw");
    pts_encoder *encoder;
    pts_error err;
    clip_file_write(clip_file_make(&tower), path);
    pts_status status = pts_encoder_open(&encoder, path, team, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    unlink(path);
    return encoder;
}

typedef struct window_tokens {
    float taps[2][(GRID * GRID + 1) * TOKEN];
} window_tokens;

static void keep_tokens(void *user, const char *name, const float *map, size_t height, size_t width,
                        size_t channels)
{
    window_tokens *w = user;
    (void)height;
    for (int i = 0; i < 2; i++) {
        if (strcmp(name, i ? "layer2" : "layer1") == 0)
            memcpy(w->taps[i], map, width * channels * sizeof *map);
    }
}

/* The picture of IMAGE_W × IMAGE_H from (left, top) on, its edges repeated, as CLIP takes it. */
static void see_window(pts_encoder *encoder, size_t left, size_t top, window_tokens *out)
{
    static const double mean[] = {0.48145466, 0.4578275, 0.40821073};
    static const double deviation[] = {0.26862954, 0.26130258, 0.27577711};
    static float input[WINDOW * WINDOW * 3];
    for (size_t i = 0; i < WINDOW * WINDOW * 3; i++) {
        size_t y = top + i / 3 / WINDOW, x = left + i / 3 % WINDOW, c = i % 3;
        y = y < IMAGE_H ? y : IMAGE_H - 1;
        x = x < IMAGE_W ? x : IMAGE_W - 1;
        input[i] = (float)((level_at(x, y, c) / 255.0 - mean[c]) / deviation[c]);
    }
    ck_assert_int_eq(pts_encoder_taps(encoder, input, WINDOW, WINDOW, NULL, keep_tokens, out, NULL),
                     PTS_OK);
}

/* Component k of the mean of all windows' tokens over patch (row, column). */
static double mean_token(const window_tokens *windows /* [2][2] */, const projection_tap *tap,
                         int which, int row, int column, size_t k)
{
    static const int tops[2] = {0, 1}, lefts[2] = {0, 5}; /* in patches, of 13 × 17 */
    double sum = 0;
    int seen = 0;
    for (int i = 0; i < 4; i++) {
        int r = row - tops[i / 2], c = column - lefts[i % 2];
        if (r < 0 || r >= GRID || c < 0 || c >= GRID)
            continue;
        const float *token = windows[i].taps[which] + (1 + r * GRID + c) * TOKEN;
        for (size_t j = 0; j < TOKEN; j++)
            sum += (double)token[j] * (double)tap->weight[j * tap->kept + k];
        seen++;
    }
    ck_assert_int_gt(seen, 0);
    return sum / seen + (double)tap->offset[k];
}

/* A coarse cell is as large as a patch here, so no interpolation comes between. */
static void check_coarse(const pts_features *f, const window_tokens *windows)
{
    const feature_item *item = &f->items[0];
    for (int which = 0; which < 2; which++) {
        const projection_tap *tap = &f->projection.taps[which ? DEEP_TAP : MID_TAP];
        size_t at = which ? COARSE_MID : 0;
        ck_assert_str_eq(tap->name, which ? "layer2" : "layer1");
        ck_assert_uint_eq(tap->kept, TOKEN);
        for (int cell = 0; cell < 12 * 16; cell++) {
            for (size_t k = 0; k < TOKEN; k += 5)
                ck_assert_double_eq_tol(
                    (double)item->coarse[cell * COARSE_CHANNELS + (int)(at + k)],
                    mean_token(windows, tap, which, cell / 16, cell % 16, k), 2e-4);
        }
        if (which)
            ck_assert_float_eq(item->coarse[COARSE_MID + TOKEN], 0);
    }
}

static void check_fine(const pts_features *f)
{
    const feature_item *item = &f->items[0];
    const projection_tap *tap = &f->projection.taps[FINE_TAP];
    ck_assert_uint_eq(tap->channels, 48);
    for (size_t cell = 0; cell < 24 * 32; cell += 7) {
        double mean = 0, component = (double)tap->offset[3];
        for (size_t i = 0; i < 48; i++) {
            size_t y = cell / 32 * 4 + i / 12, x = cell % 32 * 4 + i / 3 % 4;
            double level = level_at(x, y, i % 3) / 255.0;
            component += level * (double)tap->weight[i * tap->kept + 3];
            mean += i % 3 == 1 ? level / 16 : 0;
        }
        const float *got = item->fine + cell * FINE_CHANNELS;
        ck_assert_double_eq_tol((double)got[3], component, 1e-4);
        ck_assert_double_eq_tol((double)got[FINE_MAP + 1], 4 * (mean - 0.5), 1e-5);
    }
}

START_TEST(features_of_a_vit_by_overlapping_windows)
{
    static window_tokens windows[4];
    const char *paths[] = {write_bmp("photo.bmp", IMAGE_W, IMAGE_H, 0)};
    pts_encoder *encoder = open_tower(NULL);
    pts_feature_settings settings;
    pts_features *f;
    pts_error err;
    pts_feature_settings_default(&settings);
    settings.side = IMAGE_W;
    pts_status status = pts_features_create(&f, encoder, paths, 1, &settings, NULL, NULL, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert_uint_eq(f->items[0].rows, 12);
    ck_assert_uint_eq(f->items[0].columns, 16);
    for (size_t i = 0; i < 4; i++)
        see_window(encoder, i % 2 * 40, i / 2 * 8, &windows[i]);
    check_coarse(f, windows);
    check_fine(f);
    /* A given projection makes the same features. */
    pts_features *again;
    settings.projection = pts_features_projection(f);
    ck_assert_int_eq(pts_features_create(&again, encoder, paths, 1, &settings, NULL, NULL, NULL),
                     PTS_OK);
    ck_assert_mem_eq(again->items[0].coarse, f->items[0].coarse,
                     12 * 16 * COARSE_CHANNELS * sizeof(float));
    pts_features_destroy(again);
    f->projection.encoder_id[0] ^= 1;
    ck_assert_int_eq(pts_features_create(&again, encoder, paths, 1, &settings, NULL, NULL, &err),
                     PTS_ERR_ARGUMENT);
    pts_features_destroy(f);
    pts_encoder_close(encoder);
    unlink(paths[0]);
}
END_TEST

typedef struct unread {
    size_t count, image;
    char reason[512];
} unread;

static void note_unreadable(void *user, size_t image, const char *reason)
{
    unread *u = user;
    u->count++;
    u->image = image;
    snprintf(u->reason, sizeof u->reason, "%s", reason);
}

START_TEST(unreadable_photographs)
{
    const char *paths[] = {write_bmp("cut.bmp", IMAGE_W, IMAGE_H, 1000),
                           write_bmp("good.bmp", IMAGE_W, IMAGE_H, 0)};
    pts_encoder *encoder = open_tower(NULL);
    pts_feature_settings settings;
    pts_features *f, *alone;
    pts_error err, why;
    unread u = {0};
    pts_image image;
    ck_assert_int_ne(pts_image_read(paths[0], NULL, &image, &why), PTS_OK);
    pts_feature_settings_default(&settings);
    settings.side = IMAGE_W;
    ck_assert_int_eq(pts_features_create(&f, encoder, paths, 2, &settings, NULL, &u, &err),
                     PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message, why.message);
    ck_assert_ptr_null(f);
    settings.unreadable = note_unreadable;
    ck_assert_int_eq(pts_features_create(&f, encoder, paths, 2, &settings, NULL, &u, &err), PTS_OK);
    ck_assert_uint_eq(u.count, 1);
    ck_assert_uint_eq(u.image, 0);
    ck_assert_str_eq(u.reason, why.message);
    ck_assert(!pts_features_readable(f, 0));
    ck_assert(pts_features_readable(f, 1));
    ck_assert_uint_eq(pts_features_count(f), 2);
    ck_assert_int_eq(pts_features_create(&alone, encoder, paths + 1, 1, &settings, NULL, &u, &err),
                     PTS_OK);
    ck_assert(pts_projection_equal(&f->projection, &alone->projection));
    pts_features_destroy(alone);
    ck_assert_int_eq(pts_features_create(&alone, encoder, paths, 1, &settings, NULL, &u, &err),
                     PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message, "features: expected a readable image, got none of 1");
    pts_features_destroy(f);
    pts_encoder_close(encoder);
    unlink(paths[0]);
    unlink(paths[1]);
}
END_TEST

START_TEST(features_are_cancelled)
{
    const char *paths[] = {write_bmp("stop.bmp", IMAGE_W, IMAGE_H, 0)};
    pts_encoder *encoder = open_tower(NULL);
    pts_feature_settings settings;
    pts_features *f;
    pts_error err;
    pts_feature_settings_default(&settings);
    settings.side = IMAGE_W;
    stopper stop = {"components", 1, 0};
    ck_assert_int_eq(pts_features_create(&f, encoder, paths, 1, &settings, stop_at, &stop, &err),
                     PTS_ERR_CANCELLED);
    stop = (stopper){"features", 1, 0};
    ck_assert_int_eq(pts_features_create(&f, encoder, paths, 1, &settings, stop_at, &stop, &err),
                     PTS_ERR_CANCELLED);
    ck_assert_str_eq(err.message, "features: cancelled at image 1 of 1");
    ck_assert_ptr_null(f);
    pts_encoder_close(encoder);
    unlink(paths[0]);
}
END_TEST

static void check_item_equal(const feature_item *a, const feature_item *b)
{
    size_t cells = a->rows * a->columns;
    ck_assert_uint_eq(b->rows * b->columns, cells);
    ck_assert_mem_eq(a->coarse, b->coarse, cells * COARSE_CHANNELS * sizeof(float));
    ck_assert_mem_eq(a->fine, b->fine, 4 * cells * FINE_CHANNELS * sizeof(float));
}

START_TEST(features_made_later_are_the_same)
{
    const char *paths[] = {write_bmp("first.bmp", IMAGE_W, IMAGE_H, 0),
                           write_bmp("second.bmp", IMAGE_W, IMAGE_W, 0),
                           write_bmp("third.bmp", IMAGE_H, IMAGE_W, 0)};
    pts_encoder *encoder = open_tower(NULL);
    pts_feature_settings settings;
    pts_features *all, *later;
    pts_error err;
    pts_feature_settings_default(&settings);
    settings.side = IMAGE_W;
    ck_assert_int_eq(pts_features_create(&all, encoder, paths, 3, &settings, NULL, NULL, &err),
                     PTS_OK);
    settings.later = 1;
    ck_assert_int_eq(pts_features_create(&later, encoder, paths, 3, &settings, NULL, NULL, &err),
                     PTS_OK);
    ck_assert(pts_projection_equal(pts_features_projection(all), pts_features_projection(later)));
    for (size_t i = 0; i < 3; i++)
        ck_assert(!pts_features_readable(later, i));

    /* Cancelled after the first: that one stays, and is not made again. */
    stopper stop = {"features", 1, 0};
    const size_t wanted[] = {2, 0};
    ck_assert_int_eq(pts_features_extend(later, encoder, paths, wanted, 2, stop_at, &stop, &err),
                     PTS_ERR_CANCELLED);
    ck_assert(pts_features_readable(later, 2) && !pts_features_readable(later, 0));
    stop = (stopper){"features", 100, 0};
    ck_assert_int_eq(pts_features_extend(later, encoder, paths, wanted, 2, stop_at, &stop, &err),
                     PTS_OK);
    ck_assert_uint_eq(stop.calls, 1);
    ck_assert_int_eq(pts_features_extend(later, encoder, paths, wanted, 2, stop_at, &stop, &err),
                     PTS_OK);
    ck_assert_uint_eq(stop.calls, 1);
    check_item_equal(&all->items[0], &later->items[0]);
    check_item_equal(&all->items[2], &later->items[2]);
    ck_assert(!pts_features_readable(later, 1));

    const size_t outside = 3, gone = 1;
    ck_assert_int_eq(pts_features_extend(later, encoder, paths, &outside, 1, NULL, NULL, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "features: expected images below 3, got 3");
    unlink(paths[1]);
    ck_assert_int_eq(pts_features_extend(later, encoder, paths, &gone, 1, NULL, NULL, &err),
                     PTS_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.message, "second.bmp"));
    ck_assert(!pts_features_readable(later, 1));
    pts_features_destroy(all);
    pts_features_destroy(later);
    pts_encoder_close(encoder);
    unlink(paths[0]);
    unlink(paths[2]);
}
END_TEST

CHECK_SUITE("segment", decoder_equals_the_plain_one_and_its_differences, chamfer_equals_brute_force,
            cores_part_touching_instances, specks_are_dropped_and_empty_maps_are_empty,
            targets_of_a_square, parts_and_masks_teach_alike, crowds_are_not_taught,
            labels_that_cannot_be_painted, components_are_uncorrelated, files_that_are_no_segmenter,
            absent_images_are_left_out_and_counted, arguments_that_make_no_sense,
            features_of_a_vit_by_overlapping_windows, unreadable_photographs,
            features_are_cancelled, features_made_later_are_the_same, SLOW,
            training_learns_a_separable_scene, rare_objects_are_learnt,
            touching_instances_are_learnt_apart, going_on_learns_the_piece_and_keeps_the_rest,
            a_saved_segmenter_goes_on_bit_for_bit, masks_and_crowds_are_scored,
            progress_stops_at_once)
