#include "kernels/winograd.h"
#include "base/memory.h"

#include <string.h>

enum {
    TILES_MAX = 56,   /* of a task: what a second-level cache of 1 … 2 MiB holds, see SPEED.md */
    STRIDE_PAD = 16,  /* floats: points a multiple of 4 KiB apart would share one cache set */
    PIXELS_MAX = 64,  /* of a tile */
    PACK_COLUMNS = 32 /* at a time */
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
    size_t packed_floats, workspace_floats;
    float *workspace;
} winograd_job;

/* Largest errors against a float64 convolution of rectified normal inputs, 48 … 192 channels, as
 * parts of the output's root mean square: 1.9e-6 for 3×3, 6.1e-6 for 5×5, 1.3e-5 for 7. Larger
 * tiles save more and err more; points 2 and 1/2 for 3×3 would cost 2.3e-6 … 5e-6. */
static const double points_of_three[] = {0.75, 1.5};
static const double points_of_five[] = {1, 2, 0.5};
static const double points_of_seven[] = {1, 2, 0.5, 1.5, 0.75};

void pts_winograd_choose(pts_conv *conv)
{
    const pts_window *w = &conv->window;
    const size_t lanes = conv->level->lanes;
    if (w->stride != 1 || conv->in % lanes || conv->out % lanes)
        return;
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

int pts_winograd_packed_floats(const pts_conv *conv, size_t *floats)
{
    size_t one;
    return pts_product_packed_floats(conv->level, conv->in, conv->out, &one) &&
           pts_mul(one, points_of(conv), floats);
}

/* ---- the weights ---- */

/* One axis of the filter's transform: taps at distance `from` → points at distance `to`, each
 * PACK_COLUMNS wide. */
static void filter_axis(const pts_axis *axis, const double *g, size_t from, double *u, size_t to,
                        size_t columns)
{
    for (size_t p = 0; p < 2 * axis->pairs + 2; p++) {
        double *out = u + p * to * PACK_COLUMNS;
        memset(out, 0, columns * sizeof *out);
        for (size_t i = 0; i < axis->taps; i++)
            for (size_t c = 0; c < columns; c++)
                out[c] += axis->filter[p][i] * g[i * from * PACK_COLUMNS + c];
    }
}

/* The transform of [taps] or [taps][taps] filters of `columns` output channels. */
static void filter_points(const pts_conv *conv, const double *g, double *u, size_t columns)
{
    const pts_axis *axis = &conv->axis;
    const size_t n = 2 * axis->pairs + 2;
    double half[8 * 5 * PACK_COLUMNS]; /* [taps][n] */
    if (points_of(conv) == n) {
        filter_axis(axis, g, 1, u, 1, columns);
        return;
    }
    for (size_t y = 0; y < axis->taps; y++)
        filter_axis(axis, g + y * axis->taps * PACK_COLUMNS, 1, half + y * n * PACK_COLUMNS, 1,
                    columns);
    for (size_t x = 0; x < n; x++)
        filter_axis(axis, half + x * PACK_COLUMNS, n, u + x * PACK_COLUMNS, n, columns);
}

/* Each point's matrix [in][out] is packed as any other, a panel's columns at a time. */
void pts_winograd_pack(pts_conv *conv, const float *weight, float *packed)
{
    const pts_level *level = conv->level;
    const size_t taps = conv->window.height * conv->window.width, points = points_of(conv);
    const size_t matrix = conv->in * conv->out, panel = level->panel ? level->panel : PACK_COLUMNS;
    double g[25 * PACK_COLUMNS], u[PIXELS_MAX * PACK_COLUMNS];
    conv->packed = packed;
    for (size_t j = 0; j < conv->out; j += panel) {
        size_t columns = conv->out - j < panel ? conv->out - j : panel;
        for (size_t c = 0; c < conv->in; c++) {
            for (size_t t = 0; t < taps; t++)
                for (size_t o = 0; o < columns; o++)
                    g[t * PACK_COLUMNS + o] =
                        (double)weight[(t * conv->in + c) * conv->out + j + o];
            filter_points(conv, g, u, columns);
            float *to = packed + pts_product_packed_at(level, conv->in, conv->out, c, j);
            for (size_t p = 0; p < points; p++)
                for (size_t o = 0; o < columns; o++)
                    to[p * matrix + o] = (float)u[p * PACK_COLUMNS + o];
        }
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
    size_t tiles = s.tiles_y * s.tiles_x, tasks = (tiles + TILES_MAX - 1) / TILES_MAX;
    tasks = (tasks + threads - 1) / threads * threads;
    s.tiles = (tiles + tasks - 1) / tasks;
    s.in_stride = s.tiles * conv->in + STRIDE_PAD;
    s.out_stride = s.tiles * conv->out + STRIDE_PAD;
    return s;
}

int pts_winograd_workspace(const pts_conv *conv, size_t threads, size_t height, size_t width,
                           size_t *floats)
{
    shape s = shape_of(conv, threads, height, width);
    size_t channels, group;
    if (!pts_add(conv->in, conv->out, &channels) || !pts_mul(s.tiles, channels, &group) ||
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

static void find_outputs(const winograd_job *job, size_t ty, size_t tx, float **pixels)
{
    const pts_feature_map *y = job->y;
    const shape *s = &job->s;
    for (size_t i = 0; i < s->side_y; i++) {
        size_t oy = ty * s->side_y + i;
        for (size_t j = 0; j < s->side_x; j++) {
            size_t ox = tx * s->side_x + j;
            bool inside = oy < y->height && ox < y->width;
            *pixels++ = inside ? y->data + (oy * y->width + ox) * y->stride : NULL;
        }
    }
}

static void multiply_points(const winograd_job *job, size_t tiles, const float *in, float *out)
{
    const pts_conv *conv = job->conv;
    const shape *s = &job->s;
    pts_product product = {.rows = tiles,
                           .columns = conv->out,
                           .depth = conv->in,
                           .end = conv->out,
                           .a_stride = conv->in,
                           .c_stride = conv->out};
    for (size_t p = 0; p < s->points; p++) {
        product.a = in + p * s->in_stride;
        product.b = conv->packed + p * job->packed_floats;
        product.c = out + p * s->out_stride;
        conv->level->product(&product);
    }
}

static void winograd_task(void *user, size_t task, int thread)
{
    const winograd_job *job = user;
    const pts_conv *conv = job->conv;
    const pts_level *level = conv->level;
    const shape *s = &job->s;
    size_t all = s->tiles_y * s->tiles_x, first = task * s->tiles;
    size_t tiles = all - first < s->tiles ? all - first : s->tiles;
    float *in = job->workspace + (size_t)thread * job->workspace_floats;
    float *out = in + s->points * s->in_stride, *zeros = out + s->points * s->out_stride;
    memset(zeros, 0, conv->in * sizeof *zeros);
    for (size_t t = 0; t < tiles; t++) {
        const float *pixels[PIXELS_MAX];
        find_inputs(job, (first + t) / s->tiles_x, (first + t) % s->tiles_x, zeros, pixels);
        level->transform_input(&conv->axis, s->two_d, pixels, conv->in, in + t * conv->in,
                               s->in_stride);
    }
    multiply_points(job, tiles, in, out);
    for (size_t t = 0; t < tiles; t++) {
        float *pixels[PIXELS_MAX];
        find_outputs(job, (first + t) / s->tiles_x, (first + t) % s->tiles_x, pixels);
        level->transform_output(&conv->axis, s->two_d, out + t * conv->out, s->out_stride,
                                conv->out, conv->bias, pixels);
    }
}

void pts_winograd_relu(const pts_conv *conv, pts_team *team, const pts_feature_map *x,
                       const pts_feature_map *y, float *workspace)
{
    size_t threads = (size_t)pts_team_threads(team);
    winograd_job job = {.conv = conv, .x = x, .y = y, .workspace = workspace};
    job.s = shape_of(conv, threads, y->height, y->width);
    job.packed_floats = conv->in * conv->out;
    /* The plan has accepted these sizes. */
    (void)pts_winograd_workspace(conv, threads, y->height, y->width, &job.workspace_floats);
    size_t tiles = job.s.tiles_y * job.s.tiles_x;
    pts_team_run(team, (tiles + job.s.tiles - 1) / job.s.tiles, winograd_task, &job);
}
