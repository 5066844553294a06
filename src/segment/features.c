#include "segment/features.h"
#include "base/error.h"
#include "base/memory.h"
#include "pts/image.h"
#include "segment/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The stem's convolutions do not pad, so cell i of Mixed_5d looks at input pixel 8·i + 13, of
 * Mixed_6e at 16·i + 21, of Conv2d_4a_3x3 at 4·i + 9. Padding the picture by PAD_FRONT edge
 * pixels makes the first cells fall on the picture's edge instead of well inside it; PAD_BACK
 * does so for the last ones. */
enum { PAD_FRONT = 8, PAD_BACK = 16 };
/* What the encoder takes at least; a long strip of a picture is padded up to it. */
enum { SMALLEST_INPUT = 75 };
enum { STEM, MID, DEEP, TAPS };
static const struct tap {
    const char *name;
    size_t channels, kept, cell;
    double first; /* the padded input pixel that cell 0 is centred on */
} taps[TAPS] = {
    {"Conv2d_4a_3x3", 192, FINE_STEM, 4, 9},
    {"Mixed_5d", 288, COARSE_MID, 8, 13},
    {"Mixed_6e", 768, COARSE_DEEP, 16, 21},
};

typedef struct extractor {
    pts_encoder *encoder;
    pts_features *features;
    const pts_feature_settings *settings;
    pca pcas[TAPS];
    float *input; /* [height][width][3], padded */
    size_t height, width, input_capacity;
    feature_item *item; /* being filled; NULL while the components are gathered */
    float *projected;   /* [rows][columns][kept] of one tap */
    size_t projected_capacity;
    pts_status status;
    pts_error *err;
} extractor;

void pts_feature_settings_default(pts_feature_settings *settings)
{
    *settings = (pts_feature_settings){.side = 480, .pca_images = 32};
}

/* Edge pixels are repeated into the padding. */
static void pad_into_input(extractor *x, const pts_image *image)
{
    for (size_t row = 0; row < x->height; row++) {
        size_t from_y = row < PAD_FRONT ? 0 : row - PAD_FRONT;
        from_y = from_y < image->height ? from_y : image->height - 1;
        float *out = x->input + row * x->width * 3;
        for (size_t column = 0; column < x->width; column++, out += 3) {
            size_t from_x = column < PAD_FRONT ? 0 : column - PAD_FRONT;
            from_x = from_x < image->width ? from_x : image->width - 1;
            const uint8_t *pixel = image->rgb + (from_y * image->width + from_x) * 3;
            for (int c = 0; c < 3; c++)
                out[c] = (float)pixel[c] / 255.0f;
        }
    }
}

static size_t padded(size_t side)
{
    size_t out = side + PAD_FRONT + PAD_BACK;
    return out < SMALLEST_INPUT ? SMALLEST_INPUT : out;
}

static size_t scaled(size_t side, size_t longer, size_t wanted)
{
    size_t out = (side * wanted + longer / 2) / longer;
    return out < FINE_CELL ? FINE_CELL : out;
}

/* Reads the photograph at the network's size into x->input. */
static pts_status load_input(extractor *x, const char *path, feature_item *item)
{
    pts_image image = {0}, small = {0};
    PTS_TRY(pts_image_read(path, NULL, &image, x->err));
    size_t longer = image.width > image.height ? image.width : image.height;
    item->width = image.width;
    item->height = image.height;
    item->in_width = scaled(image.width, longer, x->settings->side);
    item->in_height = scaled(image.height, longer, x->settings->side);
    pts_status status = pts_image_resize(&image, item->in_width, item->in_height,
                                         PTS_FILTER_BILINEAR, &small, x->err);
    pts_image_free(&image);
    PTS_TRY(status);
    x->width = padded(item->in_width);
    x->height = padded(item->in_height);
    status =
        pts_grow(&x->input, &x->input_capacity, x->width * x->height * 3, sizeof *x->input, x->err);
    if (status == PTS_OK)
        pad_into_input(x, &small);
    pts_image_free(&small);
    return status;
}

/* Bilinear reading of a projected tap at cell centres of the coarse or fine grid. */
typedef struct sampling {
    size_t lower, upper;
    float weight;
} sampling;

static sampling sample_at(size_t cell, size_t cell_size, const struct tap *tap, size_t count)
{
    double centre = (double)(cell * cell_size) + 0.5 * (double)(cell_size - 1) + PAD_FRONT;
    double position = (centre - tap->first) / (double)tap->cell;
    position = fmin(fmax(position, 0), (double)(count - 1));
    size_t lower = (size_t)position;
    size_t upper = lower + 1 < count ? lower + 1 : lower;
    return (sampling){lower, upper, (float)(position - (double)lower)};
}

