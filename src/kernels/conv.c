#include "kernels/conv.h"
#include "base/memory.h"
#include "kernels/winograd.h"

#include <stdbool.h>
#include <string.h>

/* A task's im2col rows fill at most this many floats (1 MiB: half of a common L2), so that the
 * product reads them from cache; and at most MAX_ROWS rows, so that there is work for every
 * thread. */
#define LOWERED_FLOATS ((size_t)1 << 18)
#define MIN_ROWS 48
#define MAX_ROWS 512
/* A map of so few pixels has too few rows to share. */
#define FEW_ROWS 160

typedef struct conv_job {
    const pts_conv *conv;
    const pts_feature_map *x, *y;
    float *workspace;
    size_t rows, workspace_floats; /* of a task, of a thread */
} conv_job;

size_t pts_window_side(size_t input, size_t window, size_t stride, size_t pad)
{
    return input + 2 * pad < window ? 0 : (input + 2 * pad - window) / stride + 1;
}

static bool is_pointwise(const pts_window *w)
{
    return w->height == 1 && w->width == 1 && w->stride == 1 && !w->pad_y && !w->pad_x;
}

static size_t depth_of(const pts_conv *conv)
{
    return conv->window.height * conv->window.width * conv->in;
}

void pts_conv_init(pts_conv *conv, const pts_level *level, const pts_window *window, size_t in,
                   size_t out)
{
    *conv = (pts_conv){.level = level, .window = *window, .in = in, .out = out};
    pts_winograd_choose(conv);
}

const char *pts_conv_method(const pts_conv *conv)
{
    switch (conv->axis.taps) {
    case 7:
        return "winograd 6, 7";
    case 5:
        return "winograd 4x4, 5x5";
    case 3:
        return "winograd 4x4, 3x3";
    default:
        return is_pointwise(&conv->window) ? "product" : "im2col + product";
    }
}

bool pts_conv_packed_floats(const pts_conv *conv, size_t *floats)
{
    if (conv->axis.outputs)
        return pts_winograd_packed_floats(conv, floats);
    return pts_product_packed_floats(conv->level, depth_of(conv), conv->out, floats);
}

void pts_conv_pack(pts_conv *conv, const float *weight, float *packed)
{
    conv->packed = packed;
    if (conv->axis.outputs)
        pts_winograd_pack(conv, weight, packed);
    else
        pts_product_pack(conv->level, weight, conv->out, depth_of(conv), conv->out, packed);
}

static size_t tile_rows(size_t depth, size_t pixels)
{
    size_t rows = LOWERED_FLOATS / depth;
    rows = rows > MAX_ROWS ? MAX_ROWS : rows < MIN_ROWS ? MIN_ROWS : rows;
    return rows > pixels ? pixels : rows;
}

bool pts_conv_workspace(const pts_conv *conv, size_t threads, size_t height, size_t width,
                        size_t *floats)
{
    if (conv->axis.outputs)
        return pts_winograd_workspace(conv, threads, height, width, floats);
    *floats = 0;
    return is_pointwise(&conv->window) ||
           pts_mul(tile_rows(depth_of(conv), height * width), depth_of(conv), floats);
}

static void copy_or_zero(float *to, const float *from, size_t count, bool inside)
{
    if (inside)
        memcpy(to, from, count * sizeof *to);
    else
        memset(to, 0, count * sizeof *to);
}

/* A window's row of pixels, iy, from column ix on; both wrap below zero, and then are beyond the
 * map. Where pixels are dense and all inside, it is one copy: nine floats of the first layer. */
static void lower_row(const pts_feature_map *x, size_t iy, size_t ix, size_t width, float *row)
{
    const float *from = x->data + (iy * x->width + ix) * x->stride;
    if (iy < x->height && ix < x->width && width <= x->width - ix && x->stride == x->channels) {
        memcpy(row, from, width * x->channels * sizeof *row);
        return;
    }
    for (size_t k = 0; k < width; k++, from += x->stride, row += x->channels)
        copy_or_zero(row, from, x->channels, iy < x->height && ix + k < x->width);
}

