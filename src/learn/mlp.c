/* The multilayer perceptron. Work is cut into tiles whose shape does not depend on the number of
 * threads, so neither does any bit of the result. */
#include "pts/learn.h"

#include "base/error.h"
#include "base/memory.h"
#include "learn/layers.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TILE_OUT 256 /* columns of a forward tile */
#define TILE_IN 64   /* rows of the weight that a gradient tile holds: with 2,048 outputs 512 kB */
#define LAYERS_MAX 16
#define SIZE_MAX_LAYER 1048576 /* keeps every dimension and batch product inside an int */

typedef struct mlp_layer {
    size_t in, out;
    float *weight; /* [in][out] */
    float *bias;   /* [out], right after the weight */
    float *y;      /* [rows][out], after the ReLU */
    float *dy;     /* [rows][out] */
} mlp_layer;

struct pts_mlp {
    size_t layers, parameters, rows, steps;
    size_t passed; /* rows of the last forward pass */
    mlp_layer layer[LAYERS_MAX];
    float *values, *m, *v; /* [parameters] */
    float *rows_block;     /* y and dy of all layers */
    float *slabs;          /* [threads][TILE_IN][widest out] */
    size_t slab;
    pts_team *team;
};

static pts_status check_sizes(const size_t *sizes, size_t layers, size_t *parameters,
                              pts_error *err)
{
    if (layers < 1 || layers > LAYERS_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "network: expected 1 … %d layers, got %zu",
                        LAYERS_MAX, layers);
    *parameters = 0;
    for (size_t l = 0; l <= layers; l++) {
        if (sizes[l] < 1 || sizes[l] > SIZE_MAX_LAYER)
            return pts_fail(err, PTS_ERR_ARGUMENT, "network: size %zu: expected 1 … %d, got %zu", l,
                            SIZE_MAX_LAYER, sizes[l]);
        if (l > 0)
            *parameters += (sizes[l - 1] + 1) * sizes[l]; /* at most 16·2^41 */
    }
    if (*parameters > PTS_MLP_PARAMETERS_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "network: expected at most %zu parameters, got %zu",
                        (size_t)PTS_MLP_PARAMETERS_MAX, *parameters);
    return PTS_OK;
}

static void place_layers(pts_mlp *mlp, const size_t *sizes)
{
    float *at = mlp->values;
    for (size_t l = 0; l < mlp->layers; l++) {
        mlp_layer *layer = &mlp->layer[l];
        layer->in = sizes[l];
        layer->out = sizes[l + 1];
        layer->weight = at;
        layer->bias = at + layer->in * layer->out;
        at = layer->bias + layer->out;
        if (layer->out > mlp->slab)
            mlp->slab = layer->out;
    }
    mlp->slab *= TILE_IN;
}

static void start_weights(pts_mlp *mlp, uint64_t seed)
{
    pts_rng rng = {seed};
    for (size_t l = 0; l < mlp->layers; l++) {
        mlp_layer *layer = &mlp->layer[l];
        pts_he_init(&rng, layer->weight, layer->in * layer->out, layer->in);
    }
}

pts_status pts_mlp_create(pts_mlp **out, const size_t *sizes, size_t layers, uint64_t seed,
                          pts_team *team, pts_error *err)
{
    *out = NULL;
    size_t parameters;
    PTS_TRY(check_sizes(sizes, layers, &parameters, err));
    pts_mlp *mlp = calloc(1, sizeof *mlp);
    if (!mlp)
        return pts_fail_memory(err, sizeof *mlp);
    mlp->layers = layers;
    mlp->parameters = parameters;
    mlp->team = team;
    mlp->values = pts_calloc64(parameters, sizeof(float));
    if (mlp->values)
        place_layers(mlp, sizes);
    size_t threads = team ? (size_t)pts_team_threads(team) : 1;
    mlp->slabs = pts_calloc64(threads * mlp->slab + 1, sizeof(float));
    if (!mlp->values || !mlp->slabs) {
        pts_mlp_destroy(mlp);
        return pts_fail_memory(err, parameters * sizeof(float));
    }
    start_weights(mlp, seed);
    *out = mlp;
    return PTS_OK;
}

