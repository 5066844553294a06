/* The store's curves as a table or as the study's JSON. */
#include "base/error.h"
#include "pts/file.h"
#include "store/store.h"

#include <string.h>
#ifdef PTS_HAVE_JSON
#include <jansson.h>
#endif

#define POINTS                                                                                     \
    " FROM point p JOIN job j ON j.id = p.job JOIN dataset d ON d.id = j.dataset" STORE_WHERE      \
    "AND j.state = 2 "

typedef struct point {
    const char *dataset, *class_name;
    sqlite3_int64 class_id, n;
    double map, map50, map75;
} point;

/* What is asked for, and where points go, in the order of the curves. */
typedef struct sink {
    const pts_store *store;
    const pts_store_filter *filter;
    FILE *file;
    bool mean, triples; /* triples: every point has map50 and map75 */
    size_t rows;
#ifdef PTS_HAVE_JSON
    json_t *curves, *curve; /* curve: the last of curves, borrowed */
#endif
    pts_status (*put)(struct sink *to, const point *p, pts_error *err);
} sink;

/* ---- What may stand in one file ---- */

/* Two trainers, or two settings of one, are two curves: their mean would be nobody's. */
static pts_status fail_trainers(const sink *to, sqlite3_stmt *pair, pts_error *err)
{
    return pts_fail(
        err, PTS_ERR_ARGUMENT,
        "%s: expected points of one trainer, settings and mode, got trainer '%.40s' "
        "settings '%.100s' mode '%.20s' and trainer '%.40s' settings '%.100s' mode "
        "'%.20s'",
        to->store->path, (const char *)sqlite3_column_text(pair, 0),
        (const char *)sqlite3_column_text(pair, 1), (const char *)sqlite3_column_text(pair, 2),
        (const char *)sqlite3_column_text(pair, 3), (const char *)sqlite3_column_text(pair, 4),
        (const char *)sqlite3_column_text(pair, 5));
}

static pts_status fail_datasets(const sink *to, sqlite3_stmt *pair, pts_error *err)
{
    return pts_fail(err, PTS_ERR_ARGUMENT,
                    "%s: expected one data set of a name, got two called '%.100s', with hash %.16s "
                    "and hash %.16s",
                    to->store->path, (const char *)sqlite3_column_text(pair, 0),
                    (const char *)sqlite3_column_text(pair, 1),
                    (const char *)sqlite3_column_text(pair, 2));
}

/* Fails where the query, which names what must not stand side by side, gives a row. */
static pts_status expect_none(const sink *to, const char *sql,
                              pts_status (*fail)(const sink *, sqlite3_stmt *, pts_error *),
                              pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(pts_store_bind_filter(to->store, &query, sql, to->filter, err));
    int code = sqlite3_step(query);
    pts_status status = PTS_OK;
    if (code == SQLITE_ROW)
        status = fail(to, query, err);
    else if (code != SQLITE_DONE)
        status = pts_store_fail(to->store, err);
    sqlite3_finalize(query);
    return status;
}

/* A column that some points lack would have holes, which readers of curves do not take. */
static pts_status count_points(sink *to, pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(pts_store_bind_filter(to->store, &query,
                                  "SELECT count(*), min(count(map50), count(map75))" POINTS,
                                  to->filter, err));
    pts_status status = PTS_OK;
    if (sqlite3_step(query) != SQLITE_ROW)
        status = pts_store_fail(to->store, err);
    else if (sqlite3_column_int64(query, 0) == 0)
        status = pts_fail(err, PTS_ERR_SHAPE, "%s: expected results to export, got none",
                          to->store->path);
    to->triples = sqlite3_column_int64(query, 0) == sqlite3_column_int64(query, 1);
    sqlite3_finalize(query);
    return status;
}

/* Points of two trainers, settings or modes would come out as one curve. */
static pts_status check(sink *to, pts_error *err)
{
    PTS_TRY(count_points(to, err));
    PTS_TRY(
        expect_none(to,
                    "WITH found AS (SELECT DISTINCT j.trainer t, j.settings s, j.mode m" POINTS
                    "ORDER BY 1, 2, 3 LIMIT 2) SELECT a.t, a.s, a.m, b.t, b.s, b.m FROM found a "
                    "JOIN found b ON (a.t, a.s, a.m) < (b.t, b.s, b.m)",
                    fail_trainers, err));
    return expect_none(to,
                       "SELECT d.name, min(d.hash), max(d.hash)" POINTS
                       "GROUP BY d.name HAVING min(d.hash) < max(d.hash) ORDER BY 1 LIMIT 1",
                       fail_datasets, err);
}

/* ---- The two shapes ---- */

static pts_status put_csv(sink *to, const point *p, pts_error *err)
{
    (void)err; /* pts_output_commit tells of a full disk */
    pts_csv_field(to->file, p->dataset);
    fputc(',', to->file);
    pts_csv_field(to->file, p->class_name);
    fprintf(to->file, ",%lld,%.9g", (long long)p->n, p->map);
    if (to->triples)
        fprintf(to->file, ",%.9g,%.9g", p->map50, p->map75);
    fputc('\n', to->file);
    return PTS_OK;
}

#ifdef PTS_HAVE_JSON
/* The study knows classes by number; one that is known by its name only keeps that. */
static json_t *class_number(const point *p)
{
    return p->class_id < 0 ? json_string(p->class_name) : json_integer(p->class_id);
}

