/* InceptionV3 → torchvision's tensor names, batch norm folded.
 *
 * Names and channel counts are torchvision's (vision, models/inception.py), which are those of
 * Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision". Three sources:
 *
 * torchvision: the names are ours already; kernels are [cout][cin][kh][kw]. `transform_input`,
 * which its pretrained weights always go with, turns ImageNet's normalisation into the (x − 0.5) /
 * 0.5 of the original: an affine map of each channel. Its average pools divide by nine at the
 * borders too.
 *
 * Keras HDF5: layers are numbered as they were made. keras-applications makes the convolutions in
 * the order of the table below, so the i-th number is the i-th unit, and every shape must agree.
 * Its preprocess_input turns 0 … 1 into −1 … 1: again an affine map.
 *
 * TensorFlow.js: the graph is walked (inception_v3_graph.c). nsfwjs feeds 0 … 1 as it is.
 *
 * The affine map goes into the first convolution: w·(s·x + t) = (w·s)·x + w·t. That is exact since
 * this convolution has no padding; with zeros around the picture it would not be, as they come
 * after the map in the one case and before it in the other. */
#include "arch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { UNITS = INCEPTION_V3_UNITS, KERNEL = 0, GAMMA, BETA, MEAN, VARIANCE };

#define KERAS_EPSILON 1e-3
#define TORCHVISION_EPSILON 1e-3

#define UNIT(name, kh, kw, in, out)                                                                \
    {                                                                                              \
        name,                                                                                      \
        {                                                                                          \
            kh, kw, in, out                                                                        \
        }                                                                                          \
    }
/* The blocks that come more than once. */
#define MIXED_5(block, in, pooled)                                                                 \
    UNIT(block ".branch1x1", 1, 1, in, 64), UNIT(block ".branch5x5_1", 1, 1, in, 48),              \
        UNIT(block ".branch5x5_2", 5, 5, 48, 64), UNIT(block ".branch3x3dbl_1", 1, 1, in, 64),     \
        UNIT(block ".branch3x3dbl_2", 3, 3, 64, 96), UNIT(block ".branch3x3dbl_3", 3, 3, 96, 96),  \
        UNIT(block ".branch_pool", 1, 1, in, pooled)
#define MIXED_6(block, c7)                                                                         \
    UNIT(block ".branch1x1", 1, 1, 768, 192), UNIT(block ".branch7x7_1", 1, 1, 768, c7),           \
        UNIT(block ".branch7x7_2", 1, 7, c7, c7), UNIT(block ".branch7x7_3", 7, 1, c7, 192),       \
        UNIT(block ".branch7x7dbl_1", 1, 1, 768, c7), UNIT(block ".branch7x7dbl_2", 7, 1, c7, c7), \
        UNIT(block ".branch7x7dbl_3", 1, 7, c7, c7), UNIT(block ".branch7x7dbl_4", 7, 1, c7, c7),  \
        UNIT(block ".branch7x7dbl_5", 1, 7, c7, 192), UNIT(block ".branch_pool", 1, 1, 768, 192)
#define MIXED_7(block, in)                                                                         \
    UNIT(block ".branch1x1", 1, 1, in, 320), UNIT(block ".branch3x3_1", 1, 1, in, 384),            \
        UNIT(block ".branch3x3_2a", 1, 3, 384, 384), UNIT(block ".branch3x3_2b", 3, 1, 384, 384),  \
        UNIT(block ".branch3x3dbl_1", 1, 1, in, 448),                                              \
        UNIT(block ".branch3x3dbl_2", 3, 3, 448, 384),                                             \
        UNIT(block ".branch3x3dbl_3a", 1, 3, 384, 384),                                            \
        UNIT(block ".branch3x3dbl_3b", 3, 1, 384, 384), UNIT(block ".branch_pool", 1, 1, in, 192)

