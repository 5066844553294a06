/* COCO annotation files while they are read. */
#ifndef PTS_SRC_DATA_COCO_H
#define PTS_SRC_DATA_COCO_H

#include "data/reading.h"
#include "metrics/ids.h"

#include <jansson.h>

enum { DATASET_COCO_BASES = 4, DATASET_COCO_FILES = 64 };

typedef struct coco_file {
    char *path;
    char *bases[DATASET_COCO_BASES]; /* folders its images are looked for in, in this order */
    size_t n_bases;
    json_t *root;
    pts_ids images;   /* identifiers, in the order of reading */
    size_t *image_of; /* [images.count]: the set's image, SIZE_MAX where it was left out */
} coco_file;

typedef struct coco_category {
    int64_t id;
    const char *name, *group; /* group: its supercategory; both belong to the JSON */
    size_t file;
    bool used; /* an annotation has it */
} coco_category;

typedef struct coco_reading {
    dataset_reading *reading;
    coco_file *files; /* [n_files] */
    size_t n_files;
    coco_category *categories; /* [n_categories], by id: the classes */
    size_t n_categories, categories_room;
} coco_reading;

/* Which annotation files there are, and the splits' names into the set. */
pts_status pts_dataset_coco_find(coco_reading *c);

/* A list of objects of a file's root. PTS_ERR_FORMAT where it is none. */
pts_status pts_dataset_coco_list(const coco_reading *c, size_t file, const char *name,
                                 const json_t **list);
/* An integer, also written as 42.0; false where there is none. */
bool pts_dataset_coco_integer(const json_t *entry, const char *key, int64_t *out);
/* The class of a category, −1 where it is unknown. */
int pts_dataset_coco_class(const coco_reading *c, int64_t id);

/* A finding at entry `index` of a list, with the entry's id where it has one. */
pts_status pts_dataset_coco_finding(const coco_reading *c, pts_finding kind, size_t file,
                                    const char *list, size_t index, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

pts_status pts_dataset_coco_read_images(coco_reading *c);
pts_status pts_dataset_coco_read_annotations(coco_reading *c);

#endif
