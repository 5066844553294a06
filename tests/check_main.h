/* Runs one Check suite: CHECK_SUITE("name", case_a, case_b, SLOW, case_c). Each test binary
 * includes it once. What follows SLOW is meson's suite `slow`; started by hand, a binary runs all
 * its cases. */
#ifndef PTS_TESTS_CHECK_MAIN_H
#define PTS_TESTS_CHECK_MAIN_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOW NULL

/* Adds a case of the suite, with the time that a sanitizer's build may take. meson's suites choose
 * by tag (CK_INCLUDE_TAGS, CK_EXCLUDE_TAGS). */
static inline TCase *add_tcase(Suite *suite, const char *name, const char *tags)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 120);
    tcase_set_tags(tcase, tags);
    suite_add_tcase(suite, tcase);
    return tcase;
}

/* What main returns. A choice of no cases at all is a mistake in meson.build. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner) > 0 || srunner_ntests_run(runner) == 0;
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

typedef void check_fixture(void);

/* before and after: once for the quick cases and once for the slow ones, or NULL. */
static inline int run_cases(const char *name, check_fixture *before, check_fixture *after,
                            const TTest *const *cases, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = add_tcase(suite, name, "");
    tcase_add_unchecked_fixture(tcase, before, after);
    for (size_t i = 0; i < count; i++) {
        if (cases[i] != SLOW) {
            tcase_add_test(tcase, cases[i]);
            continue;
        }
        tcase = add_tcase(suite, "slow", "slow");
        tcase_add_unchecked_fixture(tcase, before, after);
    }
    return run_suite(suite);
}

#define CHECK_SUITE_WITH(name, before, after, ...)                                                 \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const cases[] = {__VA_ARGS__};                                                \
        return run_cases(name, before, after, cases, sizeof cases / sizeof *cases);                \
    }

#define CHECK_SUITE(name, ...) CHECK_SUITE_WITH(name, NULL, NULL, __VA_ARGS__)

/* A file among the tests' data: tests/data/NAME, into a static buffer. */
static inline const char *test_data(const char *name)
{
    static char path[4096];
    const char *root = getenv("PTS_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", root ? root : "tests/data", name);
    return path;
}

#endif
