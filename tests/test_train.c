/* ptstrain embed, train and eval from end to end with a tiny encoder: the cache, the study's fixed
 * combinations, checkpoints, going on bit for bit, several processes, and what is refused. */
#include "clip_file.h"
#include "run_program.h"
#include "temporary_folder.h"

#include "base/error.h"
#include "study/study.h"
#include "pts/hash.h"
#include "pts/image.h"
#include "pts/ranks.h"

#include <dirent.h>
#include <glob.h>
#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>

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

/* ---- the study's network: tasks made up, embeddings around a point a class ---- */

enum { DIM = 6, IMAGES = 40, POINTS = 5 };

static float *draw_embeddings(pts_rng *rng)
{
    float *rows = malloc(IMAGES * DIM * sizeof *rows), centre[DIM];
    for (size_t d = 0; d < DIM; d++)
        centre[d] = (float)pts_rng_normal(rng);
    for (size_t i = 0; i < IMAGES * DIM; i++)
        rows[i] = centre[i % DIM] + 0.3f * (float)pts_rng_normal(rng);
    return rows;
}

/* Without Check, which the other ranks do not run. */
static pts_tasks *make_tasks(size_t sets)
{
    pts_tasks *tasks;
    pts_rng rng = {17};
    pts_tasks_create(&tasks, DIM, "encoder", "clip", NULL);
    for (size_t t = 0; t < sets; t++) {
        double n[POINTS] = {2, 8, 32, 128, 512}, map[POINTS];
        char name[32];
        for (size_t i = 0; i < POINTS; i++)
            map[i] = 0.6 * n[i] / (n[i] + 10 * (double)(t + 1)) + 0.02 * (double)t;
        snprintf(name, sizeof name, "set%zu", t);
        float *rows = draw_embeddings(&rng);
        pts_task task = {.dataset = name,
                         .class_name = "thing",
                         .points = POINTS,
                         .n = n,
                         .map = map,
                         .images = IMAGES,
                         .embeddings = rows};
        pts_tasks_add(tasks, &task, NULL);
        free(rows);
    }
    return tasks;
}

static pts_study_options study_options(void)
{
    pts_study_options o = PTS_STUDY_DEFAULTS;
    o.epochs = 4;
    o.batch = 8;
    o.combinations = 12;
    return o;
}

static pts_status train(pts_mlp **mlp, pts_study_report *report, const pts_study_options *options,
                        pts_progress progress, void *user, pts_error *err)
{
    pts_tasks *tasks = make_tasks(3);
    pts_status status = pts_study_run(mlp, report, tasks, options, NULL, progress, user, err);
    pts_tasks_destroy(tasks);
    return status;
}

/* Each part's samples are different sets of four different photographs, which no other part has;
 * as many as asked for, or as there are. */
START_TEST(combinations_are_fixed_and_different)
{
    pts_tasks *tasks = make_tasks(3);
    study_samples a, b;
    char part_of[3][IMAGES] = {{0}};
    ck_assert_int_eq(pts_study_samples_draw(&a, tasks, 200, 5, NULL), PTS_OK);
    ck_assert_int_eq(pts_study_samples_draw(&b, tasks, 200, 5, NULL), PTS_OK);
    ck_assert_uint_eq(a.count[STUDY_TRAIN], 3 * 200);
    ck_assert_uint_eq(a.count[STUDY_VALIDATION], 3 * 15); /* 4 of 6 photographs, not 50 */
    ck_assert_uint_eq(a.count[STUDY_TEST], 3 * 15);
    for (size_t p = 0; p < STUDY_PARTS; p++) {
        ck_assert_int_eq(memcmp(a.items[p], b.items[p], a.count[p] * sizeof **a.items), 0);
        for (size_t i = 0; i < a.count[p]; i++) {
            const study_sample *s = &a.items[p][i];
            uint64_t set = 0;
            for (int k = 0; k < 4; k++) {
                char *part = &part_of[s->task][s->image[k]];
                ck_assert(*part == 0 || *part == (char)(p + 1));
                *part = (char)(p + 1);
                set |= (uint64_t)1 << s->image[k];
            }
            ck_assert_int_eq(__builtin_popcountll(set), 4);
            for (size_t j = 0; j < i; j++) {
                uint64_t other = 0;
                for (int k = 0; k < 4; k++)
                    other |= (uint64_t)1 << a.items[p][j].image[k];
                ck_assert(a.items[p][j].task != s->task || other != set);
            }
        }
    }
    pts_study_samples_free(&a);
    pts_study_samples_free(&b);
    pts_tasks_destroy(tasks);
}
END_TEST

static int stop_at(void *user, const char *stage, size_t done, size_t total)
{
    (void)stage, (void)total;
    return done >= *(size_t *)user;
}

