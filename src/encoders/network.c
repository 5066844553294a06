#include "encoders/network.h"
#include "base/error.h"

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

pts_status network_prepare(network *net)
{
    pts_arena_free(&net->arena);
    lay_out(net);
    PTS_TRY(pts_arena_commit(&net->arena, net->err));
    lay_out(net);
    return PTS_OK;
}

void network_free(network *net)
{
    pts_arena_free(&net->arena);
}

pts_feature_map network_output(network *net, size_t height, size_t width, size_t channels)
{
    pts_feature_map map = {NULL, height, width, channels, channels};
    if (idle(net))
        return map;
    if (net->planning)
        at_least(&net->main_floats, map_floats(net, height, width, channels));
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

pts_feature_map network_slice(pts_feature_map map, size_t first, size_t channels)
{
    if (map.data)
        map.data += first;
    map.channels = channels;
    return map;
}

static void bind_layer(network *net, const char *block, const char *branch, pts_window window,
                       size_t in, size_t out)
{
    char name[96];
    int stem =
        snprintf(name, sizeof name - 8, "%s%s%s", block, branch ? "." : "", branch ? branch : "");
    const size_t shape[4] = {window.height, window.width, in, out};
    const pts_tensor *weight = NULL, *bias = NULL;
    strcpy(name + stem, ".weight");
    net->status = pts_weights_require(net->weights, name, 4, shape, &weight, net->err);
    strcpy(name + stem, ".bias");
    if (net->status == PTS_OK)
        net->status = pts_weights_require(net->weights, name, 1, &shape[3], &bias, net->err);
    if (net->status == PTS_OK) {
        net->layers[net->layer].weight = weight->data;
        net->layers[net->layer].bias = bias->data;
    }
}

void network_conv(network *net, const char *block, const char *branch, pts_feature_map in,
                  pts_window window, pts_feature_map out)
{
    if (idle(net))
        return;
    if (net->planning) {
        bind_layer(net, block, branch, window, in.channels, out.channels);
        at_least(&net->work_floats,
                 pts_conv_workspace(&window, in.channels, out.height * out.width));
    } else {
        pts_conv_relu(net->team, &window, &in, net->layers[net->layer].weight,
                      net->layers[net->layer].bias, &out, net->work);
    }
    net->layer++;
}

pts_feature_map network_conv_scratch(network *net, const char *block, const char *branch,
                                     pts_feature_map in, pts_window window, size_t channels,
                                     int which)
{
    if (idle(net))
        return in;
    size_t height = pts_window_side(in.height, window.height, window.stride, window.pad_y);
    size_t width = pts_window_side(in.width, window.width, window.stride, window.pad_x);
    pts_feature_map out = scratch_map(net, height, width, channels, which);
    network_conv(net, block, branch, in, window, out);
    return out;
}

void network_max_pool(network *net, pts_feature_map in, pts_window window, pts_feature_map out)
{
    if (!idle(net) && !net->planning)
        pts_max_pool(net->team, &window, &in, &out);
}

pts_feature_map network_average_pool_scratch(network *net, pts_feature_map in, pts_window window,
                                             int which)
{
    if (idle(net))
        return in;
    pts_feature_map out = scratch_map(net, in.height, in.width, in.channels, which);
    if (!net->planning)
        pts_average_pool(net->team, &window, net->count_padding, &in, &out);
    return out;
}

void network_tap(network *net, const char *name, pts_feature_map map)
{
    if (idle(net))
        return;
    if (!net->planning && net->visit)
        net->visit(net->user, name, map.data, map.height, map.width, map.channels);
    net->done = net->last && strcmp(net->last, name) == 0;
}
