/* ptsconvert: literals and base64, TensorFlow.js storage against numpy, InceptionV3's graph and
 * fold against numpy, refusals, and the program itself. */
#include "check_main.h"
#include "folded.h"
#include "recipe.h"
#include "run_program.h"

#include "../tools/convert/arch.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "tests/data/convert/NAME", in one of two buffers. */
static const char *data_path(const char *name)
{
    static char path[2][4096];
    static int turn;
    char full[256];
    turn = !turn;
    snprintf(full, sizeof full, "convert/%s", name);
    snprintf(path[turn], sizeof path[turn], "%s", test_data(full));
    return path[turn];
}

static void put_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* A new folder of this test's own. */
static const char *new_folder(void)
{
    static char folder[64];
    snprintf(folder, sizeof folder, "/tmp/pts_convert_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

static void remove_folder(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *in_folder(const char *folder, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- Literals and base64 ---- */

/* The text in a block of exactly its size, so that a sanitizer sees any step beyond. */
static pts_status literal(const char *text, size_t size, char **json, size_t *used, pts_error *err)
{
    char *exact = malloc(size + !size);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, text, size);
    size_t json_size;
    pts_status status = js_to_json(exact, size, json, &json_size, used, err);
    if (status == PTS_OK)
        ck_assert_uint_eq(strlen(*json), json_size);
    else
        ck_assert_ptr_null(*json);
    free(exact);
    return status;
}

START_TEST(literals_become_json)
{
    static const struct {
        const char *js, *json;
    } cases[] = {
        {"{}", "{}"},
        {"[]rest", "[]"},
        {"{a:1,\"b c\":[!0,!1,true,false,null,void 0],$_9:'x'}",
         "{\"a\":1,\"b c\":[true,false,true,false,null,null],\"$_9\":\"x\"}"},
        {"[.5,-.5,5.,+7,0,-0,1e3,1E-3,.25e+2,8.9e-7,16788e-30]",
         "[0.5,-0.5,5.0,7,0,-0,1e3,1E-3,0.25e+2,8.9e-7,16788e-30]"},
        {" /* a */ { a : // b\n 1 , } ", "{\"a\":1}"},
        {"[1,2,]", "[1,2]"},
        {"'a\"b\\'c\\x41\\u00e9\\n\\v\\\nd'", "\"a\\\"b\\u0027c\\u0041\\u00e9\\n\\u000bd\""},
        {"\"größe\"", "\"größe\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *json;
        size_t used;
        pts_error err = {""};
        ck_assert_msg(literal(cases[i].js, strlen(cases[i].js), &json, &used, &err) == PTS_OK,
                      "%s: %s", cases[i].js, err.message);
        ck_assert_str_eq(json, cases[i].json);
        json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
        ck_assert_ptr_nonnull(value);
        json_decref(value);
        free(json);
    }
}
END_TEST

START_TEST(what_would_have_to_run_is_refused)
{
    static const struct {
        const char *js, *message;
    } cases[] = {
        {"", "byte 0: expected a literal (nothing is run), got the end"},
        {"{a:f()}", "byte 3: expected a literal (nothing is run), got f()}"},
        {"{a:1+1}", "byte 4: expected ',' or '}', got +1}"},
        {"{a:`x`}", "byte 3: expected a literal (nothing is run), got `x`}"},
        {"{get a(){}}", "byte 5: expected ':', got a(){}}"},
        {"{[a]:1}", "byte 1: expected a key, got [a]:1}"},
        {"{...a}", "byte 1: expected a key, got ...a}"},
        {"[1,,2]", "byte 3: expected a literal (nothing is run), got ,2]"},
        {"[nullx]", "byte 1: expected a literal (nothing is run), got nullx]"},
        {"[!2]", "byte 1: expected a literal (nothing is run), got !2]"},
        {"[NaN]", "byte 1: expected a literal (nothing is run), got NaN]"},
        {"[-Infinity]", "byte 2: expected a digit, got Infinity]"},
        {"[0x10]", "byte 2: expected the end of a number, got x10]"},
        {"[010]", "byte 1: expected a number without leading zeros, got 010]"},
        {"[1e]", "byte 3: expected an exponent, got ]"},
        {"[.]", "byte 2: expected a digit, got ]"},
        {"'abc", "byte 4: expected the end of a string, got the end"},
        {"'a\nb'", "byte 2: expected the end of a string, got ?b'"},
        {"'\\x4'", "byte 4: expected a hexadecimal digit, got '"},
        {"'\\q'", "byte 2: expected an escape known here, got q'"},
        {"{a:1", "byte 4: expected ',' or '}', got the end"},
        {"{a:1/*", "byte 4: expected ',' or '}', got /*"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *json;
        size_t used;
        pts_error err;
        ck_assert_int_eq(literal(cases[i].js, strlen(cases[i].js), &json, &used, &err),
                         PTS_ERR_FORMAT);
        ck_assert_str_eq(err.message, cases[i].message);
    }
    char deep[1000], *json;
    size_t used;
    pts_error err;
    memset(deep, '[', sizeof deep);
    ck_assert_int_eq(literal(deep, sizeof deep, &json, &used, &err), PTS_ERR_LIMIT);
    ck_assert_str_eq(err.message, "byte 128: nested deeper than 128");
}
END_TEST

/* Every prefix, and 20,000 mutations: no crash, and what is accepted is JSON. */
START_TEST(hostile_literals)
{
    static const char base[] =
        "{modelTopology:{'k':\"v\\u00e9\",a:[!0,!1,.5,-1e-7,null]},x:'\\x41'}";
    static const char alphabet[] = "{}[]:,'\"\\!01.-+eEux/*nv \n\xc3";
    const size_t size = sizeof base - 1;
    uint64_t state = 77;
    size_t accepted = 0;
    for (size_t n = 0; n < size; n++) {
        char *json;
        size_t used;
        ck_assert_int_eq(literal(base, n, &json, &used, NULL), PTS_ERR_FORMAT);
    }
    for (int round = 0; round < 20000; round++) {
        char text[sizeof base], *json;
        size_t used;
        memcpy(text, base, sizeof base);
        for (int k = 0; k < 1 + round % 3; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            text[(state >> 33) % size] = alphabet[(state >> 20) % (sizeof alphabet - 1)];
        }
        if (literal(text, size, &json, &used, NULL) != PTS_OK)
            continue;
        ck_assert_uint_le(used, size);
        json_error_t problem;
        json_t *value = json_loads(json, JSON_DECODE_ANY, &problem);
        /* left to jansson: UTF-8, surrogates, numbers out of range */
        if (value)
            accepted++;
        json_decref(value);
        free(json);
    }
    ck_assert_uint_gt(accepted, 1000);
}
END_TEST

START_TEST(base64_of_rfc_4648)
{
    static const char *const good[][2] = {{"", ""},
                                          {"Zg==", "f"},
                                          {"Zm8=", "fo"},
                                          {"Zm9v", "foo"},
                                          {"Zm9vYg==", "foob"},
                                          {"Zm9vYmE=", "fooba"},
                                          {"+/+/", "\xfb\xff\xbf"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[16];
        size_t size = strlen(strcpy(text, good[i][0]));
        ck_assert(base64_decode(text, &size));
        ck_assert_uint_eq(size, strlen(good[i][1]));
        ck_assert_mem_eq(text, good[i][1], size);
    }
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {{"Zg=", 3},  {"Zg", 2},   {"Z===", 1},      {"Zg==Zg==", 2}, {"Zh==", 1},
               {"Zm9=", 2}, {"Zm 9", 2}, {"Zm9v\nZg=", 4}, {"====", 0},     {"Zm9-", 3}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[16];
        size_t size = strlen(strcpy(text, bad[i].text));
        ck_assert_msg(!base64_decode(text, &size), "%s", bad[i].text);
        ck_assert_msg(size == bad[i].at, "%s: %zu", bad[i].text, size);
    }
}
END_TEST

/* ---- Storage ---- */

static void check_mixed(const char *name)
{
    tfjs_model m;
    pts_error err = {""};
    char *raw;
    size_t size, at = 0;
    ck_assert_msg(tfjs_open(&m, data_path(name), &err) == PTS_OK, "%s", err.message);
    ck_assert_int_eq(pts_read_file(data_path("mixed.bin"), 1 << 20, &raw, &size, NULL), PTS_OK);
    ck_assert_uint_eq(m.tensor_count, 6);
    for (size_t i = 0; i < 5; i++) {
        float values[256];
        ck_assert_uint_le(m.tensors[i].count, 256);
        tfjs_values(&m.tensors[i], 0, m.tensors[i].count, values);
        ck_assert_mem_eq(values, raw + at, m.tensors[i].count * 4); /* equal to the last bit */
        at += m.tensors[i].count * 4;
    }
    ck_assert_uint_eq(at, size);
    free(raw);
    tfjs_close(&m);
    checkpoint c;
    const checkpoint_tensor *step;
    ck_assert_int_eq(checkpoint_open(&c, data_path(name), &err), PTS_OK);
    ck_assert_int_eq(checkpoint_require(&c, "step", 1, (size_t[]){2}, &step, &err), PTS_OK);
    ck_assert_int_eq(checkpoint_read(&c, step, 0, 2, NULL, &err), PTS_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(
        strstr(err.message, ": tensor 'step': expected float32, float16 or bfloat16, got int32"));
    checkpoint_close(&c);
}

START_TEST(every_storage_equals_numpy)
{
    check_mixed("mixed");
    check_mixed("mixed/model.json");
    check_mixed("mixed_packed");
    check_mixed("mixed_packed/model.min.js");
}
END_TEST

START_TEST(source_is_described)
{
    tfjs_model m;
    char hex[PTS_SHA256_HEX], all[8192];
    size_t used = 0;
    ck_assert_int_eq(tfjs_open(&m, data_path("mixed_packed"), NULL), PTS_OK);
    ck_assert_str_eq(m.src.origin, "npm package synthetic 1.2.3");
    ck_assert_str_eq(m.src.licence, "CC0-1.0");
    static const char *const files[] = {"model", "s1", "s2", "s3"};
    for (int i = 0; i < 4; i++) { /* what `cat` of the files in this order gives */
        char name[64], *data;
        size_t size;
        snprintf(name, sizeof name, "mixed_packed/%s.min.js", files[i]);
        ck_assert_int_eq(pts_read_file(data_path(name), sizeof all - used, &data, &size, NULL),
                         PTS_OK);
        memcpy(all + used, data, size);
        used += size;
        free(data);
    }
    pts_sha256 whole;
    char expected[PTS_SHA256_HEX];
    pts_sha256_init(&whole);
    pts_sha256_update(&whole, all, used);
    pts_sha256_hex(&whole, expected);
    pts_sha256_hex(&m.src.hash, hex);
    ck_assert_str_eq(hex, expected);
    tfjs_close(&m);
}
END_TEST

/* Writes model.json with a manifest of one group, and an 8-byte shard "s"; expects a refusal. */
static void refuse_manifest(const char *folder, const char *group, const char *message)
{
    char text[2048], expected[4608];
    pts_error err;
    tfjs_model m;
    snprintf(text, sizeof text,
             "{\"modelTopology\":{\"config\":{\"layers\":[]}},\"weightsManifest\":[%s]}", group);
    put_file(in_folder(folder, "model.json"), text, strlen(text));
    put_file(in_folder(folder, "s"), "12345678", 8);
    ck_assert_msg(tfjs_open(&m, folder, &err) != PTS_OK, "%s", group);
    const char *path = in_folder(folder, message[0] == '/' ? message + 1 : "model.json");
    if (message[0] == '/')
        snprintf(expected, sizeof expected, "%s", path);
    else
        snprintf(expected, sizeof expected, "%s: %s", path, message);
    ck_assert_str_eq(err.message, expected);
}

START_TEST(hostile_manifests)
{
    const char *folder = new_folder();
    static const char *const cases[][2] = {
        {"{}", "weightsManifest: weights: expected a list of at most 16384 tensors"},
        {"{\"weights\":[{}]}", "weightsManifest: weights: tensor 0: expected name and dtype"},
        {"{\"weights\":[{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[1,1,1,1,1]}]}",
         "tensor 'w': shape: expected a list of at most 4 numbers"},
        {"{\"weights\":[{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[0]}]}",
         "tensor 'w': shape: expected sides ≥ 1 and at most 2147483648 elements"},
        {"{\"weights\":[{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[-1]}]}",
         "tensor 'w': shape: expected sides ≥ 1 and at most 2147483648 elements"},
        {"{\"weights\":[{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[4294967296,4294967296]}]}",
         "tensor 'w': shape: expected sides ≥ 1 and at most 2147483648 elements"},
        {"{\"weights\":[{\"name\":\"w\",\"dtype\":\"bool\",\"shape\":[1]}]}",
         "tensor 'w': dtype: expected float32 or int32, got 'bool'"},
        {"{\"weights\":[{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[1],"
         "\"quantization\":{\"dtype\":\"uint4\"}}]}",
         "tensor 'w': quantization: expected uint8, uint16 or float16, got 'uint4'"},
        {"{\"weights\":[{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[1],"
         "\"quantization\":{\"dtype\":\"uint8\",\"scale\":1}}]}",
         "tensor 'w': quantization: expected numbers scale and min"},
        {"{\"paths\":[\"s\"],\"weights\":[{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[2]},"
         "{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[1]}]}",
         "tensor 'w' is there twice"},
        {"{\"paths\":[\"s\"],\"weights\":[{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[3]}]}",
         "weight group 0: expected 12 bytes of shards, got 8"},
        {"{\"paths\":[\"s\"],\"weights\":[{\"name\":\"w\",\"dtype\":\"float32\",\"shape\":[1]}]}",
         "shard 's': expected at most 4 bytes more (the group's tensors take 4), got 8"},
        {"{\"paths\":[7],\"weights\":[]}", "weightsManifest: paths: expected strings"},
        {"{\"paths\":[\"../../etc/passwd\"],\"weights\":[]}",
         "weightsManifest: paths: expected a file beside the model, got '../../etc/passwd'"},
        {"{\"paths\":[\"/etc/passwd\"],\"weights\":[]}",
         "weightsManifest: paths: expected a file beside the model, got '/etc/passwd'"},
        {"{\"paths\":[\"a/..\"],\"weights\":[]}",
         "weightsManifest: paths: expected a file beside the model, got 'a/..'"},
        {"{\"paths\":[\"gone\"],\"weights\":[]}", "/gone: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse_manifest(folder, cases[i][0], cases[i][1]);
    remove_folder(folder);
}
END_TEST

/* Opening `folder` fails with "FOLDER/name: message". */
static void refuse_model(const char *folder, const char *name, const char *message)
{
    tfjs_model m;
    pts_error err;
    char expected[600];
    ck_assert_int_ne(tfjs_open(&m, folder, &err), PTS_OK);
    snprintf(expected, sizeof expected, "%s/%s: %s", folder, name, message);
    ck_assert_str_eq(err.message, expected);
}

START_TEST(hostile_files)
{
    const char *folder = new_folder();
    char expected[300];
    tfjs_model m;
    pts_error err;
    ck_assert_int_eq(tfjs_open(&m, folder, &err), PTS_ERR_UNSUPPORTED);
    snprintf(
        expected, sizeof expected,
        "%s: expected a TensorFlow.js model (model.json or model.min.js) or the nsfwjs package "
        "(dist/models/inception_v3/model.min.js)",
        folder);
    ck_assert_str_eq(err.message, expected);
    ck_assert_int_eq(tfjs_open(&m, "/nowhere", &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "/nowhere: No such file or directory");
    static const char script[] = "x.exports=run({a:1})", call[] = "x.exports={a:run()}";
    put_file(in_folder(folder, "model.min.js"), script, sizeof script - 1);
    refuse_model(folder, "model.min.js", "expected 'exports = { … }', got none");
    put_file(in_folder(folder, "model.min.js"), call, sizeof call - 1);
    refuse_model(folder, "model.min.js",
                 "object literal at byte 10: byte 3: expected a literal (nothing is run), got "
                 "run()}");
    static const char packed[] =
        "x.exports={modelTopology:{config:{layers:[]}},weightsManifest:[{paths:['s'],weights:"
        "[{name:'w',shape:[1],dtype:'float32'}]}]}";
    put_file(in_folder(folder, "model.min.js"), packed, sizeof packed - 1);
    static const char *const shards[][2] = {
        {"hello", "expected 'exports = \"base64\"', got none"},
        {"m.exports={}", "expected 'exports = \"base64\"', got none"},
        {"m.exports=\"AAAA", "the string at byte 10 has no end (file cut?)"},
        {"m.exports=\"AA*A\"", "base64 of 4 characters: bad character, length or end at 2"},
        {"m.exports=\"AAAAA\"", "base64 of 5 characters: bad character, length or end at 5"},
    };
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++) {
        put_file(in_folder(folder, "s.min.js"), shards[i][0], strlen(shards[i][0]));
        refuse_model(folder, "s.min.js", shards[i][1]);
    }
    put_file(in_folder(folder, "s.min.js"), "m.exports=\"AACAPw==\"", 20);
    ck_assert_int_eq(tfjs_open(&m, folder, &err), PTS_OK);
    float one;
    tfjs_values(&m.tensors[0], 0, 1, &one);
    ck_assert(one == 1);
    tfjs_close(&m);
    put_file(in_folder(folder, "s.min.js"), "m.exports=\"AADAfw==\"", 20); /* not a number */
    checkpoint c;
    ck_assert_int_eq(checkpoint_open(&c, folder, &err), PTS_OK);
    ck_assert_int_eq(checkpoint_read(&c, &c.tensors[0], 0, 1, &one, &err), PTS_ERR_NUMERIC);
    checkpoint_close(&c);
    put_file(in_folder(folder, "model.json"), "{\"a\":1,\"a\":2}", 13); /* before model.min.js */
    refuse_model(folder, "model.json", "line 1, column 10: duplicate object key near '\"a\"'");
    put_file(in_folder(folder, "model.json"), "{\"modelTopology\":{\"node\":[]}}", 29);
    refuse_model(folder, "model.json",
                 "expected modelTopology … config.layers, a list of at most 65536 layers (a "
                 "TensorFlow.js layers model; graph models are not supported)");
    remove_folder(folder);
}
END_TEST

/* ---- InceptionV3 ---- */

/* A folder with inception.json and the shard that its README describes. */
static const char *inception_folder(void)
{
    const char *folder = new_folder();
    char *text;
    size_t size, bytes;
    ck_assert_int_eq(pts_read_file(data_path("inception.json"), 1 << 20, &text, &size, NULL),
                     PTS_OK);
    put_file(in_folder(folder, "model.json"), text, size);
    free(text);
    ck_assert_int_eq(pts_read_file(data_path("inception.txt"), 1 << 20, &text, &size, NULL),
                     PTS_OK);
    ck_assert_int_eq(sscanf(text, "bytes %zu", &bytes), 1);
    free(text);
    unsigned char *shard = malloc(bytes);
    ck_assert_ptr_nonnull(shard);
    for (size_t i = 0; i < bytes; i++)
        shard[i] = (unsigned char)((uint32_t)(i * 2654435761u) >> 24);
    put_file(in_folder(folder, "shard.bin"), shard, bytes);
    free(shard);
    return folder;
}

static void open_inception(checkpoint *c)
{
    const char *folder = inception_folder();
    pts_error err = {""};
    ck_assert_msg(checkpoint_open(c, folder, &err) == PTS_OK, "%s", err.message);
    remove_folder(folder);
}

static const settings no_settings;

static pts_status inception_recipe(recipe *r, checkpoint *c, pts_error *err)
{
    return recipe_build(r, c, &inception_v3_architecture, &no_settings, err);
}

START_TEST(inception_folds_as_numpy_does)
{
    checkpoint c;
    recipe r;
    pts_error err = {""};
    char *text;
    size_t size, row = 0;
    open_inception(&c);
    ck_assert_msg(inception_recipe(&r, &c, &err) == PTS_OK, "%s", err.message);
    ck_assert_uint_eq(r.count, 188);
    ck_assert_int_eq(pts_read_file(data_path("inception.txt"), 1 << 20, &text, &size, NULL),
                     PTS_OK);
    for (char *line = strchr(text, '\n') + 1; *line; line = strchr(line, '\n') + 1)
        check_recipe_item(&r, row++, line);
    ck_assert_uint_eq(row, 188);
    ck_assert_str_eq(r.meta[0].key, "arch");
    ck_assert_str_eq(r.meta[0].value, "inception_v3");
    ck_assert_str_eq(r.meta[2].value, "exclude_pad");
    free(text);
    recipe_free(&r);
    checkpoint_close(&c);
}
END_TEST

static json_t *find_layer(json_t *layers, const char *name)
{
    size_t i;
    json_t *layer;
    json_array_foreach(layers, i, layer)
    {
        if (strcmp(json_string_value(json_object_get(layer, "name")), name) == 0)
            return layer;
    }
    ck_abort_msg("no layer %s", name);
    return NULL;
}

/* One change to a layer, as JSON: {"config":{…}} is merged, other keys are replaced. */
typedef struct graph_case {
    const char *layer, *change, *message;
} graph_case;

static const graph_case graph_cases[] = {
    {"conv2d_95", "{\"config\":{\"kernel_size\":[5,5]}}",
     "layer 'conv2d_95': kernel_size: expected [3,3], got [5,5]"},
    {"conv2d_95", "{\"config\":{\"strides\":[1,1]}}",
     "layer 'conv2d_95': strides: expected [2,2], got [1,1]"},
    {"conv2d_95", "{\"config\":{\"padding\":\"same\"}}",
     "layer 'conv2d_95': padding: expected valid, got \"same\""},
    {"conv2d_100", "{\"config\":{\"filters\":96}}",
     "layer 'conv2d_100': filters: expected 64, got 96"},
    {"conv2d_100", "{\"config\":{\"use_bias\":true}}",
     "layer 'conv2d_100': use_bias: expected false, got true"},
    {"conv2d_100", "{\"config\":{\"dilation_rate\":[2,2]}}",
     "layer 'conv2d_100': dilation_rate: expected [1,1], got [2,2]"},
    {"conv2d_100", "{\"config\":{\"data_format\":\"channels_first\"}}",
     "layer 'conv2d_100': data_format: expected channels_last, got \"channels_first\""},
    {"conv2d_100", "{\"config\":{\"activation\":\"relu\"}}",
     "layer 'conv2d_100': activation: expected linear, got \"relu\""},
    {"conv2d_100", "{\"class_name\":\"DepthwiseConv2D\"}",
     "layer 'conv2d_100': class_name: expected Conv2D, got \"DepthwiseConv2D\""},
    {"activation_100", "{\"config\":{\"activation\":\"relu6\"}}",
     "layer 'activation_100': activation: expected relu, got \"relu6\""},
    {"batch_normalization_100", "{\"config\":{\"axis\":1}}",
     "layer 'batch_normalization_100': axis: expected 3, got 1"},
    {"batch_normalization_100", "{\"config\":{\"epsilon\":0}}",
     "layer 'batch_normalization_100': epsilon: expected a number in (0, 1), got 0"},
    {"batch_normalization_100", "{\"inbound_nodes\":[[[\"gone\",0,0,{}]]]}",
     "layer 'batch_normalization_100': inbound_nodes: expected a layer of the topology, got "
     "[\"gone\",0,0,{}]"},
    {"batch_normalization_100", "{\"inbound_nodes\":[]}",
     "layer 'batch_normalization_100': inbound_nodes: expected one node with 1 input, got []"},
    /* a branch that starts at another layer, a loop, an output that is none */
    {"conv2d_100", "{\"inbound_nodes\":[[[\"activation_98\",0,0,{}]]]}",
     "layer 'activation_98': branches: expected all branches of a block to start at this layer, "
     "got "
     "\"pool_17\""},
    {"predictions", "{\"inbound_nodes\":[[[\"predictions\",0,0,{}]]]}",
     "layer 'predictions': inbound_nodes: expected no loop, got none"},
    {"avg_pool", "{\"class_name\":\"GlobalMaxPooling2D\"}",
     "layer 'avg_pool': class_name: expected AveragePooling2D, got \"GlobalMaxPooling2D\""},
    {"input_7", "{\"class_name\":\"Lambda\"}",
     "layer 'input_7': class_name: expected InputLayer, got \"Lambda\""},
};

static void change_layer(json_t *layer, const char *text)
{
    json_t *change = json_loads(text, 0, NULL), *config = json_object_get(change, "config");
    ck_assert_ptr_nonnull(change);
    if (config)
        json_object_update(json_object_get(layer, "config"), config);
    else
        json_object_update(layer, change);
    json_decref(change);
}

/* `model` with its layers replaced by a copy that the caller changes and releases. */
static json_t *copy_layers(tfjs_model *m)
{
    json_t *copy = json_deep_copy(m->layers);
    m->layers = copy;
    return copy;
}

static void expect_status(checkpoint *c, pts_status status, const char *message)
{
    pts_error err = {""};
    char expected[600];
    recipe r;
    pts_status got = inception_recipe(&r, c, &err);
    for (size_t i = 0; got == PTS_OK && i < r.count; i++) {
        float *values = malloc(r.items[i].count * sizeof *values);
        got = recipe_tensor(&r, i, values, &err);
        free(values);
    }
    recipe_free(&r);
    snprintf(expected, sizeof expected, "%s: %s", c->path, message);
    ck_assert_str_eq(err.message, expected);
    ck_assert_int_eq(got, status);
}

START_TEST(other_graphs_are_refused)
{
    checkpoint c;
    open_inception(&c);
    tfjs_model *m = checkpoint_tfjs(&c);
    const json_t *original = m->layers;
    for (size_t i = 0; i < sizeof graph_cases / sizeof *graph_cases; i++) {
        char message[300];
        json_t *layers = copy_layers(m);
        change_layer(find_layer(layers, graph_cases[i].layer), graph_cases[i].change);
        snprintf(message, sizeof message, "not InceptionV3: %s", graph_cases[i].message);
        expect_status(&c, PTS_ERR_UNSUPPORTED, message);
        json_decref(layers);
        m->layers = original;
    }
    checkpoint_close(&c);
}
END_TEST

/* The order of a concatenation is the order of channels: 1×1 and 5×5 give 64 channels each, so
 * nothing but the graph tells them apart. */
START_TEST(swapped_branches_are_refused)
{
    checkpoint c;
    recipe r;
    pts_error err;
    open_inception(&c);
    tfjs_model *m = checkpoint_tfjs(&c);
    const json_t *original = m->layers;
    json_t *layers = copy_layers(m), *layer = NULL, *node = NULL;
    size_t i;
    json_array_foreach(layers, i, layer)
    {
        node = json_array_get(json_object_get(layer, "inbound_nodes"), 0);
        if (strcmp(json_string_value(json_object_get(layer, "class_name")), "Concatenate") == 0 &&
            json_array_size(node) == 4)
            break;
    }
    json_t *first = json_incref(json_array_get(node, 0));
    json_array_remove(node, 0);
    json_array_insert_new(node, 1, first);
    ck_assert_int_eq(inception_recipe(&r, &c, &err), PTS_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "not InceptionV3: layer "));
    json_decref(layers);
    m->layers = original;
    ck_assert_int_eq(inception_recipe(&r, &c, &err), PTS_OK);
    recipe_free(&r);
    checkpoint_close(&c);
}
END_TEST

START_TEST(wrong_tensors_are_named)
{
    checkpoint c;
    open_inception(&c);
    checkpoint_tensor *kernel = checkpoint_find(&c, "conv2d_95/kernel"), saved = *kernel;
    kernel->shape[2] = 4;
    expect_status(&c, PTS_ERR_SHAPE,
                  "tensor 'conv2d_95/kernel': expected shape (3, 3, 3, 32), got (3, 3, 4, 32)");
    *kernel = saved;
    kernel->rank = 3;
    expect_status(&c, PTS_ERR_SHAPE,
                  "tensor 'conv2d_95/kernel': expected shape (3, 3, 3, 32), got (3, 3, 3)");
    *kernel = saved;
    size_t place = checkpoint_find(&c, "batch_normalization_96/moving_variance")->place;
    tfjs_tensor *variance = &checkpoint_tfjs(&c)->tensors[place], before = *variance;
    variance->min = -9;
    variance->scale = 0;
    expect_status(&c, PTS_ERR_NUMERIC,
                  "tensor 'batch_normalization_96/moving_variance': channel 0: expected ≥ 0 and a "
                  "finite fold, got -9");
    *variance = before;
    kernel->name[0] = 'x';
    ck_assert_int_eq(checkpoint_index(&c, NULL), PTS_OK);
    expect_status(&c, PTS_ERR_SHAPE,
                  "tensor 'conv2d_95/kernel': expected shape (3, 3, 3, 32), got no tensor");
    kernel->name[0] = 'c';
    checkpoint_tensor *top = NULL;
    for (size_t i = 0; i < c.count; i++)
        top = strcmp(c.tensors[i].name, "predictions/bias") == 0 ? &c.tensors[i] : top;
    top->name[0] = 'q';
    ck_assert_int_eq(checkpoint_index(&c, NULL), PTS_OK);
    expect_status(&c, PTS_ERR_SHAPE,
                  "tensor 'qredictions/bias': expected no such tensor in InceptionV3");
    checkpoint_close(&c);
}
END_TEST

/* ---- The program ---- */

START_TEST(program_converts)
{
    const char *folder = inception_folder();
    char single[96], half[96];
    snprintf(single, sizeof single, "%s/f32.ptsw", folder);
    snprintf(half, sizeof half, "%s/f16.ptsw", folder);
    ck_assert_msg(run_program("ptsconvert -o %s %s", single, folder) == 0, "%s", ran.err);
    ck_assert_msg(
        run_program("ptsconvert --arch inception_v3 --dtype f16 -o %s %s", half, folder) == 0, "%s",
        ran.err);
    pts_weights *a, *b;
    ck_assert_int_eq(pts_weights_open(&a, single, NULL), PTS_OK);
    ck_assert_int_eq(pts_weights_open(&b, half, NULL), PTS_OK);
    ck_assert_str_eq(pts_weights_meta(b, "arch"), "inception_v3");
    ck_assert_str_eq(pts_weights_meta(b, "source_sha256"), pts_weights_meta(a, "source_sha256"));
    for (size_t i = 0; i < 188; i++) {
        const pts_tensor *x = pts_weights_tensor(a, i), *y = pts_weights_tensor(b, i);
        ck_assert_str_eq(x->name, y->name);
        ck_assert_int_eq(y->dtype, PTS_F16);
        ck_assert_uint_eq(x->bytes, 2 * y->bytes);
        for (size_t k = 0; k < y->bytes / 2; k += 97) /* half an ulp of an 11-bit mantissa */
            ck_assert_float_eq_tol(pts_f32_from_f16(((const uint16_t *)y->data)[k]),
                                   ((const float *)x->data)[k],
                                   fabsf(((const float *)x->data)[k]) * 0x1p-11f + 0x1p-25f);
    }
    pts_weights_close(a);
    pts_weights_close(b);
    ck_assert_int_eq(run_program("ptsinfer info %s", half), 0);
    ck_assert_ptr_nonnull(
        strstr(ran.out, "Conv2d_1a_3x3.weight                     f16  3x3x3x32"));
    ck_assert_int_eq(run_program("ptsinfer info --json %s", half), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"checksum_ok\": true"));
    remove_folder(folder);
}
END_TEST

START_TEST(program_answers_and_refuses)
{
    static const struct {
        const char *program, *args;
        int code;
        const char *says;
    } cases[] = {
        {"ptsconvert", "--list DATA/mixed", 0,
         "a/u8                                     float32  (3, 3, 4, 5)         uint8 scale"},
        {"ptsconvert", "--list --json DATA/mixed", 0, "\"stored\": \"uint16 scale "},
        {"ptsconvert", "--version", 0, "ptsconvert "},
        {"ptsconvert", "-h", 0, "usage: ptsconvert "},
        {"ptsconvert", "-o /tmp/x DATA/mixed", 1, "not InceptionV3: layer 'dense': "},
        {"ptsconvert", "-o /tmp/x /nowhere", 1,
         "ptsconvert: /nowhere: No such file or directory\n"},
        {"ptsconvert", "-o /tmp/x DATA/mixed.bin", 1,
         "expected safetensors, a PyTorch checkpoint, a Keras HDF5 file or a TensorFlow.js model, "
         "got a file that starts with "},
        {"ptsconvert", "DATA/mixed", 2, "ptsconvert: expected -o OUT.ptsw or --list\n"},
        {"ptsconvert", "-o /tmp/x", 2, "ptsconvert: expected one IN, got 0\n"},
        {"ptsconvert", "-o /tmp/x --arch vgg DATA/mixed", 2,
         "ptsconvert: --arch: expected auto, inception_v3, clip_vit or head, got 'vgg'\n"},
        {"ptsconvert", "-o /tmp/x --dtype f8 DATA/mixed", 2,
         "ptsconvert: --dtype: expected f32 or f16, got 'f8'\n"},
        {"ptsinfer", "info", 2, "ptsinfer info: expected one FILE.ptsw, got 0\n"},
        {"ptsinfer", "info DATA/mixed.bin", 1,
         "not a .ptsw file: expected 50 54 53 57 0d 0a 1a 0a at its start"},
        {"ptsinfer", "info /nowhere", 1, "ptsinfer info: /nowhere: No such file or directory\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char args[4200];
        const char *data = strstr(cases[i].args, "DATA");
        if (data)
            snprintf(args, sizeof args, "%.*s%s%s", (int)(data - cases[i].args), cases[i].args,
                     data_path(""), data + 5);
        else
            snprintf(args, sizeof args, "%s", cases[i].args);
        int code = run_program("%s %s 2>&1", cases[i].program, args);
        ck_assert_msg(code == cases[i].code && strstr(ran.out, cases[i].says), "%s %s: %s",
                      cases[i].program, args, ran.out);
    }
    ck_assert_int_ne(access("/tmp/x", F_OK), 0);
}
END_TEST

/* A package file that is not the recorded one never reaches the converter. */
START_TEST(fetch_checks_what_it_got)
{
    static const struct {
        const char *args;
        int code;
        const char *says;
    } cases[] = {
        {"--from mixed.bin", 1, "mixed.bin: expected 24973068 bytes, got 940\n"},
        {"--from zeros", 1, "zeros: expected SHA-512 92b0b57e07932d7b59c20769289d239bb86abf48134"},
        {"--from nowhere", 1, "nowhere: expected a file, got none\n"},
        {"--from mixed.bin openai-clip-vit-b32", 1,
         "mixed.bin: expected 353976522 bytes, got 940\n"},
        {"--from file:///nowhere/x keras-inception", 1, "/nowhere/x: expected a file, got none\n"},
        {"--from mixed.bin torchvision-inception", 1,
         "mixed.bin: expected 108949747 bytes, got 940\n"},
        {"vgg", 2, "fetch-weights: no weights 'vgg' (-h shows the usage)\n"},
        {"--from", 2, "fetch-weights: --from: expected a path, got nothing (-h shows the usage)\n"},
    };
    const char *build = getenv("PTS_TEST_BUILD"), *folder = new_folder();
    char *small;
    size_t size;
    ck_assert_int_eq(pts_read_file(data_path("mixed.bin"), 1 << 20, &small, &size, NULL), PTS_OK);
    put_file(in_folder(folder, "mixed.bin"), small, size);
    free(small);
    put_file(in_folder(folder, "zeros"), "", 0);
    ck_assert_int_eq(truncate(in_folder(folder, "zeros"), 24973068), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int code =
            run_program("cd %s && %s../../../tools/fetch-weights --build %s --into %s %s 2>&1",
                        folder, data_path(""), build ? build : "build", folder, cases[i].args);
        ck_assert_msg(code == cases[i].code && strstr(ran.out, cases[i].says), "%s", ran.out);
    }
    ck_assert_int_ne(access(in_folder(folder, "inception_v3.ptsw"), F_OK), 0);
    remove_folder(folder);
}
END_TEST

CHECK_SUITE("convert", literals_become_json, what_would_have_to_run_is_refused, hostile_literals,
            base64_of_rfc_4648, every_storage_equals_numpy, source_is_described, hostile_manifests,
            hostile_files, inception_folds_as_numpy_does, other_graphs_are_refused,
            swapped_branches_are_refused, wrong_tensors_are_named, program_converts,
            program_answers_and_refuses, fetch_checks_what_it_got)
