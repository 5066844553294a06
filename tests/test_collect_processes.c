/* ptstrain collect when processes are killed and when several share a store: what is measured stays
 * and is never measured again. The trainer is a script that writes down each run's beginning, takes
 * its time and finds nothing. */
#include "run_program.h"
#include "temporary_folder.h"

enum { JOBS = 9 }; /* three sizes, three seeds */

static void setup(void)
{
    make_folder();
    ck_assert_int_eq(
        run_program("cd %s && touch begun && printf 'echo $1 >> %s/begun\\nsleep 0.4\\n"
                    "echo [] > test_results.json\\n' > train.sh",
                    folder, folder),
        0);
}

/* The command's arguments, for a shell in the folder. */
static const char *arguments(void)
{
    static char text[8192];
    snprintf(text, sizeof text,
             "collect --data %s --class One --sizes 1,2,3 --seeds 3 --store runs.db --threads 1 "
             "--trainer 'sh %s/train.sh'",
             test_data("yolo-mini"), folder);
    return text;
}

static int count(const char *command)
{
    ck_assert_int_eq(run_program("cd %s && %s | wc -l", folder, command), 0);
    return atoi(ran.out);
}

static int jobs_done(void)
{
    return count("ptstrain runs --store runs.db --jobs | grep '^job .*: done,'");
}

/* A second run does what is left, and nothing of what the store has. */
static void check_the_rest_is_done(void)
{
    char expected[128];
    int begun = count("cat begun"), done = jobs_done();
    ck_assert_int_gt(done, 0); /* else the kill came too early to show anything */
    ck_assert_int_lt(done, JOBS);
    ck_assert_msg(run_program("cd %s && ptstrain %s", folder, arguments()) == 0, "%s", ran.err);
    snprintf(expected, sizeof expected,
             "ptstrain collect: %d jobs: %d measured, %d were there before\n", JOBS, JOBS - done,
             done);
    ck_assert_msg(strstr(ran.err, expected), "expected %s, got %s", expected, ran.err);
    ck_assert_int_eq(count("cat begun"), begun + JOBS - done);
    ck_assert_int_eq(run_program("cd %s && ptstrain export --store runs.db -o c.csv", folder), 0);
    ck_assert_int_eq(count("tail -n +2 c.csv"), JOBS);
}

START_TEST(a_killed_process_loses_the_job_in_hand)
{
    run_program("cd %s && ptstrain %s & until [ $(wc -l < %s/begun) -ge 4 ]; do sleep 0.05; done; "
                "kill -9 $!; wait $!; true",
                folder, arguments(), folder);
    ck_assert_int_eq(jobs_done(), 3);
    check_the_rest_is_done();
    ck_assert_int_eq(count("cat begun"), JOBS + 1);
}
END_TEST

/* Ctrl-C: at once, with the job in hand given back. */
START_TEST(an_interrupted_process_loses_the_job_in_hand)
{
    int code = run_program("cd %s && ptstrain %s & until [ $(wc -l < %s/begun) -ge 4 ]; do sleep "
                           "0.05; done; kill -INT $!; wait $!",
                           folder, arguments(), folder);
    ck_assert_int_eq(code, 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "ptstrain collect: 9 jobs: 3 measured, 0 were there"));
    ck_assert_ptr_nonnull(strstr(ran.err,
                                 "ptstrain collect: stopped; what is measured is kept, and "
                                 "the same command goes on\n"));
    ck_assert_int_eq(jobs_done(), 3);
    check_the_rest_is_done();
    ck_assert_int_eq(count("cat begun"), JOBS + 1);
    ck_assert_int_eq(count("ls -d runs.db-jobs/*"), JOBS + 1); /* where no --jobs says otherwise */
}
END_TEST

/* A trainer that does not mind being asked to stop, and a program of its own that it waits for. */
static void write_stubborn_trainer(void)
{
    ck_assert_int_eq(
        run_program("cd %s && printf 'trap \"\" TERM INT\nsleep 300 & echo $$ > %s/shell\n"
                    "echo $! > %s/child\nmv %s/shell %s/trainer\nwait\nsleep 300\n' > train.sh",
                    folder, folder, folder, folder, folder),
        0);
}

/* Nothing of it is left some seconds later. */
static void check_trainer_gone(void)
{
    ck_assert_msg(run_program("cd %s && for i in 1 2 3 4 5 6 7 8 9 10; do "
                              "kill -0 $(cat trainer) || kill -0 $(cat child) || exit 0; sleep 1; "
                              "done; exit 1",
                              folder) == 0,
                  "the trainer outlives");
}

