/* Data sets, curves and the real encoder joined: the cache of embeddings, and what is refused.
 * Needs the default weights: exit code 77, "skipped", without them. */
#include "check_main.h"

#include "pts/image.h"
#include "pts/learn.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

static const char *weights_path(void)
{
    static char path[4096];
    const char *root = getenv("PTS_TEST_WEIGHTS");
    snprintf(path, sizeof path, "%s/inception_v3.ptsw", root ? root : "weights");
    return path;
}

static pts_team *team;
static pts_encoder *encoder;
static char folder[32], curves[64], cache[64];

static void setup(void)
{
    pts_error err;
    pts_team_create(&team, 2, NULL);
    pts_status status = pts_encoder_open(&encoder, weights_path(), team, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert_ptr_nonnull(mkdtemp(strcpy(folder, "/tmp/pts_test_XXXXXX")));
    snprintf(curves, sizeof curves, "%s/curves.csv", folder);
    snprintf(cache, sizeof cache, "%s/cache", folder);
}

/* The one file of the cache, whole path; NULL when there is none. */
static const char *cached_file(void)
{
    static char path[512];
    int found = 0;
    DIR *dir = opendir(cache);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", cache, e->d_name);
            found++;
        }
    if (dir)
        closedir(dir);
    ck_assert_int_le(found, 1); /* no temporary file stays behind either */
    return found ? path : NULL;
}

static void teardown(void)
{
    if (cached_file())
        unlink(cached_file());
    rmdir(cache);
    unlink(curves);
    ck_assert_int_eq(rmdir(folder), 0);
    pts_encoder_close(encoder);
    pts_team_destroy(team);
}

static void write_curves(const char *text)
{
    FILE *file = fopen(curves, "w");
    fprintf(file, "dataset,class,n,map\n%s", text);
    fclose(file);
}

static pts_status collect(pts_tasks **tasks, const char *text, size_t copies, pts_error *err)
{
    char dir[4096];
    snprintf(dir, sizeof dir, "%s", test_data("yolo-mini"));
    const char *dirs[] = {dir, dir};
    write_curves(text);
    const pts_embed_options options = {.cache = cache, .team = team};
    return pts_tasks_collect(tasks, dirs, copies, curves, encoder, &options, err);
}

static void embed_directly(const char *path, float *out)
{
    size_t side = pts_encoder_input_size(encoder);
    float *pixels = malloc(side * side * 3 * sizeof *pixels);
    pts_image image;
    ck_assert_int_eq(pts_image_read(path, NULL, &image, NULL), PTS_OK);
    pts_preset_apply(pts_encoder_preset(encoder), &image, side, pixels, NULL);
    ck_assert_int_eq(pts_encoder_embed(encoder, pixels, 1, out, NULL), PTS_OK);
    pts_image_free(&image);
    free(pixels);
}

static void spoil(const char *path)
{
    FILE *file = fopen(path, "r+b");
    fseek(file, 3000, SEEK_SET);
    fputs("spoilt", file);
    fclose(file);
}

START_TEST(embeddings_are_computed_once)
{
    pts_dataset *set;
    pts_embeddings a, b;
    float direct[2048];
    const pts_embed_options options = {.cache = cache, .team = team};
    ck_assert_int_eq(pts_dataset_open(&set, test_data("yolo-mini"), NULL), PTS_OK);
    for (int round = 0; round < 2; round++) { /* the second: with a damaged file in the cache */
        ck_assert_int_eq(pts_embeddings_of(&a, encoder, set, &options, NULL), PTS_OK);
        ck_assert_int_eq(a.cached, 0);
        ck_assert_uint_eq(a.images, 6);
        ck_assert_uint_eq(a.dim, 2048);
        embed_directly(pts_dataset_image_path(set, 4), direct);
        ck_assert_int_eq(memcmp(direct, a.values + 4 * 2048, sizeof direct), 0);
        ck_assert_int_eq(pts_embeddings_of(&b, encoder, set, &options, NULL), PTS_OK);
        ck_assert_int_eq(b.cached, 1);
        ck_assert_int_eq(memcmp(a.values, b.values, a.images * a.dim * sizeof *a.values), 0);
        pts_embeddings_free(&a);
        pts_embeddings_free(&b);
        spoil(cached_file());
    }
    pts_dataset_close(set);
}
END_TEST

