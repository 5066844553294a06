/* Where a model's bytes come from. Only files below the given path are read (and the package.json
 * of the package that it lies in): names in a manifest that lead elsewhere are refused. */
#include "checkpoint.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* Name, version and licence of the npm package whose root is `folder`/`up`, if it is one. */
static void read_package(source *src, const char *folder, const char *up)
{
    char *text, *path, *root;
    size_t size;
    if (src->origin || pts_text(&root, NULL, "%s%s", folder, up) != PTS_OK)
        return;
    path = file_in(root, "package.json");
    free(root);
    if (!path)
        return;
    pts_status status = pts_read_file(path, CONVERT_MODEL_MAX, &text, &size, NULL);
    free(path);
    if (status != PTS_OK)
        return;
    json_t *package = json_loadb(text, size, 0, NULL);
    const char *name = json_string_value(json_object_get(package, "name"));
    const char *version = json_string_value(json_object_get(package, "version"));
    const char *licence = json_string_value(json_object_get(package, "license"));
    if (name && version)
        pts_text(&src->origin, NULL, "npm package %s %s", name, version);
    if (src->origin && licence)
        src->licence = strdup(licence);
    json_decref(package);
    free(text);
}

static pts_status take(source *out, const char *folder, char *model, bool packed, pts_error *err)
{
    out->model = model;
    out->packed = packed;
    pts_sha256_init(&out->hash);
    PTS_TRY(pts_text(&out->folder, err, "%s", folder));
    read_package(out, folder, "");
    if (packed)
        read_package(out, folder, "/../../.."); /* from dist/models/NAME to the package's root */
    return PTS_OK;
}

static pts_status find_in_folder(source *out, const char *folder, pts_error *err)
{
    char *nested, *model = file_in(folder, "model.json");
    if (model)
        return take(out, folder, model, false, err);
    model = file_in(folder, "model.min.js");
    if (model)
        return take(out, folder, model, true, err);
    PTS_TRY(pts_text(&nested, err, "%s/dist/models/inception_v3", folder));
    model = file_in(nested, "model.min.js");
    pts_status status =
        model ? take(out, nested, model, true, err)
              : pts_fail(err, PTS_ERR_UNSUPPORTED,
                         "%s: expected a TensorFlow.js model (model.json or model.min.js) or "
                         "the nsfwjs package (dist/models/inception_v3/model.min.js)",
                         folder);
    free(nested);
    return status;
}

static pts_status find_file(source *out, const char *path, pts_error *err)
{
    bool json = pts_path_ends(path, ".json"), packed = pts_path_ends(path, ".js");
    if (!json && !packed)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: expected a TensorFlow.js model: a folder, model.json or "
                        "model.min.js",
                        path);
    char *model, *folder = folder_of(path);
    pts_status status = folder ? pts_text(&model, err, "%s", path) : pts_fail_memory(err, 1);
    if (status == PTS_OK)
        status = take(out, folder, model, packed, err);
    free(folder);
    return status;
}

pts_status source_find(source *out, const char *path, pts_error *err)
{
    bool folder;
    *out = (source){0};
    PTS_TRY(path_is_folder(path, &folder, err));
    pts_status status = folder ? find_in_folder(out, path, err) : find_file(out, path, err);
    if (status != PTS_OK)
        source_free(out);
    return status;
}

void source_free(source *src)
{
    free(src->model);
    free(src->folder);
    free(src->origin);
    free(src->licence);
    *src = (source){0};
}

/* The text after exports= of a script, as JSON, in place of *text. */
static pts_status unpack_model(const char *path, char **text, size_t *size, pts_error *err)
{
    pts_error inner;
    char *json;
    size_t json_size, used;
    const char *literal = js_find_exports(*text, *size);
    if (!literal || *literal != '{')
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected 'exports = { … }', got none", path);
    size_t from = (size_t)(literal - *text);
    pts_status status = js_to_json(literal, *size - from, &json, &json_size, &used, &inner);
    if (status != PTS_OK)
        return pts_fail(err, status, "%s: object literal at byte %zu: %s", path, from,
                        inner.message);
    free(*text);
    *text = json;
    *size = json_size;
    return PTS_OK;
}

pts_status source_model(source *src, json_t **out, pts_error *err)
{
    char *text;
    size_t size;
    *out = NULL;
    PTS_TRY(pts_read_file(src->model, CONVERT_MODEL_MAX, &text, &size, err));
    pts_sha256_update(&src->hash, text, size);
    pts_status status = src->packed ? unpack_model(src->model, &text, &size, err) : PTS_OK;
    if (status == PTS_OK)
        status = json_of(out, src->model, text, size, err);
    free(text);
    return status;
}

/* exports="…" of a script, decoded, in place of *data. */
static pts_status unpack_shard(const char *path, char *data, size_t *size, pts_error *err)
{
    const char *literal = js_find_exports(data, *size);
    if (!literal || (*literal != '"' && *literal != '\''))
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected 'exports = \"base64\"', got none", path);
    size_t from = (size_t)(literal - data) + 1;
    const char *end = memchr(data + from, *literal, *size - from);
    if (!end)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: the string at byte %zu has no end (file cut?)",
                        path, from - 1);
    size_t length = (size_t)(end - data) - from, decoded = length;
    memmove(data, data + from, length);
    if (!base64_decode(data, &decoded))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: base64 of %zu characters: bad character, length or end at %zu", path,
                        length, decoded);
    *size = decoded;
    return PTS_OK;
}

pts_status source_shard(source *src, const char *name, char **data, size_t *size, pts_error *err)
{
    char *path;
    *data = NULL;
    if (!name_is_safe(name))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: weightsManifest: paths: expected a file beside the model, got "
                        "'%.80s'",
                        src->model, name);
    PTS_TRY(pts_text(&path, err, "%s/%s%s", src->folder, name, src->packed ? ".min.js" : ""));
    pts_status status = pts_read_file(path, CONVERT_SHARD_MAX, data, size, err);
    if (status == PTS_OK) {
        pts_sha256_update(&src->hash, *data, *size);
        if (src->packed)
            status = unpack_shard(path, *data, size, err);
    }
    if (status != PTS_OK) {
        free(*data);
        *data = NULL;
    }
    free(path);
    return status;
}
