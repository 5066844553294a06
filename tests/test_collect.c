/* Collecting: the modes against a trainer whose metrics are written down, jobs through the store,
 * and programs as trainers: this one, called again with a role as its argument. */
#include "run_program.h"
#include "temporary_folder.h"

#include "base/random.h"
#include "collect/measure.h"
#include "collect/resolve.h"
#include "collect/outline.h"
#include "pts/collect.h"

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a trainer from a script ---- */

enum { MOST = 64 };

typedef struct scripted {
    pts_trainer base;
    double test[MOST], validation[MOST]; /* of call 0, 1, … */
    size_t fail_n;                       /* training on so many images fails */
    size_t calls, models;
    size_t from[MOST], count[MOST], n[MOST]; /* what was asked for */
    int start[MOST];                         /* number of the model gone on from, −1: none */
    int prepared;
} scripted;

static pts_status script_prepare(pts_trainer *trainer, const pts_dataset *set,
                                 pts_progress progress, void *user, pts_error *err)
{
    (void)set, (void)progress, (void)user, (void)err;
    ((scripted *)trainer)->prepared++;
    return PTS_OK;
}

static const size_t pool[MOST] = {0};

static pts_status script_train(pts_trainer *trainer, const train_request *r, train_result *result,
                               pts_error *err)
{
    scripted *s = (scripted *)trainer;
    size_t call = s->calls++;
    ck_assert_uint_lt(call, MOST);
    if (r->train.images >= pool && r->train.images < pool + MOST)
        s->from[call] = (size_t)(r->train.images - pool);
    s->count[call] = r->train.count;
    s->n[call] = r->n;
    s->start[call] = r->start ? *(const int *)r->start : -1;
    if (r->train.count == s->fail_n) {
        snprintf(err->message, sizeof err->message, "no luck with %zu", s->fail_n);
        return PTS_ERR_NUMERIC;
    }
    int *model = malloc(sizeof *model);
    *model = (int)call;
    s->models++;
    result->model = model;
    result->test = (pts_ap){s->test[call], 0.9, 0.5};
    result->validation = (pts_ap){s->validation[call], 0, 0};
    result->seconds = 1;
    return PTS_OK;
}

static void script_forget(pts_trainer *trainer, void *model)
{
    ((scripted *)trainer)->models -= model != NULL;
    free(model);
}

static void script_destroy(pts_trainer *trainer)
{
    (void)trainer;
}

static scripted script_make(void)
{
    static char settings[] = "none";
    return (scripted){
        .base = {"script", settings, script_prepare, script_train, script_forget, script_destroy}};
}

/* ---- modes ---- */

static size_t measure(scripted *s, const pts_collect_options *options, const size_t *sizes,
                      size_t count, pts_store_point *points)
{
    size_t measured;
    pts_error err;
    const measure_request request = {
        .train = {.train = {pool, MOST}}, .sizes = sizes, .count = count, .options = options};
    ck_assert_msg(pts_measure_sizes(&s->base, &request, points, &measured, &err) == PTS_OK, "%s",
                  err.message);
    ck_assert_uint_eq(s->models, 0); /* each was given back */
    return measured;
}

START_TEST(incremental_keeps_what_rises_and_retrains_what_does_not)
{
    /* Validation decides: rises at 4, falls at 6 (retrained: call 3), rises at 8, equal at 10. */
    scripted s = script_make();
    const double validation[] = {0.1, 0.2, 0.15, 0.18, 0.3, 0.3, 0.25};
    const double test[] = {0.5, 0.4, 0.3, 0.35, 0.2, 0.1, 0.6};
    memcpy(s.validation, validation, sizeof validation);
    memcpy(s.test, test, sizeof test);
    pts_collect_options options = PTS_COLLECT_DEFAULTS;
    options.mode = PTS_COLLECT_INCREMENTAL;
    const size_t sizes[] = {2, 4, 6, 8, 10};
    pts_store_point points[5];
    ck_assert_uint_eq(measure(&s, &options, sizes, 5, points), 5);
    ck_assert_uint_eq(s.calls, 7);
    const size_t from[] = {0, 2, 4, 0, 6, 8, 0}, counts[] = {2, 2, 2, 6, 2, 2, 10};
    const size_t n[] = {2, 4, 6, 6, 8, 10, 10};
    const int start[] = {-1, 0, 1, -1, 3, 4, -1};
    for (size_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(s.from[i], from[i]);
        ck_assert_uint_eq(s.count[i], counts[i]);
        ck_assert_uint_eq(s.n[i], n[i]);
        ck_assert_int_eq(s.start[i], start[i]);
    }
    const char *const kinds[] = {"green", "green", "blue", "green", "blue"};
    const double maps[] = {0.5, 0.4, 0.35, 0.2, 0.6};
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq(points[i].kind, kinds[i]);
        ck_assert_uint_eq(points[i].n, sizes[i]);
        ck_assert_uint_eq(points[i].step, i);
        ck_assert_double_eq(points[i].map, maps[i]);
    }
    ck_assert_double_eq(points[2].seconds, 2); /* the try and the retraining */
}
END_TEST

