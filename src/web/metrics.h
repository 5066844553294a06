/* Counters of the service. */
#ifndef PTS_SRC_WEB_METRICS_H
#define PTS_SRC_WEB_METRICS_H

#include <stdatomic.h>
#include <stddef.h>

enum { WEB_ROUTES_MAX = 16, WEB_STATUSES = 20, WEB_BUCKETS = 13 };

/* By route (index of route.c's table, the last for all unknown paths), status and duration. */
typedef struct web_metrics {
    atomic_ulong requests[WEB_ROUTES_MAX][WEB_STATUSES];
    atomic_ulong buckets[WEB_ROUTES_MAX][WEB_BUCKETS]; /* not cumulative */
    atomic_ulong microseconds[WEB_ROUTES_MAX];
    atomic_ulong received, sent; /* bytes */
    atomic_ulong refused, cut;   /* 503 of the full queue; slow clients */
    atomic_ulong reloads, reloads_failed;
} web_metrics;

void pts_web_metrics_note(web_metrics *metrics, size_t route, int status, double seconds,
                          size_t received, size_t sent);

/* route.c's table. */
size_t pts_web_route_index(const char *path);
const char *pts_web_route_name(size_t index); /* NULL past the last */

#endif
