/* Masks and AP against pycocotools' numbers: tests/data/coco (README.md there has the recipe). */
#include "temporary_folder.h"
#include "run_program.h"

#include "pts/metrics.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static FILE *open_golden(const char *name)
{
    FILE *file = fopen(test_data(name), "r");
    ck_assert_msg(file != NULL, "%s", test_data(name));
    return file;
}

static double read_number(FILE *file)
{
    double value;
    ck_assert_int_eq(fscanf(file, "%lf", &value), 1);
    return value;
}

static size_t read_size(FILE *file)
{
    size_t value;
    ck_assert_int_eq(fscanf(file, "%zu", &value), 1);
    return value;
}

static const char *read_word(FILE *file)
{
    static char word[20000];
    ck_assert_int_eq(fscanf(file, "%19999s", word), 1);
    return word;
}

static pts_rle *read_mask(FILE *file, size_t height, size_t width)
{
    pts_error err = {""};
    pts_rle *mask;
    const char *text = read_word(file);
    pts_status status = pts_rle_from_string(&mask, text, strlen(text), height, width, &err);
    ck_assert_msg(status == PTS_OK, "%s: %s", text, err.message);
    return mask;
}

static void same_string(const pts_rle *mask, const char *expected)
{
    char *text;
    ck_assert_int_eq(pts_rle_to_string(mask, &text, NULL), PTS_OK);
    ck_assert_str_eq(text, expected);
    free(text);
}

static void check_one_polygon(FILE *file, size_t height)
{
    double xy[64], box[4];
    size_t width = read_size(file), points = read_size(file), runs;
    for (size_t i = 0; i < 2 * points; i++)
        xy[i] = read_number(file);
    pts_rle *mask;
    ck_assert_int_eq(pts_rle_from_polygon(&mask, xy, points, height, width, NULL), PTS_OK);
    const uint32_t *counts = pts_rle_counts(mask, &runs);
    ck_assert_uint_eq(runs, read_size(file));
    for (size_t i = 0; i < runs; i++)
        ck_assert_uint_eq(counts[i], read_size(file));
    same_string(mask, read_word(file));
    ck_assert_uint_eq(pts_rle_area(mask), read_size(file));
    pts_rle_box(mask, box);
    for (size_t i = 0; i < 4; i++)
        ck_assert_double_eq(box[i], read_number(file));
    pts_rle_destroy(mask);
}

START_TEST(polygons_are_bit_equal)
{
    FILE *file = open_golden("coco/masks.txt");
    size_t height, seen = 0;
    for (; fscanf(file, "%zu", &height) == 1; seen++)
        check_one_polygon(file, height);
    ck_assert_uint_eq(seen, 300);
    fclose(file);
}
END_TEST

static void check_one_group(FILE *file, size_t height)
{
    size_t width = read_size(file);
    pts_rle *masks[7], *all, *common;
    for (size_t i = 0; i < 7; i++)
        masks[i] = read_mask(file, height, width);
    ck_assert_int_eq(pts_rle_merge(&all, masks, 7, 0, NULL), PTS_OK);
    ck_assert_int_eq(pts_rle_merge(&common, masks, 2, 1, NULL), PTS_OK);
    same_string(all, read_word(file));
    same_string(common, read_word(file));
    int crowd[3];
    for (size_t i = 0; i < 3; i++)
        crowd[i] = (int)read_size(file);
    for (size_t d = 3; d < 7; d++) {
        for (size_t t = 0; t < 3; t++)
            ck_assert_double_eq(pts_rle_iou(masks[d], masks[t], crowd[t]), read_number(file));
    }
    for (size_t i = 0; i < 7; i++)
        pts_rle_destroy(masks[i]);
    pts_rle_destroy(all);
    pts_rle_destroy(common);
}

