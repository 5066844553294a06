/* The prior of a population of curves by EM, and its file written: pts/curve.h. */
#include "pts/curve.h"
#include "pts/file.h"
#include "pts/lm.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "curve/evidence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20 };

/* Standard deviations that no population of curves goes below, and where EM starts: weak enough to
 * leave a well measured curve alone, and a flat or a still rising one finite. */
static const double floors[4] = {0.02, 0.2, 0.3, 0.05};
static const double first_mean[4] = {0.05, 0.5, 4, 0.5}, first_sd[4] = {0.15, 0.8, 1.8, 0.4};

typedef struct member {
    const pts_curve_points *curve;
    pooled_points points;
    double weight; /* its share of the votes */
    pts_lm *lm;
    double theta[4], covariance[16];
    double variance, dof; /* of the residuals, at the scatter of large n */
} member;

/* ---- what one curve says ---- */

/* Residual variance with the degrees of freedom that the curve leaves: points less the trace of
 * the fit's hat matrix. */
static void judge_residuals(member *m, double noise)
{
    const pooled_points *p = &m->points;
    pts_curve curve = pts_curve_of(m->theta);
    double squares = p->within, trace = 0;
    for (size_t i = 0; i < p->count; i++) {
        double g[4], r = pts_curve_gradient(&curve, p->n[i], g) - p->map[i];
        double scatter = pts_curve_spread(p->n[i]) / p->weight[i], leverage = 0;
        for (int a = 0; a < 4; a++) {
            for (int b = 0; b < 4; b++)
                leverage += g[a] * m->covariance[a * 4 + b] * g[b];
        }
        squares += r * r / scatter;
        trace += leverage / (noise * noise * 2.25 * scatter);
    }
    m->dof = fmax(p->total - trace, 0.5);
    m->variance = fmax(squares / m->dof, 1e-6);
}

/* A curve's own mode and covariance under the population so far. The first time from three rises: a
 * curve that begins far from the first mean's would settle on calling its points noise. */
static pts_status estimate(member *m, const pts_curve_prior *prior, bool first, pts_error *err)
{
    static const double shift[3] = {0, -1.5, 1.5};
    evidence e;
    evidence_mode best = {.value = -INFINITY}, mode;
    PTS_TRY(pts_evidence_init(&e, prior, &m->points, err));
    for (int start = 0; start < (first ? 3 : 1); start++) {
        double theta[4];
        memcpy(theta, first ? prior->mean : m->theta, sizeof theta);
        theta[2] += shift[start];
        e.sigma = prior->noise;
        PTS_TRY(pts_evidence_climb(&e, m->lm, theta, 6, &mode, err));
        if (mode.value > best.value)
            best = mode;
    }
    if (!isfinite(best.value))
        return pts_fail(err, PTS_ERR_NUMERIC, "prior: no finite fit of %s, class %s",
                        m->curve->dataset, m->curve->class_name);
    memcpy(m->theta, best.theta, sizeof m->theta);
    memcpy(m->covariance, best.covariance, sizeof m->covariance);
    judge_residuals(m, best.sigma);
    return PTS_OK;
}

/* ---- what all say ---- */

/* EM's second half. The floors keep variances from collapsing on few curves that are alike. */
static void moments(const member *members, size_t count, pts_curve_prior *out)
{
    double keep = (double)count / ((double)count + 4);
    memset(out->mean, 0, sizeof out->mean);
    memset(out->covariance, 0, sizeof out->covariance);
    for (size_t c = 0; c < count; c++) {
        for (int k = 0; k < 4; k++)
            out->mean[k] += members[c].weight * members[c].theta[k];
    }
    for (size_t c = 0; c < count; c++) {
        const double *theta = members[c].theta;
        for (int k = 0; k < 16; k++)
            out->covariance[k] += members[c].weight * (members[c].covariance[k] +
                                                       (theta[k / 4] - out->mean[k / 4]) *
                                                           (theta[k % 4] - out->mean[k % 4]));
    }
    for (int k = 0; k < 16; k++) {
        if (k % 5)
            out->covariance[k] *= keep;
        else
            out->covariance[k] += floors[k / 5] * floors[k / 5] / 4;
    }
}

/* libm has none: the asymptotic series from 8 on, where it is off by 10⁻⁹ at most. */
static double digamma(double x)
{
    double sum = 0;
    for (; x < 8; x++)
        sum -= 1 / x;
    double f = 1 / (x * x);
    return sum + log(x) - 0.5 / x - f * (1.0 / 12 - f * (1.0 / 120 - f / 252));
}

/* As digamma. */
static double trigamma(double x)
{
    double sum = 0;
    for (; x < 8; x++)
        sum += 1 / (x * x);
    double f = 1 / (x * x);
    return sum + 1 / x + f / 2 + f / x * (1.0 / 6 - f * (1.0 / 30 - f / 42));
}

/* ν with ψ'(ν/2) = spread, within 12 … 40. Many more is not to be told from known; with fewer the
 * flat beginning of a curve, which scatters little, talked the noise down (on the study's curves up
 * to 50 images: error 0.123 with at least 2, 0.117 with 15, 0.102 with 39; but on curves of seven
 * points the coverage of 80 % bands fell from 82 to 73 % on the way). */
