/* Patience with slow clients. libmicrohttpd cuts a connection that is silent; one that sends a byte
 * now and then would stay for ever, so each state has an end that no byte puts off. */
#ifndef PTS_SRC_WEB_CONNECTIONS_H
#define PTS_SRC_WEB_CONNECTIONS_H

#include <stddef.h>

typedef struct web_connections web_connections;

/* A thread of its own looks after them, and calls cut(user) for each that it cuts. NULL: no memory
 * or no thread. */
web_connections *pts_web_connections_create(size_t capacity, void (*cut)(void *user), void *user);
void pts_web_connections_destroy(web_connections *connections);

/* Returns its place, or SIZE_MAX where all are taken. */
size_t pts_web_connections_add(web_connections *connections, int socket, unsigned seconds);
/* From now on it has so many seconds; 0: as many as it takes. */
void pts_web_connections_limit(web_connections *connections, size_t place, unsigned seconds);
/* Before the socket is closed. */
void pts_web_connections_remove(web_connections *connections, size_t place);

#endif