void pts_mlp_destroy(pts_mlp *mlp)
{
    if (!mlp)
        return;
    free(mlp->values);
    free(mlp->m);
    free(mlp->v);
    free(mlp->rows_block);
    free(mlp->slabs);
    free(mlp);
}

void pts_mlp_release_team(pts_mlp *mlp)
{
    mlp->team = NULL;
}

size_t pts_mlp_layers(const pts_mlp *mlp)
{
    return mlp->layers;
}

size_t pts_mlp_size(const pts_mlp *mlp, size_t index)
{
    return index == 0 ? mlp->layer[0].in : mlp->layer[index - 1].out;
}

size_t pts_mlp_parameter_count(const pts_mlp *mlp)
{
    return mlp->parameters;
}

float *pts_mlp_parameters(pts_mlp *mlp)
{
    return mlp->values;
}

float *pts_mlp_weight(pts_mlp *mlp, size_t layer)
{
    return mlp->layer[layer].weight;
}

float *pts_mlp_bias(pts_mlp *mlp, size_t layer)
{
    return mlp->layer[layer].bias;
}

/* Room for the activations of `rows` samples; grows and never shrinks. */
static pts_status hold_rows(pts_mlp *mlp, size_t rows, pts_error *err)
{
    if (rows < 1 || rows > PTS_MLP_ROWS_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT, "batch: expected 1 … %d rows, got %zu",
                        PTS_MLP_ROWS_MAX, rows);
    if (rows <= mlp->rows)
        return PTS_OK;
    size_t width = 0, count;
    for (size_t l = 0; l < mlp->layers; l++)
        width += 2 * mlp->layer[l].out;
    float *block = pts_mul(width, rows, &count) ? pts_calloc64(count, sizeof *block) : NULL;
    if (!block)
        return pts_fail_memory(err, width * rows * sizeof *block);
    free(mlp->rows_block);
    mlp->passed = 0;
    mlp->rows_block = block;
    mlp->rows = rows;
    for (size_t l = 0; l < mlp->layers; l++) {
        mlp_layer *layer = &mlp->layer[l];
        layer->y = block;
        layer->dy = block + rows * layer->out;
        block += 2 * rows * layer->out;
    }
    return PTS_OK;
}

static size_t tiles(size_t size, size_t tile)
{
    return (size + tile - 1) / tile;
}

static size_t tile_size(size_t task, size_t size, size_t tile)
{
    return size - task * tile < tile ? size - task * tile : tile;
}

/* What the tasks of one layer share. */
typedef struct layer_pass {
    pts_mlp *mlp;
    const mlp_layer *layer;
    const float *x; /* [rows][in] */
    float *dx;      /* [rows][in] */
    size_t rows;
    int relu;
    const pts_adam *adam; /* NULL: the gradient goes to `gradient` */
    float *gradient;      /* [parameters of the layer] */
} layer_pass;

/* y[:, tile] = relu(x · weight[:, tile] + bias[tile]) */
static void forward_tile(void *user, size_t task, int thread)
{
    (void)thread;
    const layer_pass *p = user;
    const mlp_layer *layer = p->layer;
    size_t first = task * TILE_OUT, count = tile_size(task, layer->out, TILE_OUT);
    for (size_t r = 0; r < p->rows; r++)
        memcpy(layer->y + r * layer->out + first, layer->bias + first, count * sizeof(float));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->rows, (int)count, (int)layer->in,
                1, p->x, (int)layer->in, layer->weight + first, (int)layer->out, 1,
                layer->y + first, (int)layer->out);
    for (size_t r = 0; p->relu && r < p->rows; r++)
        pts_relu_forward(layer->y + r * layer->out + first, count);
}

