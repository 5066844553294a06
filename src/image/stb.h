/* stb_image behind two functions: the only file that includes it is stb.c. */
#ifndef PTS_SRC_IMAGE_STB_H
#define PTS_SRC_IMAGE_STB_H

#include "image/probe.h"

/* What a file that passed its probe holds, as RGB [h][w][3] or, for a gray PNG of 16 bits, as
 * [h][w]; freed with free(). NULL: *why says what stb_image minds. No single allocation is larger
 * than `cap` bytes: a few kB of zlib can ask for gigabytes. */
uint8_t *pts_stb_rgb(const image_file *file, const image_probe *probe, size_t cap,
                     const char **why);
uint16_t *pts_stb_gray16(const image_file *file, const image_probe *probe, size_t cap,
                         const char **why);

#endif
