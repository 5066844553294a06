#include "plot/draw.h"
#include "plot/pen.h"

#include <stdbool.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double turn = 6.283185307179586; /* C11 has no M_PI */

typedef struct canvas {
    cairo_t *cr;
    const pts_plot *plot;
    plot_axes axes;
} canvas;

/* ---- text ---- */

/* A label inside the axes: a white rim keeps it legible over lines. */
static void put_label(cairo_t *cr, double x, double y, const char *text, double size, int bold)
{
    pts_pen_font(cr, size, bold);
    cairo_move_to(cr, x, y);
    cairo_text_path(cr, text);
    pts_pen_use(cr, pen_white);
    cairo_set_line_width(cr, 3);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(cr);
    pts_pen_use(cr, pen_ink);
    cairo_move_to(cr, x, y);
    cairo_show_text(cr, text);
}

/* A count of images; groups of three from five digits on, apart by a thin space. */
static const char *format_size(char *text, size_t room, double n)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%.0f", n);
    size_t at = 0;
    for (int i = 0; i < length && at + 8 < room; i++) {
        if (length > 4 && i > 0 && (length - i) % 3 == 0)
            at += (size_t)snprintf(text + at, room - at, "\u2009");
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* ---- axes ---- */

/* Ungrouped: a thin space inside would look like the gap between two labels. */
static const char *format_tick(char *text, size_t room, double tick)
{
    snprintf(text, room, "%.0f", tick);
    return text;
}

static bool labels_fit(canvas *c, const double *ticks, size_t count)
{
    double end = -1e9;
    for (size_t i = 0; i < count; i++) {
        char text[64];
        double half = pts_pen_width(c->cr, format_tick(text, sizeof text, ticks[i])) / 2;
        double x = pts_plot_axes_x(&c->axes, ticks[i]);
        if (x - half < end + 6)
            return 0;
        end = x + half;
    }
    return 1;
}

/* Every digit where the axis is short, then 1, 2, 5, then whole decades: the most that fits. */
static void draw_n_axis(canvas *c)
{
    static const char *const choices[] = {"123456789", "125", "1"};
    double ticks[128];
    size_t first = c->axes.n_max / c->axes.n_min < 10 ? 0 : 1, choice = first, count = 0;
    pts_pen_font(c->cr, 11, 0);
    for (; choice < 3; choice++) {
        count = pts_plot_axes_ticks(&c->axes, choices[choice], ticks, 128);
        if (labels_fit(c, ticks, count))
            break;
    }
    double fine[128];
    size_t fine_count = pts_plot_axes_ticks(&c->axes, choices[first], fine, 128);
    cairo_set_line_width(c->cr, 0.8);
    for (size_t i = 0; i < fine_count; i++) {
        double x = pts_plot_axes_x(&c->axes, fine[i]);
        pts_pen_use(c->cr, pen_hairline);
        pts_pen_line(c->cr, x, PLOT_TOP, x, PLOT_BOTTOM);
        pts_pen_use(c->cr, pen_ink);
        pts_pen_line(c->cr, x, PLOT_BOTTOM, x, PLOT_BOTTOM + 3);
    }
    for (size_t i = 0; i < count; i++) {
        char text[64];
        pts_pen_text(c->cr, pts_plot_axes_x(&c->axes, ticks[i]), PLOT_BOTTOM + 17,
                     format_tick(text, sizeof text, ticks[i]), 11, 0, PEN_CENTRE, 200);
    }
    pts_pen_text(c->cr, (PLOT_LEFT + PLOT_RIGHT) / 2.0, PLOT_BOTTOM + 40,
                 or_else(c->plot->n_title, "training images"), 12, 0, PEN_CENTRE,
                 PLOT_RIGHT - PLOT_LEFT);
}

static void draw_y_axis(canvas *c)
{
    /* Whole numbers stay short: with decimals, losses in thousands ran into the title. */
    const double step = c->axes.y_step;
    int decimals = step < 1 ? (int)fmax(1, -floor(log10(step) + 1e-9)) : 0;
    int steps = (int)lround((c->axes.y_max - c->axes.y_min) / c->axes.y_step);
    cairo_set_line_width(c->cr, 0.8);
    for (int i = 0; i <= steps; i++) {
        double value = c->axes.y_min + i * c->axes.y_step, y = pts_plot_axes_y(&c->axes, value);
        char text[32];
        snprintf(text, sizeof text, "%.*f", decimals, value);
        pts_pen_use(c->cr, pen_hairline);
        pts_pen_line(c->cr, PLOT_LEFT, y, PLOT_RIGHT, y);
        pts_pen_use(c->cr, pen_ink);
        pts_pen_line(c->cr, PLOT_LEFT - 3, y, PLOT_LEFT, y);
        pts_pen_text(c->cr, PLOT_LEFT - 8, y + 4, text, 11, 0, PEN_RIGHT, 40);
    }
    cairo_save(c->cr);
    cairo_translate(c->cr, 20, (PLOT_TOP + PLOT_BOTTOM) / 2.0);
    cairo_rotate(c->cr, -turn / 4);
    pts_pen_text(c->cr, 0, 0, or_else(c->plot->y_title, "mAP"), 12, 0, PEN_CENTRE,
                 PLOT_BOTTOM - PLOT_TOP);
    cairo_restore(c->cr);
}

static void draw_frame(canvas *c)
{
    pts_pen_use(c->cr, pen_ink);
    cairo_set_line_width(c->cr, 1);
    pts_pen_line(c->cr, PLOT_LEFT, PLOT_TOP, PLOT_LEFT, PLOT_BOTTOM);
    pts_pen_line(c->cr, PLOT_LEFT, PLOT_BOTTOM, PLOT_RIGHT, PLOT_BOTTOM);
}

/* ---- data ---- */

static void clip_to_axes(cairo_t *cr)
{
    cairo_rectangle(cr, PLOT_LEFT, PLOT_TOP, PLOT_RIGHT - PLOT_LEFT, PLOT_BOTTOM - PLOT_TOP);
    cairo_clip(cr);
}

static void draw_band(canvas *c)
{
    const pts_plot *plot = c->plot;
    for (size_t i = 0; i < plot->count; i++)
        cairo_line_to(c->cr, pts_plot_axes_x(&c->axes, plot->n[i]),
                      pts_plot_axes_y(&c->axes, plot->low[i]));
    for (size_t i = plot->count; i-- > 0;)
        cairo_line_to(c->cr, pts_plot_axes_x(&c->axes, plot->n[i]),
                      pts_plot_axes_y(&c->axes, plot->high[i]));
    cairo_close_path(c->cr);
    pts_pen_use(c->cr, pen_band);
    cairo_fill(c->cr);
}

static void draw_curve(canvas *c)
{
    for (size_t i = 0; i < c->plot->count; i++)
        cairo_line_to(c->cr, pts_plot_axes_x(&c->axes, c->plot->n[i]),
                      pts_plot_axes_y(&c->axes, c->plot->y[i]));
    pts_pen_use(c->cr, pen_curve);
    cairo_set_line_width(c->cr, 2.2);
    cairo_set_line_join(c->cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(c->cr);
}

static void set_dash_dots(cairo_t *cr)
{
    static const double pattern[] = {8, 3, 1.5, 3};
    cairo_set_dash(cr, pattern, 4, 0);
    cairo_set_line_width(cr, 1.8);
    pts_pen_use(cr, pen_other);
}

static void draw_other(canvas *c)
{
    for (size_t i = 0; i < c->plot->count; i++)
        cairo_line_to(c->cr, pts_plot_axes_x(&c->axes, c->plot->n[i]),
                      pts_plot_axes_y(&c->axes, c->plot->other[i]));
    set_dash_dots(c->cr);
    cairo_stroke(c->cr);
    cairo_set_dash(c->cr, NULL, 0, 0);
}

/* Circle, square, triangle, diamond and again, with a white rim that parts touching markers. */
static void draw_marker(cairo_t *cr, double x, double y, size_t series, double r)
{
    cairo_new_path(cr);
    switch (series % 4) {
    case 0:
        cairo_arc(cr, x, y, r, 0, turn);
        break;
    case 1:
        cairo_rectangle(cr, x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
        break;
    case 2:
        cairo_move_to(cr, x, y - 1.2 * r);
        cairo_line_to(cr, x + 1.15 * r, y + 0.8 * r);
        cairo_line_to(cr, x - 1.15 * r, y + 0.8 * r);
        break;
    default:
        cairo_move_to(cr, x, y - 1.25 * r);
        cairo_line_to(cr, x + 1.25 * r, y);
        cairo_line_to(cr, x, y + 1.25 * r);
        cairo_line_to(cr, x - 1.25 * r, y);
    }
    cairo_close_path(cr);
    pts_pen_use(cr, pen_series[series]);
    cairo_fill_preserve(cr);
    pts_pen_use(cr, pen_white);
    cairo_set_line_width(cr, 0.8);
    cairo_stroke(cr);
}

/* Not clipped: a marker at the border stays whole. */
static void draw_series(canvas *c)
{
    size_t points = 0;
    for (size_t s = 0; s < c->plot->series_count; s++)
        points += c->plot->series[s].count;
    double radius = points > 30 ? 2.8 : 4; /* many must not hide the curve */
    for (size_t s = 0; s < c->plot->series_count; s++) {
        const pts_plot_series *series = &c->plot->series[s];
        for (size_t i = 0; i < series->count; i++) {
            double n = series->n[i], y = series->y[i];
            if (n >= c->axes.n_min && n <= c->axes.n_max && y <= c->axes.y_max)
                draw_marker(c->cr, pts_plot_axes_x(&c->axes, n), pts_plot_axes_y(&c->axes, y), s,
                            radius);
        }
    }
}

/* ---- labels inside the axes ---- */

typedef struct box {
    double left, top, width, height;
} box;

static bool inside(const box *b, double x, double y)
{
    return x >= b->left && x <= b->left + b->width && y >= b->top && y <= b->top + b->height;
}

/* How many steps of two units of the broken line n, y [count] lie in the box. */
static int covered_line(canvas *c, const box *b, const double *n, const double *y, size_t count)
{
    int covered = 0;
    for (size_t i = 1; i < count; i++) {
        double x0 = pts_plot_axes_x(&c->axes, n[i - 1]), x1 = pts_plot_axes_x(&c->axes, n[i]);
        double y0 = pts_plot_axes_y(&c->axes, y[i - 1]), y1 = pts_plot_axes_y(&c->axes, y[i]);
        int steps = (int)fmin(2000, hypot(x1 - x0, y1 - y0) / 2) + 1;
        for (int k = 0; k < steps; k++) {
            double t = (double)k / steps;
            covered += inside(b, x0 + t * (x1 - x0), y0 + t * (y1 - y0));
        }
    }
    return covered;
}

/* What a label in this box would hide; edges of the band weigh less than the curve. */
static int cost_of(canvas *c, const box *b)
{
    const pts_plot *plot = c->plot;
    if (b->left < PLOT_LEFT + 2 || b->left + b->width > PLOT_RIGHT || b->top < PLOT_TOP - 14 ||
        b->top + b->height > PLOT_BOTTOM - 2)
        return 100000;
    int cost = 4 * covered_line(c, b, plot->n, plot->y, plot->count);
    if (plot->other)
        cost += covered_line(c, b, plot->n, plot->other, plot->count);
    if (plot->low) {
        cost += covered_line(c, b, plot->n, plot->low, plot->count);
        cost += covered_line(c, b, plot->n, plot->high, plot->count);
    }
    box wide = {b->left - 5, b->top - 5, b->width + 10, b->height + 10};
    for (size_t s = 0; s < plot->series_count; s++)
        for (size_t i = 0; i < plot->series[s].count; i++)
            cost += 20 * inside(&wide, pts_plot_axes_x(&c->axes, plot->series[s].n[i]),
                                pts_plot_axes_y(&c->axes, plot->series[s].y[i]));
    return cost;
}

/* The first of the cheapest boxes: candidates stand in order of taste. */
static box cheapest(canvas *c, const box *candidates, size_t count)
{
    size_t best = 0;
    int best_cost = cost_of(c, &candidates[0]);
    for (size_t i = 1; i < count && best_cost > 0; i++) {
        int cost = cost_of(c, &candidates[i]);
        if (cost < best_cost) {
            best_cost = cost;
            best = i;
        }
    }
    return candidates[best];
}

/* ---- the target ---- */

static void set_dashes(cairo_t *cr)
{
    static const double dashes[] = {5, 3};
    cairo_set_dash(cr, dashes, 2, 0);
}

static void draw_target_line(canvas *c, double y)
{
    pts_pen_use(c->cr, pen_target);
    cairo_set_line_width(c->cr, 1.2);
    set_dashes(c->cr);
    pts_pen_line(c->cr, PLOT_LEFT, y, PLOT_RIGHT, y);
    cairo_set_dash(c->cr, NULL, 0, 0);
}

static void draw_arrow(cairo_t *cr, double x, double y, double direction)
{
    cairo_move_to(cr, x, y);
    cairo_line_to(cr, x - 9 * direction, y - 4.5);
    cairo_line_to(cr, x - 9 * direction, y + 4.5);
    cairo_close_path(cr);
    cairo_fill(cr);
}

static double clamp(double value, double low, double high)
{
    return fmin(fmax(value, low), high);
}

static bool has_interval(const pts_plot_target *target)
{
    return target->n_low > 0 || target->n_high > 0;
}

/* A thick bar on the target line: caps at ends within the axes, arrows at ends beyond them. */
static void draw_interval(canvas *c, const pts_plot_target *target, double y)
{
    cairo_t *cr = c->cr;
    double from = clamp(target->n_low, c->axes.n_min, c->axes.n_max);
    double to = clamp(target->n_high, c->axes.n_min, c->axes.n_max);
    double x0 = pts_plot_axes_x(&c->axes, from), x1 = pts_plot_axes_x(&c->axes, to);
    int left_open = target->n_low<c->axes.n_min, right_open = target->n_high> c->axes.n_max;
    pts_pen_use(cr, pen_target);
    cairo_set_line_width(cr, 3);
    pts_pen_line(cr, x0 + (left_open ? 8 : 0), y, x1 - (right_open ? 8 : 0), y);
    cairo_set_line_width(cr, 1.6);
    if (left_open)
        draw_arrow(cr, x0, y, -1);
    else
        pts_pen_line(cr, x0, y - 5, x0, y + 5);
    if (right_open)
        draw_arrow(cr, x1, y, 1);
    else
        pts_pen_line(cr, x1, y - 5, x1, y + 5);
}

static void draw_intersection(canvas *c, const pts_plot_target *target, double y)
{
    if (target->n < c->axes.n_min || target->n > c->axes.n_max)
        return;
    double x = pts_plot_axes_x(&c->axes, target->n);
    pts_pen_use(c->cr, pen_target);
    cairo_set_line_width(c->cr, 1);
    set_dashes(c->cr);
    pts_pen_line(c->cr, x, y, x, PLOT_BOTTOM);
    cairo_set_dash(c->cr, NULL, 0, 0);
    cairo_new_path(c->cr);
    cairo_arc(c->cr, x, y, 5, 0, turn);
    pts_pen_use(c->cr, pen_white);
    cairo_fill_preserve(c->cr);
    pts_pen_use(c->cr, pen_ink);
    cairo_set_line_width(c->cr, 2);
    cairo_stroke(c->cr);
}

static void format_interval(char *text, size_t room, const pts_plot_target *target)
{
    char low[64], high[64], share[32] = "";
    if (target->confidence > 0)
        snprintf(share, sizeof share, "%g %%: ", 100 * target->confidence);
    format_size(low, sizeof low, target->n_low);
    if (isinf(target->n_high))
        snprintf(text, room, "%sfrom %s, open above", share, low);
    else
        snprintf(text, room, "%s%s – %s", share, low,
                 format_size(high, sizeof high, target->n_high));
}

/* "310 images" over "80 %: 140 – 720", beside the intersection where least is hidden. */
static void label_size(canvas *c, const pts_plot_target *target, double y)
{
    char size[80], number[64], interval[160] = "";
    int beyond = target->n > c->axes.n_max;
    snprintf(size, sizeof size, "%s images%s", format_size(number, sizeof number, target->n),
             beyond ? " →" : "");
    if (has_interval(target))
        format_interval(interval, sizeof interval, target);
    pts_pen_font(c->cr, 13, 1);
    double width = pts_pen_width(c->cr, size);
    pts_pen_font(c->cr, 11, 0);
    width = fmax(width, pts_pen_width(c->cr, interval));
    double height = *interval ? 32 : 16;
    double x = pts_plot_axes_x(&c->axes, clamp(target->n, c->axes.n_min, c->axes.n_max));
    double right = fmin(x + 12, PLOT_RIGHT - width - 4), left = x - 12 - width;
    double above = y - 10 - height, below = y + 10, foot = PLOT_BOTTOM - height - 6;
    const box candidates[] = {{right, below, width, height}, {left, above, width, height},
                              {right, foot, width, height},  {left, below, width, height},
                              {right, above, width, height}, {left, foot, width, height}};
    box b = cheapest(c, candidates, sizeof candidates / sizeof *candidates);
    put_label(c->cr, b.left, b.top + 12, size, 13, 1);
    if (*interval)
        put_label(c->cr, b.left, b.top + 28, interval, 11, 0);
}

/* On the line itself, at one of its ends or in the middle, above or below. */
static void label_line(canvas *c, const char *text, double y)
{
    pts_pen_font(c->cr, 11, 0);
    double width = pts_pen_width(c->cr, text), height = 14;
    double left = PLOT_LEFT + 8, right = PLOT_RIGHT - width - 4;
    double middle = (left + right) / 2, above = y - height - 4, below = y + 5;
    const box candidates[] = {{left, above, width, height},   {right, above, width, height},
                              {left, below, width, height},   {right, below, width, height},
                              {middle, above, width, height}, {middle, below, width, height}};
    box b = cheapest(c, candidates, sizeof candidates / sizeof *candidates);
    put_label(c->cr, b.left, b.top + 11, text, 11, 0);
}

static void draw_target(canvas *c)
{
    const pts_plot_target *target = c->plot->target;
    double y = pts_plot_axes_y(&c->axes, target->y);
    char text[96];
    static const char *const sayings[] = {"", ": already met", ": not reachable on this curve"};
    snprintf(text, sizeof text, "target %.3g%s", target->y, sayings[target->answer]);
    draw_target_line(c, y);
    if (target->answer == PTS_PLOT_REACHED) {
        if (has_interval(target))
            draw_interval(c, target, y);
        draw_intersection(c, target, y);
    }
    label_line(c, text, y);
    if (target->answer == PTS_PLOT_REACHED)
        label_size(c, target, y);
}

/* ---- the column beside the axes ---- */

static const double column_width = PTS_PLOT_WIDTH - PLOT_COLUMN - PLOT_MARGIN;
static const double key_width = 26;

static void legend_text(canvas *c, double y, const char *text)
{
    pts_pen_use(c->cr, pen_ink);
    pts_pen_text(c->cr, PLOT_COLUMN + key_width + 8, y + 4, text, 11, 0, PEN_LEFT,
                 column_width - key_width - 8);
}

static void legend_target(canvas *c, double *y)
{
    const pts_plot_target *target = c->plot->target;
    pts_pen_use(c->cr, pen_target);
    cairo_set_line_width(c->cr, 1.2);
    set_dashes(c->cr);
    pts_pen_line(c->cr, PLOT_COLUMN, *y, PLOT_COLUMN + key_width, *y);
    cairo_set_dash(c->cr, NULL, 0, 0);
    legend_text(c, *y, "wanted mAP");
    *y += 20;
    if (target->answer != PTS_PLOT_REACHED || !has_interval(target))
        return;
    char text[64] = "interval of the size";
    if (target->confidence > 0)
        snprintf(text, sizeof text, "%g %% interval of size", 100 * target->confidence);
    pts_pen_use(c->cr, pen_target);
    cairo_set_line_width(c->cr, 3);
    pts_pen_line(c->cr, PLOT_COLUMN, *y, PLOT_COLUMN + key_width, *y);
    cairo_set_line_width(c->cr, 1.6);
    pts_pen_line(c->cr, PLOT_COLUMN, *y - 5, PLOT_COLUMN, *y + 5);
    pts_pen_line(c->cr, PLOT_COLUMN + key_width, *y - 5, PLOT_COLUMN + key_width, *y + 5);
    legend_text(c, *y, text);
    *y += 20;
}

static double draw_legend(canvas *c)
{
    double y = PLOT_TOP + 8;
    pts_pen_use(c->cr, pen_curve);
    cairo_set_line_width(c->cr, 2.2);
    pts_pen_line(c->cr, PLOT_COLUMN, y, PLOT_COLUMN + key_width, y);
    legend_text(c, y, or_else(c->plot->curve_label, "curve"));
    y += 20;
    if (c->plot->low) {
        cairo_rectangle(c->cr, PLOT_COLUMN, y - 6, key_width, 12);
        pts_pen_use(c->cr, pen_band);
        cairo_fill(c->cr);
        legend_text(c, y, or_else(c->plot->band_label, "band"));
        y += 20;
    }
    if (c->plot->other) {
        set_dash_dots(c->cr);
        pts_pen_line(c->cr, PLOT_COLUMN, y, PLOT_COLUMN + key_width, y);
        cairo_set_dash(c->cr, NULL, 0, 0);
        legend_text(c, y, or_else(c->plot->other_label, "before"));
        y += 20;
    }
    for (size_t s = 0; s < c->plot->series_count; s++, y += 20) {
        draw_marker(c->cr, PLOT_COLUMN + key_width / 2, y, s, 4);
        legend_text(c, y, c->plot->series[s].label);
    }
    if (c->plot->target)
        legend_target(c, &y);
    return y;
}

/* Four significant digits, a true minus sign. */
static void parameter_row(canvas *c, double y, const char *name, double value, const char *unit)
{
    char text[64] = "not determined";
    if (!isnan(value))
        snprintf(text, sizeof text, "%s%.4g%s", value < 0 ? "−" : "", fabs(value), unit);
    pts_pen_use(c->cr, pen_ink);
    pts_pen_text(c->cr, PLOT_COLUMN + 12, y, name, 11, 1, PEN_LEFT, 80);
    pts_pen_text(c->cr, PLOT_COLUMN + column_width - 12, y, text, 11, 0, PEN_RIGHT, 90);
}

static void draw_parameters(canvas *c, double top)
{
    const pts_plot_parameters *p = c->plot->parameters;
    int rows = p->smape >= 0 ? 5 : 4;
    cairo_rectangle(c->cr, PLOT_COLUMN + 0.5, top + 0.5, column_width - 1, 18 * rows + 40);
    pts_pen_use(c->cr, pen_hairline);
    cairo_set_line_width(c->cr, 1);
    cairo_stroke(c->cr);
    pts_pen_use(c->cr, pen_muted);
    pts_pen_text(c->cr, PLOT_COLUMN + 12, top + 20, "(A − D) / (1 + (n/C)ᴮ) + D", 10, 0, PEN_LEFT,
                 column_width - 24);
    parameter_row(c, top + 42, "A", p->A, "");
    parameter_row(c, top + 60, "B", p->B, "");
    parameter_row(c, top + 78, "C", p->C, "");
    parameter_row(c, top + 96, "D", p->D, "");
    if (p->smape >= 0)
        parameter_row(c, top + 114, "SMAPE", p->smape, " %");
}

void pts_plot_draw(cairo_t *cr, const pts_plot *plot)
{
    canvas c = {cr, plot, pts_plot_axes_for(plot)};
    pts_pen_page(cr);
    pts_pen_titles(cr, plot->title, plot->subtitle);
    draw_n_axis(&c);
    draw_y_axis(&c);
    cairo_save(cr);
    clip_to_axes(cr);
    if (plot->low)
        draw_band(&c);
    if (plot->other)
        draw_other(&c);
    draw_curve(&c);
    cairo_restore(cr);
    draw_frame(&c);
    draw_series(&c);
    if (plot->target)
        draw_target(&c);
    double below = draw_legend(&c);
    if (plot->parameters)
        draw_parameters(&c, below + 6);
}
