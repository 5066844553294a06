/* csv of curves and of pilot results; grouping of rows. */
#include "curve/table.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pts_status pts_table_add(point_table *table, table_row row, pts_error *err)
{
    PTS_TRY(pts_grow(&table->rows, &table->capacity, table->count + 1, sizeof row, err));
    row.index = table->count;
    table->rows[table->count++] = row;
    return PTS_OK;
}

static int compare_names(const table_row *x, const table_row *y)
{
    int order = strcmp(x->dataset, y->dataset);
    return order ? order : strcmp(x->class_name, y->class_name);
}

static int compare_index(size_t x, size_t y)
{
    return (x > y) - (x < y);
}

/* Ties by the place in the file, as qsort is not stable. */
static int by_curve(const void *a, const void *b)
{
    const table_row *x = a, *y = b;
    int order = compare_names(x, y);
    return order ? order : compare_index(x->index, y->index);
}

/* Ties as by_curve. */
static int by_size(const void *a, const void *b)
{
    const table_row *x = a, *y = b;
    int order = pts_compare_doubles(&x->n, &y->n);
    return order ? order : compare_index(x->index, y->index);
}

/* NAN, a column that is not there, equals NAN. */
static int by_values(const void *a, const void *b)
{
    const table_row *x = a, *y = b;
    int order = pts_compare_doubles(&x->n, &y->n);
    for (int k = 0; order == 0 && k < 3; k++)
        order = pts_compare_doubles(&x->values[k], &y->values[k]);
    return order ? order : pts_compare_doubles(&x->weight, &y->weight);
}

static int by_all(const void *a, const void *b)
{
    int order = by_values(a, b);
    return order ? order
                 : compare_index(((const table_row *)a)->index, ((const table_row *)b)->index);
}

/* A run of rows [first, first + count) that are one curve. */
typedef struct group {
    size_t first, count, index; /* index: of its first row in the file */
} group;

static int by_index(const void *a, const void *b)
{
    return compare_index(((const group *)a)->index, ((const group *)b)->index);
}

/* Sorted by curve, then back into the order of the file, which is that of all output. */
static pts_status find_groups(point_table *table, const char *path, group **out, size_t *count,
                              pts_error *err)
{
    size_t capacity = 0;
    qsort(table->rows, table->count, sizeof *table->rows, by_curve);
    for (size_t i = 0; i < table->count; i++) {
        if (i > 0 && compare_names(&table->rows[i - 1], &table->rows[i]) == 0) {
            (*out)[*count - 1].count++;
            continue;
        }
        if (*count == PTS_TABLE_CURVES)
            return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %d curves", path,
                            PTS_TABLE_CURVES);
        PTS_TRY(pts_grow(out, &capacity, *count + 1, sizeof **out, err));
        (*out)[(*count)++] = (group){i, 1, table->rows[i].index};
    }
    qsort(*out, *count, sizeof **out, by_index);
    return PTS_OK;
}

/* Seeds give a size several results, but hardly the same in every digit unless all found nothing: a
 * row that equals another, and is not of zeros, is a copy, of a file pasted to itself. Returns the
 * number of rows that are left, n rising: with `every`, all. */
static size_t drop_copies(table_row *rows, size_t count, bool every)
{
    size_t kept = every ? count : 1;
    qsort(rows, count, sizeof *rows, by_all);
    for (size_t i = 1; !every && i < count; i++) {
        if (rows[i].values[0] == 0 || by_values(&rows[kept - 1], &rows[i]) != 0)
            rows[kept++] = rows[i];
    }
    qsort(rows, kept, sizeof *rows, by_size);
    return kept;
}

/* One block holds all columns, freed by its first. */
static pts_status fill_curve(const point_table *table, const group *g, pts_curve_points *out,
                             pts_error *err)
{
    table_row *rows = table->rows + g->first;
    size_t count = g->count, kept = drop_copies(rows, count, table->every_row);
    out->dataset = strdup(rows[0].dataset);
    out->class_name = strdup(rows[0].class_name);
    PTS_TRY(pts_new(&out->n, kept, 5 * sizeof *out->n, err));
    if (!out->dataset || !out->class_name)
        return pts_fail_memory(err, strlen(rows[0].dataset) + strlen(rows[0].class_name));
    out->count = kept;
    out->duplicates = count - kept;
    out->map = out->n + kept;
    out->map50 = out->n + 2 * kept;
    out->map75 = out->n + 3 * kept;
    out->weight = table->weighted ? out->n + 4 * kept : NULL;
    for (size_t i = 0; i < kept; i++) {
        out->n[i] = rows[i].n;
        out->map[i] = rows[i].values[0];
        out->map50[i] = rows[i].values[1];
        out->map75[i] = rows[i].values[2];
        out->n[4 * kept + i] = rows[i].weight;
    }
    return PTS_OK;
}

