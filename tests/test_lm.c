/* The least-squares engine: NIST's certified problems, and behaviour at the edges. */
#include "check_main.h"
#include "nist_problems.h"

#include "pts/curve.h"
#include "pts/lm.h"

#include "curve/qr.h"
#include "curve/sigmoid.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Log relative error, capped at the 11 digits that NIST certifies. */
static double lre(double got, double certified)
{
    double digits = -log10(fabs(got - certified) / fabs(certified));
    return isnan(digits) ? 0 : fmin(digits, 11);
}

typedef struct nist_score {
    double parameters, errors; /* worst digits */
    pts_lm_result result;
} nist_score;

static nist_score solve(nist_problem *p, int start, int analytic)
{
    double x[NIST_MAX_PARAMETERS], covariance[NIST_MAX_PARAMETERS * NIST_MAX_PARAMETERS];
    size_t n = p->parameters;
    pts_lm *lm;
    pts_lm_problem problem = {
        .residuals = nist_residuals, .jacobian = analytic ? nist_jacobian : NULL, .user = p};
    nist_score score = {.parameters = 11, .errors = 11};
    ck_assert_int_eq(pts_lm_create(&lm, p->rows, n, NULL), PTS_OK);
    memcpy(x, p->start[start], sizeof x);
    ck_assert_int_eq(pts_lm_solve(lm, &problem, NULL, x, &score.result, NULL), PTS_OK);
    pts_lm_covariance(lm, covariance);
    pts_lm_destroy(lm);
    double variance = score.result.sse / (double)(p->rows - n);
    for (size_t j = 0; j < n; j++) {
        score.parameters = fmin(score.parameters, lre(x[j], p->certified[j]));
        score.errors = fmin(score.errors, lre(sqrt(variance * covariance[j * n + j]), p->error[j]));
    }
    return score;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run_nist(int analytic)
{
    static nist_problem p;
    double digits[2 * NIST_PROBLEMS];
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", test_data("nist"));
    printf("%s\n%-9s start  digits  of errors  evaluations  iterations  rcond   stop\n",
           analytic ? "analytic Jacobian" : "central differences", "problem");
    int failed = 0;
    for (size_t i = 0; i < NIST_PROBLEMS; i++) {
        ck_assert_int_eq(nist_read(&p, i, folder), 0);
        for (int start = 0; start < 2; start++) {
            nist_score s = solve(&p, start, analytic);
            printf("%-9s   %d    %5.1f     %5.1f     %6zu       %5zu     %7.0e  %s\n", p.name,
                   start + 1, s.parameters, s.errors, s.result.evaluations, s.result.iterations,
                   s.result.rcond, pts_lm_stop_text(s.result.stop));
            digits[2 * i + (size_t)start] = s.parameters;
            failed += s.parameters < 6 || s.errors < 4 || !pts_lm_converged(&s.result);
        }
    }
    qsort(digits, 2 * NIST_PROBLEMS, sizeof *digits, compare_doubles);
    double median = (digits[NIST_PROBLEMS - 1] + digits[NIST_PROBLEMS]) / 2;
    printf("median %.1f, least %.1f\n", median, digits[0]);
    fflush(stdout); /* a failed assertion leaves without it */
    ck_assert_int_eq(failed, 0);
    ck_assert_double_ge(median, 9);
}

START_TEST(nist_with_jacobian)
{
    run_nist(1);
}
END_TEST

START_TEST(nist_with_differences)
{
    run_nist(0);
}
END_TEST

START_TEST(nist_jacobians_equal_differences)
{
    static nist_problem p;
    static double jacobian[NIST_MAX_ROWS * NIST_MAX_PARAMETERS], ahead[NIST_MAX_ROWS],
        behind[NIST_MAX_ROWS];
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", test_data("nist"));
    for (size_t i = 0; i < NIST_PROBLEMS; i++) {
        ck_assert_int_eq(nist_read(&p, i, folder), 0);
        double b[NIST_MAX_PARAMETERS];
        memcpy(b, p.certified, sizeof b);
        nist_jacobian(&p, b, jacobian);
        for (size_t j = 0; j < p.parameters; j++) {
            double h = 1e-5 * fabs(p.certified[j]), most = 0, worst = 0;
            b[j] = p.certified[j] + h;
            nist_residuals(&p, b, ahead);
            b[j] = p.certified[j] - h;
            nist_residuals(&p, b, behind);
            b[j] = p.certified[j];
            for (size_t k = 0; k < p.rows; k++) {
                double d = jacobian[k * p.parameters + j];
                most = fmax(most, fabs(d));
                worst = fmax(worst, fabs(d - (ahead[k] - behind[k]) / (2 * h)));
            }
            ck_assert_msg(worst <= 1e-6 * most, "%s b%zu: %g of %g", p.name, j + 1, worst, most);
        }
    }
}
END_TEST

/* r_i = x_i: the answer is the zero vector, where |Dx| = 0 */
static int identity(void *user, const double *x, double *r)
{
    (void)user;
    memcpy(r, x, 3 * sizeof *x);
    return 0;
}

/* x0 and x1 only ever as their sum; x2 by itself */
static int sum_only(void *user, const double *x, double *r)
{
    (void)user;
    for (int i = 0; i < 5; i++)
        r[i] = (x[0] + x[1]) * i + x[2] - (3.0 * i + 1 + 0.1 * (i % 2));
    return 0;
}

/* log is NaN left of 0, where the first full step from 5 would go */
static int logarithm(void *user, const double *x, double *r)
{
    (void)user;
    r[0] = log(x[0]) + 3;
    return 0;
}

static int refuse(void *user, const double *x, double *r)
{
    (void)user, (void)x;
    r[0] = 1;
    return -1;
}

static int not_a_number(void *user, const double *x, double *r)
{
    (void)user, (void)x;
    r[0] = NAN;
    return 0;
}

static pts_lm_result minimise(pts_lm_residuals f, size_t m, size_t n, double *x,
                              const pts_lm_settings *settings, double *covariance)
{
    pts_lm *lm;
    pts_lm_result result;
    pts_lm_problem problem = {.residuals = f};
    ck_assert_int_eq(pts_lm_create(&lm, m, n, NULL), PTS_OK);
    ck_assert_int_eq(pts_lm_solve(lm, &problem, settings, x, &result, NULL), PTS_OK);
    if (covariance)
        pts_lm_covariance(lm, covariance);
    pts_lm_destroy(lm);
    return result;
}

START_TEST(zero_vector_is_found)
{
    double x[3] = {1, -2, 1e-3};
    pts_lm_result result = minimise(identity, 3, 3, x, NULL, NULL);
    ck_assert(pts_lm_converged(&result));
    for (int i = 0; i < 3; i++)
        ck_assert_double_le(fabs(x[i]), 1e-14);
    memset(x, 0, sizeof x);
    result = minimise(identity, 3, 3, x, NULL, NULL); /* started there */
    ck_assert_int_eq(result.stop, PTS_LM_CONVERGED_F);
    ck_assert_double_eq(result.sse, 0);
}
END_TEST

START_TEST(rank_deficiency_is_named)
{
    double x[3] = {0, 0, 0}, covariance[9];
    pts_lm_result result = minimise(sum_only, 5, 3, x, NULL, covariance);
    ck_assert_int_eq(result.stop, PTS_LM_RANK_DEFICIENT);
    ck_assert_uint_eq(result.rank, 2);
    ck_assert_double_eq(result.rcond, 0);
    ck_assert_double_eq_tol(x[0] + x[1], 3, 1e-9); /* the sum is determined, and right */
    ck_assert_double_eq_tol(x[2], 1.04, 1e-9);
    ck_assert_double_eq(covariance[0], INFINITY);
    ck_assert_double_eq(covariance[4], INFINITY);
    /* (JᵀJ)⁻¹ of a straight line over 0 … 4: Σi²/(5 Σi² − (Σi)²) */
    ck_assert_double_eq_tol(covariance[8], 30.0 / 50, 1e-9);
}
END_TEST

START_TEST(not_finite_trial_is_a_bad_step)
{
    double x = 5;
    pts_lm_result result = minimise(logarithm, 1, 1, &x, NULL, NULL);
    ck_assert(pts_lm_converged(&result));
    ck_assert_double_eq_tol(x, exp(-3), 1e-14);
}
END_TEST

START_TEST(limit_and_not_finite_are_named)
{
    double x[3] = {1, 1, 1};
    pts_lm_settings settings = pts_lm_defaults();
    settings.max_evaluations = 2;
    pts_lm_result result = minimise(logarithm, 1, 1, x, &settings, NULL);
    ck_assert_int_eq(result.stop, PTS_LM_LIMIT);
    result = minimise(not_a_number, 1, 1, x, NULL, NULL);
    ck_assert_int_eq(result.stop, PTS_LM_NOT_FINITE);
    ck_assert_str_eq(pts_lm_stop_text(result.stop), "not finite");
}
END_TEST

START_TEST(callback_stops_the_run)
{
    pts_lm *lm;
    pts_lm_result result;
    pts_error err;
    pts_lm_problem problem = {.residuals = refuse};
    double x = 1;
    ck_assert_int_eq(pts_lm_create(&lm, 1, 1, NULL), PTS_OK);
    ck_assert_int_eq(pts_lm_solve(lm, &problem, NULL, &x, &result, &err), PTS_ERR_CANCELLED);
    ck_assert_str_eq(err.message, "least squares: stopped by the residuals");
    pts_lm_settings settings = pts_lm_defaults();
    settings.radius = 0;
    ck_assert_int_eq(pts_lm_solve(lm, &problem, &settings, &x, &result, &err), PTS_ERR_ARGUMENT);
    pts_lm_destroy(lm);
    ck_assert_int_eq(pts_lm_create(&lm, 2, 3, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "least squares: expected at least as many residuals as "
                                  "parameters, got 2 and 3");
    ck_assert_ptr_null(lm);
    ck_assert_int_eq(pts_lm_create(&lm, SIZE_MAX, 3, &err), PTS_ERR_LIMIT);
}
END_TEST

/* Thurber with b4 in units of 2⁻⁴⁰ runs through the very same points. */
static int rescaled(void *user, const double *b, double *r)
{
    double own[NIST_MAX_PARAMETERS];
    memcpy(own, b, 7 * sizeof *b);
    own[3] = ldexp(b[3], 40);
    return nist_residuals(user, own, r);
}

START_TEST(scale_of_a_parameter_does_not_matter)
{
    static nist_problem p;
    double x[2][NIST_MAX_PARAMETERS];
    pts_lm_result result[2];
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", test_data("nist"));
    ck_assert_int_eq(nist_read(&p, NIST_PROBLEMS - 1, folder), 0);
    for (int k = 0; k < 2; k++) {
        pts_lm *lm;
        pts_lm_problem problem = {.residuals = k ? rescaled : nist_residuals, .user = &p};
        memcpy(x[k], p.start[0], sizeof x[k]);
        x[k][3] = ldexp(x[k][3], k ? -40 : 0);
        ck_assert_int_eq(pts_lm_create(&lm, p.rows, p.parameters, NULL), PTS_OK);
        ck_assert_int_eq(pts_lm_solve(lm, &problem, NULL, x[k], &result[k], NULL), PTS_OK);
        pts_lm_destroy(lm);
    }
    ck_assert_double_ge(lre(ldexp(x[1][3], 40), p.certified[3]), 8);
    ck_assert_uint_eq(result[0].rank, result[1].rank);
}
END_TEST

enum { EXPONENTIAL_POINTS = 16 };

/* b1 exp(−b2 t) + b3 at t = 0, 0.5, … */
static int exponential(void *user, const double *b, double *r)
{
    const double *y = user;
    for (int i = 0; i < EXPONENTIAL_POINTS; i++)
        r[i] = b[0] * exp(-b[1] * 0.5 * i) + b[2] - y[i];
    return 0;
}

static int exponential_jacobian(void *user, const double *b, double *j)
{
    (void)user;
    for (int i = 0; i < EXPONENTIAL_POINTS; i++, j += 3) {
        double t = 0.5 * i, e = exp(-b[1] * t);
        j[0] = e, j[1] = -t * b[0] * e, j[2] = 1;
    }
    return 0;
}

static void read_doubles(FILE *file, double *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(fscanf(file, "%lf", &out[i]), 1);
}

/* One line of golden.txt: loss, scale, lower[3], upper[3], x[3], cost. */
static void compare_golden(pts_lm *lm, double *y, const double *line, int analytic)
{
    double x[3] = {2, 1, 0.2};
    pts_lm_problem problem = {.residuals = exponential,
                              .jacobian = analytic ? exponential_jacobian : NULL,
                              .user = y,
                              .lower = line + 2,
                              .upper = line + 5};
    pts_lm_settings settings = pts_lm_defaults();
    settings.loss = (pts_lm_loss)line[0];
    settings.loss_scale = line[1];
    pts_lm_result result;
    ck_assert_int_eq(pts_lm_solve(lm, &problem, &settings, x, &result, NULL), PTS_OK);
    ck_assert_msg(pts_lm_converged(&result), "%s", pts_lm_stop_text(result.stop));
    size_t at_bound = 0;
    for (int j = 0; j < 3; j++) {
        ck_assert_double_eq_tol(x[j], line[8 + j], 2e-6);
        int bound = x[j] == line[2 + j] ? -1 : x[j] == line[5 + j];
        ck_assert_int_eq(pts_lm_bound_of(lm, (size_t)j), bound);
        at_bound += bound != 0;
    }
    ck_assert_uint_eq(result.at_bound, at_bound);
    ck_assert_int_eq(result.stop == PTS_LM_AT_BOUND, at_bound > 0);
    ck_assert_double_le(result.cost, line[11] * (1 + 1e-12));
    ck_assert_double_ge(result.cost, line[11] * (1 - 1e-6));
}

START_TEST(robust_and_bounded_fits_equal_scipy)
{
    FILE *file = fopen(test_data("lm/golden.txt"), "r");
    ck_assert_ptr_nonnull(file);
    double y[EXPONENTIAL_POINTS], line[12];
    pts_lm *lm;
    ck_assert_int_eq(pts_lm_create(&lm, EXPONENTIAL_POINTS, 3, NULL), PTS_OK);
    read_doubles(file, y, EXPONENTIAL_POINTS);
    for (int i = 0; i < 8; i++) {
        read_doubles(file, line, 12);
        compare_golden(lm, y, line, 1);
        compare_golden(lm, y, line, 0);
    }
    pts_lm_destroy(lm);
    fclose(file);
}
END_TEST

static int rosenbrock(void *user, const double *x, double *r)
{
    double *least = user; /* the least x0 ever asked for */
    *least = fmin(*least, x[0]);
    r[0] = 10 * (x[1] - x[0] * x[0]);
    r[1] = 1 - x[0];
    return 0;
}

/* With x0 ≤ 0.5 the valley's floor ends at (0.5, 0.25), with x0 ≥ 2 it starts at (2, 4). */
START_TEST(bounds_are_kept_and_named)
{
    const double lower[] = {2, -INFINITY}, upper[] = {0.5, INFINITY}, fixed[] = {0.7, INFINITY};
    const double fixed_low[] = {0.7, -INFINITY};
    const struct {
        const double *lower, *upper;
        double x0;
    } cases[] = {{NULL, upper, 0.5}, {lower, NULL, 2}, {fixed_low, fixed, 0.7}};
    pts_lm *lm;
    ck_assert_int_eq(pts_lm_create(&lm, 2, 2, NULL), PTS_OK);
    for (int i = 0; i < 3; i++) {
        double x[] = {-1.2, 1}, covariance[4], least = INFINITY;
        pts_lm_problem problem = {.residuals = rosenbrock,
                                  .user = &least,
                                  .lower = cases[i].lower,
                                  .upper = cases[i].upper};
        pts_lm_result result;
        ck_assert_int_eq(pts_lm_solve(lm, &problem, NULL, x, &result, NULL), PTS_OK);
        ck_assert_int_eq(result.stop, PTS_LM_AT_BOUND);
        ck_assert_uint_eq(result.at_bound, 1);
        ck_assert_double_eq(x[0], cases[i].x0);
        ck_assert_double_eq_tol(x[1], x[0] * x[0], 1e-12);
        ck_assert_double_eq_tol(result.sse, (1 - x[0]) * (1 - x[0]), 1e-14);
        ck_assert(!cases[i].lower || least >= cases[i].lower[0]);
        pts_lm_covariance(lm, covariance);
        ck_assert_double_eq(covariance[0], 0);
        ck_assert_double_eq(covariance[1], 0);
        ck_assert_double_eq_tol(covariance[3], 0.01, 1e-9); /* x0 given, r0 = 10 x1 − … */
    }
    pts_error err;
    double x[2] = {0, 0};
    pts_lm_result result;
    pts_lm_problem crossed = {.residuals = rosenbrock, .lower = lower, .upper = upper};
    ck_assert_int_eq(pts_lm_solve(lm, &crossed, NULL, x, &result, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "least squares: parameter 0: expected a lower bound of at most "
                                  "the upper one, got 2 and 0.5");
    pts_lm_destroy(lm);
}
END_TEST

/* A weight of k is a point measured k times; a weight of 0 is none, even where it is NaN. */
static int repeated(void *user, const double *b, double *r)
{
    static const int copies[EXPONENTIAL_POINTS] = {1, 3, 2, 1, 1, 4, 0, 1, 2, 1, 1, 1, 3, 1, 1, 1};
    double once[EXPONENTIAL_POINTS];
    exponential(user, b, once);
    size_t row = 0;
    for (int i = 0; i < EXPONENTIAL_POINTS; i++) {
        for (int k = 0; k < copies[i]; k++)
            r[row++] = once[i];
    }
    return 0;
}

START_TEST(weights_are_repeats)
{
    double y[EXPONENTIAL_POINTS], x[2][3] = {{2, 1, 0.2}, {2, 1, 0.2}}, covariance[2][9];
    const double weights[EXPONENTIAL_POINTS] = {1, 3, 2, 1, 1, 4, 0, 1, 2, 1, 1, 1, 3, 1, 1, 1};
    for (int i = 0; i < EXPONENTIAL_POINTS; i++)
        y[i] = 3 * exp(-0.35 * i) + 0.1 * sin(5 * i);
    pts_lm_problem problems[] = {
        {.residuals = repeated, .user = y},
        {.residuals = exponential, .jacobian = exponential_jacobian, .user = y, .weights = weights},
    };
    pts_lm_result result[2];
    for (int i = 0; i < 2; i++) {
        pts_lm *lm;
        ck_assert_int_eq(pts_lm_create(&lm, i ? EXPONENTIAL_POINTS : 24, 3, NULL), PTS_OK);
        y[6] = i ? NAN : 0;
        ck_assert_int_eq(pts_lm_solve(lm, &problems[i], NULL, x[i], &result[i], NULL), PTS_OK);
        ck_assert(pts_lm_converged(&result[i]));
        pts_lm_covariance(lm, covariance[i]);
        pts_lm_destroy(lm);
    }
    for (int j = 0; j < 3; j++)
        ck_assert_double_eq_tol(x[0][j], x[1][j], 1e-9);
    for (int j = 0; j < 9; j++)
        ck_assert_double_eq_tol(covariance[0][j], covariance[1][j], 1e-7);
    ck_assert_double_eq_tol(result[0].sse, result[1].sse, 1e-13);
}
END_TEST

/* The written-out factorisation against LAPACK's, which larger problems go through: 24 × 3 as it
 * is, and the same rows among zeros. */
START_TEST(small_and_large_factorisations_agree)
{
    enum { SMALL_ROWS = 24, LARGE_ROWS = 5000 };
    static double a[2][3 * LARGE_ROWS], v[2][LARGE_ROWS];
    static double work[1 << 16];
    double tau[2][3];
    lapack_int pivot[2][3];
    const size_t rows[] = {SMALL_ROWS, LARGE_ROWS};
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < SMALL_ROWS; i++) {
            for (size_t j = 0; j < 3; j++)
                a[k][j * rows[k] + i] = sin(1 + 3.0 * (double)i + 7.0 * (double)j * (double)i);
            v[k][i] = cos((double)i);
        }
        lapack_int lwork = pts_qr_lwork(rows[k], 3);
        ck_assert_int_eq(lwork == 0, k == 0);
        ck_assert_int_le(lwork, 1 << 16);
        pts_qr_factor(a[k], rows[k], 3, pivot[k], tau[k], work, lwork);
        pts_qr_apply(a[k], rows[k], 3, tau[k], v[k], work, lwork);
    }
    for (size_t j = 0; j < 3; j++) {
        ck_assert_int_eq(pivot[0][j], pivot[1][j]);
        for (size_t i = 0; i <= j; i++)
            ck_assert_double_eq_tol(a[0][j * SMALL_ROWS + i], a[1][j * LARGE_ROWS + i], 1e-14);
        ck_assert_double_eq_tol(v[0][j], v[1][j], 1e-14);
    }
}
END_TEST

/* T·T⁻¹ = 1, by hand and by LAPACK, within a wider array. */
START_TEST(triangles_are_inverted)
{
    enum { STRIDE = 20 };
    const size_t sizes[] = {1, 4, 16, 20};
    for (int k = 0; k < 4; k++) {
        double t[STRIDE * STRIDE], inverse[STRIDE * STRIDE];
        size_t n = sizes[k];
        for (size_t i = 0; i < STRIDE * STRIDE; i++)
            t[i] = inverse[i] = sin(1 + 3.0 * (double)i) + (i % (STRIDE + 1) ? 0 : 4);
        pts_qr_invert(inverse, STRIDE, n);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = i; j < n; j++) {
                double sum = 0;
                for (size_t l = i; l <= j; l++)
                    sum += t[l * STRIDE + i] * inverse[j * STRIDE + l];
                ck_assert_double_eq_tol(sum, i == j, 1e-13);
            }
        }
        ck_assert_double_eq(inverse[STRIDE - 1], t[STRIDE - 1]); /* below the diagonal */
    }
}
END_TEST

