/* ptsconvert: a model file of someone else's → one .ptsw file. */
#include "arch.h"
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *arch, *dtype, *out, *in;
    bool list, json;
    settings set;
} options;

/* ---- Writing ---- */

/* One tensor at a time, in a block as large as the largest. */
typedef struct producer {
    const recipe *r;
    float *values;
    bool half;
} producer;

static pts_status narrow(const recipe_item *item, float *values, pts_error *err)
{
    unsigned char *to = (unsigned char *)values;
    for (size_t i = 0; i < item->count; i++) { /* forwards: no half passes the float it is of */
        float wide = values[i];
        uint16_t half = pts_f16_from_f32(wide);
        if (!isfinite(pts_f32_from_f16(half)))
            return pts_fail(err, PTS_ERR_NUMERIC,
                            "tensor '%s': element %zu: expected at most 65504 for f16, got %g",
                            item->name, i, (double)wide);
        memcpy(to + 2 * i, &half, sizeof half);
    }
    return PTS_OK;
}

static pts_status produce(void *user, size_t index, const void **data, pts_error *err)
{
    const producer *from = user;
    PTS_TRY(recipe_tensor(from->r, index, from->values, err));
    if (from->half)
        PTS_TRY(narrow(&from->r->items[index], from->values, err));
    *data = from->values;
    return PTS_OK;
}

static void list_tensors(const recipe *r, bool half, pts_tensor *out, size_t *largest)
{
    for (size_t i = 0; i < r->count; i++) {
        const recipe_item *item = &r->items[i];
        out[i] = (pts_tensor){.name = item->name, .dtype = half ? PTS_F16 : PTS_F32};
        out[i].rank = item->rank;
        memcpy(out[i].shape, item->shape, sizeof out[i].shape);
        out[i].bytes = item->count * (half ? 2 : 4);
        *largest = item->count > *largest ? item->count : *largest;
    }
}

static pts_status write_recipe(const options *o, const recipe *r, pts_error *err)
{
    size_t largest = 1;
    producer from = {.r = r, .half = strcmp(o->dtype, "f16") == 0};
    pts_tensor *tensors;
    PTS_TRY(pts_new(&tensors, r->count, sizeof *tensors, err));
    list_tensors(r, from.half, tensors, &largest);
    pts_status status = pts_new(&from.values, largest, sizeof *from.values, err);
    if (status == PTS_OK)
        status = pts_weights_write_from(o->out, r->meta, r->meta_count, tensors, r->count, produce,
                                        &from, err);
    free(from.values);
    free(tensors);
    return status;
}

static pts_status convert(const options *o, checkpoint *c, const architecture **arch, size_t *count,
                          pts_error *err)
{
    recipe r;
    char why[256];
    PTS_TRY(architecture_find(c, o->arch, arch, why, err));
    PTS_TRY(recipe_build(&r, c, *arch, &o->set, err));
    pts_status status = write_recipe(o, &r, err);
    *count = r.count;
    recipe_free(&r);
    return status;
}

/* A failure's message; names in it come from files: no terminal codes. */
static const char *printable(pts_error *err)
{
    for (char *at = err->message; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
    return err->message;
}

/* ---- Listing ---- */

typedef struct verdict {
    const char *arch; /* NULL: unknown */
    char why[900];
    bool fits; /* every tensor is there */
} verdict;

/* What the file is taken for, and whether it would convert; no tensor is read. */
static verdict judge(const options *o, checkpoint *c)
{
    verdict v = {.arch = NULL};
    const architecture *a;
    recipe r;
    char why[256];
    pts_error err;
    if (architecture_find(c, o->arch, &a, why, &err) != PTS_OK) {
        snprintf(v.why, sizeof v.why, "%s", why);
        return v;
    }
    v.fits = recipe_build(&r, c, a, &o->set, &err) == PTS_OK;
    v.arch = v.fits || !checkpoint_tfjs(c) ? a->name : NULL;
    if (v.fits) {
        snprintf(v.why, sizeof v.why, "%s; makes %zu tensors", why, r.count);
        recipe_free(&r);
    } else if (v.arch)
        snprintf(v.why, sizeof v.why, "%s; but %s", why, printable(&err));
    else
        snprintf(v.why, sizeof v.why, "%s", printable(&err));
    return v;
}

static json_t *tensor_json(const checkpoint_tensor *t)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
    return json_pack("{s:s, s:s, s:o, s:s}", "name", t->name, "dtype", t->dtype_name, "shape",
                     shape, "stored", *t->stored ? t->stored : t->dtype_name);
}

static void list_json(const checkpoint *c, const verdict *v)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < c->count; i++)
        json_array_append_new(rows, tensor_json(&c->tensors[i]));
    cli_print_json(json_pack("{s:o, s:s, s:s?, s:b, s:o, s:o}", "model", pts_json_text(c->path),
                             "format", c->format, "arch", v->arch, "complete", (int)v->fits, "why",
                             pts_json_text(v->why), "tensors", rows));
}

