/* The CLIP image encoder against torch in float64 (tests/data/clip/README.md), at every level of
 * the processor and several thread counts; its kernels against the C library in double. */
#include "golden.h"

#include "clip_file.h"
#include "temporary_folder.h"
#include "kernels/level.h"
#include "pts/cpu.h"
#include "pts/encoder.h"

#include <unistd.h>

static const clip_shape shapes[] = {
    {"odd_quick_gelu", 8, 5, 48, 3, 3, 100, 20, "quick_gelu"},
    {"odd_gelu", 8, 5, 48, 3, 3, 100, 20, "gelu"},
    {"narrow", 3, 3, 36, 2, 3, 50, 7, "quick_gelu"},
    {"one_head", 2, 2, 300, 2, 1, 33, 5, "gelu"},
    {"many_tokens", 2, 17, 32, 2, 2, 70, 64, "quick_gelu"},
};
static const clip_shape vit_b_32 = {"vit_b_32", 32, 7, 768, 12, 12, 3072, 512, "quick_gelu"};

enum { WITH_TAPS = 4 }; /* the first so many of `shapes` */

static pts_team *team;
static pts_encoder *encoder;

static void open_encoder(clip_file *file, int threads)
{
    pts_error err;
    clip_file_write(file, scratch("clip.ptsw"));
    ck_assert_int_eq(pts_team_create(&team, threads, NULL), PTS_OK);
    pts_status status = pts_encoder_open(&encoder, scratch("clip.ptsw"), team, &err);
    unlink(scratch("clip.ptsw")); /* stays mapped */
    ck_assert_msg(status == PTS_OK, "%s", err.message);
}

static void close_encoder(void)
{
    pts_encoder_close(encoder);
    pts_team_destroy(team);
}

static size_t image_floats(const clip_shape *s)
{
    return s->patch * s->grid * s->patch * s->grid * 3;
}

/* images [count][side][side][3]: image i is that of seed 7 + i % 2 */
static float *make_images(const clip_shape *s, size_t count)
{
    const size_t floats = image_floats(s);
    float *images = malloc(count * floats * sizeof *images);
    ck_assert_ptr_nonnull(images);
    for (size_t i = 0; i < count; i++) {
        float *image = clip_draws(7 + i % 2, floats, 1, 0);
        memcpy(images + i * floats, image, floats * sizeof *image);
        free(image);
    }
    return images;
}

