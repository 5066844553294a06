/* InceptionV3 as encoder.c runs it: one network a pass, planned for one size of input. */
#include "base/error.h"
#include "encoders/arch.h"
#include "encoders/inception_v3.h"

#include <stdbool.h>
#include <string.h>

typedef struct inception_model {
    network_layers layers;
    bool count_padding;
} inception_model;

typedef struct inception_pass {
    network net;
    size_t height, width; /* what its arena is planned for; 0: nothing */
} inception_pass;

/* A dry run: binds the layers the first time, and sizes the arena. */
static pts_status plan(inception_pass *pass, size_t height, size_t width, pts_error *err)
{
    network *net = &pass->net;
    pass->height = pass->width = 0;
    pts_network_begin(net, true, NULL, err);
    pts_inception_v3_forward(net, (pts_feature_map){NULL, height, width, 3, 3}, NULL);
    PTS_TRY(net->status);
    if (!net->layers->bound)
        PTS_TRY(pts_network_layers_pack(net->layers, net->team, err));
    PTS_TRY(pts_network_prepare(net));
    pass->height = height;
    pass->width = width;
    return PTS_OK;
}

static void close_pass(void *pass)
{
    pts_network_free(&((inception_pass *)pass)->net);
}

static pts_status open_pass(void *user, void *model, pts_team *team, pts_error *err)
{
    inception_model *m = model;
    inception_pass *pass = user;
    pass->net.layers = &m->layers;
    pass->net.count_padding = m->count_padding;
    pass->net.team = team;
    return plan(pass, INCEPTION_V3_INPUT, INCEPTION_V3_INPUT, err);
}

static size_t pass_bytes(const void *pass)
{
    return ((const inception_pass *)pass)->net.arena.size;
}

static pts_status read_pooling(inception_model *model, pts_error *err)
{
    const char *path = pts_weights_path(model->layers.weights);
    const char *pooling = pts_weights_meta(model->layers.weights, "avgpool");
    if (!pooling)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected metadata 'avgpool', got none", path);
    model->count_padding = strcmp(pooling, "include_pad") == 0;
    if (!model->count_padding && strcmp(pooling, "exclude_pad") != 0)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: avgpool: expected 'exclude_pad' or 'include_pad', got '%s'", path,
                        pooling);
    return PTS_OK;
}

static void close_model(void *model)
{
    pts_arena_free(&((inception_model *)model)->layers.arena);
}

/* A pass is planned here and dropped: the first one packs the weights, on the whole team. */
static pts_status open_model(void *user, pts_weights *weights, const pts_level *level,
                             pts_team *team, pts_arch_info *info, pts_error *err)
{
    inception_model *model = user;
    inception_pass pass = {.height = 0};
    *info = (pts_arch_info){
        .input = INCEPTION_V3_INPUT, .dim = INCEPTION_V3_DIM, .group = 1, .alone = true};
    model->layers.weights = weights;
    model->layers.level = level;
    PTS_TRY(read_pooling(model, err));
    pts_status status = open_pass(&pass, model, team, err);
    info->flops = pass.net.flops;
    close_pass(&pass);
    return status;
}

static pts_status run_pass(void *user, pts_arch_run *run, pts_error *err)
{
    inception_pass *pass = user;
    network *net = &pass->net;
    size_t height = run->height, width = run->width;
    if (height < INCEPTION_V3_SMALLEST || width < INCEPTION_V3_SMALLEST)
        return pts_fail(err, PTS_ERR_ARGUMENT, "image: expected sides of at least %d, got %zu×%zu",
                        INCEPTION_V3_SMALLEST, width, height);
    if (height != pass->height || width != pass->width)
        PTS_TRY(plan(pass, height, width, err));
    net->visit = run->visit;
    net->visit_step = run->visit_step;
    net->user = run->user;
    pts_network_begin(net, false, run->last, err);
    /* Kernels write to outputs only; the map type is shared, hence the cast. */
    float *image = (float *)(uintptr_t)run->images;
    pts_inception_v3_forward(net, (pts_feature_map){image, height, width, 3, 3}, run->out);
    run->stopped = net->done;
    return net->status;
}

const pts_arch pts_arch_inception_v3 = PTS_ARCH("inception_v3", inception_model, inception_pass);
