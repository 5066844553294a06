/* The commands of the curve room as a user sees them: output, messages, exit codes. */
#include "check_main.h"
#include "run_program.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* With stderr joined to stdout. */
static int run(const char *format, const char *argument)
{
    char command[4096];
    snprintf(command, sizeof command, format, argument);
    return run_program("%s 2>&1", command);
}

static void expect(int code, const char *format, const char *argument, const char *text)
{
    ck_assert_int_eq(run(format, argument), code);
    ck_assert_str_eq(ran.out, text);
}

START_TEST(curve_answers_and_exits)
{
    const char *command = "ptsinfer curve --params 0.1,2,50,0.6 %s";
    expect(0, command, "--target 0.35", "50 images reach mAP 0.35\n");
    expect(0, command, "--at 50", "mAP 0.35 with 50 images\n");
    expect(0, command, "--target 0.1", "already met: one image reaches mAP 0.1\n");
    expect(3, command, "--target 0.6", "unreachable: mAP 0.6, while the curve's plateau is 0.6\n");
    expect(0, command, "--target 35",
           "ptsinfer curve: --target 35: taken for percent, 0.35\n50 images reach mAP 0.35\n");
    expect(0, "ptsinfer curve --params 0.6,-2,50,0.1 %s", "--target 0.35",
           "50 images reach mAP 0.35\n");
}
END_TEST

START_TEST(a_plan_beyond_1_names_tau)
{
    check_refused(2, "ptsinfer predict --prior builtin --target .5 --tau .6 --rounds 3",
                  "ptsinfer predict: --tau: expected below 0.5, 1 less the target, got 0.6\n");
    check_refused(2, "ptsinfer predict --prior builtin --target 90 --tau .2 --rounds 1",
                  "ptsinfer predict: --tau: expected below 0.1, 1 less the target, got 0.2\n");
}
END_TEST

START_TEST(curve_refuses_in_one_line)
{
    const char *command = "ptsinfer curve --params 0.1,2,50,0.6 %s";
    const char *const targets[] = {"0", "1", "-1", "100"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        char option[32], text[128];
        snprintf(option, sizeof option, "--target %s", targets[i]);
        snprintf(text, sizeof text,
                 "ptsinfer curve: --target: expected an mAP between 0 and 1, both excluded, got "
                 "'%s'\n",
                 targets[i]);
        expect(2, command, option, text);
    }
    expect(2, command, "--target abc",
           "ptsinfer curve: --target: expected an mAP between 0 and 1, got 'abc'\n");
    expect(2, command, "", "ptsinfer curve: expected either --target or --at\n");
    expect(2, "ptsinfer curve --params %s --at 1", "1,2,3",
           "ptsinfer curve: --params: expected four numbers A,B,C,D, got '1,2,3'\n");
}
END_TEST

START_TEST(fit_refuses_in_one_line)
{
    expect(1, "ptstrain fit %s", "/nonexistent.csv",
           "ptstrain fit: /nonexistent.csv: No such file or directory\n");
    expect(2, "ptstrain fit %s", "", "ptstrain fit: expected one file of curves, got 0\n");
    expect(2, "ptstrain extrapolate --upto 50 --method best %s", "x.csv",
           "ptstrain extrapolate: --method: expected map, 4pl, pow2, pow3, pow4, exp3, log2, "
           "wbl4, last1, average or all, got 'best'\n");
}
END_TEST

