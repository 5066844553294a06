/* The store of results: round trips, kills, strangers' and damaged files, exports. */
#define _GNU_SOURCE
#include "check_main.h"
#include "run_program.h"

#include "pts/store.h"

#include <math.h>
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

static int system_in_folder(const char *command)
{
    char whole[256];
    snprintf(whole, sizeof whole, "cd '%s' && %s", folder, command);
    return system(whole);
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A job of the test's trainer. */
static pts_store_job job_of(const char *dataset, int class_id, size_t n, uint64_t seed)
{
    return (pts_store_job){dataset,   PTS_STORE_UNKNOWN, class_id, class_id ? "One" : "Five",
                           "builtin", "epochs=5",        "fresh",  seed,
                           n};
}

static pts_store_point point_of(size_t n, double map)
{
    return (pts_store_point){.n = n,
                             .map = map,
                             .map50 = map / 2,
                             .map75 = map / 3,
                             .val_map = NAN,
                             .kind = "",
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

static void begin(pts_store *store)
{
    pts_error err;
    if (pts_store_run_begin(store, &(pts_store_run){.command = "test_store"}, &err) != PTS_OK)
        ck_abort_msg("%s", err.message);
}

static pts_store *open_run(void)
{
    pts_store *store = open_store(PTS_STORE_WRITE);
    begin(store);
    return store;
}

static pts_store_claim take(pts_store *store, pts_store_job job)
{
    pts_error err;
    pts_store_claim claim;
    if (pts_store_take(store, &job, 0, &claim, &err) != PTS_OK)
        ck_abort_msg("%s", err.message);
    return claim;
}

static void done(pts_store *store, int64_t job, pts_store_point point)
{
    pts_error err;
    if (pts_store_done(store, job, &point, 1, &err) != PTS_OK)
        ck_abort_msg("%s", err.message);
}

static void add_job(pts_store *store, pts_store_job job, double map)
{
    pts_store_claim claim = take(store, job);
    ck_assert_int_eq(claim.state, PTS_STORE_TAKEN);
    done(store, claim.job, point_of(job.n, map));
}

static void add(pts_store *store, const char *dataset, int class_id, size_t n, uint64_t seed,
                double map)
{
    add_job(store, job_of(dataset, class_id, n, seed), map);
}

static int count_point(void *user, const pts_store_job *job, const pts_store_point *point)
{
    (void)job, (void)point;
    ++*(size_t *)user;
    return 0;
}

static size_t count_points(pts_store *store)
{
    size_t count = 0;
    ck_assert_int_eq(pts_store_each(store, NULL, count_point, &count, NULL), PTS_OK);
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

/* ---- Points ---- */

static int list_point(void *user, const pts_store_job *job, const pts_store_point *point)
{
    char line[160];
    snprintf(line, sizeof line, "%s %s %d %s %zu %llu %s %s %s: %zu %zu %.17g\n", job->dataset,
             job->hash, job->class_id, job->class_name, job->n, (unsigned long long)job->seed,
             job->trainer, job->settings, job->mode, point->step, point->n, point->map);
    strcat(user, line);
    return 0;
}

static const char *list_points(const pts_store_filter *filter)
{
    static char text[4096];
    text[0] = '\0';
    pts_store *store = open_store(PTS_STORE_READ);
    ck_assert_int_eq(pts_store_each(store, filter, list_point, text, NULL), PTS_OK);
    pts_store_close(store);
    return text;
}

START_TEST(points_come_back_in_order)
{
    make_folder();
    pts_store *store = open_run();
    add(store, "coins", 1, 10, 43, 0.3);
    add(store, "coins", 0, 10, 43, 0.2);
    add(store, "coins", 0, 2, 44, 1);
    add(store, "coins", 0, 2, 43, 0);
    add(store, "bn", -1, 2, INT64_MAX, 1.0 / 3);
    pts_store_close(store);
    ck_assert_str_eq(
        list_points(NULL),
        "bn unknown -1 One 2 9223372036854775807 builtin epochs=5 fresh: 0 2 0.33333333333333331\n"
        "coins unknown 0 Five 2 43 builtin epochs=5 fresh: 0 2 0\n"
        "coins unknown 0 Five 10 43 builtin epochs=5 fresh: 0 10 0.20000000000000001\n"
        "coins unknown 0 Five 2 44 builtin epochs=5 fresh: 0 2 1\n"
        "coins unknown 1 One 10 43 builtin epochs=5 fresh: 0 10 0.29999999999999999\n");
    ck_assert_str_eq(list_points(&(pts_store_filter){.dataset = "bn", .hash = "unk"}),
                     "bn unknown -1 One 2 9223372036854775807 builtin epochs=5 fresh: 0 2 "
                     "0.33333333333333331\n");
    ck_assert_str_eq(list_points(&(pts_store_filter){.hash = "ab"}), "");
    remove_folder();
}
END_TEST

static int keep_point(void *user, const pts_store_job *job, const pts_store_point *point)
{
    (void)job;
    pts_store_point *kept = user;
    kept[point->step] = *point;
    kept[point->step].kind = strcmp(point->kind, "blue") == 0 ? "blue" : "other";
    return point->step == 1;
}

START_TEST(points_keep_every_figure_and_can_stop)
{
    make_folder();
    pts_store *store = open_run();
    pts_store_job job = job_of("coins", 0, 0, 43);
    job.mode = "incremental";
    pts_store_point points[3] = {point_of(2, 0.1), point_of(4, 0.2), point_of(4, 0.3)}, kept[2];
    for (size_t i = 0; i < 3; i++)
        points[i].step = i;
    points[1].map50 = points[1].map75 = NAN;
    points[1].val_map = 0.625;
    points[1].kind = "blue";
    pts_error err;
    ck_assert_int_eq(pts_store_done(store, take(store, job).job, points, 3, &err), PTS_OK);
    ck_assert_int_eq(pts_store_each(store, NULL, keep_point, kept, &err), PTS_ERR_CANCELLED);
    ck_assert_double_eq(kept[0].map, 0.1);
    ck_assert_double_eq(kept[0].map50, 0.05);
    ck_assert_double_eq(kept[0].map75, 0.1 / 3);
    ck_assert(isnan(kept[0].val_map));
    ck_assert_double_eq(kept[0].seconds, 1.5);
    ck_assert_uint_eq(kept[0].peak_bytes, 1 << 20);
    ck_assert_int_gt(kept[0].created, 1700000000);
    ck_assert(isnan(kept[1].map50) && isnan(kept[1].map75));
    ck_assert_double_eq(kept[1].val_map, 0.625);
    ck_assert_str_eq(kept[1].kind, "blue");
    pts_store_close(store);
    remove_folder();
}
END_TEST

START_TEST(every_part_of_a_job_counts)
{
    make_folder();
    pts_store *store = open_run();
    pts_store_job job = job_of("coins", 0, 2, 43), others[9];
    add_job(store, job, 0.1);
    ck_assert_int_eq(take(store, job).state, PTS_STORE_DONE);
    for (size_t i = 0; i < 9; i++)
        others[i] = job;
    others[0].dataset = "Coins";
    others[1].class_id = 1;
    others[2].class_name = "Five ";
    others[3].n = 3;
    others[4].seed = 0;
    others[5].trainer = "";
    others[6].settings = "epochs=6";
    others[7].mode = "base";
    others[8].hash = "0123456789abcdef";
    for (size_t i = 0; i < 9; i++)
        add_job(store, others[i], 0.1);
    ck_assert_uint_eq(count_points(store), 10);
    pts_store_close(store);
    remove_folder();
}
END_TEST

static void refuse_job(pts_store *store, pts_store_job job, const char *expected)
{
    pts_error err;
    pts_store_claim claim;
    ck_assert_int_eq(pts_store_take(store, &job, 0, &claim, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message + strlen(path), expected);
}

START_TEST(jobs_out_of_range_are_refused)
{
    make_folder();
    pts_store *store = open_store(PTS_STORE_WRITE);
    pts_store_job job = job_of("coins", 0, 2, 43);
    refuse_job(store, job, ": expected a run that was begun, got none");
    begin(store);
    ck_assert_int_eq(pts_store_run_begin(store, &(pts_store_run){.command = ""}, NULL),
                     PTS_ERR_ARGUMENT);
    job.seed = (uint64_t)1 << 63;
    job.class_id = -2;
    refuse_job(store, job,
               ": expected class ≥ −1, n and seed below 2^63, got -2, 2, 9223372036854775808");
    job = job_of("coins", 0, 2, 43);
    job.mode = "freshly";
    refuse_job(store, job, ": expected mode fresh, incremental or base, got 'freshly'");
    job.mode = "fresh";
    job.hash = "ABCD";
    refuse_job(store, job, ": expected a data set's hash of hexadecimal digits, got 'ABCD'");
    job.hash = "abcd";
    job.trainer = NULL;
    refuse_job(store, job, ": trainer: expected a text of at most 1048576 bytes, got none");
    pts_store_close(store);
    remove_folder();
}
END_TEST

static void refuse_point(pts_store *store, int64_t job, pts_store_point point, const char *expected)
{
    pts_error err;
    ck_assert_int_eq(pts_store_done(store, job, &point, 1, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message + strlen(path), expected);
}

START_TEST(points_out_of_range_are_refused)
{
    make_folder();
    pts_store *store = open_run();
    int64_t job = take(store, job_of("coins", 0, 2, 43)).job;
    refuse_point(store, job, point_of(2, 1.5),
                 ": expected map, map50, map75, val_map from 0 to 1, got 1.5, 0.75, 0.5, nan");
    refuse_point(store, job, point_of(2, NAN),
                 ": expected map, map50, map75, val_map from 0 to 1, got nan, nan, nan, nan");
    refuse_point(store, job, point_of(0, 0),
                 ": expected a point with n ≥ 1 and step ≥ 0, got 0, 0");
    pts_store_point point = point_of(2, 0);
    point.seconds = -1;
    refuse_point(store, job, point, ": expected seconds ≥ 0 and finite, got -1");
    pts_store_point twice[2] = {point_of(2, 0), point_of(4, 0)};
    pts_error err;
    ck_assert_int_eq(pts_store_done(store, job, twice, 2, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message + strlen(path), ": expected rising steps, got 0 after 0");
    ck_assert_int_eq(pts_store_done(store, job, NULL, 0, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message + strlen(path), ": expected points of a job, got none");
    ck_assert_uint_eq(count_points(store), 0);
    done(store, job, point_of(2, 0)); /* it is still ours */
    pts_store_close(store);
    remove_folder();
}
END_TEST

/* ---- Kills and company ---- */

/* A child that does jobs for ever and writes a byte to `pipe` after each. */
static pid_t start_writer(int pipe, const char *dataset, size_t jobs)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child)
        return child;
    pts_store *store;
    if (pts_store_open(&store, path, PTS_STORE_WRITE, NULL) != PTS_OK ||
        pts_store_run_begin(store, &(pts_store_run){.command = "writer"}, NULL) != PTS_OK)
        _exit(1);
    for (size_t n = 1; n <= jobs; n++) {
        pts_store_job job = job_of(dataset, 0, n, 43);
        pts_store_point point = point_of(n, 0.5);
        pts_store_claim claim;
        if (pts_store_take(store, &job, 0, &claim, NULL) != PTS_OK ||
            pts_store_done(store, claim.job, &point, 1, NULL) != PTS_OK || write(pipe, "", 1) != 1)
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
        ck_assert_int_eq(system_in_folder("rm -f runs.db*"), 0);
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
        size_t rows = count_points(store);
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
    ck_assert_uint_eq(count_points(store), 4);
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
    ck_assert_uint_eq(count_points(store), 60);
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
    run_sql("CREATE TRIGGER t AFTER INSERT ON point BEGIN DELETE FROM point; END");
    ck_assert_str_eq(message_of_open(PTS_STORE_WRITE, PTS_ERR_FORMAT),
                     ": expected the tables of a store, got others");
    run_sql("DROP TRIGGER t; PRAGMA user_version = 3");
    ck_assert_str_eq(message_of_open(PTS_STORE_WRITE, PTS_ERR_UNSUPPORTED),
                     ": expected a store of version 2 or before, got 3");
    run_sql("PRAGMA user_version = 2; INSERT INTO dataset VALUES (1, 'd', 'ab', 0, 0, '');"
            "INSERT INTO job VALUES (1, 1, 0, 'c', 'b', '', 'fresh', 1, 2, 2, 1, '', NULL);"
            "INSERT INTO point VALUES (1, 0, 2, 7.0, 0, 0, NULL, '', 1, 0, 0)");
    pts_store *store = open_store(PTS_STORE_READ);
    size_t count = 0;
    pts_error err;
    ck_assert_int_eq(pts_store_each(store, NULL, count_point, &count, &err), PTS_ERR_FORMAT);
    ck_assert_str_eq(err.message + strlen(path),
                     ": expected map, map50, map75, val_map from 0 to 1, got 7, 0, 0, nan");
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
    pts_store *store = open_run();
    for (size_t n = 1; n <= 60; n++)
        add(store, "a data set with a long name", 0, n, 43, 0.5);
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
            status = pts_store_each(store, NULL, count_point, &rows, &err);
        ck_assert_int_eq(status == PTS_OK, err.message[0] == '\0');
        refused += status != PTS_OK;
        pts_store_close(store);
    }
    ck_assert_uint_gt(refused, 100);
    remove_folder();
}
END_TEST

/* ---- Exports ---- */

static pts_status export_to(const char *name, const pts_store_filter *filter, int mean,
                            size_t *rows, pts_error *err)
{
    char full[192];
    snprintf(full, sizeof full, "%s/%s", folder, name);
    pts_store *store = open_store(PTS_STORE_READ);
    pts_status status = pts_store_export(store, full, filter, mean, rows, err);
    pts_store_close(store);
    return status;
}

static void fill_for_export(void)
{
    pts_store *store = open_run();
    pts_store_job odd = job_of("a,b", 0, 4, 43);
    odd.class_name = "say \"x\"";
    add_job(store, odd, 0.123456789123);
    add(store, "coins", 0, 10, 43, 0.5);
    add(store, "coins", 0, 2, 44, 0.75);
    add(store, "coins", 0, 2, 43, 0.25);
    add(store, "coins", 1, 2, 43, 0);
    pts_store_close(store);
}

START_TEST(exports_csv)
{
    make_folder();
    fill_for_export();
    size_t rows;
    ck_assert_int_eq(export_to("curves.csv", NULL, 1, &rows, NULL), PTS_OK);
    ck_assert_uint_eq(rows, 4);
    ck_assert_str_eq(slurp("curves.csv"),
                     "dataset,class,n,map,map50,map75\n"
                     "\"a,b\",\"say \"\"x\"\"\",4,0.123456789,0.0617283946,0.041152263\n"
                     "coins,Five,2,0.5,0.25,0.166666667\n"
                     "coins,Five,10,0.5,0.25,0.166666667\n"
                     "coins,One,2,0,0,0\n");
    ck_assert_int_eq(
        export_to("curves.csv", &(pts_store_filter){.dataset = "coins"}, 0, &rows, NULL), PTS_OK);
    ck_assert_uint_eq(rows, 4);
    ck_assert_str_eq(slurp("curves.csv"), "dataset,class,n,map,map50,map75\n"
                                          "coins,Five,2,0.25,0.125,0.0833333333\n"
                                          "coins,Five,2,0.75,0.375,0.25\n"
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
    ck_assert_int_eq(export_to("processed_result.json", &filter, 0, &rows, NULL), PTS_OK);
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
    ck_assert_int_eq(export_to("processed_result.json", &filter, 0, &rows, NULL),
                     PTS_ERR_UNSUPPORTED);
#endif
    remove_folder();
}
END_TEST

START_TEST(exports_refuse_and_leave_nothing)
{
    make_folder();
    fill_for_export();
    pts_store *store = open_run();
    pts_store_job other = job_of("coins", 0, 2, 43);
    other.settings = "epochs=9";
    add_job(store, other, 0.5);
    pts_store_close(store);
    pts_error err;
    ck_assert_int_eq(export_to("c.csv", NULL, 0, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message + strlen(path),
                     ": expected points of one trainer, settings and mode, got trainer 'builtin' "
                     "settings 'epochs=5' mode 'fresh' and trainer 'builtin' settings 'epochs=9' "
                     "mode 'fresh'");
    pts_store_filter filter = {.settings = "epochs=9"};
    size_t rows;
    ck_assert_int_eq(export_to("c.csv", &filter, 0, &rows, NULL), PTS_OK);
    ck_assert_uint_eq(rows, 1);
    unlink(strcat(strcpy(path, folder), "/c.csv"));
    snprintf(path, sizeof path, "%s/runs.db", folder);
    filter.settings = "none";
    ck_assert_int_eq(export_to("c.csv", &filter, 0, &rows, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message + strlen(path), ": expected results to export, got none");
    ck_assert_int_eq(export_to("c.txt", NULL, 0, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "/c.txt: expected a name in .csv or .json"));
    ck_assert_int_eq(export_to("no/c.csv", NULL, 0, NULL, &err), PTS_ERR_IO);
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
    ck_assert_int_eq(run_export("--store runs.db -o c.csv --mean --dataset coins"), 0);
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

CHECK_SUITE("store", points_come_back_in_order, points_keep_every_figure_and_can_stop,
            every_part_of_a_job_counts, jobs_out_of_range_are_refused,
            points_out_of_range_are_refused, a_killed_writer_loses_nothing,
            a_writer_that_ends_without_closing_loses_nothing, writers_wait_for_each_other,
            other_files_are_refused_and_left_alone, altered_stores_are_refused,
            damaged_stores_never_break_the_reader, exports_csv, exports_json,
            exports_refuse_and_leave_nothing, command_exports_and_refuses)
