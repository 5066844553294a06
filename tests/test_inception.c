/* The InceptionV3 encoder with the default weights against an independent float64 walk of its
 * Keras graph: tests/data/inception/README.md. */
#include "check_main.h"

#include "pts/encoder.h"
#include "pts/image.h"
#include "pts/weights.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { DIM = 2048, SIDE = 299, SAMPLES = 256, INPUT = SIDE * SIDE * 3, ROWS_MAX = 64 };

/* Inputs and golden files ----------------------------------------------------------------- */

static const char *weights_path(void)
{
    static char path[4096];
    const char *root = getenv("PTS_TEST_WEIGHTS");
    snprintf(path, sizeof path, "%s/inception_v3.ptsw", root ? root : "weights");
    return path;
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static float *random_image(uint64_t seed, size_t values)
{
    float *image = malloc(values * sizeof *image);
    ck_assert_ptr_nonnull(image);
    for (size_t i = 0; i < values; i++)
        image[i] = (float)(splitmix64(&seed) >> 40) * 0x1p-24f;
    return image;
}

static float *load_photo(const char *name)
{
    char file[64];
    pts_image photo;
    pts_error err;
    snprintf(file, sizeof file, "inception/%s.png", name);
    pts_status status = pts_image_read(test_data(file), NULL, &photo, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert(photo.width == SIDE && photo.height == SIDE);
    float *image = malloc(INPUT * sizeof *image);
    ck_assert_ptr_nonnull(image);
    for (size_t i = 0; i < INPUT; i++)
        image[i] = (float)photo.rgb[i] / 255.0f;
    pts_image_free(&photo);
    return image;
}

/* float32 .npy of the expected shape, which the file's own header states. */
static float *load_npy(const char *name, size_t rows, size_t columns)
{
    char header[128] = {0}, shape[32];
    FILE *file = fopen(test_data(name), "rb");
    ck_assert_msg(file != NULL, "%s: cannot open", test_data(name));
    ck_assert_uint_eq(fread(header, 1, sizeof header, file), sizeof header);
    snprintf(shape, sizeof shape, "(%zu, %zu)", rows, columns);
    ck_assert_msg(strstr(header + 10, "'<f4'") && strstr(header + 10, shape), "%s: header: %.117s",
                  name, header + 10);
    float *data = malloc(rows * columns * sizeof *data);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(fread(data, sizeof *data, rows * columns, file), rows * columns);
    fclose(file);
    return data;
}

typedef struct golden_tap {
    char input[32], name[32];
    size_t row, height, width, channels;
    double mean, rms, max;
} golden_tap;

static size_t load_taps(const char *input, golden_tap *taps)
{
    FILE *file = fopen(test_data("inception/manifest.txt"), "r");
    ck_assert_ptr_nonnull(file);
    char line[256];
    size_t count = 0;
    while (fgets(line, sizeof line, file)) {
        golden_tap *t = &taps[count];
        int fields =
            sscanf(line, "tap %31s %31s %zu %zu %zu %zu %lf %lf %lf", t->input, t->name, &t->row,
                   &t->height, &t->width, &t->channels, &t->mean, &t->rms, &t->max);
        if (fields == 9 && strcmp(t->input, input) == 0)
            ck_assert_uint_lt(++count, ROWS_MAX);
    }
    fclose(file);
    return count;
}

/* Comparison ------------------------------------------------------------------------------ */

typedef struct difference {
    double max, relative_rms, cosine, scale; /* scale: max|reference| */
} difference;

static difference compare(const float *got, const float *reference, size_t count)
{
    difference d = {0};
    double dot = 0, got2 = 0, reference2 = 0, delta2 = 0;
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(isfinite(got[i]), "value %zu is %g", i, (double)got[i]);
        double a = got[i], b = reference[i];
        d.max = fmax(d.max, fabs(a - b));
        d.scale = fmax(d.scale, fabs(b));
        dot += a * b;
        got2 += a * a;
        reference2 += b * b;
        delta2 += (a - b) * (a - b);
    }
    d.relative_rms = sqrt(delta2 / reference2);
    d.cosine = dot / sqrt(got2 * reference2);
    return d;
}

static void expect_close(const char *input, const char *name, const float *got,
                         const float *reference, size_t count, double absolute, double relative)
{
    difference d = compare(got, reference, count);
    printf("%-18s %-13s max|d| %.2e  relative RMS %.2e  1 - cosine %.2e\n", input, name, d.max,
           d.relative_rms, 1 - d.cosine);
    fflush(stdout);
    ck_assert_msg(d.max <= absolute + relative * d.scale,
                  "%s %s: max|d| %.3e of max %.3e, relative RMS %.3e, cosine %.9f", input, name,
                  d.max, d.scale, d.relative_rms, d.cosine);
}

static void expect_embedding(const char *input, const float *embedding, size_t row)
{
    float *golden = load_npy("inception/embeddings.npy", 5, DIM);
    expect_close(input, "embedding", embedding, golden + row * DIM, DIM, 2e-5, 0);
    free(golden);
}

static pts_team *team;
static pts_encoder *encoder;

static void open_encoder(const char *path)
{
    pts_error err;
    ck_assert_int_eq(pts_team_create(&team, 2, NULL), PTS_OK);
    pts_status status = pts_encoder_open(&encoder, path, team, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
}

static void close_encoder(void)
{
    pts_encoder_close(encoder);
    pts_team_destroy(team);
}

static void embed(const float *images, size_t count, float *out)
{
    pts_error err;
    pts_status status = pts_encoder_embed(encoder, images, count, out, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
}

/* Embeddings ------------------------------------------------------------------------------ */

START_TEST(says_what_it_is)
{
    open_encoder(weights_path());
    ck_assert_str_eq(pts_encoder_arch(encoder), "inception_v3");
    ck_assert_str_eq(pts_encoder_preset(encoder), "keras");
    ck_assert_uint_eq(pts_encoder_dim(encoder), DIM);
    ck_assert_uint_eq(pts_encoder_input_size(encoder), SIDE);
    ck_assert_uint_eq(strspn(pts_encoder_id(encoder), "0123456789abcdef"), 64);
    ck_assert_uint_eq(strlen(pts_encoder_id(encoder)), 64);
    close_encoder();
}
END_TEST

START_TEST(embeddings_of_photographs)
{
    float embedding[DIM];
    open_encoder(weights_path());
    for (size_t i = 0; i < 2; i++) {
        char name[] = "photo0";
        name[5] = (char)('1' + i);
        float *image = load_photo(name);
        embed(image, 1, embedding);
        expect_embedding(name, embedding, i);
        free(image);
    }
    close_encoder();
}
END_TEST

START_TEST(embedding_of_random_input)
{
    float embedding[DIM], *image = random_image(1, INPUT);
    open_encoder(weights_path());
    embed(image, 1, embedding);
    expect_embedding("random", embedding, 2);
    close_encoder();
    free(image);
}
END_TEST

START_TEST(batch_equals_one_at_a_time)
{
    float *images = random_image(3, 2 * INPUT), batch[2 * DIM], single[2 * DIM];
    open_encoder(weights_path());
    embed(images, 2, batch);
    embed(images + INPUT, 1, single + DIM);
    embed(images, 1, single);
    ck_assert_mem_eq(batch, single, sizeof batch);
    ck_assert_mem_ne(batch, batch + DIM, sizeof batch / 2);
    close_encoder();
    free(images);
}
END_TEST

/* Taps ------------------------------------------------------------------------------------- */

typedef struct tap_check {
    const golden_tap *taps;
    size_t count, seen;
    const float *samples; /* [22][SAMPLES] */
    float embedding[DIM];
} tap_check;

static void check_moments(const golden_tap *t, const float *map)
{
    size_t count = t->height * t->width * t->channels;
    double sum = 0, squares = 0, max = 0;
    for (size_t i = 0; i < count; i++) {
        sum += map[i];
        squares += (double)map[i] * map[i];
        max = fmax(max, map[i]);
    }
    ck_assert_double_eq_tol(sum / (double)count, t->mean, 5e-5 * t->mean);
    ck_assert_double_eq_tol(sqrt(squares / (double)count), t->rms, 5e-5 * t->rms);
    ck_assert_double_eq_tol(max, t->max, 5e-5 * t->max);
}

static void check_tap(const golden_tap *t, const float *map, const float *golden)
{
    size_t count = t->height * t->width * t->channels;
    uint64_t state = count;
    float got[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++)
        got[i] = map[splitmix64(&state) % count];
    expect_close(t->input, t->name, got, golden, SAMPLES, 0, 5e-5);
    check_moments(t, map);
}

static void on_tap(void *user, const char *name, const float *map, size_t height, size_t width,
                   size_t channels)
{
    tap_check *check = user;
    if (strcmp(name, "embedding") == 0) {
        ck_assert_uint_eq(height * width, 1);
        ck_assert_uint_eq(channels, DIM);
        memcpy(check->embedding, map, sizeof check->embedding);
    }
    if (check->seen == check->count || strcmp(name, check->taps[check->seen].name) != 0)
        return;
    const golden_tap *t = &check->taps[check->seen++];
    ck_assert_uint_eq(height, t->height);
    ck_assert_uint_eq(width, t->width);
    ck_assert_uint_eq(channels, t->channels);
    check_tap(t, map, check->samples + t->row * SAMPLES);
}

/* The golden taps come in the network's order, so each must be seen and in that order. */
static void check_taps(const char *input, const float *image, size_t height, size_t width,
                       size_t expected_taps, size_t embedding_row)
{
    golden_tap taps[ROWS_MAX];
    float *samples = load_npy("inception/taps.npy", 22, SAMPLES);
    tap_check check = {.taps = taps, .count = load_taps(input, taps), .samples = samples};
    pts_error err;
    ck_assert_uint_eq(check.count, expected_taps);
    pts_status status = pts_encoder_taps(encoder, image, height, width, NULL, on_tap, &check, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert_uint_eq(check.seen, expected_taps);
    expect_embedding(input, check.embedding, embedding_row);
    free(samples);
}

START_TEST(taps_of_a_photograph)
{
    float *image = load_photo("photo1");
    open_encoder(weights_path());
    check_taps("photo1", image, SIDE, SIDE, 10, 0);
    close_encoder();
    free(image);
}
END_TEST

START_TEST(taps_of_random_input)
{
    float *image = random_image(1, INPUT);
    open_encoder(weights_path());
    check_taps("random", image, SIDE, SIDE, 10, 2);
    close_encoder();
    free(image);
}
END_TEST

/* Embeds afterwards, too: the arena then serves the usual size again. */
START_TEST(wide_input_runs_fully_convolutionally)
{
    float *wide = random_image(2, 331 * 411 * 3), *image = random_image(1, INPUT), embedding[DIM];
    open_encoder(weights_path());
    check_taps("wide", wide, 331, 411, 2, 3);
    embed(image, 1, embedding);
    expect_embedding("random", embedding, 2);
    close_encoder();
    free(image);
    free(wide);
}
END_TEST

static void note_name(void *user, const char *name, const float *map, size_t height, size_t width,
                      size_t channels)
{
    ck_assert_uint_gt(height * width * channels, 0);
    ck_assert(isfinite(map[0]));
    snprintf(user, 32, "%s", name);
}

START_TEST(run_stops_after_the_last_tap)
{
    char seen[32] = "";
    float *image = random_image(1, INPUT);
    open_encoder(weights_path());
    ck_assert_int_eq(
        pts_encoder_taps(encoder, image, SIDE, SIDE, "Mixed_5d", note_name, seen, NULL), PTS_OK);
    ck_assert_str_eq(seen, "Mixed_5d");
    ck_assert_int_eq(pts_encoder_taps(encoder, image, SIDE, SIDE, NULL, note_name, seen, NULL),
                     PTS_OK);
    ck_assert_str_eq(seen, "embedding");
    pts_error err;
    ck_assert_int_eq(
        pts_encoder_taps(encoder, image, SIDE, SIDE, "Mixed_9x", note_name, seen, &err),
        PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "tap: the network has none named 'Mixed_9x'");
    close_encoder();
    free(image);
}
END_TEST

START_TEST(too_small_an_input_is_refused)
{
    char seen[32] = "";
    float *image = random_image(1, INPUT);
    pts_error err;
    open_encoder(weights_path());
    ck_assert_int_eq(pts_encoder_taps(encoder, image, 74, 299, NULL, note_name, seen, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(seen, "");
    ck_assert_str_eq(err.message, "image: expected sides of at least 75, got 299×74");
    ck_assert_int_eq(pts_encoder_taps(encoder, image, 75, 75, NULL, note_name, seen, &err), PTS_OK);
    ck_assert_str_eq(seen, "embedding");
    close_encoder();
    free(image);
}
END_TEST

/* Pooling conventions ---------------------------------------------------------------------- */

/* A copy of the default weights whose metadata say avgpool=`value` (NULL: no such key). */
static void write_copy(const char *path, const char *value)
{
    pts_weights *weights;
    static pts_meta meta[PTS_META_COUNT_MAX];
    size_t kept = 0;
    pts_error err;
    ck_assert_int_eq(pts_weights_open(&weights, weights_path(), NULL), PTS_OK);
    for (size_t i = 0; i < pts_weights_meta_count(weights); i++) {
        meta[kept] = *pts_weights_meta_at(weights, i);
        if (strcmp(meta[kept].key, "avgpool") == 0)
            meta[kept].value = value;
        kept += meta[kept].value != NULL;
    }
    size_t count = pts_weights_count(weights);
    pts_tensor *tensors = calloc(count, sizeof *tensors);
    ck_assert_ptr_nonnull(tensors);
    for (size_t i = 0; i < count; i++)
        tensors[i] = *pts_weights_tensor(weights, i);
    pts_status status = pts_weights_write(path, meta, kept, tensors, count, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    free(tensors);
    pts_weights_close(weights);
}

static const char *copy_path(void)
{
    static char path[4096];
    const char *root = getenv("PTS_TEST_BUILD");
    snprintf(path, sizeof path, "%s/inception-copy-%ld.ptsw", root ? root : "/tmp", (long)getpid());
    return path;
}

START_TEST(pool_that_counts_padding)
{
    float embedding[DIM], *image = random_image(1, INPUT);
    write_copy(copy_path(), "include_pad");
    open_encoder(copy_path());
    unlink(copy_path()); /* stays mapped */
    embed(image, 1, embedding);
    expect_embedding("random_include_pad", embedding, 4);
    close_encoder();
    free(image);
}
END_TEST

static void expect_refused(const char *avgpool, const char *complaint)
{
    pts_error err;
    char expected[sizeof err.message];
    write_copy(copy_path(), avgpool);
    pts_status status = pts_encoder_open(&encoder, copy_path(), NULL, &err);
    unlink(copy_path());
    ck_assert_int_eq(status, PTS_ERR_FORMAT);
    ck_assert_ptr_null(encoder);
    snprintf(expected, sizeof expected, "%.300s: %s", copy_path(), complaint);
    ck_assert_str_eq(err.message, expected);
}

START_TEST(unknown_pooling_is_refused)
{
    expect_refused("both", "avgpool: expected 'exclude_pad' or 'include_pad', got 'both'");
    expect_refused(NULL, "expected metadata 'avgpool', got none");
}
END_TEST

static SRunner *make_runner(void)
{
    const TTest *const cases[] = {
        says_what_it_is,
        embeddings_of_photographs,
        embedding_of_random_input,
        batch_equals_one_at_a_time,
        taps_of_a_photograph,
        taps_of_random_input,
        wide_input_runs_fully_convolutionally,
        run_stops_after_the_last_tap,
        too_small_an_input_is_refused,
        pool_that_counts_padding,
        unknown_pooling_is_refused,
    };
    Suite *suite = suite_create("inception");
    TCase *tcase = tcase_create("inception");
    tcase_set_timeout(tcase, 120);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tcase_add_test(tcase, cases[i]);
    suite_add_tcase(suite, tcase);
    return srunner_create(suite);
}

int main(void)
{
    if (access(weights_path(), R_OK) != 0) {
        printf("skipped: no %s\n", weights_path());
        return 77;
    }
    SRunner *runner = make_runner();
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
