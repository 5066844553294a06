/* The page's files, compiled in by embed.py. */
#ifndef PTS_SRC_WEB_ASSETS_H
#define PTS_SRC_WEB_ASSETS_H

#include <stddef.h>

typedef struct web_asset {
    const char *path; /* "/page.css"; a template's own name, "answer.html", which is not served */
    const char *type;
    const char *etag; /* quoted */
    const unsigned char *data, *gzip;
    size_t size, gzip_size;
} web_asset;

extern const web_asset pts_web_assets[];
extern const size_t pts_web_asset_count;

const web_asset *pts_web_asset_find(const char *path);

#endif
