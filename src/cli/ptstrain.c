/* ptstrain: measures learning curves, fits them and trains the head. */
#include "base/order.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include <stdlib.h>

static cli_command commands[] = {
#ifdef PTS_HAVE_STORE
    {"export", "the store's curves as csv or JSON", cmd_export},
    {"import", "measured curves of a file into the store", cmd_import},
    {"runs", "who filled the store, and what became of the jobs", cmd_runs},
#endif
#if defined PTS_HAVE_YAML && defined PTS_HAVE_STORE
    {"collect", "measure learning curves of a data set", cmd_collect},
#endif
#ifdef PTS_HAVE_JSON
    {"map", "average precision of a COCO results file", cmd_map},
#endif
#ifdef PTS_HAVE_YAML
    {"data", "what a labelled data set holds, and what is wrong with it", cmd_data},
    {"embed", "embed data sets once, for train and eval", cmd_train_embed},
    {"eval", "how well heads predict, beside the baselines", cmd_eval},
    {"train", "train a head on measured curves", cmd_train},
#endif
    {"extrapolate", "how well each method forecasts curves from small sizes", cmd_extrapolate},
    {"fit", "the four parameters of measured curves", cmd_fit},
    {"prior", "a team's past curves to the prior of its trainer", cmd_prior},
};

int main(int argc, char **argv)
{
    const size_t count = sizeof commands / sizeof *commands;
    qsort(commands, count, sizeof *commands, pts_compare_texts); /* by name, for -h */
    return cli_dispatch("ptstrain", "measures learning curves, fits them, trains the head",
                        commands, count, argc, argv);
}
