/* Curves in unconstrained coordinates θ = (A, ln B, ln C, D):
 *
 *   f(n) = D + (A − D) / (1 + (n/C)^B)
 *
 * A Gaussian over θ is what the head answers with; here is how one curve updates it (maximum a
 * posteriori, Gauss–Newton), and how a population of curves tells its width (EM). pts/curve.h has
 * the same for one curve, with nine starts and a certified optimiser; here it runs some 10^5 times
 * in one evaluation, from a start that is known, on ln n that is at hand. */
#ifndef PTS_SRC_LEARN_THETA_H
#define PTS_SRC_LEARN_THETA_H

#include "pts/base.h"

#include <stdbool.h>

/* f at ln n; gradient [4] (may be NULL) is ∂f/∂θ. */
double pts_theta_value(const double theta[4], double log_n, double gradient[4]);

/* Measured points of one curve, ln n rising. */
typedef struct theta_points {
    size_t count;
    const double *log_n, *map;
} theta_points;

/* The measured curve itself, linear in ln n between points; `beyond` (θ) outside them. */
double pts_theta_measured(const theta_points *points, const double beyond[4], double log_n);

/* What is known of a curve before it is measured: mean, precision [4][4], noise of a point. */
typedef struct theta_prior {
    double mean[4], precision[16], noise;
} theta_prior;

/* Weak enough to leave a well-measured curve alone, and a flat or a still rising one finite:
 * without it such a curve has any B and C and the plain fit answers with C = 10^9. Fixed, so that
 * no held-out curve can leak through it. */
void pts_theta_weak_prior(theta_prior *prior);

/* A sum of squares, halved or not, at θ; gradient [4] and Gauss–Newton Hessian [4][4] of half of
 * it. */
typedef double (*theta_squares)(const void *user, const double theta[4], double gradient[4],
                                double hessian[16]);

/* Levenberg's damped Gauss–Newton from `theta` to the nearest minimum, at most `steps`, until one
 * gains less than tolerance·(1 + value); returns the value. */
double pts_theta_descend(theta_squares squares, const void *user, int steps, double tolerance,
                         double theta[4]);

/* The most probable θ given the points; covariance [4][4] (may be NULL) by Laplace. */
void pts_theta_fit(const theta_prior *prior, const theta_points *points, double theta[4],
                   double covariance[16]);

/* Covariance [4][4] of θ_i − mean_i over `count` curves whose predicted means [count][4] are
 * given, and the noise of a point: EM of the random-effects model y = f(θ) + ε, θ ~ N(mean, Σ),
 * Laplace within (Lindstrom and Bates 1990, "Nonlinear mixed effects models"). The result is
 * shrunk towards its diagonal, floored, and so positive definite. thetas [count][4]: fitted θ to
 * start from; changed. */
void pts_theta_spread(const theta_points *points, const double *means, double *thetas, size_t count,
                      double covariance[16], double *noise);

/* Lower Cholesky factor of a positive definite [4][4]; false when it is not. */
bool pts_theta_cholesky(const double matrix[16], double lower[16]);
/* Its inverse; the matrix must be positive definite. */
void pts_theta_inverse(const double matrix[16], double inverse[16]);

#endif
