#include "web/options.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_MIN = 16 };

static pts_status copy_text(const char **out, const char *text, pts_error *err)
{
    char *copy;
    PTS_TRY(pts_text(&copy, err, "%s", text));
    *out = copy;
    return PTS_OK;
}

static pts_status copy_list(const char *const **out, const char *const *items, size_t count,
                            pts_error *err)
{
    const char **copy;
    PTS_TRY(pts_new(&copy, count, sizeof *copy, err));
    *out = copy;
    for (size_t i = 0; i < count; i++)
        PTS_TRY(copy_text(&copy[i], items[i], err));
    return PTS_OK;
}

static pts_status copy_priors(pts_web_options *out, const pts_web_options *o, pts_error *err)
{
    pts_prior_name *copy;
    PTS_TRY(pts_new(&copy, o->prior_count, sizeof *copy, err));
    out->priors = copy;
    for (size_t i = 0; i < o->prior_count; i++) {
        PTS_TRY(copy_text(&copy[i].name, o->priors[i].name, err));
        PTS_TRY(copy_text(&copy[i].path, o->priors[i].path, err));
    }
    return PTS_OK;
}

pts_status pts_web_options_copy(pts_web_options *out, const pts_web_options *o, pts_error *err)
{
    *out = *o;
    out->token = NULL; /* only its digest is kept */
    out->address = NULL;
    out->encoders = out->heads = NULL;
    out->priors = NULL;
    PTS_TRY(copy_text(&out->address, o->address, err));
    PTS_TRY(copy_list(&out->encoders, o->encoders, o->encoder_count, err));
    PTS_TRY(copy_list(&out->heads, o->heads, o->head_count, err));
    PTS_TRY(copy_priors(out, o, err));
    if (o->token && strlen(o->token) < TOKEN_MIN)
        return pts_fail(err, PTS_ERR_ARGUMENT, "token: expected at least %d characters, got %zu",
                        TOKEN_MIN, strlen(o->token));
    if (o->port < 0 || o->port > 65535)
        return pts_fail(err, PTS_ERR_ARGUMENT, "port: expected 0 … 65535, got %d", o->port);
    if (o->queue < 1 || o->connections < 1)
        return pts_fail(err, PTS_ERR_ARGUMENT, "queue: expected at least 1, got 0");
    return PTS_OK;
}

static void free_text(const char *text)
{
    free((char *)(uintptr_t)text);
}

static void free_list(const char *const *items, size_t count)
{
    for (size_t i = 0; i < count && items; i++)
        free_text(items[i]);
    free((void *)(uintptr_t)items);
}

void pts_web_options_free(pts_web_options *o)
{
    free_text(o->address);
    free_list(o->encoders, o->encoder_count);
    free_list(o->heads, o->head_count);
    for (size_t i = 0; i < o->prior_count && o->priors; i++) {
        free_text(o->priors[i].name);
        free_text(o->priors[i].path);
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
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "bind: expected a numeric IPv4 or IPv6 address or localhost, got '%.100s'",
                        o->address);
    if (!is_loopback(&a) && !o->token && !o->insecure)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "bind: %s can be reached from outside: expected a token or insecure",
                        o->address);
    int fd = socket(a.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return pts_fail(err, PTS_ERR_IO, "socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &a.any, size) != 0 || listen(fd, 512) != 0) {
        pts_status status =
            pts_fail(err, PTS_ERR_IO, "%s port %d: %s", o->address, o->port, strerror(errno));
        close(fd);
        return status;
    }
    *out = fd;
    *port = bound_port(fd);
    return PTS_OK;
}
