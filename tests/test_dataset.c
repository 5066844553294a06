/* The YOLO reader: a real data set, layouts, every kind of malformed file, mutations. */
#define _GNU_SOURCE
#include "check_main.h"
#include "run_program.h"
#include "temporary_folder.h"

#include "data/reading.h"
#include "pts/data.h"

#include <string.h>
#include <unistd.h>

#define GOOD_LINE "0 0.1 0.1 0.2 0.1 0.2 0.2\n"

/* Opens the folder; its message without the folder's path, or "". */
static const char *message_of_open(pts_status expected)
{
    static char shown[512];
    pts_dataset *set = (pts_dataset *)shown;
    pts_error err = {""};
    pts_status status = pts_dataset_open(&set, folder, &err);
    ck_assert_msg(status == expected, "%d: %s", status, err.message);
    ck_assert(expected == PTS_OK || !set);
    pts_dataset_close(set);
    const char *begin =
        strstr(err.message, folder) == err.message ? err.message + strlen(folder) : err.message;
    snprintf(shown, sizeof shown, "%s", begin);
    return shown;
}

static void expect_label(const char *text, const char *message)
{
    make_folder();
    put("data.yaml", "names: [a, b]\n");
    put("images/1.jpg", "");
    put("labels/1.txt", text);
    ck_assert_str_eq(message_of_open(PTS_ERR_FORMAT), message);
    remove_folder();
}

static void expect_yaml(const char *text, const char *message)
{
    make_folder();
    put("data.yaml", text);
    put("images/1.jpg", "");
    put("labels/1.txt", GOOD_LINE);
    ck_assert_str_eq(message_of_open(*message ? PTS_ERR_FORMAT : PTS_OK), message);
    remove_folder();
}

/* ---- Real data ---- */

START_TEST(reads_a_real_set)
{
    static const size_t images[] = {5, 5, 2, 4}, instances[] = {6, 8, 2, 4};
    static const char *const names[] = {"Five", "One", "Ten", "Two"};
    pts_dataset *set;
    ck_assert_int_eq(pts_dataset_open(&set, test_data("yolo-mini"), NULL), PTS_OK);
    ck_assert_str_eq(pts_dataset_name(set), "yolo-mini");
    ck_assert_str_eq(pts_dataset_dir(set), test_data("yolo-mini"));
    ck_assert_uint_eq(pts_dataset_images(set), 6);
    ck_assert_int_eq(pts_dataset_classes(set), 4);
    for (int c = 0; c < 4; c++) {
        size_t count;
        const size_t *pool = pts_dataset_showing(set, c, &count);
        ck_assert_uint_eq(count, images[c]);
        ck_assert_uint_eq(pts_dataset_class_instances(set, c), instances[c]);
        ck_assert_str_eq(pts_dataset_class_name(set, c), names[c]);
        for (size_t i = 1; i < count; i++)
            ck_assert_uint_lt(pool[i - 1], pool[i]);
    }
    ck_assert_ptr_null(pts_dataset_class_name(set, 4));
    ck_assert_str_eq(pts_dataset_image_path(set, 0), test_data("yolo-mini/test/images/0004.jpg"));
    ck_assert_str_eq(pts_dataset_image_path(set, 5), test_data("yolo-mini/valid/images/0078.jpg"));
    pts_dataset_close(set);
}
END_TEST

START_TEST(reads_the_points)
{
    pts_dataset *set;
    size_t count;
    ck_assert_int_eq(pts_dataset_open(&set, test_data("yolo-mini/"), NULL), PTS_OK);
    ck_assert_str_eq(pts_dataset_name(set), "yolo-mini");
    const pts_instance *two = pts_dataset_instances(set, 1, &count); /* train/labels/0061.txt */
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(two->class_id, 3);
    FILE *file = fopen(test_data("yolo-mini/train/labels/0061.txt"), "r");
    int class_id;
    ck_assert_int_eq(fscanf(file, "%d", &class_id), 1);
    float value;
    size_t values = 0;
    for (; fscanf(file, "%f", &value) == 1; values++)
        ck_assert_float_eq(two->xy[values], value);
    fclose(file);
    ck_assert_uint_eq(values, 2 * two->points);
    ck_assert_ptr_null(pts_dataset_instances(set, 6, &count));
    ck_assert_uint_eq(count, 0);
    pts_dataset_close(set);
}
END_TEST

