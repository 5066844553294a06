/* Finds InceptionV3 in a TensorFlow.js topology.
 *
 * Keras numbers its layers by creation, in one count for all
 * models of a process, and writes them in an order of its own: the number in "conv2d_17" says
 * nothing. So the graph is walked, backwards from the output, since a concatenation names its
 * inputs in order while the consumers of a layer have none; each layer met must be the one that the
 * architecture has there. The functions below therefore read from bottom to top, and the units are
 * turned round at the end. */
#include "arch.h"

#include <stdlib.h>
#include <string.h>

enum { UNITS = INCEPTION_V3_UNITS };

typedef enum padding { VALID, SAME } padding;

typedef graph_unit unit;

typedef struct match {
    const tfjs_model *model;
    json_t *by_name;   /* layer name → layer */
    json_t *top;       /* names of the layers behind the pool, which are dropped */
    const char *block; /* "Mixed_5b.", or "" in the stem */
    unit units[UNITS]; /* last first while matching */
    int count;
    pts_error *err;
} match;

static const char *layer_name(const json_t *layer)
{
    const char *name = json_string_value(json_object_get(layer, "name"));
    return name ? name : "?";
}

static const char *class_name(const json_t *layer)
{
    const char *name = json_string_value(json_object_get(layer, "class_name"));
    return name ? name : "?";
}

static const json_t *setting(const json_t *layer, const char *key)
{
    return json_object_get(json_object_get(layer, "config"), key);
}

static pts_status differs(match *m, const json_t *layer, const char *key, const char *expected,
                          const json_t *got)
{
    char *text = got ? json_dumps(got, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    pts_status status =
        pts_fail(m->err, PTS_ERR_UNSUPPORTED,
                 "%s: not InceptionV3: layer '%.64s': %s: expected %s, got %.64s",
                 m->model->src.model, layer_name(layer), key, expected, text ? text : "none");
    free(text);
    return status;
}

static pts_status expect_class(match *m, const json_t *layer, const char *wanted)
{
    if (strcmp(class_name(layer), wanted) == 0)
        return PTS_OK;
    return differs(m, layer, "class_name", wanted, json_object_get(layer, "class_name"));
}

static pts_status expect_text(match *m, const json_t *layer, const char *key, const char *wanted)
{
    const json_t *got = setting(layer, key);
    const char *text = json_string_value(got);
    return text && strcmp(text, wanted) == 0 ? PTS_OK : differs(m, layer, key, wanted, got);
}

static pts_status expect_pair(match *m, const json_t *layer, const char *key, size_t a, size_t b)
{
    const json_t *got = setting(layer, key);
    char wanted[64];
    if (json_array_size(got) == 2 && json_integer_value(json_array_get(got, 0)) == (json_int_t)a &&
        json_integer_value(json_array_get(got, 1)) == (json_int_t)b)
        return PTS_OK;
    snprintf(wanted, sizeof wanted, "[%zu,%zu]", a, b);
    return differs(m, layer, key, wanted, got);
}

/* The layers that feed `layer`, which must be used once and have exactly `count` inputs. */
static pts_status inputs(match *m, const json_t *layer, size_t count, const json_t **in)
{
    const json_t *nodes = json_object_get(layer, "inbound_nodes");
    const json_t *node = json_array_get(nodes, 0);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "one node with %zu input%s", count, count == 1 ? "" : "s");
    if (json_array_size(nodes) != 1 || json_array_size(node) != count)
        return differs(m, layer, "inbound_nodes", wanted, nodes);
    for (size_t i = 0; i < count; i++) {
        const json_t *edge = json_array_get(node, i);
        const char *name = json_string_value(json_array_get(edge, 0));
        in[i] = name ? json_object_get(m->by_name, name) : NULL;
        if (!in[i] || json_integer_value(json_array_get(edge, 2)) != 0)
            return differs(m, layer, "inbound_nodes", "a layer of the topology", edge);
    }
    return PTS_OK;
}

