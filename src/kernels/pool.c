#include "kernels/kernels.h"

#include <string.h>

typedef struct pool_job {
    const pts_window *window;
    const pts_feature_map *x, *y;
    int count_padding;
} pool_job;

/* The part of a window at `output` that lies inside [0, side): [*first, *end). */
static void clip(size_t output, size_t window, size_t stride, size_t pad, size_t side,
                 size_t *first, size_t *end)
{
    size_t start = output * stride;
    *first = start > pad ? start - pad : 0;
    *end = start + window - pad < side ? start + window - pad : side;
}

static void pool_pixel(const pool_job *job, size_t oy, size_t ox, int average)
{
    const pts_window *w = job->window;
    const pts_feature_map *x = job->x;
    float *out = job->y->data + (oy * job->y->width + ox) * job->y->stride;
    size_t y0, y1, x0, x1;
    clip(oy, w->height, w->stride, w->pad_y, x->height, &y0, &y1);
    clip(ox, w->width, w->stride, w->pad_x, x->width, &x0, &x1);
    memcpy(out, x->data + (y0 * x->width + x0) * x->stride, x->channels * sizeof *out);
    for (size_t iy = y0; iy < y1; iy++) {
        for (size_t ix = iy == y0 ? x0 + 1 : x0; ix < x1; ix++) {
            const float *in = x->data + (iy * x->width + ix) * x->stride;
            if (average)
                for (size_t c = 0; c < x->channels; c++)
                    out[c] += in[c];
            else
                for (size_t c = 0; c < x->channels; c++)
                    out[c] = in[c] > out[c] ? in[c] : out[c];
        }
    }
    if (average) {
        size_t count = job->count_padding ? w->height * w->width : (y1 - y0) * (x1 - x0);
        float scale = 1.0f / (float)count;
        for (size_t c = 0; c < x->channels; c++)
            out[c] *= scale;
    }
}

static void max_row(void *user, size_t row, int thread)
{
    const pool_job *job = user;
    (void)thread;
    for (size_t ox = 0; ox < job->y->width; ox++)
        pool_pixel(job, row, ox, 0);
}

static void average_row(void *user, size_t row, int thread)
{
    const pool_job *job = user;
    (void)thread;
    for (size_t ox = 0; ox < job->y->width; ox++)
        pool_pixel(job, row, ox, 1);
}

void pts_max_pool(pts_team *team, const pts_window *window, const pts_feature_map *x,
                  const pts_feature_map *y)
{
    pool_job job = {window, x, y, 0};
    pts_team_run(team, y->height, max_row, &job);
}

void pts_average_pool(pts_team *team, const pts_window *window, int count_padding,
                      const pts_feature_map *x, const pts_feature_map *y)
{
    pool_job job = {window, x, y, count_padding};
    pts_team_run(team, y->height, average_row, &job);
}

void pts_global_average(const pts_feature_map *x, float *out)
{
    size_t pixels = x->height * x->width;
    for (size_t c = 0; c < x->channels; c++) {
        double sum = 0;
        for (size_t p = 0; p < pixels; p++)
            sum += x->data[p * x->stride + c];
        out[c] = (float)(sum / (double)pixels);
    }
}
