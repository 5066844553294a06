/* pts/segment.h: the built-in instance segmenter: what `ptstrain collect` trains at each size.
 *
 *   pts_features *features;                       // once a data set: the encoder runs here
 *   pts_features_create(&features, encoder, paths, count, &settings, progress, user, &err);
 *   pts_segmenter *model;                         // once a training size
 *   pts_segmenter_train(&model, features, &task, seed, team, &err);
 *   pts_segmenter_predict(model, features, image, &instances, &err);   // masks with scores
 *
 * Features. Each photograph is resized (Pillow bilinear) so that its longer side is `side` pixels
 * and goes once through the frozen encoder, fully convolutionally. Two grids are kept: the coarse
 * one has a cell every 8 input pixels (Mixed_5d and, interpolated, Mixed_6e of InceptionV3), the
 * fine one a cell every 4 (Conv2d_4a_3x3 and the colours). Each depth is projected on its leading
 * principal components over the images of the set; labels are not used.
 *
 * Model. A small convolutional decoder of two logits a fine cell: `object` (is this cell on an
 * instance?) and `core` (is it in the inner part of one?). It is trained from scratch by our own
 * backprop: Adam, cosine rate, random crops, mirror images, dropout of input channels, binary
 * cross-entropy. Instances are the connected cores grown over the object mask, as in watershed
 * segmentation, or the connected components of the object mask itself: which of the two, and the
 * threshold, is chosen on the validation images, never on the test images. An instance's score is
 * the mean probability over its pixels times the greatest probability of its core.
 *
 * Training is reproducible bit for bit for one seed, whatever the number of threads. */
#ifndef PTS_SEGMENT_H
#define PTS_SEGMENT_H

#include "pts/base.h"
#include "pts/encoder.h"
#include "pts/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pts_feature_settings {
    size_t side;       /* longer side of the network's input in pixels, 128 … 2048 */
    size_t pca_images; /* at most so many images, evenly spaced, give the projections */
} pts_feature_settings;
void pts_feature_settings_default(pts_feature_settings *settings);

/* Immutable once made: several threads may train on it at once. */
typedef struct pts_features pts_features;

/* paths [count]: image files. The encoder must be an inception_v3. */
pts_status pts_features_create(pts_features **out, pts_encoder *encoder, const char *const *paths,
                               size_t count, const pts_feature_settings *settings,
                               pts_progress progress, void *user, pts_error *err);
void pts_features_destroy(pts_features *features);

/* One labelled instance: a closed polygon xy [points][2], normalised to 0 … 1 of width, height. */
typedef struct pts_outline {
    const float *xy;
    size_t points;
} pts_outline;

/* The instances of one class on one image; borrowed. */
typedef struct pts_labelled_image {
    size_t image; /* index among the features' images */
    const pts_outline *outlines;
    size_t count;
} pts_labelled_image;

typedef struct pts_segment_task {
    const pts_labelled_image *train, *validation; /* validation may be empty */
    size_t train_count, validation_count;
} pts_segment_task;

typedef struct pts_segmenter pts_segmenter;

/* Rises with every change that moves its results: measurements of two versions do not mix. */
#define PTS_SEGMENTER_VERSION 1

pts_status pts_segmenter_train(pts_segmenter **out, const pts_features *features,
                               const pts_segment_task *task, uint64_t seed, pts_team *team,
                               pts_error *err);
void pts_segmenter_destroy(pts_segmenter *model);

/* Found instances on one photograph, by falling score; masks are at its own size. */
typedef struct pts_instances {
    pts_rle **masks; /* [count] */
    double *scores;  /* [count], 0 … 1 */
    size_t count;
} pts_instances;

pts_status pts_segmenter_predict(const pts_segmenter *model, const pts_features *features,
                                 size_t image, pts_instances *out, pts_error *err);
void pts_instances_free(pts_instances *instances);

/* Mask AP of the model on labelled images by COCO's definition. */
pts_status pts_segmenter_evaluate(const pts_segmenter *model, const pts_features *features,
                                  const pts_labelled_image *images, size_t count, pts_team *team,
                                  pts_map *out, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