/* dx[:, tile] = dy · weight[tile, :]ᵀ, masked where the ReLU below let nothing through. */
static void input_gradient_tile(void *user, size_t task, int thread)
{
    (void)thread;
    const layer_pass *p = user;
    const mlp_layer *layer = p->layer;
    size_t first = task * TILE_OUT, count = tile_size(task, layer->in, TILE_OUT);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)p->rows, (int)count, (int)layer->out,
                1, layer->dy, (int)layer->out, layer->weight + first * layer->out, (int)layer->out,
                0, p->dx + first, (int)layer->in);
    for (size_t r = 0; r < p->rows; r++)
        pts_relu_backward(p->x + r * layer->in + first, p->dx + r * layer->in + first, count);
}

/* A gradient is used right where it was made, while in cache: written out to main memory and read
 * again by the optimiser, the 17 million weights of the study's first layer cost more than their
 * GEMM. */
static void use_gradient(const layer_pass *p, const float *gradient, size_t offset, size_t count)
{
    pts_mlp *mlp = p->mlp;
    size_t at = (size_t)(p->layer->weight - mlp->values) + offset;
    if (p->adam)
        pts_adam_step(p->adam, mlp->steps, count, mlp->values + at, gradient, mlp->m + at,
                      mlp->v + at);
    else
        memcpy(p->gradient + offset, gradient, count * sizeof *gradient);
}

static void bias_gradient(const layer_pass *p, float *slab)
{
    const mlp_layer *layer = p->layer;
    memset(slab, 0, layer->out * sizeof *slab);
    for (size_t r = 0; r < p->rows; r++)
        for (size_t o = 0; o < layer->out; o++)
            slab[o] += layer->dy[r * layer->out + o];
    use_gradient(p, slab, layer->in * layer->out, layer->out);
}

/* dweight[tile, :] = x[:, tile]ᵀ · dy; the task after the last tile is the bias. */
static void weight_gradient_tile(void *user, size_t task, int thread)
{
    const layer_pass *p = user;
    const mlp_layer *layer = p->layer;
    float *slab = p->mlp->slabs + (size_t)thread * p->mlp->slab;
    if (task == tiles(layer->in, TILE_IN)) {
        bias_gradient(p, slab);
        return;
    }
    size_t first = task * TILE_IN, count = tile_size(task, layer->in, TILE_IN);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)count, (int)layer->out, (int)p->rows,
                1, p->x + first, (int)layer->in, layer->dy, (int)layer->out, 0, slab,
                (int)layer->out);
    use_gradient(p, slab, first * layer->out, count * layer->out);
}

static void forward(pts_mlp *mlp, const float *x, size_t rows)
{
    mlp->passed = rows;
    for (size_t l = 0; l < mlp->layers; l++) {
        mlp_layer *layer = &mlp->layer[l];
        layer_pass pass = {
            .mlp = mlp, .layer = layer, .x = x, .rows = rows, .relu = l + 1 < mlp->layers};
        pts_team_run(mlp->team, tiles(layer->out, TILE_OUT), forward_tile, &pass);
        x = layer->y;
    }
}

/* Needs the last layer's dy. The input gradient comes first: it is that of the old weights. */
static void backward(pts_mlp *mlp, const float *x, size_t rows, const pts_adam *adam,
                     float *gradient)
{
    for (size_t l = mlp->layers; l-- > 0;) {
        mlp_layer *layer = &mlp->layer[l];
        layer_pass pass = {.mlp = mlp, .layer = layer, .rows = rows, .adam = adam};
        pass.x = l > 0 ? mlp->layer[l - 1].y : x;
        if (gradient)
            pass.gradient = gradient + (layer->weight - mlp->values);
        if (l > 0) {
            pass.dx = mlp->layer[l - 1].dy;
            pts_team_run(mlp->team, tiles(layer->in, TILE_OUT), input_gradient_tile, &pass);
        }
        pts_team_run(mlp->team, tiles(layer->in, TILE_IN) + 1, weight_gradient_tile, &pass);
    }
}

