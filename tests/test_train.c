/* ptstrain embed, train and eval from end to end with a tiny encoder: the cache, the study's fixed
 * combinations, checkpoints, going on bit for bit, several processes, and what is refused. */
#include "clip_file.h"
#include "run_program.h"
#include "temporary_folder.h"

#include "pts/learn.h"

#include <dirent.h>
#include <signal.h>

static const clip_shape tiny = {"tiny", 8, 2, 24, 1, 2, 32, 6, "gelu"};

static char encoder[96];

static void setup(void)
{
    make_folder();
    snprintf(encoder, sizeof encoder, "%s/encoder.ptsw", folder);
    clip_file_write(clip_file_make(&tiny), encoder);
}

/* Files of a folder whose names do not begin with a dot. */
static size_t count_files(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* ---- embed ---- */

#define EMBED "ptstrain embed --data %s --encoder %s --cache %s/cache"

static void copy_set(const char *name)
{
    ck_assert_int_eq(run_program("cp -r %s %s/%s && chmod -R u+w %s", test_data("yolo-mini"),
                                 folder, name, folder),
                     0);
}

START_TEST(embed_fills_the_cache_once)
{
    char cache[128], set[128];
    snprintf(cache, sizeof cache, "%s/cache", folder);
    snprintf(set, sizeof set, "%s/mine", folder);
    copy_set("mine");
    ck_assert_int_eq(run_program(EMBED, set, encoder, folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "computed"));
    ck_assert_uint_eq(count_files(cache), 1);
    ck_assert_int_eq(run_program(EMBED " --json", set, encoder, folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"cached\": true"));
    ck_assert_ptr_nonnull(strstr(ran.out, "\"images\": 6"));
    ck_assert_ptr_nonnull(strstr(ran.out, "\"dim\": 6"));
    /* another folder with the same photographs */
    ck_assert_int_eq(run_program("cd %s && mv mine moved", folder), 0);
    snprintf(set, sizeof set, "%s/moved", folder);
    ck_assert_int_eq(run_program(EMBED " --json", set, encoder, folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"cached\": true"));
    /* another preset; one byte more behind a photograph, its time as before */
    ck_assert_int_eq(run_program(EMBED " --preset ptssp --json", set, encoder, folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"cached\": false"));
    ck_assert_int_eq(run_program("cd %s && f=$(find . -name '*.jpg' | head -1) && touch -r $f t && "
                                 "printf x >> $f && touch -r t $f",
                                 set),
                     0);
    ck_assert_int_eq(run_program(EMBED " --json", set, encoder, folder), 0);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"cached\": false"));
    ck_assert_uint_eq(count_files(cache), 3);
}
END_TEST

START_TEST(embed_refuses)
{
    check_refused(2, "ptstrain embed --cache c",
                  "ptstrain embed: --data: expected data-set folders, got none\n");
    check_refused(2, "ptstrain embed --data d",
                  "ptstrain embed: --cache: expected a folder, got none\n");
    check_refused(2, "ptstrain embed --data d --cache c --preset best",
                  "ptstrain embed: --preset: expected keras, torchvision, clip or ptssp, got "
                  "'best'\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train");
    TCase *tcase = tcase_create("train");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, remove_folder);
    tcase_add_test(tcase, embed_fills_the_cache_once);
    tcase_add_test(tcase, embed_refuses);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
