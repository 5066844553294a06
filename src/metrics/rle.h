/* What the files of this room know of a mask. */
#ifndef PTS_SRC_METRICS_RLE_H
#define PTS_SRC_METRICS_RLE_H

#include "pts/metrics.h"

struct pts_rle {
    uint32_t height, width;
    uint32_t area;
    uint32_t left, top, right, bottom; /* the box's ends, right and bottom outside of it */
    size_t runs;
    uint32_t counts[];
};

/* Height and width as every maker of masks wants them. */
pts_status pts_rle_check_size(size_t height, size_t width, pts_error *err);

/* Copies checked counts and computes area and box. */
pts_status pts_rle_make(pts_rle **out, const uint32_t *counts, size_t runs, size_t height,
                        size_t width, pts_error *err);

/* Pixels that are on in both; the masks have one size. */
uint32_t pts_rle_overlap(const pts_rle *a, const pts_rle *b);

#endif
