#include "segment/features.h"
#include "base/error.h"
#include "base/memory.h"
#include "segment/extractor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pts_feature_settings_default(pts_feature_settings *settings)
{
    *settings = (pts_feature_settings){.side = 480, .pca_images = 32};
}

/* ---- the components ---- */

static pts_status none_readable(const extractor *x, size_t count)
{
    return pts_fail(x->err, PTS_ERR_FORMAT, "features: expected a readable image, got none of %zu",
                    count);
}

static pts_status report_progress(const extractor *x, const char *stage, size_t done, size_t total)
{
    if (x->progress && x->progress(x->user, stage, done, total))
        return pts_fail(x->err, PTS_ERR_CANCELLED, "features: cancelled at image %zu of %zu", done,
                        total);
    return PTS_OK;
}

/* Gathers from the first readable one of paths [count], if there is one. */
static pts_status gather_from(extractor *x, const char *const *paths, size_t count, bool *found)
{
    pts_image image;
    feature_item item;
    *found = false;
    for (size_t i = 0; i < count && !*found; i++) {
        pts_status status = pts_image_read(paths[i], NULL, &image, x->err);
        if (status != PTS_OK && !x->settings->unreadable)
            return status;
        *found = status == PTS_OK;
    }
    if (!*found)
        return PTS_OK;
    pts_status status = pts_picture_load(x, &image, &item);
    pts_image_free(&image);
    return status == PTS_OK ? pts_extractor_run(x, &item) : status;
}

/* A map of fewer channels than its place has room for keeps them all. */
static pts_status solve_components(extractor *x)
{
    for (int i = 0; i < TAPS; i++) {
        projection_tap *tap = &x->features->projection.taps[i];
        const size_t channels = x->source.taps[i].channels, kept = pts_feature_places[i].kept;
        PTS_TRY(pts_projection_tap_alloc(tap, channels, kept < channels ? kept : channels, x->err));
        memcpy(tap->name, x->source.taps[i].name, sizeof tap->name);
        PTS_TRY(pts_pca_solve(&x->pcas[i], tap->kept, tap->weight, tap->offset, x->err));
    }
    return PTS_OK;
}

/* Images spread evenly over the list: neighbours in a folder are often of one scene. */
static pts_status gather_components(extractor *x, const char *const *paths, size_t count)
{
    size_t wanted = x->settings->pca_images < count ? x->settings->pca_images : count, any = 0;
    for (int i = 0; i < TAPS; i++)
        PTS_TRY(pts_pca_create(&x->pcas[i], x->source.taps[i].channels, x->err));
    for (size_t i = 0; i < wanted; i++) {
        size_t first = i * count / wanted, end = (i + 1) * count / wanted;
        bool found;
        PTS_TRY(gather_from(x, paths + first, end - first, &found));
        any += (size_t)found;
        PTS_TRY(report_progress(x, "components", i + 1, wanted));
    }
    return any ? solve_components(x) : none_readable(x, count);
}

/* ---- all images ---- */

/* x->item is set for the run alone: without it taps go to the components. */
static pts_status extract_one(extractor *x, const pts_image *image, feature_item *item)
{
    PTS_TRY(pts_picture_load(x, image, item));
    size_t cells = item->rows * item->columns;
    PTS_TRY(pts_new(&item->coarse, cells * COARSE_CHANNELS, sizeof(float), x->err));
    PTS_TRY(pts_new(&item->fine, cells * 4 * FINE_CHANNELS, sizeof(float), x->err));
    x->item = item;
    pts_status status = pts_extractor_run(x, item);
    x->item = NULL;
    if (status == PTS_OK)
        pts_picture_colours(x, item);
    return status;
}

/* One damaged photograph must not end a run over many, where the caller will do without. */
static pts_status extract_path(extractor *x, const char *path, size_t index, size_t *readable)
{
    pts_image image;
    pts_error why;
    pts_status status = pts_image_read(path, NULL, &image, &why);
    if (status == PTS_OK) {
        status = extract_one(x, &image, &x->features->items[index]);
        pts_image_free(&image);
        ++*readable;
        return status;
    }
    if (!x->settings->unreadable)
        return pts_fail(x->err, status, "%s", why.message);
    x->settings->unreadable(x->user, index, why.message);
    return PTS_OK;
}

static pts_status extract_all(extractor *x, const char *const *paths, size_t count)
{
    size_t readable = 0;
    for (size_t i = 0; i < count; i++) {
        PTS_TRY(extract_path(x, paths[i], i, &readable));
        PTS_TRY(report_progress(x, "features", i + 1, count));
    }
    return readable ? PTS_OK : none_readable(x, count);
}

