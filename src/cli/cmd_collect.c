/* ptstrain collect: measures learning curves of a data set with the built-in segmenter. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/defaults.h"

#include "pts/data.h"
#include "pts/segment.h"
#include "pts/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct collect_options {
    const char *data, *class_name, *store, *sizes, *trainer, *encoder;
    long side, seed, seeds, min_images, threads;
    bool resume;
} collect_options;

typedef struct collector {
    const cli_syntax *syntax;
    const collect_options *options;
    int only; /* the one class to measure, or -1 */
    char settings[128];
    pts_team *team;
    pts_encoder *encoder;
    pts_dataset *set;
    pts_features *features; /* NULL before the first measurement: a resumed run may need none */
    pts_store *store;
    pts_error err;
} collector;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static int show_progress(void *user, const char *stage, size_t done, size_t total)
{
    const collector *c = user;
    if (done % 50 == 0 || done == total)
        fprintf(stderr, "%s: %s %zu of %zu\n", pts_dataset_name(c->set), stage, done, total);
    return 0;
}

/* ---- labels of one class on some images ---- */

typedef struct labels {
    pts_labelled_image *images;
    pts_labelled_instance *instances;
    size_t count;
} labels;

static void labels_free(labels *l)
{
    free(l->images);
    free(l->instances);
    *l = (labels){0};
}

static pts_status labels_make(labels *l, const pts_dataset *set, int class_id, const size_t *images,
                              size_t count)
{
    *l = (labels){.count = count};
    size_t total = pts_dataset_class_instances(set, class_id), used = 0;
    l->images = calloc(count + 1, sizeof *l->images);
    l->instances = calloc(total + 1, sizeof *l->instances);
    if (!l->images || !l->instances) {
        labels_free(l);
        return PTS_ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        size_t instances;
        const pts_instance *instance = pts_dataset_instances(set, images[i], &instances);
        l->images[i] = (pts_labelled_image){images[i], l->instances + used, 0};
        for (size_t k = 0; k < instances; k++) {
            if (instance[k].class_id == class_id)
                l->instances[used++] =
                    (pts_labelled_instance){instance[k].xy, instance[k].ends, instance[k].parts,
                                            instance[k].mask, instance[k].crowd};
        }
        l->images[i].count = (size_t)(l->instances + used - l->images[i].instances);
    }
    return PTS_OK;
}

/* ---- measuring ---- */

typedef struct class_labels {
    labels train, test, validation;
} class_labels;

static void class_labels_free(class_labels *l)
{
    labels_free(&l->train);
    labels_free(&l->test);
    labels_free(&l->validation);
}

static pts_status class_labels_make(class_labels *l, const pts_dataset *set, int class_id,
                                    const pts_split *split)
{
    *l = (class_labels){0};
    pts_status status = labels_make(&l->train, set, class_id, split->train, split->n_train);
    if (status == PTS_OK)
        status = labels_make(&l->test, set, class_id, split->test, split->n_test);
    if (status == PTS_OK)
        status = labels_make(&l->validation, set, class_id, split->val, split->n_val);
    if (status != PTS_OK)
        class_labels_free(l);
    return status;
}

static pts_status make_features(collector *c)
{
    size_t count = pts_dataset_images(c->set);
    const char **paths = calloc(count + 1, sizeof *paths);
    if (!paths)
        return PTS_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        paths[i] = pts_dataset_image_path(c->set, i);
    pts_feature_settings settings;
    pts_feature_settings_default(&settings);
    settings.side = (size_t)c->options->side;
    pts_status status = pts_features_create(&c->features, c->encoder, paths, count, &settings,
                                            show_progress, c, &c->err);
    free(paths);
    return status;
}

static pts_status measure(collector *c, const class_labels *l, pts_store_row *row)
{
    pts_status status = c->features ? PTS_OK : make_features(c);
    if (status != PTS_OK)
        return status;
    const pts_segment_task task = {l->train.images, l->validation.images, row->key.n,
                                   l->validation.count};
    double start = seconds_now();
    pts_segmenter *model;
    pts_segment_options options = PTS_SEGMENT_DEFAULTS;
    pts_segment_score score;
    options.seed = row->key.seed;
    status = pts_segmenter_train(&model, c->features, &task, &options, c->team, &c->err);
    if (status == PTS_OK)
        status = pts_segmenter_evaluate(model, c->features, l->test.images, l->test.count, c->team,
                                        NULL, NULL, &score, &c->err);
    pts_segmenter_destroy(model);
    if (status != PTS_OK)
        return status;
    const pts_map map = score.map;
    row->map = map.map;
    row->map50 = map.map50;
    row->map75 = map.map75;
    row->seconds = seconds_now() - start;
    row->peak_bytes = peak_bytes();
    fprintf(stderr, "%s: %s: n %zu  mAP %.3f  mAP50 %.3f  mAP75 %.3f  (seed %llu, %.1f s)\n",
            row->key.dataset, row->key.class_name, row->key.n, map.map, map.map50, map.map75,
            (unsigned long long)row->key.seed, row->seconds);
    return pts_store_add(c->store, row, &c->err);
}

