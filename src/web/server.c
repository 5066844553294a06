/* pts_web: libmicrohttpd around app.h. A connection has a thread, which may wait for the encoder;
 * connections.h has the patience. */
#include "web/app.h"
#include "web/connections.h"
#include "web/log.h"
#include "web/options.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* A refused body up to this length is read to its end and forgotten: a client that is still sending
 * when the connection closes never sees the answer. */
enum { DRAIN_BYTES = 128000000, HEADER_BYTES = 32768, STACK_BYTES = 1 << 20 };

struct pts_web {
    pts_web_options options;
    web_app app;
    web_connections *connections;
    struct MHD_Daemon *daemon;
    int port;
    atomic_int active; /* requests in hand */
};

/* A request on its way. */
typedef struct exchange {
    pts_web *web;
    char *path;
    char method[16];
    double begin;
    bool begun, refused;
    web_request request;
    web_reply reply;
    char *body;
    size_t size, capacity, limit, received;
    int status; /* sent */
    size_t sent;
} exchange;

/* ---- bodies ---- */

static void forget_body(exchange *x)
{
    free(x->body);
    atomic_fetch_sub(&x->web->app.body_bytes, x->capacity);
    x->body = NULL;
    x->size = x->capacity = 0;
}

static void refuse(exchange *x, const web_error *e)
{
    forget_body(x);
    pts_web_reply_error(&x->reply, e);
    x->refused = true;
}

/* Room for `needed` bytes and a NUL, doubling, out of the common budget. */
static bool make_room(exchange *x, size_t needed, web_error *e)
{
    web_app *app = &x->web->app;
    if (needed < x->capacity)
        return true;
    size_t capacity = x->capacity ? x->capacity : 16384;
    while (capacity <= needed)
        capacity *= 2;
    capacity = capacity > x->limit + 1 ? x->limit + 1 : capacity;
    size_t more = capacity - x->capacity;
    bool fits = atomic_fetch_add(&app->body_bytes, more) + more <= app->options->memory_bytes;
    char *grown = fits ? realloc(x->body, capacity) : NULL;
    if (grown) {
        x->body = grown;
        x->capacity = capacity;
        return true;
    }
    atomic_fetch_sub(&app->body_bytes, more);
    atomic_fetch_add(&app->metrics.refused, 1);
    pts_web_fail(e, 503, NULL, "too many requests are being sent at once");
    e->retry_after = pts_web_queue_retry(app->queue);
    return false;
}

/* False: enough is enough, and the connection closes. */
static bool take(exchange *x, const char *data, size_t size)
{
    web_error e;
    x->received += size;
    if (x->refused)
        return x->received <= DRAIN_BYTES;
    if (size > x->limit - x->size) {
        pts_web_fail(&e, 413, NULL, "expected a body of at most %zu bytes, got more", x->limit);
        refuse(x, &e);
    } else if (!make_room(x, x->size + size, &e)) {
        refuse(x, &e);
    } else {
        memcpy(x->body + x->size, data, size);
        x->size += size;
        x->body[x->size] = '\0';
    }
    return true;
}

/* ---- the reply ---- */

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    (void)MHD_add_response_header(response, name, value);
}

static void add_headers(struct MHD_Response *response, const web_reply *r, bool last)
{
    char seconds[16];
    static const char *const always[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
         "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
         "frame-ancestors 'none'"},
    };
    const struct {
        const char *name, *value;
    } some[] = {
        {"Content-Type", r->type},
        {"Content-Encoding", r->gzip ? "gzip" : NULL},
        {"Content-Language", r->language},
        {"Vary", r->varies ? "Accept-Encoding" : NULL},
        {"ETag", r->etag},
        {"Cache-Control", r->etag ? "no-cache" : "no-store"},
        {"Allow", r->allow},
        {"WWW-Authenticate", r->status == 401 ? "Bearer" : NULL},
        {"Connection", last ? "close" : NULL},
    };
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        add(response, always[i][0], always[i][1]);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        if (some[i].value)
            add(response, some[i].name, some[i].value);
    }
    snprintf(seconds, sizeof seconds, "%u", r->retry_after);
    if (r->retry_after)
        add(response, "Retry-After", seconds);
}

