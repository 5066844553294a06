#include "kernels/kernels.h"

#include <cblas.h>
#include <string.h>

/* A task's im2col rows fill at most this many floats (1 MiB: half of a common L2), so that GEMM
 * reads them from cache; and at most MAX_ROWS rows, so that there is work for every thread. */
#define LOWERED_FLOATS ((size_t)1 << 18)
#define MIN_ROWS 48
#define MAX_ROWS 512

typedef struct conv_job {
    const pts_window *window;
    const pts_feature_map *x, *y;
    const float *weight, *bias;
    float *workspace;
    size_t workspace_floats, rows, row_tiles, columns;
} conv_job;

size_t pts_window_side(size_t input, size_t window, size_t stride, size_t pad)
{
    return input + 2 * pad < window ? 0 : (input + 2 * pad - window) / stride + 1;
}

static int is_pointwise(const pts_window *w)
{
    return w->height == 1 && w->width == 1 && w->stride == 1 && !w->pad_y && !w->pad_x;
}

static size_t tile_rows(size_t depth, size_t pixels)
{
    size_t rows = LOWERED_FLOATS / depth;
    rows = rows > MAX_ROWS ? MAX_ROWS : rows < MIN_ROWS ? MIN_ROWS : rows;
    return rows > pixels ? pixels : rows;
}

size_t pts_conv_workspace(const pts_window *window, size_t in_channels, size_t out_pixels)
{
    size_t depth = window->height * window->width * in_channels;
    return is_pointwise(window) ? 0 : tile_rows(depth, out_pixels) * depth;
}

/* One row of the lowered matrix: the window at output pixel (oy, ox), [kh][kw][in]. */
static float *lower_pixel(const conv_job *job, size_t oy, size_t ox, float *row)
{
    const pts_window *w = job->window;
    const pts_feature_map *x = job->x;
    for (size_t ky = 0; ky < w->height; ky++) {
        size_t iy = oy * w->stride + ky - w->pad_y; /* wraps below zero: then ≥ height */
        for (size_t kx = 0; kx < w->width; kx++, row += x->channels) {
            size_t ix = ox * w->stride + kx - w->pad_x;
            if (iy < x->height && ix < x->width)
                memcpy(row, x->data + (iy * x->width + ix) * x->stride, x->channels * sizeof *row);
            else
                memset(row, 0, x->channels * sizeof *row);
        }
    }
    return row;
}

static void add_bias_relu(float *y, size_t rows, size_t stride, const float *bias, size_t columns)
{
    for (size_t r = 0; r < rows; r++, y += stride) {
        for (size_t c = 0; c < columns; c++) {
            float v = y[c] + bias[c];
            y[c] = v > 0 ? v : 0;
        }
    }
}

static void conv_task(void *user, size_t task, int thread)
{
    const conv_job *job = user;
    const pts_feature_map *x = job->x, *y = job->y;
    size_t pixels = y->height * y->width, depth = x->channels;
    size_t first = task % job->row_tiles * job->rows;
    size_t column = task / job->row_tiles * job->columns;
    size_t rows = pixels - first < job->rows ? pixels - first : job->rows;
    size_t columns = y->channels - column < job->columns ? y->channels - column : job->columns;
    const float *a = x->data + first * x->stride;
    size_t lda = x->stride;
    if (!is_pointwise(job->window)) {
        float *lowered = job->workspace + (size_t)thread * job->workspace_floats, *row = lowered;
        for (size_t p = first; p < first + rows; p++)
            row = lower_pixel(job, p / y->width, p % y->width, row);
        depth *= job->window->height * job->window->width;
        a = lowered;
        lda = depth;
    }
    float *out = y->data + first * y->stride + column;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)columns, (int)depth, 1,
                a, (int)lda, job->weight + column, (int)y->channels, 0, out, (int)y->stride);
    add_bias_relu(out, rows, y->stride, job->bias + column, columns);
}

void pts_conv_relu(pts_team *team, const pts_window *window, const pts_feature_map *x,
                   const float *weight, const float *bias, const pts_feature_map *y,
                   float *workspace)
{
    size_t pixels = y->height * y->width, threads = (size_t)pts_team_threads(team);
    size_t depth = window->height * window->width * x->channels;
    conv_job job = {window, x, y, weight, bias, workspace, 0, 0, 0, y->channels};
    job.workspace_floats = pts_conv_workspace(window, x->channels, pixels);
    job.rows = tile_rows(depth, pixels);
    /* Small maps (8×8) have too few rows to share: then threads share the output channels. */
    if (pixels < threads * 2 * MIN_ROWS)
        job.columns = (y->channels + threads - 1) / threads;
    else if (pixels < threads * job.rows)
        job.rows = (pixels + threads - 1) / threads;
    job.row_tiles = (pixels + job.rows - 1) / job.rows;
    size_t column_tiles = (y->channels + job.columns - 1) / job.columns;
    pts_team_run(team, job.row_tiles * column_tiles, conv_task, &job);
}
