/* The forward pass: see clip_vit.h for the architecture and its sources.
 *
 * All tokens of all images of a group are the rows of one matrix, so that the weights, which are
 * larger than any cache, are read once a group. After the last layer only the class tokens are
 * looked at: there, everything behind the attention's keys and values is computed for them alone.
 */
#include "encoders/clip_vit.h"
#include "base/error.h"
#include "encoders/steps.h"
#include "kernels/attention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYER_NORM_EPSILON 1e-5f

typedef struct clip_pass {
    clip_vit *model;
    pts_team *team;
    size_t images; /* what the arena is planned for */
    size_t stride; /* of tokens */
    size_t wide_floats, work_floats;
    pts_arena arena;
    float *tokens; /* [images][T][stride]: what the layers add to */
    float *branch; /* [images][T][stride]: normalised tokens, then what attention gathered */
    float *wide;   /* patches, then q, k, v, then the hidden map, of a stride each */
    float *work;   /* of attention */
} clip_pass;

/* One run of a pass. */
typedef struct forward {
    clip_pass *pass;
    const clip_vit *model;
    pts_arch_run *run;
    double start;     /* of the step */
    const char *stem; /* "layer3." or "" */
} forward;

/* Rows of a matrix, `stride` floats apart. */
typedef struct rows {
    float *data;
    size_t count, stride;
} rows;

/* ---- steps ---- */

static void begin_step(forward *f)
{
    f->start = steps_now(f->run->visit_step);
}

static void end_step(const forward *f, const char *name, const char *method, double flops)
{
    char text[64];
    if (!f->run->visit_step)
        return;
    snprintf(text, sizeof text, "%s%s", f->stem, name);
    steps_show(f->run->visit_step, f->run->user, text, method, flops, f->start);
}

/* All tokens, or the class token of each image. */
static rows tokens_of(const forward *f, float *data, bool class_only)
{
    const size_t images = f->run->count, tokens = f->model->tokens, stride = f->pass->stride;
    if (class_only)
        return (rows){data, images, tokens * stride};
    return (rows){data, images * tokens, stride};
}

enum { NORM_ROWS = 8 };

typedef struct norm_job {
    const pts_level *level;
    const clip_vit_norm *norm;
    rows in, out;
    size_t width;
} norm_job;

static void norm_task(void *user, size_t task, int thread)
{
    const norm_job *job = user;
    const size_t first = task * NORM_ROWS, left = job->in.count - first;
    (void)thread;
    for (size_t r = first; r < first + (left < NORM_ROWS ? left : NORM_ROWS); r++)
        job->level->layer_norm(job->in.data + r * job->in.stride, job->width, job->norm->weight,
                               job->norm->bias, LAYER_NORM_EPSILON,
                               job->out.data + r * job->out.stride);
}

static void normalise(forward *f, const char *name, const clip_vit_norm *norm, rows in, rows out)
{
    norm_job job = {f->model->level, norm, in, out, f->model->width};
    begin_step(f);
    pts_team_run(f->pass->team, (in.count + NORM_ROWS - 1) / NORM_ROWS, norm_task, &job);
    end_step(f, name, "layer norm", 0);
}

/* out = in·weight + bias, of all columns; callers change what they want otherwise. */
static pts_product linear_product(const clip_vit_linear *linear, rows in, rows out)
{
    return (pts_product){.rows = in.count,
                         .columns = linear->columns,
                         .depth = linear->depth,
                         .end = linear->columns,
                         .a = in.data,
                         .a_stride = in.stride,
                         .b = linear->copy ? linear->copy : linear->weight->data,
                         .bias = linear->bias,
                         .c = out.data,
                         .c_stride = out.stride};
}

static void apply(forward *f, const char *name, const pts_product *p, pts_activation_fn activation)
{
    begin_step(f);
    pts_product_run(f->model->level, f->pass->team, p, activation);
    end_step(f, name, "product",
             2.0 * (double)p->rows * (double)p->depth * (double)(p->end - p->first));
}

