/* The store's curves as a table or as the study's JSON. */
#include "base/error.h"
#include "pts/file.h"
#include "data/store.h"

#include <string.h>
#ifdef PTS_HAVE_JSON
#include <jansson.h>
#endif

#define WHERE                                                                                      \
    " FROM result WHERE (?1 IS NULL OR dataset = ?1) AND (?2 IS NULL OR trainer = ?2)"             \
    " AND (?3 IS NULL OR settings = ?3) "

typedef struct point {
    const char *dataset, *class_name;
    sqlite3_int64 class_id, n;
    double map, map50, map75;
} point;

/* Where points go, in the order of the curves. */
typedef struct sink {
    FILE *file;
#ifdef PTS_HAVE_JSON
    json_t *curves, *curve; /* curve: the last of curves, borrowed */
#endif
    pts_status (*put)(struct sink *to, const point *p, pts_error *err);
} sink;

static pts_status query_filtered(const pts_store *store, sqlite3_stmt **out, const char *sql,
                                 const pts_store_filter *filter, pts_error *err)
{
    PTS_TRY(store_prepare(store, out, sql, err));
    if (!filter)
        return PTS_OK;
    sqlite3_bind_text(*out, 1, filter->dataset, -1, SQLITE_STATIC); /* NULL binds NULL */
    sqlite3_bind_text(*out, 2, filter->trainer, -1, SQLITE_STATIC);
    sqlite3_bind_text(*out, 3, filter->settings, -1, SQLITE_STATIC);
    return PTS_OK;
}

/* Two trainers, or two settings of one, are two curves: their mean would be nobody's. */
static pts_status check_one_trainer(const pts_store *store, const pts_store_filter *filter,
                                    pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(query_filtered(store, &query, "SELECT DISTINCT trainer, settings" WHERE "ORDER BY 1, 2",
                           filter, err));
    pts_status status = PTS_OK;
    int pairs = 0, code;
    while ((code = sqlite3_step(query)) == SQLITE_ROW && pairs < 2) {
        if (++pairs == 2)
            status = pts_fail(err, PTS_ERR_ARGUMENT,
                              "%s: expected results of one trainer with one settings text, got "
                              "several, as trainer '%.60s' with settings '%.200s'",
                              store->path, (const char *)sqlite3_column_text(query, 0),
                              (const char *)sqlite3_column_text(query, 1));
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = store_fail(store, err);
    else if (pairs == 0)
        status =
            pts_fail(err, PTS_ERR_SHAPE, "%s: expected results to export, got none", store->path);
    sqlite3_finalize(query);
    return status;
}

static pts_status put_csv(sink *to, const point *p, pts_error *err)
{
    (void)err; /* pts_output_commit tells of a full disk */
    pts_csv_field(to->file, p->dataset);
    fputc(',', to->file);
    pts_csv_field(to->file, p->class_name);
    fprintf(to->file, ",%lld,%.9g,%.9g,%.9g\n", (long long)p->n, p->map, p->map50, p->map75);
    return PTS_OK;
}

#ifdef PTS_HAVE_JSON
static int same_curve(const json_t *curve, const point *p)
{
    return curve && json_integer_value(json_object_get(curve, "class_num")) == p->class_id &&
           strcmp(json_string_value(json_object_get(curve, "dataset")), p->dataset) == 0 &&
           strcmp(json_string_value(json_object_get(curve, "class")), p->class_name) == 0;
}

static pts_status put_json(sink *to, const point *p, pts_error *err)
{
    if (!same_curve(to->curve, p)) {
        to->curve =
            json_pack("{s:I, s:{}, s:[], s:s, s:s}", "class_num", (json_int_t)p->class_id,
                      "result_dict", "cls_tl_dict", "dataset", p->dataset, "class", p->class_name);
        if (!to->curve || json_array_append_new(to->curves, to->curve) != 0) {
            to->curve = NULL;
            return pts_fail(err, PTS_ERR_FORMAT, "%s, %s: expected names in UTF-8", p->dataset,
                            p->class_name);
        }
    }
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

static pts_status put_points(const pts_store *store, const pts_store_filter *filter, sink *to,
                             size_t *rows, pts_error *err)
{
    sqlite3_stmt *query;
    PTS_TRY(query_filtered(store, &query,
                           "SELECT dataset, class, class_name, n, avg(map), avg(map50), "
                           "avg(map75)" WHERE "GROUP BY dataset, class, class_name, n "
                           "ORDER BY dataset, class, class_name, n",
                           filter, err));
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
        int good = code == SQLITE_ROW && p.dataset && p.class_name;
        status = good ? to->put(to, &p, err) : store_fail(store, err);
        *rows += status == PTS_OK;
    }
    sqlite3_finalize(query);
    return status;
}

static pts_status write_csv(const pts_store *store, const pts_store_filter *filter, FILE *file,
                            size_t *rows, pts_error *err)
{
    sink to = {.file = file, .put = put_csv};
    fputs("dataset,class,n,map,map50,map75\n", file);
    return put_points(store, filter, &to, rows, err);
}

static pts_status write_json(const pts_store *store, const pts_store_filter *filter, FILE *file,
                             size_t *rows, pts_error *err)
{
#ifdef PTS_HAVE_JSON
    sink to = {.file = file, .put = put_json, .curves = json_array()};
    if (!to.curves)
        return pts_fail_memory(err, sizeof(json_t));
    pts_status status = put_points(store, filter, &to, rows, err);
    if (status == PTS_OK && json_dumpf(to.curves, file, JSON_INDENT(1)) == 0)
        fputc('\n', file);
    json_decref(to.curves);
    return status;
#else
    (void)filter, (void)file, (void)rows;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: built without jansson", store->path);
#endif
}

/* In one transaction, so that a writer at work does not come between check and rows. */
static pts_status write_snapshot(const pts_store *store, const pts_store_filter *filter, int csv,
                                 FILE *file, size_t *rows, pts_error *err)
{
    PTS_TRY(store_run(store, "BEGIN", err));
    pts_status status = check_one_trainer(store, filter, err);
    if (status == PTS_OK)
        status = (csv ? write_csv : write_json)(store, filter, file, rows, err);
    pts_status end = store_run(store, "COMMIT", status == PTS_OK ? err : NULL);
    return status == PTS_OK ? end : status;
}

pts_status pts_store_export(pts_store *store, const char *path, const pts_store_filter *filter,
                            size_t *rows, pts_error *err)
{
    size_t points = 0;
    int csv = pts_path_ends(path, ".csv");
    if (!csv && !pts_path_ends(path, ".json"))
        return pts_fail(err, PTS_ERR_ARGUMENT, "%s: expected a name in .csv or .json", path);
    pts_output out;
    PTS_TRY(pts_output_open(&out, path, err));
    pts_status status = write_snapshot(store, filter, csv, out.file, &points, err);
    if (status == PTS_OK)
        status = pts_output_commit(&out, err);
    else
        pts_output_discard(&out);
    if (rows)
        *rows = status == PTS_OK ? points : 0;
    return status;
}