START_TEST(finds_classes_and_splits_them)
{
    pts_dataset *set;
    pts_error err;
    int class_id;
    ck_assert_int_eq(pts_dataset_open(&set, test_data("yolo-mini"), NULL), PTS_OK);
    ck_assert_int_eq(pts_dataset_find_class(set, "Two", &class_id, NULL), PTS_OK);
    ck_assert_int_eq(class_id, 3);
    ck_assert_int_eq(pts_dataset_find_class(set, "2", &class_id, NULL), PTS_OK);
    ck_assert_int_eq(class_id, 2);
    ck_assert_int_eq(pts_dataset_find_class(set, "4", &class_id, &err), PTS_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(
        err.message, "data.yaml: expected a class by name or by number from 0 to 3, got '4'"));
    pts_split *split;
    ck_assert_int_eq(pts_dataset_split(&split, set, 3, NULL, NULL), PTS_OK);
    ck_assert_uint_eq(split->n_train, 2);
    pts_split_destroy(split);
    ck_assert_int_eq(pts_dataset_split(&split, set, 2, NULL, &err), PTS_ERR_SHAPE);
    ck_assert_ptr_nonnull(strstr(err.message, "yolo-mini: class 2 'Ten': expected at least 3 "
                                              "images, one for each part of the split, got 2"));
    ck_assert_int_eq(pts_dataset_split(&split, set, -1, NULL, &err), PTS_ERR_ARGUMENT);
    pts_dataset_close(set);
}
END_TEST

/* ---- Layouts ---- */

START_TEST(pools_every_layout_in_a_fixed_order)
{
    static const char *const files[] = {
        "images/b.JPG",     "images/a.png",       "test/images/z.jpeg", "train/images/y.bmp",
        "val/images/x.jpg", "valid/images/w.jpg", "images/train/v.jpg", "images/val/u.jpg"};
    static const char *const expected[] = {
        "/images/a.png",       "/images/b.JPG",       "/images/train/v.jpg", "/images/val/u.jpg",
        "/test/images/z.jpeg", "/train/images/y.bmp", "/val/images/x.jpg",   "/valid/images/w.jpg"};
    make_folder();
    put("data.yaml", "names: [a]\ntrain: /nowhere\n");
    for (size_t i = 0; i < 8; i++)
        put(files[i], "");
    put("images/notes.txt", "not an image");
    put("images/.jpg", "nor this");
    put("labels/a.txt", GOOD_LINE);
    put("labels/val/u.txt", GOOD_LINE GOOD_LINE);
    put("valid/labels/w.txt", GOOD_LINE);
    pts_dataset *set;
    ck_assert_int_eq(pts_dataset_open(&set, folder, NULL), PTS_OK);
    ck_assert_uint_eq(pts_dataset_images(set), 8);
    for (size_t i = 0; i < 8; i++)
        ck_assert_str_eq(pts_dataset_image_path(set, i) + strlen(folder), expected[i]);
    size_t count;
    const size_t *pool = pts_dataset_showing(set, 0, &count);
    ck_assert_uint_eq(count, 3);
    ck_assert(pool[0] == 0 && pool[1] == 3 && pool[2] == 7);
    ck_assert_uint_eq(pts_dataset_class_instances(set, 0), 4);
    pts_dataset_close(set);
    remove_folder();
}
END_TEST

