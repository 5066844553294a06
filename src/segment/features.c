#include "segment/features.h"
#include "base/error.h"
#include "base/memory.h"
#include "pts/image.h"
#include "segment/pca.h"
#include "segment/source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const feature_place feature_places[TAPS] = {
    [FINE_TAP] = {FINE_MAP, 0, 1},
    [MID_TAP] = {COARSE_MID, 0, 0},
    [DEEP_TAP] = {COARSE_DEEP, COARSE_MID, 0},
};

/* A tap's map over the whole picture. */
typedef struct tap_map {
    float *sum; /* [rows][columns][channels], over the windows */
    size_t rows, columns, capacity;
} tap_map;

typedef struct extractor {
    pts_encoder *encoder;
    feature_source source;
    pts_features *features;
    const pts_feature_settings *settings;
    pts_progress progress;
    void *user;
    pca pcas[TAPS];
    float *pixels; /* [height][width][3], padded, 0 … 1 */
    size_t height, width, pixels_capacity;
    float *input; /* one window as the encoder takes it */
    size_t input_capacity;
    tap_map maps[TAPS];
    size_t top, left;   /* of the window being seen */
    feature_item *item; /* being filled; NULL while the components are gathered */
    float *projected;   /* [rows][columns][kept] of one tap */
    size_t projected_capacity;
    float *blocks; /* [rows][columns][PIXEL_CHANNELS] */
    size_t blocks_capacity;
    pts_status status;
    pts_error *err;
} extractor;

void pts_feature_settings_default(pts_feature_settings *settings)
{
    *settings = (pts_feature_settings){.side = 480, .pca_images = 32};
}

/* ---- photographs ---- */

/* Edge pixels are repeated into the padding. */
static void pad_into_pixels(extractor *x, const pts_image *image)
{
    const size_t front = x->source.pad_front;
    for (size_t row = 0; row < x->height; row++) {
        size_t from_y = row < front ? 0 : row - front;
        from_y = from_y < image->height ? from_y : image->height - 1;
        float *out = x->pixels + row * x->width * 3;
        for (size_t column = 0; column < x->width; column++, out += 3) {
            size_t from_x = column < front ? 0 : column - front;
            from_x = from_x < image->width ? from_x : image->width - 1;
            const uint8_t *pixel = image->rgb + (from_y * image->width + from_x) * 3;
            for (int c = 0; c < 3; c++)
                out[c] = (float)pixel[c] / 255.0f;
        }
    }
}

static size_t padded(const feature_source *source, size_t side)
{
    size_t out = side + source->pad_front + source->pad_back;
    out = out < source->smallest ? source->smallest : out;
    return source->patch ? (out + source->patch - 1) / source->patch * source->patch : out;
}

static size_t scaled(size_t side, size_t longer, size_t wanted)
{
    size_t out = (side * wanted + longer / 2) / longer;
    return out < FINE_CELL ? FINE_CELL : out;
}

/* The photograph at the network's size, into x->pixels. */
static pts_status load_pixels(extractor *x, const pts_image *image, feature_item *item)
{
    pts_image small = {0};
    size_t longer = image->width > image->height ? image->width : image->height;
    item->width = image->width;
    item->height = image->height;
    item->in_width = scaled(image->width, longer, x->features->projection.side);
    item->in_height = scaled(image->height, longer, x->features->projection.side);
    item->rows = (item->in_height + COARSE_CELL - 1) / COARSE_CELL;
    item->columns = (item->in_width + COARSE_CELL - 1) / COARSE_CELL;
    PTS_TRY(pts_image_resize(image, item->in_width, item->in_height, PTS_FILTER_BILINEAR, &small,
                             x->err));
    x->width = padded(&x->source, item->in_width);
    x->height = padded(&x->source, item->in_height);
    pts_status status = pts_grow(&x->pixels, &x->pixels_capacity, x->width * x->height * 3,
                                 sizeof *x->pixels, x->err);
    if (status == PTS_OK)
        pad_into_pixels(x, &small);
    pts_image_free(&small);
    return status;
}

/* Pixel (k / 3) of fine cell (r, c) in raster order, colour k mod 3. */
static float block_pixel(const extractor *x, size_t r, size_t c, size_t k)
{
    size_t y = x->source.pad_front + r * FINE_CELL + k / 3 / FINE_CELL;
    size_t v = x->source.pad_front + c * FINE_CELL + k / 3 % FINE_CELL;
    return x->pixels[(y * x->width + v) * 3 + k % 3];
}

