/* The study's figures of what a store holds. */
#ifndef PTS_CLI_EXPORT_PLOTS_H
#define PTS_CLI_EXPORT_PLOTS_H

#include "cli/cli.h"
#include "pts/store.h"

/* Two figures a data set and class into the folder, which is made where it is not there:
 * DATASET-CLASS.svg, mAP, mAP50 and mAP75 against training images, a line through the means of the
 * seeds (of incremental learning, kept and retrained steps apart), and DATASET-CLASS-memory.svg,
 * peak memory against training images. Classes of one size only have no line and are passed over.
 * Returns the exit code. */
int export_plots(const cli_syntax *syntax, pts_store *store, const pts_store_filter *filter,
                 const char *folder);

#endif
