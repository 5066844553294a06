#include "plot/axes.h"

#include <math.h>

double pts_plot_axes_x(const plot_axes *axes, double n)
{
    double share = log(n / axes->n_min) / log(axes->n_max / axes->n_min);
    return PLOT_LEFT + share * (PLOT_RIGHT - PLOT_LEFT);
}

double pts_plot_axes_y(const plot_axes *axes, double y)
{
    double share = (y - axes->y_min) / (axes->y_max - axes->y_min);
    return PLOT_BOTTOM - share * (PLOT_BOTTOM - PLOT_TOP);
}

size_t pts_plot_axes_ticks(const plot_axes *axes, const char *multiples, double *ticks, size_t room)
{
    const double slack = 1e-9; /* a limit that is a tick must not be lost to rounding */
    size_t count = 0;
    int last = (int)floor(log10(axes->n_max) + slack);
    for (int k = (int)floor(log10(axes->n_min) + slack); k <= last; k++) {
        for (const char *m = multiples; *m; m++) {
            double tick = (*m - '0') * pow(10, k);
            if (tick >= axes->n_min * (1 - slack) && tick <= axes->n_max * (1 + slack) &&
                count < room)
                ticks[count++] = tick;
        }
    }
    return count;
}

/* The nearest 1, 2 or 5 · 10^k that is not above n, or not below it. */
static double round_down(double n)
{
    double decade = pow(10, floor(log10(n) + 1e-9));
    return n >= 5 * decade ? 5 * decade : n >= 2 * decade ? 2 * decade : decade;
}

static double round_up(double n)
{
    double decade = pow(10, floor(log10(n) - 1e-9));
    return n <= 2 * decade ? 2 * decade : n <= 5 * decade ? 5 * decade : 10 * decade;
}

static void widen(double *low, double *high, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        *low = fmin(*low, values[i]);
        *high = fmax(*high, values[i]);
    }
}

static void choose_n(plot_axes *axes, const pts_plot *plot)
{
    axes->n_min = plot->n_min;
    axes->n_max = plot->n_max;
    if (plot->n_max > 0)
        return;
    axes->n_min = axes->n_max = plot->n[0];
    widen(&axes->n_min, &axes->n_max, plot->n, plot->count);
    for (size_t s = 0; s < plot->series_count; s++)
        widen(&axes->n_min, &axes->n_max, plot->series[s].n, plot->series[s].count);
    axes->n_min = round_down(axes->n_min);
    axes->n_max = round_up(axes->n_max);
}

/* Up to the first tick at or above what is drawn, with about five steps. */
static void choose_tight_y(plot_axes *axes, const pts_plot *plot)
{
    double low = 0, high = plot->target ? plot->target->y : 0;
    widen(&low, &high, plot->y, plot->count);
    if (plot->other)
        widen(&low, &high, plot->other, plot->count);
    if (plot->high)
        widen(&low, &high, plot->high, plot->count);
    for (size_t s = 0; s < plot->series_count; s++)
        widen(&low, &high, plot->series[s].y, plot->series[s].count);
    high = fmin(fmax(high * 1.04, 0.01), plot->y_limit > 0 ? plot->y_limit : 1);
    axes->y_step = round_up(high / 6);
    axes->y_max = ceil(high / axes->y_step - 1e-9) * axes->y_step;
}

plot_axes pts_plot_axes_for(const pts_plot *plot)
{
    plot_axes axes = {.y_min = 0, .y_max = 1, .y_step = 0.2};
    choose_n(&axes, plot);
    if (plot->tight || plot->y_limit > 0)
        choose_tight_y(&axes, plot);
    return axes;
}
