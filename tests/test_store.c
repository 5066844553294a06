/* The store of results: round trips, kills, strangers' and damaged files, exports. */
#define _GNU_SOURCE
#include "check_main.h"
#include "run_program.h"

#include "store/store.h"

#include <math.h>
#include <signal.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
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

/* ---- Jobs ---- */

static pts_store_claim take_again(pts_store *store, pts_store_job job)
{
    pts_store_claim claim;
    ck_assert_int_eq(pts_store_take(store, &job, 1, &claim, NULL), PTS_OK);
    return claim;
}

START_TEST(jobs_fail_with_a_reason_and_are_tried_again)
{
    make_folder();
    pts_store *store = open_run();
    pts_store_job job = job_of("coins", 0, 2, 43);
    pts_store_claim claim = take(store, job);
    ck_assert_int_eq(claim.state, PTS_STORE_TAKEN);
    ck_assert_int_eq(claim.attempts, 1);
    ck_assert_int_eq(pts_store_failed(store, claim.job, "exit code 7", NULL), PTS_OK);
    claim = take(store, job);
    ck_assert_int_eq(claim.state, PTS_STORE_FAILED);
    ck_assert_str_eq(claim.reason, "exit code 7");
    claim = take_again(store, job);
    ck_assert_int_eq(claim.state, PTS_STORE_TAKEN);
    ck_assert_int_eq(claim.attempts, 2);
    ck_assert_str_eq(claim.reason, "");
    ck_assert_int_eq(take_again(store, job).state, PTS_STORE_OPEN); /* it is at it */
    ck_assert_int_eq(pts_store_release(store, claim.job, NULL), PTS_OK);
    claim = take(store, job);
    ck_assert_int_eq(claim.state, PTS_STORE_TAKEN);
    done(store, claim.job, point_of(2, 0.5));
    ck_assert_int_eq(take_again(store, job).state, PTS_STORE_DONE);
    pts_store_close(store);
    remove_folder();
}
END_TEST

START_TEST(one_handle_holds_several_jobs_until_it_ends_them)
{
    make_folder();
    pts_store *store = open_run(), *other = open_run();
    int64_t jobs[4];
    char expected[320];
    for (size_t i = 0; i < 4; i++)
        jobs[i] = take(store, job_of("coins", 0, 2 + i, 43)).job;
    done(store, jobs[2], point_of(4, 0.5));
    pts_store_claim claim = take(other, job_of("coins", 0, 2, 43));
    ck_assert_int_eq(claim.state, PTS_STORE_OPEN);
    snprintf(expected, sizeof expected, "process %ld on %s is at it", (long)getpid(),
             store->self.host);
    ck_assert_str_eq(claim.reason, expected);
    pts_error err;
    pts_store_point point = point_of(2, 0.5);
    snprintf(expected, sizeof expected,
             "%s: job %d: expected that this run holds it, got that it does not", path,
             (int)jobs[0]);
    ck_assert_int_eq(pts_store_done(other, jobs[0], &point, 1, &err), PTS_ERR_CANCELLED);
    ck_assert_str_eq(err.message, expected);
    ck_assert_int_eq(pts_store_release(other, jobs[0], NULL), PTS_ERR_CANCELLED);
    ck_assert_int_eq(pts_store_failed(other, jobs[0], "", NULL), PTS_ERR_CANCELLED);
    ck_assert_int_eq(pts_store_done(store, jobs[2], &point, 1, NULL), PTS_ERR_CANCELLED);
    ck_assert_uint_eq(count_points(other), 1);
    ck_assert_int_eq(pts_store_run_end(store, NULL), PTS_OK); /* frees the others */
    ck_assert_int_eq(take(other, job_of("coins", 0, 2, 43)).state, PTS_STORE_TAKEN);
    ck_assert_int_eq(take(other, job_of("coins", 0, 4, 43)).state, PTS_STORE_DONE);
    pts_store_close(store);
    pts_store_close(other); /* frees the one it took */
    store = open_run();
    ck_assert_int_eq(take(store, job_of("coins", 0, 2, 43)).state, PTS_STORE_TAKEN);
    pts_store_close(store);
    remove_folder();
}
END_TEST

static void query_text(const char *sql, char *text, size_t size)
{
    sqlite3 *db;
    sqlite3_stmt *query;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
    text[0] = '\0';
    while (sqlite3_step(query) == SQLITE_ROW)
        snprintf(text + strlen(text), size - strlen(text), "%s\n",
                 (const char *)sqlite3_column_text(query, 0));
    sqlite3_finalize(query);
    sqlite3_close(db);
}

static void assert_query(const char *sql, const char *expected)
{
    char text[1024];
    query_text(sql, text, sizeof text);
    ck_assert_str_eq(text, expected);
}

START_TEST(data_sets_are_noted_once)
{
    make_folder();
    pts_store *store = open_run();
    pts_store_job job = job_of("coins", 0, 2, 43);
    job.hash = "abc123";
    add_job(store, job, 0.5);
    pts_store_dataset set = {"coins", "abc123", 118, 4, "/data/coins"};
    ck_assert_int_eq(pts_store_note(store, &set, NULL), PTS_OK);
    set.path = NULL;
    set.hash = PTS_STORE_UNKNOWN;
    ck_assert_int_eq(pts_store_note(store, &set, NULL), PTS_OK);
    set.hash = "";
    ck_assert_int_eq(pts_store_note(store, &set, NULL), PTS_ERR_ARGUMENT);
    pts_store_close(store);
    assert_query("SELECT name || ' ' || hash || ' ' || images || ' ' || classes || ' ' || path "
                 "FROM dataset ORDER BY id",
                 "coins abc123 118 4 /data/coins\ncoins unknown 118 4 \n");
    remove_folder();
}
END_TEST

