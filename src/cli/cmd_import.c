/* ptstrain import: measured curves of a file into the store, as done jobs of one run. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "pts/curve.h"
#include "pts/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct import_options {
    const char *store, *trainer, *settings, *mode, *dataset;
} import_options;

typedef struct importer {
    const import_options *options;
    const char *path;
    pts_store *store;
    size_t curves, points, known; /* curves: added, one a seed */
    pts_error err;
} importer;

enum { MOST_REPEATS = 1000 }; /* of one size: the most seeds that collect takes */

/* A class that is called by its number is known by it. */
static int class_number(const char *name)
{
    long value;
    char text[24];
    if (!cli_integer(name, &value) || value < 0 || value > 1000000)
        return -1;
    snprintf(text, sizeof text, "%ld", value);
    return strcmp(text, name) == 0 ? (int)value : -1;
}

/* ---- One curve, one seed ---- */

typedef struct one_curve {
    pts_store_job job;
    pts_store_point *points;
    size_t count;
} one_curve;

/* The k-th measurement of each size, in the order of the file, is the curve of the k-th seed. */
static void take_repeat(one_curve *out, const pts_curve_points *curve, size_t repeat)
{
    size_t before = 0;
    out->count = 0;
    out->job.seed = repeat;
    for (size_t i = 0; i < curve->count; i++) {
        before = i > 0 && curve->n[i] == curve->n[i - 1] ? before + 1 : 0;
        if (before == repeat) {
            out->points[out->count] = (pts_store_point){.step = out->count,
                                                        .n = (size_t)curve->n[i],
                                                        .map = curve->map[i],
                                                        .map50 = curve->map50[i],
                                                        .map75 = curve->map75[i],
                                                        .val_map = NAN,
                                                        .kind = ""};
            out->count++;
        }
    }
}

typedef struct comparison {
    const one_curve *curve;
    size_t same, points;
} comparison;

/* To the nine digits of curves.csv. */
static bool same_number(double a, double b)
{
    return fabs(a - b) <= 1e-8 || (isnan(a) && isnan(b));
}

static int compare_point(void *user, const pts_store_job *job, const pts_store_point *point)
{
    comparison *c = user;
    const pts_store_job *ours = &c->curve->job;
    if (job->class_id != ours->class_id || strcmp(job->class_name, ours->class_name) != 0 ||
        job->seed != ours->seed || job->n != 0)
        return 0;
    c->points++;
    if (point->step < c->curve->count) {
        const pts_store_point *p = &c->curve->points[point->step];
        c->same += p->n == point->n && same_number(p->map, point->map) &&
                   same_number(p->map50, point->map50) && same_number(p->map75, point->map75);
    }
    return 0;
}

/* What is there is left alone, so it has to be the same. */
static pts_status compare(importer *in, const one_curve *curve)
{
    const pts_store_job *job = &curve->job;
    const pts_store_filter filter = {job->dataset, job->hash, job->trainer, job->settings,
                                     job->mode};
    comparison c = {.curve = curve};
    PTS_TRY(pts_store_each(in->store, &filter, compare_point, &c, &in->err));
    in->known++;
    if (c.same == curve->count && c.points == curve->count)
        return PTS_OK;
    return pts_fail(&in->err, PTS_ERR_FORMAT,
                    "%.120s: %.60s, %.60s: the store has other points of this curve from trainer "
                    "'%.60s' (import as another --trainer)",
                    in->path, job->dataset, job->class_name, job->trainer);
}

static pts_status import_one(importer *in, const one_curve *curve)
{
    pts_store_claim claim;
    PTS_TRY(pts_store_take(in->store, &curve->job, true, &claim, &in->err));
    if (claim.state == PTS_STORE_DONE)
        return compare(in, curve);
    if (claim.state != PTS_STORE_TAKEN)
        return pts_fail(&in->err, PTS_ERR_IO, "%.100s: %.60s: %.300s", in->options->store,
                        curve->job.dataset, claim.reason);
    in->curves++;
    in->points += curve->count;
    return pts_store_done(in->store, claim.job, curve->points, curve->count, &in->err);
}

static pts_status import_seeds(importer *in, const pts_curve_points *curve, one_curve *one)
{
    for (size_t repeat = 0;; repeat++) {
        take_repeat(one, curve, repeat);
        if (one->count == 0)
            return PTS_OK;
        if (repeat == MOST_REPEATS)
            return pts_fail(&in->err, PTS_ERR_LIMIT,
                            "%.120s: %.60s, %.60s: expected at most %d measurements of a size, got "
                            "more",
                            in->path, one->job.dataset, curve->class_name, MOST_REPEATS);
        PTS_TRY(import_one(in, one));
    }
}