const inception_v3_unit inception_v3_units[UNITS] = {
    {"Conv2d_1a_3x3", {3, 3, 3, 32}},
    {"Conv2d_2a_3x3", {3, 3, 32, 32}},
    {"Conv2d_2b_3x3", {3, 3, 32, 64}},
    {"Conv2d_3b_1x1", {1, 1, 64, 80}},
    {"Conv2d_4a_3x3", {3, 3, 80, 192}},
    MIXED_5("Mixed_5b", 192, 32),
    MIXED_5("Mixed_5c", 256, 64),
    MIXED_5("Mixed_5d", 288, 64),
    {"Mixed_6a.branch3x3", {3, 3, 288, 384}},
    {"Mixed_6a.branch3x3dbl_1", {1, 1, 288, 64}},
    {"Mixed_6a.branch3x3dbl_2", {3, 3, 64, 96}},
    {"Mixed_6a.branch3x3dbl_3", {3, 3, 96, 96}},
    MIXED_6("Mixed_6b", 128),
    MIXED_6("Mixed_6c", 160),
    MIXED_6("Mixed_6d", 160),
    MIXED_6("Mixed_6e", 192),
    {"Mixed_7a.branch3x3_1", {1, 1, 768, 192}},
    {"Mixed_7a.branch3x3_2", {3, 3, 192, 320}},
    {"Mixed_7a.branch7x7x3_1", {1, 1, 768, 192}},
    {"Mixed_7a.branch7x7x3_2", {1, 7, 192, 192}},
    {"Mixed_7a.branch7x7x3_3", {7, 1, 192, 192}},
    {"Mixed_7a.branch7x7x3_4", {3, 3, 192, 192}},
    MIXED_7("Mixed_7b", 1280),
    MIXED_7("Mixed_7c", 2048),
};

/* ---- Numbers ---- */

/* A batch norm's k = gamma / sqrt(variance + epsilon) and shift = beta − mean·k, in double, so that
 * folding costs one rounding. */
typedef struct folded {
    double *k, *shift; /* [channels], one block */
} folded;

static pts_status read_vectors(const recipe *r, const recipe_item *item, float *values,
                               size_t channels, pts_error *err)
{
    for (int i = GAMMA; i <= VARIANCE; i++) {
        float *to = values + (size_t)(i - GAMMA) * channels;
        if (item->source[i])
            PTS_TRY(checkpoint_read(r->c, item->source[i], 0, channels, to, err));
        for (size_t c = 0; c < channels && !item->source[i]; c++)
            to[c] = i == GAMMA; /* a norm without gamma or beta */
    }
    return PTS_OK;
}

static pts_status fold_channels(const recipe *r, const recipe_item *item, const float *values,
                                size_t channels, folded *out, pts_error *err)
{
    const float *gamma = values, *beta = gamma + channels, *mean = beta + channels;
    const float *variance = mean + channels;
    for (size_t c = 0; c < channels; c++) {
        out->k[c] = (double)gamma[c] / sqrt((double)variance[c] + item->epsilon);
        out->shift[c] = (double)beta[c] - (double)mean[c] * out->k[c];
        if (!(variance[c] >= 0) || !isfinite(out->k[c]) || !isfinite((float)out->shift[c]))
            return pts_fail(err, PTS_ERR_NUMERIC,
                            "%s: tensor '%s': channel %zu: expected ≥ 0 and a finite fold, got "
                            "%g",
                            r->c->path, item->source[VARIANCE]->name, c, (double)variance[c]);
    }
    return PTS_OK;
}

/* out->k is the caller's to free in any case. */
static pts_status fold(const recipe *r, const recipe_item *item, folded *out, pts_error *err)
{
    size_t channels = item->source[MEAN]->count;
    float *values = NULL;
    PTS_TRY(pts_new(&out->k, 2 * channels, sizeof *out->k, err));
    out->shift = out->k + channels;
    pts_status status = pts_new(&values, 4 * channels, sizeof *values, err);
    if (status == PTS_OK)
        status = read_vectors(r, item, values, channels, err);
    if (status == PTS_OK)
        status = fold_channels(r, item, values, channels, out, err);
    free(values);
    return status;
}

