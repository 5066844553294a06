#include "base/error.h"
#include "pts/file.h"
#include "base/memory.h"
#include "image/probe.h"
#include "image/stb.h"
#include "pts/image.h"

#include <stdbool.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { PNG_PALETTE = 256 * 3, PNG_CHUNK = 12 };

static bool starts_with(const image_file *file, const char *signature, size_t size)
{
    return file->size >= size && memcmp(file->data, signature, size) == 0;
}

static pts_status probe_file(const image_file *file, image_probe *out, pts_error *err)
{
    if (starts_with(file, "\xff\xd8\xff", 3))
        return pts_probe_jpeg(file, out, err);
    if (starts_with(file, "\x89PNG\r\n\x1a\n", 8))
        return pts_probe_png(file, out, err);
    if (starts_with(file, "BM", 2))
        return pts_probe_bmp(file, out, err);
    return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a JPEG, PNG or BMP image, got %s",
                    file->name, file->size ? "other bytes" : "an empty file");
}

static pts_status check_size(const image_file *file, const image_probe *probe,
                             const pts_image_limits *limits, pts_error *err)
{
    if (!probe->width || !probe->height)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected at least 1×1 pixels, got %zu×%zu",
                        file->name, probe->width, probe->height);
    if (probe->width > limits->pixels / probe->height)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %zu pixels, got %zu×%zu",
                        file->name, limits->pixels, probe->width, probe->height);
    return PTS_OK;
}

/* The most that stb_image may ask for at once: four samples of 16 bits a pixel, JPEG's blocks
 * rounded up to 32 pixels, twice that as its buffers double; or twice the file. */
static size_t allocation_cap(const image_file *file, const image_probe *probe)
{
    size_t pixels;
    if (!pts_mul(probe->width + 64, probe->height + 64, &pixels) || pixels > INT_MAX)
        pixels = INT_MAX;
    return 16 * pixels + 2 * file->size;
}

/* The file with its palette filled up with black to 256 colours: an index beyond the palette is
 * black in Pillow, and whatever the stack held in stb_image. */
static pts_status fill_palette(const image_file *file, size_t at, image_file *out, uint8_t **owned,
                               pts_error *err)
{
    size_t had = image_be32(file->data + at), after = at + PNG_CHUNK + had;
    size_t size = file->size - had + PNG_PALETTE;
    uint8_t *data = calloc(1, size);
    if (!data)
        return pts_fail_memory(err, size);
    memcpy(data, file->data, at + 8 + had);
    data[at + 2] = PNG_PALETTE >> 8;
    data[at + 3] = PNG_PALETTE & 255;
    memcpy(data + at + PNG_CHUNK + PNG_PALETTE, file->data + after, file->size - after);
    *owned = data;
    *out = (image_file){file->name, data, size};
    return PTS_OK;
}

/* Pillow's I;16 becomes RGB by clipping, not by scaling: what lies above 255 is white. */
static uint8_t *clip_gray16(const uint16_t *gray, size_t pixels)
{
    uint8_t *rgb = malloc(pixels * 3);
    for (size_t i = 0; rgb && i < pixels * 3; i++)
        rgb[i] = (uint8_t)(gray[i / 3] < 255 ? gray[i / 3] : 255);
    return rgb;
}

static uint8_t *decode_gray16(const image_file *file, const image_probe *probe, size_t cap,
                              const char **why)
{
    uint16_t *gray = pts_stb_gray16(file, probe, cap, why);
    if (!gray)
        return NULL;
    uint8_t *rgb = clip_gray16(gray, probe->width * probe->height);
    free(gray);
    return rgb;
}

static pts_status decode_probed(const image_file *file, const image_probe *probe, pts_image *out,
                                pts_error *err)
{
    const char *why = "outofmem"; /* stb_image's word for it */
    image_file whole = *file;
    uint8_t *owned = NULL;
    if (probe->palette_at)
        PTS_TRY(fill_palette(file, probe->palette_at, &whole, &owned, err));
    size_t cap = allocation_cap(&whole, probe);
    uint8_t *rgb = probe->gray16 ? decode_gray16(&whole, probe, cap, &why)
                                 : pts_stb_rgb(&whole, probe, cap, &why);
    free(owned);
    if (!rgb && strcmp(why, "outofmem") == 0)
        return pts_fail(err, PTS_ERR_MEMORY,
                        "%s: out of memory, or damaged: %zu×%zu pixels ask for more than %zu bytes "
                        "at once",
                        file->name, probe->width, probe->height, cap);
    if (!rgb)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: damaged image data: %s", file->name, why);
    *out = (pts_image){probe->width, probe->height, rgb};
    return PTS_OK;
}

static pts_status check_file(const image_file *file, const pts_image_limits *limits,
                             image_probe *probe, pts_error *err)
{
    size_t most = limits->bytes < INT_MAX - PNG_PALETTE ? limits->bytes : INT_MAX - PNG_PALETTE;
    if (file->size > most)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %zu bytes, got %zu", file->name,
                        most, file->size);
    PTS_TRY(probe_file(file, probe, err));
    return check_size(file, probe, limits, err);
}

static const pts_image_limits defaults = PTS_IMAGE_LIMITS_DEFAULT;

pts_status pts_image_decode(const char *name, const uint8_t *data, size_t size,
                            const pts_image_limits *limits, pts_image *out, pts_error *err)
{
    image_file file = {name, data, size};
    image_probe probe;
    *out = (pts_image){0};
    PTS_TRY(check_file(&file, limits ? limits : &defaults, &probe, err));
    return decode_probed(&file, &probe, out, err);
}

pts_status pts_image_read(const char *path, const pts_image_limits *limits, pts_image *out,
                          pts_error *err)
{
    *out = (pts_image){0};
    char *data;
    size_t size;
    PTS_TRY(pts_read_file(path, limits ? limits->bytes : defaults.bytes, &data, &size, err));
    pts_status status = pts_image_decode(path, (const uint8_t *)data, size, limits, out, err);
    free(data);
    return status;
}

pts_status pts_image_probe_data(const char *name, const uint8_t *data, size_t size,
                                const pts_image_limits *limits, size_t *width, size_t *height,
                                pts_error *err)
{
    image_probe probe;
    *width = *height = 0;
    PTS_TRY(check_file(&(image_file){name, data, size}, limits ? limits : &defaults, &probe, err));
    *width = probe.width;
    *height = probe.height;
    return PTS_OK;
}

pts_status pts_image_probe(const char *path, const pts_image_limits *limits, size_t *width,
                           size_t *height, pts_error *err)
{
    char *data;
    size_t size;
    *width = *height = 0;
    PTS_TRY(pts_read_file(path, limits ? limits->bytes : defaults.bytes, &data, &size, err));
    pts_status status =
        pts_image_probe_data(path, (const uint8_t *)data, size, limits, width, height, err);
    free(data);
    return status;
}

void pts_image_free(pts_image *image)
{
    free(image->rgb);
    *image = (pts_image){0};
}
