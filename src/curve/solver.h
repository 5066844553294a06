/* The state of a Levenberg–Marquardt run, shared by lm.c (the loop), lm_model.c (residuals, loss,
 * Jacobian) and lm_step.c (the damped step). */
#ifndef PTS_SRC_CURVE_SOLVER_H
#define PTS_SRC_CURVE_SOLVER_H

#include "pts/lm.h"
#include "base/memory.h"

#include <lapacke.h>

struct pts_lm {
    size_t m, n;
    pts_arena arena;
    double *x;             /* [n] the best point */
    double *x_trial;       /* [n] */
    double *r, *r_trial;   /* [m] weighted residuals there */
    double *ahead, *aside; /* [m] samples for differences */
    double *root;          /* [m] √w */
    double *bent, *bend;   /* [m] residuals and factors of J's rows that a loss leads to */
    double *rows;          /* [m][n] the Jacobian as the callback leaves it */
    double *q;             /* [n][m] its columns, then Householder vectors under R */
    double *tau;           /* [n] */
    lapack_int *pivot;     /* [n] from 1 */
    double *work;          /* [qr_lwork] LAPACK's */
    lapack_int qr_lwork;
    double *qtr;            /* [m] −Qᵀr */
    double *s, *rhs, *row;  /* [n][n], [n], [n]: the damped triangle and its right side; at the
                             * end R⁻¹ */
    double *scale, *norms;  /* [n] D and the column norms of J */
    double *step, *scratch; /* [n] */
    double *model;          /* [n] Qᵀ J step, the linear model's change */
    double *bow;            /* [n] the geodesic correction */
    int8_t *held;           /* [n] −1 or 1: held at its lower or upper bound */
    /* the run */
    const pts_lm_problem *problem;
    pts_lm_settings settings;
    pts_lm_result *result;
    bool bounded;
    size_t held_count;
    double norm;   /* √(2 · cost) at x */
    double radius; /* of the trust region */
    double par;
    double quiet; /* the last predicted reduction below the resolution of the cost */
    size_t rank;  /* of the last factorisation for the covariance */
};

/* ---- lm_model.c ---- */

double pts_lm_norm_of(const pts_lm *lm, const double *r);
/* Weighted residuals at x into r. */
pts_status pts_lm_evaluate(pts_lm *lm, const double *x, double *r, pts_error *err);
bool pts_lm_finite(const double *v, size_t count);
void pts_lm_clip(const pts_lm *lm, double *x);
/* The Jacobian at lm->x, weighted and bent by the loss, into the columns of lm->q; their norms;
 * then which parameters are held, whose columns become 0. */
pts_status pts_lm_linearise(pts_lm *lm, pts_error *err);

/* ---- lm_step.c ---- */

void pts_lm_factor(pts_lm *lm);
double pts_lm_gradient_cosine(const pts_lm *lm);
/* Finds par and lm->step with |D p| = radius ± 10 %, or par = 0. Returns |D p|. */
double pts_lm_choose_step(pts_lm *lm);
/* The damped solution for the right side qtr [n], by the last par. */
void pts_lm_solve_step(pts_lm *lm, const double *qtr, double *step);
/* R Pᵀ p into out [n]: Qᵀ J p. */
void pts_lm_model_step(pts_lm *lm, const double *step, double *out);
double pts_lm_scaled_norm(pts_lm *lm, const double *v);

#endif