START_TEST(the_study_chooses_on_the_test_split)
{
    scripted s = script_make();
    const double test[] = {0.5, 0.6, 0.7};
    memcpy(s.test, test, sizeof test); /* validation stays 0: would never rise */
    pts_collect_options options = PTS_COLLECT_DEFAULTS;
    options.mode = PTS_COLLECT_INCREMENTAL;
    options.select_on_test = 1;
    pts_store_point points[3];
    ck_assert_uint_eq(measure(&s, &options, (const size_t[]){2, 4, 6}, 3, points), 3);
    ck_assert_uint_eq(s.calls, 3);
}
END_TEST

START_TEST(base_trains_on_the_union_and_stops_early)
{
    /* Window 3, threshold 0.1: after 0.1 0.5 0.52 0.53 the sum is 0.03 + 0.01 + 0. */
    scripted s = script_make();
    const double validation[] = {0.1, 0.5, 0.52, 0.53, 0.9};
    memcpy(s.validation, validation, sizeof validation);
    pts_collect_options options = PTS_COLLECT_DEFAULTS;
    options.mode = PTS_COLLECT_BASE;
    options.stop_window = 3;
    options.stop_threshold = 0.1;
    pts_store_point points[5];
    ck_assert_uint_eq(measure(&s, &options, (const size_t[]){2, 4, 6, 8, 10}, 5, points), 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(s.from[i], 0);
        ck_assert_uint_eq(s.count[i], 2 * i + 2);
        ck_assert_int_eq(s.start[i], -1);
    }
}
END_TEST

START_TEST(stop_rule_is_the_sum_of_latest_minus_earlier)
{
    const double rising[] = {0.1, 0.2, 0.3, 0.4}; /* 0.3 + 0.2 + 0.1 + 0 */
    ck_assert(!pts_measure_should_stop(rising, 4, 4, 0.6 - 1e-12));
    ck_assert(pts_measure_should_stop(rising, 4, 4, 0.6 + 1e-12));
    ck_assert(!pts_measure_should_stop(rising, 3, 4, 100)); /* too few results */
    ck_assert(!pts_measure_should_stop(rising, 4, 0, 100)); /* off */
    const double falling[] = {0.4, 0.1};
    ck_assert(pts_measure_should_stop(falling, 2, 2, 0));
}
END_TEST

