/* A population of curves as a head carries it. */
#include "learn/population.h"

void pts_population_give(const population_model *model, pts_prior_file *population)
{
    *population = (pts_prior_file){.curves = model->curves, .datasets = model->datasets};
    pts_curve_prior *prior = &population->prior;
    for (int i = 0; i < 4; i++)
        prior->mean[i] = model->mean[i];
    for (int i = 0; i < 16; i++)
        prior->covariance[i] = model->covariance[i];
    prior->noise = model->noise[0];
    prior->noise_dof = model->noise[1];
}
