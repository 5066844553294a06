/* Resampling against Pillow, presets against Pillow, torchvision and torch (data/resample). */
#include "check_main.h"

#include "pts/image.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { LINE = 1024, SAMPLES = 64 };

static uint32_t source_sample(const char *kind, uint32_t x, uint32_t y, uint32_t c)
{
    if (strcmp(kind, "ramp") == 0)
        return (x * 7 + y * 3 + c * 50) % 256;
    if (strcmp(kind, "check") == 0)
        return (x / 2 + y / 3 + c) % 2 * 255;
    return ((x * 73856093u ^ y * 19349663u ^ c * 83492791u) * 2654435761u) >> 24;
}

/* The pictures of make_golden.py. */
static pts_image source(const char *kind, size_t width, size_t height)
{
    pts_image image = {width, height, NULL};
    if (strcmp(kind, "photo") == 0) {
        ck_assert_int_eq(pts_image_read(test_data("resample/photo.png"), NULL, &image, NULL),
                         PTS_OK);
        ck_assert_uint_eq(image.width, width);
        ck_assert_uint_eq(image.height, height);
        return image;
    }
    ck_assert_ptr_nonnull(image.rgb = malloc(width * height * 3));
    for (size_t i = 0; i < width * height * 3; i++)
        image.rgb[i] = (uint8_t)source_sample(kind, (uint32_t)(i / 3 % width),
                                              (uint32_t)(i / 3 / width), (uint32_t)(i % 3));
    return image;
}

static uint64_t fnv1a(const uint8_t *data, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001b3;
    return hash;
}

/* Small outputs are stored whole: the message then names the sample. */
static void compare_samples(const pts_image *out, const char *hex, const char *what)
{
    for (size_t i = 0; hex[0] != '-' && i < out->width * out->height * 3; i++) {
        unsigned expected;
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &expected), 1);
        ck_assert_msg(out->rgb[i] == expected, "%s: sample %zu: expected %u, got %u", what, i,
                      expected, out->rgb[i]);
    }
}

static void compare_resize(const char *line)
{
    char kind[16], filter[16], hex[LINE];
    size_t w, h, width, height;
    uint64_t hash;
    ck_assert_int_eq(sscanf(line, "%15s %zu %zu %zu %zu %15s %" SCNx64 " %1023s", kind, &w, &h,
                            &width, &height, filter, &hash, hex),
                     8);
    pts_filter code = strcmp(filter, "bicubic") == 0 ? PTS_FILTER_BICUBIC : PTS_FILTER_BILINEAR;
    pts_image in = source(kind, w, h), out;
    ck_assert_int_eq(pts_image_resize(&in, width, height, code, &out, NULL), PTS_OK);
    ck_assert_uint_eq(out.width, width);
    ck_assert_uint_eq(out.height, height);
    compare_samples(&out, hex, line);
    ck_assert_msg(fnv1a(out.rgb, width * height * 3) == hash, "differs from Pillow: %s", line);
    pts_image_free(&in);
    pts_image_free(&out);
}

START_TEST(resize_equals_pillow)
{
    char line[LINE];
    size_t cases = 0;
    FILE *file = fopen(test_data("resample/resample.txt"), "r");
    ck_assert_ptr_nonnull(file);
    for (; fgets(line, sizeof line, file); cases++)
        compare_resize(line);
    fclose(file);
    ck_assert_uint_ge(cases, 100); /* 50 size pairs, two filters */
}
END_TEST

static void compare_preset(FILE *file, const char *header)
{
    char preset[16], kind[16];
    size_t size, w, h;
    double mean, sum = 0;
    ck_assert_int_eq(
        sscanf(header, "%15s %zu %15s %zu %zu %lf", preset, &size, kind, &w, &h, &mean), 6);
    pts_image image = source(kind, w, h);
    float *out = malloc(size * size * 3 * sizeof *out);
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(pts_preset_apply(preset, &image, size, out, NULL), PTS_OK);
    for (int i = 0; i < SAMPLES; i++) {
        size_t at;
        double expected;
        ck_assert_int_eq(fscanf(file, "%zu %lf ", &at, &expected), 2);
        ck_assert_uint_lt(at, size * size * 3);
        ck_assert_msg(fabs(out[at] - expected) <= 1e-6, "%.40s: at %zu: expected %.9g, got %.9g",
                      header, at, expected, (double)out[at]);
    }
    for (size_t i = 0; i < size * size * 3; i++)
        sum += out[i];
    ck_assert_double_eq_tol(sum / (double)(size * size * 3), mean, 1e-6);
    free(out);
    pts_image_free(&image);
}

