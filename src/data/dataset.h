/* The data set while it is read: its owner, and where findings go. */
#ifndef PTS_SRC_DATA_DATASET_H
#define PTS_SRC_DATA_DATASET_H

#include "pts/data.h"

#define DATASET_MAX_CLASSES (1 << 16)
#define DATASET_MAX_NAME 255

typedef struct dataset_image {
    char *path;
    size_t stem;          /* bytes of path before the extension */
    size_t folder;        /* where it was found: row of the YOLO layouts, or annotation file */
    int64_t id;           /* in its annotation file */
    size_t width, height; /* 0: not known */
    int skipped;          /* named as a finding; gone once the set is indexed */
    size_t first, count;  /* its instances */
} dataset_image;

struct pts_dataset {
    char *dir, *name, *format;
    char *classes_path; /* the file that names the classes, for messages */
    int classes;
    char **class_names; /* [classes] */
    char **splits;      /* [n_splits]: of dataset_image.folder */
    size_t n_splits;
    dataset_image *images;
    size_t n_images, images_room;
    pts_instance
        *instances; /* pointers are set by pts_dataset_index, once the arrays stand still */
    size_t n_instances, instances_room;
    float *xy;
    size_t n_xy, xy_room;
    size_t *ends;
    size_t n_ends, ends_room;
    size_t *showing;         /* images of class 0, then of class 1 … */
    size_t *showing_at;      /* [classes + 1]: where each class begins in it */
    size_t *class_instances; /* [classes] */
    size_t *class_crowds;    /* [classes] */
    size_t skipped_images, skipped_labels;
};

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

/* A formatted string of its own. */
pts_status pts_dataset_text(char **out, pts_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const char *pts_dataset_last_component(const char *path);

/* ---- the layouts: classes, images, then labels ---- */

/* DIR/data.yaml and folders of images and labels. */
pts_status pts_dataset_read_yolo(dataset_reading *reading);
/* Annotation files. *found = 0 where there is none: nothing was read. */
pts_status pts_dataset_read_coco(dataset_reading *reading, int *found);

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
int pts_dataset_crosses_itself(const float *xy, size_t points);

/* Drops skipped images; images by class, and the instances' pointers. After the last label. */
pts_status pts_dataset_index(pts_dataset *set, pts_error *err);

#endif