/* Features of another encoder would have the right shape and mean something else. */
static pts_status check_projection(const extractor *x, const pts_projection *given)
{
    const char *id = pts_encoder_id(x->encoder);
    if (strcmp(given->encoder_id, id) != 0)
        return pts_fail(x->err, PTS_ERR_ARGUMENT,
                        "features: expected the projection's encoder %.12s, got %.12s",
                        given->encoder_id, id);
    for (int i = 0; i < TAPS; i++) {
        const source_tap *tap = &x->source.taps[i];
        if (strcmp(given->taps[i].name, tap->name) != 0 ||
            given->taps[i].channels != tap->channels ||
            given->taps[i].kept > pts_feature_places[i].kept)
            return pts_fail(x->err, PTS_ERR_SHAPE,
                            "features: expected a projection of %s [%zu], got %s [%zu]", tap->name,
                            tap->channels, given->taps[i].name, given->taps[i].channels);
    }
    return PTS_OK;
}

/* A trained model's own is given: its weights know no other. */
static pts_status prepare_projection(extractor *x, const char *const *paths, size_t count)
{
    pts_projection *p = &x->features->projection;
    const pts_projection *given = x->settings->projection;
    if (given) {
        PTS_TRY(check_projection(x, given));
        return pts_projection_copy(p, given, x->err);
    }
    snprintf(p->arch, sizeof p->arch, "%s", pts_encoder_arch(x->encoder));
    snprintf(p->encoder_id, sizeof p->encoder_id, "%s", pts_encoder_id(x->encoder));
    p->side = x->settings->side;
    return gather_components(x, paths, count);
}

/* With `later` images come as they are needed (pts_features_extend). */
static pts_status extract(extractor *x, const char *const *paths, size_t count)
{
    PTS_TRY(pts_new(&x->features->items, count, sizeof *x->features->items, x->err));
    x->features->count = count;
    PTS_TRY(pts_feature_source_open(&x->source, x->encoder, x->err));
    PTS_TRY(prepare_projection(x, paths, count));
    return x->settings->later ? PTS_OK : extract_all(x, paths, count);
}

pts_status pts_features_create(pts_features **out, pts_encoder *encoder, const char *const *paths,
                               size_t count, const pts_feature_settings *settings,
                               pts_progress progress, void *user, pts_error *err)
{
    *out = NULL;
    if (!count || settings->side < 128 || settings->side > 2048 || !settings->pca_images)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "features: expected images and a side of 128 … 2048, got %zu images, "
                        "side %zu",
                        count, settings->side);
    pts_features *features;
    PTS_TRY(pts_new(&features, 1, sizeof *features, err));
    extractor x = {.encoder = encoder,
                   .features = features,
                   .settings = settings,
                   .progress = progress,
                   .user = user,
                   .err = err};
    pts_status status = extract(&x, paths, count);
    pts_extractor_free(&x);
    if (status != PTS_OK) {
        pts_features_destroy(features);
        return status;
    }
    *out = features;
    return PTS_OK;
}

/* ---- more images ---- */

static void item_clear(feature_item *item)
{
    free(item->coarse);
    free(item->fine);
    *item = (feature_item){0};
}

static pts_status extend_by(extractor *x, const char *path, feature_item *item)
{
    pts_image image;
    PTS_TRY(pts_image_read(path, NULL, &image, x->err));
    pts_status status = extract_one(x, &image, item);
    pts_image_free(&image);
    if (status != PTS_OK)
        item_clear(item); /* else half a picture would count as there */
    return status;
}

/* Counted by what is missing, so that progress ends at its total. */
static pts_status extend(extractor *x, const char *const *paths, const size_t *images, size_t count,
                         size_t missing)
{
    size_t made = 0;
    PTS_TRY(pts_feature_source_open(&x->source, x->encoder, x->err));
    PTS_TRY(check_projection(x, &x->features->projection));
    for (size_t i = 0; i < count; i++) {
        feature_item *item = &x->features->items[images[i]];
        if (item->coarse)
            continue;
        PTS_TRY(extend_by(x, paths[images[i]], item));
        PTS_TRY(report_progress(x, "features", ++made, missing));
    }
    return PTS_OK;
}

pts_status pts_features_extend(pts_features *features, pts_encoder *encoder,
                               const char *const *paths, const size_t *images, size_t count,
                               pts_progress progress, void *user, pts_error *err)
{
    size_t missing = 0;
    for (size_t i = 0; i < count; i++) {
        if (images[i] >= features->count)
            return pts_fail(err, PTS_ERR_ARGUMENT, "features: expected images below %zu, got %zu",
                            features->count, images[i]);
        missing += !features->items[images[i]].coarse;
    }
    if (!missing)
        return PTS_OK;
    extractor x = {
        .encoder = encoder, .features = features, .progress = progress, .user = user, .err = err};
    pts_status status = extend(&x, paths, images, count, missing);
    pts_extractor_free(&x);
    return status;
}

void pts_features_destroy(pts_features *features)
{
    if (!features)
        return;
    for (size_t i = 0; i < features->count; i++)
        item_clear(&features->items[i]);
    free(features->items);
    pts_projection_free(&features->projection);
    free(features);
}

size_t pts_features_count(const pts_features *features)
{
    return features->count;
}

bool pts_features_readable(const pts_features *features, size_t image)
{
    return image < features->count && features->items[image].coarse;
}

const pts_projection *pts_features_projection(const pts_features *features)
{
    return &features->projection;
}
