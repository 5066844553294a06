/* PNG (W3C, third edition): the chunks up to IEND, with the check sums of the critical ones.
 * stb_image checks neither those nor zlib's, so a flipped bit would pass as a picture. */
#include "base/error.h"
#include "image/probe.h"

#include <stdbool.h>
#include <string.h>

typedef struct chunk {
    size_t at;     /* of its length field */
    uint32_t size; /* of its data */
    const uint8_t *type, *data;
} chunk;

typedef struct png {
    const image_file *file;
    image_probe *out;
    uint8_t depth, colour;
    int pixels, ended;
    pts_error *err;
} png;

/* CRC-32 of IEEE 802.3, four bits at a time. */
static uint32_t crc32_of(const uint8_t *p, size_t size)
{
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static pts_status damaged(const png *p, const chunk *c, const char *what)
{
    return pts_fail(p->err, PTS_ERR_FORMAT, "%s: damaged PNG: %s in the chunk at byte %zu",
                    p->file->name, what, c->at);
}

static bool is_type(const chunk *c, const char *type)
{
    return memcmp(c->type, type, 4) == 0;
}

static bool depth_fits_colour(uint8_t depth, uint8_t colour)
{
    switch (colour) {
    case 0: /* gray */
        return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case 3: /* palette */
        return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case 2: /* RGB */
    case 4: /* gray and alpha */
    case 6: /* RGB and alpha */
        return depth == 8 || depth == 16;
    default:
        return 0;
    }
}

static pts_status read_header(png *p, const chunk *c)
{
    if (c->size != 13)
        return damaged(p, c, "expected 13 bytes of header, got another number");
    p->depth = c->data[8];
    p->colour = c->data[9];
    if (!depth_fits_colour(p->depth, p->colour) || c->data[10] || c->data[11] || c->data[12] > 1)
        return damaged(p, c, "impossible colour type, depth or method");
    p->out->width = image_be32(c->data);
    p->out->height = image_be32(c->data + 4);
    p->out->gray16 = p->colour == 0 && p->depth == 16;
    return PTS_OK;
}

static pts_status read_palette(png *p, const chunk *c)
{
    if (p->out->palette_at || p->pixels || !c->size || c->size > 768 || c->size % 3)
        return damaged(p, c, "impossible palette");
    if (p->colour == 3) /* elsewhere it is a hint for old displays */
        p->out->palette_at = c->at;
    return PTS_OK;
}

static pts_status read_critical(png *p, const chunk *c)
{
    if (crc32_of(c->type, 4 + (size_t)c->size) != image_be32(c->data + c->size))
        return damaged(p, c, "wrong check sum");
    if (is_type(c, "IHDR") != (p->depth == 0))
        return damaged(p, c, "expected one IHDR, before all else; got another order");
    if (is_type(c, "IHDR"))
        return read_header(p, c);
    if (is_type(c, "PLTE"))
        return read_palette(p, c);
    if (is_type(c, "IDAT"))
        p->pixels = 1;
    else if (is_type(c, "IEND"))
        p->ended = 1;
    else
        return pts_fail(p->err, PTS_ERR_UNSUPPORTED,
                        "%s: expected a standard PNG, got an unknown critical chunk at byte %zu",
                        p->file->name, c->at);
    return PTS_OK;
}

static pts_status walk(png *p)
{
    const image_file *file = p->file;
    for (size_t at = 8; !p->ended;) {
        uint32_t size = file->size - at < 12 ? 0 : image_be32(file->data + at);
        if (file->size - at < 12 || size > file->size - at - 12)
            return pts_fail(p->err, PTS_ERR_FORMAT,
                            "%s: truncated PNG: expected an IEND chunk, got the end of the file "
                            "after %zu bytes",
                            file->name, file->size);
        chunk c = {at, size, file->data + at + 4, file->data + at + 8};
        if (!(c.type[0] & 0x20)) /* an upper-case first letter marks a critical chunk */
            PTS_TRY(read_critical(p, &c));
        at += 12 + (size_t)size;
    }
    if (!p->pixels || (p->colour == 3 && !p->out->palette_at))
        return pts_fail(p->err, PTS_ERR_FORMAT, "%s: damaged PNG: no %s in it", file->name,
                        p->pixels ? "palette" : "picture");
    return PTS_OK;
}

pts_status pts_probe_png(const image_file *file, image_probe *out, pts_error *err)
{
    *out = (image_probe){0};
    png p = {.file = file, .out = out, .err = err};
    return walk(&p);
}