/* A prior made from the study's curves, and answers from it without photographs. */
START_TEST(prior_is_made_and_used)
{
    char folder[] = "/tmp/pts_test_XXXXXX", command[4300];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command, "ptstrain prior --trainer YOLO -o %s/p.txt %%s", folder);
    ck_assert_int_eq(run(command, test_data("curves/ptssp_curves.csv")), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "YOLO: 15 curves of 7 data sets\n"));
    snprintf(command, sizeof command,
             "ptsinfer predict --prior %s/p.txt --target 0.2 --rounds 3 --cost-per-image 2 %%s",
             folder);
    ck_assert_int_eq(run(command, ""), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "Trainer: YOLO.\n"));
    ck_assert_ptr_nonnull(strstr(ran.out, "Plan: label "));
    ck_assert_ptr_nonnull(strstr(ran.out, "Labelling costs about "));
    snprintf(command, sizeof command, "ptsinfer predict --prior %s/p.txt --target 0.95 %%s",
             folder);
    ck_assert_int_eq(run(command, ""), 3);
    ck_assert_ptr_nonnull(strstr(ran.out, "out of reach: the curve levels off at 0."));
    expect(2, "ptsinfer predict --prior %s --target 0.2 a.jpg", "x.txt",
           "ptsinfer predict: expected either --prior or photographs, got both\n");
    expect(2, "ptstrain prior %s", "x.csv", "ptstrain prior: expected -o PRIOR.txt\n");
    snprintf(command, sizeof command, "%s/p.txt", folder);
    unlink(command);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* Both kinds of file from one list of rows: DIR/c.csv of curves, DIR/p.csv of pilot results. */
static void write_rows(const char *folder, const char *rows)
{
    char path[64];
    for (int pilot = 0; pilot < 2; pilot++) {
        snprintf(path, sizeof path, "%s/%c.csv", folder, pilot ? 'p' : 'c');
        FILE *file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        if (*rows)
            fputs(pilot ? "n,map\n" : "dataset,class,n,map\n", file);
        for (const char *row = rows; *row; row = strchr(row, '\n') + 1)
            fprintf(file, "%s%.*s\n", pilot ? "" : "x,0,", (int)(strchr(row, '\n') - row), row);
        fclose(file);
    }
}

typedef struct odd_case {
    const char *rows, *says; /* what all commands must say */
    int refused;             /* else answered by fit, extrapolate and predict */
} odd_case;

static const odd_case odd_cases[] = {
    {"2,0.5\n4,0.45\n8,0.3\n16,0.2\n32,0.18\n64,0.18\n",
     "falls with more images, from 0.481 to 0.122 by a line in ln n", 0},
    {"2,0.05\n4,0.1\n8,0.2\n16,0.3\n32,40\n64,50\n",
     "jumps more than twentyfold: are percent and fractions mixed?", 0},
    {"2,0.3\n4,0.3\n8,0.3\n16,0.3\n32,0.3\n", "is 0.3 at all sizes", 0},
    {"4,0.1\n16,0.2\n2,0.05\n4,0.1\n8,0.15\n4,0.1\n32,0.3\n",
     "rows that repeat another in every column: 2, counted once", 0},
    {"8,0.3\n8,0.31\n8,0.32\n8,0.33\n", "all points have one size, 8 images", 0},
    {"0,0.1\n8,0.3\n", "csv: line 2: column n: expected a whole number in 1 … 1e+09, got '0'", 1},
    {"4,0.1\n-8,0.3\n", "csv: line 3: column n: expected a whole number in 1 … 1e+09, got '-8'", 1},
    {"4,nan\n", "csv: line 2: column map: expected a number in 0 … 100, got 'nan'", 1},
    {"4,101\n", "csv: line 2: column map: expected a number in 0 … 100, got '101'", 1},
    {"", "csv: expected a header and rows, got an empty file", 1},
};

static const char *const odd_commands[] = {
    "ptstrain fit --family last1 %s/c.csv",
    "ptstrain extrapolate --upto 8 --method last1 %s/c.csv",
    "ptsinfer predict --target 0.4 --prior %s/prior.txt --pilot %s/p.csv",
    "ptstrain prior -o %s/out.txt %s/c.csv",
};

/* Every kind of bad input through every command that takes points: an answer with its caveat, or
 * one line and exit 1. One curve is never enough for a prior, so that one fails always. */
