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
enum { CENTRES = 24, ENOUGH = 1500 };
#define LOG_2 0.69314718055994530942

/* ---- modes ---- */

/* Within a tenth of the prior's standard deviation. */
static bool same_mode(const evidence *e, const evidence_mode *a, const evidence_mode *b)
{
    double square = 0;
    for (int i = 0; i < 4; i++) {
        double d = a->theta[i] - b->theta[i];
        square += d * d / e->parts[e->at].covariance[i * 5];
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
 * on a 3 × 3 grid in ln B and ln C. Of one part of the prior. */
static pts_status find_modes(evidence *e, pts_lm *lm, evidence_mode *modes, size_t *count,
                             pts_error *err)
{
    const evidence_part *part = &e->parts[e->at];
    memset(modes, 0, MODES * sizeof *modes);
    *count = 0;
    for (int start = 0; start < STARTS; start++) {
        const int b = start / 3 - 1, c = start % 3 - 1;
        double theta[4];
        evidence_mode found;
        memcpy(theta, part->mean, sizeof theta);
        theta[1] += 1.2 * b * sqrt(part->covariance[5]);
        theta[2] += 1.2 * c * sqrt(part->covariance[10]);
        e->sigma = e->prior->noise;
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

/* A Gaussian of the proposal, or Student's t of two degrees of freedom. */
typedef struct component {
    double mean[4], lower[16], log_norm;
    bool heavy; /* the t */
    size_t end; /* proposals before this one are its own */
} component;

enum { COMPONENTS = PTS_EVIDENCE_PARTS * (2 * MODES + 1) + CENTRES };

/* Up to the factors that all parts share: only ratios of densities count. */
static pts_status make_component(component *c, const double *mean, const double *covariance,
                                 double widen, bool heavy, pts_error *err)
{
    double scaled[16];
    for (int i = 0; i < 16; i++)
        scaled[i] = covariance[i] * widen;
    memcpy(c->mean, mean, sizeof c->mean);
    PTS_TRY(pts_cholesky4(scaled, c->lower, "posterior", err));
    c->heavy = heavy;
    c->log_norm = heavy ? LOG_2 : 0; /* 1/2π² of the t, 1/4π² of the Gaussian */
    for (int i = 0; i < 4; i++)
        c->log_norm -= log(c->lower[i * 5]);
    return PTS_OK;
}

/* By forward substitution: the factor of the proposal is at hand, its inverse is not. */
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
    return c->log_norm - (c->heavy ? 3 * log1p(square / 2) : square / 2);
}

/* Draws are numbered, not random: the same question has the same answer. */
static void propose(const component *c, size_t index, double theta[4])
{
    double z[5];
    pts_normal_draw(index, z);
    /* χ² of two degrees of freedom is −2 ln U */
    double stretch = c->heavy ? 1 / sqrt(-log(erfc(z[4] / sqrt(2)) / 2)) : 1;
    for (int i = 0; i < 4; i++) {
        theta[i] = c->mean[i];
        for (int j = 0; j <= i; j++)
            theta[i] += c->lower[i * 4 + j] * z[j] * stretch;
    }
}

/* χ²_ν/ν from a standard normal deviate (Wilson & Hilferty 1931). */
static double chi_square_mean(double dof, double z)
{
    double part = 2 / (9 * dof), root = 1 - part + z * sqrt(part);
    return root > 0.05 ? root * root * root : 0.05 * 0.05 * 0.05;
}

/* The modes of the prior's parts. */
typedef struct landscape {
    evidence_mode modes[PTS_EVIDENCE_PARTS][MODES];
    size_t count[PTS_EVIDENCE_PARTS];
} landscape;

typedef struct mixture {
    component parts[COMPONENTS];
    double mass[COMPONENTS]; /* shares of the proposals, sum 1 */
    size_t count;
} mixture;

/* Laplace's: the mode's height times the volume of its Gaussian. */
static double log_mass(const evidence_mode *mode)
{
    double lower[16], sum = mode->value;
    if (pts_cholesky4(mode->covariance, lower, "posterior", NULL) != PTS_OK)
        return -INFINITY;
    for (int i = 0; i < 4; i++)
        sum += log(lower[i * 5]);
    return sum;
}

static pts_status add_component(mixture *to, const double *mean, const double *covariance,
                                double widen, bool heavy, double mass, pts_error *err)
{
    to->mass[to->count] = mass;
    return make_component(&to->parts[to->count++], mean, covariance, widen, heavy, err);
}

/* Consecutive proposals to each component by its mass. */
static void deal(mixture *to)
{
    double passed = 0;
    for (size_t k = 0; k < to->count; k++) {
        passed += to->mass[k];
        to->parts[k].end = k + 1 < to->count ? (size_t)(passed * PROPOSALS) : PROPOSALS;
    }
}

/* Without points the prior. Else each mode's Gaussian a little and much widened, as the density has
 * heavier tails; and the prior, a fifth of the proposals, against what no mode stands for. No mode
 * has less than a seventh of the best one's: Laplace's mass may be wrong. */
static pts_status make_components(const evidence *e, const landscape *found, mixture *to,
                                  pts_error *err)
{
    double most = -INFINITY, total = 0, share = e->points->count ? 0.2 : 1;
    to->count = 0;
    for (size_t part = 0; part < e->part_count; part++) {
        PTS_TRY(add_component(
            to, e->parts[part].mean, e->parts[part].covariance, 1, false,
            share * (e->points->count ? 1 / (double)e->part_count : e->parts[part].share), err));
        for (size_t i = 0; i < found->count[part]; i++)
            most = fmax(most, log_mass(&found->modes[part][i]));
    }
    for (size_t part = 0; e->points->count && part < e->part_count; part++) {
        for (size_t i = 0; i < found->count[part]; i++) {
            const evidence_mode *mode = &found->modes[part][i];
            double mass = fmax(exp(log_mass(mode) - most), part ? 0.03 : 0.15);
            PTS_TRY(add_component(to, mode->theta, mode->covariance, 1.2, false, mass, err));
            PTS_TRY(add_component(to, mode->theta, mode->covariance, 2, true, mass, err));
            total += 2 * mass;
        }
    }
    for (size_t k = e->part_count; k < to->count; k++)
        to->mass[k] *= (1 - share) / total;
    deal(to);
    return PTS_OK;
}

typedef struct proposal {
    double theta[4], weight, unlike;
} proposal;

/* Density over the whole mixture's (Veach & Guibas' balance heuristic): no draw counts wildly. */
static double log_weight(const evidence *e, const mixture *from, proposal *at)
{
    double sum = 0, most = -INFINITY, each[COMPONENTS];
    for (size_t k = 0; k < from->count; k++) {
        size_t own = from->parts[k].end - (k ? from->parts[k - 1].end : 0);
        each[k] = own ? log_component(&from->parts[k], at->theta) + log((double)own) : -INFINITY;
        most = fmax(most, each[k]);
    }
    for (size_t k = 0; k < from->count; k++)
        sum += exp(each[k] - most);
    return pts_evidence_log_density(e, at->theta, &at->unlike) - most - log(sum);
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

/* Fills the weights relative to the largest. */
static void draw_proposals(const evidence *e, const mixture *from, proposal *to)
{
    double most = -INFINITY;
    for (size_t i = 0, k = 0; i < PROPOSALS; i++) {
        while (i >= from->parts[k].end)
            k++;
        propose(&from->parts[k], i, to[i].theta);
        to[i].weight = log_weight(e, from, &to[i]);
        if (isnan(to[i].weight))
            to[i].weight = -INFINITY;
        most = fmax(most, to[i].weight);
    }
    for (size_t i = 0; i < PROPOSALS; i++)
        to[i].weight = exp(to[i].weight - most);
}

/* What the weights are worth: their sum, and the number of equal ones that say as much. */
static double judge(const proposal *all, double *total)
{
    double squares = 0;
    *total = 0;
    for (size_t i = 0; i < PROPOSALS; i++) {
        *total += all[i].weight;
        squares += all[i].weight * all[i].weight;
    }
    return *total * *total / squares;
}

/* What the second generation's width and shape are taken from. */
static void weighted_moments(const proposal *all, double total, double mean[4],
                             double covariance[16])
{
    memset(mean, 0, 4 * sizeof *mean);
    memset(covariance, 0, 16 * sizeof *covariance);
    for (size_t i = 0; i < PROPOSALS; i++) {
        for (int k = 0; k < 4; k++)
            mean[k] += all[i].weight / total * all[i].theta[k];
    }
    for (size_t i = 0; i < PROPOSALS; i++) {
        for (int k = 0; k < 16; k++)
            covariance[k] += all[i].weight / total * (all[i].theta[k / 4] - mean[k / 4]) *
                             (all[i].theta[k % 4] - mean[k % 4]);
    }
}

/* Population Monte Carlo (Cappé, Guillin, Marin & Robert 2004): the second generation spreads
 * around draws of the first, each with the first's covariance at Silverman's width. Where all pilot
 * results are one number the posterior is a bent sheet that no Gaussian at a mode follows: 8192
 * proposals were worth 57. */
static pts_status add_centres(const proposal *all, double total, mixture *to, pts_error *err)
{
    double mean[4], covariance[16], passed = all[0].weight;
    const double width = pow(4.0 / (6 * CENTRES), 2.0 / 8);
    weighted_moments(all, total, mean, covariance);
    for (int k = 0; k < 4; k++)
        covariance[k * 5] += 1e-12;
    for (size_t k = 0; k < to->count; k++)
        to->mass[k] *= 0.5;
    for (size_t k = 0, at = 0; k < CENTRES; k++) {
        double goal = ((double)k + 0.5) / CENTRES * total;
        while (passed < goal && at + 1 < PROPOSALS)
            passed += all[++at].weight;
        PTS_TRY(add_component(to, all[at].theta, covariance, width, true, 0.5 / CENTRES, err));
    }
    deal(to);
    return PTS_OK;
}

/* A second generation, around what the first found heavy, only where the modes misled. */
static pts_status draw_generations(const evidence *e, const landscape *found, proposal *all,
                                   pts_curve_posterior *out, pts_error *err)
{
    mixture from;
    double total;
    PTS_TRY(make_components(e, found, &from, err));
    draw_proposals(e, &from, all);
    out->effective = judge(all, &total);
    if (out->effective < ENOUGH) {
        PTS_TRY(add_centres(all, total, &from, err));
        draw_proposals(e, &from, all);
        out->effective = judge(all, &total);
    }
    out->unlike = 0;
    for (size_t i = 0; i < PROPOSALS; i++)
        out->unlike += all[i].weight > 0 ? all[i].weight / total * all[i].unlike : 0;
    resample(e, all, total, out);
    return PTS_OK;
}

static pts_status sample(const evidence *e, const landscape *found, pts_curve_posterior *out,
                         pts_error *err)
{
    proposal *all;
    PTS_TRY(pts_new(&all, PROPOSALS, sizeof *all, err));
    pts_status status = draw_generations(e, found, all, out, err);
    free(all);
    return status;
}

/* ---- the curve that stands for them ---- */

enum { NODES = 40 };

typedef struct median_curve {
    double n[NODES], map[NODES];
} median_curve;

static int miss_median(void *user, const double *theta, double *r)
{
    const median_curve *m = user;
    const pts_curve curve = pts_curve_of(theta);
    for (int i = 0; i < NODES; i++)
        r[i] = pts_curve_at(&curve, m->n[i]) - m->map[i];
    return 0;
}

static int bend_to_median(void *user, const double *theta, double *jacobian)
{
    const median_curve *m = user;
    const pts_curve curve = pts_curve_of(theta);
    for (int i = 0; i < NODES; i++)
        pts_curve_gradient(&curve, m->n[i], jacobian + 4 * i);
    return 0;
}

/* The 4PL next to the pointwise median of the draws, from one image to ten thousand: the median is
 * what has the least expected absolute error, the mode, from which the search begins, is not. */
static pts_status summarise(pts_curve_posterior *out, pts_error *err)
{
    median_curve m;
    double theta[4];
    pts_lm *lm;
    pts_lm_result result;
    for (int i = 0; i < NODES; i++)
        m.n[i] = pow(10, 4.0 * i / (NODES - 1));
    PTS_TRY(pts_curve_median(out, m.n, NODES, m.map, err));
    memcpy(theta, out->mean, sizeof theta);
    PTS_TRY(pts_lm_create(&lm, NODES, 4, err));
    const pts_lm_problem problem = {
        .residuals = miss_median, .jacobian = bend_to_median, .user = &m};
    pts_status status = pts_lm_solve(lm, &problem, NULL, theta, &result, err);
    pts_lm_destroy(lm);
    const pts_curve curve = pts_curve_of(theta);
    if (status == PTS_OK && pts_lm_converged(&result) && isfinite(curve.B) && isfinite(curve.C))
        out->curve = curve;
    return status;
}

/* The heavier of the parts' best modes speaks for all: a tall one may hold little. */
static pts_status find(evidence *e, pts_lm *lm, pts_curve_posterior *out, pts_error *err)
{
    landscape found = {0}; /* a mode not found has no mass */
    double dof;
    PTS_TRY(pts_evidence_widen(e, err));
    for (e->at = 0; e->at < e->part_count; e->at++)
        PTS_TRY(find_modes(e, lm, found.modes[e->at], &found.count[e->at], err));
    const evidence_mode *best = &found.modes[PTS_EVIDENCE_POPULATION][0];
    if (log_mass(&found.modes[PTS_EVIDENCE_ANY][0]) > log_mass(best))
        best = &found.modes[PTS_EVIDENCE_ANY][0];
    memcpy(out->mean, best->theta, sizeof out->mean);
    memcpy(out->covariance, best->covariance, sizeof out->covariance);
    out->curve = pts_curve_of(out->mean);
    out->noise = pts_evidence_noise(e, out->mean, &dof);
    PTS_TRY(sample(e, &found, out, err));
    return e->points->count ? summarise(out, err) : PTS_OK;
}

pts_status pts_curve_posterior_find_weighted(const pts_curve_prior *prior, const double *n,
                                             const double *map, const double *weights, size_t count,
                                             pts_curve_posterior *out, pts_error *err)
{
    evidence e;
    pooled_points points;
    pts_lm *lm = NULL;
    *out = (pts_curve_posterior){.noise = prior->noise};
    PTS_TRY(pts_pool(&points, n, map, weights, count, err));
    pts_status status = pts_evidence_init(&e, prior, &points, err);
    if (status == PTS_OK)
        status = pts_lm_create(&lm, points.count + 4, 4, err);
    if (status == PTS_OK)
        status = find(&e, lm, out, err);
    pts_lm_destroy(lm);
    pts_pool_free(&points);
    return status;
}

pts_status pts_curve_posterior_find(const pts_curve_prior *prior, const double *n,
                                    const double *map, size_t count, pts_curve_posterior *out,
                                    pts_error *err)
{
    return pts_curve_posterior_find_weighted(prior, n, map, NULL, count, out, err);
}

/* The posterior without points is there for any prior that makes sense. */
pts_status pts_prior_check(const pts_curve_prior *prior, pts_error *err)
{
    if (!isfinite(prior->noise_dof)) /* INFINITY is for callers who know it: no file says so */
        return pts_fail(err, PTS_ERR_ARGUMENT, "prior: expected a finite noise_dof, got %g",
                        prior->noise_dof);
    pts_curve_posterior *posterior;
    PTS_TRY(pts_new(&posterior, 1, sizeof *posterior, err));
    pts_status status = pts_curve_posterior_find(prior, NULL, NULL, 0, posterior, err);
    free(posterior);
    return status;
}