/* The kernel → [kh][kw][cin][cout]. */
static pts_status read_kernel(const recipe *r, const recipe_item *item, float *out, pts_error *err)
{
    const checkpoint_tensor *t = item->source[KERNEL];
    recipe_item kernel = {.rank = 4, .sources = 1, .source = {t}, .count = t->count};
    kernel.shape[3] = item->source[MEAN]->count;
    return item->turned ? make_turned(r, &kernel, out, err) : make_copy(r, &kernel, out, err);
}

static pts_status make_weight(const recipe *r, const recipe_item *item, float *out, pts_error *err)
{
    folded f;
    size_t columns = item->shape[3], in = item->shape[2], rows = item->count / columns;
    pts_status status = fold(r, item, &f, err);
    if (status == PTS_OK)
        status = read_kernel(r, item, out, err);
    for (size_t row = 0; row < rows && status == PTS_OK; row++) {
        double scale = item->transform ? item->transform->scale[row % in] : 1;
        for (size_t c = 0; c < columns; c++)
            out[row * columns + c] = (float)((double)out[row * columns + c] * f.k[c] * scale);
    }
    free(f.k);
    return status;
}

/* What the transform's shift adds up to under the kernel: Σ w·k·shift. */
static pts_status add_shift(const recipe *r, const recipe_item *item, const double *k, double *bias,
                            pts_error *err)
{
    const checkpoint_tensor *t = item->source[KERNEL];
    size_t columns = item->shape[0];
    float *kernel;
    PTS_TRY(pts_new(&kernel, t->count, sizeof *kernel, err));
    pts_status status = read_kernel(r, item, kernel, err);
    for (size_t row = 0; status == PTS_OK && row < t->count / columns; row++) {
        for (size_t c = 0; c < columns; c++)
            bias[c] += (double)kernel[row * columns + c] * k[c] * item->transform->shift[row % 3];
    }
    free(kernel);
    return status;
}

static pts_status make_bias(const recipe *r, const recipe_item *item, float *out, pts_error *err)
{
    folded f;
    pts_status status = fold(r, item, &f, err);
    if (status == PTS_OK && item->transform)
        status = add_shift(r, item, f.k, f.shift, err);
    for (size_t c = 0; c < item->count && status == PTS_OK; c++)
        out[c] = (float)f.shift[c];
    free(f.k);
    return status;
}

/* ---- The recipe ---- */

/* torchvision's Inception3._transform_input: from mean and deviation of ImageNet to (x − 0.5) /
 * 0.5.
 */
static const input_transform TORCHVISION = {
    {0.229 / 0.5, 0.224 / 0.5, 0.225 / 0.5},
    {(0.485 - 0.5) / 0.5, (0.456 - 0.5) / 0.5, (0.406 - 0.5) / 0.5}};
/* keras.applications.inception_v3.preprocess_input: x / 127.5 − 1, here of x / 255. */
static const input_transform KERAS = {{2, 2, 2}, {-1, -1, -1}};

/* Weight and bias of a unit; `like` says the rest: sources, epsilon, layout, transform. */
static pts_status add_unit(recipe *r, const inception_v3_unit *u, const recipe_item *like,
                           pts_error *err)
{
    for (int i = 0; i < 2; i++) {
        recipe_item *item;
        PTS_TRY(recipe_add(r, &item, i ? 1 : 4, i ? &u->shape[3] : u->shape, err, "%s%s", u->name,
                           i ? ".bias" : ".weight"));
        memcpy(item->source, like->source, sizeof item->source);
        item->make = i ? make_bias : make_weight;
        item->epsilon = like->epsilon;
        item->turned = like->turned;
        item->transform = like->transform;
    }
    return PTS_OK;
}

/* Tensor STEM+PART+SUFFIX. */
static pts_status require_part(recipe *r, const checkpoint_tensor **out, int rank,
                               const size_t *shape, const char *stem, const char *part,
                               const char *suffix, pts_error *err)
{
    char name[1024];
    snprintf(name, sizeof name, "%s%s%s", stem, part, suffix);
    return checkpoint_require(r->c, name, rank, shape, out, err);
}

