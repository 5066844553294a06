/* The data set while it is read: its owner, and where problems go. */
#ifndef PTS_SRC_DATA_DATASET_H
#define PTS_SRC_DATA_DATASET_H

#include "pts/data.h"

typedef struct dataset_image {
    char *path;
    size_t stem;         /* bytes of path before the extension */
    size_t folder;       /* row of the layout table */
    size_t first, count; /* its instances */
} dataset_image;

struct pts_dataset {
    char *dir, *name;
    int classes;
    char **class_names; /* [classes] */
    dataset_image *images;
    size_t n_images, images_room;
    pts_instance *instances; /* xy is set by dataset_index, once the array below stands still */
    size_t n_instances, instances_room;
    float *xy;
    size_t n_xy, xy_room;
    size_t *showing;         /* images of class 0, then of class 1 … */
    size_t *showing_at;      /* [classes + 1]: where each class begins in it */
    size_t *class_instances; /* [classes] */
};

typedef struct dataset_reading {
    pts_dataset *set;
    pts_dataset_report report; /* NULL: the first error ends the reading */
    void *user;
    pts_error *err;
} dataset_reading;

/* One problem. PTS_OK: go on; else the reading ends with that status. */
pts_status dataset_problem(dataset_reading *reading, int is_error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Class names from data.yaml into the set. */
pts_status dataset_read_yaml(pts_dataset *set, const char *path, pts_error *err);

/* Appends the instances of one label file's text. */
pts_status dataset_parse_labels(dataset_reading *reading, const char *path, const char *text,
                                size_t size);

/* Images by class, and the instances' pointers; after the last label file. */
pts_status dataset_index(pts_dataset *set, pts_error *err);

#endif
