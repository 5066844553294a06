/* Random evaluations against pycocotools' and Ultralytics' own code. tests/data/coco/make_cases.py
 * draws the same cases from the same generator and wrote down the figures (README.md there). */
#include "check_main.h"

#include "pts/metrics.h"

#include <string.h>

enum { COCO_CASES = 1000, ULTRALYTICS_CASES = 400, MOST = 512, SIDE = 130 };
static const int sides[] = {24, 60, SIDE};

static uint64_t state;

/* splitmix64. */
static int below(int count)
{
    state += 0x9E3779B97F4A7C15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (int)(((z ^ (z >> 31)) >> 11) % (uint64_t)count);
}

/* Left, top, width and height in quarters of a pixel. */
typedef struct shape {
    int kind, left, top, width, height;
} shape;

typedef struct object {
    int image, category; /* identifiers */
    shape shape;
    double area, score;
    int crowd;
} object;

typedef struct random_case {
    int boxes, side, images, categories, truth_count, found_count;
    object truths[MOST], found[MOST];
} random_case;

static int image_id(int k)
{
    return (k * 37 + 11) % 101 + 1;
}

static int category_id(int k)
{
    return (k * 53 + 5) % 97 + 1;
}

static shape draw_shape(int side)
{
    shape s = {.kind = below(12)};
    s.width = 1 + below(2 * side);
    s.height = 1 + below(2 * side);
    s.left = below(4 * side - s.width);
    s.top = below(4 * side - s.height);
    if (s.kind == 11)
        s.width = s.height = 0;
    return s;
}

static int clamp(int value, int most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

static shape moved_shape(shape s, int side)
{
    int most = (const int[]){0, 3, 9, 33}[below(4)], shift[4];
    for (int i = 0; i < 4; i++)
        shift[i] = below(2 * most + 1) - most;
    s.left = clamp(s.left + shift[0], 4 * side);
    s.top = clamp(s.top + shift[1], 4 * side);
    s.width = clamp(s.width + shift[2], 4 * side - s.left);
    s.height = clamp(s.height + shift[3], 4 * side - s.top);
    return s;
}

static int is_on(const shape *s, int x, int y)
{
    int64_t u = 8 * x + 4 - 2 * s->left - s->width, v = 8 * y + 4 - 2 * s->top - s->height;
    int64_t w = s->width, h = s->height;
    int on =
        s->kind < 4 ? llabs(u) < w && llabs(v) < h : u * u * h * h + v * v * w * w < w * w * h * h;
    return on && (s->kind < 8 || (x * 7 + y * 13) % 11 != 0);
}

static pts_rle *mask_of(const shape *s, int side)
{
    static uint8_t pixels[SIDE * SIDE];
    pts_rle *mask;
    for (int i = 0; i < side * side; i++)
        pixels[i] = (uint8_t)is_on(s, i % side, i / side);
    ck_assert_int_eq(pts_rle_from_bitmap(&mask, pixels, (size_t)side, (size_t)side, NULL), PTS_OK);
    return mask;
}

static double draw_area(double true_area)
{
    int kind = below(8);
    if (kind < 4)
        return true_area;
    return (const double[]){below(20000) / 2.0, 1024, 9216, 0}[kind - 4];
}

static double true_area(const random_case *c, const shape *s)
{
    if (c->boxes)
        return s->width * s->height / 16.0;
    pts_rle *mask = mask_of(s, c->side);
    double area = (double)pts_rle_area(mask);
    pts_rle_destroy(mask);
    return area;
}

static void draw_truths(random_case *c, int image, int category)
{
    for (int count = below(3) ? below(6) : 0; count > 0; count--) {
        object *o = &c->truths[c->truth_count++];
        *o = (object){.image = image, .category = category, .shape = draw_shape(c->side)};
        o->area = draw_area(true_area(c, &o->shape));
        o->crowd = below(6) == 0;
    }
}

static void draw_detection(random_case *c, int serial, int crowded, int levels, int distinct)
{
    const object *source = c->truth_count && below(4) ? &c->truths[below(c->truth_count)] : NULL;
    object *o = &c->found[c->found_count++];
    o->image = source ? source->image : image_id(below(c->images));
    o->category = source && below(8) ? source->category : category_id(below(c->categories));
    if (crowded && below(16)) {
        o->image = image_id(0);
        o->category = category_id(0);
    }
    o->shape = source ? moved_shape(source->shape, c->side) : draw_shape(c->side);
    o->score =
        distinct ? (below(16384) * 1024 + serial) / 16777216.0 : (1 + below(levels)) / 4096.0;
}

/* draw_case of the script. */
static void draw_case(random_case *c, int number, int distinct)
{
    state = (uint64_t)number * 1000003 + 17;
    memset(c, 0, sizeof *c);
    c->side = sides[below(3)];
    c->boxes = number % 2;
    c->images = 1 + below(5);
    c->categories = 1 + below(4);
    int crowded = below(20) == 0, levels = (const int[]){3, 12, 4096}[below(3)];
    for (int i = 0; i < c->images; i++) {
        for (int k = 0; k < c->categories; k++)
            draw_truths(c, image_id(i), category_id(k));
    }
    int wanted = crowded ? 110 + below(40) : below(40);
    for (int serial = 0; serial < wanted; serial++)
        draw_detection(c, serial, crowded, levels, distinct);
}

static pts_coco_object describe(const random_case *c, const object *o, int is_truth)
{
    pts_coco_object all = {.image = o->image,
                           .category = o->category,
                           .score = o->score,
                           .crowd = o->crowd,
                           .area = is_truth ? o->area : true_area(c, &o->shape)};
    const shape *s = &o->shape;
    const double box[4] = {s->left / 4.0, s->top / 4.0, s->width / 4.0, s->height / 4.0};
    memcpy(all.box, box, sizeof box);
    all.mask = c->boxes ? NULL : mask_of(s, c->side);
    return all;
}

static pts_coco *make_coco(const random_case *c)
{
    pts_coco *coco;
    pts_iou_kind iou = c->boxes ? PTS_IOU_BOX : PTS_IOU_MASK;
    ck_assert_int_eq(pts_coco_create(&coco, iou, NULL), PTS_OK);
    for (int i = 0; i < c->images; i++)
        ck_assert_int_eq(pts_coco_add_image(coco, image_id(i), NULL), PTS_OK);
    for (int i = 0; i < c->categories; i++)
        ck_assert_int_eq(pts_coco_add_category(coco, category_id(i), "", NULL), PTS_OK);
    for (int i = 0; i < c->truth_count; i++) {
        pts_coco_object truth = describe(c, &c->truths[i], 1);
        ck_assert_int_eq(pts_coco_add_truth(coco, &truth, NULL), PTS_OK);
    }
    for (int i = 0; i < c->found_count; i++) {
        pts_coco_object found = describe(c, &c->found[i], 0);
        ck_assert_int_eq(pts_coco_add_detection(coco, &found, NULL), PTS_OK);
    }
    return coco;
}

static void near_line(FILE *file, int number, const double *got, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double expected = 0;
        ck_assert_int_eq(fscanf(file, "%lf", &expected), 1);
        ck_assert_msg(got[i] - expected < 1e-9 && expected - got[i] < 1e-9,
                      "case %d, figure %zu: expected %.12f, got %.12f", number, i, expected,
                      got[i]);
    }
}

