#include "web/http.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pts_web_fail(web_error *e, int status, const char *field, const char *format, ...)
{
    va_list args;
    *e = (web_error){.status = status, .field = field};
    va_start(args, format);
    vsnprintf(e->message, sizeof e->message, format, args);
    va_end(args);
    return false;
}

bool pts_web_fail_status(web_error *e, pts_status status, const char *field, const pts_error *err)
{
    static const int codes[PTS_ERR_CANCELLED + 1] = {[PTS_ERR_LIMIT] = 413,
                                                     [PTS_ERR_UNSUPPORTED] = 415,
                                                     [PTS_ERR_MEMORY] = 503,
                                                     [PTS_ERR_IO] = 500};
    int code = codes[status] ? codes[status] : 400;
    pts_web_fail(e, code, field, "%s", err->message);
    e->retry_after = code == 503 ? 1 : 0;
    return false;
}

bool pts_web_fail_memory(web_error *e)
{
    return pts_web_fail_status(e, PTS_ERR_MEMORY, NULL, &(pts_error){"out of memory"});
}

static void set_text(web_reply *reply, int status, const char *type, char *text, size_t size)
{
    reply->status = status;
    reply->type = type;
    reply->body = reply->owned = text;
    reply->size = size;
}

void pts_web_reply_text(web_reply *reply, int status, const char *type, char *text, size_t size)
{
    web_error e;
    if (text)
        set_text(reply, status, type, text, size);
    else if (!pts_web_fail_memory(&e))
        pts_web_reply_error(reply, &e);
}

void pts_web_reply_error(web_reply *reply, const web_error *e)
{
    json_t *root =
        json_pack("{s{ss*so}}", "error", "field", e->field, "message", pts_json_text(e->message));
    char *text = json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    set_text(reply, e->status, "application/json", text, text ? strlen(text) : 0);
    reply->retry_after = e->retry_after;
}

void pts_web_reply_free(web_reply *reply)
{
    free(reply->owned);
    *reply = (web_reply){0};
}
