/* pts/lm.h: nonlinear least squares: x that minimises ½ Σ r_i(x)², by Levenberg–Marquardt.
 *
 *   int residuals(void *user, const double *x, double *r) { …; return 0; }
 *
 *   pts_lm *lm;
 *   pts_lm_create(&lm, m, n, &err);                      // all memory of the run
 *   pts_lm_problem problem = {.residuals = residuals, .jacobian = NULL, .user = &data};
 *   pts_lm_settings settings = pts_lm_defaults();
 *   pts_lm_result result;
 *   pts_lm_solve(lm, &problem, &settings, x, &result, &err);   // x: the start in, the answer out
 *   if (pts_lm_converged(&result))
 *       pts_lm_covariance(lm, covariance);               // (JᵀJ)⁻¹ at the answer
 *   pts_lm_destroy(lm);
 *
 * Method: Moré's scaled trust region ("The Levenberg–Marquardt algorithm: implementation and
 * theory", 1978; the strategy of MINPACK's lmder) on a QR factorisation with column pivoting
 * (LAPACK dgeqp3). The result does not depend on the scale of the parameters: the region is an
 * ellipsoid whose axes are the largest column norms of the Jacobian seen so far. A trial point
 * where a residual is not finite counts as a bad step, so a model may answer NaN outside its
 * domain.
 *
 * A solver is for one thread at a time and may be used again and again; nothing is allocated
 * after pts_lm_create. */
#ifndef PTS_LM_H
#define PTS_LM_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* r [m] at x [n]. A negative return stops the run with PTS_ERR_CANCELLED. */
typedef int (*pts_lm_residuals)(void *user, const double *x, double *r);
/* jacobian [m][n]: ∂r_i/∂x_j, row-major. A negative return stops. */
typedef int (*pts_lm_jacobian)(void *user, const double *x, double *jacobian);

typedef struct pts_lm_problem {
    pts_lm_residuals residuals;
    pts_lm_jacobian jacobian; /* NULL: by differences of the residuals */
    void *user;
} pts_lm_problem;

typedef enum pts_lm_differences {
    PTS_LM_CENTRAL, /* 2n evaluations a Jacobian, about 10 digits: right for large residuals */
    PTS_LM_FORWARD  /* n evaluations, about 7 digits */
} pts_lm_differences;

typedef struct pts_lm_settings {
    double ftol; /* stop when real and predicted relative reduction of Σr² are at most this */
    double xtol; /* … when the region's radius is at most this part of |Dx| */
    double gtol; /* … when the cosine between r and each column of J is at most this */
    size_t max_evaluations; /* of the residuals, those for differences included */
    double radius;          /* first radius as a multiple of |Dx| (of 1 where x = 0) */
    pts_lm_differences differences;
} pts_lm_settings;

/* ftol 1e-22 (at 1e-14 the parameters would have 7 digits: the sum of squares is flat there), xtol
 * and gtol 1e-14, 5000 evaluations, radius 1, central differences. */
pts_lm_settings pts_lm_defaults(void);

typedef enum pts_lm_stop {
    PTS_LM_CONVERGED_F,    /* the sum of squares does not fall any more */
    PTS_LM_CONVERGED_X,    /* the parameters do not move any more */
    PTS_LM_CONVERGED_G,    /* the gradient is zero */
    PTS_LM_RANK_DEFICIENT, /* converged, but some parameters are not determined by the data */
    PTS_LM_LIMIT,          /* max_evaluations reached first */
    PTS_LM_NOT_FINITE      /* residuals or Jacobian at the start, or the Jacobian later on */
} pts_lm_stop;

const char *pts_lm_stop_text(pts_lm_stop stop);

typedef struct pts_lm_result {
    pts_lm_stop stop;
    double sse;         /* Σ r² at the answer */
    size_t evaluations; /* of the residuals */
    size_t iterations;  /* Jacobians */
    size_t rank;        /* of the Jacobian with columns scaled to norm 1, at the answer */
    double rcond;       /* its reciprocal condition number (1-norm of R); 0 when rank < n */
} pts_lm_result;

static inline int pts_lm_converged(const pts_lm_result *result)
{
    return result->stop <= PTS_LM_CONVERGED_G;
}

typedef struct pts_lm pts_lm;

/* For m residuals of n parameters, m ≥ n ≥ 1. */
pts_status pts_lm_create(pts_lm **out, size_t m, size_t n, pts_error *err);
void pts_lm_destroy(pts_lm *lm);

/* Settings may be NULL. x [n]: the start in, the best point found out, whatever the stop. PTS_OK
 * says that the run ended by itself: result->stop says how. */
pts_status pts_lm_solve(pts_lm *lm, const pts_lm_problem *problem, const pts_lm_settings *settings,
                        double *x, pts_lm_result *result, pts_error *err);

/* After pts_lm_solve: covariance [n][n] = (JᵀJ)⁻¹ at the answer; times sse / (m − n) it is the
 * usual estimate with unknown noise. A parameter that takes part in an undetermined direction has
 * variance INFINITY and covariances 0. Not for PTS_LM_NOT_FINITE. */
void pts_lm_covariance(pts_lm *lm, double *covariance);

#ifdef __cplusplus
}
#endif

#endif
