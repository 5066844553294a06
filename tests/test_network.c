/* The multilayer perceptron (pts/mlp.h): outputs, losses, gradients and steps against PyTorch;
 * gradients of each kind of layer against central differences of plain loops in double; dropout's
 * law; no bit depends on threads; interrupted training goes on bit for bit. */
#include "check_main.h"
#include "golden.h"

#include "kernels/level.h"
#include "nn/layers.h"
#include "pts/cpu.h"
#include "pts/mlp.h"

#include <pthread.h>
#include <string.h>

#define SEED 11

/* ---- against PyTorch ---- */

enum { IN = 6, OUT = 3, ROWS = 7, STEPS = 10, PARAMETERS = 112 + 32 + 204 + 104 + 27 };

static const pts_mlp_layer every[] = {
    {PTS_MLP_LINEAR, 16, 0},    {PTS_MLP_LAYER_NORM, 0, 1e-5}, {PTS_MLP_GELU, 0, 0},
    {PTS_MLP_DROPOUT, 0, 0.25}, {PTS_MLP_LINEAR, 12, 0},       {PTS_MLP_TANH, 0, 0},
    {PTS_MLP_LINEAR, 8, 0},     {PTS_MLP_RELU, 0, 0},          {PTS_MLP_LINEAR, OUT, 0},
};
enum { EVERY = sizeof every / sizeof *every };

/* As tests/data/learn/make_mlp.py has them, in its order. */
static const pts_mlp_training runs[] = {
    {PTS_MLP_ADAM, 1e-3, 0.9, 0.999, 1e-8, 0, 0, 0, 0},
    {PTS_MLP_ADAM, 1e-2, 0.8, 0.99, 1e-8, 0, 0.1, 0, 0.5},
    {PTS_MLP_ADAMW, 1e-2, 0.9, 0.999, 1e-8, 0, 0.1, 0.5, 0},
    {PTS_MLP_SGD, 0.05, 0.9, 0.999, 1e-8, 0.9, 0.01, 0, 0.5},
    {PTS_MLP_SGD, 0.1, 0.9, 0.999, 1e-8, 0, 0, 0.2, 0},
};
enum { RUNS = sizeof runs / sizeof *runs };

static pts_mlp *build_every(pts_team *team)
{
    pts_mlp *mlp;
    ck_assert_int_eq(pts_mlp_build(&mlp, IN, every, EVERY, SEED, team, NULL), PTS_OK);
    ck_assert_uint_eq(pts_mlp_parameter_count(mlp), PARAMETERS);
    return mlp;
}

static void check_run(const pts_mlp_training *training, const float *x, const float *target,
                      golden *g)
{
    pts_mlp *mlp = build_every(NULL);
    memcpy(pts_mlp_parameters(mlp), golden_take(g, PARAMETERS), PARAMETERS * sizeof(float));
    for (int step = 0; step < STEPS; step++, x += ROWS * IN, target += ROWS * OUT) {
        float y[ROWS * OUT], gradient[PARAMETERS];
        double loss;
        ck_assert_int_eq(pts_mlp_forward(mlp, x, ROWS, y, NULL), PTS_OK);
        assert_close("y", y, golden_take(g, ROWS * OUT), ROWS * OUT, 1e-5);
        double expected = *golden_take(g, 1);
        pts_mlp_gradient(mlp, x, target, ROWS, training->huber, gradient, &loss, NULL);
        ck_assert_double_le(fabs(loss - expected), 1e-5 * expected);
        assert_close("gradient", gradient, golden_take(g, PARAMETERS), PARAMETERS, 1e-5);
        ck_assert_int_eq(pts_mlp_step(mlp, x, target, ROWS, training, &loss, NULL), PTS_OK);
        ck_assert_double_le(fabs(loss - expected), 1e-5 * expected);
        assert_close("parameters", pts_mlp_parameters(mlp), golden_take(g, PARAMETERS), PARAMETERS,
                     1e-5);
    }
    pts_mlp_destroy(mlp);
}

START_TEST(network_equals_torch)
{
    golden g = golden_open("learn/mlp.f32");
    const float *x = golden_take(&g, STEPS * ROWS * IN);
    const float *target = golden_take(&g, STEPS * ROWS * OUT);
    const size_t start = g.used;
    for (size_t l = 0; pts_level_at(l); l++) {
        ck_assert_int_eq(pts_cpu_limit(pts_level_at(l)->name, NULL), PTS_OK);
        g.used = start;
        for (size_t r = 0; r < RUNS; r++)
            check_run(&runs[r], x, target, &g);
    }
    pts_cpu_limit(NULL, NULL);
    golden_close(&g);
}
END_TEST

