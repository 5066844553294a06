/* ptsconvert: a model file of someone else's → one .ptsw file. */
#include "cli/cli.h"
#include "convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *arch, *dtype, *out, *in;
    bool list, json;
} options;

/* Replaces a tensor's data by binary16. */
static pts_status narrow(pts_tensor *t, pts_error *err)
{
    const float *wide = t->data;
    size_t count = t->bytes / sizeof *wide;
    uint16_t *half = malloc(count * sizeof *half);
    if (!half)
        return convert_fail(err, PTS_ERR_MEMORY, "tensor '%s': out of memory", t->name);
    for (size_t i = 0; i < count; i++) {
        half[i] = pts_f16_from_f32(wide[i]);
        if (!isfinite(pts_f32_from_f16(half[i]))) {
            free(half);
            return convert_fail(err, PTS_ERR_NUMERIC,
                                "tensor '%s': element %zu: expected at most 65504 for f16, got %g",
                                t->name, i, (double)wide[i]);
        }
    }
    free((void *)(uintptr_t)t->data);
    t->data = half;
    t->dtype = PTS_F16;
    t->bytes = count * sizeof *half;
    return PTS_OK;
}

static pts_status write_out(const options *o, converted *c, pts_error *err)
{
    for (size_t i = 0; strcmp(o->dtype, "f16") == 0 && i < c->count; i++)
        CONVERT_TRY(narrow(&c->tensors[i], err));
    return pts_weights_write(o->out, c->meta, c->meta_count, c->tensors, c->count, err);
}

static int convert(const cli_syntax *syntax, const options *o, tfjs_model *model)
{
    pts_error err;
    converted c;
    if (inception_v3_convert(model, &c, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    pts_status status = write_out(o, &c, &err);
    size_t count = c.count;
    converted_free(&c);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    fprintf(stderr, "%s: wrote %s (inception_v3, %zu tensors, %s)\n", syntax->command, o->out,
            count, o->dtype);
    return CLI_DONE;
}

static json_t *tensor_json(const tfjs_tensor *t)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
    json_t *row = json_pack("{s:s, s:s, s:o, s:s}", "name", t->name, "dtype", t->dtype, "shape",
                            shape, "stored", tfjs_storage_name(t->storage));
    if (t->storage == TFJS_U8 || t->storage == TFJS_U16) {
        json_object_set_new(row, "scale", cli_json_real(t->scale));
        json_object_set_new(row, "min", cli_json_real(t->min));
    }
    return row;
}

static void list_json(const tfjs_model *model, const char *arch, const char *why)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < model->tensor_count; i++)
        json_array_append_new(rows, tensor_json(&model->tensors[i]));
    cli_print_json(json_pack("{s:s, s:s?, s:s, s:o}", "model", model->src.model, "arch", arch,
                             "why", why, "tensors", rows));
}

static void list_text(const tfjs_model *model, const char *arch, const char *why)
{
    size_t elements = 0;
    for (size_t i = 0; i < model->tensor_count; i++) {
        const tfjs_tensor *t = &model->tensors[i];
        char shape[128];
        printf("%-40s %-8s %-20s %s", t->name, t->dtype, shape_text(shape, t->rank, t->shape),
               tfjs_storage_name(t->storage));
        if (t->storage == TFJS_U8 || t->storage == TFJS_U16)
            printf(" scale %.9g min %.9g", t->scale, t->min);
        putchar('\n');
        elements += t->count;
    }
    printf("%zu tensors, %zu numbers\narch: %s (%s)\n", model->tensor_count, elements,
           arch ? arch : "unknown", why);
}

static int list(const options *o, const tfjs_model *model)
{
    pts_error err;
    bool known = inception_v3_match(model, &err) == PTS_OK;
    const char *arch = known ? "inception_v3" : NULL;
    const char *why =
        known ? "94 convolutions, connected and shaped as Keras InceptionV3's" : err.message;
    if (o->json)
        list_json(model, arch, why);
    else
        list_text(model, arch, why);
    return CLI_DONE;
}

static int check_options(const cli_syntax *syntax, const options *o, size_t operands)
{
    if (operands != 1)
        return cli_wrong(syntax, "expected one IN, got %zu", operands);
    if (!o->list && !o->out)
        return cli_wrong(syntax, "expected -o OUT.ptsw or --list");
    if (o->json && !o->list)
        return cli_wrong(syntax, "--json: expected --list with it");
    if (strcmp(o->arch, "auto") != 0 && strcmp(o->arch, "inception_v3") != 0)
        return cli_wrong(syntax, "--arch: expected auto or inception_v3, got '%s'", o->arch);
    if (strcmp(o->dtype, "f32") != 0 && strcmp(o->dtype, "f16") != 0)
        return cli_wrong(syntax, "--dtype: expected f32 or f16, got '%s'", o->dtype);
    return -1;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    options *o = user;
    int code = check_options(syntax, o, operands->count);
    if (code >= 0)
        return code;
    pts_error err;
    tfjs_model model;
    o->in = operands->items[0];
    if (tfjs_open(&model, o->in, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    code = o->list ? list(o, &model) : convert(syntax, o, &model);
    tfjs_close(&model);
    return code;
}

int main(int argc, char **argv)
{
    options o = {.arch = "auto", .dtype = "f32"};
    const cli_option table[] = {
        {"--out", 'o', CLI_TEXT, &o.out, "OUT.ptsw", "the file to write"},
        {"--arch", 0, CLI_TEXT, &o.arch, "NAME", "auto (default) or inception_v3"},
        {"--dtype", 0, CLI_TEXT, &o.dtype, "TYPE", "f32 (default) or f16"},
        {"--list", 0, CLI_FLAG, &o.list, NULL, "print tensors and architecture, write nothing"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "with --list: as JSON"},
    };
    const cli_syntax syntax = {
        "ptsconvert",
        "[--arch auto|inception_v3] [--dtype f32|f16] [--list] -o OUT.ptsw IN\n\n"
        "IN: a TensorFlow.js layers model (folder or model.json), or an unpacked nsfwjs package",
        "ptsconvert -o weights/inception_v3.ptsw package", table, sizeof table / sizeof *table};
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("ptsconvert %s\n", PTS_VERSION_STRING);
        return CLI_DONE;
    }
    return cli_run(&syntax, argc, argv, run, &o);
}