/* Stopped in the middle of the third epoch and taken up again: every bit as in one go, with rate,
 * moments, dropout and early stopping's memory. */
START_TEST(resumed_training_goes_on_bit_for_bit)
{
    char path[128];
    pts_study_options o = study_options();
    pts_study_report whole, resumed;
    pts_mlp *a, *b;
    pts_error err;
    snprintf(path, sizeof path, "%s/training.ptsw", folder);
    o.rule = PTS_MLP_ADAMW;
    o.weight_decay = 0.01;
    o.dropout = 0.1;
    o.schedule = PTS_MLP_COSINE;
    ck_assert_int_eq(train(&a, &whole, &o, NULL, NULL, &err), PTS_OK);
    size_t stop = 2 * 5 + 3; /* five steps an epoch */
    o.checkpoint = path;
    ck_assert_int_eq(train(&b, &resumed, &o, stop_at, &stop, &err), PTS_ERR_CANCELLED);
    ck_assert_ptr_null(b);
    char expected[256];
    snprintf(expected, sizeof expected, "epoch 3, step 4: stopped; %s holds epoch 2", path);
    ck_assert_str_eq(err.message, expected);
    o.resume = true;
    ck_assert_msg(train(&b, &resumed, &o, NULL, NULL, &err) == PTS_OK, "%s", err.message);
    ck_assert_uint_eq(pts_mlp_parameter_count(a), pts_mlp_parameter_count(b));
    ck_assert_int_eq(memcmp(pts_mlp_parameters(a), pts_mlp_parameters(b),
                            pts_mlp_parameter_count(a) * sizeof(float)),
                     0);
    whole.seconds = resumed.seconds = 0;
    ck_assert_int_eq(memcmp(&whole, &resumed, sizeof whole), 0);
    ck_assert_uint_eq(count_files(folder), 2); /* encoder and checkpoint */
    pts_mlp_destroy(a);
    pts_mlp_destroy(b);
    o.rate = 2e-3;
    ck_assert_int_eq(train(&b, &resumed, &o, NULL, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "expected a checkpoint of the same training (seed"));
}
END_TEST

typedef struct history {
    pts_study_epoch rows[64];
    size_t count;
} history;

static void take_row(void *user, const pts_study_epoch *row)
{
    history *h = user;
    ck_assert_uint_lt(h->count, 64);
    h->rows[h->count++] = *row;
}

static int go_on(void *user, const char *stage, size_t done, size_t total)
{
    (void)user, (void)stage, (void)done, (void)total;
    return 0;
}

START_TEST(patience_ends_training)
{
    pts_study_options o = study_options();
    pts_study_report report;
    history h = {.count = 0};
    o.epochs = 40;
    o.rate = 0.05;
    o.patience = 2;
    o.epoch = take_row;
    ck_assert_int_eq(train(NULL, &report, &o, go_on, &h, NULL), PTS_OK);
    ck_assert_uint_lt(report.epochs, 40);
    ck_assert_uint_eq(report.epochs, report.best_epoch + 2);
    ck_assert_uint_eq(h.count, report.epochs);
    for (size_t e = 0; e < h.count; e++) {
        ck_assert_uint_eq(h.rows[e].epoch, e + 1);
        if (h.rows[e].best)
            ck_assert_uint_le(e + 1, report.best_epoch);
        ck_assert(h.rows[e].validation >= h.rows[report.best_epoch - 1].validation);
    }
}
END_TEST

/* The epoch that a checkpoint holds. */
static size_t epoch_of(const char *path)
{
    pts_weights *w;
    pts_error err;
    ck_assert_msg(pts_weights_open(&w, path, &err) == PTS_OK, "%s", err.message);
    size_t epoch = strtoul(pts_weights_meta(w, "epoch"), NULL, 10);
    pts_weights_close(w);
    return epoch;
}

/* Plain gradient descent with a rate that is too high: some epochs, then no numbers. */
START_TEST(lost_training_keeps_its_checkpoint)
{
    char path[128], expected[256];
    pts_study_options o = study_options();
    pts_study_report report;
    pts_mlp *mlp;
    pts_error err;
    size_t epoch, step;
    snprintf(path, sizeof path, "%s/training.ptsw", folder);
    o.checkpoint = path;
    o.rule = PTS_MLP_SGD;
    o.rate = 1e-3;
    o.epochs = 60;
    o.batch = 64; /* a step an epoch */
    for (int tries = 0; tries < 12; tries++, o.rate *= 2) {
        if (train(&mlp, &report, &o, NULL, NULL, &err) != PTS_OK && access(path, R_OK) == 0)
            break;
        pts_mlp_destroy(mlp);
        unlink(path);
    }
    ck_assert_int_eq(access(path, R_OK), 0);
    ck_assert_int_eq(sscanf(err.message, "epoch %zu, step %zu:", &epoch, &step), 2);
    ck_assert_uint_eq(epoch_of(path), epoch - 1);
    snprintf(expected, sizeof expected, "%s holds epoch %zu", path, epoch - 1);
    ck_assert_ptr_nonnull(strstr(err.message, expected));
    ck_assert_ptr_nonnull(strstr(err.message, "not finite"));
    ck_assert_ptr_null(mlp);
}
END_TEST