START_TEST(unions_and_overlaps_are_bit_equal)
{
    FILE *file = open_golden("coco/ious.txt");
    size_t height, seen = 0;
    for (; fscanf(file, "%zu", &height) == 1; seen++)
        check_one_group(file, height);
    ck_assert_uint_eq(seen, 12);
    fclose(file);
}
END_TEST

/* ---- random evaluations: ties, crowds, empty images, several categories, over 100 and 300
 * detections of an image ---- */

enum { HEIGHT = 150, WIDTH = 170 };

static void read_region(FILE *file, pts_iou_kind iou, pts_coco_object *o)
{
    if (iou == PTS_IOU_MASK) {
        o->mask = read_mask(file, HEIGHT, WIDTH);
        return;
    }
    for (size_t i = 0; i < 4; i++)
        o->box[i] = read_number(file);
}

static void read_objects(FILE *file, pts_coco *coco, pts_iou_kind iou, size_t truths, size_t found)
{
    for (size_t i = 0; i < truths + found; i++) {
        pts_coco_object o = {.image = (int64_t)read_size(file)};
        o.category = (int64_t)read_size(file);
        if (i < truths) {
            o.area = read_number(file);
            o.crowd = (int)read_size(file);
            read_region(file, iou, &o);
            ck_assert_int_eq(pts_coco_add_truth(coco, &o, NULL), PTS_OK);
        } else {
            o.score = read_number(file);
            read_region(file, iou, &o);
            o.area = o.mask ? (double)pts_rle_area(o.mask) : o.box[2] * o.box[3];
            ck_assert_int_eq(pts_coco_add_detection(coco, &o, NULL), PTS_OK);
        }
    }
}

static pts_coco *read_problem(FILE *file, pts_iou_kind iou)
{
    pts_coco *coco;
    size_t images = read_size(file), categories = read_size(file);
    size_t truths = read_size(file), found = read_size(file);
    ck_assert_int_eq(pts_coco_create(&coco, iou, NULL), PTS_OK);
    for (size_t i = 0; i < images; i++)
        ck_assert_int_eq(pts_coco_add_image(coco, (int64_t)read_size(file), NULL), PTS_OK);
    for (size_t i = 0; i < categories; i++)
        ck_assert_int_eq(pts_coco_add_category(coco, (int64_t)read_size(file), "", NULL), PTS_OK);
    read_objects(file, coco, iou, truths, found);
    return coco;
}

/* pycocotools lists categories by identifier, here they are in order of declaration. */
static double category_by_rank(const pts_coco *coco, const pts_ap *maps, size_t rank)
{
    size_t count = pts_coco_category_count(coco);
    for (size_t i = 0; i < count; i++) {
        size_t smaller = 0;
        for (size_t j = 0; j < count; j++)
            smaller += pts_coco_category_id(coco, j) < pts_coco_category_id(coco, i);
        if (smaller == rank)
            return maps[i].map;
    }
    return NAN;
}

static void same_figures(const pts_coco_figures *f, const double expected[12])
{
    const double got[12] = {f->ap,  f->ap50, f->ap75,  f->ap_small, f->ap_medium, f->ap_large,
                            f->ar1, f->ar10, f->ar100, f->ar_small, f->ar_medium, f->ar_large};
    for (size_t i = 0; i < 12; i++)
        ck_assert_msg(got[i] == expected[i], "figure %zu: expected %.17g, got %.17g", i,
                      expected[i], got[i]);
}

static void check_problem(FILE *file, pts_iou_kind iou)
{
    pts_coco *coco = read_problem(file, iou);
    pts_coco_figures figures;
    pts_ap maps[8], map;
    double expected[12];
    for (size_t i = 0; i < 12; i++)
        expected[i] = read_number(file);
    ck_assert_int_eq(pts_coco_evaluate(coco, NULL, NULL, &figures, maps, NULL), PTS_OK);
    same_figures(&figures, expected);
    for (size_t i = 0; i < pts_coco_category_count(coco); i++)
        ck_assert_double_eq(category_by_rank(coco, maps, i), read_number(file));
    ck_assert_int_eq(pts_coco_evaluate_ultralytics(coco, PTS_AP_ULTRALYTICS, &map, maps, NULL),
                     PTS_OK);
    ck_assert_double_eq(map.map, read_number(file));
    ck_assert_double_eq(map.map50, read_number(file));
    ck_assert_double_eq(map.map75, read_number(file));
    pts_coco_destroy(coco);
}