/* Mean colour of each fine cell, around zero. */
static void fill_colours(const extractor *x, feature_item *item)
{
    for (size_t r = 0; r < 2 * item->rows; r++) {
        for (size_t c = 0; c < 2 * item->columns; c++) {
            float *out = item->fine + (r * 2 * item->columns + c) * FINE_CHANNELS + FINE_MAP;
            for (size_t k = 0; k < 3; k++) {
                float sum = 0;
                for (size_t i = 0; i < FINE_CELL * FINE_CELL; i++)
                    sum += block_pixel(x, r, c, 3 * i + k);
                out[k] = 4 * (sum / (FINE_CELL * FINE_CELL) - 0.5f);
            }
        }
    }
}

/* ---- maps to features ---- */

/* Bilinear reading of a projected tap at cell centres of the coarse or fine grid. */
typedef struct sampling {
    size_t lower, upper;
    float weight;
} sampling;

static sampling sample_at(size_t cell, size_t cell_size, size_t pad, const source_tap *tap,
                          size_t count)
{
    double centre = (double)(cell * cell_size) + 0.5 * (double)(cell_size - 1) + (double)pad;
    double position = (centre - tap->first) / (double)tap->cell;
    position = fmin(fmax(position, 0), (double)(count - 1));
    size_t lower = (size_t)position;
    size_t upper = lower + 1 < count ? lower + 1 : lower;
    return (sampling){lower, upper, (float)(position - (double)lower)};
}

/* map [rows][columns][kept] → out, a cell of `stride` floats each, of the item's grid. */
static void resample(const extractor *x, int which, const float *map, size_t rows, size_t columns,
                     float *out, size_t stride)
{
    const source_tap *tap = &x->source.taps[which];
    const size_t kept = x->features->projection.taps[which].kept, pad = x->source.pad_front;
    const size_t scale = feature_places[which].fine ? 2 : 1,
                 size = feature_places[which].fine ? FINE_CELL : COARSE_CELL;
    for (size_t r = 0; r < scale * x->item->rows; r++) {
        sampling sy = sample_at(r, size, pad, tap, rows);
        for (size_t c = 0; c < scale * x->item->columns; c++, out += stride) {
            sampling sx = sample_at(c, size, pad, tap, columns);
            const float *p00 = map + (sy.lower * columns + sx.lower) * kept;
            const float *p01 = map + (sy.lower * columns + sx.upper) * kept;
            const float *p10 = map + (sy.upper * columns + sx.lower) * kept;
            const float *p11 = map + (sy.upper * columns + sx.upper) * kept;
            for (size_t k = 0; k < kept; k++) {
                float top = p00[k] + (p01[k] - p00[k]) * sx.weight;
                float bottom = p10[k] + (p11[k] - p10[k]) * sx.weight;
                out[k] = top + (bottom - top) * sy.weight;
            }
        }
    }
}

static pts_status fill_tap(extractor *x, int which, const float *map, size_t rows, size_t columns)
{
    const projection_tap *tap = &x->features->projection.taps[which];
    PTS_TRY(pts_grow(&x->projected, &x->projected_capacity, rows * columns * tap->kept,
                     sizeof *x->projected, x->err));
    projection_apply(tap, map, rows * columns, x->projected);
    if (feature_places[which].fine)
        resample(x, which, x->projected, rows, columns, x->item->fine + feature_places[which].at,
                 FINE_CHANNELS);
    else
        resample(x, which, x->projected, rows, columns, x->item->coarse + feature_places[which].at,
                 COARSE_CHANNELS);
    return PTS_OK;
}

/* A whole map [rows][columns][channels] of the picture. */
static pts_status take_map(extractor *x, int which, const float *map, size_t rows, size_t columns)
{
    if (x->item)
        return fill_tap(x, which, map, rows, columns);
    pca_add(&x->pcas[which], map, rows * columns);
    return PTS_OK;
}

/* ---- windows ---- */

/* So many windows side by side cover `side` pixels, neighbours overlapping by a quarter or more. */
static size_t windows_along(const feature_source *source, size_t side)
{
    size_t step = source->window - source->window / 4;
    return source->window ? (side - source->window + step - 1) / step + 1 : 1;
}

/* Evenly spread from edge to edge, on whole patches. */
static size_t window_start(const feature_source *source, size_t side, size_t index, size_t count)
{
    if (count == 1)
        return 0;
    size_t patches = (side - source->window) / source->patch;
    return (index * patches + (count - 1) / 2) / (count - 1) * source->patch;
}

