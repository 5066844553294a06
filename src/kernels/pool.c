#include "kernels/level.h"

#include <stdbool.h>

typedef struct pool_job {
    const pts_window *window;
    const pts_feature_map *x, *y;
    pts_pool_pixel_fn pixel;
    const float *bias;
    bool count_padding;
} pool_job;

/* The part of a window at `output` that lies inside [0, side): [*first, *end). */
static void clip(size_t output, size_t window, size_t stride, size_t pad, size_t side,
                 size_t *first, size_t *end)
{
    size_t start = output * stride;
    *first = start > pad ? start - pad : 0;
    *end = start + window - pad < side ? start + window - pad : side;
}

static pts_pool_window window_at(const pool_job *job, size_t oy, size_t ox)
{
    const pts_window *w = job->window;
    const pts_feature_map *x = job->x;
    size_t y0, y1, x0, x1;
    clip(oy, w->height, w->stride, w->pad_y, x->height, &y0, &y1);
    clip(ox, w->width, w->stride, w->pad_x, x->width, &x0, &x1);
    size_t count = job->count_padding ? w->height * w->width : (y1 - y0) * (x1 - x0);
    return (pts_pool_window){.first = x->data + (y0 * x->width + x0) * x->stride,
                             .rows = y1 - y0,
                             .columns = x1 - x0,
                             .row_stride = x->width * x->stride,
                             .pixel_stride = x->stride,
                             .scale = 1.0f / (float)count,
                             .bias = job->bias};
}

static void pool_row(void *user, size_t row, int thread)
{
    const pool_job *job = user;
    const pts_feature_map *y = job->y;
    (void)thread;
    for (size_t ox = 0; ox < y->width; ox++) {
        pts_pool_window window = window_at(job, row, ox);
        job->pixel(&window, y->channels, y->data + (row * y->width + ox) * y->stride);
    }
}

void pts_max_pool(const pts_level *level, pts_team *team, const pts_window *window,
                  const pts_feature_map *x, const pts_feature_map *y)
{
    pool_job job = {window, x, y, level->max_pixel, NULL, 0};
    pts_team_run(team, y->height, pool_row, &job);
}

void pts_average_pool(const pts_level *level, pts_team *team, const pts_window *window,
                      bool count_padding, const pts_feature_map *x, const float *bias,
                      const pts_feature_map *y)
{
    pool_job job = {window, x, y, level->average_pixel, bias, count_padding};
    pts_team_run(team, y->height, pool_row, &job);
}
