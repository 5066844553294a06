/* pts/study.h: the original study's head and its protocol (builds with study).
 *
 *   pts_study_options options = PTS_STUDY_DEFAULTS;
 *   options.epochs = 10000;
 *   options.checkpoint = "training.ptsw";
 *   pts_head *head;                                // kind study: pts/learn.h opens and asks it
 *   pts_study_head_train(&head, tasks, &options, team, NULL, NULL, &err);
 *
 * Exactly four photographs, in order, 4·dim → 2048 → 1024 → 512 → 256 → 4 with ReLU; mean squared
 * error on (A, B, C, D) + 10, Adam. The targets are fits with a weak prior, as a flat curve's C
 * could else be any number. Photographs of a class are split 0.7 / 0.15 / 0.15; of each part
 * `combinations`, for validation and test a quarter of that, different sets of four are drawn once,
 * in random order (2,000, 500 and 500, or as many as there are); every epoch sees all of them,
 * shuffled. The epoch with the least validation loss stays. A loss that is not finite ends training
 * (PTS_ERR_NUMERIC, with epoch and step); the checkpoint of the epoch before stays. */
#ifndef PTS_STUDY_H
#define PTS_STUDY_H

#include "pts/forecast.h"
#include "pts/learn.h"
#include "pts/mlp.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An epoch of training: losses as means over samples and outputs, the rate of its last step. */
typedef struct pts_study_epoch {
    size_t epoch; /* from 1 */
    double loss, validation, rate, seconds;
    bool best; /* validation fell below that of all epochs before */
} pts_study_epoch;

typedef struct pts_study_options {
    uint64_t seed;
    size_t epochs, batch, combinations;
    double rate;
    const char *trainer; /* whose curves it learns from, one line; NULL: not said */
    pts_mlp_rule rule;
    double momentum, weight_decay, clip, huber; /* as in pts_mlp_training */
    double dropout;                             /* behind each ReLU */
    pts_mlp_decay schedule; /* over all steps; PTS_MLP_STEPS: a tenth after each third of epochs */
    size_t patience;        /* epochs without a better validation before it stops; 0: never */
    /* Replaced whole after each epoch (rank 0's work); with `resume` training goes on from it, bit
     * for bit as if it had not stopped. Every process must see it. NULL: none. */
    const char *checkpoint;
    bool resume;
    const pts_peers *peers; /* that train as one, to the bit (pts_mlp_share); NULL: alone */
    const char *config;     /* all options as JSON, kept in the file; NULL: none */
    /* After each epoch, and for those of the checkpoint at its start; `user` is progress's. */
    void (*epoch)(void *user, const pts_study_epoch *epoch);
} pts_study_options;

#define PTS_STUDY_DEFAULTS                                                                         \
    {                                                                                              \
        43, 10, 64, 2000, 1e-3, NULL, PTS_MLP_ADAM, 0, 0, 0, 0, 0, PTS_MLP_CONSTANT, 0, NULL, 0,   \
            NULL, NULL, NULL                                                                       \
    }

/* A head of kind study, with the spread of one curve for all. Needs three data sets or more
 * (PTS_ERR_SHAPE). `progress` stages: "choose", "epoch" (steps of all epochs). */
pts_status pts_study_head_train(pts_head **out, const pts_tasks *tasks,
                                const pts_study_options *options, pts_team *team,
                                pts_progress progress, void *user, pts_error *err);

/* The study's protocol: train and test know the same curves and differ in photographs only. */
typedef struct pts_study_report {
    size_t tasks, samples_train, samples_test, epochs, best_epoch;
    double seconds;
    double smape[4];            /* of A, B, C, D, each + 10, in percent */
    double smape_constant[4];   /* of the mean of the training targets */
    double mae, mae_mean_curve; /* of the curve, over ln n */
} pts_study_report;

pts_status pts_evaluate_study(pts_study_report *out, const pts_tasks *tasks,
                              const pts_study_options *options, pts_team *team,
                              pts_progress progress, void *user, pts_error *err);

/* ---- Its page: two encoders, two heads, no interval ---- */

/* Whether the models have what pts_study_forecast needs: an InceptionV3 and a CLIP vision
 * transformer, each with a head of the study's. */
bool pts_study_has_page(const pts_models *models);

/* A and B of the InceptionV3 head's four numbers, C and D of the CLIP head's. */
pts_study_answer pts_study_answer_find(const double inception[4], const double clip[4],
                                       double target);

/* Mode ptssp: the photographs of `given` through preset ptssp, A and B from the InceptionV3 head's
 * four numbers, C and D from the CLIP head's. On failure *field is "mode" or "images". */
pts_status pts_study_forecast(pts_models *models, const pts_given *given, pts_study_answer *out,
                              const char **field, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
