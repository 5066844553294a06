/* What all requests share, and the functions that answer them. */
#ifndef PTS_SRC_WEB_APP_H
#define PTS_SRC_WEB_APP_H

#include "web/http.h"
#include "web/metrics.h"
#include "web/queue.h"

typedef struct web_app {
    const pts_web_options *options;
    bool has_token;
    unsigned char token[32]; /* its SHA-256 */
    web_queue *queue;
    web_metrics metrics;
    atomic_size_t body_bytes, connections;
    atomic_bool stopping;
} web_app;

/* What the header alone allows to refuse, before a body is read: unknown paths and methods, a
 * missing token, a body too long (`length`; SIZE_MAX: not said). *limit is the longest body. False:
 * the reply is there. */
bool pts_web_admit(web_app *app, const web_request *request, size_t length, size_t *limit,
                   web_reply *reply);
/* The reply to an admitted request. */
void pts_web_answer(web_app *app, const web_request *request, web_reply *reply);

void pts_web_api_predict(web_app *app, const web_request *request, web_reply *reply);
void pts_web_api_curve(web_app *app, const web_request *request, web_reply *reply);
void pts_web_api_models(web_app *app, const web_request *request, web_reply *reply);
void pts_web_health(web_app *app, const web_request *request, web_reply *reply);
void pts_web_metrics_page(web_app *app, const web_request *request, web_reply *reply);
void pts_web_page_form(web_app *app, const web_request *request, web_reply *reply);
void pts_web_asset_page(web_app *app, const web_request *request, web_reply *reply);

/* Whether a plain form's field, or the Authorization header, holds the token. The comparison takes
 * the same time wherever they differ. */
bool pts_web_token_matches(const web_app *app, const char *given);
bool pts_web_bearer_matches(const web_app *app, const web_request *request);
void pts_web_token_digest(const char *token, unsigned char out[32]);

#endif
