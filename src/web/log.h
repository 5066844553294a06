/* One line a request. */
#ifndef PTS_SRC_WEB_LOG_H
#define PTS_SRC_WEB_LOG_H

#include "pts/web.h"

typedef struct web_log_entry {
    const char *method, *path; /* as the client sent them: anything */
    int status;                /* 0: answered by libmicrohttpd, or not at all */
    double seconds;
    size_t received, sent; /* bytes of the bodies */
} web_log_entry;

void pts_web_log_request(const pts_web_options *options, const web_log_entry *entry);

#endif