START_TEST(schedules_equal_torch)
{
    golden g = golden_open("learn/schedule.f32");
    const pts_mlp_schedule cosine = {PTS_MLP_COSINE, 0.1, 0.01, 0, 20};
    const pts_mlp_schedule stairs = {PTS_MLP_STEPS, 0.1, 0, 0.3, 7};
    const pts_mlp_schedule constant = {PTS_MLP_CONSTANT, 0.1, 0, 0, 0};
    for (uint64_t step = 0; step <= 20; step++)
        ck_assert_double_le(fabs(pts_mlp_rate(&cosine, step) - *golden_take(&g, 1)), 1e-8);
    ck_assert_double_eq_tol(pts_mlp_rate(&cosine, 1000), 0.01, 1e-15);
    for (uint64_t step = 0; step < 30; step++)
        ck_assert_double_le(fabs(pts_mlp_rate(&stairs, step) - *golden_take(&g, 1)), 1e-8);
    ck_assert(pts_mlp_rate(&constant, 12345) == 0.1);
    golden_close(&g);
}
END_TEST

/* ---- against plain loops in double ---- */

enum { WIDEST = 600, CASE_LAYERS = 9 };

typedef struct network {
    size_t inputs, count;
    pts_mlp_layer layers[CASE_LAYERS];
} network;

/* What dropout of the first step multiplies row r's values by: the layers' own function on ones,
 * whose law is tested below. */
static void naive_dropout(const pts_mlp_layer *layer, size_t index, size_t row, size_t width,
                          double *y)
{
    float kept[WIDEST];
    for (size_t i = 0; i < width; i++)
        kept[i] = 1;
    pts_dropout(pts_rng_stream(SEED, index).state, row * width, width, (float)layer->value, kept);
    for (size_t i = 0; i < width; i++)
        y[i] *= (double)kept[i];
}

static const double *naive_linear(const double *p, size_t in, size_t out, double *y)
{
    double b[WIDEST];
    for (size_t o = 0; o < out; o++) {
        b[o] = p[in * out + o];
        for (size_t i = 0; i < in; i++)
            b[o] += y[i] * p[i * out + o];
    }
    memcpy(y, b, out * sizeof *y);
    return p + (in + 1) * out;
}

static const double *naive_norm(const double *p, double epsilon, size_t width, double *y)
{
    double mean = 0, variance = 0;
    for (size_t i = 0; i < width; i++)
        mean += y[i] / (double)width;
    for (size_t i = 0; i < width; i++)
        variance += (y[i] - mean) * (y[i] - mean) / (double)width;
    for (size_t i = 0; i < width; i++)
        y[i] = (y[i] - mean) / sqrt(variance + epsilon) * p[i] + p[width + i];
    return p + 2 * width;
}

static double naive_activation(pts_mlp_kind kind, double x)
{
    switch (kind) {
    case PTS_MLP_RELU:
        return fmax(0, x);
    case PTS_MLP_GELU:
        return 0.5 * x * erfc(-x * 0.70710678118654752440);
    default:
        return tanh(x);
    }
}

/* One row x [inputs] → y; returns the number of outputs. */
static size_t naive_row(const network *n, const double *p, const float *x, size_t row, double *y)
{
    size_t width = n->inputs;
    for (size_t i = 0; i < width; i++)
        y[i] = (double)x[i];
    for (size_t l = 0; l < n->count; l++) {
        const pts_mlp_layer *layer = &n->layers[l];
        if (layer->kind == PTS_MLP_LINEAR) {
            p = naive_linear(p, width, layer->outputs, y);
            width = layer->outputs;
        } else if (layer->kind == PTS_MLP_LAYER_NORM)
            p = naive_norm(p, (double)(float)layer->value, width, y);
        else if (layer->kind == PTS_MLP_DROPOUT)
            naive_dropout(layer, l, row, width, y);
        else
            for (size_t i = 0; i < width; i++)
                y[i] = naive_activation(layer->kind, y[i]);
    }
    return width;
}

static double naive_loss(const network *n, const double *parameters, const float *x,
                         const float *target, size_t rows, double huber)
{
    double y[WIDEST], loss = 0;
    size_t out = 1;
    for (size_t r = 0; r < rows; r++) {
        out = naive_row(n, parameters, x + r * n->inputs, r, y);
        for (size_t o = 0; o < out; o++) {
            double e = fabs(y[o] - (double)target[r * out + o]);
            loss += huber == 0 ? e * e : e <= huber ? e * e / 2 : huber * (e - huber / 2);
        }
    }
    return loss / (double)(rows * out);
}

static float *random_floats(pts_rng *rng, size_t count)
{
    float *x = malloc(count * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)pts_rng_normal(rng);
    return x;
}

