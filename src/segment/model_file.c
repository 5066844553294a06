/* A segmenter as a .ptsw file:
 *   metadata  arch "pts_segmenter", version, rule "cores" or "components", side, encoder_arch,
 *             encoder_id, tap.fine, tap.mid, tap.deep (the encoder's names)
 *   tensors   LAYER.weight [kernel][kernel][in][out], LAYER.bias [out] for each layer of the
 *             decoder; tap.fine.weight [channels][kept], tap.fine.offset [kept], and so mid, deep;
 *             threshold [1] */
#include "base/error.h"
#include "base/memory.h"
#include "segment/segmenter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARCH "pts_segmenter"
#define MAX_CHANNELS ((size_t)1 << 16)

enum { TENSORS = DECODER_PARTS + 2 * TAPS + 1 };

static const char *const tap_keys[TAPS] = {
    [FINE_TAP] = "tap.fine", [MID_TAP] = "tap.mid", [DEEP_TAP] = "tap.deep"};

static void name_part(char name[32], const decoder_part *part)
{
    snprintf(name, 32, "%s.%s", part->layer, part->is_bias ? "bias" : "weight");
}

static void name_tap(char name[32], int tap, bool is_offset)
{
    snprintf(name, 32, "%s.%s", tap_keys[tap], is_offset ? "offset" : "weight");
}

/* ---- saving ---- */

typedef struct listing {
    char names[TENSORS][32];
    pts_tensor tensors[TENSORS];
    size_t count;
} listing;

/* The next tensor's name is set already. */
static void list_tensor(listing *l, const float *data, int rank, const size_t *shape)
{
    pts_tensor *t = &l->tensors[l->count];
    *t = (pts_tensor){l->names[l->count], PTS_F32, rank, {1, 1, 1, 1}, data, sizeof *data};
    for (int i = 0; i < rank; i++) {
        t->shape[i] = shape[i];
        t->bytes *= shape[i];
    }
    l->count++;
}

static void list_tensors(listing *l, const pts_segmenter *model)
{
    for (int i = 0; i < DECODER_PARTS; i++) {
        const decoder_part part = pts_decoder_part_at(i);
        name_part(l->names[l->count], &part);
        list_tensor(l, model->parameters + part.offset, part.is_bias ? 1 : 4, part.shape);
    }
    for (int i = 0; i < TAPS; i++) {
        const projection_tap *tap = &model->projection.taps[i];
        name_tap(l->names[l->count], i, false);
        list_tensor(l, tap->weight, 2, (size_t[]){tap->channels, tap->kept});
        name_tap(l->names[l->count], i, true);
        list_tensor(l, tap->offset, 1, &tap->kept);
    }
    snprintf(l->names[l->count], sizeof *l->names, "threshold");
    list_tensor(l, &model->rule.threshold, 1, (size_t[]){1});
}

pts_status pts_segmenter_save(const pts_segmenter *model, const char *path, pts_error *err)
{
    const pts_projection *p = &model->projection;
    char version[24], side[24];
    snprintf(version, sizeof version, "%d", PTS_SEGMENTER_VERSION);
    snprintf(side, sizeof side, "%zu", p->side);
    const pts_meta meta[] = {
        {"arch", ARCH},
        {"version", version},
        {"rule", model->rule.from_cores ? "cores" : "components"},
        {"side", side},
        {"encoder_arch", p->arch},
        {"encoder_id", p->encoder_id},
        {tap_keys[FINE_TAP], p->taps[FINE_TAP].name},
        {tap_keys[MID_TAP], p->taps[MID_TAP].name},
        {tap_keys[DEEP_TAP], p->taps[DEEP_TAP].name},
    };
    listing l = {.count = 0};
    list_tensors(&l, model);
    return pts_weights_write(path, meta, sizeof meta / sizeof *meta, l.tensors, l.count, err);
}

/* ---- loading ---- */

static pts_status expect(const pts_weights *file, const char *key, const char *expected,
                         const char *got, pts_error *err)
{
    return pts_fail(err, PTS_ERR_FORMAT, "%s: %s: expected %s, got '%.40s'", pts_weights_path(file),
                    key, expected, got);
}

/* The text under `key`, which fits `size` bytes. */
static pts_status read_text(const pts_weights *file, const char *key, char *out, size_t size,
                            pts_error *err)
{
    const char *text = pts_weights_meta(file, key);
    if (!text)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: expected a segmenter, with %s in its metadata",
                        pts_weights_path(file), key);
    if (strlen(text) >= size)
        return expect(file, key, "a short text", text, err);
    strcpy(out, text);
    return PTS_OK;
}

/* The version before the tensors: measurements of two versions do not mix. */
static pts_status check_kind(const pts_weights *file, pts_error *err)
{
    char arch[24], version[24], known[24];
    PTS_TRY(read_text(file, "arch", arch, sizeof arch, err));
    if (strcmp(arch, ARCH) != 0)
        return expect(file, "arch", ARCH, arch, err);
    PTS_TRY(read_text(file, "version", version, sizeof version, err));
    snprintf(known, sizeof known, "%d", PTS_SEGMENTER_VERSION);
    if (strcmp(version, known) != 0)
        return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: expected a segmenter of version %s, got %s",
                        pts_weights_path(file), known, version);
    return PTS_OK;
}

