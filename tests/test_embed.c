/* ptsinfer embed over everything that must not change its numbers: CPU levels, threads, how images
 * are grouped; and over what must not disturb it: a broken image among many, many images. */
#include "check_main.h"
#include "run_program.h"

#include "pts/image.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

enum { DIM = 2048, PHOTOS = 4, GOLDEN = 2, ROWS = PHOTOS + GOLDEN, NPY_HEADER = 128 };

static char folder[64];

static void put(FILE *file, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 255), file);
}

static void write_big(void)
{
    enum { WIDTH = 1156, HEIGHT = 866 };
    char path[128];
    pts_image small, big;
    ck_assert_int_eq(pts_image_read(test_data("photos/1.jpg"), NULL, &small, NULL), PTS_OK);
    ck_assert_int_eq(pts_image_resize(&small, WIDTH, HEIGHT, PTS_FILTER_BICUBIC, &big, NULL),
                     PTS_OK);
    snprintf(path, sizeof path, "%s/big.bmp", folder);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs("BM", file);
    const uint32_t head[] = {54 + 3 * WIDTH * HEIGHT, 0, 54, 40, WIDTH, HEIGHT};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        put(file, head[i], 4);
    put(file, 1, 2); /* planes */
    put(file, 24, 2);
    for (int i = 0; i < 6; i++)
        put(file, 0, 4);
    fwrite(big.rgb, 3, WIDTH * HEIGHT, file); /* upside down, red for blue: still a picture */
    ck_assert_int_eq(fclose(file), 0);
    pts_image_free(&small);
    pts_image_free(&big);
}

/* The photographs as 1.jpg … 4.jpg, those of the float64 reference as g1.png and g2.png, and
 * big.bmp of a megapixel. */
static void setup(void)
{
    strcpy(folder, "/tmp/pts_test_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(run_program("cp %s/*.jpg %s", test_data("photos"), folder), 0);
    for (int i = 1; i <= GOLDEN; i++)
        ck_assert_int_eq(
            run_program("cp %s/photo%d.png %s/g%d.png", test_data("inception"), i, folder, i), 0);
    write_big();
    const char *weights = getenv("PTS_TEST_WEIGHTS");
    setenv("PTS_WEIGHTS", weights ? weights : "weights", 1);
}

static void teardown(void)
{
    ck_assert_int_eq(run_program("rm -r %s", folder), 0);
}

/* The command in the folder with the exit code 0. */
__attribute__((format(printf, 1, 2))) static void done(const char *format, ...)
{
    char command[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    int code = run_program("cd %s && %s", folder, command);
    ck_assert_msg(code == 0, "%s: exit %d: %s", command, code, ran.err);
}

static void load(const char *path, float *rows, size_t count)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is missing", path);
    fseek(file, NPY_HEADER, SEEK_SET);
    ck_assert_uint_eq(fread(rows, DIM * sizeof *rows, count, file), count);
    ck_assert_int_eq(fgetc(file), EOF);
    fclose(file);
}

static void load_from_folder(const char *name, float *rows, size_t count)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    load(path, rows, count);
}

/* The promise of accuracy: cosine ≥ 0.999999, max |Δ| ≤ 5e-4 of the largest component. */
static void expect_near(const char *what, const float *got, const float *expected)
{
    double dot = 0, got2 = 0, expected2 = 0, worst = 0, largest = 0;
    for (size_t i = 0; i < DIM; i++) {
        double a = got[i], b = expected[i];
        dot += a * b;
        got2 += a * a;
        expected2 += b * b;
        worst = fmax(worst, fabs(a - b));
        largest = fmax(largest, fabs(b));
    }
    double cosine = dot / sqrt(got2 * expected2);
    printf("%-28s max|d| %.2e of the largest, 1 - cosine %.2e\n", what, worst / largest,
           1 - cosine);
    ck_assert_msg(worst <= 5e-4 * largest && cosine >= 0.999999, "%s: max|d| %g of %g, cosine %.9f",
                  what, worst, largest, cosine);
}

START_TEST(cpu_levels_agree_and_keep_the_reference)
{
    static const char *const levels[] = {"", "c", "avx2", "avx512"};
    static float rows[4][ROWS][DIM], golden[5][DIM];
    char what[64];
    size_t count = 0;
    load(test_data("inception/embeddings.npy"), golden[0], 5);
    for (size_t i = 0; i < 4; i++) {
        int code = run_program("PTS_CPU=%s ptsinfer --audit", levels[i]);
        ck_assert(code == 0 || i >= 2); /* the default and c are everywhere */
        if (code != 0)
            continue;
        snprintf(what, sizeof what, "\nCPU level  %s", levels[i]);
        ck_assert_ptr_nonnull(strstr(ran.out, what));
        done("PTS_CPU=%s ptsinfer embed -o level.npy 1.jpg 2.jpg 3.jpg 4.jpg g1.png g2.png",
             levels[i]);
        load_from_folder("level.npy", rows[count][0], ROWS);
        for (size_t k = 0; k < GOLDEN; k++) {
            snprintf(what, sizeof what, "'%s' and float64", levels[i]);
            expect_near(what, rows[count][PHOTOS + k], golden[k]);
        }
        count++;
    }
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < (size_t)ROWS * i; k++)
            expect_near("two levels", rows[i][k % ROWS], rows[k / ROWS][k % ROWS]);
    }
    ck_assert_mem_eq(rows[0], rows[count - 1], sizeof rows[0]); /* the default is the highest */
}
END_TEST

