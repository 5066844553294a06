/* pts_plot_write: refuses what cannot be drawn, then surface, drawing, file. */
#include "pts/plot.h"
#include "base/error.h"
#include "pts/file.h"
#include "plot/draw.h"

#include <cairo-svg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double n_limit = 1e12;

static pts_status check_n(const char *what, size_t i, double n, pts_error *err)
{
    if (!(n >= 1 && n <= n_limit))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "plot: %s, point %zu: expected n in 1 … 1e12, got %g", what, i, n);
    return PTS_OK;
}

static pts_status check_curve(const pts_plot *plot, pts_error *err)
{
    if (!plot->n || !plot->y || plot->count < 2)
        return pts_fail(err, PTS_ERR_ARGUMENT, "plot: curve: expected at least 2 samples, got %zu",
                        plot->n && plot->y ? plot->count : 0);
    if (!plot->low != !plot->high)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "plot: band: expected low and high, got one of them");
    for (size_t i = 0; i < plot->count; i++) {
        PTS_TRY(check_n("curve", i, plot->n[i], err));
        if (i > 0 && plot->n[i] <= plot->n[i - 1])
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "plot: curve, point %zu: expected n above %g, got %g", i,
                            plot->n[i - 1], plot->n[i]);
        if (!isfinite(plot->y[i]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "plot: curve, point %zu: expected a finite mAP, got %g", i, plot->y[i]);
        if (plot->other && !isfinite(plot->other[i]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "plot: other curve, point %zu: expected a finite mAP, got %g", i,
                            plot->other[i]);
        if (plot->low &&
            !(isfinite(plot->low[i]) && isfinite(plot->high[i]) && plot->low[i] <= plot->high[i]))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "plot: band, point %zu: expected finite low ≤ high, got %g … %g", i,
                            plot->low[i], plot->high[i]);
    }
    return PTS_OK;
}

static pts_status check_series(const pts_plot_series *series, double limit, pts_error *err)
{
    if (!series->label || !series->n || !series->y || series->count == 0)
        return pts_fail(err, PTS_ERR_ARGUMENT, "plot: series: expected a label and points");
    for (size_t i = 0; i < series->count; i++) {
        PTS_TRY(check_n(series->label, i, series->n[i], err));
        if (!(series->y[i] >= 0 && series->y[i] <= limit))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "plot: %s, point %zu: expected %s in 0 … %g, got %g", series->label, i,
                            limit == 1 ? "mAP" : "y", limit, series->y[i]);
    }
    return PTS_OK;
}

static pts_status check_target(const pts_plot_target *target, pts_error *err)
{
    if (!(target->y >= 0 && target->y <= 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "plot: target: expected mAP in 0 … 1, got %g",
                        target->y);
    if (target->answer != PTS_PLOT_REACHED)
        return PTS_OK;
    if (!(target->n > 0 && isfinite(target->n)))
        return pts_fail(err, PTS_ERR_ARGUMENT, "plot: target: expected a size n above 0, got %g",
                        target->n);
    int none = target->n_low == 0 && target->n_high == 0;
    if (!none && !(target->n_low >= 0 && target->n_low <= target->n_high))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "plot: target: expected an interval n_low ≤ n_high, got %g … %g",
                        target->n_low, target->n_high);
    if (!(target->confidence >= 0 && target->confidence < 1))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "plot: target: expected a confidence in 0 … 1, got %g", target->confidence);
    return PTS_OK;
}

static pts_status check_plot(const pts_plot *plot, pts_error *err)
{
    PTS_TRY(check_curve(plot, err));
    if (plot->series_count > PTS_PLOT_SERIES_MAX || (plot->series_count && !plot->series))
        return pts_fail(err, PTS_ERR_ARGUMENT, "plot: expected at most %d series, got %zu",
                        PTS_PLOT_SERIES_MAX, plot->series_count);
    for (size_t s = 0; s < plot->series_count; s++)
        PTS_TRY(check_series(&plot->series[s], plot->y_limit > 0 ? plot->y_limit : 1, err));
    if (plot->target)
        PTS_TRY(check_target(plot->target, err));
    const pts_plot_parameters *p = plot->parameters;
    if (p && (isinf(p->A) || isinf(p->B) || isinf(p->C) || isinf(p->D) || !isfinite(p->smape)))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "plot: parameters: expected finite numbers, got %g, %g, %g, %g, %g", p->A,
                        p->B, p->C, p->D, p->smape);
    int none = plot->n_min == 0 && plot->n_max == 0;
    if (!none && !(plot->n_min >= 1 && plot->n_max >= 2 * plot->n_min && plot->n_max <= n_limit))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "plot: x axis: expected 1 ≤ n_min, 2·n_min ≤ n_max ≤ 1e12, got %g … %g",
                        plot->n_min, plot->n_max);
    return PTS_OK;
}

