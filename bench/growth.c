/* ptsbench encoders --growth: what batch, threads and the number of images cost in time and
 * memory, as CSV. Each row is measured in a process of its own, since the peak of resident memory
 * that the system keeps never falls again.
 *
 *   batch   one call of pts_encoder_embed with `count` images that lie in memory: median
 *   images  one call of pts_encoder_embed_from, whose images are made when their turn comes
 *
 * Seconds are those of the call; opening and one image of warm-up come before it. Memory is the
 * whole process, with weights, and with the images (batch) and embeddings that the caller keeps. */
#include "encoder_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH_RUNS = 5 };

typedef struct row {
    bool batch; /* else images */
    int threads;
    size_t count;
} row;

typedef struct answer {
    pts_status status;
    double seconds;
    uint64_t peak_bytes;
    pts_error err;
} answer;

static pts_status time_batch(bench *b, bench_encoder *e, size_t count, double *seconds)
{
    double times[BATCH_RUNS];
    PTS_TRY(bench_encoder_fill(b, e, count));
    PTS_TRY(bench_embed(e, &b->err));
    for (int i = 0; i < BATCH_RUNS; i++) {
        double start = pts_clock();
        PTS_TRY(bench_embed(e, &b->err));
        times[i] = pts_clock() - start;
    }
    *seconds = bench_median(times, BATCH_RUNS);
    return PTS_OK;
}

static pts_status make_image(void *user, size_t index, float *image, pts_error *err)
{
    (void)err;
    bench_make_image(user, index, image);
    return PTS_OK;
}

static pts_status time_images(bench *b, bench_encoder *e, size_t count, double *seconds)
{
    float *out;
    PTS_TRY(pts_new(&out, count * e->dim, sizeof *out, &b->err));
    pts_status status = pts_encoder_embed_from(e->encoder, make_image, e, 1, out, &b->err);
    double start = pts_clock();
    if (status == PTS_OK)
        status = pts_encoder_embed_from(e->encoder, make_image, e, count, out, &b->err);
    *seconds = pts_clock() - start;
    free(out);
    return status;
}

static pts_status measure_row(bench *b, const row *r, answer *a)
{
    bench_encoder e = {0};
    struct rusage usage;
    pts_status status = pts_team_create(&b->team, r->threads, &b->err);
    if (status == PTS_OK)
        status = bench_encoder_open(b, &e);
    if (status == PTS_OK)
        status = (r->batch ? time_batch : time_images)(b, &e, r->count, &a->seconds);
    bench_encoder_close(&e);
    pts_team_destroy(b->team);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        a->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    return status;
}

/* The child's part; the answer goes through the pipe in one piece, shorter than PIPE_BUF. */
static void answer_row(bench *b, const row *r, int pipe_end)
{
    answer a = {0};
    a.status = measure_row(b, r, &a);
    a.err = b->err;
    _exit(write(pipe_end, &a, sizeof a) == (ssize_t)sizeof a ? CLI_DONE : CLI_FAILED);
}

static pts_status ask_row(bench *b, const row *r, answer *a)
{
    int ends[2];
    if (pipe(ends) != 0)
        return pts_fail(&b->err, PTS_ERR_IO, "--growth: no pipe");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        answer_row(b, r, ends[1]);
    close(ends[1]);
    ssize_t got = child > 0 ? read(ends[0], a, sizeof *a) : -1;
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    if (got != (ssize_t)sizeof *a)
        return pts_fail(&b->err, PTS_ERR_IO,
                        "--growth: the process of %zu images on %d threads died without a result",
                        r->count, r->threads);
    b->err = a->err;
    return a->status;
}

static pts_status print_row(bench *b, bool batch, int threads, size_t count)
{
    const row r = {batch, threads, count};
    answer a;
    PTS_TRY(ask_row(b, &r, &a));
    printf("%s,%d,%zu,%.6f,%.6f,%llu\n", batch ? "batch" : "images", threads, count, a.seconds,
           a.seconds / (double)count, (unsigned long long)a.peak_bytes);
    return PTS_OK;
}

static pts_status print_rows(bench *b, int threads)
{
    static const size_t batches[] = {1, 2, 4, 8, 16, 32, 64};
    static const size_t images[] = {1, 3, 10, 30, 100, 300, 1000};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        PTS_TRY(print_row(b, true, threads, batches[i]));
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        PTS_TRY(print_row(b, false, threads, images[i]));
    return PTS_OK;
}

pts_status bench_growth(bench *b)
{
    pts_team *all;
    PTS_TRY(pts_team_create(&all, (int)b->threads, &b->err));
    int most = pts_team_threads(all);
    pts_team_destroy(all);
    puts("what,threads,count,seconds,seconds_per_image,peak_bytes");
    for (int threads = 1; threads < most; threads *= 2)
        PTS_TRY(print_rows(b, threads));
    return print_rows(b, most);
}
