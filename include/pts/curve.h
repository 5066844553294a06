/* pts/curve.h: the learning curve, mAP against the number of training images n: the
 * four-parameter logistic, its least-squares fit, and the forecast from a prior and pilot points.
 *
 *   pts_fit fit;                                       // a fit of measured points
 *   pts_curve_fit(n, map, count, &fit, &err);
 *   double size;
 *   if (pts_curve_size(&fit.curve, 0.5, &size) == PTS_SIZE_OK) …
 *
 *   pts_curve_posterior posterior;                     // prior + pilot points
 *   pts_curve_posterior_find(&prior, n, map, count, &posterior, &err);
 *   pts_curve_answer answer;                           // how many images, and how sure
 *   pts_curve_ask(&posterior, 0.5, 0.8, &answer, &err);
 *
 * mAP is a fraction, 0 … 1; pts_map_from_percent converts. Sizes are images, real numbers ≥ 0
 * here. All functions are pure: no state, any thread. Objects of this header are plain values
 * except pts_curve_set. */
#ifndef PTS_CURVE_H
#define PTS_CURVE_H

#include "pts/base.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The curve -------------------------------------------------------------------------------
 * f(n) = (A − D) / (1 + (n/C)^B) + D: the symmetric sigmoid in ln n (4PL; the Morgan–Mercer–Flodin
 * curve mmf4 of the learning-curve data base LCDB). A = f(0), D = f(∞), f(C) = (A + D)/2.
 * Canonical form: B > 0 and C > 0; (A, B, C, D) and (D, −B, C, A) are the same curve. A > D is a
 * curve that falls. */
typedef struct pts_curve {
    double A, B, C, D;
} pts_curve;

/* The same curve with B > 0. PTS_ERR_ARGUMENT unless all are finite, B ≠ 0 and C > 0. */
pts_status pts_curve_canonical(pts_curve *curve, pts_error *err);

/* f(n) for n in [0, ∞], canonical curve; exact at both ends, no overflow between. */
double pts_curve_at(const pts_curve *curve, double n);

/* f(n) and its derivatives by A, ln B, ln C and D. */
double pts_curve_gradient(const pts_curve *curve, double n, double gradient[4]);

typedef enum pts_size_status {
    PTS_SIZE_OK,
    PTS_SIZE_ALREADY_MET, /* one image reaches the target: f(1) ≥ target */
    PTS_SIZE_UNREACHABLE  /* no number of images does, or more than a double holds */
} pts_size_status;

const char *pts_size_status_text(pts_size_status status); /* "ok", "already_met", "unreachable" */

/* The least n with f(n) ≥ target: n = C · ((A − D)/(target − D) − 1)^(1/B).
 * ALREADY_MET: that n is ≤ 1; it is stored as it is, 0 where target ≤ A.
 * UNREACHABLE: target ≥ D (and > A); INFINITY is stored.
 * A falling curve only ever loses: ALREADY_MET with n = 0 if f(1) ≥ target, else UNREACHABLE. */
pts_size_status pts_curve_size(const pts_curve *curve, double target, double *n);

/* Mean of 2|f − y| / (|f| + |y|) in percent; a term 0/0 counts 0. Next to y = 0 a term is 200 %
 * however small the miss: see pts_family_smape_of_zeros. */
double pts_smape(const double *f, const double *y, size_t count);

/* Are these mAP in percent? True when one of them is above 1 and all lie in 0 … 100; then they
 * are divided by 100 in place. */
bool pts_map_from_percent(double *map, size_t count);

/* ---- Least squares ----------------------------------------------------------------------------
 */

typedef enum pts_fit_status {
    PTS_FIT_OK,
    PTS_FIT_PLATEAU_NOT_REACHED, /* f(largest n) is below 80 % of the way from A (cut to 0 … 1) to
                                  * D, or D is known no better than ± a quarter of it: a guess */
    PTS_FIT_RANK_DEFICIENT,      /* the points do not determine the four parameters */
    PTS_FIT_LIMIT,               /* 400 evaluations were not enough */
    PTS_FIT_UNDETERMINED         /* the plateau is seen, but a parameter is not determined
                                  * (pts_family_determined): the curve is worth more than it */
} pts_fit_status;