START_TEST(choices_on_validation_need_one)
{
    scripted s = script_make();
    s.validation[0] = -1;
    pts_collect_options options = PTS_COLLECT_DEFAULTS;
    options.mode = PTS_COLLECT_BASE;
    const size_t size = 2;
    const measure_request request = {
        .train = {.train = {pool, MOST}}, .sizes = &size, .count = 1, .options = &options};
    pts_store_point point;
    size_t measured;
    pts_error err;
    ck_assert_int_eq(pts_measure_sizes(&s.base, &request, &point, &measured, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message, "mode base: expected results on the validation images, got none");
    ck_assert_uint_eq(s.models, 0);
}
END_TEST

/* ---- jobs through the store ---- */

typedef struct witness {
    size_t events[PTS_COLLECT_JOB + 1];
    size_t stop_after; /* points; 0: never */
    char message[512];
} witness;

static int on_event(void *user, const pts_collect_event *event)
{
    witness *w = user;
    w->events[event->what]++;
    if (event->what == PTS_COLLECT_FAILED || event->what == PTS_COLLECT_FINDING)
        snprintf(w->message, sizeof w->message, "%s", event->message);
    return event->what == PTS_COLLECT_POINT && w->stop_after &&
           w->events[event->what] >= w->stop_after;
}

static pts_status run_collection(pts_collection *collection, pts_trainer *trainer, witness *w,
                                 pts_collect_report *report, pts_error *err)
{
    pts_store *store;
    const pts_store_run run = {.command = "test"};
    ck_assert_int_eq(pts_store_open(&store, in_folder("runs.db"), PTS_STORE_WRITE, err), PTS_OK);
    ck_assert_int_eq(pts_store_run_begin(store, &run, err), PTS_OK);
    pts_status status = pts_collection_run(collection, trainer, store, on_event, w, report, err);
    pts_store_close(store);
    return status;
}

static pts_status collect_dir(pts_trainer *trainer, const char *dir,
                              const pts_collect_options *options, witness *w,
                              pts_collect_report *report, pts_error *err)
{
    pts_collection *collection;
    pts_status status = pts_collection_open(&collection, &dir, 1, options, on_event, w, err);
    if (status == PTS_OK)
        status = run_collection(collection, trainer, w, report, err);
    pts_collection_close(collection);
    return status;
}

static pts_status collect_mini(pts_trainer *trainer, const pts_collect_options *options, witness *w,
                               pts_collect_report *report, pts_error *err)
{
    return collect_dir(trainer, test_data("yolo-mini"), options, w, report, err);
}

static const pts_collect_options mini = {
    .class_name = "One", .sizes = "1,2,3", .seed = 43, .seeds = 2, .keep = 1, .min_images = 3};

START_TEST(jobs_are_measured_once)
{
    scripted s = script_make();
    witness w = {0};
    pts_collect_report report;
    pts_error err;
    ck_assert_int_eq(collect_mini(&s.base, &mini, &w, &report, &err), PTS_OK);
    ck_assert_uint_eq(report.jobs, 6);
    ck_assert_uint_eq(report.done, 6);
    ck_assert_uint_eq(s.calls, 6);
    ck_assert_uint_eq(w.events[PTS_COLLECT_POINT], 6);
    ck_assert_uint_eq(w.events[PTS_COLLECT_JOB], 6);
    ck_assert_int_eq(collect_mini(&s.base, &mini, &w, &report, &err), PTS_OK);
    ck_assert_uint_eq(report.done_before, 6);
    ck_assert_uint_eq(s.calls, 6);
    pts_collect_options other = mini;
    other.keep = 0.9; /* another pool is another job */
    ck_assert_int_eq(collect_mini(&s.base, &other, &w, &report, &err), PTS_OK);
    ck_assert_uint_eq(report.done, 6);
}
END_TEST

START_TEST(a_failed_size_does_not_stop_the_others)
{
    scripted s = script_make();
    witness w = {0};
    pts_collect_report report;
    pts_error err;
    s.fail_n = 2;
    ck_assert_int_eq(collect_mini(&s.base, &mini, &w, &report, &err), PTS_OK);
    ck_assert_uint_eq(report.done, 4);
    ck_assert_uint_eq(report.failed, 2);
    ck_assert_str_eq(w.message, "no luck with 2");
    s.fail_n = 0;
    ck_assert_int_eq(collect_mini(&s.base, &mini, &w, &report, &err), PTS_OK);
    ck_assert_uint_eq(report.failed, 2); /* kept with its reason … */
    pts_collect_options again = mini;
    again.retry = 1; /* … until it is asked for */
    ck_assert_int_eq(collect_mini(&s.base, &again, &w, &report, &err), PTS_OK);
    ck_assert_uint_eq(report.done, 2);
    ck_assert_uint_eq(report.done_before, 4);
}
END_TEST

START_TEST(stopping_gives_the_job_back)
{
    scripted s = script_make();
    witness w = {.stop_after = 2};
    pts_collect_report report;
    pts_error err;
    ck_assert_int_eq(collect_mini(&s.base, &mini, &w, &report, &err), PTS_ERR_CANCELLED);
    ck_assert_uint_eq(report.done, 1);
    ck_assert_uint_eq(s.models, 0);
    w = (witness){0};
    ck_assert_int_eq(collect_mini(&s.base, &mini, &w, &report, &err), PTS_OK);
    ck_assert_uint_eq(report.done_before, 1);
    ck_assert_uint_eq(report.done, 5);
    ck_assert_uint_eq(report.elsewhere, 0);
}
END_TEST

START_TEST(a_curve_of_dependent_sizes_is_one_job)
{
    scripted s = script_make();
    witness w = {0};
    pts_collect_report report;
    pts_error err;
    pts_collect_options options = mini;
    options.mode = PTS_COLLECT_INCREMENTAL;
    options.seeds = 1;
    ck_assert_int_eq(collect_mini(&s.base, &options, &w, &report, &err), PTS_OK);
    ck_assert_uint_eq(report.jobs, 1);
    ck_assert_uint_eq(w.events[PTS_COLLECT_POINT], 3);
    pts_store *store;
    size_t rows;
    ck_assert_int_eq(pts_store_open(&store, in_folder("runs.db"), PTS_STORE_READ, &err), PTS_OK);
    ck_assert_int_eq(pts_store_export(store, in_folder("curves.csv"), NULL, 0, &rows, &err),
                     PTS_OK);
    pts_store_close(store);
    ck_assert_uint_eq(rows, 3);
}
END_TEST

START_TEST(damaged_images_are_left_out_or_stop)
{
    scripted s = script_make();
    witness w = {0};
    pts_collect_report report;
    pts_error err;
    char dir[128];
    snprintf(dir, sizeof dir, "%s/mini", folder);
    ck_assert_int_eq(run_program("cp -r %s %s && chmod -R u+w %s && head -c 900 "
                                 "%s/train/images/0142.jpg > %s/cut && mv %s/cut "
                                 "%s/train/images/0142.jpg",
                                 test_data("yolo-mini"), dir, dir, dir, folder, folder, dir),
                     0);
    pts_collect_options options = mini;
    options.sizes = "all";
    ck_assert_int_eq(collect_dir(&s.base, dir, &options, &w, &report, &err), PTS_OK);
    ck_assert_uint_gt(w.events[PTS_COLLECT_FINDING], 0);
    ck_assert_ptr_nonnull(strstr(w.message, "train/images/0142.jpg"));
    ck_assert_uint_eq(s.count[0], 2); /* of the three images for training one is gone */
    options.strict = 1;
    ck_assert_int_eq(collect_dir(&s.base, dir, &options, &w, &report, &err), PTS_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.message, "train/images/0142.jpg"));
}
END_TEST

