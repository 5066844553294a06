#include "segment/viewer.h"
#include "base/error.h"

#include <math.h>

/* The largest coarse grid among the images, and the most pixels of a photograph. */
static void features_extent(const pts_features *features, size_t *rows, size_t *columns,
                            size_t *pixels)
{
    *rows = *columns = *pixels = 0;
    for (size_t i = 0; i < features->count; i++) {
        const feature_item *item = &features->items[i];
        *rows = item->rows > *rows ? item->rows : *rows;
        *columns = item->columns > *columns ? item->columns : *columns;
        size_t area = item->width * item->height;
        *pixels = area > *pixels ? area : *pixels;
    }
}

void pts_viewer_free(viewer *v)
{
    pts_arena_free(&v->arena);
    pts_instance_room_free(&v->room);
}

pts_status pts_viewer_create(viewer *v, const pts_features *features, pts_error *err)
{
    size_t rows, columns, pixels;
    *v = (viewer){0};
    features_extent(features, &rows, &columns, &pixels);
    pts_decoder_tape_layout(&v->tape, &v->arena, rows, columns, false);
    PTS_TRY(pts_arena_commit(&v->arena, err));
    pts_decoder_tape_layout(&v->tape, &v->arena, rows, columns, false);
    pts_status status = pts_instance_room_create(&v->room, pixels, err);
    if (status != PTS_OK)
        pts_viewer_free(v);
    return status;
}

/* The fine cell and weight to read for pixel i of `side`, whose input has in_side pixels. */
static size_t cell_at(size_t i, size_t side, size_t in_side, size_t cells, float *weight)
{
    double position = ((double)i + 0.5) * (double)in_side / (double)side / FINE_CELL - 0.5;
    position = fmin(fmax(position, 0), (double)(cells - 1));
    size_t lower = (size_t)position;
    lower = lower + 1 < cells ? lower : cells - 2;
    *weight = (float)(position - (double)lower);
    return lower;
}

/* Logits of the fine grid → probabilities at the photograph's pixels. */
static void fill_maps(viewer *v, const feature_item *item)
{
    size_t rows = 2 * item->rows, columns = 2 * item->columns;
    float *maps[OUTPUTS] = {v->room.object, v->room.core};
    for (size_t y = 0; y < item->height; y++) {
        float wy, wx;
        size_t r = cell_at(y, item->height, item->in_height, rows, &wy);
        for (size_t x = 0; x < item->width; x++) {
            size_t c = cell_at(x, item->width, item->in_width, columns, &wx);
            const float *p = v->tape.logits + (r * columns + c) * OUTPUTS;
            const float *q = p + columns * OUTPUTS;
            for (int k = 0; k < OUTPUTS; k++) {
                float top = p[k] + (p[OUTPUTS + k] - p[k]) * wx;
                float bottom = q[k] + (q[OUTPUTS + k] - q[k]) * wx;
                maps[k][y * item->width + x] = 1 / (1 + expf(-(top + (bottom - top) * wy)));
            }
        }
    }
}

void pts_viewer_look(viewer *v, const float *parameters, const feature_item *item)
{
    pts_decoder_forward(parameters, item->coarse, item->fine, item->rows, item->columns, &v->tape);
    fill_maps(v, item);
}
