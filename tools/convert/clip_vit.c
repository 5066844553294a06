/* CLIP's image tower (Radford et al. 2021, "Learning Transferable Visual Models From Natural
 * Language Supervision"; Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words").
 *
 * Two families of names: Hugging Face's (vision_model.*, visual_projection.weight; q, k and v
 * apart) and OpenAI's, which open_clip keeps (visual.*; one in_proj; the projection is [width][dim]
 * already). The text tower is passed over. Width, depth, patch, tokens and dimension follow from
 * shapes; the number of heads and the activation do not: they come from config.json where there is
 * one, else heads are 64 wide, as in every published CLIP, and the activation is that of the names'
 * usual owners. Vectors and the class token stay, matrices are turned to [in][out]. */
#include "arch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS_MAX = 256, SIDE_MAX = 65536 };

/* A family of names. Parts are appended to "PREFIX" or "PREFIXlayersN.". */
typedef struct naming {
    const char *label;
    const char *class_token, *positions, *patch, *pre_norm, *post_norm, *projection, *layers;
    const char *norm1, *norm2, *qkv[3], *out, *fc1, *fc2; /* qkv: one name, or three */
    const char *qkv_mark;   /* between its names and "weight" or "bias" */
    bool projection_turned; /* [dim][width] */
    const char *outside[8]; /* what else a file of this family may hold, by the names' start */
    const char *activation; /* without a config */
} naming;

static const naming HUGGING_FACE = {
    .label = "Hugging Face's CLIP vision tower",
    .class_token = "vision_model.embeddings.class_embedding",
    .positions = "vision_model.embeddings.position_embedding.weight",
    .patch = "vision_model.embeddings.patch_embedding.weight",
    .pre_norm = "vision_model.pre_layrnorm", /* as it is spelled there */
    .post_norm = "vision_model.post_layernorm",
    .projection = "visual_projection.weight",
    .layers = "vision_model.encoder.layers.",
    .norm1 = "layer_norm1",
    .norm2 = "layer_norm2",
    .qkv = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
    .qkv_mark = ".",
    .out = "self_attn.out_proj",
    .fc1 = "mlp.fc1",
    .fc2 = "mlp.fc2",
    .projection_turned = true,
    .outside = {"text_model.", "text_projection.", "logit_scale", "logit_bias",
                "vision_model.embeddings.position_ids"},
    .activation = "quick_gelu",
};

static const naming OPEN_CLIP = {
    .label = "the image tower of OpenAI and open_clip",
    .class_token = "visual.class_embedding",
    .positions = "visual.positional_embedding",
    .patch = "visual.conv1.weight",
    .pre_norm = "visual.ln_pre",
    .post_norm = "visual.ln_post",
    .projection = "visual.proj",
    .layers = "visual.transformer.resblocks.",
    .norm1 = "ln_1",
    .norm2 = "ln_2",
    .qkv = {"attn.in_proj"},
    .qkv_mark = "_",
    .out = "attn.out_proj",
    .fc1 = "mlp.c_fc",
    .fc2 = "mlp.c_proj",
    .outside = {"transformer.", "token_embedding.", "positional_embedding", "text_projection",
                "ln_final.", "logit_", "text.", "attn_mask"},
    .activation = "gelu",
};

typedef struct tower {
    const naming *names;
    char prefix[PREFIX_MAX]; /* in front of all names: "state_dict.", "module." … */
    size_t width, patch, tokens, dim, hidden, layers, heads;
    const char *activation;
} tower;

/* ---- Recognition ---- */

static const naming *find_naming(const checkpoint *c, char prefix[PREFIX_MAX])
{
    if (name_prefix(c, HUGGING_FACE.class_token, prefix))
        return &HUGGING_FACE;
    return name_prefix(c, OPEN_CLIP.class_token, prefix) ? &OPEN_CLIP : NULL;
}

static bool recognise(const checkpoint *c, char why[256])
{
    char prefix[PREFIX_MAX];
    const naming *n = find_naming(c, prefix);
    if (n)
        snprintf(why, 256, "tensor '%.100s%s': %s", prefix, n->class_token, n->label);
    return n != NULL;
}

