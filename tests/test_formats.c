/* ptsconvert's readers: every format's own file against what its package put in; malicious and
 * damaged files, each with its message; mutations of good files; the program. */
#define _DEFAULT_SOURCE /* strsep */
#include "clip_file.h"
#include "golden.h"
#include "recipe.h"
#include "read_checkpoint.h"
#include "run_program.h"

#include "pts/encoder.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* "tests/data/formats/NAME", in one of two buffers. */
static const char *data_path(const char *name)
{
    static char path[2][4096];
    static int turn;
    char full[256];
    turn = !turn;
    snprintf(full, sizeof full, "formats/%s", name);
    snprintf(path[turn], sizeof path[turn], "%s", test_data(full));
    return path[turn];
}

static char *read_text(const char *path, size_t *size)
{
    char *text;
    ck_assert_int_eq(pts_read_file(path, 1 << 24, &text, size, NULL), PTS_OK);
    return text;
}

static void put_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static const char *meta_of(const recipe *r, const char *key)
{
    for (size_t i = 0; i < r->meta_count; i++) {
        if (strcmp(r->meta[i].key, key) == 0)
            return r->meta[i].value;
    }
    return "";
}

static void open_recipe(checkpoint *c, recipe *r, const char *path, const settings *set,
                        const char *wanted)
{
    pts_error err = {""};
    const architecture *arch;
    char why[256];
    ck_assert_msg(checkpoint_open(c, path, &err) == PTS_OK, "%s", err.message);
    ck_assert_msg(architecture_find(c, "auto", &arch, why, &err) == PTS_OK, "%s", err.message);
    ck_assert_str_eq(arch->name, wanted);
    ck_assert_msg(recipe_build(r, c, arch, set, &err) == PTS_OK, "%s", err.message);
}

/* ---- CLIP ---- */

/* Item `index` is named, shaped and filled as the line of clip.txt and the numbers of clip.bin say;
 * returns how many those are. */
static size_t check_exact(const recipe *r, size_t index, const char *line, const char *numbers)
{
    char name[80], shape[80], got[128];
    pts_error err = {""};
    const recipe_item *item = &r->items[index];
    ck_assert_int_eq(sscanf(line, "%79s %79s", name, shape), 2);
    ck_assert_str_eq(item->name, name);
    int used = snprintf(got, sizeof got, "%zu", item->shape[0]);
    for (int i = 1; i < item->rank; i++)
        used += snprintf(got + used, sizeof got - (size_t)used, ",%zu", item->shape[i]);
    ck_assert_str_eq(got, shape);
    float *values = malloc(item->count * sizeof *values);
    ck_assert_msg(recipe_tensor(r, index, values, &err) == PTS_OK, "%s", err.message);
    ck_assert_msg(memcmp(values, numbers, item->count * sizeof *values) == 0, "%s", name);
    free(values);
    return item->count;
}

static void check_clip(const char *name, const settings *set, const char *activation)
{
    checkpoint c;
    recipe r;
    size_t size, row = 0, at = 0;
    open_recipe(&c, &r, data_path(name), set, "clip_vit");
    char *text = read_text(data_path("clip.txt"), &size);
    char *numbers = read_text(data_path("clip.bin"), &size);
    for (char *line = text; *line; line = strchr(line, '\n') + 1)
        at += 4 * check_exact(&r, row++, line, numbers + at);
    ck_assert_uint_eq(row, r.count);
    ck_assert_uint_eq(at, size);
    ck_assert_str_eq(meta_of(&r, "heads"), "4");
    ck_assert_str_eq(meta_of(&r, "activation"), activation);
    ck_assert_str_eq(meta_of(&r, "input_size"), "12");
    ck_assert_str_eq(meta_of(&r, "dim"), "6");
    ck_assert_str_eq(meta_of(&r, "preset"), "clip");
    free(text);
    free(numbers);
    recipe_free(&r);
    checkpoint_close(&c);
}

static const settings no_settings, four_heads = {.heads = 4};

