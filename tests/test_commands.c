/* ptsinfer embed and predict and ptstrain collect as a user runs them, with the default weights:
 * results against the library's functions and closed forms, every mistake in one line. */
#include "check_main.h"
#include "run_program.h"
#include "well_formed.h"

#include "pts/encoder.h"
#include "pts/image.h"
#include "pts/learn.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef PTS_HAVE_JSON
#include <jansson.h>
#endif

enum { DIM = 2048, PHOTOS = 4, SETS = 12, IMAGES = 6, POINTS = 10 };
#define ALL "1.jpg 2.jpg 3.jpg 4.jpg"

/* ---- A folder with the photographs, the encoder (a link) and heads made here ---- */

static char folder[64];
static float photo[PHOTOS][DIM]; /* their embeddings by the library */
static pts_curve_prior prior;    /* what the head says of them */

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *weights_path(void)
{
    static char path[4096];
    const char *root = getenv("PTS_TEST_WEIGHTS");
    snprintf(path, sizeof path, "%s/inception_v3.ptsw", root ? root : "weights");
    return path;
}

/* A shell's command, in the folder. */
static int run(const char *command)
{
    return run_program("cd %s && %s", folder, command);
}

static void done(const char *command)
{
    int code = run(command);
    ck_assert_msg(code == 0, "%s: exit %d: %s", command, code, ran.err);
}

/* Exit code, empty stdout, and one line on stderr that begins with `text`; a `text` with its line
 * end is the whole line. */
static void refused(int code, const char *command, const char *text)
{
    int got = run(command);
    ck_assert_msg(got == code, "%s: exit %d: %s", command, got, ran.err);
    ck_assert_msg(strncmp(ran.err, text, strlen(text)) == 0, "%s: %s", command, ran.err);
    ck_assert_ptr_eq(strchr(ran.err, '\n'), ran.err + strlen(ran.err) - 1);
    ck_assert_str_eq(ran.out, "");
}

static void embed_photo(pts_encoder *encoder, int index)
{
    static float pixels[299 * 299 * 3];
    char name[32];
    pts_image image;
    snprintf(name, sizeof name, "photos/%d.jpg", index + 1);
    ck_assert_int_eq(pts_image_read(test_data(name), NULL, &image, NULL), PTS_OK);
    ck_assert_int_eq(pts_preset_apply("keras", &image, 299, pixels, NULL), PTS_OK);
    ck_assert_int_eq(pts_encoder_embed(encoder, pixels, 1, photo[index], NULL), PTS_OK);
    pts_image_free(&image);
}

/* In [−1, 1). */
static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-52 - 1;
}

/* Data set k lies at t between the photographs' first and last pair, and so does its plateau: a
 * head that looks at photographs is worth it. */
static void add_task(pts_tasks *tasks, int k, int count)
{
    static float embeddings[IMAGES][DIM];
    double n[POINTS], map[POINTS], t = 2.0 * k / (count - 1) - 1;
    uint64_t state = (uint64_t)k + 1;
    const pts_curve curve = {0.03, 1.1, 80, 0.55 + 0.25 * t};
    for (size_t i = 0; i < POINTS; i++) {
        n[i] = pow(2, (double)i + 1);
        map[i] = fmax(pts_curve_at(&curve, n[i]) + 0.005 * noise(&state), 0);
    }
    for (size_t i = 0; i < IMAGES; i++) {
        for (size_t j = 0; j < DIM; j++) {
            double first = photo[0][j] + photo[1][j], last = photo[2][j] + photo[3][j];
            embeddings[i][j] =
                (float)((first + last + t * (last - first)) / 4 + 0.02 * noise(&state));
        }
    }
    char name[16];
    snprintf(name, sizeof name, "made-%d", k);
    const pts_task task = {name, "0", POINTS, n, map, IMAGES, embeddings[0], NULL, NULL, NULL};
    ck_assert_int_eq(pts_tasks_add(tasks, &task, NULL), PTS_OK);
}