static void normalise_window(extractor *x, size_t height, size_t width)
{
    const feature_source *s = &x->source;
    float range[3];
    for (int k = 0; k < 3; k++)
        range[k] = s->white[k] - s->black[k];
    for (size_t r = 0; r < height; r++) {
        const float *from = x->pixels + ((x->top + r) * x->width + x->left) * 3;
        float *to = x->input + r * width * 3;
        for (size_t i = 0; i < width * 3; i++)
            to[i] = s->black[i % 3] + range[i % 3] * from[i];
    }
}

static pts_status clear_map(extractor *x, int which, size_t channels)
{
    tap_map *m = &x->maps[which];
    m->rows = x->height / x->source.patch;
    m->columns = x->width / x->source.patch;
    size_t floats = m->rows * m->columns * channels;
    PTS_TRY(pts_grow(&m->sum, &m->capacity, floats, sizeof *m->sum, x->err));
    memset(m->sum, 0, floats * sizeof *m->sum);
    return PTS_OK;
}

/* Adds a window's map [grid][grid][channels] to the picture's. */
static pts_status add_window(extractor *x, int which, const float *map, size_t grid,
                             size_t channels)
{
    tap_map *m = &x->maps[which];
    if (x->top == 0 && x->left == 0)
        PTS_TRY(clear_map(x, which, channels));
    for (size_t r = 0; r < grid; r++) {
        size_t row = x->top / x->source.patch + r, column = x->left / x->source.patch;
        float *to = m->sum + (row * m->columns + column) * channels;
        for (size_t i = 0; i < grid * channels; i++)
            to[i] += map[r * grid * channels + i];
    }
    return PTS_OK;
}

static void visit_tap(void *user, const char *name, const float *map, size_t rows, size_t columns,
                      size_t channels)
{
    extractor *x = user;
    const feature_source *s = &x->source;
    for (int i = 0; i < TAPS && x->status == PTS_OK; i++) {
        if (strcmp(name, s->taps[i].name) != 0 || channels != s->taps[i].channels)
            continue;
        if (s->window)
            x->status = add_window(x, i, map + channels, s->window / s->patch, channels);
        else
            x->status = take_map(x, i, map, rows, columns);
    }
}

/* How many windows along an axis see patch `at`. */
static float seen_by(const feature_source *s, size_t side, size_t at)
{
    size_t count = windows_along(s, side), seen = 0;
    for (size_t i = 0; i < count; i++) {
        size_t start = window_start(s, side, i, count) / s->patch;
        seen += at >= start && at < start + s->window / s->patch;
    }
    return (float)seen;
}

static void average_windows(const extractor *x, int which)
{
    const tap_map *m = &x->maps[which];
    const size_t channels = x->source.taps[which].channels;
    for (size_t r = 0; r < m->rows; r++) {
        float down = seen_by(&x->source, x->height, r);
        for (size_t c = 0; c < m->columns; c++) {
            float share = 1 / (down * seen_by(&x->source, x->width, c));
            float *cell = m->sum + (r * m->columns + c) * channels;
            for (size_t k = 0; k < channels; k++)
                cell[k] *= share;
        }
    }
}

static pts_status run_window(extractor *x, size_t height, size_t width)
{
    PTS_TRY(pts_grow(&x->input, &x->input_capacity, height * width * 3, sizeof *x->input, x->err));
    normalise_window(x, height, width);
    x->status = PTS_OK;
    PTS_TRY(pts_encoder_taps(x->encoder, x->input, height, width, x->source.taps[DEEP_TAP].name,
                             visit_tap, x, x->err));
    return x->status;
}

static pts_status run_windows(extractor *x)
{
    const feature_source *s = &x->source;
    size_t down = windows_along(s, x->height), across = windows_along(s, x->width);
    for (size_t i = 0; i < down * across; i++) {
        x->top = window_start(s, x->height, i / across, down);
        x->left = window_start(s, x->width, i % across, across);
        PTS_TRY(run_window(x, s->window ? s->window : x->height, s->window ? s->window : x->width));
    }
    for (int i = 0; i < TAPS && s->window; i++) {
        if (strcmp(s->taps[i].name, PIXEL_TAP) == 0)
            continue;
        average_windows(x, i);
        PTS_TRY(take_map(x, i, x->maps[i].sum, x->maps[i].rows, x->maps[i].columns));
    }
    return PTS_OK;
}