static pts_status import_curve(importer *in, const pts_curve_points *curve)
{
    const import_options *o = in->options;
    one_curve one = {.job = {.dataset = o->dataset ? o->dataset : curve->dataset,
                             .hash = PTS_STORE_UNKNOWN,
                             .class_id = class_number(curve->class_name),
                             .class_name = curve->class_name,
                             .trainer = o->trainer,
                             .settings = o->settings,
                             .mode = o->mode}};
    PTS_TRY(pts_new(&one.points, curve->count, sizeof *one.points, &in->err));
    pts_status status = import_seeds(in, curve, &one);
    free(one.points);
    return status;
}

/* ---- The file ---- */

/* The store keeps single trainings: what a row is the mean of would be lost. And one name for two
 * data sets would make one of them. */
static pts_status check_set(importer *in, const pts_curve_set *set)
{
    if (set->curves[0].weight)
        return pts_fail(&in->err, PTS_ERR_FORMAT,
                        "%.200s: expected results of single trainings, got a column 'weight': the "
                        "store has no place for it",
                        in->path);
    for (size_t i = 1; in->options->dataset && i < set->count; i++) {
        if (strcmp(set->curves[i].dataset, set->curves[0].dataset) != 0)
            return pts_fail(&in->err, PTS_ERR_SHAPE,
                            "%.200s: expected one data set, to be called '%.60s', got '%.60s' and "
                            "'%.60s'",
                            in->path, in->options->dataset, set->curves[0].dataset,
                            set->curves[i].dataset);
    }
    return PTS_OK;
}

static pts_status import_set(importer *in, const pts_curve_set *set)
{
    const pts_store_run run = {.command = "ptstrain import", .environment = in->path};
    PTS_TRY(check_set(in, set));
    PTS_TRY(pts_store_open(&in->store, in->options->store, PTS_STORE_WRITE, &in->err));
    PTS_TRY(pts_store_run_begin(in->store, &run, &in->err));
    for (size_t i = 0; i < set->count; i++)
        PTS_TRY(import_curve(in, &set->curves[i]));
    return PTS_OK;
}

static int import(const cli_syntax *syntax, const import_options *o, const char *path)
{
    importer in = {.options = o, .path = path};
    pts_curve_set *set;
    if (pts_curves_read_rows(&set, path, &in.err) != PTS_OK)
        return cli_fail(syntax, "%s", in.err.message);
    if (set->percent)
        fprintf(stderr, "%s: %s: mAP taken for percent\n", syntax->command, path);
    pts_status status = import_set(&in, set);
    pts_store_close(in.store);
    pts_curves_destroy(set);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s", in.err.message);
    fprintf(stderr, "%s: %zu curves of %zu points added, %zu were there already\n", syntax->command,
            in.curves, in.points, in.known);
    return CLI_DONE;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    const import_options *o = user;
    if (!o->store || !o->trainer)
        return cli_wrong(syntax, "expected %s, got none",
                         o->store ? "--trainer NAME" : "--store FILE");
    if (operands->count != 1)
        return cli_wrong(syntax, "expected one file of curves, got %zu", operands->count);
    if (strcmp(o->mode, "fresh") != 0 && strcmp(o->mode, "incremental") != 0 &&
        strcmp(o->mode, "base") != 0)
        return cli_wrong(syntax, "--mode: expected fresh, incremental or base, got '%s'", o->mode);
    return import(syntax, o, operands->items[0]);
}

int cmd_import(int argc, char **argv)
{
    import_options o = {.settings = "imported", .mode = "fresh"};
    const cli_option options[] = {
        {"--store", 0, CLI_TEXT, &o.store, "FILE", "made where there is none"},
        {"--trainer", 0, CLI_TEXT, &o.trainer, "NAME", "whose curves these are"},
        {"--dataset", 0, CLI_TEXT, &o.dataset, "NAME", "for the name that the file gives"},
        {"--settings", 0, CLI_TEXT, &o.settings, "TEXT", "the trainer's settings (imported)"},
        {"--mode", 0, CLI_TEXT, &o.mode, "MODE", "fresh, incremental or base (fresh)"},
    };
    return CLI_RUN(options, argc, argv, run, &o, "ptstrain import",
                   "--store FILE --trainer NAME [OPTION …] curves.csv|processed_result.json",
                   "ptstrain import --store runs.db --trainer yolov8m-seg curves.csv");
}