static void make_head(const char *name, const char *encoder_id, int sets, pts_head_kind kind)
{
    pts_tasks *tasks;
    pts_head *head;
    pts_error err = {""};
    pts_head_options options = PTS_HEAD_DEFAULTS;
    options.kind = kind;
    ck_assert_int_eq(pts_tasks_create(&tasks, DIM, encoder_id, "keras", NULL), PTS_OK);
    for (int k = 0; k < sets; k++)
        add_task(tasks, k, sets);
    pts_status status = pts_head_train(&head, tasks, &options, NULL, NULL, NULL, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert_int_eq(pts_head_write(head, in_folder(name), NULL), PTS_OK);
    if (sets == SETS)
        ck_assert_int_eq(pts_head_predict(head, photo[0], PHOTOS, &prior, NULL), PTS_OK);
    pts_head_close(head);
    pts_tasks_destroy(tasks);
}

static void setup(void)
{
    pts_team *team;
    pts_encoder *encoder;
    strcpy(folder, "/tmp/pts_test_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(symlink(weights_path(), in_folder("inception_v3.ptsw")), 0);
    ck_assert_int_eq(run_program("cp %s/*.jpg %s", test_data("photos"), folder), 0);
    ck_assert_int_eq(pts_team_create(&team, 1, NULL), PTS_OK);
    ck_assert_int_eq(pts_encoder_open(&encoder, weights_path(), team, NULL), PTS_OK);
    for (int i = 0; i < PHOTOS; i++)
        embed_photo(encoder, i);
    make_head("head-builtin.ptsw", pts_encoder_id(encoder), SETS, PTS_HEAD_MLP);
    make_head("flat.ptsw", pts_encoder_id(encoder), 3, PTS_HEAD_MEAN);
    char other[65];
    memset(other, 'a', 64);
    other[64] = '\0';
    make_head("other.ptsw", other, 3, PTS_HEAD_MEAN);
    pts_encoder_close(encoder);
    pts_team_destroy(team);
    setenv("PTS_WEIGHTS", folder, 1); /* the default encoder and head of all commands here */
}

static void teardown(void)
{
    ck_assert_int_eq(run_program("rm -r %s", folder), 0);
}

/* ---- embed ---- */

static size_t slurp(const char *name, char *bytes, size_t size)
{
    FILE *file = fopen(in_folder(name), "rb");
    ck_assert_ptr_nonnull(file);
    size_t used = fread(bytes, 1, size, file);
    fclose(file);
    return used;
}

/* By numpy.lib.format's words: magic, version 1.0, the header's length, a dict, spaces, newline;
 * data from a multiple of 64. */
static const float *read_npy(const char *name, size_t rows)
{
    static char bytes[1 << 17] __attribute__((aligned(64)));
    size_t used = slurp(name, bytes, sizeof bytes), header;
    char dict[96];
    ck_assert_int_eq(memcmp(bytes, "\x93NUMPY\x01\x00", 8), 0);
    header = 10 + (size_t)((unsigned char)bytes[8] | (unsigned char)bytes[9] << 8);
    ck_assert_uint_eq(header % 64, 0);
    ck_assert_uint_eq(used, header + rows * DIM * sizeof(float));
    int length = snprintf(dict, sizeof dict,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, 2048), }", rows);
    ck_assert_int_eq(memcmp(bytes + 10, dict, (size_t)length), 0);
    for (size_t i = 10 + (size_t)length; i < header - 1; i++)
        ck_assert_int_eq(bytes[i], ' ');
    ck_assert_int_eq(bytes[header - 1], '\n');
    return (const float *)(bytes + header);
}

/* The row that begins at *line, which moves behind it; `name` as the csv writes it. */
static void read_csv_row(char **line, const char *name, float *row)
{
    size_t length = strlen(name);
    ck_assert_msg(strncmp(*line, name, length) == 0, "expected %s, got %.40s", name, *line);
    char *at = *line + length;
    for (size_t i = 0; i < DIM; i++) {
        ck_assert_int_eq(*at, ',');
        row[i] = strtof(at + 1, &at);
    }
    ck_assert_int_eq(*at, '\n');
    *line = at + 1;
}

static char *skip_csv_header(void)
{
    ck_assert_int_eq(strncmp(ran.out, "image,e0,e1,", 12), 0);
    char *end = strchr(ran.out, '\n');
    ck_assert_ptr_nonnull(end);
    ck_assert_int_eq(strncmp(end - 6, ",e2047", 6), 0);
    return end + 1;
}

static void check_close(const float *a, const float *b)
{
    for (size_t i = 0; i < DIM; i++)
        ck_assert_msg(fabsf(a[i] - b[i]) <= 1e-5f, "[%zu]: %g and %g", i, (double)a[i],
                      (double)b[i]);
}

START_TEST(npy_csv_and_library_agree)
{
    float row[DIM];
    done("ptsinfer embed -o a.npy 3.jpg 1.jpg");
    ck_assert_str_eq(ran.out, "");
    ck_assert_str_eq(ran.err, "");
    const float *npy = read_npy("a.npy", 2);
    check_close(npy, photo[2]);
    check_close(npy + DIM, photo[0]);
    done("ptsinfer embed -w inception_v3.ptsw --preset keras 3.jpg 1.jpg");
    char *line = skip_csv_header();
    read_csv_row(&line, "3.jpg", row);
    check_close(row, npy);
    read_csv_row(&line, "1.jpg", row);
    check_close(row, npy + DIM);
    ck_assert_str_eq(line, "");
    done("ptsinfer embed 3.jpg 1.jpg > stdout.csv && ptsinfer embed 3.jpg 1.jpg -o file.csv && "
         "cmp stdout.csv file.csv");
}
END_TEST

START_TEST(threads_change_nothing)
{
    float one[DIM];
    done("ptsinfer embed --threads 1 -o one.npy 2.jpg && ptsinfer embed --threads 2 -o two.npy "
         "2.jpg");
    memcpy(one, read_npy("one.npy", 1), sizeof one);
    check_close(read_npy("two.npy", 1), one);
}
END_TEST

START_TEST(presets_differ)
{
    float row[DIM], difference = 0;
    done("ptsinfer embed --preset torchvision 1.jpg");
    char *line = skip_csv_header();
    read_csv_row(&line, "1.jpg", row);
    for (size_t i = 0; i < DIM; i++)
        difference = fmaxf(difference, fabsf(row[i] - photo[0][i]));
    ck_assert_float_gt(difference, 0.01f);
}
END_TEST

START_TEST(arguments_keep_their_order)
{
    static const struct {
        const char *name;
        int photo;
    } rows[] = {{"4.jpg", 3},   {"d/B.JPG", 1}, {"d/a.jpeg", 0},
                {"d/b.jpg", 2}, {"2.jpg", 1},   {"\"x,\"\"y\"\".jpg\"", 0},
                {"d/b.jpg", 2}};
    float row[DIM];
    done("mkdir d && cp 1.jpg d/a.jpeg && cp 2.jpg d/B.JPG && cp 3.jpg d/b.jpg && cp 4.jpg d/c.txt "
         "&& cp 1.jpg 'x,\"y\".jpg'");
    done("printf '2.jpg\\r\\n\\nx,\"y\".jpg' | ptsinfer embed 4.jpg d - d/b.jpg");
    char *line = skip_csv_header();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        read_csv_row(&line, rows[i].name, row);
        check_close(row, photo[rows[i].photo]);
    }
    ck_assert_str_eq(line, "");
    done("rm -r d x*.jpg");
}
END_TEST

