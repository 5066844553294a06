#include "cli/embedder.h"

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
/* How long the leader waits for messages before it looks at its own thread and the user. */
#define LOOK_SECONDS 0.002

/* ---- one block ---- */

typedef struct block {
    size_t first, count, done; /* done: rows that are whole */
    pts_status status;
    pts_error error;
} block;

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

static void embed_block(const cli_embedder *e, const char *const *paths, block *b, float *rows)
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

/* ---- messages ----
 * To a worker: the head of a block, then its paths, each with its NUL; a block of none sends it
 * home. Back: the head, then the rows that are whole. A worker's first message is a head of no
 * images, then the encoder's identity. Fixed structs of one program on one kind of machine: their
 * bytes are sent as they are. */

static pts_status send_parts(pts_ranks *ranks, int to, const block *b, const void *data,
                             size_t bytes, pts_error *err)
{
    char *message;
    PTS_TRY(pts_new(&message, sizeof *b + bytes, 1, err));
    memcpy(message, b, sizeof *b);
    if (bytes)
        memcpy(message + sizeof *b, data, bytes);
    pts_status status = pts_ranks_send(ranks, to, message, sizeof *b + bytes, err);
    free(message);
    return status;
}

static pts_status send_block(pts_ranks *ranks, int to, const block *b, const char *const *paths,
                             pts_error *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < b->count; i++)
        bytes += strlen(paths[i]) + 1;
    char *text, *at;
    PTS_TRY(pts_new(&text, bytes + 1, 1, err));
    at = text;
    for (size_t i = 0; i < b->count; i++)
        at = stpcpy(at, paths[i]) + 1;
    pts_status status = send_parts(ranks, to, b, text, bytes, err);
    free(text);
    return status;
}

/* ---- a worker ---- */

/* The paths' places in the text; false where it does not hold `count`. */
static bool find_paths(const char *text, size_t bytes, const char **paths, size_t count)
{
    const char *end = text + bytes;
    for (size_t i = 0; i < count; i++) {
        const char *stop = memchr(text, '\0', (size_t)(end - text));
        if (!stop)
            return false;
        paths[i] = text;
        text = stop + 1;
    }
    return text == end;
}

static pts_status answer_block(const cli_embedder *e, block *b, const char *text, size_t bytes,
                               const char ***paths, float **rows, pts_error *err)
{
    const size_t dim = pts_encoder_dim(e->encoder);
    PTS_TRY(pts_new(paths, b->count, sizeof **paths, err));
    PTS_TRY(pts_new(rows, b->count, dim * sizeof **rows, err));
    if (!find_paths(text, bytes, *paths, b->count))
        return pts_fail(err, PTS_ERR_FORMAT, "rank 0: expected %zu paths, got others", b->count);
    embed_block(e, *paths, b, *rows);
    return send_parts(e->ranks, 0, b, *rows, b->done * dim * sizeof **rows, err);
}

static pts_status work_on(const cli_embedder *e, block *b, const char *text, size_t bytes,
                          pts_error *err)
{
    const char **paths = NULL;
    float *rows = NULL;
    pts_status status = answer_block(e, b, text, bytes, &paths, &rows, err);
    free(paths);
    free(rows);
    return status;
}

/* A block as it came; text is malloc'ed. */
typedef struct errand {
    block block;
    char *message; /* NULL: home */
    size_t bytes;
} errand;

static pts_status receive_errand(const cli_embedder *e, errand *to, pts_error *err)
{
    int from;
    void *data;
    *to = (errand){0};
    PTS_TRY(pts_ranks_receive(e->ranks, INFINITY, &from, &data, &to->bytes, err));
    to->message = data;
    if (to->bytes < sizeof to->block)
        return pts_fail(err, PTS_ERR_FORMAT, "rank %d: expected a block, got %zu bytes", from,
                        to->bytes);
    memcpy(&to->block, data, sizeof to->block);
    if (!to->block.count) {
        free(data);
        to->message = NULL;
    }
    return PTS_OK;
}

/* The next block is received before this one is begun, and after a result nothing is done before
 * the leader's answer is received: it never waits for us while we wait for it. */
