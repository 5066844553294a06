/* Blocks of photographs handed to other ranks, and their rows back. */
#include "cli/embedder_leader.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    cli_embed_block(e, *paths, b, *rows);
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

/* ---- the leader ---- */

static pts_status hand_out(leader *l, int to, pts_error *err)
{
    if (l->sent_home[to])
        return PTS_OK;
    block b = cli_next_block(l);
    l->sent_home[to] = b.count == 0;
    return send_block(l->embedder->ranks, to, &b, cli_paths_of(l, &b), err);
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
    PTS_TRY(cli_settle_block(l, &b, (const float *)(const void *)data, err));
    return hand_out(l, from, err);
}

pts_status cli_look_at_ranks(leader *l, pts_error *err)
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