START_TEST(clip_from_every_package)
{
    check_clip("hf_full", &no_settings, "quick_gelu");
    check_clip("hf_full/model.safetensors", &no_settings, "quick_gelu");
    check_clip("hf_vision_bf16", &no_settings, "gelu");
    check_clip("hf_shards_f16", &no_settings, "gelu");
    check_clip("hf_shards_f16/model.safetensors.index.json", &no_settings, "gelu");
    check_clip("open_clip", &no_settings, "gelu");
    check_clip("legacy.pt", &four_heads, "gelu");
#ifdef PTS_HAVE_ZIP
    check_clip("open_clip.pt", &four_heads, "gelu");
    check_clip("openai_script.pt", &four_heads, "quick_gelu");
    const settings told = {.heads = 4, .activation = "gelu"};
    check_clip("openai_script.pt", &told, "gelu");
#endif
}
END_TEST

enum { DEPTH_LAYERS = 7, DEPTH_TOKENS = 10, DEPTH_WIDTH = 15, DEPTH_DIM = 7, DEPTH_SIDE = 9 };

typedef struct depth_check {
    golden golden;
    size_t seen;
    double tolerance;
} depth_check;

static void on_depth_tap(void *user, const char *name, const float *map, size_t height,
                         size_t width, size_t channels)
{
    depth_check *check = user;
    const size_t count = height * width * channels;
    const bool last = check->seen == 1 + DEPTH_LAYERS;
    ck_assert_uint_eq(count, last ? DEPTH_DIM : DEPTH_TOKENS * DEPTH_WIDTH);
    assert_close(name, map, golden_take(&check->golden, count), count, check->tolerance);
    check->seen++;
}

static void check_depth(const char *dtype, double tolerance)
{
    char path[64];
    pts_team *team;
    pts_encoder *encoder;
    pts_error err = {""};
    depth_check check = {golden_open("formats/depth/taps.bin"), 0, tolerance};
    snprintf(path, sizeof path, "/tmp/pts_depth_%ld.ptsw", (long)getpid());
    ck_assert_msg(run_program("ptsconvert --dtype %s -o %s %s", dtype, path, data_path("depth")) ==
                      0,
                  "%s", ran.err);
    ck_assert_int_eq(pts_team_create(&team, 2, NULL), PTS_OK);
    ck_assert_msg(pts_encoder_open(&encoder, path, team, &err) == PTS_OK, "%s", err.message);
    unlink(path); /* stays mapped */
    float *image = clip_draws(7, DEPTH_SIDE * DEPTH_SIDE * 3, 1, 0);
    ck_assert_msg(pts_encoder_taps(encoder, image, DEPTH_SIDE, DEPTH_SIDE, NULL, on_depth_tap,
                                   &check, &err) == PTS_OK,
                  "%s", err.message);
    ck_assert_uint_eq(check.seen, 1 + DEPTH_LAYERS + 1);
    golden_close(&check.golden);
    free(image);
    pts_encoder_close(encoder);
    pts_team_destroy(team);
}

/* transformers' eight hidden states and embedding, from the file that it saved itself. */
START_TEST(every_depth_equals_transformers)
{
    check_depth("f32", 1e-4);
    check_depth("f16", 2e-3);
}
END_TEST

/* sha256sum's of the files, of an index and its shards in the index's order. */
START_TEST(source_is_hashed)
{
    static const char *const names[] = {"hf_full/model.safetensors", "legacy.pt",
                                        "hf_shards_f16/model.safetensors.index.json"};
    for (size_t i = 0; i < 3; i++) {
        checkpoint c;
        char digits[PTS_SHA256_HEX];
        ck_assert_int_eq(checkpoint_open(&c, data_path(names[i]), NULL), PTS_OK);
        ck_assert_int_eq(checkpoint_hash(&c, digits, NULL), PTS_OK);
        checkpoint_close(&c);
        const char *path = data_path(names[i]);
        ck_assert_int_eq(run_program("cd $(dirname %s); cat $(basename %s) %s | sha256sum", path,
                                     path, i == 2 ? "model-0*.safetensors" : ""),
                         0);
        ck_assert_mem_eq(ran.out, digits, 64);
    }
}
END_TEST

/* ---- InceptionV3 ---- */

#ifdef PTS_HAVE_ZIP
static void check_lines(const recipe *r, const char *figures)
{
    size_t size, row = 0;
    char *text = read_text(data_path(figures), &size);
    for (char *line = text; *line; line = strchr(line, '\n') + 1)
        check_recipe_item(r, row++, line);
    ck_assert_uint_eq(row, r->count);
    free(text);
}

