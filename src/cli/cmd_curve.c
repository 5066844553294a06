/* ptsinfer curve: a curve given by its four parameters, forwards and backwards. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/target.h"

#include "pts/curve.h"

#include <stdio.h>
#include <string.h>

typedef struct question {
    const char *params, *target_text, *at_text;
    bool json;
    pts_curve curve;
    double target, at;
} question;

/* "A,B,C,D" into the curve; returns −1 or the exit code. */
static int read_params(const cli_syntax *syntax, question *q)
{
    double *const values[] = {&q->curve.A, &q->curve.B, &q->curve.C, &q->curve.D};
    char copy[256];
    pts_error err;
    if (strlen(q->params) >= sizeof copy)
        return cli_wrong(syntax, "--params: expected four numbers, got a long text");
    strcpy(copy, q->params);
    char *at = copy;
    for (size_t i = 0; i < 4; i++) {
        char *comma = at ? strchr(at, ',') : NULL;
        if (comma)
            *comma = '\0';
        if (!at || !cli_number(at, values[i]) || (i == 3 && comma))
            return cli_wrong(syntax, "--params: expected four numbers A,B,C,D, got '%s'",
                             q->params);
        at = comma ? comma + 1 : NULL;
    }
    if (pts_curve_canonical(&q->curve, &err) != PTS_OK)
        return cli_wrong(syntax, "--params: %s", err.message);
    return -1;
}

static int read_question(const cli_syntax *syntax, question *q)
{
    if (!q->params)
        return cli_wrong(syntax, "expected --params A,B,C,D");
    if (!q->target_text == !q->at_text)
        return cli_wrong(syntax, "expected either --target or --at");
    int code = read_params(syntax, q);
    if (code < 0 && q->target_text)
        return cli_target(syntax, "--target", q->target_text, &q->target);
    if (code < 0 && (!cli_number(q->at_text, &q->at) || q->at < 0))
        return cli_wrong(syntax, "--at: expected a number of images, at least 0, got '%s'",
                         q->at_text);
    return code;
}

#ifdef PTS_HAVE_JSON
static void print_json(const question *q, pts_size_status status, double n, double map)
{
    json_t *out =
        json_pack("{so so so so}", "A", cli_json_real(q->curve.A), "B", cli_json_real(q->curve.B),
                  "C", cli_json_real(q->curve.C), "D", cli_json_real(q->curve.D));
    if (q->at_text) {
        json_object_set_new(out, "at", cli_json_real(q->at));
        json_object_set_new(out, "map", cli_json_real(map));
    } else {
        json_object_set_new(out, "target", cli_json_real(q->target));
        json_object_set_new(out, "n", cli_json_real(n));
        json_object_set_new(out, "status", json_string(pts_size_status_text(status)));
    }
    cli_print_json(out);
}
#else
static void print_json(const question *q, pts_size_status status, double n, double map)
{
    (void)q, (void)status, (void)n, (void)map;
}
#endif

static void print_text(const question *q, pts_size_status status, double n, double map)
{
    if (q->at_text)
        printf("mAP %.6g with %g images\n", map, q->at);
    else if (status == PTS_SIZE_OK)
        printf("%.6g images reach mAP %g\n", n, q->target);
    else if (status == PTS_SIZE_ALREADY_MET)
        printf("already met: one image reaches mAP %g\n", q->target);
    else if (q->curve.A >= q->curve.D)
        printf("unreachable: mAP %g, while the curve falls from %g to %g\n", q->target, q->curve.A,
               q->curve.D);
    else
        printf("unreachable: mAP %g, while the curve's plateau is %g\n", q->target, q->curve.D);
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    question *q = user;
    int code = cli_no_operands(syntax, operands);
    if (code < 0)
        code = read_question(syntax, q);
#ifndef PTS_HAVE_JSON
    if (code < 0 && q->json)
        code = cli_fail(syntax, "built without jansson: no --json");
#endif
    if (code >= 0)
        return code;
    double n = 0, map = q->at_text ? pts_curve_at(&q->curve, q->at) : 0;
    pts_size_status status = q->at_text ? PTS_SIZE_OK : pts_curve_size(&q->curve, q->target, &n);
    (q->json ? print_json : print_text)(q, status, n, map);
    return status == PTS_SIZE_UNREACHABLE ? CLI_UNREACHABLE : CLI_DONE;
}

int cmd_curve(int argc, char **argv)
{
    question q = {0};
    const cli_option options[] = {
        {"--params", 0, CLI_TEXT, &q.params, "A,B,C,D", "the curve (A−D)/(1+(n/C)^B)+D"},
        {"--target", 0, CLI_TEXT, &q.target_text, "Y", "how many images for this mAP"},
        {"--at", 0, CLI_TEXT, &q.at_text, "N", "which mAP with this many images"},
        {"--json", 0, CLI_FLAG, &q.json, NULL, "print JSON"},
    };
    const cli_syntax syntax = {"ptsinfer curve", "--params A,B,C,D (--target Y | --at N) [--json]",
                               "ptsinfer curve --params 0.01,2.2,84.6,0.49 --target 0.4", options,
                               sizeof options / sizeof *options};
    return cli_run(&syntax, argc, argv, run, &q);
}