static void resample(const float *map, size_t rows, size_t columns, const struct tap *tap,
                     size_t out_rows, size_t out_columns, size_t cell_size, float *out,
                     size_t stride)
{
    size_t kept = tap->kept;
    for (size_t r = 0; r < out_rows; r++) {
        sampling sy = sample_at(r, cell_size, tap, rows);
        for (size_t c = 0; c < out_columns; c++, out += stride) {
            sampling sx = sample_at(c, cell_size, tap, columns);
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

static void fill_tap(extractor *x, int which, const float *map, size_t rows, size_t columns)
{
    const struct tap *tap = &taps[which];
    feature_item *item = x->item;
    x->status = pts_grow(&x->projected, &x->projected_capacity, rows * columns * tap->kept,
                         sizeof *x->projected, x->err);
    if (x->status != PTS_OK)
        return;
    pca_project(&x->pcas[which], map, rows * columns, x->projected, tap->kept);
    if (which == STEM)
        resample(x->projected, rows, columns, tap, 2 * item->rows, 2 * item->columns, FINE_CELL,
                 item->fine, FINE_CHANNELS);
    else
        resample(x->projected, rows, columns, tap, item->rows, item->columns, COARSE_CELL,
                 item->coarse + (which == DEEP ? COARSE_MID : 0), COARSE_CHANNELS);
}

static void visit_tap(void *user, const char *name, const float *map, size_t rows, size_t columns,
                      size_t channels)
{
    extractor *x = user;
    for (int i = 0; i < TAPS && x->status == PTS_OK; i++) {
        if (strcmp(name, taps[i].name) != 0 || channels != taps[i].channels)
            continue;
        if (x->item)
            fill_tap(x, i, map, rows, columns);
        else
            pca_add(&x->pcas[i], map, rows * columns);
    }
}

/* Mean colour of each fine cell, around zero. */
static void fill_colours(const extractor *x, feature_item *item)
{
    for (size_t r = 0; r < 2 * item->rows; r++) {
        for (size_t c = 0; c < 2 * item->columns; c++) {
            float *out = item->fine + (r * 2 * item->columns + c) * FINE_CHANNELS + FINE_STEM;
            for (int k = 0; k < 3; k++) {
                float sum = 0;
                for (size_t i = 0; i < FINE_CELL * FINE_CELL; i++) {
                    size_t y = PAD_FRONT + r * FINE_CELL + i / FINE_CELL;
                    size_t v = PAD_FRONT + c * FINE_CELL + i % FINE_CELL;
                    sum += x->input[(y * x->width + v) * 3 + (size_t)k];
                }
                out[k] = 4 * (sum / (FINE_CELL * FINE_CELL) - 0.5f);
            }
        }
    }
}

static pts_status run_encoder(extractor *x)
{
    x->status = PTS_OK;
    PTS_TRY(pts_encoder_taps(x->encoder, x->input, x->height, x->width, taps[DEEP].name, visit_tap,
                             x, x->err));
    return x->status;
}

static pts_status gather_components(extractor *x, const char *const *paths, size_t count,
                                    pts_progress progress, void *user)
{
    size_t wanted = x->settings->pca_images < count ? x->settings->pca_images : count;
    for (int i = 0; i < TAPS; i++)
        PTS_TRY(pca_create(&x->pcas[i], taps[i].channels, taps[i].kept, x->err));
    for (size_t i = 0; i < wanted; i++) {
        feature_item unused;
        PTS_TRY(load_input(x, paths[i * count / wanted], &unused));
        PTS_TRY(run_encoder(x));
        if (progress && progress(user, "components", i + 1, wanted))
            return pts_fail(x->err, PTS_ERR_CANCELLED, "cancelled");
    }
    for (int i = 0; i < TAPS; i++)
        PTS_TRY(pca_solve(&x->pcas[i], x->err));
    return PTS_OK;
}

static pts_status extract_one(extractor *x, const char *path, feature_item *item)
{
    PTS_TRY(load_input(x, path, item));
    item->rows = (item->in_height + COARSE_CELL - 1) / COARSE_CELL;
    item->columns = (item->in_width + COARSE_CELL - 1) / COARSE_CELL;
    size_t cells = item->rows * item->columns;
    item->coarse = pts_calloc64(cells * COARSE_CHANNELS, sizeof(float));
    item->fine = pts_calloc64(cells * 4 * FINE_CHANNELS, sizeof(float));
    size_t bytes = cells * (COARSE_CHANNELS + 4 * FINE_CHANNELS) * sizeof(float);
    if (!item->coarse || !item->fine)
        return pts_fail_memory(x->err, bytes);
    x->item = item;
    pts_status status = run_encoder(x);
    x->item = NULL;
    if (status == PTS_OK)
        fill_colours(x, item);
    return status;
}

static pts_status extract_all(extractor *x, const char *const *paths, size_t count,
                              pts_progress progress, void *user)
{
    PTS_TRY(gather_components(x, paths, count, progress, user));
    for (size_t i = 0; i < count; i++) {
        PTS_TRY(extract_one(x, paths[i], &x->features->items[i]));
        if (progress && progress(user, "features", i + 1, count))
            return pts_fail(x->err, PTS_ERR_CANCELLED, "cancelled");
    }
    return PTS_OK;
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
    pts_status status = extract_all(&x, paths, count, progress, user);
    for (int i = 0; i < TAPS; i++)
        pca_free(&x.pcas[i]);
    free(x.input);
    free(x.projected);
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
    free(features);
}