START_TEST(embed_refuses_in_one_line)
{
    done("echo text > text.jpg && mkdir empty");
#define E "ptsinfer embed"
    refused(2, E, E ": expected images, folders or -, got nothing\n");
    refused(2, E " 1.jpg -o a.txt", E ": -o: expected NAME.npy or NAME.csv, got 'a.txt'\n");
    refused(2, E " 1.jpg --preset none",
            E ": --preset: expected auto, keras, torchvision, clip or ptssp, got 'none'\n");
    refused(2, E " 1.jpg --threads 257", E ": --threads: expected 1 … 256, got 257\n");
    refused(1, E " nowhere.jpg", E ": nowhere.jpg: No such file or directory\n");
    refused(1, E " text.jpg", E ": text.jpg: expected a JPEG, PNG or BMP image, got other bytes\n");
    refused(1, E " empty", E ": empty: expected .jpg, .jpeg, .png or .bmp files, got none\n");
    refused(1, E " - < /dev/null", E ": -: expected a path a line, got none\n");
    refused(1, E " 1.jpg -o no/a.npy", E ": no/a.npy: cannot write: No such file or directory\n");
    refused(1, E " 1.jpg -o /proc/a.npy", E ": /proc/a.npy: cannot write: ");
    refused(1, E " 1.jpg -w text.jpg", E ": text.jpg: expected at least 64 bytes, got 5\n");
    refused(1, E " 1.jpg -w head-builtin.ptsw",
            E ": head-builtin.ptsw: expected an encoder (inception_v3, clip_vit), got 'head'\n");
    refused(1, "PTS_WEIGHTS=/nowhere " E " 1.jpg",
            E ": /nowhere/inception_v3.ptsw: No such file or directory\n");
    ck_assert_int_eq(run(E " 1.jpg > /dev/full"), 1);
    ck_assert_str_eq(ran.err, E ": standard output: cannot write the result\n");
}
END_TEST

START_TEST(a_failure_leaves_the_old_file)
{
    done("echo text > text.jpg && mkdir -p out && echo old > out/a.csv");
    refused(1, E " 1.jpg text.jpg -o out/a.csv",
            E ": text.jpg: expected a JPEG, PNG or BMP image, got other bytes\n");
    refused(1, E " 1.jpg text.jpg -o out/b.npy", E ": text.jpg: ");
    done("ls -A out && cat out/a.csv");
    ck_assert_str_eq(ran.out, "a.csv\nold\n");
}
END_TEST

/* ---- predict ---- */

#define P "ptsinfer predict"
#define T P " --target 0.3 "

#ifdef PTS_HAVE_JSON
/* The promised keys and no others; NAN for null. */
typedef struct answer {
    double A, B, C, D, target, n, n_low, n_high, confidence, probability;
    char status[16], encoder[32], prior[16];
    int pilot_points, uses_photographs;
} answer;

static double number_or_nan(json_t *value)
{
    ck_assert(json_is_null(value) || json_is_number(value));
    return json_is_null(value) ? NAN : json_number_value(value);
}

