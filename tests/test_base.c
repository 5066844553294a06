/* The base room: checked sizes, the arena, the thread team, whole-file output. */
#include "check_main.h"

#include "base/error.h"
#include "pts/file.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(sizes_refuse_overflow)
{
    size_t out;
    ck_assert(pts_mul(1u << 20, 1u << 20, &out));
    ck_assert_uint_eq(out, (size_t)1 << 40);
    ck_assert(!pts_mul(SIZE_MAX, 2, &out));
    ck_assert(!pts_add(SIZE_MAX, 1, &out));
    ck_assert_ptr_null(pts_calloc64(SIZE_MAX / 2, 4));
}
END_TEST

START_TEST(arena_measures_then_carves)
{
    pts_arena arena = {0};
    for (int pass = 0; pass < 2; pass++) {
        float *a = pts_arena_take(&arena, 3, sizeof *a);
        float *b = pts_arena_take(&arena, 100, sizeof *b);
        if (pass == 0) {
            ck_assert_ptr_null(a);
            ck_assert_uint_eq(arena.used, 64 + 448);
            ck_assert_int_eq(pts_arena_commit(&arena, NULL), PTS_OK);
            continue;
        }
        ck_assert_uint_eq((uintptr_t)a % 64, 0);
        ck_assert_ptr_eq((unsigned char *)a + 64, (unsigned char *)b);
        b[99] = 1;
        ck_assert_ptr_null(pts_arena_take(&arena, 1, 1)); /* more than was planned */
    }
    pts_arena_free(&arena);
}
END_TEST

START_TEST(arena_refuses_overflow)
{
    pts_arena arena = {0};
    pts_arena_take(&arena, SIZE_MAX / 2, 4);
    ck_assert_int_eq(pts_arena_commit(&arena, NULL), PTS_ERR_MEMORY);
}
END_TEST

static void count_task(void *user, size_t task, int thread)
{
    (void)thread;
    atomic_fetch_add(&((atomic_int *)user)[task], 1);
}

START_TEST(team_runs_each_task_once)
{
    static atomic_int seen[1000];
    for (int threads = 1; threads <= 5; threads += 2) {
        pts_team *team;
        ck_assert_int_eq(pts_team_create(&team, threads, NULL), PTS_OK);
        ck_assert_int_eq(pts_team_threads(team), threads);
        for (size_t tasks = 0; tasks <= 1000; tasks += 125) {
            memset(seen, 0, sizeof seen);
            pts_team_run(team, tasks, count_task, seen);
            for (size_t i = 0; i < 1000; i++)
                ck_assert_int_eq(seen[i], i < tasks);
        }
        pts_team_destroy(team);
    }
}
END_TEST