START_TEST(takes_what_exports_write)
{
    make_folder();
    put("data.yaml", "names: [a]\n");
    put("images/1.jpg", "");
    put("labels/1.txt", "\r\n  0\t-0.000001 0 1.0000001 +0.5 5e-1 .25 \r\n\n");
    pts_dataset *set;
    size_t count;
    ck_assert_int_eq(pts_dataset_open(&set, folder, NULL), PTS_OK);
    const pts_instance *only = pts_dataset_instances(set, 0, &count);
    static const float expected[] = {0, 0, 1, 0.5f, 0.5f, 0.25f};
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(only->points, 3);
    ck_assert_mem_eq(only->xy, expected, sizeof expected);
    pts_dataset_close(set);
    remove_folder();
}
END_TEST

/* ---- Malformed ---- */

START_TEST(refuses_labels)
{
    expect_label(GOOD_LINE "1 .1 .1 .2 .1 .2 .2 .3\n",
                 "/labels/1.txt: line 2: expected an even number of coordinates, got 7");
    expect_label("0 0.1 0.1 0.2 0.1 1.2 0.2",
                 "/labels/1.txt: line 1: coordinate 5: expected 0 to 1, got 1.2");
    expect_label("0 0.1 -0.1 0.2 0.1 0.2 0.2",
                 "/labels/1.txt: line 1: coordinate 2: expected 0 to 1, got -0.1");
    expect_label("0 0.1 0.1 0.2 0.1 1e999 0.2",
                 "/labels/1.txt: line 1: coordinate 5: expected 0 to 1, got 1e999");
    expect_label("0 1 1 0 1 nan 0",
                 "/labels/1.txt: line 1: coordinate 5: expected a number, got 'nan'");
    expect_label("0 1 1 0 1 0x1 0",
                 "/labels/1.txt: line 1: coordinate 5: expected a number, got '0x1'");
    expect_label("0 1 1 0,5 1 1 0",
                 "/labels/1.txt: line 1: coordinate 3: expected a number, got '0,5'");
    expect_label("\n\n2 0 0 0 1 1 1\n",
                 "/labels/1.txt: line 3: expected a class from 0 to 1, got '2'");
    expect_label("-1 0 0 0 1 1 1", "/labels/1.txt: line 1: expected a class from 0 to 1, got '-1'");
    expect_label("coin 0 0 0 1 1 1",
                 "/labels/1.txt: line 1: expected a class from 0 to 1, got 'coin'");
    expect_label("0 0 0 0 1", "/labels/1.txt: line 1: expected a polygon of at least 3 points, got "
                              "2 (a box?)");
    expect_label("0", "/labels/1.txt: line 1: expected a polygon of at least 3 points, got 0");
    expect_label("0 .5 .5 .5 .5 .5 .5",
                 "/labels/1.txt: line 1: expected a polygon with an area, got one of none");
    expect_label("0 .1 .5 .2 .5 .3 .5",
                 "/labels/1.txt: line 1: expected a polygon with an area, got one of none");
    expect_label("\xEF\xBB\xBF",
                 "/labels/1.txt: line 1: expected a class from 0 to 1, got '\?\?\?'");
}
END_TEST

START_TEST(refuses_a_nul_byte_and_endless_tokens)
{
    char text[400] = "0 0 0 0 1 1 1";
    make_folder();
    put("data.yaml", "names: [a]\n");
    put("images/1.jpg", "");
    put_bytes("labels/1.txt", "0 0 0 0 1 1 1\0\0", 15);
    ck_assert_str_eq(message_of_open(PTS_ERR_FORMAT),
                     "/labels/1.txt: line 1: coordinate 6: expected a number, got '1\?\?'");
    memset(text + 12, '1', 300);
    put("labels/1.txt", text);
    ck_assert_ptr_nonnull(strstr(message_of_open(PTS_ERR_FORMAT), "expected a number, got '1111"));
    remove_folder();
}
END_TEST

