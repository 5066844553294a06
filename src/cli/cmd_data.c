/* ptstrain data: what a labelled data set holds, and what is wrong with it. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "pts/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct data_options {
    long threads;
    bool json, decode;
} data_options;

/* After so many of a kind they are only counted: a set without its images would fill the screen. */
enum { KINDS = 3, MAX_SHOWN = 100 };

typedef struct findings {
    const cli_syntax *syntax;
    size_t count[KINDS];
#ifdef PTS_HAVE_JSON
    json_t *errors, *warnings; /* NULL without --json */
#endif
} findings;

static void take_finding(void *user, pts_finding kind, const char *message)
{
    findings *f = user;
    if (f->count[kind]++ < MAX_SHOWN)
        cli_fail(f->syntax, "%s: %s", kind == PTS_FINDING_NOTE ? "warning" : "error", message);
#ifdef PTS_HAVE_JSON
    if (f->errors)
        json_array_append_new(kind == PTS_FINDING_NOTE ? f->warnings : f->errors,
                              pts_json_text(message));
#endif
}

static void count_hidden(const findings *f)
{
    static const char *const names[KINDS] = {"warnings", "labels left out", "images left out"};
    for (int k = 0; k < KINDS; k++) {
        if (f->count[k] > MAX_SHOWN)
            cli_fail(f->syntax, "and %zu more %s", f->count[k] - MAX_SHOWN, names[k]);
    }
}

static size_t errors_of(const findings *f)
{
    return f->count[PTS_FINDING_LABEL] + f->count[PTS_FINDING_IMAGE];
}

/* ---- sums ---- */

typedef struct image_size {
    size_t width, height;
} image_size;

typedef struct summary {
    size_t images, empty, instances, crowds;
    image_size sizes[3]; /* least, median and most pixels */
} summary;

static int by_pixels(const void *a, const void *b)
{
    const image_size *x = a, *y = b;
    size_t p = x->width * x->height, q = y->width * y->height;
    return p != q ? (p > q) - (p < q) : (x->width > y->width) - (x->width < y->width);
}

static pts_status summarise(summary *s, const pts_dataset *set, pts_error *err)
{
    image_size *sizes;
    *s = (summary){.images = pts_dataset_images(set)};
    PTS_TRY(pts_new(&sizes, s->images, sizeof *sizes, err));
    for (size_t i = 0; i < s->images; i++) {
        size_t count;
        pts_dataset_instances(set, i, &count);
        s->empty += count == 0;
        pts_dataset_image_size(set, i, &sizes[i].width, &sizes[i].height);
    }
    qsort(sizes, s->images, sizeof *sizes, by_pixels);
    s->sizes[0] = sizes[0];
    s->sizes[1] = sizes[(s->images - 1) / 2];
    s->sizes[2] = sizes[s->images - 1];
    free(sizes);
    for (int i = 0; i < pts_dataset_classes(set); i++) {
        s->instances += pts_dataset_class_instances(set, i);
        s->crowds += pts_dataset_class_crowds(set, i);
    }
    return PTS_OK;
}

/* Calls with each split's name and images, in the order of their first image. A set has a few. */
static void each_split(const pts_dataset *set, void (*take)(void *user, const char *, size_t),
                       void *user)
{
    enum { MAX_SPLITS = 64 };
    const char *names[MAX_SPLITS];
    size_t images[MAX_SPLITS], count = 0;
    for (size_t i = 0; i < pts_dataset_images(set); i++) {
        const char *split = pts_dataset_image_split(set, i);
        size_t k = 0;
        while (k < count && strcmp(names[k], split) != 0)
            k++;
        if (k == MAX_SPLITS)
            continue;
        if (k == count) {
            names[count] = split;
            images[count++] = 0;
        }
        images[k]++;
    }
    for (size_t k = 0; k < count; k++)
        take(user, names[k], images[k]);
}

/* ---- text ---- */

static void print_split(void *user, const char *name, size_t images)
{
    (void)user;
    printf(" %s %zu", *name ? name : "none", images);
}

static void print_text(const pts_dataset *set, const summary *s, const findings *f)
{
    printf("%s: %zu images (%zu without objects), %zu instances, %d classes\n",
           pts_dataset_name(set), s->images, s->empty, s->instances, pts_dataset_classes(set));
    printf("format: %s\nsplits:", pts_dataset_format(set));
    each_split(set, print_split, NULL);
    printf("\nsizes: %zu×%zu least, %zu×%zu median, %zu×%zu most\n", s->sizes[0].width,
           s->sizes[0].height, s->sizes[1].width, s->sizes[1].height, s->sizes[2].width,
           s->sizes[2].height);
    printf("instances an image: %.2f", (double)s->instances / (double)s->images);
    if (s->crowds)
        printf(" (%zu of them crowds)", s->crowds);
    printf("\n%6s %8s %10s  %s\n", "class", "images", "instances", "name");
    for (int i = 0; i < pts_dataset_classes(set); i++) {
        size_t images;
        pts_dataset_showing(set, i, &images);
        printf("%6d %8zu %10zu  %s\n", i, images, pts_dataset_class_instances(set, i),
               pts_dataset_class_name(set, i));
    }
    printf("problems: %zu errors (%zu images and %zu labels left out), %zu warnings\n",
           errors_of(f), pts_dataset_skipped_images(set), pts_dataset_skipped_labels(set),
           f->count[PTS_FINDING_NOTE]);
}

