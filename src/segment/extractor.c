/* From the encoder's maps, window by window, to the features' grids. */
#include "base/error.h"
#include "segment/extractor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const feature_place pts_feature_places[TAPS] = {
    [FINE_TAP] = {FINE_MAP, 0, true},
    [MID_TAP] = {COARSE_MID, 0, false},
    [DEEP_TAP] = {COARSE_DEEP, COARSE_MID, false},
};

/* ---- maps to features ---- */

/* Bilinear reading of a projected tap at cell centres of the coarse or fine grid. */
typedef struct sampling {
    size_t lower, upper;
    float weight;
} sampling;

/* In pixels of the padded input, the one measure that maps and cells share. */
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
    const size_t scale = pts_feature_places[which].fine ? 2 : 1,
                 size = pts_feature_places[which].fine ? FINE_CELL : COARSE_CELL;
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

/* Projected, then interpolated: both are linear, and there are fewer channels to interpolate. */
static pts_status fill_tap(extractor *x, int which, const float *map, size_t rows, size_t columns)
{
    const projection_tap *tap = &x->features->projection.taps[which];
    PTS_TRY(pts_grow(&x->projected, &x->projected_capacity, rows * columns * tap->kept,
                     sizeof *x->projected, x->err));
    pts_projection_apply(tap, map, rows * columns, x->projected);
    if (pts_feature_places[which].fine)
        resample(x, which, x->projected, rows, columns,
                 x->item->fine + pts_feature_places[which].at, FINE_CHANNELS);
    else
        resample(x, which, x->projected, rows, columns,
                 x->item->coarse + pts_feature_places[which].at, COARSE_CHANNELS);
    return PTS_OK;
}

/* A whole map [rows][columns][channels] of the picture. */
static pts_status take_map(extractor *x, int which, const float *map, size_t rows, size_t columns)
{
    if (x->item)
        return fill_tap(x, which, map, rows, columns);
    pts_pca_add(&x->pcas[which], map, rows * columns);
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

/* A preset is affine in a pixel: its black and white do for windows of any size. */
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

/* A window's map begins behind the class token, which lies nowhere on the picture. */
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

/* Where windows overlap a patch's sum is of several: features must not tell how many. */
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

/* A callback returns nothing: its failure waits in x->status. */
static pts_status run_window(extractor *x, size_t height, size_t width)
{
    PTS_TRY(pts_grow(&x->input, &x->input_capacity, height * width * 3, sizeof *x->input, x->err));
    normalise_window(x, height, width);
    x->status = PTS_OK;
    PTS_TRY(pts_encoder_taps(x->encoder, x->input, height, width, x->source.taps[DEEP_TAP].name,
                             visit_tap, x, x->err));
    return x->status;
}

/* A map is whole, and taken, only when all windows have added to it. */
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
            *out++ = pts_picture_pixel(x, cell / columns, cell % columns, k);
    }
    return take_map(x, FINE_TAP, x->blocks, rows, columns);
}

pts_status pts_extractor_run(extractor *x, const feature_item *item)
{
    PTS_TRY(run_blocks(x, item));
    return run_windows(x);
}

void pts_extractor_free(extractor *x)
{
    for (int i = 0; i < TAPS; i++) {
        pts_pca_free(&x->pcas[i]);
        free(x->maps[i].sum);
    }
    free(x->pixels);
    free(x->input);
    free(x->projected);
    free(x->blocks);
}