START_TEST(threads_and_grouping_change_no_bit)
{
    static const char *const levels[] = {"", "c"};
    static float together[7][DIM], single[DIM];
    static const char *const names[] = {"1.jpg",  "2.jpg", "3.jpg",  "4.jpg",
                                        "g1.png", "2.jpg", "big.bmp"};
    for (size_t l = 0; l < 2; l++) {
        done("export PTS_CPU=%s && for n in 1 2 3; do ptsinfer embed --threads $n -o $n.npy 1.jpg "
             "2.jpg 3.jpg 4.jpg g1.png 2.jpg big.bmp || exit; done && cmp 1.npy 2.npy && cmp 1.npy "
             "3.npy",
             levels[l]);
        load_from_folder("1.npy", together[0], 7);
        for (size_t i = 0; i < 7; i += 1 + 5 * l) { /* c is slow: its first and last */
            done("PTS_CPU=%s ptsinfer embed --threads 2 -o single.npy %s", levels[l], names[i]);
            load_from_folder("single.npy", single, 1);
            ck_assert_mem_eq(single, together[i], sizeof single);
        }
    }
}
END_TEST

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

/* It lies in the second chunk of one thread, the first of two or three. */
START_TEST(normalize_keeps_the_direction)
{
    static float plain[DIM], unit[DIM];
    double plain2 = 0, unit2 = 0;
    done("ptsinfer embed -o plain.npy 1.jpg");
    done("ptsinfer embed --normalize -o unit.npy 1.jpg");
    load_from_folder("plain.npy", plain, 1);
    load_from_folder("unit.npy", unit, 1);
    for (size_t i = 0; i < DIM; i++) {
        plain2 += (double)plain[i] * (double)plain[i];
        unit2 += (double)unit[i] * (double)unit[i];
    }
    ck_assert_double_gt(fabs(sqrt(plain2) - 1), 0.1); /* else the option could do nothing */
    ck_assert_double_eq_tol(unit2, 1, 1e-6);
    for (size_t i = 0; i < DIM; i++)
        ck_assert_double_eq_tol((double)unit[i] * sqrt(plain2), (double)plain[i],
                                2e-7 * (double)plain[i] + 1e-30);
}
END_TEST

START_TEST(the_first_broken_image_is_named)
{
    done("mkdir many && for i in $(seq 100 122); do ln 1.jpg many/$i.jpg; done && "
         "for i in 118 119 121; do rm many/$i.jpg && echo text > many/$i.jpg; done");
    for (int threads = 1; threads <= 3; threads++) {
        /* The rows before it are on stdout, as always; -o leaves no file. */
        int code = run_program("cd %s && ptsinfer embed --threads %d many | cut -d, -f1,2; "
                               "ptsinfer embed --threads %d many -o many.npy",
                               folder, threads, threads);
        ck_assert_int_eq(code, 1);
        ck_assert_uint_eq(count_lines(ran.out), 1 + 18);
        ck_assert_ptr_nonnull(strstr(ran.out, "\nmany/117.jpg,"));
        const char *line = "ptsinfer embed: many/118.jpg: expected a JPEG, PNG or BMP image, got "
                           "other bytes\n";
        ck_assert_int_eq(strncmp(ran.err, line, strlen(line)), 0);
        ck_assert_str_eq(ran.err + strlen(line), line);
        done("ls | grep -c many");
        ck_assert_str_eq(ran.out, "1\n");
    }
    done("rm many/100.jpg && echo text > many/100.jpg");
    ck_assert_int_eq(run_program("cd %s && ptsinfer embed many", folder), 1);
    ck_assert_str_eq(ran.out, "");
    ck_assert_str_eq(ran.err,
                     "ptsinfer embed: many/100.jpg: expected a JPEG, PNG or BMP image, got "
                     "other bytes\n");
    done("rm -r many");
}
END_TEST