/* ---- patches ---- */

typedef struct patch_job {
    const clip_vit *model;
    const pts_arch_run *run;
    rows tokens, patches;
} patch_job;

/* One image's row of patches: each [P][P][3] becomes a row of the matrix that the weights are
 * multiplied with, and its token begins as its position. */
static void patch_task(void *user, size_t task, int thread)
{
    const patch_job *job = user;
    const clip_vit *m = job->model;
    const size_t side = m->patch * 3, image = task / m->grid, gy = task % m->grid;
    const size_t image_row = m->grid * side;
    const float *pixels = job->run->images + (image * m->grid + gy) * m->patch * image_row;
    (void)thread;
    for (size_t gx = 0; gx < m->grid; gx++) {
        size_t token = 1 + gy * m->grid + gx, row = image * m->tokens + token;
        float *patch = job->patches.data + row * job->patches.stride;
        memcpy(job->tokens.data + row * job->tokens.stride, m->positions + token * m->width,
               m->width * sizeof(float));
        for (size_t y = 0; y < m->patch; y++)
            memcpy(patch + y * side, pixels + y * image_row + gx * side, side * sizeof(float));
    }
}

/* The class token's patch is zero, which keeps the matrix in one piece. */
static void begin_class(const patch_job *job, size_t image)
{
    const clip_vit *m = job->model;
    const size_t row = image * m->tokens;
    float *token = job->tokens.data + row * job->tokens.stride;
    memset(job->patches.data + row * job->patches.stride, 0, m->embedding.depth * sizeof(float));
    for (size_t i = 0; i < m->width; i++)
        token[i] = m->class_token[i] + m->positions[i];
}

static void embed_patches(forward *f)
{
    const clip_vit *m = f->model;
    rows tokens = tokens_of(f, f->pass->tokens, false), patches = tokens;
    patches.data = f->pass->wide;
    patches.stride = pts_row_stride(m->embedding.depth);
    patch_job job = {m, f->run, tokens, patches};
    begin_step(f);
    for (size_t i = 0; i < f->run->count; i++)
        begin_class(&job, i);
    pts_team_run(f->pass->team, f->run->count * m->grid, patch_task, &job);
    end_step(f, "patches", "copy", 0);
    pts_product p = linear_product(&m->embedding, patches, tokens);
    p.accumulate = true;
    apply(f, "patch", &p, NULL);
    normalise(f, "pre_norm", &m->pre_norm, tokens, tokens);
}

/* ---- layers ---- */

static size_t down(size_t columns, size_t panel)
{
    return panel ? columns / panel * panel : columns;
}

static size_t up(size_t columns, size_t panel)
{
    return panel ? (columns + panel - 1) / panel * panel : columns;
}

/* q, k, v of all tokens; of q only the class token's, where no other asks. */
static rows project_qkv(forward *f, const clip_vit_layer *layer, rows in, bool class_only)
{
    const clip_vit_linear *linear = &layer->linear[CLIP_VIT_QKV];
    const size_t width = f->model->width, panel = f->model->level->panel;
    rows qkv = {f->pass->wide, in.count, pts_row_stride(linear->columns)};
    pts_product all = linear_product(linear, in, qkv);
    if (class_only) {
        rows class_out = {qkv.data, f->run->count, f->model->tokens * qkv.stride};
        pts_product q = linear_product(linear, tokens_of(f, in.data, true), class_out);
        q.end = up(width, panel);
        all.first = down(width, panel);
        apply(f, "q", &q, NULL);
    }
    apply(f, class_only ? "kv" : "qkv", &all, NULL);
    return qkv;
}

