/* JPEG (ITU-T T.81): the segments from the start to the end-of-image marker. stb_image reports
 * success for a file cut within its picture and fills the rest with gray, and 2.27 writes past its
 * Huffman tables when a segment declares more than 256 codes. */
#include "base/error.h"
#include "image/probe.h"

#include <stdbool.h>

enum {
    SOF0 = 0xc0, /* baseline; 0xc1 extended, 0xc2 progressive */
    DHT = 0xc4,
    JPG = 0xc8,
    DAC = 0xcc,
    RST0 = 0xd0,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DQT = 0xdb,
    TEM = 0x01,
    /* Each scan costs a pass over the whole picture, and an empty one takes ten bytes of file. */
    MAX_SCANS = 500
};

typedef struct segment {
    uint8_t marker;
    size_t at; /* of the marker's first byte: for messages */
    const uint8_t *body;
    size_t size;
} segment;

typedef struct component {
    uint8_t id, quantisation;
} component;

typedef struct jpeg {
    const image_file *file;
    size_t width, height, components, scans;
    component component[3];
    int progressive;
    unsigned quantisation, huffman[2]; /* bit t: table t is defined; [0] DC, [1] AC */
    pts_error *err;
} jpeg;

static pts_status damaged(const jpeg *j, const segment *s, const char *what)
{
    return pts_fail(j->err, PTS_ERR_FORMAT, "%s: damaged JPEG: %s in the segment %02x at byte %zu",
                    j->file->name, what, s->marker, s->at);
}

static pts_status read_huffman(jpeg *j, const segment *s)
{
    const uint8_t *p = s->body;
    for (size_t left = s->size, codes = 0; left; left -= 17 + codes, p += 17 + codes) {
        if (left < 17)
            return damaged(j, s, "expected 17 bytes of a Huffman table, got fewer");
        codes = 0;
        for (size_t i = 1; i <= 16; i++)
            codes += p[i];
        if (p[0] >> 4 > 1 || (p[0] & 15) > 3 || codes > 256 || codes > left - 17)
            return damaged(j, s, "impossible Huffman table");
        j->huffman[p[0] >> 4] |= 1u << (p[0] & 15);
    }
    return PTS_OK;
}

static pts_status read_quantisation(jpeg *j, const segment *s)
{
    const uint8_t *p = s->body;
    for (size_t left = s->size, bytes; left; left -= bytes, p += bytes) {
        bytes = p[0] >> 4 ? 129 : 65;
        if (p[0] >> 4 > 1 || (p[0] & 15) > 3 || bytes > left)
            return damaged(j, s, "impossible quantisation table");
        j->quantisation |= 1u << (p[0] & 15);
    }
    return PTS_OK;
}

static pts_status frame_is_read(const jpeg *j, const segment *s)
{
    const char *name = j->file->name;
    if (s->marker > SOF0 + 2)
        return pts_fail(j->err, PTS_ERR_UNSUPPORTED,
                        "%s: expected a baseline or progressive JPEG, got a lossless or "
                        "arithmetic one (frame %02x)",
                        name, s->marker);
    if (s->body[0] != 8)
        return pts_fail(j->err, PTS_ERR_UNSUPPORTED, "%s: expected a JPEG of 8 bits, got %d bits",
                        name, s->body[0]);
    if (s->body[5] == 4)
        return pts_fail(j->err, PTS_ERR_UNSUPPORTED, "%s: expected a gray or RGB JPEG, got CMYK",
                        name);
    if (s->body[5] != 1 && s->body[5] != 3)
        return pts_fail(j->err, PTS_ERR_UNSUPPORTED,
                        "%s: expected a JPEG of 1 or 3 components, got %d", name, s->body[5]);
    return PTS_OK;
}

static pts_status read_frame(jpeg *j, const segment *s)
{
    if (j->components)
        return damaged(j, s, "a second frame");
    if (s->size < 6)
        return damaged(j, s, "expected at least 6 bytes, got fewer");
    PTS_TRY(frame_is_read(j, s));
    if (s->size != 6 + 3 * (size_t)s->body[5])
        return damaged(j, s, "a length that does not fit the components");
    j->components = s->body[5];
    j->height = image_be16(s->body + 1);
    j->width = image_be16(s->body + 3);
    j->progressive = s->marker == SOF0 + 2;
    for (size_t i = 0; i < j->components; i++)
        j->component[i] = (component){s->body[6 + 3 * i], s->body[8 + 3 * i]};
    return PTS_OK;
}