START_TEST(refuses_folders)
{
    strcpy(folder, "/tmp/pts_test_none");
    ck_assert_str_eq(message_of_open(PTS_ERR_IO), ": No such file or directory");
    make_folder();
    ck_assert_str_eq(message_of_open(PTS_ERR_FORMAT),
                     ": expected data.yaml (YOLO), annotations/*.json or _annotations.coco.json "
                     "(COCO), got none");
    put("data.yaml", "names: [a, b]\n");
    ck_assert_str_eq(message_of_open(PTS_ERR_FORMAT),
                     ": expected images (.jpg .jpeg .png .bmp) in images, or train/images, "
                     "valid/images, test/images, got none");
    put("images/1.jpg", "");
    ck_assert_str_eq(message_of_open(PTS_ERR_FORMAT),
                     ": expected labelled objects on 1 images, got none: 0 labels were left out");
    put("labels/1.txt", GOOD_LINE);
    ck_assert_str_eq(message_of_open(PTS_OK), "");
    remove_folder();
    make_folder();
    put("file", "");
    strcat(folder, "/file");
    ck_assert_str_eq(message_of_open(PTS_ERR_IO), ": expected a folder or a .json file");
    *strrchr(folder, '/') = '\0';
    remove_folder();
}
END_TEST

START_TEST(reads_forms_of_yaml)
{
    expect_yaml("names: ['a b', \"c\"]\nnc: 2\n", "");
    expect_yaml("names:\n- a\n- b\n", "");
    expect_yaml("names: {1: b, 0: a}\nkpt_shape: [17, 3]\nmore: {deep: [1, {x: y}]}\n", "");
    expect_yaml("---\n# comment\nnc: 1\nnames: [\xC3\xA9]\n...\n", "");
}
END_TEST

START_TEST(refuses_yaml)
{
    expect_yaml("", "/data.yaml: expected a map with a key 'names'");
    expect_yaml("- a\n", "/data.yaml: expected a map with a key 'names'");
    expect_yaml("nc: 2\n", "/data.yaml: expected a key 'names', got none");
    expect_yaml("names: a\n", "/data.yaml: line 1: expected names as a list or a map, got a text");
    expect_yaml("names: []\n", "/data.yaml: line 1: names: expected 1 to 65536 classes, got 0");
    expect_yaml("nc: 3\nnames: [a, b]\n",
                "/data.yaml: line 1: nc: expected 2, the number of names, got '3'");
    expect_yaml("nc: two\nnames: [a, b]\n",
                "/data.yaml: line 1: nc: expected 2, the number of names, got 'two'");
    expect_yaml("nc: []\nnames: [a, b]\n",
                "/data.yaml: line 1: nc: expected 2, the number of names, got 'a list'");
    expect_yaml("names: [a, a]\n", "/data.yaml: names: expected distinct names, got 'a' twice");
    expect_yaml("names: [a, [b]]\n", "/data.yaml: names: class 1: expected a text");
    expect_yaml("names: [a, '']\n",
                "/data.yaml: line 1: expected a class name of 1 to 255 bytes, got 0");
    expect_yaml("names: [\"a\\nb\"]\n",
                "/data.yaml: line 1: expected a class name on one line, got a control character");
    expect_yaml("names:\n  0: a\n  2: b\n",
                "/data.yaml: line 3: names: expected keys 0 to 1, each once");
    expect_yaml("names:\n  0: a\n  0: b\n",
                "/data.yaml: line 3: expected class 0 once, got it twice");
    expect_yaml("names:\n  0: a\n  x: b\n",
                "/data.yaml: line 3: names: expected keys 0 to 1, each once");
    expect_yaml("names: [a\nnc: 1\n",
                "/data.yaml: line 2: expected YAML: did not find expected ',' or ']'");
}
END_TEST

/* ---- All problems at once ---- */

typedef struct findings {
    int errors, warnings;
    char text[4096];
} findings;

static void take(void *user, pts_finding kind, const char *message)
{
    findings *f = user;
    f->errors += kind != PTS_FINDING_NOTE;
    f->warnings += kind == PTS_FINDING_NOTE;
    ck_assert_ptr_eq(strstr(message, folder), message);
    strcat(strcat(f->text, message + strlen(folder)), "\n");
}