static pts_status describe(recipe *r, const char *preset, const char *pool, const char *range,
                           pts_error *err)
{
    PTS_TRY(recipe_meta(r, "preset", preset, err));
    PTS_TRY(recipe_meta(r, "avgpool", pool, err));
    PTS_TRY(recipe_meta(r, "input_size", "299", err));
    PTS_TRY(recipe_meta(r, "dim", "2048", err));
    PTS_TRY(recipe_meta(r, "layout", "weight [kh][kw][cin][cout], batch norm folded", err));
    return range ? recipe_meta(r, "transform_input", range, err) : PTS_OK;
}

/* ---- torchvision ---- */

#define STEM "Conv2d_1a_3x3.conv.weight"

static pts_status torchvision_unit(recipe *r, const char *prefix, const inception_v3_unit *u,
                                   bool first, pts_error *err)
{
    recipe_item like = {.epsilon = TORCHVISION_EPSILON, .turned = true};
    char stem[512];
    const size_t kernel[4] = {u->shape[3], u->shape[2], u->shape[0], u->shape[1]};
    static const char *const parts[] = {".conv.weight", ".bn.weight", ".bn.bias",
                                        ".bn.running_mean", ".bn.running_var"};
    if (first && !r->set->raw_input)
        like.transform = &TORCHVISION;
    snprintf(stem, sizeof stem, "%s%s", prefix, u->name);
    PTS_TRY(require_part(r, &like.source[KERNEL], 4, kernel, stem, parts[KERNEL], "", err));
    for (int i = GAMMA; i <= VARIANCE; i++)
        PTS_TRY(require_part(r, &like.source[i], 1, &u->shape[3], stem, parts[i], "", err));
    return add_unit(r, u, &like, err);
}

/* Left: the auxiliary classifier, the classifier, counts of batches, what lies outside the model.
 */
static pts_status torchvision_rest(const recipe *r, const char *prefix, pts_error *err)
{
    for (size_t i = 0; i < r->c->count; i++) {
        const checkpoint_tensor *t = &r->c->tensors[i];
        if (t->used || !name_starts(t->name, prefix))
            continue;
        const char *name = t->name + strlen(prefix);
        if (!name_starts(name, "AuxLogits.") && !name_starts(name, "fc.") &&
            !name_ends(name, ".num_batches_tracked"))
            return recipe_leftover(r, t, "InceptionV3", err);
    }
    return PTS_OK;
}

static pts_status build_torchvision(recipe *r, pts_error *err)
{
    char prefix[PREFIX_MAX];
    name_prefix(r->c, STEM, prefix);
    for (int i = 0; i < UNITS; i++)
        PTS_TRY(torchvision_unit(r, prefix, &inception_v3_units[i], i == 0, err));
    PTS_TRY(torchvision_rest(r, prefix, err));
    return describe(r, "torchvision", "include_pad", r->set->raw_input ? "no" : "folded", err);
}

/* ---- Keras HDF5 ---- */

/* One layer of a class. */
typedef struct keras_layer {
    char stem[256]; /* "model_weights/conv2d_7/…/": its tensors' names up to the last part */
    char suffix[8]; /* ":0", which Keras 3 has dropped */
    unsigned long number;
} keras_layer;

