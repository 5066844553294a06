/* ptstrain: measures learning curves, fits them and trains the head. */
#include "cli/cli.h"
#include "cli/commands.h"

static const cli_command commands[] = {
#if defined PTS_HAVE_YAML && defined PTS_HAVE_STORE
    {"collect", "measure learning curves of a data set", cmd_collect},
#endif
#ifdef PTS_HAVE_YAML
    {"data", "what a labelled data set holds, and what is wrong with it", cmd_data},
    {"embed", "embed data sets once, for train and eval", cmd_train_embed},
    {"eval", "how well heads predict, beside the baselines", cmd_eval},
#endif
#ifdef PTS_HAVE_STORE
    {"export", "the store's curves as csv or JSON", cmd_export},
#endif
    {"extrapolate", "how well each method forecasts curves from small sizes", cmd_extrapolate},
    {"fit", "the four parameters of measured curves", cmd_fit},
#ifdef PTS_HAVE_STORE
    {"import", "measured curves of a file into the store", cmd_import},
#endif
#ifdef PTS_HAVE_JSON
    {"map", "average precision of a COCO results file", cmd_map},
#endif
    {"prior", "a team's past curves to the prior of its trainer", cmd_prior},
#ifdef PTS_HAVE_STORE
    {"runs", "who filled the store, and what became of the jobs", cmd_runs},
#endif
#ifdef PTS_HAVE_YAML
    {"train", "train a head on measured curves", cmd_train},
#endif
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    return cli_dispatch("ptstrain", "measures learning curves, fits them, trains the head",
                        commands, sizeof commands / sizeof *commands - 1, argc, argv);
}
