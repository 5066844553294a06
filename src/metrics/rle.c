/* Run-length masks down the columns, as cocoapi's common/maskApi.c defines them. */
#include "metrics/rle.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pts_status pts_rle_check_size(size_t height, size_t width, pts_error *err)
{
    size_t pixels;
    if (height < 1 || width < 1)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "mask: expected a size of at least 1 x 1, got %zu x %zu", height, width);
    if (!pts_mul(height, width, &pixels) || pixels > PTS_RLE_MAX_PIXELS)
        return pts_fail(err, PTS_ERR_LIMIT, "mask: expected at most %zu pixels, got %zu x %zu",
                        PTS_RLE_MAX_PIXELS, height, width);
    return PTS_OK;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Widens the box by the pixels [start, end) of the column-major order. */
static void widen_box(pts_rle *rle, uint32_t start, uint32_t end)
{
    uint32_t h = rle->height, first = start / h, last = (end - 1) / h;
    rle->left = least(rle->left, first);
    rle->right = most(rle->right, last + 1);
    rle->top = first < last ? 0 : least(rle->top, start % h);
    rle->bottom = first < last ? h : most(rle->bottom, (end - 1) % h + 1);
}

static void measure(pts_rle *rle)
{
    uint32_t at = 0;
    rle->left = rle->width;
    rle->top = rle->height;
    for (size_t i = 0; i < rle->runs; i++) {
        uint32_t end = at + rle->counts[i];
        if (i % 2 && end > at) {
            rle->area += end - at;
            widen_box(rle, at, end);
        }
        at = end;
    }
    if (!rle->area)
        rle->left = rle->top = 0;
}

pts_status pts_rle_make(pts_rle **out, const uint32_t *counts, size_t runs, size_t height,
                        size_t width, pts_error *err)
{
    size_t bytes;
    if (!pts_mul(runs, sizeof *counts, &bytes) || !pts_add(bytes, sizeof(pts_rle), &bytes))
        return pts_fail_memory(err, SIZE_MAX);
    pts_rle *rle = calloc(1, bytes);
    if (!rle)
        return pts_fail_memory(err, bytes);
    rle->height = (uint32_t)height;
    rle->width = (uint32_t)width;
    rle->runs = runs;
    memcpy(rle->counts, counts, runs * sizeof *counts);
    measure(rle);
    *out = rle;
    return PTS_OK;
}

void pts_rle_destroy(pts_rle *rle)
{
    free(rle);
}

pts_status pts_rle_from_counts(pts_rle **out, const uint32_t *counts, size_t runs, size_t height,
                               size_t width, pts_error *err)
{
    *out = NULL;
    PTS_TRY(pts_rle_check_size(height, width, err));
    size_t sum = 0;
    for (size_t i = 0; i < runs && sum <= PTS_RLE_MAX_PIXELS; i++)
        sum += counts[i];
    if (sum != height * width)
        return pts_fail(err, PTS_ERR_FORMAT,
                        "mask: expected counts that add up to %zu x %zu = %zu pixels, got %zu%s",
                        height, width, height * width, sum,
                        sum > PTS_RLE_MAX_PIXELS ? " or more" : "");
    return pts_rle_make(out, counts, runs, height, width, err);
}

/* Runs of the bitmap read down its columns. With `counts` NULL they are only counted. */
static size_t scan_bitmap(const uint8_t *mask, size_t height, size_t width, uint32_t *counts)
{
    size_t runs = 0;
    uint32_t length = 0;
    int on = 0;
    for (size_t x = 0; x < width; x++) {
        for (size_t y = 0; y < height; y++, length++) {
            if ((mask[y * width + x] != 0) == on)
                continue;
            if (counts)
                counts[runs] = length;
            runs++;
            length = 0;
            on = !on;
        }
    }
    if (counts)
        counts[runs] = length;
    return runs + 1;
}

pts_status pts_rle_from_bitmap(pts_rle **out, const uint8_t *mask, size_t height, size_t width,
                               pts_error *err)
{
    *out = NULL;
    PTS_TRY(pts_rle_check_size(height, width, err));
    size_t runs = scan_bitmap(mask, height, width, NULL);
    uint32_t *counts;
    PTS_TRY(pts_new(&counts, runs, sizeof *counts, err));
    scan_bitmap(mask, height, width, counts);
    pts_status status = pts_rle_make(out, counts, runs, height, width, err);
    free(counts);
    return status;
}

