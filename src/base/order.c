#include "base/order.h"

#include <math.h>
#include <string.h>

int pts_compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int pts_compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

double pts_quantile(const double *sorted, size_t count, double p)
{
    double at = p * (double)(count - 1), part = at - floor(at);
    size_t i = (size_t)at;
    if (part == 0 || i + 1 >= count)
        return sorted[i];
    return isfinite(sorted[i + 1]) ? sorted[i] + part * (sorted[i + 1] - sorted[i]) : sorted[i + 1];
}