/* ---- outlines ---- */

/* The even-odd rule at a point, edge by edge. */
static int inside(const outline *o, double x, double y)
{
    int odd = 0;
    for (size_t i = 0, j = o->points - 1; i < o->points; j = i++) {
        double xi = o->xy[2 * i], yi = o->xy[2 * i + 1], xj = o->xy[2 * j], yj = o->xy[2 * j + 1];
        if ((yi > y) != (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi)
            odd = !odd;
    }
    return odd;
}

enum { MASK_W = 19, MASK_H = 13 };

/* Pixels where the outline's filling and the mask differ. */
static size_t differing(const outline *o, const uint8_t *mask)
{
    size_t differ = 0;
    for (size_t y = 0; y < MASK_H; y++) {
        for (size_t x = 0; x < MASK_W; x++)
            differ += inside(o, (x + 0.5) / MASK_W, (y + 0.5) / MASK_H) != mask[y * MASK_W + x];
    }
    return differ;
}

static outline outline_of(const pts_instance *instance)
{
    outline o;
    pts_error err;
    ck_assert_msg(pts_outline_make(&o, instance, MASK_H, MASK_W, &err) == PTS_OK, "%s",
                  err.message);
    return o;
}

static outline outline_of_mask(const uint8_t *mask)
{
    pts_rle *rle;
    ck_assert_int_eq(pts_rle_from_bitmap(&rle, mask, MASK_H, MASK_W, NULL), PTS_OK);
    const pts_instance instance = {.mask = rle};
    outline o = outline_of(&instance);
    pts_rle_destroy(rle);
    return o;
}

/* Random masks from a few pixels to nearly all: parts, holes, parts in holes, touching corners. */
START_TEST(a_masks_outline_fills_the_mask)
{
    pts_rng rng = pts_rng_stream(43, 0);
    for (int round = 0; round < 400; round++) {
        uint8_t mask[MASK_H * MASK_W];
        double share = 0.02 + 0.96 * round / 400;
        int block = 1 + round % 3; /* coarser ones have fewer borders than are kept */
        for (size_t i = 0; i < MASK_H; i++) {
            for (size_t k = 0; k < MASK_W; k++)
                mask[i * MASK_W + k] = i % block || k % block
                                           ? mask[(i - i % block) * MASK_W + k - k % block]
                                           : pts_rng_uniform(&rng) < share;
        }
        outline o = outline_of_mask(mask);
        if (o.points)
            ck_assert_uint_eq(differing(&o, mask), 0);
        else
            ck_assert_ptr_null(memchr(mask, 1, sizeof mask));
        pts_outline_free(&o);
    }
}
END_TEST

START_TEST(an_outline_keeps_the_largest_borders)
{
    /* A rectangle of 12 × 3, and all the single pixels below that touch at corners only. */
    uint8_t mask[MASK_H * MASK_W] = {0};
    for (size_t y = 0; y < 3; y++)
        memset(mask + y * MASK_W, 1, 12);
    size_t specks = 0;
    for (size_t y = 4; y < MASK_H; y++) {
        for (size_t x = y % 2; x < MASK_W; x += 2)
            specks += mask[y * MASK_W + x] = 1;
    }
    outline o = outline_of_mask(mask);
    ck_assert_uint_gt(specks, OUTLINE_BORDERS);
    ck_assert_uint_eq(differing(&o, mask), specks - (OUTLINE_BORDERS - 1));
    ck_assert_uint_eq(o.points, OUTLINE_BORDERS * 4 + (OUTLINE_BORDERS - 1) * 2);
    pts_outline_free(&o);
}
END_TEST

START_TEST(polygons_of_one_object_become_one)
{
    const float xy[] = {0.1f, 0.1f, 0.3f, 0.1f, 0.3f, 0.9f, 0.1f, 0.9f, /* left */
                        0.7f, 0.2f, 0.9f, 0.2f, 0.9f, 0.4f,             /* right, above */
                        0.7f, 0.6f, 0.9f, 0.6f, 0.9f, 0.8f};            /* and below it */
    const size_t ends[] = {4, 7, 10};
    const pts_instance instance = {.points = 10, .xy = xy, .parts = 3, .ends = ends};
    outline o = outline_of(&instance);
    ck_assert_uint_eq(o.points, 10 + 2 * 2);
    const double in[][2] = {{0.2, 0.5}, {0.85, 0.25}, {0.85, 0.65}};
    const double out[][2] = {{0.5, 0.15}, {0.85, 0.5}, {0.5, 0.5}, {0.95, 0.3}};
    for (size_t i = 0; i < 3; i++)
        ck_assert(inside(&o, in[i][0], in[i][1]));
    for (size_t i = 0; i < 4; i++)
        ck_assert(!inside(&o, out[i][0], out[i][1]));
    pts_outline_free(&o);
    const pts_instance single = {.points = 4, .xy = xy, .parts = 1, .ends = ends};
    o = outline_of(&single);
    ck_assert_uint_eq(o.points, 4);
    ck_assert_mem_eq(o.xy, xy, 8 * sizeof *xy); /* as it is */
    pts_outline_free(&o);
}
END_TEST

/* ---- programs ---- */

static char self[4096];

/* Every truth of PART.json as a detection of score 0.9, in PART_results.json. */
static int echo_part(const char *truth_name, const char *result_name)
{
    json_t *truth = json_load_file(truth_name, 0, NULL), *results = json_array(), *annotation;
    size_t i;
    if (!truth)
        return 1;
    json_array_foreach(json_object_get(truth, "annotations"), i, annotation)
    {
        json_object_del(annotation, "bbox");
        json_object_set_new(annotation, "score", json_real(0.9));
        json_array_append(results, annotation);
    }
    int failed = json_dump_file(results, result_name, 0);
    json_decref(truth);
    json_decref(results);
    return failed;
}

static int echo_truth(void)
{
    FILE *weights = fopen("weights", "w");
    fclose(weights);
    return echo_part("val.json", "val_results.json") || echo_part("test.json", "test_results.json");
}

/* What the program does as a trainer; it stands in the job's folder. */
static int play(const char *role, const char *job)
{
    printf("role %s in %s\n", role, job);
    fflush(stdout);
    if (strcmp(role, "perfect") == 0)
        return echo_truth();
    if (strcmp(role, "silent") == 0)
        return 0;
    if (strcmp(role, "dying") == 0) {
        fprintf(stderr, "first line\nout of luck\n");
        return 3;
    }
    if (strcmp(role, "killed") == 0)
        raise(SIGKILL);
    if (strcmp(role, "nonsense") == 0) {
        FILE *file = fopen("test_results.json", "w");
        fputs("{\"no\": 1}", file);
        return fclose(file);
    }
    if (strcmp(role, "slow") == 0)
        sleep(30);
    if (strcmp(role, "second-time") == 0) {
        if (access("../tried", F_OK) == 0)
            return echo_truth();
        FILE *file = fopen("../tried", "w");
        fclose(file);
        return 1;
    }
    return 1;
}

static pts_trainer *program(const char *role, double time_limit, int retries)
{
    static char command[8192];
    pts_trainer *trainer;
    pts_error err;
    snprintf(command, sizeof command, "'%s' --play %s", self, role);
    const pts_command_options options = {command, in_folder("jobs"), time_limit, retries};
    ck_assert_int_eq(pts_trainer_command(&trainer, &options, &err), PTS_OK);
    return trainer;
}

static void collect_with(pts_trainer *trainer, const pts_collect_options *options, witness *w,
                         pts_collect_report *report)
{
    pts_error err;
    *w = (witness){0};
    pts_status status = collect_mini(trainer, options, w, report, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    pts_trainer_destroy(trainer);
}

static double exported_map(void)
{
    char line[256];
    double map = -1;
    pts_store *store;
    pts_error err;
    ck_assert_int_eq(pts_store_open(&store, in_folder("runs.db"), PTS_STORE_READ, &err), PTS_OK);
    ck_assert_int_eq(pts_store_export(store, in_folder("c.csv"), NULL, 0, NULL, &err), PTS_OK);
    pts_store_close(store);
    FILE *file = fopen(in_folder("c.csv"), "r");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    ck_assert_int_eq(sscanf(line, "yolo-mini,One,%*u,%lf", &map), 1);
    fclose(file);
    return map;
}

START_TEST(a_program_that_finds_everything_scores_one)
{
    witness w;
    pts_collect_report report;
    pts_collect_options options = mini;
    options.seeds = 1;
    collect_with(program("perfect", 60, 0), &options, &w, &report);
    ck_assert_uint_eq(report.done, 3);
    ck_assert_double_eq(exported_map(), 1);
    char path[256];
    snprintf(path, sizeof path, "%s/jobs/yolo-mini-class1-seed43-n2", folder);
    ck_assert_int_eq(run_program("cd %s && cat data.yaml job.json log.txt && "
                                 "ls images/train labels/train",
                                 path),
                     0);
    json_t *job = json_load_file(in_folder("jobs/yolo-mini-class1-seed43-n2/job.json"), 0, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(job, "version")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(job, "n")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(job, "class")), "One");
    ck_assert(json_is_null(json_object_get(job, "start")));
    json_decref(job);
    ck_assert_ptr_nonnull(strstr(ran.out, "role perfect in "));
    ck_assert_ptr_nonnull(strstr(ran.out, "000001.jpg\n000002.jpg\n"));
}
END_TEST

/* A set with masks alone: a label line for each object that is no crowd. */
START_TEST(a_program_gets_labels_of_masks)
{
    witness w;
    pts_error err;
    pts_collect_report report;
    pts_collect_options options = mini;
    options.sizes = "2";
    options.seeds = 1;
    char dir[128], path[256];
    snprintf(dir, sizeof dir, "%s/masks", folder);
    ck_assert_int_eq(
        run_program("mkdir %s && cp %s/*/images/* %s", dir, test_data("yolo-mini"), dir), 0);
    ck_assert_int_eq(
        run_program("cp %s/compressed.json %s/_annotations.coco.json", test_data("coco-mini"), dir),
        0);
    pts_trainer *trainer = program("perfect", 60, 0);
    w = (witness){0};
    pts_status status = collect_dir(trainer, dir, &options, &w, &report, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    pts_trainer_destroy(trainer);
    ck_assert_uint_eq(report.done, 1);
    snprintf(path, sizeof path, "%s/jobs/masks-class1-seed43-n2", folder);
    ck_assert_int_eq(run_program("cd %s && cat labels/*/*.txt | wc -l", path), 0);
    int lines = atoi(ran.out);
    ck_assert_int_gt(lines, 3);
    ck_assert_int_eq(
        run_program("cd %s && grep -ho '\"iscrowd\": 0' train.json val.json test.json | wc -l",
                    path),
        0);
    ck_assert_int_eq(atoi(ran.out), lines);
}
END_TEST

START_TEST(a_program_goes_on_from_its_weights)
{
    witness w;
    pts_collect_report report;
    pts_collect_options options = mini;
    options.mode = PTS_COLLECT_INCREMENTAL;
    options.sizes = "1,2";
    options.seeds = 1;
    collect_with(program("perfect", 60, 0), &options, &w, &report);
    /* Two pieces, and as 1 does not rise above 1, a retraining on both. */
    const char *const names[] = {"n1", "n2", "n2-2"};
    for (int i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "jobs/yolo-mini-class1-seed43-%s/job.json", names[i]);
        json_t *job = json_load_file(in_folder(name), 0, NULL);
        ck_assert_ptr_nonnull(job);
        const char *start = json_string_value(json_object_get(job, "start"));
        ck_assert_int_eq(json_integer_value(json_object_get(job, "train_images")), i == 2 ? 2 : 1);
        if (i == 1)
            ck_assert_ptr_nonnull(strstr(start, "yolo-mini-class1-seed43-n1/weights"));
        else
            ck_assert_ptr_null(start);
        json_decref(job);
    }
}
END_TEST

static void check_failure(const char *role, double limit, const char *expected)
{
    witness w;
    pts_collect_report report;
    pts_collect_options options = mini;
    options.sizes = "2";
    options.seeds = 1;
    collect_with(program(role, limit, 0), &options, &w, &report);
    ck_assert_uint_eq(report.failed, 1);
    ck_assert_msg(strstr(w.message, expected), "%s: %s", role, w.message);
    ck_assert_msg(strstr(w.message, "/jobs/yolo-mini-class1-seed43-n2"), "%s", w.message);
}

START_TEST(a_programs_failure_is_the_sizes_failure)
{
    check_failure("dying", 60, "the trainer exited with 3: out of luck");
    check_failure("silent", 60, "expected the trainer to leave test_results.json, got none");
    check_failure("killed", 60, "the trainer exited with 137: Killed");
    check_failure("nonsense", 60, "test_results.json");
    check_failure("slow", 0.3, "stopped after 0 s, the time limit");
}
END_TEST

START_TEST(a_program_may_try_again)
{
    witness w;
    pts_collect_report report;
    pts_collect_options options = mini;
    options.sizes = "2";
    options.seeds = 1;
    collect_with(program("second-time", 60, 1), &options, &w, &report);
    ck_assert_uint_eq(report.done, 1);
}
END_TEST

/* From a folder with a quote in its name, @ in what is expected. */
START_TEST(paths_in_a_command_are_from_here)
{
    static const char *const cases[][2] = {
        {"python3 a/x.py --lr=1", "python3 '@/a/x.py' --lr=1"},
        {"a/x.py --m=a/x.py;x.py", "'@/a/x.py' --m='@/a/x.py';'@/x.py'"},
        {"python3 \"b c/x.py\" 'x.py'", "python3 '@/b c/x.py' '@/x.py'"},
        {"python3 x.py<x.py", "python3 '@/x.py'<'@/x.py'"},
        {"x.py a train b/x.py", "x.py a train b/x.py"},
        {"./x.py ./a/x.py ./", "'@/./x.py' '@/./a/x.py' ./"},
        {"y data=data.yaml images/train ./images/train",
         "y data=data.yaml images/train ./images/train"},
        {"y /a/x.py $HOME/'a/x.py' 'a/x.py'/.. \"$X/a/x.py\"",
         "y /a/x.py $HOME/'a/x.py' 'a/x.py'/.. \"$X/a/x.py\""},
        {"sh -c 'cd a/x.py && y", "sh -c 'cd a/x.py && y"},
        {"y '' \"\" a/", "y '' \"\" '@/a/'"},
    };
    ck_assert_int_eq(run_program("mkdir -p \"%s/it's/a\" && cd \"%s/it's\" && mkdir -p 'b c' train "
                                 "images/train && touch a/x.py x.py 'b c/x.py' data.yaml",
                                 folder, folder),
                     0);
    ck_assert_int_eq(chdir(in_folder("it's")), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[1024] = "", *got;
        for (const char *c = cases[i][1]; *c; c++) {
            size_t used = strlen(expected);
            if (*c == '@')
                snprintf(expected + used, sizeof expected - used, "%s/it'\\''s", folder);
            else
                snprintf(expected + used, sizeof expected - used, "%c", *c);
        }
        ck_assert_int_eq(pts_command_resolve(&got, cases[i][0], NULL), PTS_OK);
        ck_assert_str_eq(got, expected);
        free(got);
    }
}
END_TEST

#ifdef PTS_HAVE_MPI
/* Jobs over three ranks: the same points as one process, and a rank's death keeps what is done. */
#define JOBS                                                                                       \
    " ptstrain collect --data %s --class One --sizes 1,2,3 --seeds 3 --store %s --trainer \"'%s' " \
    "--play %s\" --threads 1"

START_TEST(ranks_share_the_jobs)
{
    char store[256];
    strcpy(store, in_folder("ranks.db"));
    ck_assert_msg(run_program(MPIRUN JOBS, test_data("yolo-mini"), store, self, "perfect") == 0,
                  "%s", ran.err);
    ck_assert_ptr_nonnull(strstr(ran.err, "9 jobs: 9 measured"));
    ck_assert_int_eq(run_program("ptstrain export --store %s -o %s/r.csv", store, folder), 0);
    strcpy(store, in_folder("one.db"));
    ck_assert_int_eq(run_program(JOBS, test_data("yolo-mini"), store, self, "perfect"), 0);
    ck_assert_int_eq(run_program("ptstrain export --store %s -o %s/o.csv && cmp %s/r.csv %s/o.csv",
                                 store, folder, folder, folder),
                     0);
}
END_TEST
#endif

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--play") == 0)
        return play(argv[2], argv[3]);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return EXIT_FAILURE;
    self[length] = '\0';
    const TTest *const pure[] = {incremental_keeps_what_rises_and_retrains_what_does_not,
                                 the_study_chooses_on_the_test_split,
                                 base_trains_on_the_union_and_stops_early,
                                 stop_rule_is_the_sum_of_latest_minus_earlier,
                                 choices_on_validation_need_one,
                                 a_masks_outline_fills_the_mask,
                                 an_outline_keeps_the_largest_borders,
                                 polygons_of_one_object_become_one};
    const TTest *const stored[] = {jobs_are_measured_once,
                                   a_failed_size_does_not_stop_the_others,
                                   stopping_gives_the_job_back,
                                   a_curve_of_dependent_sizes_is_one_job,
                                   damaged_images_are_left_out_or_stop,
                                   a_program_that_finds_everything_scores_one,
                                   a_program_gets_labels_of_masks,
                                   a_program_goes_on_from_its_weights,
                                   a_programs_failure_is_the_sizes_failure,
                                   paths_in_a_command_are_from_here,
                                   a_program_may_try_again};
    Suite *suite = suite_create("collect");
    TCase *cases[] = {add_tcase(suite, "modes", ""), add_tcase(suite, "jobs", "")};
    tcase_add_checked_fixture(cases[1], make_folder, remove_folder);
    for (size_t i = 0; i < sizeof pure / sizeof *pure; i++)
        tcase_add_test(cases[0], pure[i]);
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++)
        tcase_add_test(cases[1], stored[i]);
#ifdef PTS_HAVE_MPI
    TCase *slow = add_tcase(suite, "slow", "slow");
    tcase_add_checked_fixture(slow, make_folder, remove_folder);
    tcase_add_test(slow, ranks_share_the_jobs);
#endif
    return run_suite(suite);
}