START_TEST(a_trainer_does_not_outlive_a_killed_process)
{
    write_stubborn_trainer();
    run_program("cd %s && ptstrain %s & until [ -e %s/trainer ]; do sleep 0.05; done; "
                "kill -9 $!; wait $!; true",
                folder, arguments(), folder);
    ck_assert_int_eq(run_program("kill -0 $(cat %s/trainer)", folder), 0);
    check_trainer_gone();
}
END_TEST

START_TEST(two_processes_share_a_store)
{
    ck_assert_int_eq(run_program("cd %s && (ptstrain %s & A=$!; ptstrain %s && wait $A)", folder,
                                 arguments(), arguments()),
                     0);
    ck_assert_int_eq(count("cat begun"), JOBS);
    ck_assert_int_eq(count("sort -u begun"), JOBS);
    ck_assert_int_eq(jobs_done(), JOBS);
    ck_assert_int_eq(count("ptstrain runs --store runs.db | grep -v ' 0 done'"), 2); /* both */
}
END_TEST

/* The command is one for a shell in the folder, the job's folder another. */
static void check_relative(const char *trainer)
{
    ck_assert_int_eq(
        run_program("cd %s && rm -f runs.db && mkdir -p sub && cp train.sh sub/", folder), 0);
    ck_assert_msg(run_program("cd %s && ptstrain collect --data %s --class One --sizes 1 "
                              "--store runs.db --threads 1 --trainer \"%s\"",
                              folder, test_data("yolo-mini"), trainer) == 0,
                  "%s: %s", trainer, ran.err);
    ck_assert_int_eq(run_program("cd %s && ptstrain runs --store runs.db --jobs", folder), 0);
    ck_assert_msg(strstr(ran.out, trainer), "%s", ran.out); /* known by what was asked for */
}

START_TEST(a_trainers_path_is_one_from_here)
{
    check_relative("sh sub/train.sh");
    check_relative("sh ./sub/train.sh");
    check_relative("sh train.sh");
    check_relative("sh 'sub/train.sh'");
}
END_TEST

/* A script that is not there; the name in the message has each job's folder in it. */
START_TEST(three_failures_alike_end_the_run)
{
    ck_assert_int_eq(
        run_program("cd %s && cp train.sh good.sh && printf 'echo $1 >> %s/begun; echo $PWD/x: no "
                    "such file >&2; exit 2' > train.sh",
                    folder, folder),
        0);
    ck_assert_int_eq(run_program("cd %s && ptstrain %s", folder, arguments()), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "ptstrain collect: 9 jobs: 0 measured, 0 were there "
                                          "before, 3 failed (--resume tries them again)\n"));
    ck_assert_msg(strstr(ran.err,
                         "ptstrain collect: stopped, as the first 3 jobs failed alike (those left "
                         "stay to be tried): "),
                  "%s", ran.err);
    ck_assert_ptr_nonnull(strstr(ran.err, ": the trainer exited with 2: x: no such file\n"));
    ck_assert_int_eq(count("cat begun"), 3);
    ck_assert_int_eq(run_program("mv %s/good.sh %s/train.sh", folder, folder), 0);
    ck_assert_int_eq(run_program("cd %s && ptstrain %s", folder, arguments()), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "9 jobs: 6 measured, 0 were there before, 3 failed"));
    ck_assert_int_eq(run_program("cd %s && ptstrain %s --resume", folder, arguments()), 0);
    ck_assert_int_eq(jobs_done(), JOBS);
}
END_TEST

/* A trainer that works, and failures of several kinds, end nothing. */
START_TEST(failures_that_differ_end_nothing)
{
    ck_assert_int_eq(run_program("cd %s && printf 'echo $1 >> %s/begun; wc -l < %s/begun >&2; exit "
                                 "2' > train.sh",
                                 folder, folder, folder),
                     0);
    ck_assert_int_eq(run_program("cd %s && ptstrain %s", folder, arguments()), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "9 jobs: 0 measured, 0 were there before, 9 failed"));
    ck_assert_int_eq(run_program("cd %s && rm runs.db && : > begun && printf 'echo $1 >> %s/begun; "
                                 "[ $(wc -l < %s/begun) -gt 1 ] || { echo [] > test_results.json; "
                                 "exit 0; }; exit 2' > train.sh",
                                 folder, folder, folder),
                     0);
    ck_assert_int_eq(run_program("cd %s && ptstrain %s", folder, arguments()), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "9 jobs: 1 measured, 0 were there before, 8 failed"));
}
END_TEST