START_TEST(reading_reports_all_and_goes_on)
{
    make_folder();
    put("data.yaml", "names: [a, ghost]\n");
    put("images/1.jpg", "");
    put("images/1.png", "");
    put("images/2.jpg", "");
    put("labels/1.txt", "0 0 0 1\n" GOOD_LINE "7\n");
    put("labels/3.txt", GOOD_LINE);
    findings f = {0};
    pts_dataset *set;
    const pts_dataset_options options = {.report = take, .user = &f};
    ck_assert_int_eq(pts_dataset_read(&set, folder, &options, NULL), PTS_OK);
    ck_assert_str_eq(f.text,
                     "/images/1.png: expected a label file of its own, got that of 1.jpg\n"
                     "/labels/1.txt: line 1: expected an even number of coordinates, got 3\n"
                     "/labels/1.txt: line 3: expected a class from 0 to 1, got '7'\n"
                     "/labels/1.txt: line 1: expected an even number of coordinates, got 3\n"
                     "/labels/1.txt: line 3: expected a class from 0 to 1, got '7'\n"
                     "/labels/3.txt: expected an image in images of this name, got none\n"
                     "/data.yaml: class 1 'ghost': expected an image that shows it, got none\n");
    ck_assert_int_eq(f.errors, 4);
    ck_assert_int_eq(f.warnings, 3);
    ck_assert_uint_eq(pts_dataset_skipped_labels(set), 4);
    ck_assert_uint_eq(pts_dataset_skipped_images(set), 0);
    ck_assert_uint_eq(pts_dataset_class_instances(set, 0), 2);
    pts_split *split;
    pts_error err;
    ck_assert_int_eq(pts_dataset_split(&split, set, 1, NULL, &err), PTS_ERR_SHAPE);
    ck_assert_ptr_nonnull(strstr(err.message, ": class 1 'ghost': expected at least 3 images, one "
                                              "for each part of the split, got 0"));
    pts_dataset_close(set);
    remove_folder();
}
END_TEST

/* ---- Images and folders on disk ---- */

static pts_dataset *read_folder(pts_look look, int strict, findings *f, pts_error *err)
{
    pts_dataset *set;
    const pts_dataset_options options = {.strict = strict, .look = look, .report = take, .user = f};
    *f = (findings){0};
    pts_dataset_read(&set, folder, &options, err);
    return set;
}

static void put_link(const char *target, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_int_eq(symlink(target, path), 0);
}

/* One good image among others. */
static void make_mixed_folder(void)
{
    make_folder();
    put("data.yaml", "names: [a]\n");
    put_copy("images/good.jpg", test_data("yolo-mini/train/images/0061.jpg"));
    put("labels/good.txt", GOOD_LINE);
}