static const component *find_component(const jpeg *j, uint8_t id)
{
    for (size_t i = 0; i < j->components; i++) {
        if (j->component[i].id == id)
            return &j->component[i];
    }
    return NULL;
}

/* The tables that the scan reads: `selectors` names a DC and an AC table, `end` are the scan's
 * last three bytes (spectral start and end, bit positions). */
static bool tables_defined(const jpeg *j, const component *c, uint8_t selectors, const uint8_t *end)
{
    int first_dc = !j->progressive || (end[0] == 0 && end[2] >> 4 == 0);
    int ac = !j->progressive || end[0] > 0;
    if (c->quantisation > 3 || !(j->quantisation >> c->quantisation & 1))
        return 0;
    if (selectors >> 4 > 3 || (selectors & 15) > 3)
        return 0;
    return (!first_dc || j->huffman[0] >> (selectors >> 4) & 1) &&
           (!ac || j->huffman[1] >> (selectors & 15) & 1);
}

static pts_status read_scan(jpeg *j, const segment *s)
{
    if (!j->components)
        return damaged(j, s, "a scan before the frame");
    if (!s->size || !s->body[0] || s->body[0] > j->components ||
        s->size != 4 + 2 * (size_t)s->body[0])
        return damaged(j, s, "impossible component count");
    const uint8_t *end = s->body + s->size - 3;
    for (const uint8_t *p = s->body + 1; p < end; p += 2) {
        const component *c = find_component(j, p[0]);
        if (!c || !tables_defined(j, c, p[1], end))
            return damaged(j, s, "a component or table that is not defined");
    }
    if (++j->scans > MAX_SCANS)
        return pts_fail(j->err, PTS_ERR_LIMIT, "%s: expected at most %d scans, got more",
                        j->file->name, MAX_SCANS);
    return PTS_OK;
}

static pts_status read_segment(jpeg *j, const segment *s)
{
    switch (s->marker) {
    case DHT:
        return read_huffman(j, s);
    case DQT:
        return read_quantisation(j, s);
    case SOS:
        return read_scan(j, s);
    case JPG:
    case DAC:
        return PTS_OK;
    default:
        return s->marker >= SOF0 && s->marker < SOF0 + 16 ? read_frame(j, s) : PTS_OK;
    }
}

/* The next marker at or after *at that starts a segment or ends the image: entropy-coded bytes,
 * stuffed ff 00, fill bytes and restarts are passed over, as stb_image does. *at moves behind it;
 * 0 at the end of the file. */
static uint8_t next_marker(const image_file *file, size_t *at)
{
    for (size_t i = *at; i + 1 < file->size; i++) {
        uint8_t marker = file->data[i + 1];
        if (file->data[i] != 0xff || marker == 0xff)
            continue;
        if (marker > TEM && (marker < RST0 || marker > SOI)) {
            *at = i + 2;
            return marker;
        }
        i++;
    }
    return 0;
}

static pts_status truncated(const jpeg *j)
{
    return pts_fail(j->err, PTS_ERR_FORMAT,
                    "%s: truncated JPEG: expected an end-of-image marker, got the end of the file "
                    "after %zu bytes",
                    j->file->name, j->file->size);
}

static pts_status walk(jpeg *j)
{
    const image_file *file = j->file;
    size_t at = 2;
    uint8_t marker;
    while ((marker = next_marker(file, &at)) != EOI) {
        if (!marker || file->size - at < 2)
            return truncated(j);
        size_t length = image_be16(file->data + at);
        segment s = {marker, at - 2, file->data + at + 2, length - 2};
        if (length < 2)
            return damaged(j, &s, "expected a length of at least 2");
        if (length > file->size - at)
            return truncated(j);
        PTS_TRY(read_segment(j, &s));
        at += length;
    }
    if (!j->scans)
        return pts_fail(j->err, PTS_ERR_FORMAT, "%s: damaged JPEG: no picture in it", file->name);
    return PTS_OK;
}

pts_status pts_probe_jpeg(const image_file *file, image_probe *out, pts_error *err)
{
    jpeg j = {.file = file, .err = err};
    PTS_TRY(walk(&j));
    *out = (image_probe){.width = j.width, .height = j.height};
    return PTS_OK;
}
