/* pts/image.h: photographs from files to the numbers an encoder reads.
 *
 *   pts_image image;
 *   PTS_TRY(pts_image_read("photo.jpg", NULL, &image, &err));
 *   float *input;                                          // [299][299][3]
 *   PTS_TRY(pts_preset_apply("keras", &image, 299, input, &err));
 *   pts_image_free(&image);
 *
 * Decoding is stb_image's (JPEG, PNG, BMP). Whatever the file holds becomes 8-bit RGB as Pillow's
 * Image.open(file).convert("RGB") makes it: gray is tripled, palettes are looked up, alpha is
 * dropped (not blended), 16-bit samples keep their high byte. EXIF orientation is not applied, as
 * Pillow's open does not. JPEG has no single correct decoder: pixels may differ from libjpeg's by
 * a few levels; PNG and BMP are exact.
 *
 * Resampling is Pillow's Image.resize(size, BILINEAR | BICUBIC), bit for bit (release
 * 13.0): antialiased, two passes, its fixed-point arithmetic (src/libImaging/Resample.c). Functions here are
 * thread-safe. */
#ifndef PTS_IMAGE_H
#define PTS_IMAGE_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pts_image {
    size_t width, height;
    uint8_t *rgb; /* [height][width][3], owned; pts_image_free releases it */
} pts_image;

typedef struct pts_image_limits {
    size_t pixels; /* width × height; checked before anything is decoded */
    size_t bytes;  /* of the file */
} pts_image_limits;

#define PTS_IMAGE_LIMITS_DEFAULT                                                                   \
    {                                                                                              \
        100000000, (size_t)1 << 29                                                                 \
    }

/* limits NULL: the defaults, 100 megapixels and 512 MiB. PTS_ERR_FORMAT for what is no whole JPEG,
 * PNG or BMP image, PTS_ERR_LIMIT for one too large, PTS_ERR_UNSUPPORTED for a CMYK JPEG, whose
 * colours need a profile. */
pts_status pts_image_read(const char *path, const pts_image_limits *limits, pts_image *out,
                          pts_error *err);
/* The same from memory; `name` stands for the path in messages. */
pts_status pts_image_decode(const char *name, const uint8_t *data, size_t size,
                            const pts_image_limits *limits, pts_image *out, pts_error *err);
void pts_image_free(pts_image *image);

typedef enum pts_filter {
    PTS_FILTER_BILINEAR, /* triangle, support 1 */
    PTS_FILTER_BICUBIC   /* Keys' cubic with a = −0.5, support 2 */
} pts_filter;

/* `out` is a new image; sides of 1 … 65536. */
pts_status pts_image_resize(const pts_image *image, size_t width, size_t height, pts_filter filter,
                            pts_image *out, pts_error *err);

/* Presets: how a photograph becomes [size][size][3] floats.
 *   keras        the whole image to size×size, bilinear; /255
 *   torchvision  short side to round-down(size·342/299), bilinear; centre crop; ImageNet mean and
 *                standard deviation
 *   clip         short side to size, bicubic; centre crop; CLIP's mean and standard deviation
 *   ptssp        the study's: 224×224 bilinear; /255; (x − 0.5)/0.5; at size 224 that is all; else
 *                bilinear in floats (half-pixel centres, torch's align_corners=False) to size, and
 *                ImageNet mean and standard deviation */
int pts_preset_known(const char *preset);
/* PTS_ERR_ARGUMENT for an unknown preset; out [size][size][3]. */
pts_status pts_preset_apply(const char *preset, const pts_image *image, size_t size, float *out,
                            pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