START_TEST(corrupt_images_are_named_left_out_and_counted)
{
    make_mixed_folder();
    put("images/empty.jpg", "");
    put("images/text.png", "not a picture");
    put_bytes("images/cut.jpg", "\xff\xd8\xff\xe0", 4);
    put_copy("images/bomb.png", test_data("image/refused-bomb.png"));
    put("images/folder.jpg/x", "");
    put_link("gone.jpg", "images/dangling.jpg");
    put_link("loop.jpg", "images/loop.jpg");
    put("labels/empty.txt", GOOD_LINE);
    put("labels/text.txt", "not read, as its image is left out\n");
    findings f;
    pts_error err;
    pts_dataset *set = read_folder(PTS_LOOK_NAMES, 1, &f, &err);
    ck_assert_ptr_null(set); /* text.txt */
    set = read_folder(PTS_LOOK_PIXELS, 0, &f, &err);
    ck_assert_uint_eq(pts_dataset_images(set), 1);
    ck_assert_uint_eq(pts_dataset_skipped_images(set), 7);
    ck_assert_uint_eq(pts_dataset_skipped_labels(set), 0);
    ck_assert_uint_eq(pts_dataset_class_instances(set, 0), 1);
    ck_assert_int_eq(f.warnings, 0); /* labels of images left out are not without image */
    static const char *const expected[] = {
        "/images/bomb.png: out of memory, or damaged: ",
        "/images/cut.jpg: ",
        "/images/dangling.jpg: No such file or directory\n",
        "/images/empty.jpg: expected a JPEG, PNG or BMP image, got an empty file\n",
        "/images/folder.jpg: expected a regular file\n",
        "/images/loop.jpg: Too many levels of symbolic links\n",
        "/images/text.png: expected a JPEG, PNG or BMP image, got other bytes\n"};
    const char *at = f.text;
    for (size_t i = 0; i < 7; i++) {
        at = strstr(at, expected[i]);
        ck_assert_msg(at != NULL, "%s: %s", expected[i], f.text);
    }
    pts_dataset_close(set);
    set = read_folder(PTS_LOOK_HEADERS, 0, &f, &err);
    ck_assert_uint_eq(pts_dataset_images(set), 2); /* the bomb shows when it is decoded */
    pts_dataset_close(set);
    ck_assert_ptr_null(read_folder(PTS_LOOK_PIXELS, 1, &f, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "/images/bomb.png: out of memory, or damaged: "));
    remove_folder();
}
END_TEST

START_TEST(looks_alone_and_in_a_team)
{
    make_mixed_folder();
    for (int i = 0; i < 600; i++) { /* more than a round */
        char name[64];
        snprintf(name, sizeof name, "images/%03d.jpg", i);
        if (i % 3)
            put(name, "x");
        else
            put_copy(name, test_data("yolo-mini/train/images/0061.jpg"));
    }
    pts_team *team;
    ck_assert_int_eq(pts_team_create(&team, 4, NULL), PTS_OK);
    for (int k = 0; k < 2; k++) {
        pts_dataset *set;
        const pts_dataset_options options = {.look = PTS_LOOK_PIXELS, .team = k ? team : NULL};
        ck_assert_int_eq(pts_dataset_read(&set, folder, &options, NULL), PTS_OK);
        ck_assert_uint_eq(pts_dataset_images(set), 201);
        ck_assert_uint_eq(pts_dataset_skipped_images(set), 400);
        size_t width, height;
        for (size_t i = 0; i < 201; i++) {
            pts_dataset_image_size(set, i, &width, &height);
            ck_assert(width == 240 && height == 240);
        }
        pts_dataset_close(set);
    }
    pts_team_destroy(team);
    remove_folder();
}
END_TEST

START_TEST(folders_that_loop_or_cannot_be_read)
{
    findings f;
    pts_error err;
    make_mixed_folder();
    put_link("..", "images/up");
    put_link("../images", "images/self");
    put_link("train", "train");
    put("labels/other.txt/x", "");
    put("images/other.jpg", "");
    pts_dataset *set = read_folder(PTS_LOOK_NAMES, 0, &f, &err);
    ck_assert_ptr_nonnull(set);
    ck_assert_uint_eq(pts_dataset_images(set), 2);
    ck_assert_str_eq(
        f.text,
        "/train/images: expected a folder that can be read: Too many levels of symbolic links\n"
        "/labels/other.txt: expected a regular file\n"
        "/train/labels: expected a folder that can be read: Too many levels of symbolic links\n");
    ck_assert_int_eq(f.errors, 3);
    pts_dataset_close(set);
    ck_assert_ptr_null(read_folder(PTS_LOOK_NAMES, 1, &f, &err));
    ck_assert_str_eq(err.message + strlen(folder), "/train/images: expected a folder that can be "
                                                   "read: Too many levels of symbolic links");
    remove_folder();
}
END_TEST