static void limit_files(void *user, const pts_study_epoch *row)
{
    (void)user;
    const struct rlimit small = {1 << 20, 1 << 20};
    signal(SIGXFSZ, SIG_IGN);
    if (row->epoch == 2)
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
}

START_TEST(full_disk_keeps_the_checkpoint)
{
    char path[128];
    pts_study_options o = study_options();
    pts_study_report report;
    pts_error err;
    snprintf(path, sizeof path, "%s/training.ptsw", folder);
    o.checkpoint = path;
    o.epoch = limit_files;
    ck_assert_int_eq(train(NULL, &report, &o, NULL, NULL, &err), PTS_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.message, "epoch 3: no checkpoint: "));
    ck_assert_ptr_nonnull(strstr(err.message, "File too large"));
    ck_assert_ptr_nonnull(strstr(err.message, "; the one of epoch 2 stays"));
    ck_assert_uint_eq(epoch_of(path), 2);
    ck_assert_uint_eq(count_files(folder), 2); /* no half file */
}
END_TEST

START_TEST(study_options_are_checked)
{
    pts_study_options o = study_options();
    pts_study_report report;
    pts_error err;
    o.dropout = 1;
    ck_assert_int_eq(train(NULL, &report, &o, NULL, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "dropout: expected 0 … below 1, got 1");
    o = study_options(), o.resume = true;
    ck_assert_int_eq(train(NULL, &report, &o, NULL, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "resume: expected a checkpoint's name, got none");
    o = study_options(), o.clip = -1;
    ck_assert_int_eq(train(NULL, &report, &o, NULL, NULL, &err), PTS_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "clip: expected 0 … 1e+30, got -1");
    o = study_options(), o.resume = true, o.checkpoint = encoder;
    ck_assert_int_eq(train(NULL, &report, &o, NULL, NULL, &err), PTS_ERR_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.message, ": expected a checkpoint, got architecture 'clip_vit'"));
}
END_TEST

/* ---- ptstrain train ---- */

/* Photographs 1.jpg … of one data set, each with one object: the six of yolo-mini, seven times. */
static void write_set(const char *name, int height, const glob_t *photos)
{
    char path[64], label[64];
    for (size_t n = 1; n <= 7 * photos->gl_pathc; n++) {
        snprintf(path, sizeof path, "%s/images/%zu.jpg", name, n);
        put_copy(path, photos->gl_pathv[(n - 1) % photos->gl_pathc]);
        snprintf(path, sizeof path, "%s/labels/%zu.txt", name, n);
        snprintf(label, sizeof label, "0 .1 .1 .9 .1 .%d .9", height);
        put(path, label);
    }
    snprintf(path, sizeof path, "%s/data.yaml", name);
    put(path, "names: [thing]");
}

/* Three data sets with a curve each. */
static void write_sets(void)
{
    glob_t photos;
    char pattern[4200];
    snprintf(pattern, sizeof pattern, "%s/*/images/*.jpg", test_data("yolo-mini"));
    ck_assert_int_eq(glob(pattern, 0, NULL, &photos), 0);
    write_set("one", 4, &photos);
    write_set("two", 5, &photos);
    write_set("three", 6, &photos);
    globfree(&photos);
    put("curves.csv", "dataset,class,n,map\none,thing,2,0.1\none,thing,20,0.5\n"
                      "two,thing,2,0.2\ntwo,thing,20,0.3\nthree,thing,2,0.1\nthree,thing,20,0.7\n");
}

#define TRAIN                                                                                      \
    "cd %s && ptstrain train --data one two three --curves curves.csv -w encoder.ptsw --cache c "  \
    "--head study --batch 8 --combinations 10 --threads 1 "

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

START_TEST(train_writes_head_log_and_checkpoint)
{
    write_sets();
    ck_assert_msg(run_program(TRAIN "--epochs 3 -o a.ptsw", folder) == 0, "%s", ran.err);
    ck_assert_ptr_nonnull(strstr(ran.err, "epoch 3: loss "));
    ck_assert_msg(
        run_program(TRAIN "--epochs 2 -o b.ptsw --checkpoint t.ptsw --log l.csv", folder) == 0,
        "%s", ran.err);
    /* two epochs, then one more from the checkpoint, with the options of a file */
    put("train.json", "{\"data\": [\"one\", \"two\", \"three\"], \"curves\": \"curves.csv\", "
                      "\"head\": \"study\", \"batch\": 8, \"combinations\": 9, \"resume\": true,"
                      "\"encoder\": \"encoder.ptsw\", \"rate\": 1e-3, \"epochs\": 3}");
    ck_assert_msg(run_program("cd %s && ptstrain train --config train.json --combinations 10 -o "
                              "b.ptsw --checkpoint t.ptsw --log l.csv --cache c",
                              folder) == 0,
                  "%s", ran.err);
    ck_assert_msg(run_program("cd %s && cmp a.ptsw b.ptsw", folder) == 0, "%s", ran.out);
    ck_assert_int_eq(run_program("cat %s/l.csv", folder), 0);
    ck_assert_uint_eq(count_lines(ran.out), 4);
    ck_assert_ptr_nonnull(
        strstr(ran.out, "epoch,train_loss,validation_loss,rate,seconds,best\n1,"));
    ck_assert_ptr_nonnull(strstr(ran.out, "\n3,"));
}
END_TEST

/* One command line begins a training and goes on with it; what is there and no checkpoint is
 * refused, not written over. */
START_TEST(resume_begins_where_there_is_no_checkpoint)
{
    write_sets();
    ck_assert_msg(run_program(TRAIN "--epochs 2 -o a.ptsw", folder) == 0, "%s", ran.err);
    ck_assert_msg(run_program(TRAIN "--epochs 2 -o b.ptsw --checkpoint t.ptsw --resume", folder) ==
                      0,
                  "%s", ran.err);
    ck_assert_msg(run_program("cd %s && cmp a.ptsw b.ptsw", folder) == 0, "%s", ran.out);
    ck_assert_msg(run_program(TRAIN "--epochs 3 -o b.ptsw --checkpoint t.ptsw --resume", folder) ==
                      0,
                  "%s", ran.err);
    put("t.ptsw", "no checkpoint");
    ck_assert_int_eq(run_program(TRAIN "--epochs 3 -o b.ptsw --checkpoint t.ptsw --resume", folder),
                     1);
}
END_TEST

/* What refuses the join is said before the first photograph is embedded. */
START_TEST(join_is_checked_before_embedding)
{
    write_sets();
    put("curves.csv", "dataset,class,n,map\none,thing,2,0.1\none,thing,20,0.5\n"
                      "four,thing,2,0.2\nfour,thing,20,0.3\n");
    ck_assert_int_eq(run_program(TRAIN "-o a.ptsw", folder), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "data set 'four': expected a folder of that name among "
                                          "the 3 given\n"));
    put("curves.csv", "dataset,class,n,map\none,thing,2,0.1\none,thing,20,0.5\n"
                      "three,moon,2,0.2\nthree,moon,20,0.3\n");
    ck_assert_int_eq(run_program(TRAIN "-o a.ptsw", folder), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "'moon'"));
    ck_assert_int_eq(run_program("cd %s && ptstrain train --data one two --curves curves.csv -w "
                                 "encoder.ptsw --cache c -o a.ptsw",
                                 folder),
                     1);
    ck_assert_ptr_nonnull(strstr(ran.err, "expected at least 3 data sets"));
    ck_assert_int_eq(run_program("test -e %s/c", folder), 1);
}
END_TEST