/* "ok", "plateau_not_reached", "rank_deficient", "limit", "undetermined". */
const char *pts_fit_status_text(pts_fit_status status);

typedef struct pts_fit {
    pts_curve curve;
    double se[4];          /* standard errors of A, B, C, D; INFINITY where not determined */
    double covariance[16]; /* [4][4] over (A, ln B, ln C, D) */
    double sse, smape;     /* Σ (f − map)²; percent */
    size_t points;
    pts_fit_status status;
} pts_fit;

/* The global least-squares optimum of count points in any order; sizes may repeat (several seeds a
 * size). Self-starting and deterministic: for given (ln B, ln C) the curve is linear in A and D, so
 * the residual sum is scanned over a grid of the two (variable projection, Golub & Pereyra 1973),
 * and over all steps between two sizes; the lowest local minima are followed in the two and the
 * best is finished by Levenberg–Marquardt in all four. Nothing is bounded: a step between two sizes
 * gives a B of 40 and more.
 * PTS_ERR_ARGUMENT: n not above 0 or not finite, mAP not finite. PTS_ERR_SHAPE: fewer than four
 * distinct sizes. */
pts_status pts_curve_fit(const double *n, const double *map, size_t count, pts_fit *out,
                         pts_error *err);

/* The same with weights [count] > 0, e.g. how many trainings a point is the mean of: then sse is
 * Σ w (f − map)². NULL: all 1. */
pts_status pts_curve_fit_weighted(const double *n, const double *map, const double *weights,
                                  size_t count, pts_fit *out, pts_error *err);

/* ---- Families ---------------------------------------------------------------------------------
 * The curves of the learning-curve literature under its names (Viering & Loog 2021, "The shape of
 * learning curves: a review"; Mohr, Viering, Loog & van Rijn 2022, "LCDB 1.0"), for a score that
 * rises; their signs are free, so falling curves fit as well.
 *   4pl    (A − D)/(1 + (n/C)^B) + D     LCDB's mmf4 = (a b + c n^d)/(b + n^d): a = A, b = C^B,
 *                                        c = D, d = B
 *   pow2   1 − a n^−b                    the error 1 − mAP as a power law without offset
 *   pow3   c − a n^−b
 *   pow4   c − a (n + d)^−b
 *   exp3   c − a exp(−b n)
 *   log2   c + a ln n
 *   wbl4   c − b exp(−a n^d)
 *   last1  a: the mean at the largest size
 */
typedef enum pts_family {
    PTS_FAMILY_4PL,
    PTS_FAMILY_POW2,
    PTS_FAMILY_POW3,
    PTS_FAMILY_POW4,
    PTS_FAMILY_EXP3,
    PTS_FAMILY_LOG2,
    PTS_FAMILY_WBL4,
    PTS_FAMILY_LAST1,
    PTS_FAMILIES
} pts_family;

const char *pts_family_name(pts_family family); /* "4pl", "pow2", … */
/* By name; "mmf4" is the 4PL. PTS_ERR_ARGUMENT with the names that there are. */
pts_status pts_family_find(const char *name, pts_family *out, pts_error *err);
size_t pts_family_parameters(pts_family family);               /* 1 … 4 */
const char *pts_family_parameter(pts_family family, size_t k); /* "A", "b", … */

typedef struct pts_family_fit {
    pts_family family;
    double x[4], se[4]; /* in the order of pts_family_parameter; se INFINITY where not determined */
    double sse, smape;  /* Σ w (f − map)²; percent */
    double aicc;        /* Akaike's criterion, corrected for few points; INFINITY for too few */
    size_t points;
    pts_fit_status status;
} pts_family_fit;

double pts_family_at(const pts_family_fit *fit, double n); /* n > 0 */

/* Do the points say what parameter k is? By ± 2 standard errors: a plateau or start (A, D, c) is
 * known to less than the range of an mAP, 0 … 1, a positive parameter (B, C, b, d; the a of wbl4)
 * within a factor of ten either way, another better than its own size or than a level. Where not,
 * its number is for programs alone. */
bool pts_family_determined(const pts_family_fit *fit, size_t k);