static enum MHD_Result send_reply(exchange *x, struct MHD_Connection *connection)
{
    web_reply *r = &x->reply;
    enum MHD_ResponseMemoryMode mode = r->owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(r->size, (void *)(uintptr_t)r->body, mode);
    if (!response)
        return MHD_NO;
    r->owned = NULL; /* the response's now */
    add_headers(response, r, atomic_load(&x->web->app.stopping));
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    x->status = r->status;
    x->sent = r->size;
    return result;
}

/* ---- libmicrohttpd's calls ---- */

static size_t place_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info && info->socket_context ? (size_t)(uintptr_t)info->socket_context - 1 : SIZE_MAX;
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    pts_web *web = user;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        size_t place = pts_web_connections_add(web->connections, (int)info->connect_fd,
                                               web->options.header_seconds);
        *context = (void *)(uintptr_t)(place + 1);
        atomic_fetch_add(&web->app.connections, 1);
    } else {
        if (*context)
            pts_web_connections_remove(web->connections, (size_t)(uintptr_t)*context - 1);
        atomic_fetch_sub(&web->app.connections, 1);
    }
}

/* The first word of a request: its path as sent, without the query. */
static void *on_request_line(void *user, const char *uri, struct MHD_Connection *connection)
{
    exchange *x;
    (void)connection;
    if (pts_new(&x, 1, sizeof *x, NULL) != PTS_OK)
        return NULL;
    x->web = user;
    x->begin = pts_clock();
    x->path = strndup(uri, strcspn(uri, "?"));
    if (!x->path) {
        free(x);
        return NULL;
    }
    return x;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value ? value : "";
}

static size_t said_length(struct MHD_Connection *connection)
{
    const char *text = header(connection, "Content-Length");
    unsigned long long length = strtoull(text, NULL, 10);
    if (*text)
        return length > SIZE_MAX - 1 ? SIZE_MAX - 1 : (size_t)length;
    return *header(connection, "Transfer-Encoding") ? SIZE_MAX : 0;
}

/* The header is there. A refusal waits for the body unless that is long, or has not begun. */
static enum MHD_Result begin(exchange *x, struct MHD_Connection *connection, const char *method)
{
    size_t length = said_length(connection);
    bool asks = strcasecmp(header(connection, "Expect"), "100-continue") == 0;
    x->begun = true;
    atomic_fetch_add(&x->web->active, 1);
    snprintf(x->method, sizeof x->method, "%s", method);
    x->request = (web_request){.method = x->method,
                               .path = x->path,
                               .content_type = header(connection, "Content-Type"),
                               .authorization = header(connection, "Authorization"),
                               .accept_encoding = header(connection, "Accept-Encoding"),
                               .if_none_match = header(connection, "If-None-Match"),
                               .fetch_site = header(connection, "Sec-Fetch-Site")};
    pts_web_connections_limit(x->web->connections, place_of(connection),
                              x->web->options.body_seconds);
    x->refused = !pts_web_admit(&x->web->app, &x->request, length, &x->limit, &x->reply);
    if (x->refused && (asks || (length != SIZE_MAX && length > DRAIN_BYTES)))
        return send_reply(x, connection);
    return MHD_YES;
}

static enum MHD_Result finish(exchange *x, struct MHD_Connection *connection)
{
    size_t place = place_of(connection);
    static char none[1];
    pts_web_connections_limit(x->web->connections, place, 0);
    if (!x->refused) {
        x->request.body = x->body ? x->body : none;
        x->request.size = x->size;
        pts_web_answer(&x->web->app, &x->request, &x->reply);
        forget_body(x);
    }
    pts_web_connections_limit(x->web->connections, place, x->web->options.answer_seconds);
    return send_reply(x, connection);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context)
{
    exchange *x = *context;
    (void)user, (void)url, (void)version;
    if (!x)
        return MHD_NO;
    if (!x->begun)
        return begin(x, connection, method);
    if (*size == 0)
        return finish(x, connection);
    bool goes_on = take(x, data, *size);
    *size = 0;
    return goes_on ? MHD_YES : MHD_NO;
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    pts_web *web = user;
    exchange *x = *context;
    (void)code;
    if (!x)
        return;
    const web_log_entry entry = {.method = *x->method ? x->method : "-",
                                 .path = x->path,
                                 .status = x->status,
                                 .seconds = pts_clock() - x->begin,
                                 .received = x->received,
                                 .sent = x->sent};
    pts_web_log_request(&web->options, &entry);
    pts_web_metrics_note(&web->app.metrics, pts_web_route_index(x->path), x->status, entry.seconds,
                         x->received, x->sent);
    pts_web_connections_limit(web->connections, place_of(connection), web->options.header_seconds);
    forget_body(x);
    pts_web_reply_free(&x->reply);
    if (x->begun)
        atomic_fetch_sub(&web->active, 1);
    free(x->path);
    free(x);
    *context = NULL;
}

