/* Runs one Check suite: CHECK_SUITE("name", case_a, case_b). Each test binary includes it once. */
#ifndef PTS_TESTS_CHECK_MAIN_H
#define PTS_TESTS_CHECK_MAIN_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK_SUITE(name, ...)                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const cases[] = {__VA_ARGS__};                                                \
        Suite *suite = suite_create(name);                                                         \
        TCase *tcase = tcase_create(name);                                                         \
        tcase_set_timeout(tcase, 120);                                                             \
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)                                  \
            tcase_add_test(tcase, cases[i]);                                                       \
        suite_add_tcase(suite, tcase);                                                             \
        SRunner *runner = srunner_create(suite);                                                   \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                               \
    }

/* A file among the tests' data: tests/data/NAME, into a static buffer. */
static inline const char *test_data(const char *name)
{
    static char path[4096];
    const char *root = getenv("PTS_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", root ? root : "tests/data", name);
    return path;
}

#endif
