/* A copy of the caller's options, and what they are held to. */
#ifndef PTS_SRC_WEB_OPTIONS_H
#define PTS_SRC_WEB_OPTIONS_H

#include "pts/web.h"

#include <sys/socket.h>

/* Texts and lists become the copy's own; pts_web_options_free in any case. */
pts_status pts_web_options_copy(pts_web_options *out, const pts_web_options *options,
                                pts_error *err);
void pts_web_options_free(pts_web_options *options);

/* A socket that listens where the options say; beyond loopback only with a token or `insecure`. */
pts_status pts_web_listen(const pts_web_options *options, int *out, int *port, pts_error *err);

#endif
