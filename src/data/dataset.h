/* What a data set is made of. */
#ifndef PTS_SRC_DATA_DATASET_H
#define PTS_SRC_DATA_DATASET_H

#include "pts/data.h"

#include <stdbool.h>

#define DATASET_MAX_CLASSES (1 << 16)
#define DATASET_MAX_NAME 255

typedef struct dataset_image {
    char *path;
    size_t stem;          /* bytes of path before the extension */
    size_t folder;        /* where it was found: row of the YOLO layouts, or annotation file */
    int64_t id;           /* in its annotation file */
    size_t width, height; /* 0: not known */
    bool skipped;         /* named as a finding; gone once the set is indexed */
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

/* Drops skipped images; images by class, and the instances' pointers. After the last label. */
pts_status pts_dataset_index(pts_dataset *set, pts_error *err);

#endif
