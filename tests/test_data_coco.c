/* The COCO reader: the same masks as the YOLO reader and as pycocotools, every place a file may
 * lie in, every kind of malformed file. */
#define _GNU_SOURCE
#include "check_main.h"
#include "run_program.h"
#include "temporary_folder.h"

#include "pts/data.h"

#include <unistd.h>

static const char *const photos[] = {"test/images/0004.jpg",  "train/images/0061.jpg",
                                     "train/images/0063.jpg", "valid/images/0078.jpg",
                                     "train/images/0141.jpg", "train/images/0142.jpg"};
enum { PHOTOS = 6 };

static void put_photos(const char *inner)
{
    for (size_t i = 0; i < PHOTOS; i++) {
        char path[128], name[64];
        snprintf(path, sizeof path, "yolo-mini/%s", photos[i]);
        snprintf(name, sizeof name, "%s%s", inner, strrchr(photos[i], '/') + 1);
        put_copy(name, test_data(path));
    }
}

static const char *coco_mini(const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "coco-mini/%s", name);
    return test_data(path);
}

static pts_dataset *open_path(const char *path)
{
    pts_dataset *set;
    pts_error err;
    pts_dataset_options options = {.strict = 1, .look = PTS_LOOK_PIXELS};
    pts_status status = pts_dataset_read(&set, path, &options, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    return set;
}

/* The image of that file name. */
static size_t find_image(const pts_dataset *set, const char *name)
{
    for (size_t i = 0; i < pts_dataset_images(set); i++) {
        if (strcmp(strrchr(pts_dataset_image_path(set, i), '/') + 1, name) == 0)
            return i;
    }
    ck_abort_msg("no image %s", name);
}

static void check_equal_masks(const pts_rle *a, const pts_rle *b)
{
    size_t runs, other;
    const uint32_t *counts = pts_rle_counts(a, &runs), *others = pts_rle_counts(b, &other);
    ck_assert_double_eq(pts_rle_iou(a, b, 0), 1);
    ck_assert_uint_eq(runs, other);
    ck_assert_mem_eq(counts, others, runs * sizeof *counts);
}

/* ---- golden ---- */

static void check_equal_instances(const pts_instance *yolo, const pts_instance *coco, int polygons)
{
    pts_rle *mask;
    ck_assert_int_eq(coco->class_id, yolo->class_id);
    ck_assert_int_eq(coco->crowd, 0);
    ck_assert_ptr_nonnull(coco->mask);
    ck_assert_int_eq(pts_instance_mask(&mask, yolo, 240, 240, NULL), PTS_OK);
    check_equal_masks(mask, coco->mask);
    pts_rle_destroy(mask);
    ck_assert_uint_eq(coco->parts, polygons ? 1 : 0);
    ck_assert_uint_eq(coco->points, polygons ? yolo->points : 0);
    for (size_t i = 0; i < 2 * coco->points; i++)
        ck_assert_float_eq(coco->xy[i], yolo->xy[i]);
}

static void check_form(const char *name)
{
    make_folder();
    put_photos("");
    put_copy("_annotations.coco.json", coco_mini(name));
    pts_dataset *coco = open_path(folder), *yolo = open_path(test_data("yolo-mini"));
    ck_assert_int_eq(pts_dataset_classes(coco), 4);
    for (int k = 0; k < 4; k++)
        ck_assert_str_eq(pts_dataset_class_name(coco, k), pts_dataset_class_name(yolo, k));
    for (size_t i = 0; i < PHOTOS; i++) {
        const char *photo = strrchr(photos[i], '/') + 1;
        size_t n, m, width, height;
        size_t at = find_image(coco, photo);
        const pts_instance *a = pts_dataset_instances(yolo, find_image(yolo, photo), &n);
        const pts_instance *b = pts_dataset_instances(coco, at, &m);
        ck_assert_uint_eq(n, m);
        for (size_t k = 0; k < n; k++)
            check_equal_instances(&a[k], &b[k], strcmp(name, "polygons.json") == 0);
        pts_dataset_image_size(coco, at, &width, &height);
        ck_assert(width == 240 && height == 240);
    }
    pts_dataset_close(coco);
    pts_dataset_close(yolo);
    remove_folder();
}

START_TEST(every_form_gives_the_masks_of_yolo)
{
    check_form("polygons.json");
    check_form("counts.json");
    check_form("compressed.json");
}
END_TEST

static pts_dataset *open_file(const char *name)
{
    char path[128];
    put_copy(name, coco_mini(name));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return open_path(path);
}

START_TEST(several_polygons_are_one_object_and_crowds_are_told)
{
    make_folder();
    put_photos("images/");
    pts_dataset *parts = open_file("parts.json"), *runs = open_file("parts_compressed.json");
    ck_assert_str_eq(pts_dataset_name(parts), "parts");
    size_t most = 0;
    for (size_t i = 0; i < PHOTOS; i++) {
        size_t n, m;
        const pts_instance *a = pts_dataset_instances(parts, i, &n);
        const pts_instance *b = pts_dataset_instances(runs, i, &m);
        ck_assert_uint_eq(n, m);
        for (size_t k = 0; k < n; k++) {
            ck_assert_int_eq(a[k].crowd, a[k].class_id == 1);
            ck_assert_int_eq(b[k].crowd, a[k].crowd);
            check_equal_masks(a[k].mask, b[k].mask);
            ck_assert_uint_eq(a[k].ends[a[k].parts - 1], a[k].points);
            /* the parts' own mask: float coordinates, exact here */
            pts_instance outline = a[k];
            pts_rle *mask;
            outline.mask = NULL;
            ck_assert_int_eq(pts_instance_mask(&mask, &outline, 240, 240, NULL), PTS_OK);
            check_equal_masks(mask, b[k].mask);
            pts_rle_destroy(mask);
            most = a[k].parts > most ? a[k].parts : most;
        }
    }
    ck_assert_uint_gt(most, 1);
    size_t count;
    pts_dataset_showing(parts, 1, &count); /* crowds alone */
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(pts_dataset_class_instances(parts, 1), 5);
    ck_assert_uint_eq(pts_dataset_class_crowds(parts, 1), 5);
    ck_assert_uint_eq(pts_dataset_class_crowds(parts, 0), 0);
    pts_dataset_close(parts);
    pts_dataset_close(runs);
    remove_folder();
}
END_TEST

START_TEST(masks_keep_their_size)
{
    make_folder();
    put_photos("");
    pts_dataset *set = open_file("counts.json");
    size_t count;
    pts_error err;
    pts_rle *mask = (pts_rle *)folder;
    const pts_instance *first = pts_dataset_instances(set, 0, &count);
    ck_assert_int_eq(pts_instance_mask(&mask, first, 120, 240, &err), PTS_ERR_SHAPE);
    ck_assert_ptr_null(mask);
    ck_assert_str_eq(err.message, "mask: expected 120 x 240 pixels, got 240 x 240");
    ck_assert_int_eq(pts_instance_mask(&mask, first, 240, 240, NULL), PTS_OK);
    check_equal_masks(mask, first->mask);
    pts_rle_destroy(mask);
    pts_dataset_close(set);
    remove_folder();
}
END_TEST

/* Real annotations: 80 classes with gaps in their ids, several parts, crowds as run lengths. The
 * photographs are not opened here. */
START_TEST(counts_of_real_coco_are_pycocotools)
{
    char command[256];
    make_folder();
    put_copy("annotations/instances_val2014.json", test_data("coco/instances_val2014_100.json"));
    put("annotations/captions_val2014.json", "not read");
    snprintf(command, sizeof command,
             "cd %s && mkdir val2014 && grep -o 'COCO_val2014_[0-9]*.jpg' annotations/*.json | "
             "sed 's/.*://;s|^|val2014/|' | xargs touch",
             folder);
    ck_assert_int_eq(system(command), 0);
    pts_dataset *set;
    pts_error err;
    pts_status status = pts_dataset_open(&set, folder, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert_uint_eq(pts_dataset_images(set), 100);
    ck_assert_str_eq(pts_dataset_image_split(set, 0), "val2014");
    size_t pixels[80] = {0};
    for (size_t i = 0; i < 100; i++) {
        size_t count;
        const pts_instance *instances = pts_dataset_instances(set, i, &count);
        for (size_t k = 0; k < count; k++)
            pixels[instances[k].class_id] += pts_rle_area(instances[k].mask);
    }
    FILE *file = fopen(coco_mini("val2014_100.txt"), "r");
    ck_assert_ptr_nonnull(file);
    for (int c = 0; c < 80; c++) {
        int number;
        size_t images, instances, crowds, area, count;
        ck_assert_int_eq(
            fscanf(file, "%d %zu %zu %zu %zu", &number, &images, &instances, &crowds, &area), 5);
        pts_dataset_showing(set, c, &count);
        ck_assert_uint_eq(count, images);
        ck_assert_uint_eq(pts_dataset_class_instances(set, c), instances);
        ck_assert_uint_eq(pts_dataset_class_crowds(set, c), crowds);
        ck_assert_uint_eq(pixels[c], area);
    }
    fclose(file);
    pts_dataset_close(set);
    remove_folder();
}
END_TEST

/* ---- layouts ---- */

#define CATEGORY "{\"id\":1,\"name\":\"a\"}"
#define SQUARE "[[10,10,50,10,50,50,10,50]]"

/* One file with one image and one annotation. */
static const char *file_of(const char *image, const char *annotation)
{
    static char text[4096];
    snprintf(text, sizeof text,
             "{\"images\":[%s],\n\"categories\":[" CATEGORY "],\n\"annotations\":[%s]}", image,
             annotation);
    return text;
}

#define IMAGE(id, name) "{\"id\":" #id ",\"file_name\":\"" name "\",\"width\":240,\"height\":240}"
#define OBJECT(id, image)                                                                          \
    "{\"id\":" #id ",\"image_id\":" #image ",\"category_id\":1,\"segmentation\":" SQUARE "}"

static void put_photo(const char *name)
{
    put_copy(name, test_data("yolo-mini/train/images/0061.jpg"));
}

START_TEST(roboflow_exports)
{
    static const char *const splits[] = {"train", "valid", "test"};
    make_folder();
    put("README.roboflow.txt", "export");
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/a%zu.jpg", splits[i], i);
        put_photo(name);
        char text[1024];
        snprintf(text, sizeof text,
                 "{\"info\":{},\"images\":[{\"id\":0,\"file_name\":\"a%zu.jpg\",\"width\":240,"
                 "\"height\":240}],\"categories\":[{\"id\":0,\"name\":\"coin\",\"supercategory\":"
                 "\"none\"},{\"id\":1,\"name\":\"coin\",\"supercategory\":\"coin\"},{\"id\":2,"
                 "\"name\":\"ring\",\"supercategory\":\"coin\"}],\"annotations\":[{\"id\":0,"
                 "\"image_id\":0,\"category_id\":%zu,\"iscrowd\":0,\"segmentation\":" SQUARE "}]}",
                 i, i % 2 + 1);
        snprintf(name, sizeof name, "%s/_annotations.coco.json", splits[i]);
        put(name, text);
    }
    pts_dataset *set = open_path(folder);
    ck_assert_str_eq(pts_dataset_format(set), "COCO JSON, exported by Roboflow");
    ck_assert_int_eq(pts_dataset_classes(set), 2);
    ck_assert_str_eq(pts_dataset_class_name(set, 0), "coin");
    ck_assert_str_eq(pts_dataset_class_name(set, 1), "ring");
    ck_assert_uint_eq(pts_dataset_images(set), 3);
    static const char *const sorted[] = {"test", "train", "valid"};
    for (size_t i = 0; i < 3; i++)
        ck_assert_str_eq(pts_dataset_image_split(set, i), sorted[i]);
    size_t count;
    const size_t *images = pts_dataset_showing(set, 0, &count);
    ck_assert(count == 2 && images[0] == 0 && images[1] == 1);
    pts_dataset_close(set);
    remove_folder();
}
END_TEST

START_TEST(command_tells_what_a_coco_set_holds)
{
    make_folder();
    put_photos("images/");
    put_copy("coins.json", coco_mini("parts.json"));
    ck_assert_int_eq(run_program("ptstrain data --decode --threads 2 %s/coins.json", folder), 0);
    ck_assert_str_eq(ran.out, "coins: 6 images (0 without objects), 16 instances, 4 classes\n"
                              "format: COCO JSON\n"
                              "splits: none 6\n"
                              "sizes: 240×240 least, 240×240 median, 240×240 most\n"
                              "instances an image: 2.67 (5 of them crowds)\n"
                              " class   images  instances  name\n"
                              "     0        5          5  Five\n"
                              "     1        0          5  One\n"
                              "     2        2          2  Ten\n"
                              "     3        4          4  Two\n"
                              "problems: 0 errors (0 images and 0 labels left out), 1 warnings\n");
    ck_assert_ptr_nonnull(strstr(ran.err, "coins.json: class 1 'One': expected an image that shows "
                                          "it, got none\n"));
    remove_folder();
}
END_TEST

static void check_layout(const char *json, const char *image, const char *split)
{
    make_folder();
    put_photo(image);
    put(json, file_of(IMAGE(5, "a.jpg"), OBJECT(1, 5)));
    pts_dataset *set = open_path(folder);
    ck_assert_str_eq(pts_dataset_image_path(set, 0) + strlen(folder) + 1, image);
    ck_assert_str_eq(pts_dataset_image_split(set, 0), split);
    ck_assert_str_eq(pts_dataset_format(set), "COCO JSON");
    pts_dataset_close(set);
    remove_folder();
}

START_TEST(finds_files_and_images)
{
    check_layout("_annotations.coco.json", "a.jpg", "");
    check_layout("annotations/instances_val2017.json", "val2017/a.jpg", "val2017");
    check_layout("annotations/instances_val2017.json", "images/val2017/a.jpg", "val2017");
    check_layout("annotations/instances_val2017.json", "images/a.jpg", "val2017");
    check_layout("annotations/train.json", "train/a.jpg", "train");
    check_layout("annotations/train.json", "a.jpg", "train");
}
END_TEST

START_TEST(a_file_alone_is_a_set)
{
    char *here = get_current_dir_name();
    make_folder();
    put_photo("a.jpg");
    put("coins.json", file_of(IMAGE(5, "a.jpg"), OBJECT(1, 5)));
    ck_assert_int_eq(chdir(folder), 0);
    pts_dataset *set = open_path("coins.json");
    ck_assert_str_eq(pts_dataset_name(set), "coins");
    ck_assert_str_eq(pts_dataset_image_path(set, 0), "./a.jpg");
    pts_dataset_close(set);
    ck_assert_int_eq(chdir(here), 0);
    free(here);
    remove_folder();
}
END_TEST

/* ---- malformed ---- */

/* The message of a strict reading, without the folder's path. */
static const char *message_of(pts_status expected)
{
    static char shown[512];
    pts_dataset *set = (pts_dataset *)shown;
    pts_error err = {""};
    const pts_dataset_options options = {.strict = 1, .look = PTS_LOOK_HEADERS};
    pts_status status = pts_dataset_read(&set, folder, &options, &err);
    ck_assert_msg(status == expected, "%d: %s", status, err.message);
    ck_assert_ptr_null(set);
    snprintf(shown, sizeof shown, "%s",
             err.message +
                 (strncmp(err.message, folder, strlen(folder)) == 0 ? strlen(folder) : 0));
    return shown;
}

static void expect(const char *text, pts_status status, const char *message)
{
    make_folder();
    put_photo("a.jpg");
    put("_annotations.coco.json", text);
    const char *got = message_of(status);
    const char *prefix = "/_annotations.coco.json: ";
    ck_assert_msg(strncmp(got, prefix, strlen(prefix)) == 0, "%s", got);
    ck_assert_str_eq(got + strlen(prefix), message);
    remove_folder();
}

static void expect_annotation(const char *annotation, const char *message)
{
    expect(file_of(IMAGE(5, "a.jpg"), annotation), PTS_ERR_FORMAT, message);
}

static void expect_segmentation(const char *segmentation, const char *message)
{
    char annotation[1024], full[512];
    snprintf(annotation, sizeof annotation,
             "{\"id\":8,\"image_id\":5,\"category_id\":1,\"segmentation\":%s}", segmentation);
    snprintf(full, sizeof full, "annotations[0] (id 8): %s", message);
    expect_annotation(annotation, full);
}

START_TEST(refuses_segmentations)
{
    expect_segmentation("[[1,1,2,2]]",
                        "segmentation[0]: expected an even count of at least 6 numbers, got 4");
    expect_segmentation("[]", "segmentation: expected at least 1 polygon, got none");
    expect_segmentation("null", "segmentation: expected polygons or run lengths, got null");
    expect_segmentation("[[1,1,2,2,3,\"4\"]]",
                        "segmentation[0][5]: expected a number, got a string");
    expect_segmentation("[[1,1,2,2,3,1e300]]",
                        "polygon: point 2: expected a coordinate within ±1e+06, got 1e+300");
    expect_segmentation("[[500,500,600,500,600,600]]",
                        "segmentation: expected an area inside of the image, got none");
    expect_segmentation("[[9,9,9,9,9,9]]",
                        "segmentation: expected an area inside of the image, got none");
    expect_segmentation("{\"size\":[240,240],\"counts\":[57600]}",
                        "segmentation: expected an area inside of the image, got none");
    expect_segmentation("{\"size\":[240,240],\"counts\":[5,5]}",
                        "mask: expected counts that add up to 240 x 240 = 57600 pixels, got 10");
    expect_segmentation("{\"size\":[240,240],\"counts\":[5,-5]}",
                        "counts[1]: expected an integer of 0 … 1073741824, got one outside");
    expect_segmentation("{\"size\":[240,240],\"counts\":\"51\"}",
                        "mask: expected counts that add up to 240 x 240 = 57600 pixels, got 6");
    expect_segmentation("{\"size\":[240,241],\"counts\":\"51\"}",
                        "segmentation: size: expected the image's 240 x 240, got 240 x 241");
}
END_TEST

START_TEST(refuses_annotations)
{
    expect_annotation("{\"id\":8,\"image_id\":6,\"category_id\":1}",
                      "annotations[0] (id 8): image_id: expected one of the 1 images, got 6");
    expect_annotation("{\"id\":8,\"image_id\":\"5\",\"category_id\":1}",
                      "annotations[0] (id 8): image_id: expected an integer, got a string");
    expect_annotation("7", "annotations[0]: image_id: expected an integer, got nothing");
    expect_annotation(
        "{\"id\":8,\"image_id\":5,\"category_id\":2}",
        "annotations[0] (id 8): category_id: expected one of the 1 categories, got 2");
    expect_annotation("{\"id\":8,\"image_id\":5,\"category_id\":1.5}",
                      "annotations[0] (id 8): category_id: expected an integer, got a number with "
                      "a fraction");
    expect_annotation("{\"id\":8,\"image_id\":5,\"category_id\":1,\"iscrowd\":2}",
                      "annotations[0] (id 8): iscrowd: expected 0 or 1, got an integer");
    expect_annotation(OBJECT(8, 5) "," OBJECT(8, 5),
                      "annotations[1] (id 8): id: expected identifiers that differ, got 8 twice");
}
END_TEST

#define OUTSIDE "file_name: expected a path inside of the data set, got "

static void expect_image(const char *image, const char *message)
{
    expect(file_of(image, OBJECT(8, 5)), PTS_ERR_FORMAT, message);
}

START_TEST(refuses_images)
{
    expect_image(IMAGE(5, "/etc/a.jpg"), "images[0] (id 5): " OUTSIDE "'/etc/a.jpg'");
    expect_image(IMAGE(5, "../a.jpg"), "images[0] (id 5): " OUTSIDE "'../a.jpg'");
    expect_image(IMAGE(5, "x/../../a.jpg"), "images[0] (id 5): " OUTSIDE "'x/../../a.jpg'");
    expect_image(IMAGE(5, "x/.."), "images[0] (id 5): " OUTSIDE "'x/..'");
    expect_image(IMAGE(5, ""), "images[0] (id 5): " OUTSIDE "''");
    expect_image(IMAGE(5, "a\\nb.jpg"), "images[0] (id 5): " OUTSIDE "'a?b.jpg'");
    expect_image("{\"id\":5}", "images[0] (id 5): " OUTSIDE "nothing");
    expect_image("{\"id\":\"5\"}", "images[0]: id: expected an integer, got a string");
    expect_image("{\"id\":5,\"file_name\":\"a.jpg\",\"width\":1000000,\"height\":1000000}",
                 "images[0] (id 5): 'a.jpg': expected a width and height of 1 to 100000000 pixels "
                 "in all, got another size");
    expect_image("{\"id\":5,\"file_name\":\"a.jpg\",\"width\":-1,\"height\":240}",
                 "images[0] (id 5): 'a.jpg': expected a width and height of 1 to 100000000 pixels "
                 "in all, got another size");
    expect_image(IMAGE(5, "a.jpg") "," IMAGE(5, "a.jpg"),
                 "images[1] (id 5): id: expected identifiers that differ, got 5 twice");
}
END_TEST

START_TEST(refuses_images_on_disk)
{
    make_folder();
    put_photo("a.jpg");
    put("_annotations.coco.json", file_of(IMAGE(5, "b.jpg"), OBJECT(8, 5)));
    ck_assert_ptr_nonnull(strstr(message_of(PTS_ERR_FORMAT),
                                 "json: images[0] (id 5): expected 'b.jpg' in /tmp/pts_test_"));
    put("_annotations.coco.json", file_of(IMAGE(5, "a.jpg") "," IMAGE(6, "a.jpg"), OBJECT(8, 5)));
    ck_assert_ptr_nonnull(strstr(message_of(PTS_ERR_FORMAT),
                                 "json: image id 6: expected a file once, got /tmp/pts_test_"));
    put("_annotations.coco.json",
        file_of("{\"id\":5,\"file_name\":\"a.jpg\",\"width\":240,\"height\":241}", OBJECT(8, 5)));
    ck_assert_str_eq(message_of(PTS_ERR_FORMAT),
                     "/a.jpg: expected 240×241 pixels, as its annotations say, got 240×240");
    put("_annotations.coco.json", file_of(IMAGE(5, "a.jpg"), OBJECT(8, 5)));
    put("a.jpg", "");
    ck_assert_str_eq(message_of(PTS_ERR_FORMAT),
                     "/a.jpg: expected a JPEG, PNG or BMP image, got an empty file");
    remove_folder();
}
END_TEST

START_TEST(refuses_files)
{
    expect("", PTS_ERR_FORMAT, "line 1: expected JSON, got: '[' or '{' expected near end of file");
    expect("[]", PTS_ERR_FORMAT,
           "expected an object with images, categories and annotations, got a list");
    expect("{}", PTS_ERR_FORMAT, "categories: expected a list, got nothing");
    expect("{\"categories\":[" CATEGORY "]}", PTS_ERR_FORMAT,
           "annotations: expected a list, got nothing");
    expect("{\"categories\":[" CATEGORY "],\"annotations\":[]}", PTS_ERR_FORMAT,
           "images: expected a list, got nothing");
    expect("{\"categories\":[],\"annotations\":[]}", PTS_ERR_FORMAT,
           "categories: expected 1 to 65536, got 0");
    expect("{\"categories\":[{\"id\":1}],\"annotations\":[]}", PTS_ERR_FORMAT,
           "categories[0] (id 1): name: expected a text of 1 to 255 bytes on one line, got "
           "nothing");
    expect("{\"categories\":[{\"id\":1,\"name\":\"a\\nb\"}],\"annotations\":[]}", PTS_ERR_FORMAT,
           "categories[0] (id 1): name: expected a text of 1 to 255 bytes on one line, got "
           "another");
    expect("{\"categories\":[{\"name\":\"a\"}],\"annotations\":[]}", PTS_ERR_FORMAT,
           "categories[0]: id: expected an integer, got nothing");
    expect("{\"categories\":[" CATEGORY "," CATEGORY "],\"annotations\":[]}", PTS_ERR_FORMAT,
           "categories: expected distinct ids, got 1 twice");
    expect("{\"categories\":[" CATEGORY ",{\"id\":2,\"name\":\"a\"}],\"annotations\":[]}",
           PTS_ERR_FORMAT, "names: expected distinct names, got 'a' twice");
    expect("{\"categories\":[{\"id\":99999999999999999999,\"name\":\"a\"}]}", PTS_ERR_FORMAT,
           "line 1: expected JSON, got: too big integer near '99999999999999999999'");
    expect("{\"categories\":[{\"id\":1e999}]}", PTS_ERR_FORMAT,
           "line 1: expected JSON, got: real number overflow near '1e999'");
    expect("{\"categories\":[{\"name\":\"\xff\"}]}", PTS_ERR_FORMAT,
           "line 1: expected JSON, got: unable to decode byte 0xff near '\"'");
    expect("{\"images\":[],\"images\":[]}", PTS_ERR_FORMAT,
           "line 1: expected JSON, got: duplicate object key near '\"images\"'");
}
END_TEST

START_TEST(files_of_one_set_agree_on_categories)
{
    make_folder();
    put_photo("train/a.jpg");
    put_photo("test/a.jpg");
    put("train/_annotations.coco.json", file_of(IMAGE(5, "a.jpg"), OBJECT(1, 5)));
    put("test/_annotations.coco.json",
        "{\"categories\":[{\"id\":1,\"name\":\"b\"}],\"images\":[],\"annotations\":[]}");
    const char *message = message_of(PTS_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(
        message, "/test/_annotations.coco.json: categories: expected id 1 to be 'a', as in"));
    ck_assert_ptr_nonnull(strstr(message, "/train/_annotations.coco.json, got 'b'"));
    remove_folder();
}
END_TEST

/* rejected/messages.txt: a file a line, "name|message". */
START_TEST(refuses_the_rejected_files)
{
    char line[512], path[600];
    size_t files = 0;
    FILE *messages = fopen(coco_mini("rejected/messages.txt"), "r");
    ck_assert_ptr_nonnull(messages);
    for (; fgets(line, sizeof line, messages); files++) {
        line[strcspn(line, "\n")] = '\0';
        char *message = strchr(line, '|');
        ck_assert_ptr_nonnull(message);
        *message++ = '\0';
        make_folder();
        put_photo("a.jpg");
        snprintf(path, sizeof path, "coco-mini/rejected/%s.json", line);
        put_copy("_annotations.coco.json", test_data(path));
        const char *got = message_of(PTS_ERR_FORMAT);
        ck_assert_msg(strncmp(got, "/_annotations.coco.json: ", 25) == 0, "%s: %s", line, got);
        ck_assert_str_eq(got + 25, message);
        remove_folder();
    }
    fclose(messages);
    ck_assert_uint_eq(files, 23);
}
END_TEST

/* ---- what is left out when not strict ---- */

typedef struct seen {
    size_t count[3];
} seen;

static void take(void *user, pts_finding kind, const char *message)
{
    ck_assert_ptr_null(strpbrk(message, "\r\n"));
    ((seen *)user)->count[kind]++;
}

START_TEST(leaves_out_what_is_bad_and_counts_it)
{
    make_folder();
    put_photo("a.jpg");
    put_photo("b.jpg");
    put("c.jpg", "\xff\xd8\xff damaged");
    put("_annotations.coco.json",
        file_of(IMAGE(1, "a.jpg") "," IMAGE(2, "b.jpg") "," IMAGE(3, "c.jpg") "," IMAGE(
                    4, "d.jpg") "," IMAGE(5, "../e.jpg"),
                OBJECT(1, 1) "," OBJECT(2, 3) "," OBJECT(3, 4) "," OBJECT(4, 9) "," OBJECT(
                    5, 2) ",{\"id\":6,\"image_id\":1,\"category_id\":1,\"segmentation\":[[1,2]]},"
                          "{\"id\":7,\"image_id\":1,\"category_id\":1,\"segmentation\":"
                          "[[10,10,90,90,10,90,90,10]]}"));
    seen s = {{0}};
    pts_dataset *set;
    const pts_dataset_options options = {.look = PTS_LOOK_PIXELS, .report = take, .user = &s};
    ck_assert_int_eq(pts_dataset_read(&set, folder, &options, NULL), PTS_OK);
    ck_assert_uint_eq(pts_dataset_images(set), 2);
    ck_assert_uint_eq(pts_dataset_skipped_images(set), 3);
    ck_assert_uint_eq(pts_dataset_skipped_labels(set), 2);
    ck_assert_uint_eq(pts_dataset_class_instances(set, 0), 3);
    ck_assert_uint_eq(s.count[PTS_FINDING_IMAGE], 3);
    ck_assert_uint_eq(s.count[PTS_FINDING_LABEL], 2);
    ck_assert_uint_eq(s.count[PTS_FINDING_NOTE], 1); /* the crossing of annotation 7 */
    pts_dataset_close(set);
    ck_assert_int_eq(run_program("ptstrain data --json %s", folder), 1);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"images_left_out\": 3"));
    ck_assert_ptr_nonnull(strstr(ran.out, "\"labels_left_out\": 2"));
    remove_folder();
}
END_TEST

