/* The loss of the curve against central differences; the curve coordinates against pts/curve.h;
 * the head on synthetic tasks where photographs do and do not determine the curve; its file. */
#include "check_main.h"
#include "clip_file.h"

#include "nn/layers.h"
#include "learn/perceptron.h"
#include "learn/theta.h"
#include "pts/learn.h"
#include "pts/study.h"
#include "pts/lm.h"
#include "pts/weights.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* ---- the loss of the curve itself ---- */

/* The network in double precision and without any tile: one row x → y [sizes[layers]]. */
static void naive_row(const size_t *sizes, size_t layers, const double *p, const float *x,
                      double *y)
{
    double b[600];
    for (size_t i = 0; i < sizes[0]; i++)
        y[i] = x[i];
    for (size_t l = 0; l < layers; l++) {
        size_t in = sizes[l], out = sizes[l + 1];
        for (size_t o = 0; o < out; o++) {
            b[o] = p[in * out + o];
            for (size_t i = 0; i < in; i++)
                b[o] += y[i] * p[i * out + o];
            if (l + 1 < layers && b[o] < 0)
                b[o] = 0;
        }
        memcpy(y, b, out * sizeof *y);
        p += (in + 1) * out;
    }
}

enum { CURVE_ROWS = 5 };
static const double one_curve[4] = {0.03, 0.3, 4, 0.6};
static const double curve_share[CURVE_ROWS] = {0.3, 0.1, 0.25, 0.2, 0.15};
static const size_t curve_task[CURVE_ROWS] = {2, 0, 1, 2, 1};
static const size_t curve_sizes[] = {3, PERCEPTRON_HIDDEN, 4};

/* By the network above and pts/curve.h. */
static double naive_curve_loss(const linear_data *data, const double *parameters, const float *x)
{
    static const double unit[4] = {0.1, 0.5, 1.5, 0.3};
    double y[600], loss = 0;
    for (size_t r = 0; r < CURVE_ROWS; r++) {
        naive_row(curve_sizes, 2, parameters, x + r * curve_sizes[0], y);
        for (int i = 0; i < 4; i++)
            y[i] = one_curve[i] + unit[i] * y[i];
        pts_curve curve = {y[0], exp(y[1]), exp(y[2]), y[3]};
        for (size_t g = 0; g < LINEAR_GRID; g++) {
            size_t at = curve_task[r] * LINEAR_GRID + g;
            double residual = pts_curve_at(&curve, exp(data->log_n[at])) - data->target[at];
            loss += curve_share[r] * residual * residual / LINEAR_GRID;
        }
    }
    return loss;
}

START_TEST(curve_loss_through_the_network_equals_central_differences)
{
    double log_n[3 * LINEAR_GRID], target[3 * LINEAR_GRID], parameters[200];
    float x[CURVE_ROWS * 3], y[CURVE_ROWS * 4], dy[CURVE_ROWS * 4], gradient[200];
    const linear_data data = {.log_n = log_n, .target = target};
    const perceptron_batch batch = {&data, curve_task, curve_share, CURVE_ROWS};
    pts_rng rng = {12};
    for (size_t i = 0; i < 3 * LINEAR_GRID; i++) {
        log_n[i] = 0.5 * (double)(i % LINEAR_GRID) + 0.1 * (double)(i / LINEAR_GRID);
        target[i] = pts_rng_uniform(&rng);
    }
    for (size_t i = 0; i < CURVE_ROWS * 3; i++)
        x[i] = (float)pts_rng_normal(&rng);
    pts_mlp *mlp;
    ck_assert_int_eq(pts_perceptron_network(&mlp, 3, 5, NULL), PTS_OK);
    size_t count = pts_mlp_parameter_count(mlp);
    ck_assert_uint_eq(count, 4 * PERCEPTRON_HIDDEN + (PERCEPTRON_HIDDEN + 1) * 4);
    for (size_t i = 0; i < count; i++)
        parameters[i] = pts_mlp_parameters(mlp)[i];
    pts_mlp_forward_training(mlp, x, CURVE_ROWS, y, NULL);
    double loss = pts_perceptron_loss(&batch, one_curve, y, dy), scale = 0;
    ck_assert_double_le(fabs(loss - naive_curve_loss(&data, parameters, x)), 1e-6);
    ck_assert_int_eq(pts_mlp_backward(mlp, x, dy, CURVE_ROWS, NULL, gradient, NULL), PTS_OK);
    for (size_t i = 0; i < count; i++)
        scale = fmax(scale, fabs((double)gradient[i]));
    for (size_t i = 0; i < count; i++) {
        double old = parameters[i], h = 1e-6;
        parameters[i] = old + h;
        double up = naive_curve_loss(&data, parameters, x);
        parameters[i] = old - h;
        double expected = (up - naive_curve_loss(&data, parameters, x)) / (2 * h);
        parameters[i] = old;
        ck_assert_msg(fabs(gradient[i] - expected) <= 1e-5 * scale, "parameter %zu: %.9g, not %.9g",
                      i, (double)gradient[i], expected);
    }
    pts_mlp_destroy(mlp);
}
END_TEST

/* ---- curve coordinates ---- */

START_TEST(theta_is_the_curve)
{
    pts_rng rng = {2};
    for (int i = 0; i < 500; i++) {
        double theta[4] = {0.2 * pts_rng_normal(&rng), pts_rng_normal(&rng),
                           4 + 2 * pts_rng_normal(&rng), 0.5 + 0.3 * pts_rng_normal(&rng)};
        pts_curve curve = {theta[0], exp(theta[1]), exp(theta[2]), theta[3]};
        double log_n = 8 * pts_rng_uniform(&rng), own[4], other[4];
        double value = pts_theta_value(theta, log_n, own);
        double expected = pts_curve_gradient(&curve, exp(log_n), other);
        ck_assert_double_le(fabs(value - expected), 1e-12);
        for (int k = 0; k < 4; k++)
            ck_assert_double_le(fabs(own[k] - other[k]), 1e-10 * (1 + fabs(other[k])));
    }
}
END_TEST

