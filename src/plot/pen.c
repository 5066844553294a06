#include "plot/pen.h"
#include "plot/axes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void pts_pen_use(cairo_t *cr, pen_colour c)
{
    cairo_set_source_rgba(cr, c.r, c.g, c.b, c.a);
}

void pts_pen_font(cairo_t *cr, double size, int bold)
{
    cairo_select_font_face(cr, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
}

double pts_pen_width(cairo_t *cr, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    return extents.x_advance;
}

/* The length without the last character, whole or begun. */
static size_t drop_character(const char *text, size_t length)
{
    do
        length--;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80);
    return length;
}

/* Leaves as many whole characters as fit with an ellipsis; text [room] is changed in place. */
static void cut_text(cairo_t *cr, char *text, size_t room, double width)
{
    size_t length = strlen(text);
    while (length > 0 && pts_pen_width(cr, text) > width) {
        length = drop_character(text, length);
        snprintf(text + length, room - length, "…");
    }
}

void pts_pen_text(cairo_t *cr, double x, double y, const char *text, double size, int bold,
                  pen_align side, double width)
{
    char line[512];
    const size_t room = sizeof line - 4; /* an ellipsis may follow */
    if ((size_t)snprintf(line, room, "%s", text) >= room)
        line[drop_character(line, room - 1)] = '\0';
    pts_pen_font(cr, size, bold);
    double natural = pts_pen_width(cr, line);
    if (natural > width)
        pts_pen_font(cr, size * fmax(0.8, width / natural), bold);
    if (natural * 0.8 > width)
        cut_text(cr, line, sizeof line, width);
    natural = pts_pen_width(cr, line);
    cairo_move_to(cr, x - (side == PEN_LEFT ? 0 : side == PEN_RIGHT ? natural : natural / 2), y);
    cairo_show_text(cr, line);
}

void pts_pen_line(cairo_t *cr, double x0, double y0, double x1, double y1)
{
    cairo_move_to(cr, x0, y0);
    cairo_line_to(cr, x1, y1);
    cairo_stroke(cr);
}

void pts_pen_titles(cairo_t *cr, const char *title, const char *subtitle)
{
    const double room = PTS_PLOT_WIDTH - PLOT_LEFT - PLOT_MARGIN;
    pts_pen_use(cr, pen_ink);
    if (title)
        pts_pen_text(cr, PLOT_LEFT, 30, title, 16, 1, PEN_LEFT, room);
    pts_pen_use(cr, pen_muted);
    if (subtitle)
        pts_pen_text(cr, PLOT_LEFT, 50, subtitle, 12, 0, PEN_LEFT, room);
}

void pts_pen_page(cairo_t *cr)
{
    cairo_font_options_t *options = cairo_font_options_create();
    pts_pen_use(cr, pen_white);
    cairo_paint(cr);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cr, options);
    cairo_font_options_destroy(options);
}