static FILE *open_figures(const char *name)
{
    FILE *file = fopen(test_data(name), "r");
    ck_assert_msg(file != NULL, "%s", test_data(name));
    return file;
}

START_TEST(a_thousand_cases_agree_with_pycocotools)
{
    static random_case c;
    FILE *file = open_figures("coco/cases_coco.txt");
    pts_team *team;
    ck_assert_int_eq(pts_team_create(&team, 3, NULL), PTS_OK);
    for (int number = 0; number < COCO_CASES; number++) {
        pts_coco_figures f, again;
        draw_case(&c, number, 0);
        pts_coco *coco = make_coco(&c);
        ck_assert_int_eq(pts_coco_evaluate(coco, NULL, NULL, &f, NULL, NULL), PTS_OK);
        const double got[12] = {f.ap,  f.ap50, f.ap75,  f.ap_small, f.ap_medium, f.ap_large,
                                f.ar1, f.ar10, f.ar100, f.ar_small, f.ar_medium, f.ar_large};
        near_line(file, number, got, 12);
        ck_assert_int_eq(pts_coco_evaluate(coco, NULL, team, &again, NULL, NULL), PTS_OK);
        ck_assert_mem_eq(&f, &again, sizeof f);
        pts_coco_destroy(coco);
    }
    pts_team_destroy(team);
    fclose(file);
}
END_TEST

static void compare_with_ultralytics(const char *name, pts_ap_kind kind)
{
    static random_case c;
    FILE *file = open_figures(name);
    for (int i = 0; i < ULTRALYTICS_CASES; i++) {
        pts_ap map;
        draw_case(&c, COCO_CASES + i, 1);
        pts_coco *coco = make_coco(&c);
        ck_assert_int_eq(pts_coco_evaluate_ultralytics(coco, kind, &map, NULL, NULL), PTS_OK);
        near_line(file, COCO_CASES + i, (const double[]){map.map, map.map50, map.map75}, 3);
        pts_coco_destroy(coco);
    }
    fclose(file);
}

START_TEST(random_cases_agree_with_ultralytics)
{
    compare_with_ultralytics("coco/cases_ultralytics-8.3.240.txt", PTS_AP_ULTRALYTICS);
    compare_with_ultralytics("coco/cases_ultralytics-8.4.190.txt", PTS_AP_ULTRALYTICS_2026);
}
END_TEST

CHECK_SUITE("coco_cases", a_thousand_cases_agree_with_pycocotools,
            random_cases_agree_with_ultralytics)
