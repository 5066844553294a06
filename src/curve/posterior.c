/* The posterior of a curve: its modes, and draws by importance sampling: pts/curve.h. */
#include "pts/curve.h"
#include "pts/lm.h"
#include "base/error.h"
#include "base/memory.h"
#include "curve/evidence.h"
#include "curve/normal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STARTS = 9, MODES = 3, PROPOSALS = 8192, SCOUT_ROUNDS = 2, CLIMB_ROUNDS = 30 };

/* ---- modes ---- */

static bool same_mode(const evidence *e, const evidence_mode *a, const evidence_mode *b)
{
    double square = 0;
    for (int i = 0; i < 4; i++) {
        double d = a->theta[i] - b->theta[i];
        square += d * d / e->prior->covariance[i * 5];
    }
    return square < 1e-2;
}

/* Keeps the highest MODES distinct ones, in falling order. */
static void keep(const evidence *e, evidence_mode *modes, size_t *count, const evidence_mode *found)
{
    for (size_t i = 0; i < *count; i++) {
        if (same_mode(e, &modes[i], found)) {
            if (found->value > modes[i].value)
                modes[i] = *found;
            return;
        }
    }
    size_t at = *count;
    if (at == MODES) {
        if (modes[MODES - 1].value >= found->value)
            return;
        at = MODES - 1;
    } else {
        (*count)++;
    }
    modes[at] = *found;
    for (; at > 0 && modes[at].value > modes[at - 1].value; at--) {
        evidence_mode t = modes[at];
        modes[at] = modes[at - 1];
        modes[at - 1] = t;
    }
}

/* The posterior of a sigmoid has several modes when the pilot points end before its rise: starts
 * on a 3 × 3 grid in ln B and ln C. */
static pts_status find_modes(evidence *e, pts_lm *lm, evidence_mode *modes, size_t *count,
                             pts_error *err)
{
    const pts_curve_prior *prior = e->prior;
    memset(modes, 0, MODES * sizeof *modes);
    *count = 0;
    for (int start = 0; start < STARTS; start++) {
        double theta[4];
        evidence_mode found;
        memcpy(theta, prior->mean, sizeof theta);
        theta[1] += 1.2 * (start / 3 - 1) * sqrt(prior->covariance[5]);
        theta[2] += 1.2 * (start % 3 - 1) * sqrt(prior->covariance[10]);
        e->sigma = prior->noise;
        PTS_TRY(pts_evidence_climb(e, lm, theta, SCOUT_ROUNDS, &found, err));
        if (isfinite(found.value))
            keep(e, modes, count, &found);
    }
    if (*count == 0)
        return pts_fail(err, PTS_ERR_NUMERIC, "posterior: no finite value at the prior's mean");
    evidence_mode scouted[MODES];
    size_t found = *count;
    memcpy(scouted, modes, sizeof scouted);
    memset(modes, 0, MODES * sizeof *modes);
    *count = 0;
    for (size_t i = 0; i < found; i++) {
        evidence_mode mode;
        e->sigma = scouted[i].sigma;
        PTS_TRY(pts_evidence_climb(e, lm, scouted[i].theta, CLIMB_ROUNDS, &mode, err));
        keep(e, modes, count, &mode);
    }
    return PTS_OK;
}

/* ---- draws ---- */

/* A Gaussian of the proposal. */
typedef struct component {
    double mean[4], lower[16], log_norm;
    size_t end; /* proposals before this one are its own */
} component;

enum { COMPONENTS = 2 * MODES + 1 };

static pts_status make_component(component *c, const double *mean, const double *covariance,
                                 double widen, pts_error *err)
{
    double scaled[16];
    for (int i = 0; i < 16; i++)
        scaled[i] = covariance[i] * widen;
    memcpy(c->mean, mean, sizeof c->mean);
    PTS_TRY(pts_cholesky4(scaled, c->lower, "posterior", err));
    c->log_norm = 0;
    for (int i = 0; i < 4; i++)
        c->log_norm -= log(c->lower[i * 5]);
    return PTS_OK;
}

static double log_component(const component *c, const double *theta)
{
    double z[4], square = 0;
    for (int i = 0; i < 4; i++) {
        z[i] = theta[i] - c->mean[i];
        for (int j = 0; j < i; j++)
            z[i] -= c->lower[i * 4 + j] * z[j];
        z[i] /= c->lower[i * 5];
        square += z[i] * z[i];
    }
    return c->log_norm - square / 2;
}

static void propose(const component *c, size_t index, double theta[4])
{
    double z[5];
    pts_normal_draw(index, z);
    for (int i = 0; i < 4; i++) {
        theta[i] = c->mean[i];
        for (int j = 0; j <= i; j++)
            theta[i] += c->lower[i * 4 + j] * z[j];
    }
}

/* χ²_ν/ν from a standard normal deviate (Wilson & Hilferty 1931). */
static double chi_square_mean(double dof, double z)
{
    double part = 2 / (9 * dof), root = 1 - part + z * sqrt(part);
    return root > 0.05 ? root * root * root : 0.05 * 0.05 * 0.05;
}

/* Each mode's Gaussian a little and much widened, as the density has heavier tails; and the prior
 * itself, a fifth of the proposals, against what no mode stands for. */