static answer read_answer(void)
{
    answer a;
    json_error_t why;
    json_t *root = json_loads(ran.out, 0, &why), *n, *low, *high, *median, *trainer, *next,
           *caveats, *labels;
    double plateau, plateau_error;
    int laplace_agrees;
    const char *status, *encoder, *of;
    ck_assert_msg(root != NULL, "%s: %s", why.text, ran.out);
    int code = json_unpack_ex(
        root, &why, JSON_STRICT,
        "{sF sF sF sF sF so so so ss sF sF ss ss si sb so so so sF sF sb so s?o}", "A", &a.A, "B",
        &a.B, "C", &a.C, "D", &a.D, "target", &a.target, "n", &n, "n_low", &low, "n_high", &high,
        "status", &status, "confidence", &a.confidence, "probability_reachable", &a.probability,
        "prior", &of, "encoder", &encoder, "pilot_points", &a.pilot_points, "uses_photographs",
        &a.uses_photographs, "n_median", &median, "trainer", &trainer, "next_size", &next,
        "plateau", &plateau, "plateau_error", &plateau_error, "laplace_agrees", &laplace_agrees,
        "labels", &labels, "caveats", &caveats);
    ck_assert_msg(code == 0, "%s", why.text);
    ck_assert(json_is_null(labels));
    ck_assert(json_is_null(trainer)); /* photographs were given, no prior */
    ck_assert(plateau >= 0 && plateau <= 1 && plateau_error >= 0);
    number_or_nan(median);
    number_or_nan(next);
    a.n = number_or_nan(n);
    a.n_low = number_or_nan(low);
    a.n_high = number_or_nan(high);
    snprintf(a.status, sizeof a.status, "%s", status);
    snprintf(a.encoder, sizeof a.encoder, "%s", encoder);
    snprintf(a.prior, sizeof a.prior, "%s", of);
    json_decref(root);
    return a;
}

static answer ask(int code, const char *options)
{
    int got = run_program("cd %s && " P " --json %s", folder, options);
    ck_assert_msg(got == code, "%s: exit %d: %s", options, got, ran.err);
    ck_assert_str_eq(ran.err, "");
    return read_answer();
}

static double curve_at(const answer *a, double n)
{
    return (a->A - a->D) / (1 + pow(n / a->C, a->B)) + a->D;
}

static void check_same_answer(answer a, answer b)
{
    ck_assert_double_eq_tol(a.A, b.A, 1e-6);
    ck_assert_double_eq_tol(a.B, b.B, 1e-5);
    ck_assert_double_eq_tol(a.C, b.C, 1e-4 * b.C);
    ck_assert_double_eq_tol(a.D, b.D, 1e-6);
    ck_assert_double_eq_tol(a.n, b.n, 1e-4 * b.n);
    ck_assert_double_eq_tol(a.n_low, b.n_low, 1e-3 * b.n_low);
}

START_TEST(answer_is_the_heads_curve)
{
    answer a = ask(0, "--target 0.3 " ALL);
    ck_assert_double_eq_tol(a.A, prior.mean[0], 1e-4);
    ck_assert_double_eq_tol(log(a.B), prior.mean[1], 1e-4);
    ck_assert_double_eq_tol(log(a.C), prior.mean[2], 1e-4);
    ck_assert_double_eq_tol(a.D, prior.mean[3], 1e-4);
    ck_assert_double_eq_tol(a.D, 0.55, 0.05); /* the photographs lie in the middle */
    ck_assert_str_eq(a.status, "ok");
    ck_assert_str_eq(a.encoder, "inception_v3");
    ck_assert_int_eq(a.pilot_points, 0);
    ck_assert_int_eq(a.uses_photographs, 1);
    ck_assert_str_eq(a.prior, "photographs");
    ck_assert_double_eq(a.target, 0.3);
    ck_assert_double_eq(a.confidence, 0.8);
    ck_assert(a.probability > 0.5 && a.probability <= 1);
}
END_TEST

START_TEST(size_is_the_closed_form)
{
    static const char *const targets[] = {"0.1", "0.3", "0.45", "0.3 --confidence 0.99",
                                          "0.3 --confidence 0.5"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        char options[128];
        snprintf(options, sizeof options, "--target %s " ALL, targets[i]);
        answer a = ask(0, options);
        double n = a.C * pow((a.A - a.D) / (a.target - a.D) - 1, 1 / a.B);
        ck_assert_str_eq(a.status, "ok");
        ck_assert_double_eq_tol(a.n, n, 1e-9 * n);
        ck_assert_double_le(a.n_low, a.n);
        ck_assert(isnan(a.n_high) || a.n <= a.n_high); /* null: out of reach */
    }
}
END_TEST

START_TEST(more_confidence_is_a_wider_interval)
{
    answer half = ask(0, "--confidence 0.5 --target 0.3 " ALL);
    answer most = ask(0, "--confidence 0.9 --target 0.3 " ALL);
    ck_assert_double_lt(most.n_low, half.n_low);
    ck_assert(isnan(most.n_high) || most.n_high > half.n_high);
    ck_assert_double_eq(most.n, half.n);
}
END_TEST

START_TEST(photographs_count_and_their_order_does_not)
{
    answer a = ask(0, "--target 0.3 " ALL);
    check_same_answer(ask(0, "4.jpg 2.jpg --target 0.3 1.jpg 3.jpg"), a);
    check_same_answer(
        ask(0, "-w inception_v3.ptsw --head head-builtin.ptsw --threads 1 --target 30e-2 " ALL), a);
    answer first = ask(0, "--target 0.2 1.jpg 2.jpg 1.jpg 2.jpg");
    answer last = ask(0, "--target 0.2 3.jpg 4.jpg 3.jpg 4.jpg");
    ck_assert_double_lt(first.D, a.D - 0.05);
    ck_assert_double_gt(last.D, a.D + 0.05);
}
END_TEST