static pts_status follow(const cli_embedder *e, errand *now, errand *next, pts_error *err)
{
    PTS_TRY(receive_errand(e, now, err));
    while (now->message) {
        PTS_TRY(receive_errand(e, next, err));
        PTS_TRY(
            work_on(e, &now->block, now->message + sizeof(block), now->bytes - sizeof(block), err));
        free(now->message);
        *now = *next;
        *next = (errand){0};
    }
    return PTS_OK;
}

pts_status cli_embed_follow(const cli_embedder *e, pts_error *err)
{
    const block nothing = {0};
    const char *id = pts_encoder_id(e->encoder);
    errand now = {0}, next = {0};
    pts_status status = send_parts(e->ranks, 0, &nothing, id, strlen(id), err);
    if (status == PTS_OK)
        status = follow(e, &now, &next, err);
    free(now.message);
    free(next.message);
    return status;
}

/* ---- the leader's own thread ---- */

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
            embed_block(h->embedder, h->paths, &h->block, h->rows);
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

/* The next block of the list; of none when it is at its end, or an image has failed. */
static block next_block(leader *l)
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

static const char *const *paths_of(const leader *l, const block *b)
{
    return (const char *const *)l->paths->items + b->first;
}

static pts_status settle(leader *l, const block *b, const float *rows, pts_error *err)
{
    l->away--;
    l->done += b->done;
    if (b->status != PTS_OK && (l->failed.status == PTS_OK || b->first < l->failed.first))
        l->failed = *b;
    return l->put(l->user, b->first, b->done, rows, err);
}

static pts_status hand_out(leader *l, int to, pts_error *err)
{
    if (l->sent_home[to])
        return PTS_OK;
    block b = next_block(l);
    l->sent_home[to] = b.count == 0;
    return send_block(l->embedder->ranks, to, &b, paths_of(l, &b), err);
}

/* A rank that has another encoder under the same name would spoil some of the rows. */
static pts_status greet(leader *l, int from, const char *id, size_t length, pts_error *err)
{
    const char *ours = pts_encoder_id(l->embedder->encoder);
    if (length != strlen(ours) || memcmp(id, ours, length) != 0)
        return pts_fail(err, PTS_ERR_FORMAT, "rank %d: expected the encoder %.12s, got %.*s", from,
                        ours, length < 12 ? (int)length : 12, id);
    PTS_TRY(hand_out(l, from, err)); /* one to work on */
    return hand_out(l, from, err);   /* and the next */
}

static pts_status take_message(leader *l, int from, const char *data, size_t bytes, pts_error *err)
{
    block b;
    const size_t row = pts_encoder_dim(l->embedder->encoder) * sizeof(float);
    if (bytes < sizeof b)
        return pts_fail(err, PTS_ERR_FORMAT, "rank %d: expected rows, got %zu bytes", from, bytes);
    memcpy(&b, data, sizeof b);
    data += sizeof b;
    bytes -= sizeof b;
    if (!b.count)
        return greet(l, from, data, bytes, err);
    if (b.done > b.count || b.count > l->paths->count || b.first > l->paths->count - b.count ||
        bytes != b.done * row)
        return pts_fail(err, PTS_ERR_FORMAT, "rank %d: expected rows, got %zu bytes", from, bytes);
    PTS_TRY(settle(l, &b, (const float *)(const void *)data, err));
    return hand_out(l, from, err);
}

static pts_status look_at_ranks(leader *l, pts_error *err)
{
    int from;
    void *data;
    size_t bytes;
    PTS_TRY(pts_ranks_receive(l->embedder->ranks, LOOK_SECONDS, &from, &data, &bytes, err));
    while (data) {
        pts_status status = take_message(l, from, data, bytes, err);
        free(data);
        PTS_TRY(status);
        PTS_TRY(pts_ranks_receive(l->embedder->ranks, 0, &from, &data, &bytes, err));
    }
    return PTS_OK;
}

static pts_status look_at_hand(leader *l, pts_error *err)
{
    hand *h = &l->hand;
    hand_state state = hand_look(h);
    pts_status status = PTS_OK;
    if (state == HAND_BUSY)
        return PTS_OK;
    if (state == HAND_READY)
        status = settle(l, &h->block, h->rows, err);
    h->block = next_block(l);
    h->paths = paths_of(l, &h->block);
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
        if (status == PTS_OK && l->embedder->ranks)
            status = look_at_ranks(l, err);
        else
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