/* A curve of nine sizes 2 … 512 with noise; returns its θ. */
enum { SIZES = 9 };
static void draw_curve(pts_rng *rng, const double theta[4], double noise, double *log_n,
                       double *map)
{
    for (int i = 0; i < SIZES; i++) {
        log_n[i] = log(2) * (i + 1);
        map[i] = pts_theta_value(theta, log_n[i], NULL) + noise * pts_rng_normal(rng);
    }
}

typedef struct whitened {
    const theta_prior *prior;
    theta_points points;
} whitened;

/* The same posterior as residuals, for the certified optimiser of pts/lm.h. */
static int whitened_residuals(void *user, const double *theta, double *r)
{
    const whitened *w = user;
    pts_curve curve = {theta[0], exp(theta[1]), exp(theta[2]), theta[3]};
    for (int i = 0; i < 4; i++) /* the weak prior is diagonal */
        r[i] = sqrt(w->prior->precision[i * 5]) * (theta[i] - w->prior->mean[i]);
    for (size_t i = 0; i < w->points.count; i++)
        r[4 + i] =
            (pts_curve_at(&curve, exp(w->points.log_n[i])) - w->points.map[i]) / w->prior->noise;
    return 0;
}

START_TEST(theta_fit_finds_the_mode)
{
    theta_prior prior;
    pts_theta_weak_prior(&prior);
    pts_lm *lm;
    ck_assert_int_eq(pts_lm_create(&lm, SIZES + 4, 4, NULL), PTS_OK);
    pts_rng rng = {3};
    for (int i = 0; i < 40; i++) {
        double theta[4] = {0.05 * pts_rng_normal(&rng), 0.3 + 0.5 * pts_rng_normal(&rng),
                           4 + pts_rng_normal(&rng), 0.5 + 0.2 * pts_rng_normal(&rng)};
        double log_n[SIZES], map[SIZES], found[4], covariance[16], expected[16];
        draw_curve(&rng, theta, 0.02, log_n, map);
        whitened w = {&prior, {SIZES, log_n, map}};
        pts_theta_fit(&prior, &w.points, found, covariance);
        pts_lm_problem problem = {.residuals = whitened_residuals, .user = &w};
        pts_lm_result result;
        ck_assert_int_eq(pts_lm_solve(lm, &problem, NULL, theta, &result, NULL), PTS_OK);
        pts_lm_covariance(lm, expected);
        for (int k = 0; k < 4; k++)
            ck_assert_double_le(fabs(found[k] - theta[k]), 1e-4);
        for (int k = 0; k < 16; k++)
            ck_assert_double_le(fabs(covariance[k] - expected[k]), 1e-3);
    }
    pts_lm_destroy(lm);
}
END_TEST

START_TEST(spread_of_a_population_is_found)
{
    enum { CURVES = 400 };
    static double log_n[CURVES][SIZES], map[CURVES][SIZES], means[CURVES * 4], thetas[CURVES * 4];
    static theta_points points[CURVES];
    const double deviation[4] = {0.03, 0.3, 0.8, 0.12};
    pts_rng rng = {8};
    for (size_t c = 0; c < CURVES; c++) {
        const double mean[4] = {0.05, 0.3, 3.5, 0.6};
        double theta[4], common = pts_rng_normal(&rng);
        for (size_t k = 0; k < 4; k++) /* ln C and D are correlated by −0.64 */
            theta[k] = mean[k] + deviation[k] * pts_rng_normal(&rng);
        theta[2] = mean[2] + deviation[2] * (0.8 * common + 0.6 * pts_rng_normal(&rng));
        theta[3] = mean[3] - deviation[3] * (0.8 * common + 0.6 * pts_rng_normal(&rng));
        draw_curve(&rng, theta, 0.02, log_n[c], map[c]);
        memcpy(means + c * 4, mean, sizeof mean);
        memcpy(thetas + c * 4, theta, sizeof theta);
        points[c] = (theta_points){SIZES, log_n[c], map[c]};
    }
    double covariance[16], lower[16], noise;
    pts_theta_spread(points, means, thetas, CURVES, covariance, &noise);
    ck_assert_int_eq(pts_theta_cholesky(covariance, lower), 1);
    ck_assert_double_le(fabs(noise / 0.02 - 1), 0.1);
    /* The floors add to each variance; ln B's is a tenth of a unit, so look past them. */
    ck_assert_double_le(fabs(sqrt(covariance[10]) / hypot(0.8, 0.3) - 1), 0.15);
    ck_assert_double_le(fabs(sqrt(covariance[15]) / hypot(0.12, 0.03) - 1), 0.15);
    ck_assert_double_le(fabs(covariance[11] / (-0.64 * 0.8 * 0.12) - 1), 0.25);
}
END_TEST

/* ---- synthetic tasks ---- */

enum { DIM = 24, IMAGES = 30 };

