/* Figures: well-formed files, marks where the axes say, wrong plots refused, nothing left behind.
 * Positions are computed here from the documented layout, and looked up in the PNG's pixels. */
#include "temporary_folder.h"
#include "well_formed.h"

#include "plot/axes.h"

#include <cairo.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static double curve_n[2] = {1, 10000}, curve_y[2] = {0.1, 0.7};
static double band_low[2] = {0.05, 0.5}, band_high[2] = {0.15, 0.9};
static double point_n[3] = {1, 100, 5000}, point_y[3] = {0, 0.5, 0.125};
static const pts_plot_series points = {"measured", point_n, point_y, 3};

static pts_plot simple_plot(void)
{
    return (pts_plot){.title = "A title", .n = curve_n, .y = curve_y, .count = 2};
}

/* Removes `name` (NULL: nothing was to be written); fails if the folder holds anything else. */
static void leave_folder(const char *name)
{
    if (name)
        ck_assert_int_eq(unlink(in_folder(name)), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    char *text = calloc(1, 1 << 20);
    ck_assert_ptr_nonnull(text);
    size_t got = fread(text, 1, (1 << 20) - 1, file);
    ck_assert_uint_gt(got, 0);
    ck_assert_uint_lt(got, (1 << 20) - 1);
    fclose(file);
    return text;
}

static int count_of(const char *text, const char *needle)
{
    int count = 0;
    for (const char *at = strstr(text, needle); at; at = strstr(at + 1, needle))
        count++;
    return count;
}

START_TEST(svg_is_well_formed)
{
    make_folder();
    pts_error err;
    pts_plot plot = simple_plot();
    plot.title = "<&> \"quoted\" µ";
    plot.low = band_low;
    plot.high = band_high;
    plot.series = &points;
    plot.series_count = 1;
    ck_assert_int_eq(pts_plot_write(in_folder("a.svg"), &plot, &err), PTS_OK);
    char *text = read_text(in_folder("a.svg"));
    ck_assert_int_eq(strncmp(text, "<?xml", 5), 0);
    assert_well_formed(text);
    ck_assert_ptr_nonnull(strstr(text, "viewBox=\"0 0 800 480\""));
    /* Three points and the legend's: filled with the first series' vermillion. */
    ck_assert_int_eq(count_of(text, "fill:rgb(83.5%,36.9%,0%)"), 4);
    free(text);
    leave_folder("a.svg");
}
END_TEST

/* A process of its own: cairo numbers the surfaces of a process, and the numbers are in the file.
 */
static char *fresh_svg(void)
{
    pts_plot plot = simple_plot();
    pid_t child = fork();
    if (child == 0)
        _exit(pts_plot_write(in_folder("a.svg"), &plot, NULL) == PTS_OK ? 0 : 1);
    int status = 1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    return read_text(in_folder("a.svg"));
}

START_TEST(same_plot_gives_the_same_bytes)
{
    make_folder();
    char *first = fresh_svg(), *second = fresh_svg();
    ck_assert(strcmp(first, second) == 0);
    free(first);
    free(second);
    leave_folder("a.svg");
}
END_TEST

/* The PNG of a plot; the caller destroys the surface. */
static cairo_surface_t *render(const pts_plot *plot)
{
    make_folder();
    pts_error err = {""};
    ck_assert_msg(pts_plot_write(in_folder("a.png"), plot, &err) == PTS_OK, "%s", err.message);
    cairo_surface_t *surface = cairo_image_surface_create_from_png(in_folder("a.png"));
    ck_assert_int_eq(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
    ck_assert_int_eq(cairo_image_surface_get_width(surface), 1600);
    ck_assert_int_eq(cairo_image_surface_get_height(surface), 960);
    leave_folder("a.png");
    return surface;
}

/* 0xRRGGBB at a place in the figure's units, two pixels each. */
static unsigned pixel(cairo_surface_t *surface, double x, double y)
{
    const unsigned char *data = cairo_image_surface_get_data(surface);
    const unsigned *row =
        (const unsigned *)(const void *)(data + (long)lround(2 * y) *
                                                    cairo_image_surface_get_stride(surface));
    return row[lround(2 * x)] & 0xFFFFFF;
}

/* The layout on its own: axes 66 … 590 across, 70 … 418 down. */
static double place_x(double n, double n_min, double n_max)
{
    return 66 + (590 - 66) * (log10(n) - log10(n_min)) / (log10(n_max) - log10(n_min));
}

static double place_y(double y)
{
    return 418 - (418 - 70) * y;
}

enum { VERMILLION = 0xD55E00, BLUE = 0x0072B2, WHITE = 0xFFFFFF };

START_TEST(points_lie_where_the_axes_say)
{
    pts_plot plot = simple_plot();
    plot.series = &points;
    plot.series_count = 1;
    cairo_surface_t *surface = render(&plot);
    for (size_t i = 0; i < 3; i++) {
        double x = place_x(point_n[i], 1, 10000), y = place_y(point_y[i]);
        ck_assert_uint_eq(pixel(surface, x, y), VERMILLION);
        /* Radius 4: its colour ends on every side at the same distance. */
        for (int side = 0; side < 4; side++) {
            double dx = side < 2 ? 2 * side - 1 : 0, dy = side < 2 ? 0 : 2 * side - 5;
            ck_assert_uint_eq(pixel(surface, x + 3 * dx, y + 3 * dy), VERMILLION);
            ck_assert_uint_ne(pixel(surface, x + 6 * dx, y + 6 * dy), VERMILLION);
        }
    }
    cairo_surface_destroy(surface);
}
END_TEST

START_TEST(curve_and_band_lie_where_the_axes_say)
{
    pts_plot plot = simple_plot();
    plot.low = band_low;
    plot.high = band_high;
    cairo_surface_t *surface = render(&plot);
    /* Between its two samples the curve is straight on the page; n = 30 has no grid line. */
    double share = log10(30) / 4, x = place_x(30, 1, 10000);
    ck_assert_uint_eq(pixel(surface, x, place_y(0.1 + share * 0.6)), BLUE);
    double low = 0.05 + share * 0.45, high = 0.15 + share * 0.75;
    unsigned in_band = pixel(surface, x, place_y(low) - 6);
    ck_assert_uint_ne(in_band, WHITE);
    ck_assert_uint_eq(pixel(surface, x, place_y(high) + 6), in_band);
    ck_assert_uint_eq(pixel(surface, x, place_y(low) + 6), WHITE);
    ck_assert_uint_eq(pixel(surface, x, place_y(high) - 6), WHITE);
    cairo_surface_destroy(surface);
}
END_TEST

START_TEST(intersection_is_ringed)
{
    pts_plot_target target = {.y = 0.4, .n = 100, .n_low = 30, .n_high = INFINITY};
    pts_plot plot = simple_plot();
    plot.target = &target;
    cairo_surface_t *surface = render(&plot);
    double x = place_x(100, 1, 10000), y = place_y(0.4);
    ck_assert_uint_eq(pixel(surface, x, y), WHITE);
    ck_assert_uint_eq(pixel(surface, x + 5, y), 0x212121);
    ck_assert_uint_eq(pixel(surface, place_x(60, 1, 10000), y), 0x4D4D4D); /* the interval's bar */
    ck_assert_uint_eq(pixel(surface, place_x(30, 1, 10000), y - 4), 0x4D4D4D); /* its cap */
    ck_assert_uint_eq(pixel(surface, 590 - 6, y - 2), 0x4D4D4D);               /* open: an arrow */
    cairo_surface_destroy(surface);
}
END_TEST

/* Dash-dotted, so not every pixel is its colour: some along the line must be, none far from it. */
START_TEST(other_curve_lies_where_the_axes_say)
{
    static double other[2] = {0.9, 0.9};
    pts_plot plot = simple_plot();
    plot.other = other;
    cairo_surface_t *surface = render(&plot);
    int on = 0, off = 0;
    for (double x = 70; x < 586; x += 0.5) {
        on += pixel(surface, x, place_y(0.9)) == 0xCC79A7;
        off += pixel(surface, x, place_y(0.9) + 4) == 0xCC79A7;
    }
    ck_assert_int_gt(on, 500);
    ck_assert_int_lt(on, 900);
    ck_assert_int_eq(off, 0);
    cairo_surface_destroy(surface);
}
END_TEST

static const char *const bar_names[2] = {"A", "B"};

/* Zero and the longest bars' ends leave a margin of 0.16 of the width on either side. */
START_TEST(bars_reach_from_zero_to_their_value)
{
    static const double values[2][2] = {{-4, 6}, {1, 0}};
    const pts_plot_bars bars = {.title = "A title",
                                .axis_title = "change",
                                .names = bar_names,
                                .labels = {"down", "up"},
                                .values = values,
                                .rows = 2};
    make_folder();
    pts_error err = {""};
    ck_assert_msg(pts_plot_write_bars(in_folder("a.png"), &bars, &err) == PTS_OK, "%s",
                  err.message);
    cairo_surface_t *surface = cairo_image_surface_create_from_png(in_folder("a.png"));
    ck_assert_int_eq(cairo_image_surface_get_width(surface), 1600);
    leave_folder("a.png");
    double unit = (590 - 66) / 13.2, zero = 66 + 5.6 * unit;
    double upper = 70 + 348 * 0.25, lower = 70 + 348 * 0.75;
    ck_assert_uint_eq(pixel(surface, zero - 4 * unit + 2, upper - 10), BLUE);
    ck_assert_uint_ne(pixel(surface, zero - 4 * unit - 2, upper - 10), BLUE);
    ck_assert_uint_ne(pixel(surface, zero + 2, upper - 10), BLUE);
    ck_assert_uint_eq(pixel(surface, zero + 6 * unit - 2, upper + 10), VERMILLION);
    ck_assert_uint_ne(pixel(surface, zero + 6 * unit + 2, upper + 10), VERMILLION);
    ck_assert_uint_eq(pixel(surface, zero + unit - 2, lower - 10), BLUE);
    ck_assert_uint_ne(pixel(surface, zero + 2, lower + 10), VERMILLION);
    cairo_surface_destroy(surface);
}
END_TEST

START_TEST(bars_svg_and_refusals)
{
    static const double zeros[2][2] = {{0, 0}, {0, 0}}, wrong[2][2] = {{0, 0}, {0, NAN}};
    pts_plot_bars bars = {
        .names = bar_names, .labels = {"<down>", "up"}, .values = zeros, .rows = 2};
    pts_error err;
    make_folder();
    ck_assert_int_eq(pts_plot_write_bars(in_folder("a.svg"), &bars, &err), PTS_OK);
    char *text = read_text(in_folder("a.svg"));
    assert_well_formed(text);
    ck_assert_ptr_null(strstr(text, "nan"));
    free(text);
    leave_folder("a.svg");
    bars.values = wrong;
    ck_assert_int_eq(pts_plot_write_bars("a.svg", &bars, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "plot: bars: B: expected a finite number up to 1e12, got nan");
    bars.rows = 9;
    ck_assert_int_eq(pts_plot_write_bars("a.svg", &bars, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "plot: bars: expected 1 … 8 rows with names, values and two "
                                  "labels, got 9 rows");
}
END_TEST

START_TEST(all_answers_can_be_drawn)
{
    pts_plot_target targets[] = {
        {.y = 0.9, .answer = PTS_PLOT_UNREACHABLE},
        {.y = 0.02, .answer = PTS_PLOT_ALREADY_MET},
        {.y = 0.6, .n = 3000, .n_low = 3000, .n_high = 3000, .confidence = 0.8},
        {.y = 0.6, .n = 2e9, .n_low = 1e6, .n_high = INFINITY},
        {.y = 0.2, .n = 0.5, .n_low = 0, .n_high = 4},
        {.y = 0, .answer = PTS_PLOT_ALREADY_MET},
        {.y = 1, .answer = PTS_PLOT_UNREACHABLE},
    };
    pts_plot_parameters parameters = {-0.1, 1e-9, 1e30, 0.7, 123.4};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        pts_plot plot = simple_plot();
        plot.target = &targets[i];
        plot.parameters = &parameters;
        plot.tight = i % 2;
        cairo_surface_destroy(render(&plot));
    }
}
END_TEST

START_TEST(ticks_are_1_2_5)
{
    plot_axes axes = {.n_min = 2, .n_max = 1000};
    static const double expected[] = {2, 5, 10, 20, 50, 100, 200, 500, 1000};
    double ticks[16];
    ck_assert_uint_eq(pts_plot_axes_ticks(&axes, "125", ticks, 16), 9);
    for (size_t i = 0; i < 9; i++)
        ck_assert_double_eq_tol(ticks[i], expected[i], 1e-9 * expected[i]);
    ck_assert_uint_eq(pts_plot_axes_ticks(&axes, "125", ticks, 3), 3);
}
END_TEST

START_TEST(axes_enclose_what_is_drawn)
{
    static double n[] = {3, 40}, y[] = {0.01, 0.07}, more_n[] = {2.5, 170}, more_y[] = {0, 0.113};
    pts_plot_series series = {"more", more_n, more_y, 2};
    pts_plot plot = {.n = n, .y = y, .count = 2, .series = &series, .series_count = 1, .tight = 1};
    plot_axes axes = pts_plot_axes_for(&plot);
    ck_assert_double_eq_tol(axes.n_min, 2, 1e-12);
    ck_assert_double_eq_tol(axes.n_max, 200, 1e-9);
    ck_assert_double_eq_tol(axes.y_step, 0.02, 1e-12);
    ck_assert_double_eq_tol(axes.y_max, 0.12, 1e-12);
    plot.tight = 0;
    ck_assert_double_eq(pts_plot_axes_for(&plot).y_max, 1);
}
END_TEST

START_TEST(long_and_wide_text_is_cut)
{
    make_folder();
    char title[2000];
    for (size_t i = 0; i < sizeof title - 2; i += 2)
        memcpy(title + i, "é", 3);
    pts_error err;
    pts_plot plot = simple_plot();
    for (size_t shift = 0; shift < 2; shift++) { /* a cut inside a character, and between two */
        title[0] = 'e', title[1] = 'e';
        plot.title = title + shift;
        plot.curve_label = title + 2;
        ck_assert_msg(pts_plot_write(in_folder("a.svg"), &plot, &err) == PTS_OK, "%s", err.message);
    }
    leave_folder("a.svg");
}
END_TEST

static void assert_refused(const pts_plot *plot, const char *message)
{
    make_folder();
    pts_error err = {""};
    ck_assert_int_eq(pts_plot_write(in_folder("a.svg"), plot, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, message);
    leave_folder(NULL);
}

START_TEST(wrong_curves_are_refused)
{
    static double zero[] = {0, 10}, back[] = {10, 10}, nan_y[] = {0.1, NAN}, huge[] = {1, 1e13};
    pts_plot plot = simple_plot();
    plot.count = 0;
    assert_refused(&plot, "plot: curve: expected at least 2 samples, got 0");
    plot = simple_plot();
    plot.n = zero;
    assert_refused(&plot, "plot: curve, point 0: expected n in 1 … 1e12, got 0");
    plot.n = huge;
    assert_refused(&plot, "plot: curve, point 1: expected n in 1 … 1e12, got 1e+13");
    plot.n = back;
    assert_refused(&plot, "plot: curve, point 1: expected n above 10, got 10");
    plot = simple_plot();
    plot.y = nan_y;
    assert_refused(&plot, "plot: curve, point 1: expected a finite mAP, got nan");
    plot = simple_plot();
    plot.low = band_low;
    assert_refused(&plot, "plot: band: expected low and high, got one of them");
    plot.low = band_high;
    plot.high = band_low;
    assert_refused(&plot, "plot: band, point 0: expected finite low ≤ high, got 0.15 … 0.05");
}
END_TEST

START_TEST(wrong_points_and_targets_are_refused)
{
    double n[] = {NAN}, y[] = {57};
    pts_plot_series series = {"pilot", n, y, 1};
    pts_plot plot = simple_plot();
    plot.series = &series;
    plot.series_count = 1;
    assert_refused(&plot, "plot: pilot, point 0: expected n in 1 … 1e12, got nan");
    n[0] = 3;
    assert_refused(&plot, "plot: pilot, point 0: expected mAP in 0 … 1, got 57");
    series.count = 0;
    assert_refused(&plot, "plot: series: expected a label and points");
    plot.series_count = 7;
    assert_refused(&plot, "plot: expected at most 6 series, got 7");
    plot = simple_plot();
    pts_plot_target target = {.y = -1};
    plot.target = &target;
    assert_refused(&plot, "plot: target: expected mAP in 0 … 1, got -1");
    target.y = 0.5;
    assert_refused(&plot, "plot: target: expected a size n above 0, got 0");
    target.n = 10;
    target.n_low = 30;
    target.n_high = 20;
    assert_refused(&plot, "plot: target: expected an interval n_low ≤ n_high, got 30 … 20");
    plot = simple_plot();
    plot.n_min = 10;
    plot.n_max = 15;
    assert_refused(&plot, "plot: x axis: expected 1 ≤ n_min, 2·n_min ≤ n_max ≤ 1e12, got 10 … 15");
    plot = simple_plot();
    plot.title = "latin1 \xE9";
    assert_refused(&plot, "plot: expected text in UTF-8, got other bytes");
}
END_TEST

START_TEST(wrong_paths_leave_nothing)
{
    make_folder();
    pts_plot plot = simple_plot();
    pts_error err;
    char expected[256];
    ck_assert_int_eq(pts_plot_write(in_folder("a.pdf"), &plot, &err), PTS_ERR_ARGUMENT);
    snprintf(expected, sizeof expected, "%s: expected a name ending in .svg or .png",
             in_folder("a.pdf"));
    ck_assert_str_eq(err.message, expected);
    ck_assert_int_eq(pts_plot_write(in_folder("no/a.svg"), &plot, &err), PTS_ERR_IO);
    snprintf(expected, sizeof expected, "%s: cannot write: No such file or directory",
             in_folder("no/a.svg"));
    ck_assert_str_eq(err.message, expected);
    leave_folder(NULL);
    ck_assert_int_eq(pts_plot_write(NULL, &plot, &err), PTS_ERR_ARGUMENT);
}
END_TEST

CHECK_SUITE("plot", svg_is_well_formed, same_plot_gives_the_same_bytes,
            points_lie_where_the_axes_say, curve_and_band_lie_where_the_axes_say,
            intersection_is_ringed, other_curve_lies_where_the_axes_say,
            bars_reach_from_zero_to_their_value, bars_svg_and_refusals, ticks_are_1_2_5,
            axes_enclose_what_is_drawn, long_and_wide_text_is_cut, wrong_curves_are_refused,
            wrong_points_and_targets_are_refused, wrong_paths_leave_nothing, SLOW,
            all_answers_can_be_drawn)
