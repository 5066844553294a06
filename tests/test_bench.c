/* ptsbench encoders as a runner sees it: the shape of its output, never a time. */
#include "check_main.h"
#include "run_program.h"

#include "pts/encoder.h"
#include "pts/file.h"

#include <math.h>
#include <string.h>
#include <unistd.h>
#ifdef PTS_HAVE_JSON
#include <jansson.h>
#endif

enum { SIDE = 299, IMAGE = SIDE * SIDE * 3, DIM = 2048, LAYERS = 94 };

static const char *weights_path(void)
{
    static char path[4096];
    const char *root = getenv("PTS_TEST_WEIGHTS");
    snprintf(path, sizeof path, "%s/inception_v3.ptsw", root ? root : "weights");
    return path;
}

/* Lines on stdin; the exit code. */
static int follow(const char *lines, const char *options)
{
    return run_program("printf -- '%s' | ptsbench encoders --follow --threads 1 -w '%s' %s", lines,
                       weights_path(), options);
}

/* How many lines stdout has, each one positive number. */
static size_t answers(void)
{
    size_t count = 0;
    for (char *at = ran.out, *end; *at; at = end + 1, count++) {
        ck_assert(strtod(at, &end) > 0);
        ck_assert_int_eq(*end, '\n');
    }
    return count;
}

START_TEST(each_line_is_answered)
{
    ck_assert_int_eq(follow("1\\n2\\n1\\n", ""), 0);
    ck_assert_uint_eq(answers(), 3);
    ck_assert_int_eq(follow("", ""), 0);
    ck_assert_uint_eq(answers(), 0);
    ck_assert_int_eq(follow("1", ""), 0);
    ck_assert_uint_eq(answers(), 1);
}
END_TEST

static void follow_refuses(const char *lines, size_t answered, size_t line, const char *got)
{
    char expected[256];
    ck_assert_int_eq(follow(lines, ""), 1);
    snprintf(expected, sizeof expected,
             "ptsbench: --follow: line %zu: expected a number of images, 1 … 1024, got '%s'\n",
             line, got);
    ck_assert_str_eq(ran.err, expected);
    ck_assert_uint_eq(answers(), answered);
}

START_TEST(nonsense_lines_are_refused)
{
    follow_refuses("1\\nfour\\n1\\n", 1, 2, "four");
    follow_refuses("0\\n", 0, 1, "0");
    follow_refuses("-1\\n", 0, 1, "-1");
    follow_refuses("1025\\n", 0, 1, "1025");
    follow_refuses("99999999999999999999\\n", 0, 1, "99999999999999999999");
    follow_refuses("\\n", 0, 1, "");
    follow_refuses("1 2\\n", 0, 1, "1 2");
    follow_refuses("1.5\\n", 0, 1, "1.5");
    follow_refuses("1\\r\\n", 0, 1, "1?");
    follow_refuses("1\\000\\n", 0, 1, "1");
    follow_refuses("\\033[2J\\n", 0, 1, "?[2J");
    /* A line longer than the buffer: what was read of it. */
    follow_refuses("0000000000000000000000000000000000000000000000000000000000000000000001\\n", 0,
                   1, "000000000000000000000000000000000000000000000000000000000000000");
}
END_TEST

/* Image `index` as bench/encoder_input.h describes it. */
static void make_image(float *image, uint64_t index)
{
    uint64_t state = index + 1;
    for (size_t i = 0; i < IMAGE; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        image[i] = (float)(2 * ((double)(state >> 11) / 9007199254740992.0) - 1);
    }
}

START_TEST(embeddings_are_the_librarys)
{
    static float images[2 * IMAGE], expected[2 * DIM];
    char folder[] = "/tmp/pts_test_XXXXXX", file[64], options[80], *bytes;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/embeddings", folder);
    snprintf(options, sizeof options, "-o %s", file);
    ck_assert_int_eq(follow("1\\n2\\n", options), 0);

    pts_encoder *encoder;
    ck_assert_int_eq(pts_encoder_open(&encoder, weights_path(), NULL, NULL), PTS_OK);
    make_image(images, 0);
    make_image(images + IMAGE, 1);
    ck_assert_int_eq(pts_encoder_embed(encoder, images, 2, expected, NULL), PTS_OK);
    pts_encoder_close(encoder);

    size_t size;
    ck_assert_int_eq(pts_read_file(file, 1 << 20, &bytes, &size, NULL), PTS_OK);
    ck_assert_uint_eq(size, sizeof expected);
    ck_assert_mem_eq(bytes, expected, sizeof expected);
    free(bytes);
    remove(file);
    rmdir(folder);
}
END_TEST

