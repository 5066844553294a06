#ifndef PTS_SRC_SEGMENT_SEGMENTER_H
#define PTS_SRC_SEGMENT_SEGMENTER_H

#include "segment/instances.h"
#include "segment/projection.h"
#include "segment/targets.h"

struct pts_segmenter {
    float *parameters; /* [pts_decoder_parameters()] */
    instance_rule rule;
    pts_projection projection;
    pts_segmenter_info info;
};

/* An empty model of that projection; parameters are zero. */
pts_status pts_segmenter_create(pts_segmenter **out, const pts_projection *projection,
                                pts_error *err);

/* PTS_ERR_ARGUMENT where the features are of another projection than the model. */
pts_status pts_segmenter_check_features(const pts_segmenter *model, const pts_features *features,
                                        pts_error *err);

/* Those of images [count] that are not absent, in order, *kept of them; freed with free().
 * PTS_ERR_ARGUMENT for an image beyond the features'. */
pts_status pts_segmenter_present(pts_labelled_image **out, size_t *kept,
                                 const pts_features *features, const pts_labelled_image *images,
                                 size_t count, pts_error *err);

typedef struct decoder_plan {
    bool goes_on; /* from the parameters as they are; else they are drawn */
    double steps; /* times the usual number */
    uint64_t seed;
    pts_team *team;
    pts_progress progress;
    void *user;
} decoder_plan;

/* Trains the decoder's parameters on targets [count], in *steps steps. */
pts_status pts_decoder_train(float *parameters, const segment_target *targets, size_t count,
                             const decoder_plan *plan, size_t *steps, pts_error *err);

/* What evaluations share. */
typedef struct evaluation_setting {
    const pts_features *features;
    pts_team *team;
    pts_progress progress;
    void *user;
    const char *stage;
} evaluation_setting;

/* The score of a decoder on images [count] by each of rules [rule_count]; absent images are left
 * out and counted. */
pts_status pts_evaluation_run(const evaluation_setting *setting, const float *parameters,
                              const pts_labelled_image *images, size_t count,
                              const instance_rule *rules, size_t rule_count,
                              pts_segment_score *scores, pts_error *err);

#endif