/* All gradients, or `samples` of them drawn, to 1e-5 of the largest. */
static void check_gradient(network n, size_t rows, double huber, size_t samples)
{
    pts_rng rng = {n.inputs * 1000 + rows};
    pts_team *team;
    pts_mlp *mlp;
    pts_team_create(&team, 2, NULL);
    ck_assert_int_eq(pts_mlp_build(&mlp, n.inputs, n.layers, n.count, SEED, team, NULL), PTS_OK);
    size_t count = pts_mlp_parameter_count(mlp), out = pts_mlp_outputs(mlp);
    float *x = random_floats(&rng, rows * n.inputs), *target = random_floats(&rng, rows * out);
    float *gradient = random_floats(&rng, count);
    double *parameters = calloc(count, sizeof *parameters), loss, scale = 0;
    for (size_t i = 0; i < count; i++) {
        pts_mlp_parameters(mlp)[i] += 0.1f * (float)pts_rng_normal(&rng); /* biases, too */
        parameters[i] = (double)pts_mlp_parameters(mlp)[i];
    }
    pts_mlp_gradient(mlp, x, target, rows, huber, gradient, &loss, NULL);
    ck_assert_double_le(fabs(loss - naive_loss(&n, parameters, x, target, rows, huber)),
                        1e-5 * loss);
    for (size_t i = 0; i < count; i++)
        scale = fmax(scale, fabs((double)gradient[i]));
    for (size_t s = 0; s < (samples ? samples : count); s++) {
        size_t i = samples ? pts_rng_below(&rng, count) : s;
        double old = parameters[i], h = 1e-5;
        parameters[i] = old + h;
        double up = naive_loss(&n, parameters, x, target, rows, huber);
        parameters[i] = old - h;
        double down = naive_loss(&n, parameters, x, target, rows, huber);
        parameters[i] = old;
        double expected = (up - down) / (2 * h);
        ck_assert_msg(fabs((double)gradient[i] - expected) <= 1e-5 * scale,
                      "%zu inputs, parameter %zu: %.9g, not %.9g", n.inputs, i, (double)gradient[i],
                      expected);
    }
    free(x), free(gradient), free(target), free(parameters);
    pts_mlp_destroy(mlp);
    pts_team_destroy(team);
}

/* Of a layer between two linear ones, so that its own parameters and what it hands down both count.
 */
static void check_kinds(void)
{
    static const pts_mlp_layer kinds[] = {
        {PTS_MLP_LINEAR, 9, 0},    {PTS_MLP_RELU, 0, 0},         {PTS_MLP_GELU, 0, 0},
        {PTS_MLP_TANH, 0, 0},      {PTS_MLP_DROPOUT, 0, 0},      {PTS_MLP_DROPOUT, 0, 0.5},
        {PTS_MLP_DROPOUT, 0, 0.9}, {PTS_MLP_LAYER_NORM, 0, 0.1}, {PTS_MLP_LAYER_NORM, 0, 1e-5},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        network n = {5, 3, {{PTS_MLP_LINEAR, 11, 0}, kinds[k], {PTS_MLP_LINEAR, 4, 0}}};
        check_gradient(n, 1, 0, 0);
        check_gradient(n, 19, 0, 0);
        check_gradient(n, 4, 0.3, 0);
        network first = {5, 2, {kinds[k], {PTS_MLP_LINEAR, 4, 0}}};
        check_gradient(first, 4, 0, 0);
        network last = {5, 2, {{PTS_MLP_LINEAR, 4, 0}, kinds[k]}};
        if (kinds[k].kind != PTS_MLP_LINEAR)
            check_gradient(last, 4, 0, 0);
    }
}

START_TEST(gradients_of_each_kind_of_layer)
{
    for (size_t l = 0; pts_level_at(l); l++) {
        ck_assert_int_eq(pts_cpu_limit(pts_level_at(l)->name, NULL), PTS_OK);
        check_kinds();
    }
    pts_cpu_limit(NULL, NULL);
}
END_TEST