START_TEST(head_says_where_it_comes_from)
{
    char path[128], *bytes, hex[PTS_SHA256_HEX];
    size_t size;
    pts_head *head;
    pts_sha256 hash;
    write_sets();
    ck_assert_msg(run_program(TRAIN "--epochs 1 -o a.ptsw --preset ptssp", folder) == 0, "%s",
                  ran.err);
    snprintf(path, sizeof path, "%s/curves.csv", folder);
    ck_assert_int_eq(pts_read_file(path, 1 << 20, &bytes, &size, NULL), PTS_OK);
    pts_sha256_init(&hash);
    pts_sha256_update(&hash, bytes, size);
    pts_sha256_hex(&hash, hex);
    free(bytes);
    snprintf(path, sizeof path, "%s/a.ptsw", folder);
    ck_assert_int_eq(pts_head_open(&head, path, NULL), PTS_OK);
    ck_assert_str_eq(pts_head_source(head, "curves_sha256"), hex);
    ck_assert_str_eq(pts_head_preset(head), "ptssp");
    ck_assert_ptr_nonnull(strstr(pts_head_source(head, "datasets"), "two"));
    const char *sources = pts_head_source(head, "datasets_sha256");
    ck_assert_uint_eq(strlen(sources), 3 * 65 + strlen("one,two,three"));
    const char *config = pts_head_source(head, "config");
    ck_assert_ptr_nonnull(strstr(config, "\"batch\":8"));
    ck_assert_ptr_nonnull(strstr(config, "\"data\":[\"one\",\"two\",\"three\"]"));
    ck_assert_ptr_null(strstr(config, "threads"));
    ck_assert_ptr_null(pts_head_source(head, "moon"));
    pts_head_close(head);
}
END_TEST