START_TEST(random_evaluations_are_bit_equal)
{
    FILE *file = open_golden("coco/problems.txt");
    char kind[8];
    size_t seen = 0;
    for (; fscanf(file, "%7s", kind) == 1; seen++)
        check_problem(file, strcmp(kind, "segm") == 0 ? PTS_IOU_MASK : PTS_IOU_BOX);
    ck_assert_uint_eq(seen, 20);
    fclose(file);
}
END_TEST

#ifdef PTS_HAVE_JSON
/* ---- COCO's files ---- */

static pts_status load(pts_coco **coco, const char *truth, const char *results, pts_iou_kind iou,
                       pts_error *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", test_data(truth));
    return pts_coco_load(coco, path, test_data(results), iou, NULL, err);
}

static void check_file(const char *results, pts_iou_kind iou, const double expected[12])
{
    pts_error err = {""};
    pts_coco *coco;
    pts_coco_figures figures;
    pts_status status = load(&coco, "coco/instances_val2014_100.json", results, iou, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert_uint_eq(pts_coco_category_count(coco), 80);
    ck_assert_str_eq(pts_coco_category_name(coco, 0), "person");
    ck_assert_int_eq(pts_coco_evaluate(coco, NULL, NULL, &figures, NULL, NULL), PTS_OK);
    same_figures(&figures, expected);
    pts_coco_destroy(coco);
}

START_TEST(published_results_give_the_published_figures)
{
    const double segm[12] = {0.3195452758576433, 0.5622883972521636,  0.29892653412086784,
                             0.3873740315997837, 0.31018272403369485, 0.3269339071005138,
                             0.2682297225711534, 0.41544868114906375, 0.4168394992198818,
                             0.4694498622754236, 0.37675922666197265, 0.3814715099715099};
    const double bbox[12] = {0.5045806987249628,  0.6969727247299577, 0.5729816669904824,
                             0.5856257209410443,  0.5193996948036719, 0.5013978986347466,
                             0.38681277964578054, 0.5936795762842003, 0.595352982877607,
                             0.6398109626113442,  0.5664205978994309, 0.5642905982905982};
    check_file("coco/fakesegm100_results.json", PTS_IOU_MASK, segm);
    check_file("coco/fakebbox100_results.json", PTS_IOU_BOX, bbox);
}
END_TEST

static void run_map(const char *options, int code)
{
    char gt[4096];
    snprintf(gt, sizeof gt, "%s", test_data("coco/instances_val2014_100.json"));
    ck_assert_int_eq(run_program("ptstrain map --gt '%s' --results '%s' %s", gt,
                                 test_data("coco/fakesegm100_results.json"), options),
                     code);
}

START_TEST(the_command_prints_the_figures)
{
    run_map("--threads 1 --json", 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "0.3195452758576433"));
    char *alone = strdup(ran.out);
    run_map("--threads 3 --json", 0);
    ck_assert_str_eq(ran.out, alone);
    free(alone);
    run_map("--times", 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "| area= small | maxDets=100 ] = 0.387\n"));
    ck_assert_ptr_nonnull(strstr(ran.out, " read in "));
    run_map("--ap ultralytics-2026 --json", 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"ultralytics-2026\""));
    run_map("--ap yolo", 2);
    ck_assert_str_eq(ran.err,
                     "ptstrain map: --ap: expected coco, ultralytics or ultralytics-2026, got "
                     "'yolo'\n");
}
END_TEST

