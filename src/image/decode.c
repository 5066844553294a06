#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "pts/image.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_FAILURE_STRINGS
#define STBI_ASSERT(x) ((void)0)
/* Judged at the end of the file, so it cannot be popped. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wfloat-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <stb_image.h>
#pragma GCC diagnostic pop

static unsigned big16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t little32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int is_frame_marker(uint8_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* Walks the segments to the end-of-image marker: stb_image fills what a cut file lacks with gray
 * and reports success. Returns 0 where the marker never comes; *components is the frame's. */
static int jpeg_is_whole(const uint8_t *data, size_t size, int *components)
{
    *components = 0;
    size_t at = 2;
    while (at + 1 < size) {
        if (data[at] != 0xff) { /* entropy-coded data, or stray bytes that decoders skip */
            at++;
            continue;
        }
        uint8_t marker = data[at + 1];
        if (marker == 0xd9)
            return 1;
        if (marker == 0xff) { /* fill byte */
            at++;
            continue;
        }
        if (marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd8)) {
            at += 2;
            continue;
        }
        if (at + 10 > size)
            return 0;
        if (is_frame_marker(marker))
            *components = data[at + 9];
        at += 2 + big16(data + at + 2);
    }
    return 0;
}

/* Uncompressed BMP rows must lie in the file: stb_image reads zeros past its end. */
static int bmp_is_whole(const uint8_t *data, size_t size)
{
    if (size < 54 || little32(data + 14) < 40)
        return size >= 26; /* the old OS/2 header: stb_image checks what it can */
    uint64_t width = little32(data + 18), bits = big16((uint8_t[]){data[29], data[28]});
    int64_t height = (int32_t)little32(data + 22);
    uint64_t rows = (uint64_t)(height < 0 ? -height : height);
    uint64_t row_bytes = (width * bits + 31) / 32 * 4;
    return rows == 0 || row_bytes <= (size - 54) / rows + 1
               ? little32(data + 10) <= size && rows * row_bytes <= size - little32(data + 10)
               : 0;
}

static pts_status check_whole(const char *name, const uint8_t *data, size_t size, pts_error *err)
{
    int components = 3, whole = 1;
    if (size > 3 && data[0] == 0xff && data[1] == 0xd8)
        whole = jpeg_is_whole(data, size, &components);
    else if (size > 2 && data[0] == 'B' && data[1] == 'M')
        whole = bmp_is_whole(data, size);
    if (!whole)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: truncated: the image's data ends early, after %zu bytes", name, size);
    if (components == 4)
        return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: expected a gray or RGB JPEG, got CMYK",
                        name);
    return PTS_OK;
}

static pts_status check_size(const char *name, int width, int height,
                             const pts_image_limits *limits, pts_error *err)
{
    if (width < 1 || height < 1)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected at least 1×1 pixels, got %d×%d", name,
                        width, height);
    if ((size_t)width > limits->pixels / (size_t)height)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %zu pixels, got %d×%d", name,
                        limits->pixels, width, height);
    return PTS_OK;
}

pts_status pts_image_decode(const char *name, const uint8_t *data, size_t size,
                            const pts_image_limits *limits, pts_image *out, pts_error *err)
{
    static const pts_image_limits defaults = PTS_IMAGE_LIMITS_DEFAULT;
    *out = (pts_image){0};
    limits = limits ? limits : &defaults;
    if (size > limits->bytes || size > INT_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %zu bytes, got %zu", name,
                        limits->bytes, size);
    int width, height, channels;
    if (!size || !stbi_info_from_memory(data, (int)size, &width, &height, &channels))
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a JPEG, PNG or BMP image, got %s", name,
                        size ? "other bytes" : "an empty file");
    PTS_TRY(check_size(name, width, height, limits, err));
    PTS_TRY(check_whole(name, data, size, err));
    out->rgb = stbi_load_from_memory(data, (int)size, &width, &height, &channels, 3);
    if (!out->rgb)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: damaged or truncated image data", name);
    out->width = (size_t)width;
    out->height = (size_t)height;
    return PTS_OK;
}

pts_status pts_image_read(const char *path, const pts_image_limits *limits, pts_image *out,
                          pts_error *err)
{
    static const pts_image_limits defaults = PTS_IMAGE_LIMITS_DEFAULT;
    *out = (pts_image){0};
    char *data;
    size_t size;
    PTS_TRY(pts_read_file(path, limits ? limits->bytes : defaults.bytes, &data, &size, err));
    pts_status status = pts_image_decode(path, (const uint8_t *)data, size, limits, out, err);
    free(data);
    return status;
}

void pts_image_free(pts_image *image)
{
    free(image->rgb);
    *image = (pts_image){0};
}