/* ---- Sizes ---- */

static const char *full_name(const tower *v, const char *name, char out[512])
{
    snprintf(out, 512, "%s%s", v->prefix, name);
    return out;
}

/* A tensor whose shape is to tell us something; it must have `rank`. */
static pts_status look(recipe *r, const tower *v, const char *name, int rank,
                       const checkpoint_tensor **out, pts_error *err)
{
    char full[512], have[128];
    *out = checkpoint_find(r->c, full_name(v, name, full));
    if (!*out)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: tensor '%s': expected %d dimensions, got no "
                        "tensor",
                        r->c->path, full, rank);
    if ((*out)->rank != rank)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: tensor '%s': expected %d dimensions, got %s",
                        r->c->path, full, rank, shape_text(have, (*out)->rank, (*out)->shape));
    for (int i = 0; i < rank; i++) {
        if ((*out)->shape[i] < 1 || (*out)->shape[i] > SIDE_MAX)
            return pts_fail(err, PTS_ERR_SHAPE, "%s: tensor '%s': expected sides of 1 … %d, got %s",
                            r->c->path, full, SIDE_MAX, shape_text(have, rank, (*out)->shape));
    }
    return PTS_OK;
}

static size_t count_layers(const checkpoint *c, const tower *v)
{
    size_t most = 0, length;
    char stem[512];
    length = strlen(full_name(v, v->names->layers, stem));
    for (size_t i = 0; i < c->count; i++) {
        const char *name = c->tensors[i].name;
        char *end;
        if (strncmp(name, stem, length) != 0)
            continue;
        unsigned long layer = strtoul(name + length, &end, 10);
        if (*end == '.' && layer < LAYERS_MAX && layer + 1 > most)
            most = layer + 1;
    }
    return most;
}

static pts_status measure(recipe *r, tower *v, pts_error *err)
{
    const checkpoint_tensor *t;
    char name[256];
    PTS_TRY(look(r, v, v->names->patch, 4, &t, err));
    v->width = t->shape[0];
    v->patch = t->shape[2];
    PTS_TRY(look(r, v, v->names->positions, 2, &t, err));
    v->tokens = t->shape[0];
    PTS_TRY(look(r, v, v->names->projection, 2, &t, err));
    v->dim = t->shape[v->names->projection_turned ? 0 : 1];
    v->layers = count_layers(r->c, v);
    if (v->layers < 1)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: tensors '%s%s0.…': expected layers, got none",
                        r->c->path, v->prefix, v->names->layers);
    snprintf(name, sizeof name, "%s0.%s.weight", v->names->layers, v->names->fc1);
    PTS_TRY(look(r, v, name, 2, &t, err));
    v->hidden = t->shape[0];
    size_t side = (size_t)lround(sqrt((double)(v->tokens - 1)));
    if (v->tokens < 2 || side * side != v->tokens - 1)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: tensor '%s%s': expected one token and a square of patches, got "
                        "%zu",
                        r->c->path, v->prefix, v->names->positions, v->tokens);
    return PTS_OK;
}

/* ---- What shapes do not tell ---- */

/* The image tower's part of config.json or open_clip_config.json. */
static const json_t *vision_config(const checkpoint *c)
{
    const json_t *model = json_object_get(c->config, "model_cfg"); /* open_clip */
    const json_t *vision = json_object_get(c->config, "vision_config");
    if (model)
        return json_object_get(model, "vision_cfg");
    return vision ? vision : json_object_get(c->config, "hidden_size") ? c->config : NULL;
}

static pts_status check_epsilon(const recipe *r, const json_t *config, pts_error *err)
{
    const json_t *epsilon = json_object_get(config, "layer_norm_eps");
    if (json_is_number(epsilon) && fabs(json_number_value(epsilon) - 1e-5) > 1e-9)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: config.json: layer_norm_eps: expected 1e-05, got %g", r->c->path,
                        json_number_value(epsilon));
    return PTS_OK;
}

