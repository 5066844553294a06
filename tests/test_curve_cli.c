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

static void write_text(const char *path, const char *header, const double *map, size_t count)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(header, file);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "x,0,%d,%g\n", 2 << i, map[i]);
    fclose(file);
}

/* Answered, and said what is odd about them. */
START_TEST(odd_curves_get_their_caveat)
{
    static const double falling[] = {0.5, 0.45, 0.3, 0.2, 0.18, 0.18};
    static const double mixed[] = {0.05, 0.1, 0.2, 0.3, 40, 50};
    static const double equal[] = {0.3, 0.3, 0.3, 0.3, 0.3, 0.3};
    char folder[] = "/tmp/pts_test_XXXXXX", file[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/c.csv", folder);
    write_text(file, "dataset,class,n,map\n", falling, 6);
    ck_assert_int_eq(run_program("ptstrain fit %s", file), 0);
    ck_assert_ptr_nonnull(strstr(ran.err, "x, class 0: map falls with more images, from 0.5"));
    write_text(file, "dataset,class,n,map\n", mixed, 6);
    ck_assert_int_eq(run_program("ptstrain fit %s", file), 0);
    ck_assert_ptr_nonnull(strstr(ran.err, "are percent and fractions mixed?\n"));
    write_text(file, "dataset,class,n,map\n", equal, 6);
    ck_assert_int_eq(run_program("ptstrain fit %s", file), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "rank_deficient"));
    ck_assert_str_eq(ran.err, "");
    unlink(file);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(too_long_a_pilot_is_refused)
{
    char folder[] = "/tmp/pts_test_XXXXXX", file[64], expected[256];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/p.csv", folder);
    FILE *out = fopen(file, "w");
    ck_assert_ptr_nonnull(out);
    fputs("n,map\n", out);
    for (int i = 0; i < 10001; i++)
        fprintf(out, "%d,0.5\n", i + 1);
    fclose(out);
    snprintf(expected, sizeof expected,
             "ptsinfer predict: %s: expected at most 10000 pilot results, got 10001\n", file);
    expect(1, "ptsinfer predict --prior x.txt --target 0.5 --pilot %s", file, expected);
    unlink(file);
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
        "ptstrain fit: x, class 0: curve: expected at least 4 distinct sizes, got 1\n";
    ck_assert_int_eq(strncmp(ran.out, message, strlen(message)), 0);
    json_t *list = json_loads(ran.out + strlen(message), 0, NULL);
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
    ck_assert_int_eq(run("ptstrain extrapolate --upto 50 --method all --json %s",
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
            fit_writes_the_contract, short_curve_is_null_not_nan, extrapolate_writes_the_contract,
#endif
#ifdef PTS_HAVE_PLOT
            fit_draws_two_figures_a_curve,
#endif
            odd_curves_get_their_caveat, too_long_a_pilot_is_refused, prior_is_made_and_used,
            fit_takes_any_family, curve_answers_and_exits, curve_refuses_in_one_line,
            fit_refuses_in_one_line)