START_TEST(notes_names_in_two_splits_and_crossing_outlines)
{
    findings f;
    make_mixed_folder();
    put_copy("train/images/good.jpg", test_data("yolo-mini/train/images/0061.jpg"));
    put("train/labels/good.txt", GOOD_LINE "0 .1 .1 .9 .9 .1 .9 .9 .1\n0 0 0 1 0 1 1 0 1\n");
    pts_dataset *set = read_folder(PTS_LOOK_HEADERS, 1, &f, NULL);
    ck_assert_ptr_nonnull(set);
    char expected[512];
    snprintf(expected, sizeof expected,
             "/train/images/good.jpg: expected a name in one folder only, got 1 again in another, "
             "the first in %s/images/good.jpg\n"
             "/train/labels/good.txt: line 2: expected outlines that do not cross themselves, got "
             "1 that do\n",
             folder);
    ck_assert_str_eq(f.text, expected);
    ck_assert_int_eq(f.warnings, 2);
    ck_assert_uint_eq(pts_dataset_class_instances(set, 0), 4);
    pts_dataset_close(set);
    remove_folder();
}
END_TEST

/* ---- Mutations ---- */

static uint32_t random_state = 20240607;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

/* Some bytes changed, dropped or doubled; the new size. */
static size_t mutate(char *text, size_t size, size_t room, const char *alphabet)
{
    for (uint32_t k = 1 + random_below(6); k-- && size > 1;) {
        size_t at = random_below((uint32_t)size);
        switch (random_below(4)) {
        case 0:
            text[at] = alphabet[random_below((uint32_t)strlen(alphabet))];
            break;
        case 1:
            text[at] = (char)random_below(256);
            break;
        case 2:
            memmove(text + at, text + at + 1, --size - at);
            break;
        default:
            if (size < room)
                memmove(text + at + 1, text + at, size++ - at);
        }
    }
    return size;
}

static void ignore_problem(void *user, pts_finding kind, const char *message)
{
    ck_assert_int_eq(kind, PTS_FINDING_LABEL);
    ck_assert_ptr_null(strpbrk(message, "\r\n"));
    ++*(int *)user;
}

START_TEST(mutated_labels_never_break_the_reader)
{
    static const char seed[] = GOOD_LINE "1 0.25 0.5 1 1e-3 0.75 0.125 0 0\n\n1 0 0 0 1 1 1\n";
    char name_a[] = "a", name_b[] = "b", dir[] = "d", *names[] = {name_a, name_b};
    int problems = 0;
    size_t instances = 0;
    for (int round = 0; round < 50000; round++) {
        char text[256];
        memcpy(text, seed, sizeof seed);
        size_t size = mutate(text, sizeof seed - 1, sizeof text, "0123456789.-+eE \t\r\n");
        pts_dataset set = {.dir = dir, .classes = 2, .class_names = names};
        dataset_reading reading = {
            .set = &set,
            .options = {.look = PTS_LOOK_HEADERS, .report = ignore_problem, .user = &problems}};
        char *exact = malloc(size); /* so that a sanitizer sees a read past the end */
        memcpy(exact, text, size);
        ck_assert_int_eq(pts_dataset_parse_labels(&reading, "f", exact, size), PTS_OK);
        free(exact);
        size_t points = 0;
        for (size_t i = 0; i < set.n_instances; i++) {
            points += set.instances[i].points;
            if (set.instances[i].points < 3 || set.instances[i].class_id >> 1)
                ck_abort_msg("a bad instance was taken");
        }
        for (size_t i = 0; i < set.n_xy; i++) {
            if (!(set.xy[i] >= 0 && set.xy[i] <= 1))
                ck_abort_msg("a bad coordinate was taken");
        }
        ck_assert_uint_eq(2 * points, set.n_xy);
        instances += set.n_instances;
        free(set.xy);
        free(set.ends);
        free(set.instances);
    }
    ck_assert_int_gt(problems, 5000);
    ck_assert_uint_gt(instances, 50000);
}
END_TEST

