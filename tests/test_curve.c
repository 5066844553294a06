/* The curve room: closed form, fits, posterior, tables, the benchmark of forecasts. */
#include "check_main.h"

#include "pts/curve.h"

#include "curve/normal.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Uniform numbers in (0, 1) from a fixed seed (SplitMix64). */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return ((double)((z ^ (z >> 31)) >> 12) + 0.5) / 4503599627370496.0;
}

static double between(uint64_t *state, double low, double high)
{
    return low + (high - low) * uniform(state);
}

static double textbook(const pts_curve *c, double n)
{
    return (c->A - c->D) / (1 + pow(n / c->C, c->B)) + c->D;
}

static pts_curve random_curve(uint64_t *state)
{
    return (pts_curve){between(state, -0.05, 0.3), exp(between(state, -1, 2)),
                       exp(between(state, 1, 8)), between(state, 0.4, 1.1)};
}

START_TEST(curve_is_the_textbook_formula)
{
    uint64_t seed = 1;
    for (int i = 0; i < 1000; i++) {
        pts_curve c = random_curve(&seed);
        double n = exp(between(&seed, 0, 10));
        ck_assert_double_eq_tol(pts_curve_at(&c, n), textbook(&c, n), 1e-14);
    }
}
END_TEST

START_TEST(curve_is_safe_at_the_ends)
{
    pts_curve steep = {0.1, 500, 1e300, 0.9}, slow = {0.1, 1e-3, 1e-300, 0.9};
    const pts_curve *const both[] = {&steep, &slow};
    const double sizes[] = {0, 1e-300, 1, 1e300, INFINITY};
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 5; i++) {
            double g[4], f = pts_curve_gradient(both[k], sizes[i], g);
            ck_assert(f >= 0.1 && f <= 0.9);
            for (int j = 0; j < 4; j++)
                ck_assert(isfinite(g[j]));
        }
        ck_assert_double_eq(pts_curve_at(both[k], 0), 0.1);
        ck_assert_double_eq(pts_curve_at(both[k], INFINITY), 0.9);
    }
    ck_assert_double_eq(pts_curve_at(&steep, 1e300), 0.5);
}
END_TEST

START_TEST(gradient_equals_central_differences)
{
    uint64_t seed = 2;
    for (int i = 0; i < 200; i++) {
        pts_curve c = random_curve(&seed);
        double n = exp(between(&seed, 0, 9)), g[4], theta[4] = {c.A, log(c.B), log(c.C), c.D};
        pts_curve_gradient(&c, n, g);
        for (int j = 0; j < 4; j++) {
            double h = 1e-5, f[2];
            for (int side = 0; side < 2; side++) {
                double t[4];
                memcpy(t, theta, sizeof t);
                t[j] += side ? h : -h;
                f[side] = textbook(&(pts_curve){t[0], exp(t[1]), exp(t[2]), t[3]}, n);
            }
            ck_assert_double_eq_tol(g[j], (f[1] - f[0]) / (2 * h), 2e-8);
        }
    }
}
END_TEST