/* An outline along the border fills the mask: its embedding is that of a white picture. */
START_TEST(masks_are_embedded_as_pictures)
{
    enum { SIDE = 800 };
    char curves[128], dirs[3][128], cache[128];
    const char *paths[3] = {dirs[0], dirs[1], dirs[2]};
    static const char *const names[] = {"one", "two", "three"};
    float white[6], *input = malloc(16 * 16 * 3 * sizeof *input);
    pts_encoder *e;
    pts_tasks *tasks;
    pts_error err;
    pts_image picture = {SIDE, SIDE, malloc((size_t)SIDE * SIDE * 3)};
    memset(picture.rgb, 255, (size_t)SIDE * SIDE * 3);
    write_sets();
    put("one/labels/1.txt", "0 0 0 1 0 1 1 0 1");
    for (int s = 0; s < 3; s++)
        snprintf(dirs[s], sizeof *dirs, "%s/%s", folder, names[s]);
    snprintf(curves, sizeof curves, "%s/curves.csv", folder);
    snprintf(cache, sizeof cache, "%s/c", folder);
    ck_assert_int_eq(pts_encoder_open(&e, encoder, NULL, &err), PTS_OK);
    ck_assert_uint_eq(pts_encoder_input_size(e), 16);
    ck_assert_int_eq(pts_preset_apply("ptssp", &picture, 16, input, NULL), PTS_OK);
    ck_assert_int_eq(pts_encoder_embed(e, input, 1, white, NULL), PTS_OK);
    const pts_embed_options options = {.cache = cache, .preset = "ptssp", .masks = true};
    for (int round = 0; round < 2; round++) { /* made, then from the cache */
        pts_status status = pts_tasks_collect(&tasks, paths, 3, curves, e, &options, &err);
        ck_assert_msg(status == PTS_OK, "%s", err.message);
        const float *rows = pts_tasks_at(tasks, 0)->embeddings;
        ck_assert_int_eq(memcmp(rows + 6, white, sizeof white), 0);
        ck_assert_int_ne(memcmp(rows + 12 + 6, white, sizeof white), 0);
        pts_tasks_destroy(tasks);
        ck_assert_uint_eq(count_files(cache), 4); /* the sets' photographs are the same */
    }
    pts_encoder_close(e);
    free(input);
    free(picture.rgb);
}
END_TEST

/* 4·1024 inputs of the study's CLIP variant are here 4·12. */
START_TEST(heads_with_masks)
{
    char path[128];
    pts_head *head;
    write_sets();
    ck_assert_msg(run_program(TRAIN "--masks --epochs 1 -o a.ptsw", folder) == 0, "%s", ran.err);
    snprintf(path, sizeof path, "%s/a.ptsw", folder);
    ck_assert_int_eq(pts_head_open(&head, path, NULL), PTS_OK);
    ck_assert_uint_eq(pts_head_dim(head), 12);
    pts_head_close(head);
    ck_assert_int_eq(run_program("cd %s && ptstrain eval --protocol study --masks --data one two "
                                 "three --curves curves.csv -w encoder.ptsw --cache c --epochs 1 "
                                 "--combinations 4 --batch 1",
                                 folder),
                     0);
    ck_assert_ptr_nonnull(strstr(ran.out, "samples an epoch 12, batch 1"));
}
END_TEST

/* Of train and eval, from one table. */
static void check_config(const char *program)
{
    char command[256], expected[256];
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"epoch\": 3}", "unknown key 'epoch' ("},
        {"{\"config\": \"x\"}", "unknown key 'config' ("},
        {"{\"epochs\": \"3\"}", "epochs: expected a whole number"},
        {"{\"data\": \"one\"}", "data: expected a list of strings"},
        {"{\"resume\": 1}", "resume: expected true or false"},
        {"[1]", "expected an object of options, got another value"},
    };
    snprintf(command, sizeof command, "%s --config %s/c.json", program, folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool unknown = strstr(cases[i].message, "unknown") != NULL;
        put("c.json", cases[i].text);
        snprintf(expected, sizeof expected, "%s: %s/c.json: %s%s%s\n", program, folder,
                 cases[i].message, unknown ? program : "", unknown ? " -h lists the options)" : "");
        check_refused(2, command, "%s", expected);
    }
    put("c.json", "{\"epochs\": 3,}");
    ck_assert_int_eq(run_program("%s", command), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "c.json: line 1: "));
}

