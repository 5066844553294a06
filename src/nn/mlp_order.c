/* Parameters from the caller's order to that of the packed product, and back: see mlp.h. */
#include "nn/mlp.h"

#include <string.h>

enum { ALIGN = 16, ROWS = 64 };

/* Every array begins on a cache line. */
static size_t aligned(size_t floats)
{
    return (floats + ALIGN - 1) / ALIGN * ALIGN;
}

size_t pts_mlp_place(const pts_level *level, mlp_layer *layer, size_t at)
{
    size_t weight = layer->out;
    if (!layer->parameters)
        return at;
    if (layer->kind == PTS_MLP_LINEAR)
        (void)pts_product_packed_floats(level, layer->in, layer->out, &weight); /* at most 2^44 */
    layer->at = at;
    layer->bias_at = at + aligned(weight);
    return layer->bias_at + aligned(layer->out);
}

typedef struct move {
    const pts_mlp *mlp;
    const mlp_layer *layer;
    float *plain, *store;
    bool pack;
} move;

/* One walk for both ways, so that they cannot disagree about the order. */
static void copy(const move *m, float *plain, float *store, size_t count)
{
    if (m->pack)
        memcpy(store, plain, count * sizeof *store);
    else
        memcpy(plain, store, count * sizeof *plain);
}

/* Runs of a panel's width, the longest that lie together in both orders. */
static void move_rows(void *user, size_t task, int thread)
{
    const move *m = user;
    const mlp_layer *layer = m->layer;
    const pts_level *level = m->mlp->level;
    const size_t panel = level->panel ? level->panel : layer->out;
    (void)thread;
    for (size_t i = task * ROWS; i < layer->in && i < (task + 1) * ROWS; i++)
        for (size_t c = 0; c < layer->out; c += panel)
            copy(m, m->plain + (layer->weight - m->mlp->plain) + i * layer->out + c,
                 m->store + layer->at + pts_product_packed_at(level, layer->in, layer->out, i, c),
                 layer->out - c < panel ? layer->out - c : panel);
}

static void move_all(move m)
{
    for (size_t l = 0; l < m.mlp->layers; l++) {
        const mlp_layer *layer = m.layer = &m.mlp->layer[l];
        if (!layer->parameters)
            continue;
        if (layer->kind == PTS_MLP_LINEAR)
            pts_team_run(m.mlp->team, (layer->in + ROWS - 1) / ROWS, move_rows, &m);
        else
            copy(&m, m.plain + (layer->weight - m.mlp->plain), m.store + layer->at, layer->out);
        copy(&m, m.plain + (layer->bias - m.mlp->plain), m.store + layer->bias_at, layer->out);
    }
}

void pts_mlp_pack(const pts_mlp *mlp, const float *plain, float *store)
{
    move_all((move){.mlp = mlp, .plain = (float *)plain, .store = store, .pack = true});
}

void pts_mlp_unpack(const pts_mlp *mlp, const float *store, float *plain)
{
    move_all((move){.mlp = mlp, .plain = plain, .store = (float *)store});
}

void pts_mlp_to_store(pts_mlp *mlp)
{
    if (!mlp->in_store)
        pts_mlp_pack(mlp, mlp->plain, mlp->store);
    mlp->in_store = true;
}

void pts_mlp_to_plain(pts_mlp *mlp)
{
    if (mlp->in_store)
        pts_mlp_unpack(mlp, mlp->store, mlp->plain);
    mlp->in_store = false;
}