void pts_rle_to_bitmap(const pts_rle *rle, uint8_t *mask)
{
    size_t x = 0, y = 0;
    for (size_t i = 0; i < rle->runs; i++) {
        for (uint32_t left = rle->counts[i]; left; left--) {
            mask[y * rle->width + x] = i % 2;
            if (++y == rle->height) {
                y = 0;
                x++;
            }
        }
    }
}

size_t pts_rle_height(const pts_rle *rle)
{
    return rle->height;
}

size_t pts_rle_width(const pts_rle *rle)
{
    return rle->width;
}

const uint32_t *pts_rle_counts(const pts_rle *rle, size_t *runs)
{
    *runs = rle->runs;
    return rle->counts;
}

size_t pts_rle_area(const pts_rle *rle)
{
    return rle->area;
}

void pts_rle_box(const pts_rle *rle, double box[4])
{
    box[0] = rle->left;
    box[1] = rle->top;
    box[2] = rle->right - rle->left;
    box[3] = rle->bottom - rle->top;
}

/* ---- compressed counts ---- */

/* Five bits a character, lowest first; bit 5 says that more follow, bit 4 of the last is the
 * sign. Seven characters hold any difference of two counts. */
#define MAX_CHARACTERS 7

static pts_status read_number(const char *text, size_t length, size_t *at, int64_t *value,
                              pts_error *err)
{
    int64_t bits = 0;
    for (unsigned k = 0; k < MAX_CHARACTERS; k++) {
        if (*at == length)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "mask: expected more after character %zu of the counts, got the end",
                            length);
        int c = (unsigned char)text[*at] - '0';
        if (c < 0 || c > 63)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "mask: expected '0' … 'o' at character %zu of the counts, got byte %d",
                            *at, c + '0');
        (*at)++;
        bits |= (int64_t)(c & 31) << 5 * k;
        if (c & 32)
            continue;
        *value = c & 16 ? bits - ((int64_t)1 << 5 * (k + 1)) : bits;
        return PTS_OK;
    }
    return pts_fail(err, PTS_ERR_FORMAT,
                    "mask: expected a count of at most %d characters, got more before character "
                    "%zu",
                    MAX_CHARACTERS, *at);
}

static pts_status read_counts(const char *text, size_t length, uint32_t *counts, size_t *runs,
                              pts_error *err)
{
    *runs = 0;
    for (size_t at = 0; at < length; (*runs)++) {
        int64_t value = 0;
        PTS_TRY(read_number(text, length, &at, &value, err));
        if (*runs > 2)
            value += counts[*runs - 2];
        if (value < 0 || value > (int64_t)PTS_RLE_MAX_PIXELS)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "mask: run %zu: expected a length of 0 … %zu, got %lld", *runs,
                            PTS_RLE_MAX_PIXELS, (long long)value);
        counts[*runs] = (uint32_t)value;
    }
    return PTS_OK;
}

/* Most masks have fewer characters than this, and so fewer runs: no memory is asked for. */
enum { SHORT_STRING = 1024 };

pts_status pts_rle_from_string(pts_rle **out, const char *text, size_t length, size_t height,
                               size_t width, pts_error *err)
{
    *out = NULL;
    uint32_t few[SHORT_STRING];
    uint32_t *counts = length <= SHORT_STRING ? few : pts_calloc64(length, sizeof *counts);
    if (!counts)
        return pts_fail_memory(err, length * sizeof *counts);
    size_t runs;
    pts_status status = read_counts(text, length, counts, &runs, err);
    if (status == PTS_OK)
        status = pts_rle_from_counts(out, counts, runs, height, width, err);
    if (counts != few)
        free(counts);
    return status;
}

static char *write_number(char *out, int64_t value)
{
    for (;;) {
        int bits = (int)(value & 31);
        value >>= 5;
        if (value == (bits & 16 ? -1 : 0)) {
            *out++ = (char)(bits + '0');
            return out;
        }
        *out++ = (char)((bits | 32) + '0');
    }
}

pts_status pts_rle_to_string(const pts_rle *rle, char **out, pts_error *err)
{
    *out = NULL;
    size_t bytes = rle->runs * MAX_CHARACTERS + 1;
    char *text = malloc(bytes), *end = text;
    if (!text)
        return pts_fail_memory(err, bytes);
    for (size_t i = 0; i < rle->runs; i++)
        end = write_number(end, (int64_t)rle->counts[i] - (i > 2 ? rle->counts[i - 2] : 0));
    *end = '\0';
    *out = text;
    return PTS_OK;
}