/* The picture's own blocks of pixels, where the source asks for them. */
static pts_status run_blocks(extractor *x, const feature_item *item)
{
    const size_t rows = 2 * item->rows, columns = 2 * item->columns;
    if (strcmp(x->source.taps[FINE_TAP].name, PIXEL_TAP) != 0)
        return PTS_OK;
    PTS_TRY(pts_grow(&x->blocks, &x->blocks_capacity, rows * columns * PIXEL_CHANNELS,
                     sizeof *x->blocks, x->err));
    float *out = x->blocks;
    for (size_t cell = 0; cell < rows * columns; cell++) {
        for (size_t k = 0; k < PIXEL_CHANNELS; k++)
            *out++ = block_pixel(x, cell / columns, cell % columns, k);
    }
    return take_map(x, FINE_TAP, x->blocks, rows, columns);
}

static pts_status run_encoder(extractor *x, const feature_item *item)
{
    PTS_TRY(run_blocks(x, item));
    return run_windows(x);
}

/* ---- the components ---- */

static pts_status none_readable(const extractor *x, size_t count)
{
    return pts_fail(x->err, PTS_ERR_FORMAT, "features: expected a readable image, got none of %zu",
                    count);
}

static pts_status report_progress(const extractor *x, const char *stage, size_t done, size_t total)
{
    if (x->progress && x->progress(x->user, stage, done, total))
        return pts_fail(x->err, PTS_ERR_CANCELLED, "features: cancelled at image %zu of %zu", done,
                        total);
    return PTS_OK;
}

/* Gathers from the first readable one of paths [count], if there is one. */
static pts_status gather_from(extractor *x, const char *const *paths, size_t count, int *found)
{
    pts_image image;
    feature_item item;
    *found = 0;
    for (size_t i = 0; i < count && !*found; i++) {
        pts_status status = pts_image_read(paths[i], NULL, &image, x->err);
        if (status != PTS_OK && !x->settings->unreadable)
            return status;
        *found = status == PTS_OK;
    }
    if (!*found)
        return PTS_OK;
    pts_status status = load_pixels(x, &image, &item);
    pts_image_free(&image);
    return status == PTS_OK ? run_encoder(x, &item) : status;
}

static pts_status solve_components(extractor *x)
{
    for (int i = 0; i < TAPS; i++) {
        projection_tap *tap = &x->features->projection.taps[i];
        const size_t channels = x->source.taps[i].channels, kept = feature_places[i].kept;
        PTS_TRY(projection_tap_alloc(tap, channels, kept < channels ? kept : channels, x->err));
        memcpy(tap->name, x->source.taps[i].name, sizeof tap->name);
        PTS_TRY(pca_solve(&x->pcas[i], tap->kept, tap->weight, tap->offset, x->err));
    }
    return PTS_OK;
}

static pts_status gather_components(extractor *x, const char *const *paths, size_t count)
{
    size_t wanted = x->settings->pca_images < count ? x->settings->pca_images : count, any = 0;
    for (int i = 0; i < TAPS; i++)
        PTS_TRY(pca_create(&x->pcas[i], x->source.taps[i].channels, x->err));
    for (size_t i = 0; i < wanted; i++) {
        size_t first = i * count / wanted, end = (i + 1) * count / wanted;
        int found;
        PTS_TRY(gather_from(x, paths + first, end - first, &found));
        any += (size_t)found;
        PTS_TRY(report_progress(x, "components", i + 1, wanted));
    }
    return any ? solve_components(x) : none_readable(x, count);
}

/* ---- all images ---- */

static pts_status extract_one(extractor *x, const pts_image *image, feature_item *item)
{
    PTS_TRY(load_pixels(x, image, item));
    size_t cells = item->rows * item->columns;
    item->coarse = pts_calloc64(cells * COARSE_CHANNELS, sizeof(float));
    item->fine = pts_calloc64(cells * 4 * FINE_CHANNELS, sizeof(float));
    size_t bytes = cells * (COARSE_CHANNELS + 4 * FINE_CHANNELS) * sizeof(float);
    if (!item->coarse || !item->fine)
        return pts_fail_memory(x->err, bytes);
    x->item = item;
    pts_status status = run_encoder(x, item);
    x->item = NULL;
    if (status == PTS_OK)
        fill_colours(x, item);
    return status;
}

