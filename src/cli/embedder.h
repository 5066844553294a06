/* Embeds a list of photographs with all that are there to work: a thread of this process and, under
 * mpirun, the other ranks.
 *
 * Rank 0 holds the list and hands out blocks of it as they are wanted, so that a slow machine or a
 * block of large pictures holds nobody up; a rank has the next block at hand while it works on one.
 * Rows come back to rank 0, the only one that writes. While it waits, a thread of its own embeds,
 * too: were that done between two looks for messages, finished ranks would wait for a block each
 * time. A list of paths is all that grows with the number of images, and only on rank 0. */
#ifndef PTS_CLI_EMBEDDER_H
#define PTS_CLI_EMBEDDER_H

#include "cli/images.h"
#include "pts/ranks.h"

#include <stdatomic.h>

typedef struct cli_embedder {
    pts_encoder *encoder;
    int threads; /* of its team */
    const char *preset;
    const pts_image_limits *limits;
    bool normalize;    /* rows to unit length */
    bool skip;         /* an image that cannot be read has a row of NaN, and stops nothing */
    pts_ranks *ranks;  /* NULL: this process alone */
    atomic_bool *stop; /* set here when nobody is to begin another image */
} cli_embedder;

/* Rows of images first … first + count − 1; without ranks they come in order. */
typedef pts_status (*cli_rows)(void *user, size_t first, size_t count,
                               const float *rows /* [count][dim] */, pts_error *err);
/* Now `done` images of all are embedded; other than 0 stops. */
typedef int (*cli_rows_done)(void *user, size_t done);

/* Rank 0. Unless it is to skip them, stops at an image that cannot be read: the first in order is
 * named; without ranks the rows before it have been put. PTS_ERR_CANCELLED where `done` said so. */
pts_status cli_embed_lead(const cli_embedder *embedder, const cli_paths *paths, cli_rows put,
                          cli_rows_done done, void *user, pts_error *err);

/* Any other rank: works until it is sent home. (builds with mpi) */
pts_status cli_embed_follow(const cli_embedder *embedder, pts_error *err);

#endif
