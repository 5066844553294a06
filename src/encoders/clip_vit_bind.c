/* From a weights file to a checked clip_vit. */
#include "base/error.h"
#include "encoders/clip_vit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = PTS_TENSOR_NAME_MAX + 1 };

/* ---- sizes ---- */

/* A tensor whose size sets others: its rank is known, its shape is not. */
static pts_status shaped(const clip_vit *model, const char *name, int rank, const char *shape,
                         const pts_tensor **out, pts_error *err)
{
    const char *path = pts_weights_path(model->weights);
    *out = pts_weights_find(model->weights, name);
    if (!*out)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: tensor '%s': expected f32 %s, got none", path,
                        name, shape);
    if ((*out)->rank != rank)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: tensor '%s': expected f32 %s, got rank %d", path,
                        name, shape, (*out)->rank);
    return PTS_OK;
}

static pts_status limited(const clip_vit *model, const char *what, size_t got, size_t limit,
                          pts_error *err)
{
    if (got <= limit)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_LIMIT, "%s: %s: expected at most %zu, got %zu",
                    pts_weights_path(model->weights), what, limit, got);
}

static size_t square_root(size_t x)
{
    size_t root = 0;
    while ((root + 1) * (root + 1) <= x)
        root++;
    return root;
}

static pts_status read_tokens(clip_vit *model, pts_error *err)
{
    const pts_tensor *positions;
    PTS_TRY(shaped(model, "positions", 2, "(tokens, width)", &positions, err));
    model->tokens = positions->shape[0];
    PTS_TRY(limited(model, "tokens", model->tokens, CLIP_VIT_TOKENS_MAX, err));
    model->grid = square_root(model->tokens - 1);
    if (!model->grid || model->grid * model->grid + 1 != model->tokens)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: tensor 'positions': expected one row more than a square, got %zu",
                        pts_weights_path(model->weights), model->tokens);
    if (model->patch > CLIP_VIT_INPUT_MAX)
        return limited(model, "side of a patch", model->patch, CLIP_VIT_INPUT_MAX, err);
    return limited(model, "side of the input", model->patch * model->grid, CLIP_VIT_INPUT_MAX, err);
}

/* Layers are those that any tensor is called after, so that one that is missing is named. */
static pts_status read_layers(clip_vit *model, pts_error *err)
{
    model->layers = 0;
    for (size_t i = 0; i < pts_weights_count(model->weights); i++) {
        const char *name = pts_weights_tensor(model->weights, i)->name;
        size_t number = 0,
               digits = strncmp(name, "layer", 5) == 0 ? strspn(name + 5, "0123456789") : 0;
        if (!digits || name[5 + digits] != '.')
            continue;
        for (size_t d = 0; d < digits && number < CLIP_VIT_LAYERS_MAX; d++)
            number = number * 10 + (size_t)(name[5 + d] - '0');
        if (number + 1 > model->layers)
            model->layers = number + 1;
    }
    if (!model->layers)
        model->layers = 1; /* its first tensor will be missed */
    return limited(model, "layers", model->layers, CLIP_VIT_LAYERS_MAX, err);
}

static pts_status read_sizes(clip_vit *model, pts_error *err)
{
    const pts_tensor *patch, *fc1, *projection;
    PTS_TRY(shaped(model, "patch.weight", 4, "(patch, patch, 3, width)", &patch, err));
    model->patch = patch->shape[0];
    model->width = patch->shape[3];
    PTS_TRY(read_tokens(model, err));
    PTS_TRY(read_layers(model, err));
    PTS_TRY(shaped(model, "layer0.fc1.weight", 2, "(width, hidden width)", &fc1, err));
    model->hidden = fc1->shape[1];
    PTS_TRY(shaped(model, "projection", 2, "(width, dim)", &projection, err));
    model->dim = projection->shape[1];
    PTS_TRY(limited(model, "width", model->width, CLIP_VIT_WIDTH_MAX, err));
    PTS_TRY(limited(model, "hidden width", model->hidden, 4 * CLIP_VIT_WIDTH_MAX, err));
    return limited(model, "dim", model->dim, CLIP_VIT_WIDTH_MAX, err);
}

/* ---- metadata ---- */

static pts_status read_heads(clip_vit *model, pts_error *err)
{
    const char *path = pts_weights_path(model->weights);
    const char *text = pts_weights_meta(model->weights, "heads");
    if (!text)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected metadata 'heads', got none", path);
    size_t digits = strspn(text, "0123456789");
    unsigned long heads = digits && digits <= 5 && !text[digits] ? strtoul(text, NULL, 10) : 0;
    if (!heads || model->width % heads != 0)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: heads: expected a divisor of the width, %zu, got '%.32s'", path,
                        model->width, text);
    model->heads = heads;
    return PTS_OK;
}

static pts_status read_activation(clip_vit *model, pts_error *err)
{
    const char *path = pts_weights_path(model->weights);
    const char *text = pts_weights_meta(model->weights, "activation");
    if (!text)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected metadata 'activation', got none", path);
    if (strcmp(text, "quick_gelu") == 0)
        model->activation = model->level->quick_gelu;
    else if (strcmp(text, "gelu") == 0)
        model->activation = model->level->gelu;
    else
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: activation: expected 'quick_gelu' or 'gelu', got '%.32s'", path, text);
    return PTS_OK;
}

/* ---- tensors ---- */

static pts_status bind_vector(const clip_vit *model, const char *stem, const char *end, size_t size,
                              const float **out, pts_error *err)
{
    char name[NAME];
    const pts_tensor *tensor;
    snprintf(name, sizeof name, "%s%s", stem, end);
    PTS_TRY(pts_weights_require(model->weights, name, 1, &size, &tensor, err));
    *out = tensor->data;
    return PTS_OK;
}