static pts_status extract_path(extractor *x, const char *path, size_t index, size_t *readable)
{
    pts_image image;
    pts_error why;
    pts_status status = pts_image_read(path, NULL, &image, &why);
    if (status == PTS_OK) {
        status = extract_one(x, &image, &x->features->items[index]);
        pts_image_free(&image);
        ++*readable;
        return status;
    }
    if (!x->settings->unreadable)
        return pts_fail(x->err, status, "%s", why.message);
    x->settings->unreadable(x->user, index, why.message);
    return PTS_OK;
}

static pts_status extract_all(extractor *x, const char *const *paths, size_t count)
{
    size_t readable = 0;
    for (size_t i = 0; i < count; i++) {
        PTS_TRY(extract_path(x, paths[i], i, &readable));
        PTS_TRY(report_progress(x, "features", i + 1, count));
    }
    return readable ? PTS_OK : none_readable(x, count);
}

static pts_status check_projection(const extractor *x, const pts_projection *given)
{
    const char *id = pts_encoder_id(x->encoder);
    if (strcmp(given->encoder_id, id) != 0)
        return pts_fail(x->err, PTS_ERR_ARGUMENT,
                        "features: expected the projection's encoder %.12s, got %.12s",
                        given->encoder_id, id);
    for (int i = 0; i < TAPS; i++) {
        const source_tap *tap = &x->source.taps[i];
        if (strcmp(given->taps[i].name, tap->name) != 0 ||
            given->taps[i].channels != tap->channels ||
            given->taps[i].kept > feature_places[i].kept)
            return pts_fail(x->err, PTS_ERR_SHAPE,
                            "features: expected a projection of %s [%zu], got %s [%zu]", tap->name,
                            tap->channels, given->taps[i].name, given->taps[i].channels);
    }
    return PTS_OK;
}

static pts_status prepare_projection(extractor *x, const char *const *paths, size_t count)
{
    pts_projection *p = &x->features->projection;
    const pts_projection *given = x->settings->projection;
    if (given) {
        PTS_TRY(check_projection(x, given));
        return projection_copy(p, given, x->err);
    }
    snprintf(p->arch, sizeof p->arch, "%s", pts_encoder_arch(x->encoder));
    snprintf(p->encoder_id, sizeof p->encoder_id, "%s", pts_encoder_id(x->encoder));
    p->side = x->settings->side;
    return gather_components(x, paths, count);
}

static void extractor_free(extractor *x)
{
    for (int i = 0; i < TAPS; i++) {
        pca_free(&x->pcas[i]);
        free(x->maps[i].sum);
    }
    free(x->pixels);
    free(x->input);
    free(x->projected);
    free(x->blocks);
}

static pts_status extract(extractor *x, const char *const *paths, size_t count)
{
    PTS_TRY(feature_source_open(&x->source, x->encoder, x->err));
    PTS_TRY(prepare_projection(x, paths, count));
    return extract_all(x, paths, count);
}

pts_status pts_features_create(pts_features **out, pts_encoder *encoder, const char *const *paths,
                               size_t count, const pts_feature_settings *settings,
                               pts_progress progress, void *user, pts_error *err)
{
    *out = NULL;
    if (!count || settings->side < 128 || settings->side > 2048 || !settings->pca_images)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "features: expected images and a side of 128 … 2048, got %zu images, "
                        "side %zu",
                        count, settings->side);
    pts_features *features = calloc(1, sizeof *features);
    if (!features)
        return pts_fail_memory(err, sizeof *features);
    features->items = calloc(count, sizeof *features->items);
    if (!features->items) {
        free(features);
        return pts_fail_memory(err, count * sizeof *features->items);
    }
    features->count = count;
    extractor x = {.encoder = encoder, .features = features, .settings = settings, .err = err};
    x.progress = progress;
    x.user = user;
    pts_status status = extract(&x, paths, count);
    extractor_free(&x);
    if (status != PTS_OK) {
        pts_features_destroy(features);
        return status;
    }
    *out = features;
    return PTS_OK;
}

void pts_features_destroy(pts_features *features)
{
    if (!features)
        return;
    for (size_t i = 0; i < features->count; i++) {
        free(features->items[i].coarse);
        free(features->items[i].fine);
    }
    free(features->items);
    projection_free(&features->projection);
    free(features);
}

size_t pts_features_count(const pts_features *features)
{
    return features->count;
}

int pts_features_readable(const pts_features *features, size_t image)
{
    return image < features->count && features->items[image].coarse;
}

const pts_projection *pts_features_projection(const pts_features *features)
{
    return &features->projection;
}
