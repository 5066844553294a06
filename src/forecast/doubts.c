#include "pts/forecast.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void pts_doubt(pts_doubts *to, const char *format, ...)
{
    if (to->count == PTS_DOUBTS)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(to->text[to->count++], sizeof *to->text, format, arguments);
    va_end(arguments);
}

/* In a file of percents: a curve of fractions among them would shrink a hundredfold unseen, and so
 * would some rows of a curve: neighbours twentyfold apart across 1 %. */
static void doubt_unit(pts_doubts *to, const pts_curve_points *c, const double *y)
{
    double most = 0;
    bool jumps = false;
    for (size_t k = 0; k < c->count; k++) {
        most = fmax(most, y[k]);
        double low = k ? fmin(y[k - 1], y[k]) : 1, high = k ? fmax(y[k - 1], y[k]) : 1;
        jumps |= low > 0 && low <= 0.01 && high > 0.01 && high > 20 * low;
    }
    if (most > 0 && most <= 0.01)
        pts_doubt(to, "never above 1 %%: is it in fractions, in a file of percent?");
    if (jumps)
        pts_doubt(to, "jumps more than twentyfold: are percent and fractions mixed?");
}

/* By a straight line in ln n, of least squares: no single noisy point makes a fall. */
static void doubt_fall(pts_doubts *to, const pts_curve_points *c, const double *y,
                       const char *metric)
{
    double weight = 0, x = 0, mean = 0, xx = 0, xy = 0;
    for (size_t k = 0; k < c->count; k++) {
        const double w = c->weight ? c->weight[k] : 1;
        weight += w;
        x += w * log(c->n[k]);
        mean += w * y[k];
    }
    x /= weight;
    mean /= weight;
    for (size_t k = 0; k < c->count; k++) {
        const double w = c->weight ? c->weight[k] : 1, d = log(c->n[k]) - x;
        xx += w * d * d;
        xy += w * d * (y[k] - mean);
    }
    const double first = mean + xy / xx * (log(c->n[0]) - x);
    const double last = mean + xy / xx * (log(c->n[c->count - 1]) - x);
    if (last < first - 0.01)
        pts_doubt(to, "%s falls with more images, from %.3f to %.3f by a line in ln n", metric,
                  first, last);
}

void pts_doubt_points(pts_doubts *to, const pts_curve_points *c, const double *y,
                      const char *metric, bool percent)
{
    if (c->duplicates > 0)
        pts_doubt(to,
                  "rows that repeat another in every column: %zu, counted once (of measurements "
                  "of their own keep one row with their number in a column weight)",
                  c->duplicates);
    if (percent)
        doubt_unit(to, c, y);
    bool one_size = true, equal = true;
    for (size_t k = 1; k < c->count; k++) {
        one_size &= c->n[k] == c->n[0];
        equal &= y[k] == y[0];
    }
    if (c->count > 1 && one_size)
        pts_doubt(to, "all points have one size, %g images: how %s grows is not in them", c->n[0],
                  metric);
    else if (c->count > 1 && equal)
        pts_doubt(to, "%s is %g at all sizes: when it begins to rise is not in the points", metric,
                  y[0]);
    else if (c->count > 1)
        doubt_fall(to, c, y, metric);
}