/* Data sets of two classes. `told`: the curve follows the data set's look; else chance. */
static pts_tasks *make_tasks(size_t sets, int told, uint64_t seed)
{
    pts_rng rng = {seed};
    pts_tasks *tasks;
    double direction[DIM], log_n[SIZES], n[SIZES], map[SIZES];
    float embeddings[IMAGES * DIM];
    ck_assert_int_eq(pts_tasks_create(&tasks, DIM, "ab12", "keras", NULL), PTS_OK);
    for (size_t d = 0; d < DIM; d++)
        direction[d] = pts_rng_normal(&rng);
    for (size_t s = 0; s < 2 * sets; s++) {
        char dataset[16], name[16];
        static double look;
        if (s % 2 == 0)
            look = pts_rng_normal(&rng);
        double u = told ? look : pts_rng_normal(&rng);
        double theta[4] = {0.02, 0.3, 3.5 - 1.2 * u, 0.5 + 0.1 * u};
        draw_curve(&rng, theta, 0.01, log_n, map);
        for (int i = 0; i < SIZES; i++) {
            n[i] = round(exp(log_n[i]));
            map[i] = fmin(fmax(map[i], 0), 1);
        }
        for (size_t i = 0; i < IMAGES * DIM; i++)
            embeddings[i] = (float)(look * direction[i % DIM] + pts_rng_normal(&rng));
        snprintf(dataset, sizeof dataset, "set-%zu", s / 2);
        snprintf(name, sizeof name, "class-%zu", s % 2);
        pts_label_sums labels[IMAGES];
        for (size_t i = 0; i < IMAGES; i++)
            labels[i] =
                (pts_label_sums){.objects = 1, .log_size = look, .log_size_squared = look * look};
        pts_task task = {.dataset = dataset,
                         .class_name = name,
                         .points = SIZES,
                         .n = n,
                         .map = map,
                         .images = IMAGES,
                         .embeddings = embeddings,
                         .labels = labels};
        ck_assert_int_eq(pts_tasks_add(tasks, &task, NULL), PTS_OK);
    }
    ck_assert_uint_eq(pts_tasks_datasets(tasks), sets);
    return tasks;
}

static pts_score lodo(const pts_tasks *tasks, pts_method method, pts_lodo_report *report)
{
    pts_lodo_report own;
    if (!report)
        report = &own;
    pts_team *team;
    pts_team_create(&team, 2, NULL);
    ck_assert_int_eq(pts_evaluate_lodo(report, tasks, 1, team, NULL, NULL, NULL), PTS_OK);
    pts_team_destroy(team);
    pts_score score = report->overall.score[method];
    if (report == &own)
        pts_lodo_report_free(report);
    return score;
}

START_TEST(photographs_that_tell_beat_the_mean_curve)
{
    pts_tasks *tasks = make_tasks(8, 1, 21);
    pts_lodo_report report;
    lodo(tasks, PTS_METHOD_MLP, &report);
    pts_score mean = report.overall.score[PTS_METHOD_MEAN_CURVE];
    ck_assert_uint_eq(report.count, 8);
    ck_assert_uint_ge(report.components, 1);
    static const pts_method methods[] = {PTS_METHOD_MLP, PTS_METHOD_MEAN, PTS_METHOD_NEIGHBOURS,
                                         PTS_METHOD_ENSEMBLE, PTS_METHOD_LABELLED};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        pts_method m = methods[i];
        pts_score head = report.overall.score[m];
        /* Averages of 14 curves cannot follow as closely as what has a slope. */
        ck_assert_double_le(head.mae, (m <= PTS_METHOD_MEAN ? 0.5 : 0.6) * mean.mae);
        ck_assert_double_le(head.log2_ratio, 0.6 * mean.log2_ratio);
        ck_assert_double_ge(head.within_2, mean.within_2);
        ck_assert_double_ge(head.covered_80, 0.6);
        ck_assert_double_ge(report.gain[m], 2 * report.gain_error[m]);
    }
    ck_assert(isnan(report.overall.score[PTS_METHOD_NEAREST].covered_80));
    ck_assert_double_eq(report.gain[PTS_METHOD_MEAN_CURVE], 0);
    pts_lodo_report_free(&report);
    pts_tasks_destroy(tasks);
}
END_TEST

/* Choosing from chance costs something in a few populations; on average over populations it must
 * cost the mean head next to nothing, and what ships must be the one curve. The mlp head always
 * looks: its loss is bounded. */
START_TEST(photographs_that_tell_nothing_do_little_harm)
{
    double mlp = 0, head = 0, mean = 0;
    for (uint64_t seed = 31; seed < 34; seed++) {
        pts_tasks *tasks = make_tasks(8, 0, seed);
        pts_lodo_report report;
        mlp += lodo(tasks, PTS_METHOD_MLP, &report).mae;
        head += report.overall.score[PTS_METHOD_MEAN].mae;
        mean += report.overall.score[PTS_METHOD_MEAN_CURVE].mae;
        ck_assert_double_le(report.overall.score[PTS_METHOD_MLP].mae,
                            1.1 * report.overall.score[PTS_METHOD_MEAN_CURVE].mae);
        ck_assert_uint_eq(report.components, 0);
        ck_assert_double_gt(report.mlp_shrinkage, 0);
        pts_lodo_report_free(&report);
        pts_tasks_destroy(tasks);
    }
    ck_assert_double_le(head, 1.02 * mean);
    ck_assert_double_le(mlp, 1.02 * mean);
}
END_TEST

