/* Layers: forward against naive loops in double precision, backward against central differences
 * of those loops, Adam and upsampling against PyTorch, the random numbers against their law. */
#include "check_main.h"
#include "golden.h"

#include "nn/layers.h"

#include <string.h>

static pts_rng rng = {1};

static float *random_floats(size_t count)
{
    float *x = malloc((count + 1) * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)pts_rng_normal(&rng);
    return x;
}

/* ---- convolution ---- */

static double naive_pixel(const pts_conv2d *s, const float *x, const float *w, size_t py, size_t px,
                          size_t o)
{
    double sum = 0;
    long reach = s->kernel == 3 ? 1 : 0, d = (long)s->dilation;
    for (long i = -reach; i <= reach; i++)
        for (long j = -reach; j <= reach; j++) {
            long y = (long)py + i * d, z = (long)px + j * d;
            if (y < 0 || z < 0 || y >= (long)s->height || z >= (long)s->width)
                continue;
            size_t tap = (size_t)((i + reach) * (long)s->kernel + j + reach);
            for (size_t c = 0; c < s->in_channels; c++)
                sum += (double)x[((size_t)y * s->width + (size_t)z) * s->in_channels + c] *
                       w[(tap * s->in_channels + c) * s->out_channels + o];
        }
    return sum;
}

static void naive_conv(const pts_conv2d *s, const float *x, const float *w, const float *b,
                       double *y)
{
    for (size_t p = 0; p < s->height * s->width; p++)
        for (size_t o = 0; o < s->out_channels; o++)
            *y++ = b[o] + naive_pixel(s, x, w, p / s->width, p % s->width, o);
}

/* The loss is y·dy, linear in each argument alone, so a central difference is exact but for
 * rounding, and the naive loop rounds in double. */
static double naive_loss(const pts_conv2d *s, const float *x, const float *w, const float *b,
                         const float *dy, double *y)
{
    naive_conv(s, x, w, b, y);
    double loss = 0;
    for (size_t i = 0; i < s->height * s->width * s->out_channels; i++)
        loss += y[i] * dy[i];
    return loss;
}

typedef struct conv_case {
    pts_conv2d shape;
    size_t nx, nw, ny;
    float *x, *w, *b, *dy, *y, *dx, *dw, *db, *workspace;
    double *naive;
} conv_case;

static conv_case conv_open(pts_conv2d s)
{
    conv_case c = {.shape = s};
    c.nx = s.height * s.width * s.in_channels;
    c.nw = s.kernel * s.kernel * s.in_channels * s.out_channels;
    c.ny = s.height * s.width * s.out_channels;
    c.x = random_floats(c.nx);
    c.w = random_floats(c.nw);
    c.b = random_floats(s.out_channels);
    c.dy = random_floats(c.ny);
    c.y = random_floats(c.ny);
    c.dx = random_floats(c.nx);
    c.dw = calloc(c.nw, sizeof *c.dw);
    c.db = calloc(s.out_channels, sizeof *c.db);
    c.workspace = random_floats(pts_conv2d_workspace(&s));
    c.naive = calloc(c.ny, sizeof *c.naive);
    return c;
}

static void conv_close(conv_case *c)
{
    float *all[] = {c->x, c->w, c->b, c->dy, c->y, c->dx, c->dw, c->db, c->workspace};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(c->naive);
}

static void check_derivative(conv_case *c, const char *what, float *values, size_t count,
                             const float *gradient)
{
    size_t step = count / 25 + 1;
    for (size_t i = 0; i < count; i += step) {
        float old = values[i];
        values[i] = old + 0.5f;
        double up = naive_loss(&c->shape, c->x, c->w, c->b, c->dy, c->naive), plus = values[i];
        values[i] = old - 0.5f;
        double down = naive_loss(&c->shape, c->x, c->w, c->b, c->dy, c->naive), minus = values[i];
        values[i] = old;
        double expected = (up - down) / (plus - minus);
        ck_assert_msg(fabs(gradient[i] - expected) <= 2e-5 * (10 + fabs(expected)),
                      "%s[%zu] of %zux%zux%zu->%zu kernel %zu dilation %zu: %.9g, expected %.9g",
                      what, i, c->shape.height, c->shape.width, c->shape.in_channels,
                      c->shape.out_channels, c->shape.kernel, c->shape.dilation,
                      (double)gradient[i], expected);
    }
}

