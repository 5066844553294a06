/* The axes of a figure: where a size and an mAP lie on the page. */
#ifndef PTS_SRC_PLOT_AXES_H
#define PTS_SRC_PLOT_AXES_H

#include "pts/plot.h"

/* The rectangle of the axes on the page, in the figure's units, y downwards; right of it stands
 * the column of legend and parameters. */
enum {
    PLOT_LEFT = 66,
    PLOT_TOP = 70,
    PLOT_RIGHT = 590,
    PLOT_BOTTOM = 418,
    PLOT_COLUMN = 608,
    PLOT_MARGIN = 18
};

typedef struct plot_axes {
    double n_min, n_max; /* logarithmic */
    double y_min, y_max, y_step;
} plot_axes;

plot_axes pts_plot_axes_for(const pts_plot *plot);

double pts_plot_axes_x(const plot_axes *axes, double n);
double pts_plot_axes_y(const plot_axes *axes, double y);

/* The ticks m·10^k in the axis' range, m a digit of `multiples` ("125"), rising; returns how many
 * were stored, at most `room`. */
size_t pts_plot_axes_ticks(const plot_axes *axes, const char *multiples, double *ticks,
                           size_t room);

#endif
