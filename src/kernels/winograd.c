#include "kernels/winograd.h"
#include "base/memory.h"

#include <stdbool.h>
#include <string.h>

enum {
    GROUP = 64, /* output channels at a time: a multiple of every panel */
    TILES_MIN = 28,
    TILES_MAX = 56,         /* of a task */
    CACHE_FLOATS = 1 << 18, /* of a task's transformed tiles: half of a common second-level cache */
    STRIDE_PAD = 16,        /* floats: points a multiple of 4 KiB apart would share one cache set */
    POINTS_MAX = PTS_SIDE_2D_MAX * PTS_SIDE_2D_MAX,
    TAPS_MAX = 25
};

typedef struct shape {
    bool two_d;
    size_t side_y, side_x;        /* a tile's outputs */
    size_t inputs_y, inputs_x;    /* a tile's inputs */
    size_t points;                /* of the transform */
    size_t tiles_y, tiles_x;      /* over the map */
    size_t tiles;                 /* of a task */
    size_t in_stride, out_stride; /* between points, in floats */
} shape;

typedef struct winograd_job {
    const pts_conv *conv;
    const pts_feature_map *x, *y;
    shape s;
    size_t workspace_floats;
    float *workspace;
} winograd_job;

/* Largest errors of a 24×24 map against a float64 convolution, rectified normal inputs and normal
 * filters of 48 … 192 channels, as parts of the root mean square before the rectifier: 4.1e-6 …
 * 1.0e-5 for 3×3, 1.9e-5 … 3.8e-5 for 5×5, 3.0e-5 … 8.2e-5 for 7; they grow with √channels. Larger
 * tiles save more and err more; for 3×3 the usual points 1 and 2 err 2.6 times as much. */
static const double points_of_three[] = {0.75, 1.5};
static const double points_of_five[] = {1, 2, 0.5};
static const double points_of_seven[] = {1, 2, 0.5, 1.5, 0.75};

void pts_winograd_choose(pts_conv *conv)
{
    const pts_window *w = &conv->window;
    const size_t lanes = conv->level->lanes;
    if (w->stride != 1 || conv->in % lanes || conv->out % lanes)
        return;
    /* 3×3 of many channels stands behind small maps: too few tiles for weights four times as large.
     */
    if (w->height == 3 && w->width == 3 && conv->in < 256)
        pts_axis_init(&conv->axis, 4, 3, 2, points_of_three);
    else if (w->height == 5 && w->width == 5)
        pts_axis_init(&conv->axis, 4, 5, 3, points_of_five);
    else if ((w->height == 7 && w->width == 1) || (w->height == 1 && w->width == 7))
        pts_axis_init(&conv->axis, 6, 7, 5, points_of_seven);
}

static size_t points_of(const pts_conv *conv)
{
    size_t n = 2 * conv->axis.pairs + 2;
    return conv->window.height > 1 && conv->window.width > 1 ? n * n : n;
}

bool pts_winograd_packed_floats(const pts_conv *conv, size_t *floats)
{
    size_t one;
    return pts_product_packed_floats(conv->level, conv->in, conv->out, &one) &&
           pts_mul(one, points_of(conv), floats);
}

/* ---- the weights ---- */

/* Output channels [first, first + group_width). */
static size_t group_width(const pts_conv *conv, size_t first)
{
    return conv->out - first < GROUP ? conv->out - first : GROUP;
}

/* A group's matrices [points][in][width] follow each other, each packed as any other product's;
 * groups come in the order of their channels. */
static float *group_packed(const pts_conv *conv, float *packed, size_t first)
{
    return packed + points_of(conv) * conv->in * first;
}

/* `columns` output channels from `first` of group `group` on, of input channel c: their filters'
 * points into the group's matrices. */
