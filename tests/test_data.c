/* The data room without its libraries: splits and the schedule of sizes. */
#include "check_main.h"

#include "pts/data.h"

#include <string.h>

#define MAX_POOL 1000

static void fill_pool(size_t *pool, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pool[i] = 100 + i;
}

static void expect_line(FILE *file, const size_t *part, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t expected;
        ck_assert_int_eq(fscanf(file, "%zu", &expected), 1);
        ck_assert_uint_eq(part[i], expected);
    }
    ck_assert_int_eq(fgetc(file), '\n');
}

START_TEST(splits_equal_another_implementation)
{
    FILE *file = fopen(test_data("split/splits.txt"), "r");
    ck_assert_ptr_nonnull(file);
    size_t pool[MAX_POOL], count, cases = 0;
    unsigned long long seed;
    double keep;
    while (fscanf(file, "%llu %zu %lf\n", &seed, &count, &keep) == 3) {
        ck_assert_uint_le(count, MAX_POOL);
        fill_pool(pool, count);
        pts_split *split;
        pts_split_options options = {seed, 0.8, 0.1, 0.1, keep};
        ck_assert_int_eq(pts_split_make(&split, pool, count, &options, NULL), PTS_OK);
        expect_line(file, split->train, split->n_train);
        expect_line(file, split->test, split->n_test);
        expect_line(file, split->val, split->n_val);
        pts_split_destroy(split);
        cases++;
    }
    fclose(file);
    ck_assert_uint_eq(cases, 6);
}
END_TEST

START_TEST(splits_are_a_partition)
{
    size_t pool[MAX_POOL];
    fill_pool(pool, MAX_POOL);
    for (size_t count = 3; count <= MAX_POOL; count += 1 + count / 7) {
        pts_split *split;
        ck_assert_int_eq(pts_split_make(&split, pool, count, NULL, NULL), PTS_OK);
        ck_assert_uint_eq(split->n_train + split->n_test + split->n_val, count);
        ck_assert(split->n_train > 0 && split->n_test > 0 && split->n_val > 0);
        unsigned char seen[MAX_POOL] = {0};
        const size_t *const parts[] = {split->train, split->test, split->val};
        const size_t sizes[] = {split->n_train, split->n_test, split->n_val};
        for (size_t p = 0; p < 3; p++) {
            for (size_t i = 0; i < sizes[p]; i++) {
                ck_assert(parts[p][i] >= 100 && parts[p][i] < 100 + count);
                ck_assert_int_eq(seen[parts[p][i] - 100]++, 0);
            }
        }
        pts_split_destroy(split);
    }
}
END_TEST

START_TEST(split_sizes_round_halves_up)
{
    static const size_t expected[][4] = {/* images, train, test, val */
                                         {3, 1, 1, 1},      {4, 2, 1, 1},   {14, 12, 1, 1},
                                         {15, 11, 2, 2},    {25, 19, 3, 3}, {60, 48, 6, 6},
                                         {270, 216, 27, 27}};
    size_t pool[MAX_POOL];
    fill_pool(pool, MAX_POOL);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        pts_split *split;
        ck_assert_int_eq(pts_split_make(&split, pool, expected[i][0], NULL, NULL), PTS_OK);
        ck_assert_uint_eq(split->n_train, expected[i][1]);
        ck_assert_uint_eq(split->n_test, expected[i][2]);
        ck_assert_uint_eq(split->n_val, expected[i][3]);
        pts_split_destroy(split);
    }
}
END_TEST

START_TEST(split_shares_of_zero_and_large_shares)
{
    size_t pool[MAX_POOL];
    fill_pool(pool, MAX_POOL);
    pts_split *split;
    pts_split_options options = {1, 1, 0, 0, 1};
    ck_assert_int_eq(pts_split_make(&split, pool, 1, &options, NULL), PTS_OK);
    ck_assert_uint_eq(split->n_train, 1);
    pts_split_destroy(split);
    options = (pts_split_options){1, 0.1, 0.45, 0.45, 1}; /* rounds to 0, 2, 2 of 4 */
    ck_assert_int_eq(pts_split_make(&split, pool, 4, &options, NULL), PTS_OK);
    ck_assert_uint_eq(split->n_train, 1);
    ck_assert_uint_eq(split->n_test, 1);
    ck_assert_uint_eq(split->n_val, 2);
    pts_split_destroy(split);
}
END_TEST