START_TEST(curves_meet_their_photographs)
{
    pts_tasks *tasks;
    pts_error err;
    pts_status status = collect(&tasks, "yolo-mini,0,2,0.3\nyolo-mini,0,8,0.4\n", 1, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert_uint_eq(pts_tasks_count(tasks), 1);
    ck_assert_uint_eq(pts_tasks_datasets(tasks), 1);
    ck_assert_str_eq(pts_tasks_at(tasks, 0)->class_name, "Five"); /* named by its number */
    ck_assert_uint_eq(pts_tasks_at(tasks, 0)->images, 5);
    ck_assert_double_eq(pts_tasks_at(tasks, 0)->n[1], 8);
    ck_assert_double_eq(pts_tasks_at(tasks, 0)->map[1], 0.4);
    ck_assert_double_eq(pts_tasks_at(tasks, 0)->repeats[1], 1);
    ck_assert_double_ge(pts_tasks_at(tasks, 0)->labels[4].objects, 1);
    pts_tasks_destroy(tasks);
}
END_TEST

/* Several seeds of one size become one point: (0.1·1 + 0.4·2)/3 and (0.2 + 0.5)/2. */
START_TEST(repeats_are_averaged_by_weight)
{
    pts_tasks *tasks;
    pts_error err;
    char dir[4096];
    FILE *file = fopen(curves, "w");
    fputs("dataset,class,n,map,weight\nyolo-mini,Five,2,0.1,1\nyolo-mini,Five,8,0.2,1\n"
          "yolo-mini,Five,2,0.4,2\nyolo-mini,Five,8,0.5,1\n",
          file);
    fclose(file);
    snprintf(dir, sizeof dir, "%s", test_data("yolo-mini"));
    const char *dirs[] = {dir};
    const pts_embed_options embed = {.cache = cache};
    pts_status status = pts_tasks_collect(&tasks, dirs, 1, curves, encoder, &embed, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    const pts_task *task = pts_tasks_at(tasks, 0);
    ck_assert_uint_eq(task->points, 2);
    ck_assert_double_eq(task->n[1], 8);
    ck_assert_double_eq_tol(task->map[0], 0.3, 1e-15);
    ck_assert_double_eq_tol(task->map[1], 0.35, 1e-15);
    ck_assert_double_eq(task->repeats[0], 3);
    ck_assert_double_eq(task->repeats[1], 2);
    pts_tasks_destroy(tasks);
}
END_TEST

START_TEST(curves_without_photographs_are_refused)
{
    pts_tasks *tasks;
    pts_error err;
    char expected[4352];
    ck_assert_int_eq(collect(&tasks, "moon,Ten,2,0.1\nmoon,Ten,4,0.2\n", 1, &err),
                     PTS_ERR_ARGUMENT);
    snprintf(expected, sizeof expected,
             "%s: data set 'moon': expected a folder of that name among the 1 given", curves);
    ck_assert_str_eq(err.message, expected);
    ck_assert_ptr_null(tasks);
    ck_assert_int_eq(collect(&tasks, "yolo-mini,Ten,2,0.1\nyolo-mini,Ten,4,0.2\n", 1, &err),
                     PTS_ERR_SHAPE);
    snprintf(expected, sizeof expected,
             "%s: class Ten: expected at least 4 photographs that show it, got 2",
             test_data("yolo-mini"));
    ck_assert_str_eq(err.message, expected);
    ck_assert_int_ne(collect(&tasks, "yolo-mini,Six,2,0.1\nyolo-mini,Six,4,0.2\n", 1, &err),
                     PTS_OK);
    ck_assert_ptr_nonnull(strstr(err.message, "Six"));
    ck_assert_int_eq(collect(&tasks, "yolo-mini,0,2,0.1\nyolo-mini,0,4,0.2\n", 2, &err),
                     PTS_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, ": a data set of the name 'yolo-mini' came before"));
    ck_assert_ptr_null(tasks);
}
END_TEST

int main(void)
{
    if (access(weights_path(), R_OK) != 0)
        return 77;
    Suite *suite = suite_create("tasks");
    TCase *tcase = tcase_create("tasks");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, embeddings_are_computed_once);
    tcase_add_test(tcase, curves_meet_their_photographs);
    tcase_add_test(tcase, repeats_are_averaged_by_weight);
    tcase_add_test(tcase, curves_without_photographs_are_refused);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