START_TEST(presets_equal_torchvision)
{
    char header[LINE];
    size_t cases = 0;
    FILE *file = fopen(test_data("resample/presets.txt"), "r");
    ck_assert_ptr_nonnull(file);
    for (; fgets(header, sizeof header, file); cases++)
        compare_preset(file, header);
    fclose(file);
    ck_assert_uint_ge(cases, 40);
}
END_TEST

/* ---- ten photographs as CLIP's packages prepare them (data/clip_photos) ---- */

/* The same pixels as the preset's, cut where transformers cuts: it rounds the odd pixel down, the
 * original and open_clip to even. */
static void cut_as_transformers(const pts_image *image, size_t size, uint8_t *out)
{
    size_t width = size, height = size;
    if (image->width < image->height)
        height = size * image->height / image->width;
    else
        width = size * image->width / image->height;
    pts_image scaled;
    ck_assert_int_eq(pts_image_resize(image, width, height, PTS_FILTER_BICUBIC, &scaled, NULL),
                     PTS_OK);
    const size_t top = (height - size) / 2, left = (width - size) / 2;
    for (size_t y = 0; y < size; y++)
        memcpy(out + y * size * 3, scaled.rgb + ((top + y) * width + left) * 3, size * 3);
    pts_image_free(&scaled);
}

static const double CLIP_MEAN[3] = {0.48145466, 0.4578275, 0.40821073};
static const double CLIP_STD[3] = {0.26862954, 0.26130258, 0.27577711};

/* The preset's numbers, and as 8-bit pixels. */
static void apply_clip(const pts_image *image, size_t size, float *out, uint8_t *pixels)
{
    ck_assert_int_eq(pts_preset_apply("clip", image, size, out, NULL), PTS_OK);
    for (size_t i = 0; i < size * size * 3; i++)
        pixels[i] = (uint8_t)lrint((out[i] * CLIP_STD[i % 3] + CLIP_MEAN[i % 3]) * 255);
}

typedef struct clip_case {
    char path[64], package[32];
    size_t size;
    uint64_t hash;
    double sum;
    float out[224 * 224 * 3];
    uint8_t pixels[224 * 224 * 3];
} clip_case;

/* Its samples: of open_clip the preset's floats, of transformers the pixels within one step. */
static void compare_clip_samples(const clip_case *c, FILE *file)
{
    for (int i = 0; i < 16; i++) {
        size_t at;
        double expected, got, allowed = 1e-6;
        ck_assert_int_eq(fscanf(file, "%zu %lf ", &at, &expected), 2);
        ck_assert_uint_lt(at, c->size * c->size * 3);
        got = (double)c->out[at];
        if (strcmp(c->package, "open_clip") != 0) {
            expected = (expected * CLIP_STD[at % 3] + CLIP_MEAN[at % 3]) * 255;
            got = c->pixels[at];
            allowed = 1 + 1e-3;
        }
        ck_assert_msg(fabs(got - expected) <= allowed, "%s %zu %s: at %zu: expected %.9g, got %.9g",
                      c->path, c->size, c->package, at, expected, got);
    }
}

