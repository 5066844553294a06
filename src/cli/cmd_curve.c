/* ptsinfer curve: a curve given by its four parameters, forwards and backwards. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/target.h"

#include "pts/forecast.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct question {
    const char *params, *target, *at; /* as typed */
    bool json;
} question;

static int read_question(const cli_syntax *syntax, const question *q, pts_curve_reply *reply)
{
    const char *field;
    bool percent;
    pts_error err;
    if (!q->params)
        return cli_wrong(syntax, "expected --params A,B,C,D");
    if (!q->target == !q->at)
        return cli_wrong(syntax, "expected either --target or --at");
    if (pts_curve_reply_find(q->params, q->target, q->at, reply, &percent, &field, &err) != PTS_OK)
        return cli_wrong(syntax, "--%s: %s", field, err.message);
    if (percent)
        cli_tell_percent(syntax, "--target", q->target, reply->target);
    return -1;
}

static void print_text(const pts_curve_reply *r)
{
    if (r->has_at)
        printf("mAP %.6g with %g images\n", r->map, r->at);
    else if (r->status == PTS_SIZE_OK)
        printf("%.6g images reach mAP %g\n", r->n, r->target);
    else if (r->status == PTS_SIZE_ALREADY_MET)
        printf("already met: one image reaches mAP %g\n", r->target);
    else if (r->curve.A >= r->curve.D)
        printf("unreachable: mAP %g, while the curve falls from %g to %g\n", r->target, r->curve.A,
               r->curve.D);
    else
        printf("unreachable: mAP %g, while the curve's plateau is %g\n", r->target, r->curve.D);
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    const question *q = user;
    pts_curve_reply reply = {0};
    pts_error err;
    char *json = NULL;
    int code = cli_no_operands(syntax, operands);
    if (code < 0)
        code = read_question(syntax, q, &reply);
    if (code < 0 && q->json && pts_curve_reply_json(&reply, &json, &err) != PTS_OK)
        code = cli_fail(syntax, "--json: %s", err.message);
    if (code >= 0)
        return code;
    if (json)
        puts(json);
    else
        print_text(&reply);
    free(json);
    return reply.status == PTS_SIZE_UNREACHABLE ? CLI_UNREACHABLE : CLI_DONE;
}

int cmd_curve(int argc, char **argv)
{
    question q = {0};
    const cli_option options[] = {
        {"--params", 0, CLI_TEXT, &q.params, "A,B,C,D", "the curve (A−D)/(1+(n/C)^B)+D"},
        {"--target", 0, CLI_TEXT, &q.target, "Y", "how many images for this mAP"},
        {"--at", 0, CLI_TEXT, &q.at, "N", "which mAP with this many images"},
        {"--json", 0, CLI_FLAG, &q.json, NULL, "print JSON"},
    };
    return CLI_RUN(options, argc, argv, run, &q, "ptsinfer curve",
                   "--params A,B,C,D (--target Y | --at N) [--json]",
                   "ptsinfer curve --params 0.01,2.2,84.6,0.49 --target 0.4");
}
