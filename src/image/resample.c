/* Resampling as Pillow does it (src/libImaging/Resample.c, 8 bits a channel). The order of every
 * floating-point operation below is Pillow's, since a coefficient that rounds the other way moves
 * pixels by one. */
#include "base/error.h"
#include "base/memory.h"
#include "pts/image.h"

#include <stdbool.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define PRECISION_BITS (32 - 8 - 2)
#define MAX_SIDE 65536

/* For each output position: the first input it reads, how many, and their weights. */
typedef struct coefficients {
    size_t width; /* weights stored for each output */
    size_t *first, *count;
    int32_t *weights; /* [outputs][width], fixed point */
} coefficients;

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static void coefficients_free(coefficients *c)
{
    free(c->first);
    free(c->count);
    free(c->weights);
}

static void fill_output(coefficients *c, size_t i, size_t in, double scale, double filter_scale,
                        double support, double (*filter)(double), double *row)
{
    double centre = ((double)i + 0.5) * scale, sum = 0, inverse = 1.0 / filter_scale;
    double low = centre - support + 0.5, high = centre + support + 0.5;
    size_t first = low < 0 ? 0 : (size_t)low;
    size_t end = high > (double)in ? in : (size_t)high;
    c->first[i] = first;
    c->count[i] = end - first;
    for (size_t k = 0; k < end - first; k++) {
        row[k] = filter(((double)(k + first) - centre + 0.5) * inverse);
        sum += row[k];
    }
    for (size_t k = 0; k < end - first; k++) {
        double weight = sum != 0 ? row[k] / sum : row[k];
        c->weights[i * c->width + k] =
            (int32_t)((weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION_BITS));
    }
}

static pts_status coefficients_fill(coefficients *c, size_t in, size_t out, pts_filter kind,
                                    pts_error *err)
{
    double *row;
    double (*filter)(double) = kind == PTS_FILTER_BICUBIC ? cubic : triangle;
    double scale = (double)in / (double)out, filter_scale = scale < 1 ? 1 : scale;
    double support = (kind == PTS_FILTER_BICUBIC ? 2.0 : 1.0) * filter_scale;
    c->width = (size_t)ceil(support) * 2 + 1;
    PTS_TRY(pts_new(&c->first, out, sizeof *c->first, err));
    PTS_TRY(pts_new(&c->count, out, sizeof *c->count, err));
    PTS_TRY(pts_new(&c->weights, out, c->width * sizeof *c->weights, err));
    PTS_TRY(pts_new(&row, c->width, sizeof *row, err));
    for (size_t i = 0; i < out; i++)
        fill_output(c, i, in, scale, filter_scale, support, filter, row);
    free(row);
    return PTS_OK;
}

static pts_status coefficients_make(coefficients *c, size_t in, size_t out, pts_filter kind,
                                    pts_error *err)
{
    *c = (coefficients){0};
    pts_status status = coefficients_fill(c, in, out, kind, err);
    if (status != PTS_OK)
        coefficients_free(c);
    return status;
}