/* ReLU after batch norm over the channels: moves *x from the activation to the convolution. */
static pts_status norm_and_relu(match *m, const json_t **x, unit *u)
{
    PTS_TRY(expect_class(m, *x, "Activation"));
    PTS_TRY(expect_text(m, *x, "activation", "relu"));
    PTS_TRY(inputs(m, *x, 1, x));
    PTS_TRY(expect_class(m, *x, "BatchNormalization"));
    const json_t *axis = setting(*x, "axis"), *epsilon = setting(*x, "epsilon");
    json_int_t channel = json_integer_value(json_is_array(axis) ? json_array_get(axis, 0) : axis);
    if (channel != 3 && channel != -1)
        return differs(m, *x, "axis", "3", axis);
    u->epsilon = json_number_value(epsilon);
    if (!(u->epsilon > 0 && u->epsilon < 1))
        return differs(m, *x, "epsilon", "a number in (0, 1)", epsilon);
    u->norm = layer_name(*x);
    u->scale = json_is_true(setting(*x, "scale"));
    u->center = json_is_true(setting(*x, "center"));
    return inputs(m, *x, 1, x);
}

static pts_status convolution(match *m, const json_t **x, unit *u, size_t stride, padding pad)
{
    PTS_TRY(expect_class(m, *x, "Conv2D"));
    const json_t *filters = setting(*x, "filters"), *bias = setting(*x, "use_bias");
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%zu", u->shape[3]);
    if (json_integer_value(filters) != (json_int_t)u->shape[3])
        return differs(m, *x, "filters", wanted, filters);
    PTS_TRY(expect_pair(m, *x, "kernel_size", u->shape[0], u->shape[1]));
    PTS_TRY(expect_pair(m, *x, "strides", stride, stride));
    PTS_TRY(expect_pair(m, *x, "dilation_rate", 1, 1));
    PTS_TRY(expect_text(m, *x, "data_format", "channels_last"));
    PTS_TRY(expect_text(m, *x, "activation", "linear"));
    if (u->shape[0] * u->shape[1] > 1) /* 1×1 pads nothing, whatever it says */
        PTS_TRY(expect_text(m, *x, "padding", pad == SAME ? "same" : "valid"));
    if (!json_is_false(bias))
        return differs(m, *x, "use_bias", "false", bias);
    u->conv = layer_name(*x);
    return inputs(m, *x, 1, x);
}

/* conv → batch norm → ReLU: moves *x from the unit's output to its input. */
static pts_status conv_unit(match *m, const json_t **x, const char *name, size_t in, size_t out,
                            size_t kh, size_t kw, size_t stride, padding pad)
{
    if (m->count == UNITS)
        return differs(m, *x, "convolutions", "94", NULL);
    unit *u = &m->units[m->count++];
    snprintf(u->name, sizeof u->name, "%s%s", m->block, name);
    memcpy(u->shape, (size_t[]){kh, kw, in, out}, sizeof u->shape);
    PTS_TRY(norm_and_relu(m, x, u));
    return convolution(m, x, u, stride, pad);
}

/* The convolutions within blocks: stride 1, same size; or stride 2, no padding. */
static pts_status conv(match *m, const json_t **x, const char *name, size_t in, size_t out,
                       size_t kh, size_t kw)
{
    return conv_unit(m, x, name, in, out, kh, kw, 1, SAME);
}

static pts_status conv_down(match *m, const json_t **x, const char *name, size_t in, size_t out)
{
    return conv_unit(m, x, name, in, out, 3, 3, 2, VALID);
}

static pts_status pool(match *m, const json_t **x, const char *class, size_t stride, padding pad)
{
    PTS_TRY(expect_class(m, *x, class));
    PTS_TRY(expect_pair(m, *x, "pool_size", 3, 3));
    PTS_TRY(expect_pair(m, *x, "strides", stride, stride));
    PTS_TRY(expect_text(m, *x, "padding", pad == SAME ? "same" : "valid"));
    PTS_TRY(expect_text(m, *x, "data_format", "channels_last"));
    return inputs(m, *x, 1, x);
}

static pts_status max_pool(match *m, const json_t **x)
{
    return pool(m, x, "MaxPooling2D", 2, VALID);
}