enum { SIGMOID_POINTS = 4096 };

static double off(double got, long double wanted)
{
    return (double)fabsl((got - wanted) / wanted);
}

/* Every instruction set's exponential and logistic against the C library's in long double, from one
 * end of their range to the other. */
START_TEST(sigmoids_equal_the_c_library)
{
    static double log_n[SIGMOID_POINTS], w[SIGMOID_POINTS], z[SIGMOID_POINTS], s[SIGMOID_POINTS],
        g[SIGMOID_POINTS], e[SIGMOID_POINTS];
    const sigmoid_points points = {log_n, w, w, SIGMOID_POINTS};
    const sigmoid_table *table;
    for (size_t k = 0; (table = pts_sigmoid_at(k)); k++) {
        double worst[3] = {0, 0, 0}, sum = 0;
        for (size_t i = 0; i < SIGMOID_POINTS; i++) {
            log_n[i] = 698 * sin((double)i) * pow((double)i / SIGMOID_POINTS, 3);
            e[i] = log_n[i] / 698 * SIGMOID_REACH;
            w[i] = 1 + (double)(i % 3);
        }
        double total = table->fill(&points, 1, 0, &(sigmoid_values){z, s, g});
        table->exponentials(e, SIGMOID_POINTS);
        for (size_t i = 0; i < SIGMOID_POINTS; i++) {
            long double at = log_n[i], right = 1 / (1 + expl(-at)), left = 1 / (1 + expl(at));
            ck_assert_double_eq(z[i], log_n[i]);
            worst[0] = fmax(worst[0], off(s[i], right));
            worst[1] = fmax(worst[1], off(g[i], right * left));
            worst[2] = fmax(worst[2], off(e[i], expl(log_n[i] / 698 * SIGMOID_REACH)));
            sum += w[i] * s[i];
        }
        printf("sigmoid, set %zu: worst relative errors %.1e, %.1e, exponential %.1e\n", k,
               worst[0], worst[1], worst[2]);
        for (int i = 0; i < 3; i++)
            ck_assert_double_le(worst[i], 1e-15);
        ck_assert_double_eq_tol(total / sum, 1, 1e-13);
    }
    ck_assert_ptr_nonnull(pts_sigmoid());
}
END_TEST

