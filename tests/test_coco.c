/* Masks and AP against pycocotools' numbers: tests/data/coco (README.md there has the recipe). */
#include "check_main.h"

#include "pts/metrics.h"

#include <math.h>
#include <string.h>

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
static double category_by_rank(const pts_coco *coco, const pts_map *maps, size_t rank)
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
    pts_map maps[8], map;
    double expected[12];
    for (size_t i = 0; i < 12; i++)
        expected[i] = read_number(file);
    ck_assert_int_eq(pts_coco_evaluate(coco, NULL, &figures, maps, NULL), PTS_OK);
    same_figures(&figures, expected);
    for (size_t i = 0; i < pts_coco_category_count(coco); i++)
        ck_assert_double_eq(category_by_rank(coco, maps, i), read_number(file));
    ck_assert_int_eq(pts_coco_evaluate_ultralytics(coco, &map, maps, NULL), PTS_OK);
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

CHECK_SUITE("coco", polygons_are_bit_equal, unions_and_overlaps_are_bit_equal,
            random_evaluations_are_bit_equal)