static pts_status make_components(const evidence *e, const evidence_mode *modes, size_t count,
                                  component *c, pts_error *err)
{
    static const double widen[2] = {1.2, 5};
    double mass[MODES], total = 0;
    PTS_TRY(make_component(&c[0], e->prior->mean, e->prior->covariance, 1, err));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < 2; k++)
            PTS_TRY(make_component(&c[1 + 2 * i + k], modes[i].theta, modes[i].covariance, widen[k],
                                   err));
        mass[i] = fmax(exp(modes[i].value - modes[0].value - c[1 + 2 * i].log_norm + c[1].log_norm),
                       0.15);
        total += mass[i];
    }
    size_t used = c[0].end = PROPOSALS / 5;
    for (size_t i = 0; i < 2 * count; i++) {
        used += (size_t)(mass[i / 2] / total / 2 * (PROPOSALS - PROPOSALS / 5));
        c[1 + i].end = used;
    }
    c[2 * count].end = PROPOSALS;
    return PTS_OK;
}

typedef struct proposal {
    double theta[4], weight;
} proposal;

/* Density over the whole mixture's (Veach & Guibas' balance heuristic): no draw counts wildly. */
static double log_weight(const evidence *e, const component *c, size_t count, const double *theta)
{
    double sum = 0, most = -INFINITY, each[COMPONENTS];
    for (size_t k = 0; k < count; k++) {
        size_t own = c[k].end - (k ? c[k - 1].end : 0);
        each[k] = own ? log_component(&c[k], theta) + log((double)own) : -INFINITY;
        most = fmax(most, each[k]);
    }
    for (size_t k = 0; k < count; k++)
        sum += exp(each[k] - most);
    return pts_evidence_log_density(e, theta) - most - log(sum);
}

/* Draws of equal weight from weighted proposals, evenly through the cumulated weights. */
static void resample(const evidence *e, const proposal *from, double total,
                     pts_curve_posterior *out)
{
    size_t at = 0;
    double passed = from[0].weight;
    for (size_t k = 0; k < PTS_CURVE_DRAWS; k++) {
        double z[5], dof, goal = ((double)k + 0.5) / PTS_CURVE_DRAWS * total;
        while (passed < goal && at + 1 < PROPOSALS)
            passed += from[++at].weight;
        pts_curve_draw *draw = &out->draws[k];
        draw->curve = pts_curve_of(from[at].theta);
        pts_normal_draw(k * 7 + 3, z);
        draw->noise = pts_evidence_noise(e, from[at].theta, &dof);
        if (!isinf(dof))
            draw->noise /= sqrt(chi_square_mean(dof, z[3]));
        draw->scatter = z[4];
    }
}

static pts_status sample(const evidence *e, const evidence_mode *modes, size_t count,
                         pts_curve_posterior *out, pts_error *err)
{
    component c[COMPONENTS];
    PTS_TRY(make_components(e, modes, count, c, err));
    proposal *proposals = malloc(PROPOSALS * sizeof *proposals);
    if (!proposals)
        return pts_fail_memory(err, PROPOSALS * sizeof *proposals);
    double most = -INFINITY, total = 0, squares = 0;
    for (size_t i = 0, k = 0; i < PROPOSALS; i++) {
        while (i >= c[k].end)
            k++;
        propose(&c[k], i, proposals[i].theta);
        proposals[i].weight = log_weight(e, c, 2 * count + 1, proposals[i].theta);
        if (isnan(proposals[i].weight))
            proposals[i].weight = -INFINITY;
        most = fmax(most, proposals[i].weight);
    }
    for (size_t i = 0; i < PROPOSALS; i++) {
        proposals[i].weight = exp(proposals[i].weight - most);
        total += proposals[i].weight;
        squares += proposals[i].weight * proposals[i].weight;
    }
    out->effective = total * total / squares;
    resample(e, proposals, total, out);
    free(proposals);
    return PTS_OK;
}

/* ---- the curve that stands for them ---- */

/* The 4PL next to the pointwise median of the draws, from one image to ten thousand: the median is
 * what has the least expected absolute error, the mode is not. */
static pts_status summarise(pts_curve_posterior *out, pts_error *err)
{
    enum { NODES = 40 };
    double n[NODES], median[NODES];
    pts_fit fit;
    for (int i = 0; i < NODES; i++)
        n[i] = pow(10, 4.0 * i / (NODES - 1));
    PTS_TRY(pts_curve_median(out, n, NODES, median, err));
    if (pts_curve_fit(n, median, NODES, &fit, NULL) == PTS_OK && fit.status != PTS_FIT_LIMIT &&
        fit.status != PTS_FIT_RANK_DEFICIENT)
        out->curve = fit.curve;
    return PTS_OK;
}

static pts_status find(evidence *e, pts_lm *lm, pts_curve_posterior *out, pts_error *err)
{
    evidence_mode modes[MODES];
    size_t count;
    double dof;
    PTS_TRY(find_modes(e, lm, modes, &count, err));
    memcpy(out->mean, modes[0].theta, sizeof out->mean);
    memcpy(out->covariance, modes[0].covariance, sizeof out->covariance);
    out->curve = pts_curve_of(out->mean);
    out->noise = pts_evidence_noise(e, out->mean, &dof);
    PTS_TRY(sample(e, modes, count, out, err));
    return e->count ? summarise(out, err) : PTS_OK;
}

pts_status pts_curve_posterior_find(const pts_curve_prior *prior, const double *n,
                                    const double *map, size_t count, pts_curve_posterior *out,
                                    pts_error *err)
{
    evidence e;
    *out = (pts_curve_posterior){.noise = prior->noise};
    PTS_TRY(pts_evidence_init(&e, prior, n, map, count, err));
    pts_lm *lm;
    PTS_TRY(pts_lm_create(&lm, count + 4, 4, err));
    pts_status status = find(&e, lm, out, err);
    pts_lm_destroy(lm);
    return status;
}
