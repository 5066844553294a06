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
    pts_curve_points *curves = pts_calloc64(tasks->count, sizeof *curves);
    double *votes = pts_calloc64(tasks->count, sizeof *votes);
    size_t *members = pts_calloc64(tasks->count, sizeof *members);
    pts_status status = PTS_OK;
    *population = (pts_prior_file){.datasets = tasks->groups - (out < tasks->groups)};
    if (!curves || !votes || !members)
        status = pts_fail_memory(err, tasks->count * sizeof *curves);
    for (size_t t = 0; status == PTS_OK && t < tasks->count; t++)
        if (tasks->rows[t].group != out) {
            curves[population->curves] = pts_population_points(&tasks->rows[t].task);
            members[population->curves++] = t;
        }
    if (status == PTS_OK) {
        pts_predictor_votes(tasks, members, population->curves, votes);
        status = pts_curve_prior_learn(curves, votes, population->curves, &population->prior, err);
    }
    free(curves);
    free(votes);
    free(members);
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
