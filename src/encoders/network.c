#include "encoders/network.h"
#include "base/error.h"
#include "encoders/steps.h"

#include <stdio.h>
#include <string.h>

static bool idle(const network *net)
{
    return net->status != PTS_OK || net->done;
}

static size_t map_floats(network *net, size_t height, size_t width, size_t channels)
{
    size_t floats;
    if (!height || !width) {
        net->status = pts_fail(net->err, PTS_ERR_SHAPE, "the input is too small for the network");
        return 0;
    }
    if (!pts_mul(height, width, &floats) || !pts_mul(floats, channels, &floats) ||
        floats > SIZE_MAX / 16) {
        net->status = pts_fail_memory(net->err, SIZE_MAX);
        return 0;
    }
    return floats;
}

static void at_least(size_t *value, size_t floor)
{
    if (*value < floor)
        *value = floor;
}

static void lay_out(network *net)
{
    for (int i = 0; i < 2; i++)
        net->main[i] = pts_arena_take(&net->arena, net->main_floats, sizeof(float));
    for (int i = 0; i < SCRATCH_MAPS; i++)
        net->scratch[i] = pts_arena_take(&net->arena, net->scratch_floats, sizeof(float));
    size_t threads = (size_t)pts_team_threads(net->team), floats;
    if (!pts_mul(threads, net->work_floats, &floats))
        floats = SIZE_MAX;
    net->work = pts_arena_take(&net->arena, floats, sizeof(float));
}

pts_status pts_network_prepare(network *net)
{
    pts_arena_free(&net->arena);
    lay_out(net);
    PTS_TRY(pts_arena_commit(&net->arena, net->err));
    lay_out(net);
    return PTS_OK;
}

typedef struct pack_job {
    network_layers *layers;
    float *packed[MAX_LAYERS];
} pack_job;

static void pack_layer(void *user, size_t task, int thread)
{
    pack_job *job = user;
    struct network_layer *layer = &job->layers->layer[task];
    (void)thread;
    pts_conv_pack(&layer->conv, layer->weight->data, job->packed[task]);
    pts_weights_forget(job->layers->weights, layer->weight);
}

static void lay_out_packed(network_layers *layers, pack_job *job)
{
    for (size_t i = 0; i < layers->count; i++) {
        size_t floats;
        if (!pts_conv_packed_floats(&layers->layer[i].conv, &floats))
            floats = SIZE_MAX;
        job->packed[i] = pts_arena_take(&layers->arena, floats, sizeof(float));
    }
}

pts_status pts_network_layers_pack(network_layers *layers, pts_team *team, pts_error *err)
{
    pack_job job = {.layers = layers};
    lay_out_packed(layers, &job);
    PTS_TRY(pts_arena_commit(&layers->arena, err));
    lay_out_packed(layers, &job);
    pts_team_run(team, layers->count, pack_layer, &job);
    layers->bound = true;
    return PTS_OK;
}

void pts_network_begin(network *net, bool planning, const char *last, pts_error *err)
{
    net->planning = planning;
    net->layer = 0;
    net->turn = 0;
    net->done = false;
    net->last = last;
    net->status = PTS_OK;
    net->err = err;
    if (!planning)
        return;
    net->main_floats = net->scratch_floats = net->work_floats = 0;
    net->flops = 0;
    memset(net->main, 0, sizeof net->main);
    memset(net->scratch, 0, sizeof net->scratch);
}

void pts_network_free(network *net)
{
    pts_arena_free(&net->arena);
}

/* Fourteen pixels are read at once: at a distance of 1 KiB or a multiple they would share a few
 * sets of the first-level cache with the weights, and products lost 4 %. Narrow maps lose more by
 * the room than they gain. */
static size_t pixel_stride(size_t channels)
{
    return channels % 256 ? channels : channels + 16;
}

pts_feature_map pts_network_output(network *net, size_t height, size_t width, size_t channels)
{
    pts_feature_map map = {NULL, height, width, channels, pixel_stride(channels)};
    if (idle(net))
        return map;
    if (net->planning)
        at_least(&net->main_floats, map_floats(net, height, width, map.stride));
    map.data = net->main[net->turn];
    net->turn = !net->turn;
    return map;
}

static pts_feature_map scratch_map(network *net, size_t height, size_t width, size_t channels,
                                   int which)
{
    pts_feature_map map = {net->scratch[which], height, width, channels, channels};
    if (net->planning)
        at_least(&net->scratch_floats, map_floats(net, height, width, channels));
    return map;
}

pts_feature_map pts_network_slice(pts_feature_map map, size_t first, size_t channels)
{
    if (map.data)
        map.data += first;
    map.channels = channels;
    return map;
}

