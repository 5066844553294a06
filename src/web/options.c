#include "web/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_MIN = 16 };

__attribute__((format(printf, 3, 4))) static pts_status fail(pts_error *err, pts_status status,
                                                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

static char **copy_list(const char *const *items, size_t count)
{
    char **copy = calloc(count + 1, sizeof *copy);
    bool whole = copy != NULL;
    for (size_t i = 0; i < count && whole; i++)
        whole = (copy[i] = strdup(items[i])) != NULL;
    for (size_t i = 0; i < count && copy && !whole; i++)
        free(copy[i]);
    if (!whole)
        free(copy);
    return whole ? copy : NULL;
}

static void free_list(const char *const *items, size_t count)
{
    for (size_t i = 0; i < count && items; i++)
        free((char *)(uintptr_t)items[i]);
    free((void *)(uintptr_t)items);
}

static pts_prior_name *copy_priors(const pts_prior_name *items, size_t count)
{
    pts_prior_name *copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count && copy; i++)
        copy[i] = (pts_prior_name){strdup(items[i].name), strdup(items[i].path)};
    return copy;
}

static bool is_whole(const pts_web_options *o)
{
    bool whole = o->address && o->encoders && o->heads && o->priors;
    for (size_t i = 0; i < o->prior_count && whole; i++)
        whole = o->priors[i].name && o->priors[i].path;
    return whole;
}

pts_status pts_web_options_copy(pts_web_options *out, const pts_web_options *o, pts_error *err)
{
    *out = *o;
    out->address = strdup(o->address);
    out->token = NULL; /* only its digest is kept */
    out->encoders = (const char *const *)copy_list(o->encoders, o->encoder_count);
    out->heads = (const char *const *)copy_list(o->heads, o->head_count);
    out->priors = copy_priors(o->priors, o->prior_count);
    if (!is_whole(out))
        return fail(err, PTS_ERR_MEMORY, "out of memory");
    if (o->token && strlen(o->token) < TOKEN_MIN)
        return fail(err, PTS_ERR_ARGUMENT, "token: expected at least %d characters, got %zu",
                    TOKEN_MIN, strlen(o->token));
    if (o->port < 0 || o->port > 65535)
        return fail(err, PTS_ERR_ARGUMENT, "port: expected 0 … 65535, got %d", o->port);
    if (o->queue < 1 || o->connections < 1)
        return fail(err, PTS_ERR_ARGUMENT, "queue: expected at least 1, got 0");
    return PTS_OK;
}

void pts_web_options_free(pts_web_options *o)
{
    free((char *)(uintptr_t)o->address);
    free_list(o->encoders, o->encoder_count);
    free_list(o->heads, o->head_count);
    for (size_t i = 0; i < o->prior_count && o->priors; i++) {
        free((char *)(uintptr_t)o->priors[i].name);
        free((char *)(uintptr_t)o->priors[i].path);
    }
    free((void *)(uintptr_t)o->priors);
}

/* ---- where to listen ---- */

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;

static bool read_address(const char *text, int port, address *out, socklen_t *size)
{
    const char *numeric = strcmp(text, "localhost") == 0 ? "127.0.0.1" : text;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, numeric, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        *size = sizeof out->v4;
        return true;
    }
    if (inet_pton(AF_INET6, numeric, &out->v6.sin6_addr) != 1)
        return false;
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons((uint16_t)port);
    *size = sizeof out->v6;
    return true;
}

static bool is_loopback(const address *a)
{
    if (a->any.sa_family == AF_INET)
        return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

static int bound_port(int fd)
{
    address a;
    socklen_t size = sizeof a;
    if (getsockname(fd, &a.any, &size) != 0)
        return 0;
    return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

pts_status pts_web_listen(const pts_web_options *o, int *out, int *port, pts_error *err)
{
    address a;
    socklen_t size;
    const int on = 1;
    if (!read_address(o->address, o->port, &a, &size))
        return fail(err, PTS_ERR_ARGUMENT,
                    "bind: expected a numeric IPv4 or IPv6 address or localhost, got '%.100s'",
                    o->address);
    if (!is_loopback(&a) && !o->token && !o->insecure)
        return fail(err, PTS_ERR_ARGUMENT,
                    "bind: %s can be reached from outside: expected a token or insecure",
                    o->address);
    int fd = socket(a.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return fail(err, PTS_ERR_IO, "socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &a.any, size) != 0 || listen(fd, 512) != 0) {
        pts_status status =
            fail(err, PTS_ERR_IO, "%s port %d: %s", o->address, o->port, strerror(errno));
        close(fd);
        return status;
    }
    *out = fd;
    *port = bound_port(fd);
    return PTS_OK;
}