/* The sums of every instruction set against plain loops. */
START_TEST(sigmoid_sums_equal_plain_loops)
{
    enum { POINTS = 24 };
    double log_n[POINTS], y[POINTS], w[POINTS], z[POINTS], s[POINTS], g[POINTS], row[POINTS];
    const sigmoid_points points = {log_n, y, w, POINTS};
    const sigmoid_table *table;
    double total = 0, yy = 0, mean = 0;
    for (size_t i = 0; i < POINTS; i++) {
        log_n[i] = 0.3 * (double)i;
        w[i] = i % 7 ? 1 + (double)(i % 2) : 0;
        y[i] = sin(2.0 * (double)i);
        total += w[i];
        mean += w[i] * y[i];
    }
    for (size_t i = 0; i < POINTS; i++) {
        y[i] -= mean / total;
        yy += w[i] * y[i] * y[i];
    }
    for (size_t k = 0; (table = pts_sigmoid_at(k)); k++) {
        sigmoid_sums sums;
        sigmoid_residuals residuals;
        double expected[15] = {0}, sse[2], factor[2] = {0.5, 3};
        double centre = table->fill(&points, 1.3, 4, &(sigmoid_values){z, s, g}) / total;
        const sigmoid_values at = {z, s, g};
        table->sums(&points, &at, centre, &sums);
        table->residuals(&points, &at, centre, 0.7, &residuals);
        for (size_t i = 0; i < POINTS; i++) {
            double t = s[i] - centre, h = g[i] * z[i], r = 0.7 * t - y[i];
            double bend = g[i] * (1 - 2 * s[i]);
            const double terms[15] = {t * t,       t * y[i],        g[i],
                                      h,           t * g[i],        t * h,
                                      g[i] * g[i], g[i] * h,        h * h,
                                      r * r,       r * g[i],        r * h,
                                      r * bend,    r * bend * z[i], r * bend * z[i] * z[i]};
            for (int j = 0; j < 15; j++)
                expected[j] += w[i] * terms[j];
            row[i] = exp(4 - log_n[i]);
        }
        const double got[15] = {sums.tt,     sums.ty,     sums.g,      sums.h,       sums.tg,
                                sums.th,     sums.gg,     sums.gh,     sums.hh,      residuals.r,
                                residuals.g, residuals.h, residuals.k, residuals.kz, residuals.kzz};
        for (int j = 0; j < 15; j++)
            ck_assert_double_eq_tol(got[j], expected[j], 1e-13);
        table->nodes(&points, row, factor, yy, total, sse);
        for (int j = 0; j < 2; j++) {
            double m = 0, tt = 0, ty = 0;
            for (size_t i = 0; i < POINTS; i++)
                m += w[i] / (1 + factor[j] * row[i]) / total;
            for (size_t i = 0; i < POINTS; i++) {
                double t = 1 / (1 + factor[j] * row[i]) - m;
                tt += w[i] * t * t;
                ty += w[i] * t * y[i];
            }
            ck_assert_double_eq_tol(sse[j], yy - ty * ty / tt, 1e-12);
        }
    }
}
END_TEST

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