static void check_conv(pts_conv2d s)
{
    conv_case c = conv_open(s);
    pts_conv2d_forward(&s, c.x, c.w, c.b, c.y, c.workspace);
    naive_conv(&s, c.x, c.w, c.b, c.naive);
    for (size_t i = 0; i < c.ny; i++)
        ck_assert_double_le(fabs(c.y[i] - c.naive[i]), 1e-5 * (10 + fabs(c.naive[i])));
    pts_conv2d_backward(&s, c.x, c.w, c.dy, c.dx, c.dw, c.db, c.workspace);
    check_derivative(&c, "dx", c.x, c.nx, c.dx);
    check_derivative(&c, "dw", c.w, c.nw, c.dw);
    check_derivative(&c, "db", c.b, s.out_channels, c.db);
    conv_close(&c);
}

START_TEST(convolution_and_its_gradients)
{
    static const pts_conv2d shapes[] = {
        {5, 7, 3, 4, 1, 1},   {1, 1, 2, 3, 3, 1},   {6, 5, 3, 4, 3, 1}, {9, 8, 2, 5, 3, 2},
        {3, 4, 5, 2, 3, 4},   {1, 6, 3, 3, 3, 1},   {7, 1, 3, 3, 3, 3}, {19, 17, 4, 3, 3, 1},
        {5, 4, 70, 65, 3, 2}, {8, 9, 130, 1, 3, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_conv(shapes[i]);
}
END_TEST

START_TEST(random_convolutions_and_their_gradients)
{
    for (int round = 0; round < 12; round++) {
        pts_conv2d s = {1 + pts_rng_below(&rng, 12),    1 + pts_rng_below(&rng, 12),
                        1 + pts_rng_below(&rng, 8),     1 + pts_rng_below(&rng, 8),
                        1 + 2 * pts_rng_below(&rng, 2), 1 + pts_rng_below(&rng, 5)};
        check_conv(s);
    }
}
END_TEST

START_TEST(parameter_gradients_accumulate_and_dx_is_optional)
{
    for (size_t kernel = 1; kernel <= 3; kernel += 2) {
        pts_conv2d s = {6, 6, 3, 4, kernel, 1};
        conv_case c = conv_open(s);
        pts_conv2d_backward(&s, c.x, c.w, c.dy, NULL, c.dw, c.db, c.workspace);
        float once[108], bias[4];
        memcpy(once, c.dw, c.nw * sizeof *once);
        memcpy(bias, c.db, sizeof bias);
        pts_conv2d_backward(&s, c.x, c.w, c.dy, c.dx, c.dw, c.db, c.workspace);
        for (size_t i = 0; i < c.nw; i++)
            ck_assert_double_le(fabs((double)c.dw[i] - 2.0 * once[i]), 1e-4);
        for (size_t i = 0; i < 4; i++)
            ck_assert_double_le(fabs((double)c.db[i] - 2.0 * bias[i]), 1e-4);
        conv_close(&c);
    }
}
END_TEST

/* ---- linear, ReLU, upsampling ---- */

START_TEST(linear_and_its_gradients)
{
    enum { ROWS = 7, IN = 5, OUT = 3 };
    float *x = random_floats(ROWS * IN), *w = random_floats(IN * OUT), *b = random_floats(OUT);
    float *dy = random_floats(ROWS * OUT), y[ROWS * OUT], dx[ROWS * IN];
    float dw[IN * OUT] = {0}, db[OUT] = {0};
    pts_linear_forward(x, w, b, ROWS, IN, OUT, y);
    pts_linear_backward(x, w, dy, ROWS, IN, OUT, dx, dw, db);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t o = 0; o < OUT; o++) {
            double sum = b[o];
            for (size_t i = 0; i < IN; i++)
                sum += (double)x[r * IN + i] * w[i * OUT + o];
            ck_assert_double_le(fabs(y[r * OUT + o] - sum), 1e-5);
        }
    for (size_t i = 0; i < IN; i++)
        for (size_t o = 0; o < OUT; o++) { /* d(y·dy)/dw in closed form */
            double sum = 0;
            for (size_t r = 0; r < ROWS; r++)
                sum += (double)x[r * IN + i] * dy[r * OUT + o];
            ck_assert_double_le(fabs(dw[i * OUT + o] - sum), 1e-5);
        }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < IN; i++) {
            double sum = 0;
            for (size_t o = 0; o < OUT; o++)
                sum += (double)dy[r * OUT + o] * w[i * OUT + o];
            ck_assert_double_le(fabs(dx[r * IN + i] - sum), 1e-5);
        }
    for (size_t o = 0; o < OUT; o++) {
        double sum = 0;
        for (size_t r = 0; r < ROWS; r++)
            sum += dy[r * OUT + o];
        ck_assert_double_le(fabs(db[o] - sum), 1e-5);
    }
    free(x), free(w), free(b), free(dy);
}
END_TEST