/* Does more than half of the SMAPE come from points below an mAP of 0.01? Then it says how many of
 * these there are, not how good the fit is. */
bool pts_family_smape_of_zeros(const pts_family_fit *fit, const double *n, const double *map,
                               size_t count);

/* As pts_curve_fit_weighted, for any family: at least as many distinct sizes as parameters. */
pts_status pts_family_fit_points(pts_family family, const double *n, const double *map,
                                 const double *weights, size_t count, pts_family_fit *out,
                                 pts_error *err);

/* What a fit was made from; borrowed. */
typedef struct pts_fit_points {
    const double *n, *weights; /* [count]; weights NULL: all 1 */
    size_t count;
} pts_fit_points;

/* The pointwise confidence band low [count], high [count] at n [count] of the fitted curve, cut to
 * 0 … 1, by the parametric bootstrap (Efron & Tibshirani 1993, "An Introduction to the Bootstrap",
 * chapter 13): quantiles over a thousand refits of points drawn around the fit, with the residuals'
 * variance and widened by Student's t over the normal quantile, so that of a line it is the
 * textbook's band. The delta method has no answer for many measured curves: a plateau not seen or a
 * step between two sizes leave its covariance singular, though the curve is well known where points
 * are. It speaks of the curve, not of one more measurement, and takes the family for true. With no
 * more points than parameters the band is 0 … 1. 0 < confidence < 1, n > 0. The same on every call;
 * 1,000 fits' time. */
pts_status pts_family_band(const pts_family_fit *fit, const pts_fit_points *points,
                           double confidence, const double *n, size_t count, double *low,
                           double *high, pts_error *err);

/* By how many points of SMAPE the fit gets worse (or, off the optimum, better) on n and map
 * [count] when parameter k is made smaller, change[k][0], or larger, change[k][1], by `share`, 0.05
 * for 5 %. Rows past the family's parameters are 0. PTS_ERR_NUMERIC: a change is not finite. */
pts_status pts_family_sensitivity(const pts_family_fit *fit, const double *n, const double *map,
                                  size_t count, double share, double change[4][2], pts_error *err);

typedef enum pts_selection {
    PTS_SELECT_AICC,
    PTS_SELECT_CV /* mean squared error of forecasts from the lower sizes up to twice the next one,
                   * rolling the origin through the upper half of the sizes */
} pts_selection;

typedef struct pts_family_choice {
    pts_family best;
    pts_family_fit fits[PTS_FAMILIES]; /* points 0 where a family cannot be fitted */
    double score[PTS_FAMILIES];  /* AICc or mean squared error, lower is better; or INFINITY */
    double weight[PTS_FAMILIES]; /* Akaike weights, sum 1 */
} pts_family_choice;

pts_status pts_family_choose(const double *n, const double *map, const double *weights,
                             size_t count, pts_selection how, pts_family_choice *out,
                             pts_error *err);

/* The mean of all families' forecasts, each cut to 0 … 1, by their weights. */
double pts_family_average_at(const pts_family_choice *choice, double n);

typedef struct pts_curve_points pts_curve_points; /* below */

/* ---- Prior and pilot --------------------------------------------------------------------------
 */

/* A Gaussian over θ = (A, ln B, ln C, D), and the noise of a measurement. */
typedef struct pts_curve_prior {
    double mean[4];
    double covariance[16]; /* [4][4], positive definite */
    double noise;     /* standard deviation of one measured mAP around its curve at large n, > 0 */
    double noise_dof; /* how well the noise is known: degrees of freedom of the scaled inverse χ²
                       * over its square. INFINITY: exactly. 0: not said, 4 is taken */
} pts_curve_prior;

/* The variance of one training with n images, in units of noise²: small training sets scatter
 * more. */
static inline double pts_curve_spread(double n)
{
    return 1 + 50 / n;
}