/* ---- Who lives ---- */

static void pretend_host(pts_store *store, const char *host)
{
    snprintf(store->self.host, sizeof store->self.host, "%s", host);
    snprintf(store->self.boot, sizeof store->self.boot, "boot of %s", host);
    store->self.process = 1; /* which lives here, but that says nothing of another host */
}

static void wait_seconds(double seconds)
{
    struct timespec pause = {(time_t)seconds, (long)(1e9 * (seconds - floor(seconds)))};
    nanosleep(&pause, NULL);
}

/* The other host's clock is a year ahead or behind: nobody looks. */
static void move_clock(int64_t seconds)
{
    char sql[96];
    snprintf(sql, sizeof sql, "UPDATE run SET started = started + %lld WHERE host = 'far'",
             (long long)seconds);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

START_TEST(another_host_lives_by_its_beats_whatever_its_clock)
{
    static const int64_t apart[] = {-365 * 86400, 0, 365 * 86400};
    for (size_t i = 0; i < 3; i++) {
        make_folder();
        pts_store *far = open_store(PTS_STORE_WRITE), *near = open_run();
        pts_store_job job = job_of("coins", 0, 2, 43);
        pts_store_point point = point_of(2, 0.5);
        pretend_host(far, "far");
        begin(far);
        near->stale = 0.2;
        move_clock(apart[i]);
        int64_t number = take(far, job).job;
        ck_assert_int_eq(take(near, job).state, PTS_STORE_OPEN); /* the first look says nothing */
        wait_seconds(0.15);
        ck_assert_int_eq(pts_store_beat(far, NULL), PTS_OK);
        wait_seconds(0.15);
        ck_assert_int_eq(take(near, job).state, PTS_STORE_OPEN); /* it beat */
        wait_seconds(0.1);
        ck_assert_int_eq(take(near, job).state, PTS_STORE_OPEN);
        wait_seconds(0.15);
        pts_store_claim claim = take(near, job);
        ck_assert_int_eq(claim.state, PTS_STORE_TAKEN);
        ck_assert_int_eq(claim.attempts, 2);
        ck_assert_int_eq(pts_store_done(far, number, &point, 1, NULL), PTS_ERR_CANCELLED);
        done(near, number, point);
        pts_store_close(far);
        pts_store_close(near);
        remove_folder();
    }
}
END_TEST

/* A child that takes a job and waits to be killed. */
static pid_t start_holder(pts_store_job job)
{
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        take(open_run(), job);
        if (write(ends[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

START_TEST(jobs_of_a_killed_process_are_free_at_once)
{
    make_folder();
    pts_store_job job = job_of("coins", 0, 2, 43);
    pid_t child = start_holder(job);
    pts_store *store = open_run();
    ck_assert_int_eq(take(store, job).state, PTS_STORE_OPEN);
    kill(child, SIGKILL);
    siginfo_t ended;
    ck_assert_int_eq(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
    pts_store_claim claim = take(store, job); /* its parent has not yet asked after it */
    ck_assert_int_eq(claim.state, PTS_STORE_TAKEN);
    ck_assert_int_eq(claim.attempts, 2);
    waitpid(child, NULL, 0);
    pts_store_close(store);
    remove_folder();
}
END_TEST

START_TEST(jobs_of_before_a_restart_are_free_at_once)
{
    make_folder();
    pts_store_job job = job_of("coins", 0, 2, 43);
    pts_store *before = open_store(PTS_STORE_WRITE), *store = open_run();
    before->self.boot[0] = before->self.boot[0] == 'a' ? 'b' : 'a';
    begin(before);
    take(before, job);
    store->network = 1; /* it may be another host of this name */
    ck_assert_int_eq(take(store, job).state, PTS_STORE_OPEN);
    store->network = 0;
    ck_assert_int_eq(take(store, job).state, PTS_STORE_TAKEN);
    pts_store_close(before);
    pts_store_close(store);
    remove_folder();
}
END_TEST

/* Containers of one machine share its start and its disks, not its process numbers. */
START_TEST(another_process_namespace_is_elsewhere)
{
    make_folder();
    pts_store_job job = job_of("coins", 0, 2, 43);
    pts_store *container = open_store(PTS_STORE_WRITE), *store = open_run();
    snprintf(container->self.boot, sizeof container->self.boot, "%.*s pid:[1]",
             (int)strcspn(store->self.boot, " "), store->self.boot);
    container->self.process_start++;
    begin(container);
    take(container, job);
    ck_assert_int_eq(take(store, job).state, PTS_STORE_OPEN);
    pts_store_close(container);
    pts_store_close(store);
    remove_folder();
}
END_TEST

START_TEST(a_process_number_used_again_is_not_the_holder)
{
    make_folder();
    pts_store_job job = job_of("coins", 0, 2, 43);
    pts_store *before = open_store(PTS_STORE_WRITE), *store = open_run();
    before->self.process = getppid(); /* lives, but was started at another time */
    begin(before);
    take(before, job);
    ck_assert_int_eq(take(store, job).state, PTS_STORE_TAKEN);
    pts_store_close(before);
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

enum { WORKERS = 4, WORK = 200 };

/* Takes what it can get of all jobs, in an order of its own, until all are done. */
static void work_until_done(int worker)
{
    pts_store *store = open_run();
    for (size_t finished = 0; finished < WORK;) {
        finished = 0;
        for (size_t i = 0; i < WORK; i++) {
            size_t n = 1 + (worker % 2 ? i : WORK - 1 - i);
            pts_store_claim claim = take(store, job_of("coins", 0, n, 43));
            if (claim.state == PTS_STORE_TAKEN)
                done(store, claim.job, point_of(n, (double)worker / 10));
            finished += claim.state == PTS_STORE_TAKEN || claim.state == PTS_STORE_DONE;
        }
    }
    pts_store_close(store);
}

START_TEST(four_processes_do_each_job_once)
{
    make_folder();
    pid_t children[WORKERS];
    for (int k = 0; k < WORKERS; k++) {
        children[k] = fork();
        ck_assert_int_ge(children[k], 0);
        if (children[k] == 0) {
            work_until_done(k);
            _exit(0);
        }
    }
    for (int k = 0; k < WORKERS; k++) {
        int status;
        waitpid(children[k], &status, 0);
        ck_assert_int_eq(status, 0);
    }
    assert_query("SELECT count(*) || ' ' || sum(attempts) || ' ' || count(DISTINCT n) || ' ' || "
                 "min(state) || max(state) FROM job",
                 "200 200 200 22\n");
    assert_query("SELECT count(*) || ' ' || count(DISTINCT job) FROM point", "200 200\n");
    remove_folder();
}
END_TEST

/* Jobs of 40 points each, for ever. */
static void work_on_curves(int pipe)
{
    pts_store *store = open_run();
    pts_store_point points[40];
    for (uint64_t seed = 0;; seed++) {
        pts_store_job job = job_of("coins", 0, 0, seed);
        job.mode = "incremental";
        for (size_t i = 0; i < 40; i++) {
            points[i] = point_of(2 + i, 0.5);
            points[i].step = i;
        }
        if (pts_store_done(store, take(store, job).job, points, 40, NULL) != PTS_OK ||
            write(pipe, "", 1) != 1)
            _exit(1);
    }
}

START_TEST(a_kill_never_leaves_half_a_job)
{
    make_folder();
    for (int round = 0; round < 10; round++) {
        int ends[2];
        char byte;
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0)
            work_on_curves(ends[1]);
        close(ends[1]);
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
        wait_seconds(0.003 * round);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(ends[0]);
        ck_assert_int_eq(access(strcat(path, "-wal"), F_OK), 0); /* left behind */
        path[strlen(path) - 4] = '\0';
        pts_store *store = open_store(PTS_STORE_READ);
        ck_assert_uint_gt(count_points(store), 0);
        ck_assert_uint_eq(count_points(store) % 40, 0);
        pts_store_close(store);
        assert_query("SELECT count(*) FROM job j WHERE (state = 2) <> "
                     "((SELECT count(*) FROM point p WHERE p.job = j.id) = 40)",
                     "0\n");
        ck_assert_int_eq(system_in_folder("rm -f runs.db*"), 0);
    }
    remove_folder();
}
END_TEST

static int write_meanwhile(void *user, const pts_store_job *job, const pts_store_point *point)
{
    (void)point;
    if (job->n == 2)
        add(user, "coins", 0, 100, 43, 0.5);
    return 0;
}

START_TEST(a_long_reader_and_a_writer_do_not_wait)
{
    make_folder();
    pts_store *writer = open_run();
    for (size_t n = 2; n < 5; n++)
        add(writer, "coins", 0, n, 43, 0.5);
    pts_store *reader = open_store(PTS_STORE_READ);
    ck_assert_int_eq(pts_store_each(reader, NULL, write_meanwhile, writer, NULL), PTS_OK);
    ck_assert_uint_eq(count_points(reader), 4);
    pts_store_close(writer);
    pts_store_close(reader);
    ck_assert_int_eq(system_in_folder("test $(ls | wc -l) = 1"), 0); /* no journal is left */
    remove_folder();
}
END_TEST

static pts_store *open_network_run(void)
{
    pts_store *store;
    ck_assert_int_eq(pts_store_connect(&store, path, PTS_STORE_WRITE, 1, NULL), PTS_OK);
    begin(store);
    return store;
}

START_TEST(a_network_file_system_gets_no_shared_memory)
{
    make_folder();
    ck_assert_int_eq(pts_store_on_network(path), 0);
    pts_store *store = open_run();
    assert_query("PRAGMA journal_mode", "wal\n");
    pts_store_close(store);
    store = open_network_run();
    pts_store *other = open_network_run();
    assert_query("PRAGMA journal_mode", "delete\n");
    add(store, "coins", 0, 2, 43, 0.5);
    ck_assert_int_eq(take(other, job_of("coins", 0, 2, 43)).state, PTS_STORE_DONE);
    add(other, "coins", 0, 4, 43, 0.5);
    ck_assert_uint_eq(count_points(store), 2);
    pts_store_close(store);
    pts_store_close(other);
    ck_assert_int_eq(system_in_folder("test $(ls | wc -l) = 1"), 0);
    remove_folder();
}
END_TEST

/* ---- Places that cannot be written ---- */

/* Runs as somebody who may not write everywhere; root may. */
static int run_unprivileged(void (*body)(void))
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        body();
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return status;
}

static void read_but_not_write(void)
{
    pts_store *store = open_store(PTS_STORE_READ);
    if (count_points(store) != 1)
        _exit(3);
    pts_store_close(store);
    pts_error err;
    if (pts_store_open(&store, path, PTS_STORE_WRITE, &err) != PTS_ERR_IO)
        _exit(4);
    const char *said = err.message + strlen(path);
    if (strcmp(said, ": cannot write: the file or its folder is read-only") != 0 &&
        strcmp(said, ": cannot write: Permission denied") != 0)
        ck_abort_msg("%s", err.message);
}

START_TEST(a_read_only_store_can_be_read)
{
    make_folder();
    pts_store *store = open_run();
    add(store, "coins", 0, 2, 43, 0.5);
    pts_store_close(store);
    ck_assert_int_eq(system_in_folder("chmod 444 runs.db && chmod 777 ."), 0);
    ck_assert_int_eq(run_unprivileged(read_but_not_write), 0);
    ck_assert_int_eq(system_in_folder("rm -f runs.db-*; chmod 666 runs.db && chmod 555 ."), 0);
    ck_assert_int_eq(run_unprivileged(read_but_not_write), 0);
    ck_assert_int_eq(system_in_folder("chmod 755 . && mv runs.db 'a%41 ü?#.db' && chmod 555 ."), 0);
    snprintf(path, sizeof path, "%s/a%%41 ü?#.db", folder);
    ck_assert_int_eq(run_unprivileged(read_but_not_write), 0);
    ck_assert_int_eq(system_in_folder("chmod 755 ."), 0);
    remove_folder();
}
END_TEST

static void cannot_read_beside_a_journal(void)
{
    pts_store *store;
    pts_error err;
    char expected[512];
    snprintf(expected, sizeof expected,
             "%s: expected a folder that can be written, as %s-wal is there too", path, path);
    if (pts_store_open(&store, path, PTS_STORE_READ, &err) != PTS_ERR_IO)
        _exit(3);
    ck_assert_str_eq(err.message, expected);
}

START_TEST(a_read_only_folder_with_a_journal_is_not_half_read)
{
    make_folder();
    pid_t child = start_holder(job_of("coins", 0, 2, 43));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert_int_eq(system_in_folder("rm -f runs.db-shm; chmod 666 runs.db*; chmod 555 ."), 0);
    ck_assert_int_eq(run_unprivileged(cannot_read_beside_a_journal), 0);
    ck_assert_int_eq(system_in_folder("chmod 755 ."), 0);
    remove_folder();
}
END_TEST

/* Adds until the disk is full. What was done stays, and the store is whole. */
static void fill_disk(const char *expected)
{
    pts_store *store = open_run();
    pts_store_claim claim;
    pts_error err;
    pts_status status = PTS_OK;
    static char name[3000];
    memset(name, 'x', sizeof name - 1);
    size_t added = 0;
    while (status == PTS_OK) {
        pts_store_job job = job_of(name, 0, 1 + added, 43);
        pts_store_point point = point_of(1 + added, 0.5);
        job.settings = name;
        status = pts_store_take(store, &job, 0, &claim, &err);
        if (status == PTS_OK)
            status = pts_store_done(store, claim.job, &point, 1, &err);
        added += status == PTS_OK;
    }
    ck_assert_int_eq(status, PTS_ERR_IO);
    ck_assert_str_eq(err.message + strlen(path), expected);
    ck_assert_uint_gt(added, 3);
    ck_assert_uint_eq(count_points(store), added);
    pts_store_close(store);
    store = open_store(PTS_STORE_READ);
    ck_assert_uint_eq(count_points(store), added);
    pts_store_close(store);
}

START_TEST(a_file_that_cannot_grow_keeps_what_it_has)
{
    make_folder();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct rlimit limit = {400000, 400000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        fill_disk(": cannot write: the disk is full, over a quota, or the file too large");
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    remove_folder();
}
END_TEST

static int write_line(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    return file && fputs(text, file) >= 0 && fclose(file) == 0;
}

/* Mounts of our own: root may, others in a name space where they are root. */
static int may_mount(void)
{
    char map[32];
    snprintf(map, sizeof map, "0 %u 1", (unsigned)getuid());
    return unshare(CLONE_NEWNS) == 0 ||
           (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_line("/proc/self/uid_map", map));
}

static int mount_small_disk(void)
{
    return may_mount() && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=200k") == 0;
}

/* Where the system lets us make a disk; the test above needs none. */
START_TEST(a_full_disk_keeps_what_it_has)
{
    make_folder();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (mount_small_disk())
            fill_disk(": cannot write: the disk is full");
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
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

START_TEST(views_in_place_of_tables_never_run)
{
    make_folder();
    pts_store_close(open_store(PTS_STORE_WRITE));
    run_sql("DROP TABLE point; CREATE VIEW point AS SELECT 1 AS job, load_extension('x.so')");
    ck_assert_str_eq(message_of_open(PTS_STORE_READ, PTS_ERR_FORMAT),
                     ": expected the tables of a store, got others");
    ck_assert_str_eq(message_of_open(PTS_STORE_WRITE, PTS_ERR_FORMAT),
                     ": expected the tables of a store, got others");
    remove_folder();
}
END_TEST

/* A store as version 1 made it. */
static void make_version_1(void)
{
    run_sql(
        "CREATE TABLE result (dataset TEXT NOT NULL, class INTEGER NOT NULL, class_name TEXT NOT "
        "NULL, trainer TEXT NOT NULL, settings TEXT NOT NULL, seed INTEGER NOT NULL, n INTEGER NOT "
        "NULL, map REAL NOT NULL, map50 REAL NOT NULL, map75 REAL NOT NULL, seconds REAL NOT NULL, "
        "peak_bytes INTEGER NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (dataset, class, "
        "class_name, trainer, settings, seed, n)) STRICT, WITHOUT ROWID;"
        "PRAGMA application_id = 1347703634; PRAGMA user_version = 1;"
        "INSERT INTO result VALUES "
        "('coins', 0, 'Five', 'builtin', 's', 43, 2, 0.25, 0.5, 0.125, 9.5, 77, 1700000001),"
        "('coins', 0, 'Five', 'builtin', 's', 44, 2, 0.75, 0.5, 0.125, 1, 0, 1700000002),"
        "('coins', 0, 'Five', 'builtin', 't', 43, 2, 0.5, 0.5, 0.125, 1, 0, 1700000003),"
        "('bn', 3, 'a b', 'builtin', 's', 43, 10, 1, 1, 0, 1, 0, 1700000000)");
}

static const char of_version_1[] = "bn unknown 3 a b 10 43 builtin s fresh: 0 10 1\n"
                                   "coins unknown 0 Five 2 43 builtin s fresh: 0 2 0.25\n"
                                   "coins unknown 0 Five 2 44 builtin s fresh: 0 2 0.75\n"
                                   "coins unknown 0 Five 2 43 builtin t fresh: 0 2 0.5\n";

START_TEST(version_1_is_read_as_it_is)
{
    make_folder();
    make_version_1();
    ck_assert_int_eq(system_in_folder("cp runs.db before.db"), 0);
    ck_assert_str_eq(list_points(NULL), of_version_1);
    ck_assert_int_eq(system_in_folder("cmp runs.db before.db"), 0);
    remove_folder();
}
END_TEST

START_TEST(version_1_becomes_version_2)
{
    make_folder();
    make_version_1();
    pts_store *store = open_run();
    pts_store_job job = job_of("coins", 0, 2, 44);
    job.settings = "s";
    ck_assert_int_eq(take(store, job).state, PTS_STORE_DONE);
    job.n = 3;
    ck_assert_int_eq(take(store, job).state, PTS_STORE_TAKEN);
    pts_store_close(store);
    ck_assert_str_eq(list_points(NULL), of_version_1);
    assert_query("PRAGMA user_version", "2\n");
    assert_query(
        "SELECT seconds || ' ' || peak_bytes || ' ' || created FROM point WHERE map = 0.25",
        "9.5 77 1700000001\n");
    assert_query("SELECT command || ' ' || started || ' ' || ended FROM run WHERE id = 1",
                 "a store of version 1 1700000000 1700000003\n");
    remove_folder();
}
END_TEST

static uint32_t random_state = 7;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

static int count_job(void *user, const pts_store_job_state *job)
{
    *(size_t *)user += strlen(job->reason) + strlen(pts_store_state_text(job->state));
    return 0;
}

static int count_run(void *user, const pts_store_run *run)
{
    *(size_t *)user += strlen(run->host) + strlen(run->command) + strlen(run->environment);
    return 0;
}

static void remove_journals(void)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal"};
    char name[192];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

/* Reads all there is and, in WRITE, does one job. */
static pts_status use_everything(pts_store_mode mode, pts_error *err)
{
    pts_store *store;
    size_t count = 0;
    pts_store_claim claim = {0};
    pts_store_job job = job_of("a data set with a long name", 0, 30, 43);
    pts_store_point point = point_of(30, 0.5);
    pts_status status = pts_store_open(&store, path, mode, err);
    if (status == PTS_OK)
        status = pts_store_each(store, NULL, count_point, &count, err);
    if (status == PTS_OK)
        status = pts_store_jobs(store, NULL, count_job, &count, err);
    if (status == PTS_OK)
        status = pts_store_runs(store, count_run, &count, err);
    if (status == PTS_OK && mode == PTS_STORE_WRITE)
        status = pts_store_run_begin(store, &(pts_store_run){.command = "damage"}, err);
    if (status == PTS_OK && mode == PTS_STORE_WRITE)
        status = pts_store_take(store, &job, 1, &claim, err);
    if (status == PTS_OK && claim.state == PTS_STORE_TAKEN)
        status = pts_store_done(store, claim.job, &point, 1, err);
    pts_store_close(store);
    return status;
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
        pts_status status = use_everything(round % 2 ? PTS_STORE_READ : PTS_STORE_WRITE, &err);
        ck_assert_int_eq(status == PTS_OK, err.message[0] == '\0');
        refused += status != PTS_OK;
        remove_journals();
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

START_TEST(exports_keep_data_sets_of_one_name_apart)
{
    make_folder();
    pts_store *store = open_run();
    pts_store_job job = job_of("coins", 0, 2, 43);
    job.hash = "abcdef0123456789abcdef";
    add_job(store, job, 0.25);
    job.hash = "abc0";
    add_job(store, job, 0.75);
    add(store, "other", 0, 2, 43, 0.5);
    pts_store_close(store);
    pts_error err;
    size_t rows;
    ck_assert_int_eq(export_to("c.csv", NULL, 0, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message + strlen(path),
                     ": expected one data set of a name, got two called 'coins', with hash abc0 "
                     "and hash abcdef0123456789");
    ck_assert_int_eq(export_to("c.csv", &(pts_store_filter){.hash = "abc"}, 0, NULL, NULL),
                     PTS_ERR_ARGUMENT);
    ck_assert_int_eq(export_to("c.csv", &(pts_store_filter){.hash = "abcd"}, 0, &rows, NULL),
                     PTS_OK);
    ck_assert_str_eq(slurp("c.csv"),
                     "dataset,class,n,map,map50,map75\ncoins,Five,2,0.25,0.125,0.0833333333\n");
    ck_assert_int_eq(export_to("c.csv", &(pts_store_filter){.dataset = "other"}, 0, &rows, NULL),
                     PTS_OK);
    remove_folder();
}
END_TEST

/* The study's way: one job a curve, a retrained size has its second measurement. */
START_TEST(exports_incremental_curves)
{
    make_folder();
    pts_store *store = open_run();
    pts_store_job job = job_of("coins", 1, 0, 43);
    job.mode = "incremental";
    pts_store_point points[3] = {point_of(2, 0.25), point_of(4, 0.5), point_of(6, 0.75)};
    for (size_t i = 0; i < 3; i++) {
        points[i].step = i;
        points[i].kind = i == 1 ? "blue" : "green";
    }
    ck_assert_int_eq(pts_store_done(store, take(store, job).job, points, 3, NULL), PTS_OK);
    ck_assert_int_eq(export_to("c.csv", NULL, 0, NULL, NULL), PTS_OK);
    ck_assert_str_eq(slurp("c.csv"), "dataset,class,n,map,map50,map75\n"
                                     "coins,One,2,0.25,0.125,0.0833333333\n"
                                     "coins,One,4,0.5,0.25,0.166666667\n"
                                     "coins,One,6,0.75,0.375,0.25\n");
    add(store, "coins", 1, 2, 43, 0.5);
    pts_store_close(store);
    pts_error err;
    ck_assert_int_eq(export_to("c.csv", NULL, 0, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message + strlen(path),
                     ": expected points of one trainer, settings and mode, got trainer 'builtin' "
                     "settings 'epochs=5' mode 'fresh' and trainer 'builtin' settings 'epochs=5' "
                     "mode 'incremental'");
    ck_assert_int_eq(export_to("c.csv", &(pts_store_filter){.mode = "fresh"}, 0, NULL, NULL),
                     PTS_OK);
    remove_folder();
}
END_TEST

START_TEST(exports_without_map50_where_there_is_none)
{
    make_folder();
    pts_store *store = open_run();
    add(store, "coins", 0, 2, 43, 0.5);
    pts_store_point point = point_of(4, 0.25);
    point.map75 = NAN;
    done(store, take(store, job_of("coins", 0, 4, 43)).job, point);
    pts_store_close(store);
    ck_assert_int_eq(export_to("c.csv", NULL, 0, NULL, NULL), PTS_OK);
    ck_assert_str_eq(slurp("c.csv"), "dataset,class,n,map\ncoins,Five,2,0.5\ncoins,Five,4,0.25\n");
#ifdef PTS_HAVE_JSON
    pts_error err;
    ck_assert_int_eq(export_to("c.json", NULL, 0, NULL, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message + strlen(path),
                     ": expected points with map50 and map75, as the study's shape has them, got "
                     "some without");
#endif
    remove_folder();
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
    ck_assert_str_eq(ran.err, "ptstrain export: expected -o FILE or --plots DIR, got none\n");
#ifdef PTS_HAVE_PLOT
    ck_assert_int_eq(run_export("--store runs.db --plots p --dataset coins && ls p"), 0);
    ck_assert_ptr_nonnull(strstr(ran.err, " figures written to p\n"));
    ck_assert_ptr_eq(strstr(ran.out, "coins-Five"), ran.out); /* One has a single size: no line */
    ck_assert_ptr_null(strstr(ran.out, "coins-One"));
    ck_assert_int_eq(run_export("--store runs.db --plots c.csv"), 1);
    ck_assert_str_eq(ran.err,
                     "ptstrain export: c.csv/coins-Five.svg: cannot write: Not a directory\n");
#endif
    remove_folder();
}
END_TEST

#ifdef PTS_HAVE_PLOT
/* Names that a file name cannot tell apart, and a class named as another's second figure. */
START_TEST(exported_figures_do_not_overwrite_each_other)
{
    static const char *const classes[] = {"a b", "a/b", "A?b", "c", "c-memory"};
    make_folder();
    pts_store *store = open_run();
    for (int k = 0; k < 5; k++) {
        for (size_t n = 2; n <= 8; n *= 2) {
            pts_store_job job = job_of("d", k, n, 43);
            job.class_name = classes[k];
            add_job(store, job, 0.5);
        }
    }
    pts_store_close(store);
    ck_assert_int_eq(run_export("--store runs.db --plots p && ls p/*.svg | grep -vc memory.svg"),
                     0);
    ck_assert_int_eq(atoi(ran.out), 5);
    ck_assert_int_eq(run_export("--store runs.db --plots p && ls p/d-a_b.svg p/d-a_b~2.svg "
                                "p/d-A_b~3.svg p/d-c.svg p/d-c-memory~1.svg"),
                     0);
    remove_folder();
}
END_TEST
#endif

static void write_text(const char *name, const char *text)
{
    char full[192];
    snprintf(full, sizeof full, "%s/%s", folder, name);
    FILE *file = fopen(full, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static int run_import(const char *args)
{
    return run_program("cd %s && ptstrain import %s", folder, args);
}

static const char curves[] = "dataset,class,n,map,map50,map75\n"
                             "coins,Five,2,0.25,0.5,0.125\n"
                             "coins,Five,2,0.5,0.5,0.125\n"
                             "coins,Five,10,0.75,0.875,0.5\n"
                             "leaves,3,2,0,0,0\n";

START_TEST(command_imports_once)
{
    make_folder();
    write_text("in.csv", curves);
    ck_assert_int_eq(run_import("--store runs.db --trainer yolo in.csv"), 0);
    ck_assert_str_eq(ran.err,
                     "ptstrain import: 3 curves of 4 points added, 0 were there already\n");
    ck_assert_str_eq(list_points(NULL), "coins unknown -1 Five 0 0 yolo imported fresh: 0 2 0.25\n"
                                        "coins unknown -1 Five 0 0 yolo imported fresh: 1 10 0.75\n"
                                        "coins unknown -1 Five 0 1 yolo imported fresh: 0 2 0.5\n"
                                        "leaves unknown 3 3 0 0 yolo imported fresh: 0 2 0\n");
    ck_assert_int_eq(run_import("--store runs.db --trainer yolo in.csv"), 0);
    ck_assert_str_eq(ran.err,
                     "ptstrain import: 0 curves of 0 points added, 3 were there already\n");
    ck_assert_int_eq(run_export("--store runs.db -o out.csv && cmp in.csv out.csv"), 0);
    write_text("in.csv", "dataset,class,n,map\ncoins,Five,2,0.375\n");
    ck_assert_int_eq(run_import("--store runs.db --trainer yolo in.csv"), 1);
    ck_assert_str_eq(ran.err,
                     "ptstrain import: in.csv: coins, Five: the store has other points of this "
                     "curve from trainer 'yolo' (import as another --trainer)\n");
    remove_folder();
}
END_TEST

#ifdef PTS_HAVE_JSON
START_TEST(command_imports_the_studys_file)
{
    make_folder();
    write_text("feet-14.json", "[{\"class_num\": 0, \"cls_tl_dict\": [2, 4, 6], \"result_dict\": "
                               "{\"0\": [0.25, 0.5, 0.125], \"1\": [0.5, 0.5, 0.25]}}]");
    ck_assert_int_eq(run_import("--store runs.db --trainer yolo --mode incremental feet-14.json"),
                     0);
    ck_assert_str_eq(list_points(NULL),
                     "feet-14 unknown 0 0 0 0 yolo imported incremental: 0 2 0.25\n"
                     "feet-14 unknown 0 0 0 0 yolo imported incremental: 1 4 0.5\n");
    ck_assert_int_eq(run_import("--store b.db --trainer yolo --dataset feet feet-14.json"), 0);
    write_text("in.csv", curves);
    ck_assert_int_eq(run_import("--store b.db --trainer yolo in.csv"), 0);
    /* Ours name data set and class: they come back as they went. */
    ck_assert_int_eq(run_export("--store b.db -o b.json"), 0);
    ck_assert_int_eq(run_import("--store c.db --trainer yolo b.json"), 0);
    ck_assert_int_eq(run_export("--store b.db --mean -o b.csv"), 0);
    ck_assert_int_eq(run_export("--store c.db -o c.csv && cmp b.csv c.csv"), 0);
    remove_folder();
}
END_TEST
#endif

/* Three seeds, of which two found the same to the last digit: each keeps its place. */
START_TEST(command_imports_equal_seeds)
{
    static const char equal[] = "dataset,class,n,map\n"
                                "coins,Five,2,0.125\n"
                                "coins,Five,2,0.125\n"
                                "coins,Five,2,0.25\n"
                                "coins,Five,4,0.5\n"
                                "coins,Five,4,0.75\n"
                                "coins,Five,4,0.5\n";
    make_folder();
    write_text("in.csv", equal);
    ck_assert_int_eq(run_import("--store runs.db --trainer yolo in.csv"), 0);
    ck_assert_str_eq(ran.err,
                     "ptstrain import: 3 curves of 6 points added, 0 were there already\n");
    ck_assert_str_eq(list_points(NULL), "coins unknown -1 Five 0 0 yolo imported fresh: 0 2 0.125\n"
                                        "coins unknown -1 Five 0 0 yolo imported fresh: 1 4 0.5\n"
                                        "coins unknown -1 Five 0 1 yolo imported fresh: 0 2 0.125\n"
                                        "coins unknown -1 Five 0 1 yolo imported fresh: 1 4 0.75\n"
                                        "coins unknown -1 Five 0 2 yolo imported fresh: 0 2 0.25\n"
                                        "coins unknown -1 Five 0 2 yolo imported fresh: 1 4 0.5\n");
    ck_assert_int_eq(run_export("--store runs.db -o out.csv && cmp in.csv out.csv"), 0);
    remove_folder();
}
END_TEST

START_TEST(command_import_refuses)
{
    make_folder();
    write_text("in.csv", curves);
    ck_assert_int_eq(run_import("--store runs.db in.csv"), 2);
    ck_assert_str_eq(ran.err, "ptstrain import: expected --trainer NAME, got none\n");
    ck_assert_int_eq(run_import("--store runs.db --trainer t"), 2);
    ck_assert_str_eq(ran.err, "ptstrain import: expected one file of curves, got 0\n");
    ck_assert_int_eq(run_import("--store runs.db --trainer t --mode both in.csv"), 2);
    ck_assert_str_eq(ran.err,
                     "ptstrain import: --mode: expected fresh, incremental or base, got 'both'\n");
    ck_assert_int_eq(run_import("--store runs.db --trainer t --dataset one in.csv"), 1);
    ck_assert_str_eq(ran.err, "ptstrain import: in.csv: expected one data set, to be called 'one', "
                              "got 'coins' and 'leaves'\n");
    ck_assert_int_eq(run_import("--store runs.db --trainer t none.csv"), 1);
    write_text("weighted.csv", "dataset,class,n,map,weight\ncoins,Five,2,0.5,3\n");
    ck_assert_int_eq(run_import("--store runs.db --trainer t weighted.csv"), 1);
    ck_assert_str_eq(ran.err,
                     "ptstrain import: weighted.csv: expected results of single trainings, "
                     "got a column 'weight': the store has no place for it\n");
    ck_assert_int_ne(access(path, F_OK), 0); /* no store was made */
    ck_assert_int_eq(run_import("--store in.csv --trainer t in.csv"), 1);
    ck_assert_str_eq(ran.err, "ptstrain import: in.csv: expected a store of results, got: file is "
                              "not a database\n");
    ck_assert_str_eq(slurp("in.csv"), curves);
    remove_folder();
}
END_TEST

static int run_runs(const char *args)
{
    return run_program("cd %s && ptstrain runs %s", folder, args);
}

START_TEST(command_lists_runs_and_jobs)
{
    make_folder();
    pts_store *store = open_store(PTS_STORE_WRITE);
    pts_store_close(store);
    ck_assert_int_eq(run_runs("--store runs.db"), 0);
    ck_assert_str_eq(ran.out, "no runs\n");
    store = open_store(PTS_STORE_WRITE);
    const pts_store_run run = {.command = "ptstrain \033[31m", .environment = "Zen, 2 threads"};
    ck_assert_int_eq(pts_store_run_begin(store, &run, NULL), PTS_OK);
    add(store, "coins", 0, 2, 43, 0.5);
    pts_store_claim claim = take(store, job_of("coins", 0, 4, 43));
    ck_assert_int_eq(pts_store_failed(store, claim.job, "exit code 7", NULL), PTS_OK);
    take(store, job_of("coins", 0, 6, 43));
    ck_assert_int_eq(run_runs("--store runs.db --jobs"), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, " to running, process "));
    ck_assert_ptr_nonnull(
        strstr(ran.out, ": 1 done, 1 failed, 1 taken, 1.5 s: ptstrain ?[31m\n"
                        "job 1: done, run 1, attempts 1, 1 points, 1.5 s: coins (unknown), Five, "
                        "n 2, seed 43, fresh, builtin (epochs=5)\n"
                        "job 2: failed, run 1, attempts 1, 0 points, 0.0 s: coins (unknown), Five, "
                        "n 4, seed 43, fresh, builtin (epochs=5): exit code 7\n"
                        "job 3: taken, run 1, attempts 1, 0 points, 0.0 s: coins (unknown), Five, "
                        "n 6, seed 43, fresh, builtin (epochs=5)\n"));
    pts_store_close(store);
    ck_assert_int_eq(run_runs("--store runs.db"), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, ": 1 done, 1 failed, 0 taken, 1.5 s: "));
    ck_assert_ptr_null(strstr(ran.out, "running"));
    ck_assert_int_eq(run_runs("--store none.db"), 1);
    ck_assert_str_eq(ran.err, "ptstrain runs: none.db: No such file or directory\n");
    ck_assert_int_eq(run_runs(""), 2);
    ck_assert_str_eq(ran.err, "ptstrain runs: expected --store FILE, got none\n");
    remove_folder();
}
END_TEST

#ifdef PTS_HAVE_JSON
START_TEST(command_lists_json)
{
    make_folder();
    fill_for_export();
    ck_assert_int_eq(run_runs("--store runs.db --jobs --json"), 0);
    json_t *got = json_loads(ran.out, 0, NULL);
    json_t *runs = json_object_get(got, "runs"), *jobs = json_object_get(got, "jobs");
    ck_assert_uint_eq(json_array_size(runs), 1);
    ck_assert_uint_eq(json_array_size(jobs), 5);
    json_t *first = json_array_get(runs, 0), *job = json_array_get(jobs, 0);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "done")), 5);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "process")), getpid());
    ck_assert_str_eq(json_string_value(json_object_get(first, "command")), "test_store");
    ck_assert_str_eq(json_string_value(json_object_get(job, "class")), "say \"x\"");
    ck_assert_str_eq(json_string_value(json_object_get(job, "state")), "done");
    json_decref(got);
    remove_folder();
}
END_TEST
#define JSON_CASES , command_lists_json, command_imports_the_studys_file
#else
#define JSON_CASES
#endif

CHECK_SUITE("store", points_come_back_in_order, points_keep_every_figure_and_can_stop,
            every_part_of_a_job_counts, jobs_out_of_range_are_refused,
            points_out_of_range_are_refused, jobs_fail_with_a_reason_and_are_tried_again,
            one_handle_holds_several_jobs_until_it_ends_them, data_sets_are_noted_once,
            jobs_of_a_killed_process_are_free_at_once, jobs_of_before_a_restart_are_free_at_once,
            another_process_namespace_is_elsewhere, a_process_number_used_again_is_not_the_holder,
            a_writer_that_ends_without_closing_loses_nothing, writers_wait_for_each_other,
            a_long_reader_and_a_writer_do_not_wait, a_network_file_system_gets_no_shared_memory,
            a_read_only_store_can_be_read, a_read_only_folder_with_a_journal_is_not_half_read,
            a_file_that_cannot_grow_keeps_what_it_has, a_full_disk_keeps_what_it_has,
            other_files_are_refused_and_left_alone, altered_stores_are_refused,
            views_in_place_of_tables_never_run, version_1_is_read_as_it_is,
            version_1_becomes_version_2, exports_csv, exports_json,
            exports_refuse_and_leave_nothing, exports_keep_data_sets_of_one_name_apart,
            exports_incremental_curves, exports_without_map50_where_there_is_none,
            command_exports_and_refuses,
#ifdef PTS_HAVE_PLOT
            exported_figures_do_not_overwrite_each_other,
#endif
            command_imports_once, command_imports_equal_seeds, command_import_refuses,
            command_lists_runs_and_jobs JSON_CASES, SLOW, damaged_stores_never_break_the_reader,
            four_processes_do_each_job_once, another_host_lives_by_its_beats_whatever_its_clock,
            a_kill_never_leaves_half_a_job, a_killed_writer_loses_nothing)
