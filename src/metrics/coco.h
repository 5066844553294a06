/* The objects of an evaluation and their order, shared by both definitions of AP. */
#ifndef PTS_SRC_METRICS_COCO_H
#define PTS_SRC_METRICS_COCO_H

#include "metrics/ids.h"
#include "pts/metrics.h"

typedef struct coco_object {
    size_t image, category; /* indices of declaration */
    const pts_rle *mask;
    double box[4], area, score;
    bool crowd;
} coco_object;

typedef struct coco_list {
    coco_object *items;
    size_t count, capacity;
} coco_list;

struct pts_coco {
    pts_iou_kind iou;
    bool borrows; /* the masks are the caller's: pts_ap_of_masks */
    pts_ids images, categories;
    char **names; /* [categories.count] */
    size_t name_capacity;
    coco_list truths, detections;
};

/* Checks an object and finds its places. *made borrows the mask. Reads the evaluation only: any
 * number of threads may. */
pts_status pts_coco_place(const pts_coco *coco, const pts_coco_object *object, coco_object *made,
                          pts_error *err);

/* Appends; image and category are indices and known to be in range. */
pts_status pts_coco_append(coco_list *list, const coco_object *object, pts_error *err);

/* An object in its place: categories and images by rising identifier, then detections by falling
 * score, then the order of adding. */
typedef struct coco_entry {
    const coco_object *object;
    size_t category, image; /* ranks of the identifiers */
    double score;           /* 0 for a truth, which keep their order */
    size_t order;
} coco_entry;

typedef struct coco_order {
    coco_entry *truths, *detections;
    size_t truth_count, detection_count;
    size_t *category_index; /* [categories]: rank → index of declaration */
} coco_order;

/* *order is zero or released by pts_coco_order_free; also on failure. */
pts_status pts_coco_order_make(coco_order *order, const pts_coco *coco, pts_error *err);
void pts_coco_order_free(coco_order *order);
void pts_coco_sort_entries(coco_entry *entries, size_t count);

/* The objects of one category in one image, or with `image` SIZE_MAX of one category. */
typedef struct coco_group {
    const coco_entry *truths, *detections;
    size_t truth_count, detection_count;
} coco_group;

/* Takes the next category off the front of `rest` (all that is left), or the next image off the
 * front of a category. Returns 0 when nothing is left. */
bool pts_coco_next_category(coco_group *rest, coco_group *category);
bool pts_coco_next_image(coco_group *rest, coco_group *image);

double pts_coco_iou(const pts_coco *coco, const coco_object *detection, const coco_object *truth);

/* numpy's sum of doubles: in blocks and by halves, so that means agree to the last bit. */
double pts_coco_sum(const double *values, size_t count);
/* numpy's linspace(first, last, count)[i]. */
double pts_coco_linspace(double first, double last, size_t count, size_t i);

/* pts_coco_evaluate over the first `areas` of the area ranges only. */
pts_status pts_coco_evaluate_areas(const pts_coco *coco, const pts_coco_params *params,
                                   size_t areas, pts_team *team, pts_coco_figures *out,
                                   pts_ap *category_ap, pts_error *err);

#endif