static void compare_clip(clip_case *c, FILE *file)
{
    pts_image image;
    double sum = 0;
    const size_t count = c->size * c->size * 3;
    ck_assert_int_eq(pts_image_read(test_data(c->path), NULL, &image, NULL), PTS_OK);
    apply_clip(&image, c->size, c->out, c->pixels);
    if (strcmp(c->package, "open_clip") != 0)
        cut_as_transformers(&image, c->size, c->pixels);
    for (size_t i = 0; i < count; i++)
        sum += c->pixels[i];
    if (strcmp(c->package, "transformers") == 0) /* torchvision's kernels: not Pillow's rounding */
        ck_assert_double_le(fabs(sum - c->sum) / (double)count, 0.02);
    else
        ck_assert_msg(fnv1a(c->pixels, count) == c->hash, "%s %zu: differs from %s", c->path,
                      c->size, c->package);
    compare_clip_samples(c, file);
    pts_image_free(&image);
}

START_TEST(clip_photographs_equal_its_packages)
{
    static clip_case c;
    size_t cases = 0;
    FILE *file = fopen(test_data("clip_photos/golden.txt"), "r");
    ck_assert_ptr_nonnull(file);
    for (; fscanf(file, "%63s %zu %31s %" SCNx64 " %lf", c.path, &c.size, c.package, &c.hash,
                  &c.sum) == 5;
         cases++) {
        ck_assert_uint_le(c.size, 224);
        compare_clip(&c, file);
    }
    fclose(file);
    ck_assert_uint_eq(cases, 10 * 2 * 3);
}
END_TEST

START_TEST(preset_table)
{
    size_t count;
    const pts_preset *list = pts_preset_list(&count);
    ck_assert_uint_eq(count, 4);
    for (size_t i = 0; i < count; i++) {
        ck_assert(pts_preset_known(list[i].name));
        ck_assert_uint_eq(pts_preset_size(list[i].name), list[i].size);
        ck_assert_uint_gt(strlen(list[i].doc), 10);
    }
    ck_assert_uint_eq(pts_preset_size("keras"), 299);
    ck_assert_uint_eq(pts_preset_size("torchvision"), 299);
    ck_assert_uint_eq(pts_preset_size("clip"), 224);
    ck_assert_uint_eq(pts_preset_size("ptssp"), 299);
    ck_assert(!pts_preset_known("imagenet"));
    ck_assert_uint_eq(pts_preset_size(""), 0);
}
END_TEST

START_TEST(wrong_requests_are_refused)
{
    uint8_t pixels[600] = {0};
    pts_image dot = {1, 1, pixels}, needle = {1, 200, pixels}, out;
    float number[3];
    pts_error err;
    ck_assert_int_eq(pts_image_resize(&dot, 0, 5, PTS_FILTER_BILINEAR, &out, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "resize: expected sides of 1 … 65536, got 0×5");
    ck_assert_ptr_null(out.rgb);
    ck_assert_int_eq(pts_image_resize(&dot, 5, 65537, PTS_FILTER_BICUBIC, &out, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_int_eq(pts_preset_apply("imagenet", &dot, 1, number, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message,
                     "preset: expected keras, torchvision, clip or ptssp, got 'imagenet'");
    ck_assert_int_eq(pts_preset_apply("keras", &dot, 0, number, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "preset: expected a size of 1 … 4096, got 0");
    /* 342 pixels of short side would make a long side of 68,400. */
    ck_assert_int_eq(pts_preset_apply("torchvision", &needle, 299, number, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "resize: expected sides of 1 … 65536, got 342×68400");
}
END_TEST

START_TEST(one_colour_stays_one_colour)
{
    for (unsigned level = 0; level < 256; level += 51) {
        pts_image in = source("noise", 61, 47), out;
        memset(in.rgb, (int)level, 61 * 47 * 3);
        for (size_t side = 1; side < 200; side += 33) {
            ck_assert_int_eq(
                pts_image_resize(&in, side, 200 - side, PTS_FILTER_BICUBIC, &out, NULL), PTS_OK);
            for (size_t i = 0; i < side * (200 - side) * 3; i++)
                ck_assert_uint_eq(out.rgb[i], level);
            pts_image_free(&out);
        }
        pts_image_free(&in);
    }
}
END_TEST

CHECK_SUITE("resample", resize_equals_pillow, presets_equal_torchvision,
            clip_photographs_equal_its_packages, preset_table, wrong_requests_are_refused,
            one_colour_stays_one_colour)
