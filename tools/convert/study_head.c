/* The original study's heads, model_incept_v3_fc.pt and model_clip_fc.pt: four embeddings side by
 * side → 2048 → 1024 → 512 → 256 → 4, all numbers + 10; layers fc1, fc_agg, fc2, fc3, fc4. The
 * width of the first tells the embedding: 2048 or 512 a photograph, twice that in the variant that
 * embeds the label masks too. */
#include "arch.h"

#include <string.h>

enum { LAYERS = 5, PHOTOGRAPHS = 4 };

static const char *const names[LAYERS] = {"fc1", "fc_agg", "fc2", "fc3", "fc4"};
static const size_t outputs[LAYERS] = {2048, 1024, 512, 256, 4};

typedef struct variant {
    size_t dim; /* numbers a photograph */
    const char *encoder;
    bool masks;
} variant;

static const variant variants[] = {{2048, "inception_v3", false},
                                   {512, "clip_vit", false},
                                   {4096, "inception_v3", true},
                                   {1024, "clip_vit", true}};

/* Where "fc_agg.weight" begins, which no other architecture here has. */
static bool find_prefix(const checkpoint *c, char prefix[128])
{
    static const char anchor[] = "fc_agg.weight";
    const size_t tail = sizeof anchor - 1;
    for (size_t i = 0; i < c->count; i++) {
        size_t length = strlen(c->tensors[i].name);
        if (length >= tail && length - tail < 128 &&
            strcmp(c->tensors[i].name + length - tail, anchor) == 0) {
            snprintf(prefix, 128, "%.*s", (int)(length - tail), c->tensors[i].name);
            return true;
        }
    }
    prefix[0] = '\0';
    return false;
}

static bool recognise(const checkpoint *c, char why[256])
{
    char prefix[128];
    if (!find_prefix(c, prefix))
        return false;
    snprintf(why, 256, "tensor '%.100sfc_agg.weight': a head of the study", prefix);
    return true;
}

static pts_status find_variant(const plan *p, const char *prefix, const variant **out,
                               pts_error *err)
{
    char name[256], have[128];
    snprintf(name, sizeof name, "%sfc1.weight", prefix);
    const checkpoint_tensor *t = checkpoint_find(p->c, name);
    *out = NULL;
    for (size_t i = 0; t && t->rank == 2 && i < sizeof variants / sizeof *variants; i++) {
        if (t->shape[1] == PHOTOGRAPHS * variants[i].dim)
            *out = &variants[i];
    }
    if (*out)
        return PTS_OK;
    return convert_fail(err, PTS_ERR_SHAPE,
                        "%s: tensor '%s': expected shape (2048, 4·2048), (2048, 4·512), "
                        "(2048, 4·4096) or (2048, 4·1024), got %s",
                        p->c->path, name, t ? shape_text(have, t->rank, t->shape) : "no tensor");
}

static pts_status add_layer(plan *p, const char *prefix, size_t index, size_t in, pts_error *err)
{
    const size_t matrix[2] = {outputs[index], in}, turned[2] = {in, outputs[index]};
    for (int i = 0; i < 2; i++) {
        char name[256];
        planned *item;
        snprintf(name, sizeof name, "%s%s%s", prefix, names[index], i ? ".bias" : ".weight");
        CONVERT_TRY(plan_add(p, &item, i ? 1 : 2, i ? &turned[1] : turned, err, "fc%zu%s",
                             index + 1, i ? ".bias" : ".weight"));
        item->make = make_turned;
        item->sources = 1;
        CONVERT_TRY(checkpoint_require(p->c, name, i ? 1 : 2, matrix, &item->source[0], err));
    }
    return PTS_OK;
}

/* A head is a claim about how the layers were wired; a sixth layer would break it. */
static pts_status rest(const plan *p, const char *prefix, pts_error *err)
{
    for (size_t i = 0; i < p->c->count; i++) {
        const checkpoint_tensor *t = &p->c->tensors[i];
        if (!t->used && strncmp(t->name, prefix, strlen(prefix)) == 0)
            return convert_fail(err, PTS_ERR_SHAPE,
                                "%s: tensor '%.128s': expected no such tensor in the study's head",
                                p->c->path, t->name);
    }
    return PTS_OK;
}

static pts_status describe(plan *p, const variant *v, pts_error *err)
{
    char summary[256];
    snprintf(summary, sizeof summary,
             "the study's own head: %d → 2048 → 1024 → 512 → 256 → 4 on %s%s, no measured spread",
             (int)(PHOTOGRAPHS * v->dim), v->encoder, v->masks ? " of photographs and masks" : "");
    CONVERT_TRY(plan_meta(p, "kind", "study", err));
    CONVERT_TRY(plan_meta_number(p, "dim", v->dim, err));
    CONVERT_TRY(plan_meta(p, "encoder", p->set->encoder ? p->set->encoder : "", err));
    CONVERT_TRY(plan_meta(p, "encoder_arch", v->encoder, err));
    CONVERT_TRY(plan_meta(p, "masks", v->masks ? "yes" : "no", err));
    CONVERT_TRY(plan_meta(p, "preset", "ptssp", err));
    CONVERT_TRY(plan_meta(p, "datasets", "", err));
    CONVERT_TRY(plan_meta(p, "trainer", "PTS-SP", err));
    return plan_meta(p, "summary", summary, err);
}

static pts_status build(plan *p, pts_error *err)
{
    char prefix[128];
    const variant *v;
    find_prefix(p->c, prefix);
    CONVERT_TRY(find_variant(p, prefix, &v, err));
    for (size_t i = 0; i < LAYERS; i++)
        CONVERT_TRY(add_layer(p, prefix, i, i ? outputs[i - 1] : PHOTOGRAPHS * v->dim, err));
    CONVERT_TRY(rest(p, prefix, err));
    return describe(p, v, err);
}

const architecture study_head_architecture = {"head", recognise, build};
