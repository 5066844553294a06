/* A result travels as a head, its message, its points: fixed structs of one program on one kind of
 * machine, so their bytes are sent as they are. */
#include "collect/farm.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct head {
    uint64_t job, status, count;
    pts_error error;
} head;

static const char *const kinds[] = {"", "green", "blue"};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct wire_point {
    pts_store_point point; /* its `kind` pointer means nothing to another process */
    uint64_t kind;
} wire_point;

static uint64_t kind_number(const char *kind)
{
    uint64_t k = 0;
    while (k + 1 < KINDS && strcmp(kinds[k], kind) != 0)
        k++;
    return k;
}

/* ---- master ---- */

static pts_status unpack(const char *data, size_t bytes, farm_result *result, pts_error *err)
{
    head h;
    if (bytes < sizeof h)
        return pts_fail(err, PTS_ERR_FORMAT, "rank %d: expected a result, got %zu bytes",
                        result->from, bytes);
    memcpy(&h, data, sizeof h);
    if (h.count != (bytes - sizeof h) / sizeof(wire_point) ||
        bytes != sizeof h + h.count * sizeof(wire_point))
        return pts_fail(err, PTS_ERR_FORMAT, "rank %d: expected a result, got %zu bytes",
                        result->from, bytes);
    result->job = (size_t)h.job;
    result->status = (pts_status)h.status;
    result->error = h.error;
    result->count = (size_t)h.count;
    PTS_TRY(pts_new(&result->points, result->count, sizeof *result->points, err));
    for (size_t i = 0; i < result->count; i++) {
        wire_point wire;
        memcpy(&wire, data + sizeof h + i * sizeof wire, sizeof wire);
        result->points[i] = wire.point;
        result->points[i].kind = kinds[wire.kind % KINDS];
    }
    return PTS_OK;
}

pts_status pts_farm_receive(pts_ranks *ranks, double seconds, farm_result *result, bool *there,
                            pts_error *err)
{
    void *data;
    size_t bytes;
    *result = (farm_result){0};
    PTS_TRY(pts_ranks_receive(ranks, seconds, &result->from, &data, &bytes, err));
    *there = data != NULL;
    if (!data)
        return PTS_OK;
    pts_status status = unpack(data, bytes, result, err);
    free(data);
    return status;
}

pts_status pts_farm_hand_out(pts_ranks *ranks, int to, size_t job, pts_error *err)
{
    const uint64_t number = job;
    return pts_ranks_send(ranks, to, &number, sizeof number, err);
}

/* ---- workers ---- */

static pts_status send_result(pts_ranks *ranks, const farm_result *result, pts_error *err)
{
    size_t bytes = sizeof(head) + result->count * sizeof(wire_point);
    char *data;
    PTS_TRY(pts_new(&data, bytes, 1, err));
    const head h = {result->job, (uint64_t)result->status, result->count, result->error};
    memcpy(data, &h, sizeof h);
    for (size_t i = 0; i < result->count; i++) {
        const wire_point wire = {result->points[i], kind_number(result->points[i].kind)};
        memcpy(data + sizeof h + i * sizeof wire, &wire, sizeof wire);
    }
    pts_status status = pts_ranks_send(ranks, 0, data, bytes, err);
    free(data);
    return status;
}

static pts_status ask(pts_ranks *ranks, const farm_result *last, size_t *job, pts_error *err)
{
    int from;
    void *data;
    size_t bytes;
    uint64_t number;
    PTS_TRY(send_result(ranks, last, err));
    PTS_TRY(pts_ranks_receive(ranks, INFINITY, &from, &data, &bytes, err));
    if (bytes != sizeof number) {
        free(data);
        return pts_fail(err, PTS_ERR_FORMAT, "rank %d: expected a job, got %zu bytes", from, bytes);
    }
    memcpy(&number, data, sizeof number);
    free(data);
    *job = (size_t)number;
    return PTS_OK;
}

pts_status pts_farm_work(pts_ranks *ranks, worker *w, pts_error *err)
{
    farm_result last = {.job = FARM_NO_JOB};
    for (;;) {
        size_t job;
        pts_status status = ask(ranks, &last, &job, err);
        free(last.points);
        PTS_TRY(status);
        if (job >= w->worklist->job_count)
            return PTS_OK;
        last = (farm_result){.job = job};
        last.status =
            pts_worker_measure(w, &w->worklist->jobs[job], &last.points, &last.count, &last.error);
        if (last.status == PTS_ERR_CANCELLED)
            return pts_fail(err, last.status, "%s", last.error.message);
    }
}