/* On a terminal of so many columns: every drawing fits on one line, names jobs and time left, and
 * the last one is taken away. */
static void check_bar(int columns, const char *drawn)
{
    ck_assert_int_eq(
        run_program("cd %s && rm -f runs.db && printf '%%s\n' \"stty cols %d; ptstrain "
                    "%s\" > bar.sh && script -qec 'sh bar.sh' bar.txt > bar.txt",
                    folder, columns, arguments()),
        0);
    ck_assert_int_eq(run_program("cat %s/bar.txt", folder), 0);
    char *next = ran.out;
    size_t drawings = 0, with_rate = 0;
    while ((next = strstr(next, "\r\033[K"))) {
        next += strlen("\r\033[K");
        size_t length = strcspn(next, "\r\n");
        if (next[length] == '\r' && next[length + 1] == '\033') { /* taken away by the next */
            ck_assert_uint_lt(length, (size_t)columns);
            drawings++;
            char *left = strstr(next, " left");
            with_rate += left && left < next + length;
        }
    }
    ck_assert_uint_gt(drawings, 5);
    ck_assert_uint_gt(with_rate, 3);
    ck_assert_ptr_nonnull(strstr(ran.out, drawn));
    ck_assert_ptr_nonnull(strstr(ran.out, "9/9 jobs"));
    ck_assert_ptr_nonnull(strstr(ran.out, "\r\033[Kptstrain collect: 9 jobs: 9 measured"));
}

START_TEST(the_bar_fits_the_terminal)
{
    check_bar(80, "[--------------------");
    check_bar(40, "\033[K1/9 jobs, ");
}
END_TEST

/* In a log there is neither bar nor cursor movement. */
START_TEST(a_log_has_plain_lines)
{
    ck_assert_int_eq(run_program("cd %s && ptstrain %s", folder, arguments()), 0);
    ck_assert_ptr_null(strchr(ran.err, '\r'));
    ck_assert_ptr_null(strchr(ran.err, '\033'));
    ck_assert_ptr_nonnull(strstr(ran.err, "yolo-mini: One: n 2  mAP 0.000"));
    ck_assert_ptr_nonnull(strstr(ran.err, "\njobs: 9 of 9\n"));
}
END_TEST

#ifdef PTS_HAVE_MPI
START_TEST(a_dead_rank_costs_the_jobs_in_hand)
{
    int code = run_program(
        "cd %s; (until [ $(wc -l < begun) -ge 5 ]; do sleep 0.05; done; kill -9 $(cat pid2)) & "
        "cd %s; " MPIRUN
        "sh -c 'echo $$ > pid$OMPI_COMM_WORLD_RANK; exec ptstrain \"$@\"' sh %s || exit 1",
        folder, folder, arguments());
    ck_assert_int_eq(code, 1);
    ck_assert_msg(strstr(ran.err, "signal 9"), "%s", ran.err); /* mpirun's words */
    check_the_rest_is_done();
}
END_TEST

/* Ctrl-C: mpirun asks the ranks to stop, and kills them before the trainers have. */
START_TEST(trainers_do_not_outlive_an_interrupted_mpirun)
{
    write_stubborn_trainer();
    int code = run_program("cd %s; " MPIRUN "ptstrain %s & until [ -e %s/trainer ]; do sleep 0.05; "
                           "done; kill -INT $!; wait $!",
                           folder, arguments(), folder);
    ck_assert_int_ne(code, 0);
    check_trainer_gone();
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("collect_processes");
    TCase *tcase = add_tcase(suite, "processes", "slow");
    tcase_add_checked_fixture(tcase, setup, remove_folder);
    tcase_add_test(tcase, a_killed_process_loses_the_job_in_hand);
    tcase_add_test(tcase, an_interrupted_process_loses_the_job_in_hand);
    tcase_add_test(tcase, two_processes_share_a_store);
    tcase_add_test(tcase, a_trainers_path_is_one_from_here);
    tcase_add_test(tcase, three_failures_alike_end_the_run);
    tcase_add_test(tcase, failures_that_differ_end_nothing);
#ifdef PTS_HAVE_MPI
    tcase_add_test(tcase, a_dead_rank_costs_the_jobs_in_hand);
    tcase_add_test(tcase, trainers_do_not_outlive_an_interrupted_mpirun);
#endif
    tcase_add_test(tcase, a_trainer_does_not_outlive_a_killed_process);
    tcase_add_test(tcase, the_bar_fits_the_terminal);
    tcase_add_test(tcase, a_log_has_plain_lines);
    return run_suite(suite);
}