static void embed(const float *images, size_t count, float *out)
{
    pts_error err;
    pts_status status = pts_encoder_embed(encoder, images, count, out, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
}

/* Runs check(user) at every level that this machine has. */
static void at_every_level(void (*check)(const void *user), const void *user)
{
    const pts_level *level;
    for (size_t i = 0; (level = pts_level_at(i)); i++) {
        ck_assert_int_eq(pts_cpu_limit(level->name, NULL), PTS_OK);
        check(user);
    }
    ck_assert_int_eq(pts_cpu_limit(NULL, NULL), PTS_OK);
}

/* ---- parity ---- */

typedef struct tap_check {
    const clip_shape *shape;
    golden *golden;
    size_t seen;
} tap_check;

static void on_tap(void *user, const char *name, const float *map, size_t height, size_t width,
                   size_t channels)
{
    tap_check *check = user;
    const clip_shape *s = check->shape;
    char expected[32] = "pre_norm";
    if (strcmp(name, "embedding") == 0)
        return;
    if (check->seen)
        snprintf(expected, sizeof expected, "layer%zu", check->seen - 1);
    ck_assert_str_eq(name, expected);
    ck_assert_uint_eq(height, 1);
    ck_assert_uint_eq(width, s->grid * s->grid + 1);
    ck_assert_uint_eq(channels, s->width);
    assert_close(name, map, golden_take(check->golden, width * channels), width * channels, 1e-5);
    check->seen++;
}

static void check_taps(const clip_shape *s, const float *image, golden *g)
{
    const size_t side = s->patch * s->grid;
    tap_check check = {s, g, 0};
    pts_error err;
    pts_status status = pts_encoder_taps(encoder, image, side, side, NULL, on_tap, &check, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert_uint_eq(check.seen, 1 + s->layers);
}

static void check_parity(const void *user)
{
    const clip_shape *s = user;
    char file[64];
    snprintf(file, sizeof file, "clip/%s.bin", s->name);
    golden g = golden_open(file);
    float *images = make_images(s, 2), *out = malloc(2 * s->dim * sizeof *out);
    open_encoder(clip_file_make(s), 2);
    ck_assert_uint_eq(pts_encoder_input_size(encoder), s->patch * s->grid);
    ck_assert_uint_eq(pts_encoder_dim(encoder), s->dim);
    if (s < shapes + WITH_TAPS)
        check_taps(s, images, &g);
    embed(images, 2, out);
    assert_close(s->name, out, golden_take(&g, 2 * s->dim), 2 * s->dim, 1e-5);
    close_encoder();
    golden_close(&g);
    free(images);
    free(out);
}

START_TEST(embeddings_and_taps_equal_torch)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        at_every_level(check_parity, &shapes[i]);
}
END_TEST

/* ---- the published size ---- */

enum { B32_IMAGES = 5, B32_DIM = 512 };

static void check_b32(const float *out)
{
    golden g = golden_open("clip/vit_b_32.bin");
    float got[2 * B32_DIM / 8];
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        got[i] = out[8 * i];
    assert_close("vit_b_32", got, golden_take(&g, sizeof got / sizeof *got),
                 sizeof got / sizeof *got, 1e-5);
    golden_close(&g);
}

START_TEST(b32_equals_torch)
{
    static float out[B32_IMAGES * B32_DIM];
    float *images = make_images(&vit_b_32, B32_IMAGES);
    open_encoder(clip_file_make(&vit_b_32), 2);
    ck_assert_str_eq(pts_encoder_arch(encoder), "clip_vit");
    ck_assert_str_eq(pts_encoder_preset(encoder), "clip");
    ck_assert_uint_eq(pts_encoder_input_size(encoder), 224);
    ck_assert_double_eq_tol(pts_encoder_flops(encoder), 8.7e9, 0.2e9); /* published: 4.4 GMAC */
    embed(images, B32_IMAGES, out);
    check_b32(out);
    for (size_t i = 2; i < B32_IMAGES; i++)
        ck_assert_mem_eq(out + i * B32_DIM, out + i % 2 * B32_DIM, B32_DIM * sizeof *out);
    close_encoder();
    free(images);
}
END_TEST

/* ---- what must not matter ---- */

enum { MANY = 23 };

static float *embed_with(const clip_shape *s, int threads, size_t at_once)
{
    float *images = make_images(s, MANY), *out = malloc(MANY * s->dim * sizeof *out);
    ck_assert_ptr_nonnull(out);
    open_encoder(clip_file_make(s), threads);
    for (size_t i = 0; i < MANY; i += at_once) {
        size_t count = MANY - i < at_once ? MANY - i : at_once;
        embed(images + i * image_floats(s), count, out + i * s->dim);
    }
    close_encoder();
    free(images);
    return out;
}

static void check_invariance(const void *user)
{
    const clip_shape *s = user;
    float *one = embed_with(s, 1, 1);
    ck_assert_mem_ne(one, one + s->dim, s->dim * sizeof *one);
    for (int threads = 1; threads <= 3; threads++) {
        for (size_t at_once = threads == 1 ? 2 : 1; at_once <= MANY; at_once += 11) {
            float *other = embed_with(s, threads, at_once);
            ck_assert_mem_eq(one, other, MANY * s->dim * sizeof *one);
            free(other);
        }
    }
    free(one);
}

START_TEST(no_bit_depends_on_threads_or_batch)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        at_every_level(check_invariance, &shapes[i]);
}
END_TEST

/* ---- images that are made ---- */

typedef struct maker {
    const float *images;
    size_t floats, fails; /* SIZE_MAX: none */
} maker;