START_TEST(config_refuses)
{
    check_config("ptstrain train");
    check_config("ptstrain eval");
}
END_TEST

/* ---- ptstrain eval ---- */

START_TEST(eval_takes_a_config_and_echoes_it)
{
    write_sets();
    put("eval.json", "{\"data\": [\"one\", \"two\", \"three\"], \"curves\": \"curves.csv\", "
                     "\"protocol\": \"pilot\", \"encoder\": \"encoder.ptsw\", \"seed\": 7, "
                     "\"cache\": \"c\", \"json\": true}");
    ck_assert_msg(run_program("cd %s && ptstrain eval --config eval.json", folder) == 0, "%s",
                  ran.err);
    json_t *report = json_loads(ran.out, 0, NULL), *config = json_object_get(report, "config");
    ck_assert_ptr_nonnull(config);
    ck_assert_str_eq(json_string_value(json_object_get(config, "protocol")), "pilot");
    ck_assert_int_eq(json_integer_value(json_object_get(config, "seed")), 7);
    ck_assert_uint_eq(json_array_size(json_object_get(config, "data")), 3);
    ck_assert_ptr_null(json_object_get(config, "cache"));
    ck_assert_uint_eq(json_array_size(json_object_get(report, "rows")), 5);
    const json_t *row = json_array_get(json_object_get(report, "rows"), 1);
    ck_assert_double_eq(json_number_value(json_object_get(row, "upto")), 10);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "curves")), 3);
    ck_assert_ptr_nonnull(json_object_get(json_object_get(row, "priors"), "mlp_head"));
    json_decref(report);
    /* the command line has the last word */
    ck_assert_msg(run_program("cd %s && ptstrain eval --config eval.json --protocol "
                              "leave-one-dataset-out --seed 8",
                              folder) == 0,
                  "%s", ran.err);
    ck_assert_ptr_nonnull(strstr(ran.out, "\"protocol\": \"leave-one-dataset-out\""));
    ck_assert_ptr_nonnull(strstr(ran.out, "\"seed\": 8"));
}
END_TEST

#define EVAL_ONE(more)                                                                             \
    "cd %s && ptstrain eval --protocol " more                                                      \
    " --data one --curves curve.csv -w encoder.ptsw --cache c"
#define ONE_DATASET                                                                                \
    "curves: expected at least 3 data sets (one is predicted from the others), got 1\n"

/* One data set: nothing is left to learn from once it is left out. */
START_TEST(one_data_set_only)
{
    write_sets();
    put("curve.csv", "dataset,class,n,map\none,thing,2,0.1\none,thing,20,0.5\n");
    ck_assert_int_eq(run_program(EVAL_ONE("leave-one-dataset-out"), folder), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "ptstrain eval: " ONE_DATASET));
    ck_assert_int_eq(run_program(EVAL_ONE("pilot"), folder), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "ptstrain eval: " ONE_DATASET));
    ck_assert_int_eq(run_program("cd %s && ptstrain train --data one --curves curve.csv -w "
                                 "encoder.ptsw --cache c -o head.ptsw; test ! -e head.ptsw",
                                 folder),
                     0);
    ck_assert_ptr_nonnull(strstr(ran.err, "ptstrain train: " ONE_DATASET));
    check_refused(2, "ptstrain eval --protocol best",
                  "ptstrain eval: --protocol: expected leave-one-dataset-out, pilot or study, got "
                  "'best'\n");
}
END_TEST

/* A class of a data set that is not there, by name and by number; four photographs at least. */
START_TEST(curves_of_no_class)
{
    write_sets();
    put("curve.csv", "dataset,class,n,map\none,moon,2,0.1\none,moon,20,0.5\n");
    ck_assert_int_eq(run_program(EVAL_ONE("study"), folder), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "'moon'"));
    put("curve.csv", "dataset,class,n,map\nnone,thing,2,0.1\nnone,thing,20,0.5\n");
    ck_assert_int_eq(run_program(EVAL_ONE("study"), folder), 1);
    ck_assert_ptr_nonnull(strstr(ran.err, "curve.csv: data set 'none': expected a folder of that "
                                          "name among the 1 given\n"));
    put("curve.csv", "dataset,class,n,map\none,thing,2,0.1\none,thing,20,0.5\n");
    ck_assert_int_eq(
        run_program("cd %s/one/labels && for i in ??.txt [4-9].txt; do : > $i; done", folder), 0);
    ck_assert_int_eq(run_program(EVAL_ONE("study"), folder), 1);
    ck_assert_ptr_nonnull(
        strstr(ran.err, "one: class thing: expected at least 4 photographs that show it, got 3\n"));
}
END_TEST

