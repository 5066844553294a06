/* Finds InceptionV3 in a TensorFlow.js topology.
 *
 * Keras numbers its layers by creation, in one count for all
 * models of a process, and writes them in an order of its own: the number in "conv2d_17" says
 * nothing. So the graph is walked, backwards from the output, since a concatenation names its
 * inputs in order while the consumers of a layer have none; each layer met must be the one that the
 * architecture has there. The functions below therefore read from bottom to top, and meet the units
 * of inception_v3_units last first; what each must be stands there. */
#include "arch.h"

#include <stdlib.h>
#include <string.h>

typedef enum padding { VALID, SAME } padding;

typedef struct match {
    const tfjs_model *model;
    json_t *by_name;   /* layer name → layer */
    json_t *top;       /* names of the layers behind the pool, which are dropped */
    graph_unit *units; /* [INCEPTION_V3_UNITS] */
    size_t left;       /* units not yet met, which are the first of the table */
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
#ifdef __clang_analyzer__ /* as base/error.h has it of pts_fail */
#define differs(...) pts_never_ok(differs(__VA_ARGS__))
#endif

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
static pts_status norm_and_relu(match *m, const json_t **x, graph_unit *u)
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

static pts_status convolution(match *m, const json_t **x, const size_t shape[4], size_t stride,
                              padding pad)
{
    PTS_TRY(expect_class(m, *x, "Conv2D"));
    const json_t *filters = setting(*x, "filters"), *bias = setting(*x, "use_bias");
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%zu", shape[3]);
    if (json_integer_value(filters) != (json_int_t)shape[3])
        return differs(m, *x, "filters", wanted, filters);
    PTS_TRY(expect_pair(m, *x, "kernel_size", shape[0], shape[1]));
    PTS_TRY(expect_pair(m, *x, "strides", stride, stride));
    PTS_TRY(expect_pair(m, *x, "dilation_rate", 1, 1));
    PTS_TRY(expect_text(m, *x, "data_format", "channels_last"));
    PTS_TRY(expect_text(m, *x, "activation", "linear"));
    if (shape[0] * shape[1] > 1) /* 1×1 pads nothing, whatever it says */
        PTS_TRY(expect_text(m, *x, "padding", pad == SAME ? "same" : "valid"));
    if (!json_is_false(bias))
        return differs(m, *x, "use_bias", "false", bias);
    m->units[m->left].conv = layer_name(*x);
    return inputs(m, *x, 1, x);
}

/* conv → batch norm → ReLU, the last unit left: moves *x from its output to its input. */
static pts_status conv_unit(match *m, const json_t **x, size_t stride, padding pad)
{
    m->left--;
    PTS_TRY(norm_and_relu(m, x, &m->units[m->left]));
    return convolution(m, x, inception_v3_units[m->left].shape, stride, pad);
}

/* Units one after another as blocks have them: stride 1, same size. */
static pts_status convs(match *m, const json_t **x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        PTS_TRY(conv_unit(m, x, 1, SAME));
    return PTS_OK;
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
static pts_status pool_branch(match *m, const json_t **x)
{
    PTS_TRY(convs(m, x, 1));
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

/* The blocks that keep the size: Mixed_5b … 5d, 35×35, and 6b … 6e, 17×17. The branches are a 1×1,
 * `shallow` and `deep` units, and the pool's. */
static pts_status mixed(match *m, const json_t **x, size_t deep, size_t shallow)
{
    const json_t *b[4];
    PTS_TRY(concat(m, *x, 4, b));
    PTS_TRY(pool_branch(m, &b[3]));
    PTS_TRY(convs(m, &b[2], deep));
    PTS_TRY(convs(m, &b[1], shallow));
    PTS_TRY(convs(m, &b[0], 1));
    return join(m, 4, b, x);
}

/* The blocks that halve the side, Mixed_6a and 7a: two branches end in a 3×3 of stride 2. */
static pts_status mixed_down(match *m, const json_t **x, size_t deep, size_t shallow)
{
    const json_t *b[3];
    PTS_TRY(concat(m, *x, 3, b));
    PTS_TRY(max_pool(m, &b[2]));
    PTS_TRY(conv_unit(m, &b[1], 2, VALID));
    PTS_TRY(convs(m, &b[1], deep));
    PTS_TRY(conv_unit(m, &b[0], 2, VALID));
    PTS_TRY(convs(m, &b[0], shallow));
    return join(m, 3, b, x);
}

/* A 1×3 and a 3×1 side by side, concatenated: the ends of 7b's and 7c's branches. */
static pts_status split(match *m, const json_t **x)
{
    const json_t *b[2];
    PTS_TRY(concat(m, *x, 2, b));
    PTS_TRY(convs(m, &b[1], 1));
    PTS_TRY(convs(m, &b[0], 1));
    return join(m, 2, b, x);
}

/* 8×8, Mixed_7b and 7c. */
static pts_status mixed_7(match *m, const json_t **x)
{
    const json_t *b[4];
    PTS_TRY(concat(m, *x, 4, b));
    PTS_TRY(pool_branch(m, &b[3]));
    PTS_TRY(split(m, &b[2]));
    PTS_TRY(convs(m, &b[2], 2));
    PTS_TRY(split(m, &b[1]));
    PTS_TRY(convs(m, &b[1], 1));
    PTS_TRY(convs(m, &b[0], 1));
    return join(m, 4, b, x);
}

/* 299×299×3 → 35×35×192. */
static pts_status stem(match *m, const json_t **x)
{
    PTS_TRY(max_pool(m, x));
    PTS_TRY(conv_unit(m, x, 1, VALID)); /* Conv2d_4a_3x3 */
    PTS_TRY(conv_unit(m, x, 1, VALID)); /* Conv2d_3b_1x1 */
    PTS_TRY(max_pool(m, x));
    PTS_TRY(conv_unit(m, x, 1, SAME));  /* Conv2d_2b_3x3 */
    PTS_TRY(conv_unit(m, x, 1, VALID)); /* Conv2d_2a_3x3 */
    PTS_TRY(conv_unit(m, x, 2, VALID)); /* Conv2d_1a_3x3 */
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
    for (int i = 0; i < 2; i++)
        PTS_TRY(mixed_7(m, &x));
    PTS_TRY(mixed_down(m, &x, 3, 1));
    for (int i = 0; i < 4; i++)
        PTS_TRY(mixed(m, &x, 5, 3));
    PTS_TRY(mixed_down(m, &x, 2, 0));
    for (int i = 0; i < 3; i++)
        PTS_TRY(mixed(m, &x, 3, 2));
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
            return pts_fail_memory(m->err, strlen(name));
    }
    return PTS_OK;
}

/* The topology's output; it must have one. */
static pts_status find_output(match *m, const json_t **x)
{
    const json_t *outputs = json_object_get(m->model->config, "output_layers");
    const char *name = json_string_value(json_array_get(json_array_get(outputs, 0), 0));
    *x = name && json_array_size(outputs) == 1 ? json_object_get(m->by_name, name) : NULL;
    if (!*x)
        return pts_fail(m->err, PTS_ERR_UNSUPPORTED,
                        "%s: not InceptionV3: output_layers: expected one layer of the topology",
                        m->model->src.model);
    return PTS_OK;
}

static pts_status run_match(match *m)
{
    const json_t *output;
    if (!m->by_name || !m->top)
        return pts_fail_memory(m->err, sizeof(json_t));
    PTS_TRY(index_layers(m));
    PTS_TRY(find_output(m, &output));
    return network(m, output);
}

pts_status inception_v3_graph(const tfjs_model *model, graph_unit units[INCEPTION_V3_UNITS],
                              json_t **top, pts_error *err)
{
    match m = {.model = model,
               .by_name = json_object(),
               .top = json_object(),
               .units = units,
               .left = INCEPTION_V3_UNITS,
               .err = err};
    pts_status status = run_match(&m);
    if (status == PTS_OK)
        *top = json_incref(m.top);
    json_decref(m.by_name);
    json_decref(m.top);
    return status;
}
