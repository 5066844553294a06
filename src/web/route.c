/* Which function answers which path, and what is refused before a body is read. */
#include "web/app.h"
#include "web/assets.h"

#include "pts/hash.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef void web_handler(web_app *app, const web_request *request, web_reply *reply);

typedef struct route {
    const char *path;
    bool post, guarded; /* guarded: behind the token */
    web_handler *answer;
} route;

/* The form carries the token in a field: a browser sends no header with it. */
static const route routes[] = {
    {"/api/v1/predict", true, true, pts_web_api_predict},
    {"/api/v1/curve", true, true, pts_web_api_curve},
    {"/api/v1/models", false, true, pts_web_api_models},
    {"/predict", true, false, pts_web_page_form},
    {"/healthz", false, false, pts_web_health},
    {"/metrics", false, true, pts_web_metrics_page},
};
enum { ROUTES = sizeof routes / sizeof *routes, ASSETS = ROUTES, UNKNOWN };

/* A curve's question is a few numbers. */
enum { SMALL_BODY = 65536 };

static const route asset_route = {"assets", false, false, pts_web_asset_page};

static const route *find_route(const char *path)
{
    for (size_t i = 0; i < ROUTES; i++) {
        if (strcmp(path, routes[i].path) == 0)
            return &routes[i];
    }
    return path[0] == '/' && pts_web_asset_find(path) ? &asset_route : NULL;
}

size_t pts_web_route_index(const char *path)
{
    const route *r = find_route(path);
    return !r ? UNKNOWN : r == &asset_route ? ASSETS : (size_t)(r - routes);
}

const char *pts_web_route_name(size_t index)
{
    return index < ROUTES     ? routes[index].path
           : index == ASSETS  ? "assets"
           : index == UNKNOWN ? "unknown"
                              : NULL;
}

/* ---- the token ---- */

void pts_web_token_digest(const char *token, unsigned char out[32])
{
    pts_sha256 hash;
    pts_sha256_init(&hash);
    pts_sha256_update(&hash, token, strlen(token));
    pts_sha256_final(&hash, out);
}

bool pts_web_token_matches(const web_app *app, const char *given)
{
    unsigned char digest[32], difference = 0;
    if (!app->has_token)
        return true;
    pts_web_token_digest(given, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        difference |= digest[i] ^ app->token[i];
    return difference == 0;
}

bool pts_web_bearer_matches(const web_app *app, const web_request *r)
{
    static const char scheme[] = "Bearer ";
    const size_t length = sizeof scheme - 1;
    bool bearer = strncasecmp(r->authorization, scheme, length) == 0;
    return pts_web_token_matches(app, bearer ? r->authorization + length : "");
}

/* ---- admission ---- */

static bool check_method(const route *r, const web_request *request, web_reply *reply, web_error *e)
{
    bool post = strcmp(request->method, "POST") == 0;
    bool get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    if (r->post ? post : get)
        return true;
    reply->allow = r->post ? "POST" : "GET, HEAD";
    return pts_web_fail(e, 405, NULL, "%.60s: expected %s, got %.20s", r->path, reply->allow,
                        request->method);
}

/* Another site's page may send forms here from a visitor's browser, and have their encoder work. */
static bool check_site(const web_request *request, web_error *e)
{
    if (strcmp(request->fetch_site, "cross-site") != 0)
        return true;
    return pts_web_fail(e, 403, NULL, "Sec-Fetch-Site: expected this site, got another");
}

static bool check_length(size_t length, size_t limit, web_error *e)
{
    if (length == SIZE_MAX || length <= limit)
        return true;
    return pts_web_fail(e, 413, NULL, "expected a body of at most %zu bytes, got %zu", limit,
                        length);
}

static bool admit(web_app *app, const web_request *request, size_t length, size_t *limit,
                  web_reply *reply, web_error *e)
{
    const route *r = find_route(request->path);
    *limit = 0;
    if (!r)
        return pts_web_fail(e, 404, NULL, "no such path");
    if (!check_method(r, request, reply, e))
        return false;
    if (r->guarded && !pts_web_bearer_matches(app, request))
        return pts_web_fail(e, 401, NULL, "expected the token: Authorization: Bearer …");
    if (r->post && !check_site(request, e))
        return false;
    if (r->answer == pts_web_api_curve)
        *limit = SMALL_BODY;
    else if (r->post)
        *limit = app->options->body_bytes;
    return check_length(length, *limit, e);
}

bool pts_web_admit(web_app *app, const web_request *request, size_t length, size_t *limit,
                   web_reply *reply)
{
    web_error e;
    if (admit(app, request, length, limit, reply, &e))
        return true;
    pts_web_reply_error(reply, &e);
    return false;
}

void pts_web_answer(web_app *app, const web_request *request, web_reply *reply)
{
    find_route(request->path)->answer(app, request, reply);
}
