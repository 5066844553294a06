/* A build without MPI: one process, which is rank 0 of 1. */
#include "base/error.h"
#include "pts/ranks.h"

pts_status pts_ranks_start(pts_ranks **out, pts_error *err)
{
    *out = NULL;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "built without MPI");
}

void pts_ranks_finish(pts_ranks *ranks)
{
    (void)ranks;
}

int pts_ranks_rank(const pts_ranks *ranks)
{
    (void)ranks;
    return 0;
}

int pts_ranks_count(const pts_ranks *ranks)
{
    (void)ranks;
    return 1;
}

pts_status pts_ranks_send(pts_ranks *ranks, int to, const void *data, size_t bytes, pts_error *err)
{
    (void)ranks, (void)to, (void)data, (void)bytes;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "built without MPI");
}

pts_status pts_ranks_receive(pts_ranks *ranks, double seconds, int *from, void **data,
                             size_t *bytes, pts_error *err)
{
    (void)ranks, (void)seconds, (void)from, (void)bytes;
    *data = NULL;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "built without MPI");
}

pts_status pts_ranks_gather(pts_ranks *ranks, void *data, const size_t *begin, pts_error *err)
{
    (void)ranks, (void)data, (void)begin;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "built without MPI");
}
