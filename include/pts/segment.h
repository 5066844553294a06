/* pts/segment.h: the built-in instance segmenter: what `ptstrain collect` trains at each size.
 *
 *   pts_features *features;                       // once a data set: the encoder runs here
 *   pts_features_create(&features, encoder, paths, count, &settings, progress, user, &err);
 *   pts_segment_options options = PTS_SEGMENT_DEFAULTS;
 *   pts_segmenter *model;                         // once a training size
 *   pts_segmenter_train(&model, features, &task, &options, team, &err);
 *   pts_segmenter_predict(model, features, image, &instances, &err);   // masks with scores
 *   pts_segmenter_save(model, "led.ptsw", &err);
 *
 *   pts_segmenter_load(&model, "led.ptsw", &err); // later, on other photographs
 *   settings.projection = pts_segmenter_projection(model);
 *   pts_features_create(&others, encoder, other_paths, other_count, &settings, …);
 *
 * Features. Each photograph is resized (Pillow bilinear) so that its longer side is `side` pixels
 * and goes through the frozen encoder. Two grids are kept: a coarse one with a cell every 8 input
 * pixels and a fine one with a cell every 4, which has the colours too. What goes there:
 *                 fine                    coarse
 *   inception_v3  Conv2d_4a_3x3           Mixed_5d, Mixed_6e      fully convolutionally, one pass
 *   clip_vit      blocks of 4×4 pixels    patch tokens of the layers at 1/2 and 11/12 of the depth
 * A clip_vit takes squares of one size only: the photograph is covered by windows of that size
 * that overlap by a quarter or more, and tokens that several windows see are averaged. Each depth
 * is projected on its leading principal components over the images of the set, labels are not
 * used, and interpolated to its grid.
 *
 * Model. A small convolutional decoder of two logits a fine cell: `object` (is this cell on an
 * instance?) and `core` (is it in the inner part of one?). It is trained from scratch by our own
 * backprop: Adam, cosine rate, random crops, mirror images, dropout of input channels, binary
 * cross-entropy. Instances are the connected cores grown over the object mask, as in watershed
 * segmentation, or the connected components of the object mask itself: which of the two, and the
 * threshold, is chosen on the validation images, never on the test images. An instance's score is
 * the mean probability over its pixels times the greatest probability of its core.
 *
 * Class imbalance. Most cells show no object: seven crops in ten are laid around an instance, and
 * the biases of the logits start at the odds of a rare object.
 *
 * Training is reproducible bit for bit for one seed, whatever the number of threads. */
#ifndef PTS_SEGMENT_H
#define PTS_SEGMENT_H

#include "pts/base.h"
#include "pts/encoder.h"
#include "pts/metrics.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- features ----------------------------------------------------------------------------- */

/* How an encoder's maps become features: the encoder's identity, the input's side and the
 * principal components. It belongs to the features or the segmenter that it is got from. */
typedef struct pts_projection pts_projection;

/* Image `image` cannot be read; `reason` is one line that names its path. */
typedef void (*pts_unreadable)(void *user, size_t image, const char *reason);

typedef struct pts_feature_settings {
    size_t side;       /* longer side of the network's input in pixels, 128 … 2048 */
    size_t pca_images; /* at most so many images, evenly spaced, give the projection */
    const pts_projection *projection; /* this one, with its side; NULL: from the images. Borrowed
                                         for the call */
    pts_unreadable unreadable; /* called for each such image, which is then absent; NULL: the first
                                  is an error */
    bool later; /* the projection alone is made; images come by pts_features_extend */
} pts_feature_settings;
void pts_feature_settings_default(pts_feature_settings *settings);

/* Several threads may train on it at once, but none while it is extended. */
typedef struct pts_features pts_features;

/* paths [count]: image files. The encoder is an inception_v3 or a clip_vit (PTS_ERR_UNSUPPORTED
 * for others), and the projection's own where one is given (PTS_ERR_ARGUMENT). At least one image
 * must be readable. `user` is handed to progress (stages "components" and "features") and to
 * settings->unreadable; both are called from the calling thread. */
pts_status pts_features_create(pts_features **out, pts_encoder *encoder, const char *const *paths,
                               size_t count, const pts_feature_settings *settings,
                               pts_progress progress, void *user, pts_error *err);
void pts_features_destroy(pts_features *features);

/* Makes those of images [count], indices of the paths that the features were created with, that
 * are not there yet: bit for bit what pts_features_create would have made of them. One that cannot
 * be read is an error; what was made before it stays, as when it is cancelled. */
pts_status pts_features_extend(pts_features *features, pts_encoder *encoder,
                               const char *const *paths, const size_t *images, size_t count,
                               pts_progress progress, void *user, pts_error *err);

size_t pts_features_count(const pts_features *features); /* of images, the absent ones too */
/* 0: absent, or not made yet; out of range too. */
bool pts_features_readable(const pts_features *features, size_t image);
const pts_projection *pts_features_projection(const pts_features *features);

/* ---- labels ------------------------------------------------------------------------------- */

/* One labelled instance, as pts/data.h has it; borrowed. Polygons are what is taught and the mask
 * is what is scored; where only one of the two is given, it serves for both. */
