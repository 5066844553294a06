/* ptsinfer: from photographs to an answer. */
#include "cli/cli.h"
#include "cli/commands.h"

static const cli_command commands[] = {
    {"predict", "four photographs to a learning curve and a size", cmd_predict},
    {"embed", "photographs to embeddings, .npy or .csv", cmd_embed},
    {"curve", "a curve's size for an mAP, or its mAP at a size", cmd_curve},
    {"info", "what a .ptsw file holds, and whether it is whole", cmd_info},
#ifdef PTS_HAVE_WEB
    {"serve", "the page and its service, on a port", cmd_serve},
#endif
    {"--audit", "what is compiled in and linked", cmd_audit},
};

int main(int argc, char **argv)
{
    return cli_dispatch("ptsinfer", "how many labelled images a segmentation task needs", commands,
                        sizeof commands / sizeof *commands, argc, argv);
}
