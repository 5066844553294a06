/* Masks and mAP: closed forms, round trips, rejected input, hostile input. */
#include "check_main.h"

#include "pts/metrics.h"

#include <math.h>
#include <string.h>

static uint64_t random_state = 20;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % limit);
}

static pts_rle *mask_of(const uint8_t *bitmap, size_t height, size_t width)
{
    pts_rle *mask;
    ck_assert_int_eq(pts_rle_from_bitmap(&mask, bitmap, height, width, NULL), PTS_OK);
    return mask;
}

/* A mask of 20 x 30 with the pixels of a box on. */
static pts_rle *box_mask(size_t left, size_t top, size_t width, size_t height)
{
    uint8_t bitmap[20 * 30] = {0};
    for (size_t y = top; y < top + height; y++)
        memset(bitmap + y * 30 + left, 255, width);
    return mask_of(bitmap, 20, 30);
}

START_TEST(runs_go_down_the_columns)
{
    const uint8_t bitmap[2 * 3] = {0, 1, 1, 0, 0, 9};
    pts_rle *mask = mask_of(bitmap, 2, 3);
    size_t runs;
    const uint32_t *counts = pts_rle_counts(mask, &runs), expected[] = {2, 1, 1, 2};
    ck_assert_uint_eq(runs, 4);
    ck_assert_mem_eq(counts, expected, sizeof expected);
    double box[4];
    pts_rle_box(mask, box);
    ck_assert(box[0] == 1 && box[1] == 0 && box[2] == 2 && box[3] == 2);
    ck_assert_uint_eq(pts_rle_area(mask), 3);
    uint8_t back[6];
    pts_rle_to_bitmap(mask, back);
    ck_assert_mem_eq(back, ((uint8_t[]){0, 1, 1, 0, 0, 1}), 6);
    pts_rle_destroy(mask);
}
END_TEST

/* bitmap → runs → string → runs → bitmap, and overlap and union against counting pixels. */
static void check_random_pair(size_t height, size_t width, uint32_t density)
{
    uint8_t a[40 * 40], b[40 * 40], back[40 * 40];
    uint32_t common = 0, all = 0, on = 0;
    for (size_t i = 0; i < height * width; i++) {
        a[i] = random_below(100) < density;
        b[i] = random_below(100) < 30;
        common += a[i] && b[i];
        all += a[i] || b[i];
        on += a[i];
    }
    pts_rle *masks[2] = {mask_of(a, height, width), mask_of(b, height, width)}, *again, *merged;
    char *text;
    ck_assert_int_eq(pts_rle_to_string(masks[0], &text, NULL), PTS_OK);
    ck_assert_int_eq(pts_rle_from_string(&again, text, strlen(text), height, width, NULL), PTS_OK);
    pts_rle_to_bitmap(again, back);
    ck_assert_mem_eq(back, a, height * width);
    ck_assert_int_eq(pts_rle_merge(&merged, masks, 2, 0, NULL), PTS_OK);
    ck_assert_uint_eq(pts_rle_area(merged), all);
    ck_assert_double_eq(pts_rle_iou(masks[0], masks[1], 0), all ? (double)common / all : 0);
    ck_assert_double_eq(pts_rle_iou(masks[0], masks[1], 1), on ? (double)common / on : 0);
    free(text);
    for (size_t i = 0; i < 2; i++)
        pts_rle_destroy(masks[i]);
    pts_rle_destroy(again);
    pts_rle_destroy(merged);
}

START_TEST(masks_survive_every_form)
{
    for (size_t i = 0; i < 400; i++)
        check_random_pair(1 + random_below(40), 1 + random_below(40), random_below(101));
}
END_TEST

