#include "learn/tasks.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIM_MAX 65536

pts_status pts_tasks_create(pts_tasks **out, size_t dim, const char *encoder_id, const char *preset,
                            pts_error *err)
{
    *out = NULL;
    if (dim < 1 || dim > DIM_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "embedding: expected 1 … %d numbers, got %zu",
                        DIM_MAX, dim);
    pts_tasks *tasks;
    PTS_TRY(pts_new(&tasks, 1, sizeof *tasks, err));
    tasks->dim = dim;
    tasks->encoder = strdup(encoder_id);
    tasks->preset = strdup(preset);
    if (!tasks->encoder || !tasks->preset) {
        pts_tasks_destroy(tasks);
        return pts_fail_memory(err, strlen(encoder_id) + 1);
    }
    *out = tasks;
    return PTS_OK;
}

static void free_measured(pts_curve_points *measured)
{
    if (measured)
        free(measured->n);
    free(measured);
}

/* The casts take back the const that the public struct gives its readers. */
static void free_row(task_row *row)
{
    free((void *)row->task.dataset);
    free((void *)row->task.class_name);
    free((void *)row->task.n);
    free((void *)row->task.map);
    free((void *)row->task.embeddings);
    free((void *)row->task.repeats);
    free((void *)row->task.labels);
    free_measured((pts_curve_points *)row->task.measured);
    free(row->log_n);
}

void pts_tasks_destroy(pts_tasks *tasks)
{
    if (!tasks)
        return;
    for (size_t i = 0; i < tasks->count; i++)
        free_row(&tasks->rows[i]);
    free(tasks->rows);
    free(tasks->encoder);
    free(tasks->preset);
    free(tasks->sources);
    free(tasks->curves);
    free(tasks);
}

/* Refused here by name: logarithms and fits behind would only yield a NaN. */
static pts_status check_curve(const pts_task *t, pts_error *err)
{
    if (t->points < 2)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: class %s: expected at least 2 points, got %zu",
                        t->dataset, t->class_name, t->points);
    for (size_t i = 0; i < t->points; i++) {
        if (!(t->n[i] >= 1 && t->n[i] <= 1e9) || (i > 0 && t->n[i] <= t->n[i - 1]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "%s: class %s: point %zu: expected a size of 1 … 1e9 above the one "
                            "before, got %g",
                            t->dataset, t->class_name, i + 1, t->n[i]);
        if (!(t->map[i] >= 0 && t->map[i] <= 1))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "%s: class %s: point %zu: expected an mAP in 0 … 1, got %g", t->dataset,
                            t->class_name, i + 1, t->map[i]);
        if (t->repeats && !(t->repeats[i] > 0))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "%s: class %s: point %zu: expected repeats above 0, got %g", t->dataset,
                            t->class_name, i + 1, t->repeats[i]);
    }
    return PTS_OK;
}

/* One NaN would spread over every mean, component and distance. */
static pts_status check_images(const pts_task *t, size_t dim, pts_error *err)
{
    if (t->images < 1)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: class %s: expected at least 1 photograph, got 0",
                        t->dataset, t->class_name);
    for (size_t i = 0; i < t->images * dim; i++)
        if (!isfinite(t->embeddings[i]))
            return pts_fail(err, PTS_ERR_NUMERIC,
                            "%s: class %s: photograph %zu: its embedding is not finite", t->dataset,
                            t->class_name, i / dim + 1);
    return PTS_OK;
}

static void *copy(const void *from, size_t count, size_t size)
{
    void *to = pts_calloc64(count, size);
    return to ? memcpy(to, from, count * size) : NULL;
}

/* n, map and weight; one block. */
static pts_curve_points *copy_measured(const pts_curve_points *from)
{
    const size_t bytes = from->count * sizeof *from->n;
    pts_curve_points *to = calloc(1, sizeof *to);
    double *block = pts_calloc64(from->count, 3 * sizeof *block);
    if (!to || !block) {
        free(to);
        free(block);
        return NULL;
    }
    *to = (pts_curve_points){.dataset = "",
                             .class_name = "",
                             .count = from->count,
                             .n = block,
                             .map = block + from->count};
    memcpy(to->n, from->n, bytes);
    memcpy(to->map, from->map, bytes);
    if (from->weight)
        to->weight = memcpy(block + 2 * from->count, from->weight, bytes);
    return to;
}

/* By name: all classes of a data set are left out together, in whatever order they came. */
static size_t group_of(const pts_tasks *tasks, const char *dataset)
{
    for (size_t i = 0; i < tasks->count; i++)
        if (strcmp(tasks->rows[i].task.dataset, dataset) == 0)
            return tasks->rows[i].group;
    return tasks->groups;
}

pts_status pts_tasks_add(pts_tasks *tasks, const pts_task *t, pts_error *err)
{
    PTS_TRY(check_curve(t, err));
    PTS_TRY(check_images(t, tasks->dim, err));
    PTS_TRY(pts_grow(&tasks->rows, &tasks->capacity, tasks->count + 1, sizeof *tasks->rows, err));
    task_row row = {.task = *t, .group = group_of(tasks, t->dataset)};
    row.task.dataset = strdup(t->dataset);
    row.task.class_name = strdup(t->class_name);
    row.task.n = copy(t->n, t->points, sizeof *t->n);
    row.task.map = copy(t->map, t->points, sizeof *t->map);
    row.task.embeddings = copy(t->embeddings, t->images * tasks->dim, sizeof *t->embeddings);
    row.task.repeats = t->repeats ? copy(t->repeats, t->points, sizeof *t->repeats) : NULL;
    row.task.labels = t->labels ? copy(t->labels, t->images, sizeof *t->labels) : NULL;
    row.task.measured = t->measured ? copy_measured(t->measured) : NULL;
    row.log_n = pts_calloc64(t->points, sizeof *row.log_n);
    if (!row.task.dataset || !row.task.class_name || !row.task.n || !row.task.map ||
        !row.task.embeddings || !row.log_n || (t->repeats && !row.task.repeats) ||
        (t->labels && !row.task.labels) || (t->measured && !row.task.measured)) {
        free_row(&row);
        return pts_fail_memory(err, t->images * tasks->dim * sizeof *t->embeddings);
    }
    for (size_t i = 0; i < t->points; i++)
        row.log_n[i] = log(t->n[i]);
    row.points = (theta_points){t->points, row.log_n, row.task.map};
    theta_prior prior;
    pts_theta_weak_prior(&prior);
    pts_theta_fit(&prior, &row.points, row.theta, NULL);
    if (row.group == tasks->groups)
        tasks->groups++;
    tasks->rows[tasks->count++] = row;
    return PTS_OK;
}

pts_status pts_tasks_note(char **list, const char *text, pts_error *err)
{
    size_t before = *list ? strlen(*list) : 0, length = before + strlen(text) + 2;
    char *longer = realloc(*list, length);
    if (!longer)
        return pts_fail_memory(err, length);
    snprintf(longer + before, length - before, "%s%s", before ? "," : "", text);
    *list = longer;
    return PTS_OK;
}

size_t pts_tasks_count(const pts_tasks *tasks)
{
    return tasks->count;
}

size_t pts_tasks_datasets(const pts_tasks *tasks)
{
    return tasks->groups;
}

const pts_task *pts_tasks_at(const pts_tasks *tasks, size_t index)
{
    return &tasks->rows[index].task;
}