static const char *written(const char *name, const char *text, size_t length)
{
    static char paths[2][96];
    char *path = paths[name[0] == 'r'];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    unlink(path); /* cutting a file to nothing makes some file systems wait for the disk */
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    fclose(file);
    return path;
}

static pts_status load_texts(const char *truth, const char *results, pts_iou_kind iou,
                             pts_coco_figures *figures, pts_error *err)
{
    pts_coco *coco;
    const char *truth_path = written("gt", truth, strlen(truth));
    const char *results_path = written("results", results, strlen(results));
    pts_status status = pts_coco_load(&coco, truth_path, results_path, iou, NULL, err);
    if (status != PTS_OK) {
        ck_assert_ptr_null(coco);
        return status;
    }
    ck_assert_int_eq(pts_coco_evaluate(coco, NULL, NULL, figures, NULL, err), PTS_OK);
    pts_coco_destroy(coco);
    return status;
}

#define HEAD "{\"images\":[{\"id\":1,\"height\":4,\"width\":6}],\"categories\":[{\"id\":7}],"
#define PLACE "\"image_id\":1,\"category_id\":7,"
#define SQUARE "[[0,0,4,0,4,4,0,4]]"
#define TRUTH(fields) HEAD "\"annotations\":[{\"id\":5," fields "}]}"
#define GOOD_TRUTH TRUTH(PLACE "\"area\":16,\"bbox\":[0,0,4,4],\"segmentation\":" SQUARE)
#define RESULT(fields) "[{" PLACE "\"score\":0.5," fields "}]"

START_TEST(every_form_of_a_segmentation_is_read)
{
    static const char *const results[] = {
        RESULT("\"segmentation\":" SQUARE),
        RESULT("\"segmentation\":{\"size\":[4,6],\"counts\":[0,16,8]}"),
        RESULT("\"segmentation\":{\"size\":[4,6],\"counts\":\"0`08\"}"),
        RESULT("\"bbox\":[0,0,4,4]"),
        RESULT("\"bbox\":[0,0,4,4],\"segmentation\":" SQUARE),
    };
    make_folder();
    for (size_t i = 0; i < 2 * sizeof results / sizeof *results; i++) {
        pts_error err = {""};
        pts_coco_figures f;
        ck_assert_msg(load_texts(GOOD_TRUTH, results[i / 2], (int)i % 2, &f, &err) == PTS_OK,
                      "%zu: %s", i, err.message);
        ck_assert_double_eq_tol(f.ap, 1, 1e-15);
    }
    remove_folder();
}
END_TEST

static void refuse(const char *truth, const char *results, pts_iou_kind iou, pts_status status,
                   const char *message)
{
    pts_error err = {""};
    pts_coco_figures f;
    ck_assert_int_eq(load_texts(truth, results, iou, &f, &err), status);
    ck_assert_str_eq(strrchr(err.message, '/') + 1, message);
}