START_TEST(inception_from_torchvision)
{
    checkpoint c;
    recipe r;
    open_recipe(&c, &r, data_path("inception_f16.pt"), &no_settings, "inception_v3");
    check_lines(&r, "inception.txt");
    ck_assert_str_eq(meta_of(&r, "avgpool"), "include_pad");
    ck_assert_str_eq(meta_of(&r, "preset"), "torchvision");
    ck_assert_str_eq(meta_of(&r, "transform_input"), "folded");
    recipe_free(&r);
    checkpoint_close(&c);
}
END_TEST

/* In double: the convolution of the transformed window equals the folded one of the plain window.
 */
START_TEST(transform_folds_exactly)
{
    static const double scale[3] = {0.458, 0.448, 0.45}, shift[3] = {-0.03, -0.088, -0.188};
    const settings raw = {.raw_input = true};
    float weight[2][27 * 32], bias[2][32];
    for (int k = 0; k < 2; k++) {
        checkpoint c;
        recipe r;
        open_recipe(&c, &r, data_path("inception_f16.pt"), k ? &raw : &no_settings, "inception_v3");
        ck_assert_int_eq(recipe_tensor(&r, 0, weight[k], NULL), PTS_OK);
        ck_assert_int_eq(recipe_tensor(&r, 1, bias[k], NULL), PTS_OK);
        recipe_free(&r);
        checkpoint_close(&c);
    }
    for (int o = 0; o < 32; o++) {
        double folded = (double)bias[0][o], plain = (double)bias[1][o], size = 0;
        for (int i = 0; i < 27; i++) {
            double x = sin(i * 1.7);
            folded += (double)weight[0][i * 32 + o] * x;
            plain += (double)weight[1][i * 32 + o] * (x * scale[i % 3] + shift[i % 3]);
            size += fabs((double)weight[1][i * 32 + o]);
        }
        ck_assert_double_eq_tol(folded, plain, size * 1e-6);
    }
}
END_TEST

/* ---- The study's heads ---- */

static void check_head(const char *name, size_t dim, const char *encoder, const char *masks)
{
    static const size_t outputs[] = {2048, 1024, 512, 256, 4};
    checkpoint c;
    recipe r;
    char digits[24];
    size_t in = 4 * dim;
    open_recipe(&c, &r, data_path(name), &no_settings, "head");
    ck_assert_uint_eq(r.count, 10);
    for (size_t l = 0; l < 5; l++) {
        const recipe_item *weight = &r.items[2 * l];
        float *values = malloc(weight->count * sizeof *values);
        snprintf(digits, sizeof digits, "fc%zu.weight", l + 1);
        ck_assert_str_eq(weight->name, digits);
        ck_assert_uint_eq(weight->shape[0], in);
        ck_assert_uint_eq(weight->shape[1], outputs[l]);
        ck_assert_int_eq(recipe_tensor(&r, 2 * l, values, NULL), PTS_OK);
        size_t wrong = 0; /* of 40 million: an assertion each took most of a minute */
        for (size_t i = 0; i < weight->count; i++)
            wrong += values[i] != (float)(i % outputs[l] % 9) * 0x1p-12f;
        ck_assert_uint_eq(wrong, 0);
        ck_assert_int_eq(recipe_tensor(&r, 2 * l + 1, values, NULL), PTS_OK);
        for (size_t i = 0; i < outputs[l]; i++)
            ck_assert(values[i] == (float)(i % 9) * 0x1p-12f);
        free(values);
        in = outputs[l];
    }
    snprintf(digits, sizeof digits, "%zu", dim);
    ck_assert_str_eq(meta_of(&r, "dim"), digits);
    ck_assert_str_eq(meta_of(&r, "encoder_arch"), encoder);
    ck_assert_str_eq(meta_of(&r, "masks"), masks);
    recipe_free(&r);
    checkpoint_close(&c);
}

START_TEST(heads_of_the_study)
{
    check_head("head_clip.pt", 512, "clip_vit", "no");
    check_head("head_incept_masks.pt", 4096, "inception_v3", "yes");
}
END_TEST
#endif

/* ---- Keras ---- */

#ifdef PTS_HAVE_HDF5
#include <hdf5.h>