/* 3×3 average, then 1×1: the last branch of the blocks that keep the size. */
static pts_status pool_branch(match *m, const json_t **x, size_t in, size_t out)
{
    PTS_TRY(conv(m, x, "branch_pool", in, out, 1, 1));
    return pool(m, x, "AveragePooling2D", 1, SAME);
}

static pts_status concat(match *m, const json_t *x, size_t count, const json_t **branch)
{
    PTS_TRY(expect_class(m, x, "Concatenate"));
    json_int_t axis = json_integer_value(setting(x, "axis"));
    if (axis != 3 && axis != -1)
        return differs(m, x, "axis", "3", setting(x, "axis"));
    return inputs(m, x, count, branch);
}

/* The branches of a block must have come to one layer, its input. */
static pts_status join(match *m, size_t count, const json_t **branch, const json_t **x)
{
    for (size_t i = 1; i < count; i++) {
        if (branch[i] != branch[0])
            return differs(m, branch[0], "branches",
                           "all branches of a block to start at this layer",
                           json_object_get(branch[i], "name"));
    }
    *x = branch[0];
    return PTS_OK;
}

/* 35×35, Mixed_5b … 5d. */
static pts_status mixed_5(match *m, const json_t **x, const char *block, size_t in, size_t pooled)
{
    const json_t *b[4];
    m->block = block;
    PTS_TRY(concat(m, *x, 4, b));
    PTS_TRY(pool_branch(m, &b[3], in, pooled));
    PTS_TRY(conv(m, &b[2], "branch3x3dbl_3", 96, 96, 3, 3));
    PTS_TRY(conv(m, &b[2], "branch3x3dbl_2", 64, 96, 3, 3));
    PTS_TRY(conv(m, &b[2], "branch3x3dbl_1", in, 64, 1, 1));
    PTS_TRY(conv(m, &b[1], "branch5x5_2", 48, 64, 5, 5));
    PTS_TRY(conv(m, &b[1], "branch5x5_1", in, 48, 1, 1));
    PTS_TRY(conv(m, &b[0], "branch1x1", in, 64, 1, 1));
    return join(m, 4, b, x);
}

/* 35×35 → 17×17. */
static pts_status mixed_6a(match *m, const json_t **x)
{
    const json_t *b[3];
    m->block = "Mixed_6a.";
    PTS_TRY(concat(m, *x, 3, b));
    PTS_TRY(max_pool(m, &b[2]));
    PTS_TRY(conv_down(m, &b[1], "branch3x3dbl_3", 96, 96));
    PTS_TRY(conv(m, &b[1], "branch3x3dbl_2", 64, 96, 3, 3));
    PTS_TRY(conv(m, &b[1], "branch3x3dbl_1", 288, 64, 1, 1));
    PTS_TRY(conv_down(m, &b[0], "branch3x3", 288, 384));
    return join(m, 3, b, x);
}

/* 17×17, Mixed_6b … 6e: 7×7 as rows and columns. */
static pts_status mixed_6(match *m, const json_t **x, const char *block, size_t c7)
{
    const json_t *b[4];
    m->block = block;
    PTS_TRY(concat(m, *x, 4, b));
    PTS_TRY(pool_branch(m, &b[3], 768, 192));
    PTS_TRY(conv(m, &b[2], "branch7x7dbl_5", c7, 192, 1, 7));
    PTS_TRY(conv(m, &b[2], "branch7x7dbl_4", c7, c7, 7, 1));
    PTS_TRY(conv(m, &b[2], "branch7x7dbl_3", c7, c7, 1, 7));
    PTS_TRY(conv(m, &b[2], "branch7x7dbl_2", c7, c7, 7, 1));
    PTS_TRY(conv(m, &b[2], "branch7x7dbl_1", 768, c7, 1, 1));
    PTS_TRY(conv(m, &b[1], "branch7x7_3", c7, 192, 7, 1));
    PTS_TRY(conv(m, &b[1], "branch7x7_2", c7, c7, 1, 7));
    PTS_TRY(conv(m, &b[1], "branch7x7_1", 768, c7, 1, 1));
    PTS_TRY(conv(m, &b[0], "branch1x1", 768, 192, 1, 1));
    return join(m, 4, b, x);
}

