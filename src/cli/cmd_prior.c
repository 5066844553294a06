/* ptstrain prior: a team's own past curves to the prior of its trainer. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/doubts.h"

#include "pts/curve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct options {
    const char *output, *trainer;
    bool json;
} options;

static void print_text(const options *o, const pts_prior_file *file)
{
    static const char *const names[4] = {"A", "ln B", "ln C", "D"};
    const pts_curve_prior *p = &file->prior;
    printf("%s: %zu curves of %zu data sets\n", file->trainer, file->curves, file->datasets);
    for (int k = 0; k < 4; k++)
        printf("%-5s %8.3f ± %.3f\n", names[k], p->mean[k], sqrt(p->covariance[k * 5]));
    printf("noise %8.4f, worth %.0f measurements\n", p->noise, p->noise_dof);
    printf("Written: %s\n", o->output);
}

#ifdef PTS_HAVE_JSON
static void print_json(const pts_prior_file *file)
{
    const pts_curve_prior *p = &file->prior;
    cli_print_json(json_pack("{so sI sI so so so so}", "trainer", pts_json_text(file->trainer),
                             "datasets", (json_int_t)file->datasets, "curves",
                             (json_int_t)file->curves, "mean", pts_json_reals(p->mean, 4),
                             "covariance", pts_json_reals(p->covariance, 16), "noise",
                             pts_json_real(p->noise), "noise_dof", pts_json_real(p->noise_dof)));
}
#else
static void print_json(const pts_prior_file *file)
{
    (void)file;
}
#endif

static int learn(const cli_syntax *syntax, const options *o, const char *path)
{
    pts_curve_set *set;
    pts_error err;
    pts_prior_file file;
    if (pts_curves_read(&set, path, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    cli_tell_unit(syntax, path, set);
    cli_tell_doubts(syntax, path, set, "map");
    pts_status status = pts_prior_learn(set, o->trainer ? o->trainer : path, &file, &err);
    pts_curves_destroy(set);
    if (status != PTS_OK)
        return cli_fail(syntax, "%s: %s", path, err.message);
    if (pts_prior_write(o->output, &file, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    if (o->json)
        print_json(&file);
    else
        print_text(o, &file);
    return CLI_DONE;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    const options *o = user;
    if (!o->output)
        return cli_wrong(syntax, "expected -o PRIOR.txt");
    if (operands->count != 1)
        return cli_wrong(syntax, "expected one file of curves, got %zu", operands->count);
#ifndef PTS_HAVE_JSON
    if (o->json)
        return cli_fail(syntax, "built without jansson: no --json");
#endif
    return learn(syntax, o, operands->items[0]);
}

int cmd_prior(int argc, char **argv)
{
    options o = {0};
    const cli_option table[] = {
        {"--output", 'o', CLI_TEXT, &o.output, "PRIOR.txt", "write the prior here"},
        {"--trainer", 0, CLI_TEXT, &o.trainer, "TEXT", "whose curves these are (the file's name)"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "print JSON"},
    };
    return CLI_RUN(
        table, argc, argv, run, &o, "ptstrain prior",
        "-o PRIOR.txt [--trainer TEXT] [--json] curves.csv",
        "ptstrain prior --trainer \"YOLOv8m-seg\" -o prior.txt tests/data/curves/ptssp_curves.csv");
}