/* Keras's layout and names, numbered from 4; numbers by the formula of make_formats.py. */
static void put_set(hid_t group, const char *name, int rank, const hsize_t *shape, size_t serial)
{
    size_t count = 1;
    bool positive = strncmp(name, "moving_variance", 15) == 0;
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)(i * 2654435761u + serial * 40503u) >> 24;
        values[i] = (float)bits / 64 + (positive ? 0.25f : -2);
    }
    hid_t space = H5Screate_simple(rank, shape, NULL);
    hid_t set =
        H5Dcreate2(group, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(set);
    H5Sclose(space);
    free(values);
}

static hid_t new_groups(hid_t file, const char *class, size_t number)
{
    char name[80];
    hid_t properties = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(properties, 1);
    snprintf(name, sizeof name, "%s_%zu/%s_%zu", class, number, class, number);
    hid_t group = H5Gcreate2(file, name, properties, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(properties);
    return group;
}

static void write_keras(const char *path, const recipe *shapes)
{
    static const char *const parts[] = {"beta:0", "moving_mean:0", "moving_variance:0"};
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (size_t u = 94; u-- > 0;) { /* the order in the file is not the layers' */
        hsize_t shape[4];
        for (int i = 0; i < 4; i++)
            shape[i] = shapes->items[2 * u].shape[i];
        hid_t conv = new_groups(file, "conv2d", u + 4);
        put_set(conv, "kernel:0", 4, shape, 4 * u);
        H5Gclose(conv);
        hid_t norm = new_groups(file, "batch_normalization", u + 4);
        for (size_t k = 0; k < 3; k++)
            put_set(norm, parts[k], 1, &shape[3], 4 * u + 1 + k);
        H5Gclose(norm);
    }
    hid_t top = new_groups(file, "predictions", 0);
    put_set(top, "kernel:0", 2, (hsize_t[]){4, 2}, 0);
    H5Gclose(top);
    H5Fclose(file);
}

#ifdef PTS_HAVE_ZIP
START_TEST(inception_from_keras)
{
    char path[64];
    checkpoint c;
    recipe r;
    snprintf(path, sizeof path, "/tmp/pts_keras_%ld.h5", (long)getpid());
    open_recipe(&c, &r, data_path("inception_f16.pt"), &no_settings, "inception_v3");
    write_keras(path, &r);
    recipe_free(&r);
    checkpoint_close(&c);
    open_recipe(&c, &r, path, &no_settings, "inception_v3");
    unlink(path);
    check_lines(&r, "keras.txt");
    ck_assert_str_eq(meta_of(&r, "avgpool"), "exclude_pad");
    ck_assert_str_eq(meta_of(&r, "preset"), "keras");
    recipe_free(&r);
    checkpoint_close(&c);
}
END_TEST
#endif

static void expect_refused(const char *path, const char *message)
{
    pts_error err = {""};
    char expected[600];
    ck_assert_int_ne(read_checkpoint(path, &err), PTS_OK);
    snprintf(expected, sizeof expected, "%s: %s", path, message);
    ck_assert_str_eq(err.message, expected);
}

/* What HDF5 can reach outside its file is not reached. */
START_TEST(hdf5_stays_in_its_file)
{
    char path[64];
    hsize_t two = 2;
    snprintf(path, sizeof path, "/tmp/pts_outside_%ld.h5", (long)getpid());
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &two, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(how, "/etc/passwd", 0, 8);
    H5Dclose(H5Dcreate2(file, "w", H5T_IEEE_F32LE, space, H5P_DEFAULT, how, H5P_DEFAULT));
    H5Pclose(how);
    H5Fclose(file);
    expect_refused(path, "tensor 'w': expected a plain array in this file, got data in another "
                         "file");
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/tmp/elsewhere.h5", "w", file, "conv2d", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/nowhere", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    expect_refused(path, "expected tensors of inception_v3, clip_vit or head, got none called so "
                         "(0 tensors; --list shows them)");
    H5Sclose(space);
    unlink(path);
}
END_TEST
#endif

/* ---- Files to be refused ---- */

static bool built_for(const char *name)
{
    size_t length = strlen(name);
    bool zip = strcmp(name + length - 3, ".pt") == 0 && strncmp(name, "legacy", 6) != 0;
    bool hdf5 = strcmp(name + length - 3, ".h5") == 0;
#ifdef PTS_HAVE_ZIP
    zip = false;
#endif
#ifdef PTS_HAVE_HDF5
    hdf5 = false;
#endif
    return !zip && !hdf5;
}

START_TEST(rejected_files_say_why)
{
    size_t size, count = 0;
    char *text = read_text(data_path("rejected.txt"), &size), *rest = text, *line;
    while ((line = strsep(&rest, "\n")) && *line) {
        char name[128], path[4096], expected[5000];
        pts_error err = {""};
        char *message = strchr(line, '|');
        ck_assert_ptr_nonnull(message);
        *message++ = '\0';
        snprintf(name, sizeof name, "rejected/%s", line);
        snprintf(path, sizeof path, "%s", data_path(name));
        count++;
        if (!built_for(line))
            continue;
        ck_assert_msg(read_checkpoint(path, &err) != PTS_OK, "%s", line);
        snprintf(expected, sizeof expected, "%s: %s", path, message);
        ck_assert_msg(strncmp(err.message, expected, sizeof err.message - 1) == 0,
                      "%s: expected\n%s\ngot\n%s", line, expected, err.message);
    }
    ck_assert_uint_ge(count, 75);
    ck_assert_int_ne(access("/tmp/owned", F_OK), 0);
    free(text);
}
END_TEST

/* ---- Mutations ---- */

typedef struct generator {
    uint64_t state;
} generator;

static uint32_t next(generator *g, uint32_t below)
{
    g->state = g->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(g->state >> 33) % below;
}

/* Bytes flipped, runs copied elsewhere, numbers made extreme, the end cut: most near the start,
 * where tables are. */
static size_t mutate(generator *g, unsigned char *bytes, size_t size)
{
    static const unsigned char extremes[] = {0x00, 0xff, 0x7f, 0x80, 0x01, '}', '.', 'R'};
    uint32_t near = (uint32_t)(next(g, 2) && size > 4096 ? 4096 : size);
    for (uint32_t k = 1 + next(g, 4); k > 0; k--) {
        uint32_t at = next(g, near), from = next(g, near), run = 1 + next(g, 16);
        switch (next(g, 4)) {
        case 0:
            bytes[at] ^= (unsigned char)(1u << next(g, 8));
            break;
        case 1:
            bytes[at] = extremes[next(g, sizeof extremes)];
            break;
        case 2:
            if (at + run <= size && from + run <= size)
                memmove(bytes + at, bytes + from, run);
            break;
        default:
            if (at + run <= size)
                memset(bytes + at, extremes[next(g, 4)], run);
        }
    }
    return next(g, 16) ? size : next(g, (uint32_t)size);
}

static void read_mutants(const char *path, unsigned char *original, size_t size, uint64_t seed,
                         int count)
{
    unsigned char *copy = malloc(size);
    struct rlimit time = {60, 60};
    setrlimit(RLIMIT_CPU, &time);
    generator g = {seed};
    for (int i = 0; i < count; i++) {
        memcpy(copy, original, size);
        size_t kept = mutate(&g, copy, size);
        put_file(path, copy, kept);
        read_checkpoint(path, NULL);
    }
    free(copy);
}

/* In a process of its own, so that a crash names the file and seed instead of ending the tests. */
static void fuzz(const char *name, uint64_t seed, int count)
{
    char path[4096];
    size_t size;
    const char *slash = strrchr(name, '/');
    unsigned char *original = (unsigned char *)read_text(data_path(name), &size);
    snprintf(path, sizeof path, "/tmp/pts_mutant_%ld_%s", (long)getpid(), slash ? slash + 1 : name);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        read_mutants(path, original, size, seed, count);
        exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "%s, seed %llu: status %d; the last mutant is %s", name,
                  (unsigned long long)seed, status, path);
    unlink(path);
    free(original);
}