static void pack_filters(const pts_conv *conv, const float *weight, size_t group, size_t first,
                         size_t columns, size_t c, float *packed)
{
    const size_t taps = conv->window.height * conv->window.width, width = group_width(conv, group);
    const bool two_d = points_of(conv) > PTS_POINTS_MAX;
    double g[TAPS_MAX * PTS_FILTERS] = {0}, u[POINTS_MAX * PTS_FILTERS];
    for (size_t t = 0; t < taps; t++)
        for (size_t o = 0; o < columns; o++)
            g[t * PTS_FILTERS + o] = (double)weight[(t * conv->in + c) * conv->out + first + o];
    conv->level->transform_filter(&conv->axis, two_d, g, u);
    float *to = group_packed(conv, packed, group) +
                pts_product_packed_at(conv->level, conv->in, width, c, first - group);
    for (size_t p = 0; p < points_of(conv); p++)
        for (size_t o = 0; o < columns; o++)
            to[p * conv->in * width + o] = (float)u[p * PTS_FILTERS + o];
}

void pts_winograd_pack(pts_conv *conv, const float *weight, float *packed)
{
    const size_t panel = conv->level->panel ? conv->level->panel : PTS_FILTERS;
    conv->packed = packed;
    for (size_t first = 0; first < conv->out; first += panel) {
        size_t columns = conv->out - first < panel ? conv->out - first : panel;
        for (size_t c = 0; c < conv->in; c++)
            pack_filters(conv, weight, first / GROUP * GROUP, first, columns, c, packed);
    }
}

/* ---- a run ---- */

static shape shape_of(const pts_conv *conv, size_t threads, size_t height, size_t width)
{
    const pts_axis *axis = &conv->axis;
    const size_t n = 2 * axis->pairs + 2;
    bool tall = conv->window.height > 1, wide = conv->window.width > 1;
    shape s = {.two_d = tall && wide, .points = points_of(conv)};
    s.side_y = tall ? axis->outputs : 1;
    s.side_x = wide ? axis->outputs : 1;
    s.inputs_y = tall ? n : 1;
    s.inputs_x = wide ? n : 1;
    s.tiles_y = (height + s.side_y - 1) / s.side_y;
    s.tiles_x = (width + s.side_x - 1) / s.side_x;
    size_t most = CACHE_FLOATS / (s.points * (conv->in + GROUP));
    most = most > TILES_MAX ? TILES_MAX : most < TILES_MIN ? TILES_MIN : most;
    size_t tiles = s.tiles_y * s.tiles_x, tasks = (tiles + most - 1) / most;
    if (conv->level->panel) /* else sums would follow the threads: see product.h */
        tasks = (tasks + threads - 1) / threads * threads;
    s.tiles = (tiles + tasks - 1) / tasks;
    s.in_stride = s.tiles * conv->in + STRIDE_PAD;
    s.out_stride = s.tiles * GROUP + STRIDE_PAD;
    return s;
}

bool pts_winograd_workspace(const pts_conv *conv, size_t threads, size_t height, size_t width,
                            size_t *floats)
{
    shape s = shape_of(conv, threads, height, width);
    size_t channels, group;
    if (!pts_add(conv->in, GROUP, &channels) || !pts_mul(s.tiles, channels, &group) ||
        !pts_add(group, 2 * STRIDE_PAD, &group) || !pts_mul(group, s.points, &group))
        return 0;
    return pts_add(group, conv->in, floats); /* and a pixel of zeros */
}

/* The pixels under tile (ty, tx); those in the padding are `zeros`. */
static void find_inputs(const winograd_job *job, size_t ty, size_t tx, const float *zeros,
                        const float **pixels)
{
    const pts_feature_map *x = job->x;
    const pts_window *w = &job->conv->window;
    const shape *s = &job->s;
    for (size_t i = 0; i < s->inputs_y; i++) {
        size_t iy = ty * s->side_y + i - w->pad_y; /* wraps below zero: then ≥ height */
        for (size_t j = 0; j < s->inputs_x; j++) {
            size_t ix = tx * s->side_x + j - w->pad_x;
            bool inside = iy < x->height && ix < x->width;
            *pixels++ = inside ? x->data + (iy * x->width + ix) * x->stride : zeros;
        }
    }
}