START_TEST(nothing_left_is_said)
{
    make_folder();
    put("a.jpg", "");
    put("_annotations.coco.json", file_of(IMAGE(1, "a.jpg"), OBJECT(1, 1)));
    pts_dataset *set;
    pts_error err;
    pts_dataset_options options = {.look = PTS_LOOK_HEADERS};
    ck_assert_int_eq(pts_dataset_read(&set, folder, &options, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message + strlen(folder),
                     ": expected images that can be read, got none: 1 were left out");
    options.look = PTS_LOOK_NAMES;
    put("_annotations.coco.json", file_of(IMAGE(1, "a.jpg"), OBJECT(1, 2)));
    ck_assert_int_eq(pts_dataset_read(&set, folder, &options, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message + strlen(folder), ": expected labelled objects on 1 images, got "
                                                   "none: 1 labels were left out");
    remove_folder();
}
END_TEST

CHECK_SUITE("data_coco", every_form_gives_the_masks_of_yolo,
            several_polygons_are_one_object_and_crowds_are_told, masks_keep_their_size,
            counts_of_real_coco_are_pycocotools, roboflow_exports,
            command_tells_what_a_coco_set_holds, finds_files_and_images, a_file_alone_is_a_set,
            refuses_segmentations, refuses_annotations, refuses_images, refuses_images_on_disk,
            refuses_files, refuses_the_rejected_files, files_of_one_set_agree_on_categories,
            leaves_out_what_is_bad_and_counts_it, nothing_left_is_said)
