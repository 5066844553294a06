/* The study's page from end to end, at full size: four photographs through both encoders and both
 * of its heads to A, B, C, D, against PyTorch (tests/data/study); the service answers alike. */
#include "run_program.h"
#include "study_files.h"
#include "temporary_folder.h"
#ifdef PTS_HAVE_WEB
#include "web_client.h"

#include "pts/file.h"
#include "pts/web.h"
#endif

#include <unistd.h>

/* Units, in the order and of the shapes of formats/inception.txt. */
static void write_inception(const char *path)
{
    static const pts_meta meta[] = {
        {"arch", "inception_v3"},
        {"preset", "torchvision"},
        {"avgpool", "include_pad"},
        {"source_sha256", "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}};
    char line[256], unit[64];
    size_t s[4];
    FILE *file = fopen(test_data("formats/inception.txt"), "r");
    ck_assert_ptr_nonnull(file);
    for (uint64_t k = 0; fgets(line, sizeof line, file); k++) {
        ck_assert_int_eq(sscanf(line, "%63s %zu,%zu,%zu,%zu", unit, &s[0], &s[1], &s[2], &s[3]), 5);
        *strstr(unit, ".weight") = '\0';
        drawn_add(&drawn, unit, ".weight", 4, s, 5000 + 2 * k, drawn_gain(s[0] * s[1] * s[2]), 0);
        drawn_add(&drawn, unit, ".bias", 1, &s[3], 5001 + 2 * k, 0.1f, 0);
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file)); /* the bias has a line of its own */
    }
    fclose(file);
    drawn_write(&drawn, path, meta, 4);
}

static double number_of(const char *key)
{
    char quoted[8];
    double value;
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(ran.out, quoted);
    ck_assert_msg(at && sscanf(at + strlen(quoted), "%lf", &value) == 1, "%s: %s", key, ran.out);
    return value;
}

/* "inception", "clip", "head1", "head2": what predict takes */
static const char *made[4];

static void write_files(void)
{
    static const char *const names[4] = {"inception.ptsw", "clip.ptsw", "head1.ptsw", "head2.ptsw"};
    for (size_t i = 0; i < 4; i++)
        made[i] = scratch(names[i]);
    write_inception(made[0]);
    study_files_write(made[1], made[3], made[2]);
}

static void remove_files(void)
{
    for (size_t i = 0; i < 4; i++)
        unlink(made[i]);
}

static const char *const photos[4] = {"campus-walk.png", "electronic-parts.png", "trash-bag.png",
                                      "truck-cab.png"};

/* Leaves the answer in ran.out. */
static void ask_command_line(void)
{
    int code = run_program("cd %s && ptsinfer predict --mode ptssp --json --target 0.5 -w %s -w %s "
                           "--head %s --head %s %s %s %s %s",
                           test_data("clip_photos"), made[1], made[0], made[3], made[2], photos[0],
                           photos[1], photos[2], photos[3]);
    ck_assert_msg(code == 0 || code == 3, "%d: %s", code, ran.err); /* 3: no n reaches 0.5 */
}

/* Encoders that are not told are the installed ones: none told, and one. */
static void ask_with_installed_encoders(void)
{
    char *expected = strdup(ran.out);
    const char *const told[] = {"", made[1]};
    for (size_t i = 0; i < 2; i++) {
        int code = run_program(
            "d=$(mktemp -d); ln -s %s $d/inception_v3.ptsw; ln -s %s $d/clip_vit.ptsw; cd %s && "
            "PTS_WEIGHTS=$d ptsinfer predict --mode ptssp --json --target 0.5 %s %s --head %s "
            "--head %s %s %s %s %s; c=$?; rm -r $d; exit $c",
            made[0], made[1], test_data("clip_photos"), i ? "-w" : "", told[i], made[3], made[2],
            photos[0], photos[1], photos[2], photos[3]);
        ck_assert_msg(code == 0 || code == 3, "%d: %s", code, ran.err);
        ck_assert_str_eq(ran.out, expected);
    }
    free(expected);
}

/* What the command line has just said, the service says too. */
#ifdef PTS_HAVE_WEB
static void check_service(void)
{
    web_text body = {NULL, 0, 0};
    pts_web *web;
    pts_error err;
    pts_web_options o = PTS_WEB_DEFAULTS;
    const char *heads[] = {made[2], made[3]};
    o.port = 0;
    o.encoders = made;
    o.heads = heads;
    o.encoder_count = o.head_count = 2;
    ck_assert_msg(pts_web_start(&web, &o, &err) == PTS_OK, "%s", err.message);
    web_field(&body, "mode", "ptssp");
    web_field(&body, "target", "0.5");
    for (size_t i = 0; i < 4; i++) {
        char name[64], *data;
        size_t size;
        snprintf(name, sizeof name, "clip_photos/%s", photos[i]);
        ck_assert_int_eq(pts_read_file(test_data(name), 1 << 24, &data, &size, NULL), PTS_OK);
        web_file(&body, photos[i], "image/png", data, size);
        free(data);
    }
    web_reply r = web_post(pts_web_port(web), "/api/v1/predict", &body, "");
    pts_web_stop(web);
    ck_assert_msg(r.status == 200, "%d: %s", r.status, r.body);
    ck_assert_uint_eq(strlen(ran.out), r.size + 1); /* its newline */
    ck_assert_mem_eq(ran.out, r.body, r.size);
    pts_web_reply_free(&r);
}
#else
static void check_service(void)
{
}
#endif

START_TEST(study_page_equals_torch)
{
    static const char *const keys[] = {"A", "B", "C", "D"};
    write_files();
    ask_command_line();
    ask_with_installed_encoders();
    check_service();
    remove_files();
    FILE *file = fopen(test_data("study/answer.txt"), "r");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < 4; i++) {
        double expected, got = number_of(keys[i]);
        ck_assert_int_eq(fscanf(file, "%lf", &expected), 1);
        ck_assert_msg(fabs(got - expected) <= 1e-3 * fabs(expected), "%s: expected %.9g, got %.9g",
                      keys[i], expected, got);
        printf("%s: %.9g, torch %.9g\n", keys[i], got, expected);
    }
    fclose(file);
}
END_TEST

CHECK_SUITE("study", study_page_equals_torch)