static pts_status settle_heads(const recipe *r, tower *v, const json_t *config, pts_error *err)
{
    json_int_t told = json_integer_value(json_object_get(config, "num_attention_heads"));
    json_int_t wide = json_integer_value(json_object_get(config, "head_width"));
    v->heads = r->set->heads > 0 ? (size_t)r->set->heads
               : told > 0        ? (size_t)told
                                 : v->width / (wide > 0 ? (size_t)wide : 64);
    if (v->heads < 1 || v->width % v->heads)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: expected a number of heads that divides the width %zu, got %zu "
                        "(--heads tells it)",
                        r->c->path, v->width, v->heads);
    return PTS_OK;
}

static pts_status settle_activation(const recipe *r, tower *v, const json_t *config, pts_error *err)
{
    const json_t *model = json_object_get(r->c->config, "model_cfg");
    const char *told = json_string_value(json_object_get(config, "hidden_act"));
    v->activation = v->names->activation;
    if (r->c->script) /* OpenAI's own archives */
        v->activation = "quick_gelu";
    if (model)
        v->activation = json_is_true(json_object_get(model, "quick_gelu")) ? "quick_gelu" : "gelu";
    if (told)
        v->activation = told;
    if (r->set->activation)
        v->activation = r->set->activation;
    if (strcmp(v->activation, "quick_gelu") != 0 && strcmp(v->activation, "gelu") != 0)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: config.json: hidden_act: expected quick_gelu or gelu, got '%.40s'",
                        r->c->path, v->activation);
    return PTS_OK;
}

static pts_status settle(const recipe *r, tower *v, pts_error *err)
{
    const json_t *config = vision_config(r->c);
    PTS_TRY(check_epsilon(r, config, err));
    PTS_TRY(settle_heads(r, v, config, err));
    return settle_activation(r, v, config, err);
}

/* ---- The recipe ---- */

/* The tensor `from`, of the same shape or turned from `matrix`, as `to`. */
static pts_status take(recipe *r, const tower *v, const char *to, const char *from, int rank,
                       const size_t *shape, const size_t *matrix, pts_error *err)
{
    char full[512];
    return recipe_take(r, to, rank, shape, matrix != NULL, full_name(v, from, full),
                       matrix ? matrix : shape, err);
}

/* Where the parts of a layer are named: in front of ours, and of theirs. */
typedef struct stems {
    char to[32], from[128];
} stems;

/* Weight and bias of a layer norm. */
static pts_status norm(recipe *r, const tower *v, const stems *s, const char *to, const char *from,
                       pts_error *err)
{
    static const char *const parts[] = {"weight", "bias"};
    for (int i = 0; i < 2; i++) {
        char ours[64], theirs[256];
        snprintf(ours, sizeof ours, "%s%s.%s", s->to, to, parts[i]);
        snprintf(theirs, sizeof theirs, "%s%s.%s", s->from, from, parts[i]);
        PTS_TRY(take(r, v, ours, theirs, 1, &v->width, NULL, err));
    }
    return PTS_OK;
}

/* Weight and bias of a linear layer in `pieces` parts of `out` outputs each; `mark` stands between
 * their names and "weight" or "bias". */
static pts_status linear(recipe *r, const tower *v, const stems *s, const char *to,
                         const char *const *from, size_t pieces, const char *mark, size_t in,
                         size_t out, pts_error *err)
{
    const size_t matrix[2] = {out, in}, turned[2] = {in, out * pieces};
    for (int i = 0; i < 2; i++) {
        const char *part = i ? "bias" : "weight";
        recipe_item *item;
        PTS_TRY(recipe_add(r, &item, 2 - i, turned + i, err, "%s%s.%s", s->to, to, part));
        item->make = make_turned;
        for (size_t k = 0; k < pieces; k++) {
            char full[512];
            snprintf(full, sizeof full, "%s%s%s%s%s", v->prefix, s->from, from[k], mark, part);
            PTS_TRY(
                checkpoint_require(r->c, full, 2 - i, matrix, &item->source[item->sources++], err));
        }
    }
    return PTS_OK;
}

