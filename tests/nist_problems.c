#include "nist_problems.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

static void fill(double *g, size_t count, const double *values)
{
    if (g)
        memcpy(g, values, count * sizeof *g);
}
#define GRADIENT(...)                                                                              \
    fill(g, sizeof(double[]){__VA_ARGS__} / sizeof(double), (double[]){__VA_ARGS__})

/* b1 (1 − exp(−b2 x)) */
static long double boxbod(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], e = exp(-b[1] * x);
    GRADIENT(1 - e, b[0] * x * e);
    return b[0] * (1 - e);
}

/* exp(−b1 x) / (b2 + b3 x) */
static long double chwirut(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], d = b[1] + b[2] * x, f = exp(-b[0] * x) / d;
    GRADIENT(-x * f, -f / d, -x * f / d);
    return f;
}

static long double enso(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], w = 2 * PI * x, t = w / 12, u = w / b[3], v = w / b[6];
    double du = u / b[3], dv = v / b[6];
    GRADIENT(1, cos(t), sin(t), b[4] * sin(u) * du - b[5] * cos(u) * du, cos(u), sin(u),
             b[7] * sin(v) * dv - b[8] * cos(v) * dv, cos(v), sin(v));
    return b[0] + b[1] * cos(t) + b[2] * sin(t) + b[4] * cos(u) + b[5] * sin(u) + b[7] * cos(v) +
           b[8] * sin(v);
}

static long double gauss(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], e = exp(-b[1] * x), s = (x - b[3]) / b[4], t = (x - b[6]) / b[7];
    double p = exp(-s * s), q = exp(-t * t);
    GRADIENT(e, -x * b[0] * e, p, b[2] * p * 2 * s / b[4], b[2] * p * 2 * s * s / b[4], q,
             b[5] * q * 2 * t / b[7], b[5] * q * 2 * t * t / b[7]);
    return b[0] * e + b[2] * p + b[5] * q;
}

/* (b1 + b2 x + b3 x²) / (1 + b4 x + b5 x²) */
static long double kirby(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], d = 1 + x * (b[3] + x * b[4]);
    double f = (b[0] + x * (b[1] + x * b[2])) / d;
    GRADIENT(1 / d, x / d, x * x / d, -f * x / d, -f * x * x / d);
    return f;
}

static long double lanczos(const double *b, const long double *at, double *g)
{
    long double x = at[0], f = 0;
    for (int k = 0; k < 6; k += 2) {
        long double e = expl(-b[k + 1] * x);
        f += b[k] * e;
        if (g) {
            g[k] = (double)e;
            g[k + 1] = (double)(-b[k] * x * e);
        }
    }
    return f;
}

/* b1 (x² + x b2) / (x² + x b3 + b4) */
static long double mgh09(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], top = x * x + x * b[1], d = x * x + x * b[2] + b[3];
    double f = b[0] * top / d;
    GRADIENT(top / d, b[0] * x / d, -f * x / d, -f / d);
    return f;
}

/* b1 exp(b2 / (x + b3)) */
static long double mgh10(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], d = x + b[2], e = exp(b[1] / d);
    GRADIENT(e, b[0] * e / d, -b[0] * e * b[1] / (d * d));
    return b[0] * e;
}

/* b1 (1 − (1 + b2 x / 2)⁻²) */
static long double misra1b(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], d = 1 + b[1] * x / 2;
    GRADIENT(1 - 1 / (d * d), b[0] * x / (d * d * d));
    return b[0] * (1 - 1 / (d * d));
}

/* b1 b2 x / (1 + b2 x) */
static long double misra1d(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], d = 1 + b[1] * x;
    GRADIENT(b[1] * x / d, b[0] * x / (d * d));
    return b[0] * b[1] * x / d;
}

/* b1 − b2 x1 exp(−b3 x2), of log y */
static long double nelson(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], z = (double)at[1], e = exp(-b[2] * z);
    GRADIENT(1, -x * e, b[1] * x * z * e);
    return b[0] - b[1] * x * e;
}

/* b1 / (1 + exp(b2 − b3 x)) */
static long double rat42(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], e = exp(b[1] - b[2] * x), d = 1 + e;
    GRADIENT(1 / d, -b[0] * e / (d * d), b[0] * x * e / (d * d));
    return b[0] / d;
}

