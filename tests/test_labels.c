/* Labels of a few photographs: read from files, answered by a head, asked on the command line. The
 * head's answer is held to the evaluation's own for the same known curves. */
#include "run_program.h"
#include "temporary_folder.h"

#include "learn/sweep.h"
#include "pts/weights.h"

#include <math.h>

enum { DIM = 6, SETS = 7, IMAGES = 4, POINTS = 6 };

/* ---- a head ---- */

static double draw(uint64_t *state) /* in [−1, 1) */
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-52 - 1;
}

/* Sets 0 … count − 1, one class each; larger objects have higher curves. */
static pts_tasks *make_tasks(int count, bool labelled)
{
    pts_tasks *tasks;
    ck_assert_int_eq(pts_tasks_create(&tasks, DIM, "ab12", "keras", NULL), PTS_OK);
    for (int t = 0; t < count; t++) {
        uint64_t state = (uint64_t)t + 3;
        double n[POINTS], map[POINTS], level = draw(&state);
        float embeddings[IMAGES * DIM];
        pts_label_sums labels[IMAGES];
        char name[16];
        snprintf(name, sizeof name, "set%d", t);
        for (int i = 0; i < POINTS; i++) {
            n[i] = pow(3, i + 1);
            map[i] = (0.5 + 0.3 * level) * n[i] / (n[i] + 20) + 0.01 * (draw(&state) + 1);
        }
        for (int i = 0; i < IMAGES * DIM; i++)
            embeddings[i] = (float)draw(&state);
        for (int i = 0; i < IMAGES; i++) {
            double objects = 1 + floor(3 * (draw(&state) + 1)),
                   size = level - 2 + 0.2 * draw(&state);
            labels[i] = (pts_label_sums){objects, objects * size, objects * (size * size + 0.1),
                                         objects * (0.7 + 0.1 * level), objects * 0.2};
        }
        const pts_task task = {.dataset = name,
                               .class_name = "thing",
                               .points = POINTS,
                               .n = n,
                               .map = map,
                               .images = IMAGES,
                               .embeddings = embeddings,
                               .labels = labelled ? labels : NULL};
        ck_assert_int_eq(pts_tasks_add(tasks, &task, NULL), PTS_OK);
    }
    return tasks;
}

static pts_head *train(int count, bool labelled)
{
    pts_tasks *tasks = make_tasks(count, labelled);
    pts_head_options options = PTS_HEAD_DEFAULTS;
    pts_head *head;
    options.kind = PTS_HEAD_MEAN;
    options.trainer = "a trainer";
    ck_assert_int_eq(pts_head_train(&head, tasks, &options, NULL, NULL, NULL, NULL), PTS_OK);
    pts_tasks_destroy(tasks);
    return head;
}

/* The last data set by a head of all others, and by the loop that leaves it out: the same rule,
 * choice, curve and spread, but for the head's single precision. Each draw of four photographs is
 * of all four there are. */
