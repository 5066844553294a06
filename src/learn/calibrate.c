/* How much wider a spread must be for its bands to hold what they promise. */
#include "learn/sweep.h"

#include "nn/layers.h"

#include <math.h>

enum { DRAWS = 200, HALVINGS = 6 };

typedef struct draws {
    double normal[DRAWS][5];
    double lower[16], noise;
} draws;

/* Is the measured point inside the middle 80 % of what θ ~ N(mean, scale²·covariance) and the noise
 * (that of small training sets is larger: pts/curve.h) make of it? */
static bool inside(const draws *d, const double mean[4], double scale, double log_n, double map)
{
    int below = 0;
    double noise = d->noise * sqrt(pts_curve_spread(exp(log_n)));
    for (int k = 0; k < DRAWS; k++) {
        double theta[4];
        for (int i = 0; i < 4; i++) {
            theta[i] = mean[i];
            for (int j = 0; j <= i; j++)
                theta[i] += scale * d->lower[i * 4 + j] * d->normal[k][j];
        }
        double value = fmin(fmax(pts_theta_value(theta, log_n, NULL), 0), 1);
        below += value + noise * d->normal[k][4] < map;
    }
    return below >= DRAWS / 10 && below <= DRAWS - DRAWS / 10;
}

/* Each curve has one voice, however many sizes it was measured at. */
static double covered(const sweep *s, size_t out, size_t choice, const draws *d, double scale)
{
    double sum = 0, tasks = 0;
    for (size_t t = 0; t < s->tasks; t++) {
        const task_row *row = &s->data.tasks->rows[t];
        if (row->group == out)
            continue;
        const double *theta = pts_sweep_theta(s, t, out, choice);
        double share = 0;
        for (size_t i = 0; i < row->task.points; i++)
            share += inside(d, theta, scale, row->log_n[i], row->task.map[i]);
        sum += share / (double)row->task.points;
        tasks++;
    }
    return sum / tasks;
}

/* What bands of the others must hold for the next data set's to hold 80 %: of k errors that can be
 * exchanged, the quantile 0.8·(1 + 1/k) (Vovk, Gammerman and Shafer 2005; Lei et al. 2018,
 * "Distribution-free predictive inference for regression"). Classes of one data set err alike: k is
 * the number of data sets that they are worth. Without it bands held 70 to 77 %. */
static double share_wanted(const sweep *s, size_t out)
{
    double classes = 0, pairs = 0;
    for (size_t t = 0; t < s->tasks; t++) {
        size_t group = s->data.tasks->rows[t].group;
        classes += group != out;
        for (size_t u = 0; u < s->tasks && group != out; u++)
            pairs += s->data.tasks->rows[u].group == group;
    }
    return fmin(0.8 * (1 + pairs / (classes * classes)), 0.95);
}

double pts_sweep_calibrate(const sweep *s, size_t out, size_t choice, const double covariance[16],
                           double noise)
{
    draws d = {.noise = noise};
    pts_rng rng = {s->seed};
    for (int k = 0; k < DRAWS; k++)
        for (int i = 0; i < 5; i++)
            d.normal[k][i] = pts_rng_normal(&rng);
    double low = 1, high = 3, wanted = share_wanted(s, out);
    if (!pts_theta_cholesky(covariance, d.lower) || covered(s, out, choice, &d, 1) >= wanted)
        return 1;
    for (int step = 0; step < HALVINGS; step++) {
        double middle = (low + high) / 2;
        if (covered(s, out, choice, &d, middle) >= wanted)
            high = middle;
        else
            low = middle;
    }
    return high;
}
