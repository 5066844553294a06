#include "image/stb.h"

#include <stdlib.h>

/* stb_image takes no context for its allocator. */
static _Thread_local size_t largest_allocation;

/* Zeroed: stb_image 2.27 reads Huffman tables and planes that a damaged JPEG never filled, and the
 * pixels would then depend on what the heap held before. */
static void *capped_malloc(size_t size)
{
    return size <= largest_allocation ? calloc(1, size ? size : 1) : NULL;
}

static void *capped_realloc(void *old, size_t size)
{
    return size <= largest_allocation ? realloc(old, size) : NULL;
}

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ASSERT(x) ((void)0)
#define STBI_MALLOC(size) capped_malloc(size)
#define STBI_REALLOC(old, size) capped_realloc(old, size)
#define STBI_FREE(old) free(old)
/* Known: UBSan reports a shift beyond 31 in its bit reader when a damaged JPEG ends within a code;
 * what it shifts is 0. */
/* Judged at the end of the file, so it cannot be popped. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wfloat-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <stb_image.h>
#pragma GCC diagnostic pop

/* Some of stb_image's failures leave the reason of an earlier one. */
static void begin(size_t cap)
{
    largest_allocation = cap;
    stbi__err("cause not said", "");
}

/* The pixels, or NULL; never pixels of another size than the probe's, which callers go by. */
static void *finish(void *pixels, int width, int height, const image_probe *probe, const char **why)
{
    if (pixels && (size_t)width == probe->width && (size_t)height == probe->height)
        return pixels;
    *why = pixels ? "sizes disagree" : stbi_failure_reason();
    free(pixels);
    return NULL;
}

uint8_t *pts_stb_rgb(const image_file *file, const image_probe *probe, size_t cap, const char **why)
{
    int width = 0, height = 0, channels;
    begin(cap);
    void *rgb = stbi_load_from_memory(file->data, (int)file->size, &width, &height, &channels, 3);
    return finish(rgb, width, height, probe, why);
}

uint16_t *pts_stb_gray16(const image_file *file, const image_probe *probe, size_t cap,
                         const char **why)
{
    int width = 0, height = 0, channels;
    begin(cap);
    void *gray =
        stbi_load_16_from_memory(file->data, (int)file->size, &width, &height, &channels, 1);
    return finish(gray, width, height, probe, why);
}