static int compare_layers(const void *a, const void *b)
{
    const keras_layer *left = a, *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

/* "conv2d" is 0, "conv2d_7" is 7; false: another class. */
static bool layer_number(const char *name, size_t length, const char *class, unsigned long *out)
{
    size_t head = strlen(class), digits = length - head - 1;
    char text[12] = "0", *end;
    if (length < head || strncmp(name, class, head) != 0)
        return false;
    if (length > head) {
        if (name[head] != '_' || digits < 1 || digits > 9)
            return false;
        snprintf(text, sizeof text, "%.*s", (int)digits, name + head + 1);
    }
    *out = strtoul(text, &end, 10);
    return *end == '\0' && text[0] >= '0' && text[0] <= '9';
}

/* The layer of `class` whose tensor `part` this is: "conv2d_7/conv2d_7/kernel:0". */
static bool match_layer(const char *name, const char *class, const char *part, keras_layer *out)
{
    static const char folder[] = "model_weights/";
    const char *layer = strstr(name, folder) == name ? strchr(name, '/') + 1 : name;
    const char *slash = strchr(layer, '/'), *last = strrchr(name, '/');
    if (!slash || strlen(name) > 200 || strncmp(last + 1, part, strlen(part)) != 0 ||
        !layer_number(layer, (size_t)(slash - layer), class, &out->number))
        return false;
    const char *suffix = last + 1 + strlen(part);
    if (*suffix && strcmp(suffix, ":0") != 0)
        return false;
    snprintf(out->stem, sizeof out->stem, "%.*s", (int)(last + 1 - name), name);
    snprintf(out->suffix, sizeof out->suffix, "%s", suffix);
    return true;
}

/* The 94 layers of a class, in the order they were made. */
static pts_status list_layers(const recipe *r, const char *class, const char *part,
                              keras_layer out[UNITS], pts_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < r->c->count; i++) {
        keras_layer layer;
        if (!match_layer(r->c->tensors[i].name, class, part, &layer))
            continue;
        if (count < UNITS)
            out[count] = layer;
        count++;
    }
    if (count != UNITS)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: layers %s: expected %d of them with a tensor '%s', got %zu",
                        r->c->path, class, UNITS, part, count);
    qsort(out, UNITS, sizeof *out, compare_layers);
    return PTS_OK;
}

static pts_status keras_unit(recipe *r, const inception_v3_unit *u, const keras_layer *conv,
                             const keras_layer *norm, bool first, pts_error *err)
{
    static const char *const parts[] = {"kernel", "gamma", "beta", "moving_mean",
                                        "moving_variance"};
    recipe_item like = {.epsilon = KERAS_EPSILON};
    if (first && !r->set->raw_input)
        like.transform = &KERAS;
    PTS_TRY(require_part(r, &like.source[KERNEL], 4, u->shape, conv->stem, parts[KERNEL],
                         conv->suffix, err));
    for (int i = GAMMA; i <= VARIANCE; i++) {
        char name[300];
        snprintf(name, sizeof name, "%s%s%s", norm->stem, parts[i], norm->suffix);
        if (i != GAMMA || checkpoint_find(r->c, name)) /* its norms are made with scale=False */
            PTS_TRY(checkpoint_require(r->c, name, 1, &u->shape[3], &like.source[i], err));
    }
    return add_unit(r, u, &like, err);
}

/* Left: the classifier and the optimizer. A convolution's bias would be a part of the network. */
static pts_status keras_rest(const recipe *r, pts_error *err)
{
    for (size_t i = 0; i < r->c->count; i++) {
        const checkpoint_tensor *t = &r->c->tensors[i];
        keras_layer unused;
        if (!t->used && match_layer(t->name, "conv2d", "bias", &unused))
            return recipe_leftover(r, t, "InceptionV3", err);
    }
    return PTS_OK;
}

/* Every unit of the convolution and the norm of the same rank. */
static pts_status keras_units(recipe *r, keras_layer layers[2 * UNITS], pts_error *err)
{
    keras_layer *norms = layers + UNITS;
    PTS_TRY(list_layers(r, "conv2d", "kernel", layers, err));
    PTS_TRY(list_layers(r, "batch_normalization", "moving_mean", norms, err));
    for (int i = 0; i < UNITS; i++)
        PTS_TRY(keras_unit(r, &inception_v3_units[i], &layers[i], &norms[i], i == 0, err));
    return PTS_OK;
}