static pts_status layer(recipe *r, const tower *v, size_t index, pts_error *err)
{
    const naming *n = v->names;
    const size_t width = v->width, pieces = n->qkv[1] ? 3 : 1;
    stems s;
    snprintf(s.to, sizeof s.to, "layer%zu.", index);
    snprintf(s.from, sizeof s.from, "%s%zu.", n->layers, index);
    PTS_TRY(norm(r, v, &s, "norm1", n->norm1, err));
    PTS_TRY(linear(r, v, &s, "qkv", n->qkv, pieces, n->qkv_mark, width, 3 * width / pieces, err));
    PTS_TRY(linear(r, v, &s, "proj", &n->out, 1, ".", width, width, err));
    PTS_TRY(norm(r, v, &s, "norm2", n->norm2, err));
    PTS_TRY(linear(r, v, &s, "fc1", &n->fc1, 1, ".", width, v->hidden, err));
    return linear(r, v, &s, "fc2", &n->fc2, 1, ".", v->hidden, width, err);
}

/* Of the tensors with our prefix, only the text tower's may be left. */
static pts_status rest(const recipe *r, const tower *v, pts_error *err)
{
    static const size_t most = sizeof v->names->outside / sizeof *v->names->outside;
    for (size_t i = 0; i < r->c->count; i++) {
        const checkpoint_tensor *t = &r->c->tensors[i];
        bool known = t->used || t->count < 2 || !name_starts(t->name, v->prefix);
        for (size_t k = 0; !known && k < most && v->names->outside[k]; k++)
            known = name_starts(t->name + strlen(v->prefix), v->names->outside[k]);
        if (!known)
            return recipe_leftover(r, t, "CLIP", err);
    }
    return PTS_OK;
}

static pts_status describe(recipe *r, const tower *v, pts_error *err)
{
    size_t side = (size_t)lround(sqrt((double)(v->tokens - 1)));
    PTS_TRY(recipe_meta(r, "preset", "clip", err));
    PTS_TRY(recipe_meta_number(r, "input_size", side * v->patch, err));
    PTS_TRY(recipe_meta_number(r, "dim", v->dim, err));
    PTS_TRY(recipe_meta_number(r, "heads", v->heads, err));
    PTS_TRY(recipe_meta(r, "activation", v->activation, err));
    return recipe_meta(r, "layout", "matrices [in][out], patch [kh][kw][3][width]", err);
}

static pts_status build(recipe *r, pts_error *err)
{
    tower v = {.names = find_naming(r->c, v.prefix)};
    if (!v.names)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: expected a tensor '…%s' or '…%s', got none",
                        r->c->path, HUGGING_FACE.class_token, OPEN_CLIP.class_token);
    PTS_TRY(measure(r, &v, err));
    PTS_TRY(settle(r, &v, err));
    const size_t w = v.width, k = v.patch, kernels[4] = {w, 3, k, k}, patch[4] = {k, k, 3, w};
    const size_t positions[2] = {v.tokens, w}, projection[2] = {w, v.dim}, matrix[2] = {v.dim, w};
    PTS_TRY(take(r, &v, "patch.weight", v.names->patch, 4, patch, kernels, err));
    PTS_TRY(take(r, &v, "class", v.names->class_token, 1, &v.width, NULL, err));
    PTS_TRY(take(r, &v, "positions", v.names->positions, 2, positions, NULL, err));
    const stems none = {"", ""};
    PTS_TRY(norm(r, &v, &none, "pre_norm", v.names->pre_norm, err));
    for (size_t i = 0; i < v.layers; i++)
        PTS_TRY(layer(r, &v, i, err));
    PTS_TRY(norm(r, &v, &none, "post_norm", v.names->post_norm, err));
    PTS_TRY(take(r, &v, "projection", v.names->projection, 2, projection,
                 v.names->projection_turned ? matrix : NULL, err));
    PTS_TRY(rest(r, &v, err));
    return describe(r, &v, err);
}

const architecture clip_vit_architecture = {"clip_vit", recognise, build};