static uint8_t clip8(int32_t sum)
{
    int32_t value = sum >> PRECISION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void horizontal_row(const uint8_t *line, const coefficients *c, size_t width,
                           uint8_t *target)
{
    for (size_t x = 0; x < width; x++, target += 3) {
        const uint8_t *p = line + c->first[x] * 3;
        const int32_t *w = c->weights + x * c->width;
        int32_t r = 1 << (PRECISION_BITS - 1), g = r, b = r;
        for (size_t k = 0; k < c->count[x]; k++, p += 3) {
            r += p[0] * w[k];
            g += p[1] * w[k];
            b += p[2] * w[k];
        }
        target[0] = clip8(r);
        target[1] = clip8(g);
        target[2] = clip8(b);
    }
}

#ifdef __SSE2__
/* Two inputs at a time in pmaddwd, which wants 16 bits: weight = high · 2^11 + low, summed apart.
 * Sums are modulo 2^32 like those of horizontal_row, so the result is the same to the bit. */
enum { ROWS = 4, LOW_BITS = 11 };

/* [outputs][(width + 1) / 2][2]: of two neighbours the high parts, then the low parts; 0 past the
 * last. */
static int32_t *pair_weights(const coefficients *c, size_t outputs)
{
    const size_t pairs = (c->width + 1) / 2;
    int32_t *out = pts_calloc64(outputs, pairs * 2 * sizeof *out);
    for (size_t i = 0; out && i < outputs * pairs; i++) {
        int16_t parts[4] = {0};
        for (size_t k = 0, at = i % pairs * 2; k < 2 && at + k < c->count[i / pairs]; k++) {
            int32_t weight = c->weights[i / pairs * c->width + at + k];
            parts[k] = (int16_t)(weight >> LOW_BITS);
            parts[2 + k] = (int16_t)(weight & ((1 << LOW_BITS) - 1));
        }
        memcpy(out + 2 * i, parts, sizeof parts);
    }
    return out;
}

/* One output of ROWS rows. Reads up to 5 bytes past the row that holds its last input. */
static inline void filter_pairs(const uint8_t *p, size_t stride, const int32_t *w, size_t count,
                                uint8_t *target, size_t target_stride)
{
    const __m128i half = _mm_set1_epi32(1 << (PRECISION_BITS - 1));
    __m128i high[ROWS], low[ROWS];
    for (size_t r = 0; r < ROWS; r++) {
        high[r] = _mm_setzero_si128();
        low[r] = half;
    }
    for (size_t k = 0; k < count; k += 2, p += 6, w += 2) {
        const __m128i wh = _mm_set1_epi32(w[0]), wl = _mm_set1_epi32(w[1]);
        for (size_t r = 0; r < ROWS; r++) {
            __m128i a = _mm_loadl_epi64((const __m128i *)(const void *)(p + r * stride));
            a = _mm_unpacklo_epi8(a, _mm_srli_si128(a, 3)); /* r0 r1 g0 g1 b0 b1 … */
            a = _mm_unpacklo_epi8(a, _mm_setzero_si128());
            high[r] = _mm_add_epi32(high[r], _mm_madd_epi16(a, wh));
            low[r] = _mm_add_epi32(low[r], _mm_madd_epi16(a, wl));
        }
    }
    for (size_t r = 0; r < ROWS; r++) {
        __m128i sum = _mm_add_epi32(_mm_slli_epi32(high[r], LOW_BITS), low[r]);
        sum = _mm_srai_epi32(sum, PRECISION_BITS);
        sum = _mm_packs_epi32(sum, sum); /* both saturate, as clip8 does */
        int32_t pixel = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
        memcpy(target + r * target_stride, &pixel, 3);
    }
}

/* The rows from the top that can be read in blocks without leaving the image; 0 without memory. */
static size_t horizontal_blocks(const pts_image *in, const coefficients *c, pts_image *out)
{
    const size_t stride = in->width * 3, pairs = (c->width + 1) / 2;
    int32_t *weights = in->height > ROWS + 2 ? pair_weights(c, out->width) : NULL;
    if (!weights)
        return 0;
    size_t y = 0;
    for (; y + ROWS + 2 <= in->height; y += ROWS) {
        const uint8_t *line = in->rgb + y * stride;
        uint8_t *target = out->rgb + y * out->width * 3;
        for (size_t x = 0; x < out->width; x++)
            filter_pairs(line + c->first[x] * 3, stride, weights + x * pairs * 2, c->count[x],
                         target + x * 3, out->width * 3);
    }
    free(weights);
    return y;
}
#else
static size_t horizontal_blocks(const pts_image *in, const coefficients *c, pts_image *out)
{
    (void)in, (void)c, (void)out;
    return 0;
}
#endif

static void horizontal_pass(const pts_image *in, const coefficients *c, pts_image *out)
{
    for (size_t y = horizontal_blocks(in, c, out); y < in->height; y++)
        horizontal_row(in->rgb + y * in->width * 3, c, out->width, out->rgb + y * out->width * 3);
}

static void vertical_pass(const pts_image *in, const coefficients *c, pts_image *out, int32_t *sums)
{
    size_t row = in->width * 3;
    for (size_t y = 0; y < out->height; y++) {
        for (size_t x = 0; x < row; x++)
            sums[x] = 1 << (PRECISION_BITS - 1);
        for (size_t k = 0; k < c->count[y]; k++) {
            const uint8_t *line = in->rgb + (c->first[y] + k) * row;
            int32_t weight = c->weights[y * c->width + k];
            for (size_t x = 0; x < row; x++)
                sums[x] += line[x] * weight;
        }
        uint8_t *target = out->rgb + y * row;
        for (size_t x = 0; x < row; x++)
            target[x] = clip8(sums[x]);
    }
}

static pts_status image_create(pts_image *image, size_t width, size_t height, pts_error *err)
{
    size_t bytes;
    *image = (pts_image){width, height, NULL};
    if (!pts_mul(width, height, &bytes) || !pts_mul(bytes, 3, &bytes))
        return pts_fail_memory(err, SIZE_MAX);
    image->rgb = malloc(bytes);
    return image->rgb ? PTS_OK : pts_fail_memory(err, bytes);
}

static pts_status resize_width(const pts_image *in, size_t width, pts_filter filter, pts_image *out,
                               pts_error *err)
{
    coefficients c;
    PTS_TRY(image_create(out, width, in->height, err));
    pts_status status = coefficients_make(&c, in->width, width, filter, err);
    if (status != PTS_OK) {
        pts_image_free(out);
        return status;
    }
    horizontal_pass(in, &c, out);
    coefficients_free(&c);
    return PTS_OK;
}

static pts_status resize_height(const pts_image *in, size_t height, pts_filter filter,
                                pts_image *out, pts_error *err)
{
    coefficients c;
    PTS_TRY(image_create(out, in->width, height, err));
    int32_t *sums;
    pts_status status = pts_new(&sums, in->width, 3 * sizeof *sums, err);
    if (status == PTS_OK)
        status = coefficients_make(&c, in->height, height, filter, err);
    if (status == PTS_OK) {
        vertical_pass(in, &c, out, sums);
        coefficients_free(&c);
    } else {
        pts_image_free(out);
    }
    free(sums);
    return status;
}

static pts_status copy_image(const pts_image *in, pts_image *out, pts_error *err)
{
    PTS_TRY(image_create(out, in->width, in->height, err));
    memcpy(out->rgb, in->rgb, in->width * in->height * 3);
    return PTS_OK;
}

/* Pillow 13 resamples the height first where it takes away more than twice as many rows as columns
 * (its pull request 9549); older releases always began with the width. With rounding between the
 * passes the order shows: by one level, rarely more. */
static bool height_first(const pts_image *image, size_t width, size_t height)
{
    int64_t rows = (int64_t)image->height - (int64_t)height;
    int64_t columns = (int64_t)image->width - (int64_t)width;
    return rows > 0 && rows > 2 * columns;
}

static pts_status resize_both(const pts_image *image, size_t width, size_t height,
                              pts_filter filter, pts_image *out, pts_error *err)
{
    pts_image between;
    bool height_now = height_first(image, width, height);
    PTS_TRY(height_now ? resize_height(image, height, filter, &between, err)
                       : resize_width(image, width, filter, &between, err));
    pts_status status = height_now ? resize_width(&between, width, filter, out, err)
                                   : resize_height(&between, height, filter, out, err);
    pts_image_free(&between);
    return status;
}

/* Like Pillow, a pass that would not change its side is left out. */
pts_status pts_image_resize(const pts_image *image, size_t width, size_t height, pts_filter filter,
                            pts_image *out, pts_error *err)
{
    *out = (pts_image){0};
    if (!width || !height || width > MAX_SIDE || height > MAX_SIDE)
        return pts_fail(err, PTS_ERR_ARGUMENT, "resize: expected sides of 1 … %d, got %zu×%zu",
                        MAX_SIDE, width, height);
    if (width == image->width && height == image->height)
        return copy_image(image, out, err);
    if (width == image->width)
        return resize_height(image, height, filter, out, err);
    if (height == image->height)
        return resize_width(image, width, filter, out, err);
    return resize_both(image, width, height, filter, out, err);
}
