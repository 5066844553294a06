#define _DEFAULT_SOURCE
#include "operands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OPERANDS_MAX = 64, MARK = 0xa5 };

static struct {
    unsigned char *block; /* [slack | floats | a page without access] */
    size_t slack, bytes;
} held[OPERANDS_MAX];
static size_t held_count;

static void *map_pages(size_t bytes)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED || held_count == OPERANDS_MAX) {
        fprintf(stderr, "operands: no memory for %zu bytes, or more than %d\n", bytes,
                OPERANDS_MAX);
        exit(EXIT_FAILURE);
    }
    return block;
}

float *operand(size_t floats)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = floats * sizeof(float);
    size_t usable = (bytes + page) / page * page; /* at least one byte of slack */
    unsigned char *block = map_pages(usable + page);
    mprotect(block + usable, page, PROT_NONE);
    size_t slack = usable - bytes;
    memset(block, MARK, slack);
    held[held_count].block = block;
    held[held_count].slack = slack;
    held[held_count++].bytes = usable + page;
    return (float *)(void *)(block + slack);
}

int operands_release(void)
{
    int whole = 1;
    while (held_count) {
        unsigned char *block = held[--held_count].block;
        for (size_t i = 0; i < held[held_count].slack; i++)
            whole &= block[i] == MARK;
        munmap(block, held[held_count].bytes);
    }
    return whole;
}

static uint64_t state = 1;

void random_seed(uint64_t seed)
{
    state = seed;
    random_next();
}

uint64_t random_next(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

float random_float(void)
{
    return (float)((double)(random_next() >> 7) / (1 << 24) * 2 - 1);
}

size_t random_below(size_t limit)
{
    return random_next() % limit;
}

float *random_operand(size_t floats)
{
    float *x = operand(floats);
    for (size_t i = 0; i < floats; i++)
        x[i] = random_float();
    return x;
}

size_t strided_floats(size_t rows, size_t columns, size_t stride)
{
    return rows ? (rows - 1) * stride + columns : 0;
}

int gaps_hold(const float *x, size_t rows, size_t columns, size_t stride, float mark)
{
    int hold = 1;
    for (size_t r = 0; r + 1 < rows; r++)
        for (size_t i = columns; i < stride; i++)
            hold &= x[r * stride + i] == mark;
    return hold;
}

static void add_tap(const float *in, size_t channels, const float *weight, size_t out, double *y,
                    double *magnitude)
{
    for (size_t c = 0; c < channels; c++) {
        for (size_t o = 0; o < out; o++) {
            double term = (double)in[c] * (double)weight[c * out + o];
            y[o] += term;
            magnitude[o] += fabs(term);
        }
    }
}

static void naive_pixel(const pts_window *w, const pts_feature_map *x, const float *weight,
                        size_t out, size_t oy, size_t ox, double *y, double *magnitude)
{
    for (size_t ky = 0; ky < w->height; ky++) {
        for (size_t kx = 0; kx < w->width; kx++) {
            long iy = (long)(oy * w->stride + ky) - (long)w->pad_y;
            long ix = (long)(ox * w->stride + kx) - (long)w->pad_x;
            if (iy < 0 || ix < 0 || iy >= (long)x->height || ix >= (long)x->width)
                continue;
            add_tap(x->data + ((size_t)iy * x->width + (size_t)ix) * x->stride, x->channels,
                    weight + (ky * w->width + kx) * x->channels * out, out, y, magnitude);
        }
    }
}

void naive_conv(const pts_window *w, const pts_feature_map *x, const float *weight,
                const float *bias, size_t out, double *y, double *magnitude)
{
    size_t height = pts_window_side(x->height, w->height, w->stride, w->pad_y);
    size_t width = pts_window_side(x->width, w->width, w->stride, w->pad_x);
    for (size_t p = 0; p < height * width; p++, y += out, magnitude += out) {
        for (size_t o = 0; o < out; o++) {
            y[o] = (double)bias[o];
            magnitude[o] = fabs((double)bias[o]);
        }
        naive_pixel(w, x, weight, out, p / width, p % width, y, magnitude);
    }
}

double sum_error(size_t terms, double magnitude)
{
    /* Products below the normal range lose up to half a denormal each. */
    return 6 * sqrt((double)terms) * ldexp(magnitude, -24) + ldexp((double)terms, -149);
}