START_TEST(unreachable_and_already_met)
{
    answer a = ask(3, "--target 0.99 " ALL);
    ck_assert_str_eq(a.status, "unreachable");
    ck_assert(isnan(a.n));
    ck_assert(isnan(a.n_high));
    ck_assert_double_lt(a.probability, 0.5);
    a = ask(0, "--target 0.001 " ALL);
    ck_assert_str_eq(a.status, "already_met");
    ck_assert_double_ge(curve_at(&a, 1), 0.001);
    ck_assert_double_le(a.n, 1);
    ck_assert_int_eq(run(P " --target 0.99 " ALL), 3);
    ck_assert_ptr_nonnull(strstr(ran.out, "mAP 0.99 is out of reach: the curve levels off at 0."));
    done(P " --target 0.001 " ALL);
    ck_assert_ptr_nonnull(strstr(ran.out, "mAP 0.001 is met by the first labelled image"));
}
END_TEST

START_TEST(percent_is_recognised)
{
    done(P " --json --target 30 " ALL);
    ck_assert_str_eq(ran.err, P ": --target 30: taken for percent, 0.3\n");
    answer percent = read_answer();
    ck_assert_double_eq_tol(percent.target, 0.3, 1e-15);
    check_same_answer(percent, ask(0, "--target 0.3 " ALL));
}
END_TEST

/* Pilot points on a curve that is not the head's: the answer goes over to it. */
START_TEST(pilot_moves_the_answer)
{
    const pts_curve truth = {0.05, 1.2, 30, 0.75};
    const double sizes[] = {2, 5, 10, 20, 50, 100, 200, 400};
    FILE *shares = fopen(in_folder("pilot.csv"), "w"),
         *percent = fopen(in_folder("percent.csv"), "w");
    ck_assert(shares && percent);
    fputs("n,map\n", shares);
    fputs("map,note,n\n", percent);
    for (size_t i = 0; i < 8; i++) {
        fprintf(shares, "%g,%.6f\n", sizes[i], pts_curve_at(&truth, sizes[i]));
        fprintf(percent, "%.4f,x,%g\n", 100 * pts_curve_at(&truth, sizes[i]), sizes[i]);
    }
    fclose(shares);
    fclose(percent);
    answer alone = ask(0, "--target 0.5 " ALL);
    answer moved = ask(0, "--target 0.5 --pilot pilot.csv " ALL);
    ck_assert_int_eq(moved.pilot_points, 8);
    ck_assert_str_eq(moved.encoder, "inception_v3");
    ck_assert_str_eq(moved.prior, "past_curves");
    ck_assert_int_eq(moved.uses_photographs, 0);
    for (double n = 100; n < 2000; n *= 2)
        ck_assert_double_eq_tol(curve_at(&moved, n), pts_curve_at(&truth, n), 0.03);
    ck_assert_double_gt(fabs(curve_at(&alone, 400) - pts_curve_at(&truth, 400)), 0.1);
    ck_assert(isnan(alone.n_high)); /* alone, its upper end is out of reach */
    ck_assert_double_lt(moved.n_high, 1.5 * moved.n_low);
    done(P " --json --target 0.5 --pilot percent.csv " ALL);
    ck_assert_str_eq(ran.err, P ": percent.csv: mAP is in percent, taken as shares\n");
    check_same_answer(read_answer(), moved);
    refused(1, T "--pilot pilot.csv 1.jpg 2.jpg 3.jpg head-builtin.ptsw",
            P ": head-builtin.ptsw: expected a JPEG, PNG or BMP image, got other bytes\n");
}
END_TEST

START_TEST(words_say_what_json_says)
{
    char line[128];
    answer a = ask(0, "--target 0.3 " ALL);
    snprintf(line, sizeof line, "mAP 0.3 takes about %.0f labelled images (80 %% interval: %.0f ",
             ceil(a.n), ceil(fmax(a.n_low, 1)));
    done(T ALL);
    ck_assert_msg(strncmp(ran.out, line, strlen(line)) == 0, "%s%s", line, ran.out);
    ck_assert_ptr_nonnull(strstr(ran.out, "From four photographs (inception_v3) alone"));
    ck_assert_ptr_null(strstr(ran.out, "same curve for all photographs"));
    ck_assert_str_eq(ran.err, "");
    run(T "--head flat.ptsw " ALL); /* too few data sets for its dependence to prove itself */
    ck_assert_ptr_nonnull(strstr(ran.out, "This head gives the same curve for all photographs"));
    ck_assert_int_eq(ask(0, "--target 0.3 --head flat.ptsw " ALL).uses_photographs, 0);
}
END_TEST
#endif

