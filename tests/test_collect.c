/* Collecting: the modes against a trainer whose metrics are written down, jobs through the store,
 * and programs as trainers: this one, called again with a role as its argument. */
#include "check_main.h"
#include "run_program.h"

#include "collect/curve.h"
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
    result->test = (pts_map){s->test[call], 0.9, 0.5};
    result->validation = (pts_map){s->validation[call], 0, 0};
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
    const curve_request request = {
        .train = {.train = {pool, MOST}}, .sizes = sizes, .count = count, .options = options};
    ck_assert_msg(curve_measure(&s->base, &request, points, &measured, &err) == PTS_OK, "%s",
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
    ck_assert(!curve_should_stop(rising, 4, 4, 0.6 - 1e-12));
    ck_assert(curve_should_stop(rising, 4, 4, 0.6 + 1e-12));
    ck_assert(!curve_should_stop(rising, 3, 4, 100)); /* too few results */
    ck_assert(!curve_should_stop(rising, 4, 0, 100)); /* off */
    const double falling[] = {0.4, 0.1};
    ck_assert(curve_should_stop(falling, 2, 2, 0));
}
END_TEST

START_TEST(choices_on_validation_need_one)
{
    scripted s = script_make();
    s.validation[0] = -1;
    pts_collect_options options = PTS_COLLECT_DEFAULTS;
    options.mode = PTS_COLLECT_BASE;
    const size_t size = 2;
    const curve_request request = {
        .train = {.train = {pool, MOST}}, .sizes = &size, .count = 1, .options = &options};
    pts_store_point point;
    size_t measured;
    pts_error err;
    ck_assert_int_eq(curve_measure(&s.base, &request, &point, &measured, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message, "mode base: expected results on the validation images, got none");
    ck_assert_uint_eq(s.models, 0);
}
END_TEST

/* ---- jobs through the store ---- */

static char folder[64];

static void setup(void)
{
    strcpy(folder, "/tmp/pts-collect-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    ck_assert_int_eq(run_program("rm -rf %s", folder), 0);
}

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

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
    ck_assert_int_eq(json_integer_value(json_object_get(job, "version")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(job, "n")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(job, "class")), "One");
    ck_assert(json_is_null(json_object_get(job, "start")));
    json_decref(job);
    ck_assert_ptr_nonnull(strstr(ran.out, "role perfect in "));
    ck_assert_ptr_nonnull(strstr(ran.out, "000001.jpg\n000002.jpg\n"));
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
    const TTest *const pure[] = {
        incremental_keeps_what_rises_and_retrains_what_does_not,
        the_study_chooses_on_the_test_split, base_trains_on_the_union_and_stops_early,
        stop_rule_is_the_sum_of_latest_minus_earlier, choices_on_validation_need_one};
    const TTest *const stored[] = {jobs_are_measured_once,
                                   a_failed_size_does_not_stop_the_others,
                                   stopping_gives_the_job_back,
                                   a_curve_of_dependent_sizes_is_one_job,
                                   damaged_images_are_left_out_or_stop,
                                   a_program_that_finds_everything_scores_one,
                                   a_program_goes_on_from_its_weights,
                                   a_programs_failure_is_the_sizes_failure,
#ifdef PTS_HAVE_MPI
                                   ranks_share_the_jobs,
#endif
                                   a_program_may_try_again};
    Suite *suite = suite_create("collect");
    TCase *cases[] = {tcase_create("modes"), tcase_create("jobs")};
    tcase_add_checked_fixture(cases[1], setup, teardown);
    tcase_set_timeout(cases[1], 120);
    for (size_t i = 0; i < sizeof pure / sizeof *pure; i++)
        tcase_add_test(cases[0], pure[i]);
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++)
        tcase_add_test(cases[1], stored[i]);
    suite_add_tcase(suite, cases[0]);
    suite_add_tcase(suite, cases[1]);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
