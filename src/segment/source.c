#include "segment/source.h"
#include "base/error.h"
#include "base/memory.h"
#include "segment/features.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tap is named, or it is the layer at a share of the encoder's depth. */
typedef struct tap_rule {
    const char *name;
    double depth;
    size_t cell; /* 0: a token's patch */
    double first;
} tap_rule;

/* InceptionV3: the stem's convolutions do not pad, so cell i of Mixed_5d looks at input pixel
 * 8·i + 13, of Mixed_6e at 16·i + 21, of Conv2d_4a_3x3 at 4·i + 9. Eight edge pixels before the
 * picture make the first cells fall on its edge instead of well inside it; sixteen behind do so
 * for the last ones. 75 is what it takes at least: a long strip is padded up to it.
 *
 * A ViT sees only patches of 14 to 32 pixels, so edges come from the pixels themselves. Its last
 * layer is trained to serve the class token alone; the one before still says what is where. */
static const struct encoder_rule {
    const char *arch;
    size_t pad_front, pad_back, smallest;
    bool tokens;
    tap_rule taps[TAPS];
} encoder_rules[] = {
    {"inception_v3",
     8,
     16,
     75,
     false,
     {[FINE_TAP] = {"Conv2d_4a_3x3", 0, 4, 9},
      [MID_TAP] = {"Mixed_5d", 0, 8, 13},
      [DEEP_TAP] = {"Mixed_6e", 0, 16, 21}}},
    {"clip_vit",
     0,
     COARSE_CELL,
     0,
     true,
     {[FINE_TAP] = {PIXEL_TAP, 0, FINE_CELL, 0.5 * (FINE_CELL - 1)},
      [MID_TAP] = {NULL, 1 / 2.0, 0, 0},
      [DEEP_TAP] = {NULL, 11 / 12.0, 0, 0}}},
};

static const struct encoder_rule *find_rule(const char *arch)
{
    for (size_t i = 0; i < sizeof encoder_rules / sizeof *encoder_rules; i++) {
        if (strcmp(arch, encoder_rules[i].arch) == 0)
            return &encoder_rules[i];
    }
    return NULL;
}

typedef struct probe {
    feature_source *source;
    size_t layers, tokens, width;
} probe;

/* All layers are counted, as a rule names one by its share of the depth. */
static void on_tap(void *user, const char *name, const float *map, size_t height, size_t width,
                   size_t channels)
{
    probe *p = user;
    (void)map;
    (void)height;
    for (int i = 0; i < TAPS; i++) {
        if (strcmp(name, p->source->taps[i].name) == 0)
            p->source->taps[i].channels = channels;
    }
    if (strncmp(name, "layer", 5) == 0) {
        p->layers++;
        p->tokens = width;
        p->width = channels;
    }
}

/* What an encoder's taps are called and how wide they are only a run of it says. */
static pts_status probe_encoder(probe *p, pts_encoder *encoder, pts_error *err)
{
    const size_t side = pts_encoder_input_size(encoder);
    float *blank;
    PTS_TRY(pts_new(&blank, side * side, 3 * sizeof *blank, err));
    pts_status status = pts_encoder_taps(encoder, blank, side, side, NULL, on_tap, p, err);
    free(blank);
    return status;
}

/* By a share of the depth, so that one rule serves encoders of any number of layers. */
static void name_layer(source_tap *tap, double depth, const probe *p, size_t patch)
{
    size_t layer = (size_t)lround(depth * (double)p->layers);
    snprintf(tap->name, sizeof tap->name, "layer%zu", layer ? layer - 1 : 0);
    tap->channels = p->width;
    tap->cell = patch;
    tap->first = 0.5 * (double)(patch - 1);
}

/* The layers, once their number is known, and the size of a token's patch. */
static pts_status fit_tokens(feature_source *s, const struct encoder_rule *rule, const probe *p,
                             pts_encoder *encoder, pts_error *err)
{
    const size_t side = pts_encoder_input_size(encoder);
    size_t grid = p->tokens ? (size_t)lround(sqrt((double)(p->tokens - 1))) : 0;
    if (!grid || grid * grid + 1 != p->tokens || side % grid != 0)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "features: expected a square of tokens and a class token, got %zu",
                        p->tokens);
    s->window = s->smallest = side;
    s->patch = side / grid;
    for (int i = 0; i < TAPS; i++) {
        if (!rule->taps[i].name)
            name_layer(&s->taps[i], rule->taps[i].depth, p, s->patch);
    }
    return PTS_OK;
}

/* The preset's picture of one gray level. */
static pts_status gray(const char *preset, uint8_t level, float out[3], pts_error *err)
{
    enum { SIDE = 32 };
    static const size_t bytes = SIDE * SIDE * 3;
    uint8_t rgb[SIDE * SIDE * 3];
    float pixels[SIDE * SIDE * 3];
    memset(rgb, level, bytes);
    const pts_image image = {SIDE, SIDE, rgb};
    PTS_TRY(pts_preset_apply(preset, &image, SIDE, pixels, err));
    memcpy(out, pixels, 3 * sizeof *out);
    return PTS_OK;
}

pts_status pts_feature_source_open(feature_source *s, pts_encoder *encoder, pts_error *err)
{
    const struct encoder_rule *rule = find_rule(pts_encoder_arch(encoder));
    if (!rule)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "features: expected an inception_v3 or clip_vit encoder, got %s",
                        pts_encoder_arch(encoder));
    *s = (feature_source){.pad_front = rule->pad_front, .pad_back = rule->pad_back};
    s->smallest = rule->smallest;
    for (int i = 0; i < TAPS; i++) {
        const tap_rule *tap = &rule->taps[i];
        snprintf(s->taps[i].name, sizeof s->taps[i].name, "%s", tap->name ? tap->name : "");
        s->taps[i].cell = tap->cell;
        s->taps[i].first = tap->first;
        if (tap->name && strcmp(tap->name, PIXEL_TAP) == 0)
            s->taps[i].channels = PIXEL_CHANNELS;
    }
    probe p = {.source = s};
    PTS_TRY(probe_encoder(&p, encoder, err));
    if (rule->tokens)
        PTS_TRY(fit_tokens(s, rule, &p, encoder, err));
    for (int i = 0; i < TAPS; i++) {
        if (!s->taps[i].channels)
            return pts_fail(err, PTS_ERR_UNSUPPORTED, "features: expected an encoder with tap %s",
                            s->taps[i].name);
    }
    PTS_TRY(gray(pts_encoder_preset(encoder), 0, s->black, err));
    return gray(pts_encoder_preset(encoder), 255, s->white, err);
}
