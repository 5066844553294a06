/* pts/metrics.h: run-length masks and the average precision of instance segmentation.
 *
 *   pts_rle *truth, *found;                 // masks of one image, [480][640]
 *   pts_rle_from_polygon(&truth, xy, points, 480, 640, &err);
 *   pts_rle_from_bitmap(&found, mask, 480, 640, &err);
 *   double iou = pts_rle_iou(found, truth, 0);
 *
 *   pts_image_masks image = {.truths = &truth, .truth_count = 1,
 *                            .detections = &found, .scores = &score, .detection_count = 1};
 *   pts_ap ap;
 *   pts_ap_of_masks(&image, 1, PTS_AP_COCO, &ap, &err);       // ap.map, ap.map50, ap.map75
 *
 *   pts_coco *coco;                         // or whole COCO files, all twelve figures
 *   pts_coco_load(&coco, "gt.json", "results.json", PTS_IOU_MASK, team, &err);
 *   pts_coco_figures figures;
 *   pts_coco_evaluate(coco, NULL, team, &figures, NULL, &err);
 *   pts_coco_destroy(coco);
 *
 * Source: the COCO API (Lin et al. 2014, "Microsoft COCO: Common Objects in Context";
 * cocodataset/cocoapi, common/maskApi.c and PythonAPI/pycocotools), reproduced bit by bit: the
 * same masks from the same polygons, the same figures from the same files. Bitmaps here are
 * uint8_t [height][width], row-major, as everywhere in pts; COCO's runs go down the columns, and
 * the conversion is done inside. */
#ifndef PTS_METRICS_H
#define PTS_METRICS_H

#include "pts/base.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- masks -------------------------------------------------------------------------------- */

/* A mask as run lengths down the columns: counts[0] pixels off, counts[1] on, counts[2] off …
 * Immutable once made: any number of threads may read it. Its area and box are kept with it. */
typedef struct pts_rle pts_rle;

/* Height and width are at least 1 and height·width at most this, else PTS_ERR_LIMIT. */
#define PTS_RLE_MAX_PIXELS ((size_t)1 << 30)
/* Coordinates of a polygon are within ± this, else PTS_ERR_LIMIT. */
#define PTS_POLYGON_MAX_COORDINATE 1e6

/* mask [height][width], row-major; any value but 0 is on. */
pts_status pts_rle_from_bitmap(pts_rle **out, const uint8_t *mask, size_t height, size_t width,
                               pts_error *err);
/* counts [runs], copied; they must add up to height·width (PTS_ERR_FORMAT). */
pts_status pts_rle_from_counts(pts_rle **out, const uint32_t *counts, size_t runs, size_t height,
                               size_t width, pts_error *err);
/* COCO's compressed counts: characters '0' … 'o' of six bits, `length` of them (need not be
 * terminated); from the third run on the difference to the run before the last. */
pts_status pts_rle_from_string(pts_rle **out, const char *text, size_t length, size_t height,
                               size_t width, pts_error *err);
/* COCO's rasteriser (rleFrPoly): the outline on a grid five times as fine. xy [points][2] in
 * pixels, x first; at least 3 points. Parts outside of the image are cut. Bit-equal to
 * pycocotools.mask.frPyObjects. */
pts_status pts_rle_from_polygon(pts_rle **out, const double *xy, size_t points, size_t height,
                                size_t width, pts_error *err);
/* The union, or with `intersect` the intersection, of count ≥ 1 masks of one size (PTS_ERR_SHAPE).
 */
pts_status pts_rle_merge(pts_rle **out, pts_rle *const *masks, size_t count, bool intersect,
                         pts_error *err);
/* The union of polygons in 0 … 1 of width and height: polygon p has the points of xy [points][2]
 * from ends[p − 1] (or 0) to ends[p]; parts ≥ 1. */
pts_status pts_rle_from_parts(pts_rle **out, const float *xy, const size_t *ends, size_t parts,
                              size_t height, size_t width, pts_error *err);
pts_status pts_rle_copy(pts_rle **out, const pts_rle *rle, pts_error *err);
void pts_rle_destroy(pts_rle *rle);