/* The prior of a population of curves, by empirical Bayes: EM of the random-effects model
 * y = f(θ_c) + noise_c, θ_c ~ N(mean, covariance), Laplace's approximation within (Lindstrom &
 * Bates 1990, "Nonlinear mixed effects models"). Curves need not be fitted alone: a short or
 * unfinished one says what it can. Covariances are shrunk by count/(count + 4) and variances
 * floored, so that few curves still give a positive definite matrix, and the whole is widened by
 * 1 + 1/count for the unknown mean. The noise of a curve varies; its distribution is matched to the
 * curves' residual variances (Smyth 2004, "Linear models and empirical Bayes methods", eqs 3–4).
 * weights [count] (NULL: equal) let curves of one data set share one vote. At least two curves. */
pts_status pts_curve_prior_learn(const pts_curve_points *curves, const double *weights,
                                 size_t count, pts_curve_prior *out, pts_error *err);

enum { PTS_CURVE_DRAWS = 2000 };

/* One curve of the posterior, as probable as any other draw; its noise; and the standard normal
 * deviate of a measurement on it. */
typedef struct pts_curve_draw {
    pts_curve curve;
    double noise, scatter;
} pts_curve_draw;

/* About 100 kB: mind small stacks. */
typedef struct pts_curve_posterior {
    pts_curve curve;       /* with points: the 4PL nearest to the draws' median, n 1 … 10,000; the
                            * median has the least expected absolute error. Without: the mode */
    double mean[4];        /* the mode's θ = (A, ln B, ln C, D) */
    double covariance[16]; /* [4][4], Laplace: inverse of the Gauss–Newton Hessian at the mode */
    double noise;          /* most probable at the mode */
    double unlike;         /* probability that the curve is not of the prior's population */
    double effective;      /* of 8192 proposals, how many the weighted ones are worth */
    pts_curve_draw draws[PTS_CURVE_DRAWS];
} pts_curve_posterior;

/* The posterior of prior and pilot points. One curve in two hundred is taken to be of no
 * population, any curve at all (A 0.2 ± 0.3, ln B 0.5 ± 0.8, ln C 4 ± 2, D 0.5 ± 0.35): so
 * consistent pilot points far off the prior overrule it instead of passing for noise, and `unlike`
 * says so. Without
 * points `mean` and `covariance` are the prior's, and `unlike` is 0.005.
 * A pilot point at n has scatter noise·√(1 + 50/n): small training sets scatter more; it counts as
 * 1/2.25 of a point, as the points of one curve come from one sequence of trainings and share their
 * errors. The noise is not known and integrated out (noise_dof). Modes by Levenberg–Marquardt from
 * nine starts a part of the prior (± 1.2 standard deviations in ln B and ln C); then importance
 * sampling around the best three of each and from the prior, a second time around the first's draws
 * where those were worth little (a fixed quasi-random sequence, so the answer is always the same).
 * count may be 0. Points of one size are pooled, which loses nothing; beyond 512 sizes also those
 * within a 512th of the range of ln n, so that a million points take a second.
 * PTS_ERR_ARGUMENT: as pts_curve_fit, or a noise not above 0. PTS_ERR_NUMERIC: the prior's
 * covariance is not positive definite. */
pts_status pts_curve_posterior_find(const pts_curve_prior *prior, const double *n,
                                    const double *map, size_t count, pts_curve_posterior *out,
                                    pts_error *err);

/* The same with weights [count] > 0: a point of weight 2 says what two equal ones say. NULL: all
 * are 1. */
pts_status pts_curve_posterior_find_weighted(const pts_curve_prior *prior, const double *n,
                                             const double *map, const double *weights, size_t count,
                                             pts_curve_posterior *out, pts_error *err);

/* Pointwise bands low [count], high [count] that hold f(n) with probability `confidence`, 0 < … <
 * 1: quantiles over the draws. A draw's forecast is cut to 0 … 1, what an mAP can be; its
 * parameters are not (a draw with D > 1 must still pass through the pilot points).
 * `measured`: the band of one measurement at n, noise included. */
pts_status pts_curve_band(const pts_curve_posterior *posterior, double confidence, bool measured,
                          const double *n, size_t count, double *low, double *high, pts_error *err);

/* The pointwise median [count]: the forecast. */
pts_status pts_curve_median(const pts_curve_posterior *posterior, const double *n, size_t count,
                            double *median, pts_error *err);

