/* ptstrain map: average precision of a COCO results file. */
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include "pts/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct map_options {
    const char *truth, *results, *iou, *ap;
    long threads;
    bool json, times;
} map_options;

typedef struct figure {
    const char *key, *label;
    double value;
} figure;

enum { COCO_FIGURES = 12, ULTRALYTICS_FIGURES = 3 };

/* Seconds of the clock and of all processors. */
typedef struct lap {
    double clock, cpu;
} lap;

typedef struct report {
    const map_options *options;
    pts_team *team;
    pts_coco *coco;
    lap load, evaluate;
    pts_ap *categories; /* [pts_coco_category_count] */
    figure figures[COCO_FIGURES];
    size_t count;
} report;

static lap now(void)
{
    return (lap){pts_clock(), pts_clock_process()};
}

static lap since(lap start)
{
    lap end = now();
    return (lap){end.clock - start.clock, end.cpu - start.cpu};
}

/* pycocotools' words. */
#define AVERAGE_PRECISION(iou, area, dets)                                                         \
    "Average Precision  (AP) @[ IoU=" iou " | area=" area " | maxDets=" dets " ]"
#define AVERAGE_RECALL(area, dets)                                                                 \
    "Average Recall     (AR) @[ IoU=0.50:0.95 | area=" area " | maxDets=" dets " ]"

static pts_status measure_coco(report *r, pts_error *err)
{
    pts_coco_figures f;
    PTS_TRY(pts_coco_evaluate(r->coco, NULL, r->team, &f, r->categories, err));
    const figure figures[COCO_FIGURES] = {
        {"AP", AVERAGE_PRECISION("0.50:0.95", "   all", "100"), f.ap},
        {"AP50", AVERAGE_PRECISION("0.50     ", "   all", "100"), f.ap50},
        {"AP75", AVERAGE_PRECISION("0.75     ", "   all", "100"), f.ap75},
        {"AP_small", AVERAGE_PRECISION("0.50:0.95", " small", "100"), f.ap_small},
        {"AP_medium", AVERAGE_PRECISION("0.50:0.95", "medium", "100"), f.ap_medium},
        {"AP_large", AVERAGE_PRECISION("0.50:0.95", " large", "100"), f.ap_large},
        {"AR1", AVERAGE_RECALL("   all", "  1"), f.ar1},
        {"AR10", AVERAGE_RECALL("   all", " 10"), f.ar10},
        {"AR100", AVERAGE_RECALL("   all", "100"), f.ar100},
        {"AR_small", AVERAGE_RECALL(" small", "100"), f.ar_small},
        {"AR_medium", AVERAGE_RECALL("medium", "100"), f.ar_medium},
        {"AR_large", AVERAGE_RECALL(" large", "100"), f.ar_large},
    };
    memcpy(r->figures, figures, sizeof figures);
    r->count = COCO_FIGURES;
    return PTS_OK;
}

static pts_status measure_ultralytics(report *r, pts_error *err)
{
    pts_ap ap;
    pts_ap_kind kind =
        strcmp(r->options->ap, "ultralytics") == 0 ? PTS_AP_ULTRALYTICS : PTS_AP_ULTRALYTICS_2026;
    PTS_TRY(pts_coco_evaluate_ultralytics(r->coco, kind, &ap, r->categories, err));
    const figure figures[ULTRALYTICS_FIGURES] = {
        {"AP", "Ultralytics' mAP50-95 @[ IoU=0.50:0.95 | maxDets=300 ]", ap.map},
        {"AP50", "Ultralytics' mAP50    @[ IoU=0.50      | maxDets=300 ]", ap.map50},
        {"AP75", "Ultralytics' mAP75    @[ IoU=0.75      | maxDets=300 ]", ap.map75},
    };
    memcpy(r->figures, figures, sizeof figures);
    r->count = ULTRALYTICS_FIGURES;
    return PTS_OK;
}

static int print_table(const report *r)
{
    bool undefined = false;
    for (size_t i = 0; i < r->count; i++) {
        printf(" %s = %0.3f\n", r->figures[i].label, r->figures[i].value);
        undefined |= r->figures[i].value < 0;
    }
    if (undefined)
        printf(" (-1: no ground truth of that size, so nothing to measure)\n");
    if (r->options->times)
        printf(" read in %.3f s, evaluated in %.3f s (%.3f s and %.3f s of the processors)\n",
               r->load.clock, r->evaluate.clock, r->load.cpu, r->evaluate.cpu);
    return CLI_DONE;
}