static cairo_status_t write_bytes(void *file, const unsigned char *data, unsigned int size)
{
    return fwrite(data, 1, size, file) == size ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

/* Either kind of figure. */
typedef struct figure {
    const pts_plot *plot;
    const pts_plot_bars *bars;
} figure;

static cairo_status_t draw_on(cairo_surface_t *surface, double scale, const figure *f)
{
    cairo_t *cr = cairo_create(surface);
    cairo_scale(cr, scale, scale);
    if (f->plot)
        pts_plot_draw(cr, f->plot);
    else
        pts_plot_draw_bars(cr, f->bars);
    cairo_status_t status = cairo_status(cr);
    cairo_destroy(cr);
    return status;
}

static cairo_status_t write_svg(FILE *file, const figure *f)
{
    cairo_surface_t *surface =
        cairo_svg_surface_create_for_stream(write_bytes, file, PTS_PLOT_WIDTH, PTS_PLOT_HEIGHT);
    cairo_status_t status = draw_on(surface, 1, f);
    cairo_surface_finish(surface);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    return status;
}

static cairo_status_t write_png(FILE *file, const figure *f)
{
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, 2 * PTS_PLOT_WIDTH, 2 * PTS_PLOT_HEIGHT);
    cairo_status_t status = draw_on(surface, 2, f);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_write_to_png_stream(surface, write_bytes, file);
    cairo_surface_destroy(surface);
    return status;
}

static pts_status fail_cairo(const char *path, cairo_status_t status, pts_error *err)
{
    pts_status code = PTS_ERR_IO;
    if (status == CAIRO_STATUS_NO_MEMORY)
        code = PTS_ERR_MEMORY;
    else if (status == CAIRO_STATUS_INVALID_STRING)
        return pts_fail(err, PTS_ERR_ARGUMENT, "plot: expected text in UTF-8, got other bytes");
    return pts_fail(err, code, "%s: cannot draw: %s", path, cairo_status_to_string(status));
}

static pts_status check_path(const char *path, pts_error *err)
{
    if (pts_path_ends(path, ".svg") || pts_path_ends(path, ".png"))
        return PTS_OK;
    return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected a name ending in .svg or .png", path);
}

static pts_status write_figure(const char *path, const figure *f, pts_error *err)
{
    pts_output out;
    PTS_TRY(pts_output_open(&out, path, err));
    cairo_status_t status =
        pts_path_ends(path, ".svg") ? write_svg(out.file, f) : write_png(out.file, f);
    if (status != CAIRO_STATUS_SUCCESS) {
        pts_output_discard(&out);
        return fail_cairo(path, status, err);
    }
    return pts_output_commit(&out, err);
}

pts_status pts_plot_write(const char *path, const pts_plot *plot, pts_error *err)
{
    if (!path || !plot)
        return pts_fail(err, PTS_ERR_ARGUMENT, "plot: expected a path and a plot, got NULL");
    PTS_TRY(check_path(path, err));
    PTS_TRY(check_plot(plot, err));
    return write_figure(path, &(figure){.plot = plot}, err);
}

pts_status pts_plot_svg(const pts_plot *plot, char **svg, size_t *size, pts_error *err)
{
    *svg = NULL;
    PTS_TRY(check_plot(plot, err));
    FILE *file = open_memstream(svg, size);
    if (!file)
        return pts_fail(err, PTS_ERR_MEMORY, "plot: out of memory");
    cairo_status_t status = write_svg(file, &(figure){.plot = plot});
    if (fclose(file) != 0 && status == CAIRO_STATUS_SUCCESS)
        status = CAIRO_STATUS_NO_MEMORY;
    if (status == CAIRO_STATUS_SUCCESS)
        return PTS_OK;
    free(*svg);
    *svg = NULL;
    return fail_cairo("plot", status, err);
}

static pts_status check_bars(const pts_plot_bars *bars, pts_error *err)
{
    if (bars->rows == 0 || bars->rows > PTS_PLOT_ROWS_MAX || !bars->names || !bars->values ||
        !bars->labels[0] || !bars->labels[1])
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "plot: bars: expected 1 … %d rows with names, values and two labels, got "
                        "%zu rows",
                        PTS_PLOT_ROWS_MAX, bars->rows);
    for (size_t i = 0; i < 2 * bars->rows; i++) {
        double value = bars->values[i / 2][i % 2];
        if (!(fabs(value) <= n_limit))
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "plot: bars: %s: expected a finite number up to 1e12, got %g",
                            bars->names[i / 2], value);
    }
    return PTS_OK;
}

pts_status pts_plot_write_bars(const char *path, const pts_plot_bars *bars, pts_error *err)
{
    if (!path || !bars)
        return pts_fail(err, PTS_ERR_ARGUMENT, "plot: expected a path and bars, got NULL");
    PTS_TRY(check_path(path, err));
    PTS_TRY(check_bars(bars, err));
    return write_figure(path, &(figure){.bars = bars}, err);
}
