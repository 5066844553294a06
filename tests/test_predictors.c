/* The rules that weigh measured curves, against closed forms; labels in numbers, against areas
 * known by hand. */
#include "check_main.h"

#include "learn/sweep.h"

#include <math.h>
#include <stdlib.h>

enum { KNOWN = 2 };
static const double votes[KNOWN] = {0.25, 0.75}, among[KNOWN * KNOWN] = {1, 0.2, 0.2, 1},
                    similar[KNOWN] = {0.9, -0.3};
static const predictor_fold fold = {KNOWN, 1, votes, similar, among, NULL, NULL};

START_TEST(neighbours_are_weighted_by_cosine)
{
    const double parameters[3] = {0.5};
    double w[KNOWN], a = 0.25 * exp(0.9 / 0.5), b = 0.75 * exp(-0.3 / 0.5);
    ck_assert_int_eq(pts_predictor_neighbours(&fold, parameters, w, NULL), PTS_OK);
    ck_assert_double_eq_tol(w[0], a / (a + b), 1e-14);
    ck_assert_double_eq_tol(w[0] + w[1], 1, 1e-14);
    ck_assert_int_eq(pts_predictor_nearest(&fold, parameters, w, NULL), PTS_OK);
    ck_assert_double_eq(w[0], 1);
    ck_assert_double_eq(w[1], 0);
}
END_TEST

/* The 2 × 2 system by Cramer's rule, the rest of the weight to the votes. */
START_TEST(process_solves_its_kernel)
{
    const double parameters[3] = {0.7, 0.4};
    double w[KNOWN], k = exp((0.2 - 1) / 0.7), p = 1 + 0.4 / 0.5, q = 1 + 0.4 / 1.5;
    double u = exp((0.9 - 1) / 0.7), v = exp((-0.3 - 1) / 0.7), det = p * q - k * k;
    double x = (u * q - v * k) / det, y = (v * p - u * k) / det, rest = 1 - x - y;
    ck_assert_int_eq(pts_predictor_process(&fold, parameters, w, NULL), PTS_OK);
    ck_assert_double_eq_tol(w[0], x + 0.25 * rest, 1e-13);
    ck_assert_double_eq_tol(w[1], y + 0.75 * rest, 1e-13);
}
END_TEST

/* Weights add up to 1, and labels that are those of the one class pull towards it. */
START_TEST(labels_pull_towards_their_like)
{
    const double labels[KNOWN * PREDICTOR_LABELS] = {0, -3, 0.1, 0.3, 0.5, 1, -1, 0.2, 0.9, 0};
    const double parameters[3] = {0.5, 0.3};
    for (int like = 0; like < KNOWN; like++) {
        predictor_fold asked = fold;
        double w[KNOWN];
        asked.labels = labels;
        asked.asked = labels + like * PREDICTOR_LABELS;
        ck_assert_int_eq(pts_predictor_labelled(&asked, parameters, w, NULL), PTS_OK);
        ck_assert_double_eq_tol(w[0] + w[1], 1, 1e-12);
        ck_assert_double_gt(w[like], votes[like] + 0.1);
    }
}
END_TEST

static void read_numbers(FILE *file, double *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(fscanf(file, "%lf", &to[i]), 1);
}

/* Weights and fitted curves against numpy and scipy (tests/data/learn/make_labelled.py). */
START_TEST(labelled_rule_is_that_of_numpy)
{
    enum { COUNT = 7, ROWS = 3, LABELS = PREDICTOR_LABELS, GRID = PREDICTOR_GRID };
    double v[COUNT], labels[COUNT * LABELS], asked[ROWS * LABELS], log_n[GRID],
        curves[COUNT * GRID], parameters[2], start[4], weights[ROWS * COUNT], fitted[ROWS * GRID],
        got[ROWS * COUNT], theta[4];
    FILE *file = fopen(test_data("learn/labelled.txt"), "r");
    ck_assert_ptr_nonnull(file);
    read_numbers(file, v, COUNT);
    read_numbers(file, labels, COUNT * LABELS);
    read_numbers(file, asked, ROWS * LABELS);
    read_numbers(file, log_n, GRID);
    read_numbers(file, curves, COUNT * GRID);
    read_numbers(file, parameters, 2);
    read_numbers(file, start, 4);
    read_numbers(file, weights, ROWS * COUNT);
    read_numbers(file, fitted, ROWS * GRID);
    fclose(file);
    const predictor_fold known = {COUNT, ROWS, v, NULL, NULL, labels, asked};
    ck_assert_int_eq(pts_predictor_labelled(&known, parameters, got, NULL), PTS_OK);
    for (int i = 0; i < ROWS * COUNT; i++)
        ck_assert_double_eq_tol(got[i], weights[i], 1e-12);
    for (int r = 0; r < ROWS; r++) {
        pts_predictor_theta(log_n, curves, got + r * COUNT, COUNT, start, theta);
        for (int g = 0; g < GRID; g++)
            ck_assert_double_eq_tol(pts_theta_value(theta, log_n[g], NULL), fitted[r * GRID + g],
                                    2e-4);
    }
}
END_TEST