/* ---- JSON ---- */

#ifdef PTS_HAVE_JSON
static json_t *count_json(size_t count)
{
    return json_integer((json_int_t)count);
}

static json_t *classes_json(const pts_dataset *set)
{
    json_t *list = json_array();
    for (int i = 0; i < pts_dataset_classes(set); i++) {
        size_t images;
        pts_dataset_showing(set, i, &images);
        json_array_append_new(list,
                              json_pack("{s:i, s:o, s:o, s:o, s:o}", "class", i, "name",
                                        pts_json_text(pts_dataset_class_name(set, i)), "images",
                                        count_json(images), "instances",
                                        count_json(pts_dataset_class_instances(set, i)), "crowds",
                                        count_json(pts_dataset_class_crowds(set, i))));
    }
    return list;
}

static void add_split(void *user, const char *name, size_t images)
{
    json_array_append_new(
        user, json_pack("{s:o, s:o}", "split", pts_json_text(name), "images", count_json(images)));
}

static json_t *splits_json(const pts_dataset *set)
{
    json_t *list = json_array();
    each_split(set, add_split, list);
    return list;
}

static json_t *size_json(image_size size)
{
    return json_pack("[o, o]", count_json(size.width), count_json(size.height));
}

static void print_json(const pts_dataset *set, const summary *s, const findings *f)
{
    json_t *sizes = json_pack("{s:o, s:o, s:o}", "least", size_json(s->sizes[0]), "median",
                              size_json(s->sizes[1]), "most", size_json(s->sizes[2]));
    cli_print_json(json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O, s:O}", "dataset",
        pts_json_text(pts_dataset_name(set)), "format", pts_json_text(pts_dataset_format(set)),
        "images", count_json(s->images), "images_without_objects", count_json(s->empty),
        "instances", count_json(s->instances), "crowds", count_json(s->crowds), "splits",
        splits_json(set), "sizes", sizes, "classes", classes_json(set), "images_left_out",
        count_json(pts_dataset_skipped_images(set)), "labels_left_out",
        count_json(pts_dataset_skipped_labels(set)), "errors", f->errors, "warnings", f->warnings));
}
#endif

static int print(const pts_dataset *set, bool json, const findings *f)
{
    summary s;
    pts_error err;
    if (summarise(&s, set, &err) != PTS_OK)
        return cli_fail(f->syntax, "%s", err.message);
#ifdef PTS_HAVE_JSON
    if (json)
        print_json(set, &s, f);
    else
#endif
        print_text(set, &s, f);
    (void)json;
    return errors_of(f) ? CLI_FAILED : CLI_DONE;
}

static int inspect(const char *dir, const data_options *o, findings *f)
{
    pts_dataset *set = NULL;
    pts_dataset_options options = {
        .look = o->decode ? PTS_LOOK_PIXELS : PTS_LOOK_HEADERS, .report = take_finding, .user = f};
    pts_error err;
    pts_status status = pts_team_create(&options.team, (int)o->threads, &err);
    if (status == PTS_OK)
        status = pts_dataset_read(&set, dir, &options, &err);
    pts_team_destroy(options.team);
    count_hidden(f);
    int code = status == PTS_OK ? print(set, o->json, f) : cli_fail(f->syntax, "%s", err.message);
    pts_dataset_close(set);
    return code;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    const data_options *o = user;
    if (operands->count != 1)
        return cli_wrong(syntax, "expected one folder, got %zu", operands->count);
    findings f = {.syntax = syntax};
#ifdef PTS_HAVE_JSON
    if (o->json) {
        f.errors = json_array();
        f.warnings = json_array();
    }
    int code = inspect(operands->items[0], o, &f);
    json_decref(f.errors);
    json_decref(f.warnings);
    return code;
#else
    if (o->json)
        return cli_fail(syntax, "built without jansson");
    return inspect(operands->items[0], o, &f);
#endif
}

int cmd_data(int argc, char **argv)
{
    data_options o = {0};
    const cli_option options[] = {
        {"--decode", 0, CLI_FLAG, &o.decode, NULL, "decode the images, not only their headers"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "print JSON"},
        CLI_THREADS_OPTION(&o.threads),
    };
    return CLI_RUN(options, argc, argv, run, &o, "ptstrain data",
                   "DIR|FILE.json [--decode] [--json] [--threads N]",
                   "ptstrain data datasets/coins");
}