/* Mean of (y − target)² over rows and outputs, as torch.nn.MSELoss; its gradient into dy. */
static double squared_error(mlp_layer *last, const float *target, size_t rows)
{
    size_t count = rows * last->out;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        float difference = last->y[i] - target[i];
        sum += (double)difference * difference;
        last->dy[i] = 2 * difference / (float)count;
    }
    return sum / (double)count;
}

pts_status pts_mlp_forward(pts_mlp *mlp, const float *x, size_t rows, float *y, pts_error *err)
{
    PTS_TRY(hold_rows(mlp, rows, err));
    forward(mlp, x, rows);
    const mlp_layer *last = &mlp->layer[mlp->layers - 1];
    memcpy(y, last->y, rows * last->out * sizeof *y);
    return PTS_OK;
}

pts_status pts_mlp_gradient(pts_mlp *mlp, const float *x, const float *target, size_t rows,
                            float *gradient, double *loss, pts_error *err)
{
    PTS_TRY(hold_rows(mlp, rows, err));
    forward(mlp, x, rows);
    *loss = squared_error(&mlp->layer[mlp->layers - 1], target, rows);
    backward(mlp, x, rows, NULL, gradient);
    return PTS_OK;
}

static pts_status hold_moments(pts_mlp *mlp, pts_error *err)
{
    if (!mlp->m)
        mlp->m = pts_calloc64(mlp->parameters, sizeof(float));
    if (!mlp->v)
        mlp->v = pts_calloc64(mlp->parameters, sizeof(float));
    if (!mlp->m || !mlp->v)
        return pts_fail_memory(err, mlp->parameters * sizeof(float));
    return PTS_OK;
}

static void adam_step(pts_mlp *mlp, const float *x, size_t rows, const pts_mlp_adam *options)
{
    mlp->steps++;
    pts_adam adam = {(float)options->rate, (float)options->beta1, (float)options->beta2,
                     (float)options->epsilon, (float)options->weight_decay};
    backward(mlp, x, rows, &adam, NULL);
}

pts_status pts_mlp_step(pts_mlp *mlp, const float *x, const float *target, size_t rows,
                        const pts_mlp_adam *options, double *loss, pts_error *err)
{
    PTS_TRY(hold_rows(mlp, rows, err));
    PTS_TRY(hold_moments(mlp, err));
    forward(mlp, x, rows);
    *loss = squared_error(&mlp->layer[mlp->layers - 1], target, rows);
    if (!isfinite(*loss))
        return pts_fail(err, PTS_ERR_NUMERIC, "network: step %zu: the loss is not finite (rate %g)",
                        mlp->steps + 1, options->rate);
    adam_step(mlp, x, rows, options);
    return PTS_OK;
}

pts_status pts_mlp_backward(pts_mlp *mlp, const float *x, const float *dy, size_t rows,
                            const pts_mlp_adam *adam, float *gradient, pts_error *err)
{
    mlp_layer *last = &mlp->layer[mlp->layers - 1];
    if (rows < 1 || rows != mlp->passed)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "network: backward: expected the %zu rows of the forward pass, got %zu",
                        mlp->passed, rows);
    for (size_t i = 0; i < rows * last->out; i++)
        if (!isfinite(dy[i]))
            return pts_fail(err, PTS_ERR_NUMERIC, "network: backward: gradient %zu is not finite",
                            i);
    memcpy(last->dy, dy, rows * last->out * sizeof *dy);
    if (!adam) {
        backward(mlp, x, rows, NULL, gradient);
        return PTS_OK;
    }
    PTS_TRY(hold_moments(mlp, err));
    adam_step(mlp, x, rows, adam);
    return PTS_OK;
}