START_TEST(bad_input_is_said_by_every_command)
{
    char folder[] = "/tmp/pts_test_XXXXXX", command[512];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(run_program("ptstrain prior -o %s/prior.txt %s", folder,
                                 test_data("curves/ptssp_curves.csv")),
                     0);
    for (size_t i = 0; i < sizeof odd_cases / sizeof *odd_cases; i++) {
        const odd_case *c = &odd_cases[i];
        write_rows(folder, c->rows);
        for (size_t k = 0; k < sizeof odd_commands / sizeof *odd_commands; k++) {
            snprintf(command, sizeof command, odd_commands[k], folder, folder);
            int code = run_program("%s 2>&1", command);
            ck_assert_msg(strstr(ran.out, c->says) != NULL, "%s: %s", command, ran.out);
            ck_assert_ptr_null(strstr(ran.out, "nan;"));
            if (c->refused || k == 3)
                ck_assert_int_eq(code, 1);
            else
                ck_assert_msg(code == 0 || code == 3, "%s: exit %d", command, code);
            if (c->refused) /* one line */
                ck_assert_ptr_eq(strchr(ran.out, '\n'), ran.out + strlen(ran.out) - 1);
        }
    }
    ck_assert_int_eq(run_program("rm %s/?.csv %s/prior.txt", folder, folder), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* A file of percent with a curve of fractions in it; and one data set under --method all. */
START_TEST(files_at_odds_are_said)
{
    char folder[] = "/tmp/pts_test_XXXXXX", path[64], command[128];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/c.csv", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("dataset,class,n,map\n", file);
    for (int i = 1; i < 64; i *= 2)
        fprintf(file, "x,0,%d,%d\nx,1,%d,0.%d\n", i, i, i, i);
    fclose(file);
    ck_assert_int_eq(run_program("ptstrain fit %s", path), 0);
    ck_assert_ptr_nonnull(strstr(ran.err, "c.csv: mAP taken for percent\n"));
    ck_assert_ptr_nonnull(
        strstr(ran.err, "x, class 1: never above 1 %: is it in fractions, in a file of percent?"));
    snprintf(command, sizeof command, "ptstrain extrapolate --upto 8 --method all %s", path);
    ck_assert_int_eq(run_program("%s", command), 0);
    ck_assert_ptr_nonnull(strstr(ran.err, "c.csv: map: x: expected at least 2 curves of other data "
                                          "sets for the prior, got 0\n"));
    ck_assert_ptr_nonnull(strstr(ran.out, "last1                        2 "));
    ck_assert_int_eq(run_program("ptstrain extrapolate --upto 64 --method pow2 %s", path), 0);
    ck_assert_ptr_nonnull(strstr(ran.err, "pow2: no curve could be scored (too few sizes up to "
                                          "64: 0; none beyond: 2)\n"));
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* Pilot results that the past curves do not explain. */
START_TEST(unlike_pilot_gets_its_caveat)
{
    char folder[] = "/tmp/pts_test_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(run_program("ptstrain prior -o %s/prior.txt %s", folder,
                                 test_data("curves/ptssp_curves.csv")),
                     0);
    const char *command = "ptsinfer predict --target 0.4 --prior %s/prior.txt --pilot %s/p.csv %s";
    write_rows(folder, "2,0.6\n4,0.63\n6,0.66\n8,0.68\n10,0.69\n12,0.7\n16,0.72\n");
    ck_assert_int_eq(run_program(command, folder, folder, ""), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "Caveat: the pilot results are unlike the past curves "
                                          "(probability 1.00)"));
    ck_assert_ptr_null(strstr(ran.out, "95 % band"));
    write_rows(folder, "4,0.02\n8,0.05\n16,0.1\n32,0.16\n");
    ck_assert_int_eq(run_program(command, folder, folder, ""), 0);
    ck_assert_ptr_null(strstr(ran.out, "Caveat"));
    write_rows(folder, "2,0.6\n4,0\n8,0.7\n16,0.01\n32,0.9\n64,0.1\n128,0.8\n256,0\n");
    ck_assert_int_ne(run_program(command, folder, folder, ""), 1);
    ck_assert_ptr_nonnull(strstr(ran.out, "times as much as past ones."));
#ifdef PTS_HAVE_JSON
    ck_assert_int_ne(run_program(command, folder, folder, "--json"), 1);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"caveats\": ["));