START_TEST(mutated_yaml_never_breaks_the_reader)
{
    static const char *const seeds[] = {"nc: 2\nnames: ['a', \"b\"]\ntrain: ../x\n",
                                        "names:\n  0: a\n  1: b\nx: &y [1, *y]\n"};
    char path[128];
    int good = 0;
    make_folder();
    snprintf(path, sizeof path, "%s/data.yaml", folder);
    for (int round = 0; round < 3000; round++) {
        char text[256];
        const char *seed = seeds[round % 2];
        strcpy(text, seed);
        put_bytes("data.yaml", text, mutate(text, strlen(seed), sizeof text, "0123:-[]{}'\"&* \n"));
        pts_dataset *set = calloc(1, sizeof *set);
        pts_error err = {""};
        char *roboflow;
        pts_status status = pts_dataset_read_yaml(set, path, &roboflow, &err);
        free(roboflow);
        ck_assert(status == PTS_OK || status == PTS_ERR_FORMAT);
        ck_assert_int_eq(status == PTS_OK, err.message[0] == '\0');
        for (int i = 0; status == PTS_OK && i < set->classes; i++)
            ck_assert_ptr_nonnull(set->class_names[i]);
        good += status == PTS_OK;
        pts_dataset_close(set);
    }
    ck_assert_int_gt(good, 200);
    remove_folder();
}
END_TEST

/* ---- The command ---- */

START_TEST(command_tells_the_counts_and_the_problems)
{
    ck_assert_int_eq(run_program("ptstrain data %s", test_data("yolo-mini")), 0);
    ck_assert_str_eq(ran.err, "");
    ck_assert_str_eq(ran.out, "yolo-mini: 6 images (0 without objects), 20 instances, 4 classes\n"
                              "format: YOLO segmentation, exported by Roboflow as "
                              "matan-nitzan/?/3\n"
                              "splits: test 1 train 4 valid 1\n"
                              "sizes: 240×240 least, 240×240 median, 240×240 most\n"
                              "instances an image: 3.33\n"
                              " class   images  instances  name\n"
                              "     0        5          6  Five\n"
                              "     1        5          8  One\n"
                              "     2        2          2  Ten\n"
                              "     3        4          4  Two\n"
                              "problems: 0 errors (0 images and 0 labels left out), 0 warnings\n");
    make_folder();
    put("data.yaml", "names: [a]\n");
    put("images/0.jpg", "");
    put_copy("images/1.jpg", test_data("yolo-mini/test/images/0004.jpg"));
    put("labels/1.txt", GOOD_LINE "0 1 1\n");
    ck_assert_int_eq(run_program("ptstrain data %s", folder), 1);
    ck_assert_ptr_nonnull(
        strstr(ran.err, "images/0.jpg: expected a JPEG, PNG or BMP image, got an empty file"));
    ck_assert_ptr_nonnull(strstr(ran.err, "labels/1.txt: line 2: expected a polygon of at least 3 "
                                          "points, got 1"));
    ck_assert_ptr_nonnull(
        strstr(ran.out, "problems: 2 errors (1 images and 1 labels left out), 0 warnings\n"));
    remove_folder();
    check_refused(2, "ptstrain data", "ptstrain data: expected one folder, got 0\n");
}
END_TEST

CHECK_SUITE("dataset", reads_a_real_set, reads_the_points, finds_classes_and_splits_them,
            pools_every_layout_in_a_fixed_order, takes_what_exports_write, refuses_labels,
            refuses_a_nul_byte_and_endless_tokens, refuses_folders, reads_forms_of_yaml,
            refuses_yaml, reading_reports_all_and_goes_on,
            corrupt_images_are_named_left_out_and_counted, looks_alone_and_in_a_team,
            folders_that_loop_or_cannot_be_read, notes_names_in_two_splits_and_crossing_outlines,
            command_tells_the_counts_and_the_problems, SLOW, mutated_yaml_never_breaks_the_reader,
            mutated_labels_never_break_the_reader)
