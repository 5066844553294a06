#include "learn/theta.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

double pts_theta_value(const double theta[4], double log_n, double gradient[4])
{
    double steepness = exp(fmin(theta[1], 20));
    double u = fmin(fmax(steepness * (log_n - theta[2]), -300), 300);
    double low = 1 / (1 + exp(u)), slope = (theta[3] - theta[0]) * low * (1 - low);
    if (gradient) {
        gradient[0] = low;
        gradient[1] = slope * u;
        gradient[2] = -slope * steepness;
        gradient[3] = 1 - low;
    }
    return theta[3] + (theta[0] - theta[3]) * low;
}

double pts_theta_measured(const theta_points *p, const double beyond[4], double log_n)
{
    if (p->count < 2 || log_n < p->log_n[0] || log_n > p->log_n[p->count - 1])
        return fmin(fmax(pts_theta_value(beyond, log_n, NULL), 0), 1);
    size_t i = 1;
    while (i + 1 < p->count && p->log_n[i] < log_n)
        i++;
    double t = (log_n - p->log_n[i - 1]) / (p->log_n[i] - p->log_n[i - 1]);
    return p->map[i - 1] + t * (p->map[i] - p->map[i - 1]);
}

void pts_theta_weak_prior(theta_prior *prior)
{
    static const double mean[4] = {0.05, 0.3, 4, 0.5}, deviation[4] = {0.1, 0.7, 2, 0.4};
    memset(prior, 0, sizeof *prior);
    for (int i = 0; i < 4; i++) {
        prior->mean[i] = mean[i];
        prior->precision[i * 5] = 1 / (deviation[i] * deviation[i]);
    }
    prior->noise = 0.02;
}

double pts_theta_descend(theta_squares squares, const void *user, int steps, double tolerance,
                         double theta[4])
{
    double gradient[4], hessian[16], damping = 1e-3;
    double value = squares(user, theta, gradient, hessian);
    for (int step = 0; step < steps && damping < 1e12; step++) {
        double lower[16], move[4], next[4], g[4], h[16];
        memcpy(lower, hessian, sizeof lower);
        memcpy(move, gradient, sizeof move);
        for (int i = 0; i < 4; i++)
            lower[i * 5] *= 1 + damping;
        if (LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', 4, 1, lower, 4, move, 1) != 0)
            return value;
        for (int i = 0; i < 4; i++)
            next[i] = theta[i] - move[i];
        double there = squares(user, next, g, h);
        if (!(there < value)) {
            damping *= 8;
            continue;
        }
        double gain = value - there;
        memcpy(theta, next, sizeof next);
        memcpy(gradient, g, sizeof g);
        memcpy(hessian, h, sizeof h);
        value = there;
        damping /= 8;
        if (gain < tolerance * (1 + value))
            break;
    }
    return value;
}

typedef struct evidence {
    const theta_prior *prior;
    const theta_points *points;
} evidence;

/* Minus the log posterior. */
static double posterior(const void *user, const double theta[4], double gradient[4],
                        double hessian[16])
{
    const evidence *e = user;
    const theta_prior *prior = e->prior;
    const theta_points *p = e->points;
    double weight = 1 / (prior->noise * prior->noise), value = 0, d[4];
    memcpy(hessian, prior->precision, 16 * sizeof *hessian);
    for (int i = 0; i < 4; i++) {
        gradient[i] = 0;
        for (int j = 0; j < 4; j++)
            gradient[i] += prior->precision[i * 4 + j] * (theta[j] - prior->mean[j]);
        value += gradient[i] * (theta[i] - prior->mean[i]) / 2;
    }
    for (size_t k = 0; k < p->count; k++) {
        double residual = pts_theta_value(theta, p->log_n[k], d) - p->map[k];
        value += weight * residual * residual / 2;
        for (int i = 0; i < 4; i++) {
            gradient[i] += weight * residual * d[i];
            for (int j = 0; j < 4; j++)
                hessian[i * 4 + j] += weight * d[i] * d[j];
        }
    }
    return value;
}

static double climb(const evidence *e, double theta[4])
{
    return pts_theta_descend(posterior, e, 200, 1e-12, theta);
}

void pts_theta_fit(const theta_prior *prior, const theta_points *p, double theta[4],
                   double covariance[16])
{
    static const double shift[5] = {0, -1.5, 1.5, -3, 3};
    const evidence e = {prior, p};
    double best = INFINITY;
    for (int s = 0; s < 5; s++) { /* a step seen as a slope is another mode: several starts */
        double start[4] = {prior->mean[0], prior->mean[1], prior->mean[2] + shift[s],
                           prior->mean[3]};
        double value = climb(&e, start);
        if (value < best) {
            best = value;
            memcpy(theta, start, sizeof start);
        }
    }
    if (covariance) {
        double gradient[4], hessian[16];
        posterior(&e, theta, gradient, hessian);
        pts_theta_inverse(hessian, covariance);
    }
}

/* One curve's share of the expected complete-data moments; θ goes on from the last round's. */
static void add_moments(const theta_prior *prior, const theta_points *p, double theta[4],
                        double spread[16], double *squares)
{
    double covariance[16], d[4], hessian[16];
    const evidence e = {prior, p};
    climb(&e, theta);
    posterior(&e, theta, d, hessian);
    pts_theta_inverse(hessian, covariance);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            spread[i * 4 + j] +=
                covariance[i * 4 + j] + (theta[i] - prior->mean[i]) * (theta[j] - prior->mean[j]);
    for (size_t k = 0; k < p->count; k++) {
        double residual = pts_theta_value(theta, p->log_n[k], d) - p->map[k];
        *squares += residual * residual;
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++)
                *squares += d[i] * covariance[i * 4 + j] * d[j];
    }
}

/* A few dozen curves do not tell six correlations: a part of the way to the diagonal. */
static void shrink(double covariance[16], size_t count)
{
    static const double least[4] = {0.01, 0.15, 0.3, 0.03};
    double keep = (double)count / ((double)count + 8);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            if (i != j)
                covariance[i * 4 + j] *= keep;
            else
                covariance[i * 5] += least[i] * least[i];
}

void pts_theta_spread(const theta_points *points, const double *means, double *thetas, size_t count,
                      double covariance[16], double *noise)
{
    enum { ROUNDS = 25 };
    theta_prior prior;
    pts_theta_weak_prior(&prior);
    size_t total = 0;
    for (size_t c = 0; c < count; c++)
        total += points[c].count;
    for (int round = 0; round < ROUNDS; round++) {
        double spread[16] = {0}, squares = 0;
        for (size_t c = 0; c < count; c++) {
            memcpy(prior.mean, means + c * 4, sizeof prior.mean);
            add_moments(&prior, &points[c], thetas + c * 4, spread, &squares);
        }
        for (int i = 0; i < 16; i++)
            covariance[i] = spread[i] / (double)count;
        shrink(covariance, count);
        pts_theta_inverse(covariance, prior.precision);
        prior.noise = fmax(sqrt(squares / (double)total), 0.005);
    }
    *noise = prior.noise;
}

void pts_theta_inverse(const double matrix[16], double inverse[16])
{
    pts_theta_cholesky(matrix, inverse);
    LAPACKE_dpotri(LAPACK_ROW_MAJOR, 'L', 4, inverse, 4);
    for (int i = 0; i < 4; i++)
        for (int j = i + 1; j < 4; j++)
            inverse[i * 4 + j] = inverse[j * 4 + i];
}