START_TEST(head_answers_what_was_evaluated)
{
    pts_tasks *tasks = make_tasks(SETS, true);
    pts_head_options defaults = PTS_HEAD_DEFAULTS;
    sweep s;
    double covariance[16], noise;
    pts_head *head = train(SETS - 1, true);
    pts_curve_prior prior;
    ck_assert_int_eq(pts_head_takes_labels(head), 1);
    ck_assert_int_eq(pts_head_predict_labelled(head, pts_tasks_at(tasks, SETS - 1)->labels, IMAGES,
                                               &prior, NULL),
                     PTS_OK);
    ck_assert_int_eq(pts_sweep_run(&s, tasks, defaults.seed, NULL, NULL, NULL, NULL), PTS_OK);
    size_t choice = pts_sweep_choose_predictor(&s, SETS - 1, PREDICTOR_LABELLED);
    const double *theta = pts_sweep_theta(&s, SETS - 1, SIZE_MAX, choice);
    ck_assert_int_eq(pts_sweep_spread(&s, SETS - 1, choice, covariance, &noise, NULL), PTS_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(prior.mean[i], theta[i], 2e-5 * (1 + fabs(theta[i])));
    for (int i = 0; i < 16; i++)
        ck_assert_double_eq_tol(prior.covariance[i], covariance[i],
                                1e-5 * (fabs(covariance[i]) + covariance[0]));
    ck_assert_double_eq_tol(prior.noise, noise, 1e-6);
    pts_sweep_free(&s);
    pts_head_close(head);
    pts_tasks_destroy(tasks);
}
END_TEST

static const pts_label_sums some[2] = {{2, -3, 5, 1.5, 1}, {3, -6, 13, 2, 0}};

START_TEST(labelled_part_survives_its_file)
{
    pts_head *head = train(5, true), *again;
    pts_curve_prior a, b;
    pts_error err;
    ck_assert_int_eq(pts_head_write(head, in_folder("head.ptsw"), NULL), PTS_OK);
    ck_assert_int_eq(pts_head_open(&again, in_folder("head.ptsw"), NULL), PTS_OK);
    ck_assert_ptr_nonnull(strstr(pts_head_summary(again), "; with labels 0."));
    ck_assert_int_eq(pts_head_predict_labelled(head, some, 2, &a, NULL), PTS_OK);
    ck_assert_int_eq(pts_head_predict_labelled(again, some, 2, &b, NULL), PTS_OK);
    ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
    const pts_label_sums none = {0}, bad = {1, NAN, 0, 0, 0};
    ck_assert_int_eq(pts_head_predict_labelled(head, &none, 1, &a, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "head: expected labelled objects, got none");
    ck_assert_int_eq(pts_head_predict_labelled(head, &bad, 1, &a, &err), PTS_ERR_NUMERIC);
    ck_assert_str_eq(err.message, "head: labels of photograph 1 are not finite");
    pts_head_close(head);
    pts_head_close(again);
    head = train(5, false);
    ck_assert_int_eq(pts_head_takes_labels(head), 0);
    ck_assert_int_eq(pts_head_predict_labelled(head, some, 2, &a, &err), PTS_ERR_UNSUPPORTED);
    ck_assert_str_eq(err.message,
                     "head: expected one that takes labels, got one that was trained without");
    pts_head_close(head);
}
END_TEST

static void expect_close(double got, double expected)
{
    ck_assert_double_eq_tol(got, expected, 1e-6 * fabs(expected));
}

/* The same curves by the road of curves.csv: the head's prior is that one in single precision, and
 * survives the file. */
START_TEST(population_is_that_of_the_curves)
{
    enum { COUNT = 5 };
    pts_tasks *tasks = make_tasks(COUNT, true);
    pts_head *head = train(COUNT, true), *again;
    pts_curve_points curves[COUNT];
    pts_prior_file expected, got, read;
    for (size_t t = 0; t < COUNT; t++) {
        const pts_task *task = pts_tasks_at(tasks, t);
        curves[t] = (pts_curve_points){.dataset = task->dataset,
                                       .class_name = task->class_name,
                                       .count = task->points,
                                       .n = (double *)(uintptr_t)task->n,
                                       .map = (double *)(uintptr_t)task->map};
    }
    const pts_curve_set set = {curves, COUNT, false};
    ck_assert_int_eq(pts_prior_learn(&set, "a trainer", &expected, NULL), PTS_OK);
    ck_assert_int_eq(pts_head_population(head, &got), 1);
    ck_assert_str_eq(got.trainer, "a trainer");
    ck_assert_uint_eq(got.curves, COUNT);
    ck_assert_uint_eq(got.datasets, COUNT);
    for (int i = 0; i < 4; i++)
        expect_close(got.prior.mean[i], expected.prior.mean[i]);
    for (int i = 0; i < 16; i++)
        expect_close(got.prior.covariance[i], expected.prior.covariance[i]);
    expect_close(got.prior.noise, expected.prior.noise);
    expect_close(got.prior.noise_dof, expected.prior.noise_dof);
    ck_assert_int_eq(pts_head_write(head, in_folder("head.ptsw"), NULL), PTS_OK);
    ck_assert_int_eq(pts_head_open(&again, in_folder("head.ptsw"), NULL), PTS_OK);
    ck_assert_int_eq(pts_head_population(again, &read), 1);
    ck_assert_int_eq(memcmp(&got, &read, sizeof got), 0);
    pts_head_close(again);
    pts_head_close(head);
    pts_tasks_destroy(tasks);
}
END_TEST

/* The file again with one number changed, its checksum right. */
static void forge(const char *tensor, size_t at, float value)
{
    enum { MOST = 32 };
    pts_weights *w;
    pts_tensor tensors[MOST];
    pts_meta meta[MOST];
    float *changed = NULL;
    ck_assert_int_eq(pts_weights_open(&w, in_folder("head.ptsw"), NULL), PTS_OK);
    ck_assert_uint_le(pts_weights_count(w), MOST);
    for (size_t i = 0; i < pts_weights_count(w); i++) {
        tensors[i] = *pts_weights_tensor(w, i);
        if (strcmp(tensors[i].name, tensor) != 0)
            continue;
        changed = malloc(tensors[i].bytes);
        memcpy(changed, tensors[i].data, tensors[i].bytes);
        changed[at] = value;
        tensors[i].data = changed;
    }
    ck_assert_ptr_nonnull(changed);
    for (size_t i = 0; i < pts_weights_meta_count(w); i++)
        meta[i] = *pts_weights_meta_at(w, i);
    ck_assert_int_eq(pts_weights_write(in_folder("forged.ptsw"), meta, pts_weights_meta_count(w),
                                       tensors, pts_weights_count(w), NULL),
                     PTS_OK);
    pts_weights_close(w);
    free(changed);
}

START_TEST(forged_heads_are_refused)
{
    static const struct {
        const char *tensor;
        size_t at;
        float value;
        const char *says;
    } cases[] = {
        {"labelled.votes", 1, -1, "labelled.votes[1]: expected above 0, got -1"},
        {"labelled.votes", 0, 2, "labelled.votes: expected a sum of 1, got 2.8"},
        {"labelled.log_n", 3, 0, "labelled.log_n: expected rising sizes"},
        {"labelled.parameters", 0, 0, "labelled.parameters: expected above 0, got 0, "},
        {"labelled.covariance", 0, -1, "labelled.covariance is not positive definite"},
        {"labelled.noise", 0, 0, "labelled.noise: expected above 0, got 0"},
        {"labelled.curves", 7, INFINITY, "labelled.curves[7] is not finite"},
        {"labelled.labels", 2, NAN, "labelled.labels[2] is not finite"},
        {"population.covariance", 5, -1, "population: prior: "},
        {"population.noise", 0, 0, "population: prior: "},
        {"population.mean", 1, INFINITY, "population.mean[1] is not finite"},
    };
    pts_head *head = train(5, true);
    ck_assert_int_eq(pts_head_write(head, in_folder("head.ptsw"), NULL), PTS_OK);
    pts_head_close(head);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256];
        pts_error err;
        forge(cases[i].tensor, cases[i].at, cases[i].value);
        ck_assert_int_eq(pts_head_open(&head, in_folder("forged.ptsw"), &err), PTS_ERR_NUMERIC);
        ck_assert_ptr_null(head);
        snprintf(expected, sizeof expected, "%s: %s", in_folder("forged.ptsw"), cases[i].says);
        ck_assert_msg(strncmp(err.message, expected, strlen(expected)) == 0, "%s", err.message);
    }
}
END_TEST

