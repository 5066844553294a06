/* The least-squares engine on the classical test problems, from their standard starts and from ten
 * and a hundred times as far, with and without Jacobian, with and without acceleration. */
#include "check_main.h"
#include "mgh/mgh.h"

#include "pts/lm.h"

#include <math.h>
#include <string.h>

#define MGH_ADDRESS(name) &mgh_##name,
static const mgh_problem *const problems[] = {MGH_LIST(MGH_ADDRESS)};
enum { PROBLEMS = sizeof problems / sizeof *problems };

typedef enum mode { ANALYTIC, DIFFERENCES, ACCELERATED, MODES } mode;
static const char *const mode_names[MODES] = {"analytic", "differences", "accelerated"};

/* The paper: from a start of 0, the far ones are all 10 and all 100. */
static void set_start(const mgh_problem *p, double factor, double *x)
{
    double size = 0;
    for (size_t j = 0; j < p->n; j++)
        size += fabs(p->start[j]);
    for (size_t j = 0; j < p->n; j++)
        x[j] = size > 0 ? factor * p->start[j] : factor > 1 ? factor : 0;
}

static pts_lm_result solve(const mgh_problem *p, mode how, double factor, double *x)
{
    pts_lm *lm;
    pts_lm_result result;
    pts_lm_problem problem = {.residuals = p->residuals,
                              .jacobian = how == DIFFERENCES ? NULL : p->jacobian};
    pts_lm_settings settings = pts_lm_defaults();
    settings.accelerate = how == ACCELERATED;
    settings.max_evaluations = 20000;
    ck_assert_int_eq(pts_lm_create(&lm, p->m, p->n, NULL), PTS_OK);
    set_start(p, factor, x);
    ck_assert_int_eq(pts_lm_solve(lm, &problem, &settings, x, &result, NULL), PTS_OK);
    pts_lm_destroy(lm);
    return result;
}

/* The index of the minimum found, −1 where it is none. A minimum of 0 is met at 1e-20, the limit
 * of a curve at infinity within 1e-4 of it, others to the digits of the paper. */
static int minimum_of(const mgh_problem *p, double sse)
{
    for (size_t i = 0; i < p->minima_count; i++) {
        double known = p->minima[i];
        if (known == 0 ? sse < 1e-20 : fabs(sse - known) < (i ? 1e-4 : 1e-5) * known)
            return (int)i;
    }
    return -1;
}

static void run(mode how)
{
    int failed = 0;
    printf("%s\n%-20s start          sse  minimum  evaluations  iterations  stop\n",
           mode_names[how], "problem");
    for (size_t i = 0; i < PROBLEMS; i++) {
        const mgh_problem *p = problems[i];
        for (int k = 0; k < 3; k++) {
            double x[MGH_MAX_N], factor = k == 0 ? 1 : k == 1 ? 10 : 100;
            pts_lm_result result = solve(p, how, factor, x);
            int minimum = minimum_of(p, result.sse);
            int expected = (p->reached >> k) & 1;
            printf("%-20s  ×%-3g %12.6g  %7s  %11zu  %10zu  %s\n", p->name, factor, result.sse,
                   minimum < 0    ? "none"
                   : minimum == 0 ? "global"
                                  : "local",
                   result.evaluations, result.iterations, pts_lm_stop_text(result.stop));
            failed += expected && minimum < 0;
        }
    }
    fflush(stdout); /* a failed assertion leaves without it */
    ck_assert_int_eq(failed, 0);
}

START_TEST(classical_problems_with_jacobian)
{
    run(ANALYTIC);
}
END_TEST

START_TEST(classical_problems_with_differences)
{
    run(DIFFERENCES);
}
END_TEST

START_TEST(classical_problems_with_acceleration)
{
    run(ACCELERATED);
}
END_TEST

START_TEST(classical_jacobians_equal_differences)
{
    for (size_t i = 0; i < PROBLEMS; i++) {
        const mgh_problem *p = problems[i];
        double x[MGH_MAX_N], j[MGH_MAX_M * MGH_MAX_N], ahead[MGH_MAX_M], behind[MGH_MAX_M];
        set_start(p, 1, x);
        for (size_t k = 0; k < p->n; k++)
            x[k] = x[k] * 1.01 + 1e-3; /* off places where a derivative happens to be 0 */
        p->jacobian(NULL, x, j);
        for (size_t k = 0; k < p->n; k++) {
            double at = x[k], h = 1e-5 * fmax(fabs(at), 1e-2), most = 1e-3, worst = 0;
            x[k] = at + h;
            p->residuals(NULL, x, ahead);
            x[k] = at - h;
            p->residuals(NULL, x, behind);
            x[k] = at;
            for (size_t row = 0; row < p->m; row++) {
                most = fmax(most, fabs(j[row * p->n + k]));
                worst = fmax(worst, fabs(j[row * p->n + k] - (ahead[row] - behind[row]) / (2 * h)));
            }
            ck_assert_msg(worst <= 1e-6 * most, "%s x%zu: %g of %g", p->name, k + 1, worst, most);
        }
    }
}
END_TEST

CHECK_SUITE("mgh", classical_jacobians_equal_differences, classical_problems_with_jacobian,
            classical_problems_with_differences, classical_problems_with_acceleration)
