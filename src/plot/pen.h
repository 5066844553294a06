/* What every figure is drawn with: colours, lines of text, strokes. */
#ifndef PTS_SRC_PLOT_PEN_H
#define PTS_SRC_PLOT_PEN_H

#include "pts/plot.h"

#include <cairo.h>

typedef struct pen_colour {
    double r, g, b, a;
} pen_colour;

/* Okabe and Ito's palette for data, greys for everything else. */
static const pen_colour pen_ink = {0.13, 0.13, 0.13, 1}, pen_muted = {0.38, 0.38, 0.38, 1},
                        pen_hairline = {0.90, 0.90, 0.90, 1}, pen_white = {1, 1, 1, 1},
                        pen_curve = {0.00, 0.447, 0.698, 1}, pen_band = {0.00, 0.447, 0.698, 0.17},
                        pen_other = {0.800, 0.475, 0.655, 1}, pen_target = {0.302, 0.302, 0.302, 1};
static const pen_colour pen_series[PTS_PLOT_SERIES_MAX] = {
    {0.835, 0.369, 0.000, 1}, {0.000, 0.620, 0.451, 1}, {0.800, 0.475, 0.655, 1},
    {0.902, 0.624, 0.000, 1}, {0.337, 0.706, 0.914, 1}, {0.130, 0.130, 0.130, 1}};

typedef enum pen_align { PEN_LEFT, PEN_CENTRE, PEN_RIGHT } pen_align;

void pts_pen_use(cairo_t *cr, pen_colour c);
void pts_pen_font(cairo_t *cr, double size, int bold);
double pts_pen_width(cairo_t *cr, const char *text); /* in the font that is set */
void pts_pen_line(cairo_t *cr, double x0, double y0, double x1, double y1);

/* One line with its baseline at y; wider than `width`, it is set smaller (to 4/5), then cut. */
void pts_pen_text(cairo_t *cr, double x, double y, const char *text, double size, int bold,
                  pen_align side, double width);

/* Title and subtitle, either of them NULL, above the axes. */
void pts_pen_titles(cairo_t *cr, const char *title, const char *subtitle);

/* A white page, and text that is laid out alike at every scale. */
void pts_pen_page(cairo_t *cr);

#endif
