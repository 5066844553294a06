/* From a photograph to the padded pixels that encoders and cells look at. */
#include "base/error.h"
#include "segment/extractor.h"

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

/* At least a fine cell: the short side of a long strip would round to nothing. */
static size_t scaled(size_t side, size_t longer, size_t wanted)
{
    size_t out = (side * wanted + longer / 2) / longer;
    return out < FINE_CELL ? FINE_CELL : out;
}

pts_status pts_picture_load(extractor *x, const pts_image *image, feature_item *item)
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

float pts_picture_pixel(const extractor *x, size_t r, size_t c, size_t k)
{
    size_t y = x->source.pad_front + r * FINE_CELL + k / 3 / FINE_CELL;
    size_t v = x->source.pad_front + c * FINE_CELL + k / 3 % FINE_CELL;
    return x->pixels[(y * x->width + v) * 3 + k % 3];
}

void pts_picture_colours(const extractor *x, feature_item *item)
{
    for (size_t r = 0; r < 2 * item->rows; r++) {
        for (size_t c = 0; c < 2 * item->columns; c++) {
            float *out = item->fine + (r * 2 * item->columns + c) * FINE_CHANNELS + FINE_MAP;
            for (size_t k = 0; k < 3; k++) {
                float sum = 0;
                for (size_t i = 0; i < FINE_CELL * FINE_CELL; i++)
                    sum += pts_picture_pixel(x, r, c, 3 * i + k);
                out[k] = 4 * (sum / (FINE_CELL * FINE_CELL) - 0.5f);
            }
        }
    }
}