START_TEST(broken_truths_are_refused)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[]", "gt: expected an object with annotations, got a list"},
        {"{}", "gt: images: expected a list, got nothing"},
        {"{\"images\":[],\"categories\":[]}", "gt: annotations: expected a list, got nothing"},
        {"{\"images\":[3],\"categories\":[]}", "gt: images[0]: expected an object, got an integer"},
        {"{\"images\":[{\"id\":1}]}",
         "gt: images[0] (id 1): height: expected an integer, got nothing"},
        {"{\"images\":[{\"id\":1,\"height\":0,\"width\":2}]}",
         "gt: images[0] (id 1): size: expected 1 … 1073741824 pixels, got 0 x 2"},
        {HEAD "\"annotations\":[{\"id\":5," PLACE "\"area\":1,\"segmentation\":" SQUARE
              "},{\"id\":5}]}",
         "gt: annotations[1] (id 5): id: expected identifiers that differ, got 5 twice"},
        {HEAD "\"annotations\":[{}]}", "gt: annotations[0]: id: expected an integer, got nothing"},
        {TRUTH("\"image_id\":2,\"category_id\":7"),
         "gt: annotations[0] (id 5): image_id: expected one of the 1 images, got 2"},
        {TRUTH("\"image_id\":1,\"category_id\":8"),
         "gt: annotations[0] (id 5): category_id: expected one of the 1 categories, got 8"},
        {TRUTH("\"image_id\":1.5"),
         "gt: annotations[0] (id 5): image_id: expected an integer, got a number with a fraction"},
        {TRUTH(PLACE "\"area\":\"1\""),
         "gt: annotations[0] (id 5): area: expected a number, got a string"},
        {TRUTH(PLACE "\"area\":-1,\"segmentation\":" SQUARE),
         "gt: annotations[0] (id 5): area: expected a finite number of at least 0, got -1"},
        {TRUTH(PLACE "\"area\":1,\"iscrowd\":2"),
         "gt: annotations[0] (id 5): iscrowd: expected 0 or 1, got another integer"},
        {TRUTH(PLACE "\"area\":1"),
         "gt: annotations[0] (id 5): segmentation: expected polygons or run lengths, got nothing"},
        {TRUTH(PLACE "\"area\":1,\"segmentation\":[]"),
         "gt: annotations[0] (id 5): segmentation: expected at least 1 polygon, got none"},
        {TRUTH(PLACE "\"area\":1,\"segmentation\":[[0,0,1,1,2,2],[0,0,1,1,2,2,3]]"),
         "gt: annotations[0] (id 5): segmentation[1]: expected an even count of at least 6 "
         "numbers, "
         "got 7"},
        {TRUTH(PLACE "\"area\":1,\"segmentation\":[[0,0,1,null,2,2]]"),
         "gt: annotations[0] (id 5): segmentation[0][3]: expected a number, got null"},
        {TRUTH(PLACE "\"area\":1,\"segmentation\":[[0,0,1,1e300,2,2]]"),
         "gt: annotations[0] (id 5): polygon: point 1: expected a coordinate within ±1e+06, got "
         "1e+300"},
        {TRUTH(PLACE "\"area\":1,\"segmentation\":{\"size\":[6,4],\"counts\":[24]}"),
         "gt: annotations[0] (id 5): segmentation: size: expected the image's 4 x 6, got 6 x 4"},
        {TRUTH(PLACE "\"area\":1,\"segmentation\":{\"size\":[4,6],\"counts\":[25]}"),
         "gt: annotations[0] (id 5): mask: expected counts that add up to 4 x 6 = 24 pixels, got "
         "25"},
        {TRUTH(PLACE "\"area\":1,\"segmentation\":{\"size\":[4,6],\"counts\":[-1,25]}"),
         "gt: annotations[0] (id 5): counts[0]: expected an integer of 0 … 1073741824, got one "
         "outside"},
        {TRUTH(PLACE "\"area\":1,\"segmentation\":{\"size\":[4,6],\"counts\":3}"),
         "gt: annotations[0] (id 5): segmentation: counts: expected a list or a string, got an "
         "integer"},
        {"{\"images\":\n[NaN]}", "gt: line 2: expected JSON, got: invalid token near 'NaN'"},
        {"", "gt: line 1: expected JSON, got: unexpected token near end of file"},
        {"{\"images\":[],\"images\":[]}",
         "gt: line 1: expected JSON, got: duplicate object key near '\"images\"'"},
        {"{\"info\":{\"a\":}}", "gt: line 1: expected JSON, got: unexpected token near '}'"},
        {"{\"images\":[]", "gt: line 1: expected JSON, got: '}' expected near end of file"},
        {"{\"images\":[]}\n\n]", "gt: line 3: expected JSON, got: end of file expected near ']'"},
        {"{\"images\":{}}", "gt: images: expected a list, got an object"},
        {"{\"images\":[1e999]}",
         "gt: line 1: expected JSON, got: real number overflow near '1e999'"},
    };
    make_folder();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pts_status status = strstr(cases[i].message, "the image's") ? PTS_ERR_SHAPE
                            : strstr(cases[i].message, "1e+06")     ? PTS_ERR_LIMIT
                            : strstr(cases[i].message, "1 … 107")   ? PTS_ERR_LIMIT
                            : strstr(cases[i].message, "finite")    ? PTS_ERR_NUMERIC
                                                                    : PTS_ERR_FORMAT;
        refuse(cases[i].text, "[]", PTS_IOU_MASK, status, cases[i].message);
    }
    remove_folder();
}
END_TEST

