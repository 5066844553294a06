/* pts/ranks.h: processes of one program that were started together, on one machine or many
 * (builds with MPI: PTS_HAVE_MPI).
 *
 *   pts_ranks *ranks;
 *   PTS_TRY(pts_ranks_start(&ranks, &err));          // mpirun -n 4 PROGRAM
 *   if (pts_ranks_rank(ranks) == 0) …
 *   pts_ranks_finish(ranks);
 *
 * Messages are bytes; between two ranks they arrive in the order in which they were sent. All calls
 * come from one thread. Waiting sleeps between looks: MPI's own waiting keeps a core busy, which
 * the work of other ranks on the machine would miss.
 *
 * When a rank dies, mpirun ends the others: what must survive is to be on disk by then. */
#ifndef PTS_RANKS_H
#define PTS_RANKS_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pts_ranks pts_ranks;

/* Once a process, early in it (MPI_Init). PTS_ERR_UNSUPPORTED in a build without MPI. */
pts_status pts_ranks_start(pts_ranks **out, pts_error *err);
/* Waits for the other ranks to come here, too. NULL: nothing. */
void pts_ranks_finish(pts_ranks *ranks);

int pts_ranks_rank(const pts_ranks *ranks);  /* 0 … count − 1; NULL: 0 */
int pts_ranks_count(const pts_ranks *ranks); /* NULL: 1 */

pts_status pts_ranks_send(pts_ranks *ranks, int to, const void *data, size_t bytes, pts_error *err);

/* The next message of any rank: *data is malloc'ed, the caller's. Waits up to `seconds` (0: only
 * looks; INFINITY: for ever); none by then: PTS_OK with *data NULL. */
pts_status pts_ranks_receive(pts_ranks *ranks, double seconds, int *from, void **data,
                             size_t *bytes, pts_error *err);

/* Bytes [begin[r], begin[r + 1]) of data are rank r's, and on every rank they come to be: begin
 * [count + 1] from 0 on, rising, below 2 GiB, the same on all ranks, which all call it. Nobody
 * leaves before everybody has come. */
pts_status pts_ranks_gather(pts_ranks *ranks, void *data, const size_t *begin, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
