#include "segment/decoder.h"
#include "nn/layers.h"

#include <string.h>

enum { WIDE = 64, NECK = 32, NARROW = 32, JOINED = NECK + FINE_CHANNELS };

/* Context is gathered on the coarse grid (a 3×3 of dilation 2 after one of 1 sees 7×7 cells on
 * top of the encoder's own wide view); edges are sharpened on the fine one. */
enum { SQUEEZE, LOCAL, CONTEXT, TO_NECK, JOIN, REFINE, LOGITS, LAYERS };
static const struct {
    const char *name;
    size_t in, out, kernel, dilation;
} layers[LAYERS] = {
    [SQUEEZE] = {"squeeze", COARSE_CHANNELS, WIDE, 1, 1},
    [LOCAL] = {"local", WIDE, WIDE, 3, 1},
    [CONTEXT] = {"context", WIDE, WIDE, 3, 2},
    [TO_NECK] = {"neck", WIDE, NECK, 1, 1},
    [JOIN] = {"join", JOINED, NARROW, 3, 1},
    [REFINE] = {"refine", NARROW, NARROW, 3, 1},
    [LOGITS] = {"logits", NARROW, OUTPUTS, 1, 1},
};
_Static_assert(DECODER_PARTS == 2 * LAYERS, "weights and biases of each layer");

static size_t weight_count(int layer)
{
    return layers[layer].kernel * layers[layer].kernel * layers[layer].in * layers[layer].out;
}

/* Where a layer's weights start; its biases follow them. */
static size_t layer_offset(int layer)
{
    size_t offset = 0;
    for (int i = 0; i < layer; i++)
        offset += weight_count(i) + layers[i].out;
    return offset;
}

size_t pts_decoder_parameters(void)
{
    return layer_offset(LAYERS);
}

decoder_part pts_decoder_part_at(int index)
{
    const int i = index / 2;
    const size_t kernel = layers[i].kernel;
    if (index % 2)
        return (decoder_part){layers[i].name,
                              true,
                              {layers[i].out, 1, 1, 1},
                              layer_offset(i) + weight_count(i),
                              layers[i].out};
    return (decoder_part){layers[i].name,
                          false,
                          {kernel, kernel, layers[i].in, layers[i].out},
                          layer_offset(i),
                          weight_count(i)};
}

void pts_decoder_init(float *parameters, uint64_t seed)
{
    pts_rng rng = pts_rng_stream(seed, 0);
    memset(parameters, 0, pts_decoder_parameters() * sizeof *parameters);
    for (int i = 0; i < LAYERS; i++) {
        size_t fan_in = layers[i].kernel * layers[i].kernel * layers[i].in;
        pts_he_init(&rng, parameters + layer_offset(i), weight_count(i), fan_in);
    }
    /* Most cells are background: start there, or the first steps are spent learning it. */
    float *bias = parameters + layer_offset(LOGITS) + weight_count(LOGITS);
    for (int i = 0; i < OUTPUTS; i++)
        bias[i] = -2;
}

static pts_conv2d shape_of(int layer, size_t rows, size_t columns)
{
    return (pts_conv2d){rows,
                        columns,
                        layers[layer].in,
                        layers[layer].out,
                        layers[layer].kernel,
                        layers[layer].dilation};
}

/* Layers run one after another and share it. */
static size_t largest_workspace(size_t rows, size_t columns)
{
    size_t most = 0;
    for (int i = 0; i < LAYERS; i++) {
        size_t scale = i < JOIN ? 1 : 2;
        pts_conv2d shape = shape_of(i, rows * scale, columns * scale);
        size_t floats = pts_conv2d_workspace(&shape);
        most = floats > most ? floats : most;
    }
    return most;
}

void pts_decoder_tape_layout(decoder_tape *tape, pts_arena *arena, size_t rows, size_t columns,
                             bool backward)
{
    size_t cells = rows * columns;
    for (int i = 0; i < 3; i++)
        tape->wide[i] = pts_arena_take(arena, cells * WIDE, sizeof(float));
    tape->neck = pts_arena_take(arena, cells * NECK, sizeof(float));
    tape->joined = pts_arena_take(arena, cells * 4 * JOINED, sizeof(float));
    for (int i = 0; i < 2; i++)
        tape->narrow[i] = pts_arena_take(arena, cells * 4 * NARROW, sizeof(float));
    tape->logits = pts_arena_take(arena, cells * 4 * OUTPUTS, sizeof(float));
    for (int i = 0; i < 2; i++)
        tape->grad[i] = backward ? pts_arena_take(arena, cells * 4 * JOINED, sizeof(float)) : NULL;
    tape->work = pts_arena_take(arena, largest_workspace(rows, columns), sizeof(float));
}

