/* The default encoder's weights, as tools/fetch-weights leaves them, against numpy's conversion of
 * the same package. */
#include "check_main.h"
#include "folded.h"

#include "pts/file.h"

#include <string.h>
#include <unistd.h>

static const char *weights_path(void)
{
    static char path[4096];
    const char *folder = getenv("PTS_TEST_WEIGHTS");
    snprintf(path, sizeof path, "%s/inception_v3.ptsw", folder ? folder : "weights");
    return path;
}

START_TEST(tensors_are_numpys)
{
    pts_weights *w;
    pts_error err = {""};
    char *text;
    size_t size, row = 0;
    ck_assert_msg(pts_weights_open(&w, weights_path(), &err) == PTS_OK, "%s", err.message);
    ck_assert_int_eq(pts_read_file(test_data("convert/real.txt"), 1 << 20, &text, &size, NULL),
                     PTS_OK);
    ck_assert_uint_eq(pts_weights_count(w), 188);
    for (char *line = text; *line; line = strchr(line, '\n') + 1)
        check_folded(pts_weights_tensor(w, row++), line);
    ck_assert_uint_eq(row, 188);
    free(text);
    pts_weights_close(w);
}
END_TEST

START_TEST(metadata_says_what_it_is)
{
    static const pts_meta expected[] = {
        {"arch", "inception_v3"},
        {"preset", "keras"},
        {"avgpool", "exclude_pad"},
        {"input_size", "299"},
        {"dim", "2048"},
        {"source", "npm package nsfwjs 4.4.0"},
        {"licence", "MIT"},
        /* cat model.min.js group1-shard{1,2,3,4,5,6}of6.min.js | sha256sum */
        {"source_sha256", "d6bddb58a2b046dc11ed17247f8efc5ae8a5781f6b492aaf4fdd02e25c82ca91"},
    };
    pts_weights *w;
    ck_assert_int_eq(pts_weights_open(&w, weights_path(), NULL), PTS_OK);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_pstr_eq(pts_weights_meta(w, expected[i].key), expected[i].value);
    pts_weights_close(w);
}
END_TEST

int main(void)
{
    if (access(weights_path(), R_OK) != 0) {
        printf("skipped: no %s\n", weights_path());
        return 77;
    }
    Suite *suite = suite_create("real_weights");
    TCase *tcase = tcase_create("real_weights");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, tensors_are_numpys);
    tcase_add_test(tcase, metadata_says_what_it_is);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