static void check_networks(void)
{
    network whole = {IN, EVERY, {{PTS_MLP_LINEAR, 0, 0}}};
    memcpy(whole.layers, every, sizeof every);
    check_gradient(whole, 6, 0, 0);
    check_gradient(whole, 5, 0.5, 0);
    check_gradient((network){3, 1, {{PTS_MLP_LINEAR, 2, 0}}}, 4, 0, 0);
    /* Several parts in all directions. */
    check_gradient((network){300,
                             5,
                             {{PTS_MLP_LINEAR, 520, 0},
                              {PTS_MLP_LAYER_NORM, 0, 1e-5},
                              {PTS_MLP_TANH, 0, 0},
                              {PTS_MLP_DROPOUT, 0, 0.1},
                              {PTS_MLP_LINEAR, 3, 0}}},
                   5, 0, 80);
    check_gradient((network){7,
                             7,
                             {{PTS_MLP_LINEAR, 70, 0},
                              {PTS_MLP_RELU, 0, 0},
                              {PTS_MLP_LINEAR, 65, 0},
                              {PTS_MLP_RELU, 0, 0},
                              {PTS_MLP_LINEAR, 66, 0},
                              {PTS_MLP_RELU, 0, 0},
                              {PTS_MLP_LINEAR, 2, 0}}},
                   33, 0, 150);
    check_gradient(
        (network){40, 3, {{PTS_MLP_LINEAR, 33, 0}, {PTS_MLP_GELU, 0, 0}, {PTS_MLP_LINEAR, 17, 0}}},
        300, 0, 60); /* more rows than a block of the product is deep */
}

START_TEST(gradients_of_whole_networks)
{
    for (size_t l = 0; pts_level_at(l); l++) {
        ck_assert_int_eq(pts_cpu_limit(pts_level_at(l)->name, NULL), PTS_OK);
        check_networks();
    }
    pts_cpu_limit(NULL, NULL);
}
END_TEST

/* ---- dropout ---- */

/* The share that is dropped, that each row and column is hit alike, and that the mean stays. */
START_TEST(dropout_follows_its_law)
{
    enum { HEIGHT = 400, WIDTH = 250, N = HEIGHT * WIDTH };
    static float x[N];
    for (int round = 0; round < 3; round++) {
        const float share = (float[]){0.1f, 0.5f, 0.8f}[round];
        const double p = (double)share, keep = 1 - p;
        double sum = 0, columns[WIDTH] = {0}, chi = 0, neighbours = 0;
        size_t dropped = 0;
        for (size_t i = 0; i < N; i++)
            x[i] = 3;
        pts_dropout(pts_rng_stream(5, (unsigned)round).state, 0, N, share, x);
        for (size_t i = 0; i < N; i++) {
            ck_assert(x[i] == 0 || fabsf(x[i] - 3 / (1 - share)) < 1e-5f);
            sum += (double)x[i];
            dropped += x[i] == 0;
            columns[i % WIDTH] += x[i] == 0;
            neighbours += i && x[i] == 0 && x[i - 1] == 0;
        }
        const double error = sqrt(p * keep / N); /* of the share; five of them */
        ck_assert_double_le(fabs((double)dropped / N - p), 5 * error);
        ck_assert_double_le(fabs(sum / N / 3 - 1), 5 * error / keep);
        ck_assert_double_le(fabs(neighbours / N - p * p), 8 * error);
        for (size_t c = 0; c < WIDTH; c++)
            chi += pow(columns[c] - HEIGHT * p, 2) / (HEIGHT * p * keep);
        ck_assert_double_le(fabs(chi - WIDTH), 5 * sqrt(2.0 * WIDTH));
    }
}
END_TEST

START_TEST(dropout_may_be_done_in_parts)
{
    float whole[1000], parts[1000];
    const unsigned long long key = pts_rng_stream(1, 2).state;
    for (size_t i = 0; i < 1000; i++)
        whole[i] = parts[i] = (float)i + 1;
    pts_dropout(key, 0, 1000, 0.4f, whole);
    pts_dropout(key, 700, 300, 0.4f, parts + 700);
    pts_dropout(key, 0, 1, 0.4f, parts);
    pts_dropout(key, 1, 699, 0.4f, parts + 1);
    ck_assert_mem_eq(whole, parts, sizeof whole);
}
END_TEST