/* ---- label files ---- */

#define TRIANGLE "0.1 0.1 0.5 0.1 0.1 0.5"

START_TEST(files_become_sums)
{
    const char *two = "3 " TRIANGLE "\n\n3 0.2 0.2 0.6 0.2 0.2 0.6\n7 " TRIANGLE "\n";
    const pts_label_file files[] = {{"a.txt", two, strlen(two)}, {"b.txt", "", 0}};
    const size_t images[] = {0, 1}, empty[] = {1};
    pts_dataset *set;
    pts_label_sums sums[2];
    pts_error err;
    int class_id;
    ck_assert_int_eq(pts_dataset_of_labels(&set, files, 2, NULL), PTS_OK);
    ck_assert_uint_eq(pts_dataset_images(set), 2);
    ck_assert_str_eq(pts_dataset_image_split(set, 1), "");
    ck_assert_ptr_null(pts_dataset_image_split(set, 2));
    ck_assert_int_eq(pts_dataset_classes(set), 8);
    ck_assert_int_eq(pts_label_sums_pick(set, images, 2, "3", sums, &class_id, NULL), PTS_OK);
    ck_assert_int_eq(class_id, 3);
    ck_assert_double_eq(sums[0].objects, 2);
    ck_assert_double_eq(sums[0].crowded, 2);
    ck_assert_double_eq_tol(sums[0].filled, 1, 1e-6); /* triangles: half their boxes each */
    ck_assert_double_eq_tol(sums[0].log_size, 2 * log(sqrt(0.08) + 1e-4), 1e-6);
    ck_assert_double_eq(sums[1].objects, 0);
    ck_assert_int_eq(pts_label_sums_pick(set, images, 2, NULL, sums, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "labels: expected a class to be named, as the photographs show "
                                  "several: 3, 7");
    ck_assert_int_eq(pts_label_sums_pick(set, empty, 1, NULL, sums, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "labels: expected objects on the photographs, got none");
    ck_assert_int_eq(pts_label_sums_pick(set, images, 2, "5", sums, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message,
                     "labels: expected objects of class 5 on the photographs, got none");
    ck_assert_int_eq(pts_label_sums_pick(set, images, 2, "9", sums, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message,
                     "labels: expected a class by name or by number from 0 to 7, got '9'");
    pts_dataset_close(set);
}
END_TEST

START_TEST(malformed_lines_are_named)
{
    static const char *const cases[][2] = {
        {"0 " TRIANGLE "\n0 0.1 0.2\n",
         "x.txt: line 2: expected a polygon of at least 3 points, got 1"},
        {"0 0.1 0.1 0.5 0.1 0.1 nan", "x.txt: line 1: coordinate 6: expected a number, got 'nan'"},
        {"65536 " TRIANGLE, "x.txt: line 1: expected a class from 0 to 65535, got '65536'"},
        {"-1 " TRIANGLE, "x.txt: line 1: expected a class from 0 to 65535, got '-1'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pts_label_file file = {"x.txt", cases[i][0], strlen(cases[i][0])};
        pts_dataset *set;
        pts_error err;
        ck_assert_int_eq(pts_dataset_of_labels(&set, &file, 1, &err), PTS_ERR_FORMAT);
        ck_assert_ptr_null(set);
        ck_assert_str_eq(err.message, cases[i][1]);
    }
}
END_TEST

/* ---- ptsinfer predict ---- */

#define P "ptsinfer predict"
#define FOUR "0061.jpg 0063.jpg 0141.jpg 0142.jpg "
#define ASK P " --head head.ptsw --target 0.3 " FOUR

/* Trained once: every case has its copy. */
static const char *const heads[] = {"head.ptsw", "plain.ptsw"};
static char trained[2][4096];

static void train_heads(void)
{
    for (int i = 0; i < 2; i++) {
        strcpy(trained[i], scratch(heads[i]));
        pts_head *head = train(5, i == 0);
        ck_assert_int_eq(pts_head_write(head, trained[i], NULL), PTS_OK);
        pts_head_close(head);
    }
}

static void remove_heads(void)
{
    for (int i = 0; i < 2; i++)
        unlink(trained[i]);
}

static void fill_folder(void)
{
    char path[128];
    make_folder();
    for (int i = 0; i < 2; i++)
        put_copy(heads[i], trained[i]);
    snprintf(path, sizeof path, "%s", folder);
    ck_assert_int_eq(run_program("cp -r '%s' %s/set && cd %s && chmod -R u+w . && "
                                 "cp set/train/images/*.jpg . && mkdir txt && "
                                 "cp set/train/labels/*.txt txt",
                                 test_data("yolo-mini"), path, path),
                     0);
}

static int run(const char *command)
{
    return run_program("cd %s && %s", folder, command);
}

static void refused(int code, const char *command, const char *says)
{
    int got = run(command);
    ck_assert_msg(got == code, "%s: exit %d: %s", command, got, ran.err);
    ck_assert_msg(strncmp(ran.err, says, strlen(says)) == 0, "%s: %s", command, ran.err);
    ck_assert_ptr_eq(strchr(ran.err, '\n'), ran.err + strlen(ran.err) - 1);
    ck_assert_str_eq(ran.out, "");
}

START_TEST(labels_answer)
{
    static const char line[] = "From four labelled photographs (3 objects of class 1) alone, which "
                               "say more than photographs without labels",
                      caveat[] = "Caveat: 1 of the 4 photographs without an object of the class";
    static char out[sizeof ran.out];
    ck_assert_msg(run(ASK "--labels txt --class 1") == 0, "%s", ran.err);
    ck_assert_ptr_nonnull(strstr(ran.out, line));
    ck_assert_ptr_nonnull(strstr(ran.out, caveat));
    ck_assert_ptr_nonnull(strstr(ran.out, "The curve is that of a trainer.\n"));
    snprintf(out, sizeof out, "%s", ran.out);
    /* the same labels in files one by one */
    ck_assert_int_eq(run(ASK "--class 1 --labels txt/0142.txt --labels txt/0061.txt "
                             "--labels txt/0141.txt --labels txt/0063.txt"),
                     0);
    ck_assert_str_eq(ran.out, out);
    /* and as a data set, whose class has a name */
    ck_assert_int_eq(run(ASK "--labels set --class 1 | sed 's/of class One/of class 1/'"), 0);
    ck_assert_str_eq(ran.out, out);
#ifdef PTS_HAVE_JSON
    ck_assert_int_eq(
        run_program("cp %s %s/coco.json", test_data("coco-mini/polygons.json"), folder), 0);
    ck_assert_int_eq(run("mkdir images && cp *.jpg images && " ASK
                         "--labels coco.json --class One | sed 's/of class One/of class 1/'"),
                     0);
    ck_assert_ptr_nonnull(strstr(ran.out, line));
    ck_assert_int_eq(run(ASK "--labels txt --class 1 --json"), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"labels\": {\n  \"photographs\": 4,\n  \"showing\": 3,"
                                          "\n  \"objects\": 3\n }"));
    ck_assert_ptr_nonnull(strstr(ran.out, "\"encoder\": null"));
#endif
}
END_TEST

/* head.ptsw as it was before heads carried their curves' prior: old.ptsw. */
static void write_old_head(void)
{
    enum { MOST = 32 };
    static const char prefix[] = "population";
    pts_weights *w;
    pts_tensor tensors[MOST];
    pts_meta meta[MOST];
    size_t count = 0, metas = 0;
    ck_assert_int_eq(pts_weights_open(&w, in_folder("head.ptsw"), NULL), PTS_OK);
    ck_assert_uint_le(pts_weights_count(w) + pts_weights_meta_count(w), 2 * MOST);
    for (size_t i = 0; i < pts_weights_count(w); i++)
        if (strncmp(pts_weights_tensor(w, i)->name, prefix, strlen(prefix)) != 0)
            tensors[count++] = *pts_weights_tensor(w, i);
    for (size_t i = 0; i < pts_weights_meta_count(w); i++)
        if (strncmp(pts_weights_meta_at(w, i)->key, prefix, strlen(prefix)) != 0)
            meta[metas++] = *pts_weights_meta_at(w, i);
    ck_assert_uint_eq(pts_weights_count(w), count + 3);
    ck_assert_int_eq(pts_weights_write(in_folder("old.ptsw"), meta, metas, tensors, count, NULL),
                     PTS_OK);
    pts_weights_close(w);
}

/* Beside pilot results labels take no part: the answer is that of the past curves' prior, in one
 * thing only by an old head, which has none. */
START_TEST(pilot_results_take_the_place_of_labels)
{
    static const char words[] = "From 5 past curves of 5 data sets and 1 pilot result. The labels "
                                "take no part: beside pilot results they have not made forecasts "
                                "better.\nThe curve is that of a trainer.\n";
    pts_prior_file file;
    pts_head *head;
    char answer[2000];
    ck_assert_int_eq(run("printf 'n,map\\n9,0.2\\n' > pilot.csv"), 0);
    ck_assert_int_eq(pts_head_open(&head, in_folder("head.ptsw"), NULL), PTS_OK);
    ck_assert_int_eq(pts_head_population(head, &file), 1);
    ck_assert_int_eq(pts_prior_write(in_folder("own.txt"), &file, NULL), PTS_OK);
    pts_head_close(head);
    ck_assert_int_eq(run(P " --target 0.3 --pilot pilot.csv --prior ./own.txt"), 0);
    char *end = strstr(ran.out, "From 5 past curves");
    ck_assert_ptr_nonnull(end);
    snprintf(answer, sizeof answer, "%.*s%s", (int)(end - ran.out), ran.out, words);
    ck_assert_int_eq(run(ASK "--labels txt --class 1 --pilot pilot.csv"), 0);
    ck_assert_str_eq(ran.out, answer);
    write_old_head();
    ck_assert_int_eq(
        run(P " --head old.ptsw --target 0.3 " FOUR "--labels txt --class 1 --pilot pilot.csv"), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\nFrom four labelled photographs (3 objects of class 1) "
                                          "and 1 pilot result.\n"));
}
END_TEST

START_TEST(wrong_labels_are_refused)
{
    refused(2, P " --target 0.3 --labels txt",
            P ": --labels: expected their 4 photographs, got none\n");
    refused(2, ASK "--class 1", P ": --class: expected --labels with it, got none\n");
    refused(2, P " --target 0.3 --labels txt 0061.jpg", P ": expected 4 photographs, got 1\n");
    refused(2, P " --target 0.3 --labels txt --prior builtin",
            P ": expected either --prior or --labels, got both\n");
    refused(2, ASK "--labels txt -w x.ptsw",
            P ": --weights: expected none with --labels, which need no encoder\n");
    refused(2, ASK "--mode ptssp --labels txt",
            P ": --labels: expected none with --mode ptssp, which cannot use it\n");
    refused(2, ASK "--labels a.txt --labels b.txt --labels c.txt --labels d.txt --labels e.txt",
            P ": --labels: expected at most 4 files, got 5\n");
    refused(1, ASK "--labels txt/0061.txt --labels txt/0063.txt",
            P ": --labels: expected 0141.txt for 0141.jpg, got none\n");
    refused(1, ASK "--labels nowhere", P ": --labels: expected 0061.txt for 0061.jpg, got none\n");
    refused(1, ASK "--labels txt",
            P ": labels: expected a class to be named, as the photographs show several: 3, 0, 1, "
              "2\n");
    refused(1, ASK "--labels txt --class 9",
            P ": labels: expected a class by name or by number from 0 to 3, got '9'\n");
    refused(2, ASK "--labels txt --class 1 --head plain.ptsw",
            P ": --head: expected one, got 2 (two go with --mode ptssp)\n");
    refused(1, P " --head plain.ptsw --target 0.3 " FOUR "--labels txt --class 1",
            P
            ": plain.ptsw: expected a head that takes labels, got one that was trained without\n");
    refused(2, P " --head head.ptsw --target 0.3 head.ptsw " FOUR "--labels txt",
            P ": expected 4 photographs, got 5\n");
    refused(1,
            "echo x > x.jpg && " P " --head head.ptsw --target 0.3 x.jpg 0063.jpg 0141.jpg "
            "0142.jpg --labels txt --class 1",
            P ": x.jpg: ");
}
END_TEST

START_TEST(wrong_label_files_are_refused)
{
    refused(1, "echo '0 0.1 0.2' >> txt/0063.txt && " ASK "--labels txt --class 1",
            P ": txt/0063.txt: line 3: expected a polygon of at least 3 points, got 1\n");
    refused(1, "truncate -s 2M txt/0063.txt && " ASK "--labels txt --class 1",
            P ": txt/0063.txt: expected at most 1048576 bytes");
    refused(1,
            ": > txt/0061.txt && : > txt/0063.txt && : > txt/0141.txt && : > txt/0142.txt && " ASK
            "--labels txt",
            P ": labels: expected objects on the photographs, got none\n");
    refused(1, "rm set/train/images/0061.jpg && " ASK "--labels set --class 1",
            P ": set: expected one image called 0061.jpg, got 0\n");
    refused(1, "echo 'x' >> set/valid/labels/0078.txt && " ASK "--labels set --class 1",
            P ": set/valid/labels/0078.txt: line ");
}
END_TEST

#define TWO "a/1.jpg c/1.jpg 0141.jpg 0142.jpg "
#define ASK_TWO P " --head head.ptsw --target 0.3 --class 1 " TWO
#define OTHERS "--labels txt/0141.txt --labels txt/0142.txt "

/* Two photographs are called 1.jpg, in folders of their own. */
static void name_two_alike(void)
{
    ck_assert_int_eq(run("mkdir a c l && cp 0061.jpg a/1.jpg && cp 0063.jpg c/1.jpg && "
                         "cp txt/0061.txt a/1.txt && cp txt/0063.txt c/1.txt && "
                         "cp txt/0061.txt l/1.txt && cp txt/014?.txt l"),
                     0);
}

START_TEST(photographs_of_one_name_have_their_own_labels)
{
    static const char *const orders[] = {
        ASK_TWO "--labels a/1.txt --labels c/1.txt " OTHERS,
        ASK_TWO "--labels c/1.txt --labels a/1.txt " OTHERS,
    };
    static char out[sizeof ran.out];
    name_two_alike();
    ck_assert_int_eq(run(ASK "--labels txt --class 1"), 0);
    snprintf(out, sizeof out, "%s", ran.out);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        ck_assert_msg(run(orders[i]) == 0, "%s", ran.err);
        ck_assert_str_eq(ran.out, out);
    }
}
END_TEST

START_TEST(labels_that_two_photographs_could_claim_are_refused)
{
    name_two_alike();
    refused(1, ASK_TWO "--labels a/1.txt --labels l/1.txt " OTHERS,
            P ": --labels: expected one 1.txt for c/1.jpg, got 2\n");
    refused(1, ASK_TWO "--labels l/1.txt " OTHERS,
            P ": l/1.txt: expected labels of one photograph, got those of a/1.jpg and c/1.jpg\n");
    refused(1, ASK_TWO "--labels l",
            P ": l/1.txt: expected labels of one photograph, got those of a/1.jpg and c/1.jpg\n");
    refused(1,
            "cp 0063.jpg a/1.png && " P " --head head.ptsw --target 0.3 --class 1 a/1.jpg a/1.png "
            "0141.jpg 0142.jpg --labels a/1.txt " OTHERS,
            P ": a/1.txt: expected labels of one photograph, got those of a/1.jpg and a/1.png\n");
    refused(1,
            "mkdir b && cp 0061.jpg b && " P " --head head.ptsw --target 0.3 --class 1 0061.jpg "
            "b/0061.jpg 0141.jpg 0142.jpg --labels set",
            P ": set/train/images/0061.jpg: expected labels of one photograph, got those of "
              "0061.jpg and b/0061.jpg\n");
}
END_TEST

/* A set's own photographs are told apart by their whole paths. */
START_TEST(a_data_sets_own_photographs_may_share_a_name)
{
    static char out[sizeof ran.out];
    ck_assert_int_eq(run(ASK "--labels set --class 1"), 0);
    snprintf(out, sizeof out, "%s", ran.out);
    ck_assert_int_eq(run("cp 0142.jpg set/valid/images/0061.jpg && "
                         ": > set/valid/labels/0061.txt"),
                     0);
    refused(1, ASK "--labels set --class 1",
            P ": set: expected one image called 0061.jpg, got 2\n");
    ck_assert_msg(run(P " --head head.ptsw --target 0.3 set/train/images/0061.jpg 0063.jpg "
                        "0141.jpg 0142.jpg --labels set --class 1") == 0,
                  "%s", ran.err);
    ck_assert_str_eq(ran.out, out);
}
END_TEST

/* As in YOLO's data sets: no file, no objects; but a folder of other files is a mistake. */
START_TEST(a_photograph_without_a_file_has_no_objects)
{
    static char out[sizeof ran.out];
    ck_assert_int_eq(run(": > txt/0063.txt && " ASK "--labels txt --class 1"), 0);
    snprintf(out, sizeof out, "%s", ran.out);
    ck_assert_msg(run("rm txt/0063.txt && " ASK "--labels txt --class 1") == 0, "%s", ran.err);
    ck_assert_str_eq(ran.out, out);
    refused(1, "mkdir other && cp txt/0061.txt other/x.txt && " ASK "--labels other --class 1",
            P ": other: expected 0061.txt or labels of another photograph, got none\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("labels");
    TCase *plain = add_tcase(suite, "library", ""), *command = add_tcase(suite, "command", "");
    TCase *slow = add_tcase(suite, "slow", "slow");
    tcase_add_unchecked_fixture(command, train_heads, remove_heads);
    tcase_add_checked_fixture(plain, make_folder, remove_folder);
    tcase_add_checked_fixture(slow, make_folder, remove_folder);
    tcase_add_checked_fixture(command, fill_folder, remove_folder);
    tcase_add_test(slow, head_answers_what_was_evaluated);
    tcase_add_test(slow, labelled_part_survives_its_file);
    tcase_add_test(slow, population_is_that_of_the_curves);
    tcase_add_test(slow, forged_heads_are_refused);
    tcase_add_test(plain, files_become_sums);
    tcase_add_test(plain, malformed_lines_are_named);
    tcase_add_test(command, labels_answer);
    tcase_add_test(command, pilot_results_take_the_place_of_labels);
    tcase_add_test(command, wrong_labels_are_refused);
    tcase_add_test(command, wrong_label_files_are_refused);
    tcase_add_test(command, photographs_of_one_name_have_their_own_labels);
    tcase_add_test(command, labels_that_two_photographs_could_claim_are_refused);
    tcase_add_test(command, a_data_sets_own_photographs_may_share_a_name);
    tcase_add_test(command, a_photograph_without_a_file_has_no_objects);
    return run_suite(suite);
}