static pts_status bind_norm(const clip_vit *model, const char *stem, clip_vit_norm *norm,
                            pts_error *err)
{
    PTS_TRY(bind_vector(model, stem, ".weight", model->width, &norm->weight, err));
    return bind_vector(model, stem, ".bias", model->width, &norm->bias, err);
}

static pts_status bind_linear(const clip_vit *model, const char *stem, size_t depth, size_t columns,
                              clip_vit_linear *linear, pts_error *err)
{
    char name[NAME];
    const size_t shape[2] = {depth, columns};
    linear->depth = depth;
    linear->columns = columns;
    snprintf(name, sizeof name, "%s.weight", stem);
    PTS_TRY(pts_weights_require(model->weights, name, 2, shape, &linear->weight, err));
    return bind_vector(model, stem, ".bias", columns, &linear->bias, err);
}

static pts_status bind_layer(const clip_vit *model, size_t index, pts_error *err)
{
    const size_t w = model->width, f = model->hidden;
    clip_vit_layer *layer = &model->layer[index];
    clip_vit_linear *linear = layer->linear;
    char stem[6][32];
    static const char *const parts[6] = {"norm1", "qkv", "proj", "norm2", "fc1", "fc2"};
    for (size_t i = 0; i < 6; i++)
        snprintf(stem[i], sizeof stem[i], "layer%zu.%s", index, parts[i]);
    PTS_TRY(bind_norm(model, stem[0], &layer->norm1, err));
    PTS_TRY(bind_linear(model, stem[1], w, 3 * w, &linear[CLIP_VIT_QKV], err));
    PTS_TRY(bind_linear(model, stem[2], w, w, &linear[CLIP_VIT_PROJ], err));
    PTS_TRY(bind_norm(model, stem[3], &layer->norm2, err));
    PTS_TRY(bind_linear(model, stem[4], w, f, &linear[CLIP_VIT_FC1], err));
    return bind_linear(model, stem[5], f, w, &linear[CLIP_VIT_FC2], err);
}

static pts_status bind_ends(clip_vit *model, pts_error *err)
{
    const size_t p = model->patch, w = model->width;
    const size_t patch[4] = {p, p, 3, w}, positions[2] = {model->tokens, w};
    const size_t projection[2] = {w, model->dim};
    const pts_tensor *tensor;
    PTS_TRY(pts_weights_require(model->weights, "patch.weight", 4, patch, &model->embedding.weight,
                                err));
    model->embedding.depth = p * p * 3;
    model->embedding.columns = w;
    PTS_TRY(bind_vector(model, "class", "", w, &model->class_token, err));
    PTS_TRY(pts_weights_require(model->weights, "positions", 2, positions, &tensor, err));
    model->positions = tensor->data;
    PTS_TRY(bind_norm(model, "pre_norm", &model->pre_norm, err));
    PTS_TRY(bind_norm(model, "post_norm", &model->post_norm, err));
    model->projection.depth = w;
    model->projection.columns = model->dim;
    return pts_weights_require(model->weights, "projection", 2, projection,
                               &model->projection.weight, err);
}

/* ---- packed weights ---- */

static void lay_out_linear(clip_vit *model, clip_vit_linear *linear)
{
    size_t floats;
    if (!pts_product_packed_floats(model->level, linear->depth, linear->columns, &floats))
        floats = SIZE_MAX;
    linear->copy = pts_arena_take(&model->arena, floats, sizeof(float));
}

static void lay_out(clip_vit *model)
{
    lay_out_linear(model, &model->embedding);
    for (size_t i = 0; i < model->layers; i++)
        for (size_t j = 0; j < CLIP_VIT_LINEARS; j++)
            lay_out_linear(model, &model->layer[i].linear[j]);
    lay_out_linear(model, &model->projection);
}

typedef struct pack_job {
    const clip_vit *model;
    clip_vit_linear *linear;
} pack_job;

static void pack_task(void *user, size_t task, int thread)
{
    const pack_job *job = user;
    const clip_vit_linear *linear = &job->linear[task];
    (void)thread;
    pts_product_pack(job->model->level, linear->weight->data, linear->columns, linear->depth,
                     linear->columns, linear->copy);
    pts_weights_forget(job->model->weights, linear->weight);
}

void pts_clip_vit_pack(const clip_vit *model, pts_team *team, clip_vit_linear *linear, size_t count)
{
    pack_job job = {model, linear};
    if (model->level->panel)
        pts_team_run(team, count, pack_task, &job);
}

/* ---- all of it ---- */

pts_status pts_clip_vit_bind(clip_vit *model, pts_weights *weights, const pts_level *level,
                             pts_error *err)
{
    model->weights = weights;
    model->level = level;
    PTS_TRY(read_sizes(model, err));
    PTS_TRY(read_heads(model, err));
    PTS_TRY(read_activation(model, err));
    PTS_TRY(pts_new(&model->layer, model->layers, sizeof *model->layer, err));
    PTS_TRY(bind_ends(model, err));
    for (size_t i = 0; i < model->layers; i++)
        PTS_TRY(bind_layer(model, i, err));
    if (!level->panel)
        return PTS_OK; /* weights are used as they are */
    lay_out(model);
    PTS_TRY(pts_arena_commit(&model->arena, err));
    lay_out(model);
    return PTS_OK;
}

void pts_clip_vit_free(clip_vit *model)
{
    pts_arena_free(&model->arena);
    free(model->layer);
}
