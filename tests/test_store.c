/* The store of results: round trips, kills, strangers' and damaged files, exports. */
#define _GNU_SOURCE
#include "check_main.h"
#include "run_program.h"

#include "pts/data.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef PTS_HAVE_JSON
#include <jansson.h>
#endif

static char folder[64], path[128];

static void make_folder(void)
{
    strcpy(folder, "/tmp/pts_test_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/runs.db", folder);
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static pts_store_row row_of(const char *dataset, int class_id, size_t n, uint64_t seed, double map)
{
    return (pts_store_row){
        .key = {dataset, class_id, class_id ? "One" : "Five", n, seed, "builtin", "epochs=5"},
        .map = map,
        .map50 = map / 2,
        .map75 = map / 3,
        .seconds = 1.5,
        .peak_bytes = 1 << 20};
}

static pts_store *open_store(pts_store_mode mode)
{
    pts_store *store;
    pts_error err;
    if (pts_store_open(&store, path, mode, &err) != PTS_OK)
        ck_abort_msg("%s", err.message);
    return store;
}

static void add(pts_store *store, pts_store_row row)
{
    pts_error err;
    if (pts_store_add(store, &row, &err) != PTS_OK)
        ck_abort_msg("%s", err.message);
}

static int count_row(void *user, const pts_store_row *row)
{
    (void)row;
    ++*(size_t *)user;
    return 0;
}

static size_t count_rows(pts_store *store)
{
    size_t count = 0;
    ck_assert_int_eq(pts_store_each(store, count_row, &count, NULL), PTS_OK);
    return count;
}

/* The message of a failed opening. */
static const char *message_of_open(pts_store_mode mode, pts_status expected)
{
    static pts_error err;
    pts_store *store = (pts_store *)&err;
    ck_assert_int_eq(pts_store_open(&store, path, mode, &err), expected);
    ck_assert_ptr_null(store);
    ck_assert_ptr_eq(strstr(err.message, path), err.message);
    return err.message + strlen(path);
}

static char *slurp(const char *name)
{
    static char text[8192];
    char full[192];
    snprintf(full, sizeof full, "%s/%s", folder, name);
    FILE *file = fopen(full, "rb");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* ---- Rows ---- */

static int list_row(void *user, const pts_store_row *row)
{
    char line[128];
    snprintf(line, sizeof line, "%s %d %s %zu %llu %s %s %.17g\n", row->key.dataset,
             row->key.class_id, row->key.class_name, row->key.n, (unsigned long long)row->key.seed,
             row->key.trainer, row->key.settings, row->map);
    strcat(user, line);
    return 0;
}

START_TEST(rows_come_back_in_order)
{
    make_folder();
    pts_store *store = open_store(PTS_STORE_WRITE);
    add(store, row_of("coins", 1, 10, 43, 0.3));
    add(store, row_of("coins", 0, 10, 43, 0.1));
    add(store, row_of("coins", 0, 2, 44, 1));
    add(store, row_of("coins", 0, 2, 43, 0));
    add(store, row_of("bn", 0, 2, INT64_MAX, 1.0 / 3));
    add(store, row_of("coins", 0, 10, 43, 0.2)); /* again: replaces */
    pts_store_close(store);
    store = open_store(PTS_STORE_READ);
    char text[1024] = "";
    ck_assert_int_eq(pts_store_each(store, list_row, text, NULL), PTS_OK);
    ck_assert_str_eq(text, "bn 0 Five 2 9223372036854775807 builtin epochs=5 0.33333333333333331\n"
                           "coins 0 Five 2 43 builtin epochs=5 0\n"
                           "coins 0 Five 10 43 builtin epochs=5 0.20000000000000001\n"
                           "coins 0 Five 2 44 builtin epochs=5 1\n"
                           "coins 1 One 10 43 builtin epochs=5 0.29999999999999999\n");
    pts_store_close(store);
    remove_folder();
}
END_TEST

static int keep_row(void *user, const pts_store_row *row)
{
    pts_store_row *kept = user;
    *kept = *row;
    kept->key = (pts_store_key){0};
    return 1;
}

START_TEST(rows_keep_every_figure_and_can_stop)
{
    make_folder();
    pts_store *store = open_store(PTS_STORE_WRITE);
    add(store, row_of("coins", 0, 2, 43, 0.1));
    pts_store_row kept;
    pts_error err;
    ck_assert_int_eq(pts_store_each(store, keep_row, &kept, &err), PTS_ERR_CANCELLED);
    ck_assert_double_eq(kept.map, 0.1);
    ck_assert_double_eq(kept.map50, 0.05);
    ck_assert_double_eq(kept.map75, 0.1 / 3);
    ck_assert_double_eq(kept.seconds, 1.5);
    ck_assert_uint_eq(kept.peak_bytes, 1 << 20);
    ck_assert_int_gt(kept.created, 1700000000);
    pts_store_close(store);
    remove_folder();
}
END_TEST

START_TEST(every_part_of_the_key_counts)
{
    make_folder();
    pts_store *store = open_store(PTS_STORE_WRITE);
    pts_store_row row = row_of("coins", 0, 2, 43, 0.1);
    add(store, row);
    int has;
    ck_assert_int_eq(pts_store_has(store, &row.key, &has, NULL), PTS_OK);
    ck_assert_int_eq(has, 1);
    pts_store_key others[7];
    for (size_t i = 0; i < 7; i++)
        others[i] = row.key;
    others[0].dataset = "Coins";
    others[1].class_id = 1;
    others[2].class_name = "Five ";
    others[3].n = 3;
    others[4].seed = 0;
    others[5].trainer = "";
    others[6].settings = "epochs=6";
    for (size_t i = 0; i < 7; i++) {
        ck_assert_int_eq(pts_store_has(store, &others[i], &has, NULL), PTS_OK);
        ck_assert_int_eq(has, 0);
        row.key = others[i];
        add(store, row);
    }
    ck_assert_uint_eq(count_rows(store), 8);
    pts_store_close(store);
    remove_folder();
}
END_TEST

START_TEST(rows_out_of_range_are_refused)
{
    make_folder();
    pts_store *store = open_store(PTS_STORE_WRITE);
    pts_error err;
    pts_store_row row = row_of("coins", 0, 2, 43, 1.5);
    ck_assert_int_eq(pts_store_add(store, &row, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message + strlen(path),
                     ": expected map, map50, map75 from 0 to 1, got 1.5, 0.75, 0.5");
    row = row_of("coins", 0, 2, 43, 0.0 / 0.0);
    ck_assert_int_eq(pts_store_add(store, &row, &err), PTS_ERR_ARGUMENT);
    row = row_of("coins", 0, 0, (uint64_t)1 << 63, 0);
    ck_assert_int_eq(pts_store_add(store, &row, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(
        err.message + strlen(path),
        ": expected class ≥ 0, n ≥ 1 and a seed below 2^63, got 0, 0, 9223372036854775808");
    row = row_of("coins", 0, 2, 43, 0);
    row.seconds = -1;
    ck_assert_int_eq(pts_store_add(store, &row, &err), PTS_ERR_ARGUMENT);
    row.key.trainer = NULL;
    ck_assert_int_eq(pts_store_add(store, &row, &err), PTS_ERR_ARGUMENT);
    ck_assert_uint_eq(count_rows(store), 0);
    pts_store_close(store);
    remove_folder();
}
END_TEST

/* ---- Kills and company ---- */

/* A child that adds rows for ever and writes a byte to `pipe` after each. */
static pid_t start_writer(int pipe, const char *dataset, size_t rows)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child)
        return child;
    pts_store *store;
    if (pts_store_open(&store, path, PTS_STORE_WRITE, NULL) != PTS_OK)
        _exit(1);
    for (size_t n = 1; n <= rows; n++) {
        pts_store_row row = row_of(dataset, 0, n, 43, 0.5);
        if (pts_store_add(store, &row, NULL) != PTS_OK || write(pipe, "", 1) != 1)
            _exit(1);
    }
    _exit(0); /* without closing the store */
}

START_TEST(a_killed_writer_loses_nothing)
{
    make_folder();
    for (int round = 0; round < 5; round++) {
        int ends[2], status;
        char byte;
        size_t told = 0;
        unlink(path);
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = start_writer(ends[1], "coins", 1000000);
        close(ends[1]);
        while (told < (size_t)(3 + 7 * round) && read(ends[0], &byte, 1) == 1)
            told++;
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        ck_assert(WIFSIGNALED(status));
        while (read(ends[0], &byte, 1) == 1)
            told++;
        close(ends[0]);
        pts_store *store = open_store(PTS_STORE_READ);
        size_t rows = count_rows(store);
        ck_assert_uint_ge(rows, told);
        ck_assert_uint_le(rows, told + 1);
        pts_store_close(store);
    }
    remove_folder();
}
END_TEST

START_TEST(a_writer_that_ends_without_closing_loses_nothing)
{
    make_folder();
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    waitpid(start_writer(ends[1], "coins", 4), &status, 0);
    ck_assert_int_eq(status, 0);
    pts_store *store = open_store(PTS_STORE_WRITE);
    ck_assert_uint_eq(count_rows(store), 4);
    pts_store_close(store);
    remove_folder();
}
END_TEST

START_TEST(writers_wait_for_each_other)
{
    static const char *const names[] = {"a", "b", "c"};
    make_folder();
    int ends[2], status;
    pid_t children[3];
    ck_assert_int_eq(pipe(ends), 0);
    for (size_t i = 0; i < 3; i++) /* all find no store: one makes it */
        children[i] = start_writer(ends[1], names[i], 20);
    for (size_t i = 0; i < 3; i++) {
        waitpid(children[i], &status, 0);
        ck_assert_int_eq(status, 0);
    }
    pts_store *store = open_store(PTS_STORE_READ);
    ck_assert_uint_eq(count_rows(store), 60);
    pts_store_close(store);
    remove_folder();
}
END_TEST

/* ---- Other files ---- */

static void put(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        ck_abort_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

START_TEST(other_files_are_refused_and_left_alone)
{
    make_folder();
    ck_assert_str_eq(message_of_open(PTS_STORE_READ, PTS_ERR_IO), ": No such file or directory");
    ck_assert_int_ne(access(path, F_OK), 0);
    const char *text = "dataset,class,n,map,map50,map75\ncoins,Five,2,0.1,0.2,0.3\n";
    put(text, strlen(text));
    ck_assert_str_eq(message_of_open(PTS_STORE_WRITE, PTS_ERR_FORMAT),
                     ": expected a store of results, got: file is not a database");
    ck_assert_str_eq(slurp("runs.db"), text);
    unlink(path);
    run_sql("CREATE TABLE mine (x)");
    ck_assert_str_eq(message_of_open(PTS_STORE_WRITE, PTS_ERR_FORMAT),
                     ": expected a store of results, got another database");
    put("", 0);
    ck_assert_str_eq(message_of_open(PTS_STORE_READ, PTS_ERR_FORMAT),
                     ": expected a store of results, got another database");
    unlink(path);
    snprintf(path, sizeof path, "%s/no/runs.db", folder);
    ck_assert_str_eq(message_of_open(PTS_STORE_WRITE, PTS_ERR_IO), ": No such file or directory");
    snprintf(path, sizeof path, "%s", folder);
    message_of_open(PTS_STORE_WRITE, PTS_ERR_IO);
    remove_folder();
}
END_TEST

START_TEST(altered_stores_are_refused)
{
    make_folder();
    pts_store_close(open_store(PTS_STORE_WRITE));
    run_sql("CREATE TRIGGER t AFTER INSERT ON result BEGIN DELETE FROM result; END");
    ck_assert_str_eq(message_of_open(PTS_STORE_WRITE, PTS_ERR_FORMAT),
                     ": expected the one table of a store, got others");
    run_sql("DROP TRIGGER t; PRAGMA user_version = 2");
    ck_assert_str_eq(message_of_open(PTS_STORE_WRITE, PTS_ERR_UNSUPPORTED),
                     ": expected a store of version 1, got 2");
    run_sql("PRAGMA user_version = 1; INSERT INTO result VALUES "
            "('d', 0, 'c', 'b', '', 1, 2, 7.0, 0, 0, 1, 0, 0)");
    pts_store *store = open_store(PTS_STORE_READ);
    size_t count = 0;
    pts_error err;
    ck_assert_int_eq(pts_store_each(store, count_row, &count, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message + strlen(path),
                     ": expected map, map50, map75 from 0 to 1, got 7, 0, 0");
    pts_store_close(store);
    remove_folder();
}
END_TEST

static uint32_t random_state = 7;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

START_TEST(damaged_stores_never_break_the_reader)
{
    make_folder();
    pts_store *store = open_store(PTS_STORE_WRITE);
    for (size_t n = 1; n <= 60; n++)
        add(store, row_of("a data set with a long name", 0, n, 43, 0.5));
    pts_store_close(store);
    static char whole[1 << 16], bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    size_t size = fread(whole, 1, sizeof whole, file), refused = 0;
    fclose(file);
    for (int round = 0; round < 500; round++) {
        memcpy(bytes, whole, size);
        for (uint32_t k = 1 + random_below(8); k--;)
            bytes[random_below((uint32_t)size)] = (char)random_below(256);
        put(bytes, round % 4 ? size : random_below((uint32_t)size));
        pts_error err = {""};
        size_t rows = 0;
        pts_status status = pts_store_open(&store, path, PTS_STORE_READ, &err);
        if (status == PTS_OK)
            status = pts_store_each(store, count_row, &rows, &err);
        ck_assert_int_eq(status == PTS_OK, err.message[0] == '\0');
        refused += status != PTS_OK;
        pts_store_close(store);
    }
    ck_assert_uint_gt(refused, 100);
    remove_folder();
}
END_TEST

/* ---- Exports ---- */

static pts_status export_to(const char *name, const pts_store_filter *filter, size_t *rows,
                            pts_error *err)
{
    char full[192];
    snprintf(full, sizeof full, "%s/%s", folder, name);
    pts_store *store = open_store(PTS_STORE_READ);
    pts_status status = pts_store_export(store, full, filter, rows, err);
    pts_store_close(store);
    return status;
}

static void fill_for_export(void)
{
    pts_store *store = open_store(PTS_STORE_WRITE);
    pts_store_row odd = row_of("a,b", 0, 4, 43, 0.123456789123);
    odd.key.class_name = "say \"x\"";
    add(store, odd);
    add(store, row_of("coins", 0, 10, 43, 0.5));
    add(store, row_of("coins", 0, 2, 43, 0.25));
    add(store, row_of("coins", 0, 2, 44, 0.75));
    add(store, row_of("coins", 1, 2, 43, 0));
    pts_store_close(store);
}

START_TEST(exports_csv)
{
    make_folder();
    fill_for_export();
    size_t rows;
    ck_assert_int_eq(export_to("curves.csv", NULL, &rows, NULL), PTS_OK);
    ck_assert_uint_eq(rows, 4);
    ck_assert_str_eq(slurp("curves.csv"),
                     "dataset,class,n,map,map50,map75\n"
                     "\"a,b\",\"say \"\"x\"\"\",4,0.123456789,0.0617283946,0.041152263\n"
                     "coins,Five,2,0.5,0.25,0.166666667\n"
                     "coins,Five,10,0.5,0.25,0.166666667\n"
                     "coins,One,2,0,0,0\n");
    remove_folder();
}
END_TEST

START_TEST(exports_json)
{
    make_folder();
    fill_for_export();
    size_t rows;
    pts_store_filter filter = {.dataset = "coins"};
#ifdef PTS_HAVE_JSON
    ck_assert_int_eq(export_to("processed_result.json", &filter, &rows, NULL), PTS_OK);
    ck_assert_uint_eq(rows, 3);
    json_t *got = json_loads(slurp("processed_result.json"), 0, NULL);
    json_t *expected = json_loads(
        "[{\"class_num\": 0, \"result_dict\": {\"0\": [0.5, 0.25, 0.16666666666666666], \"1\": "
        "[0.5, 0.25, 0.16666666666666666]}, \"cls_tl_dict\": [2, 10], \"dataset\": \"coins\", "
        "\"class\": \"Five\"}, {\"class_num\": 1, \"result_dict\": {\"0\": [0.0, 0.0, 0.0]}, "
        "\"cls_tl_dict\": [2], \"dataset\": \"coins\", \"class\": \"One\"}]",
        0, NULL);
    ck_assert_ptr_nonnull(expected);
    ck_assert(json_equal(got, expected));
    json_decref(got);
    json_decref(expected);
#else
    ck_assert_int_eq(export_to("processed_result.json", &filter, &rows, NULL), PTS_ERR_UNSUPPORTED);
#endif
    remove_folder();
}
END_TEST

START_TEST(exports_refuse_and_leave_nothing)
{
    make_folder();
    fill_for_export();
    pts_store *store = open_store(PTS_STORE_WRITE);
    pts_store_row other = row_of("coins", 0, 2, 43, 0.5);
    other.key.settings = "epochs=9";
    add(store, other);
    pts_store_close(store);
    pts_error err;
    ck_assert_int_eq(export_to("c.csv", NULL, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message + strlen(path),
                     ": expected results of one trainer with one settings text, got several, as "
                     "trainer 'builtin' with settings 'epochs=9'");
    pts_store_filter filter = {.settings = "epochs=9"};
    size_t rows;
    ck_assert_int_eq(export_to("c.csv", &filter, &rows, NULL), PTS_OK);
    ck_assert_uint_eq(rows, 1);
    unlink(strcat(strcpy(path, folder), "/c.csv"));
    snprintf(path, sizeof path, "%s/runs.db", folder);
    filter.settings = "none";
    ck_assert_int_eq(export_to("c.csv", &filter, &rows, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message + strlen(path), ": expected results to export, got none");
    ck_assert_int_eq(export_to("c.txt", NULL, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "/c.txt: expected a name in .csv or .json"));
    ck_assert_int_eq(export_to("no/c.csv", NULL, NULL, &err), PTS_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.message, "/no/c.csv: cannot write: No such file"));
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing half-written, no journal */
}
END_TEST

/* ---- The command ---- */

static int run_export(const char *args)
{
    return run_program("cd %s && ptstrain export %s", folder, args);
}

START_TEST(command_exports_and_refuses)
{
    make_folder();
    fill_for_export();
    ck_assert_int_eq(run_export("--store runs.db -o c.csv --dataset coins"), 0);
    ck_assert_str_eq(ran.err, "ptstrain export: 3 points written to c.csv\n");
    ck_assert_str_eq(slurp("c.csv"), "dataset,class,n,map,map50,map75\n"
                                     "coins,Five,2,0.5,0.25,0.166666667\n"
                                     "coins,Five,10,0.5,0.25,0.166666667\n"
                                     "coins,One,2,0,0,0\n");
    ck_assert_int_eq(run_export("--store none.db -o c.csv"), 1);
    ck_assert_str_eq(ran.err, "ptstrain export: none.db: No such file or directory\n");
    ck_assert_int_eq(run_export("--store runs.db -o c.txt"), 2);
    ck_assert_str_eq(ran.err, "ptstrain export: c.txt: expected a name in .csv or .json\n");
    ck_assert_int_eq(run_export("--store runs.db"), 2);
    ck_assert_str_eq(ran.err, "ptstrain export: expected -o FILE, got none\n");
    remove_folder();
}
END_TEST

CHECK_SUITE("store", rows_come_back_in_order, rows_keep_every_figure_and_can_stop,
            every_part_of_the_key_counts, rows_out_of_range_are_refused,
            a_killed_writer_loses_nothing, a_writer_that_ends_without_closing_loses_nothing,
            writers_wait_for_each_other, other_files_are_refused_and_left_alone,
            altered_stores_are_refused, damaged_stores_never_break_the_reader, exports_csv,
            exports_json, exports_refuse_and_leave_nothing, command_exports_and_refuses)