START_TEST(team_refuses_a_silly_size)
{
    pts_team *team;
    pts_error err;
    ck_assert_int_eq(pts_team_create(&team, -1, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "threads: expected 0 … 256, got -1");
    ck_assert_ptr_null(team);
}
END_TEST

START_TEST(output_appears_whole_or_not_at_all)
{
    char folder[] = "/tmp/pts_test_XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out", folder);
    pts_output out;
    ck_assert_int_eq(pts_output_open(&out, path, NULL), PTS_OK);
    fputs("half", out.file);
    ck_assert_int_ne(access(path, F_OK), 0);
    pts_output_discard(&out);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing stays behind */
    ck_assert_ptr_nonnull(mkdtemp(strcpy(folder, "/tmp/pts_test_XXXXXX")));
    snprintf(path, sizeof path, "%s/out", folder);
    ck_assert_int_eq(pts_output_open(&out, path, NULL), PTS_OK);
    fputs("whole", out.file);
    ck_assert_int_eq(pts_output_commit(&out, NULL), PTS_OK);
    char *data;
    size_t size;
    ck_assert_int_eq(pts_read_file(path, 5, &data, &size, NULL), PTS_OK);
    ck_assert_str_eq(data, "whole");
    free(data);
    pts_error err;
    ck_assert_int_eq(pts_read_file(path, 4, &data, &size, &err), PTS_ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.message, "expected at most 4 bytes, got 5"));
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(output_refuses_what_is_no_file)
{
    pts_output out;
    pts_error err;
    ck_assert_int_eq(pts_output_open(&out, "/dev/null", &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "/dev/null: expected a regular file or none");
    ck_assert_int_eq(pts_output_open(&out, "/nowhere/at/all", &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "/nowhere/at/all: cannot write: No such file or directory");
}
END_TEST

static void write_through(const char *path, const char *text)
{
    pts_output out;
    pts_error err;
    ck_assert_msg(pts_output_open(&out, path, &err) == PTS_OK, "%s", err.message);
    fputs(text, out.file);
    ck_assert_msg(pts_output_commit(&out, &err) == PTS_OK, "%s", err.message);
}

static void check_file(const char *path, const char *expected)
{
    char *text;
    size_t size;
    ck_assert_int_eq(pts_read_file(path, 100, &text, &size, NULL), PTS_OK);
    ck_assert_str_eq(text, expected);
    free(text);
}

/* Links to a link, by relative and whole paths, to a file that is there and to one that is not. */
START_TEST(output_to_a_link_writes_what_it_stands_for)
{
    char folder[] = "/tmp/pts_test_XXXXXX", line[128];
    struct stat info;
    pts_output out;
    pts_error err;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert(mkdir("real", 0700) == 0 && mkdir("links", 0700) == 0);
    ck_assert_int_eq(symlink("../real/file", "links/inner"), 0);
    snprintf(line, sizeof line, "%s/links/inner", folder);
    ck_assert(symlink(line, "outer") == 0 && symlink("loop", "loop") == 0);
    write_through("outer", "first");
    check_file("real/file", "first");
    write_through("links/inner", "second");
    check_file("real/file", "second");
    ck_assert(lstat("outer", &info) == 0 && S_ISLNK(info.st_mode));
    ck_assert(lstat("links/inner", &info) == 0 && S_ISLNK(info.st_mode));
    ck_assert_int_eq(pts_output_open(&out, "loop", &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "loop: cannot write: Too many levels of symbolic links");
    ck_assert_int_eq(pts_output_open(&out, "outer", NULL), PTS_OK);
    pts_output_discard(&out);
    check_file("outer", "second");
    ck_assert(unlink("outer") == 0 && unlink("loop") == 0 && unlink("links/inner") == 0);
    ck_assert(unlink("real/file") == 0 && rmdir("links") == 0);
    ck_assert(rmdir("real") == 0 && chdir("/") == 0 && rmdir(folder) == 0);
}
END_TEST

START_TEST(reading_a_pipe_does_not_hang)
{
    char folder[] = "/tmp/pts_test_XXXXXX", path[64], *data;
    size_t size;
    pts_error err;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(pts_read_file(path, 100, &data, &size, &err), PTS_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.message, "expected a regular file"));
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(names_end_in_either_case)
{
    ck_assert(pts_path_ends("a.csv", ".csv"));
    ck_assert(pts_path_ends("d.npy/A.CSV", ".csv"));
    ck_assert(!pts_path_ends("a.csv.gz", ".csv"));
    ck_assert(!pts_path_ends("csv", ".csv"));
    ck_assert(!pts_path_ends(".csv", ".csv"));
    ck_assert(!pts_path_ends("", ".csv"));
}
END_TEST

START_TEST(csv_fields_are_quoted_where_they_must_be)
{
    static const char *const fields[] = {"a b",        "",     "x,y", "say \"no\"",
                                         "two\nlines", "cr\r", "ü;'"};
    char text[128];
    FILE *file = fmemopen(text, sizeof text, "w");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        pts_csv_field(file, fields[i]);
        fputc('|', file);
    }
    fclose(file);
    ck_assert_str_eq(text, "a b||\"x,y\"|\"say \"\"no\"\"\"|\"two\nlines\"|\"cr\r\"|ü;'|");
}
END_TEST

CHECK_SUITE("base", sizes_refuse_overflow, arena_measures_then_carves, arena_refuses_overflow,
            team_runs_each_task_once, team_refuses_a_silly_size, output_appears_whole_or_not_at_all,
            output_refuses_what_is_no_file, output_to_a_link_writes_what_it_stands_for,
            reading_a_pipe_does_not_hang, names_end_in_either_case,
            csv_fields_are_quoted_where_they_must_be)