typedef struct pts_curve_answer {
    pts_size_status status; /* of posterior->curve */
    double n;               /* pts_curve_size of it */
    double n_low, n_high;   /* quantiles (1 ∓ confidence)/2 over the draws; may be INFINITY */
    double n_median;
    double n_if_reachable; /* the median over the draws that reach the target; INFINITY: none */
    double probability_reachable;     /* share of the draws that reach the target at all */
    double plateau, plateau_error;    /* median, and half the width of the middle 68 % */
    double laplace_low, laplace_high; /* the interval by the Gaussian at the mode */
    bool laplace_agrees; /* both ends within a factor of √2 of the draws': where not, the posterior
                          * is skewed or has several modes, and the draws are right */
} pts_curve_answer;

/* 0 < target < 1, 0 < confidence < 1, else PTS_ERR_ARGUMENT. */
pts_status pts_curve_ask(const pts_curve_posterior *posterior, double target, double confidence,
                         pts_curve_answer *out, pts_error *err);

/* ---- What to do next ---------------------------------------------------------------------------
 */

/* Where to measure: expected [count] is the mean width, in factors of two, that the answer's
 * interval would have after one more pilot training with n[i] images (over 40 outcomes drawn from
 * the posterior); *now is today's. Sizes count up to a million there, so out of reach has a width.
 * The candidate with the least `expected` is the one to measure. */
pts_status pts_curve_next(const pts_curve_posterior *posterior, double target, double confidence,
                          const double *n, size_t count, double *expected, double *now,
                          pts_error *err);

/* Collection in rounds, as Mahmood et al. 2022 ("How much more data do I need?", CVPR) plan it:
 * each round collects up to the size at which the forecast (the median) reaches target + tau, then
 * trains and measures, which changes the forecast (a round adds at least a quarter of what is
 * there, and at most quadruples it); until the target is met, the rounds are used up
 * or most of the posterior says that it cannot be met. Simulated over 200 draws as the truth. */
typedef struct pts_curve_plan {
    double first;       /* collect up to this size first; INFINITY: do not begin */
    double probability; /* of meeting the target within the rounds */
    double images;      /* expected number of images in the end, met or not */
    double rounds;      /* expected number of rounds */
} pts_curve_plan;

/* owned: images already labelled (≥ 0); 1 ≤ rounds ≤ 20; 0 ≤ tau, target + tau < 1. */
pts_status pts_curve_plan_rounds(const pts_curve_posterior *posterior, double target, double tau,
                                 size_t rounds, double owned, pts_curve_plan *out, pts_error *err);

/* ---- Tables of measured curves ----------------------------------------------------------------
 */

struct pts_curve_points {
    const char *dataset, *class_name;
    size_t count;
    double *n, *map, *map50, *map75; /* [count], n rising; NAN where the file has none */
    double *weight;                  /* [count], > 0; NULL: all 1 */
    size_t duplicates;               /* rows left out, as they repeat another in every column */
};

typedef struct pts_curve_set {
    pts_curve_points *curves; /* [count], in the order of their first row */
    size_t count;
    bool percent; /* the file was in percent and has been divided by 100 */
} pts_curve_set;

/* curves.csv: header with the columns dataset, class, n, map and, if there are, map50, map75 and
 * weight (above 0; e.g. of how many trainings the row is the mean) in any order; class is text or a
 * number. Rows may come in any order and repeat a size (several seeds); a row that equals another
 * in every column is taken for a copy and counted once, unless its mAP is 0. A name that ends in
 * .json is the study's processed_result.json: [{"class_num": …, "cls_tl_dict": [2, 4, …],
 * "result_dict": {"0": [map, map50, map75], …}}]; its data set is named after the file and its
 * class after class_num, unless
 * keys "dataset" and "class" say otherwise, as in our exports; needs jansson (else
 * PTS_ERR_UNSUPPORTED). Limits: 64 MB, 100,000 curves. Sizes are whole numbers ≥ 1; mAP 0 … 1, or 0
 * … 100 for the whole file. Messages name file, line, column, what was expected and got. */
pts_status pts_curves_read(pts_curve_set **out, const char *path, pts_error *err);
/* The same with every row of a csv, equal ones too: the trainings that a store keeps. */
pts_status pts_curves_read_rows(pts_curve_set **out, const char *path, pts_error *err);
void pts_curves_destroy(pts_curve_set *set);

