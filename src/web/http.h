/* A request and its reply, apart from how they travel: server.c alone knows libmicrohttpd. */
#ifndef PTS_SRC_WEB_HTTP_H
#define PTS_SRC_WEB_HTTP_H

#include "pts/base.h"

#include <stdbool.h>

typedef struct web_request {
    const char *method, *path; /* the path as sent, not unescaped, its query cut off */
    /* headers; "" where absent */
    const char *content_type, *authorization, *accept_encoding, *if_none_match, *fetch_site;
    char *body; /* [size] and a NUL; parsers cut it up in place */
    size_t size;
} web_request;

/* What is wrong with a request. */
typedef struct web_error {
    int status;
    const char *field;    /* the field to blame; NULL: none */
    unsigned retry_after; /* seconds; 0: not said */
    char message[600];
} web_error;

/* Returns false, so that a check may end with it. */
bool pts_web_fail(web_error *e, int status, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The library's failure: 400 for what the client sent, 413 for limits, 415 for formats that are not
 * known, 503 where memory was short. */
bool pts_web_fail_status(web_error *e, pts_status status, const char *field, const pts_error *err);
bool pts_web_fail_memory(web_error *e);

typedef struct web_reply {
    int status;
    const char *type;
    const char *body; /* [size] */
    size_t size;
    char *owned; /* body, where it is to be freed */
    const char *allow, *etag, *language;
    bool gzip, varies;
    unsigned retry_after;
} web_reply;

/* `text` (malloc) is the reply's from here on; NULL: memory was short, and the reply says so. */
void pts_web_reply_text(web_reply *reply, int status, const char *type, char *text, size_t size);
void pts_web_reply_error(web_reply *reply, const web_error *e);
void pts_web_reply_free(web_reply *reply);

#endif