enum { WORLD_POINTS = 24 };

/* A noisy curve of few to many points; every third has three seeds a size, every sixth falls. */
static size_t draw_curve(uint64_t *state, int world, double *n, double *map)
{
    size_t count = 6 + (size_t)(18 * uniform(state)), repeats = world % 3 ? 1 : 3;
    pts_curve c = {0.3 * uniform(state), exp(2.7 * uniform(state) - 0.7),
                   exp(2 + 5 * uniform(state)), 0.3 + 0.7 * uniform(state)};
    double noise = 0.2 * uniform(state) * uniform(state);
    if (world % 6 == 5)
        c = (pts_curve){c.D, c.B, c.C, c.A};
    count = repeats == 3 ? WORLD_POINTS : count;
    for (size_t i = 0; i < count; i++) {
        double step = (double)(i / repeats);
        n[i] = floor(2 * exp(7 * step * (double)repeats / (double)count)) + step;
        map[i] = pts_curve_at(&c, n[i]) + noise * (uniform(state) + uniform(state) - 1);
    }
    return count;
}

/* The least sum of squares over a fine grid of (ln B, ln C), u and v by their normal equations: no
 * global optimum lies above it. */
static double least_of_grid(const double *n, const double *map, size_t count)
{
    double least = INFINITY, y = 0, s[WORLD_POINTS];
    for (size_t i = 0; i < count; i++)
        y += map[i] / (double)count;
    for (double p = -2; p <= 5; p += 0.125) {
        for (double q = -2; q <= 14; q += 0.125) {
            double mean = 0, ss = 0, sy = 0, sse = 0;
            for (size_t i = 0; i < count; i++) {
                s[i] = 1 / (1 + exp(exp(p) * (q - log(n[i]))));
                mean += s[i] / (double)count;
            }
            for (size_t i = 0; i < count; i++) {
                ss += (s[i] - mean) * (s[i] - mean);
                sy += (s[i] - mean) * (map[i] - y);
            }
            for (size_t i = 0; i < count && ss > 1e-20; i++)
                sse += pow(map[i] - y - sy / ss * (s[i] - mean), 2);
            least = ss > 1e-20 ? fmin(least, sse) : least;
        }
    }
    return least;
}