size_t pts_rle_height(const pts_rle *rle);
size_t pts_rle_width(const pts_rle *rle);
/* Owned by the mask; *runs is their number. */
const uint32_t *pts_rle_counts(const pts_rle *rle, size_t *runs);
size_t pts_rle_area(const pts_rle *rle);             /* pixels that are on */
void pts_rle_box(const pts_rle *rle, double box[4]); /* x, y, width, height; 0 when empty */
void pts_rle_to_bitmap(const pts_rle *rle, uint8_t *mask /* [height][width], 0 or 1 */);
/* *out: NUL-terminated, the caller frees it with free(). */
pts_status pts_rle_to_string(const pts_rle *rle, char **out, pts_error *err);

/* Intersection over union; with `crowd` (truth is a crowd region) over the detection's area.
 * 0 where both are empty, −1 where the sizes differ. */
double pts_rle_iou(const pts_rle *detection, const pts_rle *truth, bool crowd);
/* The same for boxes x, y, width, height. */
double pts_box_iou(const double detection[4], const double truth[4], bool crowd);

/* A plain rasteriser, for training targets: sets to 1 each pixel of mask [height][width] whose
 * centre (x+½, y+½) is inside of the polygon xy [points][2] by the even-odd rule, and leaves the
 * others. Its borders differ from COCO's: ground truth for AP goes through
 * pts_rle_from_polygon. */
pts_status pts_polygon_fill(const double *xy, size_t points, size_t width, size_t height,
                            uint8_t *mask, pts_error *err);

/* ---- average precision -------------------------------------------------------------------- */

/* Definitions that differ by several points on the same detections:
 * PTS_AP_COCO: greedy matching by score, the best free truth each; precision made monotone, mean
 *   over 101 recalls (0 beyond the last); at most 100 detections an image and category; crowd
 *   regions and sizes outside of a range are ignored.
 * PTS_AP_ULTRALYTICS (ultralytics/utils/metrics.py and engine/validator.py from YOLOv8 on up to
 *   release 8.4.34: match_predictions, ap_per_class, compute_ap): each detection looks only at the
 *   truth it overlaps most; of several on one truth the highest score counts; the curve from (0,1)
 *   to (1,0) is interpolated linearly at 101 recalls and integrated by trapezoids; 300 detections
 *   an image, scores above 0.001; crowd regions are left out. Overlaps are computed in single
 *   precision, as there, with its 1e-7 in the denominator.
 * PTS_AP_ULTRALYTICS_2026 (releases from 8.4.177 on): each detection, by score, takes the truth
 *   that it overlaps most among those not yet taken at that threshold, and the curve falls to 0
 *   behind its last recall instead of along a line to (1,0). (Releases in between have the second
 *   change, not the first.)
 * Of equal scores the first in the file counts; Ultralytics' own sort leaves that open. */
typedef enum pts_ap_kind {
    PTS_AP_COCO = 0,
    PTS_AP_ULTRALYTICS,
    PTS_AP_ULTRALYTICS_2026
} pts_ap_kind;
typedef enum pts_iou_kind { PTS_IOU_MASK = 0, PTS_IOU_BOX } pts_iou_kind;

/* Mean AP over the thresholds .50 … .95, at .50 and at .75. Each is −1 where there is no ground
 * truth to find: undefined, not bad. */
typedef struct pts_ap {
    double map, map50, map75;
} pts_ap;

/* One category in one image. All masks of an image have one size. Nothing is copied or kept. */
typedef struct pts_image_masks {
    pts_rle *const *truths; /* [truth_count] */
    size_t truth_count;
    pts_rle *const *detections; /* [detection_count] */
    const double *scores;       /* [detection_count], finite */
    size_t detection_count;
} pts_image_masks;

/* The short way for a trainer: images [count], equal scores in the order given. */
pts_status pts_ap_of_masks(const pts_image_masks *images, size_t count, pts_ap_kind kind,
                           pts_ap *out, pts_error *err);

/* ---- the full evaluation ------------------------------------------------------------------ */