/* No ReLU behind the logits: the loss takes their sigmoid. */
static void forward(const float *parameters, int layer, const float *x, size_t rows, size_t columns,
                    float *y, float *work)
{
    pts_conv2d shape = shape_of(layer, rows, columns);
    const float *weight = parameters + layer_offset(layer);
    pts_conv2d_forward(&shape, x, weight, weight + weight_count(layer), y, work);
    if (layer != LOGITS)
        pts_relu_forward(y, rows * columns * layers[layer].out);
}

/* Beside the upsampled neck [NECK] of each fine cell goes the cell's own features. */
static void join(const float *up, const float *fine, size_t cells, float *joined)
{
    for (size_t i = 0; i < cells; i++) {
        memcpy(joined + i * JOINED, up + i * NECK, NECK * sizeof *joined);
        memcpy(joined + i * JOINED + NECK, fine + i * FINE_CHANNELS,
               FINE_CHANNELS * sizeof *joined);
    }
}

void pts_decoder_forward(const float *p, const float *coarse, const float *fine, size_t rows,
                         size_t columns, decoder_tape *t)
{
    size_t r2 = 2 * rows, c2 = 2 * columns;
    forward(p, SQUEEZE, coarse, rows, columns, t->wide[0], t->work);
    forward(p, LOCAL, t->wide[0], rows, columns, t->wide[1], t->work);
    forward(p, CONTEXT, t->wide[1], rows, columns, t->wide[2], t->work);
    forward(p, TO_NECK, t->wide[2], rows, columns, t->neck, t->work);
    float *up = t->narrow[0]; /* free until JOIN writes it */
    pts_upsample2_forward(t->neck, rows, columns, NECK, up);
    join(up, fine, r2 * c2, t->joined);
    forward(p, JOIN, t->joined, r2, c2, t->narrow[0], t->work);
    forward(p, REFINE, t->narrow[0], r2, c2, t->narrow[1], t->work);
    forward(p, LOGITS, t->narrow[1], r2, c2, t->logits, t->work);
}

/* dy: gradient at the layer's output before its ReLU was undone (y: that output). */
static void backward(const float *parameters, int layer, const float *x, const float *y, float *dy,
                     size_t rows, size_t columns, float *dx, float *gradient, float *work)
{
    pts_conv2d shape = shape_of(layer, rows, columns);
    size_t offset = layer_offset(layer);
    if (layer != LOGITS)
        pts_relu_backward(y, dy, rows * columns * layers[layer].out);
    pts_conv2d_backward(&shape, x, parameters + offset, dy, dx, gradient + offset,
                        gradient + offset + weight_count(layer), work);
}

void pts_decoder_backward(const float *p, const float *coarse, size_t rows, size_t columns,
                          const float *dlogits, decoder_tape *t, float *g)
{
    size_t r2 = 2 * rows, c2 = 2 * columns;
    float *a = t->grad[0], *b = t->grad[1];
    memcpy(a, dlogits, r2 * c2 * OUTPUTS * sizeof *a);
    backward(p, LOGITS, t->narrow[1], t->logits, a, r2, c2, b, g, t->work);
    backward(p, REFINE, t->narrow[0], t->narrow[1], b, r2, c2, a, g, t->work);
    backward(p, JOIN, t->joined, t->narrow[0], a, r2, c2, b, g, t->work);
    for (size_t i = 0; i < r2 * c2; i++)
        memmove(b + i * NECK, b + i * JOINED, NECK * sizeof *b);
    pts_upsample2_backward(b, rows, columns, NECK, a);
    backward(p, TO_NECK, t->wide[2], t->neck, a, rows, columns, b, g, t->work);
    backward(p, CONTEXT, t->wide[1], t->wide[2], b, rows, columns, a, g, t->work);
    backward(p, LOCAL, t->wide[0], t->wide[1], a, rows, columns, b, g, t->work);
    backward(p, SQUEEZE, coarse, t->wide[0], b, rows, columns, NULL, g, t->work);
}