#ifdef PTS_HAVE_PLOT
START_TEST(plots_are_written)
{
    pts_image image;
    done("printf 'n,map\\n10,0.1\\n10,0.12\\n20000,0.5\\n' > two.csv");
    done(T "--plot curve.svg --pilot two.csv " ALL);
    ck_assert_ptr_nonnull(strstr(ran.out, "\nPlot: curve.svg\n"));
    done("cat curve.svg");
    ck_assert_int_eq(strncmp(ran.out, "<?xml ", 6), 0);
    assert_well_formed(ran.out);
    done(T "--plot curve.png " ALL);
    ck_assert_int_eq(pts_image_read(in_folder("curve.png"), NULL, &image, NULL), PTS_OK);
    ck_assert_uint_eq(image.width, 1600);
    ck_assert_uint_eq(image.height, 960);
    pts_image_free(&image);
}
END_TEST

/* Answers at the edges of the axis: none, before one image, far beyond 10,000, a narrow interval
 * that need not hold the mode. */
START_TEST(every_answer_can_be_drawn)
{
    static const struct {
        const char *options;
        int code;
    } cases[] = {{"--target 0.99", 3},
                 {"--target 0.001", 0},
                 {"--target 0.3 --confidence 0.001", 0},
                 {"--target 0.3 --confidence 0.999999", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int code = run_program("cd %s && " P " %s --plot edge.svg " ALL, folder, cases[i].options);
        ck_assert_msg(code == cases[i].code, "%s: %s", cases[i].options, ran.err);
        ck_assert_str_eq(ran.err, "");
        done("cat edge.svg && rm edge.svg");
        assert_well_formed(ran.out);
    }
}
END_TEST

START_TEST(plots_are_refused)
{
    refused(2, T "--plot a.pdf " ALL, P ": --plot: expected NAME.svg or NAME.png, got 'a.pdf'\n");
    refused(1, T "--plot no/a.svg " ALL, P ": no/a.svg: ");
    refused(1, T "--plot missing.svg 1.jpg 2.jpg 3.jpg nowhere.jpg",
            P ": nowhere.jpg: No such file or directory\n");
    ck_assert_int_ne(access(in_folder("missing.svg"), F_OK), 0);
}
END_TEST
#endif

START_TEST(predict_wants_a_target_and_four_photographs)
{
    static const char *const targets[] = {"0", "1", "-1", "100", "1e9"};
    char command[128], line[160];
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        snprintf(command, sizeof command, P " --target %s " ALL, targets[i]);
        snprintf(line, sizeof line,
                 P ": --target: expected an mAP between 0 and 1, both excluded, got '%s'\n",
                 targets[i]);
        refused(2, command, line);
    }
    refused(2, P " --target abc " ALL,
            P ": --target: expected an mAP between 0 and 1, got 'abc'\n");
    refused(2, P " --target nan " ALL,
            P ": --target: expected an mAP between 0 and 1, got 'nan'\n");
    refused(2, P " " ALL, P ": expected --target Y, the wanted mAP\n");
    refused(2, T "1.jpg 2.jpg 3.jpg", P ": expected 4 photographs, got 3\n");
    refused(2, P " --target 57 1.jpg 2.jpg 3.jpg", P ": expected 4 photographs, got 3\n");
    refused(2, T ALL " 1.jpg", P ": expected 4 photographs, got 5\n");
    refused(2, T "--confidence 0 " ALL, P ": --confidence: expected above 0 and below 1, got 0\n");
    refused(2, T "--confidence 1 " ALL, P ": --confidence: expected above 0 and below 1, got 1\n");
    refused(2, T "--confidence x " ALL, P ": --confidence: expected a number, got 'x'\n");
    refused(2, T "--threads -1 " ALL, P ": --threads: expected 1 … 256, got -1\n");
}
END_TEST

START_TEST(photographs_are_named)
{
    done("echo text > text.jpg && head -c 5000 2.jpg > cut.jpg && mkdir folder.jpg");
    refused(1, T "1.jpg 2.jpg 3.jpg nowhere.jpg", P ": nowhere.jpg: No such file or directory\n");
    refused(1, T "1.jpg text.jpg 3.jpg 4.jpg",
            P ": text.jpg: expected a JPEG, PNG or BMP image, got other bytes\n");
    refused(1, T "1.jpg cut.jpg 3.jpg 4.jpg", P ": cut.jpg: ");
    refused(1, T "1.jpg folder.jpg 3.jpg 4.jpg", P ": folder.jpg: ");
#ifdef PTS_HAVE_JSON
    refused(1, T "--json 1.jpg text.jpg 3.jpg 4.jpg", P ": text.jpg: ");
#else
    refused(1, T "--json " ALL, P ": --json: built without jansson\n");
#endif
}
END_TEST

