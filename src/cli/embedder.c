#include "cli/embedder_leader.h"

#include "base/memory.h"
#include "cli/cli.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Threads wait for each other at the end of a block: long enough for that not to count, short
 * enough for memory not to grow with the number of images. A block that travels is longer. */
enum { BLOCK_PER_THREAD = 16, BLOCK_SENT = 64 };

/* ---- one block ---- */

typedef struct photographs {
    const cli_embedder *embedder;
    const char *const *paths;
    size_t side;
    unsigned char *skipped; /* [paths] */
} photographs;

/* As pts_encoder_embed_files makes it, but a stop takes effect before the next image, not after
 * the block. */
static pts_status make_input(void *user, size_t index, float *input, pts_error *err)
{
    const photographs *p = user;
    if (atomic_load(p->embedder->stop))
        return pts_fail(err, PTS_ERR_CANCELLED, "interrupted");
    const pts_photograph photograph = {.name = p->paths[index]};
    pts_status status = pts_photograph_ready(&photograph, p->embedder->limits, p->embedder->preset,
                                             p->side, input, err);
    if (status == PTS_OK || status == PTS_ERR_MEMORY || !p->embedder->skip)
        return status;
    p->skipped[index] = 1;
    memset(input, 0, p->side * p->side * 3 * sizeof *input);
    return PTS_OK;
}

/* To unit length, so that a dot product is a cosine; a row of zeros stays. */
static void normalize(float *row, size_t dim)
{
    double squares = 0;
    for (size_t i = 0; i < dim; i++)
        squares += (double)row[i] * (double)row[i];
    for (size_t i = 0; i < dim && squares > 0; i++)
        row[i] = (float)((double)row[i] / sqrt(squares));
}

static void forget_row(float *row, size_t dim)
{
    for (size_t i = 0; i < dim; i++)
        row[i] = NAN;
}

void cli_embed_block(const cli_embedder *e, const char *const *paths, block *b, float *rows)
{
    const size_t dim = pts_encoder_dim(e->encoder);
    photographs p = {e, paths, pts_encoder_input_size(e->encoder), NULL};
    b->done = 0;
    b->status = pts_new(&p.skipped, b->count, 1, &b->error);
    if (b->status != PTS_OK)
        return;
    for (size_t i = 0; i < b->count; i++)
        rows[i * dim] = NAN; /* embeddings are numbers: what stays so was not made */
    b->status = pts_encoder_embed_from(e->encoder, make_input, &p, b->count, rows, &b->error);
    for (b->done = 0; b->done < b->count && !isnan(rows[b->done * dim]); b->done++) {
        if (e->normalize)
            normalize(rows + b->done * dim, dim);
    }
    for (size_t i = 0; i < b->done; i++) {
        if (p.skipped[i])
            forget_row(rows + i * dim, dim);
    }
    free(p.skipped);
}

/* ---- the leader's own thread ---- */

static hand_state hand_look(hand *h)
{
    pthread_mutex_lock(&h->lock);
    hand_state state = h->state;
    pthread_mutex_unlock(&h->lock);
    return state;
}

