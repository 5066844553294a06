/* A prior and pilot points as one log density over θ = (A, ln B, ln C, D). */
#ifndef PTS_SRC_CURVE_EVIDENCE_H
#define PTS_SRC_CURVE_EVIDENCE_H

#include "pts/curve.h"
#include "pts/lm.h"

#include <math.h>

/* What a pilot point counts as: see evidence.c. */
#define PTS_EVIDENCE_ALPHA (1 / 2.25)

/* The prior's parts: the population, and any curve at all. */
enum { PTS_EVIDENCE_POPULATION, PTS_EVIDENCE_ANY, PTS_EVIDENCE_PARTS };

typedef struct evidence_part {
    double mean[4], covariance[16];
    double whiten[16];      /* [4][4] lower L⁻¹, covariance = L Lᵀ */
    double share, log_norm; /* probability; ln |L|⁻¹ */
} evidence_part;

/* Measured points as the density needs them: one a size, or one for sizes next to each other. */
typedef struct pooled_points {
    double *n, *map, *weight; /* [count]; sums of weights, weighted means of ln n and map */
    size_t count;
    double total;  /* weight */
    double within; /* Σ w (map − its mean)²/(1 + 50/n): what no curve explains */
} pooled_points;

/* Checks the points; weights may be NULL. */
pts_status pts_pool(pooled_points *out, const double *n, const double *map, const double *weights,
                    size_t count, pts_error *err);
void pts_pool_free(pooled_points *points);

typedef struct evidence {
    const pts_curve_prior *prior;
    const pooled_points *points; /* borrowed */
    double dof;                  /* of the noise's prior; INFINITY: the noise is known */
    evidence_part parts[PTS_EVIDENCE_PARTS];
    size_t part_count;
    size_t at;    /* the part whose modes are sought */
    double sigma; /* the noise that residuals are divided by while a mode is sought */
} evidence;

/* One mode of the density. */
typedef struct evidence_mode {
    double theta[4], covariance[16];
    double value; /* log density of its part, up to a constant that all parts share */
    double sigma;
} evidence_mode;

/* Checks the prior, which is the population alone. */
pts_status pts_evidence_init(evidence *e, const pts_curve_prior *prior, const pooled_points *points,
                             pts_error *err);

/* Adds the second part of the prior, any curve at all. */
pts_status pts_evidence_widen(evidence *e, pts_error *err);

/* The standard deviation of one training with n images, in units of the noise. */
static inline double pts_evidence_scatter(double n)
{
    return sqrt(pts_curve_spread(n));
}

/* Up to the same constant as a mode's value; *unlike: the share of ANY in the prior at θ. */
double pts_evidence_log_density(const evidence *e, const double theta[4], double *unlike);

/* The noise that the points leave most probable, given the curve. */
double pts_evidence_noise(const evidence *e, const double theta[4], double *dof);

/* From theta to the mode of part e->at next to it; lm is for points + 4 residuals of 4 parameters.
 */
pts_status pts_evidence_climb(evidence *e, pts_lm *lm, double theta[4], size_t rounds,
                              evidence_mode *out, pts_error *err);

pts_curve pts_curve_of(const double theta[4]);

/* The lower triangle L of a = L Lᵀ, row-major, zeros above. */
pts_status pts_cholesky4(const double *a, double *lower, const char *what, pts_error *err);

/* Fails unless sizes are finite and above 0, mAP finite and weights ≥ 0; messages count points
 * from 1. */
pts_status pts_check_points(const double *n, const double *map, const double *weights, size_t count,
                            pts_error *err);

#endif