/* Points come ordered by curve, so only the last one can go on. */
static bool same_curve(const json_t *curve, const point *p)
{
    json_t *number = class_number(p);
    const bool same =
        curve && json_equal(json_object_get(curve, "class_num"), number) &&
        strcmp(json_string_value(json_object_get(curve, "dataset")), p->dataset) == 0 &&
        strcmp(json_string_value(json_object_get(curve, "class")), p->class_name) == 0;
    json_decref(number);
    return same;
}

/* jansson takes UTF-8 alone, which names of folders need not be. */
static pts_status begin_curve(sink *to, const point *p, pts_error *err)
{
    to->curve =
        json_pack("{s:o, s:{}, s:[], s:s, s:s}", "class_num", class_number(p), "result_dict",
                  "cls_tl_dict", "dataset", p->dataset, "class", p->class_name);
    if (to->curve && json_array_append_new(to->curves, to->curve) == 0)
        return PTS_OK;
    to->curve = NULL;
    return pts_fail(err, PTS_ERR_FORMAT, "%s, %s: expected names in UTF-8", p->dataset,
                    p->class_name);
}

/* Results are keyed by their place among the sizes, as the study's files have them. */
static pts_status put_json(sink *to, const point *p, pts_error *err)
{
    if (!same_curve(to->curve, p))
        PTS_TRY(begin_curve(to, p, err));
    json_t *sizes = json_object_get(to->curve, "cls_tl_dict");
    char step[24];
    snprintf(step, sizeof step, "%zu", json_array_size(sizes));
    json_t *figures = json_pack("[f, f, f]", p->map, p->map50, p->map75);
    if (json_object_set_new(json_object_get(to->curve, "result_dict"), step, figures) != 0 ||
        json_array_append_new(sizes, json_integer(p->n)) != 0)
        return pts_fail_memory(err, sizeof *figures);
    return PTS_OK;
}
#endif

static const char one_row_a_point[] =
    "SELECT d.name, j.class, j.class_name, p.n, p.map, p.map50, p.map75" POINTS
    "ORDER BY d.name, j.class, j.class_name, p.n, j.seed, p.step";
static const char one_row_a_size[] =
    "SELECT d.name, j.class, j.class_name, p.n, avg(p.map), avg(p.map50), avg(p.map75)" POINTS
    "GROUP BY d.name, j.class, j.class_name, p.n ORDER BY d.name, j.class, j.class_name, p.n";

/* One statement is one snapshot: writers at work do not show in half a file. */
static pts_status put_points(sink *to, pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(pts_store_bind_filter(to->store, &query, to->mean ? one_row_a_size : one_row_a_point,
                                  to->filter, err));
    pts_status status = PTS_OK;
    int code;
    while (status == PTS_OK && (code = sqlite3_step(query)) != SQLITE_DONE) {
        point p = {.dataset = (const char *)sqlite3_column_text(query, 0),
                   .class_name = (const char *)sqlite3_column_text(query, 2),
                   .class_id = sqlite3_column_int64(query, 1),
                   .n = sqlite3_column_int64(query, 3),
                   .map = sqlite3_column_double(query, 4),
                   .map50 = sqlite3_column_double(query, 5),
                   .map75 = sqlite3_column_double(query, 6)};
        bool good = code == SQLITE_ROW && p.dataset && p.class_name;
        status = good ? to->put(to, &p, err) : pts_store_fail(to->store, err);
        to->rows += status == PTS_OK;
    }
    sqlite3_finalize(query);
    return status;
}

static pts_status write_csv(sink *to, pts_error *err)
{
    to->put = put_csv;
    fprintf(to->file, "dataset,class,n,map%s\n", to->triples ? ",map50,map75" : "");
    return put_points(to, err);
}

/* The study's shape has one result a size, so seeds are averaged. */
static pts_status write_json(sink *to, pts_error *err)
{
#ifdef PTS_HAVE_JSON
    if (!to->triples)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: expected points with map50 and map75, as the study's shape has them, "
                        "got some without",
                        to->store->path);
    to->put = put_json;
    to->mean = true;
    to->curves = json_array();
    if (!to->curves)
        return pts_fail_memory(err, sizeof(json_t));
    pts_status status = put_points(to, err);
    if (status == PTS_OK && json_dumpf(to->curves, to->file, JSON_INDENT(1)) == 0)
        fputc('\n', to->file);
    json_decref(to->curves);
    return status;
#else
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: built without jansson", to->store->path);
#endif
}

/* In one transaction, so that a writer at work does not come between check and rows. */
static pts_status write_snapshot(sink *to, bool csv, pts_error *err)
{
    PTS_TRY(pts_store_exec(to->store, "BEGIN", err));
    pts_status status = check(to, err);
    if (status == PTS_OK)
        status = (csv ? write_csv : write_json)(to, err);
    return pts_store_end(to->store, status, err);
}

pts_status pts_store_export(pts_store *store, const char *path, const pts_store_filter *filter,
                            bool mean, size_t *rows, pts_error *err)
{
    sink to = {.store = store, .filter = filter, .mean = mean};
    bool csv = pts_path_ends(path, ".csv");
    if (rows)
        *rows = 0;
    if (!csv && !pts_path_ends(path, ".json"))
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected a name in .csv or .json", path);
    pts_output out;
    PTS_TRY(pts_output_open(&out, path, err));
    to.file = out.file;
    pts_status status = write_snapshot(&to, csv, err);
    if (status == PTS_OK)
        status = pts_output_commit(&out, err);
    else
        pts_output_discard(&out);
    if (rows && status == PTS_OK)
        *rows = to.rows;
    return status;
}
