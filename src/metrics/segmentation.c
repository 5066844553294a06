#include "metrics/segmentation.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

const char *pts_coco_json_kind(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

static pts_status read_numbers(double *xy, size_t count, const json_t *part, size_t index,
                               pts_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(part, i);
        if (!json_is_number(number))
            return pts_fail(err, PTS_ERR_FORMAT,
                            "segmentation[%zu][%zu]: expected a number, got %s", index, i,
                            pts_coco_json_kind(number));
        xy[i] = json_number_value(number);
    }
    return PTS_OK;
}

pts_status pts_coco_segmentation_polygon(double **xy, size_t *count, const json_t *parts,
                                         size_t index, pts_error *err)
{
    const json_t *part = json_array_get(parts, index);
    *xy = NULL;
    *count = json_array_size(part);
    if (!json_is_array(part) || *count < 6 || *count % 2)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "segmentation[%zu]: expected an even count of at least 6 numbers, got %zu",
                        index, *count);
    PTS_TRY(pts_new(xy, *count, sizeof **xy, err));
    pts_status status = read_numbers(*xy, *count, part, index, err);
    if (status != PTS_OK) {
        free(*xy);
        *xy = NULL;
    }
    return status;
}

static pts_status read_parts(pts_rle **masks, const json_t *parts, size_t height, size_t width,
                             pts_error *err)
{
    for (size_t i = 0; i < json_array_size(parts); i++) {
        double *xy;
        size_t count;
        PTS_TRY(pts_coco_segmentation_polygon(&xy, &count, parts, i, err));
        pts_status status = pts_rle_from_polygon(&masks[i], xy, count / 2, height, width, err);
        free(xy);
        PTS_TRY(status);
    }
    return PTS_OK;
}

static pts_status read_polygons(pts_rle **out, const json_t *parts, size_t height, size_t width,
                                pts_error *err)
{
    size_t count = json_array_size(parts);
    if (!count)
        return pts_fail(err, PTS_ERR_FORMAT, "segmentation: expected at least 1 polygon, got none");
    pts_rle **masks;
    PTS_TRY(pts_new(&masks, count, sizeof *masks, err));
    pts_status status = read_parts(masks, parts, height, width, err);
    if (status == PTS_OK)
        status = pts_rle_merge(out, masks, count, 0, err);
    for (size_t i = 0; i < count; i++)
        pts_rle_destroy(masks[i]);
    free(masks);
    return status;
}

static pts_status read_counts(uint32_t *counts, const json_t *list, pts_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        json_int_t count = json_integer_value(value);
        if (!json_is_integer(value) || count < 0 || count > (json_int_t)PTS_RLE_MAX_PIXELS)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "counts[%zu]: expected an integer of 0 … %zu, got %s", i,
                            PTS_RLE_MAX_PIXELS,
                            json_is_integer(value) ? "one outside" : pts_coco_json_kind(value));
        counts[i] = (uint32_t)count;
    }
    return PTS_OK;
}

static pts_status read_count_list(pts_rle **out, const json_t *list, size_t height, size_t width,
                                  pts_error *err)
{
    size_t runs = json_array_size(list);
    uint32_t *counts;
    PTS_TRY(pts_new(&counts, runs, sizeof *counts, err));
    pts_status status = read_counts(counts, list, err);
    if (status == PTS_OK)
        status = pts_rle_from_counts(out, counts, runs, height, width, err);
    free(counts);
    return status;
}

static pts_status check_size(const json_t *value, size_t height, size_t width, pts_error *err)
{
    const json_t *h = json_array_get(value, 0), *w = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(h) || !json_is_integer(w))
        return pts_fail(err, PTS_ERR_FORMAT, "segmentation: size: expected [height, width], got %s",
                        pts_coco_json_kind(value));
    if (json_integer_value(h) != (json_int_t)height || json_integer_value(w) != (json_int_t)width)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "segmentation: size: expected the image's %zu x %zu, got %lld x %lld",
                        height, width, (long long)json_integer_value(h),
                        (long long)json_integer_value(w));
    return PTS_OK;
}

static pts_status read_runs(pts_rle **out, const json_t *runs, size_t height, size_t width,
                            pts_error *err)
{
    const json_t *counts = json_object_get(runs, "counts");
    PTS_TRY(check_size(json_object_get(runs, "size"), height, width, err));
    if (json_is_array(counts))
        return read_count_list(out, counts, height, width, err);
    if (!json_is_string(counts))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "segmentation: counts: expected a list or a string, got %s",
                        pts_coco_json_kind(counts));
    return pts_rle_from_string(out, json_string_value(counts), json_string_length(counts), height,
                               width, err);
}

pts_status pts_coco_segmentation_mask(pts_rle **out, const json_t *value, size_t height,
                                      size_t width, pts_error *err)
{
    *out = NULL;
    if (json_is_array(value))
        return read_polygons(out, value, height, width, err);
    if (json_is_object(value))
        return read_runs(out, value, height, width, err);
    return pts_fail(err, PTS_ERR_FORMAT, "segmentation: expected polygons or run lengths, got %s",
                    pts_coco_json_kind(value));
}