/* One row of the lowered matrix: the window at output pixel (oy, ox), [kh][kw][in]. */
static float *lower_pixel(const conv_job *job, size_t oy, size_t ox, float *row)
{
    const pts_window *w = &job->conv->window;
    for (size_t ky = 0; ky < w->height; ky++, row += w->width * job->x->channels)
        lower_row(job->x, oy * w->stride + ky - w->pad_y, ox * w->stride - w->pad_x, w->width, row);
    return row;
}

/* Rows [first, first + rows) of the lowered matrix. */
static void lower_rows(const conv_job *job, size_t first, size_t rows, float *lowered)
{
    for (size_t p = first; p < first + rows; p++)
        lowered = lower_pixel(job, p / job->y->width, p % job->y->width, lowered);
}

/* The product for `rows` output pixels from `first` on, whose lowered rows are a [rows][stride]. */
static pts_product product_of(const conv_job *job, size_t first, size_t rows, const float *a,
                              size_t a_stride)
{
    const pts_conv *conv = job->conv;
    return (pts_product){.rows = rows,
                         .columns = conv->out,
                         .depth = depth_of(conv),
                         .end = conv->out,
                         .a = a,
                         .a_stride = a_stride,
                         .b = conv->packed,
                         .bias = conv->bias,
                         .c = job->y->data + first * job->y->stride,
                         .c_stride = job->y->stride,
                         .relu = conv->bias != NULL};
}

static void conv_task(void *user, size_t task, int thread)
{
    const conv_job *job = user;
    size_t pixels = job->y->height * job->y->width, first = task * job->rows;
    size_t rows = pixels - first < job->rows ? pixels - first : job->rows;
    float *lowered = job->workspace + (size_t)thread * job->workspace_floats;
    lower_rows(job, first, rows, lowered);
    pts_product product = product_of(job, first, rows, lowered, depth_of(job->conv));
    job->conv->level->product(&product);
}

enum { LOWERED_TOGETHER = 8 }; /* rows of a task */

static void lower_task(void *user, size_t task, int thread)
{
    const conv_job *job = user;
    size_t pixels = job->y->height * job->y->width, first = task * LOWERED_TOGETHER;
    size_t rows = pixels - first < LOWERED_TOGETHER ? pixels - first : LOWERED_TOGETHER;
    (void)thread;
    lower_rows(job, first, rows, job->workspace + first * depth_of(job->conv));
}

/* A map of few rows (8×8) is lowered whole, then its product shared out by output channels. */
static void conv_together(conv_job *job, pts_team *team, size_t pixels)
{
    pts_team_run(team, (pixels + LOWERED_TOGETHER - 1) / LOWERED_TOGETHER, lower_task, job);
    pts_product product = product_of(job, 0, pixels, job->workspace, depth_of(job->conv));
    pts_product_run(job->conv->level, team, &product, NULL);
}

void pts_conv_relu(const pts_conv *conv, pts_team *team, const pts_feature_map *x,
                   const pts_feature_map *y, float *workspace)
{
    size_t pixels = y->height * y->width, threads = (size_t)pts_team_threads(team);
    conv_job job = {.conv = conv, .x = x, .y = y, .workspace = workspace};
    if (conv->axis.outputs) {
        pts_winograd_relu(conv, team, x, y, workspace);
        return;
    }
    if (is_pointwise(&conv->window)) {
        pts_product product = product_of(&job, 0, pixels, x->data, x->stride);
        pts_product_run(conv->level, team, &product, NULL);
        return;
    }
    job.rows = tile_rows(depth_of(conv), pixels);
    job.workspace_floats = job.rows * depth_of(conv);
    if (pixels <= FEW_ROWS && pixels <= job.rows) {
        conv_together(&job, team, pixels);
        return;
    }
    /* Without panels the parts may not follow the threads: see product.h. */
    if (conv->level->panel && pixels < 2 * threads * job.rows)
        job.rows = (pixels + 2 * threads - 1) / (2 * threads);
    pts_team_run(team, (pixels + job.rows - 1) / job.rows, conv_task, &job);
}
