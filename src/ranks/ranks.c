#include "pts/ranks.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>
#include <time.h>

/* Between two looks for a message. */
#define LOOK_SECONDS 0.0005

struct pts_ranks {
    int rank, count;
    int *sizes, *places; /* [count]: of a gather, as MPI wants them */
};

static pts_status check(int code, const char *what, pts_error *err)
{
    if (code == MPI_SUCCESS)
        return PTS_OK;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    return pts_fail(err, PTS_ERR_IO, "MPI: %s: %.300s", what, text);
}

static pts_status start(pts_ranks *ranks, pts_error *err)
{
    int level;
    PTS_TRY(check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level), "start", err));
    PTS_TRY(check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "start", err));
    PTS_TRY(check(MPI_Comm_rank(MPI_COMM_WORLD, &ranks->rank), "start", err));
    PTS_TRY(check(MPI_Comm_size(MPI_COMM_WORLD, &ranks->count), "start", err));
    PTS_TRY(pts_new(&ranks->sizes, (size_t)ranks->count, 2 * sizeof *ranks->sizes, err));
    ranks->places = ranks->sizes + ranks->count;
    return PTS_OK;
}

pts_status pts_ranks_start(pts_ranks **out, pts_error *err)
{
    PTS_TRY(pts_new(out, 1, sizeof **out, err));
    pts_status status = start(*out, err);
    if (status != PTS_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

void pts_ranks_finish(pts_ranks *ranks)
{
    if (!ranks)
        return;
    MPI_Finalize();
    free(ranks->sizes);
    free(ranks);
}

int pts_ranks_rank(const pts_ranks *ranks)
{
    return ranks ? ranks->rank : 0;
}

int pts_ranks_count(const pts_ranks *ranks)
{
    return ranks ? ranks->count : 1;
}

pts_status pts_ranks_send(pts_ranks *ranks, int to, const void *data, size_t bytes, pts_error *err)
{
    if (to < 0 || to >= ranks->count || bytes > INT_MAX)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "rank: expected below %d and a message of at most %d bytes, got %d and %zu",
                        ranks->count, INT_MAX, to, bytes);
    return check(MPI_Send(data, (int)bytes, MPI_BYTE, to, 0, MPI_COMM_WORLD), "send", err);
}

static pts_status take_message(MPI_Message *message, MPI_Status *status, int *from, void **data,
                               size_t *bytes, pts_error *err)
{
    int size;
    PTS_TRY(check(MPI_Get_count(status, MPI_BYTE, &size), "receive", err));
    *data = malloc(size > 0 ? (size_t)size : 1);
    if (!*data)
        return pts_fail_memory(err, (size_t)size);
    *from = status->MPI_SOURCE;
    *bytes = (size_t)size;
    pts_status received =
        check(MPI_Mrecv(*data, size, MPI_BYTE, message, MPI_STATUS_IGNORE), "receive", err);
    if (received != PTS_OK) {
        free(*data);
        *data = NULL;
    }
    return received;
}

pts_status pts_ranks_receive(pts_ranks *ranks, double seconds, int *from, void **data,
                             size_t *bytes, pts_error *err)
{
    (void)ranks;
    double end = pts_clock() + seconds;
    *data = NULL;
    for (;;) {
        int there;
        MPI_Message message;
        MPI_Status status;
        PTS_TRY(check(MPI_Improbe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &there, &message, &status),
                      "receive", err));
        if (there)
            return take_message(&message, &status, from, data, bytes, err);
        if (pts_clock() >= end)
            return PTS_OK;
        nanosleep(&(struct timespec){.tv_nsec = (long)(LOOK_SECONDS * 1e9)}, NULL);
    }
}

pts_status pts_ranks_gather(pts_ranks *ranks, void *data, const size_t *begin, pts_error *err)
{
    const int count = ranks->count;
    if (begin[count] > INT_MAX)
        return pts_fail(err, PTS_ERR_LIMIT, "gather: expected at most %d bytes, got %zu", INT_MAX,
                        begin[count]);
    for (int r = 0; r < count; r++) {
        ranks->places[r] = (int)begin[r];
        ranks->sizes[r] = (int)(begin[r + 1] - begin[r]);
    }
    return check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, ranks->sizes,
                                ranks->places, MPI_BYTE, MPI_COMM_WORLD),
                 "gather", err);
}
