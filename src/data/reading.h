/* The data set while it is read: where findings go, and what the readers of its layouts share. */
#ifndef PTS_SRC_DATA_READING_H
#define PTS_SRC_DATA_READING_H

#include "data/dataset.h"

typedef struct dataset_reading {
    pts_dataset *set;
    pts_dataset_options options;
    pts_error *err;
    size_t crossings;         /* polygons that cross themselves */
    pts_error first_crossing; /* where the first one is */
} dataset_reading;

/* One finding, counted and reported. PTS_OK: go on; else the reading ends with that status. */
pts_status pts_dataset_finding(dataset_reading *reading, pts_finding kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- the layouts: classes, images, then labels ---- */

/* DIR/data.yaml and folders of images and labels. */
pts_status pts_dataset_read_yolo(dataset_reading *reading);
/* Annotation files. *found is false where there is none: nothing was read. */
pts_status pts_dataset_read_coco(dataset_reading *reading, bool *found);

/* Class names from data.yaml into the set; `roboflow` (released by the caller) says where it was
 * exported from, NULL where it was not. */
pts_status pts_dataset_read_yaml(pts_dataset *set, const char *path, char **roboflow,
                                 pts_error *err);

/* Appends the instances of one label file's text. */
pts_status pts_dataset_parse_labels(dataset_reading *reading, const char *path, const char *text,
                                    size_t size);

/* ---- what they share ---- */

/* Room for class names, none set yet. */
pts_status pts_dataset_name_classes(pts_dataset *set, size_t count, pts_error *err);
pts_status pts_dataset_check_names(const pts_dataset *set, pts_error *err);

/* Takes over path, also on failure. */
pts_status pts_dataset_add_image(dataset_reading *reading, dataset_image image);
/* By the bytes of the path without its extension, then by the extension. */
int pts_dataset_compare_stems(const void *a, const void *b);
int pts_dataset_compare_images(const void *a, const void *b);

/* One coordinate, cut to 0 … 1; and the end of an instance that began at those numbers of
 * coordinates and ends. */
pts_status pts_dataset_add_coordinate(pts_dataset *set, double value, pts_error *err);
pts_status pts_dataset_add_end(pts_dataset *set, size_t first_xy, pts_error *err);
pts_status pts_dataset_add_instance(pts_dataset *set, const pts_instance *instance, pts_error *err);

/* Opens the images as options.look wants; what cannot be read is a finding and marked. */
pts_status pts_dataset_look(dataset_reading *reading);

/* Whether two edges of the closed polygon xy [points][2] cross. Long polygons are not tried. */
bool pts_dataset_crosses_itself(const float *xy, size_t points);
/* Counts a polygon that crosses itself, where options.look asks for it; true for the first, whose
 * place the caller writes down. */
bool pts_dataset_is_first_crossing(dataset_reading *reading, const float *xy, size_t points);

#endif