/* One unit a file: a lone curve of small values must not stay a hundred times too large. */
static bool divide_percent(point_table *table)
{
    double most = 0;
    for (size_t i = 0; i < table->count; i++) {
        for (size_t k = 0; k < 3; k++)
            most = fmax(most, table->rows[i].values[k]);
    }
    for (size_t i = 0; most > 1 && i < table->count; i++) {
        for (size_t k = 0; k < 3; k++)
            table->rows[i].values[k] /= 100;
    }
    return most > 1;
}

static pts_status fill_set(point_table *table, const char *path, group **groups, pts_curve_set *set,
                           pts_error *err)
{
    size_t count = 0;
    PTS_TRY(find_groups(table, path, groups, &count, err));
    set->percent = divide_percent(table);
    PTS_TRY(pts_new(&set->curves, count, sizeof *set->curves, err));
    set->count = count;
    for (size_t i = 0; i < count; i++)
        PTS_TRY(fill_curve(table, &(*groups)[i], &set->curves[i], err));
    return PTS_OK;
}

pts_status pts_table_build(point_table *table, const char *path, pts_curve_set **out,
                           pts_error *err)
{
    group *groups = NULL;
    *out = NULL;
    if (table->count == 0)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected at least one measured point, got none",
                        path);
    PTS_TRY(pts_new(out, 1, sizeof **out, err));
    pts_status status = fill_set(table, path, &groups, *out, err);
    free(groups);
    if (status != PTS_OK) {
        pts_curves_destroy(*out);
        *out = NULL;
    }
    return status;
}

void pts_curves_destroy(pts_curve_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++) {
        free((char *)set->curves[i].dataset);
        free((char *)set->curves[i].class_name);
        free(set->curves[i].n);
    }
    free(set->curves);
    free(set);
}

enum { DATASET, CLASS, SIZE, MAP, MAP50, MAP75, WEIGHT, COLUMNS };
static const char *const column_names[COLUMNS] = {"dataset", "class", "n",     "map",
                                                  "map50",   "map75", "weight"};

/* Where each column is, from the header; −1 where it is not. */
static pts_status read_header(pts_csv *csv, const bool *required, int *where, pts_error *err)
{
    bool more;
    PTS_TRY(pts_csv_next(csv, &more, err));
    if (!more)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a header and rows, got an empty file",
                        csv->path);
    for (int k = 0; k < COLUMNS; k++) {
        where[k] = -1;
        for (size_t i = 0; i < csv->count; i++) {
            if (strcmp(csv->fields[i], column_names[k]) == 0)
                where[k] = (int)i;
        }
        if (required[k] && where[k] < 0)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: line 1: expected a header with a column '%s', got '%s…'",
                            csv->path, column_names[k], csv->fields[0]);
    }
    return PTS_OK;
}

/* The number in column k, within [low, high]; strtod alone would also take "0x1p3" and "nan". */
static pts_status read_number(const pts_csv *csv, const int *where, int k, double low, double high,
                              double *out, pts_error *err)
{
    const char *text = csv->fields[where[k]];
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end || text[strspn(text, "0123456789+-.eE")] || !(*out >= low) ||
        !(*out <= high) || (k == SIZE && *out != floor(*out)))
        return pts_fail(err, PTS_ERR_FORMAT,
                        "%s: line %zu: column %s: expected a %s in %g … %g, got '%.60s'", csv->path,
                        csv->line, column_names[k], k == SIZE ? "whole number" : "number", low,
                        high, text);
    return PTS_OK;
}

static pts_status read_row(pts_csv *csv, const int *where, size_t columns, table_row *row,
                           pts_error *err)
{
    if (csv->count != columns)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: line %zu: expected %zu columns, got %zu",
                        csv->path, csv->line, columns, csv->count);
    row->dataset = where[DATASET] >= 0 ? csv->fields[where[DATASET]] : "";
    row->class_name = where[CLASS] >= 0 ? csv->fields[where[CLASS]] : "";
    PTS_TRY(read_number(csv, where, SIZE, 1, 1e9, &row->n, err));
    for (int k = MAP; k <= MAP75; k++) {
        row->values[k - MAP] = NAN;
        if (where[k] >= 0)
            PTS_TRY(read_number(csv, where, k, 0, 100, &row->values[k - MAP], err));
    }
    row->weight = 1;
    if (where[WEIGHT] >= 0)
        PTS_TRY(read_number(csv, where, WEIGHT, 1e-9, 1e9, &row->weight, err));
    return PTS_OK;
}