/* The same tasks, each size trained three times; set: the trainings, borrowed by the tasks. */
static pts_tasks *with_repeats(const pts_tasks *from, pts_curve_set *set)
{
    enum { SEEDS = 3 };
    pts_rng rng = {12};
    pts_tasks *tasks;
    ck_assert_int_eq(pts_tasks_create(&tasks, DIM, "ab12", "keras", NULL), PTS_OK);
    for (size_t t = 0; t < set->count; t++) {
        pts_task task = *pts_tasks_at(from, t);
        pts_curve_points *c = &set->curves[t];
        double mean[SIZES] = {0};
        c->dataset = task.dataset;
        c->class_name = task.class_name;
        c->count = SEEDS * SIZES;
        c->n = calloc(c->count, sizeof *c->n);
        c->map = calloc(c->count, sizeof *c->map);
        for (size_t i = 0; i < c->count; i++) {
            c->n[i] = task.n[i / SEEDS];
            c->map[i] = fmin(fmax(task.map[i / SEEDS] + 0.03 * pts_rng_normal(&rng), 0), 1);
            mean[i / SEEDS] += c->map[i] / SEEDS;
        }
        task.map = mean;
        task.measured = c;
        ck_assert_int_eq(pts_tasks_add(tasks, &task, NULL), PTS_OK);
    }
    return tasks;
}

/* Means over the curves that pts_extrapolate scores. */
static void check_population(const pts_pilot_row *row, const pts_curve_set *set)
{
    pts_forecast_score *scores = calloc(set->count, sizeof *scores);
    double mae = 0, covered = 0, count = 0;
    ck_assert_int_eq(
        pts_extrapolate(set, row->upto, PTS_FORECAST_POSTERIOR, NULL, NULL, scores, NULL), PTS_OK);
    for (size_t i = 0; i < set->count; i++)
        if (isfinite(scores[i].mae))
            mae += scores[i].mae, covered += scores[i].covered_80, count++;
    ck_assert_double_gt(count, 0);
    ck_assert_uint_eq(row->curves, (size_t)count);
    ck_assert_double_eq_tol(row->mae[PTS_PILOT_POPULATION], mae / count, 1e-12);
    ck_assert_double_eq_tol(row->covered_80[PTS_PILOT_POPULATION], covered / count, 1e-12);
    ck_assert(row->gain[PTS_PILOT_POPULATION] == 0);
    free(scores);
}

/* The population's forecasts are those of pts_extrapolate, training by training; photographs that
 * tell all help without pilot sizes, and less with them. */
START_TEST(pilot_sizes_with_photographs_and_without)
{
    const double upto[] = {0, 30, 1e9};
    pts_tasks *means = make_tasks(8, 1, 21);
    pts_curve_points curves[16] = {{.count = 0}};
    pts_curve_set set = {.curves = curves, .count = 16};
    pts_tasks *tasks = with_repeats(means, &set);
    pts_pilot_row rows[3], again[3];
    pts_team *team;
    pts_error err;
    pts_team_create(&team, 2, NULL);
    ck_assert_int_eq(pts_evaluate_pilot(tasks, upto, 3, rows, 43, team, NULL, NULL, NULL), PTS_OK);
    ck_assert_int_eq(pts_evaluate_pilot(tasks, upto, 3, again, 43, NULL, NULL, NULL, NULL), PTS_OK);
    for (int i = 0; i < 2; i++) {
        check_population(&rows[i], &set);
        ck_assert_uint_eq(rows[i].datasets, 8);
        for (int k = 0; k < PTS_PILOT_PRIORS; k++) {
            ck_assert(rows[i].mae[k] == again[i].mae[k]);
            ck_assert(rows[i].covered_80[k] >= 0 && rows[i].covered_80[k] <= 1);
        }
    }
    ck_assert_uint_eq(rows[2].curves, 0); /* no size beyond */
    ck_assert_double_gt(rows[0].gain[PTS_PILOT_HEAD], 2 * rows[0].gain_error[PTS_PILOT_HEAD]);
    ck_assert_double_gt(rows[0].gain[PTS_PILOT_LABELLED], 0);
    ck_assert_double_lt(rows[1].gain[PTS_PILOT_HEAD], rows[0].gain[PTS_PILOT_HEAD] / 2);
    ck_assert_double_lt(rows[1].mae[PTS_PILOT_HEAD], rows[0].mae[PTS_PILOT_HEAD]);
    ck_assert_int_eq(
        pts_evaluate_pilot(tasks, (double[]){NAN}, 1, rows, 43, NULL, NULL, NULL, &err),
        PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "pilot: expected a size of at least 0, got nan");
    for (size_t t = 0; t < set.count; t++)
        free(curves[t].n), free(curves[t].map);
    pts_team_destroy(team);
    pts_tasks_destroy(means);
    pts_tasks_destroy(tasks);
}
END_TEST

START_TEST(a_gain_in_words)
{
    ck_assert_str_eq(pts_gain_verdict(0.01, 0.02), "no difference beyond the standard error");
    ck_assert_str_eq(pts_gain_verdict(0.03, 0.02),
                     "ahead of the mean curve by one to two standard errors");
    ck_assert_str_eq(pts_gain_verdict(-0.05, 0.02),
                     "loses to the mean curve by more than two standard errors");
}
END_TEST

/* ---- the head ---- */

static char *slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    char *data = malloc(1 << 20);
    *size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

