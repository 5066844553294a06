#include "learn/population.h"

#include "base/error.h"
#include "base/memory.h"
#include "learn/predictor.h"

#include <stdlib.h>

pts_curve_points pts_population_points(const pts_task *t)
{
    if (t->measured)
        return (pts_curve_points){.dataset = t->dataset,
                                  .class_name = t->class_name,
                                  .count = t->measured->count,
                                  .n = t->measured->n,
                                  .map = t->measured->map,
                                  .weight = t->measured->weight};
    return (pts_curve_points){.dataset = t->dataset,
                              .class_name = t->class_name,
                              .count = t->points,
                              .n = (double *)(uintptr_t)t->n,
                              .map = (double *)(uintptr_t)t->map,
                              .weight = (double *)(uintptr_t)t->repeats};
}

pts_status pts_population_learn(const pts_tasks *tasks, size_t out, pts_prior_file *population,
                                pts_error *err)
{
    pts_curve_points *curves; /* then votes and members, in one block */
    *population = (pts_prior_file){.datasets = tasks->groups - (out < tasks->groups)};
    PTS_TRY(pts_new(&curves, tasks->count, sizeof *curves + sizeof(double) + sizeof(size_t), err));
    double *votes = (double *)(curves + tasks->count);
    size_t *members = (size_t *)(votes + tasks->count);
    for (size_t t = 0; t < tasks->count; t++)
        if (tasks->rows[t].group != out) {
            curves[population->curves] = pts_population_points(&tasks->rows[t].task);
            members[population->curves++] = t;
        }
    pts_predictor_votes(tasks, members, population->curves, votes);
    pts_status status =
        pts_curve_prior_learn(curves, votes, population->curves, &population->prior, err);
    free(curves);
    return status;
}

void pts_population_keep(population_model *model, const pts_prior_file *population)
{
    const pts_curve_prior *prior = &population->prior;
    model->curves = population->curves;
    model->datasets = population->datasets;
    for (int i = 0; i < 4; i++)
        model->mean[i] = (float)prior->mean[i];
    for (int i = 0; i < 16; i++)
        model->covariance[i] = (float)prior->covariance[i];
    model->noise[0] = (float)prior->noise;
    model->noise[1] = (float)prior->noise_dof;
}