static void list_text(const checkpoint *c, const verdict *v)
{
    size_t elements = 0;
    for (size_t i = 0; i < c->count; i++) {
        const checkpoint_tensor *t = &c->tensors[i];
        char shape[128];
        shape_text(shape, t->rank, t->shape);
        printf(*t->stored ? "%-40s %-8s %-20s %s\n" : "%-40s %-8s %s%s\n", t->name, t->dtype_name,
               shape, t->stored);
        elements += t->count;
    }
    printf("%zu tensors, %zu numbers\nformat: %s\narch: %s (%s)\n", c->count, elements, c->format,
           v->arch ? v->arch : "unknown", v->why);
}

static void list(const options *o, checkpoint *c)
{
    verdict v = judge(o, c);
    if (o->json)
        list_json(c, &v);
    else
        list_text(c, &v);
}

/* ---- Usage ---- */

static bool is_digest(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static int check_settings(const cli_syntax *syntax, const settings *s)
{
    if (s->activation && strcmp(s->activation, "quick_gelu") != 0 &&
        strcmp(s->activation, "gelu") != 0)
        return cli_wrong(syntax, "--activation: expected quick_gelu or gelu, got '%s'",
                         s->activation);
    if (s->heads < 0 || s->heads > 1024)
        return cli_wrong(syntax, "--heads: expected 1 … 1024, got %ld", s->heads);
    if (s->encoder && !is_digest(s->encoder))
        return cli_wrong(syntax, "--encoder: expected 64 hexadecimal digits, got '%s'", s->encoder);
    return -1;
}

static int check_options(const cli_syntax *syntax, const options *o, size_t operands)
{
    if (operands != 1)
        return cli_wrong(syntax, "expected one IN, got %zu", operands);
    if (!o->list && !o->out)
        return cli_wrong(syntax, "expected -o OUT.ptsw or --list");
    if (o->json && !o->list)
        return cli_wrong(syntax, "--json: expected --list with it");
    if (strcmp(o->arch, "auto") != 0 && !architecture_known(o->arch))
        return cli_wrong(syntax, "--arch: expected auto, " ARCHITECTURE_NAMES ", got '%s'",
                         o->arch);
    if (strcmp(o->dtype, "f32") != 0 && strcmp(o->dtype, "f16") != 0)
        return cli_wrong(syntax, "--dtype: expected f32 or f16, got '%s'", o->dtype);
    return check_settings(syntax, &o->set);
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    options *o = user;
    int code = check_options(syntax, o, operands->count);
    if (code >= 0)
        return code;
    pts_error err;
    checkpoint c;
    const architecture *arch = NULL;
    size_t count = 0;
    o->in = operands->items[0];
    pts_status status = checkpoint_open(&c, o->in, &err);
    if (status == PTS_OK && o->list)
        list(o, &c);
    else if (status == PTS_OK)
        status = convert(o, &c, &arch, &count, &err);
    checkpoint_close(&c);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", printable(&err));
    if (arch)
        fprintf(stderr, "%s: wrote %s (%s, %zu tensors, %s)\n", syntax->command, o->out, arch->name,
                count, o->dtype);
    return CLI_DONE;
}

int main(int argc, char **argv)
{
    options o = {.arch = "auto", .dtype = "f32"};
    const cli_option table[] = {
        {"--out", 'o', CLI_TEXT, &o.out, "OUT.ptsw", "the file to write"},
        {"--arch", 0, CLI_TEXT, &o.arch, "NAME", "auto (default), " ARCHITECTURE_NAMES},
        {"--dtype", 0, CLI_TEXT, &o.dtype, "TYPE", "f32 (default) or f16"},
        {"--list", 0, CLI_FLAG, &o.list, NULL, "print tensors and architecture, write nothing"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "with --list: as JSON"},
        {"--raw-input", 0, CLI_FLAG, &o.set.raw_input, NULL,
         "InceptionV3: no input transform in the first convolution"},
        {"--activation", 0, CLI_TEXT, &o.set.activation, "NAME",
         "CLIP: quick_gelu or gelu (config.json, else by the file's family)"},
        {"--heads", 0, CLI_INTEGER, &o.set.heads, "N", "CLIP: (config.json, else width / 64)"},
        {"--encoder", 0, CLI_TEXT, &o.set.encoder, "SHA256",
         "head: the encoder's source_sha256, for predict to check (any)"},
        {"--source", 0, CLI_TEXT, &o.set.source, "TEXT", "recorded origin (the file's name)"},
        {"--licence", 0, CLI_TEXT, &o.set.licence, "TEXT", "recorded licence (unknown)"},
    };
    const cli_syntax syntax = {
        "ptsconvert",
        "[--arch NAME] [--dtype f32|f16] [--list] -o OUT.ptsw IN\n\n"
        "IN: safetensors (also an index of shards), a PyTorch checkpoint of any age or a "
        "TorchScript\narchive, a Keras HDF5 file, a TensorFlow.js layers model, or a folder as "
        "Hugging Face,\nTensorFlow.js or the nsfwjs package have it. Nothing in it is ever run.",
        "ptsconvert -o weights/clip_vit.ptsw clip-vit-base-patch32", table,
        sizeof table / sizeof *table};
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("ptsconvert %s\n", PTS_VERSION_STRING);
        return CLI_DONE;
    }
    return cli_run(&syntax, argc, argv, run, &o);
}
