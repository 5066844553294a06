/* An object as a mask, whatever it was labelled with. */
#include "base/error.h"
#include "base/memory.h"
#include "pts/data.h"

#include <stdlib.h>

static pts_status copy_mask(pts_rle **out, const pts_rle *mask, size_t height, size_t width,
                            pts_error *err)
{
    size_t runs;
    const uint32_t *counts = pts_rle_counts(mask, &runs);
    if (pts_rle_height(mask) != height || pts_rle_width(mask) != width)
        return pts_fail(err, PTS_ERR_SHAPE, "mask: expected %zu x %zu pixels, got %zu x %zu",
                        height, width, pts_rle_height(mask), pts_rle_width(mask));
    return pts_rle_from_counts(out, counts, runs, height, width, err);
}

static pts_status draw_parts(pts_rle **masks, const pts_instance *instance, size_t height,
                             size_t width, double *xy, pts_error *err)
{
    size_t from = 0;
    for (size_t p = 0; p < instance->parts; from = instance->ends[p++]) {
        size_t points = instance->ends[p] - from;
        for (size_t i = 0; i < 2 * points; i++)
            xy[i] = (double)instance->xy[2 * from + i] * (double)(i % 2 ? height : width);
        PTS_TRY(pts_rle_from_polygon(&masks[p], xy, points, height, width, err));
    }
    return PTS_OK;
}

pts_status pts_instance_mask(pts_rle **out, const pts_instance *instance, size_t height,
                             size_t width, pts_error *err)
{
    *out = NULL;
    if (instance->mask)
        return copy_mask(out, instance->mask, height, width, err);
    size_t parts = instance->parts;
    pts_rle **masks = pts_calloc64(parts, sizeof *masks);
    double *xy = pts_calloc64(instance->points, 2 * sizeof *xy);
    pts_status status = PTS_OK;
    if (!masks || !xy)
        status = pts_fail_memory(err, 2 * instance->points * sizeof *xy);
    else
        status = draw_parts(masks, instance, height, width, xy, err);
    if (status == PTS_OK)
        status = pts_rle_merge(out, masks, parts, 0, err);
    for (size_t p = 0; masks && p < parts; p++)
        pts_rle_destroy(masks[p]);
    free(masks);
    free(xy);
    return status;
}