static void refuse_string(const char *text, const char *message)
{
    pts_error err;
    pts_rle *mask;
    ck_assert_int_eq(pts_rle_from_string(&mask, text, strlen(text), 2, 3, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message, message);
    ck_assert_ptr_null(mask);
}

START_TEST(broken_strings_are_refused)
{
    refuse_string("", "mask: expected counts that add up to 2 x 3 = 6 pixels, got 0");
    refuse_string("23", "mask: expected counts that add up to 2 x 3 = 6 pixels, got 5");
    refuse_string("2 4", "mask: expected '0' … 'o' at character 1 of the counts, got byte 32");
    refuse_string("2\xff", "mask: expected '0' … 'o' at character 1 of the counts, got byte 255");
    refuse_string("2Q", "mask: expected more after character 2 of the counts, got the end");
    refuse_string("2ooooooooo",
                  "mask: expected a count of at most 7 characters, got more before character 8");
    refuse_string("O", "mask: run 0: expected a length of 0 … 1073741824, got -1");
    refuse_string("ooooooO", "mask: run 0: expected a length of 0 … 1073741824, got -1");
    refuse_string("PPPPPP2", "mask: run 0: expected a length of 0 … 1073741824, got 2147483648");
}
END_TEST

/* Whatever the characters: no crash under the sanitizers, and what is taken is whole. */
START_TEST(hostile_strings_do_no_harm)
{
    size_t taken = 0;
    for (size_t round = 0; round < 200000; round++) {
        char text[24];
        size_t length = random_below(sizeof text);
        for (size_t i = 0; i < length; i++)
            text[i] = (char)(random_below(8) ? '0' + random_below(round % 2 ? 64 : 8)
                                             : random_below(256));
        pts_rle *mask;
        if (pts_rle_from_string(&mask, text, length, 3, 5, NULL) != PTS_OK) {
            ck_assert_ptr_null(mask);
            continue;
        }
        uint8_t bitmap[15];
        size_t on = 0;
        pts_rle_to_bitmap(mask, bitmap);
        for (size_t i = 0; i < 15; i++)
            on += bitmap[i];
        ck_assert_uint_eq(on, pts_rle_area(mask));
        pts_rle_destroy(mask);
        taken++;
    }
    ck_assert_uint_gt(taken, 300);
}
END_TEST

START_TEST(sizes_are_checked)
{
    pts_error err;
    pts_rle *mask;
    uint32_t one = 1;
    uint8_t pixel = 1;
    ck_assert_int_eq(pts_rle_from_counts(&mask, &one, 1, 0, 3, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "mask: expected a size of at least 1 x 1, got 0 x 3");
    ck_assert_int_eq(pts_rle_from_counts(&mask, &one, 1, SIZE_MAX, 2, &err), PTS_ERR_LIMIT);
    ck_assert_int_eq(pts_rle_from_bitmap(&mask, &pixel, 1u << 20, 1u << 20, &err), PTS_ERR_LIMIT);
    ck_assert_str_eq(err.message,
                     "mask: expected at most 1073741824 pixels, got 1048576 x 1048576");
    ck_assert_ptr_null(mask);
    pts_rle *a = mask_of(&pixel, 1, 1), *b = box_mask(0, 0, 1, 1), *pair[] = {a, b};
    ck_assert_int_eq(pts_rle_merge(&mask, pair, 2, 0, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "mask: expected a size of 1 x 1, got 20 x 30");
    ck_assert_int_eq(pts_rle_merge(&mask, pair, 0, 0, &err), PTS_ERR_ARGUMENT);
    ck_assert_double_eq(pts_rle_iou(a, b, 0), -1);
    pts_rle_destroy(a);
    pts_rle_destroy(b);
}
END_TEST

static void refuse_polygon(const double *xy, size_t points, pts_status status, const char *message)
{
    pts_error err;
    pts_rle *mask;
    uint8_t bitmap[64];
    ck_assert_int_eq(pts_rle_from_polygon(&mask, xy, points, 8, 8, &err), status);
    ck_assert_str_eq(err.message, message);
    ck_assert_ptr_null(mask);
    ck_assert_int_eq(pts_polygon_fill(xy, points, 8, 8, bitmap, &err), status);
    ck_assert_str_eq(err.message, message);
}

START_TEST(broken_polygons_are_refused)
{
    refuse_polygon((double[]){0, 0, 1, 1}, 2, PTS_ERR_FORMAT,
                   "polygon: expected at least 3 points, got 2");
    refuse_polygon((double[]){0, 0, 1, NAN, 2, 2}, 3, PTS_ERR_NUMERIC,
                   "polygon: point 1: expected a finite number, got nan");
    refuse_polygon((double[]){0, 0, 1, 1, -2e6, 2}, 3, PTS_ERR_LIMIT,
                   "polygon: point 2: expected a coordinate within ±1e+06, got -2e+06");
}
END_TEST

/* A zigzag across ± a million pixels would take minutes. */
START_TEST(endless_outlines_are_refused)
{
    static double xy[2 * 1000];
    for (size_t i = 0; i < 1000; i++)
        xy[2 * i] = i % 2 ? 1e6 : -1e6;
    pts_error err;
    pts_rle *mask;
    ck_assert_int_eq(pts_rle_from_polygon(&mask, xy, 1000, 8, 8, &err), PTS_ERR_LIMIT);
    ck_assert_str_eq(err.message, "polygon: expected an outline of at most 5.36871e+07 pixels, got "
                                  "more by point 26");
}
END_TEST

/* Even-odd by a ray upwards; the rasteriser under test walks to the right. */
static int inside(const double *xy, size_t points, double x, double y)
{
    int in = 0;
    for (size_t i = 0; i < points; i++) {
        const double *a = xy + 2 * i, *b = xy + 2 * ((i + 1) % points);
        if ((a[0] > x) != (b[0] > x) && a[1] + (x - a[0]) / (b[0] - a[0]) * (b[1] - a[1]) < y)
            in = !in;
    }
    return in;
}

START_TEST(fill_takes_the_pixels_whose_centre_is_inside)
{
    for (size_t round = 0; round < 300; round++) {
        double xy[2 * 9];
        size_t points = 3 + random_below(7);
        for (size_t i = 0; i < 2 * points; i++)
            xy[i] = random_below(60000) / 1000.0 - 10 + 1e-5; /* never on a centre */
        uint8_t mask[32 * 40] = {0};
        ck_assert_int_eq(pts_polygon_fill(xy, points, 40, 32, mask, NULL), PTS_OK);
        for (size_t y = 0; y < 32; y++) {
            for (size_t x = 0; x < 40; x++)
                ck_assert_int_eq(mask[y * 40 + x],
                                 inside(xy, points, (double)x + .5, (double)y + .5));
        }
    }
}
END_TEST

START_TEST(fill_shares_no_pixel_between_neighbours)
{
    uint8_t left[64] = {0}, right[64] = {0};
    const double a[] = {0, 0, 3.5, 0, 3.5, 8, 0, 8}, b[] = {3.5, 0, 8, 0, 8, 8, 3.5, 8};
    ck_assert_int_eq(pts_polygon_fill(a, 4, 8, 8, left, NULL), PTS_OK);
    ck_assert_int_eq(pts_polygon_fill(b, 4, 8, 8, right, NULL), PTS_OK);
    for (size_t i = 0; i < 64; i++)
        ck_assert_int_eq(left[i] + right[i], 1);
}
END_TEST

/* ---- mAP ---- */

static pts_ap map_of(const pts_image_masks *images, size_t count, pts_ap_kind kind)
{
    pts_ap map;
    ck_assert_int_eq(pts_ap_of_masks(images, count, kind, &map, NULL), PTS_OK);
    return map;
}

/* Two truths, found exactly. Ultralytics' curve falls to 0 within the last of its hundred
 * trapezoids: half of it is lost, hence its well-known 0.995. */
START_TEST(perfect_detections)
{
    pts_rle *masks[] = {box_mask(0, 0, 10, 10), box_mask(15, 2, 10, 10)};
    const double scores[] = {.9, .8};
    pts_image_masks image = {masks, 2, masks, scores, 2};
    pts_ap map = map_of(&image, 1, PTS_AP_COCO);
    ck_assert(map.map == 1 && map.map50 == 1 && map.map75 == 1);
    map = map_of(&image, 1, PTS_AP_ULTRALYTICS);
    ck_assert_double_eq_tol(map.map, .995, 1e-15);
    ck_assert_double_eq_tol(map.map50, .995, 1e-15);
    pts_rle_destroy(masks[0]);
    pts_rle_destroy(masks[1]);
}
END_TEST

/* IoU 80/120 = 2/3: right at .50 … .65, four of ten thresholds. A higher-scored false detection
 * halves the precision: COCO's AP is ½; one of two truths found: 51 of 101 recalls. */
START_TEST(partial_detections)
{
    pts_rle *truths[] = {box_mask(0, 0, 10, 10), box_mask(20, 0, 5, 5)};
    pts_rle *found[] = {box_mask(2, 0, 10, 10), box_mask(14, 14, 3, 3)};
    const double scores[] = {.5, .6};
    pts_image_masks images[2] = {{truths, 1, found, scores, 1}, {truths, 1, found, scores, 2}};
    pts_ap map = map_of(images, 1, PTS_AP_COCO);
    ck_assert_double_eq_tol(map.map, .4, 1e-15);
    ck_assert_double_eq_tol(map.map50, 1, 1e-15);
    ck_assert_double_eq(map.map75, 0);
    map = map_of(images + 1, 1, PTS_AP_COCO);
    ck_assert_double_eq_tol(map.map50, .5, 1e-15);
    images[0].truth_count = 2;
    map = map_of(images, 1, PTS_AP_COCO);
    ck_assert_double_eq_tol(map.map50, 51 / 101., 1e-15);
    for (size_t i = 0; i < 2; i++) {
        pts_rle_destroy(truths[i]);
        pts_rle_destroy(found[i]);
    }
}
END_TEST

START_TEST(nothing_to_find_is_undefined)
{
    pts_rle *mask = box_mask(0, 0, 3, 3);
    const double score = 1;
    pts_image_masks empty = {0}, only_found = {NULL, 0, &mask, &score, 1},
                    only_truth = {&mask, 1, NULL, NULL, 0};
    for (int kind = PTS_AP_COCO; kind <= PTS_AP_ULTRALYTICS; kind++) {
        ck_assert_double_eq(map_of(&empty, 1, kind).map, -1);
        ck_assert_double_eq(map_of(NULL, 0, kind).map, -1);
        ck_assert_double_eq(map_of(&only_found, 1, kind).map50, -1);
        ck_assert_double_eq(map_of(&only_truth, 1, kind).map, 0);
    }
    pts_rle_destroy(mask);
}
END_TEST

START_TEST(broken_images_are_refused)
{
    pts_error err;
    pts_ap map;
    uint8_t pixel = 1;
    pts_rle *masks[] = {box_mask(0, 0, 3, 3), mask_of(&pixel, 1, 1)};
    double score = NAN;
    pts_image_masks image = {masks, 2, NULL, NULL, 0};
    ck_assert_int_eq(pts_ap_of_masks(&image, 1, PTS_AP_COCO, &map, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "image 0: expected masks of 20 x 30, got 1 x 1");
    image = (pts_image_masks){masks, 1, masks, &score, 1};
    ck_assert_int_eq(pts_ap_of_masks(&image, 1, PTS_AP_COCO, &map, &err), PTS_ERR_NUMERIC);
    ck_assert_str_eq(err.message, "image 0: detection 0: expected a finite score, got nan");
    pts_rle_destroy(masks[0]);
    pts_rle_destroy(masks[1]);
}
END_TEST

static pts_coco *one_image(void)
{
    pts_coco *coco;
    ck_assert_int_eq(pts_coco_create(&coco, PTS_IOU_BOX, NULL), PTS_OK);
    ck_assert_int_eq(pts_coco_add_image(coco, 42, NULL), PTS_OK);
    ck_assert_int_eq(pts_coco_add_category(coco, 7, "dog", NULL), PTS_OK);
    return coco;
}

START_TEST(identifiers_are_checked)
{
    pts_error err;
    pts_coco *coco = one_image();
    ck_assert_int_eq(pts_coco_add_image(coco, 42, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message, "images: expected identifiers that differ, got 42 twice");
    ck_assert_int_eq(pts_coco_add_category(coco, 7, "cat", &err), PTS_ERR_FORMAT);
    ck_assert_uint_eq(pts_coco_category_count(coco), 1);
    ck_assert_str_eq(pts_coco_category_name(coco, 0), "dog");
    pts_coco_object o = {.image = 1, .category = 7};
    ck_assert_int_eq(pts_coco_add_truth(coco, &o, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message, "image_id: expected one of the 1 declared, got 1");
    o = (pts_coco_object){.image = 42, .category = 8};
    ck_assert_int_eq(pts_coco_add_detection(coco, &o, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message, "category_id: expected one of the 1 declared, got 8");
    for (int64_t id = 0; id < 5000; id++)
        ck_assert_int_eq(pts_coco_add_image(coco, 1000 + id * 4096, NULL), PTS_OK);
    for (int64_t id = 0; id < 5000; id++)
        ck_assert_int_eq(pts_coco_add_image(coco, 1000 + id * 4096, NULL), PTS_ERR_FORMAT);
    pts_coco_destroy(coco);
}
END_TEST

static void refuse_params(const pts_coco *coco, const pts_coco_params *params, const char *message)
{
    pts_error err;
    pts_coco_figures figures;
    ck_assert_int_eq(pts_coco_evaluate(coco, params, NULL, &figures, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, message);
}

START_TEST(parameters_are_checked)
{
    pts_coco *coco = one_image();
    pts_coco_params p;
    pts_coco_default_params(&p);
    ck_assert(p.threshold_count == 10 && p.thresholds[0] == .5 && p.thresholds[9] == .95);
    p.threshold_count = 33;
    refuse_params(coco, &p, "thresholds: expected 1 … 32, got 33");
    pts_coco_default_params(&p);
    p.thresholds[3] = NAN;
    refuse_params(coco, &p, "thresholds[3]: expected a number in (0, 1], got nan");
    pts_coco_default_params(&p);
    p.max_dets[2] = 5;
    refuse_params(coco, &p, "max_dets[2]: expected at least 10, got 5");
    pts_coco_default_params(&p);
    p.area_ranges[1][0] = 2000;
    refuse_params(coco, &p, "area_ranges[1]: expected a rising pair, got 2000, 1024");
    pts_error err;
    pts_ap map;
    ck_assert_int_eq(pts_coco_evaluate_ultralytics(coco, PTS_AP_COCO, &map, NULL, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "kind: expected one of Ultralytics' (1, 2), got 0");
    pts_coco_destroy(coco);
}
END_TEST

/* IoU of the one pair is ½ exactly: found at .5 (≥, not >), not at .6; and not at all where only
 * the first, wrong detection of the image is looked at. */
START_TEST(parameters_matter)
{
    pts_coco *coco = one_image();
    pts_coco_object truth = {.image = 42, .category = 7, .box = {0, 0, 10, 10}, .area = 100};
    pts_coco_object half = {
        .image = 42, .category = 7, .box = {0, 0, 5, 10}, .area = 50, .score = .5};
    pts_coco_object wrong = {
        .image = 42, .category = 7, .box = {50, 50, 5, 10}, .area = 50, .score = .9};
    ck_assert_int_eq(pts_coco_add_truth(coco, &truth, NULL), PTS_OK);
    ck_assert_int_eq(pts_coco_add_detection(coco, &half, NULL), PTS_OK);
    ck_assert_int_eq(pts_coco_add_detection(coco, &wrong, NULL), PTS_OK);
    pts_coco_params p = {.thresholds = {.5, .6}, .threshold_count = 2, .max_dets = {1, 2, 3}};
    for (size_t i = 0; i < 4; i++)
        p.area_ranges[i][1] = i == 1 ? 99 : 1e10;
    pts_coco_figures f;
    ck_assert_int_eq(pts_coco_evaluate(coco, &p, NULL, &f, NULL, NULL), PTS_OK);
    ck_assert_double_eq_tol(f.ap50, .5, 1e-15);
    ck_assert_double_eq_tol(f.ap, .25, 1e-15);
    ck_assert(f.ap75 == -1 && f.ap_small == -1 && f.ar1 == 0 && f.ar10 == .5 && f.ar100 == .5);
    p.threshold_count = 1;
    p.max_dets[1] = p.max_dets[2] = 1;
    ck_assert_int_eq(pts_coco_evaluate(coco, &p, NULL, &f, NULL, NULL), PTS_OK);
    ck_assert_double_eq(f.ap50, 0);
    pts_coco_destroy(coco);
}
END_TEST

CHECK_SUITE("metrics", runs_go_down_the_columns, masks_survive_every_form,
            broken_strings_are_refused, sizes_are_checked, broken_polygons_are_refused,
            endless_outlines_are_refused, fill_shares_no_pixel_between_neighbours,
            perfect_detections, partial_detections, nothing_to_find_is_undefined,
            broken_images_are_refused, identifiers_are_checked, parameters_are_checked,
            parameters_matter, SLOW, hostile_strings_do_no_harm,
            fill_takes_the_pixels_whose_centre_is_inside)
