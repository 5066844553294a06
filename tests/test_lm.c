/* The least-squares engine: NIST's certified problems, and behaviour at the edges. */
#include "check_main.h"
#include "nist_problems.h"

#include "pts/lm.h"

#include <math.h>
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
    pts_lm_problem problem = {nist_residuals, analytic ? nist_jacobian : NULL, p};
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

CHECK_SUITE("lm", nist_with_jacobian, nist_with_differences, nist_jacobians_equal_differences)