static json_t *category_list(const report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < pts_coco_category_count(r->coco); i++) {
        const pts_ap *ap = &r->categories[i];
        json_t *one = json_object();
        json_object_set_new(one, "id", json_integer(pts_coco_category_id(r->coco, i)));
        json_object_set_new(one, "name", pts_json_text(pts_coco_category_name(r->coco, i)));
        json_object_set_new(one, "AP", pts_json_real(ap->map));
        json_object_set_new(one, "AP50", pts_json_real(ap->map50));
        json_object_set_new(one, "AP75", pts_json_real(ap->map75));
        json_array_append_new(list, one);
    }
    return list;
}

static int print_json(const report *r)
{
    json_t *root = json_object();
    for (size_t i = 0; i < r->count; i++)
        json_object_set_new(root, r->figures[i].key, pts_json_real(r->figures[i].value));
    json_object_set_new(root, "iou", json_string(r->options->iou));
    json_object_set_new(root, "definition", json_string(r->options->ap));
    json_object_set_new(root, "categories", category_list(r));
    if (r->options->times)
        json_object_set_new(root, "seconds",
                            json_pack("{sf sf sf sf}", "load", r->load.clock, "load_cpu",
                                      r->load.cpu, "evaluate", r->evaluate.clock, "evaluate_cpu",
                                      r->evaluate.cpu));
    cli_print_json(root);
    return CLI_DONE;
}

static pts_status measure(report *r, pts_error *err)
{
    lap start = now();
    PTS_TRY(pts_new(&r->categories, pts_coco_category_count(r->coco), sizeof *r->categories, err));
    PTS_TRY((strcmp(r->options->ap, "coco") == 0 ? measure_coco : measure_ultralytics)(r, err));
    r->evaluate = since(start);
    return PTS_OK;
}

static pts_status load(report *r, pts_error *err)
{
    const map_options *o = r->options;
    pts_iou_kind iou = strcmp(o->iou, "segm") == 0 ? PTS_IOU_MASK : PTS_IOU_BOX;
    PTS_TRY(pts_team_create(&r->team, (int)o->threads, err));
    lap start = now();
    PTS_TRY(pts_coco_load(&r->coco, o->truth, o->results, iou, r->team, err));
    r->load = since(start);
    return measure(r, err);
}

static int evaluate(const cli_syntax *syntax, const map_options *o)
{
    pts_error err;
    report r = {.options = o};
    int code = load(&r, &err) != PTS_OK ? cli_fail(syntax, "%s", err.message)
               : o->json                ? print_json(&r)
                                        : print_table(&r);
    pts_coco_destroy(r.coco);
    pts_team_destroy(r.team);
    free(r.categories);
    return code;
}

static int check(const cli_syntax *syntax, const map_options *o, const cli_list *operands)
{
    int code = cli_no_operands(syntax, operands);
    if (code >= 0)
        return code;
    if (!o->truth || !o->results)
        return cli_wrong(syntax, "%s: expected a file, got nothing",
                         o->truth ? "--results" : "--gt");
    if (strcmp(o->iou, "segm") != 0 && strcmp(o->iou, "bbox") != 0)
        return cli_wrong(syntax, "--iou: expected segm or bbox, got '%s'", o->iou);
    if (strcmp(o->ap, "coco") != 0 && strcmp(o->ap, "ultralytics") != 0 &&
        strcmp(o->ap, "ultralytics-2026") != 0)
        return cli_wrong(syntax, "--ap: expected coco, ultralytics or ultralytics-2026, got '%s'",
                         o->ap);
    return -1;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    int code = check(syntax, user, operands);
    return code < 0 ? evaluate(syntax, user) : code;
}

int cmd_map(int argc, char **argv)
{
    map_options o = {.iou = "segm", .ap = "coco"};
    const cli_option options[] = {
        {"--gt", 0, CLI_TEXT, &o.truth, "GT.json", "COCO ground truth"},
        {"--results", 0, CLI_TEXT, &o.results, "R.json", "COCO results"},
        {"--iou", 0, CLI_TEXT, &o.iou, "segm|bbox", "what overlaps: masks (default) or boxes"},
        {"--ap", 0, CLI_TEXT, &o.ap, "NAME",
         "coco (default); ultralytics, of YOLOv8; ultralytics-2026, from 8.4.177 on"},
        {"--json", 0, CLI_FLAG, &o.json, NULL, "17 digits, and each category"},
        {"--times", 0, CLI_FLAG, &o.times, NULL, "the seconds it took, too"},
        CLI_THREADS_OPTION(&o.threads),
    };
    return CLI_RUN(options, argc, argv, run, &o, "ptstrain map",
                   "--gt GT.json --results R.json [OPTION …]",
                   "ptstrain map --gt instances_val2014_100.json --results "
                   "fakesegm100_results.json --json");
}