/* Forward in training, over many steps, has the mean of forward without dropout. */
START_TEST(dropout_keeps_the_expectation)
{
    enum { DRAWS = 4000 };
    static const pts_mlp_layer layers[] = {{PTS_MLP_DROPOUT, 0, 0.3}, {PTS_MLP_LINEAR, 2, 0}};
    pts_mlp *mlp;
    float x[8], y[2], drawn[2];
    double mean[2] = {0}, square[2] = {0};
    pts_rng rng = {8};
    ck_assert_int_eq(pts_mlp_build(&mlp, 8, layers, 2, 3, NULL, NULL), PTS_OK);
    for (size_t i = 0; i < 8; i++)
        x[i] = (float)pts_rng_normal(&rng);
    pts_mlp_forward(mlp, x, 1, y, NULL);
    for (uint64_t step = 0; step < DRAWS; step++) {
        pts_mlp_set_steps(mlp, step);
        pts_mlp_forward_training(mlp, x, 1, drawn, NULL);
        for (size_t i = 0; i < 2; i++) {
            mean[i] += (double)drawn[i] / DRAWS;
            square[i] += (double)drawn[i] * (double)drawn[i] / DRAWS;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        double error = sqrt((square[i] - mean[i] * mean[i]) / DRAWS);
        ck_assert_double_gt(error, 0.001);
        ck_assert_double_le(fabs(mean[i] - (double)y[i]), 4 * error);
    }
    pts_mlp_destroy(mlp);
}
END_TEST

/* ---- threads, interruption, the caller's own loss ---- */

static void assert_same(pts_mlp *a, pts_mlp *b)
{
    ck_assert_mem_eq(pts_mlp_parameters(a), pts_mlp_parameters(b),
                     pts_mlp_parameter_count(a) * sizeof(float));
}

static void train_wide(pts_mlp *mlp, const pts_mlp_training *training, int from, int to)
{
    enum { BATCH = 13 };
    double loss;
    for (int step = from; step < to; step++) {
        pts_rng rng = {100 + (unsigned)step};
        float *x = random_floats(&rng, BATCH * 150), *target = random_floats(&rng, BATCH * 4);
        ck_assert_int_eq(pts_mlp_step(mlp, x, target, BATCH, training, &loss, NULL), PTS_OK);
        free(x), free(target);
    }
}

static const pts_mlp_layer wide[] = {
    {PTS_MLP_LINEAR, 300, 0},  {PTS_MLP_LAYER_NORM, 0, 1e-5}, {PTS_MLP_GELU, 0, 0},
    {PTS_MLP_DROPOUT, 0, 0.2}, {PTS_MLP_LINEAR, 70, 0},       {PTS_MLP_TANH, 0, 0},
    {PTS_MLP_LINEAR, 90, 0},   {PTS_MLP_RELU, 0, 0},          {PTS_MLP_LINEAR, 4, 0},
};

static pts_mlp *build_wide(uint64_t seed, pts_team *team)
{
    pts_mlp *mlp;
    ck_assert_int_eq(pts_mlp_build(&mlp, 150, wide, 9, seed, team, NULL), PTS_OK);
    return mlp;
}

static void check_threads(void)
{
    for (size_t r = 0; r < RUNS; r++) {
        pts_mlp *first = build_wide(9, NULL);
        train_wide(first, &runs[r], 0, 5);
        for (int threads = 1; threads <= 3; threads++) {
            pts_team *team;
            pts_team_create(&team, threads, NULL);
            pts_mlp *mlp = build_wide(9, team);
            train_wide(mlp, &runs[r], 0, 5);
            assert_same(first, mlp);
            pts_mlp_destroy(mlp);
            pts_team_destroy(team);
        }
        pts_mlp_destroy(first);
    }
}

START_TEST(training_does_not_depend_on_threads)
{
    for (size_t l = 0; pts_level_at(l); l++) {
        ck_assert_int_eq(pts_cpu_limit(pts_level_at(l)->name, NULL), PTS_OK);
        check_threads();
    }
    pts_cpu_limit(NULL, NULL);
}
END_TEST

START_TEST(the_seed_decides)
{
    pts_mlp *a = build_wide(9, NULL), *b = build_wide(9, NULL), *c = build_wide(10, NULL);
    assert_same(a, b);
    memcpy(pts_mlp_parameters(c), pts_mlp_parameters(a),
           pts_mlp_parameter_count(a) * sizeof(float));
    train_wide(a, &runs[0], 0, 2), train_wide(b, &runs[0], 0, 2), train_wide(c, &runs[0], 0, 2);
    assert_same(a, b);
    ck_assert_mem_ne(pts_mlp_parameters(a), pts_mlp_parameters(c),
                     pts_mlp_parameter_count(a) * sizeof(float)); /* its dropout drew others */
    pts_mlp_destroy(a), pts_mlp_destroy(b), pts_mlp_destroy(c);
}
END_TEST

START_TEST(interrupted_training_goes_on_bit_for_bit)
{
    for (size_t r = 0; r < RUNS; r++) {
        pts_mlp *a = build_wide(9, NULL), *b = build_wide(9, NULL);
        size_t count = pts_mlp_parameter_count(a);
        float *moments = malloc(2 * count * sizeof *moments);
        train_wide(a, &runs[r], 0, 4);
        memcpy(pts_mlp_parameters(b), pts_mlp_parameters(a), count * sizeof(float));
        ck_assert_int_eq(pts_mlp_get_moments(a, moments, NULL), PTS_OK);
        ck_assert_int_eq(pts_mlp_set_moments(b, moments, NULL), PTS_OK);
        free(moments);
        pts_mlp_set_steps(b, pts_mlp_steps(a));
        ck_assert_uint_eq(pts_mlp_steps(a), 4);
        train_wide(a, &runs[r], 4, 8);
        train_wide(b, &runs[r], 4, 8);
        assert_same(a, b);
        pts_mlp_destroy(a), pts_mlp_destroy(b);
    }
}
END_TEST

/* With the gradient of the mean squared error, backward is pts_mlp_step. */
START_TEST(a_step_of_the_callers_gradient)
{
    for (size_t r = 0; r < RUNS; r++) {
        float x[2 * IN], y[2 * OUT], dy[2 * OUT], target[2 * OUT];
        pts_mlp_training training = runs[r];
        pts_mlp *step = build_every(NULL), *own = build_every(NULL);
        pts_rng rng = {6};
        double loss;
        training.huber = 0;
        for (int i = 0; i < 3; i++) {
            for (size_t k = 0; k < 2 * IN; k++)
                x[k] = (float)pts_rng_normal(&rng);
            for (size_t k = 0; k < 2 * OUT; k++)
                target[k] = (float)pts_rng_normal(&rng);
            ck_assert_int_eq(pts_mlp_step(step, x, target, 2, &training, &loss, NULL), PTS_OK);
            ck_assert_int_eq(pts_mlp_forward_training(own, x, 2, y, NULL), PTS_OK);
            for (size_t k = 0; k < 2 * OUT; k++)
                dy[k] = (float)(2 * ((double)y[k] - (double)target[k]) * (1 / 6.0));
            ck_assert_int_eq(pts_mlp_backward(own, x, dy, 2, &training, NULL, NULL), PTS_OK);
        }
        assert_same(step, own);
        pts_mlp_destroy(step), pts_mlp_destroy(own);
    }
}
END_TEST

/* ---- several processes: threads that meet at a barrier and copy from each other ---- */

enum { PROCESSES = 5, SHARED_ROWS = 13, SHARED_STEPS = 4 };

typedef struct company {
    int count, run;
    pthread_barrier_t barrier;
    const unsigned char *data[PROCESSES];
    size_t received; /* by the first of them */
    float *parameters[PROCESSES], *moments[PROCESSES], *gradient[PROCESSES];
    double loss[PROCESSES];
    size_t parameter_count;
} company;

typedef struct member {
    company *all;
    int rank;
} member;

static pts_status copy_from_each(void *user, void *data, const size_t *begin, pts_error *err)
{
    const member *m = user;
    company *all = m->all;
    (void)err;
    all->data[m->rank] = data;
    pthread_barrier_wait(&all->barrier);
    for (int r = 0; r < all->count; r++) {
        const size_t bytes = begin[r + 1] - begin[r];
        if (r == m->rank || bytes == 0)
            continue;
        memcpy((unsigned char *)data + begin[r], all->data[r] + begin[r], bytes);
        all->received += m->rank == 0 ? bytes : 0;
    }
    pthread_barrier_wait(&all->barrier);
    return PTS_OK;
}

/* Steps, then what a checkpoint asks for, and the gradient of one batch more. */
static void train_shared(pts_mlp *mlp, const company *all, float *moments, float *gradient,
                         double *loss)
{
    pts_rng rng = {77};
    for (int step = 0; step <= SHARED_STEPS; step++) {
        float *x = random_floats(&rng, SHARED_ROWS * 700);
        float *target = random_floats(&rng, SHARED_ROWS * 4);
        if (step < SHARED_STEPS)
            pts_mlp_step(mlp, x, target, SHARED_ROWS, &runs[all->run], loss, NULL);
        else
            pts_mlp_gradient(mlp, x, target, SHARED_ROWS, 0.5, gradient, loss, NULL);
        free(x), free(target);
    }
    pts_mlp_get_moments(mlp, moments, NULL);
}

/* Several blocks and tiles, and layers that are smaller than one. */
static const pts_mlp_layer shared_layers[] = {
    {PTS_MLP_LAYER_NORM, 0, 1e-5}, {PTS_MLP_LINEAR, 530, 0}, {PTS_MLP_RELU, 0, 0},
    {PTS_MLP_DROPOUT, 0, 0.2},     {PTS_MLP_LINEAR, 290, 0}, {PTS_MLP_LAYER_NORM, 0, 1e-5},
    {PTS_MLP_GELU, 0, 0},          {PTS_MLP_LINEAR, 33, 0},  {PTS_MLP_TANH, 0, 0},
    {PTS_MLP_LINEAR, 4, 0},
};

static void *run_member(void *user)
{
    member *m = user;
    company *all = m->all;
    pts_team *team;
    pts_mlp *mlp;
    const pts_peers peers = {m->rank, all->count, copy_from_each, m};
    pts_team_create(&team, 1 + m->rank % 2, NULL);
    pts_mlp_build(&mlp, 700, shared_layers, 10, 6, team, NULL);
    all->parameter_count = pts_mlp_parameter_count(mlp);
    const size_t bytes = all->parameter_count * sizeof(float);
    all->parameters[m->rank] = malloc(bytes);
    all->gradient[m->rank] = malloc(bytes);
    all->moments[m->rank] = malloc(2 * bytes);
    if (all->count == 1 || pts_mlp_share(mlp, &peers, NULL) == PTS_OK) {
        train_shared(mlp, all, all->moments[m->rank], all->gradient[m->rank], &all->loss[m->rank]);
        memcpy(all->parameters[m->rank], pts_mlp_parameters(mlp), bytes);
    }
    pts_mlp_destroy(mlp);
    pts_team_destroy(team);
    return NULL;
}

static void run_company(company *all, int count, int run)
{
    pthread_t threads[PROCESSES];
    member members[PROCESSES];
    *all = (company){.count = count, .run = run};
    pthread_barrier_init(&all->barrier, NULL, (unsigned)count);
    for (int r = 0; r < count; r++) {
        members[r] = (member){all, r};
        ck_assert_int_eq(pthread_create(&threads[r], NULL, run_member, &members[r]), 0);
    }
    for (int r = 0; r < count; r++)
        pthread_join(threads[r], NULL);
    pthread_barrier_destroy(&all->barrier);
}

static void free_company(company *all)
{
    for (int r = 0; r < all->count; r++) {
        free(all->parameters[r]);
        free(all->moments[r]);
        free(all->gradient[r]);
    }
}

static void check_processes(int run)
{
    static const int counts[] = {2, 3, PROCESSES};
    company alone, all;
    run_company(&alone, 1, run);
    const size_t bytes = alone.parameter_count * sizeof(float);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        run_company(&all, counts[c], run);
        for (int r = 0; r < counts[c]; r++) {
            ck_assert_mem_eq(all.parameters[r], alone.parameters[0], bytes);
            ck_assert_mem_eq(all.moments[r], alone.moments[0], 2 * bytes);
            ck_assert_mem_eq(all.gradient[r], alone.gradient[0], bytes);
            ck_assert(all.loss[r] == alone.loss[0]);
        }
        free_company(&all);
    }
    free_company(&alone);
}