/* 17×17 → 8×8. */
static pts_status mixed_7a(match *m, const json_t **x)
{
    const json_t *b[3];
    m->block = "Mixed_7a.";
    PTS_TRY(concat(m, *x, 3, b));
    PTS_TRY(max_pool(m, &b[2]));
    PTS_TRY(conv_down(m, &b[1], "branch7x7x3_4", 192, 192));
    PTS_TRY(conv(m, &b[1], "branch7x7x3_3", 192, 192, 7, 1));
    PTS_TRY(conv(m, &b[1], "branch7x7x3_2", 192, 192, 1, 7));
    PTS_TRY(conv(m, &b[1], "branch7x7x3_1", 768, 192, 1, 1));
    PTS_TRY(conv_down(m, &b[0], "branch3x3_2", 192, 320));
    PTS_TRY(conv(m, &b[0], "branch3x3_1", 768, 192, 1, 1));
    return join(m, 3, b, x);
}

/* A 1×3 and a 3×1 side by side on 384 channels, concatenated: the ends of 7b's and 7c's branches.
 */
static pts_status split(match *m, const json_t **x, const char *row, const char *column)
{
    const json_t *b[2];
    PTS_TRY(concat(m, *x, 2, b));
    PTS_TRY(conv(m, &b[1], column, 384, 384, 3, 1));
    PTS_TRY(conv(m, &b[0], row, 384, 384, 1, 3));
    return join(m, 2, b, x);
}

/* 8×8, Mixed_7b and 7c. */
static pts_status mixed_7(match *m, const json_t **x, const char *block, size_t in)
{
    const json_t *b[4];
    m->block = block;
    PTS_TRY(concat(m, *x, 4, b));
    PTS_TRY(pool_branch(m, &b[3], in, 192));
    PTS_TRY(split(m, &b[2], "branch3x3dbl_3a", "branch3x3dbl_3b"));
    PTS_TRY(conv(m, &b[2], "branch3x3dbl_2", 448, 384, 3, 3));
    PTS_TRY(conv(m, &b[2], "branch3x3dbl_1", in, 448, 1, 1));
    PTS_TRY(split(m, &b[1], "branch3x3_2a", "branch3x3_2b"));
    PTS_TRY(conv(m, &b[1], "branch3x3_1", in, 384, 1, 1));
    PTS_TRY(conv(m, &b[0], "branch1x1", in, 320, 1, 1));
    return join(m, 4, b, x);
}

/* 299×299×3 → 35×35×192. */
static pts_status stem(match *m, const json_t **x)
{
    m->block = "";
    PTS_TRY(max_pool(m, x));
    PTS_TRY(conv_unit(m, x, "Conv2d_4a_3x3", 80, 192, 3, 3, 1, VALID));
    PTS_TRY(conv_unit(m, x, "Conv2d_3b_1x1", 64, 80, 1, 1, 1, VALID));
    PTS_TRY(max_pool(m, x));
    PTS_TRY(conv_unit(m, x, "Conv2d_2b_3x3", 32, 64, 3, 3, 1, SAME));
    PTS_TRY(conv_unit(m, x, "Conv2d_2a_3x3", 32, 32, 3, 3, 1, VALID));
    PTS_TRY(conv_unit(m, x, "Conv2d_1a_3x3", 3, 32, 3, 3, 2, VALID));
    return expect_class(m, *x, "InputLayer");
}

static bool is_top(const json_t *layer)
{
    static const char *const classes[] = {"Dense", "Dropout", "Flatten", "Activation", "Softmax"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strcmp(class_name(layer), classes[i]) == 0)
            return true;
    }
    return false;
}

/* From the classifier's output to Mixed_7c. */
static pts_status skip_top(match *m, const json_t **x)
{
    while (is_top(*x)) { /* a name met twice is a loop, which no feed-forward network has */
        if (json_object_get(m->top, layer_name(*x)))
            return differs(m, *x, "inbound_nodes", "no loop", NULL);
        json_object_set_new(m->top, layer_name(*x), json_true());
        PTS_TRY(inputs(m, *x, 1, x));
    }
    if (strcmp(class_name(*x), "Concatenate") == 0)
        return PTS_OK; /* converted without top and without pool */
    if (strcmp(class_name(*x), "GlobalAveragePooling2D") != 0) {
        PTS_TRY(expect_class(m, *x, "AveragePooling2D"));
        PTS_TRY(expect_pair(m, *x, "pool_size", 8, 8));
        PTS_TRY(expect_text(m, *x, "padding", "valid"));
    }
    return inputs(m, *x, 1, x);
}