/* Rows of the others are what they are without it; its own is NaN in a .npy, none in a .csv. */
START_TEST(a_broken_image_can_be_skipped)
{
    done(
        "mkdir mixed && ln 1.jpg mixed/1.jpg && echo text > mixed/2.jpg && ln 3.jpg mixed/3.jpg && "
        "touch mixed/4.jpg");
    done("ptsinfer embed 1.jpg 3.jpg | cut -d, -f2- > whole.csv");
    done("ptsinfer embed --skip mixed | tee mixed.csv | cut -d, -f2- | cmp - whole.csv");
    ck_assert_str_eq(ran.err,
                     "left out: mixed/2.jpg: expected a JPEG, PNG or BMP image, got other bytes\n"
                     "left out: mixed/4.jpg: expected a JPEG, PNG or BMP image, got an empty file\n"
                     "left out: 2 of 4 images\n");
    done("cut -d, -f1 mixed.csv | tr '\\n' ' '");
    ck_assert_str_eq(ran.out, "image mixed/1.jpg mixed/3.jpg ");
    done(
        "ptsinfer embed -o whole.npy 1.jpg 3.jpg && ptsinfer embed --skip --normalize -o mixed.npy "
        "mixed && ptsinfer embed --normalize -o unit.npy 1.jpg 3.jpg");
    static float mixed[4 * DIM], unit[2 * DIM];
    load_from_folder("mixed.npy", mixed, 4);
    load_from_folder("unit.npy", unit, 2);
    ck_assert_mem_eq(mixed, unit, DIM * sizeof *unit);
    ck_assert_mem_eq(mixed + 2 * DIM, unit + DIM, DIM * sizeof *unit);
    for (size_t i = 0; i < DIM; i++)
        ck_assert(isnan(mixed[DIM + i]) && isnan(mixed[3 * DIM + i]));
    ck_assert_int_eq(run_program("cd %s && ptsinfer embed --skip -o none.npy mixed/2.jpg", folder),
                     1);
    ck_assert_ptr_nonnull(
        strstr(ran.err, "ptsinfer embed: expected a readable image, got none of 1\n"));
    ck_assert_int_eq(run_program("cd %s && ls none.npy*", folder), 2);
#ifdef PTS_HAVE_MPI
    done("ls mixed/*.jpg > mixed.txt; " MPIRUN
         "ptsinfer embed --skip --normalize --threads 1 -o three.npy --list mixed.txt && cmp "
         "mixed.npy three.npy");
    ck_assert_ptr_nonnull(strstr(ran.err, "left out: 2 of 4 images\n"));
#endif
    done("rm -r mixed");
}
END_TEST

/* The most that any program run by this test has had in memory, in MB. */
static double peak_of_programs(void)
{
    struct rusage usage;
    ck_assert_int_eq(getrusage(RUSAGE_CHILDREN, &usage), 0);
    return (double)usage.ru_maxrss / 1024;
}

/* AddressSanitizer keeps freed memory, and MALLOC_PERTURB_, which meson sets, touches memory that
 * nobody uses: neither is the program's. */
#define AS_IT_IS "unset MALLOC_PERTURB_; ASAN_OPTIONS=quarantine_size_mb=1 "

START_TEST(memory_does_not_grow_with_images)
{
#define EIGHT " big.bmp big.bmp big.bmp big.bmp big.bmp big.bmp big.bmp big.bmp"
    done(AS_IT_IS "ptsinfer embed --threads 2 -o few.npy" EIGHT);
    double few = peak_of_programs();
    done(AS_IT_IS "ptsinfer embed --threads 2 -o more.npy" EIGHT EIGHT EIGHT EIGHT EIGHT);
    double more = peak_of_programs();
    printf("peak of 8 images %.1f MB, of 40 %.1f MB\n", few, more);
    ck_assert_msg(more <= few + 10, "8 images %.1f MB, 40 images %.1f MB", few, more);
#ifndef __SANITIZE_ADDRESS__
    ck_assert_double_le(more, 180);
#endif
}
END_TEST

START_TEST(a_list_of_paths_is_as_good_as_arguments)
{
    done("ptsinfer embed -o arguments.npy 1.jpg 3.jpg 2.jpg");
    done("printf '3.jpg\\r\\n\\n2.jpg' > list && ptsinfer embed -o list.npy 1.jpg --list list && "
         "cmp arguments.npy list.npy");
    done("ptsinfer embed -o stdin.npy --list - 1.jpg < list && cmp arguments.npy stdin.npy");
    char command[256];
    snprintf(command, sizeof command, "cd %s && ptsinfer embed --list nowhere", folder);
    check_refused(1, command, "ptsinfer embed: nowhere: No such file or directory\n");
    snprintf(command, sizeof command, "cd %s && ptsinfer embed --list /dev/null", folder);
    check_refused(1, command, "ptsinfer embed: /dev/null: expected a path a line, got none\n");
}
END_TEST

