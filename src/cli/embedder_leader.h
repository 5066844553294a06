/* What rank 0 knows of the list in hand: alone in embedder.c, with other ranks in
 * embedder_ranks.c. */
#ifndef PTS_CLI_EMBEDDER_LEADER_H
#define PTS_CLI_EMBEDDER_LEADER_H

#include "cli/embedder.h"

#include <pthread.h>

/* How long the leader waits for messages before it looks at its own thread and the user. */
#define LOOK_SECONDS 0.002

typedef struct block {
    size_t first, count, done; /* done: rows that are whole */
    pts_status status;
    pts_error error;
} block;

typedef enum hand_state { HAND_IDLE, HAND_BUSY, HAND_READY, HAND_HOME } hand_state;

typedef struct hand {
    const cli_embedder *embedder;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows; block, paths and rows are the thread's while busy */
    pthread_cond_t changed;
    hand_state state;
    block block;
    const char *const *paths;
    float *rows;
} hand;

typedef struct leader {
    const cli_embedder *embedder;
    const cli_paths *paths;
    size_t room, next, done, away; /* away: blocks that are being worked on */
    hand hand;
    bool *sent_home; /* [ranks] */
    block failed;    /* the first in order of those that failed; status PTS_OK: none */
    cli_rows put;
    void *user;
} leader;

/* Embeds the block's images into rows [count][dim]. */
void cli_embed_block(const cli_embedder *embedder, const char *const *paths, block *b, float *rows);

/* The next block of the list; of none when it is at its end, or an image has failed. */
block cli_next_block(leader *l);
const char *const *cli_paths_of(const leader *l, const block *b);
/* Its rows go where they belong. */
pts_status cli_settle_block(leader *l, const block *b, const float *rows, pts_error *err);

/* All messages that have come: results in, the next blocks out. (builds with mpi) */
pts_status cli_look_at_ranks(leader *l, pts_error *err);

#endif