START_TEST(splits_refuse)
{
    size_t pool[MAX_POOL];
    fill_pool(pool, MAX_POOL);
    pts_split *split = (pts_split *)pool;
    pts_error err;
    ck_assert_int_eq(pts_split_make(&split, pool, 2, NULL, &err), PTS_ERR_SHAPE);
    ck_assert_str_eq(err.message,
                     "expected at least 3 images, one for each part of the split, got 2");
    ck_assert_ptr_null(split);
    ck_assert_int_eq(pts_split_make(&split, pool, 0, NULL, &err), PTS_ERR_SHAPE);
    pts_split_options options = {1, 0.8, 0.1, 0.2, 1};
    ck_assert_int_eq(pts_split_make(&split, pool, 10, &options, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "split: expected shares that sum to 1, train above 0, got 0.8, "
                                  "0.1, 0.2");
    options = (pts_split_options){1, 0.8, 0.1, 0.1, 0};
    ck_assert_int_eq(pts_split_make(&split, pool, 10, &options, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "split: expected to keep above 0, at most 1, got 0");
}
END_TEST

/* The sizes as text: "2 4 6". */
static const char *sizes_of(const char *text, size_t n)
{
    static char shown[4096];
    size_t *sizes, count, used = 0;
    pts_error err = {""};
    shown[0] = '\0';
    if (pts_schedule_parse(&sizes, &count, text, n, &err) != PTS_OK) {
        ck_assert_ptr_null(sizes);
        ck_assert_uint_eq(count, 0);
        snprintf(shown, sizeof shown, "%s", err.message);
        return shown;
    }
    for (size_t i = 0; i < count; i++)
        used +=
            (size_t)snprintf(shown + used, sizeof shown - used, "%s%zu", i ? " " : "", sizes[i]);
    free(sizes);
    return shown;
}

START_TEST(schedule_of_the_study)
{
    ck_assert_str_eq(sizes_of("study", 216),
                     "2 4 6 8 10 13 16 19 22 25 28 31 36 41 46 51 56 61 66 71 76 81 86 91 96 101 "
                     "111 121 131 141 151 161 171 181 191 201 216");
    ck_assert_str_eq(sizes_of("study", 1), "1");
    ck_assert_str_eq(sizes_of("study", 2), "2");
    ck_assert_str_eq(sizes_of("study", 3), "2 3");
    ck_assert_str_eq(sizes_of("study", 10), "2 4 6 8 10");
    ck_assert_str_eq(sizes_of("study", 11), "2 4 6 8 10 11");
    const char *large = sizes_of("study", 2000); /* … 191 201, by 50, by 100, by 500 */
    const char *tail = strstr(large, " 191 ");
    ck_assert_str_eq(tail, " 191 201 251 301 401 501 1001 1501 2000");
}
END_TEST

START_TEST(schedule_geometric)
{
    ck_assert_str_eq(sizes_of("geometric", 256), "2 4 8 16 32 64 128 256");
    ck_assert_str_eq(sizes_of("geometric:3", 50), "2 10 50");
    ck_assert_str_eq(sizes_of("geometric:2", 9), "2 9");
    ck_assert_str_eq(sizes_of("geometric:8", 6), "2 3 4 5 6");
    ck_assert_str_eq(sizes_of("geometric", 2), "2");
    ck_assert_str_eq(sizes_of("geometric", 1), "1");
}
END_TEST

START_TEST(schedule_geometric_rises_to_n)
{
    for (size_t n = 3; n < 400; n++) {
        for (size_t k = 2; k < 40; k += 3) {
            char text[32];
            size_t *sizes, count;
            snprintf(text, sizeof text, "geometric:%zu", k);
            ck_assert_int_eq(pts_schedule_parse(&sizes, &count, text, n, NULL), PTS_OK);
            ck_assert_uint_eq(count, k < n - 1 ? k : n - 1);
            ck_assert_uint_eq(sizes[0], 2);
            ck_assert_uint_eq(sizes[count - 1], n);
            for (size_t i = 1; i < count; i++)
                ck_assert_uint_lt(sizes[i - 1], sizes[i]);
            free(sizes);
        }
    }
}
END_TEST

#define EXPECTED                                                                                   \
    "sizes: expected 'study', 'geometric[:K]' with K from 2 to 10000, 'piece:P' with P in (0, "    \
    "1], "                                                                                         \
    "or rising sizes such as '2,4,8,all', got "

START_TEST(schedule_of_pieces)
{
    ck_assert_str_eq(sizes_of("piece:0.05", 216),
                     "11 22 33 44 55 66 77 88 99 110 121 132 143 154 165 176 187 198 209 216");
    ck_assert_str_eq(sizes_of("piece:0.05", 5), "1 2 3 4 5");
    ck_assert_str_eq(sizes_of("piece:.25", 10), "3 6 9 10");
    ck_assert_str_eq(sizes_of("piece:2.5e-1", 8), "2 4 6 8");
    ck_assert_str_eq(sizes_of("piece:1", 7), "7");
    ck_assert_str_eq(sizes_of("piece:0.5", 1), "1");
    static const char *const wrong[] = {"0", "1.01", "-0.1", "", "x", "nan", "inf", " 1", "0.1,2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[32], expected[256];
        snprintf(text, sizeof text, "piece:%s", wrong[i]);
        snprintf(expected, sizeof expected, EXPECTED "'%s'", text);
        ck_assert_str_eq(sizes_of(text, 9), expected);
    }
}
END_TEST

START_TEST(schedule_lists)
{
    ck_assert_str_eq(sizes_of("2,4,8", 100), "2 4 8");
    ck_assert_str_eq(sizes_of("2,4,8", 5), "2 4");
    ck_assert_str_eq(sizes_of("2,4,all", 5), "2 4 5");
    ck_assert_str_eq(sizes_of("2,5,9,all", 5), "2 5");
    ck_assert_str_eq(sizes_of("all", 7), "7");
}
END_TEST

START_TEST(schedule_refuses)
{
    ck_assert_str_eq(sizes_of("study", 0),
                     "sizes: expected 1 to 1073741824 images to train on, got 0");
    ck_assert_str_eq(sizes_of("", 9), EXPECTED "''");
    ck_assert_str_eq(sizes_of("studies", 9), EXPECTED "'studies'");
    ck_assert_str_eq(sizes_of("2,4,", 9), EXPECTED "'2,4,'");
    ck_assert_str_eq(sizes_of("2;4", 9), EXPECTED "'2;4'");
    ck_assert_str_eq(sizes_of("-2", 9), EXPECTED "'-2'");
    ck_assert_str_eq(sizes_of("0,2", 9), EXPECTED "'0,2'");
    ck_assert_str_eq(sizes_of("all,2", 9), EXPECTED "'all,2'");
    ck_assert_str_eq(sizes_of("99999999999", 9), EXPECTED "'99999999999'");
    ck_assert_str_eq(sizes_of("geometric:1", 9), EXPECTED "'geometric:1'");
    ck_assert_str_eq(sizes_of("geometric:", 9), EXPECTED "'geometric:'");
    ck_assert_str_eq(sizes_of("geometrical", 9), EXPECTED "'geometrical'");
    ck_assert_str_eq(sizes_of("2,8,4", 9), "sizes: expected rising sizes, got 4 after 8");
    ck_assert_str_eq(sizes_of("2,2", 9), "sizes: expected rising sizes, got 2 after 2");
    ck_assert_str_eq(sizes_of("10,20", 9),
                     "sizes: expected one of at most 9, the images for training, got '10,20'");
}
END_TEST

CHECK_SUITE("data", splits_equal_another_implementation, splits_are_a_partition,
            split_sizes_round_halves_up, split_shares_of_zero_and_large_shares, splits_refuse,
            schedule_of_the_study, schedule_geometric, schedule_geometric_rises_to_n,
            schedule_of_pieces, schedule_lists, schedule_refuses)
