/* The study's page from end to end, at full size: four photographs through both encoders and both
 * of its heads to A, B, C, D, against PyTorch (tests/data/study). */
#include "clip_file.h"
#include "check_main.h"
#include "run_program.h"

#include <unistd.h>

enum { UNITS_MAX = 128, TENSORS_MAX = 2 * UNITS_MAX };

/* A file of drawn tensors, before it is written. */
typedef struct drawn_file {
    char names[TENSORS_MAX][PTS_TENSOR_NAME_MAX + 1];
    pts_tensor tensors[TENSORS_MAX];
    size_t count;
} drawn_file;

static void add(drawn_file *f, const char *unit, const char *end, int rank, const size_t *shape,
                uint64_t seed, float scale, float offset)
{
    pts_tensor *t = &f->tensors[f->count];
    size_t count = 1;
    ck_assert_uint_lt(f->count, TENSORS_MAX);
    snprintf(f->names[f->count], sizeof *f->names, "%s%s", unit, end);
    *t = (pts_tensor){f->names[f->count], PTS_F32, rank, {1, 1, 1, 1}, NULL, 0};
    for (int i = 0; i < rank; i++)
        count *= t->shape[i] = shape[i];
    t->data = clip_draws(seed, count, scale, offset);
    t->bytes = count * sizeof(float);
    f->count++;
}

static void write_drawn(drawn_file *f, const char *path, const pts_meta *meta, size_t metas)
{
    pts_error err;
    ck_assert_msg(pts_weights_write(path, meta, metas, f->tensors, f->count, &err) == PTS_OK, "%s",
                  err.message);
    for (size_t i = 0; i < f->count; i++)
        free((void *)(uintptr_t)f->tensors[i].data);
    f->count = 0;
}

static float gain(size_t fan_in)
{
    return (float)sqrt(6.0 / (double)fan_in);
}

static drawn_file drawn;

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
        add(&drawn, unit, ".weight", 4, s, 5000 + 2 * k, gain(s[0] * s[1] * s[2]), 0);
        add(&drawn, unit, ".bias", 1, &s[3], 5001 + 2 * k, 0.1f, 0);
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file)); /* the bias has a line of its own */
    }
    fclose(file);
    write_drawn(&drawn, path, meta, 4);
}

/* As ptsconvert leaves the study's: its layers, and no encoder but an architecture. */
static void write_head(const char *path, const char *arch, size_t dim, uint64_t seed, float level,
                       float spread)
{
    const size_t sizes[6] = {4 * dim, 2048, 1024, 512, 256, 4};
    char dim_text[16];
    snprintf(dim_text, sizeof dim_text, "%zu", dim);
    const pts_meta meta[] = {{"arch", "head"},       {"kind", "study"},   {"dim", dim_text},
                             {"encoder", ""},        {"preset", "ptssp"}, {"datasets", ""},
                             {"encoder_arch", arch}, {"trainer", "test"}, {"summary", "drawn"}};
    for (size_t l = 0; l < 5; l++) {
        char unit[16];
        const float scale = l == 4 ? gain(sizes[l]) * spread : gain(sizes[l]);
        snprintf(unit, sizeof unit, "fc%zu", l + 1);
        add(&drawn, unit, ".weight", 2, &sizes[l], seed + 2 * l, scale, 0);
        add(&drawn, unit, ".bias", 1, &sizes[l + 1], seed + 1 + 2 * l, 0.1f, l == 4 ? level : 0);
    }
    write_drawn(&drawn, path, meta, sizeof meta / sizeof *meta);
}

/* "encoder", "clip", "head1" … in the build's folder */
static const char *scratch(const char *name)
{
    static char path[4][512];
    static int turn;
    const char *root = getenv("PTS_TEST_BUILD");
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof *path, "%s/study-%s-%ld.ptsw", root ? root : "/tmp", name,
             (long)getpid());
    return path[turn];
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

START_TEST(study_page_equals_torch)
{
    static const clip_shape narrow = {"narrow", 32, 7, 48, 2, 3, 100, 512, "quick_gelu"};
    static const char *const keys[] = {"A", "B", "C", "D"};
    const char *inception = scratch("inception"), *clip = scratch("clip");
    const char *wide = scratch("head1"), *slim = scratch("head2");
    char photos[4096];
    snprintf(photos, sizeof photos, "%s", test_data("clip_photos"));
    write_inception(inception);
    clip_file_write(clip_file_make(&narrow), clip);
    write_head(wide, "inception_v3", 2048, 6000, 10.5f, 0.1f);
    write_head(slim, "clip_vit", 512, 7000, 200, 20);
    int code = run_program("cd %s && ptsinfer predict --mode ptssp --json --target 0.5 -w %s -w %s "
                           "--head %s --head %s campus-walk.png electronic-parts.png "
                           "trash-bag.png truck-cab.png",
                           photos, clip, inception, slim, wide);
    const char *const made[] = {inception, clip, wide, slim};
    for (size_t i = 0; i < 4; i++)
        unlink(made[i]);
    ck_assert_msg(code == 0 || code == 3, "%d: %s", code, ran.err); /* 3: no n reaches 0.5 */
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