static void find_outputs(const winograd_job *job, size_t ty, size_t tx, size_t channel,
                         float **pixels)
{
    const pts_feature_map *y = job->y;
    const shape *s = &job->s;
    for (size_t i = 0; i < s->side_y; i++) {
        size_t oy = ty * s->side_y + i;
        for (size_t j = 0; j < s->side_x; j++) {
            size_t ox = tx * s->side_x + j;
            bool inside = oy < y->height && ox < y->width;
            *pixels++ = inside ? y->data + (oy * y->width + ox) * y->stride + channel : NULL;
        }
    }
}

/* in [points][tiles][in] → out [points][tiles][width], for the group that begins with `first`. */
static void multiply_points(const winograd_job *job, size_t first, size_t tiles, const float *in,
                            float *out)
{
    const pts_conv *conv = job->conv;
    const shape *s = &job->s;
    const size_t width = group_width(conv, first);
    pts_product product = {.rows = tiles,
                           .columns = width,
                           .depth = conv->in,
                           .end = width,
                           .a_stride = conv->in,
                           .c_stride = GROUP};
    product.b = group_packed(conv, (float *)(uintptr_t)conv->packed, first);
    for (size_t p = 0; p < s->points; p++) {
        product.a = in + p * s->in_stride;
        product.c = out + p * s->out_stride;
        conv->level->product(&product);
        product.b += conv->in * width;
    }
}

static void transform_inputs(const winograd_job *job, size_t first, size_t tiles,
                             const float *zeros, float *in)
{
    const pts_conv *conv = job->conv;
    const shape *s = &job->s;
    for (size_t t = 0; t < tiles; t++) {
        const float *pixels[POINTS_MAX];
        find_inputs(job, (first + t) / s->tiles_x, (first + t) % s->tiles_x, zeros, pixels);
        conv->level->transform_input(&conv->axis, s->two_d, pixels, conv->in, in + t * conv->in,
                                     s->in_stride);
    }
}

static void transform_outputs(const winograd_job *job, size_t first, size_t tiles, size_t channel,
                              const float *out)
{
    const pts_conv *conv = job->conv;
    const shape *s = &job->s;
    for (size_t t = 0; t < tiles; t++) {
        float *pixels[POINTS_MAX];
        find_outputs(job, (first + t) / s->tiles_x, (first + t) % s->tiles_x, channel, pixels);
        conv->level->transform_output(&conv->axis, s->two_d, out + t * GROUP, s->out_stride,
                                      group_width(conv, channel), conv->bias + channel, pixels);
    }
}

static void winograd_task(void *user, size_t task, int thread)
{
    const winograd_job *job = user;
    const pts_conv *conv = job->conv;
    const shape *s = &job->s;
    size_t all = s->tiles_y * s->tiles_x, first = task * s->tiles;
    size_t tiles = all - first < s->tiles ? all - first : s->tiles;
    float *in = job->workspace + (size_t)thread * job->workspace_floats;
    float *out = in + s->points * s->in_stride, *zeros = out + s->points * s->out_stride;
    memset(zeros, 0, conv->in * sizeof *zeros);
    transform_inputs(job, first, tiles, zeros, in);
    for (size_t channel = 0; channel < conv->out; channel += GROUP) {
        multiply_points(job, channel, tiles, in, out);
        transform_outputs(job, first, tiles, channel, out);
    }
}

void pts_winograd_relu(const pts_conv *conv, pts_team *team, const pts_feature_map *x,
                       const pts_feature_map *y, float *workspace)
{
    size_t threads = (size_t)pts_team_threads(team);
    winograd_job job = {.conv = conv, .x = x, .y = y, .workspace = workspace};
    job.s = shape_of(conv, threads, y->height, y->width);
    /* The plan has accepted these sizes. */
    (void)pts_winograd_workspace(conv, threads, y->height, y->width, &job.workspace_floats);
    size_t tiles = job.s.tiles_y * job.s.tiles_x;
    pts_team_run(team, (tiles + job.s.tiles - 1) / job.s.tiles, winograd_task, &job);
}
