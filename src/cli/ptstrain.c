/* ptstrain: measures learning curves, fits them and trains the head. */
#include "cli/cli.h"
#include "cli/commands.h"

static const cli_command commands[] = {
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    return cli_dispatch("ptstrain", "measures learning curves, fits them, trains the head",
                        commands, sizeof commands / sizeof *commands - 1, argc, argv);
}