/* One bit in the middle of a file. */
static void flip(const char *name)
{
    FILE *file = fopen(in_folder(name), "r+b");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    long middle = ftell(file) / 2;
    fseek(file, middle, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, middle, SEEK_SET);
    fputc(byte ^ 1, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(weights_are_named)
{
    done("echo text > text.ptsw && head -c 9000 head-builtin.ptsw > cut.ptsw && cp "
         "head-builtin.ptsw flipped.ptsw "
         "&& cp inception_v3.ptsw bad.ptsw");
    flip("flipped.ptsw");
    flip("bad.ptsw");
    refused(1, T "--head other.ptsw -w inception_v3.ptsw " ALL,
            P ": other.ptsw: expected the encoder it was trained with (aaaaaaaaaaaa…), got "
              "inception_v3.ptsw (d6bddb58a2b0…)\n");
    refused(1, T "--head inception_v3.ptsw " ALL,
            P ": inception_v3.ptsw: expected a head, got architecture 'inception_v3'\n");
    refused(1, T "-w head-builtin.ptsw " ALL,
            P ": head-builtin.ptsw: expected an encoder (inception_v3, clip_vit), got 'head'\n");
    refused(1, T "--head text.ptsw " ALL, P ": text.ptsw: expected at least 64 bytes, got 5\n");
    refused(1, T "-w text.ptsw " ALL, P ": text.ptsw: expected at least 64 bytes, got 5\n");
    refused(1, T "--head 1.jpg " ALL, P ": 1.jpg: not a .ptsw file: ");
    refused(1, T "--head cut.ptsw " ALL, P ": cut.ptsw: header: expected a file of ");
    refused(1, T "--head flipped.ptsw " ALL, P ": flipped.ptsw: damaged: expected checksum ");
    refused(1, T "-w bad.ptsw " ALL, P ": bad.ptsw: damaged: expected checksum ");
    refused(1, T "--head nowhere.ptsw " ALL, P ": nowhere.ptsw: No such file or directory\n");
    refused(1, T "--head . " ALL, P ": .: expected a regular file\n");
    done("rm bad.ptsw");
}
END_TEST

START_TEST(pilot_files_are_named)
{
    done("printf 'n,map\\n10,0.3\\n20,x\\n' > x.csv && printf 'size,map\\n10,0.3\\n' > size.csv && "
         "printf 'n,map\\n10\\n' > short.csv && printf 'n,map\\n0,0.1\\n' > zero.csv && "
         "printf 'n,map\\n10,-0.1\\n' > below.csv && printf 'n,map\\n' > none.csv && : > void.csv");
    refused(1, T "--pilot x.csv " ALL,
            P ": x.csv: line 3: column map: expected a number in 0 … 100, got 'x'\n");
    refused(1, T "--pilot size.csv " ALL,
            P ": size.csv: line 1: expected a header with a column 'n', got 'size…'\n");
    refused(1, T "--pilot short.csv " ALL, P ": short.csv: line 2: expected 2 columns, got 1\n");
    refused(1, T "--pilot zero.csv " ALL,
            P ": zero.csv: line 2: column n: expected a whole number");
    refused(1, T "--pilot below.csv " ALL, P ": below.csv: line 2: column map: expected a number");
    refused(1, T "--pilot none.csv " ALL,
            P ": none.csv: expected at least one measured point, got none\n");
    refused(1, T "--pilot void.csv " ALL,
            P ": void.csv: expected a header and rows, got an empty file\n");
    refused(1, T "--pilot nowhere.csv " ALL, P ": nowhere.csv: No such file or directory\n");
}
END_TEST

/* ---- collect ---- */

#if defined PTS_HAVE_YAML && defined PTS_HAVE_STORE
/* As refused(), after notes about the data set. */
static void refused_after_notes(const char *command, const char *text)
{
    int code = run(command);
    ck_assert_msg(code == 1, "%s: exit %d: %s", command, code, ran.err);
    const char *last = ran.err + strlen(ran.err) - 1;
    while (last > ran.err && last[-1] != '\n')
        last--;
    ck_assert_str_eq(last, text);
    ck_assert_ptr_eq(strstr(ran.err, "note: mini/data.yaml: class 4 'Six'"), ran.err);
    ck_assert_str_eq(ran.out, "");
}

#define C "ptstrain collect"

/* The data set as "mini" in the folder, whatever test came before. */
static void copy_set(void)
{
    ck_assert_int_eq(
        run_program("rm -rf %s/mini && cp -r %s %s/mini", folder, test_data("yolo-mini"), folder),
        0);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

#define SMALL " --data mini --side 128 --class "

START_TEST(collect_measures_once_and_reproducibly)
{
    char row[128];
    copy_set();
    done(C SMALL "One --sizes 2,all --store runs.db --threads 1");
    ck_assert_str_eq(ran.out, "");
    ck_assert_ptr_nonnull(strstr(ran.err, "mini: One: n 2  mAP "));
    ck_assert_ptr_nonnull(strstr(ran.err, "mini: One: n 3  mAP "));
    done(C SMALL "One --sizes 3 --store other.db --threads 2");
    done("ptstrain export --store other.db -o curves.csv && cat curves.csv");
    ck_assert_uint_eq(count_lines(ran.out), 2);
    ck_assert_int_eq(sscanf(ran.out, "dataset,class,n,map,map50,map75 %127s", row), 1);
    ck_assert_ptr_null(strstr(row, "mini,One,3,0,0,0")); /* equal zeros would say nothing */
    done("ptstrain export --store runs.db -o curves.csv && cat curves.csv");
    ck_assert_uint_eq(count_lines(ran.out), 3);
    ck_assert_ptr_nonnull(strstr(ran.out, "\nmini,One,2,"));
    ck_assert_ptr_nonnull(strstr(ran.out, row));
    done(C SMALL "1 --sizes 2,all --store runs.db --resume");
    ck_assert_ptr_null(strstr(ran.err, "features")); /* not even the encoder ran */
    ck_assert_ptr_nonnull(strstr(ran.err, C ": 2 jobs: 0 measured, 2 were there before\n"));
    done("ptstrain export --store runs.db -o again.csv && cmp curves.csv again.csv");
}
END_TEST

START_TEST(collect_refuses_before_it_encodes)
{
    copy_set();
    done("rm -rf bare void.db && mkdir bare && cp -r mini/train/images mini/data.yaml bare && "
         "printf 'names: [Five, One, Ten, Two, Six]\\n' > mini/data.yaml && echo text > text.db");
#define M C " --data mini --store void.db "
    refused(1, C " --data bare --store void.db --class One",
            C ": bare: expected labelled objects on 4 images, got none: 0 labels were left out\n");
    refused(1, C " --data nowhere --store void.db", C ": nowhere: No such file or directory\n");
    refused_after_notes(M "--class Six",
                        C ": mini: class 4 'Six': expected at least 3 images, one for each "
                          "part of the split, got 0\n");
    refused_after_notes(M "--class Nine",
                        C ": mini/data.yaml: expected a class by name or by number from 0 "
                          "to 4, got 'Nine'\n");
    refused_after_notes(M "--class One --sizes 100",
                        C ": mini: One: sizes: expected one of at most 3, the "
                          "images for training, got '100'\n");
    refused_after_notes(M "--class One -w text.db",
                        C ": text.db: expected at least 64 bytes, got 5\n");
    ck_assert_int_eq(run(M), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "mini: One: left out, only 5 images\n"));
    ck_assert_ptr_nonnull(strstr(ran.err, "\n" C ": mini: expected a class that 60 images show "
                                          "(--min-images), got none\n"));
    ck_assert_int_ne(access(in_folder("void.db"), F_OK), 0);
    refused_after_notes(C " --data mini --class One --store text.db",
                        C ": text.db: expected a store of results, got: file is not a database\n");
    refused_after_notes(C " --data mini --class One --store no/a.db",
                        C ": no/a.db: No such file or directory\n");
}
END_TEST

START_TEST(collect_refuses_its_options)
{
    copy_set();
    refused(2, C, C ": expected --data and --store (-h shows an example)\n");
    refused(2, M "--sizes garbage",
            C
            ": --sizes: expected 'study', 'geometric[:K]' with K from 2 to 10000, 'piece:P' with P "
            "in (0, 1], or rising sizes such as '2,4,8,all', got 'garbage'\n");
    refused(2, M "--sizes 8,4", C ": --sizes: expected rising sizes, got 4 after 8\n");
    refused(2, M "--side 5", C ": --side: expected 128 … 2048, got 5\n");
    refused(2, M "--side x", C ": --side: expected a whole number, got 'x'\n");
    refused(2, M "--seed -1", C ": --seed: expected 0 or more, got -1\n");
    refused(2, M "--seeds 0", C ": --seeds: expected 1 … 1000, got 0\n");
    refused(2, M "--threads 257", C ": --threads: expected 1 … 256, got 257\n");
    refused(2, M "--mode old", C ": --mode: expected fresh, incremental or base, got 'old'\n");
    refused(2, M "--keep-perc 0", C ": --keep-perc: expected above 0, at most 1, got 0\n");
    refused(2, M "--piece-perc 2",
            C
            ": --sizes: expected 'study', 'geometric[:K]' with K from 2 to 10000, 'piece:P' with P "
            "in (0, 1], or rising sizes such as '2,4,8,all', got 'piece:2'\n");
    refused(2, M "--retries -1", C ": --retries: expected 0 … 100, got -1\n");
    refused(2, M "--time-limit -1", C ": --time-limit: expected seconds, got -1\n");
    refused(2, M "mini", C ": expected options only, got 'mini'\n");
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
        npy_csv_and_library_agree,
        threads_change_nothing,
        presets_differ,
        arguments_keep_their_order,
        embed_refuses_in_one_line,
        a_failure_leaves_the_old_file,
#ifdef PTS_HAVE_JSON
        answer_is_the_heads_curve,
        size_is_the_closed_form,
        more_confidence_is_a_wider_interval,
        photographs_count_and_their_order_does_not,
        unreachable_and_already_met,
        percent_is_recognised,
        pilot_moves_the_answer,
        words_say_what_json_says,
#endif
#ifdef PTS_HAVE_PLOT
        plots_are_written,
        every_answer_can_be_drawn,
        plots_are_refused,
#endif
        predict_wants_a_target_and_four_photographs,
        photographs_are_named,
        weights_are_named,
        pilot_files_are_named,
#if defined PTS_HAVE_YAML && defined PTS_HAVE_STORE
        collect_measures_once_and_reproducibly,
        collect_refuses_before_it_encodes,
        collect_refuses_its_options,
#endif
    };
    Suite *suite = suite_create("commands");
    TCase *tcase = tcase_create("commands");
    tcase_set_timeout(tcase, 360); /* collect trains three times */
    tcase_add_unchecked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tcase_add_test(tcase, cases[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