/* Digits alone: strtoul would take blanks and a sign, too. */
static pts_status read_side(const pts_weights *file, size_t *side, pts_error *err)
{
    char text[8];
    PTS_TRY(read_text(file, "side", text, sizeof text, err));
    size_t digits = strspn(text, "0123456789");
    *side = digits && !text[digits] ? (size_t)strtoul(text, NULL, 10) : 0;
    return *side >= 128 && *side <= 2048 ? PTS_OK : expect(file, "side", "128 … 2048", text, err);
}

/* A number that is not finite spreads over whole maps, and no threshold would ever be met. */
static pts_status copy_finite(const pts_weights *file, const pts_tensor *tensor, float *out,
                              pts_error *err)
{
    const float *data = tensor->data;
    for (size_t i = 0; i < tensor->bytes / sizeof *data; i++) {
        if (!isfinite(data[i]))
            return pts_fail(err, PTS_ERR_NUMERIC, "%s: %s: expected finite numbers, got %g at %zu",
                            pts_weights_path(file), tensor->name, (double)data[i], i);
    }
    memcpy(out, data, tensor->bytes);
    return PTS_OK;
}

static pts_status read_tensor(const pts_weights *file, const char *name, int rank,
                              const size_t *shape, float *out, pts_error *err)
{
    const pts_tensor *tensor;
    PTS_TRY(pts_weights_require(file, name, rank, shape, &tensor, err));
    return copy_finite(file, tensor, out, err);
}

/* Channels are known from the file alone, so they are bounded before memory is taken by them. */
static pts_status read_tap(const pts_weights *file, int index, projection_tap *tap, pts_error *err)
{
    char weight[32], offset[32];
    name_tap(weight, index, false);
    name_tap(offset, index, true);
    PTS_TRY(read_text(file, tap_keys[index], tap->name, sizeof tap->name, err));
    const pts_tensor *tensor = pts_weights_find(file, weight);
    const size_t most = pts_feature_places[index].kept;
    if (!tensor || tensor->rank != 2 || tensor->dtype != PTS_F32 ||
        tensor->shape[0] > MAX_CHANNELS || tensor->shape[1] > most)
        return pts_fail(err, PTS_ERR_SHAPE, "%s: %s: expected f32 [channels, at most %zu]",
                        pts_weights_path(file), weight, most);
    PTS_TRY(pts_projection_tap_alloc(tap, tensor->shape[0], tensor->shape[1], err));
    PTS_TRY(copy_finite(file, tensor, tap->weight, err));
    return read_tensor(file, offset, 1, &tap->kept, tap->offset, err);
}

static pts_status read_projection(const pts_weights *file, pts_projection *p, pts_error *err)
{
    PTS_TRY(read_text(file, "encoder_arch", p->arch, sizeof p->arch, err));
    PTS_TRY(read_text(file, "encoder_id", p->encoder_id, sizeof p->encoder_id, err));
    PTS_TRY(read_side(file, &p->side, err));
    for (int i = 0; i < TAPS; i++)
        PTS_TRY(read_tap(file, i, &p->taps[i], err));
    return PTS_OK;
}

/* A threshold of 0 or 1 would make all or nothing an object. */
static pts_status read_rule(const pts_weights *file, instance_rule *rule, pts_error *err)
{
    char text[24];
    PTS_TRY(read_text(file, "rule", text, sizeof text, err));
    rule->from_cores = strcmp(text, "cores") == 0;
    if (!rule->from_cores && strcmp(text, "components") != 0)
        return expect(file, "rule", "cores or components", text, err);
    PTS_TRY(read_tensor(file, "threshold", 1, (size_t[]){1}, &rule->threshold, err));
    if (rule->threshold > 0 && rule->threshold < 1)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_NUMERIC, "%s: threshold: expected above 0 and below 1, got %g",
                    pts_weights_path(file), (double)rule->threshold);
}

static pts_status read_model(const pts_weights *file, pts_segmenter *model, pts_error *err)
{
    for (int i = 0; i < DECODER_PARTS; i++) {
        const decoder_part part = pts_decoder_part_at(i);
        char name[32];
        name_part(name, &part);
        PTS_TRY(read_tensor(file, name, part.is_bias ? 1 : 4, part.shape,
                            model->parameters + part.offset, err));
    }
    return read_rule(file, &model->rule, err);
}

/* The projection first, as a model is made from it, and keeps a copy. */
static pts_status load(pts_segmenter **out, const pts_weights *file, pts_error *err)
{
    pts_projection projection = {0};
    pts_segmenter *model = NULL;
    PTS_TRY(check_kind(file, err));
    pts_status status = read_projection(file, &projection, err);
    if (status == PTS_OK)
        status = pts_segmenter_create(&model, &projection, err);
    pts_projection_free(&projection);
    if (status == PTS_OK)
        status = read_model(file, model, err);
    if (status == PTS_OK)
        *out = model;
    else
        pts_segmenter_destroy(model);
    return status;
}

pts_status pts_segmenter_load(pts_segmenter **out, const char *path, pts_error *err)
{
    pts_weights *file;
    *out = NULL;
    PTS_TRY(pts_weights_open(&file, path, err));
    pts_status status = load(out, file, err);
    pts_weights_close(file);
    return status;
}