/* A terminal's Ctrl-C and a batch system's SIGTERM; what was there keeps its name. */
START_TEST(a_stop_leaves_no_file)
{
    done("for i in 1 2 3 4 5 6 7 8 9; do echo 1.jpg; done > nine && for i in $(seq 200); do cat "
         "nine; done > long && echo old > stop.npy");
    for (int i = 0; i < 2; i++) {
        /* A shell's background jobs have SIGINT ignored; timeout sets it as for a command. */
        int code = run_program("cd %s && timeout --preserve-status --foreground -s %s 2 ptsinfer "
                               "embed --threads 1 --list long -o stop.npy",
                               folder, i ? "TERM" : "INT");
        ck_assert_int_eq(code, 1);
        ck_assert_ptr_nonnull(strstr(ran.err, "ptsinfer embed: stopped; nothing is written\n"));
        done("cat stop.npy; ls | grep -c 'stop.npy'");
        ck_assert_str_eq(ran.out, "old\n1\n");
    }
    done("rm stop.npy");
}
END_TEST

#ifdef PTS_HAVE_MPI
START_TEST(ranks_write_the_same_file)
{
    done("for i in 1 2 3 4 5 6 7; do for f in 1 2 3 4; do echo $f.jpg; done; done > photos");
    done("ptsinfer embed --normalize -o one.npy --list photos g1.png");
    done(MPIRUN "ptsinfer embed --normalize --threads 1 -o three.npy --list photos g1.png && "
                "cmp one.npy three.npy");
    done(MPIRUN "ptsinfer embed --normalize --threads 1 -o three.npy --list - g1.png < photos && "
                "cmp one.npy three.npy");
    done("ptsinfer embed -o one.npy 2.jpg && " MPIRUN
         "ptsinfer embed --threads 1 -o few.npy 2.jpg && cmp one.npy few.npy");
}
END_TEST

START_TEST(ranks_name_the_first_broken_image)
{
    done("(cat photos; echo nowhere.jpg; cat photos; echo never.jpg; cat photos) > broken");
    ck_assert_int_eq(run_program("cd %s && " MPIRUN
                                 "ptsinfer embed --threads 1 -o broken.npy --list broken",
                                 folder),
                     1);
    ck_assert_ptr_nonnull(
        strstr(ran.err, "ptsinfer embed: nowhere.jpg: No such file or directory\n"));
    ck_assert_ptr_null(strstr(ran.err, "never.jpg"));
    ck_assert_int_eq(run_program("cd %s && ls broken.npy*", folder), 2);
    ck_assert_int_eq(run_program("cd %s && " MPIRUN "ptsinfer embed 1.jpg", folder), 2);
    ck_assert_ptr_nonnull(
        strstr(ran.err, "ptsinfer embed: under mpirun: expected -o NAME.npy, got none\n"));
}
END_TEST

START_TEST(a_rank_that_dies_leaves_no_file)
{
    int code = run_program("cd %s && (until ls dead.npy*.part pid2; do sleep 0.1; done > dead.log "
                           "2>&1; sleep 1; kill -9 $(cat pid2)) & cd %s && " MPIRUN
                           "sh -c 'echo $$ > pid$OMPI_COMM_WORLD_RANK; exec ptsinfer embed "
                           "--threads 1 -o dead.npy --list long' || exit 1",
                           folder, folder);
    ck_assert_int_eq(code, 1);
    ck_assert_msg(strstr(ran.err, "signal 9"), "%s", ran.err); /* mpirun's words */
    ck_assert_int_eq(run_program("cd %s && ls dead.npy*", folder), 2);
}
END_TEST
#endif

int main(void)
{
    const char *root = getenv("PTS_TEST_WEIGHTS");
    char path[4096];
    snprintf(path, sizeof path, "%s/inception_v3.ptsw", root ? root : "weights");
    if (access(path, R_OK) != 0) {
        printf("skipped: no %s\n", path);
        return 77;
    }
    Suite *suite = suite_create("embed");
    TCase *tcase = tcase_create("embed");
    tcase_set_timeout(tcase, 360);
    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, cpu_levels_agree_and_keep_the_reference);
    tcase_add_test(tcase, threads_and_grouping_change_no_bit);
    tcase_add_test(tcase, normalize_keeps_the_direction);
    tcase_add_test(tcase, the_first_broken_image_is_named);
    tcase_add_test(tcase, a_list_of_paths_is_as_good_as_arguments);
    tcase_add_test(tcase, a_broken_image_can_be_skipped);
    tcase_add_test(tcase, a_stop_leaves_no_file);
#ifdef PTS_HAVE_MPI
    tcase_add_test(tcase, ranks_write_the_same_file);
    tcase_add_test(tcase, ranks_name_the_first_broken_image);
    tcase_add_test(tcase, a_rank_that_dies_leaves_no_file);
#endif
    tcase_add_test(tcase, memory_does_not_grow_with_images);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