#ifdef PTS_HAVE_PLOT
START_TEST(train_draws_its_losses)
{
    write_sets();
    ck_assert_msg(run_program(TRAIN "--epochs 3 -o a.ptsw --plot l.svg", folder) == 0, "%s",
                  ran.err);
    ck_assert_int_eq(run_program("grep -c '</svg>' %s/l.svg", folder), 0);
    check_refused(2, "ptstrain train -o h --head study --data d --curves c --plot l.gif",
                  "ptstrain train: --plot: expected NAME.svg or NAME.png, got 'l.gif'\n");
}
END_TEST
#endif

START_TEST(train_refuses)
{
    check_refused(2, "ptstrain train -o h --head study --data d --curves c --optimizer best",
                  "ptstrain train: --optimizer: expected adam, adamw or sgd, got 'best'\n");
    check_refused(2, "ptstrain train -o h --head study --data d --curves c --resume",
                  "ptstrain train: --resume: expected --checkpoint FILE, got none\n");
    check_refused(2, "ptstrain train -o h --data d --curves c --log l.csv",
                  "ptstrain train: --log: expected --head study, got mlp\n");
}
END_TEST

/* ---- several processes ---- */

#ifdef PTS_HAVE_MPI
static char self[4096];

static pts_status gather_ranks(void *user, void *data, const size_t *begin, pts_error *err)
{
    return pts_ranks_gather(user, data, begin, err);
}

/* Runs of training, by number. */
enum { RUN_SGD, RUN_ADAM, RUN_ALL, RUN_RESUMED, RUN_PATIENCE };

static pts_study_options ranks_options(int run, const char *checkpoint)
{
    pts_study_options o = study_options();
    o.rule = run == RUN_SGD ? PTS_MLP_SGD : PTS_MLP_ADAM;
    o.rate = run == RUN_SGD ? 1e-5 : 1e-3;
    o.epochs = 2;
    o.batch = 7; /* the last batch has one row */
    if (run >= RUN_ALL) {
        o.rule = PTS_MLP_ADAMW;
        o.weight_decay = 0.01;
        o.dropout = 0.2;
        o.clip = 1;
        o.huber = 0.5;
        o.schedule = PTS_MLP_COSINE;
    }
    if (run == RUN_RESUMED) {
        o.epochs = 3;
        o.checkpoint = checkpoint;
    }
    if (run == RUN_PATIENCE) {
        o.rate = 0.05;
        o.patience = 1;
        o.epochs = 12;
    }
    return o;
}

/* Stopped in the second epoch, and gone on from the checkpoint of the first. */
static pts_status train_in_two_goes(pts_mlp **mlp, pts_study_report *report, pts_study_options *o,
                                    pts_error *err)
{
    size_t stop = 8; /* of six steps an epoch */
    pts_status status = train(mlp, report, o, stop_at, &stop, err);
    if (status != PTS_ERR_CANCELLED)
        return pts_fail(err, PTS_ERR_ARGUMENT, "expected to be stopped, got %d", (int)status);
    o->resume = true;
    return train(mlp, report, o, NULL, NULL, err);
}

