/* ptstrain data: what a labelled data set holds, and what is wrong with it. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "pts/data.h"

#include <stdio.h>

typedef struct findings {
    const cli_syntax *syntax;
    size_t errors, warnings;
#ifdef PTS_HAVE_JSON
    json_t *error_list, *warning_list; /* NULL without --json */
#endif
} findings;

static void take_problem(void *user, int is_error, const char *message)
{
    findings *f = user;
    cli_fail(f->syntax, "%s: %s", is_error ? "error" : "warning", message);
    if (is_error)
        f->errors++;
    else
        f->warnings++;
#ifdef PTS_HAVE_JSON
    if (f->error_list)
        json_array_append_new(is_error ? f->error_list : f->warning_list, cli_json_text(message));
#endif
}

static size_t count_instances(const pts_dataset *set)
{
    size_t total = 0;
    for (int i = 0; i < pts_dataset_classes(set); i++)
        total += pts_dataset_class_instances(set, i);
    return total;
}

static size_t count_empty(const pts_dataset *set)
{
    size_t empty = 0, count;
    for (size_t i = 0; i < pts_dataset_images(set); i++) {
        pts_dataset_instances(set, i, &count);
        empty += count == 0;
    }
    return empty;
}

static void print_text(const pts_dataset *set, const findings *f)
{
    printf("%s: %zu images (%zu without objects), %zu instances, %d classes\n",
           pts_dataset_name(set), pts_dataset_images(set), count_empty(set), count_instances(set),
           pts_dataset_classes(set));
    printf("%6s %8s %10s  %s\n", "class", "images", "instances", "name");
    for (int i = 0; i < pts_dataset_classes(set); i++) {
        size_t images;
        pts_dataset_showing(set, i, &images);
        printf("%6d %8zu %10zu  %s\n", i, images, pts_dataset_class_instances(set, i),
               pts_dataset_class_name(set, i));
    }
    printf("problems: %zu errors, %zu warnings\n", f->errors, f->warnings);
}

#ifdef PTS_HAVE_JSON
static json_t *classes_json(const pts_dataset *set)
{
    json_t *list = json_array();
    for (int i = 0; i < pts_dataset_classes(set); i++) {
        size_t images;
        pts_dataset_showing(set, i, &images);
        json_array_append_new(list, json_pack("{s:i, s:s, s:I, s:I}", "class", i, "name",
                                              pts_dataset_class_name(set, i), "images",
                                              (json_int_t)images, "instances",
                                              (json_int_t)pts_dataset_class_instances(set, i)));
    }
    return list;
}

static void print_json(const pts_dataset *set, const findings *f)
{
    cli_print_json(json_pack(
        "{s:o, s:I, s:I, s:I, s:o, s:O, s:O}", "dataset", cli_json_text(pts_dataset_name(set)),
        "images", (json_int_t)pts_dataset_images(set), "images_without_objects",
        (json_int_t)count_empty(set), "instances", (json_int_t)count_instances(set), "classes",
        classes_json(set), "errors", f->error_list, "warnings", f->warning_list));
}
#endif

static int inspect(const cli_syntax *syntax, const char *dir, bool json, findings *f)
{
    pts_dataset *set;
    pts_error err;
    if (pts_dataset_inspect(&set, dir, take_problem, f, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
#ifdef PTS_HAVE_JSON
    if (json)
        print_json(set, f);
    else
#endif
        print_text(set, f);
    (void)json;
    pts_dataset_close(set);
    return f->errors ? CLI_FAILED : CLI_DONE;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    const bool json = *(const bool *)user;
    if (operands->count != 1)
        return cli_wrong(syntax, "expected one folder, got %zu", operands->count);
    findings f = {.syntax = syntax};
#ifdef PTS_HAVE_JSON
    if (json) {
        f.error_list = json_array();
        f.warning_list = json_array();
    }
    int code = inspect(syntax, operands->items[0], json, &f);
    json_decref(f.error_list);
    json_decref(f.warning_list);
    return code;
#else
    if (json)
        return cli_fail(syntax, "built without jansson");
    return inspect(syntax, operands->items[0], json, &f);
#endif
}

int cmd_data(int argc, char **argv)
{
    bool json = false;
    const cli_option options[] = {
        {"--json", 0, CLI_FLAG, &json, NULL, "print JSON"},
    };
    const cli_syntax syntax = {"ptstrain data", "DIR [--json]", "ptstrain data datasets/coins",
                               options, sizeof options / sizeof *options};
    return cli_run(&syntax, argc, argv, run, &json);
}