/* A layer whose tensors are in the file as they should be; packed later. */
static void bind_layer(network *net, const char *block, const char *branch, pts_window window,
                       size_t in, size_t out)
{
    network_layers *layers = net->layers;
    struct network_layer *layer = &layers->layer[net->layer];
    char name[LAYER_NAME + 8];
    int stem = snprintf(name, LAYER_NAME, "%s%s%s", block, branch ? "." : "", branch ? branch : "");
    const size_t shape[4] = {window.height, window.width, in, out};
    memcpy(layer->name, name, (size_t)stem + 1);
    memcpy(name + stem, ".weight", sizeof ".weight");
    net->status = pts_weights_require(layers->weights, name, 4, shape, &layer->weight, net->err);
    memcpy(name + stem, ".bias", sizeof ".bias");
    if (net->status == PTS_OK)
        net->status =
            pts_weights_require(layers->weights, name, 1, &shape[3], &layer->bias, net->err);
    if (net->status != PTS_OK)
        return;
    pts_conv_init(&layer->conv, layers->level, &window, in, out);
    layer->conv.bias = layer->bias->data;
    layers->count = net->layer + 1;
}

static void plan_conv(network *net, const char *block, const char *branch, pts_feature_map in,
                      pts_window window, pts_feature_map out)
{
    if (!net->layers->bound)
        bind_layer(net, block, branch, window, in.channels, out.channels);
    size_t floats;
    if (net->status != PTS_OK)
        return;
    if (pts_conv_workspace(&net->layers->layer[net->layer].conv,
                           (size_t)pts_team_threads(net->team), out.height, out.width, &floats))
        at_least(&net->work_floats, floats);
    else
        net->status = pts_fail_memory(net->err, SIZE_MAX);
}

void pts_network_conv(network *net, const char *block, const char *branch, pts_feature_map in,
                      pts_window window, pts_feature_map out)
{
    if (idle(net))
        return;
    const struct network_layer *layer = &net->layers->layer[net->layer];
    double flops = 2.0 * (double)(window.height * window.width * in.channels) *
                   (double)(out.height * out.width * out.channels);
    if (net->planning) {
        plan_conv(net, block, branch, in, window, out);
        net->flops += flops;
    } else {
        double start = steps_now(net->visit_step);
        pts_conv_relu(&layer->conv, net->team, &in, &out, net->work);
        steps_show(net->visit_step, net->user, layer->name, pts_conv_method(&layer->conv), flops,
                   start);
    }
    net->layer++;
}

pts_feature_map pts_network_conv_scratch(network *net, const char *block, const char *branch,
                                         pts_feature_map in, pts_window window, size_t channels,
                                         int which)
{
    if (idle(net))
        return in;
    size_t height = pts_window_side(in.height, window.height, window.stride, window.pad_y);
    size_t width = pts_window_side(in.width, window.width, window.stride, window.pad_x);
    pts_feature_map out = scratch_map(net, height, width, channels, which);
    pts_network_conv(net, block, branch, in, window, out);
    return out;
}

void pts_network_max_pool(network *net, pts_feature_map in, pts_window window, pts_feature_map out)
{
    if (idle(net) || net->planning)
        return;
    double start = steps_now(net->visit_step);
    pts_max_pool(net->layers->level, net->team, &window, &in, &out);
    steps_show(net->visit_step, net->user, "max pool", "pool", 0, start);
}

void pts_network_pooled_conv(network *net, const char *block, const char *branch,
                             pts_feature_map in, pts_window pool, pts_feature_map out)
{
    static const pts_window pointwise = {1, 1, 1, 0, 0};
    if (idle(net))
        return;
    struct network_layer *layer = &net->layers->layer[net->layer];
    pts_feature_map product = scratch_map(net, in.height, in.width, out.channels, 0);
    pts_network_conv(net, block, branch, in, pointwise, product);
    if (net->planning && !net->layers->bound)
        layer->conv.bias = NULL; /* it comes after the pool */
    if (net->planning || idle(net))
        return;
    double start = steps_now(net->visit_step);
    pts_average_pool(net->layers->level, net->team, &pool, net->count_padding, &product,
                     layer->bias->data, &out);
    steps_show(net->visit_step, net->user, "average pool", "pool", 0, start);
}

void pts_network_global_average(network *net, pts_feature_map in, float *out)
{
    if (idle(net) || net->planning)
        return;
    double start = steps_now(net->visit_step);
    net->layers->level->global_average(&in, out);
    steps_show(net->visit_step, net->user, "global average", "pool", 0, start);
}

/* The map's pixels behind each other, where they are not: in the main map that the next block
 * would write to. */
static const float *without_gaps(const network *net, pts_feature_map map)
{
    float *dense = net->main[net->turn];
    if (map.stride == map.channels)
        return map.data;
    for (size_t p = 0; p < map.height * map.width; p++)
        memcpy(dense + p * map.channels, map.data + p * map.stride, map.channels * sizeof *dense);
    return dense;
}

void pts_network_tap(network *net, const char *name, pts_feature_map map)
{
    if (idle(net))
        return;
    if (!net->planning && net->visit)
        net->visit(net->user, name, without_gaps(net, map), map.height, map.width, map.channels);
    net->done = net->last && strcmp(net->last, name) == 0;
}