START_TEST(mutations_do_no_harm)
{
    const char *rounds = getenv("PTS_FUZZ_ROUNDS"), *seed = getenv("PTS_FUZZ_SEED");
    int count = rounds ? atoi(rounds) : 60;
    uint64_t start = seed ? strtoull(seed, NULL, 10) : 1;
    fuzz("hf_vision_bf16/model.safetensors", start, count);
    fuzz("legacy.pt", start + 1, count);
#ifdef PTS_HAVE_ZIP
    fuzz("open_clip.pt", start + 2, count);
    fuzz("openai_script.pt", start + 3, count);
    fuzz("rejected/unknown.pt", start + 4, count);
#endif
}
END_TEST

/* ---- The program ---- */

START_TEST(messages_hold_no_terminal_codes)
{
    ck_assert_int_eq(run_program("ptsconvert --list \"$(printf '/nowhere/a\\033[2Jb')\""), 1);
    ck_assert_str_eq(ran.err, "ptsconvert: /nowhere/a?[2Jb: No such file or directory\n");
}
END_TEST

START_TEST(program_lists_and_converts)
{
    char out[64];
    snprintf(out, sizeof out, "/tmp/pts_clip_%ld.ptsw", (long)getpid());
    ck_assert_msg(run_program("ptsconvert --list %s", data_path("hf_full")) == 0, "%s", ran.err);
    ck_assert_ptr_nonnull(strstr(
        ran.out, "arch: clip_vit (tensor 'vision_model.embeddings.class_embedding': Hugging Face's "
                 "CLIP vision tower; makes 32 tensors)\n"));
    ck_assert_ptr_nonnull(
        strstr(ran.out, "visual_projection.weight                 F32      (6, 8)\n"));
    ck_assert_int_eq(run_program("ptsconvert --list --json %s", data_path("legacy.pt")), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"complete\": false"));
    ck_assert_ptr_nonnull(strstr(ran.out, "but "));
    ck_assert_msg(run_program("ptsconvert --dtype f16 -o %s %s", out, data_path("hf_full")) == 0,
                  "%s", ran.err);
    pts_weights *w;
    ck_assert_int_eq(pts_weights_open(&w, out, NULL), PTS_OK);
    size_t size, at = 0;
    char *numbers = read_text(data_path("clip.bin"), &size);
    ck_assert_int_eq(pts_weights_tensor(w, 0)->dtype, PTS_F16);
    ck_assert_int_eq(pts_weights_widen(w, NULL), PTS_OK); /* these numbers are exact in f16 */
    for (size_t i = 0; i < pts_weights_count(w); i++) {
        const pts_tensor *t = pts_weights_tensor(w, i);
        ck_assert_int_eq(t->dtype, PTS_F32);
        ck_assert_mem_eq(t->data, numbers + at, t->bytes);
        at += t->bytes;
    }
    ck_assert_uint_eq(at, size);
    ck_assert_str_eq(pts_weights_meta(w, "arch"), "clip_vit");
    ck_assert_str_eq(pts_weights_meta(w, "source_format"), "safetensors");
    free(numbers);
    pts_weights_close(w);
    unlink(out);
}
END_TEST