START_TEST(fits_are_not_above_a_fine_grid)
{
    enum { WORLDS = 120 };
    uint64_t state = 11;
    for (int world = 0; world < WORLDS; world++) {
        double n[WORLD_POINTS], map[WORLD_POINTS];
        size_t count = draw_curve(&state, world, n, map);
        pts_fit fit;
        ck_assert_int_eq(pts_curve_fit(n, map, count, &fit, NULL), PTS_OK);
        double least = least_of_grid(n, map, count);
        ck_assert_msg(fit.sse <= least * (1 + 1e-6), "curve %d: %g above %g", world, fit.sse,
                      least);
        double f[WORLD_POINTS], sse = 0;
        for (size_t i = 0; i < count; i++) {
            f[i] = pts_curve_at(&fit.curve, n[i]);
            sse += (f[i] - map[i]) * (f[i] - map[i]);
        }
        /* and they are what they say: sizes were merged on the way */
        ck_assert_double_eq_tol(fit.sse, sse, 1e-9 * sse + 1e-12);
        ck_assert_double_eq_tol(fit.smape, pts_smape(f, map, count), 1e-7);
    }
}
END_TEST

CHECK_SUITE("lm", nist_with_jacobian, nist_with_differences, nist_jacobians_equal_differences,
            zero_vector_is_found, rank_deficiency_is_named, not_finite_trial_is_a_bad_step,
            limit_and_not_finite_are_named, callback_stops_the_run,
            scale_of_a_parameter_does_not_matter, robust_and_bounded_fits_equal_scipy,
            bounds_are_kept_and_named, weights_are_repeats, small_and_large_factorisations_agree,
            triangles_are_inverted, sigmoids_equal_the_c_library, sigmoid_sums_equal_plain_loops,
            fits_are_not_above_a_fine_grid)
