/* What every command of every program does alike: help, mistakes, versions, a full disk. */
#include "check_main.h"
#include "run_program.h"

#include "pts/base.h"

#include <stdbool.h>
#include <string.h>
#ifdef PTS_HAVE_JSON
#include <jansson.h>
#endif

typedef struct command {
    char program[16], name[16];
} command;

/* Those a program's own help lists: two blanks, the name, its summary. */
static size_t list_commands(const char *program, command *list, size_t room)
{
    size_t count = 0;
    ck_assert_int_eq(run_program("%s -h", program), 0);
    ck_assert_str_eq(ran.err, "");
    for (const char *line = ran.out; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "  ", 2) != 0)
            continue;
        ck_assert_uint_lt(count, room);
        command *c = &list[count++];
        snprintf(c->program, sizeof c->program, "%s", program);
        ck_assert_int_eq(sscanf(line, "%15s", c->name), 1);
    }
    return count;
}

static size_t all_commands(command *list, size_t room)
{
    size_t count = list_commands("ptsinfer", list, room);
    ck_assert_uint_ge(count, 5);
    size_t more = list_commands("ptstrain", list + count, room - count);
    ck_assert_uint_ge(more, 2);
    return count + more;
}

START_TEST(every_command_helps)
{
    command list[32];
    size_t count = all_commands(list, 32);
    for (size_t i = 0; i < count; i++) {
        char usage[64], example[64];
        const char *program = list[i].program, *name = list[i].name;
        snprintf(usage, sizeof usage, "usage: %.15s %.15s ", program, name);
        snprintf(example, sizeof example, "\nexample:\n  %.15s %.15s", program, name);
        for (int form = 0; form < 3; form++) {
            int code = form == 2 ? run_program("%s help %s", program, name)
                                 : run_program("%s %s %s", program, name, form ? "--help" : "-h");
            ck_assert_msg(code == 0, "%s %s: %s", program, name, ran.err);
            ck_assert_str_eq(ran.err, "");
            ck_assert_int_eq(strncmp(ran.out, usage, strlen(usage)), 0);
            ck_assert_msg(strstr(ran.out, example) != NULL, "%s", ran.out);
        }
    }
}
END_TEST

START_TEST(every_command_refuses_unknown_options)
{
    command list[32];
    size_t count = all_commands(list, 32);
    for (size_t i = 0; i < count; i++) {
        char line[64];
        snprintf(line, sizeof line, "%.15s %.15s --nonsense", list[i].program, list[i].name);
        check_refused(2, line, "%s %s: no option '--nonsense' (%s %s -h lists them)\n",
                      list[i].program, list[i].name, list[i].program, list[i].name);
    }
}
END_TEST

START_TEST(unknown_commands_are_refused)
{
    check_refused(2, "ptsinfer nonsense",
                  "ptsinfer: no command 'nonsense' (ptsinfer -h lists them)\n");
    check_refused(2, "ptstrain --nonsense",
                  "ptstrain: no command '--nonsense' (ptstrain -h lists them)\n");
    check_refused(2, "ptsinfer curve --params",
                  "ptsinfer curve: --params: expected A,B,C,D, got "
                  "nothing\n");
    ck_assert_int_eq(run_program("ptsinfer"), 2);
    ck_assert_str_eq(ran.out, "");
    ck_assert_ptr_nonnull(strstr(ran.err, "usage: ptsinfer COMMAND"));
}
END_TEST

START_TEST(help_is_a_command_too)
{
    static const char *const programs[] = {"ptsinfer", "ptstrain"};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(run_program("%s -h", programs[i]), 0);
        char *expected = strdup(ran.out);
        ck_assert_int_eq(run_program("%s help", programs[i]), 0);
        ck_assert_str_eq(ran.out, expected);
        free(expected);
        ck_assert_str_eq(ran.err, "");
    }
    check_refused(2, "ptsinfer help nonsense",
                  "ptsinfer: no command 'nonsense' (ptsinfer -h lists them)\n");
}
END_TEST

/* Wherever the build folder is: one outside the source tree has no ../weights. */
START_TEST(a_build_finds_what_the_source_tree_has)
{
    ck_assert_int_eq(run_program("cd / && unset PTS_WEIGHTS && "
                                 "ptsinfer predict --target 0.3 --prior builtin"),
                     0);
    ck_assert_int_eq(
        run_program("cd / && PTS_WEIGHTS= ptsinfer predict --target 0.3 --prior builtin"), 0);
}
END_TEST

