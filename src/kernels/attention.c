#include "kernels/attention.h"

#include "base/memory.h"

#include <stdbool.h>
#include <math.h>
#include <string.h>

/* Queries at a time: their scores (below 600 tokens) stay in the second-level cache. */
enum { QUERY_ROWS = 112 };

/* A thread's workspace: keys transposed and packed, values packed, scores of some queries. */
typedef struct attention_plan {
    size_t keys, values, score_stride, queries;
} attention_plan;

static bool make_plan(const pts_attention *a, attention_plan *plan)
{
    size_t wide;
    plan->queries = a->queries < QUERY_ROWS ? a->queries : QUERY_ROWS;
    if (!pts_product_packed_floats(a->level, a->width, a->tokens, &plan->keys) ||
        !pts_product_packed_floats(a->level, a->tokens, a->width, &plan->values) ||
        !pts_add(plan->keys > plan->values ? plan->keys : plan->values, a->tokens, &wide) ||
        wide > SIZE_MAX / 1024)
        return 0;
    plan->keys = pts_row_stride(plan->keys);
    plan->values = pts_row_stride(plan->values);
    plan->score_stride = pts_row_stride(a->tokens);
    return 1;
}

bool pts_attention_workspace(const pts_attention *a, size_t *floats)
{
    attention_plan plan;
    if (!make_plan(a, &plan))
        return 0;
    *floats = plan.keys + plan.values + QUERY_ROWS * plan.score_stride;
    return 1;
}

/* key [count][stride] as columns of one panel, `width` wide: out [depth][width]. Four elements are
 * stored at once where there are four. */
static void transpose_panel(const float *key, size_t stride, size_t count, size_t depth,
                            size_t width, float *out)
{
    for (size_t k = 0; k < depth; k++, key++, out += width) {
        size_t j = 0;
        for (const float *from = key; j + 4 <= count; j += 4, from += 4 * stride) {
            const float four[4] = {from[0], from[stride], from[2 * stride], from[3 * stride]};
            memcpy(out + j, four, sizeof four);
        }
        for (; j < width; j++)
            out[j] = j < count ? key[j * stride] : 0;
    }
}

/* kᵀ [width][tokens], packed as pts_product_pack has it. */
static void pack_keys(const pts_attention *a, const float *key, float *packed)
{
    const size_t lanes = a->level->lanes, panel = a->level->panel ? a->level->panel : a->tokens;
    const size_t block = a->level->panel ? pts_product_block(a->width, a->level->block) : a->width;
    for (size_t k = 0; k < a->width; k += block) {
        size_t depth = a->width - k < block ? a->width - k : block;
        for (size_t j = 0; j < a->tokens; j += panel) {
            size_t count = a->tokens - j < panel ? a->tokens - j : panel;
            size_t width = a->level->panel ? (count + lanes - 1) / lanes * lanes : count;
            transpose_panel(key + j * a->qkv_stride + k, a->qkv_stride, count, depth, width,
                            packed);
            packed += depth * width;
        }
    }
}

typedef struct attention_head {
    const float *query, *keys, *values; /* keys and values packed */
    float *scores, *out;
} attention_head;

static void attend(const pts_attention *a, const attention_plan *plan, const attention_head *h,
                   size_t rows)
{
    const float scale = 1 / sqrtf((float)a->width);
    const size_t lanes = a->level->panel ? a->level->lanes : 1;
    pts_product score = {.rows = rows, .a = h->query, .b = h->keys, .c = h->scores};
    score.depth = a->width;
    score.columns = score.end = (a->tokens + lanes - 1) / lanes * lanes; /* padded with zeros */
    score.a_stride = a->qkv_stride;
    score.c_stride = plan->score_stride;
    a->level->product(&score);
    a->level->softmax(h->scores, rows, plan->score_stride, a->tokens, scale);
    pts_product mix = {.rows = rows, .a = h->scores, .b = h->values, .c = h->out};
    mix.columns = mix.end = a->width;
    mix.depth = a->tokens;
    mix.a_stride = plan->score_stride;
    mix.c_stride = a->out_stride;
    a->level->product(&mix);
}

typedef struct attention_job {
    const pts_attention *attention;
    attention_plan plan;
    size_t work_floats;
} attention_job;

static void attend_head(void *user, size_t task, int thread)
{
    const attention_job *job = user;
    const pts_attention *a = job->attention;
    const size_t image = task / a->heads, column = task % a->heads * a->width;
    const float *qkv = a->qkv + image * a->tokens * a->qkv_stride + column;
    const float *value = qkv + 2 * a->heads * a->width;
    float *keys = a->work + (size_t)thread * job->work_floats, *values = keys + job->plan.keys;
    attention_head h = {.query = qkv, .keys = keys, .values = values};
    h.scores = values + job->plan.values;
    h.out = a->out + image * a->tokens * a->out_stride + column;
    pack_keys(a, qkv + a->heads * a->width, keys);
    pts_product_pack(a->level, value, a->qkv_stride, a->tokens, a->width, values);
    for (size_t first = 0; first < a->queries; first += job->plan.queries) {
        size_t left = a->queries - first;
        attend(a, &job->plan, &h, left < job->plan.queries ? left : job->plan.queries);
        h.query += job->plan.queries * a->qkv_stride;
        h.out += job->plan.queries * a->out_stride;
    }
}

void pts_attention_run(const pts_attention *a, pts_team *team)
{
    attention_job job = {.attention = a};
    if (make_plan(a, &job.plan) && pts_attention_workspace(a, &job.work_floats))
        pts_team_run(team, a->images * a->heads, attend_head, &job);
}
