/* Rows of measured curves, from any format, and how they become a pts_curve_set. */
#ifndef PTS_SRC_CURVE_TABLE_H
#define PTS_SRC_CURVE_TABLE_H

#include "pts/curve.h"

enum { PTS_TABLE_BYTES = 64 << 20, PTS_TABLE_CURVES = 100000 };

typedef struct table_row {
    const char *dataset, *class_name; /* borrowed until pts_table_build has copied them */
    double n, values[3];              /* map, map50, map75 */
    double weight;
    size_t index;
} table_row;

typedef struct point_table {
    table_row *rows;
    size_t count, capacity;
    bool weighted;  /* the file has weights */
    bool every_row; /* copies of a row stay */
} point_table;

pts_status pts_table_add(point_table *table, table_row row, pts_error *err);

/* Groups the rows by (dataset, class); curves in the order of their first row, n rising; copies of
 * a row are left out unless every_row says otherwise. */
pts_status pts_table_build(point_table *table, const char *path, pts_curve_set **out,
                           pts_error *err);

/* With the columns dataset and class, copies left out or every row kept; or as pilot results. */
typedef enum table_kind { TABLE_CURVES, TABLE_EVERY_ROW, TABLE_PILOT } table_kind;
pts_status pts_table_read_csv(const char *path, table_kind kind, pts_curve_set **out,
                              pts_error *err);

#endif
