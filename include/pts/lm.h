/* pts/lm.h: nonlinear least squares: x that minimises ½ Σ w_i r_i(x)², by Levenberg–Marquardt;
 * within bounds and with a robust loss where they are given.
 *
 *   int residuals(void *user, const double *x, double *r) { …; return 0; }
 *
 *   pts_lm *lm;
 *   pts_lm_create(&lm, m, n, &err);                      // all memory of the run
 *   pts_lm_problem problem = {.residuals = residuals, .user = &data};
 *   pts_lm_result result;
 *   pts_lm_solve(lm, &problem, NULL, x, &result, &err);  // x: the start in, the answer out
 *   if (pts_lm_converged(&result))
 *       pts_lm_covariance(lm, covariance);               // (JᵀJ)⁻¹ at the answer
 *   pts_lm_destroy(lm);
 *
 * NULL settings are pts_lm_defaults(): as many digits as the residuals have. The Jacobian may be
 * left out: it is then taken by differences.
 *
 * Method: Moré's scaled trust region ("The Levenberg–Marquardt algorithm: implementation and
 * theory", 1978; the strategy of MINPACK's lmder) on a QR factorisation with column pivoting
 * (LAPACK dgeqp3; written out for small problems). The result does not depend on the scale of the
 * parameters: the region is an ellipsoid whose axes are the largest column norms of the Jacobian
 * seen so far. A trial point where a residual is not finite counts as a bad step, so a model may
 * answer NaN outside its domain.
 *   Bounds: a parameter on a bound that the gradient presses against is held; the step of the
 * others is cut back into the box and judged by the model's value there (projected
 * Levenberg–Marquardt, Kanzow, Yamashita & Fukushima 2004). The model is never evaluated outside.
 *   Robust losses: rows are rescaled by the loss's first and second derivative (Triggs et al.
 * 2000, "Bundle adjustment – a modern synthesis", 4.3), the curvature kept positive.
 *   Geodesic acceleration (Transtrum & Sethna 2012, arXiv:1201.5885): one more evaluation a step
 * bends it along the model's manifold; fewer steps in long curved valleys.
 *
 * A solver is for one thread at a time and may be used again and again; nothing is allocated
 * after pts_lm_create. */
#ifndef PTS_LM_H
#define PTS_LM_H

#include "pts/base.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* r [m] at x [n]. A negative return stops the run with PTS_ERR_CANCELLED. */
typedef int (*pts_lm_residuals)(void *user, const double *x, double *r);
/* jacobian [m][n]: ∂r_i/∂x_j, row-major. A negative return stops. */
typedef int (*pts_lm_jacobian)(void *user, const double *x, double *jacobian);

/* What is left out of an initialiser is NULL, and means: none. */
typedef struct pts_lm_problem {
    pts_lm_residuals residuals;
    pts_lm_jacobian jacobian; /* NULL: by differences of the residuals */
    void *user;               /* handed to both */
    const double *weights;    /* [m] ≥ 0, e.g. 1/σ²; NULL: all 1 */
    const double *lower;      /* [n], −INFINITY where there is none; NULL: none at all */
    const double *upper;      /* [n], INFINITY where there is none; equal to lower: x is fixed */
} pts_lm_problem;

typedef enum pts_lm_differences {
    PTS_LM_CENTRAL, /* 2n evaluations a Jacobian, about 10 digits: right for large residuals */
    PTS_LM_FORWARD  /* n evaluations, about 7 digits */
} pts_lm_differences;

/* What replaces the square: s²·ρ(w r²/s²), s = loss_scale; with ρ(z) = */
typedef enum pts_lm_loss {
    PTS_LM_SQUARES, /* z */
    PTS_LM_HUBER,   /* z up to 1, then 2√z − 1 */
    PTS_LM_SOFT_L1, /* 2(√(1 + z) − 1) */
    PTS_LM_CAUCHY   /* ln(1 + z) */
} pts_lm_loss;