/* b1 / (1 + exp(b2 − b3 x))^(1/b4) */
static long double rat43(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], e = exp(b[1] - b[2] * x), d = 1 + e, p = pow(d, -1 / b[3]);
    double f = b[0] * p, common = -f * e / (d * b[3]);
    GRADIENT(p, common, -x * common, f * log(d) / (b[3] * b[3]));
    return f;
}

/* b1 − b2 x − arctan(b3 / (x − b4)) / π */
static long double roszman(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], d = x - b[3], n = PI * (d * d + b[2] * b[2]);
    GRADIENT(1, -x, -d / n, -b[2] / n);
    return b[0] - b[1] * x - atan(b[2] / d) / PI;
}

/* (b1 + b2 x + b3 x² + b4 x³) / (1 + b5 x + b6 x² + b7 x³) */
static long double thurber(const double *b, const long double *at, double *g)
{
    double x = (double)at[0], d = 1 + x * (b[4] + x * (b[5] + x * b[6]));
    double f = (b[0] + x * (b[1] + x * (b[2] + x * b[3]))) / d;
    GRADIENT(1 / d, x / d, x * x / d, x * x * x / d, -f * x / d, -f * x * x / d,
             -f * x * x * x / d);
    return f;
}

static const struct {
    const char *name;
    nist_model model;
} table[NIST_PROBLEMS] = {
    {"BoxBOD", boxbod},    {"Chwirut1", chwirut}, {"Chwirut2", chwirut}, {"ENSO", enso},
    {"Gauss1", gauss},     {"Gauss2", gauss},     {"Kirby2", kirby},     {"Lanczos1", lanczos},
    {"Lanczos3", lanczos}, {"MGH09", mgh09},      {"MGH10", mgh10},      {"Misra1a", boxbod},
    {"Misra1b", misra1b},  {"Misra1d", misra1d},  {"Nelson", nelson},    {"Rat42", rat42},
    {"Rat43", rat43},      {"Roszman1", roszman}, {"Thurber", thurber},
};

static void read_parameter(nist_problem *p, const char *line)
{
    unsigned index;
    double v[4];
    if (sscanf(line, " b%u = %lf %lf %lf %lf", &index, &v[0], &v[1], &v[2], &v[3]) != 5 ||
        index < 1 || index > NIST_MAX_PARAMETERS)
        return;
    p->start[0][index - 1] = v[0];
    p->start[1][index - 1] = v[1];
    p->certified[index - 1] = v[2];
    p->error[index - 1] = v[3];
    p->parameters = index > p->parameters ? index : p->parameters;
}

static void read_row(nist_problem *p, const char *line)
{
    long double y, x[2] = {0, 0};
    if (p->rows == NIST_MAX_ROWS || sscanf(line, "%Lf %Lf %Lf", &y, &x[0], &x[1]) < 2)
        return;
    p->y[p->rows] = p->model == nelson ? logl(y) : y;
    p->x[p->rows][0] = x[0];
    p->x[p->rows++][1] = x[1];
}

int nist_read(nist_problem *p, size_t i, const char *folder)
{
    char path[4096], line[512];
    memset(p, 0, sizeof *p);
    p->name = table[i].name;
    p->model = table[i].model;
    snprintf(path, sizeof path, "%s/%s.dat", folder, p->name);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    size_t expected = 0;
    for (int number = 1; fgets(line, sizeof line, file); number++) {
        read_parameter(p, line);
        sscanf(line, "Residual Sum of Squares: %lf", &p->sse);
        sscanf(line, "Number of Observations: %zu", &expected);
        if (number > 60)
            read_row(p, line);
    }
    fclose(file);
    return p->rows == expected && expected > 0 && p->parameters > 0 && p->sse > 0 ? 0 : -1;
}

int nist_residuals(void *user, const double *b, double *r)
{
    const nist_problem *p = user;
    for (size_t i = 0; i < p->rows; i++)
        r[i] = (double)(p->model(b, p->x[i], NULL) - p->y[i]);
    return 0;
}

int nist_jacobian(void *user, const double *b, double *jacobian)
{
    const nist_problem *p = user;
    for (size_t i = 0; i < p->rows; i++)
        p->model(b, p->x[i], jacobian + i * p->parameters);
    return 0;
}
