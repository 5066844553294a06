/* The figures themselves, onto any cairo context scaled to the figure's units. */
#ifndef PTS_SRC_PLOT_DRAW_H
#define PTS_SRC_PLOT_DRAW_H

#include "plot/axes.h"

#include <cairo.h>

/* cairo keeps the first failure itself: the caller asks cairo_status afterwards. */
void pts_plot_draw(cairo_t *cr, const pts_plot *plot);
void pts_plot_draw_bars(cairo_t *cr, const pts_plot_bars *bars);

#endif
