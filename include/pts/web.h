/* pts/web.h: the page and its HTTP service, in one process with its models (feature `web`:
 * libmicrohttpd, and jansson; a library of its own, which the engine does without).
 *
 *   pts_web_options options = PTS_WEB_DEFAULTS;
 *   options.encoders = (const char *[]){"inception_v3.ptsw"}, options.encoder_count = 1;
 *   options.heads = (const char *[]){"head.ptsw"}, options.head_count = 1;
 *   pts_web *web;
 *   if (pts_web_start(&web, &options, &err) != PTS_OK) …
 *   printf("port %d\n", pts_web_port(web));
 *   …                                  // until told to stop; pts_web_reload for new weights
 *   pts_web_stop(web);                 // the work in hand finishes
 *
 * GET  /                     the page, and its parts
 * POST /predict              the page's form without JavaScript: an answer as HTML
 * POST /api/v1/predict       multipart: four images and fields; JSON as ptsinfer predict --json
 * POST /api/v1/curve         JSON or form; JSON as ptsinfer curve --json
 * GET  /api/v1/models        encoders, heads, priors, limits
 * GET  /api/v1/openapi.json  all of this, formally
 * GET  /healthz, /metrics    for those who watch it
 *
 * A connection has a thread; one worker with a thread team encodes, several requests at once when
 * they wait. Bodies are held in memory within a common budget; nothing is written to disk, and no
 * name that a client sends becomes a path. A client has 10 s for its header, 60 s for its body and
 * 60 s to take the answer, however it dribbles. */
#ifndef PTS_WEB_H
#define PTS_WEB_H

#include "pts/base.h"
#include "pts/forecast.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pts_web pts_web;

/* One line about a request or an event, without a line end; called from many threads. */
typedef void (*pts_web_log)(void *user, const char *line);

/* All texts are copied by pts_web_start. */
typedef struct pts_web_options {
    const char *address; /* a numeric IPv4 or IPv6 address, or "localhost" */
    int port;            /* 0: any that is free */
    const char *token;   /* bearer token of /predict, /api and /metrics; NULL: open to all */
    bool insecure;       /* without a token beyond the loopback address too */
    const char *const *encoders;
    size_t encoder_count;
    const char *const *heads; /* each goes with one of the encoders */
    size_t head_count;
    const pts_prior_name *priors; /* that requests may name instead of photographs */
    size_t prior_count;
    int threads;            /* of the encoder; 0: all cores */
    size_t queue;           /* requests that may wait for the encoder */
    unsigned connections;   /* at once */
    unsigned queue_seconds; /* longest wait for the encoder */
    unsigned header_seconds, body_seconds, answer_seconds; /* patience with slow clients */
    size_t body_bytes;                                     /* of one request */
    size_t memory_bytes;                                   /* of all bodies together */
    size_t image_bytes, image_pixels;
    pts_web_log log; /* NULL: none */
    void *user;
} pts_web_options;

#define PTS_WEB_DEFAULTS                                                                           \
    {                                                                                              \
        "127.0.0.1", 8501, NULL, false, NULL, 0, NULL, 0, NULL, 0, 0, 32, 256, 30, 10, 60, 60,     \
            40000000, 512000000, 20000000, 50000000, NULL, NULL                                    \
    }

/* Loads the models, binds the port and answers. PTS_ERR_ARGUMENT: an address beyond loopback with
 * neither token nor `insecure`, a token of fewer than 16 characters; PTS_ERR_IO: the port is taken;
 * else what opening the files says. The process should ignore SIGPIPE. */
pts_status pts_web_start(pts_web **out, const pts_web_options *options, pts_error *err);
int pts_web_port(const pts_web *web);

/* Opens all files anew. Requests in hand end with the models that they began with, later ones get
 * the new; on failure all stays as it was. */
pts_status pts_web_reload(pts_web *web, pts_error *err);

/* Takes no more connections, finishes the requests in hand, and releases everything. */
void pts_web_stop(pts_web *web);

#ifdef __cplusplus
}
#endif

#endif