/* A square of a quarter's side and a right triangle whose boxes meet, one far off, one crowd and
 * one of another class. */
START_TEST(labels_in_numbers)
{
    const float square[] = {0.25F, 0.25F, 0.5F, 0.25F, 0.5F, 0.5F, 0.25F, 0.5F},
                triangle[] = {0.375F, 0.375F, 0.875F, 0.375F, 0.375F, 0.875F},
                far[] = {0, 0, 0.125F, 0, 0.125F, 0.125F, 0, 0.125F};
    const size_t four[] = {4}, three[] = {3};
    const pts_instance instances[] = {
        {.class_id = 1, .points = 4, .xy = square, .parts = 1, .ends = four},
        {.class_id = 1, .points = 3, .xy = triangle, .parts = 1, .ends = three},
        {.class_id = 1, .points = 4, .xy = far, .parts = 1, .ends = four},
        {.class_id = 1, .crowd = 1, .points = 4, .xy = far, .parts = 1, .ends = four},
        {.class_id = 2, .points = 4, .xy = far, .parts = 1, .ends = four}};
    const double sizes[] = {0.25, sqrt(0.125), 0.125};
    double log_size = 0, squares = 0;
    for (int i = 0; i < 3; i++) {
        log_size += log(sizes[i] + 1e-4);
        squares += pow(log(sizes[i] + 1e-4), 2);
    }
    pts_label_sums sums;
    pts_label_sums_of(instances, 5, 1, &sums);
    ck_assert_double_eq(sums.objects, 3);
    ck_assert_double_eq_tol(sums.log_size, log_size, 1e-12);
    ck_assert_double_eq_tol(sums.log_size_squared, squares, 1e-12);
    ck_assert_double_eq_tol(sums.filled, 2.5, 1e-12);
    ck_assert_double_eq(sums.crowded, 2);
}
END_TEST

/* By bisection of the C library's erfc. */
static double normal_quantile(double p)
{
    double low = -8, high = 8;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(erfc(-middle / sqrt(2)) / 2 < p ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

/* SETS flat curves whose levels are the quantiles of a normal with `wider` times the deviation that
 * is claimed, all predicted to be in the middle. */
enum { SETS = 40 };
#define LEVEL_DEVIATION 0.03

static pts_tasks *make_levels(double wider)
{
    pts_tasks *tasks;
    ck_assert_int_eq(pts_tasks_create(&tasks, 1, "ab12", "keras", NULL), PTS_OK);
    for (int k = 0; k < SETS; k++) {
        const double level = 0.5 + wider * LEVEL_DEVIATION * normal_quantile((k + 0.5) / SETS);
        const double n[2] = {1000, 2000}, map[2] = {level, level};
        const float embedding = 0;
        char name[16];
        snprintf(name, sizeof name, "set%d", k);
        const pts_task task = {.dataset = name,
                               .class_name = "0",
                               .points = 2,
                               .n = n,
                               .map = map,
                               .images = 1,
                               .embeddings = &embedding};
        ck_assert_int_eq(pts_tasks_add(tasks, &task, NULL), PTS_OK);
    }
    return tasks;
}

static double calibrated(double wider)
{
    static const double mean[4] = {0.05, 1, 0, 0.5};
    static const double covariance[16] = {
        1e-12, 0, 0, 0, 0, 1e-12, 0, 0, 0, 0, 1e-12, 0, 0, 0, 0, LEVEL_DEVIATION * LEVEL_DEVIATION};
    const size_t thetas = (size_t)SETS * SETS * SWEEP_CHOICES * LINEAR_VIEWS;
    sweep s = {.tasks = SETS, .groups = SETS, .seed = 43};
    pts_tasks *tasks = make_levels(wider);
    s.data.tasks = tasks;
    s.theta = calloc(thetas, sizeof mean);
    ck_assert_ptr_nonnull(s.theta);
    for (size_t i = 0; i < thetas * 4; i++)
        s.theta[i] = mean[i % 4];
    double factor = pts_sweep_calibrate(&s, SIZE_MAX, 0, covariance, 1e-6);
    free(s.theta);
    pts_tasks_destroy(tasks);
    return factor;
}

/* Bands that are too narrow by a factor are widened by it and by what split conformal adds, the
 * quantile of 0.8·(1 + 1/40) over that of 0.8; 200 draws know a quantile to a tenth. Wide ones
 * stay, and 3 is the end. */
START_TEST(bands_are_widened_to_hold_what_they_promise)
{
    const double more = normal_quantile(0.5 + 0.41) / normal_quantile(0.9);
    ck_assert_double_eq_tol(calibrated(2), 2 * more, 0.2 * more);
    ck_assert_double_eq_tol(calibrated(1.5), 1.5 * more, 0.15 * more);
    ck_assert_double_eq(calibrated(0.5), 1);
    ck_assert_double_eq(calibrated(6), 3);
}
END_TEST

CHECK_SUITE("predictors", neighbours_are_weighted_by_cosine, process_solves_its_kernel,
            labels_pull_towards_their_like, labelled_rule_is_that_of_numpy, labels_in_numbers,
            bands_are_widened_to_hold_what_they_promise)
