/* BMP (Microsoft, BITMAPINFOHEADER and its V4 and V5): uncompressed, rows within the file.
 * stb_image reads zeros past the end of a cut file, and of a short palette the bytes behind it. */
#include "base/error.h"
#include "image/probe.h"

#include <stdbool.h>

enum { FILE_HEADER = 14, INFO_HEADER = 40, V3_HEADER = 56, V4_HEADER = 108, V5_HEADER = 124 };

typedef struct bmp {
    const image_file *file;
    uint32_t offset, header, width, height, bits, compression;
    size_t row_bytes;
} bmp;

static pts_status truncated(const bmp *b, pts_error *err)
{
    return pts_fail(err, PTS_ERR_FORMAT,
                    "%s: truncated BMP: expected %u×%u pixels of %u bits, got the end of the file "
                    "after %zu bytes",
                    b->file->name, b->width, b->height, b->bits, b->file->size);
}

static pts_status unsupported(const bmp *b, const char *expected, uint32_t got, pts_error *err)
{
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: expected a BMP %s, got %u", b->file->name,
                    expected, got);
}

static void read_header(bmp *b)
{
    const uint8_t *p = b->file->data;
    int32_t height = (int32_t)image_le32(p + 22);
    b->offset = image_le32(p + 10);
    b->header = image_le32(p + 14);
    b->width = image_le32(p + 18);
    /* Negative: rows from the top down. */
    b->height = height < 0 ? 0u - (uint32_t)height : (uint32_t)height;
    b->bits = image_le16(p + 28);
    b->compression = image_le32(p + 30);
    b->row_bytes = (size_t)(((uint64_t)b->width * b->bits + 31) / 32 * 4);
}

/* Masks other than these go through stb_image's rounding, which is not Pillow's. */
static bool has_usual_masks(const bmp *b)
{
    const uint8_t *masks = b->file->data + FILE_HEADER + INFO_HEADER;
    return image_le32(masks) == 0xff0000 && image_le32(masks + 4) == 0xff00 &&
           image_le32(masks + 8) == 0xff;
}

/* Behind the headers and the masks: a palette or the pixels. */
static uint32_t headers_end(const bmp *b)
{
    return FILE_HEADER + b->header + (b->compression == 3 && b->header == INFO_HEADER ? 12 : 0);
}

static pts_status check_kind(const bmp *b, pts_error *err)
{
    if (b->header != INFO_HEADER && b->header != V3_HEADER && b->header != V4_HEADER &&
        b->header != V5_HEADER)
        return unsupported(b, "header of 40, 56, 108 or 124 bytes", b->header, err);
    if (b->file->size < headers_end(b))
        return truncated(b, err);
    if (b->bits != 1 && b->bits != 4 && b->bits != 8 && b->bits != 24 && b->bits != 32)
        return unsupported(b, "of 1, 4, 8, 24 or 32 bits a pixel", b->bits, err);
    if (b->compression != 0 && b->compression != 3)
        return unsupported(b, "without compression (0 or 3)", b->compression, err);
    if (b->compression == 3 && (b->bits != 32 || b->header == V3_HEADER || !has_usual_masks(b)))
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: expected a BMP with the masks of 8-bit RGB, got others",
                        b->file->name);
    return PTS_OK;
}

/* Row `y` in file order, `x` from the left. */
static unsigned palette_index(const bmp *b, size_t y, size_t x)
{
    const uint8_t *row = b->file->data + b->offset + y * b->row_bytes;
    size_t bit = x * b->bits;
    return row[bit / 8] >> (8 - b->bits - bit % 8) & ((1u << b->bits) - 1);
}

static pts_status check_indices(const bmp *b, uint32_t colours, pts_error *err)
{
    for (size_t y = 0; y < b->height; y++) {
        for (size_t x = 0; x < b->width; x++) {
            unsigned index = palette_index(b, y, x);
            if (index >= colours)
                return pts_fail(err, PTS_ERR_FORMAT,
                                "%s: damaged BMP: expected an index below %u at row %zu, column "
                                "%zu of the file, got %u",
                                b->file->name, colours, y, x, index);
        }
    }
    return PTS_OK;
}

static pts_status check_palette(const bmp *b, uint32_t start, pts_error *err)
{
    uint32_t colours = (b->offset - start) / 4;
    if (!colours || colours > 256)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: damaged BMP: expected a palette of 1 to 256 colours, got %u",
                        b->file->name, colours);
    return colours >= 1u << b->bits ? PTS_OK : check_indices(b, colours, err);
}

static pts_status check_pixels(const bmp *b, pts_error *err)
{
    uint32_t start = headers_end(b);
    if (b->width > INT32_MAX || b->height > INT32_MAX || image_le16(b->file->data + 26) != 1)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: damaged BMP: impossible header", b->file->name);
    if (b->offset < start || (b->bits >= 24 && b->offset != start))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: damaged BMP: expected pixels from byte %u on, got %u", b->file->name,
                        start, b->offset);
    if (b->offset > b->file->size ||
        (b->row_bytes && b->height > (b->file->size - b->offset) / b->row_bytes))
        return truncated(b, err);
    return b->bits <= 8 ? check_palette(b, start, err) : PTS_OK;
}

pts_status pts_probe_bmp(const image_file *file, image_probe *out, pts_error *err)
{
    bmp b = {.file = file};
    if (file->size < FILE_HEADER + INFO_HEADER)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: truncated BMP: expected %d bytes of header, got a file of %zu bytes",
                        file->name, FILE_HEADER + INFO_HEADER, file->size);
    read_header(&b);
    PTS_TRY(check_kind(&b, err));
    PTS_TRY(check_pixels(&b, err));
    *out = (image_probe){.width = b.width, .height = b.height};
    return PTS_OK;
}