static pts_status build_keras(recipe *r, pts_error *err)
{
    keras_layer *layers;
    PTS_TRY(pts_new(&layers, 2 * UNITS, sizeof *layers, err));
    pts_status status = keras_units(r, layers, err);
    free(layers);
    PTS_TRY(status);
    PTS_TRY(keras_rest(r, err));
    return describe(r, "keras", "exclude_pad", r->set->raw_input ? "no" : "folded", err);
}

/* ---- TensorFlow.js ---- */

static pts_status add_graph_unit(recipe *r, const inception_v3_unit *u, const graph_unit *g,
                                 pts_error *err)
{
    recipe_item like = {.epsilon = g->epsilon};
    const size_t *channels = &u->shape[3];
    PTS_TRY(require_part(r, &like.source[KERNEL], 4, u->shape, g->conv, "/kernel", "", err));
    if (g->scale)
        PTS_TRY(require_part(r, &like.source[GAMMA], 1, channels, g->norm, "/gamma", "", err));
    if (g->center)
        PTS_TRY(require_part(r, &like.source[BETA], 1, channels, g->norm, "/beta", "", err));
    PTS_TRY(require_part(r, &like.source[MEAN], 1, channels, g->norm, "/moving_mean", "", err));
    PTS_TRY(
        require_part(r, &like.source[VARIANCE], 1, channels, g->norm, "/moving_variance", "", err));
    return add_unit(r, u, &like, err);
}

/* Every tensor was used, or belongs to a layer behind the pool. */
static pts_status graph_rest(const recipe *r, const json_t *top, pts_error *err)
{
    for (size_t i = 0; i < r->c->count; i++) {
        const checkpoint_tensor *t = &r->c->tensors[i];
        const char *slash = strrchr(t->name, '/');
        char layer[256];
        snprintf(layer, sizeof layer, "%.*s", slash ? (int)(slash - t->name) : 0, t->name);
        if (!t->used && !json_object_get(top, layer))
            return recipe_leftover(r, t, "InceptionV3", err);
    }
    return PTS_OK;
}

static pts_status build_graph(recipe *r, const tfjs_model *model, pts_error *err)
{
    json_t *top = NULL;
    graph_unit found[UNITS];
    PTS_TRY(inception_v3_graph(model, found, &top, err));
    pts_status status = PTS_OK;
    for (int i = 0; i < UNITS && status == PTS_OK; i++)
        status = add_graph_unit(r, &inception_v3_units[i], &found[i], err);
    if (status == PTS_OK)
        status = graph_rest(r, top, err);
    json_decref(top);
    /* Keras divides by the pixels inside, torchvision by nine */
    return status == PTS_OK ? describe(r, "keras", "exclude_pad", NULL, err) : status;
}

/* ---- Which it is ---- */

static bool is_keras(const checkpoint *c)
{
    bool conv = false, norm = false;
    keras_layer unused;
    for (size_t i = 0; i < c->count; i++) {
        conv |= match_layer(c->tensors[i].name, "conv2d", "kernel", &unused);
        norm |= match_layer(c->tensors[i].name, "batch_normalization", "moving_mean", &unused);
    }
    return conv && norm;
}

static bool recognise(const checkpoint *c, char why[256])
{
    char prefix[PREFIX_MAX];
    if (checkpoint_tfjs(c))
        snprintf(why, 256, "94 convolutions, connected and shaped as Keras InceptionV3's");
    else if (name_prefix(c, STEM, prefix))
        snprintf(why, 256, "tensor '%.100s" STEM "': torchvision's InceptionV3", prefix);
    else if (is_keras(c))
        snprintf(why, 256, "layers conv2d… and batch_normalization…: Keras InceptionV3");
    else
        return false;
    return true;
}

static pts_status build(recipe *r, pts_error *err)
{
    const tfjs_model *model = checkpoint_tfjs(r->c);
    if (model)
        return build_graph(r, model, err);
    return is_keras(r->c) ? build_keras(r, err) : build_torchvision(r, err);
}

const architecture inception_v3_architecture = {"inception_v3", recognise, build};
