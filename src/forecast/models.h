/* What pts_models holds: filled by models.c, asked by forecast.c. */
#ifndef PTS_SRC_FORECAST_MODELS_H
#define PTS_SRC_FORECAST_MODELS_H

#include "pts/forecast.h"

#include <pthread.h>
#include <stdatomic.h>

struct pts_models {
    atomic_int shares;
    pthread_mutex_t asking; /* of the heads: each is for one thread at a time */
    pts_model *items;       /* [count] */
    size_t count;
    pts_head **heads; /* [head_count], owned */
    char **paths;     /* [head_count] */
    size_t head_count;
    pts_named_prior *priors; /* [prior_count] */
    size_t prior_count;
};

#endif