/* ---- two masks ---- */

/* One mask's runs, consumed from the front. */
typedef struct cursor {
    const pts_rle *rle;
    size_t next;
    uint32_t left; /* pixels of the current run still ahead */
    int on;
} cursor;

static void advance(cursor *c, uint32_t pixels)
{
    c->left -= pixels;
    while (!c->left && c->next < c->rle->runs) {
        c->on = c->next % 2;
        c->left = c->rle->counts[c->next++];
    }
}

static cursor start(const pts_rle *rle)
{
    cursor c = {.rle = rle};
    advance(&c, 0);
    return c;
}

static size_t merge_two(const pts_rle *a, const pts_rle *b, bool intersect, uint32_t *counts)
{
    size_t runs = 0;
    uint32_t length = 0;
    int on = 0;
    cursor ca = start(a), cb = start(b);
    while (ca.left && cb.left) {
        int now = intersect ? ca.on && cb.on : ca.on || cb.on;
        if (now != on) {
            counts[runs++] = length;
            length = 0;
            on = now;
        }
        uint32_t step = least(ca.left, cb.left);
        length += step;
        advance(&ca, step);
        advance(&cb, step);
    }
    counts[runs++] = length;
    return runs;
}

static pts_status merge_into(pts_rle **all, const pts_rle *more, bool intersect, pts_error *err)
{
    const pts_rle *a = *all;
    if (a->height != more->height || a->width != more->width)
        return pts_fail(err, PTS_ERR_SHAPE, "mask: expected a size of %u x %u, got %u x %u",
                        a->height, a->width, more->height, more->width);
    uint32_t *counts;
    PTS_TRY(pts_new(&counts, a->runs + more->runs + 1, sizeof *counts, err));
    size_t runs = merge_two(a, more, intersect, counts);
    pts_rle *merged = NULL;
    pts_status status = pts_rle_make(&merged, counts, runs, a->height, a->width, err);
    free(counts);
    if (status == PTS_OK) {
        pts_rle_destroy(*all);
        *all = merged;
    }
    return status;
}

pts_status pts_rle_copy(pts_rle **out, const pts_rle *rle, pts_error *err)
{
    return pts_rle_make(out, rle->counts, rle->runs, rle->height, rle->width, err);
}

pts_status pts_rle_merge(pts_rle **out, pts_rle *const *masks, size_t count, bool intersect,
                         pts_error *err)
{
    *out = NULL;
    if (count < 1)
        return pts_fail(err, PTS_ERR_ARGUMENT, "mask: expected at least 1 to merge, got 0");
    pts_rle *all;
    PTS_TRY(pts_rle_copy(&all, masks[0], err));
    for (size_t i = 1; i < count; i++) {
        pts_status status = merge_into(&all, masks[i], intersect, err);
        if (status != PTS_OK) {
            pts_rle_destroy(all);
            return status;
        }
    }
    *out = all;
    return PTS_OK;
}

/* Boxes that do not meet need no walk along the runs: that is most pairs of an image. */
static bool boxes_meet(const pts_rle *a, const pts_rle *b)
{
    return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

uint32_t pts_rle_overlap(const pts_rle *a, const pts_rle *b)
{
    uint32_t common = 0;
    if (!boxes_meet(a, b))
        return 0;
    cursor ca = start(a), cb = start(b);
    while (ca.left && cb.left) {
        uint32_t step = least(ca.left, cb.left);
        if (ca.on && cb.on)
            common += step;
        advance(&ca, step);
        advance(&cb, step);
    }
    return common;
}

double pts_rle_iou(const pts_rle *detection, const pts_rle *truth, bool crowd)
{
    if (detection->height != truth->height || detection->width != truth->width)
        return -1;
    uint32_t common = pts_rle_overlap(detection, truth);
    if (!common)
        return 0;
    return (double)common / (crowd ? detection->area : detection->area + truth->area - common);
}

double pts_box_iou(const double detection[4], const double truth[4], bool crowd)
{
    const double *d = detection, *t = truth;
    double w = fmin(d[2] + d[0], t[2] + t[0]) - fmax(d[0], t[0]);
    double h = fmin(d[3] + d[1], t[3] + t[1]) - fmax(d[1], t[1]);
    if (w <= 0 || h <= 0)
        return 0;
    double common = w * h, area = d[2] * d[3];
    return common / (crowd ? area : area + t[2] * t[3] - common);
}
