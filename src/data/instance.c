/* An object as a mask, whatever it was labelled with. */
#include "base/error.h"
#include "pts/data.h"

pts_status pts_instance_mask(pts_rle **out, const pts_instance *instance, size_t height,
                             size_t width, pts_error *err)
{
    const pts_rle *mask = instance->mask;
    *out = NULL;
    if (!mask)
        return pts_rle_from_parts(out, instance->xy, instance->ends, instance->parts, height, width,
                                  err);
    if (pts_rle_height(mask) != height || pts_rle_width(mask) != width)
        return pts_fail(err, PTS_ERR_SHAPE, "mask: expected %zu x %zu pixels, got %zu x %zu",
                        height, width, pts_rle_height(mask), pts_rle_width(mask));
    return pts_rle_copy(out, mask, err);
}
