/* The least-squares engine: NIST's certified problems, and behaviour at the edges. */
#include "check_main.h"
#include "nist_problems.h"

#include "pts/lm.h"

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

CHECK_SUITE("lm", nist_with_jacobian, nist_with_differences, nist_jacobians_equal_differences,
            zero_vector_is_found, rank_deficiency_is_named, not_finite_trial_is_a_bad_step,
            limit_and_not_finite_are_named, callback_stops_the_run,
            scale_of_a_parameter_does_not_matter)