static double dof_of_spread(double spread)
{
    double low = 12, high = 40;
    if (!(spread > trigamma(high / 2)))
        return high;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(trigamma(middle / 2) > spread ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

/* Smyth's fit of a scaled inverse χ² to sample variances s² with d degrees of freedom each:
 * ln s² − ψ(d/2) + ln(d/2) has mean ln s0² − ψ(ν/2) + ln(ν/2) and variance ψ'(d/2) + ψ'(ν/2). */
static void noise_of(const member *members, size_t count, pts_curve_prior *out)
{
    double mean = 0, spread = 0;
    for (size_t c = 0; c < count; c++) {
        double half = members[c].dof / 2;
        mean += members[c].weight * (log(members[c].variance) - digamma(half) + log(half));
    }
    for (size_t c = 0; c < count; c++) {
        double half = members[c].dof / 2;
        double e = log(members[c].variance) - digamma(half) + log(half) - mean;
        spread += members[c].weight * (e * e - trigamma(half));
    }
    out->noise_dof = dof_of_spread(spread);
    double half = out->noise_dof / 2;
    out->noise = fmax(sqrt(exp(mean + digamma(half) - log(half))), 0.003);
}

/* At the end wider by 1/count, the mean's own error: the next curve is none of these. */
static pts_status iterate(member *members, size_t count, pts_curve_prior *out, pts_error *err)
{
    *out = (pts_curve_prior){.noise = 0.02, .noise_dof = 4};
    for (int k = 0; k < 4; k++) {
        out->mean[k] = first_mean[k];
        out->covariance[k * 5] = first_sd[k] * first_sd[k];
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t c = 0; c < count; c++)
            PTS_TRY(estimate(&members[c], out, round == 0, err));
        moments(members, count, out);
        noise_of(members, count, out);
    }
    for (int k = 0; k < 16; k++)
        out->covariance[k] *= 1 + 1 / (double)count;
    return PTS_OK;
}

/* Solvers are kept: EM asks every curve in every round. */
static pts_status begin_members(member *members, const pts_curve_points *curves,
                                const double *weights, size_t count, pts_error *err)
{
    double total = 0;
    for (size_t c = 0; c < count; c++)
        total += weights ? weights[c] : 1;
    for (size_t c = 0; c < count; c++) {
        member *m = &members[c];
        m->curve = &curves[c];
        m->weight = (weights ? weights[c] : 1) / total;
        PTS_TRY(pts_pool(&m->points, curves[c].n, curves[c].map, curves[c].weight, curves[c].count,
                         err));
        PTS_TRY(pts_lm_create(&m->lm, m->points.count + 4, 4, err));
    }
    return PTS_OK;
}

pts_status pts_curve_prior_learn(const pts_curve_points *curves, const double *weights,
                                 size_t count, pts_curve_prior *out, pts_error *err)
{
    member *members;
    *out = (pts_curve_prior){0};
    if (count < 2)
        return pts_fail(err, PTS_ERR_SHAPE, "prior: expected at least 2 curves, got %zu", count);
    PTS_TRY(pts_new(&members, count, sizeof *members, err));
    pts_status status = begin_members(members, curves, weights, count, err);
    if (status == PTS_OK)
        status = iterate(members, count, out, err);
    for (size_t c = 0; c < count; c++) {
        pts_lm_destroy(members[c].lm);
        pts_pool_free(&members[c].points);
    }
    free(members);
    return status;
}

/* ---- files ---- */

pts_status pts_prior_learn(const pts_curve_set *set, const char *trainer, pts_prior_file *out,
                           pts_error *err)
{
    *out = (pts_prior_file){.curves = set->count};
    double *weights;
    PTS_TRY(pts_new(&weights, set->count, sizeof *weights, err));
    for (size_t i = 0; i < set->count; i++) {
        size_t mates = 0, first = set->count;
        for (size_t k = set->count; k-- > 0;) {
            if (strcmp(set->curves[k].dataset, set->curves[i].dataset) == 0) {
                mates++;
                first = k;
            }
        }
        weights[i] = 1 / (double)mates;
        out->datasets += first == i;
    }
    snprintf(out->trainer, sizeof out->trainer, "%s", trainer);
    pts_text_end_whole(out->trainer);
    out->trainer[strcspn(out->trainer, "\r\n")] = '\0';
    pts_status status = pts_curve_prior_learn(set->curves, weights, set->count, &out->prior, err);
    free(weights);
    return status;
}

/* 17 digits: a prior that is read back is the same to the bit. */
static void write_numbers(FILE *file, const char *name, const double *values, size_t count)
{
    fputs(name, file);
    for (size_t i = 0; i < count; i++)
        fprintf(file, " %.17g", values[i]);
    fputc('\n', file);
}

pts_status pts_prior_write(const char *path, const pts_prior_file *prior, pts_error *err)
{
    pts_output out;
    PTS_TRY(pts_prior_check(&prior->prior, err));
    PTS_TRY(pts_output_open(&out, path, err));
    fprintf(out.file, "pts-prior 1\ntrainer %s\ndatasets %zu\ncurves %zu\n", prior->trainer,
            prior->datasets, prior->curves);
    write_numbers(out.file, "noise", &prior->prior.noise, 1);
    write_numbers(out.file, "noise_dof", &prior->prior.noise_dof, 1);
    write_numbers(out.file, "mean", prior->prior.mean, 4);
    write_numbers(out.file, "covariance", prior->prior.covariance, 16);
    return pts_output_commit(&out, err);
}
