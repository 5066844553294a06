/* The short way from masks to mAP: one category, the caller's masks, no area ranges. */
#include "metrics/coco.h"
#include "base/error.h"

#include <math.h>

static pts_status check_mask(const pts_rle *mask, const pts_rle *first, size_t image,
                             pts_error *err)
{
    if (!mask)
        return pts_fail(err, PTS_ERR_ARGUMENT, "image %zu: expected a mask, got none", image);
    if (pts_rle_height(mask) != pts_rle_height(first) ||
        pts_rle_width(mask) != pts_rle_width(first))
        return pts_fail(err, PTS_ERR_SHAPE, "image %zu: expected masks of %zu x %zu, got %zu x %zu",
                        image, pts_rle_height(first), pts_rle_width(first), pts_rle_height(mask),
                        pts_rle_width(mask));
    return PTS_OK;
}

static pts_status add_masks(pts_coco *coco, const pts_image_masks *image, size_t index,
                            pts_error *err)
{
    const pts_rle *first = image->truth_count       ? image->truths[0]
                           : image->detection_count ? image->detections[0]
                                                    : NULL;
    for (size_t i = 0; i < image->truth_count; i++) {
        coco_object truth = {.image = index, .mask = image->truths[i]};
        PTS_TRY(check_mask(truth.mask, first ? first : truth.mask, index, err));
        truth.area = (double)pts_rle_area(truth.mask);
        PTS_TRY(pts_coco_append(&coco->truths, &truth, err));
    }
    for (size_t i = 0; i < image->detection_count; i++) {
        coco_object found = {
            .image = index, .mask = image->detections[i], .score = image->scores[i]};
        PTS_TRY(check_mask(found.mask, first ? first : found.mask, index, err));
        if (!isfinite(found.score))
            return pts_fail(err, PTS_ERR_NUMERIC,
                            "image %zu: detection %zu: expected a finite score, got %g", index, i,
                            found.score);
        found.area = (double)pts_rle_area(found.mask);
        PTS_TRY(pts_coco_append(&coco->detections, &found, err));
    }
    return PTS_OK;
}

static pts_status evaluate_borrowed(pts_coco *coco, const pts_image_masks *images, size_t count,
                                    pts_ap_kind kind, pts_ap *out, pts_error *err)
{
    PTS_TRY(pts_coco_add_category(coco, 1, "", err));
    for (size_t i = 0; i < count; i++) {
        PTS_TRY(pts_coco_add_image(coco, (int64_t)i, err));
        PTS_TRY(add_masks(coco, &images[i], i, err));
    }
    if (kind != PTS_AP_COCO)
        return pts_coco_evaluate_ultralytics(coco, kind, out, NULL, err);
    pts_coco_figures figures;
    PTS_TRY(pts_coco_evaluate_areas(coco, NULL, 1, NULL, &figures, NULL, err));
    *out = (pts_ap){figures.ap, figures.ap50, figures.ap75};
    return PTS_OK;
}

pts_status pts_ap_of_masks(const pts_image_masks *images, size_t count, pts_ap_kind kind,
                           pts_ap *out, pts_error *err)
{
    pts_coco *coco;
    PTS_TRY(pts_coco_create(&coco, PTS_IOU_MASK, err));
    coco->borrows = 1;
    pts_status status = evaluate_borrowed(coco, images, count, kind, out, err);
    pts_coco_destroy(coco);
    return status;
}