/* What mpirun starts: trains with the others, the last rank writes the parameters. */
static int train_as_rank(const char *path, int run, const char *checkpoint)
{
    pts_ranks *ranks;
    pts_error err;
    pts_study_report report;
    pts_mlp *mlp = NULL;
    pts_status status = pts_ranks_start(&ranks, &err);
    const pts_peers peers = {pts_ranks_rank(ranks), pts_ranks_count(ranks), gather_ranks, ranks};
    pts_study_options o = ranks_options(run, checkpoint);
    o.peers = &peers;
    if (status == PTS_OK && run == RUN_RESUMED)
        status = train_in_two_goes(&mlp, &report, &o, &err);
    else if (status == PTS_OK)
        status = train(&mlp, &report, &o, NULL, NULL, &err);
    if (status != PTS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    if (peers.rank == peers.count - 1) {
        FILE *file = fopen(path, "wb");
        fwrite(&report, sizeof report, 1, file);
        fwrite(pts_mlp_parameters(mlp), sizeof(float), pts_mlp_parameter_count(mlp), file);
        fclose(file);
    }
    pts_mlp_destroy(mlp);
    pts_ranks_finish(ranks);
    return 0;
}

static void check_ranks(int run, int count)
{
    char path[128], checkpoint[128], *bytes;
    pts_study_report alone, together;
    pts_mlp *mlp;
    size_t size;
    snprintf(path, sizeof path, "%s/ranks.f32", folder);
    snprintf(checkpoint, sizeof checkpoint, "%s/training.ptsw", folder);
    pts_study_options o = ranks_options(run, NULL);
    ck_assert_int_eq(train(&mlp, &alone, &o, NULL, NULL, NULL), PTS_OK);
    ck_assert_msg(
        run_program(MPIRUN_OF "'%s' --rank %s %d %s", count, self, path, run, checkpoint) == 0,
        "%s", ran.err);
    ck_assert_int_eq(pts_read_file(path, (size_t)1 << 28, &bytes, &size, NULL), PTS_OK);
    size_t parameters = pts_mlp_parameter_count(mlp) * sizeof(float);
    ck_assert_uint_eq(size, sizeof together + parameters);
    memcpy(&together, bytes, sizeof together);
    alone.seconds = together.seconds = 0;
    ck_assert_int_eq(memcmp(&together, &alone, sizeof alone), 0);
    ck_assert_int_eq(memcmp(bytes + sizeof together, pts_mlp_parameters(mlp), parameters), 0);
    if (run == RUN_PATIENCE)
        ck_assert_uint_lt(alone.epochs, o.epochs);
    if (run == RUN_RESUMED)
        ck_assert_uint_eq(epoch_of(checkpoint), 3);
    free(bytes);
    pts_mlp_destroy(mlp);
}

/* Every bit: optimisers, dropout, clipping, taking up a checkpoint, early stopping. */
START_TEST(ranks_train_as_one)
{
    for (int count = 2; count <= 3; count++) {
        check_ranks(RUN_SGD, count);
        check_ranks(RUN_ADAM, count);
        check_ranks(RUN_ALL, count);
        check_ranks(RUN_RESUMED, count);
    }
    check_ranks(RUN_PATIENCE, 2);
}
END_TEST

START_TEST(train_under_mpirun)
{
    write_sets();
    ck_assert_msg(run_program(TRAIN "--epochs 2 --dropout 0.1 --clip 5 -o a.ptsw", folder) == 0,
                  "%s", ran.err);
    ck_assert_msg(run_program("cd %s && " MPIRUN
                              "ptstrain train --data one two three --curves curves.csv -w "
                              "encoder.ptsw --cache c --head study --batch 8 --combinations 10 "
                              "--threads 2 --epochs 2 --dropout 0.1 --clip 5 -o b.ptsw "
                              "--checkpoint t.ptsw --log l.csv && cmp a.ptsw b.ptsw",
                              folder) == 0,
                  "%s%s", ran.out, ran.err);
}
END_TEST
#endif

int main(int argc, char **argv)
{
#ifdef PTS_HAVE_MPI
    if (argc == 5 && strcmp(argv[1], "--rank") == 0)
        return train_as_rank(argv[2], atoi(argv[3]), argv[4]);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return EXIT_FAILURE;
    self[length] = '\0';
#else
    (void)argc, (void)argv;
#endif
    Suite *suite = suite_create("train");
    TCase *tcase = add_tcase(suite, "train", ""), *slow = add_tcase(suite, "slow", "slow");
    tcase_add_checked_fixture(tcase, setup, remove_folder);
    tcase_add_checked_fixture(slow, setup, remove_folder);
    tcase_add_test(tcase, embed_fills_the_cache_once);
    tcase_add_test(tcase, embed_refuses);
    tcase_add_test(tcase, combinations_are_fixed_and_different);
    tcase_add_test(slow, resumed_training_goes_on_bit_for_bit);
    tcase_add_test(slow, patience_ends_training);
    tcase_add_test(slow, lost_training_keeps_its_checkpoint);
    tcase_add_test(slow, full_disk_keeps_the_checkpoint);
    tcase_add_test(tcase, study_options_are_checked);
    tcase_add_test(slow, train_writes_head_log_and_checkpoint);
    tcase_add_test(slow, resume_begins_where_there_is_no_checkpoint);
    tcase_add_test(slow, join_is_checked_before_embedding);
    tcase_add_test(tcase, head_says_where_it_comes_from);
    tcase_add_test(slow, masks_are_embedded_as_pictures);
    tcase_add_test(slow, heads_with_masks);
    tcase_add_test(tcase, config_refuses);
    tcase_add_test(slow, eval_takes_a_config_and_echoes_it);
    tcase_add_test(slow, one_data_set_only);
    tcase_add_test(slow, curves_of_no_class);
    tcase_add_test(tcase, train_refuses);
#ifdef PTS_HAVE_PLOT
    tcase_add_test(slow, train_draws_its_losses);
#endif
#ifdef PTS_HAVE_MPI
    tcase_add_test(slow, ranks_train_as_one);
    tcase_add_test(slow, train_under_mpirun);
#endif
    return run_suite(suite);
}
