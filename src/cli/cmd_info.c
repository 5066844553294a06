/* ptsinfer info: what a .ptsw file holds, and whether it is whole. */
#include "cli/cli.h"
#include "cli/commands.h"

#include "pts/weights.h"

#include <inttypes.h>
#include <stdio.h>

static const char *dtype_name(pts_dtype dtype)
{
    return dtype == PTS_F32 ? "f32" : "f16";
}

static size_t elements(const pts_tensor *tensor)
{
    return tensor->bytes / (tensor->dtype == PTS_F32 ? 4 : 2);
}

static void print_row(const pts_tensor *tensor)
{
    char shape[96];
    int used = snprintf(shape, sizeof shape, "%zu", tensor->shape[0]);
    for (int i = 1; i < tensor->rank; i++)
        used += snprintf(shape + used, sizeof shape - (size_t)used, "x%zu", tensor->shape[i]);
    printf("  %-40s %s  %-18s %12zu\n", tensor->name, dtype_name(tensor->dtype), shape,
           tensor->bytes);
}

static int print_text(const pts_weights *weights)
{
    size_t numbers = 0, bytes = 0, count = pts_weights_count(weights);
    for (size_t i = 0; i < pts_weights_meta_count(weights); i++) {
        const pts_meta *meta = pts_weights_meta_at(weights, i);
        printf("%-14s %s\n", meta->key, meta->value);
    }
    printf("\n  %-40s %s  %-18s %12s\n", "tensor", "type", "shape", "bytes");
    for (size_t i = 0; i < count; i++) {
        const pts_tensor *tensor = pts_weights_tensor(weights, i);
        print_row(tensor);
        numbers += elements(tensor);
        bytes += tensor->bytes;
    }
    printf("\n%zu tensors, %zu numbers, %zu bytes of data, file %zu bytes\n", count, numbers, bytes,
           pts_weights_file_size(weights));
    printf("checksum %016" PRIx64 " ok\n", pts_weights_checksum(weights));
    return CLI_DONE;
}

#ifdef PTS_HAVE_JSON
static json_t *tensor_json(const pts_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    return json_pack("{s:s, s:s, s:o, s:I}", "name", tensor->name, "dtype",
                     dtype_name(tensor->dtype), "shape", shape, "bytes", (json_int_t)tensor->bytes);
}

static int print_json(const cli_syntax *syntax, const pts_weights *weights)
{
    (void)syntax;
    char checksum[17];
    json_t *metadata = json_object(), *tensors = json_array();
    json_int_t numbers = 0;
    for (size_t i = 0; i < pts_weights_meta_count(weights); i++) {
        const pts_meta *meta = pts_weights_meta_at(weights, i);
        json_object_set_new(metadata, meta->key, pts_json_text(meta->value));
    }
    for (size_t i = 0; i < pts_weights_count(weights); i++) {
        const pts_tensor *tensor = pts_weights_tensor(weights, i);
        json_array_append_new(tensors, tensor_json(tensor));
        numbers += (json_int_t)elements(tensor);
    }
    snprintf(checksum, sizeof checksum, "%016" PRIx64, pts_weights_checksum(weights));
    cli_print_json(json_pack(
        "{s:o, s:I, s:s, s:b, s:I, s:o, s:o}", "file", pts_json_text(pts_weights_path(weights)),
        "file_bytes", (json_int_t)pts_weights_file_size(weights), "checksum", checksum,
        "checksum_ok", 1, "numbers", numbers, "metadata", metadata, "tensors", tensors));
    return CLI_DONE;
}
#else
static int print_json(const cli_syntax *syntax, const pts_weights *weights)
{
    (void)weights;
    return cli_fail(syntax, "--json: built without jansson");
}
#endif

static int run(const cli_syntax *syntax, const cli_list *operands, void *json)
{
    if (operands->count != 1)
        return cli_wrong(syntax, "expected one FILE.ptsw, got %zu", operands->count);
    pts_error err;
    pts_weights *weights;
    if (pts_weights_open(&weights, operands->items[0], &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    int code = *(const bool *)json ? print_json(syntax, weights) : print_text(weights);
    pts_weights_close(weights);
    return code;
}

int cmd_info(int argc, char **argv)
{
    bool json = false;
    const cli_option table[] = {
        {"--json", 0, CLI_FLAG, &json, NULL, "print as JSON"},
    };
    return CLI_RUN(table, argc, argv, run, &json, "ptsinfer info", "[--json] FILE.ptsw",
                   "ptsinfer info weights/inception_v3.ptsw");
}