typedef struct pts_labelled_instance {
    const float *xy;     /* [ends[parts − 1]][2], in 0 … 1 of width and height, x first */
    const size_t *ends;  /* [parts]: polygon p has the points from ends[p − 1] (or 0) to ends[p],
                            three or more; the instance is their union */
    size_t parts;        /* 0: there is only the mask */
    const pts_rle *mask; /* of the photograph's size (else PTS_ERR_SHAPE), or NULL */
    bool crowd;          /* a region of uncounted objects: nothing is taught there, and what is
                            found in it counts neither for nor against (COCO's iscrowd) */
} pts_labelled_instance;

/* The instances of one class on one image; borrowed. Where instances overlap, the later one
 * covers the earlier in what is taught; a crowd covers nothing. */
typedef struct pts_labelled_image {
    size_t image; /* index among the features' images */
    const pts_labelled_instance *instances;
    size_t count;
} pts_labelled_image;

typedef struct pts_segment_task {
    const pts_labelled_image *train, *validation; /* validation may be empty */
    size_t train_count, validation_count;
} pts_segment_task;

/* ---- training ----------------------------------------------------------------------------- */

typedef struct pts_segmenter pts_segmenter; /* immutable once made */

/* Rises with every change that moves its results: measurements of two versions do not mix. */
#define PTS_SEGMENTER_VERSION 1

/* From scratch, training takes 120·(2n)^¼ steps of eight crops for n images, at most 800.
 *
 * With `start` it goes on from that model (which must be of the same projection) on the images of
 * the task alone, as the study's incremental mode does with each new piece: with a quarter of the
 * steps that the piece would get from scratch, at a quarter of the greatest rate, so that the
 * piece is learnt and what went before is not overwritten (one measured class, mAP of going on by
 * pieces against from scratch: 0.55 and 0.56 at 8 images, 0.60 and 0.61 at 19, 0.60 and 0.62 at
 * 31). The optimiser starts anew. */
typedef struct pts_segment_options {
    const pts_segmenter *start; /* NULL: from scratch; borrowed for the call */
    uint64_t seed;
    double steps;          /* times the usual number of steps, in (0, 100]; at least one is made */
    pts_progress progress; /* stages "training" and "validation"; may be NULL */
    void *user;
} pts_segment_options;

#define PTS_SEGMENT_DEFAULTS                                                                       \
    {                                                                                              \
        NULL, 43, 1.0, NULL, NULL                                                                  \
    }

/* Absent images are left out and counted; PTS_ERR_ARGUMENT where no training image is left. A
 * label that cannot be painted is PTS_ERR_SHAPE or PTS_ERR_LIMIT. */
pts_status pts_segmenter_train(pts_segmenter **out, const pts_features *features,
                               const pts_segment_task *task, const pts_segment_options *options,
                               pts_team *team, pts_error *err);
void pts_segmenter_destroy(pts_segmenter *model);

/* Mask AP by COCO's definition over `images` photographs; `absent` others could not be looked at.
 * Each figure is −1 where there was no instance to find, so also without images. */
typedef struct pts_segment_score {
    pts_ap ap;
    size_t images, absent;
} pts_segment_score;

/* How a model came about. */
typedef struct pts_segmenter_info {
    size_t images, absent, steps; /* of the last training; 0 for a loaded model */
    bool from_cores;              /* instances are grown cores; else components of the mask */
    double threshold;             /* of the object's probability */
    /* Of the last training, on its validation images: what the rule was chosen by, so it costs
     * nothing more and flatters a little. −1 and no images where validation was empty, or the
     * model was loaded; the rule is then the start's, or cores and 0.5. */
    pts_segment_score validation;
} pts_segmenter_info;
void pts_segmenter_describe(const pts_segmenter *model, pts_segmenter_info *info);

/* ---- use ---------------------------------------------------------------------------------- */

/* Found instances on one photograph, by falling score; masks are at its own size. */
typedef struct pts_instances {
    pts_rle **masks; /* [count] */
    double *scores;  /* [count], 0 … 1 */
    size_t count;
} pts_instances;

/* PTS_ERR_ARGUMENT for an absent image and for features of another projection. */
pts_status pts_segmenter_predict(const pts_segmenter *model, const pts_features *features,
                                 size_t image, pts_instances *out, pts_error *err);
void pts_instances_free(pts_instances *instances);

/* Of any labelled images; absent ones are left out and counted. Progress (may be NULL) has the
 * stage "evaluation". */
pts_status pts_segmenter_evaluate(const pts_segmenter *model, const pts_features *features,
                                  const pts_labelled_image *images, size_t count, pts_team *team,
                                  pts_progress progress, void *user, pts_segment_score *out,
                                  pts_error *err);

/* ---- files -------------------------------------------------------------------------------- */

/* A .ptsw file (pts/weights.h) of about 0.7 MB: the decoder's tensors, the projection's, and in its
 * metadata the rule, version, side and encoder. A loaded model predicts and goes on training bit
 * for bit as the saved one. Loading takes nothing on trust: PTS_ERR_FORMAT, _SHAPE or _NUMERIC
 * for what is not such a file, PTS_ERR_UNSUPPORTED for another PTS_SEGMENTER_VERSION. */
pts_status pts_segmenter_save(const pts_segmenter *model, const char *path, pts_error *err);
pts_status pts_segmenter_load(pts_segmenter **out, const char *path, pts_error *err);
const pts_projection *pts_segmenter_projection(const pts_segmenter *model);

#ifdef __cplusplus
}
#endif

#endif