static pts_status read_rows(pts_csv *csv, const bool *required, point_table *rows, pts_error *err)
{
    int where[COLUMNS];
    PTS_TRY(read_header(csv, required, where, err));
    size_t columns = csv->count;
    rows->weighted = where[WEIGHT] >= 0;
    for (bool more = true;;) {
        table_row row;
        PTS_TRY(pts_csv_next(csv, &more, err));
        if (!more)
            return PTS_OK;
        PTS_TRY(read_row(csv, where, columns, &row, err));
        PTS_TRY(pts_table_add(rows, row, err));
    }
}

/* Closes the csv. */
static pts_status read_table(pts_curve_set **out, pts_csv *csv, const bool *required, bool every,
                             pts_error *err)
{
    point_table rows = {.every_row = every};
    *out = NULL;
    pts_status status = read_rows(csv, required, &rows, err);
    if (status == PTS_OK)
        status = pts_table_build(&rows, csv->path, out, err);
    free(rows.rows);
    pts_csv_close(csv);
    return status;
}

static const bool pilot_columns[COLUMNS] = {[SIZE] = true, [MAP] = true};

pts_status pts_table_read_csv(const char *path, table_kind kind, pts_curve_set **out,
                              pts_error *err)
{
    static const bool all_columns[COLUMNS] = {
        [DATASET] = true, [CLASS] = true, [SIZE] = true, [MAP] = true};
    pts_csv csv;
    *out = NULL;
    PTS_TRY(pts_csv_open(&csv, path, PTS_TABLE_BYTES, err));
    return read_table(out, &csv, kind == TABLE_PILOT ? pilot_columns : all_columns,
                      kind == TABLE_EVERY_ROW, err);
}

/* One task; else the set is released. */
static pts_status check_pilot(pts_curve_set **out, const char *path, pts_error *err)
{
    if ((*out)->count == 1)
        return PTS_OK;
    pts_status status =
        pts_fail(err, PTS_ERR_FORMAT, "%s: expected the points of one task, got %zu curves", path,
                 (*out)->count);
    pts_curves_destroy(*out);
    *out = NULL;
    return status;
}

pts_status pts_pilot_read(pts_curve_set **out, const char *path, pts_error *err)
{
    PTS_TRY(pts_table_read_csv(path, TABLE_PILOT, out, err));
    return check_pilot(out, path, err);
}

/* A spreadsheet's cells come with tabs or semicolons between them, and its decimal sign may then be
 * a comma. */
static void make_commas(char *line, size_t size)
{
    if (!memchr(line, '\t', size) && !memchr(line, ';', size))
        return;
    for (char *c = line; c < line + size; c++) {
        if (*c == ',')
            *c = '.';
        else if (*c == '\t' || *c == ';')
            *c = ',';
    }
}

/* A copy of pasted text as csv, with the header where it has none; such lines are numbers alone,
 * and people type blanks between them. */
static char *copy_pasted(const char *text, size_t size, bool *headless, size_t *length)
{
    static const char header[] = "n,map\n";
    size_t blank = 0;
    while (blank < size && strchr(" \t\r\n", text[blank]) && text[blank])
        blank++;
    *headless = blank < size && strchr("0123456789+-.", text[blank]) && text[blank];
    size_t before = *headless ? sizeof header - 1 : 0;
    char *copy;
    if (!pts_add(size, before + 1, length) || pts_new(&copy, *length, 1, NULL) != PTS_OK)
        return NULL;
    memcpy(copy, header, before);
    *length = before;
    for (size_t i = 0; i < size; i++) {
        if (!*headless || text[i] != ' ')
            copy[(*length)++] = text[i];
    }
    copy[*length] = '\0';
    for (char *line = copy, *end; line < copy + *length; line = end + 1) {
        end = memchr(line, '\n', (size_t)(copy + *length - line));
        end = end ? end : copy + *length;
        make_commas(line, (size_t)(end - line));
    }
    return copy;
}

pts_status pts_pilot_parse(pts_curve_set **out, const char *name, const char *text, size_t size,
                           pts_error *err)
{
    pts_csv csv;
    bool headless;
    size_t length;
    *out = NULL;
    if (size > PTS_TABLE_BYTES)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: expected at most %d bytes, got %zu", name,
                        PTS_TABLE_BYTES, size);
    char *copy = copy_pasted(text, size, &headless, &length);
    if (!copy)
        return pts_fail_memory(err, size);
    PTS_TRY(pts_csv_take(&csv, name, copy, length, err));
    if (headless)
        csv.next_line = 0; /* messages count the lines that people see */
    PTS_TRY(read_table(out, &csv, pilot_columns, false, err));
    return check_pilot(out, name, err);
}