typedef struct pts_lm_settings {
    double ftol; /* stop when real and predicted relative reduction of the cost are at most this */
    double xtol; /* … when the region's radius is at most this part of |Dx| */
    double gtol; /* … when the cosine between r and each column of J is at most this */
    size_t max_evaluations; /* of the residuals, those for differences included */
    double radius;          /* first radius as a multiple of the larger of |Dx| and |r|/1000 */
    pts_lm_differences differences;
    pts_lm_loss loss;
    double loss_scale; /* residuals (after weighting) beyond it count as outliers; > 0 */
    bool accelerate;   /* geodesic acceleration; for PTS_LM_SQUARES only */
} pts_lm_settings;

/* ftol 1e-22 (at 1e-14 the parameters would have 7 digits: the sum of squares is flat there), xtol
 * and gtol 1e-14, 50000 evaluations, radius 1, central differences, squares, loss_scale 1, no
 * acceleration. */
pts_lm_settings pts_lm_defaults(void);

typedef enum pts_lm_stop {
    PTS_LM_CONVERGED_F,    /* the cost does not fall any more */
    PTS_LM_CONVERGED_X,    /* the parameters do not move any more */
    PTS_LM_CONVERGED_G,    /* the gradient is zero */
    PTS_LM_AT_BOUND,       /* converged, with at_bound parameters pressed against a bound */
    PTS_LM_RANK_DEFICIENT, /* converged, but some parameters are not determined by the data */
    PTS_LM_LIMIT,          /* max_evaluations reached first */
    PTS_LM_NOT_FINITE      /* residuals or Jacobian at the start, or the Jacobian later on */
} pts_lm_stop;

const char *pts_lm_stop_text(pts_lm_stop stop);

typedef struct pts_lm_result {
    pts_lm_stop stop;
    double sse;         /* Σ w r² at the answer */
    double cost;        /* what was minimised: ½ Σ s²ρ(w r²/s²); sse/2 for plain squares */
    size_t evaluations; /* of the residuals */
    size_t iterations;  /* Jacobians */
    size_t rank;        /* of the free columns of the Jacobian, scaled to norm 1, at the answer */
    size_t at_bound;    /* parameters that the cost would push out of the box; not free */
    double rcond; /* reciprocal condition number of these columns (1-norm of R); 0 when rank is
                   * below n − at_bound */
} pts_lm_result;

static inline bool pts_lm_converged(const pts_lm_result *result)
{
    return result->stop <= PTS_LM_AT_BOUND;
}

typedef struct pts_lm pts_lm;

/* For m residuals of n parameters, m ≥ n ≥ 1. */
pts_status pts_lm_create(pts_lm **out, size_t m, size_t n, pts_error *err);
void pts_lm_destroy(pts_lm *lm);

/* Settings may be NULL. x [n]: the start in, the best point found out, whatever the stop; a start
 * outside the bounds is moved into them. PTS_OK says that the run ended by itself: result->stop
 * says how. PTS_ERR_ARGUMENT: a tolerance, weight or pair of bounds that makes no sense. */
pts_status pts_lm_solve(pts_lm *lm, const pts_lm_problem *problem, const pts_lm_settings *settings,
                        double *x, pts_lm_result *result, pts_error *err);

/* After pts_lm_solve: covariance [n][n] = (JᵀWJ)⁻¹ at the answer; times sse / (m − n) it is the
 * usual estimate with unknown noise; as it is, that of weights 1/σ². With a loss, J is that of the
 * reweighted problem. A parameter that takes part in an undetermined direction has variance
 * INFINITY and covariances 0. One at a bound counts as fixed there: variance and covariances 0,
 * and those of the others are conditional on it. Not for PTS_LM_NOT_FINITE. */
void pts_lm_covariance(pts_lm *lm, double *covariance);

/* After pts_lm_solve: −1 where x_j is pressed against its lower bound, 1 the upper one, else 0. */
int pts_lm_bound_of(const pts_lm *lm, size_t j);

#ifdef __cplusplus
}
#endif

#endif
