/* One pixel of a pool, over vectors of channels; the last channels one at a time. */
#include "kernels/level_functions.h"

typedef const pts_pool_window window;

void LEVEL(max_pixel)(window *w, size_t channels, float *out)
{
    size_t c = 0;
    for (; c + PTS_LANES <= channels; c += PTS_LANES) {
        vec best = vec_load(w->first + c);
        for (size_t y = 0; y < w->rows; y++)
            for (size_t x = 0; x < w->columns; x++)
                best =
                    vec_max(vec_load(w->first + y * w->row_stride + x * w->pixel_stride + c), best);
        vec_store(out + c, best);
    }
    for (; c < channels; c++) {
        float best = w->first[c];
        for (size_t y = 0; y < w->rows; y++)
            for (size_t x = 0; x < w->columns; x++) {
                float v = w->first[y * w->row_stride + x * w->pixel_stride + c];
                best = v > best ? v : best;
            }
        out[c] = best;
    }
}

void LEVEL(average_pixel)(window *w, size_t channels, float *out)
{
    size_t c = 0;
    for (; c + PTS_LANES <= channels; c += PTS_LANES) {
        vec sum = vec_set(0);
        for (size_t y = 0; y < w->rows; y++)
            for (size_t x = 0; x < w->columns; x++)
                sum = sum + vec_load(w->first + y * w->row_stride + x * w->pixel_stride + c);
        sum = sum * vec_set(w->scale);
        vec_store(out + c, w->bias ? vec_max(sum + vec_load(w->bias + c), vec_set(0)) : sum);
    }
    for (; c < channels; c++) {
        float sum = 0;
        for (size_t y = 0; y < w->rows; y++)
            for (size_t x = 0; x < w->columns; x++)
                sum += w->first[y * w->row_stride + x * w->pixel_stride + c];
        sum = sum * w->scale + (w->bias ? w->bias[c] : 0);
        out[c] = !w->bias || sum > 0 ? sum : 0;
    }
}

/* Summed in double: a row of channels at a time, so that pixels are read front to back. */
void LEVEL(global_average)(const pts_feature_map *x, float *out)
{
    enum { CHUNK = 64 };
    const size_t pixels = x->height * x->width;
    for (size_t first = 0; first < x->channels; first += CHUNK) {
        size_t count = x->channels - first < CHUNK ? x->channels - first : CHUNK;
        double sum[CHUNK] = {0};
        for (size_t p = 0; p < pixels; p++)
            for (size_t c = 0; c < count; c++)
                sum[c] += (double)x->data[p * x->stride + first + c];
        for (size_t c = 0; c < count; c++)
            out[first + c] = (float)(sum[c] / (double)pixels);
    }
}