static pts_head *train(const pts_tasks *tasks, pts_head_options options, int threads)
{
    pts_team *team;
    pts_head *head;
    pts_error err;
    pts_team_create(&team, threads, NULL);
    pts_status status = pts_head_train(&head, tasks, &options, team, NULL, NULL, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    pts_team_destroy(team);
    return head;
}

static const pts_head_kind ours[] = {PTS_HEAD_MLP, PTS_HEAD_MEAN};

static void check_same_head(pts_head_kind kind)
{
    pts_tasks *tasks = make_tasks(4, 1, 5);
    pts_head_options options = PTS_HEAD_DEFAULTS;
    options.kind = kind;
    char path[] = "/tmp/pts_test_head_XXXXXX", *bytes[2];
    size_t size[2];
    close(mkstemp(path));
    for (int k = 0; k < 2; k++) {
        pts_head *head = train(tasks, options, 1 + 2 * k);
        ck_assert_int_eq(pts_head_write(head, path, NULL), PTS_OK);
        pts_head_close(head);
        bytes[k] = slurp(path, &size[k]);
    }
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_int_eq(memcmp(bytes[0], bytes[1], size[0]), 0);
    free(bytes[0]), free(bytes[1]);
    unlink(path);
    pts_tasks_destroy(tasks);
}

START_TEST(same_seed_same_head)
{
    for (int k = 0; k < 2; k++)
        check_same_head(ours[k]);
}
END_TEST

static void check_survival(pts_head_kind kind)
{
    pts_tasks *tasks = make_tasks(5, 1, 6);
    pts_head_options options = PTS_HEAD_DEFAULTS;
    options.kind = kind;
    char path[] = "/tmp/pts_test_head_XXXXXX";
    close(mkstemp(path));
    pts_head *head = train(tasks, options, 2), *again;
    ck_assert_int_eq(pts_head_write(head, path, NULL), PTS_OK);
    ck_assert_int_eq(pts_head_open(&again, path, NULL), PTS_OK);
    ck_assert_str_eq(pts_head_encoder_id(again), "ab12");
    ck_assert_str_eq(pts_head_preset(again), "keras");
    ck_assert_uint_eq(pts_head_dim(again), DIM);
    ck_assert_int_eq(pts_head_kind_of(again), kind);
    ck_assert_int_eq(pts_head_uses_photographs(head), 1);
    ck_assert_int_eq(pts_head_uses_photographs(again), 1);
    ck_assert_str_eq(pts_head_summary(again), pts_head_summary(head));
    ck_assert_ptr_nonnull(strstr(pts_head_summary(again), "wins against the mean curve"));
    const float *photographs = pts_tasks_at(tasks, 3)->embeddings;
    float turned[5 * DIM];
    for (size_t k = 0; k < 5; k++)
        memcpy(turned + k * DIM, photographs + (4 - k) * DIM, DIM * sizeof(float));
    pts_curve_prior a, b, c;
    ck_assert_int_eq(pts_head_predict(head, photographs, 5, &a, NULL), PTS_OK);
    ck_assert_int_eq(pts_head_predict(again, photographs, 5, &b, NULL), PTS_OK);
    ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
    ck_assert_int_eq(pts_head_predict(head, turned, 5, &c, NULL), PTS_OK);
    for (int i = 0; i < 4; i++) /* the order of the photographs does not matter */
        ck_assert_double_le(fabs(a.mean[i] - c.mean[i]), 1e-9);
    double lower[16];
    ck_assert_int_eq(pts_theta_cholesky(a.covariance, lower), 1);
    ck_assert_double_gt(a.noise, 0);
    pts_head_close(head);
    pts_head_close(again);
    unlink(path);
    pts_tasks_destroy(tasks);
}

START_TEST(head_survives_its_file)
{
    for (int k = 0; k < 2; k++)
        check_survival(ours[k]);
}
END_TEST

/* Where photographs tell nothing the mean head says so; the mlp head still looks at them. */
START_TEST(heads_say_whether_they_look)
{
    pts_tasks *tasks = make_tasks(4, 0, 31);
    for (int k = 0; k < 2; k++) {
        pts_head_options options = PTS_HEAD_DEFAULTS;
        options.kind = ours[k];
        pts_head *head = train(tasks, options, 2);
        pts_curve_prior a, b;
        pts_head_predict(head, pts_tasks_at(tasks, 0)->embeddings, 4, &a, NULL);
        pts_head_predict(head, pts_tasks_at(tasks, 2)->embeddings, 4, &b, NULL);
        ck_assert_int_eq(pts_head_uses_photographs(head), ours[k] == PTS_HEAD_MLP);
        ck_assert_int_eq(memcmp(a.mean, b.mean, sizeof a.mean) != 0, ours[k] == PTS_HEAD_MLP);
        pts_head_close(head);
    }
    pts_tasks_destroy(tasks);
}
END_TEST

/* Against the room that trains: the same sums in the same order (to the bit where the processor's
 * level has panels; OpenBLAS, the lowest, has an order of its own). */
START_TEST(plain_networks_answer_as_trained_ones)
{
    perceptron_model model = {.components = 3};
    double step[4], expected[4] = {0};
    const float scores[3] = {0.7f, -1.3f, 2.1f};
    for (size_t m = 0; m < PERCEPTRON_MEMBERS; m++) {
        pts_mlp *mlp;
        float y[4];
        ck_assert_int_eq(pts_perceptron_network(&mlp, 3, m + 1, NULL), PTS_OK);
        ck_assert_uint_eq(pts_mlp_parameter_count(mlp), PERCEPTRON_PARAMETERS(3));
        pts_mlp_bias(mlp, 0)[2] = 0.3f;
        pts_mlp_bias(mlp, 1)[1] = -0.2f;
        memcpy(model.members + m * PERCEPTRON_PARAMETERS(3), pts_mlp_parameters(mlp),
               PERCEPTRON_PARAMETERS(3) * sizeof(float));
        ck_assert_int_eq(pts_mlp_forward(mlp, scores, 1, y, NULL), PTS_OK);
        for (int i = 0; i < 4; i++)
            expected[i] += (double)y[i] / PERCEPTRON_MEMBERS;
        pts_mlp_destroy(mlp);
    }
    pts_perceptron_step(&model, scores, step);
    for (int i = 0; i < 4; i++)
        ck_assert_double_le(fabs(step[i] - expected[i]), 1e-6);
}
END_TEST

static pts_head *head_for(const char *encoder, size_t dim)
{
    pts_tasks *tasks;
    float rows[4 * 12];
    const double n[] = {2, 20, 200};
    pts_rng rng = {dim};
    pts_head_options options = PTS_HEAD_DEFAULTS;
    options.kind = PTS_HEAD_MEAN;
    ck_assert_int_eq(pts_tasks_create(&tasks, dim, encoder, "clip", NULL), PTS_OK);
    for (int t = 0; t < 3; t++) {
        const char name[] = {(char)('a' + t), 0};
        const double map[] = {0.1, 0.2 + 0.05 * t, 0.4 + 0.1 * t};
        for (size_t i = 0; i < 4 * dim; i++)
            rows[i] = (float)pts_rng_normal(&rng);
        const pts_task task = {name, "c", 3, n, map, 4, rows, NULL, NULL, NULL};
        ck_assert_int_eq(pts_tasks_add(tasks, &task, NULL), PTS_OK);
    }
    pts_head *head = train(tasks, options, 1);
    pts_tasks_destroy(tasks);
    return head;
}

START_TEST(heads_say_whether_they_fit_an_encoder)
{
    static const clip_shape tiny = {"tiny", 8, 2, 24, 1, 2, 32, 6, "gelu"};
    char path[] = "/tmp/pts_test_encoder_XXXXXX", expected[256];
    pts_encoder *encoder;
    pts_error err = {""};
    close(mkstemp(path));
    clip_file_write(clip_file_make(&tiny), path);
    ck_assert_int_eq(pts_encoder_open(&encoder, path, NULL, NULL), PTS_OK);
    const char *id = pts_encoder_id(encoder);
    pts_head *same = head_for(id, 6), *masks = head_for(id, 12), *other = head_for("abc", 6);
    ck_assert(pts_head_goes_with(same, encoder) && pts_head_goes_with(masks, encoder));
    ck_assert(!pts_head_goes_with(other, encoder));
    ck_assert_int_eq(pts_head_check_encoder(same, "h", encoder, "e", &err), PTS_OK);
    ck_assert_int_eq(pts_head_check_encoder(masks, "h", encoder, "e", &err), PTS_ERR_UNSUPPORTED);
    ck_assert_str_eq(err.message, "h: expected a head for embeddings of 6 numbers, got one for 12 "
                                  "(trained with label masks)");
    ck_assert_int_eq(pts_head_check_encoder(other, "h", encoder, "e", &err), PTS_ERR_FORMAT);
    snprintf(expected, sizeof expected,
             "h: expected the encoder it was trained with (abc…), got e (%.12s…)", id);
    ck_assert_str_eq(err.message, expected);
    pts_head_close(same), pts_head_close(masks), pts_head_close(other);
    pts_encoder_close(encoder);
    unlink(path);
}
END_TEST

/* 200 bytes of two-byte characters: 127 fit, of which the last is half a character. */
START_TEST(long_trainers_end_with_a_whole_character)
{
    char long_name[201], path[] = "/tmp/pts_test_prior_XXXXXX";
    for (int i = 0; i < 200; i += 2)
        memcpy(long_name + i, "é", 2);
    long_name[200] = '\0';
    pts_tasks *tasks = make_tasks(3, 1, 9);
    pts_head_options options = PTS_HEAD_DEFAULTS;
    options.kind = PTS_HEAD_MEAN;
    options.trainer = long_name;
    pts_head *head = train(tasks, options, 2);
    pts_prior_file prior, back;
    ck_assert_str_eq(pts_head_trainer(head), long_name);
    ck_assert_int_eq(pts_head_population(head, &prior), 1);
    ck_assert_uint_eq(strlen(prior.trainer), 126);
    ck_assert_mem_eq(prior.trainer, long_name, 126);
    close(mkstemp(path));
    ck_assert_int_eq(pts_prior_write(path, &prior, NULL), PTS_OK);
    size_t size;
    char *text = slurp(path, &size), *at;
    text[size] = '\0';
    FILE *file = fopen(path, "w");
    at = strstr(text, prior.trainer);
    fprintf(file, "%.*s%s%s", (int)(at - text), text, long_name, at + 126);
    fclose(file);
    ck_assert_int_eq(pts_prior_read(path, &back, NULL), PTS_OK);
    ck_assert_str_eq(back.trainer, prior.trainer);
    free(text);
    unlink(path);
    pts_head_close(head);
    pts_tasks_destroy(tasks);
}
END_TEST

START_TEST(study_head_recognises_its_curves)
{
    pts_tasks *tasks = make_tasks(4, 1, 7);
    pts_study_options options = PTS_STUDY_DEFAULTS;
    options.seed = 3;
    options.epochs = 8;
    options.batch = options.combinations = 32;
    options.trainer = "YOLOv8m-seg";
    char path[] = "/tmp/pts_test_head_XXXXXX";
    close(mkstemp(path));
    pts_study_report report;
    pts_team *team;
    pts_team_create(&team, 2, NULL);
    ck_assert_int_eq(pts_evaluate_study(&report, tasks, &options, team, NULL, NULL, NULL), PTS_OK);
    pts_team_destroy(team);
    ck_assert_uint_eq(report.samples_train, 8 * 32);
    ck_assert_uint_eq(report.samples_test, 8 * 5); /* sets of four of five photographs */
    ck_assert_double_le(report.smape[2],
                        0.7 * report.smape_constant[2]); /* C: what its loss sees */
    pts_head *head, *again;
    ck_assert_int_eq(pts_study_head_train(&head, tasks, &options, NULL, NULL, NULL, NULL), PTS_OK);
    ck_assert_int_eq(pts_head_write(head, path, NULL), PTS_OK);
    ck_assert_int_eq(pts_head_open(&again, path, NULL), PTS_OK);
    ck_assert_str_eq(pts_head_trainer(again), "YOLOv8m-seg");
    const float *photographs = pts_tasks_at(tasks, 0)->embeddings;
    pts_curve_prior a, b;
    pts_error err;
    ck_assert_int_eq(pts_head_predict(head, photographs, 4, &a, NULL), PTS_OK);
    ck_assert_int_eq(pts_head_predict(again, photographs, 4, &b, NULL), PTS_OK);
    ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
    ck_assert_int_eq(pts_head_predict(again, photographs, 5, &b, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "head: this one takes exactly four photographs, got 5");
    pts_head_close(head);
    pts_head_close(again);
    unlink(path);
    pts_tasks_destroy(tasks);
}
END_TEST

/* ---- bad input ---- */

START_TEST(tasks_refuse)
{
    pts_tasks *tasks;
    pts_error err;
    ck_assert_int_eq(pts_tasks_create(&tasks, 0, "", "", &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "embedding: expected 1 … 65536 numbers, got 0");
    ck_assert_int_eq(pts_tasks_create(&tasks, 2, "id", "keras", &err), PTS_OK);
    double n[] = {2, 4}, map[] = {0.1, 0.2}, back[] = {4, 2}, high[] = {0.1, 57}, nan[] = {0, NAN};
    float e[] = {1, 2, 3, NAN};
    pts_task good = {"d", "c", 2, n, map, 1, e, NULL, NULL, NULL}, t = good;
    t.points = 1;
    ck_assert_int_eq(pts_tasks_add(tasks, &t, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "d: class c: expected at least 2 points, got 1");
    t = good, t.n = back;
    ck_assert_int_eq(pts_tasks_add(tasks, &t, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "d: class c: point 2: expected a size of 1 … 1e9 above the one "
                                  "before, got 2");
    t = good, t.map = high;
    ck_assert_int_eq(pts_tasks_add(tasks, &t, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "d: class c: point 2: expected an mAP in 0 … 1, got 57");
    t = good, t.map = nan;
    ck_assert_int_eq(pts_tasks_add(tasks, &t, &err), PTS_ERR_ARGUMENT);
    t = good, t.repeats = nan;
    ck_assert_int_eq(pts_tasks_add(tasks, &t, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "d: class c: point 1: expected repeats above 0, got 0");
    t = good, t.images = 0;
    ck_assert_int_eq(pts_tasks_add(tasks, &t, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "d: class c: expected at least 1 photograph, got 0");
    t = good, t.images = 2;
    ck_assert_int_eq(pts_tasks_add(tasks, &t, &err), PTS_ERR_NUMERIC);
    ck_assert_str_eq(err.message, "d: class c: photograph 2: its embedding is not finite");
    ck_assert_uint_eq(pts_tasks_count(tasks), 0);
    pts_tasks_destroy(tasks);
}
END_TEST

START_TEST(training_refuses)
{
    pts_tasks *tasks = make_tasks(2, 1, 1);
    pts_head_options options = PTS_HEAD_DEFAULTS;
    pts_head *head;
    pts_study_report report;
    pts_error err;
    ck_assert_int_eq(pts_head_train(&head, tasks, &options, NULL, NULL, NULL, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "curves: expected at least 3 data sets (one is predicted from "
                                  "the others), got 2");
    ck_assert_ptr_null(head);
    options.kind = PTS_HEAD_STUDY;
    ck_assert_int_eq(pts_head_train(&head, tasks, &options, NULL, NULL, NULL, &err),
                     PTS_ERR_ARGUMENT);
    pts_study_options study = PTS_STUDY_DEFAULTS;
    study.batch = 0;
    ck_assert_int_eq(pts_evaluate_study(&report, tasks, &study, NULL, NULL, NULL, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "batch: expected 1 … 4096, got 0");
    double n[] = {2, 4}, map[] = {0.1, 0.2};
    float *e = calloc(23 * DIM, sizeof *e);
    pts_task few = {"few", "c", 2, n, map, 23, e, NULL, NULL, NULL};
    ck_assert_int_eq(pts_tasks_add(tasks, &few, NULL), PTS_OK);
    study.batch = 8;
    ck_assert_int_eq(pts_evaluate_study(&report, tasks, &study, NULL, NULL, NULL, &err),
                     PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "few: class c: expected at least 24 photographs (four in each "
                                  "part of 0.7, 0.15, 0.15), got 23");
    free(e);
    pts_tasks_destroy(tasks);
}
END_TEST

static int stop_at_once(void *user, const char *stage, size_t done, size_t total)
{
    (void)user, (void)stage, (void)done, (void)total;
    return 1;
}

START_TEST(training_can_be_stopped)
{
    pts_tasks *tasks = make_tasks(3, 1, 1);
    pts_head_options options = PTS_HEAD_DEFAULTS;
    pts_head *head;
    pts_error err;
    ck_assert_int_eq(pts_head_train(&head, tasks, &options, NULL, stop_at_once, NULL, &err),
                     PTS_ERR_CANCELLED);
    ck_assert_str_eq(err.message, "stopped at fold 0 of 6");
    pts_tasks_destroy(tasks);
}
END_TEST

typedef struct bad_head {
    pts_meta meta[6];
    size_t metas;
    pts_status status;
    const char *message;
} bad_head;

START_TEST(head_files_are_checked)
{
    static const bad_head cases[] = {
        {{{"arch", "inception_v3"}},
         1,
         PTS_ERR_FORMAT,
         "expected a head, got architecture 'inception_v3'"},
        {{{"arch", "head"}, {"kind", "tall"}},
         2,
         PTS_ERR_UNSUPPORTED,
         "kind of head: expected 'mlp', 'mean' or 'study', got 'tall'"},
        {{{"arch", "head"}, {"kind", "mean"}, {"dim", "0x"}},
         3,
         PTS_ERR_FORMAT,
         "dim: expected 1 … 65536, got '0x'"},
        {{{"arch", "head"}, {"kind", "mean"}, {"dim", "3"}},
         3,
         PTS_ERR_FORMAT,
         "metadata: expected a value for 'encoder', got none"},
    };
    char path[] = "/tmp/pts_test_head_XXXXXX";
    close(mkstemp(path));
    float covariance[16] = {0};
    pts_tensor tensor = {"covariance", PTS_F32, 2, {4, 4, 1, 1}, covariance, sizeof covariance};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pts_head *head;
        pts_error err;
        char expected[512];
        ck_assert_int_eq(pts_weights_write(path, cases[i].meta, cases[i].metas, &tensor, 1, NULL),
                         PTS_OK);
        ck_assert_int_eq(pts_head_open(&head, path, &err), cases[i].status);
        snprintf(expected, sizeof expected, "%s: %s", path, cases[i].message);
        ck_assert_str_eq(err.message, expected);
        ck_assert_ptr_null(head);
    }
    unlink(path);
}
END_TEST

START_TEST(head_tensors_are_checked)
{
    char path[] = "/tmp/pts_test_head_XXXXXX", expected[512];
    close(mkstemp(path));
    const pts_meta meta[] = {{"arch", "head"},  {"kind", "mean"},    {"dim", "2"},
                             {"encoder", "id"}, {"preset", "keras"}, {"datasets", "a,b,c"},
                             {"trainer", "t"}};
    float covariance[16] = {0}, noise = 0.02f, map[8] = {0}, four[4] = {0};
    pts_tensor tensors[] = {
        {"covariance", PTS_F32, 2, {4, 4, 1, 1}, covariance, 64},
        {"noise", PTS_F32, 1, {1, 1, 1, 1}, &noise, 4},
        {"centre", PTS_F32, 1, {2, 1, 1, 1}, map, 8},
        {"map", PTS_F32, 2, {2, 4, 1, 1}, map, 32},
        {"theta", PTS_F32, 1, {4, 1, 1, 1}, four, 16},
        {"low", PTS_F32, 1, {4, 1, 1, 1}, four, 16},
        {"high", PTS_F32, 1, {4, 1, 1, 1}, four, 16},
    };
    pts_head *head;
    pts_error err;
    pts_weights_write(path, meta, 7, tensors, 7, NULL);
    ck_assert_int_eq(pts_head_open(&head, path, &err), PTS_ERR_NUMERIC);
    snprintf(expected, sizeof expected, "%s: covariance is not positive definite", path);
    ck_assert_str_eq(err.message, expected);
    for (int i = 0; i < 4; i++)
        covariance[i * 5] = 1;
    map[5] = NAN;
    pts_weights_write(path, meta, 7, tensors, 7, NULL);
    ck_assert_int_eq(pts_head_open(&head, path, &err), PTS_ERR_NUMERIC);
    snprintf(expected, sizeof expected, "%s: map[5] is not finite", path);
    ck_assert_str_eq(err.message, expected);
    map[5] = 0;
    noise = 0;
    pts_weights_write(path, meta, 7, tensors, 7, NULL);
    ck_assert_int_eq(pts_head_open(&head, path, &err), PTS_ERR_NUMERIC);
    snprintf(expected, sizeof expected, "%s: noise: expected above 0, got 0", path);
    ck_assert_str_eq(err.message, expected);
    noise = 1;
    pts_weights_write(path, meta, 7, tensors, 6, NULL); /* without `high` */
    ck_assert_int_eq(pts_head_open(&head, path, &err), PTS_ERR_SHAPE);
    pts_weights_write(path, meta, 7, tensors, 7, NULL);
    ck_assert_int_eq(pts_head_open(&head, path, &err), PTS_OK);
    float e[2] = {1, NAN};
    pts_curve_prior prior;
    ck_assert_int_eq(pts_head_predict(head, e, 1, &prior, &err), PTS_ERR_NUMERIC);
    ck_assert_str_eq(err.message, "head: embedding 1 is not finite");
    ck_assert_int_eq(pts_head_predict(head, e, 0, &prior, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "head: expected at least one embedding, got none");
    pts_head_close(head);
    const pts_meta mlp[] = {{"arch", "head"},  {"kind", "mlp"},     {"dim", "2"},
                            {"encoder", "id"}, {"preset", "keras"}, {"datasets", "a,b,c"},
                            {"trainer", "t"},  {"components", "9"}};
    pts_weights_write(path, mlp, 8, tensors, 7, NULL);
    ck_assert_int_eq(pts_head_open(&head, path, &err), PTS_ERR_FORMAT);
    snprintf(expected, sizeof expected, "%s: components: expected 1 … 8, got '9'", path);
    ck_assert_str_eq(err.message, expected);
    ck_assert_ptr_null(head);
    unlink(path);
}
END_TEST

CHECK_SUITE("mlp", curve_loss_through_the_network_equals_central_differences, theta_is_the_curve,
            theta_fit_finds_the_mode, spread_of_a_population_is_found, a_gain_in_words,
            tasks_refuse, training_refuses, training_can_be_stopped, head_files_are_checked,
            head_tensors_are_checked, SLOW, photographs_that_tell_beat_the_mean_curve,
            photographs_that_tell_nothing_do_little_harm, pilot_sizes_with_photographs_and_without,
            heads_say_whether_they_look, same_seed_same_head, head_survives_its_file,
            plain_networks_answer_as_trained_ones, heads_say_whether_they_fit_an_encoder,
            long_trainers_end_with_a_whole_character, study_head_recognises_its_curves)