static void gather(forward *f, rows qkv, rows out, bool class_only)
{
    const clip_vit *m = f->model;
    pts_attention a = {.level = m->level, .tokens = m->tokens, .heads = m->heads};
    a.images = f->run->count;
    a.width = m->width / m->heads;
    a.queries = class_only ? 1 : m->tokens;
    a.qkv = qkv.data;
    a.qkv_stride = qkv.stride;
    a.out = out.data;
    a.out_stride = out.stride;
    a.work = f->pass->work;
    begin_step(f);
    pts_attention_run(&a, f->pass->team);
    end_step(f, "attention", "attention",
             4.0 * (double)(a.images * a.queries) * (double)(m->tokens * m->width));
}

static void run_layer(forward *f, const clip_vit_layer *layer, bool class_only)
{
    const clip_vit_linear *linear = layer->linear;
    rows branch = tokens_of(f, f->pass->branch, false);
    normalise(f, "norm1", &layer->norm1, tokens_of(f, f->pass->tokens, false), branch);
    rows qkv = project_qkv(f, layer, branch, class_only);
    gather(f, qkv, branch, class_only);

    rows tokens = tokens_of(f, f->pass->tokens, class_only);
    branch = tokens_of(f, f->pass->branch, class_only);
    pts_product p = linear_product(&linear[CLIP_VIT_PROJ], branch, tokens);
    p.accumulate = true;
    apply(f, "proj", &p, NULL);

    rows hidden = {f->pass->wide, tokens.count, pts_row_stride(f->model->hidden)};
    normalise(f, "norm2", &layer->norm2, tokens, branch);
    p = linear_product(&linear[CLIP_VIT_FC1], branch, hidden);
    apply(f, "fc1", &p, f->model->activation);
    p = linear_product(&linear[CLIP_VIT_FC2], hidden, tokens);
    p.accumulate = true;
    apply(f, "fc2", &p, NULL);
}

/* ---- a run ---- */

/* Weights are packed when they are first needed: opening a file of any size takes no time. */
static void pack_ends(clip_pass *pass)
{
    clip_vit *m = pass->model;
    if (!m->packed) {
        pts_clip_vit_pack(m, pass->team, &m->embedding, 1);
        pts_clip_vit_pack(m, pass->team, &m->projection, 1);
    }
    m->packed = true;
}

static void pack_layer(clip_pass *pass, clip_vit_layer *layer)
{
    if (!layer->packed)
        pts_clip_vit_pack(pass->model, pass->team, layer->linear, CLIP_VIT_LINEARS);
    layer->packed = true;
}

/* Shows the tokens without the gaps between their rows; branch is free between layers. */
static void tap(forward *f, const char *name)
{
    const size_t tokens = f->model->tokens, width = f->model->width;
    if (!f->run->visit)
        return;
    for (size_t t = 0; t < tokens; t++)
        memcpy(f->pass->branch + t * width, f->pass->tokens + t * f->pass->stride,
               width * sizeof(float));
    f->run->visit(f->run->user, name, f->pass->branch, 1, tokens, width);
    f->run->stopped = f->run->last && strcmp(f->run->last, name) == 0;
}

static void run_layers(forward *f)
{
    const clip_vit *m = f->model;
    for (size_t i = 0; i < m->layers && !f->run->stopped; i++) {
        char name[32], stem[33];
        snprintf(name, sizeof name, "layer%zu", i);
        snprintf(stem, sizeof stem, "%s.", name);
        f->stem = stem;
        pack_layer(f->pass, &m->layer[i]);
        run_layer(f, &m->layer[i], i + 1 == m->layers && !f->run->visit);
        f->stem = "";
        tap(f, name);
    }
}

static pts_status run_pass(void *user, pts_arch_run *run, pts_error *err)
{
    clip_pass *pass = user;
    const clip_vit *m = pass->model;
    const size_t side = m->patch * m->grid;
    if (run->height != side || run->width != side)
        return pts_fail(err, PTS_ERR_ARGUMENT, "image: expected %zu×%zu, got %zu×%zu", side, side,
                        run->width, run->height);
    forward f = {.pass = pass, .model = m, .run = run, .stem = ""};
    pack_ends(pass);
    embed_patches(&f);
    tap(&f, "pre_norm");
    run_layers(&f);
    if (run->stopped)
        return PTS_OK;
    rows out = {run->out, run->count, m->dim}, branch = tokens_of(&f, pass->branch, true);
    normalise(&f, "post_norm", &m->post_norm, tokens_of(&f, pass->tokens, true), branch);
    pts_product p = linear_product(&m->projection, branch, out);
    apply(&f, "projection", &p, NULL);
    return PTS_OK;
}

