/* The bounded queue in front of the encoder, and its worker: one thread with a thread team. What
 * waits for the same model is encoded together, up to `batch` photographs. */
#ifndef PTS_SRC_WEB_QUEUE_H
#define PTS_SRC_WEB_QUEUE_H

#include "web/models.h"

typedef struct web_queue web_queue;

typedef struct web_image {
    const char *name; /* as the client has it, for messages */
    const uint8_t *data;
    size_t size;
} web_image;

typedef enum web_turn_state { WEB_TURN_WAITING, WEB_TURN_RUNNING, WEB_TURN_DONE } web_turn_state;

/* Four photographs through one encoder; everything is the caller's and outlives pts_web_queue_run.
 */
typedef struct web_turn {
    const web_model *model;
    const char *preset;      /* NULL: the encoder's own */
    const web_image *images; /* [WEB_PHOTOGRAPHS] */
    float *embeddings;       /* [WEB_PHOTOGRAPHS][dim], written */
    pts_status status;       /* of the first photograph that failed */
    pts_error error;
    size_t failed; /* which */
    web_turn_state state;
    struct web_turn *next;
} web_turn;

typedef enum web_queue_result {
    WEB_QUEUE_DONE, /* each turn has its own status */
    WEB_QUEUE_FULL,
    WEB_QUEUE_LATE, /* the time limit ran out before their turn came */
    WEB_QUEUE_STOPPING
} web_queue_result;

/* Counters, monotonic but for `waiting`. */
typedef struct web_queue_state {
    size_t waiting, capacity;
    unsigned long images, batches;
    double seconds; /* at work */
} web_queue_state;

/* Starts the worker and loads the models; `options` outlives the queue. */
pts_status pts_web_queue_create(web_queue **out, const pts_web_options *options, pts_error *err);
/* Finishes what is in the queue first. */
void pts_web_queue_destroy(web_queue *queue);

/* The models of now, with a reference for the caller. */
web_models *pts_web_queue_models(web_queue *queue);
/* Loads all models anew, between two batches; on failure the old ones stay. */
pts_status pts_web_queue_reload(web_queue *queue, pts_error *err);

/* Waits until all turns are over; all of them are taken or none. */
web_queue_result pts_web_queue_run(web_queue *queue, web_turn *turns, size_t count);
web_queue_state pts_web_queue_look(web_queue *queue);
/* After how many seconds a place is likely to be free, at least 1. */
unsigned pts_web_queue_retry(web_queue *queue);

#endif
