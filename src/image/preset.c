#include "base/error.h"
#include "base/memory.h"
#include "pts/image.h"

#include <stdbool.h>
#include <math.h>
#include <string.h>

enum { STUDY_SIDE = 224, MAX_SIZE = 4096 };

typedef struct normalisation {
    float mean[3], deviation[3];
} normalisation;

static const normalisation UNIT = {{0, 0, 0}, {1, 1, 1}};
static const normalisation HALF = {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}};
static const normalisation IMAGENET = {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
static const normalisation CLIP = {{0.48145466f, 0.4578275f, 0.40821073f},
                                   {0.26862954f, 0.26130258f, 0.27577711f}};

/* The window [size][size] at (top, left) of 8-bit pixels, normalised: by table, as the two
 * divisions of each sample took a sixth of the preset's time. */
static void normalise_window(const pts_image *image, size_t top, size_t left, size_t size,
                             const normalisation *n, float *out)
{
    float table[256][3];
    for (size_t v = 0; v < 256; v++) {
        for (size_t c = 0; c < 3; c++)
            table[v][c] = ((float)v / 255.0f - n->mean[c]) / n->deviation[c];
    }
    for (size_t y = 0; y < size; y++) {
        const uint8_t *p = image->rgb + ((top + y) * image->width + left) * 3;
        for (size_t x = 0; x < size; x++, p += 3, out += 3) {
            out[0] = table[p[0]][0];
            out[1] = table[p[1]][1];
            out[2] = table[p[2]][2];
        }
    }
}

static pts_status whole(const pts_image *image, size_t size, const normalisation *n, float *out,
                        pts_error *err)
{
    pts_image square;
    PTS_TRY(pts_image_resize(image, size, size, PTS_FILTER_BILINEAR, &square, err));
    normalise_window(&square, 0, 0, size, n, out);
    pts_image_free(&square);
    return PTS_OK;
}

/* torchvision's Resize: the long side is rounded down; its CenterCrop rounds half to even. */
static pts_status crop(const pts_image *image, size_t short_side, size_t size, pts_filter filter,
                       const normalisation *n, float *out, pts_error *err)
{
    size_t width = short_side, height = short_side;
    if (image->width < image->height)
        height = short_side * image->height / image->width;
    else
        width = short_side * image->width / image->height;
    pts_image scaled;
    PTS_TRY(pts_image_resize(image, width, height, filter, &scaled, err));
    size_t top = (size_t)nearbyint((double)(height - size) / 2);
    size_t left = (size_t)nearbyint((double)(width - size) / 2);
    normalise_window(&scaled, top, left, size, n, out);
    pts_image_free(&scaled);
    return PTS_OK;
}

/* Where output `i` of an axis reads: between inputs `low` and `high`, `share` of the latter. */
typedef struct tap {
    size_t low, high;
    float share;
} tap;

/* Half-pixel centres. The position is rounded to float once, as torch's fused multiply-add does:
 * rounding the product too moves noisy pictures by 1e-5. */
static tap tap_of(size_t i, size_t from, size_t size)
{
    double ratio = (float)from / (float)size;
    float at = fmaxf((float)(ratio * ((double)i + 0.5) - 0.5), 0);
    size_t low = (size_t)at;
    low = low < from ? low : from - 1;
    return (tap){low, low + 1 < from ? low + 1 : low, at - (float)low};
}

/* torch's interpolate(mode="bilinear", align_corners=False): in [from][from][3] → out. */
static void enlarge(const float *in, size_t from, size_t size, const tap *taps, float *out)
{
    for (size_t y = 0; y < size; y++) {
        const float *upper = in + taps[y].low * from * 3, *lower = in + taps[y].high * from * 3;
        const float down = taps[y].share;
        for (size_t x = 0; x < size; x++) {
            const size_t left = taps[x].low * 3, right = taps[x].high * 3;
            const float across = taps[x].share;
            for (size_t c = 0; c < 3; c++) {
                float top = upper[left + c] * (1 - across) + upper[right + c] * across;
                float bottom = lower[left + c] * (1 - across) + lower[right + c] * across;
                *out++ = top * (1 - down) + bottom * down;
            }
        }
    }
}

static pts_status keras(const pts_image *image, size_t size, float *out, pts_error *err)
{
    return whole(image, size, &UNIT, out, err);
}

static pts_status torchvision(const pts_image *image, size_t size, float *out, pts_error *err)
{
    return crop(image, size * 342 / 299, size, PTS_FILTER_BILINEAR, &IMAGENET, out, err);
}

static pts_status clip(const pts_image *image, size_t size, float *out, pts_error *err)
{
    return crop(image, size, size, PTS_FILTER_BICUBIC, &CLIP, out, err);
}

static pts_status ptssp_large(const pts_image *image, size_t size, float *small, tap *taps,
                              float *out, pts_error *err)
{
    PTS_TRY(whole(image, STUDY_SIDE, &HALF, small, err));
    for (size_t i = 0; i < size; i++)
        taps[i] = tap_of(i, STUDY_SIDE, size);
    enlarge(small, STUDY_SIDE, size, taps, out);
    for (size_t i = 0; i < size * size * 3; i++)
        out[i] = (out[i] - IMAGENET.mean[i % 3]) / IMAGENET.deviation[i % 3];
    return PTS_OK;
}

static pts_status ptssp(const pts_image *image, size_t size, float *out, pts_error *err)
{
    if (size == STUDY_SIDE)
        return whole(image, STUDY_SIDE, &HALF, out, err);
    pts_arena arena = {0};
    float *small = NULL;
    tap *taps = NULL;
    for (int pass = 0; pass < 2; pass++) {
        small = pts_arena_take(&arena, STUDY_SIDE * STUDY_SIDE * 3, sizeof *small);
        taps = pts_arena_take(&arena, size, sizeof *taps);
        if (pass == 0)
            PTS_TRY(pts_arena_commit(&arena, err));
    }
    pts_status status = ptssp_large(image, size, small, taps, out, err);
    pts_arena_free(&arena);
    return status;
}

typedef pts_status apply_function(const pts_image *, size_t, float *, pts_error *);

static const pts_preset presets[] = {
    {"keras", 299, "whole image to the size, bilinear; /255"},
    {"torchvision", 299, "short side to 342/299 of the size, bilinear; centre crop; ImageNet mean"},
    {"clip", 224, "short side to the size, bicubic; centre crop; CLIP mean"},
    {"ptssp", 299, "224×224 bilinear; to [-1, 1]; 299×299 in floats; ImageNet mean"},
};
static apply_function *const apply[] = {keras, torchvision, clip, ptssp};

enum { PRESETS = sizeof presets / sizeof *presets };

const pts_preset *pts_preset_list(size_t *count)
{
    *count = PRESETS;
    return presets;
}

static size_t find(const char *preset)
{
    size_t i = 0;
    while (i < PRESETS && strcmp(preset, presets[i].name) != 0)
        i++;
    return i;
}

bool pts_preset_known(const char *preset)
{
    return find(preset) < PRESETS;
}

size_t pts_preset_size(const char *preset)
{
    size_t i = find(preset);
    return i < PRESETS ? presets[i].size : 0;
}

pts_status pts_preset_apply(const char *preset, const pts_image *image, size_t size, float *out,
                            pts_error *err)
{
    size_t i = find(preset);
    if (i == PRESETS)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "preset: expected keras, torchvision, clip or ptssp, got '%s'", preset);
    if (!size || size > MAX_SIZE)
        return pts_fail(err, PTS_ERR_ARGUMENT, "preset: expected a size of 1 … %d, got %zu",
                        MAX_SIZE, size);
    return apply[i](image, size, out, err);
}
