#include "cli/export_plots.h"
#include "cli/figure_names.h"

#include "base/error.h"
#include "base/memory.h"
#include "pts/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAP, MAP50, MAP75, GIB, METRICS };
static const double gib = 1024.0 * 1024 * 1024;

typedef struct row {
    double n, value[METRICS]; /* NAN where not known */
    bool retrained;           /* "blue" */
} row;

typedef struct plotter {
    const char *folder;
    char dataset[256], class_name[256];
    row *rows; /* of the class at hand, [count] */
    size_t count, room;
    cli_figure *names; /* of the classes so far, [classes]; the last is at hand */
    size_t classes, names_room;
    size_t figures;
    bool incremental;
    pts_status status;
    pts_error err;
} plotter;

static int by_n(const void *a, const void *b)
{
    const row *x = a, *y = b;
    return (x->n > y->n) - (x->n < y->n);
}

/* n and the mean of a metric at each size; returns the sizes that have one. */
static size_t means_of(const plotter *p, int metric, double *n, double *mean)
{
    size_t sizes = 0;
    for (size_t i = 0; i < p->count;) {
        double sum = 0, at = p->rows[i].n;
        size_t known = 0;
        for (; i < p->count && p->rows[i].n == at; i++) {
            if (isfinite(p->rows[i].value[metric])) {
                sum += p->rows[i].value[metric];
                known++;
            }
        }
        if (known) {
            n[sizes] = at;
            mean[sizes++] = sum / (double)known;
        }
    }
    return sizes;
}

/* The points of a metric, of kept (0) or retrained (1) steps, or of both (-1). */
static size_t points_of(const plotter *p, int metric, int retrained, double *n, double *y)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (!isfinite(p->rows[i].value[metric]) ||
            (retrained >= 0 && p->rows[i].retrained != retrained))
            continue;
        n[count] = p->rows[i].n;
        y[count++] = p->rows[i].value[metric];
    }
    return count;
}

static const char memory_ending[] = "-memory";

static pts_status write_figure(plotter *p, const char *ending, const pts_plot *plot)
{
    pts_plot titled = *plot;
    char path[4096], whole[32], subtitle[300];
    snprintf(whole, sizeof whole, "%s.svg", ending);
    if (!cli_figure_path(&p->names[p->classes - 1], p->folder, whole, path, sizeof path))
        return pts_fail(&p->err, PTS_ERR_ARGUMENT, "%.200s: the name of a figure is too long",
                        p->folder);
    snprintf(subtitle, sizeof subtitle, "class %s", p->class_name);
    titled.title = p->dataset;
    titled.subtitle = subtitle;
    PTS_TRY(pts_plot_write(path, &titled, &p->err));
    p->figures++;
    return PTS_OK;
}

static void add_series(pts_plot_series *series, size_t *count, const char *label, const double *n,
                       const double *y, size_t points)
{
    if (points)
        series[(*count)++] = (pts_plot_series){label, n, y, points};
}

/* room: [10][count] numbers. */
static pts_status draw_metrics(plotter *p, double *room)
{
    double *line[2] = {room, room + p->count};
    pts_plot_series series[4];
    size_t used = 0, sizes = means_of(p, MAP, line[0], line[1]);
    static const char *const names[] = {"mAP", "mAP50", "mAP75"};
    if (sizes < 2)
        return PTS_OK;
    for (int m = p->incremental ? MAP50 : MAP; m <= MAP75; m++) {
        double *n = room + (size_t)(2 + 2 * m) * p->count, *y = n + p->count;
        add_series(series, &used, names[m], n, y, points_of(p, m, -1, n, y));
    }
    double *blue = room + 8 * p->count, *green = room + 2 * p->count;
    if (p->incremental) {
        add_series(series, &used, "mAP, weights kept", green, green + p->count,
                   points_of(p, MAP, 0, green, green + p->count));
        add_series(series, &used, "mAP, retrained", blue, blue + p->count,
                   points_of(p, MAP, 1, blue, blue + p->count));
    }
    pts_plot plot = {.curve_label = "mean mAP",
                     .n = line[0],
                     .y = line[1],
                     .count = sizes,
                     .series = series,
                     .series_count = used,
                     .tight = 1};
    return write_figure(p, "", &plot);
}