START_TEST(mirrored_parameters_are_the_same_curve)
{
    pts_curve c = {0.6, -1.7, 40, 0.05};
    pts_error err;
    ck_assert_int_eq(pts_curve_canonical(&c, NULL), PTS_OK);
    ck_assert_double_eq(c.A, 0.05);
    ck_assert_double_eq(c.B, 1.7);
    ck_assert_double_eq(c.D, 0.6);
    ck_assert_double_eq_tol(pts_curve_at(&c, 13), textbook(&(pts_curve){0.6, -1.7, 40, 0.05}, 13),
                            1e-15);
    c = (pts_curve){0, 1, -40, 1};
    ck_assert_int_eq(pts_curve_canonical(&c, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "curve: expected finite A, B, C, D with B not 0 and C above 0, "
                                  "got 0, 1, -40, 1");
}
END_TEST

START_TEST(size_equals_bisection)
{
    uint64_t seed = 3;
    for (int i = 0; i < 500; i++) {
        pts_curve c = random_curve(&seed);
        double target = between(&seed, c.A, c.D), n, low = -50, high = 50;
        pts_size_status status = pts_curve_size(&c, target, &n);
        for (int k = 0; k < 200; k++) {
            double middle = (low + high) / 2;
            *(textbook(&c, exp(middle)) < target ? &low : &high) = middle;
        }
        ck_assert_int_eq(status, n <= 1 ? PTS_SIZE_ALREADY_MET : PTS_SIZE_OK);
        ck_assert_double_eq_tol(log(n), high, 1e-9);
    }
}
END_TEST

START_TEST(size_has_three_answers)
{
    pts_curve rising = {0.1, 2, 50, 0.6}, falling = {0.6, 2, 50, 0.1}, flat = {0.3, 1, 1, 0.3};
    double n;
    ck_assert_int_eq(pts_curve_size(&rising, 0.35, &n), PTS_SIZE_OK);
    ck_assert_double_eq_tol(n, 50, 1e-12);
    ck_assert_int_eq(pts_curve_size(&rising, 0.1, &n), PTS_SIZE_ALREADY_MET);
    ck_assert_double_eq(n, 0);
    ck_assert_int_eq(pts_curve_size(&rising, 0.1001, &n), PTS_SIZE_ALREADY_MET);
    ck_assert(n > 0 && n < 1);
    ck_assert_int_eq(pts_curve_size(&rising, 0.6, &n), PTS_SIZE_UNREACHABLE);
    ck_assert_double_eq(n, INFINITY);
    ck_assert_int_eq(pts_curve_size(&falling, 0.5, &n), PTS_SIZE_ALREADY_MET);
    ck_assert_double_eq(n, 0);
    ck_assert_int_eq(pts_curve_size(&falling, 0.59999, &n), PTS_SIZE_UNREACHABLE);
    ck_assert_int_eq(pts_curve_size(&falling, 0.7, &n), PTS_SIZE_UNREACHABLE);
    ck_assert_int_eq(pts_curve_size(&flat, 0.3, &n), PTS_SIZE_ALREADY_MET);
    ck_assert_int_eq(pts_curve_size(&flat, 0.31, &n), PTS_SIZE_UNREACHABLE);
    pts_curve endless = {0, 1e-3, 50, 1}; /* 0.9 would take 50·9¹⁰⁰⁰ images */
    ck_assert_int_eq(pts_curve_size(&endless, 0.9, &n), PTS_SIZE_UNREACHABLE);
    ck_assert_str_eq(pts_size_status_text(PTS_SIZE_ALREADY_MET), "already_met");
}
END_TEST

START_TEST(smape_and_percent)
{
    const double f[] = {0.5, 0, 0.2}, y[] = {0.25, 0, 0.2};
    ck_assert_double_eq_tol(pts_smape(f, y, 3), 100.0 / 3 * 2 * 0.25 / 0.75, 1e-12);
    double percent[] = {57, 0.5, 100}, fraction[] = {0.57, 1, 0}, neither[] = {57, 101};
    ck_assert(pts_map_from_percent(percent, 3));
    ck_assert_double_eq(percent[0], 0.57);
    ck_assert_double_eq(percent[1], 0.005);
    ck_assert(!pts_map_from_percent(fraction, 3));
    ck_assert(!pts_map_from_percent(neither, 2));
    ck_assert_double_eq(neither[0], 57);
}
END_TEST

START_TEST(fit_recovers_noiseless_curves)
{
    uint64_t seed = 4;
    for (int i = 0; i < 100; i++) {
        pts_curve c = {between(&seed, -0.05, 0.3), exp(between(&seed, -0.2, 1.5)),
                       exp(between(&seed, 3, 6)), between(&seed, 0.4, 1)};
        if (i % 5 == 0)
            c = (pts_curve){c.D, c.B, c.C, c.A}; /* one that falls */
        double n[30], map[30];
        for (int k = 0; k < 30; k++) {
            n[k] = exp(8 * (k + 1) / 30.0);
            map[k] = textbook(&c, n[k]);
        }
        pts_fit fit;
        ck_assert_int_eq(pts_curve_fit(n, map, 30, &fit, NULL), PTS_OK);
        ck_assert_double_eq_tol(fit.curve.A, c.A, 1e-8);
        ck_assert_double_eq_tol(fit.curve.B / c.B, 1, 1e-8);
        ck_assert_double_eq_tol(fit.curve.C / c.C, 1, 1e-8);
        ck_assert_double_eq_tol(fit.curve.D, c.D, 1e-8);
        ck_assert_double_le(fit.sse, 1e-18);
    }
}
END_TEST

static pts_curve_set *study_curves(void)
{
    pts_curve_set *set;
    ck_assert_int_eq(pts_curves_read(&set, test_data("curves/ptssp_curves.csv"), NULL), PTS_OK);
    ck_assert_uint_eq(set->count, 15);
    ck_assert(!set->percent);
    return set;
}

/* The published numbers are printed with four decimals by an optimiser that stopped at 10⁻⁸: they
 * agree with the optimum to one unit of the last decimal (of 41.98597 it printed 41.9859). */
START_TEST(published_fits_are_reproduced)
{
    pts_curve_set *set = study_curves();
    FILE *file = fopen(test_data("curves/ptssp_published_fits.csv"), "r");
    ck_assert_ptr_nonnull(file);
    char line[256], dataset[64], class_name[16];
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    for (size_t i = 0; i < set->count; i++) {
        const pts_curve_points *c = &set->curves[i];
        pts_curve published;
        size_t points;
        pts_fit fit;
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        ck_assert_int_eq(sscanf(line, "%63[^,],%15[^,],%zu,%lf,%lf,%lf,%lf", dataset, class_name,
                                &points, &published.A, &published.B, &published.C, &published.D),
                         7);
        ck_assert_str_eq(c->dataset, dataset);
        ck_assert_str_eq(c->class_name, class_name);
        ck_assert_uint_eq(c->count, points);
        ck_assert_int_eq(pts_curve_fit(c->n, c->map, c->count, &fit, NULL), PTS_OK);
        ck_assert_int_eq(fit.status, PTS_FIT_OK);
        ck_assert_double_eq_tol(fit.curve.A, published.A, 1e-4);
        ck_assert_double_eq_tol(fit.curve.B, published.B, 1e-4);
        ck_assert_double_eq_tol(fit.curve.C / published.C, 1, 1e-4);
        ck_assert_double_eq_tol(fit.curve.D, published.D, 1e-4);
        double theirs = 0;
        for (size_t k = 0; k < c->count; k++)
            theirs += pow(textbook(&published, c->n[k]) - c->map[k], 2);
        ck_assert_double_le(fit.sse, theirs);
    }
    fclose(file);
    pts_curves_destroy(set);
}
END_TEST

START_TEST(fit_says_what_the_points_do_not_tell)
{
    const double n[] = {10, 20, 40, 80, 160, 320};
    double map[6];
    pts_fit fit;
    pts_error err;
    for (int i = 0; i < 6; i++)
        map[i] = 0.3;
    ck_assert_int_eq(pts_curve_fit(n, map, 6, &fit, NULL), PTS_OK);
    ck_assert_int_eq(fit.status, PTS_FIT_RANK_DEFICIENT);
    ck_assert_double_eq_tol(pts_curve_at(&fit.curve, 1000), 0.3, 1e-15);
    ck_assert_double_eq(fit.se[2], INFINITY);
    for (int i = 0; i < 6; i++)
        map[i] = textbook(&(pts_curve){0, 1, 1000, 0.9}, n[i]) + (i % 2 ? 1e-3 : -1e-3);
    ck_assert_int_eq(pts_curve_fit(n, map, 6, &fit, NULL), PTS_OK);
    ck_assert_int_eq(fit.status, PTS_FIT_PLATEAU_NOT_REACHED);
    for (int i = 0; i < 6; i++) /* a straight line: the optimum lies at infinity */
        map[i] = n[i] / 1000;
    ck_assert_int_eq(pts_curve_fit(n, map, 6, &fit, NULL), PTS_OK);
    ck_assert_int_eq(fit.status, PTS_FIT_PLATEAU_NOT_REACHED);
    ck_assert_double_le(fit.sse, 1e-8);
    ck_assert_int_eq(pts_curve_fit(n, map, 4, &fit, NULL), PTS_OK); /* no degree of freedom */
    ck_assert_double_eq(fit.se[0], INFINITY);
    const double repeated[] = {10, 20, 20, 20, 40, 40};
    ck_assert_int_eq(pts_curve_fit(repeated, map, 6, &fit, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "curve: expected at least 4 distinct sizes, got 3");
    ck_assert_int_eq(pts_curve_fit(n, map, 0, &fit, &err), PTS_ERR_SHAPE);
    map[2] = NAN;
    ck_assert_int_eq(pts_curve_fit(n, map, 6, &fit, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "curve: point 3: expected a finite mAP, got nan");
    const double zero[] = {10, 0, 20, 40};
    ck_assert_int_eq(pts_curve_fit(zero, n, 4, &fit, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "curve: point 2: expected a size above 0, got 0");
}
END_TEST

/* Points of a power law, whose 4PL has its A at −∞: numbers like A = −192,777 ± 3·10¹¹ and an error
 * of D that is rounding. The plateau is seen of the steeper one only. */
START_TEST(absurd_parameters_are_not_ok)
{
    const double n[] = {10, 20, 40, 80, 160, 320};
    const double slow[] = {.12, .20, .25, .30, .35, .395};
    double quick[6];
    pts_family_fit fit;
    ck_assert_int_eq(pts_family_fit_points(PTS_FAMILY_4PL, n, slow, NULL, 6, &fit, NULL), PTS_OK);
    ck_assert_int_eq(fit.status, PTS_FIT_PLATEAU_NOT_REACHED);
    for (size_t k = 0; k < 4; k++)
        ck_assert(!pts_family_determined(&fit, k));
    ck_assert_double_eq(fit.se[3], INFINITY);
    for (int i = 0; i < 6; i++)
        quick[i] = 0.6 - 0.9 * pow(n[i], -0.6) + (i % 2 ? 1e-4 : -1e-4);
    ck_assert_int_eq(pts_family_fit_points(PTS_FAMILY_4PL, n, quick, NULL, 6, &fit, NULL), PTS_OK);
    ck_assert_int_eq(fit.status, PTS_FIT_UNDETERMINED);
    ck_assert_str_eq(pts_fit_status_text(fit.status), "undetermined");
    ck_assert(!pts_family_determined(&fit, 0) && !pts_family_determined(&fit, 2));
    ck_assert(!pts_family_determined(&fit, 4)); /* there is none */
    for (int i = 0; i < 6; i++)                 /* where the curve is seen whole, all are */
        quick[i] = textbook(&(pts_curve){0.1, 2, 40, 0.6}, n[i]) + (i % 2 ? 1e-3 : -1e-3);
    ck_assert_int_eq(pts_family_fit_points(PTS_FAMILY_4PL, n, quick, NULL, 6, &fit, NULL), PTS_OK);
    ck_assert_int_eq(fit.status, PTS_FIT_OK);
    for (size_t k = 0; k < 4; k++)
        ck_assert(pts_family_determined(&fit, k));
}
END_TEST

/* ± 2 standard errors against the range of an mAP and a factor of ten. */
START_TEST(determined_is_a_matter_of_standard_errors)
{
    pts_family_fit fit = {.family = PTS_FAMILY_4PL, .x = {0.1, 2, 50, 0.6}};
    const double known[4] = {0.24, 2.3, 57, 0.24}, unknown[4] = {0.26, 2.4, 58, INFINITY};
    for (size_t k = 0; k < 4; k++) {
        fit.se[k] = known[k];
        ck_assert(pts_family_determined(&fit, k));
        fit.se[k] = unknown[k];
        ck_assert(!pts_family_determined(&fit, k));
    }
    fit = (pts_family_fit){.family = PTS_FAMILY_LAST1, .x = {0.3}, .se = {INFINITY}};
    ck_assert(pts_family_determined(&fit, 0)); /* the mean of the last size, of one point too */
}
END_TEST

/* Half of all points are zeros, which the fit misses by a thousandth: 200 % each. */
START_TEST(smape_of_zeros_is_told)
{
    const pts_family_fit fit = {.family = PTS_FAMILY_LAST1, .x = {0.001}};
    const pts_family_fit far = {.family = PTS_FAMILY_LAST1, .x = {0.4}};
    const double n[] = {1, 2, 4, 8}, zeros[] = {0, 0, 0.001, 0.001}, none[] = {.3, .4, .5, .6};
    ck_assert(pts_family_smape_of_zeros(&fit, n, zeros, 4));
    ck_assert(!pts_family_smape_of_zeros(&far, n, none, 4));
    ck_assert(!pts_family_smape_of_zeros(&fit, n, (double[4]){0.001, 0.001, 0.5, 0.6}, 4));
}
END_TEST

/* The definitions, written out a second time. */
static double by_definition(pts_family family, const double *x, double n)
{
    switch (family) {
    case PTS_FAMILY_4PL:
        return textbook(&(pts_curve){x[0], x[1], x[2], x[3]}, n);
    case PTS_FAMILY_POW2:
        return 1 - x[0] * pow(n, -x[1]);
    case PTS_FAMILY_POW3:
        return x[2] - x[0] * pow(n, -x[1]);
    case PTS_FAMILY_POW4:
        return x[2] - x[0] * pow(n + x[3], -x[1]);
    case PTS_FAMILY_EXP3:
        return x[2] - x[0] * exp(-x[1] * n);
    case PTS_FAMILY_LOG2:
        return x[1] + x[0] * log(n);
    case PTS_FAMILY_WBL4:
        return x[2] - x[1] * exp(-x[0] * pow(n, x[3]));
    default:
        return x[0];
    }
}

START_TEST(families_recover_noiseless_curves)
{
    static const double truth[PTS_FAMILIES][4] = {
        [PTS_FAMILY_4PL] = {0.05, 1.7, 60, 0.7},    [PTS_FAMILY_POW2] = {0.9, 0.3},
        [PTS_FAMILY_POW3] = {0.7, 0.6, 0.8},        [PTS_FAMILY_POW4] = {0.9, 0.6, 0.8, 5},
        [PTS_FAMILY_EXP3] = {0.6, 0.02, 0.7},       [PTS_FAMILY_LOG2] = {0.08, 0.1},
        [PTS_FAMILY_WBL4] = {0.03, 0.7, 0.75, 0.8}, [PTS_FAMILY_LAST1] = {0.4}};
    double n[20], map[20];
    for (int f = 0; f < PTS_FAMILIES; f++) {
        for (int i = 0; i < 20; i++) {
            n[i] = exp(0.4 * (i + 1));
            map[i] = by_definition((pts_family)f, truth[f], n[i]);
        }
        pts_family_fit fit;
        ck_assert_int_eq(pts_family_fit_points((pts_family)f, n, map, NULL, 20, &fit, NULL),
                         PTS_OK);
        for (size_t k = 0; k < pts_family_parameters((pts_family)f); k++)
            ck_assert_msg(fabs(fit.x[k] - truth[f][k]) <= 2e-6 * fabs(truth[f][k]), "%s %s: %.12g",
                          pts_family_name((pts_family)f), pts_family_parameter((pts_family)f, k),
                          fit.x[k]);
        ck_assert_double_eq_tol(pts_family_at(&fit, 1e4),
                                by_definition((pts_family)f, truth[f], 1e4), 1e-7);
        ck_assert_double_le(fit.sse, 1e-15);
    }
}
END_TEST

/* scipy.stats.norm.ppf */
START_TEST(normal_quantiles)
{
    ck_assert_double_eq_tol(pts_normal_quantile(1e-300), -37.0470963, 1e-7);
    ck_assert_double_eq_tol(pts_normal_quantile(1e-10), -6.361340902404056, 1e-13);
    ck_assert_double_eq_tol(pts_normal_quantile(0.01), -2.3263478740408408, 1e-14);
    ck_assert_double_eq_tol(pts_normal_quantile(0.3), -0.5244005127080409, 1e-15);
    ck_assert_double_eq_tol(pts_normal_quantile(0.975), 1.959963984540054, 1e-14);
    for (double x = -5; x <= 5; x += 0.01) /* and against the C library's erfc */
        ck_assert_double_eq_tol(pts_normal_quantile(erfc(-x / sqrt(2)) / 2), x, 1e-9);
}
END_TEST

static double read_double(FILE *file)
{
    double value;
    ck_assert_int_eq(fscanf(file, "%lf", &value), 1);
    return value;
}

static void read_doubles(FILE *file, double *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = read_double(file);
}

START_TEST(posterior_equals_scipy)
{
    FILE *file = fopen(test_data("curves/posterior_golden.txt"), "r");
    ck_assert_ptr_nonnull(file);
    pts_curve_prior prior;
    read_doubles(file, prior.mean, 4);
    read_doubles(file, prior.covariance, 16);
    prior.noise = read_double(file);
    prior.noise_dof = INFINITY; /* known */
    for (int cases = (int)read_double(file); cases > 0; cases--) {
        double n[8], map[8], mode[4], covariance[16];
        size_t count = (size_t)read_double(file);
        for (size_t i = 0; i < count; i++) {
            n[i] = read_double(file);
            map[i] = read_double(file);
        }
        read_doubles(file, mode, 4);
        read_doubles(file, covariance, 16);
        pts_curve_posterior posterior;
        ck_assert_int_eq(pts_curve_posterior_find(&prior, n, map, count, &posterior, NULL), PTS_OK);
        for (int k = 0; k < 4; k++)
            ck_assert_double_eq_tol(posterior.mean[k], mode[k], 1e-7);
        for (int k = 0; k < 16; k++) /* in units of the standard deviations */
            ck_assert_double_eq_tol(posterior.covariance[k], covariance[k],
                                    2e-7 * sqrt(covariance[k / 4 * 5] * covariance[k % 4 * 5]));
    }
    fclose(file);
}
END_TEST

static const pts_curve_prior some_prior = {
    {0.03, 0.75, 4.7, 0.55},
    {0.0016, 0, 0, 0, 0, 0.09, -0.03, 0, 0, -0.03, 0.25, 0, 0, 0, 0, 0.0144},
    0.02,
    INFINITY};

START_TEST(posterior_without_points_is_the_prior)
{
    pts_curve_posterior posterior;
    ck_assert_int_eq(pts_curve_posterior_find(&some_prior, NULL, NULL, 0, &posterior, NULL),
                     PTS_OK);
    for (int k = 0; k < 4; k++)
        ck_assert_double_eq_tol(posterior.mean[k], some_prior.mean[k], 1e-12);
    for (int k = 0; k < 16; k++)
        ck_assert_double_eq_tol(posterior.covariance[k], some_prior.covariance[k], 1e-12);
}
END_TEST

START_TEST(posterior_with_many_points_is_the_fit)
{
    enum { MANY = 20000 };
    static double n[MANY], map[MANY];
    uint64_t seed = 5;
    const pts_curve truth = {0.1, 1.5, 200, 0.7};
    for (int i = 0; i < MANY; i++) {
        n[i] = exp(between(&seed, 5, 10)); /* large, where the noise of all points is nearly one */
        map[i] = textbook(&truth, n[i]) + 0.02 * pts_normal_quantile(uniform(&seed));
    }
    pts_curve_posterior posterior;
    pts_fit fit;
    ck_assert_int_eq(pts_curve_posterior_find(&some_prior, n, map, MANY, &posterior, NULL), PTS_OK);
    ck_assert_int_eq(pts_curve_fit(n, map, MANY, &fit, NULL), PTS_OK);
    for (double at = 200; at < 20000; at *= 2)
        ck_assert_double_eq_tol(pts_curve_at(&posterior.curve, at), pts_curve_at(&fit.curve, at),
                                5e-4);
}
END_TEST

/* Worlds drawn from the prior, pilot points with the documented noise: an 80 % interval must hold
 * the truth in 80 % of them. 400 worlds: three standard errors are 6 %. */
START_TEST(intervals_cover_what_they_say)
{
    enum { WORLDS = 400 };
    const double n[] = {5, 10, 20, 40, 80}, sizes[] = {30, 150, 1000};
    uint64_t seed = 6;
    int band[3] = {0}, size = 0, measured = 0;
    for (int world = 0; world < WORLDS; world++) {
        double z[4], map[5], low[3], high[3], needed;
        for (int k = 0; k < 4; k++)
            z[k] = pts_normal_quantile(uniform(&seed));
        pts_curve truth = {0.03 + 0.04 * z[0], exp(0.75 + 0.3 * z[1]),
                           exp(4.7 - 0.1 * z[1] + sqrt(0.24) * z[2]), 0.55 + 0.12 * z[3]};
        for (int i = 0; i < 5; i++)
            map[i] = pts_curve_at(&truth, n[i]) +
                     1.5 * 0.02 * sqrt(1 + 50 / n[i]) * pts_normal_quantile(uniform(&seed));
        pts_curve_posterior posterior;
        pts_curve_answer answer;
        ck_assert_int_eq(pts_curve_posterior_find(&some_prior, n, map, 5, &posterior, NULL),
                         PTS_OK);
        ck_assert_int_eq(pts_curve_band(&posterior, 0.8, false, sizes, 3, low, high, NULL), PTS_OK);
        for (int i = 0; i < 3; i++) {
            double f = fmin(fmax(pts_curve_at(&truth, sizes[i]), 0), 1);
            band[i] += f >= low[i] && f <= high[i];
        }
        double later = pts_curve_at(&truth, 1000) + 0.02 * pts_normal_quantile(uniform(&seed));
        ck_assert_int_eq(pts_curve_band(&posterior, 0.8, true, sizes + 2, 1, low, high, NULL),
                         PTS_OK);
        measured += later >= *low && later <= *high;
        pts_curve_size(&truth, 0.3, &needed); /* one that nearly every world reaches */
        ck_assert_int_eq(pts_curve_ask(&posterior, 0.3, 0.8, &answer, NULL), PTS_OK);
        size += needed >= answer.n_low && needed <= answer.n_high;
    }
    const double shares[] = {band[0], band[1], band[2], measured, size};
    for (int i = 0; i < 5; i++)
        ck_assert_msg(fabs(shares[i] / WORLDS - 0.8) <= 0.06, "%d: %g", i, shares[i] / WORLDS);
}
END_TEST

START_TEST(answers_are_ordered_and_named)
{
    pts_curve_posterior p;
    pts_curve_answer a;
    pts_error err;
    ck_assert_int_eq(pts_curve_posterior_find(&some_prior, NULL, NULL, 0, &p, NULL), PTS_OK);
    ck_assert_int_eq(pts_curve_ask(&p, 0.3, 0.8, &a, NULL), PTS_OK);
    ck_assert_int_eq(a.status, PTS_SIZE_OK);
    ck_assert(a.n_low < a.n && a.n < a.n_high && isfinite(a.n_high));
    ck_assert_double_ge(a.probability_reachable, 0.97);
    ck_assert_int_eq(pts_curve_ask(&p, 0.55, 0.8, &a, NULL), PTS_OK);
    ck_assert_int_eq(a.status, PTS_SIZE_UNREACHABLE); /* just the mode's plateau: half reach it */
    ck_assert_double_eq_tol(a.probability_reachable, 0.5, 0.01);
    ck_assert(isfinite(a.n_low));
    ck_assert_double_eq(a.n_high, INFINITY);
    int fewer = 0, reaching = 0; /* half of those that reach it need no more */
    for (int k = 0; k < PTS_CURVE_DRAWS; k++) {
        reaching += p.draws[k].curve.D > 0.55;
        fewer +=
            p.draws[k].curve.D > 0.55 && pts_curve_at(&p.draws[k].curve, a.n_if_reachable) >= 0.55;
    }
    ck_assert_double_eq_tol(fewer / (double)reaching, 0.5, 0.01);
    ck_assert_int_eq(pts_curve_ask(&p, 0.99, 0.8, &a, NULL), PTS_OK);
    ck_assert_double_eq(a.n_low, INFINITY);
    ck_assert_int_eq(pts_curve_ask(&p, 1, 0.8, &a, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "target: expected a number between 0 and 1, got 1");
    ck_assert_int_eq(pts_curve_ask(&p, 0.5, 0, &a, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "confidence: expected a number between 0 and 1, got 0");
    pts_curve_prior bad = some_prior;
    bad.noise = 0;
    ck_assert_int_eq(pts_curve_posterior_find(&bad, NULL, NULL, 0, &p, &err), PTS_ERR_ARGUMENT);
    bad = some_prior;
    bad.covariance[0] = -1;
    ck_assert_int_eq(pts_curve_posterior_find(&bad, NULL, NULL, 0, &p, &err), PTS_ERR_NUMERIC);
    ck_assert_str_eq(err.message,
                     "prior: expected a positive definite covariance of (A, ln B, ln C, D)");
}
END_TEST

/* Curves drawn from a known population: EM must find it again. 150 curves: a mean is known to
 * sd/12, a standard deviation to 6 %, the shrinkage and the widening aside. */
START_TEST(prior_is_the_population)
{
    enum { CURVES = 150, POINTS = 12 };
    static double n[CURVES][POINTS], map[CURVES][POINTS];
    static pts_curve_points curves[CURVES];
    const double mean[4] = {0.1, 0.4, 4, 0.6}, sd[4] = {0.08, 0.3, 0.7, 0.12};
    uint64_t seed = 8;
    double truths[4][CURVES];
    for (int c = 0; c < CURVES; c++) {
        double theta[4];
        for (int k = 0; k < 4; k++)
            theta[k] = truths[k][c] = mean[k] + sd[k] * pts_normal_quantile(uniform(&seed));
        pts_curve truth = {theta[0], exp(theta[1]), exp(theta[2]), theta[3]};
        for (int i = 0; i < POINTS; i++) {
            n[c][i] = 2 * pow(2, 0.8 * i);
            map[c][i] = textbook(&truth, n[c][i]) +
                        0.01 * sqrt(1 + 50 / n[c][i]) * pts_normal_quantile(uniform(&seed));
        }
        curves[c] = (pts_curve_points){
            .dataset = "", .class_name = "", .count = POINTS, .n = n[c], .map = map[c]};
    }
    pts_curve_prior prior;
    ck_assert_int_eq(pts_curve_prior_learn(curves, NULL, CURVES, &prior, NULL), PTS_OK);
    for (int k = 0; k < 4; k++) {
        ck_assert_double_eq_tol(prior.mean[k], mean[k], sd[k] / 4);
        ck_assert_double_eq_tol(sqrt(prior.covariance[k * 5]) / sd[k], 1, 0.25);
    }
    ck_assert_double_eq_tol(prior.noise, 0.01, 0.002);
    ck_assert_double_eq(prior.noise_dof, 40); /* one noise for all */
    pts_error err;
    ck_assert_int_eq(pts_curve_prior_learn(curves, NULL, 1, &prior, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "prior: expected at least 2 curves, got 1");
    ck_assert_int_eq(pts_curve_prior_learn(curves, NULL, 2, &prior, NULL), PTS_OK);
    pts_curve_posterior posterior; /* two curves make a positive definite matrix, too */
    ck_assert_int_eq(pts_curve_posterior_find(&prior, NULL, NULL, 0, &posterior, NULL), PTS_OK);
}
END_TEST

/* Standard errors of a line in ln n from the textbook, AICc by hand; repeats are weights. */
START_TEST(family_errors_and_weights)
{
    const double n[] = {2, 4, 8, 8, 16, 32}, map[] = {0.1, 0.22, 0.28, 0.32, 0.38, 0.52};
    const double once[] = {2, 4, 8, 16, 32}, mean[] = {0.1, 0.22, 0.30, 0.38, 0.52};
    const double weights[] = {1, 1, 2, 1, 1};
    double sx = 0, sxx = 0, sy = 0, sxy = 0;
    for (int i = 0; i < 6; i++) {
        sx += log(n[i]);
        sxx += log(n[i]) * log(n[i]);
        sy += map[i];
        sxy += log(n[i]) * map[i];
    }
    double det = 6 * sxx - sx * sx, slope = (6 * sxy - sx * sy) / det, c = (sy - slope * sx) / 6;
    double sse = 0;
    for (int i = 0; i < 6; i++)
        sse += pow(c + slope * log(n[i]) - map[i], 2);
    pts_family_fit fit, weighted;
    ck_assert_int_eq(pts_family_fit_points(PTS_FAMILY_LOG2, n, map, NULL, 6, &fit, NULL), PTS_OK);
    ck_assert_double_eq_tol(fit.x[0], slope, 1e-12);
    ck_assert_double_eq_tol(fit.x[1], c, 1e-12);
    ck_assert_double_eq_tol(fit.se[0], sqrt(sse / 4 * 6 / det), 1e-9);
    ck_assert_double_eq_tol(fit.se[1], sqrt(sse / 4 * sxx / det), 1e-9);
    ck_assert_double_eq_tol(fit.aicc, 6 * log(sse / 6) + 6 + 2 * 3 * 4 / 2.0, 1e-9);
    ck_assert_int_eq(fit.status, PTS_FIT_PLATEAU_NOT_REACHED); /* it has none */
    for (int f = 0; f < PTS_FAMILIES; f++) {
        ck_assert_int_eq(pts_family_fit_points((pts_family)f, n, map, NULL, 6, &fit, NULL), PTS_OK);
        ck_assert_int_eq(
            pts_family_fit_points((pts_family)f, once, mean, weights, 5, &weighted, NULL), PTS_OK);
        for (double at = 2; at <= 32; at *= 2)
            ck_assert_double_eq_tol(pts_family_at(&fit, at), pts_family_at(&weighted, at), 1e-4);
    }
    pts_error err;
    const double bad[] = {1, 0, 1, 1, 1};
    ck_assert_int_eq(pts_family_fit_points(PTS_FAMILY_EXP3, once, mean, bad, 5, &fit, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "curve: point 2: expected a weight above 0, got 0");
    ck_assert_int_eq(pts_family_fit_points(PTS_FAMILY_POW3, once, mean, NULL, 2, &fit, &err),
                     PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "curve: expected at least 3 distinct sizes, got 2");
}
END_TEST

/* Of a line the textbook's band, as near as a thousand refits come (standard error of such a
 * quantile: 3.5 % of the half width); scipy.stats.t.ppf(0.9, 4) = 1.533206274058944. */
START_TEST(band_of_a_line_is_the_textbook_s)
{
    const double n[] = {2, 4, 8, 8, 16, 32}, map[] = {0.1, 0.22, 0.28, 0.32, 0.38, 0.52};
    const double at[] = {2, 10, 100, 1000};
    double mean = 0, spread = 0, sse = 0, low[4], high[4];
    pts_family_fit fit;
    ck_assert_int_eq(pts_family_fit_points(PTS_FAMILY_LOG2, n, map, NULL, 6, &fit, NULL), PTS_OK);
    for (int i = 0; i < 6; i++)
        mean += log(n[i]) / 6;
    for (int i = 0; i < 6; i++) {
        spread += pow(log(n[i]) - mean, 2);
        sse += pow(fit.x[1] + fit.x[0] * log(n[i]) - map[i], 2);
    }
    const pts_fit_points points = {n, NULL, 6};
    ck_assert_int_eq(pts_family_band(&fit, &points, 0.8, at, 4, low, high, NULL), PTS_OK);
    for (int i = 0; i < 4; i++) {
        double f = fit.x[1] + fit.x[0] * log(at[i]);
        double half =
            1.533206274058944 * sqrt(sse / 4 * (1.0 / 6 + pow(log(at[i]) - mean, 2) / spread));
        ck_assert_double_eq_tol(low[i], fmin(fmax(f - half, 0), 1), 0.08 * half);
        ck_assert_double_eq_tol(high[i], fmin(fmax(f + half, 0), 1), 0.08 * half);
    }
    pts_error err;
    ck_assert_int_eq(pts_family_band(&fit, &points, 1, at, 4, low, high, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "curve: expected a confidence in 0 … 1, got 1");
    const double none = 0;
    ck_assert_int_eq(pts_family_band(&fit, &points, 0.8, &none, 1, low, high, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "curve: point 1: expected a size above 0, got 0");
}
END_TEST

/* Slopes of a family by its own parameters, by central differences. */
static void slopes(pts_family family, const double *x, size_t count, double n, double *g)
{
    for (size_t k = 0; k < count; k++) {
        double moved[2][4], h = 1e-5 * fmax(fabs(x[k]), 1e-2);
        for (int up = 0; up < 2; up++) {
            memcpy(moved[up], x, sizeof moved[up]);
            moved[up][k] += up ? h : -h;
        }
        g[k] = (by_definition(family, moved[1], n) - by_definition(family, moved[0], n)) / (2 * h);
    }
}

/* v = matrix⁻¹ v for a small positive definite matrix, by elimination. */
static void eliminate(double matrix[4][4], double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            double part = matrix[j][i] / matrix[i][i];
            for (size_t k = i; k < count; k++)
                matrix[j][k] -= part * matrix[i][k];
            v[j] -= part * v[i];
        }
    }
    for (size_t i = count; i-- > 0;) {
        for (size_t k = i + 1; k < count; k++)
            v[i] -= matrix[i][k] * v[k];
        v[i] /= matrix[i][i];
    }
}

/* Every family's band beside the delta method over its own parameters, on points near a curve of
 * its own, where bending does not tell: within 15 % of the half width (a
 * quantile of a thousand refits has a standard error of 4 %, and here are 42);
 * scipy.stats.t.ppf(0.975, 20 − 2, 3, 4) and its quantiles for one parameter. And the sensitivity
 * by SMAPE anew from the definitions. */
START_TEST(bands_and_sensitivities_by_hand)
{
    static const double t[] = {0, 2.0930240544083087, 2.1009220402410382, 2.1098155778333156,
                               2.1199052992212546};
    double n[20], map[20], at[3] = {3, 60, 2000}, low[3], high[3], change[4][2];
    uint64_t seed = 40;
    for (int i = 0; i < 20; i++)
        n[i] = exp(0.4 * (i + 1));
    for (pts_family family = 0; family < PTS_FAMILY_LAST1; family++) {
        size_t count = pts_family_parameters(family);
        pts_family_fit fit;
        for (int i = 0; i < 20; i++)
            map[i] = textbook(&(pts_curve){0.1, 1.1, 50, 0.7}, n[i]);
        ck_assert_int_eq(pts_family_fit_points(family, n, map, NULL, 20, &fit, NULL), PTS_OK);
        for (int i = 0; i < 20; i++)
            map[i] =
                by_definition(family, fit.x, n[i]) + 0.001 * pts_normal_quantile(uniform(&seed));
        ck_assert_int_eq(pts_family_fit_points(family, n, map, NULL, 20, &fit, NULL), PTS_OK);
        const pts_fit_points points = {n, NULL, 20};
        ck_assert_int_eq(pts_family_band(&fit, &points, 0.95, at, 3, low, high, NULL), PTS_OK);
        for (int i = 0; i < 3; i++) {
            double information[4][4] = {{0}}, g[4], v[4], row[4], variance = 0;
            for (int k = 0; k < 20; k++) {
                slopes(family, fit.x, count, n[k], row);
                for (size_t a = 0; a < count; a++)
                    for (size_t b = 0; b < count; b++)
                        information[a][b] += row[a] * row[b];
            }
            slopes(family, fit.x, count, at[i], g);
            memcpy(v, g, sizeof v);
            eliminate(information, v, count);
            for (size_t k = 0; k < count; k++)
                variance += g[k] * v[k] * fit.sse / (double)(20 - count);
            double f = by_definition(family, fit.x, at[i]), half = t[count] * sqrt(variance);
            ck_assert_msg(fabs(low[i] - fmin(fmax(f - half, 0), 1)) < 0.15 * half + 1e-9 &&
                              fabs(high[i] - fmin(fmax(f + half, 0), 1)) < 0.15 * half + 1e-9,
                          "%s at %g: %g … %g, %g ± %g", pts_family_name(family), at[i], low[i],
                          high[i], f, half);
        }
        ck_assert_int_eq(pts_family_sensitivity(&fit, n, map, 20, 0.05, change, NULL), PTS_OK);
        for (size_t k = 0; k < 4; k++) {
            for (int up = 0; up < 2; up++) {
                double x[4], moved[20], fitted[20];
                memcpy(x, fit.x, sizeof x);
                x[k] *= up ? 1.05 : 0.95;
                for (int i = 0; i < 20; i++) {
                    moved[i] = by_definition(family, x, n[i]);
                    fitted[i] = by_definition(family, fit.x, n[i]);
                }
                double expected = 0;
                for (int i = 0; k < count && i < 20; i++)
                    expected += 10 * (fabs(moved[i] - map[i]) / (fabs(moved[i]) + fabs(map[i])) -
                                      fabs(fitted[i] - map[i]) / (fabs(fitted[i]) + fabs(map[i])));
                ck_assert_double_eq_tol(change[k][up], expected, 1e-8);
            }
        }
    }
}
END_TEST

/* Noisy curves of each kind: both criteria must know the 4PL from the power law, and the average
 * must lie among its parts. */
START_TEST(families_are_chosen)
{
    const double truth[2][4] = {{0.02, 2.2, 80, 0.6}, {0.75, 0.35, 0.8}};
    const pts_family kinds[2] = {PTS_FAMILY_4PL, PTS_FAMILY_POW3};
    for (int kind = 0; kind < 2; kind++) {
        for (int how = PTS_SELECT_AICC; how <= PTS_SELECT_CV; how++) {
            uint64_t seed = 9;
            double n[40], map[40], sum = 0;
            for (int i = 0; i < 40; i++) {
                n[i] = 2 * exp(0.15 * ((i * 7) % 40)); /* in no order */
                map[i] = by_definition(kinds[kind], truth[kind], n[i]) +
                         0.004 * pts_normal_quantile(uniform(&seed));
            }
            pts_family_choice choice;
            ck_assert_int_eq(pts_family_choose(n, map, NULL, 40, (pts_selection)how, &choice, NULL),
                             PTS_OK);
            double wrong = choice.weight[kind ? PTS_FAMILY_EXP3 : PTS_FAMILY_POW2];
            ck_assert_msg(wrong < 0.01, "%d %d: %g", kind, how, wrong);
            if (kind == 0)
                ck_assert_int_eq(choice.best, PTS_FAMILY_4PL);
            for (int f = 0; f < PTS_FAMILIES; f++)
                sum += choice.weight[f];
            ck_assert_double_eq_tol(sum, 1, 1e-12);
            ck_assert_double_eq_tol(pts_family_average_at(&choice, 300),
                                    by_definition(kinds[kind], truth[kind], 300), 0.01);
        }
    }
    pts_family family;
    pts_error err;
    ck_assert_int_eq(pts_family_find("mmf4", &family, NULL), PTS_OK);
    ck_assert_int_eq(family, PTS_FAMILY_4PL);
    ck_assert_int_eq(pts_family_find("pow5", &family, &err), PTS_ERR_ARGUMENT);
}
END_TEST

/* Worlds drawn from the prior with a noise that is not known: the draws' intervals must hold the
 * truth as often as they say. Points count as independent here, while the posterior discounts
 * them: so at least as often. */
START_TEST(unknown_noise_is_integrated_out)
{
    enum { WORLDS = 200 };
    const double n[] = {10, 20, 40, 80, 160}, later = 600;
    pts_curve_prior prior = some_prior;
    prior.noise_dof = 12;
    uint64_t seed = 10;
    int inside = 0;
    static pts_curve_posterior posterior;
    for (int world = 0; world < WORLDS; world++) {
        double z[4], map[5], low, high, chi = 0;
        for (int k = 0; k < 4; k++)
            z[k] = pts_normal_quantile(uniform(&seed));
        for (int k = 0; k < 12; k++)
            chi += pow(pts_normal_quantile(uniform(&seed)), 2);
        double noise = 0.02 * sqrt(12 / chi);
        pts_curve truth = {0.03 + 0.04 * z[0], exp(0.75 + 0.3 * z[1]),
                           exp(4.7 - 0.1 * z[1] + sqrt(0.24) * z[2]), 0.55 + 0.12 * z[3]};
        for (int i = 0; i < 5; i++)
            map[i] = pts_curve_at(&truth, n[i]) +
                     noise * sqrt(1 + 50 / n[i]) * pts_normal_quantile(uniform(&seed));
        ck_assert_int_eq(pts_curve_posterior_find(&prior, n, map, 5, &posterior, NULL), PTS_OK);
        ck_assert_double_ge(posterior.effective, 500);
        ck_assert_int_eq(pts_curve_band(&posterior, 0.8, false, &later, 1, &low, &high, NULL),
                         PTS_OK);
        double f = fmin(fmax(pts_curve_at(&truth, later), 0), 1);
        inside += f >= low && f <= high;
    }
    ck_assert_msg(inside >= 0.74 * WORLDS && inside <= 0.96 * WORLDS, "%d", inside);
}
END_TEST

/* Pilot results far off the prior, but of one mind: the forecast must pass through them (a Gaussian
 * prior called them noise) and say that they are unlike the prior; results of its kind must not. */
START_TEST(consistent_pilot_overrules_the_prior)
{
    const double n[] = {2, 4, 6, 8, 10, 12, 16}, wide[] = {2, 4, 8, 16, 32, 64, 128};
    const double high[] = {0.60, 0.63, 0.66, 0.68, 0.69, 0.70, 0.72};
    const double flat[] = {0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3};
    pts_curve_prior prior = some_prior;
    prior.noise_dof = 12;
    double usual[7], low[7], above[7], median[7];
    const pts_curve truth = {0.05, exp(0.8), exp(4.9), 0.5};
    for (int i = 0; i < 7; i++)
        usual[i] = pts_curve_at(&truth, wide[i]) + (i % 2 ? 0.01 : -0.01);
    const double *const sizes[] = {n, wide, wide}, *const maps[] = {high, flat, usual};
    static pts_curve_posterior p;
    for (int k = 0; k < 3; k++) {
        ck_assert_int_eq(pts_curve_posterior_find(&prior, sizes[k], maps[k], 7, &p, NULL), PTS_OK);
        ck_assert_int_eq(pts_curve_median(&p, sizes[k], 7, median, NULL), PTS_OK);
        ck_assert_int_eq(pts_curve_band(&p, 0.8, true, sizes[k], 7, low, above, NULL), PTS_OK);
        for (int i = 0; i < 7; i++) {
            double scatter = prior.noise * sqrt(1 + 50 / sizes[k][i]);
            ck_assert_double_eq_tol(median[i], maps[k][i], scatter);
            ck_assert_double_eq_tol(pts_curve_at(&p.curve, sizes[k][i]), maps[k][i], scatter);
            ck_assert(maps[k][i] >= low[i] && maps[k][i] <= above[i]);
        }
        ck_assert_double_ge(p.effective, 500);
        ck_assert_double_le(p.noise, 1.2 * prior.noise);
        if (k < 2)
            ck_assert_double_ge(p.unlike, 0.9);
        else
            ck_assert_double_le(p.unlike, 0.05);
    }
    ck_assert_int_eq(pts_curve_posterior_find(&prior, NULL, NULL, 0, &p, NULL), PTS_OK);
    ck_assert_double_eq_tol(p.unlike, 0.005, 5e-4);
}
END_TEST

/* Mean likelihood of three points over curves drawn from N(mean, diag sd²), plain Monte Carlo. */
static double mean_likelihood(const double *mean, const double *sd, double noise, const double *n,
                              const double *map, uint64_t seed)
{
    enum { SAMPLES = 400000 };
    double sum = 0;
    for (int i = 0; i < SAMPLES; i++) {
        double theta[4], squares = 0;
        for (int k = 0; k < 4; k++)
            theta[k] = mean[k] + sd[k] * pts_normal_quantile(uniform(&seed));
        const pts_curve c = {theta[0], exp(theta[1]), exp(theta[2]), theta[3]};
        for (int k = 0; k < 3; k++)
            squares += pow(pts_curve_at(&c, n[k]) - map[k], 2) / (1 + 50 / n[k]);
        sum += exp(-squares / (2 * 2.25 * noise * noise));
    }
    return sum / SAMPLES;
}

/* Bayes' rule for "of no population", by hand: three points that leave it open. */
START_TEST(unlike_is_bayes_rule)
{
    static const double any_mean[4] = {0.2, 0.5, 4, 0.5}, any_sd[4] = {0.3, 0.8, 2, 0.35};
    const double n[] = {10, 40, 100}, map[] = {0.16, 0.31, 0.42};
    const double mean[4] = {0.03, 0.75, 4.7, 0.55}, sd[4] = {0.02, 0.2, 0.15, 0.05};
    pts_curve_prior prior = {.noise = 0.02, .noise_dof = INFINITY};
    memcpy(prior.mean, mean, sizeof mean);
    for (int k = 0; k < 4; k++)
        prior.covariance[k * 5] = sd[k] * sd[k];
    double population = 0.995 * mean_likelihood(mean, sd, 0.02, n, map, 20);
    double any = 0.005 * mean_likelihood(any_mean, any_sd, 0.02, n, map, 21);
    static pts_curve_posterior p;
    ck_assert_int_eq(pts_curve_posterior_find(&prior, n, map, 3, &p, NULL), PTS_OK);
    double expected = any / (any + population);
    ck_assert_msg(expected > 0.1 && expected < 0.9, "%g", expected);
    ck_assert_double_eq_tol(p.unlike, expected, 0.03);
}
END_TEST

/* Where a measurement would help: on the plateau when only the plateau is unknown, and less where
 * the curve is known; and plans that cannot fail or cannot succeed. */
START_TEST(advice_follows_what_is_unknown)
{
    pts_curve_prior prior = {{0.05, 0.7, 4, 0.5},
                             {1e-6, 0, 0, 0, 0, 1e-6, 0, 0, 0, 0, 1e-6, 0, 0, 0, 0, 0.01},
                             0.01,
                             INFINITY};
    const double n[] = {2, 20, 60, 1000};
    double expected[4], now;
    static pts_curve_posterior p;
    ck_assert_int_eq(pts_curve_posterior_find(&prior, NULL, NULL, 0, &p, NULL), PTS_OK);
    ck_assert_int_eq(pts_curve_next(&p, 0.4, 0.8, n, 4, expected, &now, NULL), PTS_OK);
    ck_assert_double_le(expected[3], expected[2]);
    ck_assert_double_le(expected[2], expected[1]);
    ck_assert_double_le(expected[3], now / 2);
    ck_assert_double_le(expected[0], now * 1.1);
    pts_curve_plan one, five, never;
    ck_assert_int_eq(pts_curve_plan_rounds(&p, 0.3, 0, 1, 0, &one, NULL), PTS_OK);
    ck_assert_int_eq(pts_curve_plan_rounds(&p, 0.3, 0, 5, 0, &five, NULL), PTS_OK);
    ck_assert_double_eq_tol(one.probability, 0.5, 0.08); /* the median, rounded up */
    ck_assert_double_eq_tol(one.rounds, 1, 1e-12);
    ck_assert_double_eq_tol(one.images, one.first, 1e-9);
    ck_assert_double_ge(five.probability, 0.9);
    ck_assert_double_ge(five.images, one.images);
    ck_assert_double_eq(five.first, one.first);
    pts_curve_plan careful;
    ck_assert_int_eq(pts_curve_plan_rounds(&p, 0.3, 0.05, 1, 0, &careful, NULL), PTS_OK);
    ck_assert_double_ge(careful.probability, one.probability + 0.1);
    ck_assert_int_eq(pts_curve_plan_rounds(&p, 0.9, 0, 5, 0, &never, NULL), PTS_OK);
    ck_assert_double_eq(never.first, INFINITY);
    ck_assert_double_eq(never.images, 0);
    pts_error err;
    ck_assert_int_eq(pts_curve_plan_rounds(&p, 0.9, 0.2, 5, 0, &never, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "target + tau: expected a number between 0 and 1, got 1.1");
    ck_assert_int_eq(pts_curve_plan_rounds(&p, 0.5, 0, 0, 0, &never, &err), PTS_ERR_ARGUMENT);
}
END_TEST

static const char *write_file(const char *suffix, const char *text);

START_TEST(prior_survives_its_file)
{
    pts_curve_set *set = study_curves();
    static pts_prior_file file, back;
    pts_error err;
    ck_assert_int_eq(pts_prior_learn(set, "YOLO\nsecond line", &file, NULL), PTS_OK);
    pts_curves_destroy(set);
    ck_assert_str_eq(file.trainer, "YOLO");
    ck_assert_uint_eq(file.datasets, 7);
    ck_assert_uint_eq(file.curves, 15);
    const char *path = write_file(".txt", "");
    ck_assert_int_eq(pts_prior_write(path, &file, NULL), PTS_OK);
    ck_assert_int_eq(pts_prior_read(path, &back, NULL), PTS_OK);
    ck_assert_int_eq(memcmp(&file.prior, &back.prior, sizeof file.prior), 0);
    ck_assert_str_eq(back.trainer, "YOLO");
    back.prior.noise_dof = INFINITY; /* what no file can say is not written */
    ck_assert_int_eq(pts_prior_write(path, &back, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "prior: expected a finite noise_dof, got inf");
    ck_assert_int_eq(pts_prior_read(path, &back, NULL), PTS_OK);
    ck_assert_double_eq(back.prior.noise_dof, file.prior.noise_dof);
    static const char *const cases[][2] = {
        {"", "line 1: expected 'pts-prior …', got ''"},
        {"pts-prior 2\n", "line 1: expected version 1, got '2'"},
        {"pts-prior 1\ntrainer x\ndatasets 1.5\n", "line 3: datasets: expected a whole number"},
        {"pts-prior 1\ntrainer x\ndatasets 1\ncurves 1\nnoise nan\n",
         "line 5: noise: expected 1 finite numbers"},
        {"pts-prior 1\ntrainer x\ndatasets 1\ncurves 1\nnoise 0.1\nnoise_dof 4\nmean 1 2 3\n",
         "line 7: mean: expected 4 finite numbers"},
        {"pts-prior 1\ntrainer x\ndatasets 1\ncurves 1\nnoise 0.1\nnoise_dof 4\nmean 1 2 3 4\n"
         "covariance 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
         "prior: expected a positive definite covariance of (A, ln B, ln C, D)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[512];
        write_file(".txt", cases[i][0]);
        ck_assert_int_ne(pts_prior_read(path, &back, &err), PTS_OK);
        snprintf(expected, sizeof expected, "%s: %s", path, cases[i][1]);
        ck_assert_str_eq(err.message, expected);
    }
    unlink(path);
}
END_TEST

/* The benchmark's promise on the study's curves, and the trivial method by hand. */
START_TEST(forecasts_of_the_study)
{
    pts_curve_set *set = study_curves();
    const double upto[] = {50, 100, 200}, reach[] = {0.120, 0.085, 0.041};
    pts_forecast_score scores[15];
    for (int k = 0; k < 3; k++) {
        double mae = 0, covered = 0, last = 0;
        ck_assert_int_eq(
            pts_extrapolate(set, upto[k], PTS_FORECAST_POSTERIOR, NULL, NULL, scores, NULL),
            PTS_OK);
        for (int i = 0; i < 15; i++) {
            mae += scores[i].mae / 15;
            covered += scores[i].covered_80 / 15;
        }
        ck_assert_double_le(mae, reach[k]);
        ck_assert(covered >= 0.7 && covered <= 0.9);
        ck_assert_int_eq(
            pts_extrapolate(set, upto[k], PTS_FORECAST_LAST1, NULL, NULL, scores, NULL), PTS_OK);
        const pts_curve_points *c = &set->curves[0];
        for (size_t i = scores[0].points; i < c->count; i++)
            last += fabs(c->map[i] - c->map[scores[0].points - 1]);
        ck_assert_double_eq_tol(scores[0].mae, last / (double)scores[0].ahead, 1e-15);
        ck_assert(isnan(scores[0].covered_80));
    }
    pts_error err;
    set->count = 2; /* one data set only */
    ck_assert_int_eq(pts_extrapolate(set, 50, PTS_FORECAST_POSTERIOR, NULL, NULL, scores, &err),
                     PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message, "feet-14: expected at least 2 curves of other data sets for "
                                  "the prior, got 0");
    ck_assert_int_eq(pts_extrapolate(set, 5, PTS_FORECAST_4PL, NULL, NULL, scores, NULL), PTS_OK);
    ck_assert(isnan(scores[0].mae)); /* two points: no fit */
    set->count = 15;
    pts_curves_destroy(set);
}
END_TEST

/* Text into a file of the given suffix; the path is static. */
static const char *write_file(const char *suffix, const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/pts_curve_%ld%s", (long)getpid(), suffix);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fputs(text, file) < 0, 0);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

START_TEST(csv_is_read_in_all_its_forms)
{
    pts_curve_set *set;
    const char *path =
        write_file(".csv", "\xEF\xBB\xBFmap,n,class,dataset\r\n50,20,\"a \"\"b\"\", c\",x\r\n\r\n"
                           "10,3,0,x\r\n25,10,\"a \"\"b\"\", c\",x");
    ck_assert_int_eq(pts_curves_read(&set, path, NULL), PTS_OK);
    ck_assert_uint_eq(set->count, 2);
    ck_assert(set->percent);
    ck_assert_str_eq(set->curves[0].class_name, "a \"b\", c");
    ck_assert_str_eq(set->curves[0].dataset, "x");
    ck_assert_uint_eq(set->curves[0].count, 2);
    ck_assert_double_eq(set->curves[0].n[0], 10); /* sorted */
    ck_assert_double_eq(set->curves[0].map[0], 0.25);
    ck_assert_double_eq(set->curves[0].map[1], 0.5);
    ck_assert(isnan(set->curves[0].map50[0]));
    ck_assert_double_eq(set->curves[1].map[0], 0.1);
    pts_curves_destroy(set);
    ck_assert_int_eq(pts_pilot_read(&set, write_file(".csv", "n,map\n20,0.5\n4,0.25\n"), NULL),
                     PTS_OK);
    ck_assert_uint_eq(set->count, 1);
    ck_assert_str_eq(set->curves[0].dataset, "");
    ck_assert_double_eq(set->curves[0].n[1], 20);
    ck_assert(!set->percent);
    pts_curves_destroy(set);
    pts_error err;
    const char *two = "dataset,class,n,map\na,0,2,0.1\na,1,2,0.2\n";
    ck_assert_int_eq(pts_pilot_read(&set, write_file(".csv", two), &err), PTS_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.message, "expected the points of one task, got 2 curves"));
    ck_assert_ptr_null(set);
    unlink(path);
}
END_TEST

static void refuses(const char *suffix, const char *text, pts_status status, const char *message)
{
    char expected[512];
    pts_curve_set *set;
    pts_error err;
    const char *path = write_file(suffix, text);
    ck_assert_int_eq(pts_curves_read(&set, path, &err), status);
    snprintf(expected, sizeof expected, "%s: %s", path, message);
    ck_assert_str_eq(err.message, expected);
    ck_assert_ptr_null(set);
    unlink(path);
}

/* A row equal in every column is a copy; seeds differ somewhere and stay; a weight makes two of one
 * row. */
START_TEST(copies_count_once)
{
    pts_curve_set *set;
    const char *path =
        write_file(".csv", "dataset,class,n,map,map50\nx,0,8,0.2,0.3\nx,0,4,0.1,0.2\n"
                           "x,0,8,0.2,0.3\nx,0,8,0.2,0.4\nx,1,8,0.2,0.3\n"
                           "x,0,8,0.2,0.3\n");
    ck_assert_int_eq(pts_curves_read(&set, path, NULL), PTS_OK);
    ck_assert_uint_eq(set->count, 2);
    ck_assert_uint_eq(set->curves[0].count, 3);
    ck_assert_uint_eq(set->curves[0].duplicates, 2);
    ck_assert_double_eq(set->curves[0].map50[1], 0.3); /* in the file's order */
    ck_assert_double_eq(set->curves[0].map50[2], 0.4);
    ck_assert_uint_eq(set->curves[1].duplicates, 0);
    ck_assert_ptr_null(set->curves[0].weight);
    pts_curves_destroy(set);
    path = write_file(".csv", "weight,n,map\n2,8,0.2\n1,8,0.2\n0.5,4,0.1\n");
    ck_assert_int_eq(pts_pilot_read(&set, path, NULL), PTS_OK);
    ck_assert_uint_eq(set->curves[0].count, 3);
    ck_assert_uint_eq(set->curves[0].duplicates, 0);
    ck_assert_double_eq(set->curves[0].weight[0], 0.5);
    ck_assert_double_eq(set->curves[0].weight[1], 2);
    pts_curves_destroy(set);
    unlink(path);
}
END_TEST

/* A weight of two is a point twice, in whatever order, for the posterior and for the prior. */
START_TEST(weights_are_repeats)
{
    const double n[] = {5, 10, 20, 40, 40, 80}, map[] = {0.04, 0.05, 0.11, 0.2, 0.24, 0.3};
    const double weights[] = {1, 2, 1, 3, 1, 2};
    double many_n[10], many_map[10];
    size_t count = 0;
    for (int i = 5; i >= 0; i--) {
        for (int k = 0; k < (int)weights[i]; k++) {
            many_n[count] = n[i];
            many_map[count++] = map[i];
        }
    }
    pts_curve_prior prior = some_prior, learnt[2];
    prior.noise_dof = 12;
    static pts_curve_posterior a, b;
    ck_assert_int_eq(pts_curve_posterior_find_weighted(&prior, n, map, weights, 6, &a, NULL),
                     PTS_OK);
    ck_assert_int_eq(pts_curve_posterior_find(&prior, many_n, many_map, count, &b, NULL), PTS_OK);
    for (int k = 0; k < 4; k++)
        ck_assert_double_eq_tol(a.mean[k], b.mean[k], 1e-7);
    ck_assert_double_eq_tol(a.noise, b.noise, 1e-9);
    ck_assert_double_eq_tol(a.unlike, b.unlike, 1e-6);
    ck_assert_double_eq_tol(pts_curve_at(&a.curve, 500), pts_curve_at(&b.curve, 500), 1e-5);
    double shifted[6], many_shifted[10], w[6];
    for (int i = 0; i < 6; i++)
        shifted[i] = map[i] * 1.2;
    for (size_t i = 0; i < count; i++)
        many_shifted[i] = many_map[i] * 1.2;
    memcpy(w, weights, sizeof w);
    const pts_curve_points once[2] = {
        {.count = 6, .n = (double *)n, .map = (double *)map, .weight = w},
        {.count = 6, .n = (double *)n, .map = shifted, .weight = w}};
    const pts_curve_points often[2] = {{.count = count, .n = many_n, .map = many_map},
                                       {.count = count, .n = many_n, .map = many_shifted}};
    ck_assert_int_eq(pts_curve_prior_learn(once, NULL, 2, &learnt[0], NULL), PTS_OK);
    ck_assert_int_eq(pts_curve_prior_learn(often, NULL, 2, &learnt[1], NULL), PTS_OK);
    for (int k = 0; k < 4; k++)
        ck_assert_double_eq_tol(learnt[0].mean[k], learnt[1].mean[k], 1e-6);
    ck_assert_double_eq_tol(learnt[0].noise, learnt[1].noise, 1e-8);
    pts_error err;
    const double bad[] = {1, 1, 1, 0, 1, 1};
    ck_assert_int_eq(pts_curve_posterior_find_weighted(&prior, n, map, bad, 6, &a, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "curve: point 4: expected a weight above 0, got 0");
}
END_TEST

/* Five thousand sizes are pooled into 512 and must say what they say one by one: the most probable
 * curve is the prior's and the points' least squares, found here over all points. */
START_TEST(many_sizes_are_pooled)
{
    enum { MANY = 5000 };
    static double n[MANY], map[MANY], weights[MANY];
    uint64_t seed = 30;
    const pts_curve truth = {0.1, 1.3, 60, 0.7};
    for (int i = 0; i < MANY; i++) {
        n[i] = exp(10.0 * (i + 1) / MANY);
        map[i] = textbook(&truth, n[i]) +
                 0.02 * sqrt(1 + 50 / n[i]) * pts_normal_quantile(uniform(&seed));
        weights[i] = 1 / (1 + 50 / n[i]);
    }
    static pts_curve_posterior p;
    pts_fit fit;
    ck_assert_int_eq(pts_curve_posterior_find(&some_prior, n, map, MANY, &p, NULL), PTS_OK);
    ck_assert_int_eq(pts_curve_fit_weighted(n, map, weights, MANY, &fit, NULL), PTS_OK);
    const pts_curve mode = {p.mean[0], exp(p.mean[1]), exp(p.mean[2]), p.mean[3]};
    for (double at = 1; at < 20000; at *= 2)
        ck_assert_double_eq_tol(pts_curve_at(&mode, at), pts_curve_at(&fit.curve, at), 2e-3);
}
END_TEST

START_TEST(bad_csv_is_named)
{
    const char *const cases[][2] = {
        {"", "expected a header and rows, got an empty file"},
        {"\n\n", "expected a header and rows, got an empty file"},
        {"dataset,class,n\n", "line 1: expected a header with a column 'map', got 'dataset…'"},
        {"dataset,class,n,map\n", "expected at least one measured point, got none"},
        {"dataset,class,n,map\nx,0,2\n", "line 2: expected 4 columns, got 3"},
        {"dataset,class,n,map\n\nx,0,2.5,0.1\n",
         "line 3: column n: expected a whole number in 1 … 1e+09, got '2.5'"},
        {"dataset,class,n,map\nx,0,0,0.1\n",
         "line 2: column n: expected a whole number in 1 … 1e+09, got '0'"},
        {"dataset,class,n,map\nx,0,0x10,0.1\n",
         "line 2: column n: expected a whole number in 1 … 1e+09, got '0x10'"},
        {"dataset,class,n,map\nx,0,2,nan\n",
         "line 2: column map: expected a number in 0 … 100, got 'nan'"},
        {"dataset,class,n,map\nx,0,2,\n",
         "line 2: column map: expected a number in 0 … 100, got ''"},
        {"dataset,class,n,map\nx,0,2,-0.1\n",
         "line 2: column map: expected a number in 0 … 100, got '-0.1'"},
        {"dataset,class,n,map,map50\nx,0,2,0.1,101\n",
         "line 2: column map50: expected a number in 0 … 100, got '101'"},
        {"dataset,class,n,map,weight\nx,0,2,0.1,0\n",
         "line 2: column weight: expected a number in 1e-09 … 1e+09, got '0'"},
        {"dataset,class,n,map,weight\nx,0,2,0.1,inf\n",
         "line 2: column weight: expected a number in 1e-09 … 1e+09, got 'inf'"},
        {"dataset,class,n,map\nx,\"0,2,0.1\n", "line 2: column 2: the quote is never closed"},
        {"dataset,class,n,map\nx,0\"1\",2,0.1\n",
         "line 2: column 2: expected a comma or the end of the line, got byte 0x22"},
        {"dataset,class,n,map\nx,0\r,2,0.1\n",
         "line 2: column 2: expected a comma or the end of the line, got byte 0x0D"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuses(".csv", cases[i][0], PTS_ERR_FORMAT, cases[i][1]);
    pts_curve_set *set;
    pts_error err;
    ck_assert_int_eq(pts_curves_read(&set, "/nonexistent/x.csv", &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "/nonexistent/x.csv: No such file or directory");
}
END_TEST

#ifdef PTS_HAVE_JSON
START_TEST(processed_result_is_read)
{
    pts_curve_set *set;
    const char *path =
        write_file(".json", "[{\"class_num\": 3, \"cls_tl_dict\": [2, 4, 6], \"result_dict\": {"
                            "\"0\": [0.1, 0.2, 0.05], \"1\": [0.3, 0.5, 0.2]}}]");
    ck_assert_int_eq(pts_curves_read(&set, path, NULL), PTS_OK);
    ck_assert_uint_eq(set->count, 1);
    ck_assert_str_eq(set->curves[0].class_name, "3");
    ck_assert_ptr_nonnull(strstr(path, set->curves[0].dataset)); /* the file's name */
    ck_assert_uint_eq(set->curves[0].count, 2);                  /* stopped early */
    ck_assert_double_eq(set->curves[0].n[1], 4);
    ck_assert_double_eq(set->curves[0].map50[1], 0.5);
    pts_curves_destroy(set);
    unlink(path);
}
END_TEST

START_TEST(bad_processed_result_is_named)
{
    refuses(".json", "{}", PTS_ERR_FORMAT, "expected a list of curves");
    refuses(".json", "[{\"class_num\": 1}]", PTS_ERR_FORMAT,
            "curve 1: expected cls_tl_dict, a list, and result_dict, an object");
    refuses(".json", "[{\"class_num\": null}]", PTS_ERR_FORMAT,
            "curve 1: expected class_num, a whole number or a short name");
    refuses(".json", "[{\"class_num\": 1, \"cls_tl_dict\": [2], \"result_dict\": {\"1\": []}}]",
            PTS_ERR_FORMAT,
            "curve 1: result_dict \"0\": expected [mAP, mAP50, mAP75], each a number in 0 … 100");
    refuses(".json",
            "[{\"class_num\": 1, \"cls_tl_dict\": [-2], \"result_dict\": {\"0\": [1,1,1]}}]",
            PTS_ERR_FORMAT, "curve 1: cls_tl_dict[0]: expected a whole number ≥ 1");
    refuses(".json", "[{\"class_num\": 1, \"cls_tl_dict\": [], \"result_dict\": {\"0\": [1,1,1]}}]",
            PTS_ERR_FORMAT, "curve 1: expected no more results than sizes");
    pts_curve_set *set;
    pts_error err;
    const char *path = write_file(".json", "[\n1,"); /* the rest of the line is jansson's */
    ck_assert_int_eq(pts_curves_read(&set, path, &err), PTS_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.message, ".json: line 2: "));
    unlink(path);
}
END_TEST
#endif

CHECK_SUITE("curve", curve_is_the_textbook_formula, curve_is_safe_at_the_ends,
            gradient_equals_central_differences, mirrored_parameters_are_the_same_curve,
            size_equals_bisection, size_has_three_answers, smape_and_percent,
            absurd_parameters_are_not_ok, determined_is_a_matter_of_standard_errors,
            smape_of_zeros_is_told, fit_recovers_noiseless_curves, published_fits_are_reproduced,
            fit_says_what_the_points_do_not_tell, families_recover_noiseless_curves,
            normal_quantiles, posterior_equals_scipy, posterior_without_points_is_the_prior,
            posterior_with_many_points_is_the_fit, answers_are_ordered_and_named,
            prior_is_the_population, family_errors_and_weights, band_of_a_line_is_the_textbook_s,
            bands_and_sensitivities_by_hand, families_are_chosen,
            consistent_pilot_overrules_the_prior, unlike_is_bayes_rule,
            advice_follows_what_is_unknown, prior_survives_its_file, copies_count_once,
            weights_are_repeats, many_sizes_are_pooled, csv_is_read_in_all_its_forms,
#ifdef PTS_HAVE_JSON
            processed_result_is_read, bad_processed_result_is_named,
#endif
            bad_csv_is_named, SLOW, intervals_cover_what_they_say, unknown_noise_is_integrated_out,
            forecasts_of_the_study)