/* Paths are compared as they were sent. */
static size_t keep_escapes(void *user, struct MHD_Connection *connection, char *text)
{
    (void)user, (void)connection;
    return strlen(text);
}

/* ---- start and stop ---- */

static void count_cut(void *user)
{
    pts_web *web = user;
    atomic_fetch_add(&web->app.metrics.cut, 1);
}

static bool start_daemon(pts_web *web, int listening)
{
    const unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                           MHD_USE_POLL | MHD_USE_ITC;
    web->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, web, MHD_OPTION_LISTEN_SOCKET, listening,
        MHD_OPTION_CONNECTION_LIMIT, web->options.connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADER_BYTES, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, web,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, web, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, web, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, web, MHD_OPTION_END);
    return web->daemon != NULL;
}

static pts_status start_parts(pts_web *web, int listening, pts_error *err)
{
    PTS_TRY(pts_web_queue_create(&web->app.queue, &web->options, err));
    web->connections = pts_web_connections_create(web->options.connections + 1, count_cut, web);
    if (web->connections && start_daemon(web, listening))
        return PTS_OK;
    return pts_fail(err, PTS_ERR_IO, "libmicrohttpd could not be started");
}

/* The port first: who cannot have it need not wait for the models. Those who connect meanwhile do.
 */
static pts_status start(pts_web *web, const pts_web_options *options, pts_error *err)
{
    int listening = -1;
    PTS_TRY(pts_web_options_copy(&web->options, options, err));
    PTS_TRY(pts_web_listen(options, &listening, &web->port, err));
    web->app.options = &web->options;
    web->app.has_token = options->token != NULL;
    if (options->token)
        pts_web_token_digest(options->token, web->app.token);
    pts_status status = start_parts(web, listening, err);
    if (status != PTS_OK)
        close(listening);
    return status;
}

pts_status pts_web_start(pts_web **out, const pts_web_options *options, pts_error *err)
{
    pts_web *web;
    pts_error ignored;
    *out = NULL;
    err = err ? err : &ignored;
    PTS_TRY(pts_new(&web, 1, sizeof *web, err));
    pts_status status = start(web, options, err);
    if (status == PTS_OK)
        *out = web;
    else
        pts_web_stop(web);
    return status;
}

int pts_web_port(const pts_web *web)
{
    return web->port;
}

pts_status pts_web_reload(pts_web *web, pts_error *err)
{
    pts_error ignored;
    pts_status status = pts_web_queue_reload(web->app.queue, err ? err : &ignored);
    atomic_fetch_add(
        status == PTS_OK ? &web->app.metrics.reloads : &web->app.metrics.reloads_failed, 1);
    return status;
}

/* No request takes longer than its limits, so this ends. */
static void finish_requests(pts_web *web)
{
    const struct timespec pause = {0, 5000000};
    atomic_store(&web->app.stopping, true);
    int listening = MHD_quiesce_daemon(web->daemon);
    if (listening >= 0)
        close(listening);
    while (atomic_load(&web->active) > 0)
        nanosleep(&pause, NULL);
    MHD_stop_daemon(web->daemon);
}

void pts_web_stop(pts_web *web)
{
    if (!web)
        return;
    if (web->daemon)
        finish_requests(web);
    pts_web_connections_destroy(web->connections);
    pts_web_queue_destroy(web->app.queue);
    pts_web_options_free(&web->options);
    free(web);
}