START_TEST(broken_results_are_refused)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{}", "results: results: expected a list, got an object"},
        {"[{}]", "results: results[0]: image_id: expected an integer, got nothing"},
        {"[{" PLACE "\"bbox\":[0,0,1,1]}]",
         "results: results[0]: score: expected a number, got nothing"},
        {RESULT("\"bbox\":[0,0,1]"), "results: results[0]: bbox: expected 4 numbers, got 3"},
        {RESULT("\"bbox\":[0,0,1,\"x\"]"),
         "results: results[0]: bbox[3]: expected a number, got a string"},
        {RESULT("\"bbox\":[0,0,-1,1]"),
         "results: results[0]: bbox[2]: expected a size of at least 0, got -1"},
        {"[{" PLACE "\"score\":1,\"bbox\":[0,0,1,1]},{" PLACE "\"score\":1}]",
         "results: results[1]: bbox: expected a list of 4 numbers, got nothing"},
        {RESULT("\"segmentation\":{\"size\":[4,6],\"counts\":\"0\"}"),
         "results: results[0]: mask: expected counts that add up to 4 x 6 = 24 pixels, got 0"},
    };
    make_folder();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(GOOD_TRUTH, cases[i].text, PTS_IOU_BOX, PTS_ERR_FORMAT, cases[i].message);
    remove_folder();
}
END_TEST

START_TEST(no_results_score_nothing)
{
    pts_coco_figures f;
    make_folder();
    ck_assert_int_eq(load_texts(GOOD_TRUTH, "[]", PTS_IOU_MASK, &f, NULL), PTS_OK);
    ck_assert(f.ap == 0 && f.ar100 == 0 && f.ap_small == 0 && f.ap_large == -1);
    remove_folder();
}
END_TEST

/* A list of many results, in which entry `bad` (none: SIZE_MAX) is `text` instead. */
static char *many_results(size_t count, size_t bad, const char *text)
{
    static const char good[] = PLACE "\"score\":0.5,\n\"note\":\"a \\\"}] [{\",\"bbox\":[0,0,4,4]";
    char *all = malloc(count * (sizeof good + 4) + strlen(text) + 4), *end = all;
    for (size_t i = 0; i < count; i++)
        end += i == bad ? sprintf(end, "%c%s", i ? ',' : '[', text)
                        : sprintf(end, "%c{%s}", i ? ',' : '[', good);
    strcpy(end, "]\n");
    return all;
}