#ifdef PTS_HAVE_ZIP
#include "pts/learn.h"

/* Each row of a layer is one number, so that a layer's output o is w[o]·(Σ inputs) + b[o], w = b:
 * in closed form, whatever the order of sums. */
static void study_by_hand(const float *x, size_t in, double out[4])
{
    static const size_t outputs[] = {2048, 1024, 512, 256, 4};
    double sum = 0;
    for (size_t i = 0; i < in; i++)
        sum += (double)x[i];
    for (size_t l = 0; l < 5; l++) {
        double next_sum = 0;
        for (size_t o = 0; o < outputs[l]; o++) {
            double y = (double)(o % 9) * 0x1p-12 * (sum + 1);
            if (l == 4)
                out[o] = y - 10;
            next_sum += fmax(y, 0);
        }
        sum = next_sum;
    }
}

START_TEST(converted_head_answers)
{
    char path[64];
    pts_head *head;
    pts_curve_prior prior;
    pts_error err = {""};
    snprintf(path, sizeof path, "/tmp/pts_head_%ld.ptsw", (long)getpid());
    for (int half = 0; half < 2; half++) {
        ck_assert_msg(run_program("ptsconvert --dtype %s -o %s %s", half ? "f16" : "f32", path,
                                  data_path("head_clip.pt")) == 0,
                      "%s", ran.err);
        ck_assert_msg(pts_head_open(&head, path, &err) == PTS_OK, "%s", err.message);
        float x[4 * 512];
        for (size_t i = 0; i < 4 * 512; i++)
            x[i] = (float)(i % 11) * 0.5f - 1;
        double got[4], expected[4];
        ck_assert_int_eq(pts_head_study(head, x, got, &err), PTS_OK);
        study_by_hand(x, 4 * 512, expected);
        for (int i = 0; i < 4; i++)
            ck_assert_double_eq_tol(got[i], expected[i], 1e-5 * (fabs(expected[i]) + 10));
        ck_assert_str_eq(pts_head_encoder_arch(head), "clip_vit");
        ck_assert_int_eq(pts_head_predict(head, x, 4, &prior, &err), PTS_ERR_UNSUPPORTED);
        pts_head_close(head);
    }
    unlink(path);
}
END_TEST