static pts_status measure_sizes(collector *c, const class_labels *l, int class_id, uint64_t seed)
{
    size_t *sizes, count;
    pts_status status =
        pts_schedule_parse(&sizes, &count, c->options->sizes, l->train.count, &c->err);
    for (size_t i = 0; status == PTS_OK && i < count; i++) {
        pts_store_row row = {.key = {.dataset = pts_dataset_name(c->set),
                                     .class_id = class_id,
                                     .class_name = pts_dataset_class_name(c->set, class_id),
                                     .n = sizes[i],
                                     .seed = seed,
                                     .trainer = "builtin",
                                     .settings = c->settings}};
        int has = 0;
        if (c->options->resume)
            status = pts_store_has(c->store, &row.key, &has, &c->err);
        if (status == PTS_OK && !has)
            status = measure(c, l, &row);
    }
    free(sizes);
    return status;
}

static pts_status collect_class(collector *c, int class_id)
{
    for (long k = 0; k < c->options->seeds; k++) {
        pts_split_options split_options = PTS_SPLIT_DEFAULTS;
        split_options.seed = (uint64_t)c->options->seed + (uint64_t)k;
        pts_split *split;
        class_labels l;
        pts_status status = pts_dataset_split(&split, c->set, class_id, &split_options, &c->err);
        if (status != PTS_OK)
            return status;
        status = class_labels_make(&l, c->set, class_id, split);
        pts_split_destroy(split);
        if (status == PTS_OK)
            status = measure_sizes(c, &l, class_id, split_options.seed);
        class_labels_free(&l);
        if (status != PTS_OK)
            return status;
    }
    return PTS_OK;
}

/* ---- which classes ---- */

static size_t images_of(const collector *c, int class_id)
{
    size_t images;
    pts_dataset_showing(c->set, class_id, &images);
    return images;
}

static bool wanted(const collector *c, int class_id)
{
    return c->only >= 0 ? class_id == c->only
                        : images_of(c, class_id) >= (size_t)c->options->min_images;
}

/* Images enough for the split, and for one of the sizes? */
static pts_status check_class(collector *c, int class_id)
{
    pts_split *split;
    pts_error why;
    size_t *sizes, count;
    pts_status status = pts_dataset_split(&split, c->set, class_id, NULL, &c->err);
    if (status != PTS_OK)
        return status;
    status = pts_schedule_parse(&sizes, &count, c->options->sizes, split->n_train, &why);
    if (status != PTS_OK)
        snprintf(c->err.message, sizeof c->err.message, "%.100s: %.60s: %.300s",
                 pts_dataset_name(c->set), pts_dataset_class_name(c->set, class_id), why.message);
    free(sizes);
    pts_split_destroy(split);
    return status;
}

/* Before the encoder runs over the data set for minutes. */
static pts_status check_classes(collector *c)
{
    size_t count = 0;
    for (int k = 0; k < pts_dataset_classes(c->set); k++) {
        if (wanted(c, k)) {
            pts_status status = check_class(c, k);
            if (status != PTS_OK)
                return status;
            count++;
        } else if (c->only < 0) {
            fprintf(stderr, "%s: %s: left out, %zu images of at least %ld\n",
                    pts_dataset_name(c->set), pts_dataset_class_name(c->set, k), images_of(c, k),
                    c->options->min_images);
        }
    }
    if (count)
        return PTS_OK;
    snprintf(c->err.message, sizeof c->err.message,
             "%s: expected a class that %ld images show (--min-images), got none", c->options->data,
             c->options->min_images);
    return PTS_ERR_SHAPE;
}

static pts_status collect_classes(collector *c)
{
    pts_status status = PTS_OK;
    for (int k = 0; status == PTS_OK && k < pts_dataset_classes(c->set); k++) {
        if (wanted(c, k))
            status = collect_class(c, k);
    }
    return status;
}

