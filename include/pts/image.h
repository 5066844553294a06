/* pts/image.h: photographs from files to the numbers an encoder reads.
 *
 *   pts_image image;
 *   PTS_TRY(pts_image_read("photo.jpg", NULL, &image, &err));
 *   float *input = malloc(299 * 299 * 3 * sizeof *input); // [299][299][3]
 *   PTS_TRY(pts_preset_apply("keras", &image, 299, input, &err));
 *   pts_image_free(&image);
 *
 * Decoding is stb_image's (JPEG, PNG, BMP), behind a check of the file's structure. Whatever the
 * file holds becomes 8-bit RGB as Pillow's Image.open(file).convert("RGB") makes it:
 *   gray                    tripled; 1, 2 and 4 bits are spread over 0 … 255
 *   palette                 looked up; an index beyond the palette is black (PNG) or refused (BMP)
 *   alpha, tRNS             dropped, not blended
 *   16 bits                 the high byte, except gray without alpha: clipped at 255, as Pillow's
 *                           I;16 is; such a picture comes out nearly white, so convert it before
 *   EXIF orientation        not applied, as Pillow's open does not
 *
 * PNG and BMP are exact. JPEG has no single correct decoder: pixels differ from libjpeg's by a few
 * levels.
 *
 * Resampling is Pillow's Image.resize(size, BILINEAR | BICUBIC), bit for bit (release 13.0):
 * antialiased, two passes, its fixed-point arithmetic (src/libImaging/Resample.c).
 *
 * Functions here are thread-safe.
 */
#ifndef PTS_IMAGE_H
#define PTS_IMAGE_H

#include "pts/base.h"

#include <stdbool.h>

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

/* limits NULL: the defaults, 100 megapixels and 512 MiB (never more than 2 GiB). `out` is released
 * with pts_image_free; on failure it is empty.
 *   PTS_ERR_IO           no such file, a folder
 *   PTS_ERR_FORMAT       no JPEG, PNG or BMP; cut short (a JPEG without its end-of-image marker, a
 *                        PNG without IEND, missing BMP rows); damaged (PNG check sums, JPEG tables)
 *   PTS_ERR_LIMIT        larger than the limits; a JPEG of more than 500 scans
 *   PTS_ERR_MEMORY       no memory, or compressed data that unpack to far more than the picture
 *   PTS_ERR_UNSUPPORTED  CMYK (its colours need a profile), 12-bit, lossless and arithmetic JPEG;
 *                        BMP of 16 bits, run-length coded, with unusual masks or an OS/2 header */
pts_status pts_image_read(const char *path, const pts_image_limits *limits, pts_image *out,
                          pts_error *err);
/* The same from memory; `name` stands for the path in messages. */
pts_status pts_image_decode(const char *name, const uint8_t *data, size_t size,
                            const pts_image_limits *limits, pts_image *out, pts_error *err);
void pts_image_free(pts_image *image);

/* The size alone. Everything that pts_image_read checks before it decodes is checked; pixels that
 * turn out damaged are not seen. */
pts_status pts_image_probe(const char *path, const pts_image_limits *limits, size_t *width,
                           size_t *height, pts_error *err);
/* The same from memory. */
pts_status pts_image_probe_data(const char *name, const uint8_t *data, size_t size,
                                const pts_image_limits *limits, size_t *width, size_t *height,
                                pts_error *err);

typedef enum pts_filter {
    PTS_FILTER_BILINEAR, /* triangle, support 1 */
    PTS_FILTER_BICUBIC   /* Keys' cubic with a = −0.5, support 2 */
} pts_filter;

/* `out` is a new image; sides of 1 … 65536. */
pts_status pts_image_resize(const pts_image *image, size_t width, size_t height, pts_filter filter,
                            pts_image *out, pts_error *err);

/* Presets: how a photograph becomes [size][size][3] floats. In brackets the usual size.
 *   keras        [299] the whole image to size×size, bilinear; /255
 *   torchvision  [299] short side to ⌊size·342/299⌋, bilinear, long side rounded down; centre crop
 *                (torchvision's Resize and CenterCrop); ImageNet mean and standard deviation
 *   clip         [224] short side to size, bicubic, long side rounded down; centre crop; mean and
 *                standard deviation of CLIP (Radford et al. 2021, github.com/openai/CLIP)
 *   ptssp        [299] the study's: 224×224 bilinear; /255; (x − 0.5)/0.5; at size 224 that is all
 *                (its CLIP); else bilinear in floats to size×size, without antialias (half-pixel
 *                centres, torch's align_corners=False); ImageNet mean and standard deviation */
typedef struct pts_preset {
    const char *name;
    size_t size;
    const char *doc; /* one line */
} pts_preset;

/* All of them; constant, not to be freed. */
const pts_preset *pts_preset_list(size_t *count);
bool pts_preset_known(const char *preset);
/* The usual size, 0 for an unknown preset. */
size_t pts_preset_size(const char *preset);
/* size of 1 … 4096, out [size][size][3]. PTS_ERR_ARGUMENT for an unknown preset (the message lists
 * all) and for pictures so narrow that the long side would pass 65536. */
pts_status pts_preset_apply(const char *preset, const pts_image *image, size_t size, float *out,
                            pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