START_TEST(options_that_do_not_fit_are_refused)
{
    const char *modes =
        "ptsbench: expected one of --layers, --follow and --growth, and --json only "
        "with --layers or alone\n";
    check_refused(2, "ptsbench encoders --follow --growth", "%s", modes);
    check_refused(2, "ptsbench encoders --follow --json", "%s", modes);
    check_refused(2, "ptsbench lm --layers",
                  "ptsbench: --layers, --follow and --growth are for encoders, not for 'lm'\n");
    check_refused(2, "ptsbench encoders -o x",
                  "ptsbench: --output: only --follow has embeddings to write\n");
    check_refused(2, "ptsbench encoders --threads 0",
                  "ptsbench: --threads: expected 1 … 256, got 0\n");
    check_refused(1, "ptsbench encoders --follow -w /nonexistent",
                  "ptsbench: /nonexistent: No such file or directory\n");
    ck_assert_int_eq(follow("", "-o /tmp/pts_test_never"), 1);
    ck_assert_str_eq(ran.err, "ptsbench: --output: no line asked for images\n");
}
END_TEST

#ifdef PTS_HAVE_JSON
static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    ck_assert_msg(json_is_number(value), "%s", key);
    return json_number_value(value);
}

static void check_line(const json_t *line, int batch, double peak)
{
    char name[64];
    snprintf(name, sizeof name, "encoder inception_v3, batch %d", batch);
    ck_assert_str_eq(json_string_value(json_object_get(line, "name")), name);
    double best = number(line, "best_ms"), median = number(line, "median_ms");
    double p90 = number(line, "p90_ms"), gflops = number(line, "gflops");
    ck_assert(0 < best && best <= median && median <= p90);
    ck_assert_double_eq_tol(number(line, "spread"), (p90 - best) / median, 1e-12);
    ck_assert_double_eq_tol(gflops * median * 1e-3, number(line, "gflop"), 1e-9);
    ck_assert_double_eq_tol(number(line, "percent_of_peak"), 100 * gflops / peak, 1e-9);
    ck_assert_int_ge((int)number(line, "runs"), 10);
}

/* The layers of the network and their operations, which add up to those of the line. */
static void check_layers(const json_t *layers, double gflop)
{
    size_t i, convolutions = 0;
    const json_t *step;
    double sum = 0;
    json_array_foreach(layers, i, step)
    {
        ck_assert(json_is_string(json_object_get(step, "method")));
        ck_assert(number(step, "median_ms") >= 0);
        if (!json_object_get(step, "gflops"))
            continue;
        convolutions++;
        sum += number(step, "gflops") * number(step, "median_ms") * 1e-3;
    }
    ck_assert_uint_eq(convolutions, LAYERS);
    ck_assert_double_eq_tol(sum, gflop, 1e-9);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(layers, 0), "name")),
                     "Conv2d_1a_3x3");
}

START_TEST(json_has_its_shape)
{
    ck_assert_int_eq(
        run_program("ptsbench encoders --json --layers --threads 1 -w '%s'", weights_path()), 0);
    json_t *all = json_loads(ran.out, 0, NULL);
    ck_assert_ptr_nonnull(all);
    const json_t *lines = json_object_get(all, "lines");
    double peak = number(all, "peak_gflops");
    ck_assert(json_is_string(json_object_get(all, "cpu_level")) && peak > 0);
    ck_assert_int_eq((int)number(all, "threads"), 1);
    ck_assert_uint_eq(json_array_size(lines), 2);
    check_line(json_array_get(lines, 0), 1, peak);
    check_line(json_array_get(lines, 1), 4, peak);
    check_layers(json_object_get(all, "layers"), number(json_array_get(lines, 0), "gflop"));
    json_decref(all);
}
END_TEST
#endif

int main(void)
{
    if (access(weights_path(), R_OK) != 0) {
        printf("skipped: no %s\n", weights_path());
        return 77;
    }
    const TTest *const cases[] = {
        each_line_is_answered,       nonsense_lines_are_refused,
        embeddings_are_the_librarys, options_that_do_not_fit_are_refused,
#ifdef PTS_HAVE_JSON
        json_has_its_shape,
#endif
    };
    Suite *suite = suite_create("bench");
    TCase *tcase = tcase_create("bench");
    tcase_set_timeout(tcase, 300);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tcase_add_test(tcase, cases[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
