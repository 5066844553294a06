/* Files of measured curves: csv, or the study's processed_result.json, read with jansson. */
#include "curve/table.h"
#include "base/error.h"
#include "base/memory.h"
#include "pts/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PTS_HAVE_JSON
#include <jansson.h>
#include <math.h>

typedef struct reader {
    const char *path, *stem;
    point_table rows;
    char (*names)[32];                /* [curves] class numbers as text, as rows borrow them */
    const char *dataset, *class_name; /* of the curve at hand */
} reader;

static pts_status wrong(const reader *in, size_t curve, const char *expected, pts_error *err)
{
    return pts_fail(err, PTS_ERR_FORMAT, "%s: curve %zu: expected %s", in->path, curve + 1,
                    expected);
}

static pts_status read_point(reader *in, size_t curve, size_t k, const json_t *size,
                             const json_t *triple, pts_error *err)
{
    table_row row = {.dataset = in->dataset, .class_name = in->class_name, .weight = 1};
    row.n = json_number_value(size);
    if (!json_is_number(size) || row.n < 1 || row.n > 1e9 || row.n != floor(row.n))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: curve %zu: cls_tl_dict[%zu]: expected a whole number ≥ 1", in->path,
                        curve + 1, k);
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_get(triple, i);
        row.values[i] = json_number_value(value);
        if (!json_is_number(value) || !(row.values[i] >= 0 && row.values[i] <= 100))
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: curve %zu: result_dict \"%zu\": expected [mAP, mAP50, mAP75], "
                            "each a number in 0 … 100",
                            in->path, curve + 1, k);
    }
    return pts_table_add(&in->rows, row, err);
}

/* A text where a class has a name only, as our own exports write it (store/export.c). */
static pts_status name_class(reader *in, size_t curve, const json_t *number, pts_error *err)
{
    if (json_is_string(number) && json_string_length(number) < sizeof *in->names)
        snprintf(in->names[curve], sizeof *in->names, "%s", json_string_value(number));
    else if (json_is_integer(number))
        snprintf(in->names[curve], sizeof *in->names, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(number));
    else
        return wrong(in, curve, "class_num, a whole number or a short name", err);
    return PTS_OK;
}

/* Our own files say which data set and class a curve is of: class 0 of two data sets is two. */
static void name_curve(reader *in, size_t curve, const json_t *object)
{
    const char *dataset = json_string_value(json_object_get(object, "dataset"));
    const char *class_name = json_string_value(json_object_get(object, "class"));
    in->dataset = dataset ? dataset : in->stem;
    in->class_name = class_name ? class_name : in->names[curve];
}

static pts_status read_curve(reader *in, size_t curve, const json_t *object, pts_error *err)
{
    const json_t *sizes = json_object_get(object, "cls_tl_dict");
    const json_t *results = json_object_get(object, "result_dict");
    PTS_TRY(name_class(in, curve, json_object_get(object, "class_num"), err));
    name_curve(in, curve, object);
    if (!json_is_array(sizes) || !json_is_object(results))
        return wrong(in, curve, "cls_tl_dict, a list, and result_dict, an object", err);
    /* an early stop leaves fewer results than sizes */
    if (json_object_size(results) > json_array_size(sizes))
        return wrong(in, curve, "no more results than sizes", err);
    for (size_t k = 0; k < json_object_size(results); k++) {
        char key[32];
        snprintf(key, sizeof key, "%zu", k);
        PTS_TRY(
            read_point(in, curve, k, json_array_get(sizes, k), json_object_get(results, key), err));
    }
    return PTS_OK;
}

/* The names are taken before the rows, which borrow them until the set is built. */
static pts_status read_list(reader *in, const json_t *list, pts_curve_set **out, pts_error *err)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a list of curves", in->path);
    if (count > PTS_TABLE_CURVES)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %d curves, got %zu", in->path,
                        PTS_TABLE_CURVES, count);
    PTS_TRY(pts_new(&in->names, count, sizeof *in->names, err));
    for (size_t i = 0; i < count; i++)
        PTS_TRY(read_curve(in, i, json_array_get(list, i), err));
    return pts_table_build(&in->rows, in->path, out, err);
}

/* "runs/feet-14.json" → "feet-14", in a new string. */
static char *stem(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path);
    if (name)
        *strrchr(name, '.') = '\0';
    return name;
}

/* Keys that occur twice are refused: one result would hide another. */
static pts_status parse(const char *path, const char *text, size_t size, pts_curve_set **out,
                        pts_error *err)
{
    json_error_t where;
    json_t *list = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    if (!list)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: line %d: %s", path, where.line, where.text);
    char *name = stem(path);
    reader in = {.path = path, .stem = name};
    pts_status status = name ? read_list(&in, list, out, err) : pts_fail_memory(err, strlen(path));
    free(in.rows.rows);
    free(in.names);
    free(name);
    json_decref(list);
    return status;
}

static pts_status read_json(const char *path, pts_curve_set **out, pts_error *err)
{
    char *text;
    size_t size;
    *out = NULL;
    PTS_TRY(pts_read_file(path, PTS_TABLE_BYTES, &text, &size, err));
    pts_status status = parse(path, text, size, out, err);
    free(text);
    return status;
}

#else

static pts_status read_json(const char *path, pts_curve_set **out, pts_error *err)
{
    *out = NULL;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: this build reads no JSON (jansson)", path);
}

#endif

static pts_status read_curves(pts_curve_set **out, const char *path, table_kind kind,
                              pts_error *err)
{
    return pts_path_ends(path, ".json") ? read_json(path, out, err)
                                        : pts_table_read_csv(path, kind, out, err);
}

pts_status pts_curves_read(pts_curve_set **out, const char *path, pts_error *err)
{
    return read_curves(out, path, TABLE_CURVES, err);
}

pts_status pts_curves_read_rows(pts_curve_set **out, const char *path, pts_error *err)
{
    return read_curves(out, path, TABLE_EVERY_ROW, err);
}
