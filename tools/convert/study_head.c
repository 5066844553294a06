/* The original study's heads, model_incept_v3_fc.pt and model_clip_fc.pt: four embeddings side by
 * side → 2048 → 1024 → 512 → 256 → 4, all numbers + 10; layers fc1, fc_agg, fc2, fc3, fc4. The
 * width of the first tells the embedding: 2048 or 512 a photograph, twice that in the variant that
 * embeds the label masks too. */
#include "arch.h"

#include "pts/learn.h"

#include <string.h>

enum { LAYERS = 5 };

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

#define ANCHOR "fc_agg.weight" /* which no other architecture here has */

static bool recognise(const checkpoint *c, char why[256])
{
    char prefix[PREFIX_MAX];
    if (!name_prefix(c, ANCHOR, prefix))
        return false;
    snprintf(why, 256, "tensor '%.100s" ANCHOR "': a head of the study", prefix);
    return true;
}

static pts_status find_variant(const recipe *r, const char *prefix, const variant **out,
                               pts_error *err)
{
    char name[256], have[128];
    snprintf(name, sizeof name, "%sfc1.weight", prefix);
    const checkpoint_tensor *t = checkpoint_find(r->c, name);
    *out = NULL;
    for (size_t i = 0; t && t->rank == 2 && i < sizeof variants / sizeof *variants; i++) {
        if (t->shape[1] == PTS_PHOTOGRAPHS * variants[i].dim)
            *out = &variants[i];
    }
    if (*out)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_SHAPE,
                    "%s: tensor '%s': expected shape (2048, 4·2048), (2048, 4·512), "
                    "(2048, 4·4096) or (2048, 4·1024), got %s",
                    r->c->path, name, t ? shape_text(have, t->rank, t->shape) : "no tensor");
}

static pts_status add_layer(recipe *r, const char *prefix, size_t index, size_t in, pts_error *err)
{
    const size_t matrix[2] = {outputs[index], in}, turned[2] = {in, outputs[index]};
    for (int i = 0; i < 2; i++) {
        const char *part = i ? ".bias" : ".weight";
        char to[32], from[256];
        snprintf(to, sizeof to, "fc%zu%s", index + 1, part);
        snprintf(from, sizeof from, "%s%s%s", prefix, names[index], part);
        PTS_TRY(recipe_take(r, to, 2 - i, turned + i, true, from, matrix, err));
    }
    return PTS_OK;
}

/* A head is a claim about how the layers were wired; a sixth layer would break it. */
static pts_status rest(const recipe *r, const char *prefix, pts_error *err)
{
    for (size_t i = 0; i < r->c->count; i++) {
        const checkpoint_tensor *t = &r->c->tensors[i];
        if (!t->used && name_starts(t->name, prefix))
            return recipe_leftover(r, t, "the study's head", err);
    }
    return PTS_OK;
}

static pts_status describe(recipe *r, const variant *v, pts_error *err)
{
    char summary[256];
    snprintf(summary, sizeof summary,
             "the study's own head: %d → 2048 → 1024 → 512 → 256 → 4 on %s%s, no measured spread",
             (int)(PTS_PHOTOGRAPHS * v->dim), v->encoder,
             v->masks ? " of photographs and masks" : "");
    PTS_TRY(recipe_meta(r, "kind", "study", err));
    PTS_TRY(recipe_meta_number(r, "dim", v->dim, err));
    PTS_TRY(recipe_meta(r, "encoder", r->set->encoder ? r->set->encoder : "", err));
    PTS_TRY(recipe_meta(r, "encoder_arch", v->encoder, err));
    PTS_TRY(recipe_meta(r, "masks", v->masks ? "yes" : "no", err));
    PTS_TRY(recipe_meta(r, "preset", "ptssp", err));
    PTS_TRY(recipe_meta(r, "datasets", "", err));
    PTS_TRY(recipe_meta(r, "trainer", "PTS-SP", err));
    return recipe_meta(r, "summary", summary, err);
}

static pts_status build(recipe *r, pts_error *err)
{
    char prefix[PREFIX_MAX];
    const variant *v;
    name_prefix(r->c, ANCHOR, prefix);
    PTS_TRY(find_variant(r, prefix, &v, err));
    for (size_t i = 0; i < LAYERS; i++)
        PTS_TRY(add_layer(r, prefix, i, i ? outputs[i - 1] : PTS_PHOTOGRAPHS * v->dim, err));
    PTS_TRY(rest(r, prefix, err));
    return describe(r, v, err);
}

const architecture study_head_architecture = {"head", recognise, build};
