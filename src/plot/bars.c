/* The bar chart: pairs of bars from a common zero. */
#include "plot/axes.h"
#include "plot/draw.h"
#include "plot/pen.h"

#include <math.h>
#include <stdio.h>

/* From `low` to `high` across the page, a tick every `step`. */
typedef struct scale {
    double low, high, step;
} scale;

static double place(const scale *s, double value)
{
    return PLOT_LEFT + (value - s->low) / (s->high - s->low) * (PLOT_RIGHT - PLOT_LEFT);
}

/* 1, 2 or 5 · 10^k, about five steps in `width`. */
static double round_step(double width)
{
    double raw = width / 5, decade = pow(10, floor(log10(raw)));
    return raw > 5 * decade   ? 10 * decade
           : raw > 2 * decade ? 5 * decade
           : raw > decade     ? 2 * decade
                              : decade;
}

/* Zero and all values, and room for the number past the longest bar on each side. */
static scale scale_of(const pts_plot_bars *bars)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < 2 * bars->rows; i++) {
        low = fmin(low, bars->values[i / 2][i % 2]);
        high = fmax(high, bars->values[i / 2][i % 2]);
    }
    double width = fmax(high - low, 0.5); /* bars of nothing must not look like much */
    double margin = 0.16 * width;
    return (scale){low < 0 ? low - margin : -0.04 * width, fmax(high, 0.1 * width) + margin,
                   round_step(width)};
}

static void draw_axis(cairo_t *cr, const pts_plot_bars *bars, const scale *s)
{
    int decimals = (int)fmax(0, -floor(log10(s->step) + 1e-9));
    cairo_set_line_width(cr, 0.8);
    for (double k = ceil(s->low / s->step); k * s->step <= s->high; k++) {
        double x = place(s, k * s->step);
        char text[48];
        snprintf(text, sizeof text, "%s%.*f", k < 0 ? "−" : "", decimals, fabs(k * s->step));
        pts_pen_use(cr, pen_hairline);
        pts_pen_line(cr, x, PLOT_TOP, x, PLOT_BOTTOM);
        pts_pen_use(cr, pen_ink);
        pts_pen_line(cr, x, PLOT_BOTTOM, x, PLOT_BOTTOM + 3);
        pts_pen_text(cr, x, PLOT_BOTTOM + 17, text, 11, 0, PEN_CENTRE, 90);
    }
    cairo_set_line_width(cr, 1);
    pts_pen_line(cr, PLOT_LEFT, PLOT_BOTTOM, PLOT_RIGHT, PLOT_BOTTOM);
    if (bars->axis_title)
        pts_pen_text(cr, (PLOT_LEFT + PLOT_RIGHT) / 2.0, PLOT_BOTTOM + 40, bars->axis_title, 12, 0,
                     PEN_CENTRE, PLOT_RIGHT - PLOT_LEFT);
}

/* Blue and vermillion; the number stands past the end, on the far side from zero. */
static void draw_bar(cairo_t *cr, const scale *s, double y, double height, double value, int second)
{
    double zero = place(s, 0), end = place(s, value);
    char text[48];
    cairo_rectangle(cr, fmin(zero, end), y, fabs(end - zero), height);
    pts_pen_use(cr, second ? pen_series[0] : pen_curve);
    cairo_fill(cr);
    snprintf(text, sizeof text, "%s%.*f", value < 0 ? "−" : "+", fabs(value) < 9.995 ? 2 : 1,
             fabs(value));
    pts_pen_use(cr, pen_ink);
    pts_pen_text(cr, end + (value < 0 ? -5 : 5), y + height / 2 + 4, text, 11, 0,
                 value < 0 ? PEN_RIGHT : PEN_LEFT, 90);
}

static void draw_rows(cairo_t *cr, const pts_plot_bars *bars, const scale *s)
{
    double pitch = (double)(PLOT_BOTTOM - PLOT_TOP) / (double)bars->rows;
    double height = fmin(0.34 * pitch, 26);
    for (size_t i = 0; i < bars->rows; i++) {
        double middle = PLOT_TOP + ((double)i + 0.5) * pitch;
        pts_pen_use(cr, pen_ink);
        pts_pen_text(cr, PLOT_LEFT - 12, middle + 5, bars->names[i], 13, 1, PEN_RIGHT,
                     PLOT_LEFT - 16);
        draw_bar(cr, s, middle - height - 1, height, bars->values[i][0], 0);
        draw_bar(cr, s, middle + 1, height, bars->values[i][1], 1);
    }
    pts_pen_use(cr, pen_ink);
    cairo_set_line_width(cr, 1);
    pts_pen_line(cr, place(s, 0), PLOT_TOP, place(s, 0), PLOT_BOTTOM);
}

static void draw_legend(cairo_t *cr, const pts_plot_bars *bars)
{
    for (int k = 0; k < 2; k++) {
        double y = PLOT_TOP + 8 + 20 * k;
        cairo_rectangle(cr, PLOT_COLUMN, y - 6, 26, 12);
        pts_pen_use(cr, k ? pen_series[0] : pen_curve);
        cairo_fill(cr);
        pts_pen_use(cr, pen_ink);
        pts_pen_text(cr, PLOT_COLUMN + 34, y + 4, bars->labels[k], 11, 0, PEN_LEFT,
                     PTS_PLOT_WIDTH - PLOT_MARGIN - PLOT_COLUMN - 34);
    }
}

void pts_plot_draw_bars(cairo_t *cr, const pts_plot_bars *bars)
{
    scale s = scale_of(bars);
    pts_pen_page(cr);
    pts_pen_titles(cr, bars->title, bars->subtitle);
    draw_axis(cr, bars, &s);
    draw_rows(cr, bars, &s);
    draw_legend(cr, bars);
}