START_TEST(predict_refuses_by_mode)
{
    static const struct {
        const char *args, *says;
    } cases[] = {
        {"--mode pro", "ptsinfer predict: --mode: expected pts or ptssp, got 'pro'\n"},
        {"--mode ptssp", "ptsinfer predict: --head: expected two with --mode ptssp, got 0\n"},
        {"--mode ptssp --head a --head b --weights a -w b -w c",
         "ptsinfer predict: --weights: expected at most two with --mode ptssp, got 3\n"},
        {"--mode ptssp --head a --head b --pilot x.csv",
         "ptsinfer predict: --pilot: expected none with --mode ptssp, which cannot use it\n"},
        {"--head a --head b", "ptsinfer predict: --head: expected one, got 2 (two go with --mode "
                              "ptssp)\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char command[512];
        snprintf(command, sizeof command,
                 "ptsinfer predict %s --target 0.5 1.png 2.png 3.png 4.png", cases[i].args);
        check_refused(2, command, "%s", cases[i].says);
    }
}
END_TEST

/* Size and hash are checked, the file is converted, and a second run finds it done. */
START_TEST(fetch_takes_paths_and_urls)
{
    char table[80], digits[65], into[64];
    const char *build = getenv("PTS_TEST_BUILD"), *head = data_path("head_clip.pt");
    snprintf(into, sizeof into, "/tmp/pts_fetch_%ld", (long)getpid());
    snprintf(table, sizeof table, "%s.table", into);
    ck_assert_int_eq(run_program("sha256sum <%s", head), 0);
    snprintf(digits, sizeof digits, "%.64s", ran.out);
    ck_assert_int_eq(run_program("echo \"head|file://%s|CC0-1.0|head.ptsw|$(wc -c <%s | tr -d ' ')|"
                                 "sha256:%s|%s\" >%s",
                                 head, head, digits, digits, table),
                     0);
    char fetch[9000];
    snprintf(fetch, sizeof fetch, "%s../../../tools/fetch-weights --build %s --into %s --table %s",
             data_path(""), build ? build : "build", into, table);
    for (int i = 0; i < 3; i++) {
        ck_assert_msg(run_program("%s %s%s head", fetch, i ? "--from " : "", i ? head : "") == 0,
                      "%s", ran.err);
        ck_assert_msg(strstr(ran.out, "/head.ptsw\n") != NULL, "%s", ran.out);
        ck_assert((strstr(ran.err, "wrote") != NULL) == (i < 2));
        if (i == 0)
            ck_assert_int_eq(run_program("rm %s/head.ptsw", into), 0);
    }
    ck_assert_int_eq(run_program("ptsinfer info %s/head.ptsw", into), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "CC0-1.0"));
    ck_assert_int_eq(
        run_program("rm %s/head.ptsw; sed 's/|sha256:./|sha256:x/' %s >%s.2", into, table, table),
        0);
    ck_assert_int_eq(run_program("%s.2 head", fetch), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, ": expected SHA-256 x"));
    ck_assert_int_eq(run_program("rm -r %s %s %s.2", into, table, table), 0);
}
END_TEST
#endif

#ifndef PTS_HAVE_ZIP
#define ZIP_TESTS
#else
#define ZIP_TESTS                                                                                  \
    inception_from_torchvision, transform_folds_exactly, heads_of_the_study,                       \
        converted_head_answers, predict_refuses_by_mode, fetch_takes_paths_and_urls,
#endif
#ifndef PTS_HAVE_HDF5
#define HDF5_TESTS
#elif !defined(PTS_HAVE_ZIP)
#define HDF5_TESTS hdf5_stays_in_its_file,
#else
#define HDF5_TESTS inception_from_keras, hdf5_stays_in_its_file,
#endif

CHECK_SUITE("formats", clip_from_every_package, every_depth_equals_transformers, source_is_hashed,
            ZIP_TESTS HDF5_TESTS rejected_files_say_why, mutations_do_no_harm,
            program_lists_and_converts, messages_hold_no_terminal_codes)