START_TEST(an_unknown_prior_lists_those_there_are)
{
    ck_assert_int_eq(
        run_program("unset PTS_WEIGHTS; ptsinfer predict --target 0.3 --prior nonsense"), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "/prior-nonsense.txt: No such file or directory (there "
                                          "are: builtin, yolov8m-seg"));
    check_refused(1,
                  "d=$(mktemp -d); touch $d/prior-.txt $d/prior-b.txt $d/prior-a.txt $d/x.txt; "
                  "cd $d; PTS_WEIGHTS=. ptsinfer predict --target 0.3 --prior c; c=$?; rm -r $d; "
                  "exit $c",
                  "ptsinfer predict: ./prior-c.txt: No such file or directory (there are: a, b)\n");
}
END_TEST

/* A program that was built elsewhere and brought here without weights. */
START_TEST(what_is_nowhere_is_said_with_the_places)
{
    ck_assert_int_eq(run_program("d=$(mktemp -d); mkdir $d/bin; "
                                 "cp \"$(command -v ptsinfer)\" $d/bin; unset PTS_WEIGHTS; "
                                 "touch $d/1.jpg; $d/bin/ptsinfer embed $d/1.jpg; c=$?; "
                                 "rm -r $d; echo $d; exit $c"),
                     1);
    char folder[64], places[128];
    ck_assert_int_eq(sscanf(ran.out, "%63s", folder), 1);
    snprintf(places, sizeof places, "(looked in %s/weights and " PTS_WEIGHTS_DIR ";", folder);
    ck_assert_msg(strstr(ran.err, places) != NULL, "%s", ran.err);
    ck_assert_ptr_nonnull(strstr(ran.err, "; tools/fetch-weights gets it)\n"));
}
END_TEST

START_TEST(programs_tell_their_version)
{
    ck_assert_int_eq(run_program("ptsinfer --version"), 0);
    ck_assert_str_eq(ran.out, "ptsinfer " PTS_VERSION_STRING "\n");
    ck_assert_int_eq(run_program("ptstrain --version"), 0);
    ck_assert_str_eq(ran.out, "ptstrain " PTS_VERSION_STRING "\n");
}
END_TEST

/* What the processor has is asked of the system, not of the library. */
static const char *level_names(void)
{
    const char *question =
        "flags=$(grep -m1 '^flags' /proc/cpuinfo); case $flags in "
        "*' avx512f '*) echo avx512 ;; *' avx2 '*) echo avx2 ;; *) echo c ;; esac";
    ck_assert_int_eq(run_program("%s", question), 0);
    return strcmp(ran.out, "avx512\n") == 0 ? "c, avx2 or avx512"
           : strcmp(ran.out, "avx2\n") == 0 ? "c or avx2"
                                            : "c";
}

START_TEST(cpu_levels_are_obeyed_or_refused)
{
    static const char *const refused[] = {"AVX2", "avx", "sse2", "0", " c", "c ", "avx513"};
    const char *names = level_names();
    char line[64];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(line, sizeof line, "PTS_CPU='%s' ptsinfer --audit", refused[i]);
        check_refused(2, line,
                      "ptsinfer --audit: PTS_CPU: expected CPU level %s on this machine, got "
                      "'%s'\n",
                      names, refused[i]);
    }
    check_refused(2, "PTS_CPU=x ptstrain fit",
                  "ptstrain fit: PTS_CPU: expected CPU level %s on this machine, got 'x'\n", names);
    ck_assert_int_eq(run_program("PTS_CPU=c ptsinfer --audit"), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\nCPU level  c\n"));
    snprintf(line, sizeof line, "\nCPU level  %s\n",
             strrchr(names, ' ') ? strrchr(names, ' ') + 1 : names);
    ck_assert_int_eq(run_program("PTS_CPU= ptsinfer --audit"), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, line));
    ck_assert_int_eq(run_program("PTS_CPU=x ptsinfer -h"), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\nPTS_CPU="));
    ck_assert_ptr_nonnull(strstr(ran.out, "is empty, it is as if it were not set.\n"));
}
END_TEST

/* Every command that has the option, found by its own help. */
START_TEST(silly_numbers_of_threads_are_refused)
{
    static const char *const silly[] = {"0",   "257", "10000", "-1", "99999999999999999999",
                                        "2.5", "two", "''",    "0x2"};
    command list[32];
    size_t count = all_commands(list, 32), having = 0;
    for (size_t i = 0; i < count; i++) {
        char line[96];
        ck_assert_int_eq(run_program("%s %s -h", list[i].program, list[i].name), 0);
        if (!strstr(ran.out, "\n  --threads N "))
            continue;
        having++;
        for (size_t k = 0; k < sizeof silly / sizeof *silly; k++) {
            bool whole = k < 4;
            snprintf(line, sizeof line, "%.15s %.15s --threads %s", list[i].program, list[i].name,
                     silly[k]);
            check_refused(2, line, "%s %s: --threads: expected 1 … 256, got %s%s%s\n",
                          list[i].program, list[i].name, whole ? "" : "'",
                          strcmp(silly[k], "''") == 0 ? "" : silly[k], whole ? "" : "'");
        }
    }
    ck_assert_uint_ge(having, 2);
}
END_TEST

