/* A client of the service over a bare socket, so that it can also do what no client should:
 *
 *   web_reply r = web_ask(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
 *   ck_assert_int_eq(r.status, 200);
 *   pts_web_reply_free(&r);
 */
#ifndef PTS_TESTS_WEB_CLIENT_H
#define PTS_TESTS_WEB_CLIENT_H

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

typedef struct web_reply {
    int status; /* 0: the connection ended without one */
    char head[16384];
    char *body; /* [size] and a NUL */
    size_t size;
} web_reply;

/* What is sent: grows as it is added to. */
typedef struct web_text {
    char *data;
    size_t size, capacity;
} web_text;

static inline void web_add(web_text *t, const void *data, size_t size)
{
    if (t->size + size + 1 > t->capacity) {
        t->capacity = 2 * (t->size + size) + 1024;
        t->data = realloc(t->data, t->capacity);
        ck_assert_ptr_nonnull(t->data);
    }
    memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

__attribute__((format(printf, 2, 3))) static inline void web_print(web_text *t, const char *format,
                                                                   ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ck_assert_int_lt(length, (int)sizeof text);
    web_add(t, text, (size_t)length);
}

static inline int web_connect(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {60, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/* False where the other side has closed. */
static inline bool web_send(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

static inline const char *web_header(const web_reply *r, const char *name)
{
    static char value[1024];
    size_t length = strlen(name);
    for (const char *line = strstr(r->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        snprintf(value, sizeof value, "%.*s", (int)strcspn(line + length + 2, "\r"),
                 line + length + 2);
        return value;
    }
    return "";
}

/* A byte at a time up to the blank line, so that nothing of the next reply is taken. */
static inline bool web_read_head(int fd, web_reply *r)
{
    size_t used = 0;
    while (used + 1 < sizeof r->head && recv(fd, r->head + used, 1, 0) == 1) {
        r->head[++used] = '\0';
        if (used >= 4 && memcmp(r->head + used - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

/* With a Content-Length: the service always says one. */
static inline web_reply web_read(int fd)
{
    web_reply r = {.status = 0};
    if (!web_read_head(fd, &r))
        return r;
    sscanf(r.head, "HTTP/%*d.%*d %d", &r.status);
    r.size = (size_t)strtoul(web_header(&r, "Content-Length"), NULL, 10);
    r.body = calloc(1, r.size + 1);
    ck_assert_ptr_nonnull(r.body);
    size_t used = 0;
    ssize_t got = 1;
    while (used < r.size && (got = recv(fd, r.body + used, r.size - used, 0)) > 0)
        used += (size_t)got;
    ck_assert_msg(used == r.size, "expected %zu bytes, got %zu", r.size, used);
    return r;
}

static inline void pts_web_reply_free(web_reply *r)
{
    free(r->body);
    *r = (web_reply){.status = 0};
}

static inline web_reply web_exchange(int port, const web_text *request)
{
    int fd = web_connect(port);
    web_send(fd, request->data, request->size);
    web_reply r = web_read(fd);
    close(fd);
    return r;
}

static inline web_reply web_ask(int port, const char *request)
{
    return web_exchange(port, &(web_text){(char *)(uintptr_t)request, strlen(request), 0});
}

/* ---- multipart ---- */

#define WEB_BOUNDARY_LINE "--xxBOUNDARYxx"

static inline void web_field(web_text *body, const char *name, const char *value)
{
    web_print(body, WEB_BOUNDARY_LINE "\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n",
              name);
    web_add(body, value, strlen(value));
    web_add(body, "\r\n", 2);
}

static inline void web_file(web_text *body, const char *filename, const char *type,
                            const void *data, size_t size)
{
    web_print(body,
              WEB_BOUNDARY_LINE
              "\r\nContent-Disposition: form-data; name=\"images\"; filename=\"%s\"\r\n"
              "Content-Type: %s\r\n\r\n",
              filename, type);
    web_add(body, data, size);
    web_add(body, "\r\n", 2);
}

/* The head and the closed body as one request; the body is released. */
static inline web_text web_form_request(const char *path, web_text *body, const char *more)
{
    web_text t = {NULL, 0, 0};
    web_print(body, WEB_BOUNDARY_LINE "--\r\n");
    web_print(&t,
              "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; "
              "boundary=xxBOUNDARYxx\r\nContent-Length: %zu\r\n%s\r\n",
              path, body->size, more);
    web_add(&t, body->data, body->size);
    free(body->data);
    *body = (web_text){NULL, 0, 0};
    return t;
}

static inline web_reply web_post(int port, const char *path, web_text *body, const char *more)
{
    web_text t = web_form_request(path, body, more);
    web_reply r = web_exchange(port, &t);
    free(t.data);
    return r;
}

#endif
