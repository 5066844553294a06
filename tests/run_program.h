/* Runs a program of this build as a user's shell would:
 *
 *   ck_assert_int_eq(run_program("ptsinfer curve --params %s --at 50", text), 0);
 *   ck_assert_str_eq(ran.out, "…");
 */
#ifndef PTS_TESTS_RUN_PROGRAM_H
#define PTS_TESTS_RUN_PROGRAM_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the last run left on stdout and stderr; "2>&1" in the command puts both into out. */
static struct {
    char out[1 << 20], err[1 << 16];
    size_t out_size;
} ran;

/* The build's folder in front of PATH, so that commands read as in the manual and may begin with
 * "cd FOLDER &&". */
static inline void find_programs_first(void)
{
    static char here[4096], path[16384];
    const char *build = getenv("PTS_TEST_BUILD"), *others = getenv("PATH");
    if (!build)
        build = "build";
    if (build[0] != '/')
        ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    snprintf(path, sizeof path, "%s%s%s:%s", here, *here ? "/" : "", build, others ? others : "");
    setenv("PATH", path, 1);
}

static inline size_t take_output(FILE *file, char *text, size_t size)
{
    rewind(file);
    size_t used = fread(text, 1, size - 1, file);
    ck_assert_msg(fgetc(file) == EOF, "more than %zu bytes of output", size - 1);
    text[used] = '\0';
    fclose(file);
    return used;
}

/* Files, not pipes, take the output: a program that fills one pipe while we read the other would
 * hang. The exit code; a signal fails the test. */
__attribute__((format(printf, 1, 2))) static inline int run_program(const char *format, ...)
{
    char command[16384];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(command, sizeof command, format, args);
    va_end(args);
    ck_assert_int_lt(length, (int)sizeof command);
    FILE *out = tmpfile(), *err = tmpfile();
    ck_assert(out && err);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        find_programs_first();
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ran.out_size = take_output(out, ran.out, sizeof ran.out);
    take_output(err, ran.err, sizeof ran.err);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) < 126, "%s: status %d: %s", command,
                  status, ran.err);
    return WEXITSTATUS(status);
}

/* So many ranks on this machine (an int), as root too. Leaks are looked for without it: OpenMPI's
 * plug-ins are unloaded before the report, so what they never free has no name that could be
 * suppressed. */
#define MPIRUN_OF MPIRUN_START "%d "
#define MPIRUN MPIRUN_START "3 "
#define MPIRUN_START                                                                               \
    "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 ASAN_OPTIONS=detect_leaks=0 "       \
    "mpirun --oversubscribe -n "

/* One line on stderr, whole, nothing on stdout and this exit code: how every mistake ends. */
__attribute__((format(printf, 3, 4))) static inline void
check_refused(int code, const char *command, const char *format, ...)
{
    char expected[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    int got = run_program("%s", command);
    ck_assert_msg(got == code, "%s: exit %d, not %d: %s", command, got, code, ran.err);
    ck_assert_str_eq(ran.err, expected);
    ck_assert_str_eq(ran.out, "");
}

#endif
