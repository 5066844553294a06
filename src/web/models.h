/* The models in memory: encoders, the heads that go with them, priors. A set is immutable and
 * counted: requests hold the one that they began with, a reload puts another in its place. */
#ifndef PTS_SRC_WEB_MODELS_H
#define PTS_SRC_WEB_MODELS_H

#include "pts/curve.h"
#include "pts/encoder.h"
#include "pts/learn.h"
#include "pts/web.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { WEB_PHOTOGRAPHS = 4 };

typedef struct web_model {
    pts_encoder *encoder; /* for the worker of queue.h alone, but for its names and sizes */
    pts_head *head;       /* with a spread, for mode pts; or NULL */
    pts_head *study;      /* the study's network, for mode ptssp; or NULL */
} web_model;

typedef struct web_prior {
    char *name;
    pts_prior_file file;
} web_prior;

typedef struct web_models {
    atomic_int references;
    pthread_mutex_t mutex; /* of the heads: each is for one thread at a time */
    web_model *items;      /* [count] */
    size_t count;
    pts_head **heads; /* [head_count], owned */
    size_t head_count;
    web_prior *priors; /* [prior_count] */
    size_t prior_count;
} web_models;

/* With one reference. The team is borrowed; only its user may call this. */
pts_status pts_web_models_load(web_models **out, const pts_web_options *options, pts_team *team,
                               pts_error *err);
void pts_web_models_release(web_models *models);

/* By the encoder's architecture or id; NULL: the first with a head. NULL where there is none. */
const web_model *pts_web_models_find(const web_models *models, const char *encoder);
/* For mode ptssp: the encoder of that architecture with a head of the study's. */
const web_model *pts_web_models_study(const web_models *models, const char *arch);
const web_prior *pts_web_models_prior(const web_models *models, const char *name);

#endif
