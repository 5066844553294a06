#include "web/assets.h"
#include "web/app.h"

#include <string.h>

const web_asset *pts_web_asset_find(const char *path)
{
    for (size_t i = 0; i < pts_web_asset_count; i++) {
        if (strcmp(path, pts_web_assets[i].path) == 0)
            return &pts_web_assets[i];
    }
    return NULL;
}

void pts_web_asset_page(web_app *app, const web_request *request, web_reply *reply)
{
    const web_asset *asset = pts_web_asset_find(request->path);
    (void)app;
    reply->etag = asset->etag;
    reply->varies = true;
    if (strstr(request->if_none_match, asset->etag)) {
        reply->status = 304;
        return;
    }
    reply->gzip = strstr(request->accept_encoding, "gzip") != NULL;
    reply->status = 200;
    reply->type = asset->type;
    reply->body = (const char *)(reply->gzip ? asset->gzip : asset->data);
    reply->size = reply->gzip ? asset->gzip_size : asset->size;
}
