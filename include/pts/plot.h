/* pts/plot.h: a learning curve as a figure, or a bar chart, SVG or PNG (feature `plot`: cairo).
 *
 *   double n[200], y[200], low[200], high[200];   // a curve and its band, sampled by the caller
 *   pts_plot_target target = {.y = 0.5, .n = 310, .n_low = 140, .n_high = 720, .confidence = 0.8};
 *   pts_plot plot = {.title = "Predicted learning curve", .n = n, .y = y, .count = 200,
 *                    .low = low, .high = high, .target = &target};
 *   if (pts_plot_write("curve.svg", &plot, &err) != PTS_OK) …
 *
 * The figure is 800 × 480 units: points in SVG, two pixels each in PNG. The x axis is logarithmic
 * (training-set size in images, ticks at 1, 2, 5 · 10^k), the y axis is mAP. Legend and parameters
 * stand beside the axes, so they never cover data. Colours are those of Okabe and Ito (2008,
 * "Color Universal Design"), which stay apart under every common colour blindness; series differ
 * in their marker as well.
 *
 * Everything is borrowed for the length of the call. Strings are UTF-8. A member left zero is
 * absent. The functions keep no state and may be called from several threads at once. */
#ifndef PTS_PLOT_H
#define PTS_PLOT_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PTS_PLOT_WIDTH = 800, PTS_PLOT_HEIGHT = 480, PTS_PLOT_SERIES_MAX = 6 };

/* Measured points: n [count] in 1 … 1e12 images, y [count] in 0 … pts_plot.y_limit. */
typedef struct pts_plot_series {
    const char *label;
    const double *n, *y;
    size_t count;
} pts_plot_series;

typedef enum pts_plot_answer {
    PTS_PLOT_REACHED,     /* at n images, within n_low … n_high */
    PTS_PLOT_ALREADY_MET, /* the curve starts above the target; n and the interval are ignored */
    PTS_PLOT_UNREACHABLE  /* the curve stays below the target; likewise */
} pts_plot_answer;

typedef struct pts_plot_target {
    double y; /* 0 … 1 */
    pts_plot_answer answer;
    double n;             /* where the curve meets it */
    double n_low, n_high; /* 0 ≤ n_low ≤ n_high ≤ INFINITY; both 0: no interval */
    double confidence;    /* of the interval, 0.8 for 80 %; 0: not said */
} pts_plot_target;

/* mAP(n) = (A − D) / (1 + (n/C)^B) + D, and the fit's quality in percent (negative: not shown).
 * A parameter NAN is shown as not determined. */
typedef struct pts_plot_parameters {
    double A, B, C, D, smape;
} pts_plot_parameters;

typedef struct pts_plot {
    const char *title, *subtitle;
    const char *curve_label, *band_label; /* NULL: "curve", "band" */
    const double *n, *y;                  /* [count], count ≥ 2, n rising, in 1 … 1e12 */
    const double *low, *high;             /* [count], low ≤ high, or both NULL */
    size_t count;
    const double *other;           /* [count]: a second curve at the same n, dash-dotted, or NULL */
    const char *other_label;       /* NULL: "before" */
    const pts_plot_series *series; /* [series_count] */
    size_t series_count;
    const pts_plot_target *target;
    const pts_plot_parameters *parameters;
    double n_min, n_max;           /* the x axis; both 0: all samples and points */
    int tight;                     /* y axis from 0 to just above the data, not to 1 */
    double y_limit;                /* other quantities than mAP go up to this, tight; 0: 1 */
    const char *n_title, *y_title; /* NULL: "training images", "mAP" */
} pts_plot;

/* Writes the figure as the name's end says, .svg or .png, first under a temporary name.
 * PTS_ERR_ARGUMENT: another ending, or a plot that breaks a rule above (the message names it);
 * PTS_ERR_IO: the file cannot be written. After a failure the old file, if any, is still there. */
pts_status pts_plot_write(const char *path, const pts_plot *plot, pts_error *err);

/* The same into memory: *svg (malloc, the caller frees it), NUL-terminated, of *size bytes. */
pts_status pts_plot_svg(const pts_plot *plot, char **svg, size_t *size, pts_error *err);

/* Pairs of bars from a common zero, a row a name, each with its number at its end: what changing a
 * parameter down and up does. The same page, palette and files. */
enum { PTS_PLOT_ROWS_MAX = 8 };

typedef struct pts_plot_bars {
    const char *title, *subtitle, *axis_title; /* NULL: absent */
    const char *const *names;                  /* [rows] */
    const char *labels[2];                     /* of a pair's first and second bar */
    const double (*values)[2];                 /* [rows][2], finite, |value| ≤ 1e12 */
    size_t rows;                               /* 1 … PTS_PLOT_ROWS_MAX */
} pts_plot_bars;

pts_status pts_plot_write_bars(const char *path, const pts_plot_bars *bars, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