/* From the output to the input, whole. */
static pts_status network(match *m, const json_t *x)
{
    PTS_TRY(skip_top(m, &x));
    PTS_TRY(mixed_7(m, &x, "Mixed_7c.", 2048));
    PTS_TRY(mixed_7(m, &x, "Mixed_7b.", 1280));
    PTS_TRY(mixed_7a(m, &x));
    PTS_TRY(mixed_6(m, &x, "Mixed_6e.", 192));
    PTS_TRY(mixed_6(m, &x, "Mixed_6d.", 160));
    PTS_TRY(mixed_6(m, &x, "Mixed_6c.", 160));
    PTS_TRY(mixed_6(m, &x, "Mixed_6b.", 128));
    PTS_TRY(mixed_6a(m, &x));
    PTS_TRY(mixed_5(m, &x, "Mixed_5d.", 288, 64));
    PTS_TRY(mixed_5(m, &x, "Mixed_5c.", 256, 64));
    PTS_TRY(mixed_5(m, &x, "Mixed_5b.", 192, 32));
    return stem(m, &x);
}

static pts_status index_layers(match *m)
{
    const char *path = m->model->src.model;
    size_t i;
    json_t *layer;
    json_array_foreach((json_t *)(uintptr_t)m->model->layers, i, layer)
    {
        const char *name = json_string_value(json_object_get(layer, "name"));
        if (!name || json_object_get(m->by_name, name))
            return pts_fail(m->err, PTS_ERR_FORMAT,
                            "%s: layers: layer %zu: expected a name of its own, got '%.64s'", path,
                            i, name ? name : "none");
        if (json_object_set(m->by_name, name, layer) != 0)
            return pts_fail(m->err, PTS_ERR_MEMORY, "%s: out of memory", path);
    }
    return PTS_OK;
}

/* The topology's output; it must have one. */
static pts_status find_output(match *m, const json_t **x)
{
    const json_t *topology = json_object_get(m->model->json, "modelTopology");
    const json_t *wrapped = json_object_get(topology, "model_config");
    const json_t *config = json_object_get(wrapped ? wrapped : topology, "config");
    const json_t *outputs = json_object_get(config, "output_layers");
    const char *name = json_string_value(json_array_get(json_array_get(outputs, 0), 0));
    *x = name && json_array_size(outputs) == 1 ? json_object_get(m->by_name, name) : NULL;
    if (!*x)
        return pts_fail(m->err, PTS_ERR_UNSUPPORTED,
                        "%s: not InceptionV3: output_layers: expected one layer of the topology",
                        m->model->src.model);
    return PTS_OK;
}

static pts_status run_match(match *m, const tfjs_model *model, pts_error *err)
{
    const json_t *output;
    *m = (match){.model = model, .by_name = json_object(), .top = json_object(), .err = err};
    if (!m->by_name || !m->top)
        return pts_fail(err, PTS_ERR_MEMORY, "%s: out of memory", model->src.model);
    PTS_TRY(index_layers(m));
    PTS_TRY(find_output(m, &output));
    PTS_TRY(network(m, output));
    for (int i = 0; i < m->count / 2; i++) {
        unit first = m->units[i];
        m->units[i] = m->units[m->count - 1 - i];
        m->units[m->count - 1 - i] = first;
    }
    return PTS_OK;
}

static void match_free(match *m)
{
    json_decref(m->by_name);
    json_decref(m->top);
}

pts_status inception_v3_graph(const tfjs_model *model, graph_unit units[INCEPTION_V3_UNITS],
                              json_t **top, pts_error *err)
{
    match m;
    pts_status status = run_match(&m, model, err);
    if (status == PTS_OK) {
        memcpy(units, m.units, sizeof m.units);
        *top = json_incref(m.top);
    }
    match_free(&m);
    return status;
}