START_TEST(a_full_disk_is_no_success)
{
    ck_assert_int_eq(run_program("ptsinfer curve --params 0.1,2,50,0.6 --at 50 > /dev/full"), 1);
    ck_assert_str_eq(ran.err, "ptsinfer curve: standard output: cannot write the result\n");
}
END_TEST

/* The loader's own list of what the program needs, its paths in words that begin with '/'. */
static size_t needed_libraries(char (*list)[256], size_t room)
{
    size_t count = 0;
    ck_assert_int_eq(run_program("ldd \"$(command -v ptsinfer)\""), 0);
    for (char *word = strtok(ran.out, " \t\n"); word; word = strtok(NULL, " \t\n")) {
        if (*word == '/' && count < room)
            snprintf(list[count++], sizeof *list, "%s", word);
    }
    ck_assert_uint_gt(count, 3); /* libc, libm, OpenBLAS, LAPACKE */
    ck_assert_uint_lt(count, room);
    return count;
}

START_TEST(audit_names_all_that_is_linked)
{
    static char libraries[256][256];
    size_t count = needed_libraries(libraries, 256);
    ck_assert_int_eq(run_program("ptsinfer --audit"), 0);
    ck_assert_str_eq(ran.err, "");
    for (size_t i = 0; i < count; i++) {
        char line[264];
        snprintf(line, sizeof line, "\n  %.255s\n", libraries[i]);
        ck_assert_msg(strstr(ran.out, line) != NULL, "%s not in %s", libraries[i], ran.out);
    }
    ck_assert_ptr_nonnull(strstr(ran.out, "version    " PTS_VERSION_STRING "\n"));
    ck_assert_ptr_nonnull(strstr(ran.out, "\nBLAS       OpenBLAS "));
    ck_assert_ptr_nonnull(strstr(ran.out, "\nkernels    "));
    ck_assert_ptr_nonnull(strstr(ran.out, "\nCPU level  "));
    /* What is loaded is a feature. */
    static const char *const optional[][2] = {{"json", "libjansson"},   {"mpi", "libmpi."},
                                              {"plot", "libcairo."},    {"store", "libsqlite3"},
                                              {"web", "libmicrohttpd"}, {"yaml", "libyaml"}};
    char features[128];
    ck_assert_int_eq(sscanf(strstr(ran.out, "features"), "features %127[^\n]", features), 1);
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        ck_assert_msg(!strstr(ran.out, optional[i][1]) || strstr(features, optional[i][0]), "%s",
                      optional[i][0]);
#if defined(PTS_HAVE_MPI) && defined(PTS_HAVE_ZIP) && defined(PTS_HAVE_HDF5)
    ck_assert(strstr(features, "hdf5") && strstr(features, "mpi") && strstr(features, "zip"));
#endif
#ifndef PTS_HAVE_JSON
    ck_assert_ptr_null(strstr(ran.out, "libjansson"));
#endif
#ifndef PTS_HAVE_PLOT
    ck_assert_ptr_null(strstr(ran.out, "libcairo"));
#endif
    check_refused(2, "ptsinfer --audit x", "ptsinfer --audit: expected options only, got 'x'\n");
}
END_TEST

#ifdef PTS_HAVE_JSON
START_TEST(audit_writes_json)
{
    const char *version, *features, *blas, *kernels, *level;
    int lines, files;
    json_t *libraries;
    ck_assert_int_eq(run_program("ptsinfer --audit --json"), 0);
    json_t *root = json_loads(ran.out, 0, NULL);
    ck_assert_int_eq(json_unpack_ex(root, NULL, JSON_STRICT, "{ss ss ss ss ss si si so}", "version",
                                    &version, "features", &features, "blas", &blas, "kernels",
                                    &kernels, "cpu_level", &level, "source_lines", &lines,
                                    "source_files", &files, "libraries", &libraries),
                     0);
    ck_assert_ptr_nonnull(strstr(features, "json"));
    ck_assert_uint_gt(json_array_size(libraries), 4);
    json_decref(root);
}
END_TEST
#endif

CHECK_SUITE("cli",
#ifdef PTS_HAVE_JSON
            audit_writes_json,
#endif
            every_command_helps, every_command_refuses_unknown_options,
            unknown_commands_are_refused, programs_tell_their_version, a_full_disk_is_no_success,
            cpu_levels_are_obeyed_or_refused, help_is_a_command_too,
            a_build_finds_what_the_source_tree_has, an_unknown_prior_lists_those_there_are,
            what_is_nowhere_is_said_with_the_places, audit_names_all_that_is_linked, SLOW,
            silly_numbers_of_threads_are_refused)