START_TEST(training_does_not_depend_on_processes)
{
    for (size_t l = 0; pts_level_at(l); l++) {
        ck_assert_int_eq(pts_cpu_limit(pts_level_at(l)->name, NULL), PTS_OK);
        for (int run = 0; run < RUNS; run++)
            check_processes(run);
    }
    pts_cpu_limit(NULL, NULL);
}
END_TEST

/* As if another process ran at another level. */
static pts_status other_level(void *user, void *data, const size_t *begin, pts_error *err)
{
    (void)user, (void)err;
    memcpy((char *)data + begin[1], "sse", 4);
    return PTS_OK;
}

START_TEST(processes_that_cannot_be)
{
    char expected[128];
    pts_mlp *mlp = build_every(NULL);
    pts_error err;
    const pts_peers high = {2, 2, other_level, NULL}, mixed = {0, 2, other_level, NULL};
    ck_assert_int_eq(pts_mlp_share(mlp, &high, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "processes: expected number 0 … 1, got 2");
    ck_assert_int_eq(pts_mlp_share(mlp, &mixed, &err), PTS_ERR_UNSUPPORTED);
    snprintf(expected, sizeof expected,
             "processes: expected one CPU level in all, got %s in number 0 and sse in number 1",
             pts_level_current()->name);
    ck_assert_str_eq(err.message, expected);
    pts_mlp_destroy(mlp);
}
END_TEST

/* ---- what is refused ---- */

static void check_build(size_t inputs, pts_mlp_layer layer, pts_status status, const char *message)
{
    pts_mlp *mlp;
    pts_error err;
    ck_assert_int_eq(pts_mlp_build(&mlp, inputs, &layer, 1, 1, NULL, &err), status);
    ck_assert_str_eq(err.message, message);
    ck_assert_ptr_null(mlp);
}

START_TEST(networks_that_cannot_be)
{
    pts_mlp *mlp;
    pts_error err;
    check_build(3, (pts_mlp_layer){PTS_MLP_LINEAR, 0, 0}, PTS_ERR_ARGUMENT,
                "network: layer 0, linear: expected 1 … 1048576 outputs, got 0");
    check_build(3, (pts_mlp_layer){(pts_mlp_kind)6, 0, 0}, PTS_ERR_ARGUMENT,
                "network: layer 0: expected kind 0 … 5, got 6");
    check_build(3, (pts_mlp_layer){PTS_MLP_DROPOUT, 0, 1}, PTS_ERR_ARGUMENT,
                "network: layer 0, dropout: expected a share of 0 … 0.999, got 1");
    check_build(3, (pts_mlp_layer){PTS_MLP_LAYER_NORM, 0, 0}, PTS_ERR_ARGUMENT,
                "network: layer 0, layer norm: expected an epsilon of 1e-12 … 1, got 0");
    check_build(0, (pts_mlp_layer){PTS_MLP_LINEAR, 1, 0}, PTS_ERR_ARGUMENT,
                "network: expected 1 … 1048576 inputs, got 0");
    check_build(1000000, (pts_mlp_layer){PTS_MLP_LINEAR, 1000000, 0}, PTS_ERR_LIMIT,
                "network: expected at most 268435456 parameters, got 1000001000000");
    ck_assert_int_eq(pts_mlp_build(&mlp, 3, every, 0, 1, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "network: expected 1 … 64 layers, got 0");
    ck_assert_int_eq(pts_mlp_create(&mlp, (size_t[]){3, 3}, 33, 1, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "network: expected 1 … 32 linear layers, got 33");
}
END_TEST

START_TEST(steps_that_cannot_be)
{
    pts_mlp *mlp = build_every(NULL);
    pts_error err;
    float x[IN] = {INFINITY}, target[OUT] = {0}, before[PARAMETERS], y[OUT], dy[OUT] = {0};
    double loss;
    pts_mlp_training training = PTS_MLP_TRAINING_DEFAULTS, wrong = training;
    memcpy(before, pts_mlp_parameters(mlp), sizeof before);
    ck_assert_int_eq(pts_mlp_step(mlp, x, target, 1, &training, &loss, &err), PTS_ERR_NUMERIC);
    ck_assert_str_eq(err.message, "network: step 1: the loss is not finite (rate 0.001)");
    wrong.rate = NAN;
    ck_assert_int_eq(pts_mlp_step(mlp, x, target, 1, &wrong, &loss, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "training: rate: expected 0 … 1e+06, got nan");
    wrong = training, wrong.rule = (pts_mlp_rule)3;
    ck_assert_int_eq(pts_mlp_step(mlp, x, target, 1, &wrong, &loss, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "training: rule: expected 0 … 2, got 3");
    ck_assert_int_eq(pts_mlp_forward(mlp, x, 0, y, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "batch: expected 1 … 65536 rows, got 0");
    x[0] = 1;
    ck_assert_int_eq(pts_mlp_forward(mlp, x, 1, y, &err), PTS_OK);
    ck_assert_int_eq(pts_mlp_backward(mlp, x, dy, 1, &training, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message,
                     "network: backward: expected the 0 rows of the forward pass, got 1");
    ck_assert_int_eq(pts_mlp_forward_training(mlp, x, 1, y, &err), PTS_OK);
    dy[2] = NAN;
    ck_assert_int_eq(pts_mlp_backward(mlp, x, dy, 1, &training, NULL, &err), PTS_ERR_NUMERIC);
    ck_assert_str_eq(err.message, "network: backward: gradient 2 is not finite");
    ck_assert_mem_eq(before, pts_mlp_parameters(mlp), sizeof before);
    ck_assert_uint_eq(pts_mlp_steps(mlp), 0);
    pts_mlp_destroy(mlp);
}
END_TEST

/* The loss fits a double, the gradient no float: found when it is to be clipped. */
START_TEST(gradients_that_cannot_be)
{
    const size_t sizes[] = {1, 1};
    const float x = 1e30f, target = 0;
    pts_mlp *mlp;
    pts_error err;
    double loss;
    pts_mlp_training training = runs[2];
    ck_assert_int_eq(pts_mlp_create(&mlp, sizes, 1, 4, NULL, NULL), PTS_OK);
    const float before = *pts_mlp_parameters(mlp);
    ck_assert_int_eq(pts_mlp_step(mlp, &x, &target, 1, &training, &loss, &err), PTS_ERR_NUMERIC);
    ck_assert_str_eq(err.message, "network: step 1: the gradient is not finite");
    ck_assert(*pts_mlp_parameters(mlp) == before);
    ck_assert_uint_eq(pts_mlp_steps(mlp), 0);
    pts_mlp_destroy(mlp);
}
END_TEST

CHECK_SUITE("network", network_equals_torch, schedules_equal_torch, gradients_of_each_kind_of_layer,
            dropout_may_be_done_in_parts, dropout_keeps_the_expectation,
            training_does_not_depend_on_threads, the_seed_decides,
            interrupted_training_goes_on_bit_for_bit, a_step_of_the_callers_gradient,
            processes_that_cannot_be, networks_that_cannot_be, steps_that_cannot_be,
            gradients_that_cannot_be, SLOW, training_does_not_depend_on_processes,
            gradients_of_whole_networks, dropout_follows_its_law)