/* ---- passes and models ---- */

/* As many images as keep the rows of a product in one part, a whole number a thread, so that
 * those who make the images are busy to the end. OpenBLAS sums in an order that follows the number
 * of rows: one image at a time then, for a result that does not depend on the others. */
static size_t group_of(const clip_vit *model, pts_team *team)
{
    const size_t threads = (size_t)pts_team_threads(team);
    size_t group = model->level->panel ? PTS_PRODUCT_ROWS / model->tokens : 1;
    if (group > threads)
        group = group / threads * threads;
    return group ? group : 1;
}

static void at_least(size_t *value, size_t floor)
{
    if (*value < floor)
        *value = floor;
}

static size_t wide_floats(const clip_vit *model)
{
    size_t floats = pts_row_stride(model->embedding.depth);
    at_least(&floats, pts_row_stride(3 * model->width));
    at_least(&floats, pts_row_stride(model->hidden));
    return floats;
}

static void *take(clip_pass *pass, size_t count, size_t floats)
{
    size_t all;
    return pts_arena_take(&pass->arena, pts_mul(count, floats, &all) ? all : SIZE_MAX,
                          sizeof(float));
}

static void lay_out(clip_pass *pass)
{
    const size_t count = pass->images * pass->model->tokens;
    pass->tokens = take(pass, count, pass->stride);
    pass->branch = take(pass, count, pass->stride);
    pass->wide = take(pass, count, pass->wide_floats);
    pass->work = take(pass, (size_t)pts_team_threads(pass->team), pass->work_floats);
}

static pts_status plan(clip_pass *pass, pts_error *err)
{
    const clip_vit *m = pass->model;
    pts_attention a = {.level = m->level, .tokens = m->tokens, .width = m->width / m->heads};
    if (!pts_attention_workspace(&a, &pass->work_floats))
        return pts_fail_memory(err, SIZE_MAX);
    pass->images = group_of(m, pass->team);
    pass->stride = pts_row_stride(m->width);
    pass->wide_floats = wide_floats(m);
    lay_out(pass);
    PTS_TRY(pts_arena_commit(&pass->arena, err));
    lay_out(pass);
    return PTS_OK;
}

static void close_pass(void *pass)
{
    pts_arena_free(&((clip_pass *)pass)->arena);
}

static pts_status open_pass(void *user, void *model, pts_team *team, pts_error *err)
{
    clip_pass *pass = user;
    pass->model = model;
    pass->team = team;
    return plan(pass, err);
}

static size_t pass_bytes(const void *pass)
{
    return ((const clip_pass *)pass)->arena.size;
}

static double count_flops(const clip_vit *m)
{
    const double t = (double)m->tokens, w = (double)m->width, patches = t - 1;
    double layer = t * (4 * w * w + 2 * w * (double)m->hidden) + 2 * t * t * w;
    return 2 * (patches * (double)m->embedding.depth * w + (double)m->layers * layer +
                w * (double)m->dim);
}

static void close_model(void *model)
{
    pts_clip_vit_free(model);
}

static pts_status open_model(void *user, pts_weights *weights, const pts_level *level,
                             pts_team *team, pts_arch_info *info, pts_error *err)
{
    clip_vit *model = user;
    PTS_TRY(pts_clip_vit_bind(model, weights, level, err));
    *info = (pts_arch_info){.input = model->patch * model->grid, .dim = model->dim};
    info->group = group_of(model, team);
    info->flops = count_flops(model);
    return PTS_OK;
}

const pts_arch pts_arch_clip_vit = PTS_ARCH("clip_vit", clip_vit, clip_pass);
