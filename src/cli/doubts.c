#include "cli/doubts.h"

#include <stdio.h>
#include <string.h>

enum { TOLD = 20 };

const double *cli_metric(const pts_curve_points *c, const char *metric)
{
    return strcmp(metric, "map50") == 0   ? c->map50
           : strcmp(metric, "map75") == 0 ? c->map75
                                          : c->map;
}

void cli_tell_unit(const cli_syntax *syntax, const char *path, const pts_curve_set *set)
{
    if (set->percent)
        fprintf(stderr, "%s: %s: mAP taken for percent\n", syntax->command, path);
}

void cli_tell_doubts(const cli_syntax *syntax, const char *path, const pts_curve_set *set,
                     const char *metric)
{
    size_t odd = 0;
    for (size_t i = 0; i < set->count; i++) {
        const pts_curve_points *c = &set->curves[i];
        pts_doubts doubts = {.count = 0};
        pts_doubt_points(&doubts, c, cli_metric(c, metric), metric, set->percent);
        odd += doubts.count > 0;
        for (size_t k = 0; odd <= TOLD && k < doubts.count; k++)
            fprintf(stderr, "%s: %s: %s, class %s: %s\n", syntax->command, path, c->dataset,
                    c->class_name, doubts.text[k]);
    }
    if (odd > TOLD)
        fprintf(stderr, "%s: %s: %zu more curves have caveats\n", syntax->command, path,
                odd - TOLD);
}

#ifdef PTS_HAVE_JSON
void cli_json_add_doubts(json_t *to, const pts_doubts *doubts)
{
    if (doubts->count == 0)
        return;
    json_t *list = json_array();
    for (size_t k = 0; k < doubts->count; k++)
        json_array_append_new(list, pts_json_text(doubts->text[k]));
    json_object_set_new(to, "caveats", list);
}
#endif