/* Images, categories, ground truths and detections. Images and categories are declared before
 * what refers to them; an identifier twice or an unknown one is PTS_ERR_FORMAT. */
typedef struct pts_coco pts_coco;

pts_status pts_coco_create(pts_coco **out, pts_iou_kind iou, pts_error *err);
void pts_coco_destroy(pts_coco *coco);

pts_status pts_coco_add_image(pts_coco *coco, int64_t id, pts_error *err);
/* name: copied; NULL is "". */
pts_status pts_coco_add_category(pts_coco *coco, int64_t id, const char *name, pts_error *err);

/* One object. For PTS_IOU_MASK `mask` is given, for PTS_IOU_BOX `box` (x, y, width, height).
 * The mask passes to the evaluation in every case, also on failure. `area` decides about the
 * area ranges: for a truth the annotation's, for a detection the mask's or box's. */
typedef struct pts_coco_object {
    int64_t image, category;
    pts_rle *mask;
    double box[4];
    double area;
    double score; /* of a detection */
    bool crowd;   /* of a truth */
} pts_coco_object;

pts_status pts_coco_add_truth(pts_coco *coco, const pts_coco_object *truth, pts_error *err);
pts_status pts_coco_add_detection(pts_coco *coco, const pts_coco_object *detection, pts_error *err);

size_t pts_coco_category_count(const pts_coco *coco);
int64_t pts_coco_category_id(const pts_coco *coco, size_t index); /* in order of declaration */
const char *pts_coco_category_name(const pts_coco *coco, size_t index);

#define PTS_COCO_MAX_THRESHOLDS 32

typedef struct pts_coco_params {
    double thresholds[PTS_COCO_MAX_THRESHOLDS]; /* in (0, 1]; matches need IoU ≥ threshold */
    size_t threshold_count;
    size_t max_dets[3];       /* rising; figures other than AR1 and AR10 use the last */
    double area_ranges[4][2]; /* all, small, medium, large; both ends inside */
} pts_coco_params;

/* .50, .55 … .95; 1, 10, 100; 0, 32², 96², 1e10. */
void pts_coco_default_params(pts_coco_params *params);

/* pycocotools' twelve figures; −1: no ground truth in that range (or no such threshold). */
typedef struct pts_coco_figures {
    double ap, ap50, ap75, ap_small, ap_medium, ap_large;
    double ar1, ar10, ar100, ar_small, ar_medium, ar_large;
} pts_coco_figures;

/* params NULL: the defaults. category_ap [categories], in order of declaration, or NULL: each
 * category's AP over all sizes. May be repeated, with more objects added between. The team shares
 * the work out and does not change the result; NULL: one thread. Unlike pycocotools, a ground truth
 * whose id is 0 counts like any other (there it never matches). */
pts_status pts_coco_evaluate(const pts_coco *coco, const pts_coco_params *params, pts_team *team,
                             pts_coco_figures *out, pts_ap *category_ap, pts_error *err);
/* The same objects by one of Ultralytics' two definitions; out is the mean over categories with
 * truths. PTS_AP_COCO is PTS_ERR_ARGUMENT. */
pts_status pts_coco_evaluate_ultralytics(const pts_coco *coco, pts_ap_kind kind, pts_ap *out,
                                         pts_ap *category_ap, pts_error *err);

/* Reads a COCO ground truth file and a results file (builds with jansson only). Segmentations:
 * polygons, counts as a list or as a string. As in pycocotools' loadRes the first result decides
 * for all: with a bbox in it, a detection's area is its box's and a missing segmentation is the
 * box; without, both come from the mask. A broken entry is PTS_ERR_FORMAT, _SHAPE, _NUMERIC or
 * _LIMIT and one line: file, list and index, id, expected, got. The team reads entries side by side
 * (NULL: one thread); objects and messages are those of one thread. Memory: the text of one file
 * at a time, its masks, and about 100 bytes an entry. */
pts_status pts_coco_load(pts_coco **out, const char *truth_path, const char *results_path,
                         pts_iou_kind iou, pts_team *team, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