START_TEST(relu_and_its_mask)
{
    float y[] = {-1, 0, 2, -0.0f, 1e-30f}, dy[] = {5, 6, 7, 8, 9};
    pts_relu_forward(y, 5);
    pts_relu_backward(y, dy, 5);
    const float expected[] = {0, 0, 2, 0, 1e-30f}, masked[] = {0, 0, 7, 0, 9};
    for (int i = 0; i < 5; i++) {
        ck_assert(y[i] == expected[i]);
        ck_assert(dy[i] == masked[i]);
    }
    float nan = NAN;
    pts_relu_forward(&nan, 1);
    ck_assert(isnan(nan)); /* a diverged run must not look like a dead one */
}
END_TEST

/* Derivatives by closed form in double, also far out and about zero. */
START_TEST(smooth_activations_and_their_derivatives)
{
    static const float x[] = {-30, -9, -4, -1, -1e-3f, -1e-31f, 0, 1e-42f, 1e-20f, 0.3f, 2, 6, 40};
    enum { N = sizeof x / sizeof *x };
    float y[N], dy[N];
    pts_gelu_forward(x, N, y);
    for (int i = 0; i < N; i++)
        dy[i] = 2;
    pts_gelu_backward(x, y, dy, N);
    for (int i = 0; i < N; i++) {
        double below = 0.5 * erfc(-x[i] * 0.70710678118654752440);
        double slope = below + x[i] * exp(-0.5 * x[i] * x[i]) * 0.39894228040143267794;
        ck_assert_double_le(fabs(y[i] - x[i] * below), 2e-6 * fabs(x[i] * below) + 1e-36);
        ck_assert_double_le(fabs(dy[i] - 2 * slope), 4e-6 * fabs(2 * slope) + 1e-6);
    }
    pts_tanh_forward(x, N, y);
    for (int i = 0; i < N; i++)
        dy[i] = 2;
    pts_tanh_backward(y, dy, N);
    for (int i = 0; i < N; i++) {
        double slope = 1 / (cosh(x[i]) * cosh(x[i]));
        ck_assert_double_le(fabs(y[i] - tanh(x[i])), 2e-7 * fabs(tanh(x[i])));
        ck_assert_double_le(fabs(dy[i] - 2 * slope), 1e-6);
    }
}
END_TEST

/* The loss is y·dy in double; the row's mean is far from zero in the last case. */
START_TEST(layer_norm_and_its_gradients)
{
    for (int round = 0; round < 4; round++) {
        const pts_layer_norm s = {3, (size_t[]){2, 7, 33, 20}[round], 1e-5f};
        const size_t n = s.rows * s.width;
        float *x = random_floats(n), *gain = random_floats(s.width),
              *shift = random_floats(s.width);
        float *dy = random_floats(n), y[99], dx[99], moments[6], dgain[33] = {0}, dshift[33] = {0};
        for (size_t i = 0; i < n && round == 3; i++)
            x[i] += 100;
        pts_layer_norm_forward(&s, x, gain, shift, y, moments);
        pts_layer_norm_backward(&s, x, gain, moments, dy, dx);
        pts_layer_norm_gradient(&s, x, moments, dy, 0, s.width, dgain, dshift);
        for (size_t r = 0; r < s.rows; r++)
            for (size_t i = 0; i < s.width; i++) {
                double loss[2], h = 1e-4;
                for (int side = 0; side < 2; side++) {
                    double z[33], mean = 0, variance = 0;
                    for (size_t k = 0; k < s.width; k++)
                        z[k] = x[r * s.width + k] + (k == i ? (side ? h : -h) : 0);
                    for (size_t k = 0; k < s.width; k++)
                        mean += z[k] / (double)s.width;
                    for (size_t k = 0; k < s.width; k++)
                        variance += (z[k] - mean) * (z[k] - mean) / (double)s.width;
                    loss[side] = 0;
                    for (size_t k = 0; k < s.width; k++)
                        loss[side] +=
                            ((z[k] - mean) / sqrt(variance + (double)s.epsilon) * gain[k] +
                             shift[k]) *
                            dy[r * s.width + k];
                }
                double expected = (loss[1] - loss[0]) / (2 * h);
                ck_assert_double_le(fabs(dx[r * s.width + i] - expected),
                                    1e-4 * (1 + fabs(expected)));
            }
        for (size_t i = 0; i < s.width; i++) {
            double slope = 0, sum = 0;
            for (size_t r = 0; r < s.rows; r++) {
                size_t at = r * s.width + i;
                slope += dy[at] * (double)((y[at] - shift[i]) / gain[i]);
                sum += dy[at];
            }
            ck_assert_double_le(fabs(dgain[i] - slope), 1e-4 * (1 + fabs(slope)));
            ck_assert_double_le(fabs(dshift[i] - sum), 1e-5 * (1 + fabs(sum)));
        }
        free(x), free(gain), free(shift), free(dy);
    }
}
END_TEST