static pts_status collect(collector *c)
{
    const collect_options *o = c->options;
    pts_status status = pts_dataset_open(&c->set, o->data, &c->err);
    if (status == PTS_OK && strcmp(o->class_name, "all") != 0)
        status = pts_dataset_find_class(c->set, o->class_name, &c->only, &c->err);
    if (status == PTS_OK)
        status = check_classes(c);
    if (status == PTS_OK)
        status = pts_team_create(&c->team, (int)o->threads, &c->err);
    if (status == PTS_OK)
        status = pts_encoder_open(&c->encoder, o->encoder, c->team, &c->err);
    if (status == PTS_OK)
        status = pts_store_open(&c->store, o->store, PTS_STORE_WRITE, &c->err);
    if (status == PTS_OK)
        snprintf(c->settings, sizeof c->settings, "segmenter %d, side %ld, encoder %.12s",
                 PTS_SEGMENTER_VERSION, o->side, pts_encoder_id(c->encoder));
    return status == PTS_OK ? collect_classes(c) : status;
}

static int collect_all(const cli_syntax *syntax, const collect_options *options)
{
    collector c = {.syntax = syntax, .options = options, .only = -1};
    snprintf(c.err.message, sizeof c.err.message, "out of memory");
    pts_status status = collect(&c);
    pts_features_destroy(c.features);
    pts_encoder_close(c.encoder);
    pts_team_destroy(c.team);
    pts_store_close(c.store);
    pts_dataset_close(c.set);
    return status == PTS_OK ? CLI_DONE : cli_fail(syntax, "%s", c.err.message);
}

/* Of no class yet: only whether the text can be understood. */
static int check_sizes(const cli_syntax *syntax, const char *text)
{
    pts_error err;
    size_t *sizes, count;
    if (pts_schedule_parse(&sizes, &count, text, 1000000000, &err) != PTS_OK)
        return cli_wrong(syntax, "--%s", err.message);
    free(sizes);
    return -1;
}

static int check(const cli_syntax *syntax, const collect_options *o)
{
    if (!o->data || !o->store)
        return cli_wrong(syntax, "expected --data and --store (-h shows an example)");
    if (strcmp(o->trainer, "builtin") != 0)
        return cli_wrong(syntax, "--trainer: expected 'builtin', got '%s'", o->trainer);
    if (o->seeds < 1 || o->seeds > 1000)
        return cli_wrong(syntax, "--seeds: expected 1 … 1000, got %ld", o->seeds);
    if (o->side < 128 || o->side > 2048)
        return cli_wrong(syntax, "--side: expected 128 … 2048, got %ld", o->side);
    if (o->seed < 0)
        return cli_wrong(syntax, "--seed: expected 0 or more, got %ld", o->seed);
    if (o->min_images < 3)
        return cli_wrong(syntax, "--min-images: expected 3 or more, got %ld", o->min_images);
    return check_sizes(syntax, o->sizes);
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    collect_options *o = user;
    int code = cli_no_operands(syntax, operands);
    if (code < 0)
        code = check(syntax, o);
    if (code >= 0)
        return code;
    char path[4096];
    if (!o->encoder)
        o->encoder = cli_default_file("inception_v3.ptsw", path, sizeof path);
    return collect_all(syntax, o);
}

int cmd_collect(int argc, char **argv)
{
    collect_options o = {.class_name = "all",
                         .sizes = "study",
                         .trainer = "builtin",
                         .side = 480,
                         .seed = 43,
                         .seeds = 1,
                         .min_images = 60};
    const cli_option options[] = {
        {"--data", 0, CLI_TEXT, &o.data, "DIR", "data set in the YOLO layout"},
        {"--class", 0, CLI_TEXT, &o.class_name, "K|all", "class by name or number (all)"},
        {"--store", 0, CLI_TEXT, &o.store, "FILE", "experiment store, made where there is none"},
        {"--sizes", 0, CLI_TEXT, &o.sizes, "LIST", "study, geometric[:K] or 2,4,8,… (study)"},
        {"--seed", 0, CLI_INTEGER, &o.seed, "S", "of split and training (43)"},
        {"--seeds", 0, CLI_INTEGER, &o.seeds, "K", "repeats each size with K seeds (1)"},
        {"--min-images", 0, CLI_INTEGER, &o.min_images, "N", "with all: least images a class (60)"},
        {"--side", 0, CLI_INTEGER, &o.side, "PIXELS", "longer side of the encoder's input (480)"},
        {"--encoder", 'w', CLI_TEXT, &o.encoder, "FILE", "weights (the installed encoder)"},
        {"--trainer", 0, CLI_TEXT, &o.trainer, "builtin", "what is trained at each size"},
        {"--resume", 0, CLI_FLAG, &o.resume, NULL, "skip what the store has already"},
        CLI_THREADS_OPTION(&o.threads),
    };
    const cli_syntax syntax = {"ptstrain collect", "--data DIR --store FILE [OPTION …]",
                               "ptstrain collect --data coins --store runs.db --sizes geometric:8",
                               options, sizeof options / sizeof *options};
    return cli_run(&syntax, argc, argv, run, &o);
}