static pts_status draw_memory(plotter *p, double *room)
{
    double *n = room, *mean = room + p->count, *all = room + 2 * p->count, *y = all + p->count;
    size_t sizes = means_of(p, GIB, n, mean), points = points_of(p, GIB, -1, all, y);
    if (sizes < 2)
        return PTS_OK;
    const pts_plot_series series = {"each step", all, y, points};
    pts_plot plot = {.curve_label = "mean",
                     .n = n,
                     .y = mean,
                     .count = sizes,
                     .series = &series,
                     .series_count = 1,
                     .y_limit = 1e6,
                     .y_title = "peak memory, GiB"};
    return write_figure(p, memory_ending, &plot);
}

static pts_status draw_class(plotter *p)
{
    double *room;
    PTS_TRY(pts_new(&room, p->count, 10 * sizeof *room, &p->err));
    qsort(p->rows, p->count, sizeof *p->rows, by_n);
    pts_status status = draw_metrics(p, room);
    if (status == PTS_OK)
        status = draw_memory(p, room);
    free(room);
    return status;
}

/* Of the rows gathered so far; after a failure of anything nothing more is drawn. */
static void finish_class(plotter *p)
{
    if (p->count && p->status == PTS_OK)
        p->status = draw_class(p);
    p->count = 0;
    p->incremental = false;
}

static pts_status add_row(plotter *p, const pts_store_point *point)
{
    PTS_TRY(pts_grow(&p->rows, &p->room, p->count + 1, sizeof *p->rows, &p->err));
    p->rows[p->count++] = (row){
        (double)point->n,
        {point->map, point->map50, point->map75,
         point->peak_bytes ? (double)point->peak_bytes / gib : NAN},
        strcmp(point->kind, "blue") == 0,
    };
    p->incremental |= *point->kind != '\0';
    return PTS_OK;
}

static pts_status begin_class(plotter *p, const pts_store_job *job)
{
    snprintf(p->dataset, sizeof p->dataset, "%s", job->dataset);
    snprintf(p->class_name, sizeof p->class_name, "%s", job->class_name);
    PTS_TRY(pts_grow(&p->names, &p->names_room, p->classes + 1, sizeof *p->names, &p->err));
    cli_figure_set(&p->names[p->classes], p->classes, job->dataset, job->class_name);
    cli_figures_number(p->names, ++p->classes, memory_ending);
    return PTS_OK;
}

/* Points come class by class. */
static int visit(void *user, const pts_store_job *job, const pts_store_point *point)
{
    plotter *p = user;
    if (p->count == 0 || strcmp(job->dataset, p->dataset) != 0 ||
        strcmp(job->class_name, p->class_name) != 0) {
        finish_class(p);
        if (p->status == PTS_OK)
            p->status = begin_class(p, job);
    }
    if (p->status == PTS_OK)
        p->status = add_row(p, point);
    return p->status != PTS_OK;
}

int export_plots(const cli_syntax *syntax, pts_store *store, const pts_store_filter *filter,
                 const char *folder)
{
    plotter p = {.folder = folder};
    pts_error err;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return cli_fail(syntax, "%s: %s", folder, strerror(errno));
    pts_status status = pts_store_each(store, filter, visit, &p, &err);
    finish_class(&p);
    free(p.rows);
    free(p.names);
    if (p.status != PTS_OK)
        return cli_fail(syntax, "%s", p.err.message);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    fprintf(stderr, "%s: %zu figures written to %s\n", syntax->command, p.figures, folder);
    return CLI_DONE;
}