#endif
    ck_assert_int_eq(run_program("rm %s/?.csv %s/prior.txt", folder, folder), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

#ifdef PTS_HAVE_PLOT
#include "well_formed.h"

START_TEST(fit_draws_two_figures_a_curve)
{
    char folder[] = "/tmp/pts_test_XXXXXX", command[4200];
    static char text[1 << 20];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command, "ptstrain fit --plots %s %%s", folder);
    ck_assert_int_eq(run(command, test_data("curves/ptssp_curves.csv")), 0);
    const char *const names[] = {"feet-14-0.svg", "feet-14-0-sensitivity.svg"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "%s/%s", folder, names[i]);
        FILE *file = fopen(command, "r");
        ck_assert_ptr_nonnull(file);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
        assert_well_formed(text);
    }
    ck_assert_int_eq(run("ls %s | wc -l", folder), 0);
    ck_assert_int_eq(atoi(ran.out), 30);
    ck_assert_int_eq(run("rm %s/*.svg", folder), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST
#endif

#ifdef PTS_HAVE_PLOT
/* Names that a file name cannot tell apart, and one as long as a file name can be. */
START_TEST(figures_do_not_overwrite_each_other)
{
    static const char *const classes[] = {"a b", "a/b", "A?b", "c", "c-sensitivity"};
    char folder[] = "/tmp/pts_test_XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/c.csv", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("dataset,class,n,map\n", file);
    for (int k = 0; k < 7; k++) {
        for (int i = 1; i < 64; i *= 2) {
            double map = 0.5 * i / (i + 8) + 0.01 * k;
            if (k < 5)
                fprintf(file, "d,%s,%d,%.2f\n", classes[k], i, map);
            else
                fprintf(file, "d,%0300d,%d,%.2f\n", k, i, map);
        }
    }
    fclose(file);
    ck_assert_int_eq(run_program("ptstrain fit --plots %s %s", folder, path), 0);
    unlink(path);
    ck_assert_int_eq(run_program("ls %s | wc -l", folder), 0);
    ck_assert_int_eq(atoi(ran.out), 14);
    ck_assert_int_eq(run_program("cd %s && ls d-a_b.svg d-a_b~2.svg d-A_b~3.svg d-c.svg "
                                 "d-c-sensitivity.svg d-c-sensitivity~1.svg",
                                 folder),
                     0);
    ck_assert_int_eq(run_program("rm %s/*.svg", folder), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST
#endif

START_TEST(fit_takes_any_family)
{
    const char *curves = test_data("curves/ptssp_curves.csv");
    ck_assert_int_eq(run("ptstrain fit --family exp3 --metric map50 %s", curves), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "exp3"));
    ck_assert_int_eq(run("ptstrain fit --family aicc %s", curves), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "4pl"));
    expect(2, "ptstrain fit --family best %s", "x.csv",
           "ptstrain fit: --family: family: expected 4pl, pow2, pow3, pow4, exp3, log2, wbl4 or "
           "last1, got 'best'; or aicc or cv, to choose\n");
    expect(2, "ptstrain fit --metric ap %s", "x.csv",
           "ptstrain fit: --metric: expected map, map50 or map75, got 'ap'\n");
}
END_TEST

/* What the points leave open is no number for people, in the table and in the figure's box. */
START_TEST(fit_prints_only_what_is_determined)
{
    char folder[] = "/tmp/pts_test_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_rows(folder, "10,.12\n20,.20\n40,.25\n80,.30\n160,.35\n320,.395\n");
    ck_assert_int_eq(run_program("ptstrain fit %s/c.csv", folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, " not determined not determined not determined "));
    ck_assert_ptr_null(strchr(ran.out, '-'));
    ck_assert_ptr_nonnull(strstr(ran.out, "plateau_not_reached\n"));
    ck_assert_int_eq(run_program("ptstrain fit --family wbl4 %s/c.csv", folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "; not determined: "));
#ifdef PTS_HAVE_JSON
    ck_assert_int_eq(run_program("ptstrain fit --json %s/c.csv", folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"undetermined\": ["));
    const char *a = strstr(ran.out, "\"A\": "); /* which one is the processor's to say */
    ck_assert_ptr_nonnull(a);
    ck_assert_double_lt(atof(a + 5), -1000);
#endif
#ifdef PTS_HAVE_PLOT
    ck_assert_int_eq(run_program("ptstrain fit --plots %s %s/c.csv", folder, folder), 0);
    ck_assert_int_eq(run_program("ls %s/x-0.svg %s/x-0-sensitivity.svg", folder, folder), 0);
#endif
    write_rows(folder, "2,0\n4,0\n8,0\n16,0\n32,.2\n64,.3\n128,.35\n");
    ck_assert_int_eq(run_program("ptstrain fit %s/c.csv", folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, ", SMAPE not meaningful: mAP near 0\n"));
    ck_assert_int_eq(run_program("rm -r %s", folder), 0);
}
END_TEST

/* The caveat about copies says what keeps them: one row of weight 2 is the fit of both. */
START_TEST(advice_about_copies_holds)
{
    char folder[] = "/tmp/pts_test_XXXXXX";
    const char *fit = "ptstrain fit %s/w.csv 2>&1";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(
        run_program("cd %s && echo dataset,class,n,map,weight > w.csv && for k in 1 2; "
                    "do echo x,0,2,.1,1; done >> w.csv && for n in 4 8 16; do echo "
                    "x,0,$n,.2,1; done >> w.csv",
                    folder),
        0);
    ck_assert_int_eq(run_program(fit, folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "of measurements of their own keep one row with their "
                                          "number in a column weight"));
    const char *rows = "cd %s && echo dataset,class,n,map,weight > w.csv && for r in %s; do echo "
                       "x,0,$r; done >> w.csv";
    static char weighted[512];
    ck_assert_int_eq(run_program(rows, folder, "2,.1,2 4,.2,1 8,.3,1 16,.4,1 32,.41,1"), 0);
    ck_assert_int_eq(run_program(fit, folder), 0);
    ck_assert_ptr_null(strstr(ran.out, "repeat another"));
    snprintf(weighted, sizeof weighted, "%s", strstr(ran.out, "\nx"));
    ck_assert_int_eq(
        run_program(rows, folder, "2,.1,1 2,.1000000001,1 4,.2,1 8,.3,1 16,.4,1 32,.41,1"), 0);
    ck_assert_int_eq(run_program(fit, folder), 0);
    double both[2], one[2]; /* sse and SMAPE follow the parameters */
    ck_assert_int_eq(sscanf(strstr(ran.out, "\nx"), "\nx 0 6 %lf %lf", &both[0], &both[1]), 2);
    ck_assert_int_eq(sscanf(weighted, "\nx 0 5 %lf %lf", &one[0], &one[1]), 2);
    ck_assert_double_eq_tol(both[0], one[0], 1e-4);
    ck_assert_double_eq_tol(both[1], one[1], 1e-4);
    ck_assert_int_eq(run_program("rm -r %s", folder), 0);
}
END_TEST

#ifdef PTS_HAVE_JSON
#include <jansson.h>

START_TEST(fit_writes_the_contract)
{
    char folder[] = "/tmp/pts_test_XXXXXX", command[4200], file[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/approx_result.json", folder);
    snprintf(command, sizeof command, "ptstrain fit -o %s %%s", file);
    ck_assert_int_eq(run(command, test_data("curves/ptssp_curves.csv")), 0);
    json_t *list = json_load_file(file, 0, NULL);
    ck_assert_uint_eq(json_array_size(list), 15);
    const char *dataset, *class_name, *status;
    double a, b, c, d, se[4], sse, smape;
    int points;
    ck_assert_int_eq(json_unpack_ex(json_array_get(list, 0), NULL, JSON_STRICT,
                                    "{ss ss si sF sF sF sF s[FFFF] sF sF ss}", "dataset", &dataset,
                                    "class", &class_name, "points", &points, "A", &a, "B", &b, "C",
                                    &c, "D", &d, "se", &se[0], &se[1], &se[2], &se[3], "sse", &sse,
                                    "smape", &smape, "status", &status),
                     0);
    ck_assert_str_eq(dataset, "feet-14");
    ck_assert_str_eq(class_name, "0");
    ck_assert_str_eq(status, "ok");
    ck_assert_double_eq_tol(c, 38.8603, 1e-4);
    json_decref(list);
    unlink(file);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(short_curve_is_null_not_nan)
{
    char folder[] = "/tmp/pts_test_XXXXXX", file[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/curves.csv", folder);
    FILE *csv = fopen(file, "w");
    ck_assert_ptr_nonnull(csv);
    fputs("dataset,class,n,map\nx,0,2,0.1\ny,0,2,0.1\ny,0,4,0.2\ny,0,8,0.3\ny,0,16,0.4\n", csv);
    fclose(csv);
    ck_assert_int_eq(run("ptstrain fit --json %s", file), 0);
    const char *message =
        "curves.csv: x, class 0: curve: expected at least 4 distinct sizes, got 1\n";
    ck_assert_ptr_nonnull(strstr(ran.out, message));
    json_t *list = json_loads(strstr(ran.out, message) + strlen(message), 0, NULL);
    ck_assert_uint_eq(json_array_size(list), 2);
    json_t *first = json_array_get(list, 0);
    ck_assert(json_is_null(json_object_get(first, "A")));
    ck_assert_str_eq(json_string_value(json_object_get(first, "status")), "too_few_sizes");
    ck_assert(json_is_null(json_array_get(json_object_get(json_array_get(list, 1), "se"), 0)));
    json_decref(list);
    unlink(file);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(extrapolate_writes_the_contract)
{
    ck_assert_int_eq(run_program("ptstrain extrapolate --upto 50 --method all --json %s",
                                 test_data("curves/ptssp_curves.csv")),
                     0);
    json_t *all = json_loads(ran.out, 0, NULL);
    ck_assert_uint_eq(json_array_size(all), 10);
    json_t *map = json_array_get(all, 0);
    ck_assert_str_eq(json_string_value(json_object_get(map, "method")), "map");
    ck_assert_int_eq(json_integer_value(json_object_get(map, "upto")), 50);
    json_t *curves = json_object_get(map, "curves");
    double sum = 0;
    for (size_t i = 0; i < json_array_size(curves); i++)
        sum += json_number_value(json_object_get(json_array_get(curves, i), "mae"));
    ck_assert_double_eq_tol(json_number_value(json_object_get(map, "mean_mae")), sum / 15, 1e-15);
    json_decref(all);
}
END_TEST
#endif

CHECK_SUITE("curve_cli",
#ifdef PTS_HAVE_JSON
            fit_writes_the_contract, short_curve_is_null_not_nan,
#endif
#ifdef PTS_HAVE_PLOT
            figures_do_not_overwrite_each_other,
#endif
            fit_prints_only_what_is_determined, advice_about_copies_holds, files_at_odds_are_said,
            unlike_pilot_gets_its_caveat, prior_is_made_and_used, fit_takes_any_family,
            curve_answers_and_exits, curve_refuses_in_one_line, a_plan_beyond_1_names_tau,
            fit_refuses_in_one_line, SLOW,
#ifdef PTS_HAVE_JSON
            extrapolate_writes_the_contract,
#endif
#ifdef PTS_HAVE_PLOT
            fit_draws_two_figures_a_curve,
#endif
            bad_input_is_said_by_every_command)
