/* A look at an image file before stb_image sees it: its size, whether it is whole, and that it
 * holds nothing stb_image (2.27, as Debian 12 has it) mistakes or falls over. */
#ifndef PTS_SRC_IMAGE_PROBE_H
#define PTS_SRC_IMAGE_PROBE_H

#include "pts/base.h"

typedef struct image_file {
    const char *name; /* for messages */
    const uint8_t *data;
    size_t size;
} image_file;

typedef struct image_probe {
    size_t width, height;
    int gray16;        /* a gray PNG of 16 bits */
    size_t palette_at; /* offset of a PNG's PLTE chunk, 0 without a palette */
} image_probe;

/* Each is for files that begin with its format's signature. PTS_ERR_FORMAT for what is cut or
 * damaged, PTS_ERR_UNSUPPORTED for what is valid but not read here. */
pts_status pts_probe_jpeg(const image_file *file, image_probe *out, pts_error *err);
pts_status pts_probe_png(const image_file *file, image_probe *out, pts_error *err);
pts_status pts_probe_bmp(const image_file *file, image_probe *out, pts_error *err);

static inline uint32_t image_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t image_be32(const uint8_t *p)
{
    return image_be16(p) << 16 | image_be16(p + 2);
}

static inline uint32_t image_le16(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t image_le32(const uint8_t *p)
{
    return image_le16(p) | image_le16(p + 2) << 16;
}

#endif