static pts_status make_image(void *user, size_t index, float *image, pts_error *err)
{
    const maker *m = user;
    if (index >= m->fails) {
        snprintf(err->message, sizeof err->message, "image %zu", index);
        return PTS_ERR_IO;
    }
    memcpy(image, m->images + index * m->floats, m->floats * sizeof *image);
    return PTS_OK;
}

START_TEST(images_from_a_source)
{
    const clip_shape *s = &shapes[0];
    static float array[MANY * 20], made[MANY * 20];
    float *images = make_images(s, MANY);
    maker m = {images, image_floats(s), SIZE_MAX};
    pts_error err;
    open_encoder(clip_file_make(s), 3);
    embed(images, MANY, array);
    ck_assert_int_eq(pts_encoder_embed_from(encoder, make_image, &m, MANY, made, &err), PTS_OK);
    ck_assert_mem_eq(array, made, sizeof array);
    memset(made, 0, sizeof made);
    m.fails = 20;
    ck_assert_int_eq(pts_encoder_embed_from(encoder, make_image, &m, MANY, made, &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "image 20");
    ck_assert_mem_eq(array, made, 20 * 20 * sizeof *made); /* what came before it is whole */
    close_encoder();
    free(images);
}
END_TEST

/* ---- taps and steps ---- */

static void note_name(void *user, const char *name, const float *map, size_t height, size_t width,
                      size_t channels)
{
    ck_assert(isfinite(map[height * width * channels - 1]));
    snprintf(user, 32, "%s", name);
}

START_TEST(run_stops_after_the_last_tap)
{
    const clip_shape *s = &shapes[0];
    char seen[32] = "";
    float *image = make_images(s, 1);
    pts_error err;
    open_encoder(clip_file_make(s), 1);
    ck_assert_int_eq(pts_encoder_taps(encoder, image, 40, 40, "layer1", note_name, seen, &err),
                     PTS_OK);
    ck_assert_str_eq(seen, "layer1");
    ck_assert_int_eq(pts_encoder_taps(encoder, image, 40, 40, "embedding", note_name, seen, &err),
                     PTS_OK);
    ck_assert_str_eq(seen, "embedding");
    ck_assert_int_eq(pts_encoder_taps(encoder, image, 40, 40, "layer3", note_name, seen, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "tap: the network has none named 'layer3'");
    ck_assert_int_eq(pts_encoder_taps(encoder, image, 40, 48, NULL, note_name, seen, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "image: expected 40×40, got 48×40");
    close_encoder();
    free(image);
}
END_TEST

typedef struct step_sum {
    size_t count;
    double flops;
    bool attention;
} step_sum;

static void on_step(void *user, const pts_encoder_step *step)
{
    step_sum *sum = user;
    sum->count++;
    sum->flops += step->flops;
    sum->attention |= strcmp(step->name, "layer1.attention") == 0;
    ck_assert(step->seconds >= 0);
}

/* Less than the textbook's, which computes the last layer for every token. */
START_TEST(profile_names_its_steps)
{
    const clip_shape *s = &shapes[0];
    float *image = make_images(s, 1);
    step_sum sum = {0};
    open_encoder(clip_file_make(s), 2);
    ck_assert_int_eq(pts_encoder_profile(encoder, image, on_step, &sum, NULL), PTS_OK);
    ck_assert(sum.attention);
    ck_assert_uint_eq(sum.count, 3 + 7 * s->layers + 1 + 2);
    ck_assert_double_lt(sum.flops, pts_encoder_flops(encoder));
    ck_assert_double_gt(sum.flops, 0.6 * pts_encoder_flops(encoder));
    close_encoder();
    free(image);
}
END_TEST

/* ---- refused files ---- */

static void expect_refused(clip_file *file, pts_status expected, const char *complaint)
{
    pts_error err;
    char message[sizeof err.message];
    clip_file_write(file, scratch("clip.ptsw"));
    pts_status status = pts_encoder_open(&encoder, scratch("clip.ptsw"), NULL, &err);
    unlink(scratch("clip.ptsw"));
    snprintf(message, sizeof message, "%.300s: %s", scratch("clip.ptsw"), complaint);
    ck_assert_str_eq(err.message, message);
    ck_assert_int_eq(status, expected);
    ck_assert_ptr_null(encoder);
}

static clip_file *odd_file(void)
{
    return clip_file_make(&shapes[0]);
}

START_TEST(missing_tensors_are_named)
{
    static const struct {
        const char *name, *expected;
    } cases[] = {
        {"patch.weight", "(patch, patch, 3, width)"},
        {"class", "(48)"},
        {"positions", "(tokens, width)"},
        {"pre_norm.bias", "(48)"},
        {"layer0.fc1.weight", "(width, hidden width)"},
        {"layer0.norm1.weight", "(48)"},
        {"layer1.qkv.weight", "(48, 144)"},
        {"layer1.qkv.bias", "(144)"},
        {"layer1.proj.weight", "(48, 48)"},
        {"layer2.norm2.weight", "(48)"},
        {"layer2.fc1.bias", "(100)"},
        {"layer2.fc2.weight", "(100, 48)"},
        {"post_norm.weight", "(48)"},
        {"projection", "(width, dim)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clip_file *file = odd_file();
        char complaint[128];
        strcpy((char *)(uintptr_t)clip_file_find(file, cases[i].name)->name, "elsewhere");
        snprintf(complaint, sizeof complaint, "tensor '%s': expected f32 %s, got none",
                 cases[i].name, cases[i].expected);
        expect_refused(file, PTS_ERR_SHAPE, complaint);
    }
}
END_TEST

/* The same numbers under another shape. */
static clip_file *reshaped(const char *name, int rank, size_t a, size_t b, size_t c, size_t d)
{
    clip_file *file = odd_file();
    pts_tensor *t = clip_file_find(file, name);
    const size_t shape[4] = {a, b, c, d};
    t->rank = rank;
    memcpy(t->shape, shape, sizeof shape);
    t->bytes = a * b * c * d * sizeof(float);
    return file;
}

START_TEST(misshapen_tensors_are_named)
{
    expect_refused(reshaped("patch.weight", 2, 192, 48, 1, 1), PTS_ERR_SHAPE,
                   "tensor 'patch.weight': expected f32 (patch, patch, 3, width), got rank 2");
    expect_refused(reshaped("patch.weight", 4, 4, 16, 3, 48), PTS_ERR_SHAPE,
                   "tensor 'patch.weight': expected f32 (4, 4, 3, 48), got f32 (4, 16, 3, 48)");
    expect_refused(reshaped("patch.weight", 4, 8, 8, 1, 48), PTS_ERR_SHAPE,
                   "tensor 'patch.weight': expected f32 (8, 8, 3, 48), got f32 (8, 8, 1, 48)");
    expect_refused(reshaped("positions", 2, 26, 24, 1, 1), PTS_ERR_SHAPE,
                   "tensor 'positions': expected f32 (26, 48), got f32 (26, 24)");
    expect_refused(reshaped("class", 2, 1, 48, 1, 1), PTS_ERR_SHAPE,
                   "tensor 'class': expected f32 (48), got f32 (1, 48)");
    expect_refused(reshaped("layer1.qkv.weight", 2, 144, 48, 1, 1), PTS_ERR_SHAPE,
                   "tensor 'layer1.qkv.weight': expected f32 (48, 144), got f32 (144, 48)");
    expect_refused(reshaped("layer0.fc1.weight", 2, 48, 99, 1, 1), PTS_ERR_SHAPE,
                   "tensor 'layer0.fc1.bias': expected f32 (99), got f32 (100)");
    expect_refused(reshaped("projection", 3, 48, 20, 1, 1), PTS_ERR_SHAPE,
                   "tensor 'projection': expected f32 (width, dim), got rank 3");
}
END_TEST

START_TEST(positions_must_be_a_square)
{
    expect_refused(reshaped("positions", 2, 25, 48, 1, 1), PTS_ERR_SHAPE,
                   "tensor 'positions': expected one row more than a square, got 25");
    expect_refused(reshaped("positions", 2, 1, 48, 1, 1), PTS_ERR_SHAPE,
                   "tensor 'positions': expected one row more than a square, got 1");
}
END_TEST

START_TEST(limits_are_kept)
{
    static const clip_shape deep = {"deep", 1, 1, 1, 1, 1, 1, 1, "gelu"};
    clip_file *file = clip_file_make(&deep);
    strcpy((char *)(uintptr_t)clip_file_find(file, "layer0.fc2.bias")->name,
           "layer99999999999999999999.fc2.bias");
    expect_refused(file, PTS_ERR_LIMIT, "layers: expected at most 1024, got 10000");
    static const clip_shape wide = {"wide", 1, 1, 65537, 0, 1, 1, 1, "gelu"};
    file = clip_file_make(&wide);
    const size_t fc1[2] = {65537, 1};
    clip_add(file, "layer0.fc1.weight", 2, fc1, 1, 0);
    expect_refused(file, PTS_ERR_LIMIT, "width: expected at most 65536, got 65537");
    static const clip_shape large = {"large", 20, 205, 1, 1, 1, 1, 1, "gelu"};
    expect_refused(clip_file_make(&large), PTS_ERR_LIMIT,
                   "side of the input: expected at most 4096, got 4100");
}
END_TEST

START_TEST(heads_must_divide_the_width)
{
    static const char *const wrong[] = {"5", "0", "", "-3", "3 ", "99999999999999999999", "49"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char complaint[128];
        clip_file *file = odd_file();
        strcpy(file->heads, wrong[i]);
        snprintf(complaint, sizeof complaint,
                 "heads: expected a divisor of the width, 48, got '%s'", wrong[i]);
        expect_refused(file, PTS_ERR_FORMAT,
                       *wrong[i] ? complaint : "expected metadata 'heads', got none");
    }
}
END_TEST

START_TEST(unknown_activation_is_refused)
{
    clip_file *file = odd_file();
    file->activation = "relu";
    expect_refused(file, PTS_ERR_FORMAT, "activation: expected 'quick_gelu' or 'gelu', got 'relu'");
    file = odd_file();
    file->activation = NULL;
    expect_refused(file, PTS_ERR_FORMAT, "expected metadata 'activation', got none");
}
END_TEST

/* ---- kernels of a row ---- */

/* Distance in units of the last place of the reference. */
static double ulps(float got, double expected)
{
    int exponent;
    frexp(expected, &exponent);
    return fabs((double)got - expected) / ldexp(1, exponent - 24);
}

/* Softmax of {0, x} with x < 0 is 1/(1 + e^x), e^x/(1 + e^x): the second tells what e^x is. */
static void check_exponential(const void *user)
{
    const pts_level *level = pts_level_current();
    double worst = 0;
    (void)user;
    for (float x = 0; x > -87; x -= 0.00173f) {
        float row[16] = {0, x};
        level->softmax(row, 1, 16, 2, 1);
        double e = exp((double)x);
        worst = fmax(worst, ulps(row[1], e / (1 + e)));
    }
    printf("softmax at %s: %.2f ulp\n", level->name, worst);
    ck_assert_double_le(worst, 2.5); /* of e^x, the sum, the quotient and the product */
}

static void check_softmax(const void *user)
{
    const pts_level *level = pts_level_current();
    (void)user;
    for (size_t count = 1; count < 70; count++) {
        float *draws = clip_draws(count, count, 300, 0), row[80];
        double sum = 0, top = -INFINITY;
        memcpy(row, draws, count * sizeof *row);
        level->softmax(row, 1, 80, count, 0.125f);
        for (size_t i = 0; i < count; i++)
            top = fmax(top, (double)draws[i]);
        for (size_t i = 0; i < count; i++)
            sum += exp(((double)draws[i] - top) / 8);
        for (size_t i = 0; i < count; i++) {
            double power = ((double)draws[i] - top) / 8, expected = exp(power) / sum;
            /* the power itself is rounded twice */
            double relative = ldexp(4 - power, -23);
            ck_assert_double_eq_tol((double)row[i], expected, relative * expected + 1e-37);
        }
        free(draws);
    }
}

/* Scores that would overflow an exponential, and rows that are all the same. */
static void check_extremes(const void *user)
{
    const pts_level *level = pts_level_current();
    float row[16] = {3e38f, -3e38f, 0}, same[16] = {-1e30f, -1e30f};
    (void)user;
    level->softmax(row, 1, 16, 3, 1);
    ck_assert_float_eq(row[0], 1);
    ck_assert(row[1] == 0 && row[2] == 0);
    level->softmax(same, 1, 16, 2, 1);
    ck_assert_float_eq(same[0], 0.5f);
    float far[6] = {-1000, -88, 1000, 88, -1e38f, 0}, near[6];
    memcpy(near, far, sizeof far);
    level->quick_gelu(far, 6);
    level->gelu(near, 6);
    const float expected[6] = {0, 0, 1000, 88, 0, 0};
    for (size_t i = 0; i < 6; i++) {
        ck_assert_float_eq_tol(far[i], expected[i], 1e-30f);
        ck_assert_float_eq_tol(near[i], expected[i], 1e-30f);
    }
}

static void check_activations(const void *user)
{
    const pts_level *level = pts_level_current();
    double worst[2] = {0};
    (void)user;
    for (float x = -12; x < 12; x += 0.00037f) {
        float quick[3] = {x, x, x}, exact[19];
        for (size_t i = 0; i < 19; i++)
            exact[i] = x;
        level->quick_gelu(quick, 3);
        level->gelu(exact, 19);
        double v = (double)x, q = v / (1 + exp(-1.702 * v)), g = v * 0.5 * erfc(-v / sqrt(2));
        for (size_t i = 0; i < 3; i++)
            worst[0] = fmax(worst[0], fabs((double)quick[i] - q) / (fabs(v) + 1e-30));
        for (size_t i = 0; i < 19; i++)
            worst[1] = fmax(worst[1], fabs((double)exact[i] - g) / (fabs(v) + 1e-30));
    }
    printf("activations at %s: %.1e, %.1e of |x|\n", level->name, worst[0], worst[1]);
    ck_assert_double_le(worst[0], 2e-7);
    ck_assert_double_le(worst[1], 2e-7);
}

static void check_layer_norm(const void *user)
{
    const pts_level *level = pts_level_current();
    (void)user;
    for (size_t count = 1; count < 300; count += count < 70 ? 1 : 37) {
        float *x = clip_draws(count, count, 1, 100), *w = clip_draws(2, count, 1, 0);
        float *b = clip_draws(3, count, 1, 0), *y = malloc(count * sizeof *y);
        double mean = 0, variance = 0;
        for (size_t i = 0; i < count; i++)
            mean += (double)x[i] / (double)count;
        for (size_t i = 0; i < count; i++)
            variance += pow((double)x[i] - mean, 2) / (double)count;
        level->layer_norm(x, count, w, b, 1e-5f, y);
        for (size_t i = 0; i < count; i++) {
            double expected = ((double)x[i] - mean) / sqrt(variance + 1e-5) * (double)w[i];
            ck_assert_double_eq_tol((double)y[i], expected + (double)b[i], 1e-4);
        }
        free(x);
        free(w);
        free(b);
        free(y);
    }
}

START_TEST(row_kernels_equal_the_c_library)
{
    at_every_level(check_exponential, NULL);
    at_every_level(check_softmax, NULL);
    at_every_level(check_extremes, NULL);
    at_every_level(check_activations, NULL);
    at_every_level(check_layer_norm, NULL);
}
END_TEST

CHECK_SUITE("clip", embeddings_and_taps_equal_torch, b32_equals_torch,
            no_bit_depends_on_threads_or_batch, images_from_a_source, run_stops_after_the_last_tap,
            profile_names_its_steps, missing_tensors_are_named, misshapen_tensors_are_named,
            positions_must_be_a_square, limits_are_kept, heads_must_divide_the_width,
            unknown_activation_is_refused, row_kernels_equal_the_c_library)
