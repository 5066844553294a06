/* What a trainer is to the rest of the room: a table of functions over an object of its own. */
#ifndef PTS_SRC_COLLECT_TRAINER_H
#define PTS_SRC_COLLECT_TRAINER_H

#include "pts/collect.h"

#include <stdbool.h>

/* Images of the data set by index. */
typedef struct image_list {
    const size_t *images; /* [count] */
    size_t count;
} image_list;

typedef struct train_request {
    const pts_dataset *set;
    int class_id;
    image_list train, validation, test;
    uint64_t seed;
    size_t n;          /* images of the curve's point; train.count, or more on a piece of it */
    const void *start; /* a model of this trainer to go on from; NULL: the pretrained start */
    pts_progress progress;
    void *user;
} train_request;

typedef struct train_result {
    pts_ap test, validation;
    double seconds;      /* training and measuring */
    uint64_t peak_bytes; /* 0: not known */
    void *model;         /* goes back through forget() */
} train_result;

struct pts_trainer {
    const char *name;
    char *settings; /* malloc */
    /* Before the first request of a data set, and again where another came between. */
    pts_status (*prepare)(pts_trainer *trainer, const pts_dataset *set, pts_progress progress,
                          void *user, pts_error *err);
    pts_status (*train)(pts_trainer *trainer, const train_request *request, train_result *result,
                        pts_error *err);
    void (*forget)(pts_trainer *trainer, void *model); /* NULL model: nothing */
    void (*destroy)(pts_trainer *trainer);
};

#endif