/* The first broken entry is the one that is named, with any number of threads. */
START_TEST(threads_read_what_one_reads)
{
    static const struct {
        size_t bad;
        const char *text, *message;
    } cases[] = {
        {SIZE_MAX, "", NULL},
        {777, "7", "results: results[777]: expected an object, got an integer"},
        {499, "{\"score\":tru}", "results: line 500: expected JSON, got: invalid token near 'tru'"},
        {64, "{" PLACE "\"score\":1}",
         "results: results[64]: bbox: expected a list of 4 numbers, got nothing"},
        {0, "{" PLACE "\"score\":1}",
         "results: results[0]: segmentation: expected polygons or run lengths, got nothing"},
        {998, "{" PLACE "\"bbox\":[}",
         "results: line 999: expected JSON, got: unexpected token near '}'"},
        {998, "}", "results: line 999: expected JSON, got: unexpected token near '}'"},
        {5, "{\"a\":1,\"a\":2}",
         "results: line 6: expected JSON, got: duplicate object key near '\"a\"'"},
    };
    pts_team *team;
    make_folder();
    ck_assert_int_eq(pts_team_create(&team, 4, NULL), PTS_OK);
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        char *text = many_results(1000, cases[i / 2].bad, cases[i / 2].text), gt[64];
        snprintf(gt, sizeof gt, "%s", written("gt", GOOD_TRUTH, strlen(GOOD_TRUTH)));
        pts_coco *coco;
        pts_error err = {""};
        pts_status status = pts_coco_load(&coco, gt, written("results", text, strlen(text)),
                                          PTS_IOU_BOX, i % 2 ? team : NULL, &err);
        if (!cases[i / 2].message)
            ck_assert_msg(status == PTS_OK, "%s", err.message);
        else
            ck_assert_str_eq(strrchr(err.message, '/') + 1, cases[i / 2].message);
        pts_coco_destroy(coco);
        free(text);
    }
    pts_team_destroy(team);
    remove_folder();
}
END_TEST

/* One to four seeded changes: a byte, a cut, or a piece of the text put elsewhere. */
static size_t mutate(char *text, size_t length, uint64_t *state)
{
    for (unsigned changes = 4; changes--;) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(*state >> 33) % length, from = (size_t)(*state >> 20) % length;
        switch (*state >> 60) {
        case 0:
            return at + 1;
        case 1:
        case 2:
        case 3:
            text[at] = "0123456789-[]{},.e\"o"[from % 20];
            break;
        case 4:
        case 5:
            memmove(text + at, text + from,
                    length - (at > from ? at : from) < 12 ? length - (at > from ? at : from) : 12);
            break;
        case 6:
            text[at] = (char)from;
            break;
        default:
            break;
        }
    }
    return length;
}

START_TEST(hostile_files_do_no_harm)
{
    static const char results[] = RESULT("\"segmentation\":{\"size\":[4,6],\"counts\":\"0`08\"}");
    static const char truth[] = GOOD_TRUTH;
    uint64_t state = 20;
    size_t taken = 0;
    make_folder();
    for (size_t round = 0; round < 6000; round++) {
        char a[sizeof truth], b[sizeof results], truth_path[64];
        memcpy(a, truth, sizeof a);
        memcpy(b, results, sizeof b);
        size_t na = round % 2 ? mutate(a, sizeof a - 1, &state) : sizeof a - 1;
        size_t nb = round % 2 ? sizeof b - 1 : mutate(b, sizeof b - 1, &state);
        snprintf(truth_path, sizeof truth_path, "%s", written("gt", a, na));
        pts_coco *coco;
        pts_error err = {""};
        pts_coco_figures f;
        pts_status status =
            pts_coco_load(&coco, truth_path, written("results", b, nb), round / 2 % 2, NULL, &err);
        ck_assert(status == PTS_OK || (err.message[0] && !strchr(err.message, '\n')));
        if (status == PTS_OK)
            ck_assert_int_eq(pts_coco_evaluate(coco, NULL, NULL, &f, NULL, NULL), PTS_OK);
        taken += status == PTS_OK;
        pts_coco_destroy(coco);
    }
    ck_assert_uint_gt(taken, 500);
    ck_assert_uint_lt(taken, 5000);
    remove_folder();
}
END_TEST

#define FILE_CASES                                                                                 \
    , published_results_give_the_published_figures, the_command_prints_the_figures,                \
        every_form_of_a_segmentation_is_read, broken_truths_are_refused,                           \
        broken_results_are_refused, no_results_score_nothing, threads_read_what_one_reads,         \
        hostile_files_do_no_harm
#else
#define FILE_CASES
#endif

CHECK_SUITE("coco", polygons_are_bit_equal, unions_and_overlaps_are_bit_equal,
            random_evaluations_are_bit_equal FILE_CASES)