START_TEST(upsampling_equals_torch)
{
    static const size_t shapes[][3] = {{3, 5, 2}, {1, 1, 3}, {1, 4, 1}, {6, 2, 8}};
    golden g = golden_open("learn/upsample.f32");
    for (size_t i = 0; i < 4; i++) {
        size_t h = shapes[i][0], w = shapes[i][1], c = shapes[i][2], n = h * w * c;
        float y[4 * 96], dx[96];
        const float *x = golden_take(&g, n);
        pts_upsample2_forward(x, h, w, c, y);
        assert_close("y", y, golden_take(&g, 4 * n), 4 * n, 1e-6);
        pts_upsample2_backward(golden_take(&g, 4 * n), h, w, c, dx);
        assert_close("dx", dx, golden_take(&g, n), n, 1e-6);
    }
    golden_close(&g);
}
END_TEST

/* ---- Adam and random numbers ---- */

static void check_adam(pts_adam adam, const float *start, const float *gradients,
                       const float *states)
{
    float w[37], m[37] = {0}, v[37] = {0};
    memcpy(w, start, sizeof w);
    for (size_t step = 1; step <= 10; step++) {
        pts_adam_step(&adam, step, 37, w, gradients + (step - 1) * 37, m, v);
        for (size_t i = 0; i < 37; i++) {
            double expected = states[(step - 1) * 37 + i];
            ck_assert_double_le(fabs(w[i] - expected), 1e-6 * (0.1 + fabs(expected)));
        }
    }
}

START_TEST(adam_and_adamw_equal_torch)
{
    golden g = golden_open("learn/adam.f32");
    const float *start = golden_take(&g, 37), *gradients = golden_take(&g, 370);
    pts_adam adam = {0.01f, 0.9f, 0.999f, 1e-8f, 0};
    check_adam(adam, start, gradients, golden_take(&g, 370));
    adam.weight_decay = 0.1f;
    check_adam(adam, start, gradients, golden_take(&g, 370));
    golden_close(&g);
}
END_TEST

/* First outputs of the reference splitmix64 (Vigna, prng.di.unimi.it) for seed 1234567. */
START_TEST(random_numbers_are_splitmix64)
{
    static const unsigned long long expected[] = {6457827717110365317ull, 3203168211198807973ull,
                                                  9817491932198370423ull};
    pts_rng r = {1234567};
    for (int i = 0; i < 3; i++)
        ck_assert(pts_rng_uniform(&r) == (double)(expected[i] >> 11) * 0x1p-53);
}
END_TEST

START_TEST(random_numbers_follow_their_law)
{
    enum { N = 100000 };
    pts_rng r = {5};
    double sum = 0, square = 0, fourth = 0;
    size_t bins[7] = {0};
    for (int i = 0; i < N; i++) {
        double z = pts_rng_normal(&r);
        sum += z, square += z * z, fourth += z * z * z * z;
        bins[pts_rng_below(&r, 7)]++;
    }
    ck_assert_double_le(fabs(sum / N), 0.015); /* 4.7 standard errors each */
    ck_assert_double_le(fabs(square / N - 1), 0.021);
    ck_assert_double_le(fabs(fourth / N - 3), 0.15);
    double chi = 0;
    for (int i = 0; i < 7; i++)
        chi += pow((double)bins[i] - N / 7.0, 2) / (N / 7.0);
    ck_assert_double_le(chi, 27.9); /* chi square of 6 degrees, p = 1e-4 */
    float w[5000];
    pts_he_init(&r, w, 5000, 50);
    double variance = 0;
    for (int i = 0; i < 5000; i++)
        variance += (double)w[i] * w[i] / 5000;
    ck_assert_double_le(fabs(variance / 0.04 - 1), 0.1);
}
END_TEST

CHECK_SUITE("layers", convolution_and_its_gradients, random_convolutions_and_their_gradients,
            parameter_gradients_accumulate_and_dx_is_optional, linear_and_its_gradients,
            relu_and_its_mask, smooth_activations_and_their_derivatives,
            layer_norm_and_its_gradients, upsampling_equals_torch, adam_and_adamw_equal_torch,
            random_numbers_are_splitmix64, random_numbers_follow_their_law)