static void hand_set(hand *h, hand_state state)
{
    pthread_mutex_lock(&h->lock);
    h->state = state;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void *hand_work(void *user)
{
    hand *h = user;
    pthread_mutex_lock(&h->lock);
    while (h->state != HAND_HOME) {
        if (h->state == HAND_BUSY) {
            pthread_mutex_unlock(&h->lock);
            cli_embed_block(h->embedder, h->paths, &h->block, h->rows);
            pthread_mutex_lock(&h->lock);
            if (h->state == HAND_BUSY) /* else sent home meanwhile */
                h->state = HAND_READY;
        } else {
            pthread_cond_wait(&h->changed, &h->lock);
        }
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

static pts_status hand_start(hand *h, const cli_embedder *e, size_t room, pts_error *err)
{
    *h = (hand){.embedder = e};
    PTS_TRY(pts_new(&h->rows, room, pts_encoder_dim(e->encoder) * sizeof *h->rows, err));
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    int code = pthread_create(&h->thread, NULL, hand_work, h);
    if (!code)
        return PTS_OK;
    free(h->rows);
    return pts_fail(err, PTS_ERR_MEMORY, "a thread cannot be started: %s", strerror(code));
}

static void hand_end(hand *h)
{
    hand_set(h, HAND_HOME);
    pthread_join(h->thread, NULL);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->changed);
    free(h->rows);
}

/* ---- the leader ---- */

/* The next block of the list; of none when it is at its end, or an image has failed. */
block cli_next_block(leader *l)
{
    block b = {.first = l->next};
    if (l->failed.status != PTS_OK)
        return b;
    size_t left = l->paths->count - l->next;
    b.count = left < l->room ? left : l->room;
    l->next += b.count;
    l->away += b.count > 0;
    return b;
}

const char *const *cli_paths_of(const leader *l, const block *b)
{
    return (const char *const *)l->paths->items + b->first;
}

pts_status cli_settle_block(leader *l, const block *b, const float *rows, pts_error *err)
{
    l->away--;
    l->done += b->done;
    if (b->status != PTS_OK && (l->failed.status == PTS_OK || b->first < l->failed.first))
        l->failed = *b;
    return l->put(l->user, b->first, b->done, rows, err);
}

static pts_status look_at_hand(leader *l, pts_error *err)
{
    hand *h = &l->hand;
    hand_state state = hand_look(h);
    pts_status status = PTS_OK;
    if (state == HAND_BUSY)
        return PTS_OK;
    if (state == HAND_READY)
        status = cli_settle_block(l, &h->block, h->rows, err);
    h->block = cli_next_block(l);
    h->paths = cli_paths_of(l, &h->block);
    hand_set(h, h->block.count ? HAND_BUSY : HAND_IDLE);
    return status;
}

/* Whether every rank knows that it is to go home. */
static bool all_sent_home(const leader *l)
{
    for (int rank = 1; rank < pts_ranks_count(l->embedder->ranks); rank++) {
        if (!l->sent_home[rank])
            return false;
    }
    return true;
}

static bool is_over(const leader *l)
{
    return !l->away && (l->failed.status != PTS_OK || l->next == l->paths->count) &&
           all_sent_home(l);
}

static pts_status lead(leader *l, cli_rows_done done, pts_error *err)
{
    const struct timespec pause = {.tv_nsec = (long)(LOOK_SECONDS * 1e9)};
    pts_status status = PTS_OK;
    while (status == PTS_OK && !is_over(l)) {
        status = look_at_hand(l, err);
#ifdef PTS_HAVE_MPI
        if (status == PTS_OK && l->embedder->ranks)
            status = cli_look_at_ranks(l, err);
        else
#endif
            nanosleep(&pause, NULL);
        if (status == PTS_OK && done(l->user, l->done))
            status = pts_fail(err, PTS_ERR_CANCELLED, "interrupted");
    }
    if (status != PTS_OK || l->failed.status == PTS_OK)
        return status;
    *err = l->failed.error;
    return l->failed.status;
}

static size_t images_of_block(const cli_embedder *e, size_t images)
{
    size_t most = BLOCK_PER_THREAD * (size_t)e->threads;
    if (!e->ranks)
        return most;
    /* Short enough for each rank to have several, where the list is short. */
    size_t share = images / (4 * (size_t)pts_ranks_count(e->ranks)) + 1;
    most = most < BLOCK_SENT ? BLOCK_SENT : most;
    return most < share ? most : share;
}

pts_status cli_embed_lead(const cli_embedder *e, const cli_paths *paths, cli_rows put,
                          cli_rows_done done, void *user, pts_error *err)
{
    leader l = {.embedder = e, .paths = paths, .put = put, .user = user};
    l.room = images_of_block(e, paths->count);
    PTS_TRY(pts_new(&l.sent_home, (size_t)pts_ranks_count(e->ranks), sizeof *l.sent_home, err));
    pts_status status = hand_start(&l.hand, e, l.room, err);
    if (status == PTS_OK) {
        status = lead(&l, done, err);
        atomic_store(e->stop, true);
        hand_end(&l.hand);
    }
    free(l.sent_home);
    return status;
}