/* Pilot csv: columns n and map, if there is weight; *out has one curve. With columns dataset and
 * class too, all rows must be of one task. */
pts_status pts_pilot_read(pts_curve_set **out, const char *path, pts_error *err);
/* The same from text as people paste it: the header may be missing, and cells that are separated by
 * tabs or semicolons may have decimal commas. `name` stands for the path in messages. */
pts_status pts_pilot_parse(pts_curve_set **out, const char *name, const char *text, size_t size,
                           pts_error *err);

/* ---- Priors in files ---------------------------------------------------------------------------
 * A prior speaks of one trainer: network, training length, augmentation. The file is text, a name
 * and its values a line: `pts-prior 1`, trainer, datasets, curves, noise, noise_dof, mean (4),
 * covariance (16). */
typedef struct pts_prior_file {
    pts_curve_prior prior;
    char trainer[128];       /* one line of text: whose curves these are */
    size_t datasets, curves; /* that it was learnt from */
} pts_prior_file;

/* From all curves of the set, one vote a data set; the trainer's name is cut to fit. */
pts_status pts_prior_learn(const pts_curve_set *set, const char *trainer, pts_prior_file *out,
                           pts_error *err);
pts_status pts_prior_write(const char *path, const pts_prior_file *file, pts_error *err);
/* Hostile files are refused in one line. */
pts_status pts_prior_read(const char *path, pts_prior_file *out, pts_error *err);

/* Whether a prior from outside is one: finite, covariance positive definite, noise above 0. */
pts_status pts_prior_check(const pts_curve_prior *prior, pts_error *err);

/* ---- Benchmark of forecasts -------------------------------------------------------------------
 */

typedef enum pts_forecast {
    PTS_FORECAST_POSTERIOR, /* prior of the other data sets + pilot points: the posterior's median
                             * (the name is that of the mode, which it once was) */
    PTS_FORECAST_4PL,       /* the families, fitted to the pilot points alone */
    PTS_FORECAST_POW4,
    PTS_FORECAST_LAST1, /* no change after the last pilot size */
    PTS_FORECAST_POW2,
    PTS_FORECAST_POW3,
    PTS_FORECAST_EXP3,
    PTS_FORECAST_LOG2,
    PTS_FORECAST_WBL4,
    PTS_FORECAST_AVERAGE, /* all families by their Akaike weights */
    PTS_FORECASTS
} pts_forecast;

const char *pts_forecast_name(pts_forecast method); /* "map", "4pl", …, "average" */

typedef struct pts_forecast_score {
    size_t points, ahead; /* pilot points (n ≤ upto), later points */
    double mae;        /* mean |forecast − mAP| over the later points by their weights, forecasts
                        * cut to 0 … 1 */
    double log2_ratio; /* mean of |log2(forecast size / needed size)|, at most 6 each, over the
                        * targets at 50, 75 and 90 % of the last mAP that are needed beyond upto.
                        * All of them were reached: the posterior is asked n_if_reachable */
    double within_2;   /* share of these targets forecast within a factor of two */
    double covered_50, covered_80, covered_95; /* share of the later points inside that band of a
                                                * measurement */
} pts_forecast_score; /* NAN where there is none: no later points, too few to fit, no band */

/* Forecasts every curve of the set from its sizes ≤ upto: scores [set->count]. The prior of a
 * curve sees no curve of its data set; of more than 20 data sets no curve of its group of data
 * sets, one of 20, and no more than 500 others. `progress` (NULL: none) has the method's name as
 * stage, curves as units. PTS_ERR_SHAPE: PTS_FORECAST_POSTERIOR and one data set only. */
pts_status pts_extrapolate(const pts_curve_set *set, double upto, pts_forecast method,
                           pts_progress progress, void *user, pts_forecast_score *scores,
                           pts_error *err);

/* The score of one curve's forecast by PTS_FORECAST_POSTERIOR from a prior of the caller's. */
pts_status pts_extrapolate_from(const pts_curve_prior *prior, const pts_curve_points *curve,
                                double upto, pts_forecast_score *out, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
