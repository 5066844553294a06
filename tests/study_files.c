/* Writes what the study's mode takes besides InceptionV3's weights, for the browser's tests.
 * usage: study_files CLIP.ptsw CLIP-HEAD.ptsw INCEPTION-HEAD.ptsw */
#include "study_files.h"

static char **paths;

START_TEST(write_them)
{
    study_files_write(paths[1], paths[2], paths[3]);
}
END_TEST

/* The writers assert as tests do, so they run as one. */
int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    paths = argv;
    Suite *suite = suite_create("study_files");
    TCase *one = tcase_create("write");
    tcase_add_test(one, write_them);
    tcase_set_timeout(one, 0);
    suite_add_tcase(suite, one);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
